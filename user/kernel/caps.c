// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/caps.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>

/* The host's user namespace has a number of its own (include/linux/proc_ns.h, PROC_USER_INIT_INO).
 */
#define USERNS_HOST_INODE 0xEFFFFFFDU

#define LIST_MAX 256

bool caps_host_userns(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) || st.st_ino == USERNS_HOST_INODE;
}

static bool effective(int cap)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (!caps)
		return false;
	if (cap_get_flag(caps, cap, CAP_EFFECTIVE, &value))
		value = CAP_CLEAR;
	cap_free(caps);
	return value == CAP_SET;
}

static bool sys_admin_stands_in(int cap)
{
	return cap == CAP_BPF || cap == CAP_PERFMON;
}

static bool host_wide(int cap)
{
	return sys_admin_stands_in(cap) || cap == CAP_SYS_ADMIN || cap == CAP_SYS_RESOURCE;
}

bool caps_have(int cap)
{
	if (host_wide(cap) && !caps_host_userns())
		return false;
	return effective(cap) || (sys_admin_stands_in(cap) && effective(CAP_SYS_ADMIN));
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

/* "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON" */
static void list(const int *caps, size_t n, char text[LIST_MAX])
{
	char name[CAPS_NAME_MAX];
	size_t i, used = 0;

	text[0] = '\0';
	for (i = 0; i < n && used < LIST_MAX; i++)
		used += snprintf(text + used, LIST_MAX - used, "%s%s",
				 !i	     ? ""
				 : i + 1 < n ? ", "
					     : " and ",
				 caps_name(caps[i], name));
}

static int hint(const int *missing, size_t n, struct err *err)
{
	bool stands_in = false;
	size_t i;

	for (i = 0; i < n; i++)
		stands_in |= sys_admin_stands_in(missing[i]);
	if (!caps_host_userns())
		return err_hint(
			err, -EPERM,
			"this is a user namespace, where they do not reach the host: run in "
			"the host's (no userns-remap, no rootless container)");
	return err_hint(err, -EPERM,
			"run as root, or grant %s: setcap(8) on the program file, "
			"securityContext.capabilities in a pod%s",
			n > 1 ? "them" : "it",
			stands_in ? "; CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON" : "");
}

int caps_require(const char *what, const int *caps, size_t n, struct err *err)
{
	int missing[CAP_LAST_CAP + 1];
	char text[LIST_MAX];
	size_t i, count = 0;

	for (i = 0; i < n && count <= CAP_LAST_CAP; i++)
		if (!caps_have(caps[i]))
			missing[count++] = caps[i];
	if (!count)
		return 0;
	list(missing, count, text);
	err_set(err, EXIT_PERMISSION, EPERM, "%s needs %s, which this process lacks", what, text);
	return hint(missing, count, err);
}
