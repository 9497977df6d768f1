-- ---------------------------------------------------------------------------
-- who writes the tables of the extension; last, as it looks at all of them
--
-- What stands in them is run with the rights of others: expressions of baselines
-- and text models, conditions.  The functions that write them see to who may.  A
-- privilege alone, as pg_write_all_data brings it, would make its members whoever
-- refreshes a baseline.  Tables below views look at each row: check_right() does.
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.owner_writes() RETURNS trigger
	AS 'MODULE_PATHNAME', 'assay_owner_writes' LANGUAGE C;
COMMENT ON FUNCTION assay_internal.owner_writes() IS 'error unless it is the owner of the table, or for each row that row''s, who writes it';
REVOKE ALL ON FUNCTION assay_internal.owner_writes() FROM PUBLIC;

-- written by the view assay.named_sets
CREATE TRIGGER owner_writes BEFORE INSERT OR UPDATE OR DELETE ON assay.named_set FOR EACH ROW EXECUTE FUNCTION assay_internal.owner_writes();

DO $$
DECLARE
	t pg_catalog.regclass;
BEGIN
	FOR t IN SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
		WHERE c.relkind OPERATOR(pg_catalog.=) 'r'::"char" AND n.nspname OPERATOR(pg_catalog.=) ANY ('{assay,assay_internal}'::pg_catalog.name[])
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid OPERATOR(pg_catalog.=) c.oid AND g.tgname OPERATOR(pg_catalog.=) ANY ('{check_right,owner_writes}'::pg_catalog.name[]))
		ORDER BY c.oid
	LOOP
		EXECUTE pg_catalog.format('CREATE TRIGGER owner_writes BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.owner_writes()', t);
	END LOOP;
END $$;
