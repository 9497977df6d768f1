-- Batches whose rows come to the signals query in another order, by chunks:
-- decisions are the same, and in the order of the messages
\set VERBOSITY terse
SET client_min_messages = error;
CREATE TABLE sr_message (id int, sender text, number int, ident uuid, n int, body text, more text,
	PRIMARY KEY (id));
CREATE TABLE sr_history (sender text, day int, seen int, PRIMARY KEY (sender, day));
INSERT INTO sr_history SELECT 's' || s, d, s * 10 + d FROM generate_series(0, 199) s, generate_series(1, 3) d;
CREATE TABLE sr_number (number int PRIMARY KEY, name text);
INSERT INTO sr_number SELECT i, 'number ' || i FROM generate_series(-100, 100) i;
CREATE TABLE sr_ident (ident uuid PRIMARY KEY, name text);
INSERT INTO sr_ident SELECT md5(i::text)::uuid, 'ident ' || i FROM generate_series(0, 100) i;
ANALYZE;
-- out of the order of their senders; some of these are NULL, empty, or too long to be worth fetching
CREATE TABLE sr_rows AS SELECT i AS id, CASE WHEN i % 50 = 0 THEN NULL WHEN i % 51 = 0 THEN '' WHEN i % 52 = 0 THEN repeat('long' || i, 3000) ELSE 's' || i * 7919 % 200 END AS sender,
	i * 31 % 201 - 100 AS number, md5((i * 17 % 101)::text)::uuid AS ident, i % 7 + 1 AS n, repeat(md5(i::text), i % 5 * 20) AS body FROM generate_series(1, 1500) i;
CREATE VIEW sr_signals AS SELECT m.id, m.sender, m.n, length(m.body) AS chars, h.seen, k.name AS number_name, x.name AS ident_name, 100 / (m.n - 100) AS share
	FROM sr_message m LEFT JOIN LATERAL (SELECT b.seen FROM sr_history b WHERE b.sender = m.sender AND b.day < m.n ORDER BY b.day DESC LIMIT 1) h ON true
	LEFT JOIN LATERAL (SELECT name FROM sr_number b WHERE b.number = m.number LIMIT 1) k ON true
	LEFT JOIN LATERAL (SELECT name FROM sr_ident b WHERE b.ident = m.ident LIMIT 1) x ON true;
SELECT assay.create_policy('sr', 'sr_signals', '{id}', prior => 0, log_signals => true);
SELECT assay.create_detector('sr', 'seen', 'seen > 100', weight => 1, mode => 'live');
SELECT assay.create_detector('sr', 'names', 'number_name LIKE ''%7'' OR ident_name LIKE ''%5''', weight => 0.5, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON sr_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('sr');
SELECT assay.reads_again('sr', 'sr_message');
-- chunks of some ten rows
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''64kB''', current_database()); END $$;
\c -
\set VERBOSITY terse
SET client_min_messages = error;
SHOW work_mem;

CREATE TABLE sr_kept (way text, place bigint, decision jsonb);
CREATE PROCEDURE sr_try(way text, first int, last int) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('assay.new_rows', way, false);
	INSERT INTO sr_message (id, sender, number, ident, n, body) SELECT * FROM sr_rows WHERE id BETWEEN first AND last ORDER BY (id * 7) % 1511;
	INSERT INTO sr_kept SELECT way, row_number() OVER (ORDER BY d.ctid), to_jsonb(d) - 'decided_at' || jsonb_build_object('signals', d.signals::jsonb) FROM sr_decision d;
	TRUNCATE sr_decision;
	DELETE FROM sr_message;
	COMMIT;
END $$;
CREATE FUNCTION sr_compare() RETURNS TABLE (decisions bigint, degraded bigint, hits bigint, differ bigint, elsewhere bigint) LANGUAGE sql AS $$
	SELECT count(a.*), count(*) FILTER (WHERE (a.decision ->> 'degraded')::bool), count(*) FILTER (WHERE a.decision ->> 'attribution' LIKE '%"hit": true%'),
		count(*) FILTER (WHERE a.decision IS DISTINCT FROM b.decision), count(*) FILTER (WHERE a.place <> b.place)
	FROM (SELECT * FROM sr_kept WHERE way = 'on') a FULL JOIN (SELECT * FROM sr_kept WHERE way = 'off') b ON a.decision ->> 'id' = b.decision ->> 'id' $$;
CALL sr_try('on', 1, 1500);
CALL sr_try('off', 1, 1500);
SELECT * FROM sr_compare();
-- as few as are sorted, and one less
TRUNCATE sr_kept;
CALL sr_try('on', 1, 32);
CALL sr_try('on', 101, 131);
CALL sr_try('off', 1, 32);
CALL sr_try('off', 101, 131);
SELECT * FROM sr_compare();

-- by another column: a number, a UUID
CREATE OR REPLACE FUNCTION sr_by(lookups text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE sr_kept;
	EXECUTE 'CREATE OR REPLACE VIEW sr_signals AS SELECT m.id, m.sender, m.n, length(m.body) AS chars, h.seen, k.name AS number_name, x.name AS ident_name, 100 / (m.n - 100) AS share
		FROM sr_message m ' || lookups;
END $$;
SELECT sr_by('CROSS JOIN (SELECT 1 AS seen) h LEFT JOIN sr_number k USING (number) CROSS JOIN (SELECT ''x'' AS name) x');
CALL sr_try('on', 1, 1500);
CALL sr_try('off', 1, 1500);
SELECT * FROM sr_compare();
SELECT sr_by('CROSS JOIN (SELECT 1 AS seen) h LEFT JOIN sr_ident x ON x.ident = m.ident CROSS JOIN (SELECT ''x'' AS name) k');
CALL sr_try('on', 1, 1500);
CALL sr_try('off', 1, 1500);
SELECT * FROM sr_compare();

-- an error in one of the chunks: all are read one by one, from the whole table
SELECT sr_by('LEFT JOIN LATERAL (SELECT b.seen / (m.id - 700) AS seen FROM sr_history b WHERE b.sender = m.sender AND b.day < 2) h ON true
	CROSS JOIN (SELECT ''x'' AS name) k CROSS JOIN (SELECT ''x'' AS name) x');
UPDATE sr_rows SET sender = 's1' WHERE id = 700;
CALL sr_try('on', 600, 1200);
CALL sr_try('off', 600, 1200);
SELECT * FROM sr_compare();
SELECT decision ->> 'id' AS id, way FROM sr_kept WHERE (decision ->> 'degraded')::bool ORDER BY way;
SELECT count(*) > 0 AS told, bool_and(key = '{700}') AS of_it FROM assay.fault WHERE policy = 'sr';

-- what the signals write while they are read is seen by none of them, in whatever chunk
CREATE FUNCTION sr_write(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.sr_number VALUES (1000 + i, ''written''); RETURN i; END';
SELECT sr_by('LEFT JOIN LATERAL (SELECT sr_write(m.id) * 0 + count(*)::int AS seen FROM sr_number b WHERE b.name = ''written'') h ON true
	LEFT JOIN sr_number k USING (number) CROSS JOIN (SELECT ''x'' AS name) x');
CALL sr_try('on', 1, 500);
SELECT count(*) AS decisions, count(*) FILTER (WHERE (decision #>> '{signals,seen}')::int > 0) AS saw, count(decision #>> '{signals,seen}') AS seen, count(*) FILTER (WHERE (decision ->> 'degraded')::bool) AS degraded FROM sr_kept;
SELECT count(*) AS written FROM sr_number WHERE name = 'written';
-- they came by number within each chunk: some steps down, where half of them would be
SELECT count(*) FILTER (WHERE down) < 50 AS sorted FROM (SELECT r.number < lag(r.number) OVER (ORDER BY w.ctid) AS down
	FROM sr_number w JOIN sr_rows r ON r.id = w.number - 1000 WHERE w.name = 'written') x;

-- by as_of()
CREATE TABLE sr_base (sender text, day date, seen int, UNIQUE (sender, day));
INSERT INTO sr_base SELECT sender, '2026-01-01'::date + day, seen FROM sr_history;
SELECT sr_by('LEFT JOIN LATERAL assay.as_of(NULL::sr_base, ''2026-01-01 12:00+00''::timestamptz + m.n * interval ''1 day'', m.sender) h ON true
	CROSS JOIN (SELECT ''x'' AS name) k CROSS JOIN (SELECT ''x'' AS name) x');
CALL sr_try('on', 1, 1500);
CALL sr_try('off', 1, 1500);
SELECT * FROM sr_compare();

-- columns that go and come
ALTER TABLE sr_message DROP COLUMN more;
SELECT sr_by('LEFT JOIN LATERAL (SELECT b.seen FROM sr_history b WHERE b.sender = m.sender AND b.day < m.n ORDER BY b.day DESC LIMIT 1) h ON true
	CROSS JOIN (SELECT ''x'' AS name) k CROSS JOIN (SELECT ''x'' AS name) x');
ALTER TABLE sr_message ADD COLUMN later text DEFAULT 'then';
CALL sr_try('on', 1, 300);
CALL sr_try('off', 1, 300);
SELECT * FROM sr_compare();

DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET work_mem', current_database()); END $$;
DROP TRIGGER decide ON sr_message;
SELECT assay.drop_policy('sr', true);
DROP TABLE sr_message, sr_base, sr_history, sr_number, sr_ident, sr_rows, sr_kept CASCADE;
DROP FUNCTION sr_write, sr_by, sr_compare;
DROP PROCEDURE sr_try;
