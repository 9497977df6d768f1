-- What bench/policy.sh measures on: 300 conditions of the kinds that detectors
-- have, a GBDT of 100 trees of depth 4, 500 phrases, three baselines, and
-- messages of 30 days, each of another text, from senders of whom each writes
-- five. Asserts all that before anything is measured.
-- Needs the variable n: stored messages, 5000 or more; bytes: of a body (2000).
-- Deterministic: no random(), the same data in each build and locale.
\set ON_ERROR_STOP 1
\if :{?bytes}
\else
\set bytes 2000
\endif
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_assay;
-- some words with letters beyond ASCII, as mail has
CREATE TABLE word AS SELECT i, CASE WHEN i % 20 = 7 THEN translate(w, 'ae', 'äé') ELSE w END AS word
	FROM generate_series(1, 3000) i, substr(md5(i::text), 1, 3 + i % 7) w;
CREATE TABLE sentence AS SELECT n AS i, (SELECT string_agg(w.word, ' ' ORDER BY j) FROM generate_series(1, 31) j
	JOIN word w ON w.i = 1 + abs(hashint8(s.n * 1000 + j)) % 3000) || E'.\n' AS sentence FROM generate_series(1, 2000) s(n);
CREATE UNIQUE INDEX ON sentence (i);
ANALYZE sentence;
CREATE FUNCTION body(seed int, bytes int) RETURNS text LANGUAGE sql AS $$
	SELECT left(string_agg(s.sentence, '' ORDER BY j), bytes * 11 / 10) FROM generate_series(1, 1 + bytes / 200) j
	JOIN sentence s ON s.i = 1 + abs(hashint8(seed::bigint * 1000 + j)) % 2000 $$;
CREATE TABLE message (
	id bigint PRIMARY KEY, received_at timestamptz NOT NULL, from_addr text, from_domain text, recipient text,
	reply_to text, subject text, body_text text, urls text[], attachments int, auth text, size int);
-- what will arrive, and what is stored
CREATE TABLE arriving AS
	SELECT i::bigint AS id, '2026-01-01'::timestamptz + i * (interval '30 days' / :n) AS received_at,
		format('user%s@domain%s.example', x.sender, x.sender % 600) AS from_addr,
		format('domain%s.example', x.sender % 600) AS from_domain,
		-- a sender writes to two by turns
		format('r%s@us.example', (x.sender * 31 + i / (:n / 5) % 2) % 500) AS recipient,
		CASE WHEN i % 9 = 0 THEN format('other%s@elsewhere.example', i) END AS reply_to,
		'Subject ' || substr(x.body, 1, 20 + i % 41) AS subject, x.body AS body_text,
		ARRAY(SELECT format('http://h%s.example/%s', i % 97, j) FROM generate_series(1, i % 6) j) AS urls,
		i % 4 AS attachments, CASE WHEN i % 5 < 2 THEN 'dkim=pass' WHEN i % 5 = 2 THEN 'spf=fail' ELSE '' END AS auth,
		2000 + i * 37 % 5000 AS size
	FROM generate_series(1, :n) i,
		-- OFFSET: the body is made once a message
		LATERAL (SELECT i * 7919 % (:n / 5) AS sender, body(i, :bytes - i % 100 * :bytes / 400) AS body OFFSET 0) x;
INSERT INTO message SELECT * FROM arriving;

-- every other phrase occurs in some sentences, the rest hardly ever
CREATE TABLE phrase AS SELECT n, CASE WHEN n % 2 = 0
		THEN split_part(t.sentence, ' ', 3 + n % 20) || ' ' || split_part(t.sentence, ' ', 4 + n % 20)
		ELSE (SELECT string_agg(w.word, ' ' ORDER BY j) FROM generate_series(1, 2) j JOIN word w ON w.i = 1 + abs(hashint8(s.n * 10 + j)) % 3000) END AS phrase
	FROM generate_series(1, 500) s(n) JOIN sentence t ON t.i = s.n;
CREATE TABLE lexicon AS SELECT assay.phrases(array_agg('theme' || n % 40 ORDER BY n), array_agg(phrase ORDER BY n)) AS phrases FROM phrase;
SELECT assay.create_baseline('sender_baseline', 'message', '{from_addr}', 'received_at', incremental => false);
SELECT assay.create_baseline('domain_baseline', 'message', '{from_domain}', 'received_at', incremental => false);
SELECT assay.create_baseline('pair_baseline', 'message', '{from_addr,recipient}', 'received_at', incremental => false);
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

-- A condition: its kind by which (1 to 300), its constants by seed. Some hit in
-- some per cent of the messages, some hardly ever.
CREATE TABLE threshold AS
	SELECT percentile_disc((0.5 + k) / 200) WITHIN GROUP (ORDER BY length(body_text)) AS chars, k
	FROM message, generate_series(0, 39) k GROUP BY k;
CREATE FUNCTION condition(which int, seed int) RETURNS text LANGUAGE sql AS $$
	SELECT CASE
		WHEN which <= 60 THEN format('body_text ILIKE %L', '%' || (SELECT p.phrase FROM phrase p WHERE p.n = 1 + seed * 3 % 500) || '%')
		WHEN which <= 75 THEN format('subject ~* %L', substr(v.word, 1, 3) || '.*' || substr(md5(seed::text), 1, 1))
		WHEN which <= 115 THEN format('from_domain IN (%L, %L, %L) AND sender_events < %s', 'domain' || seed || '.example', 'x' || seed || '.example', 'y.example', seed)
		WHEN which <= 155 THEN format('phrases && %L::text[] AND sender_days < %s', ARRAY['theme' || seed % 40, 'theme' || seed % 37], 1 + seed % 30)
		WHEN which <= 195 THEN format('url_count > %s AND body_chars < %s AND NOT sender_events > %s', seed % 5, t.chars, seed)
		WHEN which <= 225 THEN format('auth <> %L AND reply_elsewhere AND domain_days < %s', 'dkim=pass', 1 + seed % 20)
		WHEN which <= 255 THEN format('hour BETWEEN %s AND %s AND attachments > %s AND pair_events = 0', seed % 24, seed % 24 + 1, seed % 3)
		WHEN which <= 280 THEN format('(sender_events = 0)::int + (pair_events = 0)::int + (url_count > 3)::int + (size > %s)::int >= 4', 6000 + seed)
		ELSE format('lower(from_addr) LIKE %L OR size = %s', 'user' || seed || '@%', seed) END
	FROM word v, threshold t WHERE v.i = 1 + seed * 9 % 3000 AND t.k = seed % 40 $$;
SELECT assay.create_policy('bench', 'signals', '{id}', prior => -4);
SELECT count(assay.create_detector('bench', 'rule ' || to_char(n, 'FM000'), condition(n, n), weight => 0.5, mode => 'live'))
	FROM generate_series(1, 300) n;

-- 100 complete trees of depth 4 over the numeric signals, in the text form.  A split
-- stands at a tenth of the values above a signal's lowest, so that it divides messages.
CREATE TABLE feature AS SELECT n, f FROM unnest(
	'{size,attachments,subject_chars,body_chars,url_count,hour,sender_events,sender_days,sender_rate,domain_events,pair_events,pair_since}'::text[]) WITH ORDINALITY u(f, n);
CREATE TABLE sampled AS SELECT to_jsonb(s) AS row FROM signals s WHERE id % 7 = 0;
CREATE TABLE split AS SELECT f.n, k, (percentile_disc(k / 10.0) WITHIN GROUP (ORDER BY s.value)) AS value
	FROM feature f, generate_series(1, 9) k, LATERAL (SELECT v.value, min(v.value) OVER () AS lowest
		FROM sampled s, LATERAL (SELECT (s.row ->> f.f)::real AS value) v OFFSET 0) s
	WHERE s.value > s.lowest GROUP BY f.n, k;
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
			nodes := nodes || jsonb_build_array(jsonb_build_array(id, 10, (hashint4(seed * 31 + id) % 50000) / 1048576.0));
		ELSE
			nodes := nodes || jsonb_build_array(jsonb_build_array(id, 160 >> floor(log(2, id + 1))::int, (seed * 7 + id * 3) % 12, '<',
				(SELECT s.value FROM split s WHERE s.n = 1 + (seed * 7 + id * 3) % 12 AND s.k = 1 + (seed * 13 + id * 29) % 9), 'left'));
			todo := ARRAY[2 * id + 1, 2 * id + 2] || todo;
		END IF;
	END LOOP;
	RETURN jsonb_build_object('output', 0, 'nodes', nodes);
END $$;
SELECT assay.create_detector('bench', 'gbdt', model => jsonb_build_object('pg_assay_model', 1, 'format', 'xgboost', 'library', '3.2.0',
	'objective', 'binary:logistic', 'link', 'logistic', 'link_parameters', '[1, 0]'::jsonb, 'single', true, 'start', '[0]'::jsonb, 'bias', '[0]'::jsonb,
	'scale', 1, 'divisor', 1, 'iterations', 100, 'best_iteration', -1,
	'features', (SELECT jsonb_agg(jsonb_build_object('name', f, 'kind', 'numeric') ORDER BY n) FROM feature),
	'trees', (SELECT jsonb_agg(tree(i) ORDER BY i) FROM generate_series(1, 100) i))::text::assay.model, mode => 'live');
VACUUM ANALYZE;

-- What is measured must be what is said. Texts that differ, of the size that is
-- said; senders and pairs with a history
CREATE TABLE asserted AS SELECT :n AS n, :bytes AS bytes;
DO $$
DECLARE
	r record;
BEGIN
	SELECT a.n, a.bytes, count(*) AS messages, count(DISTINCT m.body_text) AS bodies, avg(octet_length(m.body_text)) AS mean_bytes,
		count(DISTINCT m.from_addr) AS senders,
		avg((octet_length(m.body_text) > length(m.body_text))::int) AS beyond_ascii INTO r FROM message m, asserted a GROUP BY a.n, a.bytes;
	IF r.messages <> r.n OR r.bodies <> r.n OR r.senders <> r.n / 5 OR r.mean_bytes NOT BETWEEN 0.9 * r.bytes AND 1.1 * r.bytes
		OR r.beyond_ascii < 0.8 THEN
		RAISE 'the messages are not as they should be: %', r;
	END IF;
	SELECT avg((sender_events > 0)::int) AS senders, avg((pair_events > 0)::int) AS pairs, avg((domain_events > 0)::int) AS domains,
		avg(cardinality(phrases)) AS phrases, count(DISTINCT phrases) AS sets INTO r FROM signals;
	IF r.senders NOT BETWEEN 0.6 AND 0.9 OR r.pairs NOT BETWEEN 0.4 AND 0.8 OR r.domains < 0.8
		OR r.phrases NOT BETWEEN 0.2 AND 10 OR r.sets < 100 THEN
		RAISE 'the signals are not as they should be: %', r;
	END IF;
END $$;

-- The model: what it says of one message it says of few others
DO $$
DECLARE
	r record;
BEGIN
	SELECT count(*) AS messages, count(DISTINCT margin) AS margins INTO r
	FROM (SELECT assay.margin(d.model, s) AS margin FROM signals s, assay.detector_model d WHERE d.detector = 'gbdt') m;
	IF r.margins < 0.5 * r.messages THEN
		RAISE 'the model does not tell messages apart: %', r;
	END IF;
END $$;

-- Hits: some a message, and not all by a few; each kind of condition hits, no
-- detector always does, half of the substrings are rare ones
CREATE TABLE hit AS SELECT s.id, l.detector, l.kind FROM (SELECT * FROM signals WHERE id % 7 = 0) s,
	assay.score('bench', s) x, assay.ledger(x.attribution) l WHERE l.hit;
CREATE TABLE hit_rate AS SELECT n, width_bucket(n, ARRAY[1, 61, 76, 116, 156, 196, 226, 256, 281]) AS kind,
		count(h.id)::float8 / (SELECT count(*) FROM message WHERE id % 7 = 0) AS rate
	FROM generate_series(1, 300) n LEFT JOIN hit h ON h.detector = 'rule ' || to_char(n, 'FM000') GROUP BY n;
DO $$
DECLARE
	r record;
BEGIN
	SELECT sum(rate) AS hits, max(rate) AS most, count(*) FILTER (WHERE rate = 0) AS never INTO r FROM hit_rate;
	IF r.hits NOT BETWEEN 3 AND 12 OR r.most > 0.5 OR r.never > 90 THEN
		RAISE 'the detectors do not hit as they should: %', r;
	END IF;
	FOR r IN SELECT kind, count(*) AS detectors, count(*) FILTER (WHERE rate > 0) AS hitting FROM hit_rate GROUP BY kind LOOP
		IF r.hitting < 0.25 * r.detectors THEN
			RAISE 'detectors of kind % do not hit: %', r.kind, r;
		END IF;
	END LOOP;
	SELECT sum(rate) AS hits, count(*) FILTER (WHERE rate > 0) AS hitting, max(rate) AS most INTO r FROM hit_rate;
	RAISE WARNING 'a message has % hits; % of 300 conditions hit, none more than % %% of the messages',
		round(r.hits::numeric, 1), r.hitting, round(100 * r.most::numeric, 1);
END $$;

-- The plan for one message: its row and each history by an index
DO $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) SELECT * FROM signals WHERE id = 1' INTO plan;
	IF jsonb_path_exists(plan, '$.** ? (@."Node Type" == "Seq Scan" && @."Relation Name" != "lexicon")')
		OR (SELECT count(*) FROM jsonb_path_query(plan, 'strict $.** ? (@."Node Type" starts with "Index")')) <> 4 THEN
		RAISE 'the plan is not of four index scans: %', plan;
	END IF;
END $$;
