-- labels: which one counts, what they carry, how long they take, whether they fit
\set SHOW_CONTEXT never
SET timezone = 'UTC';
CREATE SCHEMA labels;
SET search_path = labels, public;
CREATE TABLE message (tenant text, id numeric, n int, PRIMARY KEY (tenant, id));
SELECT assay.create_policy('lab''s', 'message', '{tenant,id}', prior => -1);
SELECT assay.create_detector('lab''s', 'odd', 'n % 2 = 1', weight => 3, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('lab''s');
INSERT INTO message SELECT 't', i, i FROM generate_series(1, 6) i;

-- the table
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull, pg_get_expr(adbin, adrelid) AS "default"
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = '"lab''s_label"'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO "lab's_label" (tenant, id, malicious, source) VALUES ('t', 1, true, 'x') RETURNING author = session_user AS author, confidence, category;
DELETE FROM "lab's_label";
\set VERBOSITY terse
INSERT INTO "lab's_label" (tenant, id, malicious, source, confidence) VALUES ('t', 1, true, 'x', 0);
INSERT INTO "lab's_label" (tenant, id, malicious, source, confidence) VALUES ('t', 1, true, 'x', 1.01);
INSERT INTO "lab's_label" (tenant, id, malicious, source, confidence) VALUES ('t', 1, true, 'x', 'NaN');
\set VERBOSITY default
CREATE VIEW has_category AS SELECT 1 AS category;
SELECT assay.create_policy('p', 'has_category', '{category}');

-- which one counts: without a rule the latest
INSERT INTO "lab's_label" (tenant, id, malicious, source, labelled_at, category) VALUES
	('t', 1.0, true, 'analyst', '2020-01-01', 'phishing'), ('t', 1, false, 'user report', '2020-01-02', NULL),
	('t', 2, true, 'user report', '2020-01-01', 'spam'), ('t', 2, false, 'someone', '2020-01-02', NULL),
	('t', 3, true, 'user report', '2020-01-01', NULL), ('t', 3.00, false, 'user report', '2020-01-03', NULL), ('t', 3, true, 'analyst', '2019-12-31', 'malware'),
	('t', 4, false, 'someone', '2020-01-01', NULL);
CREATE FUNCTION counting() RETURNS TABLE (id numeric, source text, malicious boolean, same boolean) LANGUAGE sql AS $$
	SELECT v.id, v.source, v.malicious, l.malicious = v.malicious
	FROM "lab's_label_latest" v LEFT JOIN assay.latest_labels('lab''s') l ON l.key[2]::numeric = v.id ORDER BY 1 $$;
SELECT * FROM counting();
SELECT name, hits, labelled, tp FROM assay.precision_report('lab''s') WHERE kind = 'rule';
SELECT * FROM assay.label_rules;
-- by a rule: an analyst's beats a user's report, and that anybody's else
SELECT assay.set_labels('lab''s', '{analyst,user report}');
SELECT * FROM counting();
SELECT name, hits, labelled, tp FROM assay.precision_report('lab''s') WHERE kind = 'rule';
-- what is NULL stays
SELECT assay.set_labels('lab''s', label_maturity => '3 days');
SELECT * FROM assay.label_rules;
SELECT assay.set_labels('lab''s', label_maturity => '0');
SELECT assay.set_labels('lab''s', '{}');
SELECT id, malicious FROM counting();
SELECT * FROM assay.label_rules;
SELECT assay.set_labels('lab''s', '{a,a}');
SELECT assay.set_labels('lab''s', '{{a},{b}}');
SELECT assay.set_labels('lab''s', '{a,NULL}');
SELECT assay.set_labels('lab''s', label_maturity => '-1 day');
SELECT assay.set_labels('lab''s', label_maturity => '101 years');
SELECT assay.set_labels('nobody', '{a}');
-- a view of one's own stays
BEGIN;
CREATE OR REPLACE VIEW "lab's_label_latest" AS SELECT * FROM "lab's_label" WHERE malicious;
SELECT assay.set_labels('lab''s', '{analyst}');
SELECT count(*) FROM "lab's_label_latest";
ROLLBACK;

-- labels that may be wrong
INSERT INTO "lab's_label" (tenant, id, malicious, source, labelled_at) VALUES ('t', 99, true, 'analyst', '2020-01-01'), ('T', 1, true, 'analyst', '2020-01-01');
INSERT INTO "lab's_label" (tenant, id, malicious, source, labelled_at) VALUES ('t', 5, true, 'analyst', '2999-01-01');
SELECT * FROM assay.label_check('lab''s');
SELECT * FROM assay.check('lab''s') WHERE "check" = 'labels';
SELECT * FROM assay.label_check('nobody');
DELETE FROM "lab's_label" WHERE id = 99 OR tenant = 'T' OR labelled_at > now();
-- of a key that is called as a column of the statement
BEGIN;
CREATE VIEW has_differ AS SELECT 1 AS differ;
SELECT assay.create_policy('d', 'has_differ', '{differ}');
INSERT INTO d_label (differ, malicious, source) VALUES (1, true, 'x');
SELECT problem, key FROM assay.label_check('d');
ROLLBACK;
-- keys of decisions
SELECT assay.exclude('lab''s', 'x', 'n = 1', verdict => 'safe', reason => 'test', decision_key => '{t,99}');
SELECT assay.exclude('lab''s', 'x', 'n = 1', verdict => 'safe', reason => 'test', decision_key => '{t,nine}');
SELECT assay.exclude('lab''s', 'x', 'n = 1', verdict => 'safe', reason => 'test', decision_key => '{t,1.00}') > 0 AS made;

-- how long they take
UPDATE "lab's_decision" SET decided_at = '2020-01-01';
SELECT * FROM assay.label_delays('lab''s');
SELECT * FROM assay.label_delays('lab''s', '2020-01-02');
SELECT count(*) FROM assay.label_delays('lab''s', '2020-01-01', '2020-01-01 00:00:01');
SELECT count(*) FROM assay.label_delays('lab''s', '2020-01-02', '2020-01-01');
SELECT count(*) FROM assay.latest_decisions('lab''s', '2020-01-02', '2020-01-01');
SELECT * FROM assay.label_delays('nobody');
-- an operator of the owner's that returns another type is an error, and its value never read as the function's
BEGIN;
CREATE FUNCTION minus(timestamptz, timestamptz) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 5';
CREATE OPERATOR - (FUNCTION = minus, LEFTARG = timestamptz, RIGHTARG = timestamptz);
SET LOCAL client_min_messages = error;
SELECT assay.alter_policy('lab''s', search_path => 'labels, pg_catalog, pg_temp') > 0 AS altered;
\set VERBOSITY terse
SELECT count(longest::text) FROM assay.label_delays('lab''s');
\set VERBOSITY default
ROLLBACK;
-- reports leave out what is too young
UPDATE "lab's_decision" SET decided_at = now() - id::float8 * interval '1 day' - interval '1 hour';
SELECT sum(hits) FROM assay.precision_report('lab''s') WHERE kind = 'verdict';
SELECT sum(hits) FROM assay.precision_report('lab''s', mature => '3 days') WHERE kind = 'verdict';
SELECT assay.set_labels('lab''s', label_maturity => '5 days');
SELECT sum(hits) FROM assay.precision_report('lab''s') WHERE kind = 'verdict';
SELECT sum(hits) FROM assay.precision_report('lab''s', mature => '0') WHERE kind = 'verdict';
SELECT sum(hits) FROM assay.precision_report('lab''s', mature => '-1 day') WHERE kind = 'verdict';

-- rights: the owner alone
CREATE ROLE regress_labeller;
GRANT USAGE ON SCHEMA labels TO regress_labeller;
SELECT assay.grant_access('lab''s', 'regress_labeller', 'publisher');
SET ROLE regress_labeller;
SELECT assay.set_labels('lab''s', '{}');
SELECT assay_internal.store_label_rule('lab''s', '{}', NULL);
SELECT count(*) FROM assay.label_rules;
SELECT count(*) > 0 AS may FROM assay.label_check('lab''s');
SELECT count(*) > 0 AS may FROM assay.label_delays('lab''s');
RESET ROLE;
SELECT assay.revoke_access('lab''s', 'regress_labeller');
SET ROLE regress_labeller;
SELECT count(*) FROM assay.label_rules;
SELECT count(*) FROM assay.label_check('lab''s');
SELECT count(*) FROM assay.label_delays('lab''s');
RESET ROLE;

-- a table of 0.1.0
DROP VIEW "lab's_label_latest";
ALTER TABLE "lab's_label" DROP COLUMN author, DROP COLUMN confidence, DROP COLUMN category;
CREATE VIEW "lab's_label_latest" AS SELECT DISTINCT ON (tenant, id) * FROM "lab's_label" ORDER BY tenant, id, labelled_at DESC;
SELECT name, hits, labelled FROM assay.precision_report('lab''s', mature => '0') WHERE kind = 'rule';
SELECT severity, detail FROM assay.check('lab''s') WHERE "check" = 'labels' AND detail LIKE '%older%';
-- one that shows fewer rows stays
BEGIN;
CREATE OR REPLACE VIEW "lab's_label_latest" AS SELECT DISTINCT ON (tenant, id) * FROM "lab's_label" WHERE tenant <> 'u' ORDER BY tenant, id, labelled_at DESC;
SELECT assay.set_labels('lab''s', '{analyst,user report}');
SELECT pg_get_viewdef('"lab''s_label_latest"') ~ 'WHERE' AS stays;
ROLLBACK;
SELECT assay.set_labels('lab''s', '{analyst,user report}');
SELECT assay.upgrade_policy('lab''s');
SELECT assay.upgrade_policy('lab''s');
SELECT reloptions FROM pg_class WHERE relname = 'lab''s_label_latest';
INSERT INTO "lab's_label" (tenant, id, malicious, source) VALUES ('t', 6, false, 'x');
SELECT id, malicious, source, author IS NOT DISTINCT FROM session_user AS author, confidence, category FROM "lab's_label_latest" ORDER BY id;

-- an export tells of the index of what hit
SELECT assay.policy_export('lab''s')->'index_hits';
CREATE INDEX CONCURRENTLY ON "lab's_decision" USING gin (assay.hits(attribution));
SELECT assay.policy_export('lab''s')->'index_hits';
SELECT count(*) > 0 AS made FROM assay.policy_import(assay.policy_export('lab''s') #- '{exclusions}', 'copy', dry_run => false);
SELECT assay.policy_export('copy')->'index_hits', count(*) FROM pg_indexes WHERE tablename = 'copy_decision' AND indexdef LIKE '%gin%';

-- a policy that is dropped takes its rule along
SELECT assay.drop_policy('copy', drop_tables => true);
DROP TRIGGER decide ON message;
SELECT assay.drop_policy('lab''s', drop_tables => true);
SELECT count(*) FROM assay_internal.label_rule;
DROP SCHEMA labels CASCADE;
DROP ROLE regress_labeller;
