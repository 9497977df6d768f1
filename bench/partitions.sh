#!/bin/bash
# CPU of a single INSERT, with and without a decision, into a message table of 60
# partitions beside the same in one piece; then of single INSERTs and of COPYs
# whose decisions go to a table that create_policy() partitioned by day, beside a
# plain one: by turns in one run, medians.
#
#   bench/partitions.sh [INSERTS (2000) [ROUNDS (5) [ROWS OF A COPY (20000)]]]
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
n=${1:-2000} rounds=${2:-5} rows=${3:-20000}
cd "$top"
trap 'tools/cluster stop bench' EXIT
tools/cluster start bench shared_preload_libraries=pg_assay shared_buffers=1GB max_wal_size=8GB
eval "$(tools/cluster env bench)"
export PGOPTIONS='-c client_min_messages=warning -c jit=off'
psql -Xq -d postgres -c 'DROP DATABASE IF EXISTS bench_partitions' -c 'CREATE DATABASE bench_partitions'
export PGDATABASE=bench_partitions
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
CREATE EXTENSION pg_assay;
CREATE TABLE one (id bigint, at timestamptz, sender text, body text, PRIMARY KEY (at, id));
CREATE TABLE many (id bigint, at timestamptz, sender text, body text, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
SELECT format('CREATE TABLE many_%s PARTITION OF many FOR VALUES FROM (%L) TO (%L)', i, '2026-01-01'::date + i, '2026-01-02'::date + i)
	FROM generate_series(0, 59) i \gexec
INSERT INTO many SELECT i, '2026-01-01'::timestamptz + i * interval '40 s', 's' || i % 1000, repeat(md5(i::text), 15) FROM generate_series(1, 120000) i;
INSERT INTO one SELECT * FROM many;
CREATE VIEW one_signals AS SELECT id, at, sender, body, length(body) AS chars, extract(hour FROM at)::int AS hour FROM one;
CREATE VIEW many_signals AS SELECT id, at, sender, body, length(body) AS chars, extract(hour FROM at)::int AS hour FROM many;
SELECT assay.create_policy(t, t || '_signals', '{at,id}', prior => -3) FROM unnest('{one,many}'::text[]) t;
SELECT count(assay.create_detector(t, 'd' || i, format('chars > %s AND body LIKE %L', i * 10, '%' || i * 7777 || '%'), weight => 0.5, mode => 'live'))
	FROM unnest('{one,many}'::text[]) t, generate_series(1, 50) i;
CREATE TRIGGER decide AFTER INSERT ON one REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('one');
CREATE TRIGGER decide AFTER INSERT ON many REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('many');
VACUUM ANALYZE;
SQL

next=10000000
# $1: the table; $2: ENABLE or DISABLE the trigger.  Sets "took".
inserts() {
	psql -Xqc "ALTER TABLE $1 $2 TRIGGER decide"
	took=$(single_inserts "$1" "\$1, '2026-01-01'::timestamptz + (\$1 % 5000000) * interval '1 s', 's' || \$1 % 1000, repeat(md5(\$1::text), 15)" "$next" "$n" | cpu)
	next=$((next + n))
}
declare -A of
for _ in $(seq "$rounds"); do
	for table in one many; do
		for what in DISABLE ENABLE; do
			inserts $table $what
			of[$table.$what]+="$took "
		done
	done
done
for table in one many; do
	[ "$(psql -XqAtc "SELECT count(*) FROM ${table}_decision WHERE NOT degraded")" = $((rounds * n)) ] ||
		fail "not each message that came to table $table with the trigger has its decision"
done
med() { tr ' ' '\n' <<<"${of[$1]}" | sed '/^$/d' | median; }
row 'CPU, microseconds an INSERT' 'in one piece | 60 partitions | ratio'
row --- '--- | --- | ---'
for what in DISABLE ENABLE; do
	a=$(med one.$what) b=$(med many.$what)
	row "$([ $what = ENABLE ] && echo with || echo without) a decision" "$(calc %.1f "$a / ($n - 2)") | $(calc %.1f "$b / ($n - 2)") | $(calc %.2f "$b / $a")"
done

# ---- decisions in partitions -------------------------------------------------

psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
CREATE TABLE plain (id bigint, at timestamptz, sender text, body text, PRIMARY KEY (at, id));
CREATE TABLE parted (LIKE plain INCLUDING ALL);
-- as far back as 60 days
INSERT INTO parted SELECT -i, now() - i * interval '1 day', 's', 'b' FROM generate_series(0, 60) i;
INSERT INTO plain TABLE parted;
CREATE VIEW plain_signals AS SELECT id, at, sender, body, length(body) AS chars FROM plain;
CREATE VIEW parted_signals AS SELECT id, at, sender, body, length(body) AS chars FROM parted;
SELECT assay.create_policy('plain', 'plain_signals', '{at,id}', prior => -3);
SELECT assay.create_policy('parted', 'parted_signals', '{at,id}', prior => -3, partition => 'day');
SELECT count(assay.create_detector(t, 'd' || i, format('chars > %s AND body LIKE %L', i * 10, '%' || i * 7777 || '%'), weight => 0.5, mode => 'live'))
	FROM unnest('{plain,parted}'::text[]) t, generate_series(1, 50) i;
CREATE TRIGGER decide AFTER INSERT ON plain REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('plain');
CREATE TRIGGER decide AFTER INSERT ON parted REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('parted');
CALL assay.backfill('plain', at => 'at');
CALL assay.backfill('parted', at => 'at');
VACUUM ANALYZE;
SQL
[ "$(psql -XqAtc "SELECT count(*) >= 60 FROM assay_internal.decision_parts('parted_decision')")" = t ] || fail 'there are no partitions'

# $1: the table.  Sets "took".
singles() {
	took=$(single_inserts "$1" "\$1, date_trunc('day', now()) + (\$1 % 80000) * interval '1 s', 's' || \$1 % 1000, repeat(md5(\$1::text), 15)" "$next" "$n" | cpu)
	next=$((next + n))
}
# Rows of one day, and of 50 days by turns
copies() {
	local day=0
	[ "$2" = many ] && day=50
	psql -XqAtc "COPY (SELECT i, date_trunc('day', now()) + i % 80000 * interval '1 s' - (i * 7919 % ($day + 1)) * interval '1 day', 's' || i % 1000, repeat(md5(i::text), 15)
		FROM generate_series($next::bigint, $((next + rows - 1))) i) TO STDOUT" >"$build/partitions.copy"
	took=$({
		echo 'SET synchronous_commit = off;'
		echo '-- measure'
		echo "\\copy $1 FROM '$build/partitions.copy'"
	} | cpu)
	next=$((next + rows))
}
psql -Xqc 'ALTER SYSTEM SET autovacuum = off' -c 'SELECT pg_reload_conf()' >/dev/null
for _ in $(seq "$rounds"); do
	for table in plain parted; do
		singles $table
		of[$table.single]+="$took "
		for spread in one many; do
			copies $table $spread
			of[$table.$spread]+="$took "
		done
	done
done
rm -f "$build/partitions.copy"
lost=$(psql -XqAtc "SELECT (SELECT count(*) FROM parted m LEFT JOIN parted_decision d USING (at, id) WHERE d.id IS NULL OR d.degraded)
	+ (SELECT count(*) FROM plain m LEFT JOIN plain_decision d USING (at, id) WHERE d.id IS NULL OR d.degraded)
	+ (SELECT count(*) FROM parted_decision WHERE tableoid = 'parted_d_default'::regclass AND id > 0)")
[ "$lost" = 0 ] || fail "$lost decisions are degraded, missing, or in the default partition"
echo
row 'CPU, microseconds a message, decisions in' 'a plain table | partitions by day | ratio'
row --- '--- | --- | ---'
tell() { row "$1" "$(calc %.1f "$(med plain.$2) / $3") | $(calc %.1f "$(med parted.$2) / $3") | $(calc %.2f "$(med parted.$2) / $(med plain.$2)")"; }
tell 'single INSERT' single "($n - 2)"
tell "COPY of $rows messages of a day" one "$rows"
tell "COPY of $rows messages of 51 days, in no order" many "$rows"
