-- model: rows as arrays of other numbers.  ARRAY[0.5, 1] is numeric[] and
-- ARRAY[1, 2] integer[]; without these functions neither real[] nor double
-- precision[] would be the better one.

CREATE FUNCTION assay.predict(model assay.model, features numeric[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.predict(assay.model, numeric[]) IS 'prediction of a model; NULL is missing';
CREATE FUNCTION assay.predict(model assay.model, features integer[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.predict(assay.model, integer[]) IS 'prediction of a model; NULL is missing';
CREATE FUNCTION assay.predict(model assay.model, features bigint[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.predict(assay.model, bigint[]) IS 'prediction of a model; NULL is missing';

CREATE FUNCTION assay.margin(model assay.model, features numeric[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_margin' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.margin(assay.model, numeric[]) IS 'raw score of a model, before the link';
CREATE FUNCTION assay.margin(model assay.model, features integer[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_margin' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.margin(assay.model, integer[]) IS 'raw score of a model, before the link';
CREATE FUNCTION assay.margin(model assay.model, features bigint[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_margin' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.margin(assay.model, bigint[]) IS 'raw score of a model, before the link';

CREATE FUNCTION assay.predict_vector(model assay.model, features numeric[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_predict_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.predict_vector(assay.model, numeric[]) IS 'predictions of a model with several outputs, such as a probability for each class';
CREATE FUNCTION assay.predict_vector(model assay.model, features integer[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_predict_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.predict_vector(assay.model, integer[]) IS 'predictions of a model with several outputs, such as a probability for each class';
CREATE FUNCTION assay.predict_vector(model assay.model, features bigint[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_predict_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.predict_vector(assay.model, bigint[]) IS 'predictions of a model with several outputs, such as a probability for each class';

CREATE FUNCTION assay.margin_vector(model assay.model, features numeric[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_margin_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.margin_vector(assay.model, numeric[]) IS 'raw scores of a model with several outputs';
CREATE FUNCTION assay.margin_vector(model assay.model, features integer[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_margin_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.margin_vector(assay.model, integer[]) IS 'raw scores of a model with several outputs';
CREATE FUNCTION assay.margin_vector(model assay.model, features bigint[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_margin_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.margin_vector(assay.model, bigint[]) IS 'raw scores of a model with several outputs';

CREATE FUNCTION assay.predict_leaf(model assay.model, features numeric[]) RETURNS integer[]
	AS 'MODULE_PATHNAME', 'model_predict_leaf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 600;
COMMENT ON FUNCTION assay.predict_leaf(assay.model, numeric[]) IS 'the leaf of each tree that a row ends in, as numbered by the library';
CREATE FUNCTION assay.predict_leaf(model assay.model, features integer[]) RETURNS integer[]
	AS 'MODULE_PATHNAME', 'model_predict_leaf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 600;
COMMENT ON FUNCTION assay.predict_leaf(assay.model, integer[]) IS 'the leaf of each tree that a row ends in, as numbered by the library';
CREATE FUNCTION assay.predict_leaf(model assay.model, features bigint[]) RETURNS integer[]
	AS 'MODULE_PATHNAME', 'model_predict_leaf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 600;
COMMENT ON FUNCTION assay.predict_leaf(assay.model, bigint[]) IS 'the leaf of each tree that a row ends in, as numbered by the library';

CREATE FUNCTION assay.contributions(model assay.model, features numeric[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_contributions' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5200;
COMMENT ON FUNCTION assay.contributions(assay.model, numeric[]) IS 'exact SHAP values of the margin, one a feature, the last the expected margin';
CREATE FUNCTION assay.contributions(model assay.model, features integer[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_contributions' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5200;
COMMENT ON FUNCTION assay.contributions(assay.model, integer[]) IS 'exact SHAP values of the margin, one a feature, the last the expected margin';
CREATE FUNCTION assay.contributions(model assay.model, features bigint[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_contributions' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5200;
COMMENT ON FUNCTION assay.contributions(assay.model, bigint[]) IS 'exact SHAP values of the margin, one a feature, the last the expected margin';

CREATE FUNCTION assay.explain(model assay.model, features numeric[], top integer DEFAULT NULL, output integer DEFAULT 0,
		OUT feature text, OUT value text, OUT contribution double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'model_explain' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5000 ROWS 10;
COMMENT ON FUNCTION assay.explain(assay.model, numeric[], integer, integer) IS 'what moved a model''s margin for this array: features by absolute SHAP value';
CREATE FUNCTION assay.explain(model assay.model, features integer[], top integer DEFAULT NULL, output integer DEFAULT 0,
		OUT feature text, OUT value text, OUT contribution double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'model_explain' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5000 ROWS 10;
COMMENT ON FUNCTION assay.explain(assay.model, integer[], integer, integer) IS 'what moved a model''s margin for this array: features by absolute SHAP value';
CREATE FUNCTION assay.explain(model assay.model, features bigint[], top integer DEFAULT NULL, output integer DEFAULT 0,
		OUT feature text, OUT value text, OUT contribution double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'model_explain' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5000 ROWS 10;
COMMENT ON FUNCTION assay.explain(assay.model, bigint[], integer, integer) IS 'what moved a model''s margin for this array: features by absolute SHAP value';
