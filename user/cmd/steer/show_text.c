// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.h"
#include "base/ports.h"
#include "base/text.h"
#include "cmd/reply/view.h"
#include "net/netns.h"
#include "process/cgroup_names.h"
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

static const char *age_since(__u64 at_ns, char text[24])
{
	return age_format(clock_since_ns(CLOCK_BOOTTIME, at_ns), text);
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

static const char *queue_text(const struct slot_status *status, char text[16])
{
	snprintf(text, 16, "%u%%", steer_queue_usage(status->queue_used, status->queue_room));
	return text;
}

static const char *state_tone(const struct steer_slot_view *slot, const struct output *output)
{
	if (slot->status.closed || slot->stalled)
		return output_tone(output, OUTPUT_BAD);
	return slot->record.state == SLUICE_STEER_ACTIVE ? "" : output_tone(output, OUTPUT_WARNING);
}

static void slots_text(const struct steer_group_view *group, bool rates,
		       struct cgroup_names *cgroups, const struct output *output)
{
	struct table *table = table_new(rates ? ">/s|>drops/s|>slot|process|>pid|cgroup|cpu|>gen|"
						"state|>flows|>datagrams|share|>queue|>drops"
					      : ">slot|process|>pid|cgroup|cpu|>gen|state|>flows|"
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
		if (status->held) {
			queue_text(status, queue);
			snprintf(drops, sizeof(drops), "%u", status->drops);
		}
		if (rates)
			snprintf(rate, sizeof(rate), "%.0f|%.0f|", slot->datagrams_per_s,
				 slot->drops_per_s);
		table_row(table, "%s%d|%s|%u|%s|%s|%u|%s%s%s|%u|%llu|%s|%s|%s", rate, slot->slot,
			  status->comm, status->pid, cgroup_names_text(cgroups, (pid_t)status->pid),
			  cpus_text(status, cpus), slot->record.generation, tone,
			  steer_slot_state(slot), *tone ? output_plain(output) : "", slot->flows,
			  slot->stats.datagrams, share, queue, drops);
	}
	table_print(table, output, 2);
}

/* --- groups */

/* Formats "4 sockets open, 2 closed". A closed socket keeps its slot until the next sweep. */
static const char *sockets_text(const struct steer_group_view *group, char text[CELL_MAX])
{
	int open = group->count - group->closed, length;

	length = snprintf(text, CELL_MAX, "%d socket%s open", open, open == 1 ? "" : "s");
	if (group->closed)
		snprintf(text + length, CELL_MAX - (size_t)length, ", %d closed", group->closed);
	return text;
}

static void group_text(const struct steer_group_view *group, bool rates,
		       struct cgroup_names *cgroups, const struct output *output)
{
	char name[STEER_GROUP_TEXT_MAX], netns[NETNS_TEXT_MAX], age[24], bytes[24];
	char sockets[CELL_MAX];
	FILE *file = output->file;

	fprintf(file, "\ngroup %s, netns %s\n", steer_group_text(&group->info, name),
		netns_text(group->info.netns, netns));
	fprintf(file, "  policy %s, program %u, %s, %d generation%s, loaded %s ago\n",
		steer_policy_name(group->info.policy), group->info.prog_id,
		sockets_text(group, sockets), group->generations,
		group->generations == 1 ? "" : "s", age_since(group->info.loaded_ns, age));
	if (group->not_joined)
		fprintf(file,
			"  %s%d open socket%s not joined, and get%s nothing%s: run 'sluice steer"
			" load' again; 'sluice run' adds later ones itself\n",
			output_tone(output, OUTPUT_WARNING), group->not_joined,
			group->not_joined == 1 ? " has" : "s have",
			group->not_joined == 1 ? "s" : "", output_plain(output));
	if (group->shared)
		fprintf(file,
			"  %d socket%s held by several processes: a datagram goes to a socket, not"
			" to one of its processes\n",
			group->shared, group->shared == 1 ? " is" : "s are");
	fprintf(file, "  datagrams  %llu", group->datagrams);
	if (rates)
		fprintf(file, ", %.0f/s", group->datagrams_per_s);
	fprintf(file, "\n  flows      %u live, %u half-open, %u expired, of %u (%s)\n", group->live,
		group->half_open, group->expired, group->size,
		bytes_format(group->table_bytes, bytes));
	fprintf(file, group->imbalance > 0 ? "  imbalance  %.2f" : "  imbalance  -",
		group->imbalance);
	if (rates && group->imbalance_now > 0)
		fprintf(file, ", now %.2f", group->imbalance_now);
	fprintf(file, " (most over mean of the %d active worker%s)\n", group->active,
		group->active == 1 ? "" : "s");
	slots_text(group, rates, cgroups, output);
	counters_text(steer_counters, group->counters, STEER_COUNTERS, output);
}

/* --- namespaces */

/* Adds a row with two counts for @reason: by steering, and by a counter of the namespace. */
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

static void netns_section(const struct steer_netns_view *netns, const struct output *output)
{
	const struct steer_unexplained *unexplained = &netns->unexplained;
	__u64 sum = unexplained->errors + unexplained->vanished;
	char name[NETNS_TEXT_MAX], age[24];
	FILE *file = output->file;

	fprintf(file, "\nnetns %s, UDP on all its ports, in the last %s\n",
		netns_format(netns->netns, netns->name, name), age_since(netns->since_ns, age));
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

static void outside_text(const struct steer_outside *outside, const struct output *output)
{
	const char *tone = output_tone(output, OUTPUT_WARNING), *plain = output_plain(output);

	if (outside->left_out)
		fprintf(output->file,
			"  %s%d group%s of %d network namespace%s left to the kernel: quota reached"
			" (name the ports, or one namespace)%s\n",
			tone, outside->left_out, outside->left_out == 1 ? "" : "s",
			outside->left_out_netns, outside->left_out_netns == 1 ? "" : "s", plain);
	if (outside->groups)
		fprintf(output->file,
			"  %s%d group%s on these ports not steered yet%s: run 'sluice steer load'"
			" again; 'sluice run' adds later ones itself\n",
			tone, outside->groups, outside->groups == 1 ? "" : "s", plain);
}

void steer_view_text(const struct steer_view *view, bool rates, const struct output *output)
{
	struct cgroup_names cgroups = { 0 };
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
	outside_text(&view->outside, output);
	for (i = 0; i < view->count; i++)
		group_text(&view->groups[i], rates, &cgroups, output);
	for (i = 0; i < view->netns_count; i++)
		netns_section(&view->netns[i], output);
	cgroup_names_free(&cgroups);
}

/* --- terminal screen: the rates first, one line per group, worker and namespace */

static const char *rate_text(double per_s, bool rates, char text[24])
{
	snprintf(text, 24, rates ? "%.0f" : "-", per_s);
	return text;
}

static const char *imbalance_text(double imbalance, char text[24])
{
	snprintf(text, 24, imbalance > 0 ? "%.2f" : "-", imbalance);
	return text;
}

static void screen_slots(const struct steer_group_view *group, bool rates,
			 const struct output *output)
{
	struct table *table = table_new(">/s|>drops/s|process|>pid|state|>flows|>queue|>share");
	char datagrams[24], drops[24], queue[16], share[16];
	__u64 sum = 0;
	int i;

	for (i = 0; i < group->count; i++)
		sum += group->slots[i].stats.datagrams;
	for (i = 0; i < group->count; i++) {
		const struct steer_slot_view *slot = &group->slots[i];
		const struct slot_status *status = &slot->status;
		const char *tone = state_tone(slot, output);

		snprintf(share, sizeof(share), sum ? "%.1f%%" : "-",
			 100.0 * (double)slot->stats.datagrams / (double)sum);
		table_row(table, "%s|%s|%s|%u|%s%s%s|%u|%s|%s",
			  rate_text(slot->datagrams_per_s, rates, datagrams),
			  rate_text(slot->drops_per_s, rates && status->held, drops), status->comm,
			  status->pid, tone, steer_slot_state(slot),
			  *tone ? output_plain(output) : "", slot->flows,
			  status->held ? queue_text(status, queue) : "-", share);
	}
	table_print(table, output, 2);
}

static double drops_per_s(const struct steer_group_view *group)
{
	double sum = 0;
	int i;

	for (i = 0; i < group->count; i++)
		sum += group->slots[i].drops_per_s;
	return sum;
}

void steer_view_screen(const struct steer_view *view, bool rates, const struct output *output)
{
	struct table *groups = table_new(">/s|>drops/s|>open|>closed|>flows|group, netns");
	char name[STEER_GROUP_TEXT_MAX], netns[NETNS_TEXT_MAX], datagrams[24], drops[24];
	char all[24], now[24];
	size_t i;

	fprintf(output->file, "steer: policy %s, %zu group%s; q quits\n",
		steer_policy_name(view->meta.policy), view->count, view->count == 1 ? "" : "s");
	outside_text(&view->outside, output);
	for (i = 0; i < view->count; i++) {
		const struct steer_group_view *group = &view->groups[i];

		table_row(groups, "%s|%s|%d|%d|%u|%s, %s",
			  rate_text(group->datagrams_per_s, rates, datagrams),
			  rate_text(drops_per_s(group), rates, drops), group->count - group->closed,
			  group->closed, group->live + group->half_open,
			  steer_group_text(&group->info, name),
			  netns_text(group->info.netns, netns));
	}
	table_print(groups, output, 2);
	for (i = 0; i < view->count; i++) {
		const struct steer_group_view *group = &view->groups[i];

		fprintf(output->file, "%s: %llu datagrams, imbalance %s, now %s\n",
			steer_group_text(&group->info, name), group->datagrams,
			imbalance_text(group->imbalance, all),
			imbalance_text(group->imbalance_now, now));
		screen_slots(group, rates, output);
		if (group->not_joined)
			fprintf(output->file,
				"  %s%d not joined%s: 'sluice steer load' adds them\n",
				output_tone(output, OUTPUT_WARNING), group->not_joined,
				output_plain(output));
	}
	for (i = 0; i < view->netns_count; i++) {
		const struct steer_netns_view *at = &view->netns[i];

		fprintf(output->file, "netns %s: %llu left to the kernel, ",
			netns_format(at->netns, at->name, netns), at->kernel);
		if (at->counted)
			fprintf(output->file, "%llu unexplained\n",
				at->unexplained.errors + at->unexplained.vanished);
		else
			fprintf(output->file, "unexplained unknown\n");
	}
}
