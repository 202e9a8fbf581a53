// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/unread.h"

#include "base/log.h"
#include "bpf/steer/unread.skel.h"
#include "kernel/object.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct unread {
	struct unread_bpf *skel;
	struct bpf_link *link; /* NULL: closes of sockets are not detected */
};

static int load(struct unread *unread, struct err *err)
{
	struct sluice_meta none = { 0 };
	struct object object = { .what = "programs of a drain", .before = &none };
	struct unread_bpf *skel = unread_bpf__open_opts(object_open_opts(&object));
	int result;

	unread->skel = skel;
	result = object_verify(&object, skel ? skel->skeleton : NULL, err);
	object_end(&object);
	return result;
}

static void attach(struct unread *unread, const char *cgroup)
{
	int fd = cgroup ? open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	const char *reason = strerror(errno);

	if (fd >= 0) {
		unread->link = bpf_program__attach_cgroup(unread->skel->progs.sluice_closing, fd);
		reason = strerror(errno);
		close(fd);
	}
	if (!unread->link)
		log_info("steer drain: cannot detect closed sockets below cgroup %s: %s",
			 cgroup ? cgroup : "(none)", reason);
}

int unread_open(struct unread **unread, const char *cgroup, struct err *err)
{
	struct unread *fresh = calloc(1, sizeof(*fresh));
	int result;

	if (!fresh)
		return err_set(err, EXIT_ERROR, ENOMEM, "steer drain: out of memory");
	result = load(fresh, err);
	if (result) {
		unread_close(fresh);
		return result;
	}
	attach(fresh, cgroup);
	*unread = fresh;
	return 0;
}

int unread_watch(struct unread *unread, __u64 cookie)
{
	const struct sluice_unread open = { 0 };

	return bpf_map_update_elem(bpf_map__fd(unread->skel->maps.sluice_unread), &cookie, &open,
				   BPF_ANY)
		       ? -errno
		       : 0;
}

bool unread_queue(struct unread *unread, __u64 sock, __u64 cookie, struct sluice_unread *queue)
{
	__u64 args[2] = { sock, cookie };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	if (!sock ||
	    bpf_prog_test_run_opts(bpf_program__fd(unread->skel->progs.sluice_queue), &opts))
		return false;
	*queue = *(volatile struct sluice_unread *)&unread->skel->bss->queue;
	return queue->known;
}

bool unread_closed(struct unread *unread, __u64 cookie, struct sluice_unread *closed)
{
	struct sluice_unread found;

	if (bpf_map_lookup_elem(bpf_map__fd(unread->skel->maps.sluice_unread), &cookie, &found) ||
	    !found.known)
		return false;
	*closed = found;
	return true;
}

void unread_close(struct unread *unread)
{
	if (!unread)
		return;
	/* detach the program now, since the kernel frees the link later */
	if (unread->link)
		bpf_link__detach(unread->link);
	bpf_link__destroy(unread->link);
	unread_bpf__destroy(unread->skel);
	free(unread);
}
