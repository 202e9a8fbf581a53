// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Path MTU discovery by probes (RFC 8899). A probe is a check padded to a size. Its response has at
 * most PEER_SESSION_FULL_SIZE bytes, so it confirms the size toward the other peer only; each peer
 * probes its own direction. No ICMP message is needed.
 *
 * A probe goes only to the selected address, which has answered a full-size check. TCP has no MTU.
 * The server forwards relayed datagrams by another path, which it does not probe, so the relay
 * keeps PEER_SESSION_FULL_SIZE.
 *
 * The largest size is probed first, because most paths pass it. A size is lost if none of three
 * probes is answered, while the path answers smaller checks (a black hole, RFC 8899, section 4.3).
 * With traffic, the confirmed size is probed again with each check for consent, or once the traffic
 * stalls.
 */
#include "meet/peer/session.h"
#include "meet/peer/session_state.h"

#define SECOND_NS 1000000000ULL
/* RFC 8899, section 5.1.2: MAX_PROBES and PMTU_RAISE_TIMER */
#define PROBES	 3
#define RAISE_NS (600 * SECOND_NS)
/* At most one confirmation in this time, because traffic also stalls for other reasons. */
#define CONFIRM_NS SECOND_NS

/* IP and UDP headers */
#define HEADERS_IP4 28
#define HEADERS_IP6 48

/*
 * Packet sizes of common links, multiples of 4 bytes: the minimum of IPv6, tunnels, PPPoE and
 * Ethernet.
 */
static const uint16_t packet_sizes[] = { 1280, 1400, 1420, 1440, 1460, 1480, 1492, 1500 };
#define SIZES (sizeof(packet_sizes) / sizeof(*packet_sizes))

static const struct peer_session_remote *path_of(const struct peer_session *session)
{
	return &session->remote[session->selected];
}

static bool is_running(const struct peer_session *session)
{
	return session->selected != SESSION_NONE && session->state == PEER_SESSION_UP &&
	       (session->mtu.phase == SESSION_MTU_SEARCH ||
		session->mtu.phase == SESSION_MTU_CONFIRM);
}

static uint16_t size_of(const struct peer_session *session, unsigned int index)
{
	return (uint16_t)(packet_sizes[index] - (IN6_IS_ADDR_V4MAPPED(&path_of(session)->at.addr)
							 ? HEADERS_IP4
							 : HEADERS_IP6));
}

static void set_size(struct peer_session *session, uint16_t size)
{
	session->mtu.size = size;
	session->events |= PEER_SESSION_MTU_CHANGED;
}

static void probe(struct peer_session *session, uint16_t size, uint64_t now_ns)
{
	session->mtu.probe = size;
	session->mtu.tries = 0;
	session->mtu.due_ns = now_ns;
}

/* Returns the table's index of the next size: the largest one first, then by bisection. */
static unsigned int next_index(const struct session_mtu *mtu)
{
	return mtu->high == SIZES ? SIZES - 1 : (mtu->low + mtu->high) / 2;
}

static void search_on(struct peer_session *session, uint64_t now_ns)
{
	struct session_mtu *mtu = &session->mtu;

	mtu->phase = mtu->low < mtu->high ? SESSION_MTU_SEARCH : SESSION_MTU_DONE;
	mtu->raise_ns = now_ns + RAISE_NS;
	if (mtu->phase == SESSION_MTU_SEARCH)
		probe(session, size_of(session, next_index(mtu)), now_ns);
}

void session_mtu_reset(struct peer_session *session)
{
	if (session->mtu.size)
		session->events |= PEER_SESSION_MTU_CHANGED;
	session->mtu = (struct session_mtu){ .phase = SESSION_MTU_NONE };
}

void session_mtu_begin(struct peer_session *session, uint64_t now_ns)
{
	if (session->mtu.phase != SESSION_MTU_NONE || session_class(path_of(session)))
		return;
	session->mtu.high = SIZES;
	search_on(session, now_ns);
}

/* Returns false if there is nothing to confirm now. */
static bool confirm(struct peer_session *session, uint64_t now_ns)
{
	struct session_mtu *mtu = &session->mtu;

	if (mtu->phase != SESSION_MTU_DONE || !mtu->size ||
	    (mtu->confirmed_ns && now_ns - mtu->confirmed_ns < CONFIRM_NS))
		return false;
	mtu->phase = SESSION_MTU_CONFIRM;
	mtu->confirmed_ns = now_ns;
	probe(session, mtu->size, now_ns);
	return true;
}

/* Counts a probe that is sent now. Returns its size. */
static uint16_t take_probe(struct peer_session *session, uint64_t now_ns)
{
	struct session_mtu *mtu = &session->mtu;

	if (!mtu->tries++)
		mtu->first_ns = now_ns;
	mtu->due_ns = now_ns + session_rto_ns(path_of(session), mtu->tries);
	return mtu->probe;
}

uint16_t session_mtu_consent(struct peer_session *session, uint64_t now_ns)
{
	struct session_mtu *mtu = &session->mtu;

	if (mtu->phase == SESSION_MTU_DONE && mtu->low < SIZES && mtu->raise_ns <= now_ns) {
		mtu->high = SIZES;
		search_on(session, now_ns);
	}
	return confirm(session, now_ns) ? take_probe(session, now_ns) : 0;
}

void peer_session_stalled(struct peer_session *session, uint64_t now_ns)
{
	if (session->state == PEER_SESSION_UP)
		confirm(session, now_ns);
}

void session_mtu_answered(struct peer_session *session, uint16_t size, uint64_t now_ns)
{
	struct session_mtu *mtu = &session->mtu;

	/* a late answer to a probe of another size decides nothing */
	if (!is_running(session) || size != mtu->probe)
		return;
	if (mtu->phase == SESSION_MTU_CONFIRM) {
		mtu->phase = SESSION_MTU_DONE;
		return;
	}
	set_size(session, size);
	mtu->low = next_index(mtu) + 1;
	search_on(session, now_ns);
}

/* Handles a size that the path does not pass. */
static void on_lost(struct peer_session *session, uint64_t now_ns)
{
	struct session_mtu *mtu = &session->mtu;

	if (mtu->phase == SESSION_MTU_SEARCH) {
		mtu->high = next_index(mtu);
	} else {
		session->stats.black_holes++;
		set_size(session, 0);
		/* the largest size first again: with heavy loss, the path may still pass it */
		mtu->low = 0;
		mtu->high = SIZES;
	}
	search_on(session, now_ns);
}

/* Sends a small check: the path itself may be silent. */
static void check_path(struct peer_session *session, uint64_t now_ns)
{
	if (!session->checks[session->selected].tries)
		session_check_selected(session, now_ns);
}

uint64_t session_mtu_due_ns(const struct peer_session *session)
{
	return is_running(session) ? session->mtu.due_ns : SESSION_NEVER;
}

void session_mtu_timeout(struct peer_session *session, uint64_t now_ns)
{
	struct session_mtu *mtu = &session->mtu;

	if (session_mtu_due_ns(session) > now_ns || mtu->tries < PROBES)
		return;
	if (path_of(session)->consent_ns >= mtu->first_ns) {
		on_lost(session, now_ns);
		return;
	}
	/* decide after the path has answered a check */
	mtu->due_ns = now_ns + session_rto_ns(path_of(session), mtu->tries);
	check_path(session, now_ns);
}

size_t session_mtu_send(struct peer_session *session, uint8_t *buffer, struct stun_endpoint *to,
			uint64_t now_ns)
{
	struct session_mtu *mtu = &session->mtu;
	uint16_t size;

	if (session_mtu_due_ns(session) > now_ns || mtu->tries == PROBES)
		return 0;
	size = take_probe(session, now_ns);
	if (mtu->tries == PROBES)
		check_path(session, now_ns);
	session->out_ns = now_ns;
	*to = path_of(session)->at;
	return session_put_probe(session, (unsigned int)session->selected, size, buffer, now_ns);
}

size_t peer_session_mtu(const struct peer_session *session)
{
	return session->mtu.size ? session->mtu.size : PEER_SESSION_FULL_SIZE;
}
