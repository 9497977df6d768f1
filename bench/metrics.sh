#!/bin/bash
# What an aggregate over scores costs, beside a percentile of the same rows, by
# one process and with one worker beside the leader; in a private cluster, by
# turns.
#
#   bench/metrics.sh [ROWS [ROUNDS]]
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
n=${1:-1000000} rounds=${2:-7}
cd "$top"
tools/cluster drop bench_metrics
tools/cluster start bench_metrics fsync=off shared_buffers=1GB max_parallel_workers_per_gather=1 >/dev/null
trap 'tools/cluster drop bench_metrics' EXIT
eval "$(tools/cluster env bench_metrics)"
psql -Xq -v n="$n" <<-'SQL'
	CREATE EXTENSION pg_assay;
	SELECT setseed(0.5) \g /dev/null
	-- scores as policies give them: many near 0, some near 1, few of them equal
	CREATE TABLE scored AS SELECT (1 / (1 + exp(-m)))::real::float8 AS score, random() < 1 / (1 + exp(-m)) AS label
	FROM (SELECT -4 + 3 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS m FROM generate_series(1, :n) i) g;
	ALTER TABLE scored SET (parallel_workers = 1);
	VACUUM ANALYZE scored;
SQL
[ "$(psql -XAtc 'SELECT count(DISTINCT score) > count(*) / 2 FROM scored')" = t ] || fail 'the scores do not differ'
psql -XAt -F ', ' -c "SELECT count(*) || ' rows', count(DISTINCT score) || ' different scores', count(*) FILTER (WHERE label) || ' positive' FROM scored"
psql -XAtc 'EXPLAIN (COSTS OFF) SELECT assay.roc_auc(score, label) FROM scored' | grep -q 'Workers Planned: 1' || fail 'no parallel plan'
# the second in its session
clock() { timed -c "SET max_parallel_workers_per_gather = $1" -c "$2" -c "$2"; }
declare -A ms
queries=('percentile_cont(0.5) WITHIN GROUP (ORDER BY score)' 'assay.roc_auc(score, label)' 'assay.average_precision(score, label)' 'assay.ks(score, label)' 'assay.log_loss(score, label)')
for _ in $(seq "$rounds"); do
	for q in "${queries[@]}"; do
		for workers in 0 1; do
			ms[$workers$q]+=$(clock $workers "SELECT $q FROM scored")$'\n'
		done
	done
done
middle() { echo "${ms[$1]}" | grep . | median; }
printf '\n| aggregate | one process, ms | against `percentile_cont(0.5)` | with a worker, times as fast |\n| --- | ---: | ---: | ---: |\n'
base=$(middle "0${queries[0]}")
for q in "${queries[@]}"; do
	awk -v q="$q" -v a="$(middle "0$q")" -v b="$(middle "1$q")" -v base="$base" 'BEGIN { printf "| `%s` | %.0f | %.2f | %.2f |\n", q, a, a / base, a / b }'
done
