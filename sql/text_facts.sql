-- text_facts: counts of a text
SET search_path = public, assay;
SET extra_float_digits = 0;
\pset format unaligned
\pset null (null)

-- what there is, by name
CREATE FUNCTION facts(t text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(key || '=' || value, ' ' ORDER BY n)
	FROM json_each_text(row_to_json(text_facts(t))) WITH ORDINALITY AS e (key, value, n)
	WHERE value NOT IN ('0', '[]') AND key !~ '_share$|^entropy$'
$$;
SELECT facts(''), facts(NULL) IS NULL AS null_in;
SELECT text_facts('') = ROW(0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
	NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{}')::text_facts AS nothing_of_nothing;
SELECT facts(E'Hello WORLD!\n> It costs $4.20, OK?\n>\n\n  -- \n');
SELECT facts(E'one\r\nthree\r\n') AS crlf, facts(E'\n') AS empty_line, facts('no end') AS no_end;

-- ASCII as SQL would count it, at every place of a block
WITH t AS (
	SELECT repeat(chr(x), n) || E'The QUICK b0X_1, isn''t\t\tHERE! \n>AB> ' || repeat('y', n) || E'\n' || repeat('zz9 ZZ', n % 7) AS t
	FROM generate_series(0, 140) n, unnest(ARRAY[32, 65, 97, 48, 33, 10, 62]) x)
SELECT count(*), count(*) FILTER (WHERE
	f.characters <> length(t) OR
	f.words <> regexp_count(t, '\w+') OR
	f.lines <> regexp_count(t, '[^\n]*\n|[^\n]+$') OR
	f.letters <> regexp_count(t, '[A-Za-z]') OR
	f.uppercase <> regexp_count(t, '[A-Z]') OR
	f.digits <> regexp_count(t, '\d') OR
	f.punctuation <> regexp_count(t, '[^\s\w]|_') OR
	f.whitespace <> regexp_count(t, '\s') OR
	f.uppercase_words <> (SELECT count(*) FROM regexp_matches(t, '\w+', 'g') m WHERE m[1] !~ '[a-z]' AND m[1] ~ '[A-Z].*[A-Z]') OR
	f.quoted_lines <> (SELECT count(*) FROM regexp_split_to_table(t, '\n') l WHERE l LIKE '>%') OR
	f.longest_token <> (SELECT max(length(m[1])) FROM regexp_matches(t, '\S+', 'g') m) OR
	f.longest_gap <> (SELECT max(length(m[1])) FROM regexp_matches(t, '\s+', 'g') m) OR
	f.longest_line <> (SELECT max(length(l)) FROM regexp_split_to_table(t, '\n') l)) AS differ
FROM t, text_facts(t) f;

-- shares and entropy
SELECT uppercase_share, digit_share, punctuation_share, whitespace_share, non_ascii_share, quoted_share, entropy
FROM text_facts(E'AbcdE 12.é\n>x\n');
SELECT (text_facts(repeat('a', 100000))).entropy AS one, (text_facts('abcdefgh')).entropy AS eight,
	round((text_facts(repeat('ab', 3000) || repeat('c', 6000))).entropy::numeric, 4) AS three,
	(text_facts('...')).uppercase_share AS no_letter;

-- emoji: each sequence is one
SELECT name, (text_facts(t)).emoji, facts(t) FROM (VALUES
	('face', '😀'), ('tone', '👍🏽'), ('family', '👨‍👩‍👧‍👦'), ('flags', '🇩🇪🇫🇷'), ('half a flag', '🇩'), ('England', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'),
	('key', '1️⃣'), ('with selector', '☎️'), ('without', '☎'), ('heart on fire', '❤️‍🔥'), ('sign', '©'), ('woman at work', '👩🏽‍💻'), ('two', '😀😀')) AS v (name, t);

-- letters that pretend, and words of scripts that don't belong together
SELECT t, facts(t) FROM (VALUES
	('𝐏𝐚𝐲𝐏𝐚𝐥 𝟙𝟚ℬ'), ('Ⓟⓐⓨ 🅟 🄰'), ('Ｐａｙ１'),
	('pаypal'), ('Αpple'), ('раура'), ('Ꭰave'), ('paypal москва'),
	('LINEアプリ東京'), ('Tシャツ'), ('한국語'), ('ภาษาไทยHTML'), ('عربي'), ('क्षत्रिय'), ('10kΩ'), ('10kΩ'), ('x٣')) AS v (t);

-- characters that hide, and where they are spelling
SELECT name, facts(t) FROM (VALUES
	('zero width', E'pay\u200Bpal'), ('soft hyphens', E'Pay\u00ADpal is\u00AD'), ('between words', E'a \u200B\u2060 b'),
	('Persian', E'\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645'), ('Hindi', E'\u0915\u094D\u200D\u0937'), ('joiner in Latin', E'pa\u200Dy'),
	('override', E'\u202Egpj.exe\u202C'), ('mark', E'\u05D0\u200F!'), ('isolate', E'a\u2066b\u2069'),
	('smuggled ASCII', E'Hi\U000E0041\U000E0042'), ('smuggled in selectors', E'😀\uFE0F\U000E0101\U000E0102'),
	('selector alone', E' \uFE0F'), ('Braille', E'a\u2800\u2800b'), ('Hangul filler', E'a\u3164b'), ('marks', E'Z\u0301\u0302\u0303\u0304algo\u0301'),
	('controls', E'a\x01\x7F\u0080'), ('next line', E'a\u0085b'), ('private', E'\uE000'), ('replaced', E'\uFFFD?'), ('full width', E'！？￥')) AS v (name, t);

-- large: linear, and a limit at every piece
SELECT characters, words, longest_token, longest_line FROM text_facts(repeat('a', 10000000));
SELECT characters, words, invisible, invisible_words, stacked_marks FROM text_facts('a' || repeat(E'\u200B', 1000000) || 'b' || repeat(E'\u0301', 1000000));
SELECT bool_and(characters = 2 * n + 1 AND words = 1 AND letters = 2 * n + 1 AND mixed_script_words = 1 AND longest_token = 2 * n + 1)
FROM generate_series(1048570 / 3, 1048582 / 3) n, text_facts('a' || repeat('éа', n)) f;

-- the row: what was altered is refused, not misread
BEGIN;
ALTER TYPE text_facts ALTER ATTRIBUTE words TYPE text;
SELECT (text_facts('x')).words;
ROLLBACK;
SELECT provolatile, proisstrict, proparallel FROM pg_proc WHERE oid = 'assay.text_facts(text)'::regprocedure;
DROP FUNCTION facts;
