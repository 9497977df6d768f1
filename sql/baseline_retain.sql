-- keep_baseline(), compact_baseline(): history whose messages are gone
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE ROLE assay_keeper;
CREATE ROLE assay_looker;
CREATE SCHEMA retain;
GRANT ALL ON SCHEMA retain TO assay_keeper;
SET search_path = retain;
SET ROLE assay_keeper;
CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sender text, at timestamptz);
INSERT INTO message (sender, at) SELECT 's' || i % 5, timestamptz '2024-01-01' + i * interval '6 hours' FROM generate_series(1, 1200) i;
SELECT assay.create_baseline('b', 'message', '{sender}', 'at', incremental => true, arrival => 'id');
SELECT assay.create_baseline('whole', 'message', '{sender}', 'at', incremental => false);
SELECT assay.create_baseline('v', 'message', '{sender}', 'at', incremental => false);
CREATE FUNCTION known(at timestamptz) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(sender || ' ' || n, ', ' ORDER BY sender) FROM (SELECT DISTINCT ON (sender) sender, assay.events(history) AS n FROM b WHERE day < at::date ORDER BY sender, day DESC) k $$;
SELECT known('2024-03-15'), known('2025-01-01');
-- kept: messages go, and their history stays, whatever is called
SELECT assay.keep_baseline('v');
SELECT assay.keep_baseline('message');
SELECT assay.keep_baseline('b', NULL);
SELECT assay.keep_baseline('b');
SELECT assay.keep_baseline('b');
DELETE FROM message WHERE at < '2024-06-01';
INSERT INTO message (sender, at) VALUES ('s1', '2024-12-01'), ('new', '2024-12-01'), ('s2', '2024-02-15');
SELECT rows IS NOT NULL AS refreshed FROM assay.refresh_baseline('b');
SELECT known('2024-03-15'), known('2025-01-01');
\set VERBOSITY default
SELECT assay.rebuild_baseline('b');
\set VERBOSITY terse
SELECT assay.rebuild_baseline('b', 's1');
SELECT known('2024-03-15'), known('2025-01-01');
SELECT count(*) FROM assay_internal.kept_baselines;
-- compacted: of each month before, the last day of each key; nothing is known that was not
CREATE TABLE before AS TABLE b;
SELECT count(*) FROM b;
SELECT assay.compact_baseline('v');
SELECT assay.compact_baseline('b', '-1 day');
SELECT assay.compact_baseline('b', '1001 years');
SELECT assay.compact_baseline('b', NULL);
SELECT assay.compact_baseline('b', '1000 years');
SELECT assay.compact_baseline('b', now() - timestamptz '2024-05-10') > 0 AS compacted;
SELECT assay.compact_baseline('b', now() - timestamptz '2024-05-10') AS again;
SELECT date_trunc('month', day)::date AS month, count(*), count(DISTINCT sender) AS keys FROM b WHERE day < '2024-07-01' GROUP BY 1 ORDER BY 1;
SELECT known('2024-03-01'), known('2024-03-15'), known('2024-05-20'), known('2025-01-01');
SELECT count(*) AS differ FROM b JOIN before USING (sender, day) WHERE b.history::text <> before.history::text;
SELECT count(*) = (SELECT rows FROM assay.baseline_info i WHERE i.baseline = 'b'::regclass) AS counted FROM b;
-- what comes late is added where it belongs
INSERT INTO message (sender, at) VALUES ('s1', '2024-02-10'), ('s1', '2024-12-02');
SELECT rows IS NOT NULL AS refreshed FROM assay.refresh_baseline('b');
SELECT known('2024-02-11'), known('2024-03-01'), known('2025-01-01');
-- tiles of hours
SELECT assay.create_baseline('hourly', 'message', '{sender}', 'at', incremental => true, arrival => 'id', tile => '1 hour');
INSERT INTO message (sender, at) VALUES ('h', '2024-01-31 22:30'), ('h', '2024-01-31 23:30'), ('h', '2024-02-01 00:30'), ('h', '2024-02-29 23:59:59.999999');
SELECT rows IS NOT NULL AS refreshed FROM assay.refresh_baseline('hourly');
SELECT assay.compact_baseline('hourly', now() - timestamptz '2024-05-10') > 0 AS compacted;
SELECT until, assay.events(history) AS n FROM hourly WHERE sender = 'h' ORDER BY 1;
-- anew, as over shards
SELECT count(*) AS rows FROM hourly;
SELECT assay_internal.baseline_refresh_shards('hourly');
SELECT count(*) AS rows FROM hourly;
SELECT assay.drop_baseline('hourly');
-- a message of a time that a sender made up is in nobody's way
INSERT INTO message (sender, at) SELECT 'odd', t FROM unnest('{infinity,-infinity,294276-12-31 23:59:59.999999+00,4714-11-24 00:00:00+00 BC,4714-11-26 00:00:00+00 BC,0044-01-01 BC}'::timestamptz[]) t;
SELECT assay.create_baseline('hourly', 'message', '{sender}', 'at', incremental => true, arrival => 'id', tile => '1 hour');
SELECT rows IS NOT NULL AS refreshed FROM assay.refresh_baseline('b');
SELECT assay.compact_baseline('b', '0') > 0 AS compacted, assay.compact_baseline('hourly', '0') > 0 AS hours;
SELECT assay.compact_baseline('b', '1000 years') AS again, assay.compact_baseline('hourly', '1000 years') AS hours;
SELECT day FROM b WHERE sender = 'odd' ORDER BY 1;
SELECT assay.drop_baseline('hourly');
-- rights; let go
RESET ROLE;
GRANT USAGE ON SCHEMA retain TO assay_looker;
SET ROLE assay_looker;
SELECT assay.keep_baseline('retain.b', false);
SELECT assay.compact_baseline('retain.b');
SELECT assay_internal.baseline_keep_row('retain.b', false);
SELECT assay_internal.baseline_keep_row(1::regclass, true);
SELECT assay_internal.baseline_compact_as_owner('retain.b', 'infinity');
SELECT assay_internal.baseline_compact('retain.b', 'infinity');
SET ROLE assay_keeper;
SELECT assay.keep_baseline('b', false);
SELECT rows > 0 AS rebuilt FROM assay.rebuild_baseline('b');
SELECT known('2024-03-15'), known('2025-01-01');
SELECT assay.keep_baseline('b');
SELECT assay.drop_baseline('b');
SELECT assay.drop_baseline('v');
SELECT assay.drop_baseline('whole');
RESET ROLE;
-- a key whose operators are in no schema of the server's
CREATE TYPE own;
CREATE FUNCTION own_in(cstring) RETURNS own LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION own_out(own) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE own (INPUT = own_in, OUTPUT = own_out, STORAGE = extended);
CREATE FUNCTION own_eq(own, own) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'byteaeq';
CREATE FUNCTION own_lt(own, own) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'bytealt';
CREATE FUNCTION own_le(own, own) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'byteale';
CREATE FUNCTION own_ge(own, own) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'byteage';
CREATE FUNCTION own_gt(own, own) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'byteagt';
CREATE FUNCTION own_cmp(own, own) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'byteacmp';
CREATE OPERATOR = (LEFTARG = own, RIGHTARG = own, FUNCTION = own_eq, COMMUTATOR = =, MERGES);
CREATE OPERATOR < (LEFTARG = own, RIGHTARG = own, FUNCTION = own_lt);
CREATE OPERATOR <= (LEFTARG = own, RIGHTARG = own, FUNCTION = own_le);
CREATE OPERATOR >= (LEFTARG = own, RIGHTARG = own, FUNCTION = own_ge);
CREATE OPERATOR > (LEFTARG = own, RIGHTARG = own, FUNCTION = own_gt);
CREATE OPERATOR CLASS own_ops DEFAULT FOR TYPE own USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 own_cmp(own, own);
CREATE TABLE strange (id bigint PRIMARY KEY, sender own, at timestamptz);
INSERT INTO strange SELECT i, 'a', timestamptz '2024-01-01' + i * interval '1 day' FROM generate_series(0, 30) i;
SELECT assay.create_baseline('strange_b', 'strange', '{sender}', 'at', incremental => true, arrival => 'id');
SELECT rows FROM assay.refresh_baseline('strange_b');
SELECT assay.compact_baseline('strange_b');
SELECT assay.drop_baseline('strange_b');
SET client_min_messages = warning;
DROP SCHEMA retain CASCADE;
DROP OWNED BY assay_looker, assay_keeper;
DROP ROLE assay_keeper, assay_looker;
