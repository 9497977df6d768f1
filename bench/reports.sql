-- Decisions for bench/reports.sh: :n messages of a year, forty-two detectors, two exclusions, labels of one in five
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
CREATE EXTENSION pg_assay;
CREATE TABLE message (id bigint PRIMARY KEY, x int, y int, z float8, subject text);
CREATE VIEW signals AS SELECT m.id, m.x, m.y, m.z, m.subject, length(m.subject) AS len, abs(hashint8(m.id)) AS h FROM message m;
SELECT assay.create_policy('inbound', 'signals', '{id}');
SELECT count(assay.create_detector('inbound', 'detector number ' || i, format('h %% %s = %s AND len > 0 AND subject <> ''x''', 2 + i / 2, i % 2),
	weight => (i % 7) - 1.5, mode => CASE WHEN i % 8 = 0 THEN 'shadow' ELSE 'live' END)) FROM generate_series(1, 40) i;
SELECT assay.create_detector('inbound', 'rare', 'h % 10007 = 5', weight => 6, mode => 'live');
SELECT assay.create_detector('inbound', 'net', model => assay.model_from_linear('{x,y,z,len}', '{0.002,-0.001,0.5,0.01}', -1), weight => 0.7, mode => 'live');
SELECT assay.exclude('inbound', 'quiet', 'h % 53 = 7', mutes => '{detector number 1,detector number 2}', reason => 'FP-1');
SELECT assay.exclude('inbound', 'allow', 'h % 211 = 7', verdict => 'safe', reason => 'FP-2');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound');
INSERT INTO message SELECT i, i % 1000, i % 777, (i % 613) / 613.0, 'subject of message ' || i FROM generate_series(1, :n) i;
-- one in twenty was decided again, by a later revision
SELECT assay.alter_policy('inbound', prior => -3.9);
INSERT INTO inbound_decision (id, revision, verdict, score, attribution)
SELECT s.id, assay.revision(x.attribution), x.verdict, x.score, x.attribution FROM signals s, assay.score('inbound', s) x WHERE s.id % 20 = 3;
-- in the order of time, as it would stand there
UPDATE inbound_decision SET decided_at = '2026-01-01'::timestamptz + id * interval '1 year' / :n + CASE WHEN id % 20 = 3 AND revision > 45 THEN interval '1 hour' ELSE interval '0' END;
CLUSTER inbound_decision USING inbound_decision_decided_at_idx;
INSERT INTO inbound_label SELECT id, h % 97 < 5, 'analyst', '2026-02-01' FROM signals WHERE id % 5 = 0;
INSERT INTO inbound_label SELECT id, h % 97 < 6, 'analyst', '2026-02-02' FROM signals WHERE id % 50 = 0;
-- the view of 0.1.0
CREATE VIEW old_verdict AS SELECT DISTINCT ON (id) * FROM inbound_decision ORDER BY id, revision DESC;
VACUUM ANALYZE;
DO $$ BEGIN
	IF (SELECT avg(cardinality(assay.hits(attribution))) NOT BETWEEN 4 AND 7 OR avg(pg_column_size(attribution)) NOT BETWEEN 300 AND 900
			OR count(DISTINCT revision) <> 2 FROM inbound_decision)
		OR EXISTS (SELECT id, verdict FROM old_verdict EXCEPT SELECT id, verdict FROM inbound_verdict) THEN
		RAISE 'the data are not as they should be';
	END IF;
END $$;
