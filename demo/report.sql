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

-- precision_report() judges the decisions as they were made; an interval of
-- recall needs to know of how many.
CREATE VIEW report AS
SELECT r.*, round(r.recall * n.n)::bigint AS found, n.n
FROM assay.precision_report('inbound') r,
     LATERAL (SELECT count(*) AS n FROM judged WHERE malicious = (r.claim = 'malicious')) n;

\echo
\echo 'Decisions per verdict. Precision: how many of them are what the verdict claims.'
\echo 'Recall and false-negative rate: of all messages that are, how many got this'
\echo 'verdict or a worse one (for safe: this one), and how many did not.'
\echo
SELECT name AS verdict, claim, hits AS decisions, share(tp, labelled) AS precision,
       share(found, n) AS recall, share(n - found, n) AS "false-negative rate"
FROM report JOIN (SELECT verdict, min(score) AS lowest FROM judged GROUP BY verdict) v ON v.verdict = name
WHERE kind = 'verdict' ORDER BY lowest DESC;

\echo
\echo 'The ten detectors with most hits. What one claims follows from the sign of its'
\echo 'weight; the GBDT hits where its margin is above 0. Alone: decisions that would'
\echo 'have had another verdict without it, and how many of those it put right.'
\echo
SELECT r.name AS detector, r.claim, round(d.weight::numeric, 1) AS weight, r.hits, share(r.tp, r.labelled) AS precision,
       share(r.found, r.n) AS recall, share(r.n - r.found, r.n) AS "false-negative rate", r.sole AS alone, r.sole_right AS "put right"
FROM report r JOIN assay.detectors d ON d.policy = 'inbound' AND d.detector = r.name
WHERE r.kind IN ('rule', 'model') ORDER BY r.hits DESC, r.name LIMIT 10;

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
