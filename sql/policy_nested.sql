-- A policy whose condition scores by itself: what an old revision kept goes.
SET client_min_messages = warning;
CREATE TABLE nest_message (id int PRIMARY KEY, body text);
CREATE VIEW nest_signals AS SELECT id, body FROM nest_message;
SELECT assay.create_policy('nest', 'nest_signals', '{id}');
SELECT assay.create_detector('nest', 'again', 'CASE WHEN body = ''deep'' THEN (assay.score(''nest'', ROW(id, ''flat'')::public.nest_signals)).score < 0.5 END', weight => 9, mode => 'live');
INSERT INTO nest_message VALUES (1, 'deep');
DO $$
BEGIN
	FOR i IN 1..5 LOOP
		PERFORM assay.alter_policy('nest', prior => -i);
		PERFORM x.verdict FROM nest_signals s, LATERAL assay.score('nest', s) x;
	END LOOP;
END $$;
SELECT verdict FROM nest_signals s, LATERAL assay.score('nest', s) x;
SELECT valid, pins, count(*) FROM assay_internal.policy_cache() WHERE policy = 'nest' GROUP BY 1, 2;
SELECT assay.drop_policy('nest', true);
DROP VIEW nest_signals;
DROP TABLE nest_message;

-- A function of a condition that becomes, while a statement is at work, one that the language of before can't compile
CREATE TABLE turn_message (id int PRIMARY KEY, body text);
CREATE FUNCTION turn_longer(body text, n int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN length(body) > n; END';
CREATE FUNCTION turn_now(body text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF body = 'turn' THEN
		CREATE OR REPLACE FUNCTION public.turn_longer(body text, n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT length(body) > n';
	END IF;
	RETURN true;
END $$;
CREATE VIEW turn_signals AS SELECT id, body, turn_now(body) AS turned FROM turn_message;
SELECT assay.create_policy('turn', 'turn_signals', '{id}');
SELECT assay.create_detector('turn', 'longer', 'public.turn_longer(body, 2)', weight => 9, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON turn_message REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('turn');
BEGIN;
INSERT INTO turn_message SELECT i, CASE i WHEN 3 THEN 'turn' ELSE 'words' END FROM generate_series(1, 6) i;
SELECT verdict, degraded, count(*) FROM turn_decision GROUP BY 1, 2;
ROLLBACK;
-- the same of a condition that is tried: one row fails
DROP TRIGGER decide ON turn_message;
INSERT INTO turn_message SELECT i, CASE i WHEN 3 THEN 'turn' ELSE 'words' END FROM generate_series(1, 6) i;
SELECT s.id, assay_internal.condition_hit('turn', 'public.turn_longer(body, 2)', s, true) FROM turn_signals s;
SELECT assay.drop_policy('turn', true);
DROP VIEW turn_signals;
DROP TABLE turn_message;
DROP FUNCTION turn_longer, turn_now;
