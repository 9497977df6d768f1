-- Literals that are found by the words of a text (match_words.c): what the
-- library finds.  One literal that begins with no word gives a set to the
-- library, so each set is compared with the same and such a literal beside.
CREATE FUNCTION pick(seed bigint, items text[]) RETURNS text LANGUAGE sql IMMUTABLE AS
	'SELECT items[1 + abs(hashint8(seed)::bigint) % cardinality(items)]';
-- Words of letters, digits, marks and underscores of one to four bytes, some
-- longer than a block of 64, and what stands between words
CREATE TABLE piece AS SELECT ARRAY['a', 'be', 'Now', 'FREE', 'win_', '_x', 'x2', '100', 'é', 'Straße', 'naïve', 'сейчас', 'СЕЙЧАС', '現金', 'no', 'now',
		'İ', U&'\212A', U&'e\0301', U&'so\00ADft', U&'\+01D400', repeat('ab', 31), repeat('q', 64), repeat('ü', 40) || 'z', 'abcdefgh', 'abcdefghi', 'ABCDEFGHIJKLMNOPQ']
	AS words, ARRAY[' ', ' ', ' ', '  ', E'\n', '-', '.', ', ', '!', U&'\00A0', '', '€', '/', '''', U&'\+01F600'] AS between;
CREATE TABLE literal AS SELECT DISTINCT ON (lower(pattern)) pattern, row_number() OVER () AS n
	FROM generate_series(1, 300) i, piece p, LATERAL (SELECT pick(i, p.words) || CASE WHEN i % 3 > 0 THEN pick(i + 1000, p.between) || pick(i + 2000, p.words) ELSE '' END ||
		CASE WHEN i % 7 = 0 THEN pick(i + 3000, p.between) || pick(i + 4000, p.words) WHEN i % 11 = 0 THEN pick(i + 5000, p.between) ELSE '' END AS pattern) x
	-- of that kind: a word begins it, and where it is but one, it ends as it must
	WHERE pattern !~ '^(_|現)' AND pattern !~ U&'(_|\0301|\91D1)$';
INSERT INTO literal SELECT 'filler' || i, 1000 + i FROM generate_series(1, 500) i;
CREATE TABLE sets AS SELECT assay.phrases(array_agg(n::text ORDER BY n), array_agg(pattern ORDER BY n)) AS words,
	assay.phrases(array_agg(n::text ORDER BY n) || '{0}', array_agg(pattern ORDER BY n) || '{"$ no such text"}') AS library FROM literal;
CREATE TABLE written AS SELECT i, left(string_agg(CASE WHEN abs(hashint8(i * 100 + j)) % 5 = 0 THEN l.pattern
		WHEN j % 4 = 0 THEN upper(pick(i * 77 + j, p.words)) ELSE pick(i * 77 + j, p.words) END || pick(i * 31 + j, p.between), '' ORDER BY j),
		20 + i % 300) AS body
	FROM generate_series(1, 600) i, generate_series(1, 40) j, piece p, LATERAL (SELECT pattern FROM literal WHERE n >= abs(hashint8(i * 13 + j)::bigint) % 150 ORDER BY n LIMIT 1) l
	GROUP BY i;
SELECT count(*) > 600 AS enough FROM literal;
SELECT count(*) FILTER (WHERE cardinality(assay.phrase_hits(s.library, w.body)) > 3) > 400 AS hit, count(*) FILTER (WHERE assay.phrase_hits(s.words, w.body) <> assay.phrase_hits(s.library, w.body)) AS differ
	FROM written w, sets s;
-- each literal by itself, alone, behind and before other letters
SELECT l.pattern, t FROM literal l, sets s, unnest(ARRAY[l.pattern, upper(l.pattern), 'x ' || l.pattern || ' y', l.pattern || 'z', 'é' || l.pattern, l.pattern || U&'\0301', repeat(' .', 31) || l.pattern, repeat('.', 63) || l.pattern || '_']) t
	WHERE assay.phrase_hits(s.words, t) <> assay.phrase_hits(s.library, t);
-- As many literals as a word may begin, and one more
SELECT n, array_agg(cardinality(h) ORDER BY t) FROM unnest(ARRAY[32, 33]) n,
	LATERAL (SELECT assay.phrases(array_agg(i::text), array_agg(CASE WHEN i <= n THEN 'same ' || i ELSE 'other' || i END)) AS set FROM generate_series(1, 500) i) s,
	unnest(ARRAY['the SAME 7 and same 32, same 33', 'same 3333 other120 other5000', 'sames 1']) t, LATERAL assay.phrase_hits(s.set, t) h GROUP BY n ORDER BY n;
-- The last set for the library alone, and the first for the words
SELECT n, assay.phrase_hits(s.set, 'Other7, other499 other5000 other500') FROM unnest(ARRAY[499, 500]) n,
	LATERAL (SELECT assay.phrases(array_agg(i::text), array_agg('other' || i)) AS set FROM generate_series(1, n) i) s ORDER BY n;
-- One that may end within a word
SELECT assay.phrase_hits(s.set, 'abc_d') FROM (SELECT assay.phrases(array_agg(i::text), array_agg(CASE WHEN i = 1 THEN 'abc_' ELSE 'other' || i END)) AS set FROM generate_series(1, 500) i) s;
SELECT assay.phrase_hits(s.words, NULL), assay.phrase_hits(s.words, '') FROM sets s;
DROP TABLE sets, written, literal, piece;
DROP FUNCTION pick(bigint, text[]);
