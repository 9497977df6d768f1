-- ---- baseline: tiles of time -----------------------------------------------------
--
-- A row of a baseline has the state at the end of a tile. Tiles of a day are known
-- by their `day` (UTC); of shorter ones a row says `until` when its state is that of
-- the key, so that a probe needs not know how long they are.

-- Is it a length that tiles may have?
CREATE FUNCTION assay_internal.baseline_is_tile(tile interval) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN extract(epoch FROM tile) BETWEEN 60 AND 86400 THEN
		extract(month FROM tile) = 0 AND extract(year FROM tile) = 0 AND 86400 % extract(epoch FROM tile) = 0 ELSE false END
	$$;
COMMENT ON FUNCTION assay_internal.baseline_is_tile(interval) IS 'may tiles be so long?';

CREATE FUNCTION assay_internal.tile_start(at timestamptz, tile interval) RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'baseline_tile_start' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.tile_start(timestamptz, interval) IS 'when the tile of a moment begins';

CREATE FUNCTION assay_internal.tile_end(at timestamptz, tile interval) RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'baseline_tile_end' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.tile_end(timestamptz, interval) IS 'when the tile of a moment ends';

-- A moment so much before, for any moment that there is
CREATE FUNCTION assay_internal.earlier(at timestamptz, span interval) RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'baseline_earlier' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.earlier(timestamptz, interval) IS 'a moment so much earlier; a day is 24 hours';

-- The column that says which tile a row is of
CREATE FUNCTION assay_internal.baseline_tile(tile interval) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$ SELECT CASE WHEN tile = interval '1 day' THEN 'day' ELSE 'until' END $$;
COMMENT ON FUNCTION assay_internal.baseline_tile(interval) IS 'the column of a baseline''s tiles';

-- What is in it for a moment, an SQL expression
CREATE FUNCTION assay_internal.baseline_tile_of(tile interval, moment text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
	AS $$
	SELECT CASE WHEN tile = interval '1 day' THEN format('(%s AT TIME ZONE ''UTC'')::date', moment)
		ELSE format('assay_internal.tile_end(%s, %L)', moment, make_interval(secs => extract(epoch FROM tile)::float8)::text) END
	$$;
COMMENT ON FUNCTION assay_internal.baseline_tile_of(interval, text) IS 'builds SQL for baselines';

-- The condition that a row's tile was over at a moment
CREATE FUNCTION assay_internal.baseline_before(tile interval, alias text, moment text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN tile = interval '1 day' THEN format('%s.day < (%s AT TIME ZONE ''UTC'')::date', alias, moment)
		ELSE format('%s.until <= %s', alias, moment) END
	$$;
COMMENT ON FUNCTION assay_internal.baseline_before(interval, text, text) IS 'builds SQL for baselines';
