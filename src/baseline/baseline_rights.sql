-- ---- baseline: whose baselines are they? --------------------------------------
--
-- Anybody may read the table, as the catalogue, so that it can be dumped by
-- whoever owns the database: pg_dump refuses tables with row-level security.
-- Only who owns a baseline writes its row; one whose relation is gone is
-- anybody's to clear away.

-- May the current role refresh, read and drop the baseline?
CREATE FUNCTION assay.baseline_is_mine(relation regclass) RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$ SELECT coalesce(pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = $1), 'USAGE'), true) $$;
COMMENT ON FUNCTION assay.baseline_is_mine(regclass) IS 'private: has the current role the rights of the baseline''s owner?';

CREATE FUNCTION assay.baseline_guard() RETURNS trigger LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF TG_OP <> 'INSERT' AND NOT assay.baseline_is_mine(OLD.relation)
		-- a dump may have a row whose relation is gone: only who may do anything restores that
		OR TG_OP <> 'DELETE' AND NOT coalesce(pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = NEW.relation), 'USAGE'),
			(SELECT u.rolsuper FROM pg_roles u WHERE u.rolname = current_user)) THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('must be owner of baseline %s', CASE WHEN TG_OP = 'INSERT' THEN NEW.relation ELSE OLD.relation END);
	END IF;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
COMMENT ON FUNCTION assay.baseline_guard() IS 'private: only a baseline''s owner changes its row';
REVOKE ALL ON FUNCTION assay.baseline_guard() FROM PUBLIC;

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON assay.baseline
	FOR EACH ROW EXECUTE FUNCTION assay.baseline_guard();
