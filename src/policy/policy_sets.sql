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
			CASE WHEN s.owner IS NULL THEN format('SELECT assay.%s(%L); or mend what names it.', CASE s.kind WHEN 'list' THEN 'create_list' ELSE 'create_phrase_set' END, s.name) ELSE 'Where that is not meant, name another set; where it is, GRANT its owner to the policy''s.' END
		FROM assay_internal.policy_sets(p.policy) s WHERE NOT s.trusted
		ORDER BY s.kind COLLATE "C", s.name COLLATE "C";
EXCEPTION WHEN OTHERS THEN
	-- what does not compile is said elsewhere
	RETURN;
END $$;
COMMENT ON FUNCTION assay_internal.check_sets(assay.policy) IS 'are the lists and phrase sets that a policy names there, and whose?';

CREATE FUNCTION assay_internal.missing_sets(policy text, expression text, is_text boolean, OUT kind text, OUT name text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_missing_sets' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 1;
COMMENT ON FUNCTION assay_internal.missing_sets(text, text, boolean) IS
	'lists, phrase sets and text models that a condition (is_text: the text of a text model) names by constants, and that do not exist; for builders and the owner';

CREATE FUNCTION assay_internal.warn_of_missing_sets(policy text, expression text, what text, is_text boolean DEFAULT false) RETURNS void LANGUAGE plpgsql STABLE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	s record;
BEGIN
	FOR s IN SELECT m.kind, m.name FROM assay_internal.missing_sets(policy, expression, is_text) m ORDER BY m.kind COLLATE "C", m.name COLLATE "C" LOOP
		RAISE WARNING '% "%" does not exist: % fails where it asks for it', s.kind, s.name, what USING ERRCODE = 'undefined_object',
			HINT = assay_internal.meant(s.kind, s.name,
				array(SELECT n.set FROM assay.named_sets n WHERE n.content = CASE s.kind WHEN 'list' THEN 'list' WHEN 'phrase set' THEN 'phrases' END ORDER BY n.set COLLATE "C"),
				format('assay.create_%s() makes one.', replace(s.kind, ' ', '_')));
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.warn_of_missing_sets(text, text, text, boolean) IS
	'warns where what is written names lists, phrase sets or text models that do not exist, and says which of the user''s have near names';
