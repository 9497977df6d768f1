-- activity, outcome and scored can be compared, grouped, sorted and hashed

CREATE TABLE v AS SELECT i, i % 3 AS n,
	(SELECT assay.activity_agg(t) FROM generate_series(timestamptz '2024-01-01 00:00+00', timestamptz '2024-01-01 00:00+00' + (i % 3) * interval '20 h', interval '1 h') t) AS activity,
	assay.outcome(i % 3, 5) AS outcome,
	(SELECT assay.scored_agg(s / 10.0, s % 2 = 0) FROM generate_series(0, i % 3) s) AS scored
FROM generate_series(1, 9) i;

SELECT count(DISTINCT activity), count(DISTINCT outcome), count(DISTINCT scored) FROM v;

SET enable_hashagg = off;
SELECT min(n), max(n), count(*) FROM v GROUP BY activity ORDER BY 1;
SELECT min(n), max(n), count(*) FROM v GROUP BY outcome ORDER BY 1;
SELECT min(n), max(n), count(*) FROM v GROUP BY scored ORDER BY 1;
RESET enable_hashagg;
SET enable_sort = off;
SELECT min(n), max(n), count(*) FROM v GROUP BY activity, outcome, scored ORDER BY min(n);
RESET enable_sort;

SELECT outcome FROM v GROUP BY outcome ORDER BY outcome;

-- joins of each kind
SET enable_nestloop = off;
SET enable_mergejoin = off;
SELECT count(*) FROM v a JOIN v b ON a.activity OPERATOR(assay.=) b.activity AND a.outcome OPERATOR(assay.=) b.outcome AND a.scored OPERATOR(assay.=) b.scored;
RESET enable_mergejoin;
SET enable_hashjoin = off;
SELECT count(*) FROM v a JOIN v b ON a.activity OPERATOR(assay.=) b.activity;
SELECT count(*) FROM v a JOIN v b ON a.outcome OPERATOR(assay.=) b.outcome;
SELECT count(*) FROM v a JOIN v b ON a.scored OPERATOR(assay.=) b.scored;
RESET enable_hashjoin;
RESET enable_nestloop;

-- the operators agree with each other: no row
SELECT a.i, b.i FROM v a, v b, LATERAL (VALUES
	('activity', assay_internal.activity_cmp(a.activity, b.activity), a.activity OPERATOR(assay.<) b.activity, a.activity OPERATOR(assay.<=) b.activity, a.activity OPERATOR(assay.=) b.activity,
		a.activity OPERATOR(assay.>=) b.activity, a.activity OPERATOR(assay.>) b.activity, a.activity OPERATOR(assay.<>) b.activity, assay_internal.activity_hash(a.activity) = assay_internal.activity_hash(b.activity)),
	('outcome', assay_internal.outcome_cmp(a.outcome, b.outcome), a.outcome OPERATOR(assay.<) b.outcome, a.outcome OPERATOR(assay.<=) b.outcome, a.outcome OPERATOR(assay.=) b.outcome,
		a.outcome OPERATOR(assay.>=) b.outcome, a.outcome OPERATOR(assay.>) b.outcome, a.outcome OPERATOR(assay.<>) b.outcome, assay_internal.outcome_hash(a.outcome) = assay_internal.outcome_hash(b.outcome)),
	('scored', assay_internal.scored_cmp(a.scored, b.scored), a.scored OPERATOR(assay.<) b.scored, a.scored OPERATOR(assay.<=) b.scored, a.scored OPERATOR(assay.=) b.scored,
		a.scored OPERATOR(assay.>=) b.scored, a.scored OPERATOR(assay.>) b.scored, a.scored OPERATOR(assay.<>) b.scored, assay_internal.scored_hash(a.scored) = assay_internal.scored_hash(b.scored))
	) o(type, cmp, lt, le, eq, ge, gt, ne, hash)
WHERE lt <> (cmp < 0) OR le <> (cmp <= 0) OR eq <> (cmp = 0) OR ge <> (cmp >= 0) OR gt <> (cmp > 0) OR ne <> (cmp <> 0) OR eq <> (a.n = b.n) OR hash <> eq;

-- a partition by hash
CREATE TABLE p (o assay.outcome) PARTITION BY HASH (o);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p SELECT outcome FROM v;
SELECT count(*) FROM p WHERE o OPERATOR(assay.=) assay.outcome(1, 5);

-- unique indexes
CREATE UNIQUE INDEX ON v (activity, i);
CREATE UNIQUE INDEX ON v (outcome, i);
CREATE UNIQUE INDEX ON v (scored); -- not unique

DROP TABLE v, p;

-- a sort keeps no more than what it sorts: a comparison gives back what it made
CREATE TABLE many AS SELECT assay.scored_agg(g % 97 / 97.0, g % 2 = 0) AS scored, assay.outcome(g % 97, g % 2) AS outcome,
	assay.summary_agg(g % 97 / 97.0) AS summary, assay.activity_agg(timestamptz '2024-01-01 00:00+00' + g % 97 * interval '1 h') AS activity
FROM generate_series(1, 20000) g GROUP BY g;
CREATE FUNCTION sort_is_small(col text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	sorted refcursor;
	small boolean;
BEGIN
	OPEN sorted FOR EXECUTE format('SELECT m.%I FROM many m ORDER BY m.%1$I', col);
	MOVE sorted;
	SELECT sum(c.total_bytes) BETWEEN 1 AND 12000000 INTO small FROM pg_backend_memory_contexts c WHERE c.name ILIKE '%sort%';
	CLOSE sorted;
	RETURN small;
END $$;
SELECT c, sort_is_small(c) FROM unnest('{scored,outcome,summary,activity}'::text[]) c;
DROP FUNCTION sort_is_small;
DROP TABLE many;
