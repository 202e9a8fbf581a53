#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Checks the help of the program, of an object and of a command, and the option lists that the man
# pages include.
. "$(dirname "$0")/../lib/lib.sh"

say "an object"
for words in "reply --help" "help reply" "reply help" "--help reply" "reply -h"; do
	# shellcheck disable=SC2086 # a list of words
	want_status 0 sluice $words
	want_text "usage: sluice [GLOBAL OPTIONS] reply COMMAND"
	want_text "reply audit"
	want_text "examples:"
	[[ $OUTPUT != *"steer load"* ]] || fail "commands of another object:" "$OUTPUT"
done
for object in steer hold nat conntrack peer rendezvous; do
	want_status 0 sluice help "$object"
	want_text "examples:"
done

say "a command"
want_status 0 sluice reply load --help
help=$OUTPUT
want_text "(default 16384)"
want_text "options of mode wire:"
want_status 0 sluice help reply load
want_equal "$OUTPUT" "$help"
want_status 0 sluice help check
want_text "usage: sluice check"
want_status 2 sluice help repyl
want_text "did you mean 'reply'?"
want_status 2 sluice help reply laod
want_text "did you mean 'load'?"
want_status 2 sluice help check it
want_text "unexpected word 'it'"

say "the man pages' lists"
want_status 0 sluice help --man reply load
want_text '.TP
\fB\-\-table\fR \fIN\fR
Size of the flow table; a full set evicts its oldest flow.
From 64 to 4194304.
The default is 16384.'
want_text '\fB\-m\fR, \fB\-\-mode\fR \fBsocket\fR | \fBaudit\fR | \fBwire\fR'
want_text 'Options of mode wire:'
want_status 0 sluice help --man
want_text '\fB\-\-bpffs\fR \fIDIR\fR'
want_status 0 sluice help --man-config wire
want_text '\fBattach\fR = \fBauto\fR | \fBtcx\fR | \fBclsact\fR'
want_text '\fBnetns\fR = '
[[ $OUTPUT != *dry* ]] || fail "an option of the command line among the keys:" "$OUTPUT"
want_status 2 sluice help --man-config wired
want_text "unknown section [wired]"
want_status 2 sluice help --man reply laod

say "tools/man"
printf '.TH X 8\n@OPTIONS steer drain@\nbehind\n' >"$TEST_TMP/x.8"
want_status 0 "$ROOT/tools/man" "$SLUICE" "$TEST_TMP/x.8"
want_text '.TP
\fB\-\-idle\fR \fISECONDS\fR'
want_text 'behind'
printf '.Dd x\n@KEYS steer@\n.Sh Y\n' >"$TEST_TMP/y.8"
want_status 0 "$ROOT/tools/man" "$SLUICE" "$TEST_TMP/y.8"
want_text '.Bl -tag -width Ds
.It \fBport\fR = \fILIST\fR'
want_text '.El
.Sh Y'
for placeholder in "@OPTION reply load@" "@OPTIONS reply laod@" "@KEYS wired@" "@@"; do
	printf '%s\n' '.TH X 8' "$placeholder" >"$TEST_TMP/x.8"
	! "$ROOT/tools/man" "$SLUICE" "$TEST_TMP/x.8" >"$TEST_TMP/page" 2>&1 ||
		fail "tools/man takes $placeholder"
done
