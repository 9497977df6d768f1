-- curves, quantiles and weighted rates beside scikit-learn's and SciPy's (sql/fixtures/make_curves.py)
SET search_path = public, assay, assay_internal;
SET client_min_messages = warning;
\set ECHO none
\i sql/fixtures/curves.sql
\set ECHO all
CREATE TABLE kept AS SELECT scored_agg(score, label) AS v FROM graded;

-- Kolmogorov and Smirnov
SELECT abs(ks(v) - (value)::float8) < 1e-12 AS same, ks(v) = (SELECT ks(score, label) FROM graded) AS aggregate,
	ks(v) = (SELECT ks(score, label, 2) FROM graded) AS weighted
FROM kept, told WHERE key = 'ks';
SELECT ks(score, true) IS NULL AS no_negative, ks(score, false) IS NULL AS no_positive FROM graded;
SELECT ks(s, l) FROM (VALUES (0.1, false), (0.2, true)) v(s, l);
SELECT ks(s, l) FROM (VALUES (0.1, true), (0.1, false)) v(s, l);

-- ROC: each of its points, in order
SELECT count(*) = (SELECT jsonb_array_length(value) FROM told WHERE key = 'roc') AS as_many,
	bool_and(abs(fpr - (t.value ->> 1)::float8) < 1e-12 AND abs(tpr - (t.value ->> 2)::float8) < 1e-12
		AND threshold = (CASE t.value ->> 0 WHEN 'inf' THEN 'Infinity' ELSE t.value ->> 0 END)::float8) AS same
FROM kept, roc_curve(v) WITH ORDINALITY r(threshold, fpr, tpr, n),
	(SELECT e.value, e.n FROM told, jsonb_array_elements(value) WITH ORDINALITY e(value, n) WHERE key = 'roc') t WHERE t.n = r.n;
SELECT r.* FROM (SELECT scored_agg(s, l) AS v FROM (VALUES (0.1, false), (0.4, true), (0.4, false)) v(s, l)) s, roc_curve(v) r;
SELECT r.* FROM (SELECT scored_agg(s, true) AS v FROM (VALUES (0.1)) v(s)) s, roc_curve(v) r;
-- its area is roc_auc
SELECT abs(sum(area) - (SELECT roc_auc(v) FROM kept)) < 1e-12 AS area
FROM (SELECT (fpr - lag(fpr) OVER w) * (tpr + lag(tpr) OVER w) / 2 AS area FROM kept, roc_curve(v) WINDOW w AS (ORDER BY threshold DESC)) t;

-- calibration
SELECT strategy, bins, count(*) = max(jsonb_array_length(t.value)) AS as_many,
	bool_and(abs(mean_score - (t.value -> i ->> 0)::float8) < 1e-12 AND abs(positive_rate - (t.value -> i ->> 1)::float8) < 1e-12) AS same,
	sum(weight) AS weight
FROM (VALUES ('uniform'), ('quantile')) s(strategy), (VALUES (1), (5), (10), (17)) b(bins), kept, told t,
	LATERAL (SELECT *, (row_number() OVER (ORDER BY bin))::integer - 1 AS i FROM calibration_curve(v, bins, strategy)) c
WHERE t.key = strategy || bins
GROUP BY strategy, bins ORDER BY strategy DESC, bins;
SELECT c.* FROM (SELECT scored_agg(s, l) AS v FROM (VALUES (0, false), (0.2, true), (0.6, true), (1, true)) v(s, l)) s, calibration_curve(v, 5) c;
SELECT count(*) FROM kept, calibration_curve(v, 10000);
SELECT count(*) FROM kept, calibration_curve(v, 10001);
SELECT count(*) FROM kept, calibration_curve(v, 0);
SELECT count(*) FROM kept, calibration_curve(v, 10, 'other');
SELECT count(*) FROM calibration_curve('1:0');
SELECT count(*) FROM calibration_curve('1:0 -0.1/1/0');
SELECT count(*) FROM calibration_curve('1:0 0.1/1/0 1.5/1/0');

-- quantiles
SELECT key, abs((quantile_interval(v, key::float8)).quantile - value::float8) < 1e-12 AS same,
	abs((quantile_interval(v, key::float8)).quantile - (SELECT percentile_cont(key::float8) WITHIN GROUP (ORDER BY score) FROM graded)) < 1e-12 AS as_percentile_cont
FROM kept, (SELECT q.key, q.value FROM told t, jsonb_each(t.value) q WHERE t.key = 'quantile') q ORDER BY key;
-- of scores 1 .. n the interval's ends are ranks
CREATE TABLE ranked AS SELECT n, scored_agg(i, i % 2 = 0) AS v
FROM (VALUES (1), (5), (6), (50), (400)) s(n), generate_series(1, n) i GROUP BY n
UNION ALL SELECT 100000, scored_agg(i, true, 2) FROM generate_series(1, 50000) i;
SELECT n, bool_and(coalesce(i.lower, 0) = CASE WHEN n = 100000 THEN ceil(t.lower / 2) ELSE t.lower END) AS lower,
	bool_and(coalesce(i.upper, n + 1) = CASE WHEN n = 100000 THEN ceil(t.upper / 2) ELSE t.upper END) AS upper, count(*)
FROM (SELECT (r.value ->> 0)::integer AS n, (r.value ->> 1)::float8 AS q, (r.value ->> 2)::float8 AS confidence, (r.value ->> 3)::float8 AS lower, (r.value ->> 4)::float8 AS upper
		FROM told, jsonb_array_elements(value) r WHERE key = 'ranks') t
	JOIN ranked USING (n), quantile_interval(v, q, confidence) i
GROUP BY n ORDER BY n;
SELECT * FROM quantile_interval('1:0', 0.5);
SELECT * FROM quantile_interval('1:0 -Infinity/1/0 Infinity/1/0', 0.5);
SELECT * FROM quantile_interval('1:0 1/0.5/0', 0.5);
SELECT quantile FROM quantile_interval('1:0 1/1e9/0', 0.5);
SELECT quantile FROM quantile_interval('1:0 1/1000000001/0', 0.5);
SELECT * FROM quantile_interval('1:0 1/1/0', 0);
SELECT * FROM quantile_interval('1:0 1/1/0', 1);
SELECT * FROM quantile_interval('1:0 1/1/0', 0.5, 1);

-- exact intervals
SELECT count(*), bool_and(abs(lower - (t.value ->> 3)::float8) <= 1e-9 * lower AND abs(upper - (t.value ->> 4)::float8) <= 1e-9 * upper) AS same
FROM (SELECT e.value FROM told, jsonb_array_elements(value) e WHERE key = 'exact') t,
	exact_interval((t.value ->> 0)::bigint, (t.value ->> 1)::bigint, (t.value ->> 2)::float8);
-- of very many rows they are those of Poisson's distribution
SELECT n, abs(n * lower / -ln(0.975) - 1) < 1e-9 AS lower, abs(n * upper / 5.571643390938994 - 1) < 1e-9 AS upper
FROM unnest(ARRAY[100000000000, 1000000000000]) n, exact_interval(1, n);
SELECT * FROM exact_interval(1, 1000000000001);
-- of many hits, Wilson's
SELECT k, n, abs(e.lower / w.lower - 1) < 1e-5 AND abs(e.upper / w.upper - 1) < 1e-5 AS as_wilson
FROM (VALUES (500000000000, 1000000000000), (1000000, 1000000000), (1000001, 1000000000), (9999999, 1000000000), (10000001, 1000000000), (999999999, 1000000000000)) v(k, n),
	exact_interval(k, n) e, wilson_interval(k, n) w;
SELECT * FROM exact_interval(0, 0);
SELECT * FROM exact_interval(2, 1);
SELECT * FROM exact_interval(-1, 1);
SELECT * FROM exact_interval(1, 2, 1);

-- calibrators
CREATE TABLE margins AS SELECT scored_agg(margin, label) AS v FROM graded;
SELECT abs(slope - (t.value ->> 0)::float8) < 1e-6 AS slope, abs(intercept - (t.value ->> 1)::float8) < 1e-6 AS intercept FROM margins, platt(v), told t WHERE key = 'platt';
SELECT count(*) > 3 AS pools, sum(weight) = 400 AS all_rows, bool_and(positive_rate > before) AS ascends
FROM (SELECT i.*, lag(positive_rate, 1, -1) OVER (ORDER BY lower) AS before FROM margins, isotonic(v) i) s;
SELECT count(*), bool_and(abs(i.positive_rate - (e.value ->> 1)::float8) < 1e-12) AS same
FROM margins, told t, jsonb_array_elements(t.value) e, isotonic(v) i WHERE t.key = 'isotonic' AND (e.value ->> 0)::float8 BETWEEN i.lower AND i.upper;
SELECT platt(scored_agg(margin, true)) FROM graded;
SELECT platt('1:0 -Infinity/1/0 1/0/1');
SELECT * FROM isotonic('1:0');
SELECT * FROM isotonic('1:0 1/0/1 2/3/1 3/1/1');
SELECT abs(psi(a.v, b.v) - value::float8) < 1e-12 AS psi, psi(a.v, a.v) AS itself
FROM (SELECT scored_agg(margin, label) AS v FROM graded WHERE n <= 200) a, (SELECT scored_agg(margin, NOT label) AS v FROM graded WHERE n > 200) b, told WHERE key = 'psi';
SELECT psi(v, '1:0') FROM margins;
SELECT psi(v, v, 1) FROM margins;
SELECT psi(v, v, 10001) FROM margins;
-- a model with its calibrator: margins are log-odds, contributions still add up, and the text form is exact
\set ECHO none
\i sql/fixtures/tables.sql
\i sql/fixtures/xgboost-3.2.0.sql
\i sql/fixtures/lightgbm-4.7.0.sql
\set ECHO all
CREATE TABLE calibrated AS SELECT name, library, m, model_calibrated(m, 0.7, -1.25) AS c
FROM (SELECT name, library, CASE library WHEN 'xgboost' THEN model_from_xgboost(document) ELSE model_from_lightgbm(convert_from(document, 'UTF8')) END AS m
	FROM fixture WHERE name IN ('binary', 'binary_logistic', 'gblinear')) f;
SELECT library, name, count(*), bool_and(abs(margin(c, x) - (0.7 * margin(m, x) - 1.25)) < 1e-5) AS margin, bool_and(abs(predict(c, x) - 1 / (1 + exp(-margin(c, x)))) < 1e-6) AS predict,
	bool_and(abs((SELECT sum(u) FROM unnest(contributions(c, x)) u) - margin(c, x)) < 1e-4) AS contributions, bool_and(c::text::model::text = c::text AND margin(c::text::model, x) = margin(c, x)) AS text
FROM calibrated, (SELECT ARRAY[30 + i, i * 7 % 50, 0.1 * i, i % 5, i % 3]::real[] AS x FROM generate_series(1, 40) i) r GROUP BY library, name ORDER BY library, name;
SELECT abs(predict(model_calibrated(model_from_linear('{x}', '{2}', 1), 3, 0.5), '{1}'::real[]) - 1 / (1 + exp(-9.5))) < 1e-15 AS linear;
SELECT model_calibrated(m, 0, 1) FROM calibrated LIMIT 1;
SELECT model_calibrated(m, 'NaN', 1) FROM calibrated LIMIT 1;
SELECT model_calibrated(m, 1, 'Infinity') FROM calibrated LIMIT 1;
SELECT model_calibrated(m, 1e308, 1e308) FROM calibrated WHERE name = 'binary_logistic';
SELECT model_calibrated(model_from_xgboost(document), 1, 1) FROM fixture WHERE name = 'multi_softprob';
DROP TABLE margins, calibrated, fixture, golden;

-- weighted rates
SELECT abs(rate - (value ->> 0)::float8) < 1e-12 AS rate, abs(lower - (value ->> 1)::float8) < 1e-12 AS lower,
	abs(upper - (value ->> 2)::float8) < 1e-12 AS upper, n, abs(effective_n - (value ->> 4)::float8) < 1e-9 AS effective_n
FROM told, (SELECT (weighted_rate(score >= 0.5, weight)).* FROM graded) r WHERE key = 'rate';
-- the unit of weights does not matter, nor do rows of weight 0 or NULL
SELECT abs((a).lower - (b).lower) < 1e-12 AND abs((a).effective_n - (b).effective_n) < 1e-9 AND (a).n = (b).n AS same
FROM (SELECT weighted_rate(score >= 0.5, weight) AS a, weighted_rate(score >= 0.5, weight * 1e90, 0.95) AS b
	FROM (SELECT score, weight FROM graded UNION ALL VALUES (0.7, 0), (NULL, 3), (0.7, NULL)) g) s;
-- equal weights: Wilson's interval of n - 1
SELECT effective_n, abs(r.lower - w.lower) < 1e-12 AND abs(r.upper - w.upper) < 1e-12 AS as_wilson
FROM (SELECT (weighted_rate(i <= 25, 7, 0.9)).* FROM generate_series(1, 101) i) r, wilson_interval(25, 101, 0.9) o,
	LATERAL (SELECT (p + zz / 2) / (1 + zz) - h AS lower, (p + zz / 2) / (1 + zz) + h AS upper
		FROM (SELECT 25 / 101.0::float8 AS p, 1.6448536269514722 ^ 2 / 100 AS zz) a,
			LATERAL (SELECT sqrt(p * (1 - p) * zz + zz * zz / 4) / (1 + zz) AS h) b) w;
SELECT (weighted_rate(false, w)).*, sum(w) ^ 2 / sum(w * w) AS kish FROM (VALUES (1), (2), (3)) v(w);
SELECT (weighted_rate(true, 5)).*;
SELECT weighted_rate(true, 0);
SELECT weighted_rate(true, -1);
SELECT weighted_rate(true, 1, 1);
SELECT weighted_rate(true, 1, c) FROM (VALUES (0.9), (0.95)) v(c);
SELECT weighted_rate_final('{1,2}');
SELECT weighted_rate_final('{1,NaN,1,1,1,0.95}');
SELECT weighted_rate_final('{3,1,-1,1,1,0.95}');
SELECT weighted_rate_combine('{1,1,1,1,1,0.9}', '{1,1,1,1,1,0.95}');
SELECT weighted_rate_combine('{1,1,1,1,1,0.9}', '{0,0,0,0,0,0}'), weighted_rate_combine(NULL, NULL);

-- parallel plans give the same
CREATE TABLE large AS SELECT random() AS score, random() < 0.3 AS label, 1 + random() AS weight FROM (SELECT setseed(0.5)) s, generate_series(1, 20000);
ALTER TABLE large SET (parallel_workers = 2);
SELECT (weighted_rate(score > 0.5, weight)).* FROM large \gset serial_
SELECT ks(score, label) AS ks FROM large \gset serial_
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT ks(score, label), weighted_rate(score > 0.5, weight) FROM large;
SELECT abs((r).rate - :serial_rate) < 1e-12 AND abs((r).effective_n - :serial_effective_n) < 1e-6 AND (r).n = :serial_n AS rate, ks = :serial_ks AS ks
FROM (SELECT weighted_rate(score > 0.5, weight) AS r, ks(score, label) AS ks FROM large) s;

DROP TABLE graded, told, kept, ranked, large;
