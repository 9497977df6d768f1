-- What the e-mail pack's policy said of messages whose folder is known: by folder,
-- by language, by category of what it found.

CREATE TABLE judged AS
SELECT f.id, a.malicious, v.verdict, v.score, assay.counted_hits(v.attribution) AS hits, language_of(f.subject, f.body_text, f.body_scripts) AS language
FROM inbound_facts f JOIN arrival a USING (id) JOIN inbound_verdict v USING (id);

\pset footer off
SELECT CASE WHEN malicious THEN 'spam' ELSE 'ham' END AS folder, count(*) AS messages,
	round(100.0 * avg((verdict <> 'safe')::int), 2) AS "suspicious or malicious %", round(100.0 * avg((verdict = 'malicious')::int), 2) AS "malicious %"
FROM judged GROUP BY malicious ORDER BY malicious;

\echo 'By language (by the commonest words; of fewer than ten messages nothing is said)'
SELECT language, count(*) FILTER (WHERE malicious) AS spam,
	round(100.0 * avg((verdict <> 'safe')::int) FILTER (WHERE malicious), 1) AS "found %",
	round(100.0 * avg((verdict = 'malicious')::int) FILTER (WHERE malicious), 1) AS "as malicious %",
	count(*) FILTER (WHERE NOT malicious) AS ham, count(*) FILTER (WHERE NOT malicious AND verdict <> 'safe') AS "called so wrongly"
FROM judged GROUP BY language HAVING count(*) >= 10 ORDER BY 2 DESC, 1;

\echo 'By category of the evidence, of messages that are not called safe'
SELECT d.category, count(DISTINCT j.id) FILTER (WHERE j.malicious) AS spam, count(DISTINCT j.id) FILTER (WHERE NOT j.malicious) AS ham
FROM judged j, unnest(j.hits) h JOIN assay.email_detector d ON d.detector = h
WHERE j.verdict <> 'safe' AND d.weight > 0 GROUP BY 1 ORDER BY 2 DESC, 1;

\echo 'What spoke most against ham that is not called safe'
SELECT d.detector, d.category, count(*) AS ham, d.false_positives AS "may be wrong about"
FROM judged j, unnest(j.hits) h JOIN assay.email_detector d ON d.detector = h
WHERE j.verdict <> 'safe' AND NOT j.malicious AND d.weight > 0 GROUP BY 1, 2, 4 ORDER BY 3 DESC, 1 LIMIT 10;
