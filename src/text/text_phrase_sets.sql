-- ---------------------------------------------------------------------------
-- phrase sets: named phrases with weights and themes, managed as lists are
-- (named so that it follows text.sql, whose type it uses)
-- ---------------------------------------------------------------------------

-- tables

CREATE TABLE assay.phrase_entry (
	set text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 255),
	pattern text COLLATE "C" NOT NULL CHECK (octet_length(pattern) BETWEEN 1 AND 1000),
	kind text COLLATE "C" NOT NULL CHECK (kind IN ('literal', 'regex')),
	weight float8 NOT NULL CHECK (abs(weight) <= 1000),
	theme text COLLATE "C" CHECK (octet_length(theme) BETWEEN 1 AND 255),
	expires_at timestamptz,
	note text,
	author text NOT NULL,
	added_at timestamptz NOT NULL,
	added_state bigint NOT NULL,
	removed_by text,
	removed_at timestamptz,
	removed_state bigint CHECK (removed_state > added_state),
	PRIMARY KEY (set, name, kind, pattern, added_state)
);
COMMENT ON TABLE assay.phrase_entry IS 'all phrases that sets have or had, with the states in which they stood; the view assay.phrase shows those that stand';

CREATE TABLE assay.phrase_base (
	set text COLLATE "C" PRIMARY KEY,
	state bigint NOT NULL,
	built_at timestamptz NOT NULL,
	literals assay.phrases,
	regexes assay.phrases,
	names text[] NOT NULL,
	kinds text[] NOT NULL,
	themes text[] NOT NULL,
	weights float8[] NOT NULL,
	expires_at timestamptz[] NOT NULL
);
COMMENT ON TABLE assay.phrase_base IS 'phrase sets, compiled by whoever changed them last; made from assay.phrase_entry';

SELECT pg_catalog.pg_extension_config_dump('assay.phrase_entry', 'WHERE set NOT IN (SELECT s.set FROM assay.named_set s JOIN pg_catalog.pg_extension x ON x.extname = s.extension)');
SELECT pg_catalog.pg_extension_config_dump('assay.phrase_base', 'WHERE set NOT IN (SELECT s.set FROM assay.named_set s JOIN pg_catalog.pg_extension x ON x.extname = s.extension)');
-- pg_dump by whoever owns the database reads them
GRANT SELECT ON assay.phrase_entry, assay.phrase_base TO pg_database_owner;

-- private functions

CREATE FUNCTION assay_internal.phrase_write() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION assay_internal.phrase_write() IS 'makes a change of the view assay.phrase';

CREATE FUNCTION assay_internal.phrase_settle() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION assay_internal.phrase_settle() IS 'after a change of the view assay.phrase: compiles what it changed';

CREATE FUNCTION assay_internal.phrase_remove(set text, state bigint, at timestamptz, author text, name text, pattern text, kind text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM assay.phrase_entry e WHERE e.set = $1 AND e.name = $5 AND e.kind = $7 AND e.pattern = $6
		AND e.removed_state IS NULL AND e.added_state = $2;
	UPDATE assay.phrase_entry e SET removed_state = $2, removed_at = $3, removed_by = $4
	WHERE e.set = $1 AND e.name = $5 AND e.kind = $7 AND e.pattern = $6 AND e.removed_state IS NULL;
END $$;
COMMENT ON FUNCTION assay_internal.phrase_remove(text, bigint, timestamptz, text, text, text, text) IS 'closes a phrase; one that this state brought goes';

CREATE FUNCTION assay_internal.phrase_put(set text, state bigint, at timestamptz, author text, name text, pattern text, kind text,
	weight float8, theme text, expires_at timestamptz, note text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF coalesce(kind, 'literal') NOT IN ('literal', 'regex') THEN
		RAISE EXCEPTION 'unknown kind of phrase "%"', kind USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Known are literal and regex.';
	END IF;
	IF coalesce(name, '') = '' OR octet_length(name) > 255 OR octet_length(theme) NOT BETWEEN 1 AND 255 THEN
		RAISE EXCEPTION 'a phrase needs a name, and may have a theme, of 1 to 255 bytes' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF coalesce(pattern, '') = '' OR octet_length(pattern) > 1000 THEN
		RAISE EXCEPTION 'phrase "%" needs a pattern of 1 to 1000 bytes', name USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT abs(coalesce(weight, 1)) <= 1000 THEN
		RAISE EXCEPTION 'weight of phrase "%" must be between -1000 and 1000', name USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	PERFORM FROM assay.phrase_entry e WHERE e.set = $1 AND e.name = $5 AND e.kind = coalesce($7, 'literal') AND e.pattern = $6
		AND e.removed_state IS NULL AND e.weight = coalesce($8, 1) AND e.theme IS NOT DISTINCT FROM $9
		AND e.expires_at IS NOT DISTINCT FROM $10 AND e.note IS NOT DISTINCT FROM $11;
	IF FOUND THEN
		RETURN;
	END IF;
	PERFORM assay_internal.phrase_remove($1, $2, $3, $4, $5, $6, coalesce($7, 'literal'));
	INSERT INTO assay.phrase_entry (set, name, pattern, kind, weight, theme, expires_at, note, author, added_at, added_state)
	VALUES ($1, $5, $6, coalesce($7, 'literal'), coalesce($8, 1), $9, $10, $11, $4, $3, $2);
END $$;
COMMENT ON FUNCTION assay_internal.phrase_put(text, bigint, timestamptz, text, text, text, text, float8, text, timestamptz, text) IS 'adds a phrase, or closes it and adds it as it is now';

CREATE FUNCTION assay_internal.phrase_compile(set text, state bigint) RETURNS void LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
	-- Who compiles has the set locked.  Not ON CONFLICT DO UPDATE: after failed parts that dropped
	-- the set, an assertion of PostgreSQL's heap_update() would fail, in builds that have them.
	DELETE FROM assay.phrase_base b WHERE b.set = $1;
	INSERT INTO assay.phrase_base (set, state, built_at, literals, regexes, names, kinds, themes, weights, expires_at)
	SELECT $1, $2, clock_timestamp(),
		CASE WHEN count(*) FILTER (WHERE e.kind = 'literal') > 0 THEN
			assay.phrases(array_agg(e.name ORDER BY e.added_state, e.name, e.pattern) FILTER (WHERE e.kind = 'literal'),
				array_agg(e.pattern ORDER BY e.added_state, e.name, e.pattern) FILTER (WHERE e.kind = 'literal'), 'literal') END,
		CASE WHEN count(*) FILTER (WHERE e.kind = 'regex') > 0 THEN
			assay.phrases(array_agg(e.name ORDER BY e.added_state, e.name, e.pattern) FILTER (WHERE e.kind = 'regex'),
				array_agg(e.pattern ORDER BY e.added_state, e.name, e.pattern) FILTER (WHERE e.kind = 'regex'), 'regex') END,
		coalesce(array_agg(e.name ORDER BY e.added_state, e.name, e.pattern), '{}'),
		coalesce(array_agg(e.kind ORDER BY e.added_state, e.name, e.pattern), '{}'),
		coalesce(array_agg(e.theme ORDER BY e.added_state, e.name, e.pattern), '{}'),
		coalesce(array_agg(e.weight ORDER BY e.added_state, e.name, e.pattern), '{}'),
		coalesce(array_agg(e.expires_at ORDER BY e.added_state, e.name, e.pattern), '{}')
	FROM assay.phrase_entry e WHERE e.set = $1 AND e.removed_state IS NULL
	$$;
COMMENT ON FUNCTION assay_internal.phrase_compile(text, bigint) IS 'compiles the phrases that stand';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay.phrase_entry
	FOR EACH ROW EXECUTE FUNCTION assay_internal.set_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON assay.phrase_entry
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.set_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay.phrase_base
	FOR EACH ROW EXECUTE FUNCTION assay_internal.set_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON assay.phrase_base
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.set_changed();
ALTER TABLE assay.phrase_entry ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay.phrase_entry ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE assay.phrase_base ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay.phrase_base ENABLE ALWAYS TRIGGER truncated;
CREATE TRIGGER keep_entries BEFORE UPDATE ON assay.phrase_entry FOR EACH ROW EXECUTE FUNCTION assay_internal.keep_entries();

-- views

CREATE VIEW assay.phrase_history WITH (security_barrier) AS
	SELECT e.set, e.name, e.pattern, e.kind, e.weight, e.theme, e.expires_at, e.note, e.author, e.added_at, e.added_state,
		e.removed_by, e.removed_at, e.removed_state
	FROM assay.phrase_entry e JOIN assay.named_set s ON s.set = e.set
	WHERE pg_catalog.pg_has_role(s.owner, 'USAGE');
COMMENT ON VIEW assay.phrase_history IS 'all phrases that the current user''s phrase sets have or had';

-- as assay.list is
CREATE VIEW assay.phrase WITH (security_invoker) AS
	SELECT h.set, h.name, h.pattern, h.kind, h.weight, h.theme, h.expires_at, h.note, h.author, h.added_at, h.added_state
	FROM assay.phrase_history h WHERE h.removed_state IS NULL;
COMMENT ON VIEW assay.phrase IS 'phrases of the current user''s phrase sets; INSERT, UPDATE and DELETE change and compile them';
ALTER VIEW assay.phrase ALTER COLUMN kind SET DEFAULT 'literal';
ALTER VIEW assay.phrase ALTER COLUMN weight SET DEFAULT 1;

CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON assay.phrase
	FOR EACH ROW EXECUTE FUNCTION assay_internal.phrase_write();
CREATE TRIGGER settle AFTER INSERT OR UPDATE OR DELETE ON assay.phrase
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.phrase_settle();

GRANT SELECT, INSERT, UPDATE, DELETE ON assay.phrase TO PUBLIC;
GRANT SELECT ON assay.phrase_history TO PUBLIC;

-- functions

CREATE FUNCTION assay.create_phrase_set(set text, readers text[] DEFAULT '{}', owner text DEFAULT NULL, description text DEFAULT NULL) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS
	$$ SELECT assay_internal.create_set($1, 'phrases', $3, $2, $4) $$;
COMMENT ON FUNCTION assay.create_phrase_set(text, text[], text, text) IS
	'makes an empty phrase set; readers are roles, or public, that may ask it beside its owner';

CREATE FUNCTION assay.phrase_hits(set text, content text) RETURNS text[]
	AS 'MODULE_PATHNAME', 'phrase_set_hits' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.phrase_hits(text, text) IS 'names of the phrases of a set that occur in a text, each once, in definition order';

CREATE FUNCTION assay.phrase_summary(set text, content text,
	OUT names text[], OUT themes text[], OUT counts integer[], OUT weight float8, OUT spans integer[]) RETURNS record
	AS 'MODULE_PATHNAME', 'phrase_set_summary' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.phrase_summary(text, text) IS
	'what of a phrase set occurs in a text: names, themes, how often each name, the sum of weights, and where';

CREATE FUNCTION assay.phrase_summary(phrases assay.phrases, content text,
	OUT names text[], OUT themes text[], OUT counts integer[], OUT weight float8, OUT spans integer[]) RETURNS record
	AS 'MODULE_PATHNAME', 'phrase_summary' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.phrase_summary(assay.phrases, text) IS
	'what of a phrases value occurs in a text; each name weighs 1, and there are no themes';

CREATE FUNCTION assay.phrase_counts(set text, content text, names text[], themes text[] DEFAULT '{}') RETURNS integer[]
	AS 'MODULE_PATHNAME', 'phrase_set_counts' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.phrase_counts(text, text, text[], text[]) IS
	'what of a phrase set occurs in a text, as one array: 1 or 0 for each name, the number of names of each theme, then of all names and of all themes';

CREATE FUNCTION assay.phrase_totals(set text, content text, names text[], themes text[] DEFAULT '{}',
	OUT counts integer[], OUT weight float8) RETURNS record
	AS 'MODULE_PATHNAME', 'phrase_set_totals' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.phrase_totals(text, text, text[], text[]) IS
	'the array of phrase_counts(), and the sum of the weights of the phrases that occur';

CREATE FUNCTION assay.phrase_state(set text) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.phrase_state(text) IS 'the state of a phrase set that this statement sees; phrases_of(..., state) gives it again later';

CREATE FUNCTION assay.phrases_of(set text, state bigint, syntax text DEFAULT 'literal') RETURNS assay.phrases LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	last bigint := assay.phrase_state($1);
BEGIN
	IF state > last OR state < 0 THEN
		RAISE EXCEPTION 'phrase set "%" has had no state %', $1, state USING ERRCODE = 'invalid_parameter_value', HINT = format('Its state is %s now.', last);
	END IF;
	RETURN (SELECT assay.phrases(coalesce(array_agg(h.name ORDER BY h.added_state, h.name COLLATE "C", h.pattern COLLATE "C"), '{}'),
		coalesce(array_agg(h.pattern ORDER BY h.added_state, h.name COLLATE "C", h.pattern COLLATE "C"), '{}'), $3)
	FROM assay.phrase_history h
	WHERE h.set = $1 AND h.kind = $3 AND h.added_state <= $2 AND (h.removed_state IS NULL OR h.removed_state > $2));
END $$;
COMMENT ON FUNCTION assay.phrases_of(text, bigint, text) IS 'the phrases of one kind that a set of the current user had in a state, compiled';

CREATE FUNCTION assay.compile_phrase_set(set text) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay.compile_phrase_set(text) IS 'compiles a phrase set anew, for instance after an upgrade of Vectorscan';

REVOKE ALL ON FUNCTION assay_internal.phrase_write(), assay_internal.phrase_settle(), assay_internal.phrase_compile(text, bigint),
	assay_internal.phrase_remove(text, bigint, timestamptz, text, text, text, text),
	assay_internal.phrase_put(text, bigint, timestamptz, text, text, text, text, float8, text, timestamptz, text) FROM PUBLIC;
