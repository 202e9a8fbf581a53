// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/report/on_change.h"

#include "base/clock.h"
#include "base/log.h"
#include "meet/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_US	     5000000
#define VARIABLE_MAX 256

extern char **environ;

struct changing {
	struct changing *next;
	char peer[PEER_NAME_MAX + 1];
	struct change reported, now;
	pid_t pid; /* 0: no command runs */
};

struct on_change {
	const char *command, *id;
	struct changing *peers;
};

/* Returns the event that leads from @reported to @now, or NULL. */
static const char *event_of(const struct change *reported, const struct change *now)
{
	if (now->up != reported->up)
		return now->up ? "up" : "down";
	if (!now->up ||
	    (!strcmp(now->kind, reported->kind) && !strcmp(now->transport, reported->transport) &&
	     !strcmp(now->local, reported->local) && !strcmp(now->remote, reported->remote)))
		return NULL;
	return now->relayed ? "relayed" : "moved";
}

static struct log_line *begin(struct log_line *line, enum log_level level, const char *message,
			      const struct changing *peer)
{
	log_begin(line, level, message);
	log_field(line, "peer", "%s", peer->peer);
	return line;
}

/* --- the command */

static const char *const names[] = {
	"SLUICE_EVENT=",     "SLUICE_ID=",     "SLUICE_PEER=",	 "SLUICE_KIND=",
	"SLUICE_TRANSPORT=", "SLUICE_LOCAL=",  "SLUICE_REMOTE=", "SLUICE_TRUST=",
	"SLUICE_REASON=",    "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=",
};
#define NAMES	  (sizeof(names) / sizeof(*names))
#define VARIABLES 9 /* the remaining names belong to the service manager, and are only removed */

static bool is_dropped(const char *variable)
{
	unsigned int i;

	for (i = 0; i < NAMES; i++)
		if (!strncmp(variable, names[i], strlen(names[i])))
			return true;
	return false;
}

/* Returns 0 or an errno. */
static int spawn(const char *command, char *const *environment, pid_t *pid)
{
	char *const argv[] = { "sh", "-c", (char *)command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	/* the standard output may carry a service (--stdio) */
	error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	/* Ctrl-C must signal only this process, which then reports the paths as down */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	if (!error)
		error = posix_spawn(pid, "/bin/sh", &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Starts the command for this event. A "down" event describes the path as last reported. */
static int start(const struct on_change *on_change, struct changing *peer, const char *event)
{
	const struct change *now = &peer->now, *path = now->up ? now : &peer->reported;
	const char *const value[VARIABLES] = {
		event,	     on_change->id, peer->peer,	 path->kind,  path->transport,
		path->local, path->remote,  path->trust, now->reason,
	};
	char variable[VARIABLES][VARIABLE_MAX], **environment;
	size_t i, count = 0;
	int error;

	for (i = 0; environ && environ[i]; i++)
		;
	environment = calloc(i + VARIABLES + 1, sizeof(*environment));
	if (!environment)
		return ENOMEM;
	for (i = 0; environ && environ[i]; i++)
		if (!is_dropped(environ[i]))
			environment[count++] = environ[i];
	for (i = 0; i < VARIABLES; i++) {
		snprintf(variable[i], sizeof(variable[i]), "%s%s", names[i], value[i]);
		environment[count++] = variable[i];
	}
	error = spawn(on_change->command, environment, &peer->pid);
	free(environment);
	return error;
}

/* Starts the command if there is a change to report and no command is running. */
static void run(const struct on_change *on_change, struct changing *peer)
{
	const char *event = peer->pid ? NULL : event_of(&peer->reported, &peer->now);
	struct log_line line;
	int error;

	if (!event)
		return;
	error = start(on_change, peer, event);
	peer->reported = peer->now;
	if (!error)
		return;
	peer->pid = 0;
	begin(&line, LOG_LEVEL_WARNING, "--on-change was not executed", peer);
	log_field(&line, "event", "%s", event);
	log_field(&line, "reason", "%s", strerror(error));
	log_end(&line);
}

/* --- end of the command */

static void log_failure(const struct changing *peer, int status)
{
	struct log_line line;

	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	begin(&line, LOG_LEVEL_WARNING, "--on-change has failed", peer);
	if (WIFEXITED(status))
		log_field(&line, "status", "%d", WEXITSTATUS(status));
	else
		log_field(&line, "signal", "%s", strsignal(WTERMSIG(status)));
	log_end(&line);
}

/* Reaps commands, reports changes that occurred meanwhile, and frees entries without a path. */
static void on_child(void *arg)
{
	struct on_change *on_change = arg;
	struct changing **at = &on_change->peers, *peer;
	int status = 0;

	while ((peer = *at)) {
		if (peer->pid && waitpid(peer->pid, &status, WNOHANG)) {
			peer->pid = 0;
			log_failure(peer, status);
			run(on_change, peer);
		}
		if (peer->pid || peer->reported.up || peer->now.up) {
			at = &peer->next;
			continue;
		}
		*at = peer->next;
		free(peer);
	}
}

/* --- life */

int on_change_new(struct on_change **on_change, struct loop *loop, const char *command,
		  const char *id, struct err *err)
{
	struct on_change *fresh = calloc(1, sizeof(*fresh));
	int result;

	/* SIGCHLD must not be ignored, or waitpid() cannot report the exit status */
	signal(SIGCHLD, SIG_DFL);
	result = fresh ? loop_signal(loop, SIGCHLD, on_child, fresh) : -ENOMEM;

	if (result) {
		free(fresh);
		return err_set(err, EXIT_ERROR, -result, "--on-change: %s", strerror(-result));
	}
	fresh->command = command;
	fresh->id = id;
	*on_change = fresh;
	return 0;
}

void on_change_set(struct on_change *on_change, const char *name, const struct change *change)
{
	struct changing *peer;

	if (!on_change)
		return;
	for (peer = on_change->peers; peer && strcmp(peer->peer, name) != 0; peer = peer->next)
		;
	if (!peer && !change->up)
		return;
	if (!peer) {
		peer = calloc(1, sizeof(*peer));
		if (!peer)
			return;
		snprintf(peer->peer, sizeof(peer->peer), "%s", name);
		peer->next = on_change->peers;
		on_change->peers = peer;
	}
	peer->now = *change;
	run(on_change, peer);
}

void on_change_end(struct on_change *on_change)
{
	uint64_t now_us = clock_now_us(), end_us = now_us + END_US;
	struct changing *peer;
	struct timespec left;
	struct log_line line;
	sigset_t child;

	if (!on_change)
		return;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (peer = on_change->peers; peer; peer = peer->next) {
		peer->now = (struct change){ .reason = "this peer ends" };
		run(on_change, peer);
	}
	on_child(on_change);
	for (; on_change->peers && now_us < end_us; now_us = clock_now_us()) {
		left.tv_sec = (time_t)((end_us - now_us) / 1000000);
		left.tv_nsec = (long)((end_us - now_us) % 1000000) * 1000;
		/* the loop has blocked SIGCHLD */
		sigtimedwait(&child, NULL, &left);
		on_child(on_change);
	}
	while ((peer = on_change->peers)) {
		on_change->peers = peer->next;
		log_end(begin(&line, LOG_LEVEL_WARNING, "--on-change still runs", peer));
		free(peer);
	}
	free(on_change);
}
