-- A view that fails for a message before its key is chosen: neither backfill()
-- nor replay() can ask it which messages there are, and both go on by the tables.
CREATE SCHEMA unk;
SET search_path = unk, public;
CREATE TABLE unk.message (id int PRIMARY KEY, at timestamptz NOT NULL, txt text COLLATE "C");
CREATE VIEW unk.signals AS SELECT id, at, txt FROM message WHERE id > 0 AND (txt = '' OR txt::int >= 0);
SELECT assay.create_policy('unk', 'unk.signals', '{id}', prior => -1, on_unreadable => 'suspicious');
SELECT assay.create_detector('unk', 'five', 'txt = ''5''', weight => 5, mode => 'live');
INSERT INTO message SELECT i, '2026-01-01'::timestamptz + i * interval '1 day', CASE i WHEN 7 THEN 'poison' WHEN 9 THEN '-1' WHEN 22 THEN 'more' ELSE (i % 10)::text END
FROM generate_series(-1, 30) i;
\set SHOW_CONTEXT never
-- without a table that the policy decides, nobody knows them: the view's error
CALL assay.backfill('unk', batch => 4, at => 'at');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('unk');
-- what the trigger says of one
INSERT INTO message VALUES (40, '2026-03-01', 'poison');
SELECT id, verdict, degraded FROM unk_decision;
SELECT v.verdict, count(*), min(v.key[1]::int) FROM assay.replay('unk', '2026-01-01', 'infinity', at => 'at') v GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM assay.replay('unk', '2026-01-05', '2026-01-10', at => 'at');
CALL assay.backfill('unk', batch => 4, until => '2026-01-20', at => 'at');
SELECT id, verdict, degraded FROM unk_decision ORDER BY id;
CALL assay.backfill('unk', batch => 4, at => 'at');
SELECT degraded, verdict, count(*), array_agg(id ORDER BY id) FILTER (WHERE degraded) FROM unk_decision GROUP BY 1, 2 ORDER BY 1, 2;
SELECT key, detector, sqlstate FROM assay.fault WHERE policy = 'unk' ORDER BY key::text, detector;
-- what the view leaves out has no decision
SELECT key FROM assay.undecided('unk') ORDER BY key[1]::int;
-- by an order of keys of its own, and another type than the table's
CREATE TABLE unk.letter (id varchar(10) COLLATE "C" PRIMARY KEY, txt text);
CREATE VIEW unk.letter_signals AS SELECT id::text COLLATE "POSIX" AS id, txt FROM letter WHERE txt = '' OR txt::int > 0;
SELECT assay.create_policy('letter', 'unk.letter_signals', '{id}', prior => -1);
SELECT assay.create_detector('letter', 'one', 'txt = ''1''', weight => 5, mode => 'live');
INSERT INTO letter SELECT chr(64 + i) || chr(96 + i), CASE WHEN i IN (3, 4, 20) THEN '?' ELSE '1' END FROM generate_series(1, 26) i;
CREATE TRIGGER decide AFTER INSERT ON letter REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('letter');
CALL assay.backfill('letter', batch => 7, at => NULL);
SELECT verdict, degraded, count(*), min(id) FROM letter_decision GROUP BY 1, 2 ORDER BY 1;
-- on_error => 'raise' ends with the error, as ever
SELECT assay.alter_policy('letter', on_error => 'raise');
CALL assay.backfill('letter', batch => 7, at => NULL);
-- A view that makes its key of the table's columns, under the name of one of them: so does who asks the tables
CREATE TABLE unk.made (id text PRIMARY KEY, at timestamptz NOT NULL, txt text);
CREATE INDEX ON made ((lower(id) || right(id, 1)));
CREATE VIEW unk.made_below AS SELECT lower(m.id) || right(m.id, 1) AS id, m.at + interval '1 hour' AS at, m.txt FROM made m;
CREATE VIEW unk.made_signals AS
SELECT b.id, b.at, b.txt, t.n FROM made_below b LEFT JOIN LATERAL (SELECT count(*) AS n FROM made m WHERE m.txt = b.txt) t ON true WHERE b.txt = '' OR b.txt::int > 0;
SELECT assay.create_policy('made', 'unk.made_signals', '{id}', prior => -1);
SELECT assay.create_detector('made', 'one', 'txt = ''1''', weight => 5, mode => 'live');
INSERT INTO made SELECT chr(64 + i), '2026-01-01'::timestamptz + i * interval '1 day', CASE WHEN i IN (3, 4) THEN '?' ELSE '1' END FROM generate_series(1, 6) i;
CREATE TRIGGER decide AFTER INSERT ON made REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('made');
SELECT severity, "check", detail, hint FROM assay.check('made') WHERE "check" = 'key';
CALL assay.backfill('made', batch => 3, since => '2026-01-03 00:30', at => 'at');
SELECT id, verdict, degraded FROM made_decision ORDER BY id;
SELECT key[1], verdict FROM assay.replay('made', until => '2026-01-05', at => 'at') ORDER BY 1;
-- of a column that another table has, it is the table's of that name
CREATE TABLE unk.body (id text, txt text);
INSERT INTO body SELECT id, txt FROM made;
CREATE OR REPLACE VIEW unk.made_signals AS SELECT b.id, m.at, b.txt, 1::bigint AS n FROM made m JOIN body b USING (id) WHERE b.txt = '' OR b.txt::int > 0;
CALL assay.backfill('made', at => NULL);
SELECT degraded, array_agg(id ORDER BY id) FROM made_decision WHERE length(id) = 1 GROUP BY 1 ORDER BY 1;
SELECT severity, "check", detail FROM assay.check('made') WHERE "check" = 'key';
-- a key that is made of another's can't be told: the view's error
CREATE OR REPLACE VIEW unk.made_signals AS SELECT m.id || b.id AS id, m.at, b.txt, 1::bigint AS n FROM made m JOIN body b USING (id) WHERE b.txt = '' OR b.txt::int > 0;
CALL assay.backfill('made', at => NULL);
SELECT count(*) FROM assay.replay('made', at => NULL);
SELECT severity, "check", detail FROM assay.check('made') WHERE "check" = 'key';
-- of several queries: as it was
CREATE OR REPLACE VIEW unk.made_signals AS SELECT m.id, m.at, m.txt, 1::bigint AS n FROM made m WHERE txt::int > 0 UNION ALL SELECT 'none', now(), NULL, NULL WHERE false;
SELECT count(*), min(key[1]) FROM assay.replay('made', at => NULL);
-- views of views that double their key each time
DO $$
BEGIN
	EXECUTE 'CREATE VIEW unk.deep_0 AS SELECT id, at, txt FROM made';
	FOR i IN 1 .. 60 LOOP
		EXECUTE format('CREATE VIEW unk.deep_%s AS SELECT left(id || id, 9) AS id, at, txt FROM deep_%s', i, i - 1);
	END LOOP;
END $$;
CREATE OR REPLACE VIEW unk.made_signals AS SELECT id, at, txt, 1::bigint AS n FROM deep_60;
SELECT assay_internal.changed_keys('made', 'made');
-- as many columns as are followed, and one more
CREATE PROCEDURE unk.long_key(n int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE VIEW unk.made_signals AS SELECT left(%s, 1) AS id, at, txt, 1::bigint AS n FROM made WHERE txt::int > 0',
		(SELECT string_agg('id', ' || ') FROM generate_series(1, n)));
END $$;
CALL unk.long_key(1000);
SELECT count(*) FROM assay.replay('made', at => NULL);
CALL unk.long_key(1001);
SELECT count(*) FROM assay.replay('made', at => NULL);
-- partitions that are decided by a trigger of their own
CREATE TABLE unk.parted (id text, txt text) PARTITION BY LIST (id);
CREATE TABLE unk.part_a (txt text, id text);
ALTER TABLE parted ATTACH PARTITION part_a DEFAULT;
CREATE VIEW unk.parted_signals AS SELECT upper(id) AS id, txt FROM parted WHERE txt::int > 0;
SELECT assay.create_policy('parted', 'unk.parted_signals', '{id}', prior => -1);
INSERT INTO parted VALUES ('a', '1'), ('b', '?');
CREATE TRIGGER decide AFTER INSERT ON part_a REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('parted');
CALL assay.backfill('parted', at => NULL);
SELECT id, verdict, degraded FROM parted_decision ORDER BY id;
\set SHOW_CONTEXT errors
SET client_min_messages = warning;
DROP TRIGGER decide ON made;
DROP TRIGGER decide ON part_a;
SELECT assay.drop_policy('made');
SELECT assay.drop_policy('parted');
-- no exclusion is asked of a message whose signals can't be read: it has the verdict of on_unreadable, until that is taken back
SELECT assay.exclude('unk', 'all', 'true', verdict => 'safe', reason => 'stop') > 0 AS excluded;
INSERT INTO message VALUES (50, '2026-03-02', '5'), (51, '2026-03-02', 'poison');
SELECT assay.alter_policy('unk', on_unreadable => 'safe') > 0 AS taken_back;
INSERT INTO message VALUES (52, '2026-03-02', 'poison');
SELECT id, verdict, degraded FROM unk_verdict WHERE id >= 50 ORDER BY id;
DROP TRIGGER decide ON message;
DROP TRIGGER decide ON letter;
SELECT assay.drop_policy('unk');
SELECT assay.drop_policy('letter');
DROP SCHEMA unk CASCADE;
