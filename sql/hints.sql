-- What errors say about a condition that is none, and about names that are misspelt
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE SCHEMA hints;
SET search_path = hints, public;
CREATE DOMAIN hosts AS text[];
CREATE TABLE message (id int PRIMARY KEY, urls int, subject text, words text[], "Hosts" hosts);
SELECT assay.create_policy('inbound', 'message', '{id}') AS revision \gset
SELECT assay.create_guard('inbound', 'long_subject', 'length(subject) > 100') AS revision \gset
SELECT assay.create_detector('inbound', 'many urls', 'urls > 3') AS revision \gset
SELECT assay.exclude('inbound', 'partners', 'urls = 1', mutes => '{many urls}', reason => 'test') AS revision \gset

-- one expression
SELECT assay.create_detector('inbound', 'new', 'urls > 1 AND');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 or');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 many');
SELECT assay.create_detector('inbound', 'new', 'urls > 1, urls < 3');
SELECT assay.create_detector('inbound', 'new', '');
SELECT assay.create_detector('inbound', 'new', '-- urls > 1');
SELECT assay.create_detector('inbound', 'new', 'Many Urls');
SELECT assay.create_detector('inbound', 'new', 'WHERE urls > 1');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 FROM message');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 UNION SELECT true');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 LIMIT 1');
SELECT assay.create_detector('inbound', 'new', '(urls > 1');
SELECT assay.create_detector('inbound', 'new', 'urls > 1; ');
-- about one message
SELECT assay.create_detector('inbound', 'new', 'count(urls) > 1');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 AND abs(sum(urls)) > 1');
SELECT assay.create_detector('inbound', 'new', 'rank() OVER (ORDER BY urls) > 1');
SELECT assay.create_detector('inbound', 'new', 'generate_series(1, urls) > 1');
SELECT assay.create_detector('inbound', 'new', 'CASE WHEN urls > generate_series(1, 2) THEN true END');
SELECT assay.create_detector('inbound', 'new', 'GROUPING(urls) > 1');
SELECT assay.create_detector('inbound', 'new', 'bool_or(urls > 1) FILTER (WHERE urls > 2)');
SELECT assay.create_guard('inbound', 'new', 'max(urls) > 1');
-- a value of an array
SELECT assay.create_detector('inbound', 'new', 'words = ''gift_card''');
SELECT assay.create_detector('inbound', 'new', '''gift_card'' IN (words)');
SELECT assay.create_detector('inbound', 'new', 'words LIKE ''%gift%'' AND urls > 1');
SELECT assay.create_detector('inbound', 'new', '"Hosts" = 7');
SELECT assay.create_detector('inbound', 'new', 'urls = ''many''');
SELECT assay.create_detector('inbound', 'new', 'subject = 1');
-- a model of several classes: the first of its margins says nothing of malicious or not
\set three '{"pg_assay_model":1,"format":"linear","library":"","objective":"","link":"softmax","link_parameters":[1,0],"single":false,"start":[0,1,2],"bias":[0,0,0],"scale":1,"divisor":1,"iterations":0,"best_iteration":-1,"features":[{"name":"urls","kind":"numeric"}],"weights":[[1],[2],[3]]}'
SELECT assay.create_detector('inbound', 'new', model => :'three');
SELECT hits FROM assay.backtest('inbound', model => :'three', at => NULL);
SELECT assay.create_detector('inbound', 'classes', model => assay.model_from_linear('{urls}', '{1}')) AS revision \gset
SELECT assay.alter_detector('inbound', 'classes', model => :'three');
-- one that stands from before
SET session_replication_role = replica;
UPDATE assay_internal.detector_model SET model = :'three' WHERE policy = 'inbound' AND detector = 'classes';
RESET session_replication_role;
SELECT severity, "check", detail, hint FROM assay.check('inbound') WHERE detail LIKE '%classes%';
SELECT assay.alter_policy('inbound', prior => -1) AS revision \gset
SELECT assay.rollback_policy('inbound', :revision - 1) > :revision AS rolled_back;
SELECT assay.drop_detector('inbound', 'classes') AS revision \gset
-- comparisons with NULL, which hit nothing
SET client_min_messages = notice;
SELECT assay.create_detector('inbound', 'null 1', 'subject = NULL') AS revision \gset
SELECT assay.create_detector('inbound', 'null 2', 'urls > 1 AND NOT (subject = NULL OR urls < 9)') AS revision \gset
SELECT assay.create_detector('inbound', 'null 3', 'subject IS NULL OR subject IS DISTINCT FROM NULL OR coalesce(subject, NULL) = ''x'' OR nullif(urls, NULL) > 1') AS revision \gset
SET client_min_messages = warning;
SELECT assay.drop_detector('inbound', 'null ' || i) AS revision FROM generate_series(1, 3) i \g /dev/null
SELECT assay.create_detector('inbound', 'new', 'subject == ''x''');
-- boolean
SELECT assay.create_detector('inbound', 'new', 'urls + 1');
-- names
SELECT assay.create_detector('inbound', 'new', 'url > 1');
SELECT assay.create_detector('inbound', 'new', 'long_subjct');
SELECT assay.create_detector('inbound', 'new', 'xyzzy > 1');
SELECT assay.create_detector('inbound', 'new', 'subject = "gift card"');
SELECT assay.create_detector('inbound', 'new', 'subject = xyzzy');
SELECT assay.create_detector('inbound', 'new', 'subject = "Subject"');
SELECT assay.create_detector('inbuond', 'new', 'urls > 1');
SELECT assay.create_detector('something else', 'new', 'urls > 1');
SELECT assay.alter_policy('inbonud', prior => -3);
SELECT assay.drop_policy('INBOUND');
SELECT count(*) FROM assay.precision_report('inbond');
SELECT count(*) FROM assay.explain_decision('inbond', 1);
SELECT assay.grant_access('inbond', CURRENT_USER, 'reader');
SELECT assay.revoke_access('inbond', CURRENT_USER);
SELECT count(*) FROM assay.undecided('inbond');
CALL assay.backfill('inbond');
SELECT assay.upgrade_policy(NULL);
SELECT assay.promote('inbound', 'many url');
SELECT assay.alter_detector('inbound', 'Many urls', weight => 1);
SELECT assay.drop_detector('inbound', 'none of these');
SELECT assay.exclude('inbound', 'new', 'urls = 1', mutes => '{many-urls}', reason => 'test');
SELECT assay.drop_exclusion('inbound', 'partner');
SELECT assay.drop_guard('inbound', 'short_subject');
SELECT assay.drop_guard('inbound', 'long subject');

-- what is there already, a model by its name, triggers that are declared in another way
SELECT assay.create_policy('inbound', 'message', '{id}');
SELECT assay.create_detector('inbound', 'new', model => 'gbdt');
SELECT assay.text_score('mail', 'a text');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide();
INSERT INTO message VALUES (1);
CREATE OR REPLACE TRIGGER decide BEFORE INSERT ON message FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound');
INSERT INTO message VALUES (1);
DROP TRIGGER decide ON message;
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbuond');
INSERT INTO message VALUES (1);
DROP TRIGGER decide ON message;
-- the view is gone
CREATE VIEW few AS SELECT id, urls FROM message;
SELECT assay.create_policy('gone', 'few', '{id}') AS revision \gset
DROP VIEW few;
SELECT assay.create_detector('gone', 'new', 'urls > 1');
SELECT count(*) FROM assay.replay('gone', at => NULL);
SELECT count(*) FROM assay.backtest('gone', 'urls > 1', at => NULL);
SELECT assay.drop_policy('gone', true);

-- a text model of messages whose key says not which, and one whose content is to blame
CREATE TABLE twice (id int, part int, body text);
CREATE TABLE twice_label (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
INSERT INTO twice VALUES (1, 1, 'one'), (2, 1, 'two'), (2, 2, 'and more of two');
INSERT INTO twice_label SELECT i, i = 1, '2024-01-01' FROM generate_series(1, 2) i;
SELECT assay.create_text_model('hints_twice', 'twice', 'body', 'twice_label') AS versions \gset
SELECT assay.learn('hints_twice');
DELETE FROM twice WHERE part = 2;
SELECT assay.learn('hints_twice');
SELECT assay.drop_text_model('hints_twice');
SELECT assay.create_text_model('hints_twice', 'twice', '(SELECT t.body FROM twice t WHERE t.id >= twice.id)', 'twice_label') AS versions \gset
SELECT assay.learn('hints_twice');
SELECT assay.drop_text_model('hints_twice');

-- up to half of the letters and three of them may differ; a policy that one may not read is not told of
SELECT w, assay_internal.nearest(w, '{abcdefgh,ab,é,NULL}') FROM unnest('{abcdefgh,abcdexyz,abcdwxyz,ax,xy,x,"",e,abcdef}'::text[]) w;
SELECT assay_internal.nearest(repeat('x', 1000), ARRAY[repeat('x', 999)]) IS NOT NULL AS limit_1000, assay_internal.nearest(repeat('x', 1001), ARRAY[repeat('x', 1000)]) IS NULL AS and_not_beyond;
CREATE ROLE hints_stranger;
SET ROLE hints_stranger;
SELECT assay.drop_policy('inbund');
RESET ROLE;
DROP ROLE hints_stranger;
-- keys of several columns
CREATE VIEW pairs AS SELECT m.*, 'a'::text AS tenant FROM message m;
SELECT assay.create_policy('pairs', 'pairs', '{tenant,id}');
SELECT * FROM assay.explain_decision('pairs', 1);
SELECT assay.explain_text('pairs', 1, 2, 3);
SELECT * FROM assay.suggest_exclusion('pairs', 1);
SELECT * FROM assay.latest_decision('pairs', '{1}');
-- the tables of a policy that is gone
SELECT assay.drop_policy('pairs');
SELECT assay.create_policy('pairs', 'pairs', '{tenant,id}');
DROP TABLE pairs_decision, pairs_label CASCADE;
-- a key that has another name in the view than in the table
CREATE TABLE sms (mid text PRIMARY KEY, txt text);
CREATE VIEW sms_signals AS SELECT mid AS "Message ID", txt ~ 'http' AS link FROM sms;
SELECT assay.create_policy('sms', 'sms_signals', '{Message ID}') AS revision \gset
SELECT assay.create_detector('sms', 'a link', 'link', weight => 5, mode => 'live') AS revision \gset
CREATE TRIGGER decide AFTER INSERT ON sms REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('sms');
INSERT INTO sms VALUES ('a', 'http://x');
CREATE OR REPLACE TRIGGER decide AFTER INSERT ON sms FOR EACH ROW EXECUTE FUNCTION assay.decide('sms');
INSERT INTO sms VALUES ('b', 'x');
SELECT * FROM assay.undecided('sms');
ALTER TABLE sms RENAME mid TO "Message ID";
INSERT INTO sms VALUES ('c', 'http://x');
SELECT * FROM assay.undecided('sms') ORDER BY key;
CALL assay.backfill('sms', at => NULL, undecided_only => true);
SELECT "Message ID", verdict FROM sms_verdict ORDER BY 1;
-- rows of the table, where the view's are meant; once a query
SELECT (assay.score('sms', s)).verdict FROM sms s;
SELECT (assay.score('sms', s)).verdict FROM sms_signals s;
CREATE OR REPLACE TRIGGER decide AFTER UPDATE ON sms FOR EACH ROW EXECUTE FUNCTION assay.decide('sms');
UPDATE sms SET txt = 'x';
DROP TRIGGER decide ON sms;
SELECT assay.drop_policy('sms', true);
-- a time that ends before it begins; one that is empty is as it is
SELECT count(*) FROM assay.precision_report('inbound', since => '2024-01-02', until => '2024-01-01');
SELECT assay.report_html('inbound', since => '2024-01-02', until => '2024-01-01');
SELECT count(*) FROM assay.signal_skew('inbound', since => '2024-01-02', until => '2024-01-01');
CREATE VIEW timed AS SELECT m.*, timestamptz '2024-01-01' AS received_at FROM message m;
SELECT assay.create_policy('timed', 'timed', '{id}') AS revision \gset
SELECT count(*) FROM assay.replay('timed', since => '2024-01-02', until => '2024-01-01');
SELECT count(*) FROM assay.backtest('timed', 'urls > 1', since => '2024-01-02', until => '2024-01-01');
CALL assay.backfill('timed', since => '2024-01-02', until => '2024-01-01');
CALL assay.backfill('timed', since => '2024-01-02', until => '2024-01-02');
SELECT hits FROM assay.precision_report('timed', since => '2024-01-02', until => '2024-01-02') WHERE kind = 'verdict';
SELECT count(*) > 0 AS mature FROM assay.precision_report('timed', since => now() - interval '1 day', mature => '7 days');
SELECT assay.drop_policy('timed', true);
-- times without a zone
CREATE TABLE letter (n bigserial PRIMARY KEY, day date, noon timestamp, size int, sender text);
SELECT assay.create_baseline('b', 'letter', '{sender}', 'day');
SELECT assay.create_baseline('b', 'letter', '{sender}', 'noon');
SELECT assay.create_baseline('b', 'letter', '{sender}', 'size');
SELECT assay.recent_probe('letter', '{sender}', 'day');
CREATE VIEW zoned AS SELECT n, day::timestamp AT TIME ZONE 'UTC' AS day, sender FROM letter;
SELECT assay.create_baseline('b', 'zoned', '{sender}', 'day') IS NOT NULL AS made;
SELECT assay.drop_baseline('b');
SELECT assay.drop_policy('inbound', true);
DROP SCHEMA hints CASCADE;
