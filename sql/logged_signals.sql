-- assay.logged_signals: what a policy with log_signals keeps of a message's signals.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset format unaligned
CREATE SCHEMA logged;
SET search_path = logged, public;
-- a query's one value, or what it says
CREATE FUNCTION try(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; hint text; result text;
BEGIN
	EXECUTE query INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', state, message, nullif(hint, ''));
END $$;

-- 1. Every common type, a dropped column in between, values at their edges
CREATE TYPE colour AS ENUM ('red', 'grün');
CREATE DOMAIN score AS int CHECK (value BETWEEN 0 AND 100);
CREATE TYPE pair AS (n int, at timestamptz, t text);
CREATE TABLE message (
	id int PRIMARY KEY, b bool, i2 int2, gone text, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(10,2),
	t text, v varchar(20), c char(5), y bytea, d date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval,
	u uuid, ip inet, net cidr, mac macaddr, bits varbit, j jsonb, js json, na name, o oid, ia int[], ta text[], va varchar[],
	fa float8[], na2 numeric[], tza timestamptz[], ja jsonb[], e colour, ea colour[], dom score, doma score[], p pair, pa pair[], r int4range, tr tstzrange);
ALTER TABLE message DROP COLUMN gone;
CREATE VIEW signals AS SELECT * FROM message;
SELECT assay.create_policy('logged', 'signals', '{id}', log_signals => true);
CREATE TRIGGER decide AFTER INSERT ON message FOR EACH ROW EXECUTE FUNCTION assay.decide('logged');
INSERT INTO message VALUES
	(1, true, -32768, -2147483648, -9223372036854775808, 1.1, 0.1, 1234567890123456789012345678901234567890.000, 1.5,
	 'Grüße € 😀 "quoted" \ and' || E'\n\ttab', 'Ümlaut', 'ab', '\x00ff80', '2020-02-29', '24:00', '12:00+05:30', '2020-02-29 23:59:59.999999',
	 '2020-02-29 23:59:59.999999+00', '1 mon -2 days 03:04:05.000006', '00000000-0000-0000-0000-0000000000ff', '::1/64', '10.0.0.0/8',
	 '08:00:2b:01:02:03', B'10101', '{"ü": [1, null, "€"], "n": 1.50}', '{"b":1,  "a":"é"}', 'näme', 4294967295, '[0:1]={1,NULL}',
	 '{a,NULL,"",NULL,"NULL","é, \"€\""}', '{ä,""}', '{NaN,Infinity,-Infinity,0.1}', '{1.10,NaN}', '{2020-02-29 12:00+00,-infinity}',
	 '{"{\"a\": \"é\"}"}', 'grün', '{red,grün,NULL}', 100, '{0,100}', '(1,"2020-02-03 04:05:06+00","é, €")', '{"(,,)","(2,,x)"}', '[1,5)',
	 '["2020-02-03 04:05:06+00",infinity)'),
	(2, false, 32767, 2147483647, 9223372036854775807, 'NaN', '-Infinity', 'NaN', 0, '', '', '', '', '-infinity', '00:00', '00:00+00', 'infinity',
	 '-infinity', '0', '00000000-0000-0000-0000-000000000000', '0.0.0.0', '::/0', '00:00:00:00:00:00', B'', 'null', 'null', '', 0, '{}', '{}', '{}',
	 '{}', '{}', '{}', '{}', 'red', '{}', 0, '{}', '(,,)', '{}', 'empty', 'empty'),
	(3, NULL, 0, 0, 0, 'Infinity', 5e-324, 'Infinity', 99999999.99, repeat('x', 254), 'v', 'c', decode(repeat('ff', 255), 'hex'), '4713-01-01 BC', NULL,
	 NULL, '294276-12-31 23:59:59', '4713-01-01 00:00+00 BC', '-178000000 years', NULL, '255.255.255.255', NULL, NULL, NULL, to_jsonb(repeat('€', 85)),
	 NULL, NULL, NULL, '{{1,2},{3,4}}', array[repeat('é', 200)], NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO message (id, t) VALUES (4, NULL), (5, repeat('ü', 1000000));
SELECT id, assay.signals_to_jsonb(signals) FROM logged_decision WHERE id < 3 ORDER BY id;
SELECT id, k, assay.signal(signals, k) AS value FROM logged_decision, (SELECT attname::text, attnum FROM pg_attribute WHERE attrelid = 'signals'::regclass) a(k, n)
WHERE id = 1 ORDER BY n;
-- each column as it is in the row, NULLs too
CREATE VIEW compared AS
SELECT d.id, k, to_jsonb(m) -> k AS is, assay.signals_to_jsonb(d.signals) -> k AS logged,
	to_jsonb(assay.signals_as(NULL::signals, d.signals)) -> k AS back,
	to_jsonb(assay.signal(d.signals, k)) AS one
FROM logged_decision d JOIN message m USING (id), jsonb_object_keys(to_jsonb(m)) k;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SELECT id, count(*), count(*) FILTER (WHERE back IS DISTINCT FROM "is") AS other FROM compared GROUP BY id ORDER BY id;
-- composites and arrays of types of the user's, and of jsonb, are text; all others look as in to_jsonb()
SELECT DISTINCT k, jsonb_typeof("is"), jsonb_typeof(logged) FROM compared WHERE logged IS DISTINCT FROM "is" ORDER BY k;
SELECT count(*) AS nulls_that_are_none FROM compared WHERE k NOT IN ('j', 'js') AND ("is" = 'null') <> (one IS NULL);
SELECT assay.signal(signals, 'no such') IS NULL AS no_such, assay.signal(signals, 'gone') IS NULL AS gone, assay.signal(signals, NULL) IS NULL AS none
FROM logged_decision WHERE id = 1;

-- 2. The session's settings count neither when it is written nor when it is read
CREATE TABLE expected AS SELECT id, signals::text AS value, assay.signals_to_jsonb(signals) AS j, (SELECT string_agg(assay.signal(signals, k), '|' ORDER BY k)
	FROM jsonb_object_keys(assay.signals_to_jsonb(signals)) k) AS texts FROM logged_decision;
SET datestyle = 'German, DMY';
SET timezone = 'Asia/Kathmandu';
SET intervalstyle = 'sql_standard';
SET extra_float_digits = -5;
SET bytea_output = 'escape';
SET lc_messages = 'C';
SET client_encoding = 'LATIN1';
DELETE FROM logged_decision WHERE id < 5;
CREATE TEMP TABLE again AS SELECT * FROM message WHERE id < 5;
DELETE FROM message WHERE id < 5;
INSERT INTO message SELECT * FROM again;
SELECT count(*), count(*) FILTER (WHERE d.signals::text = e.value) AS same, count(*) FILTER (WHERE assay.signals_to_jsonb(d.signals) = e.j) AS same_json,
	count(*) FILTER (WHERE (SELECT string_agg(assay.signal(signals, k), '|' ORDER BY k) FROM jsonb_object_keys(e.j) k) IS NOT DISTINCT FROM e.texts) AS same_text,
	count(*) FILTER (WHERE to_jsonb(assay.signals_as(NULL::signals, d.signals)) = to_jsonb(m)) AS same_row
FROM logged_decision d JOIN expected e USING (id) JOIN message m USING (id);
RESET client_encoding;
SELECT count(*), count(*) FILTER (WHERE d.signals::text = e.value) AS same, count(*) FILTER (WHERE assay.signals_to_jsonb(d.signals) = e.j) AS same_json
FROM logged_decision d JOIN expected e USING (id);
RESET ALL;
SET search_path = logged, public;

-- 3. Round trips: text, binary, and what a receive function is given
CREATE TABLE kept (id int, signals assay.logged_signals);
INSERT INTO kept SELECT id, signals::text::assay.logged_signals FROM logged_decision;
CREATE TABLE copied (id int, signals assay.logged_signals);
\getenv out PG_ABS_BUILDDIR
\cd :out
COPY (SELECT id, signals FROM logged_decision) TO STDOUT (FORMAT binary) \g logged_signals.bin
\copy copied FROM logged_signals.bin (FORMAT binary)
SELECT count(*), count(*) FILTER (WHERE d.signals::text = k.signals::text AND d.signals::text = c.signals::text) AS same,
	count(*) FILTER (WHERE assay.signals_to_jsonb(d.signals) = assay.signals_to_jsonb(k.signals) AND d.signals::jsonb = c.signals::jsonb) AS same_json,
	count(*) FILTER (WHERE to_jsonb(assay.signals_as(NULL::signals, c.signals)) = to_jsonb(assay.signals_as(NULL::signals, d.signals))) AS same_row,
	count(*) FILTER (WHERE assay.signal(c.signals, 't') IS NOT DISTINCT FROM assay.signal(d.signals, 't')) AS same_one
FROM logged_decision d JOIN kept k USING (id) JOIN copied c USING (id);
-- the bytes of a value: text and binary form are the same ones
CREATE FUNCTION bytes(s assay.logged_signals) RETURNS bytea LANGUAGE sql AS 'SELECT s::text::bytea';
SELECT bool_and(bytes(signals) = assay_internal.logged_signals_send(signals)) AS sent_as_text FROM kept;

-- 4. Junk is refused
SELECT what, try(format('SELECT %L::assay.logged_signals', junk)) FROM (VALUES
	(1, 'empty', ''), (2, 'no hex', 'junk'), (3, 'half a byte', '\x0'), (4, 'not a digit', '\xzz'), (5, 'no bytes', '\x'),
	(6, 'a byte less than a header', '\x01000000' || repeat('00', 15)), (7, 'a header', '\x01000000' || repeat('00', 16)),
	(8, 'version 0', '\x00000000' || repeat('00', 16)), (9, 'version 2', '\x02000000' || repeat('00', 16)),
	(10, 'no encoding', '\x01ff0000' || repeat('00', 16)), (11, 'bitmap of 1 is missing', '\x01000100' || repeat('00', 16)),
	(12, 'bitmap of 9 lacks a byte', '\x01000900' || repeat('00', 17)), (13, '1665 columns', '\x01008106' || repeat('00', 16 + 209)),
	(14, '65535 columns', '\x0100ffff' || repeat('00', 16 + 8192))) v(n, what, junk) ORDER BY n;
CREATE TABLE raw (b bytea);
INSERT INTO raw VALUES ('\x01');
COPY raw TO STDOUT (FORMAT binary) \g logged_signals.bin
CREATE TABLE received (signals assay.logged_signals);
\copy received FROM logged_signals.bin (FORMAT binary)
\set VERBOSITY sqlstate
\copy received FROM logged_signals.bin (FORMAT binary)
\set VERBOSITY terse
-- a shape that isn't there, for each function
SELECT try($$SELECT assay.signals_to_jsonb('\x0100000000000000000000000000000000000000')$$);
SELECT try($$SELECT assay.signal('\x0100000000000000000000000000000000000000', 'x')$$);
SELECT try($$SELECT assay.signals_as(NULL::logged.signals, '\x0100000000000000000000000000000000000000')$$);

-- one column, its bytes at will
CREATE TYPE one AS (x int);
CREATE FUNCTION of_bytes(type text, bytes bytea) RETURNS assay.logged_signals LANGUAGE plpgsql AS $$
DECLARE
	s bytea;
BEGIN
	EXECUTE format('DROP TYPE logged.one; CREATE TYPE logged.one AS (x %s)', type);
	PERFORM assay_internal.ensure_shape('logged.one');
	EXECUTE 'SELECT logged.bytes(assay_internal.form_signals(ROW(NULL)::logged.one))' INTO s;
	RETURN ('\x' || encode(substr(s, 1, 20) || '\x01' || bytes, 'hex'))::assay.logged_signals;
END $$;
SELECT type, bytes, try(format('SELECT assay.signals_to_jsonb(%L)', of_bytes(type, bytes))) FROM (VALUES
	(1, 'bool', '\x01'::bytea), (2, 'bool', '\x02'), (3, 'int4', '\x010000'), (4, 'int4', '\x0100000000'),
	(5, 'date', '\xffffff7f'), (6, 'date', '\xfeffff7f'), (7, 'date', '\x01000080'), (8, 'timestamp', '\xfeffffffffffff7f'),
	(9, 'timestamptz', '\x0100000000000080'), (10, 'timestamptz', '\xffffffffffffff7f'), (11, 'text', ''), (12, 'text', '\x0161'), (13, 'text', '\x0261'),
	(14, 'text', '\x016161'), (15, 'text', '\x0100'), (16, 'text', '\x01ff'), (17, 'text', '\xff'), (18, 'text', '\xffffffffff61'), (19, 'text', '\xff0100000061'),
	(20, 'bytea', '\x0161'), (21, 'inet', '\x080220000401020304'), (22, 'inet', '\x090220000401020304ff'), (23, 'inet', '\x080221000401020304'), (24, 'interval', '\x0100'),
	(25, 'int[]', '\x0c000000010000000000000019'), (26, 'int[]', '\x0cffffffff0000000000000017'), (27, 'json', '\x017b'), (28, 'jsonb', '\x017b'),
	(29, 'jsonb', '\x03ff22ff'), (30, 'text[]', '\x037b7d7b'), (31, 'numeric', '\x08ffff000000000000'), (32, 'varbit', '\x04ffffffff'), (33, 'varbit', '\x0400000001'))
	v(n, type, bytes) ORDER BY n;
-- a shape that was tampered with is no more trusted
CREATE FUNCTION with_shape(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	s assay.logged_signals := logged.of_bytes('int4', '\x01000000'); result text;
BEGIN
	EXECUTE 'UPDATE assay_internal.signals_shape SET ' || change || ' WHERE shape = encode(substr($1, 5, 16), ''hex'')::uuid' USING logged.bytes(s);
	result := logged.try(format('SELECT assay.signals_to_jsonb(%L)', s));
	RAISE EXCEPTION '%', result USING ERRCODE = 'P0009';
EXCEPTION WHEN SQLSTATE 'P0009' THEN
	RETURN SQLERRM;
END $$;
SELECT change, with_shape(change) FROM (VALUES (1, 'oids = oids'), (2, $$oids = '{2249}'$$), (3, $$oids = '{4294967319}'$$), (4, $$oids = '{-1}'$$), (5, $$oids = '{25}'$$), (6, $$oids = '{20}'$$),
	(7, $$oids = '{NULL}'$$), (8, $$oids = '{23,23}'$$), (9, $$forms = '{x}'$$), (10, $$forms = '{""}'$$), (11, $$forms = '{s}'$$), (12, $$forms = '{o}'$$), (13, $$forms = '{ff}'$$), (14, $$names = '{}'$$),
	(15, $$names = '{NULL}'$$), (16, $$names = array[repeat('n', 100)]$$), (17, $$forms = '{s}', oids = '{2277}'$$), (18, $$forms = '{t}', oids = '{0}'$$)) v(n, change) ORDER BY n;

-- 5. Cut off anywhere, or with a byte more: refused
SELECT count(*), count(*) FILTER (WHERE says ~ '^(22...|08P01|54000|XX001|42804) [|] ') AS refused
FROM (SELECT try(format('SELECT assay.signals_to_jsonb(%L::text::assay.logged_signals)', '\x' || encode(substr(bytes(signals), 1, cut), 'hex'))) AS says
	FROM kept, generate_series(0, length(bytes(signals)) - 1) cut WHERE id IN (1, 2)) x;
SELECT id, try(format('SELECT assay.signals_to_jsonb(%L::text::assay.logged_signals)', signals::text || '00')) FROM kept WHERE id < 4 ORDER BY id;
-- 20,000 of them with one to four bytes flipped, through the receive function: read or refused, and the server stays
CREATE FUNCTION dice(n int, what text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || substr(md5(what || n), 1, 8))::bit(32)::bigint $$;
CREATE FUNCTION flipped(b bytea, n int) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	at int;
BEGIN
	FOR i IN 0 .. logged.dice(n, 'flips') % 4 LOOP
		-- behind the header and the shape: junk there is above
		at := 20 + logged.dice(n, 'at' || i) % (length(b) - 20);
		b := set_byte(b, at, (get_byte(b, at) # (1 + logged.dice(n, 'by' || i) % 255))::int);
	END LOOP;
	RETURN b;
END $$;
TRUNCATE raw;
INSERT INTO raw SELECT flipped(bytes(k.signals), n) FROM generate_series(1, 20000) n JOIN kept k ON k.id = 1 + n % 3;
COPY raw TO STDOUT (FORMAT binary) \g logged_signals.bin
\copy received FROM logged_signals.bin (FORMAT binary)
CREATE FUNCTION outcome(s assay.logged_signals) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM assay.signals_to_jsonb(s), assay.signal(s, 'tr');
	RETURN 'read';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
CREATE TABLE outcomes AS SELECT outcome(signals) AS o FROM received;
SELECT count(*), count(*) FILTER (WHERE o = 'read') > 1000 AS some_read, count(*) FILTER (WHERE o <> 'read') > 1000 AS some_refused FROM outcomes;
SELECT o AS unexpected, count(*) FROM outcomes WHERE o <> 'read' AND o !~ '^(22...|08P01|54000|XX001|42804)$' GROUP BY o;

-- 6. A shape is there for whatever was committed
CREATE TABLE post (id int PRIMARY KEY, n int);
CREATE VIEW post_a AS SELECT id, n AS a FROM post;
CREATE VIEW post_b AS SELECT id, n AS b FROM post;
SELECT assay.create_policy('post_a', 'post_a', '{id}', log_signals => true), assay.create_policy('post_b', 'post_b', '{id}', log_signals => true);
CREATE TRIGGER a AFTER INSERT ON post FOR EACH ROW EXECUTE FUNCTION assay.decide('post_a');
CREATE TRIGGER b AFTER INSERT ON post FOR EACH ROW EXECUTE FUNCTION assay.decide('post_b');
BEGIN;
INSERT INTO post VALUES (1, 1);
ROLLBACK;
BEGIN;
SAVEPOINT s;
INSERT INTO post VALUES (1, 1);
ROLLBACK TO s;
INSERT INTO post VALUES (2, 2);
COMMIT;
SELECT assay.signals_to_jsonb(a.signals), assay.signals_to_jsonb(b.signals) FROM post_a_decision a JOIN post_b_decision b USING (id);

-- 7. Many columns: 1,600 are a view's limit, and the key is one of them
DO $$ BEGIN EXECUTE 'CREATE VIEW logged.wide AS SELECT id, ' || (SELECT string_agg(format('n + %s AS c%s', i, i), ', ') FROM generate_series(1, 1599) i) || ' FROM logged.post'; END $$;
SELECT try('CREATE VIEW logged.wider AS SELECT id, ' || string_agg(format('n + %s AS c%s', i, i), ', ') || ' FROM logged.post') FROM generate_series(1, 1600) i;
DELETE FROM post_a_decision; DELETE FROM post_b_decision; DELETE FROM post;
DROP TRIGGER a ON post; DROP TRIGGER b ON post;
SELECT try($$SELECT assay.create_policy('wide', 'wide', '{id}', log_signals => true)$$);
CREATE TRIGGER w AFTER INSERT ON post FOR EACH ROW EXECUTE FUNCTION assay.decide('wide');
INSERT INTO post VALUES (1, 1), (2, NULL);
SELECT id, (SELECT count(*) FROM jsonb_object_keys(assay.signals_to_jsonb(signals))), assay.signal(signals, 'c1599'), pg_column_size(signals) <= 20 + 4 + 200 + 1600 * 4 AS small
FROM wide_decision ORDER BY id;
SELECT count(*) AS same FROM wide_decision d JOIN wide w USING (id) WHERE to_jsonb(assay.signals_as(NULL::wide, d.signals)) = to_jsonb(w);

-- 8. Size: no larger than the row, of which a value lacks 24 bytes of header, and alignment
CREATE TABLE sized ();
CREATE FUNCTION sizes(columns int, OUT logged int, OUT row_size int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'DROP TABLE logged.sized; CREATE TABLE logged.sized AS SELECT ' ||
		(SELECT string_agg(format((ARRAY['%s::int AS c%s', '%s > 3 AS c%s', '%s / 7.0::float8 AS c%s', '''subject '' || %s AS c%s', 'NULLIF(%s, 0)::bigint AS c%s'])[1 + i % 5], i, i), ', ')
		FROM generate_series(1, columns) i);
	PERFORM assay_internal.ensure_shape('logged.sized');
	EXECUTE 'SELECT pg_column_size(assay_internal.form_signals(s)), pg_column_size(s) FROM logged.sized s' INTO logged, row_size;
END $$;
SELECT n, logged <= row_size AS no_larger FROM (VALUES (20), (135)) v(n), sizes(n);

-- 9. A row may be stored: its values are as long and as exact as its columns, or there is an error
CREATE TABLE longer AS SELECT 12345.678 AS n, 'abcdef'::varchar AS v, '{abcdef}'::varchar[] AS va, B'10101'::varbit AS b, 'x'::char(3) AS c,
	timestamptz '2024-01-01 00:00:00.6+00' AS ts, '1.6 s'::interval AS i;
SELECT assay_internal.ensure_shape('logged.longer') IS NOT NULL AS made;
CREATE TABLE rounded (n numeric(7, 1), c char(5), ts timestamptz(0), i interval second(0));
SELECT s.n, octet_length(s.c), s.ts AT TIME ZONE 'UTC' AS ts, s.i FROM longer l, assay.signals_as(NULL::rounded, assay_internal.form_signals(l)) s;
CREATE TYPE short_n AS (n numeric(5, 1));
CREATE TYPE short_v AS (v varchar(3));
CREATE TYPE short_va AS (va varchar(3)[]);
CREATE TYPE short_b AS (b varbit(3));
SELECT t, try(format('SELECT assay.signals_as(NULL::logged.%I, assay_internal.form_signals(l)) FROM logged.longer l', t)) FROM unnest('{short_n,short_v,short_va,short_b}'::text[]) t;
-- what a condition is tried on is what was logged
SELECT s.* FROM longer l, assay_internal.signals_row(NULL::short_v, assay_internal.form_signals(l)) s;

DROP TRIGGER decide ON message; DROP TRIGGER w ON post; DROP VIEW compared;
SELECT assay.drop_policy(p, true) FROM unnest(ARRAY['logged', 'post_a', 'post_b', 'wide']) p;
\set VERBOSITY default
SET client_min_messages = warning;
DROP SCHEMA logged CASCADE;
\! rm -f logged_signals.bin
