-- ---------------------------------------------------------------------------
-- report: charts of the page: precision and recall, calibration, verdicts over time
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.html_x(v float8) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT round((44 + 440 * v)::numeric, 1)::text
$$;
COMMENT ON FUNCTION assay_internal.html_x(float8) IS 'place of a share on the horizontal axis of a square chart';

CREATE FUNCTION assay_internal.html_y(v float8) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT round((290 - 280 * v)::numeric, 1)::text
$$;
COMMENT ON FUNCTION assay_internal.html_y(float8) IS 'place of a share on the vertical axis';

CREATE FUNCTION assay_internal.html_square(id text, title text, description text, x_title text, y_title text, body text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<figure><figcaption>%2$s</figcaption><svg class="chart" viewBox="0 0 500 330" role="img" aria-labelledby="%1$s-t %1$s-d"><title id="%1$s-t">%2$s</title><desc id="%1$s-d">%3$s</desc>',
			id, title, description)
		|| (SELECT string_agg(format('<path class="grid" d="M44 %2$sH484M%1$s 10V290"/><text x="38" y="%2$s" dy="4" text-anchor="end">%3$s</text><text x="%1$s" y="305" text-anchor="middle">%3$s</text>',
			assay_internal.html_x(i / 5.0), assay_internal.html_y(i / 5.0), round(i / 5.0, 1)), '' ORDER BY i) FROM generate_series(0, 5) i)
		|| format('<text x="264" y="325" text-anchor="middle">%s</text><text x="10" y="150" text-anchor="middle" transform="rotate(-90 10 150)">%s</text>', x_title, y_title)
		|| coalesce(body, '') || '</svg>'
$$;
COMMENT ON FUNCTION assay_internal.html_square(text, text, text, text, text, text) IS 'a chart of one share by another, its figure still open; titles are ours';

-- precision and recall

CREATE TYPE assay_internal.curve_point AS (n bigint, threshold float8, tp bigint, fp bigint, "precision" float8, lower float8, upper float8, recall float8);
COMMENT ON TYPE assay_internal.curve_point IS 'what a threshold is worth';

CREATE FUNCTION assay_internal.page_curve(scores assay.scored, steps int) RETURNS SETOF assay_internal.curve_point LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT row_number() OVER (ORDER BY p.threshold DESC), p.threshold, p.tp::bigint, p.fp::bigint, p.precision, w.lower, w.upper, p.recall
	FROM (
		-- of each step of recall what is lowest, and the first of all
		SELECT DISTINCT ON (c.threshold = 'infinity', ceil(c.recall * steps)) c.* FROM assay.precision_recall_curve(scores) c WHERE c.recall IS NOT NULL
		ORDER BY c.threshold = 'infinity', ceil(c.recall * steps), c.threshold) p,
		assay.wilson_interval(p.tp::bigint, (p.tp + p.fp)::bigint) w
$$;
COMMENT ON FUNCTION assay_internal.page_curve(assay.scored, int) IS 'precision with its interval by recall, a point for each step of recall that there is';

CREATE FUNCTION assay_internal.page_thresholds(scores assay.scored, thresholds jsonb, OUT verdict text, OUT at float8, OUT tp bigint, OUT fp bigint,
	OUT "precision" float8, OUT lower float8, OUT upper float8, OUT recall float8) RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT t.key, t.value::float8, c.tp::bigint, c.fp::bigint, c.precision, w.lower, w.upper, c.recall
	FROM jsonb_each_text(thresholds) t,
		LATERAL (SELECT (assay.confusion(scores, t.value::float8)).*) c,
		assay.wilson_interval(c.tp::bigint, (c.tp + c.fp)::bigint) w
	ORDER BY 2 DESC, 1 LIMIT 20
$$;
COMMENT ON FUNCTION assay_internal.page_thresholds(assay.scored, jsonb) IS 'the same at the thresholds of verdicts, as a score alone would decide';

CREATE FUNCTION assay_internal.html_point(p assay_internal.curve_point) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.html_figure('threshold', p.threshold, 4) || assay_internal.html_figure('tp', p.tp, 0) || assay_internal.html_figure('fp', p.fp, 0)
		|| assay_internal.html_rate('precision', p.precision, p.lower, p.upper) || assay_internal.html_figure('recall', p.recall, 3)
$$;
COMMENT ON FUNCTION assay_internal.html_point(assay_internal.curve_point) IS 'cells of a table about thresholds';

CREATE FUNCTION assay_internal.html_precision_recall(scores assay.scored, thresholds jsonb) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH fine AS MATERIALIZED (
		SELECT c.* FROM assay_internal.page_curve(scores, 150) c
	), marks AS MATERIALIZED (
		SELECT t.* FROM assay_internal.page_thresholds(scores, thresholds) t
	)
	SELECT assay_internal.html_square('pr', 'Precision and recall', 'Precision by recall as the threshold goes down, with its interval of 95 %; the thresholds of verdicts are marked. The table below has the figures.',
		'recall', 'precision',
		(SELECT '<path class="band" d="M' || string_agg(assay_internal.html_x(f.recall) || ' ' || assay_internal.html_y(f.upper), 'L' ORDER BY f.n)
			|| 'L' || string_agg(assay_internal.html_x(f.recall) || ' ' || assay_internal.html_y(f.lower), 'L' ORDER BY f.n DESC)
			|| 'Z"/><path class="curve" d="M' || string_agg(assay_internal.html_x(f.recall) || ' ' || assay_internal.html_y(f.precision), 'L' ORDER BY f.n) || '"/>' FROM fine f)
		|| coalesce((SELECT string_agg(format('<circle class="mark" cx="%s" cy="%s" r="5"><title>%s: precision %s, recall %s</title></circle>',
			assay_internal.html_x(m.recall), assay_internal.html_y(m.precision), assay_internal.html(m.verdict), round(m.precision::numeric, 3), round(m.recall::numeric, 3)), '')
			FROM marks m WHERE m.recall IS NOT NULL AND m.precision IS NOT NULL), ''))
		|| assay_internal.html_table('thresholds', 'At the thresholds of verdicts, by score alone', '{verdict,#threshold,#true,#false,#precision,95 %,#recall}',
			(SELECT string_agg('<tr><th scope="row">' || assay_internal.html_name(m.verdict) || '</th>'
				|| assay_internal.html_point(ROW(0, m.at, m.tp, m.fp, m.precision, m.lower, m.upper, m.recall)) || '</tr>', '' ORDER BY m.at DESC, m.verdict) FROM marks m))
		|| '<details><summary>The curve as a table</summary>'
		|| assay_internal.html_table('curve', 'A point for each 25th of recall', '{#threshold,#true,#false,#precision,95 %,#recall}',
			(SELECT string_agg('<tr>' || assay_internal.html_point(c) || '</tr>', '' ORDER BY c.n) FROM assay_internal.page_curve(scores, 25) c))
		|| '</details></figure>'
$$;
COMMENT ON FUNCTION assay_internal.html_precision_recall(assay.scored, jsonb) IS 'the curve, and the verdicts'' thresholds on it';

-- calibration

CREATE FUNCTION assay_internal.html_calibration(scores assay.scored) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH bins AS MATERIALIZED (
		SELECT c.*, w.lower AS low, w.upper AS high FROM assay.calibration_curve(scores, 10) c,
			assay.wilson_interval(round(c.positive_rate * c.weight)::bigint, c.weight::bigint) w
	)
	SELECT assay_internal.html_square('cal', 'Calibration', 'Share of malicious messages by score, in ten ranges of the score, with intervals of 95 %; on the diagonal scores are probabilities. The table below has the figures.',
		'score', 'share that is malicious',
		format('<path class="ideal" d="M%s %sL%s %s"/>', assay_internal.html_x(0), assay_internal.html_y(0), assay_internal.html_x(1), assay_internal.html_y(1))
		|| (SELECT string_agg(format('<path class="whisker" d="M%s %sV%s"/>', assay_internal.html_x(b.mean_score), assay_internal.html_y(b.low), assay_internal.html_y(b.high)), '')
			|| '<path class="curve" d="M' || string_agg(assay_internal.html_x(b.mean_score) || ' ' || assay_internal.html_y(b.positive_rate), 'L' ORDER BY b.bin) || '"/>'
			|| string_agg(format('<circle class="dot" cx="%s" cy="%s" r="4"><title>score %s: %s of %s messages</title></circle>', assay_internal.html_x(b.mean_score), assay_internal.html_y(b.positive_rate),
				round(b.mean_score::numeric, 3), round((b.positive_rate * b.weight)::numeric), b.weight), '') FROM bins b))
		|| assay_internal.html_table('calibration-table', 'Ten ranges of the score; those without labelled messages are left out', '{#from,#to,#messages,#mean score,#malicious,95 %}',
			(SELECT string_agg('<tr>' || assay_internal.html_figure('from', b.lower, 1) || assay_internal.html_figure('to', b.upper, 1) || assay_internal.html_figure('messages', b.weight, 0)
				|| assay_internal.html_figure('mean_score', b.mean_score, 3) || assay_internal.html_rate('positive_rate', b.positive_rate, b.low, b.high) || '</tr>', '' ORDER BY b.bin) FROM bins b))
		|| '</figure>'
$$;
COMMENT ON FUNCTION assay_internal.html_calibration(assay.scored) IS 'what becomes of messages with a score';

-- verdicts over time

CREATE TYPE assay_internal.verdict_count AS (at timestamptz, verdict text, level int, hits bigint);
COMMENT ON TYPE assay_internal.verdict_count IS 'decisions of an hour or day with a verdict';

CREATE FUNCTION assay_internal.html_level(level int, most int) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN level = 0 THEN 'v0' WHEN level >= most THEN 'v3' WHEN level > most / 2.0 THEN 'v2' ELSE 'v1' END
$$;
COMMENT ON FUNCTION assay_internal.html_level(int, int) IS 'colour of a verdict, of so many beside the default';

-- The last "places" steps of time with a decision, bars on each other from the default verdict up
CREATE FUNCTION assay_internal.html_times(id text, title text, counts assay_internal.verdict_count[], step interval, places int, most int) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH span AS (
		SELECT max(c.at) AS last, greatest(min(c.at), max(c.at) - (places - 1) * step) AS first FROM unnest(counts) c
	), shown AS MATERIALIZED (
		SELECT c.*, sum(c.hits) OVER (PARTITION BY c.at ORDER BY c.level, c.verdict COLLATE "C") AS top, sum(c.hits) OVER (PARTITION BY c.at) AS total,
			extract(epoch FROM c.at - s.first)::float8 / extract(epoch FROM step)::float8 AS place
		FROM unnest(counts) c, span s WHERE c.at >= s.first
	), scale AS (
		SELECT max(s.total)::float8 AS highest, (SELECT round(extract(epoch FROM p.last - p.first) / extract(epoch FROM step)) + 1 FROM span p)::float8 AS n FROM shown s
	), labelled AS (
		SELECT DISTINCT ON (l.place) l.place, l.at FROM shown l
	)
	SELECT format('<figure><figcaption>%2$s</figcaption><svg class="chart" viewBox="0 0 1000 240" role="img" aria-labelledby="%1$s-t %1$s-d"><title id="%1$s-t">%2$s</title><desc id="%1$s-d">Decisions by verdict, from %3$s to %4$s in UTC, at most %5$s at a time. The table below has the figures.</desc>',
			id, title, to_char(p.first AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), to_char(p.last AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), k.highest)
		|| (SELECT string_agg(format('<path class="grid" d="M60 %1$sH990"/><text x="54" y="%1$s" dy="4" text-anchor="end">%2$s</text>', round(200 - 190 * i / 2.0), round((k.highest * i / 2.0)::numeric, CASE WHEN k.highest < 2 THEN 1 ELSE 0 END)), '') FROM generate_series(0, 2) i)
		|| (SELECT string_agg(format('<rect class="%s" x="%s" y="%s" width="%s" height="%s"><title>%s %s: %s</title></rect>', assay_internal.html_level(s.level, most),
				round((60 + 930 * s.place / k.n)::numeric, 1), round((200 - 190 * s.top / k.highest)::numeric, 1), round(greatest(least(930 / k.n, 60) * 0.82, 1)::numeric, 1), round((190 * s.hits / k.highest)::numeric, 1),
				to_char(s.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), assay_internal.html(s.verdict, 30), s.hits), '' ORDER BY s.at, s.level, s.verdict COLLATE "C") FROM shown s WHERE k.highest > 0)
		|| (SELECT string_agg(format('<text x="%s" y="220" text-anchor="%s">%s</text>', round((60 + 930 * (i / 4.0) * (1 - 1 / k.n))::numeric), CASE i WHEN 0 THEN 'start' WHEN 4 THEN 'end' ELSE 'middle' END,
				to_char((p.first + (i / 4.0) * (p.last - p.first)) AT TIME ZONE 'UTC', CASE WHEN step < interval '1 day' THEN 'MM-DD HH24:MI' ELSE 'YYYY-MM-DD' END)), '')
			FROM generate_series(0, CASE WHEN k.n >= 5 THEN 4 ELSE 0 END) i)
		|| '</svg>' || (SELECT '<ul class="key">' || string_agg(format('<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="%s" width="10" height="10"/></svg>%s</li>', assay_internal.html_level(v.level, most), assay_internal.html_name(v.verdict, 30)), '' ORDER BY v.level, v.verdict COLLATE "C") || '</ul>'
			FROM (SELECT DISTINCT s.verdict, s.level FROM shown s ORDER BY s.level DESC LIMIT 20) v)
		|| '<details><summary>The figures as a table</summary>'
		|| assay_internal.html_table(id || '-table', title, '{time (UTC),verdict,#decisions}',
			(SELECT string_agg(format('<tr><th scope="row">%s</th><td>%s</td>%s</tr>', assay_internal.html_time(s.at), assay_internal.html_name(s.verdict, 30), assay_internal.html_figure('hits', s.hits, 0)), '' ORDER BY s.at DESC, s.level DESC, s.verdict COLLATE "C")
				FROM (SELECT s.* FROM shown s ORDER BY s.at DESC, s.level DESC, s.verdict COLLATE "C" LIMIT 300) s))
		|| assay_internal.html_more('rows', 300, (SELECT count(*) FROM shown)) || '</details></figure>'
	FROM span p, scale k WHERE k.n IS NOT NULL
$$;
COMMENT ON FUNCTION assay_internal.html_times(text, text, assay_internal.verdict_count[], interval, int, int) IS 'decisions by verdict over time';

-- The rollup where there is one that the user may read, else the decisions; days have the sums of their hours
CREATE FUNCTION assay_internal.html_verdict_times(policy text, since timestamptz, until timestamptz) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	counts assay_internal.verdict_count[];
	days assay_internal.verdict_count[];
	levels text[] := (SELECT r.default_verdict || array(SELECT t.key FROM jsonb_each_text(r.thresholds) t ORDER BY t.value::float8, t.key) FROM assay_internal.revision_for_reading(html_verdict_times.policy) r);
	verdicts bigint;
	last_at timestamptz;
	counted_at timestamptz := (SELECT r.refreshed_at FROM assay.rollups r WHERE r.policy = html_verdict_times.policy
		AND EXISTS (SELECT FROM assay.decision_hours h WHERE h.policy = r.policy));
BEGIN
	IF counted_at IS NOT NULL THEN
		last_at := (SELECT max(h.hour) FROM assay.decision_hours h WHERE h.policy = html_verdict_times.policy AND h.kind = 'verdict' AND h.hour >= date_trunc('hour', since, 'UTC') AND h.hour < html_verdict_times.until);
		counts := array(SELECT ROW(h.hour, h.name, coalesce(array_position(levels, h.name) - 1, 0), h.hits)::assay_internal.verdict_count FROM assay.decision_hours h
			WHERE h.policy = html_verdict_times.policy AND h.kind = 'verdict' AND h.hour >= date_trunc('hour', since, 'UTC') AND h.hour < html_verdict_times.until
				AND h.hour >= date_trunc('day', last_at, 'UTC') - interval '91 days');
	ELSE
		counts := array(SELECT ROW(c.hour, c.verdict, coalesce(array_position(levels, c.verdict) - 1, 0), c.hits)::assay_internal.verdict_count
			FROM (SELECT h.*, max(h.hour) OVER () AS last_at FROM assay_internal.page_hours(html_verdict_times.policy, since, html_verdict_times.until) h) c
			WHERE c.hour >= date_trunc('day', c.last_at, 'UTC') - interval '91 days');
	END IF;
	IF cardinality(counts) = 0 THEN
		RETURN '<p>There is no decision of that time.</p>';
	END IF;
	days := array(SELECT ROW(date_trunc('day', c.at, 'UTC'), c.verdict, c.level, sum(c.hits))::assay_internal.verdict_count FROM unnest(counts) c GROUP BY date_trunc('day', c.at, 'UTC'), c.verdict, c.level);
	-- so many bars at most
	verdicts := (SELECT count(DISTINCT c.verdict) FROM unnest(counts) c);
	RETURN assay_internal.html_times('days', 'Decisions a day', days, interval '1 day', greatest(least(92, 480 / verdicts), 1)::int, cardinality(levels) - 1)
		|| assay_internal.html_times('hours', 'Decisions an hour', counts, interval '1 hour', greatest(least(96, 480 / verdicts), 1)::int, cardinality(levels) - 1)
		|| format('<p class="note">Days and hours are in UTC; the last %s days and the last %s hours up to the latest decision are shown. ', greatest(least(92, 480 / verdicts), 1), greatest(least(96, 480 / verdicts), 1))
		|| CASE WHEN counted_at IS NOT NULL THEN format('From the counts by hour, refreshed %s; a message counts once in each hour.', assay_internal.html_time(counted_at))
			ELSE 'Counted from the decisions; a message counts once, by its latest.' END || '</p>';
END $$;
COMMENT ON FUNCTION assay_internal.html_verdict_times(text, timestamptz, timestamptz) IS 'section of the page: verdicts by day and hour';
