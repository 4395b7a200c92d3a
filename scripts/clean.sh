#!/usr/bin/env bash
# make clean: removes what was built, and the scratch server. Installed packages and the installed extension stay.
set -uo pipefail
project_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command_name="make clean"
. "$project_dir/scripts/messages.sh"
. "$project_dir/scripts/prerequisites.sh"
. "$project_dir/scripts/scratch_server.sh"

if [ -d "$scratch_dir" ]; then
	lock_scratch
	for name in demo test; do
		scratch_stop $name
	done
	rm -rf "$scratch_dir" || fail "could not remove $scratch_dir; parts of it belong to another user: make clean as that user."
fi
rm -rf target pgrx-tests/output || fail "could not remove target/; parts of it belong to another user."
say "Removed target/ and .scratch/. The installed extension stays (make uninstall), and so do Debian's packages."
