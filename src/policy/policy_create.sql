-- ---------------------------------------------------------------------------
-- policy: detectors, decisions and their attribution
-- ---------------------------------------------------------------------------

-- conditions are checked against the view when they are written

CREATE FUNCTION assay_internal.check_condition(policy text, condition text, what text, guards boolean, run boolean DEFAULT true) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_check_condition' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION assay_internal.check_condition(text, text, text, boolean, boolean) IS
	'error unless the condition is valid for the policy, whose owner may call its functions; run => false: without calling any';

CREATE FUNCTION assay_internal.check_model(policy text, model assay.model) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_check_model' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION assay_internal.check_model(text, assay.model) IS 'error unless the model has one output and the signals view a column for each feature';

CREATE FUNCTION assay_internal.check_text_model(policy text, text_model text, content text, what text, run boolean DEFAULT true) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_check_text_model' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION assay_internal.check_text_model(text, text, text, text, boolean) IS
	'error unless there is such a text model, which the user and the policy''s owner may read, and the expression gives its text; run => false: without calling anything';

CREATE FUNCTION assay_internal.check_parts(detector text, condition text, model assay.model, text_model text, content text) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF (text_model IS NULL) <> (content IS NULL) THEN
		RAISE EXCEPTION 'detector "%" needs both text_model and text', detector USING ERRCODE = 'invalid_parameter_value',
			HINT = 'text is an expression over the signals: what the text model sees of a message.';
	ELSIF num_nonnulls(condition, model, text_model) <> 1 THEN
		RAISE EXCEPTION 'detector "%" needs either a condition or a model', detector USING ERRCODE = 'invalid_parameter_value',
			HINT = CASE WHEN num_nonnulls(condition, model, text_model) = 0 THEN 'A query for a model gives NULL where no row has its name.' ELSE 'Make a detector of each.' END;
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_parts(text, text, assay.model, text, text) IS 'error unless a detector has one of condition, model and text model';

CREATE FUNCTION assay_internal.check_verdict(policy text, verdict text) RETURNS void LANGUAGE plpgsql STABLE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known text[];
BEGIN
	SELECT r.default_verdict || array(SELECT t.key FROM jsonb_each_text(r.thresholds) t ORDER BY t.value::float8)
	INTO known FROM assay.revision r WHERE r.policy = check_verdict.policy ORDER BY r.revision DESC LIMIT 1;
	IF verdict <> ALL (known) THEN
		RAISE EXCEPTION 'policy "%" has no verdict "%"', policy, verdict
			USING ERRCODE = 'invalid_parameter_value', HINT = format('Its verdicts are %s.', array_to_string(known, ', '));
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_verdict(text, text) IS 'error unless the policy has such a verdict';

CREATE FUNCTION assay_internal.check_settings(prior float8, thresholds jsonb, default_verdict text, on_error text, notify text[],
	on_unreadable text) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t record;
	v text;
BEGIN
	IF prior IS NULL OR NOT abs(prior) <= 1000 THEN
		RAISE EXCEPTION 'prior must be log-odds between -1000 and 1000' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	IF prior > 0 AND prior < 1 THEN
		RAISE WARNING 'prior % is in log-odds: it means that % %% of all messages are malicious', prior, round((100 / (1 + exp(-prior)))::numeric)
			USING HINT = format('For a probability of %s write %s.', prior, round(ln(prior / (1 - prior))::numeric, 2));
	END IF;
	IF coalesce(default_verdict, '') = '' THEN
		RAISE EXCEPTION 'a policy needs a default verdict' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'The default verdict is for scores below all thresholds.';
	END IF;
	IF length(default_verdict) > 200 THEN
		RAISE EXCEPTION 'a verdict needs a name of 1 to 200 characters' USING ERRCODE = 'invalid_name';
	END IF;
	IF jsonb_typeof(thresholds) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'thresholds must be a JSON object' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write verdicts with the lowest score of each, as {"suspicious": 0.5, "malicious": 0.9}.';
	END IF;
	FOR t IN SELECT * FROM jsonb_each(thresholds) LOOP
		IF jsonb_typeof(t.value) <> 'number' OR NOT t.value::text::numeric BETWEEN 0 AND 1 THEN
			RAISE EXCEPTION 'threshold of verdict "%" must be a score between 0 and 1, not %', t.key, t.value
				USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Write verdicts with the lowest score of each, as {"suspicious": 0.5, "malicious": 0.9}.';
		END IF;
		IF length(t.key) > 200 THEN
			RAISE EXCEPTION 'a verdict needs a name of 1 to 200 characters' USING ERRCODE = 'invalid_name';
		END IF;
		IF t.key = default_verdict OR t.key = '' THEN
			RAISE EXCEPTION 'verdict "%" cannot have a threshold', t.key USING ERRCODE = 'invalid_parameter_value',
				HINT = 'The default verdict is for scores below all thresholds.';
		END IF;
	END LOOP;
	IF thresholds = '{}' THEN
		RAISE EXCEPTION 'a policy needs a verdict with a threshold' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write verdicts with the lowest score of each, as {"suspicious": 0.5, "malicious": 0.9}.';
	END IF;
	IF on_unreadable IS NOT NULL AND on_unreadable <> default_verdict AND NOT thresholds ? on_unreadable THEN
		RAISE EXCEPTION 'on_unreadable names a verdict "%" that the policy does not have', on_unreadable USING ERRCODE = 'invalid_parameter_value',
			HINT = format('Its verdicts are %s.', concat_ws(', ', default_verdict,
				(SELECT string_agg(k.key, ', ' ORDER BY k.value::float8) FROM jsonb_each_text(thresholds) k)));
	END IF;
	IF (SELECT count(*) <> count(DISTINCT v.value::float8) FROM jsonb_each_text(thresholds) v) THEN
		RAISE EXCEPTION 'two verdicts have the same threshold' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF on_error IS NULL OR on_error NOT IN ('degrade', 'raise') THEN
		RAISE EXCEPTION 'on_error must be degrade or raise, not %', coalesce('"' || on_error || '"', 'null') USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF notify IS NULL OR array_ndims(notify) > 1 OR array_position(notify, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'notify must be a plain list of verdicts' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write ''{}'' for no notifications.';
	END IF;
	FOREACH v IN ARRAY notify LOOP
		IF v <> default_verdict AND NOT thresholds ? v THEN
			RAISE EXCEPTION 'notify names a verdict "%" that the policy does not have', v USING ERRCODE = 'invalid_parameter_value',
				HINT = format('Its verdicts are %s.', concat_ws(', ', default_verdict,
					(SELECT string_agg(k.key, ', ' ORDER BY k.value::float8) FROM jsonb_each_text(thresholds) k)));
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.check_settings(float8, jsonb, text, text, text[], text) IS 'error unless a policy can have these settings';

-- the same limits as in config.h
CREATE FUNCTION assay_internal.check_size(policy text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n record;
BEGIN
	SELECT t.* INTO n FROM (
		SELECT 'detectors' AS what, count(*) AS has, 20000 AS may FROM assay.detector d
		WHERE d.policy = check_size.policy AND d.until_revision IS NULL AND d.mode <> 'retired'
		UNION ALL SELECT 'exclusions', count(*), 10000 FROM assay.exclusion x WHERE x.policy = check_size.policy AND x.until_revision IS NULL
		UNION ALL SELECT 'guards', count(*), 10000 FROM assay.guard g WHERE g.policy = check_size.policy AND g.until_revision IS NULL) t
	WHERE t.has > t.may;
	IF FOUND THEN
		RAISE EXCEPTION 'policy "%" would have % %', policy, n.has, n.what USING ERRCODE = 'program_limit_exceeded',
			DETAIL = format('The limit is %s.', n.may), HINT = 'Long lists of words belong in a phrases value or an array signal.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_size(text) IS 'error when a policy has more detectors, exclusions or guards than one revision may have';

CREATE FUNCTION assay_internal.new_revision(policy text, summary text) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int;
BEGIN
	-- one change at a time; also: may the user, and is there such a policy?
	PERFORM assay_internal.policy_for_change(policy);
	BEGIN
		INSERT INTO assay.revision (policy, revision, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify, on_unreadable)
		SELECT r.policy, r.revision + 1, new_revision.summary, r.prior, r.thresholds, r.default_verdict, r.on_error, r.log_signals, r.search_path, r.notify, r.on_unreadable
		FROM assay.revision r WHERE r.policy = new_revision.policy ORDER BY r.revision DESC LIMIT 1
		RETURNING revision INTO made;
	EXCEPTION WHEN unique_violation THEN
		-- made since our snapshot: only under REPEATABLE READ and SERIALIZABLE
		RAISE EXCEPTION 'policy "%" was changed by another transaction', policy USING ERRCODE = 'serialization_failure',
			HINT = 'Try again.';
	END;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay_internal.new_revision(text, text) IS 'begins a new revision with the settings of the last; locks the policy until the transaction ends';

-- functions

CREATE FUNCTION assay_internal.check_key(signals regclass, key text[]) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	k text;
BEGIN
	IF array_ndims(key) > 1 OR array_position(key, NULL) IS NOT NULL OR cardinality(key) <> (SELECT count(DISTINCT u) FROM unnest(key) u) THEN
		RAISE EXCEPTION 'key must be a plain list of different columns' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOREACH k IN ARRAY key LOOP
		IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = signals AND a.attname = k AND a.attnum > 0 AND NOT a.attisdropped) THEN
			RAISE EXCEPTION 'signals view % has no key column "%"', signals, k USING ERRCODE = 'undefined_column',
				HINT = 'The key names columns of the view that tell messages apart, as they are spelt there.';
		END IF;
		IF k IN ('revision', 'decided_at', 'verdict', 'score', 'attribution', 'degraded', 'signals', 'malicious', 'source', 'labelled_at',
			'author', 'confidence', 'category') THEN
			RAISE EXCEPTION 'a key column cannot be named "%"', k USING ERRCODE = 'duplicate_column',
				DETAIL = 'The decision and label tables have columns of their own by that name.', HINT = 'Rename it in the signals view and the message table.';
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.check_key(regclass, text[]) IS 'error unless messages can be identified by these columns of a signals view';

CREATE FUNCTION assay_internal.check_signals(signals regclass) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c pg_class;
BEGIN
	SELECT * INTO c FROM pg_class r WHERE r.oid = signals;
	IF c.relkind NOT IN ('v', 'm', 'r', 'p') THEN
		RAISE EXCEPTION '% is neither a view nor a table', signals USING ERRCODE = 'wrong_object_type';
	END IF;
	IF c.relpersistence = 't' THEN
		RAISE EXCEPTION 'signals view % is temporary: other sessions could not read it', signals USING ERRCODE = 'invalid_table_definition',
			HINT = 'CREATE VIEW without TEMPORARY, over tables that are not temporary either.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_signals(regclass) IS 'error unless this can be the signals view of a policy';

-- The newest decision of a message is the one that no other has a higher revision than: unlike DISTINCT ON, this lets
-- a condition on the time, or on what hit, use an index.  Keys are equal where the table's own index says so.
CREATE FUNCTION assay_internal.verdict_query(decision regclass, key text[], columns text) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('SELECT %s FROM %s d WHERE NOT EXISTS (SELECT FROM %s n WHERE %s AND n.revision > d.revision)', columns, decision, decision,
		string_agg(format('n.%1$I OPERATOR(%2$s) d.%1$I', u.name, coalesce(e.operator, 'pg_catalog.=')), ' AND ' ORDER BY u.n))
	FROM unnest(key) WITH ORDINALITY u(name, n)
	LEFT JOIN LATERAL (
		SELECT format('%I.%s', s.nspname, o.oprname) AS operator
		FROM pg_index i
		CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) c(attnum, opclass)
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = c.attnum
		JOIN pg_opclass f ON f.oid = c.opclass
		JOIN pg_amop m ON m.amopfamily = f.opcfamily AND m.amoplefttype = f.opcintype AND m.amoprighttype = f.opcintype AND m.amopstrategy = 3
		JOIN pg_operator o ON o.oid = m.amopopr
		JOIN pg_namespace s ON s.oid = o.oprnamespace
		JOIN pg_am h ON h.oid = m.amopmethod AND h.amname = 'btree'
		WHERE i.indrelid = decision AND i.indisunique AND a.attname = u.name
		ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1) e ON true
$$;
COMMENT ON FUNCTION assay_internal.verdict_query(regclass, text[], text) IS 'the query of a policy''s view <policy>_verdict';

CREATE FUNCTION assay_internal.index_decisions(decision regclass) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
		WHERE i.indrelid = decision AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'decided_at') THEN
		EXECUTE format('CREATE INDEX ON %s (decided_at)', decision);
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.index_decisions(regclass) IS 'makes the index of a decision table by time, unless there is one';

-- Who gets rights on all that the owner makes (ALTER DEFAULT PRIVILEGES) is nobody's builder for it.
CREATE FUNCTION assay_internal.give_nobody(access regclass) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	role text;
BEGIN
	FOR role IN SELECT DISTINCT coalesce(quote_ident(r.rolname), 'PUBLIC') FROM pg_class c CROSS JOIN aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
		WHERE c.oid = access AND a.grantee <> c.relowner LOOP
		EXECUTE format('REVOKE ALL ON %s FROM %s', access, role);
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.give_nobody(regclass) IS 'takes from a new view of rights what default privileges gave on it';

CREATE FUNCTION assay_internal.policy_tables(policy text, schema name, signals regclass, key text[], index_hits boolean, partition_by text,
	OUT decision regclass, OUT label regclass, OUT access regclass) LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	columns text;
	keys text;
	owner name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = signals);
	relation text;
	taken text;
BEGIN
	-- DROP EXTENSION ... CASCADE, or drop_policy(), has left them; they hold what messages were taken for
	SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY u.i) INTO taken
	FROM unnest(ARRAY['_decision', '_label', '_verdict', '_label_latest', '_policy', CASE WHEN partition_by IS NOT NULL THEN '_d_default' END])
		WITH ORDINALITY u(ending, i)
	JOIN pg_class c ON c.relname = policy || u.ending
	JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = schema AND has_schema_privilege(n.oid, 'CREATE');
	IF taken IS NOT NULL THEN
		RAISE EXCEPTION 'policy "%" cannot have its tables: there are %', policy, taken USING ERRCODE = 'duplicate_table',
			DETAIL = 'An earlier policy of that name may have left them, with its decisions and labels.',
			HINT = 'Take another name or schema, or rename them; if nobody needs what they hold, drop them.';
	END IF;
	SELECT string_agg(format('%I %s NOT NULL', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY u.n),
		string_agg(quote_ident(a.attname), ', ' ORDER BY u.n)
	INTO columns, keys
	FROM unnest(key) WITH ORDINALITY u(name, n)
	JOIN pg_attribute a ON a.attrelid = signals AND a.attname = u.name;

	EXECUTE format('CREATE TABLE %I.%I (', schema, policy || '_decision') || columns || ', revision int NOT NULL, '
		'decided_at timestamptz NOT NULL DEFAULT now(), verdict text NOT NULL, score real NOT NULL, attribution assay.attribution NOT NULL, '
		'degraded boolean NOT NULL DEFAULT false, signals assay.logged_signals, PRIMARY KEY (' || keys || ', revision))'
		|| coalesce(' PARTITION BY RANGE (' || quote_ident(partition_by) || ')', '');
	decision := format('%I.%I', schema, policy || '_decision');
	PERFORM assay_internal.index_decisions(decision);
	IF index_hits THEN
		EXECUTE format('CREATE INDEX ON %s USING gin (assay.hits(attribution))', decision);
	END IF;
	IF partition_by IS NOT NULL THEN
		EXECUTE format('CREATE TABLE %I.%I PARTITION OF %s DEFAULT', schema, policy || '_d_default', decision);
		EXECUTE format('COMMENT ON TABLE %I.%I IS %L', schema, policy || '_d_default', 'decisions about messages of times that no other partition has');
		EXECUTE format('ALTER TABLE %I.%I OWNER TO %I', schema, policy || '_d_default', owner);
	END IF;
	EXECUTE format('COMMENT ON TABLE %I.%I IS %L', schema, policy || '_decision',
		format('decisions of policy %s: one a message and revision; its owner is the policy''s', policy));
	EXECUTE format('CREATE TABLE %I.%I (', schema, policy || '_label') || columns || ', malicious boolean NOT NULL, source text NOT NULL, '
		'labelled_at timestamptz NOT NULL DEFAULT now(), ' || assay_internal.label_columns() || ', PRIMARY KEY (' || keys || ', labelled_at))';
	label := format('%I.%I', schema, policy || '_label');
	EXECUTE format('COMMENT ON TABLE %I.%I IS %L', schema, policy || '_label', format('labels of the messages of policy %s, each when it was known; <policy>_label_latest has those that count', policy));
	-- row-level security of the tables holds for who reads them by the views
	EXECUTE format('CREATE VIEW %I.%I WITH (security_invoker) AS ', schema, policy || '_verdict') || assay_internal.verdict_query(decision, key, 'd.*');
	EXECUTE format('COMMENT ON VIEW %I.%I IS %L', schema, policy || '_verdict', format('latest decision of policy %s for each message', policy));
	EXECUTE format('CREATE VIEW %I.%I WITH (security_invoker) AS ', schema, policy || '_label_latest') || assay_internal.label_query(label, key, '{}');
	EXECUTE format('COMMENT ON VIEW %I.%I IS %L', schema, policy || '_label_latest', format('label that counts for each message of policy %s', policy));
	EXECUTE format('CREATE VIEW %I.%I AS SELECT %L::text AS policy', schema, policy || '_policy', policy);
	EXECUTE format('COMMENT ON VIEW %I.%I IS %L', schema, policy || '_policy',
		format('rights on policy %s: who may SELECT reads it, INSERT builds, UPDATE publishes; assay.grant_access() gives them', policy));

	IF owner <> current_user THEN
		FOREACH relation IN ARRAY ARRAY['_verdict', '_label_latest', '_policy', '_label', '_decision'] LOOP
			EXECUTE format('ALTER TABLE %I.%I OWNER TO %I', schema, policy || relation, owner);
		END LOOP;
		RAISE NOTICE 'policy "%" belongs to %, as its signals view does', policy, owner;
	END IF;
	access := format('%I.%I', schema, policy || '_policy');
	PERFORM assay_internal.give_nobody(access);
END $$;
COMMENT ON FUNCTION assay_internal.policy_tables(text, name, regclass, text[], boolean, text) IS
	'makes the decision and label tables of a policy and the views over them, owned by who owns the signals view';

CREATE FUNCTION assay.create_policy(policy text, signals regclass, key text[], prior float8 DEFAULT -4.0,
	thresholds jsonb DEFAULT '{"suspicious": 0.5, "malicious": 0.9}', default_verdict text DEFAULT 'safe',
	on_error text DEFAULT 'degrade', log_signals boolean DEFAULT false, schema name DEFAULT NULL,
	search_path text DEFAULT 'pg_catalog, assay, pg_temp', notify text[] DEFAULT '{}', on_unreadable text DEFAULT NULL,
	index_hits boolean DEFAULT false, partition text DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	view_schema name;
	view_name name;
	made record;
	partition_by text;
BEGIN
	IF coalesce(policy, '') = '' OR octet_length(policy) > 50 THEN
		RAISE EXCEPTION 'a policy needs a name of 1 to 50 bytes' USING ERRCODE = 'invalid_name',
			DETAIL = 'Its tables are named after it.';
	END IF;
	IF signals IS NULL OR key IS NULL OR cardinality(key) = 0 THEN
		RAISE EXCEPTION 'a policy needs a signals view and the key columns of its messages'
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF log_signals IS NULL THEN
		RAISE EXCEPTION 'log_signals must be true or false' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF index_hits IS NULL THEN
		RAISE EXCEPTION 'index_hits must be true or false' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM assay_internal.check_settings(prior, thresholds, default_verdict, on_error, notify, on_unreadable);
	PERFORM assay_internal.check_search_path(search_path);
	PERFORM assay_internal.check_signals(signals);
	PERFORM assay_internal.check_key(signals, key);
	IF partition IS NOT NULL THEN
		partition_by := assay_internal.part_column(signals, key, partition);
	END IF;
	IF EXISTS (SELECT FROM assay.policy p WHERE p.policy = create_policy.policy) THEN
		RAISE EXCEPTION 'policy "%" already exists', policy USING ERRCODE = 'duplicate_object', HINT = 'assay.alter_policy() changes it.';
	END IF;
	SELECT n.nspname, c.relname INTO view_schema, view_name
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = signals;
	made := assay_internal.policy_tables(policy, coalesce(schema, view_schema), signals, key, index_hits, partition_by);

	BEGIN
		INSERT INTO assay.policy (policy, signals, signals_view, key, decision, label, access)
		VALUES (create_policy.policy, format('%I.%I', view_schema, view_name), create_policy.signals, create_policy.key,
			made.decision, made.label, made.access);
	EXCEPTION WHEN unique_violation THEN
		-- another's, which the user does not see
		RAISE EXCEPTION 'policy "%" already exists', policy USING ERRCODE = 'duplicate_object', HINT = 'assay.alter_policy() changes it.';
	END;
	INSERT INTO assay.revision (policy, revision, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify, on_unreadable)
	VALUES (create_policy.policy, 1, 'create policy', create_policy.prior, create_policy.thresholds,
		create_policy.default_verdict, create_policy.on_error, create_policy.log_signals, create_policy.search_path, create_policy.notify,
		create_policy.on_unreadable);
	IF partition IS NOT NULL THEN
		PERFORM assay_internal.store_partitioning(policy, partition, partition_by), assay.make_partitions(policy);
	END IF;
	PERFORM assay_internal.warn_open_schemas(search_path, c.relowner) FROM pg_class c WHERE c.oid = made.decision;
	PERFORM assay_internal.warn_of_missing_sets(signals);
	-- also an error where the owner can't trust the key's types
	PERFORM assay_internal.signals_relations(policy);
	RETURN 1;
END $$;
COMMENT ON FUNCTION assay.create_policy(text, regclass, text[], float8, jsonb, text, text, boolean, name, text, text[], text, boolean, text) IS
	'makes a policy over a signals view, with its tables <policy>_decision and <policy>_label; partition: the former by day, week or month of a time in the key; returns revision 1';

CREATE FUNCTION assay_internal.policy_views(p assay.policy, OUT oid oid) RETURNS SETOF oid LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	-- where it made them: what stood there with them may be gone, or moved
	SELECT c.oid FROM pg_class c
	WHERE c.relnamespace IN (SELECT t.relnamespace FROM pg_class t WHERE t.oid IN (p.decision, p.label, p.access))
		AND c.relkind = 'v' AND c.relname IN (p.policy || '_verdict', p.policy || '_label_latest', p.policy || '_policy')
		AND pg_get_userbyid(c.relowner) = p.owner
$$;
COMMENT ON FUNCTION assay_internal.policy_views(assay.policy) IS 'views that create_policy() made, as far as they are the owner''s';

CREATE FUNCTION assay_internal.policy_relations(p assay.policy, OUT oid oid) RETURNS SETOF oid LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT c.oid FROM pg_class c
	WHERE c.oid IN (p.decision, p.label, p.access, coalesce(to_regclass(p.signals), p.signals_view), assay_internal.review_table(p.policy, p.label),
		assay_internal.outbox_table(p.policy, p.label))
	UNION SELECT v.oid FROM assay_internal.policy_views(p) v
$$;
COMMENT ON FUNCTION assay_internal.policy_relations(assay.policy) IS 'the signals view of a policy, its tables, and the views over them';

CREATE FUNCTION assay_internal.give_policy(policy text, owner name) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
	relation regclass;
BEGIN
	SELECT * INTO STRICT p FROM assay.policy q WHERE q.policy = give_policy.policy;
	IF NOT assay_internal.may('owner', policy) THEN
		RAISE EXCEPTION 'must be owner of policy "%"', policy USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles o WHERE o.rolname = owner) THEN
		RAISE EXCEPTION 'role "%" does not exist', owner USING ERRCODE = 'undefined_object';
	END IF;
	FOR relation IN SELECT c.oid::regclass FROM pg_class c
		WHERE c.oid IN (SELECT r.oid FROM assay_internal.policy_relations(p) r)
			OR c.oid IN (SELECT t.relid FROM pg_partition_tree(p.decision) t)
	LOOP
		-- Its owner named it: that makes nothing of another's his to give.
		IF (SELECT pg_get_userbyid(c.relowner) NOT IN (p.owner, give_policy.owner) FROM pg_class c WHERE c.oid = relation) THEN
			RAISE EXCEPTION '% does not belong to the owner of policy "%"', relation, policy USING ERRCODE = 'insufficient_privilege',
				HINT = format('ALTER TABLE %s OWNER TO ...; if that is meant.', relation);
		END IF;
		EXECUTE format('ALTER TABLE %s OWNER TO %I', relation, owner);
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.give_policy(text, name) IS 'gives the view and the tables of a policy, and with them the policy, to another role';

CREATE FUNCTION assay.alter_policy(policy text, prior float8 DEFAULT NULL, thresholds jsonb DEFAULT NULL,
	default_verdict text DEFAULT NULL, on_error text DEFAULT NULL, owner name DEFAULT NULL,
	search_path text DEFAULT NULL, signals regclass DEFAULT NULL, notify text[] DEFAULT NULL, log_signals boolean DEFAULT NULL,
	on_unreadable text DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy := assay_internal.policy_for_change(policy);
	r assay.revision;
	made int;
BEGIN
	SELECT * INTO STRICT r FROM assay.revision v WHERE v.policy = alter_policy.policy ORDER BY v.revision DESC LIMIT 1;
	r.prior := coalesce(prior, r.prior);
	r.thresholds := coalesce(thresholds, r.thresholds);
	r.default_verdict := coalesce(default_verdict, r.default_verdict);
	r.on_error := coalesce(on_error, r.on_error);
	r.search_path := coalesce(search_path, r.search_path);
	r.notify := coalesce(notify, r.notify);
	r.log_signals := coalesce(log_signals, r.log_signals);
	r.on_unreadable := nullif(coalesce(on_unreadable, r.on_unreadable), '');
	PERFORM assay_internal.check_settings(r.prior, r.thresholds, r.default_verdict, r.on_error, r.notify, r.on_unreadable);
	IF search_path IS NOT NULL THEN
		PERFORM assay_internal.check_search_path(search_path);
	END IF;
	IF signals IS NOT NULL THEN
		IF NOT assay_internal.may('owner', policy) THEN
			RAISE EXCEPTION 'must be owner of policy "%"', policy USING ERRCODE = 'insufficient_privilege';
		END IF;
		PERFORM assay_internal.check_signals(signals);
		PERFORM assay_internal.check_key(signals, p.key);
		UPDATE assay.policy q SET signals_view = alter_policy.signals,
			signals = (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
				JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = alter_policy.signals)
		WHERE q.policy = alter_policy.policy;
	END IF;
	BEGIN
		INSERT INTO assay.revision (policy, revision, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify, on_unreadable)
		VALUES (r.policy, r.revision + 1, concat_ws(', ', 'alter policy', 'prior ' || prior, 'thresholds ' || thresholds::text,
			'default verdict ' || default_verdict, 'on_error ' || on_error, 'owner ' || owner, 'search_path ' || search_path,
			'signals ' || signals, 'notify ' || notify::text, 'log_signals ' || log_signals, 'on_unreadable ' || on_unreadable),
			r.prior, r.thresholds, r.default_verdict, r.on_error, r.log_signals, r.search_path, r.notify, r.on_unreadable)
		RETURNING revision INTO made;
	EXCEPTION WHEN unique_violation THEN
		-- made since our snapshot: only under REPEATABLE READ and SERIALIZABLE
		RAISE EXCEPTION 'policy "%" was changed by another transaction', policy USING ERRCODE = 'serialization_failure',
			HINT = 'Try again.';
	END;
	PERFORM assay_internal.check_verdicts(policy);
	IF search_path IS NOT NULL OR signals IS NOT NULL THEN
		PERFORM assay_internal.warn_unfit(policy);
	END IF;
	PERFORM assay_internal.warn_of_missing_sets(signals);
	IF owner IS NOT NULL THEN
		PERFORM assay_internal.give_policy(policy, owner);
	END IF;
	IF search_path IS NOT NULL OR owner IS NOT NULL THEN
		PERFORM assay_internal.warn_open_schemas(r.search_path, c.relowner) FROM pg_class c WHERE c.oid = p.decision;
	END IF;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.alter_policy(text, float8, jsonb, text, text, name, text, regclass, text[], boolean, text) IS
	'changes settings of a policy, in a new revision; what is NULL stays; '''' (on_unreadable) takes away; an owner becomes the owner of its view and tables too';

CREATE FUNCTION assay.drop_policy(policy text, drop_tables boolean DEFAULT false) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
	triggers text;
	views oid[];
	view oid;
	beside regclass;
BEGIN
	IF drop_tables IS NULL THEN
		RAISE EXCEPTION 'drop_tables must be true or false' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	p := assay_internal.policy_for_owner(policy);
	triggers := (SELECT string_agg(format('Trigger %I on table %s.', t.tgname, t.tgrelid::regclass), E'\n')
		FROM assay_internal.decide_triggers(policy, (SELECT c.relowner FROM pg_class c WHERE c.oid = p.decision)) t WHERE t.may_decide);
	IF triggers IS NOT NULL THEN
		RAISE EXCEPTION 'policy "%" still decides messages', policy USING ERRCODE = 'dependent_objects_still_exist',
			DETAIL = triggers, HINT = 'Drop the trigger first.';
	END IF;
	UPDATE assay_internal.dropped_policy d SET policy = NULL WHERE d.policy = p.policy;
	IF drop_tables THEN
		-- What stands there may be another's.
		IF EXISTS (SELECT FROM pg_class c WHERE c.oid IN (p.decision, p.label) AND pg_get_userbyid(c.relowner) <> p.owner) THEN
			RAISE EXCEPTION 'tables of policy "%" do not belong to its owner', policy USING ERRCODE = 'insufficient_privilege',
				HINT = 'Drop the policy without its tables.';
		END IF;
		-- Its own views go with them. What else reads them is the user's to drop.
		views := array(SELECT v.oid FROM assay_internal.policy_views(p) v);
		FOREACH view IN ARRAY views LOOP
			EXECUTE format('DROP VIEW %s', view::regclass);
		END LOOP;
		IF EXISTS (SELECT FROM pg_class c WHERE c.oid = p.decision) THEN
			EXECUTE format('DROP TABLE %s', p.decision);
		END IF;
		FOREACH beside IN ARRAY ARRAY[assay_internal.review_table(p.policy, p.label), assay_internal.outbox_table(p.policy, p.label)] LOOP
			IF beside IS NOT NULL THEN
				EXECUTE format('DROP TABLE %s', beside);
			END IF;
		END LOOP;
		IF EXISTS (SELECT FROM pg_class c WHERE c.oid = p.label) THEN
			EXECUTE format('DROP TABLE %s', p.label);
		END IF;
	END IF;
END $$;
COMMENT ON FUNCTION assay.drop_policy(text, boolean) IS
	'removes a policy and its history of revisions; its decision and label tables only when asked';

CREATE FUNCTION assay.create_detector(policy text, detector text, condition text DEFAULT NULL, model assay.model DEFAULT NULL,
	weight float8 DEFAULT 1.0, mode text DEFAULT 'shadow', force_verdict text DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL, rollout float8 DEFAULT 1.0, description text DEFAULT NULL,
	severity text DEFAULT NULL, tags text[] DEFAULT '{}', text_model text DEFAULT NULL, text text DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int;
BEGIN
	PERFORM assay_internal.check_parts(detector, condition, model, text_model, "text");
	PERFORM assay_internal.check_detector(detector, weight, mode, rollout, tags);
	made := assay_internal.new_revision(policy, format('create detector %s (%s)', detector, mode));
	IF EXISTS (SELECT FROM assay.detector d WHERE d.policy = create_detector.policy
			   AND d.detector = create_detector.detector AND d.until_revision IS NULL AND d.mode <> 'retired') THEN
		RAISE EXCEPTION 'policy "%" already has a detector "%"', policy, detector USING ERRCODE = 'duplicate_object',
			HINT = 'assay.alter_detector() changes it.';
	END IF;
	PERFORM assay_internal.check_condition(policy, condition, format('detector "%s"', detector), true);
	PERFORM assay_internal.warn_of_missing_sets(policy, condition, format('detector "%s"', detector));
	PERFORM assay_internal.check_model(policy, model);
	PERFORM assay_internal.check_text_model(policy, text_model, "text", format('detector "%s"', detector));
	PERFORM assay_internal.warn_of_missing_sets(policy, "text", format('detector "%s"', detector), true);
	PERFORM assay_internal.check_verdict(policy, force_verdict);
	IF condition IS NULL THEN
		INSERT INTO assay.detector_model VALUES (policy, detector, made, model, text_model, "text");
	END IF;
	UPDATE assay.detector d SET until_revision = made
	WHERE d.policy = create_detector.policy AND d.detector = create_detector.detector AND d.until_revision IS NULL;
	INSERT INTO assay.detector (policy, detector, from_revision, condition, model_revision, weight, mode, force_verdict,
		expires_at, rollout, severity, tags, description)
	VALUES (policy, detector, made, condition, CASE WHEN condition IS NULL THEN made END, weight, mode, force_verdict,
		expires_at, rollout, severity, coalesce(tags, '{}'), description);
	PERFORM assay_internal.check_size(policy);
	PERFORM assay_internal.notice_expired(format('detector "%s"', detector), expires_at);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.create_detector(text, text, text, assay.model, float8, text, text, timestamptz, float8, text, text, text[], text, text) IS
	'adds a detector, a condition over the signals, a model, or a text model over a text, in a new revision, whose number it returns';

CREATE FUNCTION assay.alter_detector(policy text, detector text, condition text DEFAULT NULL, model assay.model DEFAULT NULL,
	weight float8 DEFAULT NULL, mode text DEFAULT NULL, force_verdict text DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL, rollout float8 DEFAULT NULL, description text DEFAULT NULL,
	severity text DEFAULT NULL, tags text[] DEFAULT NULL, text_model text DEFAULT NULL, text text DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int;
	d assay.detector;
	m assay.detector_model;
	texts boolean := num_nonnulls(text_model, "text") > 0;
BEGIN
	IF num_nonnulls(condition, model, CASE WHEN texts THEN true END) > 1 THEN
		RAISE EXCEPTION 'detector "%" needs either a condition or a model', detector USING ERRCODE = 'invalid_parameter_value';
	END IF;
	made := assay_internal.new_revision(policy, concat_ws(', ', 'alter detector ' || detector,
		CASE WHEN condition IS NOT NULL THEN 'condition' END, CASE WHEN model IS NOT NULL THEN 'model' END,
		'text model ' || text_model, CASE WHEN "text" IS NOT NULL THEN 'text' END,
		'weight ' || weight, 'mode ' || mode, 'force_verdict ' || force_verdict, 'expires_at ' || expires_at,
		'rollout ' || rollout, CASE WHEN description IS NOT NULL THEN 'description' END, 'severity ' || severity,
		'tags ' || tags::text));
	UPDATE assay.detector o SET until_revision = made
	WHERE o.policy = alter_detector.policy AND o.detector = alter_detector.detector AND o.until_revision IS NULL
	RETURNING * INTO d;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no detector "%"', policy, detector USING ERRCODE = 'undefined_object',
			HINT = assay_internal.name_hint('detector', policy, detector);
	END IF;
	PERFORM assay_internal.check_detector(detector, coalesce(weight, d.weight), coalesce(mode, d.mode), coalesce(rollout, d.rollout), tags);
	PERFORM assay_internal.check_condition(policy, condition, format('detector "%s"', detector), true);
	PERFORM assay_internal.warn_of_missing_sets(policy, condition, format('detector "%s"', detector));
	PERFORM assay_internal.check_model(policy, model);
	SELECT * INTO m FROM assay.detector_model o WHERE o.policy = d.policy AND o.detector = d.detector AND o.revision = d.model_revision;
	IF texts THEN
		m.text_model := coalesce(alter_detector.text_model, m.text_model);
		m.content := coalesce("text", m.content);
		PERFORM assay_internal.check_parts(detector, NULL, NULL, m.text_model, m.content);
		PERFORM assay_internal.check_text_model(policy, m.text_model, m.content, format('detector "%s"', detector));
		PERFORM assay_internal.warn_of_missing_sets(policy, m.content, format('detector "%s"', detector), true);
	END IF;
	PERFORM assay_internal.check_verdict(policy, nullif(force_verdict, ''));
	-- The signals may have changed while it was out of use.
	IF mode <> 'retired' AND condition IS NULL AND model IS NULL AND NOT texts THEN
		BEGIN
			PERFORM assay_internal.check_condition(policy, d.condition, format('detector "%s"', detector), true);
			PERFORM assay_internal.check_text_model(policy, m.text_model, m.content, format('detector "%s"', detector));
			PERFORM assay_internal.warn_of_missing_sets(policy, m.content, format('detector "%s"', detector), true);
		EXCEPTION WHEN insufficient_privilege THEN
			-- The owner wrote it: who publishes promotes what he could not write.
			IF assay_internal.may('owner', policy) OR NOT assay_internal.may('publisher', policy) THEN
				RAISE;
			END IF;
		END;
		PERFORM assay_internal.check_model(policy, m.model);
		PERFORM assay_internal.check_verdict(policy, nullif(coalesce(force_verdict, d.force_verdict), ''));
	END IF;
	IF model IS NOT NULL OR texts THEN
		INSERT INTO assay.detector_model VALUES (policy, detector, made, model,
			CASE WHEN texts THEN m.text_model END, CASE WHEN texts THEN m.content END);
		d.condition := NULL;
		d.model_revision := made;
	ELSIF condition IS NOT NULL THEN
		d.condition := condition;
		d.model_revision := NULL;
	END IF;
	INSERT INTO assay.detector (policy, detector, from_revision, condition, model_revision, weight, mode, force_verdict,
		expires_at, rollout, severity, tags, description)
	VALUES (policy, detector, made, d.condition, d.model_revision, coalesce(weight, d.weight), coalesce(mode, d.mode),
		nullif(coalesce(force_verdict, d.force_verdict), ''), nullif(coalesce(expires_at, d.expires_at), 'infinity'),
		coalesce(rollout, d.rollout), nullif(coalesce(severity, d.severity), ''), coalesce(tags, d.tags), nullif(coalesce(description, d.description), ''));
	PERFORM assay_internal.check_size(policy);
	PERFORM assay_internal.notice_expired(format('detector "%s"', detector), expires_at);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.alter_detector(text, text, text, assay.model, float8, text, text, timestamptz, float8, text, text, text[], text, text) IS
	'changes a detector in a new revision; what is NULL stays; '''' (force_verdict, severity, description) and infinity (expires_at) take away';

CREATE FUNCTION assay.promote(policy text, detector text, revision int DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int;
	changed int;
BEGIN
	IF revision IS NOT NULL THEN
		PERFORM assay_internal.revision_for_reading(policy, revision);
	END IF;
	made := assay.alter_detector(policy, detector, mode => 'live');
	-- from now on nobody else changes the policy until the transaction ends
	SELECT max(d.from_revision) INTO changed FROM assay.detector d
	WHERE d.policy = promote.policy AND d.detector = promote.detector AND d.from_revision > promote.revision AND d.from_revision < made;
	IF changed IS NOT NULL THEN
		RAISE EXCEPTION 'detector "%" was changed in revision %', detector, changed USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = format('Look at it again, and promote it with revision => %s.', made - 1);
	END IF;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.promote(text, text, int) IS
	'makes a draft or shadow detector live; revision: the one in which it was looked at, an error where it was changed since';

CREATE FUNCTION assay.retire_detector(policy text, detector text) RETURNS int LANGUAGE sql
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay.alter_detector(policy, detector, mode => 'retired')
$$;
COMMENT ON FUNCTION assay.retire_detector(text, text) IS 'takes a detector out of use; its past stays';

CREATE FUNCTION assay.drop_detector(policy text, detector text) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := assay_internal.new_revision(policy, format('drop detector %s', detector));
	muted_by text;
BEGIN
	UPDATE assay.detector d SET until_revision = made
	WHERE d.policy = drop_detector.policy AND d.detector = drop_detector.detector AND d.until_revision IS NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no detector "%"', policy, detector USING ERRCODE = 'undefined_object',
			HINT = assay_internal.name_hint('detector', policy, detector);
	END IF;
	SELECT string_agg(format('"%s"', x.exclusion), ', ' ORDER BY x.exclusion) INTO muted_by FROM assay.exclusion x
	WHERE x.policy = drop_detector.policy AND x.until_revision IS NULL AND drop_detector.detector = ANY (x.mutes);
	IF muted_by IS NOT NULL THEN
		RAISE EXCEPTION 'detector "%" is muted by exclusion %', detector, muted_by USING ERRCODE = 'dependent_objects_still_exist',
			HINT = 'Drop or replace the exclusion first.';
	END IF;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.drop_detector(text, text) IS 'ends a detector, in a new revision; its past stays';

CREATE FUNCTION assay.create_guard(policy text, guard text, condition text, description text DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := assay_internal.new_revision(policy, format('create guard %s', guard));
BEGIN
	PERFORM assay_internal.check_guard(policy, guard, condition);
	PERFORM assay_internal.check_condition(policy, condition, format('guard "%s"', guard), false);
	PERFORM assay_internal.warn_of_missing_sets(policy, condition, format('guard "%s"', guard));
	UPDATE assay.guard g SET until_revision = made
	WHERE g.policy = create_guard.policy AND g.guard = create_guard.guard AND g.until_revision IS NULL;
	INSERT INTO assay.guard (policy, guard, from_revision, condition, description)
	VALUES (policy, guard, made, condition, description);
	PERFORM assay_internal.check_size(policy);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.create_guard(text, text, text, text) IS
	'makes or replaces a named condition that detectors and exclusions use like a boolean signal';

CREATE FUNCTION assay.exclude(policy text, exclusion text, condition text, mutes text[] DEFAULT NULL, verdict text DEFAULT NULL,
	reason text DEFAULT NULL, expires_at timestamptz DEFAULT NULL, decision_key text[] DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := assay_internal.new_revision(policy, format('exclude %s', exclusion));
BEGIN
	PERFORM assay_internal.check_exclusion(policy, exclusion, condition, mutes, verdict, reason, decision_key);
	PERFORM assay_internal.check_mutes(policy, mutes);
	PERFORM assay_internal.check_verdict(policy, verdict);
	PERFORM assay_internal.check_condition(policy, condition, format('exclusion "%s"', exclusion), true);
	PERFORM assay_internal.warn_of_missing_sets(policy, condition, format('exclusion "%s"', exclusion));
	IF decision_key IS NOT NULL AND NOT EXISTS (SELECT FROM assay.latest_decision(policy, decision_key)) THEN
		RAISE EXCEPTION 'policy "%" has no decision for (%)', policy, array_to_string(decision_key, ', ') USING ERRCODE = 'no_data_found',
			HINT = 'decision_key is the key of the decision that the exclusion came from.';
	END IF;
	UPDATE assay.exclusion x SET until_revision = made
	WHERE x.policy = exclude.policy AND x.exclusion = exclude.exclusion AND x.until_revision IS NULL;
	INSERT INTO assay.exclusion (policy, exclusion, from_revision, condition, mutes, verdict, reason, expires_at, decision_key)
	VALUES (policy, exclusion, made, condition, mutes, verdict, reason, expires_at, decision_key);
	PERFORM assay_internal.check_size(policy);
	PERFORM assay_internal.notice_expired(format('exclusion "%s"', exclusion), expires_at);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.exclude(text, text, text, text[], text, text, timestamptz, text[]) IS
	'makes or replaces an exclusion: where the condition holds, detectors are muted or a verdict is forced';

CREATE FUNCTION assay.drop_exclusion(policy text, exclusion text) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := assay_internal.new_revision(policy, format('drop exclusion %s', exclusion));
BEGIN
	UPDATE assay.exclusion x SET until_revision = made
	WHERE x.policy = drop_exclusion.policy AND x.exclusion = drop_exclusion.exclusion AND x.until_revision IS NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no exclusion "%"', policy, exclusion USING ERRCODE = 'undefined_object',
			HINT = assay_internal.name_hint('exclusion', policy, exclusion);
	END IF;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.drop_exclusion(text, text) IS 'ends an exclusion, in a new revision';

CREATE FUNCTION assay.signals_query(policy text, keys text[] DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'assay_signals_query' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.signals_query(text, text[]) IS
	'the query by which the trigger reads the signals of messages with these keys, for EXPLAIN; without keys, that of a row-level trigger, for PREPARE';

CREATE FUNCTION assay_internal.check_message_key(policy text, asked text, given text[], key text[]) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF cardinality(given) IS DISTINCT FROM cardinality(key) THEN
		RAISE EXCEPTION 'policy "%" identifies a message by (%)', policy, array_to_string(key, ', ') USING ERRCODE = 'invalid_parameter_value',
			HINT = format('Give a value for each, in that order: assay.%s(%L, %s).', asked, policy, (SELECT string_agg('<' || u.k || '>', ', ' ORDER BY u.n)
				FROM unnest(key) WITH ORDINALITY u(k, n)));
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_message_key(text, text, text[], text[]) IS 'error unless a function was given as many values as a policy''s key has';

CREATE FUNCTION assay.explain_decision(policy text, VARIADIC key text[],
	OUT step int, OUT evidence text, OUT contribution float8, OUT margin float8, OUT score real, OUT because text) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 20
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy := assay_internal.policy_for_reading(policy);
	d record;
	logged assay.logged_signals;
BEGIN
	PERFORM assay_internal.check_message_key(policy, 'explain_decision', key, p.key);
	FOR d IN SELECT * FROM assay.latest_decision(policy, key)
	LOOP
		-- A model whose contributions were not kept is explained now, where its signals were logged.
		IF EXISTS (SELECT FROM assay.ledger(d.attribution) l WHERE l.kind = 'model' AND l.fault IS NULL AND coalesce(jsonb_array_length(l.signals), 0) = 0) THEN
			SELECT s.signals INTO logged FROM assay_internal.latest_signals(policy, key) s WHERE s.revision = d.revision;
		END IF;
		RETURN QUERY
		WITH k AS (
			SELECT l.*, CASE WHEN l.kind = 'model' AND l.fault IS NULL AND logged IS NOT NULL AND coalesce(jsonb_array_length(l.signals), 0) = 0
				THEN assay_internal.explain_logged(explain_decision.policy, d.revision, l.detector, l.contribution, logged) END AS computed
			FROM assay.ledger(d.attribution) l
		), l AS (
			SELECT k.entry, k.detector, k.kind, k.counted, k.shadow, k.muted_by, k.forced, k.fault, k.contribution, k.computed,
				coalesce(k.computed, k.signals) AS signals, CASE WHEN k.counted THEN k.contribution ELSE 0 END AS effect
			FROM k
		), o AS (
			SELECT l.*, row_number() OVER w AS n, sum(l.effect) OVER w AS m
			FROM l WINDOW w AS (ORDER BY l.kind <> 'prior', l.kind = 'exclusion', NOT l.counted, abs(l.effect) DESC, l.entry)
		)
		SELECT o.n::int, o.detector, o.effect, o.m,
			(CASE WHEN o.m > -103 THEN 1 / (1 + exp(-least(o.m, 700))) ELSE 0 END)::real,
			concat_ws('; ',
				CASE o.kind WHEN 'prior' THEN 'log-odds before any evidence' WHEN 'signals' THEN 'signals could not be read'
					WHEN 'exclusion' THEN 'exclusion' END,
				CASE WHEN o.forced IS NOT NULL THEN 'forces the verdict ' || o.forced END,
				CASE WHEN o.muted_by IS NOT NULL THEN format('muted by exclusion %s (would add %s)', o.muted_by, round(o.contribution::numeric, 3)) END,
				CASE WHEN o.shadow AND o.fault IS NULL THEN format('shadow: would add %s', round(o.contribution::numeric, 3)) END,
				CASE WHEN o.fault = 'suspended' THEN 'suspended after repeated faults' WHEN o.fault IS NOT NULL THEN 'failed with SQLSTATE ' || o.fault END,
				(SELECT v.description FROM assay.detector v WHERE v.policy = p.policy AND v.detector = o.detector
				 AND v.from_revision <= d.revision AND (v.until_revision IS NULL OR v.until_revision > d.revision)),
				CASE jsonb_typeof(o.signals)
					WHEN 'object' THEN (SELECT string_agg(format('%s = %s', s.key, coalesce(s.value, 'NULL')), ', ') FROM jsonb_each_text(o.signals) s)
					-- a text model's tokens have no value
					WHEN 'array' THEN (SELECT string_agg(format(CASE WHEN s.value->>1 = '' THEN '%1$s (%3$s)' ELSE '%1$s = %2$s (%3$s)' END,
						s.value->>0, coalesce(s.value->>1, 'missing'),
						to_char((s.value->>2)::numeric, 'FMSG990.00')), ', ') FROM jsonb_array_elements(o.signals) s)
				END,
				CASE WHEN o.computed IS NOT NULL THEN 'computed now from the logged signals' END)
		FROM o
		UNION ALL
		SELECT count(*)::int + 1, '= ' || d.verdict, NULL, assay.margin(d.attribution), d.score,
			format('revision %s, decided %s%s', d.revision, d.decided_at, CASE WHEN assay.degraded(d.attribution) THEN ', degraded' ELSE '' END)
		FROM o
		ORDER BY 1;
		RETURN;
	END LOOP;
	RAISE EXCEPTION 'policy "%" has no decision for (%)', policy, array_to_string(key, ', ', 'NULL') USING ERRCODE = 'no_data_found',
		HINT = 'assay.backfill() decides messages that came before the trigger.';
END $$;
COMMENT ON FUNCTION assay.explain_decision(text, text[]) IS
	'why the latest decision about a message is as it is: prior, contributions by size, and the verdict';

-- views

CREATE FUNCTION assay_internal.policy_cache(OUT policy text, OUT revision int, OUT drafts boolean, OUT valid boolean,
	OUT live int, OUT shadow int, OUT exclusions int, OUT guards int, OUT bytes bigint, OUT triggers int, OUT plan_bytes bigint, OUT pins int, OUT uses bigint,
	OUT used_at timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_policy_cache' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION assay_internal.policy_cache() IS 'policies, of those that the user may see, that this backend keeps compiled';

CREATE VIEW assay.policy_cache AS
	SELECT c.policy, c.revision, c.drafts, c.valid, c.live, c.shadow, c.exclusions, c.guards, c.bytes, c.triggers, c.plan_bytes, c.pins, c.uses, c.used_at
	FROM assay_internal.policy_cache() c ORDER BY c.used_at DESC, c.policy COLLATE "C";
COMMENT ON VIEW assay.policy_cache IS
	'policies that this backend keeps compiled, most recently used first; bounded by assay.policy_cache_size';

CREATE VIEW assay.policies WITH (security_invoker) AS
	SELECT p.policy, p.owner, p.signals, p.key, r.revision, r.prior, r.thresholds, r.default_verdict, r.on_error, r.notify,
		count(d.detector) FILTER (WHERE d.mode = 'live') AS live,
		count(d.detector) FILTER (WHERE d.mode = 'shadow') AS shadow,
		count(d.detector) FILTER (WHERE d.mode = 'draft') AS draft,
		r.made_at AS changed_at, p.decision::regclass, p.label::regclass
	FROM assay.policy p
	JOIN LATERAL (SELECT * FROM assay.revision v WHERE v.policy = p.policy ORDER BY v.revision DESC LIMIT 1) r ON true
	LEFT JOIN assay.detector d ON d.policy = p.policy AND d.until_revision IS NULL
	GROUP BY p.policy, p.owner, p.signals, p.key, r.revision, r.prior, r.thresholds, r.default_verdict, r.on_error, r.notify, r.made_at, p.decision, p.label;
COMMENT ON VIEW assay.policies IS 'policies as they stand';

CREATE VIEW assay.detectors WITH (security_invoker) AS
	SELECT d.policy, d.detector, d.mode, d.weight, CASE WHEN d.condition IS NULL THEN 'model' ELSE 'rule' END AS kind,
		d.condition, d.force_verdict, d.expires_at, d.rollout, d.severity, d.tags, d.description, d.from_revision AS revision,
		m.text_model, m.content AS text
	FROM assay.detector d
	LEFT JOIN assay.detector_model m ON m.policy = d.policy AND m.detector = d.detector AND m.revision = d.model_revision
	WHERE d.until_revision IS NULL;
COMMENT ON VIEW assay.detectors IS 'detectors as they stand';

CREATE VIEW assay.exclusions WITH (security_invoker) AS
	SELECT x.policy, x.exclusion, x.condition, x.mutes, x.verdict, x.reason, x.expires_at,
		x.expires_at <= now() AS expired, x.decision_key, x.from_revision AS revision
	FROM assay.exclusion x WHERE x.until_revision IS NULL;
COMMENT ON VIEW assay.exclusions IS 'exclusions as they stand';

CREATE VIEW assay.revisions WITH (security_invoker) AS
	SELECT r.policy, r.revision, r.made_at, r.made_by, r.summary FROM assay.revision r;
COMMENT ON VIEW assay.revisions IS 'changes of policies: who, when, what';

GRANT SELECT ON assay.policies, assay.detectors, assay.exclusions, assay.revisions, assay.policy_cache TO PUBLIC;
