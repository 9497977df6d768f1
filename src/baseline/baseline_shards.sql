-- ---------------------------------------------------------------------------
-- baseline: over tables that Citus distributes
--
-- An incremental baseline knows which arrival numbers it has counted, and which
-- transactions may still bring lower ones: of one server.  Over shards it is made
-- as a materialized one is, of the messages that are there, by one statement that
-- runs on all shards at once and writes what changed.
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.is_distributed(relation oid) RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_is_distributed' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.is_distributed(oid) IS 'are the rows of a table in shards, or copied to all servers, by Citus?';

CREATE FUNCTION assay_internal.baseline_refresh_shards(relation regclass) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline := assay_internal.baseline_for_change($1);
	started timestamptz := clock_timestamp();
	tile text := assay_internal.baseline_tile(b.tile);
	statement text;
	columns text := assay_internal.baseline_columns(NULL, b.key_columns) || ', ' || tile || ', history' ||
		CASE WHEN b.label_table IS NOT NULL THEN ', labels' ELSE '' END || assay_internal.baseline_extra(b, ', {name}');
BEGIN
	PERFORM assay_internal.baseline_must_be_owner($1, 'baseline_refresh_shards', 'Call assay.refresh_baseline().');
	PERFORM assay_internal.baseline_check_source(b);
	IF b.label_table IS NOT NULL AND NOT assay_internal.is_distributed(b.label_table) THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = format('baseline %s is distributed, and its label table %s is not', b.relation, b.label_table),
			HINT = 'Distribute both by the same column, together.';
	END IF;
	statement := assay_internal.baseline_fill('INSERT INTO {baseline} AS b ({columns}) SELECT {columns} FROM ({definition}) n
ON CONFLICT ({key}, {tile}) DO UPDATE SET history = EXCLUDED.history{labels}{extra}
WHERE (b.*) IS DISTINCT FROM (EXCLUDED.*)',
		'baseline', b.relation::text, 'columns', columns, 'tile', tile, 'definition', assay_internal.baseline_definition(b), 'key', assay_internal.baseline_columns(NULL, b.key_columns),
		'labels', CASE WHEN b.label_table IS NOT NULL THEN ', labels = EXCLUDED.labels' END, 'extra', assay_internal.baseline_extra(b, ', {name} = EXCLUDED.{name}'));
	PERFORM set_config('search_path', b.search_path, true);
	PERFORM assay_internal.check_trusted(statement, 'baseline');
	EXECUTE statement;
	GET DIAGNOSTICS b.changed = ROW_COUNT;
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
	EXECUTE format('SELECT coalesce(sum(n), 0), count(*) FROM (SELECT count(*) AS n FROM %s GROUP BY %s) k',
		b.relation, assay_internal.baseline_columns(NULL, b.key_columns)) INTO b.rows, b.keys;
	-- nothing is counted one by one any more
	b.settled := NULL;
	b.counted := '{}';
	b.checkpoint := NULL;
	b.waiting := NULL;
	b.as_of := started;
	b.took := clock_timestamp() - started;
	PERFORM assay_internal.baseline_row($1, b);
END $$;
COMMENT ON FUNCTION assay_internal.baseline_refresh_shards(regclass) IS 'private: makes a distributed baseline of the messages that are there';
