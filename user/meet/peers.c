// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peers.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ALLOW	     "allow="
#define BLANKS	     " \t\r\n"
#define PROBLEMS_MAX 20 /* the file may be something else */
#define LINE_SIZE    65536

struct parser {
	const char *path;
	struct peers peers;
	struct err *err;
	unsigned int line, problems;
	size_t used; /* of err->detail */
};

__attribute__((format(printf, 3, 4))) static void problem(struct parser *parser, unsigned int line,
							  const char *fmt, ...)
{
	char text[256];
	va_list args;
	int length;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	length = snprintf(parser->err->detail + parser->used,
			  sizeof(parser->err->detail) - parser->used, "%s:%u: %s\n", parser->path,
			  line, text_controls(text, false));
	if (length > 0 && (size_t)length < sizeof(parser->err->detail) - parser->used)
		parser->used += (size_t)length;
	parser->err->detail[parser->used] = '\0';
	parser->problems++;
}

bool peers_name_is_valid(const char *text, size_t length)
{
	size_t i;

	if (!length || length > PEER_NAME_MAX || !isalnum((unsigned char)text[0]))
		return false;
	for (i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && !memchr("._-", text[i], 3))
			return false;
	return true;
}

static void peer_free(struct peers *peers, struct peer *peer)
{
	HASH_DEL(peers->by_name, peer);
	explicit_bzero(peer->key, sizeof(peer->key));
	free(peer->allow);
	free(peer);
	peers->count--;
}

/* Checks the syntax of a list of names. Their existence is checked after the last line. */
static int parse_allow(struct parser *parser, struct peer *peer, const char *list)
{
	const char *at = list;
	size_t length;

	for (; *at; at += length + (at[length] == ',')) {
		length = strcspn(at, ",");
		if (!peers_name_is_valid(at, length)) {
			problem(parser, parser->line, ALLOW "%s: '%.*s' is not a name", list,
				(int)length, at);
			return 0;
		}
	}
	peer->allow = strdup(list);
	return peer->allow ? 0 : -ENOMEM;
}

static int parse_line(struct parser *parser, char *line)
{
	char *rest = NULL, *name = strtok_r(line, BLANKS, &rest), *key, *word;
	const struct peer *before;
	struct peer *peer;
	int result = 0;

	if (!name || *name == '#')
		return 0;
	key = strtok_r(NULL, BLANKS, &rest);
	if (!peers_name_is_valid(name, strlen(name))) {
		problem(parser, parser->line,
			"'%s' is not a name: up to %d letters, digits, '.', '_' and '-', the first"
			" one a letter or digit",
			name, PEER_NAME_MAX);
		return 0;
	}
	before = peers_find(&parser->peers, name, strlen(name));
	if (before) {
		problem(parser, parser->line, "%s is also in line %u", name, before->line);
		return 0;
	}
	peer = calloc(1, sizeof(*peer) + strlen(name) + 1);
	if (!peer)
		return -ENOMEM;
	strcpy(peer->name, name);
	peer->line = parser->line;
	HASH_ADD_KEYPTR(hh, parser->peers.by_name, peer->name, strlen(peer->name), peer);
	if (!peer->hh.tbl) {
		free(peer);
		return -ENOMEM;
	}
	parser->peers.count++;
	if (!key)
		problem(parser, parser->line, "%s has no public key", name);
	else if (key_parse(key, peer->public_key))
		problem(parser, parser->line,
			"%s: '%s' is not a public key: 44 characters of base64, which 'sluice peer"
			" key --public' prints",
			name, key);
	else if (key_is_weak(peer->public_key))
		problem(parser, parser->line,
			"%s: '%s' is a key of small order, with which no secret can be shared",
			name, key);
	while (!result && (word = strtok_r(NULL, BLANKS, &rest))) {
		if (strncmp(word, ALLOW, strlen(ALLOW)) || peer->allow)
			problem(parser, parser->line,
				"unexpected word '%s'; " ALLOW "NAME,... may follow the key, once",
				word);
		else
			result = parse_allow(parser, peer, word + strlen(ALLOW));
	}
	return result;
}

static void check_allowed(struct parser *parser)
{
	const struct peer *peer;
	const char *at;
	size_t length;

	for (peer = parser->peers.by_name; peer; peer = peer->hh.next)
		for (at = peer->allow ? peer->allow : ""; *at && parser->problems < PROBLEMS_MAX;
		     at += length + (at[length] == ',')) {
			length = strcspn(at, ",");
			if (!peers_find(&parser->peers, at, length))
				problem(parser, peer->line, ALLOW "%.*s: no peer has this name",
					(int)length, at);
		}
}

int peers_parse(FILE *file, const char *path, struct peers *peers, struct err *err)
{
	struct parser parser = { .path = path, .err = err };
	char *line = malloc(LINE_SIZE);
	int result = line ? 0 : -ENOMEM;

	err->detail[0] = '\0';
	while (!result && parser.problems < PROBLEMS_MAX && fgets(line, LINE_SIZE, file)) {
		parser.line++;
		if (!strchr(line, '\n') && !feof(file)) {
			problem(&parser, parser.line,
				"the line holds a NUL byte, or more than %d bytes", LINE_SIZE - 2);
			break;
		}
		result = parse_line(&parser, line);
	}
	if (!result && ferror(file))
		result = errno ? -errno : -EIO;
	if (!result && !parser.problems)
		check_allowed(&parser);
	free(line);
	if (!result && !parser.problems) {
		*peers = parser.peers;
		return 0;
	}
	peers_free(&parser.peers);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "%s: cannot read the peers: %s", path,
			       strerror(-result));
	/* err_set() clears the details */
	err->code = EXIT_USAGE;
	err->hint[0] = '\0';
	snprintf(err->what, sizeof(err->what), "%s: %s%u mistake%s in the peers file", path,
		 parser.problems < PROBLEMS_MAX ? "" : "stopped after ", parser.problems,
		 parser.problems > 1 ? "s" : "");
	return -EINVAL;
}

int peers_load(const char *path, struct peers *peers, struct err *err)
{
	FILE *file = fopen(path, "re");
	int result;

	if (!file)
		return err_hint(err,
				err_set(err, errno == ENOENT ? EXIT_USAGE : EXIT_ERROR, errno,
					"%s: cannot read the peers: %s", path, strerror(errno)),
				"the file has a line for each peer: NAME PUBLIC-KEY"
				" [allow=NAME,...]; it holds no secrets, and the user that the"
				" server runs as must be able to read it");
	result = peers_parse(file, path, peers, err);
	fclose(file);
	return result;
}

void peers_free(struct peers *peers)
{
	while (peers->by_name)
		peer_free(peers, peers->by_name);
}

struct peer *peers_find(const struct peers *peers, const char *name, size_t length)
{
	struct peer *peer;

	HASH_FIND(hh, peers->by_name, name, length, peer);
	return peer;
}

bool peers_allow(const struct peer *to, const struct peer *from)
{
	const char *at = to->allow;
	size_t length, wanted = strlen(from->name);

	if (!at)
		return true;
	for (; *at; at += length + (at[length] == ',')) {
		length = strcspn(at, ",");
		if (length == wanted && !memcmp(at, from->name, length))
			return true;
	}
	return false;
}

const uint8_t *peers_key(struct peer *peer, const uint8_t secret[KEY_SIZE])
{
	if (!peer->has_key && key_derive(peer->key, secret, peer->public_key))
		return NULL;
	peer->has_key = true;
	return peer->key;
}
