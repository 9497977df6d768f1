-- phrases: named patterns, matched all at once
SET search_path = public, assay, assay_internal;
SET client_min_messages = warning;

-- literals: caseless, flexible white space, word boundaries at alphanumeric ends
CREATE TABLE lexicon (name text PRIMARY KEY, phrases phrases);
INSERT INTO lexicon VALUES ('bec', phrases(
	'{wire,gift,wire,cafe,percent,plus,han,thai}',
	'{wire transfer,gift card,Überweisung,café,100%,c++,振込,โอนเงิน}'));
SELECT phrases FROM lexicon;

CREATE FUNCTION hits(content text) RETURNS text[] STABLE LANGUAGE sql
	AS $$ SELECT phrase_hits(phrases, content) FROM lexicon WHERE name = 'bec' $$;

SELECT hits('Please send the Gift Card, then the WIRE transfer');	-- definition order
SELECT hits('gift card gift card gift card');						-- each once
SELECT hits(E'wire\n\t \r\n transfer'), hits(E'wire\u00a0\u2003transfer'), hits('wiretransfer');
SELECT hits('wire transfers'), hits('prewire transfer'), hits('wire transfer_id'), hits('(wire transfer)');
SELECT hits('wire transferé'), hits(E'wire transfere\u0301'), hits('éwire transfer'), hits('wire transfer—now');
SELECT hits('ÜBERWEISUNG'), hits('überweisung'), hits('u' || U&'\0308' || 'berweisung') AS decomposed;
SELECT hits('CAFÉ'), hits('cafés'), hits('cafe');
SELECT hits('100%off'), hits('2100%'), hits('C++11'), hits('abc++');
SELECT hits('お振込ください'), hits('กรุณาโอนเงินด่วน');
-- invisible characters are dropped from both sides
SELECT hits(E'wi\u200bre trans\u00adfer'), hits(E'gift \u200b card'), hits(E'gift\ufeff card');
SELECT phrase_hits(phrases('{a}', ARRAY[E'pass\u00adword']), 'password') AS pattern_too;
-- case pairs outside of ASCII that fold into it
SELECT phrase_hits(phrases('{k,s}', '{risk,as}'), E'ri\u017f\u212a A\u017f') AS long_s_and_kelvin;
-- spaces at the ends count
SELECT phrase_hits(phrases('{a}', '{" x"}'), 'x'), phrase_hits(phrases('{a}', '{" x"}'), E'-\tx');

-- NULL and empty
SELECT phrase_hits(NULL, 'x') IS NULL AS no_phrases, hits(NULL) IS NULL AS no_text, hits('') AS empty;
SELECT phrase_hits(phrases('{}', '{}'), 'x') AS no_patterns, phrases('{}', '{}');
SELECT phrases(NULL, '{a}');
SELECT phrases('{a}', NULL);
SELECT phrases('{a}', '{a}', NULL);
SELECT phrases('{a,NULL}', '{a,b}');
SELECT phrases('{a,b}', '{a,NULL}');
SELECT phrases('{{a}}', '{{a}}');

-- regular expressions: Vectorscan's
INSERT INTO lexicon VALUES ('re', phrases(ARRAY['iban', 'money', 'amount', 'iban'],
	ARRAY['\b[A-Z]{2}\d{2}( ?[A-Z0-9]{4}){3,7}\b', '(usd|eur|€)\s*\d+', '\d+[.,]\d{2}', 'I\.?B\.?A\.?N'], 'regex'));
SELECT phrases FROM lexicon WHERE name = 're';
SELECT c, phrase_hits(phrases, c) FROM lexicon,
	unnest(ARRAY['pay €  500', 'de89 3704 0044 0532 0130 00', 'i.b.a.n', 'USD 3,50', '']) c WHERE name = 're';
SELECT phrases('{ok,bad}', '{a,(b}', 'regex');
SELECT phrases('{back}', ARRAY['(a)\1'], 'regex');
SELECT phrases('{empty}', '{a*}', 'regex');
SELECT phrases('{a}', '{a}', 'glob');

-- where they are: characters are counted, as substr() does
-- psql's idea of how wide a character of no width is differs between versions
\pset format unaligned
SELECT m.*, substr(c, start_pos, end_pos - start_pos + 1) = matched AS same
FROM lexicon l, (SELECT E'é\u200b Wire \n\t trans\u00adfer, ÜBERWEISUNG, gift card; wire transfer 振込振込' AS c) s,
	phrase_matches(phrases, c) m WHERE l.name = 'bec';
\pset format aligned
SELECT m.*, substr(c, start_pos, end_pos - start_pos + 1) = matched AS same
FROM lexicon l, (SELECT 'é USD 3,50 and €4 or 12.345 usd12' AS c) s, phrase_matches(phrases, c) m WHERE l.name = 're';
SELECT count(*), min(start_pos), max(end_pos) FROM lexicon l, phrase_matches(phrases, repeat('gift card ', 2000)) WHERE l.name = 'bec';
SELECT count(*) FROM lexicon l, phrase_matches(phrases, repeat('gift card ', 2000), 3000) WHERE l.name = 'bec';
SELECT count(*), min(start_pos), max(end_pos) FROM lexicon l, phrase_matches(phrases, repeat('1,50 ', 2000), 10) WHERE l.name = 're';
SELECT count(*) FROM phrase_matches(phrases('{a}', '{aa aa}'), 'aa aa aa aa');	-- without overlaps
SELECT * FROM phrase_matches(phrases('{a}', '{a+}', 'regex'), repeat('a', 30));	-- the longest
SELECT * FROM phrase_matches(phrases('{far}', ARRAY['\pL{1,1000}x'], 'regex'), 'abcx');	-- no start to be had
-- in a long text (blocks of over 255 bytes overflow a stack in the library)
SELECT name, start_pos, end_pos FROM phrase_matches(phrases('{a,b}', '{a+b,.*(kilo|gram)}', 'regex'), repeat('x', 1000) || E'\naab' || repeat('x', 1000) || ' kilo');
-- at any place, up to the end (the library's code for wide registers misses some)
SELECT count(*) AS texts, count(*) FILTER (WHERE phrase_hits(p, t) = '{a,b,c,d,e}') AS all_found,
	count(*) FILTER (WHERE (SELECT count(*) FROM phrase_matches(p, t)) = 5) AS all_placed
FROM (SELECT phrases('{a,b,c,d,e}', ARRAY['[ab]c', 'q+', 'x+y', '(usd|eur)\s*\d+', '(?s)curl.*\|\s*python'], 'regex') AS p) s, generate_series(0, 150) n,
	LATERAL (SELECT repeat('-', n) || 'xy bc curl http://vader:8080/ 2>&1 | python q eur 5' || repeat('-', n % 4) AS t) t;
SELECT count(*) AS texts, count(*) FILTER (WHERE phrase_hits(p, t) = '{a,b}') AS all_found
FROM (SELECT phrases('{a,b}', '{gift card,$}') AS p) s, generate_series(0, 150) n, LATERAL (SELECT repeat('-', n) || 'gift card$' || repeat('-', n % 4) AS t) t;
SELECT count(*) FROM lexicon l, phrase_matches(phrases, 'gift card', 0) WHERE l.name = 'bec';
SELECT count(*) FROM lexicon l, phrase_matches(phrases, 'gift card', 100000) WHERE l.name = 'bec';
SELECT * FROM lexicon l, phrase_matches(phrases, 'gift card', 100001);
SELECT * FROM lexicon l, phrase_matches(phrases, 'gift card', -1);

SELECT * FROM phrases_patterns((SELECT phrases FROM lexicon WHERE name = 're'));
SELECT l.name, i.syntax, i.names, i.patterns, i.bytes > i.compiled_bytes AS sizes, i.compiled_here
FROM lexicon l, phrases_info(phrases) i ORDER BY 1;

-- text form: exact round trip, both ways
SELECT bool_and(phrases::text::phrases = phrases AND phrases::text::phrases::text = phrases::text) FROM lexicon;
SELECT phrases($$ {"patterns": ["a\"\\b\u00e9\n"], "names": ["n"]} $$);
SELECT phrases('{a}', '{x}') = phrases('{a}', '{x}'), phrases('{a}', '{x}') <> phrases('{a}', '{x}', 'regex');
SELECT phrases('{a}', '{x}') = phrases('{b}', '{x}'), phrases('{a}', '{x}') IS DISTINCT FROM phrases('{a}', '{y}');
SELECT 'x'::phrases;
SELECT '[]'::phrases;
SELECT '{}'::phrases;
SELECT '{"names": ["a"], "patterns": []}'::phrases;
SELECT '{"names": "a", "patterns": "a"}'::phrases;
SELECT '{"names": [1], "patterns": ["a"]}'::phrases;
SELECT '{"names": [["a"]], "patterns": [["a"]]}'::phrases;
SELECT '{"names": ["a"], "patterns": ["a"], "syntax": 1}'::phrases;
SELECT '{"names": ["a"], "patterns": ["a"], "flags": 1}'::phrases;
SELECT '{"names": ["a"], "patterns": ["a"], "syntax": "sql"}'::phrases;

-- binary form: COPY there and back, then hand-made messages
CREATE TABLE copied (phrases phrases);
\set file `mktemp -u /tmp/assay_phrases.XXXXXX`
COPY lexicon (phrases) TO :'file' (FORMAT binary);
COPY copied FROM :'file' (FORMAT binary);
\setenv file :file
\! rm -f "$file"
SELECT count(*) FROM copied JOIN lexicon ON copied.phrases = lexicon.phrases AND copied.phrases::text = lexicon.phrases::text;
SELECT bool_and((phrases_info(phrases)).compiled_here) FROM copied;
-- signature, flags, extension; one field; its length; …; end
CREATE FUNCTION receive(message text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('COPY copied FROM PROGRAM %L (FORMAT binary)', 'printf ''PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1' || message || '\377\377''');
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT receive('\0\0\0\0');						-- nothing: no version
SELECT receive('\0\0\0\1\1');					-- version, no JSON
SELECT receive('\0\0\0\1\2');					-- version 2
SELECT receive('\0\0\0\3\1{}');
SELECT receive('\0\0\0\4\1{}\0');				-- a zero byte
SELECT receive('\0\0\0\4\1{}\377');				-- no UTF-8
SELECT receive('\0\0\0\40\1{"names":["a"],"patterns":["a"]}');	-- shorter than it is
SELECT receive('\0\0\0\41\1{"names":["a"],"patterns":["a"]}');	-- well

-- limits, at n and at n + 1
SELECT length(phrase_hits(phrases(array_agg(n::text), array_agg('x' || n)), 'x7 x20000 x20001')::text)
FROM generate_series(1, 20000) n;
SELECT phrases(array_agg(n::text), array_agg('x' || n)) FROM generate_series(1, 20001) n;
SELECT phrase_hits(phrases(array_agg(n::text), array_agg('x' || n || '\b'), 'regex'), 'x7 x1000 x1001') FROM generate_series(1, 1000) n;
SELECT phrases(array_agg(n::text), array_agg('x' || n), 'regex') FROM generate_series(1, 1001) n;
SELECT phrase_hits(phrases('{a}', ARRAY[repeat('é', 500)]), repeat('É', 500));
SELECT phrases('{a}', ARRAY[repeat('é', 500) || 'x']);
SELECT length(phrase_hits(phrases(ARRAY[repeat('n', 255)], '{a}'), 'a')::text);
SELECT phrases(ARRAY[repeat('n', 256)], '{a}');
SELECT phrases('{""}', '{a}');
SELECT phrases('{a}', '{""}');
SELECT phrases('{a}', ARRAY[E' \u200b']);
SELECT phrases('{a,b}', '{a}');
SELECT (phrases_info(phrases(array_agg('n'::text), array_agg(lpad(n::text, CASE n WHEN 4195 THEN 304 ELSE 1000 END, 'x'))))).patterns
FROM generate_series(1, 4195) n;
SELECT phrases(array_agg('n'::text), array_agg(lpad(n::text, CASE n WHEN 4195 THEN 305 ELSE 1000 END, 'x')))
FROM generate_series(1, 4195) n;
-- an expression that compiles to too much
SELECT phrases('{much}', ARRAY['(\pL\pN){20}\pL'], 'regex');

-- loaded once a backend, fetched once a query
\c
SET search_path = public, assay, assay_internal;
CREATE TABLE message (id int, body text);
INSERT INTO message SELECT n, 'message ' || n || CASE WHEN n % 10 = 0 THEN ' gift card' ELSE '' END FROM generate_series(1, 1000) n;
SELECT count(*) FILTER (WHERE phrase_hits(phrases, body) <> '{}') FROM lexicon, message WHERE name = 'bec';
SELECT entries, loads, compiles, fetches FROM phrases_cache();
SELECT count(*) FILTER (WHERE phrase_hits((SELECT phrases FROM lexicon WHERE name = 'bec'), body) <> '{}') FROM message;
SELECT entries, loads, compiles, fetches FROM phrases_cache();
-- a new value of the same row is another one
UPDATE lexicon SET phrases = phrases('{ten}', '{message 10}') WHERE name = 'bec';
SELECT count(*) FILTER (WHERE phrase_hits(phrases, body) <> '{}') FROM lexicon, message WHERE name = 'bec';
-- bounded: a small cache keeps one value of these
SET assay.phrases_cache_size = '1MB';
CREATE TABLE many AS SELECT g, phrases(array_agg(g || 'p' || n), array_agg(g || 'word' || n || ' more words' || n)) AS p
	FROM generate_series(1, 4) g, generate_series(1, 1000) n GROUP BY g;
SELECT count(*) FROM many a, many b WHERE phrase_hits(a.p, a.g || 'word7 more words7') <> '{}' AND phrase_hits(b.p, 'x') = '{}';
SELECT entries < 6 AS bounded, bytes < 2000000 AS small FROM phrases_cache();
RESET assay.phrases_cache_size;

-- the planner folds a constant; a parallel plan may use it
EXPLAIN (COSTS OFF, VERBOSE) SELECT phrase_hits(phrases('{a}', '{b}'), body) FROM message;
SELECT proname, provolatile, proparallel, proisstrict FROM pg_proc
WHERE pronamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace) AND proname ~ '^phrase' ORDER BY 1, 2;

-- Stored bytes that were damaged. A superuser can make some:
CREATE CAST (assay.phrases AS bytea) WITHOUT FUNCTION;
CREATE CAST (bytea AS assay.phrases) WITHOUT FUNCTION;
CREATE TABLE good AS SELECT phrases('{a,b,a}', '{apple,banana,avocado}')::bytea AS bytes;
-- each bit of the header and the truth (61 + 3 + 3 + 3 * 4 + 18 bytes), then some of the database
CREATE TABLE damage AS
SELECT n, b, set_byte(bytes, n, get_byte(bytes, n) # (1 << b)) AS bytes
FROM good, generate_series(0, length(bytes) - 1) n, generate_series(0, 7) b
WHERE n < 100 OR (n % 97 = 0 AND b = n % 8);
CREATE FUNCTION try(bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM bytes::phrases::text;
	RETURN phrase_hits(bytes::phrases, 'an Apple');
EXCEPTION WHEN data_corrupted THEN
	RETURN 'corrupted';
END $$;
SELECT n < 60 AS header, try(bytes), count(*) FROM damage GROUP BY 1, 2 ORDER BY 1, 2;
SELECT try(substr(bytes, 1, n)) AS cut, count(*) FROM good, generate_series(0, 120) n GROUP BY 1;
SELECT try(bytes || '\x00') AS longer FROM good;
-- a database that is not the one stored is compiled anew, with the same answers
\c
SET search_path = public, assay, assay_internal;
SELECT try(set_byte(bytes, length(bytes) - 1, get_byte(bytes, length(bytes) - 1) # 1)) FROM good;
SELECT loads, compiles FROM phrases_cache();
SELECT (phrases_info(set_byte(bytes, length(bytes) - 1, get_byte(bytes, length(bytes) - 1) # 1)::phrases)).compiled_here FROM good;
DROP CAST (assay.phrases AS bytea);
DROP CAST (bytea AS assay.phrases);

DROP TABLE lexicon, copied, message, many, good, damage;
DROP FUNCTION hits(text), receive(text), try(bytea);
