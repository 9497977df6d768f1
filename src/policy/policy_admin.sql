-- ---------------------------------------------------------------------------
-- policy, administration: checks, documents, differences, rollback
-- ---------------------------------------------------------------------------

-- private functions: checks, each with an error that says what to write instead

CREATE FUNCTION assay_internal.policy_for_change(policy text) RETURNS assay.policy LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
BEGIN
	PERFORM assay_internal.lock_policy(policy);
	SELECT * INTO p FROM assay.policy q WHERE q.policy = policy_for_change.policy;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', policy USING ERRCODE = 'undefined_object',
			HINT = assay_internal.policy_hint(policy, 'change');
	END IF;
	RETURN p;
END $$;
COMMENT ON FUNCTION assay_internal.policy_for_change(text) IS 'the policy, locked until the transaction ends; error unless the user may change it';

CREATE FUNCTION assay_internal.policy_for_owner(policy text) RETURNS assay.policy LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy := assay_internal.policy_for_change(policy);
BEGIN
	IF NOT assay_internal.may('owner', policy) THEN
		RAISE EXCEPTION 'must be owner of policy "%"', policy USING ERRCODE = 'insufficient_privilege';
	END IF;
	RETURN p;
END $$;
COMMENT ON FUNCTION assay_internal.policy_for_owner(text) IS 'the policy, locked until the transaction ends; error unless the user may act as its owner';

CREATE FUNCTION assay_internal.policy_for_reading(policy text) RETURNS assay.policy LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
BEGIN
	SELECT * INTO p FROM assay.policy q WHERE q.policy = policy_for_reading.policy;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', policy USING ERRCODE = 'undefined_object',
			HINT = assay_internal.policy_hint(policy, 'read');
	END IF;
	RETURN p;
END $$;
COMMENT ON FUNCTION assay_internal.policy_for_reading(text) IS 'the policy; error unless the user may read it';

CREATE FUNCTION assay_internal.check_span(since timestamptz, until timestamptz) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_check_span' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.check_span(timestamptz, timestamptz) IS 'error unless a time that was asked for has a beginning and an end, in that order';

CREATE FUNCTION assay_internal.revision_for_reading(policy text, revision int DEFAULT NULL) RETURNS assay.revision LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.revision;
BEGIN
	PERFORM assay_internal.policy_for_reading(policy);
	SELECT * INTO r FROM assay.revision v WHERE v.policy = revision_for_reading.policy
		AND (revision_for_reading.revision IS NULL OR v.revision = revision_for_reading.revision)
	ORDER BY v.revision DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no revision %', policy, revision USING ERRCODE = 'undefined_object',
			HINT = 'The view assay.revisions lists them.';
	END IF;
	RETURN r;
END $$;
COMMENT ON FUNCTION assay_internal.revision_for_reading(text, int) IS 'a revision of a policy, the current one for NULL; error when there is none';

CREATE FUNCTION assay.condition_names(condition text) RETURNS text[]
	AS 'MODULE_PATHNAME', 'assay_condition_names' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.condition_names(text) IS 'names of the signals and guards that a condition refers to, sorted';

CREATE FUNCTION assay_internal.check_detector(detector text, weight float8, mode text, rollout float8, tags text[]) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF coalesce(detector, '') = '' OR length(detector) > 200 THEN
		RAISE EXCEPTION 'a detector needs a name of 1 to 200 characters' USING ERRCODE = 'invalid_name';
	END IF;
	IF weight IS NULL OR NOT abs(weight) <= 1000 THEN
		RAISE EXCEPTION 'weight of detector "%" must be log-odds between -1000 and 1000, not %', detector, coalesce(weight::text, 'null')
			USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	IF mode IS NULL OR mode NOT IN ('draft', 'shadow', 'live', 'retired') THEN
		RAISE EXCEPTION 'mode of detector "%" must be draft, shadow, live or retired, not %', detector, coalesce('"' || mode || '"', 'null')
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'draft: replay only; shadow: recorded without effect; live: counted; retired: out of use.';
	END IF;
	IF rollout IS NULL OR NOT rollout BETWEEN 0 AND 1 THEN
		RAISE EXCEPTION 'rollout of detector "%" must be a share between 0 and 1, not %', detector, coalesce(rollout::text, 'null')
			USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	IF array_ndims(tags) > 1 OR array_position(tags, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'tags of detector "%" must be a plain list without nulls', detector USING ERRCODE = 'invalid_parameter_value';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_detector(text, float8, text, float8, text[]) IS 'error unless a detector can have these attributes';

CREATE FUNCTION assay_internal.notice_expired(what text, expires_at timestamptz) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF expires_at <= now() THEN
		RAISE NOTICE '% has expired already', what;
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.notice_expired(text, timestamptz) IS 'tells of what takes no part from the beginning';

CREATE FUNCTION assay_internal.check_guard(policy text, guard text, condition text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF coalesce(guard, '') = '' OR octet_length(guard) > 63 THEN
		RAISE EXCEPTION 'a guard needs a name of 1 to 63 bytes' USING ERRCODE = 'invalid_name',
			DETAIL = 'Conditions refer to it like to a column.';
	END IF;
	IF condition IS NULL THEN
		RAISE EXCEPTION 'guard "%" needs a condition', guard USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF EXISTS (SELECT FROM pg_attribute a JOIN assay.policy p ON a.attrelid = coalesce(to_regclass(p.signals), p.signals_view)
			   WHERE p.policy = check_guard.policy AND a.attname = guard AND a.attnum > 0 AND NOT a.attisdropped) THEN
		RAISE EXCEPTION 'guard "%" would hide the signal of that name', guard USING ERRCODE = 'duplicate_object';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_guard(text, text, text) IS 'error unless a policy can have a guard of that name';

CREATE FUNCTION assay_internal.check_exclusion(policy text, exclusion text, condition text, mutes text[], verdict text, reason text,
	decision_key text[]) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	key text[];
BEGIN
	IF coalesce(exclusion, '') = '' OR length(exclusion) > 200 THEN
		RAISE EXCEPTION 'an exclusion needs a name of 1 to 200 characters' USING ERRCODE = 'invalid_name';
	END IF;
	IF coalesce(cardinality(mutes), 0) = 0 AND verdict IS NULL THEN
		RAISE EXCEPTION 'exclusion "%" must mute detectors or force a verdict', exclusion USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Say mutes => ''{detector}'', or verdict => the name of a verdict.';
	END IF;
	IF array_ndims(mutes) > 1 OR array_position(mutes, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'mutes of exclusion "%" must be a plain list without nulls', exclusion USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF coalesce(reason, '') = '' OR condition IS NULL THEN
		RAISE EXCEPTION 'exclusion "%" needs a condition and a reason', exclusion USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT p.key INTO key FROM assay.policy p WHERE p.policy = check_exclusion.policy;
	IF cardinality(decision_key) <> cardinality(key) OR array_position(decision_key, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'policy "%" identifies a message by (%)', policy, array_to_string(key, ', ')
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The decision_key of exclusion "%s" has other elements.', exclusion);
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_exclusion(text, text, text, text[], text, text, text[]) IS 'error unless an exclusion can have these attributes';

CREATE FUNCTION assay_internal.check_search_path(search_path text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF coalesce(search_path, '') = '' THEN
		RAISE EXCEPTION 'a policy needs a search_path' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'The default is pg_catalog, assay, pg_temp.';
	END IF;
	-- set for this function only
	PERFORM pg_catalog.set_config('search_path', search_path, true), pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
END $$;
COMMENT ON FUNCTION assay_internal.check_search_path(text) IS 'error unless this can be a search_path';

-- Schemas of a search_path in which others may create, and who: a condition may come to mean what they put there.
CREATE FUNCTION assay_internal.open_schemas(search_path text, owner oid, OUT schema name, OUT roles text) RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT n.nspname, string_agg(DISTINCT coalesce(g.rolname, 'public'), ', ')
	FROM regexp_matches($1, '"((?:[^"]|"")*)"|([^,\s"]+)', 'g') m
	JOIN pg_namespace n ON n.nspname = CASE WHEN m[1] = '$user' OR m[2] = '$user' THEN pg_get_userbyid($2)::text
		ELSE coalesce(replace(m[1], '""', '"'), lower(m[2])) END
	CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
	LEFT JOIN pg_roles r ON r.oid = a.grantee
	-- whose members are the database's owner alone
	LEFT JOIN pg_roles g ON g.oid = CASE WHEN r.rolname = 'pg_database_owner' THEN (SELECT d.datdba FROM pg_database d WHERE d.datname = current_database())
		ELSE a.grantee END
	WHERE a.privilege_type = 'CREATE' AND (a.grantee = 0 OR NOT g.rolsuper AND NOT pg_has_role(g.oid, $2, 'USAGE'))
	GROUP BY n.nspname ORDER BY n.nspname
$$;
COMMENT ON FUNCTION assay_internal.open_schemas(text, oid) IS 'schemas of a search_path in which others than its owner may create';

CREATE FUNCTION assay_internal.warn_open_schemas(search_path text, owner oid) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o record;
BEGIN
	FOR o IN SELECT * FROM assay_internal.open_schemas(search_path, owner) LOOP
		RAISE WARNING 'others than the policy''s owner may create in schema "%" of the search_path: %', o.schema, o.roles
			USING DETAIL = 'A condition may then mean a function, an operator or a type of theirs, and be refused.',
				HINT = 'Leave it out and write functions with their schema, or REVOKE CREATE on it.';
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.warn_open_schemas(text, oid) IS 'warns of schemas of a search_path in which others may create';

CREATE FUNCTION assay_internal.check_verdicts(policy text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.revision := assay_internal.revision_for_reading(policy);
	f record;
BEGIN
	SELECT * INTO f FROM (
		SELECT format('detector "%s"', d.detector) AS what, d.force_verdict AS verdict FROM assay.detector d
		WHERE d.policy = r.policy AND d.until_revision IS NULL AND d.mode <> 'retired'
		UNION ALL
		SELECT format('exclusion "%s"', x.exclusion), x.verdict FROM assay.exclusion x
		WHERE x.policy = r.policy AND x.until_revision IS NULL) u
	WHERE u.verdict <> r.default_verdict AND NOT r.thresholds ? u.verdict
	ORDER BY u.what COLLATE "C" LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'policy "%" has no verdict "%"', policy, f.verdict USING ERRCODE = 'invalid_parameter_value',
			DETAIL = upper(left(f.what, 1)) || substr(f.what, 2) || ' forces it.',
			HINT = format('Its verdicts are %s.', (SELECT string_agg(v, ', ' ORDER BY n, v COLLATE "C") FROM (
				SELECT r.default_verdict, -1 UNION ALL SELECT t.key, t.value::float8 FROM jsonb_each_text(r.thresholds) t) k(v, n)));
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_verdicts(text) IS 'error unless all that detectors and exclusions force are verdicts of the policy';

CREATE FUNCTION assay_internal.check_mutes(policy text, mutes text[]) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	unknown text;
BEGIN
	SELECT m INTO unknown FROM unnest(mutes) m WHERE NOT EXISTS (SELECT FROM assay.detector d
		WHERE d.policy = check_mutes.policy AND d.detector = m AND d.until_revision IS NULL) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'policy "%" has no detector "%"', policy, unknown USING ERRCODE = 'undefined_object',
			HINT = assay_internal.name_hint('detector', policy, unknown);
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_mutes(text, text[]) IS 'error unless the policy has all these detectors';

-- A retired detector may name what is gone; that may be why it is retired.
CREATE FUNCTION assay_internal.check_policy(policy text, run boolean DEFAULT true) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT * FROM assay_internal.conditions(policy) LOOP
		BEGIN
			PERFORM assay_internal.check_condition(policy, c.condition, c.what, c.what NOT LIKE 'guard %', run), assay_internal.check_model(policy, c.model),
				assay_internal.check_text_model(policy, c.text_model, c.content, c.what, run);
		EXCEPTION WHEN insufficient_privilege THEN
			-- what its author may not write stands for the owner; what is new was refused as it was written
			IF assay_internal.may('owner', policy) THEN
				RAISE;
			END IF;
		END;
	END LOOP;
	PERFORM assay_internal.check_mutes(check_policy.policy, x.mutes) FROM assay.exclusion x WHERE x.policy = check_policy.policy AND x.until_revision IS NULL;
	PERFORM assay_internal.check_verdicts(check_policy.policy);
END $$;
COMMENT ON FUNCTION assay_internal.check_policy(text, boolean) IS 'error unless all conditions, models, mutes and verdicts of a policy are valid';

CREATE FUNCTION assay_internal.conditions(policy text, OUT what text, OUT condition text, OUT model assay.model, OUT text_model text, OUT content text) RETURNS SETOF record
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('guard "%s"', g.guard), g.condition, NULL::assay.model, NULL, NULL FROM assay.guard g
	WHERE g.policy = $1 AND g.until_revision IS NULL
	UNION ALL SELECT format('detector "%s"', d.detector), d.condition, m.model, m.text_model, m.content FROM assay.detector d
	LEFT JOIN assay.detector_model m ON m.policy = d.policy AND m.detector = d.detector AND m.revision = d.model_revision
	WHERE d.policy = $1 AND d.until_revision IS NULL AND d.mode <> 'retired'
	UNION ALL SELECT format('exclusion "%s"', x.exclusion), x.condition, NULL, NULL, NULL FROM assay.exclusion x
	WHERE x.policy = $1 AND x.until_revision IS NULL
$$;
COMMENT ON FUNCTION assay_internal.conditions(text) IS 'conditions and models of a policy as they stand, with the words for whose they are';

-- One of several outputs stood before that was refused, and decides as it did.
CREATE FUNCTION assay_internal.how_unfit(model assay.model, state text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN model IS NOT NULL AND state = '42809' THEN 'counts the first output' ELSE 'cannot be evaluated' END
$$;
COMMENT ON FUNCTION assay_internal.how_unfit(assay.model, text) IS 'what a condition or model that is found unfit does all the same';

CREATE FUNCTION assay_internal.warn_unfit(policy text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT * FROM assay_internal.conditions(policy) LOOP
		BEGIN
			PERFORM assay_internal.check_condition(policy, c.condition, c.what, c.what NOT LIKE 'guard %'), assay_internal.check_model(policy, c.model),
				assay_internal.check_text_model(policy, c.text_model, c.content, c.what);
		EXCEPTION WHEN OTHERS THEN
			-- what its author may not write stands for the owner
			CONTINUE WHEN SQLSTATE = '42501' AND NOT assay_internal.may('owner', policy);
			RAISE WARNING '% of policy "%" %: %', c.what, policy, assay_internal.how_unfit(c.model, SQLSTATE), SQLERRM;
		END;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.warn_unfit(text) IS 'warns of each condition and model of a policy that does not fit its signals and search_path';

CREATE FUNCTION assay_internal.guard_users(policy text, guard text) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(u.what, ' ' ORDER BY u.what COLLATE "C") FROM (
		SELECT format('Detector "%s" refers to it.', d.detector) AS what FROM assay.detector d
		WHERE d.policy = $1 AND d.until_revision IS NULL AND d.mode <> 'retired' AND $2 = ANY (assay.condition_names(d.condition))
		UNION ALL
		SELECT format('Exclusion "%s" refers to it.', x.exclusion) FROM assay.exclusion x
		WHERE x.policy = $1 AND x.until_revision IS NULL AND $2 = ANY (assay.condition_names(x.condition))) u
$$;
COMMENT ON FUNCTION assay_internal.guard_users(text, text) IS 'who refers to a guard, as sentences; NULL when nobody does';

-- documents

CREATE FUNCTION assay_internal.has_hits_index(decision regclass) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'gin'
		JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
			AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = 'assay.hits(assay.attribution)'::regprocedure
		WHERE i.indrelid = $1)
$$;
COMMENT ON FUNCTION assay_internal.has_hits_index(regclass) IS 'has a decision table an index of what hit?';

CREATE FUNCTION assay_internal.policy_state(policy text, revision int DEFAULT NULL, models boolean DEFAULT false) RETURNS jsonb LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	r assay.revision := assay_internal.revision_for_reading(policy, revision);
BEGIN
	RETURN (SELECT jsonb_build_object('pg_assay_policy', 1, 'policy', p.policy, 'signals', p.signals, 'key', to_jsonb(p.key),
			'log_signals', r.log_signals, 'index_hits', assay_internal.has_hits_index(p.decision),
			'partition', (SELECT t.period FROM assay.partitioning t WHERE t.policy = p.policy),
			'settings', jsonb_build_object('prior', r.prior, 'thresholds', r.thresholds, 'default_verdict', r.default_verdict,
				'on_error', r.on_error, 'search_path', r.search_path, 'notify', to_jsonb(r.notify), 'on_unreadable', r.on_unreadable),
			'guards', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', g.guard, 'condition', g.condition,
					'description', g.description) ORDER BY g.guard COLLATE "C"), '[]')
				FROM assay.guard g WHERE g.policy = p.policy
				AND g.from_revision <= r.revision AND (g.until_revision IS NULL OR g.until_revision > r.revision)),
			'detectors', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', d.detector, 'mode', d.mode, 'condition', d.condition,
					'model', CASE WHEN m.model IS NOT NULL THEN jsonb_build_object('digest', assay.model_digest(m.model))
						|| CASE WHEN models THEN jsonb_build_object('text', m.model::text) ELSE '{}' END END,
					'text_model', m.text_model, 'text', m.content,
					'weight', d.weight, 'force_verdict', d.force_verdict, 'expires_at', d.expires_at, 'rollout', d.rollout,
					'severity', d.severity, 'tags', d.tags, 'description', d.description) ORDER BY d.detector COLLATE "C"), '[]')
				FROM assay.detector d
				LEFT JOIN assay.detector_model m ON m.policy = d.policy AND m.detector = d.detector AND m.revision = d.model_revision
				WHERE d.policy = p.policy
				AND d.from_revision <= r.revision AND (d.until_revision IS NULL OR d.until_revision > r.revision)),
			'exclusions', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', x.exclusion, 'condition', x.condition,
					'mutes', x.mutes, 'verdict', x.verdict, 'reason', x.reason, 'expires_at', x.expires_at,
					'decision_key', x.decision_key) ORDER BY x.exclusion COLLATE "C"), '[]')
				FROM assay.exclusion x WHERE x.policy = p.policy
				AND x.from_revision <= r.revision AND (x.until_revision IS NULL OR x.until_revision > r.revision)))
		FROM assay.policy p WHERE p.policy = r.policy);
END $$;
COMMENT ON FUNCTION assay_internal.policy_state(text, int, boolean) IS 'a revision as one document, with every attribute, nulls and defaults too';

CREATE FUNCTION assay_internal.document_diff(policy text, before jsonb, after jsonb,
	OUT kind text, OUT name text, OUT attribute text, OUT old text, OUT new text) RETURNS SETOF record LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH side AS (
		SELECT true AS is_new, after AS document UNION ALL SELECT false, before
	), flat AS (
		SELECT s.is_new, 1 AS rank, 'policy' AS kind, policy AS name, a.key AS attribute, a.value #>> '{}' AS value
		FROM side s, jsonb_each(s.document->'settings') a
		UNION ALL
		SELECT s.is_new, k.rank, k.kind, e.item->>'name', a.key,
			CASE WHEN a.key = 'model' THEN a.value->>'digest' ELSE a.value #>> '{}' END
		FROM side s, (VALUES (2, 'guard', 'guards'), (3, 'detector', 'detectors'), (4, 'exclusion', 'exclusions')) k(rank, kind, list),
			jsonb_array_elements(s.document->k.list) e(item), jsonb_each(e.item - 'name') a
	)
	SELECT kind, name, attribute, o.value, n.value
	FROM (SELECT * FROM flat WHERE NOT is_new) o
	FULL JOIN (SELECT * FROM flat WHERE is_new) n USING (rank, kind, name, attribute)
	WHERE o.value IS DISTINCT FROM n.value
	ORDER BY rank, name COLLATE "C", attribute COLLATE "C"
$$;
COMMENT ON FUNCTION assay_internal.document_diff(text, jsonb, jsonb) IS 'what differs between two states of a policy, an attribute a row';

CREATE FUNCTION assay_internal.document_item(item jsonb, what text, attributes jsonb) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	a record;
	expected text;
	given text;
BEGIN
	IF jsonb_typeof(item) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'policy document: % must be an object', what USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR a IN SELECT e.key, e.value FROM jsonb_each(item) e ORDER BY e.key COLLATE "C" LOOP
		expected := attributes->>a.key;
		IF expected IS NULL THEN
			RAISE EXCEPTION 'policy document: % cannot have "%"', what, a.key USING ERRCODE = 'invalid_parameter_value',
				HINT = format('It may have %s.', (SELECT string_agg(k, ', ' ORDER BY k COLLATE "C") FROM jsonb_object_keys(attributes) k));
		END IF;
		given := jsonb_typeof(a.value);
		IF expected = 'strings' AND given = 'array'
			AND NOT EXISTS (SELECT FROM jsonb_array_elements(a.value) e(v) WHERE jsonb_typeof(e.v) <> 'string') THEN
			given := 'strings';
		END IF;
		IF given <> expected AND given <> 'null' THEN
			RAISE EXCEPTION 'policy document: "%" of % must be %', a.key, what,
				CASE expected WHEN 'strings' THEN 'an array of strings' WHEN 'array' THEN 'an array'
					WHEN 'object' THEN 'an object' ELSE 'a ' || expected END
				USING ERRCODE = 'invalid_parameter_value';
		END IF;
		IF given = 'number' AND abs(a.value::numeric) > 1e300 THEN
			RAISE EXCEPTION 'policy document: "%" of % is out of range', a.key, what USING ERRCODE = 'numeric_value_out_of_range';
		END IF;
	END LOOP;
	IF attributes ? 'name' AND coalesce(item->>'name', '') = '' THEN
		RAISE EXCEPTION 'policy document: % has no name', what USING ERRCODE = 'invalid_parameter_value';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.document_item(jsonb, text, jsonb) IS 'error unless an object of a document has just these attributes, of these types';

CREATE FUNCTION assay_internal.document_list(document jsonb, list text, what text, attributes jsonb) RETURNS SETOF jsonb LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	item jsonb;
	n int := 0;
	seen jsonb := '{}';
BEGIN
	IF coalesce(jsonb_typeof(document->list), 'null') = 'null' THEN
		RETURN;
	END IF;
	FOR item IN SELECT e FROM jsonb_array_elements(document->list) e LOOP
		n := n + 1;
		PERFORM assay_internal.document_item(item, CASE WHEN jsonb_typeof(item->'name') = 'string'
			THEN format('%s "%s"', what, item->>'name') ELSE format('%s number %s', what, n) END, attributes);
		IF seen ? (item->>'name') THEN
			RAISE EXCEPTION 'policy document has two of % "%"', what, item->>'name' USING ERRCODE = 'duplicate_object';
		END IF;
		seen := seen || jsonb_build_object(item->>'name', true);
		RETURN NEXT item;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.document_list(jsonb, text, text, jsonb) IS 'the checked items of a list in a document';

CREATE FUNCTION assay_internal.document_time(item jsonb, what text) RETURNS timestamptz LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
	RETURN (item->>'expires_at')::timestamptz;
EXCEPTION WHEN data_exception THEN
	RAISE EXCEPTION 'policy document: "expires_at" of % "%" must be a time, not "%"', what, item->>'name', item->>'expires_at'
		USING ERRCODE = 'invalid_datetime_format', HINT = 'Write it as 2026-12-31T00:00:00+00:00.';
END $$;
COMMENT ON FUNCTION assay_internal.document_time(jsonb, text) IS 'when an item of a document expires';

-- the same with every attribute in its canonical form, as policy_state() has it
CREATE FUNCTION assay_internal.read_document(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	settings jsonb;
	d jsonb;
BEGIN
	IF document IS NULL THEN
		RAISE EXCEPTION 'policy document is null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF jsonb_typeof(document) <> 'object' OR NOT document ? 'pg_assay_policy' THEN
		RAISE EXCEPTION 'this is not a policy document' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'assay.policy_export() makes one; it says "pg_assay_policy": 1.';
	END IF;
	IF document->'pg_assay_policy' <> '1' THEN
		RAISE EXCEPTION 'policy document is of version %, which this release does not read', document->>'pg_assay_policy'
			USING ERRCODE = 'feature_not_supported', HINT = 'Versions that it reads: 1.';
	END IF;
	PERFORM assay_internal.document_item(document, 'the document', '{"pg_assay_policy": "number", "policy": "string", "signals": "string",
		"key": "strings", "log_signals": "boolean", "index_hits": "boolean", "partition": "string", "settings": "object", "guards": "array", "detectors": "array", "exclusions": "array"}');
	settings := document->'settings';
	IF coalesce(jsonb_typeof(settings), 'null') = 'null' THEN
		RAISE EXCEPTION 'policy document has no settings' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM assay_internal.document_item(settings, '"settings"', '{"prior": "number", "thresholds": "object", "default_verdict": "string",
		"on_error": "string", "search_path": "string", "notify": "strings", "on_unreadable": "string"}');
	settings := '{"prior": -4, "thresholds": {"suspicious": 0.5, "malicious": 0.9}, "default_verdict": "safe",
		"on_error": "degrade", "search_path": "pg_catalog, assay, pg_temp", "notify": [], "on_unreadable": null}' || jsonb_strip_nulls(settings);
	settings := jsonb_set(settings, '{prior}', to_jsonb((settings->>'prior')::float8));

	FOR d IN SELECT * FROM assay_internal.document_list(document, 'detectors', 'detector', '{"name": "string", "mode": "string",
		"condition": "string", "model": "object", "text_model": "string", "text": "string", "weight": "number", "force_verdict": "string", "expires_at": "string",
		"rollout": "number", "severity": "string", "tags": "strings", "description": "string"}')
	LOOP
		IF coalesce(jsonb_typeof(d->'model'), 'null') <> 'null' THEN
			PERFORM assay_internal.document_item(d->'model', format('the model of detector "%s"', d->>'name'), '{"digest": "string", "text": "string"}');
			IF coalesce(d#>>'{model,digest}', d#>>'{model,text}') IS NULL THEN
				RAISE EXCEPTION 'policy document: the model of detector "%" needs a text or a digest', d->>'name'
					USING ERRCODE = 'invalid_parameter_value';
			END IF;
		END IF;
		IF num_nonnulls(d->>'condition', d->>'model', d->>'text_model') <> 1 OR (d->>'text_model' IS NULL) <> (d->>'text' IS NULL) THEN
			RAISE EXCEPTION 'detector "%" needs either a condition or a model', d->>'name' USING ERRCODE = 'invalid_parameter_value',
				HINT = 'A model is one of "model", and "text_model" with "text".';
		END IF;
	END LOOP;

	RETURN jsonb_build_object('pg_assay_policy', 1, 'policy', document->'policy', 'signals', document->'signals', 'key', document->'key',
		'log_signals', coalesce((document->>'log_signals')::boolean, false), 'index_hits', coalesce((document->>'index_hits')::boolean, false),
		'partition', document->'partition', 'settings', settings,
		'guards', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', g->'name', 'condition', g->'condition',
				'description', g->'description') ORDER BY g->>'name' COLLATE "C"), '[]')
			FROM assay_internal.document_list(document, 'guards', 'guard',
				'{"name": "string", "condition": "string", "description": "string"}') g),
		'detectors', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', e->'name', 'mode', coalesce(e->>'mode', 'shadow'),
				'condition', e->'condition', 'model', CASE WHEN e->>'model' IS NOT NULL THEN
					jsonb_build_object('digest', coalesce(e#>>'{model,digest}', assay.model_digest((e#>>'{model,text}')::assay.model)))
					|| jsonb_strip_nulls(jsonb_build_object('text', e#>'{model,text}')) END,
				'text_model', e->'text_model', 'text', e->'text',
				'weight', coalesce((e->>'weight')::float8, 1), 'force_verdict', e->'force_verdict',
				'expires_at', assay_internal.document_time(e, 'detector'), 'rollout', coalesce((e->>'rollout')::float8, 1),
				'severity', e->'severity', 'tags', coalesce(nullif(e->'tags', 'null'), '[]'),
				'description', e->'description') ORDER BY e->>'name' COLLATE "C"), '[]')
			FROM jsonb_array_elements(nullif(document->'detectors', 'null')) e),
		'exclusions', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', x->'name', 'condition', x->'condition', 'mutes', x->'mutes',
				'verdict', x->'verdict', 'reason', x->'reason', 'expires_at', assay_internal.document_time(x, 'exclusion'),
				'decision_key', x->'decision_key') ORDER BY x->>'name' COLLATE "C"), '[]')
			FROM assay_internal.document_list(document, 'exclusions', 'exclusion', '{"name": "string", "condition": "string", "mutes": "strings",
				"verdict": "string", "reason": "string", "expires_at": "string", "decision_key": "strings"}') x));
END $$;
COMMENT ON FUNCTION assay_internal.read_document(jsonb) IS 'a policy document, checked by itself, with every attribute in its canonical form';

-- the one place where a revision is made as a whole

CREATE FUNCTION assay_internal.apply_state(policy text, summary text, settings jsonb, guards assay.guard[], detectors assay.detector[],
	models assay.detector_model[], exclusions assay.exclusion[]) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
	made int;
BEGIN
	BEGIN
		INSERT INTO assay.revision (policy, revision, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify, on_unreadable)
		SELECT r.policy, r.revision + 1, apply_state.summary, (settings->>'prior')::float8, settings->'thresholds',
			settings->>'default_verdict', settings->>'on_error', r.log_signals, settings->>'search_path',
			array(SELECT jsonb_array_elements_text(settings->'notify')), settings->>'on_unreadable'
		FROM assay.revision r WHERE r.policy = apply_state.policy ORDER BY r.revision DESC LIMIT 1
		RETURNING revision INTO STRICT made;
	EXCEPTION WHEN unique_violation THEN
		-- made since our snapshot: only under REPEATABLE READ and SERIALIZABLE
		RAISE EXCEPTION 'policy "%" was changed by another transaction', policy USING ERRCODE = 'serialization_failure',
			HINT = 'Try again.';
	END;

	UPDATE assay.guard g SET until_revision = made
	WHERE g.policy = apply_state.policy AND g.until_revision IS NULL
		AND NOT EXISTS (SELECT FROM unnest(guards) n WHERE n.guard = g.guard
			AND (n.condition, n.description) IS NOT DISTINCT FROM (g.condition, g.description));
	INSERT INTO assay.guard (policy, guard, from_revision, condition, description)
	SELECT apply_state.policy, n.guard, made, n.condition, n.description FROM unnest(guards) n
	WHERE NOT EXISTS (SELECT FROM assay.guard g WHERE g.policy = apply_state.policy AND g.guard = n.guard AND g.until_revision IS NULL);

	-- a model that this revision brings has revision 0 in what is given
	INSERT INTO assay.detector_model (policy, detector, revision, model, text_model, content)
	SELECT apply_state.policy, m.detector, made, m.model, m.text_model, m.content FROM unnest(models) m;
	UPDATE assay.detector d SET until_revision = made
	WHERE d.policy = apply_state.policy AND d.until_revision IS NULL
		AND NOT EXISTS (SELECT FROM unnest(detectors) n WHERE n.detector = d.detector
			AND (n.condition, n.model_revision, n.weight, n.mode, n.force_verdict, n.expires_at, n.rollout, n.severity, n.tags, n.description)
				IS NOT DISTINCT FROM
				(d.condition, d.model_revision, d.weight, d.mode, d.force_verdict, d.expires_at, d.rollout, d.severity, d.tags, d.description));
	INSERT INTO assay.detector (policy, detector, from_revision, condition, model_revision, weight, mode, force_verdict,
		expires_at, rollout, severity, tags, description)
	SELECT apply_state.policy, n.detector, made, n.condition, CASE WHEN n.model_revision = 0 THEN made ELSE n.model_revision END,
		n.weight, n.mode, n.force_verdict, n.expires_at, n.rollout, n.severity, n.tags, n.description
	FROM unnest(detectors) n
	WHERE NOT EXISTS (SELECT FROM assay.detector d WHERE d.policy = apply_state.policy AND d.detector = n.detector AND d.until_revision IS NULL);

	UPDATE assay.exclusion x SET until_revision = made
	WHERE x.policy = apply_state.policy AND x.until_revision IS NULL
		AND NOT EXISTS (SELECT FROM unnest(exclusions) n WHERE n.exclusion = x.exclusion
			AND (n.condition, n.mutes, n.verdict, n.reason, n.expires_at, n.decision_key)
				IS NOT DISTINCT FROM (x.condition, x.mutes, x.verdict, x.reason, x.expires_at, x.decision_key));
	INSERT INTO assay.exclusion (policy, exclusion, from_revision, condition, mutes, verdict, reason, expires_at, decision_key)
	SELECT apply_state.policy, n.exclusion, made, n.condition, n.mutes, n.verdict, n.reason, n.expires_at, n.decision_key
	FROM unnest(exclusions) n
	WHERE NOT EXISTS (SELECT FROM assay.exclusion x WHERE x.policy = apply_state.policy AND x.exclusion = n.exclusion AND x.until_revision IS NULL);
	PERFORM assay_internal.check_size(policy);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay_internal.apply_state(text, text, jsonb, assay.guard[], assay.detector[], assay.detector_model[], assay.exclusion[]) IS
	'makes a revision in which the policy is as given; what does not differ stays untouched';

-- functions

CREATE FUNCTION assay.policy_diff(policy text, revision_a int, revision_b int DEFAULT NULL,
	OUT kind text, OUT name text, OUT attribute text, OUT old text, OUT new text) RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT d.* FROM assay_internal.document_diff(policy, assay_internal.policy_state(policy, revision_a), assay_internal.policy_state(policy, revision_b)) d
$$;
COMMENT ON FUNCTION assay.policy_diff(text, int, int) IS
	'what differs between two revisions of a policy, an attribute a row; NULL is the current revision';

CREATE FUNCTION assay.rollback_policy(policy text, revision int) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.revision;
	made int;
BEGIN
	PERFORM assay_internal.policy_for_change(policy);
	IF revision IS NULL THEN
		RAISE EXCEPTION 'a rollback needs a revision' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'The view assay.revisions lists them.';
	END IF;
	r := assay_internal.revision_for_reading(policy, revision);
	IF NOT EXISTS (SELECT FROM assay.policy_diff(policy, revision)) THEN
		made := (assay_internal.revision_for_reading(policy)).revision;
		RAISE NOTICE 'policy "%" is as at revision % already', policy, revision;
		RETURN made;
	END IF;
	made := assay_internal.apply_state(policy, format('roll back to revision %s', revision), to_jsonb(r),
		(SELECT array_agg(g) FROM assay.guard g WHERE g.policy = r.policy
		 AND g.from_revision <= r.revision AND (g.until_revision IS NULL OR g.until_revision > r.revision)),
		(SELECT array_agg(d) FROM assay.detector d WHERE d.policy = r.policy
		 AND d.from_revision <= r.revision AND (d.until_revision IS NULL OR d.until_revision > r.revision)),
		NULL,
		(SELECT array_agg(x) FROM assay.exclusion x WHERE x.policy = r.policy
		 AND x.from_revision <= r.revision AND (x.until_revision IS NULL OR x.until_revision > r.revision)));
	-- A way back must stay open: what no longer fits is told, and faults like any other.
	PERFORM assay_internal.warn_unfit(policy);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.rollback_policy(text, int) IS
	'makes a new revision that equals an older one, models and settings included, and returns its number';

CREATE FUNCTION assay.policy_export(policy text, revision int DEFAULT NULL, models boolean DEFAULT true) RETURNS jsonb LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	state jsonb := assay_internal.policy_state(policy, revision, models);
BEGIN
	-- what has its default goes without saying
	RETURN jsonb_strip_nulls(state) || jsonb_build_object('detectors',
		(SELECT coalesce(jsonb_agg(jsonb_strip_nulls(d) - CASE WHEN d->'rollout' = '1' THEN 'rollout' ELSE '' END
			- CASE WHEN d->'tags' = '[]' THEN 'tags' ELSE '' END ORDER BY n), '[]')
		 FROM jsonb_array_elements(state->'detectors') WITH ORDINALITY e(d, n)));
END $$;
COMMENT ON FUNCTION assay.policy_export(text, int, boolean) IS
	'a policy as one JSON document for version control: settings, guards, detectors, exclusions; models => false leaves the models'' text out';

CREATE FUNCTION assay.policy_import(document jsonb, policy text DEFAULT NULL, dry_run boolean DEFAULT true,
	OUT kind text, OUT name text, OUT attribute text, OUT old text, OUT new text) RETURNS SETOF record LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
#variable_conflict use_column
DECLARE
	wanted jsonb := assay_internal.read_document(document);
	target text := coalesce(policy_import.policy, wanted->>'policy');
	settings jsonb := wanted->'settings';
	made int;
	diff jsonb;
	existing boolean;
	tried boolean := false;
	d record;
	parsed assay.model;
	models assay.detector_model[];
	detectors assay.detector[];
BEGIN
	IF dry_run IS NULL THEN
		RAISE EXCEPTION 'dry_run must be true or false' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF target IS NULL THEN
		RAISE EXCEPTION 'policy document names no policy' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Give its name as the second argument.';
	END IF;
	-- A dry run does all that a real one does, and takes it back.
	BEGIN
		existing := EXISTS (SELECT FROM assay.policy p WHERE p.policy = target);
		IF existing THEN
			PERFORM assay_internal.policy_for_change(target);
		ELSE
			IF wanted->>'signals' IS NULL OR wanted->>'key' IS NULL THEN
				RAISE EXCEPTION 'policy "%" does not exist, and the document does not say its signals and key', target
					USING ERRCODE = 'undefined_object', HINT = 'assay.create_policy() makes one.';
			END IF;
			PERFORM assay.create_policy(target, (wanted->>'signals')::regclass, array(SELECT jsonb_array_elements_text(wanted->'key')),
				prior => (settings->>'prior')::float8, thresholds => settings->'thresholds', default_verdict => settings->>'default_verdict',
				on_error => settings->>'on_error', log_signals => (wanted->>'log_signals')::boolean, index_hits => (wanted->>'index_hits')::boolean, search_path => settings->>'search_path',
				notify => array(SELECT jsonb_array_elements_text(settings->'notify')), on_unreadable => settings->>'on_unreadable', partition => wanted->>'partition');
		END IF;
		PERFORM assay_internal.check_settings((settings->>'prior')::float8, settings->'thresholds', settings->>'default_verdict', settings->>'on_error',
			array(SELECT jsonb_array_elements_text(settings->'notify')), settings->>'on_unreadable');
		PERFORM assay_internal.check_search_path(settings->>'search_path');
		IF existing THEN
			PERFORM assay_internal.warn_open_schemas(settings->>'search_path', c.relowner) FROM assay.policy p JOIN pg_class c ON c.oid = p.decision
			WHERE p.policy = target;
		END IF;

		SELECT jsonb_agg(to_jsonb(f) ORDER BY f.n) INTO diff
		FROM assay_internal.document_diff(target, CASE WHEN existing THEN assay_internal.policy_state(target) END, wanted)
			WITH ORDINALITY f(kind, name, attribute, old, new, n);

		IF diff IS NOT NULL THEN
			-- models: those that the policy has had, by their digest, or from their text
			FOR d IN SELECT e->>'name' AS detector, e#>>'{model,digest}' AS digest, e#>>'{model,text}' AS text
				FROM jsonb_array_elements(wanted->'detectors') e WHERE e->>'model' IS NOT NULL
			LOOP
				IF EXISTS (SELECT FROM assay.detector_model m WHERE m.policy = target AND m.detector = d.detector
						   AND assay.model_digest(m.model) = d.digest) THEN
					CONTINUE;
				END IF;
				IF d.text IS NULL THEN
					RAISE EXCEPTION 'the document leaves out the model of detector "%", which policy "%" never had', d.detector, target
						USING ERRCODE = 'undefined_object', DETAIL = format('Its digest is %s.', d.digest),
							  HINT = 'Export the policy with models => true.';
				END IF;
				parsed := d.text::assay.model;
				IF assay.model_digest(parsed) <> d.digest THEN
					RAISE EXCEPTION 'the model of detector "%" is not the one that its digest says', d.detector
						USING ERRCODE = 'data_corrupted', DETAIL = format('It has %s.', assay.model_digest(parsed)),
							  HINT = 'If the model was changed on purpose, leave the digest out.';
				END IF;
				models := models || ROW(target, d.detector, 0, parsed, NULL, NULL)::assay.detector_model;
			END LOOP;
			models := models || (SELECT array_agg(ROW(target, e->>'name', 0, NULL, e->>'text_model', e->>'text')::assay.detector_model)
				FROM jsonb_array_elements(wanted->'detectors') e WHERE e->>'text_model' IS NOT NULL
				AND NOT EXISTS (SELECT FROM assay.detector_model m WHERE m.policy = target AND m.detector = e->>'name'
					AND m.text_model = e->>'text_model' AND m.content = e->>'text'));

			detectors := (SELECT array_agg(ROW(target, e->>'name', 0, NULL, e->>'condition', CASE WHEN e->>'condition' IS NULL THEN
					coalesce((SELECT max(m.revision) FROM assay.detector_model m
						WHERE m.policy = target AND m.detector = e->>'name' AND (assay.model_digest(m.model) = e#>>'{model,digest}'
							OR m.text_model = e->>'text_model' AND m.content = e->>'text')), 0) END,
					(e->>'weight')::float8, e->>'mode', e->>'force_verdict', (e->>'expires_at')::timestamptz,
					(e->>'rollout')::float8, e->>'severity', array(SELECT jsonb_array_elements_text(e->'tags')),
					e->>'description')::assay.detector)
				FROM jsonb_array_elements(wanted->'detectors') e);
			PERFORM assay_internal.check_detector(d.detector, d.weight, d.mode, d.rollout, d.tags) FROM unnest(detectors) d;
			PERFORM assay_internal.check_guard(target, e->>'name', e->>'condition') FROM jsonb_array_elements(wanted->'guards') e;
			PERFORM assay_internal.check_exclusion(target, e->>'name', e->>'condition',
					CASE WHEN e->>'mutes' IS NOT NULL THEN array(SELECT jsonb_array_elements_text(e->'mutes')) END, e->>'verdict', e->>'reason',
					CASE WHEN e->>'decision_key' IS NOT NULL THEN array(SELECT jsonb_array_elements_text(e->'decision_key')) END)
			FROM jsonb_array_elements(wanted->'exclusions') e;

			made := assay_internal.apply_state(target, left('import: ' || (SELECT string_agg(DISTINCT format('%s %s', f->>'kind', f->>'name'), ', ')
					FROM jsonb_array_elements(diff) f), 1000),
				settings,
				(SELECT array_agg(ROW(target, e->>'name', 0, NULL, e->>'condition', e->>'description')::assay.guard)
				 FROM jsonb_array_elements(wanted->'guards') e),
				detectors, models,
				(SELECT array_agg(ROW(target, e->>'name', 0, NULL, e->>'condition',
						CASE WHEN e->>'mutes' IS NOT NULL THEN array(SELECT jsonb_array_elements_text(e->'mutes')) END, e->>'verdict', e->>'reason',
						(e->>'expires_at')::timestamptz,
						CASE WHEN e->>'decision_key' IS NOT NULL THEN array(SELECT jsonb_array_elements_text(e->'decision_key')) END)::assay.exclusion)
				 FROM jsonb_array_elements(wanted->'exclusions') e));
			-- What a document says is run only when it is wanted.
			PERFORM assay_internal.check_policy(target, NOT dry_run);
		END IF;
		IF dry_run THEN
			tried := true;
			RAISE EXCEPTION USING ERRCODE = 'PA001';
		END IF;
	EXCEPTION WHEN SQLSTATE 'PA001' THEN
		IF NOT tried THEN
			RAISE;
		END IF;
	END;
	RETURN QUERY SELECT f.* FROM jsonb_to_recordset(diff) AS f(kind text, name text, attribute text, old text, new text);
END $$;
COMMENT ON FUNCTION assay.policy_import(jsonb, text, boolean) IS
	'makes a policy as a document says, in one new revision, and returns what changes; by default only tries (dry_run)';

CREATE FUNCTION assay.drop_guard(policy text, guard text) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := assay_internal.new_revision(policy, format('drop guard %s', guard));
	users text;
BEGIN
	users := assay_internal.guard_users(policy, guard);
	UPDATE assay.guard g SET until_revision = made
	WHERE g.policy = drop_guard.policy AND g.guard = drop_guard.guard AND g.until_revision IS NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no guard "%"', policy, guard USING ERRCODE = 'undefined_object',
			HINT = assay_internal.name_hint('guard', policy, guard);
	END IF;
	IF users IS NOT NULL THEN
		RAISE EXCEPTION 'guard "%" is in use', guard USING ERRCODE = 'dependent_objects_still_exist', DETAIL = users,
			HINT = 'Change or retire these first.';
	END IF;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.drop_guard(text, text) IS 'ends a guard that nothing refers to, in a new revision';
