-- the rollup: counts by hour and by day, which are what precision_report() counts
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE SCHEMA roll;
SET search_path = roll, public;
CREATE TABLE message (tenant text, id numeric, x int, PRIMARY KEY (tenant, id));
SELECT assay.create_policy('r''s', 'message', '{tenant,id}', prior => -1);
SELECT count(assay.create_detector('r''s', 'd' || i, 'x % ' || i || ' = 0', weight => i / 2.0 - 1, mode => CASE i WHEN 3 THEN 'shadow' ELSE 'live' END)) FROM generate_series(2, 6) i;
SELECT assay.exclude('r''s', 'quiet', 'x % 11 = 0', mutes => '{d2}', reason => 'test') > 0 AS made;
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('r''s');
INSERT INTO message SELECT 't' || i % 2, i, i FROM generate_series(1, 500) i;
-- over three days, some decided twice, in the same hour and in another
UPDATE "r's_decision" SET decided_at = timestamptz '2026-03-01 22:00' + id::int * interval '5 minutes';
INSERT INTO "r's_decision" SELECT tenant, id, revision + 1, decided_at + CASE WHEN id % 20 = 0 THEN interval '2 hours' ELSE interval '1 second' END, 'safe', 0.1, attribution FROM "r's_decision" WHERE id % 10 = 0;
INSERT INTO "r's_label" SELECT tenant, id, x % 3 = 0, 'test', '2026-03-05' FROM message WHERE id % 4 <> 0;

-- each hour is what the counting of that hour gives; each day is their sum
CREATE FUNCTION wrong(OUT hours bigint, OUT days bigint) LANGUAGE sql AS $$
	WITH hours AS (
		SELECT date_trunc('hour', decided_at) AS hour FROM "r's_decision" GROUP BY 1
	), truth AS (
		SELECT h.hour, c.kind, c.name, c.mode, c.claim, sum(c.hits) AS hits, sum(c.malicious) AS malicious, sum(c.safe) AS safe, sum(c.sole) AS sole,
			sum(c.sole_right) AS sole_right, sum(c.sole_wrong) AS sole_wrong, sum(c.overlap) AS overlap
		FROM hours h, assay_internal.count_decisions('r''s', h.hour, h.hour + interval '1 hour') c WHERE c.kind <> 'tag' GROUP BY 1, 2, 3, 4, 5
	), kept AS (
		SELECT hour, kind, name, mode, claim, hits, malicious, safe, sole, sole_right, sole_wrong, overlap FROM assay.decision_hours WHERE policy = 'r''s'
	), days AS (
		SELECT date_trunc('day', hour) AS day, kind, name, mode, claim, sum(hits) AS hits, sum(malicious) AS malicious, sum(safe) AS safe, sum(sole) AS sole FROM truth GROUP BY 1, 2, 3, 4, 5
	), kept_days AS (
		SELECT day, kind, name, mode, claim, hits, malicious, safe, sole FROM assay.decision_days WHERE policy = 'r''s'
	)
	SELECT (SELECT count(*) FROM ((TABLE truth EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE truth)) d),
		(SELECT count(*) FROM ((TABLE days EXCEPT TABLE kept_days) UNION ALL (TABLE kept_days EXCEPT TABLE days)) d)
$$;
SELECT * FROM wrong();
SELECT assay.refresh_rollup('r''s');
SELECT * FROM wrong();
SELECT count(*) > 100 AS rows, count(DISTINCT hour) AS hours FROM assay.decision_hours;
SELECT policy, refreshed_at IS NOT NULL AS refreshed FROM assay.rollups;
SELECT day, name, hits, labelled, tp, fp FROM assay.decision_days WHERE kind = 'rule' AND name = 'd5' ORDER BY day;
-- again: nothing has changed (but a transaction of the server's own may have been at work)
SELECT assay.refresh_rollup('r''s') < 44 AS fewer;
-- a late label has its hours counted anew, and so has a correction
INSERT INTO "r's_label" SELECT tenant, id, true, 'late', '2026-03-06' FROM message WHERE id IN (8, 13);
SELECT assay.refresh_rollup('r''s') BETWEEN 2 AND 43 AS fewer;
SELECT * FROM wrong();
-- new decisions: of now, and of the past by a transaction of now
INSERT INTO message SELECT 't0', i, i FROM generate_series(1001, 1050) i;
SELECT assay.refresh_rollup('r''s') BETWEEN 1 AND 2 AS hours;
SELECT * FROM wrong();
-- a horizon that is none here, as it comes by replication from another server: all
UPDATE assay_internal.rollup SET horizon = (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000000)::text::xid8, oldest = NULL;
SELECT assay.refresh_rollup('r''s') > 40 AS all_hours;
-- another rule of labels: all
SELECT assay.set_labels('r''s', '{test}');
SELECT assay.refresh_rollup('r''s') > 40 AS all_hours;
SELECT * FROM wrong();
-- what leaves no trace is counted from a time on
DELETE FROM "r's_decision" WHERE id BETWEEN 400 AND 430;
UPDATE "r's_decision" SET decided_at = decided_at + interval '1 hour' WHERE id = 440;
SELECT hours > 0 AS differ FROM wrong();
SELECT assay.refresh_rollup('r''s', '2026-03-03 06:30') > 0 AS counted;
SELECT * FROM wrong();
-- all that is rolled back
BEGIN;
INSERT INTO message VALUES ('t9', 1, 6);
SELECT assay.refresh_rollup('r''s') AS hours;
ROLLBACK;
SELECT assay.refresh_rollup('r''s') >= 0 AS again;
SELECT * FROM wrong();
-- times without an end
INSERT INTO "r's_decision" SELECT tenant, id, 99, 'infinity', verdict, score, attribution FROM "r's_decision" WHERE id = 1;
SELECT assay.refresh_rollup('r''s') >= 0 AS refreshed;
SELECT count(*) FROM assay.decision_hours WHERE NOT isfinite(hour);
DELETE FROM "r's_decision" WHERE revision = 99;

-- rights
CREATE ROLE regress_roller;
GRANT USAGE ON SCHEMA roll TO regress_roller;
SET ROLE regress_roller;
SELECT count(*) FROM assay.decision_hours;
SELECT count(*) FROM assay.rollups;
SELECT assay.refresh_rollup('r''s');
SELECT assay_internal.store_rollup('r''s', '{}', '{}');
SELECT count(*) FROM assay_internal.changed_hours('r''s', NULL, NULL, NULL);
RESET ROLE;
SELECT assay.grant_access('r''s', 'regress_roller', 'reader');
SET ROLE regress_roller;
SELECT count(*) > 0 AS hours FROM assay.decision_hours;
SELECT count(*) > 0 AS days FROM assay.decision_days;
SELECT assay.refresh_rollup('r''s');
RESET ROLE;
-- who sees a part of the decisions only sees no counts
ALTER TABLE "r's_decision" ENABLE ROW LEVEL SECURITY;
SET ROLE regress_roller;
SELECT count(*) FROM assay.decision_hours;
RESET ROLE;
SELECT count(*) > 0 AS owner FROM assay.decision_hours;
SELECT assay.refresh_rollup(NULL);
SELECT assay.refresh_rollup('nobody');
SELECT assay_internal.is_newer('2', '1'), assay_internal.is_newer('3', pg_snapshot_xmin(pg_current_snapshot())), assay_internal.is_newer(pg_current_xact_id()::xid, pg_snapshot_xmin(pg_current_snapshot()));

DROP TRIGGER decide ON message;
SELECT assay.drop_policy('r''s', drop_tables => true);
SELECT (SELECT count(*) FROM assay_internal.decision_hour) + (SELECT count(*) FROM assay_internal.decision_day) + (SELECT count(*) FROM assay_internal.rollup) AS left_over;
DROP SCHEMA roll CASCADE;
DROP ROLE regress_roller;
