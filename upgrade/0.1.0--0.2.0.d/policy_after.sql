-- What the tables of 0.1.0 held.  A policy whose tables or view are gone keeps
-- its place with oids of nothing: assay.check() tells what is missing.

INSERT INTO assay_internal.policy (policy, signals, signals_view, key, decision, label, access, created_at)
SELECT o.policy, o.signals, pg_catalog.to_regclass(o.signals), o.key, coalesce(pg_catalog.to_regclass(o.decision), 0::pg_catalog.regclass),
	coalesce(pg_catalog.to_regclass(o.label), 0::pg_catalog.regclass), NULL, o.created_at
FROM assay.old_policy o;
INSERT INTO assay_internal.revision (policy, revision, made_at, made_by, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify)
SELECT o.policy, o.revision, o.made_at, o.made_by, o.summary, o.prior, o.thresholds, o.default_verdict, o.on_error, o.log_signals, o.search_path, o.notify
FROM assay.old_revision o;
INSERT INTO assay_internal.detector_model (policy, detector, revision, model)
SELECT o.policy, o.detector, o.revision, o.model FROM assay.old_detector_model o;
INSERT INTO assay_internal.detector SELECT o.* FROM assay.old_detector o;
INSERT INTO assay_internal.guard SELECT o.* FROM assay.old_guard o;
INSERT INTO assay_internal.exclusion SELECT o.* FROM assay.old_exclusion o;
INSERT INTO assay_internal.fault OVERRIDING SYSTEM VALUE SELECT o.* FROM assay.old_fault o;
INSERT INTO assay_internal.backfill_run OVERRIDING SYSTEM VALUE SELECT o.* FROM assay.old_backfill_run o;
SELECT pg_catalog.setval('assay_internal.fault_fault_seq', (SELECT coalesce(pg_catalog.max(f.fault), 0) + 1 FROM assay_internal.fault f), false);
SELECT pg_catalog.setval('assay_internal.backfill_run_run_seq', (SELECT coalesce(pg_catalog.max(r.run), 0) + 1 FROM assay_internal.backfill_run r), false);

-- A policy belongs to the owner of its decision table from now on: where that was another, it is told.
DO $$
DECLARE
	o record;
BEGIN
	FOR o IN SELECT p.policy, p.owner, pg_catalog.pg_get_userbyid(c.relowner) AS table_owner FROM assay.old_policy p
		JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(p.decision) WHERE pg_catalog.pg_get_userbyid(c.relowner) <> p.owner
	LOOP
		RAISE WARNING 'policy "%" belongs to % now, the owner of its decision table, and no longer to %', o.policy, o.table_owner, o.owner
			USING HINT = pg_catalog.format('SELECT assay.alter_policy(%L, owner => %L);', o.policy, o.owner);
	END LOOP;
	-- 0.1.0 knew tables by their names, and decided nothing any more where they were renamed
	FOR o IN SELECT p.policy, k.what, k.name FROM assay.old_policy p CROSS JOIN LATERAL (VALUES ('decision', p.decision), ('label', p.label)) k(what, name)
		WHERE pg_catalog.to_regclass(k.name) IS NULL
	LOOP
		RAISE WARNING '% table of policy "%" is not found: %', o.what, o.policy, o.name
			USING HINT = pg_catalog.format('If it has another name, a superuser tells it: UPDATE assay_internal.policy SET %s = ... WHERE policy = %L;', o.what, o.policy);
	END LOOP;
	FOR o IN SELECT p.policy FROM assay.old_policy p LOOP
		RAISE NOTICE 'call assay.upgrade_policy(%) when there is time: its decision table changes', pg_catalog.quote_literal(o.policy);
	END LOOP;
END $$;

-- A session keeps the library that it has loaded, and that of 0.1.0 finds no policy here, so that its INSERTs fail.
-- Where the server preloads the library, this session has the one that all have.
DO $$
DECLARE
	others text := (SELECT pg_catalog.string_agg(a.pid::text, ', ' ORDER BY a.pid) FROM pg_catalog.pg_stat_activity a
		WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid());
BEGIN
	IF others IS NOT NULL AND pg_catalog.current_setting('shared_preload_libraries') !~ 'pg_assay' THEN
		RAISE WARNING 'INSERTs of sessions that used pg_assay before its new library was installed fail until these reconnect'
			USING DETAIL = pg_catalog.format('Other sessions of this database: %s.', others), HINT = 'Let them reconnect, or end them by pg_terminate_backend().';
	END IF;
END $$;

-- What users hung on these tables goes with them, which is told.
DO $$
DECLARE
	o record;
BEGIN
	FOR o IN
		WITH gone AS (SELECT c.oid, pg_catalog.substr(c.relname::text, 5) AS name FROM pg_catalog.pg_class c
			WHERE c.relnamespace = 'assay'::pg_catalog.regnamespace::pg_catalog.oid AND c.relkind = 'r' AND c.relname::text ~ '^old_')
		SELECT 'trigger' AS what, t.tgname::text AS name, g.name AS of FROM pg_catalog.pg_trigger t JOIN gone g ON g.oid = t.tgrelid WHERE NOT t.tgisinternal
		UNION ALL SELECT 'rule', r.rulename::text, g.name FROM pg_catalog.pg_rewrite r JOIN gone g ON g.oid = r.ev_class
		UNION ALL SELECT 'publication', p.pubname::text, g.name FROM pg_catalog.pg_publication_rel r JOIN gone g ON g.oid = r.prrelid
			JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
		ORDER BY 3, 1, 2
	LOOP
		RAISE WARNING '% "%" on assay.% is lost: that table is another now', o.what, o.name, o.of
			USING HINT = pg_catalog.format('The table is assay_internal.%s.', o.of);
	END LOOP;
END $$;

-- out of the extension first, or it would go on dumping what is no more
ALTER EXTENSION pg_assay DROP SEQUENCE assay.fault_fault_seq;
ALTER EXTENSION pg_assay DROP TABLE assay.old_fault;
ALTER EXTENSION pg_assay DROP TABLE assay.old_exclusion;
ALTER EXTENSION pg_assay DROP TABLE assay.old_guard;
ALTER EXTENSION pg_assay DROP TABLE assay.old_detector;
ALTER EXTENSION pg_assay DROP TABLE assay.old_detector_model;
ALTER EXTENSION pg_assay DROP TABLE assay.old_revision;
ALTER EXTENSION pg_assay DROP TABLE assay.old_policy;
DROP TABLE assay.old_backfill_run, assay.old_fault, assay.old_exclusion, assay.old_guard, assay.old_detector, assay.old_detector_model,
	assay.old_revision, assay.old_policy;
