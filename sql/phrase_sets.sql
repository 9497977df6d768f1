-- phrase sets: names, themes, weights, places; history, rights, limits
SET client_min_messages = warning;
SELECT assay.create_phrase_set('bec', '{public}');
SELECT assay.phrase_hits('bec', 'anything'), assay.phrase_state('bec'), (assay.phrase_summary('bec', 'anything')).*;
INSERT INTO assay.phrase (set, name, pattern, kind, weight, theme) VALUES
	('bec', 'wire', 'wire transfer', 'literal', 2, 'money'), ('bec', 'wire', 'send the wire', DEFAULT, 2, 'money'),
	('bec', 'gift', 'gift card', 'literal', 1.5, 'cards'), ('bec', 'amount', 'usd\s*\d+', 'regex', 0.5, 'money');
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', 'plain', 'please');
SELECT assay.phrase_hits('bec', t) FROM unnest('{Please buy a Gift  card and send the wire transfer of USD 500 gift card,nothing,wired,""}'::text[]) t;
SELECT (assay.phrase_summary('bec', t)).* FROM unnest('{Please buy a Gift  card and send the wire transfer of USD 500 gift card,nothing,ÉÉ please}'::text[]) t;
SELECT assay.phrase_hits('bec', NULL), assay.phrase_hits(NULL, 'please');
SELECT (assay.phrase_summary(assay.phrases('{a,b,a}', '{foo,bar,baz}'), 'foo bar, foo baz')).*;
SELECT (assay.phrase_summary(assay.phrases('{}', '{}'), 'foo')).*;
-- behind 1,000 places, what occurs counts once
SELECT f.names, f.themes, f.counts, f.weight, cardinality(f.spans) / 2 AS places
FROM unnest('{998,999,1000,1001}'::int[]) n, assay.phrase_summary('bec', repeat('gift card ', n) || 'and please send') f;
SELECT f.names, f.counts, f.weight, cardinality(f.spans) / 2 AS places FROM unnest('{999,1000}'::int[]) n, assay.phrase_summary(assay.phrases('{a,b}', '{foo,bar}'), repeat('foo ', n) || 'bar') f;
-- the places are those of phrase_matches
SELECT spans = (SELECT array_agg(ARRAY[m.start_pos, m.end_pos] ORDER BY m.start_pos, m.end_pos) FROM assay.phrase_matches(assay.phrases_of('bec', 2), t) m)
FROM unnest('{éé gift card gift card,please please}'::text[]) t, assay.phrase_summary('bec', t);

-- counts: names, themes, all names, all themes
SELECT assay.phrase_counts('bec', t, '{wire,gift,amount,none,plain}', '{cards,money,none}')
FROM unnest('{Please buy a Gift  card and send the wire transfer of USD 500 gift card,nothing,wire transfer,""}'::text[]) t;
SELECT assay.phrase_counts('bec', 'gift card', '{}'), assay.phrase_counts('bec', 'gift card', '{gift,gift}'), assay.phrase_counts('bec', NULL, '{}'), assay.phrase_counts('bec', 'x', NULL);
SELECT assay.phrase_counts('bec', 'gift card', n, '{cards}') FROM (VALUES ('{gift}'::text[]), ('{wire,gift}'), ('{wire}'), ('{wire}')) v (n);
SELECT assay.phrase_counts('bec', 'gift card', '{gift,NULL}');
SELECT assay.phrase_counts('bec', 'gift card', '{}', '{{gift,card}}');
-- the same with weights, which are those of the summary
SELECT f.counts = assay.phrase_counts('bec', t, '{wire,gift,none}', '{cards,money}') AS counts, f.weight, f.weight = s.weight AS same
FROM unnest('{Please buy a Gift  card and send the wire transfer of USD 500 gift card,nothing,wire transfer,""}'::text[]) t,
	assay.phrase_totals('bec', t, '{wire,gift,none}', '{cards,money}') f, assay.phrase_summary('bec', t) s;
SELECT assay.phrase_totals('bec', 'gift card', '{}'), assay.phrase_totals('bec', NULL, '{}');
-- and so they are for whatever text, by each of the ways
BEGIN;
SELECT assay.create_phrase_set('many');
INSERT INTO assay.phrase (set, name, pattern, kind, weight, theme, expires_at)
SELECT 'many', 'n' || i % 90, CASE WHEN i % 10 = 0 THEN left(md5(i::text), 2) || '.' || right(md5(i::text), 1) ELSE left(md5(i::text), 2 + i % 2) END, CASE WHEN i % 10 = 0 THEN 'regex' ELSE 'literal' END,
	(i * 7 % 41 - 20) / 4.0, CASE WHEN i % 5 > 0 THEN 't' || i % 7 END, CASE WHEN i % 11 = 0 THEN '2001-01-01'::timestamptz END FROM generate_series(1, 200) i ON CONFLICT DO NOTHING;
SELECT count(*) > 150 AS phrases, count(DISTINCT theme) AS themes FROM assay.phrase WHERE set = 'many';
SELECT count(*) AS texts, count(*) FILTER (WHERE f.weight <> 0) > 300 AS weigh, bool_and(f.weight = s.weight) AS weights, bool_and(f.counts = c.counts) AS counts,
	bool_and(f.counts[1] = ('n1' = ANY (s.names))::int AND f.counts[4] = cardinality(s.names) AND f.counts[5] = cardinality(s.themes) AND (f.counts[2] > 0) = ('t3' = ANY (s.themes))) AS summary
FROM (SELECT string_agg(left(md5(i || '.' || j), 2 + (i + j) % 3), CASE WHEN i % 3 = 0 THEN '.' ELSE ' ' END ORDER BY j) AS t FROM generate_series(1, 400) i, generate_series(1, 60) j GROUP BY i) t,
	assay.phrase_totals('many', t, '{n1}', '{t3,t4}') f, assay.phrase_summary('many', t) s, LATERAL (SELECT assay.phrase_counts('many', t, '{n1}', '{t3,t4}') AS counts) c;
ROLLBACK;
-- a name of two themes counts for each of them, whatever else a call site asked before
BEGIN;
INSERT INTO assay.phrase (set, name, pattern, theme) VALUES ('bec', 'wire', 'western union', 'cards'), ('bec', 'gone', 'gone', 'money');
UPDATE assay.phrase SET expires_at = now() - interval '1 s' WHERE name = 'gone';
SELECT assay.create_phrase_set('other');
INSERT INTO assay.phrase (set, name, pattern, theme) VALUES ('other', 'x', 'gift card', 'money'), ('other', 'wire', 'western union', 'none');
SELECT s, assay.phrase_counts(s, 'western union, gift card, wire transfer, gone', '{gift,wire,x,gone}', '{money,cards}') FROM unnest('{bec,other,bec}'::text[]) s;
SELECT s, f.weight, f.weight = p.weight AS same FROM unnest('{bec,other,bec}'::text[]) s, LATERAL (SELECT 'western union, gift card, wire transfer, gone' AS t OFFSET 0) x,
	assay.phrase_totals(s, t, '{}') f, assay.phrase_summary(s, t) p;
ROLLBACK;

-- in a transaction
BEGIN;
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', 'own', 'mine');
SELECT assay.phrase_hits('bec', 'mine');
SAVEPOINT a;
DELETE FROM assay.phrase WHERE name = 'own';
SELECT assay.phrase_hits('bec', 'mine');
ROLLBACK TO a;
SELECT assay.phrase_hits('bec', 'mine');
ROLLBACK;
SELECT assay.phrase_hits('bec', 'mine'), assay.phrase_state('bec');

-- history
UPDATE assay.phrase SET weight = 3 WHERE name = 'gift';
UPDATE assay.phrase SET expires_at = now() - interval '1 s' WHERE name = 'plain';
DELETE FROM assay.phrase WHERE name = 'amount';
SELECT (assay.phrase_summary('bec', 'please, usd 4 gift card')).*;
SELECT name, pattern, kind, weight, theme, expires_at IS NOT NULL AS expires, added_state, removed_state FROM assay.phrase_history ORDER BY added_state, name, pattern;
SELECT s, assay.phrase_hits(assay.phrases_of('bec', s), 'please gift card'), assay.phrase_hits(assay.phrases_of('bec', s, 'regex'), 'usd 4') FROM generate_series(0, 5) s;
\set SHOW_CONTEXT never
SELECT assay.phrase_state('bec') AS now \gset
SELECT assay.phrases_of('bec', :now) IS NOT NULL AS there;
SELECT assay.phrases_of('bec', :now + 1);
SELECT assay.phrases_of('bec', -1);
SELECT assay.phrases_of('nosuch', 1);
\set SHOW_CONTEXT errors
-- the same again is no change of the phrase
INSERT INTO assay.phrase (set, name, pattern, theme) VALUES ('bec', 'wire', 'wire transfer', 'money');
UPDATE assay.phrase SET note = 'why' WHERE name = 'wire';
SELECT name, pattern, weight, note FROM assay.phrase ORDER BY added_state, name, pattern;

-- errors name the phrase, and change nothing
\set SHOW_CONTEXT never
INSERT INTO assay.phrase (set, name, pattern, kind) VALUES ('bec', 'bad', '(', 'regex');
INSERT INTO assay.phrase (set, name, pattern, kind) VALUES ('bec', 'bad', 'x', 'like');
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', 'bad', '  ');
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', 'bad', NULL);
INSERT INTO assay.phrase (set, name, pattern) VALUES (NULL, 'bad', 'x');
INSERT INTO assay.phrase (set, name, pattern) VALUES ('none', 'bad', 'x');
INSERT INTO assay.phrase (set, name, pattern, weight) VALUES ('bec', 'bad', 'x', 'NaN');
INSERT INTO assay.phrase (set, name, pattern, weight) VALUES ('bec', 'bad', 'x', 1000.001);
INSERT INTO assay.phrase (set, name, pattern, weight) VALUES ('bec', 'bad', 'x', -1000.001);
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', repeat('n', 256), 'x');
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', 'bad', repeat('x', 1001));
SELECT assay.phrase_hits('none', 'x');
SELECT assay.phrase_hits('{"syntax": "literal", "names": [], "patterns": []}', 'x');
SELECT assay.create_list('bec');
SELECT assay.in_list('bec', 'x');
SELECT assay.create_list('a list');
SELECT assay.phrase_hits('a list', 'x');
SELECT count(*) FROM assay.phrase WHERE name = 'bad';
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', repeat('n', 255), repeat('x', 1000));
SELECT length((assay.phrase_hits('bec', repeat('x', 1000)))[1]);
INSERT INTO assay.phrase (set, name, pattern, weight) VALUES ('bec', 'heavy', 'lead', 1000), ('bec', 'light', 'helium', -1000);
SELECT weight FROM unnest('{lead,helium}'::text[]) t, assay.phrase_summary('bec', t);
DELETE FROM assay.phrase WHERE name IN ('heavy', 'light');

-- parts of a transaction that fail while phrases are written take along only what they did
CREATE FUNCTION pg_temp.try_last(x text, call text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF x <> 'last' THEN
		RETURN true;
	END IF;
	EXECUTE call;
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
	RETURN false;
END $$;
CREATE FUNCTION pg_temp.write_and_try(call text) RETURNS TABLE (hits text[], states bigint) LANGUAGE plpgsql AS $$
DECLARE
	before bigint := assay.phrase_state('bec');
BEGIN
	INSERT INTO assay.phrase (set, name, pattern) SELECT 'bec', x, 'row ' || x FROM unnest('{one,two,last}'::text[]) x WHERE pg_temp.try_last(x, call);
	hits := assay.phrase_hits('bec', 'row one, row two, row last, nested');
	states := assay.phrase_state('bec') - before;
	RETURN NEXT;
	DELETE FROM assay.phrase WHERE pattern LIKE 'row %';
END $$;
SELECT call, w.* FROM unnest(ARRAY['SELECT 1', $$INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', 'nested', 'nested')$$,
	$$SELECT assay.create_phrase_set('nested')$$, $$SELECT assay.drop_set('bec')$$, $$TRUNCATE assay.named_set CASCADE$$]) call, pg_temp.write_and_try(call) w;
-- nor do those that succeed, or that make or drop another set
CREATE FUNCTION pg_temp.make_and_drop(x text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		PERFORM assay.create_phrase_set('another');
		PERFORM assay.drop_set('another');
	EXCEPTION WHEN division_by_zero THEN
		RETURN false;
	END;
	RETURN true;
END $$;
INSERT INTO assay.phrase (set, name, pattern) SELECT 'bec', x, 'row ' || x FROM unnest('{one,two}'::text[]) x WHERE pg_temp.make_and_drop(x);
SELECT assay.phrase_hits('bec', 'row one, row two');
-- opened in a part that succeeded, within one that failed
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
DELETE FROM assay.phrase WHERE name = 'two';
RELEASE b;
SELECT assay.phrase_hits('bec', 'row one, row two');
ROLLBACK TO a;
SELECT assay.phrase_hits('bec', 'row one, row two');
DELETE FROM assay.phrase WHERE name = 'one';
SELECT assay.phrase_hits('bec', 'row one, row two');
COMMIT;
SELECT assay.phrase_hits('bec', 'row one, row two'), assay.phrase_state('bec') - max(removed_state) AS since FROM assay.phrase_history;
DELETE FROM assay.phrase WHERE name = 'two';
-- a set in which a part of a transaction failed may be changed by nobody else
CREATE ROLE regress_phrase_nobody;
SELECT current_user AS me \gset
BEGIN;
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', 'mine', 'mine');
SAVEPOINT a;
GRANT :"me" TO regress_phrase_nobody;
SAVEPOINT b;
SET LOCAL ROLE regress_phrase_nobody;
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', 'theirs', 'theirs');
ROLLBACK TO a;
SET LOCAL ROLE regress_phrase_nobody;
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', 'theirs', 'theirs');
ROLLBACK;
DROP ROLE regress_phrase_nobody;

-- a compiled form that is damaged or gone
BEGIN;
UPDATE assay.phrase_base SET themes = '{}';
SELECT assay.phrase_hits('bec', 'x');
ROLLBACK;
CREATE FUNCTION pg_temp.with_null(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE assay.phrase_base SET %1$I = array_fill(NULL::text, ARRAY[cardinality(%1$I)])::%2$s', what,
		CASE what WHEN 'weights' THEN 'float8[]' ELSE 'text[]' END);
	PERFORM assay.phrase_hits('bec', 'x');
	RETURN 'taken';
EXCEPTION WHEN data_corrupted THEN
	RETURN SQLERRM;
END $$;
SELECT w, pg_temp.with_null(w) FROM unnest('{names,kinds,weights}'::text[]) w;
SELECT assay.phrase_hits('bec', 'a gift card');
BEGIN;
UPDATE assay.phrase_base SET literals = NULL;
SELECT assay.phrase_hits('bec', 'x');
ROLLBACK;
BEGIN;
DELETE FROM assay.phrase_base;
SAVEPOINT a;
SELECT assay.phrase_hits('bec', 'x');
ROLLBACK TO a;
SELECT assay.compile_phrase_set('bec');
SELECT assay.phrase_hits('bec', 'a gift card');
ROLLBACK;
SELECT assay.phrase_hits('bec', 'a gift card');

-- rights
CREATE ROLE regress_phrase_owner;
CREATE ROLE regress_phrase_other;
SET ROLE regress_phrase_owner;
SELECT assay.create_phrase_set('own');
INSERT INTO assay.phrase (set, name, pattern) VALUES ('own', 'a', 'x');
SELECT assay.phrase_hits('own', 'x'), (SELECT count(*) FROM assay.phrase), assay.phrase_hits(assay.phrases_of('own', 1), 'x');
INSERT INTO assay.phrase (set, name, pattern) VALUES ('bec', 'a', 'x');
SELECT assay.compile_phrase_set('bec');
SELECT assay_internal.phrase_put('bec', 1, now(), 'me', 'a', 'x', 'literal', 1, NULL, NULL, NULL);
SELECT assay_internal.phrase_compile('bec', 1);
SET ROLE regress_phrase_other;
SELECT assay.phrase_hits('own', 'x');
SELECT (assay.phrase_summary('own', 'x')).*;
SELECT assay.phrase_hits('bec', 'gift card'), (SELECT count(*) FROM assay.phrase_history);
RESET ROLE;
SELECT assay.drop_set('own'), assay.drop_set('bec'), assay.drop_set('a list');
SELECT count(*) FROM assay.phrase_entry;
SELECT count(*) FROM assay.phrase_base;
DROP ROLE regress_phrase_owner, regress_phrase_other;
