-- Baselines have tiles; create_baseline() and baseline_probe() have more arguments

ALTER TABLE assay.baseline ADD COLUMN IF NOT EXISTS tile interval NOT NULL DEFAULT '1 day';
COMMENT ON COLUMN assay.baseline.tile IS 'each row has the state at the end of so much time';
DROP FUNCTION IF EXISTS assay.create_baseline(text, regclass, text[], text, regclass, jsonb, boolean, text, text[], text, text);
DROP FUNCTION IF EXISTS assay.baseline_probe(regclass, text, text, boolean);
COMMENT ON FUNCTION assay.as_of(anyelement, timestamptz, "any") IS
	'a baseline''s row for a key, as it was known before the day or shorter tile of a moment; in FROM, and in parallel workers';

-- Whoever owns the database can dump the baselines: no row-level security, which
-- pg_dump refuses; and rows are written by functions alone.
DROP POLICY owner ON assay.baseline;
ALTER TABLE assay.baseline DISABLE ROW LEVEL SECURITY;
REVOKE INSERT, UPDATE, DELETE ON assay.baseline FROM PUBLIC;
COMMENT ON TABLE assay.baseline IS 'baselines that create_baseline() made; the view assay.baseline_info shows yours';

-- What a dump leaves out takes no other row along. The view reads nothing meanwhile,
-- rather than be dropped, since views of users' may read it.
CREATE OR REPLACE VIEW assay.baseline_info WITH (security_invoker = true) AS
	SELECT NULL::regclass AS baseline, NULL::regclass AS source, NULL::text[] AS key, NULL::boolean AS incremental, NULL::bigint AS rows, NULL::bigint AS keys,
		NULL::bigint AS bytes, NULL::timestamptz AS as_of, NULL::interval AS took, NULL::interval AS lag;
ALTER TABLE assay.baseline DROP CONSTRAINT baseline_pkey,
	ALTER relation TYPE assay_internal.kept_relation, ALTER source TYPE assay_internal.kept_relation,
	ALTER label_table TYPE assay_internal.kept_relation, ALTER counted_label TYPE assay_internal.kept_relation,
	REPLICA IDENTITY FULL;
CREATE UNIQUE INDEX baseline_pkey ON assay.baseline (relation) WHERE relation <> 0::oid;
SELECT pg_catalog.pg_extension_config_dump('assay.baseline',
	'WHERE (relation = 0::oid OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation)) AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
		WHERE c.oid IN (relation, source, label_table, counted_label) AND (c.relpersistence = ''t'' OR c.relkind <> ALL (''{r,p,v,m,f}'')))');
