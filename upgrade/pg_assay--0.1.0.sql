/* pg_assay--0.1.0.sql: assembled from the modules under src; edit those */

\echo Use "CREATE EXTENSION pg_assay" to load this file. \quit

-- the schema: whoever made it before us could plant what our functions find first

DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
			   WHERE n.nspname OPERATOR(pg_catalog.=) 'assay'::pg_catalog.name
			   AND NOT r.rolsuper AND r.rolname OPERATOR(pg_catalog.<>) CURRENT_USER)
	THEN
		RAISE EXCEPTION 'schema "assay" belongs to another role'
			USING ERRCODE = 'insufficient_privilege', HINT = 'Drop it, or give it to a superuser, and look what is in it.';
	END IF;
END $$;

-- model: compiled ensembles and linear models

-- type

CREATE TYPE assay.model;

CREATE FUNCTION assay.model_in(cstring) RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.model_in(cstring) IS 'I/O of model';

CREATE FUNCTION assay.model_out(assay.model) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.model_out(assay.model) IS 'I/O of model';

CREATE FUNCTION assay.model_recv(internal) RETURNS assay.model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.model_recv(internal) IS 'I/O of model';

CREATE FUNCTION assay.model_send(assay.model) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.model_send(assay.model) IS 'I/O of model';

CREATE TYPE assay.model (
	INPUT = assay.model_in,
	OUTPUT = assay.model_out,
	RECEIVE = assay.model_recv,
	SEND = assay.model_send,
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

CREATE FUNCTION assay.record_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.record_support(internal) IS 'for the planner: the columns of a row instead of the row';

-- STABLE, so that no foreign-data wrapper sends it away
CREATE FUNCTION assay.lazy_row(internal, names text[], VARIADIC "any") RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.lazy_row(internal, text[], "any") IS 'a row that a plan reads column by column';

-- functions: evaluation. One C function a verb, whatever the row's type.

CREATE FUNCTION assay.predict(model assay.model, features real[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.predict(assay.model, real[]) IS 'prediction of a model; NULL and NaN are missing';
CREATE FUNCTION assay.predict(model assay.model, features double precision[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.predict(assay.model, double precision[]) IS 'prediction of a model; NULL and NaN are missing';
CREATE FUNCTION assay.predict(model assay.model, signals record) RETURNS double precision
	AS 'MODULE_PATHNAME', 'model_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300 SUPPORT assay.record_support;
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
	AS 'MODULE_PATHNAME', 'model_margin' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300 SUPPORT assay.record_support;
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
	AS 'MODULE_PATHNAME', 'model_predict_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300 SUPPORT assay.record_support;
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
	AS 'MODULE_PATHNAME', 'model_margin_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300 SUPPORT assay.record_support;
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
	AS 'MODULE_PATHNAME', 'model_predict_leaf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500 SUPPORT assay.record_support;
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
	AS 'MODULE_PATHNAME', 'model_contributions' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000 SUPPORT assay.record_support;
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

CREATE FUNCTION assay.model_cache(
		OUT digest text, OUT model_bytes bigint, OUT bytes bigint, OUT explains boolean, OUT pins integer,
		OUT uses bigint, OUT used_at timestamp with time zone) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION assay.model_cache() IS 'models that this backend keeps ready';

-- views

CREATE VIEW assay.model_cache AS
	SELECT digest, model_bytes, bytes, explains, pins, uses, used_at FROM assay.model_cache();
COMMENT ON VIEW assay.model_cache IS 'models that this backend keeps ready, most recently used first; bounded by assay.model_cache_size';
GRANT SELECT ON assay.model_cache TO PUBLIC;

-- text: phrases, domains

-- type

CREATE TYPE assay.phrases;

CREATE FUNCTION assay.phrases_in(cstring) RETURNS assay.phrases
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.phrases_in(cstring) IS 'I/O of phrases';

CREATE FUNCTION assay.phrases_out(assay.phrases) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.phrases_out(assay.phrases) IS 'I/O of phrases';

CREATE FUNCTION assay.phrases_recv(internal) RETURNS assay.phrases
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.phrases_recv(internal) IS 'I/O of phrases';

CREATE FUNCTION assay.phrases_send(assay.phrases) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.phrases_send(assay.phrases) IS 'I/O of phrases';

CREATE TYPE assay.phrases (
	INPUT = assay.phrases_in,
	OUTPUT = assay.phrases_out,
	RECEIVE = assay.phrases_recv,
	SEND = assay.phrases_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = external
);
COMMENT ON TYPE assay.phrases IS 'named patterns, matched all in one pass over a text';

-- functions

CREATE FUNCTION assay.phrases(names text[], patterns text[], syntax text DEFAULT 'literal') RETURNS assay.phrases
	AS 'MODULE_PATHNAME', 'phrases_make' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay.phrases(text[], text[], text) IS 'compile named patterns: literals, or regular expressions with syntax regex';

CREATE FUNCTION assay.phrase_hits(phrases assay.phrases, content text) RETURNS text[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.phrase_hits(assay.phrases, text) IS 'names of the phrases that occur in a text, each once, in definition order';

CREATE FUNCTION assay.phrase_matches(phrases assay.phrases, content text, max_matches integer DEFAULT 1000,
	OUT name text, OUT start_pos integer, OUT end_pos integer, OUT matched text) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION assay.phrase_matches(assay.phrases, text, integer) IS 'where each phrase occurs in a text: first and last character, and the matched text';

CREATE FUNCTION assay.phrases_patterns(phrases assay.phrases, OUT name text, OUT pattern text) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION assay.phrases_patterns(assay.phrases) IS 'the patterns of a phrases value, in definition order';

CREATE FUNCTION assay.phrases_info(phrases assay.phrases, OUT syntax text, OUT names integer, OUT patterns integer,
	OUT bytes integer, OUT compiled_bytes integer, OUT compiled_here boolean) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.phrases_info(assay.phrases) IS 'size of a phrases value, and whether its compiled part fits the libraries in use';

CREATE FUNCTION assay.phrases_cache(OUT entries integer, OUT bytes bigint, OUT loads bigint, OUT compiles bigint,
	OUT fetches bigint, OUT compiler text) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION assay.phrases_cache() IS 'phrases values that this backend holds loaded, and what it did to load them';

CREATE FUNCTION assay.registrable_domain(host text) RETURNS text
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION assay.registrable_domain(text) IS 'the part of a host name that somebody registered: one label more than its public suffix';

CREATE FUNCTION assay.domain_of(address text) RETURNS text
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION assay.domain_of(text) IS 'the host name of an e-mail address, lower case, in its ASCII form';

CREATE FUNCTION assay.public_suffix_list(OUT library_version text, OUT list_time timestamptz, OUT suffixes integer) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.public_suffix_list() IS 'the Public Suffix List that registrable_domain uses';

-- private functions

CREATE FUNCTION assay.phrases_eq(assay.phrases, assay.phrases) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.phrases_eq(assay.phrases, assay.phrases) IS 'implementation of = operator';

CREATE FUNCTION assay.phrases_ne(assay.phrases, assay.phrases) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.phrases_ne(assay.phrases, assay.phrases) IS 'implementation of <> operator';

-- operators

CREATE OPERATOR assay.= (
	LEFTARG = assay.phrases, RIGHTARG = assay.phrases, FUNCTION = assay.phrases_eq,
	COMMUTATOR = OPERATOR(assay.=), NEGATOR = OPERATOR(assay.<>), RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR assay.= (assay.phrases, assay.phrases) IS 'same names, patterns and syntax';

CREATE OPERATOR assay.<> (
	LEFTARG = assay.phrases, RIGHTARG = assay.phrases, FUNCTION = assay.phrases_ne,
	COMMUTATOR = OPERATOR(assay.<>), NEGATOR = OPERATOR(assay.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR assay.<> (assay.phrases, assay.phrases) IS 'not the same names, patterns or syntax';

-- ---- baseline: activity and outcome -----------------------------------------

CREATE TYPE assay.activity;

CREATE FUNCTION assay.activity_in(cstring) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.activity_out(assay.activity) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.activity_recv(internal) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.activity_send(assay.activity) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE assay.activity (
	INPUT = assay.activity_in,
	OUTPUT = assay.activity_out,
	RECEIVE = assay.activity_recv,
	SEND = assay.activity_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = plain
);

CREATE TYPE assay.outcome;

CREATE FUNCTION assay.outcome_in(cstring) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.outcome_out(assay.outcome) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.outcome_recv(internal) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.outcome_send(assay.outcome) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE assay.outcome (
	INPUT = assay.outcome_in,
	OUTPUT = assay.outcome_out,
	RECEIVE = assay.outcome_recv,
	SEND = assay.outcome_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = plain
);

COMMENT ON TYPE assay.activity IS 'history of a key: events, first and last time, decayed counts, hours and weekdays';
COMMENT ON TYPE assay.outcome IS 'label counts of a key: malicious and safe messages';

-- functions: activity; NULL is a key without history

CREATE FUNCTION assay.events(activity assay.activity) RETURNS bigint
	AS 'MODULE_PATHNAME', 'activity_events' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.first_seen(activity assay.activity) RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'activity_first_seen' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.last_seen(activity assay.activity) RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'activity_last_seen' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.days_known(activity assay.activity, at timestamptz) RETURNS float8
	AS 'MODULE_PATHNAME', 'activity_days_known' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.days_since(activity assay.activity, at timestamptz) RETURNS float8
	AS 'MODULE_PATHNAME', 'activity_days_since' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.rate(activity assay.activity, at timestamptz, half_life interval) RETURNS float8
	AS 'MODULE_PATHNAME', 'activity_rate' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.hour_affinity(activity assay.activity, at timestamptz) RETURNS float8
	AS 'MODULE_PATHNAME', 'activity_hour_affinity' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.burst(activity assay.activity, at timestamptz, half_life interval DEFAULT '1 hour') RETURNS float8
	AS 'MODULE_PATHNAME', 'activity_burst' LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION assay.events(assay.activity) IS 'number of events; 0 without history';
COMMENT ON FUNCTION assay.first_seen(assay.activity) IS 'time of the first event';
COMMENT ON FUNCTION assay.last_seen(assay.activity) IS 'time of the last event';
COMMENT ON FUNCTION assay.days_known(assay.activity, timestamptz) IS 'days since the first event; 0 without history';
COMMENT ON FUNCTION assay.days_since(assay.activity, timestamptz) IS 'days since the last event; NULL without history';
COMMENT ON FUNCTION assay.rate(assay.activity, timestamptz, interval) IS 'events a day, decayed with a half-life of 1 hour, 1 day, 7 or 30 days; 0 without history';
COMMENT ON FUNCTION assay.hour_affinity(assay.activity, timestamptz) IS 'how typical this hour of the week is, against an even spread; 1 without history';
COMMENT ON FUNCTION assay.burst(assay.activity, timestamptz, interval) IS 'recent rate over the 30-day rate, shrunk towards 1; 1 without history';

-- functions: outcome; NULL is a key without labels

CREATE FUNCTION assay.outcome(attacks bigint, safe bigint) RETURNS assay.outcome
	AS 'MODULE_PATHNAME', 'outcome_make' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.attacks(outcome assay.outcome) RETURNS bigint
	AS 'MODULE_PATHNAME', 'outcome_attacks' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.safe(outcome assay.outcome) RETURNS bigint
	AS 'MODULE_PATHNAME', 'outcome_safe' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.labels(outcome assay.outcome) RETURNS bigint
	AS 'MODULE_PATHNAME', 'outcome_labels' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.attack_rate(outcome assay.outcome, prior_rate float8, prior_weight float8) RETURNS float8
	AS 'MODULE_PATHNAME', 'outcome_attack_rate' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.safe_rate_lower(outcome assay.outcome, confidence float8 DEFAULT 0.95) RETURNS float8
	AS 'MODULE_PATHNAME', 'outcome_safe_rate_lower' LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION assay.outcome(bigint, bigint) IS 'an outcome of so many malicious and safe messages';
COMMENT ON FUNCTION assay.attacks(assay.outcome) IS 'messages labelled malicious; 0 without labels';
COMMENT ON FUNCTION assay.safe(assay.outcome) IS 'messages labelled safe; 0 without labels';
COMMENT ON FUNCTION assay.labels(assay.outcome) IS 'labelled messages; 0 without labels';
COMMENT ON FUNCTION assay.attack_rate(assay.outcome, float8, float8) IS 'posterior mean of the rate of malicious messages; the prior''s without labels';
COMMENT ON FUNCTION assay.safe_rate_lower(assay.outcome, float8) IS 'Wilson''s one-sided lower bound of the rate of safe messages; 0 without labels';

-- private functions

CREATE FUNCTION assay.activity_accum(assay.activity, timestamptz) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.activity_add(assay.activity, assay.activity) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.activity_final(assay.activity) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.outcome_accum(assay.outcome, boolean) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.outcome_accum_moving(assay.outcome, boolean) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.outcome_accum_inverse(assay.outcome, boolean) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.outcome_moving_final(assay.outcome) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.outcome_add(assay.outcome, assay.outcome) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.outcome_subtract(assay.outcome, assay.outcome) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.outcome_combine(assay.outcome, assay.outcome) RETURNS assay.outcome
	AS 'MODULE_PATHNAME', 'outcome_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.outcome_combine_inverse(assay.outcome, assay.outcome) RETURNS assay.outcome
	AS 'MODULE_PATHNAME', 'outcome_subtract' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION assay.activity_window_accum(internal, timestamptz) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.activity_window_accum_inverse(internal, timestamptz) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.activity_window_add(internal, assay.activity) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.activity_window_add_inverse(internal, assay.activity) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.activity_window_final(internal) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION assay.activity_in(cstring) IS 'I/O';
COMMENT ON FUNCTION assay.activity_out(assay.activity) IS 'I/O';
COMMENT ON FUNCTION assay.activity_recv(internal) IS 'I/O';
COMMENT ON FUNCTION assay.activity_send(assay.activity) IS 'I/O';
COMMENT ON FUNCTION assay.outcome_in(cstring) IS 'I/O';
COMMENT ON FUNCTION assay.outcome_out(assay.outcome) IS 'I/O';
COMMENT ON FUNCTION assay.outcome_recv(internal) IS 'I/O';
COMMENT ON FUNCTION assay.outcome_send(assay.outcome) IS 'I/O';
COMMENT ON FUNCTION assay.activity_accum(assay.activity, timestamptz) IS 'aggregate transition function';
COMMENT ON FUNCTION assay.activity_add(assay.activity, assay.activity) IS 'implementation of + operator';
COMMENT ON FUNCTION assay.activity_final(assay.activity) IS 'aggregate final function';
COMMENT ON FUNCTION assay.activity_window_accum(internal, timestamptz) IS 'aggregate transition function';
COMMENT ON FUNCTION assay.activity_window_accum_inverse(internal, timestamptz) IS 'aggregate inverse transition function';
COMMENT ON FUNCTION assay.activity_window_add(internal, assay.activity) IS 'aggregate transition function';
COMMENT ON FUNCTION assay.activity_window_add_inverse(internal, assay.activity) IS 'aggregate inverse transition function';
COMMENT ON FUNCTION assay.activity_window_final(internal) IS 'aggregate final function';
COMMENT ON FUNCTION assay.outcome_accum(assay.outcome, boolean) IS 'aggregate transition function';
COMMENT ON FUNCTION assay.outcome_accum_moving(assay.outcome, boolean) IS 'aggregate transition function';
COMMENT ON FUNCTION assay.outcome_accum_inverse(assay.outcome, boolean) IS 'aggregate inverse transition function';
COMMENT ON FUNCTION assay.outcome_moving_final(assay.outcome) IS 'aggregate final function';
COMMENT ON FUNCTION assay.outcome_add(assay.outcome, assay.outcome) IS 'implementation of + operator';
COMMENT ON FUNCTION assay.outcome_subtract(assay.outcome, assay.outcome) IS 'implementation of - operator';
COMMENT ON FUNCTION assay.outcome_combine(assay.outcome, assay.outcome) IS 'aggregate combine function';
COMMENT ON FUNCTION assay.outcome_combine_inverse(assay.outcome, assay.outcome) IS 'aggregate inverse transition function';

-- aggregates

CREATE AGGREGATE assay.activity_agg(at timestamptz) (
	SFUNC = assay.activity_accum,
	STYPE = assay.activity,
	SSPACE = 80,
	FINALFUNC = assay.activity_final,
	COMBINEFUNC = assay.activity_add,
	MSFUNC = assay.activity_window_accum,
	MINVFUNC = assay.activity_window_accum_inverse,
	MSTYPE = internal,
	MSSPACE = 8192,
	MFINALFUNC = assay.activity_window_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE assay.activity_agg(activity assay.activity) (
	SFUNC = assay.activity_add,
	STYPE = assay.activity,
	SSPACE = 256,
	FINALFUNC = assay.activity_final,
	COMBINEFUNC = assay.activity_add,
	MSFUNC = assay.activity_window_add,
	MINVFUNC = assay.activity_window_add_inverse,
	MSTYPE = internal,
	MSSPACE = 8192,
	MFINALFUNC = assay.activity_window_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE assay.outcome_agg(malicious boolean) (
	SFUNC = assay.outcome_accum,
	STYPE = assay.outcome,
	SSPACE = 32,
	COMBINEFUNC = assay.outcome_combine,
	MSFUNC = assay.outcome_accum_moving,
	MINVFUNC = assay.outcome_accum_inverse,
	MSTYPE = assay.outcome,
	MFINALFUNC = assay.outcome_moving_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE assay.outcome_agg(outcome assay.outcome) (
	SFUNC = assay.outcome_combine,
	STYPE = assay.outcome,
	SSPACE = 32,
	COMBINEFUNC = assay.outcome_combine,
	MSFUNC = assay.outcome_combine,
	MINVFUNC = assay.outcome_combine_inverse,
	MSTYPE = assay.outcome,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE assay.activity_agg(timestamptz) IS 'activity of these times; NULL and infinite times count for nothing';
COMMENT ON AGGREGATE assay.activity_agg(assay.activity) IS 'sum of activities';
COMMENT ON AGGREGATE assay.outcome_agg(boolean) IS 'outcome of these labels: true is malicious, false safe, NULL no label';
COMMENT ON AGGREGATE assay.outcome_agg(assay.outcome) IS 'sum of outcomes';

-- operators

CREATE OPERATOR assay.+ (
	LEFTARG = assay.activity, RIGHTARG = assay.activity, FUNCTION = assay.activity_add, COMMUTATOR = OPERATOR(assay.+)
);
CREATE OPERATOR assay.+ (
	LEFTARG = assay.activity, RIGHTARG = timestamptz, FUNCTION = assay.activity_accum
);
CREATE OPERATOR assay.+ (
	LEFTARG = assay.outcome, RIGHTARG = assay.outcome, FUNCTION = assay.outcome_add, COMMUTATOR = OPERATOR(assay.+)
);
CREATE OPERATOR assay.- (
	LEFTARG = assay.outcome, RIGHTARG = assay.outcome, FUNCTION = assay.outcome_subtract
);

COMMENT ON OPERATOR assay.+ (assay.activity, assay.activity) IS 'sum of two activities';
COMMENT ON OPERATOR assay.+ (assay.activity, timestamptz) IS 'the activity with one more event';
COMMENT ON OPERATOR assay.+ (assay.outcome, assay.outcome) IS 'sum of two outcomes';
COMMENT ON OPERATOR assay.- (assay.outcome, assay.outcome) IS 'labels between two cumulative outcomes';

-- ---- baseline: keeping baselines ---------------------------------------------
--
-- A baseline has a row for each key and active day (UTC) with the state at the
-- end of that day. It is a materialized view, or with incremental => true a
-- table that the statements built here bring up to date.
--
-- What an incremental baseline has counted is known by the arrival number of a
-- message, not by its time: everything up to `settled`, and of what is above it
-- the numbers in `counted`. A number that isn't visible yet may still come, as
-- its transaction may be running. So `settled` only moves up to a `checkpoint`
-- (the highest number seen at some refresh) once every transaction that ran at
-- that moment (`waiting`) is over; until then the gaps stay open.

-- functions

CREATE FUNCTION assay.baseline_apply_as_owner(relation regclass, key text[]) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
CREATE FUNCTION assay.baseline_is_expression(text) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION assay.baseline_apply_as_owner(regclass, text[]) IS 'private: baseline_apply() with the rights of the baseline''s owner';
COMMENT ON FUNCTION assay.baseline_is_expression(text) IS 'private: is the text one SQL expression?';

-- tables

CREATE TABLE assay.baseline (
	relation regclass PRIMARY KEY,
	source regclass NOT NULL,
	key_columns text[] NOT NULL,
	at_column text NOT NULL,
	label_table regclass,
	message_key text[],
	extra jsonb NOT NULL DEFAULT '{}',
	incremental boolean NOT NULL,
	search_path text NOT NULL,
	-- incremental only
	arrival_column text,
	counted_label regclass,
	settled bigint,
	counted int8multirange NOT NULL DEFAULT '{}',
	checkpoint bigint,
	waiting text[],
	-- as of the last refresh
	rows bigint,
	keys bigint,
	changed bigint,
	as_of timestamptz,
	took interval
);

COMMENT ON TABLE assay.baseline IS 'baselines that create_baseline() made; a role sees those that it owns';
COMMENT ON COLUMN assay.baseline.extra IS 'further columns: {"name": {"aggregate": expression, "rollup": aggregate function}}';
COMMENT ON COLUMN assay.baseline.search_path IS 'where names in extra are looked up: the creator''s search_path';
COMMENT ON COLUMN assay.baseline.settled IS 'every message with an arrival number up to here is counted, or will never come';
COMMENT ON COLUMN assay.baseline.counted IS 'arrival numbers above settled that are counted';
COMMENT ON COLUMN assay.baseline.checkpoint IS 'where settled goes once all transactions in waiting are over';
COMMENT ON COLUMN assay.baseline.counted_label IS 'table of the labels that are counted';

SELECT pg_catalog.pg_extension_config_dump('assay.baseline', '');

-- A row whose relation is gone is anybody's to clear away.
ALTER TABLE assay.baseline ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON assay.baseline
	USING (coalesce(pg_has_role((SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = relation), 'USAGE'), true))
	WITH CHECK (coalesce(pg_has_role((SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = relation), 'USAGE'), false));
GRANT SELECT, INSERT, UPDATE, DELETE ON assay.baseline TO PUBLIC;
GRANT USAGE ON SCHEMA assay TO PUBLIC;

-- private functions

-- A list of columns: "s.a, s.b" with the alias s
CREATE FUNCTION assay.baseline_columns(alias text, names text[], separator text DEFAULT ', ') RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$ SELECT string_agg(coalesce(alias || '.', '') || quote_ident(n), separator ORDER BY i) FROM unnest(names) WITH ORDINALITY u(n, i) $$;

-- A condition that pairs columns of two aliases
CREATE FUNCTION assay.baseline_equal(a text, b text, names text[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$ SELECT string_agg(format('%1$s.%3$I = %2$s.%3$I', a, b, n), ' AND ' ORDER BY i) FROM unnest(names) WITH ORDINALITY u(n, i) $$;

-- The extra columns, each by a template: %1$I its name, %2$s its aggregate, %3$s its rollup
CREATE FUNCTION assay.baseline_extra(b assay.baseline, template text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT coalesce(string_agg(format(template, e.key, e.value ->> 'aggregate',
			(SELECT string_agg(quote_ident(p), '.' ORDER BY i) FROM unnest(parse_ident(e.value ->> 'rollup')) WITH ORDINALITY u(p, i))),
		'' ORDER BY e.key COLLATE "C"), '')
	FROM jsonb_each(b.extra) e
	$$;

-- What each label adds on its day: it replaces the one before
CREATE FUNCTION assay.baseline_steps(b assay.baseline, labels text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT format('SELECT %1$s, labelled_at,
           malicious::int - coalesce((lag(malicious) OVER w)::int, 0) AS attacks,
           (NOT malicious)::int - coalesce((NOT lag(malicious) OVER w)::int, 0) AS safe
         FROM %2$s
         WHERE isfinite(labelled_at) AND malicious IS NOT NULL
         WINDOW w AS (PARTITION BY %1$s ORDER BY labelled_at, malicious)',
		assay.baseline_columns(NULL, b.message_key), labels)
	$$;

-- The query for one row per key and day with what that day adds: messages for
-- which `messages` holds, and labels from the query `steps`, of messages for
-- which `labelled` holds
CREATE FUNCTION assay.baseline_tiles(b assay.baseline, messages text, steps text, labelled text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	known text := format('isfinite(s.%I) AND %s IS NOT NULL', b.at_column, assay.baseline_columns('s', b.key_columns, ' IS NOT NULL AND '));
	groups text := (SELECT string_agg(i::text, ', ' ORDER BY i) FROM generate_series(1, cardinality(b.key_columns) + 1) i);
	tiles text;
BEGIN
	tiles := format('SELECT %1$s, (s.%2$I AT TIME ZONE ''UTC'')::date AS day, assay.activity_agg(s.%2$I) AS history%3$s%4$s
      FROM %5$s s
      WHERE %6$s
      GROUP BY %7$s',
		assay.baseline_columns('s', b.key_columns), b.at_column,
		CASE WHEN steps IS NOT NULL THEN ', 0::bigint AS attacks, 0::bigint AS safe' ELSE '' END,
		assay.baseline_extra(b, E', (%2$s\n) AS %1$I'), b.source, concat_ws(' AND ', known, messages), groups);
	IF steps IS NULL THEN
		RETURN tiles;
	END IF;
	RETURN format('SELECT %1$s, day, assay.activity_agg(history) AS history, sum(attacks)::bigint AS attacks, sum(safe)::bigint AS safe%2$s
    FROM (
      %3$s
      UNION ALL
      SELECT %4$s, (l.labelled_at AT TIME ZONE ''UTC'')::date, NULL, sum(l.attacks), sum(l.safe)%5$s
      FROM (%6$s) l JOIN %7$s s ON %8$s
      WHERE %9$s
      GROUP BY %10$s) t
    GROUP BY %1$s, day',
		assay.baseline_columns(NULL, b.key_columns), assay.baseline_extra(b, ', %3$s(%1$I) AS %1$I'),
		tiles, assay.baseline_columns('s', b.key_columns), assay.baseline_extra(b, ', NULL'),
		steps, b.source, assay.baseline_equal('l', 's', b.message_key),
		concat_ws(' AND ', known, labelled), groups);
END $$;

-- The whole baseline as a query: the definition of the materialized view
CREATE FUNCTION assay.baseline_definition(b assay.baseline) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT format('SELECT %1$s, day, assay.activity_agg(history) OVER w AS history%2$s%3$s
  FROM (
    %4$s) tile
  WINDOW w AS (PARTITION BY %1$s ORDER BY day)',
		assay.baseline_columns(NULL, b.key_columns),
		CASE WHEN b.label_table IS NOT NULL
			THEN ', assay.outcome((sum(attacks) OVER w)::bigint, (sum(safe) OVER w)::bigint) AS labels' ELSE '' END,
		assay.baseline_extra(b, ', %3$s(%1$I) OVER w AS %1$I'),
		assay.baseline_tiles(b, NULL, CASE WHEN b.label_table IS NOT NULL THEN assay.baseline_steps(b, b.label_table::text) END, NULL))
	$$;

-- The statement that adds the tiles of a query to an incremental baseline;
-- `before` are WITH queries that it uses, each with a comma behind it. For a
-- key and a day with something new, the state is the one before plus what is
-- new; each later day of the key gets the same added. Most new days are the
-- key's latest: one probe finds the state before and that there is no later one.
CREATE FUNCTION assay.baseline_merge(b assay.baseline, before text, tiles text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	labelled boolean := b.label_table IS NOT NULL;
	columns text := assay.baseline_columns(NULL, b.key_columns) || ', day, history' ||
		CASE WHEN labelled THEN ', labels' ELSE '' END || assay.baseline_extra(b, ', %1$I');
	sum text := 'p.history OPERATOR(assay.+) d.history AS history' ||
		CASE WHEN labelled THEN ', assay.outcome(greatest(0, assay.attacks(p.labels) + d.attacks), greatest(0, assay.safe(p.labels) + d.safe)) AS labels' ELSE '' END ||
		assay.baseline_extra(b, ', (SELECT %3$s(v) FROM (VALUES (p.%1$I), (d.%1$I)) u(v)) AS %1$I');
BEGIN
	RETURN format('WITH %1$s
delta AS MATERIALIZED (
  SELECT %2$s, day, lead(day, 1, ''infinity'') OVER w AS until, row_number() OVER w = 1 AS earliest,
    assay.activity_agg(history) OVER w AS history%3$s
  FROM (%4$s) tile
  WINDOW w AS (PARTITION BY %2$s ORDER BY day)),
latest AS MATERIALIZED (
  SELECT d.*, p.last FROM delta d LEFT JOIN LATERAL (
    SELECT b AS last FROM %7$s b WHERE %8$s AND b.day < d.until ORDER BY b.day DESC LIMIT 1) p ON true),
state AS MATERIALIZED (
  SELECT %5$s, d.day, %6$s, p.day IS DISTINCT FROM d.day AS is_new_row,
    d.earliest AND p.day IS NULL AND (SELECT true FROM %7$s b WHERE %8$s LIMIT 1) IS NULL AS is_new_key
  FROM latest d CROSS JOIN LATERAL (SELECT (d.last).*) p WHERE (d.last).day <= d.day OR (d.last).day IS NULL
  UNION ALL
  SELECT %5$s, d.day, %6$s, p.day IS DISTINCT FROM d.day, false
  FROM latest d LEFT JOIN LATERAL (
    SELECT * FROM %7$s b WHERE %8$s AND b.day <= d.day ORDER BY b.day DESC LIMIT 1) p ON true
  WHERE (d.last).day > d.day
  UNION ALL
  SELECT %5$s, p.day, %6$s, false, false
  FROM latest d CROSS JOIN LATERAL (
    SELECT * FROM %7$s b WHERE %8$s AND b.day > d.day AND b.day < d.until OFFSET 0) p
  WHERE (d.last).day > d.day),
written AS (
  INSERT INTO %7$s (%9$s) SELECT %9$s FROM state
  ON CONFLICT (%2$s, day) DO UPDATE SET history = EXCLUDED.history%10$s)
SELECT count(*), count(*) FILTER (WHERE is_new_row), count(*) FILTER (WHERE is_new_key) FROM state',
		before, assay.baseline_columns(NULL, b.key_columns),
		CASE WHEN labelled THEN ', (sum(attacks) OVER w)::bigint AS attacks, (sum(safe) OVER w)::bigint AS safe' ELSE '' END ||
			assay.baseline_extra(b, ', %3$s(%1$I) OVER w AS %1$I'),
		tiles, assay.baseline_columns('d', b.key_columns), sum, b.relation,
		assay.baseline_equal('b', 'd', b.key_columns), columns,
		CASE WHEN labelled THEN ', labels = EXCLUDED.labels' ELSE '' END || assay.baseline_extra(b, ', %1$I = EXCLUDED.%1$I'));
END $$;

-- The query for messages whose labels differ from what is counted
CREATE FUNCTION assay.baseline_relabelled(b assay.baseline, labels text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT format('SELECT DISTINCT %1$s FROM (
    (SELECT %1$s, labelled_at, malicious FROM %2$s WHERE isfinite(labelled_at) AND malicious IS NOT NULL EXCEPT TABLE %3$s)
    UNION ALL
    (TABLE %3$s EXCEPT SELECT %1$s, labelled_at, malicious FROM %2$s WHERE isfinite(labelled_at) AND malicious IS NOT NULL)) c',
		assay.baseline_columns(NULL, b.message_key), labels, b.counted_label)
	$$;

-- WITH queries that find what has changed in the label table since the last
-- refresh, note it as counted, and give `step`: minus what was counted for the
-- messages concerned, plus what is to be. `counted` holds for a source row s
-- that is counted. At most `count` messages are taken: what the planner has to
-- reckon with; any that came since are left for the next time.
CREATE FUNCTION assay.baseline_label_changes(b assay.baseline, counted text, count bigint) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT format('label AS MATERIALIZED (
  SELECT %1$s, labelled_at, malicious FROM %2$s WHERE isfinite(labelled_at) AND malicious IS NOT NULL),
changed AS MATERIALIZED (
  %12$s LIMIT %13$s),
found AS MATERIALIZED (
  SELECT c.* FROM changed c WHERE EXISTS (SELECT FROM %4$s s WHERE %5$s AND %6$s)),
dropped AS (
  DELETE FROM %3$s x USING changed c WHERE %7$s AND NOT EXISTS (
    SELECT FROM label n WHERE %8$s AND n.labelled_at = x.labelled_at AND n.malicious = x.malicious)),
noted AS (
  INSERT INTO %3$s SELECT n.* FROM label n JOIN found c ON %9$s WHERE NOT EXISTS (
    SELECT FROM %3$s x WHERE %8$s AND n.labelled_at = x.labelled_at AND n.malicious = x.malicious)),
step AS MATERIALIZED (
  SELECT * FROM (%10$s) now
  UNION ALL
  SELECT %1$s, labelled_at, -attacks, -safe FROM (%11$s) before),',
		assay.baseline_columns(NULL, b.message_key), b.label_table, b.counted_label, b.source,
		assay.baseline_equal('s', 'c', b.message_key), counted,
		assay.baseline_equal('x', 'c', b.message_key), assay.baseline_equal('n', 'x', b.message_key),
		assay.baseline_equal('n', 'c', b.message_key),
		assay.baseline_steps(b, format('(SELECT n.* FROM label n JOIN found c ON %s) l', assay.baseline_equal('n', 'c', b.message_key))),
		assay.baseline_steps(b, format('(SELECT n.* FROM %s n JOIN found c ON %s) l', b.counted_label, assay.baseline_equal('n', 'c', b.message_key))),
		assay.baseline_relabelled(b, 'label'), count)
	$$;

-- Bring an incremental baseline up to date: with key NULL by what is new, with
-- '{}' from nothing, else one key anew from the messages that are counted.
-- Whoever changes a baseline holds the lock on its row here.
CREATE FUNCTION assay.baseline_apply(relation regclass, key text[]) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
	started timestamptz;
	current_snapshot boolean;
	settles boolean;
	added int8multirange;
	merged int8range;
	counted text;
	fresh text;
	arrival text;
	same_key text;
	query text;
	deletion text;
	running text[];
	gone bigint := 0;
	relabelled bigint := 0;
	written bigint := 0;
	new_rows bigint := 0;
	new_keys bigint := 0;
BEGIN
	SELECT * INTO b FROM assay.baseline t WHERE t.relation = $1 FOR UPDATE;
	IF NOT FOUND OR NOT b.incremental THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('%s is not an incremental baseline', $1);
	END IF;
	started := clock_timestamp();
	arrival := format('s.%I', b.arrival_column);

	IF key = '{}' THEN
		EXECUTE format('DELETE FROM %s', b.relation);
		IF b.counted_label IS NOT NULL THEN
			EXECUTE format('DELETE FROM %s', b.counted_label);
		END IF;
		b.settled := NULL;
		b.counted := '{}';
		b.checkpoint := NULL;
		b.rows := 0;
		b.keys := 0;
	END IF;

	IF key <> '{}' THEN
		IF cardinality(key) <> cardinality(b.key_columns) OR array_position(key, NULL) IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('the key of %s has %s column%s', b.relation, cardinality(b.key_columns), CASE WHEN cardinality(b.key_columns) > 1 THEN 's' ELSE '' END),
				HINT = format('Give a value for each of %s.', assay.baseline_columns(NULL, b.key_columns));
		END IF;
		-- a literal, so that it takes the column's type
		same_key := (SELECT string_agg(format('s.%I = %L', c, v), ' AND ') FROM unnest(b.key_columns, key) u(c, v));
		counted := format('(%1$s <= %2$L OR %1$s::bigint <@ %3$L::int8multirange) AND %4$s', arrival, b.settled, b.counted, same_key);
		query := assay.baseline_merge(b, '', assay.baseline_tiles(b, counted,
			CASE WHEN b.label_table IS NOT NULL THEN assay.baseline_steps(b, b.counted_label::text) END, counted));
		deletion := format('DELETE FROM %s s WHERE %s', b.relation, same_key);
		PERFORM set_config('search_path', b.search_path, true);
		EXECUTE deletion;
		GET DIAGNOSTICS gone = ROW_COUNT;
		EXECUTE query INTO written, new_rows, new_keys;
		PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
		UPDATE assay.baseline t SET rows = t.rows - gone + new_rows, keys = t.keys - (gone > 0)::int + new_keys, changed = gone + written
		WHERE t.relation = b.relation;
		RETURN;
	END IF;

	-- Before the scan, so that the scan sees what those transactions left. An
	-- older snapshot doesn't: then the gaps stay open.
	current_snapshot := current_setting('transaction_isolation') = 'read committed';
	settles := current_snapshot AND b.checkpoint IS NOT NULL AND
		NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.virtualxid = ANY (b.waiting)) AND
		NOT EXISTS (SELECT FROM pg_prepared_xacts);
	-- Arrival numbers of messages that aren't counted, as ranges: runs of
	-- consecutive numbers have a constant difference to their row number.
	EXECUTE format('SELECT range_agg(int8range(low, high, ''[]'')) FROM (
			SELECT min(i) AS low, max(i) AS high FROM (
				SELECT i, i - row_number() OVER (ORDER BY i) AS run FROM (
					SELECT DISTINCT %1$s::bigint AS i FROM %2$s s WHERE %3$s) d) r
			GROUP BY run) n',
		arrival, b.source,
		CASE WHEN b.settled IS NULL THEN format('%s IS NOT NULL', arrival) ELSE format('%s > %L', arrival, b.settled) END ||
		CASE WHEN isempty(b.counted) THEN '' ELSE format(' AND NOT %s::bigint <@ %L::int8multirange', arrival, b.counted) END)
	INTO added;
	-- After the scan: whatever it didn't see is running still, or comes later
	running := ARRAY(SELECT DISTINCT l.virtualxid FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.virtualxid IS NOT NULL);

	added := coalesce(added, '{}');
	b.counted := b.counted + added;
	merged := range_merge(added);
	IF isempty(added) THEN
		fresh := 'false';
	ELSE
		fresh := format('%1$s >= %2$L AND %1$s < %3$L', arrival, lower(merged), upper(merged));
		IF int8multirange(merged) <> added THEN
			fresh := fresh || format(' AND %s::bigint <@ %L::int8multirange', arrival, added);
		END IF;
	END IF;
	counted := format('(%1$s <= %2$L OR %1$s::bigint <@ %3$L::int8multirange)', arrival, b.settled, b.counted);

	IF b.label_table IS NOT NULL THEN
		EXECUTE format('SELECT count(*) FROM (%s) c', assay.baseline_relabelled(b, b.label_table::text)) INTO relabelled;
	END IF;
	IF NOT isempty(added) OR relabelled > 0 THEN
		query := assay.baseline_merge(b,
			CASE WHEN b.label_table IS NOT NULL THEN assay.baseline_label_changes(b, counted, relabelled) ELSE '' END,
			assay.baseline_tiles(b, fresh,
				CASE WHEN b.label_table IS NOT NULL THEN 'TABLE step' END, counted));
		PERFORM set_config('search_path', b.search_path, true);
		EXECUTE query INTO written, new_rows, new_keys;
		PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
	END IF;

	IF settles THEN
		b.settled := b.checkpoint;
		b.checkpoint := NULL;
		b.counted := b.counted - int8multirange(int8range(NULL, b.settled, '(]'));
	END IF;
	IF current_snapshot AND b.checkpoint IS NULL AND NOT isempty(b.counted) THEN
		b.checkpoint := upper(b.counted) - 1;
		b.waiting := running;
	END IF;
	UPDATE assay.baseline t SET settled = b.settled, counted = b.counted, checkpoint = b.checkpoint, waiting = b.waiting,
		rows = coalesce(b.rows, 0) + new_rows, keys = coalesce(b.keys, 0) + new_keys, changed = written,
		as_of = started, took = clock_timestamp() - started
	WHERE t.relation = b.relation;
END $$;

-- Note what a materialized view holds after a refresh
CREATE FUNCTION assay.baseline_count(relation regclass, started timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
BEGIN
	SELECT * INTO b FROM assay.baseline t WHERE t.relation = $1;
	EXECUTE format('SELECT coalesce(sum(n), 0), count(*) FROM (SELECT count(*) AS n FROM %s GROUP BY %s) k',
		b.relation, assay.baseline_columns(NULL, b.key_columns)) INTO b.rows, b.keys;
	UPDATE assay.baseline t SET rows = b.rows, keys = b.keys, as_of = started, took = clock_timestamp() - started
	WHERE t.relation = $1;
END $$;

-- The type of a column that the user named; an error when there is none
CREATE FUNCTION assay.baseline_column_type(relation regclass, column_name text) RETURNS regtype
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	found_type regtype;
BEGIN
	SELECT a.atttypid INTO found_type FROM pg_attribute a
	WHERE a.attrelid = relation AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped;
	IF found_type IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('column %I of %s does not exist', column_name, relation),
			HINT = 'Columns are given by name. For an expression, make a view that has it as a column.';
	END IF;
	RETURN found_type;
END $$;

COMMENT ON FUNCTION assay.baseline_columns(text, text[], text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay.baseline_equal(text, text, text[]) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay.baseline_extra(assay.baseline, text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay.baseline_steps(assay.baseline, text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay.baseline_tiles(assay.baseline, text, text, text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay.baseline_definition(assay.baseline) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay.baseline_merge(assay.baseline, text, text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay.baseline_relabelled(assay.baseline, text) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay.baseline_label_changes(assay.baseline, text, bigint) IS 'private: builds SQL for baselines';
COMMENT ON FUNCTION assay.baseline_apply(regclass, text[]) IS 'private: brings an incremental baseline up to date';
COMMENT ON FUNCTION assay.baseline_count(regclass, timestamptz) IS 'private: notes what a materialized view holds';
COMMENT ON FUNCTION assay.baseline_column_type(regclass, text) IS 'private: the type of a column';

-- functions

CREATE FUNCTION assay.refresh_baseline(baseline regclass, OUT rows bigint, OUT changed bigint, OUT took interval)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
	started timestamptz;
BEGIN
	SELECT * INTO b FROM assay.baseline t WHERE t.relation = $1 FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('%s is not a baseline of yours', $1),
			HINT = 'assay.baseline_info lists those that you may refresh.';
	END IF;
	IF b.incremental THEN
		PERFORM assay.baseline_apply_as_owner(b.relation, NULL);
	ELSE
		started := clock_timestamp();
		-- REFRESH itself runs as the owner.
		EXECUTE format('REFRESH MATERIALIZED VIEW %s %s',
			CASE WHEN (SELECT c.relispopulated FROM pg_class c WHERE c.oid = b.relation) THEN 'CONCURRENTLY' ELSE '' END, b.relation);
		PERFORM assay.baseline_count(b.relation, started);
	END IF;
	SELECT t.rows, t.changed, t.took INTO rows, changed, took FROM assay.baseline t WHERE t.relation = $1;
END $$;

CREATE FUNCTION assay.rebuild_baseline(baseline regclass, VARIADIC key text[] DEFAULT '{}', OUT rows bigint, OUT changed bigint, OUT took interval)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	started timestamptz := clock_timestamp();
BEGIN
	IF EXISTS (SELECT FROM assay.baseline t WHERE t.relation = $1 AND t.incremental) THEN
		PERFORM assay.baseline_apply_as_owner($1, coalesce(key, '{}'));
		SELECT t.rows, t.changed, clock_timestamp() - started INTO rows, changed, took FROM assay.baseline t WHERE t.relation = $1;
	ELSE
		SELECT r.rows, r.changed, r.took INTO rows, changed, took FROM assay.refresh_baseline($1) r;
	END IF;
END $$;

CREATE FUNCTION assay.drop_baseline(baseline regclass) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
	also_drop regclass;
BEGIN
	DELETE FROM assay.baseline t WHERE t.relation = $1 RETURNING * INTO b;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('%s is not a baseline of yours', $1),
			HINT = 'assay.baseline_info lists those that you may drop.';
	END IF;
	-- The row is the owner's to write; it must not lead to others' tables.
	SELECT l.oid INTO also_drop FROM pg_class l JOIN pg_class c ON c.relowner = l.relowner
	WHERE l.oid = b.counted_label AND c.oid = b.relation;
	EXECUTE format('DROP %s %s', CASE WHEN b.incremental THEN 'TABLE' ELSE 'MATERIALIZED VIEW' END, b.relation);
	IF also_drop IS NOT NULL THEN
		EXECUTE format('DROP TABLE %s', also_drop);
	END IF;
END $$;

CREATE FUNCTION assay.create_baseline(name text, source regclass, key text[], at text,
	outcome regclass DEFAULT NULL, extra jsonb DEFAULT '{}', incremental boolean DEFAULT false,
	arrival text DEFAULT 'id', message_key text[] DEFAULT NULL,
	schema text DEFAULT current_schema(), search_path text DEFAULT current_setting('search_path'))
	RETURNS regclass
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
	target text;
	taken text[] := '{day,history,labels,attacks,safe,until,earliest,last,is_new_row,is_new_key}';
	problem text;
	hint text := 'Give the columns of a key by name, as in ''{from_addr}''.';
	column_type regtype;
	x record;
	started timestamptz := clock_timestamp();
	comment text;
	query text;
BEGIN
	IF name IS NULL OR source IS NULL OR key IS NULL OR at IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a baseline needs a name, a source, a key and a time column';
	ELSIF schema IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_schema_name', MESSAGE = 'no schema has been selected to create in';
	END IF;

	target := format('%I.%I', schema, name);
	b.source := source;
	b.key_columns := key;
	b.at_column := at;
	b.label_table := outcome;
	b.extra := coalesce(extra, '{}');
	b.incremental := coalesce(incremental, false);
	b.search_path := search_path;
	b.counted := '{}';

	-- every name that the user gave
	IF cardinality(key) = 0 OR array_ndims(key) <> 1 OR array_position(key, NULL) IS NOT NULL THEN
		problem := 'a key is a list of columns';
	ELSIF (SELECT count(DISTINCT k) FROM unnest(key) k) < cardinality(key) THEN
		problem := 'a column stands twice in the key';
	ELSIF key && taken THEN
		problem := format('a key column may not be called %s', (SELECT string_agg(t, ', ') FROM unnest(taken) t WHERE t = ANY (key)));
		hint := 'The baseline has columns of its own with that name. Make a view that calls it otherwise.';
	ELSIF octet_length(name) > 48 THEN
		problem := format('baseline name "%s" is longer than 48 bytes', name);
		hint := 'Names of what belongs to the baseline are made from it.';
	ELSIF jsonb_typeof(b.extra) <> 'object' THEN
		problem := 'extra columns must be a JSON object';
		hint := 'It looks like {"subjects": {"aggregate": "hll_add_agg(hll_hash_text(subject))", "rollup": "hll_union_agg"}}.';
	END IF;
	IF problem IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = problem, HINT = hint;
	END IF;
	FOR x IN SELECT k FROM unnest(key) k LOOP
		PERFORM assay.baseline_column_type(source, x.k);
	END LOOP;
	column_type := assay.baseline_column_type(source, at);
	IF column_type <> 'timestamptz'::regtype THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
			MESSAGE = format('column %I of %s is of type %s, not timestamp with time zone', at, source, column_type);
	END IF;
	FOR x IN SELECT e.key AS name, e.value ->> 'aggregate' AS aggregate, e.value ->> 'rollup' AS rollup, e.value AS spec
		FROM jsonb_each(b.extra) e
	LOOP
		IF x.name = '' OR octet_length(x.name) > 63 OR x.name = ANY (taken || key) THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('an extra column may not be called "%s"', x.name);
		ELSIF jsonb_typeof(x.spec) <> 'object' OR x.aggregate IS NULL OR x.rollup IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('extra column "%s" needs an aggregate and a rollup', x.name),
				HINT = 'It looks like {"subjects": {"aggregate": "hll_add_agg(hll_hash_text(subject))", "rollup": "hll_union_agg"}}.';
		ELSIF NOT assay.baseline_is_expression(x.aggregate) THEN
			RAISE EXCEPTION USING ERRCODE = 'syntax_error', MESSAGE = format('the aggregate of extra column "%s" is not one expression', x.name);
		END IF;
	END LOOP;

	IF outcome IS NOT NULL THEN
		IF assay.baseline_column_type(outcome, 'malicious') <> 'boolean'::regtype OR
			assay.baseline_column_type(outcome, 'labelled_at') <> 'timestamptz'::regtype THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('label table %s needs malicious boolean and labelled_at timestamp with time zone', outcome);
		END IF;
		-- By default a label's primary key is its message's, and the time.
		b.message_key := coalesce(message_key, (
			SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum))
			FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
			WHERE i.indrelid = outcome AND i.indisprimary AND a.attname <> 'labelled_at'));
		IF b.message_key IS NULL OR cardinality(b.message_key) = 0 THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('label table %s has no primary key to find its messages by', outcome),
				HINT = 'Give the columns that both have in message_key.';
		ELSIF b.message_key && '{malicious,labelled_at,attacks,safe}' THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a message key may not have columns called malicious, labelled_at, attacks or safe';
		END IF;
		FOR x IN SELECT k FROM unnest(b.message_key) k LOOP
			PERFORM assay.baseline_column_type(source, x.k), assay.baseline_column_type(outcome, x.k);
		END LOOP;
	END IF;

	IF b.incremental THEN
		b.arrival_column := arrival;
		column_type := assay.baseline_column_type(source, arrival);
		IF column_type <> ALL ('{int2,int4,int8}'::regtype[]) THEN
			RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
				MESSAGE = format('arrival column %I of %s is of type %s, not an integer', arrival, source, column_type),
				HINT = 'An incremental baseline finds new messages by a number that a sequence gives.';
		ELSIF (SELECT q.seqcache FROM pg_sequence q WHERE q.seqrelid = to_regclass(pg_get_serial_sequence(source::text, arrival))) > 1 THEN
			RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('the sequence of %s.%I has a cache', source, arrival),
				DETAIL = 'Sessions would use numbers of their own cache long after greater ones were counted.',
				HINT = format('ALTER SEQUENCE %s CACHE 1;', pg_get_serial_sequence(source::text, arrival));
		END IF;
	END IF;

	DELETE FROM assay.baseline t WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.relation);

	comment := format('baseline of %s by %s: state at the end of each active day (UTC); assay.refresh_baseline() brings it up to date',
		source, assay.baseline_columns(NULL, key));
	IF b.incremental THEN
		-- Names in extra are looked up where the caller looks.
		query := format('CREATE TABLE %s AS %s WITH NO DATA', target, assay.baseline_definition(b));
		PERFORM set_config('search_path', b.search_path, true);
		EXECUTE query;
		PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
		EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (%s, day)', target, assay.baseline_columns(NULL, key));
		EXECUTE format('COMMENT ON TABLE %s IS %L', target, comment);
		IF outcome IS NOT NULL THEN
			query := format('%I.%I', schema, name || '_counted_label');
			EXECUTE format('CREATE TABLE %s AS SELECT %s, labelled_at, malicious FROM %s WITH NO DATA',
				query, assay.baseline_columns(NULL, b.message_key), outcome);
			EXECUTE format('CREATE INDEX ON %s (%s)', query, assay.baseline_columns(NULL, b.message_key));
			EXECUTE format('COMMENT ON TABLE %s IS %L', query, format('labels that the baseline %s has counted', target));
			b.counted_label := query::regclass;
		END IF;
	ELSE
		query := format('CREATE MATERIALIZED VIEW %s AS %s', target, assay.baseline_definition(b));
		PERFORM set_config('search_path', b.search_path, true);
		EXECUTE query;
		PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
		EXECUTE format('CREATE UNIQUE INDEX ON %s (%s, day)', target, assay.baseline_columns(NULL, key));
		EXECUTE format('COMMENT ON MATERIALIZED VIEW %s IS %L', target, comment);
	END IF;

	INSERT INTO assay.baseline (relation, source, key_columns, at_column, label_table, message_key, extra, incremental,
		search_path, arrival_column, counted_label)
	VALUES (target::regclass, b.source, b.key_columns, b.at_column, b.label_table, b.message_key, b.extra, b.incremental,
		b.search_path, b.arrival_column, b.counted_label);
	IF b.incremental THEN
		PERFORM assay.refresh_baseline(target::regclass);
	ELSE
		PERFORM assay.baseline_count(target::regclass, started);
	END IF;
	RETURN target::regclass;
END $$;

CREATE FUNCTION assay.as_of(baseline anyelement, at timestamptz, VARIADIC key "any") RETURNS anyelement
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 200;

CREATE FUNCTION assay.baseline_probe(baseline regclass, message text DEFAULT 'm', alias text DEFAULT NULL, parallel boolean DEFAULT false) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	b assay.baseline;
BEGIN
	SELECT * INTO b FROM assay.baseline t WHERE t.relation = $1;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('%s is not a baseline of yours', $1),
			HINT = 'assay.baseline_info lists your baselines.';
	END IF;
	RETURN format(CASE WHEN parallel
		THEN 'LEFT JOIN LATERAL assay.as_of(NULL::%1$s, %3$I.%4$I, %6$s) AS %5$I ON true'
		ELSE 'LEFT JOIN LATERAL (
  SELECT * FROM %1$s b
  WHERE %2$s AND b.day < (%3$I.%4$I AT TIME ZONE ''UTC'')::date
  ORDER BY b.day DESC LIMIT 1) AS %5$I ON true' END,
		b.relation, assay.baseline_equal('b', quote_ident(message), b.key_columns), message, b.at_column,
		coalesce(alias, (SELECT c.relname::text FROM pg_class c WHERE c.oid = b.relation)),
		assay.baseline_columns(quote_ident(message), b.key_columns));
END $$;

COMMENT ON FUNCTION assay.create_baseline(text, regclass, text[], text, regclass, jsonb, boolean, text, text[], text, text)
	IS 'create a baseline of a message table or view: one cumulative row for each key and active day';
COMMENT ON FUNCTION assay.refresh_baseline(regclass) IS 'bring a baseline up to date; readers are not blocked';
COMMENT ON FUNCTION assay.rebuild_baseline(regclass, text[]) IS 'compute a baseline, or one key of it, anew from the messages that there are: after deletions';
COMMENT ON FUNCTION assay.drop_baseline(regclass) IS 'drop a baseline and what belongs to it';
COMMENT ON FUNCTION assay.as_of(anyelement, timestamptz, "any") IS 'a baseline''s row for a key, as it was known before the day of a moment; in FROM, and in parallel workers';
COMMENT ON FUNCTION assay.baseline_probe(regclass, text, text, boolean) IS 'SQL that joins a baseline to messages, as it was known before each message''s day';

-- views

CREATE VIEW assay.baseline_info WITH (security_invoker = true) AS
	SELECT b.relation AS baseline, b.source, b.key_columns AS key, b.incremental, b.rows, b.keys,
		pg_catalog.pg_total_relation_size(b.relation) AS bytes, b.as_of, b.took,
		pg_catalog.clock_timestamp() - b.as_of AS lag
	FROM assay.baseline b
	JOIN pg_catalog.pg_class c ON c.oid = b.relation;
GRANT SELECT ON assay.baseline_info TO PUBLIC;

COMMENT ON VIEW assay.baseline_info IS 'baselines: rows, keys and size, and how far behind each is';
COMMENT ON COLUMN assay.baseline_info.rows IS 'rows after the last refresh: one for each key and active day';
COMMENT ON COLUMN assay.baseline_info.bytes IS 'size on disk, with indexes';
COMMENT ON COLUMN assay.baseline_info.as_of IS 'when the last refresh began: what came later is not counted';
COMMENT ON COLUMN assay.baseline_info.took IS 'how long the last refresh took';

-- ---------------------------------------------------------------------------
-- policy: detectors, decisions and their attribution
-- ---------------------------------------------------------------------------

-- type

CREATE TYPE assay.attribution;

CREATE FUNCTION assay.attribution_in(cstring) RETURNS assay.attribution
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.attribution_in(cstring) IS 'input: a JSON object';

CREATE FUNCTION assay.attribution_out(assay.attribution) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.attribution_out(assay.attribution) IS 'output: a JSON object';

CREATE FUNCTION assay.attribution_recv(internal) RETURNS assay.attribution
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.attribution_recv(internal) IS 'binary input';

CREATE FUNCTION assay.attribution_send(assay.attribution) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.attribution_send(assay.attribution) IS 'binary output';

CREATE TYPE assay.attribution (
	INPUT = assay.attribution_in,
	OUTPUT = assay.attribution_out,
	RECEIVE = assay.attribution_recv,
	SEND = assay.attribution_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = extended
);
COMMENT ON TYPE assay.attribution IS 'ledger of one decision: prior + contributions = margin, in log-odds';

-- functions of the type

CREATE FUNCTION assay.margin(assay.attribution) RETURNS float8
	AS 'MODULE_PATHNAME', 'attribution_margin' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.margin(assay.attribution) IS 'score of the decision in log-odds';

CREATE FUNCTION assay.prior(assay.attribution) RETURNS float8
	AS 'MODULE_PATHNAME', 'attribution_prior' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.prior(assay.attribution) IS 'log-odds before any evidence';

CREATE FUNCTION assay.revision(assay.attribution) RETURNS int
	AS 'MODULE_PATHNAME', 'attribution_revision' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.revision(assay.attribution) IS 'revision of the policy that decided';

CREATE FUNCTION assay.degraded(assay.attribution) RETURNS boolean
	AS 'MODULE_PATHNAME', 'attribution_degraded' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.degraded(assay.attribution) IS 'was the decision made without some of its evidence?';

CREATE FUNCTION assay.ledger(attribution assay.attribution,
	OUT entry int, OUT detector text, OUT kind text, OUT hit boolean, OUT counted boolean,
	OUT shadow boolean, OUT muted_by text, OUT forced text, OUT fault text,
	OUT contribution float8, OUT signals jsonb) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'attribution_ledger' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION assay.ledger(assay.attribution) IS
	'entries of an attribution as rows, the prior first; the counted contributions add up to the margin';

-- tables

CREATE TABLE assay.policy (
	policy text PRIMARY KEY CHECK (policy <> ''),
	owner text NOT NULL DEFAULT current_user,
	signals text NOT NULL,
	key text[] NOT NULL CHECK (array_ndims(key) = 1 AND array_position(key, NULL) IS NULL),
	decision text NOT NULL,
	label text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	-- They become part of statements: two names, and nothing behind them.
	CHECK (cardinality(parse_ident(signals)) = 2 AND cardinality(parse_ident(decision)) = 2 AND cardinality(parse_ident(label)) = 2)
);
COMMENT ON TABLE assay.policy IS 'policies: who owns them, what they read and where they write';
COMMENT ON COLUMN assay.policy.signals IS 'signals view, qualified and quoted';
COMMENT ON COLUMN assay.policy.key IS 'columns that identify a message, in view, message, decision and label table alike';

CREATE TABLE assay.revision (
	policy text NOT NULL REFERENCES assay.policy ON DELETE CASCADE,
	revision int NOT NULL CHECK (revision > 0),
	made_at timestamptz NOT NULL DEFAULT now(),
	made_by text NOT NULL DEFAULT session_user,
	summary text NOT NULL,
	prior float8 NOT NULL CHECK (abs(prior) <= 1000),
	thresholds jsonb NOT NULL,
	default_verdict text NOT NULL,
	on_error text NOT NULL CHECK (on_error IN ('degrade', 'raise')),
	log_signals boolean NOT NULL,
	search_path text NOT NULL,
	notify text[] NOT NULL DEFAULT '{}',
	PRIMARY KEY (policy, revision)
);
COMMENT ON TABLE assay.revision IS 'each committed state of each policy: who, when, what, and the settings in force';
COMMENT ON COLUMN assay.revision.search_path IS 'search_path of conditions and of the signals query';
COMMENT ON COLUMN assay.revision.notify IS 'verdicts of which the trigger sends a notification on the channel assay_<policy>';

CREATE TABLE assay.detector_model (
	policy text NOT NULL REFERENCES assay.policy ON DELETE CASCADE,
	detector text NOT NULL,
	revision int NOT NULL,
	model assay.model NOT NULL,
	PRIMARY KEY (policy, detector, revision)
);
COMMENT ON TABLE assay.detector_model IS 'models of detectors, by the revision that brought them';

CREATE TABLE assay.detector (
	policy text NOT NULL REFERENCES assay.policy ON DELETE CASCADE,
	detector text NOT NULL CHECK (detector <> '' AND length(detector) <= 200),
	from_revision int NOT NULL,
	until_revision int CHECK (until_revision > from_revision),
	condition text,
	model_revision int,
	weight float8 NOT NULL CHECK (abs(weight) <= 1000),
	mode text NOT NULL CHECK (mode IN ('draft', 'shadow', 'live', 'retired')),
	force_verdict text,
	expires_at timestamptz,
	rollout float8 NOT NULL CHECK (rollout BETWEEN 0 AND 1),
	severity text,
	tags text[] NOT NULL DEFAULT '{}',
	description text,
	PRIMARY KEY (policy, detector, from_revision),
	FOREIGN KEY (policy, detector, model_revision) REFERENCES assay.detector_model ON DELETE CASCADE,
	CHECK ((condition IS NULL) <> (model_revision IS NULL))
);
COMMENT ON TABLE assay.detector IS 'each state of each detector, with the revisions in which it stood; the view assay.detectors shows the current ones';

CREATE TABLE assay.guard (
	policy text NOT NULL REFERENCES assay.policy ON DELETE CASCADE,
	guard text NOT NULL CHECK (guard <> '' AND octet_length(guard) < 64),
	from_revision int NOT NULL,
	until_revision int CHECK (until_revision > from_revision),
	condition text NOT NULL,
	description text,
	PRIMARY KEY (policy, guard, from_revision)
);
COMMENT ON TABLE assay.guard IS 'named conditions that detectors and exclusions refer to, evaluated once a message';

CREATE TABLE assay.exclusion (
	policy text NOT NULL REFERENCES assay.policy ON DELETE CASCADE,
	exclusion text NOT NULL CHECK (exclusion <> '' AND length(exclusion) <= 200),
	from_revision int NOT NULL,
	until_revision int CHECK (until_revision > from_revision),
	condition text NOT NULL,
	mutes text[],
	verdict text,
	reason text NOT NULL,
	expires_at timestamptz,
	decision_key text[],
	PRIMARY KEY (policy, exclusion, from_revision),
	CHECK (mutes IS NOT NULL OR verdict IS NOT NULL)
);
COMMENT ON TABLE assay.exclusion IS 'conditions that mute detectors or force a verdict, against false positives';

CREATE TABLE assay.fault (
	fault bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT now(),
	policy text NOT NULL REFERENCES assay.policy ON DELETE CASCADE,
	revision int NOT NULL,
	detector text,
	key text[],
	sqlstate text NOT NULL,
	message text NOT NULL,
	suspended boolean NOT NULL DEFAULT false
);
COMMENT ON SEQUENCE assay.fault_fault_seq IS 'numbers of faults';
CREATE INDEX fault_policy_at_idx ON assay.fault (policy, at);
COMMENT ON TABLE assay.fault IS 'errors that a detector (NULL: the signals view) made on a message, which was decided without it';

-- private functions

CREATE FUNCTION assay.policy_changed() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION assay.policy_changed() IS 'tells every backend that a policy changed';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON assay.policy
	FOR EACH STATEMENT EXECUTE FUNCTION assay.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON assay.revision
	FOR EACH STATEMENT EXECUTE FUNCTION assay.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON assay.detector
	FOR EACH STATEMENT EXECUTE FUNCTION assay.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON assay.detector_model
	FOR EACH STATEMENT EXECUTE FUNCTION assay.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON assay.guard
	FOR EACH STATEMENT EXECUTE FUNCTION assay.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON assay.exclusion
	FOR EACH STATEMENT EXECUTE FUNCTION assay.policy_changed();
-- also where the rows arrive by replication
ALTER TABLE assay.policy ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay.revision ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay.detector ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay.detector_model ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay.guard ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay.exclusion ENABLE ALWAYS TRIGGER changed;

CREATE FUNCTION assay.keep_history() RETURNS trigger LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF TG_TABLE_NAME IN ('revision', 'detector_model')
		OR to_jsonb(OLD) - 'until_revision' <> to_jsonb(NEW) - 'until_revision'
		OR OLD.until_revision IS NOT NULL
	THEN
		RAISE EXCEPTION 'past states of a policy cannot be changed'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Change a policy by its functions: each change makes a new revision.';
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION assay.keep_history() IS 'lets the configuration be closed and continued, never overwritten';

CREATE TRIGGER keep_history BEFORE UPDATE ON assay.revision FOR EACH ROW EXECUTE FUNCTION assay.keep_history();
CREATE TRIGGER keep_history BEFORE UPDATE ON assay.detector_model FOR EACH ROW EXECUTE FUNCTION assay.keep_history();
CREATE TRIGGER keep_history BEFORE UPDATE ON assay.detector FOR EACH ROW EXECUTE FUNCTION assay.keep_history();
CREATE TRIGGER keep_history BEFORE UPDATE ON assay.guard FOR EACH ROW EXECUTE FUNCTION assay.keep_history();
CREATE TRIGGER keep_history BEFORE UPDATE ON assay.exclusion FOR EACH ROW EXECUTE FUNCTION assay.keep_history();

CREATE FUNCTION assay.member_of(role text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_member_of' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.member_of(text) IS 'may the current user act as that role? False when there is no such role';

-- row-level security: a policy is for its owner and the owner's members

ALTER TABLE assay.policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE assay.revision ENABLE ROW LEVEL SECURITY;
ALTER TABLE assay.detector ENABLE ROW LEVEL SECURITY;
ALTER TABLE assay.detector_model ENABLE ROW LEVEL SECURITY;
ALTER TABLE assay.guard ENABLE ROW LEVEL SECURITY;
ALTER TABLE assay.exclusion ENABLE ROW LEVEL SECURITY;
ALTER TABLE assay.fault ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON assay.policy USING (assay.member_of(owner));
CREATE POLICY owner ON assay.revision USING (EXISTS (SELECT FROM assay.policy p WHERE p.policy = revision.policy));
CREATE POLICY owner ON assay.detector USING (EXISTS (SELECT FROM assay.policy p WHERE p.policy = detector.policy));
CREATE POLICY owner ON assay.detector_model USING (EXISTS (SELECT FROM assay.policy p WHERE p.policy = detector_model.policy));
CREATE POLICY owner ON assay.guard USING (EXISTS (SELECT FROM assay.policy p WHERE p.policy = guard.policy));
CREATE POLICY owner ON assay.exclusion USING (EXISTS (SELECT FROM assay.policy p WHERE p.policy = exclusion.policy));
CREATE POLICY owner ON assay.fault USING (EXISTS (SELECT FROM assay.policy p WHERE p.policy = fault.policy));

GRANT USAGE ON SCHEMA assay TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON assay.policy TO PUBLIC;
GRANT SELECT, INSERT ON assay.revision, assay.detector_model TO PUBLIC;
GRANT SELECT, INSERT, UPDATE (until_revision) ON assay.detector, assay.guard, assay.exclusion TO PUBLIC;
GRANT SELECT, DELETE ON assay.fault TO PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('assay.policy', '');
SELECT pg_catalog.pg_extension_config_dump('assay.revision', '');
SELECT pg_catalog.pg_extension_config_dump('assay.detector_model', '');
SELECT pg_catalog.pg_extension_config_dump('assay.detector', '');
SELECT pg_catalog.pg_extension_config_dump('assay.guard', '');
SELECT pg_catalog.pg_extension_config_dump('assay.exclusion', '');
SELECT pg_catalog.pg_extension_config_dump('assay.fault', '');
SELECT pg_catalog.pg_extension_config_dump('assay.fault_fault_seq', '');

-- conditions are checked against the view when they are written

CREATE FUNCTION assay.check_condition(policy text, condition text, what text, guards boolean) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_check_condition' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION assay.check_condition(text, text, text, boolean) IS 'error unless the condition is valid for the policy';

CREATE FUNCTION assay.check_model(policy text, model assay.model) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_check_model' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION assay.check_model(text, assay.model) IS 'error unless the signals view has a column for each feature of the model';

CREATE FUNCTION assay.check_verdict(policy text, verdict text) RETURNS void LANGUAGE plpgsql STABLE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known text[];
BEGIN
	SELECT r.default_verdict || array(SELECT t.key FROM jsonb_each_text(r.thresholds) t ORDER BY t.value::float8)
	INTO known FROM assay.revision r WHERE r.policy = check_verdict.policy ORDER BY r.revision DESC LIMIT 1;
	IF verdict <> ALL (known) THEN
		RAISE EXCEPTION 'policy "%" has no verdict "%"', policy, verdict
			USING ERRCODE = 'invalid_parameter_value', HINT = format('Its verdicts are %s.', array_to_string(known, ', '));
	END IF;
END $$;
COMMENT ON FUNCTION assay.check_verdict(text, text) IS 'error unless the policy has such a verdict';

CREATE FUNCTION assay.check_settings(thresholds jsonb, default_verdict text, on_error text, notify text[]) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t record;
	v text;
BEGIN
	IF coalesce(default_verdict, '') = '' THEN
		RAISE EXCEPTION 'a policy needs a default verdict' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'The default verdict is for scores below all thresholds.';
	END IF;
	IF length(default_verdict) > 200 THEN
		RAISE EXCEPTION 'a verdict needs a name of 1 to 200 characters' USING ERRCODE = 'invalid_name';
	END IF;
	IF jsonb_typeof(thresholds) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'thresholds must be a JSON object' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write verdicts with the lowest score of each, as {"suspicious": 0.5, "malicious": 0.9}.';
	END IF;
	FOR t IN SELECT * FROM jsonb_each(thresholds) LOOP
		IF jsonb_typeof(t.value) <> 'number' OR NOT t.value::text::numeric BETWEEN 0 AND 1 THEN
			RAISE EXCEPTION 'threshold of verdict "%" must be a score between 0 and 1, not %', t.key, t.value
				USING ERRCODE = 'invalid_parameter_value';
		END IF;
		IF length(t.key) > 200 THEN
			RAISE EXCEPTION 'a verdict needs a name of 1 to 200 characters' USING ERRCODE = 'invalid_name';
		END IF;
		IF t.key = default_verdict OR t.key = '' THEN
			RAISE EXCEPTION 'verdict "%" cannot have a threshold', t.key USING ERRCODE = 'invalid_parameter_value',
				HINT = 'The default verdict is for scores below all thresholds.';
		END IF;
	END LOOP;
	IF (SELECT count(*) <> count(DISTINCT v.value::float8) FROM jsonb_each_text(thresholds) v) THEN
		RAISE EXCEPTION 'two verdicts have the same threshold' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF on_error IS NULL OR on_error NOT IN ('degrade', 'raise') THEN
		RAISE EXCEPTION 'on_error must be degrade or raise, not %', coalesce('"' || on_error || '"', 'null') USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF notify IS NULL OR array_ndims(notify) > 1 OR array_position(notify, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'notify must be a plain list of verdicts' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write ''{}'' for no notifications.';
	END IF;
	FOREACH v IN ARRAY notify LOOP
		IF v <> default_verdict AND NOT thresholds ? v THEN
			RAISE EXCEPTION 'notify names a verdict "%" that the policy does not have', v USING ERRCODE = 'invalid_parameter_value',
				HINT = format('Its verdicts are %s.', concat_ws(', ', default_verdict,
					(SELECT string_agg(k.key, ', ' ORDER BY k.value::float8) FROM jsonb_each_text(thresholds) k)));
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.check_settings(jsonb, text, text, text[]) IS 'error unless a policy can have these settings';

-- the same limits as in policy.h
CREATE FUNCTION assay.check_size(policy text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n record;
BEGIN
	SELECT t.* INTO n FROM (
		SELECT 'detectors' AS what, count(*) AS has, 20000 AS may FROM assay.detector d
		WHERE d.policy = check_size.policy AND d.until_revision IS NULL AND d.mode <> 'retired'
		UNION ALL SELECT 'exclusions', count(*), 10000 FROM assay.exclusion x WHERE x.policy = check_size.policy AND x.until_revision IS NULL
		UNION ALL SELECT 'guards', count(*), 10000 FROM assay.guard g WHERE g.policy = check_size.policy AND g.until_revision IS NULL) t
	WHERE t.has > t.may;
	IF FOUND THEN
		RAISE EXCEPTION 'policy "%" would have % %', policy, n.has, n.what USING ERRCODE = 'program_limit_exceeded',
			DETAIL = format('The limit is %s.', n.may), HINT = 'Long lists of words belong in a phrases value or an array signal.';
	END IF;
END $$;
COMMENT ON FUNCTION assay.check_size(text) IS 'error when a policy has more detectors, exclusions or guards than one revision may have';

CREATE FUNCTION assay.new_revision(policy text, summary text) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int;
BEGIN
	-- one change at a time; also: may the user, and is there such a policy?
	PERFORM FROM assay.policy p WHERE p.policy = new_revision.policy FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', policy USING ERRCODE = 'undefined_object',
			HINT = 'Or it is not yours: assay.policies lists those that you may change.';
	END IF;
	BEGIN
		INSERT INTO assay.revision (policy, revision, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify)
		SELECT r.policy, r.revision + 1, new_revision.summary, r.prior, r.thresholds, r.default_verdict, r.on_error, r.log_signals, r.search_path, r.notify
		FROM assay.revision r WHERE r.policy = new_revision.policy ORDER BY r.revision DESC LIMIT 1
		RETURNING revision INTO made;
	EXCEPTION WHEN unique_violation THEN
		-- made since our snapshot: only under REPEATABLE READ and SERIALIZABLE
		RAISE EXCEPTION 'policy "%" was changed by another transaction', policy USING ERRCODE = 'serialization_failure',
			HINT = 'Try again.';
	END;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.new_revision(text, text) IS 'begins a new revision with the settings of the last; locks the policy until the transaction ends';

-- functions

CREATE FUNCTION assay.create_policy(policy text, signals regclass, key text[], prior float8 DEFAULT -4.0,
	thresholds jsonb DEFAULT '{"suspicious": 0.5, "malicious": 0.9}', default_verdict text DEFAULT 'safe',
	on_error text DEFAULT 'degrade', log_signals boolean DEFAULT false, schema name DEFAULT NULL,
	search_path text DEFAULT 'pg_catalog, assay, pg_temp', notify text[] DEFAULT '{}') RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	view_schema name;
	view_name name;
	decision text;
	label text;
	columns text;
	keys text;
	k text;
	row_type text;
BEGIN
	IF coalesce(policy, '') = '' OR octet_length(policy) > 50 THEN
		RAISE EXCEPTION 'a policy needs a name of 1 to 50 bytes' USING ERRCODE = 'invalid_name',
			DETAIL = 'Its tables are named after it.';
	END IF;
	IF signals IS NULL OR key IS NULL OR cardinality(key) = 0 THEN
		RAISE EXCEPTION 'a policy needs a signals view and the key columns of its messages'
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF prior IS NULL OR NOT abs(prior) <= 1000 THEN
		RAISE EXCEPTION 'prior must be log-odds between -1000 and 1000' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	IF log_signals IS NULL THEN
		RAISE EXCEPTION 'log_signals must be true or false' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM assay.check_settings(thresholds, default_verdict, on_error, notify);
	PERFORM assay.check_search_path(search_path);
	IF array_ndims(key) > 1 OR array_position(key, NULL) IS NOT NULL OR cardinality(key) <> (SELECT count(DISTINCT u) FROM unnest(key) u) THEN
		RAISE EXCEPTION 'key must be a plain list of different columns' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT n.nspname, c.relname, format_type(c.reltype, NULL) INTO view_schema, view_name, row_type
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = signals;
	FOREACH k IN ARRAY key LOOP
		IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = signals AND a.attname = k AND a.attnum > 0 AND NOT a.attisdropped) THEN
			RAISE EXCEPTION 'signals view % has no key column "%"', signals, k USING ERRCODE = 'undefined_column';
		END IF;
		IF k IN ('revision', 'decided_at', 'verdict', 'score', 'attribution', 'degraded', 'signals', 'malicious', 'source', 'labelled_at') THEN
			RAISE EXCEPTION 'a key column cannot be named "%"', k USING ERRCODE = 'duplicate_column',
				DETAIL = 'The decision and label tables have columns of their own by that name.', HINT = 'Rename it in the signals view and the message table.';
		END IF;
	END LOOP;
	IF EXISTS (SELECT FROM assay.policy p WHERE p.policy = create_policy.policy) THEN
		RAISE EXCEPTION 'policy "%" already exists', policy USING ERRCODE = 'duplicate_object';
	END IF;

	schema := coalesce(schema, view_schema);
	decision := format('%I.%I', schema, policy || '_decision');
	label := format('%I.%I', schema, policy || '_label');
	SELECT string_agg(format('%I %s NOT NULL', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY u.n),
		string_agg(quote_ident(a.attname), ', ' ORDER BY u.n)
	INTO columns, keys
	FROM unnest(key) WITH ORDINALITY u(name, n)
	JOIN pg_attribute a ON a.attrelid = signals AND a.attname = u.name;

	EXECUTE format('CREATE TABLE %s (%s, revision int NOT NULL, decided_at timestamptz NOT NULL DEFAULT now(), '
		'verdict text NOT NULL, score real NOT NULL, attribution assay.attribution NOT NULL, '
		'degraded boolean NOT NULL DEFAULT false%s, PRIMARY KEY (%s, revision))', decision, columns,
		CASE WHEN log_signals THEN ', signals ' || format('%I.%I', view_schema, view_name) ELSE '' END, keys);
	EXECUTE format('COMMENT ON TABLE %s IS %L', decision, format('decisions of policy %s: one a message and revision', policy));
	EXECUTE format('CREATE TABLE %s (%s, malicious boolean NOT NULL, source text NOT NULL, '
		'labelled_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (%s, labelled_at))', label, columns, keys);
	EXECUTE format('COMMENT ON TABLE %s IS %L', label, format('labels of the messages of policy %s; the latest counts', policy));
	EXECUTE format('CREATE VIEW %1$I.%2$I AS SELECT DISTINCT ON (%3$s) * FROM %4$s ORDER BY %3$s, revision DESC',
		schema, policy || '_verdict', keys, decision);
	EXECUTE format('COMMENT ON VIEW %I.%I IS %L', schema, policy || '_verdict', format('latest decision of policy %s for each message', policy));
	EXECUTE format('CREATE VIEW %1$I.%2$I AS SELECT DISTINCT ON (%3$s) * FROM %4$s ORDER BY %3$s, labelled_at DESC',
		schema, policy || '_label_latest', keys, label);
	EXECUTE format('COMMENT ON VIEW %I.%I IS %L', schema, policy || '_label_latest', format('label that counts for each message of policy %s', policy));

	INSERT INTO assay.policy (policy, signals, key, decision, label)
	VALUES (create_policy.policy, format('%I.%I', view_schema, view_name), create_policy.key, decision, label);
	INSERT INTO assay.revision (policy, revision, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify)
	VALUES (create_policy.policy, 1, 'create policy', create_policy.prior, create_policy.thresholds,
		create_policy.default_verdict, create_policy.on_error, create_policy.log_signals, create_policy.search_path, create_policy.notify);
	RETURN 1;
END $$;
COMMENT ON FUNCTION assay.create_policy(text, regclass, text[], float8, jsonb, text, text, boolean, name, text, text[]) IS
	'makes a policy over a signals view, with its tables <policy>_decision and <policy>_label; returns revision 1';

CREATE FUNCTION assay.alter_policy(policy text, prior float8 DEFAULT NULL, thresholds jsonb DEFAULT NULL,
	default_verdict text DEFAULT NULL, on_error text DEFAULT NULL, owner name DEFAULT NULL,
	search_path text DEFAULT NULL, signals regclass DEFAULT NULL, notify text[] DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int;
	r assay.revision;
	missing text;
BEGIN
	PERFORM FROM assay.policy p WHERE p.policy = alter_policy.policy FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', policy USING ERRCODE = 'undefined_object',
			HINT = 'Or it is not yours: assay.policies lists those that you may change.';
	END IF;
	SELECT * INTO STRICT r FROM assay.revision v WHERE v.policy = alter_policy.policy ORDER BY v.revision DESC LIMIT 1;
	r.prior := coalesce(prior, r.prior);
	r.thresholds := coalesce(thresholds, r.thresholds);
	r.default_verdict := coalesce(default_verdict, r.default_verdict);
	r.on_error := coalesce(on_error, r.on_error);
	r.search_path := coalesce(search_path, r.search_path);
	r.notify := coalesce(notify, r.notify);
	IF NOT abs(r.prior) <= 1000 THEN
		RAISE EXCEPTION 'prior must be log-odds between -1000 and 1000' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	PERFORM assay.check_settings(r.thresholds, r.default_verdict, r.on_error, r.notify);
	IF search_path IS NOT NULL THEN
		PERFORM assay.check_search_path(search_path);
	END IF;
	IF owner IS NOT NULL AND NOT assay.member_of(owner::text) THEN
		RAISE EXCEPTION 'must be a member of role "%" to give policy "%" to it', owner, policy USING ERRCODE = 'insufficient_privilege',
			HINT = CASE WHEN EXISTS (SELECT FROM pg_roles o WHERE o.rolname = owner) THEN 'A superuser can.' ELSE 'There is no such role.' END;
	END IF;
	IF owner IS NOT NULL AND NOT (SELECT has_table_privilege(alter_policy.owner, to_regclass(p.decision), 'INSERT')
		FROM assay.policy p WHERE p.policy = alter_policy.policy AND to_regclass(p.decision) IS NOT NULL) THEN
		RAISE EXCEPTION 'role "%" may not write the decisions of policy "%"', owner, policy USING ERRCODE = 'insufficient_privilege',
			HINT = 'GRANT it INSERT on the decision table, or make it the table''s owner, first.';
	END IF;
	IF signals IS NOT NULL THEN
		SELECT k INTO missing FROM assay.policy p, unnest(p.key) k WHERE p.policy = alter_policy.policy
			AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = alter_policy.signals AND a.attname = k AND a.attnum > 0 AND NOT a.attisdropped) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'signals view % has no key column "%"', signals, missing USING ERRCODE = 'undefined_column';
		END IF;
	END IF;
	UPDATE assay.policy p SET
		owner = coalesce(alter_policy.owner::text, p.owner),
		signals = coalesce((SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
			JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = alter_policy.signals), p.signals)
	WHERE p.policy = alter_policy.policy;
	BEGIN
		INSERT INTO assay.revision (policy, revision, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify)
		VALUES (r.policy, r.revision + 1, concat_ws(', ', 'alter policy', 'prior ' || prior, 'thresholds ' || thresholds::text,
			'default verdict ' || default_verdict, 'on_error ' || on_error, 'owner ' || owner, 'search_path ' || search_path,
			'signals ' || signals, 'notify ' || notify::text), r.prior, r.thresholds, r.default_verdict, r.on_error, r.log_signals,
			r.search_path, r.notify)
		RETURNING revision INTO made;
	EXCEPTION WHEN unique_violation THEN
		-- made since our snapshot: only under REPEATABLE READ and SERIALIZABLE
		RAISE EXCEPTION 'policy "%" was changed by another transaction', policy USING ERRCODE = 'serialization_failure',
			HINT = 'Try again.';
	END;
	PERFORM assay.check_verdicts(policy);
	IF search_path IS NOT NULL OR signals IS NOT NULL THEN
		PERFORM assay.warn_unfit(policy);
	END IF;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.alter_policy(text, float8, jsonb, text, text, name, text, regclass, text[]) IS
	'changes settings of a policy, in a new revision; what is NULL stays';

CREATE FUNCTION assay.drop_policy(policy text, drop_tables boolean DEFAULT false) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
	view regclass;
BEGIN
	DELETE FROM assay.policy d WHERE d.policy = drop_policy.policy RETURNING * INTO p;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', policy USING ERRCODE = 'undefined_object',
			HINT = 'Or it is not yours: assay.policies lists those that you may change.';
	END IF;
	IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = 'assay.decide()'::regprocedure
			   AND t.tgnargs = 1 AND t.tgargs = convert_to(policy, getdatabaseencoding()) || '\x00') THEN
		RAISE EXCEPTION 'policy "%" still decides messages', policy USING ERRCODE = 'dependent_objects_still_exist',
			DETAIL = (SELECT string_agg(format('Trigger %I on table %s.', t.tgname, t.tgrelid::regclass), E'\n') FROM pg_trigger t
					  WHERE t.tgfoid = 'assay.decide()'::regprocedure
					  AND t.tgnargs = 1 AND t.tgargs = convert_to(policy, getdatabaseencoding()) || '\x00'),
			HINT = 'Drop the trigger first.';
	END IF;
	IF drop_tables THEN
		-- What stands there may be another's.
		IF EXISTS (SELECT FROM pg_class c WHERE c.oid IN (to_regclass(p.decision), to_regclass(p.label))
				   AND NOT coalesce(pg_has_role((SELECT o.oid FROM pg_roles o WHERE o.rolname = p.owner), c.relowner, 'USAGE'), pg_has_role(c.relowner, 'USAGE'))) THEN
			RAISE EXCEPTION 'tables of policy "%" do not belong to its owner', policy USING ERRCODE = 'insufficient_privilege',
				HINT = 'Drop the policy without its tables.';
		END IF;
		-- Its own views go with them. What else reads them is the user's to drop.
		FOR view IN SELECT c.oid::regclass FROM pg_class t JOIN pg_class c ON c.relnamespace = t.relnamespace
			WHERE t.oid = to_regclass(p.decision) AND c.relkind = 'v'
			AND c.relname IN (policy || '_verdict', policy || '_label_latest') LOOP
			EXECUTE format('DROP VIEW %s', view);
		END LOOP;
		EXECUTE format('DROP TABLE IF EXISTS %s, %s', p.decision, p.label);
	END IF;
END $$;
COMMENT ON FUNCTION assay.drop_policy(text, boolean) IS
	'removes a policy and its history of revisions; its decision and label tables only when asked';

CREATE FUNCTION assay.create_detector(policy text, detector text, condition text DEFAULT NULL, model assay.model DEFAULT NULL,
	weight float8 DEFAULT 1.0, mode text DEFAULT 'shadow', force_verdict text DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL, rollout float8 DEFAULT 1.0, description text DEFAULT NULL,
	severity text DEFAULT NULL, tags text[] DEFAULT '{}') RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int;
BEGIN
	IF (condition IS NULL) = (model IS NULL) THEN
		RAISE EXCEPTION 'detector "%" needs either a condition or a model', detector USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM assay.check_detector(detector, weight, mode, rollout, tags);
	made := assay.new_revision(policy, format('create detector %s (%s)', detector, mode));
	IF EXISTS (SELECT FROM assay.detector d WHERE d.policy = create_detector.policy
			   AND d.detector = create_detector.detector AND d.until_revision IS NULL AND d.mode <> 'retired') THEN
		RAISE EXCEPTION 'policy "%" already has a detector "%"', policy, detector USING ERRCODE = 'duplicate_object',
			HINT = 'assay.alter_detector() changes it.';
	END IF;
	PERFORM assay.check_condition(policy, condition, format('detector "%s"', detector), true);
	PERFORM assay.check_model(policy, model);
	PERFORM assay.check_verdict(policy, force_verdict);
	IF model IS NOT NULL THEN
		INSERT INTO assay.detector_model VALUES (policy, detector, made, model);
	END IF;
	UPDATE assay.detector d SET until_revision = made
	WHERE d.policy = create_detector.policy AND d.detector = create_detector.detector AND d.until_revision IS NULL;
	INSERT INTO assay.detector (policy, detector, from_revision, condition, model_revision, weight, mode, force_verdict,
		expires_at, rollout, severity, tags, description)
	VALUES (policy, detector, made, condition, CASE WHEN model IS NOT NULL THEN made END, weight, mode, force_verdict,
		expires_at, rollout, severity, coalesce(tags, '{}'), description);
	PERFORM assay.check_size(policy);
	PERFORM assay.notice_expired(format('detector "%s"', detector), expires_at);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.create_detector(text, text, text, assay.model, float8, text, text, timestamptz, float8, text, text, text[]) IS
	'adds a detector, a condition over the signals or a model, in a new revision, whose number it returns';

CREATE FUNCTION assay.alter_detector(policy text, detector text, condition text DEFAULT NULL, model assay.model DEFAULT NULL,
	weight float8 DEFAULT NULL, mode text DEFAULT NULL, force_verdict text DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL, rollout float8 DEFAULT NULL, description text DEFAULT NULL,
	severity text DEFAULT NULL, tags text[] DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int;
	d assay.detector;
BEGIN
	IF condition IS NOT NULL AND model IS NOT NULL THEN
		RAISE EXCEPTION 'detector "%" needs either a condition or a model', detector USING ERRCODE = 'invalid_parameter_value';
	END IF;
	made := assay.new_revision(policy, concat_ws(', ', 'alter detector ' || detector,
		CASE WHEN condition IS NOT NULL THEN 'condition' END, CASE WHEN model IS NOT NULL THEN 'model' END,
		'weight ' || weight, 'mode ' || mode, 'force_verdict ' || force_verdict, 'expires_at ' || expires_at,
		'rollout ' || rollout, CASE WHEN description IS NOT NULL THEN 'description' END, 'severity ' || severity,
		'tags ' || tags::text));
	UPDATE assay.detector o SET until_revision = made
	WHERE o.policy = alter_detector.policy AND o.detector = alter_detector.detector AND o.until_revision IS NULL
	RETURNING * INTO d;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no detector "%"', policy, detector USING ERRCODE = 'undefined_object',
			HINT = 'The view assay.detectors lists them.';
	END IF;
	PERFORM assay.check_detector(detector, coalesce(weight, d.weight), coalesce(mode, d.mode), coalesce(rollout, d.rollout), tags);
	PERFORM assay.check_condition(policy, condition, format('detector "%s"', detector), true);
	PERFORM assay.check_model(policy, model);
	PERFORM assay.check_verdict(policy, nullif(force_verdict, ''));
	-- The signals may have changed while it was out of use.
	IF mode <> 'retired' AND condition IS NULL AND model IS NULL THEN
		PERFORM assay.check_condition(policy, d.condition, format('detector "%s"', detector), true);
		PERFORM assay.check_model(alter_detector.policy, m.model) FROM assay.detector_model m
		WHERE m.policy = d.policy AND m.detector = d.detector AND m.revision = d.model_revision;
		PERFORM assay.check_verdict(policy, nullif(coalesce(force_verdict, d.force_verdict), ''));
	END IF;
	IF model IS NOT NULL THEN
		INSERT INTO assay.detector_model VALUES (policy, detector, made, model);
		d.condition := NULL;
		d.model_revision := made;
	ELSIF condition IS NOT NULL THEN
		d.condition := condition;
		d.model_revision := NULL;
	END IF;
	INSERT INTO assay.detector (policy, detector, from_revision, condition, model_revision, weight, mode, force_verdict,
		expires_at, rollout, severity, tags, description)
	VALUES (policy, detector, made, d.condition, d.model_revision, coalesce(weight, d.weight), coalesce(mode, d.mode),
		nullif(coalesce(force_verdict, d.force_verdict), ''), nullif(coalesce(expires_at, d.expires_at), 'infinity'),
		coalesce(rollout, d.rollout), nullif(coalesce(severity, d.severity), ''), coalesce(tags, d.tags), nullif(coalesce(description, d.description), ''));
	PERFORM assay.check_size(policy);
	PERFORM assay.notice_expired(format('detector "%s"', detector), expires_at);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.alter_detector(text, text, text, assay.model, float8, text, text, timestamptz, float8, text, text, text[]) IS
	'changes a detector in a new revision; what is NULL stays; '''' (force_verdict, severity, description) and infinity (expires_at) take away';

CREATE FUNCTION assay.promote(policy text, detector text) RETURNS int LANGUAGE sql
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay.alter_detector(policy, detector, mode => 'live')
$$;
COMMENT ON FUNCTION assay.promote(text, text) IS 'makes a draft or shadow detector live';

CREATE FUNCTION assay.retire_detector(policy text, detector text) RETURNS int LANGUAGE sql
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay.alter_detector(policy, detector, mode => 'retired')
$$;
COMMENT ON FUNCTION assay.retire_detector(text, text) IS 'takes a detector out of use; its past stays';

CREATE FUNCTION assay.create_guard(policy text, guard text, condition text, description text DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := assay.new_revision(policy, format('create guard %s', guard));
BEGIN
	PERFORM assay.check_guard(policy, guard, condition);
	PERFORM assay.check_condition(policy, condition, format('guard "%s"', guard), false);
	UPDATE assay.guard g SET until_revision = made
	WHERE g.policy = create_guard.policy AND g.guard = create_guard.guard AND g.until_revision IS NULL;
	INSERT INTO assay.guard (policy, guard, from_revision, condition, description)
	VALUES (policy, guard, made, condition, description);
	PERFORM assay.check_size(policy);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.create_guard(text, text, text, text) IS
	'makes or replaces a named condition that detectors and exclusions use like a boolean signal';

CREATE FUNCTION assay.exclude(policy text, exclusion text, condition text, mutes text[] DEFAULT NULL, verdict text DEFAULT NULL,
	reason text DEFAULT NULL, expires_at timestamptz DEFAULT NULL, decision_key text[] DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := assay.new_revision(policy, format('exclude %s', exclusion));
BEGIN
	PERFORM assay.check_exclusion(policy, exclusion, condition, mutes, verdict, reason, decision_key);
	PERFORM assay.check_mutes(policy, mutes);
	PERFORM assay.check_verdict(policy, verdict);
	PERFORM assay.check_condition(policy, condition, format('exclusion "%s"', exclusion), true);
	UPDATE assay.exclusion x SET until_revision = made
	WHERE x.policy = exclude.policy AND x.exclusion = exclude.exclusion AND x.until_revision IS NULL;
	INSERT INTO assay.exclusion (policy, exclusion, from_revision, condition, mutes, verdict, reason, expires_at, decision_key)
	VALUES (policy, exclusion, made, condition, mutes, verdict, reason, expires_at, decision_key);
	PERFORM assay.check_size(policy);
	PERFORM assay.notice_expired(format('exclusion "%s"', exclusion), expires_at);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.exclude(text, text, text, text[], text, text, timestamptz, text[]) IS
	'makes or replaces an exclusion: where the condition holds, detectors are muted or a verdict is forced';

CREATE FUNCTION assay.drop_exclusion(policy text, exclusion text) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := assay.new_revision(policy, format('drop exclusion %s', exclusion));
BEGIN
	UPDATE assay.exclusion x SET until_revision = made
	WHERE x.policy = drop_exclusion.policy AND x.exclusion = drop_exclusion.exclusion AND x.until_revision IS NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no exclusion "%"', policy, exclusion USING ERRCODE = 'undefined_object';
	END IF;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.drop_exclusion(text, text) IS 'ends an exclusion, in a new revision';

CREATE FUNCTION assay.score(policy text, signals record, revision int DEFAULT NULL, at timestamptz DEFAULT NULL, drafts boolean DEFAULT false,
	OUT verdict text, OUT score real, OUT attribution assay.attribution)
	AS 'MODULE_PATHNAME', 'assay_score' LANGUAGE C STABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION assay.score(text, record, int, timestamptz, boolean) IS
	'verdict, score and attribution of one row of signals, by the policy as it stands or as at a revision; drafts => true counts drafts as live';

CREATE FUNCTION assay.decide() RETURNS trigger
	AS 'MODULE_PATHNAME', 'assay_decide' LANGUAGE C;
COMMENT ON FUNCTION assay.decide() IS
	'trigger AFTER INSERT on a message table, for each statement (REFERENCING NEW TABLE) or row: decides the new messages by the policy it is given';

CREATE FUNCTION assay.signals_query(policy text, keys text[] DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'assay_signals_query' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.signals_query(text, text[]) IS
	'the query by which the trigger reads the signals of messages with these keys, for EXPLAIN; without keys, that of a row-level trigger, for PREPARE';

CREATE FUNCTION assay.explain_decision(policy text, VARIADIC key text[],
	OUT step int, OUT evidence text, OUT contribution float8, OUT margin float8, OUT score real, OUT because text) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 20
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
	d record;
BEGIN
	SELECT * INTO p FROM assay.policy q WHERE q.policy = explain_decision.policy;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', policy USING ERRCODE = 'undefined_object',
			HINT = 'Or it is not yours: assay.policies lists those that you may read.';
	END IF;
	IF cardinality(key) <> cardinality(p.key) THEN
		RAISE EXCEPTION 'policy "%" identifies a message by (%)', policy, array_to_string(p.key, ', ')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR d IN SELECT * FROM assay.latest_decision(policy, key)
	LOOP
		RETURN QUERY
		WITH l AS (
			SELECT l.*, CASE WHEN l.counted THEN l.contribution ELSE 0 END AS effect
			FROM assay.ledger(d.attribution) l
		), o AS (
			SELECT l.*, row_number() OVER w AS n, sum(l.effect) OVER w AS m
			FROM l WINDOW w AS (ORDER BY l.kind <> 'prior', l.kind = 'exclusion', NOT l.counted, abs(l.effect) DESC, l.entry)
		)
		SELECT o.n::int, o.detector, o.effect, o.m,
			(CASE WHEN o.m > -700 THEN 1 / (1 + exp(-o.m)) ELSE 0 END)::real,
			concat_ws('; ',
				CASE o.kind WHEN 'prior' THEN 'log-odds before any evidence' WHEN 'signals' THEN 'signals could not be read'
					WHEN 'exclusion' THEN 'exclusion' END,
				CASE WHEN o.forced IS NOT NULL THEN 'forces the verdict ' || o.forced END,
				CASE WHEN o.muted_by IS NOT NULL THEN format('muted by exclusion %s (would add %s)', o.muted_by, round(o.contribution::numeric, 3)) END,
				CASE WHEN o.shadow AND o.fault IS NULL THEN format('shadow: would add %s', round(o.contribution::numeric, 3)) END,
				CASE WHEN o.fault = 'suspended' THEN 'suspended after repeated faults' WHEN o.fault IS NOT NULL THEN 'failed with SQLSTATE ' || o.fault END,
				(SELECT v.description FROM assay.detector v WHERE v.policy = p.policy AND v.detector = o.detector
				 AND v.from_revision <= d.revision AND (v.until_revision IS NULL OR v.until_revision > d.revision)),
				CASE jsonb_typeof(o.signals)
					WHEN 'object' THEN (SELECT string_agg(format('%s = %s', s.key, coalesce(s.value, 'NULL')), ', ') FROM jsonb_each_text(o.signals) s)
					WHEN 'array' THEN (SELECT string_agg(format('%s = %s (%s)', s.value->>0, coalesce(s.value->>1, 'missing'),
						to_char((s.value->>2)::numeric, 'FMSG990.00')), ', ') FROM jsonb_array_elements(o.signals) s)
				END)
		FROM o
		UNION ALL
		SELECT count(*)::int + 1, '= ' || d.verdict, NULL, assay.margin(d.attribution), d.score,
			format('revision %s, decided %s%s', d.revision, d.decided_at, CASE WHEN assay.degraded(d.attribution) THEN ', degraded' ELSE '' END)
		FROM o
		ORDER BY 1;
		RETURN;
	END LOOP;
	RAISE EXCEPTION 'policy "%" has no decision for (%)', policy, array_to_string(key, ', ') USING ERRCODE = 'no_data_found',
		HINT = 'assay.backfill() decides messages that came before the trigger.';
END $$;
COMMENT ON FUNCTION assay.explain_decision(text, text[]) IS
	'why the latest decision about a message is as it is: prior, contributions by size, and the verdict';

-- views

CREATE FUNCTION assay.policy_cache(OUT policy text, OUT revision int, OUT drafts boolean, OUT valid boolean,
	OUT live int, OUT shadow int, OUT exclusions int, OUT guards int, OUT bytes bigint, OUT triggers int, OUT plan_bytes bigint, OUT pins int, OUT uses bigint,
	OUT used_at timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_policy_cache' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION assay.policy_cache() IS 'policies, of those that the user may see, that this backend keeps compiled';

CREATE VIEW assay.policy_cache AS
	SELECT c.policy, c.revision, c.drafts, c.valid, c.live, c.shadow, c.exclusions, c.guards, c.bytes, c.triggers, c.plan_bytes, c.pins, c.uses, c.used_at
	FROM assay.policy_cache() c ORDER BY c.used_at DESC, c.policy COLLATE "C";
COMMENT ON VIEW assay.policy_cache IS
	'policies that this backend keeps compiled, most recently used first; bounded by assay.policy_cache_size';

CREATE VIEW assay.policies WITH (security_invoker) AS
	SELECT p.policy, p.owner, p.signals, p.key, r.revision, r.prior, r.thresholds, r.default_verdict, r.on_error, r.notify,
		count(d.detector) FILTER (WHERE d.mode = 'live') AS live,
		count(d.detector) FILTER (WHERE d.mode = 'shadow') AS shadow,
		count(d.detector) FILTER (WHERE d.mode = 'draft') AS draft,
		r.made_at AS changed_at, p.decision, p.label
	FROM assay.policy p
	JOIN LATERAL (SELECT * FROM assay.revision v WHERE v.policy = p.policy ORDER BY v.revision DESC LIMIT 1) r ON true
	LEFT JOIN assay.detector d ON d.policy = p.policy AND d.until_revision IS NULL
	GROUP BY p.policy, p.owner, p.signals, p.key, r.revision, r.prior, r.thresholds, r.default_verdict, r.on_error, r.notify, r.made_at, p.decision, p.label;
COMMENT ON VIEW assay.policies IS 'policies as they stand';

CREATE VIEW assay.detectors WITH (security_invoker) AS
	SELECT d.policy, d.detector, d.mode, d.weight, CASE WHEN d.condition IS NULL THEN 'model' ELSE 'rule' END AS kind,
		d.condition, d.force_verdict, d.expires_at, d.rollout, d.severity, d.tags, d.description, d.from_revision AS revision
	FROM assay.detector d WHERE d.until_revision IS NULL;
COMMENT ON VIEW assay.detectors IS 'detectors as they stand';

CREATE VIEW assay.exclusions WITH (security_invoker) AS
	SELECT x.policy, x.exclusion, x.condition, x.mutes, x.verdict, x.reason, x.expires_at,
		x.expires_at <= now() AS expired, x.decision_key, x.from_revision AS revision
	FROM assay.exclusion x WHERE x.until_revision IS NULL;
COMMENT ON VIEW assay.exclusions IS 'exclusions as they stand';

CREATE VIEW assay.revisions WITH (security_invoker) AS
	SELECT r.policy, r.revision, r.made_at, r.made_by, r.summary FROM assay.revision r;
COMMENT ON VIEW assay.revisions IS 'changes of policies: who, when, what';

GRANT SELECT ON assay.policies, assay.detectors, assay.exclusions, assay.revisions, assay.policy_cache TO PUBLIC;
REVOKE ALL ON FUNCTION assay.policy_changed(), assay.keep_history() FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- policy, administration: checks, documents, differences, rollback
-- ---------------------------------------------------------------------------

-- private functions: checks, each with an error that says what to write instead

CREATE FUNCTION assay.policy_for_change(policy text) RETURNS assay.policy LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
BEGIN
	SELECT * INTO p FROM assay.policy q WHERE q.policy = policy_for_change.policy FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', policy USING ERRCODE = 'undefined_object',
			HINT = 'Or it is not yours: assay.policies lists those that you may change.';
	END IF;
	RETURN p;
END $$;
COMMENT ON FUNCTION assay.policy_for_change(text) IS 'the policy, locked until the transaction ends; error unless the user may change it';

CREATE FUNCTION assay.policy_for_reading(policy text) RETURNS assay.policy LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
BEGIN
	SELECT * INTO p FROM assay.policy q WHERE q.policy = policy_for_reading.policy;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" does not exist', policy USING ERRCODE = 'undefined_object',
			HINT = 'Or it is not yours: assay.policies lists those that you may read.';
	END IF;
	RETURN p;
END $$;
COMMENT ON FUNCTION assay.policy_for_reading(text) IS 'the policy; error unless the user may read it';

CREATE FUNCTION assay.revision_for_reading(policy text, revision int DEFAULT NULL) RETURNS assay.revision LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.revision;
BEGIN
	PERFORM assay.policy_for_reading(policy);
	SELECT * INTO r FROM assay.revision v WHERE v.policy = revision_for_reading.policy
		AND (revision_for_reading.revision IS NULL OR v.revision = revision_for_reading.revision)
	ORDER BY v.revision DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no revision %', policy, revision USING ERRCODE = 'undefined_object',
			HINT = 'The view assay.revisions lists them.';
	END IF;
	RETURN r;
END $$;
COMMENT ON FUNCTION assay.revision_for_reading(text, int) IS 'a revision of a policy, the current one for NULL; error when there is none';

CREATE FUNCTION assay.condition_names(condition text) RETURNS text[]
	AS 'MODULE_PATHNAME', 'assay_condition_names' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.condition_names(text) IS 'names of the signals and guards that a condition refers to, sorted';

CREATE FUNCTION assay.check_detector(detector text, weight float8, mode text, rollout float8, tags text[]) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF coalesce(detector, '') = '' OR length(detector) > 200 THEN
		RAISE EXCEPTION 'a detector needs a name of 1 to 200 characters' USING ERRCODE = 'invalid_name';
	END IF;
	IF weight IS NULL OR NOT abs(weight) <= 1000 THEN
		RAISE EXCEPTION 'weight of detector "%" must be log-odds between -1000 and 1000, not %', detector, coalesce(weight::text, 'null')
			USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	IF mode IS NULL OR mode NOT IN ('draft', 'shadow', 'live', 'retired') THEN
		RAISE EXCEPTION 'mode of detector "%" must be draft, shadow, live or retired, not %', detector, coalesce('"' || mode || '"', 'null')
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'draft: replay only; shadow: recorded without effect; live: counted; retired: out of use.';
	END IF;
	IF rollout IS NULL OR NOT rollout BETWEEN 0 AND 1 THEN
		RAISE EXCEPTION 'rollout of detector "%" must be a share between 0 and 1, not %', detector, coalesce(rollout::text, 'null')
			USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	IF array_ndims(tags) > 1 OR array_position(tags, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'tags of detector "%" must be a plain list without nulls', detector USING ERRCODE = 'invalid_parameter_value';
	END IF;
END $$;
COMMENT ON FUNCTION assay.check_detector(text, float8, text, float8, text[]) IS 'error unless a detector can have these attributes';

CREATE FUNCTION assay.notice_expired(what text, expires_at timestamptz) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF expires_at <= now() THEN
		RAISE NOTICE '% has expired already', what;
	END IF;
END $$;
COMMENT ON FUNCTION assay.notice_expired(text, timestamptz) IS 'tells of what takes no part from the beginning';

CREATE FUNCTION assay.check_guard(policy text, guard text, condition text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF coalesce(guard, '') = '' OR octet_length(guard) > 63 THEN
		RAISE EXCEPTION 'a guard needs a name of 1 to 63 bytes' USING ERRCODE = 'invalid_name',
			DETAIL = 'Conditions refer to it like to a column.';
	END IF;
	IF condition IS NULL THEN
		RAISE EXCEPTION 'guard "%" needs a condition', guard USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF EXISTS (SELECT FROM pg_attribute a JOIN assay.policy p ON a.attrelid = to_regclass(p.signals)
			   WHERE p.policy = check_guard.policy AND a.attname = guard AND a.attnum > 0 AND NOT a.attisdropped) THEN
		RAISE EXCEPTION 'guard "%" would hide the signal of that name', guard USING ERRCODE = 'duplicate_object';
	END IF;
END $$;
COMMENT ON FUNCTION assay.check_guard(text, text, text) IS 'error unless a policy can have a guard of that name';

CREATE FUNCTION assay.check_exclusion(policy text, exclusion text, condition text, mutes text[], verdict text, reason text,
	decision_key text[]) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	key text[];
BEGIN
	IF coalesce(exclusion, '') = '' OR length(exclusion) > 200 THEN
		RAISE EXCEPTION 'an exclusion needs a name of 1 to 200 characters' USING ERRCODE = 'invalid_name';
	END IF;
	IF coalesce(cardinality(mutes), 0) = 0 AND verdict IS NULL THEN
		RAISE EXCEPTION 'exclusion "%" must mute detectors or force a verdict', exclusion USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF array_ndims(mutes) > 1 OR array_position(mutes, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'mutes of exclusion "%" must be a plain list without nulls', exclusion USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF coalesce(reason, '') = '' OR condition IS NULL THEN
		RAISE EXCEPTION 'exclusion "%" needs a condition and a reason', exclusion USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT p.key INTO key FROM assay.policy p WHERE p.policy = check_exclusion.policy;
	IF cardinality(decision_key) <> cardinality(key) OR array_position(decision_key, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'policy "%" identifies a message by (%)', policy, array_to_string(key, ', ')
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The decision_key of exclusion "%s" has other elements.', exclusion);
	END IF;
END $$;
COMMENT ON FUNCTION assay.check_exclusion(text, text, text, text[], text, text, text[]) IS 'error unless an exclusion can have these attributes';

CREATE FUNCTION assay.check_search_path(search_path text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF coalesce(search_path, '') = '' THEN
		RAISE EXCEPTION 'a policy needs a search_path' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'The default is pg_catalog, assay, pg_temp.';
	END IF;
	-- set for this function only
	PERFORM pg_catalog.set_config('search_path', search_path, true), pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
END $$;
COMMENT ON FUNCTION assay.check_search_path(text) IS 'error unless this can be a search_path';

CREATE FUNCTION assay.check_verdicts(policy text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.revision := assay.revision_for_reading(policy);
	f record;
BEGIN
	SELECT * INTO f FROM (
		SELECT format('detector "%s"', d.detector) AS what, d.force_verdict AS verdict FROM assay.detector d
		WHERE d.policy = r.policy AND d.until_revision IS NULL AND d.mode <> 'retired'
		UNION ALL
		SELECT format('exclusion "%s"', x.exclusion), x.verdict FROM assay.exclusion x
		WHERE x.policy = r.policy AND x.until_revision IS NULL) u
	WHERE u.verdict <> r.default_verdict AND NOT r.thresholds ? u.verdict
	ORDER BY u.what COLLATE "C" LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'policy "%" has no verdict "%"', policy, f.verdict USING ERRCODE = 'invalid_parameter_value',
			DETAIL = upper(left(f.what, 1)) || substr(f.what, 2) || ' forces it.',
			HINT = format('Its verdicts are %s.', (SELECT string_agg(v, ', ' ORDER BY n, v COLLATE "C") FROM (
				SELECT r.default_verdict, -1 UNION ALL SELECT t.key, t.value::float8 FROM jsonb_each_text(r.thresholds) t) k(v, n)));
	END IF;
END $$;
COMMENT ON FUNCTION assay.check_verdicts(text) IS 'error unless all that detectors and exclusions force are verdicts of the policy';

CREATE FUNCTION assay.check_mutes(policy text, mutes text[]) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	unknown text;
BEGIN
	SELECT m INTO unknown FROM unnest(mutes) m WHERE NOT EXISTS (SELECT FROM assay.detector d
		WHERE d.policy = check_mutes.policy AND d.detector = m AND d.until_revision IS NULL) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'policy "%" has no detector "%"', policy, unknown USING ERRCODE = 'undefined_object',
			HINT = 'The view assay.detectors lists them.';
	END IF;
END $$;
COMMENT ON FUNCTION assay.check_mutes(text, text[]) IS 'error unless the policy has all these detectors';

-- A retired detector may name what is gone; that may be why it is retired.
CREATE FUNCTION assay.check_policy(policy text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM assay.check_condition(check_policy.policy, g.condition, format('guard "%s"', g.guard), false) FROM assay.guard g
	WHERE g.policy = check_policy.policy AND g.until_revision IS NULL;
	PERFORM assay.check_condition(check_policy.policy, d.condition, format('detector "%s"', d.detector), true), assay.check_model(check_policy.policy, m.model)
	FROM assay.detector d
	LEFT JOIN assay.detector_model m ON m.policy = d.policy AND m.detector = d.detector AND m.revision = d.model_revision
	WHERE d.policy = check_policy.policy AND d.until_revision IS NULL AND d.mode <> 'retired';
	PERFORM assay.check_mutes(check_policy.policy, x.mutes), assay.check_condition(check_policy.policy, x.condition, format('exclusion "%s"', x.exclusion), true)
	FROM assay.exclusion x WHERE x.policy = check_policy.policy AND x.until_revision IS NULL;
	PERFORM assay.check_verdicts(check_policy.policy);
END $$;
COMMENT ON FUNCTION assay.check_policy(text) IS 'error unless all conditions, models, mutes and verdicts of a policy are valid';

CREATE FUNCTION assay.warn_unfit(policy text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT format('guard "%s"', g.guard) AS what, g.condition, NULL::assay.model AS model FROM assay.guard g
			WHERE g.policy = warn_unfit.policy AND g.until_revision IS NULL
		UNION ALL SELECT format('detector "%s"', d.detector), d.condition, m.model FROM assay.detector d
			LEFT JOIN assay.detector_model m ON m.policy = d.policy AND m.detector = d.detector AND m.revision = d.model_revision
			WHERE d.policy = warn_unfit.policy AND d.until_revision IS NULL AND d.mode <> 'retired'
		UNION ALL SELECT format('exclusion "%s"', x.exclusion), x.condition, NULL FROM assay.exclusion x
			WHERE x.policy = warn_unfit.policy AND x.until_revision IS NULL
	LOOP
		BEGIN
			PERFORM assay.check_condition(policy, c.condition, c.what, c.what NOT LIKE 'guard %'), assay.check_model(policy, c.model);
		EXCEPTION WHEN OTHERS THEN
			RAISE WARNING '% of policy "%" cannot be evaluated: %', c.what, policy, SQLERRM;
		END;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.warn_unfit(text) IS 'warns of each condition and model of a policy that does not fit its signals and search_path';

CREATE FUNCTION assay.guard_users(policy text, guard text) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(u.what, ' ' ORDER BY u.what COLLATE "C") FROM (
		SELECT format('Detector "%s" refers to it.', d.detector) AS what FROM assay.detector d
		WHERE d.policy = $1 AND d.until_revision IS NULL AND d.mode <> 'retired' AND $2 = ANY (assay.condition_names(d.condition))
		UNION ALL
		SELECT format('Exclusion "%s" refers to it.', x.exclusion) FROM assay.exclusion x
		WHERE x.policy = $1 AND x.until_revision IS NULL AND $2 = ANY (assay.condition_names(x.condition))) u
$$;
COMMENT ON FUNCTION assay.guard_users(text, text) IS 'who refers to a guard, as sentences; NULL when nobody does';

-- documents

CREATE FUNCTION assay.policy_state(policy text, revision int DEFAULT NULL, models boolean DEFAULT false) RETURNS jsonb LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	r assay.revision := assay.revision_for_reading(policy, revision);
BEGIN
	RETURN (SELECT jsonb_build_object('pg_assay_policy', 1, 'policy', p.policy, 'signals', p.signals, 'key', to_jsonb(p.key),
			'log_signals', r.log_signals,
			'settings', jsonb_build_object('prior', r.prior, 'thresholds', r.thresholds, 'default_verdict', r.default_verdict,
				'on_error', r.on_error, 'search_path', r.search_path, 'notify', to_jsonb(r.notify)),
			'guards', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', g.guard, 'condition', g.condition,
					'description', g.description) ORDER BY g.guard COLLATE "C"), '[]')
				FROM assay.guard g WHERE g.policy = p.policy
				AND g.from_revision <= r.revision AND (g.until_revision IS NULL OR g.until_revision > r.revision)),
			'detectors', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', d.detector, 'mode', d.mode, 'condition', d.condition,
					'model', CASE WHEN m.model IS NOT NULL THEN jsonb_build_object('digest', assay.model_digest(m.model))
						|| CASE WHEN models THEN jsonb_build_object('text', m.model::text) ELSE '{}' END END,
					'weight', d.weight, 'force_verdict', d.force_verdict, 'expires_at', d.expires_at, 'rollout', d.rollout,
					'severity', d.severity, 'tags', d.tags, 'description', d.description) ORDER BY d.detector COLLATE "C"), '[]')
				FROM assay.detector d
				LEFT JOIN assay.detector_model m ON m.policy = d.policy AND m.detector = d.detector AND m.revision = d.model_revision
				WHERE d.policy = p.policy
				AND d.from_revision <= r.revision AND (d.until_revision IS NULL OR d.until_revision > r.revision)),
			'exclusions', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', x.exclusion, 'condition', x.condition,
					'mutes', x.mutes, 'verdict', x.verdict, 'reason', x.reason, 'expires_at', x.expires_at,
					'decision_key', x.decision_key) ORDER BY x.exclusion COLLATE "C"), '[]')
				FROM assay.exclusion x WHERE x.policy = p.policy
				AND x.from_revision <= r.revision AND (x.until_revision IS NULL OR x.until_revision > r.revision)))
		FROM assay.policy p WHERE p.policy = r.policy);
END $$;
COMMENT ON FUNCTION assay.policy_state(text, int, boolean) IS 'a revision as one document, with every attribute, nulls and defaults too';

CREATE FUNCTION assay.document_diff(policy text, before jsonb, after jsonb,
	OUT kind text, OUT name text, OUT attribute text, OUT old text, OUT new text) RETURNS SETOF record LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH side AS (
		SELECT true AS is_new, after AS document UNION ALL SELECT false, before
	), flat AS (
		SELECT s.is_new, 1 AS rank, 'policy' AS kind, policy AS name, a.key AS attribute, a.value #>> '{}' AS value
		FROM side s, jsonb_each(s.document->'settings') a
		UNION ALL
		SELECT s.is_new, k.rank, k.kind, e.item->>'name', a.key,
			CASE WHEN a.key = 'model' THEN a.value->>'digest' ELSE a.value #>> '{}' END
		FROM side s, (VALUES (2, 'guard', 'guards'), (3, 'detector', 'detectors'), (4, 'exclusion', 'exclusions')) k(rank, kind, list),
			jsonb_array_elements(s.document->k.list) e(item), jsonb_each(e.item - 'name') a
	)
	SELECT kind, name, attribute, o.value, n.value
	FROM (SELECT * FROM flat WHERE NOT is_new) o
	FULL JOIN (SELECT * FROM flat WHERE is_new) n USING (rank, kind, name, attribute)
	WHERE o.value IS DISTINCT FROM n.value
	ORDER BY rank, name COLLATE "C", attribute COLLATE "C"
$$;
COMMENT ON FUNCTION assay.document_diff(text, jsonb, jsonb) IS 'what differs between two states of a policy, an attribute a row';

CREATE FUNCTION assay.document_item(item jsonb, what text, attributes jsonb) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	a record;
	expected text;
	given text;
BEGIN
	IF jsonb_typeof(item) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'policy document: % must be an object', what USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR a IN SELECT e.key, e.value FROM jsonb_each(item) e ORDER BY e.key COLLATE "C" LOOP
		expected := attributes->>a.key;
		IF expected IS NULL THEN
			RAISE EXCEPTION 'policy document: % cannot have "%"', what, a.key USING ERRCODE = 'invalid_parameter_value',
				HINT = format('It may have %s.', (SELECT string_agg(k, ', ' ORDER BY k COLLATE "C") FROM jsonb_object_keys(attributes) k));
		END IF;
		given := jsonb_typeof(a.value);
		IF expected = 'strings' AND given = 'array'
			AND NOT EXISTS (SELECT FROM jsonb_array_elements(a.value) e(v) WHERE jsonb_typeof(e.v) <> 'string') THEN
			given := 'strings';
		END IF;
		IF given <> expected AND given <> 'null' THEN
			RAISE EXCEPTION 'policy document: "%" of % must be %', a.key, what,
				CASE expected WHEN 'strings' THEN 'an array of strings' WHEN 'array' THEN 'an array'
					WHEN 'object' THEN 'an object' ELSE 'a ' || expected END
				USING ERRCODE = 'invalid_parameter_value';
		END IF;
		IF given = 'number' AND abs(a.value::numeric) > 1e300 THEN
			RAISE EXCEPTION 'policy document: "%" of % is out of range', a.key, what USING ERRCODE = 'numeric_value_out_of_range';
		END IF;
	END LOOP;
	IF attributes ? 'name' AND coalesce(item->>'name', '') = '' THEN
		RAISE EXCEPTION 'policy document: % has no name', what USING ERRCODE = 'invalid_parameter_value';
	END IF;
END $$;
COMMENT ON FUNCTION assay.document_item(jsonb, text, jsonb) IS 'error unless an object of a document has just these attributes, of these types';

CREATE FUNCTION assay.document_list(document jsonb, list text, what text, attributes jsonb) RETURNS SETOF jsonb LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	item jsonb;
	n int := 0;
	seen jsonb := '{}';
BEGIN
	IF coalesce(jsonb_typeof(document->list), 'null') = 'null' THEN
		RETURN;
	END IF;
	FOR item IN SELECT e FROM jsonb_array_elements(document->list) e LOOP
		n := n + 1;
		PERFORM assay.document_item(item, CASE WHEN jsonb_typeof(item->'name') = 'string'
			THEN format('%s "%s"', what, item->>'name') ELSE format('%s number %s', what, n) END, attributes);
		IF seen ? (item->>'name') THEN
			RAISE EXCEPTION 'policy document has two of % "%"', what, item->>'name' USING ERRCODE = 'duplicate_object';
		END IF;
		seen := seen || jsonb_build_object(item->>'name', true);
		RETURN NEXT item;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.document_list(jsonb, text, text, jsonb) IS 'the checked items of a list in a document';

CREATE FUNCTION assay.document_time(item jsonb, what text) RETURNS timestamptz LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
	RETURN (item->>'expires_at')::timestamptz;
EXCEPTION WHEN data_exception THEN
	RAISE EXCEPTION 'policy document: "expires_at" of % "%" must be a time, not "%"', what, item->>'name', item->>'expires_at'
		USING ERRCODE = 'invalid_datetime_format', HINT = 'Write it as 2026-12-31T00:00:00+00:00.';
END $$;
COMMENT ON FUNCTION assay.document_time(jsonb, text) IS 'when an item of a document expires';

-- the same with every attribute in its canonical form, as policy_state() has it
CREATE FUNCTION assay.read_document(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	settings jsonb;
	d jsonb;
BEGIN
	IF document IS NULL THEN
		RAISE EXCEPTION 'policy document is null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF jsonb_typeof(document) <> 'object' OR NOT document ? 'pg_assay_policy' THEN
		RAISE EXCEPTION 'this is no policy document' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'assay.policy_export() makes one; it says "pg_assay_policy": 1.';
	END IF;
	IF document->'pg_assay_policy' <> '1' THEN
		RAISE EXCEPTION 'policy document is of version %, which this release does not read', document->>'pg_assay_policy'
			USING ERRCODE = 'feature_not_supported', HINT = 'Versions that it reads: 1.';
	END IF;
	PERFORM assay.document_item(document, 'the document', '{"pg_assay_policy": "number", "policy": "string", "signals": "string",
		"key": "strings", "log_signals": "boolean", "settings": "object", "guards": "array", "detectors": "array", "exclusions": "array"}');
	settings := document->'settings';
	IF coalesce(jsonb_typeof(settings), 'null') = 'null' THEN
		RAISE EXCEPTION 'policy document has no settings' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM assay.document_item(settings, '"settings"', '{"prior": "number", "thresholds": "object", "default_verdict": "string",
		"on_error": "string", "search_path": "string", "notify": "strings"}');
	settings := '{"prior": -4, "thresholds": {"suspicious": 0.5, "malicious": 0.9}, "default_verdict": "safe",
		"on_error": "degrade", "search_path": "pg_catalog, assay, pg_temp", "notify": []}' || jsonb_strip_nulls(settings);
	settings := jsonb_set(settings, '{prior}', to_jsonb((settings->>'prior')::float8));

	FOR d IN SELECT * FROM assay.document_list(document, 'detectors', 'detector', '{"name": "string", "mode": "string",
		"condition": "string", "model": "object", "weight": "number", "force_verdict": "string", "expires_at": "string",
		"rollout": "number", "severity": "string", "tags": "strings", "description": "string"}')
	LOOP
		IF coalesce(jsonb_typeof(d->'model'), 'null') <> 'null' THEN
			PERFORM assay.document_item(d->'model', format('the model of detector "%s"', d->>'name'), '{"digest": "string", "text": "string"}');
			IF coalesce(d#>>'{model,digest}', d#>>'{model,text}') IS NULL THEN
				RAISE EXCEPTION 'policy document: the model of detector "%" needs a text or a digest', d->>'name'
					USING ERRCODE = 'invalid_parameter_value';
			END IF;
		END IF;
		IF (d->>'condition' IS NULL) = (d->>'model' IS NULL) THEN
			RAISE EXCEPTION 'detector "%" needs either a condition or a model', d->>'name' USING ERRCODE = 'invalid_parameter_value';
		END IF;
	END LOOP;

	RETURN jsonb_build_object('pg_assay_policy', 1, 'policy', document->'policy', 'signals', document->'signals', 'key', document->'key',
		'log_signals', coalesce((document->>'log_signals')::boolean, false), 'settings', settings,
		'guards', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', g->'name', 'condition', g->'condition',
				'description', g->'description') ORDER BY g->>'name' COLLATE "C"), '[]')
			FROM assay.document_list(document, 'guards', 'guard',
				'{"name": "string", "condition": "string", "description": "string"}') g),
		'detectors', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', e->'name', 'mode', coalesce(e->>'mode', 'shadow'),
				'condition', e->'condition', 'model', CASE WHEN e->>'model' IS NOT NULL THEN
					jsonb_build_object('digest', coalesce(e#>>'{model,digest}', assay.model_digest((e#>>'{model,text}')::assay.model)))
					|| jsonb_strip_nulls(jsonb_build_object('text', e#>'{model,text}')) END,
				'weight', coalesce((e->>'weight')::float8, 1), 'force_verdict', e->'force_verdict',
				'expires_at', assay.document_time(e, 'detector'), 'rollout', coalesce((e->>'rollout')::float8, 1),
				'severity', e->'severity', 'tags', coalesce(nullif(e->'tags', 'null'), '[]'),
				'description', e->'description') ORDER BY e->>'name' COLLATE "C"), '[]')
			FROM jsonb_array_elements(nullif(document->'detectors', 'null')) e),
		'exclusions', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', x->'name', 'condition', x->'condition', 'mutes', x->'mutes',
				'verdict', x->'verdict', 'reason', x->'reason', 'expires_at', assay.document_time(x, 'exclusion'),
				'decision_key', x->'decision_key') ORDER BY x->>'name' COLLATE "C"), '[]')
			FROM assay.document_list(document, 'exclusions', 'exclusion', '{"name": "string", "condition": "string", "mutes": "strings",
				"verdict": "string", "reason": "string", "expires_at": "string", "decision_key": "strings"}') x));
END $$;
COMMENT ON FUNCTION assay.read_document(jsonb) IS 'a policy document, checked by itself, with every attribute in its canonical form';

-- the one place where a revision is made as a whole

CREATE FUNCTION assay.apply_state(policy text, summary text, settings jsonb, guards assay.guard[], detectors assay.detector[],
	models assay.detector_model[], exclusions assay.exclusion[]) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
	made int;
BEGIN
	BEGIN
		INSERT INTO assay.revision (policy, revision, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify)
		SELECT r.policy, r.revision + 1, apply_state.summary, (settings->>'prior')::float8, settings->'thresholds',
			settings->>'default_verdict', settings->>'on_error', r.log_signals, settings->>'search_path',
			array(SELECT jsonb_array_elements_text(settings->'notify'))
		FROM assay.revision r WHERE r.policy = apply_state.policy ORDER BY r.revision DESC LIMIT 1
		RETURNING revision INTO STRICT made;
	EXCEPTION WHEN unique_violation THEN
		-- made since our snapshot: only under REPEATABLE READ and SERIALIZABLE
		RAISE EXCEPTION 'policy "%" was changed by another transaction', policy USING ERRCODE = 'serialization_failure',
			HINT = 'Try again.';
	END;

	UPDATE assay.guard g SET until_revision = made
	WHERE g.policy = apply_state.policy AND g.until_revision IS NULL
		AND NOT EXISTS (SELECT FROM unnest(guards) n WHERE n.guard = g.guard
			AND (n.condition, n.description) IS NOT DISTINCT FROM (g.condition, g.description));
	INSERT INTO assay.guard (policy, guard, from_revision, condition, description)
	SELECT apply_state.policy, n.guard, made, n.condition, n.description FROM unnest(guards) n
	WHERE NOT EXISTS (SELECT FROM assay.guard g WHERE g.policy = apply_state.policy AND g.guard = n.guard AND g.until_revision IS NULL);

	-- a model that this revision brings has revision 0 in what is given
	INSERT INTO assay.detector_model (policy, detector, revision, model)
	SELECT apply_state.policy, m.detector, made, m.model FROM unnest(models) m;
	UPDATE assay.detector d SET until_revision = made
	WHERE d.policy = apply_state.policy AND d.until_revision IS NULL
		AND NOT EXISTS (SELECT FROM unnest(detectors) n WHERE n.detector = d.detector
			AND (n.condition, n.model_revision, n.weight, n.mode, n.force_verdict, n.expires_at, n.rollout, n.severity, n.tags, n.description)
				IS NOT DISTINCT FROM
				(d.condition, d.model_revision, d.weight, d.mode, d.force_verdict, d.expires_at, d.rollout, d.severity, d.tags, d.description));
	INSERT INTO assay.detector (policy, detector, from_revision, condition, model_revision, weight, mode, force_verdict,
		expires_at, rollout, severity, tags, description)
	SELECT apply_state.policy, n.detector, made, n.condition, CASE WHEN n.model_revision = 0 THEN made ELSE n.model_revision END,
		n.weight, n.mode, n.force_verdict, n.expires_at, n.rollout, n.severity, n.tags, n.description
	FROM unnest(detectors) n
	WHERE NOT EXISTS (SELECT FROM assay.detector d WHERE d.policy = apply_state.policy AND d.detector = n.detector AND d.until_revision IS NULL);

	UPDATE assay.exclusion x SET until_revision = made
	WHERE x.policy = apply_state.policy AND x.until_revision IS NULL
		AND NOT EXISTS (SELECT FROM unnest(exclusions) n WHERE n.exclusion = x.exclusion
			AND (n.condition, n.mutes, n.verdict, n.reason, n.expires_at, n.decision_key)
				IS NOT DISTINCT FROM (x.condition, x.mutes, x.verdict, x.reason, x.expires_at, x.decision_key));
	INSERT INTO assay.exclusion (policy, exclusion, from_revision, condition, mutes, verdict, reason, expires_at, decision_key)
	SELECT apply_state.policy, n.exclusion, made, n.condition, n.mutes, n.verdict, n.reason, n.expires_at, n.decision_key
	FROM unnest(exclusions) n
	WHERE NOT EXISTS (SELECT FROM assay.exclusion x WHERE x.policy = apply_state.policy AND x.exclusion = n.exclusion AND x.until_revision IS NULL);
	PERFORM assay.check_size(policy);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.apply_state(text, text, jsonb, assay.guard[], assay.detector[], assay.detector_model[], assay.exclusion[]) IS
	'makes a revision in which the policy is as given; what does not differ stays untouched';

-- functions

CREATE FUNCTION assay.policy_diff(policy text, revision1 int, revision2 int DEFAULT NULL,
	OUT kind text, OUT name text, OUT attribute text, OUT old text, OUT new text) RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT d.* FROM assay.document_diff(policy, assay.policy_state(policy, revision1), assay.policy_state(policy, revision2)) d
$$;
COMMENT ON FUNCTION assay.policy_diff(text, int, int) IS
	'what differs between two revisions of a policy, an attribute a row; NULL is the current revision';

CREATE FUNCTION assay.rollback_policy(policy text, revision int) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.revision;
	made int;
BEGIN
	PERFORM assay.policy_for_change(policy);
	IF revision IS NULL THEN
		RAISE EXCEPTION 'a rollback needs a revision' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'The view assay.revisions lists them.';
	END IF;
	r := assay.revision_for_reading(policy, revision);
	IF NOT EXISTS (SELECT FROM assay.policy_diff(policy, revision)) THEN
		made := (assay.revision_for_reading(policy)).revision;
		RAISE NOTICE 'policy "%" is as at revision % already', policy, revision;
		RETURN made;
	END IF;
	made := assay.apply_state(policy, format('roll back to revision %s', revision), to_jsonb(r),
		(SELECT array_agg(g) FROM assay.guard g WHERE g.policy = r.policy
		 AND g.from_revision <= r.revision AND (g.until_revision IS NULL OR g.until_revision > r.revision)),
		(SELECT array_agg(d) FROM assay.detector d WHERE d.policy = r.policy
		 AND d.from_revision <= r.revision AND (d.until_revision IS NULL OR d.until_revision > r.revision)),
		NULL,
		(SELECT array_agg(x) FROM assay.exclusion x WHERE x.policy = r.policy
		 AND x.from_revision <= r.revision AND (x.until_revision IS NULL OR x.until_revision > r.revision)));
	-- A way back must stay open: what no longer fits is told, and faults like any other.
	PERFORM assay.warn_unfit(policy);
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.rollback_policy(text, int) IS
	'makes a new revision that equals an older one, models and settings included, and returns its number';

CREATE FUNCTION assay.policy_export(policy text, revision int DEFAULT NULL, models boolean DEFAULT true) RETURNS jsonb LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	state jsonb := assay.policy_state(policy, revision, models);
BEGIN
	-- what has its default goes without saying
	RETURN jsonb_strip_nulls(state) || jsonb_build_object('detectors',
		(SELECT coalesce(jsonb_agg(jsonb_strip_nulls(d) - CASE WHEN d->'rollout' = '1' THEN 'rollout' ELSE '' END
			- CASE WHEN d->'tags' = '[]' THEN 'tags' ELSE '' END ORDER BY n), '[]')
		 FROM jsonb_array_elements(state->'detectors') WITH ORDINALITY e(d, n)));
END $$;
COMMENT ON FUNCTION assay.policy_export(text, int, boolean) IS
	'a policy as one JSON document for version control: settings, guards, detectors, exclusions; models => false leaves the models'' text out';

CREATE FUNCTION assay.policy_import(document jsonb, policy text DEFAULT NULL, dry_run boolean DEFAULT true,
	OUT kind text, OUT name text, OUT attribute text, OUT old text, OUT new text) RETURNS SETOF record LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
#variable_conflict use_column
DECLARE
	wanted jsonb := assay.read_document(document);
	target text := coalesce(policy_import.policy, wanted->>'policy');
	settings jsonb := wanted->'settings';
	made int;
	diff jsonb;
	existing boolean;
	tried boolean := false;
	d record;
	parsed assay.model;
	models assay.detector_model[];
	detectors assay.detector[];
BEGIN
	IF dry_run IS NULL THEN
		RAISE EXCEPTION 'dry_run must be true or false' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF target IS NULL THEN
		RAISE EXCEPTION 'policy document names no policy' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Give its name as the second argument.';
	END IF;
	-- A dry run does all that a real one does, and takes it back.
	BEGIN
		existing := EXISTS (SELECT FROM assay.policy p WHERE p.policy = target);
		IF existing THEN
			PERFORM assay.policy_for_change(target);
		ELSE
			IF wanted->>'signals' IS NULL OR wanted->>'key' IS NULL THEN
				RAISE EXCEPTION 'policy "%" does not exist, and the document does not say its signals and key', target
					USING ERRCODE = 'undefined_object', HINT = 'assay.create_policy() makes one.';
			END IF;
			PERFORM assay.create_policy(target, (wanted->>'signals')::regclass, array(SELECT jsonb_array_elements_text(wanted->'key')),
				prior => (settings->>'prior')::float8, thresholds => settings->'thresholds', default_verdict => settings->>'default_verdict',
				on_error => settings->>'on_error', log_signals => (wanted->>'log_signals')::boolean, search_path => settings->>'search_path',
				notify => array(SELECT jsonb_array_elements_text(settings->'notify')));
		END IF;
		PERFORM assay.check_settings(settings->'thresholds', settings->>'default_verdict', settings->>'on_error',
			array(SELECT jsonb_array_elements_text(settings->'notify')));
		PERFORM assay.check_search_path(settings->>'search_path');
		IF NOT abs((settings->>'prior')::float8) <= 1000 THEN
			RAISE EXCEPTION 'prior must be log-odds between -1000 and 1000' USING ERRCODE = 'numeric_value_out_of_range';
		END IF;

		SELECT jsonb_agg(to_jsonb(f) ORDER BY f.n) INTO diff
		FROM assay.document_diff(target, CASE WHEN existing THEN assay.policy_state(target) END, wanted)
			WITH ORDINALITY f(kind, name, attribute, old, new, n);

		IF diff IS NOT NULL THEN
			-- models: those that the policy has had, by their digest, or from their text
			FOR d IN SELECT e->>'name' AS detector, e#>>'{model,digest}' AS digest, e#>>'{model,text}' AS text
				FROM jsonb_array_elements(wanted->'detectors') e WHERE e->>'model' IS NOT NULL
			LOOP
				IF EXISTS (SELECT FROM assay.detector_model m WHERE m.policy = target AND m.detector = d.detector
						   AND assay.model_digest(m.model) = d.digest) THEN
					CONTINUE;
				END IF;
				IF d.text IS NULL THEN
					RAISE EXCEPTION 'the document leaves out the model of detector "%", which policy "%" never had', d.detector, target
						USING ERRCODE = 'undefined_object', DETAIL = format('Its digest is %s.', d.digest),
							  HINT = 'Export the policy with models => true.';
				END IF;
				parsed := d.text::assay.model;
				IF assay.model_digest(parsed) <> d.digest THEN
					RAISE EXCEPTION 'the model of detector "%" is not the one that its digest says', d.detector
						USING ERRCODE = 'data_corrupted', DETAIL = format('It has %s.', assay.model_digest(parsed)),
							  HINT = 'If the model was changed on purpose, leave the digest out.';
				END IF;
				models := models || ROW(target, d.detector, 0, parsed)::assay.detector_model;
			END LOOP;

			detectors := (SELECT array_agg(ROW(target, e->>'name', 0, NULL, e->>'condition', CASE WHEN e->>'model' IS NOT NULL THEN
					coalesce((SELECT max(m.revision) FROM assay.detector_model m
						WHERE m.policy = target AND m.detector = e->>'name' AND assay.model_digest(m.model) = e#>>'{model,digest}'), 0) END,
					(e->>'weight')::float8, e->>'mode', e->>'force_verdict', (e->>'expires_at')::timestamptz,
					(e->>'rollout')::float8, e->>'severity', array(SELECT jsonb_array_elements_text(e->'tags')),
					e->>'description')::assay.detector)
				FROM jsonb_array_elements(wanted->'detectors') e);
			PERFORM assay.check_detector(d.detector, d.weight, d.mode, d.rollout, d.tags) FROM unnest(detectors) d;
			PERFORM assay.check_guard(target, e->>'name', e->>'condition') FROM jsonb_array_elements(wanted->'guards') e;
			PERFORM assay.check_exclusion(target, e->>'name', e->>'condition',
					CASE WHEN e->>'mutes' IS NOT NULL THEN array(SELECT jsonb_array_elements_text(e->'mutes')) END, e->>'verdict', e->>'reason',
					CASE WHEN e->>'decision_key' IS NOT NULL THEN array(SELECT jsonb_array_elements_text(e->'decision_key')) END)
			FROM jsonb_array_elements(wanted->'exclusions') e;

			made := assay.apply_state(target, left('import: ' || (SELECT string_agg(DISTINCT format('%s %s', f->>'kind', f->>'name'), ', ')
					FROM jsonb_array_elements(diff) f), 1000),
				settings,
				(SELECT array_agg(ROW(target, e->>'name', 0, NULL, e->>'condition', e->>'description')::assay.guard)
				 FROM jsonb_array_elements(wanted->'guards') e),
				detectors, models,
				(SELECT array_agg(ROW(target, e->>'name', 0, NULL, e->>'condition',
						CASE WHEN e->>'mutes' IS NOT NULL THEN array(SELECT jsonb_array_elements_text(e->'mutes')) END, e->>'verdict', e->>'reason',
						(e->>'expires_at')::timestamptz,
						CASE WHEN e->>'decision_key' IS NOT NULL THEN array(SELECT jsonb_array_elements_text(e->'decision_key')) END)::assay.exclusion)
				 FROM jsonb_array_elements(wanted->'exclusions') e));
			PERFORM assay.check_policy(target);
		END IF;
		IF dry_run THEN
			tried := true;
			RAISE EXCEPTION USING ERRCODE = 'PA001';
		END IF;
	EXCEPTION WHEN SQLSTATE 'PA001' THEN
		IF NOT tried THEN
			RAISE;
		END IF;
	END;
	RETURN QUERY SELECT f.* FROM jsonb_to_recordset(diff) AS f(kind text, name text, attribute text, old text, new text);
END $$;
COMMENT ON FUNCTION assay.policy_import(jsonb, text, boolean) IS
	'makes a policy as a document says, in one new revision, and returns what changes; by default only tries (dry_run)';

CREATE FUNCTION assay.drop_guard(policy text, guard text) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := assay.new_revision(policy, format('drop guard %s', guard));
	users text;
BEGIN
	users := assay.guard_users(policy, guard);
	UPDATE assay.guard g SET until_revision = made
	WHERE g.policy = drop_guard.policy AND g.guard = drop_guard.guard AND g.until_revision IS NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" has no guard "%"', policy, guard USING ERRCODE = 'undefined_object';
	END IF;
	IF users IS NOT NULL THEN
		RAISE EXCEPTION 'guard "%" is in use', guard USING ERRCODE = 'dependent_objects_still_exist', DETAIL = users,
			HINT = 'Change or retire these first.';
	END IF;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.drop_guard(text, text) IS 'ends a guard that nothing refers to, in a new revision';

-- ---------------------------------------------------------------------------
-- policy, over many stored messages: backfill, replay, comparison
-- ---------------------------------------------------------------------------

-- tables

CREATE TABLE assay.backfill_run (
	run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	policy text NOT NULL REFERENCES assay.policy ON DELETE CASCADE,
	revision int NOT NULL,
	since timestamptz NOT NULL,
	until timestamptz NOT NULL,
	at_column text NOT NULL,
	undecided_only boolean NOT NULL,
	degraded_only boolean NOT NULL,
	expected bigint NOT NULL,
	decided bigint NOT NULL DEFAULT 0,
	degraded bigint NOT NULL DEFAULT 0,
	batches bigint NOT NULL DEFAULT 0,
	last_key text[],
	started_by text NOT NULL,
	started_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	pid int
);
COMMENT ON TABLE assay.backfill_run IS 'backfills and how far they came; the view assay.backfill_progress reads better';
COMMENT ON SEQUENCE assay.backfill_run_run_seq IS 'numbers of backfills';
COMMENT ON COLUMN assay.backfill_run.expected IS 'messages to decide, as the planner estimated them at the start';
COMMENT ON COLUMN assay.backfill_run.last_key IS 'everything up to this key is done';
CREATE INDEX backfill_run_policy_idx ON assay.backfill_run (policy, revision);
ALTER TABLE assay.backfill_run ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON assay.backfill_run USING (EXISTS (SELECT FROM assay.policy p WHERE p.policy = backfill_run.policy));
GRANT SELECT, DELETE ON assay.backfill_run TO PUBLIC;

-- functions

CREATE PROCEDURE assay.backfill(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	batch int DEFAULT 10000, at text DEFAULT 'received_at', undecided_only boolean DEFAULT false,
	degraded_only boolean DEFAULT false)
	AS 'MODULE_PATHNAME', 'assay_backfill' LANGUAGE C;
COMMENT ON PROCEDURE assay.backfill(text, timestamptz, timestamptz, int, text, boolean, boolean) IS
	'decides past messages that the current revision (undecided_only: any revision) has not decided, or whose latest decision is degraded, in committed batches; call it again to resume';

CREATE FUNCTION assay.replay(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	revision int DEFAULT NULL, drafts boolean DEFAULT false, at text DEFAULT 'received_at',
	OUT key text[], OUT verdict text, OUT score real, OUT attribution assay.attribution) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_replay' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000;
COMMENT ON FUNCTION assay.replay(text, timestamptz, timestamptz, int, boolean, text) IS
	'what a revision of a policy, the current one by default, makes of past messages, each at its own time; drafts => true counts drafts as live';

CREATE FUNCTION assay.replay_pair(policy text, revision_a int, revision_b int, since timestamptz, until timestamptz, drafts boolean, at text,
	OUT key text[], OUT verdict_a text, OUT verdict_b text, OUT score_a real, OUT score_b real) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_replay_pair' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000;
COMMENT ON FUNCTION assay.replay_pair(text, int, int, timestamptz, timestamptz, boolean, text) IS
	'what two revisions of a policy make of past messages, in one pass';

CREATE FUNCTION assay.latest_labels(policy text, OUT key text[], OUT malicious boolean) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_latest_labels' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 10000;
COMMENT ON FUNCTION assay.latest_labels(text) IS 'the label that counts for each message, read as the policy''s owner';

CREATE FUNCTION assay.latest_decision(policy text, key text[], OUT revision int, OUT decided_at timestamptz, OUT verdict text,
	OUT score real, OUT attribution assay.attribution) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_latest_decision' LANGUAGE C STABLE STRICT PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION assay.latest_decision(text, text[]) IS 'the decision of the highest revision about a message, read as the policy''s owner';

CREATE FUNCTION assay.latest_decisions(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	OUT key text[], OUT revision int, OUT verdict text, OUT attribution assay.attribution) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_latest_decisions' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 10000;
COMMENT ON FUNCTION assay.latest_decisions(text, timestamptz, timestamptz) IS
	'of the decisions made in a time, that of the highest revision about each message, read as the policy''s owner';

CREATE FUNCTION assay.caught_verdicts(policy text, revision int, caught text) RETURNS text[] LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.revision := assay.revision_for_reading(policy, revision);
BEGIN
	IF caught IS NOT NULL AND NOT r.thresholds ? caught THEN
		RAISE EXCEPTION 'revision % of policy "%" has no verdict "%" with a threshold', r.revision, policy, caught
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('It has %s.', (SELECT string_agg(t.key, ', ' ORDER BY t.value::float8) FROM jsonb_each_text(r.thresholds) t));
	END IF;
	RETURN array(SELECT t.key FROM jsonb_each_text(r.thresholds) t
		WHERE caught IS NULL OR t.value::float8 >= (r.thresholds->>caught)::float8);
END $$;
COMMENT ON FUNCTION assay.caught_verdicts(text, int, text) IS 'verdicts of a revision that count as caught: from the given one up, or all but the default';

CREATE FUNCTION assay.compare_messages(policy text, revision_a int DEFAULT NULL, revision_b int DEFAULT NULL,
	since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity', drafts boolean DEFAULT false,
	caught text DEFAULT NULL, at text DEFAULT 'received_at',
	OUT key text[], OUT change text, OUT malicious boolean, OUT verdict_a text, OUT verdict_b text, OUT score_a real, OUT score_b real)
	RETURNS SETOF record LANGUAGE plpgsql STABLE ROWS 100000
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	caught_a text[] := assay.caught_verdicts(policy, revision_a, caught);
	caught_b text[] := assay.caught_verdicts(policy, revision_b, caught);
BEGIN
	RETURN QUERY
		SELECT r.key, CASE
				WHEN c.a = c.b AND r.verdict_a = r.verdict_b THEN 'same'
				WHEN c.a = c.b THEN 'other verdict'
				WHEN l.malicious AND c.b THEN 'caught now'
				WHEN l.malicious THEN 'missed now'
				WHEN NOT l.malicious AND c.b THEN 'false positive added'
				WHEN NOT l.malicious THEN 'false positive fixed'
				WHEN c.b THEN 'unlabelled, caught now'
				ELSE 'unlabelled, no longer caught' END,
			l.malicious, r.verdict_a, r.verdict_b, r.score_a, r.score_b
		FROM assay.replay_pair(policy, revision_a, revision_b, since, until, drafts, at) r
		CROSS JOIN LATERAL (SELECT r.verdict_a = ANY (caught_a) AS a, r.verdict_b = ANY (caught_b) AS b) c
		LEFT JOIN assay.latest_labels(policy) l ON l.key = r.key;
END $$;
COMMENT ON FUNCTION assay.compare_messages(text, int, int, timestamptz, timestamptz, boolean, text, text) IS
	'past messages with what two revisions make of them, and whether b is the better by their labels; drafts count in b only';

CREATE FUNCTION assay.compare(policy text, revision_a int DEFAULT NULL, revision_b int DEFAULT NULL,
	since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity', drafts boolean DEFAULT false,
	caught text DEFAULT NULL, at text DEFAULT 'received_at', examples int DEFAULT 3,
	OUT change text, OUT messages bigint, OUT keys text[]) RETURNS SETOF record LANGUAGE sql STABLE ROWS 8
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.change, coalesce(c.messages, 0), c.keys
	FROM (VALUES (1, 'caught now'), (2, 'missed now'), (3, 'false positive fixed'), (4, 'false positive added'),
		(5, 'unlabelled, caught now'), (6, 'unlabelled, no longer caught'), (7, 'other verdict'), (8, 'same')) k(rank, change)
	LEFT JOIN (
		SELECT m.change, count(*) AS messages, array_agg(m.key ORDER BY m.n) FILTER (WHERE m.n <= examples AND m.change <> 'same') AS keys
		FROM (SELECT m.*, row_number() OVER (PARTITION BY m.change ORDER BY abs(m.score_b - m.score_a) DESC, m.key) AS n
			  FROM assay.compare_messages(policy, revision_a, revision_b, since, until, drafts, caught, at) m) m
		GROUP BY m.change) c ON c.change = k.change
	ORDER BY k.rank
$$;
COMMENT ON FUNCTION assay.compare(text, int, int, timestamptz, timestamptz, boolean, text, text, int) IS
	'what would change from revision a to b over past messages: caught and missed now, false positives fixed and added, with example keys';

-- views

CREATE VIEW assay.backfill_progress WITH (security_invoker) AS
	SELECT r.policy, r.revision,
		CASE WHEN r.finished_at IS NOT NULL THEN 'finished'
			WHEN EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.pid = r.pid AND l.granted
				AND l.classid = 'assay.backfill_run'::pg_catalog.regclass) THEN 'running'
			ELSE 'interrupted' END AS state,
		r.decided, r.expected, r.degraded, r.batches, r.last_key,
		round((r.decided / nullif(extract(epoch FROM r.updated_at - r.started_at), 0))::numeric, 1) AS per_second,
		r.since, r.until, r.undecided_only, r.degraded_only, r.started_by, r.started_at, r.updated_at, r.finished_at, r.run
	FROM assay.backfill_run r;
COMMENT ON VIEW assay.backfill_progress IS 'backfills: how far they came, how fast; an interrupted one goes on when it is called again';
GRANT SELECT ON assay.backfill_progress TO PUBLIC;

-- ---------------------------------------------------------------------------
-- policy: statistics
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay.stat(OUT policy text, OUT detector text, OUT evaluations bigint, OUT hits bigint,
	OUT faults bigint, OUT mean_us float8, OUT since timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_stat' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 300;
COMMENT ON FUNCTION assay.stat() IS
	'counters of the policies (detector NULL) and detectors that the user may see, from shared memory; needs shared_preload_libraries';

CREATE FUNCTION assay.stat_reset() RETURNS void
	AS 'MODULE_PATHNAME', 'assay_stat_reset' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.stat_reset() IS 'sets all counters of all databases to zero';
REVOKE ALL ON FUNCTION assay.stat_reset() FROM PUBLIC;

CREATE VIEW assay.stat_detector AS
	SELECT s.policy, s.detector, s.evaluations, s.hits,
		s.hits::float8 / nullif(s.evaluations, 0) AS hit_rate, s.faults, s.mean_us, s.since
	FROM assay.stat() s JOIN assay.policy p USING (policy)
	WHERE s.detector IS NOT NULL AND assay.member_of(p.owner);
COMMENT ON VIEW assay.stat_detector IS
	'what each detector did since the server''s start or stat_reset(): evaluations, hits, faults, sampled microseconds';

CREATE VIEW assay.stat_policy AS
	SELECT s.policy, s.evaluations AS messages, s.hits AS degraded, s.faults, s.since
	FROM assay.stat() s JOIN assay.policy p USING (policy)
	WHERE s.detector IS NULL AND assay.member_of(p.owner);
COMMENT ON VIEW assay.stat_policy IS
	'messages that each policy evaluated since the server''s start or stat_reset(), by trigger and score() alike';

GRANT SELECT ON assay.stat_detector, assay.stat_policy TO PUBLIC;

-- report: how good scores are

-- type

CREATE TYPE assay.scored;

CREATE FUNCTION assay.scored_in(cstring) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_in(cstring) IS 'I/O of scored';

CREATE FUNCTION assay.scored_out(assay.scored) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_out(assay.scored) IS 'I/O of scored';

CREATE FUNCTION assay.scored_recv(internal) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_recv(internal) IS 'I/O of scored';

CREATE FUNCTION assay.scored_send(assay.scored) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_send(assay.scored) IS 'I/O of scored';

CREATE TYPE assay.scored (
	INPUT = assay.scored_in,
	OUTPUT = assay.scored_out,
	RECEIVE = assay.scored_recv,
	SEND = assay.scored_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = extended
);
COMMENT ON TYPE assay.scored IS 'distinct scores with the weight of positive and negative labels at each; mergeable';

CREATE TYPE assay.confusion AS (
	tp float8, fp float8, fn float8, tn float8,
	precision float8, recall float8, fnr float8, fpr float8, f1 float8, accuracy float8
);
COMMENT ON TYPE assay.confusion IS 'true and false positives and negatives, and the rates made of them';

-- functions

CREATE FUNCTION assay.roc_auc(scored assay.scored) RETURNS float8
	AS 'MODULE_PATHNAME', 'scored_roc_auc' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.roc_auc(assay.scored) IS 'area under the ROC curve: the probability that a positive scores above a negative, ties counting half';

CREATE FUNCTION assay.average_precision(scored assay.scored) RETURNS float8
	AS 'MODULE_PATHNAME', 'scored_average_precision' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.average_precision(assay.scored) IS 'precision averaged over the recall gained at each threshold';

CREATE FUNCTION assay.log_loss(scored assay.scored) RETURNS float8
	AS 'MODULE_PATHNAME', 'scored_log_loss' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.log_loss(assay.scored) IS 'mean negative logarithm of the probability given to the label';

CREATE FUNCTION assay.brier(scored assay.scored) RETURNS float8
	AS 'MODULE_PATHNAME', 'scored_brier' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.brier(assay.scored) IS 'mean squared difference of probability and label';

CREATE FUNCTION assay.confusion(scored assay.scored, threshold float8) RETURNS assay.confusion
	AS 'MODULE_PATHNAME', 'scored_confusion' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.confusion(assay.scored, float8) IS 'confusion when scores from the threshold up are taken as positive';

CREATE FUNCTION assay.precision_recall_curve(scored assay.scored,
	OUT threshold float8, OUT tp float8, OUT fp float8, OUT "precision" float8, OUT recall float8, OUT fpr float8) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'scored_curve' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.precision_recall_curve(assay.scored) IS 'precision, recall and false positive rate at each threshold, from the highest score down';

CREATE FUNCTION assay.scored_info(scored assay.scored,
	OUT positive float8, OUT negative float8, OUT distinct_scores integer, OUT exact boolean,
	OUT score_resolution float8, OUT auc_error float8) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_info(assay.scored) IS 'weights, number of distinct scores, and how far rounded scores can have moved the AUC';

CREATE FUNCTION assay.wilson_interval(k bigint, n bigint, confidence float8 DEFAULT 0.95, OUT lower float8, OUT upper float8) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.wilson_interval(bigint, bigint, float8) IS 'Wilson score interval of the proportion k of n';

-- private functions

CREATE FUNCTION assay.scored_add(assay.scored, score float8, label boolean) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_add(assay.scored, float8, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay.scored_add(assay.scored, score float8, label boolean, weight float8) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_add(assay.scored, float8, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay.scored_combine(assay.scored, assay.scored) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_combine(assay.scored, assay.scored) IS 'aggregate combine function';

CREATE FUNCTION assay.scored_final(assay.scored) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_final(assay.scored) IS 'aggregate final function';

CREATE FUNCTION assay.log_loss_add(float8[], score float8, label boolean) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.log_loss_add(float8[], float8, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay.log_loss_add(float8[], score float8, label boolean, weight float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.log_loss_add(float8[], float8, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay.brier_add(float8[], score float8, label boolean) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.brier_add(float8[], float8, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay.brier_add(float8[], score float8, label boolean, weight float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.brier_add(float8[], float8, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay.confusion_add(float8[], predicted boolean, label boolean) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.confusion_add(float8[], boolean, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay.confusion_add(float8[], predicted boolean, label boolean, weight float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.confusion_add(float8[], boolean, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay.sums_combine(float8[], float8[]) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.sums_combine(float8[], float8[]) IS 'aggregate combine function';

CREATE FUNCTION assay.mean_final(float8[]) RETURNS float8
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.mean_final(float8[]) IS 'aggregate final function';

CREATE FUNCTION assay.confusion_final(float8[]) RETURNS assay.confusion
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.confusion_final(float8[]) IS 'aggregate final function';

CREATE FUNCTION assay.confusion_merge(state float8[], c assay.confusion) RETURNS float8[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN CASE WHEN (c).tp IS NULL THEN state
		ELSE assay.sums_combine(state, ARRAY[(c).tp, (c).fp, (c).fn, (c).tn]) END;
COMMENT ON FUNCTION assay.confusion_merge(float8[], assay.confusion) IS 'aggregate transition function';

-- aggregates

CREATE AGGREGATE assay.scored_agg(score float8, label boolean) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.scored_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.scored_agg(float8, boolean) IS 'scores and their labels, for roc_auc and the like';

CREATE AGGREGATE assay.scored_agg(score float8, label boolean, weight float8) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.scored_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.scored_agg(float8, boolean, float8) IS 'weighted scores and their labels, for roc_auc and the like';

CREATE AGGREGATE assay.scored_agg(scored assay.scored) (
	SFUNC = assay.scored_combine, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.scored_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.scored_agg(assay.scored) IS 'union of scored values';

CREATE AGGREGATE assay.roc_auc(score float8, label boolean) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.roc_auc, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.roc_auc(float8, boolean) IS 'area under the ROC curve';

CREATE AGGREGATE assay.roc_auc(score float8, label boolean, weight float8) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.roc_auc, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.roc_auc(float8, boolean, float8) IS 'area under the ROC curve, weighted';

CREATE AGGREGATE assay.average_precision(score float8, label boolean) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.average_precision, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.average_precision(float8, boolean) IS 'precision averaged over the recall gained at each threshold';

CREATE AGGREGATE assay.average_precision(score float8, label boolean, weight float8) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.average_precision, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.average_precision(float8, boolean, float8) IS 'precision averaged over the recall gained at each threshold, weighted';

CREATE AGGREGATE assay.log_loss(score float8, label boolean) (
	SFUNC = assay.log_loss_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.log_loss(float8, boolean) IS 'mean negative logarithm of the probability given to the label';

CREATE AGGREGATE assay.log_loss(score float8, label boolean, weight float8) (
	SFUNC = assay.log_loss_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.log_loss(float8, boolean, float8) IS 'mean negative logarithm of the probability given to the label, weighted';

CREATE AGGREGATE assay.brier(score float8, label boolean) (
	SFUNC = assay.brier_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.brier(float8, boolean) IS 'mean squared difference of probability and label';

CREATE AGGREGATE assay.brier(score float8, label boolean, weight float8) (
	SFUNC = assay.brier_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.brier(float8, boolean, float8) IS 'mean squared difference of probability and label, weighted';

CREATE AGGREGATE assay.confusion(predicted boolean, label boolean) (
	SFUNC = assay.confusion_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.confusion_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.confusion(boolean, boolean) IS 'true and false positives and negatives, and the rates made of them';

CREATE AGGREGATE assay.confusion(predicted boolean, label boolean, weight float8) (
	SFUNC = assay.confusion_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.confusion_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.confusion(boolean, boolean, float8) IS 'weighted true and false positives and negatives, and the rates made of them';

CREATE AGGREGATE assay.confusion(confusion assay.confusion) (
	SFUNC = assay.confusion_merge, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.confusion_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.confusion(assay.confusion) IS 'sum of confusions';

-- report of a policy

CREATE FUNCTION assay.precision_report(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	confidence float8 DEFAULT 0.95,
	OUT kind text, OUT name text, OUT mode text, OUT claim text, OUT hits bigint, OUT labelled bigint, OUT tp bigint, OUT fp bigint,
	OUT "precision" float8, OUT lower float8, OUT upper float8, OUT recall float8, OUT fnr float8,
	OUT sole bigint, OUT sole_right bigint, OUT sole_wrong bigint, OUT overlap bigint) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 100
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	PERFORM assay.policy_for_reading(precision_report.policy);
	IF since IS NULL OR until IS NULL THEN
		RAISE EXCEPTION 'since and until must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM assay.wilson_interval(0, 0, confidence);
	RETURN QUERY
		WITH j AS MATERIALIZED (
			-- a message counts once, by its latest decision of that time
			SELECT row_number() OVER () AS n, d.revision, d.verdict, d.attribution, l.malicious
			FROM assay.latest_decisions(precision_report.policy, since, until) d
			LEFT JOIN assay.latest_labels(precision_report.policy) l ON l.key = d.key
		), r AS MATERIALIZED (
			-- verdicts by level: 0 is the default, the others in order of their thresholds
			SELECT v.revision, v.default_verdict || t.names AS names, t.thresholds
			FROM assay.revision v, LATERAL (
				SELECT coalesce(array_agg(e.key ORDER BY e.value::float8), '{}') AS names,
					coalesce(array_agg(e.value::float8 ORDER BY e.value::float8), '{}') AS thresholds
				FROM jsonb_each_text(v.thresholds) e) t
			WHERE v.policy = precision_report.policy
		), e AS (
			SELECT j.n, j.malicious, g.kind, g.detector AS name, g.hit, g.counted, g.shadow, g.muted_by, g.contribution,
				array_position(r.names, g.forced) - 1 AS forced, assay.margin(j.attribution) AS margin, r.thresholds,
				CASE WHEN g.kind = 'exclusion' OR g.contribution = 0 AND g.hit
					THEN CASE WHEN array_position(r.names, g.forced) > 1 OR g.forced IS NULL AND g.kind <> 'exclusion' THEN 'malicious' ELSE 'safe' END
					WHEN (g.contribution > 0) = g.hit THEN 'malicious' ELSE 'safe' END AS claim
			FROM j JOIN r USING (revision), assay.ledger(j.attribution) g
			WHERE g.kind IN ('rule', 'model', 'exclusion') AND g.fault IS NULL
		), u AS (
			-- what each exclusion silenced
			SELECT e.n, e.muted_by AS name, sum(e.contribution) AS contribution, max(e.forced) FILTER (WHERE e.hit) AS forced
			FROM e WHERE e.muted_by IS NOT NULL AND NOT e.shadow GROUP BY 1, 2
		), m AS (
			SELECT e.*,
				min(e.forced) FILTER (WHERE e.kind = 'exclusion' AND e.hit) OVER w AS allowed,
				min(e.forced) FILTER (WHERE e.kind = 'exclusion' AND e.hit) OVER o AS allowed_without,
				max(e.forced) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted) OVER w AS pushed,
				max(e.forced) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted) OVER o AS pushed_without,
				count(*) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted AND e.claim = 'malicious') OVER o AS others_malicious,
				count(*) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted AND e.claim = 'safe') OVER o AS others_safe
			FROM e WINDOW w AS (PARTITION BY e.n),
				o AS (PARTITION BY e.n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW)
		), x AS (
			-- the level with (a) and without (b) this entry; with a shadow detector, as if it were live
			SELECT m.*,
				CASE WHEN m.shadow AND m.muted_by IS NULL THEN coalesce(m.allowed, greatest(m.pushed, CASE WHEN m.hit THEN m.forced END), s.other)
					ELSE coalesce(m.allowed, m.pushed, s.level) END AS a,
				CASE WHEN m.kind = 'exclusion' THEN coalesce(m.allowed_without, greatest(m.pushed, u.forced), s.other)
					WHEN m.counted THEN coalesce(m.allowed, m.pushed_without, s.other)
					ELSE coalesce(m.allowed, m.pushed, s.level) END AS b
			FROM m LEFT JOIN u ON m.kind = 'exclusion' AND u.n = m.n AND u.name = m.name,
				LATERAL (SELECT
					width_bucket(1 / (1 + exp(-least(greatest(m.margin, -700), 700))), m.thresholds) AS level,
					width_bucket(1 / (1 + exp(-least(greatest(m.margin + CASE WHEN m.kind = 'exclusion' THEN coalesce(u.contribution, 0)
						WHEN m.shadow THEN m.contribution ELSE -m.contribution END, -700), 700))), m.thresholds) AS other) s
		), h AS (
			SELECT x.kind, x.name, CASE WHEN x.kind <> 'exclusion' THEN CASE WHEN x.shadow THEN 'shadow' ELSE 'live' END END AS mode, x.claim,
				count(*) FILTER (WHERE x.hit) AS hits,
				count(x.malicious) FILTER (WHERE x.hit) AS labelled,
				count(*) FILTER (WHERE x.hit AND x.malicious = (x.claim = 'malicious')) AS tp,
				count(*) FILTER (WHERE x.a <> x.b) AS sole,
				count(*) FILTER (WHERE x.a <> x.b AND x.malicious = (x.a > x.b)) AS sole_right,
				count(*) FILTER (WHERE x.a <> x.b AND x.malicious <> (x.a > x.b)) AS sole_wrong,
				count(*) FILTER (WHERE x.hit AND CASE x.claim WHEN 'safe' THEN x.others_safe ELSE x.others_malicious END > 0) AS overlap
			FROM x GROUP BY 1, 2, 3, 4
		), c AS (
			SELECT j.revision, count(*) FILTER (WHERE j.malicious) AS malicious, count(*) FILTER (WHERE NOT j.malicious) AS safe FROM j GROUP BY 1
		), stood AS (
			-- what each could have hit: labelled messages decided by a revision in which it stood
			SELECT q.detector AS name, q.mode, sum(c.malicious) AS malicious, sum(c.safe) AS safe
			FROM assay.detector q JOIN c ON c.revision >= q.from_revision AND (q.until_revision IS NULL OR c.revision < q.until_revision)
			WHERE q.policy = precision_report.policy AND q.mode IN ('live', 'shadow') GROUP BY 1, 2
			UNION ALL
			SELECT q.exclusion, NULL, sum(c.malicious), sum(c.safe)
			FROM assay.exclusion q JOIN c ON c.revision >= q.from_revision AND (q.until_revision IS NULL OR c.revision < q.until_revision)
			WHERE q.policy = precision_report.policy GROUP BY 1
		), silent AS (
			-- detectors that stand now and had nothing to say
			SELECT CASE WHEN q.condition IS NULL THEN 'model' ELSE 'rule' END AS kind, q.detector AS name, q.mode,
				CASE WHEN q.weight < 0 THEN 'safe' ELSE 'malicious' END AS claim
			FROM assay.detector q WHERE q.policy = precision_report.policy AND q.until_revision IS NULL AND q.mode IN ('live', 'shadow')
				AND NOT EXISTS (SELECT FROM h WHERE h.name = q.detector AND h.kind <> 'exclusion')
		), rows AS (
			SELECT 1 AS part, 0 AS level, h.kind, h.name, h.mode, h.claim, h.hits, h.labelled, h.tp, h.labelled - h.tp AS fp,
				h.tp AS found, CASE h.claim WHEN 'safe' THEN stood.safe ELSE stood.malicious END::bigint AS all_of_them,
				h.sole, h.sole_right, h.sole_wrong, h.overlap
			FROM h LEFT JOIN stood ON stood.name = h.name AND stood.mode IS NOT DISTINCT FROM h.mode
			UNION ALL
			SELECT 1, 0, s.kind, s.name, s.mode, s.claim, 0, 0, 0, 0, 0,
				CASE s.claim WHEN 'safe' THEN stood.safe ELSE stood.malicious END::bigint, 0, 0, 0, 0
			FROM silent s LEFT JOIN stood ON stood.name = s.name AND stood.mode = s.mode
			UNION ALL
			SELECT 0, v.level, 'verdict', v.name, NULL, CASE WHEN v.level = 0 THEN 'safe' ELSE 'malicious' END, v.hits, v.labelled,
				CASE WHEN v.level = 0 THEN v.safe ELSE v.malicious END, CASE WHEN v.level = 0 THEN v.malicious ELSE v.safe END,
				-- this verdict or a worse one
				CASE WHEN v.level = 0 THEN v.safe ELSE sum(v.malicious) OVER (ORDER BY v.level DESC) END::bigint,
				CASE WHEN v.level = 0 THEN sum(v.safe) OVER () ELSE sum(v.malicious) OVER () END::bigint, NULL, NULL, NULL, NULL
			FROM (
				-- by the latest revision, or by its own if that does not know it
				SELECT coalesce(k.level, max(array_position(r.names, j.verdict)) - 1, 0) AS level, coalesce(k.name, j.verdict) AS name,
					count(j.n) AS hits, count(j.malicious) AS labelled,
					count(*) FILTER (WHERE j.malicious) AS malicious, count(*) FILTER (WHERE NOT j.malicious) AS safe
				FROM (SELECT u.name, u.level - 1 AS level
						FROM (SELECT r.names FROM r ORDER BY r.revision DESC LIMIT 1) z, unnest(z.names) WITH ORDINALITY u(name, level)) k
				FULL JOIN j ON j.verdict = k.name LEFT JOIN r USING (revision) GROUP BY k.level, coalesce(k.name, j.verdict)
			) v
		)
		SELECT rows.kind, rows.name, rows.mode, rows.claim, rows.hits, rows.labelled, rows.tp, rows.fp,
			rows.tp::float8 / nullif(rows.labelled, 0), w.lower, w.upper,
			rows.found::float8 / nullif(rows.all_of_them, 0), 1 - rows.found::float8 / nullif(rows.all_of_them, 0),
			rows.sole, rows.sole_right, rows.sole_wrong, rows.overlap
		FROM rows, assay.wilson_interval(rows.tp, rows.labelled, confidence) w
		ORDER BY rows.part, rows.level DESC, rows.hits DESC, rows.name COLLATE "C", rows.mode, rows.claim;
END $$;
COMMENT ON FUNCTION assay.precision_report(text, timestamptz, timestamptz, float8) IS
	'how right the decisions of a time were, by verdict, detector and exclusion: precision with interval, recall, sole effect, overlap';
