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
