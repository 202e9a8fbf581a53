// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/socket_events.h"

#include "bpf/steer/socket_events.skel.h"
#include "kernel/links.h"
#include "kernel/mounts.h"
#include "kernel/object.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sluice/socket_events.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A read returns to the event loop after this many events, even if more are pending. */
#define EVENTS_MAX 4096

struct socket_events {
	struct socket_events_bpf *skel;
	struct bpf_link *links[SOCKET_EVENTS_PROGRAMS];
	struct ring_buffer *ring;
	struct socket_event_batch batch;
};

static int on_event(void *arg, void *data, size_t size)
{
	struct socket_event_batch *batch = arg;
	const struct sluice_socket_event *event = data;

	if (event->kind == SLUICE_SOCKET_RELEASED)
		batch->released++;
	else if (!batch->bound++)
		batch->first_bound_ns = event->at_ns;
	/* unread events keep the descriptor readable */
	return batch->bound + batch->released < EVENTS_MAX ? 0 : -EAGAIN;
}

static int load(struct socket_events *events, const struct ports *ports, __u32 netns,
		struct err *err)
{
	struct sluice_meta none = { 0 };
	struct object object = { .what = "socket event programs", .before = &none };
	struct socket_events_bpf *skel = socket_events_bpf__open_opts(object_open_opts(&object));
	int result;

	events->skel = skel;
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

static int attach(struct socket_events *events, const char *cgroup, struct err *err)
{
	const struct bpf_program *progs[SOCKET_EVENTS_PROGRAMS] = {
		events->skel->progs.sluice_bind4, events->skel->progs.sluice_bind6,
		events->skel->progs.sluice_release
	};
	int i, fd, error = mounts_need_cgroup2(cgroup, err);

	if (error)
		return error;
	fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, EXIT_ERROR, errno, "cgroup %s: %s", cgroup, strerror(errno));
	for (i = 0; i < SOCKET_EVENTS_PROGRAMS && !error; i++) {
		events->links[i] = bpf_program__attach_cgroup(progs[i], fd);
		error = events->links[i] ? 0 : errno;
	}
	close(fd);
	if (error)
		return err_set(err, EXIT_LACKING, error, "socket events on %s: %s", cgroup,
			       strerror(error));
	events->ring = ring_buffer__new(bpf_map__fd(events->skel->maps.sluice_events), on_event,
					&events->batch, NULL);
	return events->ring ? 0
			    : err_set(err, EXIT_ERROR, errno, "socket events: ring buffer: %s",
				      strerror(errno));
}

int socket_events_open(struct socket_events **events, const char *cgroup, const struct ports *ports,
		       __u32 netns, struct err *err)
{
	struct socket_events *fresh = calloc(1, sizeof(*fresh));
	int result;

	if (!fresh)
		return err_set(err, EXIT_ERROR, ENOMEM, "socket events: out of memory");
	result = load(fresh, ports, netns, err);
	if (!result)
		result = attach(fresh, cgroup, err);
	if (result)
		socket_events_close(fresh);
	else
		*events = fresh;
	return result;
}

void socket_events_close(struct socket_events *events)
{
	int i;

	if (!events)
		return;
	ring_buffer__free(events->ring);
	for (i = 0; i < SOCKET_EVENTS_PROGRAMS; i++) {
		/* detach the program now, since the kernel frees a closed link later */
		if (events->links[i])
			bpf_link__detach(events->links[i]);
		bpf_link__destroy(events->links[i]);
	}
	socket_events_bpf__destroy(events->skel);
	free(events);
}

int socket_events_program(const struct socket_events *events, int i, struct bpf_prog_info *info)
{
	const struct bpf_program *progs[SOCKET_EVENTS_PROGRAMS] = {
		events->skel->progs.sluice_bind4,
		events->skel->progs.sluice_bind6,
		events->skel->progs.sluice_release,
	};

	return prog_info_by_fd(bpf_program__fd(progs[i]), info);
}

bool socket_events_attached(const struct socket_events *events)
{
	struct bpf_link_info info;
	__u32 size;
	int i;

	for (i = 0; i < SOCKET_EVENTS_PROGRAMS; i++) {
		info = (struct bpf_link_info){ 0 };
		size = sizeof(info);
		if (bpf_obj_get_info_by_fd(bpf_link__fd(events->links[i]), &info, &size) ||
		    !info.cgroup.cgroup_id)
			return false;
	}
	return true;
}

int socket_events_fd(const struct socket_events *events)
{
	return ring_buffer__epoll_fd(events->ring);
}

int socket_events_read(struct socket_events *events, struct socket_event_batch *batch)
{
	int result;

	events->batch = (struct socket_event_batch){ 0 };
	result = ring_buffer__consume(events->ring);
	*batch = events->batch;
	return result < 0 && result != -EAGAIN ? result : 0;
}

__u64 socket_events_lost(const struct socket_events *events)
{
	return *(volatile __u64 *)&events->skel->bss->lost;
}
