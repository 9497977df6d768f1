-- ---------------------------------------------------------------------------
-- report: is all well, and what is to be done from time to time
-- ---------------------------------------------------------------------------

-- tables

CREATE TABLE assay_internal.maintenance (
	role regrole NOT NULL,
	step text NOT NULL,
	object text NOT NULL,
	state text NOT NULL CHECK (state IN ('done', 'failed', 'skipped')),
	rows bigint,
	seconds float8 NOT NULL,
	note text,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	done_at timestamptz,
	PRIMARY KEY (role, step, object)
);
COMMENT ON TABLE assay_internal.maintenance IS 'what each step of maintain() last came to; not dumped';
COMMENT ON COLUMN assay_internal.maintenance.role IS 'who called maintain()';
COMMENT ON COLUMN assay_internal.maintenance.done_at IS 'when it last went well';
GRANT SELECT ON assay_internal.maintenance TO pg_database_owner;

CREATE VIEW assay.maintenance WITH (security_barrier) AS
	SELECT m.role, m.step, m.object, m.state, m.rows, m.seconds, m.note, m.at, m.done_at FROM assay_internal.maintenance m
	WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = m.role AND pg_catalog.pg_has_role(r.oid, 'USAGE'));
COMMENT ON VIEW assay.maintenance IS 'what each step of maintain() last came to, of those that roles of yours called';
GRANT SELECT ON assay.maintenance TO PUBLIC;

-- private functions

CREATE FUNCTION assay_internal.note_step(step text, object text, state text, rows bigint, seconds float8, note text) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_note_step' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.note_step(text, text, text, bigint, float8, text) IS 'keeps what a step of maintain() came to, as the current user''s';

CREATE FUNCTION assay_internal.lock_step(step text, object text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_lock_step' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.lock_step(text, text) IS 'locks a step of maintain() for the current role until the transaction ends; false: another session of the role has it';

CREATE FUNCTION assay_internal.forget_steps(steps text[]) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_forget_steps' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.forget_steps(text[]) IS 'forgets what steps of the current user''s came to, but for these: of things that are gone';

CREATE FUNCTION assay_internal.may_commit() RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_may_commit' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.may_commit() IS 'may the procedure that asks end its transaction?';

CREATE FUNCTION assay_internal.maintenance_steps(OUT step text, OUT object text) RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN RETURN QUERY
	SELECT 'baseline', b.baseline::text FROM assay_internal.baselines_in_order() WITH ORDINALITY b(baseline, n)
	UNION ALL SELECT 'text model', m.name FROM assay.text_models m
	UNION ALL SELECT 'rollup', r.policy FROM assay.rollups r WHERE assay_internal.may('owner', r.policy)
		AND NOT EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = 'assay_internal.decision_hour'::regclass)
	UNION ALL SELECT 'list', s.set FROM assay.named_sets s WHERE s.content = 'list'
	UNION ALL SELECT 'faults', p.policy FROM assay.policy p WHERE assay_internal.may('publisher', p.policy)
	UNION ALL SELECT 'partitions', t.policy FROM assay.partitioning t WHERE assay_internal.may('owner', t.policy)
	UNION ALL SELECT 'retention', r.policy FROM assay.retention r WHERE assay_internal.may('owner', r.policy)
	UNION ALL SELECT 'learning', o.policy FROM assay_internal.own_onboarding o JOIN assay.policy p ON p.policy = o.policy
	WHERE assay_internal.may('owner', o.policy) AND pg_has_role(o.role::oid, p.owner::name, 'USAGE')
		AND (o.tenant IS NOT NULL OR o.go_live = 'auto' AND o.live_at IS NULL);
END $$;
COMMENT ON FUNCTION assay_internal.maintenance_steps() IS 'what maintain() has to do for the caller, in order';

-- A role that was dropped is a number in lists and phrase sets, and nobody where a dump is
-- restored.  What it owned is the superuser's to give away.
CREATE FUNCTION assay_internal.forget_dropped_roles() RETURNS void LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	gone text[] := array(SELECT s.set FROM assay.named_sets s CROSS JOIN LATERAL unnest(s.owner || s.readers) u(role)
		WHERE u.role <> 0::oid AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = u.role));
BEGIN
	-- a privilege alone, as that of pg_write_all_data, writes nothing
	IF (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = 'assay_internal.onboarding'::regclass) THEN
		PERFORM assay_internal.forget_dropped_onboarders();
	END IF;
	-- who follows another server has its names
	IF cardinality(gone) = 0 OR assay_internal.is_following() THEN
		RETURN;
	END IF;
	UPDATE assay.named_sets s SET
		owner = coalesce((SELECT r.oid FROM pg_roles r WHERE r.oid = s.owner), (SELECT c.relowner FROM pg_class c WHERE c.oid = 'assay.named_set'::regclass)),
		readers = array(SELECT u.role FROM unnest(s.readers) WITH ORDINALITY u(role, n)
			WHERE u.role = 0::oid OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = u.role) ORDER BY u.n)
	WHERE s.set = ANY (gone);
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING 'roles that were dropped stay in lists and phrase sets: %', SQLERRM;
END $$;
COMMENT ON FUNCTION assay_internal.forget_dropped_roles() IS 'takes roles that were dropped out of the caller''s lists and phrase sets; those that they owned come to the extension''s owner';

-- A session that inserts while another drops the policy, or a version that kept faults of any name, leaves them.
CREATE FUNCTION assay_internal.forget_dropped_policies() RETURNS void LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = 'assay_internal.fault'::regclass) THEN
		DELETE FROM assay_internal.fault f WHERE f.at < now() - interval '1 day'
			AND NOT EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = f.policy);
	END IF;
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING 'faults of policies that are not there stay: %', SQLERRM;
END $$;
COMMENT ON FUNCTION assay_internal.forget_dropped_policies() IS 'deletes faults of policies that are not there: for who may act as the extension''s owner';

CREATE FUNCTION assay_internal.maintenance_step(step text, object text, faults interval, batch int) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n bigint;
BEGIN
	CASE step
		WHEN 'baseline' THEN
			SELECT r.changed INTO n FROM assay.refresh_baseline(object::regclass) r;
		WHEN 'text model' THEN
			n := assay.learn(object);
		WHEN 'rollup' THEN
			n := assay.refresh_rollup(object);
		WHEN 'list' THEN
			DELETE FROM assay.list l WHERE l.set = object AND l.expires_at <= now();
			GET DIAGNOSTICS n = ROW_COUNT;
			n := n + assay_internal.prune_list(object);
		WHEN 'faults' THEN
			DELETE FROM assay.fault f WHERE f.policy = object AND f.at < now() - faults;
			GET DIAGNOSTICS n = ROW_COUNT;
			-- faults go though the decision table, which has to be asked here, is what is broken
			BEGIN
				n := n + assay_internal.drop_reused_keys(object, now() - faults);
			EXCEPTION WHEN OTHERS THEN
				RAISE WARNING 'keys of policy "%" that came again stay: %', object, SQLERRM;
			END;
		-- ten thousand rows move in some tenths of a second
		WHEN 'partitions' THEN
			n := assay_internal.make_next_part(object, batch::bigint * 10);
		WHEN 'retention' THEN
			n := assay_internal.apply_retention(object, batch);
		WHEN 'learning' THEN
			n := assay_internal.as_policy_owner(object, 'keep', '{}')::bigint;
	END CASE;
	RETURN n;
END $$;
COMMENT ON FUNCTION assay_internal.maintenance_step(text, text, interval, int) IS 'does one step of maintain(), and says how much that was';

CREATE FUNCTION assay_internal.try_step(step text, object text, faults interval, batch int) RETURNS boolean LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	began timestamptz := clock_timestamp();
	n bigint;
BEGIN
	-- one at a time: who calls at the same time leaves it to the other
	IF NOT assay_internal.lock_step(step, object) THEN
		PERFORM assay_internal.note_step(step, object, 'skipped', NULL, 0, 'another session is at it');
		RETURN false;
	END IF;
	BEGIN
		n := assay_internal.maintenance_step(step, object, faults, batch);
	EXCEPTION WHEN OTHERS THEN
		PERFORM assay_internal.note_step(step, object, 'failed', NULL, extract(epoch FROM clock_timestamp() - began), format('%s (SQLSTATE %s)', SQLERRM, SQLSTATE));
		RAISE WARNING 'maintenance of % "%" failed: %', step, object, SQLERRM;
		RETURN false;
	END;
	PERFORM assay_internal.note_step(step, object, 'done', n, extract(epoch FROM clock_timestamp() - began), NULL);
	RETURN step = 'retention' AND n >= batch OR step = 'partitions' AND n > 0;
END $$;
COMMENT ON FUNCTION assay_internal.try_step(text, text, interval, int) IS 'one step of maintain(), and a row about it, whether it fails or not; true: there is more to do';

CREATE FUNCTION assay_internal.policy_health(policy text, OUT "check" text, OUT severity text, OUT detail text, OUT hint text) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 20
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		WITH c AS MATERIALIZED (SELECT * FROM assay.check(policy_health.policy))
		SELECT coalesce(k.name, w."check"), coalesce(w.severity, 'ok'), w.detail, w.hint
		FROM unnest('{decision table,label table,signals view,owner,trigger,condition,faults,undecided,revision,subscriber,partitions,outbox,retention,odd rows}'::text[]) k(name)
		FULL JOIN (SELECT c."check", (array_agg(c.severity ORDER BY array_position('{error,warning,info}', c.severity)))[1] AS severity,
				string_agg(c.detail, '; ') AS detail, (array_agg(c.hint ORDER BY array_position('{error,warning,info}', c.severity)))[1] AS hint
			FROM c WHERE c."check" <> 'baseline' GROUP BY c."check") w ON w."check" = k.name;
EXCEPTION WHEN OTHERS THEN
	RETURN QUERY SELECT 'check', 'error', format('it cannot be checked: %s', SQLERRM), NULL::text;
END $$;
COMMENT ON FUNCTION assay_internal.policy_health(text) IS 'check() as one row a check, those that are well among them';

CREATE FUNCTION assay_internal.health_of_each(p assay.policy, OUT "check" text, OUT severity text, OUT detail text, OUT hint text) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 20
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	its_hint text;
BEGIN
	-- of what came from another server and is not in force, nothing is read
	IF assay_internal.is_his_own(p) OR EXISTS (SELECT FROM assay.followed f WHERE f.kind = 'policy' AND f.name = p.policy AND NOT f.in_force) THEN
		RETURN QUERY SELECT h.* FROM assay_internal.policy_health(p.policy) h;
	ELSIF assay_internal.may('owner', p.policy) OR assay_internal.nothing_hidden(p) THEN
		RETURN QUERY SELECT h.* FROM assay_internal.told_by_owner(p.policy, 'health') j, jsonb_to_record(j) h("check" text, severity text, detail text, hint text);
	ELSE
		RETURN QUERY SELECT 'check', 'warning', 'it is another''s, and hides some of its rows from you: it is not looked at here',
			format('SELECT * FROM assay.check(%L) looks at it with your rights.', p.policy);
	END IF;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS its_hint = PG_EXCEPTION_HINT;
	RETURN QUERY SELECT 'check', 'error', format('it cannot be checked: %s', SQLERRM), nullif(its_hint, '');
END $$;
COMMENT ON FUNCTION assay_internal.health_of_each(assay.policy) IS 'the same of one of all policies, with the rights of the caller only where it is his own';

CREATE FUNCTION assay_internal.health() RETURNS TABLE (kind text, object text, "check" text, severity text, detail text, hint text) LANGUAGE plpgsql STABLE ROWS 50
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN RETURN QUERY
	SELECT 'policy', p.policy, h."check", h.severity, h.detail, h.hint FROM assay.policy p, assay_internal.health_of_each(p) h
	UNION ALL
	SELECT 'policy', t.policy, 'policy', 'error', format('there is none of that name, by which triggers on %s decide: messages stay undecided', t.tables),
		'Where a restore left out what the extension keeps, restore that, and backfill() decides them; or drop the trigger.'
	FROM assay_internal.triggers_without_policy() t
	UNION ALL
	SELECT 'baseline', b.relation::regclass::text, 'age', CASE WHEN e.emptied THEN 'error' WHEN coalesce(b.as_of, '-infinity') < now() - interval '2 days' THEN 'warning' ELSE 'ok' END,
		CASE WHEN NOT c.relispopulated THEN 'it was restored without its rows: who reads it fails' WHEN e.emptied THEN 'it was restored without its rows: who reads it finds none'
			ELSE format('as of %s', coalesce(b.as_of::text, 'never')) END,
		format(CASE WHEN e.emptied AND b.incremental THEN 'SELECT assay.rebuild_baseline(%L);' ELSE 'SELECT assay.refresh_baseline(%L), or CALL assay.maintain(), daily.' END, b.relation::regclass)
	-- not of the views of these, which tell sizes: those wait for who keeps others out of a table of his
	FROM assay.baseline b JOIN pg_class c ON c.oid = b.relation AND pg_has_role(c.relowner, 'USAGE')
	CROSS JOIN LATERAL assay_internal.baseline_emptied(b.relation, b.rows) e(emptied)
	UNION ALL
	SELECT 'baseline', l.baseline, 'tables', 'error', format('missing, as where a dump left it out, or dropped: %s', l.lacks), l.hint FROM assay_internal.baselines_lacking() l
	UNION ALL
	SELECT 'text model', m.name, 'age', CASE WHEN e.emptied THEN 'error' WHEN coalesce(m.learned_until, '-infinity') < now() - m.delay - interval '2 days' THEN 'warning' ELSE 'ok' END,
		CASE WHEN e.emptied THEN 'its versions were restored without their rows: detectors that ask it add nothing' ELSE format('learned until %s', coalesce(m.learned_until::text, 'never')) END,
		CASE WHEN e.emptied THEN format('Restore them; or DELETE FROM %s, and SELECT assay.learn(%L), which learns all anew.', m.counted, m.name)
			ELSE format('SELECT assay.learn(%L), or CALL assay.maintain(), daily.', m.name) END
	FROM assay.text_model_registry m JOIN pg_class c ON c.oid = m.relation AND pg_has_role(c.relowner, 'USAGE')
	CROSS JOIN LATERAL (SELECT m.since IS NOT NULL AND c.relkind = 'r' AND assay_internal.has_no_blocks(c.oid)) e(emptied)
	UNION ALL
	SELECT 'text model', r.name, 'tables', 'error', 'missing, as where a dump left it out, or dropped: its table of versions',
		format('Restore it, and a superuser does UPDATE assay.text_model_registry SET relation = ... WHERE name = %L; or deletes that row.', r.name)
	FROM assay.text_model_registry r WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = r.relation)
		AND (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = 'assay.text_model_registry'::regclass)
	UNION ALL
	SELECT 'rollup', r.policy, 'age', CASE WHEN r.refreshed_at >= now() - interval '1 day' THEN 'ok' ELSE 'warning' END,
		format('as of %s', coalesce(r.refreshed_at::text, 'the dump that was restored')), format('SELECT assay.refresh_rollup(%L), or CALL assay.maintain(), hourly.', r.policy)
	FROM assay.rollups r
	UNION ALL
	SELECT 'list', l.set, 'expired', 'warning', format('%s %s expired more than two days ago', count(*), CASE WHEN count(*) = 1 THEN 'value has' ELSE 'values have' END),
		'CALL assay.maintain(), daily, removes them.'
	FROM assay.list l WHERE l.expires_at < now() - interval '2 days' GROUP BY l.set
	UNION ALL
	SELECT CASE s.content WHEN 'list' THEN 'list' ELSE 'phrase set' END, s.set, 'roles', 'warning',
		concat_ws('; ', CASE WHEN o.gone THEN 'its owner was dropped, or is missing where it was restored: it is a superuser''s to give away' END,
			CASE WHEN r.gone > 0 THEN format('readers that were dropped, or are missing where it was restored: %s', r.gone) END),
		format('SELECT assay.alter_set(%L, owner => ...) and assay.grant_set(%1$L, ...); CALL assay.maintain() by a superuser gives it to the extension''s owner, and forgets such readers.', s.set)
	FROM assay.named_sets s
	CROSS JOIN LATERAL (SELECT NOT EXISTS (SELECT FROM pg_roles p WHERE p.oid = s.owner) AS gone) o
	CROSS JOIN LATERAL (SELECT count(*) AS gone FROM unnest(s.readers) u(role) WHERE u.role <> 0::oid AND NOT EXISTS (SELECT FROM pg_roles p WHERE p.oid = u.role)) r
	WHERE o.gone OR r.gone > 0
	UNION ALL
	-- what its script wrote is of one transaction
	SELECT CASE s.content WHEN 'list' THEN 'list' ELSE 'phrase set' END, s.set, 'changed', 'info',
		format('it is of extension %s, and was changed by hand: dumps leave it out, and a restore loses the change', s.extension),
		'Write such values to a set of your own: a restore brings what the extension has.'
	FROM assay.named_sets s WHERE s.state > 1 AND s.extension IN (SELECT x.extname FROM pg_extension x)
	UNION ALL
	SELECT 'backfill', b.policy, 'interrupted', 'warning', format('backfill of revision %s was interrupted after %s messages', b.revision, b.decided),
		'Call it again with the same arguments.'
	FROM (SELECT DISTINCT ON (b.policy) b.* FROM assay.backfill_progress b ORDER BY b.policy, b.started_at DESC) b WHERE b.state = 'interrupted'
	UNION ALL
	-- a restore that failed before there was any policy, whose check() would tell: who may mend it hears
	SELECT 'extension', 'pg_assay', e."check", e.severity, e.detail, e.hint FROM assay_internal.check_enabled() e
	WHERE NOT EXISTS (SELECT FROM assay.policies) AND (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = 'assay.text_model_registry'::regclass)
	UNION ALL
	SELECT 'onboarding', o.policy, 'steps', o.severity, o.detail, o.hint FROM assay_internal.onboarding_health() o
	UNION ALL
	SELECT 'maintenance', m.step || ' ' || m.object, 'last run', CASE WHEN m.state = 'failed' THEN 'error'
			WHEN coalesce(m.done_at, '-infinity') < now() - interval '2 days' THEN 'warning' ELSE 'ok' END,
		concat_ws(', ', m.state || ' at ' || m.at, m.note), 'CALL assay.maintain() does it again.'
	FROM assay.maintenance m
	UNION ALL
	SELECT 'replication', s.slot_name, 'slot', CASE WHEN s.wal_status = 'lost' THEN 'error'
			WHEN NOT s.active OR pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, coalesce(s.confirmed_flush_lsn, s.restart_lsn)) > 64 * 1024 * 1024 THEN 'warning' ELSE 'ok' END,
		format('%s, %s behind', CASE WHEN s.active THEN 'read' ELSE 'not read' END,
			coalesce(pg_size_pretty(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, coalesce(s.confirmed_flush_lsn, s.restart_lsn))), 'all')),
		'Mend what reads it, or pg_drop_replication_slot() drops it; the server keeps its log until then.'
	FROM pg_replication_slots s WHERE NOT s.temporary AND coalesce(s.database, current_database()) = current_database();
END $$;
COMMENT ON FUNCTION assay_internal.health() IS 'what the view assay.health shows';

-- views

CREATE VIEW assay.health AS
	SELECT h.kind, h.object, h."check", h.severity, h.detail, h.hint FROM assay_internal.health() h
	ORDER BY pg_catalog.array_position('{error,warning,info,ok}'::text[], h.severity), h.kind COLLATE "C", h.object COLLATE "C", h."check" COLLATE "C";
COMMENT ON VIEW assay.health IS
	'one row a check, the worst first: check() of all policies that you may read, age of baselines, text models and rollups, backfills, onboarding, maintenance, replication; ok, info, warning or error';
GRANT SELECT ON assay.health TO PUBLIC;

-- procedures

-- It commits, and so can't carry SET: what it calls does, and all that it names is qualified.
CREATE PROCEDURE assay.maintain(faults interval DEFAULT '30 days', batch int DEFAULT 10000) LANGUAGE plpgsql AS $$
DECLARE
	steps pg_catalog.text[];
	i int := 1;
	more boolean;
BEGIN
	IF NOT assay_internal.may_commit() THEN
		RAISE EXCEPTION 'maintain() commits each step, and cannot run inside a transaction' USING ERRCODE = 'invalid_transaction_termination',
			HINT = 'CALL it by itself, outside of BEGIN ... COMMIT, of functions, and of blocks that catch errors.';
	END IF;
	IF faults IS NULL OR batch IS NULL OR NOT batch OPERATOR(pg_catalog.>=) 1 OR NOT faults OPERATOR(pg_catalog.>=) pg_catalog.make_interval() THEN
		RAISE EXCEPTION 'faults must be a time, and batch a positive number' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	steps := ARRAY(SELECT ARRAY[s.step, s.object] FROM assay_internal.maintenance_steps() s);
	PERFORM assay_internal.forget_steps(ARRAY(SELECT pg_catalog.concat_ws(' ', s.step, s.object) FROM assay_internal.maintenance_steps() s));
	PERFORM assay_internal.forget_dropped_roles();
	PERFORM assay_internal.forget_dropped_policies();
	COMMIT;
	WHILE i OPERATOR(pg_catalog.<=) coalesce(pg_catalog.array_length(steps, 1), 0) LOOP
		more := assay_internal.try_step(steps[i][1], steps[i][2], faults, batch);
		-- what is done stays done
		COMMIT;
		IF NOT more THEN
			i := i OPERATOR(pg_catalog.+) 1;
		END IF;
	END LOOP;
END $$;
COMMENT ON PROCEDURE assay.maintain(interval, int) IS
	'does all that is to be done from time to time with what is yours: refreshes baselines in order, text models, rollups; removes what expired in lists, faults older than that, what retention lets go; commits each step, and keeps on when one fails: the view assay.maintenance has the results';
