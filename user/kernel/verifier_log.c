// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/verifier_log.h"

#include "kernel/caps.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_SHOWN 12

/*
 * Returns the last lines of the log that fit into @room bytes; the verifier writes the reason
 * there.
 */
static const char *last_lines(const char *log, int lines, size_t room)
{
	const char *end = log + strlen(log), *at = end, *shown = end;

	while (at > log && lines && (size_t)(end - at) < room - 1) {
		at--;
		if (at > log && at[-1] != '\n')
			continue;
		shown = at;
		lines--;
	}
	return shown < end ? shown : at;
}

int verifier_log_error(const char *what, int error, const char *verifier_log, struct err *err)
{
	const char *folder = getenv("TMPDIR");
	ssize_t length = (ssize_t)strlen(verifier_log);
	char path[PATH_MAX];
	bool kept;
	int fd;

	/* libbpf 1.1 returns ESRCH for any failure to read the BTF of the kernel */
	if (error == ESRCH && !access("/sys/kernel/btf/vmlinux", R_OK))
		error = ENOMEM;
	if (error == EAGAIN || error == EINTR)
		return err_hint(err,
				err_set(err, EXIT_ERROR, error,
					"%s: a signal has interrupted the kernel's verifier", what),
				"try again");
	if (!length && error == EPERM && !caps_have(CAP_SYS_RESOURCE))
		return err_hint(err,
				err_set(err, EXIT_PERMISSION, error,
					"%s: the kernel refused to create a map or program: most"
					" likely RLIMIT_MEMLOCK is too low (kernels before 5.11"
					" charge maps to it)",
					what),
				CAPS_MEMLOCK_HINT);
	/* reaching a resource limit is no refusal, even if the verifier has begun its log */
	if (!length || err_is_limit(error))
		return err_kernel(err, error, "'sluice check' shows what this kernel lacks",
				  "%s: the kernel failed to create a map or program: %s", what,
				  strerror(error));
	snprintf(path, sizeof(path), "%s/sluice-verifier-XXXXXX", folder ? folder : "/tmp");
	fd = mkstemp(path);
	kept = fd >= 0 && write(fd, verifier_log, (size_t)length) == length;
	if (fd >= 0) {
		close(fd);
		if (!kept)
			unlink(path);
	}
	err_set(err, EXIT_LACKING, error, "%s: the kernel's verifier refused a program: %s", what,
		strerror(error));
	err->code = EXIT_LACKING; /* the verifier also returns EACCES for a bad access */
	snprintf(err->detail, sizeof(err->detail), "%s",
		 last_lines(verifier_log, LINES_SHOWN, sizeof(err->detail)));
	return err_hint(err, -error,
			"the verifier's whole log is in %s; 'sluice check' shows what"
			" this kernel lacks",
			kept ? path : "(it could not be written)");
}
