/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Common to all fuzz targets: the entry point, and a check whose failure the fuzzer reports as a
 * crash.
 */
#ifndef SLUICE_TESTS_FUZZ_H
#define SLUICE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define MUST(condition)                   \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
