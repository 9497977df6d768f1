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
# workers is not in it.  Reading from the disk takes many times what a decision does:
# where that was more than a megabyte, standard error has it.
cpu() {
	local look='\! echo $(cut -d" " -f1 /proc/$SERVER/schedstat) $(sed -n "s/^read_bytes: //p" /proc/$SERVER/io 2>/dev/null)'
	{
		echo 'SELECT pg_backend_pid() AS server \gset'
		echo '\setenv SERVER :server'
		echo '\o /dev/null'
		awk -v look="${look/\\/\\\\}" '$0 == "-- measure" { $0 = look } 1'
		printf '%s\n' "$look"
	} | psql -XqAt -v ON_ERROR_STOP=1 "$@" | awk 'NR == 1 { from = $1; read = $2 }
		END { if (NR != 2) exit 1; print ($1 - from) / 1000
			if ($2 - read > 1000000) printf "pages were cold: %d kB came from the disk\n", ($2 - read) / 1000 >"/dev/stderr" }'
}

# A session in which messages of the table "arriving", whose numbers are from 1000000001
# on, come to "message": by COPY of a file, or by so many INSERTs.  $1: COPY or INSERT; $2:
# the file; $3: how many.  The first one compiles the policy, and is not measured.
arrival() {
	# waiting for the disk and waking up again varies more than what is measured
	echo 'SET synchronous_commit = off;'
	echo 'PREPARE arrive AS INSERT INTO message SELECT * FROM arriving WHERE id = $1;'
	echo 'BEGIN; EXECUTE arrive(1000000001); ROLLBACK;'
	echo '-- measure'
	if [ "$1" = COPY ]; then
		echo "\\copy message from '$2' (format binary)"
	else
		for ((i = 1; i <= $3; i++)); do echo "EXECUTE arrive($((1000000000 + i)));"; done
	fi
}

# A session that puts rows into a table by a prepared INSERT of "$2", whose $1 is their
# number, from $3 on so many as $4; the first two are not measured.
single_inserts() {
	echo 'SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan;'
	echo "PREPARE i(bigint) AS INSERT INTO $1 VALUES ($2);"
	echo "EXECUTE i($3); EXECUTE i($(($3 + 1)));"
	echo '-- measure'
	for ((i = 2; i < $4; i++)); do echo "EXECUTE i($(($3 + i)));"; done
}
