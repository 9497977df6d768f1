-- Decision tables that create_policy() partitions by a time of the message
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'Asia/Tokyo';
SET datestyle = 'SQL, DMY';
CREATE ROLE assay_keeper;
CREATE ROLE assay_looker;
CREATE SCHEMA parted;
GRANT ALL ON SCHEMA parted TO assay_keeper;
GRANT USAGE ON SCHEMA parted TO assay_looker;
SET search_path = parted;
SET ROLE assay_keeper;
CREATE TABLE message (at timestamptz, id bigint, n int, PRIMARY KEY (at, id));
CREATE VIEW signals AS SELECT at, id, n FROM message;
-- what can't be partitioned
SELECT assay.create_policy('p', 'signals', '{id}', partition => 'month');
SELECT assay.create_policy('p', 'signals', '{id,at}', partition => 'year');
\set VERBOSITY default
SELECT assay.create_policy('p', 'signals', '{id}', partition => 'month');
\set VERBOSITY terse
SELECT assay.create_policy('p', 'signals', '{id,at}', partition => 'month', index_hits => true, log_signals => true);
SELECT assay.create_detector('p', 'n', 'n > 0', weight => 8, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
SELECT policy, period, at, decision FROM assay.partitioning;
-- of now, one before, three ahead, in UTC; and the default one
SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS this \gset
CREATE VIEW parts AS SELECT row_number() OVER (ORDER BY since) AS n, part, since, until FROM assay_internal.decision_parts('p_decision');
SELECT count(*), bool_and(since AT TIME ZONE 'UTC' = date_trunc('month', now() AT TIME ZONE 'UTC') + (n - 2) * interval '1 month') AS months,
	bool_and(until AT TIME ZONE 'UTC' = since AT TIME ZONE 'UTC' + interval '1 month') AS whole,
	bool_and(part::text = 'p_d' || to_char(since AT TIME ZONE 'UTC', 'YYYYMMDD')) AS named FROM parts WHERE until IS NOT NULL;
SELECT part FROM parts WHERE until IS NULL;
-- whose message falls where: bounds, and times that no partition has
CREATE FUNCTION where_is(OUT part text, OUT ids bigint[]) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT coalesce(p.n::text, 'default'), array_agg(d.id ORDER BY d.id) FROM p_decision d LEFT JOIN parts p ON p.part = d.tableoid AND p.until IS NOT NULL GROUP BY 1 ORDER BY 1 $$;
INSERT INTO message VALUES (:'this', 1, 1), (:'this'::timestamptz - interval '1 us', 2, 1), (now(), 3, 0);
INSERT INTO message VALUES (:'this', 4, 1);
INSERT INTO message VALUES ('infinity', 5, 1), ('-infinity', 6, 1), ('01-01-4713 BC', 7, 1), ('01-01-290000', 8, 1), (now() - interval '400 days', 9, 0);
INSERT INTO message VALUES ('infinity', 10, 1);
INSERT INTO message VALUES (now() - interval '500 days', 11, 0);
SELECT * FROM where_is();
SELECT count(*), count(DISTINCT (id, at)), count(*) FILTER (WHERE verdict = 'malicious') AS malicious, count(signals) AS logged FROM p_verdict;
SELECT count(*) FROM p_decision WHERE assay.hits(attribution) @> '{n}';
SELECT * FROM assay.undecided('p');
-- a message whose time is null
ALTER TABLE message DROP CONSTRAINT message_pkey;
ALTER TABLE message ALTER at DROP NOT NULL;
INSERT INTO message VALUES (NULL, 20, 1);
SELECT key, reason FROM assay.undecided('p');
DELETE FROM message WHERE at IS NULL;
ALTER TABLE message ADD PRIMARY KEY (at, id);
-- one decision a message and revision; the view has the latest
DELETE FROM message WHERE id IN (1, 5);
INSERT INTO message VALUES (:'this', 1, 0), ('infinity', 5, 0), (:'this', 30, 0);
SELECT id, verdict FROM p_verdict WHERE id IN (1, 5) ORDER BY 1;
SELECT assay.alter_policy('p', prior => -5);
CALL assay.backfill('p', at => 'at');
SELECT revision, count(*) FROM p_decision GROUP BY 1 ORDER BY 1;
SELECT count(*), min(revision) FROM p_verdict;
-- decisions take no transaction id of their own, in one partition and in several, but for those that are the first by these plans
INSERT INTO message VALUES (now(), 100, 1);
INSERT INTO message VALUES (now(), 101, 1);
INSERT INTO message SELECT now() - i * interval '20 days', 200 + i, 1 FROM generate_series(0, 10) i;
INSERT INTO message SELECT 'infinity', 300 + i, 1 FROM generate_series(0, 300) i;
SELECT count(*), count(*) FILTER (WHERE d.xmin <> m.xmin) AS other_ids FROM message m JOIN p_decision d USING (at, id) WHERE id > 100;
SELECT count(*) AS undecided FROM assay.undecided('p');
-- many, of times in no order: each partition has its own
INSERT INTO message SELECT :'this'::timestamptz + ((i * 7919) % 100 - 50) * interval '1 day', 1000 + i, i % 2 FROM generate_series(1, 2000) i;
SELECT count(*) AS wrong FROM p_decision d JOIN parts p ON p.part = d.tableoid WHERE NOT (d.at >= p.since AND d.at < p.until);
SELECT count(*), count(DISTINCT d.tableoid) AS parts FROM p_decision d WHERE id > 1000;
SELECT count(*) AS differ FROM message m JOIN p_decision d USING (at, id) WHERE id > 1000 AND (m.n > 0) <> (d.verdict = 'malicious');
-- a partition that refuses rows refuses decisions, never messages
ALTER TABLE p_d_default ADD CHECK (id <> 5000) NOT VALID;
DO $$ BEGIN EXECUTE format('ALTER TABLE parted.%s ADD CHECK (id <> 6001)', (SELECT part FROM parted.parts WHERE n = 2)); END $$;
INSERT INTO message VALUES ('infinity', 5000, 1), ('infinity', 6000, 1), (now(), 6001, 1), (now(), 6002, 1);
INSERT INTO message VALUES ('infinity', 5000, 1) ON CONFLICT DO NOTHING;
INSERT INTO message VALUES (now() + interval '1 us', 6001, 1);
SELECT key[1] AS id FROM assay.undecided('p');
DELETE FROM message WHERE id IN (5000, 6001);
SELECT count(*) AS other_ids FROM message m JOIN p_decision d USING (at, id) WHERE id BETWEEN 1001 AND 3000 AND d.xmin <> m.xmin;
ALTER TABLE p_d_default DROP CONSTRAINT p_d_default_id_check;
-- rows of a default partition, where they are many, get one of their own
SELECT "check", severity, detail FROM assay.check('p') WHERE "check" = 'partitions';
INSERT INTO message SELECT :'this'::timestamptz - interval '300 days', 10000 + i, 1 FROM generate_series(1, 999) i;
SELECT "check", severity, detail FROM assay.check('p') WHERE "check" = 'partitions';
INSERT INTO message VALUES (:'this'::timestamptz - interval '300 days', 11000, 1);
SELECT "check", severity, detail, hint FROM assay.check('p') WHERE "check" = 'partitions';
SELECT assay_internal.make_next_part('p', 999) AS too_many;
SELECT assay.make_partitions('p');
SELECT assay.make_partitions('p');
SELECT "check", severity, detail FROM assay.check('p') WHERE "check" = 'partitions';
SELECT count(*), count(DISTINCT tableoid) AS parts, min(tableoid::regclass::text) <> 'p_d_default' AS moved FROM p_decision WHERE id BETWEEN 10001 AND 11000;
-- partitions that are missing come by maintain(), twice the same
BEGIN;
DO $$ BEGIN EXECUTE format('DROP TABLE parted.%s, parted.%s', (SELECT part FROM parted.parts WHERE since > now() ORDER BY since LIMIT 1), (SELECT part FROM parted.parts WHERE now() >= since AND now() < until)); END $$;
INSERT INTO message VALUES (now() + interval '3 us', 12000, 1);
SELECT "check", severity, detail, hint FROM assay.check('p') WHERE "check" = 'partitions' ORDER BY detail;
COMMIT;
CALL assay.maintain();
CALL assay.maintain();
SELECT step, object, state, rows, note FROM assay.maintenance WHERE step = 'partitions';
SELECT count(*) FROM parts WHERE until > now();
SELECT tableoid::regclass::text <> 'p_d_default' AS moved FROM p_decision WHERE id = 12000;
CALL assay.backfill('p', at => 'at');
-- retention by the time of the message; a limit that is not given goes
SELECT assay.set_retention('p', decisions => '200 days', signals => '100 days') > 0 AS revised;
SET client_min_messages = notice;
SELECT assay.set_retention('p') > 0 AS revised;
SET client_min_messages = warning;
SELECT assay.set_retention('p', decisions => '150 days') > 0 AS revised;
INSERT INTO p_label (at, id, malicious, source) SELECT at, id, true, 'test' FROM p_decision WHERE id = 10001;
SELECT detail ~ '^\d+ partitions are past their retention, the oldest is parted.p_d\d{8}$' AS told FROM assay.check('p') WHERE "check" = 'partitions';
CALL assay.maintain();
SELECT state, rows, note FROM assay.maintenance WHERE step = 'retention';
SELECT count(*) AS past FROM p_decision d LEFT JOIN parts p ON p.part = d.tableoid
WHERE d.at < now() - interval '150 days' AND (p.until IS NULL OR p.until < now() - interval '150 days');
SELECT count(*) AS kept FROM p_decision WHERE id IN (1, 3, 5, 8, 9, 10001);
SELECT count(*) AS labels FROM p_label;
-- messages that are past it have no decision, and need none
SELECT count(*) FROM message WHERE at < now() - interval '150 days';
SELECT array_agg(key[1] ORDER BY key[1]) FROM assay.undecided('p');
-- and what lies in the default one goes by when it was decided, too
UPDATE p_decision SET decided_at = now() - interval '151 days' WHERE id IN (8, 3);
CALL assay.maintain();
SELECT id FROM p_decision WHERE id IN (3, 8);
-- of a default partition that is partitioned itself no more goes than that
CREATE TABLE message_r (at timestamptz, id bigint, PRIMARY KEY (at, id));
CREATE VIEW signals_r AS SELECT at, id FROM message_r;
SELECT assay.create_policy('r', 'signals_r', '{id,at}', partition => 'month');
DROP TABLE r_d_default;
CREATE TABLE r_rest PARTITION OF r_decision DEFAULT PARTITION BY RANGE (at);
CREATE TABLE r_rest_old PARTITION OF r_rest FOR VALUES FROM (MINVALUE) TO ('01-01-2000');
CREATE TABLE r_rest_new PARTITION OF r_rest FOR VALUES FROM ('01-01-2000') TO (MAXVALUE);
CREATE TRIGGER decide AFTER INSERT ON message_r REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('r');
INSERT INTO message_r SELECT t, i FROM unnest('{-infinity,infinity}'::timestamptz[]) t, generate_series(1, 5) i;
SELECT assay_internal.expire_rest('r', 'at', now() - interval '1 day', 4);
SELECT assay_internal.expire_rest('r', 'at', now() - interval '1 day', 10);
SELECT at, count(*) FROM r_decision GROUP BY 1;
DROP TABLE message_r CASCADE;
SELECT assay.drop_policy('r', true);
-- a date may be beyond all times, and a partition a foreign table
CREATE TABLE message_r (at date, id bigint, PRIMARY KEY (at, id));
CREATE VIEW signals_r AS SELECT at, id FROM message_r;
SELECT assay.create_policy('r', 'signals_r', '{id,at}', partition => 'month');
CREATE TRIGGER decide AFTER INSERT ON message_r REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('r');
ALTER TABLE r_decision DROP CONSTRAINT r_decision_pkey;
RESET ROLE;
CREATE FOREIGN DATA WRAPPER assay_nowhere;
CREATE SERVER assay_nowhere FOREIGN DATA WRAPPER assay_nowhere;
GRANT USAGE ON FOREIGN SERVER assay_nowhere TO assay_keeper;
SET ROLE assay_keeper;
CREATE FOREIGN TABLE r_remote PARTITION OF r_decision FOR VALUES FROM ('01-01-2000') TO ('01-02-2000') SERVER assay_nowhere;
CREATE TABLE r_last PARTITION OF r_decision FOR VALUES FROM ('01-01-5000000') TO ('01-01-5000001');
INSERT INTO message_r SELECT d, 1 FROM unnest('{-infinity,01-01-4713 BC,31-12-294276,31-12-5874897,01-02-5000000,infinity}'::date[]) d;
SELECT assay.make_partitions('r');
SELECT part, since, until FROM assay_internal.decision_parts('r_decision') WHERE part IN ('r_last'::regclass, 'r_remote');
SELECT severity, detail FROM assay.check('r') WHERE "check" = 'partitions';
SELECT assay_internal.expire_rest('r', 'at', now() - interval '1 day', 10);
SELECT assay_internal.drop_part_as_owner('r_decision', now()), to_regclass('r_remote');
SELECT at, tableoid::regclass FROM r_decision ORDER BY 1;
DROP TABLE message_r CASCADE;
SELECT assay.drop_policy('r', true);
RESET ROLE;
DROP FOREIGN DATA WRAPPER assay_nowhere CASCADE;
SET ROLE assay_keeper;
-- rights
RESET ROLE;
-- a name that is taken, here by one that was detached, is in nobody's way
SET ROLE assay_keeper;
SELECT part AS ahead FROM parts WHERE until IS NOT NULL ORDER BY since DESC LIMIT 1 \gset
ALTER TABLE p_decision DETACH PARTITION :ahead;
SELECT assay.make_partitions('p') AS made;
SELECT part::text = :'ahead' || '_2' AS named FROM parts WHERE until IS NOT NULL ORDER BY since DESC LIMIT 1;
DROP TABLE :ahead;
RESET ROLE;
-- a partition that is another's is told of: its triggers would run with the owner's rights
GRANT CREATE ON SCHEMA parted TO assay_looker;
ALTER TABLE parted.p_d_default OWNER TO assay_looker;
SET ROLE assay_keeper;
SELECT severity, detail, hint FROM assay.check('p') WHERE detail ~ 'belongs';
RESET ROLE;
ALTER TABLE parted.p_d_default OWNER TO assay_keeper;
REVOKE CREATE ON SCHEMA parted FROM assay_looker;
SELECT assay.grant_access('p', 'assay_looker', 'reader');
SET ROLE assay_looker;
SELECT policy, period FROM assay.partitioning;
SELECT count(*) > 0 AS seen FROM assay.health WHERE "check" = 'partitions';
SELECT assay.make_partitions('p');
SELECT assay_internal.attach_part('parted.p_decision', '{"since": "2000-01-01", "until": "2000-02-01", "at": "at", "name": "x"}');
SELECT assay_internal.attach_part_as_owner('parted.p_decision', '{"since": "2000-01-01", "until": "2000-02-01", "at": "at", "name": "x"}');
SELECT assay_internal.drop_part_as_owner('parted.p_decision', 'infinity');
SELECT assay_internal.drop_part('parted.p_decision', 'infinity');
SELECT assay_internal.expire_rest('p', 'at', 'infinity', 10);
SELECT assay_internal.store_partitioning('p', 'day', 'id');
SELECT * FROM assay_internal.message_periods('p', 'at', 'month');
RESET ROLE;
-- who may act as the owner runs what hangs on the table as the owner: a superuser, too
SELECT assay_internal.drop_part('parted.p_decision', 'infinity');
SELECT assay_internal.expire_rest('p', 'n', now(), 10);
SELECT assay.make_partitions('nowhere');
SELECT assay.make_partitions(NULL);
SELECT count(*) FROM assay_internal.decision_parts('pg_class');
SELECT count(*) FROM assay_internal.decision_parts(0);
SELECT assay.alter_policy('p', owner => 'assay_looker') > 0 AS given;
SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE oid IN (SELECT relid FROM pg_partition_tree('p_decision')) AND relkind IN ('r', 'p');
GRANT CREATE ON SCHEMA parted TO assay_looker;
DROP TRIGGER decide ON message;
-- the other types, weeks and days; a name as long as may be
SET ROLE assay_keeper;
CREATE TABLE weekly (day date, id int, PRIMARY KEY (day, id));
CREATE VIEW weekly_signals AS TABLE weekly;
SELECT assay.create_policy(repeat('w', 50), 'weekly_signals', '{id,day}', partition => 'week');
SELECT count(*), bool_and(extract(isodow FROM since AT TIME ZONE 'UTC') = 1 AND until - since = interval '7 days') AS weeks
FROM assay_internal.decision_parts((repeat('w', 50) || '_decision')::regclass) WHERE until IS NOT NULL;
CREATE TABLE daily (id int, ts timestamp, PRIMARY KEY (ts, id));
CREATE VIEW daily_signals AS TABLE daily;
SELECT assay.create_policy('d', 'daily_signals', '{id,ts}', partition => 'day');
CREATE TRIGGER decide AFTER INSERT ON daily REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('d');
CREATE TRIGGER decide AFTER INSERT ON weekly FOR EACH ROW EXECUTE FUNCTION assay.decide('wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww');
INSERT INTO daily SELECT i, d FROM (VALUES (1, 'infinity'::timestamp), (2, '-infinity'), (3, now() AT TIME ZONE 'UTC'), (4, (now() AT TIME ZONE 'UTC')::date)) v(i, d);
INSERT INTO weekly VALUES ('infinity', 1), ('-infinity', 2), ((now() AT TIME ZONE 'UTC')::date, 3);
SELECT id, tableoid::regclass::text LIKE '%default' AS is_default FROM d_decision ORDER BY 1;
SELECT id, tableoid::regclass::text LIKE '%default' AS is_default FROM wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww_decision ORDER BY 1;
-- backfill makes partitions of the messages' times
DROP TRIGGER decide ON daily;
SELECT assay.drop_policy('d', true);
INSERT INTO daily SELECT i, date_trunc('day', now() AT TIME ZONE 'UTC') - i * interval '1 day' FROM generate_series(10, 80) i;
SELECT assay.create_policy('d', 'daily_signals', '{id,ts}', partition => 'day');
CALL assay.backfill('d', at => NULL);
SELECT count(*), count(DISTINCT tableoid) AS parts, count(*) FILTER (WHERE tableoid = 'd_d_default'::regclass) AS rest FROM d_decision;
SELECT count(*) FROM assay_internal.decision_parts('d_decision');
-- decisions of one statement in 64 partitions take no transaction id of their own; in 65 they are written by a query
CREATE TRIGGER decide AFTER INSERT ON daily REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('d');
INSERT INTO daily SELECT 10000, date_trunc('day', now() AT TIME ZONE 'UTC') - interval '10 days';
INSERT INTO daily SELECT 10000 + i, date_trunc('day', now() AT TIME ZONE 'UTC') - (i + 9) * interval '1 day' FROM generate_series(1, 64) i;
INSERT INTO daily SELECT 20000 + i, date_trunc('day', now() AT TIME ZONE 'UTC') - (i + 9) * interval '1 day' FROM generate_series(1, 65) i;
SELECT id / 10000 AS statement, count(*), count(DISTINCT d.tableoid) AS parts, count(*) FILTER (WHERE d.xmin <> m.xmin) AS other_ids
FROM daily m JOIN d_decision d USING (ts, id) WHERE id > 10000 GROUP BY 1 ORDER BY 1;
DROP TRIGGER decide ON daily;
-- ten names are tried for a partition
CREATE FUNCTION take_names(numbers int[], statement text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n int;
BEGIN
	FOREACH n IN ARRAY numbers LOOP
		EXECUTE format(statement, 'd_d' || to_char(now() AT TIME ZONE 'UTC' - interval '5 days', 'YYYYMMDD') || CASE WHEN n > 1 THEN '_' || n ELSE '' END);
	END LOOP;
END $$;
CREATE FUNCTION attach_taken() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM assay_internal.attach_part('d_decision', jsonb_build_object('name', 'd_d' || to_char(now() AT TIME ZONE 'UTC' - interval '5 days', 'YYYYMMDD'), 'at', 'ts',
		'since', date_trunc('day', now(), 'UTC') - interval '5 days', 'until', date_trunc('day', now(), 'UTC') - interval '4 days'));
	RETURN (SELECT 'its name ends in ' || right(part::text, 3) FROM assay_internal.decision_parts('d_decision') WHERE since = date_trunc('day', now(), 'UTC') - interval '5 days');
EXCEPTION WHEN duplicate_table THEN
	RETURN 'all names are taken';
END $$;
BEGIN;
SELECT take_names('{1,2,3,4,5,6,7,8,9,10}', 'CREATE TABLE %I ()');
SELECT attach_taken();
SELECT take_names('{10}', 'DROP TABLE %I');
SELECT attach_taken();
ROLLBACK;
DROP FUNCTION take_names, attach_taken;
-- partitions are of days: not while one ends
DO $$ BEGIN WHILE (clock_timestamp() AT TIME ZONE 'UTC')::time > '23:59:30' LOOP PERFORM pg_sleep(0.5); END LOOP; END $$;
-- a backfill makes partitions up to 400 in all, and so does make_partitions() for what is in the default one
CREATE TABLE years (id int, day date, PRIMARY KEY (day, id));
CREATE VIEW years_signals AS TABLE years;
SELECT assay.create_policy('y', 'years_signals', '{id,day}', partition => 'day');
INSERT INTO years SELECT i, (now() AT TIME ZONE 'UTC')::date - i FROM generate_series(10, 403) i;
CALL assay.backfill('y', at => NULL);
CREATE VIEW in_rest AS SELECT count(*) AS parts, (SELECT count(*) FROM y_d_default) AS rest FROM assay_internal.decision_parts('y_decision');
TABLE in_rest;
INSERT INTO years SELECT i, (now() AT TIME ZONE 'UTC')::date - 404 FROM generate_series(1001, 2000) i;
CALL assay.backfill('y', at => NULL);
TABLE in_rest;
SELECT assay.make_partitions('y') AS made;
DO $$ BEGIN EXECUTE format('DROP TABLE %s', (SELECT part FROM assay_internal.decision_parts('y_decision') ORDER BY since LIMIT 1)); END $$;
SELECT assay.make_partitions('y') AS made;
TABLE in_rest;
DROP VIEW in_rest;
-- a policy as a document says how its table is partitioned, and is made so from it
SELECT assay.policy_export('d')->'partition' AS d, assay.policy_export('d')->'key' AS key;
CREATE TABLE kept AS SELECT assay.policy_export('d') AS document;
SELECT assay.drop_policy('d', true);
SELECT count(*) AS changes FROM kept, assay.policy_import(document, dry_run => false);
SELECT t.period, t.at FROM assay.partitioning t WHERE t.policy = 'd';
SELECT count(*) > 1 AS parts FROM assay_internal.decision_parts('d_decision');
SELECT assay.policy_export('d') = document AS same FROM kept;
-- by another name, a longer period, and none; it does not say what it may not be
SELECT count(*) FROM kept, assay.policy_import(document || '{"partition": "month"}', 'm', dry_run => false);
SELECT count(*) FROM kept, assay.policy_import(document - 'partition', 'n', dry_run => false);
SELECT p.policy, t.period, assay.policy_export(p.policy)->'partition' AS document FROM assay.policies p LEFT JOIN assay.partitioning t USING (policy) WHERE p.policy IN ('m', 'n') ORDER BY 1;
SELECT assay.policy_import(document || '{"partition": "century"}', 'x') FROM kept;
SELECT assay.policy_import(document || '{"partition": 7}', 'x') FROM kept;
-- what stands is not changed by it
SELECT count(*) AS changes FROM kept, assay.policy_import(document, 'm', dry_run => false);
SELECT period FROM assay.partitioning WHERE policy = 'm';
SELECT assay.drop_policy('m', true), assay.drop_policy('n', true);
DROP TABLE kept;
-- row-level security of the whole is not that of a partition which is read by itself
ALTER TABLE d_decision ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON d_d_default TO assay_looker;
SELECT severity, detail, hint FROM assay.check('d') WHERE "check" = 'rights';
REVOKE SELECT ON d_d_default FROM assay_looker;
SELECT count(*) FROM assay.check('d') WHERE "check" = 'rights';
ALTER TABLE d_decision DISABLE ROW LEVEL SECURITY;
-- one that was there already, by hand, as docs/operations.md tells
CREATE TABLE plain (id int PRIMARY KEY, n int);
CREATE VIEW plain_signals AS SELECT id, n FROM plain;
SELECT assay.create_policy('hand', 'plain_signals', '{id}', prior => 9);
SELECT assay.create_outbox('hand');
CREATE TRIGGER decide AFTER INSERT ON plain REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('hand');
INSERT INTO plain VALUES (1, 1);
BEGIN;
SELECT string_agg(pg_get_triggerdef(oid), '; ' ORDER BY tgname) AS outbox FROM pg_trigger WHERE tgrelid = 'hand_decision'::regclass AND tgname LIKE 'assay\_outbox%' \gset
ALTER TABLE hand_decision RENAME TO hand_former;
CREATE TABLE hand_decision (LIKE hand_former INCLUDING DEFAULTS, PRIMARY KEY (id, revision)) PARTITION BY HASH (id);
CREATE TABLE hand_0 PARTITION OF hand_decision FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO hand_decision SELECT * FROM hand_former;
:outbox;
ALTER TABLE hand_decision ENABLE ALWAYS TRIGGER assay_outbox_insert, ENABLE ALWAYS TRIGGER assay_outbox_update;
RESET ROLE;
UPDATE assay_internal.policy SET decision = 'hand_decision' WHERE policy = 'hand';
SET ROLE assay_keeper;
DROP VIEW hand_verdict;
SELECT assay.upgrade_policy('hand');
COMMIT;
INSERT INTO plain VALUES (2, 1);
SELECT id, verdict FROM hand_verdict ORDER BY id;
SELECT count(*) FROM hand_former;
SELECT key, verdict FROM assay.read_changes('hand');
SELECT severity, "check", detail FROM assay.check('hand') WHERE severity IN ('error', 'warning');
DROP TABLE hand_former;
DROP TRIGGER decide ON plain;
SELECT assay.drop_policy('hand', true);
DROP TRIGGER decide ON weekly;
SELECT assay.drop_policy(p.policy, true) FROM assay.policies p WHERE p.policy IN ('d', 'y', repeat('w', 50)) ORDER BY p.policy;
RESET ROLE;
DROP FUNCTION where_is;
DROP VIEW parts;
SELECT assay.drop_policy('p', true);
SELECT count(*) AS left_over FROM assay_internal.partitioning;
SELECT count(*) AS left_over FROM pg_class WHERE relnamespace = 'parted'::regnamespace AND relname ~ '_d';
DELETE FROM assay_internal.maintenance WHERE role = 'assay_keeper'::regrole;
DROP SCHEMA parted CASCADE;
DROP OWNED BY assay_looker, assay_keeper;
DROP ROLE assay_keeper, assay_looker;
