-- backtest(): a condition or model that is not saved, over past messages; logged signals in replay and comparison
\set SHOW_CONTEXT never
SET extra_float_digits = 0;
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE SCHEMA back;
SET search_path = back, public;
CREATE TABLE message (tenant text, "Id" numeric, at timestamptz NOT NULL, x int, body text, PRIMARY KEY (tenant, "Id"));
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE VIEW signals AS SELECT tenant, "Id", at, x, x % 2 = 0 AS two, x % 3 = 0 AS three, x::small AS s, body FROM message;
SELECT assay.create_policy('b''s', 'signals', '{tenant,Id}', prior => -1, log_signals => true);
SELECT assay.create_detector('b''s', 'two', 'two', weight => 1.5, mode => 'live');
SELECT assay.create_detector('b''s', 'shady', 'three', weight => 2, mode => 'shadow');
SELECT assay.create_guard('b''s', 'big', 'x > 100');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('b''s');
INSERT INTO message SELECT 't''' || i % 2, i, timestamptz '2026-01-01' + i * interval '1 hour', i, 'body ' || i FROM generate_series(1, 100) i;
-- of these nothing is logged
SELECT assay.alter_policy('b''s', log_signals => false) AS revision;
INSERT INTO message SELECT 't''' || i % 2, i, timestamptz '2026-01-01' + i * interval '1 hour', i, 'body ' || i FROM generate_series(101, 160) i;
-- and of these not even a decision is there
ALTER TABLE message DISABLE TRIGGER decide;
INSERT INTO message SELECT 't''' || i % 2, i, timestamptz '2026-01-01' + i * interval '1 hour', i, 'body ' || i FROM generate_series(161, 200) i;
INSERT INTO "b's_label" (tenant, "Id", malicious, source, labelled_at) SELECT tenant, ("Id" || '.0')::numeric, three, 'test', '2026-02-01' FROM signals WHERE x % 5 <> 0;
-- what was logged differs from what is there now
UPDATE message SET x = x + 1 WHERE "Id" <= 10;

\pset expanded on
SELECT messages, from_log, faults, claim, hits, labelled, tp, fp, "precision", lower, upper, recall, flips, flips_right, flips_wrong, cost_us > 0 AS cost, overlap
FROM assay.backtest('b''s', 'three', at => 'at', weight => 2);
SELECT messages, from_log, hits, labelled, tp, fp, flips FROM assay.backtest('b''s', 'three', at => 'at', weight => 2, signals => 'logged');
SELECT messages, from_log, hits, labelled, tp, fp, flips FROM assay.backtest('b''s', 'three', at => 'at', weight => 2, signals => 'view');
SELECT messages, from_log, hits, labelled, tp, fp, flips FROM assay.backtest('b''s', 'three', '2026-01-01 20:00', '2026-01-06', at => 'at', weight => 2);
-- for safe, forced, a guard, nothing
SELECT claim, hits, labelled, tp, fp, "precision", recall, flips FROM assay.backtest('b''s', 'NOT three', at => 'at', weight => -3);
SELECT claim, hits, flips, flips_right, flips_wrong FROM assay.backtest('b''s', 'three', at => 'at', weight => 0, force_verdict => 'malicious');
SELECT claim, hits, flips, flips_right, flips_wrong FROM assay.backtest('b''s', 'three AND big', at => 'at', weight => 0, force_verdict => 'safe');
SELECT hits, labelled, tp, "precision", lower, recall, flips, overlap, changes FROM assay.backtest('b''s', 'x < 0', at => 'at');
SELECT hits, "precision", recall FROM assay.backtest('b''s', 'NULL', at => 'at');
-- a model
SELECT claim, hits, labelled, tp, flips, flips_right, cost_us FROM assay.backtest('b''s', model => assay.model_from_linear('{x}', '{0.05}', -4), at => 'at', weight => 0.5);
-- one that fails for a message costs that message
SELECT messages, faults, hits FROM assay.backtest('b''s', '10 / (x - 50) > 1', at => 'at');
-- a function that the condition calls is dropped on the way: what is left of the messages are faults, and the report is there
CREATE FUNCTION gone(int) RETURNS boolean STABLE LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE FUNCTION drop_it() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN DROP FUNCTION IF EXISTS back.gone(int); RETURN true; END';
CREATE FUNCTION drops_it() RETURNS boolean STABLE LANGUAGE plpgsql AS 'BEGIN RETURN back.drop_it(); END';
SELECT messages > faults AS any, faults > 1 AS faults FROM assay.backtest('b''s', 'CASE WHEN back.drops_it() AND x % 2 = 0 THEN true ELSE back.gone(x) END', at => 'at', signals => 'view');
SELECT to_regprocedure('back.gone(int)') AS gone;
\pset expanded off
SELECT c.key, c.malicious, c.verdict_before, c.verdict_after, c.score_before, c.score_after
FROM assay.backtest('b''s', 'three', at => 'at', weight => 2, examples => 4) b,
	jsonb_to_recordset(b.changes) c(key text[], malicious boolean, verdict_before text, verdict_after text, score_before float8, score_after float8);

-- the same as a detector that is saved, replayed and counted
CREATE FUNCTION saved(condition text, weight float8) RETURNS TABLE (messages bigint, hits bigint, labelled bigint, tp bigint, flips bigint, flips_right bigint) LANGUAGE plpgsql AS $$
DECLARE made int;
BEGIN
	made := assay.create_detector('b''s', 'saved', condition, weight => weight, mode => 'live');
	RETURN QUERY
		SELECT count(*), count(*) FILTER (WHERE r.hit), count(*) FILTER (WHERE r.hit AND r.malicious IS NOT NULL), count(*) FILTER (WHERE r.hit AND r.malicious),
			count(*) FILTER (WHERE r.a <> r.b), count(*) FILTER (WHERE r.a <> r.b AND r.malicious = (r.b > r.a))
		FROM (SELECT l.malicious, array_position('{safe,suspicious,malicious}', p.verdict_a) AS a, array_position('{safe,suspicious,malicious}', p.verdict_b) AS b,
				assay.hits(n.attribution) @> '{saved}' AS hit
			FROM assay.compare_messages('b''s', made - 1, made, at => 'at', signals => 'auto') p
			JOIN assay.replay('b''s', revision => made, at => 'at', signals => 'auto') n USING (key)
			LEFT JOIN "b's_label_latest" l ON l.tenant = p.key[1] AND l."Id" = p.key[2]::numeric) r;
	PERFORM assay.drop_detector('b''s', 'saved');
END $$;
CREATE FUNCTION compared(condition text, weight float8) RETURNS text LANGUAGE plpgsql AS $$
DECLARE b record; s record;
BEGIN
	SELECT * INTO b FROM assay.backtest('b''s', condition, at => 'at', weight => weight);
	SELECT * INTO s FROM saved(condition, weight);
	RETURN format('%s: %s hits, %s flips, %s', condition, b.hits, b.flips,
		CASE WHEN (b.messages, b.hits, b.labelled, b.tp, b.flips, b.flips_right) = (s.messages, s.hits, s.labelled, s.tp, s.flips, s.flips_right) THEN 'the same' ELSE 'not the same' END);
END $$;
SELECT compared('three', 2);
SELECT compared('x % 7 = 0', 4);
SELECT compared('body LIKE ''%9%'' OR big', 0.5);
SELECT compared('s > 150', 3);

-- logged signals in replay and comparison
SELECT count(*), count(*) FILTER (WHERE verdict <> 'safe') AS caught FROM assay.replay('b''s', at => 'at');
SELECT count(*), count(*) FILTER (WHERE verdict <> 'safe') AS caught FROM assay.replay('b''s', at => 'at', signals => 'logged');
SELECT count(*), count(*) FILTER (WHERE verdict <> 'safe') AS caught FROM assay.replay('b''s', at => 'at', signals => 'auto');
-- what was logged gives the decisions that were made; no skew
SELECT count(*), count(*) FILTER (WHERE r.verdict <> d.verdict OR r.score <> d.score) AS differ
FROM assay.replay('b''s', at => 'at', signals => 'logged') r JOIN "b's_verdict" d ON d.tenant = r.key[1] AND d."Id" = r.key[2]::numeric;
SELECT count(*) FILTER (WHERE r.verdict <> d.verdict) AS skewed
FROM assay.replay('b''s', at => 'at') r JOIN "b's_verdict" d ON d.tenant = r.key[1] AND d."Id" = r.key[2]::numeric;
SELECT count(*) FROM assay.replay('b''s', '2026-01-01 05:00', '2026-01-01 08:00', at => 'at', signals => 'logged');
SELECT change, messages FROM assay.compare('b''s', 1, at => 'at', signals => 'logged') WHERE messages > 0;
SELECT change, messages FROM assay.compare('b''s', 1, at => 'at', signals => 'auto') WHERE messages > 0;
-- keys are compared by their own types: 1.0 is 1
SELECT count(malicious) FROM assay.compare_messages('b''s', 1, at => 'at');
-- a view that has more: what was logged lacks it, so it is read again; another type is made of the text
BEGIN;
CREATE OR REPLACE VIEW signals AS SELECT tenant, "Id", at, x, x % 2 = 0 AS two, x % 3 = 0 AS three, x::small AS s, body, length(body) AS len FROM message;
SELECT messages, from_log, hits FROM assay.backtest('b''s', 'len = 6', at => 'at');
SELECT messages, from_log, hits FROM assay.backtest('b''s', 'len = 6', at => 'at', signals => 'logged');
SELECT count(*) FROM assay.replay('b''s', at => 'at', signals => 'auto');
ROLLBACK;
BEGIN;
DROP VIEW signals CASCADE;
CREATE VIEW signals AS SELECT tenant, "Id", at, x::bigint, x % 2 = 0 AS two, x % 3 = 0 AS three, x::text AS s, body::varchar FROM message;
SELECT messages, from_log, hits FROM assay.backtest('b''s', 's LIKE ''_'' AND x > 1::bigint', at => 'at');
ROLLBACK;
-- by a revision with logged signals again
SELECT assay.alter_policy('b''s', log_signals => true) AS revision;
CALL assay.backfill('b''s', at => 'at');
SELECT messages, from_log FROM assay.backtest('b''s', 'three', at => 'at');

-- errors
SELECT assay.backtest('b''s', at => 'at');
SELECT assay.backtest('b''s', 'three', model => assay.model_from_linear('{x}', '{1}'), at => 'at');
SELECT assay.backtest('b''s', 'nothing', at => 'at');
SELECT assay.backtest('b''s', 'three; DROP TABLE message', at => 'at');
SELECT assay.backtest('b''s', '(SELECT true)', at => 'at');
SELECT assay.backtest('b''s', 'x', at => 'at');
SELECT assay.backtest('b''s', 'random() > 0', at => 'at');
SELECT assay.backtest('b''s', 'three');
SELECT assay.backtest('b''s', 'three', at => 'at', weight => 1001);
SELECT assay.backtest('b''s', 'three', at => 'at', weight => 'NaN');
SELECT assay.backtest('b''s', 'three', at => 'at', force_verdict => 'bad');
SELECT assay.backtest('b''s', 'three', at => 'at', signals => 'mine');
SELECT assay.backtest('b''s', 'three', at => 'at', signals => NULL);
SELECT assay.backtest('b''s', 'three', at => 'at', examples => -1);
SELECT assay.backtest('b''s', 'three', at => 'at', examples => 1001);
SELECT length(changes::text) > 0 FROM assay.backtest('b''s', 'three', at => 'at', examples => 1000);
SELECT changes FROM assay.backtest('b''s', 'three', at => 'at', examples => 0);
SELECT assay.backtest('b''s', 'three', NULL, at => 'at');
SELECT assay.backtest('nobody', 'three', at => 'at');
SELECT assay.backtest(NULL, 'three');
SELECT assay.backtest('b''s', model => assay.model_from_linear('{zz}', '{1}'), at => 'at');
SELECT * FROM assay.replay('b''s', at => 'at', signals => 'x');
SELECT assay_internal.condition_hit('b''s', 'three', ROW(1, 2), false);
SELECT assay_internal.condition_hit('b''s', 'three', NULL::signals, false);
SELECT assay_internal.signals_row(1, signals) FROM "b's_decision" WHERE signals IS NOT NULL LIMIT 1;
SELECT count(assay_internal.signals_row(NULL::message, signals)) FROM "b's_decision" WHERE signals IS NOT NULL AND revision > 5;

-- rights: the owner's functions for the owner, and never a stranger's
CREATE ROLE regress_owner;
CREATE ROLE regress_builder;
CREATE ROLE regress_reader;
CREATE ROLE regress_stranger;
GRANT ALL ON SCHEMA back TO regress_owner, regress_builder, regress_reader, regress_stranger;
ALTER TABLE message OWNER TO regress_owner;
SELECT assay.alter_policy('b''s', owner => 'regress_owner') > 0 AS given;
SELECT assay.grant_access('b''s', 'regress_builder', 'builder'), assay.grant_access('b''s', 'regress_reader', 'reader');
SET ROLE regress_stranger;
CREATE FUNCTION who(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'as %', current_user; RETURN true; END $$;
SELECT messages FROM assay.backtest('b''s', 'three', at => 'at');
SELECT assay_internal.condition_hit('b''s', 'three', NULL::signals, false);
SELECT assay_internal.condition_hit('b''s', 'three', ROW(1, 2), false);
SET ROLE regress_owner;
SELECT messages FROM assay.backtest('b''s', 'three', at => 'at');
SELECT messages FROM assay.backtest('b''s', 'back.who(x)', at => 'at');
RESET ROLE;
-- whoever it is, a superuser too
SELECT messages FROM assay.backtest('b''s', 'back.who(x)', at => 'at');
SELECT assay_internal.condition_hit_logged('b''s', 'back.who(x)', signals, false) FROM "b's_decision" WHERE signals IS NOT NULL LIMIT 1;
SET ROLE regress_builder;
SELECT messages, hits FROM assay.backtest('b''s', 'three', at => 'at');
SELECT messages FROM assay.backtest('b''s', 'back.who(x)', at => 'at');
-- the builder's own run as the builder
CREATE FUNCTION mine(int) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_user = 'regress_owner'; END $$;
SELECT messages FROM assay.backtest('b''s', 'back.mine(x)', at => 'at');
SELECT assay_internal.condition_hit_logged('b''s', 'back.mine(x)', signals, false) FROM "b's_decision" WHERE signals IS NOT NULL LIMIT 1;
SELECT assay_internal.condition_hit_logged('b''s', 'pg_read_file(''/etc/hostname'') <> body', signals, false) FROM "b's_decision" WHERE signals IS NOT NULL LIMIT 1;
SET ROLE regress_reader;
SELECT messages FROM assay.backtest('b''s', 'three', at => 'at');
RESET ROLE;

-- in parallel, where there may be no subtransaction: what is not parallel safe is refused, and an error of a user's function is the query's
CREATE FUNCTION caught(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1 / i > 0; EXCEPTION WHEN division_by_zero THEN RETURN true; END $$;
CREATE FUNCTION fails(i int) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	PERFORM FROM pg_catalog.pg_class LIMIT 1;
	RETURN 1 / (i - i) > 0;
END $$;
CREATE TABLE back_many (id int PRIMARY KEY, x int);
INSERT INTO back_many SELECT i, i % 7 FROM generate_series(1, 2000) i;
CREATE VIEW back_view AS SELECT id, x FROM back_many;
SELECT assay.create_policy('parallel', 'back_view', '{id}') IS NOT NULL AS made;
ANALYZE back_many;
CREATE FUNCTION back_try(condition text, careful boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	-- a plain SELECT INTO asks for one row, and so for no workers
	EXECUTE $q$SELECT string_agg(format('%s: %s', t.hit, t.n), ', ' ORDER BY t.hit)
		FROM (SELECT h.hit, count(*) AS n FROM (SELECT assay_internal.condition_hit('parallel', $1, v, $2) AS hit FROM back.back_view v OFFSET 0) h GROUP BY 1) t$q$
	INTO found USING condition, careful;
	RETURN found;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END $$;
SELECT c, back_try(c, true) FROM unnest('{back.caught(x),x > 3,10 / x > 4}'::text[]) c;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;
SELECT c, back_try(c, true) FROM unnest('{back.caught(x),x > 3,10 / x > 4}'::text[]) c;
SELECT back_try('back.fails(x)', true) IN ('division by zero', '2: 2000') AS clean;
SELECT hits, faults FROM assay.backtest('parallel', 'back.caught(x)', at => NULL);
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET parallel_leader_participation;

SET client_min_messages = error;
DROP TRIGGER decide ON message;
SELECT assay.drop_policy('parallel', drop_tables => true);
SELECT assay.drop_policy('b''s', drop_tables => true);
DROP SCHEMA back CASCADE;
DROP ROLE regress_owner, regress_builder, regress_reader, regress_stranger;
