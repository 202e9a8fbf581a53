// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice peer key: creates a private key, or prints the public key of a private key. */
#include "meet/key.h"
#include "cmd/command.h"

#include <errno.h>
#include <string.h>

static struct options {
	bool public;
} options;

static const struct opt opts[] = {
	{ "public", 0, NULL, opt_switch, offsetof(struct options, public),
	  "read a private key from the standard input, and print its public key" },
	{ .name = NULL },
};

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *given = into;
	uint8_t secret[KEY_SIZE], key[KEY_SIZE];
	char text[KEY_TEXT];
	json_t *document;
	int result;

	if (given->public)
		result = key_read(stdin, "standard input", secret, err);
	else if ((result = key_generate(secret)))
		err_set(err, EXIT_ERROR, -result, "no random numbers: %s", strerror(-result));
	if (result)
		return result;
	if (given->public)
		key_public(key, secret);
	key_format(given->public ? key : secret, text);
	if (context->output.json) {
		document = output_document();
		json_object_set_new(document, given->public ? "public_key" : "private_key",
				    json_string(text));
		output_json(&context->output, document);
	} else {
		fprintf(context->output.file, "%s\n", text);
	}
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return 0;
}

const struct command peer_key_command = {
	.object = "peer",
	.name = "key",
	.summary = "print a new private key, or the public key of one",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "A key identifies a peer or a rendezvous server (X25519, base64).\n"
		"\n"
		"example:\n"
		"  umask 077; sluice peer key >alice.key\n"
		"  sluice peer key --public <alice.key >alice.pub\n",
};
