-- model: LightGBM's categories of a data frame, where the file leaves open whose they are

CREATE FUNCTION assay.model_from_lightgbm(document text, pandas_columns text[]) RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay.model_from_lightgbm(text, text[]) IS 'a model from LightGBM''s text file; the columns of type category that the training''s data frame had, in order';
