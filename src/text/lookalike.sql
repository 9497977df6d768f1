-- ---------------------------------------------------------------------------
-- names that lie: confusable names and domains, links that show another domain
-- ---------------------------------------------------------------------------

-- functions

CREATE FUNCTION assay.skeleton(content text) RETURNS text
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION assay.skeleton(text) IS 'what a text looks like: the same for texts that are easily taken for each other (Unicode TS 39)';

CREATE FUNCTION assay.nearest_name(content text, names text[], OUT name text, OUT distance integer) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION assay.nearest_name(text, text[]) IS 'the first of the nearest names, and how many edits it is off once folded; NULL when none is near';

CREATE FUNCTION assay.lookalike_domain(host text, domains text[], OUT domain text, OUT how text) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.lookalike_domain(text, text[]) IS 'the protected domain that a host name or address imitates, and by which trick; NULL when none, or when it is one of them';

CREATE FUNCTION assay.nearest_name(content text, list text, OUT name text, OUT distance integer) RETURNS record
	AS 'MODULE_PATHNAME', 'nearest_name_list' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION assay.nearest_name(text, text) IS 'the same among the values of a list, as it stands';

CREATE FUNCTION assay.lookalike_domain(host text, list text, OUT domain text, OUT how text) RETURNS record
	AS 'MODULE_PATHNAME', 'lookalike_domain_list' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.lookalike_domain(text, text) IS 'the same among the values of a list, as it stands';

CREATE FUNCTION assay.display_name_claim(name text, people text[], brands text[], OUT claim text, OUT kind text, OUT distance integer) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.display_name_claim(text, text[], text[]) IS
	'which of one''s own people or of the brands a display name claims to be, and how many edits it is off; NULL when none';

CREATE FUNCTION assay.display_name_claim(name text, people text, brands text, OUT claim text, OUT kind text, OUT distance integer) RETURNS record
	AS 'MODULE_PATHNAME', 'display_name_claim_list' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.display_name_claim(text, text, text) IS 'the same among the values of two lists, as they stand';

CREATE FUNCTION assay.link_mismatch(content text, href text) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION assay.link_mismatch(text, text) IS 'does the text of a link look like an address in another domain than the link leads to?';
