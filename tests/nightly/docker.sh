#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sluice-docker(7) on a real Docker daemon: servers on the host, a project of Compose, whose network
# is created later, and the proxy of a published port. The test runs each command that the page prints.
#
#   containers ── docker0 172.17.0.1, br-* 172.30.0.1 [host: dockerd] lo 172.16.13.13
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/daemon.sh"
. "$(dirname "$0")/../net/lib/recipe.sh"

# The node's mounts, which are invisible to the runner.
[ -n "${NODE:-}" ] || NODE=yes exec unshare --mount --propagation private "$0"

VERSION=$("$SLUICE" --version)
IMAGE=localhost/sluice:${VERSION##* }
ARCHIVE=$BUILD/sluice-image-${VERSION##* }.tar
[ -e "$ARCHIVE" ] || fail "$ARCHIVE is not there: build it with 'make image'"
export PATH=$(dirname "$SLUICE"):$BUILD/servers/usr/bin:$BUILD/servers/usr/sbin:$PATH
export DOCKER_HOST=unix://$TEST_TMP/docker.sock

# in_new OPTION…: runs the client in a new container
in_new()
{
	docker run --rm -v "$CLIENT:/client:ro" --entrypoint /client "$IMAGE" "$@" || true
}

# in_server OPTION…: runs the client in the container `server`
in_server()
{
	docker exec server /client "$@" || true
}

# want_answer CLIENT PORT
want_answer()
{
	want_line "sent 3 right 3 wrong 0 refused 0 lost 0 corrupt 0" "$("$1" --any --to "$FAR4:$2" --count 3)"
}

# want_fault CLIENT PORT [ANSWERS]
want_fault()
{
	want_line "answered 172.17.0.1:$2 ${3:-3}" "$("$1" --any --to "$FAR4:$2" --count 3)"
}

# examples: prints the lines of the page's examples
examples()
{
	plain "$ROOT/user/man/sluice-docker.7" | sed -n '/^\.EX/,/^\.EE/{/^\./!p}'
}

# page_run COMMAND: runs a command of the page, as the page prints it
page_run()
{
	examples | contains -xF "# $1" || fail "sluice-docker(7) does not print this command: $1"
	want_status 0 in_ns "$HOST" bash -c "$1"
	echo "# $1" >>"$TEST_TMP/page_run"
}

say "Docker on a host with two addresses"
mount --bind "$TEST_CGROUP" /sys/fs/cgroup
TEST_CGROUP=/sys/fs/cgroup
export SLUICE_CGROUP=$TEST_CGROUP
netns_add "$HOST"
ip -n "$HOST" addr add "$FAR4/32" dev lo
spawn_in "$HOST" "$TEST_TMP/dockerd.log" dockerd --host "$DOCKER_HOST" --data-root "$TEST_TMP/data" \
	--exec-root "$TEST_TMP/exec" --pidfile "$TEST_TMP/docker.pid" --storage-driver vfs \
	--exec-opt native.cgroupdriver=cgroupfs
DOCKERD=$SPAWNED
wait_until 60 docker info >/dev/null 2>&1 || fail "$(tail -n 20 "$TEST_TMP/dockerd.log")"
docker load -q -i "$ARCHIVE" >/dev/null

say "servers on the host: mode socket"
serve "$HOST" dual6 53
want_fault in_new 53
page_run "sluice reply load --mode socket --port 53"
want_answer in_new 53
sluice reply unload

# published NAME PUBLISH PORT: runs a server in a container whose port is published as PUBLISH
published()
{
	docker run -d --name "$1" -p "$2/udp" -v "$SERVER:/server:ro" -v "$CLIENT:/client:ro" \
		--entrypoint /server "$IMAGE" --kind sendto4 --port "$3" >/dev/null
	wait_udp "$HOST" "$3"
}

say "the proxy of a published port: audit names it, mode socket fixes it"
published server 5300:5300 5300
page_run "sluice reply load --mode audit"
want_fault in_new 5300
page_run "sluice reply audit"
want_text docker-proxy
sluice reply load --mode socket --port 5300
want_answer in_new 5300
sluice reply unload

say "a port that is published for one address has no such fault"
published bound "$FAR4:5302:5302" 5302
want_answer in_new 5302

say "servers on the host that connect: mode wire, for the containers that run"
# such a server stays with its first client, whose later requests it does not receive
serve "$HOST" connect4 5201
want_fault in_server 5201 1
stop "$SPAWNED"
serve "$HOST" connect4 5201
page_run "sluice reply load --mode wire --follow 'docker0,br-*' --port 5201"
want_answer in_server 5201
stop "$SPAWNED"
serve "$HOST" connect4 5201
want_fault in_new 5201 1
stop "$SPAWNED"
sluice --netns "$HOST" reply unload

say "Compose: a pattern covers a network that is created later"
mapfile -t lines < <(examples | sed '/^# /d')
serve "$HOST" connect4 5201
configure "${lines[@]}" 'port = 5201'
daemon_start
cat >"$TEST_TMP/compose.yaml" <<-YAML
	version: "3.8"
	services:
	  client:
	    image: $IMAGE
	    entrypoint: ["/client", "--any", "--to", "$FAR4:5201", "--count", "3"]
	    volumes: ["$CLIENT:/client:ro"]
	networks:
	  default:
	    ipam:
	      config: [{subnet: 172.30.0.0/24}]
YAML
# compose COMMAND…: runs Debian's docker-compose for this project
compose()
{
	docker-compose --ansi never --project-name project --file "$TEST_TMP/compose.yaml" "$@"
}
compose up --no-start >"$TEST_TMP/compose" 2>&1 || fail "$(cat "$TEST_TMP/compose")"
want_logged 'all configured interfaces exist'
want_line "sent 3 right 3 wrong 0 refused 0 lost 0 corrupt 0" \
	"$(compose run --rm client 2>"$TEST_TMP/compose" | tr -d '\r' || cat "$TEST_TMP/compose")"
compose down >"$TEST_TMP/compose" 2>&1 || fail "$(cat "$TEST_TMP/compose")"
daemon_stop
sluice --netns "$HOST" cleanup
want_clean
docker rm -f server bound >/dev/null
stop "$DOCKERD"

say "no command of the page is left out"
want_equal "$(sort -u "$TEST_TMP/page_run")" "$(examples | sed -n '/^# /p' | sort -u)" "the commands"
