-- A world of known truth: n messages, of which one in a thousand is malicious, with scores that tell them apart
-- well but not wholly, and the verdicts of two thresholds.
SELECT setseed(0.42);
CREATE TABLE world AS
SELECT malicious, score::real AS score, CASE WHEN score >= 0.9 THEN 'malicious' WHEN score >= 0.5 THEN 'suspicious' ELSE 'safe' END AS verdict
FROM (SELECT i % 1000 = 0 AS malicious, 1 / (1 + exp(-CASE WHEN i % 1000 = 0 THEN 2.5 + 2.5 * g ELSE -8 + 2.2 * g END)) AS score
	FROM (SELECT i, sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS g FROM generate_series(1, :n) i) r) s;

CREATE TABLE strata AS
SELECT k.kind, CASE k.kind WHEN 'verdict' THEN verdict ELSE assay_internal.score_stratum(verdict, score) END AS stratum, verdict,
	CASE verdict WHEN 'safe' THEN 0 WHEN 'suspicious' THEN 1 ELSE 2 END AS level,
	count(*) AS population, count(*) FILTER (WHERE malicious) AS malicious, avg(score) AS share
FROM world, (VALUES ('verdict'), ('score')) k(kind) GROUP BY 1, 2, 3, 4;

-- How many of the malicious ones are among those drawn: each in turn with the chance that is left
CREATE FUNCTION drawn_malicious(population bigint, malicious bigint, drawn bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	found bigint := 0;
BEGIN
	FOR i IN 0 .. malicious - 1 LOOP
		IF random() * (population - i) < drawn - found THEN
			found := found + 1;
		END IF;
	END LOOP;
	RETURN found;
END $$;

CREATE TABLE truth AS
SELECT 'prevalence' AS metric, NULL AS name, avg(malicious::int) AS value FROM world
UNION ALL SELECT 'precision', verdict, avg((malicious = (verdict <> 'safe'))::int) FROM world GROUP BY verdict
UNION ALL SELECT m.metric, v.name, CASE m.metric WHEN 'recall' THEN v.recall ELSE 1 - v.recall END
FROM (SELECT 'malicious' AS name, avg((verdict = 'malicious')::int) AS recall FROM world WHERE malicious
	UNION ALL SELECT 'suspicious', avg((verdict <> 'safe')::int) FROM world WHERE malicious) v, (VALUES ('recall'), ('fnr')) m(metric);

CREATE TABLE result (strategy text, budget int, trial int, metric text, name text, estimate float8, lower float8, upper float8, note text);
CREATE PROCEDURE simulate(strategy text, budget int, trials int) LANGUAGE plpgsql AS $$
DECLARE
	strata assay.review_stratum[];
	plan bigint[];
BEGIN
	plan := (SELECT assay_internal.review_allocation(strategy, budget, array_agg(population ORDER BY stratum), array_agg(share ORDER BY stratum))
		FROM strata s WHERE s.kind = CASE strategy WHEN 'uniform' THEN 'verdict' ELSE 'score' END);
	FOR t IN 1 .. trials LOOP
		strata := array(SELECT ROW(s.stratum, s.verdict, s.level, NULL::boolean, s.population, s.drawn, s.drawn, drawn_malicious(s.population, s.malicious, s.drawn))::assay.review_stratum
			FROM (SELECT s.*, plan[row_number() OVER (ORDER BY s.stratum)] AS drawn FROM strata s
				WHERE s.kind = CASE strategy WHEN 'uniform' THEN 'verdict' ELSE 'score' END) s);
		INSERT INTO result SELECT strategy, budget, t, r.metric, r.name, r.estimate, r.lower, r.upper, r.note FROM assay.review_rates(strata) r;
	END LOOP;
END $$;

-- What a report over labels that came by themselves says: half of what was flagged was looked at, and one miss in ten
-- was complained of.
CREATE PROCEDURE simulate_naive(trials int) LANGUAGE plpgsql AS $$
DECLARE
	caught bigint := (SELECT count(*) FROM world WHERE malicious AND verdict <> 'safe');
	missed bigint := (SELECT count(*) FROM world WHERE malicious AND verdict = 'safe');
	k bigint;
	n bigint;
BEGIN
	FOR t IN 1 .. trials LOOP
		k := (SELECT count(*) FILTER (WHERE random() < 0.1) FROM generate_series(1, missed));
		n := k + (SELECT count(*) FILTER (WHERE random() < 0.5) FROM generate_series(1, caught));
		INSERT INTO result SELECT 'labels as they came', NULL, t, 'fnr', 'suspicious', k::float8 / n, w.lower, w.upper FROM assay.wilson_interval(k, n) w;
	END LOOP;
END $$;

CREATE VIEW coverage AS
SELECT r.strategy, r.budget, r.metric, r.name, t.value, avg((t.value BETWEEN r.lower - 1e-12 AND r.upper + 1e-12)::int) AS holds,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY r.upper - r.lower) AS width, percentile_cont(0.5) WITHIN GROUP (ORDER BY r.estimate) AS estimate,
	avg((r.note LIKE 'too poor%' OR r.note LIKE 'no missed%')::int) AS poor
FROM result r JOIN truth t ON t.metric = r.metric AND t.name IS NOT DISTINCT FROM r.name
GROUP BY 1, 2, 3, 4, 5;
