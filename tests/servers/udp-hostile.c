// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A server of another user that blocks processes which access its socket.
 *
 *	udp-hostile --port N --uid N [--flip DIR]
 *
 * With --flip, descriptor 3 refers alternately to a socket and to a file on a FUSE file system. The
 * process serves this file system itself, mounted on DIR in a private mount namespace, and answers
 * FUSE_FLUSH only for its own close(2). It closes and reopens the socket at times. Without --flip,
 * SIGUSR1 starts a sendmsg(2) with MSG_MORE from a page whose fault is never resolved
 * (userfaultfd). The call holds the socket lock until the process exits.
 *
 * Prints `ready`, and `locked` after SIGUSR1.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/fuse.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FLIPPED	 3 /* below SOCKET: a walk over the descriptors finds it first */
#define SOCKET	 100
#define FILE_INO 2

static int fuse_fd, root_fd;

/* --- the server */

static void socket_open(const char *port, int number)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int on = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) || dup2(fd, number) < 0)
		err(1, "port %s", port);
	close(fd);
}

/* --- the file system: one file, named "file" */

static void reply(uint64_t unique, int error, const void *data, size_t size)
{
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + size),
					.error = -error,
					.unique = unique };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)data, size } };

	if (writev(fuse_fd, parts, size ? 2 : 1) < 0 && errno != ENOENT)
		err(1, "fuse");
}

static struct fuse_attr attributes(uint64_t inode)
{
	return (struct fuse_attr){ .ino = inode,
				   .mode = inode == FILE_INO ? S_IFREG | 0600 : S_IFDIR | 0700,
				   .nlink = 1,
				   .uid = getuid(),
				   .gid = getgid() };
}

static void answer(const struct fuse_in_header *in)
{
	const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
					    .minor = 31,
					    .max_write = 4096 };
	const struct fuse_entry_out entry = { .nodeid = FILE_INO,
					      .attr_valid = 1000,
					      .entry_valid = 1000,
					      .attr = attributes(FILE_INO) };
	const struct fuse_attr_out attr = { .attr_valid = 1000, .attr = attributes(in->nodeid) };
	const struct fuse_open_out open = { .fh = 1 };

	switch (in->opcode) {
	case FUSE_INIT:
		return reply(in->unique, 0, &init, sizeof(init));
	case FUSE_LOOKUP:
		return reply(in->unique, 0, &entry, sizeof(entry));
	case FUSE_GETATTR:
		return reply(in->unique, 0, &attr, sizeof(attr));
	case FUSE_OPEN:
		return reply(in->unique, 0, &open, sizeof(open));
	case FUSE_FLUSH:
		/* a close(2) by any other process blocks */
		if (in->pid == (uint32_t)getppid())
			reply(in->unique, 0, NULL, 0);
		return;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		return;
	case FUSE_RELEASE:
		return reply(in->unique, 0, NULL, 0);
	default:
		return reply(in->unique, ENOSYS, NULL, 0);
	}
}

/* Runs in a process of its own; its exit wakes the processes that wait for an answer. */
static void serve(void)
{
	static union {
		struct fuse_in_header head;
		char room[1 << 17];
	} request;

	while (read(fuse_fd, &request, sizeof(request)) > 0 || errno == EINTR || errno == ENOENT)
		answer(&request.head);
}

/* Moves a descriptor above SOCKET. */
static int above(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, SOCKET + 1);

	close(fd);
	return moved;
}

static void fuse_mount(const char *dir, unsigned int uid)
{
	char options[128];

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		err(1, "mount namespace");
	fuse_fd = above(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	if (fuse_fd < 0)
		err(1, "/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fuse_fd,
		 uid, uid);
	if (mount("hostile", dir, "fuse", MS_NOSUID | MS_NODEV, options))
		err(1, "mount");
	/* open before the change of user: the user may not search the parent directories */
	root_fd = above(open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (root_fd < 0)
		err(1, "%s", dir);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void sleep_ns(int64_t ns)
{
	nanosleep(&(struct timespec){ ns / 1000000000, ns % 1000000000 }, NULL);
}

static void flip(const char *port)
{
	unsigned int round;
	int file;

	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve();
		exit(1);
	}
	close(fuse_fd);
	file = above(openat(root_fd, "file", O_RDWR | O_CLOEXEC));
	if (file < 0)
		err(1, "file");
	puts("ready");
	fflush(stdout);
	for (round = 1;; round++) {
		int64_t before = now_ns();

		/* waits for serve(), which is slow on a busy machine */
		dup2(SOCKET, FLIPPED);
		dup2(file, FLIPPED);
		/*
		 * keep the file as long as the socket, so that sluice may find the socket and take
		 * the file
		 */
		sleep_ns(now_ns() - before);
		/* sluice takes a socket only once, so open a new one */
		if (round % 256 == 0)
			socket_open(port, SOCKET);
	}
}

/* --- the lock of the socket */

/* Returns a page that blocks any thread that reads it. */
static void *page_missing(void)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	range.range.start = (uintptr_t)page;
	range.range.len = size;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		err(1, "userfaultfd");
	return page;
}

static void *hold_lock(void *page)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	sendto(SOCKET, page, 64, MSG_MORE, (struct sockaddr *)&to, sizeof(to));
	return NULL;
}

static void lock(void *page)
{
	pthread_t holder;
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	puts("ready");
	fflush(stdout);
	sigwait(&set, &number);
	if (pthread_create(&holder, NULL, hold_lock, page))
		errx(1, "pthread_create");
	/* the lock is held once the thread waits for the page */
	usleep(200000);
	puts("locked");
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	static const struct option known[] = { { "port", required_argument, NULL, 'p' },
					       { "uid", required_argument, NULL, 'u' },
					       { "flip", required_argument, NULL, 'f' },
					       { 0 } };
	const char *port = NULL, *dir = NULL;
	unsigned int uid = 0;
	void *page;
	int opt;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (opt == 'p')
			port = optarg;
		else if (opt == 'u')
			uid = (unsigned int)atoi(optarg);
		else if (opt == 'f')
			dir = optarg;
		else
			return 2;
	if (!port || !uid)
		errx(2, "--port and --uid are needed");
	page = page_missing();
	if (dir)
		fuse_mount(dir, uid);
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		err(1, "user %u", uid);
	socket_open(port, SOCKET);
	if (dir)
		flip(port);
	else
		lock(page);
	return 0;
}
