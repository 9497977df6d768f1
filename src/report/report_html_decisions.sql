-- ---------------------------------------------------------------------------
-- report: decisions on the page, each with its margin built up bar by bar
-- ---------------------------------------------------------------------------

-- private functions

-- What counted, by size, then what did not; the margin after each step.  What
-- comes behind the largest "most" is one step.
CREATE FUNCTION assay_internal.page_steps(attribution assay.attribution, most int,
	OUT step int, OUT evidence text, OUT kind text, OUT counted boolean, OUT contribution float8, OUT before float8, OUT after float8, OUT entry int)
	RETURNS SETOF record LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH l AS (
		SELECT l.*, CASE WHEN l.counted THEN l.contribution ELSE 0 END AS effect FROM assay.ledger($1) l
	), o AS (
		SELECT l.*, row_number() OVER w AS n, sum(l.effect) OVER w AS margin
		FROM l WINDOW w AS (ORDER BY l.kind <> 'prior', l.kind = 'exclusion', NOT l.counted, abs(l.effect) DESC, l.entry)
	), t AS (
		SELECT o.*, o.n > most AND o.counted AND o.kind <> 'exclusion' AS small FROM o
	)
	SELECT t.n::int, t.detector, t.kind, t.counted, t.effect, t.margin - t.effect, t.margin, t.entry FROM t WHERE NOT t.small AND t.counted
	UNION ALL
	SELECT min(t.n)::int, format('%s more', count(*)), 'more', true, sum(t.effect), min(t.margin - t.effect) FILTER (WHERE t.first), min(t.margin) FILTER (WHERE t.last), NULL
	FROM (SELECT t.*, t.n = min(t.n) OVER () AS first, t.n = max(t.n) OVER () AS last FROM t WHERE t.small) t HAVING count(*) > 0
	UNION ALL
	SELECT t.n::int, t.detector, t.kind, false, t.contribution, NULL, NULL, t.entry FROM t WHERE NOT t.counted
	ORDER BY 1
$$;
COMMENT ON FUNCTION assay_internal.page_steps(assay.attribution, int) IS 'steps in which a margin is built up, the prior first, as explain_decision() orders them';

CREATE FUNCTION assay_internal.page_because(kind text, counted boolean, hit boolean, shadow boolean, muted_by text, forced text, fault text, signals jsonb) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT concat_ws('; ', CASE kind WHEN 'prior' THEN 'log-odds before any evidence' WHEN 'signals' THEN 'signals could not be read' WHEN 'exclusion' THEN 'exclusion' END,
		'forces the verdict ' || forced, 'muted by exclusion ' || muted_by, CASE WHEN shadow AND fault IS NULL THEN 'shadow' END,
		CASE WHEN fault = 'suspended' THEN 'suspended after repeated faults' ELSE 'failed with SQLSTATE ' || fault END,
		CASE jsonb_typeof(signals)
			WHEN 'object' THEN (SELECT string_agg(format('%s = %s', s.key, coalesce(s.value, 'NULL')), ', ') FROM jsonb_each_text(signals) s)
			WHEN 'array' THEN (SELECT string_agg(concat(s.value->>0, ' = ' || nullif(s.value->>1, ''), ' (' || to_char((s.value->>2)::numeric, 'FMSG990.00') || ')'), ', ') FROM jsonb_array_elements(signals) s)
		END)
$$;
COMMENT ON FUNCTION assay_internal.page_because(text, boolean, boolean, boolean, text, text, text, jsonb) IS 'what a ledger says of an entry, as a text';

CREATE FUNCTION assay_internal.html_fall(before float8, after float8, low float8, high float8, limits float8[]) RETURNS text LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<td><svg class="fall" viewBox="0 0 256 18" preserveAspectRatio="none" aria-hidden="true"><rect class="%s" x="%s" y="3" width="%s" height="12" rx="1"/>',
			CASE WHEN after >= before THEN 'plus' ELSE 'minus' END,
			round((4 + 248 * (least(before, after) - low) / (high - low))::numeric, 1), round(greatest(248 * abs(after - before) / (high - low), 1)::numeric, 1))
		|| coalesce((SELECT string_agg(format('<path class="limit" d="M%s 0V18"/>', round((4 + 248 * (l - low) / (high - low))::numeric, 1)), '') FROM unnest(limits) l), '')
		|| '</svg></td>'
$$;
COMMENT ON FUNCTION assay_internal.html_fall(float8, float8, float8, float8, float8[]) IS 'cell with the bar of a step, and where the thresholds are';

CREATE FUNCTION assay_internal.html_waterfall(policy text, id text, revision int, verdict text, attribution assay.attribution) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH step AS MATERIALIZED (
		SELECT s.*, l.hit, l.shadow, l.muted_by, l.forced, l.fault, l.signals FROM assay_internal.page_steps(attribution, 13) s
		LEFT JOIN assay.ledger(attribution) l ON l.entry = s.entry
	), bound AS MATERIALIZED (
		-- thresholds as margins, and what the bars are drawn between
		SELECT array(SELECT ln(t.value::float8 / (1 - t.value::float8)) FROM assay.revision r, jsonb_each_text(r.thresholds) t
			WHERE r.policy = html_waterfall.policy AND r.revision = html_waterfall.revision AND t.value::float8 > 0.0001 AND t.value::float8 < 0.9999 ORDER BY 1 LIMIT 8) AS limits
	), scale AS MATERIALIZED (
		SELECT b.limits, least(min(least(s.before, s.after)), 0, (SELECT min(l) FROM unnest(b.limits) l)) AS low,
			greatest(max(greatest(s.before, s.after)), 0.001, (SELECT max(l) FROM unnest(b.limits) l)) AS high
		FROM step s, bound b GROUP BY b.limits
	), described AS (
		SELECT s.*, (SELECT v.description FROM assay.detector v WHERE v.policy = html_waterfall.policy AND v.detector = s.evidence
			AND v.from_revision <= html_waterfall.revision AND (v.until_revision IS NULL OR v.until_revision > html_waterfall.revision) LIMIT 1) AS description FROM step s
	)
	SELECT assay_internal.html_table(id, 'The margin, step by step, in log-odds; dashed: thresholds', '{evidence,margin built up,#adds,#margin,because}',
		(SELECT string_agg(format('<tr data-name="%s"><th scope="row">%s</th>', assay_internal.html(s.evidence), assay_internal.html_name(s.evidence))
			|| assay_internal.html_fall(s.before, s.after, k.low, k.high, k.limits)
			|| assay_internal.html_figure('contribution', s.contribution, 2) || assay_internal.html_figure('margin', s.after, 2)
			|| format('<td class="because">%s</td></tr>', assay_internal.html(concat_ws('; ', s.description, assay_internal.page_because(s.kind, s.counted, s.hit, s.shadow, s.muted_by, s.forced, s.fault, s.signals)), 200)), '' ORDER BY s.step)
		FROM described s, scale k WHERE s.counted)
		|| (SELECT '<tr><th scope="row">= ' || assay_internal.html_name(verdict) || '</th>' || regexp_replace(assay_internal.html_fall(0, assay.margin(attribution), k.low, k.high, k.limits), 'class="(plus|minus)"', 'class="total"')
			|| '<td></td>' || assay_internal.html_figure('total', assay.margin(attribution), 2) || '<td class="because"></td></tr>' FROM scale k))
		|| coalesce((SELECT '<p class="note">Without effect: ' || string_agg(format('%s (%s)', assay_internal.html_name(s.evidence), assay_internal.html(
				concat_ws('; ', 'would add ' || round(s.contribution::numeric, 2), assay_internal.page_because(s.kind, s.counted, s.hit, s.shadow, s.muted_by, s.forced, s.fault, NULL)))), ', ' ORDER BY s.step)
			|| CASE WHEN count(*) < max(s.all_of_them) THEN format(' and %s more', max(s.all_of_them) - count(*)) ELSE '' END || '</p>'
			FROM (SELECT s.*, count(*) OVER () AS all_of_them FROM step s WHERE NOT s.counted ORDER BY s.step LIMIT 8) s), '')
$$;
COMMENT ON FUNCTION assay_internal.html_waterfall(text, text, int, text, assay.attribution) IS 'a decision''s ledger: a table with a bar for each step';

CREATE FUNCTION assay_internal.page_key(key text[]) RETURNS text LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_to_string(key, ', ', 'NULL')
$$;
COMMENT ON FUNCTION assay_internal.page_key(text[]) IS 'how a key reads';

CREATE FUNCTION assay_internal.html_decision(policy text, n bigint, key text[], revision int, decided_at timestamptz, verdict text, score real, malicious boolean,
	attribution assay.attribution, columns text[], shown text[]) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<article id="decision-%s" tabindex="-1"><h3>%s: %s</h3><dl><dt>decided (UTC)</dt><dd>%s by revision %s%s</dd><dt>score</dt><dd>%s</dd><dt>label</dt><dd>%s</dd>',
			n, assay_internal.html_name(assay_internal.page_key(key)), assay_internal.html_name(verdict), assay_internal.html_time(decided_at), revision,
			CASE WHEN assay.degraded(attribution) THEN ', without some of its evidence' ELSE '' END, assay_internal.html_number(score, 4),
			CASE malicious WHEN true THEN 'malicious' WHEN false THEN '<span class="warning">safe</span>' ELSE 'none' END)
		|| coalesce((SELECT string_agg(format('<dt>%s</dt><dd>%s</dd>', assay_internal.html_name(c.name, 40), coalesce(assay_internal.html_name(shown[c.n], 200), '&ndash;')), '' ORDER BY c.n)
			FROM unnest(columns) WITH ORDINALITY c(name, n)), '')
		|| '</dl>' || assay_internal.html_waterfall(policy, 'ledger-' || n, revision, verdict, attribution) || '<p class="note"><a href="#latest">Back to the list</a></p></article>'
$$;
COMMENT ON FUNCTION assay_internal.html_decision(text, bigint, text[], int, timestamptz, text, real, boolean, assay.attribution, text[], text[]) IS 'a decision as the page shows it, which links lead to';

-- As many of the latest as go into "room" bytes
CREATE FUNCTION assay_internal.html_latest(policy text, since timestamptz, until timestamptz, columns text[], messages oid, room int) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	wanted CONSTANT int := 20;
	worst text[] := (SELECT array(SELECT t.key FROM jsonb_each_text(r.thresholds) t WHERE t.value::float8 = (SELECT max(u.value::float8) FROM jsonb_each_text(r.thresholds) u))
		FROM assay_internal.revision_for_reading(html_latest.policy) r);
	d record;
	one text;
	rows text := '';
	pages text := '';
	shown bigint := 0;
	found bigint := 0;
BEGIN
	IF cardinality(columns) > 8 THEN
		RAISE EXCEPTION 'too many columns to show: %, and 8 is the limit', cardinality(columns) USING ERRCODE = 'program_limit_exceeded';
	END IF;
	FOR d IN SELECT * FROM assay_internal.page_latest(html_latest.policy, since, html_latest.until, worst, wanted, columns, messages) LOOP
		found := found + 1;
		one := assay_internal.html_decision(html_latest.policy, found, d.key, d.revision, d.decided_at, d.verdict, d.score, d.malicious, d.attribution, columns, d.shown);
		CONTINUE WHEN octet_length(pages) + octet_length(rows) + octet_length(one) + 20000 > room;
		shown := shown + 1;
		pages := pages || one;
		rows := rows || format('<tr data-name="%s"><th scope="row"><a href="#decision-%s">%s</a></th><td>%s</td>', assay_internal.html(assay_internal.page_key(d.key)), found,
				assay_internal.html_name(assay_internal.page_key(d.key)), assay_internal.html_time(d.decided_at))
			|| assay_internal.html_figure('score', d.score, 4) || assay_internal.html_figure('margin', assay.margin(d.attribution), 2)
			|| format('<td>%s</td><td>%s</td></tr>', CASE d.malicious WHEN true THEN 'malicious' WHEN false THEN 'safe' ELSE '&ndash;' END, assay_internal.html(coalesce((
				SELECT string_agg(e.detector, ', ' ORDER BY e.contribution DESC, e.entry) FROM assay.ledger(d.attribution) e WHERE e.counted AND e.hit AND e.contribution > 0 AND e.kind IN ('rule', 'model')), ''), 120));
	END LOOP;
	IF found = 0 THEN
		RETURN '<p>There is none of that time.</p>';
	END IF;
	RETURN assay_internal.html_table('latest-table', 'The latest decisions with the worst verdict', '{message,decided (UTC),#score,#margin,label,what spoke for it}', rows, true)
		|| assay_internal.html_more('of these decisions', shown, found)
		|| format('<p class="note">At most %s. Each is taken apart below: what speaks for it pushes to the right, what speaks against it to the left.</p>', wanted) || pages;
END $$;
COMMENT ON FUNCTION assay_internal.html_latest(text, timestamptz, timestamptz, text[], oid, int) IS 'section of the page: the latest decisions with the worst verdict, each with its ledger';
