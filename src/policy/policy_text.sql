-- ---------------------------------------------------------------------------
-- policy: a decision in words
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.signal_words(signals jsonb, booleans text[]) RETURNS text LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT ' (' || nullif(CASE jsonb_typeof(signals)
		-- of more than four the first four that say something
		WHEN 'object' THEN (SELECT string_agg(concat_ws(' ', replace(s.key, '_', ' '), CASE WHEN s.value IS NULL THEN 'is not known' WHEN s.key = ANY (booleans) THEN CASE s.value WHEN 't' THEN 'holds' ELSE 'does not hold' END ELSE 'is ' || s.value END), ', ' ORDER BY s.key COLLATE "C")
			FROM (SELECT e.* FROM jsonb_each_text(signals) e, (SELECT count(*) > 4 AS many FROM jsonb_object_keys(signals)) k
				  WHERE NOT k.many OR e.value NOT IN ('0', '') AND NOT (e.value = 'f' AND e.key = ANY (booleans)) ORDER BY e.key COLLATE "C" LIMIT 4) s)
		-- of a model the three that weigh most
		WHEN 'array' THEN (SELECT string_agg(concat_ws(' ', replace(s.value->>0, '_', ' '), 'is ' || nullif(s.value->>1, '')), ', ' ORDER BY s.n)
			FROM (SELECT * FROM jsonb_array_elements(signals) WITH ORDINALITY e(value, n) ORDER BY e.n LIMIT 3) s)
		END, '') || ')'
$$;
COMMENT ON FUNCTION assay_internal.signal_words(jsonb, text[]) IS 'values of an entry of a ledger in words, in parentheses; NULL without any';

CREATE FUNCTION assay_internal.word_list(words text[]) RETURNS text LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN cardinality(words) > 6 THEN array_to_string(words[:5], '; ') || format('; and %s more', cardinality(words) - 5)
		WHEN cardinality(words) > 1 THEN array_to_string(words[:cardinality(words) - 1], '; ') || '; and ' || words[cardinality(words)] ELSE words[1] END
$$;
COMMENT ON FUNCTION assay_internal.word_list(text[]) IS 'reasons as one: a; b; and c; of more than six the first five, and how many there are more';

CREATE FUNCTION assay_internal.explain_text(policy text, VARIADIC key text[]) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy := assay_internal.policy_for_reading(policy);
	d record;
	v assay.revision;
	said record;
	told text;
	booleans text[] := array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = coalesce(to_regclass(p.signals), p.signals_view)
		AND a.atttypid = 'bool'::regtype AND NOT a.attisdropped);
BEGIN
	PERFORM assay_internal.check_message_key(policy, 'explain_text', key, p.key);
	SELECT * INTO d FROM assay.latest_decision(policy, key);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no decision for (%)', policy, array_to_string(key, ', ', 'NULL') USING ERRCODE = 'no_data_found',
			HINT = 'assay.backfill() decides messages that came before the trigger.';
	END IF;
	SELECT * INTO v FROM assay.revision r WHERE r.policy = p.policy AND r.revision = d.revision;
	WITH e AS (
		SELECT l.*, row_number() OVER (ORDER BY abs(l.contribution) DESC, l.entry) AS place FROM assay.ledger(d.attribution) l WHERE l.kind <> 'prior'
	), l AS (
		SELECT l.*, coalesce((SELECT t.description FROM assay.detector t WHERE t.policy = p.policy AND t.detector = l.detector
				AND t.from_revision <= d.revision AND (t.until_revision IS NULL OR t.until_revision > d.revision)),
				CASE l.kind WHEN 'model' THEN format('the model "%s" finds it %s', l.detector, CASE WHEN l.contribution > 0 THEN 'suspect' ELSE 'harmless' END)
					ELSE format('the rule "%s" holds', l.detector) END)
				|| CASE WHEN l.hit OR l.kind = 'model' THEN coalesce(assay_internal.signal_words(CASE jsonb_typeof(l.signals) WHEN 'object' THEN l.signals - b.told ELSE l.signals END, booleans), '') ELSE '' END AS words,
			(SELECT x.reason FROM assay.exclusion x WHERE x.policy = p.policy AND x.exclusion = l.detector
				AND x.from_revision <= d.revision AND (x.until_revision IS NULL OR x.until_revision > d.revision)) AS reason
		FROM e l, LATERAL (
			-- a rule that weighs more has told of these
			SELECT array(SELECT k FROM e m, jsonb_object_keys(CASE WHEN jsonb_typeof(m.signals) = 'object' THEN m.signals ELSE '{}' END) k
				WHERE m.place < l.place AND m.kind = 'rule' AND m.hit AND m.counted) AS told) b
	)
	SELECT array_agg(l.words ORDER BY l.contribution DESC, l.entry) FILTER (WHERE l.counted AND l.kind IN ('rule', 'model') AND (l.contribution > 0 OR l.hit AND l.contribution = 0 AND l.forced IS NOT NULL)) AS against,
		array_agg(l.words ORDER BY l.contribution, l.entry) FILTER (WHERE l.counted AND l.kind IN ('rule', 'model') AND l.contribution < 0) AS for_it,
		array_agg(l.words ORDER BY l.entry) FILTER (WHERE l.counted AND l.hit AND l.kind IN ('rule', 'model') AND l.forced = d.verdict) AS forcing,
		array_agg(format('"%s"', l.detector) || coalesce(' (' || l.reason || ')', '') ORDER BY l.entry) FILTER (WHERE l.kind = 'exclusion' AND l.hit AND l.forced = d.verdict) AS freeing,
		array_agg(format('that %s, because of the exception "%s"', l.words, l.muted_by) ORDER BY l.entry) FILTER (WHERE l.muted_by IS NOT NULL AND l.hit) AS muted,
		array_agg(format('"%s"', l.detector) ORDER BY l.entry) FILTER (WHERE l.fault IS NOT NULL AND l.kind <> 'signals') AS failed,
		bool_or(l.kind = 'signals') AS unread
	INTO said FROM l;
	told := CASE
		WHEN said.freeing IS NOT NULL THEN format('The message was found %s because of the exception %s, whatever else speaks for or against it.', d.verdict, array_to_string(said.freeing, ', '))
		WHEN said.forcing IS NOT NULL THEN format('The message was found %s because %s.', d.verdict, assay_internal.word_list(said.forcing))
		WHEN d.verdict = v.default_verdict AND said.against IS NULL THEN format('The message was found %s because nothing speaks against it.', d.verdict)
		WHEN d.verdict = v.default_verdict THEN format('The message was found %s because what speaks against it does not suffice: %s.', d.verdict, assay_internal.word_list(said.against))
		WHEN said.against IS NULL THEN format('The message was found %s, without any single reason.', d.verdict)
		ELSE format('The message was found %s because %s.', d.verdict, assay_internal.word_list(said.against)) END
		|| CASE WHEN said.forcing IS NOT NULL OR said.freeing IS NOT NULL THEN coalesce(' Against it speaks: ' || assay_internal.word_list(array(
			SELECT a FROM unnest(said.against) a WHERE NOT coalesce(a = ANY (said.forcing), false))) || '.', '') ELSE '' END
		|| coalesce(' In its favour speaks: ' || assay_internal.word_list(said.for_it) || '.', '')
		|| coalesce(' It was not counted ' || assay_internal.word_list(said.muted) || '.', '')
		|| CASE WHEN said.unread THEN ' What is known of the message could not be read in full, so that the decision rests on less than usual.' ELSE '' END
		|| coalesce(' Could not be asked: ' || array_to_string(said.failed, ', ') || '.', '')
		|| format(' Its score is %s of 1; a message of which nothing is known has %s', round(d.score::numeric, 3), round((1 / (1 + exp(-least(greatest(v.prior, -700), 700))))::numeric, 3))
		|| coalesce((SELECT string_agg(format('; from %s on one is %s', t.value, t.key), '' ORDER BY t.value::float8) FROM jsonb_each_text(v.thresholds) t), '') || '.';
	RETURN told;
END $$;
COMMENT ON FUNCTION assay_internal.explain_text(text, text[]) IS 'what explain_text() gives, the key as text';

-- functions

CREATE FUNCTION assay.explain_text(policy text, VARIADIC key "any") RETURNS text
	AS 'MODULE_PATHNAME', 'assay_explain_text' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay.explain_text(text, VARIADIC "any") IS
	'why the latest decision about a message is as it is, as a paragraph in words: of the descriptions of the detectors that hit, and the values that they saw';
