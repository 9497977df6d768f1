-- What the trigger's query over new rows counts instead of length(): the same
SET client_min_messages = warning;
CREATE TABLE ch (t text);
-- each width of character at each place of the words that are looked at
INSERT INTO ch SELECT repeat('a', before) || repeat(c, times) || repeat('z', after)
FROM unnest(ARRAY['x', 'é', '€', '😀', 'a€é😀', E'\n', ' ']) c, generate_series(0, 17) before, generate_series(0, 9) times, generate_series(0, 9) after;
-- stored compressed, and out of line
INSERT INTO ch SELECT repeat('wörter ', n) FROM unnest('{500,5000,50000}'::int[]) n;
ALTER TABLE ch ALTER t SET STORAGE EXTERNAL;
INSERT INTO ch SELECT repeat('wörter ', n) FROM unnest('{500,5000,50000}'::int[]) n;
SELECT count(*) AS texts, count(DISTINCT length(t)) AS lengths, max(length(t)) AS longest,
	count(*) FILTER (WHERE assay_internal.characters(t) IS DISTINCT FROM length(t)) AS differ FROM ch;
SELECT assay_internal.characters(NULL) IS NULL AS is_null;
DROP TABLE ch;
