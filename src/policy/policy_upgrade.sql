-- ---------------------------------------------------------------------------
-- policy: tables that an older version made
-- ---------------------------------------------------------------------------

-- Each row is checked again, by whatever the owner hung on the table.
CREATE FUNCTION assay_internal.rewrite_signals(decision regclass) RETURNS boolean LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' AS $$
BEGIN
	EXECUTE format('ALTER TABLE %s ALTER COLUMN signals TYPE assay.logged_signals USING assay_internal.form_signals(signals)', decision);
	RETURN true;
END $$;
COMMENT ON FUNCTION assay_internal.rewrite_signals(regclass) IS 'makes logged signals of what 0.1.0 kept in a decision table';

CREATE FUNCTION assay_internal.rewrite_signals_as_owner(decision regclass) RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_rewrite_signals_as_owner' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION assay_internal.rewrite_signals_as_owner(regclass) IS 'rewrite_signals() as the owner of the decision table, whoever of his role calls';

-- What the owner made of a view (fewer rows, other values by the columns' names) may be meant for those who must not
-- read the table.  Quoted names are cut to "q", so that only values have quotes.
CREATE FUNCTION assay_internal.is_plain_view(view regclass, source regclass, rest text) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT regexp_replace(pg_get_viewdef(view), '"([^"]|"")*"|(''([^'']|'''')*'')', 'q\2', 'g')
			~ ('^ SELECT (DISTINCT ON \([^()]*\) )?((?! AS )[^()''])*\s+FROM ((?!WHERE)[^()])*\s+' || rest || ';$')
		AND NOT EXISTS (SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
			WHERE w.ev_class = view AND d.refclassid = 'pg_class'::regclass AND d.refobjid NOT IN (view, source))
$$;
COMMENT ON FUNCTION assay_internal.is_plain_view(regclass, regclass, text) IS
	'does a view show nothing but columns of this table, and its query go on as a pattern says: is it as create_policy() makes, or made it?';

CREATE FUNCTION assay_internal.owner_views(p assay.policy, OUT view regclass, OUT source regclass, OUT guarded boolean) RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT v.oid::regclass, t.oid::regclass, t.relrowsecurity
	FROM (VALUES
		(p.decision, '_verdict', '{revision,decided_at,verdict,score,attribution,degraded}'::text[],
			'(ORDER BY [^()]*revision DESC|WHERE \(NOT \(EXISTS \( SELECT\s+FROM [^()]* n\s+WHERE .*\(n\.revision > d\.revision\)\)+)'),
		(p.label, '_label_latest', '{malicious,source,labelled_at}', 'ORDER BY .*labelled_at DESC')) k(relid, ending, columns, rest)
	JOIN pg_class t ON t.oid = k.relid
	JOIN pg_class v ON v.relnamespace = t.relnamespace AND v.relname = p.policy || k.ending AND v.relkind = 'v' AND v.relowner = t.relowner
	WHERE assay_internal.is_plain_view(v.oid, t.oid, k.rest)
		AND NOT EXISTS (SELECT FROM pg_options_to_table(v.reloptions) o WHERE o.option_name = 'security_invoker')
		AND NOT EXISTS (SELECT FROM unnest(p.key || k.columns) c
			WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = v.oid AND a.attname = c AND NOT a.attisdropped))
	ORDER BY k.ending
$$;
COMMENT ON FUNCTION assay_internal.owner_views(assay.policy) IS
	'views of decisions and labels, as an older version made them, that read as their owner, past the row-level security of their tables';

CREATE FUNCTION assay_internal.grant_again(view regclass, acl aclitem[]) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	a record;
BEGIN
	FOR a IN SELECT x.*, CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END AS role
		FROM aclexplode(acl) x WHERE x.grantee = 0 OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = x.grantee) LOOP
		EXECUTE format('GRANT %s ON %s TO %s', a.privilege_type, view, a.role) || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.grant_again(regclass, aclitem[]) IS 'gives the rights on a view that was made anew to those who had them';

-- Who may read such a view, but not its table, must be told.
CREATE FUNCTION assay_internal.upgrade_views(p assay.policy) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v record;
	roles text;
BEGIN
	FOR v IN SELECT * FROM assay_internal.owner_views(p) LOOP
		EXECUTE format('ALTER VIEW %s SET (security_invoker)', v.view);
		SELECT string_agg(r.role, ', ' ORDER BY r.role COLLATE "C") INTO roles
		FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
		CROSS JOIN LATERAL (SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END) r(role)
		WHERE c.oid = v.view AND a.privilege_type = 'SELECT'
			AND NOT CASE WHEN a.grantee = 0 THEN EXISTS (SELECT FROM pg_class t CROSS JOIN LATERAL aclexplode(t.relacl) g
					WHERE t.oid = v.source AND g.grantee = 0 AND g.privilege_type = 'SELECT')
				ELSE coalesce(has_table_privilege(a.grantee, v.source, 'SELECT'), true) END;
		IF roles IS NOT NULL THEN
			RAISE WARNING 'view % now reads with the rights of whoever asks: %, who may read it, may not read %', v.view, roles, v.source
				USING HINT = format('GRANT SELECT ON %s TO %s; its row-level security holds for them then.', v.source, roles);
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.upgrade_views(assay.policy) IS 'leaves row-level security of decisions and labels to who reads the views over them';

CREATE FUNCTION assay.upgrade_policy(policy text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' AS $$
DECLARE
	p assay.policy;
	schema name;
	view regclass;
	old_type text;
	columns text;
	options text;
	acl aclitem[];
BEGIN
	p := assay_internal.policy_for_owner(policy);
	SELECT n.nspname INTO schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p.decision;
	IF schema IS NULL THEN
		RAISE EXCEPTION 'decision table of policy "%" does not exist', policy USING ERRCODE = 'undefined_table',
			HINT = format('If it has another name since an older version, a superuser tells it: UPDATE assay_internal.policy SET decision = ... WHERE policy = %L;', policy);
	END IF;
	IF EXISTS (SELECT FROM pg_class c WHERE c.oid IN (to_regclass(format('%I.%I', schema, policy || '_verdict')), to_regclass(format('%I.%I', schema, policy || '_policy')))
		AND pg_get_userbyid(c.relowner) <> p.owner) THEN
		RAISE EXCEPTION 'a view called %_verdict or %_policy does not belong to the policy''s owner', policy, policy USING ERRCODE = 'insufficient_privilege',
			HINT = 'Rename it, or give it to the policy''s owner.';
	END IF;
	SELECT c.relacl INTO acl FROM pg_class c WHERE c.oid = to_regclass(format('%I.%I', schema, policy || '_verdict'));
	-- 0.1.0 had the view's own row type in this column, or no such column
	SELECT format_type(a.atttypid, a.atttypmod) INTO old_type FROM pg_attribute a
	WHERE a.attrelid = p.decision AND a.attname = 'signals' AND NOT a.attisdropped AND a.atttypid <> 'assay.logged_signals'::regtype;
	IF old_type IS NOT NULL THEN
		-- their shape is made known by the first that is written
		EXECUTE 'DROP VIEW IF EXISTS ' || format('%I.%I', schema, policy || '_verdict');
		PERFORM assay_internal.ensure_shape(old_type);
		PERFORM assay_internal.rewrite_signals_as_owner(p.decision);
	ELSIF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p.decision AND a.attname = 'signals' AND NOT a.attisdropped) THEN
		EXECUTE 'DROP VIEW IF EXISTS ' || format('%I.%I', schema, policy || '_verdict');
		EXECUTE format('ALTER TABLE %s ADD COLUMN signals assay.logged_signals', p.decision);
	END IF;
	IF to_regclass(format('%I.%I', schema, policy || '_verdict')) IS NULL THEN
		EXECUTE format('CREATE VIEW %I.%I WITH (security_invoker) AS ', schema, policy || '_verdict') || assay_internal.verdict_query(p.decision, p.key, 'd.*');
		EXECUTE format('COMMENT ON VIEW %I.%I IS %L', schema, policy || '_verdict', format('latest decision of policy %s for each message', policy));
		EXECUTE format('ALTER VIEW %I.%I OWNER TO %I', schema, policy || '_verdict', p.owner);
		PERFORM assay_internal.grant_again(format('%I.%I', schema, policy || '_verdict'), acl);
	END IF;
	-- An older version's view, by DISTINCT ON, could not use an index by time. What is not as that made it is the owner's.
	SELECT string_agg(format('d.%I', a.attname), ', ' ORDER BY a.attnum), ' WITH (' || array_to_string(c.reloptions, ', ') || ')' INTO columns, options
	FROM pg_class c
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	LEFT JOIN pg_attribute t ON t.attrelid = p.decision AND t.attname = a.attname AND t.atttypid = a.atttypid AND t.attnum > 0
	WHERE c.oid = to_regclass(format('%I.%I', schema, policy || '_verdict')) AND c.relkind = 'v'
		AND assay_internal.is_plain_view(c.oid, p.decision, 'ORDER BY [^()]*revision DESC')
	GROUP BY c.oid, c.reloptions HAVING bool_and(t.attname IS NOT NULL);
	IF columns IS NOT NULL THEN
		EXECUTE format('CREATE OR REPLACE VIEW %I.%I%s AS ', schema, policy || '_verdict', options) || assay_internal.verdict_query(p.decision, p.key, columns);
	END IF;
	PERFORM assay_internal.index_decisions(p.decision);
	PERFORM assay_internal.upgrade_labels(p);
	PERFORM assay_internal.upgrade_views(p);
	IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.access) THEN
		EXECUTE format('CREATE VIEW %I.%I AS SELECT %L::text AS policy', schema, policy || '_policy', policy);
		EXECUTE format('COMMENT ON VIEW %I.%I IS %L', schema, policy || '_policy',
			format('rights on policy %s: who may SELECT reads it, INSERT builds, UPDATE publishes; assay.grant_access() gives them', policy));
		EXECUTE format('ALTER VIEW %I.%I OWNER TO %I', schema, policy || '_policy', p.owner);
		view := format('%I.%I', schema, policy || '_policy');
		PERFORM assay_internal.give_nobody(view);
		UPDATE assay.policy q SET access = view WHERE q.policy = upgrade_policy.policy;
	END IF;
END $$;
COMMENT ON FUNCTION assay.upgrade_policy(text) IS
	'brings the tables and views that an older version made for a policy to what create_policy() makes now; rewrites the decision table where it logged signals';

CREATE FUNCTION assay_internal.ensure_shape(row_type text) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_ensure_shape' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION assay_internal.ensure_shape(text) IS 'makes the names and types of a row type known, so that its rows can be logged signals';
