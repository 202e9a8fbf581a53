# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Extracts the commands of a restart from README, sluice-steer(8) and --help. Source it after
# lib.sh.

MAN_STEER=$ROOT/user/man/sluice-steer.8

# plain FILE: prints a man page without the escapes that the recipes use
plain()
{
	sed 's/\\-/-/g; s/\\(aq/'"'"'/g' "$1"
}

# recipe: prints the restart commands in its standard input, without prompts
recipe()
{
	sed -n 's/^ *\(# \)\{0,1\}//; /^OLD=/,/drain/p'
}
