-- what takes too long for one message is a fault, and the message is decided
SET assay.message_budget = '60ms';
CREATE TABLE late_message (id int PRIMARY KEY, txt text, seconds float8 DEFAULT 0);
CREATE VIEW late_signals AS SELECT id, txt, seconds FROM late_message;
CREATE FUNCTION late_sleep(seconds float8) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_catalog.pg_sleep(seconds); RETURN true; END $$;
SELECT assay.create_policy('late', 'late_signals', '{id}', prior => 0);
SELECT assay.create_detector('late', 'regex', 'txt ~ ''^(.*)(.*)(.*)b\1\2\3$''', mode => 'live');
SELECT assay.create_detector('late', 'sleeps', 'public.late_sleep(seconds)', mode => 'live');
SELECT assay.create_detector('late', 'good', 'id > 0', mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON late_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('late');
CREATE FUNCTION shown(from_id int) RETURNS TABLE (id int, verdict text, degraded boolean, entries text) LANGUAGE sql AS $$
	SELECT d.id, d.verdict, d.degraded,
		(SELECT string_agg(concat_ws(' ', l.detector, l.contribution, l.fault), ', ' ORDER BY l.entry) FROM assay.ledger(d.attribution) l WHERE entry > 0)
	FROM late_decision d WHERE d.id >= from_id ORDER BY d.id $$;
INSERT INTO late_message VALUES (1, 'short');
INSERT INTO late_message VALUES (2, repeat('a', 3000) || 'b' || repeat('c', 3000));
INSERT INTO late_message VALUES (3, 'abab', 1000), (4, 'abab', 0), (5, 'abab', 1000);
SELECT * FROM shown(1);
SELECT detector, key, sqlstate, message FROM assay.fault WHERE policy = 'late' ORDER BY fault;
-- no other part of the statement is timed
BEGIN;
INSERT INTO late_message SELECT 10, 'x' FROM pg_sleep(0.15);
SELECT pg_sleep(0.15);
COMMIT;
SELECT * FROM shown(10);
-- score() and backfill() are alike; without a budget nothing ends but by a timeout
SELECT x.verdict, (SELECT string_agg(concat_ws(' ', detector, fault), ', ' ORDER BY entry) FROM assay.ledger(x.attribution) WHERE entry > 0) AS entries
FROM late_signals s, assay.score('late', s) x WHERE id = 3;
SELECT assay.alter_policy('late', prior => 0.5);
CALL assay.backfill('late', at => NULL);
SELECT id, entries FROM late_decision d, LATERAL (SELECT string_agg(concat_ws(' ', detector, fault), ', ' ORDER BY entry) AS entries FROM assay.ledger(d.attribution) WHERE entry > 0) l
WHERE revision = 5 ORDER BY id;
SET assay.message_budget = 0;
SET statement_timeout = '100ms';
\set SHOW_CONTEXT never
INSERT INTO late_message VALUES (20, 'x', 1000);
\set SHOW_CONTEXT errors
-- a timeout of the statement is for the statement, whatever the budget
SET assay.message_budget = '10s';
\set VERBOSITY terse
INSERT INTO late_message VALUES (20, 'x', 1000);
RESET statement_timeout;
\set VERBOSITY default
-- each of many detectors takes too long: the message's time has an end
SET assay.message_budget = '40ms';
SELECT max(assay.create_detector('late', 'more ' || i, 'public.late_sleep(seconds + ' || i || ')', mode => 'live')) FROM generate_series(1, 5) i;
INSERT INTO late_message VALUES (30, 'x', 1000);
SELECT * FROM shown(30);
SELECT detector, sqlstate, message FROM assay.fault WHERE key = '{30}' ORDER BY fault;
-- the signals take too long
CREATE OR REPLACE VIEW late_signals AS SELECT id, txt, seconds + CASE WHEN public.late_sleep(seconds) THEN 0 END AS seconds FROM late_message;
INSERT INTO late_message VALUES (40, 'x', 1000);
SELECT * FROM shown(40);
SELECT detector, sqlstate, message FROM assay.fault WHERE key = '{40}' ORDER BY fault;
-- one that comes again while the first is handled is over with it, too
CREATE FUNCTION late_reluctant(long text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM pg_catalog.pg_sleep(1000);
	RETURN true;
EXCEPTION WHEN query_canceled THEN
	-- no interrupts are looked for in the hash
	RAISE EXCEPTION USING ERRCODE = 'query_canceled', MESSAGE = pg_catalog.length(pg_catalog.sha512(long::bytea))::text;
END $$;
CREATE TABLE late_long (id int PRIMARY KEY, long text);
CREATE VIEW late_long_signals AS SELECT id, long FROM late_long;
SELECT assay.create_policy('late_long', 'late_long_signals', '{id}', prior => 0);
SELECT assay.create_detector('late_long', 'reluctant', 'public.late_reluctant(long)', mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON late_long REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('late_long');
SET assay.message_budget = '20ms';
INSERT INTO late_long VALUES (1, repeat(repeat('x', 1000000), 30));
SELECT id, degraded FROM late_long_decision;
DROP TRIGGER decide ON late_long;
\set VERBOSITY terse
SELECT assay.drop_policy('late_long', true);
DROP TABLE late_long CASCADE;
DROP FUNCTION late_reluctant;
\set VERBOSITY default
-- what a message's signals make known to the session for the first time is not the message's
CREATE FUNCTION late_constant() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.1); RETURN true; END $$;
CREATE TABLE late_outer (id int PRIMARY KEY);
CREATE VIEW late_inner_signals AS SELECT id FROM late_outer;
SELECT assay.create_policy('late_inner', 'late_inner_signals', '{id}', prior => 0);
SELECT assay.create_detector('late_inner', 'constant', 'id > 0 AND public.late_constant()', mode => 'live');
CREATE VIEW late_outer_signals AS SELECT i.id, (assay.score('late_inner', i)).score FROM late_inner_signals i;
SELECT assay.create_policy('late_outer', 'late_outer_signals', '{id}', prior => 0);
SELECT assay.create_detector('late_outer', 'inner', 'score > 0.6', mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON late_outer REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('late_outer');
SET assay.message_budget = '40ms';
INSERT INTO late_outer VALUES (1);
INSERT INTO late_outer VALUES (2), (3);
SELECT id, degraded, assay.margin(attribution) FROM late_outer_decision ORDER BY id;
DROP TRIGGER decide ON late_outer;
\set VERBOSITY terse
SELECT assay.drop_policy('late_outer', true), assay.drop_policy('late_inner', true);
DROP TABLE late_outer CASCADE;
DROP FUNCTION late_constant;
\set VERBOSITY default
-- an error that was caught leaves no timer behind
SET assay.message_budget = '160ms';
SET statement_timeout = '100ms';
DO $$
BEGIN
	INSERT INTO late_message VALUES (50, 'x', 1000);
EXCEPTION WHEN query_canceled THEN
	RAISE NOTICE '%', SQLERRM;
	PERFORM pg_sleep(0.4);
END $$;
RESET statement_timeout;
RESET assay.message_budget;
-- who inserts has no say in it
CREATE ROLE late_ingest;
SET ROLE late_ingest;
SET assay.message_budget = 1;
RESET ROLE;
DROP ROLE late_ingest;
SELECT count(*) AS undecided FROM late_message m WHERE NOT EXISTS (SELECT FROM late_decision d WHERE d.id = m.id);
-- a statement has a budget of its own, and a hundredth of a message's for each; without one of either there is no limit
CREATE TABLE late_many (id int PRIMARY KEY);
CREATE VIEW late_many_signals AS SELECT id FROM late_many;
SELECT assay.create_policy('late_many', 'late_many_signals', '{id}', prior => 0);
SELECT assay.create_detector('late_many', 'slow', 'public.late_sleep(id * 0 + 0.03)', mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON late_many REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('late_many');
SET client_min_messages = error;
SET assay.message_budget = '60s';
SET assay.statement_budget = 1;
INSERT INTO late_many SELECT generate_series(1, 2);
SET assay.message_budget = '200ms';
SET assay.statement_budget = '100ms';
INSERT INTO late_many SELECT generate_series(101, 130);
SET assay.message_budget = '1s';
SET assay.statement_budget = 0;
INSERT INTO late_many SELECT generate_series(201, 230);
SET assay.message_budget = 0;
SET assay.statement_budget = '100ms';
INSERT INTO late_many SELECT generate_series(301, 330);
-- rows of a statement that are decided one by one have it together, those of others have their own
DROP TRIGGER decide ON late_many;
CREATE TRIGGER decide AFTER INSERT ON late_many FOR EACH ROW EXECUTE FUNCTION assay.decide('late_many');
SET assay.message_budget = '200ms';
SET assay.statement_budget = '1s';
DO $$ BEGIN FOR i IN 501 .. 540 LOOP INSERT INTO late_many VALUES (i); END LOOP; END $$;
INSERT INTO late_many SELECT generate_series(401, 460);
SELECT id / 100 AS part, count(*), bool_or(degraded) AS degraded FROM late_many_decision GROUP BY 1 ORDER BY 1;
-- on a busy machine some may be past a message's budget, too
SELECT DISTINCT sqlstate, message FROM assay.fault WHERE policy = 'late_many' AND message ~ 'is spent';
RESET assay.message_budget;
RESET assay.statement_budget;
RESET client_min_messages;
DROP TRIGGER decide ON late_many;
\set VERBOSITY terse
SELECT assay.drop_policy('late_many', true);
DROP TABLE late_many CASCADE;
\set VERBOSITY default
-- messages that take long leave time to those behind them
CREATE TABLE late_first (id int PRIMARY KEY);
CREATE VIEW late_first_signals AS SELECT id, public.late_sleep(CASE WHEN id < 15 THEN 0.3 ELSE 0 END) AS slept FROM late_first;
SELECT assay.create_policy('late_first', 'late_first_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON late_first REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('late_first');
SET client_min_messages = error;
SET assay.message_budget = '200ms';
SET assay.statement_budget = '2s';
INSERT INTO late_first SELECT generate_series(1, 60);
RESET assay.message_budget;
RESET assay.statement_budget;
RESET client_min_messages;
SELECT count(*) FILTER (WHERE id < 15 AND degraded) AS long, count(*) FILTER (WHERE id >= 15 AND NOT degraded) > 30 AS others FROM late_first_decision;
DROP TRIGGER decide ON late_first;
\set VERBOSITY terse
SELECT assay.drop_policy('late_first', true);
DROP TABLE late_first CASCADE;
\set VERBOSITY default
-- also those of which each is quick enough for itself, and to those before them
CREATE TABLE late_slow (id int PRIMARY KEY);
CREATE VIEW late_slow_signals AS SELECT id, public.late_sleep(CASE WHEN id BETWEEN 21 AND 60 THEN 0.06 ELSE 0 END) AS slept FROM late_slow;
SELECT assay.create_policy('late_slow', 'late_slow_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON late_slow REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('late_slow');
SET client_min_messages = error;
SET assay.statement_budget = '1s';
INSERT INTO late_slow SELECT generate_series(1, 700);
RESET assay.statement_budget;
RESET client_min_messages;
SELECT count(*) FILTER (WHERE id <= 20 AND degraded) AS before, count(*) FILTER (WHERE degraded) > 0 AS some, count(*) FILTER (WHERE id > 60 AND NOT degraded) > 100 AS behind FROM late_slow_decision;
DROP TRIGGER decide ON late_slow;
\set VERBOSITY terse
SELECT assay.drop_policy('late_slow', true);
DROP TABLE late_slow CASCADE;
\set VERBOSITY default
-- a statement ends before a timeout of its session's does, by a row trigger, too
CREATE TABLE late_rows (id int PRIMARY KEY);
CREATE TABLE late_all (id int PRIMARY KEY);
CREATE VIEW late_rows_signals AS SELECT id, public.late_sleep(60) AS slept FROM late_rows;
CREATE VIEW late_all_signals AS SELECT id, public.late_sleep(60) AS slept FROM late_all;
SELECT assay.create_policy('late_rows', 'late_rows_signals', '{id}', prior => 0);
SELECT assay.create_policy('late_all', 'late_all_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON late_rows FOR EACH ROW EXECUTE FUNCTION assay.decide('late_rows');
CREATE TRIGGER decide AFTER INSERT ON late_all REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('late_all');
SET client_min_messages = error;
SET assay.message_budget = '300ms';
SET statement_timeout = '8s';
INSERT INTO late_rows SELECT generate_series(1, 60);
RESET statement_timeout;
SELECT count(*), count(*) FILTER (WHERE degraded) AS degraded FROM late_rows_decision;
DO $$ BEGIN IF current_setting('transaction_timeout', true) IS NOT NULL THEN PERFORM set_config('transaction_timeout', '8s', false); END IF; END $$;
INSERT INTO late_all SELECT generate_series(1, 60);
DO $$ BEGIN IF current_setting('transaction_timeout', true) IS NOT NULL THEN PERFORM set_config('transaction_timeout', '0', false); END IF; END $$;
SELECT count(*), count(*) FILTER (WHERE degraded) AS degraded FROM late_all_decision;
RESET assay.message_budget;
RESET client_min_messages;
DROP TRIGGER decide ON late_rows;
DROP TRIGGER decide ON late_all;
\set VERBOSITY terse
SELECT assay.drop_policy('late_rows', true);
SELECT assay.drop_policy('late_all', true);
DROP TABLE late_rows, late_all CASCADE;
\set VERBOSITY default
-- many conditions that take no time to speak of: together they have the statement's, the forcing one first
CREATE TABLE late_sum (id int PRIMARY KEY, t text);
CREATE VIEW late_sum_signals AS SELECT id, t FROM late_sum;
SELECT assay.create_policy('late_sum', 'late_sum_signals', '{id}', prior => 0);
SELECT count(assay.create_detector('late_sum', 'd' || i, format('sha256(convert_to(repeat(t, 100000 + %s), ''UTF8'')) > ''''', i), mode => 'live', weight => 1)) FROM generate_series(1, 100) i;
SELECT assay.create_detector('late_sum', 'z', 'id > 0', mode => 'live', force_verdict => 'malicious') > 0;
CREATE TRIGGER decide AFTER INSERT ON late_sum REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('late_sum');
SET client_min_messages = error;
SET assay.message_budget = '100ms';
SET assay.statement_budget = '200ms';
INSERT INTO late_sum VALUES (1, md5('x'));
RESET assay.message_budget;
RESET assay.statement_budget;
RESET client_min_messages;
SELECT verdict, degraded FROM late_sum_decision;
SELECT DISTINCT sqlstate, message FROM assay.fault WHERE policy = 'late_sum' AND message ~ 'is spent';
DROP TRIGGER decide ON late_sum;
\set VERBOSITY terse
SELECT assay.drop_policy('late_sum', true);
DROP TABLE late_sum CASCADE;
\set VERBOSITY default
-- memory that a condition takes counts also where it is an array that PL/pgSQL returns, which has a context of its own
CREATE TABLE late_memory (id int PRIMARY KEY);
CREATE VIEW late_memory_signals AS SELECT id FROM late_memory;
CREATE FUNCTION late_array(n int) RETURNS int[] LANGUAGE plpgsql IMMUTABLE AS $$ DECLARE a int[]; BEGIN a := pg_catalog.array_fill(1, ARRAY[n]); RETURN a; END $$;
SELECT assay.create_policy('late_memory', 'late_memory_signals', '{id}', prior => 0);
SELECT assay.create_detector('late_memory', 'array', 'cardinality(public.late_array(id)) > 0', mode => 'live', weight => 1);
SELECT assay.create_detector('late_memory', 'good', 'id > 0', mode => 'live', weight => 1);
CREATE TRIGGER decide AFTER INSERT ON late_memory REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('late_memory');
SET client_min_messages = error;
SET assay.message_memory = '4MB';
INSERT INTO late_memory VALUES (100), (4000000);
RESET assay.message_memory;
RESET client_min_messages;
SELECT id, degraded, (SELECT string_agg(concat_ws(' ', l.detector, l.contribution, l.fault), ', ' ORDER BY l.entry) FROM assay.ledger(d.attribution) l WHERE entry > 0) AS entries
FROM late_memory_decision d ORDER BY id;
SELECT detector, key, sqlstate, message FROM assay.fault WHERE policy = 'late_memory';
DROP TRIGGER decide ON late_memory;
\set VERBOSITY terse
SELECT assay.drop_policy('late_memory', true);
DROP TABLE late_memory CASCADE;
\set VERBOSITY default
DROP FUNCTION late_array;
DROP FUNCTION shown;
DROP TRIGGER decide ON late_message;
SELECT assay.drop_policy('late', true);
DROP TABLE late_message CASCADE;
DROP FUNCTION late_sleep;
DELETE FROM assay.fault;
