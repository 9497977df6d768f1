-- The type summary: exact sums, aggregates, operators, accessors, text and binary form.
SET extra_float_digits = 0;
CREATE TABLE number (k int, n int, x float8);
INSERT INTO number SELECT i % 5, i, CASE i % 11 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE (i * 7919 % 10007 - 5000) * (ARRAY[1, 0.1, 1e-300, 1e300, 0.25])[i % 5 + 1] END
FROM generate_series(1, 2000) i;

-- whole numbers: as PostgreSQL's own over numeric
CREATE TABLE whole AS SELECT i % 3 AS k, (hashint8(i)::bigint % 100000)::float8 AS x FROM generate_series(1::bigint, 3000) i;
SELECT k, assay.observations(s) = n AS n, assay.total(s) = sum AS sum, assay.mean(s) = mean AS mean, abs(assay.deviation(s) / deviation - 1) < 1e-14 AS deviation,
	assay.smallest(s) = least AND assay.largest(s) = greatest AS bounds, pg_column_size(s) AS bytes
FROM (SELECT k, assay.summary_agg(x) s, count(*) n, sum(x::numeric)::float8 sum, avg(x::numeric)::float8 mean, sqrt((count(*) * sum(x::numeric ^ 2) - sum(x::numeric) ^ 2) / (count(*) * (count(*) - 1)))::float8 deviation, min(x) least, max(x) greatest
	FROM whole GROUP BY k) g ORDER BY k;

-- exact in any order: 1e300 and its like go in and come out, what is small stays
SELECT assay.summary_agg(x ORDER BY n)::text = assay.summary_agg(x ORDER BY -n)::text AS up_and_down,
	assay.summary_agg(x ORDER BY n)::text = assay.summary_agg(x ORDER BY hashint4(n))::text AS and_mixed
FROM number;
SELECT assay.total(assay.summary_agg(x)), assay.mean(assay.summary_agg(x)), assay.deviation(assay.summary_agg(x)) FROM unnest('{1e308, 1, -1e308, 1e-300}'::float8[]) x;
SELECT assay.total(assay.summary_agg(x)), assay.mean(assay.summary_agg(x)), assay.deviation(assay.summary_agg(x)) FROM unnest('{1.7e308, 1.7e308, 1.7e308}'::float8[]) x;
-- a deviation that float8 sums lose
SELECT assay.deviation(assay.summary_agg(1e9 + i)) AS deviation, assay.deviation(assay.summary_agg(1e9)) AS none FROM generate_series(1, 3) i;
-- the least and greatest numbers there are
SELECT assay.total(s), assay.smallest(s), assay.largest(s), assay.observations(s), s::text::assay.summary OPERATOR(assay.=) s AS same, pg_column_size(s)
FROM (SELECT assay.summary_agg(x) FROM unnest('{4.94065645841247e-324, -4.94065645841247e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0, -0}'::float8[]) x) a(s);
SELECT assay.summary_agg(x) FROM unnest('{-0, NaN, Infinity, -Infinity, NULL}'::float8[]) x;
SELECT assay.summary_agg(x) IS NULL AS none FROM unnest('{NaN, NULL}'::float8[]) x;
SELECT assay.summary_agg(x) FROM unnest('{2, 3}'::float8[]) x;
SELECT assay.summary_agg(0.1), assay.summary_agg(-0.5);

-- parts add up, and are taken out again, to the last bit
CREATE TABLE part AS SELECT k, assay.summary_agg(x) AS s FROM number GROUP BY k;
SELECT assay.summary_agg(s) OPERATOR(assay.=) (SELECT assay.summary_agg(x) FROM number) AS same FROM part;
SELECT p.k, (a.s OPERATOR(assay.-) p.s)::text::jsonb - '{min,max}'::text[] = r.s::text::jsonb - '{min,max}'::text[] AS rest, assay.smallest(a.s OPERATOR(assay.-) p.s) IS NULL AS unknown,
	((a.s OPERATOR(assay.-) p.s) OPERATOR(assay.+) p.s)::text::jsonb - '{min,max}'::text[] = a.s::text::jsonb - '{min,max}'::text[] AS back
FROM part p, (SELECT assay.summary_agg(s) FROM part) a(s), LATERAL (SELECT assay.summary_agg(s) FROM part o WHERE o.k <> p.k) r(s) ORDER BY p.k;
SELECT s OPERATOR(assay.-) s AS nothing, (s OPERATOR(assay.-) s) OPERATOR(assay.+) s OPERATOR(assay.=) s AS again, s OPERATOR(assay.+) NULL::assay.summary OPERATOR(assay.=) s AS a,
	NULL::assay.summary OPERATOR(assay.+) s OPERATOR(assay.=) s AS b, NULL::assay.summary OPERATOR(assay.+) NULL::assay.summary IS NULL AS c,
	s OPERATOR(assay.-) NULL OPERATOR(assay.=) s AS d, NULL::assay.summary OPERATOR(assay.+) 5::float8 AS five, s OPERATOR(assay.+) 'NaN'::float8 OPERATOR(assay.=) s AS e
FROM part WHERE k = 1;
SELECT a.s OPERATOR(assay.-) b.s FROM (SELECT assay.summary_agg(x) FROM unnest('{1,2,3}'::float8[]) x) a(s), (SELECT assay.summary_agg(x) FROM unnest('{9,9}'::float8[]) x) b(s);
SELECT a.s OPERATOR(assay.-) b.s FROM (SELECT assay.summary_agg(x) FROM unnest('{1,2}'::float8[]) x) a(s), (SELECT assay.summary_agg(x) FROM unnest('{1,2,3}'::float8[]) x) b(s);
SELECT NULL::assay.summary OPERATOR(assay.-) s FROM part WHERE k = 1;

-- accessors without numbers
SELECT assay.observations(s), assay.total(s), assay.mean(s), assay.deviation(s), assay.smallest(s), assay.largest(s)
FROM (VALUES (NULL::assay.summary), ('{"n": 0, "sum": "0x0", "squares": "0x0", "min": null, "max": null}'), ('{"n": 1, "sum": "-0x5", "squares": "0x19", "min": -5, "max": -5}')) v(s);

-- text
SELECT ' { "n" :2,"sum": "0x5" , "squares":"0xD", "min" : 2, "max":3 } '::assay.summary;
SELECT bool_and(s::text::assay.summary OPERATOR(assay.=) s) AS same FROM part;
SELECT v.t::assay.summary FROM (VALUES ('{"n": 2, "sum": "0x5", "squares": "0xd", "min": 2, "max": 3}')) v(t);
CREATE FUNCTION try(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN t::assay.summary; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
SELECT t, try(t) FROM (VALUES (''), ('{}'), ('{"n": 2, "sum": "0x5", "squares": "0xd", "min": 2, "max": 3} x'),
	('{"n": 2, "sum": "0x5", "squares": "0xc", "min": 2, "max": 3}'), -- no two numbers have these sums
	('{"n": 0, "sum": "0x5", "squares": "0xd", "min": 2, "max": 3}'), ('{"n": 2, "sum": "0x5", "squares": "-0xd", "min": 2, "max": 3}'),
	('{"n": 2, "sum": "0x5", "squares": "0xd", "min": 3, "max": 2}'), ('{"n": 2, "sum": "0x5", "squares": "0xd", "min": null, "max": 2}'),
	('{"n": 2, "sum": "0x5", "squares": "0xd", "min": NaN, "max": 2}'), ('{"n": 9223372036854775808, "sum": "0x5", "squares": "0xd", "min": 2, "max": 3}'),
	('{"n": 2, "sum": "0x5p-1", "squares": "0xd", "min": 2, "max": 3}'), ('{"n": 2, "sum": "0x5p-2240", "squares": "0xd", "min": 2, "max": 3}'),
	('{"n": 2, "sum": "0x5p99999999999999999999", "squares": "0xd", "min": 2, "max": 3}'), ('{"n": 2, "sum": "0x", "squares": "0xd", "min": 2, "max": 3}'),
	('{"n": 2, "sum": "0x5p2304", "squares": "0xd", "min": 2, "max": 3}'),
	('{"n": 2, "sum": "0x5p-99999999999999999999", "squares": "0xd", "min": 2, "max": 3}'),
	('{"n": 9223372036854775807, "sum": "0x0", "squares": "0x0", "min": 0, "max": 0}')) v(t);
SELECT length(try(format('{"n": 2, "sum": "0x%s", "squares": "0x%s", "min": 2, "max": 3}', repeat('f', n), repeat('f', n)))) FROM unnest('{575,576,1119,1120}'::int[]) n;
SELECT s OPERATOR(assay.+) 0::float8 FROM (VALUES ('{"n": 9223372036854775807, "sum": "0x0", "squares": "0x0", "min": 0, "max": 0}'::assay.summary)) v(s);

-- binary: format, flags, n, min, max, then for both sums the place, number and value of their words
SELECT encode(assay_internal.summary_send(assay.summary_agg(x)), 'hex') FROM unnest('{2, 3}'::float8[]) x;
\set type assay.summary
\set ECHO none
\i sql/fixtures/try_binary.sql
\set ECHO all
SELECT what, try_binary(head || bounds || sum || squares) FROM (VALUES
	('good', '01010000000000000002', '40000000000000004008000000000000', '22010000000000000005', '2201000000000000000d'),
	('format 2', '02010000000000000002', '40000000000000004008000000000000', '22010000000000000005', '2201000000000000000d'),
	('flag', '01030000000000000002', '40000000000000004008000000000000', '22010000000000000005', '2201000000000000000d'),
	('negative n', '0101ffffffffffffffff', '40000000000000004008000000000000', '22010000000000000005', '2201000000000000000d'),
	('NaN', '01010000000000000002', '7ff80000000000004008000000000000', '22010000000000000005', '2201000000000000000d'),
	('bounds though none', '01000000000000000002', '40000000000000004008000000000000', '22010000000000000005', '2201000000000000000d'),
	('no bounds', '01000000000000000002', '00000000000000000000000000000000', '22010000000000000005', '2201000000000000000d'),
	('word 0', '01010000000000000002', '40000000000000004008000000000000', '22010000000000000000', '2201000000000000000d'),
	('sign twice', '01010000000000000002', '40000000000000004008000000000000', '220200000000000000050000000000000000', '2201000000000000000d'),
	('too high', '01010000000000000002', '40000000000000004008000000000000', '46010000000000000005', '2201000000000000000d'),
	('too many', '01010000000000000002', '40000000000000004008000000000000', '00ff0000000000000005', '2201000000000000000d'),
	('squares below 0', '01010000000000000002', '40000000000000004008000000000000', '22010000000000000005', '2201ffffffffffffffff'),
	('no such numbers', '01010000000000000002', '40000000000000004008000000000000', '22010000000000000005', '2201000000000000000c'),
	('truncated', '01010000000000000002', '40000000000000004008000000000000', '22010000000000000005', '220100000000000000')) v(what, head, bounds, sum, squares);
SELECT pg_backend_pid() AS pid \gset
\setenv pid :pid
\! rm -f /tmp/assay_binary.$pid

-- windows, cumulative and moving
SELECT frame, count(*) AS rows, count(*) FILTER (WHERE w::text IS DISTINCT FROM b::text) AS wrong, count(*) FILTER (WHERE v::text IS DISTINCT FROM b::text) AS wrong_states,
	count(*) FILTER (WHERE w IS NULL) AS empty
FROM (SELECT 'up to here' AS frame, assay.summary_agg(x) OVER f w, assay.summary_agg(CASE WHEN abs(x) < 'infinity' THEN NULL::assay.summary OPERATOR(assay.+) x END) OVER f v,
		(SELECT assay.summary_agg(x) FROM number i WHERE i.k = e.k AND i.n <= e.n) b
	FROM number e WHERE n <= 600 WINDOW f AS (PARTITION BY k ORDER BY n)
	UNION ALL
	SELECT 'seven', assay.summary_agg(x) OVER f, assay.summary_agg(CASE WHEN abs(x) < 'infinity' THEN NULL::assay.summary OPERATOR(assay.+) x END) OVER f,
		(SELECT assay.summary_agg(x) FROM (SELECT x FROM number i WHERE i.k = e.k AND i.n <= e.n ORDER BY n DESC LIMIT 7) s)
	FROM number e WINDOW f AS (PARTITION BY k ORDER BY n ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)
	UNION ALL
	SELECT 'around', assay.summary_agg(x) OVER f, assay.summary_agg(CASE WHEN abs(x) < 'infinity' THEN NULL::assay.summary OPERATOR(assay.+) x END) OVER f,
		(SELECT assay.summary_agg(x) FROM number i WHERE i.k = e.k AND i.n BETWEEN e.n - 10 AND e.n + 10 AND i.n <> e.n)
	FROM number e WINDOW f AS (PARTITION BY k ORDER BY n RANGE BETWEEN 10 PRECEDING AND 10 FOLLOWING EXCLUDE CURRENT ROW)) s
GROUP BY frame ORDER BY frame COLLATE "C";

-- without numbers, in a group as in a frame
WITH empty AS (SELECT s OPERATOR(assay.-) s AS s FROM part)
SELECT (SELECT assay.summary_agg(s) FROM empty) AS grouped, assay.summary_agg(s) OVER (ROWS 1 PRECEDING) AS moving FROM empty LIMIT 1;

-- support functions by themselves
SELECT assay_internal.summary_accum_inverse(NULL, 1), assay_internal.summary_add_inverse(NULL, NULL), assay_internal.summary_final(NULL),
	assay_internal.summary_accum_moving(NULL, NULL), assay_internal.summary_add_moving(NULL, NULL);
SELECT assay_internal.summary_accum_inverse(s, 2), assay_internal.summary_accum_inverse(s, 1) IS NULL AS least, assay_internal.summary_accum_inverse(s, 9) IS NULL AS greatest, s AS unchanged
FROM (SELECT assay.summary_agg(x) FROM unnest('{1, 2, 9}'::float8[]) x) v(s);

-- bytes that are none
CREATE FUNCTION summary_of(bytea) RETURNS assay.summary LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
SELECT summary_of('\x01');
SELECT assay.observations(summary_of(('\x0101ffff' || repeat('00', 40))::bytea));

-- groups, joins, order
SELECT count(DISTINCT s), count(*) FROM (SELECT s FROM part UNION ALL SELECT s FROM part) p;
SET enable_sort = off;
SELECT count(*) FROM (SELECT s FROM (SELECT s FROM part UNION ALL SELECT s FROM part) p GROUP BY s) g;
RESET enable_sort;
SELECT a.k, b.k FROM part a, part b, LATERAL (VALUES (assay_internal.summary_cmp(a.s, b.s), a.s OPERATOR(assay.<) b.s, a.s OPERATOR(assay.<=) b.s, a.s OPERATOR(assay.=) b.s,
	a.s OPERATOR(assay.>=) b.s, a.s OPERATOR(assay.>) b.s, a.s OPERATOR(assay.<>) b.s, assay_internal.summary_hash(a.s) = assay_internal.summary_hash(b.s),
	assay_internal.summary_hash_extended(a.s, 7) = assay_internal.summary_hash_extended(b.s, 7))) o(cmp, lt, le, eq, ge, gt, ne, hash, extended)
WHERE lt <> (cmp < 0) OR le <> (cmp <= 0) OR eq <> (cmp = 0) OR ge <> (cmp >= 0) OR gt <> (cmp > 0) OR ne <> (cmp <> 0) OR eq <> (a.k = b.k) OR hash <> eq OR extended <> eq;

-- parallel plans
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT assay.summary_agg(x) FROM number;
EXPLAIN (COSTS OFF) SELECT assay.summary_agg(s) FROM part;
SELECT assay.summary_agg(x) OPERATOR(assay.=) (SELECT assay.summary_agg(s) FROM part) AS same FROM number;
RESET ALL;

DROP TABLE number, whole, part;
DROP FUNCTION try, try_binary, summary_of;
