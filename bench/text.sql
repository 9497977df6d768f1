-- What bench/text.sh measures with: what a text model sees of the demo's messages,
-- and functions that judge margins.

\set ON_ERROR_STOP 1
SET client_min_messages = warning;

SELECT assay.drop_text_model(name) FROM assay.text_models WHERE name LIKE 'bench\_%';
DROP TABLE IF EXISTS message_content;
CREATE TABLE message_content AS
SELECT m.id, m.received_at, a.malicious, a.history, m.text_content AS content
FROM message_text m JOIN arrival a USING (id);
ALTER TABLE message_content ADD PRIMARY KEY (id);
ANALYZE message_content;

-- AUC, and recall in % at 0.1, 0.2, 0.5 and 1 % false positives
CREATE OR REPLACE FUNCTION judge(scored assay.scored) RETURNS float8[] LANGUAGE sql IMMUTABLE AS $$
	WITH curve AS MATERIALIZED (SELECT fpr, recall FROM assay.precision_recall_curve(scored))
	SELECT ARRAY[assay.roc_auc(scored)] || array_agg((SELECT 100 * coalesce(max(recall), 0) FROM curve WHERE fpr <= r) ORDER BY r)
	FROM unnest('{0.001, 0.002, 0.005, 0.01}'::float8[]) r
$$;

-- ".9983 | 90.0 92.9 95.6 96.2"
CREATE OR REPLACE FUNCTION say(figures float8[]) RETURNS text LANGUAGE sql IMMUTABLE
RETURN ltrim(to_char(figures[1], '0.0000')) || ' | ' || (SELECT string_agg(ltrim(to_char(f, '990.0')), ' ' ORDER BY i) FROM unnest(figures[2:]) WITH ORDINALITY u(f, i));

-- Messages that are judged: what by, and how
DROP TABLE IF EXISTS judged_text;
CREATE TABLE judged_text (method text, id bigint, malicious boolean, margin float8);

-- Figures of a method, with the 95 % interval of a bootstrap over messages (each
-- counts as often as a Poisson draw of mean 1 says)
CREATE OR REPLACE FUNCTION report(method text, rounds int DEFAULT 400) RETURNS text LANGUAGE sql AS $$
	SELECT setseed(0.5);
	WITH drawn AS (
		SELECT r, margin, malicious, (u > 0.3678794)::int + (u > 0.7357589)::int + (u > 0.9196986)::int + (u > 0.9810118)::int + (u > 0.9963402)::int AS n
		FROM (SELECT r, j.margin, j.malicious, random() AS u FROM generate_series(1, rounds) r, judged_text j WHERE j.method = report.method OFFSET 0) d),
	figures AS (SELECT judge(assay.scored_agg(margin, malicious, n)) AS f FROM drawn WHERE n > 0 GROUP BY r),
	bounds AS (SELECT i, percentile_cont(ARRAY[0.025, 0.975]) WITHIN GROUP (ORDER BY f[i]) AS b FROM figures, generate_series(1, 5) i GROUP BY i)
	SELECT format('| %s | %s | %s-%s | %s-%s | %s-%s |', report.method, say(judge(assay.scored_agg(margin, malicious))),
		(SELECT round(b[1]::numeric, 4) FROM bounds WHERE i = 1), (SELECT round(b[2]::numeric, 4) FROM bounds WHERE i = 1),
		(SELECT round(b[1]::numeric) FROM bounds WHERE i = 2), (SELECT round(b[2]::numeric) FROM bounds WHERE i = 2),
		(SELECT round(b[1]::numeric) FROM bounds WHERE i = 4), (SELECT round(b[2]::numeric) FROM bounds WHERE i = 4))
	FROM judged_text j WHERE j.method = report.method
$$;
