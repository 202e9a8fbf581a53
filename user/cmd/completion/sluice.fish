# fish completion for sluice
function __sluice_complete
	set -l words (commandline -opc)
	set -l cur (commandline -ct)
	set -l program $words[1]
	set -e words[1]
	for line in (command $program __complete $words "$cur" 2>/dev/null)
		switch $line
			case :file
				__fish_complete_path "$cur"
			case :dir
				__fish_complete_directories "$cur"
			case '*'
				echo $line
		end
	end
end
complete -c sluice -f -a '(__sluice_complete)'
