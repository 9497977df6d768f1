-- ---- baseline: the type summary ------------------------------------------------

CREATE TYPE assay.summary;

CREATE FUNCTION assay_internal.summary_in(cstring) RETURNS assay.summary
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_out(assay.summary) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_recv(internal) RETURNS assay.summary
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_send(assay.summary) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE assay.summary (
	INPUT = assay_internal.summary_in,
	OUTPUT = assay_internal.summary_out,
	RECEIVE = assay_internal.summary_recv,
	SEND = assay_internal.summary_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = plain
);

COMMENT ON TYPE assay.summary IS 'numbers of a key: how many, their exact sum and that of their squares, the least and the greatest';

-- functions; NULL is a key without numbers

CREATE FUNCTION assay.observations(summary assay.summary) RETURNS bigint
	AS 'MODULE_PATHNAME', 'summary_observations' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.total(summary assay.summary) RETURNS float8
	AS 'MODULE_PATHNAME', 'summary_total' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay.mean(summary assay.summary) RETURNS float8
	AS 'MODULE_PATHNAME', 'summary_mean' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.deviation(summary assay.summary) RETURNS float8
	AS 'MODULE_PATHNAME', 'summary_deviation' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.smallest(summary assay.summary) RETURNS float8
	AS 'MODULE_PATHNAME', 'summary_smallest' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay.largest(summary assay.summary) RETURNS float8
	AS 'MODULE_PATHNAME', 'summary_largest' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION assay.observations(assay.summary) IS 'how many numbers; 0 without any';
COMMENT ON FUNCTION assay.total(assay.summary) IS 'their sum; 0 without any';
COMMENT ON FUNCTION assay.mean(assay.summary) IS 'their mean; NULL without any';
COMMENT ON FUNCTION assay.deviation(assay.summary) IS 'their standard deviation, of a sample; NULL with less than two';
COMMENT ON FUNCTION assay.smallest(assay.summary) IS 'the least of them; NULL without any, and after a subtraction';
COMMENT ON FUNCTION assay.largest(assay.summary) IS 'the greatest of them; NULL without any, and after a subtraction';

-- private functions

CREATE FUNCTION assay_internal.summary_accum(assay.summary, float8) RETURNS assay.summary
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_accum_moving(assay.summary, float8) RETURNS assay.summary
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_accum_inverse(assay.summary, float8) RETURNS assay.summary
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_add(assay.summary, assay.summary) RETURNS assay.summary
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_add_moving(assay.summary, assay.summary) RETURNS assay.summary
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_add_inverse(assay.summary, assay.summary) RETURNS assay.summary
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_subtract(assay.summary, assay.summary) RETURNS assay.summary
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_final(assay.summary) RETURNS assay.summary
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION assay_internal.summary_in(cstring) IS 'I/O';
COMMENT ON FUNCTION assay_internal.summary_out(assay.summary) IS 'I/O';
COMMENT ON FUNCTION assay_internal.summary_recv(internal) IS 'I/O';
COMMENT ON FUNCTION assay_internal.summary_send(assay.summary) IS 'I/O';
COMMENT ON FUNCTION assay_internal.summary_accum(assay.summary, float8) IS 'aggregate transition function';
COMMENT ON FUNCTION assay_internal.summary_accum_moving(assay.summary, float8) IS 'aggregate transition function';
COMMENT ON FUNCTION assay_internal.summary_accum_inverse(assay.summary, float8) IS 'aggregate inverse transition function';
COMMENT ON FUNCTION assay_internal.summary_add(assay.summary, assay.summary) IS 'implementation of + operator';
COMMENT ON FUNCTION assay_internal.summary_add_moving(assay.summary, assay.summary) IS 'aggregate transition function';
COMMENT ON FUNCTION assay_internal.summary_add_inverse(assay.summary, assay.summary) IS 'aggregate inverse transition function';
COMMENT ON FUNCTION assay_internal.summary_subtract(assay.summary, assay.summary) IS 'implementation of - operator';
COMMENT ON FUNCTION assay_internal.summary_final(assay.summary) IS 'aggregate final function';

-- aggregates

CREATE AGGREGATE assay.summary_agg(value float8) (
	SFUNC = assay_internal.summary_accum,
	STYPE = assay.summary,
	SSPACE = 72,
	FINALFUNC = assay_internal.summary_final,
	COMBINEFUNC = assay_internal.summary_add,
	MSFUNC = assay_internal.summary_accum_moving,
	MINVFUNC = assay_internal.summary_accum_inverse,
	MSTYPE = assay.summary,
	MFINALFUNC = assay_internal.summary_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE assay.summary_agg(summary assay.summary) (
	SFUNC = assay_internal.summary_add,
	STYPE = assay.summary,
	SSPACE = 72,
	FINALFUNC = assay_internal.summary_final,
	COMBINEFUNC = assay_internal.summary_add,
	MSFUNC = assay_internal.summary_add_moving,
	MINVFUNC = assay_internal.summary_add_inverse,
	MSTYPE = assay.summary,
	MFINALFUNC = assay_internal.summary_final,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE assay.summary_agg(float8) IS 'summary of these numbers; NULL, NaN and infinities count for nothing';
COMMENT ON AGGREGATE assay.summary_agg(assay.summary) IS 'sum of summaries; NULL where they have no numbers';

-- operators

CREATE OPERATOR assay.+ (
	LEFTARG = assay.summary, RIGHTARG = assay.summary, FUNCTION = assay_internal.summary_add, COMMUTATOR = OPERATOR(assay.+)
);
CREATE OPERATOR assay.+ (
	LEFTARG = assay.summary, RIGHTARG = float8, FUNCTION = assay_internal.summary_accum
);
CREATE OPERATOR assay.- (
	LEFTARG = assay.summary, RIGHTARG = assay.summary, FUNCTION = assay_internal.summary_subtract
);

COMMENT ON OPERATOR assay.+ (assay.summary, assay.summary) IS 'sum of two summaries';
COMMENT ON OPERATOR assay.+ (assay.summary, float8) IS 'the summary with one more number';
COMMENT ON OPERATOR assay.- (assay.summary, assay.summary) IS 'numbers between two cumulative summaries';

-- order: so that GROUP BY, DISTINCT and ORDER BY work

CREATE FUNCTION assay_internal.summary_lt(assay.summary, assay.summary) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_le(assay.summary, assay.summary) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_eq(assay.summary, assay.summary) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_ne(assay.summary, assay.summary) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_ge(assay.summary, assay.summary) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_gt(assay.summary, assay.summary) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_cmp(assay.summary, assay.summary) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_hash(assay.summary) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.summary_hash_extended(assay.summary, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION assay_internal.summary_lt(assay.summary, assay.summary) IS 'implementation of < operator';
COMMENT ON FUNCTION assay_internal.summary_le(assay.summary, assay.summary) IS 'implementation of <= operator';
COMMENT ON FUNCTION assay_internal.summary_eq(assay.summary, assay.summary) IS 'implementation of = operator';
COMMENT ON FUNCTION assay_internal.summary_ne(assay.summary, assay.summary) IS 'implementation of <> operator';
COMMENT ON FUNCTION assay_internal.summary_ge(assay.summary, assay.summary) IS 'implementation of >= operator';
COMMENT ON FUNCTION assay_internal.summary_gt(assay.summary, assay.summary) IS 'implementation of > operator';
COMMENT ON FUNCTION assay_internal.summary_cmp(assay.summary, assay.summary) IS 'less-equal-greater';
COMMENT ON FUNCTION assay_internal.summary_hash(assay.summary) IS 'hash';
COMMENT ON FUNCTION assay_internal.summary_hash_extended(assay.summary, bigint) IS 'hash';

CREATE OPERATOR assay.< (
	LEFTARG = assay.summary, RIGHTARG = assay.summary, FUNCTION = assay_internal.summary_lt,
	COMMUTATOR = OPERATOR(assay.>), NEGATOR = OPERATOR(assay.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR assay.<= (
	LEFTARG = assay.summary, RIGHTARG = assay.summary, FUNCTION = assay_internal.summary_le,
	COMMUTATOR = OPERATOR(assay.>=), NEGATOR = OPERATOR(assay.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR assay.= (
	LEFTARG = assay.summary, RIGHTARG = assay.summary, FUNCTION = assay_internal.summary_eq,
	COMMUTATOR = OPERATOR(assay.=), NEGATOR = OPERATOR(assay.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR assay.<> (
	LEFTARG = assay.summary, RIGHTARG = assay.summary, FUNCTION = assay_internal.summary_ne,
	COMMUTATOR = OPERATOR(assay.<>), NEGATOR = OPERATOR(assay.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR assay.>= (
	LEFTARG = assay.summary, RIGHTARG = assay.summary, FUNCTION = assay_internal.summary_ge,
	COMMUTATOR = OPERATOR(assay.<=), NEGATOR = OPERATOR(assay.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR assay.> (
	LEFTARG = assay.summary, RIGHTARG = assay.summary, FUNCTION = assay_internal.summary_gt,
	COMMUTATOR = OPERATOR(assay.<), NEGATOR = OPERATOR(assay.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

COMMENT ON OPERATOR assay.< (assay.summary, assay.summary) IS 'less than';
COMMENT ON OPERATOR assay.<= (assay.summary, assay.summary) IS 'less than or equal';
COMMENT ON OPERATOR assay.= (assay.summary, assay.summary) IS 'the same numbers, as far as a summary tells';
COMMENT ON OPERATOR assay.<> (assay.summary, assay.summary) IS 'not equal';
COMMENT ON OPERATOR assay.>= (assay.summary, assay.summary) IS 'greater than or equal';
COMMENT ON OPERATOR assay.> (assay.summary, assay.summary) IS 'greater than';

CREATE OPERATOR CLASS assay.summary_ops DEFAULT FOR TYPE assay.summary USING btree AS
	OPERATOR 1 assay.<, OPERATOR 2 assay.<=, OPERATOR 3 assay.=, OPERATOR 4 assay.>=, OPERATOR 5 assay.>,
	FUNCTION 1 assay_internal.summary_cmp(assay.summary, assay.summary);
CREATE OPERATOR CLASS assay.summary_hash_ops DEFAULT FOR TYPE assay.summary USING hash AS
	OPERATOR 1 assay.=, FUNCTION 1 assay_internal.summary_hash(assay.summary), FUNCTION 2 assay_internal.summary_hash_extended(assay.summary, bigint);

COMMENT ON OPERATOR CLASS assay.summary_ops USING btree IS 'some order, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR FAMILY assay.summary_ops USING btree IS 'some order, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR CLASS assay.summary_hash_ops USING hash IS 'hashing, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR FAMILY assay.summary_hash_ops USING hash IS 'hashing, for GROUP BY and DISTINCT';
