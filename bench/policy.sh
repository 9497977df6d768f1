#!/bin/bash
# score() over stored messages, and COPY and INSERT with the trigger beside the
# same without, in one run: medians of alternating rounds.
#
#   bench/policy.sh [--before DIR] [MESSAGES (20000) [ROUNDS (3) [SECONDS of each pgbench run (5)]]]
#
# First CPU (user and system) of one backend, which others' load does not lengthen,
# in databases of UTF-8: with locale C, with an ICU locale, with bodies of 500 bytes;
# with --before also of another tree of this project, round by round with this one.
# Then what a clock says, with locale C.  SECONDS = 0: no clock, CPU only.
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
before=
if [ "${1:-}" = --before ]; then
	[ -x "${2:-}/tools/cluster" ] || fail "no tree of this project in ${2:-}"
	before=$(cd "$2" && pwd)
	shift 2
fi
n=${1:-20000} rounds=${2:-3} seconds=${3:-5}
cd "$top"
file=$build/bench.copy

settings=(shared_preload_libraries=pg_assay shared_buffers=1GB max_wal_size=8GB max_parallel_workers=2 max_parallel_workers_per_gather=2)
trap 'tools/cluster stop bench; if [ -n "$before" ]; then "$before/tools/cluster" stop bench; fi; rm -f "$file" "$file.short" "$build"/bench.insert.sql "$build"/bench.p99.* "$build"/bench_log.*' EXIT
tools/cluster start bench "${settings[@]}"
eval "$(tools/cluster env bench)"
if [ -n "$before" ]; then "$before/tools/cluster" start bench "${settings[@]}"; fi
# compiling the query just in time would be most of what is measured
export PGOPTIONS='-c client_min_messages=warning -c jit=off'

trigger='CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('"'bench'"')'
fresh() { # database, bytes of a body, its locale
	psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $1" -c "CREATE DATABASE $1 TEMPLATE template0 ENCODING UTF8 $3"
	PGDATABASE=$1 psql -Xq -v n="$n" -v bytes="$2" -f bench/policy.sql >/dev/null
	# the messages that are read stay as they are, others come and go
	PGDATABASE=$1 psql -Xq -c "$trigger" -c 'ALTER TABLE message DISABLE TRIGGER decide' -c 'UPDATE arriving SET id = id + 1000000000' \
		-c 'CREATE UNIQUE INDEX ON arriving (id)' -c 'VACUUM ANALYZE'
}
# Run the rest of the arguments in one of the places
at() {
	local where=$1
	shift
	case $where in
	before) (eval "$("$before/tools/cluster" env bench)"; PGDATABASE=bench_policy "$@") ;;
	*) PGDATABASE=bench_$where "$@" ;;
	esac
}
# The same statements make the data of each, so only the locale, the size or the tree differs
places=(policy icu short)
fresh bench_policy 2000 "LOCALE 'C'"
fresh bench_icu 2000 "LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
fresh bench_short 500 "LOCALE 'C'"
if [ -n "$before" ]; then
	places+=(before)
	at before fresh bench_policy 2000 "LOCALE 'C'"
	same="SELECT md5(string_agg(m::text, '' ORDER BY id)) FROM message m"
	[ "$(at before psql -XqAtc "$same")" = "$(at policy psql -XqAtc "$same")" ] || fail 'the trees have not the same data'
fi
export PGDATABASE=bench_policy
psql -Xqc "COPY (SELECT * FROM arriving) TO STDOUT (FORMAT binary)" >"$file"
at short psql -Xqc "COPY (SELECT * FROM arriving) TO STDOUT (FORMAT binary)" >"$file.short"

warm='SELECT count(x.score) FROM (SELECT * FROM signals LIMIT 1) s, assay.score('"'bench'"', s) x'
all='SELECT count(x.score) FROM signals s, assay.score('"'bench'"', s) x'
view='SELECT count(s.phrases), sum(length(s.body_text)), sum(s.sender_events), sum(s.domain_events), sum(s.pair_events) FROM signals s'

# ---- CPU --------------------------------------------------------------------

# CPU microseconds of a statement in a session that has compiled the policy
statement() { printf '%s;\n' 'SET max_parallel_workers_per_gather = 0' "${@:2}" "$warm" | cat - <(printf '%s\n' '-- measure' "$1;") | cpu; }
# The same for messages that arrive.  $1: COPY or INSERT; $2: ENABLE or DISABLE the trigger;
# $3: to read them again, where the tree knows another way
arrive() {
	local from=$file
	if [ "$PGDATABASE" = bench_short ]; then from=$file.short; fi
	psql -Xq -c "ALTER TABLE message DISABLE TRIGGER decide" -c 'DELETE FROM message WHERE id > 1000000000' -c 'TRUNCATE bench_decision' \
		-c 'VACUUM message' -c "ALTER TABLE message $2 TRIGGER decide" -c CHECKPOINT
	{
		if [ -n "${3:-}" ]; then echo "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'assay.new_rows';"; fi
		arrival "$1" "$from" "$singles"
	} | cpu
	psql -Xqc 'ANALYZE bench_decision'
	[ "$(psql -XqAtc "SELECT count(d.id) = CASE WHEN '$2' = 'ENABLE' THEN count(*) ELSE 0 END AND count(*) = $([ "$1" = COPY ] && echo "$n" || echo "$singles")
		FROM message m LEFT JOIN bench_decision d ON d.id = m.id AND NOT d.degraded WHERE m.id > 1000000000")" = t ] || fail "$1 by $2 TRIGGER: not each message has its decision"
}
singles=$((n / 4)) some=$((n / 10))
declare -A of
for _ in $(seq "$rounds"); do
	for p in "${places[@]}"; do of[view.$p]+="$(at "$p" statement "$view") "; done
	for p in "${places[@]}"; do of[score.$p]+="$(at "$p" statement "$all") "; done
	for p in "${places[@]}"; do of[lean.$p]+="$(at "$p" statement "$all" 'SET assay.explain_from = 0.1') "; done
	for p in "${places[@]}"; do of[off.$p]+="$(at "$p" statement "$all WHERE s.id <= $some" 'SET assay.prefilter = off') "; done
	for how in COPY INSERT; do
		for what in DISABLE ENABLE; do
			for p in "${places[@]}"; do of[$how.$what.$p]+="$(at "$p" arrive $how $what) "; done
		done
		for p in "${places[@]}"; do of[$how.again.$p]+="$(at "$p" arrive $how ENABLE again) "; done
	done
done
for p in "${places[@]}"; do
	at "$p" psql -Xq -c 'ALTER TABLE message DISABLE TRIGGER decide' -c 'DELETE FROM message WHERE id > 1000000000' -c 'TRUNCATE bench_decision' -c 'VACUUM message'
done
med() { tr ' ' '\n' <<<"${of[$1]}" | sed '/^$/d' | median; }
# $1: what, $2: format, $3: an expression in which {x} is the median of x there
cells() {
	local p e x
	printf '| %s ' "$1"
	for p in "${places[@]}"; do
		e=$3
		while [[ $e =~ \{([A-Za-z.]+)\} ]]; do x=${BASH_REMATCH[1]}; e=${e//"{$x}"/$(med "$x.$p")}; done
		printf '| %s ' "$(calc "$2" "$e")"
	done
	if [ -n "$before" ]; then
		# rounds are paired: the median of their quotients
		case $3 in
		"{"*"} / "*) x=${3#\{}; x=${x%%\}*}
			printf '| %.3f ' "$(paste <(tr ' ' '\n' <<<"${of[$x.policy]}") <(tr ' ' '\n' <<<"${of[$x.before]}") | awk 'NF == 2 { print $1 / $2 }' | median)" ;;
		*) printf '| ' ;;
		esac
	fi
	echo '|'
}
echo "| CPU, microseconds a message | C | ICU en-US | C, 500 bytes |${before:+ the other tree, C | C / the other tree |}"
echo "| --- | --- | --- | --- |${before:+ --- | --- |}"
cells 'the signals view' %.1f "{view} / $n"
cells 'score() with the signals view' %.1f "{score} / $n"
cells 'the same, `assay.explain_from = 0.1`' %.1f "{lean} / $n"
cells 'the same, `assay.prefilter = off`' %.1f "{off} / $some"
cells 'COPY without decisions' %.1f "{COPY.DISABLE} / $n"
cells 'COPY with decisions' %.1f "{COPY.ENABLE} / $n"
cells 'the same, `assay.new_rows = off`' %.1f "{COPY.again} / $n"
cells 'COPY with, in times of without' %.1f '(({COPY.ENABLE}) / ({COPY.DISABLE}))'
cells 'INSERT of one, not waiting for the disk, without decisions' %.1f "{INSERT.DISABLE} / $singles"
cells 'the same with decisions' %.1f "{INSERT.ENABLE} / $singles"
cells 'the same, `assay.new_rows = off`' %.1f "{INSERT.again} / $singles"
cells 'INSERT with, in times of without' %.1f '(({INSERT.ENABLE}) / ({INSERT.DISABLE}))'
[ "$seconds" -gt 0 ] || exit 0
echo

# ---- by the clock -----------------------------------------------------------

repeat() { for _ in $(seq "$rounds"); do "$@"; done | median; }

row measured value
row --- ---
one=$(repeat timed -c 'SET max_parallel_workers_per_gather = 0' -c "$warm" -c "$all")
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

clear='TRUNCATE message, bench_decision'
# $1: ENABLE or DISABLE the trigger; $2: assay.explain_from
copy() {
	local PGOPTIONS="$PGOPTIONS -c assay.explain_from=$2"
	psql -Xqc "$clear" -c "ALTER TABLE message $1 TRIGGER decide" -c CHECKPOINT
	psql -XqAt -c '\timing on' -c '\copy message from '"'$file'"' (format binary)' | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'
}
with=() without=() lean=()
for _ in $(seq "$rounds"); do without+=("$(copy DISABLE 0)"); with+=("$(copy ENABLE 0)"); lean+=("$(copy ENABLE 0.1)"); done
a=$(printf '%s\n' "${without[@]}" | median) b=$(printf '%s\n' "${with[@]}" | median) c=$(printf '%s\n' "${lean[@]}" | median)
row "COPY without decisions: rows a second" "$(calc %.0f "$n * 1000 / $a")"
row "COPY with decisions: rows a second" "$(calc %.0f "$n * 1000 / $b")"
row "COPY with / without" "$(calc %.2f "$a / $b")"
row "the same, assay.explain_from = 0.1" "$(calc %.2f "$a / $c")"

script=$build/bench.insert.sql
cat >"$script" <<'SQL'
\set i 1000000000 + random(1, 20000)
INSERT INTO message SELECT nextval('bench_id'), a.received_at, a.from_addr, a.from_domain, a.recipient, a.reply_to, a.subject, a.body_text, a.urls, a.attachments, a.auth, a.size FROM arriving a WHERE a.id = :i;
SQL
sed -i "s/20000)/$n)/" "$script"
psql -Xqc 'CREATE SEQUENCE bench_id START 2000000000 CACHE 100'
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
lost=$(psql -XqAtc 'SELECT count(*) FROM message m LEFT JOIN bench_decision d ON d.id = m.id AND NOT d.degraded WHERE d.id IS NULL')
[ "$lost" = 0 ] || fail "$lost messages have no decision"
