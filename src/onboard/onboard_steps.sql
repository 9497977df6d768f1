-- ---------------------------------------------------------------------------
-- onboard: its steps, each of them done as a whole or not at all
-- ---------------------------------------------------------------------------

-- names that the statements about one policy are made of

CREATE TYPE assay_internal.onboarding_names AS (decision text, verdict text, label text, label_latest text, source text, key text, at text, tenant text);
COMMENT ON TYPE assay_internal.onboarding_names IS 'quoted names of a policy''s relations and of columns of its messages';

CREATE FUNCTION assay_internal.onboarding_names(o assay_internal.own_onboarding) RETURNS assay_internal.onboarding_names LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names assay_internal.onboarding_names;
	place text;
	p record;
BEGIN
	SELECT q.decision, q.label, c.relnamespace::regnamespace::text AS place INTO p
	FROM assay.policies q JOIN pg_class c ON c.oid = q.decision WHERE q.policy = o.policy;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', o.policy USING ERRCODE = 'undefined_object';
	END IF;
	names.decision := p.decision::text;
	names.label := p.label::text;
	names.verdict := format('%s.%I', p.place, o.policy || '_verdict');
	names.label_latest := format('%s.%I', p.place, o.policy || '_label_latest');
	-- what a row says is a name, and becomes part of a statement as one
	names.source := assay_internal.onboarding_relation(o.source)::text;
	names.key := (SELECT string_agg(quote_ident(k), ', ' ORDER BY n) FROM unnest(o.key) WITH ORDINALITY u(k, n));
	names.at := quote_ident(o.at);
	names.tenant := quote_ident(o.tenant);
	RETURN names;
END $$;
COMMENT ON FUNCTION assay_internal.onboarding_names(assay_internal.own_onboarding) IS 'quoted names for statements about a policy that was onboarded';

-- Values are not looked through for names: columns and detectors are called as users like.
CREATE FUNCTION assay_internal.fill_names(template text, names assay_internal.onboarding_names, VARIADIC more text[] DEFAULT '{}') RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.baseline_fill(template, VARIADIC array(SELECT unnest(ARRAY[f.key, f.value]) FROM jsonb_each_text(to_jsonb(names)) f) || more)
$$;
COMMENT ON FUNCTION assay_internal.fill_names(text, assay_internal.onboarding_names, text[]) IS 'a statement from a template, with the names in it, and more in pairs';

-- What a decision "v" has had or would have had at least this verdict by, were nothing
-- learning: its score, or a forced verdict, and no exclusion that forces a lower one.
CREATE FUNCTION assay_internal.caught_condition(policy text, verdict text DEFAULT NULL) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
	WITH level AS (
		SELECT t.key AS name, t.value::float8 AS threshold FROM assay.policies p, jsonb_each_text(p.thresholds) t WHERE p.policy = $1
	), wanted AS (
		SELECT l.threshold FROM level l WHERE l.name = $2 OR $2 IS NULL ORDER BY l.threshold LIMIT 1
	), forced AS (
		SELECT array_agg(d.detector ORDER BY d.detector COLLATE "C") AS names FROM assay.detectors d JOIN level l ON l.name = d.force_verdict, wanted w
		WHERE d.policy = $1 AND d.mode = 'live' AND l.threshold >= w.threshold
	), spared AS (
		SELECT array_agg('exclusion:' || x.exclusion ORDER BY x.exclusion COLLATE "C") AS names FROM assay.exclusions x LEFT JOIN level l ON l.name = x.verdict, wanted w
		WHERE x.policy = $1 AND x.verdict IS NOT NULL AND x.exclusion <> 'learning' AND coalesce(l.threshold < w.threshold, true)
	)
	SELECT format('(v.score >= %s', w.threshold) || coalesce(' OR assay.counted_hits(v.attribution) && ' || quote_literal(f.names) || '::text[]', '') || ')'
		|| coalesce(' AND NOT assay.hits(v.attribution) && ' || quote_literal(s.names) || '::text[]', '')
	FROM wanted w, forced f, spared s
$$;
COMMENT ON FUNCTION assay_internal.caught_condition(text, text) IS
	'condition over rows "v" of <policy>_verdict: this verdict or a worse one, by default any but the default verdict, also while it is learning';

-- steps

CREATE FUNCTION assay_internal.onboard_columns(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF o.pack IS NULL THEN
		note := format('signals of %s as they are', o.signals);
		RETURN;
	END IF;
	EXECUTE format($q$SELECT count(c.col), concat_ws('; ',
			'taken: ' || string_agg(c.fact || CASE WHEN c.how = 'own name' THEN '' ELSE ' from ' || c.col END, ', ' ORDER BY c.fact COLLATE "C") FILTER (WHERE c.col IS NOT NULL),
			'missing: ' || string_agg(c.fact, ', ' ORDER BY c.fact COLLATE "C") FILTER (WHERE c.col IS NULL), 'costs are in assay.onboarding_report')
		FROM %s($1, $2) c$q$, assay_internal.pack_function(o.pack, '{pack}_map_columns'))
		INTO rows, note USING o.messages::regclass, assay_internal.pack_columns(o.columns);
END $$;
COMMENT ON FUNCTION assay_internal.onboard_columns(assay_internal.own_onboarding) IS 'step of onboard(): which columns there are';

-- Options of the function that makes the policy, as named arguments
CREATE FUNCTION assay_internal.onboarding_options(options jsonb, maker regproc, taken text[]) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	may text[] := (SELECT p.proargnames FROM pg_proc p WHERE p.oid = maker);
	given text;
	f record;
BEGIN
	FOR f IN SELECT e.key, CASE jsonb_typeof(e.value)
				WHEN 'array' THEN (SELECT coalesce(array_agg(x), '{}')::text FROM jsonb_array_elements_text(e.value) x)
				ELSE e.value #>> '{}' END AS value
		FROM jsonb_each(options) e WHERE e.key <> 'document'
	LOOP
		IF f.key <> ALL (may) OR f.key = ANY (taken) THEN
			RAISE EXCEPTION 'there is no option "%"', f.key USING ERRCODE = 'invalid_parameter_value',
				HINT = format('There are %s and document.', (SELECT string_agg(m, ', ') FROM unnest(may) m WHERE m <> ALL (taken)));
		END IF;
		given := concat(given, format(', %I => %L', f.key, f.value));
	END LOOP;
	RETURN coalesce(given, '');
END $$;
COMMENT ON FUNCTION assay_internal.onboarding_options(jsonb, regproc, text[]) IS 'options of onboard() as arguments of the function that makes the policy';

CREATE FUNCTION assay_internal.onboard_policy(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	maker regproc;
BEGIN
	IF o.pack IS NOT NULL THEN
		maker := assay_internal.pack_function(o.pack, 'create_{pack}_policy');
		EXECUTE format('SELECT %s(policy => $1, messages => $2, key => $3, tenant => $4, columns => $5, content => $6%s)', maker,
				assay_internal.onboarding_options(o.options, maker, '{policy,messages,key,tenant,columns,content}'))
			USING o.policy, assay_internal.onboarding_relation(o.messages), o.key, o.tenant, assay_internal.pack_columns(o.columns), o.labels IS NOT NULL;
	ELSE
		maker := 'assay.create_policy'::regproc;
		EXECUTE format('SELECT assay.create_policy(policy => $1, signals => $2, key => $3%s)', assay_internal.onboarding_options(o.options, maker, '{policy,signals,key}'))
			USING o.policy, o.signals::regclass, o.key;
	END IF;
	IF o.options ? 'document' THEN
		PERFORM i.kind FROM assay.policy_import(o.options->'document', o.policy, dry_run => false) i;
	END IF;
	-- decided and recorded, without effect
	IF o.tenant IS NOT NULL THEN
		PERFORM assay.create_list(o.policy || '.live', description => format('tenants for which policy %s is live; those that are not in it learn', o.policy));
	END IF;
	PERFORM assay.exclude(o.policy, 'learning', assay_internal.learning_condition(o.policy, o.tenant), verdict => p.default_verdict,
		reason => 'decided and recorded, without effect, until assay.go_live()') FROM assay.policies p WHERE p.policy = o.policy;
	PERFORM assay_internal.keep_onboarding(o.policy, 'made', '{}');
	SELECT p.live, format('%s detectors; messages are decided, and none has another verdict than "%s" before it is live', p.live, p.default_verdict) INTO rows, note
	FROM assay.policies p WHERE p.policy = o.policy;
END $$;
COMMENT ON FUNCTION assay_internal.onboard_policy(assay_internal.own_onboarding) IS 'step of onboard(): the policy with its view, lists and baselines, learning';

CREATE FUNCTION assay_internal.onboard_trigger(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	there text := (SELECT string_agg(format('%I on %s', t.tgname, t.tgrelid::regclass), ', ') FROM assay.policies p JOIN pg_class c ON c.oid = p.decision,
		assay_internal.decide_triggers(o.policy, c.relowner) t WHERE p.policy = o.policy);
BEGIN
	IF there IS NOT NULL THEN
		note := format('there is one: %s', there);
	ELSIF (SELECT c.relkind NOT IN ('r', 'p') FROM pg_class c WHERE c.oid = o.messages::regclass) THEN
		note := format('%s is no table: make the trigger where messages are inserted, or CALL assay.backfill(%L) from time to time', o.messages, o.policy);
	ELSE
		EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %s REFERENCING NEW TABLE AS new_messages FOR EACH STATEMENT EXECUTE FUNCTION assay.decide(%L)',
			o.policy || '_decide', o.messages::regclass, o.policy);
		rows := 1;
		note := assay.reads_again(o.policy, o.messages::regclass);
		note := 'decides each message in its transaction' || coalesce('; reads it again: ' || note, '');
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.onboard_trigger(assay_internal.own_onboarding) IS 'step of onboard(): the trigger that decides what comes';

CREATE FUNCTION assay_internal.onboard_labels(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names assay_internal.onboarding_names := assay_internal.onboarding_names(o);
	has text[] := array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = o.labels::regclass AND a.attnum > 0 AND NOT a.attisdropped);
	source text := coalesce(o.columns->>'source', 'source');
	known text := coalesce(o.columns->>'labelled_at', 'labelled_at');
	timed boolean := EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = o.labels::regclass AND a.attname = known AND NOT a.attisdropped
		AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype));
	statement text := assay_internal.fill_names(
			$q$INSERT INTO {label} ({key}, malicious, source, labelled_at)
			SELECT {key}, t.malicious, t.source, coalesce(t."(known)", least(m.{at} + interval '1 day', now()), now())
			FROM {source} m JOIN (SELECT {key}, l.{malicious}::boolean AS malicious, {said_by} AS source, {known} AS "(known)" FROM {labels} l) t USING ({key})
			WHERE t.malicious IS NOT NULL ON CONFLICT DO NOTHING$q$, names,
		'malicious', quote_ident(coalesce(o.columns->>'malicious', 'malicious')),
		'said_by', CASE WHEN source = ANY (has) THEN format('coalesce(l.%I::text, ''onboarding'')', source) ELSE '''onboarding''' END,
		'known', CASE WHEN timed THEN format('l.%I::timestamptz', known) ELSE 'NULL::timestamptz' END,
		'labels', assay_internal.onboarding_relation(o.labels)::text);
BEGIN
	-- columns may be of types of whose casts others have the say
	PERFORM assay_internal.check_trusted(statement, 'policy', false);
	EXECUTE statement;
	GET DIAGNOSTICS rows = ROW_COUNT;
	note := CASE WHEN timed THEN 'each known from its ' || known ELSE 'each taken as known a day after its message, since there is no time with it' END;
END $$;
COMMENT ON FUNCTION assay_internal.onboard_labels(assay_internal.own_onboarding) IS 'step of onboard(): labels that there are already';

CREATE FUNCTION assay_internal.label_counts(o assay_internal.own_onboarding, OUT malicious bigint, OUT safe bigint) LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	EXECUTE assay_internal.fill_names('SELECT count(*) FILTER (WHERE l.malicious), count(*) FILTER (WHERE NOT l.malicious) FROM {label_latest} l', assay_internal.onboarding_names(o))
		INTO malicious, safe;
END $$;
COMMENT ON FUNCTION assay_internal.label_counts(assay_internal.own_onboarding) IS 'labels of a policy';

CREATE FUNCTION assay_internal.onboard_text_model(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names assay_internal.onboarding_names := assay_internal.onboarding_names(o);
	c record := assay_internal.label_counts(o);
	model text := o.policy || '_words';
	content text;
	slope float8;
	view regclass := (SELECT to_regclass(p.signals) FROM assay.policies p WHERE p.policy = o.policy);
BEGIN
	IF c.malicious < 20 OR c.safe < 20 THEN
		note := format('too few labels: %s malicious and %s safe, and 20 of each are wanted', c.malicious, c.safe);
		RETURN;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = view AND a.attname = 'content' AND a.atttypid IN ('jsonb'::regtype, 'text'::regtype) AND NOT a.attisdropped) THEN
		note := 'the signals have no column "content" of type text or jsonb';
		RETURN;
	END IF;
	IF o.pack IS NOT NULL THEN
		EXECUTE format('SELECT %s($1)', assay_internal.pack_function(o.pack, '{pack}_content')) INTO content USING o.source::regclass;
	END IF;
	IF content IS NULL AND o.pack IS NOT NULL THEN
		note := 'there is no text in the messages';
		RETURN;
	END IF;
	-- another's, which a superuser sees, too, is not taken for it: it is an error that the name is
	IF NOT EXISTS (SELECT FROM assay.text_models m JOIN pg_class t ON t.oid = m.versions JOIN assay.policies p ON p.policy = o.policy
		WHERE m.name = model AND pg_has_role(t.relowner, p.owner, 'USAGE')) THEN
		PERFORM assay.create_text_model(model, assay_internal.onboarding_relation(CASE WHEN o.pack IS NULL THEN o.signals ELSE o.source END), coalesce(content, 'content'), names.label::regclass,
			key => o.key, at => o.at, schema => (SELECT n.nspname::text FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace WHERE r.oid = names.label::regclass),
			search_path => 'pg_catalog, assay, pg_temp');
	END IF;
	rows := assay.learn(model);
	slope := (SELECT i.slope FROM assay.text_model_at(model) m, assay.text_model_info(m) i);
	IF NOT EXISTS (SELECT FROM assay.detectors d WHERE d.policy = o.policy AND d.detector = 'words') THEN
		PERFORM assay.create_detector(o.policy, 'words', text_model => model, text => 'content', weight => greatest(least(round(coalesce(slope, 1)::numeric, 3), 20), 0.001),
			mode => 'live', description => 'its words are those of messages that were labelled malicious');
	END IF;
	note := format('detector "words" by text model "%s", which knows of each message what was known before its day', model);
END $$;
COMMENT ON FUNCTION assay_internal.onboard_text_model(assay_internal.own_onboarding) IS 'step of onboard(): a text model from the labels';

CREATE FUNCTION assay_internal.onboard_baselines(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
	b record;
BEGIN
	SELECT * INTO p FROM assay.policy q WHERE q.policy = o.policy;
	rows := 0;
	FOR b IN SELECT i.baseline FROM assay_internal.baselines_in_order() WITH ORDINALITY i(baseline, n)
		JOIN assay_internal.baselines_of(p, '{}') f ON f.relation = i.baseline ORDER BY i.n
	LOOP
		PERFORM assay.refresh_baseline(b.baseline);
		rows := rows + 1;
	END LOOP;
	note := 'refreshed, with the labels';
END $$;
COMMENT ON FUNCTION assay_internal.onboard_baselines(assay_internal.own_onboarding) IS 'step of onboard(): histories, with the labels that came';

-- the time of the message from which on nothing is fitted: the newest fifth of those that are labelled
CREATE FUNCTION assay_internal.held_back_from(o assay_internal.own_onboarding) RETURNS timestamptz LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result timestamptz;
BEGIN
	IF o.labels IS NOT NULL THEN
		EXECUTE assay_internal.fill_names('SELECT percentile_disc(0.8) WITHIN GROUP (ORDER BY m.{at}) FROM {source} m JOIN {label_latest} l USING ({key})
			WHERE isfinite(m.{at})', assay_internal.onboarding_names(o)) INTO result;
	END IF;
	RETURN coalesce(result, 'infinity');
END $$;
COMMENT ON FUNCTION assay_internal.held_back_from(assay_internal.own_onboarding) IS 'the time of messages from which on they are held back, to try on them what was fitted to the others';

-- Labels of the older messages, to which all is fitted; of each kind there are to be so many.
-- A logistic regression wants some ten events for each coefficient (Peduzzi and others, A simulation study of the number of
-- events per variable in logistic regression analysis, J Clin Epidemiol 49, 1996), and no fit has fewer than two of
-- them: the prior and a weight. The penalty draws all further ones towards what they were.
CREATE FUNCTION assay_internal.older_labels_query(o assay_internal.own_onboarding) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.fill_names('SELECT count(*) FROM {label_latest} l JOIN {source} m USING ({key}) WHERE m.{at} < {since}', assay_internal.onboarding_names(o),
		'since', format('%L::timestamptz', assay_internal.held_back_from(o)))
$$;
COMMENT ON FUNCTION assay_internal.older_labels_query(assay_internal.own_onboarding) IS 'the query of how many labels there are besides those that are held back';

CREATE FUNCTION assay_internal.fewest_older_labels() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$ SELECT 2 * 10::bigint $$;
COMMENT ON FUNCTION assay_internal.fewest_older_labels() IS 'labels of malicious and of safe messages that are to be there for weights to be fitted: ten for each of two coefficients';

CREATE FUNCTION assay_internal.older_label_counts(o assay_internal.own_onboarding, OUT malicious bigint, OUT safe bigint) LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	query text := assay_internal.older_labels_query(o);
BEGIN
	EXECUTE query || ' AND l.malicious' INTO malicious;
	EXECUTE query || ' AND NOT l.malicious' INTO safe;
END $$;
COMMENT ON FUNCTION assay_internal.older_label_counts(assay_internal.own_onboarding) IS 'labels of a policy besides those that are held back';

-- The score of a message of which nothing is known
CREATE FUNCTION assay_internal.prior_score(document jsonb) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT 1 / (1 + exp(-least(greatest((document->'settings'->>'prior')::float8, -700), 700)))
$$;
COMMENT ON FUNCTION assay_internal.prior_score(jsonb) IS 'the score that the prior of a policy document has alone';

CREATE TYPE assay_internal.fitted_weights AS (held jsonb, document jsonb, weights bigint, labels float8, share float8, alone boolean);
COMMENT ON TYPE assay_internal.fitted_weights IS
	'what calibrate() gives to onboard(): measures on what was held back, before and after, the policy as it would be, weights that change, the share of labels and of all messages that is malicious, whether the prior alone reaches a threshold';

CREATE FUNCTION assay_internal.fit_onboarding(o assay_internal.own_onboarding, bound_prior boolean) RETURNS assay_internal.fitted_weights LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	f assay_internal.fitted_weights;
BEGIN
	SELECT jsonb_object_agg(k.name, jsonb_build_array(k.before, k.after)) FILTER (WHERE k.part = 'held back'),
		(array_agg(k.document) FILTER (WHERE k.part = 'document'))[1], count(*) FILTER (WHERE k.part = 'weight' AND k.before <> k.after),
		max(k.before) FILTER (WHERE k.part = 'share'), max(k.after) FILTER (WHERE k.part = 'share')
	INTO f.held, f.document, f.weights, f.labels, f.share
	FROM assay.calibrate(o.policy, split => o.held_back, bound_prior => fit_onboarding.bound_prior) k;
	f.alone := (SELECT coalesce(assay_internal.prior_score(f.document) >= min(t.value::float8), false) FROM assay.policies p, jsonb_each_text(p.thresholds) t WHERE p.policy = o.policy);
	RETURN f;
END $$;
COMMENT ON FUNCTION assay_internal.fit_onboarding(assay_internal.own_onboarding, boolean) IS 'prior and weights fitted to the labels of a policy that is onboarded, and how good they are on those held back';

-- Quiet, since who called it wrote no prior; the note says what a warning about it would.
CREATE FUNCTION assay_internal.onboard_weights(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $$
DECLARE
	c record := assay_internal.label_counts(o);
	older record;
	least bigint := assay_internal.fewest_older_labels();
	f assay_internal.fitted_weights;
	bounded text := '';
	better boolean;
BEGIN
	IF c.malicious < 50 OR c.safe < 50 THEN
		note := format('weights stay: %s labels of malicious and %s of safe messages, and 50 of each are wanted', c.malicious, c.safe);
		RETURN;
	END IF;
	-- an attack that is all newer, or older, than the rest
	older := assay_internal.older_label_counts(o);
	IF older.malicious < least OR older.safe < least THEN
		note := format('weights stay: before the newest fifth are labels of %s malicious and %s safe messages, and %s of each are wanted', older.malicious, older.safe, least);
		RETURN;
	END IF;
	BEGIN
		f := assay_internal.fit_onboarding(o, false);
	EXCEPTION WHEN object_not_in_prerequisite_state THEN
		-- labels of messages that are not decided
		note := format('weights stay: before the newest fifth %s', SQLERRM);
		RETURN;
	END;
	-- a message of which nothing is known is to be no alert
	IF f.alone THEN
		f := assay_internal.fit_onboarding(o, true);
		bounded := ', with a prior no higher than that';
	END IF;
	better := coalesce((f.held->'log_loss'->>1)::float8 < (f.held->'log_loss'->>0)::float8 AND (f.held->'roc_auc'->>1)::float8 >= (f.held->'roc_auc'->>0)::float8 - 0.002, false);
	note := format('%s %% of the labels are malicious, and of all messages about %s %%, for which the prior is made%s; on labels held back: log loss %s and with fitted weights %s, ROC AUC %s and %s',
		round((100 * f.labels)::numeric, 2), round((100 * f.share)::numeric, 2), bounded,
		coalesce(round((f.held->'log_loss'->>0)::numeric, 4)::text, 'unknown'), coalesce(round((f.held->'log_loss'->>1)::numeric, 4)::text, 'unknown'),
		coalesce(round((f.held->'roc_auc'->>0)::numeric, 4)::text, 'unknown'), coalesce(round((f.held->'roc_auc'->>1)::numeric, 4)::text, 'unknown'));
	IF better THEN
		PERFORM i.kind FROM assay.policy_import(f.document, o.policy, dry_run => false) i;
		rows := f.weights;
		note := note || '; fitted ones are taken' || CASE WHEN f.alone
			THEN format(', by whose prior a message of which nothing is known has a score of %s', round(assay_internal.prior_score(f.document)::numeric, 2)) ELSE '' END;
	ELSE
		note := note || '; weights stay';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.onboard_weights(assay_internal.own_onboarding) IS 'step of onboard(): prior and weights, fitted to the labels, where that is better on labels that were held back';

-- Days on which messages came, at least one: not the time from the first to the last, which one wrong date stretches
CREATE FUNCTION assay_internal.onboarding_days_query(o assay_internal.own_onboarding) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.fill_names('SELECT greatest(count(DISTINCT (m.{at} AT TIME ZONE ''UTC'')::date), 1) FROM {source} m WHERE isfinite(m.{at})', assay_internal.onboarding_names(o))
$$;
COMMENT ON FUNCTION assay_internal.onboarding_days_query(assay_internal.own_onboarding) IS 'the query of on how many days messages came, at least one';

-- All thresholds move by the same log-odds, up and never down.
CREATE FUNCTION assay_internal.moved_thresholds(thresholds jsonb, lowest float8) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
	t record;
	moved jsonb := '{}';
	shift float8;
	x float8;
	below float8 := 0;
BEGIN
	FOR t IN SELECT e.key, e.value::float8 AS value FROM jsonb_each_text(thresholds) e ORDER BY e.value::float8 LOOP
		shift := coalesce(shift, ln(lowest / (1 - lowest)) - ln(greatest(t.value, 1e-9) / (1 - least(t.value, 1 - 1e-9))));
		x := CASE WHEN moved = '{}' THEN lowest ELSE 1 / (1 + exp(-(ln(greatest(t.value, 1e-9) / (1 - least(t.value, 1 - 1e-9))) + shift))) END;
		x := least(greatest(round(x::numeric, 9)::float8, below + 1e-7), 1);
		moved := moved || jsonb_build_object(t.key, x);
		below := x;
	END LOOP;
	RETURN moved;
END $$;
COMMENT ON FUNCTION assay_internal.moved_thresholds(jsonb, float8) IS 'thresholds of which the lowest is this, the others as far from it in log-odds as they were';

CREATE FUNCTION assay_internal.onboard_thresholds(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
	names assay_internal.onboarding_names := assay_internal.onboarding_names(o);
	days float8;
	allowed bigint;
	alerts bigint;
	cut float8;
	moved jsonb;
	was jsonb := (SELECT p.thresholds FROM assay.policies p WHERE p.policy = o.policy);
BEGIN
	EXECUTE assay_internal.onboarding_days_query(o) INTO days;
	allowed := floor((o.budget->>'alerts_per_day')::float8 * coalesce(days, 1));
	EXECUTE assay_internal.fill_names('SELECT count(*) FROM {verdict} v WHERE ', names) || assay_internal.caught_condition(o.policy) INTO alerts;
	IF alerts <= allowed THEN
		note := format('they stay: %s alerts in %s days, within the budget', alerts, round(coalesce(days, 1)::numeric, 1));
		RETURN;
	END IF;
	-- above the score of the first that is too many
	EXECUTE assay_internal.fill_names('SELECT v.score FROM {verdict} v ORDER BY v.score DESC OFFSET $1 LIMIT 1', names) INTO cut USING allowed;
	cut := least((floor(cut * 1e6) + 1) / 1e6, 0.999999);
	moved := assay_internal.moved_thresholds(was, cut);
	IF (SELECT min(m.value::float8) FROM jsonb_each_text(moved) m) > (SELECT min(w.value::float8) FROM jsonb_each_text(was) w) THEN
		PERFORM assay.alter_policy(o.policy, thresholds => moved);
		rows := 1;
		note := format('raised from %s to %s: %s alerts in %s days were over the budget', was, moved, alerts, round(coalesce(days, 1)::numeric, 1));
	ELSE
		note := format('they stay: %s alerts are over the budget, and no threshold helps', alerts);
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.onboard_thresholds(assay_internal.own_onboarding) IS 'step of onboard(): thresholds raised to keep to the budget';

-- one step, and a row about it

CREATE FUNCTION assay_internal.do_onboard_step(o assay_internal.own_onboarding, step text, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r record;
BEGIN
	CASE step
		WHEN 'columns' THEN r := assay_internal.onboard_columns(o);
		WHEN 'policy' THEN r := assay_internal.onboard_policy(o);
		WHEN 'trigger' THEN r := assay_internal.onboard_trigger(o);
		WHEN 'labels' THEN r := assay_internal.onboard_labels(o);
		WHEN 'text model' THEN r := assay_internal.onboard_text_model(o);
		WHEN 'baselines' THEN r := assay_internal.onboard_baselines(o);
		WHEN 'weights' THEN r := assay_internal.onboard_weights(o);
		WHEN 'thresholds' THEN r := assay_internal.onboard_thresholds(o);
		WHEN 'tenants' THEN r := assay_internal.onboard_tenants(o);
		WHEN 'report' THEN r := assay_internal.onboard_report(o);
		WHEN 'live' THEN r := assay_internal.onboard_live(o);
	END CASE;
	rows := r.rows;
	note := r.note;
END $$;
COMMENT ON FUNCTION assay_internal.do_onboard_step(assay_internal.own_onboarding, text) IS 'does a step of onboard() other than the decision of history';

CREATE FUNCTION assay_internal.onboard_step(policy text, step text, OUT failed text, OUT state text, OUT detail text, OUT hint text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o assay_internal.own_onboarding;
	began timestamptz := clock_timestamp();
	r record;
BEGIN
	-- one at a time: who calls as well finds it done
	PERFORM assay_internal.lock_onboarding(policy);
	IF (SELECT s.state IN ('done', 'skipped') FROM assay.onboarding s WHERE s.policy = onboard_step.policy AND s.step = onboard_step.step) THEN
		RETURN;
	END IF;
	o := assay_internal.onboarding_of(policy);
	BEGIN
		r := assay_internal.do_onboard_step(o, step);
		PERFORM assay_internal.note_onboarding(policy, step, CASE WHEN r.rows IS NULL AND step <> 'columns' THEN 'skipped' ELSE 'done' END,
			r.rows, extract(epoch FROM clock_timestamp() - began), r.note);
		RAISE NOTICE 'policy "%": %', policy, concat_ws(': ', step, r.note);
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS failed = MESSAGE_TEXT, state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		detail := concat_ws(E'\n', nullif(detail, ''), format('It was step "%s" of onboarding.', step));
		hint := concat_ws(' ', nullif(hint, ''), 'Call it again to go on, once this is mended.');
		PERFORM assay_internal.note_onboarding(policy, step, 'failed', NULL, extract(epoch FROM clock_timestamp() - began), format('%s (SQLSTATE %s)', failed, state));
	END;
END $$;
COMMENT ON FUNCTION assay_internal.onboard_step(text, text) IS 'does a step of onboard() unless it is done, and keeps what it came to; an error comes back as values';

-- The decision of history is committed batch by batch, and so is no function.
CREATE FUNCTION assay_internal.begin_history(policy text, step text, OUT needed boolean, OUT since timestamptz, OUT until timestamptz, OUT at text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	o assay_internal.own_onboarding;
	was text;
	weighed boolean;
BEGIN
	PERFORM assay_internal.lock_onboarding(policy);
	o := assay_internal.onboarding_of(policy);
	was := (SELECT s.state FROM assay.onboarding s WHERE s.policy = begin_history.policy AND s.step = begin_history.step);
	weighed := (SELECT s.state = 'done' FROM assay.onboarding s WHERE s.policy = begin_history.policy AND s.step = 'weights');
	needed := was NOT IN ('done', 'skipped');
	since := '-infinity';
	until := 'infinity';
	at := o.at;
	IF NOT needed THEN
		RETURN;
	END IF;
	IF step = 'history' THEN
		until := assay_internal.held_back_from(o);
	ELSIF step = 'history held back' THEN
		-- all that is left: labels that came since have moved the time, and some messages have none
		-- what was decided so far is what is fitted to
		IF o.held_back IS NULL THEN
			o.held_back := clock_timestamp();
			PERFORM assay_internal.keep_onboarding(policy, 'plan', to_jsonb(o));
		END IF;
	ELSIF NOT coalesce(weighed, false) THEN
		needed := false;
		PERFORM assay_internal.note_onboarding(policy, step, 'skipped', NULL, NULL, 'weights are as they were');
		RETURN;
	END IF;
	PERFORM assay_internal.note_onboarding(policy, step, 'running', NULL, NULL, 'assay.backfill_progress shows how far it is');
END $$;
COMMENT ON FUNCTION assay_internal.begin_history(text, text) IS 'which messages a step of onboard() decides, and a row that it runs';

CREATE FUNCTION assay_internal.end_history(policy text, step text, since timestamptz, until timestamptz) RETURNS void LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	b record;
BEGIN
	SELECT sum(r.decided) AS decided, sum(r.degraded) AS degraded, sum(extract(epoch FROM r.updated_at - r.started_at)) AS seconds INTO b
	FROM assay.backfill_progress r
	WHERE r.policy = end_history.policy AND r.since = end_history.since AND r.until = end_history.until
		AND r.updated_at >= (SELECT s.at FROM assay.onboarding s WHERE s.policy = end_history.policy AND s.step = end_history.step)
		AND r.revision = (SELECT max(v.revision) FROM assay.revisions v WHERE v.policy = end_history.policy);
	PERFORM assay_internal.note_onboarding(policy, step, 'done', b.decided::bigint, b.seconds::float8,
		CASE WHEN b.degraded > 0 THEN format('%s of them degraded: assay.fault tells why', b.degraded) END);
END $$;
COMMENT ON FUNCTION assay_internal.end_history(text, text, timestamptz, timestamptz) IS 'keeps that messages of the past are decided';

-- procedures

-- It commits, and so can't carry SET: what it calls does, and all that it names is qualified.
CREATE PROCEDURE assay.onboard(policy text, messages regclass, pack text DEFAULT 'email', columns jsonb DEFAULT '{}', labels regclass DEFAULT NULL,
	tenant text DEFAULT NULL, budget jsonb DEFAULT '{"alerts_per_day": 50}', go_live text DEFAULT 'told', signals regclass DEFAULT NULL,
	key text[] DEFAULT NULL, at text DEFAULT 'received_at', options jsonb DEFAULT '{}', checks jsonb DEFAULT '{}', batch int DEFAULT 10000) LANGUAGE plpgsql AS $$
DECLARE
	steps pg_catalog.text[];
	s pg_catalog.text;
	h pg_catalog.record;
	r pg_catalog.record;
	waits pg_catalog.bool;
BEGIN
	IF NOT assay_internal.may_commit() THEN
		RAISE EXCEPTION 'onboard() commits each step, and cannot run inside a transaction' USING ERRCODE = 'invalid_transaction_termination',
			HINT = 'CALL it by itself, outside of BEGIN ... COMMIT, of functions, and of blocks that catch errors.';
	END IF;
	IF batch IS NULL OR NOT batch OPERATOR(pg_catalog.>=) 1 OR NOT batch OPERATOR(pg_catalog.<=) 1000000 THEN
		RAISE EXCEPTION 'batch must lie between 1 and 1000000' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	steps := assay_internal.begin_onboarding(assay_internal.plan_onboarding(policy, messages, pack, columns, labels, tenant, budget, go_live, signals, key, at, options, checks));
	waits := assay_internal.onboarding_waits(policy);
	COMMIT;
	FOREACH s IN ARRAY steps LOOP
		IF s OPERATOR(pg_catalog.=) ANY ('{history,"history held back","history again"}'::pg_catalog.text[]) THEN
			h := assay_internal.begin_history(policy, s);
			COMMIT;
			IF h.needed THEN
				CALL assay.backfill(policy, h.since, h.until, batch, h.at, own_time => true);
				PERFORM assay_internal.end_history(policy, s, h.since, h.until);
				COMMIT;
			END IF;
		ELSE
			r := assay_internal.onboard_step(policy, s);
			-- what is done stays done
			COMMIT;
			IF r.failed IS NOT NULL THEN
				RAISE EXCEPTION '%', r.failed USING ERRCODE = r.state, DETAIL = r.detail, HINT = r.hint;
			END IF;
		END IF;
	END LOOP;
	IF NOT waits THEN
		RAISE NOTICE 'policy "%" is onboarded already: %', policy, assay_internal.onboarding_stands(policy);
	END IF;
END $$;
COMMENT ON PROCEDURE assay.onboard(text, regclass, text, jsonb, regclass, text, jsonb, text, regclass, text[], text, jsonb, jsonb, int) IS
	'makes a policy from a table of messages: columns, views, histories, lists, detectors, decisions of the past, what labels teach, thresholds within the budget, a report; without effect until it is live; commits each step, and goes on when it is called again';
