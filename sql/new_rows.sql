-- Signals from the new rows themselves: where that is the same as to read the
-- messages again, and that it is
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE DOMAIN nr_short AS varchar(12) CHECK (value <> 'forbidden');
CREATE TABLE nr_tenant (tenant int PRIMARY KEY, label text);
INSERT INTO nr_tenant VALUES (1, 'one'), (2, 'two');
CREATE TABLE nr_message (gone text, id int PRIMARY KEY, n int, "the Text" text, old_name varchar(20), body text, c text COLLATE "C",
	d nr_short, amount numeric(8,2), tags text[], at timestamptz, fixed char(5), late int, tenant int REFERENCES nr_tenant,
	twice int GENERATED ALWAYS AS (n * 2) STORED);
ALTER TABLE nr_message DROP COLUMN gone;
CREATE INDEX ON nr_message (c, at);
CREATE TABLE nr_rows AS SELECT i AS id, i % 7 AS n, 'text ' || i AS t, repeat(md5(i::text), i % 4 * 100) AS b,
	chr(97 + i % 5) AS c, CASE WHEN i % 3 > 0 THEN 'short' END AS d, i / 3.0 AS amount, ARRAY['x', i::text] AS tags,
	'2026-01-01'::timestamptz + i * interval '1 hour' AS at, 1 + i % 2 AS tenant FROM generate_series(1, 60) i;
CREATE FUNCTION nr_insert(first int, last int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO nr_message (id, n, "the Text", old_name, body, c, d, amount, tags, at, fixed, tenant)
	SELECT id, n, t, left(t, 20), b, c, d, amount, tags, at, c || c, tenant FROM nr_rows WHERE id BETWEEN first AND last $$;
CREATE FUNCTION nr_double(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x * 2; END';

-- The decisions of 60 messages, in a batch and one by one, both ways
CREATE TABLE nr_result (way text, decision jsonb);
CREATE FUNCTION nr_decide(way text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('assay.new_rows', way, false);
	PERFORM nr_insert(1, 50);
	FOR i IN 51..60 LOOP
		PERFORM nr_insert(i, i);
	END LOOP;
	INSERT INTO nr_result SELECT way, to_jsonb(d) - 'decided_at' FROM nr_decision d;
	DELETE FROM nr_decision;
	DELETE FROM nr_message;
	PERFORM set_config('assay.new_rows', 'on', false);
END $$;
CREATE TABLE nr_tried (shape text, new_rows text, decisions bigint, signals bigint, same boolean);
CREATE PROCEDURE nr_try(shape text, view text, transition text DEFAULT 'new') LANGUAGE plpgsql AS $$
DECLARE
	reason text;
BEGIN
	DELETE FROM nr_result;
	EXECUTE 'CREATE VIEW nr_signals AS ' || view;
	PERFORM assay.create_policy('nr', 'nr_signals', '{id}', prior => 0, log_signals => true);
	PERFORM assay.create_detector('nr', 'n', 'n > 3', weight => 1, mode => 'live');
	PERFORM assay.create_detector('nr', 'text', 't LIKE ''%5%'' AND 10 / (n + 1) > 0', weight => 1, mode => 'live');
	EXECUTE format('CREATE TRIGGER decide AFTER INSERT ON nr_message REFERENCING NEW TABLE AS %I
		FOR EACH STATEMENT EXECUTE FUNCTION assay.decide(''nr'')', transition);
	COMMIT;
	-- each way in a transaction of its own, which has deleted nothing yet
	PERFORM nr_decide('on');
	COMMIT;
	-- nor left anything behind, where others would come to lie in another order
	TRUNCATE nr_message;
	COMMIT;
	PERFORM nr_decide('off');
	COMMIT;
	TRUNCATE nr_message;
	COMMIT;
	reason := assay.reads_again('nr', 'nr_message');
	INSERT INTO nr_tried SELECT shape, coalesce(reason, 'yes'), count(*) FILTER (WHERE way = 'on'), count(decision ->> 'signals') FILTER (WHERE way = 'on'),
		NOT EXISTS (SELECT decision FROM nr_result WHERE way = 'on' EXCEPT ALL SELECT decision FROM nr_result WHERE way = 'off')
		AND count(*) FILTER (WHERE way = 'on') = count(*) FILTER (WHERE way = 'off') FROM nr_result;
	DROP TRIGGER decide ON nr_message;
	PERFORM assay.drop_policy('nr', true);
	DROP VIEW nr_signals CASCADE;
	COMMIT;
END $$;

-- from the rows
CALL nr_try('plain', 'SELECT id, n, "the Text" AS t, body, c, d, amount, tags, at, fixed, late, tenant, twice, old_name FROM nr_message');
CALL nr_try('a subset', 'SELECT m.id, n, "the Text" AS t FROM nr_message m WHERE n <> 5');
CALL nr_try('a join', 'SELECT m.id, m.n, m."the Text" AS t, x.label FROM nr_message m JOIN nr_tenant x USING (tenant)');
CALL nr_try('a merged column', 'SELECT id, n, "the Text" AS t, tenant, x.label FROM nr_tenant x RIGHT JOIN nr_message USING (tenant)');
CALL nr_try('renamed by an alias', 'SELECT m.one AS id, m.two AS n, m.three AS t FROM nr_message m(one, two, three)');
CALL nr_try('the nullable side', 'SELECT m.id, m.n, x.label AS t FROM nr_tenant x LEFT JOIN nr_message m ON m.tenant = x.tenant AND m.n > 2');
CALL nr_try('a full join', 'SELECT m.id, m.n, x.label AS t FROM nr_tenant x FULL JOIN nr_message m ON m.tenant = x.tenant');
CALL nr_try('history in the same table', 'SELECT m.id, m.n, m."the Text" AS t, h.before, h.first FROM nr_message m
	LEFT JOIN LATERAL (SELECT count(*) AS before, min(o.id) AS first FROM nr_message o WHERE o.c = m.c AND o.at <= m.at) h ON true');
CALL nr_try('subqueries', 'SELECT m.id, m.n, m."the Text" AS t, (SELECT max(o.n) FROM nr_message o WHERE o.id <> m.id) AS top,
	EXISTS (SELECT FROM nr_message o WHERE o.tenant = m.tenant AND o.id < m.id) AS again, m.tags[1] AS tag FROM nr_message m');
CALL nr_try('WITH', 'WITH m AS (SELECT id, n, "the Text" AS t FROM nr_message), k AS (SELECT 3 AS three) SELECT m.*, three FROM m, k');
CALL nr_try('nested queries', 'SELECT x.id, x.n, x.t, lower(x.t) COLLATE "C" AS l FROM (SELECT id, n + 0 AS n, "the Text" AS t FROM (SELECT * FROM nr_message) y) x');
CALL nr_try('functions', 'SELECT m.id, nr_double(m.n) AS n, m."the Text" AS t, s.i, s.ordinality, r.* FROM nr_message m, nr_double(m.n) WITH ORDINALITY s(i),
	LATERAL (VALUES (m.n, ''it''''s "odd"'')) r(a, b)');
CALL nr_try('an order', 'SELECT id, n, "the Text" AS t, CASE WHEN n > 2 THEN -1.5 ELSE ''1''::numeric END AS x FROM nr_message ORDER BY n');
CALL nr_try('lengths', 'SELECT m.id, length(m."the Text") + char_length(m.old_name) AS n, m."the Text" AS t, length(m.fixed) AS padded,
	(SELECT max(length(o.c) + character_length(m.body)) FROM nr_tenant x JOIN nr_rows o ON o.id = x.tenant WHERE length(m.c) = 1) AS inner FROM nr_message m');
CREATE VIEW nr_inner AS SELECT id, n, "the Text" AS told, fixed FROM nr_message;
ALTER VIEW nr_inner RENAME COLUMN told TO tale;
CALL nr_try('a view over a view', 'SELECT id, n, tale AS t, fixed FROM nr_inner');

-- by another way
CALL nr_try('a window', 'SELECT id, n, "the Text" AS t, count(*) OVER (PARTITION BY c) AS others FROM nr_message');
CALL nr_try('an aggregate', 'SELECT id, n, max("the Text") AS t FROM nr_message GROUP BY id, n');
CALL nr_try('DISTINCT ON', 'SELECT DISTINCT ON (c) id, n, "the Text" AS t FROM nr_message ORDER BY c, at DESC');
CALL nr_try('LIMIT', 'SELECT id, n, "the Text" AS t FROM nr_message ORDER BY id LIMIT 20');
CALL nr_try('a set operation', 'SELECT id, n, "the Text" AS t FROM nr_message UNION ALL SELECT -1, 0, ''none''');
CALL nr_try('a set for a row', 'SELECT id, n, "the Text" AS t, generate_series(1, 2) AS g FROM nr_message');
CALL nr_try('twice in one query', 'WITH m AS (SELECT id, n, "the Text" AS t FROM nr_message) SELECT a.* FROM m a JOIN m b ON b.id = a.id');
CALL nr_try('a made key', 'SELECT id + 0 AS id, n, "the Text" AS t FROM nr_message');
CALL nr_try('a merged key', 'SELECT id, n, "the Text" AS t FROM nr_message FULL JOIN (SELECT 1 AS id) x USING (id)');
CALL nr_try('another key', 'SELECT tenant AS id, n, "the Text" AS t FROM nr_message');
CALL nr_try('a whole row', 'SELECT id, n, "the Text" AS t, m::text AS everything FROM nr_message m');
CALL nr_try('a whole join', 'SELECT j.id, j.n, j."the Text" AS t, j::text AS everything FROM (nr_message m CROSS JOIN (SELECT 1 AS one) x) j');
CALL nr_try('a whole row of a view', 'SELECT id, n, tale AS t, pg_typeof(i) AS type FROM nr_inner i');
CALL nr_try('a row of a subquery', 'SELECT id, n, tale AS t, pg_typeof(i) AS type, to_jsonb(i) AS row FROM (SELECT * FROM nr_inner) i');
CALL nr_try('a system column', 'SELECT id, n, "the Text" AS t, tableoid::regclass AS home FROM nr_message');
CALL nr_try('storage', 'SELECT id, n, "the Text" AS t, pg_column_size(body) AS bytes FROM nr_message');
CALL nr_try('a sample', 'SELECT id, n, "the Text" AS t FROM nr_message TABLESAMPLE SYSTEM (100)');
CALL nr_try('locks', 'SELECT id, n, "the Text" AS t FROM nr_message FOR SHARE');
CALL nr_try('another table', 'SELECT r.id, r.n, r.t FROM nr_rows r');
CALL nr_try('a WITH of that name', 'WITH "(message)" AS (SELECT 1 AS one) SELECT id, n, "the Text" AS t, one FROM nr_message, "(message)"');
CALL nr_try('a transition table of the server', 'SELECT id, n, "the Text" AS t, (SELECT count(*) FROM pg_am WHERE amname = ''heap'') AS am FROM nr_message', 'pg_am');
CREATE VIEW nr_barrier WITH (security_barrier) AS SELECT id, n, "the Text" AS t FROM nr_message;
CALL nr_try('a security barrier', 'SELECT * FROM nr_barrier');
CREATE ROLE nr_other;
CREATE VIEW nr_foreign AS SELECT id, n, "the Text" AS t FROM nr_message;
ALTER VIEW nr_foreign OWNER TO nr_other;
GRANT SELECT ON nr_message TO nr_other;
CALL nr_try('another role''s view', 'SELECT * FROM nr_foreign');
ALTER VIEW nr_foreign SET (security_invoker);
CALL nr_try('the same with one''s own rights', 'SELECT * FROM nr_foreign');
ALTER TABLE nr_message ENABLE ROW LEVEL SECURITY;
CALL nr_try('row-level security', 'SELECT id, n, "the Text" AS t FROM nr_message');
ALTER TABLE nr_message DISABLE ROW LEVEL SECURITY;
CREATE TABLE nr_child () INHERITS (nr_message);
CALL nr_try('inheritance', 'SELECT id, n, "the Text" AS t FROM nr_message');
DROP TABLE nr_child;
ANALYZE nr_message;
SELECT * FROM nr_tried;

-- indeed nothing reads the table again
CREATE VIEW nr_signals AS SELECT id, n, "the Text" AS t, late FROM nr_message;
SELECT assay.create_policy('nr', 'nr_signals', '{id}', prior => 0, log_signals => true);
CREATE TRIGGER decide AFTER INSERT ON nr_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('nr');
SELECT nr_insert(100, 100);
CREATE FUNCTION nr_scans() RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT seq_scan + idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'nr_message' $$;
CREATE FUNCTION nr_scans_of(way text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	before bigint := nr_scans();
BEGIN
	PERFORM set_config('assay.new_rows', way, true);
	PERFORM nr_insert(1, 10);
	PERFORM nr_insert(11, 11);
	RETURN nr_scans() - before;
END $$;
BEGIN;
SELECT nr_scans_of('on');
ROLLBACK;
BEGIN;
SELECT nr_scans_of('off');
ROLLBACK;

-- What happens between the rows and the trigger counts
SELECT assay.create_detector('nr', 'late', 'late > 0', weight => 1, mode => 'live');
CREATE TABLE nr_log (id int);
CREATE FUNCTION nr_meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_ARGV[0] = 'log' THEN
		INSERT INTO nr_log VALUES (1);
	ELSIF TG_LEVEL = 'ROW' THEN
		UPDATE nr_message SET late = 1 WHERE id = NEW.id - TG_ARGV[0]::int;
	ELSE
		UPDATE nr_message SET late = 1;
	END IF;
	RETURN NEW;
END $$;
CREATE PROCEDURE nr_both(what text, meddler text) LANGUAGE plpgsql AS $$
DECLARE
	way text;
	rows int[] := '{}';
	n int;
BEGIN
	IF meddler <> '' THEN
		EXECUTE 'CREATE TRIGGER ' || meddler;
		COMMIT;
	END IF;
	FOREACH way IN ARRAY '{on,off}'::text[] LOOP
		PERFORM set_config('assay.new_rows', way, false);
		PERFORM nr_insert(1, 10);
		PERFORM nr_insert(11, 11);
		SELECT count(*) INTO n FROM nr_decision d, assay.ledger(d.attribution) l WHERE l.detector = 'late' AND l.hit;
		rows := rows || n;
		DELETE FROM nr_decision;
		DELETE FROM nr_message;
		COMMIT;
	END LOOP;
	IF meddler <> '' THEN
		EXECUTE 'DROP TRIGGER ' || quote_ident(split_part(meddler, ' ', 1)) || ' ON nr_message';
		COMMIT;
	END IF;
	RAISE WARNING '%: % and % of 11 have it', what, rows[1], rows[2];
END $$;
CALL nr_both('nobody', '');
CALL nr_both('a row''s trigger', 'a AFTER INSERT ON nr_message FOR EACH ROW EXECUTE FUNCTION nr_meddle(0)');
CALL nr_both('an earlier statement''s', 'a AFTER INSERT ON nr_message FOR EACH STATEMENT EXECUTE FUNCTION nr_meddle(0)');
CALL nr_both('a later statement''s', 'z AFTER INSERT ON nr_message FOR EACH STATEMENT EXECUTE FUNCTION nr_meddle(0)');
CALL nr_both('before the next row', 'b BEFORE INSERT ON nr_message FOR EACH ROW EXECUTE FUNCTION nr_meddle(1)');
CALL nr_both('who only writes elsewhere', 'a AFTER INSERT ON nr_message FOR EACH ROW EXECUTE FUNCTION nr_meddle(log)');
CREATE FUNCTION nr_update() RETURNS int LANGUAGE plpgsql AS 'BEGIN UPDATE nr_message SET late = 1 WHERE id = 1; RETURN 2; END';
-- ... the statement itself
INSERT INTO nr_message (id, n) SELECT i, CASE WHEN i = 1 THEN 1 ELSE nr_update() END FROM generate_series(1, 2) i;
SELECT id, assay.margin(attribution) > 0 AS late FROM nr_decision ORDER BY id;
-- ... what a transaction did before
BEGIN;
UPDATE nr_message SET late = 2;
SELECT nr_insert(3, 5);
COMMIT;
SELECT count(*) FROM nr_decision;

-- What the signals are made of is renamed, and others take the names
CREATE SCHEMA nr_a;
CREATE TABLE nr_a.list (n int, name text);
INSERT INTO nr_a.list SELECT i, 'first' FROM generate_series(0, 9) i;
CREATE FUNCTION nr_a.mark(n numeric) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN ''numeric''; END';
CREATE OR REPLACE VIEW nr_signals AS SELECT m.id, m.n, m."the Text" AS t, m.late, l.name, nr_a.mark(m.n) AS mark
	FROM nr_message m LEFT JOIN nr_a.list l USING (n);
SELECT assay.create_detector('nr', 'seen', 'name <> '''' AND mark <> ''''', weight => 1, mode => 'live');
SELECT assay.reads_again('nr', 'nr_message');
CREATE FUNCTION nr_seen(i int) RETURNS text LANGUAGE sql AS $$
	SELECT nr_insert(i, i);
	SELECT nr_insert(i + 1, i + 2);
	SELECT string_agg(l.signals::text, ' ' ORDER BY d.id) FROM nr_decision d, assay.ledger(d.attribution) l WHERE l.detector = 'seen' AND d.id BETWEEN i AND i + 2;
$$;
SELECT nr_seen(6);
ALTER TABLE nr_a.list RENAME TO old_list;
CREATE TABLE nr_a.list (n int, name text);
INSERT INTO nr_a.list SELECT i, 'second' FROM generate_series(0, 9) i;
SELECT nr_seen(9);
ALTER TABLE nr_a.old_list RENAME COLUMN name TO former;
SELECT nr_seen(12);
ALTER SCHEMA nr_a RENAME TO nr_b;
SELECT nr_seen(15);
-- a function that would fit better is not what the view calls
CREATE FUNCTION nr_b.mark(n int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN ''int''; END';
SELECT nr_seen(18);
ANALYZE nr_b.old_list;
SELECT nr_seen(21);
SELECT assay.reads_again('nr', 'nr_message');
\c -
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT nr_seen(24);
DROP FUNCTION nr_b.mark(int);
ALTER FUNCTION nr_b.mark(numeric) RENAME TO sign;
SELECT nr_seen(27);
SELECT assay.reads_again('nr', 'nr_message');

-- the message table's columns too
ALTER TABLE nr_message RENAME old_name TO new_name;
ALTER TABLE nr_message RENAME "the Text" TO "new Text";
INSERT INTO nr_message (id, n, "new Text") VALUES (100, 5, 'renamed');
ALTER TABLE nr_message DROP COLUMN new_name;
INSERT INTO nr_message (id, n, "new Text") VALUES (101, 5, 'fewer'), (102, 5, 'fewer');
SELECT id, degraded FROM nr_decision WHERE id >= 100 ORDER BY id;

-- A row for a partition whose columns are in another order is captured without what is generated there.
CREATE TABLE nr_part (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED) PARTITION BY RANGE (id);
CREATE TABLE nr_part_1 PARTITION OF nr_part FOR VALUES FROM (0) TO (100);
CREATE TABLE nr_part_2 (twice int GENERATED ALWAYS AS (n * 2) STORED, n int, id int NOT NULL);
ALTER TABLE nr_part ATTACH PARTITION nr_part_2 FOR VALUES FROM (100) TO (200);
CREATE VIEW nr_part_signals AS SELECT id, n, twice FROM nr_part;
SELECT assay.create_policy('nr_part', 'nr_part_signals', '{id}', prior => 0);
SELECT assay.create_detector('nr_part', 'twice', 'twice > 5', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON nr_part REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('nr_part');
INSERT INTO nr_part (id, n) SELECT i, 3 FROM generate_series(98, 102) i;
INSERT INTO nr_part (id, n) VALUES (110, 3);
SELECT score > 0.6 AS hit, degraded, count(*) FROM nr_part_decision GROUP BY 1, 2;
SELECT assay.reads_again('nr_part', 'nr_part');
DROP TABLE nr_part CASCADE;
SELECT assay.drop_policy('nr_part', true);
-- On 15 a partition may generate what is a plain column of its parent, however deep it is; later it can't be attached.
CREATE TABLE nr_part (id int PRIMARY KEY, n int, twice int) PARTITION BY RANGE (id);
CREATE TABLE nr_part_1 PARTITION OF nr_part FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
CREATE VIEW nr_part_signals AS SELECT id, n, twice FROM nr_part;
SELECT assay.create_policy('nr_part', 'nr_part_signals', '{id}', prior => 0);
SELECT assay.create_detector('nr_part', 'twice', 'twice > 5', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON nr_part REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('nr_part');
CREATE TABLE nr_part_11 PARTITION OF nr_part_1 FOR VALUES FROM (0) TO (10);
INSERT INTO nr_part (id, n) VALUES (1, 3);
SELECT assay.reads_again('nr_part', 'nr_part') IS NULL AS from_the_rows;
CREATE TABLE nr_part_12 (twice int GENERATED ALWAYS AS (n * 2) STORED, n int, id int NOT NULL);
DO $$
BEGIN
	ALTER TABLE nr_part_1 ATTACH PARTITION nr_part_12 FOR VALUES FROM (10) TO (20);
	IF assay.reads_again('nr_part', 'nr_part') IS NULL THEN
		RAISE WARNING 'taken from the rows';
	END IF;
EXCEPTION
	WHEN datatype_mismatch THEN
		CREATE TABLE nr_part_13 PARTITION OF nr_part_1 FOR VALUES FROM (10) TO (20);
END $$;
INSERT INTO nr_part (id, n) VALUES (10, 3);
INSERT INTO nr_part (id, n) SELECT i, 3 FROM generate_series(8, 12) i ON CONFLICT DO NOTHING;
SELECT count(*) FILTER (WHERE coalesce(twice > 5, false) <> (score > 0.6)) AS differ, count(*), bool_or(degraded) AS degraded
FROM nr_part JOIN nr_part_decision USING (id);
DROP TABLE nr_part CASCADE;
SELECT assay.drop_policy('nr_part', true);
DROP TABLE IF EXISTS nr_part_12;
-- A generated key is not in such a row either: it is made of it.
CREATE TABLE nr_part (id int PRIMARY KEY, n int, k text GENERATED ALWAYS AS ('k' || n) STORED, UNIQUE (id, k)) PARTITION BY RANGE (id);
CREATE TABLE nr_part_1 (k text GENERATED ALWAYS AS ('k' || n) STORED, n int, id int NOT NULL);
ALTER TABLE nr_part ATTACH PARTITION nr_part_1 FOR VALUES FROM (0) TO (100);
CREATE TABLE nr_part_2 PARTITION OF nr_part FOR VALUES FROM (100) TO (200);
CREATE VIEW nr_part_signals AS SELECT id, k, n FROM nr_part;
SELECT assay.create_policy('nr_part', 'nr_part_signals', '{id,k}');
CREATE TRIGGER decide AFTER INSERT ON nr_part REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('nr_part');
INSERT INTO nr_part VALUES (1, 1);
INSERT INTO nr_part VALUES (2, 1), (102, 1);
SELECT assay.alter_policy('nr_part', prior => -1);
-- a key that comes again, whose former decision is another
DELETE FROM nr_part WHERE id = 2;
INSERT INTO nr_part VALUES (2, 1);
SELECT * FROM assay.undecided('nr_part');
SELECT id, k, revision, degraded FROM nr_part_decision ORDER BY 1, 2, 3;
SELECT count(*) FROM assay.check('nr_part') WHERE "check" = 'key';
DROP TABLE nr_part CASCADE;
SELECT assay.drop_policy('nr_part', true);

-- Since 16 a partition may generate the key by another expression, which may be changed there alone since 17: its messages are not taken for others.
CREATE TABLE nr_part (id int PRIMARY KEY, n int, k text GENERATED ALWAYS AS ('k' || n) STORED) PARTITION BY RANGE (id);
CREATE TABLE nr_part_2 PARTITION OF nr_part FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
CREATE TABLE nr_part_3 (k text GENERATED ALWAYS AS ('k' || n) STORED, n int, id int NOT NULL);
ALTER TABLE nr_part_2 ATTACH PARTITION nr_part_3 FOR VALUES FROM (100) TO (150);
CREATE VIEW nr_part_signals AS SELECT id, k, n FROM nr_part;
SELECT assay.create_policy('nr_part', 'nr_part_signals', '{k}');
CREATE TRIGGER decide AFTER INSERT ON nr_part REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('nr_part');
INSERT INTO nr_part (id, n) VALUES (101, 1);
INSERT INTO nr_part (id, n) VALUES (102, 2), (103, 3);
SELECT k, degraded FROM nr_part_decision ORDER BY k;
-- check() tells of it ahead
SELECT count(*) AS told FROM assay.check('nr_part')
	WHERE severity = 'warning' AND detail ~ '^key column "k" of public.nr_part is generated, which new rows may lack';
SET client_min_messages = error;
CREATE TABLE nr_part_1 (k text GENERATED ALWAYS AS ('p' || n) STORED, n int, id int NOT NULL);
CREATE TABLE nr_part_4 (id int NOT NULL, n int, k text GENERATED ALWAYS AS (CASE WHEN n < 70 THEN 'p' || n END) STORED);
DO $$
BEGIN
	ALTER TABLE nr_part ATTACH PARTITION nr_part_1 FOR VALUES FROM (0) TO (100);
	ALTER TABLE nr_part_2 ATTACH PARTITION nr_part_4 FOR VALUES FROM (150) TO (200);
EXCEPTION
	WHEN datatype_mismatch THEN
		ALTER TABLE nr_part_1 DROP k, ADD k text GENERATED ALWAYS AS ('k' || n) STORED;
		ALTER TABLE nr_part_4 DROP k, ADD k text GENERATED ALWAYS AS ('k' || n) STORED;
		ALTER TABLE nr_part ATTACH PARTITION nr_part_1 FOR VALUES FROM (0) TO (100);
		ALTER TABLE nr_part_2 ATTACH PARTITION nr_part_4 FOR VALUES FROM (150) TO (200);
END $$;
SELECT count(*) = CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 1 ELSE 0 END AS told FROM assay.check('nr_part')
	WHERE severity = 'warning' AND detail ~ '^key column "k" of public.nr_part is generated, which new rows may lack';
-- ... not where all columns are in the table's order: such rows have their key
CREATE TABLE nr_same (id int PRIMARY KEY, n int, k text GENERATED ALWAYS AS ('k' || n) STORED) PARTITION BY RANGE (id);
CREATE TABLE nr_same_1 (id int NOT NULL, n int, k text GENERATED ALWAYS AS ('p' || n) STORED);
DO $$
BEGIN
	ALTER TABLE nr_same ATTACH PARTITION nr_same_1 DEFAULT;
EXCEPTION
	WHEN datatype_mismatch THEN
		CREATE TABLE nr_same_2 PARTITION OF nr_same DEFAULT;
END $$;
CREATE VIEW nr_same_signals AS SELECT id, k, n FROM nr_same;
SELECT assay.create_policy('nr_same', 'nr_same_signals', '{k}') IS NOT NULL AS made;
CREATE TRIGGER decide AFTER INSERT ON nr_same REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('nr_same');
INSERT INTO nr_same (id, n) VALUES (1, 1), (2, 2);
SELECT count(*), count(d.k) FROM nr_same m LEFT JOIN nr_same_decision d USING (k);
SELECT count(*) FROM assay.check('nr_same') WHERE detail ~ 'is generated';
SET client_min_messages = warning;
DROP TABLE nr_same CASCADE;
SELECT assay.drop_policy('nr_same', true);
SET client_min_messages = error;
INSERT INTO nr_part (id, n) VALUES (1, 51);
INSERT INTO nr_part (id, n) VALUES (2, 52), (104, 4), (151, 61);
INSERT INTO nr_part (id, n) VALUES (152, 71);
DO $$
BEGIN
	EXECUTE 'ALTER TABLE nr_part_3 ALTER k SET EXPRESSION AS (''q'' || n)';
EXCEPTION
	WHEN syntax_error THEN
		NULL;
END $$;
INSERT INTO nr_part (id, n) VALUES (105, 5);
INSERT INTO nr_part (id, n) VALUES (106, 6), (107, 7);
-- of the first ones the key was that
SELECT k FROM nr_part_decision d WHERE k NOT IN ('k1', 'k2', 'k3', 'k4') AND NOT EXISTS (SELECT FROM nr_part m WHERE m.k = d.k);
SELECT count(*) AS neither FROM nr_part m WHERE NOT EXISTS (SELECT FROM nr_part_decision d WHERE d.k = m.k)
	AND NOT EXISTS (SELECT FROM assay.undecided('nr_part') u WHERE u.key = ARRAY[m.k]) AND k IS NOT NULL;
CALL assay.backfill('nr_part', undecided_only => true, at => NULL);
SELECT count(*) FROM nr_part m LEFT JOIN nr_part_decision d USING (k) WHERE m.k IS NOT NULL AND d.degraded IS DISTINCT FROM false;
SET client_min_messages = warning;
DROP TABLE nr_part CASCADE;
SELECT assay.drop_policy('nr_part', true);

-- nor where a partition with its columns in another order generates what is a plain key of its table (15 only)
CREATE TABLE nr_only (k int, n int) PARTITION BY LIST (n);
CREATE TABLE nr_only_1 (n int, k int GENERATED ALWAYS AS (n * 100) STORED);
CREATE TABLE nr_only_2 PARTITION OF nr_only FOR VALUES IN (2);
CREATE VIEW nr_only_signals AS SELECT k, n FROM nr_only;
SELECT assay.create_policy('nr_only', 'nr_only_signals', '{k}');
CREATE TRIGGER decide AFTER INSERT ON nr_only REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('nr_only');
INSERT INTO nr_only (k, n) VALUES (20, 2);
SELECT k, degraded FROM nr_only_decision;
DO $$
BEGIN
	ALTER TABLE nr_only ATTACH PARTITION nr_only_1 FOR VALUES IN (1);
EXCEPTION
	WHEN invalid_table_definition OR datatype_mismatch THEN
		ALTER TABLE nr_only_1 ALTER k DROP EXPRESSION;
		ALTER TABLE nr_only ATTACH PARTITION nr_only_1 FOR VALUES IN (1);
END $$;
SET client_min_messages = error;
INSERT INTO nr_only (k, n) VALUES (7, 1);
INSERT INTO nr_only (k, n) VALUES (21, 2), (22, 2);
INSERT INTO nr_only (k, n) VALUES (8, 1), (23, 2);
SELECT k FROM nr_only_decision d WHERE NOT EXISTS (SELECT FROM nr_only m WHERE m.k = d.k);
SELECT count(*) AS neither FROM nr_only m WHERE NOT EXISTS (SELECT FROM nr_only_decision d WHERE d.k = m.k)
	AND NOT EXISTS (SELECT FROM assay.undecided('nr_only') u WHERE u.key = ARRAY[m.k::text]);
CALL assay.backfill('nr_only', undecided_only => true, at => NULL);
SELECT count(*) FROM nr_only m LEFT JOIN nr_only_decision d USING (k) WHERE d.degraded IS DISTINCT FROM false;
SET client_min_messages = warning;
DROP TABLE nr_only CASCADE;
SELECT assay.drop_policy('nr_only', true);
-- a key that is generated by what new rows don't have
CREATE TABLE nr_table (k bigint GENERATED ALWAYS AS (n + 0 * tableoid::bigint) STORED, n int) PARTITION BY LIST (n);
CREATE TABLE nr_table_1 PARTITION OF nr_table FOR VALUES IN (1, 2, 3);
CREATE VIEW nr_table_signals AS SELECT k, n FROM nr_table;
SELECT assay.create_policy('nr_table', 'nr_table_signals', '{k}');
CREATE TRIGGER decide AFTER INSERT ON nr_table REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('nr_table');
INSERT INTO nr_table VALUES (DEFAULT, 1);
INSERT INTO nr_table VALUES (DEFAULT, 2), (DEFAULT, 3);
SELECT k, degraded FROM nr_table_decision ORDER BY k;
DROP TABLE nr_table CASCADE;
SELECT assay.drop_policy('nr_table', true);

-- nor for an owner who may not read the messages: what he may not read is not taken from new rows either
CREATE ROLE nr_owner;
CREATE ROLE nr_member IN ROLE nr_owner;
CREATE SCHEMA nr_c AUTHORIZATION nr_owner;
SET ROLE nr_member;
CREATE TABLE nr_c.message (id int PRIMARY KEY, body text);
GRANT SELECT ON nr_c.message TO nr_owner;
SET ROLE nr_owner;
CREATE VIEW nr_c.signals AS SELECT id, body FROM nr_c.message;
SELECT assay.create_policy('nr_c', 'nr_c.signals', '{id}');
SELECT assay.create_detector('nr_c', 'd', 'body = ''x''', weight => 9, mode => 'live');
SET ROLE nr_member;
CREATE TRIGGER decide AFTER INSERT ON nr_c.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('nr_c');
SET ROLE nr_owner;
SELECT assay.reads_again('nr_c', 'nr_c.message');
SET ROLE nr_member;
INSERT INTO nr_c.message VALUES (1, 'x');
REVOKE SELECT ON nr_c.message FROM nr_owner;
INSERT INTO nr_c.message VALUES (2, 'x');
SET ROLE nr_owner;
SELECT assay.reads_again('nr_c', 'nr_c.message');
SELECT id, verdict, degraded FROM nr_c.nr_c_decision ORDER BY id;
SELECT detector, sqlstate, message FROM assay.fault WHERE policy = 'nr_c';
RESET ROLE;
DROP TRIGGER decide ON nr_c.message;
SELECT assay.drop_policy('nr_c', true);
DROP OWNED BY nr_member, nr_owner CASCADE;
DROP ROLE nr_member, nr_owner;

-- not for everybody
SET ROLE nr_other;
SELECT assay.reads_again('nr', 'nr_message');
RESET ROLE;
SELECT assay.reads_again('nobody', 'nr_message');
SELECT assay.reads_again('nr', 'pg_class');
SELECT assay.reads_again('nr', NULL) IS NULL AS is_null;
DROP TRIGGER decide ON nr_message;
SELECT assay.drop_policy('nr', true);
DROP SCHEMA nr_b CASCADE;
DROP OWNED BY nr_other CASCADE;
DROP TABLE nr_message, nr_tenant, nr_rows, nr_result, nr_tried, nr_log CASCADE;
DROP DOMAIN nr_short;
DROP FUNCTION nr_insert, nr_double, nr_decide, nr_meddle, nr_update, nr_seen, nr_scans, nr_scans_of;
DROP PROCEDURE nr_try, nr_both;
DROP ROLE nr_other;
