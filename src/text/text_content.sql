-- text_content: what a text model sees of a message; occurrences: small counts of a text

CREATE FUNCTION assay.text_content(subject text, body text, headers jsonb DEFAULT NULL, urls text[] DEFAULT NULL, tokens text[] DEFAULT NULL, without text DEFAULT NULL)
	RETURNS jsonb
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.text_content(text, text, jsonb, text[], text[], text) IS
	'what a text model sees of a message: what it reads of each part, without what occurs of a phrase set';

CREATE FUNCTION assay.occurrences(content text, strings text[]) RETURNS integer[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION assay.occurrences(text, text[]) IS 'how often each string occurs in a text, without overlaps';
