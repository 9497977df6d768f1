-- messages drawn for review, the queue, and rates of all messages from what was reviewed
CREATE SCHEMA review;
SET search_path = review, assay;
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE ROLE assay_review_owner;
CREATE ROLE assay_reviewer;
GRANT ALL ON SCHEMA review TO assay_review_owner;
GRANT USAGE ON SCHEMA review TO assay_reviewer;
SET ROLE assay_review_owner;
CREATE TABLE message (id numeric PRIMARY KEY, spam boolean, s real, received_at timestamptz DEFAULT now());
CREATE VIEW signals AS SELECT id, s, received_at FROM message;
SELECT create_policy('inbound', 'signals', '{id}', prior => -3);
SELECT create_detector('inbound', 'high', 's > 0.5', weight => 8, mode => 'live');
SELECT create_detector('inbound', 'middle', 's > 0.3', weight => 4, mode => 'live');
SELECT create_detector('inbound', 'watch', 's > 0.4', weight => 1, mode => 'shadow');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION decide('inbound');
INSERT INTO message SELECT i, i % 20 = 0, CASE WHEN i % 20 = 0 THEN (i / 20 % 10) / 10.0 ELSE i % 400 / 1000.0 END FROM generate_series(1, 2000) i;

-- nothing yet
SELECT * FROM online_report('inbound');
SELECT * FROM take_review('inbound');
-- draws: from each verdict by its size, one at least
SELECT * FROM review_sample('inbound', 200);
SELECT verdict, count(*), min(drawn::float8 / population), bool_and(level = CASE verdict WHEN 'safe' THEN 0 WHEN 'suspicious' THEN 1 ELSE 2 END) AS level
FROM inbound_review GROUP BY verdict ORDER BY verdict;
SELECT count(DISTINCT id) AS different FROM inbound_review;
SELECT review_sample('inbound', 2);
SELECT review_sample('inbound', 0);
SELECT review_sample('inbound', 10, since => '2020-01-02', until => '2020-01-01');
SELECT review_sample('inbound', 10, 'best');
SELECT review_sample('inbound', 10, 'detector');
SELECT review_sample('inbound', 10, detector => 'high');
SELECT review_sample('inbound', 10, 'detector', detector => 'none');
SELECT review_sample('inbound', 10, until => NULL);
SELECT review_sample('nowhere', 10);
SET client_min_messages = notice;
SELECT review_sample('inbound', 10, until => '2020-01-01');
SET client_min_messages = warning;
SELECT round, strategy, population, drawn, labelled, skipped, taken FROM review_rounds('inbound');
-- all of a stratum, where more is asked for than there is
BEGIN;
SELECT sum(drawn), bool_and(drawn = population) AS whole FROM review_sample('inbound', 100000, 'score');
ROLLBACK;

-- the queue: two reviewers never get the same
RESET ROLE;
SET ROLE assay_reviewer;
SELECT * FROM take_review('inbound');
RESET ROLE;
SELECT grant_access('inbound', 'assay_reviewer', 'reader');
SET ROLE assay_reviewer;
SELECT * FROM take_review('inbound');
RESET ROLE;
GRANT UPDATE ON inbound_review TO assay_reviewer;
SET ROLE assay_reviewer;
SELECT count(*), bool_and(cardinality(key) = 1 AND taken_at <= clock_timestamp()) AS key FROM take_review('inbound', 3);
SELECT label_review('inbound', review, true) FROM inbound_review WHERE taken_by = current_user LIMIT 1;
RESET ROLE;
GRANT INSERT ON inbound_label TO assay_reviewer;
SET ROLE assay_reviewer;
SELECT label_review('inbound', review, true, 'phishing', 0.9) FROM (SELECT review FROM inbound_review WHERE taken_by = current_user ORDER BY review LIMIT 1) r;
SELECT skip_review('inbound', review) FROM (SELECT review FROM inbound_review WHERE taken_by = current_user AND outcome IS NULL ORDER BY review LIMIT 1) r;
SELECT r.taken_by, r.outcome, l.malicious, l.source, l.author, l.category, l.confidence, r.reviewed_at IS NOT NULL AS reviewed
FROM inbound_review r LEFT JOIN inbound_label l USING (id) WHERE taken_by IS NOT NULL ORDER BY review;
-- once only, and only what one took
SELECT label_review('inbound', min(review), true) FROM inbound_review WHERE outcome = 'labelled';
SELECT skip_review('inbound', min(review)) FROM inbound_review WHERE outcome = 'skipped';
SELECT label_review('inbound', min(review), true) FROM inbound_review WHERE taken_by IS NULL;
SELECT label_review('inbound', 1, NULL);
SELECT take_review('inbound', 0);
-- what was taken long ago is given again
SELECT count(*) AS nothing_new FROM inbound_review a JOIN take_review('inbound', 5) b USING (review) WHERE a.taken_by IS NOT NULL;
SELECT count(*) FROM take_review('inbound', 1000, '0');
RESET ROLE;
-- a column that the table's owner has made another: the server ended
BEGIN;
ALTER TABLE inbound_review ALTER taken_at TYPE date;
SELECT taken_at <= clock_timestamp() AS at FROM take_review('inbound', 1, '0');
ALTER TABLE inbound_review DROP COLUMN review CASCADE, ADD review text DEFAULT 'none';
SELECT * FROM take_review('inbound', 1, '0');
ROLLBACK;
SELECT labelled, skipped, taken FROM review_rounds('inbound');

-- reports before all is reviewed: what is not known is not made up
UPDATE inbound_review SET outcome = NULL;
SELECT metric, name, estimate, lower, upper, reviewed, note FROM online_report('inbound');
UPDATE inbound_review SET outcome = 'labelled' WHERE verdict = 'safe';
INSERT INTO inbound_label (id, malicious, source) SELECT id, false, 'review' FROM inbound_review WHERE verdict = 'safe';
SELECT metric, name, estimate IS NULL AS unknown, note FROM online_report('inbound');
UPDATE inbound_review SET outcome = NULL;
-- all reviewed: the superuser may act as the owner
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT t.review, m.spam FROM take_review('inbound', 1000, '0') t JOIN review.message m ON m.id = t.key[1]::numeric LOOP
		PERFORM label_review('inbound', r.review, r.spam);
	END LOOP;
END $$;
-- right, and the interval holds the truth
CREATE TABLE truth AS
SELECT 'prevalence' AS metric, NULL AS name, avg(spam::int) AS value FROM message
UNION ALL SELECT 'precision', verdict, avg((spam = (verdict <> 'safe'))::int) FROM message JOIN inbound_verdict USING (id) GROUP BY verdict
UNION ALL SELECT 'recall', 'malicious', avg((verdict = 'malicious')::int) FROM message JOIN inbound_verdict USING (id) WHERE spam
UNION ALL SELECT 'recall', 'suspicious', avg((verdict <> 'safe')::int) FROM message JOIN inbound_verdict USING (id) WHERE spam
UNION ALL SELECT 'fnr', 'malicious', avg((verdict <> 'malicious')::int) FROM message JOIN inbound_verdict USING (id) WHERE spam
UNION ALL SELECT 'fnr', 'suspicious', avg((verdict = 'safe')::int) FROM message JOIN inbound_verdict USING (id) WHERE spam;
SELECT r.metric, r.name, lower <= value AND value <= upper AS holds, lower <= estimate AND estimate <= upper AS within, population
FROM online_report('inbound', confidence => 0.99999) r JOIN truth t ON t.metric = r.metric AND t.name IS NOT DISTINCT FROM r.name
ORDER BY r.metric, r.name;
-- a label that counts more changes it
SELECT set_labels('inbound', '{analyst}');
INSERT INTO inbound_label (id, malicious, source) SELECT id, true, 'analyst' FROM inbound_review r WHERE verdict = 'safe';
SELECT metric, name, estimate FROM online_report('inbound') WHERE name = 'safe';
DELETE FROM inbound_label WHERE source = 'analyst';

-- every strategy, reviewed whole: the truth itself
SELECT count(*) > 3 AS strata, sum(drawn) FROM review_sample('inbound', 2000, 'score');
SELECT count(*) > 3 AS strata, sum(drawn) FROM review_sample('inbound', 2000, 'optimal');
SELECT count(*) AS strata, sum(drawn), bool_and(stratum ~ '^(not )?hit: ') AS hit FROM review_sample('inbound', 2000, 'detector', detector => 'watch');
UPDATE inbound_review SET outcome = 'labelled' WHERE round > 1;
INSERT INTO inbound_label (id, malicious, source) SELECT id, spam, 'review' FROM message WHERE id NOT IN (SELECT id FROM inbound_label);
UPDATE inbound_label l SET malicious = m.spam FROM message m WHERE m.id = l.id;
SELECT o.round, count(*) FILTER (WHERE abs(r.estimate - t.value) < 1e-12 AND abs(r.lower - t.value) < 1e-12 AND abs(r.upper - t.value) < 1e-12) AS exact, count(*)
FROM review_rounds('inbound') o, online_report('inbound', o.round) r JOIN truth t ON t.metric = r.metric AND t.name IS NOT DISTINCT FROM r.name
WHERE o.round > 1 GROUP BY o.round ORDER BY o.round;
SELECT r.metric, r.name, abs(r.estimate - CASE r.metric WHEN 'precision' THEN h.precision WHEN 'recall' THEN h.recall ELSE h.fnr END) < 1e-12 AS as_precision_report
FROM online_report('inbound', 4) r, precision_report('inbound') h WHERE r.name = 'detector watch' AND h.name = 'watch' ORDER BY 1;
SELECT * FROM online_report('inbound');
SELECT * FROM online_report('inbound', 9);
-- rounds of times that follow each other are counted together
UPDATE inbound_review SET since = now() - interval '1 day' * round, until = now() - interval '1 day' * (round - 1) WHERE round > 1;
DELETE FROM inbound_review WHERE round = 1;
SELECT metric, name, round(estimate::numeric, 4) AS estimate, population FROM online_report('inbound') WHERE metric = 'prevalence';
SELECT metric, name, round(estimate::numeric, 4) AS estimate, population FROM online_report('inbound', since => now() - interval '3 days') WHERE metric = 'prevalence';

-- rates from numbers
SELECT metric, name, round(estimate::numeric, 6) AS estimate, round(lower::numeric, 6) AS lower, round(upper::numeric, 6) AS upper, note
FROM review_rates(ARRAY[('s', 'safe', 0, NULL, 999000, 1000, 1000, 1), ('u', 'suspicious', 1, NULL, 700, 100, 100, 60), ('m', 'malicious', 2, NULL, 300, 100, 100, 95)]::review_stratum[]);
SELECT metric, name, estimate, note FROM review_rates(ARRAY[('s', 'safe', 0, NULL, 10, 5, 5, 0), ('m', 'malicious', 1, NULL, 10, 5, 5, 0)]::review_stratum[]);
SELECT * FROM review_rates('{}');
SELECT * FROM review_rates(NULL);
SELECT review_rates(ARRAY[('s', 'safe', 0, NULL, 10, 5, 6, 0)]::review_stratum[]);
SELECT review_rates(ARRAY[('s', 'safe', NULL, NULL, 10, 5, 5, 0)]::review_stratum[]);
SELECT review_rates(ARRAY[NULL]::review_stratum[]);
SELECT review_rates('{}', 1);
-- how many to draw
SELECT s, n, assay_internal.review_allocation(s, n, '{999000, 700, 3}', '{0.001, 0.6, 0.95}')
FROM (VALUES ('uniform'), ('score'), ('optimal')) s(s), (VALUES (3), (4), (100), (10000), (2000000)) n(n);
SELECT assay_internal.review_allocation('uniform', 2, '{999000, 700, 3}', '{0.001, 0.6, 0.95}');
SELECT assay_internal.review_allocation('postgres', 100, '{1000,NULL,1000}', NULL);
SELECT assay_internal.review_allocation('score', 3, '{100,100}', '{0.1,0.1,0.2,0.3}');
SELECT s, n, (SELECT sum(d) FROM unnest(assay_internal.review_allocation(s, n, '{5,17,100,100000}', '{0,0.5,1,0.001}')) d) = n AS all
FROM (VALUES ('uniform'), ('score'), ('optimal')) s(s), generate_series(4, 100122, 9973) n WHERE n < 100122;

-- the table is the policy's: it goes to a new owner, and with the policy; another's by that name is not
SELECT alter_policy('inbound', owner => 'assay_reviewer');
SELECT tableowner FROM pg_tables WHERE tablename = 'inbound_review';
DROP TRIGGER decide ON message;
ALTER TABLE inbound_review OWNER TO assay_review_owner;
SELECT * FROM review_rounds('inbound');
ALTER TABLE inbound_review OWNER TO assay_reviewer;
SELECT drop_policy('inbound', drop_tables => true);
SELECT to_regclass('inbound_review');
DROP SCHEMA review CASCADE;
DROP ROLE assay_review_owner, assay_reviewer;
