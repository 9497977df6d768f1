-- set_list_retention(): what was removed from a list long ago goes, but for what decisions need that are kept
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE ROLE list_keeper;
CREATE ROLE list_reader;
CREATE SCHEMA lh;
GRANT ALL ON SCHEMA lh TO list_keeper, list_reader;
SET search_path = lh;
-- what happened is made to have happened so many days ago
CREATE FUNCTION pg_temp.days_ago(list text, word text, added int, removed int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	ALTER TABLE assay.list_entry DISABLE TRIGGER keep_entries;
	UPDATE assay.list_entry e SET added_at = now() - added * interval '1 day', removed_at = CASE WHEN removed_at IS NOT NULL THEN now() - removed * interval '1 day' END
	WHERE e.set = list AND e.value ~ word;
	ALTER TABLE assay.list_entry ENABLE TRIGGER keep_entries;
END $$;
CREATE VIEW history AS SELECT value, removed_at IS NULL AS stands FROM assay.list_entry WHERE set = 'lh' AND value !~ '^v\d+$' ORDER BY value;
SET ROLE list_keeper;
SELECT assay.create_list('lh', readers => '{list_reader}');
-- so many that there is a base, and one after it that came and went
INSERT INTO assay.list (set, value) SELECT 'lh', 'v' || i FROM generate_series(1, 1500) i;
INSERT INTO assay.list (set, value) VALUES ('lh', 'old'), ('lh', 'young'), ('lh', 'stays');
SELECT assay.rebuild_list('lh');
DELETE FROM assay.list WHERE set = 'lh' AND value = 'old';
SELECT assay.list_state('lh') AS between \gset
DELETE FROM assay.list WHERE set = 'lh' AND value = 'young';
RESET ROLE;
SELECT pg_temp.days_ago('lh', '.', 400, 0), pg_temp.days_ago('lh', 'old', 400, 100), pg_temp.days_ago('lh', 'young', 400, 20);
SELECT state < :between AS older FROM assay.list_base WHERE set = 'lh';
SET ROLE list_keeper;
-- as long as nobody says so, all is kept
CALL assay.maintain();
RESET ROLE;
SELECT * FROM history;
SET ROLE list_keeper;
SELECT assay.set_list_retention('lh', '30 days');
SELECT keep, pruned_at FROM assay.named_sets WHERE set = 'lh';
CALL assay.maintain();
SELECT step, object, state, rows FROM assay.maintenance WHERE object = 'lh';
RESET ROLE;
SELECT * FROM history;
SET ROLE list_keeper;
SELECT now() - pruned_at BETWEEN interval '30 days' AND interval '31 days' AS pruned_at FROM assay.named_sets WHERE set = 'lh';
-- what stands is as before, also by the base
SELECT count(*) FILTER (WHERE assay.in_list('lh', 'v' || i)) AS there, assay.in_list('lh', 'old') AS old, assay.in_list('lh', 'young') AS young, assay.in_list('lh', 'stays') AS stays
FROM generate_series(1, 1500) i;
-- history from then on is exact, and before it is an error
SELECT assay.in_list('lh', 'young', at => now() - interval '25 days') AS young, assay.in_list('lh', 'young', at => now() - interval '15 days') AS young_later,
	assay.in_list('lh', 'old', at => now() - interval '29 days') AS old, assay.in_list('lh', 'young', state => :between) AS young_then;
\set VERBOSITY sqlstate
SELECT assay.in_list('lh', 'old', at => '2001-01-01');
SELECT assay.in_list('lh', 'old', state => :between - 1);
SELECT assay.list_match('lh', 'old', at => '-infinity');
\set VERBOSITY default
SELECT assay.in_list('lh', 'stays', at => 'infinity') AS stays;
-- again there is nothing to do
CALL assay.maintain();
SELECT rows FROM assay.maintenance WHERE object = 'lh';
-- a transaction that removes more goes on from there, and what comes again too
DELETE FROM assay.list WHERE set = 'lh' AND value = 'v1';
INSERT INTO assay.list (set, value) VALUES ('lh', 'old');
SELECT assay.in_list('lh', 'v1') AS v1, assay.in_list('lh', 'old') AS old, assay.in_list('lh', 'v2') AS v2;
RESET ROLE;

-- a policy that keeps decisions keeps what they were made by
SELECT pg_temp.days_ago('lh', '^v1$', 400, 200);
SET ROLE list_reader;
CREATE TABLE message (id int PRIMARY KEY, word text, received_at timestamptz NOT NULL DEFAULT now());
CREATE VIEW inner_signals AS SELECT id, word, received_at, assay.in_list('lh', word, at => received_at) AS listed FROM message;
CREATE VIEW signals AS SELECT * FROM inner_signals;
SELECT assay.create_policy('lh policy', 'signals', '{id}');
RESET ROLE;
UPDATE assay.named_set SET pruned_at = NULL, pruned_state = 0 WHERE set = 'lh';
SELECT assay_internal.list_needed('lh'), assay_internal.list_needed('nothing of it');
-- names that are written otherwise within a literal
CREATE VIEW quoted AS SELECT id, E'o\'clock \\\\' AS a, 'it''s' AS b FROM message;
SELECT assay.create_policy('lh quoted', 'quoted', '{id}', schema => 'lh'),
	assay.create_detector('lh quoted', 'd', $$b <> 'x''y\z'$$);
SELECT name, assay_internal.names_list('lh quoted', 'quoted', name) FROM unnest(ARRAY[$$o'clock \\$$, $$it's$$, $$x'y\z$$, $$its not$$]) name;
SELECT assay.drop_policy('lh quoted', true);
DROP VIEW quoted;
SET ROLE list_keeper;
CALL assay.maintain();
SELECT rows, pruned_at FROM assay.maintenance, assay.named_sets WHERE object = 'lh' AND set = 'lh';
RESET ROLE;
SET ROLE list_reader;
SELECT assay.set_retention('lh policy', decisions => '150 days') > 0 AS set;
RESET ROLE;
SELECT now() - assay_internal.list_needed('lh') AS needed;
BEGIN;
-- decided as of their own time lately: as long as these are kept
INSERT INTO assay_internal.backfill_run (policy, revision, since, until, at_column, undecided_only, degraded_only, expected, started_by)
VALUES ('lh policy', 1, now() - interval '300 days', 'infinity', 'received_at', false, false, 1, 'x');
SELECT now() - assay_internal.list_needed('lh') AS needed;
UPDATE assay_internal.backfill_run SET updated_at = now() - interval '151 days' WHERE policy = 'lh policy';
SELECT now() - assay_internal.list_needed('lh') AS needed;
ROLLBACK;
SET ROLE list_keeper;
CALL assay.maintain();
SELECT rows, date_trunc('day', now() - pruned_at) AS pruned FROM assay.maintenance, assay.named_sets WHERE object = 'lh' AND set = 'lh';
RESET ROLE;
-- what a text model sees of a message may name a list, too
BEGIN;
CREATE TABLE words (id int PRIMARY KEY, body text);
CREATE TABLE word_label (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
SELECT assay.create_text_model('lh_words', 'words', 'body', 'word_label', key => '{id}', schema => 'lh') \g /dev/null
SELECT assay.create_policy('lh text', 'words', '{id}', schema => 'lh'),
	assay.create_detector('lh text', 'd', text_model => 'lh_words', text => $$CASE WHEN in_list('lh', body) THEN body ELSE '' END$$);
SELECT assay_internal.list_needed('lh');
ROLLBACK;
-- a condition that it once had counts, too; another's policy is not seen
SET ROLE list_reader;
CREATE VIEW plain AS SELECT id, word, received_at FROM message;
SELECT assay.create_policy('lh other', 'plain', '{id}', schema => 'lh');
SELECT assay.create_detector('lh other', 'd', $$in_list('lh', word)$$, mode => 'shadow'), assay.drop_detector('lh other', 'd');
RESET ROLE;
SELECT assay_internal.list_needed('lh');

-- what can't be
SET ROLE list_keeper;
SELECT assay.set_list_retention('lh', '1 hour');
SELECT assay.set_list_retention('lh', '59 minutes 59 seconds');
SELECT assay.set_list_retention('lh', '1000 years');
SELECT assay.set_list_retention('lh', '1000 years 1 day');
SELECT assay.set_list_retention('lh', NULL);
SELECT keep IS NULL AS for_ever FROM assay.named_sets WHERE set = 'lh';
SELECT assay.create_phrase_set('lh phrases');
SELECT assay.set_list_retention('lh phrases', '30 days');
SELECT assay.set_list_retention('nowhere', '30 days');
UPDATE assay.named_sets SET keep = '-1 day' WHERE set = 'lh';
UPDATE assay.named_sets SET pruned_at = now() WHERE set = 'lh';
RESET ROLE;
SET ROLE list_reader;
SELECT assay.set_list_retention('lh', '30 days');
SELECT assay_internal.prune_list('lh'), assay_internal.prune_list('nowhere'), assay_internal.prune_list(NULL);
SELECT assay_internal.list_needed('lh');
SELECT assay_internal.names_list('lh policy', 'signals', 'lh');
SELECT assay.drop_policy('lh policy', true), assay.drop_policy('lh other', true);
RESET ROLE;
SET ROLE list_keeper;
SELECT assay.drop_set('lh'), assay.drop_set('lh phrases');
RESET ROLE;
DELETE FROM assay_internal.maintenance WHERE role IN ('list_keeper'::regrole, 'list_reader'::regrole);
DROP SCHEMA lh CASCADE;
DROP ROLE list_keeper, list_reader;
