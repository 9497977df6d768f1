-- The type outcome: aggregates, operators, accessors, text and binary form.
CREATE TABLE label (k int, n int, malicious boolean);
INSERT INTO label SELECT i % 4, i, CASE i % 7 WHEN 0 THEN NULL WHEN 1 THEN true WHEN 5 THEN true ELSE false END FROM generate_series(1, 1000) i WHERE i % 4 < 3;
INSERT INTO label SELECT 3, i, NULL FROM generate_series(1, 3) i;

SELECT k, assay.outcome_agg(malicious), assay.outcome_agg(malicious)::text =
	format('{"attacks": %s, "safe": %s}', count(*) FILTER (WHERE malicious), count(*) FILTER (WHERE NOT malicious)) AS right
FROM label GROUP BY k ORDER BY k;
-- roll-up and operators
SELECT assay.outcome_agg(o), (SELECT assay.outcome_agg(malicious) FROM label)
FROM (SELECT k, assay.outcome_agg(malicious) o FROM label GROUP BY k) s;
SELECT a OPERATOR(assay.+) b AS sum, (a OPERATOR(assay.+) b) OPERATOR(assay.-) b AS back, a OPERATOR(assay.+) NULL AS a, NULL::assay.outcome OPERATOR(assay.+) b AS b,
       a OPERATOR(assay.-) NULL AS same, NULL::assay.outcome OPERATOR(assay.+) NULL::assay.outcome IS NULL AS none, a AS unchanged
FROM (VALUES (assay.outcome(3, 40), assay.outcome(1, 2))) v(a, b);
SELECT assay.outcome(3, 1) OPERATOR(assay.-) assay.outcome(1, 2);
SELECT NULL::assay.outcome OPERATOR(assay.-) assay.outcome(0, 1);

-- limits: both counts together are a bigint
SELECT assay.outcome(9223372036854775806, 1), assay.outcome(0, 9223372036854775807), assay.labels(assay.outcome(9223372036854775806, 1));
SELECT assay.outcome(9223372036854775807, 1);
SELECT assay.outcome(-1, 1);
SELECT assay.outcome(9223372036854775806, 1) OPERATOR(assay.+) assay.outcome(0, 1);
SELECT assay.outcome(9223372036854775807, 0) OPERATOR(assay.+) assay.outcome(1, 0);
SELECT assay.outcome_agg(o) FROM (VALUES (assay.outcome(9223372036854775806, 1)), (assay.outcome(1, 0))) v(o);

-- accessors; without labels, the prior
SELECT assay.attacks(o), assay.safe(o), assay.labels(o), assay.attack_rate(o, 0.1, 10) AS attack_rate, assay.safe_rate_lower(o) AS safe_rate_lower
FROM (VALUES (NULL::assay.outcome), (assay.outcome(0, 0)), (assay.outcome(10, 30))) v(o);
-- (3 + 0.2 * 5) / (13 + 5)
SELECT abs(assay.attack_rate(assay.outcome(3, 10), 0.2, 5) - 4.0 / 18) < 1e-15 AS posterior,
       assay.attack_rate(assay.outcome(3, 10), 0, 1e-300)::numeric(9,6) AS no_prior, assay.attack_rate(assay.outcome(3, 10), 0.5, 1e308)::numeric(9,6) AS all_prior,
       assay.attack_rate(assay.outcome(9223372036854775807, 0), 1, 1e308) AS big;
-- Wilson's bound, with the quantile of Python's statistics.NormalDist
SELECT k, n, c, assay.safe_rate_lower(assay.outcome(n - k, k), c)::numeric(14,12) AS got, want
FROM (VALUES (10, 10, 0.95::float8, 0.787058029917), (30, 40, 0.9, 0.653582418634), (1, 1, 0.975, 0.206549314377),
             (999, 1000, 0.99, 0.992765484257), (3, 1000, 0.95, 0.001199562478)) v(k, n, c, want)
WHERE abs(assay.safe_rate_lower(assay.outcome(n - k, k), c) - want) > 6e-13;
SELECT assay.safe_rate_lower(assay.outcome(1, 3), 0.5) AS median, assay.safe_rate_lower(assay.outcome(5, 0), 0.95) AS no_safe;
SELECT bool_and(lo >= 0 AND lo < 1 AND lo > before) AS grows
FROM (SELECT lo, lag(lo, 1, -1) OVER (ORDER BY n) AS before
      FROM (SELECT n, assay.safe_rate_lower(assay.outcome(0, n)) lo FROM generate_series(0, 1000) n) s) r;
SELECT c, assay.safe_rate_lower(assay.outcome(1, 99), c)::numeric(9,6) FROM unnest('{0.5, 0.9, 0.999999, 0.9999999999999999}'::float8[]) c;
SELECT assay.attack_rate(NULL, NULL, 1), assay.attack_rate(NULL, 0.1, NULL), assay.safe_rate_lower(NULL, NULL);
SELECT assay.attack_rate(NULL, 1.1, 1);
SELECT assay.attack_rate(NULL, 'nan', 1);
SELECT assay.attack_rate(NULL, 0.1, 0);
SELECT assay.attack_rate(NULL, 0.1, 'inf');
SELECT assay.safe_rate_lower(NULL, 1);
SELECT assay.safe_rate_lower(NULL, 0.4);
SELECT assay.safe_rate_lower(NULL, 'nan');

-- text
SELECT ' { "attacks" : 3 , "safe" :40 } '::assay.outcome, '{"attacks": 0, "safe": 9223372036854775807}'::assay.outcome, pg_column_size(assay.outcome(1, 2));
SELECT ''::assay.outcome;
SELECT '{"attacks": 3}'::assay.outcome;
SELECT '{"attacks": 3, "safe": -1}'::assay.outcome;
SELECT '{"attacks": 3, "safe": 9223372036854775808}'::assay.outcome;
SELECT '{"attacks": 1, "safe": 9223372036854775807}'::assay.outcome;
SELECT '{"attacks": 1, "safe": 2} x'::assay.outcome;
SELECT '{"attacks": , "safe": 2}'::assay.outcome;
-- binary: format, attacks, safe
SELECT encode(assay_internal.outcome_send(assay.outcome(3, 40)), 'hex');
\set type assay.outcome
\set ECHO none
\i sql/fixtures/try_binary.sql
\set ECHO all
SELECT try_binary('0100000000000000030000000000000028') AS good, try_binary('0200000000000000030000000000000028') AS format_2,
       try_binary('01ffffffffffffffff0000000000000028') AS negative, try_binary('0100000000000000017fffffffffffffff') AS too_many,
       try_binary('01000000000000000300000000000000') AS truncated;
SELECT pg_backend_pid() AS pid \gset
\setenv pid :pid
\! rm -f /tmp/assay_binary.$pid

-- windows, cumulative and moving
SELECT frame, count(*) AS rows, bool_and(w::text IS NOT DISTINCT FROM b::text) AS labels, bool_and(v::text IS NOT DISTINCT FROM b::text) AS states,
       count(*) FILTER (WHERE w IS NULL) AS empty
FROM (SELECT 'up to here' AS frame, assay.outcome_agg(malicious) OVER f w, assay.outcome_agg(CASE WHEN malicious IS NOT NULL THEN assay.outcome(malicious::int, (NOT malicious)::int) END) OVER f v,
             (SELECT assay.outcome_agg(malicious) FROM label i WHERE i.k = e.k AND i.n <= e.n) b
      FROM label e WINDOW f AS (PARTITION BY k ORDER BY n)
      UNION ALL
      SELECT 'two', assay.outcome_agg(malicious) OVER f, assay.outcome_agg(CASE WHEN malicious IS NOT NULL THEN assay.outcome(malicious::int, (NOT malicious)::int) END) OVER f,
             (SELECT assay.outcome_agg(malicious) FROM (SELECT malicious FROM label i WHERE i.k = e.k AND i.n <= e.n ORDER BY n DESC LIMIT 2) s)
      FROM label e WINDOW f AS (PARTITION BY k ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)) s
GROUP BY frame ORDER BY frame COLLATE "C";

-- parallel plans
CREATE TABLE state AS SELECT n, assay.outcome_agg(malicious) o FROM label GROUP BY n;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT assay.outcome_agg(malicious) FROM label;
EXPLAIN (COSTS OFF) SELECT assay.outcome_agg(o) FROM state;
SELECT assay.outcome_agg(malicious) FROM label;
SELECT assay.outcome_agg(o) FROM state;
RESET ALL;

DROP TABLE label, state;
DROP FUNCTION try_binary;
