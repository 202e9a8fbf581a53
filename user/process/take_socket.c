// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/take_socket.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PIDFD_THREAD /* since Linux 6.9 */
#define PIDFD_THREAD O_EXCL
#endif
#ifndef SO_DETACH_REUSEPORT_BPF /* since Linux 5.3 */
#define SO_DETACH_REUSEPORT_BPF 68
#endif

/* A request takes microseconds, unless a process blocks it or the machine is suspended. */
#define LIMIT_MS 1000
/* How long to skip a process that has blocked a child: it would also block the next child. */
#define LEFT_OUT_NS 10000000000ULL

enum request_kind {
	TAKE,
	ATTACH,
	DETACH
};

/*
 * The message of ATTACH and DETACH carries the socket's descriptor, that of ATTACH also the
 * program's.
 */
struct request {
	enum request_kind kind;
	struct sluice_socket_record record;
};

/* The message carries a descriptor if the child has taken a socket. */
struct reply {
	int result;
	__u64 cookie;
};

/* --- messages with descriptors */

union control {
	struct cmsghdr head; /* for its alignment */
	char room[CMSG_SPACE(2 * sizeof(int))];
};

static int message_send(int to, void *data, size_t size, const int *fds, size_t count)
{
	struct iovec part = { data, size };
	union control control = { .head = { .cmsg_len = CMSG_LEN(count * sizeof(int)),
					    .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS } };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (count) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
	}
	return sendmsg(to, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/*
 * Sets fds[i] to -1 if the message carries no such descriptor. Returns 0, -EPIPE at EOF, or -errno.
 */
static int message_receive(int from, void *data, size_t size, int fds[2])
{
	struct iovec part = { data, size };
	union control control;
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	const struct cmsghdr *head;
	ssize_t got = recvmsg(from, &message, MSG_CMSG_CLOEXEC);

	fds[0] = fds[1] = -1;
	if (got <= 0)
		return got ? -errno : -EPIPE;
	head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
	return got == (ssize_t)size ? 0 : -EPROTO;
}

/* --- the child */

/*
 * Reads the cookie of a UDP socket, and returns true if port and cookie match the record. A record
 * without a cookie needs to match only by port.
 */
static bool is_recorded(int fd, const struct sluice_socket_record *record, __u64 *cookie)
{
	socklen_t cookie_size = sizeof(*cookie), int_size = sizeof(int);
	struct sockaddr_in6 addr = { 0 };
	socklen_t addr_size = sizeof(addr);
	int protocol = 0;

	/* sockaddr_in has the port at the same offset */
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &int_size) ||
	    protocol != IPPROTO_UDP || getsockname(fd, (struct sockaddr *)&addr, &addr_size) ||
	    ntohs(addr.sin6_port) != record->port ||
	    getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &cookie_size))
		return false;
	return !record->cookie || record->cookie == *cookie;
}

static int take(const struct sluice_socket_record *record, __u64 *cookie)
{
	bool by_thread = record->tid != record->pid;
	int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)record->tid, by_thread ? PIDFD_THREAD : 0);
	int fd, error;

	if (pidfd < 0 && by_thread && errno == EINVAL)
		return -EOPNOTSUPP;
	if (pidfd < 0)
		return errno == ESRCH ? -ESTALE : -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)record->fd, 0);
	error = errno;
	close(pidfd);
	if (fd < 0)
		return error == EBADF || error == ESRCH ? -ESTALE : -error;
	if (is_recorded(fd, record, cookie))
		return fd;
	close(fd);
	return -ESTALE;
}

static int set_program(int socket_fd, int option, int prog_fd)
{
	return setsockopt(socket_fd, SOL_SOCKET, option, &prog_fd, sizeof(prog_fd)) ? -errno : 0;
}

static _Noreturn void serve(int from)
{
	struct request request = { 0 };
	int fds[2], i;

	while (!message_receive(from, &request, sizeof(request), fds)) {
		struct reply reply = { 0 };
		int taken = -1;

		if (request.kind == TAKE)
			reply.result = taken = take(&request.record, &reply.cookie);
		else if (request.kind == ATTACH)
			reply.result = set_program(fds[0], SO_ATTACH_REUSEPORT_EBPF, fds[1]);
		else
			reply.result = set_program(fds[0], SO_DETACH_REUSEPORT_BPF, 0);
		if (message_send(from, &reply, sizeof(reply), &taken, taken >= 0))
			break;
		if (taken >= 0)
			close(taken);
		for (i = 0; i < 2; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
	_exit(0);
}

static _Noreturn void begin(int from, const sigset_t *mask)
{
	int number;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* a handler of the parent would write to the parent's event loop */
	for (number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (dup2(from, 0) || close_range(1, ~0U, 0))
		_exit(1);
	serve(0);
}

/* --- this process */

/* The child that serves requests. */
static struct {
	pid_t pid; /* 0: none */
	int fd;
} child;

/* A killed child and the process that has blocked it. */
struct blocked {
	pid_t child; /* 0: it has exited */
	__u64 until_ns;
	__u32 pid, uid; /* the process that has blocked the child */
};

static struct blocked *blocked;
static size_t blocked_count, blocked_room;

static int child_start(void)
{
	sigset_t all, mask;
	int pair[2], error;
	pid_t pid;

	if (child.pid)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	pid = fork();
	error = errno;
	if (!pid)
		begin(pair[1], &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return -error;
	}
	child.pid = pid;
	child.fd = pair[0];
	return 0;
}

/* Kills the child. Returns its process id, or 0 if no child was running. */
static pid_t child_kill(void)
{
	pid_t pid = child.pid;

	if (pid) {
		close(child.fd);
		kill(pid, SIGKILL);
	}
	child.pid = 0;
	return pid;
}

/* Removes the entries whose child has exited and whose time has passed. */
static void blocked_prune(void)
{
	__u64 now = clock_now_ns(CLOCK_BOOTTIME);
	size_t i = 0;

	while (i < blocked_count) {
		struct blocked *at = &blocked[i];

		if (at->child && waitpid(at->child, NULL, WNOHANG))
			at->child = 0;
		if (!at->child && at->until_ns <= now)
			*at = blocked[--blocked_count];
		else
			i++;
	}
}

void process_sockets_end(void)
{
	pid_t pid = child_kill();

	/* the child exits at once: between two requests, no process can block it */
	while (pid && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	blocked_prune();
}

static void blocked_add(pid_t hung, const struct sluice_socket_record *by)
{
	void *all = blocked;

	log_warning("process %u (%s) blocks access to its socket on port %u: skipped for at"
		    " least %llu s%s",
		    by->pid, by->comm, by->port, LEFT_OUT_NS / 1000000000,
		    by->uid ? ", with the other processes of its user" : "");
	if (array_grow(&all, &blocked_room, blocked_count, sizeof(*blocked)))
		return;
	blocked = all;
	blocked[blocked_count++] = (struct blocked){
		.child = hung,
		.until_ns = clock_now_ns(CLOCK_BOOTTIME) + LEFT_OUT_NS,
		.pid = by->pid,
		.uid = by->uid,
	};
}

/*
 * Returns true if the process is skipped, because it or another process of its user has blocked a
 * child.
 */
static bool is_left_out(const struct sluice_socket_record *record)
{
	bool found = false;
	size_t i;

	blocked_prune();
	for (i = 0; i < blocked_count; i++)
		found |= record->uid ? blocked[i].uid == record->uid
				     : blocked[i].pid == record->pid;
	return found;
}

/* Waits until the child has replied or exited. Returns false after LIMIT_MS. */
static bool child_wait(void)
{
	struct pollfd at = { .fd = child.fd, .events = POLLIN };
	__u64 until = clock_now_ns(CLOCK_MONOTONIC) + LIMIT_MS * 1000000ULL, now;
	int ready;

	do {
		now = clock_now_ns(CLOCK_MONOTONIC);
		ready = poll(&at, 1, now < until ? (int)((until - now) / 1000000) + 1 : 0);
	} while (ready < 0 && errno == EINTR);
	return ready != 0;
}

/* Sends a request and waits for its reply. Sets *fd to the descriptor in the reply, or -1. */
static int exchange_once(struct request *request, const int *fds, size_t count, struct reply *reply,
			 int *fd)
{
	int got[2], result = child_start();

	if (result)
		return result;
	result = message_send(child.fd, request, sizeof(*request), fds, count);
	if (!result && !child_wait()) {
		blocked_add(child_kill(), &request->record);
		return -ETIMEDOUT;
	}
	if (!result)
		result = message_receive(child.fd, reply, sizeof(*reply), got);
	if (!result)
		*fd = got[0];
	else
		process_sockets_end();
	return result;
}

/* Returns the result of the request, or -ETIMEDOUT. */
static int exchange(enum request_kind kind, const struct sluice_socket_record *record,
		    const int *fds, size_t count, struct reply *reply, int *fd)
{
	struct request request = { .kind = kind, .record = *record };
	int result;

	if (is_left_out(record))
		return -ETIMEDOUT;
	result = exchange_once(&request, fds, count, reply, fd);
	/* a signal to the process group, such as Ctrl-C, also kills the child */
	if (result == -EPIPE || result == -ECONNRESET)
		result = exchange_once(&request, fds, count, reply, fd);
	return result ? result : reply->result;
}

int process_socket_take(const struct sluice_socket_record *record, __u64 *cookie)
{
	struct reply reply;
	int fd, result = exchange(TAKE, record, NULL, 0, &reply, &fd);

	if (result < 0)
		return result;
	*cookie = reply.cookie;
	/* no descriptor in the reply: this process has reached its limit of open files */
	return fd < 0 ? -EMFILE : fd;
}

int process_socket_attach(const struct sluice_socket_record *of, int socket_fd, int prog_fd)
{
	const int fds[] = { socket_fd, prog_fd };
	struct reply reply;
	int none;

	return exchange(ATTACH, of, fds, 2, &reply, &none);
}

int process_socket_detach(const struct sluice_socket_record *of, int socket_fd)
{
	struct reply reply;
	int none;

	return exchange(DETACH, of, &socket_fd, 1, &reply, &none);
}

/* --- permission */

const char *process_socket_reason(int error)
{
	switch (error) {
	case EPERM:
		return "pidfd_getfd is not permitted (CAP_SYS_PTRACE, or a security module)";
	case ETIMEDOUT:
		return "it, or another process of its user, blocks access to its sockets";
	case EOPNOTSUPP:
		return "its main thread has exited (taking its sockets needs Linux 6.9)";
	default:
		return strerror(error);
	}
}

/* Returns the first number after @key in a file, or -1. */
static int number_in(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	char line[256];
	int number = -1;

	while (file && number < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			number = atoi(line + strlen(key));
	if (file)
		fclose(file);
	return number;
}

int process_sockets_check(const char *what, struct err *err)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	/* the kernel's own checks always permit a process to take its own descriptors */
	int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, pidfd, 0), error = errno;

	if (pidfd >= 0)
		close(pidfd);
	if (fd >= 0)
		close(fd);
	if (fd < 0 && number_in("/proc/self/status", "Seccomp:") > 0)
		return err_hint(err,
				err_set(err, EXIT_PERMISSION, error,
					"%s: %s: a seccomp filter forbids it", what,
					pidfd < 0 ? "pidfd_open" : "pidfd_getfd"),
				"allow pidfd_open and pidfd_getfd: in a container, by its seccomp"
				" profile (Docker's allows both with --cap-add SYS_PTRACE)");
	if (fd < 0)
		return err_set(err, EXIT_LACKING, error, "%s: %s: %s", what,
			       pidfd < 0 ? "pidfd_open" : "pidfd_getfd", strerror(error));
	if (number_in("/proc/sys/kernel/yama/ptrace_scope", "") == 3)
		return err_hint(err,
				err_set(err, EXIT_PERMISSION, EPERM,
					"%s: pidfd_getfd: Yama forbids it to all processes"
					" (kernel.yama.ptrace_scope = 3)",
					what),
				"set kernel.yama.ptrace_scope to 2 or less, and reboot: 3 cannot be"
				" lowered");
	return 0;
}
