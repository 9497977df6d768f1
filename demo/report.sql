-- What the policy `inbound` did with the streamed messages, measured against
-- their labels (which nothing but this report has read). Intervals are
-- Wilson's at 95 %.

\pset footer off
\pset linestyle unicode
\pset border 1

CREATE VIEW judged AS
SELECT d.id, d.verdict, d.score, d.attribution, l.malicious
FROM inbound_verdict d JOIN inbound_label_latest l USING (id)
JOIN arrival a ON a.id = d.id AND NOT a.history;

-- "0.975 (0.950–0.988)"
CREATE FUNCTION share(k bigint, n bigint) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE WHEN n > 0 THEN to_char(k::float8 / n, 'FM0.0000') || ' (' ||
	(SELECT to_char(lower, 'FM0.0000') || '–' || to_char(upper, 'FM0.0000') FROM assay.wilson_interval(k, n)) || ')' END;

\echo
\echo 'Decisions per verdict. Precision: how many of them are malicious. Recall and'
\echo 'false-negative rate: of all malicious messages, how many got this verdict or'
\echo 'a worse one, and how many did not.'
\echo
WITH v AS (
	SELECT verdict, min(score) AS lowest, count(*) AS decisions, count(*) FILTER (WHERE malicious) AS malicious
	FROM judged GROUP BY verdict
), c AS (
	SELECT *, sum(malicious) OVER (ORDER BY lowest DESC)::bigint AS caught, sum(malicious) OVER ()::bigint AS attacks FROM v
)
SELECT verdict, decisions, malicious, share(malicious, decisions) AS precision,
       CASE WHEN verdict <> 'safe' THEN share(caught, attacks) END AS recall,
       CASE WHEN verdict <> 'safe' THEN share(attacks - caught, attacks) END AS "false-negative rate"
FROM c ORDER BY lowest DESC;

\echo
\echo 'The ten detectors with most hits. Precision: for one with a negative weight,'
\echo 'which speaks for a message, how many of its hits are safe. The GBDT hits where'
\echo 'its margin is above 0.'
\echo
WITH h AS (
	SELECT e.detector, j.malicious = (coalesce(d.weight, 1) > 0) AS right, j.malicious, d.mode, d.weight
	FROM judged j, assay.ledger(j.attribution) e
	JOIN assay.detectors d ON d.policy = 'inbound' AND d.detector = e.detector
	WHERE e.hit AND (d.kind = 'rule' OR e.contribution > 0)
), n AS (
	SELECT count(*) FILTER (WHERE malicious) AS attacks, count(*) FILTER (WHERE NOT malicious) AS safe FROM judged
)
SELECT detector, mode, round(weight::numeric, 1) AS weight, count(*) AS hits, share(count(*) FILTER (WHERE h.right), count(*)) AS precision,
       share(count(*) FILTER (WHERE h.right), CASE WHEN weight < 0 THEN n.safe ELSE n.attacks END) AS recall,
       share(CASE WHEN weight < 0 THEN n.safe ELSE n.attacks END - count(*) FILTER (WHERE h.right),
             CASE WHEN weight < 0 THEN n.safe ELSE n.attacks END) AS "false-negative rate"
FROM h, n
GROUP BY detector, mode, weight, n.safe, n.attacks
ORDER BY hits DESC, detector LIMIT 10;

\echo
SELECT count(*) AS messages, count(*) FILTER (WHERE malicious) AS malicious,
       round(assay.roc_auc(assay.margin(attribution), malicious)::numeric, 4) AS "AUC",
       round(assay.average_precision(assay.margin(attribution), malicious)::numeric, 4) AS "average precision",
       round(assay.log_loss(1 / (1 + exp(-assay.margin(attribution))), malicious)::numeric, 4) AS "log loss"
FROM judged;

\echo
\echo 'Recall at the threshold that lets through so many of the legitimate messages:'
\echo
WITH curve AS MATERIALIZED (
	SELECT c.* FROM (SELECT assay.scored_agg(assay.margin(attribution), malicious) AS s FROM judged) x,
	       assay.precision_recall_curve(x.s) c
)
SELECT to_char(100 * r, 'FM990.0') || ' %' AS "false positives at most", max(fp)::bigint AS "false positives",
       share(max(tp)::bigint, (SELECT count(*) FROM judged WHERE malicious)) AS recall
FROM curve, unnest('{0.001, 0.005, 0.01}'::float8[]) r
WHERE fpr <= r GROUP BY r ORDER BY r;
