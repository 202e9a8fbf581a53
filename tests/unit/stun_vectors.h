/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Published sample messages: RFC 5769, and RFC 8489, appendix B.1, as corrected by erratum 6268. */
#ifndef SLUICE_TESTS_STUN_VECTORS_H
#define SLUICE_TESTS_STUN_VECTORS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define VECTOR_MAX 256

struct vector {
	const char *name;
	const char *hex;
	const char *key_hex; /* key of the integrity attribute */
	int fingerprint;
};

/* "VOkJxbRl1RmTxUk/WvJxBt" */
#define SHORT_TERM "564f6b4a7862526c31526d5478556b2f57764a784274"

static const struct vector vectors[] = {
	{ "RFC 5769, 2.1",
	  "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e7400240004"
	  "6e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56"
	  "781ef2b5b2d3f249c1b571a280280004e57a3bcf",
	  SHORT_TERM, 1 },
	{ "RFC 5769, 2.2",
	  "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147"
	  "e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
	  SHORT_TERM, 1 },
	{ "RFC 5769, 2.3",
	  "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147"
	  "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004"
	  "c8fb0b4c",
	  SHORT_TERM, 1 },
	/* the key is MD5 of user name, realm and password */
	{ "RFC 5769, 2.4",
	  "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000"
	  "0015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e"
	  "6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666",
	  "e8ca7ad59d5eb0518e312911d2dab2a9", 0 },
	/* the key is SHA-256 of the same strings */
	{ "RFC 8489, B.1",
	  "000100902112a44278ad3433c6ad72c029da412e001e00204a3cf38fef6992bda952c6780417da0f24819415"
	  "569e60b205c46e41407f1704001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33"
	  "346f4c394653547679363473410000000014000b6578616d706c652e6f726700001d000400020000001c0020"
	  "b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65",
	  "dd295a613b9058c3c23d6dc7165bda072304d989c9d0af3a8c7e184b4f9bb4a1", 0 },
};

#define VECTORS (sizeof(vectors) / sizeof(*vectors))

static inline size_t from_hex(const char *hex, uint8_t *to)
{
	size_t i, length = strlen(hex) / 2;
	unsigned int byte;

	for (i = 0; i < length; i++) {
		sscanf(hex + 2 * i, "%2x", &byte);
		to[i] = (uint8_t)byte;
	}
	return length;
}

#endif
