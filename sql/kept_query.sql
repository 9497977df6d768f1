-- The query of a single new message, kept ready between statements: that it is,
-- and that whatever happens between two of them counts
\set VERBOSITY terse
SET client_min_messages = error;
CREATE ROLE kq_owner;
CREATE SCHEMA kq AUTHORIZATION kq_owner;
GRANT USAGE ON SCHEMA kq TO PUBLIC;
SET ROLE kq_owner;
CREATE TABLE kq.message (id int PRIMARY KEY, sender text, n int, body text, at timestamptz);
CREATE TABLE kq.history (sender text, day int, seen int, PRIMARY KEY (sender, day));
INSERT INTO kq.history SELECT 's' || s, d, s * 10 + d FROM generate_series(0, 2999) s, generate_series(1, 3) d;
CREATE TABLE kq.extra (word text);
INSERT INTO kq.extra VALUES ('one');
ANALYZE kq.history, kq.extra;
CREATE VIEW kq.signals AS SELECT m.id, m.sender, m.n, length(m.body) AS chars, upper(m.sender) AS loud, 100 / m.n AS share,
		h.seen, x.word, date_trunc('day', m.at) AS day
	FROM kq.message m CROSS JOIN kq.extra x
	LEFT JOIN LATERAL (SELECT b.seen FROM kq.history b WHERE b.sender = m.sender AND b.day < m.n ORDER BY b.day DESC LIMIT 1) h ON true;
SELECT assay.create_policy('kq', 'kq.signals', '{id}', prior => 0, log_signals => true);
SELECT assay.create_detector('kq', 'seen', 'seen > 0 AND word <> ''''', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON kq.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('kq');
RESET ROLE;
SELECT assay.reads_again('kq', 'kq.message');
CREATE VIEW kq_kept AS SELECT count(*) AS kept FROM pg_backend_memory_contexts WHERE name = 'pg_assay kept query' AND ident IS NULL;
-- a message by itself, and what its ledger says
CREATE FUNCTION kq_add(i int, n int DEFAULT 2, sender text DEFAULT 's1') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
BEGIN
	INSERT INTO kq.message VALUES (i, sender, n, repeat('ä', i), '2026-01-01 00:00+00'::timestamptz + i * interval '1 hour');
	SELECT concat_ws(' ', CASE WHEN degraded THEN 'degraded' END, signals::jsonb #>> '{}') INTO told FROM kq.kq_decision WHERE id = i;
	RETURN told;
END $$;

-- from one statement to the next, in one transaction and in others
SELECT kept FROM kq_kept;
SELECT kq_add(1);
SELECT kept FROM kq_kept;
SELECT kq_add(2, 3, 's7');
BEGIN;
SELECT kq_add(3, 2, 's9'), kq_add(4, 1), kq_add(5, 9, NULL);
COMMIT;
SELECT kept FROM kq_kept;

-- what a transaction, or a subtransaction, takes back
BEGIN;
UPDATE kq.history SET seen = 99 WHERE sender = 's1';
SELECT kq_add(6);
SAVEPOINT a;
UPDATE kq.history SET seen = 77 WHERE sender = 's1';
SELECT kq_add(7);
ROLLBACK TO a;
SELECT kq_add(8);
ROLLBACK;
SELECT kq_add(9);

-- an error on the way, and the next message
SELECT kq_add(10, 0);
SELECT kq_add(11);
BEGIN;
SELECT kq_add(12, 0);
SELECT kq_add(13);
COMMIT;
SELECT kq_add(14);
SELECT kept FROM kq_kept;

-- what it is made of changes
INSERT INTO kq.extra SELECT 'two' WHERE false;
UPDATE kq.extra SET word = 'uno';
SELECT kq_add(20);
ALTER TABLE kq.history ADD COLUMN late int DEFAULT 5;
SELECT kq_add(21);
ALTER TABLE kq.history DROP CONSTRAINT history_pkey;
SELECT kq_add(22);
CREATE INDEX ON kq.history (sender, day);
SELECT kq_add(23);
REINDEX TABLE kq.history;
SELECT kq_add(24);
ALTER TABLE kq.history DROP COLUMN late;
VACUUM FULL kq.history;
SELECT kq_add(25);
BEGIN;
TRUNCATE kq.history;
SELECT kq_add(26);
ROLLBACK;
SELECT kq_add(27);
ALTER TABLE kq.history RENAME TO history_of_old;
SELECT kq_add(28);
ALTER TABLE kq.history_of_old RENAME TO history;
CREATE OR REPLACE VIEW kq.signals AS SELECT m.id, m.sender, m.n, length(m.body) AS chars, lower(m.sender) AS loud, 100 / m.n AS share,
		h.seen + 1000 AS seen, x.word, date_trunc('day', m.at) AS day
	FROM kq.message m CROSS JOIN kq.extra x
	LEFT JOIN LATERAL (SELECT b.seen FROM kq.history b WHERE b.sender = m.sender AND b.day < m.n ORDER BY b.day DESC LIMIT 1) h ON true;
SELECT kq_add(29);
ALTER TABLE kq.message ADD COLUMN more text;
SELECT kq_add(30);

-- rights that end, on tables and on functions
CREATE TABLE kq.word (word text);
INSERT INTO kq.word VALUES ('borrowed');
ANALYZE kq.word;
GRANT SELECT ON kq.word TO kq_owner;
SET ROLE kq_owner;
CREATE OR REPLACE VIEW kq.signals AS SELECT m.id, m.sender, m.n, length(m.body) AS chars, lower(m.sender) AS loud, 100 / m.n AS share,
		h.seen, x.word, date_trunc('day', m.at) AS day
	FROM kq.message m CROSS JOIN kq.word x
	LEFT JOIN LATERAL (SELECT b.seen FROM kq.history b WHERE b.sender = m.sender AND b.day < m.n ORDER BY b.day DESC LIMIT 1) h ON true;
RESET ROLE;
SELECT kq_add(40);
SELECT kept FROM kq_kept;
REVOKE SELECT ON kq.word FROM kq_owner;
SELECT kq_add(41);
GRANT SELECT ON kq.word TO kq_owner;
SELECT kq_add(42);
BEGIN;
REVOKE EXECUTE ON FUNCTION pg_catalog.lower(text) FROM PUBLIC;
SELECT kq_add(43);
ROLLBACK;
SELECT kq_add(44);
ALTER TABLE kq.word ENABLE ROW LEVEL SECURITY;
SELECT kq_add(45);
CREATE POLICY anybody ON kq.word USING (word <> '');
SELECT kq_add(46);
SELECT kept FROM kq_kept;
ALTER TABLE kq.word DISABLE ROW LEVEL SECURITY;
SELECT kq_add(47);
SELECT kept FROM kq_kept;

-- settings of the session: none counts
SET timezone = 'Asia/Tokyo';
SET search_path = pg_temp, kq, public, pg_catalog;
CREATE TEMP TABLE history (sender text, day int, seen int);
INSERT INTO history VALUES ('s1', 1, 666);
CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;
SELECT public.kq_add(50);
SET search_path = public;
RESET timezone;
SELECT kq_add(51);
DROP TABLE pg_temp.history;

-- a run within a run: a condition's function inserts a message, too
SET ROLE kq_owner;
CREATE FUNCTION kq.insert_another(i int) RETURNS bool LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO kq.message (id, sender, n, body, at) VALUES (i, 's3', 3, 'inner', '2026-02-01 00:00+00');
	RETURN true;
END $$;
CREATE FUNCTION kq.another(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN kq.insert_another(i + 1000); END';
SELECT assay.create_detector('kq', 'another', 'id BETWEEN 60 AND 69 AND kq.another(id)', weight => 1, mode => 'live');
RESET ROLE;
SELECT kq_add(60);
SELECT kq_add(61);
SELECT d.id, d.degraded, d.signals::jsonb #>> '{}' AS signals FROM kq.kq_decision d WHERE d.id > 1000 ORDER BY 1;

-- a view without rows yet
CREATE MATERIALIZED VIEW kq.latest AS SELECT 'first' AS word;
ANALYZE kq.latest;
ALTER MATERIALIZED VIEW kq.latest OWNER TO kq_owner;
SET ROLE kq_owner;
CREATE OR REPLACE VIEW kq.signals AS SELECT m.id, m.sender, m.n, length(m.body) AS chars, lower(m.sender) AS loud, 100 / m.n AS share,
		h.seen, x.word, date_trunc('day', m.at) AS day
	FROM kq.message m CROSS JOIN kq.latest x
	LEFT JOIN LATERAL (SELECT b.seen FROM kq.history b WHERE b.sender = m.sender AND b.day < m.n ORDER BY b.day DESC LIMIT 1) h ON true;
RESET ROLE;
SELECT kq_add(70);
SELECT kept FROM kq_kept;
REFRESH MATERIALIZED VIEW kq.latest WITH NO DATA;
SELECT kq_add(71);
REFRESH MATERIALIZED VIEW kq.latest;
SELECT kq_add(72);

CREATE FUNCTION kq.twice(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 2 * i; END';
ALTER FUNCTION kq.twice OWNER TO kq_owner;

-- subqueries are kept, too; what is not: functions of anybody's, what is volatile, what makes rows
CREATE PROCEDURE kq_not_kept(what text, expression text, i int) LANGUAGE plpgsql AS $$
DECLARE
	told text;
BEGIN
	SET LOCAL ROLE kq_owner;
	EXECUTE format('CREATE OR REPLACE VIEW kq.signals AS SELECT m.id, m.sender, m.n, length(m.body) AS chars, (%s)::text AS loud, 100 / m.n AS share,
		1 AS seen, ''x''::text AS word, date_trunc(''day'', m.at) AS day FROM kq.message m', expression);
	COMMIT;
	told := kq_add(i);
	RAISE WARNING '%: %, kept: %', what, told, (SELECT kept FROM kq_kept);
END $$;
SET client_min_messages = warning;
CALL kq_not_kept('nothing odd', 'm.sender', 80);
CALL kq_not_kept('a subquery', '(SELECT max(word) FROM kq.extra)', 81);
CALL kq_not_kept('a subquery by row', '(SELECT max(seen) FROM kq.history h WHERE h.sender = m.sender)', 82);
CALL kq_not_kept('a function of the owner''s', 'kq.twice(m.n)', 83);
CALL kq_not_kept('what is volatile', 'random() < 2', 84);
CALL kq_not_kept('a row', 'ROW(m.n, m.sender)', 85);
-- nothing tells of a row type's new column
CREATE TYPE kq.pair AS (a int, b int);
CALL kq_not_kept('a row that the server makes', $$jsonb_populate_record(NULL::kq.pair, '{"a": 1, "b": 2, "c": 3}')$$, 86);
ALTER TYPE kq.pair ADD ATTRIBUTE c int;
SELECT kq_add(87)::jsonb ->> 'loud' AS with_c;
CALL kq_not_kept('nothing odd', 'm.sender', 88);
-- the least and the greatest go by the type's own comparison, which no call shows
CALL kq_not_kept('the greatest', 'greatest(m.n, 3)', 89);
CREATE TYPE kq.level AS ENUM ('low', 'high');
CREATE FUNCTION kq.compare(a kq.level, b kq.level) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN enum_cmp(a, b); END';
ALTER FUNCTION kq.compare OWNER TO kq_owner;
CREATE OPERATOR CLASS kq.level_ops DEFAULT FOR TYPE kq.level USING btree AS FUNCTION 1 kq.compare(kq.level, kq.level);
CALL kq_not_kept('the greatest of a user''s type', $$greatest(CASE WHEN m.n > 0 THEN 'low'::kq.level END, 'high')$$, 90);
CREATE OR REPLACE FUNCTION kq.compare(a kq.level, b kq.level) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN enum_cmp(b, a); END';
SELECT kq_add(91)::jsonb ->> 'loud' AS greatest;
SET client_min_messages = error;
DROP TRIGGER decide ON kq.message;
SELECT assay.drop_policy('kq', true);
DROP SCHEMA kq CASCADE;
DROP FUNCTION kq_add;
DROP PROCEDURE kq_not_kept;
DROP VIEW kq_kept;
DROP ROLE kq_owner;
