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
BEGIN;
SAVEPOINT s;
DO $$ BEGIN FOR i IN 31..60 LOOP INSERT INTO ff.message VALUES (i, 'x'); END LOOP; END $$;
ROLLBACK TO s;
INSERT INTO ff.message VALUES (61, 'x');
COMMIT;
SELECT count(*) FROM assay.fault WHERE policy = 'ff';
DROP TRIGGER decide ON ff.message;
SELECT assay.drop_policy('ff', true);
DROP SCHEMA ff CASCADE;
