-- report_html(): parts, escaping, waterfall, limits. What a browser makes of the
-- page is in t/report_html.pl.
SET client_min_messages = warning;

\pset format unaligned
\set SHOW_CONTEXT never

-- text of others
SELECT assay_internal.html('<b title="x">''&amp;</b>');
SELECT assay_internal.html(E'a\x01b\x1f\tc') = 'a&#xfffd;b&#xfffd;' || E'\tc' AS controls, assay_internal.html(NULL) = '' AS nothing,
	assay_internal.html(repeat('<', 81)) = repeat('&lt;', 80) || '&hellip;' AS cut, assay_internal.html(repeat('<', 80)) = repeat('&lt;', 80) AS whole,
	assay_internal.html('&lt;') AS twice, assay_internal.html_name('<x>') AS name;
SELECT v, assay_internal.html_number(v, 0), assay_internal.html_number(v, 2), assay_internal.html_figure('x', v, 1)
FROM unnest('{0,-1.25,1234567.891,1e300,NaN,Infinity,-Infinity,NULL}'::float8[]) v;
SELECT assay_internal.html_time('infinity'), assay_internal.html_time(NULL), assay_internal.html_time('2024-02-29 12:34:56+02');
SELECT assay_internal.html_rate('x', NULL, NULL, NULL), assay_internal.html_rate('x', NULL, 0, 1), assay_internal.html_rate('x', 0.5, 0.25, 0.75);
SELECT assay_internal.html_more('rows', 3, 3) AS none, assay_internal.html_more('rows', 3, 4);
SELECT l, array(SELECT assay_internal.html_level(n, l) FROM generate_series(0, l) n) FROM generate_series(0, 5) l;

-- a policy, of which nothing is known yet
CREATE TABLE mail (id int, part text, received_at timestamptz, n int, subject text, PRIMARY KEY (id, part));
CREATE VIEW mail_signals AS SELECT id, part, received_at, n, subject FROM mail;
SELECT assay.create_policy('page', 'mail_signals', '{id,part}', prior => -2, thresholds => '{"odd": 0.5, "bad": 0.9}');
SELECT assay.report_html('page') ~ '^<!DOCTYPE html>.*</html>$' AS page, assay.report_html('page') ~ 'class="failed"' AS failed;
SELECT assay.report_html(NULL);
SELECT assay.report_html('page', NULL);
SELECT assay.report_html('page', '-infinity', NULL);
SELECT assay.report_html('other');
SELECT assay.report_html('page', columns => NULL, messages => NULL) ~ 'class="failed"' AS failed;
SELECT regexp_matches(assay.report_html('page', columns => ARRAY['n', NULL]), '<p class="failed">([^<]*)');
SELECT regexp_matches(assay.report_html('page', columns => '{none}'), '<p class="failed">([^<]*)');
SELECT regexp_matches(assay.report_html('page', columns => '{ctid}', messages => 'mail'), '<p class="failed">([^<]*)');
SELECT regexp_matches(assay.report_html('page', columns => '{n}', messages => 'pg_class'), '<p class="failed">([^<]*)');
SELECT regexp_matches(assay.report_html('page', columns => array_fill('n'::text, '{9}')), '<p class="failed">([^<]*)');
SELECT assay.report_html('page', columns => array_fill('n'::text, '{8}')) ~ 'class="failed"' AS failed;

-- what a waterfall is made of
SELECT assay.create_detector('page', 'd' || i, 'n >= ' || i, weight => i / 8.0, mode => 'live') FROM generate_series(1, 16) i;
SELECT assay.create_detector('page', 'against', 'n % 2 = 0', weight => -1.5, mode => 'live');
SELECT assay.create_detector('page', 'quiet', 'n > 0', weight => 2, mode => 'shadow');
SELECT assay.create_detector('page', 'sends', 'n = 3', weight => 0, mode => 'live', force_verdict => 'bad');
SELECT assay.exclude('page', 'partner', 'subject = ''ok''', mutes => '{d16}', reason => 'known');
CREATE TRIGGER decide AFTER INSERT ON mail REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('page');
INSERT INTO mail VALUES (1, 'a', '2024-01-01', 16, 'no'), (2, '<b>', '2024-01-01', 16, 'ok'), (3, 'c', '2024-01-01', 3, '<i>'), (4, 'd', '2024-01-01', 0, NULL);
UPDATE page_decision SET decided_at = timestamptz '2024-01-01Z' + id * interval '1 minute';
SELECT d.id, s.step, s.evidence, s.kind, s.counted, s.contribution, s.before, s.after FROM page_decision d, assay_internal.page_steps(d.attribution, 4) s WHERE id < 3 ORDER BY 1, 2;
-- the last step ends at the margin, and each begins where the one before ended
SELECT most, count(*) FILTER (WHERE last.after IS DISTINCT FROM assay.margin(d.attribution)) AS ends_elsewhere,
	(SELECT count(*) FROM page_decision d, LATERAL (SELECT s.before, lag(s.after, 1, 0) OVER (ORDER BY s.step) AS ended FROM assay_internal.page_steps(d.attribution, most) s WHERE s.counted) x WHERE abs(x.before - x.ended) > 1e-12) AS gaps
FROM page_decision d, generate_series(1, 20) most, LATERAL (SELECT s.after FROM assay_internal.page_steps(d.attribution, most) s WHERE s.counted ORDER BY s.step DESC LIMIT 1) last GROUP BY most ORDER BY most;
-- each message by its key, markup and all, the newest first; a null value
SELECT m[1] FROM regexp_matches(assay.report_html('page', columns => '{subject}'), '<h3>(.*?)</h3>', 'g') m;
SELECT m[1] FROM regexp_matches(assay.report_html('page', columns => '{subject}'), '<dt><bdi>subject</bdi></dt><dd>(.*?)</dd>', 'g') m;
SELECT m[1] FROM regexp_matches(assay.report_html('page'), '<p class="note">(Without effect: .*?)</p>', 'g') m;
SELECT m[1] FROM regexp_matches(assay.report_html('page'), '<td class="because">(.*?)</td>', 'g') WITH ORDINALITY r(m, n) WHERE n <= 6;
SELECT m FROM regexp_matches(assay.report_html('page', '2024-01-01 00:02Z', '2024-01-01 00:03Z'), '<h3>(.*?)</h3>', 'g') m;

-- at most twenty, and says so; bars of at most 92 days
INSERT INTO mail SELECT i, 'x', '2024-01-01', 16, 'no' FROM generate_series(5, 200) i;
UPDATE page_decision SET decided_at = timestamptz '2024-01-01Z' + id * interval '1 day';
SELECT regexp_count(p, '<article ') AS articles, regexp_count(p, 'href="#decision-') AS links,
	p ~ '92 days' AS says, (SELECT count(*) FROM regexp_matches(p, '<rect class="v\d" [^>]*><title>2024-\d\d-\d\d 00:00 bad', 'g')) AS bars FROM (SELECT replace(assay.report_html('page'), 'id="hours-t"', '') AS p) x;

-- the script is the one that the page's policy names
SELECT position(format('script-src ''sha256-%s''', encode(sha256(convert_to(substring(p FROM '<script>(.*)</script></body></html>$'), 'UTF8')), 'base64')) IN p) > 0 AS same
FROM (SELECT assay.report_html('page') AS p) x;
-- nothing is loaded
SELECT assay.report_html('page') ~ '(src=|url\(|@import|<link|http:|https:)' AS loads;

DROP TRIGGER decide ON mail;
SELECT assay.drop_policy('page', drop_tables => true);
DROP VIEW mail_signals;
DROP TABLE mail;
