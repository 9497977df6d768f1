-- verdicts that changed, for those who act on them
CREATE SCHEMA outbox;
SET search_path = outbox, assay, assay_internal;
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE message (id numeric, part int, s real, PRIMARY KEY (id, part));
CREATE VIEW signals AS SELECT id, part, s FROM message;
SELECT create_policy('o''s', 'signals', '{id,part}', prior => -3);
SELECT create_detector('o''s', 'high', 's > 0.5', weight => 8, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION decide('o''s');
SELECT * FROM read_changes('o''s');
SELECT take_changes('o''s', 'default', '{1}');
SELECT create_outbox('nowhere');
SELECT create_outbox('o''s', '{}');
SELECT create_outbox('o''s', '{a,a}');
SELECT create_outbox('o''s', '{a,NULL}');
INSERT INTO message VALUES (0, 1, 1);
SELECT create_outbox('o''s', '{quarantine,dashboard}');
SELECT create_outbox('o''s');
-- a first decision is news where it has not the default verdict
INSERT INTO message VALUES (1, 1, 0), (2, 1, 1), (3, 1, 0);
INSERT INTO message VALUES (4, 1, 0.1);
INSERT INTO message VALUES (5, 1, 0.9);
SELECT change > 0 AS number, key, revision, old_verdict, verdict, round(score::numeric, 3) AS score, at <= clock_timestamp() AS at FROM read_changes('o''s', 'quarantine');
SELECT count(*) FROM read_changes('o''s', 'dashboard');
SELECT count(*) FROM read_changes('o''s', 'dashboard', 1);
SELECT count(*) FROM read_changes('o''s', 'nobody');
SELECT read_changes('o''s', 'dashboard', 0);
-- a column of the table is called as something in the statement
BEGIN;
ALTER TABLE "o's_change" ADD s int;
SELECT count(*) FROM read_changes('o''s', 'dashboard');
ROLLBACK;
-- what is done is taken out, of one's own only
SELECT take_changes('o''s', 'quarantine', array(SELECT change FROM read_changes('o''s', 'dashboard')));
SELECT take_changes('o''s', 'quarantine', array(SELECT change FROM read_changes('o''s', 'quarantine')));
SELECT count(*) FROM read_changes('o''s', 'quarantine');
SELECT count(*) FROM read_changes('o''s', 'dashboard');
-- who is no more is not told of by what takes the others' changes along
BEGIN;
UPDATE "o's_change" SET changed_at = now() - interval '2 hours';
SELECT hint FROM assay.check('o''s') WHERE "check" = 'outbox';
ROLLBACK;
-- another verdict by a new revision, or by a key that comes again, is news; the same one is none
SELECT alter_detector('o''s', 'high', condition => 's > 0.95 OR s = 0');
CALL backfill('o''s', at => NULL);
SELECT key, revision, old_verdict, verdict FROM read_changes('o''s', 'quarantine') ORDER BY key;
SELECT take_changes('o''s', 'quarantine', array(SELECT change FROM read_changes('o''s', 'quarantine')));
CALL backfill('o''s', at => NULL, undecided_only => false);
SELECT count(*) FROM read_changes('o''s', 'quarantine');
DELETE FROM message WHERE id = 4;
INSERT INTO message VALUES (4.0, 1, 1);
SELECT key, revision, old_verdict, verdict FROM read_changes('o''s', 'quarantine');
-- a change of the own transaction comes when that has ended
BEGIN;
INSERT INTO message VALUES (6, 1, 1);
SELECT count(*) FROM read_changes('o''s', 'quarantine') WHERE key[1] = '6';
ROLLBACK;
-- a transaction's number of another cluster: old, so it comes first
UPDATE "o's_change" SET xid = '9000000000000' WHERE consumer = 'quarantine';
INSERT INTO message VALUES (7, 1, 1);
SELECT key, verdict FROM read_changes('o''s', 'quarantine');

-- rights: SELECT to read, DELETE to take; a reader reads
CREATE ROLE assay_outbox;
GRANT USAGE ON SCHEMA outbox TO assay_outbox;
SET ROLE assay_outbox;
SELECT * FROM read_changes('o''s', 'quarantine');
RESET ROLE;
SELECT grant_access('o''s', 'assay_outbox', 'reader');
SET ROLE assay_outbox;
SELECT count(*) FROM read_changes('o''s', 'quarantine');
SELECT take_changes('o''s', 'quarantine', '{1}');
SELECT drop_outbox('o''s');
SELECT create_outbox('o''s');
RESET ROLE;
GRANT DELETE ON "o's_change" TO assay_outbox;
SET ROLE assay_outbox;
SELECT take_changes('o''s', 'quarantine', array(SELECT change FROM read_changes('o''s', 'quarantine')));
RESET ROLE;
-- the number that a session had last stays what lastval() says, where a change and a fault are written, too
CREATE TABLE numbered (n bigserial PRIMARY KEY, s real);
CREATE VIEW numbered_signals AS SELECT n, s FROM numbered;
SELECT create_policy('numbered', 'numbered_signals', '{n}', prior => -3) IS NOT NULL AS made,
	create_detector('numbered', 'high', 's > 0.5', weight => 8, mode => 'live') AS high,
	create_detector('numbered', 'fails', '1 / (s - 1)::int > 5', weight => 8, mode => 'live') AS fails;
SELECT create_outbox('numbered');
CREATE TRIGGER decide AFTER INSERT ON numbered REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION decide('numbered');
SELECT setval('numbered_n_seq', 41000);
INSERT INTO numbered (s) VALUES (0.5);
SELECT lastval();
INSERT INTO numbered (s) VALUES (0.9);
SELECT lastval();
INSERT INTO numbered (s) VALUES (1);
SELECT lastval(), currval('numbered_n_seq');
SELECT (SELECT count(*) FROM numbered_change) AS changes, (SELECT count(*) FROM fault f WHERE f.policy = 'numbered') AS faults;
-- also the least and the greatest number, and for who has no right but to insert
CREATE SEQUENCE odd MINVALUE -9223372036854775808;
SELECT setval('odd', -9223372036854775808, false), nextval('odd');
INSERT INTO numbered (n, s) VALUES (1, 1);
SELECT lastval();
SELECT setval('odd', 9223372036854775806), nextval('odd');
INSERT INTO numbered (n, s) VALUES (2, 1);
SELECT lastval();
INSERT INTO numbered (n, s) VALUES (3, 1);
SELECT lastval();
GRANT INSERT ON numbered TO assay_outbox;
GRANT USAGE ON SEQUENCE numbered_n_seq TO assay_outbox;
SET ROLE assay_outbox;
INSERT INTO numbered (s) VALUES (1);
SELECT lastval();
RESET ROLE;
-- no other session sees it
SELECT last_value, is_called FROM assay_internal.last_number;
DROP TRIGGER decide ON numbered;
SELECT drop_policy('numbered', drop_tables => true);
-- the trigger is for nothing else
CREATE TABLE other (id int);
CREATE TRIGGER t AFTER INSERT ON other FOR EACH ROW EXECUTE FUNCTION note_changes();
INSERT INTO other VALUES (1);
DROP TRIGGER t ON other;
CREATE TRIGGER t AFTER INSERT ON other REFERENCING NEW TABLE AS new_decisions FOR EACH STATEMENT EXECUTE FUNCTION note_changes('o''s', '{a}');
INSERT INTO other VALUES (1);
-- without its table messages are decided all the same
ALTER TABLE "o's_change" RENAME TO elsewhere;
INSERT INTO message VALUES (8, 1, 1);
SELECT verdict FROM "o's_decision" WHERE id = 8;
SELECT severity, detail, hint FROM assay.check('o''s') WHERE "check" = 'outbox' AND severity = 'error';
ALTER TABLE elsewhere RENAME TO "o's_change";
-- nor without its triggers
BEGIN;
DROP TRIGGER assay_outbox_update ON "o's_decision";
SELECT severity, detail, hint FROM assay.check('o''s') WHERE "check" = 'outbox' AND severity = 'error';
DROP TRIGGER assay_outbox_insert ON "o's_decision";
SELECT severity, detail FROM assay.check('o''s') WHERE "check" = 'outbox' AND severity = 'error';
ROLLBACK;
-- it goes to a new owner, and with the policy
SELECT alter_policy('o''s', owner => 'assay_outbox');
SELECT tableowner FROM pg_tables WHERE tablename = 'o''s_change';
SELECT drop_outbox('o''s');
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'assay_outbox%';
SELECT create_outbox('o''s');
DROP TRIGGER decide ON message;
SELECT drop_policy('o''s', drop_tables => true);
SELECT to_regclass('"o''s_change"');
-- twice, and with a key whose columns are called as its own
CREATE TABLE named (at timestamptz, change int, stratum text, PRIMARY KEY (at, change, stratum));
CREATE VIEW named_signals AS SELECT * FROM named;
SELECT create_policy('named', 'named_signals', '{at,change,stratum}', prior => -3) IS NOT NULL AS made;
SELECT create_policy('twice', 'named_signals', '{stratum}', prior => -3) IS NOT NULL AS made;
CREATE TRIGGER decide AFTER INSERT ON named REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('named');
INSERT INTO named VALUES ('2026-01-01', 1, 'a');
SELECT create_outbox('named');
SELECT review_sample('named', 1);
SELECT create_outbox('twice');
SELECT create_outbox('twice', '{other}');
-- a key may be called as what read_changes() gives
SELECT create_policy('timed', 'named_signals', '{at,stratum}', prior => -3) IS NOT NULL AS made, create_detector('timed', 'd', 'change = 2', weight => 9, mode => 'live') AS revision;
CREATE TRIGGER decide_timed AFTER INSERT ON named REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('timed');
SELECT create_outbox('timed');
INSERT INTO named VALUES ('2026-01-02', 2, 'b');
SELECT key, verdict, at > '2026-01-03' AS changed_later FROM read_changes('timed');
SELECT consumer, changes FROM assay_internal.outbox_backlog('timed');
DROP TRIGGER decide ON named; DROP TRIGGER decide_timed ON named;
SELECT drop_policy('timed', drop_tables => true);
SELECT drop_policy(p, drop_tables => true) FROM unnest('{named,twice}'::text[]) p;
DROP SCHEMA outbox CASCADE;
DROP ROLE assay_outbox;
