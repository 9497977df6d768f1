#!/bin/bash
# How often the intervals of online_report() hold the truth, and how wide they
# are, by strategy and budget: draws from a world whose truth is known, in a
# private cluster.  The strata, the allocation and the rates are the functions
# that review_sample() and online_report() call.
#
#   bench/review.sh [MESSAGES [TRIALS]]
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
n=${1:-1000000} trials=${2:-1000}
cd "$top"
tools/cluster drop bench_review
tools/cluster start bench_review fsync=off shared_buffers=512MB max_wal_size=4GB >/dev/null
trap 'tools/cluster drop bench_review' EXIT
eval "$(tools/cluster env bench_review)"
psql -Xqc 'CREATE EXTENSION pg_assay'
psql -Xq -v ON_ERROR_STOP=1 -v n="$n" -f bench/review.sql >/dev/null
[ "$(psql -XAtc "SELECT count(*) FILTER (WHERE malicious) * 1000 - count(*) FROM world")" = 0 ] || fail 'not one in a thousand is malicious'
psql -XAt -F ', ' -c "SELECT count(*) || ' messages', count(*) FILTER (WHERE malicious) || ' malicious',
	count(*) FILTER (WHERE verdict <> 'safe') || ' flagged', count(*) FILTER (WHERE verdict <> 'safe' AND malicious) || ' of these malicious' FROM world"
for strategy in uniform score optimal; do
	for budget in 100 1000 10000; do
		psql -Xqc "CALL simulate('$strategy', $budget, $trials)"
	done
done
psql -Xqc "CALL simulate_naive($trials)"
table() {
	printf '\n%s: the true value is %s\n\n' "$1" "$(psql -XAtc "SELECT round(value::numeric, 4) FROM truth WHERE metric = '$2' AND name = '$3'")"
	printf '| drawn by | reviewed | interval of 95 %% holds it, %% | its median width | median estimate | said to be poor, %% |\n| --- | ---: | ---: | ---: | ---: | ---: |\n'
	psql -XAtc "SELECT format('| %s | %s | %s | %s | %s | %s |', strategy, coalesce(budget::text, ''), round(100 * holds, 1), round(width::numeric, 3),
		round(estimate::numeric, 3), coalesce(round(100 * poor), 0)) FROM coverage WHERE metric = '$2' AND name = '$3' ORDER BY strategy <> 'uniform', strategy, budget"
}
table 'False negative rate of all but the default verdict' fnr suspicious
table 'Precision of the verdict suspicious' precision suspicious
printf '\nOver all metrics the least share of intervals that hold the truth is %s %%.\n' \
	"$(psql -XAtc "SELECT round(100 * min(holds), 1) FROM coverage WHERE budget IS NOT NULL")"
