-- Decisions in the message's own transaction: by statement and by row, with
-- quoted names and several key columns, for what is inserted in every way.
\set SHOW_CONTEXT never
SET extra_float_digits = 0;
CREATE SCHEMA "Mail box";
CREATE TABLE "Mail box"."Message" ("Tenant id" text, id int, subject text, n int, PRIMARY KEY ("Tenant id", id))
	PARTITION BY LIST ("Tenant id");
CREATE TABLE "Mail box".message_a PARTITION OF "Mail box"."Message" FOR VALUES IN ('a');
CREATE TABLE "Mail box".message_b PARTITION OF "Mail box"."Message" FOR VALUES IN ('b''s "é"');
CREATE VIEW "Mail box"."Signals" AS
	SELECT "Tenant id", id, subject, n, length(subject) AS subject_length FROM "Mail box"."Message";
SELECT assay.create_policy('in "bound"', '"Mail box"."Signals"', '{Tenant id,id}', prior => -1);
SELECT assay.create_detector('in "bound"', 'long "one"', 'subject_length > 5', weight => 2, mode => 'live', description => 'long subject');
SELECT assay.create_detector('in "bound"', 'ten', '"Tenant id" = ''a'' AND n = 10', weight => 5, mode => 'shadow');
SELECT assay.create_detector('in "bound"', 'block', 'n = 666', weight => 0, mode => 'live', force_verdict => 'malicious');
SELECT assay.create_detector('in "bound"', 'draft', 'true', weight => 100, mode => 'draft');
\d "Mail box"."in ""bound""_decision"
\d "Mail box"."in ""bound""_label"
CREATE TRIGGER decide AFTER INSERT ON "Mail box"."Message" REFERENCING NEW TABLE AS "New rows"
	FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('in "bound"');

-- one row, several rows, COPY, INSERT … SELECT, ON CONFLICT, none
INSERT INTO "Mail box"."Message" VALUES ('a', 1, 'a long subject', 10);
INSERT INTO "Mail box"."Message" VALUES ('a', 2, 'short', 1), ('b''s "é"', 2, 'another long one', 10), ('a', 3, NULL, 666);
COPY "Mail box"."Message" FROM stdin;
a	4	copied from standard input	0
b's "é"	4	short	0
\.
INSERT INTO "Mail box"."Message" SELECT 'a', 10 + i, repeat('x', i), i FROM generate_series(1, 10) i;
INSERT INTO "Mail box"."Message" VALUES ('a', 1, 'again', 1), ('a', 5, 'new', 1) ON CONFLICT DO NOTHING;
INSERT INTO "Mail box"."Message" SELECT 'a', 1, 'x', 1 WHERE false;
SELECT "Tenant id", id, revision, verdict, round(score::numeric, 4) AS score, round(assay.margin(attribution)::numeric, 4) AS margin, degraded,
	(SELECT string_agg(detector || CASE WHEN counted THEN '' ELSE '*' END, ', ' ORDER BY entry) FROM assay.ledger(attribution) WHERE entry > 0) AS entries
FROM "Mail box"."in ""bound""_decision" ORDER BY "Tenant id" COLLATE "C", id;
SELECT count(*) AS undecided FROM "Mail box"."Message" m LEFT JOIN "Mail box"."in ""bound""_decision" d USING ("Tenant id", id) WHERE d.id IS NULL;

-- the trigger and SELECT agree
SELECT count(*) AS differ FROM "Mail box"."Signals" s JOIN "Mail box"."in ""bound""_decision" d USING ("Tenant id", id),
	assay.score('in "bound"', s) x WHERE x.verdict <> d.verdict OR x.score <> d.score OR x.attribution::text <> d.attribution::text;
-- in parallel too
BEGIN;
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT count(*) FROM "Mail box".message_a s, assay.score('in "bound"', s) x WHERE x.score > 0.5;
SELECT count(*) FROM (SELECT "Tenant id", id, subject, n, length(subject) AS subject_length FROM "Mail box".message_a OFFSET 0) s, assay.score('in "bound"', s) x WHERE x.score > 0.5;
COMMIT;

-- a failed INSERT leaves nothing
INSERT INTO "Mail box"."Message" VALUES ('a', 100, 'x', 1), ('a', 1, 'x', 1);
BEGIN;
INSERT INTO "Mail box"."Message" VALUES ('a', 101, 'x', 1);
ROLLBACK;
SELECT count(*) FROM "Mail box"."in ""bound""_decision" WHERE id >= 100;

-- why
SELECT step, evidence, contribution, margin, round(score::numeric, 4) AS score, regexp_replace(because, 'decided .*', 'decided …') AS because
FROM assay.explain_decision('in "bound"', 'a', '1');
SELECT step, evidence, contribution, margin, round(score::numeric, 4) AS score, regexp_replace(because, 'decided .*', 'decided …') AS because
FROM assay.explain_decision('in "bound"', 'a', '3');
SELECT * FROM assay.explain_decision('in "bound"', 'a', '999');
SELECT * FROM assay.explain_decision('in "bound"', 'a');
SELECT * FROM assay.explain_decision('nobody', 'a');

-- a change is in force at the next statement, and the old revision stays
SELECT assay.alter_detector('in "bound"', 'long "one"', weight => 8);
INSERT INTO "Mail box"."Message" VALUES ('a', 200, 'a long subject', 1);
SELECT id, revision, verdict FROM "Mail box"."in ""bound""_decision" WHERE id = 200;
SELECT x.verdict, assay.revision(x.attribution), assay.margin(x.attribution) FROM "Mail box"."Signals" s, assay.score('in "bound"', s, 5) x WHERE s.id = 200;
SELECT x.verdict FROM "Mail box"."Signals" s, assay.score('in "bound"', s, 99) x WHERE s.id = 200;
-- and undone with its transaction
BEGIN;
SELECT assay.retire_detector('in "bound"', 'long "one"');
INSERT INTO "Mail box"."Message" VALUES ('a', 201, 'a long subject', 1);
SELECT id, revision, verdict FROM "Mail box"."in ""bound""_decision" WHERE id = 201;
ROLLBACK;
INSERT INTO "Mail box"."Message" VALUES ('a', 202, 'a long subject', 1);
SELECT id, revision, verdict FROM "Mail box"."in ""bound""_decision" WHERE id = 202;

-- guards, exclusions, expiry, rollout
SELECT assay.create_guard('in "bound"', 'Known one', 'subject = ''known subject''');
SELECT assay.create_detector('in "bound"', 'unknown', 'NOT "Known one" AND n > 0', weight => 0.25, mode => 'live');
SELECT assay.exclude('in "bound"', 'fp', '"Known one"', mutes => '{"long \"one\""}', reason => 'FP-1', expires_at => 'infinity');
SELECT assay.exclude('in "bound"', 'ceo', 'n = 667', verdict => 'safe', reason => 'FP-2');
SELECT assay.exclude('in "bound"', 'old', 'true', verdict => 'safe', reason => 'FP-3', expires_at => '2020-01-01');
SELECT assay.create_detector('in "bound"', 'expired', 'true', weight => 50, mode => 'live', expires_at => '2020-01-01');
SELECT assay.alter_detector('in "bound"', 'block', condition => 'n IN (666, 667)');
INSERT INTO "Mail box"."Message" VALUES ('a', 300, 'known subject', 5), ('a', 301, 'unknown subject', 5), ('a', 302, 'x', 666), ('a', 303, 'x', 667);
SELECT d.id, d.verdict, l.detector, l.kind, l.hit, l.counted, l.muted_by, l.forced, l.contribution, l.signals
FROM "Mail box"."in ""bound""_decision" d, assay.ledger(d.attribution) l WHERE d.id BETWEEN 300 AND 303 ORDER BY d.id, l.entry;
SELECT assay.create_detector('in "bound"', 'part', 'true', weight => 0, mode => 'live', rollout => 0.3);
CREATE TABLE rollout AS SELECT s.id, x.attribution::text LIKE '%"part"%' AS hit
	FROM (SELECT 'a'::text AS "Tenant id", i AS id, 'x' AS subject, 1 AS n, 1 AS subject_length FROM generate_series(1, 1000) i) s, assay.score('in "bound"', s) x;
SELECT count(*) FILTER (WHERE hit) BETWEEN 250 AND 350 AS about_a_third FROM rollout;
SELECT assay.alter_detector('in "bound"', 'part', rollout => 0.6);
SELECT count(*) FILTER (WHERE n.hit) BETWEEN 540 AND 660 AS more, count(*) FILTER (WHERE r.hit AND NOT n.hit) AS left_out
FROM rollout r JOIN (SELECT s.id, x.attribution::text LIKE '%"part"%' AS hit
	FROM (SELECT 'a'::text AS "Tenant id", i AS id, 'x' AS subject, 1 AS n, 1 AS subject_length FROM generate_series(1, 1000) i) s, assay.score('in "bound"', s) x) n USING (id);
DROP TABLE rollout;

-- row level
DROP TRIGGER decide ON "Mail box"."Message";
CREATE TRIGGER decide AFTER INSERT ON "Mail box"."Message" FOR EACH ROW EXECUTE FUNCTION assay.decide('in "bound"');
INSERT INTO "Mail box"."Message" VALUES ('a', 400, 'a long subject', 1), ('b''s "é"', 400, 'x', 1);
COPY "Mail box"."Message" FROM stdin;
a	401	copied from standard input	0
\.
SELECT "Tenant id", id, verdict, assay.margin(attribution) AS margin FROM "Mail box"."in ""bound""_decision" WHERE id >= 400 ORDER BY "Tenant id" COLLATE "C", id;
DROP TRIGGER decide ON "Mail box"."Message";

-- the key moves, and becomes of another type
CREATE TABLE moves (x text, id int, n int);
CREATE VIEW moves_signals AS SELECT id, n FROM moves;
SELECT assay.create_policy('moves', 'moves_signals', '{id}', prior => 0);
CREATE TRIGGER decide AFTER INSERT ON moves REFERENCING NEW TABLE AS new FOR EACH ROW EXECUTE FUNCTION assay.decide('moves');
INSERT INTO moves VALUES ('a', 1, 1);
ALTER TABLE moves RENAME COLUMN id TO old_id;
ALTER TABLE moves ADD COLUMN id int;
CREATE OR REPLACE VIEW moves_signals AS SELECT id, n FROM moves;
INSERT INTO moves (x, id, n) VALUES ('b', 2, 1);
DROP VIEW moves_signals;
ALTER TABLE moves ALTER COLUMN id TYPE text;
INSERT INTO moves (x, id, n) VALUES ('c', 'three', 1);
DROP TRIGGER decide ON moves;
CREATE TRIGGER decide AFTER INSERT ON moves REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('moves');
\set VERBOSITY terse
INSERT INTO moves (x, id, n) VALUES ('d', '4', 1);
\set VERBOSITY default
SELECT id, degraded FROM moves_decision ORDER BY id;
DROP TABLE moves;
SELECT assay.drop_policy('moves', true);

-- a trigger of another kind is refused
CREATE TRIGGER d BEFORE INSERT ON "Mail box".message_a FOR EACH ROW EXECUTE FUNCTION assay.decide('in "bound"');
INSERT INTO "Mail box"."Message" VALUES ('a', 500, 'x', 1);
DROP TRIGGER d ON "Mail box".message_a;
CREATE TRIGGER d AFTER UPDATE ON "Mail box".message_a FOR EACH ROW EXECUTE FUNCTION assay.decide('in "bound"');
UPDATE "Mail box"."Message" SET n = 1 WHERE id = 1;
DROP TRIGGER d ON "Mail box".message_a;
CREATE TRIGGER d AFTER INSERT ON "Mail box".message_a FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('in "bound"');
INSERT INTO "Mail box".message_a VALUES ('a', 500, 'x', 1);
DROP TRIGGER d ON "Mail box".message_a;
CREATE TRIGGER d AFTER INSERT ON "Mail box".message_a FOR EACH ROW EXECUTE FUNCTION assay.decide();
INSERT INTO "Mail box".message_a VALUES ('a', 500, 'x', 1);
DROP TRIGGER d ON "Mail box".message_a;
CREATE TRIGGER d AFTER INSERT ON "Mail box".message_a FOR EACH ROW EXECUTE FUNCTION assay.decide('nobody');
INSERT INTO "Mail box".message_a VALUES ('a', 500, 'x', 1);
DROP TRIGGER d ON "Mail box".message_a;
CREATE TRIGGER d AFTER INSERT ON "Mail box".message_a FOR EACH ROW EXECUTE FUNCTION assay.decide('in "bound"');
SELECT assay.drop_policy('in "bound"');
DROP TRIGGER d ON "Mail box".message_a;
SELECT assay.decide();

SELECT policy, live, shadow, draft, revision FROM assay.policies;
SELECT revision, summary FROM assay.revisions ORDER BY revision;
\set VERBOSITY terse
SELECT assay.drop_policy('in "bound"', true);
DROP SCHEMA "Mail box" CASCADE;
