-- A fault of one kind is kept a few times in an interval, also where one transaction inserts message after message.
SET client_min_messages = warning;
CREATE SCHEMA ff;
CREATE TABLE ff.message (id int PRIMARY KEY, txt text);
CREATE VIEW ff.signals AS SELECT id, txt FROM ff.message;
SELECT assay.create_policy('ff', 'ff.signals', '{id}');
SELECT assay.create_detector('ff', 'number', 'txt::int > 1', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON ff.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('ff');
DO $$ BEGIN FOR i IN 1..30 LOOP INSERT INTO ff.message VALUES (i, 'x'); END LOOP; END $$;
SELECT count(*) FROM assay.fault WHERE policy = 'ff';
-- What is rolled back does not count.
SELECT assay.alter_policy('ff', prior => -3);
DELETE FROM assay.fault WHERE policy = 'ff';
\c -
SET client_min_messages = warning;
SET assay.fault_interval = '1d';
BEGIN;
SAVEPOINT s;
DO $$ BEGIN FOR i IN 31..60 LOOP INSERT INTO ff.message VALUES (i, 'x'); END LOOP; END $$;
ROLLBACK TO s;
INSERT INTO ff.message VALUES (61, 'x');
COMMIT;
SELECT count(*) FROM assay.fault WHERE policy = 'ff';
-- What was kept and committed before still counts.
DO $$ BEGIN FOR i IN 62..66 LOOP INSERT INTO ff.message VALUES (i, 'x'); END LOOP; END $$;
BEGIN;
INSERT INTO ff.message VALUES (67, 'x');
ROLLBACK;
DO $$ BEGIN FOR i IN 68..80 LOOP INSERT INTO ff.message VALUES (i, 'x'); END LOOP; END $$;
SELECT count(*) FROM assay.fault WHERE policy = 'ff';
-- Where some of a transaction is rolled back, what was kept before that counts, too.
DELETE FROM assay.fault WHERE policy = 'ff';
\c -
SET client_min_messages = warning;
SET assay.fault_interval = '1d';
DO $$ BEGIN
	FOR i IN 1..5 LOOP
		FOR j IN 1..9 LOOP INSERT INTO ff.message VALUES (1000 + 10 * i + j, 'x'); END LOOP;
		BEGIN
			INSERT INTO ff.message VALUES (1000 + 10 * i, 'x');
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN NULL; END;
	END LOOP;
END $$;
SELECT count(*) FROM assay.fault WHERE policy = 'ff';
-- Many kinds of them in one session make room for each other.
SELECT assay.retire_detector('ff', 'number');
SELECT count(assay.create_detector('ff', 'n' || i, format('txt::int > %s', i), weight => 1, mode => 'live')) FROM generate_series(1, 90) i;
DELETE FROM assay.fault WHERE policy = 'ff';
\c -
SET client_min_messages = warning;
SET assay.fault_interval = '1d';
DO $$ BEGIN FOR i IN 101..130 LOOP INSERT INTO ff.message VALUES (i, 'x'); END LOOP; END $$;
SELECT count(DISTINCT detector) AS detectors, max(n) AS kept FROM (SELECT detector, count(*) AS n FROM assay.fault WHERE policy = 'ff' GROUP BY detector) f;
DROP TRIGGER decide ON ff.message;
SELECT assay.drop_policy('ff', true);
-- A key that is longer than 8192 bytes, as an array's text, is not kept with it.
CREATE TABLE ff.long (id text PRIMARY KEY, n int);
SELECT assay.create_policy('ff', 'ff.long', '{id}');
SELECT assay.create_detector('ff', 'zero', '1 / n > 1', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON ff.long REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('ff');
INSERT INTO ff.long VALUES (repeat('x', 8190), 0), (repeat('x', 8191), 0);
SELECT length(key[1]), sqlstate FROM assay.fault WHERE policy = 'ff' ORDER BY fault;
DELETE FROM assay.fault WHERE policy = 'ff';
SELECT assay.alter_policy('ff', prior => -2);
CALL assay.backfill('ff', at => NULL, batch => 1);
SELECT length(key[1]), sqlstate FROM assay.fault WHERE policy = 'ff' ORDER BY fault;
DROP TRIGGER decide ON ff.long;
SELECT assay.drop_policy('ff', true);
DROP SCHEMA ff CASCADE;
