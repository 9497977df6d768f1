-- ---------------------------------------------------------------------------
-- policy: statistics
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.stat(OUT policy text, OUT detector text, OUT evaluations bigint, OUT hits bigint,
	OUT faults bigint, OUT mean_us float8, OUT since timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_stat' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 300;
COMMENT ON FUNCTION assay_internal.stat() IS
	'counters of the policies (detector NULL) and detectors that the user may see, from shared memory; needs shared_preload_libraries';

CREATE FUNCTION assay.stat_reset() RETURNS void
	AS 'MODULE_PATHNAME', 'assay_stat_reset' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.stat_reset() IS 'sets all counters of all databases to zero';
REVOKE ALL ON FUNCTION assay.stat_reset() FROM PUBLIC;

CREATE VIEW assay.stat_detector AS
	SELECT s.policy, s.detector, s.evaluations, s.hits,
		s.hits::float8 / nullif(s.evaluations, 0) AS hit_rate, s.faults, s.mean_us, s.since
	FROM assay_internal.stat() s JOIN assay.policy p USING (policy)
	WHERE s.detector IS NOT NULL;
COMMENT ON VIEW assay.stat_detector IS
	'what each detector did since the server''s start or stat_reset(): evaluations, hits, faults, sampled microseconds';

CREATE VIEW assay.stat_policy AS
	SELECT s.policy, s.evaluations AS messages, s.hits AS degraded, s.faults, s.since
	FROM assay_internal.stat() s JOIN assay.policy p USING (policy)
	WHERE s.detector IS NULL;
COMMENT ON VIEW assay.stat_policy IS
	'messages that triggers decided by each policy since the server''s start or stat_reset()';

GRANT SELECT ON assay.stat_detector, assay.stat_policy TO PUBLIC;
