-- The type text_model, its aggregates and scores, and models that learn
SET search_path = public, assay, assay_internal;
SET extra_float_digits = 0;
SET TimeZone = 'UTC';

CREATE TABLE mail (id int PRIMARY KEY, malicious boolean, at timestamptz, subject text, body text);
INSERT INTO mail
SELECT i, i % 3 = 0, timestamptz '2024-01-28 00:00+00' + i * interval '3 hours',
	CASE WHEN i % 3 = 0 THEN 'Cheap pills ' || i % 5 ELSE 'Meeting notes ' || i % 4 END,
	'Dear ' || CASE WHEN i % 3 = 0 THEN 'customer, click http://pills' || i % 2 || '.example.com/buy now ' ELSE 'Ann, see you at ' END ||
	i % 7 || ' ' || md5(i::text)
FROM generate_series(1, 240) i;
INSERT INTO mail VALUES (1000, NULL, now(), 'not', 'labelled'), (1001, true, now(), NULL, NULL);

-- ---- building -----------------------------------------------------------------

SELECT * FROM text_model_info((SELECT text_model_agg(malicious, body) FROM mail));
SELECT text_model_agg(malicious, body) IS NULL FROM mail WHERE id >= 1000;
SELECT text_model_agg(NULL::text_model) IS NULL;
SELECT (text_model_info(text_model_agg(true, ''))).* ;

-- no order, grouping or form of a state shows in a sum
CREATE TEMP TABLE whole AS SELECT text_model_agg(malicious, body) AS m FROM mail;
SELECT (SELECT text_model_agg(malicious, body ORDER BY id DESC) FROM mail) = m AS backwards,
	(SELECT text_model_agg(p) FROM (SELECT text_model_agg(malicious, body) AS p FROM mail GROUP BY id % 7) g) = m AS of_parts,
	(SELECT text_model_agg(text_model_of(malicious, body)) FROM mail) = m AS of_messages,
	(SELECT text_model_agg(malicious, body) FROM mail WHERE id < 100) + (SELECT text_model_agg(malicious, body) FROM mail WHERE id >= 100) = m AS plus,
	m - (SELECT text_model_agg(malicious, body) FROM mail WHERE id < 100) = (SELECT text_model_agg(malicious, body) FROM mail WHERE id >= 100) AS minus,
	(SELECT text_model_agg(malicious, body, 1) FROM mail) = m AS weight_1,
	(SELECT text_model_agg(malicious, jsonb_build_object('body', body)) FROM mail WHERE body IS NOT NULL) = m AS jsonb
FROM whole;
SELECT (text_model_info(m - m)).tokens, m - m + m = m AS zero, (m - m) - m + m = m - m AS negative, m <> m + m AS twice FROM whole;
SELECT (text_model_info(text_model_agg(p) OVER (ORDER BY n))).malicious
FROM (SELECT id / 60 AS n, text_model_agg(malicious, body) AS p FROM mail WHERE id < 240 GROUP BY 1) g ORDER BY n;

-- weights and decay are integers too
SELECT (SELECT text_model_agg(malicious, body, 0.5) FROM mail) + (SELECT text_model_agg(malicious, body, 0.5) FROM mail) = m AS halves,
	(SELECT text_model_agg(malicious, body, 0) FROM mail) = m - m AS nothing
FROM whole;
CREATE TEMP TABLE decayed AS SELECT text_model_agg(malicious, body, 1, at, '7 days') AS m FROM mail;
SELECT (SELECT text_model_agg(malicious, body, 1, at, '7 days' ORDER BY id DESC) FROM mail) = m AS backwards,
	(SELECT text_model_agg(p) FROM (SELECT text_model_agg(malicious, body, 1, at, '7 days') AS p FROM mail GROUP BY id % 5) g) = m AS of_parts,
	(SELECT text_model_agg(malicious, body, 1, at, '7 days') FROM mail WHERE id < 100) + (SELECT text_model_agg(malicious, body, 1, at, '7 days') FROM mail WHERE id >= 100) = m AS plus
FROM decayed;
SELECT round(malicious::numeric, 3) AS malicious, round(safe::numeric, 3) AS safe, half_life, last FROM decayed, text_model_info(m);
-- two messages a half-life apart: the earlier counts half
SELECT malicious FROM text_model_info((SELECT text_model_agg(true, 'a', 1, t, '1 day') FROM unnest('{2024-03-01,2024-03-02}'::timestamptz[]) t));
SELECT text_model_agg(true, 'a', 1, t, '1 day') IS NOT NULL FROM unnest('{2024-03-01,2024-04-24}'::timestamptz[]) t;
SELECT text_model_agg(true, 'a', 1, t, '1 day') FROM unnest('{2024-03-01,2024-04-25}'::timestamptz[]) t;
SELECT text_model_of(true, 'a', 1, '2024-01-01', '1 day') + text_model_of(true, 'a', 1, '2024-01-01', '2 days');
SELECT text_model_agg(true, 'a', 1, '2024-01-01', CASE WHEN i > 1 THEN interval '1 day' END) FROM generate_series(1, 2) i;

-- limits, at n and n + 1
SELECT text_model_of(true, 'a', 1000000) IS NOT NULL;
SELECT text_model_of(true, 'a', 1000001);
SELECT text_model_of(true, 'a', -1);
SELECT text_model_of(true, 'a', 'NaN');
SELECT text_model_of(true, 'a', 1, '2024-01-01', '1 day') IS NOT NULL, text_model_of(true, 'a', 1, '2024-01-01', '36525 days') IS NOT NULL;
SELECT text_model_of(true, 'a', 1, '2024-01-01', '23:59:59');
SELECT text_model_of(true, 'a', 1, '2024-01-01', '36526 days');
SELECT text_model_of(true, 'a', 1, '2024-01-01', '1 month');
SELECT text_model_of(true, 'a', 1, 'infinity', '1 day');
SELECT text_model_of(true, 'a', 1000000, '2024-01-01', '1 day') = text_model_of(true, 'a', 1000000, '2024-01-01', '1 day');
-- a body is read up to 32,768 bytes
SELECT (text_model_info(text_model_of(true, repeat('.', 32767) || 'x'))).tokens, (text_model_info(text_model_of(true, repeat('.', 32768) || 'x'))).tokens;

-- a plan in parallel, and partial states as they travel
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
ALTER TABLE mail SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT text_model_agg(malicious, body) FROM mail;
SELECT text_model_agg(malicious, body) = (SELECT m FROM whole) AS parallel FROM mail;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;
-- support functions by themselves
SELECT text_model_accum(NULL, true, 'a') = text_model_of(true, 'a'), text_model_accum(text_model_of(true, 'a'), false, 'b') = text_model_of(true, 'a') + text_model_of(false, 'b'),
	text_model_accum(NULL, NULL, NULL) IS NULL, text_model_combine(NULL, NULL) IS NULL, text_model_combine(NULL, text_model_of(true, 'a')) = text_model_of(true, 'a'),
	text_model_accum(text_model_of(true, 'a'), NULL, NULL) = text_model_of(true, 'a');

-- ---- text and binary form -----------------------------------------------------------

SELECT text_model_of(true, 'Buy now');
SELECT text_model_calibrate(text_model_of(false, 'x', 0.3, '2024-02-29 12:00+00', '30 days'), 1.37, -1.32);
SELECT m::text::text_model = m AS text, m::text::text_model::text = m::text AS same FROM (TABLE whole UNION ALL TABLE decayed) x;
SELECT p::text::text_model = p AS text FROM (SELECT text_model_calibrate(text_model_publish(m, 2048), 0.1, 1e-300) AS p FROM decayed) x;
CREATE TEMP TABLE copied AS SELECT m FROM whole UNION ALL SELECT m FROM decayed UNION ALL SELECT text_model_publish(m) FROM whole;
CREATE TEMP TABLE again (m text_model);
SELECT current_setting('data_directory') || '/text_model.copy' AS file \gset
COPY copied TO :'file' (FORMAT binary);
COPY again FROM :'file' (FORMAT binary);
SELECT count(*) FROM copied c JOIN again a ON a.m = c.m;

-- values that are none
SELECT ''::text_model;
SELECT '{"format": 1}'::text_model;
CREATE FUNCTION broken(what text, find text DEFAULT '', put text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text;
BEGIN
	PERFORM replace('{"format": 1, "kind": "counts", "tokens_version": 1, "tokens": 1, "base": 8, "malicious": 1, "safe": 0, "half_life": 0, "last": 0, "data": "' || what || '"}',
		find, put)::assay.text_model;
	RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || detail;
END $$;
SELECT n, encode(bytes, 'hex') AS bytes, broken(encode(bytes, 'base64'), find, put) FROM (VALUES
	(1, '\x010f'::bytea, '', ''),                             -- distance 1 (fingerprint 0), 15 * 1 + 0
	(2, '\x01', '', ''),                                      -- no counts
	(3, '\x000f', '', ''),                                    -- distance 0
	(4, '\x0100', '', ''),                                    -- counts 0, 0
	(5, '\x01e1', '', ''),                                    -- 225: neither small counts nor 255
	(6, '\x01ff0200', '', ''),                                -- 1 and 0 as varints, though small
	(7, '\x01ff0100', '', ''),                                -- -1 and 0
	(8, '\x01ffffffffffffffffffff0100', '', ''),              -- -2^63
	(9, '\x01ffffffffffffffffffff02', '', ''),                -- more than 64 bits
	(10, '\x81000f', '', ''),                                 -- distance 1 in two bytes
	(11, '\x80808080802010', '', ''),                         -- distance 2^40: the last fingerprint; counts 1, 1
	(12, '\x81808080802010', '', ''),                         -- distance 2^40 + 1
	(13, '\x010f010f', '', ''),                               -- two tokens where there is one
	(14, '\x010f', '"tokens": 1', '"tokens": 2'),
	(15, '\x010f', '"tokens": 1', '"tokens": 4294967295'),
	(16, '\x010f', '"tokens": 1', '"tokens": 4294967296'),
	(17, '\x011e', '"malicious": 1', '"malicious": 2'),       -- all counts even: the base could be larger
	(18, '\x010f', '"base": 8', '"base": 64'),
	(19, '\x010f', '"base": 8', '"base": -1'),
	(20, '\x010f', '"format": 1', '"format": 2'),
	(21, '\x010f', '"tokens_version": 1', '"tokens_version": 2'),
	(22, '\x010f', '"last": 0', '"last": 1'),
	(23, '\x010f', '"half_life": 0', '"half_life": 1'),
	(24, '\x010f', '"last": 0', '"last": 0, "slope": 1, "intercept": 0'),
	(25, '\x010f', '"last": 0', '"last": 0, "slope": 1e999, "intercept": 0'),
	(26, '\x010f', 'counts', 'published'),                    -- a weight has two bytes
	(27, '\x010f00', 'counts', 'published'),
	(28, '\x010000', 'counts', 'published'),                  -- weight 0
	(29, '\x010080', 'counts', 'published'),                  -- weight -32768
	(30, '\x80808080100100', 'counts', 'published'),          -- the last fingerprint of 32 bits
	(31, '\x81808080100100', 'counts', 'published')
) v(n, bytes, find, put) ORDER BY n;

-- ---- scores ---------------------------------------------------------------------------

SELECT round(text_margin(m, 'Dear customer, click here now')::numeric, 4) AS spam, round(text_margin(m, 'Dear Ann, see you')::numeric, 4) AS ham,
	text_margin(m, '') AS empty, text_margin(m, 'zzz') AS unknown FROM whole;
-- one class alone says nothing
SELECT text_margin(text_model_of(true, 'a'), 'a');
SELECT text_score(m, NULL::text), text_score(NULL, 'a') FROM whole;
-- contributions add up to the margin, whatever is shown
SELECT bool_and(abs(total - text_margin(m, body)) < 1e-6) FROM whole, mail, unnest('{0,1,3,1000}'::int[]) top,
	LATERAL (SELECT coalesce(sum(contribution), 0) AS total FROM text_explain(m, body, top)) e WHERE body IS NOT NULL;
SELECT token, round(contribution::numeric, 4) FROM whole, text_explain(m, 'Dear customer, see http://pills1.example.com/buy', 5);
SELECT count(*) FROM whole, text_explain(m, 'Dear customer', 0);
SELECT * FROM whole, text_explain(m, 'Dear customer', -1);

-- every kind of part
CREATE TEMP TABLE parts AS SELECT '{
	"subject": "Bank ALERT", "body": "Grüße 日本語 ไทย https://User:pw@Login.Evil-Bank.co.uk:8080/secure/update?id=1 http://10.0.0.1/x",
	"headers": {"from": ["Mr. Smith <smith@mail.example.com>"], "reply-to": "other@example.net", "message-id": ["<ABC123.x@relay.example.com>"],
		"x-mailer": ["The Bat! (v1.52f)"], "content-type": "multipart/mixed; boundary=\"----=_NextPart_1\"", "received": ["from nowhere"], "in-reply-to": ["<1@x>"]},
	"urls": ["http://a.b.example.org/path/to"], "tokens": ["attachment:exe"]}'::jsonb AS part;
SELECT token FROM parts, text_explain(text_model_of(true, part) + text_model_of(false, 'unlike'), part, 1000) ORDER BY token COLLATE "C";
-- of an address or host that is cut within a character the half of it is not named
SELECT n, count(*), bool_and(convert_from(convert_to(token, 'UTF8'), 'UTF8') = token) FROM generate_series(0, 2) n,
	LATERAL jsonb_build_object('headers', jsonb_build_object('From', repeat('a', n) || '@' || repeat('é', 150) || '.com', 'Reply-To', repeat('a', n) || '@' || repeat('日', 100)), 'urls', ARRAY['http://' || repeat('b', n) || repeat('é', 1500)]) part,
	text_explain(text_model_of(true, part) + text_model_of(false, 'unlike'), part, 1000) GROUP BY n ORDER BY n;
-- object and row say the same
SELECT text_margin(m, part) = text_margin(m, r), text_score(m, part - 'headers') = text_score(m, r2)
FROM parts, (SELECT text_model_of(true, part) + text_model_of(false, 'unlike Bank') AS m FROM parts) x,
	LATERAL (SELECT part ->> 'subject' AS subject, (part ->> 'body')::varchar AS body_text, part -> 'headers' AS headers, part -> 'urls' AS urls,
		ARRAY['attachment:exe'] AS tokens, 7 AS other) r,
	LATERAL (SELECT part ->> 'subject' AS subject, part ->> 'body' AS body, ARRAY['http://a.b.example.org/path/to', NULL] AS urls, part -> 'tokens' AS tokens) r2;
SELECT text_margin(m, x) IS NOT NULL FROM whole, (SELECT NULL::text AS subject, NULL::jsonb AS headers, NULL::text[] AS urls) x;
SELECT text_margin(m, x) FROM whole, (SELECT 1 AS id) x;
SELECT text_margin(m, x) FROM whole, (SELECT 1 AS body) x;
SELECT text_margin(m, '{"bdoy": "x"}'::jsonb) FROM whole;
SELECT text_margin(m, '[]'::jsonb) FROM whole;
SELECT text_margin(m, '{"body": 1}'::jsonb) FROM whole;
SELECT text_margin(m, '{"urls": "x"}'::jsonb) FROM whole;
SELECT text_margin(m, '{"headers": []}'::jsonb) FROM whole;
SELECT text_margin(m, '{"body": null, "urls": [1, null], "headers": {"from": null, "x-mailer": [], "y": {}}}'::jsonb) IS NOT NULL FROM whole;

-- ---- pruning, publishing, calibrating ---------------------------------------------------

SELECT kind, tokens, bytes <= 1024 AS small FROM whole, text_model_info(text_model_publish(m, 1024));
SELECT text_model_publish(m, 1023) FROM whole;
-- unpruned, it scores the same
SELECT bool_and(text_margin(m, body) = text_margin(text_model_publish(m), body)) FROM whole, mail WHERE body IS NOT NULL;
SELECT text_model_publish(m) + m FROM whole;
SELECT text_model_publish(text_model_publish(m)) FROM whole;
SELECT text_model_agg(text_model_publish(m)) FROM whole;
SELECT (text_model_info(m)).tokens > 240 AS hapaxes, (text_model_info(text_model_prune(m, 2))).tokens AS without, text_model_prune(m, 0) = m AS none FROM whole;
SELECT text_model_prune(m, -1) FROM whole;
SELECT text_score(c, body) = (1.5 * text_margin(m, body)::float8 - 0.25)::real AS calibrated, (text_model_info(c + m)).slope AS sum
FROM (SELECT m, text_model_calibrate(m, 1.5, -0.25) AS c FROM whole) x, mail WHERE id = 3;
SELECT text_model_calibrate(m, 0, 1) FROM whole;
SELECT text_model_calibrate(m, 'NaN', 1) FROM whole;
-- Platt: margins of known log-odds 2 m - 1, here by their expectation
SELECT round(slope::numeric, 2) AS slope, round(intercept::numeric, 2) AS intercept
FROM text_model_info((SELECT text_model_calibrate((TABLE whole), array_agg(x), array_agg(l)) FROM (
	SELECT x::real, l FROM generate_series(-2.0, 3.0, 0.25) x, generate_series(1, 1000) i, LATERAL (SELECT i <= 1000 / (1 + exp(-(2 * x - 1)))) y(l)) z));
SELECT text_model_calibrate(m, '{1,2}'::real[], '{t}') FROM whole;
SELECT text_model_calibrate(m, '{1,NULL}'::real[], '{t,f}') FROM whole;
SELECT text_model_calibrate(m, '{-1,1,-1,1}'::real[], '{t,f,t,f}') FROM whole;

\set SHOW_CONTEXT never
-- ---- learning ------------------------------------------------------------------------------

CREATE TABLE label (id int, malicious boolean, source text, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
SELECT create_text_model('mails', 'mail', $$jsonb_build_object('subject', subject, 'body', body)$$, 'label', delay => '12 hours');
SELECT text_model_at('mails') IS NULL AS nothing_yet, learn('mails');
INSERT INTO label SELECT id, malicious, 'reviewer', at FROM mail WHERE id <= 240;
SELECT learn('mails'), learn('mails');
SELECT count(*) AS days, min(day), max(day), sum(changes), count(total) AS totals, count(published) AS published, bool_or(slope IS NOT NULL) AS calibrated FROM mails_version;
-- as of a moment: what was known before its day
CREATE FUNCTION direct(until timestamptz) RETURNS text_model LANGUAGE sql AS $$
	SELECT text_model_agg(l.malicious, c.content)
	FROM (SELECT DISTINCT ON (id) * FROM label WHERE labelled_at + '12 hours' < until ORDER BY id, labelled_at DESC) l JOIN mails_content c USING (id) $$;
SELECT day, text_model_at('mails', day) IS NULL AS none,
	(text_model_info(text_model_at('mails', day))).malicious = (text_model_info(direct(day))).malicious AS messages,
	bool_and(text_margin(text_model_at('mails', day), c.content) = text_margin(direct(day), c.content)) AS same
FROM unnest('{2024-01-28,2024-01-30,2024-02-01,2024-02-20,2024-03-01}'::timestamptz[]) day, mails_content c WHERE c.id BETWEEN 1 AND 9
GROUP BY day ORDER BY day;
SELECT (SELECT total FROM mails_version ORDER BY day DESC LIMIT 1) = direct('infinity') AS all_of_it;
-- what was published while it learned is what is put together where nothing is published
-- (whatever columns of its owner's are in the table)
BEGIN;
CREATE TEMP TABLE as_learned AS SELECT day, published FROM mails_version;
ALTER TABLE mails_version ADD m int, ADD model int;
UPDATE mails_version SET published = NULL;
SELECT count(*) AS versions, bool_and(text_model_at('mails', a.day + 1) = a.published) AS same FROM as_learned a;
ROLLBACK;
-- margins of those counted are of the model that had not seen them
SELECT count(margin), bool_and(abs(margin - text_margin(direct((mail.at + '12 hours')::date), content)) < 1e-6) AS held_back
FROM mails_counted n JOIN mails_content c USING (id) JOIN mail USING (id) WHERE id BETWEEN 30 AND 60;
-- a poisoned batch is taken out by its labels, a label corrected by a later one, a message gone meanwhile
UPDATE label SET source = 'attacker' WHERE id BETWEEN 100 AND 140;
CREATE TEMP TABLE before AS SELECT text_model_at('mails', '2024-02-20') AS m;
DELETE FROM label WHERE source = 'attacker';
INSERT INTO label VALUES (50, true, 'second look', '2024-03-05'), (51, NULL, 'unknown', '2024-03-05');
DELETE FROM mail WHERE id = 120;
SELECT learn('mails'), learn('mails');
SELECT (SELECT total FROM mails_version ORDER BY day DESC LIMIT 1) = direct('infinity') AS taken_out, text_model_at('mails', '2024-02-20') = m AS history_stands FROM before;
-- a label for a message that isn't there waits for it
INSERT INTO label VALUES (500, true, 'early', '2024-03-06');
SELECT learn('mails');
INSERT INTO mail VALUES (500, NULL, '2024-03-06', 'late', 'message');
SELECT learn('mails');
-- what it is made of is gone
BEGIN;
DROP VIEW mails_content;
SELECT learn('mails');
ROLLBACK;
SELECT name, source, labels, key, delay, half_life, max_bytes, versions, learned_until IS NOT NULL AS learned FROM text_models;
SELECT create_text_model('mails', 'mail', 'body', 'label');

-- labels of more days than there may be steps: so many versions, each as of the end of its day
CREATE TABLE year_mail (id int PRIMARY KEY, body text);
CREATE TABLE year_label (id int PRIMARY KEY, malicious boolean, labelled_at timestamptz);
INSERT INTO year_mail SELECT i, CASE WHEN i % 3 = 0 THEN 'win cash ' ELSE 'see you ' END || 'w' || i % 17 FROM generate_series(1, 900) i;
INSERT INTO year_label SELECT i, i % 3 = 0, timestamptz '2023-01-01 06:00+00' + i * interval '20 hours' FROM generate_series(1, 900) i;
SELECT create_text_model('year', 'year_mail', 'body', 'year_label'), create_text_model('coarse', 'year_mail', 'body', 'year_label'),
	create_text_model('daily', 'year_mail', 'body', 'year_label');
SELECT learn('year'), learn('coarse', steps => 12), learn('daily', steps => 1000);
SELECT count(DISTINCT (labelled_at AT TIME ZONE 'UTC')::date) AS days, (SELECT count(*) FROM year_version) AS by_default, (SELECT count(*) FROM coarse_version) AS coarse,
	(SELECT count(*) FROM daily_version) AS daily FROM year_label;
SELECT max(changes) - min(changes) <= 2 AS alike FROM year_version;
-- the newest 128 lie there published: of older ones what is put together
SELECT count(*) FILTER (WHERE published IS NOT NULL) AS published, bool_and((published IS NOT NULL) = (n <= 128)) AS the_newest
FROM (SELECT published, row_number() OVER (ORDER BY day DESC) AS n FROM daily_version) v;
SELECT pg_table_size('daily_version') < 2 * (SELECT sum(pg_column_size(v.*)) FROM daily_version v) AS no_others_were_written;
SELECT bool_and(text_model_at('daily', day + 1) = text_model_publish((SELECT text_model_agg(v.delta) FROM daily_version v WHERE v.day <= d.day), 1048576)) AS same
FROM (SELECT day FROM daily_version WHERE slope IS NULL ORDER BY day LIMIT 20) d;
-- as of any day a model has the labels up to the end of its last version, which is an earlier day
SELECT count(*) AS days, count(*) FILTER (WHERE seen > known) AS ahead, max(known - seen) AS behind, bool_and(exact) AS exact
FROM (SELECT d, (SELECT count(*) FROM year_label WHERE labelled_at < d) AS known, coalesce(v.seen, 0) AS seen,
		coalesce((text_model_info(text_model_at('year', d))).malicious + (text_model_info(text_model_at('year', d))).safe, 0) = coalesce(v.seen, 0) AS exact
	FROM generate_series(timestamptz '2023-01-02 00:00+00', '2025-02-01', '17 days') d
	LEFT JOIN LATERAL (SELECT (SELECT count(*) FROM year_label WHERE (labelled_at AT TIME ZONE 'UTC')::date <= y.day) AS seen
		FROM year_version y WHERE y.day < (d AT TIME ZONE 'UTC')::date ORDER BY y.day DESC LIMIT 1) v ON true) x;
SELECT (SELECT total FROM year_version ORDER BY day DESC LIMIT 1) = (SELECT total FROM daily_version ORDER BY day DESC LIMIT 1) AS the_same_in_the_end,
	(SELECT total FROM coarse_version ORDER BY day DESC LIMIT 1) = (SELECT text_model_agg(malicious, body) FROM year_label JOIN year_mail USING (id)) AS all_of_it;
-- what comes later is learned day by day
INSERT INTO year_mail SELECT i, 'see you' FROM generate_series(901, 903) i;
INSERT INTO year_label SELECT i, false, timestamptz '2025-03-01 06:00+00' + (i - 900) * interval '1 day' FROM generate_series(901, 903) i;
UPDATE text_model_registry SET learned_until = '2025-02-15' WHERE name = 'coarse';
SELECT learn('coarse', steps => 4);
SELECT count(*) AS versions FROM coarse_version;
-- of five days each gets its version where there may be six with today's
SELECT s AS steps, count(*) AS versions, min(d), max(d) FROM unnest('{5,6,7}'::int[]) s, text_model_days('year_label', '0', '2023-01-03 00:00+00', '2023-01-08 12:00+00', s) d
GROUP BY s ORDER BY s;
SELECT learn('year', steps => 1);
SELECT drop_text_model('year'), drop_text_model('coarse'), drop_text_model('daily');
DROP TABLE year_mail, year_label;

-- decay
SELECT create_text_model('fading', 'mail', 'body', 'label', at => 'at', half_life => '1 day');
SELECT learn('fading');
SELECT round(malicious::numeric, 2) AS malicious, half_life, last FROM text_model_info(text_model_at('fading'));
-- with a half-life, what a version has depends on where its sum begins: only those that were the latest, and the one before, are published
SELECT count(*) > 20 AS versions, count(published) AS published FROM fading_version;
DELETE FROM label WHERE id <= 20;
SELECT learn('fading');
-- twelve half-lives before the latest message and more weigh nothing
SELECT abs((text_model_info(text_model_at('fading'))).safe - (text_model_info(text_model_agg(l.malicious, body, 1, mail.at, '1 day'))).safe) < 0.01 AS late_only,
	(text_model_info(text_model_at('fading', '2024-02-20'))).last
FROM label l JOIN mail USING (id) WHERE mail.at > timestamptz '2024-03-06' - interval '12 days';

-- a message whose content or time is none that a message has teaches nothing, and keeps no other from being learnt
CREATE TABLE odd (id int PRIMARY KEY, at timestamptz, content jsonb);
CREATE TABLE odd_label (id int PRIMARY KEY, malicious boolean, labelled_at timestamptz);
SELECT create_text_model('odd', 'odd', 'content', 'odd_label', at => 'at', delay => '1 hour', half_life => '1 day');
INSERT INTO odd VALUES (1, '4714-11-24 00:00 BC', '{"body": "ancient"}'), (2, '-infinity', '{"body": "before all time"}'), (3, '2024-01-02', '{"headers": 5}'),
	(4, '2024-01-02', '[1]'), (5, '2024-01-02', '{"what": 1}'), (6, '2024-01-02', '{"body": "plain words"}'), (7, 'infinity', '{"body": "too late"}');
INSERT INTO odd_label VALUES (1, true, '2024-01-01 01:00');
SELECT learn('odd');
SELECT tokens, malicious, safe FROM text_model_info((SELECT total FROM odd_version));
INSERT INTO odd_label SELECT id, id <> 6, '2024-01-02 12:00' FROM odd WHERE id > 1;
INSERT INTO odd_label VALUES (100, true, '294276-12-31'), (101, true, 'infinity'), (102, true, '-infinity');
SELECT learn('odd');
SELECT learn('odd');
SELECT tokens > 0 AS learnt, round(malicious::numeric, 2) AS malicious, round(safe::numeric, 2) AS safe, last FROM text_model_info(text_model_at('odd'));
SELECT id, margin IS NULL AS none, (text_model_info(added)).tokens > 0 AS taught FROM odd_counted ORDER BY id;
-- other labels for them, or none: nothing is taken out but what was in
UPDATE odd_label SET malicious = false, labelled_at = '2024-01-03' WHERE id IN (2, 3);
DELETE FROM odd_label WHERE id IN (4, 6);
SELECT learn('odd');
SELECT round(malicious::numeric, 2) AS malicious, round(safe::numeric, 2) AS safe FROM text_model_info(text_model_at('odd'));
-- a label from before all reckoning, one of ancient times, and then those of today
SELECT create_text_model('ancient', 'odd', 'content', 'odd_label', at => 'at', half_life => '1 day');
UPDATE odd_label SET labelled_at = '4714-11-25 00:00 BC' WHERE id = 1;
INSERT INTO odd VALUES (8, '2999-05-31 BC', '{"body": "ancient words"}');
INSERT INTO odd_label VALUES (8, true, '2999-06-01 BC');
INSERT INTO odd_label VALUES (6, false, '2024-01-04');
SELECT learn('ancient');
SELECT learn('ancient');
SELECT round(malicious::numeric, 2) AS malicious, round(safe::numeric, 2) AS safe FROM text_model_info(text_model_at('ancient'));
SELECT drop_text_model('odd'), drop_text_model('ancient');
-- where such a message is scored in a policy's signals, it is stored, decided without them and marked
CREATE TABLE odd_score AS SELECT id, content FROM odd WITH NO DATA;
CREATE VIEW odd_signals AS SELECT o.id, text_margin(m.model, o.content) AS margin FROM odd_score o,
	(SELECT text_model_agg(malicious, body) AS model FROM mail OFFSET 0) m;
SELECT create_policy('odd_scored', 'odd_signals', '{id}', prior => -1);
SELECT create_detector('odd_scored', 'words', model => model_from_linear('{margin}', '{1}', 0, 'logistic'), mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON odd_score REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION decide('odd_scored');
INSERT INTO odd_score SELECT id, content FROM odd;
SELECT id, degraded FROM odd_scored_verdict ORDER BY id;
SELECT DISTINCT sqlstate, message FROM fault WHERE policy = 'odd_scored' ORDER BY 1, 2;
SET client_min_messages = warning;
DROP TRIGGER decide ON odd_score;
SELECT drop_policy('odd_scored', drop_tables => true);
RESET client_min_messages;
DROP VIEW odd_signals;
DROP TABLE odd, odd_label, odd_score;

-- what can't be
SELECT learn('nothing');
SELECT text_model_at('nothing');
SELECT create_text_model(NULL, 'mail', 'body', 'label');
SELECT create_text_model(repeat('x', 48), 'mail', 'body', 'label') IS NOT NULL AS made, drop_text_model(repeat('x', 48));
SELECT create_text_model(repeat('x', 49), 'mail', 'body', 'label');
SELECT create_text_model('x', 'mail', 'id', 'label');
SELECT create_text_model('x', 'mail', 'nobody', 'label');
SELECT create_text_model('x', 'mail', 'body', 'mail', key => '{content}');
SELECT create_text_model('x', 'mail', 'body', 'mail', key => '{odd}');
SELECT create_text_model('x', 'mail', 'body', 'label', key => '{}');
CREATE VIEW badly_labelled AS SELECT id, malicious, at::timestamp AS labelled_at FROM mail;
SELECT create_text_model('x', 'mail', 'body', 'badly_labelled', key => '{id}');
DROP VIEW badly_labelled;
SELECT create_text_model('x', 'mail', 'body', 'label', max_bytes => 1024) IS NOT NULL AS made, drop_text_model('x');
SELECT create_text_model('x', 'mail', 'body', 'label', max_bytes => 1023);
SELECT create_text_model('x', 'mail', 'body', 'label', half_life => '1 hour');
SELECT create_text_model('x', 'mail', 'body', 'label', delay => '-1 hour');

-- nothing temporary: nobody else could restore a dump of it
CREATE TEMP TABLE passing AS TABLE mail;
CREATE TEMP TABLE passing_label AS TABLE label;
SELECT create_text_model('x', 'passing', 'body', 'label', key => '{id}');
SELECT create_text_model('x', 'mail', 'body', 'passing_label', key => '{id}');
SELECT create_text_model('x', 'mail', 'body', 'label', schema => 'pg_temp');
SELECT create_text_model('x', 'mail', 'body', 'label', schema => pg_my_temp_schema()::regnamespace::text);
DROP TABLE passing, passing_label;

-- ---- rights ------------------------------------------------------------------------------------

CREATE ROLE regress_text_reader;
CREATE ROLE regress_text_owner;
GRANT USAGE, CREATE ON SCHEMA public TO regress_text_owner;
GRANT SELECT ON mail, label TO regress_text_owner;
SET ROLE regress_text_reader;
SELECT count(*) FROM text_models;
SELECT learn('mails');
SELECT text_model_at('mails') IS NULL;
-- rows of the registry are written by functions alone: whoever could write it could lock it, too
UPDATE text_model_registry SET max_bytes = 2048 WHERE name = 'mails';
DELETE FROM text_model_registry WHERE name = 'mails';
SELECT name FROM text_model_registry FOR UPDATE;
BEGIN;
LOCK TABLE text_model_registry IN ROW EXCLUSIVE MODE;
ROLLBACK;
SELECT text_model_row('mails_version', r) FROM text_model_registry r WHERE name = 'mails';
SELECT text_model_row('mails_version', NULL);
SELECT text_model_write_row('mails_version', NULL);
SELECT text_model_at_as_owner('mails_version', 'infinity');
SELECT drop_text_model('mails');
RESET ROLE;
-- the owner's code runs as the owner, whoever learns
SET ROLE regress_text_owner;
CREATE FUNCTION spy(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN t || ' by ' || current_user; END $$;
CREATE FUNCTION escape(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE planted (); RETURN t; END $$;
SELECT create_text_model('spied', 'mail', 'spy(body)', 'label'), create_text_model('escaping', 'mail', 'escape(body)', 'label');
RESET ROLE;
SELECT learn('spied') > 100;
SELECT (text_model_info(total)).tokens = (text_model_info(total + text_model_of(false, 'by regress_text_owner'))).tokens AS as_owner
FROM spied_version ORDER BY day DESC LIMIT 1;
SELECT text_model_learn('spied_version', 100);
SELECT learn('escaping');
-- nor does a row of the owner's lead whoever drops it to others' tables
SET ROLE regress_text_owner;
SELECT create_text_model('thief', 'mail', 'body', 'label');
CREATE TEMP TABLE entry AS SELECT * FROM text_model_registry WHERE name = 'thief';
UPDATE entry SET counted = 'mails_counted', content_view = 'mails_content';
SELECT text_model_row('thief_version', NULL);
SELECT text_model_row('thief_version', ROW(e.*)::text_model_registry) FROM entry e;
-- the name and the rows of others are theirs
SELECT text_model_row('thief_version', ROW(e.*)::text_model_registry) FROM (SELECT 'mails', relation, counted, content_view, source, content, key_columns, at_column, labels, delay, half_life, max_bytes, learned_until, since, took FROM entry) e;
DROP TABLE entry;
-- nor does reading run the owner's code as anybody else: casts of his types, or a view for a table
CREATE TYPE bait AS (a int);
CREATE FUNCTION bite(b bait) RETURNS text_model LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'bitten as %', current_user; RETURN NULL; END $$;
CREATE CAST (bait AS text_model) WITH FUNCTION bite(bait) AS IMPLICIT;
CREATE TABLE bait_version (day date, published bait, slope float8, intercept float8, delta text_model, total text_model);
INSERT INTO bait_version VALUES ('2024-01-01', ROW(1));
CREATE FUNCTION trapped() RETURNS date LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'trapped as %', current_user; RETURN '2024-01-01'; END $$;
CREATE VIEW trap AS SELECT trapped() AS day, NULL::text_model AS published, 1::float8 AS slope, 1::float8 AS intercept, NULL::text_model AS delta, NULL::text_model AS total;
SELECT text_model_row(t, ROW(t::text, t, t, t, t, 'x', '{a}', NULL, t, '0', NULL, 1024, NULL, NULL, NULL)::text_model_registry) FROM unnest('{bait_version,trap}'::regclass[]) t;
RESET ROLE;
SELECT text_model_at('bait_version') IS NULL;
SELECT text_model_at('trap') IS NULL;
-- what is no text model is read as nobody, though anybody may read it: pg_temp has no say in it
SET ROLE regress_text_reader;
CREATE FUNCTION pg_temp.bite() RETURNS date LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'bitten as %', current_user; RETURN '2000-01-01'; END $$;
CREATE TEMP VIEW v AS SELECT pg_temp.bite() AS day, NULL::text_model AS published, 1::float8 AS slope, 1::float8 AS intercept, NULL::text_model AS total, NULL::text_model AS delta;
SELECT text_model_at_as_owner('pg_class', now());
SELECT text_model_known('pg_class', now());
SELECT text_model_learn_as_owner('v', 100);
SELECT baseline_apply_as_owner('v', NULL);
SELECT text_model_at_as_owner(0, now());
DROP VIEW v;
DROP FUNCTION pg_temp.bite;
RESET ROLE;
-- who may read the versions may read the model
GRANT SELECT ON mails_version TO regress_text_reader;
SET ROLE regress_text_reader;
SELECT text_model_at('mails') IS NOT NULL, current_user;
RESET ROLE;
-- but not of rows that are hidden from him: it is made of all of them
ALTER TABLE mails_version ENABLE ROW LEVEL SECURITY;
SET ROLE regress_text_reader;
SELECT count(*) FROM mails_version;
SELECT text_model_at('mails') IS NOT NULL;
SET row_security = off;
SELECT text_model_at_as_owner('mails_version', now()) IS NOT NULL;
RESET row_security;
RESET ROLE;
SELECT text_model_at('mails') IS NOT NULL;
ALTER TABLE mails_version DISABLE ROW LEVEL SECURITY;
SET ROLE regress_text_owner;
SELECT text_model_row(t, NULL) FROM unnest('{bait_version,trap}'::regclass[]) t;
DROP TABLE bait_version;
DROP VIEW trap;
DROP TYPE bait CASCADE;
DROP FUNCTION trapped;
RESET ROLE;
SELECT drop_text_model('thief');
SELECT to_regclass('mails_counted'), to_regclass('mails_content');
DROP TABLE thief_counted;
DROP VIEW thief_content;
SELECT drop_text_model('spied'), drop_text_model('escaping'), drop_text_model('fading'), drop_text_model('mails');
SELECT count(*) FROM text_model_registry;
SELECT to_regclass('mails_version'), to_regclass('mails_counted'), to_regclass('mails_content');

-- stored bytes that are not as they were written: each bit of the header and of the tokens
CREATE FUNCTION bytes_of(text_model) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE FUNCTION of_bytes(bytea) RETURNS text_model LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE TABLE sound AS
	SELECT 'counts' AS kind, bytes_of(text_model_agg(k % 3 = 0, 'words a' || k || ' b' || k % 5)) AS bytes FROM generate_series(1, 5) k
	UNION ALL SELECT 'decaying', bytes_of(text_model_agg(k % 3 = 0, 'words a' || k, 1, timestamptz '2024-01-01' + k * interval '1 h', interval '30 days')) FROM generate_series(1, 5) k
	UNION ALL SELECT 'published', bytes_of(text_model_publish(text_model_agg(k % 3 = 0, 'words a' || k || ' b' || k % 5), 4096)) FROM generate_series(1, 50) k;
CREATE FUNCTION tried(call text, bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	done boolean;
BEGIN
	EXECUTE format('SELECT (%s) IS NULL', call) USING of_bytes(bytes) INTO done;
	RETURN 'done';
EXCEPTION
	WHEN data_corrupted THEN
		RETURN 'corrupt';
	WHEN wrong_object_type OR numeric_value_out_of_range OR invalid_parameter_value THEN
		RETURN 'refused';
END $$;
CREATE TABLE damaged AS
	SELECT kind, n, b, set_byte(bytes, n, get_byte(bytes, n) # (1 << b)) AS bytes FROM sound, generate_series(0, length(bytes) - 1) n, generate_series(0, 7) b;
-- what is to be read elsewhere is whole, or an error
SELECT kind, tried('text_model_send($1)', bytes) AS sent, tried('$1::text', bytes) AS shown, count(*) > 300 AS many FROM damaged GROUP BY 1, 2, 3 ORDER BY 1;
SELECT kind, tried('text_model_send($1)', bytes) AS sent, tried('$1::text', bytes) AS shown, tried('text_model_calibrate($1, 2, 0)', bytes) AS calibrated FROM sound ORDER BY kind;
SELECT kind, tried('text_model_send($1)', substr(bytes, 1, n)) AS cut, count(*) FROM sound, generate_series(0, 99) n GROUP BY 1, 2 ORDER BY 1;
-- what makes another never makes an unsound one
SELECT call, bool_or(result = 'corrupt') AS some_corrupt, bool_or(result = 'done') AS some_done
FROM damaged CROSS JOIN unnest('{"text_model_send(text_model_calibrate($1, 2, 0))","text_model_send($1 + $1)","text_model_send(text_model_publish($1, 4096))","text_model_send(text_model_prune($1, 2))","text_score($1, ''words a1 b1'')","text_model_info($1)"}'::text[]) call
CROSS JOIN LATERAL tried(call, bytes) result
GROUP BY call ORDER BY call COLLATE "C";
-- more tokens than there is room for in the bytes (bytes 4 to 7 behind the length)
SELECT kind, tried('text_model_publish($1, 4096)', overlay(bytes PLACING '\xffffffff' FROM 5)) AS publish, tried('text_model_info($1)', overlay(bytes PLACING '\xffffffff' FROM 5)) AS info FROM sound ORDER BY kind;
-- a sum whose base would be one too large
SELECT tried('$1 + $1', bytes_of(replace(one, '"base": 8', '"base": ' || base)::text_model)), base
FROM (VALUES ('{"format": 1, "kind": "counts", "tokens_version": 1, "tokens": 1, "base": 8, "malicious": 1, "safe": 0, "half_life": 0, "last": 0, "data": "' || encode('\x010f', 'base64') || '"}')) v(one), unnest('{62,63}'::int[]) base ORDER BY base;
SELECT tried('$1 + $1', bytes_of(replace(one, '"base": 8', '"base": ' || base)::text_model)), base
FROM (VALUES ('{"format": 1, "kind": "counts", "tokens_version": 1, "tokens": 1, "base": 8, "malicious": 1, "safe": 0, "half_life": 86400000000, "last": 0, "data": "' || encode('\x010f', 'base64') || '"}')) v(one), unnest('{2147483646,2147483647}'::int[]) base ORDER BY base;
DROP TABLE sound, damaged;
DROP FUNCTION tried, bytes_of, of_bytes;

-- a row type that changes between two calls of one place
CREATE TABLE shifting AS SELECT 'Cheap pills'::text AS subject, '1234'::text AS body;
DO $$
DECLARE
	m text_model := (SELECT text_model_agg(malicious, body) FROM mail);
	r shifting;
	score real;
BEGIN
	FOREACH score IN ARRAY '{1,2}'::real[] LOOP
		IF score = 2 THEN
			ALTER TABLE shifting ALTER body TYPE int8 USING body::int8;
		END IF;
		SELECT * INTO r FROM shifting;
		score := text_score(m, r);
	END LOOP;
END $$;
DROP TABLE shifting;

-- a cancel stops what is long for large values: what is behind it in the row isn't reached
CREATE FUNCTION bytes_of(text_model) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE TABLE kept AS SELECT text_model_agg(malicious, body) AS m FROM mail;
SELECT pg_cancel_backend(pg_backend_pid()), length(text_model_send(m)), pg_try_advisory_lock(1) FROM kept;
SELECT pg_cancel_backend(pg_backend_pid()), length(bytes_of(text_model_publish(m, 4096))), pg_try_advisory_lock(2) FROM kept;
SELECT pg_cancel_backend(pg_backend_pid()), phrases('{a}', ARRAY[pg_backend_pid()::text]) IS NULL, pg_try_advisory_lock(3) FROM kept;
SELECT pg_cancel_backend(pg_backend_pid()), length(bytes_of(m)), pg_try_advisory_lock(4) FROM kept;
SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
SELECT pg_advisory_unlock_all();
DROP TABLE kept;
DROP FUNCTION bytes_of;

-- what is quoted in an error is cut between characters
CREATE FUNCTION quoted(call text) RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE call;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN convert_to(SQLERRM, 'SQL_ASCII');
END $$;
SELECT convert_from(quoted(format(call, rpad(start, n, '€'))), 'UTF8') FROM unnest(ARRAY['SELECT %L::text_model', 'SELECT text_score(m, jsonb_build_object(%L, 1)) FROM whole', 'SELECT %L::scored']) WITH ORDINALITY c(call, o), unnest('{"",a}'::text[]) start, unnest('{21,22,30}'::int[]) n ORDER BY o, n, start;
DROP FUNCTION quoted;

-- Small models that a session has seen don't pile up: each counts for what it takes.
SELECT count(text_margin(text_model_of(true, 'a b' || i), 'a')) FROM generate_series(1, 6000) i;
SELECT count(*) BETWEEN 100 AND 4096 AND sum(total_bytes) < 64 * 1024 * 1024 AS bounded
	FROM pg_backend_memory_contexts WHERE name = 'pg_assay text model';

DROP FUNCTION spy, escape, broken, direct;
DROP TABLE mail, label;
REVOKE ALL ON SCHEMA public FROM regress_text_owner;
DROP ROLE regress_text_reader;
DROP ROLE regress_text_owner;
