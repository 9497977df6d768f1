-- What bench/signature.sh measures with: texts in order of receipt, their signatures,
-- and the set of pairs of words that a signature is made from.
\set ON_ERROR_STOP 1
CREATE TABLE doc AS
SELECT row_number() OVER w AS id, source ~ '^spam\M' AS malicious, row_number() OVER w <= 0.6 * count(*) OVER () AS history, received_at, body_text AS body, signature(body_text) AS sig
FROM staging WHERE signature_length(signature(body_text)) > 0 WINDOW w AS (ORDER BY received_at, source COLLATE "C");
DELETE FROM doc WHERE id > :most;
ALTER TABLE doc ADD PRIMARY KEY (id);
ALTER TABLE doc ADD shingles int[];
-- each pair of words a number
CREATE TEMP TABLE word_pair AS
SELECT DISTINCT id, coalesce(lag(w) OVER (PARTITION BY id ORDER BY i), '') || ' ' || w AS words FROM doc, unnest(signature_words(body)) WITH ORDINALITY u(w, i);
UPDATE doc SET shingles = s.numbers
FROM (SELECT id, array_agg(number ORDER BY number) AS numbers FROM (SELECT id, dense_rank() OVER (ORDER BY words) AS number FROM word_pair) n GROUP BY id) s WHERE s.id = doc.id;
CREATE TABLE pair (a int, b int, j float4, estimate float4, bands boolean, trgm float4);
-- texts of 2 kB, not compressed, 2,000 of them
CREATE TABLE two (id int, body text, sig text_signature);
ALTER TABLE two ALTER body SET STORAGE plain;
INSERT INTO two SELECT i, left(b, 2000), signature(left(b, 2000))
FROM (SELECT row_number() OVER () AS i, body || ' ' || lead(body, 1, '') OVER (ORDER BY id) || ' ' || lead(body, 2, '') OVER (ORDER BY id) AS b FROM doc) x
WHERE length(left(b, 2000)) = 2000 AND octet_length(left(b, 2000)) < 2100 LIMIT 2000;
VACUUM ANALYZE;
