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
