-- What bench/conditions.sh measures on: rows of signals, and conditions with what
-- real rules have in common: how often each kind of question occurs is that of
-- 1,189 public mail rules (phrases 72 %, sender 63 %, a negated exclusion 57 % of
-- which one block is in 26 %, lists 57 %, expressions 51 %, counts and lengths
-- 50 %, links 48 %, authentication 39 %, attachments 37 %, a classifier 28 %,
-- history 26 %, recipients 17 %, "N of these" 12 %, threads 9 %).
-- Needs the variable n: rows. Deterministic: no random().
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_assay;
CREATE FUNCTION pick(i bigint, what text, n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT abs(hashtext(i || what)::bigint % n)::int $$;
CREATE TABLE word AS SELECT i, substr(md5(i::text), 1, 4 + i % 7) AS word FROM generate_series(1, 3000) i;
CREATE TABLE sentence AS SELECT n AS i, (SELECT string_agg(w.word, ' ' ORDER BY j) FROM generate_series(1, 31) j
	JOIN word w ON w.i = 1 + pick(s.n * 1000 + j, 'w', 3000)) || E'.\n' AS sentence FROM generate_series(1, 1000) s(n);
CREATE UNIQUE INDEX ON sentence (i);
CREATE UNIQUE INDEX ON word (i);
ANALYZE;

CREATE TABLE signal_row (id bigint PRIMARY KEY, from_domain text, from_addr text, recipient_domain text, subject text, body_text text,
	body_chars int, subject_chars int, url_count int, attachments int, size int, recipients int,
	phrases text[], lists text[], link_domains text[], file_types text[], auth text,
	dkim_pass boolean, free_mail boolean, trusted_domain boolean, reply_elsewhere boolean, is_reply boolean, has_references boolean,
	sender_events bigint, sender_days int, sender_bad bigint, theft float8, spam float8, advert float8);
INSERT INTO signal_row SELECT i, format('domain%s.example', i * 7919 % 600), format('User%s@domain%s.example', i * 7919 % 2000, i * 7919 % 600),
		format('us%s.example', pick(i, 'r', 4)), 'Subject ' || left(body, 30), body, length(body), 38, pick(i, 'u', 6), CASE WHEN pick(i, 'a', 4) = 0 THEN 1 + pick(i, 'a2', 3) ELSE 0 END,
		2000 + pick(i, 's', 50000), 1 + pick(i, 'rc', 5),
		ARRAY(SELECT 'theme' || pick(i, 'p' || j, 200) FROM generate_series(1, pick(i, 'p', 5)) j),
		ARRAY(SELECT 'list' || pick(i, 'l' || j, 40) FROM generate_series(1, pick(i, 'l', 4)) j),
		ARRAY(SELECT format('h%s.example', pick(i, 'h' || j, 500)) FROM generate_series(1, pick(i, 'u', 6)) j),
		CASE WHEN pick(i, 'a', 4) = 0 THEN ARRAY['type' || pick(i, 'ft', 12)] ELSE '{}' END,
		('{pass,fail,none,softfail}'::text[])[1 + pick(i, 'auth', 10) % 4], pick(i, 'd', 10) < 6, pick(i, 'f', 10) < 2, pick(i, 't', 10) < 3, pick(i, 're', 20) = 0,
		pick(i, 'is', 5) = 0, pick(i, 'has', 6) = 0,
		CASE WHEN pick(i, 'e', 4) = 0 THEN 0 ELSE pick(i, 'e2', 300) END, pick(i, 'sd', 400), CASE WHEN pick(i, 'sb', 30) = 0 THEN 3 ELSE 0 END,
		(pick(i, 'c1', 1000) / 1000.0) ^ 3, (pick(i, 'c2', 1000) / 1000.0) ^ 3, (pick(i, 'c3', 1000) / 1000.0) ^ 2
	FROM (SELECT i, (SELECT string_agg(s.sentence, '' ORDER BY j) FROM generate_series(1, 4 + i % 5) j JOIN sentence s ON s.i = 1 + pick(x.i * 100 + j, 'body', 1000)) AS body
		FROM generate_series(1, :n) x(i) OFFSET 0) b;
CREATE VIEW signals AS SELECT * FROM signal_row;
VACUUM ANALYZE;

-- Does condition number "which" have a part that so many per cent have?
CREATE FUNCTION has(which int, what text, per_cent int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT pick(which, what, 100) < per_cent $$;
CREATE FUNCTION a_word(which int, what text) RETURNS text LANGUAGE sql STABLE AS
	$$ SELECT w.word || ' ' || v.word FROM word w, word v WHERE w.i = 1 + pick(which, what, 3000) AND v.i = 1 + pick(which, what || '2', 3000) $$;
-- The parts of a condition, cheap ones first, as people write them. p: what stands
-- before a column's name. trusted: what is asked instead of the guard
CREATE FUNCTION written(which int, p text, trusted text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT coalesce(nullif(concat_ws(' AND ',
		CASE WHEN has(which, 'thread', 9) THEN format('%1$sis_reply AND NOT %1$shas_references', p) END,
		CASE WHEN has(which, 'recipients', 17) THEN format('%srecipients %s', p, ('{= 1,> 1,> 3}'::text[])[1 + pick(which, 'r', 3)]) END,
		CASE WHEN has(which, 'attachments', 37) THEN CASE pick(which, 'a', 3) WHEN 0 THEN format('%sattachments > 0', p) WHEN 1 THEN format('%sattachments = 0', p)
			ELSE format('%sfile_types && %L::text[]', p, ARRAY['type' || pick(which, 'f', 12), 'type' || pick(which, 'g', 12)]) END END,
		CASE WHEN has(which, 'links', 48) THEN CASE pick(which, 'l', 3) WHEN 0 THEN format('%surl_count > 0', p) WHEN 1 THEN format('%surl_count < %s', p, 2 + pick(which, 'u', 4))
			ELSE format('%slink_domains && %L::text[]', p, ARRAY['h' || pick(which, 'h', 500) || '.example', 'h' || pick(which, 'i', 500) || '.example', 'none.example']) END END,
		CASE WHEN has(which, 'auth', 39) THEN CASE pick(which, 'au', 3) WHEN 0 THEN format('NOT %sdkim_pass', p) WHEN 1 THEN format('%sauth <> ''pass''', p) ELSE format('%sauth = ''fail''', p) END END,
		CASE WHEN has(which, 'counts', 50) THEN CASE pick(which, 'ct', 3) WHEN 0 THEN format('%sbody_chars < %s', p, 500 + pick(which, 'b', 1500)) WHEN 1 THEN format('%ssubject_chars > %s', p, pick(which, 'sc', 60))
			ELSE format('%ssize BETWEEN %s AND %s', p, pick(which, 'sz', 20000), 30000 + pick(which, 'sz2', 20000)) END END,
		CASE WHEN has(which, 'classifier', 28) THEN format('%s%s > %s', p, ('{theft,spam,advert}'::text[])[1 + pick(which, 'cl', 3)], ('{0.5,0.8,0.9}'::text[])[1 + pick(which, 'cl2', 3)]) END,
		CASE WHEN has(which, 'history', 26) THEN CASE pick(which, 'hi', 3) WHEN 0 THEN format('%ssender_events = 0', p) WHEN 1 THEN format('%ssender_days < %s', p, ('{1,7,30}'::text[])[1 + pick(which, 'hd', 3)])
			ELSE format('(%1$ssender_events < 3 OR %1$ssender_bad > 0)', p) END END,
		CASE WHEN has(which, 'lists', 57) THEN CASE pick(which, 'li', 3) WHEN 0 THEN format('%sfree_mail', p) WHEN 1 THEN format('''list%s'' = ANY (%slists)', pick(which, 'ln', 40), p)
			ELSE format('NOT %slists && %L::text[]', p, ARRAY['list' || pick(which, 'lo', 40), 'list39']) END END,
		CASE WHEN has(which, 'sender', 63) THEN CASE pick(which, 'se', 4) WHEN 0 THEN format('%sfrom_domain IN (%L, %L, %L)', p, format('domain%s.example', pick(which, 's1', 600)), format('domain%s.example', pick(which, 's2', 600)), 'x.example')
			WHEN 1 THEN format('%sfrom_domain NOT IN (%L, %L)', p, format('domain%s.example', pick(which, 's3', 600)), 'y.example')
			WHEN 2 THEN format('lower(%sfrom_addr) LIKE %L', p, format('user%s%%', pick(which, 's4', 1000))) ELSE format('%sfrom_domain <> %srecipient_domain', p, p) END END,
		CASE WHEN has(which, 'phrases', 72) THEN CASE pick(which, 'ph', 4) WHEN 0 THEN format('%sbody_text ILIKE %L', p, '%' || a_word(which, 'w1') || '%')
			WHEN 1 THEN format('%ssubject ILIKE %L', p, '%' || a_word(which, 'w2') || '%')
			ELSE format('%sphrases && %L::text[]', p, ARRAY['theme' || pick(which, 't1', 200), 'theme' || pick(which, 't2', 200), 'theme' || pick(which, 't3', 200)]) END END,
		CASE WHEN has(which, 'expressions', 51) THEN format('%s%s ~* %L', p, ('{subject,body_text}'::text[])[1 + pick(which, 're', 2)], split_part(a_word(which, 'w3'), ' ', 1) || '.*' || split_part(a_word(which, 'w4'), ' ', 1)) END,
		CASE WHEN has(which, 'some', 12) THEN format('(%1$surl_count > 2)::int + (%1$ssender_events = 0)::int + (%1$sreply_elsewhere)::int + (%1$stheft > 0.5)::int >= 2', p) END,
		CASE WHEN has(which, 'exclusion', 57) THEN CASE WHEN has(which, 'trusted', 46) THEN 'NOT ' || trusted ELSE format('NOT (%1$sfrom_domain = %2$L AND %1$sdkim_pass)', p, format('domain%s.example', pick(which, 'x', 600))) END END
	), ''), format('%sreply_elsewhere', p)) $$;
-- Those that are taken, by number: nobody keeps a condition that is true of a tenth of all messages.
CREATE TABLE rule (n int PRIMARY KEY, which int NOT NULL);
DO $$
DECLARE
	true_of int;
	taken int := 0;
BEGIN
	FOR which IN 1 .. 6000 LOOP
		EXECUTE format('SELECT count(*) FILTER (WHERE %s) FROM (SELECT * FROM signal_row ORDER BY id LIMIT 500) s', written(which, '', '(trusted_domain AND dkim_pass AND sender_events > 10)')) INTO true_of;
		IF true_of < 50 THEN
			taken := taken + 1;
			INSERT INTO rule VALUES (taken, which);
		END IF;
		EXIT WHEN taken = 3000;
	END LOOP;
END $$;
ANALYZE rule;
CREATE FUNCTION condition(n int, p text, trusted text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT written(r.which, p, trusted) FROM rule r WHERE r.n = $1 $$;

SELECT assay.create_policy(p, 'signals', '{id}', prior => -4) FROM unnest('{c1,c300,c3000}'::text[]) p;
SELECT assay.create_guard(p, 'trusted_sender', 'trusted_domain AND dkim_pass AND sender_events > 10') FROM unnest('{c1,c300,c3000}'::text[]) p;
SELECT count(assay.create_detector('c' || n, 'rule ' || to_char(i, 'FM0000'), condition(i, '', 'trusted_sender'), weight => 0.5, mode => 'live'))
	FROM unnest('{1,300,3000}'::int[]) n, generate_series(1, n) i;
VACUUM ANALYZE;

-- What is measured must be what is said: parts occur as often as in real rules,
-- and hundreds of conditions are true of some messages, none of many.
CREATE TABLE hit AS SELECT s.id, l.detector FROM signals s, assay.score('c3000', s) x, assay.ledger(x.attribution) l WHERE l.kind = 'rule' AND l.hit;
DO $$
DECLARE
	r record;
BEGIN
	SELECT avg((c ~ 'phrases &&|ILIKE')::int) AS phrases, avg((c ~ 'from_')::int) AS sender, avg((c ~ 'trusted_sender')::int) AS block INTO r
	FROM generate_series(1, 3000) i, condition(i, '', 'trusted_sender') c;
	IF r.phrases NOT BETWEEN 0.68 AND 0.76 OR r.sender NOT BETWEEN 0.6 AND 0.85 OR r.block NOT BETWEEN 0.22 AND 0.30 THEN
		RAISE 'the conditions are not as they should be: %', r;
	END IF;
	SELECT sum(n) / (SELECT count(*) FROM signal_row) AS hits, count(*) AS hitting, max(n)::float8 / (SELECT count(*) FROM signal_row) AS often,
		sum(n) FILTER (WHERE place <= 10) / sum(n) AS of_ten, sum(n) FILTER (WHERE place <= 100) / sum(n) AS of_hundred INTO r
	FROM (SELECT count(*) AS n, row_number() OVER (ORDER BY count(*) DESC) AS place FROM hit GROUP BY detector) h;
	IF r.hits NOT BETWEEN 2 AND 20 OR r.hitting < 250 OR r.often > 0.15 OR r.of_ten > 0.25 OR r.of_hundred > 0.95 THEN
		RAISE 'the conditions do not hit as they should: %', r;
	END IF;
	RAISE WARNING 'a message has % hits of 3000 conditions; % of them hit, the most frequent % %% of messages; ten have % %% of all hits, a hundred % %%',
		round(r.hits, 1), r.hitting, round(r.often::numeric * 100, 1), round(r.of_ten * 100), round(r.of_hundred * 100);
END $$;
