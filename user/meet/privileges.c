// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

static int become(const char *user, struct err *err)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(user);
	if (!entry || !entry->pw_uid || !entry->pw_gid)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "--user: '%s' %s", user,
					!entry		? "is not a user of this host"
					: entry->pw_uid ? "has the group root"
							: "has all privileges"),
				"give an unprivileged user");
	if (setgroups(0, NULL) || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) ||
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid))
		return err_hint(err,
				err_set(err, EXIT_ERROR, errno, "cannot become the user %s: %s",
					user, strerror(errno)),
				"as root, CAP_SETUID and CAP_SETGID are needed");
	return 0;
}

int privileges_drop(const char *user, struct err *err)
{
	cap_t none;
	int result = geteuid() ? 0 : become(user, err);

	if (result)
		return result;
	none = cap_init();
	if (!none || cap_reset_ambient() || cap_set_proc(none) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		result = err_set(err, EXIT_ERROR, errno, "cannot drop the capabilities: %s",
				 strerror(errno));
	cap_free(none);
	/* the switch of the user has reset it to fs.suid_dumpable */
	return result ? result : privileges_hide_memory(err);
}

int privileges_hide_memory(struct err *err)
{
	if (!prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return 0;
	return err_set(err, EXIT_ERROR, errno, "PR_SET_DUMPABLE: %s", strerror(errno));
}
