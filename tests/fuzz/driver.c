/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replays files through a fuzz target for builds without libFuzzer, so that inputs found by a
 * fuzzer become regression tests. Without arguments, replays the target's corpus. An empty corpus
 * is a failure.
 */
#include <errno.h>
#include <glob.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Copies the input into a buffer of exactly its size, so that the sanitizers detect overreads. */
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

static int replay_all(char *const *paths, size_t count)
{
	size_t i;
	int err;

	for (i = 0; i < count; i++) {
		err = replay_file(paths[i]);
		if (err) {
			fprintf(stderr, "%s: %s\n", paths[i], strerror(-err));
			return 1;
		}
	}
	printf("%zu inputs replayed\n", count);
	return count ? 0 : 2;
}

int main(int argc, char **argv)
{
	glob_t corpus = { 0 };
	int result;

	if (argc > 1)
		return replay_all(argv + 1, (size_t)argc - 1);
	glob(CORPUS "/*", 0, NULL, &corpus);
	result = replay_all(corpus.gl_pathv, corpus.gl_pathc);
	globfree(&corpus);
	return result;
}
