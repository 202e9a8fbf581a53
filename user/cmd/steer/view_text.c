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

static const char *cpus_text(const struct slot_status *status, char text[CELL_MAX])
{
	size_t used = 0;
	int cpu;

	strcpy(text, "-");
	for (cpu = 0; cpu < SLUICE_STEER_CPUS && used < CELL_MAX; cpu++)
		if (status->cpus[cpu / 64] & 1ULL << cpu % 64)
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

static void slots_text(const struct steer_group_view *group, bool rates,
		       const struct output *output)
{
	struct table *table = table_new(rates ? ">slot|process|>pid|cpu|>gen|state|>flows|"
						">datagrams|share|>queue|>drops|>/s|>drops/s"
					      : ">slot|process|>pid|cpu|>gen|state|>flows|"
						">datagrams|share|>queue|>drops");
	bool utf8 = locale_is_utf8();
	__u64 sum = 0, most = 0;
	int i;

	for (i = 0; i < group->count; i++) {
		__u64 datagrams = group->slots[i].stats.datagrams;

		sum += datagrams;
		most = datagrams > most ? datagrams : most;
	}
	for (i = 0; i < group->count; i++) {
		const struct steer_slot_view *slot = &group->slots[i];
		const struct slot_status *status = &slot->status;
		char cpus[CELL_MAX], share[CELL_MAX] = "-", bar[STEER_BAR_MAX];
		char queue[16] = "-", drops[16] = "-", rate[64] = "";
		double datagrams = (double)slot->stats.datagrams;
		const char *tone = state_tone(slot, output);

		if (sum)
			snprintf(share, sizeof(share), "%5.1f%% %s",
				 100.0 * datagrams / (double)sum,
				 steer_bar(datagrams, (double)most, utf8, bar));
		if (status->measured) {
			snprintf(queue, sizeof(queue), "%u%%",
				 steer_queue_usage(status->memory.used, status->memory.room));
			snprintf(drops, sizeof(drops), "%u", status->drops);
		}
		if (rates)
			snprintf(rate, sizeof(rate), "|%.0f|%.0f", slot->datagrams_per_s,
				 slot->drops_per_s);
		table_row(table, "%d|%s|%u|%s|%u|%s%s%s|%u|%llu|%s|%s|%s%s", slot->slot,
			  status->comm, status->pid, cpus_text(status, cpus),
			  slot->record.generation, tone, steer_slot_state(slot),
			  *tone ? output_plain(output) : "", slot->flows, slot->stats.datagrams,
			  share, queue, drops, rate);
	}
	table_print(table, output, 2);
}

/* --- groups */

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
	fprintf(file, group->imbalance > 0 ? "  imbalance  %.2f" : "  imbalance  -",
		group->imbalance);
	if (rates && group->imbalance_now > 0)
		fprintf(file, ", now %.2f", group->imbalance_now);
	fprintf(file, " (most over mean of the %d active worker%s)\n", group->active,
		group->active == 1 ? "" : "s");
	slots_text(group, rates, output);
	counters_text(steer_counters, group->counters, STEER_COUNTERS, output);
}

/* --- namespaces */

/* Adds a row: the count of @reason in steering, and in a counter of the namespace. */
static void reason_row(struct table *table, const char *reason, const char *steered,
		       const struct steer_netns_view *netns, int counter)
{
	char count[24] = "-";

	if (counter >= 0 && netns->counted)
		snprintf(count, sizeof(count), "%llu", netns->udp[counter]);
	table_row(table, "%s|%s|%s|%s", reason, steered, count,
		  counter < 0 ? "" : udp_names[counter]);
}

static const char *number_text(__u64 value, char text[24])
{
	snprintf(text, 24, "%llu", value);
	return text;
}

static void reasons_text(const struct steer_netns_view *netns, const struct output *output)
{
	struct table *table =
		table_new("not steered, or not delivered|>steered|>namespace|counter");
	char text[24];

	reason_row(table, "left to the kernel's choice", number_text(netns->kernel, text), netns,
		   -1);
	reason_row(table, "stale slot, chosen again", number_text(netns->stale, text), netns, -1);
	reason_row(table, "receive buffer full",
		   netns->unmeasured && !netns->balance.drops
			   ? "-"
			   : number_text(netns->balance.drops, text),
		   netns, SLUICE_STEER_UDP_RCVBUF_ERRORS);
	reason_row(table, "wrong checksum", "-", netns, SLUICE_STEER_UDP_IN_CSUM_ERRORS);
	reason_row(table, "UDP memory exhausted", "-", netns, SLUICE_STEER_UDP_MEM_ERRORS);
	reason_row(table, "any error", "-", netns, SLUICE_STEER_UDP_IN_ERRORS);
	reason_row(table, "no socket", "-", netns, SLUICE_STEER_UDP_NO_PORTS);
	table_print(table, output, 2);
}

static void netns_section(const struct steer_view *view, const struct steer_netns_view *netns,
			  const struct output *output)
{
	const struct steer_unexplained *unexplained = &netns->unexplained;
	__u64 sum = unexplained->errors + unexplained->vanished;
	char name[NAME_MAX + 16], age[24];
	FILE *file = output->file;

	fprintf(file, "\nnetns %s, UDP on all its ports, in the last %s\n",
		netns_text(view, netns->netns, name, sizeof(name)),
		age_since(netns->since_ns, age));
	if (netns->counted)
		fprintf(file, "  datagrams  %llu steered, %llu read by applications\n",
			netns->balance.seen, netns->balance.read);
	reasons_text(netns, output);
	if (!netns->counted) {
		fprintf(file, "  unexplained: unknown: no readable process in the namespace (needs"
			      " CAP_SYS_PTRACE)\n");
		return;
	}
	fprintf(file, "  %sunexplained: %llu%s\n", sum ? output_tone(output, OUTPUT_WARNING) : "",
		sum, sum ? output_plain(output) : "");
	if (unexplained->errors)
		fprintf(file, "    %llu errors at sockets that are closed now, or not steered\n",
			unexplained->errors);
	if (unexplained->vanished)
		fprintf(file, "    %llu steered, but neither read nor counted as errors: %s\n",
			unexplained->vanished,
			netns->waiting ? "queued, or dropped when a socket was closed"
				       : "dropped when a socket was closed");
	if (netns->unmeasured)
		fprintf(file,
			"    includes the drops of %d socket%s that cannot be read (needs"
			" CAP_SYS_PTRACE)\n",
			netns->unmeasured, netns->unmeasured == 1 ? "" : "s");
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
			"  %s%d group%s of %d network namespace%s left to the kernel: quota reached"
			" (name the ports, or one namespace)%s\n",
			output_tone(output, OUTPUT_WARNING), view->left_out,
			view->left_out == 1 ? "" : "s", view->left_out_netns,
			view->left_out_netns == 1 ? "" : "s", output_plain(output));
	for (i = 0; i < view->count; i++)
		group_text(view, &view->groups[i], rates, output);
	for (i = 0; i < view->netns_count; i++)
		netns_section(view, &view->netns[i], output);
}
