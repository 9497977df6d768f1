-- The extension as installed: its schema, its version, and that every public
-- object says what it is for.
SELECT nspname, extversion ~ '^\d+\.\d+\.\d+$' AS versioned, extrelocatable
FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_assay';

-- objects without a comment: arrays and row types have none of their own
CREATE TEMP TABLE object AS
SELECT d.classid, d.objid, d.classid::regclass::name AS class, obj_description(d.objid, d.classid::regclass::name) AS says
FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'pg_assay' AND d.deptype = 'e'
  AND NOT EXISTS (SELECT FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid
                  AND (t.typelem <> 0 OR t.typrelid <> 0 AND t.typname <> 'confusion'));
SELECT class COLLATE "C", count(*) > CASE class WHEN 'pg_proc' THEN 250 WHEN 'pg_class' THEN 30 WHEN 'pg_operator' THEN 20 WHEN 'pg_type' THEN 8 ELSE 0 END AS some FROM object
WHERE class IN ('pg_proc', 'pg_type', 'pg_class', 'pg_operator', 'pg_opclass', 'pg_opfamily', 'pg_cast') GROUP BY 1, class ORDER BY 1;
SELECT pg_describe_object(classid, objid, 0) COLLATE "C" AS undocumented FROM object WHERE coalesce(says, '') = '' ORDER BY 1;

-- what follows the caller's search_path though it is not C: procedures that commit can't carry SET, and qualify all names
SELECT p.oid::regprocedure::text COLLATE "C" AS unpinned
FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_language l ON l.oid = p.prolang
WHERE e.extname = 'pg_assay' AND l.lanname NOT IN ('c', 'internal') AND p.prosqlbody IS NULL
  AND NOT coalesce(array_to_string(p.proconfig, ',') LIKE '%search_path=%', false)
ORDER BY 1;

-- what catches errors begins a subtransaction, which parallel workers may not
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace) AND p.proparallel <> 'u' AND p.prosrc ~* '\mexception\s+when\M';

-- settings: default, who may set them, and what is taken at the ends of the range and beyond (sqlstate otherwise);
-- assay.stat_max is there where the library is preloaded only
LOAD 'pg_assay';
CREATE FUNCTION pg_temp.set(name text, value text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config(name, value, true);
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
CREATE ROLE regress_assay_plain;
GRANT USAGE ON SCHEMA assay TO regress_assay_plain;
CREATE FUNCTION pg_temp.set_plain(name text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	SET LOCAL ROLE regress_assay_plain;
	result := pg_temp.set(name, value);
	RESET ROLE;
	RETURN result;
END $$;
SELECT name, boot_val, unit, min_val AS low, max_val AS high, pg_temp.set(name, min_val) AS at_low, pg_temp.set(name, (min_val::numeric - 1)::text) AS below,
	pg_temp.set(name, max_val) AS at_high, pg_temp.set(name, (max_val::numeric + 1)::text) AS above, pg_temp.set(name, 'x') AS junk,
	pg_temp.set_plain(name, boot_val) AS plain
FROM pg_settings WHERE name LIKE 'assay.%' AND name <> 'assay.stat_max' ORDER BY name COLLATE "C";
DROP OWNED BY regress_assay_plain;
DROP ROLE regress_assay_plain;

-- what users do not call by name is not in their schema: functions of types, operators, aggregates and triggers
SELECT p.oid::regprocedure AS function FROM pg_proc p
WHERE p.pronamespace = 'assay'::regnamespace AND p.proname NOT IN ('decide', 'roc_auc', 'average_precision', 'ks')
	AND (p.prorettype = 'trigger'::regtype OR 'internal'::regtype = ANY (p.proargtypes::oid[])
		OR EXISTS (SELECT FROM pg_type t WHERE p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend))
		OR EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = p.oid) OR EXISTS (SELECT FROM pg_amproc a WHERE a.amproc = p.oid)
		OR EXISTS (SELECT FROM pg_aggregate a WHERE p.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
			a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)));
