-- ---- baseline: windows of minutes ------------------------------------------------------

-- Is the text one call of a function, without FILTER, OVER or anything around it?
CREATE FUNCTION assay_internal.baseline_is_call(text) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.baseline_is_call(text) IS 'is the text one call of a function, to which FILTER can be added?';

-- Aggregates over the messages of a key in windows before a message, which come before
-- it by time and, of the same time, by arrival number, as in a live probe.
CREATE FUNCTION assay.recent_probe(source regclass, key text[], at text, columns jsonb DEFAULT '{"events": "count(*)"}',
	windows text[] DEFAULT '{10 min,1 h,24 h}', arrival text DEFAULT NULL, message text DEFAULT 'm', alias text DEFAULT 'recent') RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
	AS $$
DECLARE
	row_alias text := CASE message WHEN 's' THEN 'ss' ELSE 's' END;
	m text := quote_ident(message);
	lengths interval[];
	suffixes text[];
	columns_sql text;
	problem text;
	hint text;
	x record;
BEGIN
	IF num_nulls(source, key, at, columns, windows, message, alias) > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'an argument of recent_probe() is null';
	END IF;
	IF cardinality(key) = 0 OR array_ndims(key) <> 1 OR array_position(key, NULL) IS NOT NULL THEN
		problem := 'a key is a list of columns';
		hint := 'Give the columns of a key by name, as in ''{from_addr}''.';
	ELSIF cardinality(windows) = 0 OR array_ndims(windows) <> 1 OR array_position(windows, NULL) IS NOT NULL THEN
		problem := 'windows must be a list of times';
		hint := 'It looks like ''{10 min,1 h,24 h}''.';
	ELSIF jsonb_typeof(columns) <> 'object' OR columns = '{}' OR EXISTS (SELECT FROM jsonb_each(columns) c WHERE jsonb_typeof(c.value) <> 'string') THEN
		problem := 'columns must be a JSON object of aggregates';
		hint := 'It looks like {"events": "count(*)", "recipients": "count(DISTINCT recipient)", "bytes": "sum(size)"}.';
	ELSIF message = 's' THEN
		problem := 'the messages'' alias may not be s';
		hint := 'In the aggregates s is a message of the window.';
	END IF;
	IF problem IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = problem, HINT = hint;
	END IF;

	FOR x IN SELECT w.name, w.name::interval AS length, lower(regexp_replace(w.name, '[^[:alnum:]]', '', 'g')) AS suffix FROM unnest(windows) w(name) LOOP
		-- A day is 24 hours, whatever the time zone makes of it.
		IF NOT extract(epoch FROM x.length) BETWEEN 1 AND 31 * 86400 OR extract(month FROM x.length) <> 0 OR extract(year FROM x.length) <> 0 THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('a window cannot be %s long', x.name),
				HINT = 'Windows are from a second to 31 days long; a baseline counts what is older.';
		ELSIF x.suffix = ANY (suffixes) THEN
			RAISE EXCEPTION USING ERRCODE = 'duplicate_column', MESSAGE = format('two windows would be called "%s"', x.suffix);
		END IF;
		lengths := lengths || make_interval(secs => extract(epoch FROM x.length)::float8);
		suffixes := suffixes || x.suffix;
	END LOOP;
	arrival := coalesce(arrival, assay_internal.baseline_arrival(source));
	IF arrival IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column', MESSAGE = format('no one column of %s is known to be filled by a sequence', source),
			HINT = 'Name the column that tells which of two messages of the same time came first: arrival => ''id''.';
	END IF;
	FOR x IN SELECT k AS name FROM unnest(key || at || arrival) k LOOP
		PERFORM assay_internal.baseline_column_type(source, x.name);
	END LOOP;
	PERFORM assay_internal.baseline_check_time(source, at);
	FOR x IN SELECT c.key AS name, c.value AS aggregate, c.key || '_' || s.suffix AS column_name
		FROM jsonb_each_text(columns) c, unnest(suffixes) s(suffix)
	LOOP
		IF NOT assay_internal.baseline_is_call(x.aggregate) THEN
			RAISE EXCEPTION USING ERRCODE = 'syntax_error', MESSAGE = format('column "%s" is not one call of an aggregate', x.name),
				HINT = 'Write sum(size) and count(*), and divide where they are read.';
		ELSIF octet_length(x.column_name) > 63 THEN
			RAISE EXCEPTION USING ERRCODE = 'name_too_long', MESSAGE = format('column name "%s" is longer than 63 bytes', x.column_name);
		END IF;
	END LOOP;

	SELECT string_agg(assay_internal.baseline_fill(E'{aggregate}\n      FILTER (WHERE {s}.{at} >= assay_internal.earlier({m}.{at}, {length})) AS {name}',
		'aggregate', rtrim(c.value, E' \t\r\n'), 's', row_alias, 'at', quote_ident(at), 'm', m, 'length', quote_literal(w.length), 'name', quote_ident(c.key || '_' || w.suffix)),
		E',\n    ' ORDER BY c.key COLLATE "C", w.n)
	INTO columns_sql
	FROM jsonb_each_text(columns) c, unnest(suffixes, lengths) WITH ORDINALITY w(suffix, length, n);
	RETURN assay_internal.baseline_fill('CROSS JOIN LATERAL (
  SELECT {columns}
  FROM {source} {s}
  WHERE {same_key} AND {s}.{at} >= assay_internal.earlier({m}.{at}, {longest}) AND ({s}.{at}, {s}.{arrival}) < ({m}.{at}, {m}.{arrival})
    AND isfinite({s}.{at})) AS {alias}',
		'columns', columns_sql, 'source', source::text, 's', row_alias, 'm', m, 'at', quote_ident(at), 'arrival', quote_ident(arrival), 'alias', quote_ident(alias),
		'same_key', assay_internal.baseline_equal(row_alias, m, key), 'longest', quote_literal((SELECT max(l) FROM unnest(lengths) l)));
END $$;
COMMENT ON FUNCTION assay.recent_probe(regclass, text[], text, jsonb, text[], text, text, text) IS
	'SQL that joins messages to counts and other aggregates of their key''s last minutes and hours, as of each message';
