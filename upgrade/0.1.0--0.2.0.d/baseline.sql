-- Whoever owns the database can dump the baselines: no row-level security, which
-- pg_dump refuses; and rows are written by functions alone

DROP POLICY owner ON assay.baseline;
ALTER TABLE assay.baseline DISABLE ROW LEVEL SECURITY;
REVOKE INSERT, UPDATE, DELETE ON assay.baseline FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('assay.baseline',
	'WHERE NOT EXISTS (SELECT FROM pg_catalog.unnest(ARRAY[relation, source, label_table, counted_label]) u(oid)
		WHERE u.oid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
			WHERE c.oid = u.oid AND c.relpersistence <> ''t'' AND c.relkind = ANY (''{r,p,v,m,f}'')))');
COMMENT ON TABLE assay.baseline IS 'baselines that create_baseline() made; the view assay.baseline_info shows yours';

CREATE OR REPLACE FUNCTION assay.drop_baseline(baseline regclass) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
	also_drop regclass;
BEGIN
	b := assay.baseline_for_change($1);
	PERFORM assay.baseline_row($1, NULL);
	-- The row is the owner's to write; it must not lead to others' tables.
	SELECT l.oid INTO also_drop FROM pg_class l JOIN pg_class c ON c.relowner = l.relowner
	WHERE l.oid = b.counted_label AND c.oid = b.relation;
	EXECUTE format('DROP %s %s', CASE WHEN b.incremental THEN 'TABLE' ELSE 'MATERIALIZED VIEW' END, b.relation);
	IF also_drop IS NOT NULL THEN
		EXECUTE format('DROP TABLE %s', also_drop);
	END IF;
END $$;

CREATE OR REPLACE VIEW assay.baseline_info WITH (security_invoker = true) AS
	SELECT b.relation AS baseline, b.source, b.key_columns AS key, b.incremental, b.rows, b.keys,
		pg_catalog.pg_total_relation_size(b.relation) AS bytes, b.as_of, b.took,
		pg_catalog.clock_timestamp() - b.as_of AS lag
	FROM assay.baseline b
	JOIN pg_catalog.pg_class c ON c.oid = b.relation
	WHERE pg_catalog.pg_has_role(c.relowner, 'USAGE');
