# bash completion for sluice; works with bash-completion and without
_sluice()
{
	# bash passes the words as typed, with their backslashes and the tilde.
	local line cur=${COMP_WORDS[COMP_CWORD]}
	local words=("${COMP_WORDS[@]:1:COMP_CWORD}") program=${COMP_WORDS[0]//\\/}
	program=${program/#'~/'/"$HOME/"}
	[ "$cur" != = ] || cur=
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:file | :dir)
			compopt -o filenames 2>/dev/null
			while IFS= read -r line; do
				COMPREPLY+=("$line")
			done < <(compgen "$([ "$line" = :dir ] && echo -d || echo -f)" -- "$cur")
			;;
		*)
			# readline inserts a candidate unquoted, which may be any device's name.
			line=${line%%$'\t'*}
			[[ $line != *[!A-Za-z0-9_.,:@%+=/-]* ]] || printf -v line %q "$line"
			COMPREPLY+=("$line")
			;;
		esac
	done < <("$program" __complete "${words[@]//\\/}" 2>/dev/null)
}
complete -F _sluice sluice
