// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/check.h"

#include "hold/needs.h"
#include "kernel/caps.h"
#include "meet/needs.h"
#include "reply/needs.h"
#include "steer/needs.h"
#include "wire/needs.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REPLY (1U << CHECK_REPLY)
#define STEER (1U << CHECK_STEER)
#define HOLD  (1U << CHECK_HOLD)
#define MEET  (1U << CHECK_RENDEZVOUS)
#define ALL   ((1U << CHECK_OBJECTS) - 1)

/* The host rows come first: without bpf(2) or BTF, the results of other probes would be wrong. */
static const struct table {
	const char *name;
	unsigned int objects;
	const struct needs *needs;
} tables[] = {
	{ "host", ALL, &host_needs },	     { "host", ALL & ~MEET, &pinned_needs },
	{ "reply", REPLY, &reply_needs },    { "reply", REPLY, &wire_needs },
	{ "steer", STEER, &steer_needs },    { "hold", HOLD, &hold_needs },
	{ "rendezvous", MEET, &meet_needs },
};

const char *check_object_name(enum check_object object)
{
	static const char *const names[] = {
		[CHECK_REPLY] = "reply",
		[CHECK_STEER] = "steer",
		[CHECK_HOLD] = "hold",
		[CHECK_RENDEZVOUS] = "rendezvous",
	};

	return names[object];
}

/*
 * Returns the objects that can use the fallback of a row; the other objects of the table require
 * the row. The rendezvous server requires no row, since it works without XDP.
 */
static unsigned int optional_for(const struct need *need)
{
	return need->optional || !need->fallback ? need->optional | MEET : ALL;
}

/*
 * Returns true if this process has the permissions that the probe needs; otherwise sets reason and
 * hint.
 */
static bool may_probe(const struct need *need, struct probe *probe)
{
	static const int order[] = { CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN };
	char list[sizeof(probe->reason)] = "", name[CAPS_NAME_MAX];
	size_t i, used = 0, count = 0;

	for (i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (need->takes & 1 << i && !caps_have(order[i]))
			used += snprintf(list + used, sizeof(list) - used, "%s%s",
					 count++ ? " and " : "", caps_name(order[i], name));
	if (!count && !(need->takes && probe->bpf_refused))
		return true;
	need_answer(probe, FEATURE_REFUSED,
		    !count	? NEED_SECCOMP_HINT
		    : count > 1 ? "grant them"
				: "grant it",
		    "unknown without %s", count ? list : "bpf(2)");
	return false;
}

/* Sets reason and hint of a finding: those of the probe or, if empty, those of the row. */
static void describe(struct check_finding *finding, const struct need *need, enum feature answer,
		     const struct probe *probe)
{
	char *reason = finding->reason, *hint = finding->hint;
	size_t size = sizeof(finding->reason), used;

	if (probe->reason[0])
		snprintf(reason, size, "%s", probe->reason);
	else if (answer == FEATURE_REFUSED)
		snprintf(reason, size, "refused by a seccomp filter, an LSM or lockdown");
	else if (answer == FEATURE_NO && need->since)
		snprintf(reason, size, "not in this kernel (added in Linux %s)", need->since);
	else
		snprintf(reason, size, "%s",
			 answer == FEATURE_NO ? "not in this kernel" : need->why);
	if (answer == FEATURE_YES)
		return;
	used = strlen(reason);
	if (finding->result == CHECK_WARN && answer != FEATURE_LIMITED && need->fallback)
		snprintf(reason + used, size - used, "; instead: %s", need->fallback);
	size = sizeof(finding->hint);
	if (probe->hint[0])
		snprintf(hint, size, "%s", probe->hint);
	else if (answer == FEATURE_REFUSED)
		snprintf(hint, size, "%s", NEED_SECCOMP_HINT);
	else if (need->hint)
		snprintf(hint, size, "%s", need->hint);
	else if (need->since)
		snprintf(hint, size, "Linux %s or later, built with this feature", need->since);
}

static void check_row(const struct table *table, const struct need *need, struct probe *probe,
		      unsigned int objects, struct check_finding *finding)
{
	enum feature answer;

	*finding = (struct check_finding){ .object = table->name, .name = need->name };
	probe->reason[0] = probe->hint[0] = '\0';
	finding->unknown = !may_probe(need, probe);
	if (finding->unknown)
		answer = FEATURE_REFUSED;
	else if (need->takes & NEED_BTF && !probe->vmlinux)
		answer = need_answer(probe, FEATURE_NO, "see the BTF row", "unknown without BTF");
	else
		answer = need->has	 ? need->has()
			 : need->has_btf ? need->has_btf(probe->vmlinux)
					 : need->probe(need, probe);
	finding->permission = answer == FEATURE_REFUSED;
	if (answer == FEATURE_LIMITED)
		finding->result = CHECK_WARN;
	else if (answer != FEATURE_YES)
		finding->result = table->objects & objects & ~optional_for(need) ? CHECK_FAIL
										 : CHECK_WARN;
	describe(finding, need, answer, probe);
}

/* Adds a finding to the verdict of an object. */
static void classify(struct check_verdict *verdict, const struct need *need, bool optional,
		     const struct check_finding *finding)
{
	bool first = verdict->state != CHECK_MISSING;
	size_t used = strlen(verdict->missing);
	int i;

	if (finding->result == CHECK_OK)
		return;
	if (optional || finding->result != CHECK_FAIL) {
		if (first)
			verdict->state = CHECK_FALLBACK;
		for (i = 0; i < verdict->fallbacks; i++)
			if (need->fallback && verdict->fallback[i] &&
			    !strcmp(need->fallback, verdict->fallback[i]))
				return;
		verdict->fallback[verdict->fallbacks++] = need->fallback;
		return;
	}
	verdict->permission = finding->permission && (first || verdict->permission);
	verdict->state = CHECK_MISSING;
	/* omit rows with an unknown result: the missing capability has its own row */
	if (!finding->unknown)
		snprintf(verdict->missing + used, sizeof(verdict->missing) - used, "%s%s",
			 used ? ", " : "", finding->name);
}

static void check_table(const struct table *table, struct probe *probe, unsigned int objects,
			struct check_report *report)
{
	enum check_object object;
	size_t i;

	for (i = 0; i < table->needs->count && report->count < CHECK_FINDINGS_MAX; i++) {
		struct check_finding *finding = &report->finding[report->count++];
		const struct need *need = &table->needs->row[i];

		check_row(table, need, probe, objects, finding);
		for (object = 0; object < CHECK_OBJECTS; object++)
			if (table->objects & objects & 1U << object)
				classify(&report->verdict[object], need,
					 optional_for(need) & 1U << object, finding);
	}
}

void check_run(const struct check_settings *settings, struct check_report *report)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct probe probe = { .bpffs = settings->bpffs, .cgroup = settings->cgroup };
	struct btf *vmlinux = btf__load_vmlinux_btf(), *module = NULL;
	enum check_object object;
	size_t i;

	if (vmlinux && !access("/sys/kernel/btf/nf_conntrack", R_OK))
		module = btf__load_module_btf("nf_conntrack", vmlinux);
	probe.vmlinux = vmlinux;
	probe.conntrack = module ? module : vmlinux;
	memset(report, 0, sizeof(*report));
	for (object = 0; object < CHECK_OBJECTS; object++)
		report->verdict[object].asked = settings->objects & 1U << object;
	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		if (tables[i].objects & settings->objects)
			check_table(&tables[i], &probe, settings->objects, report);
	btf__free(module);
	btf__free(vmlinux);
	libbpf_set_print(print);
}
