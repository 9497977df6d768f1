-- Decisions written without a query: chunks and their edges, keys that are there
-- already, tables that are not as they were made
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE TABLE dw_message (id int PRIMARY KEY, n int);
CREATE VIEW dw_signals AS SELECT id, n FROM dw_message;
SELECT assay.create_policy('dw', 'dw_signals', '{id}', prior => 0, log_signals => true);
SELECT assay.create_detector('dw', 'n', 'n > 0', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON dw_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('dw');
-- by the heap, by the key's index, by the index of what hit
CREATE FUNCTION dw_counts(OUT rows bigint, OUT keys bigint, OUT by_key bigint, OUT hits bigint, OUT by_hit bigint, OUT sum_n bigint) LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off;
	SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE assay.hits(attribution) @> '{n}'), sum(assay.signal(signals, 'n')::int)
		INTO rows, keys, hits, sum_n FROM dw_decision;
	SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_indexonlyscan = on; SET LOCAL enable_seqscan = off;
	SELECT count(*) INTO by_key FROM dw_decision WHERE id > -1;
	SELECT count(*) INTO by_hit FROM dw_decision WHERE assay.hits(attribution) @> '{n}';
END $$;
INSERT INTO dw_message SELECT i, i FROM generate_series(1, 199) i;
INSERT INTO dw_message SELECT i, i FROM generate_series(1001, 1200) i;
INSERT INTO dw_message SELECT i, i FROM generate_series(2001, 2201) i;
INSERT INTO dw_message SELECT i, i FROM generate_series(3001, 3400) i;
INSERT INTO dw_message VALUES (5000, -1);
SELECT * FROM dw_counts();

-- the same keys again: some, at the edges of chunks, all, and one alone
DELETE FROM dw_message WHERE id IN (5, 1001, 1200, 2200, 2201, 3200, 3201, 5000);
INSERT INTO dw_message SELECT i, 0 FROM generate_series(1, 6000) i ON CONFLICT DO NOTHING;
SELECT * FROM dw_counts();
DELETE FROM dw_message;
INSERT INTO dw_message SELECT i, 1 FROM generate_series(1, 450) i;
DELETE FROM dw_message WHERE id = 450;
INSERT INTO dw_message VALUES (450, 7);
SELECT * FROM dw_counts();
SELECT id, assay.signal(signals, 'n') AS n FROM dw_decision WHERE id IN (1, 449, 450, 451) ORDER BY id;
-- what is rolled back was never there
BEGIN;
DELETE FROM dw_message WHERE id < 3;
INSERT INTO dw_message VALUES (1, -5), (2, -5), (7000, -5);
SELECT id, assay.signal(signals, 'n') AS n FROM dw_decision WHERE id IN (1, 2, 7000) ORDER BY id;
SAVEPOINT s;
INSERT INTO dw_message VALUES (7001, 1);
ROLLBACK TO s;
INSERT INTO dw_message VALUES (7001, 2);
ROLLBACK;
SELECT id, assay.signal(signals, 'n') AS n FROM dw_decision WHERE id IN (1, 2, 7000, 7001) ORDER BY id;

-- ledgers of many sizes, some of them stored elsewhere
SELECT count(assay.create_detector('dw', repeat('long name ', 10) || i, 'n > ' || i * 10, weight => 0.1, mode => 'live')) FROM generate_series(1, 60) i;
INSERT INTO dw_message SELECT i, i - 20000 FROM generate_series(20001, 20700) i;
SELECT count(*), min(l.entries), max(l.entries), sum(l.entries) FROM dw_decision d, LATERAL (SELECT count(*) AS entries FROM assay.ledger(d.attribution)) l WHERE d.id > 20000;

-- a ledger that may not be stored elsewhere may not fit into a page: that message stays undecided, and its INSERT goes on
SELECT count(assay.create_detector('dw', repeat('longer name ', 15) || i, 'n > 900', weight => 0.1, mode => 'live')) FROM generate_series(1, 30) i;
ALTER TABLE dw_decision ALTER attribution SET STORAGE PLAIN;
INSERT INTO dw_message VALUES (21001, 1);
INSERT INTO dw_message VALUES (21002, 1);
INSERT INTO dw_message VALUES (21003, 1000);
INSERT INTO dw_message SELECT i, (i = 21005)::int * 1000 FROM generate_series(21004, 21006) i;
SELECT u.key, u.reason FROM assay.undecided('dw') u ORDER BY u.key;
ALTER TABLE dw_decision ALTER attribution SET STORAGE EXTENDED;
CALL assay.backfill('dw', at => NULL, undecided_only => true);
SELECT count(*) FROM assay.undecided('dw');

-- columns of the user's own, one that is gone, the same in another order
ALTER TABLE dw_decision ADD COLUMN note text, ADD COLUMN gone int;
ALTER TABLE dw_decision DROP COLUMN gone;
INSERT INTO dw_message VALUES (30001, 1), (30002, 2);
INSERT INTO dw_message VALUES (30003, 3);
SELECT id, verdict, note, degraded, assay.signal(signals, 'n') AS n FROM dw_decision WHERE id > 30000 ORDER BY id;
-- a column with a default has it
ALTER TABLE dw_decision ADD COLUMN seen boolean DEFAULT false;
INSERT INTO dw_message VALUES (30004, 1), (30005, 2);
INSERT INTO dw_message VALUES (30006, 3);
SELECT count(*) FROM dw_decision WHERE id > 30003 AND seen = false;
ALTER TABLE dw_decision DROP COLUMN seen;

-- another unique index may refuse a decision, never a message
CREATE UNIQUE INDEX dw_odd ON dw_decision (id, degraded);
DELETE FROM dw_message WHERE id IN (30001, 30002, 30003);
INSERT INTO dw_message VALUES (30001, 1), (30007, 1);
INSERT INTO dw_message VALUES (30002, 1);
SELECT assay.alter_detector('dw', 'n', weight => 2);
DELETE FROM dw_message WHERE id IN (30001, 30002);
INSERT INTO dw_message VALUES (30001, 1), (30008, 1);
INSERT INTO dw_message VALUES (30002, 1);
SELECT id, count(*) FROM dw_message m LEFT JOIN dw_decision d USING (id) WHERE id > 30000 GROUP BY id ORDER BY id;
DROP INDEX dw_odd;
-- a column that must not be null refuses decisions without signals, and no message
CREATE OR REPLACE VIEW dw_signals AS SELECT id, n FROM dw_message WHERE n < 100;
DELETE FROM dw_decision WHERE signals IS NULL;
ALTER TABLE dw_decision ALTER signals SET NOT NULL;
INSERT INTO dw_message VALUES (30021, 101), (30022, 2);
INSERT INTO dw_message VALUES (30023, 103);
INSERT INTO dw_message VALUES (30024, 4);
SELECT id, d.id IS NOT NULL AS decided FROM dw_message m LEFT JOIN dw_decision d USING (id) WHERE id > 30020 ORDER BY id;
ALTER TABLE dw_decision ALTER signals DROP NOT NULL;
-- nor does a key that is null, which is the policy's wish
SELECT assay.alter_policy('dw', on_error => 'raise');
ALTER TABLE dw_message DROP CONSTRAINT dw_message_pkey, ALTER id DROP NOT NULL;
INSERT INTO dw_message VALUES (NULL, 1);
INSERT INTO dw_message VALUES (NULL, 1), (30025, 1);
SELECT count(*) FROM dw_message WHERE id IS NULL OR id = 30025;
SELECT assay.alter_policy('dw', on_error => 'degrade');
ALTER TABLE dw_message ADD PRIMARY KEY (id);
-- no unique index at all
ALTER TABLE dw_decision DROP CONSTRAINT dw_decision_pkey;
INSERT INTO dw_message VALUES (30009, 1), (30010, 2);
SELECT count(*) FROM dw_decision WHERE id > 30008;
ALTER TABLE dw_decision ADD PRIMARY KEY (id, revision);

-- a message table whose key comes twice in a statement
CREATE TABLE dw_twice (id int, n int);
CREATE INDEX ON dw_twice (id);
CREATE VIEW dw_twice_signals AS SELECT id, n FROM dw_twice;
SELECT assay.create_policy('dw_twice', 'dw_twice_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON dw_twice REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('dw_twice');
INSERT INTO dw_twice SELECT i % 300, i FROM generate_series(1, 900) i;
SELECT count(*), count(DISTINCT id) FROM dw_twice_decision;

DROP TABLE dw_message, dw_twice CASCADE;
SELECT assay.drop_policy(p, true) FROM unnest('{dw,dw_twice}'::text[]) p;
DROP FUNCTION dw_counts;
