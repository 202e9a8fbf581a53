#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Under policy source, one worker gets all ports of a client address, and keeps them, including new
# ports, when a worker is added. Without sluice, the kernel distributes the ports of each address.
#
#   host: 20 addresses, 10 ports each ── lo ── four workers, and a fifth
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# shares: prints the number of flows of each worker with flows, from the client's last results
shares()
{
	awk '$1 == "sent" { n = 0 } $1 == "worker" && $6 { line[n++] = $2 " " $6 }
		END { for (i = 0; i < n; i++) print line[i] }' "$FLOWS_LOG" | sort
}

ask_all()
{
	flows "$HOST" --to "$1" --from "$2" --sources 20 --flows 200 --rate 4000
}

netns_add "$HOST"
in_ns "$HOST" ip -6 route add local fd77::/64 dev lo
for where in "127.0.0.1:$PORT 127.1.0.1" "[::1]:$PORT fd77::1"; do
	read -r to from <<<"$where"
	workers "$HOST" --port "$PORT" --bind :: --workers 4
	first=$SERVER_PID
	say "$to: without sluice"
	ask_all "$to" "$from"
	flows_end
	want_at_least 15 "$(result split)" "addresses with several workers"

	say "$to: loaded"
	sluice --netns "$HOST" steer load --port "$PORT" --policy source
	ask_all "$to" "$from"
	refresh_results
	want_equal "$(result split)" 0 "addresses with several workers"
	want_at_least 2 "$(result workers)" "workers with flows"
	workers "$HOST" --port "$PORT" --bind ::
	sluice --netns "$HOST" steer load --port "$PORT" --policy source
	flows_go_on 600
	before=$(shares)
	flows_end
	want_equal "$(result moved)" 0 "flows moved"
	want_equal "$(result split)" 0 "addresses with several workers"
	ask_all "$to" "$from"
	flows_end
	want_equal "$(shares)" "$before" "flows of each worker, with new ports"
	sluice steer unload
	stop "$first"
	stop "$SERVER_PID"
	wait_until 10 udp_unbound "$HOST" "$PORT"
done
