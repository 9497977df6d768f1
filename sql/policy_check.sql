-- assay.check() and assay.undecided(): what is wrong with a policy is told
SET client_min_messages = warning;
CREATE SCHEMA chk;
CREATE TABLE chk.message (id int, txt text);
CREATE VIEW chk.signals AS SELECT id, txt, length(txt) AS len FROM chk.message;
SELECT assay.create_policy('chk', 'chk.signals', '{id}', prior => -1);
CREATE FUNCTION told(policy text) RETURNS TABLE (severity text, "check" text, detail text) LANGUAGE sql AS
	$$ SELECT c.severity, c."check", c.detail FROM assay.check(policy) c WHERE c."check" <> 'statistics' ORDER BY c.severity, c."check", c.detail COLLATE "C" $$;
-- no trigger, nothing live
SELECT * FROM told('chk');
CREATE TRIGGER decide AFTER INSERT ON chk.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('chk');
SELECT assay.create_detector('chk', 'long', 'len > 3', weight => 3, mode => 'live');
-- the key is not unique
SELECT * FROM told('chk');
SELECT c.hint FROM assay.check('chk') c WHERE c."check" = 'key';
-- nor is it before the transaction ends
ALTER TABLE chk.message ADD CONSTRAINT late UNIQUE (id) DEFERRABLE;
SELECT * FROM told('chk');
ALTER TABLE chk.message DROP CONSTRAINT late;
ALTER TABLE chk.message ADD UNIQUE (id);
-- nor where keys are equal by a collation that the index does not have
BEGIN;
CREATE COLLATION chk.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE chk.cased (id text COLLATE chk.any_case, txt text);
CREATE UNIQUE INDEX cased_id ON chk.cased (id COLLATE "C");
CREATE VIEW chk.cased_signals AS SELECT id, txt FROM chk.cased;
SELECT assay.create_policy('cased', 'chk.cased_signals', '{id}');
CREATE TRIGGER decide AFTER INSERT ON chk.cased REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('cased');
SELECT severity, detail FROM told('cased') WHERE "check" = 'key';
DROP INDEX chk.cased_id;
CREATE UNIQUE INDEX ON chk.cased (id);
SELECT severity, detail FROM told('cased') WHERE "check" = 'key';
ROLLBACK;
-- two triggers decide each message, unless one of them is disabled
CREATE TRIGGER decide_too AFTER INSERT ON chk.message FOR EACH ROW EXECUTE FUNCTION assay.decide('chk');
SELECT * FROM told('chk');
SELECT c.hint FROM assay.check('chk') c WHERE c."check" = 'trigger';
ALTER TABLE chk.message DISABLE TRIGGER decide_too;
SELECT severity, detail FROM told('chk');
DROP TRIGGER decide_too ON chk.message;
-- a table that has not the key's columns
CREATE TABLE chk.other (number int PRIMARY KEY, txt text);
CREATE TRIGGER decide AFTER INSERT ON chk.other REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('chk');
SELECT * FROM told('chk') WHERE "check" <> 'undecided';
DROP TABLE chk.other;
-- a message that can have no decision, beside one that can
BEGIN;
ALTER TABLE chk.message DISABLE TRIGGER decide;
INSERT INTO chk.message VALUES (NULL, 'no key'), (1, 'late');
ALTER TABLE chk.message ENABLE TRIGGER decide;
SELECT c.severity, c.detail, c.hint FROM assay.check('chk') c WHERE c."check" = 'undecided';
DELETE FROM chk.message WHERE id = 1;
SELECT c.severity, c.detail, c.hint FROM assay.check('chk') c WHERE c."check" = 'undecided';
ROLLBACK;
-- nothing is wrong
SELECT * FROM told('chk');
-- what is published refuses that a decision is replaced
SET client_min_messages = error;	-- wal_level
CREATE PUBLICATION chk_part FOR TABLE chk.chk_decision;
SET client_min_messages = warning;
SELECT * FROM told('chk');
ALTER TABLE chk.chk_decision REPLICA IDENTITY NOTHING;
SELECT c.severity, c."check", c.detail, c.hint FROM assay.check('chk') c WHERE c."check" = 'publication';
ALTER PUBLICATION chk_part SET (publish = 'insert');
SELECT * FROM told('chk');
ALTER PUBLICATION chk_part SET (publish = 'insert, update');
ALTER TABLE chk.chk_decision REPLICA IDENTITY FULL;
SELECT * FROM told('chk');
ALTER TABLE chk.chk_decision REPLICA IDENTITY DEFAULT;
ALTER PUBLICATION chk_part SET TABLE chk.chk_decision WHERE (verdict = 'malicious');
SELECT * FROM told('chk');
ALTER PUBLICATION chk_part SET TABLE chk.chk_decision (id);
SELECT * FROM told('chk');
-- as it comes to be
BEGIN;
INSERT INTO chk.message VALUES (1, 'long enough');
DELETE FROM chk.message;
INSERT INTO chk.message VALUES (1, 'again');
SELECT count(*) AS undecided, (SELECT count(*) FROM chk.chk_decision) AS decisions FROM assay.undecided('chk');
SELECT severity, "check" FROM told('chk') ORDER BY 1, 2;
ROLLBACK;
DROP PUBLICATION chk_part;
SELECT relkind, assay_internal.may_be_replaced(oid) FROM pg_class WHERE oid = ANY ('{chk.chk_decision,chk.signals,chk.chk_decision_pkey}'::regclass[]) ORDER BY 1;
SELECT assay_internal.may_be_replaced(0) IS NULL AS none;
-- nor does a reader hear of more than that conditions are not checked for it
CREATE ROLE chk_reader;
GRANT USAGE ON SCHEMA chk TO chk_reader;
SELECT assay.grant_access('chk', 'chk_reader', 'reader');
GRANT SELECT ON chk.message TO chk_reader;
SET ROLE chk_reader;
SELECT * FROM told('chk');
RESET ROLE;
SELECT assay.revoke_access('chk', 'chk_reader');
DROP OWNED BY chk_reader;
DROP ROLE chk_reader;
-- triggers that cannot decide, and one that leaves messages out
ALTER TABLE chk.message ENABLE REPLICA TRIGGER decide;
SELECT * FROM told('chk');
ALTER TABLE chk.message ENABLE TRIGGER decide;
CREATE TRIGGER changed AFTER UPDATE ON chk.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('chk');
SELECT * FROM told('chk');
DROP TRIGGER changed ON chk.message;
CREATE TRIGGER partly AFTER INSERT ON chk.message FOR EACH ROW WHEN (new.id > 100) EXECUTE FUNCTION assay.decide('chk');
SELECT * FROM told('chk');
DROP TRIGGER partly ON chk.message;
-- messages of somebody who may not decide
CREATE ROLE chk_ingest;
ALTER TABLE chk.message OWNER TO chk_ingest;
SELECT * FROM told('chk') WHERE "check" = 'owner';
ALTER TABLE chk.message OWNER TO CURRENT_USER;
DROP ROLE chk_ingest;
-- the same condition twice; one that has expired
SELECT assay.create_detector('chk', 'long too', 'len > 3', weight => 1, mode => 'live', expires_at => '2020-01-01');
SELECT * FROM told('chk');
SELECT assay.retire_detector('chk', 'long too');
-- a trigger that is disabled; what it did not decide
ALTER TABLE chk.message DISABLE TRIGGER decide;
INSERT INTO chk.message VALUES (1, 'one'), (2, 'two'), (NULL, 'none');
SELECT * FROM told('chk');
SELECT * FROM assay.undecided('chk') ORDER BY key;
ALTER TABLE chk.message ENABLE TRIGGER decide;
CALL assay.backfill('chk', at => NULL);
SELECT * FROM assay.undecided('chk') ORDER BY key;
DELETE FROM chk.message WHERE id IS NULL;
-- a view without the column that a condition names
CREATE VIEW chk.other AS SELECT id, txt FROM chk.message;
SELECT assay.alter_policy('chk', signals => 'chk.other');
SELECT * FROM told('chk');
INSERT INTO chk.message VALUES (3, 'three');
-- once for all sessions and messages, not for each
INSERT INTO chk.message VALUES (4, 'four'), (5, 'five');
\c -
SET client_min_messages = warning;
INSERT INTO chk.message VALUES (6, 'six');
SELECT detector, key, sqlstate, message FROM assay.fault WHERE policy = 'chk' ORDER BY fault;
SELECT severity, "check", regexp_replace(detail, 'the last at .*: signal', 'the last: signal') AS detail FROM told('chk');
-- what was rolled back is told again
DELETE FROM assay.fault WHERE policy = 'chk';
\c -
SET client_min_messages = warning;
BEGIN;
INSERT INTO chk.message VALUES (7, 'seven');
ROLLBACK;
INSERT INTO chk.message VALUES (7, 'seven');
SELECT count(*) FROM assay.fault WHERE policy = 'chk';
-- no view at all; a view that is another's
DROP VIEW chk.other;
SELECT severity, "check", detail FROM told('chk') WHERE "check" IN ('signals view', 'owner');
CREATE ROLE chk_other;
GRANT CREATE, USAGE ON SCHEMA chk TO chk_other;
CREATE VIEW chk.other AS SELECT id, txt, length(txt) AS len FROM chk.message;
ALTER VIEW chk.other OWNER TO chk_other;
SELECT severity, "check", detail FROM told('chk') WHERE "check" IN ('signals view', 'owner');
INSERT INTO chk.message VALUES (8, 'eight');
SELECT key, reason FROM assay.undecided('chk');
ALTER VIEW chk.other OWNER TO CURRENT_USER;
SELECT * FROM told('chk') WHERE "check" = 'owner';
CALL assay.backfill('chk', at => NULL);
SELECT key, reason FROM assay.undecided('chk');
-- a policy that is not there
SELECT * FROM assay.check('nobody');
SELECT * FROM assay.undecided('nobody');
-- a prior that was meant as a probability
SELECT assay.alter_policy('chk', prior => 0.02);
SELECT severity, "check", detail FROM told('chk') WHERE "check" IN ('prior', 'thresholds');
DROP TRIGGER decide ON chk.message;
SELECT assay.drop_policy('chk', true);
DROP SCHEMA chk CASCADE;
DROP ROLE chk_other;
DROP FUNCTION told;

-- What cannot be looked into is told of, and hides nothing else.
CREATE SCHEMA pck;
CREATE ROLE assay_pck;
GRANT USAGE, CREATE ON SCHEMA pck TO assay_pck;
SET ROLE assay_pck;
CREATE TABLE pck.message (id int PRIMARY KEY, n int);
CREATE VIEW pck.signals AS SELECT * FROM pck.message;
SELECT assay.create_policy('pck', 'pck.signals', '{id}');
CREATE TRIGGER decide AFTER INSERT ON pck.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('pck');
RESET ROLE;
REVOKE USAGE ON SCHEMA pck FROM assay_pck;
INSERT INTO pck.message VALUES (1, 1);
SELECT severity, "check", detail FROM assay.check('pck') WHERE detail ~ 'permission denied' AND "check" <> 'faults' ORDER BY 1, 2;
GRANT USAGE ON SCHEMA pck TO assay_pck;
SELECT * FROM assay.undecided('pck');
BEGIN;
INSERT INTO assay_internal.revision SELECT policy, revision + 1, made_at, made_by, summary, prior, thresholds, default_verdict, on_error, log_signals, '"', notify, on_unreadable
	FROM assay_internal.revision WHERE policy = 'pck' ORDER BY revision DESC LIMIT 1;
INSERT INTO pck.message VALUES (2, 1);
SELECT key, reason FROM assay.undecided('pck') ORDER BY 1;
SELECT severity, "check", detail FROM assay.check('pck') WHERE "check" = 'undecided';
ROLLBACK;
DROP TRIGGER decide ON pck.message;
SELECT assay.drop_policy('pck', true);
DROP SCHEMA pck CASCADE;
DROP ROLE assay_pck;

-- PostgreSQL collects no new rows of a foreign table: a statement trigger fails what goes to such a partition.
CREATE SCHEMA chf;
CREATE FOREIGN DATA WRAPPER chf;
CREATE SERVER chf FOREIGN DATA WRAPPER chf;
CREATE TABLE chf.message (id int NOT NULL, n int) PARTITION BY RANGE (id);
CREATE TABLE chf.message_1 PARTITION OF chf.message FOR VALUES FROM (0) TO (10);
CREATE TABLE chf.message_2 PARTITION OF chf.message FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE chf.message_far PARTITION OF chf.message_2 FOR VALUES FROM (10) TO (20) SERVER chf;
CREATE VIEW chf.signals AS SELECT * FROM chf.message;
SELECT assay.create_policy('chf', 'chf.signals', '{id}');
CREATE TRIGGER decide AFTER INSERT ON chf.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('chf');
SELECT severity, detail, hint FROM assay.check('chf') WHERE "check" = 'trigger';
DROP TRIGGER decide ON chf.message;
CREATE TRIGGER decide AFTER INSERT ON chf.message FOR EACH ROW EXECUTE FUNCTION assay.decide('chf');
SELECT severity, detail, hint FROM assay.check('chf') WHERE "check" = 'trigger';
DROP TRIGGER decide ON chf.message;
SELECT assay.drop_policy('chf', true);
DROP SCHEMA chf CASCADE;
DROP FOREIGN DATA WRAPPER chf CASCADE;
-- what an exclusion decided stays when it has expired, and the hint tells how it is decided again; a backfill that stopped at an odd key
CREATE SCHEMA chx;
CREATE TABLE chx.message (id int PRIMARY KEY, n int);
CREATE VIEW chx.signals AS SELECT * FROM chx.message;
SELECT assay.create_policy('chx', 'chx.signals', '{id}');
SELECT assay.create_detector('chx', 'high', 'n > 5', weight => 9, mode => 'live');
SELECT assay.exclude('chx', 'stop', condition => 'true', verdict => 'safe', reason => 'test', expires_at => clock_timestamp() + interval '3 s');
CREATE TRIGGER decide AFTER INSERT ON chx.message FOR EACH ROW EXECUTE FUNCTION assay.decide('chx');
INSERT INTO chx.message VALUES (1, 9);
SELECT pg_sleep_until(max(expires_at)) FROM assay.exclusion WHERE policy = 'chx';
CALL assay.backfill('chx', at => NULL);
SELECT verdict FROM chx.chx_verdict;
SELECT hint FROM assay.check('chx') WHERE "check" = 'expired';
SELECT assay.alter_policy('chx');
CALL assay.backfill('chx', at => NULL);
SELECT verdict FROM chx.chx_verdict;
UPDATE assay_internal.backfill_run SET finished_at = NULL, last_key = '{1,2}' WHERE policy = 'chx' AND revision = 4;
CALL assay.backfill('chx', at => NULL);
DELETE FROM assay.backfill_run WHERE policy = 'chx' AND finished_at IS NULL;
CALL assay.backfill('chx', at => NULL);
DROP TRIGGER decide ON chx.message;
SELECT assay.drop_policy('chx', true);
DROP SCHEMA chx CASCADE;
