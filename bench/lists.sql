-- A list of a million addresses against what one would write without it, and
-- phrase sets of 10 to 5,000 phrases. Run by bench/lists.sh with n values;
-- prints markdown tables.
\set QUIET on
\pset footer off
\pset tuples_only on
\pset format unaligned
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS pg_assay CASCADE;
CREATE EXTENSION pg_assay;
DROP SCHEMA IF EXISTS lists_bench CASCADE;
CREATE SCHEMA lists_bench;
SET search_path = lists_bench, assay, public;
CREATE TABLE result (part text, what text, us float8);
CREATE FUNCTION address(i bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$ SELECT 'user' || i || '.' || abs(hashint8(i)) % 10000 || '@example' || i % 1000 || '.com' $$;

CREATE TABLE flat AS SELECT address(i) AS value FROM generate_series(1, :n) i;
CREATE UNIQUE INDEX ON flat (value);
SELECT create_list('flat', '{public}') AS made \gset
SELECT clock_timestamp() AS began \gset
INSERT INTO assay.list (set, value) SELECT 'flat', value FROM flat;
INSERT INTO result SELECT 'load', 'INSERT into the list, a value', extract(epoch FROM clock_timestamp() - :'began') * 1e6 / :n;
-- half of them are in it
CREATE TABLE probe AS SELECT address(1 + abs(hashint8extended(i, 7)) % (2 * :n)) AS value FROM generate_series(1, 200000) i;
CREATE TABLE few AS SELECT array_agg(value) AS a FROM (SELECT value FROM flat LIMIT 1000) x;
VACUUM ANALYZE;

-- a process's first use, and the next statement's
\c
SET client_min_messages = warning;
SET search_path = lists_bench, assay, public;
SELECT in_list('no such list', 'x') FROM flat LIMIT 0;
SELECT clock_timestamp() AS began \gset
SELECT in_list('flat', 'x') AS is_in \gset
INSERT INTO result SELECT 'first', 'first use in a process', extract(epoch FROM clock_timestamp() - :'began') * 1e6;
SELECT clock_timestamp() AS began \gset
SELECT in_list('flat', 'x') AS is_in \gset
INSERT INTO result SELECT 'first', 'the next statement', extract(epoch FROM clock_timestamp() - :'began') * 1e6;
SELECT clock_timestamp() AS began \gset
SELECT 1 AS one \gset
INSERT INTO result SELECT 'first', 'a statement without it', extract(epoch FROM clock_timestamp() - :'began') * 1e6;
INSERT INTO assay.list (set, value) VALUES ('flat', 'one more');
SELECT clock_timestamp() AS began \gset
SELECT in_list('flat', 'x') AS is_in \gset
INSERT INTO result SELECT 'first', 'after an own change', extract(epoch FROM clock_timestamp() - :'began') * 1e6;

SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET work_mem = '256MB';
CREATE PROCEDURE measure(part text, name text, query text, rows int, rounds int) LANGUAGE plpgsql AS $$
DECLARE
	t timestamptz;
BEGIN
	FOR i IN 0 .. rounds LOOP
		t := clock_timestamp();
		EXECUTE query;
		IF i > 0 THEN					-- the first one warms up
			INSERT INTO result VALUES (part, name, extract(epoch FROM clock_timestamp() - t) * 1e6 / rows);
		END IF;
	END LOOP;
END $$;
CALL measure('lists', 'read the values only', $$SELECT count(*) FROM probe WHERE value <> ''$$, 200000, 7);
CALL measure('lists', 'in_list', $$SELECT count(*) FROM probe WHERE in_list('flat', value)$$, 200000, 7);
CALL measure('lists', 'hash join with the table', $$SELECT count(*) FROM probe JOIN flat USING (value)$$, 200000, 5);
CALL measure('lists', 'EXISTS by the table''s index, a row at a time', $$SELECT count(*) FROM probe p, LATERAL (SELECT EXISTS (SELECT FROM flat f WHERE f.value = p.value OFFSET 0) AS x) y WHERE x$$, 200000, 5);
CALL measure('lists', '= ANY of 1,000 values in a column', $$SELECT count(*) FROM (SELECT value FROM probe LIMIT 2000) p, few WHERE p.value = ANY (a)$$, 2000, 5);
DO $$ BEGIN
	ASSERT (SELECT count(*) FILTER (WHERE in_list('flat', value)) = (SELECT count(*) FROM lists_bench.probe JOIN lists_bench.flat USING (value)) FROM lists_bench.probe), 'in_list and the join agree';
	ASSERT (SELECT avg(in_list('flat', value)::int) BETWEEN 0.4 AND 0.6 FROM lists_bench.probe), 'half of the probes match';
END $$;
SELECT format('%s values, base of %s kB, %s probes of which %s match', (SELECT count(*) FROM flat), (SELECT octet_length(base) / 1024 FROM assay.list_base WHERE set = 'flat'),
	count(*), count(*) FILTER (WHERE in_list('flat', value))) FROM probe;
\echo
\echo '| what | µs a value (median) | less reading, ns |'
\echo '| --- | --- | --- |'
WITH m AS (SELECT what, percentile_cont(0.5) WITHIN GROUP (ORDER BY us) AS us FROM result WHERE part = 'lists' GROUP BY what)
SELECT format('| %s | %s | %s |', what, round(us::numeric, 3), round(1000 * (us - (SELECT us FROM m WHERE what = 'read the values only'))::numeric)) FROM m ORDER BY us;
\echo
\echo '| once | ms |'
\echo '| --- | --- |'
SELECT format('| %s | %s |', what, round((us / 1000)::numeric, 3)) FROM result WHERE part = 'first' ORDER BY us DESC;
SELECT format('| %s, µs | %s |', what, round(us::numeric, 1)) FROM result WHERE part = 'load';
DROP TABLE flat, probe, few;

-- phrase sets: made words over 2 KB bodies, as in phrases.sql
CREATE TABLE word AS
SELECT n, (SELECT string_agg(substr('etaoinshrdlucmwfgypbvk', 1 + (hashint8extended(n, i) & 1023)::int % 22, 1), '')
	FROM generate_series(1, 2 + least(n / 100, 3) + n % 5) i) AS w
FROM generate_series(1, 20000) n;
CREATE TABLE plain (id int, body text);
ALTER TABLE plain ALTER body SET STORAGE PLAIN;
INSERT INTO plain
SELECT m, left(string_agg(w, CASE WHEN i % 10 = 0 THEN E'\n' ELSE ' ' END ORDER BY i), 2048)
FROM generate_series(1, 1000) m CROSS JOIN generate_series(1, 400) i
JOIN word ON word.n = 1 + (20000 * ((hashint8extended(m, i) & 1048575) / 1048576.0) ^ 3)::int
GROUP BY m;
CREATE TABLE phrase_row AS
SELECT p, string_agg(w, ' ' ORDER BY i) AS pattern
FROM generate_series(1, 5000) p CROSS JOIN LATERAL generate_series(1, 1 + p % 3) i
JOIN word ON word.n = CASE p % 3 WHEN 0 THEN 15000 ELSE 1000 END + (hashint8extended(p, i) & 1048575) % 5000
GROUP BY p;
VACUUM ANALYZE;
DO $$ BEGIN
	ASSERT (SELECT count(DISTINCT body) = 1000 AND avg(octet_length(body)) BETWEEN 1900 AND 2048 FROM lists_bench.plain), 'the bodies are distinct, of 2 KB';
	ASSERT (SELECT count(DISTINCT pattern) > 4500 FROM lists_bench.phrase_row), 'the phrases are distinct';
END $$;
SELECT count(create_phrase_set('s' || k, '{public}')) AS made FROM unnest('{10,100,500,1000,2000,5000}'::int[]) k \gset
INSERT INTO assay.phrase (set, name, pattern, theme) SELECT 's' || k, 'p' || p, pattern, 't' || p % 10
FROM unnest('{10,100,500,1000,2000,5000}'::int[]) k JOIN phrase_row ON p <= k;
CALL measure('phrases', '0|read the bodies only', 'SELECT sum(octet_length(body)) FROM plain', 1000, 7);
DO $$
DECLARE
	k int;
BEGIN
	FOREACH k IN ARRAY '{10,100,500,1000,2000,5000}'::int[] LOOP
		CALL measure('phrases', k || '|hits', format('SELECT sum(cardinality(phrase_hits(%L, body))) FROM plain', 's' || k), 1000, 7);
		CALL measure('phrases', k || '|summary', format('SELECT sum((phrase_summary(%L, body)).weight) FROM plain', 's' || k), 1000, 7);
		IF k <= 500 THEN
			CALL measure('phrases', k || '|any', format('SELECT count(*) FROM plain, (SELECT array_agg(pattern) AS a FROM phrase_row WHERE p <= %s) x WHERE id <= 10 AND body ~* ANY (a)', k), 10, 1);
		END IF;
	END LOOP;
END $$;
\echo
\echo '| phrases | phrase_hits, µs a body of 2 KB | phrase_summary | `~* ANY` | hits a body |'
\echo '| --- | --- | --- | --- | --- |'
WITH m AS (SELECT split_part(what, '|', 1)::int AS k, split_part(what, '|', 2) AS what, percentile_cont(0.5) WITHIN GROUP (ORDER BY us) AS us
	FROM result WHERE part = 'phrases' GROUP BY 1, 2), base AS (SELECT us FROM m WHERE k = 0)
SELECT format('| %s | %s | %s | %s | %s |', h.k, round((h.us - base.us)::numeric, 2), round((s.us - base.us)::numeric, 2),
	coalesce(round((a.us - base.us)::numeric)::text, ''), (SELECT round(avg(cardinality(phrase_hits('s' || h.k, body))), 2) FROM plain))
FROM base, m h JOIN m s ON s.k = h.k AND s.what = 'summary' LEFT JOIN m a ON a.k = h.k AND a.what = 'any'
WHERE h.what = 'hits' ORDER BY h.k;

\c
SET client_min_messages = warning;
SET search_path = lists_bench, assay, public;
SELECT phrase_hits('s10', 'x') AS warm \gset
SELECT clock_timestamp() AS began \gset
SELECT phrase_hits('s1000', 'x') AS first \gset
SELECT clock_timestamp() AS ended \gset
\echo
SELECT format('first use of a stored set of 1,000 in a process: %s ms', round((extract(epoch FROM timestamptz :'ended' - :'began') * 1000)::numeric, 2));
DROP SCHEMA lists_bench CASCADE;
