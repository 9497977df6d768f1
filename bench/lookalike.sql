-- The nearest of n protected names, and lookalikes of n protected domains,
-- against what one would write without: run by bench/lookalike.sh.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS pg_assay CASCADE;
CREATE EXTENSION pg_assay;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
DROP SCHEMA IF EXISTS lookalike_bench CASCADE;
CREATE SCHEMA lookalike_bench;
SET search_path = lookalike_bench, assay, public;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
CREATE TABLE result (n int, what text, us float8);
-- names of one to three words, as people and firms have
CREATE FUNCTION syllable(i bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$ SELECT ('{ba,ce,di,fo,gu,ha,jo,ka,le,mi,no,pa,qui,ro,sa,te,vi,wa,xe,zo,an,er,is,ol,un}'::text[])[1 + abs(hashint8(i)) % 25] $$;
CREATE FUNCTION words(i bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(initcap(syllable(i * 100 + w * 10) || syllable(i * 100 + w * 10 + 1) || syllable(i * 100 + w * 10 + 2)
		|| ('{man,son,n,s,ck,i}'::text[])[1 + abs(hashint8(i + w)) % 6]), ' ' ORDER BY w)
	FROM generate_series(1, 1 + abs(hashint8(i)) % 3) w $$;
CREATE TABLE name AS SELECT i, words(i) AS name FROM generate_series(1, 20000) i;
-- questions: half are another's names, half are protected ones with an edit
CREATE TABLE asked AS
SELECT q.i, CASE q.i % 4 WHEN 0 THEN overlay(n.name PLACING 'x' FROM 3 FOR 1) WHEN 1 THEN upper(overlay(n.name PLACING '' FROM 4 FOR 1)) ELSE words(q.i + 1000000) END AS q
FROM generate_series(1, 20000) q(i) JOIN name n ON n.i = 1 + (q.i::bigint * 7919) % 100;
CREATE TABLE asked_domain AS
SELECT i, lower(replace(q, ' ', CASE i % 8 WHEN 0 THEN '-' ELSE '' END)) || CASE i % 3 WHEN 0 THEN '-login' ELSE '' END || (ARRAY['.com', '.co.uk', '.net'])[1 + i % 3] AS q FROM asked;
VACUUM ANALYZE;
DO $$ BEGIN
	ASSERT (SELECT count(DISTINCT name) > 19000 FROM lookalike_bench.name), 'the names are distinct';
END $$;

SELECT create_list('bench_names'), create_list('bench_domains') \g /dev/null

CREATE PROCEDURE measure(n int, what text, query text, rows int) LANGUAGE plpgsql AS $$
DECLARE
	t timestamptz;
	hits bigint;
BEGIN
	FOR i IN 0 .. 5 LOOP
		t := clock_timestamp();
		EXECUTE query INTO hits;
		IF i > 0 THEN					-- the first one warms up
			INSERT INTO result VALUES (n, what, extract(epoch FROM clock_timestamp() - t) * 1e6 / rows);
		END IF;
	END LOOP;
	IF hits NOT BETWEEN rows * 0.3 AND rows * 0.9 THEN
		RAISE EXCEPTION '%: % of % found', what, hits, rows;
	END IF;
END $$;
CREATE PROCEDURE all_of(size int) LANGUAGE plpgsql AS $$
DECLARE
	names text[] := (SELECT array_agg(name ORDER BY i) FROM name WHERE i <= size);
	domains text[] := (SELECT array_agg(lower(replace(name, ' ', '')) || '.com' ORDER BY i) FROM name WHERE i <= size);
	empty text[] := '{}';
BEGIN
	DELETE FROM list WHERE set IN ('bench_names', 'bench_domains');
	INSERT INTO list (set, value) SELECT 'bench_names', n FROM unnest(names) n;
	INSERT INTO list (set, value, kind) SELECT 'bench_domains', n, 'domain' FROM unnest(domains) n;
	CALL measure(size, 'nearest_name', format('SELECT count(*) FILTER (WHERE nearest_name(q, %L::text[]) IS NOT NULL) FROM asked', names), 20000);
	CALL measure(size, 'nearest_name, array not a constant', format('SELECT count(*) FILTER (WHERE nearest_name(q, a) IS NOT NULL) FROM asked, (SELECT %L::text[] AS a OFFSET 0) x', names), 20000);
	CALL measure(size, 'lookalike_domain', format('SELECT count(*) FILTER (WHERE lookalike_domain(q, %L::text[]) IS NOT NULL) FROM asked_domain', domains), 20000);
	-- the same names in lists; what a statement's first question costs is in none of these
	CALL measure(size, 'nearest_name, of a list', 'SELECT count(*) FILTER (WHERE nearest_name(q, ''bench_names'') IS NOT NULL) FROM asked', 20000);
	CALL measure(size, 'lookalike_domain, of a list', 'SELECT count(*) FILTER (WHERE lookalike_domain(q, ''bench_domains'') IS NOT NULL) FROM asked_domain', 20000);
	CALL measure(size, 'display_name_claim', format('SELECT count(*) FILTER (WHERE display_name_claim(q, %L::text[], %L::text[]) IS NOT NULL) FROM asked', empty, names), 20000);
	CALL measure(size, 'display_name_claim, of a list', 'SELECT count(*) FILTER (WHERE display_name_claim(q, NULL, ''bench_names'') IS NOT NULL) FROM asked', 20000);
	IF size <= 5000 THEN
		DROP TABLE IF EXISTS few;
		CREATE TABLE few AS SELECT name, lower(name) AS low FROM name WHERE i <= size;
		CREATE INDEX ON few USING gist (name gist_trgm_ops);
		ANALYZE few;
		CALL measure(size, 'levenshtein_less_equal',
			'SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM few WHERE levenshtein_less_equal(lower(q), low, 2) <= 2)) FROM asked WHERE i <= 200', 200);
		CALL measure(size, 'pg_trgm, nearest by GiST index',
			'SELECT count(*) FILTER (WHERE (SELECT similarity(q, name) FROM few ORDER BY name <-> q LIMIT 1) > 0.4) FROM asked WHERE i <= 200', 200);
	END IF;
END $$;
CALL all_of(100);
CALL all_of(1000);
CALL all_of(5000);
CALL all_of(20000);
\echo '| microseconds a question among | 100 | 1,000 | 5,000 | 20,000 names |'
\echo '| --- | --- | --- | --- | --- |'
SELECT format('| %s | %s | %s | %s | %s |', what, max(us) FILTER (WHERE n = 100), max(us) FILTER (WHERE n = 1000), max(us) FILTER (WHERE n = 5000), coalesce(max(us) FILTER (WHERE n = 20000)::text, ''))
FROM (SELECT n, what, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY us)::numeric, 2) AS us FROM result GROUP BY n, what) m GROUP BY what ORDER BY what LIKE '%_trgm%' OR what LIKE 'lev%', what;

-- what else there is: an empty pass, to be taken off; the first call
CREATE TABLE link AS SELECT 'https://www.' || q || '/login' AS t, 'https://click.' || q || '/x?y=' || i AS h FROM asked_domain;
TRUNCATE result;
CALL measure(0, 'link_mismatch', 'SELECT count(*) FILTER (WHERE NOT link_mismatch(t, h)) * 2 / 3 FROM link', 20000);
CALL measure(0, 'the same in SQL (as the demo had it)', $$SELECT count(*) FILTER (WHERE coalesce(t ~* '^(https?://|www\.)' AND h ~* '^https?://' AND registrable_domain(substring(lower(t) FROM '^(?:https?://)?([a-z0-9.-]+)'))
	= registrable_domain(substring(lower(h) FROM '^https?://(?:[^/@]*@)?([a-z0-9.-]+)')), true)) * 2 / 3 FROM link$$, 20000);
CALL measure(0, 'skeleton of a name', 'SELECT count(*) FILTER (WHERE skeleton(q) IS NOT NULL) * 2 / 3 FROM asked', 20000);
CALL measure(0, 'a pass without', 'SELECT count(*) FILTER (WHERE q IS NOT NULL) * 2 / 3 FROM asked', 20000);
SELECT array_agg(name)::text AS names FROM name WHERE i <= 5000 \gset
SELECT clock_timestamp() AS began \gset
SELECT count(nearest_name(q, :'names')) AS found FROM asked WHERE i <= 2 \gset
INSERT INTO result SELECT 0, 'making the index of 5,000 names', extract(epoch FROM clock_timestamp() - :'began') * 1e6;
\echo ''
\echo '| | microseconds |'
\echo '| --- | --- |'
SELECT format('| %s | %s |', what, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY us)::numeric, 2)) FROM result GROUP BY what ORDER BY what;
