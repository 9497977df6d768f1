# Sourced by the scripts here: where things are, and running as a user that
# PostgreSQL accepts (it refuses root).
# Order, messages and new clusters are not those of the caller's language.
unset ${!LC_@} LANGUAGE
export LANG=C.UTF-8
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG_CONFIG=${PG_CONFIG:-$("$top/tools/pg_config")}
if [ -z "$PG_CONFIG" ]; then
	echo "no PostgreSQL with server headers found: run make packages" >&2
	exit 1
fi
bindir=$("$PG_CONFIG" --bindir)
pgmajor=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')

# Make a folder where anybody may, as in /tmp: what another user has put there before
# would be run, or written through.
own_folder() {
	mkdir "$1" 2>/dev/null || true
	if [ -L "$1" ] || [ ! -d "$1" ] || { [ ! -O "$1" ] && [ "$(stat -c %U "$1")" != "${2:-}" ]; }; then
		echo "$1 belongs to another user" >&2
		exit 1
	fi
}

as_owner() { "$@"; }
owner=$(id -un)
build=$top/build
if [ "$(id -u)" = 0 ]; then
	owner=postgres
	# That user's own folder has settings of his; one that others may write in, of anybody's (.proverc, .psqlrc).
	as_owner() { setpriv --reuid=postgres --regid=postgres --clear-groups env HOME="$build/home" "$@"; }
	# A clone below a closed home folder is out of that user's sight.
	if ! as_owner test -x "$top"; then
		build=/var/tmp/pg_assay-$(printf %s "$top" | cksum | cut -d' ' -f1)
		own_folder "$build"
	fi
fi
stage=$build/stage
# A PostgreSQL that is this tree's own (tools/postgres16) has no need of a stage.
case $bindir in "$build"/*) stage= ;; esac

# Settings with which a server finds the staged extension
stage_settings() {
	[ -n "$stage" ] || return 0
	if [ "$pgmajor" -ge 18 ]; then
		echo "extension_control_path = '$stage$("$PG_CONFIG" --sharedir):\$system'"
	else
		echo "extension_destdir = '$stage'"
	fi
	echo "dynamic_library_path = '$stage$("$PG_CONFIG" --pkglibdir):\$libdir'"
}

# Make the library by which a server's clock is another (tools/cluster, t/AssayServer.pm).
# tools/sanitize preloads what is its own.
make_clock() {
	[ -z "${ASSAY_SERVER:-}" ] || return 0
	export ASSAY_CLOCK=$build/set_clock.so
	mkdir -p "$build"
	cc -O1 -shared -fPIC -o "$ASSAY_CLOCK" "$top/t/set_clock.c"
}

# Settings by which no cluster of a test needs much room: WAL, by default up to a
# gigabyte each, and temporary files
small_disk='max_wal_size=128MB min_wal_size=32MB temp_file_limit=1GB'

# Build and install into $stage; the system's folders stay as they are
stage_install() {
	mkdir -p "$build/home" ${stage:+"$stage"}
	if [ "$owner" != "$(id -un)" ]; then chown "$owner" "$build/home"; fi
	make -C "$top" -s -j"$(nproc)" all PG_CONFIG="$PG_CONFIG" with_llvm=no ${COPT:+COPT="$COPT"} &&
	make -C "$top" -s install DESTDIR="$stage" PG_CONFIG="$PG_CONFIG" with_llvm=no \
		>"$build/install.log" 2>&1 || { [ -f "$build/install.log" ] && cat "$build/install.log" >&2; return 1; }
	chmod -R a+rX "${stage:-$("$PG_CONFIG" --sharedir)}"
}
