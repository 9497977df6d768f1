#!/bin/bash
# What the demo's own policy costs on real mail, in CPU microseconds a message:
# the signals view, score() over stored signals, and the trigger by batches; and
# how many messages a second two sessions stream through the trigger in batches
# of 500, from rows already parsed. Medians of alternating rounds in one run; load
# on other cores does not count, but for the streams, which want two of them.
#
#   bench/demo.sh [DIR [ROUNDS]]    DIR as for demo/run: empty for the public corpus
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
corpus=${1:-} rounds=${2:-5}
cd "$top"
DEMO_CLUSTER=bench_demo demo/run ${corpus:+"$corpus"} >"$build/bench_demo.log" 2>&1 || { tail -n 20 "$build/bench_demo.log" >&2; fail 'the demo failed'; }
trap 'tools/cluster stop bench_demo' EXIT
eval "$(tools/cluster env bench_demo)"
export PGDATABASE=demo PGOPTIONS='-c client_min_messages=warning -c jit=off -c max_parallel_workers_per_gather=0'

columns=$(psql -XAt -c "SELECT string_agg('m.' || quote_ident(column_name), ', ' ORDER BY ordinal_position)
	FROM information_schema.columns WHERE table_name = 'message' AND column_name <> 'id' AND is_generated = 'NEVER'")
psql -Xq -v ON_ERROR_STOP=1 -v columns="$columns" <<-'SQL'
	CREATE TABLE arriving AS SELECT a.id, :columns FROM arrival a JOIN staging m ON m.id = a.staging_id WHERE NOT a.history ORDER BY a.id;
	ALTER TABLE arriving ADD PRIMARY KEY (id);
	CREATE TABLE stored_signals AS SELECT s.* FROM message_signals s JOIN arriving USING (id);
	VACUUM ANALYZE;
	-- What is measured must be what is said
	DO $$
	DECLARE
		n bigint := (SELECT count(*) FROM arriving);
		texts bigint := (SELECT count(DISTINCT (subject, body_text)) FROM arriving);
		hits float8 := (SELECT avg(h.hits) FROM (SELECT count(*) FILTER (WHERE l.hit AND l.kind = 'rule') AS hits
			FROM arriving JOIN inbound_verdict v USING (id), assay.ledger(v.attribution) l GROUP BY v.id) h);
	BEGIN
		IF n < 500 OR texts < 0.9 * n OR hits NOT BETWEEN 1 AND 30 OR (SELECT count(*) FROM stored_signals) <> n THEN
			RAISE 'the data are not as they should be: % messages, % texts, % hits a message', n, texts, hits;
		END IF;
	END $$;
	-- One message is its row, and each history, by an index
	DO $$
	DECLARE
		plan jsonb;
	BEGIN
		EXECUTE 'EXPLAIN (FORMAT JSON) SELECT * FROM message_signals WHERE id = 1' INTO plan;
		IF jsonb_path_exists(plan, '$.** ? (@."Node Type" == "Seq Scan" && (@."Relation Name" == "message" || @."Relation Name" like_regex "_baseline$"))') THEN
			RAISE 'the plan reads whole tables: %', plan;
		END IF;
	END $$;
SQL
n=$(psql -XAt -c 'SELECT count(*) FROM arriving')
first=$(psql -XAt -c 'SELECT min(id) FROM arriving')
last=$(psql -XAt -c 'SELECT max(id) FROM arriving')
psql -XAt -F ' ' -c "SELECT count(DISTINCT (subject, body_text)) || ' different texts in ' || count(*) || ' messages; median ' || percentile_cont(0.5) WITHIN GROUP (ORDER BY octet_length(body_text)) || ' bytes of text' FROM arriving"
psql -XAt -c "SELECT 'a message has ' || round(avg(hits), 1) || ' hits' FROM (SELECT count(*) FILTER (WHERE l.hit AND l.kind = 'rule') AS hits
	FROM arriving JOIN inbound_verdict v USING (id), assay.ledger(v.attribution) l GROUP BY v.id) h"

# All signals, so that the planner leaves none out; and of these messages only: joined
# with them, the view is made of all messages first
signals='SELECT count(*), sum(hashtextextended(s::text, 0)) FROM (SELECT s.* FROM message_signals s WHERE s.id = ANY (ARRAY(SELECT id FROM arriving)) OFFSET 0) s'
write='SELECT count(*), sum(hashtextextended(s::text, 0)) FROM stored_signals s'
scores="SELECT count(x.score) FROM stored_signals s, assay.score('inbound', s) x"
reads='SELECT count(*), sum(s.body_chars) FROM stored_signals s'
measure() { { echo "$1;"; echo '-- measure'; for _ in $(seq "$2"); do echo "$1;"; done; } | cpu; }

# $1: ENABLE or DISABLE; $2: messages a statement
insert() {
	psql -Xq -c "ALTER TABLE message $1 TRIGGER decide" -c "DELETE FROM message WHERE id >= $first" -c 'TRUNCATE inbound_decision' -c 'VACUUM message'
	{
		echo "PREPARE arrive AS INSERT INTO message SELECT m.id, $columns FROM arriving m WHERE m.id BETWEEN \$1 AND \$2;"
		# the session's first decision compiles the policy
		echo "BEGIN; EXECUTE arrive($first, $first); ROLLBACK;"
		echo '-- measure'
		for ((i = first; i <= last; i += $2)); do echo "EXECUTE arrive($i, $((i + $2 - 1 > last ? last : i + $2 - 1)));"; done
	} | cpu
	if [ "$1" = ENABLE ]; then
		[ "$(psql -XAt -c "SELECT count(*) FROM arriving JOIN inbound_decision USING (id) WHERE NOT degraded")" = "$n" ] || fail 'messages have no decision'
	fi
}

# Messages a second of two sessions, each with one half of the messages in transactions of 500. They begin
# together, when both have planned and compiled what they need. $1: ENABLE or DISABLE
stream() {
	local at half from to i end sessions=()
	psql -Xq -c "ALTER TABLE message $1 TRIGGER decide" -c "DELETE FROM message WHERE id >= $first" -c 'TRUNCATE inbound_decision' -c 'VACUUM message' -c CHECKPOINT
	at=$(psql -XAt -c "SELECT extract(epoch FROM clock_timestamp() + interval '3 seconds')")
	for half in 0 1; do
		from=$((first + half * ((n + 1) / 2))) to=$((half == 0 ? first + (n + 1) / 2 - 1 : last))
		{
			echo "PREPARE arrive AS INSERT INTO message SELECT m.id, $columns FROM arriving m WHERE m.id BETWEEN \$1 AND \$2;"
			echo "BEGIN; EXECUTE arrive($from, $from); ROLLBACK;"
			# an error where it comes too late
			echo "SELECT pg_sleep($at - extract(epoch FROM clock_timestamp())) WHERE 1 / (extract(epoch FROM clock_timestamp()) < $at)::int = 1;"
			for ((i = from; i <= to; i += 500)); do echo "EXECUTE arrive($i, $((i + 499 > to ? to : i + 499)));"; done
			echo "SELECT 'end ' || extract(epoch FROM clock_timestamp());"
		} | psql -XqAt -v ON_ERROR_STOP=1 | sed -n 's/^end //p' >"$build/bench_demo.stream$half" &
		sessions+=($!)
	done
	for i in "${sessions[@]}"; do wait "$i" || fail 'a session of the stream failed, or came too late'; done
	[ "$(psql -XAt -c 'SELECT count(*) FROM arriving JOIN message USING (id)')" = "$n" ] || fail 'messages are missing'
	[ "$1" = DISABLE ] || [ "$(psql -XAt -c "SELECT count(*) FROM arriving JOIN inbound_decision USING (id) WHERE NOT degraded")" = "$n" ] || fail 'messages have no decision'
	end=$(cat "$build/bench_demo.stream0" "$build/bench_demo.stream1" | sort -g | tail -n 1)
	calc %.0f "$n / ($end - $at)"
}

declare -A of
for _ in $(seq "$rounds"); do
	of[signals]+="$(measure "$signals" 1) " of[write]+="$(measure "$write" 1) "
	of[scores]+="$(measure "$scores" 10) " of[reads]+="$(measure "$reads" 10) "
	for size in 1 25 500; do
		of[without$size]+="$(insert DISABLE $size) " of[with$size]+="$(insert ENABLE $size) "
	done
	of[streamed]+="$(stream DISABLE) "
	of[decided]+="$(stream ENABLE) "
done
med() { tr ' ' '\n' <<<"${of[$1]}" | sed '/^$/d' | median; }
echo
row 'CPU a message' 'µs'
row --- ---
row 'signals view, all signals' "$(calc %.0f "($(med signals) - $(med write)) / $n")"
row 'score() over stored signals, with its attribution' "$(calc %.1f "($(med scores) - $(med reads)) / $n / 10")"
for size in 1 25 500; do
	row "INSERT of $size a statement, without decisions" "$(calc %.0f "$(med without$size) / $n")"
	row "the same with decisions (signals, score, ledger written)" "$(calc %.0f "$(med with$size) / $n")"
done
echo
row "messages a second, two sessions in batches of 500 (load $(cut -d' ' -f1 /proc/loadavg))" number
row --- ---
row 'without decisions' "$(calc %.0f "$(med streamed)")"
row 'with decisions, committed' "$(calc %.0f "$(med decided)")"
