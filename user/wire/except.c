// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/except.h"

#include "kernel/pins.h"
#include "kernel/state_dir.h"
#include "wire/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIN	   "sluice_w_except"
#define PIN_STAGED "sluice_w_except_new"

void wire_except_read(const char *bpffs, struct wire_addrs *except)
{
	int fd = pins_get(bpffs, WIRE_OBJECT, PIN, PINS_MAP);
	struct sluice_addr addr, *last = NULL;

	except->count = 0;
	if (fd < 0)
		return;
	while (state_dir_map_is(fd, BPF_MAP_TYPE_HASH, sizeof(addr), sizeof(__u32)) &&
	       except->count < WIRE_ADDRS_MAX && !bpf_map_get_next_key(fd, last, &addr)) {
		except->addr[except->count++] = addr;
		last = &addr;
	}
	close(fd);
}

static bool all_in(const struct wire_addrs *a, const struct wire_addrs *b)
{
	int i, j;

	for (i = 0; i < a->count; i++) {
		for (j = 0; j < b->count; j++)
			if (!memcmp(&a->addr[i], &b->addr[j], sizeof(a->addr[i])))
				break;
		if (j == b->count)
			return false;
	}
	return true;
}

bool wire_except_same(const struct wire_addrs *a, const struct wire_addrs *b)
{
	return all_in(a, b) && all_in(b, a);
}

static int map_make(const struct wire_addrs *except)
{
	int i, result = 0,
	       fd = bpf_map_create(BPF_MAP_TYPE_HASH, PIN, sizeof(struct sluice_addr),
				   sizeof(__u32), WIRE_ADDRS_MAX, NULL);
	const __u32 one = 1;

	if (fd < 0)
		return -errno;
	for (i = 0; !result && i < except->count; i++)
		if (bpf_map_update_elem(fd, &except->addr[i], &one, BPF_ANY))
			result = -errno;
	if (!result)
		return fd;
	close(fd);
	return result;
}

int wire_except_write(const char *bpffs, const struct wire_addrs *except, struct err *err)
{
	char path[PATH_MAX], staged[PATH_MAX];
	int fd, result = 0;

	pins_path(bpffs, WIRE_OBJECT, PIN, path);
	pins_path(bpffs, WIRE_OBJECT, PIN_STAGED, staged);
	unlink(staged);
	if (!except->count) {
		if (unlink(path) && errno != ENOENT)
			return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
		return 0;
	}
	fd = map_make(except);
	if (fd < 0 || bpf_obj_pin(fd, staged) || rename(staged, path))
		result = err_set(err, EXIT_ERROR, fd < 0 ? -fd : errno, "pin %s: %s", path,
				 strerror(fd < 0 ? -fd : errno));
	if (fd >= 0)
		close(fd);
	return result;
}
