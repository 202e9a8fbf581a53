// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/forward/udp_flows.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "meet/quic/drops.h"
#include "net/sockaddr.h"
#include "net/udp_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define READS	      4 /* system calls per wake-up, so that other descriptors are not starved */
#define DATAGRAM_MAX  65535 /* maximum value of the length field */
#define STREAM_HEADER 4
/* Datagrams per system call to a local program, fewer than its socket's default queue holds. */
#define DELIVERY      32
#define DELIVERY_SIZE 32768

struct flow {
	UT_hash_handle by_id, by_source;
	TAILQ_ENTRY(flow) entry; /* sorted by idle time, longest first */
	struct udp_flows *flows;
	uint64_t used_ns;
	uint16_t id;
	struct stun_endpoint source; /* source address of a local program */
	int fd;			     /* to the exposed service, or -1 */
	uint32_t lost;		     /* drop count of the kernel for fd */
	struct loop_watch *watch;
};

TAILQ_HEAD(flow_list, flow);

struct udp_flows {
	struct udp_flows_options options;
	struct flow *by_id, *by_source;
	struct flow_list idle;
	struct loop_watch *watch; /* of the listening socket */
	struct loop_timer *timer;
	unsigned int count;
	uint32_t lost; /* drop count of the kernel for the listening socket */
	bool segments; /* UDP_SEGMENT works toward the local program */
	struct log_condition condition;
	uint16_t next_id;
	uint8_t *record; /* a partial record of the stream, `have` bytes long */
	size_t have;
	/* Batch of datagrams for one flow, of the same size except the last. */
	struct flow *to; /* NULL: none */
	size_t length, size;
	uint8_t delivery[DELIVERY_SIZE];
};

static uint64_t now_ns(void)
{
	return clock_now_us() * 1000;
}

static void drop(struct udp_flows *flows, enum drop_reason reason, unsigned int count)
{
	flows->options.drops->count[reason] += count;
}

/* Counts new drops of the kernel. @lost: its total; *before: its previous total. */
static void drop_lost(struct udp_flows *flows, uint32_t *before, uint32_t lost)
{
	drop(flows, DROP_RECEIVE, lost - *before);
	*before = lost;
}

/* --- flows */

static void flow_close(struct flow *flow)
{
	loop_watch_free(flow->flows->options.loop, flow->watch);
	if (flow->fd >= 0)
		close(flow->fd);
	free(flow);
}

static void flow_free(struct flow *flow)
{
	struct udp_flows *flows = flow->flows;

	HASH_DELETE(by_id, flows->by_id, flow);
	if (flow->by_source.tbl)
		HASH_DELETE(by_source, flows->by_source, flow);
	TAILQ_REMOVE(&flows->idle, flow, entry);
	flows->count--;
	if (flows->to == flow)
		flows->to = NULL;
	flow_close(flow);
}

static void flow_used(struct flow *flow)
{
	struct udp_flows *flows = flow->flows;

	flow->used_ns = now_ns();
	TAILQ_REMOVE(&flows->idle, flow, entry);
	TAILQ_INSERT_TAIL(&flows->idle, flow, entry);
}

static void arm(struct udp_flows *flows)
{
	const struct flow *first = TAILQ_FIRST(&flows->idle);
	uint64_t now = now_ns(), due = first ? first->used_ns + UDP_FLOWS_IDLE_NS : 0;

	if (first)
		loop_timer_start(flows->timer, due > now ? (due - now) / 1000 + 1 : 0);
}

static void on_timer(void *arg)
{
	struct udp_flows *flows = arg;
	struct flow *first;

	while ((first = TAILQ_FIRST(&flows->idle)) &&
	       first->used_ns + UDP_FLOWS_IDLE_NS <= now_ns())
		flow_free(first);
	arm(flows);
}

/* Allocates a flow, which is not in the tables yet. Returns NULL on ENOMEM. */
static struct flow *flow_new(struct udp_flows *flows)
{
	struct flow *flow;

	if (flows->count == UDP_FLOWS_MAX)
		flow_free(TAILQ_FIRST(&flows->idle));
	flow = calloc(1, sizeof(*flow));
	if (flow)
		*flow = (struct flow){ .flows = flows, .fd = -1, .used_ns = now_ns() };
	return flow;
}

/* Adds a flow to the tables. Returns false on ENOMEM, with the flow freed. */
static bool flow_add(struct flow *flow)
{
	struct udp_flows *flows = flow->flows;

	HASH_ADD(by_id, flows->by_id, id, sizeof(flow->id), flow);
	if (!flow->by_id.tbl) {
		flow_close(flow);
		return false;
	}
	TAILQ_INSERT_TAIL(&flows->idle, flow, entry);
	flows->count++;
	if (!loop_timer_runs(flows->timer))
		arm(flows);
	return true;
}

static struct flow *find_id(const struct udp_flows *flows, uint16_t id)
{
	struct flow *flow;

	HASH_FIND(by_id, flows->by_id, &id, sizeof(id), flow);
	return flow;
}

/* --- to the other peer */

static void send_in_stream(struct udp_flows *flows, uint16_t id, const uint8_t *data, size_t length)
{
	const uint8_t header[STREAM_HEADER] = { (uint8_t)(id >> 8), (uint8_t)id,
						(uint8_t)(length >> 8), (uint8_t)length };
	struct quic_stream *stream = flows->options.stream;
	struct iovec piece[2];
	size_t space = 0;
	int i, count = quic_stream_space(stream, piece);

	for (i = 0; i < count; i++)
		space += piece[i].iov_len;
	if (space < sizeof(header) + length) {
		drop(flows, DROP_QUEUE, 1);
		return;
	}
	quic_stream_write(stream, header, sizeof(header));
	quic_stream_write(stream, data, length);
}

static void send_to_peer(struct flow *flow, const uint8_t *data, size_t length)
{
	struct udp_flows *flows = flow->flows;
	uint32_t stream = quic_stream_number(flows->options.stream);
	const uint8_t header[UDP_FLOWS_HEADER] = {
		(uint8_t)(stream >> 24), (uint8_t)(stream >> 16),  (uint8_t)(stream >> 8),
		(uint8_t)stream,	 (uint8_t)(flow->id >> 8), (uint8_t)flow->id,
	};
	int result;

	flow_used(flow);
	result = quic_datagram(flows->options.quic, header, sizeof(header), data, length,
			       flow->used_ns);
	if (result == -EMSGSIZE)
		send_in_stream(flows, flow->id, data, length);
	else if (result)
		drop(flows, DROP_QUEUE, 1);
}

/* --- listening peer */

static struct flow *find_source(struct udp_flows *flows, const struct stun_endpoint *source)
{
	struct flow *flow;

	HASH_FIND(by_source, flows->by_source, source, sizeof(*source), flow);
	if (flow)
		return flow;
	flow = flow_new(flows);
	if (!flow)
		return NULL;
	while (find_id(flows, flows->next_id))
		flows->next_id++;
	flow->id = flows->next_id++;
	flow->source = *source;
	if (!flow_add(flow))
		return NULL;
	HASH_ADD(by_source, flows->by_source, source, sizeof(flow->source), flow);
	if (flow->by_source.tbl)
		return flow;
	flow_free(flow);
	return NULL;
}

static void on_request(void *arg, const union any_sockaddr *from, const uint8_t *data,
		       size_t length)
{
	struct udp_flows *flows = arg;
	struct stun_endpoint source;
	struct flow *flow;

	memset(&source, 0, sizeof(source));
	endpoint_from_sockaddr(&source, from);
	flow = find_source(flows, &source);
	if (flow)
		send_to_peer(flow, data, length);
	else
		drop(flows, DROP_FLOW, 1);
}

static void on_listen(void *arg)
{
	struct udp_flows *flows = arg;
	uint32_t lost = flows->lost;
	int i, got = UDP_IO_BATCH;

	/* more datagrams may be queued behind an ICMP error */
	for (i = 0; i < READS && (got == UDP_IO_BATCH || (got < 0 && got != -EAGAIN)); i++)
		got = udp_io_read(flows->options.listen_fd, on_request, flows, &lost);
	drop_lost(flows, &flows->lost, lost);
	flows->options.flush(flows->options.arg);
}

/* --- exposing peer */

static void on_answer(void *arg, const union any_sockaddr *from, const uint8_t *data, size_t length)
{
	struct flow *flow = arg;

	send_to_peer(flow, data, length);
	log_condition_set(&flow->flows->condition, NULL);
}

static void on_service(void *arg)
{
	struct flow *flow = arg;
	struct udp_flows *flows = flow->flows;
	uint32_t lost = flow->lost;
	char text[256];
	int i, result = UDP_IO_BATCH;

	for (i = 0; i < READS && result == UDP_IO_BATCH; i++)
		result = udp_io_read(flow->fd, on_answer, flow, &lost);
	drop_lost(flows, &flow->lost, lost);
	if (result < 0 && result != -EAGAIN) {
		snprintf(text, sizeof(text), "%s", strerror(-result));
		if (log_condition_set(&flows->condition, text)) {
			struct log_line line;

			log_begin(&line, LOG_LEVEL_WARNING, "exposed service does not answer");
			log_field(&line, "service", "%s", flows->options.service);
			log_field(&line, "peer", "%s", flows->options.peer);
			log_field(&line, "reason", "%s", text);
			log_end(&line);
		}
	}
	flows->options.flush(flows->options.arg);
}

static struct flow *open_flow(struct udp_flows *flows, uint16_t id)
{
	struct flow *flow = flow_new(flows);
	union any_sockaddr addr;
	socklen_t size = endpoint_to_sockaddr(&flows->options.at, 0, &addr);

	if (!flow)
		return NULL;
	flow->id = id;
	flow->fd = socket(addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (flow->fd >= 0 && !connect(flow->fd, &addr.sa, size))
		flow->watch = loop_watch(flows->options.loop, flow->fd, on_service, flow);
	if (!flow->watch || loop_watch_want(flow->watch, true, false)) {
		flow_close(flow);
		return NULL;
	}
	udp_io_prepare(flow->fd);
	return flow_add(flow) ? flow : NULL;
}

/* --- from the other peer */

static void deliver_now(struct flow *flow, const uint8_t *data, size_t length, size_t size)
{
	struct udp_flows *flows = flow->flows;
	bool listens = flows->options.listen_fd >= 0;
	union any_sockaddr addr;
	socklen_t addr_size = listens ? endpoint_to_sockaddr(&flow->source, 0, &addr) : 0;

	drop(flows, DROP_DELIVERY,
	     udp_io_write(listens ? flows->options.listen_fd : flow->fd, &flows->segments,
			  listens ? &addr : NULL, addr_size, data, length, size, 0));
}

void udp_flows_deliver(struct udp_flows *flows)
{
	if (flows->to)
		deliver_now(flows->to, flows->delivery, flows->length, flows->size);
	flows->to = NULL;
	flows->length = 0;
}

/*
 * Adds a datagram to the batch. All datagrams except the last have the same size, which is not 0.
 */
static void deliver_later(struct flow *flow, const uint8_t *data, size_t length)
{
	struct udp_flows *flows = flow->flows;

	if (flows->to != flow || length > flows->size || flows->length + length > DELIVERY_SIZE)
		udp_flows_deliver(flows);
	if (!flows->to)
		flows->size = length;
	flows->to = flow;
	memcpy(flows->delivery + flows->length, data, length);
	flows->length += length;
	if (length < flows->size || flows->length >= DELIVERY * flows->size)
		udp_flows_deliver(flows);
}

static void deliver(struct udp_flows *flows, uint16_t id, const uint8_t *data, size_t length)
{
	struct flow *flow = find_id(flows, id);

	if (!flow && flows->options.listen_fd < 0)
		flow = open_flow(flows, id);
	if (!flow) {
		drop(flows, DROP_FLOW, 1);
		return;
	}
	flow_used(flow);
	if (length && length <= QUIC_DATAGRAM_MAX) {
		deliver_later(flow, data, length);
		return;
	}
	udp_flows_deliver(flows);
	deliver_now(flow, data, length, length);
}

bool udp_flows_stream_of(const uint8_t *data, size_t length, uint32_t *stream)
{
	if (length < UDP_FLOWS_HEADER)
		return false;
	*stream = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 |
		  data[3];
	return true;
}

void udp_flows_datagram(struct udp_flows *flows, const uint8_t *data, size_t length)
{
	if (length >= UDP_FLOWS_HEADER)
		deliver(flows, (uint16_t)(data[4] << 8 | data[5]), data + UDP_FLOWS_HEADER,
			length - UDP_FLOWS_HEADER);
}

int udp_flows_data(struct udp_flows *flows, const uint8_t *data, size_t length)
{
	size_t part, want;

	if (!flows->record)
		flows->record = malloc(STREAM_HEADER + DATAGRAM_MAX);
	if (!flows->record)
		return -ENOMEM;
	while (length) {
		const uint8_t *record = flows->record;

		want = STREAM_HEADER;
		if (flows->have >= STREAM_HEADER)
			want += (size_t)(record[2] << 8 | record[3]);
		part = want - flows->have < length ? want - flows->have : length;
		memcpy(flows->record + flows->have, data, part);
		flows->have += part;
		data += part;
		length -= part;
		if (flows->have < STREAM_HEADER)
			return 0;
		want = STREAM_HEADER + (size_t)(record[2] << 8 | record[3]);
		if (flows->have < want)
			continue;
		deliver(flows, (uint16_t)(record[0] << 8 | record[1]), record + STREAM_HEADER,
			want - STREAM_HEADER);
		flows->have = 0;
	}
	return 0;
}

/* --- creation */

int udp_flows_new(struct udp_flows **flows, const struct udp_flows_options *options)
{
	struct udp_flows *created = calloc(1, sizeof(*created));

	if (!created)
		return -ENOMEM;
	created->options = *options;
	created->segments = true;
	TAILQ_INIT(&created->idle);
	created->timer = loop_timer(options->loop, false, on_timer, created);
	if (options->listen_fd >= 0)
		created->watch = loop_watch(options->loop, options->listen_fd, on_listen, created);
	if (!created->timer ||
	    (options->listen_fd >= 0 &&
	     (!created->watch || loop_watch_want(created->watch, true, false)))) {
		udp_flows_free(created);
		return -ENOMEM;
	}
	*flows = created;
	return 0;
}

void udp_flows_free(struct udp_flows *flows)
{
	if (!flows)
		return;
	while (!TAILQ_EMPTY(&flows->idle))
		flow_free(TAILQ_FIRST(&flows->idle));
	loop_watch_free(flows->options.loop, flows->watch);
	loop_timer_free(flows->options.loop, flows->timer);
	free(flows->record);
	free(flows);
}
