-- report of a policy

CREATE FUNCTION assay.precision_report(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	confidence float8 DEFAULT 0.95, mature interval DEFAULT NULL,
	OUT kind text, OUT name text, OUT mode text, OUT claim text, OUT hits bigint, OUT labelled bigint, OUT tp bigint, OUT fp bigint,
	OUT "precision" float8, OUT lower float8, OUT upper float8, OUT recall float8, OUT fnr float8,
	OUT sole bigint, OUT sole_right bigint, OUT sole_wrong bigint, OUT overlap bigint) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 100
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	counts assay_internal.decision_count[];
BEGIN
	PERFORM assay.policy_for_reading(precision_report.policy);
	IF since IS NULL OR until IS NULL THEN
		RAISE EXCEPTION 'since and until must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM assay.wilson_interval(0, 0, confidence);
	until := assay_internal.mature_until(precision_report.policy, until, mature);
	counts := array(SELECT c FROM assay_internal.count_decisions(precision_report.policy, since, until) c);
	RETURN QUERY
		SELECT r.kind, r.name, r.mode, r.claim, r.hits, r.labelled, r.tp, r.fp,
			r.tp::float8 / nullif(r.labelled, 0), w.lower, w.upper,
			r.found::float8 / nullif(r.all_of_them, 0), 1 - r.found::float8 / nullif(r.all_of_them, 0),
			r.sole, r.sole_right, r.sole_wrong, r.overlap
		FROM (SELECT * FROM assay_internal.verdict_rows(precision_report.policy, counts)
			UNION ALL SELECT * FROM assay_internal.detector_rows(precision_report.policy, counts)) r,
			assay.wilson_interval(r.tp, r.labelled, confidence) w
		ORDER BY r.part, r.level DESC, r.hits DESC, r.name COLLATE "C", r.mode, r.claim;
END $$;
COMMENT ON FUNCTION assay.precision_report(text, timestamptz, timestamptz, float8, interval) IS
	'how right the decisions of a time were, by verdict, detector and exclusion: precision with interval, recall, sole effect, overlap; without what is younger than the policy''s label_maturity, or than mature says';
