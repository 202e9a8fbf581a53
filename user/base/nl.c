// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/nl.h"

#include <errno.h>
#include <stdlib.h>

/* The kernel fills at most 32 KiB at a time, and no more than the reader offers (af_netlink.c). */
#define BUFFER_SIZE 32768
/* A table that changes faster than it can be read: each try costs some milliseconds. */
#define TRIES 32

struct nl {
	struct mnl_socket *socket;
	unsigned int portid;
	unsigned int seq;
	char buffer[BUFFER_SIZE];
};

int nl_open(struct nl **nl, int bus)
{
	struct nl *made = calloc(1, sizeof(*made));
	const int on = 1;
	int error;

	if (!made)
		return -ENOMEM;
	made->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!made->socket || mnl_socket_bind(made->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		error = errno;
		nl_close(made);
		return -error;
	}
	/* Lets the kernel filter dumps; before 4.20 it sends all, and the takers filter anyway. */
	mnl_socket_setsockopt(made->socket, NETLINK_GET_STRICT_CHK, (void *)&on, sizeof(on));
	made->portid = mnl_socket_get_portid(made->socket);
	*nl = made;
	return 0;
}

void nl_close(struct nl *nl)
{
	if (nl && nl->socket)
		mnl_socket_close(nl->socket);
	free(nl);
}

struct nlmsghdr *nl_request(struct nl *nl)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->buffer);

	nlh->nlmsg_flags = NLM_F_REQUEST;
	return nlh;
}

static int on_error(const struct nlmsghdr *nlh, void *into)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);

	errno = -answer->error;
	return answer->error ? MNL_CB_ERROR : MNL_CB_STOP;
}

/* A dump that fails on its way says so in its last message, which libmnl 1.0 does not look at. */
static int on_done(const struct nlmsghdr *nlh, void *into)
{
	const int *answer = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*answer) || *answer >= 0)
		return MNL_CB_STOP;
	errno = -*answer;
	return MNL_CB_ERROR;
}

static mnl_cb_t controls[] = {
	[NLMSG_ERROR] = on_error,
	[NLMSG_DONE] = on_done,
};

int nl_query(struct nl *nl, struct nlmsghdr *nlh, mnl_cb_t take, void *into)
{
	ssize_t length;
	int more = MNL_CB_OK;

	nlh->nlmsg_seq = ++nl->seq;
	/* both bits: one of them means NLM_F_EXCL where something is made */
	if ((nlh->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		nlh->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(nl->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (more == MNL_CB_OK) {
		length = mnl_socket_recvfrom(nl->socket, nl->buffer, sizeof(nl->buffer));
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return -errno;
		more = mnl_cb_run2(nl->buffer, (size_t)length, nl->seq, nl->portid, take, into,
				   controls, sizeof(controls) / sizeof(*controls));
	}
	return more < 0 ? -errno : 0;
}

/* A socket of its own for each try, so that nothing of an interrupted dump is left in it. */
static int dump_once(const struct nl_dump *dump, void *into)
{
	struct nlmsghdr *nlh;
	struct nl *nl;
	int result = nl_open(&nl, dump->bus);

	if (result)
		return result;
	nlh = nl_request(nl);
	dump->request(nlh, into);
	nlh->nlmsg_flags |= NLM_F_DUMP;
	result = nl_query(nl, nlh, dump->take, into);
	nl_close(nl);
	return result;
}

int nl_dump(const struct nl_dump *dump, void *into)
{
	int try, result = -EINTR;

	for (try = 0; try < TRIES && result == -EINTR; try++) {
		if (try && dump->forget)
			dump->forget(into);
		result = dump_once(dump, into);
	}
	return result == -EINTR ? -EAGAIN : result;
}
