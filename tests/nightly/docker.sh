#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sluice-docker(7) on a real Docker daemon: servers on the host, a project of Compose, whose network
# is created later, and the proxy of a published port.
#
#   containers ── docker0 172.17.0.1, br-* 172.30.0.1 [host: dockerd] lo 172.16.13.13
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/daemon.sh"

# The node's mounts, which are invisible to the runner.
[ -n "${NODE:-}" ] || NODE=yes exec unshare --mount --propagation private "$0"

VERSION=$("$SLUICE" --version)
IMAGE=localhost/sluice:${VERSION##* }
ARCHIVE=$BUILD/sluice-image-${VERSION##* }.tar
[ -e "$ARCHIVE" ] || fail "$ARCHIVE is not there: build it with 'make image'"
PUBLISHED=5300
export PATH=$BUILD/servers/usr/bin:$BUILD/servers/usr/sbin:$PATH
export DOCKER_HOST=unix://$TEST_TMP/docker.sock

# in_container NETWORK OPTION…: runs the client in a container on NETWORK
in_container()
{
	local network=$1
	shift
	docker run --rm --network "$network" -v "$CLIENT:/client:ro" --entrypoint /client "$IMAGE" "$@" || true
}

want_answer()
{
	want_line "sent 3 right 3 wrong 0 refused 0 lost 0 corrupt 0" \
		"$(in_container "$1" --any --to "$FAR4:$2" --count 3)"
}

want_fault()
{
	want_line "answered $3:$2 3" "$(in_container "$1" --any --to "$FAR4:$2" --count 3)"
}

say "Docker on a host with two addresses"
mount --bind "$TEST_CGROUP" /sys/fs/cgroup
TEST_CGROUP=/sys/fs/cgroup
netns_add "$HOST"
ip -n "$HOST" addr add "$FAR4/32" dev lo
spawn_in "$HOST" "$TEST_TMP/dockerd.log" dockerd --host "$DOCKER_HOST" --data-root "$TEST_TMP/data" \
	--exec-root "$TEST_TMP/exec" --pidfile "$TEST_TMP/docker.pid" --storage-driver vfs \
	--exec-opt native.cgroupdriver=cgroupfs
DOCKERD=$SPAWNED
wait_until 60 docker info >/dev/null 2>&1 || fail "$(tail -n 20 "$TEST_TMP/dockerd.log")"
docker load -q -i "$ARCHIVE" >/dev/null

say "servers on the host: mode socket"
serve "$HOST" dual6 "$PORT"
want_fault bridge "$PORT" 172.17.0.1
want_status 0 sluice --netns "$HOST" reply load --mode socket --cgroup "$TEST_CGROUP" --port "$PORT"
want_answer bridge "$PORT"
sluice reply unload

say "the proxy of a published port: audit names it, mode socket fixes it"
docker run -d --name server -p "$PUBLISHED:$PUBLISHED/udp" -v "$SERVER:/server:ro" --entrypoint /server \
	"$IMAGE" --kind sendto4 --port "$PUBLISHED" >/dev/null
wait_udp "$HOST" "$PUBLISHED"
sluice reply load --mode audit --cgroup "$TEST_CGROUP"
want_fault bridge "$PUBLISHED" 172.17.0.1
want_status 0 sluice reply audit
want_text docker-proxy
sluice reply load --mode socket --cgroup "$TEST_CGROUP" --port "$PUBLISHED"
want_answer bridge "$PUBLISHED"
sluice reply unload

say "Compose: a pattern covers a network that is created later"
serve "$HOST" connect4 5201
configure '[wire]' 'follow = docker0,br-*' 'port = 5201'
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
docker rm -f server >/dev/null
stop "$DOCKERD"
