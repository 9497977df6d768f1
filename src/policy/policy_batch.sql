-- ---------------------------------------------------------------------------
-- policy, over many stored messages: backfill, replay, comparison
-- ---------------------------------------------------------------------------

-- functions

CREATE PROCEDURE assay.backfill(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	batch int DEFAULT 10000, at text DEFAULT 'received_at', undecided_only boolean DEFAULT false,
	degraded_only boolean DEFAULT false, own_time boolean DEFAULT false)
	AS 'MODULE_PATHNAME', 'assay_backfill' LANGUAGE C;
COMMENT ON PROCEDURE assay.backfill(text, timestamptz, timestamptz, int, text, boolean, boolean, boolean) IS
	'decides past messages that the current revision (undecided_only: any revision) has not decided, or whose latest decision is degraded, in committed batches; own_time: expiry and text models as of each message''s own time; call it again to resume';

CREATE FUNCTION assay_internal.batch_saw(xid xid) RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_batch_saw' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.batch_saw(xid) IS 'had this transaction been committed when the batch of backfill() that is at work began?';

CREATE FUNCTION assay_internal.in_batch() RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_in_batch' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.in_batch() IS 'is what this session writes now a batch of backfill()?';

CREATE FUNCTION assay.replay(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	revision int DEFAULT NULL, drafts boolean DEFAULT false, at text DEFAULT 'received_at', signals text DEFAULT 'view',
	OUT key text[], OUT verdict text, OUT score real, OUT attribution assay.attribution) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_replay' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000;
COMMENT ON FUNCTION assay.replay(text, timestamptz, timestamptz, int, boolean, text, text) IS
	'what a revision of a policy, the current one by default, makes of past messages, each at its own time; drafts => true counts drafts as live; signals: of the view, logged, or auto';

CREATE FUNCTION assay_internal.replay_pair(policy text, revision_a int, revision_b int, since timestamptz, until timestamptz, drafts boolean, at text, signals text,
	OUT key text[], OUT verdict_a text, OUT verdict_b text, OUT score_a real, OUT score_b real, OUT malicious boolean) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_replay_pair' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000;
COMMENT ON FUNCTION assay_internal.replay_pair(text, int, int, timestamptz, timestamptz, boolean, text, text) IS
	'what two revisions of a policy make of past messages, in one pass, and what the label says that counts';

CREATE FUNCTION assay.latest_labels(policy text, OUT key text[], OUT malicious boolean) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_latest_labels' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 10000;
COMMENT ON FUNCTION assay.latest_labels(text) IS 'the label that counts for each message, read as the policy''s owner by its members, by others with their own rights';

CREATE FUNCTION assay.latest_decision(policy text, key text[], OUT revision int, OUT decided_at timestamptz, OUT verdict text,
	OUT score real, OUT attribution assay.attribution) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_latest_decision' LANGUAGE C STABLE STRICT PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION assay.latest_decision(text, text[]) IS 'the decision of the highest revision about a message, read as the policy''s owner by its members, by others with their own rights';

CREATE FUNCTION assay.latest_decisions(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	OUT key text[], OUT revision int, OUT verdict text, OUT attribution assay.attribution) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_latest_decisions' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 10000;
COMMENT ON FUNCTION assay.latest_decisions(text, timestamptz, timestamptz) IS
	'of the decisions made in a time, that of the highest revision about each message, read as the policy''s owner by its members, by others with their own rights';

CREATE FUNCTION assay_internal.caught_verdicts(policy text, revision int, caught text) RETURNS text[] LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.revision := assay_internal.revision_for_reading(policy, revision);
BEGIN
	IF caught IS NOT NULL AND NOT r.thresholds ? caught THEN
		RAISE EXCEPTION 'revision % of policy "%" has no verdict "%" with a threshold', r.revision, policy, caught
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('It has %s.', (SELECT string_agg(t.key, ', ' ORDER BY t.value::float8) FROM jsonb_each_text(r.thresholds) t));
	END IF;
	RETURN array(SELECT t.key FROM jsonb_each_text(r.thresholds) t
		WHERE caught IS NULL OR t.value::float8 >= (r.thresholds->>caught)::float8);
END $$;
COMMENT ON FUNCTION assay_internal.caught_verdicts(text, int, text) IS 'verdicts of a revision that count as caught: from the given one up, or all but the default';

CREATE FUNCTION assay.compare_messages(policy text, revision_a int DEFAULT NULL, revision_b int DEFAULT NULL,
	since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity', drafts boolean DEFAULT false,
	caught text DEFAULT NULL, at text DEFAULT 'received_at', signals text DEFAULT 'view',
	OUT key text[], OUT change text, OUT malicious boolean, OUT verdict_a text, OUT verdict_b text, OUT score_a real, OUT score_b real)
	RETURNS SETOF record LANGUAGE plpgsql STABLE ROWS 100000
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	caught_a text[] := assay_internal.caught_verdicts(policy, revision_a, caught);
	caught_b text[] := assay_internal.caught_verdicts(policy, revision_b, caught);
BEGIN
	RETURN QUERY
		SELECT r.key, CASE
				WHEN c.a = c.b AND r.verdict_a = r.verdict_b THEN 'same'
				WHEN c.a = c.b THEN 'other verdict'
				WHEN r.malicious AND c.b THEN 'caught now'
				WHEN r.malicious THEN 'missed now'
				WHEN NOT r.malicious AND c.b THEN 'false positive added'
				WHEN NOT r.malicious THEN 'false positive fixed'
				WHEN c.b THEN 'unlabelled, caught now'
				ELSE 'unlabelled, no longer caught' END,
			r.malicious, r.verdict_a, r.verdict_b, r.score_a, r.score_b
		FROM assay_internal.replay_pair(policy, revision_a, revision_b, since, until, drafts, at, signals) r
		CROSS JOIN LATERAL (SELECT r.verdict_a = ANY (caught_a) AS a, r.verdict_b = ANY (caught_b) AS b) c;
END $$;
COMMENT ON FUNCTION assay.compare_messages(text, int, int, timestamptz, timestamptz, boolean, text, text, text) IS
	'past messages with what two revisions make of them, and whether b is the better by their labels; drafts count in b only';

CREATE FUNCTION assay.compare(policy text, revision_a int DEFAULT NULL, revision_b int DEFAULT NULL,
	since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity', drafts boolean DEFAULT false,
	caught text DEFAULT NULL, at text DEFAULT 'received_at', examples int DEFAULT 3,
	signals text DEFAULT 'view',
	OUT change text, OUT messages bigint, OUT keys text[]) RETURNS SETOF record LANGUAGE sql STABLE ROWS 8
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.change, coalesce(c.messages, 0), c.keys
	FROM (VALUES (1, 'caught now'), (2, 'missed now'), (3, 'false positive fixed'), (4, 'false positive added'),
		(5, 'unlabelled, caught now'), (6, 'unlabelled, no longer caught'), (7, 'other verdict'), (8, 'same')) k(rank, change)
	LEFT JOIN (
		SELECT m.change, count(*) AS messages, array_agg(m.key ORDER BY m.n) FILTER (WHERE m.n <= examples AND m.change <> 'same') AS keys
		FROM (SELECT m.*, row_number() OVER (PARTITION BY m.change ORDER BY abs(m.score_b - m.score_a) DESC, m.key) AS n
			  FROM assay.compare_messages(policy, revision_a, revision_b, since, until, drafts, caught, at, signals) m) m
		GROUP BY m.change) c ON c.change = k.change
	ORDER BY k.rank
$$;
COMMENT ON FUNCTION assay.compare(text, int, int, timestamptz, timestamptz, boolean, text, text, int, text) IS
	'what would change from revision a to b over past messages: caught and missed now, false positives fixed and added, with example keys';

-- views

CREATE VIEW assay.backfill_progress WITH (security_invoker) AS
	SELECT r.policy, r.revision,
		CASE WHEN r.finished_at IS NOT NULL THEN 'finished'
			WHEN EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'object' AND l.pid = r.pid AND l.granted
				AND l.classid = 'assay_internal.backfill_run'::pg_catalog.regclass) THEN 'running'
			ELSE 'interrupted' END AS state,
		r.decided, r.expected, r.degraded, r.batches, r.last_key,
		round((r.decided / nullif(extract(epoch FROM r.updated_at - r.started_at), 0))::numeric, 1) AS per_second,
		r.since, r.until, r.undecided_only, r.degraded_only, r.started_by, r.started_at, r.updated_at, r.finished_at, r.run
	FROM assay_internal.readable_backfill_run r;
COMMENT ON VIEW assay.backfill_progress IS 'backfills: how far they came, how fast; an interrupted one goes on when it is called again';
GRANT SELECT ON assay.backfill_progress TO PUBLIC;
