-- A key that comes again while its decision can't be replaced: what is there is
-- about the message before.  undecided() knows, and backfill() decides it.
CREATE SCHEMA reu;
SET search_path = reu, public;
SET client_min_messages = error;
CREATE TABLE reu.message (tenant int, at timestamptz, txt text, PRIMARY KEY (tenant, at));
CREATE VIEW reu.signals AS SELECT tenant, at, txt FROM message;
SELECT assay.create_policy('reu', 'reu.signals', '{tenant,at}', prior => -1);
SELECT assay.create_detector('reu', 'wire', 'txt = ''wire''', weight => 5, mode => 'live');
CREATE FUNCTION reu.on_arrival(form text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DROP TRIGGER IF EXISTS decide ON message;
	IF form = 'row' THEN
		CREATE TRIGGER decide AFTER INSERT ON message FOR EACH ROW EXECUTE FUNCTION assay.decide('reu');
	ELSE
		CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('reu');
	END IF;
END $$;
CREATE FUNCTION reu.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.tenant < 8 THEN RAISE ''no''; END IF; RETURN NEW; END';
CREATE VIEW reu.state AS SELECT m.tenant, to_char(m.at AT TIME ZONE 'UTC', 'FMDD Mon') AS at, m.txt, d.verdict, u.reason
	FROM message m LEFT JOIN reu_verdict d USING (tenant, at) LEFT JOIN assay.undecided('reu') u ON u.key[1] = m.tenant::text
	ORDER BY m.tenant, m.at;
-- texts of times, as this session writes them, are not those that are kept
SET datestyle = 'SQL, DMY';
SET timezone = 'Asia/Kolkata';

-- for each way to refuse: what was there goes, the same keys and others come
CREATE FUNCTION reu.again(refuse text, accept text, form text, single boolean) RETURNS SETOF reu.state LANGUAGE plpgsql AS $$
BEGIN
	PERFORM on_arrival(form);
	TRUNCATE message, reu_decision;
	INSERT INTO message SELECT i, '2026-02-03 04:05:06.789+00', 'wire' FROM generate_series(1, 4) i;
	EXECUTE refuse;
	DELETE FROM message WHERE tenant < 4;
	IF single THEN
		INSERT INTO message VALUES (1, '2026-02-03 04:05:06.789+00', 'fine');
	ELSE
		INSERT INTO message SELECT i, timestamptz '2026-02-03 04:05:06.789+00', 'fine' FROM generate_series(1, 2) i UNION ALL SELECT 7, '2026-07-08', 'new';
	END IF;
	EXECUTE accept;
	RETURN QUERY SELECT * FROM state;
END $$;
SELECT * FROM again('ALTER TABLE reu_decision ADD CHECK (tenant > 7) NOT VALID', 'ALTER TABLE reu_decision DROP CONSTRAINT reu_decision_tenant_check', 'statement', true);
CALL assay.backfill('reu', at => NULL);
SELECT * FROM state;
SELECT * FROM again('ALTER TABLE reu_decision ADD CHECK (tenant > 7) NOT VALID', 'ALTER TABLE reu_decision DROP CONSTRAINT reu_decision_tenant_check', 'statement', false);
CALL assay.backfill('reu', at => NULL, undecided_only => true);
SELECT * FROM state;
SELECT * FROM again('CREATE TRIGGER refuse BEFORE INSERT ON reu_decision FOR EACH ROW EXECUTE FUNCTION refuse()', 'DROP TRIGGER refuse ON reu_decision', 'row', false);
CALL assay.backfill('reu', at => NULL, undecided_only => true);
SELECT * FROM state;
-- statements that fail as a whole
SELECT * FROM again('ALTER TABLE reu_decision RENAME degraded TO gone', 'ALTER TABLE reu_decision RENAME gone TO degraded', 'statement', false);
SELECT severity, "check", detail FROM assay.check('reu') WHERE "check" = 'undecided';
CALL assay.backfill('reu', at => NULL, undecided_only => true);
SELECT * FROM state;
SELECT * FROM again('ALTER TABLE reu_decision RENAME degraded TO gone', 'ALTER TABLE reu_decision RENAME gone TO degraded', 'row', true);
CALL assay.backfill('reu', at => NULL, undecided_only => true);
SELECT * FROM state;
-- what is published in part may not be replaced, nor marked
SELECT * FROM again('CREATE PUBLICATION reu_part FOR TABLE reu_decision WHERE (verdict = ''malicious'')', 'DROP PUBLICATION reu_part', 'statement', false);
CALL assay.backfill('reu', at => NULL, undecided_only => true);
SELECT * FROM state;

-- by a new revision it is the same; what comes once more is decided by itself
SELECT * FROM again('CREATE TRIGGER refuse BEFORE INSERT ON reu_decision FOR EACH ROW EXECUTE FUNCTION refuse(); SELECT assay.alter_policy(''reu'', prior => -2)', 'DROP TRIGGER refuse ON reu_decision', 'statement', false);
DELETE FROM message WHERE tenant = 1;
INSERT INTO message VALUES (1, '2026-02-03 04:05:06.789+00', 'wire');
SELECT * FROM state;
CALL assay.backfill('reu', at => NULL, undecided_only => true);
SELECT * FROM state;

-- What was kept goes where it tells nothing any more: no decision, or a later one.
TRUNCATE assay_internal.reused_key;
SELECT count(*) FROM again('CREATE TRIGGER refuse BEFORE INSERT ON reu_decision FOR EACH ROW EXECUTE FUNCTION refuse()', 'DROP TRIGGER refuse ON reu_decision', 'statement', false);
SELECT policy, key FROM assay_internal.reused_key ORDER BY key;
SELECT assay_internal.drop_reused_keys('reu', 'infinity');
DELETE FROM message WHERE tenant = 1;
INSERT INTO message VALUES (1, '2026-02-03 04:05:06.789+00', 'wire');
SELECT assay_internal.drop_reused_keys('reu', 'infinity');
SELECT tenant, reason FROM state WHERE reason IS NOT NULL;
SELECT relation, what, rows, done FROM assay.forget('reu', '{"tenant": 2}', dry_run => true) WHERE relation ~ 'decision|reused';
SELECT count(*) FROM assay_internal.reused_key;
SELECT relation, rows FROM assay.forget('reu', '{"tenant": 3}', dry_run => false) WHERE relation ~ 'reused';
SELECT relation, what, rows, done FROM assay.forget('reu', '{"tenant": 2}', dry_run => false) WHERE relation ~ 'decision|reused';
SELECT count(*) FROM assay_internal.reused_key;
CALL assay.backfill('reu', at => NULL, undecided_only => true);

-- more than are held at once
CREATE TABLE reu.many (id bigint PRIMARY KEY, txt text);
CREATE VIEW reu.many_signals AS SELECT id::text, txt FROM many;
SELECT assay.create_policy('many', 'reu.many_signals', '{id}', prior => -1);
SELECT assay.create_detector('many', 'wire', 'txt = ''wire''', weight => 5, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON many REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('many');
INSERT INTO many SELECT i, 'wire' FROM generate_series(1, 2500) i;
TRUNCATE many;
ALTER TABLE many_decision RENAME degraded TO gone;
INSERT INTO many SELECT i, 'fine' FROM generate_series(2, 5000) i;
ALTER TABLE many_decision RENAME gone TO degraded;
SELECT count(*), count(DISTINCT key) FROM assay_internal.reused_key WHERE policy = 'many';
SELECT reason, count(*) FROM assay.undecided('many') GROUP BY 1 ORDER BY 1;
CALL assay.backfill('many', at => NULL, batch => 700);
SELECT verdict, count(*) FROM many_verdict GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM assay.undecided('many');
-- as many as are held at once, and one more
CREATE FUNCTION reu.kept(n int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE many;
	DELETE FROM assay_internal.reused_key WHERE policy = 'many';
	ALTER TABLE many_decision RENAME degraded TO gone;
	INSERT INTO many SELECT i, 'fine' FROM generate_series(1, n) i;
	ALTER TABLE many_decision RENAME gone TO degraded;
	RETURN (SELECT count(DISTINCT key) FROM assay_internal.reused_key WHERE policy = 'many');
END $$;
SELECT reu.kept(1000);
SELECT count(*) FROM assay.undecided('many');
SELECT reu.kept(1001);
SELECT count(*) FROM assay.undecided('many');
CALL assay.backfill('many', at => NULL);
SELECT count(*) FROM assay.undecided('many');
-- a batch of backfill() looks at a hundred of them at least, and at ten thousand at most: where it ends, too
SELECT reu.kept(10001) < 10001 AS not_all_had_decisions;
CALL assay.backfill('many', at => NULL);
SELECT reu.kept(10000);
CALL assay.backfill('many', at => NULL, batch => 1000000);
SELECT reu.kept(10001);
CALL assay.backfill('many', at => NULL, batch => 1000000);
SELECT (SELECT count(*) FROM assay.undecided('many')) AS undecided, verdict, count(*) FROM many JOIN many_verdict v ON v.id = many.id::text GROUP BY 2;
SELECT reu.kept(100);
CALL assay.backfill('many', at => NULL, batch => 1);
SELECT reu.kept(101);
CALL assay.backfill('many', at => NULL, batch => 1);
SELECT decided, batches FROM assay.backfill_run WHERE policy = 'many' ORDER BY started_at DESC LIMIT 4;
SELECT (SELECT count(*) FROM assay.undecided('many')) AS undecided, verdict, count(*) FROM many JOIN many_verdict v ON v.id = many.id::text GROUP BY 2;
-- backfill() looks at some of the keys at a time, in their order: those of two messages and of none, of before the decision and
-- behind it, and of nulls; and at all of them each time where the decision table has another type for a key
CREATE TABLE reu.part (c text COLLATE "und-x-icu", n numeric, txt text, PRIMARY KEY (c, n));
CREATE VIEW reu.part_signals AS SELECT c, n, txt FROM part;
SELECT assay.create_policy('part', 'reu.part_signals', '{c,n}', prior => -1);
SELECT assay.create_detector('part', 'wire', 'txt = ''wire''', weight => 5, mode => 'live');
CREATE FUNCTION reu.come_again() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM assay_internal.reused_key WHERE policy = 'part';
	TRUNCATE part, part_decision;
	DROP TRIGGER IF EXISTS decide ON part;
	CREATE TRIGGER decide AFTER INSERT ON part REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('part');
	INSERT INTO part SELECT (ARRAY['a', 'B', 'b', 'Ä', 'z'])[1 + i % 5], i, 'wire' FROM generate_series(1, 1000) i;
	UPDATE part SET txt = 'fine' WHERE n % 2 = 0;
	INSERT INTO assay_internal.reused_key
		SELECT 'part', ARRAY[c, n || '.0'], now() + interval '1 second' FROM part WHERE n % 2 = 0
		UNION ALL SELECT 'part', ARRAY[c, n::text], now() - interval '1 second' FROM part WHERE n % 4 < 2
		UNION ALL SELECT 'part', ARRAY['b', (i + 0.25)::text], now() + interval '1 second' FROM generate_series(1, 300) i
		UNION ALL SELECT 'part', ARRAY['a', NULL], now() + interval '1 second' FROM generate_series(1, 3) i
		UNION ALL SELECT 'part', ARRAY[NULL, '7'], now() + interval '1 second';
	ALTER TABLE part DISABLE TRIGGER decide;
	INSERT INTO part SELECT c, n + 0.5, 'fine' FROM part WHERE n % 20 = 3;
	ALTER TABLE part ENABLE TRIGGER decide;
	RETURN (SELECT count(*) FROM assay.undecided('part'));
END $$;
-- what the decisions of a backfill must be later than
CREATE PROCEDURE reu.wait() LANGUAGE plpgsql AS $$ BEGIN COMMIT; PERFORM pg_sleep(1.1); END $$;
SELECT reu.come_again();
CALL reu.wait();
CALL assay.backfill('part', at => NULL, batch => 37);
SELECT decided, batches > 15 AS by_parts FROM assay.backfill_run WHERE policy = 'part';
SELECT txt, verdict, count(*) FROM part JOIN part_verdict USING (c, n) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM assay.undecided('part');
-- one that stopped goes on, from its last key
SELECT reu.come_again();
UPDATE assay_internal.backfill_run SET finished_at = NULL, decided = 0, last_key = '{b,500}' WHERE policy = 'part';
CALL reu.wait();
CALL assay.backfill('part', at => NULL, batch => 37);
SELECT c, count(*), min(n), max(n) FROM part JOIN part_verdict USING (c, n) WHERE txt = 'fine' AND verdict = 'malicious' GROUP BY 1 ORDER BY 1;
CALL assay.backfill('part', at => NULL, batch => 1000);
SELECT count(*) FROM assay.undecided('part');
DELETE FROM assay_internal.backfill_run WHERE policy = 'part';
DROP VIEW part_verdict CASCADE;
ALTER TABLE part_decision ALTER n TYPE float8;
SELECT reu.come_again();
CALL reu.wait();
CALL assay.backfill('part', at => NULL, batch => 370);
SELECT decided FROM assay.backfill_run WHERE policy = 'part';
SELECT txt, verdict, count(*) FROM part JOIN part_decision d ON d.c = part.c AND d.n = part.n::float8 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM assay.undecided('part');
DROP TRIGGER decide ON part;
SELECT assay.drop_policy('part');
-- the view is made anew between two batches, with another type of the key, whose values are no numbers in place
CREATE TABLE reu.anew (id int PRIMARY KEY, n int);
CREATE VIEW reu.anew_signals AS SELECT id, n FROM anew;
SELECT assay.create_policy('anew', 'reu.anew_signals', '{id}', prior => -1);
CREATE FUNCTION reu.make_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.id = 150 THEN
		DROP VIEW reu.anew_signals;
		CREATE VIEW reu.anew_signals AS SELECT a.id::numeric AS id, a.n FROM reu.anew a;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER make_anew AFTER INSERT ON anew_decision FOR EACH ROW EXECUTE FUNCTION reu.make_anew();
INSERT INTO anew SELECT i, i FROM generate_series(1, 1000) i;
INSERT INTO assay_internal.reused_key SELECT 'anew', ARRAY[i::text], now() - interval '1 day' FROM generate_series(1, 1000) i;
CALL assay.backfill('anew', at => NULL, batch => 100);
SELECT count(*) FROM anew_decision;
SELECT assay.drop_policy('anew', true);
DROP FUNCTION reu.make_anew;

-- rolled back with its message; and in a transaction that saw another snapshot before
TRUNCATE assay_internal.reused_key;
ALTER TABLE many_decision ADD CHECK (id <> '2') NOT VALID;
BEGIN;
DELETE FROM many WHERE id = 2;
INSERT INTO many VALUES (2, 'fine');
ROLLBACK;
SELECT count(*) FROM assay_internal.reused_key;
BEGIN ISOLATION LEVEL REPEATABLE READ;
DELETE FROM many WHERE id = 2;
INSERT INTO many VALUES (2, 'fine');
COMMIT;
SELECT key, reason FROM assay.undecided('many');
ALTER TABLE many_decision DROP CONSTRAINT many_decision_id_check;

-- Keys are for who may know of all messages: not for whom some decisions are hidden from.
CREATE ROLE reu_reader;
GRANT USAGE ON SCHEMA reu TO reu_reader;
GRANT SELECT ON many, many_decision TO reu_reader;
SELECT assay.grant_access('many', 'reu_reader', 'reader');
SET ROLE reu_reader;
SELECT key, reason FROM assay.undecided('many');
SELECT count(*) FROM assay_internal.readable_reused_key;
SELECT count(*) FROM assay_internal.reused_key;
SELECT assay_internal.drop_reused_keys('many', 'infinity');
RESET ROLE;
ALTER TABLE many_decision ENABLE ROW LEVEL SECURITY;
CREATE POLICY a_few ON many_decision TO reu_reader USING (id <> '3');
SET ROLE reu_reader;
SELECT key, reason FROM assay.undecided('many');
SELECT count(*) FROM assay_internal.readable_reused_key;
RESET ROLE;
-- Where the owner himself may not see all decisions, those that are old go: nobody knows more of them.
ALTER TABLE many_decision OWNER TO reu_reader, FORCE ROW LEVEL SECURITY;
ALTER TABLE many_label OWNER TO reu_reader;
ALTER TABLE many_policy OWNER TO reu_reader;
GRANT ALL ON SCHEMA reu TO reu_reader;
SELECT count(*) FROM assay_internal.reused_key WHERE policy = 'many';
INSERT INTO assay_internal.reused_key (policy, key, at) SELECT 'many', ARRAY[i::text], now() - i * interval '1 day' FROM generate_series(20, 39) i;
SET ROLE reu_reader;
SELECT assay_internal.drop_reused_keys('many', now() - interval '30 days');
RESET ROLE;
SELECT count(*), count(*) FILTER (WHERE at < now() - interval '30 days') AS old FROM assay_internal.reused_key WHERE policy = 'many';
DELETE FROM assay_internal.reused_key WHERE at < now() - interval '1 day';
-- nor for another's policy, nor by another's table
CREATE ROLE reu_other;
CREATE SCHEMA reu_other AUTHORIZATION reu_other;
SET ROLE reu_other;
SELECT count(*) FROM assay_internal.readable_reused_key;
SELECT assay_internal.drop_reused_keys('many', 'infinity');
CREATE TABLE reu_other.message (id bigint);
CREATE TRIGGER decide AFTER INSERT ON reu_other.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('many');
INSERT INTO reu_other.message VALUES (10), (11);
RESET ROLE;
SELECT key FROM assay_internal.reused_key;

-- old faults go though the decision table, which is asked for old keys, is broken
SELECT count(*) > 0 FROM assay_internal.fault WHERE policy = 'many';
UPDATE assay_internal.fault SET at = at - interval '1 year' WHERE policy = 'many';
INSERT INTO assay_internal.reused_key VALUES ('many', '{2}', now() - interval '1 year');
ALTER TABLE many_decision RENAME decided_at TO gone;
SELECT assay_internal.maintenance_step('faults', 'many', '90 days', 1000) > 0;
ALTER TABLE many_decision RENAME gone TO decided_at;
SELECT count(*) FROM assay_internal.fault WHERE policy = 'many';
-- a row trigger on a table whose key has other types decides nothing: of what a backfill decided it keeps the key
CREATE TABLE other_types (id int, part varchar(9), txt text);
CREATE VIEW other_signals AS SELECT id::bigint AS id, part::text AS part, txt FROM other_types;
SELECT assay.create_policy('reu_types', 'other_signals', '{id,part}');
SELECT assay.create_detector('reu_types', 'wire', 'txt = ''wire''', weight => 5, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON other_types FOR EACH ROW EXECUTE FUNCTION assay.decide('reu_types');
INSERT INTO other_types VALUES (3, 'a', 'fine'), (4, 'b', 'fine');
CALL assay.backfill('reu_types', at => NULL);
DELETE FROM other_types WHERE id = 3;
INSERT INTO other_types VALUES (3, 'a', 'wire'), (5, NULL, 'wire');
SELECT key, reason FROM assay.undecided('reu_types');
-- also by one that goes on behind them
INSERT INTO assay_internal.backfill_run (policy, revision, since, until, at_column, undecided_only, degraded_only, expected, started_by, last_key)
	SELECT policy, max(revision), '-infinity', 'infinity', '', true, false, 0, current_user, '{9,z}' FROM assay.revision WHERE policy = 'reu_types' GROUP BY policy;
CALL assay.backfill('reu_types', at => NULL, undecided_only => true);
SELECT id, part, verdict FROM reu_types_verdict ORDER BY id;
DROP TRIGGER decide ON other_types;
SELECT assay.drop_policy('reu_types');
-- a policy that is not there has no keys to look for, and the log says once what is wrong
CREATE TRIGGER absent AFTER INSERT ON message FOR EACH ROW EXECUTE FUNCTION assay.decide('reu_absent');
SET client_min_messages = log;
INSERT INTO message VALUES (100, now(), 'fine');
SET client_min_messages = error;
DROP TRIGGER absent ON message;

DROP SCHEMA reu_other CASCADE;
DROP TRIGGER decide ON message;
DROP TRIGGER decide ON many;
SELECT assay.drop_policy('reu');
SELECT assay.drop_policy('many');
SELECT count(*) FROM assay_internal.reused_key;
DROP SCHEMA reu CASCADE;
DROP ROLE reu_reader, reu_other;
RESET search_path;
RESET datestyle;
RESET timezone;
