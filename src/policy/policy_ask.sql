-- ---------------------------------------------------------------------------
-- policy: functions of other extensions that look into its tables
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.ask_as_owner(policy text, function text, arguments text[]) RETURNS SETOF jsonb
	AS 'MODULE_PATHNAME', 'assay_ask_as_owner' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION assay_internal.ask_as_owner(text, text, text[]) IS
	'rows of a function of schema assay, with one argument text[], run as the policy''s owner for who may act as that';
