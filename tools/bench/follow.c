// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Measures how long a new port of a followed bridge is uncovered: from the request that creates the
 * interface until both of sluice's programs are attached, as observed by a third process.
 *
 * Runs in a private network namespace with a private bpffs. Starts and stops the daemon.
 */
#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 1000
#define BRIDGE	   "br0"
#define PORT	   "port"
/* enum bpf_attach_type of 6.6 */
#define TCX_INGRESS 46
#define TCX_EGRESS  47
#define GIVE_UP_US  10000000

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* --- links */

static struct mnl_socket *rtnl;
static char buffer[8192];

static struct nlmsghdr *request(int type, int flags, unsigned int ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *msg;

	nlh->nlmsg_type = (unsigned short)type;
	nlh->nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->ifi_index = (int)ifindex;
	return nlh;
}

static void ask(const struct nlmsghdr *nlh)
{
	char answer[8192];
	ssize_t length;

	if (mnl_socket_sendto(rtnl, nlh, nlh->nlmsg_len) < 0)
		err(1, "netlink");
	length = mnl_socket_recvfrom(rtnl, answer, sizeof(answer));
	if (length < 0 ||
	    mnl_cb_run(answer, (size_t)length, 0, mnl_socket_get_portid(rtnl), NULL, NULL) < 0)
		err(1, "netlink");
}

static void bridge_make(void)
{
	struct nlmsghdr *nlh = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	struct nlattr *info;

	mnl_attr_put_strz(nlh, IFLA_IFNAME, BRIDGE);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(nlh, info);
	ask(nlh);
}

static void port_make(void)
{
	struct nlmsghdr *nlh = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	struct nlattr *info, *data, *peer;
	struct ifinfomsg none = { 0 };

	mnl_attr_put_strz(nlh, IFLA_IFNAME, PORT);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	memcpy((char *)nlh + nlh->nlmsg_len, &none, sizeof(none));
	nlh->nlmsg_len += MNL_ALIGN(sizeof(none));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "peer");
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	ask(nlh);
}

static void port_enslave(unsigned int ifindex, unsigned int master)
{
	struct nlmsghdr *nlh = request(RTM_NEWLINK, 0, ifindex);

	mnl_attr_put_u32(nlh, IFLA_MASTER, master);
	ask(nlh);
}

/* --- the programs on the port */

static bool has_program(unsigned int ifindex, int hook)
{
	__u32 id, count = 1;

	return !bpf_prog_query((int)ifindex, (enum bpf_attach_type)hook, 0, NULL, &id, &count) &&
	       count;
}

static bool is_covered(unsigned int ifindex)
{
	return has_program(ifindex, TCX_INGRESS) && has_program(ifindex, TCX_EGRESS);
}

static void wait_covered(unsigned int ifindex)
{
	double begin = now_us();

	while (!is_covered(ifindex)) {
		if (now_us() - begin > GIVE_UP_US)
			errx(1, "no program on a new port after %d s", GIVE_UP_US / 1000000);
		usleep(50);
	}
}

struct sample {
	double made, enslaved;
};

static struct sample measure(unsigned int master)
{
	double begin = now_us(), enslaved;
	struct sample sample;
	unsigned int ifindex;

	port_make();
	ifindex = if_nametoindex(PORT);
	enslaved = now_us();
	port_enslave(ifindex, master);
	wait_covered(ifindex);
	sample = (struct sample){ now_us() - begin, now_us() - enslaved };
	ask(request(RTM_DELLINK, 0, ifindex));
	/* let the daemon handle the event and become idle again */
	usleep(50000);
	return sample;
}

/* --- the daemon */

static void isolate(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		err(1, "unshare");
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		err(1, "mount");
	rtnl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!rtnl || mnl_socket_bind(rtnl, 0, MNL_SOCKET_AUTOPID))
		err(1, "netlink");
}

/* Starts the daemon and waits until it has covered a first port, which is not measured. */
static pid_t daemon_start(const char *sluice)
{
	char config[] = "/tmp/sluice-follow-XXXXXX";
	int fd = mkstemp(config);
	unsigned int ifindex;
	pid_t pid;

	if (fd < 0 || dprintf(fd, "[wire]\nfollow = " BRIDGE "\n[global]\nlog_level = error\n") < 0)
		err(1, "%s", config);
	close(fd);
	port_make();
	ifindex = if_nametoindex(PORT);
	port_enslave(ifindex, if_nametoindex(BRIDGE));
	pid = fork();
	if (!pid) {
		execl(sluice, "sluice", "run", "--config", config, NULL);
		err(1, "%s", sluice);
	}
	wait_covered(ifindex);
	unlink(config);
	ask(request(RTM_DELLINK, 0, ifindex));
	usleep(500000);
	return pid;
}

static int by_made(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->made > y->made) - (x->made < y->made);
}

static int by_enslaved(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->enslaved > y->enslaved) - (x->enslaved < y->enslaved);
}

static void print(struct sample *samples, int rounds)
{
	printf("a new port is covered after … ms (%d ports)\n", rounds);
	printf("                        median     95 %%      max\n");
	qsort(samples, (size_t)rounds, sizeof(*samples), by_made);
	printf("  of being made     %10.1f %8.1f %8.1f\n", samples[rounds / 2].made / 1e3,
	       samples[rounds * 95 / 100].made / 1e3, samples[rounds - 1].made / 1e3);
	qsort(samples, (size_t)rounds, sizeof(*samples), by_enslaved);
	printf("  of being enslaved %10.1f %8.1f %8.1f\n", samples[rounds / 2].enslaved / 1e3,
	       samples[rounds * 95 / 100].enslaved / 1e3, samples[rounds - 1].enslaved / 1e3);
}

int main(int argc, char **argv)
{
	int i, rounds = argc > 2 ? atoi(argv[2]) : 100;
	static struct sample samples[ROUNDS_MAX];
	pid_t daemon;

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX)
		errx(2, "usage: follow SLUICE [ROUNDS]");
	isolate();
	bridge_make();
	daemon = daemon_start(argv[1]);
	for (i = 0; i < rounds; i++)
		samples[i] = measure(if_nametoindex(BRIDGE));
	kill(daemon, SIGTERM);
	waitpid(daemon, NULL, 0);
	print(samples, rounds);
	return 0;
}
