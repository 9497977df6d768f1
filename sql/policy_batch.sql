-- A policy over many stored messages: replay, comparison, backfill.
\set SHOW_CONTEXT never
SET extra_float_digits = 0;
SET timezone = 'UTC';
CREATE SCHEMA "Batch ü";
CREATE TABLE "Batch ü".message ("Ten'ant" char(4), id int, "received ""at" timestamptz, n int, txt text, PRIMARY KEY ("Ten'ant", id));
INSERT INTO "Batch ü".message SELECT CASE WHEN i % 3 = 0 THEN 'ab ü' ELSE 'a"''b' END, i, timestamptz '2024-01-01' + i * interval '1 hour', i % 10, repeat('x', i % 5) FROM generate_series(1, 1000) i;
CREATE VIEW "Batch ü"."signals ü" AS SELECT "Ten'ant", id, "received ""at", n, length(txt) AS len, 10 / (CASE WHEN id = 77 THEN 0 ELSE 1 END) AS breaks FROM "Batch ü".message;
\set p 'bat"ch '' ü'
\set at 'received "at'
SELECT assay.create_policy(:'p', '"Batch ü"."signals ü"', '{Ten''ant,id}', prior => -1, log_signals => true);
SELECT assay.create_detector(:'p', 'long', 'len = 4', weight => 2, mode => 'live');
SELECT assay.create_detector(:'p', 'five', 'n = 5', weight => 4, mode => 'draft');
SELECT assay.create_detector(:'p', 'soon over', 'n = 3', weight => 8, mode => 'live', expires_at => '2024-01-02');

-- replay
SELECT key, verdict, round(score::numeric, 4) AS score, assay.margin(attribution), assay.revision(attribution)
FROM assay.replay(:'p', '2024-01-01 20:00', '2024-01-02 06:00', at => :'at') ORDER BY key[2]::int;
SELECT verdict, count(*) FROM assay.replay(:'p', at => :'at') GROUP BY 1 ORDER BY 1;
SELECT verdict, count(*) FROM assay.replay(:'p', at => :'at', drafts => true) GROUP BY 1 ORDER BY 1;
SELECT verdict, count(*) FROM assay.replay(:'p', at => :'at', revision => 1) GROUP BY 1 ORDER BY 1;
-- without a time: as of now
SELECT verdict, count(*) FROM assay.replay(:'p', at => NULL) GROUP BY 1 ORDER BY 1;
-- the same as score()
SELECT count(*) AS compared, count(*) FILTER (WHERE (r.verdict, r.score, r.attribution::text) IS DISTINCT FROM (x.verdict, x.score, x.attribution::text)) AS differ
FROM assay.replay(:'p', at => :'at') r JOIN "Batch ü"."signals ü" s ON r.key = ARRAY[s."Ten'ant"::text, s.id::text], assay.score(:'p', s, at => s."received ""at") x WHERE s.id <> 77;
-- but for a message whose signals can't be read, which has the prior alone
SELECT * FROM assay.replay(:'p', '2024-01-04 05:00', '2024-01-04 06:00', at => :'at');
SELECT count(*) FROM assay.replay(:'p', 'infinity', at => :'at');
SELECT count(*) FROM assay.replay(:'p', until => '-infinity', at => :'at');
-- in parallel, and where a detector fails there
BEGIN;
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL client_min_messages = error;
CREATE TEMP TABLE serial AS SELECT key, attribution::text FROM assay.replay(:'p', at => :'at');
SELECT assay.create_detector(:'p', 'fails', '1 / (n - 7) > 1', weight => 1, mode => 'live');
SELECT count(*) FILTER (WHERE assay.degraded(attribution)) > 1 AS degraded, count(*) FROM assay.replay(:'p', at => :'at');
SELECT count(*) AS differ FROM assay.replay(:'p', revision => 4, at => :'at') r JOIN serial s USING (key) WHERE r.attribution::text <> s.attribution;
ROLLBACK;
-- errors
SELECT * FROM assay.replay(:'p');
SELECT * FROM assay.replay(:'p', at => 'n');
SELECT * FROM assay.replay(:'p', '2024-01-01', at => NULL);
SELECT * FROM assay.replay(:'p', NULL, at => :'at');
SELECT * FROM assay.replay(:'p', revision => 99, at => :'at');
SELECT * FROM assay.replay('nobody');
SELECT * FROM assay.replay(NULL);

-- comparison
INSERT INTO "Batch ü"."bat""ch ' ü_label" SELECT "Ten'ant", id, n >= 5, 'test', '2024-06-01' FROM "Batch ü".message WHERE id % 4 <> 0;
-- a correction is a later label
INSERT INTO "Batch ü"."bat""ch ' ü_label" SELECT "Ten'ant", id, false, 'correction', '2024-06-02' FROM "Batch ü".message WHERE id = 5;
SELECT * FROM assay.compare(:'p', 4, NULL, drafts => true, at => :'at');
SELECT * FROM assay.compare(:'p', 1, 4, at => :'at', examples => 1);
SELECT * FROM assay.compare(:'p', 2, 4, at => :'at', examples => 0);
SELECT change, messages FROM assay.compare(:'p', 4, 1, at => :'at') WHERE messages > 0;
SELECT change, messages FROM assay.compare(:'p', 4, drafts => true, caught => 'malicious', at => :'at') WHERE messages > 0;
SELECT change, malicious, verdict_a, verdict_b, count(*) FROM assay.compare_messages(:'p', 4, drafts => true, at => :'at') GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
-- counted by hand
SELECT count(*) FILTER (WHERE l.malicious) AS caught_now, count(*) FILTER (WHERE NOT l.malicious) AS false_positives
FROM "Batch ü"."signals ü" s LEFT JOIN "Batch ü"."bat""ch ' ü_label_latest" l USING ("Ten'ant", id) WHERE n = 5 AND len <> 4;
SELECT * FROM assay.compare(:'p', 4, caught => 'safe', at => :'at');
SELECT * FROM assay.compare(:'p', 4, 99, at => :'at');
SELECT * FROM assay.compare('nobody');

-- backfill
CALL assay.backfill(:'p', until => '2024-01-02', batch => 10, at => :'at');
SELECT policy, revision, state, decided, degraded, batches, last_key, undecided_only FROM assay.backfill_progress;
SELECT count(*), count(DISTINCT ("Ten'ant", id)), min(revision), max(revision), sum(assay.signal(signals, 'n')::int) FROM "Batch ü"."bat""ch ' ü_decision";
CALL assay.backfill(:'p', until => '2024-01-02', batch => 10, at => :'at');
\set VERBOSITY terse
CALL assay.backfill(:'p', batch => 400, at => :'at');
SELECT count(*) AS undecided FROM "Batch ü".message m LEFT JOIN "Batch ü"."bat""ch ' ü_decision" d USING ("Ten'ant", id) WHERE d.id IS NULL;
-- decided now, so what is over counts no more; otherwise as a SELECT says
SELECT count(*) AS compared, count(*) FILTER (WHERE (d.verdict, d.score, d.attribution::text, assay.signals_as(NULL::"Batch ü"."signals ü", d.signals)) IS DISTINCT FROM (x.verdict, x.score, x.attribution::text, s)) AS differ
FROM "Batch ü"."bat""ch ' ü_decision" d JOIN "Batch ü"."signals ü" s USING ("Ten'ant", id), assay.score(:'p', s) x WHERE s.id <> 77;
-- a message whose signals fail is decided from the prior, as in the trigger
SELECT id, verdict, degraded, attribution, signals FROM "Batch ü"."bat""ch ' ü_decision" WHERE degraded;
SELECT detector, key, sqlstate FROM assay.fault WHERE policy = :'p' ORDER BY fault;

-- a new revision: all again, or only what nobody decided
INSERT INTO "Batch ü".message SELECT 'new', i, '2024-03-01', i, 'x' FROM generate_series(1, 3) i;
SELECT assay.create_detector(:'p', 'fails', '1 / (n - 7) > 1', weight => 1, mode => 'live');
CALL assay.backfill(:'p', at => :'at', undecided_only => true);
CALL assay.backfill(:'p', at => :'at', since => '2024-02-01');
-- (how many follow the ten that suspend the detector is up to the plan)
SELECT revision, count(*), least(count(*) FILTER (WHERE degraded), 10) AS degraded FROM "Batch ü"."bat""ch ' ü_decision" GROUP BY 1 ORDER BY 1;
SELECT detector, revision, sqlstate, count(*) FROM assay.fault WHERE policy = :'p' GROUP BY 1, 2, 3 ORDER BY 2, 1;
-- all of a batch fails in workers, too
SELECT assay.retire_detector(:'p', 'long');
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET client_min_messages = error;
CALL assay.backfill(:'p', at => :'at', batch => 300);
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET client_min_messages;
SELECT count(*), count(*) FILTER (WHERE degraded) > 1 AS degraded FROM "Batch ü"."bat""ch ' ü_decision" WHERE revision = 6;
-- a policy that raises errors does so here, and what was committed stays
SELECT assay.alter_policy(:'p', on_error => 'raise');
SELECT count(*) FROM assay.replay(:'p', at => :'at');
CALL assay.backfill(:'p', at => :'at', batch => 2);
SELECT state, decided FROM assay.backfill_progress WHERE revision = 7;
SELECT assay.alter_policy(:'p', on_error => 'degrade');

-- errors
CALL assay.backfill('nobody');
CALL assay.backfill(NULL);
CALL assay.backfill(:'p');
CALL assay.backfill(:'p', at => 'id');
CALL assay.backfill(:'p', at => NULL, since => '2024-01-01');
CALL assay.backfill(:'p', NULL);
CALL assay.backfill(:'p', batch => 0, at => :'at');
CALL assay.backfill(:'p', batch => 1000001, at => :'at');
CALL assay.backfill(:'p', batch => NULL, at => :'at');
BEGIN;
CALL assay.backfill(:'p', at => :'at');
ROLLBACK;
SET client_min_messages = error;
DO $$ BEGIN CALL assay.backfill('bat"ch '' ü', at => 'received "at'); END $$;
RESET client_min_messages;
CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL assay.backfill('bat"ch '' ü', at => 'received "at'); END $$;
SELECT pg_temp.f();

-- who may
CREATE ROLE batch_other; CREATE ROLE batch_reader;
GRANT USAGE ON SCHEMA "Batch ü" TO batch_other, batch_reader;
GRANT SELECT ON "Batch ü"."signals ü" TO batch_other, batch_reader;
GRANT SELECT ON "Batch ü"."bat""ch ' ü_decision" TO batch_reader;
SET ROLE batch_other;
SELECT count(*) FROM assay.replay(:'p', at => :'at');
CALL assay.backfill(:'p', at => :'at');
SELECT count(*) FROM assay.backfill_progress;
INSERT INTO assay.backfill_run (policy, revision, since, until, at_column, undecided_only, expected, started_by) VALUES (:'p', 1, now(), now(), 'x', false, 0, 'x');
SET ROLE batch_reader;
SELECT count(*) FROM assay.replay(:'p', '2024-01-05', '2024-01-06', at => :'at');
CALL assay.backfill(:'p', at => :'at');
SELECT * FROM assay.compare(:'p', at => :'at');
RESET ROLE;
DROP OWNED BY batch_other, batch_reader;
DROP ROLE batch_other, batch_reader;

-- the owner's code runs as the owner, whoever calls
CREATE ROLE batch_owner; CREATE SCHEMA owned AUTHORIZATION batch_owner;
SET ROLE batch_owner;
CREATE TABLE owned.message (id int PRIMARY KEY, received_at timestamptz DEFAULT now());
CREATE FUNCTION owned.whoami() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_user; END $$;
CREATE FUNCTION owned.temps() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE left_behind (x int); RETURN true; END $$;
CREATE VIEW owned.signals AS SELECT id, received_at, owned.whoami() AS who FROM owned.message;
SELECT assay.create_policy('owned', 'owned.signals', '{id}', prior => 0);
SELECT assay.create_detector('owned', 'as owner', 'who = ''batch_owner''', mode => 'live');
INSERT INTO owned.message VALUES (1), (2);
RESET ROLE;
SELECT key, assay.margin(attribution) FROM assay.replay('owned');
CALL assay.backfill('owned');
SELECT id, assay.margin(attribution) FROM owned.owned_decision ORDER BY id;
SET ROLE batch_owner;
CREATE OR REPLACE VIEW owned.signals AS SELECT id, received_at, owned.temps()::text AS who FROM owned.message;
RESET ROLE;
SELECT key, verdict, attribution FROM assay.replay('owned') LIMIT 1;
SELECT assay.alter_policy('owned', prior => 1);
CALL assay.backfill('owned');
SELECT id, degraded, verdict FROM owned.owned_decision WHERE revision = 3 ORDER BY id;
SELECT sqlstate, key FROM assay.fault WHERE policy = 'owned';
SELECT count(*) FROM pg_class WHERE relname = 'left_behind';
SELECT assay.drop_policy(policy, true) FROM assay.policies;
SELECT count(*) FROM assay.backfill_run;
DROP SCHEMA owned CASCADE;
DROP ROLE batch_owner;
DROP SCHEMA "Batch ü" CASCADE;

-- what was degraded by something outside of the policy is decided again under a new revision
\set VERBOSITY terse
CREATE TABLE again_message (id int PRIMARY KEY, n int);
CREATE VIEW again_signals AS SELECT id, n, 10 / (n % 10) AS ratio FROM again_message;
SELECT assay.create_policy('again', 'again_signals', '{id}', prior => 0);
SELECT assay.create_detector('again', 'ratio', 'ratio > 2', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON again_message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('again');
INSERT INTO again_message SELECT i, i FROM generate_series(1, 40) i;
SELECT count(*), count(*) FILTER (WHERE degraded) AS degraded FROM again_verdict;
CREATE OR REPLACE VIEW again_signals AS SELECT id, n, 10 / nullif(n % 10, 0) AS ratio FROM again_message;
\set VERBOSITY default
CALL assay.backfill('again', at => NULL, degraded_only => true);
SELECT assay.alter_policy('again');
CALL assay.backfill('again', at => NULL, degraded_only => true, batch => 3);
SELECT count(*), count(*) FILTER (WHERE degraded) AS degraded, count(*) FILTER (WHERE revision = 3) AS again, min(id) FILTER (WHERE revision = 3) FROM again_verdict;
CALL assay.backfill('again', at => NULL, degraded_only => true);
SELECT decided, degraded_only, state FROM assay.backfill_progress WHERE policy = 'again' ORDER BY run;
-- what is still broken stays so, and is taken up again under the next
CREATE OR REPLACE VIEW again_signals AS SELECT id, n, 10 / (n % 20) AS ratio FROM again_message;
SELECT assay.alter_policy('again');
CALL assay.backfill('again', at => NULL);
SELECT assay.alter_policy('again', prior => 1);
CALL assay.backfill('again', at => NULL, degraded_only => true);
SELECT revision, count(*), count(*) FILTER (WHERE degraded) AS degraded FROM again_decision GROUP BY 1 ORDER BY 1;
CALL assay.backfill('again', undecided_only => true, degraded_only => true);
CALL assay.backfill('again', degraded_only => NULL);
DROP TABLE again_message CASCADE;
SELECT assay.drop_policy('again', true);

-- messages that are read one by one, more than are held at once
CREATE TABLE each_message (id int PRIMARY KEY, n int);
CREATE VIEW each_signals AS SELECT id, 100 / n AS q FROM each_message;
SELECT assay.create_policy('each', 'each_signals', '{id}', prior => 0);
SELECT assay.create_detector('each', 'q', 'q > 10', mode => 'live', weight => 1);
INSERT INTO each_message SELECT i, i % 1000 FROM generate_series(1, 2001) i;
SELECT count(*), count(DISTINCT key) AS keys FROM assay.replay('each', at => NULL);
CALL assay.backfill('each', batch => 10000, at => NULL);
SELECT count(*), count(*) FILTER (WHERE degraded) AS degraded FROM each_decision;
SELECT assay.drop_policy('each', true);
DROP TABLE each_message CASCADE;
-- Messages that come by their keys are gone through once; others first for the end of each batch, and then to be scored.
CREATE SEQUENCE seen;
CREATE TABLE by_key (id int PRIMARY KEY, n int NOT NULL);
INSERT INTO by_key SELECT i, i % 7 FROM generate_series(1, 5000) i;
ANALYZE by_key;
CREATE VIEW by_key_signals AS SELECT id, n FROM by_key WHERE nextval('seen') > 0;
SELECT assay.create_policy('by_key', 'by_key_signals', '{id}');
SELECT assay.create_detector('by_key', 'odd', 'n % 2 = 1', weight => 1, mode => 'live'), assay.create_detector('by_key', 'fails', '10 / n > 3', weight => 2, mode => 'live');
SET client_min_messages = warning;
CALL assay.backfill('by_key', batch => 300, at => NULL);
SELECT last_value < 9000 AS once FROM seen;
SELECT decided, degraded, batches, last_key, state FROM assay.backfill_progress WHERE policy = 'by_key';
-- the same without an index, where they are sorted
CREATE TABLE by_other AS SELECT id, n FROM by_key ORDER BY -id;
CREATE VIEW by_other_signals AS SELECT id, n FROM by_other WHERE nextval('seen') > 0;
SELECT setval('seen', 1, false), assay.create_policy('by_other', 'by_other_signals', '{id}');
SELECT assay.create_detector('by_other', 'odd', 'n % 2 = 1', weight => 1, mode => 'live'), assay.create_detector('by_other', 'fails', '10 / n > 3', weight => 2, mode => 'live');
CALL assay.backfill('by_other', batch => 300, at => NULL);
SELECT last_value > 10000 AS more_than_once FROM seen;
SELECT decided, degraded, batches, last_key, state FROM assay.backfill_progress WHERE policy = 'by_other';
SELECT count(*) AS other FROM by_key_verdict a FULL JOIN by_other_verdict b USING (id)
WHERE (a.score, a.verdict, a.degraded, a.attribution::text) IS DISTINCT FROM (b.score, b.verdict, b.degraded, b.attribution::text);
-- a message that can't be read is decided without its signals, and ends a batch like any other
CREATE OR REPLACE VIEW by_key_signals AS SELECT id, (n + 7) / (id % 300) AS n FROM by_key WHERE nextval('seen') > 0;
SELECT setval('seen', 1, false), assay.alter_policy('by_key', prior => -1);
CALL assay.backfill('by_key', batch => 300, at => NULL);
SELECT count(*), count(*) FILTER (WHERE degraded) AS degraded, count(*) FILTER (WHERE id % 300 = 0 AND degraded) AS unread FROM by_key_verdict;
SELECT decided, degraded, batches, last_key, state FROM assay.backfill_progress WHERE policy = 'by_key' ORDER BY run DESC LIMIT 1;
-- stopped and taken up again
SELECT assay.alter_policy('by_key', prior => -2);
DELETE FROM by_key WHERE id % 300 = 0;
CALL assay.backfill('by_key', batch => 300, at => NULL);
SELECT decided, batches, last_key, state FROM assay.backfill_progress WHERE policy = 'by_key' ORDER BY run DESC LIMIT 1;
INSERT INTO by_key VALUES (6001, 1), (6002, 2);
CALL assay.backfill('by_key', batch => 1, at => NULL);
SELECT decided, batches, last_key, state FROM assay.backfill_progress WHERE policy = 'by_key' ORDER BY run DESC LIMIT 1;
SELECT assay.drop_policy('by_key', true), assay.drop_policy('by_other', true);
DROP TABLE by_key, by_other CASCADE;
DROP SEQUENCE seen;
RESET client_min_messages;
-- A view's collation may take keys for equal that are two of the decision table's: no batch ends between them.
SET client_min_messages = warning;
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE two_cases (id text COLLATE "C" PRIMARY KEY, n int);
INSERT INTO two_cases SELECT c || i, i FROM generate_series(1, 30) i, (VALUES ('a'), ('A')) v(c);
CREATE INDEX ON two_cases (id COLLATE any_case);
ANALYZE two_cases;
CREATE VIEW two_cases_signals AS SELECT id COLLATE any_case AS id, n FROM two_cases;
SELECT assay.create_policy('two_cases', 'two_cases_signals', '{id}');
SET enable_seqscan = off; SET enable_sort = off;
CALL assay.backfill('two_cases', batch => 7, at => NULL);
SELECT count(*) FROM two_cases_decision;
SELECT assay.drop_policy('two_cases', true);
DROP TABLE two_cases CASCADE;
RESET enable_seqscan; RESET enable_sort;
-- Nor is a message that came with the key of one before, in another case, decided by that one's decision.
CREATE TABLE any_case (id text COLLATE any_case PRIMARY KEY, n int);
CREATE VIEW any_case_signals AS SELECT id, n FROM any_case;
SELECT assay.create_policy('any_case', 'any_case_signals', '{id}');
CREATE TRIGGER decide AFTER INSERT ON any_case REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('any_case');
INSERT INTO any_case VALUES ('a', 1), ('b', 2);
ALTER TABLE any_case DISABLE TRIGGER decide;
DELETE FROM any_case WHERE id = 'a';
INSERT INTO any_case VALUES ('A', 3);
ALTER TABLE any_case ENABLE TRIGGER decide;
SELECT key, reason FROM assay.undecided('any_case');
CALL assay.backfill('any_case', at => NULL, undecided_only => true);
SELECT key FROM assay.undecided('any_case');
SELECT id, revision FROM any_case_decision ORDER BY id COLLATE "C";
DROP TABLE any_case CASCADE;
SELECT assay.drop_policy('any_case', true);
DROP COLLATION any_case;
RESET client_min_messages;
