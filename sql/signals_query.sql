-- The query behind a decision, and a message that can't have one
\set VERBOSITY terse
CREATE TABLE sqy_message ("the id" int, tenant text, n int);
CREATE INDEX sqy_message_key ON sqy_message ("the id", tenant);
INSERT INTO sqy_message SELECT i, 'a', i FROM generate_series(1, 1000) i;
ANALYZE sqy_message;
CREATE VIEW sqy_signals AS SELECT "the id", tenant, n FROM sqy_message;
SELECT assay.create_policy('sqy', 'sqy_signals', '{the id,tenant}', prior => 0, log_signals => true);
SELECT assay.create_detector('sqy', 'n', 'n > 5', weight => 1, mode => 'live');
SELECT assay.signals_query('sqy');
SELECT assay.signals_query('sqy', '{1,a}');
SELECT assay.signals_query('sqy', '{{1,a},{2,"it''s"}}');
-- it runs, is planned by the key, and finds what there is
SELECT assay.signals_query('sqy', '{{1,a},{2,"it''s"}}') AS q \gset
:q;
EXPLAIN (COSTS OFF) :q;
SELECT assay.signals_query('sqy') AS q \gset
PREPARE sqy AS :q;
EXECUTE sqy(7, 'a');
DEALLOCATE sqy;
-- not for everybody
SELECT assay.signals_query('sqy', '{1}');
SELECT assay.signals_query('sqy', '{}');
SELECT assay.signals_query('none');
SELECT assay.signals_query(NULL) IS NULL AS is_null;
CREATE ROLE sqy_nobody;
CREATE SCHEMA sqy_hidden;
SELECT assay.create_policy('sqy_hidden', 'sqy_signals', '{the id,tenant}', schema => 'sqy_hidden');
SET ROLE sqy_nobody;
SELECT assay.signals_query('sqy', '{1,a}');
SELECT assay.signals_query('sqy_hidden', '{1,a}');
RESET ROLE;
SELECT assay.drop_policy('sqy_hidden', true);
DROP SCHEMA sqy_hidden;

-- a key that is null costs the decision, never the message
CREATE TRIGGER decide AFTER INSERT ON sqy_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('sqy');
INSERT INTO sqy_message VALUES (2001, 'a', 6), (NULL, 'a', 6), (2002, NULL, 6), (2003, 'b', 1);
-- also where messages are decided one by one
SELECT assay.create_detector('sqy', 'divides', '1 / (n - 7) > 5', weight => 1, mode => 'live');
INSERT INTO sqy_message VALUES (2004, 'a', 7), (NULL, 'b', 7), (2005, NULL, 6);
DROP TRIGGER decide ON sqy_message;
CREATE TRIGGER decide AFTER INSERT ON sqy_message FOR EACH ROW EXECUTE FUNCTION assay.decide('sqy');
INSERT INTO sqy_message VALUES (2006, 'a', 6), (NULL, NULL, 6);
SELECT count(*) FROM sqy_message WHERE "the id" > 2000 OR "the id" IS NULL;
SELECT "the id", tenant, verdict, degraded FROM sqy_decision ORDER BY 1;
SELECT detector, key, sqlstate, message FROM assay.fault WHERE policy = 'sqy' ORDER BY fault;
-- whoever wants errors gets one
SELECT assay.alter_policy('sqy', on_error => 'raise');
INSERT INTO sqy_message VALUES (NULL, 'c', 6);
-- and no notification on the way there
SELECT assay.alter_policy('sqy', notify => '{safe,suspicious,malicious}');
INSERT INTO sqy_message VALUES (3000, NULL, 6);
CREATE OR REPLACE TRIGGER decide AFTER INSERT ON sqy_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('sqy');
INSERT INTO sqy_message VALUES (3000, NULL, 6);
INSERT INTO sqy_message VALUES (3000, 'c', 6), (3001, NULL, 6);
SELECT count(*) FROM sqy_message WHERE tenant = 'c';

DROP TRIGGER decide ON sqy_message;
SELECT assay.drop_policy('sqy', true);
DROP VIEW sqy_signals;
DROP TABLE sqy_message;
DROP ROLE sqy_nobody;
