-- ---- baseline: keeping baselines ---------------------------------------------
--
-- A baseline has a row for each key and active day (UTC), or shorter tile of time
-- (baseline_grid.sql), with the state at the end of that. It is a materialized view,
-- or with incremental => true a table that the statements built here bring up to date.
--
-- What an incremental baseline has counted is known by the arrival number of a
-- message, not by its time: everything up to `settled`, and of what is above it
-- the numbers in `counted`. A number that isn't visible yet may still come, as
-- its transaction may be running. So `settled` only moves up to a `checkpoint`
-- (the highest number seen at some refresh) once every transaction that ran at
-- that moment (`waiting`) is over; until then the gaps stay open. Who inserts
-- may give a number by hand, above all that the sequence has given. It is counted,
-- and stands in `counted`; `settled` doesn't move there (baseline_input.sql).

-- functions

CREATE FUNCTION assay_internal.baseline_apply_as_owner(relation regclass, key text[]) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
CREATE FUNCTION assay_internal.baseline_is_expression(text) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION assay_internal.baseline_apply_as_owner(regclass, text[]) IS 'private: baseline_apply() with the rights of the baseline''s owner';
COMMENT ON FUNCTION assay_internal.baseline_is_expression(text) IS 'private: is the text one SQL expression?';

-- tables

CREATE TABLE assay.baseline (
	relation assay_internal.kept_relation NOT NULL,
	source assay_internal.kept_relation NOT NULL,
	key_columns text[] NOT NULL,
	at_column text NOT NULL,
	label_table assay_internal.kept_relation,
	message_key text[],
	extra jsonb NOT NULL DEFAULT '{}',
	incremental boolean NOT NULL,
	search_path text NOT NULL,
	-- incremental only
	arrival_column text,
	counted_label assay_internal.kept_relation,
	settled bigint,
	counted int8multirange NOT NULL DEFAULT '{}',
	checkpoint bigint,
	waiting text[],
	-- as of the last refresh
	rows bigint,
	keys bigint,
	changed bigint,
	as_of timestamptz,
	took interval,
	tile interval NOT NULL DEFAULT '1 day'
);

-- What a dump left out is 0 where it is restored, and of several baselines it is the
-- same 0; without a primary key a publication of all tables would refuse each change.
CREATE UNIQUE INDEX baseline_pkey ON assay.baseline (relation) WHERE relation <> 0::oid;
ALTER TABLE assay.baseline REPLICA IDENTITY FULL;

COMMENT ON TABLE assay.baseline IS 'baselines that create_baseline() made; the view assay.baseline_info shows yours';
COMMENT ON COLUMN assay.baseline.extra IS 'further columns: {"name": {"aggregate": expression, "rollup": aggregate function}}';
COMMENT ON COLUMN assay.baseline.search_path IS 'where names in extra are looked up: the creator''s search_path';
COMMENT ON COLUMN assay.baseline.settled IS 'every message with an arrival number up to here is counted, or will never come';
COMMENT ON COLUMN assay.baseline.counted IS 'arrival numbers above settled that are counted';
COMMENT ON COLUMN assay.baseline.checkpoint IS 'where settled goes once all transactions in waiting are over';
COMMENT ON COLUMN assay.baseline.counted_label IS 'table of the labels that are counted';
COMMENT ON COLUMN assay.baseline.tile IS 'each row has the state at the end of so much time';

-- Without its table a baseline is none, unless a dump left that out.  A temporary table, or a
-- table's toast, is dumped by a name that is another's where it is restored, if anybody's.
SELECT pg_catalog.pg_extension_config_dump('assay.baseline',
	'WHERE (relation = 0::oid OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation)) AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
		WHERE c.oid IN (relation, source, label_table, counted_label) AND (c.relpersistence = ''t'' OR c.relkind <> ALL (''{r,p,v,m,f}'')))');

-- Anybody may read it, as the catalogue; who may change a row is said in baseline_rights.sql.
GRANT SELECT ON assay.baseline TO PUBLIC;
GRANT USAGE ON SCHEMA assay TO PUBLIC;

-- private functions

-- A list of columns: "s.a, s.b" with the alias s
CREATE FUNCTION assay_internal.baseline_columns(alias text, names text[], separator text DEFAULT ', ') RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$ SELECT string_agg(coalesce(alias || '.', '') || quote_ident(n), separator ORDER BY i) FROM unnest(names) WITH ORDINALITY u(n, i) $$;

-- A condition that pairs columns of two aliases
CREATE FUNCTION assay_internal.baseline_equal(a text, b text, names text[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$ SELECT string_agg(format('%s.%I = %s.%I', a, n, b, n), ' AND ' ORDER BY i) FROM unnest(names) WITH ORDINALITY u(n, i) $$;

-- A statement from a template: each {name} is replaced by the value that follows
-- its name. Values are not looked through for names themselves.
CREATE FUNCTION assay_internal.baseline_fill(template text, VARIADIC pairs text[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT string_agg(coalesce(part[1], (SELECT coalesce(pairs[2 * k], '') FROM generate_series(1, cardinality(pairs) / 2) k WHERE pairs[2 * k - 1] = part[2])), '' ORDER BY i)
	FROM regexp_matches(template, '([^{]+|[{](?![a-z_]+[}]))|[{]([a-z_]+)[}]', 'g') WITH ORDINALITY m(part, i)
	$$;

-- The extra columns, each by a template with {name}, {aggregate} and {rollup}
CREATE FUNCTION assay_internal.baseline_extra(b assay.baseline, template text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT coalesce(string_agg(assay_internal.baseline_fill(template,
			'name', quote_ident(e.key),
			'aggregate', e.value ->> 'aggregate',
			'rollup', (SELECT string_agg(quote_ident(p), '.' ORDER BY i) FROM unnest(parse_ident(e.value ->> 'rollup')) WITH ORDINALITY u(p, i))),
		'' ORDER BY e.key COLLATE "C"), '')
	FROM jsonb_each(b.extra) e
	$$;

-- What each label adds on its day: it replaces the one before
CREATE FUNCTION assay_internal.baseline_steps(b assay.baseline, labels text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT assay_internal.baseline_fill('SELECT {message}, labelled_at,
           malicious::int - coalesce((lag(malicious) OVER w)::int, 0) AS attacks,
           (NOT malicious)::int - coalesce((NOT lag(malicious) OVER w)::int, 0) AS safe
         FROM {labels}
         WHERE {known}
         WINDOW w AS (PARTITION BY {message} ORDER BY labelled_at, malicious)',
		'message', assay_internal.baseline_columns(NULL, b.message_key), 'labels', labels, 'known', assay_internal.baseline_known_label(b.label_table, b.message_key))
	$$;

-- The query for one row per key and tile with what that adds: messages for
-- which `messages` holds, and labels from the query `steps`, of messages for
-- which `labelled` holds
CREATE FUNCTION assay_internal.baseline_tiles(b assay.baseline, messages text, steps text, labelled text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	known text := concat_ws(' AND ', format('isfinite(s.%I)', b.at_column), assay_internal.baseline_columns('s', b.key_columns, ' IS NOT NULL AND ') || ' IS NOT NULL',
		assay_internal.baseline_fits(b.source, 's', b.key_columns));
	groups text := (SELECT string_agg(i::text, ', ' ORDER BY i) FROM generate_series(1, cardinality(b.key_columns) + 1) i);
	tiles text;
BEGIN
	tiles := assay_internal.baseline_fill('SELECT {key}, {tile_of} AS {tile}, assay.activity_agg(s.{at}) AS history{no_labels}{extra}
      FROM {source} s
      WHERE {known}
      GROUP BY {groups}',
		'key', assay_internal.baseline_columns('s', b.key_columns), 'at', quote_ident(b.at_column),
		'tile', assay_internal.baseline_tile(b.tile), 'tile_of', assay_internal.baseline_tile_of(b.tile, format('s.%I', b.at_column)),
		'no_labels', CASE WHEN steps IS NOT NULL THEN ', 0::bigint AS attacks, 0::bigint AS safe' END,
		'extra', assay_internal.baseline_extra(b, E', ({aggregate}\n) AS {name}'),
		'source', b.source::text, 'known', concat_ws(' AND ', known, messages), 'groups', groups);
	IF steps IS NULL THEN
		RETURN tiles;
	END IF;
	RETURN assay_internal.baseline_fill('SELECT {key}, {tile}, assay.activity_agg(history) AS history, sum(attacks)::bigint AS attacks, sum(safe)::bigint AS safe{extra}
    FROM (
      {tiles}
      UNION ALL
      SELECT {source_key}, {tile_of}, NULL, sum(l.attacks), sum(l.safe){no_extra}
      FROM ({steps}) l JOIN {source} s ON {same_message}
      WHERE {known}
      GROUP BY {groups}) t
    GROUP BY {key}, {tile}',
		'tile', assay_internal.baseline_tile(b.tile), 'tile_of', assay_internal.baseline_tile_of(b.tile, 'l.labelled_at'), 'key', assay_internal.baseline_columns(NULL, b.key_columns), 'source_key', assay_internal.baseline_columns('s', b.key_columns),
		'extra', assay_internal.baseline_extra(b, ', {rollup}({name}) AS {name}'), 'no_extra', assay_internal.baseline_extra(b, ', NULL'),
		'tiles', tiles, 'steps', steps, 'source', b.source::text,
		'same_message', assay_internal.baseline_equal('l', 's', b.message_key),
		'known', concat_ws(' AND ', known, labelled), 'groups', groups);
END $$;

-- The whole baseline as a query: the definition of the materialized view
CREATE FUNCTION assay_internal.baseline_definition(b assay.baseline) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT assay_internal.baseline_fill('SELECT {key}, {tile}, assay.activity_agg(history) OVER w AS history{labels}{extra}
  FROM (
    {tiles}) tile
  WINDOW w AS (PARTITION BY {key} ORDER BY {tile})',
		'tile', assay_internal.baseline_tile(b.tile), 'key', assay_internal.baseline_columns(NULL, b.key_columns),
		'labels', CASE WHEN b.label_table IS NOT NULL
			THEN ', assay.outcome((sum(attacks) OVER w)::bigint, (sum(safe) OVER w)::bigint) AS labels' END,
		'extra', assay_internal.baseline_extra(b, ', {rollup}({name}) OVER w AS {name}'),
		'tiles', assay_internal.baseline_tiles(b, NULL, CASE WHEN b.label_table IS NOT NULL THEN assay_internal.baseline_steps(b, b.label_table::text) END, NULL))
	$$;

-- The statement that adds the tiles of a query to an incremental baseline;
-- `before` are WITH queries that it uses, each with a comma behind it. For a
-- key and a tile with something new, the state is the one before plus what is
-- new; each later tile of the key gets the same added. Most new tiles are the
-- key's latest: one probe finds the state before and that there is no later one.
-- A whole row is taken as (b.*): a column may be called b.
CREATE FUNCTION assay_internal.baseline_merge(b assay.baseline, before text, tiles text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	labelled boolean := b.label_table IS NOT NULL;
	tile text := assay_internal.baseline_tile(b.tile);
	columns text := assay_internal.baseline_columns(NULL, b.key_columns) || ', ' || tile || ', history' ||
		CASE WHEN labelled THEN ', labels' ELSE '' END || assay_internal.baseline_extra(b, ', {name}');
	sum text := 'p.history OPERATOR(assay.+) d.history AS history' ||
		CASE WHEN labelled THEN ', assay.outcome(greatest(0, assay.attacks(p.labels) + d.attacks), greatest(0, assay.safe(p.labels) + d.safe)) AS labels' ELSE '' END ||
		assay_internal.baseline_extra(b, ', (SELECT {rollup}(v) FROM (VALUES (p.{name}), (d.{name})) u(v)) AS {name}');
BEGIN
	RETURN assay_internal.baseline_fill('WITH {before}
delta AS MATERIALIZED (
  SELECT {key}, {tile}, lead({tile}, 1, ''infinity'') OVER w AS {next}, row_number() OVER w = 1 AS earliest,
    assay.activity_agg(history) OVER w AS history{delta_extra}
  FROM ({tiles}) tile
  WINDOW w AS (PARTITION BY {key} ORDER BY {tile})),
latest AS MATERIALIZED (
  SELECT d.*, p.last FROM delta d LEFT JOIN LATERAL (
    SELECT (b.*)::{baseline} AS last FROM {baseline} b WHERE {same_key} AND b.{tile} < d.{next} ORDER BY b.{tile} DESC LIMIT 1) p ON true),
state AS MATERIALIZED (
  SELECT {delta_key}, d.{tile}, {sum}, p.{tile} IS DISTINCT FROM d.{tile} AS is_new_row,
    d.earliest AND p.{tile} IS NULL AND (SELECT true FROM {baseline} b WHERE {same_key} LIMIT 1) IS NULL AS is_new_key
  FROM latest d CROSS JOIN LATERAL (SELECT (d.last).*) p WHERE (d.last).{tile} <= d.{tile} OR (d.last).{tile} IS NULL
  UNION ALL
  SELECT {delta_key}, d.{tile}, {sum}, p.{tile} IS DISTINCT FROM d.{tile}, false
  FROM latest d LEFT JOIN LATERAL (
    SELECT * FROM {baseline} b WHERE {same_key} AND b.{tile} <= d.{tile} ORDER BY b.{tile} DESC LIMIT 1) p ON true
  WHERE (d.last).{tile} > d.{tile}
  UNION ALL
  SELECT {delta_key}, p.{tile}, {sum}, false, false
  FROM latest d CROSS JOIN LATERAL (
    SELECT * FROM {baseline} b WHERE {same_key} AND b.{tile} > d.{tile} AND b.{tile} < d.{next} OFFSET 0) p
  WHERE (d.last).{tile} > d.{tile}),
written AS (
  INSERT INTO {baseline} ({columns}) SELECT {columns} FROM state
  ON CONFLICT ({key}, {tile}) DO UPDATE SET history = EXCLUDED.history{set_extra})
SELECT count(*), count(*) FILTER (WHERE is_new_row), count(*) FILTER (WHERE is_new_key) FROM state',
		'tile', tile, 'next', CASE tile WHEN 'day' THEN 'until' ELSE 'day' END,
		'before', before, 'tiles', tiles, 'baseline', b.relation::text,
		'key', assay_internal.baseline_columns(NULL, b.key_columns), 'delta_key', assay_internal.baseline_columns('d', b.key_columns),
		'same_key', assay_internal.baseline_equal('b', 'd', b.key_columns), 'columns', columns, 'sum', sum,
		'delta_extra', CASE WHEN labelled THEN ', (sum(attacks) OVER w)::bigint AS attacks, (sum(safe) OVER w)::bigint AS safe' ELSE '' END ||
			assay_internal.baseline_extra(b, ', {rollup}({name}) OVER w AS {name}'),
		'set_extra', CASE WHEN labelled THEN ', labels = EXCLUDED.labels' ELSE '' END || assay_internal.baseline_extra(b, ', {name} = EXCLUDED.{name}'));
END $$;

-- The query for messages whose labels differ from what is counted
CREATE FUNCTION assay_internal.baseline_relabelled(b assay.baseline, labels text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT assay_internal.baseline_fill('SELECT DISTINCT {message} FROM (
    (SELECT {message}, labelled_at, malicious FROM {labels} WHERE {known} EXCEPT TABLE {counted})
    UNION ALL
    (TABLE {counted} EXCEPT SELECT {message}, labelled_at, malicious FROM {labels} WHERE {known})) c',
		'message', assay_internal.baseline_columns(NULL, b.message_key), 'labels', labels, 'counted', b.counted_label::text,
		'known', assay_internal.baseline_known_label(b.label_table, b.message_key))
	$$;

-- WITH queries that find what has changed in the label table since the last
-- refresh, note it as counted, and give `step`: minus what was counted for the
-- messages concerned, plus what is to be. `counted` holds for a source row s
-- that is counted. At most `count` messages are taken: what the planner has to
-- reckon with; any that came since are left for the next time.
CREATE FUNCTION assay_internal.baseline_label_changes(b assay.baseline, counted text, count bigint) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT assay_internal.baseline_fill('label AS MATERIALIZED (
  SELECT {message}, labelled_at, malicious FROM {labels} WHERE {known}),
changed AS MATERIALIZED (
  {relabelled} LIMIT {count}),
found AS MATERIALIZED (
  SELECT c.* FROM changed c WHERE EXISTS (SELECT FROM {source} s WHERE {source_changed} AND {is_counted})),
dropped AS (
  DELETE FROM {counted} x USING changed c WHERE {counted_changed} AND NOT EXISTS (
    SELECT FROM label n WHERE {label_counted} AND n.labelled_at = x.labelled_at AND n.malicious = x.malicious)),
noted AS (
  INSERT INTO {counted} SELECT n.* FROM label n JOIN found c ON {label_changed} WHERE NOT EXISTS (
    SELECT FROM {counted} x WHERE {label_counted} AND n.labelled_at = x.labelled_at AND n.malicious = x.malicious)),
step AS MATERIALIZED (
  SELECT * FROM ({steps_now}) now
  UNION ALL
  SELECT {message}, labelled_at, -attacks, -safe FROM ({steps_before}) before),',
		'message', assay_internal.baseline_columns(NULL, b.message_key), 'labels', b.label_table::text,
		'known', assay_internal.baseline_known_label(b.label_table, b.message_key), 'counted', b.counted_label::text, 'source', b.source::text, 'is_counted', counted, 'count', count::text,
		'relabelled', assay_internal.baseline_relabelled(b, 'label'),
		'source_changed', assay_internal.baseline_equal('s', 'c', b.message_key),
		'counted_changed', assay_internal.baseline_equal('x', 'c', b.message_key),
		'label_counted', assay_internal.baseline_equal('n', 'x', b.message_key),
		'label_changed', assay_internal.baseline_equal('n', 'c', b.message_key),
		'steps_now', assay_internal.baseline_steps(b, format('(SELECT n.* FROM label n JOIN found c ON %s) l', assay_internal.baseline_equal('n', 'c', b.message_key))),
		'steps_before', assay_internal.baseline_steps(b, format('(SELECT n.* FROM %s n JOIN found c ON %s) l', b.counted_label, assay_internal.baseline_equal('n', 'c', b.message_key))))
	$$;

-- Can a rollup give the whole from its parts? Of PostgreSQL's own aggregates few
-- can; what others can is for who gives them to know.
CREATE FUNCTION assay_internal.baseline_rolls_up(aggregate text, rollup text) RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN cardinality(r.path) > 1 AND r.path[1] <> 'pg_catalog' THEN true
		WHEN r.function = 'sum' THEN aggregate !~* '^\s*(pg_catalog\.)?(avg|stddev\w*|variance|var_\w+|corr|covar_\w+|regr_\w+|percentile_\w+|mode)\s*\('
		WHEN r.function = ANY ('{min,max,bool_and,bool_or,every,bit_and,bit_or,bit_xor,range_agg,range_intersect_agg}') THEN true
		ELSE NOT EXISTS (SELECT FROM pg_proc p WHERE p.proname = r.function AND p.prokind = 'a' AND p.pronamespace = 'pg_catalog'::regnamespace) END
	FROM (SELECT p.path, p.path[cardinality(p.path)] AS function FROM (SELECT parse_ident(rollup) AS path) p) r
	$$;

-- An error where what a baseline is made of is not there as it was
CREATE FUNCTION assay_internal.baseline_check_source(b assay.baseline) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	gone record;
BEGIN
	SELECT v.what, v.column_name INTO gone
	FROM (VALUES ('source', 'source', b.source), ('label table', 'label_table', b.label_table), ('table of counted labels', 'counted_label', b.counted_label)) v(what, column_name, oid)
	WHERE v.oid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v.oid);
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_table',
			MESSAGE = format('the %s of baseline %s does not exist any more', gone.what, b.relation),
			HINT = format('Restore it, and a superuser does UPDATE assay.baseline SET %s = ... WHERE relation = %L::regclass; assay.drop_baseline(%2$L) takes along what it has counted.', gone.column_name, b.relation);
	END IF;
	SELECT v.relation, k.name INTO gone FROM (VALUES
			(b.source, b.key_columns || b.at_column || b.arrival_column || b.message_key), (b.relation, b.key_columns || ARRAY[assay_internal.baseline_tile(b.tile), 'history']),
			(b.label_table, b.message_key || '{labelled_at,malicious}'::text[])) v(relation, names), unnest(v.names) k(name)
	WHERE v.relation IS NOT NULL AND k.name IS NOT NULL AND NOT EXISTS (
		SELECT FROM pg_attribute a WHERE a.attrelid = v.relation AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped);
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('column %I of %s, which baseline %s needs, does not exist any more', gone.name, gone.relation, b.relation),
			HINT = 'Give the column its name back, or create the baseline anew.';
	END IF;
END $$;

-- Bring an incremental baseline up to date: with key NULL by what is new, with
-- '{}' from nothing, else one key anew from the messages that are counted.
-- Whoever changes a baseline holds the lock on its row here.
CREATE FUNCTION assay_internal.baseline_apply(relation regclass, key text[]) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
	started timestamptz;
	current_snapshot boolean;
	settles boolean;
	added int8multirange;
	given bigint;
	before_that bigint;
	merged int8range;
	counted text;
	fresh text;
	arrival text;
	same_key text;
	query text;
	deletion text;
	running text[];
	gone bigint := 0;
	relabelled bigint := 0;
	written bigint := 0;
	new_rows bigint := 0;
	new_keys bigint := 0;
BEGIN
	PERFORM assay_internal.baseline_must_be_owner($1, 'baseline_apply', 'Call assay.refresh_baseline() or assay.rebuild_baseline().');
	b := assay_internal.baseline_for_change($1);
	IF NOT b.incremental THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('%s is not an incremental baseline', $1);
	END IF;
	IF assay_internal.is_distributed(b.relation) OR assay_internal.is_distributed(b.source) THEN
		IF key <> '{}' OR NOT assay_internal.is_distributed(b.relation) OR NOT assay_internal.is_distributed(b.source) THEN
			RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = format('%s is distributed, or its source is', $1),
				HINT = 'A distributed baseline is refreshed as a whole, and lies beside its source: CALL assay.distribute(..., beside => ''{...}'').';
		END IF;
		IF key = '{}' THEN
			EXECUTE format('DELETE FROM %s', b.relation);
		END IF;
		PERFORM assay_internal.baseline_refresh_shards($1);
		RETURN;
	END IF;
	PERFORM assay_internal.baseline_check_source(b);
	started := clock_timestamp();
	arrival := format('s.%I', b.arrival_column);

	IF key IS NOT NULL THEN
		PERFORM assay_internal.baseline_may_be_rebuilt(b.relation);
	END IF;
	IF key = '{}' THEN
		EXECUTE format('DELETE FROM %s', b.relation);
		IF b.counted_label IS NOT NULL THEN
			EXECUTE format('DELETE FROM %s', b.counted_label);
		END IF;
		b.settled := NULL;
		b.counted := '{}';
		b.checkpoint := NULL;
		b.rows := 0;
		b.keys := 0;
	END IF;

	IF key <> '{}' THEN
		IF cardinality(key) <> cardinality(b.key_columns) OR array_position(key, NULL) IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('the key of %s has %s column%s', b.relation, cardinality(b.key_columns), CASE WHEN cardinality(b.key_columns) > 1 THEN 's' ELSE '' END),
				HINT = format('Give a value for each of %s.', assay_internal.baseline_columns(NULL, b.key_columns));
		END IF;
		-- a literal, so that it takes the column's type
		same_key := (SELECT string_agg(format('s.%I = %L', c, v), ' AND ') FROM unnest(b.key_columns, key) u(c, v));
		counted := assay_internal.baseline_fill('({arrival} <= {settled}::bigint OR {arrival}::bigint <@ {counted}::int8multirange) AND {same_key}',
			'arrival', arrival, 'settled', quote_nullable(b.settled), 'counted', quote_literal(b.counted), 'same_key', same_key);
		query := assay_internal.baseline_merge(b, '', assay_internal.baseline_tiles(b, counted,
			CASE WHEN b.label_table IS NOT NULL THEN assay_internal.baseline_steps(b, b.counted_label::text) END, counted));
		deletion := format('DELETE FROM %s s WHERE %s', b.relation, same_key);
		PERFORM set_config('search_path', b.search_path, true);
		PERFORM assay_internal.check_trusted(deletion, 'baseline');
		EXECUTE deletion;
		GET DIAGNOSTICS gone = ROW_COUNT;
		PERFORM assay_internal.check_trusted(query, 'baseline');
		EXECUTE query INTO written, new_rows, new_keys;
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		b.rows := b.rows - gone + new_rows;
		b.keys := b.keys - (gone > 0)::int + new_keys;
		b.changed := gone + written;
		PERFORM assay_internal.baseline_row($1, b);
		RETURN;
	END IF;

	-- Before the scan, so that the scan sees what those transactions left. An
	-- older snapshot doesn't: then the gaps stay open.
	current_snapshot := current_setting('transaction_isolation') = 'read committed';
	settles := current_snapshot AND b.checkpoint IS NOT NULL AND
		NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.virtualxid = ANY (b.waiting)) AND
		NOT EXISTS (SELECT FROM pg_prepared_xacts);
	-- Arrival numbers of messages that aren't counted, as ranges: runs of
	-- consecutive numbers have a constant difference to their row number. Neither
	-- the least number there is nor the greatest may overflow.
	query := assay_internal.baseline_fill('SELECT range_agg(int8range(low, CASE WHEN high < 9223372036854775807 THEN high + 1 END)) FROM (
			SELECT min(i) AS low, max(i) AS high FROM (
				SELECT i, i + CASE WHEN i < 0 THEN 4611686018427387904 ELSE 0 END - row_number() OVER (ORDER BY i) AS run FROM (
					SELECT DISTINCT {arrival}::bigint AS i FROM {source} s WHERE {not_counted}) d) r
			GROUP BY run) n',
		'arrival', arrival, 'source', b.source::text, 'not_counted', assay_internal.baseline_not_counted(arrival, b.settled, b.counted));
	-- the source, and the labels, may be another's table, whose columns may get another type
	PERFORM assay_internal.check_trusted(query, 'baseline');
	EXECUTE query INTO added;
	-- Numbers up to here were taken by now: who took them is running, or done
	given := assay_internal.baseline_given($1);
	-- After the scan: whatever it didn't see is running still, or comes later
	running := ARRAY(SELECT DISTINCT l.virtualxid FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.virtualxid IS NOT NULL);

	added := coalesce(added, '{}');
	b.counted := b.counted + added;
	merged := range_merge(added);
	IF isempty(added) THEN
		fresh := 'false';
	ELSE
		fresh := format('%s >= %L::bigint', arrival, lower(merged)) || coalesce(format(' AND %s < ', arrival) || quote_literal(upper(merged)) || '::bigint', '');
		IF int8multirange(merged) <> added THEN
			fresh := fresh || format(' AND %s::bigint <@ %L::int8multirange', arrival, added);
		END IF;
	END IF;
	counted := format('(%s <= %L::bigint OR %s::bigint <@ %L::int8multirange)', arrival, b.settled, arrival, b.counted);

	IF b.label_table IS NOT NULL THEN
		query := format('SELECT count(*) FROM (%s) c', assay_internal.baseline_relabelled(b, b.label_table::text));
		PERFORM assay_internal.check_trusted(query, 'baseline');
		EXECUTE query INTO relabelled;
	END IF;
	IF NOT isempty(added) OR relabelled > 0 THEN
		query := assay_internal.baseline_merge(b,
			CASE WHEN b.label_table IS NOT NULL THEN assay_internal.baseline_label_changes(b, counted, relabelled) ELSE '' END,
			assay_internal.baseline_tiles(b, fresh,
				CASE WHEN b.label_table IS NOT NULL THEN 'TABLE step' END, counted));
		PERFORM set_config('search_path', b.search_path, true);
		PERFORM assay_internal.check_trusted(query, 'baseline');
		EXECUTE query INTO written, new_rows, new_keys;
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
	END IF;

	IF settles THEN
		-- What the sequence gave up to the checkpoint is here or won't come. Where
		-- no sequence is known, wide gaps stay open: a number may be anything.
		before_that := b.settled;
		b.counted := b.counted + assay_internal.baseline_settled(b.settled, b.counted, b.checkpoint, given IS NOT NULL);
		b.settled := upper((SELECT r FROM unnest(b.counted) r LIMIT 1)) - 1;
		IF given IS NOT NULL THEN
			b.settled := greatest(before_that, least(b.settled, b.checkpoint));
		END IF;
		b.counted := b.counted - int8multirange(int8range(NULL, b.settled, '(]'));
		b.checkpoint := NULL;
	END IF;
	IF current_snapshot AND b.checkpoint IS NULL AND NOT isempty(b.counted) THEN
		-- never the greatest number there is: no range ends there
		b.checkpoint := least(coalesce(upper(b.counted) - 1, 9223372036854775806), 9223372036854775806, given);
		IF b.checkpoint <= b.settled OR b.checkpoint < lower(b.counted) AND b.settled IS NULL THEN
			b.checkpoint := NULL;
		END IF;
		b.waiting := running;
	END IF;
	IF b.settled > given THEN
		RAISE WARNING USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('baseline %s takes every message with a number up to %s for counted, but the sequence has only come to %s', b.relation, b.settled, given),
			HINT = format('If the sequence was set back, set it on again by setval(). If numbers were given by hand, SELECT assay.rebuild_baseline(%L); counts the messages that there are, and loses the history of deleted ones.', b.relation);
	END IF;
	b.rows := coalesce(b.rows, 0) + new_rows;
	b.keys := coalesce(b.keys, 0) + new_keys;
	b.changed := written;
	b.as_of := started;
	b.took := clock_timestamp() - started;
	PERFORM assay_internal.baseline_row($1, b);
END $$;

-- Note what a materialized view holds after a refresh. Grouping may run code of
-- the owner's (a type's operators), so it is for the owner to do.
CREATE FUNCTION assay_internal.baseline_count(relation regclass, started timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
BEGIN
	PERFORM assay_internal.baseline_must_be_owner($1, 'baseline_count', 'Call assay.refresh_baseline().');
	b := assay_internal.baseline_for_change($1);
	EXECUTE format('SELECT coalesce(sum(n), 0), count(*) FROM (SELECT count(*) AS n FROM %s GROUP BY %s) k',
		b.relation, assay_internal.baseline_columns(NULL, b.key_columns)) INTO b.rows, b.keys;
	b.as_of := started;
	b.took := clock_timestamp() - started;
	PERFORM assay_internal.baseline_row($1, b);
END $$;

-- The type of a column that the user named; an error when there is none
CREATE FUNCTION assay_internal.baseline_column_type(relation regclass, column_name text) RETURNS regtype
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	found_type regtype;
BEGIN
	SELECT a.atttypid INTO found_type FROM pg_attribute a
	WHERE a.attrelid = relation AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped;
	IF found_type IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('column %I of %s does not exist', column_name, relation),
			HINT = 'Columns are given by name. For an expression, make a view that has it as a column.';
	END IF;
	RETURN found_type;
END $$;

CREATE FUNCTION assay_internal.baseline_check_time(source regclass, at text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	column_type regtype := assay_internal.baseline_column_type(source, at);
BEGIN
	IF column_type <> 'timestamptz'::regtype THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
			MESSAGE = format('column %I of %s is of type %s, not timestamp with time zone', at, source, column_type),
			HINT = CASE WHEN column_type IN ('date'::regtype, 'timestamp'::regtype)
				THEN format('Its zone has to be said: in a view over the messages, %I%s AT TIME ZONE ''UTC'' AS %I; the view is the source then.',
					at, CASE column_type WHEN 'date'::regtype THEN '::timestamp' ELSE '' END, at)
				ELSE 'at => names the column that says when a message was received.' END;
	END IF;
END $$;

COMMENT ON FUNCTION assay_internal.baseline_columns(text, text[], text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay_internal.baseline_equal(text, text, text[]) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay_internal.baseline_fill(text, text[]) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay_internal.baseline_rolls_up(text, text) IS 'private: can a rollup give the whole from its parts?';
COMMENT ON FUNCTION assay_internal.baseline_check_source(assay.baseline) IS 'private: is what a baseline is made of there?';
COMMENT ON FUNCTION assay_internal.baseline_extra(assay.baseline, text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay_internal.baseline_steps(assay.baseline, text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay_internal.baseline_tiles(assay.baseline, text, text, text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay_internal.baseline_definition(assay.baseline) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay_internal.baseline_merge(assay.baseline, text, text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay_internal.baseline_relabelled(assay.baseline, text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay_internal.baseline_label_changes(assay.baseline, text, bigint) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay_internal.baseline_apply(regclass, text[]) IS 'private: brings an incremental baseline up to date';
COMMENT ON FUNCTION assay_internal.baseline_count(regclass, timestamptz) IS 'private: notes what a materialized view holds';
COMMENT ON FUNCTION assay_internal.baseline_column_type(regclass, text) IS 'private: the type of a column';
COMMENT ON FUNCTION assay_internal.baseline_check_time(regclass, text) IS 'private: error unless a column can be the time of a baseline''s messages';

-- functions

CREATE FUNCTION assay.refresh_baseline(baseline regclass, OUT rows bigint, OUT changed bigint, OUT took interval)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
	started timestamptz;
BEGIN
	b := assay_internal.baseline_for_change($1);
	IF b.incremental THEN
		PERFORM assay_internal.baseline_apply_as_owner(b.relation, NULL);
	ELSE
		-- What the source's columns are called does not matter to a view.
		IF EXISTS (SELECT FROM unnest(b.key_columns) k WHERE NOT EXISTS (
			SELECT FROM pg_attribute a WHERE a.attrelid = b.relation AND a.attname = k AND NOT a.attisdropped)) THEN
			PERFORM assay_internal.baseline_check_source(b);
		END IF;
		PERFORM assay_internal.baseline_check_view_as_owner(b.relation);
		started := clock_timestamp();
		-- REFRESH itself runs as the owner.
		BEGIN
			EXECUTE format('REFRESH MATERIALIZED VIEW %s %s',
				CASE WHEN (SELECT c.relispopulated FROM pg_class c WHERE c.oid = b.relation) THEN 'CONCURRENTLY' ELSE '' END, b.relation);
		EXCEPTION WHEN program_limit_exceeded THEN
			-- a view that 0.1.0 made
			RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = SQLERRM,
				HINT = format('A key is too long for an index. Drop the baseline by assay.drop_baseline(%L) and create it anew: then such keys are left out.', b.relation);
		END;
		PERFORM assay_internal.baseline_count_as_owner(b.relation, started);
	END IF;
	SELECT t.rows, t.changed, t.took INTO rows, changed, took FROM assay.baseline t WHERE t.relation = $1;
END $$;

CREATE FUNCTION assay.rebuild_baseline(baseline regclass, VARIADIC key text[] DEFAULT '{}', OUT rows bigint, OUT changed bigint, OUT took interval)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	started timestamptz := clock_timestamp();
BEGIN
	-- by no array all would be made anew, and not by NULL
	IF key IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'key must not be null';
	END IF;
	IF EXISTS (SELECT FROM assay.baseline t WHERE t.relation = $1 AND t.incremental) THEN
		PERFORM assay_internal.baseline_apply_as_owner($1, key);
		SELECT t.rows, t.changed, clock_timestamp() - started INTO rows, changed, took FROM assay.baseline t WHERE t.relation = $1;
	ELSE
		SELECT r.rows, r.changed, r.took INTO rows, changed, took FROM assay.refresh_baseline($1) r;
	END IF;
END $$;

CREATE FUNCTION assay.drop_baseline(baseline regclass) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
	also_drop regclass;
	said text;
	what text;
BEGIN
	b := assay_internal.baseline_for_change($1);
	PERFORM assay_internal.baseline_row($1, NULL);
	-- The row is the owner's to write; it must not lead to others' tables.
	SELECT l.oid INTO also_drop FROM pg_class l JOIN pg_class c ON c.relowner = l.relowner
	WHERE l.oid = b.counted_label AND c.oid = b.relation;
	BEGIN
		EXECUTE format('DROP %s %s', CASE WHEN b.incremental THEN 'TABLE' ELSE 'MATERIALIZED VIEW' END, b.relation);
	EXCEPTION WHEN dependent_objects_still_exist THEN
		-- PostgreSQL's own hint is CASCADE, which would take a policy's signals along
		GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, what = PG_EXCEPTION_DETAIL;
		RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist', MESSAGE = said, DETAIL = what,
			HINT = 'First make these anew without it.';
	END;
	IF also_drop IS NOT NULL THEN
		EXECUTE format('DROP TABLE %s', also_drop);
	END IF;
END $$;

CREATE FUNCTION assay.create_baseline(name text, source regclass, key text[], at text,
	outcome regclass DEFAULT NULL, extra jsonb DEFAULT '{}', incremental boolean DEFAULT NULL,
	arrival text DEFAULT NULL, message_key text[] DEFAULT NULL,
	schema text DEFAULT current_schema(), search_path text DEFAULT current_setting('search_path'), tile interval DEFAULT '1 day')
	RETURNS regclass
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres
	AS $$
DECLARE
	b assay.baseline;
	target text;
	taken text[] := '{day,history,labels,attacks,safe,until,earliest,last,is_new_row,is_new_key}';
	problem text;
	hint text := 'Give the columns of a key by name, as in ''{from_addr}''.';
	numbers text := 'An incremental baseline finds new messages by a number that a sequence gives, whatever their key. Give the message table such a column, as by ALTER TABLE message ADD COLUMN arrival bigint GENERATED ALWAYS AS IDENTITY, and views over it too, and name it: arrival => ''arrival''.';
	column_type regtype;
	x record;
	started timestamptz := clock_timestamp();
	comment text;
	query text;
BEGIN
	IF name IS NULL OR source IS NULL OR key IS NULL OR at IS NULL OR search_path IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a baseline needs a name, a source, a key, a time column and a search_path';
	ELSIF tile IS NULL OR NOT assay_internal.baseline_is_tile(tile) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('a baseline cannot have tiles of %s', coalesce(tile::text, 'NULL')),
			HINT = 'A tile is a minute at least, and a day or a part of it without rest, such as 1 hour or 15 minutes.';
	ELSIF schema IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_schema_name', MESSAGE = 'no schema has been selected to create in';
	END IF;

	IF schema IN ('pg_temp', (SELECT n.nspname FROM pg_namespace n WHERE n.oid = pg_my_temp_schema())) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_table_definition', MESSAGE = 'a baseline may not be temporary',
			HINT = 'Create it in a schema that other sessions see.';
	END IF;
	PERFORM assay_internal.baseline_not_temporary(source), assay_internal.baseline_not_temporary(outcome);

	target := format('%I.%I', schema, name);
	b.source := source;
	b.key_columns := key;
	b.at_column := at;
	b.label_table := outcome;
	b.extra := coalesce(extra, '{}');
	-- incremental unless said otherwise, where that can be
	b.arrival_column := coalesce(arrival, assay_internal.baseline_arrival(source));
	b.incremental := coalesce(incremental, b.arrival_column IS NOT NULL);
	b.search_path := search_path;
	b.counted := '{}';
	b.tile := tile;

	-- every name that the user gave
	IF cardinality(key) = 0 OR array_ndims(key) <> 1 OR array_position(key, NULL) IS NOT NULL THEN
		problem := 'a key is a list of columns';
	ELSIF (SELECT count(DISTINCT k) FROM unnest(key) k) < cardinality(key) THEN
		problem := 'a column stands twice in the key';
	ELSIF key && taken THEN
		problem := format('a key column may not be called %s', (SELECT string_agg(t, ', ') FROM unnest(taken) t WHERE t = ANY (key)));
		hint := 'The baseline has columns of its own with that name. Make a view that calls it otherwise.';
	ELSIF octet_length(name) > 48 THEN
		problem := format('baseline name "%s" is longer than 48 bytes', name);
		hint := 'Names of what belongs to the baseline are made from it.';
	ELSIF jsonb_typeof(b.extra) <> 'object' THEN
		problem := 'extra columns must be a JSON object';
		hint := 'It looks like {"subjects": {"aggregate": "hll_add_agg(hll_hash_text(subject))", "rollup": "hll_union_agg"}}.';
	END IF;
	IF problem IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = problem, HINT = hint;
	END IF;
	FOR x IN SELECT k FROM unnest(key) k LOOP
		PERFORM assay_internal.baseline_column_type(source, x.k);
	END LOOP;
	PERFORM assay_internal.baseline_check_time(source, at);
	FOR x IN SELECT e.key AS name, e.value ->> 'aggregate' AS aggregate, e.value ->> 'rollup' AS rollup, e.value AS spec
		FROM jsonb_each(b.extra) e
	LOOP
		IF x.name = '' OR octet_length(x.name) > 63 OR x.name = ANY (taken || key) THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('an extra column may not be called "%s"', x.name);
		ELSIF jsonb_typeof(x.spec) <> 'object' OR x.aggregate IS NULL OR x.rollup IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('extra column "%s" needs an aggregate and a rollup', x.name),
				HINT = 'It looks like {"subjects": {"aggregate": "hll_add_agg(hll_hash_text(subject))", "rollup": "hll_union_agg"}}.';
		ELSIF NOT assay_internal.baseline_is_expression(x.aggregate) THEN
			RAISE EXCEPTION USING ERRCODE = 'syntax_error', MESSAGE = format('the aggregate of extra column "%s" is not one expression', x.name);
		ELSIF NOT assay_internal.baseline_rolls_up(x.aggregate, x.rollup) THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('%s of days is not that of the whole history in extra column "%s"', x.rollup, x.name),
				HINT = 'Keep what adds up, as count(*) and sum(size_bytes), both with the rollup sum, and divide where they are read.';
		END IF;
	END LOOP;

	IF outcome IS NOT NULL THEN
		IF assay_internal.baseline_column_type(outcome, 'malicious') <> 'boolean'::regtype OR
			assay_internal.baseline_column_type(outcome, 'labelled_at') <> 'timestamptz'::regtype THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('label table %s needs malicious boolean and labelled_at timestamp with time zone', outcome);
		END IF;
		-- By default a label's primary key is its message's, and the time.
		b.message_key := coalesce(message_key, (
			SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum))
			FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
			WHERE i.indrelid = outcome AND i.indisprimary AND a.attname <> 'labelled_at'));
		IF b.message_key IS NULL OR cardinality(b.message_key) = 0 THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('label table %s has no primary key to find its messages by', outcome),
				HINT = 'Give the columns that both have in message_key.';
		ELSIF b.message_key && '{malicious,labelled_at,attacks,safe}' THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a message key may not have columns called malicious, labelled_at, attacks or safe';
		END IF;
		FOR x IN SELECT k FROM unnest(b.message_key) k LOOP
			PERFORM assay_internal.baseline_column_type(source, x.k), assay_internal.baseline_column_type(outcome, x.k);
		END LOOP;
	END IF;

	IF NOT b.incremental THEN
		b.arrival_column := NULL;
		IF incremental IS NULL THEN
			RAISE NOTICE USING MESSAGE = format('baseline %s becomes a materialized view, which each refresh computes from all messages', target),
				DETAIL = format('No one column of %s is known to be filled by a sequence.', source), HINT = numbers;
		END IF;
	ELSE
		b.arrival_column := coalesce(b.arrival_column, 'id');
		arrival := b.arrival_column;
		column_type := assay_internal.baseline_column_type(source, arrival);
		IF column_type <> ALL ('{int2,int4,int8}'::regtype[]) THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('arrival column %I of %s is of type %s, not an integer', arrival, source, column_type),
				HINT = numbers;
		ELSIF (SELECT q.seqcache FROM pg_sequence q WHERE q.seqrelid = to_regclass(pg_get_serial_sequence(source::text, arrival))) > 1 THEN
			RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('the sequence of %s.%I has a cache', source, arrival),
				DETAIL = 'Sessions would use numbers of their own cache long after greater ones were counted.',
				HINT = format('ALTER SEQUENCE %s CACHE 1;', pg_get_serial_sequence(source::text, arrival));
		END IF;
	END IF;

	comment := format('baseline of %s by %s: state at the end of each active %s (UTC); assay.refresh_baseline() brings it up to date',
		source, assay_internal.baseline_columns(NULL, key), CASE WHEN tile = interval '1 day' THEN 'day' ELSE 'tile of ' || tile END);
	IF b.incremental THEN
		-- Names in extra are looked up where the caller looks.
		query := format('CREATE TABLE %s AS %s WITH NO DATA', target, assay_internal.baseline_definition(b));
		PERFORM set_config('search_path', b.search_path, true);
		PERFORM assay_internal.check_trusted(assay_internal.baseline_definition(b), 'baseline');
		EXECUTE query;
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (%s, %s)', target, assay_internal.baseline_columns(NULL, key), assay_internal.baseline_tile(tile));
		EXECUTE format('COMMENT ON TABLE %s IS %L', target, comment);
		IF outcome IS NOT NULL THEN
			query := format('%I.%I', schema, name || '_counted_label');
			EXECUTE format('CREATE TABLE %s AS SELECT %s, labelled_at, malicious FROM %s WITH NO DATA',
				query, assay_internal.baseline_columns(NULL, b.message_key), outcome);
			EXECUTE format('CREATE INDEX ON %s (%s)', query, assay_internal.baseline_columns(NULL, b.message_key));
			-- a publication of all tables refuses no DELETE
			EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', query);
			EXECUTE format('COMMENT ON TABLE %s IS %L', query, format('labels that the baseline %s has counted', target));
			b.counted_label := query::regclass;
		END IF;
	ELSE
		query := format('CREATE MATERIALIZED VIEW %s AS %s', target, assay_internal.baseline_definition(b));
		PERFORM set_config('search_path', b.search_path, true);
		PERFORM assay_internal.check_trusted(assay_internal.baseline_definition(b), 'baseline');
		EXECUTE query;
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		EXECUTE format('CREATE UNIQUE INDEX ON %s (%s, %s)', target, assay_internal.baseline_columns(NULL, key), assay_internal.baseline_tile(tile));
		EXECUTE format('COMMENT ON MATERIALIZED VIEW %s IS %L', target, comment);
	END IF;

	PERFORM assay_internal.baseline_row(target::regclass, b);
	IF b.incremental THEN
		PERFORM assay.refresh_baseline(target::regclass);
	ELSE
		PERFORM assay_internal.baseline_count_as_owner(target::regclass, started);
	END IF;
	RETURN target::regclass;
END $$;

CREATE FUNCTION assay.as_of(baseline anyelement, at timestamptz, VARIADIC key "any") RETURNS anyelement
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 200;

CREATE FUNCTION assay.baseline_probe(baseline regclass, message text DEFAULT 'm', alias text DEFAULT NULL, parallel boolean DEFAULT NULL, live boolean DEFAULT false) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
	-- not the message's own
	inner_alias text := CASE WHEN message = 'b' THEN 'h' ELSE 'b' END;
BEGIN
	IF baseline IS NULL OR live IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'baseline and live must not be null';
	END IF;
	SELECT * INTO b FROM assay.baseline t WHERE t.relation = $1 AND assay_internal.baseline_is_mine(t.relation);
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('%s is not a baseline of yours', $1),
			HINT = 'assay.baseline_info lists your baselines.';
	END IF;
	IF message IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'the messages'' alias must not be null';
	END IF;
	PERFORM assay_internal.baseline_check_source(b);
	alias := coalesce(alias, (SELECT c.relname::text FROM pg_class c WHERE c.oid = b.relation));
	IF live THEN
		RETURN assay_internal.baseline_live_probe(b, message, alias, parallel);
	END IF;
	RETURN assay_internal.baseline_fill(CASE WHEN parallel
		THEN 'LEFT JOIN LATERAL assay.as_of(NULL::{baseline}, {message}.{at}, {key}) AS {alias} ON true'
		ELSE 'LEFT JOIN LATERAL (
  {closed_row}) AS {alias} ON true' END,
		'baseline', b.relation::text, 'message', quote_ident(message), 'at', quote_ident(b.at_column),
		'key', assay_internal.baseline_columns(quote_ident(message), b.key_columns),
		'closed_row', assay_internal.baseline_closed(b, message, inner_alias),
		'alias', quote_ident(alias));
END $$;

COMMENT ON FUNCTION assay.create_baseline(text, regclass, text[], text, regclass, jsonb, boolean, text, text[], text, text, interval)
	IS 'create a baseline of a message table or view: one cumulative row for each key and active day, or shorter tile; incremental where a sequence numbers the messages';
COMMENT ON FUNCTION assay.refresh_baseline(regclass) IS 'bring a baseline up to date; readers are not blocked';
COMMENT ON FUNCTION assay.rebuild_baseline(regclass, text[]) IS 'compute a baseline, or one key of it, anew from the messages that there are: after deletions';
COMMENT ON FUNCTION assay.drop_baseline(regclass) IS 'drop a baseline and what belongs to it';
COMMENT ON FUNCTION assay.as_of(anyelement, timestamptz, "any") IS 'a baseline''s row for a key, as it was known before the day or shorter tile of a moment; in FROM, and in parallel workers';
COMMENT ON FUNCTION assay.baseline_probe(regclass, text, text, boolean, boolean) IS
	'SQL that joins a baseline to messages, as it was known before each message''s day or shorter tile; live: as of each message';

-- views

CREATE VIEW assay.baseline_info WITH (security_invoker = true) AS
	SELECT b.relation::regclass AS baseline, b.source::regclass, b.key_columns AS key, b.incremental, b.rows, b.keys,
		pg_catalog.pg_total_relation_size(b.relation) AS bytes, b.as_of, b.took,
		pg_catalog.clock_timestamp() - b.as_of AS lag,
		assay_internal.baseline_note(b.settled, b.counted) AS note
	FROM assay.baseline b
	JOIN pg_catalog.pg_class c ON c.oid = b.relation
	WHERE pg_catalog.pg_has_role(c.relowner, 'USAGE');
GRANT SELECT ON assay.baseline_info TO PUBLIC;

COMMENT ON VIEW assay.baseline_info IS 'baselines: rows, keys and size, and how far behind each is';
COMMENT ON COLUMN assay.baseline_info.rows IS 'rows after the last refresh: one for each key and active day';
COMMENT ON COLUMN assay.baseline_info.bytes IS 'size on disk, with indexes';
COMMENT ON COLUMN assay.baseline_info.as_of IS 'when the last refresh began: what came later is not counted';
COMMENT ON COLUMN assay.baseline_info.took IS 'how long the last refresh took';
COMMENT ON COLUMN assay.baseline_info.note IS 'numbers of messages far out of line with the others';
