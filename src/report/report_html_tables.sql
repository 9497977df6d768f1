-- ---------------------------------------------------------------------------
-- report: tables of the page: verdicts, detectors, overlap, review, what is wrong
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.html_verdicts(report assay_internal.precision_row[]) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.html_table('verdict-table', 'Decisions by verdict, the worst first', '{verdict,claim,#decisions,#labelled,#true,#false,#precision,95 %,#recall,#missed}',
		(SELECT string_agg(format('<tr data-name="%s"><th scope="row">%s</th><td>%s</td>', assay_internal.html(r.name), assay_internal.html_name(r.name), r.claim)
			|| assay_internal.html_figure('hits', r.hits, 0) || assay_internal.html_figure('labelled', r.labelled, 0) || assay_internal.html_figure('tp', r.tp, 0) || assay_internal.html_figure('fp', r.fp, 0)
			|| assay_internal.html_rate('precision', r.precision, r.lower, r.upper) || assay_internal.html_figure('recall', r.recall, 3) || assay_internal.html_figure('fnr', r.fnr, 3) || '</tr>', '' ORDER BY r.n)
		FROM unnest(report) WITH ORDINALITY r(kind, name, mode, claim, hits, labelled, tp, fp, "precision", lower, upper, recall, fnr, sole, sole_right, sole_wrong, overlap, evaluated, segment, n)
		WHERE r.kind = 'verdict' AND r.n <= 20))
		|| assay_internal.html_more('verdicts', 20, (SELECT count(*) FROM unnest(report) r WHERE r.kind = 'verdict'))
		|| '<p class="note">Of messages with a label, as they were decided. Recall: of all labelled messages for which the claim is true, how many got this verdict or a worse one; missed: the others. Unless labels are a random sample these are no rates of all mail.</p>'
$$;
COMMENT ON FUNCTION assay_internal.html_verdicts(assay_internal.precision_row[]) IS 'section of the page: verdicts';

CREATE FUNCTION assay_internal.html_detectors(report assay_internal.precision_row[]) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.html_table('detector-table', 'Detectors, exclusions and tags; a click on a head sorts by it',
		'{detector,kind,mode,claim,#hits,#labelled,#true,#false,#precision,95 %,#recall,#sole,#right,#wrong,#overlap}',
		(SELECT string_agg(format('<tr data-name="%s"><th scope="row">%s</th><td>%s</td><td>%s</td><td>%s</td>', assay_internal.html(r.name), assay_internal.html_name(r.name), r.kind, coalesce(r.mode, '&ndash;'), r.claim)
			|| assay_internal.html_figure('hits', r.hits, 0) || assay_internal.html_figure('labelled', r.labelled, 0) || assay_internal.html_figure('tp', r.tp, 0) || assay_internal.html_figure('fp', r.fp, 0)
			|| assay_internal.html_rate('precision', r.precision, r.lower, r.upper) || assay_internal.html_figure('recall', r.recall, 3)
			|| assay_internal.html_figure('sole', r.sole, 0) || assay_internal.html_figure('sole_right', r.sole_right, 0) || assay_internal.html_figure('sole_wrong', r.sole_wrong, 0)
			|| assay_internal.html_figure('overlap', r.overlap, 0) || '</tr>', '' ORDER BY r.n)
		FROM (SELECT r.* FROM unnest(report) WITH ORDINALITY r(kind, name, mode, claim, hits, labelled, tp, fp, "precision", lower, upper, recall, fnr, sole, sole_right, sole_wrong, overlap, evaluated, segment, n)
			WHERE r.kind <> 'verdict' ORDER BY r.n LIMIT 150) r), true)
		|| assay_internal.html_more('rows', 150, (SELECT count(*) FROM unnest(report) r WHERE r.kind <> 'verdict'))
		|| '<p class="note">Sole: decisions that would have had another verdict without it alone (in shadow: with it); right and wrong: labelled ones of these that it moved the right or the wrong way. What an exclusion costs is its wrong ones.</p>'
$$;
COMMENT ON FUNCTION assay_internal.html_detectors(assay_internal.precision_row[]) IS 'section of the page: detectors by precision and by sole effect';

CREATE FUNCTION assay_internal.html_overlap(policy text, since timestamptz, until timestamptz) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH pair AS MATERIALIZED (
		SELECT o.* FROM assay.overlap_report($1, $2, $3) o
	), every AS (
		SELECT o.detector_a AS name, o.hits_a AS hits FROM pair o UNION SELECT o.detector_b, o.hits_b FROM pair o
	), named AS MATERIALIZED (
		SELECT e.*, row_number() OVER (ORDER BY e.hits DESC, e.name COLLATE "C") AS n FROM every e
	), shown AS (
		SELECT n.* FROM named n WHERE n.n <= 16
	), cell AS (
		SELECT a.n, b.n AS m, a.name, p.both, p.jaccard FROM shown a CROSS JOIN shown b
		LEFT JOIN pair p ON (p.detector_a = a.name AND p.detector_b = b.name) OR (p.detector_a = b.name AND p.detector_b = a.name)
	)
	SELECT CASE WHEN (SELECT count(*) FROM pair) = 0 THEN '<p>No two detectors hit the same message.</p>' ELSE
		'<div class="scroll" tabindex="0" role="region" aria-label="Overlap"><table class="matrix" id="overlap-table"><caption>Messages on which both hit; the darker, the larger a part of those on which either did</caption><thead><tr><th scope="col">detector</th><th scope="col" class="n">hits</th>'
		|| (SELECT string_agg(format('<th scope="col">%s</th>', assay_internal.html_name(s.name, 40)), '' ORDER BY s.n) FROM shown s) || '</tr></thead><tbody>'
		|| (SELECT string_agg(format('<tr><th scope="row">%s</th><td class="n" style="--a:0" data-c="hits" data-v="%s">%2$s</td>%s</tr>', assay_internal.html_name(s.name, 40), s.hits,
			(SELECT string_agg(CASE WHEN c.m = c.n THEN '<td aria-label="itself" style="--a:0">&middot;</td>' WHEN c.both IS NULL THEN '<td style="--a:0" data-v="0" data-jaccard="0">0</td>'
				ELSE format('<td style="--a:%s" data-v="%s" data-jaccard="%s" title="%s %% of either">%2$s</td>', round(c.jaccard::numeric, 2), c.both, c.jaccard, round(100 * c.jaccard::numeric, 1)) END, '' ORDER BY c.m)
			FROM cell c WHERE c.n = s.n)), '' ORDER BY s.n) FROM shown s)
		|| '</tbody></table></div>' || assay_internal.html_more('detectors', 16, (SELECT count(*) FROM named)) END
$$;
COMMENT ON FUNCTION assay_internal.html_overlap(text, timestamptz, timestamptz) IS 'section of the page: which detectors hit the same messages';

CREATE FUNCTION assay_internal.html_review(policy text, since timestamptz, until timestamptz) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	r record;
	p assay.policy := assay_internal.policy_for_reading(html_review.policy);
BEGIN
	IF assay_internal.review_table(p.policy, p.label) IS NOT NULL THEN
		SELECT v.* INTO r FROM assay.review_rounds(p.policy) v WHERE v.since < html_review.until AND v.until > html_review.since ORDER BY v.round DESC LIMIT 1;
	END IF;
	IF r IS NULL THEN
		RETURN '<p>No messages of that time were drawn for review: there are no figures of all mail. <code>assay.review_sample()</code> draws some.</p>';
	END IF;
	RETURN format('<p id="round" data-round="%s">The latest round, %1$s, drawn %s from %s decisions: %s of %s drawn messages are labelled, %s put aside.</p>',
			r.round, assay_internal.html_time(r.drawn_at), r.population, r.labelled, r.drawn, r.skipped)
		|| assay_internal.html_table('review-table', 'Rates of all decisions that the round drew from', '{metric,of,#estimate,95 %,#reviewed,#malicious,note}',
			(SELECT string_agg(format('<tr data-name="%s %s"><th scope="row">%1$s</th><td>%3$s</td>', assay_internal.html(o.metric), assay_internal.html(o.name), assay_internal.html_name(o.name))
				|| assay_internal.html_rate('estimate', o.estimate, o.lower, o.upper) || assay_internal.html_figure('reviewed', o.reviewed, 0) || assay_internal.html_figure('malicious', o.malicious, 0)
				|| format('<td>%s</td></tr>', assay_internal.html(o.note, 200)), '' ORDER BY o.n)
			FROM (SELECT o.*, row_number() OVER () AS n FROM assay.online_report(p.policy, r.round) o LIMIT 40) o))
		|| '<p class="note">Unlike the tables above these count what nobody complained of, too.</p>';
END $$;
COMMENT ON FUNCTION assay_internal.html_review(text, timestamptz, timestamptz) IS 'section of the page: online_report() of the latest round';

CREATE FUNCTION assay_internal.html_alerts(policy text) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH a AS MATERIALIZED (
		SELECT a.*, row_number() OVER (ORDER BY a.severity DESC, a.kind, a.value DESC NULLS LAST, a.name COLLATE "C") AS n FROM assay_internal.alerts_of($1) a
	)
	SELECT CASE WHEN (SELECT count(*) FROM a) = 0 THEN '<p>Nothing moved.</p>' ELSE
		assay_internal.html_table('alert-table', 'What moves: as of the time of this page', '{severity,kind,name,detail,detectors that read it}',
			(SELECT string_agg(format('<tr><td class="%s">%1$s</td><td>%s</td><th scope="row">%s</th><td>%s</td><td>%s</td></tr>', a.severity, a.kind, assay_internal.html_name(a.name),
				assay_internal.html(a.detail, 200), assay_internal.html(array_to_string(a.detectors, ', '), 200)), '' ORDER BY a.n) FROM a WHERE a.n <= 40))
		|| assay_internal.html_more('alerts', 40, (SELECT count(*) FROM a)) END
$$;
COMMENT ON FUNCTION assay_internal.html_alerts(text) IS 'section of the page: what assay.alerts shows of the policy';

CREATE FUNCTION assay_internal.html_faults(policy text, since timestamptz, until timestamptz) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH f AS MATERIALIZED (
		SELECT f.detector, f.sqlstate, f.message, count(*) AS faults, max(f.at) AS last FROM assay.fault f
		WHERE f.policy = $1 AND f.at >= $2 AND f.at < $3 GROUP BY 1, 2, 3
	), ranked AS (
		SELECT f.*, row_number() OVER (ORDER BY f.faults DESC, f.last DESC, f.detector COLLATE "C", f.message COLLATE "C") AS n FROM f
	)
	SELECT CASE WHEN (SELECT count(*) FROM f) = 0 THEN '<p>None.</p>' ELSE
		assay_internal.html_table('fault-table', 'Errors of that time', '{detector,SQLSTATE,error,#times,last (UTC)}',
			(SELECT string_agg(format('<tr><th scope="row">%s</th><td>%s</td><td>%s</td>%s<td>%s</td></tr>', assay_internal.html_name(r.detector), assay_internal.html(r.sqlstate), assay_internal.html(r.message, 200),
				assay_internal.html_figure('faults', r.faults, 0), assay_internal.html_time(r.last)), '' ORDER BY r.n) FROM ranked r WHERE r.n <= 30))
		|| assay_internal.html_more('errors', 30, (SELECT count(*) FROM f)) END
$$;
COMMENT ON FUNCTION assay_internal.html_faults(text, timestamptz, timestamptz) IS 'section of the page: faults';

CREATE FUNCTION assay_internal.html_findings(policy text) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH c AS MATERIALIZED (
		SELECT c.*, row_number() OVER () AS n FROM assay.check($1) c
	)
	SELECT CASE WHEN (SELECT count(*) FROM c) = 0 THEN '<p>All is well.</p>' ELSE
		assay_internal.html_table('check-table', 'As of the time of this page', '{severity,check,finding,what to do}',
			(SELECT string_agg(format('<tr><td class="%s">%1$s</td><th scope="row">%s</th><td>%s</td><td>%s</td></tr>', c.severity, assay_internal.html(c."check"), assay_internal.html(c.detail, 300), assay_internal.html(c.hint, 200)), '' ORDER BY c.n)
				FROM c WHERE c.n <= 40))
		|| assay_internal.html_more('findings', 40, (SELECT count(*) FROM c)) END
$$;
COMMENT ON FUNCTION assay_internal.html_findings(text) IS 'section of the page: what assay.check() finds';
