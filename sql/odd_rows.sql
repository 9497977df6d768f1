-- Times and counts that somebody with UPDATE wrote: reports leave them out, and health tells
\set VERBOSITY terse
SET client_min_messages = error;
SET timezone = 'UTC';
CREATE SCHEMA odd;
SET search_path = odd;
CREATE TABLE message (id int PRIMARY KEY, n int);
CREATE VIEW signals AS SELECT id, n FROM message;
SELECT assay.create_policy('odd', 'signals', '{id}');
SELECT assay.create_detector('odd', 'n', 'n > 3', weight => 6, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('odd');
INSERT INTO message SELECT i, i % 7 FROM generate_series(1, 300) i;
CREATE FUNCTION counted() RETURNS numeric LANGUAGE sql AS $$ SELECT sum(hits) FROM assay.decision_days WHERE policy = 'odd' AND kind = 'verdict' $$;
SELECT assay.refresh_rollup('odd') > 0 AS refreshed;
SELECT counted();
SELECT "check", severity FROM assay.health WHERE object = 'odd' AND "check" = 'odd rows';
-- decisions with odd times, at the limits and beyond
CREATE FUNCTION with_time(at timestamptz, OUT counted numeric, OUT told text) LANGUAGE plpgsql AS $$
BEGIN
	UPDATE odd_decision SET decided_at = at WHERE id <= 5;
	INSERT INTO odd_label (id, malicious, source, labelled_at) VALUES (1, true, 'test', clock_timestamp());
	PERFORM assay.refresh_rollup('odd', 'infinity');
	PERFORM assay.refresh_rollup('odd', at);
	PERFORM assay.refresh_rollup('odd', '-infinity');
	counted := odd.counted();
	told := (SELECT detail FROM assay.check('odd') WHERE "check" = 'odd rows');
END $$;
SELECT at, c.* FROM unnest('{infinity,-infinity,4714-11-24 00:00 BC,294276-12-31 23:59:59.999999,9999-01-01,9998-12-31 23:59:59.999999,1000-01-01,0999-12-31 23:59:59.999999}'::timestamptz[]) at, with_time(at) c;
-- its hint mends it
SELECT hint FROM assay.check('odd') WHERE "check" = 'odd rows';
UPDATE odd.odd_decision SET decided_at = now() WHERE decided_at < '1000-01-01' OR decided_at >= '9999-01-01';
SELECT assay.refresh_rollup('odd', '-infinity') > 0 AS refreshed, counted();
SELECT "check", severity FROM assay.health WHERE object = 'odd' AND "check" = 'odd rows';
-- messages drawn for review
SELECT sum(drawn) FROM assay.review_sample('odd', 40);
CREATE FUNCTION with_review(change text, OUT rounds bigint, OUT population numeric, OUT told text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'UPDATE odd_review SET ' || change || ' WHERE review IN (SELECT v.review FROM odd_review v WHERE v.verdict = ''safe'' ORDER BY 1 LIMIT 5)';
	SELECT count(*), sum(r.population) INTO rounds, population FROM assay.review_rounds('odd') r;
	PERFORM assay.online_report('odd', 1);
	told := (SELECT detail FROM assay.check('odd') WHERE "check" = 'odd rows');
	RAISE EXCEPTION SQLSTATE 'ZZZZZ';
EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN
	NULL;
END $$;
SELECT change, w.* FROM unnest('{drawn = 9223372036854775807,population = 9223372036854775807,population = -1,population = 0,level = -2147483648,round = 2147483647,round = -1,"since = ''infinity''","drawn_at = ''infinity'', taken_at = ''-infinity''",score = ''NaN''}'::text[]) change, with_review(change) w;
UPDATE odd_review SET round = 2147483647 WHERE review = (SELECT min(review) FROM odd_review);
SELECT sum(drawn) FROM assay.review_sample('odd', 10);
SELECT max(round) FROM assay.review_rounds('odd');
DROP TRIGGER decide ON message;
SELECT assay.drop_policy('odd', true);
DROP SCHEMA odd CASCADE;
