// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/options.h"

#include "base/addr.h"
#include "hold/hold.h"
#include "hold/send_options.h"

#include <errno.h>

/* Parses ADDR:PORT. */
static int parse_server(const struct opt_value *v, struct err *err)
{
	struct stun_endpoint *server = v->field;

	if (addr_parse_port(v->text, &server->addr, &server->port_be))
		return 0;
	return err_hint(err,
			err_set(err, EXIT_USAGE, EINVAL, "%s%s'%s' is not an address and a port",
				OPT_WHAT(v->what), v->text),
			"give the address of a STUN server, as in 192.0.2.1:3478 or"
			" [2001:db8::1]:3478");
}

const char *const hold_payloads[] = { "empty", "stun", "crlf", "ff", "zero", NULL };

#define HOLD_FIELD(field) offsetof(struct hold_options, field)

const struct opt hold_opts[] = {
	{ "port", 0, "LIST", opt_ports, HOLD_FIELD(ports),
	  "local or remote ports of the flows to keep alive, as in 5060,10000-20000, or any;"
	  " required" },
	{ "table", 0, "N", opt_u32, HOLD_FIELD(table),
	  "size of the flow table, in flows of about 350 bytes", .min = HOLD_TABLE_MIN,
	  .max = HOLD_TABLE_MAX, .preset = OPT_TEXT(HOLD_TABLE_DEFAULT) },
	{ "max", 0, "SECONDS", opt_u64, HOLD_FIELD(max_s),
	  "how long to keep a flow alive after the application's last datagram in either"
	  " direction; 0: until its socket closes",
	  .max = HOLD_MAX_MAX, .preset = OPT_TEXT(HOLD_MAX_DEFAULT) },
	{ "dry-run", 'n', NULL, opt_switch, HOLD_FIELD(dry_run),
	  "run the verifier, list the programs to attach, change nothing", .side = OPT_LINE },
	{ .name = NULL },
};

#define SEND_FIELD(field) offsetof(struct hold_send_options, field)

const struct opt hold_send_opts[] = {
	{ "interval", 0, "SECONDS", opt_u32, SEND_FIELD(interval_s),
	  "send a keepalive after this time of silence, or up to a sixth of it earlier (default: 18,"
	  " or the result of a probe)",
	  .side = OPT_FILE, .min = 1, .max = 3600 },
	{ "interval_max", 0, "SECONDS", opt_u32, SEND_FIELD(interval_max_s),
	  "the longest interval that a probe may set", .side = OPT_FILE, .min = 15, .max = 3600,
	  .preset = OPT_TEXT(HOLD_INTERVAL_MAX_DEFAULT) },
	{ "ttl", 0, "N", opt_u32, SEND_FIELD(ttl),
	  "TTL or hop limit of an empty keepalive: enough to pass the NAT, too low to reach the peer",
	  .side = OPT_FILE, .min = 1, .max = 255, .preset = OPT_TEXT(HOLD_TTL_DEFAULT) },
	{ "payload", 0, "PAYLOAD", opt_word, SEND_FIELD(payload),
	  "the content of a keepalive: empty, which expires before the peer; or, at full TTL, for"
	  " protocols that accept it, stun (RFC 8445), crlf (RFC 5626), ff (RFC 3948) or zero",
	  .side = OPT_FILE, .words = hold_payloads, .noun = "payload", .preset = "empty" },
	{ "rate", 0, "N", opt_u32, SEND_FIELD(rate),
	  "limit on keepalives per second, in total; the longest silent flows come first",
	  .side = OPT_FILE, .min = 1, .max = 10000000, .preset = OPT_TEXT(HOLD_RATE_DEFAULT) },
	{ "rate_netns", 0, "N", opt_u32, SEND_FIELD(rate_netns),
	  "limit on keepalives per second of a network namespace", .side = OPT_FILE, .min = 1,
	  .max = 10000000, .preset = OPT_TEXT(HOLD_RATE_DEFAULT) },
	{ "outermost", 0, "yes | no", opt_word, SEND_FIELD(outermost),
	  "yes if this host is the outermost NAT: the daemon renews its conntrack entries instead"
	  " of sending keepalives",
	  .side = OPT_FILE, .words = (const char *const[]){ "no", "yes", NULL }, .noun = "answer",
	  .preset = "no" },
	{ "probe", 0, "ADDR:PORT", parse_server, SEND_FIELD(probe),
	  "a STUN server with RESPONSE-PORT (RFC 5780), to measure the lifetime of a mapping",
	  .side = OPT_FILE },
	{ .name = NULL },
};
