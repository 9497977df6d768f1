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
BEGIN
	PERFORM assay_internal.lock_policy(policy);
	SELECT * INTO p FROM assay.policy q WHERE q.policy = upgrade_policy.policy;
	IF NOT FOUND OR NOT assay_internal.may('owner', policy) THEN
		RAISE EXCEPTION 'policy "%" does not exist', policy USING ERRCODE = 'undefined_object',
			HINT = assay_internal.policy_hint(policy, 'change');
	END IF;
	SELECT n.nspname INTO STRICT schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p.decision;
	IF EXISTS (SELECT FROM pg_class c WHERE c.oid IN (to_regclass(format('%I.%I', schema, policy || '_verdict')), to_regclass(format('%I.%I', schema, policy || '_policy')))
		AND pg_get_userbyid(c.relowner) <> p.owner) THEN
		RAISE EXCEPTION 'a view called %_verdict or %_policy belongs to another than the policy''s owner', policy, policy USING ERRCODE = 'insufficient_privilege',
			HINT = 'Rename it, or give it to the policy''s owner.';
	END IF;
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
	END IF;
	-- An older version's view, by DISTINCT ON, could not use an index by time. What is not as that made it is the owner's.
	SELECT string_agg(format('d.%I', a.attname), ', ' ORDER BY a.attnum), ' WITH (' || array_to_string(c.reloptions, ', ') || ')' INTO columns, options
	FROM pg_class c
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	LEFT JOIN pg_attribute t ON t.attrelid = p.decision AND t.attname = a.attname AND t.atttypid = a.atttypid AND t.attnum > 0
	WHERE c.oid = to_regclass(format('%I.%I', schema, policy || '_verdict')) AND c.relkind = 'v' AND pg_get_viewdef(c.oid) LIKE '%DISTINCT ON (%'
	GROUP BY c.oid, c.reloptions HAVING bool_and(t.attname IS NOT NULL);
	IF columns IS NOT NULL THEN
		EXECUTE format('CREATE OR REPLACE VIEW %I.%I%s AS ', schema, policy || '_verdict', options) || assay_internal.verdict_query(p.decision, p.key, columns);
	END IF;
	PERFORM assay_internal.index_decisions(p.decision);
	PERFORM assay_internal.upgrade_labels(p);
	IF p.access IS NULL THEN
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
