-- health, maintain(), set_retention(): what is wrong, and what is done from time to time
\set SHOW_CONTEXT never
SET client_min_messages = error;
SET timezone = 'UTC';
CREATE ROLE assay_keeper;
CREATE ROLE assay_looker;
CREATE SCHEMA health;
GRANT ALL ON SCHEMA health TO assay_keeper;
GRANT USAGE ON SCHEMA health TO assay_looker;
SET search_path = health;
SET ROLE assay_keeper;
CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sender text, x int, at timestamptz NOT NULL DEFAULT now());
CREATE VIEW signals AS SELECT m.*, 10 / m.x AS quotient FROM message m;
SELECT assay.create_policy('h', 'signals', '{id}', prior => -3, log_signals => true);
SELECT assay.create_detector('h', 'spam', 'x > 3', weight => 8, mode => 'live');
SELECT assay.create_detector('h', 'linear', model => assay.model_from_linear('{x}', '{0.1}', -1), mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('h');
SELECT kind, object, "check", severity FROM assay.health WHERE severity IN ('warning', 'error') ORDER BY 1, 2, 3;
SELECT severity, count(*) >= 8 AS some FROM assay.health WHERE object = 'h' AND severity = 'ok' GROUP BY 1;
-- induced: a trigger off, a fault, a view that is gone, stale things
BEGIN;
ALTER TABLE message DISABLE TRIGGER decide;
INSERT INTO message (sender, x) VALUES ('s', 1);
SELECT "check", severity, detail FROM assay.health WHERE object = 'h' AND severity = 'error';
ROLLBACK;
BEGIN;
ALTER VIEW signals RENAME TO other;
SELECT "check", severity, detail FROM assay.health WHERE object = 'h' AND severity IN ('error', 'warning');
ROLLBACK;
-- a trigger whose policy a restore left out
BEGIN;
CREATE TRIGGER lost AFTER INSERT ON message FOR EACH ROW EXECUTE FUNCTION assay.decide('gone');
SELECT object, "check", severity, detail FROM assay.health WHERE severity = 'error';
RESET ROLE;
SET ROLE assay_looker;
SELECT count(*) FROM assay.health WHERE severity = 'error';
ROLLBACK;
SELECT assay.create_baseline('by_sender', 'message', '{sender}', 'at', incremental => true, arrival => 'id') IS NOT NULL AS made;
CREATE VIEW with_baseline AS SELECT m.id, m.sender, m.at, (SELECT count(*) FROM by_sender b WHERE b.sender = m.sender) AS n FROM message m;
SELECT assay.create_baseline('a_late', 'with_baseline', '{sender}', 'at', extra => '{"n": {"aggregate": "max(n)", "rollup": "max"}}') IS NOT NULL AS made;
SELECT baseline FROM assay_internal.baselines_in_order() WITH ORDINALITY b(baseline, n) ORDER BY n;
SELECT assay.create_list('h_list');
INSERT INTO assay.list (set, value, expires_at) VALUES ('h_list', 'old', now() - interval '1 day'), ('h_list', 'new', now() + interval '1 day'), ('h_list', 'ever', NULL);
INSERT INTO message (sender, x) SELECT 's' || i % 3, 1 + i % 5 FROM generate_series(1, 50) i;
SELECT assay.refresh_rollup('h') > 0 AS counted;
RESET ROLE;
INSERT INTO assay_internal.fault (policy, revision, sqlstate, message, at) VALUES ('h', 1, '22012', 'old', now() - interval '40 days'), ('h', 1, '22012', 'new', now() - interval '20 days');
UPDATE assay.baseline SET as_of = now() - interval '3 days' WHERE relation = 'by_sender'::regclass;
UPDATE assay_internal.rollup SET refreshed_at = now() - interval '2 days' WHERE policy = 'h';
SET ROLE assay_keeper;
SELECT kind, object, "check", severity, hint FROM assay.health WHERE severity IN ('warning', 'error') ORDER BY 1, 2, 3;
-- done: by whom, and twice
CALL assay.maintain();
SELECT role, step, object, state, rows, note FROM assay.maintenance ORDER BY step, object;
SELECT kind, object, "check", severity FROM assay.health WHERE severity IN ('warning', 'error') ORDER BY 1, 2, 3;
SELECT message FROM assay.fault WHERE policy = 'h';
SELECT value FROM assay.list WHERE set = 'h_list' ORDER BY value;
CALL assay.maintain(faults => '10 days');
SELECT step, object, state, rows, note FROM assay.maintenance ORDER BY step, object;
-- one that fails does not stop the others, and tells
ALTER TABLE message RENAME COLUMN sender TO author;
INSERT INTO message (author, x) VALUES ('s', 3);
CALL assay.maintain();
SELECT step, object, state, note, done_at IS NOT NULL AS was_done FROM assay.maintenance ORDER BY step, object;
SELECT kind, object, severity FROM assay.health WHERE kind = 'maintenance' AND severity <> 'ok';
ALTER TABLE message RENAME COLUMN author TO sender;
CALL assay.maintain();
SELECT count(*) FILTER (WHERE state = 'done') AS done, count(*) AS steps FROM assay.maintenance;
-- retention: decisions, and signals before these
SELECT assay.set_retention('h', decisions => '90 days', signals => '30 days') > 0 AS revised;
SELECT * FROM assay.retention;
UPDATE h_decision SET decided_at = now() - interval '100 days' WHERE id <= 25;
UPDATE h_decision SET decided_at = now() - interval '40 days' WHERE id BETWEEN 26 AND 40;
CALL assay.maintain(batch => 7);
SELECT count(*) AS decisions, count(signals) AS with_signals, min(id) AS first FROM h_decision;
SELECT state, rows < 7 AS rest FROM assay.maintenance WHERE step = 'retention';
-- ledgers keep what would be made of signals that go: the contributions of a model's features
INSERT INTO message (sender, x) VALUES ('kept', 1);
SELECT l.signals FROM h_decision d, assay.ledger(d.attribution) l WHERE l.detector = 'linear' AND d.id = (SELECT max(id) FROM message);
SELECT assay.set_retention('h', decisions => '90 days') > 0 AS revised;
INSERT INTO message (sender, x) VALUES ('not kept', 1);
SELECT l.signals FROM h_decision d, assay.ledger(d.attribution) l WHERE l.detector = 'linear' AND d.id = (SELECT max(id) FROM message);
-- the limit, and below it
SELECT assay.set_retention('h', decisions => '1 hour') > 0 AS revised;
SELECT assay.set_retention('h', decisions => '1 hour', signals => '1000 years') > 0 AS revised;
SELECT assay.set_retention('h', decisions => '59:59.999999');
SELECT assay.set_retention('h', signals => '59:59.999999');
SELECT assay.set_retention('h', decisions => '1000 years 1 us');
SELECT assay.set_retention('h', signals => '1000 years 1 us');
SELECT assay.set_retention('h', signals => '-1 day');
SELECT assay.set_retention('h', signals => '2000 years');
SELECT assay.set_retention('nowhere', '1 day');
SELECT assay.set_retention(NULL, '1 day');
SELECT assay_internal.expire_decisions('h', now(), NULL, 0);
SELECT assay.set_retention('h') > 0 AS revised;
CALL assay.maintain(batch => 0);
CALL assay.maintain(faults => NULL);
CALL assay.maintain(faults => '-1 day');
BEGIN;
CALL assay.maintain();
ROLLBACK;
-- rights: a reader sees the policy's health, and keeps nothing of it
SELECT assay.grant_access('h', 'assay_looker', 'reader');
SET ROLE assay_looker;
SELECT count(*) > 8 AS seen FROM assay.health WHERE object = 'h';
SELECT count(*) AS others FROM assay.health WHERE kind IN ('baseline', 'maintenance');
CALL assay.maintain();
SELECT * FROM assay.maintenance;
-- nor of what is no step of anybody's, or another's
SELECT assay_internal.note_step(step, object, 'done', 1, 1, repeat('x', 1000)) FROM (VALUES ('any', 'thing'), ('faults', 'h'), ('list', NULL)) v(step, object);
SELECT * FROM assay.maintenance;
SELECT assay.set_retention('h', '1 day');
SELECT assay_internal.expire_decisions('h', 'infinity', NULL, 10);
SELECT assay_internal.store_retention('h', '1 day', NULL);
RESET ROLE;
SET ROLE assay_keeper;
DROP TRIGGER decide ON message;
SELECT assay.drop_baseline('a_late');
DROP VIEW with_baseline;
SELECT assay.drop_baseline('by_sender');
SELECT assay.drop_set('h_list');
SELECT assay.drop_policy('h', true);
RESET ROLE;
SELECT count(*) AS left_over FROM assay_internal.retention;
DELETE FROM assay_internal.maintenance WHERE role = 'assay_keeper'::regrole;
DROP SCHEMA health CASCADE;
DROP ROLE assay_keeper, assay_looker;
-- roles that were dropped: their numbers in lists would be whose they are where a dump is restored
CREATE ROLE assay_gone;
CREATE ROLE assay_left;
CREATE ROLE assay_stays;
SET ROLE assay_gone;
SELECT assay.create_list('of_gone', readers => '{assay_left,assay_stays,public}');
SELECT assay.create_phrase_set('phrases_of_gone');
RESET ROLE;
SET ROLE assay_stays;
SELECT assay.create_list('of_stays', readers => '{assay_left}');
RESET ROLE;
DROP ROLE assay_gone, assay_left;
SET ROLE assay_stays;
CALL assay.maintain();
RESET ROLE;
SELECT set, owner ~ '^[0-9]+$' AS owner_is_gone, readers FROM (SELECT set, owner::text, cardinality(readers) AS readers FROM assay.named_set WHERE set LIKE '%of\_%') s ORDER BY 1;
CALL assay.maintain();
SELECT set, owner = (SELECT relowner FROM pg_class WHERE oid = 'assay.named_set'::regclass) AS of_extension, readers FROM assay.named_set WHERE set LIKE '%of\_%' ORDER BY 1;
SELECT assay.drop_set(set) FROM assay.named_sets WHERE set LIKE '%of\_%';
DELETE FROM assay_internal.maintenance;
DROP ROLE assay_stays;
-- who looks at all policies runs nothing with his rights of what a stranger put on his tables, who let everybody read them
CREATE ROLE assay_stranger;
CREATE ROLE assay_looker;
CREATE SCHEMA health AUTHORIZATION assay_stranger;
GRANT USAGE ON SCHEMA health TO PUBLIC;
SET ROLE assay_stranger;
SET search_path = health;
CREATE TABLE ran (place text, by_role name);
GRANT INSERT ON ran TO PUBLIC;
CREATE FUNCTION spy(place text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
	IF current_user <> 'assay_stranger' THEN
		INSERT INTO health.ran VALUES (place, current_user);
	END IF;
	RETURN true;
END $$;
CREATE FUNCTION spy_on_plan(place text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN RETURN health.spy(place); END $$;
CREATE TABLE message (id int PRIMARY KEY, x int, received_at timestamptz NOT NULL DEFAULT now());
CREATE VIEW signals AS SELECT id, x, received_at FROM message WHERE spy('view');
SELECT assay.create_policy('strange', 'signals', '{id}', log_signals => true);
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('strange');
INSERT INTO message SELECT i, i FROM generate_series(1, 20) i;
INSERT INTO strange_label SELECT i, true, 'test' FROM generate_series(1, 20) i;
CREATE INDEX ON strange_decision (verdict) WHERE spy_on_plan('index');
CREATE INDEX ON strange_label (malicious) WHERE spy_on_plan('label index');
CREATE INDEX ON message (x) WHERE spy_on_plan('message index');
CREATE POLICY p ON strange_decision USING (spy('decision'));
CREATE POLICY p ON strange_label USING (spy('label'));
CREATE POLICY p ON message USING (spy('message'));
GRANT SELECT ON ALL TABLES IN SCHEMA health TO assay_looker;
SET ROLE assay_looker;
-- each kind of the tables by itself
SET client_min_messages = warning;
DO $$
DECLARE
	t text;
	found text;
BEGIN
	FOREACH t IN ARRAY '{nothing,strange_decision,strange_label,message}'::text[] LOOP
		RESET ROLE;
		IF t <> 'nothing' THEN
			EXECUTE format('ALTER TABLE health.%I ENABLE ROW LEVEL SECURITY', t);
		END IF;
		SET LOCAL ROLE assay_looker;
		SELECT string_agg(format('%s %s', h."check", h.severity), ', ' ORDER BY h."check") INTO found FROM assay.health h WHERE h.object = 'strange' AND h.severity <> 'ok'
			AND h."check" <> 'statistics'; -- it asks for preload
		RAISE WARNING '%: % (%)', t, found, (SELECT string_agg(a.detail, ', ') FROM assay.alerts a WHERE a.policy = 'strange');
		CALL assay.maintain();
		RESET ROLE;
		IF t <> 'nothing' THEN
			EXECUTE format('ALTER TABLE health.%I DISABLE ROW LEVEL SECURITY', t);
		END IF;
	END LOOP;
END $$;
SET client_min_messages = error;
SELECT count(*) AS told FROM assay_internal.told_by_owner('strange', 'health') t WHERE t->>'check' <> 'statistics';
RESET ROLE;
SELECT DISTINCT * FROM health.ran;
-- nor is he told by the owner what he may not read himself
ALTER TABLE health.message ENABLE ROW LEVEL SECURITY;
SET ROLE assay_looker;
SELECT assay_internal.told_by_owner('strange', 'health');
RESET ROLE;
ALTER TABLE health.message DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON health.signals FROM assay_looker;
SET ROLE assay_looker;
SELECT assay_internal.told_by_owner('strange', 'alerts');
SELECT count(*) FROM assay_internal.told_by_owner('strange', 'logged alerts');
RESET ROLE;
GRANT SELECT ON health.signals TO assay_looker;
-- whichever way it is spelt
DO $$
DECLARE
	spelt text;
BEGIN
	FOREACH spelt IN ARRAY '{true,t,YES,On,1}'::text[] LOOP
		EXECUTE format('ALTER VIEW health.signals SET (security_invoker = %L)', spelt);
		SET LOCAL ROLE assay_looker;
		BEGIN
			PERFORM assay_internal.told_by_owner('strange', 'alerts');
			RAISE WARNING 'told, where security_invoker is %', spelt;
		EXCEPTION WHEN insufficient_privilege THEN
			NULL;
		END;
		RESET ROLE;
	END LOOP;
END $$;
ALTER VIEW health.signals RESET (security_invoker);
-- nor what row-level security below the view hides from him
SET ROLE assay_stranger;
CREATE TABLE health.beside (id int PRIMARY KEY);
CREATE OR REPLACE VIEW health.signals AS SELECT m.id, m.x, m.received_at FROM health.message m LEFT JOIN health.beside USING (id);
RESET ROLE;
ALTER TABLE health.beside ENABLE ROW LEVEL SECURITY;
SET ROLE assay_looker;
SELECT assay_internal.told_by_owner('strange', 'alerts');
RESET ROLE;
ALTER TABLE health.beside DISABLE ROW LEVEL SECURITY;
-- what the stranger raises, and where he sleeps, blinds nobody for other policies
SET ROLE assay_stranger;
CREATE OR REPLACE FUNCTION health.spy(place text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE EXCEPTION 'go away' USING ERRCODE = 'query_canceled', HINT = 'GRANT it all TO me'; END $$;
\c -
SET client_min_messages = error;
SET ROLE assay_looker;
SELECT "check", severity, detail, hint FROM assay.health WHERE object = 'strange' AND detail ~ 'go away';
SELECT kind, severity FROM assay.alerts WHERE policy = 'strange' AND detail = 'go away';
-- a superuser, and who is the owner's member, have chosen no more
RESET ROLE;
SELECT "check", severity, detail, hint FROM assay.health WHERE object = 'strange' AND detail ~ 'go away';
-- nor by so much that it goes to a file
SET ROLE assay_stranger;
CREATE OR REPLACE FUNCTION health.spy(place text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE EXCEPTION '%', repeat('go away ', 100000); END $$;
\c -
SET client_min_messages = warning;
SET work_mem = '64kB';
SET ROLE assay_looker;
SELECT kind, severity, length(detail) FROM assay.alerts WHERE policy = 'strange' AND kind = 'signal drift';
RESET ROLE;
RESET work_mem;
-- nor does he end their sessions, or has the time of a transaction of theirs begin anew
SET ROLE assay_stranger;
CREATE OR REPLACE FUNCTION health.spy(place text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
	IF current_setting('transaction_timeout', true) IS NOT NULL THEN
		BEGIN
			PERFORM set_config('transaction_timeout', '20ms', false);
			PERFORM pg_sleep(1);
		EXCEPTION WHEN insufficient_privilege THEN NULL;
		END;
		BEGIN
			PERFORM set_config('transaction_timeout', '0', false);
			RAISE EXCEPTION 'their time begins anew';
		EXCEPTION WHEN insufficient_privilege THEN NULL;
		END;
	END IF;
	PERFORM set_config('exit_on_error', 'on', false);
	RAISE EXCEPTION 'go away';
END $$;
\c -
SET client_min_messages = error;
DO $$ BEGIN IF current_setting('transaction_timeout', true) IS NOT NULL THEN PERFORM set_config('transaction_timeout', '1h', false); END IF; END $$;
SET ROLE assay_looker;
SELECT kind, severity, detail FROM assay.alerts WHERE policy = 'strange' AND kind = 'signal drift';
RESET ROLE;
SET ROLE assay_stranger;
CREATE OR REPLACE FUNCTION health.spy(place text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN PERFORM pg_sleep(100000); RETURN true; END $$;
\c -
SET client_min_messages = error;
SET assay.message_budget = 20;
SET ROLE assay_looker;
SELECT "check", severity, detail FROM assay.health WHERE object = 'strange' AND severity = 'error';
RESET ROLE;
RESET assay.message_budget;
SET ROLE assay_stranger;
CREATE OR REPLACE FUNCTION health.spy(place text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RETURN true; END $$;
\c -
SET client_min_messages = error;
REVOKE SELECT ON health.strange_label FROM assay_looker;
SET ROLE assay_looker;
SELECT assay_internal.told_by_owner('strange', 'health');
SELECT assay_internal.told_by_owner('strange', 'decisions');
RESET ROLE;
REVOKE SELECT ON ALL TABLES IN SCHEMA health FROM assay_looker;
SET ROLE assay_looker;
SELECT assay_internal.told_by_owner('strange', 'health');
RESET ROLE;
SELECT DISTINCT * FROM health.ran;
-- nor does he wait for it, nor a superuser; what is another's all the same is told
SET ROLE assay_stranger;
SELECT assay.create_policy('strange_2', 'health.signals', '{id}', log_signals => true);
ALTER VIEW health.signals RESET (security_invoker);
CREATE OR REPLACE FUNCTION health.spy_on_plan(place text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN PERFORM pg_sleep(1000); RETURN true; END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA health TO assay_looker;
RESET ROLE;
SET assay.message_budget = '50ms';
SELECT object, detail, hint FROM assay.health WHERE object = 'strange' AND severity = 'error';
SELECT policy, kind, detail FROM assay.alerts WHERE policy LIKE 'strange%' ORDER BY 1;
SET ROLE assay_looker;
SELECT object, detail FROM assay.health WHERE object = 'strange' AND severity = 'error';
RESET ROLE;
SET client_min_messages = warning;
-- all policies of an owner have it together
DO $$
BEGIN
	FOR i IN 1..2 LOOP
		BEGIN
			PERFORM assay_internal.told_by_owner(CASE i WHEN 1 THEN 'strange' ELSE 'strange_2' END, 'health');
		EXCEPTION WHEN OTHERS THEN RAISE WARNING '%', SQLERRM;
		END;
	END LOOP;
END $$;
SET client_min_messages = error;
RESET assay.message_budget;
SELECT assay.drop_policy('strange_2', true);
DROP TRIGGER decide ON health.message;
SELECT assay.drop_policy('strange', true);
DROP SCHEMA health CASCADE;
DROP ROLE assay_stranger, assay_looker;
