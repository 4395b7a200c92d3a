# shellcheck shell=bash
# What has to be on the machine, installed where it is missing. Each function is quick and silent where nothing is to do.
# Needs: messages.sh, project_dir.

cd "$project_dir" || exit 1
export scratch_dir="$project_dir/.scratch"
log_dir="$scratch_dir/log"

# What is installed must be readable by the server's OS user, also under a strict umask of root.
umask 022

# pgrx appends backtraces to DETAIL where these are set: test output would differ from machine to machine.
unset RUST_BACKTRACE RUST_LIB_BACKTRACE

# psql and pg_dump take defaults from these; the scratch server is not what they point to.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGSERVICE PGPASSWORD PGPASSFILE PGOPTIONS PGSSLMODE PGDATESTYLE PGTZ
unset PGCLIENTENCODING
export PGCONNECT_TIMEOUT=10

is_root() {
	[ "$(id -u)" -eq 0 ]
}

# as_root WHY COMMAND...
as_root() {
	local why=$1
	shift
	if is_root; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "$why needs root, and there is no sudo here. Run it as root, or as root once: apt-get install sudo."
	fi
}

apt_has() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# require_packages PACKAGE...: installs those that are missing.
require_packages() {
	local missing=() package
	for package in "$@"; do
		apt_has "$package" || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null ||
		fail "these packages (Debian's names) are missing, and there is no apt to install them with: ${missing[*]}."
	if ! is_root && ! command -v sudo >/dev/null; then
		fail "these packages are missing: ${missing[*]}. Installing them needs root: run it as root, or as root once: apt-get install sudo ${missing[*]}"
	fi
	local free
	free=$(free_mb /var)
	if [ -n "$free" ] && [ "$free" -lt 700 ]; then
		fail "the disk that holds /var has $free MB left; installing ${missing[*]} takes about 700."
	fi
	# sudo may ask for a password: here, at the terminal, and not below where output goes to a file.
	if ! is_root && ! sudo -n true 2>/dev/null; then
		say "Installing packages needs sudo."
		sudo -v || fail "installing ${missing[*]} needs root, and sudo refused. Run it as root."
	fi

	say "Installing with apt: ${missing[*]}"
	run_logged "$log_dir/apt-update.log" "apt-get update" as_root "apt" apt-get update
	# A server package creates and starts a cluster "main", unless postgresql-common is told otherwise beforehand.
	# That is for the machine's administrator to want; where a server is installed already, nothing is touched.
	local hold_cluster=
	case " ${missing[*]} " in
	*' postgresql-1'[0-9]' '*)
		if [ -z "$(find /etc/postgresql -mindepth 2 -maxdepth 2 2>/dev/null)" ]; then
			hold_cluster=/etc/postgresql-common/createcluster.d/citus_advisor.conf
			as_root "apt" mkdir -p "$(dirname "$hold_cluster")"
			printf 'create_main_cluster = false\n' | as_root "apt" tee "$hold_cluster" >/dev/null
		fi
		;;
	esac
	# In a subshell, since a failure must not leave the file behind.
	(
		run_logged "$log_dir/apt-install.log" "apt-get install" as_root "apt" env DEBIAN_FRONTEND=noninteractive \
			apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "${missing[@]}"
	)
	local status=$?
	if [ -n "$hold_cluster" ]; then
		as_root "apt" rm -f "$hold_cluster"
		as_root "apt" rmdir --ignore-fail-on-non-empty "$(dirname "$hold_cluster")" 2>/dev/null
	fi
	[ $status -eq 0 ] || exit $status
}

# The PostgreSQL majors that Cargo.toml has a feature for.
supported_majors() {
	sed -n 's/^pg\([0-9][0-9]*\) *=.*/\1/p' Cargo.toml | sort -n | paste -sd, | sed 's/,/, /g'
}

is_supported() {
	grep -q "^pg$1 *=" Cargo.toml
}

# Sets pg_config, pg_major, pg_bindir: the server given by PG_CONFIG, or Debian's PostgreSQL 15. Installs nothing.
find_server() {
	pg_config=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}
	case $pg_config in
	*/*) [ ! -d "$pg_config" ] || fail "PG_CONFIG=$pg_config is a folder; give the program in it, such as /usr/lib/postgresql/15/bin/pg_config." ;;
	*) pg_config=$(command -v "$pg_config") || fail "PG_CONFIG=$PG_CONFIG: no such command. Give a path, such as /usr/lib/postgresql/15/bin/pg_config." ;;
	esac
	[ -x "$pg_config" ] || fail "PG_CONFIG=$pg_config: no such program. Give a path, such as /usr/lib/postgresql/15/bin/pg_config."
	pg_config=$(cd "$(dirname "$pg_config")" && pwd)/$(basename "$pg_config")
	local version
	version=$("$pg_config" --version 2>/dev/null) || version=
	case $version in
	PostgreSQL\ [0-9]*) ;;
	*) fail "PG_CONFIG=$pg_config is not a pg_config: asked for --version, it does not name a PostgreSQL." ;;
	esac
	pg_major=${version#PostgreSQL }
	pg_major=${pg_major%%[!0-9]*}
	is_supported "$pg_major" || fail "PG_CONFIG=$pg_config is of $version; this extension is for PostgreSQL $(supported_majors)."
	pg_bindir=$("$pg_config" --bindir)
	export pg_config pg_major pg_bindir
}

# What compiling takes beside Rust and the server's headers; a libclang that is there will do, whatever its version.
build_packages() {
	printf 'build-essential pkg-config '
	if [ -z "${LIBCLANG_PATH:-}" ] && [ -z "$(find /usr/lib/llvm-*/lib /usr/lib/*-linux-gnu -maxdepth 1 -name 'libclang*.so*' 2>/dev/null)" ]; then
		printf 'libclang-14-dev'
	fi
}

# The server, its headers, what compiling against them takes, and extra_packages.
require_server() {
	local packages=(${extra_packages[@]+"${extra_packages[@]}"}) major=15
	# Of a server of Debian's layout the packages are known; another one is its owner's to complete.
	[ -z "${PG_CONFIG:-}" ] ||
		major=$(printf '%s\n' "$PG_CONFIG" | sed -n 's#^/usr/lib/postgresql/\([0-9][0-9]*\)/bin/pg_config$#\1#p')
	if [ -n "$major" ]; then
		is_supported "$major" || fail "PG_CONFIG=$PG_CONFIG is of PostgreSQL $major; this extension is for $(supported_majors)."
		packages+=("postgresql-$major")
	fi
	if [ -z "${INSTALLED:-}" ]; then
		[ -z "$major" ] || packages+=("postgresql-server-dev-$major")
		# shellcheck disable=SC2207 # names of packages have no spaces
		packages+=($(build_packages))
	fi
	[ ${#packages[@]} -eq 0 ] || require_packages "${packages[@]}"
	find_server
	[ -x "$pg_bindir/initdb" ] || fail "$pg_bindir has no initdb: PG_CONFIG=$pg_config belongs to a client only. Install the server too."
	[ -n "${INSTALLED:-}" ] || [ -f "$("$pg_config" --includedir-server)/postgres.h" ] ||
		fail "the server headers of $("$pg_config" --version) are missing ($("$pg_config" --includedir-server)/postgres.h). Debian has them in postgresql-server-dev-$pg_major."
}

version_at_least() {
	[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# Rust is asked for, not installed: how a machine gets it is its owner's choice.
require_rust() {
	[ -f "${CARGO_HOME:-$HOME/.cargo}/env" ] && PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
	local how="rustup from https://rustup.rs installs it"
	command -v cargo >/dev/null || fail "there is no Rust here (cargo is not in PATH); $how."
	local wanted has
	wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
	has=$(rustc --version 2>/dev/null | awk '{ print $2 }')
	[ -n "$has" ] || fail "rustc does not run: $(rustc --version 2>&1 | head -n 1)"
	version_at_least "$has" "$wanted" || fail "Rust $wanted or newer is needed, here is $has ($(command -v rustc)); rustup update, or $how."
}

# require_rust_component COMPONENT SUBCOMMAND: rustup's minimal profile has neither rustfmt nor clippy.
require_rust_component() {
	cargo "$2" --version >/dev/null 2>&1 && return 0
	command -v rustup >/dev/null || fail "cargo $2 is missing; install $1 for this Rust."
	say "Installing $1 with rustup"
	run_logged "$log_dir/rustup.log" "rustup component add $1" rustup component add "$1"
}

# cargo-pgrx at the very version of pgrx, which it insists on. Another version that a user has is left alone.
require_cargo_pgrx() {
	local wanted tool_root=$scratch_dir/cargo-pgrx has
	wanted=$(sed -n 's/^pgrx *= *"=\(.*\)"/\1/p' Cargo.toml)
	[ ! -x "$tool_root/bin/cargo-pgrx" ] || PATH="$tool_root/bin:$PATH"
	has=$(cargo pgrx --version 2>/dev/null | awk '{ print $2 }') || has=
	if [ "$has" != "$wanted" ]; then
		local place=()
		if [ -n "$has" ]; then
			place=(--root "$tool_root")
			say "cargo-pgrx $has is installed, this project needs $wanted: installing that into .scratch/, besides"
		else
			say "Installing cargo-pgrx $wanted with cargo (a few minutes)"
		fi
		run_logged "$log_dir/cargo-pgrx.log" "cargo install cargo-pgrx" \
			cargo install cargo-pgrx --version "$wanted" --locked "${place[@]}"
		[ -z "$has" ] || PATH="$tool_root/bin:$PATH"
		has=$(cargo pgrx --version 2>/dev/null | awk '{ print $2 }')
		[ "$has" = "$wanted" ] || fail "cargo-pgrx $wanted was installed, but 'cargo pgrx' is another one ($has); look at PATH."
	fi
	# pgrx keeps the pg_config of each major in one file. A user's own is used where it says the same, and never written.
	if ! grep -qsxF "pg$pg_major = \"$pg_config\"" "${PGRX_HOME:-$HOME/.pgrx}/config.toml"; then
		export PGRX_HOME=$scratch_dir/pgrx
		if ! grep -qsxF "pg$pg_major = \"$pg_config\"" "$PGRX_HOME/config.toml"; then
			mkdir -p "$PGRX_HOME"
			run_logged "$log_dir/pgrx-init.log" "cargo pgrx init" cargo pgrx init --no-run "--pg$pg_major" "$pg_config"
		fi
	fi
}

# Everything that building takes.
require_build_tools() {
	require_rust
	require_cargo_pgrx
	local free
	free=$(free_mb "$project_dir")
	if [ -n "$free" ] && [ "$free" -lt 1500 ] && [ ! -d "${CARGO_TARGET_DIR:-target}" ]; then
		fail "the disk that holds $project_dir has $free MB left; building takes about 1,500."
	fi
}
