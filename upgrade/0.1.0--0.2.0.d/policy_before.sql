-- The configuration moves to schema assay_internal, and its functions are made
-- anew: what users' own objects depend on (type attribution, score(), decide())
-- stays as it is.  What is in the tables is carried over in policy_after.sql.

DROP VIEW assay.stat_detector, assay.stat_policy, assay.policy_cache, assay.policies, assay.detectors, assay.exclusions, assay.revisions, assay.backfill_progress;

ALTER TABLE assay.policy RENAME TO old_policy;
ALTER TABLE assay.revision RENAME TO old_revision;
ALTER TABLE assay.detector_model RENAME TO old_detector_model;
ALTER TABLE assay.detector RENAME TO old_detector;
ALTER TABLE assay.guard RENAME TO old_guard;
ALTER TABLE assay.exclusion RENAME TO old_exclusion;
ALTER TABLE assay.fault RENAME TO old_fault;
ALTER TABLE assay.backfill_run RENAME TO old_backfill_run;

DROP POLICY owner ON assay.old_policy;
DROP POLICY owner ON assay.old_revision;
DROP POLICY owner ON assay.old_detector_model;
DROP POLICY owner ON assay.old_detector;
DROP POLICY owner ON assay.old_guard;
DROP POLICY owner ON assay.old_exclusion;
DROP POLICY owner ON assay.old_fault;
DROP POLICY owner ON assay.old_backfill_run;
DROP TRIGGER changed ON assay.old_policy;
DROP TRIGGER changed ON assay.old_revision;
DROP TRIGGER changed ON assay.old_detector_model;
DROP TRIGGER changed ON assay.old_detector;
DROP TRIGGER changed ON assay.old_guard;
DROP TRIGGER changed ON assay.old_exclusion;
DROP TRIGGER keep_history ON assay.old_revision;
DROP TRIGGER keep_history ON assay.old_detector_model;
DROP TRIGGER keep_history ON assay.old_detector;
DROP TRIGGER keep_history ON assay.old_guard;
DROP TRIGGER keep_history ON assay.old_exclusion;

DO $$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT p.oid::pg_catalog.regprocedure AS function, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind
		FROM pg_catalog.pg_proc p WHERE p.pronamespace IN ('assay'::pg_catalog.regnamespace, 'assay_internal'::pg_catalog.regnamespace) AND p.proname IN (
			'alter_detector', 'alter_policy', 'apply_state', 'backfill', 'caught_verdicts', 'check_condition', 'check_detector', 'check_exclusion',
			'check_guard', 'check_model', 'check_mutes', 'check_policy', 'check_search_path', 'check_settings', 'check_size', 'check_verdict',
			'check_verdicts', 'compare', 'compare_messages', 'condition_names', 'create_detector', 'create_guard', 'create_policy', 'document_diff',
			'document_item', 'document_list', 'document_time', 'drop_exclusion', 'drop_guard', 'drop_policy', 'exclude', 'explain_decision',
			'guard_users', 'keep_history', 'latest_decision', 'latest_decisions', 'latest_labels', 'member_of', 'new_revision', 'notice_expired',
			'policy_cache', 'policy_changed', 'policy_diff', 'policy_export', 'policy_for_change', 'policy_for_reading', 'policy_import', 'policy_state',
			'promote', 'read_document', 'replay', 'replay_pair', 'retire_detector', 'revision_for_reading', 'rollback_policy', 'signals_query', 'stat',
			'stat_reset', 'warn_unfit')
	LOOP
		EXECUTE pg_catalog.format('DROP %s %s', f.kind, f.function);
	END LOOP;
END $$;
