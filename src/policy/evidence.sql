-- ---------------------------------------------------------------------------
-- policy: decisions by what they rest on
-- ---------------------------------------------------------------------------

-- functions

CREATE FUNCTION assay.hits(attribution assay.attribution) RETURNS text[]
	AS 'MODULE_PATHNAME', 'attribution_hits' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 30;
COMMENT ON FUNCTION assay.hits(assay.attribution) IS
	'names of what hit, sorted: detectors, marked shadow: or muted: where they did not count, and exclusions, marked exclusion:';

CREATE FUNCTION assay.counted_hits(attribution assay.attribution) RETURNS text[]
	AS 'MODULE_PATHNAME', 'attribution_counted_hits' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 30;
COMMENT ON FUNCTION assay.counted_hits(assay.attribution) IS 'names of the detectors that hit and counted, sorted';

CREATE FUNCTION assay.attribution_to_jsonb(attribution assay.attribution) RETURNS jsonb
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.attribution_to_jsonb(assay.attribution) IS 'the ledger as jsonb, for the cast';

-- Beside the one that takes text: what is neither text nor a literal comes here.
CREATE FUNCTION assay.explain_decision(policy text, VARIADIC key "any",
	OUT step int, OUT evidence text, OUT contribution float8, OUT margin float8, OUT score real, OUT because text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_explain_decision' LANGUAGE C STABLE PARALLEL UNSAFE ROWS 20;
COMMENT ON FUNCTION assay.explain_decision(text, VARIADIC "any") IS
	'why the latest decision about a message is as it is, its key given by values of their own types';

-- casts

CREATE CAST (assay.attribution AS jsonb) WITH FUNCTION assay.attribution_to_jsonb(assay.attribution);
COMMENT ON CAST (assay.attribution AS jsonb) IS 'the ledger as jsonb';
