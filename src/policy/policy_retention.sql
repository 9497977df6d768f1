-- ---------------------------------------------------------------------------
-- policy: how long decisions and their signals are kept
-- ---------------------------------------------------------------------------

-- table

CREATE TABLE assay_internal.retention (
	policy text PRIMARY KEY,
	decisions interval CHECK (decisions >= interval '1 hour'),
	signals interval CHECK (signals >= interval '1 hour')
);
COMMENT ON TABLE assay_internal.retention IS 'how long decisions and the signals that were logged with them are kept; NULL: for ever';
GRANT SELECT ON assay_internal.retention TO pg_database_owner;
SELECT pg_catalog.pg_extension_config_dump('assay_internal.retention', '');

CREATE VIEW assay.retention WITH (security_barrier) AS
	SELECT t.policy, t.decisions, t.signals
	FROM assay_internal.retention t JOIN assay_internal.policy p ON p.policy = t.policy
	WHERE assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view);
COMMENT ON VIEW assay.retention IS 'of policies that the user may read: how long decisions and logged signals are kept by maintain(); NULL: for ever';
GRANT SELECT ON assay.retention TO PUBLIC;

-- private functions

CREATE FUNCTION assay_internal.store_retention(policy text, decisions interval, signals interval) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_store_retention' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.store_retention(text, interval, interval) IS 'keeps what set_retention() says, for the policy''s owner and who may act as it';

CREATE FUNCTION assay_internal.expire_decisions(policy text, decisions timestamptz, signals timestamptz, batch int) RETURNS bigint
	AS 'MODULE_PATHNAME', 'assay_expire_decisions' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION assay_internal.expire_decisions(text, timestamptz, timestamptz, int) IS
	'deletes the oldest decisions, and takes the signals of others, made before a time, so many of each at most; for the policy''s owner and who may act as it';

CREATE FUNCTION assay_internal.apply_retention(policy text, batch int) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.retention;
BEGIN
	SELECT * INTO r FROM assay.retention t WHERE t.policy = apply_retention.policy;
	-- partitions go by the time of the message that they are of
	IF r.decisions IS NOT NULL AND EXISTS (SELECT FROM assay.partitioning t WHERE t.policy = apply_retention.policy) THEN
		RETURN assay_internal.apply_part_retention(policy, r.decisions, batch) + assay_internal.expire_decisions(policy, NULL, now() - r.signals, batch);
	END IF;
	RETURN assay_internal.expire_decisions(policy, now() - r.decisions, now() - r.signals, batch);
END $$;
COMMENT ON FUNCTION assay_internal.apply_retention(text, int) IS 'lets go what a policy is not to keep any more, so many rows at most; returns how many';

-- functions

CREATE FUNCTION assay.set_retention(policy text, decisions interval DEFAULT NULL, signals interval DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int;
	kept assay.retention;
BEGIN
	PERFORM assay_internal.policy_for_owner(policy);
	IF NOT (coalesce(decisions, '1 hour') >= interval '1 hour' AND coalesce(signals, '1 hour') >= interval '1 hour'
		AND coalesce(decisions, '1 hour') <= interval '1000 years' AND coalesce(signals, '1 hour') <= interval '1000 years') THEN
		RAISE EXCEPTION 'decisions and signals must be times between an hour and 1000 years, or null' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	SELECT * INTO kept FROM assay.retention r WHERE r.policy = set_retention.policy;
	IF decisions IS NULL AND kept.decisions IS NOT NULL THEN
		RAISE NOTICE 'decisions of policy "%" are kept for ever from now on; until now: for %', policy, kept.decisions;
	END IF;
	IF signals IS NULL AND kept.signals IS NOT NULL THEN
		RAISE NOTICE 'signals of policy "%" are kept as long as decisions from now on; until now: for %', policy, kept.signals;
	END IF;
	-- ledgers keep from now on what would be made of signals that go; every session hears of it
	made := assay_internal.new_revision(policy, format('retention: decisions %s, signals %s', coalesce(decisions::text, 'for ever'), coalesce(signals::text, 'as long')));
	PERFORM assay_internal.store_retention(policy, decisions, signals);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.set_retention(text, interval, interval) IS
	'how long maintain() keeps decisions, and the signals that were logged with them; NULL: for ever, and signals as long as decisions; a new revision';
