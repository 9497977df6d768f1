-- 500 phrases over 2 KB bodies: phrase_hits against a regular expression and
-- against ILIKE. Run by bench/phrases.sh; prints one markdown table.
\set QUIET on
\pset footer off
\pset tuples_only on
\pset format unaligned
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
DROP EXTENSION IF EXISTS pg_assay CASCADE;
CREATE EXTENSION pg_assay;
DROP SCHEMA IF EXISTS phrases_bench CASCADE;
CREATE SCHEMA phrases_bench;
SET search_path = phrases_bench, assay, public;

-- Made words, the frequent ones short; a line break every ten words
CREATE TABLE word AS
SELECT n, (SELECT string_agg(substr('etaoinshrdlucmwfgypbvk', 1 + (hashint8extended(n, i) & 1023)::int % 22, 1), '')
	FROM generate_series(1, 2 + least(n / 100, 3) + n % 5) i) AS w
FROM generate_series(1, 20000) n;
CREATE TABLE message AS
SELECT m AS id, left(string_agg(w, CASE WHEN i % 10 = 0 THEN E'\n' ELSE ' ' END ORDER BY i), 2048) AS body
FROM generate_series(1, 4000) m CROSS JOIN generate_series(1, 400) i
JOIN word ON word.n = 1 + (20000 * ((hashint8extended(m, i) & 1048575) / 1048576.0) ^ 3)::int
GROUP BY m;
-- kept inline and uncompressed: detoasting is not what is measured
CREATE TABLE plain (id int, body text);
ALTER TABLE plain ALTER body SET STORAGE PLAIN;
INSERT INTO plain SELECT * FROM message;
-- 500 phrases of one to three words, single ones rare
CREATE TABLE phrase AS
SELECT p, string_agg(w, ' ' ORDER BY i) AS pattern
FROM generate_series(1, 500) p CROSS JOIN LATERAL generate_series(1, 1 + p % 3) i
JOIN word ON word.n = CASE p % 3 WHEN 0 THEN 15000 ELSE 1000 END + (hashint8extended(p, i) & 1048575) % 5000
GROUP BY p;
CREATE TABLE lexicon AS SELECT phrases(array_agg('p' || p ORDER BY p), array_agg(pattern ORDER BY p)) AS phrases FROM phrase;
SELECT string_agg(pattern, '|') AS alternation FROM phrase \gset
SELECT string_agg(format('(body ILIKE %L)::int', '%' || pattern || '%'), ' + ') AS ilikes FROM phrase \gset
VACUUM ANALYZE;

-- What is measured must be what is said: texts that differ, some of which have a
-- phrase, and the same ones by the expression that is measured beside it
DO $$
DECLARE
	r record;
BEGIN
	SELECT count(DISTINCT body) AS bodies, avg(octet_length(body)) AS bytes, avg(cardinality(phrase_hits(phrases, body))) AS hits INTO r FROM phrases_bench.plain, phrases_bench.lexicon;
	IF r.bodies <> 4000 OR r.bytes NOT BETWEEN 1900 AND 2048 OR r.hits NOT BETWEEN 0.2 AND 5 THEN
		RAISE 'the bodies are not as they should be: %', r;
	END IF;
END $$;
SELECT count(*) AS odd FROM plain, lexicon WHERE id <= 20 AND (phrase_hits(phrases, body) <> '{}') <> (body ~* ('\y(?:' || replace(:'alternation', ' ', '\s+') || ')\y')) \gset
SELECT 1 / (:odd = 0)::int AS phrases_and_expression_agree \gset

CREATE TABLE result (what text, us float8);
CREATE PROCEDURE measure(name text, query text, messages int, rounds int) LANGUAGE plpgsql AS $$
DECLARE
	t timestamptz;
BEGIN
	FOR i IN 0 .. rounds LOOP
		t := clock_timestamp();
		EXECUTE query;
		IF i > 0 THEN					-- the first one warms up
			INSERT INTO result VALUES (name, extract(epoch FROM clock_timestamp() - t) * 1e6 / messages);
		END IF;
	END LOOP;
END $$;
CALL measure('read the bodies only', 'SELECT sum(octet_length(body)) FROM plain', 4000, 7);
CALL measure('phrase_hits', 'SELECT sum(cardinality(phrase_hits((SELECT phrases FROM lexicon), body))) FROM plain', 4000, 7);
CALL measure('one regular expression of 500 alternatives', format('SELECT count(*) FROM plain WHERE id <= 20 AND body ~* %L', '\y(?:' || :'alternation' || ')\y'), 20, 3);
CALL measure('500 ILIKE', format('SELECT sum(%s) FROM plain WHERE id <= 100', :'ilikes'), 100, 3);
CALL measure('compile 500 phrases', 'SELECT phrases(array_agg(''p'' || p), array_agg(pattern)) FROM phrase', 1, 7);

SELECT format('500 phrases, %s bodies of %s bytes, %s hits a message, compiled %s kB', count(*), round(avg(octet_length(body))),
	round(avg(cardinality(phrase_hits(phrases, body))), 2), (SELECT (phrases_info(phrases)).compiled_bytes / 1024 FROM lexicon))
FROM plain, lexicon;
\echo
\echo '| what | µs a message (median) | ratio to phrase_hits |'
\echo '| --- | --- | --- |'
WITH m AS (SELECT what, percentile_cont(0.5) WITHIN GROUP (ORDER BY us) AS us FROM result GROUP BY what)
SELECT format('| %s | %s | %s |', what, round(us::numeric, 2),
	CASE WHEN what LIKE 'compile%' THEN '(once, µs)' ELSE round((us / (SELECT us FROM m WHERE what = 'phrase_hits'))::numeric, 2)::text END)
FROM m ORDER BY what LIKE 'compile%', us;
DROP SCHEMA phrases_bench CASCADE;
