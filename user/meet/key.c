// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/key.h"

#include "base/log.h"

#include <errno.h>
#include <nettle/base64.h>
#include <nettle/curve25519.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define INFO "sluice rendezvous 1"

int key_generate(uint8_t secret[KEY_SIZE])
{
	if (getrandom(secret, KEY_SIZE, 0) != KEY_SIZE)
		return -errno;
	/* RFC 7748, section 5: the form that every implementation uses */
	secret[0] &= 248;
	secret[31] = (secret[31] & 127) | 64;
	return 0;
}

void key_public(uint8_t key[KEY_SIZE], const uint8_t secret[KEY_SIZE])
{
	curve25519_mul_g(key, secret);
}

const char *key_format(const uint8_t key[KEY_SIZE], char text[KEY_TEXT])
{
	base64_encode_raw(text, KEY_SIZE, key);
	text[KEY_TEXT - 1] = '\0';
	return text;
}

int key_parse(const char *text, uint8_t key[KEY_SIZE])
{
	struct base64_decode_ctx decoder;
	uint8_t decoded[BASE64_DECODE_LENGTH(KEY_TEXT)];
	size_t length = sizeof(decoded);
	char again[KEY_TEXT];

	base64_decode_init(&decoder);
	if (strlen(text) != KEY_TEXT - 1 ||
	    !base64_decode_update(&decoder, &length, decoded, KEY_TEXT - 1, text) ||
	    !base64_decode_final(&decoder) || length != KEY_SIZE)
		return -EINVAL;
	/* one key has one text: no blanks, no unused bits */
	if (strcmp(key_format(decoded, again), text))
		return -EINVAL;
	memcpy(key, decoded, KEY_SIZE);
	return 0;
}

int key_derive(uint8_t derived[KEY_SIZE], const uint8_t secret[KEY_SIZE],
	       const uint8_t other[KEY_SIZE])
{
	/* RFC 5869, section 2.2: without a salt, a string of zeros */
	static const uint8_t salt[SHA256_DIGEST_SIZE];
	uint8_t shared[KEY_SIZE], extracted[SHA256_DIGEST_SIZE], any = 0;
	struct hmac_sha256_ctx hmac;
	size_t i;

	curve25519_mul(shared, secret, other);
	for (i = 0; i < KEY_SIZE; i++)
		any |= shared[i];
	if (any) {
		hmac_sha256_set_key(&hmac, sizeof(salt), salt);
		hkdf_extract(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
			     (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_DIGEST_SIZE,
			     KEY_SIZE, shared, extracted);
		hmac_sha256_set_key(&hmac, sizeof(extracted), extracted);
		hkdf_expand(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
			    (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_DIGEST_SIZE,
			    strlen(INFO), (const uint8_t *)INFO, KEY_SIZE, derived);
	}
	explicit_bzero(&hmac, sizeof(hmac));
	explicit_bzero(shared, sizeof(shared));
	explicit_bzero(extracted, sizeof(extracted));
	return any ? 0 : -EINVAL;
}

/* Compares with all encodings of the points whose order divides 8, on the curve and on its twist.
 */
bool key_is_weak(const uint8_t public_key[KEY_SIZE])
{
	static const uint8_t weak[][KEY_SIZE] = {
		{ 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },
		{ 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },
		{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
		  0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
		  0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
		{ 0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
		  0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
		  0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57 },
		{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
		{ 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
		{ 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	};
	uint8_t key[KEY_SIZE];
	size_t i;

	memcpy(key, public_key, KEY_SIZE);
	key[KEY_SIZE - 1] &= 127; /* RFC 7748, section 5: the highest bit is ignored */
	for (i = 0; i < sizeof(weak) / sizeof(*weak); i++)
		if (!memcmp(key, weak[i], KEY_SIZE))
			return true;
	return false;
}

int key_read(FILE *file, const char *name, uint8_t secret[KEY_SIZE], struct err *err)
{
	char line[KEY_TEXT + 8] = "", rest[2] = "";
	int result = 0;

	if (!fgets(line, sizeof(line), file) && ferror(file)) {
		result = err_set(err, EXIT_ERROR, errno, "%s: cannot read the key: %s", name,
				 strerror(errno));
	} else {
		line[strcspn(line, "\r\n")] = '\0';
		if (key_parse(line, secret) || fgets(rest, sizeof(rest), file))
			result = err_hint(err,
					  err_set(err, EXIT_USAGE, EINVAL,
						  "%s: not a private key: one line of 44 characters"
						  " of base64 is expected",
						  name),
					  "'sluice peer key' prints a new private key");
	}
	explicit_bzero(line, sizeof(line));
	return result;
}

int key_load(const char *path, uint8_t secret[KEY_SIZE], struct err *err)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	int result;

	if (!file)
		return err_hint(err,
				err_set(err, errno == ENOENT ? EXIT_USAGE : EXIT_ERROR, errno,
					"%s: cannot read the key: %s", path, strerror(errno)),
				"'umask 077; sluice peer key >%s' creates it", path);
	setvbuf(file, NULL, _IONBF, 0); /* leaves no copy of the key in a buffer */
	if (!fstat(fileno(file), &st) && S_ISREG(st.st_mode) && st.st_mode & (S_IRGRP | S_IROTH))
		log_warning("%s: other users can read this private key (mode %04o)", path,
			    st.st_mode & 07777U);
	result = key_read(file, path, secret, err);
	fclose(file);
	return result;
}
