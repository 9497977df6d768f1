-- ---------------------------------------------------------------------------
-- policy: whose the lists, phrase sets and text models are that it looks into
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.policy_sets(policy text, OUT kind text, OUT name text, OUT owner oid, OUT trusted boolean) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_policy_sets' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 10;
COMMENT ON FUNCTION assay_internal.policy_sets(text) IS
	'lists, phrase sets and text models that a policy names, their owners, and whether these are whom the policy''s owner trusts; for who may act as that';

CREATE FUNCTION assay_internal.missing_sets(policy text, expression text, is_text boolean, OUT kind text, OUT name text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_missing_sets' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 1;
COMMENT ON FUNCTION assay_internal.missing_sets(text, text, boolean) IS
	'lists, phrase sets and text models that a condition (is_text: the text of a text model) names by constants, and that do not exist; for builders and the owner';

CREATE FUNCTION assay_internal.missing_sets(signals regclass, OUT kind text, OUT name text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_missing_view_sets' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 1;
COMMENT ON FUNCTION assay_internal.missing_sets(regclass) IS 'lists, phrase sets and text models that a view, or one that it reads, names by constants, and that do not exist';

-- What does not compile is said elsewhere.
CREATE FUNCTION assay_internal.missing_text_models(p assay.policy) RETURNS SETOF text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c record;
BEGIN
	RETURN QUERY SELECT m.name FROM assay_internal.missing_sets(coalesce(to_regclass(p.signals), p.signals_view)) m WHERE m.kind = 'text model';
	FOR c IN SELECT w.condition, w.content FROM assay_internal.conditions(p.policy) w LOOP
		BEGIN
			RETURN QUERY SELECT m.name FROM assay_internal.missing_sets(p.policy, c.condition, false) m WHERE m.kind = 'text model'
				UNION ALL SELECT m.name FROM assay_internal.missing_sets(p.policy, c.content, true) m WHERE m.kind = 'text model';
		EXCEPTION WHEN OTHERS THEN
			CONTINUE;
		END;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.missing_text_models(assay.policy) IS 'text models that the signals view or a condition of a policy names, and that do not exist';

CREATE FUNCTION assay_internal.check_sets(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY
		SELECT CASE WHEN s.owner IS NULL THEN 'error' ELSE 'warning' END, 'set',
			CASE WHEN s.owner IS NULL THEN format('%s "%s" does not exist: whoever makes it decides for this policy', CASE s.kind WHEN 'list' THEN 'list' ELSE 'phrase set' END, s.name)
				ELSE format('%s "%s" belongs to %s, who decides by it for this policy', CASE s.kind WHEN 'phrases' THEN 'phrase set' ELSE s.kind END, s.name,
					coalesce((SELECT quote_ident(r.rolname) FROM pg_roles r WHERE r.oid = s.owner), 'a role that was dropped')) END,
			CASE WHEN s.owner IS NULL THEN format('SELECT assay.%s(%L); or mend what names it.', CASE s.kind WHEN 'list' THEN 'create_list' ELSE 'create_phrase_set' END, s.name) ELSE 'Where that is not meant, name another set; where it is, GRANT its owner to the policy''s.' END
		FROM assay_internal.policy_sets(p.policy) s WHERE NOT s.trusted
		ORDER BY s.kind COLLATE "C", s.name COLLATE "C";
	RETURN QUERY
		SELECT 'error', 'set', format('text model "%s" does not exist: whoever makes it decides for this policy', m.name), 'Make it, or mend what names it.'
		FROM (SELECT DISTINCT t.name COLLATE "C" AS name FROM assay_internal.missing_text_models(p) t(name)) m ORDER BY m.name;
EXCEPTION WHEN OTHERS THEN
	-- what does not compile is said elsewhere
	RETURN;
END $$;
COMMENT ON FUNCTION assay_internal.check_sets(assay.policy) IS 'are the lists, phrase sets and text models that a policy names there, and whose?';

CREATE FUNCTION assay_internal.warn_of_missing_set(kind text, name text, what text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE WARNING '% "%" does not exist: % fails where it asks for it', kind, name, what USING ERRCODE = 'undefined_object',
		HINT = assay_internal.meant(kind, name,
			array(SELECT h.name FROM (SELECT n.set, CASE n.content WHEN 'phrases' THEN 'phrase set' ELSE n.content END FROM assay.named_sets n
				UNION ALL SELECT m.name, 'text model' FROM assay.text_models m) h (name, kind)
				WHERE h.kind = warn_of_missing_set.kind ORDER BY h.name COLLATE "C"),
			format('assay.create_%s() makes one.', replace(kind, ' ', '_')));
END $$;
COMMENT ON FUNCTION assay_internal.warn_of_missing_set(text, text, text) IS 'warns of a list, phrase set or text model that does not exist, and says which of the user''s have near names';

CREATE FUNCTION assay_internal.warn_of_missing_sets(policy text, expression text, what text, is_text boolean DEFAULT false) RETURNS void LANGUAGE sql STABLE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.warn_of_missing_set(m.kind, m.name, $3)
	FROM (SELECT * FROM assay_internal.missing_sets($1, $2, $4) s ORDER BY s.kind COLLATE "C", s.name COLLATE "C") m
$$;
COMMENT ON FUNCTION assay_internal.warn_of_missing_sets(text, text, text, boolean) IS
	'warns where what is written names lists, phrase sets or text models that do not exist';

CREATE FUNCTION assay_internal.warn_of_missing_sets(signals regclass) RETURNS void LANGUAGE sql STABLE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.warn_of_missing_set(m.kind, m.name, format('signals view %s', $1))
	FROM (SELECT * FROM assay_internal.missing_sets($1) s ORDER BY s.kind COLLATE "C", s.name COLLATE "C") m
$$;
COMMENT ON FUNCTION assay_internal.warn_of_missing_sets(regclass) IS
	'warns where a view, or one that it reads, names lists, phrase sets or text models that do not exist';
