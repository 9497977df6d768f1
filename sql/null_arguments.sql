-- What changes something says so where an argument that must be there is NULL; what only reads may answer NULL with NULL
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_assay;
-- none is strict, which would be a reason to do nothing without a word
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'assay'::regnamespace AND p.prokind IN ('f', 'p') AND p.provolatile = 'v' AND p.proisstrict AND p.pronargs > 0 ORDER BY p.oid::regprocedure::text COLLATE "C";
-- with NULL for all that has no default, each is an error
CREATE TEMP TABLE silent (call text);
DO $$
DECLARE
	c text;
BEGIN
	FOR c IN SELECT format(CASE p.prokind WHEN 'p' THEN 'CALL assay.%I(%s)' ELSE 'SELECT count(*) FROM assay.%I(%s)' END, p.proname,
			(SELECT string_agg('NULL::' || format_type(t.type, NULL), ', ' ORDER BY t.n) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY t(type, n) WHERE t.n <= p.pronargs - p.pronargdefaults))
		FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
			JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_assay'
		WHERE p.pronamespace = 'assay'::regnamespace AND p.prokind IN ('f', 'p') AND p.provolatile = 'v' AND p.pronargs > p.pronargdefaults
		ORDER BY p.oid::regprocedure::text COLLATE "C"
	LOOP
		BEGIN
			EXECUTE c;
			INSERT INTO silent VALUES (c);
		EXCEPTION
			WHEN internal_error THEN
				RAISE;
			WHEN OTHERS THEN
				NULL;
		END;
	END LOOP;
END $$;
SELECT * FROM silent;
-- each argument by itself
SELECT assay.learn(NULL);
SELECT assay.learn('x', NULL);
SELECT assay.drop_text_model(NULL);
SELECT assay.compile_phrase_set(NULL);
SELECT assay.rebuild_list(NULL);
SELECT assay.create_list('null_list');
SELECT assay.alter_set('null_list', NULL);
SELECT assay.drop_set('null_list');
SELECT assay.grant_set('nosuch', NULL);
SELECT assay.revoke_set('nosuch', NULL);
SELECT assay.take_changes(NULL, 'a', '{1}');
SELECT assay.take_changes('p', NULL, '{1}');
SELECT * FROM assay.take_review(NULL);
SELECT * FROM assay.take_review('p', NULL);
SELECT * FROM assay.take_review('p', 1, NULL);
SELECT assay.skip_review(NULL, 1);
SELECT assay.skip_review('p', NULL);
SELECT * FROM assay.label_reported(NULL, 'pg_class', '[]');
SELECT * FROM assay.label_reported('p', NULL, '[]');
SELECT assay.drop_baseline(NULL);
SELECT assay.keep_baseline(NULL);
SELECT assay.compact_baseline(NULL);
SELECT * FROM assay.rebuild_baseline('pg_class', VARIADIC NULL);
SELECT assay.create_baseline('x', 'pg_class', '{relname}', 'at', search_path => NULL);
CALL assay.distribute('p', 'c', patience => NULL);
CALL assay.follow_policies('x', 'y', patience => NULL);
-- an aggregate of no rows is none
SELECT assay.take_changes('p', 'a', NULL) AS taken, (SELECT count(*) FROM assay.label_reported('p', 'pg_class', NULL)) AS labelled;
-- what only reads, where NULL would be taken for something else
SELECT assay.baseline_probe(NULL);
SELECT assay.baseline_probe('pg_class', live => NULL);
SELECT * FROM assay.online_report(NULL);
SELECT * FROM assay.online_report('p', since => NULL);
SELECT assay.drop_policy('nosuch', drop_tables => NULL);
