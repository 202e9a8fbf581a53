// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An answer is written in one piece and the connection is closed: no client keeps state in the
 * daemon or can delay it. A client that does not read loses its own answer.
 */
#include "daemon/status_socket.h"

#include "base/clock.h"
#include "base/output.h"
#include "daemon/interfaces.h"
#include "daemon/netns.h"
#include "host/daemon_status.h"
#include "kernel/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 16

/* --- the document */

static void warning_add(json_t *warnings, const char *text)
{
	if (text && *text)
		json_array_append_new(warnings, output_name(text));
}

static json_t *steer_warnings(const struct steer_section *steer)
{
	json_t *warnings = json_array();
	__u32 i;

	warning_add(warnings, steer->failure.text);
	warning_add(warnings, steer->events_failure.text);
	warning_add(warnings, steer->loader.consumers_failure.text);
	warning_add(warnings, steer->spread.failure.text);
	for (i = 0; i < steer->spread.wanted.ifcount; i++)
		warning_add(warnings, steer->spread.iface[i].failure.text);
	return warnings;
}

static json_t *wire_warnings(const struct watch *watch, const struct daemon_netns *netns)
{
	json_t *warnings = json_array();
	const char *absent = watch_absent(watch);
	char text[INTERFACES_ABSENT_MAX + 64];

	if (*absent) {
		snprintf(text, sizeof(text), "no interface yet, or no bridge to follow: %s",
			 absent);
		warning_add(warnings, text);
	}
	if (daemon_netns_is_replaced(netns))
		warning_add(warnings, "its network namespace was deleted, and another one has the"
				      " name: restart the daemon");
	return warnings;
}

static json_t *hold_warnings(const struct hold_section *hold)
{
	json_t *warnings = json_array();
	const char *probe = hold->probe ? hold_probe_failure(hold->probe) : "";
	char text[128];

	warning_add(warnings, hold->failure.text);
	if (*probe) {
		snprintf(text, sizeof(text), "the probe shows nothing: %s", probe);
		warning_add(warnings, text);
	}
	return warnings;
}

static json_t *section_json(const struct status_socket *status, int i)
{
	const struct section *section = &status->sections->section[i];
	const char *bpffs = status->sections->file->config.location.bpffs;
	const char *state = "loaded", *reason = NULL, *hint = NULL, *replaced = NULL;
	json_t *object, *warnings;

	if (section->pending) {
		state = "waiting";
		reason = section->err.what;
		hint = section->err.hint[0] ? section->err.hint : NULL;
	} else if (!pins_exist(bpffs, config_section_names[i], &(struct err){ 0 })) {
		state = "unloaded";
		reason = "unloaded by another process";
		hint = "send SIGHUP to the daemon to load it again";
	} else if (!sections_is_own(status->sections, i)) {
		replaced = "a command has loaded it last: send SIGHUP to the daemon to apply the"
			   " file";
	}
	warnings = i == SECTION_STEER  ? steer_warnings(status->steer)
		   : i == SECTION_WIRE ? wire_warnings(status->watch, status->sections->netns)
		   : i == SECTION_HOLD ? hold_warnings(status->hold)
				       : json_array();
	warning_add(warnings, replaced);
	object = json_pack("{s:s, s:s, s:o, s:o, s:o}", "section", config_section_names[i], "state",
			   state, "reason", reason ? output_name(reason) : json_null(), "hint",
			   hint ? output_name(hint) : json_null(), "warnings", warnings);
	if (i == SECTION_STEER)
		json_object_set_new(object, "groups", json_integer(status->steer->groups));
	if (i == SECTION_WIRE)
		json_object_set_new(object, "interfaces", json_integer(watch_count(status->watch)));
	if (i == SECTION_HOLD)
		json_object_set_new(object, "sending", json_boolean(status->hold->sender));
	return object;
}

static json_t *answer_of(const struct status_socket *status)
{
	const struct config_file *file = status->sections->file;
	json_t *document = output_document(), *sections = json_array();
	int i;

	for (i = 0; file && i < SECTIONS; i++)
		if (file->config.has[i])
			json_array_append_new(sections, section_json(status, i));
	json_object_update_new(
		document,
		json_pack("{s:s, s:i, s:o, s:f, s:o, s:o}", "version", SLUICE_VERSION, "pid",
			  (int)getpid(), "config", output_name(status->config), "running_for_s",
			  (double)(clock_now_ns(CLOCK_MONOTONIC) - status->started_ns) / 1e9,
			  "reload_refused",
			  *status->refused ? output_name(status->refused) : json_null(), "sections",
			  sections));
	return document;
}

/* --- the socket */

/* Checks the mode of the socket once more: a process of another user gets no answer. */
static bool is_allowed(int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) &&
	       (!peer.uid || peer.uid == geteuid());
}

static void on_client(void *arg)
{
	const struct status_socket *status = arg;
	int fd = accept4(status->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	json_t *answer;
	char *text;

	if (fd < 0)
		return;
	if (is_allowed(fd)) {
		answer = answer_of(status);
		text = json_dumps(answer, JSON_COMPACT | OUTPUT_JSON_FLAGS);
		if (text)
			send(fd, text, strlen(text), MSG_NOSIGNAL);
		free(text);
		json_decref(answer);
	}
	close(fd);
}

/* Creates the directory; refuses one in which another user could replace the socket. */
static int dir_prepare(struct err *err)
{
	struct stat st;

	if (mkdir(DAEMON_STATUS_DIR, 0700) && errno != EEXIST)
		return err_set(err, EXIT_ERROR, errno, DAEMON_STATUS_DIR ": %s", strerror(errno));
	if (lstat(DAEMON_STATUS_DIR, &st))
		return err_set(err, EXIT_ERROR, errno, DAEMON_STATUS_DIR ": %s", strerror(errno));
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	return err_set(err, EXIT_CONFLICT, EPERM,
		       DAEMON_STATUS_DIR ": not a directory that this user alone may write to");
}

static int socket_listen(const struct sockaddr_un *address, struct err *err)
{
	mode_t before = umask(0177);
	int fd, result = 0;

	/* an earlier daemon with this lock may have been killed */
	unlink(address->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    listen(fd, BACKLOG))
		result = err_set(err, EXIT_ERROR, errno, "%s: %s", address->sun_path,
				 strerror(errno));
	umask(before);
	if (!result)
		return fd;
	if (fd >= 0)
		close(fd);
	return result;
}

int status_socket_open(struct status_socket *status, struct loop *loop, int lock_fd,
		       struct err *err)
{
	struct stat lock_dir;
	int result;

	if (fstat(lock_fd, &lock_dir))
		return err_set(err, EXIT_ERROR, errno, "status socket: %s", strerror(errno));
	daemon_status_address(&lock_dir, &status->address);
	result = dir_prepare(err);
	if (result)
		return result;
	result = socket_listen(&status->address, err);
	if (result < 0)
		return result;
	status->loop = loop;
	status->fd = result;
	result = loop_read(loop, status->fd, on_client, status);
	if (!result)
		return 0;
	status_socket_close(status);
	return err_set(err, EXIT_ERROR, -result, "status socket: %s", strerror(-result));
}

void status_socket_close(struct status_socket *status)
{
	if (status->fd < 0)
		return;
	loop_remove(status->loop, status->fd);
	close(status->fd);
	status->fd = -1;
	unlink(status->address.sun_path);
}
