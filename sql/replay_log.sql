-- A replay of logged signals at a revision reproduces what that revision decided,
-- whatever later ones logged of the same messages
CREATE SCHEMA replay_log;
SET search_path = replay_log, public;
CREATE TABLE message (id int PRIMARY KEY, x int);
CREATE VIEW signals AS SELECT * FROM message;
SELECT assay.create_policy('rl', 'replay_log.signals', '{id}', prior => -3, log_signals => true);
SELECT assay.create_detector('rl', 'high', 'x > 5', weight => 6, mode => 'live') AS r;
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('rl');
INSERT INTO message SELECT i, i FROM generate_series(1, 10) i;
SELECT assay.alter_detector('rl', 'high', weight => 7) AS r;
UPDATE message SET x = 11 - x WHERE id > 2;
INSERT INTO message VALUES (11, 11);
CALL assay.backfill('rl', at => NULL);
SELECT d.revision, count(*) AS decided, count(*) FILTER (WHERE r.verdict <> d.verdict OR r.score <> d.score) AS differ
FROM rl_decision d LEFT JOIN LATERAL (SELECT r.* FROM assay.replay('rl', revision => d.revision, at => NULL, signals => 'logged') r WHERE r.key[1] = d.id::text) r ON true
GROUP BY 1 ORDER BY 1;
-- what the revision has not logged is replayed by the latest log; each message once
SELECT count(*), count(DISTINCT key) FROM assay.replay('rl', revision => 2, at => NULL, signals => 'logged');
SELECT count(*), count(DISTINCT key) FROM assay.replay('rl', revision => 1, at => NULL, signals => 'auto');
SELECT count(*) FROM (SELECT key, verdict FROM assay.replay('rl', at => NULL, signals => 'logged') EXCEPT SELECT ARRAY[id::text], verdict FROM rl_verdict) r;
DROP TRIGGER decide ON message;
SELECT assay.drop_policy('rl', true);
DROP SCHEMA replay_log CASCADE;
RESET search_path;
