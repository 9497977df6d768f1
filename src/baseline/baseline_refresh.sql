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
