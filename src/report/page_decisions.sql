-- ---------------------------------------------------------------------------
-- report: what the page of report_html() shows of a policy's own tables
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.page_scores(policy text, since timestamptz, until timestamptz,
	OUT scores assay.scored, OUT decisions bigint, OUT labelled bigint, OUT malicious bigint, OUT first_at timestamptz, OUT last_at timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_page_scores' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000000 ROWS 1;
COMMENT ON FUNCTION assay_internal.page_scores(text, timestamptz, timestamptz) IS
	'scores and labels of each message''s latest decision of a time, read as the policy''s owner by its members, by others with their own rights';

CREATE FUNCTION assay_internal.page_hours(policy text, since timestamptz, until timestamptz, OUT hour timestamptz, OUT verdict text, OUT hits bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_page_hours' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000000 ROWS 1000;
COMMENT ON FUNCTION assay_internal.page_hours(text, timestamptz, timestamptz) IS 'the same by hour and verdict';

CREATE FUNCTION assay_internal.page_latest(policy text, since timestamptz, until timestamptz, verdicts text[], n int, columns text[], messages oid,
	OUT key text[], OUT revision int, OUT decided_at timestamptz, OUT verdict text, OUT score real, OUT attribution assay.attribution,
	OUT malicious boolean, OUT shown text[]) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_page_latest' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION assay_internal.page_latest(text, timestamptz, timestamptz, text[], int, text[], oid) IS
	'the latest decisions with one of some verdicts, and columns of their messages: of the signals view, or of another relation of the policy''s owner';
