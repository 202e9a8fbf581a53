// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The members of pools: further TCP connections to a peer whose path is TCP. This process lends its
 * own (lending.c), and accepts those of other peers. peer/member.h describes how two peers agree on
 * one.
 */
#include "base/log.h"
#include "meet/node/node.h"

#include <errno.h>
#include <string.h>

/* Members of all peers: an equal number of slots remains for paths. */
#define MEMBERS_MAX (NODE_LINKS_MAX / 2)

static int free_slot(const struct node *node)
{
	int slot;

	for (slot = 0; slot < NODE_LINKS_MAX; slot++)
		if (!node->by_slot[slot])
			return slot;
	return -1;
}

/* --- the list of members, at both peers */

int node_members_add(struct node *node, struct link *path, struct tcp_paths *tcp,
		     const struct introduction *introduction, struct link **link)
{
	int slot = free_slot(node), result;

	if (slot < 0)
		return -ENOSPC;
	result = link_new_member(link, path, tcp, introduction, (unsigned int)slot,
				 runtime_now_ns());
	if (result)
		return result;
	(*link)->next = node->members;
	node->members = *link;
	node->by_slot[slot] = *link;
	return 0;
}

void node_members_remove(struct node *node, struct link *link)
{
	struct link **at = &node->members;

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	node->by_slot[link->slot] = NULL;
	link_free(link, runtime_now_ns());
}

unsigned int node_members_count(const struct node *node, const struct link *link)
{
	const struct link *member;
	unsigned int count = 0;

	for (member = node->members; member; member = member->next)
		count += member->parent == link && member->ready;
	return count;
}

/* --- the exposing peer */

/*
 * Returns true if the other peer has this IP address: its introduction by the server has named it,
 * and the server has checked it, or its path uses it. So a member cannot name a victim.
 */
static bool is_own_address(const struct link *path, const struct in6_addr *addr)
{
	const struct introduction *introduction = peer_session_introduction(path->session);
	const struct peer_session_remote *remote = peer_session_path(path->session);
	unsigned int i;

	for (i = 0; i < introduction->candidates; i++)
		if (IN6_ARE_ADDR_EQUAL(&introduction->candidate[i].at.addr, addr))
			return true;
	return remote && remote->at.tcp && IN6_ARE_ADDR_EQUAL(&remote->at.addr, addr);
}

/* Counts all members of this link, or with NULL of all links. */
static unsigned int count_all(const struct node *node, const struct link *path)
{
	const struct link *member;
	unsigned int count = 0;

	for (member = node->members; member; member = member->next)
		count += !path || member->parent == path;
	return count;
}

static enum service_code refuse(const struct link *path, enum service_code code)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_DEBUG, "member refused");
	log_field(&line, "peer", "%s", path->name);
	log_field(&line, "reason", "%s", service_describe(code));
	log_end(&line);
	return code;
}

enum service_code node_members_requested(void *arg, struct link *path,
					 const struct member_request *request,
					 uint8_t key[KEY_SIZE])
{
	struct node *node = arg;
	struct member_request other = *request;
	struct introduction introduction;
	uint8_t secret[KEY_SIZE];
	struct link *link;
	unsigned int i;
	int result;

	/* only the connecting peer has a pool, over a path that is TCP */
	if (path->initiator || path->parent || !node->runtime.tcp)
		return refuse(path, SERVICE_UNKNOWN);
	if (count_all(node, path) >= MEMBERS_PEER_MAX || count_all(node, NULL) >= MEMBERS_MAX)
		return refuse(path, SERVICE_LIMIT);
	other.addresses = 0;
	for (i = 0; i < request->addresses; i++)
		if (is_own_address(path, &request->at[i].addr))
			other.at[other.addresses++] = request->at[i];
	if (key_generate(secret))
		return refuse(path, SERVICE_LIMIT);
	key_public(key, secret);
	member_introduce(&introduction, peer_session_introduction(path->session), &other, secret,
			 false, runtime_now_ns());
	result = node_members_add(node, path, NULL, &introduction, &link);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(&introduction, sizeof(introduction));
	return result ? refuse(path, SERVICE_LIMIT) : SERVICE_OK;
}

/* Frees the members that have ended; lending.c frees those of the own pool. */
static void reap(struct node *node)
{
	struct link *link, *next;

	for (link = node->members; link; link = next) {
		next = link->next;
		if (link->end[0] && !link->tcp)
			node_members_remove(node, link);
	}
}

/* --- all members */

void node_members_update(struct node *node, uint64_t now_ns)
{
	struct link *link;

	for (link = node->members; link; link = link->next)
		link_update(link, now_ns);
	reap(node);
}

uint64_t node_members_due_ns(const struct node *node)
{
	uint64_t due_ns = UINT64_MAX;
	const struct link *link;

	for (link = node->members; link; link = link->next)
		if (link_due_ns(link) < due_ns)
			due_ns = link_due_ns(link);
	return due_ns;
}

void node_members_orphan(struct node *node, const struct link *path)
{
	struct link *link, *next;

	node_pool_orphan(node, path);
	for (link = node->members; link; link = next) {
		next = link->next;
		if (link->parent == path)
			node_members_remove(node, link);
	}
}

void node_members_close(struct node *node)
{
	while (node->members)
		node_members_remove(node, node->members);
}
