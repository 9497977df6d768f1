-- reader, builder, publisher, owner: every function for each of them
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE rts_owner; CREATE ROLE rts_publisher; CREATE ROLE rts_builder; CREATE ROLE rts_reader; CREATE ROLE rts_stranger; CREATE ROLE rts_ingest;
CREATE SCHEMA rts AUTHORIZATION rts_owner;
GRANT USAGE ON SCHEMA rts TO rts_publisher, rts_builder, rts_reader, rts_stranger, rts_ingest;
SET ROLE rts_owner;
CREATE TABLE rts.message (id int PRIMARY KEY, tenant text, txt text, received_at timestamptz DEFAULT now());
CREATE VIEW rts.signals AS SELECT id, tenant, txt, received_at FROM rts.message;
SELECT assay.create_policy('rts', 'rts.signals', '{id}', prior => -1);
SELECT assay.create_detector('rts', 'wire', 'txt ~ ''wire''', weight => 3, mode => 'live');
SELECT assay.create_detector('rts', 'drafted', 'txt ~ ''draft''', weight => 3, mode => 'draft');
CREATE TRIGGER decide AFTER INSERT ON rts.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('rts');
GRANT INSERT ON rts.message TO rts_ingest;
CREATE FUNCTION rts.secret(text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true';
REVOKE EXECUTE ON FUNCTION rts.secret FROM PUBLIC;
SELECT assay.grant_access('rts', 'rts_reader', 'reader'), assay.grant_access('rts', 'rts_builder', 'builder'), assay.grant_access('rts', 'rts_publisher', 'publisher');
RESET ROLE;
SET ROLE rts_ingest;
INSERT INTO rts.message VALUES (1, 'a', 'wire'), (2, 'b', 'hello');
RESET ROLE;
INSERT INTO rts.rts_label VALUES (1, true, 'test'), (2, false, 'test');
SELECT policy, role, "right" FROM assay.access ORDER BY role;

-- Who reads a policy cannot put a table of its own under it, which would make it the owner.
CREATE SCHEMA rts_mine AUTHORIZATION rts_reader;
SET ROLE rts_reader;
CREATE TABLE rts_mine.decision (id int);
UPDATE assay.policy SET decision = 'rts_mine.decision', access = NULL WHERE policy = 'rts';
SELECT owner, decision FROM assay.policy WHERE policy = 'rts';
RESET ROLE;
DROP SCHEMA rts_mine CASCADE;

-- Nor is a view of rights that became somebody else's any right.
ALTER VIEW rts.rts_policy OWNER TO rts_stranger;
SET ROLE rts_stranger;
SELECT count(*) FROM assay.policies;
SELECT assay.alter_policy('rts', prior => 5);
RESET ROLE;
ALTER VIEW rts.rts_policy OWNER TO rts_owner;
-- nor does anybody see what the session keeps compiled of others'
SELECT policy FROM assay.policy_cache WHERE policy = 'rts';
SET ROLE rts_stranger;
SELECT policy FROM assay.policy_cache;
-- nor has the owner asked, nor replays who reads the signals alone
SELECT assay_internal.ask_as_owner('rts', 'hits', '{}');
RESET ROLE;
GRANT SELECT ON rts.signals TO rts_stranger;
SET ROLE rts_stranger;
SELECT count(*) FROM assay.replay('rts');
RESET ROLE;
REVOKE SELECT ON rts.signals FROM rts_stranger;

-- Nor can who builds write into the past or the future, or in another's name.
SET ROLE rts_builder;
INSERT INTO assay.revision (policy, revision, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify)
SELECT policy, 2147483647, 'last', prior, thresholds, default_verdict, on_error, log_signals, search_path, notify
FROM assay.revision WHERE policy = 'rts' ORDER BY revision DESC LIMIT 1;
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout) VALUES ('rts', 'was', 1, 'false', 0, 'draft', 1);
UPDATE assay.detector SET until_revision = 2147483647 WHERE policy = 'rts' AND detector = 'drafted';
BEGIN;
INSERT INTO assay.revision (policy, revision, made_at, made_by, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify)
SELECT policy, revision + 1, '2001-01-01', 'rts_owner', 'forged', prior, thresholds, default_verdict, on_error, log_signals, search_path, notify
FROM assay.revision WHERE policy = 'rts' ORDER BY revision DESC LIMIT 1 RETURNING made_by = session_user AS mine, made_at = now() AS now;
ROLLBACK;
RESET ROLE;

-- What each may: 'ok', or the SQLSTATE; everything is taken back.
CREATE FUNCTION tried(role name, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	BEGIN
		EXECUTE call;
		RAISE EXCEPTION 'undo' USING ERRCODE = 'PA999';
	EXCEPTION WHEN SQLSTATE 'PA999' THEN result := 'ok';
		WHEN OTHERS THEN result := SQLSTATE;
	END;
	RESET ROLE;
	RETURN result;
END $$;
CREATE TABLE rts_calls (n serial, call text);
INSERT INTO rts_calls (call) VALUES
	($$SELECT 1 / count(*) FROM assay.policies WHERE policy = 'rts'$$),
	($$SELECT 1 / count(*) FROM assay.detectors WHERE policy = 'rts'$$),
	($$SELECT 1 / count(*) FROM assay.revisions WHERE policy = 'rts'$$),
	($$SELECT 1 / count(*) FROM assay.access WHERE policy = 'rts'$$),
	($$SELECT 1 / count(*) FROM rts.rts_decision$$),
	($$SELECT 1 / count(*) FROM rts.rts_verdict$$),
	($$SELECT 1 / count(*) FROM assay.latest_decisions('rts')$$),
	($$SELECT 1 / count(*) FROM assay.latest_labels('rts')$$),
	($$SELECT 1 / count(*) FROM assay.explain_decision('rts', '1')$$),
	($$SELECT 1 / count(*) FROM assay.precision_report('rts')$$),
	($$SELECT assay.policy_export('rts')$$),
	($$SELECT assay.policy_diff('rts', 1)$$),
	($$SELECT count(*) FROM assay.check('rts')$$),
	($$SELECT x.score FROM (SELECT 1 AS id, 'wire'::text AS txt) s, assay.score('rts', s) x$$),
	($$SELECT count(*) FROM assay.undecided('rts')$$),
	($$SELECT 1 / count(*) FROM assay.replay('rts')$$),
	($$SELECT count(*) FROM assay.compare('rts', 1, 2)$$),
	($$SELECT assay.create_detector('rts', 'd', 'txt = ''x''', mode => 'draft')$$),
	($$SELECT assay.create_detector('rts', 's', 'txt = ''x''', mode => 'shadow')$$),
	($$SELECT assay.alter_detector('rts', 'drafted', condition => 'txt = ''y''')$$),
	($$SELECT assay.drop_detector('rts', 'drafted')$$),
	($$SELECT assay.create_detector('rts', 'secret', 'rts.secret(txt)', mode => 'shadow')$$),
	($$SELECT assay.create_detector('rts', 'l', 'txt = ''x''', mode => 'live')$$),
	($$SELECT assay.alter_detector('rts', 'wire', weight => 4)$$),
	($$SELECT assay.promote('rts', 'drafted')$$),
	($$SELECT assay.retire_detector('rts', 'wire')$$),
	($$SELECT assay.exclude('rts', 'x', 'txt = ''x''', mutes => '{wire}', reason => 'test')$$),
	($$SELECT assay.create_guard('rts', 'g', 'txt = ''x''')$$),
	($$SELECT assay.alter_policy('rts', prior => -3)$$),
	($$SELECT assay.rollback_policy('rts', 2)$$),
	($$SELECT assay.rollback_policy('rts', 1)$$),
	($$SELECT assay.alter_policy('rts', search_path => 'pg_catalog, rts, pg_temp')$$),
	($$SELECT assay.alter_policy('rts', on_error => 'raise')$$),
	($$SELECT assay.alter_policy('rts', log_signals => true)$$),
	($$SELECT assay.alter_policy('rts', notify => '{malicious}', on_unreadable => 'suspicious')$$),
	($$SELECT assay.alter_policy('rts', thresholds => '{"suspicious": 0.1, "malicious": 1}')$$),
	($$SELECT assay.alter_policy('rts', signals => 'rts.signals')$$),
	($$SELECT assay.alter_policy('rts', owner => 'rts_owner')$$),
	($$SELECT assay.grant_access('rts', 'rts_stranger', 'reader')$$),
	($$SELECT assay.revoke_access('rts', 'rts_reader')$$),
	($$DROP TRIGGER decide ON rts.message; SELECT assay.drop_policy('rts')$$),
	($$SELECT assay.set_retention('rts', '1 day')$$),
	($$SELECT assay_internal.store_retention('rts', '1 day', NULL)$$),
	($$SELECT assay_internal.expire_decisions('rts', 'infinity', NULL, 10)$$),
	($$SELECT assay.set_labels('rts', '{human}')$$),
	($$SELECT assay.create_outbox('rts')$$),
	($$SELECT assay.refresh_rollup('rts')$$),
	($$SELECT assay.review_sample('rts', 9)$$),
	($$SELECT assay.upgrade_policy('rts')$$),
	($$SELECT assay.signals_query('rts')$$),
	($$SELECT assay.reads_again('rts', 'rts.message')$$),
	($$SELECT assay.forget('rts', keys => '{1}', dry_run => false)$$),
	($$SELECT assay_internal.forget_messages('rts', NULL, NULL, '{1}', false)$$),
	($$WITH u AS (UPDATE assay.policy SET access = access WHERE policy = 'rts' RETURNING 1) SELECT 1 / count(*) FROM u$$),
	($$INSERT INTO rts.rts_decision (id, revision, verdict, score, attribution) SELECT id, 99, verdict, score, attribution FROM rts.rts_decision$$),
	($$SELECT assay_internal.new_revision('rts', 'x'); INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout) SELECT 'rts', 'mine', max(revision), 'true', 9, 'live', 1 FROM assay.revision WHERE policy = 'rts'$$),
	($$SELECT assay_internal.new_revision('rts', 'x'); WITH u AS (UPDATE assay.detector SET until_revision = (SELECT max(revision) FROM assay.revision WHERE policy = 'rts') WHERE detector = 'wire' RETURNING 1) SELECT 1 / count(*) FROM u$$),
	($$UPDATE assay_internal.policy SET signals = 'a.b'$$),
	($$DELETE FROM assay_internal.revision$$),
	($$WITH d AS (DELETE FROM assay.policy RETURNING 1) SELECT 1 / count(*) FROM d$$);
SELECT call, owner, publisher, builder, reader, stranger, ingest
FROM (SELECT n, left(regexp_replace(call, '\s+', ' ', 'g'), 87) AS call, tried('rts_owner', call) AS owner, tried('rts_publisher', call) AS publisher,
	tried('rts_builder', call) AS builder, tried('rts_reader', call) AS reader, tried('rts_stranger', call) AS stranger, tried('rts_ingest', call) AS ingest
	FROM rts_calls OFFSET 0) c ORDER BY n;
-- row-level security of the tables holds for who is not the owner
ALTER TABLE rts.rts_decision ENABLE ROW LEVEL SECURITY;
ALTER TABLE rts.rts_label ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON rts.rts_decision USING (id = 1);
CREATE POLICY one ON rts.rts_label USING (id = 1);
SET ROLE rts_reader;
SELECT key FROM assay.latest_decisions('rts');
SELECT key FROM assay.latest_labels('rts');
SELECT count(*) FROM assay.latest_decision('rts', '{2}');
SELECT id FROM rts.rts_verdict;
SELECT id FROM rts.rts_label_latest;
RESET ROLE;
SELECT assay.set_labels('rts', '{analyst}');
SET ROLE rts_reader;
SELECT id FROM rts.rts_label_latest;
RESET ROLE;
-- a superuser can't rewrite the past either
DELETE FROM assay_internal.detector;
TRUNCATE assay_internal.revision;
UPDATE assay_internal.detector SET weight = 9;
UPDATE assay_internal.revision SET prior = 9;
-- rights follow the role, whatever its name
ALTER ROLE rts_owner RENAME TO rts_renamed;
CREATE ROLE rts_owner;
SET ROLE rts_owner;
SELECT count(*) FROM assay.policies WHERE policy = 'rts';
RESET ROLE;
SELECT owner FROM assay.policies WHERE policy = 'rts';
DROP ROLE rts_renamed;
REASSIGN OWNED BY rts_renamed TO rts_owner;
SELECT owner FROM assay.policies WHERE policy = 'rts';
SET ROLE rts_ingest;
INSERT INTO rts.message VALUES (3, 'a', 'wire');
RESET ROLE;
SELECT id, verdict, degraded FROM rts.rts_verdict ORDER BY id;
-- faults quote messages, which row-level security may hide, and a backfill has come to one
INSERT INTO assay_internal.backfill_run (policy, revision, since, until, at_column, undecided_only, degraded_only, expected, started_by, last_key)
	VALUES ('rts', 1, now(), now(), 'at', false, false, 3, 'rts_owner', '{3}');
INSERT INTO assay_internal.fault (policy, revision, detector, key, sqlstate, message) VALUES ('rts', 1, 'd', '{3}', '22P02', 'invalid: "wire"');
ALTER TABLE rts.rts_decision DISABLE ROW LEVEL SECURITY;
SET ROLE rts_stranger;
SELECT count(*) FROM assay.fault;
SELECT count(*) FROM assay.backfill_run;
SET ROLE rts_reader;
SELECT key, message FROM assay.fault WHERE policy = 'rts' AND sqlstate = '22P02';
SELECT last_key FROM assay.backfill_run WHERE policy = 'rts' UNION ALL SELECT last_key FROM assay.backfill_progress WHERE policy = 'rts';
RESET ROLE;
ALTER TABLE rts.rts_decision ENABLE ROW LEVEL SECURITY;
SET ROLE rts_reader;
SELECT key, message FROM assay.fault WHERE policy = 'rts' AND sqlstate = '22P02';
SELECT expected, last_key FROM assay.backfill_run WHERE policy = 'rts' UNION ALL SELECT expected, last_key FROM assay.backfill_progress WHERE policy = 'rts';
SELECT detail LIKE '%wire%' AS told FROM assay.check('rts') WHERE "check" = 'faults' AND detail LIKE '%22P02%';
-- what is drawn for review, and changes of verdicts, have keys and verdicts, too
RESET ROLE;
SET ROLE rts_owner;
SELECT count(*) > 0 AS drawn FROM assay.review_sample('rts', 10);
SELECT assay.create_outbox('rts');
SELECT assay.grant_access('rts', 'rts_reader', 'reader');
SELECT has_table_privilege('rts_reader', 'rts.rts_label', 'SELECT') AS label, has_table_privilege('rts_reader', 'rts.rts_review', 'SELECT') AS review,
	has_table_privilege('rts_reader', 'rts.rts_change', 'SELECT') AS change;
GRANT SELECT ON rts.rts_change, rts.rts_review TO rts_reader;
SELECT severity, detail, hint FROM assay.check('rts') WHERE "check" = 'rights';
ALTER TABLE rts.rts_change ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON rts.rts_review FROM rts_reader;
SELECT severity, detail FROM assay.check('rts') WHERE "check" = 'rights';
REVOKE ALL ON rts.rts_change FROM rts_reader;
SELECT assay.grant_access('rts', 'rts_reader', 'reader');
SELECT has_table_privilege('rts_reader', 'rts.rts_review', 'SELECT') AS review, has_table_privilege('rts_reader', 'rts.rts_change', 'SELECT') AS change;
ALTER TABLE rts.rts_change DISABLE ROW LEVEL SECURITY;
ALTER TABLE rts.rts_decision DISABLE ROW LEVEL SECURITY;
SELECT severity, detail FROM assay.check('rts') WHERE "check" = 'rights';
ALTER TABLE rts.rts_decision ENABLE ROW LEVEL SECURITY;
RESET ROLE;
SET ROLE rts_reader;
SET row_security = off;
SELECT key, message FROM assay.fault WHERE policy = 'rts' AND message LIKE '%wire%';
RESET row_security;
SET ROLE rts_builder;
SELECT key, message FROM assay.fault WHERE policy = 'rts' AND sqlstate = '22P02';
SET ROLE rts_owner;
SELECT key, message FROM assay.fault WHERE policy = 'rts' AND sqlstate = '22P02';
SELECT last_key FROM assay.backfill_run WHERE policy = 'rts' UNION ALL SELECT last_key FROM assay.backfill_progress WHERE policy = 'rts';
DELETE FROM assay.backfill_run WHERE policy = 'rts';
DELETE FROM assay.fault WHERE policy = 'rts' AND sqlstate = '22P02';
RESET ROLE;
SELECT count(*) FROM assay_internal.fault WHERE policy = 'rts' AND sqlstate = '22P02';
ALTER TABLE rts.rts_decision DISABLE ROW LEVEL SECURITY;
SELECT assay.revoke_access('rts', 'rts_reader');
SELECT tried('rts_reader', $$SELECT assay.policy_export('rts')$$);

-- Who has a privilege on everything, but nothing of the policy, gains nothing by it: no table of the
-- extension is his to write, above all what others will run, and who can't read can't build, either.
CREATE ROLE rts_writer;
GRANT pg_write_all_data TO rts_writer;
CREATE TABLE rts.sent (id bigint PRIMARY KEY, sender text NOT NULL, received_at timestamptz NOT NULL);
ALTER TABLE rts.sent OWNER TO rts_owner;
SET ROLE rts_owner;
SET search_path = rts;
SELECT assay.create_baseline('rts_sender', source => 'rts.sent', key => '{sender}', at => 'received_at', incremental => true);
RESET search_path;
SELECT assay.create_list('rts_names');
RESET ROLE;
SELECT tried('rts_writer', $$UPDATE assay.baseline SET extra = '{"ran": {"aggregate": "max(pg_temp.evil())", "rollup": "pg_catalog.max"}}'$$) AS expression,
	tried('rts_writer', $$INSERT INTO assay_internal.detector (policy, detector, from_revision, condition, weight, mode, rollout) VALUES ('rts', 'planted', 1, 'false', 0, 'live', 1)$$) AS condition,
	tried('rts_writer', $$INSERT INTO assay_internal.policy (policy, signals, key, decision, label) VALUES ('mine', 'rts.signals', '{id}', 'rts.rts_decision', 'rts.rts_label')$$) AS policy,
	tried('rts_writer', $$UPDATE assay.named_set SET readers = '{rts_writer}'$$) AS reads_list, tried('rts_writer', $$UPDATE assay.named_set SET owner = 'rts_writer'$$) AS owns_list,
	tried('rts_writer', $$INSERT INTO assay.named_set (set, content, owner) VALUES ('rts_new', 'list', 'rts_owner')$$) AS for_another,
	tried('rts_writer', $$SELECT assay.create_list('rts_own')$$) AS own_list,
	tried('rts_writer', $$SELECT assay.create_detector('rts', 'built', 'true', mode => 'live')$$) AS publishes,
	tried('rts_writer', $$SELECT assay.create_detector('rts', 'built', 'true', mode => 'draft')$$) AS builds;
SELECT c.oid::regclass AS written FROM pg_class c WHERE c.relnamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace) AND c.relkind IN ('r', 'p')
	AND ('42501' <> ALL (ARRAY[tried('rts_writer', format('DELETE FROM %s', c.oid::regclass)), tried('rts_writer', format('INSERT INTO %s DEFAULT VALUES', c.oid::regclass))]))
	AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname IN ('check_right', 'owner_writes') AND t.tgtype & 1 = 1) ORDER BY 1;
-- maintain() knows that these are not his to write
SET ROLE rts_writer;
SELECT assay_internal.forget_dropped_roles();
RESET ROLE;
GRANT pg_read_all_data TO rts_writer;
SELECT tried('rts_writer', $$SELECT assay.create_detector('rts', 'built', 'true', mode => 'live')$$) AS publishes;
SELECT assay.drop_baseline('rts.rts_sender'), assay.drop_set('rts_names');
REVOKE pg_read_all_data, pg_write_all_data FROM rts_writer;
DROP ROLE rts_writer;

-- Who builds is told of what the signals may not ask for him, and of nothing that works.
SET ROLE rts_owner;
SELECT assay.create_list('rts_bad');
INSERT INTO assay.list (set, value) VALUES ('rts_bad', 'b');
CREATE VIEW rts.asking AS SELECT id, tenant, assay.in_list('rts_bad', tenant) AS bad, received_at FROM rts.message;
SELECT assay.create_policy('rts_asks', 'rts.asking', '{id}', prior => -1);
SELECT assay.create_detector('rts_asks', 'asks', 'assay.in_list(''rts_bad'', tenant)', weight => 3, mode => 'live');
SET client_min_messages = notice;
SELECT assay.grant_access('rts_asks', 'rts_reader', 'reader'), assay.grant_access('rts_asks', 'rts_publisher', 'publisher');
SET client_min_messages = warning;
SELECT assay.grant_set('rts_bad', 'rts_publisher');
SET client_min_messages = notice;
SELECT assay.grant_access('rts_asks', 'rts_publisher', 'publisher');
SELECT assay.grant_access('rts_asks', 'rts_builder', 'builder');
SET client_min_messages = warning;
SELECT assay.create_detector('rts_asks', 'asks more', 'assay.in_list(''rts_bad'', tenant || '''')', weight => 3, mode => 'draft');
SET ROLE rts_builder;
SELECT assay.alter_detector('rts_asks', 'asks more', mode => 'shadow');
SET ROLE rts_publisher;
SELECT assay.promote('rts_asks', 'asks more');
SELECT assay.alter_policy('rts_asks', prior => -2), assay.rollback_policy('rts_asks', 2);
SELECT severity, detail FROM assay.check('rts_asks') WHERE "check" = 'condition';
SELECT assay.upgrade_policy('rts_asks');
SELECT assay.drop_policy('rts_asks');
SET ROLE rts_owner;
SELECT severity, detail FROM assay.check('rts_asks') WHERE "check" = 'condition';
-- nor does a replay say in silence that nothing changes, which could not ask
SELECT assay.grant_access('rts_asks', 'rts_builder', 'builder');
SET client_min_messages = warning;
SET ROLE rts_builder;
SELECT count(*) AS messages, count(*) FILTER (WHERE assay.degraded(attribution)) AS degraded FROM assay.replay('rts_asks');
SELECT change, messages FROM assay.compare('rts_asks', 1, 2);
SELECT count(*) FROM assay.compare_messages('rts_asks', 1, 2);
SET ROLE rts_owner;
SELECT assay.grant_set('rts_bad', 'rts_builder');
SET ROLE rts_builder;
SELECT count(*) AS messages, count(*) FILTER (WHERE assay.degraded(attribution)) AS degraded FROM assay.replay('rts_asks');
SELECT change, messages FROM assay.compare('rts_asks', 1, 2);
SET ROLE rts_owner;
SELECT assay.drop_policy('rts_asks', true), assay.drop_set('rts_bad');
DROP VIEW rts.asking;
RESET ROLE;

-- Who gets rights on all tables that the owner makes is no publisher for it.
ALTER DEFAULT PRIVILEGES FOR ROLE rts_owner GRANT ALL ON TABLES TO rts_ingest, PUBLIC;
SET ROLE rts_owner;
SELECT assay.create_policy('rts_more', 'rts.signals', '{id}');
SELECT role, "right" FROM assay.access WHERE policy = 'rts_more' ORDER BY role COLLATE "C";
RESET ROLE;
SELECT tried('rts_ingest', $$SELECT assay.create_detector('rts_more', 'built', 'true', mode => 'draft')$$);
-- A view of rights that is gone is told of, and made anew.
DROP VIEW rts.rts_more_policy;
SELECT severity, detail, hint FROM assay.check('rts_more') WHERE "check" = 'rights';
SELECT assay.upgrade_policy('rts_more');
SELECT severity, detail FROM assay.check('rts_more') WHERE "check" = 'rights';
SELECT assay.grant_access('rts_more', 'rts_builder', 'builder');
SELECT role, "right" FROM assay.access WHERE policy = 'rts_more' ORDER BY role COLLATE "C";
-- What another gave by a grant option is not the owner's to take in silence.
SET ROLE rts_owner;
GRANT SELECT, INSERT ON rts.rts_more_policy TO rts_builder WITH GRANT OPTION;
SET ROLE rts_builder;
GRANT SELECT, INSERT ON rts.rts_more_policy TO rts_reader;
SET ROLE rts_owner;
SELECT assay.grant_access('rts_more', 'rts_reader', 'publisher');
SELECT assay.revoke_access('rts_more', 'rts_reader');
SELECT role, "right" FROM assay.access WHERE policy = 'rts_more' ORDER BY role COLLATE "C";
SET ROLE rts_builder;
GRANT SELECT ON rts.rts_more_policy TO PUBLIC;
SET ROLE rts_owner;
SELECT assay.revoke_access('rts_more', 'public');
REVOKE GRANT OPTION FOR ALL ON rts.rts_more_policy FROM rts_builder CASCADE;
-- (who may read the decisions reads the policy, by whatever else there is, and no more)
GRANT ALL ON rts.rts_more_decision TO rts_stranger;
GRANT INSERT, UPDATE ON rts.rts_more_policy TO rts_stranger;
SELECT role, "right" FROM assay.access WHERE policy = 'rts_more' ORDER BY role COLLATE "C";
SELECT assay.revoke_access('rts_more', 'rts_stranger');
SELECT assay.revoke_access('rts_more', 'rts_builder'), assay.revoke_access('rts_more', 'rts_reader');
SELECT role, "right" FROM assay.access WHERE policy = 'rts_more' ORDER BY role COLLATE "C";
RESET ROLE;
SELECT assay.drop_policy('rts_more', true);
ALTER DEFAULT PRIVILEGES FOR ROLE rts_owner REVOKE ALL ON TABLES FROM rts_ingest, PUBLIC;

DROP FUNCTION tried;
DROP TABLE rts_calls;
DROP TRIGGER decide ON rts.message;
SELECT assay.drop_policy('rts', true);
DROP SCHEMA rts CASCADE;
DROP OWNED BY rts_publisher, rts_builder, rts_reader, rts_stranger, rts_ingest, rts_owner, rts_renamed;
DROP ROLE rts_publisher, rts_builder, rts_reader, rts_stranger, rts_ingest, rts_owner, rts_renamed;
