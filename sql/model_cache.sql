-- the backend's cache of models
CREATE SCHEMA test_model_cache;
SET search_path = test_model_cache;
\c -
SET search_path = test_model_cache;
CREATE FUNCTION big(n int, w float8) RETURNS assay.model LANGUAGE sql IMMUTABLE AS
    $$SELECT assay.model_from_linear(ARRAY(SELECT 'f' || i FROM generate_series(1, n) i), array_fill(w, ARRAY[n]), 0, 'identity')$$;
CREATE TABLE model (name text PRIMARY KEY, model assay.model);
INSERT INTO model SELECT 'm' || w, big(5000, w) FROM generate_series(1, 4) w;
CREATE TABLE row_of (id int, x float8[]);
INSERT INTO row_of SELECT i, array_fill(i::float8, ARRAY[5000]) FROM generate_series(1, 20) i;
CREATE VIEW cached AS SELECT name, explains, pins, uses, bytes >= model_bytes AS more FROM assay.model_cache JOIN model ON digest = assay.model_digest(model);
SHOW assay.model_cache_size;
SELECT count(*) FROM assay.model_cache;

-- A model is loaded once, whatever the rows and queries; it is pinned only while a query runs
SELECT sum(assay.margin(model, x)) FROM row_of, model WHERE name = 'm1';
SELECT sum(assay.margin(model, x)) FROM row_of, model WHERE name = 'm1';
SELECT sum(assay.predict(model, x)) FROM row_of, model WHERE name = 'm1';
SELECT * FROM cached;
-- An explanation makes the entry grow
SELECT count(*) FROM model, assay.explain(model, (SELECT x FROM row_of WHERE id = 1), 3) WHERE name = 'm1';
SELECT * FROM cached;
-- Rows that want all models in turn
SELECT count(DISTINCT assay.margin(model, x)) FROM row_of, model;
SELECT name FROM cached ORDER BY name;
-- The same content from another table is the same entry
CREATE TABLE copy AS SELECT * FROM model;
SELECT sum(assay.margin(model, x)) FROM row_of, copy WHERE name = 'm2';
SELECT count(*) FROM assay.model_cache;

-- Bounded: least recently used first
SELECT sum(assay.margin(model, x)) FROM row_of, model WHERE name = 'm3';
SET assay.model_cache_size = '600kB';
SELECT sum(bytes) <= 600 * 1024 AS fits, count(*) BETWEEN 1 AND 3 AS some, bool_or(digest = (SELECT assay.model_digest(model) FROM model WHERE name = 'm3')) AS has_last FROM assay.model_cache;
SELECT count(DISTINCT assay.margin(model, x)) FROM row_of, model;
SELECT sum(bytes) <= 600 * 1024 AS fits FROM assay.model_cache;
SET assay.model_cache_size = 0;
SELECT count(*) FROM assay.model_cache;
SELECT count(DISTINCT assay.margin(model, x)), sum(assay.margin(model, x)) FROM row_of, model;
SELECT count(*) FROM assay.model_cache;
RESET assay.model_cache_size;

-- In use by a cursor, an entry outlives the bound; then it goes
SELECT sum(assay.margin(model, x)) FROM row_of, model WHERE name = 'm1';
BEGIN;
DECLARE c CURSOR FOR SELECT id, assay.margin(model, x) FROM row_of, model WHERE name = 'm1' ORDER BY id;
FETCH 1 FROM c;
SELECT name, pins FROM cached;
SET LOCAL assay.model_cache_size = 0;
SELECT name, pins FROM cached;
FETCH 2 FROM c;
CLOSE c;
SELECT name, pins FROM cached;
ROLLBACK;
-- An error in the middle leaves nothing pinned
SELECT sum(assay.margin(model, x)) FROM row_of, model WHERE name = 'm1';
SELECT sum(assay.margin(model, CASE WHEN id = 20 THEN x[2:] ELSE x END)) FROM row_of, model WHERE name = 'm1';
SELECT name, pins FROM cached;
BEGIN;
SAVEPOINT s;
SELECT sum(assay.margin(model, CASE WHEN id = 20 THEN x[2:] ELSE x END)) FROM row_of, model WHERE name = 'm1';
ROLLBACK TO s;
SELECT name, pins FROM cached;
COMMIT;

-- A changed row is a changed model, within one prepared statement too
PREPARE p AS SELECT sum(assay.margin(model, x)) FROM row_of, model WHERE name = 'm1';
EXECUTE p;
UPDATE model SET model = big(5000, 7) WHERE name = 'm1';
EXECUTE p;
DO $$
DECLARE s float8;
BEGIN
    FOR i IN 1..3 LOOP
        UPDATE model SET model = big(5000, 10 * i) WHERE name = 'm1';
        SELECT sum(assay.margin(model, x)) INTO s FROM row_of, model WHERE name = 'm1';
        RAISE NOTICE '%', s;
    END LOOP;
END $$;
-- Parallel workers have their own
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT sum(assay.margin(model, x)) FROM row_of, model WHERE name = 'm2';
SELECT assay.model_cache_size FROM (SELECT current_setting('assay.model_cache_size') AS model_cache_size) assay;
\set VERBOSITY sqlstate
SET assay.model_cache_size = -1;
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA test_model_cache CASCADE;
