// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/rendezvous.h"

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
/* The server reports every 5 seconds (self_check.c). */
#define SILENCE_US (20 * SECOND_US)

/* --- the command line */

static void args_free(char *args[RENDEZVOUS_ARGS_MAX])
{
	int i;

	for (i = 0; i < RENDEZVOUS_ARGS_MAX; i++) {
		free(args[i]);
		args[i] = NULL;
	}
}

/* Returns --KEY=VALUE, or NULL on ENOMEM. */
static char *arg_of(const struct conf_entry *entry)
{
	char *arg = NULL, *at;

	if (asprintf(&arg, "--%s=%s", entry->key, entry->value) < 0)
		return NULL;
	for (at = arg; *at != '='; at++)
		if (*at == '_')
			*at = '-';
	return arg;
}

/* Builds the command line from the file. args[0] is NULL without a section, or on ENOMEM. */
static void args_of(const struct config *config, char *args[RENDEZVOUS_ARGS_MAX])
{
	static const char *const command[] = { "sluice", "rendezvous", "serve", "--until-eof" };
	int count, all = sizeof(command) / sizeof(*command);
	bool complete = true;
	size_t i;

	memset(args, 0, RENDEZVOUS_ARGS_MAX * sizeof(*args));
	if (!config->has[SECTION_RENDEZVOUS])
		return;
	for (count = 0; count < all; count++)
		complete &= (args[count] = strdup(command[count])) != NULL;
	for (i = 0; i < config->conf.entries && count + 1 < RENDEZVOUS_ARGS_MAX; i++) {
		const struct conf_entry *entry = &config->conf.entry[i];

		if (entry->key && !strcmp(entry->section, "rendezvous"))
			complete &= (args[count++] = arg_of(entry)) != NULL;
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

static void log_failure(struct rendezvous_section *section, const char *reason)
{
	struct log_line line;

	if (!log_condition_set(&section->failure, reason))
		return;
	log_begin(&line, LOG_LEVEL_ERROR, "rendezvous: the server is not running");
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

static void start(struct rendezvous_section *section);

static void retry(struct rendezvous_section *section)
{
	section->delay_s = section->delay_s ? section->delay_s * 2 : 1;
	if (section->delay_s > DELAY_MAX_S)
		section->delay_s = DELAY_MAX_S;
	loop_timer_start(section->timer, section->delay_s * SECOND_US);
}

/*
 * Reads the reports of the server: the reason why it does not work, or an empty line once it works
 * again. Returns true if the state has changed.
 */
static bool read_reports(struct rendezvous_section *section)
{
	char text[sizeof(section->unwell.text)];
	bool changed = false;
	ssize_t length;

	while ((length = recv(section->input_fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[length] = '\0';
		text[strcspn(text, "\n")] = '\0';
		changed |= log_condition_set(&section->unwell, text_controls(text, false));
		section->reported_us = clock_now_us();
	}
	/* end of file: the process exits, and its pidfd reports the exit */
	if (!length)
		loop_remove(section->loop, section->input_fd);
	return changed;
}

static void on_report(void *arg)
{
	struct rendezvous_section *section = arg;
	struct log_line line;

	if (!read_reports(section))
		return;
	if (*section->unwell.text) {
		log_begin(&line, LOG_LEVEL_WARNING, "rendezvous: the server is not ready");
		log_field(&line, "reason", "%s", section->unwell.text);
	} else {
		log_begin(&line, LOG_LEVEL_INFO, "rendezvous: the server is ready again");
	}
	log_end(&line);
	section->changed(section->arg);
}

/*
 * Closes the server's input, which makes it exit. The daemon may not signal another user's process
 * without CAP_KILL.
 */
static void close_input(struct rendezvous_section *section)
{
	if (section->input_fd >= 0) {
		loop_remove(section->loop, section->input_fd);
		close(section->input_fd);
	}
	section->input_fd = -1;
}

/* Reaps the exited process. */
static void reap(struct rendezvous_section *section, int *status)
{
	*status = 0;
	waitpid(section->pid, status, WNOHANG);
	loop_remove(section->loop, section->pidfd);
	close(section->pidfd);
	close_input(section);
	section->pid = 0;
}

static void on_ended(void *arg)
{
	struct rendezvous_section *section = arg;
	char reason[sizeof(section->unwell.text) + 96];
	int status;

	if (section->input_fd >= 0)
		read_reports(section);
	reap(section, &status);
	if (!section->args[0] || section->replaces) {
		section->replaces = false;
		section->delay_s = 0;
		if (section->args[0])
			start(section);
		return;
	}
	if (WIFEXITED(status))
		snprintf(reason, sizeof(reason), "it has exited with status %d: %s",
			 WEXITSTATUS(status),
			 *section->unwell.text ? section->unwell.text : "see its messages");
	else
		snprintf(reason, sizeof(reason), "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	log_failure(section, reason);
	/* after a long run, restart with the shortest delay */
	if (clock_now_us() - section->started_us > DELAY_MAX_S * SECOND_US)
		section->delay_s = 0;
	/* an error in the options persists until the next reload */
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_USAGE)
		retry(section);
	section->changed(section->arg);
}

static void start(struct rendezvous_section *section)
{
	int pair[2]; /* ends of the daemon and the server */
	pid_t pid;

	log_condition_set(&section->unwell, NULL);
	section->reported_us = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)) {
		log_failure(section, strerror(errno));
		retry(section);
		return;
	}
	pid = fork();
	if (!pid)
		execute(section->args, pair[1]);
	close(pair[1]);
	section->input_fd = pair[0];
	section->pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (section->pidfd < 0 || loop_read(section->loop, section->pidfd, on_ended, section) ||
	    loop_read(section->loop, section->input_fd, on_report, section)) {
		log_failure(section, strerror(errno));
		close_input(section);
		if (section->pidfd >= 0) {
			loop_remove(section->loop, section->pidfd);
			close(section->pidfd);
		}
		/* the server exits when its input is closed */
		if (pid > 0)
			waitpid(pid, NULL, 0);
		retry(section);
		return;
	}
	section->pid = pid;
	section->started_us = clock_now_us();
}

static void on_timer(void *arg)
{
	struct rendezvous_section *section = arg;

	if (!section->args[0] || section->pid)
		return;
	start(section);
	section->changed(section->arg);
}

/* --- the section */

int rendezvous_section_init(struct rendezvous_section *section, struct loop *loop, loop_fn changed,
			    void *arg)
{
	section->loop = loop;
	section->changed = changed;
	section->arg = arg;
	section->timer = loop_timer(loop, false, on_timer, section);
	return section->timer ? 0 : -ENOMEM;
}

void rendezvous_section_apply(struct rendezvous_section *section, const struct config *config)
{
	char *args[RENDEZVOUS_ARGS_MAX];

	args_of(config, args);
	if (section->pid && !section->replaces && args_are_same(section->args, args)) {
		/* a full buffer already contains this request */
		if (write(section->input_fd, "\n", 1) < 0 && errno != EAGAIN)
			log_warning("rendezvous: cannot request a reload of the peers: %s",
				    strerror(errno));
		args_free(args);
		return;
	}
	args_free(section->args);
	memcpy(section->args, args, sizeof(args));
	loop_timer_stop(section->timer);
	section->delay_s = 0;
	log_condition_set(&section->failure, NULL);
	if (section->pid) {
		section->replaces = true;
		close_input(section);
	} else if (section->args[0]) {
		start(section);
	}
}

bool rendezvous_section_works(const struct rendezvous_section *section, char *why, size_t size)
{
	uint64_t since_us = section->reported_us ? section->reported_us : section->started_us;
	uint64_t silence_us = clock_now_us() - since_us;
	char unread;

	if (!section->pid)
		snprintf(why, size, "not running: %s", section->failure.text);
	else if (*section->unwell.text)
		snprintf(why, size, "%s", section->unwell.text);
	else if (silence_us > SILENCE_US &&
		 recv(section->input_fd, &unread, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
		snprintf(why, size, "the server has reported nothing for %llu seconds",
			 (unsigned long long)(silence_us / SECOND_US));
	else if (section->replaces || !section->reported_us)
		snprintf(why, size, "starting: no answer to a Binding request yet");
	else
		return true;
	return false;
}

void rendezvous_section_end(struct rendezvous_section *section)
{
	struct pollfd wait = { .fd = section->pidfd, .events = POLLIN };
	int status;

	if (section->pid) {
		close_input(section);
		poll(&wait, 1, END_MS);
		reap(section, &status);
	}
	args_free(section->args);
}
