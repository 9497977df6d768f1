-- A search_path with a schema in which others may create: what they put there is
-- not run with the rights of who owns a baseline or a policy.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE opn_owner; CREATE ROLE opn_other;
CREATE SCHEMA opn AUTHORIZATION opn_owner;
CREATE SCHEMA opn_shared;
GRANT USAGE, CREATE ON SCHEMA opn_shared TO opn_owner, opn_other;
GRANT USAGE ON SCHEMA opn TO opn_other;
-- a number that is drawn stays drawn where an error takes back the rest
CREATE SEQUENCE opn_ran;
GRANT USAGE ON SEQUENCE opn_ran TO opn_owner;

SET ROLE opn_owner;
CREATE TABLE opn.message (n bigint GENERATED ALWAYS AS IDENTITY, id varchar, part varchar, sender varchar NOT NULL, received_at timestamptz NOT NULL, PRIMARY KEY (id, part));
INSERT INTO opn.message (id, part, sender, received_at) SELECT i, i, 's' || i % 3, '2024-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 30) i;
SELECT assay.create_baseline('opn_sender', source => 'opn.message', key => '{sender}', at => 'received_at', arrival => 'n', incremental => true,
	extra => '{"highest": {"aggregate": "max(id)", "rollup": "max"}}', schema => 'opn', search_path => 'opn_shared');
CREATE VIEW opn.signals AS SELECT id, part, sender, received_at FROM opn.message;
SET client_min_messages = error;
SELECT assay.create_policy('opn', 'opn.signals', '{id,part}', prior => -1, search_path => 'pg_catalog, opn_shared, assay, pg_temp');
SET client_min_messages = warning;
SELECT assay.create_detector('opn', 'third', 'sender = ''s2''', weight => 3, mode => 'live');
RESET ROLE;

-- what fits the types of keys better than PostgreSQL's own
SET ROLE opn_other;
CREATE FUNCTION opn_shared.ran() RETURNS void LANGUAGE plpgsql AS $$ BEGIN IF current_user IN ('opn_owner', 'opn_builder') THEN PERFORM nextval('public.opn_ran'); END IF; END $$;
DO $$
DECLARE
	op text;
BEGIN
	FOREACH op IN ARRAY '{<,<=,=,>=,>}'::text[] LOOP
		EXECUTE format('CREATE FUNCTION opn_shared.%I(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $f$
			BEGIN PERFORM opn_shared.ran(); RETURN $1::text OPERATOR(pg_catalog.%2$s) $2::text; END $f$', 'is ' || op, op);
		EXECUTE format('CREATE OPERATOR opn_shared.%s (FUNCTION = opn_shared.%I, LEFTARG = varchar, RIGHTARG = varchar)', op, 'is ' || op);
	END LOOP;
END $$;
RESET ROLE;

SET ROLE opn_owner;
INSERT INTO opn.message (id, part, sender, received_at) SELECT i, i, 's' || i % 4, '2024-01-05'::timestamptz + i * interval '1 hour' FROM generate_series(31, 60) i;
CALL assay.backfill('opn', batch => 7);
CALL assay.backfill('opn', undecided_only => true, batch => 7);
SELECT count(*) FROM opn.opn_decision;
SELECT assay.refresh_baseline('opn.opn_sender');
SELECT assay.rebuild_baseline('opn.opn_sender', 's1');
SELECT assay.compact_baseline('opn.opn_sender', '1 day');
SELECT assay.create_baseline('opn_again', source => 'opn.message', key => '{sender}', at => 'received_at', incremental => false,
	extra => '{"same": {"aggregate": "bool_or(id = sender)", "rollup": "bool_or"}}', schema => 'opn', search_path => 'opn_shared');
-- nor what a text model sees of a message, which is looked up once
CREATE TABLE opn.label (id varchar, part varchar, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, part, labelled_at));
SELECT assay.create_text_model('opn_words', 'opn.message', 'CASE WHEN id = part THEN ''one ''::text END', 'opn.label', at => 'received_at', schema => 'opn', search_path => 'opn_shared');
SELECT assay.create_text_model('opn_words', 'opn.message', 'CASE WHEN id OPERATOR(pg_catalog.=) part THEN ''one ''::text END', 'opn.label', at => 'received_at', schema => 'opn', search_path => 'opn_shared');
SELECT assay.drop_text_model('opn_words');
RESET ROLE;
-- nor what fits better than an operator of any type, where a report's parts are called by themselves
SET ROLE opn_other;
CREATE FUNCTION opn_shared.joins(text, text[]) RETURNS text[] LANGUAGE plpgsql AS $$ BEGIN PERFORM opn_shared.ran(); RETURN $2; END $$;
CREATE OPERATOR opn_shared.|| (FUNCTION = opn_shared.joins, LEFTARG = text, RIGHTARG = text[]);
\c -
SET client_min_messages = warning;
SET ROLE opn_owner;
SET search_path = opn_shared;
SELECT assay_internal.count_decisions('opn', '-infinity', 'infinity') IS NULL AS counted LIMIT 1;
RESET search_path;
RESET ROLE;
SELECT is_called AS ran FROM opn_ran;
DROP OPERATOR opn_shared.|| (text, text[]);
-- nor where the operator is made after a statement was looked at, and before it runs
DROP OPERATOR opn_shared.= (varchar, varchar);
DO $$
DECLARE
	statement text;
BEGIN
	-- in no parallel worker either, which would keep to itself what was looked at
	PERFORM set_config(s.name, 'on', true) FROM pg_settings s WHERE s.name IN ('force_parallel_mode', 'debug_parallel_query');
	SET LOCAL search_path = opn_shared;
	FOREACH statement IN ARRAY '{"SELECT bool_or(id = part) FROM opn.message","DELETE FROM opn.message WHERE id = part AND false"}'::pg_catalog.text[] LOOP
		FOR kind IN 1 .. CASE WHEN statement ~ '^SELECT' THEN 4 ELSE 1 END LOOP
			BEGIN
				SET LOCAL ROLE opn_owner;
				PERFORM assay_internal.check_trusted(statement, 'baseline');
				SET LOCAL ROLE opn_other;
				CREATE OPERATOR opn_shared.= (FUNCTION = opn_shared."is =", LEFTARG = varchar, RIGHTARG = varchar);
				SET LOCAL ROLE opn_owner;
				EXECUTE (ARRAY['', 'CREATE VIEW opn.seen AS ', 'CREATE MATERIALIZED VIEW opn.seen AS ', 'CREATE TABLE opn.seen AS '])[kind] || statement;
				RAISE WARNING 'ran: % %', kind, statement;
			EXCEPTION WHEN insufficient_privilege THEN
				RAISE WARNING '%', SQLERRM;
			END;
		END LOOP;
	END LOOP;
END $$;
-- what a literal becomes is told before it does: the input of an array checks each item
SET ROLE opn_other;
CREATE FUNCTION opn_shared.checked() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM opn_shared.ran(); RETURN true; END $$;
CREATE DOMAIN opn_shared.item AS text CHECK (opn_shared.checked());
CREATE FUNCTION opn_shared.never(varchar[], opn_shared.item[]) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN false;
CREATE FUNCTION opn_shared.never(varchar, opn_shared.item[]) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN false;
CREATE OPERATOR opn_shared.&& (FUNCTION = opn_shared.never, LEFTARG = varchar[], RIGHTARG = opn_shared.item[]);
CREATE OPERATOR opn_shared.= (FUNCTION = opn_shared.never, LEFTARG = varchar[], RIGHTARG = opn_shared.item[]);
RESET ROLE;
SET ROLE opn_owner;
SELECT assay.create_detector('opn', 'overlaps', 'ARRAY[sender] && ''{a,b}''', mode => 'draft');
SELECT assay.create_detector('opn', 'differs', 'ARRAY[sender] IS DISTINCT FROM ''{a,b}''', mode => 'draft');
SELECT assay.create_detector('opn', 'calls', 'never(sender, ''{a,b}'')', mode => 'draft');
SELECT assay.create_detector('opn', 'plain', 'id IN (''a'', ''b'') OR ARRAY[sender] OPERATOR(pg_catalog.&&) ''{a,b}'' OR sender IS DISTINCT FROM ''a''', mode => 'draft');
-- "IS DISTINCT FROM NULL" takes no operator, and has none where a type lacks equality
SELECT assay.create_detector('opn', 'known', 'to_json(sender) IS DISTINCT FROM NULL AND NULL IS DISTINCT FROM ''<a/>''::xml', mode => 'draft');
SELECT assay.create_detector('opn', 'rows', '(id::text::xid, sender) IS DISTINCT FROM (''1'', ''a'')', mode => 'draft');
SELECT assay.create_baseline('opn_again', source => 'opn.message', key => '{sender}', at => 'received_at', incremental => false,
	extra => '{"some": {"aggregate": "bool_or(ARRAY[id] && ''{a,b}'')", "rollup": "bool_or"}}', schema => 'opn', search_path => 'opn_shared');
RESET ROLE;
-- nor what fits better than a cast to what PostgreSQL's own takes
SET ROLE opn_other;
CREATE FUNCTION opn_shared.times(bigint, interval) RETURNS interval LANGUAGE plpgsql AS $$ BEGIN PERFORM opn_shared.ran(); RETURN $2; END $$;
CREATE OPERATOR opn_shared.* (FUNCTION = opn_shared.times, LEFTARG = bigint, RIGHTARG = interval);
CREATE FUNCTION opn_shared.at_most(real, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM opn_shared.ran(); RETURN true; END $$;
CREATE OPERATOR opn_shared.> (FUNCTION = opn_shared.at_most, LEFTARG = real, RIGHTARG = int);
CREATE OPERATOR opn_shared.<= (FUNCTION = opn_shared.at_most, LEFTARG = real, RIGHTARG = int);
CREATE FUNCTION opn_shared.meet(text[], text[]) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM opn_shared.ran(); RETURN true; END $$;
CREATE OPERATOR opn_shared.&& (FUNCTION = opn_shared.meet, LEFTARG = text[], RIGHTARG = text[]);
RESET ROLE;
SET ROLE opn_owner;
CREATE VIEW opn.said AS SELECT id, part, true AS malicious FROM opn.message WHERE sender = 's2';
SELECT labelled > 0 AS labelled, known, surer FROM assay.labels_from('opn', 'said', 'opn.said');
CREATE VIEW opn.mail AS SELECT id, part, id AS message_id, sender AS from_addr, received_at, ARRAY[part]::text[] AS recipients FROM opn.message;
SELECT outcome FROM assay.label_reported('opn', 'opn.mail', '[{"message_id": "1", "source": "mail", "malicious": true, "reported_at": "2024-02-01", "recipients": ["1"], "confidence": 1}]');
SELECT count(*) FROM assay.review_sample('opn', 3, 'detector', detector => 'third');
RESET ROLE;
-- nor what negates an operator, where that is of a function of the owner's
SET ROLE opn_owner;
CREATE FUNCTION opn.same(varchar, varchar) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1::text = $2::text; END $$;
RESET ROLE;
SET ROLE opn_other;
CREATE OPERATOR opn_shared.!== (FUNCTION = opn_shared."is =", LEFTARG = varchar, RIGHTARG = varchar);
CREATE OPERATOR opn_shared.=== (FUNCTION = opn.same, LEFTARG = varchar, RIGHTARG = varchar, NEGATOR = OPERATOR(opn_shared.!==));
RESET ROLE;
SET ROLE opn_owner;
SELECT assay.create_baseline('opn_again', source => 'opn.message', key => '{sender}', at => 'received_at', incremental => false,
	extra => '{"other": {"aggregate": "bool_or(NOT id === part)", "rollup": "bool_or"}}', schema => 'opn', search_path => 'opn_shared');
SELECT assay.create_detector('opn', 'other', 'NOT id === part', mode => 'draft');
RESET ROLE;
-- a type of another's
SET ROLE opn_other;
CREATE DOMAIN opn_shared.short AS text CHECK (length(VALUE) < 9);
CREATE TYPE opn_shared.mood AS ENUM ('good', 'bad');
CREATE TYPE opn_shared.pair AS (a opn_shared.item);
RESET ROLE;
SET ROLE opn_owner;
SELECT assay.create_baseline('opn_again', source => 'opn.message', key => '{sender}', at => 'received_at', incremental => false,
	extra => '{"long": {"aggregate": "max(id::short)", "rollup": "max"}}', schema => 'opn', search_path => 'opn_shared');
-- what has it in it is made by its input, by a function, or as a column
SELECT assay.create_baseline('opn_again', source => 'opn.message', key => '{sender}', at => 'received_at', incremental => false,
	extra => '{"some": {"aggregate": "max((''{'' || id || ''}'')::item[]::text)", "rollup": "max"}}', schema => 'opn', search_path => 'opn_shared');
SELECT assay.create_baseline('opn_again', source => 'opn.message', key => '{sender}', at => 'received_at', incremental => false,
	extra => '{"some": {"aggregate": "max((jsonb_populate_record(NULL::pair, jsonb_build_object(''a'', id))).a)", "rollup": "max"}}', schema => 'opn', search_path => 'opn_shared');
CREATE TABLE opn.filled (sender text, received_at timestamptz, part opn_shared.item);
SELECT assay.create_baseline('opn_filled', source => 'opn.filled', key => '{sender}', at => 'received_at', incremental => false,
	extra => '{"some": {"aggregate": "bool_or(jsonb_populate_record(ROW(part), ''{\"f1\": \"x\"}'') IS NULL)", "rollup": "bool_or"}}', schema => 'opn', search_path => 'pg_catalog');
DROP TABLE opn.filled;
SELECT assay.create_text_model('opn_words', 'opn.message', '(SELECT r.a::text FROM jsonb_to_record(jsonb_build_object(''a'', id)) r(a item))', 'opn.label', at => 'received_at',
	schema => 'opn', search_path => 'opn_shared');
SELECT assay.create_text_model('opn_words', 'opn.message', '(SELECT x.a::text FROM XMLTABLE(''/a'' PASSING XMLELEMENT(name a, id) COLUMNS a item PATH ''.'') x)', 'opn.label', at => 'received_at',
	schema => 'opn', search_path => 'opn_shared');
-- the input of an enum's array runs no code, a NULL has no input, and what there is may be put into another array
SELECT assay.create_baseline('opn_again', source => 'opn.message', key => '{sender}', at => 'received_at', incremental => false,
	extra => '{"same": {"aggregate": "bool_or(enum_range(NULL::mood) && ''{good}'' AND NULL::item[] IS NULL AND CASE WHEN sender IS NULL THEN NULL::item[] END IS NULL AND NULL::item[] || NULL::item[] IS NULL)", "rollup": "bool_or"}}', schema => 'opn', search_path => 'opn_shared');
SELECT DISTINCT same FROM opn.opn_again;
SELECT assay.drop_baseline('opn.opn_again');
-- a type's cast is found at run time by what makes text or JSON of any type
RESET ROLE;
SET ROLE opn_other;
CREATE FUNCTION opn_shared.mood_text(opn_shared.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM opn_shared.ran(); RETURN 'x'; END $$;
CREATE FUNCTION opn_shared.mood_json(opn_shared.mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM opn_shared.ran(); RETURN '1'; END $$;
CREATE CAST (opn_shared.mood AS text) WITH FUNCTION opn_shared.mood_text(opn_shared.mood);
CREATE CAST (opn_shared.mood AS json) WITH FUNCTION opn_shared.mood_json(opn_shared.mood);
RESET ROLE;
SET ROLE opn_owner;
DO $$
DECLARE
	shown text;
BEGIN
	FOREACH shown IN ARRAY ARRAY['id || enum_first(NULL::mood)', 'quote_literal(enum_first(NULL::mood))', 'to_jsonb(ROW(id, ARRAY[enum_first(NULL::mood)]))::text',
		'(SELECT json_agg(m)::text FROM unnest(enum_range(NULL::mood)) m)', 'id || 1 || to_jsonb(id)'] LOOP
		BEGIN
			PERFORM assay.create_baseline('opn_again', source => 'opn.message', key => '{sender}', at => 'received_at', incremental => false,
				extra => jsonb_build_object('some', jsonb_build_object('aggregate', format('max(%s)', shown), 'rollup', 'max')), schema => 'opn', search_path => 'opn_shared');
			RAISE WARNING 'taken: %', shown;
		EXCEPTION WHEN insufficient_privilege THEN
			RAISE WARNING '%', SQLERRM;
		END;
	END LOOP;
END $$;
SELECT assay.drop_baseline('opn.opn_again');
SELECT changed > 0 AS refreshed FROM assay.refresh_baseline('opn.opn_sender');
SELECT sender, sum(1) OVER () AS days, highest FROM opn.opn_sender WHERE day = '2024-01-07' ORDER BY sender COLLATE "C" LIMIT 1;
RESET ROLE;
SELECT is_called AS ran FROM opn_ran;

-- nor does the owner's code run with the rights of who builds for him
CREATE ROLE opn_builder;
GRANT USAGE ON SEQUENCE opn_ran TO opn_builder;
GRANT USAGE ON SCHEMA opn TO opn_builder;
SET ROLE opn_owner;
CREATE FUNCTION opn.asked() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF current_user = 'opn_builder' THEN PERFORM nextval('public.opn_ran'); END IF; RETURN true; END $$;
CREATE DOMAIN opn.item AS text CHECK (opn.asked());
CREATE TYPE opn.mood AS ENUM ('good', 'bad');
SELECT assay.grant_access('opn', 'opn_builder', 'builder');
RESET ROLE;
SET ROLE opn_builder;
SELECT assay.create_detector('opn', 'reads', '''{a,b}''::opn.item[] IS NULL', mode => 'draft');
SELECT assay.create_detector('opn', 'moods', 'enum_range(NULL::opn.mood) @> ''{good,bad}''', mode => 'draft');
SELECT assay.create_detector('opn', 'nothing', 'CASE WHEN id = sender THEN NULL::opn.item[] END IS NULL', mode => 'draft');
RESET ROLE;
SELECT is_called AS ran FROM opn_ran;

SET ROLE opn_owner;
SELECT assay.drop_baseline('opn.opn_sender'), assay.drop_policy('opn', true);
RESET ROLE;

-- a signal may be of another's type, who gives it casts and checks whenever he likes: what reads signals as the owner runs none of them
SET ROLE opn_other;
CREATE FUNCTION opn_shared.checks(anyelement) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM opn_shared.ran(); RETURN true; END $$;
CREATE DOMAIN opn_shared.size AS int CHECK (opn_shared.checks(VALUE));
CREATE TYPE opn_shared.state AS ENUM ('new', 'old');
CREATE TYPE opn_shared.truth AS ENUM ('yes');
RESET ROLE;
SET ROLE opn_owner;
CREATE TABLE opn.letter (id int PRIMARY KEY, received_at timestamptz, sender text, state opn_shared.state, states opn_shared.state[], size opn_shared.size, sizes opn_shared.size[], tenant opn_shared.state DEFAULT 'new');
CREATE VIEW opn.letter_signals AS SELECT id, received_at, sender, state, states, size, sizes FROM opn.letter;
SELECT assay.create_policy('opn', 'opn.letter_signals', '{id}', prior => -1, log_signals => true);
SELECT assay.create_detector('opn', 'small', 'size < 3 AND state IS NOT NULL', weight => 3, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON opn.letter REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('opn');
-- (JSON asks for casts anew each time, so it is made of no such value)
SELECT assay.create_detector('opn', 'json', 'to_jsonb(state) IS NOT NULL', mode => 'draft');
SELECT assay.create_detector('opn', 'json', 'jsonb_build_array(ROW(1, states)) IS NOT NULL', mode => 'draft');
SELECT assay.create_detector('opn', 'json', 'to_jsonb(size) IS NOT NULL AND concat(state) <> ''''', mode => 'draft') > 0 AS taken;
RESET ROLE;
INSERT INTO opn.letter SELECT i, now() - i * interval '1 hour', 's' || i % 3, 'new', '{old}', i FROM generate_series(1, 12) i;
CREATE FUNCTION opn.reports() RETURNS TABLE (report text, result text) LANGUAGE plpgsql AS $f$
BEGIN
	FOR report IN VALUES ('count(*), sum(degraded::int), sum((verdict = ''suspicious'')::int) FROM opn.opn_decision'),
		('count(*), sum((verdict = ''suspicious'')::int) FROM assay.replay(''opn'', signals => ''logged'')'),
		('count(*), sum((verdict = ''suspicious'')::int) FROM assay.replay(''opn'', signals => ''auto'')'),
		('sum((assay.signals_as(NULL::opn.letter_signals, signals)).size) FROM opn.opn_decision WHERE assay.signal(signals, ''sizes'') IS NULL'),
		('sum((assay.signals_as(NULL::opn.letter_signals, signals)).size) FROM opn.opn_decision'),
		('string_agg(signal || '' '' || messages || '' '' || differ, '', '' ORDER BY signal COLLATE "C") FROM assay.signal_skew(''opn'', ''-infinity'')'),
		('string_agg(signal, '', '' ORDER BY signal COLLATE "C") FROM assay.signal_drift(''opn'', signals => ''view'')'),
		('sum(others) FROM assay.suggest_exclusion(''opn'', 1)'), ('hits FROM assay.backtest(''opn'', ''size > 10'', signals => ''logged'')'),
		('count(*) FROM assay.precision_report(''opn'', by => ''state'')'), ('assay.report_html(''opn'', columns => ''{state}'') <> '''''),
		('max(rows) FROM assay.forget(''opn'', ''{"size": 2}'')'), ('max(rows) FROM assay.forget(''opn'', ''{"sizes": "{2}"}'')'), ('count(*) > 0 FROM assay.alerts') LOOP
		BEGIN
			EXECUTE 'SELECT ROW(' || regexp_replace(report, '( FROM .*)?$', ')::text\1') INTO result;
		EXCEPTION WHEN OTHERS THEN
			result := concat_ws(' ', SQLSTATE, SQLERRM);
		END;
		report := coalesce(substring(report FROM 'assay\.(\w+)'), 'decisions');
		RETURN NEXT;
	END LOOP;
END $f$;
SELECT * FROM opn.reports();
SET ROLE opn_owner;
-- nor what a baseline or a text model makes JSON of, or text of in a query that is kept: of casts that are not there yet, too
CREATE TABLE opn.letter_label (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
DO $$
DECLARE
	made text;
BEGIN
	FOREACH made IN ARRAY ARRAY['(SELECT to_jsonb(x)::text FROM (SELECT state) x)', '(WITH w AS (SELECT state) SELECT to_jsonb(w)::text FROM w)', '(SELECT to_jsonb(w)::text FROM (VALUES (state)) w)',
		'(SELECT to_jsonb(w)::text FROM ((SELECT state) a CROSS JOIN (SELECT 1) b) w)', '(SELECT to_jsonb(w)::text FROM (SELECT sender AS id) w)', '(SELECT json_agg(state) OVER ()::text FROM (SELECT 1) w)',
		'sender || state', 'quote_literal(state)', 'concat(sender, state)', 'sender || state::text'] LOOP
		BEGIN
			PERFORM assay.create_text_model('opn_words', 'opn.letter', made, 'opn.letter_label', at => 'received_at', schema => 'opn');
			PERFORM assay.drop_text_model('opn_words');
			RAISE WARNING 'a text model takes %', made;
		EXCEPTION WHEN insufficient_privilege THEN
			RAISE WARNING '%', SQLERRM;
		END;
		BEGIN
			PERFORM assay.create_baseline('opn_states', source => 'opn.letter', key => '{sender}', at => 'received_at', incremental => false,
				extra => jsonb_build_object('some', jsonb_build_object('aggregate', format('max(%s)', made), 'rollup', 'max')), schema => 'opn');
			PERFORM assay.drop_baseline('opn.opn_states');
			RAISE WARNING 'a baseline takes %', made;
		EXCEPTION WHEN insufficient_privilege THEN
			RAISE WARNING '%', SQLERRM;
		END;
	END LOOP;
END $$;
RESET ROLE;
-- nor what is to be forgotten of a baseline
SET ROLE opn_owner;
SELECT assay.create_baseline('opn_sizes', source => 'opn.letter', key => '{sizes}', at => 'received_at', incremental => false, schema => 'opn');
SELECT assay.create_baseline('opn_size', source => 'opn.letter', key => '{size}', at => 'received_at', incremental => true, arrival => 'id', schema => 'opn');
SELECT assay_internal.baseline_forget_as_owner('opn.opn_sizes', '{"sizes": "{1}"}');
SELECT assay_internal.baseline_forget_as_owner('opn.opn_size', '{"size": "1"}');
SELECT assay.drop_baseline('opn.opn_sizes'), assay.drop_baseline('opn.opn_size');
RESET ROLE;
-- nor what they read of another's table, whose columns get another type
SET ROLE opn_other;
CREATE TABLE opn_shared.source (n bigint, id int, sender text, received_at timestamptz);
INSERT INTO opn_shared.source SELECT i, i, 's', now() FROM generate_series(1, 5) i;
CREATE TABLE opn_shared.label (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
INSERT INTO opn_shared.label VALUES (1, true, now());
GRANT SELECT ON opn_shared.source, opn_shared.label TO opn_owner;
SET ROLE opn_owner;
SELECT assay.create_baseline('opn_others', source => 'opn_shared.source', key => '{sender}', at => 'received_at', arrival => 'n', incremental => true, schema => 'opn');
SELECT assay.create_text_model('opn_words', 'opn.letter', 'sender', 'opn_shared.label', at => 'received_at', schema => 'opn');
CREATE VIEW opn.tenant_signals AS SELECT id, received_at, sender, tenant FROM opn.letter;
SET client_min_messages = error;
CALL assay.onboard('opn_tenants', 'opn.letter', pack => NULL, signals => 'opn.tenant_signals', tenant => 'tenant');
SET client_min_messages = warning;
RESET ROLE;
SET ROLE opn_other;
DO $$
DECLARE
	source text;
	target text;
BEGIN
	FOR source, target IN VALUES ('state', 'text'), ('state', 'json'), ('state', 'bigint'), ('truth', 'boolean') LOOP
		EXECUTE format('CREATE FUNCTION opn_shared.%I(opn_shared.%I) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM opn_shared.ran(); RETURN NULL; END $f$', 'to ' || target, source, target);
		EXECUTE format('CREATE CAST (opn_shared.%I AS %s) WITH FUNCTION opn_shared.%I(opn_shared.%1$I)', source, target, 'to ' || target) || CASE WHEN target IN ('boolean', 'bigint') THEN ' AS IMPLICIT' ELSE '' END;
	END LOOP;
END $$;
ALTER TABLE opn_shared.source ALTER n TYPE opn_shared.state USING 'new';
ALTER TABLE opn_shared.label ALTER malicious TYPE opn_shared.truth USING 'yes';
RESET ROLE;
INSERT INTO opn.letter SELECT i, now(), 's1', 'new', '{old}', i, ARRAY[i] FROM generate_series(13, 14) i;
SELECT * FROM opn.reports();
-- nor with a reader's rights, who trusts the owner
SET ROLE opn_owner;
SELECT assay.grant_access('opn', 'opn_builder', 'builder');
SET ROLE opn_builder;
SELECT * FROM opn.reports();
-- of messages that are labelled
SET ROLE opn_owner;
CREATE VIEW opn.reported AS SELECT id, sender AS message_id, received_at, state AS from_addr, ARRAY[sender] AS recipients, state AS category FROM opn.letter;
SELECT assay.label_reported('opn', 'opn.reported', '[{"message_id": "s1", "from_addr": "new", "recipients": ["s1"], "malicious": true, "source": "x", "confidence": 1, "reported_at": "2100-01-01"}]');
SELECT assay.labels_from('opn', 'x', 'opn.reported', true);
-- of tenants
SELECT assay.go_live('opn_tenants', 'old');
SELECT assay_internal.as_policy_owner('opn_tenants', 'look', '{}');
SELECT assay_internal.as_policy_owner('opn_tenants', 'erase', '{"tenant": "new", "dry_run": false}');
-- another's table was altered
SELECT assay.refresh_baseline('opn.opn_others');
SELECT assay.learn('opn_words');
-- nor their own views, of before an older version looked or a type had another owner
SET ROLE opn_owner;
CREATE TYPE opn.mine AS ENUM ('new');
CREATE TABLE opn.mined (id int PRIMARY KEY, sender text, received_at timestamptz, mine opn.mine);
INSERT INTO opn.mined SELECT i, 's', now(), 'new' FROM generate_series(1, 5) i;
CREATE TABLE opn.mined_label (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
INSERT INTO opn.mined_label VALUES (1, true, now()), (2, false, now());
SELECT assay.create_baseline('opn_mined', 'opn.mined', '{sender}', 'received_at', extra => $${"a": {"aggregate": "max('x' || mine)", "rollup": "max"}}$$, schema => 'opn');
SELECT assay.create_baseline('opn_text', 'opn.mined', '{sender}', 'received_at', extra => '{"a": {"aggregate": "max(mine::text)", "rollup": "max"}}', schema => 'opn');
SELECT assay.create_text_model('opn_mined', 'opn.mined', $$'x' || mine$$, 'opn.mined_label', at => 'received_at', schema => 'opn');
RESET ROLE;
CREATE FUNCTION opn_shared.mined(opn.mine) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM opn_shared.ran(); RETURN 'x'; END $$;
ALTER FUNCTION opn_shared.mined(opn.mine) OWNER TO opn_other;
CREATE CAST (opn.mine AS text) WITH FUNCTION opn_shared.mined(opn.mine);
ALTER TYPE opn.mine OWNER TO opn_other;
SELECT assay.refresh_baseline('opn.opn_mined');
SELECT rows FROM assay.refresh_baseline('opn.opn_text');
SELECT assay.learn('opn_mined');
DROP CAST (opn.mine AS text);
SELECT assay.refresh_baseline('opn.opn_mined');
SELECT assay.learn('opn_mined');
SET ROLE opn_owner;
SELECT assay.drop_baseline('opn.opn_mined'), assay.drop_baseline('opn.opn_text'), assay.drop_text_model('opn_mined');
DROP TRIGGER decide ON opn.letter;
DROP TRIGGER opn_tenants_decide ON opn.letter;
SELECT assay.drop_baseline('opn.opn_others'), assay.drop_text_model('opn_words'), assay.drop_policy('opn', true), assay.drop_policy('opn_tenants', true);
RESET ROLE;
SELECT is_called AS ran FROM opn_ran;

DROP SCHEMA opn, opn_shared CASCADE;
DROP SEQUENCE opn_ran;
DROP ROLE opn_owner, opn_other, opn_builder;
