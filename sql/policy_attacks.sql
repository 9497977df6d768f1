-- What attackers proved against 0.2.0 before its release: code of one role that
-- ran with the rights of another, and rows that stopped what was another's.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE ROLE atk_mallory;
CREATE ROLE atk_builder;
CREATE ROLE atk_victim;
CREATE ROLE atk_nobody;
CREATE SCHEMA atk AUTHORIZATION atk_mallory;
CREATE SCHEMA atk_v AUTHORIZATION atk_victim;
GRANT USAGE ON SCHEMA atk, atk_v TO PUBLIC;
CREATE SCHEMA atk_b AUTHORIZATION atk_builder;
GRANT USAGE ON SCHEMA atk_b TO PUBLIC;
-- who runs mallory's code
SET ROLE atk_mallory;
CREATE TABLE atk.ran (by_role name);
GRANT INSERT, SELECT ON atk.ran TO PUBLIC;
CREATE FUNCTION atk.note() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'atk_mallory' THEN
		INSERT INTO atk.ran VALUES (current_user);
	END IF;
END $$;
CREATE FUNCTION atk.evil(x text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM atk.note(); RETURN true; END $$;
CREATE DOMAIN atk.key AS bigint CHECK (atk.evil(VALUE::text));
CREATE TABLE atk.message (id atk.key PRIMARY KEY, t text);
CREATE VIEW atk.sig AS SELECT id, t FROM atk.message;
SELECT assay.create_policy('atk', 'atk.sig', '{id}', prior => -1);
SELECT assay.create_detector('atk', 'x', $$t = 'x'$$, mode => 'live', weight => 9);
INSERT INTO atk.message SELECT i, 'x' FROM generate_series(1, 30) i;
CREATE INDEX ON atk.atk_decision ((atk.evil('constant')));
CREATE TABLE atk.bait (id int PRIMARY KEY, t text);
CREATE TRIGGER decide AFTER INSERT ON atk.bait REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('victim');
ALTER TABLE atk.bait DISABLE TRIGGER decide;
INSERT INTO atk.bait VALUES (1, 'x');
-- a policy of a victim
SET ROLE atk_victim;
CREATE TABLE atk_v.message (id int PRIMARY KEY, t text);
CREATE TABLE atk_v.secret AS SELECT 'secret' AS x;
CREATE FUNCTION atk_v.own(x text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT x > '' $$;
CREATE FUNCTION atk_v.kept(x text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT x > '' $$;
REVOKE EXECUTE ON FUNCTION atk_v.kept FROM PUBLIC;
CREATE VIEW atk_v.sig AS SELECT id, t FROM atk_v.message;
SELECT assay.create_policy('victim', 'atk_v.sig', '{id}', prior => -1);
SELECT assay.create_detector('victim', 'own', 'atk_v.own(t) AND atk_v.kept(t)', mode => 'live', weight => 1);
SELECT assay.grant_access('victim', 'atk_builder', 'builder');
RESET ROLE;

-- whoever asks runs nothing of mallory's as himself
CALL assay.backfill('atk', batch => 10);
SET ROLE atk_mallory;
SELECT count(*) > 0 AS decided FROM atk.atk_decision;
RESET ROLE;
SELECT "check" FROM assay.check('atk') WHERE severity = 'error' AND "check" <> 'trigger';
SELECT count(*) FROM assay.undecided('atk');
SELECT count(*) > 0 AS query FROM assay.signals_query('atk');
SELECT assay.upgrade_policy('atk');
SET ROLE atk_victim;
SELECT severity, "check", detail FROM assay.check('victim') WHERE "check" = 'owner';
SELECT count(*) FROM assay.undecided('victim');
RESET ROLE;
SELECT DISTINCT by_role FROM atk.ran;

-- a builder's condition calls what may act as the owner, and what the builder may call
SET ROLE atk_builder;
CREATE FUNCTION atk_b.evil(x text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM atk.note(); RETURN true; END $$;
CREATE DOMAIN atk_b.evil_text AS text CHECK (atk_b.evil(VALUE));
SELECT assay.create_detector('victim', 'b', 'atk_b.evil(t)', mode => 'shadow');
SELECT assay.create_detector('victim', 'b', 't::atk_b.evil_text > ''''', mode => 'shadow');
SELECT assay.create_detector('victim', 'b', 'atk_v.kept(t)', mode => 'shadow');
SELECT assay.create_detector('victim', 'b', $$table_to_xml('atk_v.secret', true, true, '')::text ~ t$$, mode => 'shadow');
-- each undone, so that none is in another's way
CREATE FUNCTION atk_b.try_conditions(policy text, conditions text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	condition text;
BEGIN
	FOREACH condition IN ARRAY conditions LOOP
		BEGIN
			PERFORM assay.create_detector(policy, 'tried', condition, mode => 'shadow');
			RAISE WARNING 'taken: %', condition;
			RAISE EXCEPTION USING ERRCODE = 'PA001';
		EXCEPTION WHEN SQLSTATE 'PA001' THEN
			NULL;
		WHEN OTHERS THEN
			RAISE WARNING '%: % %', condition, SQLSTATE, SQLERRM;
		END;
	END LOOP;
END $$;
-- types by whatever way they come into an expression, before their input functions are run
CREATE DOMAIN atk_b.evil_int AS int CHECK (atk_b.evil(VALUE::text));
CREATE TYPE atk_b.comp AS (n atk_b.evil_int);
CREATE TYPE atk_b.e AS ENUM ('a');
CREATE FUNCTION atk_b.of_comp(c atk_b.comp) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
SELECT atk_b.try_conditions('victim', ARRAY['''{1}''::atk_b.evil_int[] IS NOT NULL', '''(1)''::atk_b.comp IS NOT NULL', 'atk_b.of_comp(''(1)'')',
	'(''('' || id || '')'')::atk_b.comp IS NOT NULL', '(''{'' || id || ''}'')::atk_b.evil_int[] IS NOT NULL',
	'jsonb_populate_record(NULL::atk_b.comp, ''{"n": 1}'') IS NOT NULL', 'to_jsonb(''a''::atk_b.e) IS NOT NULL',
	'domain_in(''1'', ''atk_b.evil_int''::regtype::oid, -1) IS NOT NULL', 'record_in(''(1)'', ''atk_b.comp''::regtype::oid, -1) IS NOT NULL',
	'ROW(1)::atk_b.comp IS NOT NULL', 'current_setting(''data_directory'') > ''''', 'pg_stat_get_backend_activity(1) ~ t', 'inet_client_addr() IS NULL', 'inet_client_port() > 1', 'assay.list_state(t) > 0', 'assay.text_model_at(t) IS NOT NULL']);
SELECT assay.create_detector('victim', 'b', 'atk_v.own(t)', mode => 'shadow');
BEGIN;
SELECT assay_internal.new_revision('victim', 'direct') > 0 AS made;
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout)
SELECT 'victim', 'direct', max(revision), 'atk_v.kept(t || t)', 0, 'shadow', 1 FROM assay.revision WHERE policy = 'victim';
ROLLBACK;
RESET ROLE;
-- written past all checks, it is not run either
INSERT INTO assay_internal.detector (policy, detector, from_revision, condition, weight, mode, rollout)
SELECT 'victim', 'direct', max(revision), 'atk_b.evil(t)', 0, 'shadow', 1 FROM assay_internal.revision WHERE policy = 'victim';
SET ROLE atk_victim;
SELECT (s).verdict, l.detector, l.fault FROM (SELECT assay.score('victim', m) AS s FROM (SELECT 1 AS id, 'x'::text AS t) m) x, assay.ledger((s).attribution) l
WHERE l.fault IS NOT NULL;
RESET ROLE;
SELECT DISTINCT by_role FROM atk.ran;
-- nor are the literals of an operator's type input
SET ROLE atk_builder;
CREATE FUNCTION atk_b.tells(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'ran' USING ERRCODE = 'PA998'; END $$;
CREATE DOMAIN atk_b.telling AS int CHECK (atk_b.tells(VALUE));
CREATE FUNCTION atk_b.is_in(text, atk_b.telling[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR atk_b.=== (FUNCTION = atk_b.is_in, LEFTARG = text, RIGHTARG = atk_b.telling[]);
RESET ROLE;
BEGIN;
INSERT INTO assay_internal.detector (policy, detector, from_revision, condition, weight, mode, rollout)
SELECT 'victim', 'operator', max(revision), 't OPERATOR(atk_b.===) ''{1}''', 0, 'shadow', 1 FROM assay_internal.revision WHERE policy = 'victim';
SET ROLE atk_victim;
SELECT (s).verdict, l.detector, l.fault FROM (SELECT assay.score('victim', m) AS s FROM (SELECT 1 AS id, 'x'::text AS t) m) x, assay.ledger((s).attribution) l
WHERE l.fault IS NOT NULL;
ROLLBACK;

-- nor does a builder make values of the owner's types that check them by what he may not call
CREATE SCHEMA atk_hidden AUTHORIZATION atk_victim;
BEGIN;
SET ROLE atk_victim;
CREATE FUNCTION atk_v.known(x text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE 'ran' USING ERRCODE = 'PA998'; END $$;
REVOKE EXECUTE ON FUNCTION atk_v.known FROM PUBLIC;
CREATE DOMAIN atk_v.checked AS text CHECK (atk_v.known(VALUE));
CREATE DOMAIN atk_v.checked_again AS atk_v.checked CHECK (VALUE <> '');
CREATE TYPE atk_v.has_checked AS (n int, d atk_v.checked_again);
CREATE OPERATOR atk_v.#= (FUNCTION = jsonb_populate_record, LEFTARG = anyelement, RIGHTARG = jsonb);
CREATE DOMAIN atk_v.short AS text CHECK (length(VALUE) < 100);
CREATE FUNCTION atk_hidden.overloaded(x text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE 'ran' USING ERRCODE = 'PA998'; END $$;
CREATE TYPE atk_hidden.tag AS (d atk_v.checked);
CREATE DOMAIN atk_v.tag AS text;
CREATE FUNCTION atk_v.defaulted(x text, y boolean DEFAULT atk_v.known('x')) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT y $$;
CREATE TYPE atk_v.span AS RANGE (subtype = text);
CREATE FUNCTION atk_v.span_json(x atk_v.span) RETURNS json LANGUAGE sql STABLE AS $$ SELECT to_json(atk_v.known(lower(x))) $$;
CREATE FUNCTION atk_v.span_text(x atk_v.span) RETURNS text LANGUAGE sql STABLE AS $$ SELECT atk_v.known(lower(x))::text $$;
REVOKE EXECUTE ON FUNCTION atk_v.span_json, atk_v.span_text FROM PUBLIC;
CREATE CAST (atk_v.span AS json) WITH FUNCTION atk_v.span_json(atk_v.span);
CREATE CAST (atk_v.span AS text) WITH FUNCTION atk_v.span_text(atk_v.span);
CREATE FUNCTION atk_v.overloaded(x text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;
-- made of another twice over, many times: each is looked at once
CREATE TYPE atk_v.twice0 AS (n int);
DO $$ BEGIN FOR i IN 1..17 LOOP EXECUTE format('CREATE TYPE atk_v.twice%s AS (a atk_v.twice%s, b atk_v.twice%2$s[])', i, i - 1); END LOOP; END $$;
SELECT assay.alter_policy('victim', search_path => 'pg_catalog, assay, atk_hidden, atk_v') > 0 AS altered;
SET ROLE atk_builder;
SET LOCAL statement_timeout = '15s';
SELECT atk_b.try_conditions('victim', ARRAY['t::atk_v.checked IS NOT NULL', '''x''::atk_v.checked_again IS NOT NULL', '(''(1,'' || t || '')'')::atk_v.has_checked IS NOT NULL', 'ROW(1, t)::atk_v.has_checked IS NOT NULL',
	'(''{'' || t || ''}'')::atk_v.checked[] IS NOT NULL', 'ARRAY[t]::atk_v.checked_again[] IS NOT NULL', 'jsonb_populate_record(NULL::atk_v.has_checked, jsonb_build_object(''d'', t)) IS NOT NULL',
	'(NULL::atk_v.has_checked #= jsonb_build_object(''d'', t)) IS NOT NULL', 'overloaded(t)', '''(x)''::tag IS NOT NULL', 'defaulted(t)',
	-- a cast that a function finds for itself is called, too
	'to_jsonb(atk_v.span(t, t)) IS NOT NULL', 'jsonb_build_array(1, ARRAY[atk_v.span(t, t)]) IS NOT NULL', 'row_to_json(CASE WHEN t = '''' THEN ROW(1, ROW(atk_v.span(t, t))) END) IS NOT NULL',
	't || atk_v.span(t, t) = ''x''', 'quote_literal(atk_v.span(t, t)) = ''x''',
	't::atk_v.short = ''x''', 'jsonb_build_array(NULL::atk_v.twice17, NULL::atk_v.twice17, NULL::atk_v.twice17, NULL::atk_v.twice17) IS NOT NULL', 'jsonb_populate_record(NULL::atk_v.twice17, ''{}'') IS NULL',
	'defaulted(t, true) AND t || 1 = quote_literal(2) AND to_jsonb(ROW(t, ARRAY[1])) IS NOT NULL']);
DO $$
DECLARE
	condition text;
BEGIN
	FOREACH condition IN ARRAY ARRAY['''(1,x)''::atk_v.has_checked IS NOT NULL', '''{x}''::atk_v.checked[] IS NOT NULL'] LOOP
		BEGIN
			PERFORM assay_internal.missing_sets('victim', condition, false);
		EXCEPTION WHEN OTHERS THEN
			RAISE WARNING '% %', SQLSTATE, SQLERRM;
		END;
	END LOOP;
END $$;
-- nor does who reads score rows with values of the owner's types that the view has not
RESET ROLE;
SET ROLE atk_victim;
SELECT assay.create_detector('victim', 'shows', 't || ''x'' <> ''''', mode => 'live') > 0 AS shows;
SELECT x.attribution::text ~ '"shows", .*"fault": "PA998"' AS runs FROM (SELECT 1 AS id, atk_v.span('a', 'b') AS t) r, assay.score('victim', r) x;
SET ROLE atk_builder;
SELECT verdict FROM (SELECT 1 AS id, 'a'::text AS t, ARRAY[1.5] AS other) r, assay.score('victim', r);
SAVEPOINT before;
SELECT verdict FROM (SELECT 1 AS id, atk_v.span('a', 'b') AS t) r, assay.score('victim', r);
ROLLBACK TO before;
-- (a function of the same name would be meant for another type)
SELECT verdict FROM (SELECT 1 AS id, 'a'::varchar AS t) r, assay.score('victim', r);
ROLLBACK;

-- signals of the owner's types are compared by a builder, and nothing else: casts, which anything else may look for, are the owner's
BEGIN;
SET ROLE atk_victim;
CREATE TYPE atk_v.shade AS ENUM ('dark', 'light');
CREATE FUNCTION atk_v.shown(x atk_v.shade) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'ran' USING ERRCODE = 'PA998'; END $$;
CREATE CAST (atk_v.shade AS json) WITH FUNCTION atk_v.shown(atk_v.shade);
CREATE DOMAIN atk_v.word AS text CHECK (VALUE <> '');
CREATE DOMAIN atk_v.words AS text[];
CREATE TYPE atk_v.place AS (country text, shade atk_v.shade);
CREATE TYPE atk_v.hours AS RANGE (subtype = int, multirange_type_name = atk_v.hours_multirange);
CREATE FUNCTION atk_v.is_dark(x atk_v.shade, y text DEFAULT '') RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT x = 'dark' $$;
CREATE FUNCTION atk_v.any_text(x anyelement) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT to_json(x)::text $$;
CREATE FUNCTION atk_v.any_same(x anyelement, y anyelement) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT to_json(x)::text = to_json(y)::text $$;
CREATE OPERATOR atk_v.=~= (FUNCTION = atk_v.any_same, LEFTARG = anyelement, RIGHTARG = anyelement);
CREATE FUNCTION atk_v.is_light(x atk_v.shade) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT x <> 'dark' $$;
CREATE OPERATOR atk_v.!~ (FUNCTION = atk_v.is_light, RIGHTARG = atk_v.shade);
CREATE OPERATOR atk_v.?~ (FUNCTION = atk_v.any_text, RIGHTARG = anyelement);
CREATE FUNCTION atk_v.both(x atk_v.shade, OUT a atk_v.shade, OUT b int) LANGUAGE sql IMMUTABLE AS $$ SELECT x, 1 $$;
CREATE TABLE atk_v.typed (id int PRIMARY KEY, t text, shade atk_v.shade, shades atk_v.shade[], word atk_v.word, listed atk_v.word[], words atk_v.words,
	place atk_v.place, hours atk_v.hours, spans atk_v.hours_multirange);
SELECT assay.create_policy('typed', 'atk_v.typed', '{id}', prior => -1);
SELECT assay.grant_access('typed', 'atk_builder', 'builder');
-- not PostgreSQL's own, wherever it stands
RESET ROLE;
CREATE FUNCTION pg_catalog.atk_reads() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT true $$;
SET ROLE atk_builder;
SELECT atk_b.try_conditions('typed', ARRAY['shade = ''dark''', 'shade <> ''dark'' AND shade > ''dark''', 'shade IN (''dark'', ''light'')', 'shade IS DISTINCT FROM ''dark''', 'shade::text = t', 't::atk_v.shade = shade',
	'''dark'' = ANY (shades) AND shade = ANY (shades)', 'shades && ''{dark}''', 'shades @> ARRAY[shade]', 'cardinality(shades) > 1 AND array_position(shades, ''dark'') > 1', 'shades[1] = shade', 'array_append(shades, shade) = shades',
	'atk_v.is_dark(shade)', 'atk_v.is_dark(y => t, x => shade)', 'coalesce(shade, ''dark'') = ''dark''', 'CASE shade WHEN ''dark'' THEN t = '''' ELSE shade IS NULL END', 'greatest(shade, ''dark'') = shade', '(shade, id) > (''dark'', 1)', 'nullif(shade, ''dark'') IS NULL',
	'word = ''x'' AND word LIKE ''x%'' AND word IN (''x'', t)', 'lower(word) || word = t', 'coalesce(word, '''') = ''''', 'listed::text[] && ''{x}''', '''x'' = ANY (listed)', 'listed[1] = ''x''', 'cardinality(words) > 1 AND ''x'' = ANY (words) AND words[1] = t',
	'(place).country = ''x'' AND (place).shade = ''dark''', 'place IS NULL', 'place::text = t', 'hours @> 5', 'lower(hours) > 5 AND isempty(hours) AND spans @> 5', '(assay.text_facts(t)).scripts IS NULL AND to_jsonb(assay.text_facts(t)) IS NULL', '(atk_v.both(shade)).b = 1', 'OPERATOR(atk_v.!~) shade',
	-- these are not
	'to_jsonb(shade) IS NULL', 'to_json(shades) IS NULL', 'to_jsonb(CASE WHEN t = '''' THEN shade END) IS NULL', 'row_to_json(place) IS NULL', 'row_to_json(ROW(shade)) IS NULL', 'to_json(ARRAY[ROW(shade)]) IS NULL', 'jsonb_build_object(''x'', shade) IS NULL',
	'jsonb_build_array(1, coalesce(shade, ''dark'')) IS NULL', 'format(''%s'', shade) = t', 't || shade = t', 'atk_v.any_text(shade) = t', 'to_json((place).shade) IS NULL', 'xmlforest(shade) IS NULL', 'atk_v.any_same(shade, shade)', 'shade OPERATOR(atk_v.=~=) shade', '(OPERATOR(atk_v.?~) shade) = t', 'shade OPERATOR(atk_v.=~=) ANY (shades)', 'to_json(spans) IS NULL', 'to_json(atk_v.both(shade)) IS NULL', 'to_json(greatest(shade, ''dark'')) IS NULL',
	'listed && ''{x}''', 'place = ROW(t, shade)', 't::atk_v.word = t', 'hours = ''[1,2]''', 'hours && atk_v.hours(1, 2)', 'ROW(t, shade)::atk_v.place = place', 'jsonb_populate_record(place, ''{}'') IS NULL', 'words = ''{x}''::atk_v.words', 'atk_reads()']);
DO $$
BEGIN
	-- nor is what is said of errors a value, where PostgreSQL has that
	IF current_setting('server_version_num')::int >= 170000 THEN
		PERFORM assay.create_detector('typed', 'asks', 'JSON_EXISTS(jsonb_build_array(t), ''$'' ERROR ON ERROR) AND JSON_VALUE(jsonb_build_array(t), ''$'' RETURNING atk_v.shade DEFAULT ''dark'' ON EMPTY ERROR ON ERROR) = shade', mode => 'shadow');
		BEGIN
			PERFORM assay.create_detector('typed', 'tried', 'jsonb_populate_record_valid(place, jsonb_build_object(''country'', t))', mode => 'shadow');
			RAISE WARNING 'a value is tried';
		EXCEPTION WHEN insufficient_privilege THEN
			NULL;
		END;
		BEGIN
			PERFORM assay.create_detector('typed', 'tried', 'SYSTEM_USER = t', mode => 'shadow');
			RAISE WARNING 'told how who writes a message was known';
		EXCEPTION WHEN insufficient_privilege THEN
			NULL;
		END;
	END IF;
END $$;
-- what the owner wrote stands, also where the builder imports something else; the builder writes no such thing by it
SET ROLE atk_victim;
SELECT assay.create_detector('typed', 'shown', 'to_jsonb(shade) IS NULL', mode => 'shadow') > 0 AS created, assay.create_detector('typed', 'plain', 't = ''plain''', mode => 'shadow') > 0 AS plain;
SET ROLE atk_builder;
SELECT count(*) > 0 AS imported FROM assay.policy_import(replace(assay.policy_export('typed')::text, '"weight": 1', '"weight": 2')::jsonb, 'typed', false);
SELECT count(*) FROM assay.policy_import(replace(assay.policy_export('typed')::text, 't = ''plain''', 'to_json(shade) IS NULL')::jsonb, 'typed', true);
ROLLBACK;

-- a record whose values are made by the checks of a stranger's domain, and one that is only tried
BEGIN;
SET ROLE atk_victim;
CREATE TABLE atk_v.filled (id int PRIMARY KEY, n atk.key);
SELECT assay.create_policy('filled', 'atk_v.filled', '{id}', prior => -1);
DO $$
BEGIN
	IF current_setting('server_version_num')::int >= 170000 THEN
		PERFORM assay.create_detector('filled', 'tried', 'jsonb_populate_record_valid(ROW(n), ''{"f1": 1}'')', mode => 'live');
		RAISE WARNING 'a value is tried';
	END IF;
EXCEPTION WHEN insufficient_privilege THEN
	NULL;
END $$;
SELECT assay.create_detector('filled', 'made', 'jsonb_populate_record(ROW(n), ''{"f1": 1}'') IS NULL', mode => 'live');
ROLLBACK;

-- the planner puts an operator's negator in the place of NOT, and its commutator in its own: whose it is, and who may call it
BEGIN;
SET ROLE atk_builder;
CREATE FUNCTION atk_b.differs(x text, y text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'ran as %', current_user USING ERRCODE = 'PA998'; END $$;
CREATE OPERATOR atk_b.<!> (FUNCTION = atk_b.differs, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR atk_b.<=> (FUNCTION = pg_catalog.texteq, LEFTARG = text, RIGHTARG = text, NEGATOR = OPERATOR(atk_b.<!>));
CREATE OPERATOR atk_b.~== (FUNCTION = pg_catalog.texteq, LEFTARG = text, RIGHTARG = text);
SET ROLE atk_victim;
CREATE OPERATOR atk_v.<!> (FUNCTION = atk_b.differs, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR atk_v.<=> (FUNCTION = pg_catalog.texteq, LEFTARG = text, RIGHTARG = text, NEGATOR = OPERATOR(atk_v.<!>));
CREATE FUNCTION atk_v.same(x text, y text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN true; END $$;
CREATE FUNCTION atk_v.differs(x text, y text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'ran as %', current_user USING ERRCODE = 'PA998'; END $$;
REVOKE EXECUTE ON FUNCTION atk_v.differs FROM PUBLIC;
CREATE OPERATOR atk_v.!== (FUNCTION = atk_v.differs, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR atk_v.=== (FUNCTION = atk_v.same, LEFTARG = text, RIGHTARG = text, NEGATOR = OPERATOR(atk_v.!==));
CREATE OPERATOR atk_v.~= (FUNCTION = atk_v.same, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR atk_v.<~~ (FUNCTION = atk_v.differs, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR atk_v.~~> (FUNCTION = atk_v.same, LEFTARG = text, RIGHTARG = text, COMMUTATOR = OPERATOR(atk_v.<~~));
-- a record of a function's has whatever columns
CREATE DOMAIN atk_v.word AS text CHECK (VALUE <> '');
CREATE FUNCTION atk_v.parts(x text, OUT a text, OUT w atk_v.word) LANGUAGE sql IMMUTABLE AS $$ SELECT x, 'x'::atk_v.word $$;
-- and a name means one thing for both
CREATE FUNCTION atk_hidden.upper(x text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'ran as %', current_user USING ERRCODE = 'PA998'; END $$;
SELECT assay.alter_policy('victim', search_path => 'atk_hidden, pg_catalog, assay') > 0 AS altered;
SET ROLE atk_builder;
SELECT atk_b.try_conditions('victim', ARRAY['NOT t OPERATOR(atk_b.<=>) ''x''', '(t OPERATOR(atk_b.<=>) ''x'') = false', 'NOT t OPERATOR(atk_b.<=>) ANY (ARRAY[t])', 't OPERATOR(atk_b.<=>) ''x''',
	't OPERATOR(atk_b.~==) ''x''', 'NOT t OPERATOR(atk_v.<=>) ''x''', 'NOT t OPERATOR(atk_v.===) ''x''', 'NOT t OPERATOR(atk_v.===) ALL (ARRAY[t])', 'NOT t OPERATOR(atk_v.~=) ''x''', 't OPERATOR(atk_v.~~>) ''x''',
	'row_to_json(atk_v.parts(t)) IS NULL', 'jsonb_populate_record(atk_v.parts(t), jsonb_build_object(''w'', t)) IS NULL', 'jsonb_populate_record(ROW(t), ''{}'') IS NULL',
	'(atk_v.parts(t)).w LIKE ''x'' AND (atk_v.parts(t)).a = t AND atk_v.parts(t)::text <> t AND atk_v.parts(t) = ROW(t, t)',
	'upper(t) = ''x''', 'pg_catalog.upper(t) = ''x''']);
ROLLBACK;
DROP SCHEMA atk_hidden;

-- a domain over another's domain runs that one's checks, too
BEGIN;
SET ROLE atk_victim;
CREATE DOMAIN atk_v.wrapped AS atk.key;
SELECT assay.create_detector('victim', 'w', 'id::bigint::atk_v.wrapped > 0', mode => 'shadow');
ROLLBACK;

-- keys are compared by nobody's operator, also where two types have none of theirs
BEGIN;
SET ROLE atk_victim;
CREATE TABLE atk_v.varied (id varchar PRIMARY KEY, j json);
CREATE VIEW atk_v.varied_sig AS SELECT id::text AS id, j FROM atk_v.varied;
SET LOCAL client_min_messages = error;
SELECT assay.create_policy('varied', 'atk_v.varied_sig', '{id}', search_path => 'pg_catalog, assay, atk');
SET LOCAL client_min_messages = warning;
DROP VIEW atk_v.varied_sig;
CREATE VIEW atk_v.varied_sig AS SELECT id, j FROM atk_v.varied;
CREATE TRIGGER decide AFTER INSERT ON atk_v.varied REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('varied');
SET ROLE atk_mallory;
CREATE FUNCTION atk.equal(text, varchar) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM atk.note(); RETURN true; END $$;
CREATE FUNCTION atk.equal(varchar, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM atk.note(); RETURN true; END $$;
CREATE FUNCTION atk.equal(json, json) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM atk.note(); RETURN true; END $$;
CREATE OPERATOR atk.= (FUNCTION = atk.equal, LEFTARG = text, RIGHTARG = varchar);
CREATE OPERATOR atk.= (FUNCTION = atk.equal, LEFTARG = varchar, RIGHTARG = text);
CREATE OPERATOR atk.= (FUNCTION = atk.equal, LEFTARG = json, RIGHTARG = json);
SET ROLE atk_victim;
INSERT INTO atk_v.varied VALUES ('1', '{}'), ('2', '{}');
SELECT id, degraded FROM atk_v.varied_decision ORDER BY id;
SELECT assay.signals_query('varied');
SELECT count(*) FROM assay.replay('varied', at => NULL);
SELECT DISTINCT by_role FROM atk.ran;
SELECT * FROM assay.forget('varied', columns => '{"j": "{}"}');
ROLLBACK;
-- (one of the owner's is found behind a cast, too)
BEGIN;
SET ROLE atk_victim;
CREATE TYPE atk_v.shade AS ENUM ('1', '2');
CREATE FUNCTION atk_v.same(a atk_v.shade, b atk_v.shade) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT enum_cmp(a, b) = 0 $$;
CREATE OPERATOR atk_v.= (FUNCTION = atk_v.same, LEFTARG = atk_v.shade, RIGHTARG = atk_v.shade);
CREATE CAST (text AS atk_v.shade) WITH INOUT AS IMPLICIT;
CREATE TABLE atk_v.shaded (id text PRIMARY KEY);
CREATE VIEW atk_v.shaded_sig AS SELECT id::atk_v.shade AS id FROM atk_v.shaded;
SELECT assay.create_policy('shaded', 'atk_v.shaded_sig', '{id}', search_path => 'pg_catalog, assay, atk_v');
DROP VIEW atk_v.shaded_sig;
CREATE VIEW atk_v.shaded_sig AS SELECT id FROM atk_v.shaded;
CREATE TRIGGER decide AFTER INSERT ON atk_v.shaded REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('shaded');
INSERT INTO atk_v.shaded VALUES ('1'), ('2');
SELECT id, degraded FROM atk_v.shaded_decision ORDER BY id;
ROLLBACK;

-- what the owner made of another's type is not the owner's to write
GRANT USAGE ON SCHEMA atk_b TO atk_victim;
SET ROLE atk_victim;
CREATE TYPE atk_v.made_range AS RANGE (SUBTYPE = atk_b.evil_int, SUBTYPE_OPCLASS = int4_ops, MULTIRANGE_TYPE_NAME = atk_v.made_ranges);
CREATE TYPE atk_v.made_row AS (n atk_b.evil_int);
SELECT assay.create_detector('victim', 'made', '''[1,2]''::atk_v.made_range IS NOT NULL', mode => 'draft');
SELECT assay.create_detector('victim', 'made', '''{[1,2]}''::atk_v.made_ranges IS NOT NULL', mode => 'draft');
SELECT assay.create_detector('victim', 'made', '''(1)''::atk_v.made_row IS NOT NULL', mode => 'draft');
RESET ROLE;

-- rows that name what is not there, not one's own, or gone tomorrow
SET ROLE atk_nobody;
CREATE TEMP TABLE mine (id int, revision int);
INSERT INTO assay.policy (policy, signals, key, decision, label) VALUES ('n', 'a.b', '{id}', 'mine', 'mine');
INSERT INTO assay.policy (policy, signals, key, decision, label, access) VALUES ('n', 'a.b', '{id}', 4294967000::oid, 'mine', 'mine');
INSERT INTO assay.policy (policy, signals, key, decision, label) VALUES ('n', 'a.b', '{id}', 'atk_v.secret', 'atk_v.secret');
SET ROLE atk_mallory;
INSERT INTO assay.policy (policy, signals, key, decision, label) VALUES ('n', 'a.b', '{id}', 'atk.bait', 'atk_v.secret');
INSERT INTO assay.policy (policy, signals, key, decision, label) VALUES ('n', 'a.b', '{id}', 'atk.bait', 4294967000::oid);
INSERT INTO assay.policy (policy, signals, key, decision, label) VALUES ('n', 'a.b', '{}', 'atk.bait', 'atk.bait');
-- naming another's makes it no one's to give
UPDATE assay.policy SET signals = 'atk_v.secret' WHERE policy = 'atk';
RESET ROLE;
SELECT assay.grant_access('atk', 'atk_nobody', 'publisher');
SELECT assay.alter_policy('atk', owner => 'atk_nobody');
SELECT has_table_privilege('atk_nobody', 'atk_v.secret', 'SELECT') AS reads, pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'atk_v.secret'::regclass;

-- columns of other types than they were made with
SET ROLE atk_victim;
CREATE TABLE atk_v.m2 (id int PRIMARY KEY, t text);
SELECT assay.create_policy('v2', 'atk_v.m2', '{id}', prior => -1);
CREATE TRIGGER decide AFTER INSERT ON atk_v.m2 REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('v2');
INSERT INTO atk_v.m2 VALUES (1, 'x');
INSERT INTO atk_v.v2_label VALUES (1, true, 'test');
DO $$
DECLARE
	change text;
	question text;
	n int := 0;
BEGIN
	FOREACH change IN ARRAY ARRAY['verdict TYPE bigint USING 4000', 'attribution TYPE bigint USING 4000', 'revision TYPE text', 'decided_at TYPE text', 'score TYPE text', 'verdict TYPE text'] LOOP
		BEGIN
			DROP VIEW IF EXISTS atk_v.v2_verdict;
			EXECUTE 'ALTER TABLE atk_v.v2_decision ALTER ' || change;
			FOREACH question IN ARRAY ARRAY['assay.precision_report(''v2'')', 'assay.latest_decisions(''v2'')', 'assay.latest_decision(''v2'', ''{1}'')', 'assay.explain_decision(''v2'', 1)'] LOOP
				BEGIN
					EXECUTE 'SELECT count(*) FROM ' || question;
				EXCEPTION WHEN OTHERS THEN
					n := n + 1;
				END;
			END LOOP;
			RAISE EXCEPTION 'undo';
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
	END LOOP;
	RAISE WARNING 'some are refused: %', n > 0;
END $$;
DROP TRIGGER decide ON atk_v.m2;
SELECT assay.drop_policy('v2', true);
RESET ROLE;

-- half a restore: no model, no key
SET ROLE atk_victim;
SELECT assay.create_detector('victim', 'm', model => assay.model_from_linear('{id}', '{1}', 0, 'identity'), mode => 'live');
RESET ROLE;
ALTER TABLE assay_internal.detector_model DISABLE TRIGGER USER;
DELETE FROM assay_internal.detector_model WHERE policy = 'victim';
ALTER TABLE assay_internal.detector_model ENABLE TRIGGER USER;
SET ROLE atk_victim;
CREATE TRIGGER decide AFTER INSERT ON atk_v.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('victim');
INSERT INTO atk_v.message VALUES (1, 'x');
SELECT d.id, d.degraded, l.detector, l.fault FROM atk_v.victim_decision d, assay.ledger(d.attribution) l WHERE l.fault IS NOT NULL;
RESET ROLE;
UPDATE assay_internal.policy SET key = '{}' WHERE policy = 'victim';
SELECT assay.score('victim', m) FROM (SELECT 1 AS id, 'x'::text AS t) m;
UPDATE assay_internal.policy SET key = '{id}' WHERE policy = 'victim';

-- a message of many bytes that fails is cut between characters
SET ROLE atk_victim;
CREATE FUNCTION atk_v.cry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', repeat('€', 800); END $$;
CREATE TRIGGER cry BEFORE INSERT ON atk_v.victim_decision FOR EACH ROW EXECUTE FUNCTION atk_v.cry();
INSERT INTO atk_v.message VALUES (2, 'x');
DROP TRIGGER cry ON atk_v.victim_decision;
-- at the limit it is whole, one beyond it is cut
CREATE OR REPLACE FUNCTION atk_v.cry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = CASE NEW.id WHEN 4 THEN 'ATK04' ELSE 'ATK05' END,
		MESSAGE = repeat('a', 1024 - length('the decision cannot be written: ') + NEW.id - 4);
END $$;
CREATE TRIGGER cry BEFORE INSERT ON atk_v.victim_decision FOR EACH ROW EXECUTE FUNCTION atk_v.cry();
SET client_min_messages = error;
INSERT INTO atk_v.message VALUES (4, 'x');
INSERT INTO atk_v.message VALUES (5, 'x');
SET client_min_messages = warning;
DROP TRIGGER cry ON atk_v.victim_decision;
SELECT sqlstate, length(message), right(message, 3) FROM assay.fault WHERE policy = 'victim' AND sqlstate LIKE 'ATK%' ORDER BY 1;
RESET ROLE;
SELECT bool_and(length(message) BETWEEN 300 AND 400) AS whole FROM assay.fault WHERE policy = 'victim' AND sqlstate = 'P0001';

-- a temporary table hides nothing where pg_temp is not named
SET ROLE atk_victim;
CREATE TABLE atk_v.blocklist (v text);
INSERT INTO atk_v.blocklist VALUES ('evil');
SET check_function_bodies = off;
CREATE FUNCTION atk_v.blocked(t text) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM blocklist WHERE v = t)';
SELECT assay.alter_policy('victim', search_path => 'pg_catalog, assay, atk_v');
SELECT assay.create_detector('victim', 'blocked', 'blocked(t)', mode => 'live', weight => 99);
GRANT INSERT ON atk_v.message TO atk_nobody;
SET ROLE atk_nobody;
CREATE TEMP TABLE blocklist (v text);
GRANT SELECT ON blocklist TO PUBLIC;
INSERT INTO atk_v.message VALUES (3, 'evil');
RESET ROLE;
SELECT id, score > 0.99 AS found FROM atk_v.victim_verdict WHERE id = 3;

-- an array that one condition writes to is not what the others see
SET ROLE atk_victim;
CREATE FUNCTION atk_v.numbers(t text) RETURNS int[] LANGUAGE plpgsql IMMUTABLE AS $$ DECLARE a int[] := '{1,2,3}'; BEGIN a[4] := length(t); RETURN a; END $$;
SELECT assay.create_policy('arrays', 'atk_v.sig', '{id}', prior => -1);
SELECT count(assay.create_detector('arrays', d, c, mode => 'live', weight => 1)) FROM (VALUES ('a', 'cardinality(array_append(atk_v.numbers(t), 9)) = 5'),
	('b', 'cardinality(array_append(atk_v.numbers(t), 9)) + id = 6'), ('c', 'cardinality(atk_v.numbers(t)) = 4'), ('d', 'cardinality(array_append(atk_v.numbers(t), 8)) + id = 6')) v(d, c);
SELECT string_agg(l.detector, ' ' ORDER BY l.detector) AS hits FROM assay.score('arrays', (SELECT s FROM (SELECT 1 AS id, 'x'::text AS t) s)) x, assay.ledger(x.attribution) l WHERE l.hit;
SELECT assay.drop_policy('arrays', true);

-- a detector that took too long is evaluated by itself for a while: of the row as it is, not of memory that went
CREATE TABLE atk_v.body (id int PRIMARY KEY, body text, n int);
CREATE VIEW atk_v.bodies AS SELECT id, body, n FROM atk_v.body;
CREATE FUNCTION atk_v.slow(n int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF n = 7 THEN PERFORM pg_sleep(10); END IF; RETURN false; END $$;
SELECT assay.create_policy('apart', 'atk_v.bodies', '{id}', prior => -1);
SELECT count(assay.create_detector('apart', 'w' || i, format('body ILIKE %L', '%word' || i || '%'), mode => 'live', weight => 1)) FROM generate_series(1, 20) i;
SELECT assay.create_detector('apart', 'slow', $$repeat('Q', 5000 + n) = 'x' OR atk_v.slow(n) OR upper(reverse(body)) LIKE '%Q%' OR body LIKE '%last'$$, mode => 'live', weight => 1) > 0;
INSERT INTO atk_v.body SELECT i, md5(i::text) || repeat('ab cd word' || i % 20 || ' ', 200 + i * 10) || 'last', 1 FROM generate_series(1, 100) i;
RESET ROLE;
SET assay.message_budget = '50ms';
SET ROLE atk_victim;
SELECT assay.degraded(x.attribution) FROM assay.score('apart', (SELECT s FROM (SELECT 1 AS id, 'x'::text AS body, 7 AS n) s)) x;
RESET ROLE;
RESET assay.message_budget;
SET ROLE atk_victim;
SELECT count(*) AS messages, count(*) FILTER (WHERE l.hit) AS found, count(*) FILTER (WHERE l.signals->>'body' LIKE left(md5(s.id::text), 30) || '%') AS shown
FROM atk_v.bodies s, assay.score('apart', s) x, assay.ledger(x.attribution) l WHERE l.detector = 'slow';
SELECT assay.drop_policy('apart', true);

-- an index that has the key twice takes shorter ones only, and refuses no message
CREATE TABLE atk_v.long (id text PRIMARY KEY);
SELECT assay.create_policy('long', 'atk_v.long', '{id}', prior => -1);
CREATE INDEX twice ON atk_v.long_decision (id, id);
CREATE TRIGGER decide AFTER INSERT ON atk_v.long REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('long');
SET client_min_messages = error;
INSERT INTO atk_v.long SELECT string_agg(md5(i::text), '') FROM generate_series(1, 45) i;
SET client_min_messages = warning;
SELECT (SELECT count(*) FROM atk_v.long) AS messages, (SELECT count(*) FROM assay.undecided('long')) AS undecided;
DROP TRIGGER decide ON atk_v.long;
SELECT assay.drop_policy('long', true);

-- names of lists are anybody's to take: check() says who has those that the policy asks
SELECT assay.create_policy('asks', 'atk_v.sig', '{id}', prior => -1);
SELECT count(assay.create_detector('asks', n, format('assay.in_list(%L, t)', n), mode => 'live', weight => 1)) FROM unnest('{atk_own,atk_free,atk_taken}'::text[]) n;
SELECT assay.create_list('atk_own');
RESET ROLE;
SET ROLE atk_mallory;
SELECT assay.create_list('atk_taken', readers => '{public}');
RESET ROLE;
SET ROLE atk_victim;
SELECT severity, "check", detail FROM assay.check('asks') WHERE "check" = 'set';
SELECT assay.drop_policy('asks', true);
SELECT assay.drop_set('atk_own');
-- so are names of text models; and a superuser, everybody's member, trusts nobody for that
SET ROLE atk_mallory;
CREATE TABLE atk.taken (id int PRIMARY KEY, t text, at timestamptz);
CREATE TABLE atk.taken_label (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
SELECT assay.create_text_model('atk_su_words', source => 'atk.taken', content => 't', labels => 'atk.taken_label', key => '{id}', at => 'at', schema => 'atk');
RESET ROLE;
CREATE TABLE atk_su_message (id int PRIMARY KEY, content text, at timestamptz);
CREATE TABLE atk_su_known (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
INSERT INTO atk_su_message SELECT i, 'text ' || i % 3, timestamptz '2024-01-01' + i * interval '1 hour' FROM generate_series(1, 90) i;
INSERT INTO atk_su_known SELECT id, id % 3 = 0, at + interval '1 hour' FROM atk_su_message;
CREATE VIEW atk_su_signals AS SELECT id, content, at FROM atk_su_message;
SELECT assay.create_policy('atk_su', 'atk_su_signals', '{id}');
SELECT assay.create_detector('atk_su', 'list', 'assay.in_list(''atk_taken'', content)', mode => 'live', weight => 1);
SELECT assay.create_detector('atk_su', 'model', text_model => 'atk_su_words', text => 'content', mode => 'live', weight => 1);
SELECT severity, "check", detail FROM assay.check('atk_su') WHERE "check" = 'set';
-- a list of a text model's name is another thing: who builds is told of the list that the policy asks, alone
SELECT assay.create_list('atk_su_words');
SET client_min_messages = notice;
SELECT assay.grant_access('atk_su', 'atk_nobody', 'builder');
SET client_min_messages = warning;
SELECT assay.revoke_access('atk_su', 'atk_nobody'), assay.drop_set('atk_su_words');
SELECT assay.drop_policy('atk_su', true);
CALL assay.onboard('atk_su', 'atk_su_message', pack => NULL, signals => 'atk_su_signals', labels => 'atk_su_known', at => 'at');
SELECT assay.offboard('atk_su');
SELECT assay.drop_text_model('atk_su_words');
DROP TABLE atk_su_message, atk_su_known CASCADE;
DELETE FROM assay_internal.onboarding WHERE policy = 'atk_su';
DELETE FROM assay_internal.onboarding_step WHERE policy = 'atk_su';
SELECT assay.drop_set('atk_taken');
SET ROLE atk_victim;

-- a detector that an exclusion mutes stays
SET ROLE atk_victim;
SELECT assay.exclude('victim', 'not here', 'id = 9', mutes => '{blocked}', reason => 'test');
SELECT assay.drop_detector('victim', 'blocked');
SELECT assay.drop_exclusion('victim', 'not here');
SELECT assay.drop_detector('victim', 'blocked');
RESET ROLE;
SET assay.fault_interval = '1d';
-- whoever may not decide by a policy has nothing parsed by its owner either: keys that a partitioned table generates
SET ROLE atk_mallory;
CREATE FUNCTION atk.told(x text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF current_user <> 'atk_mallory' THEN
		RAISE WARNING 'ran as %', current_user;
	END IF;
	RETURN true;
END $$;
CREATE DOMAIN atk.told_text AS text CHECK (atk.told(VALUE));
CREATE TYPE atk.told_row AS (x atk.told_text);
CREATE TABLE atk.generated (i int, id int GENERATED ALWAYS AS (i + length(('(x)'::atk.told_row).x)) STORED, t text) PARTITION BY LIST (i);
CREATE TABLE atk.generated_all PARTITION OF atk.generated DEFAULT;
CREATE TRIGGER decide AFTER INSERT ON atk.generated REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('victim');
INSERT INTO atk.generated (i) VALUES (1);
SELECT id FROM atk.generated;
DROP TABLE atk.generated;
-- what strangers' tables tell is a fault of its own kind, one an interval, which neither hides the policy's own nor is its error
SET client_min_messages = error;
CREATE TABLE atk.bait2 (id int PRIMARY KEY, t text);
CREATE TRIGGER decide AFTER INSERT ON atk.bait2 REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('victim');
ALTER TABLE atk.bait ENABLE TRIGGER decide;
INSERT INTO atk.bait VALUES (10, 'x');
INSERT INTO atk.bait2 VALUES (10, 'x');
CREATE TRIGGER again AFTER INSERT ON atk.bait2 REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('victim');
DO $$ BEGIN
	FOR i IN 1..50 LOOP
		EXECUTE format('CREATE TABLE atk.flood%1$s (id int); CREATE TRIGGER decide AFTER INSERT ON atk.flood%1$s REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide(''victim'')', i);
	END LOOP;
END $$;
RESET ROLE;
-- ... and one row of check(), which strangers can't flood
SELECT severity, "check", detail, hint FROM assay.check('victim') WHERE detail ~ 'may not decide by this policy';
DO $$ BEGIN
	FOR i IN 1..50 LOOP
		EXECUTE format('DROP TABLE atk.flood%s', i);
	END LOOP;
END $$;
DROP TRIGGER again ON atk.bait2;
SELECT revision, detector, key, message FROM assay.fault WHERE policy = 'victim' AND sqlstate = 'PA001';
-- a key's type that is another's, or is made of such, brings casts and checks that would run as the policy's owner
SET ROLE atk_mallory;
CREATE TYPE atk.kind AS ENUM ('a', 'b');
CREATE FUNCTION atk.to_kind(text) RETURNS atk.kind LANGUAGE plpgsql AS $$ BEGIN PERFORM atk.told($1); RETURN 'a'; END $$;
CREATE CAST (text AS atk.kind) WITH FUNCTION atk.to_kind(text);
CREATE TYPE atk.span AS RANGE (SUBTYPE = int);
SET ROLE atk_victim;
CREATE VIEW atk_v.keys AS SELECT NULL::atk.kind AS kind, NULL::atk.told_text AS word, NULL::atk.told_text[] AS words, NULL::atk.told_row AS "row", NULL::atk.span AS span;
SELECT assay.create_policy('keys', 'atk_v.keys', '{kind}');
SELECT assay.create_policy('keys', 'atk_v.keys', '{word}');
SELECT assay.create_policy('keys', 'atk_v.keys', '{words}');
SELECT assay.create_policy('keys', 'atk_v.keys', '{row}');
SELECT assay.create_policy('keys', 'atk_v.keys', '{span}');
-- one that becomes another's
CREATE TYPE atk_v.kind AS ENUM ('a', 'b', 'c', 'd');
CREATE TABLE atk_v.kinds (kind atk_v.kind PRIMARY KEY);
CREATE VIEW atk_v.kind_sig AS SELECT kind FROM atk_v.kinds;
SELECT assay.create_policy('keys', 'atk_v.kind_sig', '{kind}');
CREATE TRIGGER decide AFTER INSERT ON atk_v.kinds REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('keys');
INSERT INTO atk_v.kinds VALUES ('a');
RESET ROLE;
ALTER TYPE atk_v.kind OWNER TO atk_mallory;
-- (news of the type alone: a new cast is news for everybody)
SET ROLE atk_victim;
INSERT INTO atk_v.kinds VALUES ('d');
RESET ROLE;
INSERT INTO assay_internal.reused_key (policy, key, at) VALUES ('keys', '{a}', '-infinity');
SET ROLE atk_mallory;
CREATE FUNCTION atk.to_given(text) RETURNS atk_v.kind LANGUAGE plpgsql AS $$ BEGIN PERFORM atk.told($1); RETURN 'a'; END $$;
CREATE CAST (text AS atk_v.kind) WITH FUNCTION atk.to_given(text);
SET ROLE atk_victim;
INSERT INTO atk_v.kinds VALUES ('b');
SET client_min_messages = warning;
SELECT count(*) FROM assay.explain_decision('keys', ARRAY['a']);
SELECT count(*) FROM assay.undecided('keys');
SELECT assay_internal.drop_reused_keys('keys', 'infinity');
SELECT severity, "check", detail FROM assay.check('keys') WHERE severity = 'error' AND "check" <> 'faults';
SELECT hint FROM assay.check('keys') WHERE "check" = 'undecided';
SET client_min_messages = error;
RESET ROLE;
ALTER TYPE atk_v.kind OWNER TO atk_victim;
DROP CAST (text AS atk_v.kind);
SET ROLE atk_victim;
INSERT INTO atk_v.kinds VALUES ('c');
SELECT kind, verdict FROM atk_v.keys_verdict ORDER BY kind;
SELECT sqlstate, message FROM assay.fault WHERE policy = 'keys';
-- nor does what the view makes a key of, written out where the view fails for a message, run a cast that was made later
CREATE TABLE atk_v.traced (k atk_v.kind, word text PRIMARY KEY);
CREATE VIEW atk_v.traced_sig AS SELECT k::text AS word FROM atk_v.traced WHERE 1 / (length(word) - 1) IS NOT NULL;
SELECT assay.create_policy('traced', 'atk_v.traced_sig', '{word}');
CREATE TRIGGER decide AFTER INSERT ON atk_v.traced REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('traced');
INSERT INTO atk_v.traced VALUES ('a', 'a');
RESET ROLE;
ALTER TYPE atk_v.kind OWNER TO atk_mallory;
SET ROLE atk_mallory;
CREATE FUNCTION atk.from_given(atk_v.kind) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM atk.told('a'); RETURN 'a'; END $$;
CREATE CAST (atk_v.kind AS text) WITH FUNCTION atk.from_given(atk_v.kind);
SET ROLE atk_victim;
SET client_min_messages = warning;
CALL assay.backfill('traced', at => NULL);
SET client_min_messages = error;
RESET ROLE;
DROP CAST (atk_v.kind AS text);
DROP FUNCTION atk.from_given;
ALTER TYPE atk_v.kind OWNER TO atk_victim;
SET ROLE atk_victim;
DROP TABLE atk_v.traced CASCADE;
SELECT assay.drop_policy('traced', true);
DROP TRIGGER decide ON atk_v.kinds;
SELECT assay.drop_policy('keys');
DROP TABLE atk_v.keys_decision, atk_v.keys_label, atk_v.kinds CASCADE;
-- the message table's key may be of another type than the decision's: neither one's casts run, not where keys are kept of what stays undecided
CREATE TABLE atk_v.words (word text PRIMARY KEY);
CREATE VIEW atk_v.word_sig AS SELECT word::atk_v.kind AS word FROM atk_v.words;
SELECT assay.create_policy('words', 'atk_v.word_sig', '{word}');
CREATE TRIGGER decide AFTER INSERT ON atk_v.words REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('words');
CREATE TABLE atk_v.others (kind atk.kind PRIMARY KEY, part text);
CREATE VIEW atk_v.other_sig AS SELECT kind::text AS kind, 1 / length(part) AS n FROM atk_v.others;
SELECT assay.create_policy('others', 'atk_v.other_sig', '{kind}');
CREATE TRIGGER decide AFTER INSERT ON atk_v.others REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('others');
CREATE TABLE atk_v.parts (kind atk.kind, part text, PRIMARY KEY (kind, part));
CREATE VIEW atk_v.part_sig AS SELECT kind::text || part AS part, 1 / length(part) AS n FROM atk_v.parts;
SELECT assay.create_policy('parts', 'atk_v.part_sig', '{part}');
CREATE TRIGGER decide AFTER INSERT ON atk_v.parts REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('parts');
RESET ROLE;
ALTER TYPE atk_v.kind OWNER TO atk_mallory;
SET ROLE atk_mallory;
CREATE CAST (text AS atk_v.kind) WITH FUNCTION atk.to_given(text);
CREATE FUNCTION atk.from_kind(atk.kind) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM atk.told(atk.kind_name($1)); RETURN atk.kind_name($1); END $$;
CREATE FUNCTION atk.kind_name(atk.kind) RETURNS text LANGUAGE sql AS 'SELECT textin(enum_out($1))';
CREATE CAST (atk.kind AS text) WITH FUNCTION atk.from_kind(atk.kind) AS IMPLICIT;
SET ROLE atk_victim;
SET client_min_messages = warning;
INSERT INTO atk_v.words VALUES ('a'), ('b');
INSERT INTO atk_v.others VALUES ('a', 'x'), ('b', '');
INSERT INTO atk_v.parts VALUES ('a', 'x'), ('b', '');
SELECT count(*) FROM assay.undecided('others');
CALL assay.backfill('others', at => NULL);
CALL assay.backfill('parts', at => NULL);
SET client_min_messages = error;
SELECT policy, sqlstate, message FROM assay.fault WHERE policy IN ('words', 'others', 'parts') ORDER BY 1, 2, 3;
DROP TRIGGER decide ON atk_v.words;
DROP TRIGGER decide ON atk_v.others;
DROP TRIGGER decide ON atk_v.parts;
SELECT assay.drop_policy('words'), assay.drop_policy('others'), assay.drop_policy('parts');
DROP TABLE atk_v.words_decision, atk_v.words_label, atk_v.words, atk_v.others_decision, atk_v.others_label, atk_v.others,
	atk_v.parts_decision, atk_v.parts_label, atk_v.parts CASCADE;
RESET ROLE;
ALTER SCHEMA atk_v OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA atk_v FROM PUBLIC, atk_victim;
INSERT INTO atk_v.message VALUES (20, 'x');
GRANT USAGE ON SCHEMA atk_v TO PUBLIC;
ALTER SCHEMA atk_v OWNER TO atk_victim;
SELECT revision, detector, sqlstate, count(*) FROM assay.fault WHERE policy = 'victim' AND sqlstate IN ('PA001', '42501') GROUP BY 1, 2, 3 ORDER BY 3;
SELECT severity, left(detail, strpos(detail, ' in a day') - 1) AS detail FROM assay.check('victim') WHERE detail ~ 'SQLSTATE (PA001|42501)' ORDER BY 2;
-- nobody makes a policy that a superuser's trigger waits for: who may act as anybody has decided whose it is not
CREATE TABLE waits (id int PRIMARY KEY, t text);
CREATE TRIGGER decide AFTER INSERT ON waits REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('waits');
SET ROLE atk_mallory;
SELECT assay.create_policy('waits', 'atk.sig', '{id}', on_error => 'raise');
RESET ROLE;
DROP TABLE waits;
-- nothing is kept of policies that are not there
SET ROLE atk_mallory;
CREATE TEMP TABLE many (id int);
DO $$ BEGIN
	FOR i IN 1..20 LOOP
		EXECUTE format('CREATE TRIGGER decide%s AFTER INSERT ON many REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide(%L)', i, i || repeat('x', 10000));
	END LOOP;
END $$;
INSERT INTO many VALUES (1);
DROP TABLE many;
RESET ROLE;
SELECT count(*) FROM assay_internal.fault f WHERE NOT EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = f.policy);
INSERT INTO assay_internal.fault (policy, revision, sqlstate, message, at) VALUES ('atk_gone', 0, '42704', 'old', now() - interval '2 days'), ('atk_gone', 0, '42704', 'new', now());
SELECT assay_internal.forget_dropped_policies();
SELECT message FROM assay_internal.fault WHERE policy = 'atk_gone';
SET client_min_messages = warning;
-- a superuser enables triggers of the extension's tables and of policies' again, and of no stranger's
SET ROLE atk_victim;
SELECT assay.create_outbox('victim');
ALTER TABLE atk_v.victim_change ENABLE TRIGGER assay_follow;
SET ROLE atk_mallory;
CREATE TABLE atk.trap (n int);
CREATE TRIGGER trap AFTER INSERT ON atk.trap FOR EACH ROW EXECUTE FUNCTION assay_internal.follow_number('n');
RESET ROLE;
SELECT relation FROM assay_internal.lost_triggers() WHERE relation::text ~ '^atk';
-- (nor are all policies asked of every table that has a trigger)
BEGIN;
SET LOCAL track_functions = 'all';
SELECT count(*) FROM assay_internal.lost_triggers() WHERE relation::text ~ '^atk';
SELECT sum(calls) <= 2 * (SELECT count(*) FROM assay.policy) AS asked FROM pg_stat_xact_user_functions WHERE funcname = 'outbox_table';
COMMIT;
-- a guard that is disabled is told of as that alone, also where rows come by replication
BEGIN;
SET LOCAL allow_system_table_mods = on;
INSERT INTO pg_subscription_rel VALUES (1, 'assay_internal.detector'::regclass, 'r', NULL);
ALTER TABLE assay_internal.detector DISABLE TRIGGER check_right;
SELECT detail FROM assay_internal.check_enabled();
ROLLBACK;
SELECT assay_internal.enable_triggers() > 0 AS enabled;
SELECT tgrelid::regclass, tgenabled FROM pg_trigger WHERE tgrelid IN ('atk.trap'::regclass, 'atk_v.victim_change'::regclass) AND tgname IN ('trap', 'assay_follow') ORDER BY 1;
SET ROLE atk_victim;
SELECT assay.drop_outbox('victim');
-- what a stranger hung on the policy keeps nobody from dropping it
DROP TRIGGER decide ON atk_v.message;
SELECT assay.drop_policy('victim');
RESET ROLE;
SELECT DISTINCT by_role FROM atk.ran;
SELECT assay.drop_policy('atk', true);
DROP SCHEMA atk, atk_v, atk_b CASCADE;
DROP TABLE mine, blocklist;
DROP ROLE atk_mallory, atk_builder, atk_victim, atk_nobody;
DELETE FROM assay.fault;
