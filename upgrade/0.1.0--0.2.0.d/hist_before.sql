-- Baselines have tiles; create_baseline() and baseline_probe() have more arguments

ALTER TABLE assay.baseline ADD COLUMN IF NOT EXISTS tile interval NOT NULL DEFAULT '1 day';
COMMENT ON COLUMN assay.baseline.tile IS 'each row has the state at the end of so much time';
DROP FUNCTION IF EXISTS assay.create_baseline(text, regclass, text[], text, regclass, jsonb, boolean, text, text[], text, text);
DROP FUNCTION IF EXISTS assay.baseline_probe(regclass, text, text, boolean);
COMMENT ON FUNCTION assay.as_of(anyelement, timestamptz, "any") IS
	'a baseline''s row for a key, as it was known before the day or shorter tile of a moment; in FROM, and in parallel workers';
