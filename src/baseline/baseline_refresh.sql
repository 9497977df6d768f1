-- ---- baseline: bringing all of them up to date ---------------------------------------

CREATE FUNCTION assay_internal.baselines_in_order(OUT baseline regclass) RETURNS SETOF regclass
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
	AS $$
	-- what each source reads: whoever reads another's baseline has more below it than that
	WITH RECURSIVE below(baseline, oid) AS (
		SELECT b.baseline, b.source::oid FROM assay.baseline_info b
		UNION
		SELECT w.baseline, d.refobjid FROM below w JOIN pg_rewrite r ON r.ev_class = w.oid
		JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
	)
	SELECT i.baseline FROM assay.baseline_info i
	ORDER BY (SELECT count(*) FROM below w JOIN assay.baseline o ON o.relation = w.oid WHERE w.baseline = i.baseline), i.baseline::text COLLATE "C"
	$$;
COMMENT ON FUNCTION assay_internal.baselines_in_order() IS 'baselines of the caller''s, each behind those that its source reads';

CREATE FUNCTION assay.refresh_baselines(OUT baseline regclass, OUT rows bigint, OUT changed bigint, OUT took interval, OUT error text) RETURNS SETOF record
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	FOR baseline IN SELECT o.baseline FROM assay_internal.baselines_in_order() WITH ORDINALITY o(baseline, n) ORDER BY o.n LOOP
		error := NULL;
		-- what one can't do, the next may
		BEGIN
			SELECT r.rows, r.changed, r.took INTO rows, changed, took FROM assay.refresh_baseline(baseline) r;
		EXCEPTION WHEN OTHERS THEN
			rows := NULL;
			changed := NULL;
			took := NULL;
			error := format('%s (SQLSTATE %s)', SQLERRM, SQLSTATE);
			RAISE WARNING USING MESSAGE = format('baseline %s could not be refreshed: %s', baseline, SQLERRM), ERRCODE = SQLSTATE;
		END;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.refresh_baselines() IS
	'brings all baselines of the caller''s up to date, each after those that its source reads; one that fails is a warning, and leaves the others';

CREATE FUNCTION assay_internal.has_no_blocks(relation oid) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
		WHERE d.datname = current_database() AND l.relation = $1 AND l.mode = 'AccessExclusiveLock') THEN pg_relation_size($1) = 0 END
$$;
COMMENT ON FUNCTION assay_internal.has_no_blocks(oid) IS 'is the file of a relation empty?  NULL where one would have to wait to know';

-- A restore may leave a view that was never filled, one that was filled before there were messages
-- (pg_restore --schema-only), or a table without its data: what has rows has blocks.
CREATE FUNCTION assay_internal.baseline_emptied(relation regclass, rows bigint) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT NOT c.relispopulated OR c.relkind IN ('r', 'm') AND $2 > 0 AND assay_internal.has_no_blocks(c.oid) FROM pg_class c WHERE c.oid = $1
$$;
COMMENT ON FUNCTION assay_internal.baseline_emptied(regclass, bigint) IS 'had this baseline so many rows at its last refresh, and has none, as after a restore without them?';

-- A baseline whose own table is missing is nobody's: it is told to who may act as the registry's owner.
CREATE FUNCTION assay_internal.baselines_lacking(OUT baseline text, OUT lacks text, OUT hint text) RETURNS SETOF record
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN b.relation = 0::oid THEN format('of %s by %s', b.source, array_to_string(b.key_columns, ', ')) ELSE b.relation::text END, t.missing,
		CASE WHEN b.relation = 0::oid THEN 'Restore it, and a superuser does UPDATE assay.baseline SET relation = ... of the row with this source and key; or deletes that row.'
			ELSE format('Restore it, and a superuser does UPDATE assay.baseline SET %s = ... WHERE relation = %L::regclass; or SELECT assay.drop_baseline(%2$L).', t.first_column, b.relation) END
	FROM assay.baseline b
	CROSS JOIN LATERAL (
		SELECT string_agg(v.what, ', ' ORDER BY v.n) AS missing, (array_agg(v.column_name ORDER BY v.n))[1] AS first_column
		FROM (VALUES (1, 'the baseline itself', 'relation', b.relation), (2, 'its source', 'source', b.source), (3, 'its label table', 'label_table', b.label_table),
			(4, 'its table of counted labels', 'counted_label', b.counted_label)) v(n, what, column_name, oid)
		WHERE v.oid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v.oid)) t
	WHERE t.missing IS NOT NULL AND CASE WHEN b.relation = 0::oid
		THEN (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = 'assay.baseline'::regclass)
		ELSE assay_internal.baseline_is_mine(b.relation) END
	$$;
COMMENT ON FUNCTION assay_internal.baselines_lacking() IS 'baselines of the caller''s of which a table is missing, and what to do';
