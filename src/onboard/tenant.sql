-- ---------------------------------------------------------------------------
-- onboard: learning and live, of a policy and of each of its tenants
-- ---------------------------------------------------------------------------

-- private functions

-- Tenants, and what there is of each.  A name that no index takes is none of a tenant.
CREATE FUNCTION assay_internal.look_at_tenants(o assay_internal.own_onboarding) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names assay_internal.onboarding_names := assay_internal.onboarding_names(o);
	budget float8 := coalesce((o.budget->>'tenant_alerts_per_day')::float8, (o.budget->>'alerts_per_day')::float8);
	t record;
	was assay.tenant_status;
	listed boolean;
	failing text;
	state text;
	n bigint := 0;
	statement text := assay_internal.fill_names($q$SELECT m.{tenant}::text AS tenant, min(m.{at}) AS first_seen, max(m.{at}) AS last_seen, count(*) AS messages,
			count(v.score) AS decided, count(*) FILTER (WHERE {caught}) AS alerts, count(*) FILTER (WHERE v.degraded) AS degraded,
			greatest(count(DISTINCT (m.{at} AT TIME ZONE 'UTC')::date), 1)::float8 AS days
		FROM {source} m LEFT JOIN {verdict} v USING ({key})
		WHERE octet_length(m.{tenant}::text) <= 1000 AND isfinite(m.{at}) GROUP BY m.{tenant}::text ORDER BY 1$q$, names, 'caught', assay_internal.caught_condition(o.policy));
BEGIN
	-- a tenant's type may be another's, who makes casts of it
	PERFORM assay_internal.check_trusted(statement, 'policy', false);
	FOR t IN EXECUTE statement LOOP
		n := n + 1;
		SELECT * INTO was FROM assay.tenant_status s WHERE s.policy = o.policy AND s.tenant = t.tenant;
		listed := assay.in_list(o.policy || '.live', assay_internal.tenant_value(t.tenant));
		failing := concat_ws(', ',
			CASE WHEN t.days < (o.checks->>'days')::float8 THEN format('days of history: %s, at least %s', t.days, o.checks->>'days') END,
			CASE WHEN t.alerts / t.days > budget THEN format('%s alerts a day, at most %s', round((t.alerts / t.days)::numeric, 2), budget) END,
			CASE WHEN t.degraded > t.decided * (o.checks->>'degraded')::float8 THEN format('%s of %s decisions degraded', t.degraded, t.decided) END,
			CASE WHEN t.decided = 0 THEN 'nothing decided' END);
		state := CASE WHEN listed THEN 'live' WHEN failing = '' THEN 'ready' ELSE 'learning' END;
		PERFORM assay_internal.keep_onboarding(o.policy, 'tenant', jsonb_build_object('tenant', t.tenant, 'state', state, 'first_seen', t.first_seen, 'last_seen', t.last_seen,
			'messages', t.messages, 'alerts', t.alerts, 'alerts_per_day', t.alerts / t.days, 'degraded', t.degraded,
			'note', nullif(failing, ''), 'live_at', CASE WHEN listed THEN coalesce(was.live_at, clock_timestamp()) END, 'at', clock_timestamp()));
	END LOOP;
	RETURN n;
END $$;
COMMENT ON FUNCTION assay_internal.look_at_tenants(assay_internal.own_onboarding) IS 'brings assay.tenant_status up to date; returns how many tenants there are';

CREATE FUNCTION assay_internal.onboard_tenants(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	rows := assay_internal.look_at_tenants(o);
	note := (SELECT string_agg(format('%s %s', s.n, s.state), ', ' ORDER BY s.state) FROM (
		SELECT t.state, count(*) AS n FROM assay.tenant_status t WHERE t.policy = o.policy GROUP BY t.state) s);
END $$;
COMMENT ON FUNCTION assay_internal.onboard_tenants(assay_internal.own_onboarding) IS 'step of onboard(): tenants';

-- one tenant, those that there are, or a policy without any: 1 or how many went live
CREATE FUNCTION assay_internal.make_live(o assay_internal.own_onboarding, tenants text[]) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t text;
	n bigint := 0;
BEGIN
	IF o.tenant IS NULL THEN
		IF EXISTS (SELECT FROM assay.exclusions x WHERE x.policy = o.policy AND x.exclusion = 'learning') THEN
			PERFORM assay.drop_exclusion(o.policy, 'learning');
			n := 1;
		END IF;
	ELSE
		-- by itself: those whose checks passed
		tenants := coalesce(tenants, array(SELECT s.tenant FROM assay.tenant_status s WHERE s.policy = o.policy AND s.state = 'ready'));
		FOREACH t IN ARRAY tenants LOOP
			IF NOT assay.in_list(o.policy || '.live', assay_internal.tenant_value(t)) THEN
				INSERT INTO assay.list (set, value, kind, note) VALUES (o.policy || '.live', assay_internal.tenant_value(t), 'exact', t);
				n := n + 1;
			END IF;
		END LOOP;
		PERFORM assay_internal.look_at_tenants(o);
	END IF;
	IF o.live_at IS NULL THEN
		o.live_at := clock_timestamp();
		PERFORM assay_internal.keep_onboarding(o.policy, 'plan', to_jsonb(o));
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION assay_internal.make_live(assay_internal.own_onboarding, text[]) IS 'ends the learning of a policy, or of tenants';

-- What maintain() does for a policy that was onboarded
CREATE FUNCTION assay_internal.keep_learning(o assay_internal.own_onboarding) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n bigint := 0;
BEGIN
	-- it is not through yet
	IF EXISTS (SELECT FROM assay.onboarding s WHERE s.policy = o.policy AND s.state NOT IN ('done', 'skipped')) THEN
		RETURN 0;
	END IF;
	IF o.tenant IS NOT NULL THEN
		PERFORM assay_internal.look_at_tenants(o);
		IF o.go_live = 'auto' THEN
			n := assay_internal.make_live(o, NULL);
		END IF;
	ELSIF o.live_at IS NULL AND o.go_live = 'auto' THEN
		PERFORM assay_internal.onboard_report(o);
		n := (assay_internal.onboard_live(o)).rows;
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION assay_internal.keep_learning(assay_internal.own_onboarding) IS 'looks at what learns, and lets go live what may by itself; returns how many did';

-- A tenant that there is: with messages, or live, or seen before.  Of a name that nobody
-- has, a mistake in spelling say, a policy would stay in learning without a word.
CREATE FUNCTION assay_internal.check_tenant(o assay_internal.own_onboarding, tenant text) RETURNS void LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	there boolean;
	statement text := assay_internal.fill_names('SELECT EXISTS (SELECT FROM {source} m WHERE m.{tenant}::text COLLATE "C" = $1)', assay_internal.onboarding_names(o));
BEGIN
	IF EXISTS (SELECT FROM assay.tenant_status s WHERE s.policy = o.policy AND s.tenant = check_tenant.tenant)
		OR assay.in_list(o.policy || '.live', assay_internal.tenant_value(check_tenant.tenant))
	THEN
		RETURN;
	END IF;
	PERFORM assay_internal.check_trusted(statement, 'policy', false);
	EXECUTE statement INTO there USING check_tenant.tenant;
	IF NOT there THEN
		RAISE EXCEPTION 'policy "%" knows no tenant "%"', o.policy, left(check_tenant.tenant, 100) USING ERRCODE = 'undefined_object',
			HINT = 'The view assay.tenant_status lists those that there are. go_live(..., ahead => true) makes one live before its first message.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_tenant(assay_internal.own_onboarding, text) IS 'error unless there is such a tenant';

-- With the owner's rights: see as_policy_owner()
CREATE FUNCTION assay_internal.owner_step(policy text, step text, argument jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o assay_internal.own_onboarding;
BEGIN
	PERFORM assay_internal.lock_onboarding(policy);
	o := assay_internal.onboarding_of(policy);
	CASE step
		WHEN 'keep' THEN
			RETURN to_jsonb(assay_internal.keep_learning(o));
		WHEN 'live' THEN
			IF argument->>'tenant' IS NULL AND o.tenant IS NOT NULL THEN
				PERFORM assay_internal.look_at_tenants(o);
				RETURN to_jsonb(assay_internal.make_live(o, array(SELECT t.tenant FROM assay.tenant_status t WHERE t.policy = o.policy)));
			END IF;
			IF argument->>'tenant' IS NOT NULL AND NOT (argument->>'ahead')::boolean THEN
				PERFORM assay_internal.check_tenant(o, argument->>'tenant');
			END IF;
			RETURN to_jsonb(assay_internal.make_live(o, ARRAY[argument->>'tenant']));
		WHEN 'check' THEN
			PERFORM assay_internal.check_tenant(o, argument->>'tenant');
			RETURN 'null';
		WHEN 'look' THEN
			RETURN to_jsonb(assay_internal.look_at_tenants(o));
		WHEN 'erase' THEN
			RETURN to_jsonb(assay_internal.erase_messages(o, argument->>'tenant', (argument->>'dry_run')::boolean));
	END CASE;
END $$;
COMMENT ON FUNCTION assay_internal.owner_step(text, text, jsonb) IS 'a step about a policy that was onboarded, by the rights that it is called with';

CREATE FUNCTION assay_internal.erase_messages(o assay_internal.own_onboarding, tenant text, dry_run boolean) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n bigint;
	statement text := format(CASE WHEN dry_run THEN 'SELECT count(*)' ELSE 'DELETE' END || ' FROM %s m WHERE m.%I::text = $1',
		assay_internal.onboarding_relation(o.messages), o.tenant);
BEGIN
	PERFORM assay_internal.check_trusted(statement, 'policy', false);
	IF dry_run THEN
		EXECUTE statement INTO n USING tenant;
	ELSE
		EXECUTE statement USING tenant;
		GET DIAGNOSTICS n = ROW_COUNT;
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION assay_internal.erase_messages(assay_internal.own_onboarding, text, boolean) IS 'deletes, or counts, the messages of a tenant';

CREATE FUNCTION assay_internal.tenanted(policy text, tenant text) RETURNS assay_internal.own_onboarding LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o assay_internal.own_onboarding := assay_internal.onboarding_of(policy);
BEGIN
	IF tenant IS NULL THEN
		RAISE EXCEPTION 'tenant must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF o.tenant IS NULL THEN
		RAISE EXCEPTION 'policy "%" has no tenants', policy USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Say tenant => the column that tells them when it is onboarded.';
	END IF;
	RETURN o;
END $$;
COMMENT ON FUNCTION assay_internal.tenanted(text, text) IS 'what onboard() was told of a policy that has tenants';

-- functions

CREATE FUNCTION assay.go_live(policy text, tenant text DEFAULT NULL, ahead boolean DEFAULT false) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o assay_internal.own_onboarding := assay_internal.onboarding_of(policy);
BEGIN
	IF ahead IS NULL THEN
		RAISE EXCEPTION 'ahead must be true or false' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF tenant IS NOT NULL THEN
		o := assay_internal.tenanted(policy, tenant);
	END IF;
	IF EXISTS (SELECT FROM assay.onboarding s WHERE s.policy = go_live.policy AND s.n < 13 AND s.state NOT IN ('done', 'skipped')) THEN
		RAISE EXCEPTION 'policy "%" is still being onboarded', policy USING ERRCODE = 'object_not_in_prerequisite_state',
			DETAIL = (SELECT format('Step "%s" is %s.', s.step, s.state) FROM assay.onboarding s WHERE s.policy = go_live.policy AND s.state NOT IN ('done', 'skipped') ORDER BY s.n LIMIT 1),
			HINT = 'CALL assay.onboard(...) with the same arguments goes on.';
	END IF;
	RETURN (assay_internal.as_policy_owner(policy, 'live', jsonb_build_object('tenant', tenant, 'ahead', ahead)))::bigint;
END $$;
COMMENT ON FUNCTION assay.go_live(text, text, boolean) IS
	'ends learning: verdicts have effect from now on, of a policy without tenants, of one tenant, or of all tenants that there are; of one that has no message yet with ahead; returns how many went live';

CREATE FUNCTION assay.back_to_learning(policy text, tenant text DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o assay_internal.own_onboarding := assay_internal.onboarding_of(policy);
	n bigint;
BEGIN
	IF NOT assay_internal.may('owner', policy) THEN
		RAISE EXCEPTION 'must be owner of policy "%"', policy USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF tenant IS NOT NULL THEN
		o := assay_internal.tenanted(policy, tenant);
		PERFORM assay_internal.as_policy_owner(policy, 'check', jsonb_build_object('tenant', tenant));
		DELETE FROM assay.list l WHERE l.set = o.policy || '.live' AND l.value = assay_internal.tenant_value(back_to_learning.tenant);
		GET DIAGNOSTICS n = ROW_COUNT;
		PERFORM assay_internal.as_policy_owner(policy, 'look', '{}');
		RETURN n > 0;
	END IF;
	IF o.tenant IS NOT NULL THEN
		RAISE EXCEPTION 'policy "%" has tenants: say which learns again', policy USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF EXISTS (SELECT FROM assay.exclusions x WHERE x.policy = back_to_learning.policy AND x.exclusion = 'learning') THEN
		RETURN false;
	END IF;
	PERFORM assay.exclude(o.policy, 'learning', assay_internal.learning_condition(o.policy, NULL), verdict => p.default_verdict,
		reason => 'decided and recorded, without effect, until assay.go_live()') FROM assay.policies p WHERE p.policy = o.policy;
	o.live_at := NULL;
	-- not by itself again
	o.go_live := 'told';
	PERFORM assay_internal.keep_onboarding(policy, 'plan', to_jsonb(o));
	RETURN true;
END $$;
COMMENT ON FUNCTION assay.back_to_learning(text, text) IS 'verdicts of a policy, or of one of its tenants, have no effect from now on; they are decided and recorded all the same';

-- All thresholds of a tenant are as far from the policy's, in log-odds, as this one: a
-- detector moves the margins of its messages.
CREATE FUNCTION assay.tenant_threshold(policy text, tenant text, verdict text, threshold float8) RETURNS float8 LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o assay_internal.own_onboarding := assay_internal.tenanted(policy, tenant);
	own text := 'threshold of tenant ' || tenant;
	usual float8 := (SELECT (p.thresholds->>verdict)::float8 FROM assay.policies p WHERE p.policy = tenant_threshold.policy);
	stands boolean;
	weight float8;
BEGIN
	IF usual IS NULL THEN
		RAISE EXCEPTION 'policy "%" has no verdict "%" with a threshold', policy, verdict USING ERRCODE = 'invalid_parameter_value',
			HINT = coalesce((SELECT format('It has %s.', string_agg(t.key, ', ' ORDER BY t.value::float8))
				FROM assay.policies p, jsonb_each_text(p.thresholds) t WHERE p.policy = tenant_threshold.policy), 'assay.policies shows what it has.');
	END IF;
	IF threshold IS NOT NULL AND NOT (threshold > 0 AND threshold < 1) OR NOT (usual > 0 AND usual < 1) THEN
		RAISE EXCEPTION 'threshold of a tenant must be above 0 and below 1' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	-- where such a detector was made before, it is the tenant's share of the margin
	stands := EXISTS (SELECT FROM assay.detectors d WHERE d.policy = tenant_threshold.policy AND d.detector = own AND d.mode <> 'retired');
	IF threshold IS NULL THEN
		IF stands THEN
			PERFORM assay.drop_detector(policy, own);
		END IF;
		RETURN 0;
	END IF;
	weight := ln(usual / (1 - usual)) - ln(threshold / (1 - threshold));
	IF stands THEN
		PERFORM assay.alter_detector(policy, own, weight => weight);
	ELSE
		PERFORM assay.create_detector(policy, own, format('%I::text = %L', o.tenant, tenant), weight => weight, mode => 'live',
			description => format('tenant %s has another threshold', tenant), tags => '{tenant}');
	END IF;
	RETURN weight;
END $$;
COMMENT ON FUNCTION assay.tenant_threshold(text, text, text, float8) IS
	'another threshold for one tenant: a detector moves the margins of its messages by the difference, which it returns; NULL: that of the policy again';

CREATE FUNCTION assay.erase_tenant(policy text, tenant text, messages boolean DEFAULT false, dry_run boolean DEFAULT true,
	OUT relation text, OUT what text, OUT rows bigint, OUT done boolean) RETURNS SETOF record LANGUAGE plpgsql VOLATILE ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	o assay_internal.own_onboarding := assay_internal.tenanted(erase_tenant.policy, erase_tenant.tenant);
	part record;
	found_rows numeric := 0;
BEGIN
	IF erase_tenant.messages IS NULL OR dry_run IS NULL THEN
		RAISE EXCEPTION 'messages and dry_run must be true or false' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	FOR relation, what, rows, done IN
		SELECT f.relation, f.what, f.rows, f.done FROM assay.forget(o.policy, jsonb_build_object(o.tenant, erase_tenant.tenant), dry_run => erase_tenant.dry_run) f
	LOOP
		found_rows := found_rows + coalesce(rows, 0);
		RETURN NEXT;
	END LOOP;
	-- detectors and exclusions that are this tenant's by their names: their past stays in the history
	FOR part IN SELECT d.detector AS name FROM assay.detectors d WHERE d.policy = o.policy AND d.detector = 'threshold of tenant ' || erase_tenant.tenant LOOP
		IF NOT dry_run THEN
			PERFORM assay.drop_detector(o.policy, part.name);
		END IF;
		found_rows := found_rows + 1;
		RETURN QUERY SELECT o.policy, 'threshold of the tenant'::text, 1::bigint, NOT erase_tenant.dry_run;
	END LOOP;
	rows := (SELECT count(*) FROM assay.list l WHERE l.set = o.policy || '.live' AND l.value = assay_internal.tenant_value(erase_tenant.tenant));
	IF NOT dry_run THEN
		DELETE FROM assay.list l WHERE l.set = o.policy || '.live' AND l.value = assay_internal.tenant_value(erase_tenant.tenant);
		PERFORM assay_internal.keep_onboarding(o.policy, 'no tenant', jsonb_build_object('tenant', erase_tenant.tenant));
	END IF;
	found_rows := found_rows + rows;
	relation := o.policy || '.live';
	what := 'live tenants';
	done := NOT dry_run;
	RETURN NEXT;
	IF erase_tenant.messages THEN
		relation := o.messages;
		what := 'messages';
		rows := (assay_internal.as_policy_owner(o.policy, 'erase', jsonb_build_object('tenant', erase_tenant.tenant, 'dry_run', dry_run)))::bigint;
		found_rows := found_rows + rows;
		RETURN NEXT;
	END IF;
	-- no error: an erasure may be done twice
	IF found_rows = 0 THEN
		RAISE NOTICE 'policy "%" has nothing of a tenant "%"', o.policy, left(erase_tenant.tenant, 100)
			USING HINT = 'The view assay.tenant_status lists tenants.';
	END IF;
END $$;
COMMENT ON FUNCTION assay.erase_tenant(text, text, boolean, boolean) IS
	'erases what a policy keeps of one tenant, and its messages where that is asked for, in one transaction; the receipt says how many rows of each; by default only counts';

CREATE FUNCTION assay.offboard(policy text, keep_tables boolean DEFAULT false) RETURNS void LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o assay_internal.own_onboarding;
	-- what onboard() made is what it noted in the transaction that made it
	made text[] := array(SELECT s.step FROM assay.onboarding s WHERE s.policy = offboard.policy AND s.state = 'done');
	there boolean := EXISTS (SELECT FROM assay.policies p WHERE p.policy = offboard.policy);
	another boolean;
BEGIN
	IF keep_tables IS NULL THEN
		RAISE EXCEPTION 'keep_tables must be true or false' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT * INTO o FROM assay_internal.own_onboarding w WHERE w.policy = offboard.policy;
	IF NOT FOUND AND there THEN
		RAISE EXCEPTION 'policy "%" was not onboarded by a role of yours', policy USING ERRCODE = 'undefined_object',
			HINT = format('SELECT assay.drop_policy(%L); drops what create_policy() made.', policy);
	ELSIF NOT FOUND THEN
		o := assay_internal.onboarding_of(policy);
	END IF;
	-- what a row of another's names is not to be dropped by who may do more
	IF o.role <> (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user) THEN
		RAISE EXCEPTION 'policy "%" was onboarded by %', policy, o.role USING ERRCODE = 'insufficient_privilege', HINT = format('SET ROLE %s.', o.role);
	END IF;
	PERFORM assay_internal.lock_onboarding(policy);
	-- a policy of that name that somebody else made
	another := (SELECT NOT pg_has_role(p.owner, 'USAGE') FROM assay.policy p WHERE p.policy = offboard.policy);
	IF another THEN
		made := '{}';
	END IF;
	-- while it is known whose it is
	PERFORM assay_internal.keep_onboarding(o.policy, 'end', '{}');
	IF 'trigger' = ANY (made) AND EXISTS (SELECT FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid AND f.proname = 'decide' AND f.pronamespace = 'assay'::regnamespace
		WHERE t.tgrelid = to_regclass(o.messages) AND t.tgname = o.policy || '_decide')
	THEN
		EXECUTE format('DROP TRIGGER %I ON %s', o.policy || '_decide', o.messages::regclass);
	END IF;
	IF 'text model' = ANY (made) AND EXISTS (SELECT FROM assay.text_models m WHERE m.name = o.policy || '_words') THEN
		PERFORM assay.drop_text_model(o.policy || '_words');
	END IF;
	IF 'policy' = ANY (made) THEN
		IF there AND o.pack IS NOT NULL THEN
			EXECUTE format('SELECT %s($1, $2)', assay_internal.pack_function(o.pack, 'drop_{pack}_policy')) USING o.policy, NOT keep_tables;
		ELSIF there THEN
			PERFORM assay.drop_policy(o.policy, NOT keep_tables);
		END IF;
		IF o.tenant IS NOT NULL AND EXISTS (SELECT FROM assay.named_sets s WHERE s.set = o.policy || '.live') THEN
			PERFORM assay.drop_set(o.policy || '.live');
		END IF;
	END IF;
END $$;
COMMENT ON FUNCTION assay.offboard(text, boolean) IS
	'undoes onboard(): drops the trigger, policy, views, histories, lists, indexes and models that it made, and nothing else; decisions and labels stay with keep_tables';
