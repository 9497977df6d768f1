-- ---------------------------------------------------------------------------
-- onboard: how it stands, for who calls again and for assay.health
-- ---------------------------------------------------------------------------

-- The first step that is not done, and whether the session that wrote last is still at it.
CREATE VIEW assay_internal.onboarding_next WITH (security_barrier) AS
	SELECT DISTINCT ON (s.policy) s.policy, s.step, s.state, s.note, s.at,
		EXISTS (SELECT FROM (SELECT l.pid FROM assay_internal.onboarding_step l WHERE l.policy = s.policy ORDER BY l.at DESC NULLS LAST LIMIT 1) w,
				pg_catalog.pg_stat_get_activity(w.pid) a
			WHERE w.pid IS NOT NULL AND w.pid <> pg_catalog.pg_backend_pid() AND a.state IS DISTINCT FROM 'idle') AS busy
	FROM assay_internal.onboarding_step s JOIN assay_internal.own_onboarding o ON o.policy = s.policy
	WHERE s.state NOT IN ('done', 'skipped')
	ORDER BY s.policy, s.n;
COMMENT ON VIEW assay_internal.onboarding_next IS 'of what roles of the user''s onboard: the first step that is not done, and whether a session is at it';
GRANT SELECT ON assay_internal.onboarding_next TO PUBLIC;

CREATE FUNCTION assay_internal.onboarding_waits(policy text) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM assay_internal.onboarding_next n WHERE n.policy = $1)
$$;
COMMENT ON FUNCTION assay_internal.onboarding_waits(text) IS 'is there a step of onboard() to be done?';

-- The checks of the report that do not hold, as one text
CREATE FUNCTION assay_internal.failing_checks(o assay_internal.own_onboarding) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(format('%s (%s, %s %s)', c.name, coalesce(trim_scale(round(c.value, 3))::text, 'none'), c.detail, c.bound), ', ')
	FROM assay_internal.onboarding_checks($1) c WHERE NOT c.passed
$$;
COMMENT ON FUNCTION assay_internal.failing_checks(assay_internal.own_onboarding) IS 'checks of a policy''s report that do not hold';

-- What the policy does now that all steps are done, and what to call
CREATE FUNCTION assay_internal.onboarding_stands(policy text) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, MDY' AS $$
DECLARE
	o assay_internal.own_onboarding := assay_internal.onboarding_of(policy);
	tenants text;
BEGIN
	IF o.tenant IS NOT NULL THEN
		tenants := (SELECT string_agg(format('%s %s', s.n, s.state), ', ' ORDER BY s.state) FROM (
			SELECT t.state, count(*) AS n FROM assay.tenant_status t WHERE t.policy = o.policy GROUP BY t.state) s);
		RETURN concat_ws('; ', 'tenants: ' || coalesce(tenants, 'none yet'),
			CASE o.go_live WHEN 'auto' THEN 'CALL assay.maintain() looks at those that are not live'
				ELSE format('SELECT assay.go_live(%L, tenant) makes one live, and without a tenant all that there are', o.policy) END);
	ELSIF NOT EXISTS (SELECT FROM assay.exclusions x WHERE x.policy = o.policy AND x.exclusion = 'learning') THEN
		RETURN format('live since %s', coalesce(date_trunc('second', o.live_at)::text, 'somebody dropped the exclusion "learning"'));
	END IF;
	RETURN concat_ws('; ', 'it learns: decided and recorded, without effect',
		CASE o.go_live WHEN 'auto' THEN 'CALL assay.maintain() looks at its checks' ELSE format('SELECT assay.go_live(%L) makes it live', o.policy) END,
		'not passed: ' || assay_internal.failing_checks(o));
END $$;
COMMENT ON FUNCTION assay_internal.onboarding_stands(text) IS 'what a policy whose onboarding is done does: live, or learning and what to call';

CREATE FUNCTION assay_internal.as_role(role regrole) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN $1::oid = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user) THEN '' ELSE format('SET ROLE %s; ', $1) END
$$;
COMMENT ON FUNCTION assay_internal.as_role(regrole) IS 'what a statement that only this role may call is to begin with';

-- The call that goes on, as it was; without what is as it is by default
CREATE FUNCTION assay_internal.onboarding_call(o assay_internal.own_onboarding) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result text := assay_internal.as_role(o.role) || format('CALL assay.onboard(%L, messages => %L', (o).policy, (o).messages)
		|| CASE WHEN o.pack IS NULL THEN format(', pack => NULL, signals => %L, at => %L', o.signals, o.at)
			WHEN o.pack <> 'email' THEN format(', pack => %L', o.pack) ELSE '' END
		|| CASE WHEN o.columns <> '{}' THEN format(', columns => %L', o.columns) ELSE '' END
		|| coalesce(format(', labels => %L', o.labels), '')
		|| CASE WHEN o.tenant IS NOT NULL THEN format(', tenant => %L', o.tenant) ELSE '' END
		|| CASE WHEN o.budget <> '{"alerts_per_day": 50}' THEN format(', budget => %L', o.budget) ELSE '' END
		|| CASE WHEN o.go_live <> 'told' THEN format(', go_live => %L', o.go_live) ELSE '' END
		|| CASE WHEN o.key IS DISTINCT FROM assay_internal.primary_key(to_regclass(o.messages)) THEN format(', key => %L', o.key) ELSE '' END
		|| CASE WHEN o.options <> '{}' THEN format(', options => %L', o.options) ELSE '' END
		|| CASE WHEN o.checks <> '{"days": 14, "degraded": 0.001, "roc_auc": 0.8}' THEN format(', checks => %L', o.checks) ELSE '' END || ')';
BEGIN
	RETURN CASE WHEN octet_length(result) > 4000 THEN assay_internal.as_role(o.role) || 'CALL assay.onboard(...) with the same arguments' ELSE result END;
END $$;
COMMENT ON FUNCTION assay_internal.onboarding_call(assay_internal.own_onboarding) IS 'the statement that goes on with an onboarding';

CREATE FUNCTION assay_internal.onboarding_state(o assay_internal.own_onboarding, OUT severity text, OUT detail text, OUT hint text) LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, MDY' AS $$
DECLARE
	w assay_internal.onboarding_next;
	made boolean := EXISTS (SELECT FROM assay.onboarding t WHERE t.policy = (o).policy AND t.step = 'policy' AND t.state = 'done');
BEGIN
	SELECT * INTO w FROM assay_internal.onboarding_next n WHERE n.policy = o.policy;
	IF made AND NOT EXISTS (SELECT FROM assay.policy p WHERE p.policy = o.policy) THEN
		severity := 'warning';
		detail := 'the policy has been dropped since it was onboarded';
		hint := format('%sSELECT assay.offboard(%L) removes the rest.', assay_internal.as_role(o.role), o.policy);
	ELSIF w.step IS NULL THEN
		severity := 'ok';
		detail := assay_internal.onboarding_stands(o.policy);
	ELSIF w.state = 'failed' THEN
		severity := 'error';
		detail := format('step "%s" failed at %s: %s', w.step, date_trunc('second', w.at), w.note);
		hint := format('Mend that, and %s; it goes on there.', assay_internal.onboarding_call(o));
	ELSIF w.busy THEN
		severity := 'ok';
		detail := format('a session is at step "%s"', w.step);
	ELSE
		severity := 'warning';
		detail := format('it was interrupted at step "%s", and nobody is at it', w.step);
		hint := format('It goes on there by %s; or %sSELECT assay.offboard(%L) undoes it.', assay_internal.onboarding_call(o), assay_internal.as_role(o.role), o.policy);
	END IF;
EXCEPTION WHEN OTHERS THEN
	severity := 'error';
	detail := format('it cannot be checked: %s', SQLERRM);
	hint := format('Only the owner of the policy can have onboarded it: SELECT assay.offboard(%L) ends what is not.', o.policy);
END $$;
COMMENT ON FUNCTION assay_internal.onboarding_state(assay_internal.own_onboarding) IS 'a row of assay.health about the onboarding of a policy';

CREATE FUNCTION assay_internal.onboarding_health() RETURNS TABLE (policy text, severity text, detail text, hint text) LANGUAGE sql STABLE ROWS 5
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT o.policy, h.severity, h.detail, h.hint FROM assay_internal.own_onboarding o, assay_internal.onboarding_state(o) h
$$;
COMMENT ON FUNCTION assay_internal.onboarding_health() IS 'what assay.health shows of onboarding: live, learning, running, interrupted or failed';
