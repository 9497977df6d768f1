# Sourced by the benchmarks: medians, tables, and what a statement takes.
# shellcheck shell=bash

median() { sort -g | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
row() { printf '| %s | %s |\n' "$@"; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }
fail() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

# Milliseconds of the last statement
timed() { psql -XqAt -v ON_ERROR_STOP=1 -c '\timing on' "$@" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 1; }

# Microseconds of CPU, of user and system, that a session takes for the
# statements on standard input after the line "-- measure".  Work by parallel
# workers is not in it.
cpu() {
	{
		echo 'SELECT pg_backend_pid() AS server \gset'
		echo '\setenv SERVER :server'
		echo '\o /dev/null'
		sed 's/^-- measure$/\\! cat \/proc\/$SERVER\/schedstat/'
		printf '%s\n' '\! cat /proc/$SERVER/schedstat'
	} | psql -XqAt -v ON_ERROR_STOP=1 "$@" | awk 'NR == 1 { from = $1 } END { if (NR != 2) exit 1; print ($1 - from) / 1000 }'
}
