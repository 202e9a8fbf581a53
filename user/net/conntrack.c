// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libnetfilter_conntrack builds and parses the messages. Its sockets (nfct_query) were rejected:
 * they do not report an interrupted dump, and send no CTA_ID. Without CTA_ID, a request could
 * delete an entry that has just replaced the intended one.
 */
#include "net/conntrack.h"

#include "base/addr.h"
#include "base/array.h"
#include "base/clock.h"
#include "net/inet.h"
#include "net/nl.h"

#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>

/* --- the table */

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int conntrack_order(const void *left, const void *right)
{
	const struct ct_entry *a = left, *b = right;
	int result = memcmp(&a->original.dst, &b->original.dst, sizeof(a->original.dst));

	if (!result)
		result = order(ntohs(a->original.dst_port_be), ntohs(b->original.dst_port_be));
	if (!result)
		result = order(ntohs(a->original.src_port_be), ntohs(b->original.src_port_be));
	if (!result)
		result = memcmp(&a->original.src, &b->original.src, sizeof(a->original.src));
	return result ? result : order(a->original_zone, b->original_zone);
}

/* Drops duplicates too: the kernel may dump an entry twice if the table changes during the dump. */
void conntrack_sort(struct ct_table *table)
{
	size_t i, kept = 0;

	if (!table->count)
		return;
	qsort(table->entry, table->count, sizeof(*table->entry), conntrack_order);
	for (i = 1; i < table->count; i++)
		if (conntrack_order(&table->entry[kept], &table->entry[i]))
			table->entry[++kept] = table->entry[i];
	table->count = kept + 1;
}

const struct ct_entry *conntrack_find(const struct ct_table *table, const struct ct_entry *like)
{
	if (!table->count)
		return NULL;
	return bsearch(like, table->entry, table->count, sizeof(*like), conntrack_order);
}

static bool same_tuple(const struct ct_tuple *a, const struct ct_tuple *b)
{
	return IN6_ARE_ADDR_EQUAL(&a->src, &b->src) && IN6_ARE_ADDR_EQUAL(&a->dst, &b->dst) &&
	       a->src_port_be == b->src_port_be && a->dst_port_be == b->dst_port_be;
}

bool conntrack_same(const struct ct_entry *a, const struct ct_entry *b)
{
	return a->id == b->id && same_tuple(&a->original, &b->original) &&
	       same_tuple(&a->reply, &b->reply) && a->original_zone == b->original_zone &&
	       a->reply_zone == b->reply_zone;
}

bool conntrack_is_dnat(const struct ct_entry *entry)
{
	return !IN6_ARE_ADDR_EQUAL(&entry->original.dst, &entry->reply.src) ||
	       entry->original.dst_port_be != entry->reply.src_port_be;
}

bool conntrack_is_snat(const struct ct_entry *entry)
{
	return !IN6_ARE_ADDR_EQUAL(&entry->original.src, &entry->reply.dst) ||
	       entry->original.src_port_be != entry->reply.dst_port_be;
}

int conntrack_add(struct ct_table *table, const struct ct_entry *entry)
{
	int result = array_grow((void **)&table->entry, &table->room, table->count, sizeof(*entry));

	if (!result)
		table->entry[table->count++] = *entry;
	return result;
}

void conntrack_free(struct ct_table *table)
{
	free(table->entry);
	*table = (struct ct_table){ .entry = NULL };
}

/* --- parsing */

static struct in6_addr address(const struct nf_conntrack *ct, bool ip4,
			       enum nf_conntrack_attr attr4, enum nf_conntrack_attr attr6)
{
	struct in6_addr addr = in6addr_any;
	const void *bytes = nfct_get_attr(ct, ip4 ? attr4 : attr6);

	if (bytes && ip4)
		addr = inet_from_ip4(nfct_get_attr_u32(ct, attr4));
	else if (bytes)
		memcpy(&addr, bytes, sizeof(addr));
	return addr;
}

static struct ct_counters counters(const struct nf_conntrack *ct, enum nf_conntrack_attr packets,
				   enum nf_conntrack_attr bytes)
{
	return (struct ct_counters){ .packets = nfct_get_attr_u64(ct, packets),
				     .bytes = nfct_get_attr_u64(ct, bytes) };
}

/* Returns MNL_CB_OK with *entry set, MNL_CB_STOP if the entry is not UDP, or MNL_CB_ERROR. */
static int entry_parse(const struct nlmsghdr *nlh, struct ct_entry *entry)
{
	struct nf_conntrack *ct = nfct_new();
	int result = MNL_CB_ERROR;
	bool ip4;

	if (!ct)
		return result;
	if (nfct_nlmsg_parse(nlh, ct))
		goto out;
	result = MNL_CB_STOP;
	if (nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO) != IPPROTO_UDP)
		goto out;
	result = MNL_CB_OK;
	ip4 = nfct_get_attr_u8(ct, ATTR_ORIG_L3PROTO) == AF_INET;
	*entry = (struct ct_entry){
		.original = { .src = address(ct, ip4, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC),
			      .dst = address(ct, ip4, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST),
			      .src_port_be = nfct_get_attr_u16(ct, ATTR_ORIG_PORT_SRC),
			      .dst_port_be = nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST) },
		.reply = { .src = address(ct, ip4, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC),
			   .dst = address(ct, ip4, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST),
			   .src_port_be = nfct_get_attr_u16(ct, ATTR_REPL_PORT_SRC),
			   .dst_port_be = nfct_get_attr_u16(ct, ATTR_REPL_PORT_DST) },
		.id = nfct_get_attr_u32(ct, ATTR_ID),
		.status = nfct_get_attr_u32(ct, ATTR_STATUS),
		.mark = nfct_get_attr_u32(ct, ATTR_MARK),
		.timeout_s = nfct_get_attr_u32(ct, ATTR_TIMEOUT),
		.counted = nfct_attr_is_set(ct, ATTR_ORIG_COUNTER_PACKETS),
		.original_count = counters(ct, ATTR_ORIG_COUNTER_PACKETS, ATTR_ORIG_COUNTER_BYTES),
		.reply_count = counters(ct, ATTR_REPL_COUNTER_PACKETS, ATTR_REPL_COUNTER_BYTES),
	};
	/* if only one direction has a zone, the other direction is in zone 0 */
	entry->original_zone = entry->reply_zone = nfct_get_attr_u16(ct, ATTR_ZONE);
	if (nfct_attr_is_set(ct, ATTR_ORIG_ZONE))
		entry->original_zone = nfct_get_attr_u16(ct, ATTR_ORIG_ZONE);
	if (nfct_attr_is_set(ct, ATTR_REPL_ZONE))
		entry->reply_zone = nfct_get_attr_u16(ct, ATTR_REPL_ZONE);
out:
	nfct_destroy(ct);
	return result;
}

/* --- dump */

static void table_request(struct nlmsghdr *nlh, void *into)
{
	struct nfgenmsg *msg;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->nfgen_family = AF_UNSPEC;
	msg->version = NFNETLINK_V0;
}

static int table_parse(const struct nlmsghdr *nlh, void *into)
{
	struct ct_entry entry;
	int result = entry_parse(nlh, &entry);

	if (result == MNL_CB_ERROR)
		return result;
	if (result == MNL_CB_STOP || !conntrack_add(into, &entry))
		return MNL_CB_OK;
	errno = ENOMEM;
	return MNL_CB_ERROR;
}

static void table_clear(void *into)
{
	((struct ct_table *)into)->count = 0;
}

int conntrack_refused(int result, struct err *err)
{
	switch (-result) {
	case EPERM:
	case EACCES:
		return err_hint(err,
				err_set(err, EXIT_PERMISSION, -result,
					"connection tracking: %s: CAP_NET_ADMIN is needed",
					strerror(-result)),
				"run as root, or with that capability in the network namespace");
	case EINVAL:
	case EOPNOTSUPP:
	case EPROTONOSUPPORT:
		return err_hint(
			err,
			err_set(err, EXIT_LACKING, -result,
				"the kernel has no nf_conntrack_netlink "
				"(CONFIG_NF_CT_NETLINK, Linux 2.6.14)"),
			"try 'modprobe nf_conntrack_netlink'; sluice cannot read entries without it");
	case EAGAIN:
		return err_hint(err,
				err_set(err, EXIT_ERROR, EAGAIN,
					"the connection tracking table changes faster than it can "
					"be read"),
				"try again in a moment");
	}
	return err_set(err, EXIT_ERROR, -result, "connection tracking: %s", strerror(-result));
}

int conntrack_read(struct ct_table *table, struct err *err)
{
	static const struct nl_dump dump = { NETLINK_NETFILTER, table_request, table_parse,
					     table_clear };
	int result;

	table->begin_ms = clock_now_ns(CLOCK_BOOTTIME) / 1000000;
	result = nl_dump(&dump, table);
	table->end_ms = clock_now_ns(CLOCK_BOOTTIME) / 1000000;
	if (result) {
		conntrack_free(table);
		return conntrack_refused(result, err);
	}
	conntrack_sort(table);
	return 0;
}

/* --- single entries */

int conntrack_open(struct nl **nl)
{
	return nl_open(nl, NETLINK_NETFILTER);
}

/* Builds a request for one entry; returns NULL on ENOMEM. */
static struct nlmsghdr *entry_request(struct nl *nl, uint16_t type, const struct ct_entry *entry)
{
	const struct ct_tuple *tuple = &entry->original;
	bool ip4 = addr_is_ip4(&tuple->src);
	size_t skip = ip4 ? 12 : 0;
	struct nlmsghdr *nlh = nl_request(nl);
	struct nf_conntrack *ct = nfct_new();
	struct nfgenmsg *msg;

	if (!ct)
		return NULL;
	nfct_set_attr_u8(ct, ATTR_ORIG_L3PROTO, ip4 ? AF_INET : AF_INET6);
	nfct_set_attr_u8(ct, ATTR_ORIG_L4PROTO, IPPROTO_UDP);
	nfct_set_attr(ct, ip4 ? ATTR_ORIG_IPV4_SRC : ATTR_ORIG_IPV6_SRC, &tuple->src.s6_addr[skip]);
	nfct_set_attr(ct, ip4 ? ATTR_ORIG_IPV4_DST : ATTR_ORIG_IPV6_DST, &tuple->dst.s6_addr[skip]);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, tuple->src_port_be);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_DST, tuple->dst_port_be);
	if (entry->original_zone)
		nfct_set_attr_u16(ct, ATTR_ZONE, entry->original_zone);
	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->nfgen_family = ip4 ? AF_INET : AF_INET6;
	msg->version = NFNETLINK_V0;
	nfct_nlmsg_build(nlh, ct);
	nfct_destroy(ct);
	return nlh;
}

struct answer {
	struct ct_entry *entry;
	bool received;
};

static int parse_answer(const struct nlmsghdr *nlh, void *into)
{
	struct answer *answer = into;
	int result = entry_parse(nlh, answer->entry);

	answer->received = result == MNL_CB_OK;
	return result == MNL_CB_ERROR ? result : MNL_CB_OK;
}

int conntrack_get(struct nl *nl, const struct ct_entry *entry, struct ct_entry *now)
{
	struct nlmsghdr *nlh = entry_request(nl, IPCTNL_MSG_CT_GET, entry);
	struct answer answer = { .entry = now };
	int result = nlh ? nl_query(nl, nlh, parse_answer, &answer) : -ENOMEM;

	return result || answer.received ? result : -ENOENT;
}

/* ctnetlink_del_conntrack() returns -ENOENT if the id differs. */
int conntrack_delete(struct nl *nl, const struct ct_entry *entry)
{
	struct nlmsghdr *nlh = entry_request(nl, IPCTNL_MSG_CT_DELETE, entry);

	if (!nlh)
		return -ENOMEM;
	mnl_attr_put_u32(nlh, CTA_ID, htonl(entry->id));
	return nl_query(nl, nlh, NULL, NULL);
}

/* Without NLM_F_CREATE, the request cannot create an entry. */
int conntrack_renew(struct nl *nl, const struct ct_entry *entry, uint32_t timeout_s)
{
	struct nlmsghdr *nlh = entry_request(nl, IPCTNL_MSG_CT_NEW, entry);

	if (!nlh)
		return -ENOMEM;
	mnl_attr_put_u32(nlh, CTA_TIMEOUT, htonl(timeout_s));
	return nl_query(nl, nlh, NULL, NULL);
}
