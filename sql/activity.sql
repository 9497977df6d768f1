-- The type activity: aggregates, operator, accessors, text and binary form.
SET extra_float_digits = 0;
SET timezone = 'America/New_York';	-- nothing may depend on it
SET datestyle = 'SQL, DMY';

CREATE TABLE event (k int, at timestamptz);
-- 3 keys, 1200 events over a year at times that a generator spreads
INSERT INTO event
SELECT i % 3, timestamptz '2001-03-01 00:00+00' + (i * i * 7919 % 31536000) * interval '1 s' + i * interval '1 us'
FROM generate_series(1::bigint, 1200) i;
INSERT INTO event VALUES (0, NULL), (1, 'infinity'), (2, '-infinity'), (3, NULL);

-- against plain SQL
SELECT k, assay.events(a) = n AS events, assay.first_seen(a) = lo AS first, assay.last_seen(a) = hi AS last,
       (a::text::jsonb ->> 'first')::timestamptz = lo AS text_first, (a::text::jsonb ->> 'events')::int = n AS text_events,
       pg_column_size(a)
FROM (SELECT k, assay.activity_agg(at) a, count(at) n, min(at) lo, max(at) hi FROM event WHERE k < 3 AND isfinite(at) IS NOT FALSE GROUP BY k) s
ORDER BY k;
-- few events take less: 8 bytes and 8 for each; from 20 on always 160
SELECT n, pg_column_size(a), a::text::jsonb ? 'times' AS times, assay.events(a) = n AS events FROM (SELECT n, assay.activity_agg(at) a
FROM unnest('{1, 2, 18, 19, 20, 21}'::int[]) n, LATERAL (SELECT at FROM event WHERE isfinite(at) ORDER BY at LIMIT n) e GROUP BY n) s ORDER BY n;
-- unknown times count for nothing
SELECT k, assay.events(assay.activity_agg(at)), assay.activity_agg(at) IS NULL AS none FROM event GROUP BY k ORDER BY k;

-- histograms
WITH a AS (SELECT assay.activity_agg(at)::text::jsonb a FROM event),
h AS (SELECT h, count(e.at) n FROM generate_series(0, 23) h LEFT JOIN event e
      ON extract(hour FROM e.at AT TIME ZONE 'UTC') = h AND isfinite(e.at) GROUP BY h),
d AS (SELECT d, count(e.at) n FROM generate_series(0, 6) d LEFT JOIN event e
      ON extract(dow FROM e.at AT TIME ZONE 'UTC') = d AND isfinite(e.at) GROUP BY d)
SELECT (SELECT jsonb_agg(n ORDER BY h) FROM h) = a -> 'hours' AS hours,
       (SELECT jsonb_agg(n ORDER BY d) FROM d) = a -> 'weekdays' AS weekdays FROM a;

-- decayed rates, at the last event and long after it
SELECT half_life, age,
       abs(assay.rate(a, t, half_life) / brute - 1) < 1e-12 AS rate
FROM (SELECT half_life, age, t, assay.activity_agg(at) a,
             sum(CASE WHEN t - at < 900 * half_life THEN 2::float8 ^ -(extract(epoch FROM t - at) / extract(epoch FROM half_life))::float8 ELSE 0 END) * ln(2::float8) * 86400
             / extract(epoch FROM half_life)::float8 AS brute
      FROM event, unnest('{1 hour, 1 day, 7 days, 30 days}'::interval[]) half_life, unnest('{0, 1 min, 5 days}'::interval[]) age,
           LATERAL (SELECT max(at) + age AS t FROM event WHERE isfinite(at)) l
      WHERE isfinite(at) GROUP BY half_life, age, t) s
ORDER BY half_life, age;

-- order and grouping make no difference: forwards, backwards, in pieces
CREATE FUNCTION same(a assay.activity, b assay.activity) RETURNS boolean LANGUAGE sql AS $$
	SELECT (a::text::jsonb - 'decayed') = (b::text::jsonb - 'decayed') AND
		bool_and(abs(assay.rate(a, assay.last_seen(a), h) / assay.rate(b, assay.last_seen(b), h) - 1) < 1e-12)
	FROM unnest('{1 hour, 1 day, 7 days, 30 days}'::interval[]) h
$$;
SELECT same(f, b) AS backwards, same(f, p) AS pieces, same(f, o) AS plus
FROM (SELECT assay.activity_agg(at ORDER BY at) f, assay.activity_agg(at ORDER BY at DESC) b FROM event) s,
     (SELECT assay.activity_agg(a ORDER BY k) p FROM (SELECT k, assay.activity_agg(at) a FROM event GROUP BY k) g) r,
     (SELECT (assay.activity_agg(at) FILTER (WHERE k = 1) OPERATOR(assay.+) assay.activity_agg(at) FILTER (WHERE k = 2))
             OPERATOR(assay.+) assay.activity_agg(at) FILTER (WHERE k IN (0, 3)) o FROM event) q;
-- a + b is b + a to the last bit; a side that is NULL adds nothing; operands stay as they were
SELECT (a OPERATOR(assay.+) b)::text = (b OPERATOR(assay.+) a)::text AS commutes,
       (a OPERATOR(assay.+) NULL::assay.activity)::text = a::text AND (NULL::assay.activity OPERATOR(assay.+) a)::text = a::text AS nulls,
       (NULL::assay.activity OPERATOR(assay.+) NULL::assay.activity) IS NULL AS none,
       assay.events(a) AS a, assay.events(a OPERATOR(assay.+) timestamptz '2030-01-01') AS a_and_one,
       assay.events(NULL::assay.activity OPERATOR(assay.+) timestamptz '2030-01-01') AS one
FROM (SELECT assay.activity_agg(at) FILTER (WHERE k = 1) a, assay.activity_agg(at) FILTER (WHERE k = 2) b FROM event) s;

-- times or a summary of them: the same to every accessor; sums of each with each
CREATE TABLE growing AS SELECT n, (SELECT assay.activity_agg(at) FROM (SELECT at FROM event WHERE isfinite(at) ORDER BY at LIMIT n) e) a FROM generate_series(1, 45) n;
SELECT count(*) AS pairs, count(*) FILTER (WHERE same(x.a OPERATOR(assay.+) y.a, whole.a)) AS same
FROM growing x, growing y, LATERAL (SELECT assay.activity_agg(at) a FROM (
	(SELECT at FROM event WHERE isfinite(at) ORDER BY at LIMIT x.n) UNION ALL (SELECT at FROM event WHERE isfinite(at) ORDER BY at LIMIT y.n)) e) whole
WHERE x.n IN (1, 2, 9, 10, 18, 19, 20, 21, 40) AND y.n IN (1, 2, 9, 10, 18, 19, 20, 21, 40);
SELECT count(*) AS n, count(*) FILTER (WHERE abs(assay.rate(a, t, '30 days') / r - 1) < 1e-12 AND assay.days_since(a, t) = 0.125) AS same
FROM growing, LATERAL (SELECT max(at) + interval '3 h' AS t FROM (SELECT at FROM event WHERE isfinite(at) ORDER BY at LIMIT n) e) l,
	LATERAL (SELECT sum(2::float8 ^ -(extract(epoch FROM t - at) / 2592000)::float8) * ln(2::float8) / 30 AS r FROM (SELECT at FROM event WHERE isfinite(at) ORDER BY at LIMIT n) e) b;
SELECT count(*) AS n, count(*) FILTER (WHERE a::text::assay.activity::text = a::text) AS text FROM growing;
DROP TABLE growing;

-- any date: the landmark moves without overflow, forwards and backwards
SELECT assay.events(a), assay.first_seen(a) AT TIME ZONE 'UTC' AS first, assay.last_seen(a) AT TIME ZONE 'UTC' AS last,
       same(a, b), assay.rate(a, assay.last_seen(a), '1 hour') AS rate, assay.rate(a, 'infinity', '30 days') AS at_the_end
FROM (SELECT assay.activity_agg(t ORDER BY t) a, assay.activity_agg(t ORDER BY t DESC) b
      FROM unnest('{4714-11-24 00:00:00+00 BC, 0001-01-01 00:00:00+00 BC, 1999-12-31 23:59:59.999999+00, 2000-01-01 00:00:00+00,
                    2044-06-01 12:00:00+00, 294276-12-31 23:00:00+00}'::timestamptz[]) t) s;
SELECT a::text::jsonb ->> 'first' AS before_christ, a::text::assay.activity::text = a::text AS back FROM (SELECT assay.activity_agg(timestamptz '0044-03-15 12:00:00+00 BC') a) s;
-- a Saturday before 2000, at 23 h
SELECT (a::text::jsonb -> 'hours' -> 23)::int AS h23, (a::text::jsonb -> 'weekdays' -> 6)::int AS saturday
FROM (SELECT assay.activity_agg(timestamptz '1969-07-19 23:59:59.999999+00') a FROM generate_series(1, 20)) s;

-- accessors without history give what is neutral
SELECT assay.events(NULL), assay.first_seen(NULL), assay.last_seen(NULL), assay.days_known(NULL, now()) AS days_known,
       assay.days_since(NULL, now()) AS days_since, assay.rate(NULL, now(), '1 day') AS rate,
       assay.hour_affinity(NULL, now()) AS hour_affinity, assay.burst(NULL, now()) AS burst;
-- and without a time, NULL
SELECT assay.days_known(a, NULL), assay.days_since(a, NULL), assay.rate(a, NULL, '1 day'), assay.rate(a, at, NULL),
       assay.hour_affinity(a, NULL), assay.burst(a, NULL), assay.burst(a, at, NULL)
FROM (SELECT assay.activity_agg(at) a, max(at) at FROM event WHERE k = 1 AND isfinite(at)) s;

-- values worked out by hand
WITH one AS (SELECT assay.activity_agg(timestamptz '2001-05-14 16:30+00') a)
SELECT assay.days_known(a, '2001-05-15 04:30+00') AS half_a_day, assay.days_since(a, '2001-05-24 16:30+00') AS ten_days,
       assay.days_since(a, '2001-05-01') AS not_negative, assay.days_known(a, 'infinity') AS endless, assay.days_known(a, '-infinity') AS no_days,
       assay.rate(a, '2001-05-14 16:30+00', '1 day') = ln(2::float8) AS ln2, assay.rate(a, '2001-05-15 16:30+00', '1 day') * 2 = ln(2::float8) AS half,
       assay.rate(a, '1990-01-01', '1 day') = ln(2::float8) AS not_before_last, assay.rate(a, '2101-05-14', '1 hour') AS gone
FROM one;
-- Monday 16:30 UTC: 24 * (1/2 + 1) / (1 + 24) * 7 * (1 + 1) / (1 + 7); an hour later 1/4; at night on Tuesday 0
WITH one AS (SELECT assay.activity_agg(timestamptz '2001-05-14 16:30+00') a)
SELECT assay.hour_affinity(a, '2001-05-21 16:59+00')::numeric(9,6) AS same_hour, assay.hour_affinity(a, '2001-05-21 17:00+00')::numeric(9,6) AS next_hour,
       assay.hour_affinity(a, '2001-05-22 03:00+00')::numeric(9,6) AS other, assay.hour_affinity(a, 'infinity') AS no_hour FROM one;
-- 12 within a minute after a month of 1 a day: (12 + 1) over little more than 1
SELECT assay.burst(a, '2001-06-01 12:01+00')::numeric(9,3) AS burst, assay.burst(a, '2001-06-01 12:01+00', '1 day')::numeric(9,3) AS day,
       assay.burst(a, '2001-06-02 12:00+00')::numeric(9,3) AS over, assay.burst(a, '2101-01-01')::numeric(9,3) AS long_after
FROM (SELECT assay.activity_agg(t) a FROM (SELECT timestamptz '2001-05-01 09:00+00' + i * interval '1 day' t FROM generate_series(0, 30) i
      UNION ALL SELECT timestamptz '2001-06-01 12:00+00' + i * interval '5 s' FROM generate_series(0, 11) i) s) r;
SELECT assay.rate(NULL, now(), '2 days');
SELECT assay.rate(NULL, now(), '1 mon');
SELECT assay.burst(NULL, now(), '-1 hour');
SELECT assay.rate(NULL, now(), h) FROM unnest('{60 min, 24:00, 168:00, 720:00}'::interval[]) h;

-- text form: what comes out goes in
SELECT bool_and(a::text::assay.activity::text = a::text) AS text, bool_and(assay_internal.activity_send(a::text::assay.activity) = assay_internal.activity_send(a)) AS bits
FROM (SELECT assay.activity_agg(at) a FROM event WHERE isfinite(at) GROUP BY at UNION ALL SELECT assay.activity_agg(at) FROM event
      UNION ALL SELECT assay.activity_agg(t::timestamptz) FROM unnest('{4714-11-24 00:00:00+00 BC, 294276-12-31 23:59:59.999999+00, 0001-12-31 BC, 0001-01-01}'::text[]) t GROUP BY t) s;
-- binary form
CREATE TABLE copied (n int, a assay.activity, o assay.outcome);
INSERT INTO copied SELECT k, assay.activity_agg(at), assay.outcome_agg(at < '2001-07-01') FROM event GROUP BY k;
CREATE TABLE copied_back (LIKE copied);
\pset format unaligned
\set file `mktemp -u /tmp/assay_activity.XXXXXX`
COPY copied TO :'file' (FORMAT binary);
COPY copied_back FROM :'file' (FORMAT binary);
\setenv file :file
\! rm -f "$file"
SELECT count(*) FROM copied FULL JOIN copied_back b USING (n) WHERE copied.a::text IS DISTINCT FROM b.a::text OR copied.o::text IS DISTINCT FROM b.o::text;
SELECT count(*) FROM copied_back;

-- what is no activity: each of these changes one thing of a right one
CREATE FUNCTION try(from_text text, to_text text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	good text := (SELECT assay.activity_agg(t)::text FROM generate_series(1, 20) i, LATERAL (SELECT timestamptz '2001-05-14 16:30+00' + i / 20 * interval '25 h') v(t));
	detail text;
BEGIN
	IF position(from_text IN good) = 0 THEN RETURN 'no such text'; END IF;
	PERFORM replace(good, from_text, to_text)::assay.activity;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' ', SQLSTATE, regexp_replace(SQLERRM, ':.*', ''), detail);
END $$;
SELECT assay.activity_agg(t)::text::jsonb - 'decayed' AS good
FROM generate_series(1, 20) i, LATERAL (SELECT timestamptz '2001-05-14 16:30+00' + i / 20 * interval '25 h') v(t);
SELECT a, b, try(a, b) FROM (VALUES
	(1, '{', ''),
	(2, '}', ''),
	(3, '}', '} x'),
	(4, '"format": 1', '"format": 2'),
	(5, '"format": 1', '"format": 257'),
	(6, '"format": 1', '"format": -1')) t(n, a, b) ORDER BY n;
SELECT a, b, try(a, b) FROM (VALUES
	(1, '"events": 20', '"events": 21'),
	(2, '"events": 20', '"events": 99999999999999999999'),
	(3, '"events": 20', '"events": ')) t(n, a, b) ORDER BY n;
SELECT a, b, try(a, b) FROM (VALUES
	(1, '2001-05-15', '2001-05-13'),
	(2, '2001-05-15', '2001-05-16'),
	(3, '2001-05-15', '2001-02-29'),
	(4, '2001-05-15', '2001-13-15'),
	(5, '2001-05-15', '0000-05-15'),
	(6, '2001-05-15T17', '2001-05-15T24'),
	(7, 'T17:30:00', 'T17:30:00.5'),
	(8, 'T17:30:00', 'T17:30:60'),
	(9, '2001-05-15T17:30:00Z', 'infinity'),
	(10, '2001-05-15', '294277-05-15'),
	(11, '2001-05-14', '999999999999-05-14')) t(n, a, b) ORDER BY n;
SELECT a, b, try(a, b) FROM (VALUES
	(1, '/2^59', '/2^64'),
	(2, '/2^59', '/2^57'),
	(3, '"decayed": ["1', '"decayed": ["'),
	(4, '"decayed": ["1', '"decayed": ["9'),
	(5, '0, 19, 1,', '1, 19, 1,'),
	(6, '0, 19, 1, 0', '0, 20, 0, 0'),
	(7, '0, 19, 1, 0', '0, 19, 1'),
	(8, '0, 19, 1,', '0, 19, 16777216,')) t(n, a, b) ORDER BY n;
CREATE FUNCTION try_times(n text, first text, last text, VARIADIC times text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN format('{"format": 2, "events": %s, "first": "%s", "last": "%s", "times": [%s]}', n, first, last,
		(SELECT string_agg('"' || t || '"', ', ' ORDER BY i) FROM unnest(times) WITH ORDINALITY u(t, i)))::assay.activity::text;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' ', SQLSTATE, regexp_replace(SQLERRM, ':.*', ''), detail);
END $$;
SELECT try_times('1', '2001-05-14T16:30:00Z', '2001-05-14T16:30:00Z', '2001-05-14T16:30:00Z');
SELECT try_times('2', '2001-05-14T16:30:00Z', '2001-05-14T16:30:01Z', '2001-05-14T16:30:01Z', '2001-05-14T16:30:00Z') AS sorted;
SELECT try_times('2', '2001-05-14T16:30:00Z', '2001-05-14T16:30:00Z', '2001-05-14T16:30:00Z'), try_times('0', '2001-05-14T16:30:00Z', '2001-05-14T16:30:00Z', VARIADIC '{}'),
       try_times('1', '2001-05-14T16:30:01Z', '2001-05-14T16:30:00Z', '2001-05-14T16:30:00Z'), try_times('1', '2001-05-14T16:30:00Z', '2001-05-14T16:30:01Z', '2001-05-14T16:30:00Z'),
       try_times('1', 'infinity', 'infinity', 'infinity');
SELECT left(try_times('19', '2001-05-14T16:30:00Z', '2001-05-14T16:30:00Z', VARIADIC array_fill(text '2001-05-14T16:30:00Z', '{19}')), 30),
       try_times('20', '2001-05-14T16:30:00Z', '2001-05-14T16:30:00Z', VARIADIC array_fill(text '2001-05-14T16:30:00Z', '{20}'));
SELECT ''::assay.activity;
SELECT 'null'::assay.activity;
-- white space is free, and the text is read back in any session
SELECT assay.events(regexp_replace(a::text, '([:,])\s*', E'\\1 \n\t', 'g')::assay.activity) FROM (SELECT assay.activity_agg(at) a FROM event WHERE isfinite(at) GROUP BY at LIMIT 1) s;
-- binary: format, first, last, mantissa and exponent of each half-life, 24 hours and 7 weekdays as int4
\set type assay.activity
\set ECHO none
\i sql/fixtures/try_binary.sql
\set ECHO all
SELECT encode(assay_internal.activity_send(assay.activity_agg(timestamptz '2000-01-01 00:00+00')), 'hex') AS good FROM generate_series(1, 20) \gset
SELECT :'good' AS binary;
SELECT try_binary(:'good') = assay.activity_agg(timestamptz '2000-01-01 00:00+00')::text AS good FROM generate_series(1, 20);
SELECT what, try_binary(overlay(:'good' placing hex FROM from_byte * 2 + 1)) FROM (VALUES
	(1, 'format 3', '03', 0), (2, 'first is later', '0000000000000001', 1), (3, 'last is infinite', '7fffffffffffffff', 9),
	(4, 'mantissa without its top bit', '7fffffffffffffff', 17), (5, 'exponent 255', 'ff', 25), (6, 'exponent 6', '06', 25),
	(7, 'hour 0 negative', 'ffffffff', 53), (8, 'hour 0 above its limit', '01000000', 53), (9, 'too many in hour 0', '00000015', 53),
	(10, 'Sunday too', '00000001', 149)) t(n, what, hex, from_byte) ORDER BY n;
SELECT try_binary(left(:'good', -2)) AS truncated, try_binary(:'good' || '00') AS longer;
SELECT pg_backend_pid() AS pid \gset
\setenv pid :pid
\! rm -f /tmp/assay_binary.$pid

\pset format aligned

-- limits: an hour's bin stays at 2^24 - 1 while the count goes on; a weekday's count raises
SELECT replace(replace(replace(one::text, '"events": 20', '"events": ' || n), '[20, 0', '[' || least(n, 16777215) || ', 0'),
               '0, 0, 20]}', '0, 0, ' || n || ']}')::assay.activity AS big INTO TEMP big 
FROM (VALUES (16777214), (4294967294)) v(n), (SELECT assay.activity_agg(timestamptz '2000-01-01 00:00+00') one FROM generate_series(1, 20)) s;
SELECT assay.events(big), (big::text::jsonb -> 'hours' -> 0)::int AS hour_0,
       ((big OPERATOR(assay.+) timestamptz '2000-01-01 00:00+00')::text::jsonb -> 'hours' -> 0)::int AS n,
       ((big OPERATOR(assay.+) timestamptz '2000-01-01 00:00+00' OPERATOR(assay.+) timestamptz '2000-01-01 00:01+00')::text::jsonb -> 'hours' -> 0)::int AS n_and_1
FROM big WHERE assay.events(big) < 20000000;
SELECT assay.events(big OPERATOR(assay.+) timestamptz '2000-01-01 00:00+00') FROM big WHERE assay.events(big) > 20000000;
SELECT assay.events(big OPERATOR(assay.+) timestamptz '2000-01-01 00:00+00' OPERATOR(assay.+) timestamptz '2000-01-01 00:00+00') FROM big WHERE assay.events(big) > 20000000;
SELECT assay.activity_agg(big) FROM big;

-- windows: cumulative, and moving without an inverse of min and max
SELECT count(*) AS rows, bool_and(same(w, b)) AS cumulative
FROM (SELECT assay.activity_agg(at) OVER (PARTITION BY k ORDER BY at) w,
             (SELECT assay.activity_agg(at) FROM event i WHERE i.k = e.k AND i.at <= e.at) b FROM event e WHERE isfinite(at) AND k = 1) s;
CREATE TABLE numbered AS SELECT row_number() OVER (ORDER BY at) n, at, assay.activity_agg(at) a FROM event WHERE isfinite(at) AND k = 1 GROUP BY at;
SELECT frame, count(*) AS rows, bool_and(same(w, b) IS NOT FALSE AND (w IS NULL) = (b IS NULL)) AS times,
       bool_and(same(v, b) IS NOT FALSE AND (v IS NULL) = (b IS NULL)) AS states, count(*) FILTER (WHERE w IS NULL) AS empty
FROM (SELECT '2 rows' AS frame, assay.activity_agg(CASE WHEN n % 5 < 3 THEN at END) OVER f w, assay.activity_agg(CASE WHEN n % 5 < 3 THEN a END) OVER f v,
             (SELECT assay.activity_agg(at) FROM numbered i WHERE i.n BETWEEN e.n - 7 AND e.n - 6 AND n % 5 < 3) b
      FROM numbered e WINDOW f AS (ORDER BY n ROWS BETWEEN 7 PRECEDING AND 6 PRECEDING)
      UNION ALL
      SELECT '30 days', assay.activity_agg(at) OVER f, assay.activity_agg(a) OVER f,
             (SELECT assay.activity_agg(at) FROM numbered i WHERE i.at BETWEEN e.at - interval '30 days' AND e.at)
      FROM numbered e WINDOW f AS (ORDER BY at RANGE BETWEEN interval '30 days' PRECEDING AND CURRENT ROW)
      UNION ALL
      SELECT 'all', assay.activity_agg(at) OVER f, assay.activity_agg(a) OVER f, (SELECT assay.activity_agg(at) FROM numbered i WHERE i.n >= e.n)
      FROM numbered e WINDOW f AS (ORDER BY n ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) s
GROUP BY frame ORDER BY frame COLLATE "C";

-- parallel plans
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
SET enable_indexscan = off;
EXPLAIN (COSTS OFF) SELECT assay.activity_agg(at) FROM event;
EXPLAIN (COSTS OFF) SELECT assay.activity_agg(a) FROM numbered;
SELECT same(p, s) FROM (SELECT assay.activity_agg(at) p FROM event) a, (SELECT assay.activity_agg(at ORDER BY at) s FROM event) b;
SELECT same(p, s) FROM (SELECT assay.activity_agg(a) p FROM numbered) a, (SELECT assay.activity_agg(a ORDER BY n) s FROM numbered) b;
RESET ALL;

DROP TABLE event, numbered, copied, copied_back;
DROP FUNCTION same, try, try_times, try_binary;

-- an aggregate's state while events are few: whole seconds, fractions, far apart, more than it
-- has room for; against adding event by event; groups that differ
CREATE TABLE few AS
SELECT g, i, CASE g / 30
		WHEN 0 THEN timestamptz '2024-02-29 12:00+00' + (i * 7919 % 1000 - 500) * interval '1 h'
		WHEN 1 THEN timestamptz '2024-02-29 12:00+00' + (i * 7919 % 1000 - 500) * interval '1.5 s'
		WHEN 2 THEN CASE WHEN i % 3 = 0 THEN timestamptz '4713-01-01 00:00+00 BC' WHEN i % 3 = 1 THEN '294276-12-31 23:59:59+00' ELSE '1999-12-31 23:59:59+00' END
		WHEN 3 THEN timestamptz '2000-01-01 00:00+00' + CASE i WHEN 1 THEN interval '0' WHEN 2 THEN interval '2147483647 s' WHEN 3 THEN interval '2147483648 s' WHEN 4 THEN interval '-2147483648 s' ELSE interval '-2147483649 s' END
		ELSE timestamptz '2024-02-29 12:00+00' + CASE WHEN i = g % 30 THEN interval '0.000001 s' ELSE interval '0' END END AS at
FROM generate_series(0, 149) g, generate_series(1, g % 30) i;
CREATE FUNCTION one_by_one(timestamptz[]) RETURNS assay.activity LANGUAGE plpgsql AS $$
DECLARE
	a assay.activity;
	t timestamptz;
BEGIN
	FOREACH t IN ARRAY $1 LOOP
		a := a OPERATOR(assay.+) t;
	END LOOP;
	RETURN a;
END $$;
SELECT count(*) AS groups, count(*) FILTER (WHERE (a::text::jsonb - 'decayed') <> (b::text::jsonb - 'decayed')) AS differ, sum(assay.events(a)) = (SELECT count(*) FROM few) AS all
FROM (SELECT g, assay.activity_agg(at ORDER BY i) AS a, one_by_one(array_agg(at ORDER BY i)) AS b FROM few GROUP BY g) s;
-- the same by partial aggregation, by grouping sets that share states, and as a running sum
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT count(*) AS groups, count(*) FILTER (WHERE (a::text::jsonb - 'decayed') <> (b::text::jsonb - 'decayed')) AS differ
FROM (SELECT g, assay.activity_agg(at) AS a FROM few GROUP BY g) p JOIN (SELECT g, one_by_one(array_agg(at ORDER BY i)) AS b FROM few GROUP BY g) s USING (g);
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
SELECT count(*) FILTER (WHERE (a::text::jsonb - 'decayed') <> (b::text::jsonb - 'decayed')) AS differ, count(*) = (SELECT count(*) FROM few) AS all
FROM (SELECT assay.activity_agg(at) OVER w AS a, one_by_one(array_agg(at) OVER w) AS b FROM few WINDOW w AS (PARTITION BY g ORDER BY i)) s;
-- states between workers are values like any other, through text and binary
SELECT assay.activity_agg(a)::text = assay.activity_agg(b)::text AS equal
FROM (SELECT assay.activity_agg(at) AS a, assay.activity_agg(at)::text::assay.activity AS b FROM few GROUP BY g) s;
DROP FUNCTION one_by_one;
DROP TABLE few;
