-- ---- baseline: order of activity and outcome, so that GROUP BY, DISTINCT and ORDER BY work

CREATE FUNCTION assay_internal.activity_lt(assay.activity, assay.activity) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_le(assay.activity, assay.activity) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_eq(assay.activity, assay.activity) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_ne(assay.activity, assay.activity) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_ge(assay.activity, assay.activity) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_gt(assay.activity, assay.activity) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_cmp(assay.activity, assay.activity) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_hash(assay.activity) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.activity_hash_extended(assay.activity, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION assay_internal.activity_lt(assay.activity, assay.activity) IS 'implementation of < operator';
COMMENT ON FUNCTION assay_internal.activity_le(assay.activity, assay.activity) IS 'implementation of <= operator';
COMMENT ON FUNCTION assay_internal.activity_eq(assay.activity, assay.activity) IS 'implementation of = operator';
COMMENT ON FUNCTION assay_internal.activity_ne(assay.activity, assay.activity) IS 'implementation of <> operator';
COMMENT ON FUNCTION assay_internal.activity_ge(assay.activity, assay.activity) IS 'implementation of >= operator';
COMMENT ON FUNCTION assay_internal.activity_gt(assay.activity, assay.activity) IS 'implementation of > operator';
COMMENT ON FUNCTION assay_internal.activity_cmp(assay.activity, assay.activity) IS 'less-equal-greater';
COMMENT ON FUNCTION assay_internal.activity_hash(assay.activity) IS 'hash';
COMMENT ON FUNCTION assay_internal.activity_hash_extended(assay.activity, bigint) IS 'hash';

CREATE OPERATOR assay.< (
	LEFTARG = assay.activity, RIGHTARG = assay.activity, FUNCTION = assay_internal.activity_lt,
	COMMUTATOR = OPERATOR(assay.>), NEGATOR = OPERATOR(assay.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR assay.<= (
	LEFTARG = assay.activity, RIGHTARG = assay.activity, FUNCTION = assay_internal.activity_le,
	COMMUTATOR = OPERATOR(assay.>=), NEGATOR = OPERATOR(assay.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR assay.= (
	LEFTARG = assay.activity, RIGHTARG = assay.activity, FUNCTION = assay_internal.activity_eq,
	COMMUTATOR = OPERATOR(assay.=), NEGATOR = OPERATOR(assay.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR assay.<> (
	LEFTARG = assay.activity, RIGHTARG = assay.activity, FUNCTION = assay_internal.activity_ne,
	COMMUTATOR = OPERATOR(assay.<>), NEGATOR = OPERATOR(assay.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR assay.>= (
	LEFTARG = assay.activity, RIGHTARG = assay.activity, FUNCTION = assay_internal.activity_ge,
	COMMUTATOR = OPERATOR(assay.<=), NEGATOR = OPERATOR(assay.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR assay.> (
	LEFTARG = assay.activity, RIGHTARG = assay.activity, FUNCTION = assay_internal.activity_gt,
	COMMUTATOR = OPERATOR(assay.<), NEGATOR = OPERATOR(assay.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

COMMENT ON OPERATOR assay.< (assay.activity, assay.activity) IS 'less than';
COMMENT ON OPERATOR assay.<= (assay.activity, assay.activity) IS 'less than or equal';
COMMENT ON OPERATOR assay.= (assay.activity, assay.activity) IS 'the same state, to the last bit';
COMMENT ON OPERATOR assay.<> (assay.activity, assay.activity) IS 'not equal';
COMMENT ON OPERATOR assay.>= (assay.activity, assay.activity) IS 'greater than or equal';
COMMENT ON OPERATOR assay.> (assay.activity, assay.activity) IS 'greater than';

CREATE OPERATOR CLASS assay.activity_ops DEFAULT FOR TYPE assay.activity USING btree AS
	OPERATOR 1 assay.<, OPERATOR 2 assay.<=, OPERATOR 3 assay.=, OPERATOR 4 assay.>=, OPERATOR 5 assay.>,
	FUNCTION 1 assay_internal.activity_cmp(assay.activity, assay.activity);
CREATE OPERATOR CLASS assay.activity_hash_ops DEFAULT FOR TYPE assay.activity USING hash AS
	OPERATOR 1 assay.=, FUNCTION 1 assay_internal.activity_hash(assay.activity), FUNCTION 2 assay_internal.activity_hash_extended(assay.activity, bigint);

CREATE FUNCTION assay_internal.outcome_lt(assay.outcome, assay.outcome) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_le(assay.outcome, assay.outcome) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_eq(assay.outcome, assay.outcome) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_ne(assay.outcome, assay.outcome) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_ge(assay.outcome, assay.outcome) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_gt(assay.outcome, assay.outcome) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_cmp(assay.outcome, assay.outcome) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_hash(assay.outcome) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.outcome_hash_extended(assay.outcome, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION assay_internal.outcome_lt(assay.outcome, assay.outcome) IS 'implementation of < operator';
COMMENT ON FUNCTION assay_internal.outcome_le(assay.outcome, assay.outcome) IS 'implementation of <= operator';
COMMENT ON FUNCTION assay_internal.outcome_eq(assay.outcome, assay.outcome) IS 'implementation of = operator';
COMMENT ON FUNCTION assay_internal.outcome_ne(assay.outcome, assay.outcome) IS 'implementation of <> operator';
COMMENT ON FUNCTION assay_internal.outcome_ge(assay.outcome, assay.outcome) IS 'implementation of >= operator';
COMMENT ON FUNCTION assay_internal.outcome_gt(assay.outcome, assay.outcome) IS 'implementation of > operator';
COMMENT ON FUNCTION assay_internal.outcome_cmp(assay.outcome, assay.outcome) IS 'less-equal-greater';
COMMENT ON FUNCTION assay_internal.outcome_hash(assay.outcome) IS 'hash';
COMMENT ON FUNCTION assay_internal.outcome_hash_extended(assay.outcome, bigint) IS 'hash';

CREATE OPERATOR assay.< (
	LEFTARG = assay.outcome, RIGHTARG = assay.outcome, FUNCTION = assay_internal.outcome_lt,
	COMMUTATOR = OPERATOR(assay.>), NEGATOR = OPERATOR(assay.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR assay.<= (
	LEFTARG = assay.outcome, RIGHTARG = assay.outcome, FUNCTION = assay_internal.outcome_le,
	COMMUTATOR = OPERATOR(assay.>=), NEGATOR = OPERATOR(assay.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR assay.= (
	LEFTARG = assay.outcome, RIGHTARG = assay.outcome, FUNCTION = assay_internal.outcome_eq,
	COMMUTATOR = OPERATOR(assay.=), NEGATOR = OPERATOR(assay.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR assay.<> (
	LEFTARG = assay.outcome, RIGHTARG = assay.outcome, FUNCTION = assay_internal.outcome_ne,
	COMMUTATOR = OPERATOR(assay.<>), NEGATOR = OPERATOR(assay.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR assay.>= (
	LEFTARG = assay.outcome, RIGHTARG = assay.outcome, FUNCTION = assay_internal.outcome_ge,
	COMMUTATOR = OPERATOR(assay.<=), NEGATOR = OPERATOR(assay.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR assay.> (
	LEFTARG = assay.outcome, RIGHTARG = assay.outcome, FUNCTION = assay_internal.outcome_gt,
	COMMUTATOR = OPERATOR(assay.<), NEGATOR = OPERATOR(assay.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

COMMENT ON OPERATOR assay.< (assay.outcome, assay.outcome) IS 'less than';
COMMENT ON OPERATOR assay.<= (assay.outcome, assay.outcome) IS 'less than or equal';
COMMENT ON OPERATOR assay.= (assay.outcome, assay.outcome) IS 'the same counts';
COMMENT ON OPERATOR assay.<> (assay.outcome, assay.outcome) IS 'not equal';
COMMENT ON OPERATOR assay.>= (assay.outcome, assay.outcome) IS 'greater than or equal';
COMMENT ON OPERATOR assay.> (assay.outcome, assay.outcome) IS 'greater than';

CREATE OPERATOR CLASS assay.outcome_ops DEFAULT FOR TYPE assay.outcome USING btree AS
	OPERATOR 1 assay.<, OPERATOR 2 assay.<=, OPERATOR 3 assay.=, OPERATOR 4 assay.>=, OPERATOR 5 assay.>,
	FUNCTION 1 assay_internal.outcome_cmp(assay.outcome, assay.outcome);
CREATE OPERATOR CLASS assay.outcome_hash_ops DEFAULT FOR TYPE assay.outcome USING hash AS
	OPERATOR 1 assay.=, FUNCTION 1 assay_internal.outcome_hash(assay.outcome), FUNCTION 2 assay_internal.outcome_hash_extended(assay.outcome, bigint);

COMMENT ON OPERATOR CLASS assay.activity_ops USING btree IS 'some order, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR FAMILY assay.activity_ops USING btree IS 'some order, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR CLASS assay.activity_hash_ops USING hash IS 'hashing, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR FAMILY assay.activity_hash_ops USING hash IS 'hashing, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR CLASS assay.outcome_ops USING btree IS 'some order, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR FAMILY assay.outcome_ops USING btree IS 'some order, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR CLASS assay.outcome_hash_ops USING hash IS 'hashing, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR FAMILY assay.outcome_hash_ops USING hash IS 'hashing, for GROUP BY and DISTINCT';
