# shellcheck shell=bash
# How the commands speak: progress on stderr, so that `make demo > plan.txt` holds the plan alone,
# and a failure as a sentence that says what to do.

say() {
	printf '%s\n' "$*" >&2
}

fail() {
	printf '\n%s: %s\n' "${command_name:-citus_advisor}" "$*" >&2
	exit 1
}

# Free space in MB of the file system that holds a path.
free_mb() {
	df -Pm -- "$1" 2>/dev/null | awk 'NR == 2 { print $4 }'
}

# run_logged LOG WHAT COMMAND...: keeps a chatty command's output in a file, and shows its end only if the command fails.
run_logged() {
	local log=$1 what=$2
	shift 2
	mkdir -p "$(dirname "$log")" || fail "cannot write below $(dirname "$log")."
	if "$@" >"$log" 2>&1 </dev/null; then
		return 0
	fi
	local cause lines=15
	cause=$(likely_cause "$log")
	[ -z "$cause" ] || lines=2
	{
		printf '\n'
		tail -n $lines "$log" | sed 's/^/    /'
	} >&2
	fail "$what failed$cause. All of its output is in $log."
}

# The usual reasons, said in words. Prints nothing where the log names none of them.
likely_cause() {
	local log=$1
	if grep -qsi 'No space left on device\|You don.t have enough free space' "$log"; then
		printf ': the disk is full'
	elif grep -qs 'Could not resolve\|Temporary failure \(in name resolution\|resolving\)\|Failed to fetch\|Connection timed out\|Could not connect\|Couldn.t resolve host\|network failure' "$log"; then
		printf ': the network, or the server behind it, does not answer'
	elif grep -qs 'Could not get lock\|Unable to acquire the dpkg' "$log"; then
		printf ': another apt is running; wait for it and try again'
	elif grep -qs 'sudoers\|a password is required\|a terminal is required' "$log"; then
		printf ': this user may not use sudo without a password typed at a terminal; run it as root'
	elif grep -qs 'Unable to locate package\|has no installation candidate' "$log"; then
		printf ': apt does not know one of the packages. Debian 12 has PostgreSQL 15; other versions come from apt.postgresql.org'
	fi
}
