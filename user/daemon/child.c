// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/child.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_US   1000000ULL
#define DELAY_MAX_S 60U
#define END_MS	    5000
/* A server reports every 5 seconds (rendezvous/self_check.c, report/parent.c). */
#define SILENCE_US (20 * SECOND_US)

struct kind {
	const char *command[2];
	const char *subject; /* subject of log messages */
	const char *awaited; /* failure text before the first report */
};

/* Indexed by section. */
static const struct kind kinds[SECTION_NAMES] = {
	[SECTION_RENDEZVOUS] = { { "rendezvous", "serve" },
				 "rendezvous: the server",
				 "no answer to a Binding request yet" },
	[SECTION_PEER] = { { "peer", "run" }, "peer: the process", "not registered yet" },
};

/* Begins a log line about the process. */
static void begin(struct log_line *line, enum log_level level, const struct child *child,
		  const char *what)
{
	char message[64];

	snprintf(message, sizeof(message), "%s %s", kinds[child->section].subject, what);
	log_begin(line, level, message);
}

/* --- the command line */

static void args_free(char *args[CHILD_ARGS_MAX])
{
	int i;

	for (i = 0; i < CHILD_ARGS_MAX; i++) {
		free(args[i]);
		args[i] = NULL;
	}
}

/* Returns true if the entry is a switch that is off. Sets *on if it is a switch that is on. */
static bool is_off(const struct conf_entry *entry, bool *on)
{
	const struct conf_table *table;
	const struct opt *opt;
	char key[OPT_KEY_MAX];

	for (table = config_tables; table->section; table++)
		for (opt = table->opts; opt->name && !strcmp(table->section, entry->section); opt++)
			if (!opt->arg && !strcmp(opt_key(opt, key), entry->key))
				return opt_switch(
					       &(struct opt_value){ opt, NULL, entry->value, on },
					       &(struct err){ 0 }) ||
				       !*on;
	return false;
}

/* Returns --KEY=VALUE, --KEY for a switch, or NULL on ENOMEM. */
static char *arg_of(const struct conf_entry *entry, bool is_switch)
{
	char *arg = NULL, *at;

	if (asprintf(&arg, "--%s%s%s", entry->key, is_switch ? "" : "=",
		     is_switch ? "" : entry->value) < 0)
		return NULL;
	for (at = arg; *at && *at != '='; at++)
		if (*at == '_')
			*at = '-';
	return arg;
}

/*
 * Builds the command line from the file. args[0] is NULL if the file has no section, or on ENOMEM.
 */
static void args_of(const struct config *config, enum config_section section,
		    char *args[CHILD_ARGS_MAX])
{
	bool connects = section == SECTION_PEER && config_peer_connects(config);
	/* the key `user` of the file overrides this option */
	const char *const command[] = { "sluice",
					kinds[section].command[0],
					connects ? "connect" : kinds[section].command[1],
					"--until-eof",
					"--user",
					"nobody" };
	int count, all = sizeof(command) / sizeof(*command);
	bool complete = true, is_switch;
	size_t i;

	memset(args, 0, CHILD_ARGS_MAX * sizeof(*args));
	if (!config->has[section])
		return;
	for (count = 0; count < all; count++)
		complete &= (args[count] = strdup(command[count])) != NULL;
	for (i = 0; i < config->conf.entries && count + 1 < CHILD_ARGS_MAX; i++) {
		const struct conf_entry *entry = &config->conf.entry[i];

		is_switch = false;
		if (entry->key && !strcmp(entry->section, config_section_names[section]) &&
		    !is_off(entry, &is_switch))
			complete &= (args[count++] = arg_of(entry, is_switch)) != NULL;
	}
	if (!complete)
		args_free(args);
}

static bool args_are_same(char *const *one, char *const *other)
{
	while (*one && *other && !strcmp(*one, *other)) {
		one++;
		other++;
	}
	return !*one && !*other;
}

/* --- the process */

static void log_failure(struct child *child, const char *reason)
{
	struct log_line line;

	if (!log_condition_set(&child->failure, reason))
		return;
	begin(&line, LOG_LEVEL_ERROR, child, "is not running");
	log_field(&line, "reason", "%s", reason);
	log_end(&line);
}

/* Runs in the child. */
static void execute(char *const *args, int input_fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* only the daemon may send messages to the service manager */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	if (dup2(input_fd, STDIN_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0U, 0))
		_exit(EXIT_ERROR);
	execv("/proc/self/exe", args);
	_exit(EXIT_ERROR);
}

static void start(struct child *child);

static void retry(struct child *child)
{
	child->delay_s = child->delay_s ? child->delay_s * 2 : 1;
	if (child->delay_s > DELAY_MAX_S)
		child->delay_s = DELAY_MAX_S;
	loop_timer_start(child->timer, child->delay_s * SECOND_US);
}

/*
 * Reads the reports of the process. A report is the reason for a failure, or an empty line once the
 * process works again. Returns true if the state has changed.
 */
static bool read_reports(struct child *child)
{
	char text[sizeof(child->unwell.text)];
	bool changed = false;
	ssize_t length;

	while ((length = recv(child->input_fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[length] = '\0';
		text[strcspn(text, "\n")] = '\0';
		changed |= log_condition_set(&child->unwell, text_controls(text, false));
		child->reported_us = clock_now_us();
	}
	/* end of file: the process exits, and its pidfd reports the exit */
	if (!length)
		loop_remove(child->loop, child->input_fd);
	return changed;
}

static void on_report(void *arg)
{
	struct child *child = arg;
	struct log_line line;

	if (!read_reports(child))
		return;
	if (*child->unwell.text) {
		begin(&line, LOG_LEVEL_WARNING, child, "is not ready");
		log_field(&line, "reason", "%s", child->unwell.text);
	} else {
		begin(&line, LOG_LEVEL_INFO, child, "is ready again");
	}
	log_end(&line);
	child->changed(child->arg);
}

/*
 * Closes the server's input, which makes it exit. The daemon may not signal another user's process
 * without CAP_KILL.
 */
static void close_input(struct child *child)
{
	if (child->input_fd >= 0) {
		loop_remove(child->loop, child->input_fd);
		close(child->input_fd);
	}
	child->input_fd = -1;
}

/* Reaps the exited process. */
static void reap(struct child *child, int *status)
{
	*status = 0;
	waitpid(child->pid, status, WNOHANG);
	loop_remove(child->loop, child->pidfd);
	close(child->pidfd);
	close_input(child);
	child->pid = 0;
}

static void on_ended(void *arg)
{
	struct child *child = arg;
	char reason[sizeof(child->unwell.text) + 96];
	int status;

	if (child->input_fd >= 0)
		read_reports(child);
	reap(child, &status);
	if (!child->args[0] || child->replaces) {
		child->replaces = false;
		child->delay_s = 0;
		if (child->args[0])
			start(child);
		return;
	}
	if (WIFEXITED(status))
		snprintf(reason, sizeof(reason), "it has exited with status %d: %s",
			 WEXITSTATUS(status),
			 *child->unwell.text ? child->unwell.text : "see its messages");
	else
		snprintf(reason, sizeof(reason), "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	log_failure(child, reason);
	/* after a long run, restart with the shortest delay */
	if (clock_now_us() - child->started_us > DELAY_MAX_S * SECOND_US)
		child->delay_s = 0;
	/* an error in the options persists until the next reload */
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_USAGE)
		retry(child);
	child->changed(child->arg);
}

static void start(struct child *child)
{
	int pair[2]; /* index 0: the daemon's end; 1: the server's end */
	pid_t pid;

	log_condition_set(&child->unwell, NULL);
	child->reported_us = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)) {
		log_failure(child, strerror(errno));
		retry(child);
		return;
	}
	pid = fork();
	if (!pid)
		execute(child->args, pair[1]);
	close(pair[1]);
	child->input_fd = pair[0];
	child->pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (child->pidfd < 0 || loop_read(child->loop, child->pidfd, on_ended, child) ||
	    loop_read(child->loop, child->input_fd, on_report, child)) {
		log_failure(child, strerror(errno));
		close_input(child);
		if (child->pidfd >= 0) {
			loop_remove(child->loop, child->pidfd);
			close(child->pidfd);
		}
		/* the server exits when its input is closed */
		if (pid > 0)
			waitpid(pid, NULL, 0);
		retry(child);
		return;
	}
	child->pid = pid;
	child->started_us = clock_now_us();
}

static void on_timer(void *arg)
{
	struct child *child = arg;

	if (!child->args[0] || child->pid)
		return;
	start(child);
	child->changed(child->arg);
}

/* --- life */

int child_init(struct child *child, enum config_section section, struct loop *loop, loop_fn changed,
	       void *arg)
{
	child->section = section;
	child->loop = loop;
	child->changed = changed;
	child->arg = arg;
	child->timer = loop_timer(loop, false, on_timer, child);
	return child->timer ? 0 : -ENOMEM;
}

void child_apply(struct child *child, const struct config *config)
{
	char *args[CHILD_ARGS_MAX];

	args_of(config, child->section, args);
	if (child->pid && !child->replaces && args_are_same(child->args, args)) {
		/* a full buffer already contains this request */
		if (write(child->input_fd, "\n", 1) < 0 && errno != EAGAIN)
			log_warning("%s: cannot request a reload of the peers: %s",
				    config_section_names[child->section], strerror(errno));
		args_free(args);
		return;
	}
	args_free(child->args);
	memcpy(child->args, args, sizeof(args));
	loop_timer_stop(child->timer);
	child->delay_s = 0;
	log_condition_set(&child->failure, NULL);
	if (child->pid) {
		child->replaces = true;
		close_input(child);
	} else if (child->args[0]) {
		start(child);
	}
}

bool child_works(const struct child *child, char *why, size_t size)
{
	uint64_t since_us = child->reported_us ? child->reported_us : child->started_us;
	uint64_t silence_us = clock_now_us() - since_us;
	char unread;

	if (!child->pid)
		snprintf(why, size, "not running: %s", child->failure.text);
	else if (*child->unwell.text)
		snprintf(why, size, "%s", child->unwell.text);
	else if (silence_us > SILENCE_US &&
		 recv(child->input_fd, &unread, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
		snprintf(why, size, "%s has reported nothing for %llu seconds",
			 strchr(kinds[child->section].subject, ' ') + 1,
			 (unsigned long long)(silence_us / SECOND_US));
	else if (child->replaces || !child->reported_us)
		snprintf(why, size, "starting: %s", kinds[child->section].awaited);
	else
		return true;
	return false;
}

void child_end(struct child *child)
{
	struct pollfd wait = { .fd = child->pidfd, .events = POLLIN };
	int status;

	if (child->pid) {
		close_input(child);
		poll(&wait, 1, END_MS);
		reap(child, &status);
	}
	args_free(child->args);
}
