# shellcheck shell=bash
# A Citus cluster of three servers on this machine, gone at exit: a coordinator and two workers. On each a database
# with_citus, a node of one cluster, to be copied; on the coordinator with_advisor, which has no Citus.
# Needs: messages.sh, prerequisites.sh, scratch_server.sh. Sets cluster_dir, first_port, and what require_server sets.

# Ends with a count of one skipped where there is nothing to ask.
require_citus() {
	INSTALLED=1 require_server
	if [ ! -f "$("$pg_config" --sharedir)/extension/citus.control" ]; then
		skip "Citus is not installed in the server of $pg_config"
	fi
	command -v python3 >/dev/null || skip "python3 is not installed"
	[ -f "$("$pg_config" --sharedir)/extension/citus_advisor.control" ] ||
		fail "citus_advisor is not installed in the server of $pg_config; make install first."
	lock_scratch
	choose_server_user
}

skip() {
	printf '%s, so Citus was not asked.\n0 passed, 0 failed, 1 skipped\n' "$1"
	exit 0
}

nodes=(coordinator worker1 worker2)
first_port=54320

stop_cluster() {
	local node
	[ -n "${cluster_dir:-}" ] || return 0
	for node in "${nodes[@]}"; do
		[ ! -f "$cluster_dir/$node/postmaster.pid" ] ||
			as_server_user "$pg_bindir/pg_ctl" -D "$cluster_dir/$node" -m immediate -w -s stop >/dev/null 2>&1
	done
	case $cluster_dir in /tmp/citus_advisor.??????) rm -rf "$cluster_dir" ;; esac
}

node_psql() {
	local number=$1
	shift
	"$pg_bindir/psql" -X -q -v ON_ERROR_STOP=1 -h "$cluster_dir" -p $((first_port + number)) -U postgres "$@"
}

# Three servers of one machine, that speak to each other over their Unix sockets: nobody else can reach them.
start_cluster() {
	local number node log
	cluster_dir=$(private_folder) || exit 1
	log=$log_dir/citus-cluster.log
	mkdir -p "$log_dir"
	for number in "${!nodes[@]}"; do
		node=${nodes[number]}
		run_logged "$log" "initdb" as_server_user "$pg_bindir/initdb" -D "$cluster_dir/$node" -U postgres -A trust \
			-E UTF8 --locale=C --no-sync
		{
			# Citus needs prepared transactions, a second phase of its own, and more connections.
			grep -vE '^(max_connections|wal_level|max_wal_senders|max_logical_replication_workers)' "$project_dir/scripts/scratch_server.conf"
			printf '%s\n' "shared_preload_libraries = 'citus'" "unix_socket_directories = '$cluster_dir'" \
				"port = $((first_port + number))" 'max_connections = 200' 'max_prepared_transactions = 200' \
				'citus.shard_count = 4' 'wal_level = logical' \
				"citus.local_hostname = '$cluster_dir'" 'max_worker_processes = 64' 'max_logical_replication_workers = 32' \
				'max_replication_slots = 32' 'max_wal_senders = 32'
			# What create_distributed_table_concurrently reads with; newer releases keep a list of what may.
			! as_server_user "$pg_bindir/postgres" -D "$cluster_dir/$node" -C output_plugin_libraries >/dev/null 2>&1 ||
				printf "output_plugin_libraries = 'pgoutput, citus'\n"
		} >>"$cluster_dir/$node/postgresql.conf"
		as_server_user "$pg_bindir/pg_ctl" -D "$cluster_dir/$node" -l "$cluster_dir/$node.log" -w -s start 9>&- </dev/null ||
			fail "a server of the cluster did not start: $(tail -n 3 "$cluster_dir/$node.log")"
		{
			node_psql "$number" -d postgres -c 'CREATE DATABASE with_citus TEMPLATE template0' &&
				node_psql "$number" -d with_citus -c 'CREATE EXTENSION citus'
		} || fail "Citus cannot be created; see above."
	done
	{
		node_psql 0 -d with_citus -o /dev/null -c 'CREATE ROLE migration_owner' -c 'CREATE ROLE migration_reader' \
			-c "SELECT citus_set_coordinator_host('$cluster_dir', $first_port)" \
			-c "SELECT citus_add_node('$cluster_dir', $first_port + 1), citus_add_node('$cluster_dir', $first_port + 2)" &&
			node_psql 0 -d postgres -c 'CREATE DATABASE with_advisor TEMPLATE template0' &&
			node_psql 0 -d with_advisor -c 'CREATE EXTENSION citus_advisor'
	} || fail "the cluster cannot be set up; see above."
	# Databases are copied from it, which nobody may be connected to, Citus' own maintenance included.
	for number in "${!nodes[@]}"; do
		node_psql "$number" -d postgres -o /dev/null -c 'SET client_min_messages = error' -c 'ALTER DATABASE with_citus ALLOW_CONNECTIONS false' \
			-c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'with_citus'"
	done
}

print_versions() {
	printf 'Citus %s on PostgreSQL %s, a coordinator and two workers\n' \
		"$(node_psql 0 -d postgres -At -c "SELECT default_version FROM pg_available_extensions WHERE name = 'citus'")" \
		"$(node_psql 0 -d postgres -At -c 'SHOW server_version')"
}
