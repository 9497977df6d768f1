-- precision_report: how right the decisions were, by verdict, detector and exclusion
SET extra_float_digits = 0;
SET client_min_messages = error;
CREATE SCHEMA "Judge me";
SET search_path = "Judge me", public;
CREATE TABLE message (tenant text, "Id" int, x int, PRIMARY KEY (tenant, "Id"));
CREATE VIEW signals AS SELECT tenant, "Id", x, x % 2 = 0 AS two, x % 3 = 0 AS three, x % 5 = 0 AS five, x % 7 = 0 AS seven, x % 11 = 0 AS eleven, x % 13 = 0 AS thirteen FROM message;
SELECT assay.create_policy('judged', 'signals', '{tenant,Id}', prior => -1, thresholds => '{"suspicious": 0.5, "malicious": 0.9}');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('judged');

-- nothing yet; names, order and what has no denominator
SELECT assay.create_detector('judged', 'two', 'two', weight => 1.5, mode => 'live');
SELECT kind, name, mode, claim, hits, labelled, tp, fp, "precision", recall, fnr, sole, overlap FROM assay.precision_report('judged');

SELECT assay.create_detector('judged', 'three', 'three', weight => 2, mode => 'live');
SELECT assay.create_detector('judged', 'list mail', 'five', weight => -2.5, mode => 'live');
SELECT assay.create_detector('judged', 'block', 'seven', weight => 0, mode => 'live', force_verdict => 'malicious');
SELECT assay.create_detector('judged', 'block too', 'seven AND two', weight => 0, mode => 'live', force_verdict => 'suspicious');
SELECT assay.create_detector('judged', 'new', 'eleven', weight => 3, mode => 'shadow');
SELECT assay.create_detector('judged', 'new block', 'thirteen AND NOT two', weight => 0.1, mode => 'shadow', force_verdict => 'malicious');
SELECT assay.create_detector('judged', 'idle', 'x < 0', weight => 1, mode => 'live');
SELECT assay.create_detector('judged', 'broken', '1 / (x % 17) > 0', weight => 1, mode => 'shadow');
SELECT assay.create_detector('judged', 'net', model => assay.model_from_linear('{x}', '{0.02}', -2), weight => 0.5, mode => 'live');
SELECT assay.exclude('judged', 'quiet', 'eleven', mutes => '{three}', reason => 'FP-1');
SELECT assay.exclude('judged', 'allow', 'thirteen AND two', verdict => 'safe', reason => 'FP-2');
SELECT assay.exclude('judged', 'allow some', 'thirteen AND x < 100', verdict => 'suspicious', reason => 'FP-3');
INSERT INTO message SELECT CASE WHEN x % 4 = 0 THEN 'a' ELSE 'b''s' END, x, x FROM generate_series(0, 199) x;
-- labels of three in four; a correction is a later row
INSERT INTO judged_label SELECT tenant, "Id", NOT (two OR three), 'first', '2026-01-01' FROM signals WHERE x % 4 <> 1;
INSERT INTO judged_label SELECT tenant, "Id", (two OR three) AND NOT five, 'review', '2026-01-02' FROM signals WHERE x % 4 <> 1;

SELECT kind, name, mode, claim, hits, labelled, tp, fp, round("precision"::numeric, 4) AS "precision", round(lower::numeric, 4) AS lower, round(upper::numeric, 4) AS upper,
	round(recall::numeric, 4) AS recall, round(fnr::numeric, 4) AS fnr FROM assay.precision_report('judged');
SELECT kind, name, mode, sole, sole_right, sole_wrong, overlap FROM assay.precision_report('judged') WHERE kind <> 'verdict';

-- hits, labels and precision, counted another way
CREATE TEMP VIEW truth AS SELECT s.*, v.verdict, v.attribution, l.malicious FROM signals s JOIN judged_verdict v USING (tenant, "Id") LEFT JOIN judged_label_latest l USING (tenant, "Id");
SELECT count(*) AS detectors, count(*) FILTER (WHERE (r.hits, r.labelled, r.tp, r.fp) IS DISTINCT FROM (b.hits, b.labelled, b.tp, b.fp)) AS differ
FROM assay.precision_report('judged') r JOIN (
	SELECT d.name, count(*) AS hits, count(malicious) AS labelled, count(*) FILTER (WHERE malicious = d.bad) AS tp, count(*) FILTER (WHERE malicious <> d.bad) AS fp
	FROM truth, LATERAL (VALUES ('two', two, true), ('three', three, true), ('list mail', five, false), ('block', seven, true), ('block too', seven AND two, true),
		('new', eleven, true), ('new block', thirteen AND NOT two, true), ('net', x > 100, true),
		('quiet', eleven, false), ('allow', thirteen AND two, false), ('allow some', thirteen AND x < 100, true)) d(name, hit, bad)
	WHERE d.hit GROUP BY d.name) b USING (name);

-- sole effect: what other decisions the policy makes without it (a shadow detector: with it)
CREATE TEMP TABLE flips (name text, sole bigint, sole_right bigint, sole_wrong bigint);
CREATE FUNCTION pg_temp.level(verdict text) RETURNS int LANGUAGE sql RETURN array_position('{safe,suspicious,malicious}', verdict);
CREATE FUNCTION pg_temp.measure(name text, made int, more boolean) RETURNS void LANGUAGE sql AS $$
	INSERT INTO flips SELECT name, count(*), count(*) FILTER (WHERE t.malicious = u.up), count(*) FILTER (WHERE t.malicious <> u.up)
	FROM signals s JOIN truth t USING (tenant, "Id"), assay.score('judged', s, made) n,
		LATERAL (SELECT (pg_temp.level(t.verdict) > pg_temp.level(n.verdict)) <> more AS up) u WHERE n.verdict <> t.verdict
$$;
DO $$
DECLARE
	d record;
	made int;
BEGIN
	FOR d IN SELECT detector, mode FROM assay.detectors WHERE policy = 'judged' AND detector <> 'broken' ORDER BY detector LOOP
		made := CASE d.mode WHEN 'shadow' THEN assay.promote('judged', d.detector) ELSE assay.retire_detector('judged', d.detector) END;
		PERFORM pg_temp.measure(d.detector, made, d.mode = 'shadow');
		PERFORM assay.alter_detector('judged', d.detector, mode => d.mode);
	END LOOP;
	FOR d IN SELECT * FROM assay.exclusions WHERE policy = 'judged' LOOP
		PERFORM pg_temp.measure(d.exclusion, assay.drop_exclusion('judged', d.exclusion), false);
		PERFORM assay.exclude('judged', d.exclusion, d.condition, d.mutes, d.verdict, d.reason);
	END LOOP;
END $$;
SELECT count(*) AS compared, count(*) FILTER (WHERE f.sole > 0) AS with_effect,
	count(*) FILTER (WHERE (r.sole, r.sole_right, r.sole_wrong) IS DISTINCT FROM (f.sole, f.sole_right, f.sole_wrong)) AS differ
FROM assay.precision_report('judged') r JOIN flips f USING (name);

-- a message counts once, by its latest decision; and by when it was decided
INSERT INTO judged_decision (tenant, "Id", revision, decided_at, verdict, score, attribution)
SELECT s.tenant, s."Id", assay.revision(n.attribution), '2020-01-01', n.verdict, n.score, n.attribution
FROM signals s, assay.score('judged', s) n WHERE x < 50;
SELECT sum(hits) FROM assay.precision_report('judged') WHERE kind = 'verdict';
SELECT sum(hits) FROM assay.precision_report('judged', until => '2020-01-01') WHERE kind = 'verdict';
SELECT sum(hits) FROM assay.precision_report('judged', '2020-01-01', '2020-01-02') WHERE kind = 'verdict';
SELECT sum(hits) FROM assay.precision_report('judged', '2020-01-02') WHERE kind = 'verdict';
-- recall counts what a detector could see: one made later has not missed what came before
SELECT assay.create_detector('judged', 'late', 'three', weight => 0.5, mode => 'live');
INSERT INTO message SELECT 'late', x, x FROM generate_series(200, 219) x;
INSERT INTO judged_label SELECT tenant, "Id", three, 'first' FROM signals WHERE tenant = 'late';
SELECT name, hits, recall FROM assay.precision_report('judged') WHERE name IN ('late', 'three');
-- wider intervals, extreme margins, no thresholds
SELECT bool_and(a.lower > b.lower AND a.upper < b.upper) AS wider FROM assay.precision_report('judged') a JOIN assay.precision_report('judged', confidence => 0.99) b
	USING (kind, name, mode, claim) WHERE a.tp > 0 AND a.fp > 0;
SELECT assay.create_detector('judged', 'huge', 'x = 307', weight => 1000, mode => 'live');
SELECT assay.create_detector('judged', 'tiny', 'x = 311', weight => -1000, mode => 'live');
INSERT INTO message VALUES ('huge', 307, 307), ('huge', 311, 311);
SELECT name, claim, hits, sole FROM assay.precision_report('judged') WHERE name IN ('huge', 'tiny');
DO $$ BEGIN
	PERFORM assay.alter_detector(policy, detector, force_verdict => '') FROM assay.detectors WHERE policy = 'judged' AND force_verdict <> '' AND mode <> 'retired';
	PERFORM assay.drop_exclusion(policy, exclusion) FROM assay.exclusions WHERE policy = 'judged' AND verdict <> '';
END $$;
SELECT assay.alter_policy('judged', thresholds => '{"caught": 1}', default_verdict => 'fine') IS NOT NULL AS other_verdicts;
INSERT INTO message VALUES ('none', 302, 302);
SELECT kind, name, claim, hits FROM assay.precision_report('judged') WHERE kind = 'verdict';
-- a detector that was written by hand, with a tag that is null
INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout, tags)
SELECT policy, 'by hand', max(revision), 'true', 0, 'live', 1, '{NULL,hand}' FROM assay.revision WHERE policy = 'judged' GROUP BY policy;
INSERT INTO message VALUES ('none', 303, 303);
SELECT kind, name, hits FROM assay.precision_report('judged') WHERE name IN ('by hand', 'hand') OR name IS NULL;

\set VERBOSITY terse
SELECT * FROM assay.precision_report('nobody');
SELECT * FROM assay.precision_report('judged', NULL);
SELECT * FROM assay.precision_report('judged', confidence => 1);
DROP TRIGGER decide ON message;
DROP VIEW truth;
SELECT assay.drop_policy('judged', true);
DROP SCHEMA "Judge me" CASCADE;
