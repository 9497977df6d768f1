-- signature: what near-duplicates of a text have in common

-- type

CREATE TYPE assay.text_signature;

CREATE FUNCTION assay_internal.text_signature_in(cstring) RETURNS assay.text_signature
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_in(cstring) IS 'input: format, words and places as 1:57:0a1b...';

CREATE FUNCTION assay_internal.text_signature_out(assay.text_signature) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_out(assay.text_signature) IS 'output: format, words and places as 1:57:0a1b...';

CREATE FUNCTION assay_internal.text_signature_recv(internal) RETURNS assay.text_signature
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_recv(internal) IS 'binary input';

CREATE FUNCTION assay_internal.text_signature_send(assay.text_signature) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_send(assay.text_signature) IS 'binary output';

CREATE TYPE assay.text_signature (
	INPUT = assay_internal.text_signature_in,
	OUTPUT = assay_internal.text_signature_out,
	RECEIVE = assay_internal.text_signature_recv,
	SEND = assay_internal.text_signature_send,
	INTERNALLENGTH = 132,
	ALIGNMENT = int2,
	STORAGE = plain
);
COMMENT ON TYPE assay.text_signature IS 'what near-duplicates of a text have in common: 128 places of a sketch of its pairs of words';

-- functions

CREATE FUNCTION assay.signature(content text) RETURNS assay.text_signature
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION assay.signature(text) IS 'the signature of a text: its first 32 kB, with numbers, names, addresses and paths folded';

CREATE FUNCTION assay.signature_words(content text) RETURNS text[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION assay.signature_words(text) IS 'the words that a signature is made from, folded';

CREATE FUNCTION assay.signature_length(signature assay.text_signature) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.signature_length(assay.text_signature) IS 'how many words a signature was made from; 0 for a text without any';

CREATE FUNCTION assay.similar(a assay.text_signature, b assay.text_signature) RETURNS real
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.similar(assay.text_signature, assay.text_signature) IS 'estimated Jaccard similarity of two texts, by pairs of words: 0 to 1, and 0 for a text without words';

CREATE FUNCTION assay.signature_bands(signature assay.text_signature) RETURNS bigint[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION assay.signature_bands(assay.text_signature) IS 'keys of which similar texts share some: for a GIN index and the operator &&';

CREATE FUNCTION assay.signature_bands(signature assay.text_signature, day date) RETURNS bigint[]
	AS 'MODULE_PATHNAME', 'signature_bands_of_day' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION assay.signature_bands(assay.text_signature, date) IS 'keys of which similar texts of the same day share some';

-- private functions

CREATE FUNCTION assay_internal.text_signature_lt(assay.text_signature, assay.text_signature) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_lt(assay.text_signature, assay.text_signature) IS 'implementation of < operator';

CREATE FUNCTION assay_internal.text_signature_le(assay.text_signature, assay.text_signature) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_le(assay.text_signature, assay.text_signature) IS 'implementation of <= operator';

CREATE FUNCTION assay_internal.text_signature_eq(assay.text_signature, assay.text_signature) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_eq(assay.text_signature, assay.text_signature) IS 'implementation of = operator';

CREATE FUNCTION assay_internal.text_signature_ne(assay.text_signature, assay.text_signature) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_ne(assay.text_signature, assay.text_signature) IS 'implementation of <> operator';

CREATE FUNCTION assay_internal.text_signature_ge(assay.text_signature, assay.text_signature) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_ge(assay.text_signature, assay.text_signature) IS 'implementation of >= operator';

CREATE FUNCTION assay_internal.text_signature_gt(assay.text_signature, assay.text_signature) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_gt(assay.text_signature, assay.text_signature) IS 'implementation of > operator';

CREATE FUNCTION assay_internal.text_signature_cmp(assay.text_signature, assay.text_signature) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_cmp(assay.text_signature, assay.text_signature) IS 'less-equal-greater';

CREATE FUNCTION assay_internal.text_signature_hash(assay.text_signature) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_hash(assay.text_signature) IS 'hash';

CREATE FUNCTION assay_internal.text_signature_hash_extended(assay.text_signature, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.text_signature_hash_extended(assay.text_signature, bigint) IS 'hash';

-- operators

CREATE OPERATOR assay.< (
	LEFTARG = assay.text_signature, RIGHTARG = assay.text_signature, FUNCTION = assay_internal.text_signature_lt,
	COMMUTATOR = OPERATOR(assay.>), NEGATOR = OPERATOR(assay.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR assay.< (assay.text_signature, assay.text_signature) IS 'less than';

CREATE OPERATOR assay.<= (
	LEFTARG = assay.text_signature, RIGHTARG = assay.text_signature, FUNCTION = assay_internal.text_signature_le,
	COMMUTATOR = OPERATOR(assay.>=), NEGATOR = OPERATOR(assay.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR assay.<= (assay.text_signature, assay.text_signature) IS 'less than or equal';

CREATE OPERATOR assay.= (
	LEFTARG = assay.text_signature, RIGHTARG = assay.text_signature, FUNCTION = assay_internal.text_signature_eq,
	COMMUTATOR = OPERATOR(assay.=), NEGATOR = OPERATOR(assay.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR assay.= (assay.text_signature, assay.text_signature) IS 'the same words in number, and the same places';

CREATE OPERATOR assay.<> (
	LEFTARG = assay.text_signature, RIGHTARG = assay.text_signature, FUNCTION = assay_internal.text_signature_ne,
	COMMUTATOR = OPERATOR(assay.<>), NEGATOR = OPERATOR(assay.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR assay.<> (assay.text_signature, assay.text_signature) IS 'not equal';

CREATE OPERATOR assay.>= (
	LEFTARG = assay.text_signature, RIGHTARG = assay.text_signature, FUNCTION = assay_internal.text_signature_ge,
	COMMUTATOR = OPERATOR(assay.<=), NEGATOR = OPERATOR(assay.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR assay.>= (assay.text_signature, assay.text_signature) IS 'greater than or equal';

CREATE OPERATOR assay.> (
	LEFTARG = assay.text_signature, RIGHTARG = assay.text_signature, FUNCTION = assay_internal.text_signature_gt,
	COMMUTATOR = OPERATOR(assay.<), NEGATOR = OPERATOR(assay.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR assay.> (assay.text_signature, assay.text_signature) IS 'greater than';

CREATE OPERATOR CLASS assay.text_signature_ops DEFAULT FOR TYPE assay.text_signature USING btree AS
	OPERATOR 1 assay.<, OPERATOR 2 assay.<=, OPERATOR 3 assay.=, OPERATOR 4 assay.>=, OPERATOR 5 assay.>,
	FUNCTION 1 assay_internal.text_signature_cmp(assay.text_signature, assay.text_signature);
COMMENT ON OPERATOR CLASS assay.text_signature_ops USING btree IS 'some order, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR FAMILY assay.text_signature_ops USING btree IS 'some order, for GROUP BY and DISTINCT';

CREATE OPERATOR CLASS assay.text_signature_hash_ops DEFAULT FOR TYPE assay.text_signature USING hash AS
	OPERATOR 1 assay.=, FUNCTION 1 assay_internal.text_signature_hash(assay.text_signature), FUNCTION 2 assay_internal.text_signature_hash_extended(assay.text_signature, bigint);
COMMENT ON OPERATOR CLASS assay.text_signature_hash_ops USING hash IS 'hashing, for GROUP BY and DISTINCT';
COMMENT ON OPERATOR FAMILY assay.text_signature_hash_ops USING hash IS 'hashing, for GROUP BY and DISTINCT';
