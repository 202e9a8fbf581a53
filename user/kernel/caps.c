// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/caps.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>

/* The inode number of the host's user namespace (include/linux/proc_ns.h, PROC_USER_INIT_INO) */
#define USERNS_HOST_INODE 0xEFFFFFFDU

bool caps_host_userns(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) || st.st_ino == USERNS_HOST_INODE;
}

static bool is_effective(int cap)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (!caps || cap_get_flag(caps, cap, CAP_EFFECTIVE, &value))
		value = CAP_CLEAR;
	cap_free(caps);
	return value == CAP_SET;
}

static bool implied_by_sys_admin(int cap)
{
	return cap == CAP_BPF || cap == CAP_PERFMON;
}

bool caps_have(int cap)
{
	bool host_wide = implied_by_sys_admin(cap) || cap == CAP_SYS_ADMIN ||
			 cap == CAP_SYS_RESOURCE;

	if (host_wide && !caps_host_userns())
		return false;
	return is_effective(cap) || (implied_by_sys_admin(cap) && is_effective(CAP_SYS_ADMIN));
}

const char *caps_name(int cap, char text[CAPS_NAME_MAX])
{
	char *name = cap_to_name(cap), *at;

	snprintf(text, CAPS_NAME_MAX, "%s", name ? name : "CAP_?");
	for (at = text; *at; at++)
		*at = toupper((unsigned char)*at);
	cap_free(name);
	return text;
}

int caps_require(const char *what, const int *caps, size_t n, struct err *err)
{
	char text[256] = "", name[CAPS_NAME_MAX];
	int missing[CAP_LAST_CAP + 1];
	size_t i, count = 0, used = 0;
	bool implied = false;

	for (i = 0; i < n && count <= CAP_LAST_CAP; i++)
		if (!caps_have(caps[i]))
			missing[count++] = caps[i];
	if (!count)
		return 0;
	for (i = 0; i < count && used < sizeof(text); i++) {
		used += snprintf(text + used, sizeof(text) - used, "%s%s",
				 !i		 ? ""
				 : i + 1 < count ? ", "
						 : " and ",
				 caps_name(missing[i], name));
		implied |= implied_by_sys_admin(missing[i]);
	}
	err_set(err, EXIT_PERMISSION, EPERM, "%s needs %s, which this process lacks", what, text);
	if (!caps_host_userns())
		return err_hint(
			err, -EPERM,
			"capabilities in this user namespace do not apply to the host: run in the"
			" host's user namespace (no userns-remap, no rootless container)");
	return err_hint(err, -EPERM,
			"run as root, or grant %s: setcap(8) on the program file, "
			"securityContext.capabilities in a pod%s",
			count > 1 ? "them" : "it",
			implied ? "; CAP_SYS_ADMIN implies CAP_BPF and CAP_PERFMON" : "");
}
