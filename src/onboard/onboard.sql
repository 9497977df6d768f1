-- ---------------------------------------------------------------------------
-- onboard: from a message table to a policy that decides
-- ---------------------------------------------------------------------------

-- tables

CREATE TABLE assay_internal.onboarding (
	policy text PRIMARY KEY CHECK (octet_length(policy) <= 40),
	role assay_internal.kept_role NOT NULL,
	decision assay_internal.kept_relation,
	messages text NOT NULL,
	source text NOT NULL,
	signals text,
	pack text,
	key text[] NOT NULL,
	at text NOT NULL,
	tenant text,
	columns jsonb NOT NULL,
	options jsonb NOT NULL,
	labels text,
	budget jsonb NOT NULL,
	go_live text NOT NULL,
	checks jsonb NOT NULL,
	held_back timestamptz,
	live_at timestamptz,
	started_at timestamptz NOT NULL
);
COMMENT ON TABLE assay_internal.onboarding IS 'what onboard() was told of each policy; the view assay.onboarding shows how far it is';
COMMENT ON COLUMN assay_internal.onboarding.role IS 'who began it, and whose it is while there is no policy';
COMMENT ON COLUMN assay_internal.onboarding.decision IS 'decision table of the policy that was made: it is of the owner of that policy then, whoever that comes to be';
COMMENT ON COLUMN assay_internal.onboarding.source IS 'messages with the names of columns that the policy has: the message table, or a view over it';
COMMENT ON COLUMN assay_internal.onboarding.held_back IS 'decisions made since are of the newest part of the history, to which nothing was fitted';

-- No foreign keys: parallel restores load tables of an extension in any order.
CREATE TABLE assay_internal.onboarding_step (
	policy text NOT NULL,
	step text NOT NULL CHECK (step IN ('columns', 'policy', 'trigger', 'labels', 'text model', 'baselines', 'history', 'history held back', 'weights', 'history again',
		'thresholds', 'tenants', 'report', 'live')),
	n int NOT NULL,
	state text NOT NULL CHECK (state IN ('pending', 'running', 'done', 'skipped', 'failed')),
	rows bigint,
	seconds float8,
	note text,
	pid int,
	at timestamptz,
	PRIMARY KEY (policy, step)
);
COMMENT ON TABLE assay_internal.onboarding_step IS 'steps of onboard(), and what each came to';

CREATE TABLE assay_internal.onboarding_report (
	policy text NOT NULL,
	n int NOT NULL CHECK (n BETWEEN 1 AND 1000),
	part text NOT NULL,
	name text NOT NULL,
	value numeric,
	detail text,
	query text,
	PRIMARY KEY (policy, n)
);
COMMENT ON TABLE assay_internal.onboarding_report IS 'what onboard() result, and the query that gives each number';

CREATE TABLE assay_internal.tenant (
	policy text NOT NULL,
	tenant text NOT NULL,
	state text NOT NULL CHECK (state IN ('learning', 'ready', 'live')),
	first_seen timestamptz,
	last_seen timestamptz,
	messages bigint,
	alerts bigint,
	alerts_per_day float8,
	degraded bigint,
	note text,
	live_at timestamptz,
	at timestamptz NOT NULL,
	PRIMARY KEY (policy, tenant)
);
COMMENT ON TABLE assay_internal.tenant IS 'tenants of policies that were onboarded, as of the last look at them';
COMMENT ON COLUMN assay_internal.tenant.at IS 'when it was looked at';
COMMENT ON COLUMN assay_internal.tenant.alerts IS 'messages that had, or would have had, another than the default verdict';

GRANT SELECT ON assay_internal.onboarding, assay_internal.onboarding_step, assay_internal.onboarding_report, assay_internal.tenant TO pg_database_owner;
-- What a role that was dropped had begun is nobody's while there is no policy.
SELECT pg_catalog.pg_extension_config_dump('assay_internal.onboarding', 'WHERE decision IS NOT NULL OR role IN (SELECT r.oid FROM pg_catalog.pg_roles r)');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.onboarding_step', '');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.onboarding_report', '');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.tenant', '');

-- views

CREATE VIEW assay_internal.own_onboarding WITH (security_barrier) AS
	SELECT o.policy, r.oid::regrole AS role, o.messages, o.source, o.signals, o.pack, o.key, o.at, o.tenant, o.columns, o.options, o.labels,
		o.budget, o.go_live, o.checks, o.held_back, o.live_at, o.started_at
	FROM assay_internal.onboarding o LEFT JOIN assay_internal.policy p ON p.policy = o.policy AND p.decision = o.decision
	JOIN pg_catalog.pg_roles r ON r.oid = CASE WHEN p.policy IS NULL THEN o.role::oid ELSE assay_internal.policy_owner(p.decision, p.access, p.label, p.signals_view) END
	WHERE pg_catalog.pg_has_role(r.oid, 'USAGE');
COMMENT ON VIEW assay_internal.own_onboarding IS 'what onboard() was told by roles of the user''s';

CREATE VIEW assay.onboarding WITH (security_barrier) AS
	SELECT s.policy, s.step,
		CASE WHEN s.state = 'running' AND (s.pid = pg_catalog.pg_backend_pid()
				OR NOT EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity(s.pid) a WHERE a.state IS DISTINCT FROM 'idle'))
			THEN 'interrupted' ELSE s.state END AS state,
		s.rows, round(s.seconds::numeric, 3) AS seconds, s.note, s.at, s.n
	FROM assay_internal.onboarding_step s JOIN assay_internal.own_onboarding o ON o.policy = s.policy
	ORDER BY s.policy COLLATE "C", s.n;
COMMENT ON VIEW assay.onboarding IS 'steps of onboard() by roles of the user''s: pending, running, interrupted, done, skipped or failed, with rows, seconds and what there is to say';

CREATE VIEW assay.onboarding_report WITH (security_barrier) AS
	SELECT r.policy, r.part, r.name, r.value, r.detail, r.query, r.n
	FROM assay_internal.onboarding_report r JOIN assay_internal.own_onboarding o ON o.policy = r.policy
	ORDER BY r.policy COLLATE "C", r.n;
COMMENT ON VIEW assay.onboarding_report IS 'what onboard() found in the history: each number with the query that gives it, examples, columns, checks';

CREATE VIEW assay.tenant_status WITH (security_barrier) AS
	SELECT t.policy, t.tenant, t.state, t.first_seen, t.last_seen, t.messages, t.alerts, round(t.alerts_per_day::numeric, 3) AS alerts_per_day, t.degraded, t.note, t.live_at, t.at
	FROM assay_internal.tenant t JOIN assay_internal.own_onboarding o ON o.policy = t.policy;
COMMENT ON VIEW assay.tenant_status IS
	'tenants of policies that roles of the user''s onboarded: learning (decided and recorded, without effect), ready (may go live when told) or live; as of the last maintain()';
GRANT SELECT ON assay.onboarding, assay.onboarding_report, assay.tenant_status, assay_internal.own_onboarding TO PUBLIC;

-- private functions

CREATE FUNCTION assay_internal.keep_onboarding(policy text, kind text, entry jsonb) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_keep_onboarding' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.keep_onboarding(text, text, jsonb) IS 'writes a row of what onboarding remembers, for the role that began it and who may act as it';

CREATE FUNCTION assay_internal.lock_onboarding(policy text) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_lock_onboarding' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.lock_onboarding(text) IS 'waits for another session of the current role that onboards the policy, until the transaction ends';

CREATE FUNCTION assay_internal.as_policy_owner(policy text, step text, argument jsonb) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'assay_as_policy_owner' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION assay_internal.as_policy_owner(text, text, jsonb) IS 'owner_step() with the rights of the policy''s owner, for who may act as it';

CREATE FUNCTION assay_internal.onboarding_of(policy text) RETURNS assay_internal.own_onboarding LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o assay_internal.own_onboarding;
BEGIN
	SELECT * INTO o FROM assay_internal.own_onboarding w WHERE w.policy = onboarding_of.policy;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" was not onboarded by a role of yours', policy USING ERRCODE = 'undefined_object',
			HINT = 'CALL assay.onboard(...) makes a policy from a message table.';
	END IF;
	-- anybody may say so of a policy that was not there yet: whose it is counts
	IF NOT (SELECT pg_has_role(o.role::oid, p.owner::name, 'USAGE') FROM assay.policy p WHERE p.policy = o.policy) THEN
		RAISE EXCEPTION 'policy "%" was not onboarded by its owner', policy USING ERRCODE = 'insufficient_privilege',
			HINT = format('SET ROLE %1$s; SELECT assay.offboard(%2$L); takes that back.', o.role, o.policy);
	END IF;
	RETURN o;
END $$;
COMMENT ON FUNCTION assay_internal.onboarding_of(text) IS 'what onboard() was told of a policy; an error where there is nothing, or it is another''s';

-- What was kept is a name.  By now another may have a relation of that name: its views and triggers are not to run with these rights.
CREATE FUNCTION assay_internal.onboarding_relation(name text) RETURNS regclass LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result regclass := name::regclass;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = result AND pg_has_role(c.relowner, current_user, 'USAGE')) THEN
		RAISE EXCEPTION 'relation % belongs to another role', result USING ERRCODE = 'insufficient_privilege',
			HINT = format('What is onboarded is read and changed with the rights of %I: it must belong to that role, or to one that may act as it.', current_user);
	END IF;
	RETURN result;
END $$;
COMMENT ON FUNCTION assay_internal.onboarding_relation(text) IS 'a relation by its qualified name; an error where it is of one who may not act as the current user';

-- A value of the list of live tenants.  Lists compare without regard to case, and
-- tenants don't: what is not plainly in lower case, or looks like a digest, goes by a digest.
CREATE FUNCTION assay_internal.tenant_value(tenant text) RETURNS text
	AS 'MODULE_PATHNAME', 'assay_tenant_value' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.tenant_value(text) IS 'by what a tenant goes in the list of those that are live';

CREATE FUNCTION assay_internal.learning_condition(policy text, tenant text) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN tenant IS NULL THEN 'true' ELSE assay_internal.baseline_fill(
		$c$in_list({list}, assay_internal.tenant_value({tenant}::text)) IS NOT TRUE$c$,
		'list', quote_literal(policy || '.live'), 'tenant', quote_ident(tenant)) END
$$;
COMMENT ON FUNCTION assay_internal.learning_condition(text, text) IS 'the condition of the exclusion "learning": all messages, or those of tenants that are not in the list <policy>.live';

CREATE FUNCTION assay_internal.onboarding_steps(o assay_internal.own_onboarding) RETURNS TABLE (n int, step text) LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT v.n, v.step FROM (VALUES (1, 'columns'), (2, 'policy'), (3, 'trigger'), (4, 'labels'), (5, 'text model'), (6, 'baselines'),
		(7, 'history'), (8, 'history held back'), (9, 'weights'), (10, 'history again'), (11, 'thresholds'), (12, 'tenants'), (13, 'report'), (14, 'live')) v(n, step)
	WHERE (o.labels IS NOT NULL OR v.step NOT IN ('labels', 'text model', 'baselines', 'history held back', 'weights', 'history again'))
		AND (o.tenant IS NOT NULL OR v.step <> 'tenants')
$$;
COMMENT ON FUNCTION assay_internal.onboarding_steps(assay_internal.own_onboarding) IS 'what onboard() does, in order';

CREATE FUNCTION assay_internal.note_onboarding(policy text, step text, state text, rows bigint, seconds float8, note text) RETURNS void LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n int := (SELECT s.n FROM assay_internal.onboarding_steps(assay_internal.onboarding_of(policy)) s WHERE s.step = note_onboarding.step);
BEGIN
	PERFORM assay_internal.keep_onboarding(policy, 'step', jsonb_build_object('step', step, 'n', n, 'state', state, 'rows', rows, 'seconds', seconds,
		'note', left(note, 10000), 'pid', pg_backend_pid(), 'at', clock_timestamp()));
END $$;
COMMENT ON FUNCTION assay_internal.note_onboarding(text, text, text, bigint, float8, text) IS 'keeps what a step of onboard() came to';

-- what the caller said, checked

CREATE FUNCTION assay_internal.check_onboarding_budget(budget jsonb, checks jsonb, go_live text) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	bad text;
BEGIN
	IF jsonb_typeof(budget) IS DISTINCT FROM 'object' OR NOT coalesce(jsonb_typeof(budget->'alerts_per_day') = 'number' AND (budget->>'alerts_per_day')::numeric > 0, false)
		OR NOT coalesce(jsonb_typeof(budget->'tenant_alerts_per_day') = 'number' AND (budget->>'tenant_alerts_per_day')::numeric > 0, NOT budget ? 'tenant_alerts_per_day')
		OR budget - '{alerts_per_day,tenant_alerts_per_day}'::text[] <> '{}'
	THEN
		RAISE EXCEPTION 'budget must be an object with alerts_per_day' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write {"alerts_per_day": 50}, or {"alerts_per_day": 50, "tenant_alerts_per_day": 5}.';
	END IF;
	IF go_live IS NULL OR go_live NOT IN ('told', 'auto') THEN
		RAISE EXCEPTION 'go_live must be told or auto, not %', coalesce('"' || go_live || '"', 'null') USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF jsonb_typeof(checks) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'checks must be an object' USING ERRCODE = 'invalid_parameter_value', HINT = 'Write {"days": 14, "degraded": 0.001, "roc_auc": 0.8}.';
	END IF;
	SELECT c.key INTO bad FROM jsonb_each(checks) c WHERE c.key <> ALL ('{days,degraded,roc_auc}') OR jsonb_typeof(c.value) <> 'number' OR c.value::text::numeric < 0;
	IF FOUND THEN
		RAISE EXCEPTION 'check "%" does not exist, or is not a number of at least 0', bad USING ERRCODE = 'invalid_parameter_value', HINT = 'There are days, degraded and roc_auc.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_onboarding_budget(jsonb, jsonb, text) IS 'error unless onboard() can keep to this';

CREATE FUNCTION assay_internal.primary_key(relation regclass) RETURNS text[] LANGUAGE sql STABLE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT array(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		WHERE i.indrelid = $1 AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum))
$$;
COMMENT ON FUNCTION assay_internal.primary_key(regclass) IS 'columns of a relation''s primary key; empty without one';

-- key columns that are named, or those of the primary key
CREATE FUNCTION assay_internal.onboarding_key(messages regclass, key text[]) RETURNS text[] LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result text[] := coalesce(key, assay_internal.primary_key(messages));
BEGIN
	IF cardinality(result) = 0 THEN
		RAISE EXCEPTION 'relation % has no primary key', messages USING ERRCODE = 'undefined_object',
			HINT = 'Messages are told apart by it: add one, or name columns that are unique, as in key => ''{message_id}''.';
	END IF;
	PERFORM assay_internal.check_key(messages, result);
	RETURN result;
END $$;
COMMENT ON FUNCTION assay_internal.onboarding_key(regclass, text[]) IS 'the columns that tell messages apart';

CREATE FUNCTION assay_internal.check_column(relation regclass, col text, types regtype[], what text,
	hint text DEFAULT 'It is written in lower case, unless it was made with quotes and capitals.') RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	a pg_attribute;
BEGIN
	SELECT * INTO a FROM pg_attribute x WHERE x.attrelid = relation AND x.attname = col AND x.attnum > 0 AND NOT x.attisdropped;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'relation % has no column "%" (%)', relation, col, what USING ERRCODE = 'undefined_column', HINT = hint;
	END IF;
	IF types IS NOT NULL AND a.atttypid::regtype <> ALL (types) THEN
		RAISE EXCEPTION 'column "%" of % must be of type %', col, relation, types[1] USING ERRCODE = 'datatype_mismatch',
			HINT = 'Name a view in which it is, by a cast or a comparison.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_column(regclass, text, regtype[], text, text) IS 'error unless a relation has this column, of one of these types';

CREATE FUNCTION assay_internal.check_onboarding_labels(o assay_internal.own_onboarding) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	k text;
BEGIN
	IF to_regclass(o.labels) IS NULL THEN
		RAISE EXCEPTION 'relation "%" of labels does not exist', o.labels USING ERRCODE = 'undefined_table';
	END IF;
	PERFORM assay_internal.onboarding_relation(o.labels);
	FOREACH k IN ARRAY o.key LOOP
		PERFORM assay_internal.check_column(o.labels::regclass, k, NULL, 'labels name their message by the key');
	END LOOP;
	PERFORM assay_internal.check_column(o.labels::regclass, coalesce(o.columns->>'malicious', 'malicious'), '{boolean}', 'what the message is',
		'Say which column has it, as in columns => ''{"malicious": "was_spam"}''.');
	IF o.columns ? 'labelled_at' THEN
		PERFORM assay_internal.check_column(o.labels::regclass, o.columns->>'labelled_at', '{timestamptz,timestamp}', 'when it was known');
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_onboarding_labels(assay_internal.own_onboarding) IS 'error unless labels can be taken from there';

-- The function of a pack that this is about, or an error
CREATE FUNCTION assay_internal.pack_function(pack text, name text) RETURNS regproc LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result regproc;
BEGIN
	-- only what the extension of that name brings
	SELECT p.oid INTO result FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid
	WHERE p.pronamespace = 'assay'::regnamespace AND p.proname = replace(name, '{pack}', pack) AND x.extname = 'pg_assay_' || pack;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no pack "%" here', pack USING ERRCODE = 'undefined_object',
			HINT = format('CREATE EXTENSION %I; or pack => NULL, with signals => a view of your own.', 'pg_assay_' || pack);
	END IF;
	RETURN result;
END $$;
COMMENT ON FUNCTION assay_internal.pack_function(text, text) IS 'a function that a pack brings, by its name with {pack} in it; an error where the pack is not installed';

-- The rows that labels columns and others say of the columns are not the pack's.
CREATE FUNCTION assay_internal.pack_columns(columns jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$ SELECT columns - '{malicious,labelled_at,source}'::text[] $$;
COMMENT ON FUNCTION assay_internal.pack_columns(jsonb) IS 'columns of messages, without those of labels';

CREATE FUNCTION assay_internal.plan_onboarding(policy text, messages regclass, pack text, columns jsonb, labels regclass, tenant text, budget jsonb, go_live text,
	signals regclass, key text[], at text, options jsonb, checks jsonb) RETURNS assay_internal.own_onboarding LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o assay_internal.own_onboarding;
	owner oid := (SELECT c.relowner FROM pg_class c WHERE c.oid = messages);
	place text;
	bridged boolean := false;
BEGIN
	IF policy IS NULL OR messages IS NULL OR columns IS NULL OR options IS NULL OR at IS NULL THEN
		RAISE EXCEPTION 'policy, messages, columns, options and at must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF policy = '' OR octet_length(policy) > 40 THEN
		RAISE EXCEPTION 'a policy that is onboarded needs a name of 1 to 40 bytes' USING ERRCODE = 'invalid_name', DETAIL = 'Its views, lists and models are named after it.';
	END IF;
	IF jsonb_typeof(columns) <> 'object' OR jsonb_typeof(options) <> 'object' THEN
		RAISE EXCEPTION 'columns and options must be objects' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM assay_internal.check_onboarding_budget(budget, checks, go_live);
	IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = messages AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't') THEN
		RAISE EXCEPTION 'relation % is not a table of messages, or is temporary', messages USING ERRCODE = 'wrong_object_type';
	END IF;
	IF NOT pg_has_role(owner, (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user), 'USAGE') THEN
		RAISE EXCEPTION 'the owner of % must be the role that onboards it, or a member of it', messages USING ERRCODE = 'insufficient_privilege',
			HINT = format('Policies decide for who owns the messages: SET ROLE %I.', pg_get_userbyid(owner));
	END IF;
	SELECT quote_ident(n.nspname) INTO place FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = messages;
	o.policy := policy;
	o.messages := (SELECT format('%s.%I', place, c.relname) FROM pg_class c WHERE c.oid = messages);
	o.signals := (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = signals);
	o.labels := (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = labels);
	o.pack := pack;
	o.columns := columns;
	o.options := options;
	o.tenant := tenant;
	o.budget := budget;
	o.go_live := go_live;
	o.checks := '{"days": 14, "degraded": 0.001, "roc_auc": 0.8}' || checks;
	o.at := at;
	o.key := assay_internal.onboarding_key(messages, key);
	o.started_at := clock_timestamp();
	IF pack IS NULL THEN
		IF signals IS NULL THEN
			RAISE EXCEPTION 'without a pack it needs a view of signals' USING ERRCODE = 'null_value_not_allowed',
				HINT = 'Say signals => the view whose columns the detectors ask, or pack => ''email''.';
		END IF;
		PERFORM assay_internal.check_signals(signals);
		PERFORM assay_internal.check_key(signals, o.key);
		PERFORM assay_internal.check_column(signals, at, '{timestamptz}', 'when the message was received');
		IF tenant IS NOT NULL THEN
			PERFORM assay_internal.check_column(signals, tenant, NULL, 'whose message it is');
		END IF;
	ELSIF signals IS NOT NULL THEN
		RAISE EXCEPTION 'a pack brings its own signals' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say signals with pack => NULL.';
	ELSE
		PERFORM assay_internal.pack_function(pack, 'create_{pack}_policy');
		EXECUTE format('SELECT coalesce(bool_or(c.expression IS NOT NULL AND NOT c.fact = ANY ($3)), false) FROM %s($1, $2) c', assay_internal.pack_function(pack, '{pack}_map_columns'))
			INTO bridged USING messages, assay_internal.pack_columns(columns), o.key;
		o.at := 'received_at';
	END IF;
	-- what the policy's names of columns are found in
	o.source := CASE WHEN bridged THEN format('%s.%I', place, policy || '_messages')
		WHEN pack IS NULL AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = messages AND a.attname = at AND a.atttypid = 'timestamptz'::regtype AND NOT a.attisdropped)
			THEN o.signals
		ELSE o.messages END;
	IF tenant IS NOT NULL THEN
		PERFORM assay_internal.check_column(messages, tenant, NULL, 'whose message it is');
	END IF;
	IF o.labels IS NOT NULL THEN
		PERFORM assay_internal.check_onboarding_labels(o);
	END IF;
	RETURN o;
END $$;
COMMENT ON FUNCTION assay_internal.plan_onboarding(text, regclass, text, jsonb, regclass, text, jsonb, text, regclass, text[], text, jsonb, jsonb) IS
	'what onboard() is to do, from what it was told; errors tell what does not fit';

-- Whoever calls again goes on; what the steps that are done stand on must be the same.
CREATE FUNCTION assay_internal.begin_onboarding(o assay_internal.own_onboarding) RETURNS text[] LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	was assay_internal.own_onboarding;
	again text[] := '{}';
	s record;
BEGIN
	PERFORM assay_internal.lock_onboarding(o.policy);
	SELECT * INTO was FROM assay_internal.own_onboarding w WHERE w.policy = o.policy;
	IF FOUND THEN
		IF was.role <> (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user) THEN
			RAISE EXCEPTION 'policy "%" is being onboarded by %', o.policy, was.role USING ERRCODE = 'insufficient_privilege', HINT = format('SET ROLE %s.', was.role);
		END IF;
		IF EXISTS (SELECT FROM assay.onboarding t WHERE t.policy = o.policy AND t.step = 'policy' AND t.state = 'done')
			AND NOT EXISTS (SELECT FROM assay.policies p WHERE p.policy = o.policy)
		THEN
			RAISE EXCEPTION 'policy "%" was onboarded and has been dropped since', o.policy USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('SELECT assay.offboard(%L) removes the rest.', o.policy);
		END IF;
		IF (was.messages, was.source, was.signals, was.pack, was.key, was.at, was.tenant, was.columns, was.options)
			IS DISTINCT FROM (o.messages, o.source, o.signals, o.pack, o.key, o.at, o.tenant, o.columns, o.options)
		THEN
			-- nothing stands on it yet: begin anew
			IF NOT EXISTS (SELECT FROM assay.onboarding t WHERE t.policy = o.policy AND t.step = 'policy' AND t.state = 'done') THEN
				PERFORM assay_internal.keep_onboarding(o.policy, 'end', '{}');
				RETURN assay_internal.begin_onboarding(o);
			END IF;
			RAISE EXCEPTION 'policy "%" is being onboarded from other messages or in another way', o.policy USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('Call it with the same arguments (budget, labels, checks and go_live may differ), or SELECT assay.offboard(%L) first.', o.policy);
		END IF;
		-- new labels are learned from; another budget moves thresholds
		IF was.labels IS DISTINCT FROM o.labels THEN
			again := '{labels,text model,baselines,weights,history again,thresholds,tenants,report,live}';
		ELSIF (was.budget, was.checks, was.go_live) IS DISTINCT FROM (o.budget, o.checks, o.go_live) THEN
			again := '{thresholds,tenants,report,live}';
		END IF;
		o.held_back := was.held_back;
		o.live_at := was.live_at;
	END IF;
	PERFORM assay_internal.keep_onboarding(o.policy, 'plan', to_jsonb(o));
	FOR s IN SELECT * FROM assay_internal.onboarding_steps(o) LOOP
		IF s.step = ANY (again) OR NOT EXISTS (SELECT FROM assay.onboarding t WHERE t.policy = o.policy AND t.step = s.step
			AND t.state IN ('done', 'skipped', 'running', 'pending')) THEN
			PERFORM assay_internal.keep_onboarding(o.policy, 'step', jsonb_build_object('step', s.step, 'n', s.n, 'state', 'pending',
				'pid', pg_backend_pid(), 'at', clock_timestamp()));
		END IF;
	END LOOP;
	-- the first step, which is done, says which session goes on
	PERFORM assay_internal.keep_onboarding(o.policy, 'step', jsonb_build_object('step', t.step, 'n', t.n, 'state', t.state, 'rows', t.rows, 'seconds', t.seconds, 'note', t.note,
		'pid', pg_backend_pid(), 'at', clock_timestamp()))
	FROM assay.onboarding t WHERE t.policy = o.policy AND t.n = 1 AND t.state IN ('done', 'skipped') AND assay_internal.onboarding_waits(o.policy);
	RETURN array(SELECT t.step FROM assay_internal.onboarding_steps(o) t ORDER BY t.n);
END $$;
COMMENT ON FUNCTION assay_internal.begin_onboarding(assay_internal.own_onboarding) IS 'keeps what onboard() is to do, and gives its steps';

-- What a role that was dropped had begun to onboard is nobody's, until there is a policy: then it is its owner's.
CREATE FUNCTION assay_internal.forget_dropped_onboarders() RETURNS void LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	gone text[] := array(SELECT o.policy FROM assay_internal.onboarding o WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = o.role));
BEGIN
	UPDATE assay_internal.onboarding o SET role = c.relowner
	FROM assay_internal.policy p JOIN pg_class c ON c.oid = p.decision
	WHERE o.policy = ANY (gone) AND p.policy = o.policy AND p.decision = o.decision;
	gone := array(SELECT o.policy FROM assay_internal.onboarding o WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = o.role));
	DELETE FROM assay_internal.onboarding_step s WHERE s.policy = ANY (gone);
	DELETE FROM assay_internal.onboarding_report s WHERE s.policy = ANY (gone);
	DELETE FROM assay_internal.tenant s WHERE s.policy = ANY (gone);
	DELETE FROM assay_internal.onboarding o WHERE o.policy = ANY (gone);
END $$;
COMMENT ON FUNCTION assay_internal.forget_dropped_onboarders() IS 'gives onboardings of roles that were dropped to the policies'' owners, and forgets those without a policy';
