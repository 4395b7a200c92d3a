#!/usr/bin/env bash
# make test: every check of the project, each suite to its end, and at the end what really came out.
set -uo pipefail
project_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command_name="make test"
. "$project_dir/scripts/messages.sh"
. "$project_dir/scripts/prerequisites.sh"
. "$project_dir/scripts/extension_files.sh"
. "$project_dir/scripts/scratch_server.sh"

suites=(format lint shell planner backend sql isolation replication stress differential dump restore corpus experts oracle script)
# Beside the usual ones: what takes a server that has Citus.
more_suites=(citus migration)
read -ra chosen <<<"${SUITES:-${suites[*]}}"
for suite in "${chosen[@]}"; do
	[[ " ${suites[*]} ${more_suites[*]} " == *" $suite "* ]] || fail "SUITES=$SUITES: there is no suite $suite; they are: ${suites[*]} ${more_suites[*]}."
done

describe() {
	case $1 in
	format) printf 'formatting (cargo fmt)' ;;
	lint) printf 'lint (cargo clippy)' ;;
	shell) printf 'scripts (shellcheck, perl -c)' ;;
	planner) printf 'planner (cargo test)' ;;
	backend) printf 'in the server (cargo pgrx test)' ;;
	sql) printf 'expected output (pg_regress)' ;;
	isolation) printf 'schedules (isolationtester)' ;;
	replication) printf 'replication and restore' ;;
	stress) printf 'many clients (bench, torture)' ;;
	differential) printf 'beside native keys (differential)' ;;
	dump) printf 'loading of dumps' ;;
	restore) printf 'constraints through dump and restore' ;;
	corpus) printf 'corpus of real schemas' ;;
	experts) printf 'what an expert would choose' ;;
	oracle) printf 'answers of a real Citus' ;;
	script) printf 'migration script without Citus' ;;
	citus) printf 'random schemas, asked of Citus' ;;
	migration) printf 'populated schemas, migrated on Citus' ;;
	esac
}

# Each run_SUITE prints what its tools print, and returns non-zero where something failed.

run_format() {
	cargo fmt --all --check
}

run_lint() {
	cargo clippy --workspace --all-targets --no-default-features --features "pg$pg_major" -- -D warnings
}

# Counts files itself, since neither tool does.
run_shell() {
	local files=() file bad=0 good=0 left_out=0
	# What is sourced is read along with what sources it.
	mapfile -t files < <(grep -lE '^#!.*bash' .ci/* scripts/* pgrx-tests/* pgrx-tests/*/check pgrx-tests/citus/* 2>/dev/null | sort -u)
	for file in "${files[@]}"; do
		if ! bash -n "$file"; then
			bad=$((bad + 1))
		elif ! command -v shellcheck >/dev/null; then
			left_out=$((left_out + 1))
		elif shellcheck -x -a "$file"; then
			good=$((good + 1))
		else
			bad=$((bad + 1))
		fi
	done
	[ $left_out -eq 0 ] || printf 'shellcheck is not installed, so the scripts were read for syntax only (apt-get install shellcheck).\n'
	if perl -c scripts/dump/statements.pl; then good=$((good + 1)); else bad=$((bad + 1)); fi
	for file in pgrx-tests/citus/*.py; do
		if ! command -v python3 >/dev/null; then
			left_out=$((left_out + 1))
		elif python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$file"; then
			good=$((good + 1))
		else
			bad=$((bad + 1))
		fi
	done
	printf '%s passed, %s failed, %s skipped\n' $good $bad $left_out
	[ $bad -eq 0 ]
}

run_planner() {
	cargo test -p citus_planner --no-fail-fast
}

run_backend() {
	# Its server listens below the parent of its data directory: short, and open to the user it runs as.
	local pgdata status arguments
	choose_server_user
	pgdata=$(private_folder) || return 1
	chmod 755 "$pgdata"
	arguments=(--pgdata "$pgdata" --no-default-features --features "pg$pg_major")
	if is_root; then
		arguments+=(--runas "$server_user")
	elif [ ! -w "$("$pg_config" --pkglibdir)" ] || [ ! -w "$("$pg_config" --sharedir)/extension" ]; then
		# Only then does cargo-pgrx copy with sudo.
		arguments+=(--runas "$(id -un)")
	fi
	USER=${USER:-$(id -un)} cargo pgrx test "pg$pg_major" "${arguments[@]}"
	status=$?
	# Interrupted, it leaves its server behind.
	local left
	for left in "$pgdata"/*/postmaster.pid; do
		[ ! -f "$left" ] || as_server_user "$pg_bindir/pg_ctl" -D "$(dirname "$left")" -m immediate -s stop
	done
	rm -rf "$pgdata"
	return $status
}

run_sql() {
	pgrx-tests/installcheck
}

run_isolation() {
	pgrx-tests/isolation/check
}

run_replication() {
	pgrx-tests/replication/check
}

# Short here; minutes and hours are for bench/README.md.
run_stress() {
	cargo run --release -p citus_advisor_bench --bin torture -- mode=mixed:25,foreign-keys:20,missed-tuple:8,classic:3,partitions,large
}

# The same cases each time, as many as the machine gets through.
run_differential() {
	cargo run --release -p citus_advisor_bench --bin differential -- seconds=90
}

run_dump() {
	pgrx-tests/dumps/check
}

run_restore() {
	pgrx-tests/dump_restore/check
}

run_corpus() {
	pgrx-tests/corpus
}

run_experts() {
	pgrx-tests/experts/check
}

run_oracle() {
	pgrx-tests/oracle
}

run_script() {
	pgrx-tests/migration/check
}

run_citus() {
	pgrx-tests/citus/check
}

run_migration() {
	pgrx-tests/citus/migrate
}

# counts SUITE LOG STATUS: "passed failed skipped" as the log tells them. A suite that failed without counting a failure
# did not get as far as its tests: that is one.
counts() {
	local suite=$1 log=$2 status=$3
	case $suite in
	format | lint)
		if [ "$status" -eq 0 ]; then printf '1 0 0'; else printf '0 1 0'; fi
		;;
	planner | backend)
		awk -v status="$status" '/^test result:/ { p += $4; f += $6; s += $8 }
			END { if (status && !f) f = 1; if (!status && !p && !f) f = 1; print p + 0, f + 0, s + 0 }' "$log"
		;;
	*)
		awk -v status="$status" '/^[0-9]+ passed, [0-9]+ failed/ { p = $1; f = $3; s = $5; seen = 1 }
			END { if (!seen || status && !f) f += 1; print p + 0, f + 0, s + 0 }' "$log"
		;;
	esac
}

lock_scratch
mkdir -p "$log_dir"
results=$scratch_dir/results
mkdir -p "$results"
# cargo pgrx test becomes the server's user with sudo, root or not.
if [[ " ${chosen[*]} " == *' backend '* ]]; then extra_packages=(sudo); fi
require_server
require_build_tools
require_rust_component rustfmt fmt
require_rust_component clippy clippy
at_exit scratch_stop test

installed=
started=$SECONDS
summary=()
total_passed=0 total_failed=0 total_skipped=0
export PG_CONFIG=$pg_config command_name
for suite in "${chosen[@]}"; do
	log=$log_dir/test-$suite.log
	say ""
	say "== $(describe "$suite")"
	suite_started=$SECONDS
	case $suite in
	sql | isolation | replication | stress | differential | corpus | experts | oracle | script | citus | migration)
		# Once, after cargo pgrx test, which installs a build of its own with the tests in it.
		if [ -z "$installed" ]; then
			if (build_extension && install_extension); then installed=yes; else installed=no; fi
		fi
		;;
	esac
	if [ "$installed" = no ] && [[ " sql isolation replication stress differential corpus experts oracle script citus migration " == *" $suite "* ]]; then
		printf 'Not run: the extension could not be built and installed.\n' | tee "$log"
		status=1
	else
		"run_$suite" 2>&1 | tee "$log"
		status=${PIPESTATUS[0]}
	fi
	read -r passed failed skipped < <(counts "$suite" "$log" "$status")
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	total_skipped=$((total_skipped + skipped))
	summary+=("$(printf '%-34s %7s %7s %7s %6ss' "$(describe "$suite")" "$passed" "$failed" "$skipped" $((SECONDS - suite_started)))")
done

printf '\n%-34s %7s %7s %7s %7s\n' suite passed failed skipped time
printf '%s\n' "${summary[@]}"
printf '%-34s %7s %7s %7s %6ss\n' total $total_passed $total_failed $total_skipped $((SECONDS - started))
if [ $total_failed -gt 0 ]; then
	printf '\nFAILED. The output of each suite is in .scratch/log/test-*.log.\n'
	exit 1
fi
printf '\nAll passed'
[ $total_skipped -eq 0 ] || printf ', but %s skipped, as said above' $total_skipped
printf '.\n'
