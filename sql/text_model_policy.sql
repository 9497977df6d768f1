-- A policy's condition asks a text model: what is learned counts from the next statement on, in a session that has asked before, too.
SET client_min_messages = warning;
CREATE TABLE tmp_message (id int PRIMARY KEY, received_at timestamptz, body text);
CREATE TABLE tmp_truth (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
INSERT INTO tmp_message SELECT i, '2024-01-01', CASE WHEN i % 2 = 0 THEN 'wire money now' ELSE 'lunch at noon' END FROM generate_series(1, 200) i;
INSERT INTO tmp_truth SELECT i, i % 2 = 0, '2024-01-02' FROM generate_series(1, 200) i;
SELECT assay.create_text_model('tmp', source => 'tmp_message', content => 'body', labels => 'tmp_truth', at => 'received_at');
CREATE VIEW tmp_signals AS SELECT id, received_at, body FROM tmp_message;
SELECT assay.create_policy('tmp', 'tmp_signals', '{id}');
SELECT assay.create_detector('tmp', 'model', 'coalesce(assay.text_score(assay.text_model_at(''tmp''), body) > 0, false)', weight => 9, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON tmp_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('tmp');

INSERT INTO tmp_message VALUES (1001, '2024-02-01', 'wire money now');
SELECT assay.learn('tmp');
INSERT INTO tmp_message VALUES (1002, '2024-02-01', 'wire money now');
DELETE FROM tmp_version;
INSERT INTO tmp_message VALUES (1003, '2024-02-01', 'wire money now');
SELECT id, verdict, degraded FROM tmp_decision ORDER BY id;

-- and in one transaction
SELECT assay.create_text_model('tmq', source => 'tmp_message', content => 'body', labels => 'tmp_truth', at => 'received_at');
DO $$ BEGIN
	FOR i IN 1..2 LOOP
		RAISE WARNING 'learned: %', assay.text_model_at('tmq') IS NOT NULL;
		PERFORM assay.learn('tmq');
	END LOOP;
END $$;

-- A model that is gone is a fault.
SELECT assay.drop_text_model('tmp');
SELECT assay.drop_text_model('tmq');
INSERT INTO tmp_message VALUES (1004, '2024-02-01', 'wire money now');
SELECT id, verdict, degraded FROM tmp_decision WHERE id = 1004;

DROP TRIGGER decide ON tmp_message;
SELECT assay.drop_policy('tmp', true);
DROP VIEW tmp_signals;
DROP TABLE tmp_message, tmp_truth;

-- Learned in steps, one version is that of many days: each message is judged by the last of an earlier day, which has not seen its label.
CREATE TABLE tmp_message (id int PRIMARY KEY, received_at timestamptz, body text);
CREATE TABLE tmp_truth (id int PRIMARY KEY, malicious boolean, labelled_at timestamptz);
INSERT INTO tmp_message SELECT i, timestamptz '2023-01-01 00:30+00' + i * interval '11 hours', CASE WHEN i % 4 = 0 THEN 'wire money ' ELSE 'lunch at ' END || 'w' || i % 7 FROM generate_series(1, 600) i;
INSERT INTO tmp_truth SELECT id, id % 4 = 0, received_at + interval '3 days' FROM tmp_message WHERE id % 2 = 0;
SELECT assay.create_text_model('tmp', source => 'tmp_message', content => 'body', labels => 'tmp_truth');
SELECT assay.learn('tmp', steps => 9) AS learned, (SELECT count(DISTINCT (labelled_at AT TIME ZONE 'UTC')::date) FROM tmp_truth) AS days;
SELECT count(*) AS versions FROM tmp_version;
CREATE VIEW tmp_signals AS SELECT id, received_at, body FROM tmp_message;
SELECT assay.create_policy('tmp', 'tmp_signals', '{id}');
SELECT assay.create_detector('tmp', 'words', text_model => 'tmp', text => 'body', weight => 1, mode => 'live');
CALL assay.backfill('tmp', batch => 250, own_time => true);
SELECT count(*) AS decided, count(DISTINCT state) AS versions, count(*) FILTER (WHERE state IS DISTINCT FROM expected) AS other_versions,
	count(*) FILTER (WHERE state >= labelled) AS seen_their_label, count(*) FILTER (WHERE abs(margin - contribution) > 1e-6) AS other_margins
FROM (SELECT assay.state(d.attribution, 'text_model', 'tmp') / 100000000 AS state, l.contribution,
		coalesce((SELECT to_char(max(v.day), 'YYYYMMDD')::bigint FROM tmp_version v WHERE v.day < (m.received_at AT TIME ZONE 'UTC')::date), 0) AS expected,
		to_char(t.labelled_at AT TIME ZONE 'UTC', 'YYYYMMDD')::bigint AS labelled, coalesce(assay.text_margin(assay.text_model_at('tmp', m.received_at), m.body), 0) AS margin
	FROM tmp_decision d JOIN tmp_message m USING (id) LEFT JOIN tmp_truth t USING (id) CROSS JOIN LATERAL assay.ledger(d.attribution) l WHERE l.detector = 'words') x;
SELECT assay.drop_policy('tmp', true);
SELECT assay.drop_text_model('tmp');
DROP VIEW tmp_signals;
DROP TABLE tmp_message, tmp_truth;
