-- ---------------------------------------------------------------------------
-- who writes the tables of the extension; last, as it looks at all of them
--
-- What stands in them is run with the rights of others: expressions of baselines
-- and text models, conditions.  The functions that write them see to who may.  A
-- privilege alone, as pg_write_all_data brings it, would make its members whoever
-- refreshes a baseline.  Tables below views look at each row: check_right() does.
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.owner_writes() RETURNS trigger
	AS 'MODULE_PATHNAME', 'assay_owner_writes' LANGUAGE C;
COMMENT ON FUNCTION assay_internal.owner_writes() IS 'error unless it is the owner of the table, or the role in a column of each row, who writes it';

-- written by the view assay.named_sets
CREATE TRIGGER owner_writes BEFORE INSERT OR UPDATE OR DELETE ON assay.named_set FOR EACH ROW EXECUTE FUNCTION assay_internal.owner_writes('owner');

-- A restore in part brings the values of sets without the sets.  Who then makes a set of
-- such a name must not find another's values in it.
CREATE FUNCTION assay_internal.refuse_leftovers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- a set that is there is no leftover: its name is taken, as the index says
	IF EXISTS (SELECT FROM assay.named_set s WHERE s.set = NEW.set) THEN
		RETURN NEW;
	ELSIF EXISTS (SELECT FROM assay.list_entry e WHERE e.set = NEW.set) OR EXISTS (SELECT FROM assay.list_base b WHERE b.set = NEW.set)
		OR EXISTS (SELECT FROM assay.phrase_entry e WHERE e.set = NEW.set) OR EXISTS (SELECT FROM assay.phrase_base b WHERE b.set = NEW.set) THEN
		RAISE EXCEPTION 'set "%" cannot be made: there are values of another one of that name', NEW.set USING ERRCODE = 'object_not_in_prerequisite_state',
			DETAIL = 'A restore may have brought them without their set.',
			HINT = 'Take another name, or have a superuser restore the data of assay.named_set again, or delete them.';
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION assay_internal.refuse_leftovers() IS 'error where a new set would have another one''s values';
REVOKE ALL ON FUNCTION assay_internal.refuse_leftovers() FROM PUBLIC;
-- A privilege on all tables renames, too.  But for who restores: the table's owner
CREATE TRIGGER refuse_leftovers BEFORE INSERT OR UPDATE OF set ON assay.named_set FOR EACH ROW
	WHEN (NOT pg_catalog.has_table_privilege('assay.named_set', 'TRIGGER')) EXECUTE FUNCTION assay_internal.refuse_leftovers();

-- Nor does anybody get rights on what is here because the role that makes it gives
-- them on whatever it makes (ALTER DEFAULT PRIVILEGES).  On tables not even PUBLIC.
CREATE FUNCTION assay_internal.keep_tables() RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	ours oid[] := ARRAY['assay'::regnamespace, 'assay_internal'::regnamespace];
	t regclass;
	r record;
BEGIN
	FOR t IN SELECT c.oid FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = ANY (ours)
		AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname IN ('check_right', 'owner_writes')) ORDER BY c.oid LOOP
		EXECUTE format('CREATE TRIGGER owner_writes BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.owner_writes()', t);
		EXECUTE format('CREATE TRIGGER owner_applies BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION assay_internal.owner_writes()', t);
		EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER owner_applies', t);
	END LOOP;
	-- Also for who may set session_replication_role, and for workers of subscriptions that
	-- run as their owner, which fire triggers of rows only.
	FOR r IN SELECT g.tgrelid::regclass AS t, g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
		WHERE c.relkind = 'r' AND c.relnamespace = ANY (ours) AND g.tgname IN ('check_right', 'owner_writes', 'refuse_leftovers') AND g.tgenabled <> 'A' ORDER BY c.oid, g.tgname LOOP
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', r.t, r.tgname);
	END LOOP;
	FOR r IN
		SELECT DISTINCT o.what, o.given, o.columns, CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END AS role
		FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) a
		JOIN (
			SELECT 'TABLE ' || c.oid::regclass::text AS what, CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END::"char" AS kind,
				-- what PUBLIC has of it: all views may be read, and what they show is written by some of them
				CASE WHEN c.relname IN ('baseline', 'text_model_registry') OR c.relname LIKE 'email\_%' THEN 'SELECT'
					WHEN c.relkind <> 'v' THEN NULL
					WHEN c.relname IN ('list', 'phrase') THEN 'SELECT, INSERT, UPDATE, DELETE'
					WHEN c.relname IN ('fault', 'backfill_run') THEN 'SELECT, DELETE'
					WHEN c.relname IN ('policy', 'revision', 'detector_model', 'detector', 'guard', 'exclusion',
						'readable_policy', 'readable_detector', 'readable_guard', 'readable_exclusion') THEN 'SELECT, INSERT'
					ELSE 'SELECT' END AS given,
				(SELECT string_agg(format('%s (%I)', x.privilege_type, t.attname), ', ' ORDER BY t.attnum, x.privilege_type)
					FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) x WHERE t.attrelid = c.oid AND x.grantee = 0) AS columns
			FROM pg_class c WHERE c.relkind IN ('r', 'v', 'S') AND c.relnamespace = ANY (ours)
			UNION ALL
			SELECT 'ROUTINE ' || p.oid::regprocedure::text, 'f', NULL, NULL FROM pg_proc p WHERE p.pronamespace = ANY (ours)
			UNION ALL
			SELECT 'SCHEMA ' || n.nspname, 'n', NULL, NULL FROM pg_namespace n WHERE n.oid = ANY (ours)
		) o ON o.kind = d.defaclobjtype
		WHERE d.defaclrole = current_user::regrole AND d.defaclnamespace = ANY (ours || 0::oid) AND a.grantee <> d.defaclrole AND (a.grantee <> 0 OR o.kind IN ('r', 'S'))
			-- who dumps
			AND a.grantee <> 'pg_database_owner'::regrole
		ORDER BY o.what
	LOOP
		-- takes PUBLIC's columns along
		EXECUTE format('REVOKE ALL ON %s FROM %s', r.what, coalesce(quote_ident(r.role), 'PUBLIC'));
		IF r.role IS NULL AND r.given IS NOT NULL THEN
			EXECUTE format('GRANT %s ON %s TO PUBLIC', concat_ws(', ', r.given, r.columns), r.what);
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.keep_tables() IS 'for the end of an extension''s script: nobody but their owner writes its tables, and default privileges give nobody anything';
REVOKE ALL ON FUNCTION assay_internal.owner_writes(), assay_internal.keep_tables() FROM PUBLIC;
SELECT assay_internal.keep_tables();
