-- ---------------------------------------------------------------------------
-- policy: whose the lists and phrase sets are that it looks into
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.policy_sets(policy text, OUT kind text, OUT name text, OUT owner oid, OUT trusted boolean) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_policy_sets' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 10;
COMMENT ON FUNCTION assay_internal.policy_sets(text) IS
	'lists and phrase sets that a policy names, their owners, and whether these are whom the policy''s owner trusts; for who may act as that';

CREATE FUNCTION assay_internal.check_sets(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
		SELECT CASE WHEN s.owner IS NULL THEN 'error' ELSE 'warning' END, 'set',
			CASE WHEN s.owner IS NULL THEN format('%s "%s" does not exist: whoever makes it decides for this policy', CASE s.kind WHEN 'list' THEN 'list' ELSE 'phrase set' END, s.name)
				ELSE format('%s "%s" belongs to %s, who decides by it for this policy', CASE s.kind WHEN 'list' THEN 'list' ELSE 'phrase set' END, s.name,
					coalesce((SELECT quote_ident(r.rolname) FROM pg_roles r WHERE r.oid = s.owner), 'a role that was dropped')) END,
			CASE WHEN s.owner IS NULL THEN 'Make it, or mend what names it.' ELSE 'Where that is not meant, name another set; where it is, GRANT its owner to the policy''s.' END
		FROM assay_internal.policy_sets(p.policy) s WHERE NOT s.trusted
		ORDER BY s.kind COLLATE "C", s.name COLLATE "C";
EXCEPTION WHEN OTHERS THEN
	-- what does not compile is said elsewhere
	RETURN;
END $$;
COMMENT ON FUNCTION assay_internal.check_sets(assay.policy) IS 'are the lists and phrase sets that a policy names there, and whose?';
