-- model: compiled ensembles and linear models

-- type

CREATE TYPE assay.model;

CREATE FUNCTION assay_internal.model_in(cstring) RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.model_in(cstring) IS 'I/O of model';

CREATE FUNCTION assay_internal.model_out(assay.model) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.model_out(assay.model) IS 'I/O of model';

CREATE FUNCTION assay_internal.model_recv(internal) RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.model_recv(internal) IS 'I/O of model';

CREATE FUNCTION assay_internal.model_send(assay.model) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.model_send(assay.model) IS 'I/O of model';

CREATE TYPE assay.model (
	INPUT = assay_internal.model_in,
	OUTPUT = assay_internal.model_out,
	RECEIVE = assay_internal.model_recv,
	SEND = assay_internal.model_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = external
);
COMMENT ON TYPE assay.model IS 'a compiled ensemble of trees or linear model, evaluated in place';

-- functions: constructors

CREATE FUNCTION assay.model_from_xgboost(document bytea, iterations integer DEFAULT NULL) RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay.model_from_xgboost(bytea, integer) IS 'a model from XGBoost''s JSON or UBJSON file';

CREATE FUNCTION assay.model_from_lightgbm(document text) RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay.model_from_lightgbm(text) IS 'a model from LightGBM''s text file';

CREATE FUNCTION assay.model_from_catboost(document text) RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay.model_from_catboost(text) IS 'a model from CatBoost''s JSON file';

CREATE FUNCTION assay.model_from_linear(features text[], weights double precision[], intercept double precision DEFAULT 0, link text DEFAULT 'logistic') RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.model_from_linear(text[], double precision[], double precision, text) IS 'a linear model with link identity, logistic or exp';

CREATE FUNCTION assay.model_with_names(model assay.model, names text[]) RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION assay.model_with_names(assay.model, text[]) IS 'the same model with other names for its features';

-- functions: what a model says of itself

CREATE FUNCTION assay.model_info(model assay.model,
		OUT format text, OUT library text, OUT objective text, OUT link text, OUT "precision" text,
		OUT features integer, OUT outputs integer, OUT trees integer, OUT nodes integer, OUT depth integer,
		OUT iterations integer, OUT best_iteration integer, OUT explainable boolean, OUT bytes integer)
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION assay.model_info(assay.model) IS 'what a model is: format, objective, link, size';

CREATE FUNCTION assay.model_features(model assay.model,
		OUT "position" integer, OUT name text, OUT kind text, OUT categories text[]) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 100;
COMMENT ON FUNCTION assay.model_features(assay.model) IS 'the features of a model, in the order of the array form';

CREATE FUNCTION assay.model_digest(model assay.model) RETURNS text
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.model_digest(assay.model) IS 'fingerprint of a model''s content: equal models have equal digests';

-- private functions: whole rows as columns, see lazy_row.c

CREATE FUNCTION assay_internal.record_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.record_support(internal) IS 'for the planner: the columns of a row instead of the row';

-- STABLE, so that no foreign-data wrapper sends it away
CREATE FUNCTION assay_internal.lazy_row(internal, names text[], VARIADIC "any") RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.lazy_row(internal, text[], "any") IS 'a row that a plan reads column by column';

-- functions: evaluation. One C function a verb, whatever the row's type.

CREATE FUNCTION assay.predict(model assay.model, features real[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.predict(assay.model, real[]) IS 'prediction of a model; NULL and NaN are missing';
CREATE FUNCTION assay.predict(model assay.model, features double precision[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.predict(assay.model, double precision[]) IS 'prediction of a model; NULL and NaN are missing';
CREATE FUNCTION assay.predict(model assay.model, signals record) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300 SUPPORT assay_internal.record_support;
COMMENT ON FUNCTION assay.predict(assay.model, record) IS 'prediction of a model, features by column name; NULL is missing';
CREATE FUNCTION assay.predict(model assay.model, signals jsonb) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION assay.predict(assay.model, jsonb) IS 'prediction of a model, features by key; absent and null are missing';

CREATE FUNCTION assay.margin(model assay.model, features real[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_margin' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.margin(assay.model, real[]) IS 'raw score of a model, before the link';
CREATE FUNCTION assay.margin(model assay.model, features double precision[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_margin' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.margin(assay.model, double precision[]) IS 'raw score of a model, before the link';
CREATE FUNCTION assay.margin(model assay.model, signals record) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_margin' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300 SUPPORT assay_internal.record_support;
COMMENT ON FUNCTION assay.margin(assay.model, record) IS 'raw score of a model, before the link, features by column name';
CREATE FUNCTION assay.margin(model assay.model, signals jsonb) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_margin' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION assay.margin(assay.model, jsonb) IS 'raw score of a model, before the link, features by key';

CREATE FUNCTION assay.predict_vector(model assay.model, features real[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_predict_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.predict_vector(assay.model, real[]) IS 'predictions of a model with several outputs, such as a probability for each class';
CREATE FUNCTION assay.predict_vector(model assay.model, features double precision[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_predict_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.predict_vector(assay.model, double precision[]) IS 'predictions of a model with several outputs, such as a probability for each class';
CREATE FUNCTION assay.predict_vector(model assay.model, signals record) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_predict_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300 SUPPORT assay_internal.record_support;
COMMENT ON FUNCTION assay.predict_vector(assay.model, record) IS 'predictions of a model with several outputs, features by column name';
CREATE FUNCTION assay.predict_vector(model assay.model, signals jsonb) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_predict_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION assay.predict_vector(assay.model, jsonb) IS 'predictions of a model with several outputs, features by key';

CREATE FUNCTION assay.margin_vector(model assay.model, features real[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_margin_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.margin_vector(assay.model, real[]) IS 'raw scores of a model with several outputs';
CREATE FUNCTION assay.margin_vector(model assay.model, features double precision[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_margin_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.margin_vector(assay.model, double precision[]) IS 'raw scores of a model with several outputs';
CREATE FUNCTION assay.margin_vector(model assay.model, signals record) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_margin_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300 SUPPORT assay_internal.record_support;
COMMENT ON FUNCTION assay.margin_vector(assay.model, record) IS 'raw scores of a model with several outputs, features by column name';
CREATE FUNCTION assay.margin_vector(model assay.model, signals jsonb) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_margin_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION assay.margin_vector(assay.model, jsonb) IS 'raw scores of a model with several outputs, features by key';

CREATE FUNCTION assay.predict_leaf(model assay.model, features real[]) RETURNS integer[]
	AS 'MODULE_PATHNAME', 'model_predict_leaf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.predict_leaf(assay.model, real[]) IS 'the leaf of each tree that a row ends in, as numbered by the library';
CREATE FUNCTION assay.predict_leaf(model assay.model, features double precision[]) RETURNS integer[]
	AS 'MODULE_PATHNAME', 'model_predict_leaf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 400;
COMMENT ON FUNCTION assay.predict_leaf(assay.model, double precision[]) IS 'the leaf of each tree that a row ends in, as numbered by the library';
CREATE FUNCTION assay.predict_leaf(model assay.model, signals record) RETURNS integer[]
	AS 'MODULE_PATHNAME', 'model_predict_leaf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500 SUPPORT assay_internal.record_support;
COMMENT ON FUNCTION assay.predict_leaf(assay.model, record) IS 'the leaf of each tree that a row ends in, features by column name';
CREATE FUNCTION assay.predict_leaf(model assay.model, signals jsonb) RETURNS integer[]
	AS 'MODULE_PATHNAME', 'model_predict_leaf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION assay.predict_leaf(assay.model, jsonb) IS 'the leaf of each tree that a row ends in, features by key';

-- functions: attribution

CREATE FUNCTION assay.contributions(model assay.model, features real[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_contributions' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000;
COMMENT ON FUNCTION assay.contributions(assay.model, real[]) IS 'exact SHAP values of the margin, one a feature, the last the expected margin';
CREATE FUNCTION assay.contributions(model assay.model, features double precision[]) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_contributions' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000;
COMMENT ON FUNCTION assay.contributions(assay.model, double precision[]) IS 'exact SHAP values of the margin, one a feature, the last the expected margin';
CREATE FUNCTION assay.contributions(model assay.model, signals record) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_contributions' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000 SUPPORT assay_internal.record_support;
COMMENT ON FUNCTION assay.contributions(assay.model, record) IS 'exact SHAP values of the margin, features by column name, in the order of model_features()';
CREATE FUNCTION assay.contributions(model assay.model, signals jsonb) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'model_contributions' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000;
COMMENT ON FUNCTION assay.contributions(assay.model, jsonb) IS 'exact SHAP values of the margin, features by key, in the order of model_features()';

CREATE FUNCTION assay.explain(model assay.model, signals record, top integer DEFAULT NULL, output integer DEFAULT 0,
		OUT feature text, OUT value text, OUT contribution double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'model_explain' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5000 ROWS 10;
COMMENT ON FUNCTION assay.explain(assay.model, record, integer, integer) IS 'what moved a model''s margin for this row: features by absolute SHAP value';
CREATE FUNCTION assay.explain(model assay.model, signals jsonb, top integer DEFAULT NULL, output integer DEFAULT 0,
		OUT feature text, OUT value text, OUT contribution double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'model_explain' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5000 ROWS 10;
COMMENT ON FUNCTION assay.explain(assay.model, jsonb, integer, integer) IS 'what moved a model''s margin for this object: features by absolute SHAP value';
CREATE FUNCTION assay.explain(model assay.model, features real[], top integer DEFAULT NULL, output integer DEFAULT 0,
		OUT feature text, OUT value text, OUT contribution double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'model_explain' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5000 ROWS 10;
COMMENT ON FUNCTION assay.explain(assay.model, real[], integer, integer) IS 'what moved a model''s margin for this array: features by absolute SHAP value';
CREATE FUNCTION assay.explain(model assay.model, features double precision[], top integer DEFAULT NULL, output integer DEFAULT 0,
		OUT feature text, OUT value text, OUT contribution double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'model_explain' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5000 ROWS 10;
COMMENT ON FUNCTION assay.explain(assay.model, double precision[], integer, integer) IS 'what moved a model''s margin for this array: features by absolute SHAP value';

-- functions: the cache

CREATE FUNCTION assay_internal.model_cache(
		OUT digest text, OUT model_bytes bigint, OUT bytes bigint, OUT explains boolean, OUT pins integer,
		OUT uses bigint, OUT used_at timestamp with time zone) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION assay_internal.model_cache() IS 'models that this backend keeps ready';

-- views

CREATE VIEW assay.model_cache AS
	SELECT digest, model_bytes, bytes, explains, pins, uses, used_at FROM assay_internal.model_cache();
COMMENT ON VIEW assay.model_cache IS 'models that this backend keeps ready, most recently used first; bounded by assay.model_cache_size';
GRANT SELECT ON assay.model_cache TO PUBLIC;
