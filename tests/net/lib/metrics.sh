# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of metrics and probes. Source it after lib.sh.

METRICS_PORT=9477
PROMTOOL=$BUILD/servers/usr/bin/promtool
[ -x "$PROMTOOL" ] || PROMTOOL=promtool

# metrics CHECK [WORD…]: runs lib/metrics.py in HOST
metrics()
{
	in_ns "$HOST" python3 "$ROOT/tests/net/lib/metrics.py" "$METRICS_PORT" "$@"
}

# want_values SAMPLE VALUE…: compares the values of samples such as NAME{LABEL="VALUE"}
want_values()
{
	local samples=() values=()
	while [ $# -gt 0 ]; do
		samples+=("$1") values+=("$2")
		shift 2
	done
	want_equal "$(metrics value "${samples[@]}")" "$(printf '%s\n' "${values[@]}")" "${samples[*]}"
}

# probe PATH CODE [TEXT]: returns true if the probe answers with this status, and its body contains
# TEXT
probe()
{
	local got
	got=$(metrics get "$1")
	[[ ${got%% *} == "$2" && $got == *"${3:-}"* ]]
}

want_probe()
{
	wait_until 30 probe "$@" || fail "wanted $1 to be $2, with '${3:-}':" "$(metrics get "$1")"
}

# want_lint FILE: checks that 'promtool check metrics' passes without output
want_lint()
{
	want_equal "$("$PROMTOOL" check metrics <"$1" 2>&1)" "" "promtool: $(cat "$1")"
}
