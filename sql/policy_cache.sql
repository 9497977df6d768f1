-- What a backend keeps of a policy, and what changes under it.
\set VERBOSITY terse
CREATE TABLE cac_message (id int PRIMARY KEY, txt text, n int);
CREATE VIEW cac_signals AS SELECT * FROM cac_message;
SELECT assay.create_policy('cac', 'cac_signals', '{id}', prior => 0);
SELECT assay.create_detector('cac', 'wire', 'txt LIKE ''%wire transfer%''', weight => 1, mode => 'live');
SELECT assay.create_detector('cac', 'card', 'txt LIKE ''%gift card%''', weight => 2, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON cac_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('cac');

-- the conditions are built anew when a detector is suspended; the others go on
SELECT assay.create_detector('cac', 'divides', '10 / n > 1', weight => 1, mode => 'live');
SELECT assay.create_detector('cac', 'divides too', '100 / (n - 1) > 1', weight => 1, mode => 'live');
SELECT count(assay.create_detector('cac', 'many ' || i, format('txt LIKE ''%%number %s%%''', i), weight => 1, mode => 'live')) FROM generate_series(1, 20) i;
INSERT INTO cac_message VALUES (10, 'a gift card', 7);
INSERT INTO cac_message VALUES (11, 'a gift card', 0);
INSERT INTO cac_message VALUES (12, 'a gift card', 1);
INSERT INTO cac_message SELECT i, CASE WHEN i % 2 = 0 THEN 'a wire transfer' ELSE 'a gift card' END, 0 FROM generate_series(13, 16) i;
SELECT d.id, (SELECT string_agg(concat_ws(' ', l.detector, l.contribution, l.fault), ', ' ORDER BY l.entry) FROM assay.ledger(d.attribution) l WHERE entry > 0 AND kind = 'rule')
FROM cac_decision d WHERE id >= 10 ORDER BY id;
-- also where nobody is left who looks for words
SELECT assay.create_policy('words', 'cac_signals', '{id}', prior => 0);
SELECT assay.create_detector('words', 'a', '10 / n > 1 AND txt LIKE ''%wire transfer%''', weight => 1, mode => 'live');
SELECT assay.create_detector('words', 'b', '10 / n > 1 AND txt LIKE ''%gift card%''', weight => 1, mode => 'live');
SELECT m.id, x.verdict, x.score, assay.degraded(x.attribution) FROM (VALUES (1, 5), (2, 0), (3, 5)) m(id, n),
	LATERAL (SELECT m.id, 'a gift card'::text AS txt, m.n) s, assay.score('words', s) x ORDER BY m.id;
SELECT assay.drop_policy('words', true);

-- a row type that is altered between two statements
CREATE TYPE cac_row AS (id int, txt text, n int);
SELECT assay.create_policy('typed', 'cac_signals', '{id}', prior => 0, thresholds => '{"caught": 0.6}');
SELECT assay.create_detector('typed', 'card', 'txt LIKE ''%gift card%''', weight => 1, mode => 'live');
CREATE FUNCTION cac_score(text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE $q$SELECT x.verdict FROM assay.score('typed', $q$ || $1 || $q$::cac_row) x$q$; END $$;
SELECT cac_score($$(1, 'a gift card', 5)$$);
ALTER TYPE cac_row ALTER ATTRIBUTE id TYPE text, ALTER ATTRIBUTE n TYPE text;
SELECT cac_score($$('1', 'a gift card', '5')$$);
ALTER TYPE cac_row DROP ATTRIBUTE txt;
ALTER TYPE cac_row ADD ATTRIBUTE txt text;
SELECT cac_score($$('1', '5', 'a gift card')$$);
-- what has no end does not end, even at infinity
SELECT x.verdict FROM (SELECT 1 AS id, 'a gift card'::text AS txt, 5 AS n) s, assay.score('typed', s, at => 'infinity') x;
DROP FUNCTION cac_score;
DROP TYPE cac_row;
SELECT assay.drop_policy('typed', true);

-- whom a rollout includes is no matter of the session's settings
CREATE VIEW cac_times AS SELECT timestamptz 'epoch' + i * interval '1 hour' AS at, i / 3::float8 AS f FROM generate_series(1, 100) i;
SELECT assay.create_policy('times', 'cac_times', '{at,f}', prior => 0);
SELECT assay.create_detector('times', 'half', 'true', weight => 1, mode => 'live', rollout => 0.5);
CREATE TABLE cac_chosen AS SELECT s.at, s.f FROM cac_times s, assay.score('times', s) x WHERE x.score > 0.6;
SELECT count(*) BETWEEN 30 AND 70 AS half FROM cac_chosen;
SET timezone = 'Asia/Tokyo'; SET datestyle = 'German'; SET extra_float_digits = -3;
SELECT count(*) AS differ FROM (SELECT s.at, s.f FROM cac_times s, assay.score('times', s) x WHERE x.score > 0.6 EXCEPT TABLE cac_chosen) d;
RESET timezone; RESET datestyle; RESET extra_float_digits;
SELECT assay.drop_policy('times', true);
DROP TABLE cac_chosen;
DROP VIEW cac_times;

-- nor is what a condition says
SELECT assay.create_policy('digits', 'cac_signals', '{id}', prior => 0);
SELECT assay.create_detector('digits', 'digits', 'txt ~ ''^\d+$''', weight => 1, mode => 'live');
SET standard_conforming_strings = off; SET escape_string_warning = off;
SELECT assay.alter_policy('digits', prior => -0.5);
SELECT x.verdict FROM (SELECT 1 AS id, '123'::text AS txt, 1 AS n) s, assay.score('digits', s) x;
RESET standard_conforming_strings; RESET escape_string_warning;
SELECT assay.drop_policy('digits', true);

-- a trigger that always fails leaves no plans behind
CREATE TABLE cac_wrong (id text);
CREATE TRIGGER decide AFTER INSERT ON cac_wrong FOR EACH ROW EXECUTE FUNCTION assay.decide('cac');
INSERT INTO cac_wrong VALUES ('a');
INSERT INTO cac_wrong VALUES ('b');
INSERT INTO cac_wrong VALUES ('c');
INSERT INTO cac_wrong VALUES ('d');
INSERT INTO cac_wrong VALUES ('e');
INSERT INTO cac_message VALUES (20, 'x', 7);
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'pg_assay decide';
SELECT count(*) AS plans FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident ~ '^INSERT INTO public.cac_decision';
DROP TABLE cac_wrong;

DROP TRIGGER decide ON cac_message;
SELECT assay.drop_policy('cac', true);
DROP VIEW cac_signals;
DROP TABLE cac_message;

-- a trigger of each partition: plans of so many are kept, and all decide
CREATE TABLE par_message (id int NOT NULL, part int NOT NULL) PARTITION BY LIST (part);
DO $$
BEGIN
	FOR i IN 1 .. 150 LOOP
		EXECUTE format('CREATE TABLE par_message_%s PARTITION OF par_message FOR VALUES IN (%s)', i, i);
	END LOOP;
END $$;
CREATE VIEW par_signals AS SELECT id, part FROM par_message;
SELECT assay.create_policy('par', 'par_signals', '{id}', prior => 0);
SELECT assay.create_detector('par', 'part', 'part > 0', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON par_message FOR EACH ROW EXECUTE FUNCTION assay.decide('par');
INSERT INTO par_message SELECT i, 1 + i % 150 FROM generate_series(1, 450) i;
SELECT count(*), count(DISTINCT id), bool_and(verdict = 'suspicious') FROM par_decision;
SELECT count(*) AS plans FROM pg_backend_memory_contexts WHERE name = 'pg_assay decide';
\set VERBOSITY terse
DROP TABLE par_message CASCADE;
SELECT assay.drop_policy('par', true);
\set VERBOSITY default
