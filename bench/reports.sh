#!/bin/bash
# What it takes to find decisions and to report on them, beside 0.1.0's ways in
# the same run, in a private cluster.  Times are of the clock; those of INSERT
# are CPU time.
#
#   bench/reports.sh [DECISIONS [ROUNDS]]
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
n=${1:-1000000} rounds=${2:-5}
cd "$top"
tools/cluster drop bench_reports
tools/cluster start bench_reports fsync=off shared_buffers=3GB max_wal_size=8GB checkpoint_timeout=1h timezone=UTC >/dev/null
trap 'tools/cluster drop bench_reports' EXIT
eval "$(tools/cluster env bench_reports)"
export PGOPTIONS='-c client_min_messages=warning'
psql -Xq -v n="$n" -f bench/reports.sql >/dev/null
psql -XAt -F ' ' -c "SELECT count(*) || ' decisions, ' || round(avg(cardinality(assay.hits(attribution))), 1) || ' hits and ' || round(avg(pg_column_size(attribution))) || ' bytes of ledger each' FROM inbound_decision"

# Median of the statement's time, the second in its session
clock() { for _ in $(seq "$rounds"); do timed -c "$1" -c "$1"; done | median; }
once() { timed -c "$1"; }
same() { [ "$(psql -XAt -c "$1")" = "$(psql -XAt -c "$2")" ] || fail "not the same: $1"; }

printf '\n| question | by DISTINCT ON, ms | now, ms |\n| --- | ---: | ---: |\n'
while IFS='|' read -r what query; do
	old=${query//VIEW/old_verdict} new=${query//VIEW/inbound_verdict}
	same "$old" "$new"
	printf '| %s | %.1f | %.1f |\n' "$what" "$(clock "$old")" "$(clock "$new")"
done <<-'QUERIES'
	newest 100|SELECT count(verdict), sum(id) FROM (SELECT * FROM VIEW ORDER BY decided_at DESC, id LIMIT 100) s
	a day|SELECT count(verdict) FROM VIEW WHERE decided_at >= '2026-06-01' AND decided_at < '2026-06-02'
	one key|SELECT count(verdict) FROM VIEW WHERE id = 77777
	all, by verdict|SELECT verdict, count(*) FROM VIEW GROUP BY 1 ORDER BY 1
	all, with their labels|SELECT count(*) FROM VIEW v JOIN inbound_label_latest l USING (id)
QUERIES

week="decided_at >= '2026-06-01' AND decided_at < '2026-06-08'"
queries() {
	cat <<-QUERIES
		hit by "rare" this week|assay.hits(attribution) @> '{rare}' AND $week
		hit by one that hits 5 %, this week|assay.hits(attribution) @> '{detector number 37}' AND $week
		hit by "rare", of all|assay.hits(attribution) @> '{rare}'
		"rare" and not "net"|assay.hits(attribution) @> '{rare}' AND NOT assay.hits(attribution) && '{net}'
		one that hits 5 %, and nothing else|assay.hits(attribution) @> '{detector number 35}' AND assay.counted_hits(attribution) = '{detector number 35}'
	QUERIES
}
declare -A without
while IFS='|' read -r what where; do
	without[$what]=$(clock "SELECT count(verdict) FROM inbound_verdict WHERE $where")
done < <(queries)
made=$(once 'CREATE INDEX hits ON inbound_decision USING gin (assay.hits(attribution))')
psql -Xq -c 'VACUUM ANALYZE inbound_decision'
printf '\n| question | found | without the index, ms | with it, ms |\n| --- | ---: | ---: | ---: |\n'
while IFS='|' read -r what where; do
	found=$(psql -XAt -c "SELECT count(*) FROM inbound_verdict WHERE $where")
	[ "$found" -gt 0 ] || [ "$n" -lt 1000000 ] || fail "nothing is found: $what"
	printf '| %s | %s | %.1f | %.1f |\n' "$what" "$found" "${without[$what]}" \
		"$(clock "SELECT count(verdict) FROM inbound_verdict WHERE $where")"
done < <(queries)
psql -XAt -v made="$made" <<-'SQL'
	SELECT format(E'\nThe index of what hit has %s %% of the table''s bytes, that by time %s %%, the primary key %s %%; the first was made in %s ms.',
		round(100.0 * pg_relation_size('hits') / pg_table_size('inbound_decision'), 1),
		round(100.0 * pg_relation_size('inbound_decision_decided_at_idx') / pg_table_size('inbound_decision'), 1),
		round(100.0 * pg_relation_size('inbound_decision_pkey') / pg_table_size('inbound_decision'), 1), round(:made));
SQL

# An INSERT of 20,000 messages, rolled back, without and with the indexes
insert() {
	cpu <<-SQL
		BEGIN;
		$1
		INSERT INTO message SELECT -i, i % 1000, i % 777, 0.5, 'subject of message ' || i FROM generate_series(1, 100) i;
		-- measure
		INSERT INTO message SELECT -i, i % 1000, i % 777, 0.5, 'subject of message ' || i FROM generate_series(1001, 21000) i;
	SQL
}
declare -A cost=([none]='' [time]='' [hits]='' [slow]='')
for _ in $(seq $((2 * rounds))); do
	cost[none]+=$(insert 'DROP INDEX hits; DROP INDEX inbound_decision_decided_at_idx;')$'\n'
	cost[time]+=$(insert 'DROP INDEX hits;')$'\n'
	cost[hits]+=$(insert '')$'\n'
	cost[slow]+=$(insert 'ALTER INDEX hits SET (fastupdate = off);')$'\n'
done
printf '\n| INSERT with decisions | µs of CPU a message |\n| --- | ---: |\n'
for v in none time hits slow; do
	case $v in none) what='without either index';; time) what='index by time';; hits) what='and of what hit';; slow) what='the same, fastupdate = off';; esac
	printf '| %s | %.1f |\n' "$what" "$(printf %s "${cost[$v]}" | median | awk '{ print $1 / 20000 }')"
done

# 0.1.0's precision_report(), under another name
sed -n '/^CREATE FUNCTION assay.precision_report(/,/^END \$\$;/p' upgrade/pg_assay--0.1.0.sql | sed 's/precision_report/old_report/g' | psql -Xq
printf '\n| `precision_report` | by one statement (0.1.0), ms | now, ms |\n| --- | ---: | ---: |\n'
while IFS='|' read -r what arguments; do
	columns='kind, name, mode, claim, hits, labelled, tp, fp, "precision", recall, sole, sole_right, sole_wrong, overlap'
	psql -Xq -c "CREATE TABLE IF NOT EXISTS reported AS SELECT 1; DROP TABLE reported"
	old=$(once "CREATE TABLE reported AS SELECT $columns FROM assay.old_report('inbound'$arguments)")
	[ "$(psql -XAt -c "SELECT count(*) FROM (SELECT * FROM reported EXCEPT SELECT $columns FROM assay.precision_report('inbound'$arguments)) d")" = 0 ] ||
		fail 'the reports differ'
	printf '| %s | %.0f | %.0f |\n' "$what" "$old" "$(clock "SELECT count(*) FROM assay.precision_report('inbound'$arguments)")"
done <<-'REPORTS'
	all|
	a week|, '2026-06-01', '2026-06-08'
REPORTS

# ---- reports by part, counts by hour, backtests: no counterpart in 0.1.0
printf '\n| report | ms |\n| --- | ---: |\n'
while IFS='|' read -r what query; do
	printf '| %s | %.0f |\n' "$what" "$(clock "$query")"
done <<-'QUERIES'
	`precision_report`, all|SELECT count(*) FROM assay.precision_report('inbound')
	by a column of 777 values|SELECT count(*) FROM assay.precision_report('inbound', by => 'y')
	by the label's category|SELECT count(*) FROM assay.precision_report('inbound', by => 'category')
	`overlap_report`, all|SELECT count(*) FROM assay.overlap_report('inbound')
	`label_delays`|SELECT count(*) FROM assay.label_delays('inbound')
	`label_check`|SELECT count(*) FROM assay.label_check('inbound')
QUERIES

filled=$(once "SELECT assay.refresh_rollup('inbound')")
psql -XAtq <<-'SQL'
	VACUUM ANALYZE assay_internal.decision_hour;
	VACUUM ANALYZE assay_internal.decision_day;
SQL
# Each hour and day is what precision_report() would count: a sample of days
[ "$(psql -XAt <<-'SQL'
	WITH d AS (SELECT day, sum(hits) AS hits FROM assay.decision_days WHERE kind = 'verdict' GROUP BY 1)
	SELECT count(*) FILTER (WHERE d.hits IS DISTINCT FROM t.hits) FROM d FULL JOIN (
		SELECT date_trunc('day', decided_at) AS day, count(DISTINCT (id, date_trunc('hour', decided_at))) AS hits FROM inbound_decision GROUP BY 1) t USING (day)
SQL
)" = 0 ] || fail 'the rollup is not what was decided'
printf '\n| rollup | ms |\n| --- | ---: |\n| the first refresh, a year | %.0f |\n' "$filled"
psql -Xq -c "INSERT INTO message SELECT -i, i % 1000, i % 777, 0.5, 'subject of message ' || i FROM generate_series(1, 1000) i"
printf '| a refresh after 1,000 decisions | %.0f |\n' "$(once "SELECT assay.refresh_rollup('inbound')")"
printf '| a refresh with nothing new | %.0f |\n' "$(clock "SELECT assay.refresh_rollup('inbound')")"
while IFS='|' read -r what query; do
	printf '| %s | %.1f |\n' "$what" "$(clock "$query")"
done <<-'QUERIES'
	thirty days, by detector and day|SELECT count(p), sum(hits) FROM (SELECT name, day, hits, tp::float8 / nullif(labelled, 0) AS p FROM assay.decision_days WHERE policy = 'inbound' AND kind = 'rule' AND day >= '2026-06-01' AND day < '2026-07-01') s
	the year, by detector and day|SELECT count(p), sum(hits) FROM (SELECT name, day, hits, tp::float8 / nullif(labelled, 0) AS p FROM assay.decision_days WHERE policy = 'inbound' AND kind = 'rule') s
	verdicts of a day by hour|SELECT count(*), sum(hits) FROM assay.decision_hours WHERE policy = 'inbound' AND kind = 'verdict' AND hour >= '2026-06-01' AND hour < '2026-06-02'
	`detector_drift`, sixty days|SELECT count(*) FROM assay.detector_drift('inbound', '2026-06-01', '2026-08-01')
QUERIES

# Signals logged with each decision
psql -Xq <<-'SQL'
	SELECT assay.alter_policy('inbound', log_signals => true), assay_internal.ensure_shape('signals');
	UPDATE inbound_decision d SET signals = assay_internal.form_signals(s) FROM signals s WHERE s.id = d.id;
	VACUUM FULL inbound_decision;
	VACUUM ANALYZE inbound_decision;
SQL
condition="h % 13 = 5 AND subject LIKE '%7'"
where="assay.signal(signals, 'h')::int % 13 = 5 AND assay.signal(signals, 'subject') LIKE '%7'"
backtest="SELECT messages, hits, flips FROM assay.backtest('inbound', \$\$$condition\$\$, weight => 2, at => NULL, signals"
[ "$(psql -XAt -c "$backtest => 'logged')")" = "$(psql -XAt -c "$backtest => 'view')")" ] || fail 'backtests differ'
printf '\n| over logged signals | ms |\n| --- | ---: |\n'
while IFS='|' read -r what query; do
	printf '| %s | %.0f |\n' "$what" "$(clock "$query")"
done <<-QUERIES
	the condition in WHERE, of the decision table|SELECT count(*) FROM inbound_decision WHERE $where
	the same of \`_verdict\`|SELECT count(*) FROM inbound_verdict WHERE $where
	\`backtest\`|$backtest => 'logged')
	the same by the view|$backtest => 'view')
	\`backtest\` of a linear model|SELECT hits FROM assay.backtest('inbound', model => assay.model_from_linear('{x,len}', '{0.01,0.1}', -7), at => NULL, signals => 'logged')
	\`signal_drift\`, a day against thirty|SELECT count(*) FROM assay.signal_drift('inbound', until => '2026-07-01', signals => 'logged')
	\`signal_skew\`, a week|SELECT count(*) FROM assay.signal_skew('inbound', '2026-06-01', '2026-06-08')
QUERIES
revision=$(psql -XAt -c "SELECT max(revision) FROM assay.revisions WHERE policy = 'inbound'")
printf '| `compare` of two revisions | %.0f |\n' "$(once "SELECT count(*) FROM assay.compare('inbound', $((revision - 2)), $revision, at => NULL, signals => 'logged')")"
