// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/daemon_status.h"

#include "base/local_socket.h"
#include "host/daemon_lock.h"
#include "kernel/pins.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Timeout of a request: a daemon that is loading many groups answers late. */
#define WAIT_US	   2000000
#define ANSWER_MAX (1 << 20)

void daemon_status_address(const struct stat *lock_dir, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path),
		 LOCAL_SOCKET_DIR "/run-%llx-%llx.sock", (unsigned long long)lock_dir->st_dev,
		 (unsigned long long)lock_dir->st_ino);
}

/* Returns true if a signal has stopped the process, which then cannot answer. */
static bool is_stopped(int pid)
{
	char path[32], line[512] = "", *end;
	FILE *stat_file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat_file = fopen(path, "re");
	if (!stat_file)
		return false;
	if (!fgets(line, sizeof(line), stat_file))
		line[0] = '\0';
	fclose(stat_file);
	/* the process name before the state may contain any characters (proc_pid_stat(5)) */
	end = strrchr(line, ')');
	return end && (!strncmp(end, ") T", 3) || !strncmp(end, ") t", 3));
}

void daemon_status_read(const char *bpffs, struct daemon_status *status)
{
	struct local_answer answer;
	struct sockaddr_un address;
	struct stat lock_dir;
	char path[PATH_MAX];

	*status = (struct daemon_status){ .pid = daemon_lock_holder(bpffs) };
	if (!status->pid)
		return;
	if (stat(pins_path(bpffs, DAEMON_LOCK_DIR, NULL, path), &lock_dir)) {
		/* the daemon has just exited */
		status->pid = 0;
		return;
	}
	if (status->pid > 0 && is_stopped(status->pid)) {
		snprintf(status->reason, sizeof(status->reason),
			 "a signal has stopped it; 'kill -CONT %d' lets it continue", status->pid);
		return;
	}
	daemon_status_address(&lock_dir, &address);
	local_socket_ask(&address, WAIT_US, ANSWER_MAX, &answer);
	status->document = answer.document;
	memcpy(status->reason, answer.reason, sizeof(status->reason));
}

void daemon_status_free(struct daemon_status *status)
{
	json_decref(status->document);
	status->document = NULL;
}
