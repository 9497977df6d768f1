-- ---------------------------------------------------------------------------
-- report: the page itself
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.html_tile(name text, title text, v float8, digits int, below text) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<div data-c="%s" data-v="%s"><dt>%s</dt><dd>%s<small>%s</small></dd></div>', name, coalesce(v::text, ''), title, assay_internal.html_number(v, digits), coalesce(below, ''))
$$;
COMMENT ON FUNCTION assay_internal.html_tile(text, text, float8, int, text) IS 'a figure in large; the title is HTML';

CREATE FUNCTION assay_internal.html_tiles(report assay_internal.precision_row[], scores assay.scored, decisions bigint, labelled bigint, malicious bigint) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT '<dl class="tiles">' || assay_internal.html_tile('decisions', 'decisions', decisions, 0, NULL)
		|| assay_internal.html_tile('labelled', 'with a label', labelled, 0, assay_internal.html_number(malicious, 0) || ' malicious')
		|| coalesce((SELECT assay_internal.html_tile('precision', 'precision of ' || assay_internal.html_name(v.name, 30), v.precision, 3, format('%s to %s', assay_internal.html_number(v.lower, 3), assay_internal.html_number(v.upper, 3)))
			|| assay_internal.html_tile('recall', 'recall of ' || assay_internal.html_name(v.name, 30), v.recall, 3, 'of labelled malicious ones')
			FROM (SELECT r.* FROM unnest(report) WITH ORDINALITY r(kind, name, mode, claim, hits, labelled, tp, fp, "precision", lower, upper, recall, fnr, sole, sole_right, sole_wrong, overlap, evaluated, segment, n)
				WHERE r.kind = 'verdict' ORDER BY r.n LIMIT 1) v), '')
		|| assay_internal.html_tile('roc_auc', 'ROC AUC', assay.roc_auc(scores), 4, 'of the scores')
		|| assay_internal.html_tile('average_precision', 'average precision', assay.average_precision(scores), 4, 'of the scores')
		|| assay_internal.html_tile('log_loss', 'log loss', assay.log_loss(scores), 4, 'lower is better')
		|| assay_internal.html_tile('brier', 'Brier score', assay.brier(scores), 4, 'lower is better') || '</dl>'
$$;
COMMENT ON FUNCTION assay_internal.html_tiles(assay_internal.precision_row[], assay.scored, bigint, bigint, bigint) IS 'the figures that one looks for first';

CREATE FUNCTION assay_internal.html_scores(policy text, s assay.scored, labelled bigint, malicious bigint) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN malicious > 0 THEN '<div class="pair">' || assay_internal.html_precision_recall(s, r.thresholds) || assay_internal.html_calibration(s) || '</div>'
			|| '<p class="note">By the scores as they were decided, whatever exclusions and forced verdicts made of them.</p>'
		ELSE '<p>There is no decision of that time with a label that says malicious.</p>' END
	FROM assay_internal.revision_for_reading($1) r
$$;
COMMENT ON FUNCTION assay_internal.html_scores(text, assay.scored, bigint, bigint) IS 'section of the page: curves of the scores';

CREATE FUNCTION assay_internal.html_head(p assay.policy, since timestamptz, until timestamptz, mature timestamptz) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
		-- nothing from elsewhere, and no script but that of this page
		|| format('<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''; script-src ''sha256-%s''; base-uri ''none''; form-action ''none''">',
			encode(sha256(convert_to(assay_internal.html_script(), 'UTF8')), 'base64'))
		|| format('<title>Policy %s</title><style>%s</style></head><body><a class="skip" href="#verdicts">Skip to the figures</a><header><h1>Policy %s</h1>',
			assay_internal.html(p.policy), assay_internal.html_style(), assay_internal.html_name(p.policy))
		|| format('<p class="meta">Decisions from %s to %s; revision %s of %s; owner %s; made %s, all times in UTC</p>',
			CASE WHEN isfinite(since) THEN assay_internal.html_time(since) ELSE 'the first' END, CASE WHEN isfinite(until) THEN assay_internal.html_time(until) ELSE 'the last' END,
			r.revision, assay_internal.html_time(r.made_at), assay_internal.html_name(p.owner::text), assay_internal.html_time(now()))
		|| CASE WHEN mature < until AND mature < now() THEN format('<p class="note">Figures about labels leave out decisions since %s, whose labels may still come.</p>', assay_internal.html_time(mature)) ELSE '' END
		|| '</header>'
	FROM assay_internal.revision_for_reading(p.policy) r
$$;
COMMENT ON FUNCTION assay_internal.html_head(assay.policy, timestamptz, timestamptz, timestamptz) IS 'head of the page, and its first lines';

CREATE TYPE assay_internal.page_scored AS (scores assay.scored, decisions bigint, labelled bigint, malicious bigint, first_at timestamptz, last_at timestamptz);
COMMENT ON TYPE assay_internal.page_scored IS 'row of page_scores()';

CREATE FUNCTION assay_internal.try_page_scores(policy text, since timestamptz, until timestamptz) RETURNS assay_internal.page_scored LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	s assay_internal.page_scored;
BEGIN
	SELECT c.* INTO s FROM assay_internal.page_scores(policy, since, until) c;
	RETURN s;
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.try_page_scores(text, timestamptz, timestamptz) IS 'the row of page_scores(), or NULL where they can''t be had';

CREATE FUNCTION assay_internal.html_section(part text, p assay.policy, since timestamptz, until timestamptz, mature timestamptz,
	report assay_internal.precision_row[], s assay_internal.page_scored, columns text[], messages oid, room int) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF part IN ('summary', 'scores') AND s IS NULL THEN
		-- says what is wrong with them
		SELECT c.* INTO s FROM assay_internal.page_scores(p.policy, since, mature) c;
	END IF;
	RETURN CASE part
		WHEN 'summary' THEN assay_internal.html_tiles(report, s.scores, s.decisions, s.labelled, s.malicious)
		WHEN 'verdicts' THEN assay_internal.html_verdicts(report)
		WHEN 'scores' THEN assay_internal.html_scores(p.policy, s.scores, s.labelled, s.malicious)
		WHEN 'review' THEN assay_internal.html_review(p.policy, since, until)
		WHEN 'time' THEN assay_internal.html_verdict_times(p.policy, since, until)
		WHEN 'detectors' THEN assay_internal.html_detectors(report)
		WHEN 'overlap' THEN assay_internal.html_overlap(p.policy, since, mature)
		WHEN 'alerts' THEN assay_internal.html_alerts(p.policy)
		WHEN 'faults' THEN assay_internal.html_faults(p.policy, since, until)
		WHEN 'check' THEN assay_internal.html_findings(p.policy)
		WHEN 'latest' THEN assay_internal.html_latest(p.policy, since, until, columns, messages, room) END;
EXCEPTION WHEN OTHERS THEN
	-- what the user may not read, or what fails, leaves the other parts as they are
	RETURN format('<p class="failed">This part could not be made: %s</p>', assay_internal.html(SQLERRM, 300));
END $$;
COMMENT ON FUNCTION assay_internal.html_section(text, assay.policy, timestamptz, timestamptz, timestamptz, assay_internal.precision_row[], assay_internal.page_scored, text[], oid, int) IS
	'a part of the page, or why it could not be made';

-- functions

CREATE FUNCTION assay.report_html(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	columns text[] DEFAULT '{}', messages regclass DEFAULT NULL) RETURNS text LANGUAGE plpgsql STABLE COST 1000000
	SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	p assay.policy := assay_internal.policy_for_reading(report_html.policy);
	parts CONSTANT text[] := '{summary,verdicts,scores,review,time,detectors,overlap,alerts,faults,check,latest}';
	titles CONSTANT text[] := '{Summary,Verdicts,Scores,All mail,Over time,Detectors,Overlap,Alerts,Faults,Check,Latest}';
	room CONSTANT int := 900000;
	report assay_internal.precision_row[];
	scored assay_internal.page_scored;
	mature timestamptz;
	body text;
	page text;
BEGIN
	PERFORM assay_internal.check_span(since, until);
	mature := assay_internal.mature_until(p.policy, until, NULL);
	report := array(SELECT ROW(r.*)::assay_internal.precision_row FROM assay.precision_report(p.policy, since, until) r);
	scored := assay_internal.try_page_scores(p.policy, since, mature);
	page := assay_internal.html_head(p, since, until, mature) || '<nav aria-label="Parts of the page"><ul>'
		|| (SELECT string_agg(format('<li><a href="#%s">%s</a></li>', t.part, t.title), '' ORDER BY t.n) FROM unnest(parts, titles) WITH ORDINALITY t(part, title, n) WHERE t.n > 1) || '</ul></nav><main>';
	FOR i IN 1 .. cardinality(parts) LOOP
		body := assay_internal.html_section(parts[i], p, since, until, mature, report, scored, coalesce(columns, '{}'), coalesce(messages::oid, 0), room - octet_length(page));
		IF octet_length(page) + octet_length(body) > room THEN
			body := '<p class="failed">Left out: with it the page would be larger than a megabyte.</p>';
		END IF;
		page := page || CASE WHEN i = 1 THEN body ELSE format('<section id="%s"><h2>%s</h2>%s</section>', parts[i], titles[i], body) END;
	END LOOP;
	RETURN page || '</main><footer>Made by pg_assay. The page is whole by itself: it loads nothing and sends nothing.</footer><script>' || assay_internal.html_script() || '</script></body></html>';
END $$;
COMMENT ON FUNCTION assay.report_html(text, timestamptz, timestamptz, text[], regclass) IS
	'a page of HTML about the decisions of a time: precision, calibration, verdicts over time, detectors, overlap, alerts, faults, the latest malicious ones with their ledgers; columns: of the signals view, or of messages, to show with these';
