-- text_content: what a text model sees of a message; occurrences and header_lines, which signals views count and join
SET client_min_messages = warning;
SET search_path = public, assay;
\pset null (null)

-- ---- what is read ------------------------------------------------------------------
SELECT text_content('Hello', 'a body'), text_content(NULL, NULL), text_content('', '', '{}', '{}', '{}');
-- headers that a model reads, by their first value; others, and what is no string, not
SELECT text_content(NULL, NULL, '{"from": ["A <a@b.c>", "second"], "x-mailer": "mutt", "received": ["from x"], "to": ["y"], "organization": [], "importance": [1], "message-id": {"a": 1}, "X-FACE": "f"}');
SELECT text_content(NULL, NULL, 'null'), text_content(NULL, NULL, NULL, NULL, NULL, NULL);
SELECT text_content(NULL, NULL, '["from"]');
SELECT text_content(NULL, NULL, NULL, '{http://a.example/,NULL,b}', '{one,NULL,two}');
-- limits: beginnings, of whole characters
SELECT octet_length(c ->> 'subject') AS subject, octet_length(c ->> 'body') AS body, jsonb_array_length(c -> 'urls') AS urls, jsonb_array_length(c -> 'tokens') AS tokens,
	octet_length(c -> 'urls' ->> 0) AS url, octet_length(c -> 'headers' ->> 'x-mailer') AS header
FROM text_content(repeat('ä', 600), repeat('x', 32767) || 'äöü', jsonb_build_object('x-mailer', repeat('m', 9000)),
	array(SELECT repeat('u', 9000) FROM generate_series(1, 300)), array(SELECT i::text FROM generate_series(1, 257) i)) c;
SELECT octet_length(text_content(repeat('x', n), repeat('y', 31744 + n)) ->> 'subject') AS subject, octet_length(text_content(repeat('x', n), repeat('y', 31744 + n)) ->> 'body') AS body
FROM (VALUES (1023), (1024), (1025)) v(n);
-- it scores as the whole object does, of made-up mail with all of a message's parts
CREATE TABLE mail AS
SELECT i AS id, i % 3 = 0 AS malicious, 'Subject ' || i % 7 || CASE WHEN i % 3 = 0 THEN ' CHEAP pills' ELSE ' of the meeting' END AS subject,
	repeat('Words of message ' || i % 11 || E', and more\n', 1 + i % 40) AS body, ARRAY['http://host' || i % 5 || '.example.com/path/x', 'mailto:a@b.c'] AS urls,
	jsonb_build_object('from', ARRAY[format('P%s <p%s@x%s.example>', i % 9, i % 9, i % 4)], 'received', ARRAY['from a by b', 'from c by d'], 'x-mailer', ARRAY['Mailer ' || i % 3],
		'message-id', ARRAY[format('<%s.%s@x%s.example>', i, md5(i::text), i % 4)], 'content-type', ARRAY['text/plain; boundary="' || i || '"'], 'reply-to', ARRAY['r@y.example'],
		'to', ARRAY['reader@example.org'], 'In-Reply-To', ARRAY['<z>']) AS headers
FROM generate_series(1, 120) i;
SELECT count(*) AS differ FROM mail, (SELECT text_model_agg(malicious, jsonb_build_object('subject', subject, 'body', body, 'headers', headers, 'urls', urls, 'tokens', '["t"]'::jsonb)) AS whole,
		text_model_agg(malicious, text_content(subject, body, headers, urls, '{t}')) AS made FROM mail) m
WHERE made <> whole OR text_margin(whole, text_content(subject, body, headers, urls, '{t}')) <> text_margin(whole, jsonb_build_object('subject', subject, 'body', body, 'headers', headers, 'urls', urls, 'tokens', '["t"]'::jsonb));

-- ---- what is left out --------------------------------------------------------------
SELECT create_phrase_set('own');
INSERT INTO phrase (set, name, pattern, kind) VALUES ('own', 'names', '(zzzz|yyyy)\w*|jm\w*@[\w.]+|example\.(com|org)|z+', 'regex'), ('own', 'ann', 'Ann Lee', 'literal');
SELECT text_content('zzzz1 of Ann  LEE', 'jm_x@zzzz.example.org, zz Anna, planner', '{"from": ["ann lee <jm@q.r>"], "x-mailer": "example.com"}', '{http://example.com/,http://zz/}', '{zzzz}', 'own');
-- as regexp_replace does by the same expression, at every place of every part, where no place begins within another
CREATE TABLE word AS SELECT w, n FROM unnest('{zzzz,yyyy_1,jm@a.b,jmx@example.com,example.org,zz,jm,@,.,word,Zzzzé,example.comjm@,ü}'::text[]) WITH ORDINALITY u(w, n);
SELECT count(*), count(*) FILTER (WHERE c ->> 'subject' <> regexp_replace(t, e, ' ', 'gi') OR c ->> 'body' <> regexp_replace(reverse(t), e, ' ', 'gi') OR c -> 'urls' ->> 0 <> regexp_replace(t, e, ' ', 'gi')
	OR c -> 'headers' ->> 'from' <> regexp_replace(t, e, ' ', 'gi')) AS differ
FROM (SELECT a.w || s.s || b.w || s.s || c.w AS t, '(zzzz|yyyy)[[:alnum:]_]*|jm[a-z0-9_]*@[a-z0-9_.]+|example\.(com|org)|z+' AS e FROM word a, word b, word c, (VALUES (' '), (E'\n')) s(s)
	WHERE a.w || b.w || c.w !~ 'é') x, text_content(t, reverse(t), jsonb_build_object('from', t), ARRAY[t, t], NULL, 'own') c;
-- no place goes from one part into the next
SELECT text_content('Ann', 'Lee jm', NULL, '{@a.b}', NULL, 'own');
-- what is all left out, expired, or in a set without phrases, or in none that can be
SELECT text_content('zzzz', 'zzzz', '{"from": "zzzz"}', '{zzzz}', '{zzzz}', 'own');
UPDATE phrase SET expires_at = '2001-01-01' WHERE set = 'own' AND name = 'names';
SELECT text_content('zzzz Ann Lee', '', NULL, NULL, NULL, 'own');
SELECT text_content('zzzz', 'y', NULL, NULL, NULL, 'nobody made it');
SELECT text_content('a', 'b', NULL, NULL, NULL, '');
-- a policy's ledger names the set
CREATE VIEW signals AS SELECT id, text_content(subject, body, headers, urls, without => 'own') AS content FROM mail;
SELECT create_policy('own', 'signals', '{id}') > 0 AS made;
SELECT create_detector('own', 'd', 'content IS NOT NULL', weight => 1, mode => 'live') > 0 AS made;
SELECT s.kind, s.name FROM signals m, score('own', m) x, states(x.attribution) s WHERE m.id = 1;
SELECT drop_policy('own', drop_tables => true);

-- ---- occurrences -------------------------------------------------------------------
SELECT occurrences('a!b!!', '{!,b,!!,x,""}'), occurrences('', '{a}'), occurrences('aaaa', '{a,aa,aaa,aaaa,aaaaa}'), occurrences('a', '{}');
SELECT occurrences(NULL, '{a}') IS NULL, occurrences('a', NULL) IS NULL, occurrences('a', '{NULL,a}'), occurrences('aéé', '{é}'), occurrences('ab', '{{a,b},{c,a}}');
SELECT occurrences('a', array(SELECT 'a' FROM generate_series(1, n))) FROM (VALUES (100), (101)) v(n);
SELECT count(*) AS differ FROM mail, unnest(ARRAY['o', E'\n', E'\n>', 'and', 'ss', 'message 1', E'e\n']) s
WHERE (occurrences(body, ARRAY['x', s]))[2] <> (octet_length(body) - octet_length(replace(body, s, ''))) / octet_length(s);
SELECT occurrences(repeat('ab', 2000000), '{ab,b,ba,abc}');
-- a long string is looked for as quickly as it is cancelled: what comes behind it in the statement is never reached
CREATE SEQUENCE reached;
BEGIN;
SET LOCAL statement_timeout = '20ms';
SELECT occurrences(repeat('a', n), ARRAY[repeat('a', 900000) || 'b']), nextval('reached') FROM generate_series(950000, 950000) n;
ROLLBACK;
SELECT is_called FROM reached;
DROP SEQUENCE reached;

-- ---- header_lines ------------------------------------------------------------------
SELECT header_lines('{"received": ["a", "b"], "to": "c", "n": 1, "m": [1, "d", null]}', h) FROM unnest('{received,to,n,m,none,""}'::text[]) h;
SELECT header_lines(NULL, 'a') IS NULL, header_lines('{}', NULL) IS NULL, header_lines('null', 'a'), header_lines('[1]', 'a'), header_lines('"a"', 'a');

-- headers are unpacked once beside a body, and never taken for others'
CREATE TABLE kept AS SELECT id, repeat(body, 60) AS body, jsonb_build_object('to', 'n' || id, 'x', repeat(md5(id::text), 100)) AS headers, repeat(id::text || ' words ', 500) AS other FROM mail;
SELECT count(*) AS differ FROM kept a JOIN kept b ON b.id = 121 - a.id
WHERE (header_values(a.headers, '{to}'))[1] <> 'n' || a.id OR (text_facts(a.body)).characters <> length(a.body) OR (header_lines(b.headers, 'to'))[1] <> 'n' || b.id
	OR (text_facts(b.other)).characters <> length(b.other) OR (header_lines(a.headers, 'to'))[1] <> 'n' || a.id OR (occurrences(a.body, '{words}'))[1] <> (octet_length(a.body) - octet_length(replace(a.body, 'words', ''))) / 5;
SELECT drop_set('own');
DROP TABLE mail, kept, word CASCADE;
