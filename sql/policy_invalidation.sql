-- What makes a compiled policy invalid, and what does not.
\set VERBOSITY terse
CREATE SCHEMA inv;
SET client_min_messages = warning;
CREATE TEMP TABLE inv_temp (a int);
CREATE TABLE inv.message (id int PRIMARY KEY, txt text, n int);
CREATE DOMAIN inv.small AS int CHECK (VALUE < 100);
CREATE DOMAIN inv.open AS int;
CREATE TYPE inv.mood AS ENUM ('good', 'bad');
CREATE TYPE inv.pair AS (a int, b int);
CREATE VIEW inv.signals AS SELECT id, txt, n, ROW(n, n)::inv.pair AS pair FROM inv.message;
CREATE FUNCTION inv.is_large(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 50';
SELECT assay.create_policy('inv', 'inv.signals', '{id}', prior => 0, search_path => 'inv, pg_catalog, assay, pg_temp');
SELECT assay.create_detector('inv', 'domain', 'n::small > 50', weight => 1, mode => 'live');
SELECT assay.create_detector('inv', 'open domain', 'n::open::int > 50', weight => 2, mode => 'live');
SELECT assay.create_detector('inv', 'function', 'inv.is_large(n)', weight => 4, mode => 'live');
SELECT assay.create_detector('inv', 'operator', 'txt || ''x'' = ''ax''', weight => 8, mode => 'live');
SELECT assay.create_detector('inv', 'enum', 'txt::mood = ''good''::mood', weight => 16, mode => 'draft');
SELECT assay.create_detector('inv', 'composite', '(pair).b > 50', weight => 32, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON inv.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inv');
CREATE VIEW inv.shown AS SELECT d.id, assay.margin(d.attribution) AS margin,
	(SELECT string_agg(l.detector || ' ' || l.fault, ', ' ORDER BY l.detector COLLATE "C") FROM assay.ledger(d.attribution) l WHERE l.fault IS NOT NULL) AS faults
FROM inv.inv_decision d;
INSERT INTO inv.message VALUES (1, 'a', 60);
SELECT * FROM inv.shown WHERE id = 1;

-- news of other types, relations and columns is no matter
CREATE TABLE inv.other (a int PRIMARY KEY, b text);
CREATE TEMP TABLE inv_temp2 (a int);
CREATE DOMAIN inv.other_domain AS text;
ALTER TABLE inv.other ADD c inv.other_domain;
DROP TABLE inv_temp2, inv.other;
INSERT INTO inv.message VALUES (2, 'a', 60);
SELECT policy, revision, valid, live, shadow, exclusions, guards, bytes BETWEEN 10000 AND 1000000 AS bytes, triggers, plan_bytes BETWEEN 10000 AND 1000000 AS plan_bytes, pins, uses, used_at <= now() AS used FROM assay.policy_cache;

-- a domain gets a constraint, and loses it
ALTER DOMAIN inv.open ADD CONSTRAINT few CHECK (VALUE < 55);
INSERT INTO inv.message VALUES (3, 'a', 60);
ALTER DOMAIN inv.small DROP CONSTRAINT small_check;
ALTER DOMAIN inv.small ADD CHECK (VALUE < 58);
INSERT INTO inv.message VALUES (4, 'a', 60);
ALTER DOMAIN inv.open DROP CONSTRAINT few;
ALTER DOMAIN inv.small DROP CONSTRAINT small_check;
INSERT INTO inv.message VALUES (5, 'a', 60);
SELECT * FROM inv.shown WHERE id BETWEEN 3 AND 5 ORDER BY id;

-- an operator that fits better comes to the search_path, and goes
CREATE FUNCTION inv.shout(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
CREATE OPERATOR inv.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = inv.shout);
INSERT INTO inv.message VALUES (6, 'a', 60);
DROP OPERATOR inv.|| (text, text);
INSERT INTO inv.message VALUES (7, 'a', 60);
SELECT * FROM inv.shown WHERE id BETWEEN 6 AND 7 ORDER BY id;

-- a function and a type get other names, or another body
CREATE OR REPLACE FUNCTION inv.is_large(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 70';
INSERT INTO inv.message VALUES (8, 'a', 60);
ALTER FUNCTION inv.is_large(int) RENAME TO is_big;
ALTER DOMAIN inv.small RENAME TO little;
INSERT INTO inv.message VALUES (9, 'a', 60);
ALTER FUNCTION inv.is_big(int) RENAME TO is_large;
-- a type that was missing is news of a type unknown before
CREATE DOMAIN inv.small AS int;
INSERT INTO inv.message VALUES (10, 'a', 60);
SELECT * FROM inv.shown WHERE id BETWEEN 8 AND 10 ORDER BY id;

-- a composite type changes; a value is added to an enumeration
ALTER TYPE inv.pair RENAME ATTRIBUTE b TO c;
INSERT INTO inv.message VALUES (11, 'a', 60);
ALTER TYPE inv.pair RENAME ATTRIBUTE c TO b;
INSERT INTO inv.message VALUES (12, 'a', 60);
SELECT assay.promote('inv', 'enum');
INSERT INTO inv.message VALUES (13, 'new', 60);
ALTER TYPE inv.mood ADD VALUE 'new';
INSERT INTO inv.message VALUES (14, 'new', 60), (15, 'good', 60);
SELECT * FROM inv.shown WHERE id BETWEEN 11 AND 15 ORDER BY id;
SELECT assay.retire_detector('inv', 'enum');

-- a schema gets another name: all in it is gone, and comes back
CREATE SCHEMA inv_code;
ALTER FUNCTION inv.is_large(int) SET SCHEMA inv_code;
SELECT assay.alter_detector('inv', 'function', 'inv_code.is_large(n)');
INSERT INTO inv.message VALUES (16, 'a', 80);
ALTER SCHEMA inv_code RENAME TO inv_away;
INSERT INTO inv.message VALUES (17, 'a', 80);
ALTER SCHEMA inv_away RENAME TO inv_code;
INSERT INTO inv.message VALUES (18, 'a', 80);
SELECT * FROM inv.shown WHERE id BETWEEN 16 AND 18 ORDER BY id;

-- a search_path that finds less is warned of, and can be taken back
SET client_min_messages = notice;
SELECT assay.alter_policy('inv', search_path => 'pg_catalog, assay, pg_temp');
INSERT INTO inv.message VALUES (19, 'a', 80);
SELECT assay.rollback_policy('inv', 10);
SET client_min_messages = warning;
INSERT INTO inv.message VALUES (20, 'a', 80);
SELECT * FROM inv.shown WHERE id BETWEEN 19 AND 20 ORDER BY id;
-- an old revision has its own
SELECT r, assay.margin(x.attribution), assay.degraded(x.attribution) FROM inv.signals s, generate_series(10, 12) r, assay.score('inv', s, revision => r) x WHERE s.id = 20 ORDER BY r;

-- so for score() within one statement's plan, kept by a function
CREATE FUNCTION inv.score(int) RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN RETURN (SELECT assay.margin(x.attribution) FROM inv.signals s, assay.score('inv', s) x WHERE s.id = $1); END $$;
SELECT inv.score(18);
ALTER DOMAIN inv.small ADD CHECK (VALUE < 58);
SELECT inv.score(18);
ALTER DOMAIN inv.small DROP CONSTRAINT small_check;
SELECT inv.score(18);
-- a domain below another one gets a constraint, and loses it; so where the upper one has its own
CREATE DOMAIN inv.lower AS int;
CREATE DOMAIN inv.upper AS inv.lower;
SELECT assay.create_detector('inv', 'two domains', 'n::upper::int > 50', weight => 64, mode => 'live');
INSERT INTO inv.message VALUES (30, 'a', 60);
ALTER DOMAIN inv.lower ADD CONSTRAINT few CHECK (VALUE < 55);
INSERT INTO inv.message VALUES (31, 'a', 60);
ALTER DOMAIN inv.upper ADD CONSTRAINT many CHECK (VALUE > 0);
ALTER DOMAIN inv.lower DROP CONSTRAINT few;
INSERT INTO inv.message VALUES (32, 'a', 60);
SELECT * FROM inv.shown WHERE id BETWEEN 30 AND 32 ORDER BY id;
-- another trigger under the same oid
CREATE OR REPLACE TRIGGER decide AFTER INSERT ON inv.message REFERENCING NEW TABLE AS other FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inv');
INSERT INTO inv.message VALUES (40, 'a', 60), (41, 'a', 60);
CREATE OR REPLACE TRIGGER decide AFTER INSERT ON inv.message FOR EACH ROW EXECUTE FUNCTION assay.decide('inv');
INSERT INTO inv.message VALUES (42, 'a', 60), (43, 'a', 60);
CREATE OR REPLACE TRIGGER decide AFTER INSERT ON inv.message REFERENCING NEW TABLE AS other FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inv');
INSERT INTO inv.message VALUES (44, 'a', 60), (45, 'a', 60);
SELECT count(*), count(DISTINCT margin) AS margins FROM inv.shown WHERE id BETWEEN 40 AND 45;
DROP TRIGGER decide ON inv.message;

-- many policies on one table: each stays compiled, and its plans prepared
CREATE TABLE inv.busy (id int PRIMARY KEY, n int);
CREATE VIEW inv.busy_signals AS SELECT id, n FROM inv.busy;
SELECT count(assay.create_policy('busy' || i, 'inv.busy_signals', '{id}', prior => 0)), count(assay.create_detector('busy' || i, 'n', 'n > ' || i, mode => 'live')) FROM generate_series(10, 49) i;
DO $$ BEGIN FOR i IN 10..49 LOOP
	EXECUTE format('CREATE TRIGGER decide%1$s AFTER INSERT ON inv.busy REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide(%2$L)', i, 'busy' || i);
END LOOP; END $$;
INSERT INTO inv.busy VALUES (1, 30);
CREATE TEMP TABLE inv_plans AS SELECT count(*) AS plans FROM pg_backend_memory_contexts WHERE name = 'pg_assay decide';
INSERT INTO inv.busy VALUES (2, 30);
INSERT INTO inv.busy SELECT i, i FROM generate_series(3, 100) i;
SELECT count(*), min(uses), max(uses), sum(triggers) AS triggers, bool_and(valid) AS valid, sum(bytes) < 128 * 1024 * 1024 AS within FROM assay.policy_cache WHERE policy LIKE 'busy%';
SELECT plans, (SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'pg_assay decide') AS plans_then FROM inv_plans;
-- where there is room for few, they take turns, and decide alike; the plans stay
SET assay.policy_cache_size = '200kB';
INSERT INTO inv.busy VALUES (101, 30);
-- (the one in use stays, however large)
SELECT count(*) BETWEEN 2 AND 20 AS few, sum(bytes) - max(bytes) <= 200 * 1024 AS within FROM assay.policy_cache;
SELECT plans, (SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'pg_assay decide') AS plans_then FROM inv_plans;
SET assay.policy_cache_size = 0;
INSERT INTO inv.busy VALUES (102, 30);
SELECT count(*) FROM assay.policy_cache;
-- a view that changes while its policy is not in the cache
CREATE OR REPLACE VIEW inv.busy_signals AS SELECT id, n, 'more' AS more FROM inv.busy;
INSERT INTO inv.busy VALUES (103, 30);
SELECT degraded, assay.margin(attribution) FROM inv.busy10_decision WHERE id = 103;
SELECT count(*), count(DISTINCT x.n) FROM inv.busy_signals s, LATERAL (SELECT count(*) AS n FROM generate_series(10, 49) i, assay.score('busy' || i, s) x WHERE x.score > 0.5) x WHERE s.id > 100;
RESET assay.policy_cache_size;
SELECT m.id, (SELECT d.score > 0.6 FROM inv.busy10_decision d WHERE d.id = m.id) AS hit10, (SELECT d.score > 0.6 FROM inv.busy29_decision d WHERE d.id = m.id) AS hit29,
	(SELECT d.score > 0.6 FROM inv.busy30_decision d WHERE d.id = m.id) AS hit30 FROM (VALUES (1), (2), (101), (102), (103)) m(id) ORDER BY m.id;
-- a view that never fitted, where errors are wanted, and then does
SELECT assay.alter_policy('busy10', on_error => 'raise');
ALTER VIEW inv.busy_signals RENAME n TO m;
INSERT INTO inv.busy VALUES (104, 30);
ALTER VIEW inv.busy_signals RENAME TO busy_away;
INSERT INTO inv.busy VALUES (104, 30);
ALTER VIEW inv.busy_away RENAME TO busy_signals;
ALTER VIEW inv.busy_signals RENAME m TO n;
INSERT INTO inv.busy VALUES (104, 30);
-- whose they are is nobody else's business
CREATE ROLE inv_nobody;
SET ROLE inv_nobody;
SELECT count(*) FROM assay.policy_cache;
RESET ROLE;
DROP ROLE inv_nobody;

DROP TABLE inv.busy CASCADE;
SELECT count(assay.drop_policy('busy' || i, true)) FROM generate_series(10, 49) i;
DROP FUNCTION inv.score;
DROP VIEW inv.shown;
SELECT assay.drop_policy('inv', true);
DROP SCHEMA inv, inv_code CASCADE;
