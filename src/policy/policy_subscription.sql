-- ---------------------------------------------------------------------------
-- policy: following the policies of another server
--
-- What policy_publication.sql publishes is applied to the same tables here.  The
-- names of a policy wait in published_policy until its owner, view and tables are
-- there and the first copy is complete; only then it comes into assay_internal.policy,
-- from which messages are decided.  Until then they are stored and stay undecided.
--
-- Nothing here may stop the worker that applies: what fails is logged, and waits.
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.is_following() RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = 'assay_internal.published_policy'::regclass)
$$;
COMMENT ON FUNCTION assay_internal.is_following() IS 'does this database get its policies from another server?';

-- Part of a policy decides wrongly: all tables must have come.
CREATE FUNCTION assay_internal.first_copy_is_done() RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT count(*) FILTER (WHERE r.srsubstate IN ('s', 'r')) = (SELECT count(*) FROM assay_internal.published_tables())
	FROM pg_subscription_rel r WHERE r.srrelid IN (SELECT t::regclass FROM assay_internal.published_tables() t)
$$;
COMMENT ON FUNCTION assay_internal.first_copy_is_done() IS 'have all tables come in which policies travel?';

CREATE FUNCTION assay_internal.policy_waits_for(owner text, signals text, decision text, label text, access text) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	missing text;
	r record;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles o WHERE o.rolname = owner) THEN
		missing := format('role %I', owner);
	END IF;
	FOR r IN SELECT u.what, u.name, c.relowner FROM (VALUES (1, 'view', signals), (2, 'table', decision), (3, 'table', label), (4, 'view', access)) u(n, what, name)
		LEFT JOIN pg_class c ON c.oid = to_regclass(u.name) WHERE u.name IS NOT NULL ORDER BY u.n
	LOOP
		IF r.relowner IS NULL THEN
			missing := concat_ws(', ', missing, format('%s %s', r.what, r.name));
		ELSIF pg_get_userbyid(r.relowner) <> owner THEN
			missing := concat_ws(', ', missing, format('%s %s to belong to %I', r.what, r.name, owner));
		END IF;
	END LOOP;
	IF NOT assay_internal.first_copy_is_done() THEN
		missing := concat_ws(', ', missing, 'the end of the first copy');
	END IF;
	RETURN missing;
END $$;
COMMENT ON FUNCTION assay_internal.policy_waits_for(text, text, text, text, text) IS 'what is missing here of what a published policy names; NULL: nothing';

CREATE FUNCTION assay_internal.set_waits_for(owner text, readers text[]) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(format('role %I', u.name), ', ' ORDER BY u.name) FROM (SELECT $1 UNION SELECT unnest($2)) u(name)
	WHERE u.name <> 'public' AND NOT EXISTS (SELECT FROM pg_roles o WHERE o.rolname = u.name)
$$;
COMMENT ON FUNCTION assay_internal.set_waits_for(text, text[]) IS 'roles of a published set that are missing here; NULL: none';

-- Makes the tables and views of a published policy, where they have the names that
-- create_policy() gives and the signals view is there.
CREATE FUNCTION assay_internal.make_followed_tables(n assay_internal.published_policy) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	schema name := (parse_ident(n.decision))[1];
	view regclass := to_regclass(n.signals);
	owner text := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = view);
BEGIN
	IF owner IS DISTINCT FROM n.owner OR coalesce(to_regclass(n.decision), to_regclass(n.label), to_regclass(n.access)) IS NOT NULL
		OR (n.decision, n.label, n.access) IS DISTINCT FROM (format('%I.%I', schema, n.policy || '_decision'), format('%I.%I', schema, n.policy || '_label'),
			format('%I.%I', schema, n.policy || '_policy')) THEN
		RETURN;
	END IF;
	PERFORM assay_internal.check_signals(view), assay_internal.check_key(view, n.key);
	PERFORM assay_internal.policy_tables(n.policy, schema, view, n.key, false, NULL);
END $$;
COMMENT ON FUNCTION assay_internal.make_followed_tables(assay_internal.published_policy) IS 'makes the tables of a policy that came from another server, where only they are missing';

-- Puts a policy into force, or brings it to what its publisher's is.
CREATE FUNCTION assay_internal.take_policy(policy text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n assay_internal.published_policy;
	is_new boolean := NOT EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = take_policy.policy);
BEGIN
	SELECT * INTO n FROM assay_internal.published_policy t WHERE t.policy = take_policy.policy;
	IF NOT FOUND OR assay_internal.policy_waits_for(n.owner, n.signals, n.decision, n.label, n.access) IS NOT NULL
		OR NOT EXISTS (SELECT FROM assay_internal.revision r WHERE r.policy = n.policy) THEN
		RETURN;
	END IF;
	PERFORM assay_internal.check_policy_relations(n.decision::regclass, n.label::regclass, n.access::regclass, n.signals::regclass);
	INSERT INTO assay_internal.policy AS t (policy, signals, signals_view, key, decision, label, access, created_at)
	VALUES (n.policy, n.signals, n.signals::regclass, n.key, n.decision::regclass, n.label::regclass, n.access::regclass, n.created_at)
	ON CONFLICT ON CONSTRAINT policy_pkey DO UPDATE SET signals = excluded.signals, signals_view = excluded.signals_view, key = excluded.key, decision = excluded.decision,
		label = excluded.label, access = excluded.access, created_at = excluded.created_at
	WHERE t.* IS DISTINCT FROM excluded.*;
	IF is_new THEN
		PERFORM assay_internal.take_label_rule(n.policy);
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.take_policy(text) IS 'puts a published policy into force when all is there that it names';

CREATE FUNCTION assay_internal.take_label_rule(policy text) RETURNS void LANGUAGE sql
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.replace_label_view(p, r.label_order) FROM assay.policy p JOIN assay_internal.label_rule r ON r.policy = p.policy WHERE p.policy = $1
$$;
COMMENT ON FUNCTION assay_internal.take_label_rule(text) IS 'gives a policy''s view of labels the order that came';

CREATE FUNCTION assay_internal.leave_policy(policy text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM assay_internal.policy t WHERE t.policy = $1;
	DELETE FROM assay_internal.fault t WHERE t.policy = $1;
	DELETE FROM assay_internal.reused_key t WHERE t.policy = $1;
	DELETE FROM assay_internal.backfill_run t WHERE t.policy = $1;
	DELETE FROM assay_internal.rollup t WHERE t.policy = $1;
	DELETE FROM assay_internal.decision_hour t WHERE t.policy = $1;
	DELETE FROM assay_internal.decision_day t WHERE t.policy = $1;
	PERFORM assay_internal.forget_stats($1);
END $$;
COMMENT ON FUNCTION assay_internal.leave_policy(text) IS 'deletes a policy that its publisher dropped, with what this server alone knows of it';

CREATE FUNCTION assay_internal.take_set(set text) RETURNS void LANGUAGE sql
	SET search_path = pg_catalog, pg_temp AS $$
	UPDATE assay.named_set s SET owner = o.oid, readers = r.readers
	FROM assay_internal.published_set n JOIN pg_roles o ON o.rolname = n.owner CROSS JOIN LATERAL (
		SELECT array(SELECT coalesce(p.oid, 0::oid) FROM unnest(n.readers) WITH ORDINALITY u(name, i) LEFT JOIN pg_roles p ON p.rolname = u.name
			WHERE u.name = 'public' OR p.oid IS NOT NULL ORDER BY u.i) AS readers) r
	WHERE n.set = $1 AND s.set = $1 AND (s.owner::oid, s.readers::oid[]) IS DISTINCT FROM (o.oid, r.readers)
$$;
COMMENT ON FUNCTION assay_internal.take_set(text) IS 'gives a set that came its owner and readers, as far as they are roles here';

-- Runs in the worker that applies: what it can't do now, settle_policies() does.
CREATE FUNCTION assay_internal.follow_published() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- pg_restore --disable-triggers leaves a trigger for replicas enabled for all
	IF current_setting('session_replication_role') <> 'replica' THEN
		RETURN NULL;
	END IF;
	CASE TG_TABLE_NAME
		WHEN 'published_policy' THEN
			IF TG_OP = 'DELETE' THEN
				PERFORM assay_internal.leave_policy(OLD.policy);
			ELSE
				PERFORM assay_internal.take_policy(NEW.policy);
			END IF;
		WHEN 'revision' THEN
			IF NOT EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = NEW.policy) THEN
				PERFORM assay_internal.take_policy(NEW.policy);
			END IF;
		WHEN 'label_rule' THEN
			PERFORM assay_internal.take_label_rule(NEW.policy);
		ELSE
			PERFORM assay_internal.take_set(NEW.set);
	END CASE;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RAISE LOG 'what came of % waits: %', TG_RELID::regclass, SQLERRM;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.follow_published() IS 'takes what a publisher''s names mean here, where rows come by replication';

CREATE TRIGGER follow AFTER INSERT OR UPDATE OR DELETE ON assay_internal.published_policy FOR EACH ROW EXECUTE FUNCTION assay_internal.follow_published();
CREATE TRIGGER follow AFTER INSERT ON assay_internal.revision FOR EACH ROW EXECUTE FUNCTION assay_internal.follow_published();
CREATE TRIGGER follow AFTER INSERT OR UPDATE ON assay_internal.label_rule FOR EACH ROW EXECUTE FUNCTION assay_internal.follow_published();
CREATE TRIGGER follow AFTER INSERT OR UPDATE ON assay_internal.published_set FOR EACH ROW EXECUTE FUNCTION assay_internal.follow_published();
CREATE TRIGGER follow AFTER INSERT ON assay.named_set FOR EACH ROW EXECUTE FUNCTION assay_internal.follow_published();
ALTER TABLE assay_internal.published_policy ENABLE REPLICA TRIGGER follow;
ALTER TABLE assay_internal.revision ENABLE REPLICA TRIGGER follow;
ALTER TABLE assay_internal.label_rule ENABLE REPLICA TRIGGER follow;
ALTER TABLE assay_internal.published_set ENABLE REPLICA TRIGGER follow;
ALTER TABLE assay.named_set ENABLE REPLICA TRIGGER follow;

-- A row of one's own would stop the worker when the publisher's of the same key comes.
CREATE FUNCTION assay_internal.refuse_own() RETURNS trigger LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF assay_internal.is_following() THEN
		RAISE EXCEPTION 'this database follows the policies of another server' USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Change policies, lists and phrases there; assay.unfollow_policies() makes those here its own.';
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.refuse_own() IS 'error where what is to be changed comes from another server';
CREATE TRIGGER followed BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.policy FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.refuse_own();
CREATE TRIGGER followed BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.revision FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.refuse_own();
CREATE TRIGGER followed BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.label_rule FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.refuse_own();
CREATE TRIGGER followed BEFORE INSERT OR UPDATE OR DELETE ON assay.named_set FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.refuse_own();

-- learn() of a model whose versions come from elsewhere
CREATE FUNCTION assay_internal.refuse_learning() RETURNS trigger LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = OLD.relation) THEN
		RAISE EXCEPTION 'text model "%" comes from another server', OLD.name USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'It learns there.';
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION assay_internal.refuse_learning() IS 'error where a text model''s versions come from another server';
CREATE TRIGGER followed BEFORE UPDATE ON assay.text_model_registry FOR EACH ROW EXECUTE FUNCTION assay_internal.refuse_learning();

-- views

CREATE VIEW assay.followed WITH (security_barrier) AS
	SELECT 'policy' AS kind, n.policy AS name, n.owner, EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = n.policy) AS in_force,
		assay_internal.policy_waits_for(n.owner, n.signals, n.decision, n.label, n.access) AS waits_for
	FROM assay_internal.published_policy n
	WHERE assay_internal.is_following() AND (pg_catalog.has_table_privilege('assay_internal.published_policy', 'SELECT')
		OR EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.rolname = n.owner AND pg_catalog.pg_has_role(o.oid, 'USAGE')))
	UNION ALL
	SELECT s.content, n.set, n.owner, pg_catalog.pg_get_userbyid(s.owner) = n.owner, assay_internal.set_waits_for(n.owner, n.readers)
	FROM assay_internal.published_set n JOIN assay.named_set s ON s.set = n.set
	WHERE assay_internal.is_following() AND (pg_catalog.has_table_privilege('assay_internal.published_set', 'SELECT')
		OR EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.rolname = n.owner AND pg_catalog.pg_has_role(o.oid, 'USAGE')));
COMMENT ON VIEW assay.followed IS 'policies, lists and phrase sets of yours that come from another server, and what they wait for here';
COMMENT ON COLUMN assay.followed.in_force IS 'is it used here? A policy decides messages, a set has its owner and readers';
COMMENT ON COLUMN assay.followed.waits_for IS 'what is missing here; NULL: nothing';
GRANT SELECT ON assay.followed TO PUBLIC;

CREATE VIEW assay.policy_subscription WITH (security_invoker) AS
	SELECT s.subname AS subscription, s.subenabled AS enabled, w.pid IS NOT NULL AS running, a.backend_start AS started_at, r.copying,
		w.received_lsn, w.last_msg_receipt_time AS heard_at, w.latest_end_time AS up_to_date_at, e.apply_error_count + e.sync_error_count AS errors
	FROM pg_catalog.pg_subscription s
	JOIN LATERAL (SELECT pg_catalog.count(*) FILTER (WHERE t.srsubstate NOT IN ('s', 'r')) AS copying FROM pg_catalog.pg_subscription_rel t
		WHERE t.srsubid = s.oid HAVING pg_catalog.bool_or(t.srrelid = 'assay_internal.published_policy'::pg_catalog.regclass
			OR t.srrelid IN (SELECT m.relation FROM assay.text_model_registry m))) r ON true
	LEFT JOIN LATERAL (SELECT x.* FROM pg_catalog.pg_stat_subscription x WHERE x.subid = s.oid AND x.relid IS NULL
		ORDER BY x.latest_end_time DESC NULLS LAST LIMIT 1) w ON true
	LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = w.pid
	LEFT JOIN pg_catalog.pg_stat_subscription_stats e ON e.subid = s.oid;
COMMENT ON VIEW assay.policy_subscription IS 'subscriptions in which policies, lists and text models come, and how they do';
COMMENT ON COLUMN assay.policy_subscription.started_at IS 'since when the worker runs, for who may see it: after an error it starts again';
COMMENT ON COLUMN assay.policy_subscription.copying IS 'tables whose first copy is not complete';
COMMENT ON COLUMN assay.policy_subscription.heard_at IS 'when the publisher was last heard of';
COMMENT ON COLUMN assay.policy_subscription.up_to_date_at IS 'time of the publisher''s at which everything up to then had come';
COMMENT ON COLUMN assay.policy_subscription.errors IS 'times that the workers stopped with an error; the server''s log has them';
GRANT SELECT ON assay.policy_subscription TO PUBLIC;

-- For assay.check()
CREATE FUNCTION assay_internal.check_following(policy text, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN f.in_force THEN 'warning' ELSE 'error' END, 'following', format('it waits for %s%s', coalesce(f.waits_for, 'nothing any more'),
		CASE WHEN f.in_force THEN ': what it was before is in force' ELSE ': messages stay undecided' END),
		format('SELECT * FROM assay.settle_policies(); CALL assay.backfill(%L) decides the messages.', $1)
	FROM assay.followed f WHERE f.kind = 'policy' AND f.name = $1 AND (f.waits_for IS NOT NULL OR NOT f.in_force)
	UNION ALL
	SELECT CASE WHEN s.enabled AND s.running THEN 'warning' ELSE 'error' END, 'following', format('subscription %s %s', s.subscription,
		CASE WHEN NOT s.enabled THEN 'is disabled: changes do not come'
			WHEN NOT s.running THEN format('does not run, after %s errors: changes do not come', coalesce(s.errors, 0))
			WHEN s.copying > 0 THEN format('has still to copy tables: %s, after %s errors', s.copying, coalesce(s.errors, 0))
			WHEN s.errors > 0 AND s.started_at > now() - interval '1 minute' THEN format('began again within a minute, after %s errors', s.errors)
			ELSE format('has heard nothing since %s', s.heard_at) END),
		CASE WHEN NOT s.enabled THEN format('ALTER SUBSCRIPTION %I ENABLE;', s.subscription) ELSE 'The server''s log tells why; the view assay.policy_subscription has more.' END
	FROM assay.policy_subscription s
	WHERE NOT s.enabled OR NOT s.running OR s.copying > 0 OR s.errors > 0 AND s.started_at > now() - interval '1 minute'
		OR s.heard_at < now() - interval '2 minutes'
$$;
COMMENT ON FUNCTION assay_internal.check_following(text) IS 'do changes of a policy come from the server that this one follows?';

-- functions

CREATE FUNCTION assay.settle_policies(OUT kind text, OUT name text, OUT waits_for text) RETURNS SETOF record LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp SET session_replication_role = replica AS $$
DECLARE
	n assay_internal.published_policy;
BEGIN
	IF NOT assay_internal.is_following() THEN
		RAISE EXCEPTION 'this database follows no other server''s policies' USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'CALL assay.follow_policies(...) begins it.';
	END IF;
	FOR n IN SELECT * FROM assay_internal.published_policy t ORDER BY t.policy COLLATE "C" LOOP
		BEGIN
			PERFORM assay_internal.make_followed_tables(n);
			PERFORM assay_internal.take_policy(n.policy);
		EXCEPTION WHEN OTHERS THEN
			RAISE WARNING 'policy "%" waits: %', n.policy, SQLERRM;
		END;
	END LOOP;
	PERFORM assay_internal.take_set(s.set) FROM assay_internal.published_set s;
	RETURN QUERY SELECT f.kind, f.name, coalesce(f.waits_for, 'an error: see the warning') FROM assay.followed f
		WHERE f.waits_for IS NOT NULL OR NOT f.in_force ORDER BY 1, f.name COLLATE "C";
END $$;
COMMENT ON FUNCTION assay.settle_policies() IS
	'on a server that follows: makes the tables of policies whose view is there, puts into force what can be, and returns what still waits';

CREATE FUNCTION assay_internal.start_following(conninfo text, slot text, subscription text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t text;
	filled boolean;
BEGIN
	IF conninfo IS NULL OR slot IS NULL OR subscription IS NULL THEN
		RAISE EXCEPTION 'following policies takes a connection, a slot and the name of a subscription' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	FOR t IN SELECT u FROM unnest('{assay_internal.policy}'::text[]) u UNION ALL SELECT * FROM assay_internal.published_tables() LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM %s)', t) INTO filled;
		IF filled THEN
			RAISE EXCEPTION 'this database has policies, lists or phrases already' USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = format('Table %s has rows, and another server''s of the same key would stop the replication.', t),
				HINT = 'Drop them, or while they are followed: assay.unfollow_policies(forget => true).';
		END IF;
	END LOOP;
	PERFORM assay_internal.enable_triggers();
	EXECUTE format('CREATE SUBSCRIPTION %I CONNECTION %L PUBLICATION assay_policies WITH (create_slot = false, slot_name = %L)', subscription, conninfo, slot);
END $$;
COMMENT ON FUNCTION assay_internal.start_following(text, text, text) IS 'subscribes to another server''s policies, unless there are some already';

CREATE PROCEDURE assay.follow_policies(conninfo text, slot text, subscription text DEFAULT 'assay_policies', patience interval DEFAULT '1 minute')
	LANGUAGE plpgsql AS $$
DECLARE
	until pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) patience;
	waiting pg_catalog.text;
BEGIN
	IF patience IS NULL THEN
		RAISE EXCEPTION 'patience must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM assay_internal.start_following(conninfo, slot, subscription);
	COMMIT;
	WHILE NOT assay_internal.first_copy_is_done() AND pg_catalog.clock_timestamp() OPERATOR(pg_catalog.<) until LOOP
		PERFORM pg_catalog.pg_sleep(0.1);
		COMMIT;
	END LOOP;
	FOR waiting IN SELECT pg_catalog.format('%s "%s" waits for %s', s.kind, s.name, s.waits_for) FROM assay.settle_policies() s LOOP
		RAISE WARNING '%', waiting USING HINT = 'When it is there: SELECT * FROM assay.settle_policies();';
	END LOOP;
	IF NOT assay_internal.first_copy_is_done() THEN
		RAISE WARNING 'the first copy is not complete' USING
			HINT = 'The view assay.policy_subscription tells how it goes; when it is: SELECT * FROM assay.settle_policies();';
	END IF;
END $$;
COMMENT ON PROCEDURE assay.follow_policies(text, text, text, interval) IS
	'follows the policies, lists and phrases of another server, by a replication slot that was made there, and waits for the first copy';

CREATE FUNCTION assay.unfollow_policies(forget boolean DEFAULT false) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp SET session_replication_role = replica AS $$
DECLARE
	s record;
	t text;
BEGIN
	IF forget IS NULL THEN
		RAISE EXCEPTION 'forget must be true or false' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF NOT assay_internal.is_following() THEN
		RAISE EXCEPTION 'this database follows no other server''s policies' USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	FOR s IN SELECT q.subname, q.subslotname FROM pg_subscription q JOIN pg_subscription_rel r ON r.srsubid = q.oid
		WHERE r.srrelid = 'assay_internal.published_policy'::regclass LOOP
		EXECUTE format('ALTER SUBSCRIPTION %I DISABLE', s.subname);
		EXECUTE format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', s.subname);
		EXECUTE format('DROP SUBSCRIPTION %I', s.subname);
		RAISE NOTICE 'replication slot "%" is still there at the publisher', s.subslotname
			USING HINT = format('SELECT pg_drop_replication_slot(%L); there, or its log grows.', s.subslotname);
	END LOOP;
	IF forget THEN
		PERFORM assay_internal.leave_policy(n.policy) FROM (SELECT p.policy FROM assay_internal.published_policy p) n;
		DELETE FROM assay_internal.revision r USING assay_internal.published_policy n WHERE r.policy = n.policy;
		DELETE FROM assay_internal.detector_model r USING assay_internal.published_policy n WHERE r.policy = n.policy;
		DELETE FROM assay_internal.detector r USING assay_internal.published_policy n WHERE r.policy = n.policy;
		DELETE FROM assay_internal.guard r USING assay_internal.published_policy n WHERE r.policy = n.policy;
		DELETE FROM assay_internal.exclusion r USING assay_internal.published_policy n WHERE r.policy = n.policy;
		DELETE FROM assay_internal.label_rule r USING assay_internal.published_policy n WHERE r.policy = n.policy;
		DELETE FROM assay_internal.published_policy;
		FOREACH t IN ARRAY '{list_entry,list_base,phrase_entry,phrase_base,named_set}'::text[] LOOP
			EXECUTE format('DELETE FROM assay.%I', t);
		END LOOP;
		DELETE FROM assay_internal.published_set;
	END IF;
END $$;
COMMENT ON FUNCTION assay.unfollow_policies(boolean) IS
	'ends assay.follow_policies(): what came stays as this server''s own, or is forgotten (the tables of decisions and labels stay)';

REVOKE ALL ON FUNCTION assay.settle_policies(), assay.unfollow_policies(boolean), assay_internal.start_following(text, text, text),
	assay_internal.take_policy(text), assay_internal.take_label_rule(text), assay_internal.leave_policy(text), assay_internal.take_set(text),
	assay_internal.make_followed_tables(assay_internal.published_policy), assay_internal.follow_published(), assay_internal.refuse_own(),
	assay_internal.refuse_learning() FROM PUBLIC;
REVOKE ALL ON PROCEDURE assay.follow_policies(text, text, text, interval) FROM PUBLIC;
