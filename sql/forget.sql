-- forget(): erasure with a receipt
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE ROLE assay_forget_owner;
CREATE ROLE assay_forget_reader;
CREATE SCHEMA forget;
GRANT ALL ON SCHEMA forget TO assay_forget_owner;
GRANT USAGE ON SCHEMA forget TO assay_forget_reader;
SET search_path = forget;
SET ROLE assay_forget_owner;
CREATE TABLE message (tenant int, id bigint GENERATED ALWAYS AS IDENTITY, sender text, rcpt text, x int, at timestamptz NOT NULL DEFAULT '2026-01-01', PRIMARY KEY (tenant, id));
CREATE VIEW signals AS SELECT m.*, 10 / m.x AS quotient FROM message m;
SELECT assay.create_policy('f', 'signals', '{tenant,id}', prior => -3, log_signals => true);
SELECT assay.create_detector('f', 'spam', 'x > 3', weight => 8, mode => 'live');
SELECT assay.create_detector('f', 'fails', '1 / (x - 2) > 5', weight => 1, mode => 'live');
SELECT assay.create_outbox('f');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('f');
INSERT INTO message (tenant, sender, rcpt, x) SELECT i % 3, 's' || i % 4, CASE WHEN i % 5 = 0 THEN 'it''s me' ELSE 'r' || i % 7 END, 1 + i % 6 FROM generate_series(1, 60) i;
INSERT INTO f_label (tenant, id, malicious, source) SELECT tenant, id, x > 3, 'test' FROM message WHERE id % 2 = 0;
SELECT count(*) > 0 AS drawn FROM assay.review_sample('f', 30);
SELECT assay.create_baseline('by_tenant', 'message', '{tenant}', 'at', incremental => true, arrival => 'id') IS NOT NULL AS made;
SELECT assay.create_baseline('by_rcpt', 'message', '{tenant,rcpt}', 'at', incremental => false) IS NOT NULL AS made;
CREATE VIEW left_over AS
	SELECT (SELECT count(*) FROM f_decision WHERE tenant = 1) AS decisions, (SELECT count(*) FROM f_label WHERE tenant = 1) AS labels,
		(SELECT count(*) FROM f_change WHERE tenant = 1) AS changes, (SELECT count(*) FROM f_review WHERE tenant = 1) AS reviews,
		(SELECT count(*) FROM assay.fault WHERE policy = 'f' AND key[1] = '1') AS faults, (SELECT count(*) FROM by_tenant WHERE tenant = 1) AS baseline,
		(SELECT count(*) FROM f_decision) AS all_decisions;
-- what there is of a tenant: counted, and nothing gone
SELECT relation, what, rows, done FROM assay.forget('f', '{"tenant": 1}') WHERE what <> 'messages drawn for review';
SELECT (SELECT rows FROM assay.forget('f', '{"tenant": "1"}') WHERE what = 'messages drawn for review') = reviews AS reviews, decisions, labels, changes, faults > 0 AS faults, baseline, all_decisions FROM left_over;
-- a person, of whom one message is gone and one is known by the log only
DELETE FROM message WHERE id = 5;
UPDATE message SET rcpt = 'another' WHERE id = 10;
SELECT relation, rows, done FROM assay.forget('f', '{"rcpt": "it''s me"}', dry_run => false) WHERE relation ~ '(messages|decision)$';
SELECT count(*) AS left_over FROM f_decision WHERE assay.signal(signals, 'rcpt') = 'it''s me';
-- two columns: both must hold
SELECT relation, rows FROM assay.forget('f', '{"rcpt": "r1", "tenant": 1}') WHERE relation ~ '(messages|decision|by_.*)$';
SELECT count(*) FROM message WHERE rcpt = 'r1' AND tenant = 1;
-- by keys
SELECT relation, rows FROM assay.forget('f', keys => '{{1,1},{1,4},{1,4},{2,1}}', dry_run => false) WHERE relation ~ '(messages|decision)$';
-- the tenant, whose messages are gone already
DELETE FROM message WHERE tenant = 1;
SELECT bool_and(done) FILTER (WHERE relation !~ 'by_rcpt') AS done, min(rows) FILTER (WHERE relation ~ 'decision$') AS decisions FROM assay.forget('f', '{"tenant": 1}', dry_run => false);
SELECT * FROM left_over;
SELECT sum(rows) AS rows FROM assay.forget('f', '{"tenant": 1}', dry_run => false);
-- values are the same as their types have it, in the log too, and are not cut
CREATE DOMAIN short AS varchar(5) CHECK (VALUE <> 'none');
CREATE DOMAIN shorter AS short;
CREATE TABLE typed (id int PRIMARY KEY, c char(5), n numeric, f boolean, v varchar(5), d shorter, i interval, at timestamptz NOT NULL DEFAULT '2026-01-01');
CREATE VIEW typed_signals AS SELECT * FROM typed;
SELECT assay.create_policy('typed', 'typed_signals', '{id}', prior => -3, log_signals => true) IS NOT NULL AS made;
CREATE TRIGGER decide AFTER INSERT ON typed REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('typed');
INSERT INTO typed VALUES (1, 'abc', 7.0, true, 'abcde', 'abcde', '1 mon'), (2, 'abd', 8, false, 'fghij', 'fghij', '2 mon'), (3, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT assay.create_baseline('by_' || k, 'typed', ARRAY[k], 'at', incremental => true, arrival => 'id') IS NOT NULL AS made FROM unnest('{c,n,v,d,i}'::text[]) k;
CREATE VIEW would_go AS SELECT c.columns, string_agg(f.relation || ' ' || f.rows, ', ' ORDER BY f.relation COLLATE "C") AS rows
	FROM unnest('{"{\"c\": \"abc\"}","{\"n\": 7}","{\"f\": true}","{\"v\": \"abcde\"}","{\"v\": \"abcdef\"}","{\"d\": \"abcde\"}","{\"d\": \"abcdef\"}","{\"d\": \"none\"}","{\"i\": \"30 days\"}"}'::jsonb[]) c(columns), assay.forget('typed', c.columns) f
	WHERE f.relation = 'messages' OR f.relation ~ 'by_' GROUP BY 1;
SELECT * FROM would_go ORDER BY columns::text COLLATE "C";
DELETE FROM typed;
SELECT * FROM would_go ORDER BY columns::text COLLATE "C";
-- nor does a signal fail it that was logged with another type
DROP VIEW would_go, typed_signals;
CREATE VIEW typed_signals AS SELECT id, c, n, f, 7 AS v, i, at FROM typed;
SELECT relation, rows FROM assay.forget('typed', '{"v": 7}') WHERE relation = 'messages';
SELECT assay.drop_baseline(b::regclass) FROM unnest('{by_c,by_n,by_v,by_d,by_i}'::text[]) b;
DROP TRIGGER decide ON typed;
SELECT assay.drop_policy('typed', true);
-- so are keys of faults, which are kept as texts
CREATE TABLE keyed (n numeric, c char(5), x int, PRIMARY KEY (n, c));
CREATE VIEW keyed_signals AS SELECT * FROM keyed;
SELECT assay.create_policy('keyed', 'keyed_signals', '{n,c}', prior => -3) IS NOT NULL AS made;
SELECT assay.create_detector('keyed', 'fails', '1 / x > 5', weight => 1, mode => 'live') IS NOT NULL AS made;
CREATE TRIGGER decide AFTER INSERT ON keyed REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('keyed');
INSERT INTO keyed VALUES (7.0, 'abc', 0), (8, 'abc', 0);
SELECT key FROM assay.fault WHERE policy = 'keyed' ORDER BY key;
SELECT relation, rows FROM assay.forget('keyed', keys => '{{7,abc}}') WHERE relation = 'assay.fault';
SELECT relation, rows FROM assay.forget('keyed', '{"n": 7}', dry_run => false) WHERE relation = 'assay.fault';
SELECT key FROM assay.fault WHERE policy = 'keyed';
DROP TRIGGER decide ON keyed;
SELECT assay.drop_policy('keyed', true);
-- errors
SELECT assay.forget('f');
SELECT assay.forget('f', '{}');
SELECT assay.forget('f', '[1]');
SELECT assay.forget('f', '"x"');
SELECT assay.forget('f', '{"tenant": null}');
SELECT assay.forget('f', '{"tenant": [1]}');
SELECT assay.forget('f', '{"tenant": "x"}');
SELECT assay.forget('f', '{"nothing": 1}');
SELECT assay.forget('f', keys => '{1}');
SELECT assay.forget('f', keys => '{{1,x}}');
SELECT count(*) > 0 AS at_the_limit FROM assay.forget('f', keys => array_fill('1'::text, ARRAY[1000000, 2]));
SELECT assay.forget('f', keys => array_fill('1'::text, ARRAY[1000001, 2]));
SELECT assay.forget('f', '{"tenant": 1}', dry_run => NULL);
SELECT assay.forget('nowhere', '{"tenant": 1}');
SELECT * FROM assay_internal.forget_messages(NULL, NULL, '{}', '{}', false);
SELECT * FROM assay_internal.forget_messages('f', '{tenant,NULL}', '{1,2}', NULL, false);
SELECT * FROM assay_internal.forget_messages('f', '{tenant,rcpt}', '{1,NULL}', NULL, false);
SELECT * FROM assay_internal.forget_messages('f', '{tenant}', '{1,2}', NULL, false);
SELECT * FROM assay_internal.forget_messages('f', '{nothing}', '{1}', NULL, false);
SELECT * FROM assay_internal.forget_messages('f', NULL, NULL, NULL, false);
SELECT assay_internal.baseline_forget_as_owner('by_tenant', '{}');
SELECT assay_internal.baseline_forget_as_owner('by_tenant', '{"tenant": 2, "nothing": 1}');
SELECT assay.grant_access('f', 'assay_forget_reader', 'publisher');
GRANT DELETE ON f_decision, f_label TO assay_forget_reader;
SET ROLE assay_forget_reader;
SELECT assay.forget('f', '{"tenant": 2}');
SELECT * FROM assay_internal.forget_messages('f', '{tenant}', '{2}', NULL, false);
SELECT assay_internal.baseline_forget_as_owner('by_tenant', '{"tenant": 2}');
RESET ROLE;
SELECT assay_internal.baseline_forget_as_owner('message', '{"tenant": 2}');
-- whoever calls what does it, without assay.forget()
SELECT assay_internal.forget_messages(NULL, '{tenant}', '{2}', NULL, true);
SELECT assay_internal.forget_messages('f', '{tenant}', '{2,3}', NULL, true);
SELECT assay_internal.forget_messages('f', '{NULL}', '{2}', NULL, true);
SELECT assay_internal.forget_messages('f', '{nothing}', '{2}', NULL, true);
SELECT assay_internal.forget_messages('f', '{ctid}', '{2}', NULL, true);
SELECT assay_internal.forget_messages('f', '{}', '{}', NULL, true);
SELECT assay_internal.forget_messages('f', NULL, NULL, NULL, true);
DROP VIEW left_over;
DROP TRIGGER decide ON message;
SELECT assay.drop_baseline('by_tenant'), assay.drop_baseline('by_rcpt');
SELECT assay.drop_policy('f', true);
DROP SCHEMA forget CASCADE;
DROP ROLE assay_forget_owner, assay_forget_reader;
