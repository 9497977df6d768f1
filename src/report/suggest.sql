-- ---------------------------------------------------------------------------
-- report: exclusions for a false positive, and detectors for what was missed
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.count_freed(policy text, key text[], since timestamptz, until timestamptz, default_verdict text, may_be_muted text[], signals_read text[],
	OUT condition text, OUT parts int, OUT mutes text[], OUT others bigint, OUT malicious bigint, OUT safe bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_count_freed' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION assay_internal.count_freed(text, text[], timestamptz, timestamptz, text, text[], text[]) IS
	'equalities that hold for a message, and pairs of them, with how many other messages of a time each would free; no mutes: muting is not enough';

CREATE FUNCTION assay_internal.suggest_exclusion(policy text, VARIADIC key text[],
	OUT rank int, OUT condition text, OUT mutes text[], OUT others bigint, OUT malicious bigint, OUT safe bigint, OUT statement text) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	p assay.policy := assay_internal.policy_for_reading(suggest_exclusion.policy);
	r assay.revision := assay_internal.revision_for_reading(suggest_exclusion.policy);
	d record;
	hit text[];
	reads text[];
BEGIN
	PERFORM assay_internal.check_message_key(p.policy, 'suggest_exclusion', key, p.key);
	SELECT * INTO d FROM assay.latest_decision(p.policy, key);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no decision for (%)', p.policy, array_to_string(key, ', ', 'NULL') USING ERRCODE = 'no_data_found',
			HINT = 'assay.backfill() decides messages that came before the trigger.';
	END IF;
	-- those that stand still
	hit := array(SELECT l.detector FROM assay.ledger(d.attribution) l JOIN assay.detector v ON v.policy = p.policy AND v.detector = l.detector
		AND v.until_revision IS NULL AND v.mode = 'live' WHERE l.hit AND l.counted AND l.kind IN ('rule', 'model'));
	reads := array(SELECT DISTINCT s.signal FROM assay_internal.signal_readers(p.policy) s WHERE s.name = ANY (hit) AND s.kind IN ('rule', 'model'));
	RETURN QUERY
		SELECT row_number() OVER w::int, c.condition, nullif(c.mutes, '{}'), c.others, c.malicious, c.safe,
			format('SELECT assay.exclude(%L, %L, %L, %s, reason => %L, decision_key => %L);', p.policy,
				left('free ' || array_to_string(key, ' ', '?') || ': ' || c.condition, 200), c.condition,
				CASE WHEN c.mutes = '{}' THEN format('verdict => %L', r.default_verdict) ELSE format('mutes => %L', c.mutes) END, 'false positive', key)
		FROM assay_internal.count_freed(p.policy, key, now() - interval '30 days', 'infinity', r.default_verdict, hit, reads) c
		-- of equal ones texts come first, since they say most, and what is not so comes last
		WINDOW w AS (ORDER BY c.malicious, c.others, c.parts, c.condition NOT LIKE '%''%', c.condition ~ '(^| AND )NOT ', c.condition COLLATE "C")
		ORDER BY 1 LIMIT 20;
END $$;
COMMENT ON FUNCTION assay_internal.suggest_exclusion(text, text[]) IS 'what suggest_exclusion() gives, the key as text';

CREATE FUNCTION assay_internal.mine_detectors(policy text, keys text[], since timestamptz, until timestamptz, n int, parts int,
	OUT draft int, OUT condition text, OUT caught bigint, OUT new_caught bigint, OUT hits bigint, OUT malicious bigint, OUT safe bigint,
	OUT messages bigint, OUT overlap jsonb) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_mine_detectors' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000000 ROWS 5;
COMMENT ON FUNCTION assay_internal.mine_detectors(text, text[], timestamptz, timestamptz, int, int) IS
	'conditions over logged signals that tell the messages of these keys from the others of a time, with counts; for suggest_detector()';

-- functions

CREATE FUNCTION assay.suggest_exclusion(policy text, VARIADIC key "any",
	OUT rank int, OUT condition text, OUT mutes text[], OUT others bigint, OUT malicious bigint, OUT safe bigint, OUT statement text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_suggest_exclusion' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 10;
COMMENT ON FUNCTION assay.suggest_exclusion(text, VARIADIC "any") IS
	'conditions that give a message the default verdict, the narrowest first, with what else each would have freed in thirty days, how much of it is malicious by label, and the statement to run';

CREATE FUNCTION assay.suggest_detector(policy text, keys text[], since timestamptz DEFAULT now() - interval '30 days', until timestamptz DEFAULT 'infinity',
	n int DEFAULT 5, parts int DEFAULT 3, confidence float8 DEFAULT 0.95,
	OUT draft int, OUT condition text, OUT caught bigint, OUT new_caught bigint, OUT hits bigint, OUT malicious bigint, OUT safe bigint,
	OUT "precision" float8, OUT lower float8, OUT upper float8, OUT overlap jsonb, OUT statement text) RETURNS SETOF record LANGUAGE plpgsql STABLE ROWS 5
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	r assay.revision := assay_internal.revision_for_reading(suggest_detector.policy);
BEGIN
	IF keys IS NULL OR since IS NULL OR until IS NULL OR n IS NULL OR parts IS NULL OR confidence IS NULL THEN
		RAISE EXCEPTION 'no argument may be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM assay.wilson_interval(0, 0, confidence);
	RETURN QUERY
		SELECT m.draft, m.condition, m.caught, m.new_caught, m.hits, m.malicious, m.safe,
			(m.caught + m.malicious)::float8 / m.hits, w.lower, w.upper, m.overlap,
			format('SELECT assay.create_detector(%L, %L, %L, weight => %s, mode => ''draft'', description => %L);', r.policy,
				left('suggested: ' || m.condition, 200), m.condition,
				-- it alone takes the margin to what its precision says
				round(least(greatest(ln((m.caught + m.malicious + 0.5) / (m.hits - m.caught - m.malicious + 0.5)) - r.prior, 0.1), 20)::numeric, 2),
				format('suggested of %s missed messages, of which it caught %s', m.messages, m.caught))
		FROM assay_internal.mine_detectors(r.policy, keys, suggest_detector.since, suggest_detector.until, suggest_detector.n, suggest_detector.parts) m,
			assay.wilson_interval(m.caught + m.malicious, m.hits, confidence) w
		ORDER BY m.draft;
END $$;
COMMENT ON FUNCTION assay.suggest_detector(text, text[], timestamptz, timestamptz, int, int, float8) IS
	'from messages that were missed, conditions over logged signals that tell them from the others of a time: hits, precision with interval (what is neither among these nor labelled malicious counts as wrong), overlap with standing detectors, and the statement that makes a draft';
