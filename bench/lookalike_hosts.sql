-- What is found among hosts that imitate and among those that don't: run by
-- bench/lookalike.sh, which loads both.
--
-- The blacklist of eth-phishing-detect as far as it imitates a domain of the
-- fuzzy list; the hosts that its authors had to exempt from their own fuzzy
-- rule ("exempt": the hardest there are); and domains that
-- people have mail at.
SET client_min_messages = warning;
SET search_path = lookalike_bench, assay, public;
SET jit = off;
SELECT array_agg(domain ORDER BY domain) AS protected FROM protected \gset
DO $$ BEGIN
	ASSERT (SELECT count(*) FROM lookalike_bench.protected) BETWEEN 10 AND 100, 'there are protected domains';
	ASSERT (SELECT min(n) > 500 AND count(*) = 4 FROM (SELECT count(*) AS n FROM lookalike_bench.host GROUP BY kind) x), 'there are hosts of each kind';
END $$;
CREATE TABLE found AS
SELECT kind, host, (lookalike_domain(host, :'protected'::text[])).how,
	-- what one would write: the second label, or a whole word of the host, two edits off at most
	EXISTS (SELECT FROM protected p, regexp_split_to_table(host, '[.-]') w
		WHERE levenshtein_less_equal(w, split_part(p.domain, '.', -2), 2) <= CASE WHEN length(split_part(p.domain, '.', -2)) >= 8 THEN 2 ELSE 1 END) AS by_edits,
	EXISTS (SELECT FROM protected p WHERE similarity(host, p.domain) >= 0.4) AS by_trigrams
FROM host;
\echo '| hosts | | lookalike_domain | levenshtein of words | pg_trgm at 0.4 |'
\echo '| --- | --- | --- | --- | --- |'
SELECT format('| %s | %s | %s (%s %%) | %s (%s %%) | %s (%s %%) |', kind, count(*), count(how), round(100.0 * count(how) / count(*), 2),
	count(*) FILTER (WHERE by_edits), round(100.0 * count(*) FILTER (WHERE by_edits) / count(*), 2),
	count(*) FILTER (WHERE by_trigrams), round(100.0 * count(*) FILTER (WHERE by_trigrams) / count(*), 2))
FROM found GROUP BY kind ORDER BY kind <> 'imitates', kind;
\echo ''
\echo '| how | imitates | exempt | mail domains |'
\echo '| --- | --- | --- | --- |'
SELECT format('| %s | %s | %s | %s |', how, count(*) FILTER (WHERE kind = 'imitates'), count(*) FILTER (WHERE kind = 'exempt'), count(*) FILTER (WHERE kind LIKE '%-domains'))
FROM found WHERE how IS NOT NULL GROUP BY how ORDER BY how;
