-- Signals by subqueries, sets, sorts and stable functions of ours, kept between
-- statements: each shape has the signals that reading the view gives, while what it
-- reads changes from one message to the next
\set VERBOSITY terse
SET client_min_messages = error;
CREATE TABLE ks_message (id int PRIMARY KEY, sender text, n int, words text[], doc jsonb, at timestamptz);
CREATE TABLE ks_history (id int PRIMARY KEY, sender text, n int, tags text[]);
CREATE INDEX ks_history_sender ON ks_history (sender, n);
CREATE INDEX ks_history_tags ON ks_history USING gin (tags);
INSERT INTO ks_history SELECT i, 's' || i % 500, i, ARRAY['t' || i % 400, 'u' || i % 7] FROM generate_series(1, 4000) i;
CREATE TABLE ks_few (word text);
INSERT INTO ks_few VALUES ('w1'), ('w2');
SELECT assay.create_list('ks');
INSERT INTO assay.list (set, value) VALUES ('ks', 'w1');
CREATE TABLE ks_seen (id int PRIMARY KEY, sender text, at timestamptz);
INSERT INTO ks_seen SELECT i, 's' || i % 9, '2026-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 90) i;
SELECT assay.create_baseline('ks_base', 'ks_seen', '{sender}', 'at', incremental => false);
VACUUM ANALYZE ks_history, ks_few;
CREATE VIEW ks_signals AS SELECT m.id, ''::text AS it FROM ks_message m;
SELECT assay.create_policy('ks', 'ks_signals', '{id}', prior => 0, log_signals => true);
SELECT assay.create_detector('ks', 'it', 'it <> ''''', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON ks_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('ks');
CREATE TABLE ks_tried (shape text, kept bigint, messages bigint, differ bigint, differing text[]);

-- What a shape reads changes before each message; a failing message is among them
CREATE PROCEDURE ks_try(shape text, expression text, source text DEFAULT '') LANGUAGE plpgsql AS $$
DECLARE
	kept bigint;
	differ text[] := '{}';
	logged text;
	seen text;
BEGIN
	DELETE FROM ks_message;
	DELETE FROM ks_decision;
	EXECUTE format('CREATE OR REPLACE VIEW ks_signals AS SELECT m.id, ((%s)::text || left((100 / m.n)::text, 0)) AS it FROM ks_message m %s', expression, source);
	COMMIT;
	FOR i IN 1..24 LOOP
		INSERT INTO ks_history VALUES (10000 + i, 's' || i % 3, 5000 - i, ARRAY['t1', 'u' || i % 3]);
		UPDATE ks_history SET n = n + 1 WHERE sender = 's' || i % 3;
		IF i % 5 = 0 THEN
			INSERT INTO ks_few VALUES ('w' || i % 4);
			INSERT INTO assay.list (set, value) VALUES ('ks', 'w' || i % 4) ON CONFLICT DO NOTHING;
		END IF;
		INSERT INTO ks_message VALUES (i, 's' || i % 3, CASE WHEN i = 12 THEN 0 ELSE i END, ARRAY['w' || i % 4, 'w1', 'x' || i, 'w1'],
			jsonb_build_object('a', jsonb_build_array(i, i % 2)), '2026-01-04'::timestamptz + i * interval '1 hour');
		IF i <> 12 THEN
			SELECT d.signals::jsonb ->> 'it' INTO logged FROM ks_decision d WHERE d.id = i AND NOT d.degraded;
			SELECT s.it INTO seen FROM ks_signals s WHERE s.id = i;
			IF logged IS DISTINCT FROM seen THEN
				differ := differ || format('%s: %s, not %s', i, logged, seen);
			END IF;
		END IF;
		IF i % 4 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
	SELECT count(*) INTO kept FROM pg_backend_memory_contexts WHERE name = 'pg_assay kept query' AND ident IS NULL;
	INSERT INTO ks_tried SELECT shape, kept, count(*), cardinality(differ), differ[1:2] FROM ks_decision WHERE NOT degraded;
	DELETE FROM ks_history WHERE id > 10000;
	DELETE FROM ks_few WHERE ctid IN (SELECT ctid FROM ks_few OFFSET 2);
	DELETE FROM assay.list WHERE set = 'ks' AND value <> 'w1';
	COMMIT;
END $$;
CALL ks_try('of nothing in the query', '(SELECT count(*) FROM ks_few)');
CALL ks_try('of the message', '(SELECT max(n) FROM ks_history h WHERE h.sender = m.sender)');
CALL ks_try('of the message, by row', '(SELECT string_agg(w, '','' ORDER BY w DESC) FROM unnest(m.words) w WHERE EXISTS (SELECT FROM ks_few f WHERE f.word = w OR m.n > 20))');
CALL ks_try('exists', 'EXISTS (SELECT FROM ks_history h WHERE h.sender = m.sender AND h.n > 4990 - m.n)');
CALL ks_try('hashed', 'm.words[1] IN (SELECT word FROM ks_few)');
CALL ks_try('array', 'ARRAY(SELECT h.n FROM ks_history h WHERE h.sender = m.sender ORDER BY h.n DESC LIMIT 3)');
CALL ks_try('bitmap', '(SELECT count(*) FROM ks_history h WHERE h.tags && ARRAY[''t'' || m.n % 3])');
CALL ks_try('bitmap or', '(SELECT sum(h.n) FROM ks_history h WHERE h.tags @> ARRAY[''t1''] OR (h.sender = m.sender AND h.n < 900))');
CALL ks_try('distinct', '(SELECT count(DISTINCT h.tags[2]) FROM ks_history h WHERE h.sender = m.sender)');
CALL ks_try('grouped', '(SELECT max(c) FROM (SELECT count(*) AS c FROM unnest(m.words) w GROUP BY w) g)');
CALL ks_try('sets', '(SELECT sum(j::int) FROM jsonb_array_elements_text(m.doc -> ''a'') j)');
CALL ks_try('sets in the list', '(SELECT sum(length(x)) FROM (SELECT unnest(m.words) AS x OFFSET 0) u)');
CALL ks_try('values', '(SELECT max(v) FROM (VALUES (m.n), (10)) AS t (v))');
CALL ks_try('union', '(SELECT sum(a) FROM (SELECT h.n AS a FROM ks_history h WHERE h.sender = m.sender UNION ALL SELECT length(f.word) FROM ks_few f) u)');
CALL ks_try('lateral', 'l.c', 'CROSS JOIN LATERAL (SELECT count(*) AS c, max(h.n) FROM ks_history h WHERE h.sender = m.sender AND h.n > 100) l');
CALL ks_try('lateral, sorted', 'l.w', 'LEFT JOIN LATERAL (SELECT f.word AS w FROM ks_few f ORDER BY f.word = m.words[1] DESC, f.word LIMIT 1) l ON true');
CALL ks_try('the messages themselves', '(SELECT count(*) FROM ks_message o WHERE o.sender = m.sender AND o.id < m.id)');
CALL ks_try('bitmap, for some only', 'CASE WHEN m.n % 3 = 1 THEN (SELECT count(*) FROM ks_history h WHERE h.tags && ARRAY[''t'' || m.n % 4]) END');
CALL ks_try('hashed, for some only', 'CASE WHEN m.n % 3 = 1 THEN m.words[1] IN (SELECT word FROM ks_few) WHEN m.n % 3 = 2 THEN m.n NOT IN (SELECT length(word) FROM ks_few) END');
CALL ks_try('a list', 'assay.in_list(''ks'', m.words[1])');
CALL ks_try('a baseline', 'assay.events((assay.as_of(NULL::ks_base, m.at, m.sender)).history)');
CALL ks_try('a list within an aggregate', '(SELECT count(*) FILTER (WHERE assay.in_list(''ks'', w)) FROM unnest(m.words) w)');
CALL ks_try('a window', '(SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY w) AS r FROM unnest(m.words) w) q)');
SELECT * FROM ks_tried;

-- what planning took is not kept with it
SELECT count(*), bool_and(total_bytes <= 8192) AS small FROM pg_backend_memory_contexts WHERE name = 'pg_assay kept query' AND ident = 'not kept';

-- nor what one message's signals took much memory for
CREATE PROCEDURE ks_held(INOUT little boolean, INOUT kept bigint) LANGUAGE plpgsql AS $$
BEGIN
	SELECT count(*) INTO kept FROM pg_backend_memory_contexts WHERE name = 'pg_assay kept query' AND ident IS NULL;
	SELECT coalesce(sum(total_bytes), 0) <= 65536 INTO little FROM pg_backend_memory_contexts WHERE name IN ('Subplan HashTable Context', 'HashAgg meta context');
END $$;
CREATE OR REPLACE VIEW ks_signals AS SELECT m.id, (m.words[1] IN (SELECT f.word FROM ks_few f))::text AS it FROM ks_message m;
INSERT INTO ks_message VALUES (1001, 's1', 1, '{w1}', '{}', '2026-02-01');
CALL ks_held(NULL, NULL);
INSERT INTO ks_few SELECT 'many' || i FROM generate_series(1, 3000) i;
INSERT INTO ks_message VALUES (1002, 's1', 1, '{w1}', '{}', '2026-02-01');
CALL ks_held(NULL, NULL);
INSERT INTO ks_few SELECT 'more' || i FROM generate_series(1, 20000) i;
INSERT INTO ks_message VALUES (1003, 's1', 1, '{w1}', '{}', '2026-02-01');
CALL ks_held(NULL, NULL);
DELETE FROM ks_few WHERE word LIKE 'm%';
INSERT INTO ks_message VALUES (1004, 's1', 1, '{many1}', '{}', '2026-02-01');
CALL ks_held(NULL, NULL);
CREATE OR REPLACE VIEW ks_signals AS SELECT m.id, (SELECT count(*) FROM (SELECT w FROM unnest(m.words) w GROUP BY w OFFSET 0) g)::text AS it FROM ks_message m;
INSERT INTO ks_message VALUES (1005, 's1', 1, '{w1}', '{}', '2026-02-01');
INSERT INTO ks_message SELECT 1006, 's1', 1, array_agg('w' || i), '{}', '2026-02-01' FROM generate_series(1, 20000) i;
CALL ks_held(NULL, NULL);
INSERT INTO ks_message VALUES (1007, 's1', 1, '{w1}', '{}', '2026-02-01');
CALL ks_held(NULL, NULL);
SELECT id, signals::jsonb ->> 'it' AS it, degraded FROM ks_decision WHERE id > 1000 ORDER BY id;

-- a run within a run, which fails half of the times
CREATE FUNCTION ks_insert_another(i int) RETURNS bool LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
	INSERT INTO ks_few VALUES ('few');
	INSERT INTO ks_message VALUES (i + 1000, 's2', 1, '{w2}', '{}', '2026-02-01');
	RETURN 1 / (i % 2) = 1;
EXCEPTION WHEN division_by_zero THEN
	RETURN false;
END $$;
CREATE FUNCTION ks_another(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN public.ks_insert_another(i); END';
SELECT assay.create_detector('ks', 'another', 'id BETWEEN 2000 AND 2009 AND public.ks_another(id)', weight => 1, mode => 'live');
CREATE OR REPLACE VIEW ks_signals AS SELECT m.id, concat_ws(' ', m.words[1] IN (SELECT f.word FROM ks_few f), (SELECT string_agg(f.word, ',' ORDER BY f.word = m.words[1] DESC, f.word) FROM ks_few f),
	(SELECT count(*) FROM ks_history h WHERE h.tags && ARRAY['t1']), assay.in_list('ks', m.words[1])) AS it FROM ks_message m;
INSERT INTO ks_message VALUES (2000, 's1', 1, '{w1}', '{}', '2026-02-01');
INSERT INTO ks_message VALUES (2001, 's1', 1, '{w1}', '{}', '2026-02-01');
INSERT INTO ks_message VALUES (2002, 's1', 1, '{w1}', '{}', '2026-02-01');
INSERT INTO ks_message VALUES (2003, 's1', 1, '{w1}', '{}', '2026-02-01');
INSERT INTO ks_message VALUES (2010, 's1', 1, '{w1}', '{}', '2026-02-01');
SELECT d.id, d.signals::jsonb ->> 'it' AS it, d.degraded FROM ks_decision d WHERE d.id > 1999 ORDER BY d.id;
CALL ks_held(NULL, NULL);

-- baselines that are refreshed, altered, or not to be read any more
CREATE FUNCTION ks_add(i int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
BEGIN
	INSERT INTO ks_message VALUES (i, 's1', i, '{w1}', '{}', '2026-02-01');
	SELECT concat_ws(' ', CASE WHEN degraded THEN 'degraded' END, signals::jsonb ->> 'it') INTO told FROM ks_decision WHERE id = i;
	RETURN told;
END $$;
CREATE OR REPLACE VIEW ks_signals AS SELECT m.id, assay.events((assay.as_of(NULL::ks_base, m.at, m.sender)).history)::text AS it FROM ks_message m;
SELECT ks_add(100), ks_add(101);
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'pg_assay kept query' AND ident IS NULL;
INSERT INTO ks_seen SELECT 1000 + i, 's1', '2026-01-20' FROM generate_series(1, 7) i;
SELECT ks_add(102);
SELECT FROM assay.refresh_baseline('ks_base');
SELECT ks_add(103);
BEGIN;
INSERT INTO ks_seen VALUES (2000, 's1', '2026-01-21');
SELECT FROM assay.refresh_baseline('ks_base');
SELECT ks_add(104);
ROLLBACK;
SELECT ks_add(104);
-- the server's functions that know a row type's columns: from 17 on jsonb_populate_record_valid()
DO $$
DECLARE
	told text;
BEGIN
	IF current_setting('server_version_num')::int < 170000 THEN
		RETURN;
	END IF;
	CREATE TABLE ks_kind (a int);
	CREATE OR REPLACE VIEW ks_signals AS SELECT m.id, jsonb_populate_record_valid(NULL::ks_kind, m.doc)::text AS it FROM ks_message m;
	INSERT INTO ks_message VALUES (201, 's1', 1, '{w1}', '{"a": 1, "b": "x"}', '2026-02-01');
	INSERT INTO ks_message VALUES (202, 's1', 1, '{w1}', '{"a": 1, "b": "x"}', '2026-02-01');
	ALTER TABLE ks_kind ADD COLUMN b int;
	INSERT INTO ks_message VALUES (203, 's1', 1, '{w1}', '{"a": 1, "b": "x"}', '2026-02-01');
	SELECT string_agg(coalesce(d.signals::jsonb ->> 'it', 'none'), ' ' ORDER BY d.id) INTO told FROM ks_decision d WHERE d.id BETWEEN 201 AND 203;
	IF told <> 'true true false' THEN
		RAISE 'a row of an altered type: %', told;
	END IF;
	CREATE OR REPLACE VIEW ks_signals AS SELECT m.id, ''::text AS it FROM ks_message m;
	DROP TABLE ks_kind;
END $$;
CREATE OR REPLACE VIEW ks_signals AS SELECT m.id, 'none' AS it FROM ks_message m;
SELECT assay.drop_baseline('ks_base');
SELECT ks_add(105);
DROP TRIGGER decide ON ks_message;
SELECT assay.drop_policy('ks', true);
DROP TABLE ks_message, ks_seen, ks_history, ks_few, ks_tried CASCADE;
DROP FUNCTION ks_add, ks_another, ks_insert_another;
DROP PROCEDURE ks_try, ks_held;
SELECT assay.drop_set('ks');
