#!/bin/bash
# score() over stored messages, and COPY and single-row INSERT with the trigger
# as ratios to the same without, in one run: medians of alternating rounds.
# Arguments: messages (20000), rounds (3), seconds of each pgbench run (5)
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
n=${1:-20000} rounds=${2:-3} seconds=${3:-5}
cd "$top"

tools/cluster start bench shared_preload_libraries=pg_assay shared_buffers=1GB max_wal_size=8GB \
	max_parallel_workers=2 max_parallel_workers_per_gather=2
trap 'tools/cluster stop bench' EXIT
eval "$(tools/cluster env bench)"
psql -Xqc 'DROP DATABASE IF EXISTS bench_policy' -c 'CREATE DATABASE bench_policy' 2>/dev/null
# compiling the query just in time would be most of what is measured
export PGDATABASE=bench_policy PGOPTIONS='-c client_min_messages=warning -c jit=off'
psql -Xq -v n="$n" -f bench/policy.sql >/dev/null

median() { sort -g | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
# milliseconds of the last statement of a script
timed() { psql -XqAt -c '\timing on' "$@" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 1; }
repeat() { for _ in $(seq "$rounds"); do "$@"; done | median; }
row() { printf '| %s | %s |\n' "$@"; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }

row measured value
row --- ---
warm='SELECT count(x.score) FROM (SELECT * FROM signals LIMIT 1) s, assay.score('"'bench'"', s) x'
all='SELECT count(x.score) FROM signals s, assay.score('"'bench'"', s) x'
view='SELECT count(s.phrases), sum(length(s.body_text)), sum(s.sender_events), sum(s.domain_events), sum(s.pair_events) FROM signals s'
one=$(repeat timed -c 'SET max_parallel_workers_per_gather = 0' -c "$warm" -c "$all")
plain=$(repeat timed -c 'SET max_parallel_workers_per_gather = 0' -c "$view")
off=$(repeat timed -c 'SET max_parallel_workers_per_gather = 0' -c 'SET assay.prefilter = off' -c "$warm" -c "$all")
explained=$(repeat timed -c 'SET max_parallel_workers_per_gather = 0' -c 'SET assay.explain_from = 0.1' -c "$warm" -c "$all")
# In the target list the planner counts the cost of score() for each message
both='SELECT count((assay.score('"'bench'"', s)).score) FROM parallel_signals s'
grep -q 'Workers Planned' <(psql -XqAtc "EXPLAIN $both") || { echo 'no parallel plan' >&2; exit 1; }
two=$(repeat timed -c "$both")
fast=$(repeat timed -c 'SET assay.explain_from = 0.1' -c "$both")
row "score(), one core: messages a second" "$(calc %.0f "$n * 1000 / $one")"
row "score(), one core: microseconds a message" "$(calc %.1f "$one * 1000 / $n")"
row "of these, the signals view alone" "$(calc %.1f "$plain * 1000 / $n")"
row "score(), one core, assay.prefilter = off: microseconds a message" "$(calc %.1f "$off * 1000 / $n")"
row "score(), one core, assay.explain_from = 0.1: messages a second" "$(calc %.0f "$n * 1000 / $explained")"
row "score(), parallel query on two cores: messages a second" "$(calc %.0f "$n * 1000 / $two")"
row "the same, assay.explain_from = 0.1" "$(calc %.0f "$n * 1000 / $fast")"

# the same GBDT by itself, over arrays
psql -Xqc "CREATE TABLE IF NOT EXISTS arrays AS SELECT ARRAY[size, attachments, subject_chars, body_chars, url_count, hour, sender_events, sender_days, sender_rate, domain_events, pair_events, pair_since]::real[] AS x FROM signals" -c 'VACUUM ANALYZE arrays'
predict=$(repeat timed -c 'SET max_parallel_workers_per_gather = 0' -c "SELECT sum(assay.predict(m.model, a.x)) FROM arrays a, (SELECT model FROM assay.detector_model WHERE detector = 'gbdt' LIMIT 1) m")
row "predict() of the GBDT over stored arrays: a second" "$(calc %.0f "$n * 1000 / $predict")"

# compiling the policy: the first score() of a session less the second
first=$(repeat timed -c "$warm")
second=$(repeat timed -c "$warm" -c "$warm")
row "compiling the policy in a new backend, milliseconds" "$(calc %.1f "$first - $second")"

psql -Xqc 'CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('"'bench'"')'
psql -Xqc "COPY (SELECT * FROM arriving) TO STDOUT (FORMAT binary)" >"$build/bench.copy"
clear='TRUNCATE message, bench_decision'
# $1: ENABLE or DISABLE the trigger; $2: assay.explain_from
copy() {
	local PGOPTIONS="$PGOPTIONS -c assay.explain_from=$2"
	psql -Xqc "$clear" -c "ALTER TABLE message $1 TRIGGER decide" -c CHECKPOINT
	psql -XqAt -c '\timing on' -c '\copy message from '"'$build/bench.copy'"' (format binary)' | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'
}
with=() without=() lean=()
for _ in $(seq "$rounds"); do without+=("$(copy DISABLE 0)"); with+=("$(copy ENABLE 0)"); lean+=("$(copy ENABLE 0.1)"); done
rm -f "$build/bench.copy"
a=$(printf '%s\n' "${without[@]}" | median) b=$(printf '%s\n' "${with[@]}" | median) c=$(printf '%s\n' "${lean[@]}" | median)
row "COPY without decisions: rows a second" "$(calc %.0f "$n * 1000 / $a")"
row "COPY with decisions: rows a second" "$(calc %.0f "$n * 1000 / $b")"
row "COPY with / without" "$(calc %.2f "$a / $b")"
row "the same, assay.explain_from = 0.1" "$(calc %.2f "$a / $c")"

script=$build/bench.insert.sql
cat >"$script" <<'SQL'
\set i random(1, 20000)
INSERT INTO message SELECT nextval('bench_id'), a.received_at, a.from_addr, a.from_domain, a.recipient, a.reply_to, a.subject, a.body_text, a.urls, a.attachments, a.auth, a.size FROM arriving a WHERE a.id = :i;
SQL
sed -i "s/20000/$n/" "$script"
psql -Xqc 'CREATE SEQUENCE bench_id START 1000000000 CACHE 100' -c 'CREATE INDEX ON arriving (id)' -c 'ANALYZE arriving'
inserts() {
	local PGOPTIONS="$PGOPTIONS -c assay.explain_from=$2"
	psql -Xqc "$clear" -c "ALTER TABLE message $1 TRIGGER decide" -c CHECKPOINT
	rm -f "$build"/bench_log.*
	pgbench -n -M prepared -c 8 -j 2 -T "$seconds" -f "$script" -l --log-prefix="$build/bench_log" 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
	cat "$build"/bench_log.* | awk '{ print $3 / 1000 }' | sort -g | awk '{ v[NR] = $1 } END { print v[int(NR * 0.99)] }' >>"$build/bench.p99.$1.$2"
	rm -f "$build"/bench_log.*
}
rm -f "$build"/bench.p99.*
with=() without=() lean=()
for _ in $(seq "$rounds"); do without+=("$(inserts DISABLE 0)"); with+=("$(inserts ENABLE 0)"); lean+=("$(inserts ENABLE 0.1)"); done
a=$(printf '%s\n' "${without[@]}" | median) b=$(printf '%s\n' "${with[@]}" | median) c=$(printf '%s\n' "${lean[@]}" | median)
pa=$(median <"$build/bench.p99.DISABLE.0") pb=$(median <"$build/bench.p99.ENABLE.0") pc=$(median <"$build/bench.p99.ENABLE.0.1")
row "durable single-row INSERT, 8 clients, without decisions: a second" "$(calc %.0f "$a")"
row "with decisions: a second" "$(calc %.0f "$b")"
row "INSERT with / without" "$(calc %.2f "$b / $a")"
row "the same, assay.explain_from = 0.1" "$(calc %.2f "$c / $a")"
row "p99 latency with / without" "$(calc %.2f "$pb / $pa")"
row "the same, assay.explain_from = 0.1" "$(calc %.2f "$pc / $pa")"
rm -f "$build"/bench.p99.* "$script"
lost=$(psql -XqAtc 'SELECT count(*) FROM message m LEFT JOIN bench_decision d USING (id) WHERE d.id IS NULL')
[ "$lost" = 0 ] || { echo "$lost messages have no decision" >&2; exit 1; }
