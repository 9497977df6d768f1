-- A list, phrase set or text model that does not exist is a fault of each message: who names one
-- in a condition is told at once, and by check()
CREATE SCHEMA missing_sets;
SET search_path = missing_sets, public;
CREATE TABLE message (id int PRIMARY KEY, from_addr text, body text);
CREATE VIEW signals AS SELECT * FROM message;
SELECT assay.create_policy('ms', 'missing_sets.signals', '{id}', prior => -3);
SELECT assay.create_list('blocked'), assay.create_phrase_set('payments');
SELECT assay.create_detector('ms', 'sound', 'assay.in_list(''blocked'', from_addr) OR cardinality(assay.phrase_hits(''payments'', body)) > 0', weight => 1, mode => 'live');
SELECT assay.create_detector('ms', 'list', 'assay.in_list(''blockd'', from_addr)', weight => 1, mode => 'live');
SELECT assay.create_detector('ms', 'by_name', 'id > 0 AND NOT assay.in_list(value => from_addr, set => ''quite another'')', weight => 1);
SELECT assay.create_detector('ms', 'phrases', 'cardinality(assay.phrase_hits(''payment'', body)) > 0 OR assay.in_list(''payments'', from_addr)', weight => 1, mode => 'live');
SELECT assay.alter_detector('ms', 'sound', condition => 'assay.in_list(''allowed'', from_addr)');
SELECT assay.alter_detector('ms', 'sound', weight => 2);
SELECT assay.create_guard('ms', 'g', 'assay.in_list(''nolist'', from_addr)');
SELECT assay.exclude('ms', 'x', 'g AND assay.in_list(''BLOCKED'', from_addr)', mutes => '{sound}', reason => 'test');
-- a name that is no constant, and NULL, are nobody's
SELECT assay.create_detector('ms', 'computed', 'assay.in_list(''block'' || id, from_addr) OR assay.in_list(NULL, from_addr)', weight => 1);
SELECT severity, detail FROM assay.check('ms') WHERE "check" = 'set' ORDER BY detail COLLATE "C";
-- what others have is not told of
CREATE ROLE missing_sets_other;
SELECT assay.create_list('others_list', owner => 'missing_sets_other');
GRANT ALL ON SCHEMA missing_sets TO missing_sets_other;
SET ROLE missing_sets_other;
SELECT * FROM assay_internal.missing_sets('ms', 'assay.in_list(''x'', from_addr)', false);
SELECT count(*) FROM assay_internal.policy_sets('ms');
CREATE TABLE mine (id int PRIMARY KEY, from_addr text);
CREATE VIEW my_signals AS SELECT * FROM mine;
SELECT assay.create_policy('ms_mine', 'missing_sets.my_signals', '{id}', prior => -3);
SELECT assay.create_detector('ms_mine', 'd', 'assay.in_list(''blocke'', from_addr) AND assay.in_list(''other_list'', from_addr)', weight => 1);
SELECT * FROM assay_internal.missing_sets('ms_mine', 'no_such_signal', false);
SELECT * FROM assay_internal.missing_sets('ms_mine', 'from_addr', true);
SELECT assay.drop_policy('ms_mine', true);
RESET ROLE;
-- views name them, too, and views that these read
CREATE VIEW below AS SELECT id, from_addr, body, assay.phrase_hits('nophrases', body) AS hits, assay.in_list('blocked', from_addr) AS there FROM message
	WHERE NOT EXISTS (SELECT FROM unnest(ARRAY['a']) a WHERE assay.in_list('in_a_subquery', a));
CREATE VIEW upper AS SELECT b.*, assay.in_list('blockd', b.from_addr) AS listed, assay.text_score(assay.text_model_at('no_model'), b.body) AS words FROM below b;
SELECT assay.create_policy('ms_view', 'missing_sets.upper', '{id}', prior => -3);
SELECT assay.create_detector('ms_view', 'd', 'assay.text_score(assay.text_model_at(''no_other''), body) > 0', weight => 1);
SELECT assay.alter_policy('ms', signals => 'missing_sets.upper');
SELECT severity, detail FROM assay.check('ms_view') WHERE "check" = 'set' ORDER BY detail COLLATE "C";
SELECT * FROM assay_internal.missing_sets('missing_sets.message'::regclass);
SELECT * FROM assay_internal.missing_sets(0::regclass);
-- what is made since is no matter any more
SELECT assay.create_list('blockd'), assay.create_list('in_a_subquery'), assay.create_phrase_set('nophrases');
SELECT assay.create_text_model('no_model', 'message', 'body', 'ms_label');
SELECT severity, detail FROM assay.check('ms_view') WHERE "check" = 'set' ORDER BY detail COLLATE "C";
SELECT assay.drop_policy('ms_view', true), assay.drop_text_model('no_model');
SELECT assay.drop_policy('ms', true);
SELECT assay.drop_set(s) FROM unnest('{blockd,blocked,in_a_subquery,nophrases,others_list,payments}'::text[]) s;
DROP SCHEMA missing_sets CASCADE;
DROP ROLE missing_sets_other;
RESET search_path;
