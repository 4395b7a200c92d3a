# shellcheck shell=bash
# A user's dump, in whatever format, into a database of the scratch server; what could not be loaded is written down.
# Needs: messages.sh, prerequisites.sh, scratch_server.sh with a server running.

# dump_format FILE: plain, custom, tar, directory, gzip, bzip2, xz, zstd, lz4 or zip.
dump_format() {
	local file=$1 magic
	if [ -d "$file" ]; then
		printf directory
		return
	fi
	magic=$(head -c 6 -- "$file" | od -An -tx1 | tr -d ' \n')
	case $magic in
	5047444d50*) printf custom ;; # PGDMP
	1f8b*) printf gzip ;;
	425a68*) printf bzip2 ;;
	fd377a585a00*) printf xz ;;
	28b52ffd*) printf zstd ;;
	04224d18*) printf lz4 ;;
	504b0304*) printf zip ;;
	*) if [ "$(tail -c +258 -- "$file" | head -c 5)" = ustar ]; then printf tar; else printf plain; fi ;;
	esac
}

# The newest pg_restore on the machine: an older one cannot read what a newer pg_dump wrote, and the reverse works.
newest_pg_restore() {
	local newest
	newest=$(
		for candidate in "$pg_bindir/pg_restore" /usr/lib/postgresql/*/bin/pg_restore "$(command -v pg_restore)"; do
			[ ! -x "$candidate" ] || printf '%s %s\n' "$("$candidate" --version | awk '{ print $3 }')" "$candidate"
		done | sort -rV | head -n 1
	)
	printf '%s' "${newest#* }"
}

# plain_sql FILE FORMAT: the dump as SQL, on standard output.
plain_sql() {
	case $2 in
	plain) cat -- "$1" ;;
	gzip | bzip2 | xz | zstd | lz4) "$2" -dc -- "$1" ;;
	*) "$(newest_pg_restore)" -f - -- "$1" ;;
	esac
}

check_dump() {
	local dump=$1 format=$2
	case $format in
	zip) fail "SCHEMA=$dump is a zip archive; unpack it, and give the dump in it." ;;
	directory) [ -f "$dump/toc.dat" ] || fail "SCHEMA=$dump is a folder, but not one that pg_dump -Fd made (it has no toc.dat)." ;;
	gzip | bzip2 | xz | zstd | lz4)
		command -v "$format" >/dev/null || fail "SCHEMA=$dump is compressed, and $format is not installed to unpack it."
		case $("$format" -dc -- "$dump" 2>/dev/null | head -c 5 | tr -d '\0') in
		PGDMP) fail "SCHEMA=$dump is a compressed archive of pg_dump -Fc; unpack it with $format -d first." ;;
		esac
		;;
	esac
}

# load_dump DUMP FOLDER DATABASE: cuts up the dump, makes the database and loads it. Sets loaded_database.
# FOLDER is the server's to read; it ends up with left_out, roles and counts.
load_dump() {
	local dump=$1 folder=$2 wanted=$3 format encoding databases
	format=$(dump_format "$dump")
	check_dump "$dump" "$format"
	say "Reading $dump ($format format)"
	{ mkdir -p "$folder" && chmod 755 "$folder"; } || fail "cannot write to $folder."
	plain_sql "$dump" "$format" 2>"$folder/restore.log" |
		perl "$project_dir/scripts/dump/statements.pl" "$folder" ${wanted:+"$wanted"} 2>"$folder/read.log"
	local status=("${PIPESTATUS[@]}")
	# The reader's complaint first: where it gave up, the writer before it only saw its pipe closed.
	if [ "${status[1]}" -ne 0 ]; then
		fail "SCHEMA=$dump cannot be read: $(head -n 1 "$folder/read.log")$(full_disk)"
	fi
	if [ "${status[0]}" -ne 0 ]; then
		explain_restore_failure "$dump" "$folder/restore.log"
	fi
	encoding=$(cat "$folder/encoding")

	databases=$(databases_with_tables "$folder")
	if [ -z "$wanted" ]; then
		[ "$(printf '%s\n' "$databases" | wc -l)" -le 1 ] ||
			fail "SCHEMA=$dump holds several databases. Say which one: DATABASE=$(printf '%s' "$databases" | sed 's/^$/(the part before the first \\connect)/' | paste -sd, | sed 's/,/, or DATABASE=/g')"
		wanted=$databases
	elif ! cut -f3 "$folder/statements" | grep -qxF -- "$wanted"; then
		fail "SCHEMA=$dump has nothing for DATABASE=$wanted; it holds tables of: $(printf '%s' "$databases" | paste -sd, | sed 's/,/, /g')."
	fi
	loaded_database=$wanted
	if [ -z "$loaded_database" ]; then
		loaded_database=$(basename -- "$dump" | sed 's/\..*//' | LC_ALL=C tr -c 'A-Za-z0-9_\n' '_' | cut -c1-40)
	fi
	case $loaded_database in postgres | template0 | template1 | '') loaded_database=dump ;; esac

	local server_encoding=UTF8
	# Bytes of no known encoding can be kept only by a database that does not ask.
	[ "$encoding" != SQL_ASCII ] || server_encoding=SQL_ASCII
	scratch_psql -d postgres -v name="$loaded_database" -v encoding="$server_encoding" <<'SQL' || fail "cannot create database $loaded_database."
\set ON_ERROR_STOP on
CREATE DATABASE :"name" TEMPLATE template0 ENCODING :'encoding';
SQL
	say "Loading $(wc -l <"$folder/statements") statements into database $loaded_database"
	scratch_psql -d "$loaded_database" -v folder="$folder" -v encoding="$encoding" -v database="$wanted" \
		-f "$project_dir/scripts/dump/load.sql" >"$folder/load.log" 2>&1 ||
		fail "loading $dump stopped: $(grep -m 1 -E 'ERROR|FATAL|error' "$folder/load.log")$(full_disk)"
	[ ! -s "$folder/roles" ] || [ -z "$(tr -d '\n' <"$folder/roles")" ] ||
		say "Roles of the dump, made here without login: $(cat "$folder/roles")"
}

# Names of the databases that a dump creates tables in, one a line; an empty line for what stands before any \connect.
databases_with_tables() {
	awk -F '\t' 'tolower($6) ~ /^create (unlogged |foreign )?table[ \\]/ && !seen[$3]++ { print $3 }' "$1/statements"
}

explain_restore_failure() {
	local dump=$1 log=$2 archive
	archive=$(sed -n 's/.*unsupported version (\([0-9.]*\)) in file header.*/\1/p' "$log" | head -n 1)
	if [ -n "$archive" ]; then
		fail "SCHEMA=$dump was written by a newer pg_dump (archive version $archive) than the newest pg_restore here ($("$(newest_pg_restore)" --version | awk '{ print $3 }')) can read. Make a plain dump of the same database, which any version can read: pg_dump --schema-only -f dump.sql DATABASE"
	fi
	fail "SCHEMA=$dump cannot be read: $(tail -n 1 "$log")"
}

# has_rows FOLDER: did rows come with the dump?
has_rows() {
	find "$1" -maxdepth 1 -name 'rows.*' -size +0c | grep -q . ||
		awk -F '\t' 'tolower($6) ~ /^insert/ { found = 1; exit } END { exit !found }' "$1/statements"
}

# apply_sizes FILE FOLDER DATABASE: row counts for the tables; lines of no use are added to left_out.
apply_sizes() {
	local sizes=$1 folder=$2 database=$3
	{ cp -- "$sizes" "$folder/sizes" && chmod 644 "$folder/sizes"; } || fail "SIZES=$sizes cannot be read."
	scratch_psql -d "$database" -v sizes="$folder/sizes" -v left_out="$folder/sizes_left_out" \
		-f "$project_dir/scripts/dump/sizes.sql" >"$folder/sizes.log" 2>&1 ||
		fail "SIZES=$sizes cannot be used: $(grep -m 1 -E 'ERROR|FATAL|error' "$folder/sizes.log" | sed 's/.*ERROR: *//')"
	cat "$folder/sizes_left_out" >>"$folder/left_out"
}
