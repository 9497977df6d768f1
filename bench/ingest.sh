#!/bin/bash
# What two cores take in, by the clock: messages that are decided and committed a
# second, beside the same without decisions, by turns in one run: medians.
#
#   bench/ingest.sh [MESSAGES (40000; 5000 or more) [ROUNDS (5) [SECONDS of each pgbench run (10)]]]
#
# Two sessions COPY half of the messages each at the same time; eight clients
# INSERT one by one, durably, with the 99th percentile of their times.  The policy
# is that of bench/policy.sql; bodies have 2,000 bytes, then 500.  Needs a quiet
# machine.  SECONDS = 0: no INSERTs.
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
n=${1:-40000} rounds=${2:-5} seconds=${3:-10}
cd "$top"
file=$build/ingest.copy script=$build/ingest.sql
trap 'tools/cluster stop bench; rm -f "$file".? "$script" "$build"/ingest_log.* "$build"/ingest.time.* "$build"/ingest.p99.*' EXIT
tools/cluster start bench shared_preload_libraries=pg_assay shared_buffers=1GB max_wal_size=16GB checkpoint_timeout=1h
eval "$(tools/cluster env bench)"
export PGOPTIONS='-c client_min_messages=warning -c jit=off'

fresh() { # bytes of a body
	export PGDATABASE=bench_ingest
	psql -Xq -d postgres -c 'DROP DATABASE IF EXISTS bench_ingest' -c "CREATE DATABASE bench_ingest TEMPLATE template0 ENCODING UTF8 LOCALE 'C'"
	psql -Xq -v n="$n" -v bytes="$1" -f bench/policy.sql >/dev/null
	psql -Xq -c "CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('bench')" \
		-c 'UPDATE arriving SET id = id + 1000000000' -c 'CREATE UNIQUE INDEX ON arriving (id)' -c 'CREATE SEQUENCE bench_id START 2000000000 CACHE 100' -c 'VACUUM ANALYZE'
	for half in 0 1; do
		psql -Xqc "COPY (SELECT * FROM arriving WHERE id % 2 = $half ORDER BY id) TO STDOUT (FORMAT binary)" >"$file.$half"
	done
	cat >"$script" <<-SQL
		\set i 1000000000 + random(1, $n)
		INSERT INTO message SELECT nextval('bench_id'), a.received_at, a.from_addr, a.from_domain, a.recipient, a.reply_to, a.subject, a.body_text, a.urls, a.attachments, a.auth, a.size FROM arriving a WHERE a.id = :i;
	SQL
}
clear() { # ENABLE or DISABLE the trigger
	psql -Xq -c "ALTER TABLE message $1 TRIGGER decide" -c 'DELETE FROM message WHERE id > 1000000000' -c 'TRUNCATE bench_decision' -c 'VACUUM message' -c CHECKPOINT
}
all_decided() {
	[ "$(psql -XqAtc 'SELECT count(*) FROM message m LEFT JOIN bench_decision d ON d.id = m.id AND NOT d.degraded WHERE m.id > 1000000000 AND d.id IS NULL')" = 0 ] ||
		fail 'messages have no decision'
}
# One session, which has compiled the policy when the other starts with it
session() { # half
	psql -XqAt -v ON_ERROR_STOP=1 <<-SQL
		BEGIN;
		INSERT INTO message SELECT * FROM arriving WHERE id = 1000000001 + $1;
		ROLLBACK;
		\o /dev/null
		SELECT pg_advisory_lock_shared(1);
		\o
		SELECT extract(epoch FROM clock_timestamp());
		\copy message from '$file.$1' (format binary)
		SELECT extract(epoch FROM clock_timestamp());
	SQL
}
# Messages a second of both sessions, from the first's start to the last's end
copies() { # ENABLE or DISABLE
	clear "$1"
	coproc starter { psql -XqAt; }
	local out=${starter[0]} in=${starter[1]} waiter=$starter_PID line a b
	echo 'SELECT 1 FROM pg_advisory_lock(1);' >&"$in"
	read -r line <&"$out"
	session 0 >"$build/ingest.time.0" &
	a=$!
	session 1 >"$build/ingest.time.1" &
	b=$!
	until [ "$(psql -XqAtc "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")" = 2 ]; do sleep 0.1; done
	printf '%s\n' '\q' >&"$in"
	wait "$a"
	wait "$b"
	wait "$waiter" 2>/dev/null || true
	if [ "$1" = ENABLE ]; then all_decided; fi
	sort -g "$build"/ingest.time.? | awk -v n="$n" 'NR == 1 { from = $1 } END { printf "%.0f\n", n / ($1 - from) }'
}
inserts() { # ENABLE or DISABLE
	clear "$1"
	rm -f "$build"/ingest_log.*
	pgbench -n -M prepared -c 8 -j 2 -T "$seconds" -f "$script" -l --log-prefix="$build/ingest_log" 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
	cat "$build"/ingest_log.* | awk '{ print $3 / 1000 }' | sort -g | awk '{ v[NR] = $1 } END { print v[int(NR * 0.99)] }' >>"$build/ingest.p99.$1"
	if [ "$1" = ENABLE ]; then all_decided; fi
}
row 'bodies' 'what | without decisions | with | with / without'
row --- '--- | --- | --- | ---'
for bytes in 2000 500; do
	fresh "$bytes"
	rm -f "$build"/ingest.p99.*
	with=() without=()
	for _ in $(seq "$rounds"); do without+=("$(copies DISABLE)") with+=("$(copies ENABLE)"); done
	a=$(printf '%s\n' "${without[@]}" | median) b=$(printf '%s\n' "${with[@]}" | median)
	row "$bytes bytes" "COPY by two sessions, messages a second | $(calc %.0f "$a") | $(calc %.0f "$b") | $(calc %.2f "$b / $a")"
	[ "$seconds" -gt 0 ] || continue
	with=() without=()
	for _ in $(seq "$rounds"); do without+=("$(inserts DISABLE)") with+=("$(inserts ENABLE)"); done
	a=$(printf '%s\n' "${without[@]}" | median) b=$(printf '%s\n' "${with[@]}" | median)
	row "$bytes bytes" "durable INSERT of one by 8 clients, a second | $(calc %.0f "$a") | $(calc %.0f "$b") | $(calc %.2f "$b / $a")"
	a=$(median <"$build/ingest.p99.DISABLE") b=$(median <"$build/ingest.p99.ENABLE")
	row "$bytes bytes" "its 99th percentile, milliseconds | $(calc %.2f "$a") | $(calc %.2f "$b") | $(calc %.2f "$b / $a")"
done
