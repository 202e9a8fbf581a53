# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The lines of a restart, as README, sluice-steer(8) and --help print them. Source it after lib.sh.

MAN_STEER=$ROOT/user/man/sluice-steer.8

# plain FILE: prints a man page without the escapes that the recipes use
plain()
{
	sed 's/\\-/-/g; s/\\(aq/'"'"'/g' "$1"
}

# recipe: prints the lines of the restart on stdin, without a prompt
recipe()
{
	sed -n 's/^ *\(# \)\{0,1\}//; /^OLD=/,/drain/p'
}
