// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/need.h"

#include "kernel/caps.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>

enum feature need_answer(struct probe *probe, enum feature answer, const char *hint,
			 const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(probe->reason, sizeof(probe->reason), fmt, args);
	va_end(args);
	if (hint)
		snprintf(probe->hint, sizeof(probe->hint), "%s", hint);
	return answer;
}

enum feature need_cap(const struct need *need, struct probe *probe)
{
	struct err err;

	if (!caps_require(need->name, &need->number, 1, &err))
		return FEATURE_YES;
	return need_answer(probe, FEATURE_REFUSED, err.hint, "missing; needed to %s", need->why);
}

enum feature need_hook(const struct need *need, struct probe *probe)
{
	return feature_hook(need->prog, need->attach);
}

enum feature need_map(const struct need *need, struct probe *probe)
{
	return libbpf_probe_bpf_map_type(need->number, NULL) > 0 ? FEATURE_YES : FEATURE_NO;
}

enum feature need_helper(const struct need *need, struct probe *probe)
{
	return feature_helper(need->prog, need->attach, need->number);
}
