-- ---- model: calibrated

CREATE FUNCTION assay.model_calibrated(model assay.model, slope float8, intercept float8) RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION assay.model_calibrated(assay.model, float8, float8) IS
	'the same model with margins slope * margin + intercept, which are log-odds: what assay.platt() found';
