-- ---------------------------------------------------------------------------
-- report: rates of a policy from messages that were drawn for review
--
-- Strata are drawn from independently.  A total of malicious messages over
-- strata has the interval that is recovered from the strata's own (MOVER); a
-- ratio of two totals over different strata has that of Donner and Zou.
-- docs/review.md has the formulas and their sources.
-- ---------------------------------------------------------------------------

CREATE TYPE assay.review_stratum AS (
	stratum text, verdict text, level int, hit boolean,
	population bigint, drawn bigint, reviewed bigint, malicious bigint
);
COMMENT ON TYPE assay.review_stratum IS
	'part of the decisions of a time, of one verdict: how many there are, were drawn for review and reviewed, and how many of these are malicious';

CREATE FUNCTION assay_internal.exact_share(k float8, n float8, confidence float8, OUT lower float8, OUT upper float8) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.exact_share(float8, float8, float8) IS 'interval of Clopper and Pearson for k of n rows, which need not be whole';

-- A stratum that was reviewed whole has no error; one without a review may be anything.
CREATE FUNCTION assay_internal.stratum_total(s assay.review_stratum, confidence float8,
	OUT total float8, OUT lower float8, OUT upper float8) RETURNS record LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN s.reviewed > 0 THEN s.population * p.share ELSE s.population / 2.0 END,
		CASE WHEN s.reviewed = 0 THEN 0 WHEN s.reviewed >= s.population THEN s.malicious ELSE s.population * w.lower END,
		CASE WHEN s.reviewed = 0 THEN s.population WHEN s.reviewed >= s.population THEN s.malicious ELSE s.population * w.upper END
	FROM (SELECT s.malicious::float8 / nullif(s.reviewed, 0) AS share,
			least(s.reviewed * (s.population - 1)::float8 / nullif(s.population - s.reviewed, 0), 1e11) AS n) p
	LEFT JOIN LATERAL assay_internal.exact_share(p.share * p.n, p.n, confidence) w ON true
$$;
COMMENT ON FUNCTION assay_internal.stratum_total(assay.review_stratum, float8) IS
	'malicious messages of a stratum and their interval: Clopper and Pearson''s with the correction for a finite population';

CREATE FUNCTION assay_internal.ratio_interval(x float8, x_lower float8, x_upper float8, y float8, y_lower float8, y_upper float8,
	OUT lower float8, OUT upper float8) RETURNS record LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN x_lower <= 0 OR x <= 0 THEN 0
			WHEN y_upper * (2 * y - y_upper) = 0 THEN x_lower * (2 * x - x_lower) / (2 * x * y)
			ELSE (x * y - sqrt(greatest((x * y) ^ 2 - x_lower * (2 * x - x_lower) * y_upper * (2 * y - y_upper), 0))) / (y_upper * (2 * y - y_upper)) END,
		CASE WHEN y_lower <= 0 THEN 'infinity'
			ELSE (x * y + sqrt(greatest((x * y) ^ 2 - x_upper * (2 * x - x_upper) * y_lower * (2 * y - y_lower), 0))) / (y_lower * (2 * y - y_lower)) END
$$;
COMMENT ON FUNCTION assay_internal.ratio_interval(float8, float8, float8, float8, float8, float8) IS
	'interval of x / y for independent x and y with their intervals (MOVER-R)';

-- found and missed malicious messages of two sets of strata: part finds them, the rest misses them
CREATE FUNCTION assay_internal.review_rate(strata assay.review_stratum[], part boolean[], confidence float8,
	OUT population float8, OUT reviewed bigint, OUT malicious bigint, OUT total float8, OUT lower float8, OUT upper float8, OUT unreviewed text)
	RETURNS record LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(sum(s.population), 0)::float8, coalesce(sum(s.reviewed), 0)::bigint, coalesce(sum(s.malicious), 0)::bigint, coalesce(sum(t.total), 0),
		-- what nobody looked at may be anything, all of it at once
		greatest(coalesce(sum(t.total) - sqrt(sum((t.total - t.lower) ^ 2 * (1 - o.none))) - sum(t.total * o.none), 0), 0),
		least(coalesce(sum(t.total) + sqrt(sum((t.upper - t.total) ^ 2 * (1 - o.none))) + sum((t.upper - t.total) * o.none), 0), coalesce(sum(s.population), 0)::float8),
		string_agg(s.stratum, ', ' ORDER BY s.stratum) FILTER (WHERE s.reviewed = 0)
	FROM unnest(strata) WITH ORDINALITY s(stratum, verdict, level, hit, population, drawn, reviewed, malicious, n),
		LATERAL (SELECT (assay_internal.stratum_total(ROW(s.stratum, s.verdict, s.level, s.hit, s.population, s.drawn, s.reviewed, s.malicious), confidence)).*) t,
		LATERAL (SELECT (s.reviewed = 0)::int AS none) o
	WHERE part[s.n]
$$;
COMMENT ON FUNCTION assay_internal.review_rate(assay.review_stratum[], boolean[], float8) IS
	'malicious messages of the strata that are a part of all: sums with their interval';

CREATE FUNCTION assay.review_rates(strata assay.review_stratum[], confidence float8 DEFAULT 0.95,
	OUT metric text, OUT name text, OUT estimate float8, OUT lower float8, OUT upper float8,
	OUT population bigint, OUT reviewed bigint, OUT malicious bigint, OUT note text) RETURNS SETOF record LANGUAGE plpgsql IMMUTABLE ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	s assay.review_stratum;
	v record;
	a record;
	b record;
	r record;
BEGIN
	PERFORM assay.wilson_interval(0, 0, confidence);
	IF coalesce(strata, '{}') = '{}' THEN
		RETURN;
	END IF;
	FOREACH s IN ARRAY strata LOOP
		IF s.stratum IS NULL OR s.verdict IS NULL OR s.level IS NULL OR NOT (s.malicious >= 0 AND s.malicious <= s.reviewed AND s.reviewed <= s.drawn
			AND s.drawn <= s.population AND s.population > 0) IS TRUE THEN
			RAISE EXCEPTION 'not a stratum: %', s USING ERRCODE = 'invalid_parameter_value',
				HINT = 'malicious <= reviewed <= drawn <= population, and there is a verdict with its level.';
		END IF;
	END LOOP;
	-- of all messages
	SELECT * INTO a FROM assay_internal.review_rate(strata, array(SELECT true FROM unnest(strata)), confidence);
	metric := 'prevalence';
	estimate := CASE WHEN a.unreviewed IS NULL THEN a.total / a.population END;
	lower := a.lower / a.population;
	upper := a.upper / a.population;
	population := a.population;
	reviewed := a.reviewed;
	malicious := a.malicious;
	note := assay_internal.review_note(a.unreviewed, a.malicious, NULL);
	RETURN NEXT;
	-- of each verdict, and of what a detector hit
	FOR v IN SELECT 'precision' AS metric, u.verdict AS name, u.level, array(SELECT w.verdict = u.verdict FROM unnest(strata) WITH ORDINALITY w ORDER BY w.ordinality) AS part
			FROM unnest(strata) u GROUP BY u.verdict, u.level
		UNION ALL
		SELECT 'precision', 'detector', 1, array(SELECT coalesce(w.hit, false) FROM unnest(strata) WITH ORDINALITY w ORDER BY w.ordinality)
		WHERE EXISTS (SELECT FROM unnest(strata) u WHERE u.hit)
		ORDER BY level DESC, name LOOP
		SELECT * INTO a FROM assay_internal.review_rate(strata, v.part, confidence);
		metric := v.metric;
		name := v.name;
		population := a.population;
		reviewed := a.reviewed;
		malicious := a.malicious;
		note := assay_internal.review_note(a.unreviewed, NULL, NULL);
		-- the default verdict claims that a message is safe
		estimate := CASE WHEN a.unreviewed IS NOT NULL THEN NULL WHEN v.level = 0 THEN 1 - a.total / a.population ELSE a.total / a.population END;
		lower := CASE WHEN v.level = 0 THEN 1 - a.upper / a.population ELSE a.lower / a.population END;
		upper := CASE WHEN v.level = 0 THEN 1 - a.lower / a.population ELSE a.upper / a.population END;
		RETURN NEXT;
	END LOOP;
	-- what has a verdict or a worse one is found by it
	FOR v IN SELECT u.verdict AS name, u.level, array(SELECT w.level >= u.level FROM unnest(strata) WITH ORDINALITY w ORDER BY w.ordinality) AS part
			FROM unnest(strata) u WHERE u.level > 0 GROUP BY u.verdict, u.level
		UNION ALL
		SELECT 'detector', 0, array(SELECT coalesce(w.hit, false) FROM unnest(strata) WITH ORDINALITY w ORDER BY w.ordinality)
		WHERE EXISTS (SELECT FROM unnest(strata) u WHERE u.hit)
		ORDER BY level DESC, name LOOP
		SELECT * INTO a FROM assay_internal.review_rate(strata, v.part, confidence);
		SELECT * INTO b FROM assay_internal.review_rate(strata, array(SELECT NOT p FROM unnest(v.part) WITH ORDINALITY o(p, n) ORDER BY n), confidence);
		SELECT * INTO r FROM assay_internal.ratio_interval(b.total, b.lower, b.upper, a.total, a.lower, a.upper);
		IF a.unreviewed IS NOT NULL OR b.unreviewed IS NOT NULL THEN
			r.lower := coalesce(b.lower / nullif(a.upper, 0), 0);
			r.upper := coalesce(b.upper / nullif(a.lower, 0), 'infinity');
		END IF;
		name := v.name;
		population := a.population + b.population;
		reviewed := a.reviewed + b.reviewed;
		malicious := a.malicious + b.malicious;
		note := assay_internal.review_note(concat_ws(', ', a.unreviewed, b.unreviewed), a.malicious, b.malicious);
		metric := 'recall';
		estimate := CASE WHEN a.unreviewed IS NULL AND b.unreviewed IS NULL THEN a.total / nullif(a.total + b.total, 0) END;
		lower := 1 / (1 + r.upper);
		upper := 1 / (1 + r.lower);
		RETURN NEXT;
		metric := 'fnr';
		estimate := 1 - estimate;
		lower := 1 - 1 / (1 + r.lower);
		upper := 1 - 1 / (1 + r.upper);
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.review_rates(assay.review_stratum[], float8) IS
	'prevalence, precision, recall and false negative rate of all messages with their intervals, from the reviewed part of each stratum';

CREATE FUNCTION assay_internal.review_note(unreviewed text, found bigint, missed bigint) RETURNS text LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN unreviewed <> '' THEN 'too poor: nothing is reviewed of ' || unreviewed
		WHEN found = 0 THEN 'too poor: no malicious message among those reviewed'
		WHEN missed = 0 THEN 'no missed message among those reviewed: the interval says how many there may be'
		WHEN missed < 5 THEN 'few missed messages among those reviewed: the interval is wide' END
$$;
COMMENT ON FUNCTION assay_internal.review_note(text, bigint, bigint) IS 'what is to be known of an estimate by who reads it';

-- Each stratum gets one at least; what it has not goes to the others.
CREATE FUNCTION assay_internal.review_allocation(strategy text, n int, population bigint[], share float8[]) RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	strata int := cardinality(population);
	weights float8[];
	drawn bigint[] := array_fill(1::bigint, ARRAY[strata]);
	left_over bigint;
	open float8;
	more bigint;
BEGIN
	IF strata = 0 THEN
		RETURN '{}';
	END IF;
	IF array_position(population, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'populations must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF cardinality(share) <> strata THEN
		RAISE EXCEPTION '% shares of % strata', cardinality(share), strata USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF n < strata THEN
		RAISE EXCEPTION 'too few to draw from each of % strata: %', strata, n USING ERRCODE = 'invalid_parameter_value',
			HINT = format('Draw at least %s.', strata);
	END IF;
	weights := array(SELECT CASE strategy
			WHEN 'uniform' THEN u.n::float8
			-- by what the scores expect to be malicious (Neyman), by size, since scores can be wrong, and some of each for its precision
			WHEN 'optimal' THEN 0.4 * u.n / sum(u.n) OVER () + 0.4 * coalesce(u.n * sqrt(u.p * (1 - u.p)) / nullif(sum(u.n * sqrt(u.p * (1 - u.p))) OVER (), 0), 0)
				+ 0.2 / count(*) OVER ()
			ELSE 1 END
		FROM unnest(population, share) WITH ORDINALITY u(n, p, i) ORDER BY u.i);
	LOOP
		left_over := n - (SELECT sum(d) FROM unnest(drawn) d);
		open := (SELECT sum(u.w) FROM unnest(weights, drawn, population) u(w, d, n) WHERE u.d < u.n);
		EXIT WHEN left_over <= 0 OR open IS NULL OR open <= 0;
		-- by weight as far as that gives whole messages, the last few to the largest weights
		more := (SELECT sum(least(u.n - u.d, floor(left_over * u.w / open))) FROM unnest(weights, drawn, population) u(w, d, n) WHERE u.d < u.n);
		IF more > 0 THEN
			drawn := array(SELECT u.d + CASE WHEN u.d < u.n THEN least(u.n - u.d, floor(left_over * u.w / open))::bigint ELSE 0 END
				FROM unnest(weights, drawn, population) WITH ORDINALITY u(w, d, n, i) ORDER BY u.i);
		ELSE
			drawn := array(SELECT o.d + (o.d < o.n AND o.rank <= left_over)::int
				FROM (SELECT u.*, row_number() OVER (ORDER BY u.d < u.n DESC, u.w DESC, u.i) AS rank
					FROM unnest(weights, drawn, population) WITH ORDINALITY u(w, d, n, i)) o ORDER BY o.i);
		END IF;
	END LOOP;
	RETURN drawn;
END $$;
COMMENT ON FUNCTION assay_internal.review_allocation(text, int, bigint[], float8[]) IS
	'how many messages of each stratum to draw, from their numbers and the shares that are expected to be malicious';

-- narrow where what is missed lies, below the thresholds
CREATE FUNCTION assay_internal.score_stratum(verdict text, score real) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT verdict || CASE WHEN score < 0.001 THEN ' below 0.001' WHEN score < 0.01 THEN ' from 0.001' WHEN score < 0.05 THEN ' from 0.01'
		WHEN score < 0.2 THEN ' from 0.05' WHEN score < 0.5 THEN ' from 0.2' WHEN score < 0.8 THEN ' from 0.5'
		WHEN score < 0.95 THEN ' from 0.8' ELSE ' from 0.95' END
$$;
COMMENT ON FUNCTION assay_internal.score_stratum(text, real) IS 'stratum of a decision by its verdict and score';
