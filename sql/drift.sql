-- drift, skew, lineage, alerts
\set SHOW_CONTEXT never
SET extra_float_digits = 0;
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE SCHEMA drift;
SET search_path = drift, public;
CREATE TABLE message (id int PRIMARY KEY, received_at timestamptz NOT NULL, x int, word text, flag boolean, y float8);
CREATE VIEW signals AS SELECT id, received_at, x, word, flag, y, x * 2 AS twice, length(word) AS len FROM message;
SELECT assay.create_policy('d''s', 'signals', '{id}', prior => -1, log_signals => true);
SELECT assay.create_guard('d''s', 'big', 'x > 50') > 0 AS made;
SELECT assay.create_detector('d''s', 'large', 'big AND len > 1', weight => 2, mode => 'live') > 0 AS made;
SELECT assay.create_detector('d''s', 'flagged', 'flag', weight => 1, mode => 'shadow') > 0 AS made;
SELECT assay.create_detector('d''s', 'net', model => assay.model_from_linear('{y,twice}', '{0.1,0.01}', -2), mode => 'live') > 0 AS made;
SELECT assay.exclude('d''s', 'quiet', 'word = ''quiet''', mutes => '{large}', reason => 'test') > 0 AS made;
SELECT assay.create_detector('d''s', 'old', 'gone', weight => 1, mode => 'retired') > 0 AS made;

-- lineage
SELECT signal, type, kind, name, mode, via FROM assay.signal_uses('d''s');
SELECT count(*) > 0 AS any, bool_and(cost_us IS NULL) AS nothing FROM assay.signal_uses('d''s', 10);
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('d''s');
-- thirty days, then one where y and the words have moved, and flag is often unknown
INSERT INTO message SELECT i, timestamptz '2026-01-01' + i * interval '10 minutes', i * 7 % 100, (ARRAY['a','bb','ccc','quiet'])[1 + i % 4], i % 3 = 0, i * 13 % 100 / 10.0 FROM generate_series(1, 4320) i;
INSERT INTO message SELECT i, timestamptz '2026-01-01' + i * interval '10 minutes', i * 7 % 100, (ARRAY['a','zz'])[1 + i % 2], CASE WHEN i % 2 = 0 THEN i % 3 = 0 END, 5 + i * 13 % 100 / 10.0 FROM generate_series(4321, 4464) i;
UPDATE "d's_decision" SET decided_at = received_at FROM message m WHERE m.id = "d's_decision".id;
SELECT bool_and(cost_us IS NOT NULL) AS measured, count(DISTINCT signal) FROM assay.signal_uses('d''s', 100);
SELECT * FROM assay.signal_uses('d''s', 0) WHERE signal = 'nothing';
SELECT count(*) FROM assay.signal_uses('d''s', -1);
SELECT count(*) FROM assay.signal_uses('d''s', 100001);
SELECT count(*) FROM assay.signal_uses('nobody');

SELECT signal, round(psi::numeric, 3) AS psi, messages, reference_messages, round(null_rate::numeric, 3) AS nulls, round(reference_null_rate::numeric, 3) AS nulls_before,
	round(mean::numeric, 3) AS mean, round(reference_mean::numeric, 3) AS mean_before, quantiles, reference_quantiles, detectors
FROM assay.signal_drift('d''s', until => '2026-02-01');
-- the same of the view; a stable one by definition
SELECT count(*) AS signals, count(*) FILTER (WHERE abs(v.psi - l.psi) > 1e-9) AS differ
FROM assay.signal_drift('d''s', until => '2026-02-01', signals => 'view') v JOIN assay.signal_drift('d''s', until => '2026-02-01', signals => 'logged') l USING (signal);
-- by definition: bins of the reference's deciles, half a message more in each
WITH d AS (
	SELECT array(SELECT DISTINCT unnest(percentile_disc('{0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9}'::float8[]) WITHIN GROUP (ORDER BY y)) ORDER BY 1) AS cuts
	FROM message WHERE received_at >= '2026-01-01' AND received_at < '2026-01-31'
), b AS (
	SELECT width_bucket(y, cuts) AS bin, count(*) FILTER (WHERE received_at >= '2026-01-31' AND received_at < '2026-02-01') AS n, count(*) FILTER (WHERE received_at < '2026-01-31') AS m FROM message, d GROUP BY 1
), p AS (
	SELECT (n + 0.5) / (sum(n) OVER () + 0.5 * count(*) OVER ()) AS p, (m + 0.5) / (sum(m) OVER () + 0.5 * count(*) OVER ()) AS q FROM b
)
SELECT abs(sum((p - q) * ln(p / q))::float8 - (SELECT psi FROM assay.signal_drift('d''s', until => '2026-02-01') WHERE signal = 'y')) < 1e-9 AS as_defined FROM p;
-- what is the same nearly always moves, too: a flag and a count that were seldom set, a constant; and numbers beside two that are none
CREATE VIEW seldom AS SELECT id, received_at, recent OR id % 20 = 0 AS flag, CASE WHEN recent OR id % 20 = 0 THEN 3 ELSE 0 END AS n, CASE WHEN recent THEN 10 ELSE 5 END AS c, 7 AS still,
	CASE id WHEN 7 THEN 'NaN'::float8 WHEN 8 THEN 'infinity' WHEN 9 THEN '-infinity' ELSE id % 100 + CASE WHEN recent THEN 1000 ELSE 0 END END AS odd
FROM message, LATERAL (SELECT received_at >= '2026-01-31' AS recent) r;
SELECT assay.create_policy('seldom', 'seldom', '{id}') > 0 AS made;
SELECT signal, round(psi::numeric, 3) AS psi, mean, quantiles, reference_quantiles, round(reference_null_rate::numeric, 3) AS nulls_before FROM assay.signal_drift('seldom', until => '2026-02-01', signals => 'view') WHERE signal <> 'received_at';
SELECT assay.drop_policy('seldom', true);
-- a sample
SELECT max(messages), max(reference_messages) FROM assay.signal_drift('d''s', until => '2026-02-01', sample => 50);
-- nothing there
SELECT count(*) FROM assay.signal_drift('d''s', until => '2020-01-01');
SELECT count(*) FILTER (WHERE psi IS NULL) = count(*) AS unknown FROM assay.signal_drift('d''s', until => '2026-01-01 12:00', span => '12 hours');
SELECT count(*) FROM assay.signal_drift('d''s', '0');
SELECT count(*) FROM assay.signal_drift('d''s', reference => '-1 day');
SELECT count(*) FROM assay.signal_drift('d''s', sample => 0);
SELECT count(*) FROM assay.signal_drift('d''s', sample => 1000001);
SELECT count(*) FROM assay.signal_drift('d''s', signals => 'x');
SELECT count(*) FROM assay.signal_drift('d''s', signals => 'view', at => NULL);
SELECT count(*) FROM assay.signal_drift('d''s', signals => 'view', at => 'x');
SELECT count(*) FROM assay.signal_drift('nobody');

-- skew: none, then some
SELECT sum(messages) > 0 AS compared, sum(differ) AS differ FROM assay.signal_skew('d''s', '2026-01-01');
-- each message's signals are read once, however many there are
BEGIN;
SET LOCAL track_functions = 'all';
SELECT max(messages) AS messages, count(*) > 1 AS several FROM assay.signal_skew('d''s', '2026-01-01');
SELECT pg_stat_get_xact_function_calls('assay_internal.plain_jsonb'::regproc) AS calls;
COMMIT;
UPDATE message SET x = x + 1 WHERE id IN (10, 20, 30);
UPDATE message SET word = NULL WHERE id = 40;
SELECT * FROM assay.signal_skew('d''s', '2026-01-01');
SELECT signal, messages, differ FROM assay.signal_skew('d''s', '2026-01-01', '2026-01-01 02:00') WHERE differ > 0;
SELECT count(*) FROM assay.signal_skew('d''s', NULL);
SELECT count(*) FROM assay.signal_skew('d''s', sample => 0);
SELECT count(*) FROM assay.signal_skew('nobody');

-- how often detectors hit, by day
SELECT count(*) FROM assay.detector_drift('d''s', '2026-01-01');
SELECT assay.refresh_rollup('d''s') > 0 AS refreshed;
SELECT count(*) FROM assay.detector_drift('d''s', '2026-01-02', '2026-01-01');
SELECT day, kind, name, decisions, hits, round(rate::numeric, 4) AS rate, round(center::numeric, 4) AS center, round(lower::numeric, 4) AS lower, round(upper::numeric, 4) AS upper, outside
FROM assay.detector_drift('d''s', '2026-01-01', '2026-02-01') WHERE day = '2026-01-31';
SELECT count(DISTINCT day) AS days, count(*) FILTER (WHERE outside) AS outside, count(*) FILTER (WHERE outside AND day < '2026-01-31') AS before FROM assay.detector_drift('d''s', '2026-01-01', '2026-02-01');
-- by definition, without the correction, which is 1 where days vary as chance would
SELECT count(*) AS days, count(*) FILTER (WHERE abs(d.center - c.p) > 1e-9 OR d.upper - d.center < 3 * sqrt(c.p * (1 - c.p) / d.decisions) - 1e-9 AND d.upper < 1) AS differ
FROM assay.detector_drift('d''s', '2026-01-01', '2026-02-01') d, (SELECT sum(hits)::float8 / sum(decisions) AS p FROM assay.detector_drift('d''s', '2026-01-01', '2026-02-01') WHERE name = 'flagged' AND day < '2026-01-31') c
WHERE d.name = 'flagged';
SELECT count(*) FILTER (WHERE outside IS NULL) = count(*) AS too_few FROM assay.detector_drift('d''s', '2026-01-29', '2026-02-01');
SELECT count(*) FROM assay.detector_drift('d''s', tested => -1);

-- alerts: of now
SELECT kind, name, detail FROM assay.alerts WHERE policy = 'd''s' ORDER BY kind, name;
-- move all to end now: the day that moved is the last whole one
UPDATE "d's_decision" SET decided_at = decided_at + (date_trunc('day', now(), 'UTC') - timestamptz '2026-02-01');
UPDATE message SET received_at = received_at + (date_trunc('day', now(), 'UTC') - timestamptz '2026-02-01');
SELECT assay.refresh_rollup('d''s', '-infinity') > 0 AS refreshed;
SELECT kind, name, severity, detectors FROM assay.alerts WHERE kind <> 'signal drift' AND kind <> 'signal skew' ORDER BY kind, name;
SELECT count(*) > 0 AS skewed FROM assay_internal.alerts_of('d''s') WHERE kind = 'signal skew';

-- rights: as of a reader
CREATE ROLE regress_drifter;
GRANT USAGE ON SCHEMA drift TO regress_drifter;
SET ROLE regress_drifter;
SELECT count(*) FROM assay.alerts;
SELECT count(*) FROM assay.signal_drift('d''s');
RESET ROLE;
SELECT assay.grant_access('d''s', 'regress_drifter', 'reader');
SET ROLE regress_drifter;
SELECT count(*) > 0 AS drift FROM assay.signal_drift('d''s', signals => 'logged');
SELECT count(*) FROM assay.signal_skew('d''s');
SELECT count(*) > 0 AS rates FROM assay.detector_drift('d''s');
SELECT count(*) > 0 AS uses FROM assay.signal_uses('d''s');
SELECT count(*) > 0 AS uses FROM assay.signal_uses('d''s', 10);
RESET ROLE;
-- a number of any size takes the report of no signal away
CREATE TABLE odd (id int PRIMARY KEY, size numeric, ratio float8, received_at timestamptz);
CREATE VIEW odd_signals AS SELECT * FROM odd;
SELECT assay.create_policy('odd', 'odd_signals', '{id}', log_signals => true);
INSERT INTO odd SELECT i, i % 10, i % 7, timestamptz '2026-03-01' - (i % 2) * interval '2 days' FROM generate_series(1, 200) i;
CREATE TRIGGER decide AFTER INSERT ON odd REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('odd');
INSERT INTO odd VALUES (201, 1e400, 1, '2026-03-01'), (202, 1e-400, 1, '2026-03-01');
SELECT signal, psi < 0.2 AS stable, messages, mean FROM assay.signal_drift('odd', until => '2026-03-01 12:00') WHERE signal IN ('size', 'ratio') ORDER BY signal;
INSERT INTO odd VALUES (203, 1, 1e200, '2026-03-01'), (204, 1, -1e300, '2026-03-01');
SELECT signal, psi < 0.2 AS stable, messages, mean < 1e139 AS mean FROM assay.signal_drift('odd', until => '2026-03-01 12:00') WHERE signal IN ('size', 'ratio') ORDER BY signal;
UPDATE odd SET ratio = ratio / 2, size = size / 2 WHERE id > 200;
SELECT signal, messages, differ, round(log(abs(mean_change)::numeric)) AS digits FROM assay.signal_skew('odd') WHERE differ > 0 ORDER BY signal;
DROP TRIGGER decide ON odd;
SELECT assay.drop_policy('odd', drop_tables => true);
DROP TRIGGER decide ON message;
SELECT assay.drop_policy('d''s', drop_tables => true);
DROP SCHEMA drift CASCADE;
DROP ROLE regress_drifter;
