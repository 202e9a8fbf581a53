// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/udp_io.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>

#define QUEUE_SIZE   (4 << 20)
#define DATAGRAM_MAX 65536

union control {
	char room[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint32_t))];
	struct cmsghdr align;
};

void udp_io_prepare(int fd)
{
	const int size = QUEUE_SIZE, yes = 1;

	/* if an old kernel or a limit refuses an option, only throughput suffers */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof(yes));
}

/* Passes a datagram, or the datagrams of a GRO batch, to fn. */
static void hand_over(struct msghdr *message, size_t length, udp_io_fn fn, void *arg,
		      uint32_t *lost)
{
	const uint8_t *data = message->msg_iov->iov_base;
	struct cmsghdr *cmsg;
	int joined = 0;
	size_t at, part;

	for (cmsg = CMSG_FIRSTHDR(message); cmsg; cmsg = CMSG_NXTHDR(message, cmsg)) {
		if (cmsg->cmsg_level == SOL_UDP && cmsg->cmsg_type == UDP_GRO)
			memcpy(&joined, CMSG_DATA(cmsg), sizeof(joined));
		else if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_RXQ_OVFL)
			memcpy(lost, CMSG_DATA(cmsg), sizeof(*lost));
	}
	if (joined <= 0 || !length) {
		fn(arg, message->msg_name, data, length);
		return;
	}
	for (at = 0; at < length; at += part) {
		part = length - at < (size_t)joined ? length - at : (size_t)joined;
		fn(arg, message->msg_name, data + at, part);
	}
}

int udp_io_read(int fd, udp_io_fn fn, void *arg, uint32_t *lost)
{
	/* a page is not allocated until a datagram is written to it */
	static uint8_t buffer[UDP_IO_BATCH][DATAGRAM_MAX];
	struct mmsghdr message[UDP_IO_BATCH];
	union any_sockaddr addr[UDP_IO_BATCH];
	union control control[UDP_IO_BATCH];
	struct iovec iov[UDP_IO_BATCH];
	int i, got;

	for (i = 0; i < UDP_IO_BATCH; i++) {
		iov[i] = (struct iovec){ buffer[i], sizeof(buffer[i]) };
		message[i].msg_hdr = (struct msghdr){ .msg_name = &addr[i],
						      .msg_namelen = sizeof(addr[i]),
						      .msg_iov = &iov[i],
						      .msg_iovlen = 1,
						      .msg_control = &control[i],
						      .msg_controllen = sizeof(control[i]) };
	}
	got = recvmmsg(fd, message, UDP_IO_BATCH, MSG_DONTWAIT, NULL);
	if (got < 0)
		return -errno;
	for (i = 0; i < got; i++)
		hand_over(&message[i].msg_hdr, message[i].msg_len, fn, arg, lost);
	return got;
}

/* Sends one message. Returns 0 or -errno. */
static int send_message(int fd, const struct msghdr *message, int wait_ms)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	int tries;

	for (tries = 0;; tries++) {
		if (sendmsg(fd, message, MSG_DONTWAIT) >= 0)
			return 0;
		if ((errno != EAGAIN && errno != ENOBUFS) || tries || !wait_ms)
			return -errno;
		poll(&room, 1, wait_ms);
	}
}

static int send_segments(int fd, struct msghdr message, size_t size, int wait_ms)
{
	union control control = { .align = { .cmsg_len = CMSG_LEN(sizeof(uint16_t)),
					     .cmsg_level = SOL_UDP,
					     .cmsg_type = UDP_SEGMENT } };
	const uint16_t segment = (uint16_t)size;

	memcpy(CMSG_DATA(&control.align), &segment, sizeof(segment));
	message.msg_control = &control;
	message.msg_controllen = CMSG_SPACE(sizeof(segment));
	return send_message(fd, &message, wait_ms);
}

unsigned int udp_io_write(int fd, bool *segments, const union any_sockaddr *to, socklen_t to_size,
			  const void *data, size_t length, size_t size, int wait_ms)
{
	struct iovec iov = { (void *)data, length };
	struct msghdr message = {
		.msg_name = (void *)to, .msg_namelen = to_size, .msg_iov = &iov, .msg_iovlen = 1
	};
	unsigned int lost = 0;
	bool too_big = false;
	int result = 0;
	size_t at;

	if (length <= size)
		return send_message(fd, &message, wait_ms) != 0;
	if (*segments) {
		result = send_segments(fd, message, size, wait_ms);
		if (!result)
			return 0;
		if (result == -EAGAIN || result == -ENOBUFS)
			return (unsigned int)((length + size - 1) / size);
	}
	for (at = 0; at < length; at += size) {
		iov = (struct iovec){ (uint8_t *)data + at,
				      length - at < size ? length - at : size };
		switch (send_message(fd, &message, wait_ms)) {
		case 0:
			break;
		case -EMSGSIZE:
			too_big = true;
			/* fall through */
		default:
			lost++;
		}
	}
	/*
	 * no checksum offload on the device, or an old kernel; EINVAL also means that a segment
	 * exceeds the MTU of the device
	 */
	if (result == -EIO || result == -ENOPROTOOPT || (result == -EINVAL && !too_big))
		*segments = false;
	return lost;
}
