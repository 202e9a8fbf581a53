// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/xdp.h"

#include "kernel/feature.h"
#include "kernel/holders.h"
#include "net/netdev.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int xdp_prog(__u32 ifindex, struct hook_prog *prog)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int result = bpf_xdp_query((int)ifindex, 0, &opts);

	if (result)
		return result;
	/* the driver and the kernel may have one program each; the driver's program runs first */
	*prog = hook_prog_by_id(opts.hw_prog_id	   ? opts.hw_prog_id
				: opts.drv_prog_id ? opts.drv_prog_id
				: opts.skb_prog_id ? opts.skb_prog_id
						   : opts.prog_id);
	return prog->id ? 0 : -ENOENT;
}

bool xdp_is_native(__u32 ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);

	return !bpf_xdp_query((int)ifindex, 0, &opts) && opts.drv_prog_id;
}

int xdp_link_create(__u32 ifindex, bool native, int prog_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	int fd = bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);

	return fd < 0 ? -errno : fd;
}

/*
 * Returns the id of the link that attaches a program to an interface, or 0 if no link is visible.
 */
static __u32 link_of(__u32 ifindex, __u32 prog_id)
{
	struct hook_link link;
	__u32 id = 0, found = 0;

	while (!found && !bpf_link_get_next_id(id, &id)) {
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!hook_link_read(fd, &link) && link.ifindex == ifindex &&
		    link.prog_id == prog_id)
			found = id;
		close(fd);
	}
	return found;
}

/* Formats the process that holds a link, as " 'NAME' (process PID)"; "" if none is found. */
static const char *format_holder(__u32 link_id, char text[64])
{
	struct holders holders = { .count = 0 };
	const struct bpf_holder *holder;

	*text = '\0';
	if (link_id && !holders_add_processes(&holders)) {
		holder = holders_next(&holders, PINS_LINK, link_id, NULL);
		if (holder)
			snprintf(text, 64, " '%s' (process %d)", holder->name, holder->pid);
	}
	holders_free(&holders);
	return text;
}

int xdp_require_free(const char *name, __u32 ifindex, struct err *err)
{
	struct hook_prog prog;
	int result = xdp_prog(ifindex, &prog);
	char holder[64];

	if (result == -ENOENT)
		return 0;
	if (result)
		return err_set(err, EXIT_ERROR, -result, "%s: cannot read its XDP program: %s",
			       name, strerror(-result));
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EBUSY,
				"%s: already has XDP program '%s' (id %u)", name, prog.name,
				prog.id),
			"sluice never replaces the XDP program of another owner: have its"
			" owner%s detach it, or use another interface",
			format_holder(link_of(ifindex, prog.id), holder));
}

/*
 * Returns -EBUSY with *err set if the upper device has a program: the kernel then refuses a program
 * on its lower devices.
 */
static int require_free_above(const char *name, __u32 ifindex, struct err *err)
{
	const struct netdev *dev, *above = NULL;
	struct hook_prog prog;
	struct netdev *list;
	size_t count;
	bool taken;

	if (netdev_list(&list, &count, &(struct err){ 0 }))
		return 0;
	dev = netdev_numbered(list, count, ifindex);
	if (dev && dev->master)
		above = netdev_numbered(list, count, dev->master);
	taken = above && !xdp_prog(above->ifindex, &prog);
	if (taken)
		err_hint(err,
			 err_set(err, EXIT_CONFLICT, EBUSY,
				 "%s: %s, which is above it, has XDP program '%s' (id %u)", name,
				 above->name, prog.name, prog.id),
			 "use the upper interface or its ports, not both");
	free(list);
	return taken ? -EBUSY : 0;
}

int xdp_attach_error(const char *name, __u32 ifindex, int error, struct err *err)
{
	bool busy = error == EBUSY || error == EEXIST;

	/* another process may have attached a program since xdp_require_free() */
	if (busy &&
	    (xdp_require_free(name, ifindex, err) || require_free_above(name, ifindex, err)))
		return -EBUSY;
	return err_set(err, busy ? EXIT_CONFLICT : EXIT_LACKING, error,
		       "%s: attaching XDP failed: %s", name, strerror(error));
}

/* --- the driver's error message */

static char driver_message[128];

static int capture_message(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[256], *text;

	vsnprintf(line, sizeof(line), fmt, args);
	text = strstr(line, "error message: ");
	if (text) {
		snprintf(driver_message, sizeof(driver_message), "%s",
			 text + strlen("error message: "));
		driver_message[strcspn(driver_message, "\n")] = '\0';
	}
	return 0;
}

/*
 * Attaches again with netlink: the reply has the driver's message (extack), which libbpf prints;
 * creating a link returns only an errno. Detaches the program if the second attempt succeeds.
 */
const char *xdp_refusal(__u32 ifindex, int prog_fd, int error, char *text, size_t size)
{
	const __u32 flags = XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST;
	libbpf_print_fn_t before = libbpf_set_print(capture_message);
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = prog_fd);
	int result;

	driver_message[0] = '\0';
	result = bpf_xdp_attach((int)ifindex, prog_fd, flags, NULL);
	libbpf_set_print(before);
	if (!result)
		bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE, &opts);
	snprintf(text, size, "%s",
		 driver_message[0]     ? driver_message
		 : error == EOPNOTSUPP ? "the driver does not support XDP"
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
