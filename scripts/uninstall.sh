#!/usr/bin/env bash
# make uninstall: removes from the server of PG_CONFIG what make install put there, and nothing else.
set -uo pipefail
project_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command_name="make uninstall"
. "$project_dir/scripts/messages.sh"
. "$project_dir/scripts/prerequisites.sh"
. "$project_dir/scripts/extension_files.sh"

find_server
mapfile -t files < <(installed_files)
if [ ${#files[@]} -eq 0 ]; then
	say "Nothing to remove: citus_advisor is not installed in the server of $pg_config."
	exit 0
fi
for file in "${files[@]}"; do
	if [ -w "${file%/*}" ]; then
		rm -f "$file"
	else
		as_root "removing from ${file%/*}" rm -f "$file"
	fi || fail "could not remove $file."
	say "removed $file"
done
say "A database that still has the extension cannot use it any more: DROP EXTENSION citus_advisor CASCADE; there."
