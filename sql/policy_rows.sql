-- Rows of the configuration that are written past the functions: what a builder,
-- who may draft and shadow, could do to what is live by them; and texts of
-- conditions that run code before they are refused.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE ROLE rows_owner;
CREATE ROLE rows_builder;
CREATE ROLE rows_stranger;
CREATE SCHEMA rows_o AUTHORIZATION rows_owner;
CREATE SCHEMA rows_b AUTHORIZATION rows_builder;
CREATE SCHEMA rows_s AUTHORIZATION rows_stranger;
GRANT USAGE ON SCHEMA rows_o, rows_b, rows_s TO PUBLIC;
SET ROLE rows_owner;
CREATE TABLE rows_o.message (id int PRIMARY KEY, t text);
CREATE VIEW rows_o.sig AS SELECT id, t FROM rows_o.message;
SELECT assay.create_policy('rows', 'rows_o.sig', '{id}', prior => -2);
SELECT assay.create_detector('rows', 'live', $$t = 'x'$$, mode => 'live', weight => 9);
CREATE TRIGGER decide AFTER INSERT ON rows_o.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('rows');
SELECT assay.grant_access('rows', 'rows_builder', 'builder');

-- a revision that was committed is past: nothing comes to it, and nothing goes
SET ROLE rows_builder;
SELECT assay.create_detector('rows', 'draft', 'id > 0', mode => 'draft');
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout)
SELECT 'rows', 'late', max(revision), 'id > 0', 1, 'shadow', 1 FROM assay.revision WHERE policy = 'rows';
INSERT INTO assay.detector_model (policy, detector, revision, model)
SELECT 'rows', 'late', max(revision), assay.model_from_linear('{id}', '{1}', 0) FROM assay.revision WHERE policy = 'rows';
SET ROLE rows_owner;
INSERT INTO assay.exclusion (policy, exclusion, from_revision, condition, verdict, reason)
SELECT 'rows', 'late', max(revision), 'id > 0', 'safe', 'none' FROM assay.revision WHERE policy = 'rows';
UPDATE assay.detector SET until_revision = (SELECT max(revision) FROM assay.revision WHERE policy = 'rows') WHERE policy = 'rows' AND detector = 'live';
SET ROLE rows_builder;
-- in the making it is the builder's
BEGIN;
SELECT assay_internal.new_revision('rows', 'by hand');
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout)
SELECT 'rows', 'by hand', max(revision), 'id > 0', 1, 'shadow', 1 FROM assay.revision WHERE policy = 'rows';
COMMIT;

-- the name of a live detector is taken
BEGIN;
SELECT assay_internal.new_revision('rows', 'twice');
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout)
SELECT 'rows', 'live', max(revision), 'id > 0', -9, 'shadow', 1 FROM assay.revision WHERE policy = 'rows';
ROLLBACK;

-- what is beyond the limit is not evaluated: no shadow pushes live ones there
BEGIN;
SELECT assay_internal.new_revision('rows', 'flood');
SAVEPOINT flood;
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout)
SELECT 'rows', 'a' || i, (SELECT max(revision) FROM assay.revision WHERE policy = 'rows'), 'id > 0', 0, 'shadow', 1 FROM generate_series(1, 19998) i;
ROLLBACK TO flood;
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout)
SELECT 'rows', 'a' || i, (SELECT max(revision) FROM assay.revision WHERE policy = 'rows'), 'id > 0', 0, 'shadow', 1 FROM generate_series(1, 19997) i;
ROLLBACK;
RESET ROLE;
-- written past all checks they come last, and it is told
BEGIN;
INSERT INTO assay_internal.detector (policy, detector, from_revision, condition, weight, mode, rollout)
SELECT 'rows', 'a' || i, (SELECT max(revision) FROM assay.revision WHERE policy = 'rows'), 'id < 0', 0, 'shadow', 1 FROM generate_series(1, 20000) i;
INSERT INTO rows_o.message VALUES (1, 'x');
SELECT verdict, degraded FROM rows_o.rows_decision WHERE id = 1;
SELECT severity, "check", detail FROM assay_internal.check_settings_now((SELECT p FROM assay.policy p WHERE p.policy = 'rows')) WHERE "check" = 'size';
ROLLBACK;

-- who may read, or build, keeps no author waiting by rows that it locks
SET ROLE rows_owner;
SELECT assay.grant_access('rows', 'rows_stranger', 'reader');
SELECT assay.create_guard('rows', 'g', 'id > 0') > 0 AS guard, assay.exclude('rows', 'e', 'id < 0', verdict => 'safe', reason => 'none') > 0 AS exclusion;
SET ROLE rows_stranger;
SELECT count(*) FROM (SELECT FROM assay.policy WHERE policy = 'rows' FOR UPDATE) p;
SELECT count(*) FROM (SELECT FROM assay.detector WHERE policy = 'rows' FOR KEY SHARE) p;
SELECT count(*) FROM (SELECT FROM assay.guard WHERE policy = 'rows' FOR SHARE) p;
SELECT count(*) FROM (SELECT FROM assay.exclusion WHERE policy = 'rows' FOR NO KEY UPDATE) p;
SELECT count(*) FROM (SELECT FROM assay_internal.readable_policy WHERE policy = 'rows' FOR UPDATE) p;
-- by an update that changes nothing only who may change something does, for its own changes
UPDATE assay.policy SET access = access WHERE policy = 'rows' RETURNING policy;
UPDATE assay.policy SET access = NULL WHERE policy = 'rows' RETURNING policy;
SET ROLE rows_builder;
UPDATE assay.policy SET access = access WHERE policy = 'rows' RETURNING policy;
UPDATE assay.policy SET access = NULL WHERE policy = 'rows' RETURNING policy;
SET ROLE rows_owner;
BEGIN;
UPDATE assay.policy SET access = NULL WHERE policy = 'rows' RETURNING policy, access IS NULL AS none;
SELECT access IS NULL AS none FROM assay.policy WHERE policy = 'rows';
ROLLBACK;
SELECT assay.revoke_access('rows', 'rows_stranger');

-- a cast that is written as a function's call: what it calls is refused before it is run
SET ROLE rows_builder;
CREATE FUNCTION rows_b.evil(x text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'ran'; RETURN true; END $$;
CREATE DOMAIN rows_b.evil AS text CHECK (rows_b.evil(VALUE));
CREATE TYPE rows_b.evils AS RANGE (subtype = rows_b.evil);
SET ROLE rows_owner;
DO $$
DECLARE
	condition text;
BEGIN
	FOREACH condition IN ARRAY ARRAY['rows_b._evil(''{x}'') IS NOT NULL', 'rows_b.evils(''[x,y]'') IS NOT NULL', 'rows_b.evil(t)'] LOOP
		BEGIN
			PERFORM * FROM assay.policy_import(jsonb_set(assay.policy_export('rows'), '{detectors,0,condition}', to_jsonb(condition)));
			RAISE WARNING 'taken: %', condition;
		EXCEPTION WHEN OTHERS THEN
			RAISE WARNING '% %', SQLSTATE, SQLERRM;
		END;
	END LOOP;
END $$;
-- also where the search_path names their schema, of which one is warned
SELECT assay.alter_policy('rows', search_path => 'pg_catalog, rows_b, pg_temp') > 0 AS altered;
SELECT assay_internal.check_condition('rows', '_evil(''{x}'') IS NOT NULL', 'a', true);
SELECT assay_internal.check_condition('rows', '(''{x}'')._evil IS NOT NULL', 'a', true);
-- casts by name of trusted types, and functions whose name a type has, too, are what they were
SELECT assay_internal.check_condition('rows', 'int4(''1'') = id AND length(t) > 0 AND date(''2026-01-01'') IS NOT NULL AND _text(''{a}'') IS NOT NULL', 'a', true);
SELECT severity, detail, hint FROM assay.check('rows') WHERE "check" = 'search_path';
-- not of what is the owner's, or a superuser's; of a grant to others it is, whatever the name
RESET ROLE;
CREATE SCHEMA "rows ""A"", b";
SELECT * FROM assay_internal.open_schemas('"$user", rows_o, ROWS_B, "rows ""A"", b", pg_catalog, assay, pg_temp, nowhere', 'rows_owner'::regrole);
GRANT CREATE ON SCHEMA "rows ""A"", b" TO PUBLIC, rows_stranger;
GRANT CREATE ON SCHEMA rows_o TO rows_builder;
SELECT * FROM assay_internal.open_schemas('"$user", rows_o, ROWS_B, "rows ""A"", b", pg_catalog, assay, pg_temp, nowhere', 'rows_owner'::regrole);
REVOKE CREATE ON SCHEMA rows_o FROM rows_builder;
DROP SCHEMA "rows ""A"", b";
CREATE DOMAIN rows_b.length AS text;
ALTER DOMAIN rows_b.length OWNER TO rows_builder;
SET ROLE rows_owner;
SELECT assay_internal.check_condition('rows', 'length(t) > 0', 'a', true);
SELECT assay.alter_policy('rows', search_path => 'pg_catalog, assay, pg_temp') > 0 AS altered;

-- what a stranger does to a policy of his own compiles nobody else's anew
INSERT INTO rows_o.message VALUES (2, 'x');
SET ROLE rows_stranger;
CREATE TABLE rows_s.message (id int PRIMARY KEY, t text);
CREATE VIEW rows_s.sig AS SELECT id, t FROM rows_s.message;
SELECT assay.create_policy('rows_s', 'rows_s.sig', '{id}', prior => -2);
SELECT assay.create_detector('rows_s', 'a', 'id > 0', mode => 'live');
SELECT assay.alter_policy('rows_s', prior => -3);
SELECT assay.drop_policy('rows_s', drop_tables => true);
SET ROLE rows_owner;
SELECT valid FROM assay.policy_cache WHERE policy = 'rows' AND revision = (SELECT max(revision) FROM assay.revision WHERE policy = 'rows');
-- a change of its own does, in whatever table
SELECT assay.retire_detector('rows', 'by hand') > 0 AS changed;
SELECT bool_or(valid) FROM assay.policy_cache WHERE policy = 'rows';
RESET ROLE;

DROP SCHEMA rows_o, rows_b, rows_s CASCADE;
SELECT assay.drop_policy('rows');
DROP ROLE rows_owner, rows_builder, rows_stranger;
