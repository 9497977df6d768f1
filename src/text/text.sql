-- text: phrases, domains

-- type

CREATE TYPE assay.phrases;

CREATE FUNCTION assay_internal.phrases_in(cstring) RETURNS assay.phrases
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.phrases_in(cstring) IS 'I/O of phrases';

CREATE FUNCTION assay_internal.phrases_out(assay.phrases) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.phrases_out(assay.phrases) IS 'I/O of phrases';

CREATE FUNCTION assay_internal.phrases_recv(internal) RETURNS assay.phrases
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.phrases_recv(internal) IS 'I/O of phrases';

CREATE FUNCTION assay_internal.phrases_send(assay.phrases) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.phrases_send(assay.phrases) IS 'I/O of phrases';

CREATE TYPE assay.phrases (
	INPUT = assay_internal.phrases_in,
	OUTPUT = assay_internal.phrases_out,
	RECEIVE = assay_internal.phrases_recv,
	SEND = assay_internal.phrases_send,
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

CREATE FUNCTION assay_internal.phrases_eq(assay.phrases, assay.phrases) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.phrases_eq(assay.phrases, assay.phrases) IS 'implementation of = operator';

CREATE FUNCTION assay_internal.phrases_ne(assay.phrases, assay.phrases) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.phrases_ne(assay.phrases, assay.phrases) IS 'implementation of <> operator';

-- operators

CREATE OPERATOR assay.= (
	LEFTARG = assay.phrases, RIGHTARG = assay.phrases, FUNCTION = assay_internal.phrases_eq,
	COMMUTATOR = OPERATOR(assay.=), NEGATOR = OPERATOR(assay.<>), RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR assay.= (assay.phrases, assay.phrases) IS 'same names, patterns and syntax';

CREATE OPERATOR assay.<> (
	LEFTARG = assay.phrases, RIGHTARG = assay.phrases, FUNCTION = assay_internal.phrases_ne,
	COMMUTATOR = OPERATOR(assay.<>), NEGATOR = OPERATOR(assay.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR assay.<> (assay.phrases, assay.phrases) IS 'not the same names, patterns or syntax';
