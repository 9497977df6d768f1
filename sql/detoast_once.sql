-- A stored body that several functions read is decompressed once: never taken for another
SET client_min_messages = warning;
CREATE SCHEMA detoast_once;
SET search_path = detoast_once, assay, public;
CREATE TABLE message (id int PRIMARY KEY, body text);
CREATE FUNCTION body(i int, bytes int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT left(repeat('same words in each body ', bytes / 24 + 1), bytes) || CASE i % 3 WHEN 0 THEN ' wire transfer' WHEN 1 THEN ' gift card' ELSE '' END $$;
-- small ones, compressed ones in the row, some of equal length, compressed ones beside it, plain ones beside it, and larger than what is kept
INSERT INTO message SELECT i, body(i, (ARRAY[50, 2500, 2500, 40000])[1 + i % 4]) FROM generate_series(1, 48) i;
ALTER TABLE message ALTER body SET STORAGE EXTERNAL;
INSERT INTO message SELECT 100 + i, body(i, (ARRAY[2500, 262130, 262150, 600000])[1 + i % 4]) FROM generate_series(1, 12) i;
CREATE TABLE known AS SELECT assay.phrases('{transfer,card}', '{wire transfer,gift card}') AS words;
SELECT count(*) FILTER (WHERE pg_column_size(body) < octet_length(body)) AS compressed, count(*) AS all FROM message;
-- The result of a value that was never stored is the one to compare with
SELECT count(*) AS different FROM message, known
	WHERE assay.phrase_hits(words, body) <> assay.phrase_hits(words, body || '') OR (assay.text_facts(body)).characters <> length(body)
		OR assay.phrase_hits(words, body) <> CASE id % 100 % 3 WHEN 0 THEN '{transfer}' WHEN 1 THEN '{card}' ELSE '{}' END::text[] AND id > 100;
-- Two by turns, and one that changes within a transaction
SELECT string_agg(assay.phrase_hits(words, body)::text, ' ' ORDER BY n, id) AS by_turns FROM generate_series(1, 2) n, message, known WHERE id IN (1, 2, 3, 101);
BEGIN;
SELECT assay.phrase_hits(words, body) FROM message, known WHERE id = 3;
UPDATE message SET body = replace(body, 'wire transfer', 'a gift card') WHERE id = 3;
SELECT assay.phrase_hits(words, body) FROM message, known WHERE id = 3;
ROLLBACK;
SELECT assay.phrase_hits(words, body) FROM message, known WHERE id = 3;
-- Conditions beside what reads the stored form
CREATE VIEW signals AS SELECT id, body FROM message;
SELECT assay.create_policy('once', 'signals', '{id}', prior => 0);
SELECT count(assay.create_detector('once', d, c, weight => 1, mode => 'live')) FROM (VALUES ('wire', 'body ILIKE ''%wire%'''), ('gift', 'body ILIKE ''%gift%'''),
	('long', 'length(body) > 2000'), ('end', 'body LIKE ''%card''')) v(d, c);
SELECT count(*) AS messages, sum((l ? 'wire')::int) AS wire, sum((l ? 'gift')::int) AS gift, sum((l ? 'long')::int) AS long, sum((l ? 'end')::int) AS end
	FROM signals m, assay.score('once', m) x, LATERAL (SELECT jsonb_object_agg(detector, hit) AS l FROM assay.ledger(x.attribution)) l;
SELECT assay.create_detector('once', 'stored', 'pg_column_size(body) < 2000 AND length(body) > 2000', weight => 1, mode => 'live');
SELECT count(*) FILTER (WHERE l ? 'stored') AS stored, (SELECT count(*) FROM message WHERE pg_column_size(body) < 2000 AND length(body) BETWEEN 2001 AND 9999) AS expected
	FROM signals m, assay.score('once', m) x, LATERAL (SELECT jsonb_object_agg(detector, hit) AS l FROM assay.ledger(x.attribution)) l WHERE length(m.body) < 10000;
SELECT assay.drop_policy('once');
DROP SCHEMA detoast_once CASCADE;
