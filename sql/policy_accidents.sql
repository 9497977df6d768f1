-- Whatever happens to what a policy is made of, an INSERT succeeds, and its messages are decided or found by assay.undecided().
SET client_min_messages = error;
CREATE ROLE acc_owner; CREATE ROLE acc_app IN ROLE acc_owner; CREATE ROLE acc_ingest; CREATE ROLE acc_other;

CREATE FUNCTION acc_make(form text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	CREATE SCHEMA acc AUTHORIZATION acc_owner;
	GRANT USAGE, CREATE ON SCHEMA acc TO acc_app, acc_other;
	GRANT USAGE ON SCHEMA acc TO acc_ingest;
	SET LOCAL ROLE acc_app;
	IF form IN ('partition', 'partition row') THEN
		CREATE TABLE acc.message (id text PRIMARY KEY, txt text) PARTITION BY RANGE (id);
		CREATE TABLE acc.message_1 PARTITION OF acc.message FOR VALUES FROM (MINVALUE) TO ('5');
		CREATE TABLE acc.message_2 PARTITION OF acc.message DEFAULT;
	ELSE
		CREATE TABLE acc.message (id text, txt text);
		CREATE INDEX ON acc.message USING hash (id);
	END IF;
	IF form = 'conflict' THEN
		ALTER TABLE acc.message ADD EXCLUDE USING hash (id WITH =);
	END IF;
	GRANT SELECT ON acc.message TO acc_owner, acc_ingest;
	GRANT INSERT ON acc.message TO acc_ingest;
	SET LOCAL ROLE acc_owner;
	CREATE FUNCTION acc.known(text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1 ~ ''wire''';
	CREATE VIEW acc.signals AS SELECT id, txt, length(txt) AS len FROM acc.message;
	PERFORM assay.create_policy('acc', 'acc.signals', '{id}', prior => -1, log_signals => true, on_unreadable => 'suspicious');
	PERFORM assay.create_detector('acc', 'wire', 'acc.known(txt)', weight => 9, mode => 'live');
	PERFORM assay.create_detector('acc', 'digits', 'txt ~ ''\d''', weight => 1, mode => 'live');
	SET LOCAL ROLE acc_app;
	IF form IN ('row', 'partition row') THEN
		CREATE TRIGGER decide AFTER INSERT ON acc.message FOR EACH ROW EXECUTE FUNCTION assay.decide('acc');
	ELSE
		CREATE TRIGGER decide AFTER INSERT ON acc.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('acc');
	END IF;
	RESET ROLE;
	-- the session knows the policy already
	INSERT INTO acc.message VALUES ('0', 'wire');
END $$;

CREATE FUNCTION acc_state() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	messages bigint; decided bigint := 0; degraded bigint := 0; undecided bigint; caught bigint := 0; name text;
BEGIN
	SELECT format('%I.%I', n.nspname, c.relname) INTO name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.oid = (SELECT p.decision FROM assay_internal.policy p WHERE p.policy = 'acc');
	EXECUTE format('SELECT count(*) FROM %s WHERE %s', (SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname LIKE 'acc%' AND c.relname = 'message' AND c.relkind IN ('r', 'p')), 'txt <> ''wire''') INTO messages;
	BEGIN
		EXECUTE format('SELECT count(*), count(*) FILTER (WHERE degraded), count(*) FILTER (WHERE verdict <> ''safe'') FROM %s', name) INTO decided, degraded, caught;
		decided := decided - 1; caught := caught - 1;
	EXCEPTION WHEN OTHERS THEN NULL;
	END;
	BEGIN
		SELECT count(*) INTO undecided FROM assay.undecided('acc');
	EXCEPTION WHEN OTHERS THEN undecided := NULL;
	END;
	RETURN concat_ws(', ', format('%s of %s decided', decided, messages), nullif(format('%s degraded', degraded), '0 degraded'),
		format('%s caught', caught), nullif(format('%s undecided', undecided), '0 undecided'));
END $$;

-- One accident, one form of INSERT, all taken back
CREATE FUNCTION acc_try(accident text, form text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	BEGIN
		PERFORM acc_make(form);
		BEGIN
			EXECUTE accident;
		EXCEPTION WHEN OTHERS THEN
			RAISE EXCEPTION 'accident: %', SQLERRM USING ERRCODE = 'PA998';
		END;
		IF accident !~ 'REVOKE .* acc_ingest' THEN
			SET LOCAL ROLE acc_ingest;
		END IF;
		BEGIN
			CASE form
				WHEN 'many', 'partition' THEN
					INSERT INTO acc.message VALUES ('1', 'the wire 1'), ('6', 'the wire 2'), ('9', 'the wire 3');
				WHEN 'conflict' THEN
					INSERT INTO acc.message VALUES ('1', 'the wire 1'), ('0', 'the wire 2'), ('9', 'the wire 3') ON CONFLICT DO NOTHING;
				WHEN 'partition row', 'row' THEN
					INSERT INTO acc.message VALUES ('1', 'the wire 1'), ('6', 'the wire 2');
				ELSE
					INSERT INTO acc.message VALUES ('1', 'the wire 1');
			END CASE;
		EXCEPTION WHEN OTHERS THEN
			RAISE EXCEPTION 'INSERT FAILED: %', SQLERRM USING ERRCODE = 'PA998';
		END;
		RESET ROLE;
		SET LOCAL search_path = public;
		RAISE EXCEPTION '%', acc_state() USING ERRCODE = 'PA998';
	EXCEPTION WHEN SQLSTATE 'PA998' THEN
		result := SQLERRM;
	END;
	RETURN result;
END $$;

CREATE TABLE acc_accidents (n serial, what text, accident text);
INSERT INTO acc_accidents (what, accident) VALUES
	('nothing', 'SELECT 1'),
	('owner renamed', 'ALTER ROLE acc_owner RENAME TO acc_renamed'),
	('membership revoked', 'REVOKE acc_owner FROM acc_app'),
	('view dropped', 'DROP VIEW acc.signals'),
	('view renamed', 'ALTER VIEW acc.signals RENAME TO gone'),
	('view with fewer columns', 'DROP VIEW acc.signals; CREATE VIEW acc.signals AS SELECT id, length(txt) AS len FROM acc.message; ALTER VIEW acc.signals OWNER TO acc_owner'),
	('view without the key', 'DROP VIEW acc.signals; CREATE VIEW acc.signals AS SELECT txt, length(txt) AS len FROM acc.message; ALTER VIEW acc.signals OWNER TO acc_owner'),
	('view of another', 'DROP VIEW acc.signals; SET LOCAL ROLE acc_other; CREATE VIEW acc.signals AS SELECT ''1''::text AS id, ''x''::text AS txt; RESET ROLE'),
	('view that fails', 'CREATE OR REPLACE VIEW acc.signals AS SELECT id, txt, length(txt) / (length(txt) - length(txt)) AS len FROM acc.message'),
	('view that finds nothing', 'CREATE OR REPLACE VIEW acc.signals AS SELECT id, txt, length(txt) AS len FROM acc.message WHERE false'),
	('view that finds two', 'CREATE OR REPLACE VIEW acc.signals AS SELECT id, txt, length(txt) AS len FROM acc.message, generate_series(1, 2)'),
	('SELECT on the messages revoked', 'REVOKE SELECT ON acc.message FROM acc_owner'),
	('function dropped', 'DROP FUNCTION acc.known'),
	('function that raises', 'CREATE OR REPLACE FUNCTION acc.known(text) RETURNS boolean LANGUAGE plpgsql STABLE AS ''BEGIN RAISE SQLSTATE ''''40001''''; END'''),
	('function that is cancelled', 'CREATE OR REPLACE FUNCTION acc.known(text) RETURNS boolean LANGUAGE plpgsql STABLE AS ''BEGIN RAISE SQLSTATE ''''57014''''; END'''),
	('EXECUTE revoked', 'REVOKE EXECUTE ON FUNCTION acc.known FROM PUBLIC, acc_owner'),
	('USAGE of the schema revoked', 'ALTER SCHEMA acc OWNER TO postgres; REVOKE ALL ON SCHEMA acc FROM acc_owner, acc_app'),
	('schema renamed', 'ALTER SCHEMA acc RENAME TO acc_2; CREATE SCHEMA acc; GRANT USAGE ON SCHEMA acc TO PUBLIC; CREATE VIEW acc.message AS SELECT * FROM acc_2.message; GRANT INSERT ON acc.message TO PUBLIC'),
	('decision table renamed', 'ALTER TABLE acc.acc_decision RENAME TO decisions'),
	('decision table dropped', 'DROP TABLE acc.acc_decision CASCADE'),
	('decision table of another', 'ALTER TABLE acc.acc_decision OWNER TO acc_other'),
	('decision table read only', 'REVOKE INSERT ON acc.acc_decision FROM acc_owner'),
	('decision table without its key', 'ALTER TABLE acc.acc_decision DROP CONSTRAINT acc_decision_pkey'),
	('decision table lacks a column', 'DROP VIEW acc.acc_verdict; ALTER TABLE acc.acc_decision DROP COLUMN degraded'),
	('decision table lacks signals', 'DROP VIEW acc.acc_verdict; ALTER TABLE acc.acc_decision DROP COLUMN signals'),
	('decision table with another type', 'DROP VIEW acc.acc_verdict; ALTER TABLE acc.acc_decision ALTER score TYPE float8'),
	('decision table wants more', 'ALTER TABLE acc.acc_decision ADD COLUMN more int; ALTER TABLE acc.acc_decision ALTER more SET DEFAULT 1 / (length(current_user) * 0)'),
	('decision table with a check', 'ALTER TABLE acc.acc_decision ADD CHECK (id = ''0'') NOT VALID'),
	('decision table with a trigger', 'CREATE FUNCTION acc.no() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RAISE ''''no''''; END''; CREATE TRIGGER no BEFORE INSERT ON acc.acc_decision FOR EACH ROW EXECUTE FUNCTION acc.no()'),
	('a trigger that skips rows', 'CREATE FUNCTION acc.no() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END''; CREATE TRIGGER no BEFORE INSERT ON acc.acc_decision FOR EACH ROW EXECUTE FUNCTION acc.no()'),
	('a deferred trigger', 'CREATE FUNCTION acc.no() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END''; CREATE CONSTRAINT TRIGGER no AFTER INSERT ON acc.acc_decision DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION acc.no()'),
	('row-level security', 'ALTER TABLE acc.acc_decision ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY'),
	('a unique index more', 'CREATE UNIQUE INDEX ON acc.acc_decision (revision, (verdict = verdict))'),
	('a unique index of as many columns', 'CREATE UNIQUE INDEX ON acc.acc_decision (revision, decided_at)'),
	('decision table wants signals', 'ALTER TABLE acc.acc_decision ALTER signals SET NOT NULL; DROP VIEW acc.signals'),
	('decisions published in part', 'CREATE PUBLICATION acc_part FOR TABLE acc.acc_decision WHERE (verdict = ''malicious'')'),
	('columns of decisions published', 'CREATE PUBLICATION acc_part FOR TABLE acc.acc_decision (verdict)'),
	('all published, decisions without identity', 'CREATE PUBLICATION acc_part FOR ALL TABLES; ALTER TABLE acc.acc_decision REPLICA IDENTITY NOTHING'),
	('label table of another', 'ALTER TABLE acc.acc_label OWNER TO acc_other'),
	('label table dropped', 'DROP TABLE acc.acc_label CASCADE'),
	('policy gone', 'DELETE FROM assay_internal.policy'),
	('policy without a revision', 'ALTER TABLE assay_internal.revision DISABLE TRIGGER USER; DELETE FROM assay_internal.revision'),
	('thresholds that are none', 'INSERT INTO assay_internal.revision SELECT policy, revision + 1, made_at, made_by, summary, prior, ''{"suspicious": "x"}'', default_verdict, on_error, log_signals, search_path, notify, on_unreadable FROM assay_internal.revision ORDER BY revision DESC LIMIT 1'),
	('a search_path that is none', 'INSERT INTO assay_internal.revision SELECT policy, revision + 1, made_at, made_by, summary, prior, thresholds, default_verdict, on_error, log_signals, ''"'', notify, on_unreadable FROM assay_internal.revision ORDER BY revision DESC LIMIT 1'),
	('faults that can''t be kept', 'DROP VIEW acc.signals; ALTER TABLE assay_internal.fault ADD CHECK (false) NOT VALID'),
	('key column renamed', 'ALTER TABLE acc.message RENAME id TO ident'),
	('search_path', 'SET LOCAL search_path = acc_nowhere'),
	('row_security', 'SET LOCAL row_security = off'),
	('backslashes', 'SET LOCAL standard_conforming_strings = off; SET LOCAL backslash_quote = off'),
	('planner', 'SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_nestloop = off'),
	('nulls', 'SET LOCAL transform_null_equals = on; SET LOCAL array_nulls = off'),
	('formats', 'SET LOCAL datestyle = ''German''; SET LOCAL extra_float_digits = -15; SET LOCAL bytea_output = ''escape''; SET LOCAL intervalstyle = ''sql_standard'''),
	('lock_timeout', 'SET LOCAL lock_timeout = 1'),
	('work_mem', 'SET LOCAL work_mem = 64; SET LOCAL hash_mem_multiplier = 1'),
	('deferred constraints', 'SET CONSTRAINTS ALL DEFERRED'),
	('cache', 'SET LOCAL assay.policy_cache_size = 0; SET LOCAL assay.prefilter = off'),
	('null functions', 'SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = on; SET LOCAL jit_above_cost = 0');

CREATE TABLE acc_results AS SELECT n, what, form, acc_try(accident, form) AS result
FROM acc_accidents, unnest('{one,many,row,partition row,partition,conflict}'::text[]) form;
SELECT a.what, a.result AS one, b.result AS many FROM acc_results a JOIN acc_results b USING (n) WHERE a.form = 'one' AND b.form = 'many' ORDER BY n;
-- other forms of INSERT: where they differ from that of many
SELECT a.what, a.form, a.result FROM acc_results a JOIN acc_results b USING (n)
WHERE (a.form, b.form) IN (('row', 'partition row'), ('partition', 'many'), ('conflict', 'many')) AND a.result IS DISTINCT FROM b.result
	AND NOT (a.form = 'conflict' AND replace(replace(a.result, '2', '3'), '1 of 3', '3 of 3') = b.result) ORDER BY n, a.form;
SELECT count(*) AS tried, count(*) FILTER (WHERE result ~ 'INSERT FAILED') AS failed FROM acc_results;
SELECT what, form, result FROM acc_results WHERE result ~ 'INSERT FAILED|accident' ORDER BY n, form;

-- and what was left undecided is healed
SELECT acc_make('many');
BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE acc.acc_decision CASCADE;
SELECT severity, "check", detail FROM assay.check('acc') WHERE severity = 'error';
-- who asks it is not told to drop it
DO $$
DECLARE
	hint text;
BEGIN
	PERFORM assay.undecided('acc');
EXCEPTION WHEN undefined_table THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RAISE WARNING '% %', SQLERRM, hint;
END $$;
-- what is left of it goes with the policy
DROP TRIGGER decide ON acc.message;
SELECT assay.drop_policy('acc', true);
SELECT relname FROM pg_class WHERE relnamespace = 'acc'::regnamespace AND relname LIKE 'acc\_%' AND relkind IN ('r', 'v', 'p');
ROLLBACK;
ALTER TABLE acc.acc_decision ADD CONSTRAINT none CHECK (id = '0') NOT VALID;
INSERT INTO acc.message VALUES ('1', 'the wire 1'), ('2', 'the wire 2');
SELECT key, reason FROM assay.undecided('acc') ORDER BY key;
ALTER TABLE acc.acc_decision DROP CONSTRAINT none;
CALL assay.backfill('acc', at => NULL);
SELECT key, reason FROM assay.undecided('acc') ORDER BY key;
SELECT id, verdict, degraded FROM acc.acc_decision ORDER BY id;
-- the signals view casts the key: what a statement brings may come to the same
CREATE TABLE acc.cast_message (id numeric PRIMARY KEY, txt text);
CREATE VIEW acc.cast_signals AS SELECT id::int AS id, txt FROM acc.cast_message;
SELECT assay.create_policy('cast', 'acc.cast_signals', '{id}');
CREATE TRIGGER decide AFTER INSERT ON acc.cast_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('cast');
INSERT INTO acc.cast_message VALUES (1.8, 'a'), (2.2, 'b');
SELECT count(*) FROM acc.cast_decision;
DROP TRIGGER decide ON acc.cast_message;
SELECT assay.drop_policy('cast', true);
-- and a collation calls two keys the same, where the server has such
CREATE TABLE acc.ci_message (id text PRIMARY KEY, txt text);
CREATE VIEW acc.ci_signals AS SELECT id, txt FROM acc.ci_message;
SELECT assay.create_policy('ci', 'acc.ci_signals', '{id}');
CREATE TRIGGER decide AFTER INSERT ON acc.ci_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('ci');
DO $$ BEGIN
	IF EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu') THEN
		CREATE COLLATION acc.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		DROP VIEW acc.ci_verdict;
		ALTER TABLE acc.ci_decision ALTER id TYPE text COLLATE acc.ci;
	END IF;
END $$;
INSERT INTO acc.ci_message VALUES ('a', 'a'), ('A', 'b');
DROP TRIGGER decide ON acc.ci_message;
SELECT assay.drop_policy('ci', true);
-- Decisions that are published in part: what is new is written, a key that comes again is not, and told
SET client_min_messages = error;
CREATE PUBLICATION acc_part FOR TABLE acc.acc_decision WHERE (verdict = 'malicious');
INSERT INTO acc.message VALUES ('p', 'the wire');
DELETE FROM acc.message WHERE id = 'p';
INSERT INTO acc.message VALUES ('p', 'harmless'), ('q', 'the wire');
SELECT id, verdict FROM acc.acc_decision WHERE id IN ('p', 'q') ORDER BY id;
SELECT sqlstate, message FROM assay.fault WHERE policy = 'acc' AND message LIKE '%duplicate key%';
DROP PUBLICATION acc_part;
INSERT INTO acc.message VALUES ('p', 'harmless');
SELECT id, verdict FROM acc.acc_decision WHERE id IN ('p', 'q') ORDER BY id;
-- keys that no index takes, and none at all
INSERT INTO acc.message SELECT string_agg(md5(i::text), ''), 'the wire' FROM generate_series(1, 100) i;
INSERT INTO acc.message VALUES (NULL, 'the wire');
INSERT INTO acc.message SELECT CASE WHEN i = 5 THEN (SELECT string_agg(md5(j::text), 'x') FROM generate_series(1, 100) j) ELSE 'k' || i END, 'the wire' FROM generate_series(1, 9) i;
SELECT left(key[1], 10) AS key, reason FROM assay.undecided('acc') ORDER BY key;
SELECT count(*) FROM acc.acc_decision WHERE id LIKE 'k%' AND verdict = 'malicious';
-- which do not keep others from being decided later
ALTER TABLE acc.message DISABLE TRIGGER decide;
INSERT INTO acc.message VALUES ('late 1', 'the wire'), ('late 2', 'the wire');
RESET client_min_messages;
\set VERBOSITY terse
CALL assay.backfill('acc', at => NULL, batch => 4);
\set VERBOSITY default
SET client_min_messages = error;
SELECT id, verdict FROM acc.acc_decision WHERE id LIKE 'late%' ORDER BY id;
SELECT left(key[1], 10) AS key, reason FROM assay.undecided('acc') ORDER BY key;
DROP TRIGGER decide ON acc.message;
SELECT assay.drop_policy('acc', true);
DROP SCHEMA acc CASCADE;
DROP TABLE acc_accidents, acc_results;
DROP FUNCTION acc_make, acc_state, acc_try;
DROP ROLE acc_app, acc_ingest, acc_other, acc_owner;
