# shellcheck shell=bash
# A private PostgreSQL for a demo or a test run: made anew each time, on a Unix socket, gone afterwards.
# Needs: messages.sh, prerequisites.sh (find_server).

# One command at a time works in .scratch/; what it calls works under its lock.
lock_scratch() {
	[ -z "${SCRATCH_LOCKED:-}" ] || return 0
	{ mkdir -p "$scratch_dir" 2>/dev/null && [ -w "$scratch_dir" ]; } ||
		fail "cannot write to $scratch_dir; it may belong to another user: make clean as that user."
	exec 9>"$scratch_dir/lock" || fail "cannot write to $scratch_dir/lock; make clean as the user who owns it."
	flock -n 9 || fail "another make demo or make test is running in this folder; wait for it, or stop it."
	export SCRATCH_LOCKED=1
}

# PostgreSQL refuses to run as root, so for root it runs as the user that Debian's package made for it.
choose_server_user() {
	if ! is_root; then
		server_user=$(id -un)
	elif id -u postgres >/dev/null 2>&1; then
		server_user=postgres
	else
		server_user=nobody
	fi
}

# From /, since the server's user may not be allowed to enter the folder of the caller.
as_server_user() {
	if is_root; then
		(cd / && exec runuser -u "$server_user" -- "$@")
	else
		(cd / && exec "$@")
	fi
}

# Where the server of that name lives: its folder, the folder of its socket, and that of its programs, a line each.
location_file() {
	printf '%s' "$scratch_dir/$1.location"
}

# A folder that only the server's user and the caller can enter.
private_folder() {
	local folder
	folder=$(mktemp -d /tmp/citus_advisor.XXXXXX) || fail "cannot make a folder in /tmp."
	! is_root || chown "$server_user" "$folder"
	printf '%s' "$folder"
}

# Sets server_dir and socket_dir for the scratch server NAME.
place_scratch_server() {
	local name=$1
	server_dir=$scratch_dir/$name
	local elsewhere=
	rm -rf "$server_dir" 2>/dev/null
	{ mkdir -p "$server_dir" 2>/dev/null && [ -O "$server_dir" ]; } ||
		fail "cannot make $server_dir anew; it may belong to another user: make clean as that user."
	chmod 700 "$server_dir"
	! is_root || chown "$server_user" "$server_dir"
	if ! as_server_user test -w "$server_dir"; then
		elsewhere="the operating system's user $server_user may not enter $project_dir"
	elif ! [[ $server_dir =~ ^[A-Za-z0-9_./+-]+$ ]]; then
		elsewhere="the path of $project_dir has characters that a server's settings cannot hold"
	fi
	if [ -n "$elsewhere" ]; then
		rmdir "$server_dir"
		server_dir=$(private_folder) || exit 1
		say "The scratch server lives in $server_dir, since $elsewhere."
	fi
	socket_dir=$server_dir/socket
	# The kernel takes 107 bytes for the path of a socket.
	if [ "$(printf '%s/.s.PGSQL.5432' "$socket_dir" | wc -c)" -gt 107 ]; then
		socket_dir=$(private_folder) || exit 1
	else
		as_server_user mkdir -m 700 "$socket_dir"
	fi
	printf '%s\n' "$server_dir" "$socket_dir" "$pg_bindir" >"$(location_file "$name")"
}

# scratch_start NAME: a new cluster, running, with the lines of scratch_settings, if any, in its configuration. Sets
# server_name, server_dir, socket_dir.
scratch_start() {
	server_name=$1
	choose_server_user
	scratch_stop "$server_name"
	place_scratch_server "$server_name"
	local log=$log_dir/server-$server_name.log
	mkdir -p "$log_dir"
	run_logged "$log" "initdb" as_server_user "$pg_bindir/initdb" -D "$server_dir/data" -U postgres -A trust \
		-E UTF8 --locale=C --no-sync
	{
		cat "$project_dir/scripts/scratch_server.conf"
		printf "unix_socket_directories = '%s'\nport = 5432\n%s\n" "$socket_dir" "${scratch_settings:-}"
		# advisor.workload reads it where a database has created the extension.
		[ ! -f "$("$pg_config" --pkglibdir)/pg_stat_statements.so" ] ||
			printf "shared_preload_libraries = 'pg_stat_statements'\n"
	} >>"$server_dir/data/postgresql.conf"
	# Descriptor 9 is the lock of .scratch/, which a server that is kept must not hold.
	if ! as_server_user "$pg_bindir/pg_ctl" -D "$server_dir/data" -l "$server_dir/server.log" -w -s start \
		9>&- >>"$log" 2>&1 </dev/null; then
		tail -n 15 "$log" "$server_dir/server.log" >&2
		fail "the scratch server did not start; its messages are above."
	fi
}

# scratch_stop NAME: stops that server, if it runs, and removes it.
scratch_stop() {
	local location dir socket bindir
	location=$(location_file "$1")
	[ -f "$location" ] || return 0
	{ read -r dir && read -r socket && read -r bindir; } <"$location"
	choose_server_user
	if [ -f "$dir/data/postmaster.pid" ]; then
		as_server_user "$bindir/pg_ctl" -D "$dir/data" -m fast -w -s stop >/dev/null 2>&1 ||
			as_server_user "$bindir/pg_ctl" -D "$dir/data" -m immediate -w -s stop >/dev/null 2>&1 ||
			! as_server_user "$bindir/pg_ctl" -D "$dir/data" status >/dev/null 2>&1 ||
			fail "the scratch server in $dir does not stop."
	fi
	# Only what place_scratch_server made.
	case $dir in "$scratch_dir/$1" | /tmp/citus_advisor.??????) rm -rf "$dir" ;; esac
	case $socket in /tmp/citus_advisor.??????) rm -rf "$socket" ;; esac
	rm -f "$location"
}

scratch_is_running() {
	local dir
	[ -f "$(location_file "$1")" ] && read -r dir <"$(location_file "$1")" && [ -f "$dir/data/postmaster.pid" ]
}

# Calls COMMAND... when the script ends, in whatever way.
at_exit() {
	# shellcheck disable=SC2064 # the words of now are meant
	trap "$*" EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# psql to the scratch server as its superuser; no settings of the caller's.
scratch_psql() {
	"$pg_bindir/psql" -X -q -h "$socket_dir" -p 5432 -U postgres "$@"
}

# The line that a person types to enter the scratch server.
psql_line() {
	local sudo=
	# The socket's folder is closed to everyone but root and the server's user.
	[ -z "${SUDO_USER:-}" ] || sudo='sudo '
	printf '%s%s -h %s -p 5432 -U postgres -d %q' "$sudo" "$pg_bindir/psql" "$socket_dir" "$1"
}
