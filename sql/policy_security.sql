-- Who may do what: configuration by owner, rules as the owner, ingest by INSERT.
\set VERBOSITY terse
CREATE ROLE sec_owner; CREATE ROLE sec_member IN ROLE sec_owner; CREATE ROLE sec_other; CREATE ROLE sec_ingest;
CREATE SCHEMA sec AUTHORIZATION sec_owner;
GRANT USAGE ON SCHEMA sec TO sec_ingest, sec_other;
SET ROLE sec_owner;
CREATE TABLE sec.message (id int PRIMARY KEY, txt text);
CREATE TABLE sec.secret (word text);
INSERT INTO sec.secret VALUES ('hidden');
CREATE VIEW sec.signals AS SELECT id, txt, txt IN (SELECT word FROM sec.secret) AS has_secret FROM sec.message;
SELECT assay.create_policy('sec', 'sec.signals', '{id}', prior => 0);
SELECT assay.create_detector('sec', 'secret', 'has_secret', weight => 3, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON sec.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('sec');
GRANT INSERT ON sec.message TO sec_ingest;
RESET ROLE;

-- the ingest role has INSERT and nothing else
SET ROLE sec_ingest;
INSERT INTO sec.message VALUES (1, 'hidden'), (2, 'x');
SELECT count(*) FROM sec.sec_decision;
SELECT count(*) FROM assay.policy;
SELECT assay.alter_policy('sec', prior => 5);
SELECT assay.create_detector('sec', 'mine', 'true', weight => 9, mode => 'live');
SELECT assay.explain_decision('sec', '1');
SELECT x.score FROM (SELECT 1 AS id, 'x' AS txt, true AS has_secret) s, assay.score('sec', s) x;
UPDATE assay.policy SET owner = 'sec_ingest';
DELETE FROM assay.policy;
UPDATE assay.detector SET until_revision = 99;
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout) VALUES ('sec', 'mine', 9, 'true', 9, 'live', 1);
INSERT INTO assay.fault (policy, revision, sqlstate, message) VALUES ('sec', 1, 'x', 'x');
SELECT assay_internal.check_condition('sec', 'has_secret', 'probe', false);
-- nor by a table of its own with the owner's policy on it
RESET ROLE;
GRANT CREATE ON SCHEMA sec TO sec_ingest;
SET ROLE sec_ingest;
CREATE TABLE sec.mine (id int, txt text);
CREATE TRIGGER decide AFTER INSERT ON sec.mine REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('sec');
INSERT INTO sec.mine VALUES (7, 'hidden');
DROP TABLE sec.mine;
RESET ROLE;
SELECT id, verdict, degraded FROM sec.sec_decision ORDER BY id;

-- whoever reads decisions may score
GRANT SELECT ON sec.sec_decision TO sec_other;
SET ROLE sec_other;
SELECT x.verdict FROM (SELECT 1 AS id, 'x' AS txt, true AS has_secret) s, assay.score('sec', s) x;
SELECT count(*) FROM assay.detectors;
RESET ROLE;

-- a member may change it; nobody may overwrite the past
SET ROLE sec_member;
SELECT assay.alter_detector('sec', 'secret', weight => 4);
UPDATE assay.detector SET weight = 5;
UPDATE assay.detector SET until_revision = NULL WHERE until_revision IS NOT NULL;
UPDATE assay.revision SET prior = 5;
DELETE FROM assay.detector;
RESET ROLE;
UPDATE assay.detector SET weight = 5;
SELECT detector, weight, from_revision, until_revision FROM assay.detector ORDER BY from_revision;

-- operators and functions planted where a search_path would find them
CREATE FUNCTION public.planted_eq(int, int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE NOTICE 'planted as %', current_user; RETURN true; END $$;
CREATE OPERATOR public.= (LEFTARG = int, RIGHTARG = int, FUNCTION = public.planted_eq);
CREATE FUNCTION public.length(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE NOTICE 'planted as %', current_user; RETURN 1; END $$;
SET search_path = public, pg_catalog;
SET ROLE sec_member;
SELECT assay.create_detector('sec', 'ops', 'id = 1 AND length(txt) = 1', weight => 1, mode => 'live');
RESET ROLE;
SET ROLE sec_ingest;
SET search_path = public, pg_catalog;
INSERT INTO sec.message VALUES (10, 'y');
RESET ROLE;
RESET search_path;
DROP OPERATOR public.= (int, int);
DROP FUNCTION public.planted_eq, public.length;

-- a function of the owner's can't write from a condition, nor leave its role
SET ROLE sec_owner;
CREATE FUNCTION sec.writes(text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN INSERT INTO sec.secret VALUES ('written'); RETURN true; END $$;
CREATE FUNCTION sec.escapes(text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN EXECUTE 'SET ROLE sec_ingest'; RETURN true; END $$;
CREATE FUNCTION sec.resets(text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN EXECUTE 'RESET ROLE'; RETURN true; END $$;
CREATE FUNCTION sec.temps(text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM set_config('role', 'postgres', false); RETURN true; END $$;
CREATE FUNCTION sec.whoami(text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_user = 'sec_owner' AND current_setting('search_path') = 'pg_catalog, assay, pg_temp'; END $$;
SELECT assay.create_detector('sec', 'writes', 'sec.writes(txt)', weight => 1, mode => 'live');
SELECT assay.create_detector('sec', 'escapes', 'sec.escapes(txt)', weight => 1, mode => 'live');
SELECT assay.create_detector('sec', 'resets', 'sec.resets(txt)', weight => 1, mode => 'live');
SELECT assay.create_detector('sec', 'temps', 'sec.temps(txt)', weight => 1, mode => 'live');
SELECT assay.create_detector('sec', 'whoami', 'sec.whoami(txt)', weight => 1, mode => 'live');
RESET ROLE;
SET ROLE sec_ingest;
INSERT INTO sec.message VALUES (20, 'y');
SELECT current_user;
RESET ROLE;
-- what the policy is made of is told to its owner, not to who inserts
SET assay.fault_limit = 1;
SET ROLE sec_ingest;
INSERT INTO sec.message VALUES (21, 'y');
RESET ROLE;
SELECT count(*) FROM assay.fault WHERE key = '{21}' AND suspended;
SET ROLE sec_owner;
SELECT assay.alter_detector('sec', 'whoami', description => 'another revision');
INSERT INTO sec.message VALUES (22, 'y');
RESET ROLE;
RESET assay.fault_limit;
SELECT l.detector, l.hit, l.fault FROM sec.sec_decision d, assay.ledger(d.attribution) l WHERE d.id = 20 AND entry > 0 ORDER BY entry;
SELECT count(*) FROM sec.secret;
SET ROLE sec_other;
SELECT x.attribution::text ~ '"detector": "whoami", "kind": "rule", "contribution": 1, "hit": true' AS as_owner FROM (SELECT 1 AS id, 'x' AS txt, true AS has_secret) s, assay.score('sec', s) x;
SELECT current_user, current_setting('search_path');
RESET ROLE;

-- types bring code along, which must not run as the owner: no right to score
SET ROLE sec_owner;
CREATE TABLE sec.mail (id int PRIMARY KEY, words text[], n int);
CREATE VIEW sec.mail_signals AS SELECT id, words, n FROM sec.mail;
SELECT assay.create_policy('crafted', 'sec.mail_signals', '{id}', prior => 0, on_error => 'raise');
SELECT assay.create_detector('crafted', 'words', 'words && ''{wire,card}''', weight => 3, mode => 'live');
SELECT assay.create_detector('crafted', 'n', 'n = 3', weight => 3, mode => 'live');
RESET ROLE;
CREATE SCHEMA sec_crafted AUTHORIZATION sec_other;
GRANT USAGE ON SCHEMA sec_crafted TO PUBLIC;
SET ROLE sec_other;
CREATE FUNCTION sec_crafted.steals(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE NOTICE 'as %: %', current_user, (SELECT word FROM sec.secret LIMIT 1); RETURN true; END $$;
CREATE DOMAIN sec_crafted.word AS text CHECK (sec_crafted.steals(VALUE));
CREATE TYPE sec_crafted.number AS (i int);
CREATE FUNCTION sec_crafted.to_int(sec_crafted.number) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM sec_crafted.steals(''); RETURN 3; END $$;
CREATE CAST (sec_crafted.number AS int) WITH FUNCTION sec_crafted.to_int(sec_crafted.number) AS IMPLICIT;
SELECT x.verdict FROM (SELECT 1 AS id, NULL::sec_crafted.word[] AS words, 3 AS n) s, assay.score('crafted', s) x;
-- nor does it tell what the policy says
SELECT x.verdict FROM (SELECT 1 AS id) s, assay.score('crafted', s) x;
RESET ROLE;
-- the right to score, with such a type; without one; where the view has it too
GRANT SELECT ON sec.crafted_decision TO sec_other;
SET ROLE sec_other;
SELECT x.verdict FROM (SELECT 1 AS id, NULL::sec_crafted.word[] AS words, 3 AS n) s, assay.score('crafted', s) x;
SELECT x.verdict FROM (SELECT 1 AS id, NULL::text[] AS words, ROW(3)::sec_crafted.number AS n) s, assay.score('crafted', s) x;
SELECT x.verdict FROM (SELECT 1 AS id, NULL::text[] AS words, ROW(ROW(3)::sec_crafted.number) AS n) s, assay.score('crafted', s) x;
SELECT x.verdict FROM (SELECT 1 AS id, NULL::text[] AS words, 3 AS n, ROW(3)::sec_crafted.number AS another) s, assay.score('crafted', s) x;
RESET ROLE;
SET ROLE sec_owner;
-- (the owner scores rows of other types, but not of such)
SELECT x.verdict FROM (SELECT 1 AS id, '{wire}'::varchar[] AS words, 3::bigint AS n) s, assay.score('crafted', s) x;
SELECT x.verdict FROM (SELECT 1 AS id, NULL::text[] AS words, ROW(3)::sec_crafted.number AS n) s, assay.score('crafted', s) x;
-- (what the view no longer has is not a signal, even of whoever has it)
ALTER VIEW sec.mail_signals RENAME n TO m;
SELECT x.verdict FROM (SELECT 1 AS id, '{wire}'::text[] AS words, 3 AS n) s, assay.score('crafted', s) x;
DROP VIEW sec.mail_signals;
CREATE VIEW sec.mail_signals AS SELECT id, words, NULL::sec_crafted.number AS n FROM sec.mail;
RESET ROLE;
SET ROLE sec_other;
SELECT x.verdict FROM (SELECT 1 AS id, NULL::text[] AS words, NULL::sec_crafted.number AS n) s, assay.score('crafted', s) x;
RESET ROLE;
SET ROLE sec_owner;
SELECT assay.drop_policy('crafted', true);
RESET ROLE;
DROP SCHEMA sec_crafted CASCADE;

-- names are looked up on the policy's search_path, whoever asks
SET ROLE sec_owner;
CREATE VIEW sec.names AS SELECT 1 AS id, 'secret'::text AS txt;
SELECT assay.create_policy('names', 'sec.names', '{id}', prior => 0);
SELECT assay.create_detector('names', 'visible', 'to_regclass(txt) IS NOT NULL', weight => 5, mode => 'live');
SET search_path = sec, public;
SELECT x.verdict FROM sec.names s, assay.score('names', s) x;
RESET search_path;
SELECT x.verdict FROM sec.names s, assay.score('names', s) x;
SELECT assay.drop_policy('names', true);
RESET ROLE;

-- the policy's schema is closed to who inserts
CREATE SCHEMA sec_inbox AUTHORIZATION sec_owner;
GRANT USAGE ON SCHEMA sec_inbox TO sec_ingest;
SET ROLE sec_owner;
CREATE TABLE sec_inbox.message (id int PRIMARY KEY, n int);
CREATE VIEW sec.inbox_signals AS SELECT id, n FROM sec_inbox.message;
SELECT assay.create_policy('inbox', 'sec.inbox_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON sec_inbox.message FOR EACH ROW EXECUTE FUNCTION assay.decide('inbox');
GRANT INSERT ON sec_inbox.message TO sec_ingest;
REVOKE USAGE ON SCHEMA sec FROM sec_ingest;
RESET ROLE;
SET ROLE sec_ingest;
INSERT INTO sec_inbox.message VALUES (1, 1);
RESET ROLE;
SELECT id, verdict FROM sec.inbox_decision;
SET ROLE sec_owner;
DROP TRIGGER decide ON sec_inbox.message;
SELECT assay.drop_policy('inbox', true);
RESET ROLE;
DROP SCHEMA sec_inbox CASCADE;

-- what a policy's code sets stays in no session, where all is set as it is for policies already, too
SET ROLE sec_owner;
CREATE TABLE sec.set_message (id int PRIMARY KEY, txt text);
CREATE FUNCTION sec.sets(txt text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('search_path', 'sec, pg_catalog', false), set_config('idle_session_timeout', '1h', false), set_config('sec.mine', 'set', false);
	RETURN txt;
END $$;
CREATE VIEW sec.set_signals AS SELECT id, sec.sets(txt) AS txt FROM sec.set_message;
SELECT assay.create_policy('sets', 'sec.set_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON sec.set_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('sets');
\c -
SET datestyle = 'ISO, MDY';
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET jit = off;
SET search_path = pg_catalog, assay, pg_temp;
INSERT INTO sec.set_message VALUES (1, 'x');
INSERT INTO sec.set_message VALUES (2, 'x'), (3, 'x');
SELECT name, current_setting(name, true) FROM unnest('{search_path,idle_session_timeout,sec.mine}'::text[]) AS s (name);
SELECT id, degraded FROM sec.sets_decision ORDER BY id;
DROP TRIGGER decide ON sec.set_message;
SELECT assay.drop_policy('sets', true);
DROP VIEW sec.set_signals;
DROP FUNCTION sec.sets;
DROP TABLE sec.set_message;
\c -

-- a session has no say in how long the policy's phrases may take
SET ROLE sec_owner;
CREATE TABLE sec.compiled_message (id int PRIMARY KEY, txt text);
CREATE TABLE sec.compiled_phrase (name text, pattern text);
INSERT INTO sec.compiled_phrase VALUES ('wire', 'wire\s+transfer'), ('slow', '(foo[a-z]{1,100}\s+){1,50}x');
CREATE VIEW sec.compiled_signals AS SELECT id, assay.phrase_hits((SELECT assay.phrases(array_agg(name), array_agg(pattern), 'regex') FROM sec.compiled_phrase), txt) AS hits
FROM sec.compiled_message;
SELECT assay.create_policy('compiled', 'sec.compiled_signals', '{id}', prior => 0);
SELECT assay.create_detector('compiled', 'wire', condition => $$'wire' = ANY (hits)$$, weight => 3, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON sec.compiled_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('compiled');
RESET ROLE;
SET assay.message_budget = '60s';
SET assay.phrase_compile_timeout = '10ms';
INSERT INTO sec.compiled_message VALUES (1, 'a wire transfer');
RESET assay.phrase_compile_timeout;
RESET assay.message_budget;
SELECT id, verdict, degraded FROM sec.compiled_decision;
SET ROLE sec_owner;
DROP TRIGGER decide ON sec.compiled_message;
SELECT assay.drop_policy('compiled', true);
DROP VIEW sec.compiled_signals;
DROP TABLE sec.compiled_message, sec.compiled_phrase;
RESET ROLE;

-- its cursors are its own: a policy's code neither reads them, nor puts another in their place, nor leaves one behind
SET ROLE sec_owner;
CREATE TABLE sec.cursor_message (id int PRIMARY KEY, what text);
CREATE FUNCTION sec.says() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'the policy''s code as ' || current_user; END $$;
CREATE FUNCTION sec.cursors(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c refcursor := 'sec_cursor';
	r text;
BEGIN
	IF what = 'read' THEN
		FETCH c INTO r;
	ELSIF what = 'close' THEN
		CLOSE c;
	ELSE
		OPEN c FOR SELECT sec.says();
	END IF;
	RETURN what;
END $$;
CREATE VIEW sec.cursor_signals AS SELECT id, sec.cursors(what) AS what FROM sec.cursor_message;
SELECT assay.create_policy('cursors', 'sec.cursor_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON sec.cursor_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('cursors');
RESET ROLE;
BEGIN;
DECLARE sec_cursor SCROLL CURSOR FOR SELECT current_user || ' ' || i FROM generate_series(1, 3) i;
FETCH sec_cursor;
INSERT INTO sec.cursor_message VALUES (1, 'read'), (2, 'close'), (3, 'open');
FETCH sec_cursor;
INSERT INTO sec.cursor_message VALUES (4, 'close');
FETCH sec_cursor;
CLOSE sec_cursor;
INSERT INTO sec.cursor_message VALUES (5, 'open');
INSERT INTO sec.cursor_message VALUES (6, 'open'), (7, 'none');
SELECT name FROM pg_cursors;
DECLARE sec_cursor CURSOR WITH HOLD FOR SELECT current_user;
COMMIT;
INSERT INTO sec.cursor_message VALUES (8, 'read');
FETCH sec_cursor;
CLOSE sec_cursor;
-- nor those that loops read from
DO $$
DECLARE
	c CURSOR FOR SELECT current_user || ' ' || i AS row FROM generate_series(1, 3) i;
BEGIN
	c := 'sec_cursor';
	FOR r IN c LOOP
		INSERT INTO sec.cursor_message SELECT 10 + count(*), 'read' FROM sec.cursor_message;
		RAISE NOTICE '%', r.row;
	END LOOP;
END $$;
SELECT id, degraded FROM sec.cursors_decision ORDER BY id;
SELECT DISTINCT sqlstate, message FROM assay.fault WHERE policy = 'cursors' ORDER BY message;
-- nor where it is a report that runs its code
SET ROLE sec_owner;
CREATE FUNCTION sec.replaces_cursor() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	c refcursor := 'sec_cursor';
BEGIN
	CLOSE c;
	OPEN c FOR SELECT sec.says();
	RETURN true;
END $$;
INSERT INTO sec.cursors_label (id, malicious, source) VALUES (1, true, 'analyst');
ALTER TABLE sec.cursors_label ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON sec.cursors_label USING (sec.replaces_cursor());
RESET ROLE;
BEGIN;
DECLARE sec_cursor CURSOR FOR SELECT current_user || ' ' || i FROM generate_series(1, 3) i;
FETCH sec_cursor;
SAVEPOINT before_report;
FETCH sec_cursor;
SELECT FROM assay.precision_report('cursors');
ROLLBACK TO before_report;
FETCH sec_cursor;
COMMIT;
BEGIN;
DECLARE sec_cursor CURSOR WITH HOLD FOR SELECT current_user || ' ' || i FROM generate_series(1, 3) i;
COMMIT;
FETCH sec_cursor;
SELECT FROM assay.precision_report('cursors');
FETCH sec_cursor;
CLOSE sec_cursor;
-- nor where it is a materialized view's, as a baseline's
SET ROLE sec_owner;
CREATE MATERIALIZED VIEW sec.replacing AS SELECT sec.replaces_cursor() WITH NO DATA;
RESET ROLE;
BEGIN;
DECLARE sec_cursor CURSOR FOR SELECT current_user || ' ' || i FROM generate_series(1, 3) i;
SAVEPOINT before_refresh;
REFRESH MATERIALIZED VIEW sec.replacing;
ROLLBACK TO before_refresh;
FETCH sec_cursor;
COMMIT;
DROP MATERIALIZED VIEW sec.replacing;
-- what it leaves open is closed
BEGIN;
SET LOCAL ROLE sec_owner;
CREATE OR REPLACE FUNCTION sec.replaces_cursor() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	c refcursor := 'sec_cursor';
BEGIN
	IF NOT EXISTS (SELECT FROM pg_cursors WHERE name = 'sec_cursor') THEN
		OPEN c FOR SELECT sec.says();
	END IF;
	RETURN true;
END $$;
RESET ROLE;
SELECT count(*) > 0 AS reported FROM assay.precision_report('cursors');
SELECT name FROM pg_cursors;
-- whatever it is called
SET LOCAL ROLE sec_owner;
CREATE OR REPLACE FUNCTION sec.replaces_cursor() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	c refcursor := 'pg_assay cursor 1';
BEGIN
	IF NOT EXISTS (SELECT FROM pg_cursors WHERE name = 'pg_assay cursor 1') THEN
		OPEN c FOR SELECT sec.says();
	END IF;
	RETURN true;
END $$;
RESET ROLE;
SELECT count(*) > 0 AS reported FROM assay.precision_report('cursors');
SELECT name FROM pg_cursors;
COMMIT;
SET ROLE sec_owner;
DROP TRIGGER decide ON sec.cursor_message;
SELECT assay.drop_policy('cursors', true);
DROP FUNCTION sec.replaces_cursor();
DROP VIEW sec.cursor_signals;
DROP TABLE sec.cursor_message;
RESET ROLE;

-- nor does it have constraints checked that the session has deferred, whose triggers would call what its search_path names
CREATE TABLE sec_parent (id int PRIMARY KEY);
CREATE TABLE sec_child (id int REFERENCES sec_parent DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION sec_note(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'a deferred trigger as %: %', current_user, $1; END $$;
CREATE FUNCTION sec_noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM sec_note(TG_TABLE_NAME); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER noted AFTER INSERT ON sec_parent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sec_noted();
SET ROLE sec_owner;
CREATE TABLE sec.deferred_message (id int PRIMARY KEY);
CREATE FUNCTION sec.sec_note(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'the policy''s code as %', current_user; END $$;
CREATE FUNCTION sec.hastens() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('search_path', 'sec, public', false);
	SET CONSTRAINTS ALL IMMEDIATE;
	RETURN true;
END $$;
CREATE VIEW sec.deferred_signals AS SELECT id, sec.hastens() AS hastened FROM sec.deferred_message;
SELECT assay.create_policy('deferred', 'sec.deferred_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON sec.deferred_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('deferred');
RESET ROLE;
BEGIN;
INSERT INTO sec_parent VALUES (1);
INSERT INTO sec.deferred_message VALUES (1);
INSERT INTO sec_child VALUES (2);
INSERT INTO sec_parent VALUES (2);
COMMIT;
SELECT id, degraded FROM sec.deferred_decision;
SELECT sqlstate, message FROM assay.fault WHERE policy = 'deferred';
-- whose own they are may
BEGIN;
INSERT INTO sec_child VALUES (3);
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
SET ROLE sec_owner;
DROP TRIGGER decide ON sec.deferred_message;
SELECT assay.drop_policy('deferred', true);
RESET ROLE;
DROP TABLE sec_child, sec_parent;
DROP FUNCTION sec_noted(), sec_note(text);

-- nor does it reach what else the session holds: large objects that are open, advisory locks, the numbers it draws, temporary functions
SET ROLE sec_owner;
CREATE TABLE sec.held_message (id int PRIMARY KEY, does text);
CREATE FUNCTION sec.does(sql text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE sql; RETURN sql; END $$;
CREATE VIEW sec.held_signals AS SELECT id, sec.does(does) AS does FROM sec.held_message;
SELECT assay.create_policy('held', 'sec.held_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON sec.held_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('held');
RESET ROLE;
CREATE FUNCTION pg_temp.mine(bigint) RETURNS name LANGUAGE sql AS $$ SELECT 'the session''s'::name $$;
SELECT pg_advisory_lock(4711);
BEGIN;
SELECT lo_create(4711) AS lo, lo_open(4711, 393216) AS fd;
INSERT INTO sec.held_message VALUES (1, 'SELECT lowrite(0, ''theirs'')'), (2, 'SELECT loread(0, 1)'), (3, 'SELECT lo_close(0)'),
	(4, 'SELECT pg_advisory_unlock_all()'), (5, 'SELECT pg_advisory_unlock(4711)'), (6, 'SELECT pg_advisory_lock_shared(4712)'), (7, 'SELECT setseed(0.5)'),
	(8, 'CREATE FUNCTION pg_temp.mine(int) RETURNS name LANGUAGE sql AS $f$ SELECT current_user $f$'),
	(9, 'CREATE OPERATOR pg_temp.+ (FUNCTION = int4pl, LEFTARG = int, RIGHTARG = int)'), (10, 'CREATE AGGREGATE pg_temp.mine(int) (SFUNC = int4pl, STYPE = int)'),
	(11, 'SELECT set_config(''search_path'', ''pg_temp'', true); CREATE FUNCTION mine(int) RETURNS name LANGUAGE sql AS $f$ SELECT current_user $f$'),
	(12, 'SELECT pg_advisory_xact_lock(4712)'),
	(14, 'CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (sec.does(''SELECT session_user'') IS NOT NULL)'), (15, 'CREATE TYPE pg_temp.text AS ENUM ()'),
	(16, 'CREATE TYPE pg_temp.text AS RANGE (SUBTYPE = int)'), (17, 'CREATE TYPE sec.held AS RANGE (SUBTYPE = int, MULTIRANGE_TYPE_NAME = pg_temp.text)'),
	(18, 'SELECT set_config(''search_path'', ''pg_temp'', true); CREATE DOMAIN text AS pg_catalog.text'), (19, 'CREATE DOMAIN sec.own AS pg_catalog.text');
SELECT lowrite(0, 'ours');
COMMIT;
SELECT setseed(0.5);
SELECT (random() * 1e9)::int AS drawn \gset
INSERT INTO sec.held_message VALUES (13, 'SET seed = 0.5');
SELECT (random() * 1e9)::int = :drawn AS drawn_again;
SELECT encode(lo_get(4711), 'escape') AS written, pg_temp.mine(1);
SELECT objid FROM pg_locks WHERE locktype = 'advisory' ORDER BY objid;
SELECT id, degraded FROM sec.held_decision ORDER BY id;
SELECT DISTINCT message FROM assay.fault WHERE policy = 'held' ORDER BY message;
SELECT typname FROM pg_type WHERE typnamespace = pg_my_temp_schema();
SELECT pg_advisory_unlock(4711), lo_unlink(4711);
DROP FUNCTION pg_temp.mine(bigint);
-- whose own they are may, in what is restricted by others, too
CREATE MATERIALIZED VIEW sec_seed AS SELECT setseed(0.5) IS NOT NULL AS set;
DROP MATERIALIZED VIEW sec_seed;
SET ROLE sec_owner;
DROP TRIGGER decide ON sec.held_message;
SELECT assay.drop_policy('held', true);
DROP DOMAIN sec.own;
DROP VIEW sec.held_signals;
DROP TABLE sec.held_message;
-- each such function, by the name of what refuses it: within a subtransaction, say, PostgreSQL has errors of its own
CREATE TABLE sec.call_message (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, call text);
CREATE FUNCTION sec.is_refused(call text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SELECT ' || call;
	RETURN false;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN SQLERRM = format('cannot execute %s within security-restricted operation', split_part(call, '(', 1));
END $$;
CREATE VIEW sec.call_signals AS SELECT id, sec.is_refused(call) AS is_refused FROM sec.call_message;
SELECT assay.create_policy('call', 'sec.call_signals', '{id}', prior => 0);
SELECT assay.create_detector('call', 'refused', 'is_refused', mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON sec.call_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('call');
INSERT INTO sec.call_message (call) VALUES ('lo_open(4711, 262144)'), ('lo_close(0)'), ('loread(0, 1)'), ('lowrite(0, ''x'')'), ('lo_lseek(0, 0, 0)'), ('lo_lseek64(0, 0, 0)'),
	('lo_tell(0)'), ('lo_tell64(0)'), ('lo_truncate(0, 0)'), ('lo_truncate64(0, 0)'), ('setseed(0.5)'), ('pg_export_snapshot()'), ('pg_advisory_unlock_all()');
INSERT INTO sec.call_message (call) SELECT format('pg_%s(%s)', f, a) FROM unnest('{advisory_lock,advisory_lock_shared,try_advisory_lock,try_advisory_lock_shared,
	advisory_unlock,advisory_unlock_shared}'::text[]) f, unnest('{4713,"4713,1"}'::text[]) a;
SELECT m.call, d.degraded FROM sec.call_message m LEFT JOIN sec.call_decision d USING (id) WHERE assay.hits(d.attribution) IS DISTINCT FROM '{refused}';
SELECT count(*) FROM sec.call_decision;
DROP TRIGGER decide ON sec.call_message;
SELECT assay.drop_policy('call', true);
DROP VIEW sec.call_signals;
DROP FUNCTION sec.is_refused(text);
DROP TABLE sec.call_message;

-- Reports and refreshes that a superuser calls run the owner's code as well: his cursors are out of its reach.
CREATE TABLE sec.report_message (id int PRIMARY KEY, at timestamptz DEFAULT now());
CREATE FUNCTION sec.replaces() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	c refcursor := 'sec_cursor';
BEGIN
	BEGIN
		CLOSE c;
	EXCEPTION WHEN OTHERS THEN NULL;
	END;
	BEGIN
		OPEN c FOR SELECT 'theirs, run by ' || current_user;
	EXCEPTION WHEN OTHERS THEN NULL;
	END;
	RETURN true;
END $$;
CREATE VIEW sec.report_signals AS SELECT id, at FROM sec.report_message;
SELECT assay.create_policy('report', 'sec.report_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON sec.report_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('report');
INSERT INTO sec.report_message VALUES (1);
ALTER TABLE sec.report_decision ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY replaces ON sec.report_decision USING (sec.replaces());
CREATE VIEW sec.report_source AS SELECT id, at FROM sec.report_message WHERE sec.replaces();
SET client_min_messages = warning;
SET search_path = sec;
SELECT assay.create_baseline('report_seen', source => 'sec.report_source', key => '{id}', at => 'at');
RESET search_path;
RESET client_min_messages;
RESET ROLE;
BEGIN;
DECLARE sec_cursor CURSOR FOR SELECT 'ours ' || i FROM generate_series(1, 5) i;
SELECT count(*) > 0 AS done FROM assay.precision_report('report');
FETCH sec_cursor;
SELECT count(*) FROM assay.undecided('report');
FETCH sec_cursor;
SELECT assay.refresh_rollup('report') IS NOT NULL AS done;
FETCH sec_cursor;
SELECT rows FROM assay.refresh_baseline('sec.report_seen');
FETCH sec_cursor;
REFRESH MATERIALIZED VIEW sec.report_seen;
FETCH sec_cursor;
COMMIT;
-- nor does it end a session that has not looked at a policy yet
ALTER FUNCTION sec.replaces() SET exit_on_error = on;
\c -
SELECT rows FROM assay.refresh_baseline('sec.report_seen');
ALTER FUNCTION sec.replaces() RESET exit_on_error;
-- after an error they are there as before
ALTER POLICY replaces ON sec.report_decision USING (sec.replaces() AND 1 / (id - 1) > 0);
BEGIN;
DECLARE sec_cursor CURSOR FOR SELECT 'ours';
SAVEPOINT s;
SELECT count(*) FROM assay.undecided('report');
ROLLBACK TO s;
FETCH sec_cursor;
SELECT count(*) FROM assay.undecided('report');
ROLLBACK;
SELECT name FROM pg_cursors;
SET ROLE sec_owner;
SELECT assay.drop_baseline('sec.report_seen');
DROP TRIGGER decide ON sec.report_message;
SELECT assay.drop_policy('report', true);
RESET ROLE;

-- An error in what a backfill's cursor runs, in a loop that a policy's code began and we hide: PostgreSQL has that loop's cursor go, and the others stay.
SET ROLE sec_owner;
CREATE FUNCTION sec.fails() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fails within a loop'; END $$;
CREATE FUNCTION sec.loops(v int) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	i record;
BEGIN
	IF EXISTS (SELECT FROM pg_cursors WHERE name LIKE 'pg_assay cursor %') THEN
		FOR i IN SELECT generate_series(1, 30) LOOP
			PERFORM count(*) FROM assay.undecided('loop');
		END LOOP;
	END IF;
	RETURN true;
END $$;
CREATE DOMAIN sec.loop_key AS int CHECK (sec.loops(VALUE));
CREATE TABLE sec.loop_message (id sec.loop_key PRIMARY KEY);
CREATE VIEW sec.loop_signals AS SELECT id FROM sec.loop_message;
SELECT assay.create_policy('loop', 'sec.loop_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON sec.loop_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('loop');
INSERT INTO sec.loop_message VALUES (1);
ALTER TABLE sec.loop_decision ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY fails ON sec.loop_decision USING (NOT EXISTS (SELECT FROM pg_cursors WHERE name LIKE 'pg_assay cursor %') OR sec.fails());
RESET ROLE;
INSERT INTO assay_internal.reused_key (policy, key, at) VALUES ('loop', '{1}', 'infinity');
DECLARE sec_cursor CURSOR WITH HOLD FOR SELECT 'ours ' || i FROM generate_series(1, 3) i;
CALL assay.backfill('loop', at => NULL);
CALL assay.backfill('loop', at => NULL);
SELECT name FROM pg_cursors;
FETCH sec_cursor;
CLOSE sec_cursor;
SET ROLE sec_owner;
DROP TRIGGER decide ON sec.loop_message;
SELECT assay.drop_policy('loop', true);
DROP VIEW sec.loop_signals;
DROP TABLE sec.loop_message;
DROP DOMAIN sec.loop_key;
DROP FUNCTION sec.loops(int), sec.fails();
RESET ROLE;

-- PL/pgSQL looks up types once in a session: what it compiled for the session is not for an owner's code, and the other way round.
SET ROLE sec_owner;
CREATE TABLE sec.ran (who name);
CREATE FUNCTION sec.lowers(v text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE t text; BEGIN t := lower(v); RETURN t; END $$;
CREATE FUNCTION sec.same(v anyelement) RETURNS anyelement LANGUAGE plpgsql AS $$ DECLARE t text := v; BEGIN RETURN v; END $$;
-- A search_path of their own that does not name pg_temp has it last, not first.
CREATE FUNCTION sec.pins(v text) RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$ DECLARE t text := v; BEGIN RETURN t::text; END $$;
CREATE FUNCTION sec.pins_sql(v text) RETURNS text LANGUAGE sql SET search_path = sec AS $$ SELECT v::text $$;
CREATE FUNCTION sec.fib(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$
DECLARE
	t text := n;
BEGIN
	IF n > 2 THEN
		RETURN sec.fib(n - 1) + (SELECT sec.fib(n - 2));
	END IF;
	BEGIN
		RAISE EXCEPTION 'caught';
	EXCEPTION WHEN raise_exception THEN RETURN 1;
	END;
END $$;
CREATE FUNCTION sec.set_path(path text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', path, true); RETURN current_setting('search_path'); END $$;
CREATE TABLE sec.type_message (id int PRIMARY KEY, body text, ran text);
GRANT USAGE ON SCHEMA sec TO sec_ingest;
GRANT INSERT ON sec.type_message TO sec_ingest;
CREATE FUNCTION sec.runs(statements text) RETURNS boolean LANGUAGE plpgsql STRICT AS $$ BEGIN EXECUTE statements; RETURN true; END $$;
CREATE VIEW sec.type_signals AS SELECT id, sec.pins(sec.same(sec.lowers(sec.pins_sql(body)))) AS body, sec.same(sec.fib(5)) AS n, sec.runs(ran) AS ran FROM sec.type_message;
SELECT assay.create_policy('type', 'sec.type_signals', '{id}', prior => 0);
SELECT assay.create_detector('type', 'hello', 'body = ''hello'' AND sec.fib(n) = 5', weight => 3, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON sec.type_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('type');
RESET ROLE;
SET ROLE sec_ingest;
CREATE FUNCTION pg_temp.evil(v text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF current_user = 'sec_owner' THEN
		EXECUTE 'INSERT INTO sec.ran VALUES (current_user)';
	ELSIF v = '2' THEN
		EXECUTE 'INSERT INTO sec.type_message VALUES (2, ''HELLO'') ON CONFLICT DO NOTHING';
	END IF;
	RETURN true;
END $$;
CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.evil(VALUE));
SELECT sec.lowers('X'), sec.same('x'::pg_catalog.text), sec.same(1);
INSERT INTO sec.type_message VALUES (1, 'HELLO');
-- nor while the session runs the function
SELECT sec.fib(5);
INSERT INTO sec.type_message VALUES (3, 'HELLO');
-- nor by the path that the session came with
INSERT INTO sec.type_message VALUES (7, 'HELLO', 'RESET "Search_Path"; SELECT ''x''::text'), (8, 'HELLO', 'SET LOCAL search_path TO DEFAULT; SELECT ''x''::text');
INSERT INTO sec.type_message VALUES (9, 'HELLO', 'RESET ALL; SELECT ''x''::text');
-- whatever the path is: empty, pg_temp elsewhere in it, a schema whose name only looks so
INSERT INTO sec.type_message VALUES (10, 'HELLO', $r$DO $d$ BEGIN RAISE EXCEPTION '%', (
	SELECT string_agg(sec.set_path(p), ' | ') FROM unnest('{"",":","sec",sec;pg_temp,"PG_TEMP;sec","~sec; pg_temp~"}'::text[]) u,
		translate(u, ':;~', ' ,"') p); END $d$$r$);
DROP DOMAIN pg_temp.text;
DROP FUNCTION pg_temp.evil(text);
RESET ROLE;
SELECT id, verdict, score, degraded FROM sec.type_decision ORDER BY id;
SELECT * FROM sec.ran;
-- what an owner's code has called, a superuser calls with types of his own
CREATE SCHEMA sec_types;
CREATE DOMAIN sec_types.mine AS text;
SET ROLE sec_owner;
CREATE FUNCTION sec.evil() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'a check of sec_owner''s, run by %', replace(current_user, session_user, 'a superuser'); RETURN true; END $$;
CREATE DOMAIN sec.mine AS text CHECK (sec.evil());
RESET ROLE;
SET search_path = sec_types;
CREATE FUNCTION sec.ours() RETURNS text LANGUAGE plpgsql AS $$ DECLARE t mine := current_user; BEGIN RETURN t; END $$;
\c -
SET search_path = sec_types;
INSERT INTO sec.type_message VALUES (4, 'x', 'SET LOCAL search_path = sec; SELECT ours()');
SELECT sec.ours() = current_user AS ours;
INSERT INTO sec.type_message VALUES (5, 'x', 'SET LOCAL search_path = sec; SELECT ours(); SELECT 1/0');
SELECT sec.ours() = current_user AS ours;
INSERT INTO sec.type_message VALUES (6, 'x', 'SET LOCAL search_path = sec; SELECT plpgsql_validator(''sec.ours''::regproc)');
SELECT sec.ours() = current_user AS ours;
RESET search_path;
SELECT id, degraded FROM sec.type_decision WHERE id BETWEEN 4 AND 6 ORDER BY id;
SELECT message FROM assay.fault WHERE policy = 'type' AND key IN ('{6}', '{10}') ORDER BY key;
DROP FUNCTION sec.ours();
DROP SCHEMA sec_types CASCADE;
SET ROLE sec_owner;
DROP TRIGGER decide ON sec.type_message;
SELECT assay.drop_policy('type', true);
DROP VIEW sec.type_signals;
DROP TABLE sec.type_message, sec.ran;
DROP DOMAIN sec.mine;
DROP FUNCTION sec.lowers(text), sec.same(anyelement), sec.pins(text), sec.pins_sql(text), sec.fib(int), sec.runs(text), sec.set_path(text), sec.evil();
RESET ROLE;

-- whether a function is one that takes a connection is asked by its name, at each call: not in the catalog of extensions
SET ROLE sec_owner;
CREATE FUNCTION sec.pinned(n int) RETURNS int LANGUAGE plpgsql SET search_path = pg_catalog AS 'BEGIN RETURN n; END';
CREATE TABLE sec.pinned_message (id int PRIMARY KEY);
CREATE VIEW sec.pinned_signals AS SELECT id, sec.pinned(id) AS n FROM sec.pinned_message;
SELECT assay.create_policy('pinned', 'sec.pinned_signals', '{id}', prior => 0);
SELECT assay.create_detector('pinned', 'n', 'n > 1', mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON sec.pinned_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('pinned');
BEGIN;
INSERT INTO sec.pinned_message SELECT generate_series(1, 1000);
SELECT coalesce(sum(idx_scan), 0) < 1000 AS few FROM pg_stat_xact_sys_tables WHERE relname IN ('pg_depend', 'pg_extension');
COMMIT;
SELECT count(*) FROM sec.pinned_decision WHERE NOT degraded;
DROP TRIGGER decide ON sec.pinned_message;
SELECT assay.drop_policy('pinned', true);
DROP VIEW sec.pinned_signals;
DROP TABLE sec.pinned_message;
DROP FUNCTION sec.pinned(int);
RESET ROLE;

-- row security of what the owner reads is on, whatever the session has set
CREATE TABLE sec.row (name text);
INSERT INTO sec.row VALUES ('shown'), ('hidden');
ALTER TABLE sec.row OWNER TO sec_other;
ALTER TABLE sec.row ENABLE ROW LEVEL SECURITY;
CREATE POLICY shown ON sec.row USING (name = 'shown');
GRANT SELECT ON sec.row TO sec_owner;
SET ROLE sec_owner;
CREATE TABLE sec.row_message (id int PRIMARY KEY);
CREATE VIEW sec.row_signals AS SELECT id, (SELECT count(*) FROM sec.row) AS n FROM sec.row_message;
SELECT assay.create_policy('row', 'sec.row_signals', '{id}', prior => 0);
SELECT assay.create_detector('row', 'one', 'n = 1', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON sec.row_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('row');
SET row_security = off;
INSERT INTO sec.row_message VALUES (1);
RESET row_security;
SELECT id, degraded, assay.margin(attribution) FROM sec.row_decision;
DROP TRIGGER decide ON sec.row_message;
SELECT assay.drop_policy('row', true);
DROP VIEW sec.row_signals;
DROP TABLE sec.row_message;
RESET ROLE;
DROP TABLE sec.row;

-- a message table that has become somebody else's
ALTER TABLE sec.message OWNER TO sec_other;
INSERT INTO sec.message VALUES (30, 'y');
ALTER TABLE sec.message OWNER TO sec_owner;

SET ROLE sec_owner;
DROP TRIGGER decide ON sec.message;
SELECT assay.drop_policy('sec', true);
RESET ROLE;
DROP SCHEMA sec CASCADE;
DROP ROLE sec_member, sec_other, sec_ingest, sec_owner;
