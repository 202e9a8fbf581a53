// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.h"
#include "base/ports.h"
#include "base/text.h"
#include "cmd/reply/view.h"
#include "steer/events.h"
#include "steer/view.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <time.h>

static const char *const udp_names[] = {
#define X(name, snmp, key, help) snmp,
	SLUICE_STEER_UDP(X)
#undef X
};

static bool locale_is_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool utf8;

	if (!locale)
		return false;
	utf8 = !strcmp(nl_langinfo_l(CODESET, locale), "UTF-8");
	freelocale(locale);
	return utf8;
}

static const char *age_since(__u64 realtime_ns, char text[24])
{
	return age_format(clock_now_ns(CLOCK_REALTIME) - realtime_ns, text);
}

static const char *netns_text(const struct steer_view *view, __u32 netns, char *text, size_t size)
{
	const char *name = "";
	size_t i;

	for (i = 0; i < view->netns_count; i++)
		if (view->netns[i].netns == netns)
			name = view->netns[i].name;
	snprintf(text, size, *name ? "%u (%s)" : "%u", netns, name);
	return text_plain(text, size);
}

/* --- slots */

#define CELL_MAX 64

static const char *cpus_text(const struct slot_status *look, char text[CELL_MAX])
{
	size_t used = 0;
	int cpu;

	strcpy(text, "-");
	for (cpu = 0; cpu < SLUICE_STEER_CPUS && used < CELL_MAX; cpu++)
		if (look->cpus[cpu / 64] & 1ULL << cpu % 64)
			used += (size_t)snprintf(text + used, CELL_MAX - used, "%s%d",
						 used ? "," : "", cpu);
	return text;
}

static const char *state_tone(const struct steer_slot_view *slot, const struct output *output)
{
	if (slot->status.closed || slot->stalled)
		return output_tone(output, OUTPUT_BAD);
	return slot->record.state == SLUICE_STEER_ACTIVE ? "" : output_tone(output, OUTPUT_WARNING);
}

struct most {
	__u64 sum;  /* of the datagrams of all slots */
	__u64 most; /* of any of them */
};

static struct most most_of(const struct steer_group_view *group)
{
	struct most most = { 0 };
	int i;

	for (i = 0; i < group->count; i++) {
		__u64 datagrams = group->slots[i].stats.datagrams;

		most.sum += datagrams;
		most.most = datagrams > most.most ? datagrams : most.most;
	}
	return most;
}

static const char *share_text(__u64 datagrams, const struct most *most, bool utf8,
			      char text[CELL_MAX])
{
	char bar[STEER_BAR_MAX];

	if (!most->sum)
		return strcpy(text, "-");
	snprintf(text, CELL_MAX, "%5.1f%% %s", 100.0 * (double)datagrams / (double)most->sum,
		 steer_bar((double)datagrams, (double)most->most, utf8, bar));
	return text;
}

static void slot_row(struct table *table, const struct steer_slot_view *slot,
		     const struct most *most, bool rates, const struct output *output)
{
	char cpus[CELL_MAX], share[CELL_MAX], queue[16] = "-", drops[16] = "-", rate[64] = "";
	const char *tone = state_tone(slot, output);

	if (slot->status.measured) {
		snprintf(queue, sizeof(queue), "%u%%",
			 steer_queue_usage(slot->status.memory.used, slot->status.memory.room));
		snprintf(drops, sizeof(drops), "%u", slot->status.drops);
	}
	if (rates)
		snprintf(rate, sizeof(rate), "|%.0f|%.0f", slot->datagrams_per_s,
			 slot->drops_per_s);
	table_row(table, "%d|%s|%u|%s|%u|%s%s%s|%u|%llu|%s|%s|%s%s", slot->slot, slot->status.comm,
		  slot->status.pid, cpus_text(&slot->status, cpus), slot->record.generation, tone,
		  steer_slot_state(slot), *tone ? output_plain(output) : "", slot->flows,
		  slot->stats.datagrams,
		  share_text(slot->stats.datagrams, most, locale_is_utf8(), share), queue, drops,
		  rate);
}

static void slots_text(const struct steer_group_view *group, bool rates,
		       const struct output *output)
{
	struct table *table = table_new(rates ? ">slot|process|>pid|cpu|>gen|state|>flows|"
						">datagrams|share|>queue|>drops|>/s|>drops/s"
					      : ">slot|process|>pid|cpu|>gen|state|>flows|"
						">datagrams|share|>queue|>drops");
	struct most most = most_of(group);
	int i;

	for (i = 0; i < group->count; i++)
		slot_row(table, &group->slots[i], &most, rates, output);
	table_print(table, output, 2);
}

/* --- groups */

static void counters_text(const struct sluice_steer_counters *sum, const struct output *output)
{
	struct table *table = table_new(">count|counter|meaning");
	int i;

	for (i = 0; steer_counter_key(i); i++)
		if (sum->value[i])
			table_row(table, "%llu|%s|%s", sum->value[i], steer_counter_key(i),
				  steer_counter_help(i));
	table_print(table, output, 2);
}

static void imbalance_text(const struct steer_group_view *group, bool rates, FILE *file)
{
	fprintf(file, "  imbalance  ");
	if (group->imbalance > 0)
		fprintf(file, "%.2f", group->imbalance);
	else
		fprintf(file, "-");
	if (rates && group->imbalance_now > 0)
		fprintf(file, ", now %.2f", group->imbalance_now);
	fprintf(file, " (most over mean of the %d active worker%s)\n", group->active,
		group->active == 1 ? "" : "s");
}

static void group_text(const struct steer_view *view, const struct steer_group_view *group,
		       bool rates, const struct output *output)
{
	char name[STEER_GROUP_TEXT_MAX], netns[NAME_MAX + 16], age[24];
	FILE *file = output->file;

	fprintf(file, "\ngroup %s, netns %s\n", steer_group_text(&group->info, name),
		netns_text(view, group->info.netns, netns, sizeof(netns)));
	fprintf(file, "  policy %s, program %u, %d socket%s, %d generation%s, loaded %s ago\n",
		steer_policy_name(group->info.policy), group->info.prog_id, group->count,
		group->count == 1 ? "" : "s", group->generations,
		group->generations == 1 ? "" : "s", age_since(group->info.loaded_ns, age));
	fprintf(file, "  datagrams  %llu", group->datagrams);
	if (rates)
		fprintf(file, ", %.0f/s", group->datagrams_per_s);
	fprintf(file, "\n  flows      %u live, %u half-open, %u expired, of %u\n", group->live,
		group->half_open, group->expired, group->size);
	imbalance_text(group, rates, file);
	slots_text(group, rates, output);
	counters_text(&group->counters, output);
}

/* --- namespaces */

/* A row of what has not been delivered, or not by us: what we know of it, and the namespace. */
static void reason_row(struct table *table, const char *reason, const char *ours,
		       const struct steer_netns_view *netns, int counter)
{
	char count[24] = "-";

	if (counter >= 0 && netns->counted)
		snprintf(count, sizeof(count), "%llu", netns->udp[counter]);
	table_row(table, "%s|%s|%s|%s", reason, ours, count, counter < 0 ? "" : udp_names[counter]);
}

static const char *number(__u64 value, char text[24])
{
	snprintf(text, 24, "%llu", value);
	return text;
}

static void reasons_text(const struct steer_netns_view *netns, const struct output *output)
{
	struct table *table = table_new("not delivered, or not by us|>steered|>namespace|counter");
	char text[24];

	reason_row(table, "left to the kernel's choice", number(netns->kernel, text), netns, -1);
	reason_row(table, "stale slot, chosen again", number(netns->stale, text), netns, -1);
	reason_row(table, "receive buffer full",
		   netns->unmeasured && !netns->balance.drops ? "-"
							      : number(netns->balance.drops, text),
		   netns, SLUICE_STEER_UDP_RCVBUF_ERRORS);
	reason_row(table, "checksum wrong", "-", netns, SLUICE_STEER_UDP_IN_CSUM_ERRORS);
	reason_row(table, "UDP's memory used up", "-", netns, SLUICE_STEER_UDP_MEM_ERRORS);
	reason_row(table, "any error", "-", netns, SLUICE_STEER_UDP_IN_ERRORS);
	reason_row(table, "no socket", "-", netns, SLUICE_STEER_UDP_NO_PORTS);
	table_print(table, output, 2);
}

static void rest_text(const struct steer_netns_view *netns, const struct output *output)
{
	const struct steer_rest *rest = &netns->rest;
	__u64 sum = rest->errors + rest->vanished;
	FILE *file = output->file;

	fprintf(file, "  %sunexplained: %llu%s\n", sum ? output_tone(output, OUTPUT_WARNING) : "",
		sum, sum ? output_plain(output) : "");
	if (rest->errors)
		fprintf(file,
			"    %llu errors at sockets that have been closed since, or that are"
			" not steered\n",
			rest->errors);
	if (rest->vanished)
		fprintf(file, "    %llu steered, and neither read nor an error: %s\n",
			rest->vanished,
			netns->waiting ? "waiting in queues, or closed with one"
				       : "closed with their queue");
	if (netns->unmeasured)
		fprintf(file,
			"    %d socket%s could not be looked into (needs CAP_SYS_PTRACE); what they"
			" dropped is in it\n",
			netns->unmeasured, netns->unmeasured == 1 ? "" : "s");
}

static void netns_section(const struct steer_view *view, const struct steer_netns_view *netns,
			  const struct output *output)
{
	char name[NAME_MAX + 16], age[24];

	fprintf(output->file, "\nnetns %s, UDP of all its ports, the last %s\n",
		netns_text(view, netns->netns, name, sizeof(name)),
		age_since(netns->since_ns, age));
	if (netns->counted)
		fprintf(output->file, "  datagrams  %llu steered, %llu read by applications\n",
			netns->balance.seen, netns->balance.read);
	reasons_text(netns, output);
	if (netns->counted)
		rest_text(netns, output);
	else
		fprintf(output->file,
			"  unexplained: not known: no process of the namespace may be looked into"
			" (needs CAP_SYS_PTRACE)\n");
}

void steer_view_text(const struct steer_view *view, bool rates, const struct output *output)
{
	struct ports ports;
	char text[256], age[24];
	size_t i;

	steer_ports(&view->meta, &ports);
	ports_format(&ports, text, sizeof(text));
	fprintf(output->file,
		"steer: policy %s, ports %s, generations by %s, idle after %llus, loaded %s ago,"
		" %zu group%s\n",
		steer_policy_name(view->meta.policy), text,
		steer_generations_name(view->meta.generations), view->meta.idle_ns / 1000000000ULL,
		age_since(view->meta.loaded_ns, age), view->count, view->count == 1 ? "" : "s");
	if (view->left_out)
		fprintf(output->file,
			"  %s%d group%s of %d network namespace%s left to the kernel: the namespace"
			" has its share (name the ports, or one namespace)%s\n",
			output_tone(output, OUTPUT_WARNING), view->left_out,
			view->left_out == 1 ? "" : "s", view->left_out_netns,
			view->left_out_netns == 1 ? "" : "s", output_plain(output));
	for (i = 0; i < view->count; i++)
		group_text(view, &view->groups[i], rates, output);
	for (i = 0; i < view->netns_count; i++)
		netns_section(view, &view->netns[i], output);
}
