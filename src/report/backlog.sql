-- ---------------------------------------------------------------------------
-- report: what waits, is overdue, or can't be right in a policy's own tables
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.outbox_backlog(policy text, OUT consumer text, OUT changes bigint, OUT oldest timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_outbox_backlog' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 5;
COMMENT ON FUNCTION assay_internal.outbox_backlog(text) IS 'changes of verdicts that each consumer has not taken out, and since when the oldest waits';

CREATE FUNCTION assay_internal.oldest_decision(policy text, OUT decided_at timestamptz) RETURNS SETOF timestamptz
	AS 'MODULE_PATHNAME', 'assay_oldest_decision' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000 ROWS 1;
COMMENT ON FUNCTION assay_internal.oldest_decision(text) IS 'when the oldest decision of a policy was made';

CREATE FUNCTION assay_internal.odd_decisions(policy text, OUT rows bigint) RETURNS SETOF bigint
	AS 'MODULE_PATHNAME', 'assay_odd_decisions' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000 ROWS 1;
COMMENT ON FUNCTION assay_internal.odd_decisions(text) IS 'how many decisions have a time that can''t be: reports by time leave them out';

CREATE FUNCTION assay_internal.odd_reviews(policy text, OUT rows bigint) RETURNS SETOF bigint
	AS 'MODULE_PATHNAME', 'assay_odd_reviews' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000 ROWS 1;
COMMENT ON FUNCTION assay_internal.odd_reviews(text) IS 'how many messages drawn for review have numbers that can''t be: online_report() leaves them out';

CREATE FUNCTION assay_internal.check_backlog(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	kept interval := (SELECT k.decisions FROM assay.retention k WHERE k.policy = p.policy);
BEGIN
	IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.decision) OR NOT has_table_privilege(p.decision, 'SELECT')
		OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.label) OR NOT has_table_privilege(p.label, 'SELECT') THEN
		RETURN;
	END IF;
	RETURN QUERY
		SELECT 'warning', 'outbox', format('consumer "%s" has not taken out %s changes of verdicts, the oldest of %s', b.consumer, b.changes, b.oldest),
			format('SELECT * FROM assay.read_changes(%1$L, %2$L) has them, assay.take_changes() takes them out. Where it is no more, once the others have taken theirs, since that ends it for all: SELECT assay.drop_outbox(%1$L); and in the same transaction assay.create_outbox() for them.',
				p.policy, b.consumer)
		FROM assay_internal.outbox_backlog(p.policy) b WHERE b.oldest < now() - interval '1 hour';
	RETURN QUERY
		SELECT 'error', 'outbox', format('verdicts of %s that change are lost: its owner has no table %I beside %s', p.decision, p.policy || '_change', p.label),
			format('Give the table back its name, schema and owner; or SELECT assay.drop_outbox(%L).', p.policy)
		WHERE assay_internal.outbox_table(p.policy, p.label) IS NULL
			AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p.decision AND t.tgfoid = 'assay_internal.note_changes'::regproc);
	-- a subscriber's is written by the publisher
	RETURN QUERY
		SELECT 'error', 'outbox', format('verdicts of %s that change are lost: it has no trigger %s', p.decision, string_agg(u.name, ', ')),
			format('SELECT assay.drop_outbox(%1$L), once the consumers have taken what is in it, and in the same transaction assay.create_outbox(%1$L, consumers): what changed meanwhile is not in it.', p.policy)
		FROM unnest('{assay_outbox_insert,assay_outbox_update}'::text[]) u(name), assay_internal.outbox_table(p.policy, p.label) o(target)
		WHERE o.target IS NOT NULL AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p.decision
				AND t.tgfoid = 'assay_internal.note_changes'::regproc AND t.tgtype & 16 = CASE u.name WHEN 'assay_outbox_update' THEN 16 ELSE 0 END)
			AND NOT EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = o.target)
		HAVING count(*) > 0;
	RETURN QUERY
		SELECT 'error', 'outbox', format('verdicts of %s that change are lost: trigger %s is %s', p.decision, t.tgname,
				CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'for replicated rows only' ELSE 'not for messages that come by replication' END),
			format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I;', p.decision, t.tgname)
		FROM pg_trigger t WHERE t.tgrelid = p.decision AND t.tgfoid = 'assay_internal.note_changes'::regproc
			AND (t.tgenabled IN ('D', 'R') OR (t.tgenabled = 'O' AND EXISTS (
				SELECT FROM assay_internal.decide_triggers(p.policy, (SELECT c.relowner FROM pg_class c WHERE c.oid = p.decision)) d
				JOIN pg_subscription_rel s ON s.srrelid = d.tgrelid WHERE d.per_row AND d.tgenabled IN ('A', 'R'))));
	RETURN QUERY
		SELECT 'warning', 'retention', format('decisions of %s are past their retention', o.decided_at), 'CALL assay.maintain(), daily, deletes them.'
		FROM assay_internal.oldest_decision(p.policy) o WHERE o.decided_at < now() - kept - interval '2 days'
			AND NOT EXISTS (SELECT FROM assay.partitioning t WHERE t.policy = p.policy);
	RETURN QUERY
		SELECT 'warning', 'odd rows', format('decisions with a time that can''t be, which reports leave out: %s', o.rows),
			format('UPDATE %s SET decided_at = now() WHERE decided_at < ''1000-01-01'' OR decided_at >= ''9999-01-01''; and see who may change it.', p.decision)
		FROM assay_internal.odd_decisions(p.policy) o WHERE o.rows > 0;
	RETURN QUERY
		SELECT 'warning', 'odd rows', format('messages drawn for review with numbers that can''t be, which online_report() leaves out: %s', o.rows),
			format('Delete these rounds from %s, and see who may change it.', assay_internal.review_table(p.policy, p.label))
		FROM assay_internal.odd_reviews(p.policy) o WHERE o.rows > 0;
EXCEPTION WHEN insufficient_privilege THEN
	-- a reader who may not read all of these
	RETURN;
WHEN OTHERS THEN
	RETURN QUERY SELECT 'warning', 'odd rows', 'it cannot be told what waits or is overdue: ' || SQLERRM, NULL::text;
END $$;
COMMENT ON FUNCTION assay_internal.check_backlog(assay.policy) IS 'what waits in the tables of a policy, is overdue, or can''t be right?';
