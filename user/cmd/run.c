// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice run: the node daemon.  It loads what its file says, and then follows the host: interfaces
 * and addresses that come and go, and the file itself.  All that it achieves is in the kernel:
 * ending it, however it ends, changes nothing for the traffic, and the next one takes over.
 */
#include "claim.h"
#include "clock.h"
#include "command.h"
#include "hooks.h"
#include "log.h"
#include "loop.h"
#include "notify.h"
#include "place.h"
#include "reply_purge.h"
#include "rtnl.h"
#include "run_addrs.h"
#include "run_config.h"
#include "run_follow.h"
#include "run_place.h"
#include "run_planes.h"
#include "run_steer.h"
#include "settle.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Addresses are few, and an answer may hang on them. */
#define ADDRESSES_QUIET_US 50000
#define ADDRESSES_BOUND_US 1000000
/* Routes come by the ten thousand, and the kernel is asked about them as well. */
#define ROUTES_QUIET_US 250000
#define ROUTES_BOUND_US 3000000
/* After a failure the interfaces are looked at again, at ever longer intervals. */
#define RETRY_US     1000000
#define RETRY_MAX_US 64000000
/* Somebody may have detached us; a look costs some system calls for each interface. */
#define CHECK_US 10000000

struct options {
	const char *path;
	bool check;
};

static int set_config(void *into, const char *value, struct err *err)
{
	((struct options *)into)->path = value;
	return 0;
}

static int set_check(void *into, const char *value, struct err *err)
{
	((struct options *)into)->check = true;
	return 0;
}

static const struct opt opts[] = {
	{ "config", 'c', "FILE", "what to load, and where", set_config },
	{ "check-config", 0, NULL, "say what is wrong with the file, and change nothing",
	  set_check },
	{ NULL, 0, NULL, NULL, NULL },
};

static struct options options;

struct node;

/* One of the namespaces that are watched. */
struct watch {
	struct node *node;
	struct rtnl *news;
	struct addrs *addrs;
	struct loop_timer *look;
	struct settle addresses, routes;
	__u64 heard_us; /* the news that are being told */
	int netns_fd;
	bool has_wire;
};

enum {
	HOME,
	WIRE, /* where it is not at home */
	WATCHES
};

struct node {
	const struct context *context;
	const char *path;
	struct run_config *config;
	char cgroup[2][PATH_MAX]; /* of the configuration in force, and of the one to come */
	int cgroup_used;
	struct run_place place;
	int claim_fd;
	char bpffs[PATH_MAX];
	struct loop *loop;
	struct watch watch[WATCHES];
	struct follow *follow;
	struct run_steer *steer;
	struct loop_timer *retry;
	__u64 retry_us;
	size_t routes_left_out;
};

/* --- the file */

static void print_problems(const struct conf *conf, const char *path)
{
	size_t i;

	for (i = 0; i < conf->problems; i++)
		if (conf->problem[i].line)
			fprintf(stderr, "%s:%u: %s\n", path, conf->problem[i].line,
				conf->problem[i].text);
		else
			fprintf(stderr, "%s: %s\n", path, conf->problem[i].text);
}

static void log_problems(const struct conf *conf, const char *path)
{
	struct log_line line;
	size_t i;

	for (i = 0; i < conf->problems; i++) {
		log_begin(&line, LOG_LEVEL_ERROR, conf->problem[i].text);
		log_field(&line, "file", "%s", path);
		if (conf->problem[i].line)
			log_field(&line, "line", "%u", conf->problem[i].line);
		log_end(&line);
	}
}

static int check_only(const struct context *context, const char *path, struct err *err)
{
	struct run_config *config = calloc(1, sizeof(*config));
	int result;

	if (!config)
		return err_set(err, EXIT_ERROR, ENOMEM, "%s: no memory", path);
	result = run_config_read(path, config, err);
	print_problems(&config->conf, path);
	if (!result && context->output.json) {
		json_t *document = output_document();

		json_object_set_new(document, "config", output_name(path));
		json_object_set_new(document, "reply", json_boolean(config->has_reply));
		json_object_set_new(document, "wire", json_boolean(config->has_wire));
		json_object_set_new(document, "steer", json_boolean(config->has_steer));
		output_json(&context->output, document);
	} else if (!result) {
		fprintf(context->output.file, "%s: nothing is wrong with it\n", path);
	}
	run_config_free(config);
	free(config);
	return result;
}

static void config_drop(struct run_config *config)
{
	if (!config)
		return;
	run_config_free(config);
	free(config);
}

/* Where it is to act: an option goes before the file, which goes before what is usual. */
static int config_place(struct node *node, struct run_config *config, struct err *err)
{
	struct context context = *node->context;
	char *cgroup = node->cgroup[!node->cgroup_used];
	int result;

	if (config->bpffs && !context.bpffs_given)
		context.bpffs = config->bpffs;
	if (config->cgroup && !context.cgroup)
		context.cgroup = config->cgroup;
	config->bpffs = context.bpffs;
	config->reply.bpffs = config->wire.bpffs = context.bpffs;
	config->reply.cgroup = cgroup;
	*cgroup = '\0';
	result = config->has_reply || config->has_steer ? place_cgroup(&context, cgroup, err) : 0;
	/* steering does without */
	return config->has_reply ? result : 0;
}

static int config_new(struct node *node, struct run_config **config, struct err *err)
{
	struct run_config *fresh = calloc(1, sizeof(*fresh));
	int result;

	if (!fresh)
		return err_set(err, EXIT_ERROR, ENOMEM, "%s: no memory", node->path);
	result = run_config_read(node->path, fresh, err);
	log_problems(&fresh->conf, node->path);
	if (!result)
		result = config_place(node, fresh, err);
	if (result)
		config_drop(fresh);
	else
		*config = fresh;
	return result;
}

static void config_take(struct node *node, struct run_config *config)
{
	int i;

	config_drop(node->config);
	node->config = config;
	node->cgroup_used = !node->cgroup_used;
	log_logfmt(node->context->verbose ? LOG_LEVEL_DEBUG : config->log_level);
	follow_options(node->follow, config->has_wire ? &config->wire : NULL);
	for (i = 0; i < WATCHES && config->has_wire; i++)
		if (node->watch[i].has_wire && rtnl_add_routes(node->watch[i].news))
			log_warning("routes are not followed: %s", strerror(errno));
}

/* --- how it stands */

static void tell(const struct node *node, const char *state)
{
	const struct run_config *config = node->config;
	char reply[32] = "", wire[48] = "", steer[48] = "";
	int result;

	if (config->has_reply)
		snprintf(reply, sizeof(reply), "reply: %s", reply_mode_name(config->reply.mode));
	if (config->has_wire)
		snprintf(wire, sizeof(wire), "%swire: %u interfaces", *reply ? ", " : "",
			 follow_count(node->follow));
	if (config->has_steer)
		snprintf(steer, sizeof(steer), "%ssteer: %u groups", *reply || *wire ? ", " : "",
			 run_steer_groups(node->steer));
	result = notify("%sSTATUS=%s%s%s\n", state, reply, wire, steer);
	if (result < 0)
		log_warning("service manager: %s", strerror(-result));
}

static void on_groups(void *arg)
{
	const struct node *node = arg;

	/* the first configuration is told when all of it is in force */
	if (node->config)
		tell(node, "");
}

static void on_watchdog(void *arg)
{
	notify("WATCHDOG=1\n");
}

/* --- following the host */

static void sync_failed(struct node *node, const struct err *err)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_WARNING, "interfaces are not followed");
	log_field(&line, "reason", "%s", err->what);
	log_field(&line, "again_after_s", "%llu", node->retry_us / 1000000);
	log_end(&line);
}

/* Looks at all interfaces, and later once more if that did not do. */
static void look_again(struct node *node)
{
	struct err err;
	int result = run_place_enter(&node->place, &err);

	if (!result) {
		result = follow_sync(node->follow, &err);
		run_place_leave(&node->place);
	}
	if (result)
		sync_failed(node, &err);
	if (follow_wants_sync(node->follow) || result) {
		loop_timer_start(node->retry, node->retry_us);
		node->retry_us *= node->retry_us < RETRY_MAX_US ? 2 : 1;
	} else {
		node->retry_us = RETRY_US;
	}
	tell(node, "");
}

static void on_retry(void *arg)
{
	look_again(arg);
}

static void on_check(void *arg)
{
	struct node *node = arg;
	struct err err;
	bool lost;

	run_steer_check(node->steer);
	if (!node->config->has_wire || loop_timer_runs(node->retry) ||
	    run_place_enter(&node->place, &err))
		return;
	lost = follow_has_lost(node->follow);
	run_place_leave(&node->place);
	if (lost)
		look_again(node);
}

static void purge(struct watch *watch)
{
	struct node *node = watch->node;
	struct in6_addr *gone = NULL;
	struct log_line line;
	size_t count = 0;
	struct err err;
	int result = addrs_gone(watch->addrs, &gone, &count, &err);

	if (!result && count && node->config->has_reply)
		result = reply_purge(node->bpffs, (const struct sluice_addr *)gone, count,
				     run_place_number(watch->netns_fd), &err);
	free(gone);
	if (result < 0) {
		log_err(&err);
		return;
	}
	if (!count)
		return;
	log_begin(&line, LOG_LEVEL_INFO, "addresses left this host");
	log_field(&line, "addresses", "%zu", count);
	log_field(&line, "flows_purged", "%d", result);
	log_end(&line);
}

/* At the earlier of the two times. */
static void schedule(struct watch *watch)
{
	const struct settle *first = &watch->addresses;
	__u64 now = clock_now_us();

	if (watch->routes.pending && (!first->pending || watch->routes.due_us < first->due_us))
		first = &watch->routes;
	loop_timer_start(watch->look, first->due_us > now ? first->due_us - now : 0);
}

/* The warning comes when the number changes, not each time. */
static void say_left_out(struct node *node, size_t left_out)
{
	struct log_line line;

	if (left_out == node->routes_left_out)
		return;
	node->routes_left_out = left_out;
	log_begin(&line, left_out ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		  left_out ? "more routes than there is room for: answers follow wider ones"
			   : "there is room for all routes again");
	log_field(&line, "left_out", "%zu", left_out);
	log_end(&line);
}

static int refresh_routes(struct watch *watch)
{
	struct node *node = watch->node;
	struct err err;
	size_t left_out;
	int result;

	if (!watch->has_wire || !node->config->has_wire)
		return 0;
	result = wire_refresh_routes(node->bpffs, &left_out, &err);
	if (result)
		log_err(&err);
	else
		say_left_out(node, left_out);
	return result;
}

static void on_look(void *arg)
{
	struct watch *watch = arg;
	struct node *node = watch->node;
	bool away = watch == &node->watch[WIRE];
	__u64 began = clock_now_us(), ended;
	struct err err;
	int failed;

	if (away && run_place_enter(&node->place, &err)) {
		log_err(&err);
		return;
	}
	if (watch->addresses.pending)
		purge(watch);
	failed = refresh_routes(watch);
	if (away)
		run_place_leave(&node->place);
	ended = clock_now_us();
	settle_looked(&watch->addresses, began, ended);
	settle_looked(&watch->routes, began, ended);
	/* what changes faster than it can be read, or is locked, is not up to date yet */
	if (failed == -EAGAIN || failed == -EBUSY) {
		settle_news(&watch->routes, ended);
		schedule(watch);
	}
}

static void on_link(const struct rtnl_link *link, void *arg)
{
	struct watch *watch = arg;

	if (watch->has_wire)
		follow_link(watch->node->follow, link, watch->heard_us);
	if (watch == &watch->node->watch[HOME])
		run_steer_link(watch->node->steer, link);
}

static void on_gone(const struct rtnl_link *link, void *arg)
{
	struct watch *watch = arg;

	if (watch->has_wire)
		follow_gone(watch->node->follow, link);
	if (watch == &watch->node->watch[HOME])
		run_steer_link(watch->node->steer, link);
}

static void on_left(const struct in6_addr *addr, void *arg)
{
	struct watch *watch = arg;

	if (addrs_add(watch->addrs, addr))
		log_warning("addresses: no memory");
}

static void on_address(void *arg)
{
	struct watch *watch = arg;

	settle_news(&watch->addresses, clock_now_us());
	schedule(watch);
}

static void on_route(void *arg)
{
	struct watch *watch = arg;

	settle_news(&watch->routes, clock_now_us());
	schedule(watch);
}

static void on_lost(void *arg)
{
	struct watch *watch = arg;

	log_warning("news of the kernel were lost: looking at everything again");
	on_address(watch);
	loop_timer_start(watch->node->retry, 0);
}

static const struct rtnl_news news = { on_link, on_gone, on_left, on_address, on_route, on_lost };

static void on_news(void *arg)
{
	struct watch *watch = arg;
	struct node *node = watch->node;
	unsigned int before = follow_count(node->follow);
	bool away = watch == &node->watch[WIRE];
	struct err err;
	int result;

	watch->heard_us = clock_now_us();
	if (away && run_place_enter(&node->place, &err)) {
		log_err(&err);
		return;
	}
	result = rtnl_read(watch->news);
	if (away)
		run_place_leave(&node->place);
	if (result)
		log_warning("news of the kernel: %s", strerror(-result));
	if (follow_wants_sync(node->follow))
		loop_timer_start(node->retry, 0);
	if (follow_count(node->follow) != before)
		tell(node, "");
}

/* In the calling thread's namespace. */
static int watch_begin(struct node *node, int which, int netns_fd, struct err *err)
{
	struct watch *watch = &node->watch[which];
	struct in6_addr *none = NULL;
	size_t count;
	int result;

	*watch = (struct watch){ .node = node, .netns_fd = netns_fd };
	watch->has_wire = (which == WIRE) == (node->place.wire_fd >= 0);
	watch->addrs = addrs_new();
	watch->addresses.quiet_us = ADDRESSES_QUIET_US;
	watch->addresses.bound_us = ADDRESSES_BOUND_US;
	watch->routes.quiet_us = ROUTES_QUIET_US;
	watch->routes.bound_us = ROUTES_BOUND_US;
	watch->look = loop_timer(node->loop, false, on_look, watch);
	result = watch->addrs && watch->look ? rtnl_open(&watch->news, &news, watch) : -ENOMEM;
	if (!result)
		result = loop_read(node->loop, rtnl_fd(watch->news), on_news, watch);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "news of the kernel: %s",
			       strerror(-result));
	result = addrs_gone(watch->addrs, &none, &count, err);
	free(none);
	return result;
}

static int watch_all(struct node *node, struct err *err)
{
	int result = watch_begin(node, HOME, node->place.home_fd, err);

	if (result || node->place.wire_fd < 0)
		return result;
	result = run_place_enter(&node->place, err);
	if (result)
		return result;
	result = watch_begin(node, WIRE, node->place.wire_fd, err);
	run_place_leave(&node->place);
	return result;
}

/* --- a new file */

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* What the running process has built upon. */
static int refuse_move(const struct node *node, const struct run_config *config, struct err *err)
{
	const char *what = NULL;

	if (strcmp(config->bpffs, node->bpffs))
		what = "[global] bpffs";
	else if (config->has_wire && !same_text(config->netns, node->config->netns))
		what = "[wire] netns";
	if (!what)
		return 0;
	return err_mend(err,
			err_set(err, EXIT_USAGE, EINVAL, "%s: %s can't change while this runs",
				node->path, what),
			"unload what is loaded there, and restart");
}

static int apply(struct node *node, const struct run_config *wanted, struct err *err)
{
	int result = run_steer_apply(node->steer, wanted, err);

	if (result)
		return result;
	result = run_planes_apply(wanted, node->config, &node->place, err);
	if (result)
		run_steer_restore(node->steer, node->config);
	else
		run_steer_drop(node->steer, wanted);
	return result;
}

static void on_reload(void *arg)
{
	struct run_config *config = NULL;
	struct node *node = arg;
	struct err err;
	int result;

	notify("RELOADING=1\nMONOTONIC_USEC=%llu\n", clock_now_us());
	result = config_new(node, &config, &err);
	if (!result)
		result = refuse_move(node, config, &err);
	if (!result)
		result = apply(node, config, &err);
	if (result) {
		config_drop(config);
		log_err(&err);
		log_warning("reload refused: what was in force stays in force");
	} else {
		config_take(node, config);
		log_info("reloaded");
		look_again(node);
	}
	tell(node, "READY=1\n");
}

/* --- start and end */

static void on_stop(void *arg)
{
	struct node *node = arg;

	notify("STOPPING=1\nSTATUS=ending; what is loaded stays in force\n");
	log_info("ending: what is loaded stays in force");
	loop_stop(node->loop);
}

static int signals(struct node *node)
{
	int result = loop_signal(node->loop, SIGTERM, on_stop, node);

	/* Whoever reads the log may go first. */
	signal(SIGPIPE, SIG_IGN);
	if (!result)
		result = loop_signal(node->loop, SIGINT, on_stop, node);
	if (!result)
		result = loop_signal(node->loop, SIGHUP, on_reload, node);
	return result;
}

static int watchdog(struct node *node)
{
	uint64_t us = notify_watchdog_us();
	struct loop_timer *timer;

	if (!us)
		return 0;
	timer = loop_timer(node->loop, true, on_watchdog, node);
	return timer ? loop_timer_start(timer, us / 2) : -ENOMEM;
}

static int checks(struct node *node)
{
	struct loop_timer *timer = loop_timer(node->loop, true, on_check, node);

	return timer ? loop_timer_start(timer, CHECK_US) : -ENOMEM;
}

/* Signals first: from here on one that comes waits until all is loaded. */
static int machinery(struct node *node, struct err *err)
{
	int result = loop_new(&node->loop);

	if (!result)
		result = signals(node);
	if (!result)
		result = watchdog(node);
	if (!result)
		result = checks(node);
	node->follow = follow_new();
	node->steer = result ? NULL : run_steer_new(node->loop, on_groups, node);
	node->retry = result ? NULL : loop_timer(node->loop, false, on_retry, node);
	node->retry_us = RETRY_US;
	if (!result && (!node->follow || !node->steer || !node->retry))
		result = -ENOMEM;
	return result ? err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result)) : 0;
}

static int begin(struct node *node, struct err *err)
{
	struct run_config *config = NULL;
	int result = machinery(node, err);

	if (!result)
		result = config_new(node, &config, err);
	if (result)
		return result;
	if (snprintf(node->bpffs, sizeof(node->bpffs), "%s", config->bpffs) >= PATH_MAX)
		result = err_set(err, EXIT_USAGE, ENAMETOOLONG, "bpffs: the path is too long");
	if (!result)
		result = run_place_open(&node->place, config->netns, err);
	if (!result) {
		result = claim_take(node->bpffs, err);
		node->claim_fd = result < 0 ? -1 : result;
		result = result < 0 ? result : 0;
	}
	if (!result)
		result = watch_all(node, err);
	if (!result)
		result = apply(node, config, err);
	if (result)
		config_drop(config);
	else
		config_take(node, config);
	return result;
}

static void end(struct node *node)
{
	int i;

	run_steer_free(node->steer);
	loop_free(node->loop);
	for (i = 0; i < WATCHES; i++) {
		rtnl_close(node->watch[i].news);
		addrs_free(node->watch[i].addrs);
	}
	follow_free(node->follow);
	if (node->claim_fd >= 0)
		claim_drop(node->bpffs, node->claim_fd);
	run_place_close(&node->place);
	config_drop(node->config);
}

static int serve(struct node *node, struct err *err)
{
	struct log_line line;
	int result;

	log_begin(&line, LOG_LEVEL_INFO, "started");
	log_field(&line, "version", "%s", SLUICE_VERSION);
	log_field(&line, "config", "%s", node->path);
	log_field(&line, "bpffs", "%s", node->bpffs);
	log_end(&line);
	look_again(node);
	tell(node, "READY=1\n");
	result = loop_run(node->loop);
	return result ? err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result)) : 0;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *wanted = into;
	struct node *node;
	int result;

	if (!wanted->path)
		return err_mend(err, err_set(err, EXIT_USAGE, EINVAL, "run needs a --config"),
				"give a file, as in --config /etc/sluice/sluice.conf");
	if (wanted->check)
		return check_only(context, wanted->path, err);
	log_logfmt(context->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	hooks_libbpf_log();
	node = calloc(1, sizeof(*node));
	if (!node)
		return err_set(err, EXIT_ERROR, ENOMEM, "no memory");
	*node = (struct node){
		.context = context, .path = wanted->path, .place = { -1, -1 }, .claim_fd = -1
	};
	result = begin(node, err);
	if (!result)
		result = serve(node, err);
	end(node);
	free(node);
	return result;
}

const struct command run_command = {
	.object = "run",
	.summary = "the node daemon: load what a file says, and follow the host",
	.opts = opts,
	.options = &options,
	.run = run,
	.help = "The file has the sections [global], [reply], [wire] and [steer]; their keys are the\n"
		"options of 'reply load' and 'steer load', and sluice(8) has them all.  SIGHUP reads\n"
		"it again, with no moment uncovered; a file with a mistake is refused, and what was\n"
		"in force stays in force.  A section that goes from the file goes from the kernel,\n"
		"unless a command was the last to load it.  SIGTERM ends the daemon and changes\n"
		"nothing else: 'sluice reply unload' does.\n\n"
		"example:\n"
		"  [reply]\n"
		"  mode = socket\n"
		"  port = 53,5060\n\n"
		"  [wire]\n"
		"  follow = docker0\n"
		"  port = 5201\n\n"
		"  [steer]\n"
		"  port = 53\n",
};
