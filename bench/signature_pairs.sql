-- Signatures against the exact similarity of all pairs of texts; run by bench/signature.sh.
\set ON_ERROR_STOP 1
-- every pair that shares a band, also those that are not alike
CREATE INDEX doc_like ON doc USING gin (signature_bands(sig));
CREATE TEMP TABLE candidate AS
SELECT x.id AS a, y.id AS b FROM doc x JOIN doc y ON signature_bands(x.sig) && signature_bands(y.sig) AND x.id < y.id;
CREATE UNIQUE INDEX ON candidate (a, b);
ANALYZE pair;
UPDATE pair SET estimate = similar(x.sig, y.sig), bands = EXISTS (SELECT FROM candidate c WHERE c.a = pair.a AND c.b = pair.b)
FROM doc x, doc y WHERE x.id = pair.a AND y.id = pair.b;
UPDATE pair SET trgm = similarity(x.body, y.body) FROM doc x, doc y WHERE x.id = pair.a AND y.id = pair.b AND j >= 0.3;
INSERT INTO pair (a, b, j, estimate, bands)
SELECT c.a, c.b, 0, similar(x.sig, y.sig), true FROM candidate c JOIN doc x ON x.id = c.a JOIN doc y ON y.id = c.b
WHERE NOT EXISTS (SELECT FROM pair p WHERE p.a = c.a AND p.b = c.b);

SELECT format(E'\n### %s texts, all %s pairs\n', count(*), count(*) * (count(*) - 1) / 2) FROM doc;
SELECT E'| exact similarity | pairs | share a band | estimate: bias | error (RMS) |\n| --- | --- | --- | --- | --- |';
SELECT format('| %s | %s | %s | %s | %s |', CASE f WHEN 0 THEN 'below .1' WHEN 10 THEN '1' ELSE format('.%s to .%s', f, CASE f WHEN 9 THEN '999' ELSE (f + 1)::text END) END,
	CASE f WHEN 0 THEN 'all others' ELSE count(*)::text END, CASE f WHEN 0 THEN count(*)::text ELSE round(100.0 * avg(bands::int), 1) || ' %' END,
	CASE f WHEN 0 THEN '' ELSE round(avg(estimate - j)::numeric, 4)::text END, CASE f WHEN 0 THEN '' ELSE round(sqrt(avg((estimate - j) ^ 2))::numeric, 4)::text END)
FROM (SELECT floor(j * 10 + 1e-5)::int AS f, * FROM pair) p GROUP BY f ORDER BY f;

SELECT E'\n| to find the pairs of exact similarity ≥ .5 | recall % | precision % |\n| --- | --- | --- |';
SELECT format('| %s | %s | %s |', what, round(100.0 * count(*) FILTER (WHERE hit AND j >= 0.5) / count(*) FILTER (WHERE j >= 0.5), 2), round(100.0 * count(*) FILTER (WHERE hit AND j >= 0.5) / count(*) FILTER (WHERE hit), 2))
FROM pair, LATERAL (VALUES (1, 'a band in common', bands), (2, 'and `similar` ≥ .4', bands AND estimate >= 0.4), (3, 'and `similar` ≥ .5', bands AND estimate >= 0.5), (4, 'and `similar` ≥ .6', bands AND estimate >= 0.6),
	(5, '`similarity` of pg_trgm ≥ .5 (of pairs ≥ .3)', trgm >= 0.5), (6, '… ≥ .6', trgm >= 0.6), (7, '… ≥ .7', trgm >= 0.7), (8, '… ≥ .8', trgm >= 0.8)) v(i, what, hit)
GROUP BY i, what ORDER BY i;

-- Copies of spam: what a look-up says of streamed messages
SELECT E'\n| streamed messages with an earlier spam alike | % of spam | % of ham | day before or older, % of spam |\n| --- | --- | --- | --- |' WHERE (SELECT bool_or(malicious) FROM doc);
SELECT format('| %s | %s | %s | %s |', what, round(100.0 * count(*) FILTER (WHERE malicious AND hit) / count(*) FILTER (WHERE malicious), 1), round(100.0 * count(*) FILTER (WHERE NOT malicious AND hit) / count(*) FILTER (WHERE NOT malicious), 2),
	round(100.0 * count(*) FILTER (WHERE malicious AND older) / count(*) FILTER (WHERE malicious), 1))
FROM doc d, LATERAL (VALUES (1, 'exactly ≥ .5', 0.5, 0), (2, 'a band, and `similar` ≥ .5', 0, 0.5), (3, 'a band, and `similar` ≥ .6', 0, 0.6), (4, 'a band, and `similar` ≥ .8', 0, 0.8)) t(i, what, exact, about),
	LATERAL (SELECT coalesce(bool_or(true), false) AS hit, coalesce(bool_or(e.received_at < d.received_at - interval '1 day'), false) AS older
		FROM pair p JOIN doc e ON e.id = p.a WHERE p.b = d.id AND e.malicious AND p.j >= exact AND (about = 0 OR (bands AND estimate >= about))) s
WHERE NOT history AND (SELECT bool_or(malicious) FROM doc) GROUP BY i, what ORDER BY i;
