-- ---------------------------------------------------------------------------
-- policy: in which state lists, phrase sets and text models were
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay.states(attribution assay.attribution, OUT kind text, OUT name text, OUT state bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'attribution_states' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 5;
COMMENT ON FUNCTION assay.states(assay.attribution) IS
	'lists, phrases and text_models that a decision looked into, and in which state each was';

CREATE FUNCTION assay.state(attribution assay.attribution, kind text, name text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'attribution_state' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.state(assay.attribution, text, text) IS
	'the state of one of them: in_list(..., state => ...) and phrases_of(..., state) ask it again; NULL when the decision names none';
