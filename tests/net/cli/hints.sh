#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each hint names the next step, and never the command that has failed.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

want_no_text()
{
	[[ $OUTPUT != *"$1"* ]] || fail "did not want '$1' in:" "$OUTPUT"
}

topology_up

say "check"
root=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
want_status 3 sluice --cgroup "$TEST_TMP" check --for reply
want_text "name a directory of the cgroup2 at $root"
want_status 1 sluice --cgroup "$TEST_TMP" reply load --mode audit
want_text "name a directory of the cgroup2 at $root"
want_status 2 sluice check --for wire
want_text "--for reply"
want_status 2 sluice check --for reply,conntrack
want_text "sluice conntrack show"
want_status 2 sluice check --for repyl
want_text "did you mean 'reply'?"

say "--netns all"
for command in "reply show" status "steer show" "reply load --mode wire --iface lo"; do
	# shellcheck disable=SC2086 # the words of a command
	want_status 1 sluice --netns all $command
	want_text "only 'sluice steer load' and 'sluice hold load' take all namespaces"
done
want_status 1 sluice --netns nowhere reply show
want_text "ip netns list"

say "nothing is loaded"
for command in "reply unload" "steer unload" "hold unload"; do
	# shellcheck disable=SC2086 # the words of a command
	want_status 1 sluice $command
	want_text "not loaded"
	want_no_text "load it with"
done
want_status 1 sluice reply audit
want_text "--mode audit"
want_no_text "--mode socket"
want_status 1 sluice reply show
want_text "load it with 'sluice reply load"

say "mode audit in place of mode socket"
want_status 0 reply_load --dry-run
want_no_text warning
reply_load
want_status 0 sluice reply load --mode audit --cgroup "$TEST_CGROUP" --dry-run
want_text "warning: mode audit would replace mode socket"
want_status 0 sluice reply load --mode audit --cgroup "$TEST_CGROUP"
want_text "warning: mode audit replaces mode socket: replies are no longer fixed"
want_status 0 sluice reply load --mode audit --cgroup "$TEST_CGROUP"
want_no_text warning:
sluice reply unload

say "servers behind a gateway"
wire=("$SLUICE" --netns "$HOST" reply load --mode wire --gateway eth0 --server)
want_status 2 "${wire[@]}" 10.0.0.1,10.0.0.1
want_text "'10.0.0.1': this address is given twice"
want_status 2 "${wire[@]}" 10.0.0.1,fd00::1,::ffff:10.0.0.1
want_text "given twice"
want_status 2 "${wire[@]}" "10.0.0.1,$FAR4"
want_text "server $FAR4: this is an address of this host, on eth0"
want_status 2 "${wire[@]}" "10.0.0.1,$NEAR6"
want_text "server $NEAR6: this is an address of this host, on docker0"
want_status 2 "${wire[@]}" "10.0.0.1,0.0.0.0"
want_text "not the address of one host"
want_clean

say "a configuration file of another kind"
want_status 2 sluice run --config "$SLUICE" --check-config
want_text "stopped after 20 problems"
lines=$(wc -l <<<"$OUTPUT")
[ "$lines" -le 22 ] || fail "$lines lines" "$OUTPUT"
if LC_ALL=C grep -n '[^ -~]' <<<"$OUTPUT"; then
	fail "some lines are not printable"
fi
printf '%s\n' '[global]' 'bpffs = /sys/fs/bpf/x # mine' '[reply]' 'mode = audit' >"$CONF"
want_status 2 sluice run --config "$CONF" --check-config
want_text "$CONF:2: [global] bpffs: '/sys/fs/bpf/x # mine'"
want_text "after a value, a comment starts with ' ;'"
