-- explain_text(): a decision in words
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA words;
SET search_path = words;
CREATE TABLE message (tenant text, id int, x float8, money boolean, domain text, PRIMARY KEY (tenant, id));
CREATE VIEW signals AS SELECT * FROM message;
SELECT assay.create_policy('words', 'signals', '{tenant,id}', prior => -3);
SELECT assay.create_detector('words', 'money', 'money', weight => 4, mode => 'live', description => 'it asks for a transfer');
SELECT assay.create_detector('words', 'high', 'x > 1', weight => 2, mode => 'live');
SELECT assay.create_detector('words', 'known', 'domain = ''friend.example''', weight => -1, mode => 'live', description => 'its sender is well known');
SELECT assay.create_detector('words', 'watch', 'x > 0', weight => 9, mode => 'shadow', description => 'never told of');
SELECT assay.create_detector('words', 'divides', '1 / x > 1', mode => 'live');
SELECT assay.create_detector('words', 'bad domain', 'domain = ''bad.example''', weight => 0, force_verdict => 'malicious', mode => 'live', description => 'its domain is on the list of blocked ones');
SELECT assay.create_detector('words', 'linear', model => assay.model_from_linear('{x}', '{0.1}', -0.3), mode => 'live');
SELECT assay.exclude('words', 'payroll', 'domain = ''payroll.example''', mutes => '{money}', reason => 'FP-1');
SELECT assay.exclude('words', 'board', 'domain = ''board.example''', verdict => 'safe', reason => 'FP-2');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('words');
INSERT INTO message VALUES ('t', 1, 0.5, false, NULL), ('t', 2, 2, true, 'friend.example'), ('t', 3, 0.9, true, 'payroll.example'), ('t', 4, 2, true, 'board.example'),
	('t', 5, 0.5, true, 'bad.example'), ('t', 6, 0, true, NULL), ('t', 7, 8, true, 'x.example');
SELECT assay.explain_text('words', 't', 1);
SELECT assay.explain_text('words', 't', '2');
SELECT assay.explain_text('words', 't', 3);
SELECT assay.explain_text('words', 't', 4);
SELECT assay.explain_text('words', VARIADIC '{t,5}'::text[]);
SELECT assay.explain_text('words', 't', 6);
SELECT assay.explain_text('words', tenant, id) FROM message WHERE id = 7;
-- as of the revision that decided
SELECT assay.alter_detector('words', 'money', description => 'something else');
SELECT assay.explain_text('words', 't', 2) LIKE '%asks for a transfer%' AS as_it_was;
-- of many reasons five, of many values four that say something, each value once
CREATE TABLE wide (id int PRIMARY KEY, a boolean, b boolean, c int, d int, e text, f text, g boolean);
SELECT assay.create_policy('wide', 'wide', '{id}');
SELECT count(assay.create_detector('wide', n, c, weight => w, mode => 'live')) FROM (VALUES
	('all of it', 'a AND NOT b AND c = 0 AND d > 0 AND e = '''' AND f IS NULL AND g', 3),
	('a', 'a', 2), ('d', 'd > 1', 1), ('not b', 'NOT b', 0.5), ('e', 'e IS NOT NULL', 0.4), ('g', 'g', 0.3), ('f', 'f IS NULL', 0.2), ('c', 'c < 1', -0.1)) d(n, c, w);
INSERT INTO wide VALUES (1, true, false, 0, 7, '', NULL, true), (2, true, true, 0, 0, NULL, 'x', false);
CALL assay.backfill('wide', at => NULL);
SELECT assay.explain_text('wide', 1);
SELECT assay.explain_text('wide', 2);
SELECT assay.drop_policy('wide', true);
-- errors
SELECT assay.explain_text('words', 't', 99);
SELECT assay.explain_text('words', 1);
SELECT assay.explain_text('words', VARIADIC NULL::text[]);
SELECT assay.explain_text('words', NULL, NULL);
SELECT assay.explain_text(NULL, 1);
SELECT assay.explain_text('nowhere', 1);
CREATE ROLE assay_words;
GRANT USAGE ON SCHEMA words TO assay_words;
SET ROLE assay_words;
SELECT assay.explain_text('words', 't', 2);
RESET ROLE;
SELECT assay.grant_access('words', 'assay_words', 'reader');
SET ROLE assay_words;
SELECT assay.explain_text('words', 't', 2) LIKE '%asks for a transfer%' AS told;
RESET ROLE;
DROP TRIGGER decide ON message;
SELECT assay.drop_policy('words', true);
DROP SCHEMA words CASCADE;
DROP ROLE assay_words;
