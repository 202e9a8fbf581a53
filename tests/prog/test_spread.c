// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests the programs that spread flows over CPUs, packet by packet: every header shape runs through
 * them, complete and truncated, and stays unchanged. The test checks the verdict and the counter.
 */
#include "bpf/steer/spread.skel.h"
#include "kernel/links.h"
#include "packet_build.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <sluice/spread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define HOST4	"10.1.0.1"
#define CLIENT4 "10.1.0.9"
#define HOST6	"fd01::1"
#define CLIENT6 "fd01::9"
#define PORT	1000
#define SEED	0x9e3779b97f4a7c15ULL

#define NOTHING SLUICE_SPREAD_COUNTERS_MAX

/* The CPU of the test, and a CPU with a queue; equal on a machine with a single CPU. */
static int here, there;
static struct spread_bpf *skel;

/* --- running */

static void load(const __u16 *cpus, __u32 count)
{
	__u32 cpu = (__u32)there, size = 8, i;

	spread_bpf__destroy(skel);
	skel = spread_bpf__open();
	assert_non_null(skel);
	skel->rodata->seed = SEED;
	skel->rodata->cpu_count = count;
	for (i = 0; i < count; i++)
		((__u16 *)skel->rodata->cpus)[i] = cpus[i];
	((__u64 *)skel->rodata->ports)[PORT >> 6] |= 1ULL << (PORT & 63);
	bpf_map__set_max_entries(skel->maps.sluice_x_cpus, (__u32)libbpf_num_possible_cpus());
	assert_int_equal(spread_bpf__load(skel), 0);
	assert_int_equal(bpf_map__update_elem(skel->maps.sluice_x_cpus, &cpu, sizeof(cpu), &size,
					      sizeof(size), BPF_ANY),
			 0);
}

static void load_one(int cpu)
{
	const __u16 cpus[] = { (__u16)cpu };

	load(cpus, 1);
}

static void counters(__u64 sum[SLUICE_SPREAD_COUNTERS_MAX])
{
	int possible = libbpf_num_possible_cpus(), cpu, i;
	struct sluice_spread_counters *each = calloc((size_t)possible, sizeof(*each));
	__u32 zero = 0;

	assert_non_null(each);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.sluice_x_counts), &zero, each),
			 0);
	memset(sum, 0, SLUICE_SPREAD_COUNTERS_MAX * sizeof(*sum));
	for (cpu = 0; cpu < possible; cpu++)
		for (i = 0; i < SLUICE_SPREAD_COUNTERS_MAX; i++)
			sum[i] += each[cpu].value[i];
	free(each);
}

static __u64 sent(int to)
{
	int possible = libbpf_num_possible_cpus(), cpu;
	__u64 *each = calloc((size_t)possible, sizeof(*each)), sum = 0;
	__u32 key = (__u32)to;

	assert_non_null(each);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.sluice_x_sent), &key, each), 0);
	for (cpu = 0; cpu < possible; cpu++)
		sum += each[cpu];
	free(each);
	return sum;
}

static int verdict(const struct bpf_program *prog, const struct frame *in)
{
	static struct frame out;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->byte, .data_size_in = (__u32)in->len,
		    .data_out = out.byte, .data_size_out = sizeof(out.byte), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	assert_int_equal(opts.data_size_out, in->len);
	assert_memory_equal(out.byte, in->byte, in->len);
	return (int)opts.retval;
}

/*
 * Checks that only the expected counter has changed, by one. With NOTHING, none may have changed.
 */
static void classify(const struct bpf_program *prog, const struct frame *in, int wanted, int which)
{
	__u64 before[SLUICE_SPREAD_COUNTERS_MAX], after[SLUICE_SPREAD_COUNTERS_MAX];
	int i;

	counters(before);
	assert_int_equal(verdict(prog, in), wanted);
	counters(after);
	for (i = 0; i < SLUICE_SPREAD_COUNTERS_MAX; i++)
		assert_int_equal(after[i] - before[i], i == which);
}

static void classify_both(const struct shape *shape, int wanted, int which)
{
	struct frame frame;

	build_frame(shape, &frame);
	classify(skel->progs.sluice_spread, &frame, wanted, which);
	classify(skel->progs.sluice_spread_g, &frame, wanted, which);
}

static struct shape udp4(void)
{
	return (struct shape){ .source = CLIENT4,
			       .target = HOST4,
			       .source_port = 40000,
			       .target_port = PORT,
			       .payload = 100 };
}

static struct shape udp6(void)
{
	struct shape shape = udp4();

	shape.source = CLIENT6;
	shape.target = HOST6;
	return shape;
}

/* --- packets that are spread */

static const char *const chains[] = { "h", "d", "r", "a", "hd", "hdra" };

/* Calls @fn for every shape of a datagram to the port. */
static void each_shape(void (*fn)(const struct shape *shape))
{
	int tags;
	size_t i;

	for (tags = 0; tags <= 2; tags++) {
		struct shape four = udp4(), six = udp6();

		four.vlan_tags = six.vlan_tags = tags;
		fn(&four);
		fn(&six);
		four.options = 40;
		fn(&four);
		four.no_checksum = true;
		fn(&four);
		four.padding = six.padding = 20;
		fn(&four);
		fn(&six);
		four.payload = six.payload = 0;
		fn(&four);
		fn(&six);
		for (i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
			six.chain = chains[i];
			fn(&six);
		}
	}
}

static void place(const struct shape *shape)
{
	classify_both(shape, there == here ? XDP_PASS : XDP_REDIRECT,
		      there == here ? SLUICE_SPREAD_stayed : SLUICE_SPREAD_spread);
}

static void test_placed(void **state)
{
	struct shape shape = udp4();
	__u64 before;

	load_one(there);
	each_shape(place);
	before = sent(there);
	place(&shape);
	assert_int_equal(sent(there), before + 2);
}

static void stay(const struct shape *shape)
{
	classify_both(shape, XDP_PASS, SLUICE_SPREAD_stayed);
}

static void test_stayed(void **state)
{
	load_one(here);
	each_shape(stay);
	assert_true(sent(here) > 0);
}

static void test_no_queue(void **state)
{
	struct shape shape = udp4();

	load_one(libbpf_num_possible_cpus() + 3);
	classify_both(&shape, XDP_PASS, SLUICE_SPREAD_left_no_queue);
	assert_int_equal(sent(libbpf_num_possible_cpus() + 3), 0);
}

/* A flow stays on one CPU, and flows are spread evenly even if only their ports differ. */
static void test_even(void **state)
{
	const __u16 cpus[] = { 100, 101, 102, 103 };
	__u64 before[SLUICE_SPREAD_COUNTERS_MAX], after[SLUICE_SPREAD_COUNTERS_MAX];
	int port, cpu, of[4] = { 0 };

	for (cpu = 0; cpu < 4; cpu++) {
		/* only the given CPU has a queue, so only its datagrams count as spread */
		__u16 list[] = { cpus[0], cpus[1], cpus[2], cpus[3] };

		list[cpu] = (__u16)here;
		load(list, 4);
		counters(before);
		for (port = 1; port <= 1000; port++) {
			struct shape shape = udp4();
			struct frame frame;

			shape.source_port = (uint16_t)port;
			build_frame(&shape, &frame);
			assert_int_equal(verdict(skel->progs.sluice_spread, &frame), XDP_PASS);
			assert_int_equal(verdict(skel->progs.sluice_spread, &frame), XDP_PASS);
		}
		counters(after);
		of[cpu] = (int)(after[SLUICE_SPREAD_stayed] - before[SLUICE_SPREAD_stayed]);
		assert_int_equal(of[cpu] % 2, 0);
		assert_in_range(of[cpu], 400, 600);
	}
	assert_int_equal(of[0] + of[1] + of[2] + of[3], 2000);
}

/* --- packets left alone */

static void test_others(void **state)
{
	struct shape shape = udp4();
	struct frame frame;

	load_one(there);
	shape.target_port = PORT + 1;
	classify_both(&shape, XDP_PASS, NOTHING);
	shape.target_port = PORT;
	shape.body = BODY_TCP;
	classify_both(&shape, XDP_PASS, NOTHING);
	shape.body = BODY_ICMP;
	classify_both(&shape, XDP_PASS, NOTHING);
	shape = udp6();
	shape.body = BODY_TCP;
	classify_both(&shape, XDP_PASS, NOTHING);
	shape.chain = "hd";
	classify_both(&shape, XDP_PASS, NOTHING);
	shape = udp4();
	shape.vlan_tags = 3;
	classify_both(&shape, XDP_PASS, NOTHING);
	shape.vlan_tags = 0;
	build_frame(&shape, &frame);
	frame.byte[12] = 0x08;
	frame.byte[13] = 0x06; /* ARP */
	classify(skel->progs.sluice_spread, &frame, XDP_PASS, NOTHING);
}

static void test_fragments(void **state)
{
	struct shape four = udp4(), six = udp6();

	load_one(there);
	four.payload = six.payload = 1000;
	four.fragment = six.fragment = true;
	six.chain = "f";
	four.to = six.to = 504;
	classify_both(&four, XDP_PASS, SLUICE_SPREAD_left_fragment);
	classify_both(&six, XDP_PASS, SLUICE_SPREAD_left_fragment);
	four.from = six.from = 504;
	four.to = six.to = 1008;
	classify_both(&four, XDP_PASS, SLUICE_SPREAD_left_fragment);
	classify_both(&six, XDP_PASS, SLUICE_SPREAD_left_fragment);
}

/* Stores only the sum of the pseudo-header, as the kernel does for checksum offload. */
static void test_open_checksum(void **state)
{
	const struct shape shapes[] = { udp4(), udp6() };
	size_t i;

	load_one(there);
	for (i = 0; i < 2; i++) {
		size_t at = (shape_is6(&shapes[i]) ? 14 + 40 : 14 + 20) + 6;
		struct frame frame;
		uint16_t sum;

		build_frame(&shapes[i], &frame);
		sum = (uint16_t)~sum_finish(pseudo_sum(&shapes[i], IPPROTO_UDP, 8 + 100));
		memcpy(frame.byte + at, &sum, sizeof(sum));
		classify(skel->progs.sluice_spread, &frame, XDP_PASS, SLUICE_SPREAD_left_checksum);
		classify(skel->progs.sluice_spread_g, &frame,
			 there == here ? XDP_PASS : XDP_REDIRECT,
			 there == here ? SLUICE_SPREAD_stayed : SLUICE_SPREAD_spread);
	}
}

/*
 * Truncates the packet at each byte: it passes, and is counted while its protocol is recognisable.
 */
static void cut(const struct shape *shape)
{
	size_t whole;
	struct frame frame;

	build_frame(shape, &frame);
	whole = frame.len - shape->padding;
	for (frame.len = whole - 1; frame.len >= 14; frame.len--) {
		size_t ip = 14 + 4 * (size_t)shape->vlan_tags;
		bool shows = frame.len >= ip + 20;

		classify(skel->progs.sluice_spread, &frame, XDP_PASS,
			 shows ? SLUICE_SPREAD_left_header : (int)NOTHING);
	}
}

static void test_cut(void **state)
{
	load_one(there);
	each_shape(cut);
}

static void test_lying(void **state)
{
	struct shape shape = udp4();
	struct frame frame;

	load_one(there);
	build_frame(&shape, &frame);
	frame.byte[14 + 20 + 5]++; /* the UDP length exceeds the packet */
	classify(skel->progs.sluice_spread, &frame, XDP_PASS, SLUICE_SPREAD_left_header);
	build_frame(&shape, &frame);
	frame.byte[14 + 20 + 4] = 0;
	frame.byte[14 + 20 + 5] = 7;
	classify(skel->progs.sluice_spread, &frame, XDP_PASS, SLUICE_SPREAD_left_header);
	build_frame(&shape, &frame);
	frame.byte[14] = 0x44; /* a header length of 16 */
	classify(skel->progs.sluice_spread, &frame, XDP_PASS, SLUICE_SPREAD_left_header);
	build_frame(&shape, &frame);
	frame.byte[14] = 0x65; /* version 6 under the EtherType of 4 */
	classify(skel->progs.sluice_spread, &frame, XDP_PASS, SLUICE_SPREAD_left_header);
}

/* --- full queues */

static void enqueued(__u32 map_id, __u64 taken, __u64 lost)
{
	__u64 args[] = { map_id, taken, lost, (__u64)there };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.sluice_lost), &opts),
			 0);
}

static void test_lost(void **state)
{
	__u64 after[SLUICE_SPREAD_COUNTERS_MAX];
	struct sluice_spread_meta meta = { .map_id = 77 };
	__u32 zero = 0;

	load_one(there);
	assert_int_equal(bpf_map__update_elem(skel->maps.sluice_x_meta, &zero, sizeof(zero), &meta,
					      sizeof(meta), BPF_ANY),
			 0);
	enqueued(77, 8, 0);
	enqueued(78, 0, 5);
	enqueued(77, 5, 3);
	counters(after);
	assert_int_equal(after[SLUICE_SPREAD_lost], 3);
}

/* --- main */

/* Runs on one CPU; another CPU is available. */
static int setup(void **state)
{
	cpu_set_t allowed, only;
	int cpu;

	links_libbpf_log();
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	here = sched_getcpu();
	there = here;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && cpu != here)
			there = cpu;
	CPU_ZERO(&only);
	CPU_SET(here, &only);
	return sched_setaffinity(0, sizeof(only), &only);
}

static int teardown(void **state)
{
	spread_bpf__destroy(skel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_placed),	      cmocka_unit_test(test_stayed),
		cmocka_unit_test(test_no_queue),      cmocka_unit_test(test_even),
		cmocka_unit_test(test_others),	      cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_open_checksum), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_lying),	      cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
