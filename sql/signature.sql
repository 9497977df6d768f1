-- The type text_signature: near-duplicates of a text
SET search_path = public, assay, assay_internal;

-- ---- words ---------------------------------------------------------------------

SELECT signature_words('Dear John Smith, your order #A-12/34 of 2024-01-02 10:33 for $1,234.56 has shipped.');
SELECT signature_words('See https://u12:p@track7.evil99.example:8080/a/b?c=1, HTTP://192.0.2.7/x or www.Shop.example/y. Mail to <bob.b+x@corp.example> or mailto:a@b.example');
SELECT signature_words(E'Best regards,\nMary-Ann O. Lee CEO Acme Corp') AS signed, signature_words('Hi, We are') AS not_a_name,
	signature_words('Dear Mr. J. Smith: Yes') AS titles, signature_words('DEAR FRIEND, I AM MR IBRAHIM LAMORDE') AS capitals, signature_words('Hi there') AS nobody;
-- case, space, punctuation and what can't be seen
SELECT signature_words(U&'\00DCn\00EFc\00F6de\2003STRASSE\3000vi\00ADa\200Bgra -- don''t "QUOTE" \2014 \00ABend\00BB');
SELECT signature_words(U&'H\00E9llo@x.example, \4E2D\6587\5B57abc\3002\0E01\0E02 h\00E9llo \D55C\AD6D\C5B4 \+01F600');
-- names of other scripts' capitals
SELECT signature_words(U&'Dear \00C9lodie, Mr \0418\0432\0430\043D Dr \00E9lodie');
SELECT signature_words(E'a://b http:// @ x@ www. www.- ://://a.b @@a http://@/ http://a..b/ http://x.y.z.example./ http://a"b@c'), signature_words('') AS empty, signature_words(E' \t-- ') AS blank;
-- limits, at n and n + 1: bytes of a word, words of a name, bytes that are read
SELECT length(w[1]), w[2] FROM signature_words(repeat('x', 40) || ' ' || repeat('y', 41)) w;
SELECT length(w[1]), w[2] FROM signature_words(repeat('x', 38) || 'ä ' || repeat('y', 39) || 'ä') w;
SELECT signature_words('Mr A B C D'), signature_words('Mr A B C D E');
SELECT length(w[1]), length(w[2]) FROM signature_words('http://' || repeat('a', 36) || '.bc/ http://' || repeat('a', 60) || '.bc/') w;
SELECT signature_words(repeat(' ', 32767) || 'ab'), signature_words(repeat(' ', 32766) || 'ab'), cardinality(signature_words(repeat(' ', 32767) || 'ä')) AS cut, cardinality(signature_words(repeat(' ', 32766) || 'ä')) AS whole, cardinality(signature_words(repeat(' ', 32766) || '中')) AS cut_too;
SELECT cardinality(signature_words(repeat('a ', 16384))) AS most, signature_length(signature(repeat('a ', 20000))),
	signature_length(signature(repeat('a"b', 16384))), signature_length(signature(repeat(U&'a\4E2D', 16384)));
-- a chunk is read once, whatever is in it
SELECT cardinality(signature_words(repeat('www.:', 6000))) AS www, cardinality(signature_words(repeat('://@:', 6000))) AS urls;

-- ---- similarity -------------------------------------------------------------------

SELECT signature(NULL) IS NULL, similar(NULL, signature('a')) IS NULL, signature_bands(NULL) IS NULL, signature_length(NULL) IS NULL;
SELECT signature_length(signature('')), signature_bands(signature('')), similar(signature(''), signature('')), similar(signature('a'), signature(''));
SELECT similar(signature('hello'), signature('Hello!')), similar(signature('hello'), signature('goodbye'));
-- copies with other fillings are the same
SELECT similar(signature(a), signature(b)), signature(a) = signature(b) FROM (VALUES
	('Dear John, your parcel 123 456 waits: http://a1.post.example/x?id=1', 'Dear Mary Ann Smith, your parcel AB77 waits: http://b2.post.example/y/z')) v(a, b);
-- the estimate is near the truth: of 200 words, i are others
SELECT i, abs(similar(signature(a), signature(b)) - (200 - i) / (200 + i)::real) < 0.15 AS near
FROM generate_series(0, 200, 25) i, LATERAL (
	SELECT string_agg(translate(md5(k::text), '0123456789', 'ghijklmnop'), ' ' ORDER BY k) AS a,
		string_agg(translate(md5((k + CASE WHEN k > 200 - i THEN 1000 ELSE 0 END)::text), '0123456789', 'ghijklmnop'), ' ' ORDER BY k) AS b
	FROM generate_series(1, 200) k) t;
-- on the average it hits it, for short texts too
SELECT words, abs(avg(similar(signature(a), signature(b)) - (words - 1) / (words + 1)::float8)) < 0.02 AS unbiased,
	sqrt(avg((similar(signature(a), signature(b)) - (words - 1) / (words + 1)::float8) ^ 2)) < 0.06 AS narrow
FROM unnest('{2, 5, 20, 100, 400}'::int[]) words, generate_series(1, 60) t, LATERAL (
	SELECT string_agg(w, ' ' ORDER BY k) AS a, string_agg(CASE WHEN k = words THEN w || 'x' ELSE w END, ' ' ORDER BY k) AS b
	FROM (SELECT k, translate(md5(t || ' ' || k), '0123456789', 'ghijklmnop') AS w FROM generate_series(1, words) k) x) y
GROUP BY words ORDER BY words;
-- it is symmetric, from 0 to 1
SELECT bool_and(similar(a, b) = similar(b, a)), min(similar(a, b)) >= 0, max(similar(a, b)) <= 1
FROM (SELECT signature(md5(i::text) || ' word ' || i % 7 || ' ' || chr(97 + i % 26)) AS a, signature(chr(97 + i % 26) || ' word') AS b FROM generate_series(1, 200) i) s;

-- ---- bands and an index ------------------------------------------------------------

SELECT cardinality(signature_bands(signature('a b'))), signature_bands(signature('a b')) = signature_bands(signature('A, b')),
	signature_bands(signature('a b')) && signature_bands(signature('c d'));
SELECT signature_bands(s, '2024-01-02') && signature_bands(s, '2024-01-02') AS same_day, signature_bands(s, '2024-01-02') && signature_bands(s, '2024-01-03') AS next_day,
	signature_bands(s, '2024-01-02') && signature_bands(s) AS no_day, cardinality(signature_bands(s, 'infinity')), signature_bands(s, NULL) IS NULL
FROM signature('some words') s;

CREATE TABLE message (id int PRIMARY KEY, at timestamptz, body text, signature text_signature GENERATED ALWAYS AS (signature(body)) STORED);
INSERT INTO message
SELECT i, timestamptz '2024-01-01 00:00+00' + i * interval '1 hour', CASE WHEN i % 10 = 0
	THEN 'Dear customer ' || i || ', your account was limited today because of an unusual login. Please confirm your details within one day at http://a' || i || '.bank.example/' || md5(i::text)
		|| ' or we must close it for good, as our terms say. Thank you for your patience. ' || translate(md5(i::text), '0123456789', 'ghijklmnop')
	ELSE (SELECT string_agg(translate(md5(i || ' ' || k), '0123456789', 'ghijklmnop'), ' ') FROM generate_series(1, 20) k) END
FROM generate_series(1, 1000) i;
INSERT INTO message VALUES (1001, '2024-01-20', ''), (1002, '2024-01-20', NULL);
CREATE INDEX message_like ON message USING gin (signature_bands(signature));
CREATE INDEX message_like_day ON message USING gin (signature_bands(signature, (at AT TIME ZONE 'UTC')::date));
ANALYZE message;
SET enable_seqscan = off;
SET plan_cache_mode = force_generic_plan;
PREPARE like_it(text_signature) AS SELECT count(*) FROM message WHERE signature_bands(signature) && signature_bands($1);
EXPLAIN (COSTS OFF) EXECUTE like_it(signature('a'));
RESET plan_cache_mode;
SELECT count(*), min(similar(o.signature, m.signature)) > 0.8 AS all_alike FROM message m JOIN message o ON signature_bands(o.signature) && signature_bands(m.signature) WHERE m.id = 500;
SELECT array_agg(o.id ORDER BY o.id) FROM message m JOIN message o
	ON signature_bands(o.signature, (o.at AT TIME ZONE 'UTC')::date) && (signature_bands(m.signature, (m.at AT TIME ZONE 'UTC')::date) || signature_bands(m.signature, (m.at AT TIME ZONE 'UTC')::date - 1))
	AND o.at > m.at - interval '1 day' AND o.at < m.at
WHERE m.id = 500;
SELECT count(*) FROM message m JOIN message o ON signature_bands(o.signature) && signature_bands(m.signature) WHERE m.id = 1001;
RESET enable_seqscan;

-- ---- as values of a table --------------------------------------------------------------

SELECT count(*), count(DISTINCT signature), bool_and(s = signature::text::text_signature) FROM message, LATERAL (SELECT signature AS s OFFSET 0) x WHERE signature IS NOT NULL;
SELECT n, count(*) FROM (SELECT count(*) AS n FROM (SELECT signature(CASE i % 3 WHEN 0 THEN 'a b' WHEN 1 THEN 'A B' ELSE 'c' END) AS s FROM generate_series(1, 30) i) x GROUP BY s) y GROUP BY n ORDER BY n;
SELECT count(*) FROM (SELECT s FROM (VALUES (signature('b')), (signature('a')), (signature('')), (signature('a b c'))) v(s) ORDER BY s) x;
SELECT a < b, a <= b, a = b, a <> b, a >= b, a > b FROM (SELECT signature('') AS a, signature('x') AS b) v;
SELECT pg_column_size(signature), pg_column_size(signature(repeat('long text ', 1000))) FROM message WHERE id = 1;
CREATE INDEX ON message (signature);
CREATE INDEX ON message USING hash (signature);
SET enable_seqscan = off;
SELECT id FROM message WHERE signature = (SELECT signature FROM message WHERE id = 17);
RESET enable_seqscan;

-- text form
SELECT signature('hello world') AS hello \gset
SELECT left(:'hello', 12), length(:'hello'), upper(:'hello')::text_signature = signature('hello world');
SELECT signature('')::text = '1:0:' || repeat('0', 256);
SELECT ''::text_signature;
SELECT '1:'::text_signature;
SELECT '1::'::text_signature;
SELECT ('2' || substr(:'hello', 2))::text_signature IS NULL;
SELECT (:'hello' || '0')::text_signature IS NULL;
SELECT rtrim(:'hello', '0123456789abcdef')::text_signature;
SELECT (overlay(:'hello' PLACING 'g' FROM 10))::text_signature IS NULL;
SELECT (overlay(:'hello' PLACING ' ' FROM 10))::text_signature IS NULL;
SELECT ('1:0:' || repeat('0', 255) || '1')::text_signature IS NULL;
SELECT ('1:-1:' || repeat('0', 256))::text_signature IS NULL;
SELECT signature_length(('1:16384:' || repeat('0', 256))::text_signature);
SELECT ('1:16385:' || repeat('0', 256))::text_signature IS NULL;
SELECT ('1:99999999999999999999:' || repeat('0', 256))::text_signature IS NULL;

-- binary form
SELECT encode(substr(b, 1, 3), 'hex'), length(b) FROM text_signature_send(signature('hello world')) b;
\set type assay.text_signature
\set ECHO none
\i sql/fixtures/try_binary.sql
\set ECHO all
SELECT encode(text_signature_send(signature('hello world')), 'hex') AS good \gset
SELECT try_binary(:'good') = :'hello' AS good;
SELECT what, try_binary(overlay(:'good' placing hex FROM from_byte * 2 + 1)) FROM (VALUES
	('format', 0, '02'), ('too many words', 1, '4001'), ('places without words', 1, '0000')) v(what, from_byte, hex);
SELECT try_binary(left(:'good', -2)) AS truncated, try_binary(:'good' || '00') AS longer, try_binary('') AS empty;
SELECT pg_backend_pid() AS pid \gset
\setenv pid :pid
\! rm -f /tmp/assay_binary.$pid
DROP FUNCTION try_binary;

-- what is stored goes on meaning the same: a change here needs a new format
SELECT md5(signature('Dear Ann, Grüße & 中文 from http://a.example/b, no. 7')::text), (signature_bands(signature('hello world')))[1], (signature_bands(signature('hello world'), '2024-01-02'))[20];

-- stated properties
SELECT p.oid::regprocedure, provolatile, proisstrict, proparallel, procost FROM pg_proc p
WHERE pronamespace = 'assay'::regnamespace AND proname IN ('signature', 'signature_words', 'signature_length', 'similar', 'signature_bands') ORDER BY p.oid::regprocedure::text COLLATE "C";
DROP TABLE message;
