-- ---------------------------------------------------------------------------
-- policy: labels from life, from reports by mail and from views
-- ---------------------------------------------------------------------------

-- functions

CREATE FUNCTION assay.label_reported(policy text, messages regclass, reports jsonb, OUT report int, OUT outcome text, OUT key text[]) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_label_reported' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000 ROWS 100;
COMMENT ON FUNCTION assay.label_reported(text, regclass, jsonb) IS
	'labels the messages that reports are about, found by message_id or, without that, by recipient, sender and time; says of each report what became of it: labelled, known, surer, unknown, other sender, other recipient, ambiguous, invalid; takes INSERT on <policy>_label';

CREATE FUNCTION assay.labels_from(policy text, source text, relation regclass, malicious boolean DEFAULT NULL, confidence real DEFAULT 1,
	category text DEFAULT NULL, since timestamptz DEFAULT '-infinity', OUT labelled bigint, OUT known bigint, OUT surer bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_labels_from' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1;
COMMENT ON FUNCTION assay.labels_from(text, text, regclass, boolean, real, text, timestamptz) IS
	'labels the messages of a table or view, which has the policy''s key and may have malicious, labelled_at, author, confidence, category; what this source said before is known, and behind a better label none is written; takes INSERT on <policy>_label';
