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

-- Nor does anybody get rights on what is here because the role that makes it gives
-- them on whatever it makes (ALTER DEFAULT PRIVILEGES).  On tables not even PUBLIC.
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN
		SELECT DISTINCT o.what, o.readable, CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END AS role
		FROM pg_catalog.pg_default_acl d
		CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a
		JOIN LATERAL (
			SELECT 'TABLE ' OPERATOR(pg_catalog.||) c.oid::pg_catalog.regclass::pg_catalog.text AS what, CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END::"char" AS kind,
				c.relkind OPERATOR(pg_catalog.=) ANY ('{r,S}'::"char"[]) AS stored, c.relname OPERATOR(pg_catalog.=) ANY ('{baseline,text_model_registry}'::pg_catalog.name[]) AS readable
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
			WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v,S}'::"char"[]) AND n.nspname OPERATOR(pg_catalog.=) ANY ('{assay,assay_internal}'::pg_catalog.name[])
			UNION ALL
			SELECT 'ROUTINE ' OPERATOR(pg_catalog.||) p.oid::pg_catalog.regprocedure::pg_catalog.text, 'f', false, false
			FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
			WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{assay,assay_internal}'::pg_catalog.name[])
			UNION ALL
			SELECT 'SCHEMA ' OPERATOR(pg_catalog.||) u.name, 'n', false, false FROM pg_catalog.unnest('{assay,assay_internal}'::pg_catalog.text[]) u(name)
		) o ON o.kind OPERATOR(pg_catalog.=) d.defaclobjtype
		WHERE d.defaclrole OPERATOR(pg_catalog.=) CURRENT_USER::pg_catalog.regrole::pg_catalog.oid AND a.grantee OPERATOR(pg_catalog.<>) d.defaclrole
			AND (a.grantee OPERATOR(pg_catalog.<>) 0::pg_catalog.oid OR o.stored)
			-- who dumps
			AND a.grantee OPERATOR(pg_catalog.<>) 'pg_database_owner'::pg_catalog.regrole::pg_catalog.oid
		ORDER BY o.what
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', r.what, coalesce(pg_catalog.quote_ident(r.role), 'PUBLIC'));
		IF r.role IS NULL AND r.readable THEN
			EXECUTE pg_catalog.format('GRANT SELECT ON %s TO PUBLIC', r.what);
		END IF;
	END LOOP;
END $$;
