-- ---- baseline: activity and outcome -----------------------------------------

CREATE TYPE assay.activity;

CREATE FUNCTION assay_internal.activity_in(cstring) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_out(assay.activity) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_recv(internal) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_send(assay.activity) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE assay.activity (
	INPUT = assay_internal.activity_in,
	OUTPUT = assay_internal.activity_out,
	RECEIVE = assay_internal.activity_recv,
	SEND = assay_internal.activity_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = plain
);

CREATE TYPE assay.outcome;

CREATE FUNCTION assay_internal.outcome_in(cstring) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_out(assay.outcome) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_recv(internal) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_send(assay.outcome) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE assay.outcome (
	INPUT = assay_internal.outcome_in,
	OUTPUT = assay_internal.outcome_out,
	RECEIVE = assay_internal.outcome_recv,
	SEND = assay_internal.outcome_send,
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

CREATE FUNCTION assay_internal.activity_accum(assay.activity, timestamptz) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_add(assay.activity, assay.activity) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_final(assay.activity) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_accum(assay.outcome, boolean) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_accum_moving(assay.outcome, boolean) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_accum_inverse(assay.outcome, boolean) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_moving_final(assay.outcome) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_add(assay.outcome, assay.outcome) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_subtract(assay.outcome, assay.outcome) RETURNS assay.outcome
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_combine(assay.outcome, assay.outcome) RETURNS assay.outcome
	AS 'MODULE_PATHNAME', 'outcome_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_combine_inverse(assay.outcome, assay.outcome) RETURNS assay.outcome
	AS 'MODULE_PATHNAME', 'outcome_subtract' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION assay_internal.activity_window_accum(internal, timestamptz) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_window_accum_inverse(internal, timestamptz) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_window_add(internal, assay.activity) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_window_add_inverse(internal, assay.activity) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_window_final(internal) RETURNS assay.activity
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION assay_internal.activity_in(cstring) IS 'I/O';
COMMENT ON FUNCTION assay_internal.activity_out(assay.activity) IS 'I/O';
COMMENT ON FUNCTION assay_internal.activity_recv(internal) IS 'I/O';
COMMENT ON FUNCTION assay_internal.activity_send(assay.activity) IS 'I/O';
COMMENT ON FUNCTION assay_internal.outcome_in(cstring) IS 'I/O';
COMMENT ON FUNCTION assay_internal.outcome_out(assay.outcome) IS 'I/O';
COMMENT ON FUNCTION assay_internal.outcome_recv(internal) IS 'I/O';
COMMENT ON FUNCTION assay_internal.outcome_send(assay.outcome) IS 'I/O';
COMMENT ON FUNCTION assay_internal.activity_accum(assay.activity, timestamptz) IS 'aggregate transition function';
COMMENT ON FUNCTION assay_internal.activity_add(assay.activity, assay.activity) IS 'implementation of + operator';
COMMENT ON FUNCTION assay_internal.activity_final(assay.activity) IS 'aggregate final function';
COMMENT ON FUNCTION assay_internal.activity_window_accum(internal, timestamptz) IS 'aggregate transition function';
COMMENT ON FUNCTION assay_internal.activity_window_accum_inverse(internal, timestamptz) IS 'aggregate inverse transition function';
COMMENT ON FUNCTION assay_internal.activity_window_add(internal, assay.activity) IS 'aggregate transition function';
COMMENT ON FUNCTION assay_internal.activity_window_add_inverse(internal, assay.activity) IS 'aggregate inverse transition function';
COMMENT ON FUNCTION assay_internal.activity_window_final(internal) IS 'aggregate final function';
COMMENT ON FUNCTION assay_internal.outcome_accum(assay.outcome, boolean) IS 'aggregate transition function';
COMMENT ON FUNCTION assay_internal.outcome_accum_moving(assay.outcome, boolean) IS 'aggregate transition function';
COMMENT ON FUNCTION assay_internal.outcome_accum_inverse(assay.outcome, boolean) IS 'aggregate inverse transition function';
COMMENT ON FUNCTION assay_internal.outcome_moving_final(assay.outcome) IS 'aggregate final function';
COMMENT ON FUNCTION assay_internal.outcome_add(assay.outcome, assay.outcome) IS 'implementation of + operator';
COMMENT ON FUNCTION assay_internal.outcome_subtract(assay.outcome, assay.outcome) IS 'implementation of - operator';
COMMENT ON FUNCTION assay_internal.outcome_combine(assay.outcome, assay.outcome) IS 'aggregate combine function';
COMMENT ON FUNCTION assay_internal.outcome_combine_inverse(assay.outcome, assay.outcome) IS 'aggregate inverse transition function';

-- aggregates

CREATE AGGREGATE assay.activity_agg(at timestamptz) (
	SFUNC = assay_internal.activity_accum,
	STYPE = assay.activity,
	SSPACE = 80,
	FINALFUNC = assay_internal.activity_final,
	COMBINEFUNC = assay_internal.activity_add,
	MSFUNC = assay_internal.activity_window_accum,
	MINVFUNC = assay_internal.activity_window_accum_inverse,
	MSTYPE = internal,
	MSSPACE = 8192,
	MFINALFUNC = assay_internal.activity_window_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE assay.activity_agg(activity assay.activity) (
	SFUNC = assay_internal.activity_add,
	STYPE = assay.activity,
	SSPACE = 256,
	FINALFUNC = assay_internal.activity_final,
	COMBINEFUNC = assay_internal.activity_add,
	MSFUNC = assay_internal.activity_window_add,
	MINVFUNC = assay_internal.activity_window_add_inverse,
	MSTYPE = internal,
	MSSPACE = 8192,
	MFINALFUNC = assay_internal.activity_window_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE assay.outcome_agg(malicious boolean) (
	SFUNC = assay_internal.outcome_accum,
	STYPE = assay.outcome,
	SSPACE = 32,
	COMBINEFUNC = assay_internal.outcome_combine,
	MSFUNC = assay_internal.outcome_accum_moving,
	MINVFUNC = assay_internal.outcome_accum_inverse,
	MSTYPE = assay.outcome,
	MFINALFUNC = assay_internal.outcome_moving_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE assay.outcome_agg(outcome assay.outcome) (
	SFUNC = assay_internal.outcome_combine,
	STYPE = assay.outcome,
	SSPACE = 32,
	COMBINEFUNC = assay_internal.outcome_combine,
	MSFUNC = assay_internal.outcome_combine,
	MINVFUNC = assay_internal.outcome_combine_inverse,
	MSTYPE = assay.outcome,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE assay.activity_agg(timestamptz) IS 'activity of these times; NULL and infinite times count for nothing';
COMMENT ON AGGREGATE assay.activity_agg(assay.activity) IS 'sum of activities';
COMMENT ON AGGREGATE assay.outcome_agg(boolean) IS 'outcome of these labels: true is malicious, false safe, NULL no label';
COMMENT ON AGGREGATE assay.outcome_agg(assay.outcome) IS 'sum of outcomes';

-- operators

CREATE OPERATOR assay.+ (
	LEFTARG = assay.activity, RIGHTARG = assay.activity, FUNCTION = assay_internal.activity_add, COMMUTATOR = OPERATOR(assay.+)
);
CREATE OPERATOR assay.+ (
	LEFTARG = assay.activity, RIGHTARG = timestamptz, FUNCTION = assay_internal.activity_accum
);
CREATE OPERATOR assay.+ (
	LEFTARG = assay.outcome, RIGHTARG = assay.outcome, FUNCTION = assay_internal.outcome_add, COMMUTATOR = OPERATOR(assay.+)
);
CREATE OPERATOR assay.- (
	LEFTARG = assay.outcome, RIGHTARG = assay.outcome, FUNCTION = assay_internal.outcome_subtract
);

COMMENT ON OPERATOR assay.+ (assay.activity, assay.activity) IS 'sum of two activities';
COMMENT ON OPERATOR assay.+ (assay.activity, timestamptz) IS 'the activity with one more event';
COMMENT ON OPERATOR assay.+ (assay.outcome, assay.outcome) IS 'sum of two outcomes';
COMMENT ON OPERATOR assay.- (assay.outcome, assay.outcome) IS 'labels between two cumulative outcomes';
