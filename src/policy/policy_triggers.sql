-- ---------------------------------------------------------------------------
-- policy: triggers that fire for rows that come by replication
--
-- pg_restore --disable-triggers leaves all triggers of a table enabled as plain
-- ones: then sessions don't hear of changes that another server sends, and nothing
-- guards the tables from those that should not write them.  Where it fails, those of
-- the table at which it stopped stay disabled, check_right() among them.
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.lost_triggers(OUT relation regclass, OUT trigger name, OUT enabled text, OUT is_filled boolean, OUT is_disabled boolean, OUT is_guard boolean)
	RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	-- Anybody may have a trigger call follow_number() or note_changes(): his table is not for a superuser to wait for, nor to alter.
	SELECT t.tgrelid::regclass, t.tgname, coalesce(f.enabled, 'O'), EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = t.tgrelid), t.tgenabled = 'D', f.name IS NOT NULL
	FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid LEFT JOIN (VALUES
		('assay_internal.set_changed()'::regprocedure, NULL, 'A'), ('assay_internal.policy_changed()', NULL, 'A'),
		('assay_internal.note_changes()', NULL, 'A'), ('assay_internal.follow_published()', NULL, 'R'), ('assay_internal.follow_number()', NULL, 'R'),
		-- what keeps others from writing the extension's tables (writers.sql)
		(NULL, 'check_right', 'A'), (NULL, 'owner_writes', 'A'), (NULL, 'refuse_leftovers', 'A'), (NULL, 'owner_applies', 'R')) f (function, name, enabled)
	ON t.tgfoid = f.function OR t.tgname = f.name
	WHERE t.tgenabled IN ('O', 'D')
		-- in this order: of OR, what asks all policies would be asked of all triggers
		AND CASE WHEN c.relkind = 'r' AND c.relnamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace)
				THEN CASE t.tgenabled WHEN 'O' THEN f.enabled IS NOT NULL AND NOT t.tgisinternal
					ELSE t.tgisinternal OR EXISTS (SELECT FROM pg_proc o WHERE o.oid = t.tgfoid AND o.pronamespace = 'assay_internal'::regnamespace) END
			WHEN t.tgenabled = 'D' THEN false
			WHEN t.tgfoid = 'assay_internal.note_changes()'::regprocedure THEN EXISTS (SELECT FROM assay.policy p WHERE p.decision = c.oid)
			WHEN t.tgfoid = 'assay_internal.follow_number()'::regprocedure
				THEN EXISTS (SELECT FROM assay.policy p
					WHERE c.oid IN (assay_internal.outbox_table(p.policy, p.label), assay_internal.review_table(p.policy, p.label)))
			ELSE false END
$$;
COMMENT ON FUNCTION assay_internal.lost_triggers() IS 'triggers that should fire for replicated rows and don''t any more, and whether such rows come; those that are disabled; which keep others from writing';

CREATE FUNCTION assay_internal.enable_triggers() RETURNS bigint LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t record;
	done bigint := 0;
BEGIN
	FOR t IN SELECT * FROM assay_internal.lost_triggers() LOOP
		EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', t.relation, CASE t.enabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, t.trigger);
		done := done + 1;
	END LOOP;
	RETURN done;
END $$;
COMMENT ON FUNCTION assay_internal.enable_triggers() IS 'for a superuser, after pg_restore --disable-triggers: enables again what it left off; returns how many';

-- For assay.check()
CREATE FUNCTION assay_internal.check_enabled(OUT severity text, OUT "check" text, OUT detail text, OUT hint text) RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH lost AS (SELECT * FROM assay_internal.lost_triggers())
	SELECT 'error', 'trigger', format('triggers that tell of changes by replication are off, as pg_restore --disable-triggers leaves them: %s', count(*)),
		'A superuser does SELECT assay_internal.enable_triggers(); sessions from before it have to connect again.'
	FROM lost t WHERE NOT (t.is_disabled AND t.is_guard) HAVING bool_or(t.is_filled)
	UNION ALL
	SELECT 'error', 'trigger', format('triggers that guard the extension''s tables are disabled, as a pg_restore --disable-triggers that fails leaves them: %s', count(*)),
		'A superuser does SELECT assay_internal.enable_triggers();'
	FROM lost t WHERE t.is_disabled HAVING count(*) > 0
$$;
COMMENT ON FUNCTION assay_internal.check_enabled() IS 'do changes that come by replication reach the sessions, and are tables guarded?';
