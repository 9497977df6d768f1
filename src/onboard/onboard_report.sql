-- ---------------------------------------------------------------------------
-- onboard: its report, the checks, and going live
-- ---------------------------------------------------------------------------

-- Numbers of the report, each by the query that gives it; whoever runs it as it stands gets the same.
CREATE FUNCTION assay_internal.report_queries(o assay_internal.own_onboarding) RETURNS TABLE (part text, name text, detail text, query text) LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names assay_internal.onboarding_names := assay_internal.onboarding_names(o);
	caught text := assay_internal.caught_condition(o.policy);
	d record;
	older text := CASE WHEN o.labels IS NOT NULL THEN assay_internal.older_labels_query(o) END;
	of_older text := format('besides the newest fifth, which is held back; weights are fitted from %s of each kind on', assay_internal.fewest_older_labels());
BEGIN
	RETURN QUERY SELECT 'history', v.name, v.detail, assay_internal.fill_names(v.query, names, 'days', assay_internal.onboarding_days_query(o)) FROM (VALUES
		('messages', NULL::text, 'SELECT count(*) FROM {source} m'),
		('days', 'on which messages came (UTC)', '{days}'),
		('decisions', NULL, 'SELECT count(*) FROM {verdict} v'),
		('degraded decisions', 'decided without some of their evidence: assay.fault tells why', 'SELECT count(*) FROM {verdict} v WHERE v.degraded')) v(name, detail, query);
	RETURN QUERY SELECT 'would have been', t.key, format('score from %s', t.value),
			assay_internal.fill_names('SELECT count(*) FROM {verdict} v WHERE ', names) || assay_internal.caught_condition(o.policy, t.key)
				|| CASE WHEN t.above IS NULL THEN '' ELSE ' AND NOT (' || assay_internal.caught_condition(o.policy, t.above) || ')' END
		FROM (SELECT e.key, e.value, lead(e.key) OVER (ORDER BY e.value::float8) AS above
			  FROM assay.policies p, jsonb_each_text(p.thresholds) e WHERE p.policy = o.policy) t ORDER BY t.value::float8 DESC;
	RETURN QUERY SELECT 'would have been', 'alerts a day', format('any but the default verdict; the budget is %s', o.budget->>'alerts_per_day'),
		assay_internal.fill_names('SELECT count(*)::float8 / ({days}) FROM {verdict} v WHERE {caught}', names, 'days', assay_internal.onboarding_days_query(o), 'caught', caught);
	-- which detectors are behind it
	FOR d IN EXECUTE assay_internal.fill_names('SELECT h.detector FROM {verdict} v, unnest(assay.counted_hits(v.attribution)) h(detector)
		WHERE {caught} GROUP BY h.detector ORDER BY count(*) DESC, h.detector COLLATE "C" LIMIT 15', names, 'caught', caught)
	LOOP
		RETURN QUERY SELECT 'detector', d.detector, (SELECT k.description FROM assay.detectors k WHERE k.policy = o.policy AND k.detector = d.detector),
			assay_internal.fill_names('SELECT count(*) FROM {verdict} v WHERE {caught} AND assay.counted_hits(v.attribution) @> ARRAY[{detector}]', names,
				'caught', caught, 'detector', quote_literal(d.detector));
	END LOOP;
	IF o.labels IS NOT NULL THEN
		RETURN QUERY SELECT 'label', v.name, v.detail, assay_internal.fill_names(v.query, names, 'caught', caught) FROM (VALUES
			('malicious', NULL::text, 'SELECT count(*) FROM {label_latest} l WHERE l.malicious'),
			('safe', NULL, 'SELECT count(*) FROM {label_latest} l WHERE NOT l.malicious'),
			('malicious and would have been caught', NULL, 'SELECT count(*) FROM {verdict} v JOIN {label_latest} l USING ({key}) WHERE l.malicious AND {caught}'),
			('safe and would have been caught', 'false alerts', 'SELECT count(*) FROM {verdict} v JOIN {label_latest} l USING ({key}) WHERE NOT l.malicious AND {caught}'),
			('ROC AUC', 'of scores by labels; 0.5 is chance, 1 is without fault', 'SELECT assay.roc_auc(assay.scored_agg(v.score, l.malicious)) FROM {verdict} v JOIN {label_latest} l USING ({key})'),
			('ROC AUC on what was held back', 'of the newest labels, to which nothing was fitted',
				format('SELECT assay.roc_auc(assay.scored_agg(v.score, l.malicious)) FROM {verdict} v JOIN {label_latest} l USING ({key}) JOIN {source} m USING ({key}) WHERE m.{at} >= %L',
					assay_internal.held_back_from(o)))) v(name, detail, query);
		RETURN QUERY SELECT 'label', v.name, of_older, older || v.condition FROM (VALUES
			('malicious to fit to', ' AND l.malicious'), ('safe to fit to', ' AND NOT l.malicious')) v(name, condition);
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.report_queries(assay_internal.own_onboarding) IS 'numbers of the report about a policy that was onboarded, each by its query';

CREATE FUNCTION assay_internal.onboarding_value(o assay_internal.own_onboarding, part text, name text) RETURNS numeric LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT r.value FROM assay.onboarding_report r WHERE r.policy = (o).policy AND r.part = $2 AND r.name = $3
$$;
COMMENT ON FUNCTION assay_internal.onboarding_value(assay_internal.own_onboarding, text, text) IS 'a number of the report';

-- May it go live by itself?
CREATE FUNCTION assay_internal.onboarding_checks(o assay_internal.own_onboarding) RETURNS TABLE (name text, value numeric, bound numeric, passed boolean, detail text) LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH v AS (
		SELECT assay_internal.onboarding_value(o, 'history', 'days') AS days, assay_internal.onboarding_value(o, 'history', 'decisions') AS decisions,
			assay_internal.onboarding_value(o, 'history', 'degraded decisions') AS degraded, assay_internal.onboarding_value(o, 'history', 'messages') AS messages,
			assay_internal.onboarding_value(o, 'would have been', 'alerts a day') AS alerts, assay_internal.onboarding_value(o, 'label', 'malicious') AS malicious,
			assay_internal.onboarding_value(o, 'label', 'safe') AS safe, assay_internal.onboarding_value(o, 'label', 'ROC AUC') AS auc
	)
	SELECT c.name, c.value, c.bound, c.passed, c.detail FROM v CROSS JOIN LATERAL (VALUES
		('days of history', v.days, (o.checks->>'days')::numeric, v.messages > 0 AND v.days >= (o.checks->>'days')::numeric, 'at least'),
		('alerts a day', v.alerts, (o.budget->>'alerts_per_day')::numeric, v.alerts <= (o.budget->>'alerts_per_day')::numeric, 'at most'),
		('share of degraded decisions', round(v.degraded / nullif(v.decisions, 0), 6), (o.checks->>'degraded')::numeric,
			coalesce(v.degraded / nullif(v.decisions, 0) <= (o.checks->>'degraded')::numeric, false), 'at most'),
		('agreement with labels', CASE WHEN v.malicious >= 20 AND v.safe >= 20 THEN v.auc END, (o.checks->>'roc_auc')::numeric,
			NOT coalesce(v.malicious >= 20 AND v.safe >= 20, false) OR coalesce(v.auc >= (o.checks->>'roc_auc')::numeric, false),
			CASE WHEN v.malicious >= 20 AND v.safe >= 20 THEN 'ROC AUC at least' ELSE 'there are not 20 labels of either kind; else ROC AUC at least' END)) c(name, value, bound, passed, detail)
$$;
COMMENT ON FUNCTION assay_internal.onboarding_checks(assay_internal.own_onboarding) IS 'what has to hold for a policy to go live by itself, by its report';

-- steps

CREATE FUNCTION assay_internal.keep_report_row(policy text, INOUT n int, part text, name text, value numeric, detail text, query text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	n := n + 1;
	PERFORM assay_internal.keep_onboarding(policy, 'report', jsonb_build_object('n', n, 'part', part, 'name', name, 'value', value, 'detail', left(detail, 10000), 'query', query));
END $$;
COMMENT ON FUNCTION assay_internal.keep_report_row(text, int, text, text, numeric, text, text) IS 'adds a row to the report of onboard()';

CREATE FUNCTION assay_internal.onboard_report(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	names assay_internal.onboarding_names := assay_internal.onboarding_names(o);
	n int := 0;
	x record;
	number float8;
BEGIN
	PERFORM assay_internal.keep_onboarding(o.policy, 'no report', '{}');
	FOR x IN SELECT * FROM assay_internal.report_queries(o) LOOP
		EXECUTE x.query INTO number;
		n := assay_internal.keep_report_row(o.policy, n, x.part, x.name, CASE WHEN number IS NOT NULL AND number <> 'NaN' THEN number::numeric END, x.detail, x.query);
	END LOOP;
	-- messages of the highest scores, with what speaks most for it
	FOR x IN EXECUTE assay_internal.fill_names($q$SELECT (ROW({key}))::text AS name, e.score, e.verdict,
			(SELECT string_agg(format('%s %s', l.detector, round(l.contribution::numeric, 2)), ', ' ORDER BY l.contribution DESC)
			 FROM assay.ledger(e.attribution) l WHERE l.kind IN ('rule', 'model') AND l.hit AND l.counted AND l.contribution > 0) AS detail
		FROM (SELECT v.* FROM {verdict} v WHERE {caught} ORDER BY v.score DESC, {key} LIMIT 10) e ORDER BY e.score DESC, {key}$q$, names,
			'caught', assay_internal.caught_condition(o.policy))
	LOOP
		n := assay_internal.keep_report_row(o.policy, n, 'example', x.name, x.score::numeric, x.detail, NULL);
	END LOOP;
	IF o.pack IS NOT NULL THEN
		FOR x IN EXECUTE format('SELECT c.* FROM %s($1, $2) c', assay_internal.pack_function(o.pack, '{pack}_map_columns')) USING o.messages::regclass, assay_internal.pack_columns(o.columns) LOOP
			n := assay_internal.keep_report_row(o.policy, n, 'column', x.fact, NULL, concat_ws(': ', x.how, coalesce(x.note, nullif(x.col, x.fact))), NULL);
		END LOOP;
	END IF;
	FOR x IN SELECT * FROM assay_internal.onboarding_checks(o) LOOP
		n := assay_internal.keep_report_row(o.policy, n, 'check', x.name, x.value, format('%s: %s %s', CASE WHEN x.passed THEN 'passed' ELSE 'not passed' END, x.detail, x.bound), NULL);
	END LOOP;
	rows := n;
	note := format('SELECT part, name, value, detail FROM assay.onboarding_report WHERE policy = %L; each number has its query', o.policy);
END $$;
COMMENT ON FUNCTION assay_internal.onboard_report(assay_internal.own_onboarding) IS 'step of onboard(): what was found, with the queries that give it';

CREATE FUNCTION assay_internal.onboard_live(o assay_internal.own_onboarding, OUT rows bigint, OUT note text) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	failing text := assay_internal.failing_checks(o);
BEGIN
	rows := 0;
	IF o.live_at IS NOT NULL THEN
		note := format('live since %s', o.live_at);
	ELSIF o.go_live = 'told' THEN
		note := concat_ws('; ', format('it learns: SELECT assay.go_live(%L) makes it live', o.policy), 'not passed: ' || failing);
	ELSIF failing IS NOT NULL THEN
		note := format('it learns until its checks pass, which maintain() looks at; not passed: %s', failing);
	ELSE
		rows := assay_internal.make_live(o, NULL);
		note := 'live: all checks passed';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.onboard_live(assay_internal.own_onboarding) IS 'step of onboard(): live, where it may go so by itself';
