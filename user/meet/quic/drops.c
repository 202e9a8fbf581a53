// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/quic/drops.h"

#include "base/log.h"

#include <string.h>

#define INTERVAL_NS 10000000000ULL

static const char *const keys[DROP_REASONS] = {
	[DROP_QUEUE] = "path_slow",
	[DROP_RECEIVE] = "receive_queue_full",
	[DROP_DELIVERY] = "not_taken",
	[DROP_FLOW] = "no_flow",
};

void drops_log(struct drops *drops, const char *peer, bool last, uint64_t now_ns)
{
	struct log_line line;
	unsigned int i;

	if (!memcmp(drops->count, drops->logged, sizeof(drops->count)))
		return;
	if (!last && drops->logged_ns && now_ns - drops->logged_ns < INTERVAL_NS)
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "datagrams dropped");
	log_field(&line, "peer", "%s", peer);
	for (i = 0; i < DROP_REASONS; i++)
		if (drops->count[i] != drops->logged[i])
			log_field(&line, keys[i], "%llu",
				  (unsigned long long)(drops->count[i] - drops->logged[i]));
	log_end(&line);
	memcpy(drops->logged, drops->count, sizeof(drops->logged));
	drops->logged_ns = now_ns;
}
