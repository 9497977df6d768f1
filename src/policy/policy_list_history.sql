-- ---------------------------------------------------------------------------
-- policy: what decisions that are kept need of lists
-- ---------------------------------------------------------------------------

-- By the name, wherever it stands: what seems to name a list, and does not, only keeps more.  Within a literal quotes and
-- backslashes are doubled, so that neither is compared.  A view may read others.
CREATE FUNCTION assay_internal.names_list(policy text, signals_view regclass, set text) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH name AS (
		SELECT translate($3, $q$'\$q$, '') AS bare
	), view AS (
		SELECT r.oid FROM assay_internal.relations_below($2) r(oid) JOIN pg_class c ON c.oid = r.oid AND c.relkind IN ('v', 'm')
	)
	SELECT EXISTS (SELECT FROM assay_internal.detector t, name n WHERE t.policy = $1 AND strpos(translate(t.condition, $q$'\$q$, ''), n.bare) > 0)
		OR EXISTS (SELECT FROM assay_internal.detector_model t, name n WHERE t.policy = $1 AND strpos(translate(t.content, $q$'\$q$, ''), n.bare) > 0)
		OR EXISTS (SELECT FROM assay_internal.guard t, name n WHERE t.policy = $1 AND strpos(translate(t.condition, $q$'\$q$, ''), n.bare) > 0)
		OR EXISTS (SELECT FROM assay_internal.exclusion t, name n WHERE t.policy = $1 AND strpos(translate(t.condition, $q$'\$q$, ''), n.bare) > 0)
		OR EXISTS (SELECT FROM view v, name n WHERE strpos(translate(pg_get_viewdef(v.oid), $q$'\$q$, ''), n.bare) > 0)
$$;
COMMENT ON FUNCTION assay_internal.names_list(text, regclass, text) IS 'does a condition of the policy, or the text of a text model''s detector, at any revision, or a view that it reads, have this name in it?';
REVOKE ALL ON FUNCTION assay_internal.names_list(text, regclass, text) FROM PUBLIC;

-- A decision is made as of the time when it is, or, by a backfill, of its message.  Partitions go by the time of the message, and as a whole.
CREATE FUNCTION assay_internal.list_needed(set text) RETURNS timestamptz LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(min(CASE WHEN r.decisions IS NULL THEN '-infinity' WHEN t.period IS NOT NULL THEN now() - r.decisions - ('1 ' || t.period)::interval
		ELSE least(now() - r.decisions, (SELECT min(b.since) FROM assay_internal.backfill_run b WHERE b.policy = p.policy AND b.updated_at >= now() - r.decisions)) END), 'infinity')
	FROM assay_internal.policy p
	LEFT JOIN assay_internal.retention r ON r.policy = p.policy
	LEFT JOIN assay_internal.partitioning t ON t.policy = p.policy
	WHERE assay_internal.names_list(p.policy, p.signals_view, $1)
$$;
COMMENT ON FUNCTION assay_internal.list_needed(text) IS
	'the earliest moment as of which decisions that are kept, of any policy that names a list, were made; infinity: none needs its history';
REVOKE ALL ON FUNCTION assay_internal.list_needed(text) FROM PUBLIC;
