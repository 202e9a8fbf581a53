// SPDX-License-Identifier: GPL-2.0-or-later
#include "reply/purge.h"

#include "bpf/reply/purge.skel.h"
#include "kernel/links.h"
#include "kernel/state_dir.h"
#include "reply/reply.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sluice/purge.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERIFIER_LOG_SIZE (1 << 16)

struct purge {
	struct purge_bpf *skel;
	const struct sluice_addr *gone;
	size_t count;
	__u32 netns;
	__u32 before;
	__u32 set; /* the one that is looked at */
	int purged;
};

static bool set_has(const struct sluice_flow_set *set, const struct sluice_addr *gone, __u32 netns)
{
	__u32 way;

	for (way = 0; way < SLUICE_FLOW_WAYS; way++)
		if (set->tag[way] && set->flow[way].netns == netns &&
		    !memcmp(&set->flow[way].local, gone, sizeof(*gone)))
			return true;
	return false;
}

static int clear(struct purge *purge, const struct sluice_addr *gone)
{
	struct sluice_purge ask = {
		.local = *gone, .netns = purge->netns, .before = purge->before, .set = purge->set
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &ask, .data_size_in = sizeof(ask));

	if (bpf_prog_test_run_opts(bpf_program__fd(purge->skel->progs.sluice_purge), &opts))
		return -errno;
	purge->purged += (int)opts.retval;
	return 0;
}

/* Sets come in the order of the table. */
static int set_visit(const void *copy, void *arg)
{
	struct purge *purge = arg;
	int result = 0;
	size_t i;

	for (i = 0; !result && i < purge->count; i++)
		if (set_has(copy, &purge->gone[i], purge->netns))
			result = clear(purge, &purge->gone[i]);
	purge->set++;
	return result;
}

static int verify(struct purge *purge, int flows_fd, struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = VERIFIER_LOG_SIZE);
	char *log = calloc(1, VERIFIER_LOG_SIZE);
	int result;

	opts.kernel_log_buf = log;
	purge->skel = log ? purge_bpf__open_opts(&opts) : NULL;
	result = purge->skel ? bpf_map__reuse_fd(purge->skel->maps.sluice_flows, flows_fd)
			     : -ENOMEM;
	if (result) {
		err_set(err, EXIT_ERROR, -result, "purge: %s", strerror(-result));
	} else {
		result = purge_bpf__load(purge->skel);
		if (result)
			hooks_load_error("purge", -result, log, err);
	}
	free(log);
	return result;
}

static int purge_table(struct purge *purge, int flows_fd, struct err *err)
{
	int result = verify(purge, flows_fd, err);

	purge->set = 0;
	if (!result) {
		result = flow_table_walk(flows_fd, sizeof(struct sluice_flow_set), set_visit,
					 purge);
		if (result)
			err_set(err, EXIT_ERROR, -result, "purge: %s", strerror(-result));
	}
	purge_bpf__destroy(purge->skel);
	purge->skel = NULL;
	return result;
}

int reply_purge(const char *bpffs, const struct sluice_addr *gone, size_t count, __u32 netns,
		struct err *err)
{
	struct purge purge = { .gone = gone, .count = count, .netns = netns };
	int fd[2], i, result = reply_tables(bpffs, fd, err);

	if (result)
		return result;
	purge.before = sluice_flow_clock(plane_now_ns(CLOCK_MONOTONIC_COARSE));
	for (i = 0; i < 2; i++) {
		if (!result && fd[i] >= 0)
			result = purge_table(&purge, fd[i], err);
		if (fd[i] >= 0)
			close(fd[i]);
	}
	return result ? result : purge.purged;
}
