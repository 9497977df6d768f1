-- text_model: counts of tokens in malicious and safe messages, and scores from them

-- type

CREATE TYPE assay.text_model;

CREATE FUNCTION assay_internal.text_model_in(cstring) RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_model_in(cstring) IS 'input: a JSON object';

CREATE FUNCTION assay_internal.text_model_out(assay.text_model) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_model_out(assay.text_model) IS 'output: a JSON object';

CREATE FUNCTION assay_internal.text_model_recv(internal) RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_model_recv(internal) IS 'binary input';

CREATE FUNCTION assay_internal.text_model_send(assay.text_model) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_model_send(assay.text_model) IS 'binary output';

CREATE TYPE assay.text_model (
	INPUT = assay_internal.text_model_in,
	OUTPUT = assay_internal.text_model_out,
	RECEIVE = assay_internal.text_model_recv,
	SEND = assay_internal.text_model_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = external
);
COMMENT ON TYPE assay.text_model IS 'how many malicious and safe messages have each token; or, published, the weights of the best tokens';

-- functions

CREATE FUNCTION assay.text_score(model assay.text_model, content text) RETURNS real
	AS 'MODULE_PATHNAME', 'text_score_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay.text_score(assay.text_model, text) IS 'calibrated log-odds that a message is malicious (its text is the body)';

CREATE FUNCTION assay.text_score(model assay.text_model, content jsonb) RETURNS real
	AS 'MODULE_PATHNAME', 'text_score_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay.text_score(assay.text_model, jsonb) IS 'calibrated log-odds that a message is malicious: an object with subject, body, headers, urls, tokens';

CREATE FUNCTION assay.text_score(model assay.text_model, content record) RETURNS real
	AS 'MODULE_PATHNAME', 'text_score_record' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay.text_score(assay.text_model, record) IS 'calibrated log-odds that a message is malicious: a row with columns subject, body or body_text, headers, urls, tokens';

CREATE FUNCTION assay.text_margin(model assay.text_model, content text) RETURNS real
	AS 'MODULE_PATHNAME', 'text_margin_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay.text_margin(assay.text_model, text) IS 'the same before calibration: what text_explain() adds up to (its text is the body)';

CREATE FUNCTION assay.text_margin(model assay.text_model, content jsonb) RETURNS real
	AS 'MODULE_PATHNAME', 'text_margin_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay.text_margin(assay.text_model, jsonb) IS 'the same before calibration: what text_explain() adds up to: an object with subject, body, headers, urls, tokens';

CREATE FUNCTION assay.text_margin(model assay.text_model, content record) RETURNS real
	AS 'MODULE_PATHNAME', 'text_margin_record' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay.text_margin(assay.text_model, record) IS 'the same before calibration: what text_explain() adds up to: a row with columns subject, body or body_text, headers, urls, tokens';

CREATE FUNCTION assay.text_explain(model assay.text_model, content text, top integer DEFAULT 10, OUT token text, OUT contribution float8) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'text_explain_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION assay.text_explain(assay.text_model, text, integer) IS 'what each token adds to a message''s margin, the strongest first; the row without a token is all others';

CREATE FUNCTION assay.text_explain(model assay.text_model, content jsonb, top integer DEFAULT 10, OUT token text, OUT contribution float8) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'text_explain_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION assay.text_explain(assay.text_model, jsonb, integer) IS 'what each token adds to a message''s margin, the strongest first; the row without a token is all others';

CREATE FUNCTION assay.text_explain(model assay.text_model, content record, top integer DEFAULT 10, OUT token text, OUT contribution float8) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'text_explain_record' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION assay.text_explain(assay.text_model, record, integer) IS 'what each token adds to a message''s margin, the strongest first; the row without a token is all others';

CREATE FUNCTION assay.text_model_of(label boolean, content text, weight float8 DEFAULT 1, at timestamptz DEFAULT '2000-01-01 00:00+00', half_life interval DEFAULT NULL) RETURNS assay.text_model
	AS 'MODULE_PATHNAME', 'text_model_of' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay.text_model_of(boolean, text, float8, timestamptz, interval) IS 'the text model of one labelled message: what it adds to a sum';

CREATE FUNCTION assay.text_model_of(label boolean, content jsonb, weight float8 DEFAULT 1, at timestamptz DEFAULT '2000-01-01 00:00+00', half_life interval DEFAULT NULL) RETURNS assay.text_model
	AS 'MODULE_PATHNAME', 'text_model_of_jsonb' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay.text_model_of(boolean, jsonb, float8, timestamptz, interval) IS 'the text model of one labelled message: what it adds to a sum';

CREATE FUNCTION assay.text_model_publish(model assay.text_model, max_bytes integer DEFAULT 1048576) RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay.text_model_publish(assay.text_model, integer) IS 'the weights of the tokens that add most to scores, in at most so many bytes';

CREATE FUNCTION assay.text_model_prune(model assay.text_model, min_messages float8) RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay.text_model_prune(assay.text_model, float8) IS 'the model without the tokens that fewer messages have, as of its last message';

CREATE FUNCTION assay.text_model_calibrate(model assay.text_model, slope float8, intercept float8) RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION assay.text_model_calibrate(assay.text_model, float8, float8) IS 'the model with a calibration: score = slope * margin + intercept';

CREATE FUNCTION assay.text_model_calibrate(model assay.text_model, margins real[], labels boolean[]) RETURNS assay.text_model
	AS 'MODULE_PATHNAME', 'text_model_calibrate_fit' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay.text_model_calibrate(assay.text_model, real[], boolean[]) IS 'the model calibrated by held-back margins and labels (Platt)';

CREATE FUNCTION assay.text_model_info(model assay.text_model, OUT kind text, OUT tokens bigint, OUT bytes bigint, OUT malicious float8, OUT safe float8, OUT half_life interval, OUT last timestamptz, OUT slope float8, OUT intercept float8) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.text_model_info(assay.text_model) IS 'what a text model has: tokens, size, messages (decayed as of the last one), half-life, calibration';

-- private functions

CREATE FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, text) RETURNS assay.text_model
	AS 'MODULE_PATHNAME', 'text_model_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, text) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, text, float8) RETURNS assay.text_model
	AS 'MODULE_PATHNAME', 'text_model_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, text, float8) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, text, float8, timestamptz, interval) RETURNS assay.text_model
	AS 'MODULE_PATHNAME', 'text_model_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, text, float8, timestamptz, interval) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, jsonb) RETURNS assay.text_model
	AS 'MODULE_PATHNAME', 'text_model_accum_jsonb' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, jsonb) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, jsonb, float8) RETURNS assay.text_model
	AS 'MODULE_PATHNAME', 'text_model_accum_jsonb' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, jsonb, float8) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, jsonb, float8, timestamptz, interval) RETURNS assay.text_model
	AS 'MODULE_PATHNAME', 'text_model_accum_jsonb' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION assay_internal.text_model_accum(assay.text_model, boolean, jsonb, float8, timestamptz, interval) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.text_model_combine(assay.text_model, assay.text_model) RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION assay_internal.text_model_combine(assay.text_model, assay.text_model) IS 'aggregate transition and combine function';

CREATE FUNCTION assay_internal.text_model_final(assay.text_model) RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION assay_internal.text_model_final(assay.text_model) IS 'aggregate final function';

CREATE FUNCTION assay_internal.text_model_plus(assay.text_model, assay.text_model) RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay_internal.text_model_plus(assay.text_model, assay.text_model) IS 'implementation of + operator';

CREATE FUNCTION assay_internal.text_model_minus(assay.text_model, assay.text_model) RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay_internal.text_model_minus(assay.text_model, assay.text_model) IS 'implementation of - operator';

CREATE FUNCTION assay_internal.text_model_eq(assay.text_model, assay.text_model) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay_internal.text_model_eq(assay.text_model, assay.text_model) IS 'implementation of = operator';

CREATE FUNCTION assay_internal.text_model_ne(assay.text_model, assay.text_model) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay_internal.text_model_ne(assay.text_model, assay.text_model) IS 'implementation of <> operator';

-- aggregates

CREATE AGGREGATE assay.text_model_agg(label boolean, content text) (
	SFUNC = assay_internal.text_model_accum,
	STYPE = assay.text_model,
	SSPACE = 1048576,
	FINALFUNC = assay_internal.text_model_final,
	COMBINEFUNC = assay_internal.text_model_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.text_model_agg(boolean, text) IS 'text model of labelled messages: true is malicious; a NULL counts for nothing';

CREATE AGGREGATE assay.text_model_agg(label boolean, content text, weight float8) (
	SFUNC = assay_internal.text_model_accum,
	STYPE = assay.text_model,
	SSPACE = 1048576,
	FINALFUNC = assay_internal.text_model_final,
	COMBINEFUNC = assay_internal.text_model_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.text_model_agg(boolean, text, float8) IS 'text model of labelled messages with weights: true is malicious; a NULL counts for nothing';

CREATE AGGREGATE assay.text_model_agg(label boolean, content text, weight float8, at timestamptz, half_life interval) (
	SFUNC = assay_internal.text_model_accum,
	STYPE = assay.text_model,
	SSPACE = 1048576,
	FINALFUNC = assay_internal.text_model_final,
	COMBINEFUNC = assay_internal.text_model_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.text_model_agg(boolean, text, float8, timestamptz, interval) IS 'text model of labelled messages that decay with a half-life: true is malicious; a NULL counts for nothing';

CREATE AGGREGATE assay.text_model_agg(label boolean, content jsonb) (
	SFUNC = assay_internal.text_model_accum,
	STYPE = assay.text_model,
	SSPACE = 1048576,
	FINALFUNC = assay_internal.text_model_final,
	COMBINEFUNC = assay_internal.text_model_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.text_model_agg(boolean, jsonb) IS 'text model of labelled messages: true is malicious; a NULL counts for nothing';

CREATE AGGREGATE assay.text_model_agg(label boolean, content jsonb, weight float8) (
	SFUNC = assay_internal.text_model_accum,
	STYPE = assay.text_model,
	SSPACE = 1048576,
	FINALFUNC = assay_internal.text_model_final,
	COMBINEFUNC = assay_internal.text_model_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.text_model_agg(boolean, jsonb, float8) IS 'text model of labelled messages with weights: true is malicious; a NULL counts for nothing';

CREATE AGGREGATE assay.text_model_agg(label boolean, content jsonb, weight float8, at timestamptz, half_life interval) (
	SFUNC = assay_internal.text_model_accum,
	STYPE = assay.text_model,
	SSPACE = 1048576,
	FINALFUNC = assay_internal.text_model_final,
	COMBINEFUNC = assay_internal.text_model_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.text_model_agg(boolean, jsonb, float8, timestamptz, interval) IS 'text model of labelled messages that decay with a half-life: true is malicious; a NULL counts for nothing';

CREATE AGGREGATE assay.text_model_agg(model assay.text_model) (
	SFUNC = assay_internal.text_model_combine,
	STYPE = assay.text_model,
	SSPACE = 1048576,
	FINALFUNC = assay_internal.text_model_final,
	COMBINEFUNC = assay_internal.text_model_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.text_model_agg(assay.text_model) IS 'sum of text models';

-- operators

CREATE OPERATOR assay.+ (
	LEFTARG = assay.text_model, RIGHTARG = assay.text_model, FUNCTION = assay_internal.text_model_plus, COMMUTATOR = OPERATOR(assay.+)
);
COMMENT ON OPERATOR assay.+ (assay.text_model, assay.text_model) IS 'sum of two text models';

CREATE OPERATOR assay.- (
	LEFTARG = assay.text_model, RIGHTARG = assay.text_model, FUNCTION = assay_internal.text_model_minus
);
COMMENT ON OPERATOR assay.- (assay.text_model, assay.text_model) IS 'the first text model without the messages of the second';

CREATE OPERATOR assay.= (
	LEFTARG = assay.text_model, RIGHTARG = assay.text_model, FUNCTION = assay_internal.text_model_eq,
	COMMUTATOR = OPERATOR(assay.=), NEGATOR = OPERATOR(assay.<>), RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR assay.= (assay.text_model, assay.text_model) IS 'the same counts or weights, and calibration';

CREATE OPERATOR assay.<> (
	LEFTARG = assay.text_model, RIGHTARG = assay.text_model, FUNCTION = assay_internal.text_model_ne,
	COMMUTATOR = OPERATOR(assay.<>), NEGATOR = OPERATOR(assay.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR assay.<> (assay.text_model, assay.text_model) IS 'not the same counts or weights, or calibration';
