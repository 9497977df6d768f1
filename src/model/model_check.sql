-- model: what a row does not give to a model, without a word

CREATE FUNCTION assay.model_check(model assay.model, signals jsonb,
		OUT feature text, OUT problem text, OUT detail text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'model_check_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 10;
COMMENT ON FUNCTION assay.model_check(assay.model, jsonb) IS 'features that an object does not give to a model, keys that it does not know, and unknown categories';

CREATE FUNCTION assay.model_check(model assay.model, signals record,
		OUT feature text, OUT problem text, OUT detail text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'model_check_record' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000 ROWS 10;
COMMENT ON FUNCTION assay.model_check(assay.model, record) IS 'features that a row does not give to a model, and unknown categories';
