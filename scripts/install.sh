#!/usr/bin/env bash
# make install: builds the extension and installs it into the server of PG_CONFIG.
set -uo pipefail
project_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command_name="make install"
. "$project_dir/scripts/messages.sh"
. "$project_dir/scripts/prerequisites.sh"
. "$project_dir/scripts/extension_files.sh"

INSTALLED='' require_server
require_build_tools
mkdir -p "$log_dir"
build_extension
install_extension
say "In psql, in the database that you want planned: CREATE EXTENSION citus_advisor; SELECT advisor.plan_distribution();"
