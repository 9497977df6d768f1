-- ---------------------------------------------------------------------------
-- policy: erasure of a person's or tenant's messages
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.forget_messages(policy text, columns text[], "values" text[], keys text[], dry_run boolean,
	OUT relation text, OUT what text, OUT rows bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_forget_messages' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10;
COMMENT ON FUNCTION assay_internal.forget_messages(text, text[], text[], text[], boolean) IS
	'what a policy''s tables have of messages by keys, or by values of signals, for its owner; it goes unless this is a dry run';

-- Those whose key has all of the columns, and that the signals view, or what fills it, has to do with
CREATE FUNCTION assay_internal.baselines_of(p assay.policy, columns text[]) RETURNS SETOF assay.baseline LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH v(oid) AS MATERIALIZED (
		SELECT assay_internal.relations_below(coalesce(to_regclass(p.signals), p.signals_view))
	)
	SELECT b FROM assay.baseline b JOIN pg_class c ON c.oid = b.relation
	WHERE b.key_columns @> columns AND pg_has_role(c.relowner, 'USAGE')
		AND (b.relation IN (SELECT v.oid FROM v) OR b.source IN (SELECT v.oid FROM v) OR b.label_table = p.label)
	ORDER BY b.relation::regclass::text COLLATE "C"
$$;
COMMENT ON FUNCTION assay_internal.baselines_of(assay.policy, text[]) IS 'baselines of the caller''s about a policy''s messages, whose key has these columns';

-- functions

CREATE FUNCTION assay.forget(policy text, columns jsonb DEFAULT NULL, keys text[] DEFAULT NULL, dry_run boolean DEFAULT true,
	OUT relation text, OUT what text, OUT rows bigint, OUT done boolean) RETURNS SETOF record LANGUAGE plpgsql ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	p assay.policy := assay_internal.policy_for_reading(forget.policy);
	names text[];
	bad text;
	b assay.baseline;
	n bigint;
BEGIN
	IF NOT assay_internal.may('owner', p.policy) THEN
		RAISE EXCEPTION 'must be owner of policy "%"', p.policy USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF dry_run IS NULL OR (columns IS NULL AND keys IS NULL) THEN
		RAISE EXCEPTION 'columns or keys, and dry_run, must be given' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'As in columns => ''{"tenant_id": "7"}'', or keys => ''{17,18}''.';
	END IF;
	IF jsonb_typeof(columns) <> 'object' OR columns = '{}' OR jsonb_path_exists(columns, 'strict $.* ? (@ == null || @.type() == "object" || @.type() == "array")') THEN
		RAISE EXCEPTION 'columns must be an object of one or more signals with their values' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	names := array(SELECT c.key FROM jsonb_each(columns) c ORDER BY c.key COLLATE "C");
	SELECT u.name INTO bad FROM unnest(names) u(name) WHERE NOT EXISTS (SELECT FROM pg_attribute a
		WHERE a.attrelid = coalesce(to_regclass(p.signals), p.signals_view) AND a.attname = u.name AND a.attnum > 0 AND NOT a.attisdropped);
	IF FOUND THEN
		RAISE EXCEPTION 'signals view % has no column "%"', p.signals, bad USING ERRCODE = 'undefined_column';
	END IF;
	RETURN QUERY SELECT f.relation, f.what, f.rows, NOT dry_run
		FROM assay_internal.forget_messages(p.policy, names, array(SELECT c.value FROM jsonb_each_text(columns) c ORDER BY c.key COLLATE "C"), keys, dry_run) f;
	IF columns IS NULL THEN
		RETURN;
	END IF;
	FOR b IN SELECT * FROM assay_internal.baselines_of(p, names) LOOP
		relation := b.relation;
		what := 'baseline rows of the key';
		done := false;
		IF NOT b.incremental THEN
			what := 'baseline: made anew by refresh_baseline(), once the messages are gone';
			rows := NULL;
		ELSIF dry_run THEN
			-- counted by what is deleted, and taken back
			BEGIN
				n := assay_internal.baseline_forget_as_owner(b.relation, columns);
				RAISE EXCEPTION SQLSTATE 'ZZZZZ';
			EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN
				rows := n;
			END;
		ELSE
			rows := assay_internal.baseline_forget_as_owner(b.relation, columns);
			done := true;
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.forget(text, jsonb, text[], boolean) IS
	'erases what a policy keeps of messages, by their keys or by values of signals (a tenant, a person): decisions with their signals, labels, review and outbox rows, faults, baselines'' rows of that key; the receipt says how many of each; by default only counts';
