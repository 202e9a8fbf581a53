#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the scripts of 'sluice completion' in their shells, and checks the candidates for objects,
# commands, options and values. zsh completes only on a Tab from a terminal.
. "$(dirname "$0")/../lib/lib.sh"

SCRIPTS=$TEST_TMP/scripts
mkdir "$SCRIPTS" "$TEST_TMP/bin"
ln -s "$SLUICE" "$TEST_TMP/bin/sluice"
export PATH=$TEST_TMP/bin:$PATH
for shell in bash zsh fish; do
	sluice completion "$shell" >"$SCRIPTS/sluice.$shell"
	[ -s "$SCRIPTS/sluice.$shell" ] || fail "no script for $shell"
done
ip netns add bluebird

say "bash: syntax"
want_status 0 bash -n "$SCRIPTS/sluice.bash"

# in_bash WORD…: prints bash's candidates for the last word, without bash-completion
in_bash()
{
	bash --norc --noprofile -c '
		source "$1"
		shift
		COMP_WORDS=(sluice "$@")
		COMP_CWORD=$#
		_sluice
		echo "${COMPREPLY[*]}"' - "$SCRIPTS/sluice.bash" "$@"
}

# offers SHELL WANTED WORD…: compares the candidates, in order
offers()
{
	local shell=$1 wanted=$2
	shift 2
	want_equal "$("in_$shell" "$@")" "$wanted" "$shell: sluice $*"
}

say "bash: objects, commands, options, values"
offers bash "socket audit wire" reply load --mode ''
offers bash "wire" reply load --mode w
offers bash "wire" reply load --mode = w
offers bash "socket audit wire" reply load --mode =
offers bash "reply rendezvous run" r
offers bash "load show flows audit unload" reply ''
offers bash "load" reply lo
offers bash "load" -j --netns x reply lo
offers bash "--mode" reply load --mo
offers bash "--port" reply load --mode wire --po
offers bash "flow load source cpu" steer load --port 53 --policy ''
offers bash "reply,steer" check --for reply,s
offers bash "bluebird" --netns blue
offers bash "lo" reply load --iface l
offers bash "x,lo" steer load --xdp x,l
offers bash "bash zsh fish" completion ''
offers bash "reply rendezvous" monitor -t r
offers bash "--interval" monitor wire --i
offers bash "load show drain promote unload" help steer ''
offers bash "" steer drain ''
offers bash "" reply load --port ''
offers bash "" nonsense ''
touch "$TEST_TMP/my file.conf"
offers bash "$TEST_TMP/my file.conf" run --config "$TEST_TMP/my"
mkdir "$TEST_TMP/mydir"
offers bash "$TEST_TMP/mydir" --bpffs "$TEST_TMP/my"

say "bash: bash-completion loads the script on demand"
install -D "$SCRIPTS/sluice.bash" "$TEST_TMP/share/bash-completion/completions/sluice"
want_equal "$(XDG_DATA_DIRS=$TEST_TMP/share bash --norc --noprofile -c '
	source /usr/share/bash-completion/bash_completion
	complete -p sluice 2>/dev/null && exit
	_completion_loader sluice
	complete -p sluice
	COMP_WORDS=(sluice reply load --mode "") COMP_CWORD=4
	_sluice
	echo "${COMPREPLY[*]}"')" "complete -F _sluice sluice
socket audit wire" "with bash-completion"

say "fish: syntax and candidates"
want_status 0 fish --no-config --no-execute "$SCRIPTS/sluice.fish"

in_fish()
{
	HOME=$TEST_TMP fish --no-config -c "source $SCRIPTS/sluice.fish; complete -C '$*'" |
		cut -f 1 | sort | paste -sd ' '
}

offers fish "audit socket wire" "sluice reply load --mode "
offers fish "--mode=wire" "sluice reply load --mode=w"
offers fish "rendezvous reply run" "sluice r"
offers fish "load" "sluice -j reply lo"
offers fish "bluebird" "sluice --netns blue"
offers fish "$TEST_TMP/my file.conf $TEST_TMP/mydir/" "sluice run --config $TEST_TMP/my"

say "zsh: syntax and candidates on a terminal"
want_status 0 zsh -n "$SCRIPTS/sluice.zsh"
install -D "$SCRIPTS/sluice.zsh" "$TEST_TMP/site/_sluice"

# in_zsh LINE: prints the line after a Tab and the list below it; zsh autoloads the installed script
in_zsh()
{
	HOME=$TEST_TMP python3 - "$TEST_TMP/site" "$1" <<-'PYTHON'
		import os, pty, re, select, sys, time
		pid, fd = pty.fork()
		if not pid:
		    os.environ.update(TERM="dumb", PS1="", COLUMNS="80")
		    os.execlp("zsh", "zsh", "-f", "-i")
		def until(mark, text=""):
		    end = time.monotonic() + 60
		    while not re.search(mark, text):
		        if time.monotonic() > end:
		            sys.exit(f"zsh: no {mark!r} in {text!r}")
		        if select.select([fd], [], [], 1)[0]:
		            text += os.read(fd, 4096).decode(errors="replace")
		    return text
		def send(text):
		    os.write(fd, text.encode())
		# The echoed input contains the quotes; the output does not.
		send(f"PS1=; unsetopt zle_bracketed_paste; LISTMAX=1000; fpath=({sys.argv[1]} $fpath);"
		     " autoload -Uz compinit; compinit -u -D; print re''ady\n")
		until("ready")
		# ^X d prints the current line and, if there are several, the candidates
		send("show() { zle -M \"<$BUFFER>\" }; zle -N show; bindkey '^Xd' show; print se''t\n")
		until("set")
		send(sys.argv[2] + "\t")
		send("\x18d")
		text = until(r"<[^>]*>")
		print(re.sub(r"\s+", " ", text))
		os.kill(pid, 9)
		os.waitpid(pid, 0)
	PYTHON
}

shown=$(in_zsh "sluice reply load --mode ")
for word in socket audit wire; do
	[[ $shown == *"$word"* ]] || fail "zsh offers no $word: $shown"
done
shown=$(in_zsh "sluice reply load --mode w")
[[ $shown == *"<sluice reply load --mode wire >"* ]] || fail "zsh does not complete: $shown"
shown=$(in_zsh "sluice st")
[[ $shown == *status* && $shown == *steer* ]] || fail "zsh offers no object: $shown"
shown=$(in_zsh "sluice --netns blue")
[[ $shown == *"<sluice --netns bluebird >"* ]] || fail "zsh does not complete: $shown"

say "a name that a shell would execute is inserted quoted"
EVIL='x;>pwned;id' EVIL_NETNS='q$(touch pwned)'
ip -n bluebird link add "$EVIL" type veth peer name peer
: >"/run/netns/$EVIL_NETNS"
mkdir "$TEST_TMP/my home" "$TEST_TMP/tty"
cat >"$TEST_TMP/my home/sluice" <<-END
	#!/bin/bash
	[ "\$1" != __complete ] || exec "$SLUICE" "\$@"
	printf '%s\n' "\$@" >words
END
chmod +x "$TEST_TMP/my home/sluice"

# typed SHELL LINE: types LINE, a Tab and Enter on a terminal, in an empty directory; prints the
# last word that the program received
typed()
{
	rm -f "$TEST_TMP"/tty/*
	HOME="$TEST_TMP/my home" PATH=$TEST_TMP/my\ home:$PATH ip netns exec bluebird \
		python3 - "$1" "$SCRIPTS/sluice.$1" "$2" "$TEST_TMP/tty" <<-'PYTHON'
		import os, pty, re, select, sys, time
		shell, script, line, work = sys.argv[1:]
		os.chdir(work)
		flags = {"bash": "--norc --noprofile -i", "zsh": "-f -i", "fish": "--no-config"}[shell]
		pid, fd = pty.fork()
		if not pid:
		    os.environ.update(TERM="dumb", COLUMNS="200")
		    os.execvp(shell, [shell, *flags.split()])
		def until(mark):
		    text, end = "", time.monotonic() + 60
		    while not re.search(mark, text):
		        if time.monotonic() > end:
		            sys.exit(f"{shell}: no {mark!r} in {text!r}")
		        if select.select([fd], [], [], 1)[0]:
		            text += os.read(fd, 4096).decode(errors="replace")
		def send(text):
		    os.write(fd, text.encode())
		if shell == "zsh":
		    send("unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D\n")
		# The echoed input contains the quotes; the output does not.
		send(f"source {script}; echo re''ady\n")
		until("ready")
		send(line + "\t\n")
		send("echo do''ne\n")
		until("done")
		os.kill(pid, 9)
		os.waitpid(pid, 0)
	PYTHON
	tail -n 1 "$TEST_TMP/tty/words"
	[ ! -e "$TEST_TMP/tty/pwned" ] || fail "$1 has executed a name"
}

for shell in bash zsh fish; do
	want_equal "$(typed $shell 'sluice reply load --mode wire --iface x')" "$EVIL" "$shell: netdev"
	want_equal "$(typed $shell 'sluice reply load --mode wire --iface x\;')" "$EVIL" "$shell: \\;"
	want_equal "$(typed $shell 'sluice --netns q')" "$EVIL_NETNS" "$shell: namespace"
	want_equal "$(typed $shell '~/sluice reply unl')" unload "$shell: ~"
done

say "a name that would forge a line or a request is not offered"
for name in $'q\n:file' $'q\t' $'q\e[2J' $'q\u009b' :file; do
	: >"/run/netns/$name"
done
want_equal "$(sluice __complete --netns '' | grep -v bluebird)" "$EVIL_NETNS" "names"

say "an unknown shell"
want_status 2 sluice completion tcsh
want_text "give bash, zsh or fish"
want_status 2 sluice completion
want_text "needs a shell"
