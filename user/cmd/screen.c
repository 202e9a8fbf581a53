// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/screen.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* ECMA-48, and xterm's private modes for cursor and line wrap */
#define TERM_START   "\033[?25l\033[?7l\033[H\033[2J"
#define TERM_HOME    "\033[H"
#define TERM_LINE    "\033[K\n"
#define TERM_REST    "\033[J"
#define TERM_RESTORE "\033[?7h\033[?25h"

static void terminal_prepare(struct screen *screen)
{
	struct termios keys;

	if (!screen->in_place)
		return;
	/* reading keys would stop a background process (SIGTTIN) */
	screen->has_keys = tcgetpgrp(STDIN_FILENO) == getpgrp() &&
			   !tcgetattr(STDIN_FILENO, &screen->keys_before);
	if (screen->has_keys) {
		keys = screen->keys_before;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
	}
	fputs(TERM_START, screen->file);
}

static void terminal_restore(struct screen *screen)
{
	if (!screen->in_place)
		return;
	if (screen->has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->keys_before);
	screen->has_keys = false;
	fputs(TERM_RESTORE, screen->file);
	fflush(screen->file);
}

int screen_start(struct screen *screen, FILE *file, bool in_place)
{
	sigset_t handled;

	*screen = (struct screen){ .file = file, .in_place = in_place };
	sigemptyset(&handled);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGHUP);
	if (in_place)
		sigaddset(&handled, SIGTSTP);
	screen->signals_fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signals_fd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &handled, &screen->blocked_before);
	terminal_prepare(screen);
	return 0;
}

void screen_end(struct screen *screen)
{
	terminal_restore(screen);
	close(screen->signals_fd);
	sigprocmask(SIG_SETMASK, &screen->blocked_before, NULL);
}

void screen_write(const struct screen *screen, const char *text)
{
	struct winsize size = { 0 };
	size_t room = (size_t)-1, lines = 0;
	const char *at;

	for (at = text; (at = strchr(at, '\n')); at++)
		lines++;
	if (!ioctl(fileno(screen->file), TIOCGWINSZ, &size) && size.ws_row > 1)
		room = size.ws_row - 1u;
	fputs(TERM_HOME, screen->file);
	for (; *text && room; room--, lines--) {
		size_t length = strcspn(text, "\n");

		if (room == 1 && lines > 1) {
			fprintf(screen->file, "... %zu more lines" TERM_LINE, lines);
			break;
		}
		fwrite(text, 1, length, screen->file);
		fputs(TERM_LINE, screen->file);
		text += length + (text[length] == '\n');
	}
	fputs(TERM_REST, screen->file);
}

/* Returns false if the signal ends the report. */
static bool on_signal(struct screen *screen)
{
	struct signalfd_siginfo info;

	if (read(screen->signals_fd, &info, sizeof(info)) != sizeof(info))
		return true;
	if (info.ssi_signo != SIGTSTP)
		return false;
	terminal_restore(screen);
	raise(SIGSTOP);
	terminal_prepare(screen);
	return true;
}

/* Returns false if a key ends the report. */
static bool on_key(void)
{
	char key;
	ssize_t got = read(STDIN_FILENO, &key, 1);

	return got < 0 ? errno == EINTR || errno == EAGAIN : got && key != 'q' && key != 'Q';
}

bool screen_wait(struct screen *screen, unsigned int seconds)
{
	__u64 now = clock_now_us(), end = now + seconds * 1000000ULL;

	for (; now < end; now = clock_now_us()) {
		struct pollfd wait[] = { { .fd = screen->signals_fd, .events = POLLIN },
					 { .fd = screen->has_keys ? STDIN_FILENO : -1,
					   .events = POLLIN } };

		if (poll(wait, 2, (int)((end - now) / 1000) + 1) <= 0)
			continue;
		if (wait[0].revents && !on_signal(screen))
			return false;
		if (wait[1].revents && !on_key())
			return false;
	}
	return true;
}
