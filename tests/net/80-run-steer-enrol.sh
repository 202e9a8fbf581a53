#!/bin/bash
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/run.sh"
netns_add "$HOST"
configure '[steer]' "port = $PORT" 'sweep = 600'
daemon_start
for i in 1 2 3; do
serve "$HOST" sendto4 "$PORT" --reuseport
sleep 0.5
done
stop $SPAWNED
sleep 1
cat $DAEMON_LOG
sluice steer show || true
daemon_stop
cat $DAEMON_LOG
