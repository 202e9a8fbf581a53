/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Creates pins of another version of sluice: only the ABI version in the record differs. */
#ifndef SLUICE_TESTS_PROG_ABI_LAB_H
#define SLUICE_TESTS_PROG_ABI_LAB_H

#include <bpf/bpf.h>
#include <errno.h>
#include <glob.h>
#include <sluice/meta.h>
#include <unistd.h>

#include <cmocka.h>

#define OTHER_ABI 4711

/* Sets the ABI version in the records of matching pins. */
static inline void abi_set(const char *pattern, __u32 abi)
{
	static union {
		struct sluice_meta head;
		char bytes[1 << 16];
	} record;
	__u32 zero = 0;
	glob_t found;
	size_t i;
	int fd;

	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (i = 0; i < found.gl_pathc; i++) {
		fd = bpf_obj_get(found.gl_pathv[i]);
		assert_return_code(fd, errno);
		assert_return_code(bpf_map_lookup_elem(fd, &zero, &record), errno);
		record.head.abi = abi;
		assert_return_code(bpf_map_update_elem(fd, &zero, &record, BPF_ANY), errno);
		close(fd);
	}
	globfree(&found);
}

#endif
