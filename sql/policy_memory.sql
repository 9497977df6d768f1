-- However many messages of a statement fail, memory does not grow with them.
SET client_min_messages = error;
CREATE TABLE mem_message (id int PRIMARY KEY, n int);
CREATE VIEW mem_signals AS SELECT id, n FROM mem_message;
SELECT assay.create_policy('mem', 'mem_signals', '{id}');
CREATE TRIGGER decide AFTER INSERT ON mem_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('mem');

-- A trigger that refuses every decision, and notes how much memory the backend has at one early and at one late (a sequence keeps what is rolled back)
CREATE SEQUENCE mem_n; CREATE SEQUENCE mem_early; CREATE SEQUENCE mem_late;
CREATE FUNCTION mem_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	n bigint := nextval('public.mem_n');
BEGIN
	IF n IN (200, 8000) THEN
		PERFORM setval(CASE n WHEN 200 THEN 'public.mem_early' ELSE 'public.mem_late' END::regclass, (SELECT sum(total_bytes) FROM pg_backend_memory_contexts)::bigint);
	END IF;
	RAISE EXCEPTION 'no decision about %', NEW.id;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON mem_decision FOR EACH ROW EXECUTE FUNCTION mem_refuse();

-- the trigger
INSERT INTO mem_message SELECT i, i FROM generate_series(1, 9000) i;
SELECT l.last_value - e.last_value < 1000000 AS bounded FROM mem_early e, mem_late l;
SELECT count(*) FROM assay.undecided('mem');

-- and a backfill
SELECT setval('mem_n', 1);
CALL assay.backfill('mem', at => NULL);
SELECT l.last_value - e.last_value < 1000000 AS bounded FROM mem_early e, mem_late l;
SELECT count(*) FROM assay.undecided('mem');

DROP TRIGGER decide ON mem_message;
SELECT assay.drop_policy('mem', true);
DROP VIEW mem_signals;
DROP TABLE mem_message;
DROP FUNCTION mem_refuse;
DROP SEQUENCE mem_n, mem_early, mem_late;

-- What is made of a policy for a statement, and fails half way, goes: here the stack is too small for a long condition
SET assay.shared_atoms = off;
CREATE TABLE mem_deep (id int PRIMARY KEY, received_at timestamptz DEFAULT now(), x int);
CREATE VIEW mem_deep_signals AS SELECT * FROM mem_deep;
INSERT INTO mem_deep VALUES (0, now(), 0), (1, now(), 1);
SELECT assay.create_policy('deep', 'mem_deep_signals', '{id}', on_error => 'raise');
SELECT assay.create_detector('deep', 'a', repeat('abs(', 400) || '1 / x' || repeat(')', 400) || ' > 0', weight => 1, mode => 'live');
SELECT x.verdict FROM mem_deep_signals s, assay.score('deep', s) x WHERE id = 1;
-- what an error left is not used again
SELECT x.verdict FROM mem_deep_signals s, assay.score('deep', s) x WHERE id = 0;
CREATE TABLE mem_left (evaluations bigint, raised text);
SET max_stack_depth = '100kB';
DO $$
DECLARE
	e text;
BEGIN
	FOR i IN 1..100 LOOP
		BEGIN
			PERFORM x.verdict FROM mem_deep_signals s, assay.score('deep', s) x WHERE id = 1;
		EXCEPTION WHEN statement_too_complex THEN
			e := SQLERRM;
		END;
	END LOOP;
	INSERT INTO mem_left SELECT count(*), e FROM pg_backend_memory_contexts WHERE name = 'pg_assay evaluation';
END $$;
RESET max_stack_depth;
SELECT evaluations < 10 AS bounded, raised FROM mem_left;
SELECT x.verdict FROM mem_deep_signals s, assay.score('deep', s) x WHERE id = 1;
RESET assay.shared_atoms;
SELECT assay.drop_policy('deep', true);
DROP TABLE mem_deep CASCADE;
DROP TABLE mem_left;
