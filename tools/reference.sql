-- One page of the reference, on standard output: tools/reference calls this with its folder "work", "room" and "title".
-- A function has its errors and its example from docs/reference/examples.
SET search_path = pg_catalog, assay, pg_temp;
CREATE TEMP TABLE rooms (room text, name text);
CREATE TEMP TABLE mentions (page text, times int, name text);
CREATE TEMP TABLE notes (name text, errors text, example text);
\set copy '\\copy rooms FROM ' :work '/rooms'
:copy
\set copy '\\copy mentions FROM ' :work '/mentions'
:copy
\set copy '\\copy notes FROM ' :work '/notes'
:copy

CREATE FUNCTION pg_temp.said(text) RETURNS text LANGUAGE sql AS $$
	SELECT upper(left(c, 1)) || substr(c, 2) || CASE WHEN c ~ '[.!?:]$' THEN '' ELSE '.' END
	FROM (SELECT replace(regexp_replace(coalesce($1, ''), '(<[a-z_]+>[a-z_]*)', '`\1`', 'g'), '|', '\|') AS c) x $$;
CREATE FUNCTION pg_temp.page(name text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT format(' More: [%s](../%s).', split_part(m.page, '.', 1), m.page) FROM mentions m WHERE m.name = page.name ORDER BY m.times DESC, m.page = 'operations.md', m.page LIMIT 1), '') $$;
-- Arguments with defaults, and what comes back
CREATE FUNCTION pg_temp.arguments(p pg_proc) RETURNS TABLE (inputs text[], outputs text[]) LANGUAGE sql AS $$
	SELECT array_agg(concat_ws(' ', CASE mode WHEN 'v' THEN 'VARIADIC' END, nullif(quote_ident(arg), '""'), format_type(type, NULL),
			'DEFAULT ' || regexp_replace(pg_get_function_arg_default(p.oid, n::int), '^(NULL|''([^'']|'''')*'')::[a-z ]+(\[\])?$', '\1')) ORDER BY n) FILTER (WHERE mode IN ('i', 'b', 'v')),
		array_agg(concat_ws(' ', nullif(quote_ident(arg), '""'), format_type(type, NULL)) ORDER BY n) FILTER (WHERE mode IN ('o', 'b', 't'))
	FROM (SELECT n, type, coalesce(p.proargnames[n], '') AS arg, coalesce(p.proargmodes[n], 'i') AS mode
		FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY u(type, n)) x $$;
CREATE FUNCTION pg_temp.signature(p pg_proc) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN length(one) <= 110 THEN one
		ELSE format(E'%s(\n    %s\n)%s', quote_ident(p.proname), array_to_string(a.inputs, E',\n    '),
			CASE WHEN length(back) <= 110 THEN back ELSE format(E' → %s(\n    %s\n)', CASE WHEN p.proretset THEN 'rows of ' ELSE '' END, array_to_string(a.outputs, E',\n    ')) END) END
	FROM pg_temp.arguments(p) a CROSS JOIN LATERAL (SELECT CASE WHEN p.prokind = 'p' THEN ''
			WHEN a.outputs IS NOT NULL AND cardinality(a.outputs) > 1 THEN ' → ' || CASE WHEN p.proretset THEN 'rows of ' ELSE '' END || format('(%s)', array_to_string(a.outputs, ', '))
			ELSE ' → ' || pg_get_function_result(p.oid) END) b(back)
		CROSS JOIN LATERAL (SELECT format('%s(%s)%s', quote_ident(p.proname), array_to_string(a.inputs, ', '), back)) o(one) $$;
CREATE FUNCTION pg_temp.traits(p pg_proc) RETURNS text LANGUAGE sql AS $$
	SELECT format('*%s*', array_to_string(ARRAY[CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window function' WHEN 'p' THEN 'procedure' ELSE 'function' END,
		CASE WHEN p.prokind = 'f' THEN CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END END,
		CASE WHEN p.prokind = 'f' THEN CASE WHEN p.proisstrict THEN 'strict (NULL of NULL)' ELSE 'called with NULL' END END,
		CASE p.proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' ELSE 'not parallel' END,
		CASE WHEN p.prosecdef THEN 'with its owner''s rights' END], ', ')) $$;

CREATE TEMP TABLE member AS
SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'pg_assay' AND d.deptype = 'e';
CREATE TEMP TABLE lines (part int, a text COLLATE "C", b text COLLATE "C", n int, line text);

INSERT INTO lines VALUES (0, '', '', 0, '# Reference: ' || :'title' || E'\n\nMade by `tools/reference` of the catalogue, where `\\df+ assay.*` and `\\dT+ assay.*` show the same; see the\n[index](../README.md) for pages that explain.\n'
	|| CASE WHEN :'room' = 'settings' THEN '' ELSE E'\n*Errors* are those that a function raises itself, by the names that `EXCEPTION WHEN` knows them by.\nAny may also raise what PostgreSQL does: a missing right, `data_corrupted` of a damaged value, `program_limit_exceeded`, `query_canceled`.\nExamples are run by a test, in the order model, text, baseline, policy, report, onboard, over [a few made-up messages](examples/fixture.sql); the rows below them are what came.\n' END);

-- functions, aggregates, procedures
INSERT INTO lines
SELECT 1, p.proname, pg_get_function_identity_arguments(p.oid), n, line
FROM pg_proc p CROSS JOIN LATERAL (VALUES (0, CASE WHEN NOT EXISTS (SELECT FROM pg_proc o WHERE o.pronamespace = p.pronamespace AND o.proname = p.proname
		AND pg_get_function_identity_arguments(o.oid) COLLATE "C" < pg_get_function_identity_arguments(p.oid) COLLATE "C") THEN format(E'### %s\n', p.proname) END),
	(1, format(E'```\n%s\n```\n', pg_temp.signature(p))), (2, pg_temp.said(obj_description(p.oid, 'pg_proc')) || pg_temp.page(p.proname) || E'\n'),
	(3, pg_temp.traits(p) || E'\n'),
	-- behind the last of a name
	(4, CASE WHEN NOT EXISTS (SELECT FROM pg_proc o WHERE o.pronamespace = p.pronamespace AND o.proname = p.proname
		AND pg_get_function_identity_arguments(o.oid) COLLATE "C" > pg_get_function_identity_arguments(p.oid) COLLATE "C")
		THEN (SELECT format(E'Errors:%s%s\n\n```sql\n%s\n```\n', CASE WHEN o.errors LIKE '- %' THEN E'\n\n' ELSE ' ' END, o.errors, o.example)
			FROM notes o WHERE o.name = p.proname) END)) v(n, line)
WHERE p.pronamespace = 'assay'::regnamespace AND line IS NOT NULL AND EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
	AND coalesce((SELECT min(r.room) FROM rooms r WHERE r.name = p.proname), 'policy') = :'room';
INSERT INTO lines SELECT 1, '', '', 0, E'## Functions\n' WHERE EXISTS (SELECT FROM lines WHERE part = 1);

-- operators
INSERT INTO lines
SELECT 2, o.oprname, coalesce(format_type(nullif(o.oprleft, 0), NULL), ''), 1,
	format('| `%s` | `%s` | %s |', replace(concat_ws(' ', format_type(nullif(o.oprleft, 0), NULL), o.oprname, format_type(nullif(o.oprright, 0), NULL)), '|', '\|'),
		format_type(o.oprresult, NULL), pg_temp.said(obj_description(o.oid, 'pg_operator')))
FROM pg_operator o WHERE EXISTS (SELECT FROM member m WHERE m.classid = 'pg_operator'::regclass AND m.objid = o.oid)
	AND coalesce((SELECT r.room FROM pg_type t JOIN rooms r ON r.name = t.typname AND t.typnamespace = 'assay'::regnamespace
		WHERE t.oid IN (o.oprleft, o.oprright) ORDER BY r.room LIMIT 1), 'policy') = :'room';
INSERT INTO lines SELECT 2, '', '', 0, E'## Operators\n\n| operator | gives | |\n| --- | --- | --- |' WHERE EXISTS (SELECT FROM lines WHERE part = 2);

-- types
INSERT INTO lines
SELECT 3, t.typname, '', n, line
FROM pg_type t CROSS JOIN LATERAL (VALUES
	(1, format(E'### Type %s\n\n%s%s\n', t.typname, pg_temp.said(coalesce(obj_description(t.oid, 'pg_type'), obj_description(t.typrelid, 'pg_class'))), pg_temp.page(t.typname))),
	(2, E'| field | type | |\n| --- | --- | --- |\n' || (SELECT string_agg(format('| `%s` | `%s` | %s |', a.attname, format_type(a.atttypid, a.atttypmod),
		CASE WHEN col_description(a.attrelid, a.attnum) IS NOT NULL THEN pg_temp.said(col_description(a.attrelid, a.attnum)) ELSE '' END), E'\n' ORDER BY a.attnum)
		FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) || E'\n'),
	(3, (SELECT string_agg(format('Cast %sto `%s`%s.', CASE c.castsource WHEN t.oid THEN '' ELSE 'from `' || format_type(c.castsource, NULL) || '` ' END, format_type(c.casttarget, NULL),
			CASE c.castcontext WHEN 'e' THEN ', which has to be written' WHEN 'a' THEN ' on assignment' ELSE '' END), E'\n' ORDER BY c.castsource, format_type(c.casttarget, NULL) COLLATE "C")
		FROM pg_cast c WHERE c.castsource = t.oid AND EXISTS (SELECT FROM member m WHERE m.classid = 'pg_cast'::regclass AND m.objid = c.oid)) || E'\n'),
	(4, (SELECT format(E'```sql\n%s\n```\n', o.example) FROM notes o WHERE o.name = 'type ' || t.typname))) v(n, line)
WHERE t.typnamespace = 'assay'::regnamespace AND t.typelem = 0 AND line IS NOT NULL
	AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
	AND EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid
		OR m.classid = 'pg_class'::regclass AND m.objid = t.typrelid AND t.typrelid <> 0)
	AND coalesce((SELECT min(r.room) FROM rooms r WHERE r.name = t.typname), 'policy') = :'room';
INSERT INTO lines SELECT 3, '', '', 0, E'\n## Types\n' WHERE EXISTS (SELECT FROM lines WHERE part = 3);

-- views, and tables that are read like these
INSERT INTO lines
SELECT 4, c.relname, '', n, line
FROM pg_class c CROSS JOIN LATERAL (VALUES
	(1, format(E'### %s %s\n\n%s%s\n', CASE c.relkind WHEN 'v' THEN 'View' ELSE 'Table' END, c.relname, pg_temp.said(obj_description(c.oid, 'pg_class')), pg_temp.page(c.relname))),
	(2, E'| column | type | |\n| --- | --- | --- |\n' || (SELECT string_agg(format('| `%s` | `%s` | %s |', a.attname, format_type(a.atttypid, a.atttypmod),
		CASE WHEN col_description(a.attrelid, a.attnum) IS NOT NULL THEN pg_temp.said(col_description(a.attrelid, a.attnum)) ELSE '' END), E'\n' ORDER BY a.attnum)
		FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) || E'\n'),
	(3, (SELECT format(E'```sql\n%s\n```\n', o.example) FROM notes o WHERE o.name = 'view ' || c.relname))) v(n, line)
WHERE c.relnamespace = 'assay'::regnamespace AND c.relkind IN ('v', 'r', 'p') AND line IS NOT NULL AND EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
	AND coalesce((SELECT min(r.room) FROM rooms r WHERE r.name = c.relname), 'policy') = :'room';
INSERT INTO lines SELECT 4, '', '', 0, E'\n## Views\n' WHERE EXISTS (SELECT FROM lines WHERE part = 4);

-- settings
INSERT INTO lines
SELECT 5, s.name, '', 1, format('| `%s` | `%s` | %s | %s | %s |', s.name, s.boot_val || coalesce(s.unit, ''),
	CASE s.vartype WHEN 'bool' THEN 'on, off' WHEN 'enum' THEN array_to_string(s.enumvals, ', ') WHEN 'string' THEN '' ELSE format('%s to %s', s.min_val, s.max_val) END,
	CASE s.context WHEN 'user' THEN 'anybody' WHEN 'superuser' THEN 'superusers' WHEN 'sighup' THEN 'the configuration, reloaded' WHEN 'postmaster' THEN 'the configuration, at start' ELSE s.context END,
	pg_temp.said(s.short_desc || CASE WHEN s.extra_desc IS NOT NULL THEN ' ' || s.extra_desc ELSE '' END))
FROM pg_settings s WHERE s.name LIKE 'assay.%' AND :'room' = 'settings';
INSERT INTO lines SELECT 5, '', '', 0, E'| setting | default | range | who sets it | |\n| --- | --- | --- | --- | --- |' WHERE EXISTS (SELECT FROM lines WHERE part = 5);

SELECT line FROM lines ORDER BY part, a, b, n, line COLLATE "C";
