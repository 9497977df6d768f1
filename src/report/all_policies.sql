-- ---------------------------------------------------------------------------
-- report: what looks at all policies that the caller may read
--
-- Anybody may make a policy, and give others the right to read it.  Who asks for
-- one by its name reads its tables with rights of his own, as by any SELECT.  Who
-- looks at all has not chosen: what a stranger put on his tables (conditions of
-- row-level security, expressions of indexes) must not run with his rights.  So it
-- is that policy's owner who looks, for readers from whom nothing of it is hidden.
-- It is so for superusers and members of the owner, too: there is a limit of time,
-- and no error of one policy ends what is told of the others.
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.is_his_own(p assay.policy) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	-- Whoever may grant a role makes anybody its member: as a member one may be held up by it all the same, and as a superuser.
	-- Where its table is gone, there is no owner to look at it: a superuser does, who runs none of that one's code.
	SELECT p.owner = current_user OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)
		AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.decision)
$$;
COMMENT ON FUNCTION assay_internal.is_his_own(assay.policy) IS 'is the user the owner of a policy, and not only one who may act as him?';

CREATE FUNCTION assay_internal.nothing_hidden(p assay.policy) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT NOT EXISTS (SELECT FROM pg_class c WHERE c.oid IN (p.decision, p.label)
			AND (NOT has_table_privilege(c.oid, 'SELECT') OR row_security_active(c.oid)))
		AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid IN (assay_internal.review_table(p.policy, p.label), assay_internal.outbox_table(p.policy, p.label))
			AND row_security_active(c.oid))
		AND NOT EXISTS (SELECT FROM assay_internal.decide_triggers(p.policy, (SELECT c.relowner FROM pg_class c WHERE c.oid = p.decision)) t
			WHERE row_security_active(t.tgrelid))
$$;
COMMENT ON FUNCTION assay_internal.nothing_hidden(assay.policy) IS
	'may the user read all decisions and labels of a policy, and does row-level security hide no row of its tables and messages?';

CREATE FUNCTION assay_internal.may_read_signals(p assay.policy) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	-- a view that reads as who asks may show him less than it shows its owner
	SELECT coalesce((SELECT has_table_privilege(c.oid, 'SELECT')
			AND NOT EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'security_invoker' AND o.option_value::boolean)
			-- nor where conditions of row-level security below ask who he is
			AND NOT EXISTS (SELECT FROM assay_internal.relations_below(c.oid, false) r(oid) WHERE row_security_active(r.oid))
		FROM pg_class c WHERE c.oid = coalesce(to_regclass(p.signals), p.signals_view)), false)
$$;
COMMENT ON FUNCTION assay_internal.may_read_signals(assay.policy) IS 'may the user read the signals view of a policy, and does it show him what it shows its owner?';

CREATE FUNCTION assay_internal.told_by_owner(policy text, what text) RETURNS SETOF jsonb
	AS 'MODULE_PATHNAME', 'assay_told_by_owner' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 20;
COMMENT ON FUNCTION assay_internal.told_by_owner(text, text) IS
	'health or alerts of a policy (logged alerts: without what its signals view shows), as its owner, for readers from whom nothing of that is hidden';
