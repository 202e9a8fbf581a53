// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/links.h"

#include "base/log.h"
#include "kernel/pins.h"
#include "kernel/unload.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_DEBUG || !log_is_verbose())
		return 0;
	log_library(fmt, args);
	return 0;
}

void links_libbpf_log(void)
{
	libbpf_set_print(libbpf_print);
}

/* --- attached programs */

static const char *const type_names[] = {
	[BPF_CGROUP_INET_INGRESS] = "cgroup_skb/ingress",
	[BPF_CGROUP_INET_EGRESS] = "cgroup_skb/egress",
	[BPF_CGROUP_UDP4_SENDMSG] = "cgroup/sendmsg4",
	[BPF_CGROUP_UDP6_SENDMSG] = "cgroup/sendmsg6",
	[BPF_CGROUP_UDP4_RECVMSG] = "cgroup/recvmsg4",
	[BPF_CGROUP_UDP6_RECVMSG] = "cgroup/recvmsg6",
	[BPF_CGROUP_INET4_CONNECT] = "cgroup/connect4",
	[BPF_CGROUP_INET6_CONNECT] = "cgroup/connect6",
	[BPF_CGROUP_INET_SOCK_RELEASE] = "cgroup/sock_release",
};

const char *hook_type_name(__u32 attach_type)
{
	if (attach_type < sizeof(type_names) / sizeof(*type_names) && type_names[attach_type])
		return type_names[attach_type];
	return "unknown";
}

int prog_info_by_fd(int fd, struct bpf_prog_info *info)
{
	__u32 length = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &length) ? -errno : 0;
}

int prog_info_by_id(__u32 id, struct bpf_prog_info *info)
{
	int fd = bpf_prog_get_fd_by_id(id), result;

	memset(info, 0, sizeof(*info));
	if (fd < 0)
		return -errno;
	result = prog_info_by_fd(fd, info);
	close(fd);
	return result;
}

int hook_read(const char *dir, const char *object, const char *pin, struct hook_state *state)
{
	struct bpf_prog_info prog;
	struct bpf_link_info link = { 0 };
	__u32 length = sizeof(link);
	int fd = pins_get(dir, object, pin, PINS_LINK), result;

	if (fd < 0)
		return fd;
	result = bpf_obj_get_info_by_fd(fd, &link, &length) ? -errno : 0;
	close(fd);
	if (!result && link.type != BPF_LINK_TYPE_CGROUP)
		result = -EMEDIUMTYPE;
	if (result)
		return result;
	*state = (struct hook_state){ .link_id = link.id,
				      .prog_id = link.prog_id,
				      .attach_type = link.cgroup.attach_type,
				      .cgroup_id = link.cgroup.cgroup_id };
	snprintf(state->pin, sizeof(state->pin), "%s", pin);
	if (!prog_info_by_id(link.prog_id, &prog)) {
		snprintf(state->prog_name, sizeof(state->prog_name), "%s", prog.name);
		state->run_ns = prog.run_time_ns;
		state->run_count = prog.run_cnt;
	}
	return 0;
}

struct hook_prog hook_prog_by_id(__u32 id)
{
	struct hook_prog prog = { .id = id, .name = "?" };
	struct bpf_prog_info info;

	if (!prog_info_by_id(id, &info))
		snprintf(prog.name, sizeof(prog.name), "%s", info.name);
	return prog;
}

int hook_link_read(int link_fd, struct hook_link *link)
{
	struct bpf_link_info info = { 0 };
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(link_fd, &info, &length))
		return -errno;
	/* info.tcx begins like info.xdp, which older headers have too */
	*link = (struct hook_link){ info.id, info.prog_id, info.xdp.ifindex };
	return 0;
}

int hook_link_open(const char *dir, const char *object, const char *pin, __u32 ifindex,
		   struct hook_link *link)
{
	int fd = pins_get(dir, object, pin, PINS_LINK);

	if (fd < 0 || (!hook_link_read(fd, link) && link->ifindex == ifindex))
		return fd;
	close(fd);
	return -ENOENT;
}

int hook_order(const char *cgroup, __u32 attach_type, struct hook_prog progs[HOOK_PROGS_MAX])
{
	__u32 ids[HOOK_PROGS_MAX], count = HOOK_PROGS_MAX, i;
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

	if (fd < 0)
		return -errno;
	result = bpf_prog_query(fd, attach_type, BPF_F_QUERY_EFFECTIVE, NULL, ids, &count);
	result = result ? -errno : (int)count;
	close(fd);
	for (i = 0; result > 0 && i < count; i++)
		progs[i] = hook_prog_by_id(ids[i]);
	return result;
}

/* --- the transaction */

/* Finds a program that was attached without BPF_F_ALLOW_MULTI to the cgroup or an ancestor. */
static bool find_exclusive(const char *cgroup, __u32 attach_type, struct hook_prog *exclusive,
			   char where[PATH_MAX])
{
	for (snprintf(where, PATH_MAX, "%s", cgroup); strlen(where) > 1; dirname(where)) {
		__u32 ids[HOOK_PROGS_MAX], count = HOOK_PROGS_MAX, flags = 0;
		int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int result = fd < 0 ? fd : bpf_prog_query(fd, attach_type, 0, &flags, ids, &count);

		if (fd >= 0)
			close(fd);
		if (result)
			return false;
		if (count && !(flags & BPF_F_ALLOW_MULTI)) {
			*exclusive = hook_prog_by_id(ids[0]);
			return true;
		}
	}
	return false;
}

static int attach_error(const char *cgroup, const struct bpf_program *prog, int error,
			struct err *err)
{
	__u32 type = bpf_program__expected_attach_type(prog);
	struct hook_prog exclusive;
	char where[PATH_MAX];

	if (error == EPERM && find_exclusive(cgroup, type, &exclusive, where))
		return err_hint(err,
				err_set(err, EXIT_CONFLICT, EBUSY,
					"%s on %s: program '%s' (id %u) is attached to %s without"
					" BPF_F_ALLOW_MULTI",
					hook_type_name(type), cgroup, exclusive.name, exclusive.id,
					where),
				"attach it with BPF_F_ALLOW_MULTI, or detach it: bpftool cgroup"
				" detach %s",
				where);
	return err_kernel(err, error, "'sluice check' shows what this kernel lacks",
			  "%s on %s: attaching failed: %s", hook_type_name(type), cgroup,
			  strerror(error));
}

/* The state of one hook during the transaction. */
struct change {
	int link_fd;	 /* the pinned link, or -1 if it is not on this cgroup */
	int old_prog_fd; /* the program before the update; -1: not updated, or not permitted */
	bool staged;	 /* a new link is pinned as NAME_new */
	bool updated;	 /* the link has the new program */
};

/* Opens the pinned link if it is attached to the cgroup. Returns its descriptor, or -1. */
static int open_link(const char *dir, const char *object, const char *pin, __u64 cgroup_id,
		     __u32 *prog_id)
{
	struct bpf_link_info info = { 0 };
	__u32 length = sizeof(info);
	int fd = pins_get(dir, object, pin, PINS_LINK);

	if (fd < 0)
		return -1;
	if (!bpf_obj_get_info_by_fd(fd, &info, &length) && info.type == BPF_LINK_TYPE_CGROUP &&
	    info.cgroup.cgroup_id == cgroup_id) {
		*prog_id = info.prog_id;
		return fd;
	}
	close(fd);
	return -1;
}

static int attach_staged(const char *cgroup, int cgroup_fd, const struct hook *hook,
			 const char *path, struct err *err)
{
	struct bpf_link *link = bpf_program__attach_cgroup(hook->prog, cgroup_fd);
	int result = 0;

	if (!link)
		return attach_error(cgroup, hook->prog, errno, err);
	if (bpf_link__pin(link, path))
		result = err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	/* closes the descriptor; the pin keeps the link */
	bpf_link__destroy(link);
	return result;
}

/* Renames the staged pin to its final name. This replaces a link on another cgroup. */
static int take_over(const char *dir, const char *object, const struct hook *hook, struct err *err)
{
	int old_fd = pins_get(dir, object, hook->pin, PINS_LINK), result = 0;
	char path[PATH_MAX], staged[PATH_MAX];

	if (rename(pins_staged_path(dir, object, hook->pin, staged),
		   pins_path(dir, object, hook->pin, path)))
		result = err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	else if (old_fd >= 0)
		bpf_link_detach(old_fd);
	if (old_fd >= 0)
		close(old_fd);
	return result;
}

/* Replaces the program of a link; keeps the old program open for revert(). */
static int update(const struct hook *hook, struct change *change, __u32 old_prog_id,
		  struct err *err)
{
	int result;

	change->old_prog_fd = bpf_prog_get_fd_by_id(old_prog_id);
	/* opening a program by its id needs CAP_SYS_ADMIN; the update does not */
	if ((change->old_prog_fd >= 0 || errno == EPERM) &&
	    !bpf_link_update(change->link_fd, bpf_program__fd(hook->prog), NULL)) {
		change->updated = true;
		return 0;
	}
	result = err_set(err, EXIT_ERROR, errno, "link %s: update: %s", hook->pin, strerror(errno));
	if (change->old_prog_fd >= 0)
		close(change->old_prog_fd);
	change->old_prog_fd = -1;
	return result;
}

/* Restores the old program. Returns 0, or -EUCLEAN if the link keeps its new program. */
static int revert(const struct hook *hook, const struct change *change)
{
	if (!change->updated)
		return 0;
	if (change->old_prog_fd < 0)
		errno = EPERM;
	else if (!bpf_link_update(change->link_fd, change->old_prog_fd, NULL))
		return 0;
	log_warning("link %s keeps its new program: %s", hook->pin, strerror(errno));
	return -EUCLEAN;
}

/* Removes the links of hooks that only another version of sluice has. */
static void remove_unknown(const char *dir, const char *object, const struct hook *hooks, int count)
{
	char *pins = pins_list(dir, object, "link_", NULL), *name;
	char path[PATH_MAX];
	int i;

	for (name = pins; name && *name; name += strlen(name) + 1) {
		for (i = 0; i < count && strcmp(name, hooks[i].pin) != 0;)
			i++;
		if (i == count)
			unload_pin(pins_path(dir, object, name, path));
	}
	free(pins);
}

int links_apply_cgroup(const char *dir, const char *object, const char *cgroup, struct hook *hooks,
		       int count, struct err *err)
{
	int i, cgroup_fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
	char path[PATH_MAX], staged[PATH_MAX];
	struct change changes[HOOKS_MAX];
	__u32 prog_ids[HOOKS_MAX];
	bool final = false;
	struct stat st = { 0 };

	if (cgroup_fd < 0)
		return err_set(err, EXIT_ERROR, errno, "cgroup %s: %s", cgroup, strerror(errno));
	fstat(cgroup_fd, &st);
	for (i = count - 1; i >= 0; i--) {
		changes[i] = (struct change){ .link_fd = -1, .old_prog_fd = -1 };
		if (hooks[i].wanted)
			changes[i].link_fd = open_link(dir, object, hooks[i].pin, st.st_ino,
						       &prog_ids[i]);
		/* a loader that died may have left a staged link */
		unload_pin(pins_staged_path(dir, object, hooks[i].pin, staged));
	}
	for (i = 0; i < count && !result; i++) {
		if (!hooks[i].wanted || changes[i].link_fd >= 0)
			continue;
		pins_staged_path(dir, object, hooks[i].pin, staged);
		result = attach_staged(cgroup, cgroup_fd, &hooks[i], staged, err);
		changes[i].staged = !result;
	}
	for (i = count - 1; i > 0 && !result; i--)
		if (changes[i].link_fd >= 0)
			result = update(&hooks[i], &changes[i], prog_ids[i], err);
	/* cannot be reverted: a replaced or removed link is not attached again */
	for (i = count - 1; i > 0 && !result; i--) {
		if (hooks[i].wanted && !changes[i].staged)
			continue;
		if (changes[i].staged)
			result = take_over(dir, object, &hooks[i], err);
		else if (unload_pin(pins_path(dir, object, hooks[i].pin, path)))
			continue;
		final = true;
	}
	if (!result)
		result = changes[0].staged ? take_over(dir, object, &hooks[0], err)
					   : update(&hooks[0], &changes[0], prog_ids[0], err);
	if (!result)
		remove_unknown(dir, object, hooks, count);
	for (i = count - 1; i >= 0; i--) {
		if (result && !final) {
			if (changes[i].staged)
				unload_pin(pins_staged_path(dir, object, hooks[i].pin, staged));
			if (revert(&hooks[i], &changes[i]))
				result = -EUCLEAN;
		}
		if (changes[i].old_prog_fd >= 0)
			close(changes[i].old_prog_fd);
		if (changes[i].link_fd >= 0)
			close(changes[i].link_fd);
	}
	close(cgroup_fd);
	return result && final ? -EUCLEAN : result;
}
