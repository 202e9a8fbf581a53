// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/feature.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_SIZE 4096

/* include/uapi/linux/bpf.h; missing in the headers of some distributions */
#define TCX_INGRESS 46

#define INSN(opcode, dst, source, offset, immediate) \
	((struct bpf_insn){ .code = (opcode),        \
			    .dst_reg = (dst),        \
			    .src_reg = (source),     \
			    .off = (offset),         \
			    .imm = (immediate) })
#define MOVE(dst, immediate) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, immediate)
#define CALL(helper)	     INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define KFUNC(id)	     INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, id)
#define LOAD(dst, source)    INSN(BPF_LDX | BPF_MEM | BPF_DW, dst, source, 0, 0)
#define EXIT()		     INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define COUNT(array)	     (sizeof(array) / sizeof(*(array)))

/* Maps the result of a system call (a descriptor, or -1 with errno set) to a feature. */
static enum feature verdict(int result)
{
	if (result >= 0)
		return FEATURE_YES;
	return errno == EPERM || errno == EACCES ? FEATURE_REFUSED : FEATURE_NO;
}

static enum feature verdict_close(int fd)
{
	enum feature answer = verdict(fd);

	if (fd >= 0)
		close(fd);
	return answer;
}

/* Loads a program that returns 1, which is the verdict "pass" for every program type. */
static int load_passing(enum bpf_prog_type type, struct bpf_prog_load_opts *opts)
{
	const struct bpf_insn program[] = { MOVE(BPF_REG_0, 1), EXIT() };

	return bpf_prog_load(type, NULL, "GPL", program, COUNT(program), opts);
}

static int load_for(enum bpf_prog_type type, enum bpf_attach_type attach)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);

	return load_passing(type, &opts);
}

enum feature feature_bpf(void)
{
	return verdict_close(bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL));
}

enum feature feature_hook(enum bpf_prog_type type, enum bpf_attach_type attach)
{
	return verdict_close(load_for(type, attach));
}

/*
 * Calls the helper without setting its arguments; the verifier rejects this unless the helper has
 * none. If the verifier complains about the arguments and not about the helper, the helper is
 * available (kernel/bpf/verifier.c, check_helper_call; the messages changed in 6.10).
 */
static enum feature helper_in(enum bpf_prog_type type, struct bpf_prog_load_opts *opts,
			      enum bpf_func_id helper)
{
	const struct bpf_insn program[] = { CALL(helper), MOVE(BPF_REG_0, 1), EXIT() };
	char log[LOG_SIZE] = "";
	int fd;

	opts->log_buf = log;
	opts->log_size = sizeof(log);
	opts->log_level = 1;
	fd = bpf_prog_load(type, NULL, "GPL", program, COUNT(program), opts);
	if (fd >= 0 || !log[0])
		return verdict_close(fd);
	if (strstr(log, "invalid func ") || strstr(log, "unknown func ") ||
	    strstr(log, "cannot use helper "))
		return FEATURE_NO;
	return FEATURE_YES;
}

enum feature feature_helper(enum bpf_prog_type type, enum bpf_attach_type attach,
			    enum bpf_func_id helper)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);

	return helper_in(type, &opts, helper);
}

enum feature feature_memory(__u32 bytes)
{
	return verdict_close(bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, bytes, 1, NULL));
}

/*
 * Creates a link to a target that does not exist: a kernel that supports the link type returns
 * @expected.
 */
static enum feature link_refused_with(int program, int target, int attach, int expected)
{
	enum feature answer;
	int link;

	if (program < 0)
		return verdict(program);
	link = bpf_link_create(program, target, attach, NULL);
	answer = link < 0 && errno == expected ? FEATURE_YES : verdict(link);
	if (link >= 0)
		close(link);
	close(program);
	return answer;
}

enum feature feature_cgroup_link(void)
{
	int program = load_for(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS);

	return link_refused_with(program, -1, BPF_CGROUP_INET_INGRESS, EBADF);
}

enum feature feature_tcx(void)
{
	int program = load_for(BPF_PROG_TYPE_SCHED_CLS, 0);

	return link_refused_with(program, 0, TCX_INGRESS, ENODEV);
}

enum feature feature_file_iterator(const struct btf *vmlinux)
{
	int target = btf__find_by_name_kind(vmlinux, "bpf_iter_task_file", BTF_KIND_FUNC);
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_ITER,
		    .attach_btf_id = target);
	enum feature answer;

	if (target < 0)
		return FEATURE_NO;
	answer = verdict_close(load_passing(BPF_PROG_TYPE_TRACING, &opts));
	return answer == FEATURE_YES ? helper_in(BPF_PROG_TYPE_TRACING, &opts, BPF_FUNC_seq_write)
				     : answer;
}

/* The first field of the kernel's context is the datagram's sk_buff. */
enum feature feature_reuseport_casts(const struct btf *vmlinux)
{
	int context = btf__find_by_name_kind(vmlinux, "bpf_cast_to_kern_ctx", BTF_KIND_FUNC);
	int cast = btf__find_by_name_kind(vmlinux, "bpf_rdonly_cast", BTF_KIND_FUNC);
	int type = btf__find_by_name_kind(vmlinux, "in6_addr", BTF_KIND_STRUCT);
	const struct bpf_insn program[] = {
		KFUNC(context),
		LOAD(BPF_REG_1, BPF_REG_0),
		LOAD(BPF_REG_1, BPF_REG_1),
		MOVE(BPF_REG_2, type),
		KFUNC(cast),
		LOAD(BPF_REG_1, BPF_REG_0),
		MOVE(BPF_REG_0, 1),
		EXIT(),
	};

	if (context < 0 || cast < 0 || type < 0)
		return FEATURE_NO;
	return verdict_close(bpf_prog_load(BPF_PROG_TYPE_SK_REUSEPORT, NULL, "GPL", program,
					   COUNT(program), NULL));
}

/* The first field of struct sk_buff is a pointer to another sk_buff. */
enum feature feature_tc_cast(const struct btf *vmlinux)
{
	int context = btf__find_by_name_kind(vmlinux, "bpf_cast_to_kern_ctx", BTF_KIND_FUNC);
	const struct bpf_insn program[] = {
		KFUNC(context),
		LOAD(BPF_REG_1, BPF_REG_0),
		MOVE(BPF_REG_0, 0),
		EXIT(),
	};

	if (context < 0 || btf__find_by_name_kind(vmlinux, "bpf_rdonly_cast", BTF_KIND_FUNC) < 0)
		return FEATURE_NO;
	return verdict_close(
		bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, NULL, "GPL", program, COUNT(program), NULL));
}

/* The group is a new socket that is never bound, so it receives nothing. */
enum feature feature_reuseport_attach(void)
{
	int program = load_for(BPF_PROG_TYPE_SK_REUSEPORT, 0);
	int sock, on = 1, result = -1;
	enum feature answer;

	if (program < 0)
		return verdict(program);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock >= 0 && !setsockopt(sock, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)))
		result = setsockopt(sock, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program,
				    sizeof(program));
	answer = verdict(result);
	if (sock >= 0)
		close(sock);
	close(program);
	return answer;
}

/* Duplicates a descriptor of this process: this needs no permission for another process. */
enum feature feature_pidfd_getfd(void)
{
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	enum feature answer;

	if (pidfd < 0)
		return verdict(pidfd);
	answer = verdict_close(syscall(SYS_pidfd_getfd, pidfd, pidfd, 0));
	close(pidfd);
	return answer;
}

/* Returns the type of a member, which may be inside an unnamed struct or union, or -1. */
static int member_type(const struct btf *btf, int id, const char *name, size_t length)
{
	const struct btf_type *type = btf__type_by_id(btf, btf__resolve_type(btf, id));
	const struct btf_member *member;
	int i, found;

	if (!type || !btf_is_composite(type))
		return -1;
	member = btf_members(type);
	for (i = 0; i < btf_vlen(type); i++, member++) {
		const char *member_name = btf__name_by_offset(btf, member->name_off);

		if (strlen(member_name) == length && !strncmp(member_name, name, length))
			return member->type;
		found = *member_name ? -1 : member_type(btf, member->type, name, length);
		if (found >= 0)
			return found;
	}
	return -1;
}

enum feature feature_field(const struct btf *btf, const char *name, const char *path)
{
	int type = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	while (type >= 0 && *path) {
		size_t length = strcspn(path, ".");

		type = member_type(btf, type, path, length);
		path += length + (path[length] == '.');
	}
	return type >= 0 ? FEATURE_YES : FEATURE_NO;
}

enum feature feature_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0 ? FEATURE_YES : FEATURE_NO;
}

bool feature_struct(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT) > 0;

	btf__free(btf);
	return has;
}
