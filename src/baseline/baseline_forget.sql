-- ---------------------------------------------------------------------------
-- baseline: keys that are to be forgotten
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay.baseline_forget_as_owner(relation regclass, columns jsonb) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay.baseline_forget_as_owner(regclass, jsonb) IS 'private: baseline_forget() with the rights of the baseline''s owner';

CREATE FUNCTION assay.baseline_forget(relation regclass, columns jsonb) RETURNS bigint
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format('DELETE FROM %s b WHERE %s', relation, (SELECT string_agg(format('b.%I::text = (%L::%s)::text', c.key, c.value, format_type(a.atttypid, a.atttypmod)), ' AND ')
		FROM jsonb_each_text(columns) c JOIN pg_attribute a ON a.attrelid = relation AND a.attname = c.key));
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
COMMENT ON FUNCTION assay.baseline_forget(regclass, jsonb) IS 'private: deletes the rows of keys with these values, as whoever calls; returns how many';
