/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replays files through a fuzz target, for builds without libFuzzer: what a fuzzer once found is
 * then a test like any other. Folders are not walked: the shell's globs do that.
 *
 *	cc ... tests/fuzz/driver.c tests/fuzz/fuzz_packet.c -o replay && ./replay corpus/packet/?*
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a buffer of exactly its size, so that a sanitizer sees a read behind it. */
static int replay_bytes(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);

	if (!exact)
		return -ENOMEM;
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return 0;
}

static int replay_file(const char *path)
{
	static uint8_t input[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	size_t size;
	int err = 0;

	if (!file)
		return -errno;
	size = fread(input, 1, sizeof(input), file);
	if (ferror(file))
		err = -EIO;
	else if (size == sizeof(input))
		err = -EFBIG;
	fclose(file);
	return err ? err : replay_bytes(input, size);
}

int main(int argc, char **argv)
{
	int i, err;

	for (i = 1; i < argc; i++) {
		err = replay_file(argv[i]);
		if (err) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-err));
			return 1;
		}
	}
	printf("%d inputs replayed\n", argc - 1);
	return argc > 1 ? 0 : 2;
}
