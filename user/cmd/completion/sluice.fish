# fish completion for sluice
function __sluice_complete
	set -l words (commandline -opc)
	set -l cur (commandline -ct)
	set -l plain (string unescape -- $cur)
	# fish passes the earlier words unquoted, but with the tilde. It quotes the candidates.
	set -l program (string replace -r '^~(?=/)' $HOME -- $words[1])
	set -e words[1]
	for line in (command $program __complete $words "$plain" 2>/dev/null)
		switch $line
			case :file
				__fish_complete_path "$cur"
			case :dir
				__fish_complete_directories "$cur"
			case '*'
				printf '%s\n' $line
		end
	end
end
complete -c sluice -f -a '(__sluice_complete)'
