// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/links.h"

#include "base/log.h"
#include "kernel/caps.h"
#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_LINES_SHOWN 12

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

bool kernel_has_struct(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT) > 0;

	btf__free(btf);
	return has;
}

/* Keeps the whole log in a file; its name, or "" if that was not possible. */
static void keep_log(const char *log, char *path, size_t size)
{
	const char *folder = getenv("TMPDIR");
	size_t length = strlen(log);
	int fd;

	snprintf(path, size, "%s/sluice-verifier-XXXXXX", folder ? folder : "/tmp");
	fd = mkstemp(path);
	if (fd >= 0 && write(fd, log, length) != (ssize_t)length) {
		unlink(path);
		*path = '\0';
	}
	if (fd < 0)
		*path = '\0';
	else
		close(fd);
}

/* Whole lines, as many as there is room for: what the verifier says last is why it refused. */
static const char *last_lines(const char *log, int lines, size_t room)
{
	const char *end = log + strlen(log), *at = end, *shown = end;

	while (at > log && lines && (size_t)(end - at) < room - 1) {
		at--;
		if (at > log && at[-1] != '\n')
			continue;
		shown = at;
		lines--;
	}
	return shown < end ? shown : at;
}

int links_load_error(const char *what, int error, const char *verifier_log, struct err *err)
{
	char path[PATH_MAX] = "";

	if (!verifier_log[0] && error == EPERM && !caps_have(CAP_SYS_RESOURCE))
		return err_hint(err,
				err_set(err, EXIT_PERMISSION, error,
					"%s: the kernel refused to create a map or program: most"
					" likely RLIMIT_MEMLOCK is too low (kernels before 5.11"
					" count maps to it)",
					what),
				LINKS_MEMLOCK_HINT);
	if (!verifier_log[0]) {
		err_set(err, error == EPERM ? EXIT_PERMISSION : EXIT_LACKING, error,
			"%s: the kernel refused to create a map or program: %s", what,
			strerror(error));
		return err_hint(err, -error, "'sluice check' says what this kernel lacks");
	}
	keep_log(verifier_log, path, sizeof(path));
	err_set(err, EXIT_LACKING, error, "%s: the kernel's verifier refused a program: %s", what,
		strerror(error));
	snprintf(err->detail, sizeof(err->detail), "%s",
		 last_lines(verifier_log, LOG_LINES_SHOWN, sizeof(err->detail)));
	return err_hint(err, -error,
			"the verifier's whole log is in %s; 'sluice check' says what"
			" this kernel lacks",
			*path ? path : "(it could not be written)");
}

/* --- what is attached */

static const char *const type_names[] = {
	[BPF_CGROUP_INET_INGRESS] = "cgroup_skb/ingress",
	[BPF_CGROUP_INET_EGRESS] = "cgroup_skb/egress",
	[BPF_CGROUP_UDP4_SENDMSG] = "cgroup/sendmsg4",
	[BPF_CGROUP_UDP6_SENDMSG] = "cgroup/sendmsg6",
	[BPF_CGROUP_UDP4_RECVMSG] = "cgroup/recvmsg4",
	[BPF_CGROUP_UDP6_RECVMSG] = "cgroup/recvmsg6",
	[BPF_CGROUP_INET4_CONNECT] = "cgroup/connect4",
	[BPF_CGROUP_INET6_CONNECT] = "cgroup/connect6",
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

int hook_read(const char *dir, const char *plane, const char *pin, struct hook_state *state)
{
	struct bpf_prog_info prog;
	struct bpf_link_info link = { 0 };
	__u32 length = sizeof(link);
	int fd = pins_get(dir, plane, pin), result;

	if (fd < 0)
		return fd;
	result = bpf_obj_get_info_by_fd(fd, &link, &length) ? -errno : 0;
	close(fd);
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

void hook_prog_name(struct hook_prog *prog)
{
	struct bpf_prog_info info;

	if (!prog_info_by_id(prog->id, &info))
		snprintf(prog->name, sizeof(prog->name), "%s", info.name);
}

int hook_link_read(int link_fd, struct hook_link *link)
{
	struct bpf_link_info info = { 0 };
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(link_fd, &info, &length))
		return -errno;
	/* info.tcx starts as info.xdp does, which older headers have */
	*link = (struct hook_link){ info.id, info.prog_id, info.xdp.ifindex };
	return 0;
}

int hook_link_open(const char *dir, const char *plane, const char *pin, __u32 ifindex,
		   struct hook_link *link)
{
	int fd = pins_get(dir, plane, pin);

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
	for (i = 0; result > 0 && i < count; i++) {
		progs[i] = (struct hook_prog){ .id = ids[i], .name = "?" };
		hook_prog_name(&progs[i]);
	}
	return result;
}

/* --- the transaction */

enum step_kind {
	STEP_UPDATED, /* a link in place got a new program */
	STEP_PINNED,  /* a new link stands beside the final name, for now */
};

struct step {
	enum step_kind kind;
	const struct hook *hook;
	int link_fd;
	int old_prog_fd; /* STEP_UPDATED */
};

struct transaction {
	const char *dir;
	const char *plane;
	const char *cgroup;
	int cgroup_fd;
	__u64 cgroup_id;
	struct step steps[HOOKS_MAX];
	int count;
};

/* bpffs allows no dots in names. */
static const char *staged_path(const struct transaction *tx, const struct hook *hook,
			       char path[PATH_MAX])
{
	char name[NAME_MAX];

	snprintf(name, sizeof(name), "%s_new", hook->pin);
	return pins_path(tx->dir, tx->plane, name, path);
}

/* Who attached alone, so that no other program may join?  Looks at the cgroup and above. */
static bool find_loner(const char *cgroup, __u32 attach_type, struct hook_prog *loner,
		       char where[PATH_MAX])
{
	snprintf(where, PATH_MAX, "%s", cgroup);
	while (strlen(where) > 1) {
		__u32 ids[HOOK_PROGS_MAX], count = HOOK_PROGS_MAX, flags = 0;
		int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct bpf_prog_info info;
		int result;

		if (fd < 0)
			return false;
		result = bpf_prog_query(fd, attach_type, 0, &flags, ids, &count);
		close(fd);
		if (result)
			return false;
		if (count && !(flags & BPF_F_ALLOW_MULTI)) {
			loner->id = ids[0];
			snprintf(loner->name, sizeof(loner->name), "%s",
				 prog_info_by_id(ids[0], &info) ? "?" : info.name);
			return true;
		}
		dirname(where);
	}
	return false;
}

static int attach_error(const char *cgroup, const struct bpf_program *prog, int error,
			struct err *err)
{
	__u32 type = bpf_program__expected_attach_type(prog);
	struct hook_prog loner;
	char where[PATH_MAX];

	if (error == EPERM && find_loner(cgroup, type, &loner, where))
		return err_hint(err,
				err_set(err, EXIT_CONFLICT, EBUSY,
					"%s on %s: program '%s' (id %u) is attached to %s without"
					" BPF_F_ALLOW_MULTI",
					hook_type_name(type), cgroup, loner.name, loner.id, where),
				"load it with BPF_F_ALLOW_MULTI, or detach it: bpftool cgroup"
				" detach %s",
				where);
	return err_hint(err,
			err_set(err, error == EPERM ? EXIT_PERMISSION : EXIT_LACKING, error,
				"%s on %s: attaching failed: %s", hook_type_name(type), cgroup,
				strerror(error)),
			"'sluice check' says what this kernel lacks");
}

static int attach_new(struct transaction *tx, const struct hook *hook, struct err *err)
{
	struct step *step = &tx->steps[tx->count];
	struct bpf_link *link = bpf_program__attach_cgroup(hook->prog, tx->cgroup_fd);
	char path[PATH_MAX];
	int result = 0;

	if (!link)
		return attach_error(tx->cgroup, hook->prog, errno, err);
	staged_path(tx, hook, path);
	unlink(path);
	if (bpf_link__pin(link, path))
		result = err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	else
		*step = (struct step){ STEP_PINNED, hook, dup(bpf_link__fd(link)), -1 };
	tx->count += !result;
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return result;
}

static int update_in_place(struct transaction *tx, const struct hook *hook, int link_fd,
			   __u32 old_prog_id, struct err *err)
{
	int old_prog_fd = bpf_prog_get_fd_by_id(old_prog_id);

	if (bpf_link_update(link_fd, bpf_program__fd(hook->prog), NULL)) {
		int error = errno;

		close(old_prog_fd);
		close(link_fd);
		return err_set(err, EXIT_ERROR, error, "link %s: update: %s", hook->pin,
			       strerror(error));
	}
	tx->steps[tx->count++] = (struct step){ STEP_UPDATED, hook, link_fd, old_prog_fd };
	return 0;
}

/* The link in place on this cgroup, if there is one; its descriptor, or -1. */
static int link_in_place(const struct transaction *tx, const struct hook *hook, __u32 *prog_id)
{
	struct bpf_link_info link = { 0 };
	__u32 length = sizeof(link);
	int fd = pins_get(tx->dir, tx->plane, hook->pin);

	if (fd < 0)
		return -1;
	if (!bpf_obj_get_info_by_fd(fd, &link, &length) && link.cgroup.cgroup_id == tx->cgroup_id) {
		*prog_id = link.prog_id;
		return fd;
	}
	close(fd);
	return -1;
}

/* One of the two passes over the hooks: links to be made, or links to be updated. */
static int stage(struct transaction *tx, const struct hook *hook, enum step_kind pass,
		 struct err *err)
{
	__u32 prog_id;
	int fd = hook->wanted ? link_in_place(tx, hook, &prog_id) : -1;

	if (!hook->wanted)
		return 0;
	if (fd >= 0 && pass == STEP_UPDATED)
		return update_in_place(tx, hook, fd, prog_id, err);
	if (fd >= 0)
		close(fd);
	return fd < 0 && pass == STEP_PINNED ? attach_new(tx, hook, err) : 0;
}

static void undo(struct transaction *tx)
{
	char path[PATH_MAX];

	while (tx->count--) {
		struct step *step = &tx->steps[tx->count];

		if (step->kind == STEP_PINNED)
			pins_drop(staged_path(tx, step->hook, path));
		else if (bpf_link_update(step->link_fd, step->old_prog_fd, NULL))
			log_warning("link %s keeps its new program: %s", step->hook->pin,
				    strerror(errno));
	}
}

static void release(struct step *steps, int count)
{
	while (count--) {
		close(steps[count].link_fd);
		if (steps[count].old_prog_fd >= 0)
			close(steps[count].old_prog_fd);
	}
}

/* A new link takes its name, and so the place of a link on another cgroup. */
static int take_name(const struct transaction *tx, const struct hook *hook, struct err *err)
{
	int old = pins_get(tx->dir, tx->plane, hook->pin), result = 0;
	char from[PATH_MAX], to[PATH_MAX];

	if (rename(staged_path(tx, hook, from), pins_path(tx->dir, tx->plane, hook->pin, to)))
		result = err_set(err, EXIT_ERROR, errno, "pin %s: %s", to, strerror(errno));
	else if (old >= 0)
		bpf_link_detach(old);
	if (old >= 0)
		close(old);
	return result;
}

static int commit(struct transaction *tx, struct hook *hooks, int count, struct err *err)
{
	int i, result = 0;
	char path[PATH_MAX];

	for (i = 0; i < tx->count && !result; i++)
		if (tx->steps[i].kind == STEP_PINNED)
			result = take_name(tx, tx->steps[i].hook, err);
	for (i = 0; i < count && !result; i++)
		if (!hooks[i].wanted)
			pins_drop(pins_path(tx->dir, tx->plane, hooks[i].pin, path));
	return result;
}

int links_apply_cgroup(const char *dir, const char *plane, const char *cgroup, struct hook *hooks,
		       int count, struct err *err)
{
	struct transaction tx = { .dir = dir, .plane = plane, .cgroup = cgroup };
	char path[PATH_MAX];
	struct stat st;
	int i, staged, result = 0;

	tx.cgroup_fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tx.cgroup_fd < 0 || fstat(tx.cgroup_fd, &st))
		return err_set(err, EXIT_ERROR, errno, "cgroup %s: %s", cgroup, strerror(errno));
	tx.cgroup_id = st.st_ino;
	/* A loader that died may have left links that were not to stay. */
	for (i = 0; i < count; i++)
		pins_drop(staged_path(&tx, &hooks[i], path));
	for (i = 0; i < count && !result; i++)
		result = stage(&tx, &hooks[i], STEP_PINNED, err);
	for (i = 0; i < count && !result; i++)
		result = stage(&tx, &hooks[i], STEP_UPDATED, err);
	staged = tx.count;
	if (!result)
		result = commit(&tx, hooks, count, err);
	if (result)
		undo(&tx);
	release(tx.steps, staged);
	close(tx.cgroup_fd);
	return result;
}
