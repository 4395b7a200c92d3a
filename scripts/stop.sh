#!/usr/bin/env bash
# make stop: ends scratch servers that KEEP=1 left running.
set -uo pipefail
project_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command_name="make stop"
. "$project_dir/scripts/messages.sh"
. "$project_dir/scripts/prerequisites.sh"
. "$project_dir/scripts/scratch_server.sh"

if ! scratch_is_running demo; then
	say "No scratch server is running."
	exit 0
fi
lock_scratch
scratch_stop demo
say "The scratch server is stopped, and its data removed."
