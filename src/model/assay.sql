-- the schema: whoever made it before us could plant what our functions find first

DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
			   WHERE n.nspname OPERATOR(pg_catalog.=) 'assay'::pg_catalog.name
			   AND NOT r.rolsuper AND r.rolname OPERATOR(pg_catalog.<>) CURRENT_USER)
	THEN
		RAISE EXCEPTION 'schema "assay" belongs to another role'
			USING ERRCODE = 'insufficient_privilege', HINT = 'Drop it, or give it to a superuser, and look what is in it.';
	END IF;
END $$;

-- What users do not call by name is in a schema of its own: tables behind views,
-- and functions of types, operators, aggregates, triggers and other functions.
CREATE SCHEMA assay_internal;
COMMENT ON SCHEMA assay_internal IS 'tables and functions of pg_assay that are not for users: these are in schema assay';
REVOKE ALL ON SCHEMA assay_internal FROM PUBLIC;
GRANT USAGE ON SCHEMA assay_internal TO PUBLIC;
GRANT USAGE ON SCHEMA assay TO PUBLIC;
