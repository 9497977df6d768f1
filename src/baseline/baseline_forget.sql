-- ---------------------------------------------------------------------------
-- baseline: keys that are to be forgotten
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.baseline_forget_as_owner(relation regclass, columns jsonb) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.baseline_forget_as_owner(regclass, jsonb) IS 'private: baseline_forget() with the rights of the baseline''s owner';

CREATE FUNCTION assay_internal.baseline_forget(relation regclass, columns jsonb) RETURNS bigint
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	n bigint;
	statement text;
BEGIN
	-- with a column left out, more would go than was meant
	IF columns = '{}' OR EXISTS (SELECT FROM jsonb_object_keys(columns) k(name) WHERE NOT EXISTS (SELECT FROM pg_attribute a
		WHERE a.attrelid = relation AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped)) THEN
		RAISE EXCEPTION 'columns must be one or more of those of %', relation USING ERRCODE = 'undefined_column';
	END IF;
	-- a refresh that is not committed has rows that are not to be seen yet
	PERFORM assay_internal.baseline_for_change(relation);
	-- as the key's index compares; without a length, also a domain's, to which a longer value would be cut
	statement := format('DELETE FROM %s b WHERE %s', relation, (SELECT string_agg(format('b.%I %s %L::%I.%I', c.key, assay_internal.key_equality(t.oid), c.value, n.nspname, t.typname), ' AND ')
		FROM jsonb_each_text(columns) c JOIN pg_attribute a ON a.attrelid = relation AND a.attname = c.key
		CROSS JOIN LATERAL (WITH RECURSIVE base AS (SELECT t.* FROM pg_type t WHERE t.oid = a.atttypid UNION ALL SELECT t.* FROM base b JOIN pg_type t ON t.oid = b.typbasetype)
			SELECT b.oid, b.typname, b.typnamespace FROM base b WHERE b.typbasetype = 0) t
		JOIN pg_namespace n ON n.oid = t.typnamespace));
	-- a value of an array or a record is made by the checks of what is in it
	PERFORM assay_internal.check_trusted(statement, 'baseline');
	EXECUTE statement;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
COMMENT ON FUNCTION assay_internal.baseline_forget(regclass, jsonb) IS 'private: deletes the rows of keys with these values, as whoever calls; returns how many';
