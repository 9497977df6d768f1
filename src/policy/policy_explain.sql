-- ---------------------------------------------------------------------------
-- policy: contributions that were not kept, computed when somebody looks
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.latest_signals(policy text, key text[], OUT revision int, OUT signals assay.logged_signals) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_latest_signals' LANGUAGE C STABLE STRICT PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION assay_internal.latest_signals(text, text[]) IS
	'signals that were logged with the decision of the highest revision about a message, with the rights of latest_decision()';

CREATE FUNCTION assay_internal.signals_record(signals assay.logged_signals) RETURNS record
	AS 'MODULE_PATHNAME', 'logged_signals_record' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay_internal.signals_record(assay.logged_signals) IS 'logged signals as a row of the types that they had';

CREATE FUNCTION assay_internal.explain_logged(policy text, revision int, detector text, contribution float8, signals assay.logged_signals) RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m record;
	r record;
BEGIN
	SELECT v.weight, w.model INTO m
	FROM assay.detector v JOIN assay.detector_model w ON w.policy = v.policy AND w.detector = v.detector AND w.revision = v.model_revision
	WHERE v.policy = explain_logged.policy AND v.detector = explain_logged.detector
		AND v.from_revision <= explain_logged.revision AND (v.until_revision IS NULL OR v.until_revision > explain_logged.revision);
	IF NOT FOUND OR signals IS NULL THEN
		RETURN NULL;
	END IF;
	r := assay_internal.signals_record(signals);
	-- Exact or not at all: the same model on the same signals has the margin that was kept.
	IF m.weight * assay.margin(m.model, r) IS DISTINCT FROM contribution THEN
		RETURN NULL;
	END IF;
	RETURN (SELECT jsonb_agg(jsonb_build_array(e.feature, e.value, m.weight * e.contribution) ORDER BY e.n)
		FROM assay.explain(m.model, r, current_setting('assay.top_features')::int) WITH ORDINALITY e(feature, value, contribution, n));
EXCEPTION WHEN data_corrupted OR undefined_object OR undefined_column OR datatype_mismatch OR program_limit_exceeded THEN
	-- Signals whose shape is gone, or that the model does not find any more
	RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.explain_logged(text, int, text, float8, assay.logged_signals) IS
	'contributions of a model''s features to a decision, from the signals that were logged and the model of that revision; NULL where these do not give the contribution that was kept';
