-- how good scores are: roc_auc, average_precision, log_loss, brier, confusion, wilson_interval
SET search_path = public, assay;
SET extra_float_digits = 0;

-- worked examples of scikit-learn's documentation
SELECT roc_auc(s, l), average_precision(s, l) FROM (VALUES (0.1, false), (0.4, false), (0.35, true), (0.8, true)) v(s, l);
SELECT log_loss(s, l) FROM (VALUES (0.9, true), (0.1, false), (0.2, false), (0.65, true)) v(s, l);
SELECT brier(s, l) FROM (VALUES (0.1, false), (0.9, true), (0.8, true), (0.3, false)) v(s, l);
SELECT threshold, precision, recall FROM precision_recall_curve(
	(SELECT scored_agg(s, l) FROM (VALUES (0.1, false), (0.4, false), (0.35, true), (0.8, true)) v(s, l)));

-- edges
SELECT roc_auc(s, l), average_precision(s, l), log_loss(s, l), brier(s, l), confusion(s > 0.5, l), scored_agg(s, l)
FROM (VALUES (0.5, true)) v(s, l) WHERE false;
SELECT roc_auc(s, true), average_precision(s, true), round(log_loss(s, true)::numeric, 6), confusion(s > 0.5, true) FROM (VALUES (0.3), (0.9)) v(s);
SELECT roc_auc(s, false), average_precision(s, false), confusion(s > 0.5, false) FROM (VALUES (0.3), (0.9)) v(s);
SELECT roc_auc(1, l) AS all_tied FROM (VALUES (true), (false), (false)) v(l);
SELECT roc_auc(s, l), scored_agg(s, l) FROM (VALUES (0.1, NULL), (NULL, true), (0.2, true), (0.1, false), (NULL, NULL)) v(s, l);
SELECT roc_auc(s, l, w), scored_agg(s, l, w), log_loss(s, l, w), brier(s, l, w), confusion(s > 0.15, l, w)
FROM (VALUES (0.25, true, 2), (0.1, false, 0), (0.5, false, 1), (0.75, false, NULL)) v(s, l, w);
SELECT roc_auc(s, l), scored_agg(s, l) FROM (VALUES (float8 '-Infinity', false), ('Infinity', true), ('-0', true), (0, false)) v(s, l);
SELECT log_loss(s, l) FROM (VALUES (0, true), (1, false)) v(s, l);	-- held off infinity
SELECT log_loss(s, l) FROM (VALUES (0, false), (1, true)) v(s, l);
SELECT roc_auc('NaN', true);
SELECT roc_auc(0, true, -1);
SELECT roc_auc(0, true, 'NaN');
SELECT roc_auc(0, true, 'Infinity');
SELECT log_loss(1.5, true);
SELECT brier(-0.1, true);
SELECT brier('NaN', true);
SELECT confusion(true, true, -1);

-- against brute force, with ties and weights (a generator in SQL)
CREATE TABLE sample AS
SELECT n, n % 7 AS part, ((n::bigint * 48271 % 2147483647) % 1000) / 1000.0::float8 AS score,
	((n::bigint * 16807 % 2147483647) % 1000) < 100 + ((n::bigint * 48271 % 2147483647) % 1000) / 2 AS label,
	1 + n % 3 AS weight
FROM generate_series(1, 3000) n;
CREATE VIEW brute AS SELECT
	(SELECT sum(p.weight * q.weight * CASE WHEN p.score > q.score THEN 1 WHEN p.score = q.score THEN 0.5 ELSE 0 END)
		/ sum(p.weight * q.weight) FROM sample p, sample q WHERE p.label AND NOT q.label) AS auc,
	(SELECT sum(w * tp / (tp + fp)) / sum(w) FROM
		(SELECT score, sum(weight) FILTER (WHERE label) AS w, sum(sum(weight) FILTER (WHERE label)) OVER d AS tp,
			coalesce(sum(sum(weight) FILTER (WHERE NOT label)) OVER d, 0) AS fp
		FROM sample GROUP BY score WINDOW d AS (ORDER BY score DESC)) s) AS ap,
	(SELECT -sum(weight * ln(CASE WHEN label THEN greatest(score, 2.220446049250313e-16) ELSE 1 - score END)) / sum(weight) FROM sample) AS loss,
	(SELECT sum(weight * (score - label::int) ^ 2) / sum(weight) FROM sample) AS brier;
SELECT abs(roc_auc(s.score, s.label, s.weight) - auc) < 1e-12 AS auc, abs(average_precision(s.score, s.label, s.weight) - ap) < 1e-12 AS ap,
	abs(log_loss(s.score, s.label, s.weight) - loss) < 1e-12 AS loss, abs(brier(s.score, s.label, s.weight) - b.brier) < 1e-12 AS brier
FROM sample s, brute b GROUP BY auc, ap, loss, b.brier;
-- the same by way of the value, and rolled up from parts
SELECT abs(roc_auc(v) - auc) < 1e-12 AS auc, abs(average_precision(v) - ap) < 1e-12 AS ap,
	abs(log_loss(v) - loss) < 1e-12 AS loss, abs(brier(v) - brier) < 1e-12 AS brier, v::text = whole::text AS same
FROM brute, (SELECT scored_agg(part) AS v FROM (SELECT scored_agg(score, label, weight) AS part FROM sample GROUP BY part) p) r,
	(SELECT scored_agg(score, label, weight ORDER BY n DESC) AS whole FROM sample) w;
-- an integer weight is that many rows
SELECT roc_auc(score, label, weight) = (SELECT roc_auc(score, label) FROM sample, generate_series(1, weight)) AS repeated FROM sample;
-- as a window aggregate, the state is read between rows
SELECT count(*) AS rows, count(*) FILTER (WHERE a IS DISTINCT FROM b) AS differ FROM
	(SELECT n, roc_auc(score, label) OVER (ORDER BY n) AS a FROM sample WHERE n <= 100) w,
	LATERAL (SELECT roc_auc(score, label) AS b FROM sample s WHERE s.n <= w.n) x;

-- confusion: counts and rates, at thresholds, rolled up
SELECT (confusion(score >= 0.5, label)).* FROM sample;
SELECT confusion(score >= 0.5, label) = confusion((SELECT scored_agg(score, label) FROM sample), 0.5) AS same FROM sample;
SELECT confusion(c) = (SELECT confusion(score >= 0.5, label, weight) FROM sample) AS same
FROM (SELECT confusion(score >= 0.5, label, weight) AS c FROM sample GROUP BY part) p;
SELECT confusion(c) FROM (VALUES (NULL::confusion)) v(c);
SELECT count(*), count(*) FILTER (WHERE (tp, fp) IS DISTINCT FROM ((confusion(v, threshold)).tp, (confusion(v, threshold)).fp)) AS differ,
	max(recall) AS recall, max(fpr) AS fpr
FROM (SELECT scored_agg(score, label) AS v FROM sample) s, precision_recall_curve(v);

-- more distinct scores than are kept: rounded, but order and partition do not matter
CREATE TABLE large AS
SELECT n, (n::bigint * 48271 % 2147483647) / 2147483647.0::float8 AS score,
	(n::bigint * 16807 % 2147483647) / 2147483647.0::float8 < (n::bigint * 48271 % 2147483647) / 2147483647.0::float8 AS label
FROM generate_series(1, 200000) n;
SELECT positive + negative AS rows, distinct_scores <= 65536 AS bounded, exact, score_resolution < 1e-4 AS resolution, auc_error < 1e-4 AS error, auc_error > 0 AS tied
FROM (SELECT scored_agg(score, label) AS v FROM large) s, scored_info(v);
-- exact AUC by ranks
CREATE TEMP TABLE exact AS SELECT (sum(r) FILTER (WHERE label) - p * (p + 1) / 2) / (p * q) AS auc
FROM (SELECT label, rank() OVER (ORDER BY score)::float8 AS r, count(*) FILTER (WHERE label) OVER () AS p, count(*) FILTER (WHERE NOT label) OVER () AS q FROM large) s GROUP BY p, q;
SELECT abs(roc_auc(v) - auc) <= (scored_info(v)).auc_error AS within_error FROM exact, (SELECT scored_agg(score, label) AS v FROM large) s;
SELECT (SELECT scored_agg(score, label ORDER BY n DESC)::text FROM large) = scored_agg(p)::text AS order_and_partition
FROM (SELECT scored_agg(score, label) AS p FROM large GROUP BY n % 5) g;
SELECT (scored_info(scored_agg(-score, label))).exact, abs(roc_auc(-score, label) - (1 - auc)) < 1e-4 AS mirrored FROM large, exact GROUP BY auc;
-- the limit itself
SELECT distinct_scores, exact FROM (SELECT scored_agg(score, label) AS v FROM large WHERE n <= 65536) s, scored_info(v);
SELECT distinct_scores < 65536 AS fewer, exact FROM (SELECT scored_agg(score, label) AS v FROM large WHERE n <= 65537) s, scored_info(v);

-- partial aggregation
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
ALTER TABLE large SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT roc_auc(score, label), average_precision(score, label), log_loss(score, label), brier(score, label),
	confusion(score > 0.5, label), scored_agg(score, label) FROM large;
EXPLAIN (COSTS OFF) SELECT roc_auc(score, label, 1), average_precision(score, label, 1), log_loss(score, label, 1), brier(score, label, 1),
	confusion(score > 0.5, label, 1), scored_agg(score, label, 1) FROM large;
CREATE TEMP TABLE parallel AS SELECT roc_auc(score, label) AS auc, average_precision(score, label) AS ap, log_loss(score, label) AS loss,
	brier(score, label) AS brier, confusion(score > 0.5, label) AS c, scored_agg(score, label)::text AS v FROM large;
SET max_parallel_workers_per_gather = 0;
SELECT s.auc = p.auc AS auc, s.ap = p.ap AS ap, abs(s.loss - p.loss) < 1e-12 AS loss, abs(s.brier - p.brier) < 1e-12 AS brier, s.c = p.c AS c, s.v = p.v AS v
FROM parallel p, (SELECT roc_auc(score, label) AS auc, average_precision(score, label) AS ap, log_loss(score, label) AS loss,
	brier(score, label) AS brier, confusion(score > 0.5, label) AS c, scored_agg(score, label)::text AS v FROM large) s;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;

-- the value: text and binary forms are exact
SET extra_float_digits = -5;
CREATE TABLE kept AS SELECT part, scored_agg(score / 3, label, weight / 7.0::float8) AS v FROM sample GROUP BY part
	UNION ALL SELECT -1, scored_agg(score, label) FROM large;
SELECT bool_and(v::text::scored::text = v::text AND roc_auc(v::text::scored) = roc_auc(v)) FROM kept;
\set file `mktemp -u /tmp/assay_scored.XXXXXX`
COPY kept TO :'file' (FORMAT binary);
CREATE TABLE copied (LIKE kept);
COPY copied FROM :'file' (FORMAT binary);
\setenv file :file
\! rm -f "$file"
SELECT count(*), count(*) FILTER (WHERE k.v::text = c.v::text) AS same FROM kept k JOIN copied c USING (part);
RESET extra_float_digits;
SELECT t::scored FROM unnest(ARRAY['1:0', '1:0 0.5/1/0', '1:0 -Infinity/1/0.5 1e-300/0/2 Infinity/3/0', '1:51 0.5/1/0']) t;
CREATE FUNCTION try(t text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN t::scored;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
SELECT t, try(t) FROM unnest(ARRAY['', '1', '2:0', '1:52', '1:-1', '1:0.5', '1:0 ', '1:0  0.5/1/0', '1:0 0.5', '1:0 0.5/1', '1:0 0.5/1/', '1:0 0.5/1/0 ',
	'1:0 0.5/1/0/0', '1:0 0.5/0/0', '1:0 0.5/-1/0', '1:0 0.5/Infinity/0', '1:0 NaN/1/0', '1:0 0.5/nan/0', '1:0 0.5/1/0 0.5/1/0', '1:0 0.5/1/0 0.4/1/0', '1:51 0.3/1/0',
	'1:0 0x1/1/0', '1:0 1e999/1/0', '1:0 0.5/1e999/0', '1:0 a/1/0', '1:0,0.5/1/0', E'1:0\t0.5/1/0']) t;
SELECT try('1:0 ' || string_agg(n || '/1/0', ' ' ORDER BY n)) = '1:0 ' || string_agg(n || '/1/0', ' ' ORDER BY n) AS most FROM generate_series(1, 65536) n;
SELECT try('1:0 ' || string_agg(n || '/1/0', ' ' ORDER BY n)) AS one_more FROM generate_series(1, 65537) n;
-- hand-made binary messages: version, shift, count, items
CREATE FUNCTION receive(message text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('COPY copied (v) FROM PROGRAM %L (FORMAT binary)', 'printf ''PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1' || message || '\377\377''');
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
\set item '\\100\\0\\0\\0\\0\\0\\0\\0\\100\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0'
SELECT receive('\0\0\0\6\1\0\0\0\0\0') AS empty;
SELECT receive('\0\0\0\36\1\0\0\0\0\1' || :'item') AS one;
SELECT receive('\0\0\0\36\2\0\0\0\0\1' || :'item') AS version;
SELECT receive('\0\0\0\36\1\64\0\0\0\1' || :'item') AS shift;
SELECT receive('\0\0\0\36\1\0\0\0\0\2' || :'item') AS count_too_high;
SELECT receive('\0\0\0\36\1\0\377\377\377\377' || :'item') AS count_negative;
SELECT receive('\0\0\0\36\1\0\177\377\377\377' || :'item') AS count_huge;
SELECT receive('\0\0\0\66\1\0\0\0\0\2' || :'item' || :'item') AS not_ascending;
SELECT receive('\0\0\0\36\1\0\0\0\0\1\177\377\0\0\0\0\0\0\100\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0') AS not_a_number;

-- Stored bytes that were damaged: a superuser can hand any to the C functions
CREATE FUNCTION bytes_of(scored) RETURNS bytea AS 'pg_assay', 'scored_final' LANGUAGE C IMMUTABLE STRICT;
CREATE FUNCTION auc_of(bytea) RETURNS float8 AS 'pg_assay', 'scored_roc_auc' LANGUAGE C IMMUTABLE STRICT;
CREATE FUNCTION union_of(scored, bytea) RETURNS scored AS 'pg_assay', 'scored_combine' LANGUAGE C IMMUTABLE STRICT;
CREATE FUNCTION damaged(bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM auc_of(bytes), union_of('1:0 1/1/1', bytes);
	RETURN 'read';
EXCEPTION WHEN data_corrupted THEN
	RETURN 'corrupted';
END $$;
-- each bit: the header's (12 bytes after the length) are seen but for a valid shift or fewer sorted; the items' when they make no sense
SELECT n < 12 AS header, damaged(set_byte(bytes, n, get_byte(bytes, n) # (1 << b))), count(*)
FROM bytes_of('1:0 0.25/1/0 0.5/2/1 0.75/0/3') bytes, generate_series(0, length(bytes) - 1) n, generate_series(0, 7) b
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT damaged(substr(bytes, 1, n)) AS cut, count(*) FROM bytes_of('1:0 0.25/1/0 0.5/2/1 0.75/0/3') bytes, generate_series(0, 83) n GROUP BY 1;
SELECT damaged(bytes) FROM bytes_of('1:0 0.25/1/0 0.5/2/1 0.75/0/3') bytes;

-- Wilson's interval: Wikipedia's and R's prop.test(correct = FALSE) values
SELECT k, n, c, round(lower::numeric, 7) AS lower, round(upper::numeric, 7) AS upper
FROM (VALUES (0, 1, 0.95), (1, 1, 0.95), (0, 10, 0.95), (10, 10, 0.95), (15, 20, 0.95), (81, 263, 0.95), (81, 263, 0.99), (1, 1000000, 0.95), (50, 100, 0.5), (0, 0, 0.95)) v(k, n, c),
	wilson_interval(k, n, c);
SELECT * FROM wilson_interval(15, 20) a, wilson_interval(15, 20, 0.95) b WHERE a.lower = b.lower AND a.upper = b.upper;
SELECT wilson_interval(NULL, 1) IS NULL AS k, wilson_interval(1, NULL) IS NULL AS n;
SELECT * FROM wilson_interval(2, 1);
SELECT * FROM wilson_interval(-1, 1);
SELECT * FROM wilson_interval(0, -1);
SELECT * FROM wilson_interval(1, 2, 0);
SELECT * FROM wilson_interval(1, 2, 1);
SELECT * FROM wilson_interval(1, 2, 'NaN');
-- its ends solve (p - k / n)^2 = z^2 p (1 - p) / n, for z of the normal distribution's tables
SELECT c, bool_and(abs((lower - k / 50.0) ^ 2 - z ^ 2 * lower * (1 - lower) / 50) < 1e-13 AND abs((upper - k / 50.0) ^ 2 - z ^ 2 * upper * (1 - upper) / 50) < 1e-13
	AND lower <= k / 50.0 AND upper >= k / 50.0) AS solves
FROM (VALUES (0.5, 0.6744897501960817), (0.8, 1.2815515655446004), (0.9, 1.6448536269514722), (0.95, 1.959963984540054), (0.99, 2.5758293035489004), (0.999999, 4.891638475692932)) v(c, z),
	generate_series(0, 50) k, wilson_interval(k, 50, c) GROUP BY c ORDER BY c;
SELECT * FROM wilson_interval(9223372036854775807, 9223372036854775807) w WHERE upper = 1 AND lower > 0.999999;

DROP VIEW brute;
DROP TABLE sample, large, kept, copied;
DROP FUNCTION try(text), receive(text), damaged(bytea), bytes_of(scored), auc_of(bytea), union_of(scored, bytea);
