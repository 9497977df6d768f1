-- What errors say about a condition that is none, and about names that are misspelt
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE SCHEMA hints;
SET search_path = hints, public;
CREATE TABLE message (id int PRIMARY KEY, urls int, subject text);
SELECT assay.create_policy('inbound', 'message', '{id}') AS revision \gset
SELECT assay.create_guard('inbound', 'long_subject', 'length(subject) > 100') AS revision \gset
SELECT assay.create_detector('inbound', 'many urls', 'urls > 3') AS revision \gset
SELECT assay.exclude('inbound', 'partners', 'urls = 1', mutes => '{many urls}', reason => 'test') AS revision \gset

-- one expression
SELECT assay.create_detector('inbound', 'new', 'urls > 1 AND');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 or');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 many');
SELECT assay.create_detector('inbound', 'new', 'urls > 1, urls < 3');
SELECT assay.create_detector('inbound', 'new', '');
SELECT assay.create_detector('inbound', 'new', '-- urls > 1');
SELECT assay.create_detector('inbound', 'new', 'WHERE urls > 1');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 FROM message');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 UNION SELECT true');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 LIMIT 1');
SELECT assay.create_detector('inbound', 'new', '(urls > 1');
-- about one message
SELECT assay.create_detector('inbound', 'new', 'count(urls) > 1');
SELECT assay.create_detector('inbound', 'new', 'urls > 1 AND abs(sum(urls)) > 1');
SELECT assay.create_detector('inbound', 'new', 'rank() OVER (ORDER BY urls) > 1');
SELECT assay.create_detector('inbound', 'new', 'generate_series(1, urls) > 1');
SELECT assay.create_detector('inbound', 'new', 'CASE WHEN urls > generate_series(1, 2) THEN true END');
SELECT assay.create_detector('inbound', 'new', 'GROUPING(urls) > 1');
SELECT assay.create_detector('inbound', 'new', 'bool_or(urls > 1) FILTER (WHERE urls > 2)');
SELECT assay.create_guard('inbound', 'new', 'max(urls) > 1');
-- boolean
SELECT assay.create_detector('inbound', 'new', 'urls + 1');
-- names
SELECT assay.create_detector('inbound', 'new', 'url > 1');
SELECT assay.create_detector('inbound', 'new', 'long_subjct');
SELECT assay.create_detector('inbound', 'new', 'xyzzy > 1');
SELECT assay.create_detector('inbuond', 'new', 'urls > 1');
SELECT assay.create_detector('something else', 'new', 'urls > 1');
SELECT assay.alter_policy('inbonud', prior => -3);
SELECT assay.drop_policy('INBOUND');
SELECT count(*) FROM assay.precision_report('inbond');
SELECT count(*) FROM assay.explain_decision('inbond', 1);
SELECT assay.upgrade_policy(NULL);
SELECT assay.promote('inbound', 'many url');
SELECT assay.alter_detector('inbound', 'Many urls', weight => 1);
SELECT assay.drop_detector('inbound', 'none of these');
SELECT assay.exclude('inbound', 'new', 'urls = 1', mutes => '{many-urls}', reason => 'test');
SELECT assay.drop_exclusion('inbound', 'partner');
SELECT assay.drop_guard('inbound', 'short_subject');
SELECT assay.drop_guard('inbound', 'long subject');

-- up to half of the letters and three of them may differ; a policy that one may not read is not told of
SELECT w, assay_internal.nearest(w, '{abcdefgh,ab,é,NULL}') FROM unnest('{abcdefgh,abcdexyz,abcdwxyz,ax,xy,x,"",e,abcdef}'::text[]) w;
SELECT assay_internal.nearest(repeat('x', 1000), ARRAY[repeat('x', 999)]) IS NOT NULL AS limit_1000, assay_internal.nearest(repeat('x', 1001), ARRAY[repeat('x', 1000)]) IS NULL AS and_not_beyond;
CREATE ROLE hints_stranger;
SET ROLE hints_stranger;
SELECT assay.drop_policy('inbund');
RESET ROLE;
DROP ROLE hints_stranger;
-- keys of several columns
CREATE VIEW pairs AS SELECT m.*, 'a'::text AS tenant FROM message m;
SELECT assay.create_policy('pairs', 'pairs', '{tenant,id}');
SELECT * FROM assay.explain_decision('pairs', 1);
SELECT assay.explain_text('pairs', 1, 2, 3);
SELECT * FROM assay.suggest_exclusion('pairs', 1);
SELECT * FROM assay.latest_decision('pairs', '{1}');
-- the tables of a policy that is gone
SELECT assay.drop_policy('pairs');
SELECT assay.create_policy('pairs', 'pairs', '{tenant,id}');
DROP TABLE pairs_decision, pairs_label CASCADE;
-- times without a zone
CREATE TABLE letter (n bigserial PRIMARY KEY, day date, noon timestamp, size int, sender text);
SELECT assay.create_baseline('b', 'letter', '{sender}', 'day');
SELECT assay.create_baseline('b', 'letter', '{sender}', 'noon');
SELECT assay.create_baseline('b', 'letter', '{sender}', 'size');
SELECT assay.recent_probe('letter', '{sender}', 'day');
CREATE VIEW zoned AS SELECT n, day::timestamp AT TIME ZONE 'UTC' AS day, sender FROM letter;
SELECT assay.create_baseline('b', 'zoned', '{sender}', 'day') IS NOT NULL AS made;
SELECT assay.drop_baseline('b');
SELECT assay.drop_policy('inbound', true);
DROP SCHEMA hints CASCADE;
