-- The extension as installed: its schema, its version, and that every public
-- object says what it is for.
SELECT nspname, extversion ~ '^\d+\.\d+\.\d+$' AS versioned, extrelocatable
FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_assay';

-- objects without a comment
SELECT pg_describe_object(d.classid, d.objid, 0) COLLATE "C" AS undocumented
FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'pg_assay'
  AND d.classid IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_class'::regclass)
  AND obj_description(d.objid, d.classid::regclass::name) IS NULL
  AND NOT EXISTS (SELECT FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid
                  AND (t.typelem <> 0 OR t.typrelid <> 0))
ORDER BY 1;

-- functions that follow the caller's search_path though they are not C
SELECT p.oid::regprocedure::text COLLATE "C" AS unpinned
FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_language l ON l.oid = p.prolang
WHERE e.extname = 'pg_assay' AND l.lanname NOT IN ('c', 'internal') AND p.prosqlbody IS NULL
  AND NOT coalesce(array_to_string(p.proconfig, ',') LIKE '%search_path=%', false)
ORDER BY 1;
