// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/socket_events.h"

#include "bpf/steer/socket_events.skel.h"
#include "kernel/links.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sluice/socket_events.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERIFIER_LOG_SIZE (1 << 18)
/* Others want their turn, too, however fast sockets come and go. */
#define EVENTS_MAX 4096

struct steer_follow {
	struct socket_events_bpf *skel;
	struct ring_buffer *ring;
	struct steer_heard heard;
};

static int on_event(void *arg, void *data, size_t size)
{
	struct steer_follow *follow = arg;
	struct steer_heard *heard = &follow->heard;
	const struct sluice_follow_event *event = data;

	if (event->kind == SLUICE_FOLLOW_RELEASED) {
		heard->released++;
	} else {
		heard->bound++;
		if (!heard->first_bound_ns)
			heard->first_bound_ns = event->at_ns;
	}
	/* what is left keeps the descriptor readable */
	return heard->bound + heard->released < EVENTS_MAX ? 0 : -EAGAIN;
}

static int load(struct steer_follow *follow, const struct ports *ports, __u32 netns,
		struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = VERIFIER_LOG_SIZE);
	char *log = calloc(1, VERIFIER_LOG_SIZE);
	int result;

	opts.kernel_log_buf = log;
	follow->skel = log ? socket_events_bpf__open_opts(&opts) : NULL;
	if (!follow->skel) {
		free(log);
		return err_set(err, EXIT_ERROR, ENOMEM, "news of sockets: no memory");
	}
	follow->skel->rodata->any_port = ports->any;
	follow->skel->rodata->netns = netns;
	_Static_assert(sizeof(follow->skel->rodata->ports) == sizeof(ports->bit), "ports");
	memcpy((void *)follow->skel->rodata->ports, ports->bit, sizeof(ports->bit));
	result = socket_events_bpf__load(follow->skel);
	if (result)
		hooks_load_error("news of sockets", -result, log, err);
	free(log);
	return result;
}

#define LINKS 3

static struct bpf_link **link_at(struct socket_events_bpf *skel, int i)
{
	struct bpf_link **links[LINKS] = { &skel->links.sluice_bind4, &skel->links.sluice_bind6,
					   &skel->links.sluice_release };

	return links[i];
}

static int attach(struct socket_events_bpf *skel, int cgroup_fd)
{
	const struct bpf_program *progs[LINKS] = { skel->progs.sluice_bind4,
						   skel->progs.sluice_bind6,
						   skel->progs.sluice_release };
	int i;

	for (i = 0; i < LINKS; i++) {
		struct bpf_link *link = bpf_program__attach_cgroup(progs[i], cgroup_fd);

		if (!link)
			return -errno;
		*link_at(skel, i) = link;
	}
	return 0;
}

/* The kernel frees a link some time after its last reference is gone; a detached one is idle. */
static void detach(struct socket_events_bpf *skel)
{
	int i;

	for (i = 0; i < LINKS; i++)
		if (*link_at(skel, i))
			bpf_link__detach(*link_at(skel, i));
}

static int attach_to(struct steer_follow *follow, const char *cgroup, struct err *err)
{
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

	if (fd < 0)
		return err_set(err, EXIT_ERROR, errno, "cgroup %s: %s", cgroup, strerror(errno));
	result = attach(follow->skel, fd);
	close(fd);
	if (result)
		return err_set(err, EXIT_LACKING, -result, "news of sockets on %s: %s", cgroup,
			       strerror(-result));
	follow->ring = ring_buffer__new(bpf_map__fd(follow->skel->maps.sluice_events), on_event,
					follow, NULL);
	return follow->ring ? 0
			    : err_set(err, EXIT_ERROR, errno, "news of sockets: ring buffer: %s",
				      strerror(errno));
}

int steer_follow_open(struct steer_follow **follow, const char *cgroup, const struct ports *ports,
		      __u32 netns, struct err *err)
{
	struct steer_follow *fresh = calloc(1, sizeof(*fresh));
	int result;

	if (!fresh)
		return err_set(err, EXIT_ERROR, ENOMEM, "news of sockets: no memory");
	result = load(fresh, ports, netns, err);
	if (!result)
		result = attach_to(fresh, cgroup, err);
	if (result)
		steer_follow_close(fresh);
	else
		*follow = fresh;
	return result;
}

void steer_follow_close(struct steer_follow *follow)
{
	if (!follow)
		return;
	ring_buffer__free(follow->ring);
	if (follow->skel)
		detach(follow->skel);
	socket_events_bpf__destroy(follow->skel);
	free(follow);
}

int steer_follow_fd(const struct steer_follow *follow)
{
	return ring_buffer__epoll_fd(follow->ring);
}

int steer_follow_read(struct steer_follow *follow, struct steer_heard *heard)
{
	int result;

	follow->heard = (struct steer_heard){ 0 };
	result = ring_buffer__consume(follow->ring);
	*heard = follow->heard;
	return result < 0 && result != -EAGAIN ? result : 0;
}

__u64 steer_follow_lost(const struct steer_follow *follow)
{
	return *(volatile __u64 *)&follow->skel->bss->lost;
}
