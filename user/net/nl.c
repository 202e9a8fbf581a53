// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/nl.h"

#include <errno.h>
#include <stdlib.h>

/* netlink_dump() fills at most 32 KiB per recvmsg(), and no more than the buffer of the caller. */
#define BUFFER_SIZE 32768
/* Limit on the tries for a table that changes during each dump; a dump takes milliseconds. */
#define TRIES 32

struct nl {
	struct mnl_socket *socket;
	unsigned int portid;
	unsigned int seq;
	char buffer[BUFFER_SIZE];
};

int nl_open(struct nl **nl, int bus)
{
	struct nl *opened = calloc(1, sizeof(*opened));
	const int on = 1;
	int error;

	if (!opened)
		return -ENOMEM;
	opened->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!opened->socket || mnl_socket_bind(opened->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		error = errno;
		nl_close(opened);
		return -error;
	}
	/* let the kernel filter dumps; callers filter too, since kernels before 4.20 do not */
	mnl_socket_setsockopt(opened->socket, NETLINK_GET_STRICT_CHK, (void *)&on, sizeof(on));
	opened->portid = mnl_socket_get_portid(opened->socket);
	*nl = opened;
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

/*
 * Parses the error code at the start of an acknowledgement or of NLMSG_DONE. libmnl 1.0 ignores it
 * in NLMSG_DONE.
 */
static int on_end(const struct nlmsghdr *nlh, void *into)
{
	const int *error = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*error) || *error >= 0)
		return MNL_CB_STOP;
	errno = -*error;
	return MNL_CB_ERROR;
}

static mnl_cb_t controls[] = {
	[NLMSG_ERROR] = on_end,
	[NLMSG_DONE] = on_end,
};

int nl_query(struct nl *nl, struct nlmsghdr *nlh, mnl_cb_t parse, void *into)
{
	ssize_t length;
	int more = MNL_CB_OK;

	nlh->nlmsg_seq = ++nl->seq;
	/*
	 * NLM_F_DUMP has two bits; in requests that create an object, one of the bits is NLM_F_EXCL
	 */
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
		more = mnl_cb_run2(nl->buffer, (size_t)length, nl->seq, nl->portid, parse, into,
				   controls, sizeof(controls) / sizeof(*controls));
	}
	return more < 0 ? -errno : 0;
}

int nl_dump(const struct nl_dump *dump, void *into)
{
	int try, result = -EINTR;

	for (try = 0; try < TRIES && result == -EINTR; try++) {
		struct nlmsghdr *nlh;
		struct nl *nl;

		if (try && dump->reset)
			dump->reset(into);
		/*
		 * open a new socket for each try: its queue holds no messages of an interrupted
		 * dump
		 */
		result = nl_open(&nl, dump->bus);
		if (result)
			return result;
		nlh = nl_request(nl);
		dump->request(nlh, into);
		nlh->nlmsg_flags |= NLM_F_DUMP;
		result = nl_query(nl, nlh, dump->parse, into);
		nl_close(nl);
	}
	return result == -EINTR ? -EAGAIN : result;
}
