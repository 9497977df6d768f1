#!/bin/bash
# Signatures on real mail, beside exact Jaccard and pg_trgm; prints markdown tables.
#
#   make demo && bench/signature.sh            the demo's corpus
#   bench/signature.sh FILE                    any mail that assay_load reads, without labels
#
# Speed is CPU time of one backend (user + system).  Look-ups are among MESSAGES (default 60,000) messages of three
# days: the corpus over and over, each time with other letters, so that the copies have nothing in common.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh
. bench/common.sh
corpus=${1:-$build/corpus}
[ -e "$corpus" ] || fail 'run make demo first, which fetches the corpus'
tools/cluster start bench_signature fsync=off shared_buffers=1GB max_wal_size=4GB jit=off >/dev/null
work=$(mktemp -d "$build/signature.XXXXXX")
trap 'rm -rf "$work"; tools/cluster stop bench_signature' EXIT
eval "$(tools/cluster env bench_signature)"
export PGOPTIONS='-c client_min_messages=warning -c max_parallel_workers_per_gather=0 -c search_path=public,assay -c work_mem=256MB'
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
sql -d postgres -c 'DROP DATABASE IF EXISTS mail' -c 'CREATE DATABASE mail'
export PGDATABASE=mail
sql -c 'CREATE EXTENSION pg_assay' -c 'CREATE EXTENSION pg_trgm'
src/bin/assay_load --create-table --table=staging "$corpus" >"$work/load" 2>&1 || [ $? = 2 ] || { cat "$work/load" >&2; exit 1; }
sql -v most=20000 -f bench/signature.sql

echo '### Speed'
echo
echo '| texts of 2 kB | CPU |'
echo '| --- | --- |'
# What a SELECT of an expression over a table takes a row, in µs, beyond that of a column
cost() {
	local expression=$1 from=$2 runs
	runs=$(for _ in 1 2 3 4 5; do
		a=$(cpu <<<"SELECT count(*) FROM $from WHERE a.id IS NULL; -- warm
-- measure
SELECT count(*) FROM $from WHERE a.id IS NULL;")
		b=$(cpu <<<"SELECT count(*) FROM $from WHERE ($expression) IS NULL;
-- measure
SELECT count(*) FROM $from WHERE ($expression) IS NULL;")
		n=$(sql -c "SELECT count(*) FROM $from")
		calc '%.3f\n' "($b - $a) / $n"
	done)
	median <<<"$runs"
}
row '`signature`' "$(cost 'signature(a.body)' 'two a') µs"
row '`md5`, for comparison' "$(cost 'md5(a.body)' 'two a') µs"
row '`show_trgm` of pg_trgm' "$(cost 'show_trgm(a.body)' '(SELECT * FROM two LIMIT 300) a') µs"
row '`signature_bands`' "$(cost 'signature_bands(a.sig)' 'two a') µs"
row '`similar`, two of them' "$(cost 'similar(a.sig, b.sig)' 'two a, (SELECT * FROM two LIMIT 100) b') µs"
row '`similarity` of pg_trgm, two texts' "$(cost 'similarity(a.body, b.body)' '(SELECT * FROM two LIMIT 30) a, (SELECT * FROM two LIMIT 10) b') µs"

# Exact similarity of all pairs, of those that share a tenth at least
sql -F ' ' -c "SELECT id, array_to_string(shingles, ' ') FROM doc ORDER BY id" >"$work/shingles"
perl bench/signature.pl 0.1 <"$work/shingles" >"$work/pairs"
sql -c "\\copy pair (a, b, j) FROM '$work/pairs' DELIMITER ' '"
sql -f bench/signature_pairs.sql

# ---- look-ups ---------------------------------------------------------------------

sql -v n="${MESSAGES:-60000}" -f bench/signature_find.sql
echo
echo "### Others like this in the last day, among $(sql -c 'SELECT count(*) FROM message') messages of three days"
echo
echo '| | CPU a look-up | blocks a look-up | found, in look-ups | index, bytes a message |'
echo '| --- | --- | --- | --- | --- |'
find_by() {
	local name=$1 index=$2 n=$3 condition=$4 settings=${5:-SELECT 1} us blocks found
	local query="SELECT count(*) FROM (SELECT * FROM message WHERE id % 97 = 1 ORDER BY id DESC LIMIT $n) m JOIN LATERAL (SELECT o.id FROM message o WHERE $condition AND o.at > m.at - interval '1 day' AND o.at < m.at OFFSET 0) x ON true"
	us=$(for _ in 1 2 3; do cpu <<<"$settings; $query;
-- measure
$query;"; done | median)
	blocks=$(sql -c "$settings" -c "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) $query" | sed -n 's/.*shared hit=\([0-9]*\).*/\1/p' | head -n 1)
	found=$(sql -c "$settings" -c "$query" | tail -n 1)
	row "$name" "$(calc '%.0f' "$us / $n") µs | $(calc '%.0f' "$blocks / $n") | $found in $n | $(sql -c "SELECT pg_relation_size('$index') / count(*) FROM message")"
}
alike='similar(o.sig, m.sig) >= 0.6'
find_by '`similar` with each of the day' message_at 100 "$alike"
sql -c 'DROP INDEX message_at'
find_by 'keys by day, `similar` ≥ 0.6' message_day 100 "signature_bands(o.sig, o.day) && (signature_bands(m.sig, m.day) || signature_bands(m.sig, m.day - 1)) AND $alike"
find_by 'the first ten keys by day, likewise' message_day10 100 "(signature_bands(o.sig, o.day))[1:10] && ((signature_bands(m.sig, m.day))[1:10] || (signature_bands(m.sig, m.day - 1))[1:10]) AND $alike"
find_by 'keys without day, likewise' message_ever 100 "signature_bands(o.sig) && signature_bands(m.sig) AND $alike"
find_by 'pg_trgm: `%` at 0.6' message_trgm 5 'o.body % m.body' 'SET pg_trgm.similarity_threshold = 0.6; SET enable_seqscan = off; SET enable_indexscan = off'
