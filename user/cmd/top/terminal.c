// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/top/terminal.h"

#include "base/clock.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* functions, because macros have no addresses */
#define NCURSES_NOMACROS
#include <ncurses.h>

#define LIBRARY "libncursesw.so.6"

/* --- the library */

#define FUNCTIONS(X)  \
	X(newterm)    \
	X(delscreen)  \
	X(endwin)     \
	X(cbreak)     \
	X(noecho)     \
	X(curs_set)   \
	X(keypad)     \
	X(nodelay)    \
	X(wgetch)     \
	X(werase)     \
	X(wmove)      \
	X(wattrset)   \
	X(waddnstr)   \
	X(wrefresh)   \
	X(clearok)    \
	X(resizeterm) \
	X(getmaxx)    \
	X(getmaxy)

#define DECLARE(name) __typeof__(name) *name;
static struct curses {
	void *library;
	WINDOW **screen; /* stdscr */
	FUNCTIONS(DECLARE)
} curses;
#undef DECLARE

static void *symbol(const char *name, struct err *err)
{
	void *at = dlsym(curses.library, name);

	if (!at && !err->code)
		err_set(err, EXIT_ERROR, ENOSYS, LIBRARY ": it has no function %s", name);
	return at;
}

/* Returns 0, or -errno with *err set. */
static int curses_load(struct err *err)
{
	void *at;

	if (curses.library)
		return 0;
	*err = (struct err){ 0 };
	curses.library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!curses.library)
		return err_hint(err, err_set(err, EXIT_ERROR, ENOENT, "%s", dlerror()),
				"install ncurses (Debian: libncursesw6), or use --once or -j");
		/* POSIX guarantees that a data pointer can hold a function address */
#define LOAD(name)               \
	at = symbol(#name, err); \
	memcpy(&curses.name, &at, sizeof(at));
	FUNCTIONS(LOAD)
#undef LOAD
	curses.screen = symbol("stdscr", err);
	if (!err->code)
		return 0;
	dlclose(curses.library);
	curses.library = NULL;
	return -ENOSYS;
}

/* --- the terminal */

struct terminal {
	SCREEN *screen;
	WINDOW *window;
	int signals_fd;
	sigset_t blocked_before;
};

static int signals_block(struct terminal *terminal, struct err *err)
{
	sigset_t handled;

	sigemptyset(&handled);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGHUP);
	sigaddset(&handled, SIGTSTP);
	sigaddset(&handled, SIGWINCH);
	terminal->signals_fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
	if (terminal->signals_fd < 0)
		return err_set(err, EXIT_ERROR, errno, "signalfd: %s", strerror(errno));
	sigprocmask(SIG_BLOCK, &handled, &terminal->blocked_before);
	return 0;
}

static void signals_restore(struct terminal *terminal)
{
	close(terminal->signals_fd);
	sigprocmask(SIG_SETMASK, &terminal->blocked_before, NULL);
}

int terminal_check(struct err *err)
{
	const char *term = getenv("TERM");

	if (!isatty(STDOUT_FILENO))
		return err_hint(
			err, err_set(err, EXIT_USAGE, ENOTTY, "standard output is not a terminal"),
			"use --once for one table, or -j for a line each interval");
	if (!isatty(STDIN_FILENO))
		return err_hint(err,
				err_set(err, EXIT_USAGE, ENOTTY,
					"standard input is not a terminal, so no key can be read"),
				"use --once for one table, or -j for a line each interval");
	if (!term || !*term)
		return err_hint(err,
				err_set(err, EXIT_USAGE, ENOENT,
					"the environment variable TERM is not set"),
				"set it to the type of your terminal, such as xterm, or use --once"
				" or -j");
	if (!output_has_escapes())
		return err_hint(err,
				err_set(err, EXIT_USAGE, ENOTTY,
					"a terminal of type '%s' has no cursor that can be moved",
					term),
				"use --once or -j");
	return 0;
}

int terminal_open(struct terminal **opened, struct err *err)
{
	struct terminal *terminal = calloc(1, sizeof(*terminal));
	int result = terminal ? curses_load(err)
			      : err_set(err, EXIT_ERROR, ENOMEM, "top: out of memory");

	if (!result)
		result = signals_block(terminal, err);
	if (result)
		goto failed;
	/* initscr() would exit the process on failure */
	terminal->screen = curses.newterm(NULL, stdout, stdin);
	if (!terminal->screen) {
		signals_restore(terminal);
		result = err_hint(err,
				  err_set(err, EXIT_ERROR, ENOENT,
					  "the terminal type '%s' (TERM) is not known here",
					  getenv("TERM")),
				  "set TERM to a known one, such as xterm (Debian: ncurses-term has"
				  " more), or use --once or -j");
		goto failed;
	}
	terminal->window = *curses.screen;
	curses.cbreak();
	curses.noecho();
	curses.curs_set(0);
	curses.keypad(terminal->window, TRUE);
	curses.nodelay(terminal->window, TRUE);
	*opened = terminal;
	return 0;
failed:
	free(terminal);
	return result;
}

void terminal_close(struct terminal *terminal)
{
	if (!terminal)
		return;
	curses.endwin();
	curses.delscreen(terminal->screen);
	signals_restore(terminal);
	free(terminal);
}

int terminal_width(const struct terminal *terminal)
{
	return curses.getmaxx(terminal->window);
}

int terminal_height(const struct terminal *terminal)
{
	return curses.getmaxy(terminal->window);
}

void terminal_clear(struct terminal *terminal)
{
	curses.werase(terminal->window);
}

void terminal_line(void *arg, int y, enum top_tone tone, const char *text)
{
	static const int attributes[] = {
		[TOP_PLAIN] = A_NORMAL, [TOP_HEADING] = A_REVERSE, [TOP_WARNING] = A_BOLD
	};
	struct terminal *terminal = arg;

	curses.wattrset(terminal->window, attributes[tone]);
	curses.wmove(terminal->window, y, 0);
	curses.waddnstr(terminal->window, text, terminal_width(terminal));
}

void terminal_show(struct terminal *terminal)
{
	curses.wrefresh(terminal->window);
}

/* --- events */

/* ncurses learns the size only from SIGWINCH, which is blocked. */
static void resize(void)
{
	struct winsize size = { 0 };

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		curses.resizeterm(size.ws_row, size.ws_col);
}

static enum terminal_event read_signal(struct terminal *terminal)
{
	struct signalfd_siginfo info;

	if (read(terminal->signals_fd, &info, sizeof(info)) != sizeof(info))
		return TERMINAL_TIMEOUT;
	if (info.ssi_signo != SIGTSTP && info.ssi_signo != SIGWINCH)
		return TERMINAL_END;
	if (info.ssi_signo == SIGTSTP) {
		curses.endwin();
		raise(SIGSTOP);
	}
	resize();
	curses.clearok(terminal->window, TRUE);
	return TERMINAL_REDRAW;
}

static int key_of(int code)
{
	switch (code) {
	case KEY_UP:
		return TOP_KEY_UP;
	case KEY_DOWN:
		return TOP_KEY_DOWN;
	case KEY_LEFT:
		return TOP_KEY_LEFT;
	case KEY_RIGHT:
		return TOP_KEY_RIGHT;
	case KEY_PPAGE:
		return TOP_KEY_PAGE_UP;
	case KEY_NPAGE:
		return TOP_KEY_PAGE_DOWN;
	case KEY_HOME:
		return TOP_KEY_HOME;
	case KEY_END:
		return TOP_KEY_END;
	default:
		return code < TOP_KEY_UP ? code : TOP_KEY_NONE;
	}
}

/* Ctrl-L redraws the screen, as in other programs. */
#define CTRL_L 12

enum terminal_event terminal_wait(struct terminal *terminal, __u64 until_us, int *key)
{
	bool readable = false;

	for (;;) {
		__u64 now = clock_now_us();
		struct pollfd wait[] = { { .fd = terminal->signals_fd, .events = POLLIN },
					 { .fd = STDIN_FILENO, .events = POLLIN } };
		enum terminal_event event;
		/*
		 * ncurses may have buffered a key; readable input without a key means end of input
		 */
		int code = curses.wgetch(terminal->window);

		if (code == CTRL_L) {
			curses.clearok(terminal->window, TRUE);
			return TERMINAL_REDRAW;
		}
		if (code != ERR) {
			*key = key_of(code);
			return TERMINAL_KEY;
		}
		if (readable)
			return TERMINAL_END;
		if (now >= until_us)
			return TERMINAL_TIMEOUT;
		if (poll(wait, 2, (int)((until_us - now) / 1000) + 1) <= 0)
			continue;
		event = wait[0].revents ? read_signal(terminal) : TERMINAL_TIMEOUT;
		if (event != TERMINAL_TIMEOUT)
			return event;
		readable = wait[1].revents != 0;
	}
}
