-- A decision is the same whatever the settings of the session.
CREATE TABLE set_message (id int PRIMARY KEY, at timestamptz, day date, f float8, gap interval, raw bytea, note text);
CREATE VIEW set_signals AS SELECT *, extract(hour FROM at) AS hour, at::text AS written FROM set_message;
SET timezone = 'Asia/Tokyo';
SELECT assay.create_policy('sets', 'set_signals', '{id}', prior => 0, thresholds => '{"caught": 0.6}');
-- in conditions
SELECT assay.create_detector('sets', 'hour', 'extract(hour FROM at) = 23', weight => 1, mode => 'live');
SELECT assay.create_detector('sets', 'literal', 'at > ''2024-06-01 23:00''', weight => 2, mode => 'live');
SELECT assay.create_detector('sets', 'day', 'day = ''05/06/2024''::date', weight => 4, mode => 'live');
SELECT assay.create_detector('sets', 'texts', 'day::text || gap::text || f::text || raw::text = ''2024-05-061 day 02:03:000.1\x41''', weight => 8, mode => 'live');
-- and in what the view says of itself
SELECT assay.create_detector('sets', 'view', 'hour = 23 AND written = ''2024-06-01 23:30:00+00''', weight => 16, mode => 'live');
-- evidence alone: nothing in the condition depends on anything
SELECT assay.create_detector('sets', 'evidence', 'at IS NOT NULL AND day IS NOT NULL AND f > 0 AND gap IS NOT NULL AND raw IS NOT NULL', weight => 32, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON set_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('sets');
CREATE FUNCTION set_insert(id int) RETURNS void LANGUAGE sql AS
	$$ INSERT INTO public.set_message VALUES ($1, '2024-06-01 23:30+00', 'May 6 2024', 0.1, '1 day 2:03', '\x41', NULL) $$;
SELECT set_insert(1);
SET timezone = 'America/New_York'; SET datestyle = 'German'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -10; SET bytea_output = 'escape';
SELECT set_insert(2);
RESET ALL;
SET timezone = 'Etc/UTC'; SET datestyle = 'SQL, DMY';
SELECT set_insert(3);
-- the session's own are as they were
SELECT current_setting('timezone'), current_setting('datestyle'), timestamptz '2024-02-01 00:00+00' AS at;
SELECT id, assay.margin(attribution), (SELECT l.signals FROM assay.ledger(attribution) l WHERE l.detector = 'evidence') AS evidence FROM sets_decision ORDER BY id;
SELECT count(DISTINCT attribution::text) FROM sets_decision;
-- a replay and score() say the same, the latter where the view does
SET timezone = 'America/New_York'; SET datestyle = 'German'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -10; SET bytea_output = 'escape';
SELECT count(*) FROM assay.replay('sets', at => 'at') r JOIN sets_decision d ON r.key = ARRAY[d.id::text] AND r.attribution::text = d.attribution::text;
SELECT count(DISTINCT x.attribution::text), min(assay.margin(x.attribution)) FROM set_signals s, assay.score('sets', s) x;
SELECT count(*) FROM (SELECT id, at, day, f, gap, raw, note, 23 AS hour, '2024-06-01 23:30:00+00'::text AS written FROM set_message OFFSET 0) s, assay.score('sets', s) x
JOIN sets_decision d ON d.attribution::text = x.attribution::text WHERE d.id = s.id;
SELECT current_setting('datestyle'), current_setting('intervalstyle'), current_setting('extra_float_digits'), current_setting('bytea_output');
-- parallel workers as well
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
ANALYZE set_message;
EXPLAIN (COSTS OFF) SELECT count(t) FROM (SELECT x.attribution::text AS t FROM set_signals s, assay.score('sets', s) x OFFSET 0) y;
SELECT count(DISTINCT t) FROM (SELECT x.attribution::text AS t FROM set_signals s, assay.score('sets', s) x OFFSET 0) y;
SELECT count(*) FROM (SELECT s.id, x.attribution::text AS t FROM set_signals s, assay.score('sets', s) x OFFSET 0) y, LATERAL (
	SELECT assay.margin(t::assay.attribution) AS m) z WHERE z.m = 47;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
-- where nothing but the evidence is written
SELECT assay.retire_detector('sets', d) FROM unnest('{hour,literal,day,texts,view}'::text[]) d;
SELECT l.signals FROM set_signals s, assay.score('sets', s) x, assay.ledger(x.attribution) l WHERE s.id = 1 AND l.detector = 'evidence';
RESET ALL;

-- what a condition makes a text of need be no column: score() and a condition that is tried say as the trigger does
CREATE TABLE cast_message (id int PRIMARY KEY, n int, raw text);
CREATE VIEW cast_signals AS SELECT * FROM cast_message;
SELECT assay.create_policy('casts', 'cast_signals', '{id}', prior => -20);
SELECT assay.create_detector('casts', d, c, weight => w, mode => 'live') FROM (VALUES
	('float', 'sqrt(n)::text = ''1.4142135623730951''', 1), ('floats', 'ARRAY[sqrt(n)]::text = ''{1.4142135623730951}''', 2),
	('point', 'point(n, sqrt(n))::text = ''(2,1.4142135623730951)''', 4), ('bytes', 'decode(raw, ''hex'')::text = ''\x41''', 8),
	('interval', 'make_interval(days => n)::text = ''2 days''', 16)) x(d, c, w);
CREATE TRIGGER decide AFTER INSERT ON cast_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('casts');
SET datestyle = 'German'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -10; SET bytea_output = 'escape';
INSERT INTO cast_message VALUES (1, 2, '41');
INSERT INTO cast_message VALUES (2, 2, '41');
SELECT id, assay.margin(attribution) FROM casts_decision UNION ALL
SELECT s.id, assay.margin(x.attribution) FROM cast_signals s, assay.score('casts', s) x ORDER BY id;
SELECT sum(assay_internal.condition_hit('casts', 'sqrt(n)::text = ''1.4142135623730951''', s, false)) FROM cast_signals s;
RESET ALL;
-- one at a time, since another that needs the settings would hide it
SELECT assay.retire_detector('casts', d) FROM unnest('{floats,point,bytes,interval}'::text[]) d;
SET extra_float_digits = -10;
SELECT assay.margin(x.attribution) FROM cast_signals s, assay.score('casts', s) x WHERE s.id = 1;
RESET ALL;
DROP TABLE cast_message CASCADE;
SELECT assay.drop_policy('casts', true);

-- A query that is kept is run again without setting what shows in nothing that it gives; what shows is set.
CREATE TABLE again_message (id int PRIMARY KEY, n int, at timestamptz, day date, gap interval, raw bytea, spots float8[]);
CREATE VIEW again_signals AS SELECT id, n, lower('N' || n::text) AS plain, at, day, gap, raw, spots, sqrt(n) AS root FROM again_message;
CREATE VIEW again_cast AS SELECT id, n, sqrt(n)::text AS root, raw::text AS raw, point(n, sqrt(n))::text AS point FROM again_message;
SELECT assay.create_policy(p, 'again_' || p, '{id}', prior => 0) FROM unnest('{signals,cast}'::text[]) p;
SELECT assay.create_detector('signals', c, c || ' IS NOT NULL', weight => 1, mode => 'live') FROM unnest('{n,plain,at,day,gap,raw,spots,root}'::text[]) c;
SELECT assay.create_detector('cast', c, c || ' IS NOT NULL', weight => 1, mode => 'live') FROM unnest('{n,root,raw,point}'::text[]) c;
CREATE TRIGGER a AFTER INSERT ON again_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('signals');
CREATE TRIGGER b AFTER INSERT ON again_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('cast');
CREATE FUNCTION again_insert(id int) RETURNS void LANGUAGE sql AS
	$$ INSERT INTO public.again_message VALUES ($1, 2, '2024-06-01 23:30+00', date '2024-05-06', make_interval(days => 1, mins => 123), '\x41', ARRAY[sqrt(2)]) $$;
SELECT again_insert(1);
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'pg_assay kept query' AND ident IS NULL;
-- what looks like the server's function is somebody's
CREATE SCHEMA again;
CREATE FUNCTION again.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'mine' $$;
SELECT again_insert(2);
SET search_path = again, pg_catalog, public; SET lock_timeout = 1; SET exit_on_error = on; SET jit = on; SET enable_seqscan = off;
SET timezone = 'America/New_York'; SET datestyle = 'German'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -10; SET bytea_output = 'escape';
SELECT public.again_insert(3);
SELECT public.again_insert(4);
-- what was kept does not hold any more, and is made anew with all settings
SET track_functions = 'all';
SELECT public.again_insert(5);
SELECT public.again_insert(6);
CREATE FUNCTION again.upper(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'mine' $$;
SELECT public.again_insert(7);
ANALYZE public.again_message;
SELECT public.again_insert(8);
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'pg_assay kept query' AND ident IS NULL;
SELECT current_setting('timezone') AS timezone, current_setting('datestyle') AS datestyle, current_setting('search_path') AS search_path;
RESET ALL;
SELECT count(*), count(DISTINCT attribution::text), bool_or(degraded) AS degraded FROM signals_decision;
SELECT l.detector, l.signals FROM signals_decision d, assay.ledger(d.attribution) l WHERE d.id = 8 ORDER BY l.detector COLLATE "C";
SELECT count(*), count(DISTINCT attribution::text), bool_or(degraded) AS degraded FROM cast_decision;
SELECT l.detector, l.signals FROM cast_decision d, assay.ledger(d.attribution) l WHERE d.id = 8 ORDER BY l.detector COLLATE "C";
SET client_min_messages = warning;
DROP SCHEMA again CASCADE;
DROP TABLE again_message CASCADE;
DROP FUNCTION again_insert;
SELECT assay.drop_policy(p, true) FROM unnest('{signals,cast}'::text[]) p;
RESET client_min_messages;

-- what is immutable for PostgreSQL, though settings show in more than its text: in a condition, and in a view
CREATE TABLE follow_message (id int PRIMARY KEY, at timestamptz, since timestamptz, word text, raw bytea);
CREATE VIEW follow_condition AS SELECT * FROM follow_message;
CREATE VIEW follow_view AS SELECT id, at AT TIME ZONE 'EST' AS eastern, quote_ident(word) AS quoted FROM follow_message;
CREATE VIEW follow_age AS SELECT id, extract(hour FROM age(at, since)) AS hours FROM follow_message;
SELECT assay.create_policy(p, 'follow_' || p, '{id}', prior => 0) FROM unnest('{condition,view,age}'::text[]) p;
SELECT count(assay.create_detector(p, d, c, weight => w, mode => 'live')) FROM (VALUES
	('condition', 'age', 'extract(hour FROM age(at, since)) = 0', 1), ('condition', 'eastern', 'extract(hour FROM at AT TIME ZONE ''EST'') = 21', 2),
	('condition', 'quoted', 'quote_ident(word) = word', 4), ('condition', 'xml', 'xmlelement(NAME a, raw)::text = ''<a>QQ==</a>''', 8),
	('age', 'hours', 'hours = 0', 1), ('view', 'eastern', 'extract(hour FROM eastern) = 21', 2), ('view', 'quoted', 'quoted = ''word''', 4)) x(p, d, c, w);
CREATE TRIGGER a AFTER INSERT ON follow_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('condition');
CREATE TRIGGER b AFTER INSERT ON follow_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('view');
CREATE TRIGGER c AFTER INSERT ON follow_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('age');
CREATE FUNCTION follow_insert(id int) RETURNS void LANGUAGE sql AS
	$$ INSERT INTO follow_message VALUES ($1, '2024-04-02 02:30+00', '2024-03-01 02:30+00', 'word', '\x41') $$;
SELECT follow_insert(1);
SELECT follow_insert(2);
SET timezone = 'America/New_York'; SET timezone_abbreviations = 'Australia'; SET quote_all_identifiers = on; SET xmlbinary = 'hex';
SELECT follow_insert(3);
SELECT s.id, assay.margin(x.attribution) FROM follow_condition s, assay.score('condition', s) x ORDER BY id;
RESET ALL;
SELECT c.id, assay.margin(c.attribution), assay.margin(v.attribution), assay.margin(a.attribution) FROM condition_decision c JOIN view_decision v USING (id) JOIN age_decision a USING (id) ORDER BY id;
SET client_min_messages = warning;
DROP FUNCTION follow_insert;
DROP TABLE follow_message CASCADE;
SELECT count(assay.drop_policy(p, true)) FROM unnest('{condition,view,age}'::text[]) p;
RESET client_min_messages;

-- XML and SQL/JSON call functions that an expression does not name: each alone, since one that needs all settings has them set for all
CREATE TABLE hidden_message (id int PRIMARY KEY, at timestamptz, document jsonb, what regclass);
CREATE VIEW hidden_signals AS SELECT * FROM hidden_message;
CREATE FUNCTION hidden_insert(id int) RETURNS void LANGUAGE sql AS
	$$ INSERT INTO public.hidden_message VALUES ($1, '2024-02-01 02:30+00', '{"at": "2024-02-01T02:30:00", "day": "01.02.2024", "what": "hidden_message"}', 'public.hidden_message') $$;
CREATE TEMP TABLE hidden AS SELECT format('hidden_%s', n) AS policy, condition FROM (VALUES
	(1, 150000, 'xmlelement(NAME a, what)::text = ''<a>public.hidden_message</a>'''),
	(2, 160000, 'JSON_ARRAY(to_timestamp(id + 1700000000))::text LIKE ''%+00:00%'''),
	(3, 160000, 'JSON_OBJECT(''a'': what RETURNING jsonb)->>''a'' = ''public.hidden_message'''),
	(4, 170000, 'JSON_VALUE(document, ''$.at'' RETURNING timestamptz) = at'),
	(5, 170000, 'JSON_VALUE(document, ''$.day'' RETURNING date) = date(make_date(2024, 1, 2))'),
	(6, 170000, 'JSON_VALUE(document, ''$.what'' RETURNING regclass) IS NULL'),
	(7, 170000, 'JSON_EXISTS(document, ''$.at ? (@.datetime() == $x)'' PASSING at AS x)')) x(n, since, condition)
	WHERE since <= current_setting('server_version_num')::int;
SELECT count(assay.create_policy(policy, 'hidden_signals', '{id}', prior => 0)) > 0 AS made FROM hidden;
SELECT count(assay.create_detector(policy, 'd', condition, weight => 1, mode => 'live')) > 0 AS made FROM hidden;
DO $$
DECLARE
	p text;
BEGIN
	FOR p IN SELECT policy FROM hidden LOOP
		EXECUTE format('CREATE TRIGGER %1$s AFTER INSERT ON hidden_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide(%1$L)', p);
	END LOOP;
END $$;
SELECT hidden_insert(1);
SELECT hidden_insert(2);
SET timezone = 'America/New_York'; SET datestyle = 'German';
SELECT hidden_insert(3);
CREATE TEMP TABLE given AS SELECT h.policy, s.id, assay.margin(x.attribution), 'score' AS by FROM hidden h, hidden_signals s, assay.score(h.policy, s) x;
RESET ALL;
DO $$
DECLARE
	p text;
BEGIN
	FOR p IN SELECT policy FROM hidden LOOP
		EXECUTE format('INSERT INTO given SELECT %L, id, assay.margin(attribution), ''trigger'' FROM %I', p, p || '_decision');
	END LOOP;
END $$;
SELECT count(*) = 6 * (SELECT count(*) FROM hidden) AS complete FROM given;
SELECT h.condition, g.id, g.by, g.margin FROM given g JOIN hidden h USING (policy) WHERE g.margin IS DISTINCT FROM 1 ORDER BY 1, 2, 3;
SET client_min_messages = warning;
DROP FUNCTION hidden_insert;
DROP TABLE hidden_message CASCADE;
SELECT count(assay.drop_policy(policy, true)) > 0 AS dropped FROM hidden;
DROP TABLE hidden, given;
-- each alone, since what needs all settings would hide it: an abbreviation, the time zone, and limits of searches
CREATE TABLE alone_message (id int PRIMARY KEY, at timestamptz, since timestamptz);
CREATE TABLE alone_word (words text[]);
INSERT INTO alone_word SELECT ARRAY['w' || i % 10] FROM generate_series(1, 3000) i;
CREATE INDEX ON alone_word USING gin (words);
ANALYZE alone_word;
CREATE VIEW alone_signals AS SELECT * FROM alone_message;
CREATE VIEW alone_zone AS SELECT id, extract(hour FROM at AT TIME ZONE 'EST') AS hour FROM alone_message;
CREATE VIEW alone_trunc AS SELECT id, extract(hour FROM date_trunc('day', at, 'EST') AT TIME ZONE interval '0') AS hour FROM alone_message;
CREATE VIEW alone_age AS SELECT id, extract(hour FROM age(at, since)) AS hours FROM alone_message;
CREATE VIEW alone_day AS SELECT id, (at + '1 day')::date AS day, date_trunc('day', at) AS start FROM alone_message;
CREATE VIEW alone_rows AS SELECT id, (SELECT count(*) FROM alone_word w WHERE w.words @> ARRAY['w' || m.id % 2]) AS rows FROM alone_message m;
CREATE TABLE alone AS SELECT * FROM (VALUES
	('alone_signals', 'c_zone', 'extract(hour FROM at AT TIME ZONE ''EST'') = 21'), ('alone_signals', 'c_age', 'extract(hour FROM age(at, since)) = 0'),
	('alone_zone', 'v_zone', 'hour = 21'), ('alone_trunc', 'v_trunc', 'hour = 5'), ('alone_age', 'v_age', 'hours = 0'), ('alone_rows', 'v_rows', 'rows = 300'),
	('alone_day', 'v_day', 'day = ''2024-04-03'' AND extract(hour FROM start AT TIME ZONE ''Etc/UTC'') = 0')) x(view, policy, condition);
SELECT count(assay.create_policy(policy, view, '{id}', prior => 0)), count(assay.create_detector(policy, 'd', condition, weight => 1, mode => 'live')) FROM alone;
DO $$ BEGIN EXECUTE (SELECT string_agg(format('CREATE TRIGGER %1$I AFTER INSERT ON alone_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide(%1$L)',
	policy), ';') FROM alone); END $$;
CREATE FUNCTION alone_insert(id int) RETURNS void LANGUAGE sql AS $$ INSERT INTO alone_message VALUES ($1, '2024-04-02 02:30+00', '2024-03-01 02:30+00') $$;
SELECT alone_insert(1);
SELECT alone_insert(2);
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'pg_assay kept query' AND ident IS NULL;
SET timezone = 'America/New_York'; SET timezone_abbreviations = 'Australia'; SET gin_fuzzy_search_limit = 1; SET work_mem = '64kB';
SELECT alone_insert(3);
SELECT s.id, x.verdict, round(assay.margin(x.attribution)::numeric) AS margin FROM alone_signals s, unnest('{c_zone,c_age}'::text[]) p, assay.score(p, s) x WHERE id = 3;
SELECT current_setting('timezone') AS timezone, current_setting('timezone_abbreviations') AS abbreviations, current_setting('gin_fuzzy_search_limit') AS fuzzy;
RESET ALL;
SELECT id, array_agg(m ORDER BY p) AS margins FROM (
	SELECT 1, id, assay.margin(attribution) FROM c_zone_decision UNION ALL SELECT 2, id, assay.margin(attribution) FROM c_age_decision UNION ALL
	SELECT 3, id, assay.margin(attribution) FROM v_zone_decision UNION ALL SELECT 4, id, assay.margin(attribution) FROM v_age_decision UNION ALL
	SELECT 5, id, assay.margin(attribution) FROM v_rows_decision UNION ALL SELECT 6, id, assay.margin(attribution) FROM v_day_decision
	UNION ALL SELECT 7, id, assay.margin(attribution) FROM v_trunc_decision) x(p, id, m) GROUP BY id ORDER BY id;
SET client_min_messages = warning;
DROP FUNCTION alone_insert;
DROP TABLE alone_message CASCADE;
DROP TABLE alone_word;
SELECT count(assay.drop_policy(policy, true)) FROM alone;
DROP TABLE alone;
RESET client_min_messages;

-- logged signals that are written as text
CREATE TABLE logged_message (id int PRIMARY KEY, spot point, gaps interval[], raws bytea[], words text[], more jsonb, n int);
CREATE VIEW logged_signals AS SELECT * FROM logged_message;
SELECT assay.create_policy('logged', 'logged_signals', '{id}', prior => 0, log_signals => true);
SELECT assay.create_detector('logged', 'n', 'n > 1', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON logged_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('logged');
CREATE FUNCTION logged_insert(id int) RETURNS void LANGUAGE sql AS $$ INSERT INTO logged_message
	VALUES ($1, point(2, sqrt(2)), ARRAY[make_interval(days => 1, mins => 123)], ARRAY[decode('41', 'hex')], '{a,"b c"}', '{"a": 0.1}', 2) $$;
SELECT logged_insert(1);
SELECT logged_insert(2);
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'pg_assay kept query' AND ident IS NULL;
SET intervalstyle = 'iso_8601'; SET extra_float_digits = -10; SET bytea_output = 'escape';
SELECT logged_insert(3);
RESET ALL;
SELECT count(*), count(DISTINCT assay.signals_to_jsonb(signals) - 'id') FROM logged_decision WHERE NOT degraded;
SELECT assay.signals_to_jsonb(signals) FROM logged_decision WHERE id = 3;
SET client_min_messages = warning;
DROP FUNCTION logged_insert;
DROP TABLE logged_message CASCADE;
SELECT assay.drop_policy('logged', true);
RESET client_min_messages;

-- nor do they change how a condition is read
SET transform_null_equals = on; SET array_nulls = off;
SELECT assay.create_detector('sets', 'null', 'note = NULL', weight => 64, mode => 'live');
SELECT assay.create_detector('sets', 'null item', '(''{NULL}''::text[])[1] IS NULL', weight => 128, mode => 'live');
SELECT l.detector FROM set_signals s, assay.score('sets', s) x, assay.ledger(x.attribution) l WHERE s.id = 1 AND l.detector LIKE 'null%';
RESET ALL;

-- a condition that asks for the present tells so
SELECT assay.create_detector('sets', 'now ' || n, c) FROM (VALUES (1, 'at < now() - interval ''1 day'''), (2, 'day < current_date'), (3, 'age(at) > ''1 day'''),
	(4, 'at < localtimestamp'), (5, 'age(at, at) > ''1 day'''), (6, 'current_user = note')) t(n, c) ORDER BY n;
DROP TABLE set_message CASCADE;
DROP FUNCTION set_insert;
SELECT assay.drop_policy('sets', true);

-- how names are quoted is nobody's name: keys that come again, and a table without a key that a query writes to
CREATE TABLE quoted_message (id int PRIMARY KEY, n int);
CREATE VIEW quoted_signals AS SELECT * FROM quoted_message;
SELECT assay.create_policy('quoted', 'quoted_signals', '{id}', prior => 0);
SELECT assay.create_detector('quoted', 'n', 'n > 1', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON quoted_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('quoted');
INSERT INTO quoted_message SELECT i, 1 FROM generate_series(1, 3) i;
DELETE FROM quoted_message;
SET quote_all_identifiers = on;
INSERT INTO quoted_message VALUES (1, 5);
INSERT INTO quoted_message VALUES (2, 5), (3, 5);
RESET quote_all_identifiers;
ALTER TABLE quoted_decision DROP CONSTRAINT quoted_decision_pkey;
INSERT INTO quoted_message VALUES (4, 5);
SET quote_all_identifiers = on;
INSERT INTO quoted_message VALUES (5, 5);
INSERT INTO quoted_message VALUES (6, 5), (7, 5);
RESET quote_all_identifiers;
SELECT id, assay.margin(attribution) FROM quoted_decision ORDER BY id;
DROP TABLE quoted_message CASCADE;
SELECT assay.drop_policy('quoted', true);

-- a client whose encoding has not all characters of what there is to tell
CREATE SCHEMA told;
CREATE TABLE told.message (id int PRIMARY KEY, n int);
CREATE VIEW told.signals AS SELECT id, n FROM told.message;
CREATE FUNCTION told.speaks(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'слово'; RETURN $1 > 3; END $$;
CREATE FUNCTION told.louder(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET client_min_messages = warning
	AS $$ BEGIN RAISE WARNING 'слово'; RETURN $1 > 3; END $$;
CREATE FUNCTION told.gone(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 3';
SELECT assay.create_policy('told', 'told.signals', '{id}', prior => -1);
SELECT assay.create_detector('told', 'говорит', 'told.speaks(n)', weight => 8, mode => 'live');
SELECT assay.create_detector('told', 'громче', 'told.louder(n)', weight => 8, mode => 'live');
SELECT assay.create_detector('told', 'пропал', 'told.gone(n)', weight => 8, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON told.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('told');
SET client_encoding = 'LATIN1';
INSERT INTO told.message VALUES (1, 5);
INSERT INTO told.message VALUES (2, 5), (3, 1);
SELECT id, verdict, degraded FROM told.told_verdict ORDER BY id;
DROP FUNCTION told.gone(int);
INSERT INTO told.message VALUES (4, 5);
INSERT INTO told.message VALUES (5, 5), (6, 1);
RESET client_encoding;
ALTER TABLE told.told_decision ADD CONSTRAINT "проверка" CHECK (id < 7);
SET client_encoding = 'LATIN1';
INSERT INTO told.message VALUES (7, 5);
INSERT INTO told.message VALUES (8, 5), (9, 1);
RESET client_encoding;
SELECT id, verdict, degraded FROM told.told_verdict WHERE id > 3 ORDER BY id;
SELECT key, reason FROM assay.undecided('told') ORDER BY 1;
SELECT detector, sqlstate FROM assay.fault WHERE policy = 'told' ORDER BY 2, fault;
DROP TRIGGER decide ON told.message;
SELECT assay.drop_policy('told', true);
DROP SCHEMA told CASCADE;
