# shellcheck shell=bash
# The extension's files: built as the user, copied to the server by whoever may write there.
# Needs: messages.sh, prerequisites.sh.

# Builds a release, leaving the files in .scratch/package as they will lie below /.
build_extension() {
	package_dir=$scratch_dir/package/pg$pg_major
	say "Building citus_advisor for PostgreSQL $pg_major (the first time takes minutes)"
	rm -rf "$package_dir"
	mkdir -p "$package_dir" || fail "cannot write below $scratch_dir; it may belong to another user: make clean as that user."
	cargo pgrx package --pg-config "$pg_config" --no-default-features --features "pg$pg_major" \
		--out-dir "$package_dir" >"$log_dir/package.log" ||
		fail "the extension does not build$(full_disk); the messages above say where."
}

full_disk() {
	local free
	free=$(free_mb "$project_dir")
	[ -z "$free" ] || [ "$free" -ge 50 ] || printf ': the disk is full'
}

# Copies what build_extension left. Files that are there already, byte for byte, are not touched.
install_extension() {
	local library_dir extension_dir file target mode copied=0
	library_dir=$("$pg_config" --pkglibdir)
	extension_dir=$("$pg_config" --sharedir)/extension
	while IFS= read -r file; do
		case $file in
		*.so) target=$library_dir/${file##*/} mode=755 ;;
		*) target=$extension_dir/${file##*/} mode=644 ;;
		esac
		cmp -s "$file" "$target" && continue
		[ $copied -gt 0 ] || say "Installing into $library_dir and $extension_dir"
		copied=$((copied + 1))
		# install(1) makes a new file: a running server keeps the library that it has mapped.
		if [ -w "${target%/*}" ]; then
			install -m "$mode" "$file" "$target"
		else
			as_root "writing to ${target%/*}" install -m "$mode" "$file" "$target"
		fi || fail "could not write $target$(full_disk)."
	done < <(find "$package_dir" -type f \( -name 'citus_advisor*.so' -o -name 'citus_advisor*.sql' -o -name 'citus_advisor.control' \))
	[ -f "$extension_dir/citus_advisor.control" ] || fail "the build left no citus_advisor.control; $log_dir/package.log tells what it did."
	[ $copied -gt 0 ] || say "The installed extension is up to date."
}

# What install_extension put into the server of pg_config, one path a line.
installed_files() {
	local library_dir extension_dir
	library_dir=$("$pg_config" --pkglibdir)
	extension_dir=$("$pg_config" --sharedir)/extension
	find "$library_dir" -maxdepth 1 -type f -name 'citus_advisor.so'
	find "$extension_dir" -maxdepth 1 -type f \( -name 'citus_advisor.control' -o -name 'citus_advisor--*.sql' \)
}
