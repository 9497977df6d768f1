-- predictions over arrays, records and jsonb
CREATE SCHEMA test_model_predict;
SET search_path = test_model_predict;
CREATE TEMP TABLE m AS SELECT '{"pg_assay_model": 1, "format": "xgboost", "library": "3.2.0",
    "objective": "binary:logistic", "link": "logistic", "link_parameters": [1, 0], "single": true,
    "start": [0.5], "bias": [0], "scale": 1, "divisor": 1, "iterations": 1, "best_iteration": -1,
    "features": [{"name": "size", "kind": "numeric"}, {"name": "Kind", "kind": "text", "categories": {"b": 1, "ä": 0, "12": 2, "": 3}}],
    "trees": [{"output": 0, "nodes": [[0, 10, 0, "<", 1.5, "left"], [1, 6, 1, "in", [0, 2], "right"], [3, 4, -0.25], [4, 2, 0.125], [2, 4, 0.0625]]},
              {"output": 0, "nodes": [[0, 10, 1, "in", [1], "left"], [1, 5, -1], [2, 5, 2]]}]}'::assay.model AS model;

-- Arrays: by position; NULL and NaN are missing
SELECT v, assay.margin(model, v::real[]), assay.margin(model, v::float8[]),
    assay.predict(model, v::real[]) = assay.predict(model, v::float8[]) AS same, assay.predict_leaf(model, v::real[])
FROM m, unnest(ARRAY['{1,0}', '{1,1}', '{2,2}', '{1.5,3}', '{NULL,NaN}', '{-Infinity,0.9}', '{Infinity,-1}', '{NaN,-0.5}', '{1e30,1e30}']) v;
-- A float64 just below the threshold is at it once it is rounded to the model's float32
SELECT assay.margin(model, ARRAY[1.4999999999, 1]::float8[]) = assay.margin(model, ARRAY[1.5, 1]::float8[]) FROM m;
SELECT assay.predict(model, '{}'::real[]) FROM m;
SELECT assay.predict(model, '{1}'::real[]) FROM m;
SELECT assay.predict(model, '{1,2,3}'::float8[]) FROM m;
SELECT assay.predict(model, '{{1,2}}'::real[]) FROM m;
SELECT assay.predict(model, NULL::real[]), assay.predict(NULL, '{1,2}'::real[]) FROM m;
-- Any lower bound will do
SELECT assay.margin(model, '[5:6]={1,1}'::real[]) FROM m;

-- Records: by name, whatever the order, the type and what else there is
SELECT assay.margin(model, r) FROM m, (SELECT 'b'::text AS "Kind", now() AS at, 1 AS size) r;
SELECT assay.margin(model, r) FROM m, (SELECT 1::smallint AS size, 'b'::varchar AS "Kind") r;
SELECT assay.margin(model, r) FROM m, (SELECT true AS size, 'b   '::char(4) AS "Kind") r;
SELECT assay.margin(model, r) FROM m, (SELECT 1.0::numeric AS size, 'b'::name AS "Kind") r;
SELECT assay.margin(model, r) FROM m, (SELECT 1::bigint AS size, 'ä'::text AS "Kind") r;
SELECT assay.margin(model, r) FROM m, (SELECT 1::real AS size, 12 AS "Kind") r;
SELECT assay.margin(model, r) FROM m, (SELECT 1::float8 AS size, 12.0::float8 AS "Kind") r;
SELECT assay.margin(model, r) FROM m, (SELECT 1::float8 AS size, ''::text AS "Kind") r;
-- What the model has not seen is missing, as NULL is
SELECT assay.margin(model, r), assay.margin(model, s) FROM m, (SELECT 1 AS size, 'new' AS "Kind") r, (SELECT 1 AS size, NULL::text AS "Kind") s;
CREATE DOMAIN percent AS integer CHECK (VALUE <= 100);
SELECT assay.margin(model, r) FROM m, (SELECT 1::percent AS size, 'b' AS "Kind") r;
CREATE TYPE pair AS (size real, "Kind" text);
SELECT assay.margin(model, ROW(1, 'b')::pair), assay.margin(model, NULL::pair) FROM m;
SELECT assay.margin(model, ROW(1, 'b')) FROM m;
SELECT assay.margin(model, r) FROM m, (SELECT 1 AS size) r;
SELECT assay.margin(model, r) FROM m, (SELECT 'x' AS size, 'b' AS "Kind") r;
SELECT assay.margin(model, r) FROM m, (SELECT now() AS size, 'b' AS "Kind") r;
SELECT assay.margin('{"pg_assay_model": 1, "format": "linear", "library": "", "objective": "", "link": "identity", "link_parameters": [1, 0],
    "single": false, "start": [1], "bias": [0], "scale": 1, "divisor": 1, "iterations": 0, "best_iteration": -1,
    "features": [{"kind": "numeric"}], "weights": [[2]]}', r) FROM (SELECT 3 AS x) r;

-- A table's rows: columns dropped and added, out-of-line values
CREATE TABLE signals (gone int, "Kind" text, size int);
INSERT INTO signals VALUES (1, 'b', 1), (2, repeat('long', 100000), 2);
ALTER TABLE signals DROP COLUMN gone;
ALTER TABLE signals ADD COLUMN later int DEFAULT 5;
SELECT size, assay.margin(model, s), assay.predict_vector(model, s), assay.predict_leaf(model, s) FROM m, signals s ORDER BY size;
-- Rows of different types at one call
CREATE FUNCTION pick(i int) RETURNS record LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
    IF i % 2 = 0 THEN SELECT 'b'::text AS "Kind", i AS size INTO r; ELSE SELECT i::float8 AS size, 1 AS other, 12 AS "Kind" INTO r; END IF;
    RETURN r;
END $$;
SELECT i, assay.margin(model, pick(i)) FROM m, generate_series(1, 4) i;
-- A row type that changes between two calls
CREATE TABLE changing (x text, a int, b int);
INSERT INTO changing VALUES ('x', 1, 2);
DO $$
DECLARE
    model assay.model := assay.model_from_linear('{a,b}', '{1,10}', 0, 'identity');
    r changing;
    margins float8[];
    change text;
BEGIN
    FOREACH change IN ARRAY ARRAY['ADD y int', 'RENAME a TO c; ALTER TABLE changing RENAME b TO a; ALTER TABLE changing RENAME c TO b', 'ALTER x TYPE int USING 7',
        'ALTER x TYPE text USING repeat(''x'', 1000)', 'DROP x'] LOOP
        EXECUTE 'ALTER TABLE changing ' || change;
        SELECT * INTO r FROM changing;
        margins := margins || assay.margin(model, r);
    END LOOP;
    RAISE NOTICE '%', margins;
END $$;
DROP TABLE changing;
-- Models that change from row to row, inline and out of line
CREATE TABLE models (id int, model assay.model);
INSERT INTO models SELECT i, assay.model_from_linear(ARRAY['size'] || ARRAY(SELECT 'w' || n FROM generate_series(1, CASE WHEN i % 2 = 0 THEN 1000 ELSE 2 END) n), array_fill(i::float8, ARRAY[CASE WHEN i % 2 = 0 THEN 1001 ELSE 3 END]), 0, 'identity')
FROM generate_series(1, 6) i;
SELECT string_agg(assay.margin(model, array_fill(1::float8, ARRAY[CASE WHEN id % 2 = 0 THEN 1001 ELSE 3 END]))::text, ',' ORDER BY n, id)
FROM models, generate_series(1, 3) n;

-- jsonb: by key; what is absent or null is missing
SELECT j, assay.margin(model, j) FROM m, unnest(ARRAY['{"size": 1, "Kind": "b"}', '{"size": true, "Kind": 12, "x": []}', '{"Kind": "ä"}', '{}', '{"size": null}']::jsonb[]) j;
SELECT assay.margin(model, '[1]'::jsonb) FROM m;
SELECT assay.margin(model, '{"size": "1"}'::jsonb) FROM m;
SELECT assay.margin(model, '{"size": [1]}'::jsonb) FROM m;

-- Several outputs
CREATE TEMP TABLE several AS SELECT replace(replace(model::text, '"start":[0.5],"bias":[0]', '"start":[0.5,0.25],"bias":[0,0]'), '"link":"logistic"', '"link":"softmax"')::assay.model AS model FROM m;
SELECT assay.margin_vector(model, '{1,1}'::real[]), assay.predict_vector(model, '{1,1}'::real[])::real[] FROM several;
SELECT assay.predict(model, '{1,1}'::real[]) FROM several;
SELECT assay.margin(model, '{1,1}'::real[]) FROM several;
SELECT assay.predict(replace(model::text, 'softmax', 'argmax')::assay.model, '{1,1}'::real[]) FROM several;
SELECT array_dims(assay.contributions(model, '{1,1}'::real[])) FROM several;

-- Explanations: exact, sorted by size, adding up to the margin
SET extra_float_digits = 0;
SELECT assay.contributions(model, '{1,1}'::real[]) FROM m;
SELECT e.* FROM m, assay.explain(m.model, (SELECT r FROM (SELECT 1 AS size, 'b' AS "Kind") r)) e;
SELECT e.* FROM m, assay.explain(m.model, '{"Kind": "ä"}'::jsonb) e;
SELECT e.* FROM m, assay.explain(m.model, '{1.1,0}'::real[], top => 1) e;
SELECT e.* FROM m, assay.explain(m.model, '{1.1,0}'::float8[], 0) e;
SELECT e.* FROM several s, assay.explain(s.model, '{1,1}'::real[], output => 1) e;
SELECT e.* FROM several s, assay.explain(s.model, '{1,1}'::real[], output => 2) e;
SELECT e.* FROM m, assay.explain(m.model, '{1,1}'::real[], -1) e;
SELECT count(*) FROM m, assay.explain(m.model, NULL::real[]) e;
SELECT * FROM assay.explain(assay.model_from_linear('{a,b,c}', '{2,-3,1}', 1), '{1,1,0}'::float8[]);
SELECT assay.contributions(replace(model::text, '[0,10,', '[0,null,')::assay.model, '{1,1}'::real[]) FROM m;

-- The functions are immutable and parallel safe, so that they may be used in indexes and everywhere
SELECT DISTINCT provolatile, proparallel FROM pg_proc
WHERE pronamespace = 'assay'::regnamespace AND proname IN ('predict', 'margin', 'predict_vector', 'margin_vector', 'predict_leaf', 'contributions', 'explain');

SET client_min_messages = warning;
DROP SCHEMA test_model_predict CASCADE;
