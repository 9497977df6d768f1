-- ---- baseline: whose baselines are they? --------------------------------------
--
-- Anybody may read the table, as the catalogue, so that it can be dumped by
-- whoever owns the database: pg_dump refuses tables with row-level security.
-- Rows are written by the functions here alone, for who owns the baseline:
-- whoever could write the table could lock it.

-- May the current role refresh, read and drop the baseline?
CREATE FUNCTION assay_internal.baseline_is_mine(relation regclass) RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$ SELECT coalesce(pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = $1), 'USAGE'), false) $$;
COMMENT ON FUNCTION assay_internal.baseline_is_mine(regclass) IS 'private: has the current role the rights of the baseline''s owner?';

-- What a baseline's definition calls runs with the rights of whoever refreshes it: that is its owner itself.
CREATE FUNCTION assay_internal.baseline_must_be_owner(relation regclass, caller text, hint text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF (SELECT c.relowner FROM pg_class c WHERE c.oid = $1) <> (SELECT u.oid FROM pg_roles u WHERE u.rolname = current_user) THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('%s() runs as the owner of the baseline', caller), HINT = hint;
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.baseline_must_be_owner(regclass, text, text) IS
	'private: error unless the current role is the owner of the baseline itself';

CREATE FUNCTION assay_internal.baseline_count_as_owner(relation regclass, started timestamptz) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.baseline_count_as_owner(regclass, timestamptz) IS 'private: baseline_count() with the rights of the baseline''s owner';

CREATE FUNCTION assay_internal.baseline_check_view_as_owner(relation regclass) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.baseline_check_view_as_owner(regclass) IS 'private: error where the materialized view of a baseline calls what its owner may not trust';

CREATE FUNCTION assay_internal.baseline_locked(relation regclass) RETURNS assay.baseline
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.baseline_locked(regclass) IS
	'private: the row of a baseline of the caller''s, which stays locked; null without one';

CREATE FUNCTION assay_internal.baseline_row(relation regclass, entry assay.baseline) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.baseline_row(regclass, assay.baseline) IS
	'private: writes, or without an entry removes, the row of a baseline of the caller''s';

CREATE FUNCTION assay_internal.baseline_for_change(relation regclass) RETURNS assay.baseline
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
BEGIN
	IF $1 IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'baseline must not be null';
	END IF;
	IF assay_internal.baseline_is_mine($1) THEN
		b := assay_internal.baseline_locked($1);
	END IF;
	IF b.relation IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('%s is not a baseline of yours', $1),
			HINT = 'assay.baseline_info lists your baselines.';
	END IF;
	RETURN b;
END $$;
COMMENT ON FUNCTION assay_internal.baseline_for_change(regclass) IS 'private: the row of a baseline, locked; error unless it is the caller''s';

-- What baseline_locked() and baseline_row() do, as the table's owner: they have seen that the caller owns
-- the relation.
CREATE FUNCTION assay_internal.baseline_lock_row(relation regclass) RETURNS assay.baseline
	LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$ SELECT t FROM assay.baseline t WHERE t.relation = $1 FOR UPDATE $$;
COMMENT ON FUNCTION assay_internal.baseline_lock_row(regclass) IS 'private: the row of a baseline, which stays locked';
REVOKE ALL ON FUNCTION assay_internal.baseline_lock_row(regclass) FROM PUBLIC;

CREATE FUNCTION assay_internal.baseline_write_row(relation regclass, entry assay.baseline) RETURNS boolean
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF entry.source IS NULL THEN
		DELETE FROM assay.baseline t WHERE t.relation = $1;
		RETURN FOUND;
	END IF;
	entry.relation := $1;
	PERFORM assay_internal.baseline_not_temporary(r) FROM unnest(ARRAY[entry.relation, entry.source, entry.label_table, entry.counted_label]) r;
	-- what statements are built from, in place of which would be nothing
	IF entry.incremental AND (entry.arrival_column IS NULL OR
		entry.label_table IS NOT NULL AND (entry.counted_label IS NULL OR entry.message_key IS NULL)) THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = format('the row of baseline %s is not complete', $1);
	END IF;
	UPDATE assay.baseline t SET (relation, source, key_columns, at_column, label_table, message_key, extra, incremental, search_path,
		arrival_column, counted_label, settled, counted, checkpoint, waiting, rows, keys, changed, as_of, took, tile) = ROW(entry.*)
	WHERE t.relation = $1;
	IF NOT FOUND THEN
		-- rows of baselines that were dropped by hand, not of those that a dump left out; one that
		-- another's open transaction has deleted is not waited for
		DELETE FROM assay.baseline t WHERE t.relation IN (
			SELECT d.relation FROM assay.baseline d
			WHERE d.relation <> 0::oid AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.relation) FOR UPDATE SKIP LOCKED);
		INSERT INTO assay.baseline VALUES (entry.*);
	END IF;
	RETURN true;
END $$;
COMMENT ON FUNCTION assay_internal.baseline_write_row(regclass, assay.baseline) IS 'private: writes or removes the row of a baseline';
REVOKE ALL ON FUNCTION assay_internal.baseline_write_row(regclass, assay.baseline) FROM PUBLIC;
