-- ---------------------------------------------------------------------------
-- lists: named sets of values that rules look into
-- ---------------------------------------------------------------------------

-- tables

CREATE TABLE assay.named_set (
	set text COLLATE "C" PRIMARY KEY CHECK (set <> '' AND octet_length(set) <= 63 AND set !~ '^[{]'),
	content text NOT NULL CHECK (content IN ('list', 'phrases')),
	owner assay_internal.kept_role NOT NULL DEFAULT quote_ident(current_user)::regrole,
	readers assay_internal.kept_role[] NOT NULL DEFAULT '{}',
	state bigint NOT NULL DEFAULT 0 CHECK (state >= 0),
	made_at timestamptz NOT NULL DEFAULT now(),
	changed_at timestamptz NOT NULL DEFAULT now(),
	description text,
	extension name,
	keep interval CHECK (keep >= interval '1 hour' AND keep <= interval '1000 years'),
	pruned_at timestamptz,
	pruned_state bigint NOT NULL DEFAULT 0 CHECK (pruned_state >= 0)
);
COMMENT ON TABLE assay.named_set IS 'lists and phrase sets: who owns them, who may ask them, and in which state they are';
COMMENT ON COLUMN assay.named_set.readers IS 'roles, beside the owner, whose members may ask the set; the role - is everybody';
COMMENT ON COLUMN assay.named_set.state IS 'grows with each transaction that writes to the set, mostly by one';
COMMENT ON COLUMN assay.named_set.extension IS
	'extension whose script filled the set: while that is installed, dumps leave the set out, and CREATE EXTENSION brings it back';
COMMENT ON COLUMN assay.named_set.keep IS 'how long a list keeps what was removed from it; NULL: for ever';
COMMENT ON COLUMN assay.named_set.pruned_at IS 'as of moments before it the list can''t be asked any more: what was removed by then is gone';
COMMENT ON COLUMN assay.named_set.pruned_state IS 'the same of states';

CREATE TABLE assay.list_entry (
	set text COLLATE "C" NOT NULL,
	kind text COLLATE "C" NOT NULL CHECK (kind IN ('exact', 'domain', 'prefix', 'cidr')),
	tenant text COLLATE "C" NOT NULL DEFAULT '' CHECK (octet_length(tenant) <= 255),
	key bytea NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 1024),
	value text NOT NULL,
	added_state bigint NOT NULL,
	removed_state bigint CHECK (removed_state > added_state),
	added_at timestamptz NOT NULL,
	removed_at timestamptz,
	expires_at timestamptz,
	author text NOT NULL,
	removed_by text,
	note text,
	PRIMARY KEY (set, kind, tenant, key, added_state)
);
CREATE INDEX list_entry_added_idx ON assay.list_entry (set, added_state);
CREATE INDEX list_entry_removed_idx ON assay.list_entry (set, removed_state) WHERE removed_state IS NOT NULL;
COMMENT ON TABLE assay.list_entry IS 'all values that lists have or had, with the states in which they stood; the view assay.list shows those that stand';
COMMENT ON COLUMN assay.list_entry.key IS 'the value as it is compared';
COMMENT ON COLUMN assay.list_entry.tenant IS 'tenant for whom it holds; empty: for all';

CREATE TABLE assay.list_base (
	set text COLLATE "C" PRIMARY KEY,
	state bigint NOT NULL,
	built_at timestamptz NOT NULL,
	base bytea NOT NULL
);
ALTER TABLE assay.list_base ALTER COLUMN base SET STORAGE EXTERNAL;
COMMENT ON TABLE assay.list_base IS 'values of a list at some state, laid out for looking up; made from assay.list_entry';

-- What another extension's script made comes back with that extension. (Dumps may not read views.)
SELECT pg_catalog.pg_extension_config_dump('assay.named_set', 'WHERE set NOT IN (SELECT s.set FROM assay.named_set s JOIN pg_catalog.pg_extension x ON x.extname = s.extension)');
SELECT pg_catalog.pg_extension_config_dump('assay.list_entry', 'WHERE set NOT IN (SELECT s.set FROM assay.named_set s JOIN pg_catalog.pg_extension x ON x.extname = s.extension)');
SELECT pg_catalog.pg_extension_config_dump('assay.list_base', 'WHERE set NOT IN (SELECT s.set FROM assay.named_set s JOIN pg_catalog.pg_extension x ON x.extname = s.extension)');
-- pg_dump by whoever owns the database reads them
GRANT SELECT ON assay.named_set, assay.list_entry, assay.list_base TO pg_database_owner;

-- private functions

CREATE FUNCTION assay_internal.set_changed() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION assay_internal.set_changed() IS 'tells every backend that a named set changed';

CREATE FUNCTION assay.list_key(kind text, value text) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.list_key(text, text) IS 'the form in which lists compare a value of a kind; NULL when the value is none of that kind';

CREATE FUNCTION assay_internal.list_write() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION assay_internal.list_write() IS 'makes a change of the view assay.list';

CREATE FUNCTION assay_internal.list_settle() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION assay_internal.list_settle() IS 'after a change of the view assay.list: merges what has gathered';

CREATE FUNCTION assay_internal.keep_entries() RETURNS trigger LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF OLD.removed_state IS NOT NULL
		OR to_jsonb(OLD) - '{removed_state,removed_at,removed_by}'::text[] <> to_jsonb(NEW) - '{removed_state,removed_at,removed_by}'::text[]
	THEN
		RAISE EXCEPTION 'past states of a set cannot be changed'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Change a set by its view: what goes is closed, never overwritten.';
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION assay_internal.keep_entries() IS 'lets entries of sets be closed, never overwritten';

CREATE FUNCTION assay_internal.forget_set() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM assay.list_entry e WHERE e.set = OLD.set;
	DELETE FROM assay.list_base b WHERE b.set = OLD.set;
	DELETE FROM assay.phrase_entry e WHERE e.set = OLD.set;
	DELETE FROM assay.phrase_base b WHERE b.set = OLD.set;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.forget_set() IS 'removes what a dropped set had';

CREATE FUNCTION assay_internal.delete_set() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM assay.named_set s WHERE s.set = OLD.set;
	RETURN CASE WHEN FOUND THEN OLD END;
END $$;
COMMENT ON FUNCTION assay_internal.delete_set() IS 'deletes a set that the view assay.dropped_set shows to its owner';

-- Also where rows come by replication: an apply worker fires row triggers only.
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay.named_set
	FOR EACH ROW EXECUTE FUNCTION assay_internal.set_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON assay.named_set
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.set_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay.list_entry
	FOR EACH ROW EXECUTE FUNCTION assay_internal.set_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON assay.list_entry
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.set_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay.list_base
	FOR EACH ROW EXECUTE FUNCTION assay_internal.set_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON assay.list_base
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.set_changed();
ALTER TABLE assay.named_set ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay.named_set ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE assay.list_entry ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay.list_entry ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE assay.list_base ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay.list_base ENABLE ALWAYS TRIGGER truncated;

CREATE TRIGGER keep_entries BEFORE UPDATE ON assay.list_entry FOR EACH ROW EXECUTE FUNCTION assay_internal.keep_entries();
CREATE TRIGGER forget AFTER DELETE ON assay.named_set FOR EACH ROW EXECUTE FUNCTION assay_internal.forget_set();

-- views: what a role may see and change is what they show it

CREATE VIEW assay.named_sets WITH (security_barrier) AS
	SELECT s.set, s.content, s.owner, s.readers, s.state, s.made_at, s.changed_at, s.description, s.keep, s.pruned_at, s.extension
	FROM assay.named_set s WHERE pg_catalog.pg_has_role(s.owner, 'USAGE')
	WITH CHECK OPTION;
COMMENT ON VIEW assay.named_sets IS 'lists and phrase sets of the current user';

CREATE VIEW assay.list_history WITH (security_barrier) AS
	SELECT e.set, e.value, e.kind, nullif(e.tenant, '') AS tenant, e.expires_at, e.note, e.author, e.added_at, e.added_state,
		e.removed_by, e.removed_at, e.removed_state
	FROM assay.list_entry e JOIN assay.named_set s ON s.set = e.set
	WHERE pg_catalog.pg_has_role(s.owner, 'USAGE');
COMMENT ON VIEW assay.list_history IS 'all values that the current user''s lists have or had';

-- Who may delete from a view may lock it, and what it reads where its owner may:
-- the tables that everybody looks into.  So what is deleted from reads, with the
-- user's own rights, a view that nobody may change.
CREATE VIEW assay.list WITH (security_invoker) AS
	SELECT h.set, h.value, h.kind, h.tenant, h.expires_at, h.note, h.author, h.added_at, h.added_state
	FROM assay.list_history h WHERE h.removed_state IS NULL;
COMMENT ON VIEW assay.list IS 'values of the current user''s lists; INSERT, UPDATE and DELETE change them';
COMMENT ON COLUMN assay.list.kind IS 'exact, domain (and all below it), prefix or cidr';
COMMENT ON COLUMN assay.list.tenant IS 'tenant for whom the value holds; NULL: for all';
ALTER VIEW assay.list ALTER COLUMN kind SET DEFAULT 'exact';

CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON assay.list
	FOR EACH ROW EXECUTE FUNCTION assay_internal.list_write();
CREATE TRIGGER settle AFTER INSERT OR UPDATE OR DELETE ON assay.list
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.list_settle();

CREATE VIEW assay.dropped_set WITH (security_invoker) AS
	SELECT s.set FROM assay.named_sets s;
COMMENT ON VIEW assay.dropped_set IS 'private: lists and phrase sets of the current user, for assay.drop_set() to drop by an update: who may delete may lock';

CREATE TRIGGER delete_row INSTEAD OF UPDATE ON assay.dropped_set
	FOR EACH ROW EXECUTE FUNCTION assay_internal.delete_set();

GRANT SELECT ON assay.named_sets TO PUBLIC;
GRANT SELECT, UPDATE (set) ON assay.dropped_set TO PUBLIC;
GRANT INSERT (set, content, owner, readers, description), UPDATE (owner, readers, description, keep) ON assay.named_sets TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON assay.list TO PUBLIC;
GRANT SELECT ON assay.list_history TO PUBLIC;

-- functions

CREATE FUNCTION assay_internal.role_of(role text) RETURNS regrole LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF role IS NULL THEN
		RAISE EXCEPTION 'a role must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF role = 'public' THEN
		RETURN 0;
	END IF;
	-- a cast to regrole takes time by the square of a long text's length
	IF octet_length(role) > 63 THEN
		RAISE EXCEPTION 'role "%" does not exist', left(role, 63) USING ERRCODE = 'undefined_object';
	END IF;
	RETURN quote_ident(role)::regrole;
END $$;
COMMENT ON FUNCTION assay_internal.role_of(text) IS 'a role by its name; public is everybody';

CREATE FUNCTION assay_internal.create_set(set text, content text, owner text, readers text[], description text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF coalesce(set, '') = '' OR octet_length(set) > 63 OR set LIKE '{%' THEN
		RAISE EXCEPTION 'a set needs a name of 1 to 63 bytes' USING ERRCODE = 'invalid_name',
			DETAIL = 'It must not begin with a brace.';
	END IF;
	INSERT INTO assay.named_sets (set, content, owner, readers, description)
	VALUES (create_set.set, create_set.content, assay_internal.role_of(coalesce(create_set.owner, current_user)),
		array(SELECT assay_internal.role_of(r) FROM unnest(create_set.readers) r), create_set.description);
EXCEPTION
	WHEN unique_violation THEN
		RAISE EXCEPTION 'set "%" already exists', set USING ERRCODE = 'duplicate_object',
			HINT = 'Lists and phrase sets share their names.';
	WHEN with_check_option_violation THEN
		RAISE EXCEPTION 'must be a member of role "%" to make a set that it owns', owner USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION assay_internal.create_set(text, text, text, text[], text) IS 'makes an empty set of some content';

CREATE FUNCTION assay.create_list(set text, readers text[] DEFAULT '{}', owner text DEFAULT NULL, description text DEFAULT NULL) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS
	$$ SELECT assay_internal.create_set($1, 'list', $3, $2, $4) $$;
COMMENT ON FUNCTION assay.create_list(text, text[], text, text) IS
	'makes an empty list; readers are roles, or public, that may ask it beside its owner';

CREATE FUNCTION assay_internal.check_set_found(set text, done boolean) RETURNS void LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT done THEN
		RAISE EXCEPTION 'set "%" does not exist', set USING ERRCODE = 'undefined_object',
			HINT = 'Or it is not yours: assay.named_sets shows those that are.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_set_found(text, boolean) IS 'private: error unless a set was found among the current user''s';

CREATE FUNCTION assay.drop_set(set text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE assay.dropped_set s SET set = NULL WHERE s.set = drop_set.set;
	PERFORM assay_internal.check_set_found(set, FOUND);
END $$;
COMMENT ON FUNCTION assay.drop_set(text) IS 'removes a list or phrase set with its history';

CREATE FUNCTION assay.alter_set(set text, owner text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE assay.named_sets s SET owner = assay_internal.role_of(alter_set.owner) WHERE s.set = alter_set.set;
	PERFORM assay_internal.check_set_found(set, FOUND);
EXCEPTION
	WHEN with_check_option_violation THEN
		RAISE EXCEPTION 'must be a member of role "%" to give it a set', owner USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION assay.alter_set(text, text) IS 'gives a list or phrase set to another role';

-- Readers that were dropped go with any change.
CREATE FUNCTION assay_internal.change_readers(set text, role text, may boolean) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	changed regrole := assay_internal.role_of(role);
BEGIN
	UPDATE assay.named_sets s SET readers = array(
		SELECT r FROM unnest(array_remove(s.readers, changed) || CASE WHEN may THEN ARRAY[changed] END) WITH ORDINALITY u(r, n)
		WHERE r = 0::oid OR EXISTS (SELECT FROM pg_roles p WHERE p.oid = r) ORDER BY n)
	WHERE s.set = change_readers.set;
	PERFORM assay_internal.check_set_found(set, FOUND);
END $$;
COMMENT ON FUNCTION assay_internal.change_readers(text, text, boolean) IS 'private: a role comes to, or goes from, those that may ask a set';

CREATE FUNCTION assay.grant_set(set text, role text) RETURNS void LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp AS
	$$ SELECT assay_internal.change_readers($1, $2, true) $$;
COMMENT ON FUNCTION assay.grant_set(text, text) IS 'lets a role, or public, ask a list or phrase set';

CREATE FUNCTION assay.revoke_set(set text, role text) RETURNS void LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp AS
	$$ SELECT assay_internal.change_readers($1, $2, false) $$;
COMMENT ON FUNCTION assay.revoke_set(text, text) IS 'takes back what assay.grant_set() granted';

CREATE FUNCTION assay.in_list(set text, value text, at timestamptz DEFAULT NULL, tenant text DEFAULT NULL, state bigint DEFAULT NULL) RETURNS boolean
	AS 'MODULE_PATHNAME', 'in_list' LANGUAGE C STABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION assay.in_list(text, text, timestamptz, text, bigint) IS
	'is a value in a list: itself, a domain above it, a prefix of it, a network around it? At a moment, or in a state, it was';

CREATE FUNCTION assay.in_list(set text, "values" text[], at timestamptz DEFAULT NULL, tenant text DEFAULT NULL, state bigint DEFAULT NULL) RETURNS boolean
	AS 'MODULE_PATHNAME', 'in_list_any' LANGUAGE C STABLE PARALLEL SAFE COST 30;
COMMENT ON FUNCTION assay.in_list(text, text[], timestamptz, text, bigint) IS 'is any of the values in a list?';

CREATE FUNCTION assay.in_list(set text, address inet, at timestamptz DEFAULT NULL, tenant text DEFAULT NULL, state bigint DEFAULT NULL) RETURNS boolean
	AS 'MODULE_PATHNAME', 'in_list_inet' LANGUAGE C STABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION assay.in_list(text, inet, timestamptz, text, bigint) IS 'does an address or network lie in a network of a list?';

CREATE FUNCTION assay.list_match(set text, value text, at timestamptz DEFAULT NULL, tenant text DEFAULT NULL, state bigint DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'list_match' LANGUAGE C STABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION assay.list_match(text, text, timestamptz, text, bigint) IS
	'the value of a list that a value matches, in the form that is compared; NULL when there is none';

CREATE FUNCTION assay.list_match(set text, "values" text[], at timestamptz DEFAULT NULL, tenant text DEFAULT NULL, state bigint DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'list_match_any' LANGUAGE C STABLE PARALLEL SAFE COST 30;
COMMENT ON FUNCTION assay.list_match(text, text[], timestamptz, text, bigint) IS 'the value of a list that the first matching one of the values matches';

CREATE FUNCTION assay.list_match(set text, address inet, at timestamptz DEFAULT NULL, tenant text DEFAULT NULL, state bigint DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'list_match_inet' LANGUAGE C STABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION assay.list_match(text, inet, timestamptz, text, bigint) IS 'the narrowest network of a list in which an address or network lies';

CREATE FUNCTION assay.list_state(set text) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.list_state(text) IS 'the state of a list that this statement sees; in_list(..., state => ...) asks it again later';

CREATE FUNCTION assay.rebuild_list(set text) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay.rebuild_list(text) IS 'lays out a list anew from its rows';

CREATE FUNCTION assay_internal.prune_list(set text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'assay_prune_list' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION assay_internal.prune_list(text) IS
	'lets go what was removed from a list for longer than it is kept, and what no decision needs that is kept; returns how many values';

CREATE FUNCTION assay.set_list_retention(set text, keep interval) RETURNS void LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT (keep >= interval '1 hour' AND keep <= interval '1000 years') THEN
		RAISE EXCEPTION 'keep must be a time between an hour and 1000 years, or null' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	UPDATE assay.named_sets s SET keep = set_list_retention.keep WHERE s.set = set_list_retention.set AND s.content = 'list';
	PERFORM assay_internal.check_set_found(set, FOUND);
END $$;
COMMENT ON FUNCTION assay.set_list_retention(text, interval) IS
	'how long maintain() keeps what was removed from a list, at least as long as decisions are kept of policies that name it; NULL: for ever';

CREATE FUNCTION assay.list_cache(OUT set text, OUT state bigint, OUT "values" bigint, OUT changes bigint, OUT loads bigint, OUT probes bigint, OUT bytes bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION assay.list_cache() IS 'lists that this backend holds loaded: the base''s values, changes since, how often the base was loaded, and how often the set''s row was read';

REVOKE ALL ON FUNCTION assay_internal.set_changed(), assay_internal.list_write(), assay_internal.list_settle(), assay_internal.keep_entries(), assay_internal.forget_set(), assay_internal.delete_set(), assay.list_cache() FROM PUBLIC;
