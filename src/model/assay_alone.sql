-- the schema is the extension's alone; read before anything that a planted object could stand in the place of

-- Whoever else may make something in it could plant what statements here find first: an operator of just these types, say.
DO $$
DECLARE
	other text;
BEGIN
	SELECT pg_catalog.concat(coalesce(r.rolname, 'PUBLIC'), ' may create') INTO other
	FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee
	WHERE n.nspname OPERATOR(pg_catalog.=) 'assay'::pg_catalog.name AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'::pg_catalog.text
		AND r.rolsuper IS NOT TRUE AND r.rolname IS DISTINCT FROM CURRENT_USER LIMIT 1;
	IF other IS NULL THEN
		SELECT pg_catalog.concat(r.rolname, ' has ', pg_catalog.pg_describe_object(d.classid, d.objid, 0)) INTO other
		FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_shdepend s ON s.classid OPERATOR(pg_catalog.=) d.classid AND s.objid OPERATOR(pg_catalog.=) d.objid
			AND s.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_authid'::pg_catalog.regclass::pg_catalog.oid AND s.deptype OPERATOR(pg_catalog.=) 'o'::"char"
		JOIN pg_catalog.pg_database b ON b.oid OPERATOR(pg_catalog.=) s.dbid AND b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
		JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.refobjid
		WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid
			AND d.refobjid OPERATOR(pg_catalog.=) 'assay'::pg_catalog.regnamespace::pg_catalog.oid
			AND NOT r.rolsuper AND r.rolname OPERATOR(pg_catalog.<>) CURRENT_USER LIMIT 1;
	END IF;
	IF other IS NOT NULL THEN
		RAISE EXCEPTION 'schema "assay" is not the extension''s alone: %', other
			USING ERRCODE = 'insufficient_privilege', HINT = 'Revoke CREATE, and move to another schema, or drop, what others have in it.';
	END IF;
END $$;
