#!/bin/bash
# What a message costs on this machine (CPU, log, disk, transaction numbers), and
# the plan for so many messages a day that follows.  docs/scale.md has the formulas.
#
#   bench/capacity.sh [--schema FILE] [MESSAGES A DAY (10000000) [PEAK (3.5) [DAYS KEPT (90) [STORED (20000) [ROUNDS (3)]]]]]
#
# PEAK: the busiest second beside the mean.  Measured in a private cluster, on
# bench/policy.sql: 300 conditions, a model of 100 trees, mail of 2 kB.  Another
# FILE is run with the psql variable n = STORED in its place: it makes the table
# "message" with a bigint key "id", filled, the table "arriving" of the same
# columns with n other messages, and the policy "bench" over it, without a trigger.
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
schema=$top/bench/policy.sql
if [ "${1:-}" = --schema ]; then
	schema=$(readlink -f "${2:?}")
	shift 2
fi
day=${1:-10000000} peak=${2:-3.5} kept=${3:-90} n=${4:-20000} rounds=${5:-3}
batch=1000
for number in "$day" "$kept" "$n" "$rounds"; do
	[[ $number =~ ^[1-9][0-9]{0,14}$ ]] || fail "\"$number\" is no number of anything"
done
[[ $peak =~ ^[0-9]+(\.[0-9]+)?$ ]] && [ "$(calc %d "($peak >= 1)")" = 1 ] || fail 'the peak is 1 or more times the mean'
[ "$n" -ge $((5 * batch)) ] || fail "it takes $((5 * batch)) stored messages or more"
cd "$top"
trap 'tools/cluster stop bench' EXIT
tools/cluster start bench shared_preload_libraries=pg_assay shared_buffers=1GB max_wal_size=8GB checkpoint_timeout=1h autovacuum=off
eval "$(tools/cluster env bench)"
export PGOPTIONS='-c client_min_messages=warning -c jit=off'
psql -Xq -d postgres -c 'DROP DATABASE IF EXISTS bench_capacity' -c 'CREATE DATABASE bench_capacity TEMPLATE template0 ENCODING UTF8'
export PGDATABASE=bench_capacity
psql -Xq -v ON_ERROR_STOP=1 -v n="$n" -f "$schema" >/dev/null
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('bench');
CREATE TABLE numbered AS SELECT row_number() OVER (ORDER BY id) + 1000000000 AS number, a.* FROM arriving a;
UPDATE numbered SET id = number;
CREATE UNIQUE INDEX ON numbered (id);
SELECT format('CREATE VIEW coming AS SELECT %s FROM numbered', string_agg(format('%I', attname), ', ' ORDER BY attnum))
	FROM pg_attribute WHERE attrelid = 'message'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' \gexec
VACUUM ANALYZE;
CHECKPOINT;
SQL
ask() { psql -XqAt -c "$1"; }
ask 'SELECT count(*) FROM numbered' | grep -qx "$n" || fail "table arriving has not $n messages"
columns=$(ask "SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'coming'::regclass AND attnum > 0")
message_bytes=$(ask "SELECT pg_total_relation_size('message')::float8 / count(*) FROM message")

# $1: ENABLE or DISABLE the trigger; $2: rows of a statement; $3: statements.
# Sets took, wal and xids: microseconds, bytes and numbers of transactions a message.
load() {
	local lsn xid
	ask "ALTER TABLE message $1 TRIGGER decide"
	# first pages of a table are written whole after a checkpoint; then that is over
	ask "INSERT INTO message ($columns) SELECT $columns FROM coming WHERE id > 1000000000 + $n - 100"
	lsn=$(ask 'SELECT pg_current_wal_insert_lsn()') xid=$(ask 'SELECT pg_snapshot_xmax(pg_current_snapshot())')
	took=$({
		echo "PREPARE i(bigint, bigint) AS INSERT INTO message ($columns) SELECT $columns FROM coming WHERE id > \$1 AND id <= \$2;"
		echo '-- measure'
		for ((i = 0; i < $3; i++)); do echo "EXECUTE i(1000000000 + $i * $2, 1000000000 + ($i + 1) * $2);"; done
	} | cpu)
	took=$(calc %.2f "$took / ($2 * $3)")
	wal=$(ask "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$lsn') / ($2 * $3)")
	xids=$(ask "SELECT (pg_snapshot_xmax(pg_current_snapshot())::text::float8 - $xid) / ($2 * $3)")
	[ "$(ask 'SELECT count(*) FROM message WHERE id > 1000000000')" = $(($2 * $3 + 100)) ] || fail 'messages are missing'
	if [ "$1" = ENABLE ]; then
		[ "$(ask 'SELECT count(*) FROM bench_decision WHERE NOT degraded')" = $(($2 * $3 + 100)) ] || fail 'decisions are missing or degraded'
		decision_bytes=$(ask "SELECT pg_total_relation_size('bench_decision')::float8 / count(*) FROM bench_decision")
	fi
	ask 'DELETE FROM message WHERE id > 1000000000'
	ask 'TRUNCATE bench_decision'
	ask 'VACUUM message'
}
declare -A of
for _ in $(seq "$rounds"); do
	for how in DISABLE ENABLE; do
		load $how $batch $((n / batch - 1))
		of[$how.many]+="$took " of[$how.many.wal]+="$wal " of[$how.many.xid]+="$xids " many_bytes=${decision_bytes:-}
		load $how 1 $batch
		of[$how.one]+="$took " of[$how.one.wal]+="$wal " of[$how.one.xid]+="$xids "
	done
done
decision_bytes=$many_bytes
med() { tr ' ' '\n' <<<"${of[$1]}" | sed '/^$/d' | median; }
for key in "${!of[@]}"; do declare "v_${key//./_}=$(med "$key")"; done

row "of a message, on this machine ($(nproc) cores)" "$batch rows a statement | one row a statement"
row --- '--- | ---'
row 'CPU to store it, µs' "$(calc %.0f "$v_DISABLE_many") | $(calc %.0f "$v_DISABLE_one")"
row 'CPU to decide it, µs' "$(calc %.0f "$v_ENABLE_many - $v_DISABLE_many") | $(calc %.0f "$v_ENABLE_one - $v_DISABLE_one")"
row 'log (WAL) with its decision, bytes' "$(calc %.0f "$v_ENABLE_many_wal") | $(calc %.0f "$v_ENABLE_one_wal")"
row 'of these the decision, bytes' "$(calc %.0f "$v_ENABLE_many_wal - $v_DISABLE_many_wal") | $(calc %.0f "$v_ENABLE_one_wal - $v_DISABLE_one_wal")"
row 'transaction numbers' "$(calc %.4f "$v_ENABLE_many_xid") | $(calc %.2f "$v_ENABLE_one_xid")"
row 'disk with indexes, bytes' "$(calc %.0f "$message_bytes") | the same"
row 'disk of its decision, bytes' "$(calc %.0f "$decision_bytes") | the same"

# $1: many or one
plan() {
	local c=v_ENABLE_$1 w=v_ENABLE_$1_wal x=v_ENABLE_$1_xid
	cores[$1]=$(calc %.2f "$day / 86400 * $peak * ${!c} / 1000000 / 0.5")
	log[$1]=$(calc %.1f "$day * ${!w} / 1e9")
	log_peak[$1]=$(calc %.1f "$day / 86400 * $peak * ${!w} / 1e6")
	wrap[$1]=$(calc %.0f "2000000000 / ($day * ${!x})")
}
declare -A cores log log_peak wrap
servers() { calc %d "$1 / $(nproc) + 0.9999"; }
plan many
plan one
echo
row "$day messages a day, $(calc %.0f "$day / 86400") a second, $(calc %.0f "$day / 86400 * $peak") at the peak" "$batch rows a statement | one row a statement"
row --- '--- | ---'
row 'cores that are half idle at the peak' "${cores[many]} | ${cores[one]}"
row 'servers like this one, by their cores' "$(servers "${cores[many]}") | $(servers "${cores[one]}")"
row 'log (WAL) a day, GB' "${log[many]} | ${log[one]}"
row 'log at the peak, MB/s' "${log_peak[many]} | ${log_peak[one]}"
row 'disk a day, GB' "$(calc %.1f "$day * ($message_bytes + $decision_bytes) / 1e9") | the same"
row "disk for $kept days, GB" "$(calc %.0f "$day * ($message_bytes + $decision_bytes) * $kept / 1e9") | the same"
row 'days until 2 billion transaction numbers are used' "${wrap[many]} | ${wrap[one]}"
