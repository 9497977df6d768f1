-- report of a policy

CREATE FUNCTION assay.precision_report(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	confidence float8 DEFAULT 0.95, mature interval DEFAULT NULL, by text DEFAULT NULL,
	OUT kind text, OUT name text, OUT mode text, OUT claim text, OUT hits bigint, OUT labelled bigint, OUT tp bigint, OUT fp bigint,
	OUT "precision" float8, OUT lower float8, OUT upper float8, OUT recall float8, OUT fnr float8,
	OUT sole bigint, OUT sole_right bigint, OUT sole_wrong bigint, OUT overlap bigint,
	OUT evaluated bigint, OUT segment text) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 100
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	counts assay_internal.decision_count[];
BEGIN
	PERFORM assay_internal.policy_for_reading(precision_report.policy);
	PERFORM assay_internal.check_span(since, until);
	PERFORM assay.wilson_interval(0, 0, confidence);
	until := assay_internal.mature_until(precision_report.policy, until, mature);
	counts := array(SELECT c FROM assay_internal.count_decisions(precision_report.policy, since, until, precision_report.by) c);
	RETURN QUERY
		SELECT r.kind, r.name, r.mode, r.claim, r.hits, r.labelled, r.tp, r.fp,
			r.tp::float8 / nullif(r.labelled, 0), w.lower, w.upper,
			r.found::float8 / nullif(r.all_of_them, 0), 1 - r.found::float8 / nullif(r.all_of_them, 0),
			r.sole, r.sole_right, r.sole_wrong, r.overlap, r.evaluated, g.segment
		FROM (
			-- without any decision there are the verdicts and detectors that stand
			SELECT array_agg(c) AS counts, c.segment FROM unnest(counts) c GROUP BY c.segment
			UNION ALL SELECT counts, NULL WHERE cardinality(counts) = 0) g,
			LATERAL (SELECT * FROM assay_internal.verdict_rows(precision_report.policy, g.counts)
				UNION ALL SELECT * FROM assay_internal.detector_rows(precision_report.policy, g.counts)
				UNION ALL SELECT * FROM assay_internal.tag_rows(g.counts)) r,
			assay.wilson_interval(r.tp, r.labelled, confidence) w
		ORDER BY g.segment COLLATE "C", r.part, r.level DESC, r.hits DESC, r.name COLLATE "C", r.mode, r.claim;
END $$;
COMMENT ON FUNCTION assay.precision_report(text, timestamptz, timestamptz, float8, interval, text) IS
	'how right the decisions of a time were, by verdict, detector, exclusion and tag, and by segment: precision with interval, recall, sole effect, overlap; without what is younger than the policy''s label_maturity, or than mature says';

CREATE FUNCTION assay.overlap_report(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity', by text DEFAULT NULL,
	OUT segment text, OUT detector_a text, OUT detector_b text, OUT hits_a bigint, OUT hits_b bigint, OUT "both" bigint,
	OUT malicious bigint, OUT safe bigint, OUT jaccard float8) RETURNS SETOF record
	LANGUAGE sql STABLE ROWS 100
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.check_span($2, $3);
	WITH c AS MATERIALIZED (
		SELECT c.* FROM assay_internal.policy_for_reading($1) p, assay_internal.count_decisions(p.policy, $2, $3, $4, true) c
	), d AS (
		SELECT c.segment, CASE c.mode WHEN 'shadow' THEN 'shadow:' ELSE '' END || c.name AS name, sum(c.hits)::bigint AS hits
		FROM c WHERE c.kind IN ('rule', 'model') GROUP BY 1, 2
	)
	SELECT c.segment, c.name, c.other, a.hits, b.hits, c.hits, c.malicious, c.safe, c.hits::float8 / (a.hits + b.hits - c.hits)
	FROM c
	JOIN d a ON a.name = c.name AND a.segment IS NOT DISTINCT FROM c.segment
	JOIN d b ON b.name = c.other AND b.segment IS NOT DISTINCT FROM c.segment
	WHERE c.kind = 'pair'
	ORDER BY c.segment COLLATE "C", c.hits DESC, c.name COLLATE "C", c.other COLLATE "C"
$$;
COMMENT ON FUNCTION assay.overlap_report(text, timestamptz, timestamptz, text) IS
	'detectors that hit the same messages, by pairs (shadow: before those in shadow): both, what the labels say of these, and both as a part of either';
