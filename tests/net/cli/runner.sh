#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/run: for root, a skip is a failure unless the test is marked. When all its processes get
# SIGTERM at once, no process, cgroup or file is left, even if the test ignores the signal.
. "$(dirname "$0")/../lib/lib.sh"

mkdir -p "$TEST_TMP/net" "$TEST_TMP/scratch"

printf '#!/bin/bash\necho why\nexit 77\n' >"$TEST_TMP/net/skipped"
sed '1a # may be skipped: as a test' "$TEST_TMP/net/skipped" >"$TEST_TMP/net/allowed"
chmod +x "$TEST_TMP/net/skipped" "$TEST_TMP/net/allowed"
want_status 1 "$ROOT/tests/run" "$TEST_TMP/net/skipped" "$TEST_TMP/net/allowed"
want_text "skipped, which is a failure for root"
want_text " s  why"
want_text "0 passed, 1 failed, 1 skipped"

cat >"$TEST_TMP/net/stubborn" <<'SHELL'
#!/bin/bash
trap '' TERM
echo $$ >"$STUBBORN"
while :; do
	sleep 1
done
SHELL
chmod +x "$TEST_TMP/net/stubborn"

export STUBBORN=$TEST_TMP/pid TMPDIR=$TEST_TMP/scratch
setsid "$ROOT/tests/run" "$TEST_TMP/net/stubborn" >"$TEST_TMP/log" 2>&1 &
runner=$!
wait_until 20 test -s "$STUBBORN"
mapfile -t all < <(pgrep -s "$runner")
[ ${#all[@]} -gt 4 ] || fail "processes of the run: ${all[*]}"
kill "${all[@]}" 2>/dev/null || true
status=0
wait "$runner" || status=$?
left=$(find "${TEST_CGROUP%/*/*}" -maxdepth 1 -name "sluice-test.$runner")
if [ -n "$left" ]; then
	kill -KILL "$(cat "$STUBBORN")" || true
	wait_until 20 find "$left" -depth -type d -exec rmdir {} +
fi
want_equal "$left" "" "left behind"
want_equal "$status" 130 "exit status: $(cat "$TEST_TMP/log")"
want_equal "$(ls -A "$TMPDIR")" "" "files"
