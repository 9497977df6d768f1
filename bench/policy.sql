-- What bench/policy.sh measures on: 300 conditions of the kinds that detectors
-- have, a GBDT of 100 trees of depth 4, 500 phrases, three baselines, and
-- messages with bodies of 2 KB. Needs the variable n: stored messages.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
SELECT setseed(0.25);
CREATE EXTENSION IF NOT EXISTS pg_assay;
-- some words with letters beyond ASCII, as mail has
CREATE TABLE word AS SELECT i, CASE WHEN i % 20 = 7 THEN translate(w, 'ae', 'äé') ELSE w END AS word
	FROM generate_series(1, 3000) i, substr(md5(i::text), 1, 3 + i % 7) w;
CREATE TABLE sentence AS SELECT n AS i, (SELECT string_agg(w.word, ' ' ORDER BY j) FROM generate_series(1, 31) j
	JOIN word w ON w.i = 1 + abs(hashint8(s.n * 1000 + j)) % 3000) || E'.\n' AS sentence FROM generate_series(1, 2000) s(n);
CREATE UNIQUE INDEX ON sentence (i);
ANALYZE sentence;
CREATE FUNCTION body(seed int) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(s.sentence, '' ORDER BY j) FROM generate_series(1, 10) j
	JOIN sentence s ON s.i = 1 + abs(hashint8(seed::bigint * 1000 + j)) % 2000 $$;
CREATE TABLE message (
	id bigint PRIMARY KEY, received_at timestamptz NOT NULL, from_addr text, from_domain text, recipient text,
	reply_to text, subject text, body_text text, urls text[], attachments int, auth text, size int);
-- what will arrive, and what is stored
CREATE TABLE arriving AS
	SELECT i::bigint AS id, '2026-01-01'::timestamptz + i * interval '90 seconds' AS received_at,
		format('user%s@domain%s.example', i * 7919 % 4000, i * 7919 % 600) AS from_addr,
		format('domain%s.example', i * 7919 % 600) AS from_domain, format('r%s@us.example', i * 31 % 500) AS recipient,
		CASE WHEN i % 9 = 0 THEN format('other%s@elsewhere.example', i) END AS reply_to,
		'Subject ' || substr(body(i), 1, 40) AS subject, body(i) AS body_text,
		ARRAY(SELECT format('http://h%s.example/%s', i % 97, j) FROM generate_series(1, i % 6) j) AS urls,
		i % 4 AS attachments, CASE i % 3 WHEN 0 THEN 'dkim=pass' WHEN 1 THEN 'spf=fail' ELSE '' END AS auth, 2000 + i % 5000 AS size
	FROM generate_series(1, :n) i;
INSERT INTO message SELECT * FROM arriving;

-- What is measured must be what is said: texts that differ, of the size that is said
DO $$
DECLARE
	r record;
BEGIN
	SELECT count(*) AS n, count(DISTINCT body_text) AS bodies, avg(octet_length(body_text)) AS bytes,
		count(DISTINCT from_addr) AS senders,
		count(*) FILTER (WHERE octet_length(body_text) > length(body_text)) AS beyond_ascii INTO r FROM message;
	IF r.bodies < r.n OR r.bytes NOT BETWEEN 1800 AND 2400 OR r.senders < least(r.n, 3500) OR r.beyond_ascii < 0.9 * r.n THEN
		RAISE 'the data are not as they should be: %', r;
	END IF;
END $$;

-- every other phrase occurs in some sentences, the rest hardly ever
CREATE TABLE phrase AS SELECT n, CASE WHEN n % 2 = 0
		THEN split_part(t.sentence, ' ', 3 + n % 20) || ' ' || split_part(t.sentence, ' ', 4 + n % 20)
		ELSE (SELECT string_agg(w.word, ' ' ORDER BY j) FROM generate_series(1, 2) j JOIN word w ON w.i = 1 + abs(hashint8(s.n * 10 + j)) % 3000) END AS phrase
	FROM generate_series(1, 500) s(n) JOIN sentence t ON t.i = s.n;
CREATE TABLE lexicon AS SELECT assay.phrases(array_agg('theme' || n % 40 ORDER BY n), array_agg(phrase ORDER BY n)) AS phrases FROM phrase;
SELECT assay.create_baseline('sender_baseline', 'message', '{from_addr}', 'received_at');
SELECT assay.create_baseline('domain_baseline', 'message', '{from_domain}', 'received_at');
SELECT assay.create_baseline('pair_baseline', 'message', '{from_addr,recipient}', 'received_at');
SELECT assay.refresh_baseline(b) FROM unnest('{sender_baseline,domain_baseline,pair_baseline}'::text[]) b;

-- The signals view, with a lookup of each baseline by a LATERAL subquery; and
-- the same with what PostgreSQL runs in parallel workers
CREATE FUNCTION signals(phrases text, joins text) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT m.id, m.received_at, m.from_addr, m.from_domain, m.recipient, m.subject, m.body_text, m.auth, m.size, m.attachments,
		length(m.subject) AS subject_chars, length(m.body_text) AS body_chars, cardinality(m.urls) AS url_count,
		m.reply_to IS NOT NULL AND split_part(m.reply_to, ''@'', 2) <> m.from_domain AS reply_elsewhere,
		assay.phrase_hits(%s, m.body_text) AS phrases,
		extract(hour FROM m.received_at AT TIME ZONE ''UTC'')::int AS hour,
		coalesce(assay.events(s.history), 0) AS sender_events, coalesce(assay.days_known(s.history, m.received_at), 0) AS sender_days,
		coalesce(assay.rate(s.history, m.received_at, ''7 days''), 0) AS sender_rate,
		coalesce(assay.events(d.history), 0) AS domain_events, coalesce(assay.days_known(d.history, m.received_at), 0) AS domain_days,
		coalesce(assay.events(p.history), 0) AS pair_events, coalesce(assay.days_since(p.history, m.received_at), 1000) AS pair_since
		FROM message m %s', phrases, joins) $$;
DO $$
DECLARE
	probe text := 'LEFT JOIN LATERAL (SELECT b.history FROM %I b WHERE %s AND b.day < (m.received_at AT TIME ZONE ''UTC'')::date ORDER BY b.day DESC LIMIT 1) %s ON true';
	as_of text := 'LEFT JOIN LATERAL assay.as_of(NULL::%I, m.received_at, %s) %s ON true';
BEGIN
	EXECUTE 'CREATE VIEW signals AS ' || signals('l.phrases', concat_ws(' ', 'CROSS JOIN lexicon l',
		format(probe, 'sender_baseline', 'b.from_addr = m.from_addr', 's'),
		format(probe, 'domain_baseline', 'b.from_domain = m.from_domain', 'd'),
		format(probe, 'pair_baseline', 'b.from_addr = m.from_addr AND b.recipient = m.recipient', 'p')));
	EXECUTE 'CREATE VIEW parallel_signals AS ' || signals('(SELECT phrases FROM lexicon)', concat_ws(' ',
		format(as_of, 'sender_baseline', 'm.from_addr', 's'),
		format(as_of, 'domain_baseline', 'm.from_domain', 'd'),
		format(as_of, 'pair_baseline', 'm.from_addr, m.recipient', 'p')));
END $$;

SELECT assay.create_policy('bench', 'signals', '{id}', prior => -4);
DO $$
DECLARE
	c text;
	w text;
	wanted int;
BEGIN
	FOR n IN 1 .. 300 LOOP
		wanted := n * 3;
		w := (SELECT v.word FROM word v WHERE v.i = n * 9);
		c := CASE
			WHEN n <= 60 THEN format('body_text ILIKE %L', '%' || (SELECT p.phrase FROM phrase p WHERE p.n = wanted) || '%')
			WHEN n <= 75 THEN format('subject ~* %L', w || '.*' || substr(md5(n::text), 1, 5))
			WHEN n <= 115 THEN format('from_domain IN (%L, %L, %L) AND sender_events < %s', 'domain' || n || '.example', 'x' || n || '.example', 'y.example', n)
			WHEN n <= 155 THEN format('phrases && %L::text[] AND sender_days < %s', ARRAY['theme' || n % 40, 'theme' || n % 37], n % 30)
			WHEN n <= 195 THEN format('url_count > %s AND body_chars < %s AND NOT sender_events > %s', n % 6 + 2, 1500 + n, n)
			WHEN n <= 225 THEN format('auth <> %L AND reply_elsewhere AND domain_days < %s', 'dkim=pass', n % 20)
			WHEN n <= 255 THEN format('hour BETWEEN %s AND %s AND attachments > %s AND pair_events = 0', n % 24, n % 24 + 1, n % 4)
			WHEN n <= 280 THEN format('(sender_events = 0)::int + (pair_events = 0)::int + (url_count > 3)::int + (size > %s)::int >= 4', 6000 + n)
			ELSE format('lower(from_addr) LIKE %L OR size = %s', 'user' || n || '@%', n) END;
		PERFORM assay.create_detector('bench', 'rule ' || to_char(n, 'FM000'), c, weight => 0.5, mode => 'live');
	END LOOP;
END $$;

-- 100 complete trees of depth 4 over the numeric signals, in the text form
CREATE FUNCTION tree(seed int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	nodes jsonb := '[]';
	id int;
	todo int[] := ARRAY[0];
BEGIN
	WHILE cardinality(todo) > 0 LOOP
		id := todo[1];
		todo := todo[2:];
		IF id >= 15 THEN
			nodes := nodes || jsonb_build_array(jsonb_build_array(id, 10, ((seed * 31 + id * 17) % 100 - 50) / 1024.0));
		ELSE
			nodes := nodes || jsonb_build_array(jsonb_build_array(id, 160 >> floor(log(2, id + 1))::int, (seed * 7 + id * 3) % 12, '<', ((seed * 13 + id * 29) % 64) * 8, 'left'));
			todo := ARRAY[2 * id + 1, 2 * id + 2] || todo;
		END IF;
	END LOOP;
	RETURN jsonb_build_object('output', 0, 'nodes', nodes);
END $$;
SELECT assay.create_detector('bench', 'gbdt', model => jsonb_build_object('pg_assay_model', 1, 'format', 'xgboost', 'library', '3.2.0',
	'objective', 'binary:logistic', 'link', 'logistic', 'link_parameters', '[1, 0]'::jsonb, 'single', true, 'start', '[0]'::jsonb, 'bias', '[0]'::jsonb,
	'scale', 1, 'divisor', 1, 'iterations', 100, 'best_iteration', -1,
	'features', (SELECT jsonb_agg(jsonb_build_object('name', f, 'kind', 'numeric') ORDER BY n) FROM unnest(
		'{size,attachments,subject_chars,body_chars,url_count,hour,sender_events,sender_days,sender_rate,domain_events,pair_events,pair_since}'::text[]) WITH ORDINALITY u(f, n)),
	'trees', (SELECT jsonb_agg(tree(i) ORDER BY i) FROM generate_series(1, 100) i))::text::assay.model, mode => 'live');
VACUUM ANALYZE;

-- ... and conditions and phrases that hit as those of real mail do (a few of each a message)
DO $$
DECLARE
	r record;
BEGIN
	SELECT avg(cardinality(s.phrases)) AS phrases, avg(h.rules) AS rules, count(DISTINCT h.detectors) AS kinds INTO r
	FROM (SELECT * FROM signals ORDER BY id LIMIT 2000) s, assay.score('bench', s) x,
		LATERAL (SELECT count(*) AS rules, string_agg(l.detector, ',') AS detectors FROM assay.ledger(x.attribution) l WHERE l.kind = 'rule' AND l.hit) h;
	IF r.phrases NOT BETWEEN 0.5 AND 10 OR r.rules NOT BETWEEN 1 AND 60 OR r.kinds < 100 THEN
		RAISE 'the data do not hit as they should: %', r;
	END IF;
	RAISE WARNING 'a message has % phrases and % hits', round(r.phrases, 1), round(r.rules, 1);
END $$;
