-- ---- baseline: history whose messages are gone ---------------------------------
--
-- A refresh of an incremental baseline adds what is new, and so keeps what it
-- counted of messages that were deleted meanwhile.  A rebuild counts the
-- messages that there are.  keep_baseline() says that such a loss is not meant.

-- table

CREATE TABLE assay_internal.kept_baseline (
	relation assay_internal.kept_relation NOT NULL
);
CREATE UNIQUE INDEX kept_baseline_pkey ON assay_internal.kept_baseline (relation) WHERE relation <> 0::oid;
ALTER TABLE assay_internal.kept_baseline REPLICA IDENTITY FULL;
COMMENT ON TABLE assay_internal.kept_baseline IS 'baselines that are not to lose the history of messages that are gone';
GRANT SELECT ON assay_internal.kept_baseline TO pg_database_owner;
SELECT pg_catalog.pg_extension_config_dump('assay_internal.kept_baseline',
	'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation AND c.relpersistence <> ''t'' AND c.relkind = ANY (''{r,p}''))');

CREATE VIEW assay_internal.kept_baselines WITH (security_barrier) AS
	SELECT k.relation FROM assay_internal.kept_baseline k
	WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = k.relation AND pg_catalog.pg_has_role(c.relowner, 'USAGE'));
COMMENT ON VIEW assay_internal.kept_baselines IS 'of the current user''s baselines those that are kept';
GRANT SELECT ON assay_internal.kept_baselines TO PUBLIC;

-- private functions

CREATE FUNCTION assay_internal.baseline_keep_row(relation regclass, keep boolean) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.baseline_keep_row(regclass, boolean) IS 'private: writes whether a baseline of the caller''s is kept';

CREATE FUNCTION assay_internal.baseline_may_be_rebuilt(relation regclass) RETURNS void
	LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF EXISTS (SELECT FROM assay_internal.kept_baselines k WHERE k.relation = $1) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('baseline %s keeps the history of messages that are gone', $1),
			DETAIL = 'A rebuild counts only the messages that there are.',
			HINT = format('assay.refresh_baseline(%L) adds what is new. SELECT assay.keep_baseline(%L, false) allows a rebuild that loses the rest.', $1, $1);
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.baseline_may_be_rebuilt(regclass) IS 'private: error where a rebuild would lose what is to be kept';

CREATE FUNCTION assay_internal.baseline_compact_as_owner(relation regclass, before date) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.baseline_compact_as_owner(regclass, date) IS 'private: baseline_compact() with the rights of the baseline''s owner';

-- Rows are states at the end of a day: of each month the last one stays, which has all that came before it.
CREATE FUNCTION assay_internal.baseline_compact(relation regclass, before date) RETURNS bigint
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
	moment text := '{row}.day::timestamp';
	deletion text;
	n bigint;
BEGIN
	PERFORM assay_internal.baseline_must_be_owner($1, 'baseline_compact', 'Call assay.compact_baseline().');
	b := assay_internal.baseline_for_change($1);
	PERFORM assay_internal.baseline_check_source(b);
	-- a tile's last moment says which month it is of; next to the ends of time a month has no beginning or no end
	IF b.tile <> interval '1 day' THEN
		moment := '(({row}.until AT TIME ZONE ''UTC'') - interval ''1 us'')';
	END IF;
	deletion := assay_internal.baseline_fill('DELETE FROM {baseline} o WHERE {old} < {before} AND EXISTS (
		SELECT FROM {baseline} n WHERE {same_key} AND n.{tile} > o.{tile} AND {new} < {before}
			AND (extract(year FROM {new}), extract(month FROM {new})) = (extract(year FROM {old}), extract(month FROM {old})))',
		'baseline', b.relation::text, 'before', quote_literal(before) || '::date', 'same_key', assay_internal.baseline_equal('n', 'o', b.key_columns),
		'tile', assay_internal.baseline_tile(b.tile), 'old', replace(moment, '{row}', 'o'), 'new', replace(moment, '{row}', 'n'));
	-- operators of the key's types are found where they were when it was made
	PERFORM set_config('search_path', b.search_path, true);
	PERFORM assay_internal.check_trusted(deletion, 'baseline');
	EXECUTE deletion;
	GET DIAGNOSTICS n = ROW_COUNT;
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
	b.rows := b.rows - n;
	PERFORM assay_internal.baseline_row($1, b);
	RETURN n;
END $$;
COMMENT ON FUNCTION assay_internal.baseline_compact(regclass, date) IS 'private: of each key and month before a day the last row stays; returns how many went';

-- functions

CREATE FUNCTION assay.keep_baseline(baseline regclass, keep boolean DEFAULT true) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline := assay_internal.baseline_for_change($1);
BEGIN
	IF keep IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'keep must be true or false';
	ELSIF keep AND NOT b.incremental THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('%s is not an incremental baseline: each refresh counts the messages that there are', $1),
			HINT = 'Create it with incremental => true.';
	END IF;
	PERFORM assay_internal.baseline_keep_row($1, keep);
END $$;
COMMENT ON FUNCTION assay.keep_baseline(regclass, boolean) IS
	'an incremental baseline keeps the history of messages that are deleted: a rebuild, which would lose it, is refused; keep => false: it is allowed again';

CREATE FUNCTION assay.compact_baseline(baseline regclass, older_than interval DEFAULT '400 days') RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline := assay_internal.baseline_for_change($1);
BEGIN
	IF NOT b.incremental THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('%s is not an incremental baseline: the next refresh would bring all rows again', $1);
	ELSIF NOT (older_than >= interval '0' AND older_than <= interval '1000 years') OR older_than IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range', MESSAGE = 'older_than must be a time between 0 and 1000 years';
	END IF;
	RETURN assay_internal.baseline_compact_as_owner($1, (now() AT TIME ZONE 'UTC' - older_than)::date);
END $$;
COMMENT ON FUNCTION assay.compact_baseline(regclass, interval) IS
	'of each key and month, as far as it is older, keeps the last row of an incremental baseline: what was known within such a month is then what was known before it; returns how many rows went';
