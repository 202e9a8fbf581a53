// SPDX-License-Identifier: GPL-2.0-or-later
#include "run_planes.h"

#include "log.h"

#include <errno.h>
#include <stdlib.h>

/* An interface may go between being listed and being attached to. */
#define WIRE_TRIES 5

static const char *outcome_name(enum reply_outcome outcome)
{
	static const char *const names[] = {
		[REPLY_VERIFIED] = "verified",
		[REPLY_LOADED] = "loaded",
		[REPLY_UPDATED] = "updated",
		[REPLY_RECOVERED] = "recovered",
	};

	return names[outcome];
}

static void log_loaded(const char *message, enum reply_outcome outcome, const struct ports *ports,
		       const char *key, const char *value, int ifaces)
{
	struct log_line line;
	char text[512];

	ports_format(ports, text, sizeof(text));
	log_begin(&line, LOG_LEVEL_INFO, message);
	log_field(&line, "outcome", "%s", outcome_name(outcome));
	log_field(&line, key, "%s", value);
	log_field(&line, "ports", "%s", text);
	if (ifaces >= 0)
		log_field(&line, "ifaces", "%d", ifaces);
	log_end(&line);
}

static int reply_apply(const struct run_config *config, enum reply_outcome *outcome,
		       struct err *err)
{
	struct reply_result result;
	int failed = reply_load(&config->reply, &result, err);

	if (failed)
		return failed;
	*outcome = result.outcome;
	log_loaded("reply is in force", result.outcome, &config->reply.ports, "mode",
		   reply_mode_name(config->reply.mode), -1);
	return 0;
}

static int wire_try(const struct wire_options *options, const struct run_place *place,
		    struct wire_result *result, struct err *err)
{
	int tries, failed = run_place_enter(place, err);

	if (failed)
		return failed;
	failed = -ENODEV;
	for (tries = 0; failed == -ENODEV && tries < WIRE_TRIES; tries++)
		failed = wire_load(options, result, err);
	run_place_leave(place);
	return failed;
}

static int wire_apply(const struct run_config *config, const struct run_place *place, bool dry_run,
		      struct err *err)
{
	struct wire_options options = config->wire;
	struct wire_result result;
	int failed;

	options.dry_run = dry_run;
	options.absent_ok = true;
	failed = wire_try(&options, place, &result, err);
	if (failed)
		return failed;
	if (!dry_run)
		log_loaded("wire is in force", result.outcome, &options.ports, "attached_by",
			   wire_via_name(result.via), result.count);
	if (result.routes_left_out)
		log_warning("more routes than there is room for, %zu are left out: answers follow"
			    " wider ones",
			    result.routes_left_out);
	free(result.ifaces);
	return 0;
}

static void reply_restore(const struct run_config *wanted, const struct run_config *before,
			  enum reply_outcome outcome)
{
	struct err err = { .what = "" };
	int failed = 0;

	if (before && before->has_reply)
		failed = reply_apply(before, &outcome, &err);
	else if (outcome == REPLY_LOADED)
		failed = reply_unload(wanted->reply.bpffs, &err);
	else
		log_warning("reply keeps its new settings");
	if (failed < 0)
		log_warning("reply keeps its new settings: %s", err.what);
}

static void drop(const struct run_config *wanted, const struct run_config *before,
		 const struct run_place *place)
{
	struct err err;

	if (before->has_reply && !wanted->has_reply) {
		if (reply_unload(before->reply.bpffs, &err) < 0)
			log_err(&err);
		else
			log_info("reply is unloaded");
	}
	if (before->has_wire && !wanted->has_wire && !run_place_enter(place, &err)) {
		if (wire_unload(before->wire.bpffs, &err) < 0)
			log_err(&err);
		else
			log_info("wire is unloaded");
		run_place_leave(place);
	}
}

/*
 * Each plane is loaded as a whole or not at all.  With two of them, the second is verified before
 * the first is changed, so that there is hardly ever a need to go back.
 */
int run_planes_apply(const struct run_config *wanted, const struct run_config *before,
		     const struct run_place *place, struct err *err)
{
	enum reply_outcome outcome = REPLY_VERIFIED;
	int failed = 0;

	if (wanted->has_reply && wanted->has_wire)
		failed = wire_apply(wanted, place, true, err);
	if (!failed && wanted->has_reply)
		failed = reply_apply(wanted, &outcome, err);
	if (failed)
		return failed;
	if (wanted->has_wire)
		failed = wire_apply(wanted, place, false, err);
	if (failed && wanted->has_reply)
		reply_restore(wanted, before, outcome);
	if (!failed && before)
		drop(wanted, before, place);
	return failed;
}
