-- ---- baseline: what keys and numbers of messages may be ------------------------
--
-- Who writes a message chooses its key, and who may insert one its number. Neither
-- stops a baseline: a key that is too long for an index has no history, and a
-- number that is far ahead of the sequence moves nothing past what is yet to come.

-- Is the key short enough for the row of an index, whatever its columns are made of?
CREATE FUNCTION assay_internal.baseline_key_fits(VARIADIC key "any") RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.baseline_key_fits("any") IS 'private: has the key at most 2000 bytes, so that it can be indexed?';

-- The condition that a key fits; NULL where none of its columns can be long
CREATE FUNCTION assay_internal.baseline_fits(relation regclass, alias text, names text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT format('assay_internal.baseline_key_fits(%s)', assay_internal.baseline_columns(alias, names))
	WHERE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = $1 AND a.attname = ANY (names) AND a.attlen < 0)
	$$;
COMMENT ON FUNCTION assay_internal.baseline_fits(regclass, text, text[]) IS 'private: builds SQL for baselines';

-- Which labels count; a message whose key is too long to be indexed has none
CREATE FUNCTION assay_internal.baseline_known_label(labels regclass, message_key text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$ SELECT concat_ws(' AND ', 'isfinite(labelled_at) AND malicious IS NOT NULL', assay_internal.baseline_fits(labels, NULL, message_key)) $$;
COMMENT ON FUNCTION assay_internal.baseline_known_label(regclass, text[]) IS 'private: builds SQL for baselines';

-- A temporary relation's name means nothing to others, and to a dump's restore
CREATE FUNCTION assay_internal.baseline_not_temporary(relation regclass) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_class c WHERE c.oid = $1 AND c.relpersistence = 't') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_table_definition', MESSAGE = format('%s is temporary', $1),
			HINT = 'A baseline is made of tables and views that other sessions see.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.baseline_not_temporary(regclass) IS 'private: error for a temporary relation';

-- The column of a table that a column of a view shows as it is: (table, column
-- number); NULL when there is none, or the reader can't read it by the view
CREATE FUNCTION assay_internal.baseline_origin(relation regclass, column_name text, reader oid, OUT origin oid, OUT number smallint)
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.baseline_origin(regclass, text, oid) IS 'private: the table''s column behind a view''s, for who may read it';

-- The sequence that numbers a column's rows: of its default, else its own. NULL
-- where none is known, or where it counts downwards or around.
CREATE FUNCTION assay_internal.baseline_sequence(relation regclass, column_name text, reader oid DEFAULT quote_ident(current_user)::regrole) RETURNS regclass
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN count(*) = 1 THEN min(s.oid) END::regclass
	FROM (
		SELECT q.seqrelid AS oid, q.seqincrement > 0 AND NOT q.seqcycle AS usable, c.rank, min(c.rank) OVER () AS best
		FROM assay_internal.baseline_origin($1, $2, $3) o CROSS JOIN LATERAL (
			SELECT d.refobjid AS oid, 1 AS rank FROM pg_attrdef f JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
			WHERE f.adrelid = o.origin AND f.adnum = o.number AND d.refclassid = 'pg_class'::regclass
			UNION
			SELECT d.objid, 2 FROM pg_depend d
			WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = o.origin AND d.refobjsubid = o.number
				AND d.deptype IN ('a', 'i')) c
		JOIN pg_sequence q ON q.seqrelid = c.oid) s
	WHERE s.rank = s.best
	HAVING bool_and(s.usable)
	$$;
COMMENT ON FUNCTION assay_internal.baseline_sequence(regclass, text, oid) IS 'private: the sequence that numbers a table''s or view''s rows, for who may read them';

-- The column of a source that a sequence fills as messages arrive: id, or the only one
CREATE FUNCTION assay_internal.baseline_arrival(relation regclass) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN bool_or(c.name = 'id') THEN 'id' WHEN count(*) = 1 THEN min(c.name) END
	FROM (
		SELECT a.attname::text AS name FROM pg_attribute a
		CROSS JOIN LATERAL assay_internal.baseline_sequence($1, a.attname::text) s(oid) JOIN pg_sequence q ON q.seqrelid = s.oid
		WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = ANY ('{int2,int4,int8}'::regtype[]) AND q.seqcache = 1) c
	$$;
COMMENT ON FUNCTION assay_internal.baseline_arrival(regclass) IS 'the column by which an incremental baseline can find new messages; NULL: none, or several';

-- Up to which number the sequence has given numbers to messages of a baseline's
-- source; below all where it has given none, NULL where no sequence is known.
-- As the registry's owner, since who reads the messages need not read the
-- sequence; for who may read the numbers themselves.
CREATE FUNCTION assay_internal.baseline_given_number(relation regclass) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT coalesce(pg_sequence_last_value(q.seqrelid), q.seqmin - 1)
	FROM assay.baseline b JOIN pg_class c ON c.oid = b.relation
	JOIN pg_sequence q ON q.seqrelid = assay_internal.baseline_sequence(b.source, b.arrival_column, c.relowner)
	WHERE b.relation = $1 AND has_sequence_privilege(q.seqrelid, 'SELECT')
	$$;
COMMENT ON FUNCTION assay_internal.baseline_given_number(regclass) IS 'private: baseline_given(), as the owner of the registry';
REVOKE ALL ON FUNCTION assay_internal.baseline_given_number(regclass) FROM PUBLIC;

CREATE FUNCTION assay_internal.baseline_given(relation regclass) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.baseline_given(regclass) IS 'private: the last number that the sequence of a baseline of the caller''s gave';

-- The condition for numbers that aren't counted: the ranges between those that
-- are, so that an index finds them, or where they are many, one after the other
CREATE FUNCTION assay_internal.baseline_not_counted(arrival text, settled bigint, counted int8multirange) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE
		WHEN count(*) = 0 THEN 'false'
		WHEN count(*) <= 16 THEN '(' || string_agg(concat_ws(' AND ',
			CASE WHEN lower_inf(r) THEN arrival || ' IS NOT NULL' ELSE format('%s >= %L::bigint', arrival, lower(r)) END,
			CASE WHEN NOT upper_inf(r) THEN format('%s < %L::bigint', arrival, upper(r)) END), ' OR ') || ')'
		ELSE format('%s > %L::bigint AND NOT %s::bigint <@ %L::int8multirange', arrival, coalesce(settled, -9223372036854775808), arrival, counted) END
	FROM unnest(int8multirange(int8range(settled, NULL, '()')) - counted) r
	$$;
COMMENT ON FUNCTION assay_internal.baseline_not_counted(text, bigint, int8multirange) IS 'private: builds SQL for baselines';

-- Gaps between counted numbers of a baseline, from the settled ones on
CREATE FUNCTION assay_internal.baseline_gaps(settled bigint, counted int8multirange, OUT first bigint, OUT beyond bigint, OUT numbers numeric) RETURNS SETOF record
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT g.first, g.beyond, g.beyond::numeric - g.first FROM (
		SELECT lag(upper(r)) OVER (ORDER BY r) AS first, lower(r) AS beyond
		FROM unnest(int8multirange(int8range(NULL, coalesce(settled, least(0, lower(counted))), '(]')) + counted) r) g
	WHERE g.first IS NOT NULL
	$$;
COMMENT ON FUNCTION assay_internal.baseline_gaps(bigint, int8multirange) IS 'private: gaps between counted numbers of a baseline';

-- What is settled when all transactions that a checkpoint waits for are over:
-- everything up to it where all numbers come from a sequence, else what is
-- settled with the gaps, up to there, of at most 1000 numbers
CREATE FUNCTION assay_internal.baseline_settled(settled bigint, counted int8multirange, checkpoint bigint, from_sequence boolean) RETURNS int8multirange
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN from_sequence THEN int8multirange(int8range(NULL, checkpoint, '(]'))
		ELSE int8multirange(int8range(NULL, coalesce(settled, least(0, lower(counted))), '(]')) + coalesce((
			SELECT range_agg(int8range(g.first, g.beyond)) FROM assay_internal.baseline_gaps(settled, counted) g
			WHERE g.beyond <= checkpoint AND g.numbers <= 1000), '{}') END
	$$;
COMMENT ON FUNCTION assay_internal.baseline_settled(bigint, int8multirange, bigint, boolean) IS 'private: numbers of messages that are settled at a checkpoint';

-- What its owner should know of the numbers of a baseline's messages
CREATE FUNCTION assay_internal.baseline_note(settled bigint, counted int8multirange) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT format('a message has number %s, but none, or none yet, has one from %s to %s: numbers given by hand? They are waited for.', g.beyond, g.first, g.beyond - 1)
	FROM assay_internal.baseline_gaps(settled, counted) g WHERE g.numbers > 1000 ORDER BY g.first LIMIT 1
	$$;
COMMENT ON FUNCTION assay_internal.baseline_note(bigint, int8multirange) IS 'private: a note on numbers out of line, for baseline_info';
