#compdef sluice
_sluice()
{
	local line
	local -a names shown
	for line in "${(@f)$(${(Q)words[1]} __complete "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
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
