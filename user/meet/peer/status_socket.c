// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/status_socket.h"

#include "base/local_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ID.PID.peer: processes in different network namespaces may have the same name. */
#define SUFFIX ".*.peer"
/* RuntimeDirectory= of sluice-peer@.service. */
#define UNIT_DIRS "/run/sluice-peer/*"

/* Returns the directory of this user without a service manager, or NULL. */
static const char *user_dir(char dir[sizeof(((struct sockaddr_un *)0)->sun_path)])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	size_t size = sizeof(((struct sockaddr_un *)0)->sun_path);

	if (!geteuid())
		return LOCAL_SOCKET_DIR;
	if (!runtime || runtime[0] != '/' ||
	    (size_t)snprintf(dir, size, "%s/sluice", runtime) >= size)
		return NULL;
	return dir;
}

static void remove_stale(const char *dir, const char *id)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char pattern[sizeof(address.sun_path) + sizeof(SUFFIX)];
	glob_t found = { 0 };
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/%s" SUFFIX, dir, id);
	glob(pattern, 0, NULL, &found);
	for (i = 0; i < found.gl_pathc; i++) {
		snprintf(address.sun_path, sizeof(address.sun_path), "%s", found.gl_pathv[i]);
		if (!local_socket_is_served(&address))
			unlink(address.sun_path);
	}
	globfree(&found);
}

bool peer_status_address(const char *id, struct sockaddr_un *address)
{
	/* a colon-separated list of directories: use the first one */
	const char *given = getenv("RUNTIME_DIRECTORY"), *dir;
	char text[sizeof(address->sun_path)];
	int length;

	if (given && given[0] == '/' && strcspn(given, ":") < sizeof(text)) {
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(given, ":"), given);
		dir = text;
	} else {
		dir = user_dir(text);
	}
	if (!dir)
		return false;
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	length = snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s.%d.peer", dir, id,
			  getpid());
	if ((size_t)length >= sizeof(address->sun_path))
		return false;
	remove_stale(dir, id);
	return true;
}

int peer_status_find(const char *id, glob_t *found)
{
	char text[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *const dirs[] = { user_dir(text), UNIT_DIRS,
				     geteuid() ? NULL : "/run/user/*/sluice" };
	char pattern[256];
	unsigned int i;
	int flags = 0;

	*found = (glob_t){ 0 };
	for (i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		if (!dirs[i])
			continue;
		snprintf(pattern, sizeof(pattern), "%s/%s" SUFFIX, dirs[i], id ? id : "*");
		if (glob(pattern, flags, NULL, found) == GLOB_NOSPACE)
			return -ENOMEM;
		flags = GLOB_APPEND;
	}
	return 0;
}
