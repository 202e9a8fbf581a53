// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/socket_events.h"

#include "bpf/steer/socket_events.skel.h"
#include "kernel/object.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sluice/socket_events.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS 3
/* Others want their turn, too, however fast sockets come and go. */
#define EVENTS_MAX 4096

struct socket_events {
	struct socket_events_bpf *skel;
	struct bpf_link *links[LINKS];
	struct ring_buffer *ring;
	struct socket_event_batch heard;
};

static int on_event(void *arg, void *data, size_t size)
{
	struct socket_events *follow = arg;
	struct socket_event_batch *heard = &follow->heard;
	const struct sluice_socket_event *event = data;

	if (event->kind == SLUICE_SOCKET_RELEASED) {
		heard->released++;
	} else {
		heard->bound++;
		if (!heard->first_bound_ns)
			heard->first_bound_ns = event->at_ns;
	}
	/* what is left keeps the descriptor readable */
	return heard->bound + heard->released < EVENTS_MAX ? 0 : -EAGAIN;
}

static int load(struct socket_events *follow, const struct ports *ports, __u32 netns,
		struct err *err)
{
	struct sluice_meta none = { 0 };
	struct object object = { .what = "news of sockets", .before = &none };
	struct socket_events_bpf *skel = socket_events_bpf__open_opts(object_open_opts(&object));
	int result;

	follow->skel = skel;
	if (skel) {
		skel->rodata->any_port = ports->any;
		skel->rodata->netns = netns;
		_Static_assert(sizeof(skel->rodata->ports) == sizeof(ports->bit), "ports");
		memcpy((void *)skel->rodata->ports, ports->bit, sizeof(ports->bit));
	}
	result = object_verify(&object, skel ? skel->skeleton : NULL, err);
	object_end(&object);
	return result;
}

static int attach(struct socket_events *follow, const char *cgroup, struct err *err)
{
	const struct bpf_program *progs[LINKS] = { follow->skel->progs.sluice_bind4,
						   follow->skel->progs.sluice_bind6,
						   follow->skel->progs.sluice_release };
	int i, fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return err_set(err, EXIT_ERROR, errno, "cgroup %s: %s", cgroup, strerror(errno));
	for (i = 0; i < LINKS && !error; i++) {
		follow->links[i] = bpf_program__attach_cgroup(progs[i], fd);
		error = follow->links[i] ? 0 : errno;
	}
	close(fd);
	if (error)
		return err_set(err, EXIT_LACKING, error, "news of sockets on %s: %s", cgroup,
			       strerror(error));
	follow->ring = ring_buffer__new(bpf_map__fd(follow->skel->maps.sluice_events), on_event,
					follow, NULL);
	return follow->ring ? 0
			    : err_set(err, EXIT_ERROR, errno, "news of sockets: ring buffer: %s",
				      strerror(errno));
}

int socket_events_open(struct socket_events **follow, const char *cgroup, const struct ports *ports,
		       __u32 netns, struct err *err)
{
	struct socket_events *fresh = calloc(1, sizeof(*fresh));
	int result;

	if (!fresh)
		return err_set(err, EXIT_ERROR, ENOMEM, "news of sockets: no memory");
	result = load(fresh, ports, netns, err);
	if (!result)
		result = attach(fresh, cgroup, err);
	if (result)
		socket_events_close(fresh);
	else
		*follow = fresh;
	return result;
}

void socket_events_close(struct socket_events *follow)
{
	int i;

	if (!follow)
		return;
	ring_buffer__free(follow->ring);
	for (i = 0; i < LINKS; i++) {
		/* a link is freed some time after its last reference is gone; detached, it idles */
		if (follow->links[i])
			bpf_link__detach(follow->links[i]);
		bpf_link__destroy(follow->links[i]);
	}
	socket_events_bpf__destroy(follow->skel);
	free(follow);
}

int socket_events_fd(const struct socket_events *follow)
{
	return ring_buffer__epoll_fd(follow->ring);
}

int socket_events_read(struct socket_events *follow, struct socket_event_batch *heard)
{
	int result;

	follow->heard = (struct socket_event_batch){ 0 };
	result = ring_buffer__consume(follow->ring);
	*heard = follow->heard;
	return result < 0 && result != -EAGAIN ? result : 0;
}

__u64 socket_events_lost(const struct socket_events *follow)
{
	return *(volatile __u64 *)&follow->skel->bss->lost;
}
