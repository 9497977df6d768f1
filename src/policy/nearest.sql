-- ---------------------------------------------------------------------------
-- policy: hints about misspelt names
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.nearest(wanted text, names text[]) RETURNS text
	AS 'MODULE_PATHNAME', 'assay_nearest' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.nearest(text, text[]) IS 'of several names the one that a misspelt one may have meant, or NULL';

CREATE FUNCTION assay_internal.meant(kind text, wanted text, names text[], otherwise text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT concat_ws(' ', CASE WHEN n.name IS NOT NULL THEN format('Perhaps you meant the %s "%s".', kind, n.name) END, otherwise)
	FROM (SELECT assay_internal.nearest(wanted, names)) n(name)
$$;
COMMENT ON FUNCTION assay_internal.meant(text, text, text[], text) IS 'hint for a name that does not exist';

CREATE FUNCTION assay_internal.policy_hint(wanted text, may text) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.meant('policy', wanted, array(SELECT p.policy FROM assay.policy p ORDER BY p.policy COLLATE "C"),
		format('Or it is not yours: assay.policies lists those that you may %s.', may))
$$;
COMMENT ON FUNCTION assay_internal.policy_hint(text, text) IS 'hint for a policy that does not exist, of those that the user may read';

CREATE FUNCTION assay_internal.name_hint(kind text, policy text, wanted text) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.meant(kind, wanted, CASE kind
		WHEN 'detector' THEN array(SELECT d.detector FROM assay.detector d WHERE d.policy = $2 AND d.until_revision IS NULL ORDER BY d.detector COLLATE "C")
		WHEN 'exclusion' THEN array(SELECT x.exclusion FROM assay.exclusion x WHERE x.policy = $2 AND x.until_revision IS NULL ORDER BY x.exclusion COLLATE "C")
		WHEN 'guard' THEN array(SELECT g.guard FROM assay.guard g WHERE g.policy = $2 AND g.until_revision IS NULL ORDER BY g.guard COLLATE "C") END,
		format('The view assay.%s lists them.', CASE kind WHEN 'guard' THEN kind ELSE kind || 's' END))
$$;
COMMENT ON FUNCTION assay_internal.name_hint(text, text, text) IS 'hint for a detector, exclusion or guard that does not exist';
