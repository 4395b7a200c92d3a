#!/usr/bin/env bash
# make demo: plans the payment example, or the dump in SCHEMA, on a private scratch PostgreSQL.
set -uo pipefail
project_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command_name="make demo"
# Before the first cd: paths are the caller's.
[ -z "${SCHEMA:-}" ] || schema_path=$(realpath -m -- "$SCHEMA")
[ -z "${SIZES:-}" ] || sizes_path=$(realpath -m -- "$SIZES")
. "$project_dir/scripts/messages.sh"
. "$project_dir/scripts/prerequisites.sh"
. "$project_dir/scripts/extension_files.sh"
. "$project_dir/scripts/scratch_server.sh"
. "$project_dir/scripts/dump/load.sh"

# check_input NAME PATH WRITTEN: what is asked for is looked at before minutes are spent on building.
check_input() {
	[ -e "$2" ] || fail "$1=$3: there is no such file."
	[ -r "$2" ] || fail "$1=$3: it exists, but may not be read by $(id -un)."
	[ -d "$2" ] || [ -s "$2" ] || fail "$1=$3: the file is empty."
}
[ -z "${SCHEMA:-}" ] || check_input SCHEMA "$schema_path" "$SCHEMA"
if [ -n "${SIZES:-}" ]; then
	[ -n "${SCHEMA:-}" ] || fail "SIZES gives row counts to the tables of a dump: make demo SCHEMA=dump.sql SIZES=$SIZES"
	check_input SIZES "$sizes_path" "$SIZES"
	[ ! -d "$sizes_path" ] || fail "SIZES=$SIZES is a folder; give a file of lines table,rows."
fi
if [ -n "${DATABASE:-}" ] && [ -z "${SCHEMA:-}" ]; then
	fail "DATABASE chooses one of the databases of a dump: make demo SCHEMA=dump.sql DATABASE=$DATABASE"
fi

lock_scratch
mkdir -p "$log_dir"
require_server
if [ -z "${INSTALLED:-}" ]; then
	require_build_tools
	build_extension
	install_extension
elif [ ! -f "$("$pg_config" --sharedir)/extension/citus_advisor.control" ]; then
	fail "INSTALLED=1, but citus_advisor is not installed in the server of $pg_config. Leave INSTALLED away to build it."
fi

at_exit scratch_stop demo
! scratch_is_running demo || say "Stopping the scratch server that an earlier run kept."
say "Starting a private PostgreSQL $pg_major"
scratch_start demo

if [ -z "${SCHEMA:-}" ]; then
	database=payments
	say "Loading the payment example"
	{
		scratch_psql -d postgres -v ON_ERROR_STOP=1 -c "CREATE DATABASE $database" &&
			scratch_psql -d "$database" -v ON_ERROR_STOP=1 -f demo/payments.sql -f demo/payments_rows.sql
	} >"$log_dir/load.log" 2>&1 || fail "the payment example does not load: $(grep -m 1 ERROR "$log_dir/load.log")$(full_disk)"
else
	folder=$server_dir/load
	load_dump "$schema_path" "$folder" "${DATABASE:-}"
	database=$loaded_database
	if has_rows "$folder"; then
		say "Counting rows (ANALYZE)"
		scratch_psql -d "$database" -f scripts/dump/analyze.sql >"$log_dir/analyze.log" 2>&1
	fi
	[ -z "${SIZES:-}" ] || apply_sizes "$sizes_path" "$folder" "$database"
	rm -f "$folder"/rows.*
fi

# The dump's event triggers and triggers are not to see the extension come.
scratch_psql -d "$database" -v ON_ERROR_STOP=1 >"$log_dir/extension.log" 2>&1 <<'SQL' ||
SET client_min_messages = error;
SET session_replication_role = replica;
CREATE EXTENSION IF NOT EXISTS citus_advisor;
SQL
	fail "the extension cannot be created in the loaded database: $(grep -m 1 ERROR "$log_dir/extension.log" | sed 's/.*ERROR: *//')"

left_out() {
	printf '\n Left out\n'
	if [ ! -s "$folder/left_out" ]; then
		printf '  nothing\n'
		return
	fi
	case $(dump_format "$schema_path") in
	custom | tar | directory) printf '  (lines of the script that pg_restore -f - makes of the archive)\n' ;;
	esac
	cat "$folder/left_out"
}

if [ -n "${SCHEMA:-}" ] && [ "$(scratch_psql -At -d "$database" -f scripts/dump/count_tables.sql)" = 0 ]; then
	left_out
	fail "no table came out of SCHEMA=$SCHEMA, so there is nothing to plan."
fi

say ""
scratch_psql -d "$database" -At -v ON_ERROR_STOP=1 -c 'SELECT advisor.plan_distribution()' ||
	fail "planning failed; the server's message is above, its log in $server_dir/server.log."
if [ -n "${SCHEMA:-}" ]; then
	left_out
	scratch_psql -At -d "$database" -f scripts/dump/rows_known.sql
fi

if [ -n "${KEEP:-}" ]; then
	trap - EXIT
	say ""
	say "The scratch server keeps running. To enter it:"
	say "  $(psql_line "$database")"
	say "To stop it:"
	say "  make stop"
fi
