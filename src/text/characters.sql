-- ---------------------------------------------------------------------------
-- text: length() of a text, by which the trigger's query over new rows counts
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.characters(text) RETURNS int
	AS 'MODULE_PATHNAME', 'assay_characters' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.characters(text) IS 'how many characters a text has: length(), faster where most of them are ASCII';
