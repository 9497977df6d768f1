-- ---------------------------------------------------------------------------
-- report: counts by hour and by day, kept beside the decisions
-- ---------------------------------------------------------------------------

-- tables

CREATE TABLE assay_internal.rollup (
	policy text PRIMARY KEY,
	horizon xid8,
	oldest timestamptz,
	refreshed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE assay_internal.rollup IS 'policies whose decisions are counted by hour, and what was known when that was last brought up to date';
COMMENT ON COLUMN assay_internal.rollup.horizon IS 'the oldest transaction at work then: rows of older ones are counted; not dumped, since it means nothing elsewhere';
COMMENT ON COLUMN assay_internal.rollup.oldest IS 'when the oldest transaction of then began, and some minutes: no decision that came since is from before; NULL: it may be';

CREATE TABLE assay_internal.decision_hour (
	policy text NOT NULL,
	hour timestamptz NOT NULL,
	kind text NOT NULL,
	name text NOT NULL,
	mode text,
	claim text,
	hits bigint NOT NULL,
	malicious bigint NOT NULL,
	safe bigint NOT NULL,
	sole bigint NOT NULL,
	sole_right bigint NOT NULL,
	sole_wrong bigint NOT NULL,
	overlap bigint NOT NULL
);
-- unique, so that a second restore of the same counts fails and does not add them
CREATE UNIQUE INDEX decision_hour_policy_hour_idx ON assay_internal.decision_hour (policy, hour, kind, name, mode, claim) NULLS NOT DISTINCT;
-- a publication of all tables refuses no DELETE
ALTER TABLE assay_internal.decision_hour REPLICA IDENTITY FULL;
COMMENT ON TABLE assay_internal.decision_hour IS 'decisions of each hour with a verdict, or on which a detector or exclusion hit: how many, and their labels; the view assay.decision_hours shows it';

CREATE TABLE assay_internal.decision_day (
	policy text NOT NULL,
	day timestamptz NOT NULL,
	kind text NOT NULL,
	name text NOT NULL,
	mode text,
	claim text,
	hits bigint NOT NULL,
	malicious bigint NOT NULL,
	safe bigint NOT NULL,
	sole bigint NOT NULL,
	sole_right bigint NOT NULL,
	sole_wrong bigint NOT NULL,
	overlap bigint NOT NULL
);
CREATE UNIQUE INDEX decision_day_policy_day_idx ON assay_internal.decision_day (policy, day, kind, name, mode, claim) NULLS NOT DISTINCT;
ALTER TABLE assay_internal.decision_day REPLICA IDENTITY FULL;
COMMENT ON TABLE assay_internal.decision_day IS 'sums of decision_hour by days in UTC; the view assay.decision_days shows it';
GRANT SELECT ON assay_internal.rollup, assay_internal.decision_hour, assay_internal.decision_day TO pg_database_owner;

-- Counts are dumped, since they outlive the decisions that retention lets go.  Where somebody sees a part of the
-- decisions only, by row-level security, he sees no counts.
SELECT pg_catalog.pg_extension_config_dump('assay_internal.decision_hour', '');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.decision_day', '');

CREATE FUNCTION assay_internal.may_read_counts(decision regclass, access regclass, label regclass, signals_view regclass) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.may('owner', $1, $2, $3, $4) OR (assay_internal.may('reader', $1, $2, $3, $4)
		AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid IN ($1, $3) AND (c.relrowsecurity OR NOT has_table_privilege(c.oid, 'SELECT'))))
$$;
COMMENT ON FUNCTION assay_internal.may_read_counts(regclass, regclass, regclass, regclass) IS
	'may the current user read all decisions and labels of the policy of these objects?';

CREATE VIEW assay.decision_hours WITH (security_barrier) AS
	SELECT h.policy, h.hour, h.kind, h.name, h.mode, h.claim, h.hits, h.malicious + h.safe AS labelled,
		CASE h.claim WHEN 'safe' THEN h.safe WHEN 'malicious' THEN h.malicious END AS tp,
		CASE h.claim WHEN 'safe' THEN h.malicious WHEN 'malicious' THEN h.safe END AS fp,
		h.malicious, h.safe, h.sole, h.sole_right, h.sole_wrong, h.overlap
	FROM assay_internal.decision_hour h
	WHERE h.policy IN (SELECT p.policy FROM assay_internal.policy p WHERE assay_internal.may_read_counts(p.decision, p.access, p.label, p.signals_view));
COMMENT ON VIEW assay.decision_hours IS 'decisions by hour and verdict, detector, exclusion, as of the last refresh_rollup()';

CREATE VIEW assay.decision_days WITH (security_barrier) AS
	SELECT h.policy, h.day, h.kind, h.name, h.mode, h.claim, h.hits, h.malicious + h.safe AS labelled,
		CASE h.claim WHEN 'safe' THEN h.safe WHEN 'malicious' THEN h.malicious END AS tp,
		CASE h.claim WHEN 'safe' THEN h.malicious WHEN 'malicious' THEN h.safe END AS fp,
		h.malicious, h.safe, h.sole, h.sole_right, h.sole_wrong, h.overlap
	FROM assay_internal.decision_day h
	WHERE h.policy IN (SELECT p.policy FROM assay_internal.policy p WHERE assay_internal.may_read_counts(p.decision, p.access, p.label, p.signals_view));
COMMENT ON VIEW assay.decision_days IS 'the same by day, in UTC';

CREATE VIEW assay.rollups WITH (security_barrier) AS
	SELECT p.policy, r.refreshed_at FROM assay_internal.policy p LEFT JOIN assay_internal.rollup r ON r.policy = p.policy
	WHERE (r.policy IS NOT NULL OR EXISTS (SELECT FROM assay_internal.decision_day d WHERE d.policy = p.policy))
		AND assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view);
COMMENT ON VIEW assay.rollups IS
	'policies whose decisions are counted by hour, and when that was last brought up to date; NULL: not since a restore';

GRANT SELECT ON assay.decision_hours, assay.decision_days, assay.rollups TO PUBLIC;

-- private functions

CREATE FUNCTION assay_internal.is_newer(xmin xid, horizon xid8) RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_is_newer' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.is_newer(xid, xid8) IS 'may a row of this transaction have come since the horizon was the oldest at work?';

CREATE FUNCTION assay_internal.changed_hours(policy text, since timestamptz, horizon xid8, oldest timestamptz) RETURNS SETOF timestamptz
	AS 'MODULE_PATHNAME', 'assay_changed_hours' LANGUAGE C STABLE PARALLEL UNSAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION assay_internal.changed_hours(text, timestamptz, xid8, timestamptz) IS
	'hours of decisions from a time on, or of decisions and labels that may have come since a refresh';

CREATE FUNCTION assay_internal.begin_rollup(policy text, OUT horizon xid8, OUT oldest timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_begin_rollup' LANGUAGE C VOLATILE ROWS 1;
COMMENT ON FUNCTION assay_internal.begin_rollup(text) IS 'locks the rollup of a policy, and tells what was known at the last refresh';

CREATE FUNCTION assay_internal.store_rollup(policy text, hours timestamptz[], counts assay_internal.decision_count[]) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_store_rollup' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION assay_internal.store_rollup(text, timestamptz[], assay_internal.decision_count[]) IS 'gives hours their counts, and their days the sums';

-- functions

CREATE FUNCTION assay.refresh_rollup(policy text, since timestamptz DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known record;
	changed timestamptz[];
	part timestamptz[];
BEGIN
	-- both would count an hour, and what the other sends would stand beside it
	IF EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = 'assay_internal.decision_hour'::regclass) THEN
		RAISE EXCEPTION 'counts by hour and day come by replication' USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Refresh them at the publisher.';
	END IF;
	SELECT * INTO known FROM assay_internal.begin_rollup(policy);
	changed := array(SELECT h FROM assay_internal.changed_hours(policy, CASE WHEN known.horizon IS NULL THEN '-infinity' ELSE since END, known.horizon, known.oldest) h
		-- hours that have no decision any more: where nobody asks, retention may have let them go
		UNION SELECT h.hour FROM assay.decision_hours h WHERE h.policy = refresh_rollup.policy AND h.hour >= date_trunc('hour', since, 'UTC')
		ORDER BY 1);
	FOR i IN 0 .. ceil(cardinality(changed) / 500.0)::int - 1 LOOP
		part := changed[i * 500 + 1 : i * 500 + 500];
		PERFORM assay_internal.store_rollup(policy, part, array(SELECT c FROM assay_internal.count_hours(policy, part) c));
	END LOOP;
	RETURN cardinality(changed);
END $$;
COMMENT ON FUNCTION assay.refresh_rollup(text, timestamptz) IS
	'brings the counts by hour and day up to date: hours with decisions or labels that came since the last time, or all from a time on; returns how many hours';
