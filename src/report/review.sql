-- ---------------------------------------------------------------------------
-- report: messages drawn for review, and what that says of all messages
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.draw_review(policy text, n int, strategy text, since timestamptz, until timestamptz, detector text, levels jsonb, hits text[],
	OUT stratum text, OUT population bigint, OUT drawn bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_draw_review' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION assay_internal.draw_review(text, int, text, timestamptz, timestamptz, text, jsonb, text[]) IS
	'draws messages for review, for the policy''s owner and who may act as it';

CREATE FUNCTION assay_internal.review_counts(policy text, OUT round int, OUT since timestamptz, OUT until timestamptz, OUT strategy text, OUT detector text,
	OUT drawn_at timestamptz, OUT stratum text, OUT verdict text, OUT level int, OUT hit boolean, OUT population bigint, OUT drawn bigint,
	OUT reviewed bigint, OUT malicious bigint, OUT skipped bigint, OUT taken bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_review_counts' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 50;
COMMENT ON FUNCTION assay_internal.review_counts(text) IS 'strata of the messages drawn for review, read as the policy''s owner by its members, by others with their own rights';

-- By the latest revision that knows the verdict
CREATE FUNCTION assay_internal.known_levels(policy text) RETURNS jsonb LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(jsonb_object_agg(k.name, k.level), '{}')
	FROM (SELECT DISTINCT ON (u.name) u.name, u.level - 1 AS level
		FROM assay.revision v, LATERAL unnest(v.default_verdict
			|| array(SELECT t.key FROM jsonb_each_text(v.thresholds) t ORDER BY t.value::float8)) WITH ORDINALITY u(name, level)
		WHERE v.policy = $1
		ORDER BY u.name, v.revision DESC) k
$$;
COMMENT ON FUNCTION assay_internal.known_levels(text) IS 'how bad each verdict is that a policy ever had: 0 for the default';

CREATE FUNCTION assay_internal.make_review_table(p assay.policy) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	target text := (SELECT format('%I.%I', n.nspname, p.policy || '_review') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p.label);
	columns text := (SELECT string_agg(format('%I %s NOT NULL, ', a.attname, format_type(a.atttypid, a.atttypmod)), '' ORDER BY u.n)
		FROM unnest(p.key) WITH ORDINALITY u(name, n) JOIN pg_attribute a ON a.attrelid = p.decision AND a.attname = u.name);
BEGIN
	IF target IS NULL OR columns IS NULL THEN
		RAISE EXCEPTION 'tables of policy "%" do not exist', p.policy USING ERRCODE = 'undefined_table',
			HINT = format('SELECT * FROM assay.check(%L) tells what is missing.', p.policy);
	END IF;
	PERFORM assay_internal.check_own_columns(p.policy, p.key, 'the review table',
		'{review,round,level,stratum,hit,population,drawn,strategy,detector,since,until,drawn_at,taken_by,taken_at,outcome,reviewed_at}');
	EXECUTE format('CREATE TABLE %s (review bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, round int NOT NULL, ', target) || columns
		|| 'revision int NOT NULL, verdict text NOT NULL, level int NOT NULL, score real NOT NULL, stratum text NOT NULL, hit boolean, '
		'population bigint NOT NULL, drawn bigint NOT NULL, strategy text NOT NULL, detector text, '
		'since timestamptz NOT NULL, until timestamptz NOT NULL, drawn_at timestamptz NOT NULL DEFAULT now(), '
		'taken_by text, taken_at timestamptz, outcome text CHECK (outcome IN (''labelled'', ''skipped'')), reviewed_at timestamptz)';
	EXECUTE format('CREATE INDEX ON %s (review) WHERE outcome IS NULL', target);
	PERFORM assay_internal.let_number_follow(target, 'review');
	EXECUTE format('COMMENT ON TABLE %s IS %L', target,
		format('messages of policy %s that were drawn for review, each with a chance of drawn / population', p.policy));
	IF p.owner <> current_user THEN
		EXECUTE format('ALTER TABLE %s OWNER TO %I', target, p.owner);
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.make_review_table(assay.policy) IS 'makes the table <policy>_review, owned by the policy''s owner';

-- functions

CREATE FUNCTION assay.review_sample(policy text, n int, strategy text DEFAULT 'uniform', since timestamptz DEFAULT '-infinity',
	until timestamptz DEFAULT 'infinity', detector text DEFAULT NULL,
	OUT stratum text, OUT population bigint, OUT drawn bigint) RETURNS SETOF record LANGUAGE plpgsql ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	p assay.policy;
BEGIN
	IF n IS NULL OR n < 1 OR since IS NULL OR until IS NULL OR strategy IS NULL THEN
		RAISE EXCEPTION 'n must be positive, and strategy, since and until not null' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM assay_internal.check_span(since, until);
	IF strategy NOT IN ('uniform', 'score', 'optimal', 'detector') THEN
		RAISE EXCEPTION 'unknown strategy "%"', strategy USING ERRCODE = 'invalid_parameter_value',
			HINT = 'It is uniform, score, optimal or detector.';
	END IF;
	IF (strategy = 'detector') <> (detector IS NOT NULL) THEN
		RAISE EXCEPTION 'strategy "detector", and no other, needs a detector' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- one draw at a time
	p := assay_internal.policy_for_owner(policy);
	IF detector IS NOT NULL AND NOT EXISTS (SELECT FROM assay.detector d WHERE d.policy = p.policy AND d.detector = review_sample.detector) THEN
		RAISE EXCEPTION 'policy "%" has no detector "%"', policy, detector USING ERRCODE = 'undefined_object';
	END IF;
	IF assay_internal.review_table(p.policy, p.label) IS NULL THEN
		PERFORM assay_internal.make_review_table(p);
	END IF;
	RETURN QUERY SELECT d.stratum, d.population, d.drawn
		FROM assay_internal.draw_review(policy, n, strategy, since, until, detector, assay_internal.known_levels(policy),
			ARRAY[detector, 'shadow:' || detector, 'muted:' || detector]) d;
	IF NOT FOUND THEN
		RAISE NOTICE 'policy "%" made no decision in that time', policy;
	END IF;
END $$;
COMMENT ON FUNCTION assay.review_sample(text, int, text, timestamptz, timestamptz, text) IS
	'draws n messages of those decided in a time for review, with known chances: by verdict alike (uniform), by verdict and score (score), for the narrowest false negative rate (optimal), by what a detector hit (detector)';

CREATE FUNCTION assay.take_review(policy text, n int DEFAULT 1, again_after interval DEFAULT '30 minutes',
	OUT review bigint, OUT key text[], OUT taken_at timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_take_review' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION assay.take_review(text, int, interval) IS
	'gives the caller the next messages to review, which nobody else gets unless that long has passed; takes SELECT and UPDATE on <policy>_review';

CREATE FUNCTION assay.label_review(policy text, review bigint, malicious boolean, category text DEFAULT NULL, confidence real DEFAULT 1) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_label_review' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay.label_review(text, bigint, boolean, text, real) IS
	'labels a message that the caller took for review, with source review; takes INSERT on <policy>_label, too';

CREATE FUNCTION assay.skip_review(policy text, review bigint) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_skip_review' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay.skip_review(text, bigint) IS 'puts a message aside that the caller took for review and that can''t be told';

CREATE FUNCTION assay.review_rounds(policy text, OUT round int, OUT strategy text, OUT detector text, OUT since timestamptz, OUT until timestamptz,
	OUT drawn_at timestamptz, OUT population bigint, OUT drawn bigint, OUT labelled bigint, OUT skipped bigint, OUT taken bigint) RETURNS SETOF record
	LANGUAGE sql STABLE ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT c.round, c.strategy, c.detector, c.since, c.until, min(c.drawn_at), sum(c.population)::bigint, sum(c.drawn)::bigint,
		sum(c.reviewed)::bigint, sum(c.skipped)::bigint, sum(c.taken)::bigint
	FROM assay_internal.review_counts($1) c GROUP BY c.round, c.strategy, c.detector, c.since, c.until ORDER BY c.round
$$;
COMMENT ON FUNCTION assay.review_rounds(text) IS 'draws for review, and how far reviewers have come; taken: in work';

CREATE FUNCTION assay.online_report(policy text, round int DEFAULT NULL, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	confidence float8 DEFAULT 0.95,
	OUT metric text, OUT name text, OUT estimate float8, OUT lower float8, OUT upper float8,
	OUT population bigint, OUT reviewed bigint, OUT malicious bigint, OUT note text) RETURNS SETOF record LANGUAGE plpgsql STABLE ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	strata assay.review_stratum[];
	several boolean;
	overlap record;
	hit_by text;
BEGIN
	IF policy IS NULL OR round IS NULL AND (since IS NULL OR until IS NULL) THEN
		RAISE EXCEPTION 'policy, since and until must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT array_agg(ROW(CASE WHEN max > min THEN format('round %s: ', round) ELSE '' END || stratum, verdict, level, hit, population, drawn, reviewed, malicious)::assay.review_stratum
			ORDER BY round, level DESC, stratum), bool_or(max > min), max(detector)
	INTO strata, several, hit_by
	FROM (SELECT c.*, min(c.round) OVER (), max(c.round) OVER ()
		FROM assay_internal.review_counts(online_report.policy) c
		WHERE CASE WHEN online_report.round IS NULL THEN c.since >= online_report.since AND c.until <= online_report.until ELSE c.round = online_report.round END) c;
	IF strata IS NULL THEN
		RAISE EXCEPTION 'no messages of policy "%" were drawn for review%', policy,
			CASE WHEN round IS NOT NULL THEN format(' in round %s', round) ELSE ' in that time' END USING ERRCODE = 'undefined_object',
			HINT = format('SELECT * FROM assay.review_rounds(%L) lists the draws.', policy);
	END IF;
	IF several THEN
		SELECT a.round AS a, b.round AS b INTO overlap
		FROM assay.review_rounds(online_report.policy) a JOIN assay.review_rounds(online_report.policy) b ON a.round < b.round AND a.since < b.until AND b.since < a.until
		WHERE a.since >= online_report.since AND a.until <= online_report.until AND b.since >= online_report.since AND b.until <= online_report.until
		ORDER BY 1, 2 LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'rounds % and % drew from the same time', overlap.a, overlap.b USING ERRCODE = 'invalid_parameter_value',
				HINT = format('Ask for one of them, as in assay.online_report(%L, %s), or for a time.', policy, overlap.b);
		END IF;
	END IF;
	RETURN QUERY SELECT r.metric, CASE WHEN r.name = 'detector' AND hit_by IS NOT NULL THEN 'detector ' || hit_by ELSE r.name END, r.estimate, r.lower, r.upper,
			r.population, r.reviewed, r.malicious, r.note
		FROM assay.review_rates(strata, confidence) r;
END $$;
COMMENT ON FUNCTION assay.online_report(text, int, timestamptz, timestamptz, float8) IS
	'prevalence, precision, recall and false negative rate of all decisions, with intervals, from the messages that were drawn for review and reviewed so far';
