#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The options of a peer as keys of a file: mistakes have their lines; a peer runs and connects by
# files; and each works within the restrictions of its systemd unit, with the key as a credential.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

CONF=$TEST_TMP/peer.conf

# configure LINE…: writes the file
configure()
{
	printf '%s\n' "$@" >"$CONF"
}

# refused TEXT LINE…: a mistake in the file
refused()
{
	local text=$1
	shift
	configure "$@"
	want_status 2 sluice peer run --check-config --config "$CONF"
	want_text "$text"
}

say "mistakes"
want_status 0 sluice peer run --check-config --config "$ROOT/tools/deploy/systemd/peer.conf"
want_text "no problems found"
want_status 0 sluice -j peer run --check-config --config "$ROOT/tools/deploy/systemd/peer.conf"
refused "$CONF:3: [peer] server: '192.0.2.1' is not a host and a port" '[peer]' 'id = a' 'server = 192.0.2.1'
refused "$CONF:2: [peer] peer_key: 'b' is not a name and a key" '[peer]' 'peer_key = b'
refused "$CONF:2: [peer] direct_only: unknown value 'maybe'" '[peer]' 'direct_only = maybe'
refused "no other peer is known" "$(sed 's/^peer_key.*/trust_server = no/' "$ROOT/tools/deploy/systemd/peer.conf")"
refused "$CONF:2: [peer] key_file: " '[peer]' 'key_file = relative'
refused "$CONF:2: [peer]: unknown key 'to'" '[peer]' 'to = bob'
refused "$CONF:1: unknown section [peers]; did you mean [peer]?" '[peers]'
refused "$CONF:1: no [peer] section" ''
refused "a --server HOST:PORT is needed" '[peer]' 'id = a'
refused "an --expose is needed" "$(sed '/^expose/,$d' "$ROOT/tools/deploy/systemd/peer.conf")"
want_status 2 sluice peer run --config "$TEST_TMP/none"
want_text "none: cannot read the file"
want_status 2 sluice peer run --check-config
want_text "--check-config needs a --config"
want_status 2 sluice peer run --id a --config "$CONF"
want_text "--id and --config exclude each other"
want_status 2 sluice peer run --expose tcp:127.0.0.1:1 --config "$CONF"
want_text "--expose and --config exclude each other"

peers_up endpoint-independent address-and-port-dependent 30
spawn_in in2 /dev/null socat -t 60 TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat
spawn_in in2 /dev/null socat -t 60 TCP-LISTEN:8,bind=127.0.0.1,fork,reuseaddr EXEC:'sed s/hello/other/'

# setting KEY: prints the value in the unit
setting()
{
	sed -n "s/^$1=//p" "$UNIT"
}

say "the units"
for verb in run connect; do
	UNIT=$TEST_TMP/sluice-peer-$verb@bob.service
	sed "s|@SBINDIR@/sluice|$SLUICE|; s|@SYSCONFDIR@|/etc|; s|@VERB@|$verb|" \
		"$ROOT/tools/deploy/systemd/sluice-peer@.service.in" >"$UNIT"
	if command -v systemd-analyze >/dev/null; then
		want_status 0 systemd-analyze verify --man=no "$UNIT"
		want_equal "$OUTPUT" "" "what systemd reports about the unit"
	fi
	want_equal "$(setting ExecStart)" "$SLUICE peer $verb --config /etc/sluice/peer/%i.conf"
	want_equal "$(setting CapabilityBoundingSet)|$(setting RuntimeDirectory)|$(setting LoadCredential)|$(setting Type)" \
		"|sluice-peer/%i|key:/etc/sluice/peer/%i.key|notify"
	# a peer that cannot resolve the name of its server exits at once: systemd must not give up
	want_equal "$(sed -n '/^\[Unit\]/,/^\[Service\]/s/^StartLimitIntervalSec=//p' "$UNIT")|$(setting Restart)" "0|always"
done

say "a peer within its restrictions: the user of the unit, no capability, a read-only system"
install -d -o 65534 -g 65534 -m 700 /mnt/run /mnt/credentials /mnt/credentials/alice
# the tree may be in a directory of root
install -D -t /mnt/bin "$SLUICE" "$BUILD/sluice-peer"
# as the access list of systemd makes it appear
install -o 65534 -g 65534 -m 440 "$TEST_TMP/bob.key" /mnt/credentials/key
install -o 65534 -g 65534 -m 440 "$TEST_TMP/alice.key" /mnt/credentials/alice/key
printf '%s\n' '[peer]' 'id = bob' "server = $PEER4:3478," "         $PEER4:3478" "server_key = $(public server)" \
	"peer_key = alice=$(public alice), carol=$(public carol)" 'keepalive = 15' \
	'expose = echo=tcp:127.0.0.1:7, other=tcp:127.0.0.1:8' >/mnt/bob.conf
cat >"$TEST_TMP/confined" <<-'SHELL'
	set -eu
	mount --rbind / /
	awk '{ print $5 }' /proc/self/mountinfo | sort -u | while read -r point; do
		case "$point" in
		/mnt | /dev*) ;;
		*) mount -o remount,bind,ro "$point" 2>/dev/null || true ;;
		esac
	done
	exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set="-all$CAPS" \
		--inh-caps="-all$CAPS" --ambient-caps="-all$CAPS" "$@"
SHELL

# confined NAMESPACE NAME CAPS CREDENTIALS VERB: runs a peer by /mnt/NAME.conf, with these
# capabilities, and waits until it is ready
confined()
{
	local where=$1 name=$2
	spawn_in "$where" "$TEST_TMP/$name.notified" socat -u "UNIX-RECV:/mnt/notify.$name,mode=666" STDOUT
	wait_until 10 test -S "/mnt/notify.$name"
	CAPS=$3 RUNTIME_DIRECTORY=/mnt/run CREDENTIALS_DIRECTORY=$4 NOTIFY_SOCKET=/mnt/notify.$name \
		spawn_in "$where" "$TEST_TMP/$name.log" unshare --mount --propagation slave \
		bash "$TEST_TMP/confined" /mnt/bin/sluice peer "$5" --config "/mnt/$name.conf"
	wait_log "$TEST_TMP/$name.log" 'msg="registered"'
	wait_until 20 contains -F READY=1 "$TEST_TMP/$name.notified"
	want_equal "$(find /mnt/run -name "$name.*.peer" | wc -l)" 1
}

confined in2 bob "" /mnt/credentials run
bob=$SPAWNED

say "one that connects, and listens at a port below 1024 with the capability for it"
printf '%s\n' '[peer]' 'id = alice' "server = $PEER4:3478" "server_key = $(public server)" \
	"peer_key = bob=$(public bob)" 'to = bob' 'service = echo' 'listen = tcp:127.0.0.1:80' >/mnt/alice.conf
confined in1 alice ,+net_bind_service /mnt/credentials/alice connect
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:80)" hello

say "no other process of their user can read their memory"
for peer in "$bob" "$SPAWNED"; do
	want_status 0 setpriv --reuid 65534 --regid 65534 --clear-groups cat "/proc/$peer/stat"
	want_status 1 setpriv --reuid 65534 --regid 65534 --clear-groups head -c 1 "/proc/$peer/environ"
done
stop "$SPAWNED"

say "a file for 'peer connect', whose target may be on the command line"
configure '[peer]' 'id = alice' "key_file = $TEST_TMP/alice.key" "server = $PEER4:3478" \
	"server_key = $(public server)" "peer_key = bob=$(public bob)" 'to = bob' 'service = echo' \
	'listen = tcp:127.0.0.1:7000'
# or the earlier peer would have logged what the test waits for
rm "$TEST_TMP/alice.log"
spawn_in in1 "$TEST_TMP/alice.log" "$SLUICE" peer connect --config "$CONF"
alice=$SPAWNED
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000)" hello
stop "$alice"
peer_connect in1 carol --peer-key "bob=$(public bob)" --to bob --service echo --listen tcp:127.0.0.1:7001 \
	--user nobody
wait_log "$TEST_TMP/carol.log" 'msg="connected" peer=bob'
want_equal "$(awk '/^(Uid|CapEff)/ { print $2 }' "/proc/$SPAWNED/status" | xargs)" "$(id -u nobody) 0000000000000000"
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7001)" hello
stop "$SPAWNED"
want_equal "$(echo hello | in_ns in1 "$SLUICE" peer connect --config "$CONF" --stdio)" hello
want_equal "$(echo hello | in_ns in1 "$SLUICE" peer connect --config "$CONF" --stdio --service other)" other
stop "$bob"

say "a key that a group can read is refused if it is no credential"
want_status 4 in_ns in2 "$SLUICE" peer run --config <(sed '/^id/a key_file = /mnt/credentials/key' /mnt/bob.conf)
want_text "other users can read this private key"
