#compdef sluice
_sluice()
{
	# zsh passes the words as typed, with the tilde. compadd quotes the names.
	local line program=${(Q)words[1]}
	program=${program/#\~\//$HOME/}
	local -a names shown
	for line in "${(@f)$($program __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
		case $line in
		:file) _files ;;
		:dir) _files -/ ;;
		?*)
			names+=("${line%%$'\t'*}")
			shown+=("${line/$'\t'/  -- }")
			;;
		esac
	done
	(( ! $#names )) || compadd -l -d shown -- "${names[@]}"
}
if [ "$funcstack[1]" = _sluice ]; then
	_sluice "$@"
else
	compdef _sluice sluice
fi
