# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Programs with a wrong wall clock. Source it after lib.sh.

# clock_library: builds the library TEST_TMP/clock.so. With LD_PRELOAD, it adds the seconds in the file
# CLOCK_FILE to the wall clock of a program. The file may change at any time.
clock_library()
{
	"${CC:-cc}" -shared -fPIC -D_GNU_SOURCE -o "$TEST_TMP/clock.so" -x c - <<-'C'
		#include <fcntl.h>
		#include <stdlib.h>
		#include <sys/syscall.h>
		#include <sys/time.h>
		#include <time.h>
		#include <unistd.h>

		int clock_gettime(clockid_t clock, struct timespec *now)
		{
			int result = (int)syscall(SYS_clock_gettime, clock, now), file;
			char text[24] = "";

			if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
				return result;
			file = open(getenv("CLOCK_FILE"), O_RDONLY | O_CLOEXEC);
			if (file < 0 || read(file, text, sizeof(text) - 1) <= 0)
				abort();
			close(file);
			now->tv_sec += atol(text);
			return result;
		}

		int gettimeofday(struct timeval *restrict now, void *restrict zone)
		{
			struct timespec exact;

			clock_gettime(CLOCK_REALTIME, &exact);
			*now = (struct timeval){ exact.tv_sec, exact.tv_nsec / 1000 };
			return 0;
		}

		time_t time(time_t *into)
		{
			struct timespec exact;

			clock_gettime(CLOCK_REALTIME, &exact);
			if (into)
				*into = exact.tv_sec;
			return exact.tv_sec;
		}
	C
}

YEAR=31536000
