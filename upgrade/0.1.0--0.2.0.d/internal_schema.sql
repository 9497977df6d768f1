-- Schema assay_internal, and into it what 0.1.0 had in schema assay and users do
-- not call by name.

CREATE SCHEMA assay_internal;
COMMENT ON SCHEMA assay_internal IS 'tables and functions of pg_assay that are not for users: these are in schema assay';
REVOKE ALL ON SCHEMA assay_internal FROM PUBLIC;
GRANT USAGE ON SCHEMA assay_internal TO PUBLIC;
GRANT USAGE ON SCHEMA assay TO PUBLIC;

DO $$
DECLARE
	f pg_catalog.regprocedure;
BEGIN
	FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p
		WHERE p.pronamespace OPERATOR(pg_catalog.=) 'assay'::pg_catalog.regnamespace
		AND p.proname::pg_catalog.text OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array(pg_catalog.regexp_replace('
		activity_accum, activity_add, activity_final, activity_in, activity_out, activity_recv, activity_send,
		activity_window_accum, activity_window_accum_inverse, activity_window_add, activity_window_add_inverse,
		activity_window_final, apply_state, attribution_in, attribution_out, attribution_recv, attribution_send,
		baseline_apply, baseline_apply_as_owner, baseline_column_type, baseline_columns, baseline_count,
		baseline_definition, baseline_equal, baseline_extra, baseline_is_expression, baseline_label_changes,
		baseline_merge, baseline_relabelled, baseline_steps, baseline_tiles, brier_add, caught_verdicts,
		check_condition, check_detector, check_exclusion, check_guard, check_model, check_mutes, check_policy,
		check_search_path, check_settings, check_size, check_verdict, check_verdicts, confusion_add,
		confusion_final, confusion_merge, document_diff, document_item, document_list, document_time, guard_users,
		lazy_row, log_loss_add, mean_final, model_cache, model_in, model_out, model_recv, model_send, new_revision,
		notice_expired, outcome_accum, outcome_accum_inverse, outcome_accum_moving, outcome_add, outcome_combine,
		outcome_combine_inverse, outcome_in, outcome_moving_final, outcome_out, outcome_recv, outcome_send,
		outcome_subtract, phrases_eq, phrases_in, phrases_ne, phrases_out, phrases_recv, phrases_send,
		policy_cache, policy_changed, policy_for_change, policy_for_reading, policy_state, read_document,
		record_support, replay_pair, revision_for_reading, scored_add, scored_combine, scored_final, scored_in,
		scored_out, scored_recv, scored_send, stat, sums_combine, warn_unfit
		', '[[:space:]]', '', 'g'), ','))
	LOOP
		EXECUTE pg_catalog.format('ALTER ROUTINE %s SET SCHEMA assay_internal', f);
	END LOOP;
END $$;
