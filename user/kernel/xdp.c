// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/xdp.h"

#include "kernel/feature.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int xdp_prog(__u32 ifindex, struct hook_prog *prog)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int result = bpf_xdp_query((int)ifindex, 0, &opts);

	if (result)
		return result;
	/* a driver and the kernel may have one each; the former is met first */
	prog->id = opts.hw_prog_id    ? opts.hw_prog_id
		   : opts.drv_prog_id ? opts.drv_prog_id
		   : opts.skb_prog_id ? opts.skb_prog_id
				      : opts.prog_id;
	if (!prog->id)
		return -ENOENT;
	snprintf(prog->name, sizeof(prog->name), "?");
	hook_prog_name(prog);
	return 0;
}

int xdp_link_create(__u32 ifindex, bool native, int prog_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	int fd = bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);

	return fd < 0 ? -errno : fd;
}

/* --- the driver's words */

static char driver_says[128];

static int print_capture(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[256], *text;

	vsnprintf(line, sizeof(line), fmt, args);
	text = strstr(line, "error message: ");
	if (text) {
		snprintf(driver_says, sizeof(driver_says), "%s", text + strlen("error message: "));
		driver_says[strcspn(driver_says, "\n")] = '\0';
	}
	return 0;
}

/*
 * A link is refused with a number alone; asked by netlink, the kernel passes on what the driver
 * says, and libbpf prints it.  Should it be granted this time, it is taken back.
 */
const char *xdp_refusal(__u32 ifindex, int prog_fd, int error, char *text, size_t size)
{
	const __u32 flags = XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST;
	libbpf_print_fn_t before = libbpf_set_print(print_capture);
	int result;

	driver_says[0] = '\0';
	result = bpf_xdp_attach((int)ifindex, prog_fd, flags, NULL);
	libbpf_set_print(before);
	if (!result) {
		LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = prog_fd);

		bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE, &opts);
	}
	snprintf(text, size, "%s",
		 driver_says[0]	       ? driver_says
		 : error == EOPNOTSUPP ? "the driver has no XDP"
				       : strerror(error));
	return text;
}

bool xdp_generic_reaches_cpus(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && feature_function(btf, XDP_GENERIC_TO_CPUS) == FEATURE_YES;

	btf__free(btf);
	return has;
}
