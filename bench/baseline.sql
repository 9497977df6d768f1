-- Run by bench/baseline.sh: aggregation, probes and refreshes of baselines.
-- Times are those of the session on the processor (one core, no parallel
-- query); ratios are of two statements run by turns, medians of each.
SET client_min_messages = warning;
SET search_path = bench, assay, public;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET work_mem = '64MB';
SET maintenance_work_mem = '256MB';

-- 114,000 messages: as loaded, or 8,000 senders of whom few write much
CREATE TABLE base AS
SELECT lower(l ->> 'from_addr') AS k, coalesce(l ->> 'received_at', l ->> 'date')::timestamptz AS at
FROM line WHERE l ->> 'from_addr' IS NOT NULL AND coalesce(l ->> 'received_at', l ->> 'date') IS NOT NULL;
INSERT INTO base
SELECT 'sender' || floor(8000.0 * (hashint8(i) & 1048575) / 1048576.0 * (hashint8(-i) & 1048575) / 1048576.0 * (hashint8(i + 1000000000) & 1048575) / 1048576.0),
	timestamptz '2001-04-01' + (hashint8(7 * i) & 33554431) * interval '1 s'
FROM generate_series(1::bigint, 114000) i WHERE NOT EXISTS (SELECT FROM line);
DROP TABLE line;

-- On the processor, so that what else the machine does counts for less. The
-- kernel brings the figure up to date when a process gives the processor away.
CREATE FUNCTION on_cpu() RETURNS float8 LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM pg_sleep(0.0005);
	RETURN split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1e6;
END $$;
CREATE FUNCTION ms(statement text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	t float8 := on_cpu();
BEGIN
	EXECUTE statement;
	RETURN on_cpu() - t;
END $$;
-- the peak of a process's memory that is not shared
CREATE FUNCTION private_kb(pid int) RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT (regexp_match(s, 'VmHWM:\s+(\d+)'))[1]::bigint - (regexp_match(s, 'RssShmem:\s+(\d+)'))[1]::bigint - (regexp_match(s, 'RssFile:\s+(\d+)'))[1]::bigint
	FROM pg_read_file('/proc/' || pid || '/status') s
$$;
-- median of a statement's times
CREATE FUNCTION median_ms(statement text, n int) RETURNS float8 LANGUAGE sql VOLATILE AS $$
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms(statement)) FROM generate_series(1, n)
$$;
CREATE FUNCTION by_turns(a text, b text, n int, OUT a_ms float8, OUT b_ms float8) LANGUAGE plpgsql AS $$
DECLARE
	x float8[];
	y float8[];
BEGIN
	PERFORM ms(a), ms(b);
	FOR i IN 1 .. n LOOP
		x := x || ms(a);
		y := y || ms(b);
	END LOOP;
	a_ms := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY v) FROM unnest(x) v);
	b_ms := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY v) FROM unnest(y) v);
END $$;

-- Aggregating 10^6 rows by 10^5 keys
CREATE TABLE event AS
SELECT (hashint8(i)::bigint & 2147483647) % 100000 AS k, timestamptz '2024-01-01' + (hashint8(i * 7)::bigint & 2147483647) % 31536000 * interval '1 s' AS at
FROM generate_series(1::bigint, 1000000) i;
VACUUM ANALYZE event;
\echo '| aggregating 10^6 rows by 10^5 keys | CPU ms |'
\echo '| --- | ---: |'
SELECT format(E'| `count(*), min, max` | %s |\n| `activity_agg` | %s |\n| ratio | %s |', round(a_ms), round(b_ms), round((b_ms / a_ms)::numeric, 2))
FROM by_turns('SELECT k, count(*), min(at), max(at) FROM event GROUP BY k OFFSET 1000000', 'SELECT k, assay.activity_agg(at) FROM event GROUP BY k OFFSET 1000000', 7);

-- Probes among so many messages: of messages drawn from all of history, and of
-- a stretch of them as it was received. The lookup of one row knows its day; all
-- forms are nested loops over the same messages.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
CREATE TABLE built (messages bigint, rows bigint, bytes bigint, build_ms float8);
CREATE TABLE probed (messages bigint, kind text, n int, plain_us float8, sql_us float8, as_of_us float8, sql_ratio float8, as_of_ratio float8);
CREATE PROCEDURE probe(n bigint) LANGUAGE plpgsql AS $$
DECLARE
	bt built;
	pr probed;
	plain text := 'SELECT count(h.history) FROM sample m LEFT JOIN sender h ON h.k = m.k AND h.day = m.day';
	sql_form text := 'SELECT count(h.history) FROM sample m LEFT JOIN LATERAL (SELECT * FROM sender b WHERE b.k = m.k AND b.day < (m.at AT TIME ZONE ''UTC'')::date ORDER BY b.day DESC LIMIT 1) h ON true';
	function_form text := 'SELECT count(h.history) FROM sample m LEFT JOIN LATERAL assay.as_of(NULL::sender, m.at, m.k) AS h ON true';
	which text;
BEGIN
	DROP TABLE IF EXISTS message CASCADE;
	CREATE TABLE message (id bigint, k text, at timestamptz);
	INSERT INTO message
	SELECT row_number() OVER (), b.k || '#' || c, b.at + c * interval '1 min'
	FROM generate_series(1, n / (SELECT count(*) FROM base) + 1) c, base b LIMIT n;
	ANALYZE message;
	bt.messages := n;
	bt.build_ms := ms('SELECT assay.create_baseline(''sender'', ''bench.message'', ''{k}'', ''at'', incremental => false, schema => ''bench'')');
	ANALYZE sender;
	SELECT i.rows, i.bytes INTO bt.rows, bt.bytes FROM assay.baseline_info i WHERE baseline = 'bench.sender'::regclass;
	INSERT INTO built SELECT bt.*;
	FOREACH which IN ARRAY '{drawn at random,in the order received}'::text[] LOOP
		-- messages with a history, and the day of the row that a probe finds
		DROP TABLE IF EXISTS sample;
		CREATE TABLE sample (k text, at timestamptz, day date);
		EXECUTE format('INSERT INTO sample SELECT m.k, m.at, h.day FROM (SELECT * FROM message m ORDER BY %s LIMIT 40000) m,
			LATERAL (SELECT day FROM sender b WHERE b.k = m.k AND b.day < (m.at AT TIME ZONE ''UTC'')::date ORDER BY b.day DESC LIMIT 1) h
			LIMIT 20000', CASE which WHEN 'drawn at random' THEN 'hashint8(id)' ELSE
				'at >= (SELECT percentile_disc(0.6) WITHIN GROUP (ORDER BY at) FROM base) DESC, at, hashint8(id)' END);
		ANALYZE sample;
		pr := ROW(n, which, (SELECT count(*) FROM sample));
		SELECT a_ms * 1000 / pr.n, b_ms * 1000 / pr.n, b_ms / a_ms INTO pr.plain_us, pr.sql_us, pr.sql_ratio FROM by_turns(plain, sql_form, 11);
		SELECT b_ms * 1000 / pr.n, b_ms / a_ms INTO pr.as_of_us, pr.as_of_ratio FROM by_turns(plain, function_form, 11);
		INSERT INTO probed SELECT pr.*;
	END LOOP;
	PERFORM assay.drop_baseline('bench.sender');
END $$;
SELECT format('CALL probe(%s)', n) FROM string_to_table(:'sizes', ' ') n
\gexec
\echo
\echo '| messages | rows of the baseline | bytes a row, with index | built in CPU s |'
\echo '| ---: | ---: | ---: | ---: |'
SELECT format('| %s | %s | %s | %s |', messages, rows, bytes / rows, round((build_ms / 1000)::numeric, 1)) FROM built ORDER BY messages;
\echo
\echo '| messages | probed | one row by btree, CPU us | as-of probe, CPU us | by as_of(), CPU us | ratio | by as_of() |'
\echo '| ---: | --- | ---: | ---: | ---: | ---: | ---: |'
SELECT format('| %s | %s %s | %s | %s | %s | %s | %s |', messages, n, kind, round(plain_us::numeric, 2), round(sql_us::numeric, 2),
	round(as_of_us::numeric, 2), round(sql_ratio::numeric, 2), round(as_of_ratio::numeric, 2))
FROM probed ORDER BY messages, kind;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_memoize;

-- One day after 365
DROP TABLE IF EXISTS message, sample CASCADE;
CREATE TABLE message (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, k text, at timestamptz);
CREATE TABLE todo AS
SELECT b.k || '#' || c AS k, timestamptz '2024-01-01' + (hashint8(row_number() OVER ())::bigint & 2147483647) % (370 * 86400) * interval '1 s' AS at
FROM generate_series(1, :year / (SELECT count(*) FROM base) + 1) c, base b LIMIT :year;
CREATE INDEX ON todo (at);
ANALYZE todo;
INSERT INTO message (k, at) SELECT k, at FROM todo WHERE at < timestamptz '2024-01-01' + interval '365 days' ORDER BY at;
VACUUM ANALYZE message;
SELECT assay.create_baseline('sender_view', 'message', '{k}', 'at', incremental => false, schema => 'bench') \g /dev/null
\set again 'SET search_path = bench, assay, public; SET client_min_messages = warning; SET jit = off; SET max_parallel_workers_per_gather = 0; SET work_mem = ''4MB'';'
-- the first fill in a session of its own, for its memory
\c
:again
SELECT pg_backend_pid() AS pid \gset
SELECT assay.create_baseline('sender_table', 'message', '{k}', 'at', incremental => true, schema => 'bench') \g /dev/null
SELECT private_kb(:pid) AS fill_kb \gset
VACUUM ANALYZE sender_view;
VACUUM ANALYZE sender_table;
CREATE TABLE day (n int, messages bigint, changed bigint, table_ms float8);
\c
:again
SELECT pg_backend_pid() AS pid \gset
CREATE PROCEDURE day(n int) LANGUAGE plpgsql AS $$
DECLARE
	r day;
BEGIN
	r.n := n;
	INSERT INTO message (k, at) SELECT k, at FROM todo
	WHERE at >= timestamptz '2024-01-01' + n * interval '1 day' AND at < timestamptz '2024-01-01' + (n + 1) * interval '1 day' ORDER BY at;
	GET DIAGNOSTICS r.messages = ROW_COUNT;
	r.table_ms := ms('SELECT assay.refresh_baseline(''bench.sender_table'')');
	SELECT b.changed INTO r.changed FROM assay.baseline b WHERE b.relation = 'bench.sender_table'::regclass;
	INSERT INTO day SELECT r.*;
END $$;
CALL day(365);
CALL day(366);
CALL day(367);
CALL day(368);
CALL day(369);
SELECT private_kb(:pid) AS private_kb \gset
SET work_mem = '64MB';
SELECT median_ms('REFRESH MATERIALIZED VIEW sender_view', 3) AS view_ms, median_ms('SELECT assay.refresh_baseline(''bench.sender_view'')', 3) AS concurrent_ms \gset
\echo
\echo '| refresh after one more day | messages of the day | rows written | CPU ms | times faster |'
\echo '| --- | ---: | ---: | ---: | ---: |'
SELECT format(E'| `REFRESH MATERIALIZED VIEW` | | all %s | %s | |\n| the same, `CONCURRENTLY` | | | %s | |\n| incremental | %s | %s | %s | %s |',
	(SELECT count(*) FROM sender_view), round(:view_ms), round(:concurrent_ms),
	round(avg(messages)), round(avg(changed)), round((percentile_cont(0.5) WITHIN GROUP (ORDER BY table_ms))::numeric, 1),
	round((:view_ms / percentile_cont(0.5) WITHIN GROUP (ORDER BY table_ms))::numeric))
FROM day;
\echo
SELECT format('Private memory with work_mem at 4 MB, at most: %s MB for an incremental refresh, %s MB for the first fill.', :private_kb / 1024, :fill_kb / 1024);
DO $$
DECLARE
	differ bigint := (SELECT count(*) FROM sender_view v FULL JOIN sender_table t USING (k, day)
		WHERE (v.history::text::jsonb - 'decayed') IS DISTINCT FROM (t.history::text::jsonb - 'decayed'));
BEGIN
	IF differ <> 0 THEN
		RAISE 'both forms differ in % rows', differ;
	END IF;
END $$;
SELECT assay.drop_baseline('sender_view'), assay.drop_baseline('sender_table') \g /dev/null
DROP SCHEMA bench CASCADE;
