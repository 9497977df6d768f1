-- precision_report() counts in C, in one pass: here it is compared with its definition in plain SQL, over ledgers made at
-- random, with all that a ledger can hold
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE SCHEMA counts;
SET search_path = counts, public;
CREATE TABLE message (tenant text, id numeric, x int, PRIMARY KEY (tenant, id));
SELECT assay.create_policy('counted', 'message', '{tenant,id}', prior => -1, thresholds => '{"low": 0.3, "medium": 0.5, "high": 0.9}', default_verdict => 'fine') AS revision \gset
-- detectors, shadows and exclusions that come, change and go; verdicts that are renamed
SELECT count(assay.create_detector('counted', 'd' || i, 'x = ' || i, weight => i - 5, mode => CASE WHEN i % 4 = 0 THEN 'shadow' ELSE 'live' END)) FROM generate_series(1, 9) i;
SELECT count(assay.exclude('counted', 'x' || i, 'x = ' || i, mutes => '{d1,d2}', reason => 'test')) FROM generate_series(1, 3) i;
SELECT assay.promote('counted', 'd4') > 0 AS promoted, assay.retire_detector('counted', 'd5') > 0 AS retired, assay.drop_exclusion('counted', 'x3') > 0 AS dropped;
SELECT assay.alter_policy('counted', thresholds => '{"medium": 0.4, "high": 0.8, "worst": 1}') > 0 AS altered;
SELECT assay.create_detector('counted', 'silent', 'x = 0', weight => -1, mode => 'live') > 0 AS made;

-- a number from 0 to below n, that looks like chance
CREATE FUNCTION chance(i int, what text, n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN (hashtextextended(i || what, 42) & 1073741823) % n;
CREATE FUNCTION one_of(i int, what text, VARIADIC choices text[]) RETURNS text LANGUAGE sql IMMUTABLE RETURN choices[1 + chance(i, what, cardinality(choices))];
-- an entry: rule, model or exclusion, more or less as the engine would make it
CREATE FUNCTION entry(i int, j text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object('detector', CASE WHEN kind = 'exclusion' THEN 'x' || 1 + chance(i, j || 'x', 4) ELSE 'd' || 1 + chance(i, j || 'd', 10) END,
		'kind', kind, 'contribution', CASE WHEN kind = 'exclusion' THEN 0 ELSE (chance(i, j || 'c', 17) - 8) / 4.0 END, 'hit', chance(i, j || 'h', 5) > 0,
		'shadow', kind <> 'exclusion' AND chance(i, j || 's', 5) = 0, 'suspended', chance(i, j || 'u', 40) = 0,
		'muted_by', CASE WHEN kind <> 'exclusion' AND chance(i, j || 'm', 4) = 0 THEN 'x' || 1 + chance(i, j || 'y', 4) END,
		'forced', CASE WHEN chance(i, j || 'f', 4) = 0 THEN one_of(i, j || 'v', 'fine', 'low', 'medium', 'high', 'worst', 'unknown') END,
		'fault', CASE WHEN chance(i, j || 'e', 30) = 0 THEN '22012' END))
	FROM (SELECT one_of(i, j || 'k', 'rule', 'rule', 'rule', 'model', 'exclusion', 'signals') AS kind) k
$$;
INSERT INTO counted_decision (tenant, id, revision, decided_at, verdict, score, attribution)
SELECT 't' || i % 3, i, r, '2026-01-01'::timestamptz + chance(i, r || 'at', 100) * interval '1 hour',
	one_of(i, r || 'verdict', 'fine', 'fine', 'low', 'medium', 'high', 'worst', 'gone'), 0.5,
	jsonb_build_object('revision', r, 'prior', -1, 'margin', (chance(i, r || 'margin', 41) - 20) / 4.0,
		'entries', (SELECT coalesce(jsonb_agg(entry(i, r || 'entry' || j)), '[]') FROM generate_series(1, chance(i, r || 'entries', 9)) j))::text::assay.attribution
FROM generate_series(1, 3000) i, generate_series(1, 20) r WHERE chance(i, 'r' || r, 13) = 0;
INSERT INTO counted_label SELECT 't' || i % 3, i, chance(i, 'label' || j, 3) = 0, 'test', '2026-01-01'::timestamptz + j * interval '1 day'
FROM generate_series(1, 3000) i, generate_series(1, 2) j WHERE chance(i, 'labelled' || j, 2) = 0;
ANALYZE counted_decision, counted_label;

-- what the columns are, in one statement
CREATE FUNCTION defined(since timestamptz, until timestamptz, confidence float8) RETURNS TABLE (kind text, name text, mode text, claim text, hits bigint, labelled bigint,
	tp bigint, fp bigint, "precision" float8, lower float8, upper float8, recall float8, fnr float8, sole bigint, sole_right bigint, sole_wrong bigint, overlap bigint)
	LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		WITH j AS MATERIALIZED (
			-- a message counts once, by its latest decision of that time; of its labels the latest counts
			SELECT row_number() OVER () AS n, d.revision, d.verdict, d.attribution, l.malicious
			FROM (SELECT DISTINCT ON (tenant, id) * FROM counted_decision WHERE decided_at >= since AND decided_at < until ORDER BY tenant, id, revision DESC) d
			LEFT JOIN (SELECT DISTINCT ON (tenant, id) * FROM counted_label ORDER BY tenant, id, labelled_at DESC) l USING (tenant, id)
		), r AS MATERIALIZED (
			-- verdicts by level: 0 is the default, the others in order of their thresholds
			SELECT v.revision, v.default_verdict || t.names AS names, t.thresholds
			FROM assay.revision v, LATERAL (
				SELECT coalesce(array_agg(e.key ORDER BY e.value::float8), '{}') AS names,
					coalesce(array_agg(e.value::float8 ORDER BY e.value::float8), '{}') AS thresholds
				FROM jsonb_each_text(v.thresholds) e) t
			WHERE v.policy = 'counted'
		), e AS (
			SELECT j.n, j.malicious, g.kind, g.detector AS name, g.hit, g.counted, g.shadow, g.muted_by, g.contribution,
				array_position(r.names, g.forced) - 1 AS forced, assay.margin(j.attribution) AS margin, r.thresholds,
				CASE WHEN g.kind = 'exclusion' OR g.contribution = 0 AND g.hit
					THEN CASE WHEN array_position(r.names, g.forced) > 1 OR g.forced IS NULL AND g.kind <> 'exclusion' THEN 'malicious' ELSE 'safe' END
					WHEN (g.contribution > 0) = g.hit THEN 'malicious' ELSE 'safe' END AS claim
			FROM j JOIN r USING (revision), assay.ledger(j.attribution) g
			WHERE g.kind IN ('rule', 'model', 'exclusion') AND g.fault IS NULL
		), u AS (
			-- what each exclusion silenced
			SELECT e.n, e.muted_by AS name, sum(e.contribution) AS contribution, max(e.forced) FILTER (WHERE e.hit) AS forced
			FROM e WHERE e.muted_by IS NOT NULL AND NOT e.shadow GROUP BY 1, 2
		), m AS (
			SELECT e.*,
				min(e.forced) FILTER (WHERE e.kind = 'exclusion' AND e.hit) OVER w AS allowed,
				min(e.forced) FILTER (WHERE e.kind = 'exclusion' AND e.hit) OVER o AS allowed_without,
				max(e.forced) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted) OVER w AS pushed,
				max(e.forced) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted) OVER o AS pushed_without,
				count(*) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted AND e.claim = 'malicious') OVER o AS others_malicious,
				count(*) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted AND e.claim = 'safe') OVER o AS others_safe
			FROM e WINDOW w AS (PARTITION BY e.n),
				o AS (PARTITION BY e.n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW)
		), x AS (
			-- the level with (a) and without (b) this entry; with a shadow detector, as if it were live
			SELECT m.*,
				CASE WHEN m.shadow AND m.muted_by IS NULL THEN coalesce(m.allowed, greatest(m.pushed, CASE WHEN m.hit THEN m.forced END), s.other)
					ELSE coalesce(m.allowed, m.pushed, s.level) END AS a,
				CASE WHEN m.kind = 'exclusion' THEN coalesce(m.allowed_without, greatest(m.pushed, u.forced), s.other)
					WHEN m.counted THEN coalesce(m.allowed, m.pushed_without, s.other)
					ELSE coalesce(m.allowed, m.pushed, s.level) END AS b
			FROM m LEFT JOIN u ON m.kind = 'exclusion' AND u.n = m.n AND u.name = m.name,
				LATERAL (SELECT
					width_bucket(1 / (1 + exp(-least(greatest(m.margin, -700), 700))), m.thresholds) AS level,
					width_bucket(1 / (1 + exp(-least(greatest(m.margin + CASE WHEN m.kind = 'exclusion' THEN coalesce(u.contribution, 0)
						WHEN m.shadow THEN m.contribution ELSE -m.contribution END, -700), 700))), m.thresholds) AS other) s
		), h AS (
			SELECT x.kind, x.name, CASE WHEN x.kind <> 'exclusion' THEN CASE WHEN x.shadow THEN 'shadow' ELSE 'live' END END AS mode, x.claim,
				count(*) FILTER (WHERE x.hit) AS hits,
				count(x.malicious) FILTER (WHERE x.hit) AS labelled,
				count(*) FILTER (WHERE x.hit AND x.malicious = (x.claim = 'malicious')) AS tp,
				count(*) FILTER (WHERE x.a <> x.b) AS sole,
				count(*) FILTER (WHERE x.a <> x.b AND x.malicious = (x.a > x.b)) AS sole_right,
				count(*) FILTER (WHERE x.a <> x.b AND x.malicious <> (x.a > x.b)) AS sole_wrong,
				count(*) FILTER (WHERE x.hit AND CASE x.claim WHEN 'safe' THEN x.others_safe ELSE x.others_malicious END > 0) AS overlap
			FROM x GROUP BY 1, 2, 3, 4
		), c AS (
			SELECT j.revision, count(*) FILTER (WHERE j.malicious) AS malicious, count(*) FILTER (WHERE NOT j.malicious) AS safe FROM j GROUP BY 1
		), stood AS (
			-- what each could have hit: labelled messages decided by a revision in which it stood
			SELECT q.detector AS name, q.mode, sum(c.malicious) AS malicious, sum(c.safe) AS safe
			FROM assay.detector q JOIN c ON c.revision >= q.from_revision AND (q.until_revision IS NULL OR c.revision < q.until_revision)
			WHERE q.policy = 'counted' AND q.mode IN ('live', 'shadow') GROUP BY 1, 2
			UNION ALL
			SELECT q.exclusion, NULL, sum(c.malicious), sum(c.safe)
			FROM assay.exclusion q JOIN c ON c.revision >= q.from_revision AND (q.until_revision IS NULL OR c.revision < q.until_revision)
			WHERE q.policy = 'counted' GROUP BY 1
		), silent AS (
			-- detectors that stand now and had nothing to say
			SELECT CASE WHEN q.condition IS NULL THEN 'model' ELSE 'rule' END AS kind, q.detector AS name, q.mode,
				CASE WHEN q.weight < 0 THEN 'safe' ELSE 'malicious' END AS claim
			FROM assay.detector q WHERE q.policy = 'counted' AND q.until_revision IS NULL AND q.mode IN ('live', 'shadow')
				AND NOT EXISTS (SELECT FROM h WHERE h.name = q.detector AND h.kind <> 'exclusion')
		), rows AS (
			SELECT 1 AS part, 0 AS level, h.kind, h.name, h.mode, h.claim, h.hits, h.labelled, h.tp, h.labelled - h.tp AS fp,
				h.tp AS found, CASE h.claim WHEN 'safe' THEN stood.safe ELSE stood.malicious END::bigint AS all_of_them,
				h.sole, h.sole_right, h.sole_wrong, h.overlap
			FROM h LEFT JOIN stood ON stood.name = h.name AND stood.mode IS NOT DISTINCT FROM h.mode
			UNION ALL
			SELECT 1, 0, s.kind, s.name, s.mode, s.claim, 0, 0, 0, 0, 0,
				CASE s.claim WHEN 'safe' THEN stood.safe ELSE stood.malicious END::bigint, 0, 0, 0, 0
			FROM silent s LEFT JOIN stood ON stood.name = s.name AND stood.mode = s.mode
			UNION ALL
			SELECT 0, v.level, 'verdict', v.name, NULL, CASE WHEN v.level = 0 THEN 'safe' ELSE 'malicious' END, v.hits, v.labelled,
				CASE WHEN v.level = 0 THEN v.safe ELSE v.malicious END, CASE WHEN v.level = 0 THEN v.malicious ELSE v.safe END,
				-- this verdict or a worse one
				CASE WHEN v.level = 0 THEN v.safe ELSE sum(v.malicious) OVER (ORDER BY v.level DESC) END::bigint,
				CASE WHEN v.level = 0 THEN sum(v.safe) OVER () ELSE sum(v.malicious) OVER () END::bigint, NULL, NULL, NULL, NULL
			FROM (
				-- by the latest revision, or by its own if that does not know it
				SELECT coalesce(k.level, max(array_position(r.names, j.verdict)) - 1, 0) AS level, coalesce(k.name, j.verdict) AS name,
					count(j.n) AS hits, count(j.malicious) AS labelled,
					count(*) FILTER (WHERE j.malicious) AS malicious, count(*) FILTER (WHERE NOT j.malicious) AS safe
				FROM (SELECT u.name, u.level - 1 AS level
						FROM (SELECT r.names FROM r ORDER BY r.revision DESC LIMIT 1) z, unnest(z.names) WITH ORDINALITY u(name, level)) k
				FULL JOIN j ON j.verdict = k.name LEFT JOIN r USING (revision) GROUP BY k.level, coalesce(k.name, j.verdict)
			) v
		)
		SELECT rows.kind, rows.name, rows.mode, rows.claim, rows.hits, rows.labelled, rows.tp, rows.fp,
			rows.tp::float8 / nullif(rows.labelled, 0), w.lower, w.upper,
			rows.found::float8 / nullif(rows.all_of_them, 0), 1 - rows.found::float8 / nullif(rows.all_of_them, 0),
			rows.sole, rows.sole_right, rows.sole_wrong, rows.overlap
		FROM rows, assay.wilson_interval(rows.tp, rows.labelled, confidence) w
		ORDER BY rows.part, rows.level DESC, rows.hits DESC, rows.name COLLATE "C", rows.mode, rows.claim;
END $$;

-- the data say something
SELECT count(*) > 80 AS rows, count(*) FILTER (WHERE sole_right > 0 AND sole_wrong > 0 AND sole > sole_right + sole_wrong) > 40 AS with_effect,
	count(*) FILTER (WHERE overlap BETWEEN 1 AND hits - 1) > 30 AS with_overlap, count(*) FILTER (WHERE kind = 'exclusion' AND sole > 0) AS exclusions,
	count(*) FILTER (WHERE recall BETWEEN 0.01 AND 0.99) > 20 AS with_recall, count(*) FILTER (WHERE recall IS NULL) > 0 AS without_recall,
	count(DISTINCT kind) AS kinds, count(DISTINCT mode) AS modes
FROM assay.precision_report('counted');

-- every row of the report, in its order, for all time and parts of it
CREATE FUNCTION differences(since timestamptz, until timestamptz, confidence float8) RETURNS TABLE (defined text, reported text) LANGUAGE sql AS $$
	SELECT d::text, r::text FROM (SELECT *, row_number() OVER () AS n FROM defined($1, $2, $3)) d
	FULL JOIN (SELECT kind, name, mode, claim, hits, labelled, tp, fp, "precision", lower, upper, recall, fnr, sole, sole_right, sole_wrong, overlap, row_number() OVER () AS n FROM assay.precision_report('counted', $1, $2, $3)) r USING (n) WHERE d::text IS DISTINCT FROM r::text
$$;
SELECT * FROM differences('-infinity', 'infinity', 0.95);
SELECT * FROM differences('2026-01-02', '2026-01-03 12:00', 0.8);
SELECT * FROM differences('2026-01-04', 'infinity', 0.95);
SELECT * FROM differences('2020-01-01', '2020-01-02', 0.95);
SELECT * FROM differences('infinity', 'infinity', 0.95);
-- by segment: as if there were no others
CREATE TEMP TABLE by_tenant AS SELECT * FROM assay.precision_report('counted', by => 'tenant');
SELECT segment, count(*) > 50 AS rows, sum(hits) FILTER (WHERE kind = 'verdict') AS decisions, count(DISTINCT evaluated) FILTER (WHERE kind = 'verdict') AS one FROM by_tenant GROUP BY 1 ORDER BY 1;
BEGIN;
DELETE FROM counted_decision WHERE tenant <> 't1';
SELECT count(*) AS differ FROM (SELECT b::text FROM by_tenant b WHERE segment = 't1') b FULL JOIN (SELECT replace(r::text, ',)', ',t1)') AS b FROM assay.precision_report('counted') r) r USING (b) WHERE b.b IS NULL OR r.b IS NULL;
ROLLBACK;
-- by a signal, which the view tells, and by the label's category
SELECT segment, sum(hits) FROM assay.precision_report('counted', by => 'x') WHERE kind = 'verdict' GROUP BY 1 ORDER BY 1;
INSERT INTO message SELECT 't' || i % 3, i, i % 4 FROM generate_series(1, 3000, 7) i;
SELECT r.segment, sum(r.hits) AS decisions, (SELECT count(DISTINCT (d.tenant, d.id)) FROM counted_decision d LEFT JOIN message m USING (tenant, id) WHERE m.x::text IS NOT DISTINCT FROM r.segment) AS really
FROM assay.precision_report('counted', by => 'x') r WHERE r.kind = 'verdict' GROUP BY 1 ORDER BY 1;
UPDATE counted_label SET category = CASE WHEN malicious THEN 'kind ' || id % 2 END;
SELECT segment, sum(hits) FILTER (WHERE kind = 'verdict') AS decisions, sum(fp) FILTER (WHERE name IN ('worst', 'high')) AS fp FROM assay.precision_report('counted', by => 'category') GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM assay.precision_report('counted', by => 'nothing');
SELECT count(*) FROM assay_internal.count_decisions(NULL, '-infinity', 'infinity');
-- in how many decisions it could have hit
SELECT r.name, r.mode, r.evaluated, (SELECT count(*) FROM (SELECT DISTINCT ON (tenant, id) revision FROM counted_decision ORDER BY tenant, id, revision DESC) d, assay.detector t
	WHERE t.policy = 'counted' AND t.detector = r.name AND t.mode = r.mode AND d.revision >= t.from_revision AND (t.until_revision IS NULL OR d.revision < t.until_revision)) AS really
FROM assay.precision_report('counted') r WHERE r.name IN ('d1', 'd4', 'd5') AND r.kind = 'rule' AND r.claim = 'safe' AND r.mode = 'live' ORDER BY 1;

-- pairs of detectors that hit together
WITH j AS (
	SELECT row_number() OVER () AS n, d.attribution, l.malicious FROM (SELECT DISTINCT ON (tenant, id) * FROM counted_decision ORDER BY tenant, id, revision DESC) d
	LEFT JOIN (SELECT DISTINCT ON (tenant, id) * FROM counted_label ORDER BY tenant, id, labelled_at DESC) l USING (tenant, id)
), e AS (
	SELECT j.n, j.malicious, g.entry, (CASE WHEN g.shadow THEN 'shadow:' ELSE '' END || g.detector) COLLATE "C" AS name FROM j, assay.ledger(j.attribution) g
	WHERE g.hit AND g.kind IN ('rule', 'model') AND g.fault IS NULL AND EXISTS (SELECT FROM assay.revision v WHERE v.policy = 'counted' AND v.revision = assay.revision(j.attribution))
), h AS (
	SELECT name, count(*) AS hits FROM e GROUP BY name
), p AS (
	SELECT least(a.name, b.name) AS a, greatest(a.name, b.name) AS b, count(*) AS "both", count(*) FILTER (WHERE a.malicious) AS malicious, count(*) FILTER (WHERE NOT a.malicious) AS safe
	FROM e a JOIN e b ON a.n = b.n AND a.entry < b.entry GROUP BY 1, 2
)
SELECT count(*) > 100 AS pairs, count(*) FILTER (WHERE (p."both", p.malicious, p.safe, x.hits, y.hits) IS DISTINCT FROM (o."both", o.malicious, o.safe, o.hits_a, o.hits_b)) AS differ,
	count(*) FILTER (WHERE abs(o.jaccard - p."both"::float8 / (x.hits + y.hits - p."both")) > 1e-12) AS jaccard_differs
FROM p JOIN h x ON x.name = p.a JOIN h y ON y.name = p.b FULL JOIN assay.overlap_report('counted') o ON o.detector_a = p.a AND o.detector_b = p.b;
SELECT count(*) FROM assay.overlap_report('nobody');
SELECT count(*) FROM assay.overlap_report('counted', '2026-01-02', '2026-01-01');

-- tags: a message counts once, whichever of the detectors hit
SELECT assay.alter_detector('counted', 'd1', tags => '{odd,"first one"}') > 0, assay.alter_detector('counted', 'd3', tags => '{odd}') > 0, assay.alter_detector('counted', 'silent', tags => '{quiet}') > 0;
SELECT r.name, sum(r.hits) AS hits, count(*) FILTER (WHERE r.evaluated = 2388) AS evaluated,
	(SELECT count(DISTINCT (d.tenant, d.id, CASE WHEN g.contribution = 0 THEN coalesce(g.forced <> 'fine', true) ELSE g.contribution > 0 END))
	 FROM (SELECT DISTINCT ON (tenant, id) * FROM counted_decision ORDER BY tenant, id, revision DESC) d, assay.ledger(d.attribution) g
	 WHERE g.hit AND g.counted AND g.kind IN ('rule', 'model') AND g.detector = ANY (CASE r.name WHEN 'odd' THEN '{d1,d3}'::text[] ELSE '{d1}' END)
		AND (g.forced IS NULL OR g.contribution <> 0)) AS at_least
FROM assay.precision_report('counted') r WHERE r.kind = 'tag' GROUP BY r.name ORDER BY 1;

-- nothing is 0 that has no denominator
SELECT count(*) FILTER (WHERE labelled = 0) AS unlabelled, count(*) FILTER (WHERE labelled = 0 AND num_nonnulls("precision", lower, upper) > 0) AS wrong
FROM assay.precision_report('counted', '2026-01-01', '2026-01-01 01:00') WHERE kind <> 'verdict';
SELECT kind, name, "precision", lower, upper, recall, fnr FROM assay.precision_report('counted', '2020-01-01', '2020-01-02') WHERE kind = 'verdict' OR name = 'silent';

-- keys are compared as what they are: 1.0 is 1.00
TRUNCATE counted_decision, counted_label;
INSERT INTO counted_decision (tenant, id, revision, verdict, score, attribution) VALUES ('t', 1.0, 1, 'high', 1, '{"revision": 1, "prior": 0, "margin": 5, "entries": []}');
INSERT INTO counted_label VALUES ('t', 1.00, true, 'test');
SELECT name, hits, labelled, tp, "precision", recall FROM assay.precision_report('counted') WHERE hits > 0;

-- an operator of the caller's own makes the revisions nothing else
CREATE FUNCTION eight(text, text[]) RETURNS int8 LANGUAGE sql IMMUTABLE RETURN 8;
CREATE OPERATOR || (FUNCTION = eight, LEFTARG = text, RIGHTARG = text[]);
SET search_path = counts, pg_catalog, public;
SELECT name, hits FROM assay_internal.count_decisions('counted', '-infinity', 'infinity') WHERE kind = 'verdict';
SET search_path = counts, public;
DROP OPERATOR || (text, text[]);
DROP FUNCTION eight;

-- a ledger that is none
CREATE TYPE raw;
CREATE FUNCTION raw_in(cstring) RETURNS raw LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
CREATE FUNCTION raw_out(raw) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
CREATE TYPE raw (INPUT = raw_in, OUTPUT = raw_out, LIKE = assay.attribution);
CREATE CAST (raw AS assay.attribution) WITHOUT FUNCTION;
\set VERBOSITY terse
-- 2 entries, of which one is there; a name that is not UTF8
UPDATE counted_decision SET attribution = '\x01000200010000000000000000000000000000000000000000000000000100000000000000000161'::raw::assay.attribution;
SELECT name, hits FROM assay.precision_report('counted') WHERE hits > 0;
UPDATE counted_decision SET attribution = '\x010001000100000000000000000000000000000000000000000000000001000000000000000001ff'::raw::assay.attribution;
SELECT name, hits FROM assay.precision_report('counted') WHERE hits > 0;
DROP TABLE counted_label CASCADE;
SELECT name, hits FROM assay.precision_report('counted') WHERE hits > 0;

DROP FUNCTION defined, differences;
SELECT assay.drop_policy('counted');
DROP SCHEMA counts CASCADE;
