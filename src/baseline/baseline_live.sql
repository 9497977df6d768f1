-- ---- baseline: with what its last refresh has not counted ---------------------------
--
-- The history of a key as of a message: of all messages that came before it, by time
-- and, of the same time, by arrival number. A baseline's row for the last tile that was
-- over has those that are counted and older than the message's tile. What is missing is
-- had from the messages: those of the open tile, and older ones that are not counted
-- yet. Both are told apart exactly, since numbers are counted and not times, and the
-- registry's row is written in the transaction that writes the baseline.

-- The numbers that an incremental baseline has counted
CREATE FUNCTION assay_internal.baseline_counted(relation regclass) RETURNS int8multirange
	LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT b.counted + CASE WHEN b.settled IS NULL THEN '{}' ELSE int8multirange(int8range(NULL, b.settled, '(]')) END
	FROM assay.baseline b WHERE b.relation = $1
	$$;
COMMENT ON FUNCTION assay_internal.baseline_counted(regclass) IS 'arrival numbers of messages that a baseline has counted';

-- The least number that it may not have counted
CREATE FUNCTION assay_internal.baseline_uncounted(relation regclass) RETURNS bigint
	LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN lower_inf(c.counted) THEN (SELECT upper(r) FROM unnest(c.counted) r ORDER BY r LIMIT 1) ELSE -9223372036854775808 END
	FROM assay_internal.baseline_counted($1) c(counted)
	$$;
COMMENT ON FUNCTION assay_internal.baseline_uncounted(regclass) IS 'the first arrival number of messages that a baseline may not have counted';

-- baseline_equal(), where the key has no history if it is too long to be indexed. That
-- is part of what the first column is compared with, as a condition by itself would
-- stand between the index and what is read by it.
CREATE FUNCTION assay_internal.baseline_equal_fitting(relation regclass, a text, b text, names text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN f.fits IS NULL THEN assay_internal.baseline_equal(a, b, names)
		ELSE concat_ws(' AND ', format('%s.%I = CASE WHEN %s THEN %s.%2$I END', a, names[1], f.fits, b), assay_internal.baseline_equal(a, b, names[2:])) END
	FROM (SELECT assay_internal.baseline_fits(relation, b, names) AS fits) f
	$$;
COMMENT ON FUNCTION assay_internal.baseline_equal_fitting(regclass, text, text, text[]) IS 'builds SQL for baselines';

-- The lookup of the last row whose tile was over. A scan of the index reads all rows of
-- the key on the page that it comes to, which may be a hundred of short tiles; so these
-- are first asked for the last 16 tiles, as as_of() does of days.
CREATE FUNCTION assay_internal.baseline_closed(b assay.baseline, message text, alias text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
	AS $$
DECLARE
	m text := quote_ident(message);
	suffix text := CASE WHEN message = ANY ('{near,far,one}') THEN '_row' ELSE '' END;
BEGIN
	RETURN assay_internal.baseline_fill(CASE WHEN b.tile = interval '1 day' THEN
			'SELECT * FROM {baseline} {row}
  WHERE {same_key} AND {before}
  ORDER BY {row}.{tile} DESC LIMIT 1'
		ELSE 'SELECT {columns}
  FROM (SELECT) {one}
  LEFT JOIN LATERAL (
    SELECT * FROM {baseline} {row}
    WHERE {same_key} AND {before} AND {row}.{tile} > assay_internal.earlier({m}.{at}, {near_time})
    ORDER BY {row}.{tile} DESC LIMIT 1) {near} ON true
  LEFT JOIN LATERAL (
    SELECT * FROM {baseline} {row}
    WHERE {near}.{tile} IS NULL AND {same_key} AND {before}
    ORDER BY {row}.{tile} DESC LIMIT 1) {far} ON true' END,
		'baseline', b.relation::text, 'row', alias, 'm', m, 'at', quote_ident(b.at_column), 'tile', assay_internal.baseline_tile(b.tile),
		'near', 'near' || suffix, 'far', 'far' || suffix, 'one', 'one' || suffix, 'near_time', quote_literal(16 * make_interval(secs => extract(epoch FROM b.tile)::float8)),
		'same_key', assay_internal.baseline_equal(alias, m, b.key_columns),
		'before', assay_internal.baseline_before(b.tile, alias, format('%s.%I', m, b.at_column)),
		'columns', (SELECT string_agg(format('CASE WHEN near%1$s.%2$s IS NULL THEN far%1$s.%3$I ELSE near%1$s.%3$I END AS %3$I', suffix, assay_internal.baseline_tile(b.tile), a.attname), ', ' ORDER BY a.attnum)
			FROM pg_attribute a WHERE a.attrelid = b.relation AND a.attnum > 0 AND NOT a.attisdropped));
END $$;
COMMENT ON FUNCTION assay_internal.baseline_closed(assay.baseline, text, text) IS 'builds SQL for baselines';

-- The lookup with the open tile, for baseline_probe(): of what is closed, open and
-- late. Messages are s where the expressions of extra columns see them, as in
-- baseline_tiles(). What is late is to be found by its number: IS TRUE keeps the planner
-- from an index by time, and of a range with two ends that it does not know it expects
-- few.
CREATE FUNCTION assay_internal.baseline_live(b assay.baseline, message text, alias text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
	AS $$
DECLARE
	-- not the message's own
	row_alias text := CASE message WHEN 's' THEN 'ss' ELSE 's' END;
	suffix text := CASE WHEN message = ANY ('{closed,open,late}') THEN '_row' ELSE '' END;
	m text := quote_ident(message);
BEGIN
	IF NOT b.incremental THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = format('a live probe needs an incremental baseline, which %s is not', b.relation),
			HINT = 'A materialized view does not say which messages it has counted. Create the baseline with incremental => true.';
	ELSIF message = 's' AND b.extra <> '{}' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the messages'' alias may not be s in a live probe of a baseline with extra columns',
			HINT = 'In their expressions s is a message of the history.';
	END IF;
	RETURN assay_internal.baseline_fill('LEFT JOIN LATERAL (
  SELECT {key}, {closed}.{tile},
    {closed}.history OPERATOR(assay.+) ({open}.history OPERATOR(assay.+) {late}.history) AS history{labels}{sums}
  FROM (
    SELECT assay.activity_agg({s}.{at}) AS history{aggregates}
    FROM {source} {s}
    WHERE {fitting_key}
      AND {s}.{at} >= {begin} AND ({s}.{at}, {s}.{arrival}) < ({m}.{at}, {m}.{arrival})) {open}
  CROSS JOIN LATERAL (
    SELECT assay.activity_agg({s}.{at}) AS history{aggregates}
    FROM {source} {s}
    WHERE {fitting_key}
      AND {s}.{arrival} BETWEEN (SELECT assay_internal.baseline_uncounted({relation})) AND (SELECT 9223372036854775807)
      AND NOT {s}.{arrival}::bigint <@ (SELECT assay_internal.baseline_counted({relation}))
      AND ({s}.{at} < {begin}) IS TRUE AND isfinite({s}.{at})) {late}
  LEFT JOIN LATERAL (
    {closed_row}) {closed} ON true) AS {alias} ON true',
		'key', assay_internal.baseline_columns('closed' || suffix, b.key_columns), 's', row_alias,
		'closed', 'closed' || suffix, 'open', 'open' || suffix, 'late', 'late' || suffix, 'm', m, 'alias', quote_ident(alias),
		'tile', assay_internal.baseline_tile(b.tile), 'at', quote_ident(b.at_column), 'arrival', quote_ident(b.arrival_column),
		'begin', format('assay_internal.tile_start(%s.%I, %L)', m, b.at_column, make_interval(secs => extract(epoch FROM b.tile)::float8)),
		'closed_row', replace(assay_internal.baseline_closed(b, message, row_alias), E'\n', E'\n  '),
		'fitting_key', assay_internal.baseline_equal_fitting(b.source, row_alias, m, b.key_columns),
		'source', b.source::text, 'relation', format('%L::regclass', b.relation),
		'labels', CASE WHEN b.label_table IS NOT NULL THEN format(', closed%s.labels', suffix) END,
		'aggregates', assay_internal.baseline_extra(b, E', ({aggregate}\n) AS {name}'),
		'sums', assay_internal.baseline_extra(b, format(', (SELECT {rollup}(v) FROM (VALUES (closed%1$s.{name}), (open%1$s.{name}), (late%1$s.{name})) u(v)) AS {name}', suffix)));
END $$;
COMMENT ON FUNCTION assay_internal.baseline_live(assay.baseline, text, text) IS 'builds SQL for baselines';
