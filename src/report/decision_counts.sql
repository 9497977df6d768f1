-- ---------------------------------------------------------------------------
-- report: how right a policy's decisions were
-- ---------------------------------------------------------------------------

-- type

CREATE TYPE assay_internal.decision_count AS (
	kind text, revision int, name text, mode text, claim text,
	hits bigint, malicious bigint, safe bigint, sole bigint, sole_right bigint, sole_wrong bigint, overlap bigint,
	segment text, other text
);
COMMENT ON TYPE assay_internal.decision_count IS
	'decisions with a verdict of a revision, or on which a detector or exclusion hit with the same claim: how many, and their labels';

CREATE TYPE assay_internal.report_row AS (
	part int, level int, kind text, name text, mode text, claim text, hits bigint, labelled bigint, tp bigint, fp bigint,
	evaluated bigint, found bigint, all_of_them bigint, sole bigint, sole_right bigint, sole_wrong bigint, overlap bigint
);
COMMENT ON TYPE assay_internal.report_row IS 'row of precision_report() before rates are made of it: recall is found of all_of_them';

-- private functions: from counts to rows

CREATE FUNCTION assay_internal.count_decisions(policy text, since timestamptz, until timestamptz, by text DEFAULT NULL, pairs boolean DEFAULT false)
	RETURNS SETOF assay_internal.decision_count
	AS 'MODULE_PATHNAME', 'assay_count_decisions' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION assay_internal.count_decisions(text, timestamptz, timestamptz, text, boolean) IS
	'of each message the latest decision made in a time, counted by segment (a column, a signal, the label''s category) and verdict, detector, exclusion, tag, pair of detectors; read as the policy''s owner';

CREATE FUNCTION assay_internal.count_hours(policy text, hours timestamptz[]) RETURNS SETOF assay_internal.decision_count
	AS 'MODULE_PATHNAME', 'assay_count_hours' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION assay_internal.count_hours(text, timestamptz[]) IS 'the same of each of these hours by itself, which is the segment';

CREATE FUNCTION assay_internal.labelled_while_standing(policy text, counts assay_internal.decision_count[],
	OUT name text, OUT mode text, OUT malicious bigint, OUT safe bigint, OUT hits bigint) RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH decided AS (
		SELECT c.revision, sum(c.hits) AS hits, sum(c.malicious) AS malicious, sum(c.safe) AS safe FROM unnest(counts) c WHERE c.kind = 'verdict' GROUP BY c.revision
	), standing AS (
		SELECT d.detector AS name, d.mode, d.from_revision, d.until_revision FROM assay.detector d
		WHERE d.policy = $1 AND d.mode IN ('live', 'shadow')
		UNION ALL
		SELECT x.exclusion, NULL, x.from_revision, x.until_revision FROM assay.exclusion x WHERE x.policy = $1
	)
	SELECT s.name, s.mode, sum(d.malicious)::bigint, sum(d.safe)::bigint, sum(d.hits)::bigint
	FROM standing s JOIN decided d ON d.revision >= s.from_revision AND (s.until_revision IS NULL OR d.revision < s.until_revision)
	GROUP BY s.name, s.mode
$$;
COMMENT ON FUNCTION assay_internal.labelled_while_standing(text, assay_internal.decision_count[]) IS
	'what each detector and exclusion could have hit: labelled messages decided by a revision in which it stood';

-- By the latest revision's levels, or by the verdict's own revision where that does not know it
CREATE FUNCTION assay_internal.verdict_levels(policy text, counts assay_internal.decision_count[],
	OUT level int, OUT name text, OUT hits bigint, OUT malicious bigint, OUT safe bigint) RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH levels AS (
		SELECT v.revision, u.name, u.level - 1 AS level
		FROM assay.revision v, LATERAL unnest(v.default_verdict
			|| array(SELECT t.key FROM jsonb_each_text(v.thresholds) t ORDER BY t.value::float8)) WITH ORDINALITY u(name, level)
		WHERE v.policy = $1
	), latest AS (
		SELECT l.name, l.level FROM levels l WHERE l.revision = (SELECT max(m.revision) FROM levels m)
	), decided AS (
		SELECT c.* FROM unnest(counts) c WHERE c.kind = 'verdict'
	)
	SELECT coalesce(n.level, max(l.level), 0)::int, coalesce(n.name, d.name),
		coalesce(sum(d.hits), 0)::bigint, coalesce(sum(d.malicious), 0)::bigint, coalesce(sum(d.safe), 0)::bigint
	FROM latest n FULL JOIN decided d ON d.name = n.name
	LEFT JOIN levels l ON l.revision = d.revision AND l.name = d.name
	GROUP BY n.level, coalesce(n.name, d.name)
$$;
COMMENT ON FUNCTION assay_internal.verdict_levels(text, assay_internal.decision_count[]) IS 'decisions by verdict, with those verdicts of the latest revision that had none';

-- A verdict finds what has it or a worse one; the default verdict claims that a message is safe.
CREATE FUNCTION assay_internal.verdict_rows(policy text, counts assay_internal.decision_count[]) RETURNS SETOF assay_internal.report_row
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT 0, v.level, 'verdict', v.name, NULL::text, CASE WHEN v.level = 0 THEN 'safe' ELSE 'malicious' END, v.hits, v.malicious + v.safe,
		CASE WHEN v.level = 0 THEN v.safe ELSE v.malicious END, CASE WHEN v.level = 0 THEN v.malicious ELSE v.safe END,
		sum(v.hits) OVER ()::bigint,
		CASE WHEN v.level = 0 THEN v.safe ELSE sum(v.malicious) OVER (ORDER BY v.level DESC) END::bigint,
		CASE WHEN v.level = 0 THEN sum(v.safe) OVER () ELSE sum(v.malicious) OVER () END::bigint,
		NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint
	FROM assay_internal.verdict_levels($1, counts) v
$$;
COMMENT ON FUNCTION assay_internal.verdict_rows(text, assay_internal.decision_count[]) IS 'rows of precision_report() about verdicts';

CREATE FUNCTION assay_internal.detector_rows(policy text, counts assay_internal.decision_count[]) RETURNS SETOF assay_internal.report_row
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH spoke AS (
		SELECT c.* FROM unnest(counts) c WHERE c.kind IN ('rule', 'model', 'exclusion')
	), silent AS (
		-- detectors that stand now and had nothing to say
		SELECT CASE WHEN d.condition IS NULL THEN 'model' ELSE 'rule' END AS kind, d.detector AS name, d.mode,
			CASE WHEN d.weight < 0 THEN 'safe' ELSE 'malicious' END AS claim
		FROM assay.detector d WHERE d.policy = $1 AND d.until_revision IS NULL AND d.mode IN ('live', 'shadow')
			AND NOT EXISTS (SELECT FROM spoke s WHERE s.name = d.detector AND s.kind <> 'exclusion')
	), counted AS (
		SELECT s.kind, s.name, s.mode, s.claim, s.hits, s.malicious + s.safe AS labelled,
			CASE s.claim WHEN 'safe' THEN s.safe ELSE s.malicious END AS tp, s.sole, s.sole_right, s.sole_wrong, s.overlap
		FROM spoke s
		UNION ALL
		SELECT s.kind, s.name, s.mode, s.claim, 0, 0, 0, 0, 0, 0, 0 FROM silent s
	)
	SELECT 1, 0, c.kind, c.name, c.mode, c.claim, c.hits, c.labelled, c.tp, c.labelled - c.tp,
		w.hits, c.tp, CASE c.claim WHEN 'safe' THEN w.safe ELSE w.malicious END, c.sole, c.sole_right, c.sole_wrong, c.overlap
	FROM counted c
	LEFT JOIN assay_internal.labelled_while_standing($1, counts) w ON w.name = c.name AND w.mode IS NOT DISTINCT FROM c.mode
$$;
COMMENT ON FUNCTION assay_internal.detector_rows(text, assay_internal.decision_count[]) IS 'rows of precision_report() about detectors and exclusions';

CREATE FUNCTION assay_internal.tag_rows(counts assay_internal.decision_count[]) RETURNS SETOF assay_internal.report_row
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT 2, 0, 'tag', t.name, 'live', t.claim, t.hits, t.malicious + t.safe,
		CASE t.claim WHEN 'safe' THEN t.safe ELSE t.malicious END, CASE t.claim WHEN 'safe' THEN t.malicious ELSE t.safe END,
		d.hits, CASE t.claim WHEN 'safe' THEN t.safe ELSE t.malicious END, CASE t.claim WHEN 'safe' THEN d.safe ELSE d.malicious END,
		NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint
	FROM unnest(counts) t, (SELECT sum(c.hits)::bigint AS hits, sum(c.malicious)::bigint AS malicious, sum(c.safe)::bigint AS safe
		FROM unnest(counts) c WHERE c.kind = 'verdict') d
	WHERE t.kind = 'tag'
$$;
COMMENT ON FUNCTION assay_internal.tag_rows(assay_internal.decision_count[]) IS 'rows of precision_report() about tags of detectors';
