-- Everything that the catalogue says of the extension's objects, one property
-- a row; two installs that print the same are the same to every user.
WITH member AS (
	SELECT d.classid, d.objid, i.type, i.identity
	FROM pg_catalog.pg_extension e
		JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
		CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
	WHERE e.extname = 'pg_assay'
), relation AS (
	SELECT m.identity, m.type, c.* FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid AND m.classid = 'pg_catalog.pg_class'::regclass
	UNION ALL	-- the columns of composite types
	SELECT m.identity, m.type, c.* FROM member m JOIN pg_catalog.pg_type t ON t.oid = m.objid AND m.classid = 'pg_catalog.pg_type'::regclass
		JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
), acl AS (	-- who may do what with which object, NULL spelt out
	SELECT 'pg_catalog.pg_class'::regclass::oid AS classid, oid AS objid,
		coalesce(relacl, pg_catalog.acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) AS acl, relowner AS owner FROM pg_catalog.pg_class
	UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, oid, coalesce(proacl, pg_catalog.acldefault('f', proowner)), proowner FROM pg_catalog.pg_proc
	UNION ALL SELECT 'pg_catalog.pg_type'::regclass, oid, coalesce(typacl, pg_catalog.acldefault('T', typowner)), typowner FROM pg_catalog.pg_type
	UNION ALL SELECT 'pg_catalog.pg_namespace'::regclass, oid, coalesce(nspacl, pg_catalog.acldefault('n', nspowner)), nspowner FROM pg_catalog.pg_namespace
), property (type, identity, property, value) AS (
	SELECT type, identity, 'comment', pg_catalog.obj_description(objid, (SELECT relname FROM pg_catalog.pg_class c WHERE c.oid = classid)) FROM member
	UNION ALL
	SELECT type, identity, 'owner', owner::regrole::text FROM member JOIN acl USING (classid, objid)
	UNION ALL
	SELECT type, identity, 'privileges', (SELECT pg_catalog.string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM pg_catalog.unnest(acl) a)
	FROM member JOIN acl USING (classid, objid)
	UNION ALL	-- what pg_dump takes for the extension's own grants
	SELECT type, identity, 'initial privileges of ' || p.objsubid, p.privtype::text || ' ' || (SELECT pg_catalog.string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM pg_catalog.unnest(p.initprivs) a)
	FROM member m JOIN pg_catalog.pg_init_privs p ON p.classoid = m.classid AND p.objoid = m.objid
	-- ---- functions and aggregates ----
	UNION ALL
	SELECT type, identity, 'definition', pg_catalog.pg_get_functiondef(p.oid) || coalesce(' in ' || p.probin, '')
	FROM member JOIN pg_catalog.pg_proc p ON p.oid = objid AND classid = 'pg_catalog.pg_proc'::regclass WHERE p.prokind <> 'a'
	UNION ALL
	SELECT type, identity, 'definition', pg_catalog.concat_ws(' ', pg_catalog.pg_get_function_arguments(p.oid), pg_catalog.pg_get_function_result(p.oid),
		p.provolatile, p.proisstrict, p.proparallel, p.procost, p.proconfig::text, p.prosecdef)
	FROM member JOIN pg_catalog.pg_proc p ON p.oid = objid AND classid = 'pg_catalog.pg_proc'::regclass WHERE p.prokind = 'a'
	UNION ALL
	SELECT type, identity, 'aggregate', pg_catalog.concat_ws(' ', a.aggkind, a.aggnumdirectargs, a.aggtransfn::regprocedure, a.aggfinalfn::regprocedure,
		a.aggcombinefn::regprocedure, a.aggserialfn::regprocedure, a.aggdeserialfn::regprocedure, a.aggmtransfn::regprocedure, a.aggminvtransfn::regprocedure,
		a.aggmfinalfn::regprocedure, a.aggfinalextra, a.aggmfinalextra, a.aggfinalmodify, a.aggmfinalmodify, a.aggsortop::regoperator,
		a.aggtranstype::regtype, a.aggtransspace, a.aggmtranstype::regtype, a.aggmtransspace, a.agginitval, a.aggminitval)
	FROM member JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = objid AND classid = 'pg_catalog.pg_proc'::regclass
	-- ---- types ----
	UNION ALL
	SELECT type, identity, 'definition', pg_catalog.concat_ws(' ', t.typtype, t.typlen, t.typbyval, t.typcategory, t.typispreferred, t.typisdefined, t.typdelim,
		t.typsubscript, t.typelem::regtype, t.typarray::regtype, t.typinput::regprocedure, t.typoutput::regprocedure, t.typreceive::regprocedure, t.typsend::regprocedure,
		t.typmodin::regprocedure, t.typmodout::regprocedure, t.typanalyze::regprocedure, t.typalign, t.typstorage, t.typnotnull, t.typbasetype::regtype, t.typtypmod,
		t.typndims, t.typcollation::regcollation, t.typdefault)
	FROM member JOIN pg_catalog.pg_type t ON t.oid = objid AND classid = 'pg_catalog.pg_type'::regclass
	UNION ALL
	SELECT type, identity, 'label ' || l.enumlabel, pg_catalog.row_number() OVER (PARTITION BY objid ORDER BY l.enumsortorder)::text
	FROM member JOIN pg_catalog.pg_enum l ON l.enumtypid = objid AND classid = 'pg_catalog.pg_type'::regclass
	UNION ALL
	SELECT type, identity, 'constraint ' || c.conname, pg_catalog.pg_get_constraintdef(c.oid)
	FROM member JOIN pg_catalog.pg_constraint c ON c.contypid = objid AND classid = 'pg_catalog.pg_type'::regclass
	-- ---- tables, views, sequences ----
	UNION ALL
	SELECT type, identity, 'relation', pg_catalog.concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity, relreplident, reloptions::text, relispartition,
		(SELECT amname FROM pg_catalog.pg_am WHERE pg_am.oid = relam), relchecks, relhasrules)
	FROM relation
	UNION ALL
	SELECT type, identity, 'columns', (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
		WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped)
	FROM relation r
	UNION ALL
	SELECT type, identity, 'column ' || a.attname, pg_catalog.concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation, a.attnotnull, a.attidentity,
		a.attgenerated, a.attstorage, a.attcompression, (SELECT pg_catalog.string_agg(o, ' ') FROM pg_catalog.unnest(a.attoptions) o WHERE o !~ '^pg_attver='), nullif(a.attstattarget, -1), pg_catalog.pg_get_expr(d.adbin, d.adrelid),
		(SELECT pg_catalog.string_agg(x::text, ' ' ORDER BY x::text COLLATE "C") FROM pg_catalog.unnest(a.attacl) x), pg_catalog.col_description(r.oid, a.attnum))
	FROM relation r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	UNION ALL
	SELECT r.type, r.identity, 'constraint ' || c.conname, pg_catalog.concat_ws(' ', pg_catalog.pg_get_constraintdef(c.oid), c.convalidated, pg_catalog.obj_description(c.oid, 'pg_constraint'))
	FROM relation r JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid
	UNION ALL
	SELECT r.type, r.identity, 'index ' || c.relname, pg_catalog.concat_ws(' ', pg_catalog.pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered, i.indisreplident, c.reloptions::text,
		pg_catalog.obj_description(c.oid, 'pg_class'))
	FROM relation r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
	UNION ALL
	SELECT r.type, r.identity, 'trigger ' || t.tgname, pg_catalog.concat_ws(' ', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled, pg_catalog.obj_description(t.oid, 'pg_trigger'))
	FROM relation r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
	UNION ALL
	SELECT r.type, r.identity, 'rule ' || w.rulename, pg_catalog.concat_ws(' ', pg_catalog.pg_get_ruledef(w.oid), w.ev_enabled)
	FROM relation r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid
	UNION ALL
	SELECT r.type, r.identity, 'policy ' || p.polname, pg_catalog.concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::regrole[]::text,
		pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
	FROM relation r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
	UNION ALL
	SELECT type, identity, 'sequence', pg_catalog.concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle,
		(SELECT pg_catalog.concat_ws(' ', d.deptype, d.refobjid::regclass, d.refobjsubid) FROM pg_catalog.pg_depend d
		 WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = r.oid AND d.deptype IN ('a', 'i')))
	FROM relation r JOIN pg_catalog.pg_sequence s ON s.seqrelid = r.oid
	-- ---- operators, casts, operator classes ----
	UNION ALL
	SELECT type, identity, 'definition', pg_catalog.concat_ws(' ', o.oprkind, o.oprresult::regtype, o.oprcode::regprocedure, o.oprcom::regoperator, o.oprnegate::regoperator,
		o.oprrest::regprocedure, o.oprjoin::regprocedure, o.oprcanmerge, o.oprcanhash)
	FROM member JOIN pg_catalog.pg_operator o ON o.oid = objid AND classid = 'pg_catalog.pg_operator'::regclass
	UNION ALL
	SELECT type, identity, 'definition', pg_catalog.concat_ws(' ', c.castfunc::regprocedure, c.castcontext, c.castmethod)
	FROM member JOIN pg_catalog.pg_cast c ON c.oid = objid AND classid = 'pg_catalog.pg_cast'::regclass
	UNION ALL
	SELECT type, identity, 'definition', pg_catalog.concat_ws(' ', c.opcintype::regtype, c.opcdefault, c.opckeytype::regtype, f.opfname)
	FROM member JOIN pg_catalog.pg_opclass c ON c.oid = objid AND classid = 'pg_catalog.pg_opclass'::regclass JOIN pg_catalog.pg_opfamily f ON f.oid = c.opcfamily
	UNION ALL
	SELECT type, identity, 'operator ' || pg_catalog.concat_ws(' ', a.amoplefttype::regtype, a.amoprighttype::regtype, a.amopstrategy), pg_catalog.concat_ws(' ', a.amoppurpose, a.amopopr::regoperator)
	FROM member JOIN pg_catalog.pg_amop a ON a.amopfamily = objid AND classid = 'pg_catalog.pg_opfamily'::regclass
	UNION ALL
	SELECT type, identity, 'function ' || pg_catalog.concat_ws(' ', a.amproclefttype::regtype, a.amprocrighttype::regtype, a.amprocnum), a.amproc::regprocedure::text
	FROM member JOIN pg_catalog.pg_amproc a ON a.amprocfamily = objid AND classid = 'pg_catalog.pg_opfamily'::regclass
	-- ---- the extension itself ----
	UNION ALL
	SELECT 'extension', e.extname, 'itself', pg_catalog.concat_ws(' ', e.extversion, e.extnamespace::regnamespace, e.extrelocatable) FROM pg_catalog.pg_extension e WHERE e.extname = 'pg_assay'
	UNION ALL
	SELECT 'extension', e.extname, 'dumps ' || t.relation::oid::regclass, t.condition
	FROM pg_catalog.pg_extension e, ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) t (relation, condition) WHERE e.extname = 'pg_assay'
)
SELECT pg_catalog.replace(pg_catalog.format('%s %s | %s | %s', type, identity, property, value), E'\n', E'\\n') COLLATE "C" AS line FROM property ORDER BY line;
