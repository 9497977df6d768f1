-- A message is never lost to a detector: what fails costs itself only.
SET extra_float_digits = 0;
CREATE TABLE deg_message (id int PRIMARY KEY, txt text, n int);
CREATE VIEW deg_signals AS SELECT id, txt, n, 100 / nullif(n, 13) AS ratio FROM deg_message;
SELECT assay.create_policy('deg', 'deg_signals', '{id}', prior => 0, log_signals => true);
SELECT assay.create_detector('deg', 'good', 'n > 0', weight => 1, mode => 'live');
SELECT assay.create_detector('deg', 'divides', '10 / (n - 5) > 1', weight => 1, mode => 'live');
SELECT assay.create_detector('deg', 'casts', 'txt::int > 5', weight => 1, mode => 'shadow');
CREATE TRIGGER decide AFTER INSERT ON deg_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('deg');
CREATE FUNCTION shown(from_id int) RETURNS TABLE (id int, verdict text, margin float8, degraded boolean, entries text, signals jsonb) LANGUAGE sql AS $$
	SELECT d.id, d.verdict, assay.margin(d.attribution), d.degraded,
		(SELECT string_agg(concat_ws(' ', l.detector, l.contribution, CASE WHEN l.shadow THEN 'shadow' END, l.fault), ', ' ORDER BY l.entry)
		 FROM assay.ledger(d.attribution) l WHERE entry > 0), assay.signals_to_jsonb(d.signals)
	FROM deg_decision d WHERE d.id >= from_id ORDER BY d.id $$;

-- one good message, one that breaks two detectors; a view that fails on one
INSERT INTO deg_message VALUES (1, '7', 6), (2, 'x', 5), (3, '8', 4);
INSERT INTO deg_message VALUES (4, '1', 0);
SELECT * FROM shown(1);
SELECT policy, detector, key, sqlstate, message, suspended FROM assay.fault WHERE policy = 'deg' ORDER BY fault;
-- the score of a SELECT is the same
SELECT count(*) AS differ FROM deg_signals s JOIN deg_decision d USING (id), assay.score('deg', s) x
WHERE id < 4 AND x.attribution::text <> d.attribution::text;

-- a detector that keeps failing is left out, and says so
SET assay.fault_limit = 3;
\set VERBOSITY terse
INSERT INTO deg_message SELECT i, '1', 5 FROM generate_series(10, 14) i;
\set VERBOSITY default
SELECT * FROM shown(10);
SELECT detector, key, suspended FROM assay.fault WHERE key[1]::int >= 10 ORDER BY fault;
-- until the policy changes
SELECT assay.alter_detector('deg', 'divides', condition => '10 / nullif(n - 5, 0) > 1');
-- what fails for another reason than the data, and on most messages, is left out for a while
CREATE FUNCTION deg_raises(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF $1 = 5 THEN RAISE 'no answer'; END IF; RETURN true; END $$;
SELECT assay.create_detector('deg', 'raises', 'public.deg_raises(n)', weight => 1, mode => 'live');
\set VERBOSITY terse
INSERT INTO deg_message SELECT i, '1', 5 FROM generate_series(21, 25) i;
\set VERBOSITY default
SELECT * FROM shown(21);
SELECT detector, key, suspended FROM assay.fault WHERE key[1]::int >= 21 ORDER BY fault;
-- a new revision ends that
SELECT assay.alter_detector('deg', 'raises', condition => 'n <> 5');
INSERT INTO deg_message VALUES (26, '1', 5);
SELECT * FROM shown(26);
RESET assay.fault_limit;
SELECT assay.retire_detector('deg', 'raises');
DROP FUNCTION deg_raises;

-- the view gains columns: nothing changes; loses one: its detectors fail
CREATE OR REPLACE VIEW deg_signals AS SELECT id, txt, n, 100 / nullif(n, 13) AS ratio, 'new' AS added FROM deg_message;
INSERT INTO deg_message VALUES (30, '1', 6);
SELECT assay.create_detector('deg', 'added', 'added = ''new''', weight => 1, mode => 'live');
INSERT INTO deg_message VALUES (31, '1', 6);
SELECT * FROM shown(30);
ALTER VIEW deg_signals RENAME COLUMN added TO renamed;
INSERT INTO deg_message VALUES (32, '1', 6);
SELECT * FROM shown(32);
-- the view has another name, and is found; it is gone, and comes back
ALTER VIEW deg_signals RENAME TO deg_away;
INSERT INTO deg_message VALUES (36, '1', 6);
SELECT id, verdict, margin, degraded, entries FROM shown(36);
DROP VIEW deg_away;
\set VERBOSITY terse
INSERT INTO deg_message VALUES (33, '1', 6), (34, '1', 6);
\set VERBOSITY default
SELECT id, verdict, margin, degraded, entries FROM shown(33) WHERE id < 36;
CREATE VIEW deg_signals AS SELECT id, txt, n, 100 / nullif(n, 13) AS ratio, 'new' AS renamed FROM deg_message;
INSERT INTO deg_message VALUES (37, '1', 6);
SELECT id, verdict, margin, degraded, entries FROM shown(37);
-- the view has no row for a message
CREATE OR REPLACE VIEW deg_signals AS SELECT id, txt, n, 100 / nullif(n, 13) AS ratio, 'new' AS renamed FROM deg_message WHERE id <> 41;
INSERT INTO deg_message VALUES (40, '1', 6), (41, '1', 6);
SELECT id, verdict, margin, degraded, entries FROM shown(40);
-- or two
CREATE OR REPLACE VIEW deg_signals AS SELECT id, txt, n, 100 / nullif(n, 13) AS ratio, 'new' AS renamed FROM deg_message, generate_series(1, 2);
INSERT INTO deg_message VALUES (42, '1', 6);
SELECT id, verdict, margin, degraded, entries FROM shown(42);

-- a cancel is no fault
CREATE OR REPLACE VIEW deg_signals AS SELECT id, txt, n, 100 / nullif(n, 13) AS ratio, 'new' AS renamed FROM deg_message, LATERAL (SELECT pg_sleep(n)) x;
\set SHOW_CONTEXT never
SET statement_timeout = '200ms';
INSERT INTO deg_message VALUES (50, '1', 10);
\set SHOW_CONTEXT errors
RESET statement_timeout;
SELECT count(*) FROM deg_message WHERE id = 50;
CREATE OR REPLACE VIEW deg_signals AS SELECT id, txt, n, 100 / nullif(n, 13) AS ratio, 'new' AS renamed FROM deg_message;

-- what failed to compile for want of something is tried again
CREATE FUNCTION deg_fold() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF current_setting('deg.locked', true) = 'yes' THEN
		RAISE lock_not_available;
	END IF;
	RETURN 1000;
END $$;
SELECT assay.create_detector('deg', 'folds', 'n > public.deg_fold()', weight => 1, mode => 'live');
SET deg.locked = 'yes';
INSERT INTO deg_message VALUES (51, '1', 2000);
SET deg.locked = 'no';
-- it is compiled again a second later
SELECT pg_sleep(1.1);
INSERT INTO deg_message VALUES (52, '1', 2000);
SELECT id, verdict, margin, degraded, entries FROM shown(51);
-- so is what was in a deadlock
CREATE OR REPLACE FUNCTION deg_fold() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF current_setting('deg.locked', true) = 'yes' THEN
		RAISE deadlock_detected;
	END IF;
	RETURN 1000;
END $$;
\set VERBOSITY terse
SELECT assay.create_detector('deg', 'deep', repeat('(n + ', 2000) || '0' || repeat(')', 2000) || ' > 5', weight => 1, mode => 'live');
SET deg.locked = 'yes';
INSERT INTO deg_message VALUES (53, '1', 2000);
SET deg.locked = 'no';
SELECT pg_sleep(1.1);
INSERT INTO deg_message VALUES (54, '1', 2000);
-- and what had no stack left: a session's first INSERT may come from deep within functions
SELECT assay.alter_detector('deg', 'deep', weight => 2);
SET max_stack_depth = '300kB';
INSERT INTO deg_message VALUES (55, '1', 2000);
RESET max_stack_depth;
SELECT pg_sleep(1.1);
INSERT INTO deg_message VALUES (56, '1', 2000);
\set VERBOSITY default
SELECT id, verdict, margin, degraded, entries FROM shown(53);
SELECT assay.retire_detector('deg', 'deep');
SELECT assay.retire_detector('deg', 'folds');
DROP FUNCTION deg_fold;

-- messages decided one by one take no memory from each other
CREATE VIEW deg_memory AS SELECT id, txt, n, (SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'SPI%') AS bytes FROM deg_message;
SELECT assay.create_policy('mem', 'deg_memory', '{id}', prior => 0);
SELECT assay.create_detector('mem', 'divides', '1 / n > 0', weight => 1, mode => 'live');
SELECT assay.create_detector('mem', 'grows', 'bytes > 1000000', weight => 1, mode => 'live');
CREATE TRIGGER decide_mem AFTER INSERT ON deg_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('mem');
ALTER TABLE deg_message DISABLE TRIGGER decide;
INSERT INTO deg_message SELECT i, repeat('x', 1500), (i <> 2500)::int FROM generate_series(1001, 2500) i;
SELECT count(*), count(*) FILTER (WHERE degraded) AS degraded, count(*) FILTER (WHERE l.detector = 'grows') AS grown
FROM mem_decision d LEFT JOIN LATERAL (SELECT * FROM assay.ledger(d.attribution) l WHERE l.detector = 'grows') l ON true;
DROP TRIGGER decide_mem ON deg_message;
ALTER TABLE deg_message ENABLE TRIGGER decide;
DELETE FROM deg_message WHERE id > 1000;
\set VERBOSITY terse
SELECT assay.drop_policy('mem', true);
\set VERBOSITY default
DROP VIEW deg_memory;

-- whoever wants errors to be errors
SELECT assay.alter_policy('deg', on_error => 'raise');
INSERT INTO deg_message VALUES (60, 'x', 6);
SELECT x.score FROM deg_signals s, assay.score('deg', s) x WHERE s.id = 2;
-- a view that can't be read is one too
BEGIN;
DROP VIEW deg_signals;
\set VERBOSITY terse
INSERT INTO deg_message VALUES (60, '1', 6);
\set VERBOSITY default
ROLLBACK;
SELECT count(*) FROM deg_message WHERE id = 60;

-- a condition that scores its own policy comes to an end
SELECT assay.alter_policy('deg', on_error => 'degrade');
CREATE FUNCTION deg_again(n int) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT x.score > 0 FROM public.deg_signals s, assay.score('deg', s) x WHERE s.id = 1 $$;
SELECT assay.create_detector('deg', 'again', 'public.deg_again(n)', weight => 1, mode => 'live');
INSERT INTO deg_message VALUES (70, '1', 6);
SELECT id, verdict, margin, degraded, entries FROM shown(70);
SELECT detector, sqlstate, message FROM assay.fault WHERE key = '{70}';

-- a setting that is compiled in takes effect at once, up and down
SELECT assay.create_detector('deg', 'linear', model => assay.model_from_linear('{id,n,ratio}', '{0.5,0.25,0.125}', 0, 'logistic'), mode => 'live');
SELECT top, jsonb_array_length(l.signals) AS kept FROM unnest('{1,255,2,0}'::int[]) WITH ORDINALITY t(top, i),
	LATERAL (SELECT set_config('assay.top_features', top::text, false)) c(value),
	LATERAL (SELECT s AS row FROM deg_signals s WHERE s.id = 1 AND c.value IS NOT NULL OFFSET 0) s, assay.score('deg', s.row) x, assay.ledger(x.attribution) l
WHERE l.detector = 'linear' ORDER BY i;
RESET assay.top_features;
-- below a score, and in the default verdict, a model's margin is enough
SELECT explain_from, id, x.verdict, l.contribution, jsonb_array_length(l.signals) AS kept FROM unnest('{0,1}'::text[]) WITH ORDINALITY t(explain_from, i),
	LATERAL (SELECT set_config('assay.explain_from', explain_from, false)) c(value),
	LATERAL (SELECT s.id, s AS row FROM (VALUES (-100, 4, 25), (1, 6, 16)) s(id, n, ratio) WHERE c.value IS NOT NULL OFFSET 0) s,
	assay.score('deg', s.row) x, assay.ledger(x.attribution) l
WHERE l.detector = 'linear' ORDER BY i, id;
RESET assay.explain_from;

-- a margin that no ledger could hold is a fault, and a feature's share of one is left out
SELECT assay.create_policy('huge', 'deg_signals', '{id}', prior => 0);
SELECT assay.create_detector('huge', 'times its weight', model => assay.model_from_linear('{n}', '{1e306}', 0), weight => 1000, mode => 'live');
SELECT assay.create_detector('huge', 'one against the other', model => assay.model_from_linear('{n,id}', '{1e306,-1e306}', 0), weight => 1000, mode => 'live');
SELECT x.verdict, x.score, l.detector, l.contribution, l.fault, l.signals FROM (SELECT 1 AS id, 1 AS n) s, assay.score('huge', s) x, assay.ledger(x.attribution::text::assay.attribution) l WHERE l.entry > 0 ORDER BY l.entry;
\set VERBOSITY terse
SELECT assay.drop_policy('huge', true);
\set VERBOSITY default

-- where errors are raised and caught outside, a function begins again
\set SHOW_CONTEXT never
CREATE TABLE torn_message (id int PRIMARY KEY, n int);
CREATE VIEW torn_signals AS SELECT id, n FROM torn_message;
CREATE FUNCTION torn_ratio(n int) RETURNS boolean LANGUAGE sql STABLE SET work_mem = '4MB' AS 'SELECT 10 / n > 1';
SELECT assay.create_policy('torn', 'torn_signals', '{id}', prior => 0, on_error => 'raise');
SELECT assay.create_detector('torn', 'ratio', 'public.torn_ratio(n)', mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON torn_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('torn');
BEGIN;
INSERT INTO torn_message VALUES (1, 1);
SAVEPOINT s;
INSERT INTO torn_message VALUES (2, 0);
ROLLBACK TO s;
INSERT INTO torn_message VALUES (3, 1), (4, 100);
SAVEPOINT s;
INSERT INTO torn_message VALUES (5, 1), (6, 0);
ROLLBACK TO s;
INSERT INTO torn_message VALUES (7, 1);
COMMIT;
SELECT id, assay.margin(attribution) FROM torn_decision ORDER BY id;
\set VERBOSITY terse
DROP TRIGGER decide ON torn_message;
SELECT assay.drop_policy('torn', true);
DROP VIEW torn_signals;
DROP TABLE torn_message;
DROP FUNCTION torn_ratio;
\set SHOW_CONTEXT errors
\set VERBOSITY default

-- What fills a record fails for what is none, and takes it for one the next time: a number was an address.
SET client_min_messages = error;
CREATE TABLE fill_message (id int PRIMARY KEY, n float8, j jsonb, received_at timestamptz DEFAULT now());
CREATE VIEW fill_signals AS SELECT * FROM fill_message;
CREATE FUNCTION fill(anyelement, jsonb) RETURNS anyelement LANGUAGE sql STABLE AS 'SELECT $1';
SELECT assay.create_policy('fill', 'fill_signals', '{id}');
SELECT assay.create_detector('fill', 'hit', 'public.fill(n, j) > 1', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON fill_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('fill');
CREATE OR REPLACE FUNCTION fill(anyelement, jsonb) RETURNS anyelement LANGUAGE sql STABLE AS 'SELECT jsonb_populate_record($1, $2)';
INSERT INTO fill_message SELECT i, 1.5, '{}' FROM generate_series(1, 3) i;
SELECT id, verdict, degraded FROM fill_decision ORDER BY id;
SELECT detector, sqlstate, message, count(*) FROM assay.fault WHERE policy = 'fill' GROUP BY 1, 2, 3;
\set VERBOSITY terse
SELECT hits, faults FROM assay.backtest('fill', 'jsonb_populate_record(n, j) > 1');
CREATE OPERATOR ==> (FUNCTION = jsonb_populate_record, LEFTARG = anyelement, RIGHTARG = jsonb);
SELECT assay.create_detector('fill', 'operator', '(n OPERATOR(public.==>) j) > 1', weight => 1, mode => 'live');
SELECT assay.create_guard('fill', 'filled', 'jsonb_populate_record(n, j) > 2');
SELECT assay.create_detector('fill', 'guarded', 'filled AND n > 1', weight => 1, mode => 'live');
SELECT assay.exclude('fill', 'none', 'jsonb_populate_record(n, j) > 3', mutes => '{hit}', reason => 'none');
INSERT INTO fill_message SELECT i, 2.5, '{}' FROM generate_series(4, 12) i;
SELECT detector, sqlstate, message FROM assay.fault WHERE policy = 'fill' GROUP BY 1, 2, 3 ORDER BY 1;
SELECT count(*), bool_and(degraded) FROM fill_decision;
-- what failed is given back in time, however many messages fail
SET assay.fault_limit = 1000000;
INSERT INTO fill_message SELECT i, 2.5, '{}' FROM generate_series(13, 3000) i;
SELECT count(*) > 0 AS used, sum(total_bytes) < 200000 AS bounded FROM pg_backend_memory_contexts WHERE name = 'pg_assay parts';
RESET assay.fault_limit;
DROP TRIGGER decide ON fill_message;
-- nor does a logged signal whose domain's check fails so
CREATE DOMAIN checked AS int;
CREATE TABLE checked_message (id int PRIMARY KEY, n checked, received_at timestamptz DEFAULT now());
CREATE VIEW checked_signals AS SELECT * FROM checked_message;
SELECT assay.create_policy('checked', 'checked_signals', '{id}', log_signals => true);
INSERT INTO checked_message SELECT i, 5 FROM generate_series(1, 3) i;
CALL assay.backfill('checked');
ALTER DOMAIN checked ADD CHECK (jsonb_populate_record(VALUE, '{}') IS NOT NULL) NOT VALID;
SELECT hits, faults FROM assay.backtest('checked', 'n > 1', signals => 'logged');
SELECT assay.drop_policy('checked', true);
DROP VIEW checked_signals;
DROP TABLE checked_message;
DROP DOMAIN checked;
SELECT assay.drop_policy('fill', true);
DROP OPERATOR ==> (anyelement, jsonb);
DROP FUNCTION fill;
DROP VIEW fill_signals;
DROP TABLE fill_message;
RESET client_min_messages;
\set VERBOSITY default

-- every message has one decision
SELECT count(*) AS undecided FROM deg_message m LEFT JOIN deg_decision d USING (id) WHERE d.id IS NULL;
SELECT count(*) AS twice FROM (SELECT FROM deg_decision GROUP BY id HAVING count(*) > 1) t;
-- each ledger adds up
SELECT count(*) AS wrong FROM deg_decision d, LATERAL (SELECT sum(l.contribution) AS m FROM assay.ledger(d.attribution) l WHERE l.counted) l
WHERE abs(l.m - assay.margin(d.attribution)) > 1e-9 OR abs(1 / (1 + exp(-l.m)) - d.score) > 1e-6;

DROP TRIGGER decide ON deg_message;
\set VERBOSITY terse
DROP FUNCTION shown;
SELECT assay.drop_policy('deg', true);
DROP FUNCTION deg_again;
DROP VIEW deg_signals;
DROP TABLE deg_message;
