-- ---------------------------------------------------------------------------
-- policy: what lastval() says after an INSERT stays the session's own
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.last_number() RETURNS bigint
	AS 'MODULE_PATHNAME', 'assay_last_number' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.last_number() IS 'what lastval() says, or NULL where it says nothing';

CREATE FUNCTION assay_internal.put_back_last_number(number bigint) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_put_back_last_number' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.put_back_last_number(bigint) IS 'has lastval() say again what it said before numbers were drawn';

-- tables

-- Any value may be put back, and any may stand here while the next one is.
CREATE SEQUENCE assay_internal.last_number MINVALUE -9223372036854775808 START 1 CYCLE;
COMMENT ON SEQUENCE assay_internal.last_number IS 'the last one drawn from, in place of what a policy has drawn from';
GRANT USAGE ON SEQUENCE assay_internal.last_number TO PUBLIC;
