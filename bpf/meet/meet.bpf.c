// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * The rendezvous server's fast path: answers ordinary Binding requests (<sluice/stun_binding.h>)
 * and short refreshes of registrations (<sluice/rendezvous.h>) in XDP, without waking the server.
 * The program passes all other messages to user space. An answer of the program is identical, byte
 * for byte, to the answer of user space.
 *
 * The answer leaves by the interface of the request, to the link-layer source address of the
 * request. So the answer needs no route, and request and answer bypass netfilter and rp_filter.
 *
 * The program answers only while user space renews a lease, so it does not answer for a server that
 * hangs. If the server is killed, its links are closed.
 */
#include "common/kernel.h"
#include "meet/answer.h"
#include "meet/binding.h"
#include "meet/datagram.h"
#include "meet/maps.h"
#include "meet/refresh.h"

/* Returns bits of enum sluice_meet_service, or 0 if the target is not an address of the server. */
static __always_inline __u32 services_of(const struct datagram *datagram)
{
	const struct sluice_meet_listen at = { .addr = datagram->target,
					       .port_be = datagram->target_port_be };
	const __u32 *services = bpf_map_lookup_elem(&sluice_m_listen, &at);

	return services ? *services : 0;
}

static __always_inline int handle(struct xdp_md *ctx, bool open_ok)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct packet_cursor cursor = packet_begin(data, data_end, data_end - data, 0);
	__u32 length = SLUICE_RENDEZVOUS_REFRESHED_SIZE;
	struct sluice_stun_answer answer = {};
	struct sluice_meet_peer *peer = NULL;
	struct datagram datagram;
	__u32 services;
	int verdict;
	__u64 now;

	if (!datagram_parse(&cursor, &datagram))
		return XDP_PASS;
	services = services_of(&datagram);
	if (!services)
		return XDP_PASS;
	if (services & SLUICE_MEET_REFRESH && refresh_is(&cursor, &datagram))
		verdict = refresh_answer(&cursor, &datagram, open_ok, &now, &peer, &answer);
	else if (!(services & SLUICE_MEET_BINDING))
		verdict = pass(SLUICE_MEET_passed_message);
	else
		verdict = binding_answer(&cursor, &datagram, open_ok, &answer, &length);
	if (verdict != XDP_TX)
		return verdict;
	verdict = datagram.ip4 ? answer_send(ctx, &datagram, true, &answer, length)
			       : answer_send(ctx, &datagram, false, &answer, length);
	if (verdict != XDP_TX)
		return verdict;
	if (peer) {
		*(volatile __u64 *)&peer->seen_ns = now;
		count(SLUICE_MEET_refreshes);
	} else {
		count(SLUICE_MEET_bindings);
		count_add(SLUICE_MEET_in_bytes, datagram.payload_len);
		count_add(SLUICE_MEET_out_bytes, length);
	}
	return XDP_TX;
}

SEC("xdp")
int sluice_meet(struct xdp_md *ctx)
{
	return handle(ctx, true);
}

/*
 * For generic XDP: does not accept an open checksum, since the kernel would complete it a second
 * time.
 */
SEC("xdp")
int sluice_meet_g(struct xdp_md *ctx)
{
	return handle(ctx, false);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
