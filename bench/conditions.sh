#!/bin/bash
# What conditions cost that have in common what real rules have (bench/conditions.sql),
# beside the same conditions as a PL/pgSQL trigger and as triggers with WHEN.
#
#   bench/conditions.sh [ROWS (5000) [ROUNDS (5)]]
#
# CPU of one backend (user and system), which others' load does not lengthen:
# medians of alternating rounds.
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
n=${1:-5000} rounds=${2:-5}
cd "$top"
tools/cluster start conditions shared_preload_libraries=pg_assay shared_buffers=512MB max_wal_size=8GB
trap 'tools/cluster stop conditions; rm -f "$build"/conditions.*' EXIT
eval "$(tools/cluster env conditions)"
export PGOPTIONS='-c client_min_messages=warning -c jit=off -c max_parallel_workers_per_gather=0'
PGDATABASE=postgres psql -Xqc 'DROP DATABASE IF EXISTS bench_conditions' -c 'CREATE DATABASE bench_conditions'
export PGDATABASE=bench_conditions
psql -Xq -v n="$n" -f bench/conditions.sql >/dev/null
rm -f "$build"/conditions.*

# Three tables like the rows: decided by us, by one trigger, by 300
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
CREATE TABLE bare (LIKE signal_row);
CREATE TABLE ours (LIKE signal_row, PRIMARY KEY (id));
CREATE VIEW our_signals AS SELECT * FROM ours;
SELECT assay.create_policy('ours', 'our_signals', '{id}', prior => -4);
SELECT assay.create_guard('ours', 'trusted_sender', 'trusted_domain AND dkim_pass AND sender_events > 10');
SELECT count(assay.create_detector('ours', 'rule ' || to_char(i, 'FM0000'), condition(i, '', 'trusted_sender'), weight => 0.5, mode => 'live')) FROM generate_series(1, 300) i;
CREATE TRIGGER decide AFTER INSERT ON ours REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('ours');
CREATE TABLE plpgsql (LIKE signal_row, PRIMARY KEY (id));
CREATE TABLE plpgsql_hit (id bigint, hits text[]);
SELECT format('CREATE FUNCTION decide_plpgsql() RETURNS trigger LANGUAGE plpgsql AS $f$ DECLARE trusted boolean := NEW.trusted_domain AND NEW.dkim_pass AND NEW.sender_events > 10; hits text[] := %L; BEGIN %s
	INSERT INTO plpgsql_hit VALUES (NEW.id, hits); RETURN NEW; END $f$', '{}', string_agg(format('IF %s THEN hits := hits || %L::text; END IF;', condition(i, 'NEW.', 'trusted'), 'rule ' || i), E'\n' ORDER BY i))
	FROM generate_series(1, 300) i \gexec
CREATE TRIGGER decide AFTER INSERT ON plpgsql FOR EACH ROW EXECUTE FUNCTION decide_plpgsql();
CREATE TABLE whens (LIKE signal_row, PRIMARY KEY (id));
CREATE TABLE whens_hit (id bigint, hit text);
CREATE FUNCTION hit() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO whens_hit VALUES (NEW.id, TG_ARGV[0]); RETURN NEW; END $f$;
SELECT format('CREATE TRIGGER rule%s AFTER INSERT ON whens FOR EACH ROW WHEN (%s) EXECUTE FUNCTION hit(%L)', i, condition(i, 'NEW.', '(NEW.trusted_domain AND NEW.dkim_pass AND NEW.sender_events > 10)'), 'rule ' || i)
	FROM generate_series(1, 300) i \gexec
VACUUM ANALYZE;
SQL

score() { # policy, setting
	cpu <<-SQL
		$2;
		SELECT count(x.score) FROM (SELECT * FROM signal_row LIMIT 1000) s, assay.score('$1', s) x;
		-- measure
		SELECT count(x.score) FROM signal_row s, assay.score('$1', s) x;
	SQL
}
declare -A written=([bare]=bare [ours]=ours_decision [plpgsql]=plpgsql_hit [whens]=whens_hit)
insert() { # table
	psql -Xqc "TRUNCATE $1, ${written[$1]}"
	cpu <<-SQL
		BEGIN;
		INSERT INTO $1 SELECT * FROM signal_row LIMIT 300;
		ROLLBACK;
		-- measure
		INSERT INTO $1 SELECT * FROM signal_row WHERE id <= 2000;
	SQL
}
for _ in $(seq "$rounds"); do
	for policy in c1 c300 c3000; do
		score "$policy" 'SET assay.shared_atoms = on' >>"$build/conditions.$policy.on"
		score "$policy" 'SET assay.shared_atoms = off' >>"$build/conditions.$policy.off"
	done
	for t in bare ours plpgsql whens; do insert "$t" >>"$build/conditions.$t"; done
done
# all three have found the same
psql -Xqv ON_ERROR_STOP=1 <<'SQL'
CREATE VIEW found AS
SELECT 'ours' AS by, d.id, l.detector AS rule FROM ours_decision d, assay.ledger(d.attribution) l WHERE l.kind = 'rule' AND l.hit
UNION ALL SELECT 'plpgsql', id, 'rule ' || to_char(split_part(hit, ' ', 2)::int, 'FM0000') FROM plpgsql_hit, unnest(hits) hit
UNION ALL SELECT 'whens', id, 'rule ' || to_char(split_part(hit, ' ', 2)::int, 'FM0000') FROM whens_hit;
DO $$
DECLARE
	hits bigint := (SELECT count(*) FROM found) / 3;
	odd bigint := (SELECT count(*) FROM (SELECT FROM found GROUP BY id, rule HAVING count(DISTINCT by) <> 3 OR count(*) <> 3) o);
BEGIN
	IF hits < 500 OR odd <> 0 THEN
		RAISE '% hits of 2000 rows, % not found by all', hits, odd;
	END IF;
END $$;
SQL
per() { calc "$2" "$(median <"$build/conditions.$1") / $3"; }
printf '| CPU, microseconds a message | `assay.shared_atoms = on` | off |\n| --- | --- | --- |\n'
for policy in c1 c300 c3000; do
	printf '| score() with %s conditions | %s | %s |\n' "${policy#c}" "$(per "$policy.on" %.1f "$n")" "$(per "$policy.off" %.1f "$n")"
done
cost=()
for policy in c300 c3000; do
	for with in on off; do
		cost+=("$(calc %.1f "($(median <"$build/conditions.$policy.$with") - $(median <"$build/conditions.c1.$with")) / $n")")
	done
done
printf '| 300 conditions beyond one | %s | %s |\n| 3000 conditions beyond one | %s | %s |\n\n' "${cost[@]}"
printf '| the same 300 conditions, INSERT of 2000 rows | CPU, microseconds a row | beyond bare INSERT |\n| --- | --- | --- |\n'
for t in bare ours plpgsql whens; do
	printf '| %s | %s | %s |\n' "$t" "$(per "$t" %.1f 2000)" "$(calc %.1f "($(median <"$build/conditions.$t") - $(median <"$build/conditions.bare")) / 2000")"
done
