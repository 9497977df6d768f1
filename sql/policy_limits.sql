-- What a policy takes and what it refuses, at each limit and one beyond it.
\set SHOW_CONTEXT never
SET extra_float_digits = 0;
CREATE SCHEMA limits;
CREATE TABLE limits.message (id int PRIMARY KEY, n int);
CREATE VIEW limits.signals AS SELECT id, n FROM limits.message;
CREATE VIEW limits.taken AS SELECT id AS revision FROM limits.message;
CREATE VIEW limits.no_key AS SELECT n FROM limits.message;
-- the outcome of a call: a number or void, or what it says
CREATE FUNCTION pg_temp.try(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text; result text;
BEGIN
	EXECUTE 'SELECT ' || call INTO result;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', state, regexp_replace(message, '(.)\1{49,}', '\1…', 'g'), nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on

-- create_policy
SELECT what, pg_temp.try(format('assay.create_policy(%s)', call)) FROM (VALUES
	(1, 'name of 50 bytes', $$repeat('p', 50), 'limits.signals', '{id}'$$), (2, '51', $$repeat('p', 51), 'limits.signals', '{id}'$$),
	(3, '25 of two bytes', $$repeat('ü', 25), 'limits.signals', '{id}'$$), (4, '26', $$repeat('ü', 26), 'limits.signals', '{id}'$$),
	(5, 'empty name', $$'', 'limits.signals', '{id}'$$), (6, 'no name', $$NULL, 'limits.signals', '{id}'$$),
	(7, 'no view', $$'a', NULL, '{id}'$$), (8, 'no key', $$'a', 'limits.signals', NULL$$), (9, 'empty key', $$'a', 'limits.signals', '{}'$$),
	(10, 'key twice', $$'a', 'limits.signals', '{id,id}'$$), (11, 'null in key', $$'a', 'limits.signals', '{id,NULL}'$$),
	(12, 'key of two dimensions', $$'a', 'limits.signals', '{{id},{n}}'$$), (13, 'another key', $$'a', 'limits.signals', '{nn}'$$),
	(14, 'key like a column', $$'a', 'limits.taken', '{revision}'$$),
	(15, 'prior 1000', $$'prior', 'limits.signals', '{id}', prior => 1000$$), (16, 'beyond', $$'a', 'limits.signals', '{id}', prior => 1000.001$$),
	(17, 'prior -1000', $$'prior2', 'limits.signals', '{id}', prior => -1000$$), (18, 'beyond', $$'a', 'limits.signals', '{id}', prior => -1000.001$$),
	(19, 'NaN', $$'a', 'limits.signals', '{id}', prior => 'NaN'$$), (20, 'infinite', $$'a', 'limits.signals', '{id}', prior => '-Infinity'$$), (21, 'null', $$'a', 'limits.signals', '{id}', prior => NULL$$),
	(22, 'thresholds 0 and 1', $$'t01', 'limits.signals', '{id}', thresholds => '{"a": 0, "b": 1}'$$), (23, 'below', $$'a', 'limits.signals', '{id}', thresholds => '{"a": -0.001}'$$),
	(24, 'above', $$'a', 'limits.signals', '{id}', thresholds => '{"a": 1.001}'$$), (25, 'equal', $$'a', 'limits.signals', '{id}', thresholds => '{"a": 0.5, "b": 0.50}'$$),
	(26, 'equal as float8', $$'a', 'limits.signals', '{id}', thresholds => '{"a": 0.5, "b": 0.50000000000000000000001}'$$),
	(27, 'no number', $$'a', 'limits.signals', '{id}', thresholds => '{"a": "0.5"}'$$), (28, 'no object', $$'a', 'limits.signals', '{id}', thresholds => '[0.5]'$$),
	(29, 'null', $$'a', 'limits.signals', '{id}', thresholds => NULL$$), (30, 'none', $$'none', 'limits.signals', '{id}', thresholds => '{"caught": 0}'$$), (42, 'no thresholds', $$'empty', 'limits.signals', '{id}', thresholds => '{}'$$),
	(31, 'default among them', $$'a', 'limits.signals', '{id}', thresholds => '{"safe": 0.5}'$$), (32, 'verdict without name', $$'a', 'limits.signals', '{id}', thresholds => '{"": 0.5}'$$),
	(33, 'no default', $$'a', 'limits.signals', '{id}', default_verdict => NULL$$), (34, 'on_error', $$'a', 'limits.signals', '{id}', on_error => 'ignore'$$), (35, 'null', $$'a', 'limits.signals', '{id}', on_error => NULL$$),
	(36, 'log_signals', $$'a', 'limits.signals', '{id}', log_signals => NULL$$), (37, 'search_path', $$'a', 'limits.signals', '{id}', search_path => 'a, "b'$$), (38, 'null', $$'a', 'limits.signals', '{id}', search_path => NULL$$),
	(39, 'twice', $$'none', 'limits.signals', '{id}'$$),
	(43, 'verdict of 200 characters', $$'v200', 'limits.signals', '{id}', thresholds => jsonb_build_object(repeat('ü', 200), 0.5)$$), (44, '201', $$'a', 'limits.signals', '{id}', thresholds => jsonb_build_object(repeat('ü', 201), 0.5)$$),
	(45, 'default of 200', $$'d200', 'limits.signals', '{id}', default_verdict => repeat('ü', 200)$$), (46, '201', $$'a', 'limits.signals', '{id}', default_verdict => repeat('ü', 201)$$)) t(n, what, call) ORDER BY n;
-- the key columns and one more are a primary key
DO $$ BEGIN EXECUTE 'CREATE VIEW limits.keys AS SELECT ' || (SELECT string_agg(format('id AS k%s', i), ', ') FROM generate_series(1, 32) i) || ' FROM limits.message'; END $$;
SELECT n, pg_temp.try(format('assay.create_policy(%L, ''limits.keys'', (SELECT array_agg(''k'' || i) FROM generate_series(1, %s) i))', 'k' || n, n)) FROM unnest('{31,32}'::int[]) n;

-- detectors
SELECT assay.create_policy('p', 'limits.signals', '{id}');
SELECT what, pg_temp.try(format('assay.create_detector(''p'', %s)', call)) FROM (VALUES
	(1, 'name of 200 characters', $$repeat('ü', 200), 'n = 1'$$), (2, '201', $$repeat('ü', 201), 'n = 1'$$), (3, 'empty', $$'', 'n = 1'$$), (4, 'null', $$NULL, 'n = 1'$$),
	(5, 'condition of 65536 bytes', $$'long', 'n = 1' || repeat(' ', 65531)$$), (6, '65537', $$'a', 'n = 1' || repeat(' ', 65532)$$), (7, 'empty', $$'a', ''$$),
	(8, 'neither', $$'a'$$), (9, 'both', $$'a', 'n = 1', assay.model_from_linear('{n}', '{1}')$$), (10, 'another feature', $$'a', model => assay.model_from_linear('{nn}', '{1}')$$),
	(11, 'weight 1000', $$'w1', 'n = 1', weight => 1000$$), (12, 'beyond', $$'a', 'n = 1', weight => 1000.0001$$), (13, 'weight -1000', $$'w2', 'n = 1', weight => -1000$$), (14, 'beyond', $$'a', 'n = 1', weight => -1000.0001$$),
	(15, 'NaN', $$'a', 'n = 1', weight => 'NaN'$$), (16, 'infinite', $$'a', 'n = 1', weight => 'Infinity'$$), (17, 'null', $$'a', 'n = 1', weight => NULL$$),
	(18, 'mode', $$'a', 'n = 1', mode => 'on'$$), (19, 'null', $$'a', 'n = 1', mode => NULL$$), (20, 'capitals', $$'a', 'n = 1', mode => 'Live'$$),
	(21, 'rollout 0', $$'r0', 'n = 1', rollout => 0$$), (22, 'rollout 1', $$'r1', 'n = 1', rollout => 1$$), (23, 'below', $$'a', 'n = 1', rollout => -1e-9$$), (24, 'above', $$'a', 'n = 1', rollout => 1.000001$$),
	(25, 'NaN', $$'a', 'n = 1', rollout => 'NaN'$$), (26, 'null', $$'a', 'n = 1', rollout => NULL$$),
	(27, 'tags', $$'t1', 'n = 1', tags => '{a,"b c",ü}'$$), (28, 'null', $$'t2', 'n = 1', tags => NULL$$), (29, 'null within', $$'a', 'n = 1', tags => '{a,NULL}'$$), (30, 'two dimensions', $$'a', 'n = 1', tags => '{{a},{b}}'$$),
	(31, 'verdict', $$'v1', 'n = 1', force_verdict => 'safe'$$), (32, 'another', $$'a', 'n = 1', force_verdict => 'bad'$$), (33, 'empty', $$'a', 'n = 1', force_verdict => ''$$),
	(34, 'twice', $$'w1', 'n = 2'$$), (35, 'expired', $$'e', 'n = 1', expires_at => '2020-01-01'$$)) t(n, what, call) ORDER BY n;
SELECT detector, tags FROM assay.detectors WHERE detector IN ('t1', 't2') ORDER BY 1;
SELECT what, pg_temp.try(format('assay.alter_detector(%s)', call)) FROM (VALUES
	(1, 'none', $$'p', 'nobody', weight => 1$$), (2, 'of none', $$'nobody', 'w1', weight => 1$$), (3, 'null', $$NULL, 'w1', weight => 1$$), (4, 'both', $$'p', 'w1', 'n = 1', assay.model_from_linear('{n}', '{1}')$$),
	(5, 'weight', $$'p', 'w1', weight => 'NaN'$$), (6, 'mode', $$'p', 'w1', mode => 'alive'$$), (7, 'rollout', $$'p', 'w1', rollout => 'NaN'$$), (8, 'tags', $$'p', 'w1', tags => '{NULL}'$$),
	(9, 'verdict', $$'p', 'w1', force_verdict => 'bad'$$), (10, 'condition', $$'p', 'w1', condition => 'm = 1'$$), (11, 'expired', $$'p', 'w1', expires_at => '2020-01-01'$$),
	(12, 'no more', $$'p', 'w1', expires_at => 'infinity', description => 'd', severity => 's'$$), (13, 'taken away', $$'p', 'w1', description => '', severity => ''$$)) t(n, what, call) ORDER BY n;
SELECT detector, weight, expires_at, description IS NULL, severity IS NULL FROM assay.detectors WHERE detector = 'w1';
SELECT pg_temp.try(c) FROM unnest('{"assay.promote(''p'', ''nobody'')", "assay.retire_detector(''p'', ''nobody'')", "assay.drop_exclusion(''p'', ''nobody'')", "assay.drop_policy(''nobody'')", "assay.drop_policy(NULL)"}'::text[]) c;

-- guards and exclusions
SELECT what, pg_temp.try(format('assay.create_guard(''p'', %s)', call)) FROM (VALUES
	(1, 'name of 63 bytes', $$repeat('g', 63), 'n = 1'$$), (2, '64', $$repeat('g', 64), 'n = 1'$$), (3, '32 of two bytes', $$repeat('ü', 32), 'n = 1'$$), (4, 'empty', $$'', 'n = 1'$$), (5, 'null', $$NULL, 'n = 1'$$),
	(6, 'no condition', $$'g', NULL$$), (7, 'a signal', $$'n', 'n = 1'$$), (8, 'of a guard', $$'g', repeat('g', 63)$$)) t(n, what, call) ORDER BY n;
SELECT pg_temp.try($$assay.create_detector('p', 'uses it', 'NOT ' || repeat('g', 63))$$);
SELECT what, pg_temp.try(format('assay.exclude(''p'', %s)', call)) FROM (VALUES
	(1, 'name of 200 characters', $$repeat('ü', 200), 'n = 1', verdict => 'safe', reason => 'r'$$), (2, '201', $$repeat('ü', 201), 'n = 1', verdict => 'safe', reason => 'r'$$), (3, 'null', $$NULL, 'n = 1', verdict => 'safe', reason => 'r'$$),
	(4, 'without effect', $$'x', 'n = 1', reason => 'r'$$), (5, 'mutes nobody', $$'x', 'n = 1', mutes => '{}', reason => 'r'$$), (6, 'mutes null', $$'x', 'n = 1', mutes => '{NULL}', reason => 'r'$$), (7, 'mutes another', $$'x', 'n = 1', mutes => '{w1,nobody}', reason => 'r'$$),
	(8, 'two dimensions', $$'x', 'n = 1', mutes => '{{w1},{w2}}', reason => 'r'$$), (9, 'verdict', $$'x', 'n = 1', verdict => 'bad', reason => 'r'$$), (10, 'no reason', $$'x', 'n = 1', verdict => 'safe'$$), (11, 'empty', $$'x', 'n = 1', verdict => 'safe', reason => ''$$),
	(12, 'no condition', $$'x', NULL, verdict => 'safe', reason => 'r'$$), (13, 'key', $$'x', 'n = 1', verdict => 'safe', reason => 'r', decision_key => '{1,2}'$$), (14, 'null key', $$'x', 'n = 1', verdict => 'safe', reason => 'r', decision_key => '{NULL}'$$),
	(15, 'expired', $$'x', 'n = 1', verdict => 'safe', reason => 'r', expires_at => '2020-01-01'$$),
	(16, 'key of nothing', $$'x', 'n = 1', verdict => 'safe', reason => 'r', decision_key => '{1}'$$)) t(n, what, call) ORDER BY n;

-- alter_policy
SELECT assay.create_detector('p', 'forces', 'n = 7', weight => 0, force_verdict => 'malicious');
SELECT what, pg_temp.try(format('assay.alter_policy(%s)', call)) FROM (VALUES
	(1, 'none', $$'nobody', prior => 1$$), (2, 'prior', $$'p', prior => 'NaN'$$), (3, 'a verdict in use', $$'p', thresholds => '{"suspicious": 0.5}'$$), (4, 'default', $$'p', default_verdict => 'suspicious'$$), (5, 'on_error', $$'p', on_error => 'x'$$),
	(6, 'search_path', $$'p', search_path => ',' $$), (7, 'no such owner', $$'p', owner => 'nobody at all'$$), (8, 'view without key', $$'p', signals => 'limits.no_key'$$)) t(n, what, call) ORDER BY n;

-- names as a whole: nothing in them is ever run
SELECT pg_temp.try(format('assay.create_policy(%L, ''limits.signals'', ''{id}'')', $$x'; DROP TABLE limits.message; --"$$));
SELECT pg_temp.try(format('assay.explain_decision(%L, %L)', $$x'; DROP TABLE limits.message; --"$$, $$1' OR true; --$$));
SELECT count(*) FROM limits.message;
CREATE ROLE limits_owner; CREATE ROLE limits_victim;
GRANT CREATE ON SCHEMA limits TO limits_victim;
SET ROLE limits_victim;
CREATE TABLE limits.victim (id int);
SET ROLE limits_owner;
INSERT INTO assay.policy (policy, signals, key, decision, label) VALUES ('planted', 'limits.signals', '{id}', '(SELECT 1) x; DROP TABLE limits.message', 'a.b');
INSERT INTO assay.policy (policy, signals, key, decision, label) VALUES ('planted', 'limits.signals', '{id}', 'limits.message, limits.victim', 'a.b');
INSERT INTO assay.policy (policy, signals, key, decision, label) VALUES ('planted', 'limits.signals', '{id}', 'limits.victim', 'limits.victim');
RESET ROLE;
SELECT assay.drop_policy('planted', true);
SELECT assay.drop_policy('planted');
DROP OWNED BY limits_owner, limits_victim;
DROP ROLE limits_owner, limits_victim;

-- keys of type character are whole
CREATE TABLE limits.padded (k char(5), b bit varying(9), t varchar(3) COLLATE "C", PRIMARY KEY (k, b, t));
CREATE VIEW limits.padded_signals AS SELECT k, b, t, now() AS received_at FROM limits.padded;
SELECT assay.create_policy('padded', 'limits.padded_signals', '{k,b,t}');
CREATE TRIGGER decide AFTER INSERT ON limits.padded REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('padded');
INSERT INTO limits.padded VALUES ('abcde', '101', 'abc'), ('abcdf', '1011', 'abd');
DROP TRIGGER decide ON limits.padded;
CREATE TRIGGER decide AFTER INSERT ON limits.padded FOR EACH ROW EXECUTE FUNCTION assay.decide('padded');
INSERT INTO limits.padded VALUES ('abcdg', '111', 'abc');
SELECT k, b, t, degraded FROM limits.padded_decision ORDER BY k;
SELECT assay.alter_policy('padded', prior => 0);
CALL assay.backfill('padded', batch => 1);
SELECT k, b, t, degraded FROM limits.padded_decision WHERE revision = 2 ORDER BY k;

DROP TRIGGER decide ON limits.padded;
SET client_min_messages = warning;
SELECT count(assay.drop_policy(policy, true)) FROM assay.policies;
DROP SCHEMA limits CASCADE;

-- tables that were swapped for something that runs as who reads it
CREATE ROLE swap_owner; CREATE SCHEMA swap AUTHORIZATION swap_owner;
SET ROLE swap_owner;
CREATE TABLE swap.message (id int PRIMARY KEY, received_at timestamptz DEFAULT now());
CREATE VIEW swap.signals AS SELECT * FROM swap.message;
SELECT assay.create_policy('swap', 'swap.signals', '{id}');
INSERT INTO swap.message VALUES (1);
CREATE FUNCTION swap.who() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE WARNING 'reads as %', current_user; RETURN 'x'; END $$;
DROP VIEW swap.swap_verdict, swap.swap_label_latest;
ALTER TABLE swap.swap_label RENAME TO label_of_old;
CREATE VIEW swap.swap_label AS SELECT id, true AS malicious, swap.who() AS source, now() AS labelled_at FROM swap.message WHERE swap.who() = 'x';
ALTER TABLE swap.swap_decision RENAME TO decision_of_old;
CREATE VIEW swap.swap_decision AS SELECT s.id, 1 AS revision, now() AS decided_at, x.verdict, x.score, x.attribution FROM swap.signals s, assay.score('swap', s) x WHERE swap.who() = 'x';
RESET ROLE;
SELECT change, messages FROM assay.compare('swap', 1, 1) WHERE messages > 0;
SELECT evidence, score FROM assay.explain_decision('swap', '1');
SELECT evidence FROM assay.explain_decision('swap', NULL);
SELECT assay.drop_policy('swap');
DROP SCHEMA swap CASCADE;
DROP ROLE swap_owner;

-- names of a condition, whatever the session makes of backslashes
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SELECT assay.condition_names(E'a = \'\\\\\' AND b = \'c\'');
RESET standard_conforming_strings;
RESET escape_string_warning;

-- a policy goes with its tables unless something else reads them
\set VERBOSITY terse
CREATE TABLE lim_kept_message (id int PRIMARY KEY);
CREATE VIEW lim_kept_signals AS SELECT id FROM lim_kept_message;
SELECT assay.create_policy('lim_kept', 'lim_kept_signals', '{id}');
CREATE VIEW lim_kept_reader AS SELECT count(*) FROM lim_kept_label;
SELECT assay.drop_policy('lim_kept', true);
SELECT count(*) FROM assay.policies WHERE policy = 'lim_kept';
SELECT to_regclass('lim_kept_verdict'), to_regclass('lim_kept_reader');
DROP VIEW lim_kept_reader;
SELECT assay.drop_policy('lim_kept', true);
SELECT to_regclass('lim_kept_verdict'), to_regclass('lim_kept_decision'), to_regclass('lim_kept_label');
DROP VIEW lim_kept_signals;
DROP TABLE lim_kept_message;

-- so many detectors, and no more: who writes them into the table loses the rest, never a message
CREATE TABLE lim_many (id int PRIMARY KEY, n int);
CREATE VIEW lim_many_signals AS SELECT id, n FROM lim_many;
SELECT assay.create_policy('lim_many', 'lim_many_signals', '{id}', prior => 0);
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout)
	SELECT 'lim_many', 'd' || to_char(i, 'FM00000'), 1, 'n = 1', 0.5, 'live', 1 FROM generate_series(1, 19999) i;
SELECT assay.create_detector('lim_many', 'd20000', 'n = 1', weight => 0.5, mode => 'live');
SELECT assay.create_detector('lim_many', 'd20001', 'n = 1', weight => 0.5, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON lim_many REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('lim_many');
INSERT INTO lim_many VALUES (1, 1);
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout)
	SELECT 'lim_many', 'd' || i, 1, 'n = 1', 0.5, 'live', 1 FROM generate_series(20001, 70000) i;
INSERT INTO lim_many VALUES (2, 1);
SELECT id, degraded, assay.margin(attribution), (SELECT count(*) FROM assay.ledger(attribution)) AS entries FROM lim_many_decision ORDER BY id;
DROP TABLE lim_many CASCADE;
SELECT assay.drop_policy('lim_many', true);

-- so many guards and exclusions, too
CREATE TABLE lim_more (id int PRIMARY KEY, n int);
CREATE VIEW lim_more_signals AS SELECT id, n FROM lim_more;
SELECT assay.create_policy('lim_more', 'lim_more_signals', '{id}');
INSERT INTO assay.guard (policy, guard, from_revision, condition) SELECT 'lim_more', 'g' || i, 1, 'n = 1' FROM generate_series(1, 9999) i;
SELECT assay.create_guard('lim_more', 'g10000', 'n = 1');
SELECT assay.create_guard('lim_more', 'g10001', 'n = 1');
INSERT INTO assay.exclusion (policy, exclusion, from_revision, condition, verdict, reason) SELECT 'lim_more', 'x' || i, 2, 'n = 1', 'safe', 'r' FROM generate_series(1, 9999) i;
SELECT assay.exclude('lim_more', 'x10000', 'n = 1', verdict => 'safe', reason => 'r');
SELECT assay.exclude('lim_more', 'x10001', 'n = 1', verdict => 'safe', reason => 'r');
SELECT assay.drop_policy('lim_more', true);
DROP TABLE lim_more CASCADE;

-- a fault keeps 1,024 bytes of a message, a ledger 128 of a signal and 255 signals of a condition
CREATE TABLE lim_said (id int PRIMARY KEY, said text);
DO $$ BEGIN EXECUTE 'CREATE VIEW lim_said_signals AS SELECT id, said, ' || (SELECT string_agg(format('id + %s AS c%s', i, i), ', ') FROM generate_series(1, 256) i) || ' FROM lim_said'; END $$;
CREATE FUNCTION lim_say(said text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE EXCEPTION USING MESSAGE = said, ERRCODE = '22023'; END $$;
SELECT assay.create_policy('lim_said', 'lim_said_signals', '{id}');
SELECT assay.create_detector('lim_said', 'says', 'public.lim_say(said)', mode => 'live');
SELECT assay.create_detector('lim_said', 'shows', 'said IS NOT NULL', mode => 'live');
SELECT assay.create_detector('lim_said', 'c' || n, (SELECT string_agg('c' || i, ' + ') FROM generate_series(1, n) i) || ' > 0', mode => 'live') FROM unnest('{254,255,256}'::int[]) n;
CREATE TRIGGER decide AFTER INSERT ON lim_said REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('lim_said');
SET client_min_messages = error;
INSERT INTO lim_said VALUES (1, repeat('x', 1024)), (2, repeat('x', 1025)), (3, repeat('é', 600)), (4, repeat('x', 128)), (5, repeat('x', 129)), (6, repeat('é', 65));
RESET client_min_messages;
SELECT key, octet_length(message), message ~ '\.\.\.$' AS cut FROM assay.fault WHERE policy = 'lim_said' ORDER BY key;
SELECT d.id, octet_length(l.signals->>'said'), l.signals->>'said' ~ '\.\.\.$' AS cut FROM lim_said_decision d, assay.ledger(d.attribution) l WHERE l.detector = 'shows' AND d.id > 3 ORDER BY 1;
SELECT l.detector, (SELECT count(*) FROM jsonb_object_keys(l.signals)) FROM lim_said_decision d, assay.ledger(d.attribution) l WHERE l.detector ~ '^c' AND d.id = 1 ORDER BY 1;
DROP TRIGGER decide ON lim_said;
SELECT assay.drop_policy('lim_said', true);
DROP TABLE lim_said CASCADE;
DROP FUNCTION lim_say;
DELETE FROM assay.fault WHERE policy = 'lim_said';

-- margins that no exponential takes
CREATE TABLE lim_far_message (id int PRIMARY KEY, n int);
SELECT assay.create_policy('lim_far', 'lim_far_message', '{id}');
CREATE TRIGGER decide AFTER INSERT ON lim_far_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('lim_far');
CREATE FUNCTION pg_temp.explained(prior float8, n int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM assay.alter_policy('lim_far', prior => prior);
	INSERT INTO lim_far_message VALUES (n, 1);
	RETURN (SELECT string_agg(concat_ws(' ', e.evidence, e.margin, e.score, e.score = d.score), ', ' ORDER BY e.step) || ', '
			|| (assay.explain_text('lim_far', n) ~ 'nothing is known has [01]\.000') || ' '
			|| (SELECT count(*) FROM assay.check('lim_far') c WHERE c."check" IN ('prior', 'thresholds'))
		FROM assay.explain_decision('lim_far', n) e, lim_far_decision d WHERE d.id = n);
END $$;
SELECT pg_temp.explained(prior, n::int) FROM unnest('{-1000,-750,-700,-104,-102,102,700,750,1000}'::float8[]) WITH ORDINALITY AS p (prior, n);
DROP TRIGGER decide ON lim_far_message;
SELECT assay.drop_policy('lim_far', true);
DROP TABLE lim_far_message CASCADE;
