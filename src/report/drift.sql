-- ---------------------------------------------------------------------------
-- report: what moves over time: signals, and how often detectors hit
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.signal_values(policy text, reference timestamptz, since timestamptz, until timestamptz, at text, signals text, sample int,
	OUT recent boolean, OUT signal text, OUT value jsonb) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_signal_values' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000;
COMMENT ON FUNCTION assay_internal.signal_values(text, timestamptz, timestamptz, timestamptz, text, text, int) IS
	'values of all signals of a sample of messages, recent and from before';

CREATE FUNCTION assay_internal.skewed_signals(policy text, since timestamptz, until timestamptz, sample int,
	OUT signal text, OUT messages bigint, OUT differ bigint, OUT mean_change float8, OUT example text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_skewed_signals' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION assay_internal.skewed_signals(text, timestamptz, timestamptz, int) IS 'for signal_skew()';

CREATE FUNCTION assay_internal.signal_costs(policy text, messages int, OUT signal text, OUT cost_us float8) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_signal_costs' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION assay_internal.signal_costs(text, int) IS 'what each signal costs in the view beside the key, measured over so many messages';

CREATE FUNCTION assay_internal.signal_readers(policy text, OUT signal text, OUT kind text, OUT name text, OUT mode text, OUT via text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH parts AS (
		SELECT 'guard' AS kind, g.guard AS name, NULL::text AS mode, g.condition, NULL::assay.model AS model FROM assay.guard g WHERE g.policy = $1 AND g.until_revision IS NULL
		UNION ALL
		SELECT CASE WHEN d.condition IS NULL THEN 'model' ELSE 'rule' END, d.detector, d.mode, coalesce(d.condition, m.content), m.model FROM assay.detector d
		LEFT JOIN assay.detector_model m ON m.policy = d.policy AND m.detector = d.detector AND m.revision = d.model_revision
		WHERE d.policy = $1 AND d.until_revision IS NULL AND d.mode <> 'retired'
		UNION ALL
		SELECT 'exclusion', x.exclusion, NULL, x.condition, NULL FROM assay.exclusion x WHERE x.policy = $1 AND x.until_revision IS NULL
	), named AS (
		SELECT p.kind, p.name, p.mode, n.signal FROM parts p, unnest(assay.condition_names(p.condition)) n(signal)
		UNION
		SELECT p.kind, p.name, p.mode, f.name FROM parts p, assay.model_features(p.model) f WHERE p.model IS NOT NULL
	)
	SELECT n.signal, n.kind, n.name, n.mode, NULL FROM named n
	WHERE NOT EXISTS (SELECT FROM parts g WHERE g.kind = 'guard' AND g.name = n.signal AND n.kind <> 'guard')
	UNION ALL
	-- what a guard reads, its users read
	SELECT g.signal, n.kind, n.name, n.mode, g.name FROM named n JOIN named g ON g.kind = 'guard' AND g.name = n.signal AND n.kind IN ('rule', 'exclusion')
$$;
COMMENT ON FUNCTION assay_internal.signal_readers(text) IS 'who reads which signal as a policy stands, by itself or via a guard; of a text model what its text reads';

CREATE FUNCTION assay_internal.readers_of(policy text, signal text) RETURNS text[] LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(array_agg(DISTINCT r.name ORDER BY r.name) FILTER (WHERE r.kind IN ('rule', 'model')), '{}') FROM assay_internal.signal_readers($1) r WHERE r.signal = $2
$$;
COMMENT ON FUNCTION assay_internal.readers_of(text, text) IS 'detectors that read a signal';

CREATE FUNCTION assay_internal.check_sample(sample int) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF sample IS NULL OR sample NOT BETWEEN 1 AND 1000000 THEN
		RAISE EXCEPTION 'sample must be between 1 and 1000000 messages' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_sample(int) IS 'error unless so many messages can be drawn';

-- So that no message's number takes the report of all signals away: a mean's squares stay in range
CREATE FUNCTION assay_internal.drift_number(value numeric) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN CASE WHEN abs(value) < 1e-300 THEN 0 ELSE least(greatest(value, -1e140), 1e140)::float8 END;
COMMENT ON FUNCTION assay_internal.drift_number(numeric) IS 'a signal''s value, within 1e140 of zero';

-- functions

CREATE FUNCTION assay.signal_uses(policy text, measure int DEFAULT 0,
	OUT signal text, OUT type text, OUT kind text, OUT name text, OUT mode text, OUT via text, OUT cost_us float8) RETURNS SETOF record LANGUAGE plpgsql ROWS 100
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy := assay_internal.policy_for_reading(policy);
	costs jsonb := '{}';
BEGIN
	IF measure IS NULL THEN
		RAISE EXCEPTION 'measure must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF measure <> 0 THEN
		SELECT coalesce(jsonb_object_agg(c.signal, c.cost_us), '{}') INTO costs FROM assay_internal.signal_costs(policy, measure) c;
	END IF;
	RETURN QUERY
		SELECT s.name, s.type, r.kind, r.name, r.mode, r.via, (costs->>s.name)::float8
		FROM (SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnum FROM pg_attribute a
			WHERE a.attrelid = coalesce(to_regclass(p.signals), p.signals_view) AND a.attnum > 0 AND NOT a.attisdropped) s
		FULL JOIN assay_internal.signal_readers(p.policy) r ON r.signal = s.name
		ORDER BY s.attnum, r.kind, r.name COLLATE "C", r.via COLLATE "C";
END $$;
COMMENT ON FUNCTION assay.signal_uses(text, int) IS
	'which detectors, guards, exclusions and models read which signal, by themselves or via a guard; measure: over so many messages, what each signal costs in the view';

CREATE FUNCTION assay.signal_drift(policy text, span interval DEFAULT '1 day', reference interval DEFAULT '30 days', until timestamptz DEFAULT now(),
	at text DEFAULT 'received_at', signals text DEFAULT 'auto', sample int DEFAULT 10000,
	OUT signal text, OUT psi float8, OUT messages bigint, OUT reference_messages bigint, OUT null_rate float8, OUT reference_null_rate float8,
	OUT mean float8, OUT reference_mean float8, OUT quantiles float8[], OUT reference_quantiles float8[], OUT detectors text[]) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 100
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	p assay.policy := assay_internal.policy_for_reading(signal_drift.policy);
	since timestamptz := signal_drift.until - span;
	origin timestamptz := signal_drift.until - span - reference;
BEGIN
	PERFORM assay_internal.check_sample(sample);
	IF span IS NULL OR reference IS NULL OR NOT (span > interval '0' AND reference > interval '0') THEN
		RAISE EXCEPTION 'span and reference must be times above 0' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	RETURN QUERY
		WITH v AS MATERIALIZED (
			SELECT s.recent, s.signal, nullif(s.value, 'null') AS value,
				CASE jsonb_typeof(s.value) WHEN 'number' THEN assay_internal.drift_number(s.value::numeric) WHEN 'boolean' THEN s.value::boolean::int
					WHEN 'string' THEN CASE s.value #>> '{}' WHEN 'Infinity' THEN 1e140 WHEN '-Infinity' THEN -1e140 END END AS x
			FROM assay_internal.signal_values(p.policy, origin, since, signal_drift.until, signal_drift.at, signal_drift.signals, sample) s
		), k AS (
			-- a signal is counted as a number where all that it has are numbers; what is none (NaN) is binned with the nulls
			SELECT v.signal, count(v.x) = count(nullif(v.value, '"NaN"')) AS numeric, count(*) FILTER (WHERE v.recent) AS n, count(*) FILTER (WHERE NOT v.recent) AS m,
				count(*) FILTER (WHERE v.recent AND v.value IS NULL) AS nulls, count(*) FILTER (WHERE NOT v.recent AND v.value IS NULL) AS reference_nulls,
				avg(v.x) FILTER (WHERE v.recent) AS mean, avg(v.x) FILTER (WHERE NOT v.recent) AS reference_mean,
				percentile_cont('{0.05,0.5,0.95}'::float8[]) WITHIN GROUP (ORDER BY v.x) FILTER (WHERE v.recent) AS quantiles,
				percentile_cont('{0.05,0.5,0.95}'::float8[]) WITHIN GROUP (ORDER BY v.x) FILTER (WHERE NOT v.recent) AS reference_quantiles,
				percentile_disc('{0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9}'::float8[]) WITHIN GROUP (ORDER BY v.x) FILTER (WHERE NOT v.recent) AS deciles
			FROM v GROUP BY v.signal
		), top AS (
			-- of other signals the values that were frequent, twenty at most
			SELECT t.signal, array_agg(t.value ORDER BY t.rank) AS top FROM (
				SELECT v.signal, v.value, row_number() OVER (PARTITION BY v.signal ORDER BY count(*) DESC, v.value) AS rank
				FROM v JOIN k USING (signal) WHERE NOT k.numeric AND NOT v.recent AND v.value IS NOT NULL
				GROUP BY 1, 2, k.m HAVING count(*) >= 0.01 * k.m) t
			WHERE t.rank <= 20 GROUP BY t.signal
		), cut AS (
			-- what is two deciles or more, as the zero of most flags and counts, is not with all that is above it
			SELECT k.signal, array(SELECT DISTINCT d FROM unnest(k.deciles) d WHERE d IS NOT NULL ORDER BY d) AS cuts,
				array(SELECT d FROM unnest(k.deciles) d GROUP BY d HAVING count(*) > 1) AS often FROM k WHERE k.numeric
		), binned AS (
			SELECT v.signal, CASE WHEN v.value IS NULL OR k.numeric AND v.x IS NULL THEN -1
					WHEN k.numeric THEN CASE WHEN cardinality(c.cuts) > 0 THEN width_bucket(v.x, c.cuts) + CASE WHEN v.x = ANY (c.often) THEN 100 ELSE 0 END ELSE 0 END
					ELSE coalesce(array_position(t.top, v.value), 0) END AS bin,
				count(*) FILTER (WHERE v.recent) AS n, count(*) FILTER (WHERE NOT v.recent) AS m
			FROM v JOIN k USING (signal) LEFT JOIN cut c USING (signal) LEFT JOIN top t USING (signal)
			GROUP BY 1, 2
		), index AS (
			SELECT b.signal, sum((b.p - b.q) * ln(b.p / b.q)) AS psi FROM (
				SELECT b.signal, (b.n + 0.5) / (sum(b.n) OVER w + 0.5 * count(*) OVER w) AS p, (b.m + 0.5) / (sum(b.m) OVER w + 0.5 * count(*) OVER w) AS q
				FROM binned b WINDOW w AS (PARTITION BY b.signal)) b
			GROUP BY b.signal
		)
		SELECT k.signal, CASE WHEN k.n > 0 AND k.m > 0 THEN i.psi::float8 END, k.n, k.m, k.nulls::float8 / nullif(k.n, 0), k.reference_nulls::float8 / nullif(k.m, 0),
			CASE WHEN k.numeric THEN k.mean END, CASE WHEN k.numeric THEN k.reference_mean END,
			CASE WHEN k.numeric THEN k.quantiles END, CASE WHEN k.numeric THEN k.reference_quantiles END, assay_internal.readers_of(p.policy, k.signal)
		FROM k LEFT JOIN index i USING (signal)
		ORDER BY 2 DESC NULLS LAST, k.signal COLLATE "C";
END $$;
COMMENT ON FUNCTION assay.signal_drift(text, interval, interval, timestamptz, text, text, int) IS
	'how the signals of the last span differ from those of the reference before: population stability index, share of nulls, mean, 5 %, 50 % and 95 % quantiles, and which detectors read them';

CREATE FUNCTION assay.signal_skew(policy text, since timestamptz DEFAULT now() - interval '1 day', until timestamptz DEFAULT 'infinity', sample int DEFAULT 10000,
	OUT signal text, OUT messages bigint, OUT differ bigint, OUT share float8, OUT mean_change float8, OUT example text[], OUT detectors text[]) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 100
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	p assay.policy := assay_internal.policy_for_reading(signal_skew.policy);
BEGIN
	PERFORM assay_internal.check_sample(sample);
	PERFORM assay_internal.check_span(since, signal_skew.until);
	RETURN QUERY
		SELECT k.signal, k.messages, k.differ, k.differ::float8 / k.messages, k.mean_change, k.example::text[], assay_internal.readers_of(p.policy, k.signal)
		FROM assay_internal.skewed_signals(p.policy, since, signal_skew.until, sample) k
		ORDER BY k.differ DESC, k.signal COLLATE "C";
END $$;
COMMENT ON FUNCTION assay.signal_skew(text, timestamptz, timestamptz, int) IS
	'signals as they were logged when messages were decided, against those that the view has now: for how many they differ, the mean change of numbers, one such message, and which detectors read them';

-- p-chart with the correction of Laney for days that vary more than chance would
CREATE FUNCTION assay.detector_drift(policy text, since timestamptz DEFAULT now() - interval '60 days', until timestamptz DEFAULT 'infinity', tested int DEFAULT 1,
	OUT day timestamptz, OUT kind text, OUT name text, OUT mode text, OUT decisions bigint, OUT hits bigint, OUT rate float8,
	OUT center float8, OUT lower float8, OUT upper float8, OUT outside boolean) RETURNS SETOF record LANGUAGE plpgsql STABLE ROWS 1000
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	p assay.policy := assay_internal.policy_for_reading(detector_drift.policy);
BEGIN
	PERFORM assay_internal.check_span(since, detector_drift.until);
	IF tested IS NULL OR tested < 0 THEN
		RAISE EXCEPTION 'tested must be a number of days' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	IF NOT EXISTS (SELECT FROM assay.rollups r WHERE r.policy = p.policy) THEN
		RAISE EXCEPTION 'the decisions of policy "%" are not counted by day', p.policy USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = format('SELECT assay.refresh_rollup(%L);', p.policy);
	END IF;
	RETURN QUERY
		WITH days AS (
			SELECT d.day, sum(d.hits)::bigint AS n, row_number() OVER (ORDER BY d.day DESC) AS back
			FROM assay.decision_days d WHERE d.policy = p.policy AND d.kind = 'verdict' AND d.day >= since AND d.day < detector_drift.until GROUP BY d.day
		), named AS (
			SELECT d.kind, d.name, d.mode, min(d.day) AS first_day FROM assay.decision_days d
			WHERE d.policy = p.policy AND d.day >= since AND d.day < detector_drift.until GROUP BY 1, 2, 3
		), counted AS (
			SELECT t.day, t.back, n.kind, n.name, n.mode, t.n, coalesce(sum(d.hits), 0)::bigint AS hits
			FROM named n JOIN days t ON t.day >= n.first_day
			LEFT JOIN assay.decision_days d ON d.policy = p.policy AND d.day = t.day AND d.kind = n.kind AND d.name = n.name AND d.mode IS NOT DISTINCT FROM n.mode
			GROUP BY 1, 2, 3, 4, 5, 6
		), centered AS (
			SELECT c.*, sum(c.hits) FILTER (WHERE c.back > tested) OVER w / sum(c.n) FILTER (WHERE c.back > tested) OVER w AS center,
				count(*) FILTER (WHERE c.back > tested) OVER w AS days
			FROM counted c WINDOW w AS (PARTITION BY c.kind, c.name, c.mode)
		), z AS (
			SELECT c.*, sqrt(c.center * (1 - c.center) / c.n) AS sigma, (c.hits::numeric / c.n - c.center) / nullif(sqrt(c.center * (1 - c.center) / c.n), 0) AS z FROM centered c
		), moved AS (
			SELECT z.*, CASE WHEN z.back > tested THEN abs(z.z - lag(z.z) OVER (PARTITION BY z.kind, z.name, z.mode ORDER BY z.day)) END AS moved FROM z
		), limits AS (
			SELECT m.*, 3 * m.sigma * greatest(1, avg(m.moved) OVER (PARTITION BY m.kind, m.name, m.mode) / 1.128) AS margin FROM moved m
		)
		SELECT l.day, l.kind, l.name, l.mode, l.n, l.hits, l.hits::float8 / l.n, l.center::float8,
			greatest(l.center - l.margin, 0)::float8, least(l.center + l.margin, 1)::float8,
			CASE WHEN l.days >= 5 THEN l.hits::numeric / l.n NOT BETWEEN l.center - l.margin AND l.center + l.margin END
		FROM limits l ORDER BY l.day DESC, l.kind COLLATE "C", l.name COLLATE "C", l.mode;
END $$;
COMMENT ON FUNCTION assay.detector_drift(text, timestamptz, timestamptz, int) IS
	'how often each detector, exclusion and verdict hit by day, with control limits made of all days but the last that are tested; outside: NULL where fewer than five days are known';

-- alerts

CREATE FUNCTION assay_internal.alerts_of(policy text, signals boolean DEFAULT true, OUT kind text, OUT name text, OUT severity text, OUT detail text, OUT value float8, OUT detectors text[])
	RETURNS SETOF record LANGUAGE plpgsql STABLE ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	p assay.policy := assay_internal.policy_for_reading(alerts_of.policy);
	at text := (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = coalesce(to_regclass(p.signals), p.signals_view) AND a.attname = 'received_at'
		AND a.atttypid = 'timestamptz'::regtype AND NOT a.attisdropped AND alerts_of.signals);
	logs boolean := (assay_internal.revision_for_reading(p.policy)).log_signals;
BEGIN
	BEGIN
		IF at IS NOT NULL OR logs THEN
			RETURN QUERY
				SELECT 'signal drift', d.signal, CASE WHEN d.psi >= 0.25 THEN 'warning' ELSE 'info' END,
					format('population stability index %s, nulls %s %% (%s %% before)', round(d.psi::numeric, 2), round(100 * d.null_rate::numeric, 1), round(100 * d.reference_null_rate::numeric, 1)),
					d.psi, d.detectors
				FROM assay.signal_drift(p.policy, at => at, signals => CASE WHEN at IS NULL THEN 'logged' ELSE 'auto' END) d
				WHERE d.psi >= 0.1 AND d.messages >= 100 AND d.reference_messages >= 100;
		END IF;
	EXCEPTION WHEN OTHERS THEN
		RETURN QUERY SELECT 'signal drift', NULL::text, 'info', SQLERRM, NULL::float8, NULL::text[];
	END;
	BEGIN
		IF logs AND alerts_of.signals THEN
			RETURN QUERY
				SELECT 'signal skew', k.signal, CASE WHEN k.share >= 0.01 THEN 'warning' ELSE 'info' END,
					format('%s of %s messages of a day have another value now', k.differ, k.messages), k.share, k.detectors
				FROM assay.signal_skew(p.policy) k WHERE k.share >= 0.001;
		END IF;
	EXCEPTION WHEN OTHERS THEN
		RETURN QUERY SELECT 'signal skew', NULL::text, 'info', SQLERRM, NULL::float8, NULL::text[];
	END;
	BEGIN
		IF EXISTS (SELECT FROM assay.rollups r WHERE r.policy = p.policy) THEN
			-- the last whole day
			RETURN QUERY
				SELECT d.kind || ' drift', d.name, 'warning', format('hit rate %s %% on %s, expected %s to %s %%', round(100 * d.rate::numeric, 3), to_char(d.day AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
					round(100 * d.lower::numeric, 3), round(100 * d.upper::numeric, 3)), d.rate, CASE WHEN d.kind IN ('rule', 'model') THEN ARRAY[d.name] ELSE '{}'::text[] END
				FROM assay.detector_drift(p.policy, until => date_trunc('day', now(), 'UTC')) d
				WHERE d.outside AND d.day = date_trunc('day', now(), 'UTC') - interval '1 day';
		END IF;
	EXCEPTION WHEN OTHERS THEN
		RETURN QUERY SELECT 'detector drift', NULL::text, 'info', SQLERRM, NULL::float8, NULL::text[];
	END;
END $$;
COMMENT ON FUNCTION assay_internal.alerts_of(text, boolean) IS 'what the view assay.alerts shows of a policy; signals => false: what its signals view shows is left out';

CREATE FUNCTION assay_internal.alerts_of_each(p assay.policy, OUT kind text, OUT name text, OUT severity text, OUT detail text, OUT value float8, OUT detectors text[])
	RETURNS SETOF record LANGUAGE plpgsql STABLE ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	IF assay_internal.is_his_own(p) THEN
		RETURN QUERY SELECT a.* FROM assay_internal.alerts_of(p.policy) a;
	ELSIF assay_internal.may('owner', p.policy) OR assay_internal.nothing_hidden(p) THEN
		RETURN QUERY SELECT a.* FROM assay_internal.told_by_owner(p.policy, CASE WHEN assay_internal.may('owner', p.policy) OR assay_internal.may_read_signals(p) THEN 'alerts' ELSE 'logged alerts' END) j,
			jsonb_to_record(j) a(kind text, name text, severity text, detail text, value float8, detectors text[]);
	ELSE
		RETURN QUERY SELECT 'signal drift', NULL::text, 'info', format('policy "%s" is another''s, and hides some of its rows from you: it is not looked at here', p.policy), NULL::float8, NULL::text[];
	END IF;
EXCEPTION WHEN OTHERS THEN
	RETURN QUERY SELECT 'signal drift', NULL::text, 'info', SQLERRM, NULL::float8, NULL::text[];
END $$;
COMMENT ON FUNCTION assay_internal.alerts_of_each(assay.policy) IS 'the same of one of all policies, with the rights of the caller only where it is his own';

CREATE VIEW assay.alerts WITH (security_invoker) AS
	SELECT p.policy, a.kind, a.name, a.severity, a.detail, a.value, a.detectors
	FROM assay.policy p, LATERAL assay_internal.alerts_of_each(p) a
	ORDER BY p.policy COLLATE "C", a.severity DESC, a.kind, a.value DESC;
COMMENT ON VIEW assay.alerts IS
	'of each policy that the user may read: signals that drift (by a day against thirty) or differ from what was logged, detectors and verdicts whose rate is outside of its control limits';
GRANT SELECT ON assay.alerts TO PUBLIC;
