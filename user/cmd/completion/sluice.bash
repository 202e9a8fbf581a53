# bash completion for sluice; works with bash-completion and without
_sluice()
{
	local line cur=${COMP_WORDS[COMP_CWORD]}
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
		*) COMPREPLY+=("${line%%$'\t'*}") ;;
		esac
	done < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _sluice sluice
