#!/bin/bash
# score() over stored messages, and COPY and single-row INSERT with the trigger
# as ratios to the same without, in one run: medians of alternating rounds.
# Arguments: messages (20000), rounds (3), seconds of each pgbench run (5)
# BEFORE=DIR sets score() of another tree of this project beside, in the same run.
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
n=${1:-20000} rounds=${2:-3} seconds=${3:-5} before=${BEFORE:-}
cd "$top"

tools/cluster start bench shared_preload_libraries=pg_assay shared_buffers=1GB max_wal_size=8GB \
	max_parallel_workers=2 max_parallel_workers_per_gather=2
trap 'tools/cluster stop bench; if [ -n "$before" ]; then "$before/tools/cluster" stop bench; fi' EXIT
if [ -n "$before" ]; then
	"$before/tools/cluster" start bench shared_preload_libraries=pg_assay shared_buffers=1GB max_wal_size=8GB
	old=$("$before/tools/cluster" env bench)
fi
eval "$(tools/cluster env bench)"
# compiling the query just in time would be most of what is measured
export PGOPTIONS='-c client_min_messages=warning -c jit=off'
fresh() { # database, its options
	psql -Xqc "DROP DATABASE IF EXISTS $1" -c "CREATE DATABASE $1 TEMPLATE template0 ENCODING UTF8 $2" 2>/dev/null
	PGDATABASE=$1 psql -Xq -v n="$n" -f bench/policy.sql >/dev/null
}
fresh bench_policy "LOCALE 'C'"
fresh bench_icu "LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
if [ -n "$before" ]; then (eval "$old"; fresh bench_policy "LOCALE 'C'"); fi
export PGDATABASE=bench_policy

repeat() { for _ in $(seq "$rounds"); do "$@"; done | median; }

row measured value
row --- ---
warm='SELECT count(x.score) FROM (SELECT * FROM signals LIMIT 1) s, assay.score('"'bench'"', s) x'
all='SELECT count(x.score) FROM signals s, assay.score('"'bench'"', s) x'
view='SELECT count(s.phrases), sum(length(s.body_text)), sum(s.sender_events), sum(s.domain_events), sum(s.pair_events) FROM signals s'
one=$(repeat timed -c 'SET max_parallel_workers_per_gather = 0' -c "$warm" -c "$all")
plain=$(repeat timed -c 'SET max_parallel_workers_per_gather = 0' -c "$view")
off=$(repeat timed -c 'SET max_parallel_workers_per_gather = 0' -c 'SET assay.prefilter = off' -c "$warm" -c "$all")
explained=$(repeat timed -c 'SET max_parallel_workers_per_gather = 0' -c 'SET assay.explain_from = 0.1' -c "$warm" -c "$all")
# In the target list the planner counts the cost of score() for each message;
# the bodies are beside the table, which is small without them.
export PGOPTIONS="$PGOPTIONS -c min_parallel_table_scan_size=0"
both='SELECT count((assay.score('"'bench'"', s)).score) FROM parallel_signals s'
grep -q 'Workers Planned' <(psql -XqAtc "EXPLAIN $both") || fail 'no parallel plan'
two=$(repeat timed -c "$both")
fast=$(repeat timed -c 'SET assay.explain_from = 0.1' -c "$both")
row "score(), one core: messages a second" "$(calc %.0f "$n * 1000 / $one")"
row "score(), one core: microseconds a message" "$(calc %.1f "$one * 1000 / $n")"
row "of these, the signals view alone" "$(calc %.1f "$plain * 1000 / $n")"
row "score(), one core, assay.prefilter = off: microseconds a message" "$(calc %.1f "$off * 1000 / $n")"
row "score(), one core, assay.explain_from = 0.1: messages a second" "$(calc %.0f "$n * 1000 / $explained")"

# CPU, which others' load does not lengthen, by turns
scores() { printf '%s;\n' 'SET max_parallel_workers_per_gather = 0' "$@" "$warm" | cat - <(printf '%s\n' '-- measure' "$all;") | cpu; }
icu=() c=() slow=() was=()
for _ in $(seq "$rounds"); do
	c+=("$(scores)") icu+=("$(PGDATABASE=bench_icu scores)") slow+=("$(PGDATABASE=bench_icu scores 'SET assay.prefilter = off')")
	if [ -n "$before" ]; then was+=("$(eval "$old"; PGDATABASE=bench_policy scores)"); fi
done
cpu_c=$(printf '%s\n' "${c[@]}" | median)
cpu_icu=$(printf '%s\n' "${icu[@]}" | median)
row "score(), CPU microseconds a message, locale C" "$(calc %.1f "$cpu_c / $n")"
row "the same, ICU locale en-US" "$(calc %.1f "$cpu_icu / $n")"
row "the same, ICU locale, assay.prefilter = off" "$(calc %.1f "$(printf '%s\n' "${slow[@]}" | median) / $n")"
if [ -n "$before" ]; then
	row "score(), locale C, against the other tree" "$(calc %.3f "$cpu_c / $(printf '%s\n' "${was[@]}" | median)")"
fi

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
[ "$lost" = 0 ] || fail "$lost messages have no decision"
