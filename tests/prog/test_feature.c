// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Feature probes on the running kernel: each kind must be able to report both yes and no, and must
 * not leak descriptors. "Yes" is tested with features that every supported kernel has (since 5.10),
 * "no" with features that no kernel has.
 */
#include "kernel/feature.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define NO_SUCH_NUMBER 9999

static struct btf *vmlinux;

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void test_bpf(void **state)
{
	assert_int_equal(feature_bpf(), FEATURE_YES);
}

static void test_hook(void **state)
{
	assert_int_equal(feature_hook(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS),
			 FEATURE_YES);
	assert_int_equal(feature_hook(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG),
			 FEATURE_YES);
	assert_int_equal(feature_hook(BPF_PROG_TYPE_SK_REUSEPORT, 0), FEATURE_YES);
	/* a valid type for another question, and an invalid type */
	assert_int_equal(feature_hook(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET_INGRESS),
			 FEATURE_NO);
	assert_int_equal(feature_hook(NO_SUCH_NUMBER, 0), FEATURE_NO);
}

static void test_helper(void **state)
{
	/* without and with arguments */
	assert_int_equal(feature_helper(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS,
					BPF_FUNC_ktime_get_ns),
			 FEATURE_YES);
	assert_int_equal(feature_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG,
					BPF_FUNC_sk_storage_get),
			 FEATURE_YES);
	/* a helper for other program types, and an invalid helper */
	assert_int_equal(feature_helper(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS,
					BPF_FUNC_xdp_adjust_head),
			 FEATURE_NO);
	assert_int_equal(
		feature_helper(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, NO_SUCH_NUMBER),
		FEATURE_NO);
	/* with an invalid type */
	assert_int_equal(feature_helper(NO_SUCH_NUMBER, 0, BPF_FUNC_ktime_get_ns), FEATURE_NO);
}

static void test_memory(void **state)
{
	assert_int_equal(feature_memory(1 << 20), FEATURE_YES);
	/* above the kernel's limit for one value */
	assert_int_equal(feature_memory(~0U), FEATURE_NO);
}

static void test_calls(void **state)
{
	assert_int_equal(feature_cgroup_link(), FEATURE_YES);
	assert_int_equal(feature_reuseport_attach(), FEATURE_YES);
	assert_int_equal(feature_pidfd_getfd(), FEATURE_YES);
	assert_int_equal(feature_file_iterator(vmlinux), FEATURE_YES);
}

static bool has_enum_value(const char *name)
{
	const struct btf_type *type;
	__u32 id, i;

	for (id = 1; id < btf__type_cnt(vmlinux); id++) {
		type = btf__type_by_id(vmlinux, id);
		for (i = 0; btf_is_enum(type) && i < btf_vlen(type); i++)
			if (!strcmp(btf__name_by_offset(vmlinux, btf_enum(type)[i].name_off), name))
				return true;
	}
	return false;
}

/* Compares the probes of newer features with the kernel's BTF. */
static void test_newer_features(void **state)
{
	assert_int_equal(feature_tcx() == FEATURE_YES, has_enum_value("BPF_TCX_INGRESS"));
	assert_int_equal(feature_reuseport_casts(vmlinux),
			 feature_function(vmlinux, "bpf_cast_to_kern_ctx"));
}

static void test_field(void **state)
{
	assert_int_equal(feature_field(vmlinux, "sock", "sk_userlocks"), FEATURE_YES);
	assert_int_equal(feature_field(vmlinux, "net", "ipv4.dev_addr_genid.counter"), FEATURE_YES);
	/* in an unnamed union */
	assert_int_equal(feature_field(vmlinux, "sk_buff", "_skb_refdst"), FEATURE_YES);
	assert_int_equal(feature_field(vmlinux, "net", "ipv4.none_such"), FEATURE_NO);
	assert_int_equal(feature_field(vmlinux, "net", "ipv"), FEATURE_NO);
	assert_int_equal(feature_field(vmlinux, "net", "ipv4.dev_addr_genid.counter.x"),
			 FEATURE_NO);
	assert_int_equal(feature_field(vmlinux, "none_such", "x"), FEATURE_NO);
}

static void test_function(void **state)
{
	assert_int_equal(feature_function(vmlinux, "udp_sendmsg"), FEATURE_YES);
	assert_int_equal(feature_function(vmlinux, "none_such"), FEATURE_NO);
	assert_int_equal(feature_function(vmlinux, "sk_buff"), FEATURE_NO); /* a struct */
}

/* Checks for leaked descriptors, which would keep the program or map of a probe loaded. */
static void test_nothing_left_open(void **state)
{
	int before = descriptors();

	test_bpf(state);
	test_hook(state);
	test_helper(state);
	test_memory(state);
	test_calls(state);
	test_newer_features(state);
	assert_int_equal(descriptors(), before);
}

static int load_btf(void **state)
{
	libbpf_set_print(NULL);
	vmlinux = btf__load_vmlinux_btf();
	return vmlinux ? 0 : -1;
}

static int free_btf(void **state)
{
	btf__free(vmlinux);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bpf),
		cmocka_unit_test(test_hook),
		cmocka_unit_test(test_helper),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_newer_features),
		cmocka_unit_test(test_field),
		cmocka_unit_test(test_function),
		cmocka_unit_test(test_nothing_left_open),
	};

	return cmocka_run_group_tests(tests, load_btf, free_btf);
}
