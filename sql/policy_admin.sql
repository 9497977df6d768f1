-- Administration of policies: differences, rollback, export and import.
SET extra_float_digits = 0;
\set SHOW_CONTEXT never
CREATE SCHEMA "Admin ü";
CREATE TABLE "Admin ü"."Mail 'x'" (id int PRIMARY KEY, n int, "Größe" float8, subject text);
INSERT INTO "Admin ü"."Mail 'x'" SELECT i, i % 7, i / 3.0, 'subject ' || i FROM generate_series(1, 100) i;
CREATE VIEW "Admin ü"."Sig""nals" AS SELECT id, n, "Größe", subject FROM "Admin ü"."Mail 'x'";
\set p 'pol "icy" ''ü'''
SELECT assay.create_policy(:'p', '"Admin ü"."Sig""nals"', '{id}', prior => -1);
SELECT assay.create_guard(:'p', 'Big "one"', '"Größe" > 20', 'gro''ß');
SELECT assay.create_detector(:'p', 'rule ''1'' "ü"', 'NOT "Big ""one""" AND n = 3', weight => 0.1, mode => 'live', tags => '{"a b","c\"d",ü}');
SELECT assay.create_detector(:'p', 'model', model => assay.model_from_linear('{n,Größe}', '{0.1,0.2}', -1), mode => 'live', weight => 1.5);
INSERT INTO "Admin ü"."pol ""icy"" 'ü'_decision" (id, revision, verdict, score, attribution) SELECT id, 1, verdict, score, attribution FROM "Admin ü"."Sig""nals" s, assay.score(:'p', s) WHERE id = 1;
SELECT assay.exclude(:'p', 'fp ''1''', 'subject = ''it''''s "ü"''', mutes => '{model,"rule ''1'' \"ü\""}', reason => 'FP "1"', expires_at => '2040-06-01 12:00+02', decision_key => '{1}');
SELECT assay.alter_policy(:'p', prior => -2.5, thresholds => '{"suspicious": 0.4, "malicious": 0.9, "gefähr\"lich": 0.99}');
SELECT assay.alter_detector(:'p', 'rule ''1'' "ü"', condition => 'n = 4', description => 'it''s');
SELECT assay.alter_detector(:'p', 'model', model => assay.model_from_linear('{n}', '{0.3}', -1));
SELECT assay.create_detector(:'p', 'blocks', 'n = 6', weight => 0, mode => 'live', force_verdict => 'gefähr"lich', rollout => 0.5, severity => 'high', expires_at => 'infinity');

-- what changed
SELECT * FROM assay.policy_diff(:'p', 5);
SELECT * FROM assay.policy_diff(:'p', 9, 8) WHERE attribute IN ('condition', 'force_verdict');
SELECT * FROM assay.policy_diff(:'p', 6, 6);
SELECT * FROM assay.policy_diff(:'p', 6, 99);
SELECT * FROM assay.policy_diff('nobody', 1, 2);

-- the way back
CREATE FUNCTION pg_temp.scores(revision int DEFAULT NULL) RETURNS text LANGUAGE sql AS
	$$ SELECT md5(string_agg(x.verdict || x.score || regexp_replace(x.attribution::text, '"revision": \d+', ''), ',' ORDER BY s.id)) FROM "Admin ü"."Sig""nals" s, assay.score('pol "icy" ''ü''', s, revision) x $$;
SELECT assay.rollback_policy(:'p', 5);
SELECT count(*) AS differ FROM assay.policy_diff(:'p', 5, 10);
SELECT pg_temp.scores(5) = pg_temp.scores() AS same, pg_temp.scores(9) <> pg_temp.scores() AS another;
SELECT assay.rollback_policy(:'p', 5);
SELECT assay.rollback_policy(:'p', 9);
SELECT count(*) AS differ FROM assay.policy_diff(:'p', 9, 11);
SELECT pg_temp.scores(9) = pg_temp.scores(11) AS same, pg_temp.scores(5) = pg_temp.scores(10) AS and_the_past;
SELECT assay.rollback_policy(:'p', 1);
SELECT * FROM assay.policy_diff(:'p', 1);
SELECT count(*) FROM assay.detectors WHERE policy = :'p';
SELECT assay.rollback_policy(:'p', 99);
SELECT assay.rollback_policy(:'p', NULL);
SELECT assay.rollback_policy('nobody', 1);
SELECT assay.rollback_policy(:'p', 11);
SELECT revision, summary FROM assay.revisions WHERE policy = :'p' ORDER BY revision DESC LIMIT 4;
-- rows that stood through it are as they were
SELECT detector, from_revision, until_revision FROM assay.detector WHERE policy = :'p' ORDER BY detector COLLATE "C", from_revision;
-- what no longer fits is told, and does not stop it
CREATE VIEW "Admin ü".less AS SELECT id, n, subject FROM "Admin ü"."Mail 'x'";
SELECT assay.alter_policy(:'p', signals => '"Admin ü".less');
SELECT assay.rollback_policy(:'p', 5);
SELECT assay.alter_policy(:'p', signals => '"Admin ü"."Sig""nals"');
SELECT assay.rollback_policy(:'p', 11);

-- one document
SELECT jsonb_pretty(assay.policy_export(:'p', models => false));
SELECT assay.policy_export(:'p', 5) = assay.policy_export(:'p', 10) AS the_same_state_is_the_same_document;
SELECT assay.policy_export(:'p', 99);
SELECT assay.policy_export('nobody');
-- and back: nothing changes
SELECT * FROM assay.policy_import(assay.policy_export(:'p'), dry_run => false);
SELECT * FROM assay.policy_import(assay.policy_export(:'p', models => false), dry_run => false);
SELECT max(revision) FROM assay.revisions WHERE policy = :'p';
-- whatever the session's settings are
BEGIN;
SET LOCAL timezone = 'Asia/Kolkata'; SET LOCAL datestyle = 'German'; SET LOCAL extra_float_digits = -5; SET LOCAL search_path = "Admin ü";
SELECT * FROM assay.policy_import(assay.policy_export(:'p'), dry_run => false);
COMMIT;
-- an older state, tried and done, as one revision
SELECT * FROM assay.policy_import(assay.policy_export(:'p', 5, models => false));
SELECT max(revision) FROM assay.revisions WHERE policy = :'p';
SELECT count(*) FROM assay.policy_import(assay.policy_export(:'p', 5, models => false), dry_run => false);
SELECT revision, summary FROM assay.revisions WHERE policy = :'p' ORDER BY revision DESC LIMIT 1;
SELECT * FROM assay.policy_diff(:'p', 5);
SELECT pg_temp.scores(5) = pg_temp.scores() AS same;
SELECT detector, revision FROM assay.detector_model WHERE policy = :'p' ORDER BY 2;

-- into another policy, which it makes
\set q 'cop''y "2"'
SELECT count(*) > 10 AS tried FROM assay.policy_import(assay.policy_export(:'p', 11), :'q');
SELECT count(*) FROM assay.policies WHERE policy = :'q';
SELECT to_regclass(format('"Admin ü".%I', :'q' || '_decision'));
SELECT count(*) > 10 AS done FROM assay.policy_import(assay.policy_export(:'p', 11), :'q', false);
SELECT revision, left(summary, 40) FROM assay.revisions WHERE policy = :'q' ORDER BY 1;
SELECT assay.policy_export(:'q') - 'policy' = assay.policy_export(:'p', 11) - 'policy' AS equal;
SELECT count(*) AS differ FROM "Admin ü"."Sig""nals" s, assay.score(:'p', s, 11) a, assay.score(:'q', s) b WHERE (a.verdict, a.score) IS DISTINCT FROM (b.verdict, b.score);
SELECT * FROM assay.policy_import(assay.policy_export(:'p', 11), :'q', false);
-- a model can't come by its digest alone, nor under another's
SELECT * FROM assay.policy_import(assay.policy_export(:'p', 11, false), 'third', false);
SELECT * FROM assay.policy_import(jsonb_set(assay.policy_export(:'p', 11), '{detectors,1,model,digest}', '"ab"'), 'third');
SELECT count(*) FROM assay.policy WHERE policy = 'third';

-- written by hand, all defaults
\set doc '{"pg_assay_policy": 1, "policy": "hand", "signals": "\\"Admin ü\\".\\"Sig\\"\\"nals\\"", "key": ["id"], "settings": {}, "detectors": [{"name": "one", "condition": "n = 1"}]}'
SELECT * FROM assay.policy_import(:'doc', dry_run => false);
SELECT * FROM assay.policy_import(:'doc', dry_run => false);
SELECT * FROM assay.policy_import(jsonb_set(:'doc', '{detectors,0,weight}', '1e0'), dry_run => false);
SELECT * FROM assay.policy_import(jsonb_set(:'doc', '{settings,search_path}', '"pg_catalog, public"'), dry_run => false);
SELECT detector, mode, weight, rollout, tags FROM assay.detectors WHERE policy = 'hand';
SELECT search_path FROM assay.revision WHERE policy = 'hand' ORDER BY revision DESC LIMIT 1;

-- bad documents, none of which changes anything
\set VERBOSITY terse
CREATE FUNCTION pg_temp.tried(path text[], value jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	doc jsonb := '{"pg_assay_policy": 1, "policy": "hand", "settings": {"thresholds": {"bad": 0.5}},
		"guards": [{"name": "g", "condition": "n > 1"}],
		"detectors": [{"name": "a", "condition": "g AND n = 1"}, {"name": "b", "model": {"text": "x"}}],
		"exclusions": [{"name": "x", "condition": "g", "mutes": ["a"], "reason": "r"}]}';
BEGIN
	doc := jsonb_set(doc, '{detectors,1,model,text}', to_jsonb(assay.model_from_linear('{n}', '{1}')::text));
	doc := CASE WHEN value IS NULL THEN doc #- path ELSE jsonb_set(doc, path, value) END;
	PERFORM assay.policy_import(doc, dry_run => false);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
\pset format unaligned
SELECT path, value, pg_temp.tried(path::text[], value::jsonb) FROM (VALUES
	('{pg_assay_policy}', NULL), ('{pg_assay_policy}', '2'), ('{policy}', '7'), ('{policy}', 'null'), ('{policy}', '"absent"'), ('{unknown}', '1'),
	('{settings}', NULL), ('{settings}', '[]'), ('{settings,prior}', '"x"'), ('{settings,prior}', '1000.5'), ('{settings,prior}', '1e999'),
	('{settings,thresholds}', '{"bad": 2}'), ('{settings,thresholds}', '{"safe": 0.5}'), ('{settings,on_error}', '"x"'), ('{settings,x}', '1'),
	('{settings,search_path}', '"a,,b"'), ('{settings,search_path}', '""'), ('{settings,default_verdict}', '""'),
	('{guards}', '{}'), ('{guards,0}', '7'), ('{guards,0,name}', NULL), ('{guards,0,name}', '""'), ('{guards,0,name}', '7'), ('{guards,0,condition}', NULL),
	('{guards,0,name}', '"n"'), ('{guards,0,condition}', '"nn > 1"'), ('{guards,1}', '{"name": "g", "condition": "true"}'), ('{guards}', NULL),
	('{detectors,0,name}', '"b"'), ('{detectors,0,condition}', '"n ="'), ('{detectors,0,condition}', NULL), ('{detectors,0,condition}', '"random() < 1"'),
	('{detectors,0,mode}', '"on"'), ('{detectors,0,weight}', '1001'), ('{detectors,0,weight}', '"1"'), ('{detectors,0,rollout}', '1.5'),
	('{detectors,0,tags}', '"a"'), ('{detectors,0,tags}', '[1]'), ('{detectors,0,expires_at}', '"soon"'), ('{detectors,0,expires_at}', '5'),
	('{detectors,0,force_verdict}', '"worse"'), ('{detectors,0,typo}', '1'), ('{detectors,0,model}', '{"text": "x"}'),
	('{detectors,1,model}', '{}'), ('{detectors,1,model}', '{"text": "x"}'), ('{detectors,1,model}', '{"text": 1}'), ('{detectors,1,model}', '{"digest": "x"}'),
	('{detectors,0}', NULL), ('{detectors}', NULL),
	('{exclusions,0,mutes}', '["zz"]'), ('{exclusions,0,mutes}', '[]'), ('{exclusions,0,mutes}', '[null]'), ('{exclusions,0,reason}', NULL), ('{exclusions,0,verdict}', '"zz"'),
	('{exclusions,0,decision_key}', '["1", "2"]'), ('{exclusions,0,condition}', '"h"'), ('{exclusions,0,expires_at}', '"x"')) t(path, value);
\pset format aligned
SELECT assay.policy_import(NULL);
SELECT assay.policy_import('[]');
SELECT assay.policy_import('{"pg_assay_policy": 1, "settings": {}}');
SELECT assay.policy_import(:'doc', dry_run => NULL);
SELECT revision, summary FROM assay.revisions WHERE policy = 'hand' ORDER BY 1;
SELECT pg_temp.tried('{settings,prior}', '-1000');
\set VERBOSITY default

-- drafts count when asked for
SELECT assay.create_detector('hand', 'draft', 'true', weight => 3, mode => 'draft');
SELECT assay.margin(a.attribution) AS without, assay.margin(b.attribution) AS with_drafts, assay.margin(c.attribution) AS before_it
FROM (SELECT 1 AS id, 9 AS n, 'x' AS subject) s, assay.score('hand', s) a, assay.score('hand', s, drafts => true) b, assay.score('hand', s, 3, drafts => true) c;

-- guards end when nothing refers to them
SELECT assay.drop_guard('hand', 'g');
SELECT assay.drop_guard('hand', 'none');
SELECT assay.retire_detector('hand', 'a'), assay.drop_exclusion('hand', 'x');
SELECT assay.drop_guard('hand', 'g');
SELECT assay.promote('hand', 'a');
-- what was changed after it was looked at is not promoted
SELECT assay.create_detector('hand', 'looked at', 'n > 1', mode => 'draft') AS looked \gset
SELECT assay.alter_detector('hand', 'looked at', condition => 'n > 0') AS looked_again \gset
SELECT assay.create_detector('hand', 'another', 'n > 2', mode => 'draft') > :looked_again AS later;
SELECT set_config('admin.looked', :'looked', false) IS NOT NULL AS kept;
DO $$ BEGIN
	PERFORM assay.promote('hand', 'looked at', revision => current_setting('admin.looked')::int);
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	RAISE NOTICE '%', regexp_replace(SQLERRM, '\d+', 'N');
END $$;
SELECT assay.promote('hand', 'looked at', revision => 9999);
SELECT mode FROM assay.detectors WHERE policy = 'hand' AND detector = 'looked at';
SELECT assay.promote('hand', 'looked at', revision => :looked_again) > :looked_again AS promoted;
SELECT mode FROM assay.detectors WHERE policy = 'hand' AND detector = 'looked at';
SELECT assay.drop_detector('hand', 'looked at') > 0 AS dropped, assay.drop_detector('hand', 'another') > 0 AS dropped;
SELECT assay.promote('hand', 'b');
SELECT mode, kind FROM assay.detectors WHERE policy = 'hand' AND detector = 'b';
SELECT assay.condition_names('a = 1 AND NOT "B ""x""" OR lower(c.d) = (SELECT e FROM f) AND a IS NULL');
SELECT assay.condition_names('a =');

-- whose it is
CREATE ROLE admin_other;
GRANT USAGE ON SCHEMA "Admin ü" TO admin_other;
SET ROLE admin_other;
\set VERBOSITY terse
SELECT assay.policy_export('hand');
SELECT * FROM assay.policy_diff('hand', 1, 2);
SELECT assay.rollback_policy('hand', 1);
SELECT * FROM assay.policy_import(:'doc');
SELECT assay.drop_guard('hand', 'g');
RESET ROLE;
DROP OWNED BY admin_other;
DROP ROLE admin_other;
SELECT assay.drop_policy(policy, true) FROM assay.policies;
DROP SCHEMA "Admin ü" CASCADE;
