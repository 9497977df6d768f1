-- ---------------------------------------------------------------------------
-- report: prior, weights and thresholds fitted to what was labelled
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.fit_weights(policy text, since timestamptz, until timestamptz, names text[], revisions int[], weights float8[], prior float8,
	l2 float8, keep_signs boolean, bound_prior boolean, OUT name text, OUT before float8, OUT after float8, OUT found bigint, OUT malicious bigint,
	OUT unbounded float8) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_fit_weights' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION assay_internal.fit_weights(text, timestamptz, timestamptz, text[], int[], float8[], float8, float8, boolean, boolean) IS
	'weights by penalised logistic regression over the ledgers of labelled decisions, also without a bound of the prior, which has no name; read as the policy''s owner';

CREATE FUNCTION assay_internal.malicious_share(policy text, since timestamptz, until timestamptz, names text[], revisions int[], weights float8[], prior float8,
	new_names text[], new_weights float8[], new_prior float8, drawn float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'assay_malicious_share' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION assay_internal.malicious_share(text, timestamptz, timestamptz, text[], int[], float8[], float8, text[], float8[], float8, float8) IS
	'the share of all decided messages of a time that is malicious: of those with a label as that says, of the others as is likeliest by weights that were fitted to labels of which so many are malicious';

CREATE FUNCTION assay_internal.rescore(policy text, since timestamptz, until timestamptz, names text[], revisions int[], weights float8[], prior float8,
	new_names text[], new_weights float8[], new_prior float8, OUT score real, OUT rescored real, OUT malicious boolean) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_rescore' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000000 ROWS 100000;
COMMENT ON FUNCTION assay_internal.rescore(text, timestamptz, timestamptz, text[], int[], float8[], float8, text[], float8[], float8) IS
	'scores of decisions as they were and by other weights, with the labels that count; without those that a forced verdict decided';

CREATE TYPE assay_internal.weight_states AS (names text[], revisions int[], weights float8[]);
COMMENT ON TYPE assay_internal.weight_states IS 'the weights that the live detectors of a policy have had, by the revision from which each was';

CREATE FUNCTION assay_internal.weight_states(policy text) RETURNS assay_internal.weight_states LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT ROW(coalesce(array_agg(s.detector ORDER BY s.detector, s.from_revision), '{}'), coalesce(array_agg(s.from_revision ORDER BY s.detector, s.from_revision), '{}'),
		coalesce(array_agg(s.weight ORDER BY s.detector, s.from_revision), '{}'))::assay_internal.weight_states
	FROM assay.detector s
	WHERE s.policy = $1 AND EXISTS (SELECT FROM assay.detector d WHERE d.policy = s.policy AND d.detector = s.detector AND d.until_revision IS NULL AND d.mode = 'live')
$$;
COMMENT ON FUNCTION assay_internal.weight_states(text) IS 'the weights that the live detectors of a policy have had';

-- As few digits as somebody would write, but none that lets scores in or out
CREATE FUNCTION assay_internal.short_threshold(score float8, lower_score float8) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce((SELECT s.short FROM generate_series(6, 15) d,
			LATERAL (VALUES (1, round(score::numeric, d)::float8), (2, trunc(score::numeric, d)::float8)) s(n, short)
		WHERE s.short <= score AND s.short >= coalesce((lower_score + score) / 2, '-infinity') ORDER BY d, s.n LIMIT 1), score)
$$;
COMMENT ON FUNCTION assay_internal.short_threshold(float8, float8) IS 'a threshold with six digits, or as many more as it takes to lie between a score and the next lower one, nearer to it';

-- the lowest score of which no more decisions than the budget have it or a higher one
CREATE FUNCTION assay_internal.budget_threshold(verdict text, budget jsonb, s assay.scored, safe assay.scored, days float8) RETURNS float8 LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	most float8;
	found float8;
	curve assay.scored := s;
BEGIN
	IF jsonb_typeof(budget) IS DISTINCT FROM 'object' OR (SELECT count(*) FROM jsonb_object_keys(budget)) <> 1
		OR NOT budget ?| '{alerts_per_day,false_positive_rate}' OR (SELECT jsonb_typeof(v) <> 'number' FROM jsonb_each(budget) e(k, v)) THEN
		RAISE EXCEPTION 'budget of verdict "%" must be alerts_per_day or false_positive_rate', verdict USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write {"malicious": {"alerts_per_day": 50}} or {"malicious": {"false_positive_rate": 0.0001}}.';
	END IF;
	IF budget ? 'alerts_per_day' THEN
		most := (budget ->> 'alerts_per_day')::float8 * days;
		found := (SELECT min(c.threshold) FROM assay.precision_recall_curve(s) c WHERE c.tp + c.fp <= most);
	ELSE
		most := (budget ->> 'false_positive_rate')::float8 * (SELECT i.negative FROM assay.scored_info(safe) i);
		found := (SELECT min(c.threshold) FROM assay.precision_recall_curve(safe) c WHERE c.fp <= most);
		curve := safe;
	END IF;
	RETURN assay_internal.short_threshold(found, (SELECT max(c.threshold) FROM assay.precision_recall_curve(curve) c WHERE c.threshold < found));
END $$;
COMMENT ON FUNCTION assay_internal.budget_threshold(text, jsonb, assay.scored, assay.scored, float8) IS
	'threshold of a verdict that keeps to a budget; NULL where none does';

-- functions

CREATE FUNCTION assay.calibrate(policy text, split timestamptz, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	l2 float8 DEFAULT 1, keep_signs boolean DEFAULT true, budget jsonb DEFAULT NULL, share float8 DEFAULT NULL, bound_prior boolean DEFAULT false,
	OUT part text, OUT name text, OUT before float8, OUT after float8, OUT messages bigint, OUT malicious bigint, OUT document jsonb) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 100
	SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
#variable_conflict use_column
DECLARE
	r assay.revision := assay_internal.revision_for_reading(policy);
	states assay_internal.weight_states := assay_internal.weight_states(policy);
	new_names text[];
	new_weights float8[];
	new_prior float8;
	drawn float8;
	thresholds jsonb := r.thresholds;
	wanted jsonb;
	fitted record;
	learned record;
	held record;
	v record;
	c record;
	cut float8;
	days float8;
BEGIN
	IF split IS NULL OR since IS NULL OR until IS NULL OR l2 IS NULL OR keep_signs IS NULL OR bound_prior IS NULL THEN
		RAISE EXCEPTION 'only budget and share may be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF NOT (share > 0 AND share < 1) THEN
		RAISE EXCEPTION 'share must lie between 0 and 1' USING ERRCODE = 'numeric_value_out_of_range',
			HINT = 'It is the share of all messages that is malicious; null has it estimated.';
	END IF;
	IF NOT (since < split AND split < until) THEN
		RAISE EXCEPTION 'split must lie between since and until' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Weights are fitted to what was decided before it, and tried on what was decided from it on.';
	END IF;
	IF budget IS NOT NULL AND jsonb_typeof(budget) <> 'object' THEN
		RAISE EXCEPTION 'budget must be a JSON object' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write verdicts with the budget of each, as {"malicious": {"alerts_per_day": 50}}.';
	END IF;
	FOR v IN SELECT * FROM jsonb_each(coalesce(budget, '{}')) LOOP
		IF NOT r.thresholds ? v.key THEN
			RAISE EXCEPTION 'policy "%" has no verdict "%" with a threshold', policy, v.key USING ERRCODE = 'invalid_parameter_value',
				HINT = format('It has %s.', (SELECT string_agg(t.key, ', ' ORDER BY t.value::float8) FROM jsonb_each_text(r.thresholds) t));
		END IF;
		IF NOT (isfinite(since) AND isfinite(split)) AND v.value ? 'alerts_per_day' THEN
			RAISE EXCEPTION 'alerts per day need to know of how many days' USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Say since, as in since => now() - interval ''30 days''.';
		END IF;
	END LOOP;

	-- weights, from what was decided before the split, with six digits, as somebody would write them
	SELECT array_agg(f.name ORDER BY f.name COLLATE "C") FILTER (WHERE f.name IS NOT NULL) AS names,
		array_agg(round(f.after::numeric, 6)::float8 ORDER BY f.name COLLATE "C") FILTER (WHERE f.name IS NOT NULL) AS weights,
		array_agg(f.unbounded ORDER BY f.name COLLATE "C") FILTER (WHERE f.name IS NOT NULL) AS unbounded,
		array_agg(f.before ORDER BY f.name COLLATE "C") FILTER (WHERE f.name IS NOT NULL) AS before,
		array_agg(f.found ORDER BY f.name COLLATE "C") FILTER (WHERE f.name IS NOT NULL) AS found,
		array_agg(f.malicious ORDER BY f.name COLLATE "C") FILTER (WHERE f.name IS NOT NULL) AS malicious,
		max(f.after) FILTER (WHERE f.name IS NULL) AS prior, max(f.unbounded) FILTER (WHERE f.name IS NULL) AS unbounded_prior,
		max(f.found) FILTER (WHERE f.name IS NULL) AS labels, max(f.malicious) FILTER (WHERE f.name IS NULL) AS malicious_labels INTO fitted
	FROM assay_internal.fit_weights(policy, since, split, states.names, states.revisions, states.weights, r.prior, l2, keep_signs, bound_prior) f;
	new_names := coalesce(fitted.names, '{}');
	new_weights := coalesce(fitted.weights, '{}');

	-- The labels were drawn in another way than messages come: the prior is made for these (G. King, L. Zeng, Logistic regression
	-- in rare events data, Political Analysis 9, 2001, equation 7).
	drawn := fitted.malicious_labels::float8 / fitted.labels;
	share := coalesce(share, assay_internal.malicious_share(policy, since, split, states.names, states.revisions, states.weights, r.prior,
		new_names, coalesce(fitted.unbounded, '{}'), fitted.unbounded_prior, drawn));
	new_prior := round((fitted.prior - ln((1 - share) / share * drawn / (1 - drawn)))::numeric, 6);
	FOR v IN SELECT * FROM (VALUES ('prior', r.prior, new_prior), ('share', drawn, share)) u(part, old, new) LOOP
		part := v.part;
		before := v.old;
		after := v.new;
		messages := fitted.labels;
		malicious := fitted.malicious_labels;
		RETURN NEXT;
	END LOOP;
	FOR v IN SELECT * FROM unnest(fitted.names, fitted.before, fitted.weights, fitted.found, fitted.malicious) u(name, old, new, found, malicious) LOOP
		part := 'weight';
		name := v.name;
		before := v.old;
		after := v.new;
		messages := v.found;
		malicious := v.malicious;
		RETURN NEXT;
	END LOOP;

	-- thresholds by the budget, from all decisions before the split
	messages := NULL;
	malicious := NULL;
	IF budget IS NOT NULL THEN
		SELECT assay.scored_agg(s.rescored, coalesce(s.malicious, false)) AS all_of_them, assay.scored_agg(s.rescored, s.malicious) AS labelled INTO learned
		FROM assay_internal.rescore(policy, since, split, states.names, states.revisions, states.weights, r.prior, new_names, new_weights, new_prior) s;
		days := CASE WHEN isfinite(since) AND isfinite(split) THEN extract(epoch FROM split - since) / 86400.0 END;
		FOR v IN SELECT * FROM jsonb_each(budget) LOOP
			cut := assay_internal.budget_threshold(v.key, v.value, learned.all_of_them, learned.labelled, days);
			IF cut IS NULL THEN
				RAISE NOTICE 'no threshold of verdict "%" keeps to its budget', v.key;
				CONTINUE;
			END IF;
			thresholds := thresholds || jsonb_build_object(v.key, cut);
		END LOOP;
		FOR v IN SELECT t.key, t.value::float8 AS old, (thresholds ->> t.key)::float8 AS new FROM jsonb_each_text(r.thresholds) t ORDER BY t.value::float8 LOOP
			part := 'threshold';
			name := v.key;
			before := v.old;
			after := v.new;
			RETURN NEXT;
		END LOOP;
	END IF;

	-- how good it is, on what was decided since; its labels count as if so many of them were malicious
	WITH again AS MATERIALIZED (
		SELECT * FROM assay_internal.rescore(policy, split, until, states.names, states.revisions, states.weights, r.prior, new_names, new_weights, new_prior)
	), rate AS (
		SELECT coalesce(nullif(avg(a.malicious::int), 0) < 1, false) AS mixed, avg(a.malicious::int)::float8 AS malicious FROM again a
	), weighted AS (
		SELECT a.*, CASE WHEN NOT w.mixed THEN 1 WHEN a.malicious THEN share / w.malicious ELSE (1 - share) / (1 - w.malicious) END AS weight FROM again a, rate w
	)
	SELECT assay.scored_agg(s.score, s.malicious) AS before, assay.scored_agg(s.rescored, s.malicious) AS after,
		assay.scored_agg(s.score, s.malicious, s.weight) AS weighted_before, assay.scored_agg(s.rescored, s.malicious, s.weight) AS weighted_after,
		assay.scored_agg(s.score, true) AS all_before, assay.scored_agg(s.rescored, true) AS all_after,
		count(s.malicious) AS labelled, count(*) FILTER (WHERE s.malicious) AS malicious INTO held
	FROM weighted s;
	messages := held.labelled;
	malicious := held.malicious;
	part := 'held back';
	FOR v IN SELECT * FROM (VALUES ('roc_auc', assay.roc_auc(held.before), assay.roc_auc(held.after)),
			('average_precision', assay.average_precision(held.weighted_before), assay.average_precision(held.weighted_after)),
			('log_loss', assay.log_loss(held.weighted_before), assay.log_loss(held.weighted_after)),
			('brier', assay.brier(held.weighted_before), assay.brier(held.weighted_after))) m(name, old, new) LOOP
		name := v.name;
		before := v.old;
		after := v.new;
		RETURN NEXT;
	END LOOP;
	FOR v IN SELECT t.key, t.value::float8 AS old, (thresholds ->> t.key)::float8 AS new FROM jsonb_each_text(r.thresholds) t ORDER BY t.value::float8 LOOP
		FOR c IN SELECT m.name, m.old, m.new
			FROM assay.confusion(held.weighted_before, v.old) a, assay.confusion(held.weighted_after, v.new) b, assay.confusion(held.all_before, v.old) x, assay.confusion(held.all_after, v.new) y,
				LATERAL (VALUES ('precision', (a).precision, (b).precision), ('recall', (a).recall, (b).recall), ('fpr', (a).fpr, (b).fpr), ('alerts', (x).tp, (y).tp)) m(name, old, new) LOOP
			name := format('%s from %s', c.name, v.key);
			before := c.old;
			after := c.new;
			RETURN NEXT;
		END LOOP;
	END LOOP;

	-- the policy as it would be
	part := 'document';
	name := policy;
	before := NULL;
	after := NULL;
	messages := NULL;
	malicious := NULL;
	wanted := assay.policy_export(policy);
	document := wanted || jsonb_build_object(
		'settings', wanted->'settings' || jsonb_build_object('prior', new_prior, 'thresholds', thresholds),
		'detectors', (SELECT jsonb_agg(d || coalesce((SELECT jsonb_build_object('weight', u.weight) FROM unnest(new_names, new_weights) u(name, weight) WHERE u.name = d->>'name'), '{}') ORDER BY n)
			FROM jsonb_array_elements(wanted->'detectors') WITH ORDINALITY e(d, n)));
	RETURN NEXT;
END $$;
COMMENT ON FUNCTION assay.calibrate(text, timestamptz, timestamptz, timestamptz, float8, boolean, jsonb, float8, boolean) IS
	'prior and weights fitted to the labels of a time, the prior to the share of all messages that is malicious, thresholds to a budget, with how good both are on the time after it, and as last row the policy as a document for policy_import; changes nothing';
