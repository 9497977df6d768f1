-- ---- report: order of scored, so that GROUP BY, DISTINCT and ORDER BY work

CREATE FUNCTION assay_internal.scored_lt(assay.scored, assay.scored) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.scored_le(assay.scored, assay.scored) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.scored_eq(assay.scored, assay.scored) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.scored_ne(assay.scored, assay.scored) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.scored_ge(assay.scored, assay.scored) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.scored_gt(assay.scored, assay.scored) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.scored_cmp(assay.scored, assay.scored) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.scored_hash(assay.scored) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION assay_internal.scored_hash_extended(assay.scored, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION assay_internal.scored_lt(assay.scored, assay.scored) IS 'implementation of < operator';
COMMENT ON FUNCTION assay_internal.scored_le(assay.scored, assay.scored) IS 'implementation of <= operator';
COMMENT ON FUNCTION assay_internal.scored_eq(assay.scored, assay.scored) IS 'implementation of = operator';
COMMENT ON FUNCTION assay_internal.scored_ne(assay.scored, assay.scored) IS 'implementation of <> operator';
COMMENT ON FUNCTION assay_internal.scored_ge(assay.scored, assay.scored) IS 'implementation of >= operator';
COMMENT ON FUNCTION assay_internal.scored_gt(assay.scored, assay.scored) IS 'implementation of > operator';
COMMENT ON FUNCTION assay_internal.scored_cmp(assay.scored, assay.scored) IS 'less-equal-greater';
COMMENT ON FUNCTION assay_internal.scored_hash(assay.scored) IS 'hash';
COMMENT ON FUNCTION assay_internal.scored_hash_extended(assay.scored, bigint) IS 'hash';

CREATE OPERATOR assay.< (
	LEFTARG = assay.scored, RIGHTARG = assay.scored, FUNCTION = assay_internal.scored_lt,
	COMMUTATOR = OPERATOR(assay.>), NEGATOR = OPERATOR(assay.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR assay.<= (
	LEFTARG = assay.scored, RIGHTARG = assay.scored, FUNCTION = assay_internal.scored_le,
	COMMUTATOR = OPERATOR(assay.>=), NEGATOR = OPERATOR(assay.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR assay.= (
	LEFTARG = assay.scored, RIGHTARG = assay.scored, FUNCTION = assay_internal.scored_eq,
	COMMUTATOR = OPERATOR(assay.=), NEGATOR = OPERATOR(assay.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR assay.<> (
	LEFTARG = assay.scored, RIGHTARG = assay.scored, FUNCTION = assay_internal.scored_ne,
	COMMUTATOR = OPERATOR(assay.<>), NEGATOR = OPERATOR(assay.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR assay.>= (
	LEFTARG = assay.scored, RIGHTARG = assay.scored, FUNCTION = assay_internal.scored_ge,
	COMMUTATOR = OPERATOR(assay.<=), NEGATOR = OPERATOR(assay.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR assay.> (
	LEFTARG = assay.scored, RIGHTARG = assay.scored, FUNCTION = assay_internal.scored_gt,
	COMMUTATOR = OPERATOR(assay.<), NEGATOR = OPERATOR(assay.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

COMMENT ON OPERATOR assay.< (assay.scored, assay.scored) IS 'less than';
COMMENT ON OPERATOR assay.<= (assay.scored, assay.scored) IS 'less than or equal';
COMMENT ON OPERATOR assay.= (assay.scored, assay.scored) IS 'the same scores, weights and resolution';
COMMENT ON OPERATOR assay.<> (assay.scored, assay.scored) IS 'not equal';
COMMENT ON OPERATOR assay.>= (assay.scored, assay.scored) IS 'greater than or equal';
COMMENT ON OPERATOR assay.> (assay.scored, assay.scored) IS 'greater than';

CREATE OPERATOR CLASS assay.scored_ops DEFAULT FOR TYPE assay.scored USING btree AS
	OPERATOR 1 assay.<, OPERATOR 2 assay.<=, OPERATOR 3 assay.=, OPERATOR 4 assay.>=, OPERATOR 5 assay.>,
	FUNCTION 1 assay_internal.scored_cmp(assay.scored, assay.scored);
CREATE OPERATOR CLASS assay.scored_hash_ops DEFAULT FOR TYPE assay.scored USING hash AS
	OPERATOR 1 assay.=, FUNCTION 1 assay_internal.scored_hash(assay.scored), FUNCTION 2 assay_internal.scored_hash_extended(assay.scored, bigint);

COMMENT ON OPERATOR CLASS assay.scored_ops USING btree IS 'some order, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR FAMILY assay.scored_ops USING btree IS 'some order, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR CLASS assay.scored_hash_ops USING hash IS 'hashing, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR FAMILY assay.scored_hash_ops USING hash IS 'hashing, for GROUP BY and DISTINCT';
