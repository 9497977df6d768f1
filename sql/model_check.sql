-- What a row does not give to a model, and rows of all types
CREATE SCHEMA test_model_check;
SET search_path = test_model_check;
CREATE TEMP TABLE m AS SELECT '{"pg_assay_model": 1, "format": "xgboost", "library": "3.2.0",
    "objective": "binary:logistic", "link": "logistic", "link_parameters": [1, 0], "single": true,
    "start": [0.5], "bias": [0], "scale": 1, "divisor": 1, "iterations": 1, "best_iteration": -1,
    "features": [{"name": "size", "kind": "numeric"}, {"name": "Kind", "kind": "text", "categories": {"b": 1, "ä": 0, "12": 2, "": 3, "true": 4, "9007199254740993": 5, "1e+15": 6, "0.1": 7}}],
    "trees": [{"output": 0, "nodes": [[0, 10, 0, "<", 1.5, "left"], [1, 6, 1, "in", [0, 2], "right"], [3, 4, -0.25], [4, 2, 0.125], [2, 4, 0.0625]]},
              {"output": 0, "nodes": [[0, 10, 1, "in", [1], "left"], [1, 5, -1], [2, 5, 2]]}]}'::assay.model AS model;

-- Objects: what is absent, keys that are no features, unknown categories, wrong types
SELECT j, c.* FROM m, unnest(ARRAY['{"size": 1, "Kind": "b"}', '{"Size": 1, "kind": "b"}', '{"siez": 1, "Kind": "c"}', '{}', '{"size": null, "Kind": null}',
    '{"size": "1", "Kind": [1]}', '{"size": {}, "Kind": 13}', '{"size": true, "Kind": true}', '{"size": "NaN", "Kind": false}', '{"size": 1, "Kind": "ä", "received_at": 1}']::jsonb[]) j
    LEFT JOIN LATERAL assay.model_check(model, j) c ON true;
-- Rows: columns that are no features do no harm
SELECT c.* FROM m, (SELECT 1 AS size, 'new' AS "Kind", now() AS at) r, assay.model_check(model, r) c;
SELECT c.* FROM m, (SELECT 'NaN'::float8 AS size, 'b' AS "Kind") r, assay.model_check(model, r) c;
SELECT c.* FROM m, (SELECT now()::date - now()::date AS size) r, assay.model_check(model, r) c;
-- a category of a stranger's type is asked for by its label, as when it is evaluated, and no cast of that type runs
CREATE ROLE model_check_other;
GRANT USAGE, CREATE ON SCHEMA test_model_check TO model_check_other;
SET ROLE model_check_other;
CREATE TYPE kind AS ENUM ('b', 'new');
CREATE DOMAIN amount AS int;
CREATE FUNCTION shown(kind) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE 'ran as %', current_user; END $$;
CREATE CAST (kind AS json) WITH FUNCTION shown(kind);
RESET ROLE;
SELECT c.* FROM m, (SELECT 1 AS size, k AS "Kind", k AS other FROM unnest('{b,new}'::kind[]) k) r, assay.model_check(model, r) c;
-- a value of a domain is one of the type that it is of
SELECT c.* FROM m, (SELECT 1::amount AS size, 'new' AS "Kind") r, assay.model_check(model, r) c;
-- nor in a row of that stranger's table
SET ROLE model_check_other;
CREATE TABLE theirs AS SELECT 1 AS size, 'new'::kind AS "Kind";
RESET ROLE;
SELECT c.* FROM m, theirs t, assay.model_check(model, t) c;
SELECT c.* FROM m, (SELECT t FROM theirs t) t, assay.model_check(model, t.t) c;
DROP OWNED BY model_check_other CASCADE;
DROP ROLE model_check_other;
SELECT count(*) FROM m, assay.model_check(model, NULL::jsonb) c;
SELECT * FROM m, assay.model_check(model, '[1]'::jsonb) c;
SELECT * FROM assay.model_check(NULL, '{}'::jsonb) c;
SELECT * FROM assay.model_check(('{"pg_assay_model": 1, "format": "linear", "library": "", "objective": "", "link": "identity", "link_parameters": [1, 0],
    "single": false, "start": [1], "bias": [0], "scale": 1, "divisor": 1, "iterations": 0, "best_iteration": -1,
    "features": [{"kind": "numeric"}], "weights": [[2]]}'), '{}'::jsonb);

-- The name of a number is exact; that of 0.1.0 is found as well
SELECT k::text::float8 AS about, assay.predict_leaf(model, jsonb_build_object('size', 1, 'Kind', k)) FROM m,
    unnest('{9007199254740993,9007199254740992,1000000000000000,1e15,0.1,12.0,12.000000000000001,1e300,NaN}'::numeric[]) k WHERE k <> 'NaN';
SELECT k, c.problem FROM m, unnest('{9007199254740993,9007199254740992,1000000000000000,12,-9223372036854775808}'::bigint[]) k
    LEFT JOIN LATERAL (SELECT problem FROM (SELECT 1 AS size, k AS "Kind") r, assay.model_check(model, r)) c ON true;

-- Enums are text
CREATE TYPE kind AS ENUM ('ä', 'b', 'c', '12');
SELECT k, assay.predict_leaf(model, r) = assay.predict_leaf(model, t) AS same FROM m, unnest(enum_range(NULL::kind)) k,
    LATERAL (SELECT 1 AS size, k AS "Kind") r, LATERAL (SELECT 1 AS size, k::text AS "Kind") t;
CREATE DOMAIN kinds AS kind;
CREATE TABLE signals (size int, "Kind" kinds);
INSERT INTO signals VALUES (1, 'b'), (1, 'c'), (1, NULL);
SELECT s."Kind", assay.margin(model, s) FROM m, signals s ORDER BY 1;
ALTER TYPE kind RENAME VALUE 'c' TO 'true';
SELECT s."Kind", assay.predict_leaf(model, s) FROM m, signals s ORDER BY 1;
SELECT assay.margin(model, r) FROM m, (SELECT 'b'::kind AS size, 'b' AS "Kind") r;

-- Arrays of all numbers, without a cast
SELECT assay.predict(model, ARRAY[0.5, 1]) = assay.predict(model, '{0.5,1}'::real[]) AS numbers, assay.predict(model, ARRAY[1, 2]) = assay.predict(model, '{1,2}'::real[]) AS integers,
    assay.predict(model, ARRAY[3000000000, 1]) = assay.predict(model, '{3e9,1}'::real[]) AS bigints, assay.predict(model, ARRAY[0.5, NULL]) = assay.predict(model, '{0.5,NULL}'::real[]) AS missing,
    assay.predict(model, ARRAY['NaN', 1]::numeric[]) = assay.predict(model, '{NaN,1}'::real[]) AS nan, assay.predict(model, ARRAY[1e400, 1]) = assay.predict(model, '{Infinity,1}'::real[]) AS large
FROM m;
SELECT assay.margin(model, ARRAY[1, 2]), assay.predict_vector(model, ARRAY[1, 2])::real[], assay.margin_vector(model, ARRAY[1.5, 2]), assay.predict_leaf(model, ARRAY[1.5, 2]),
    assay.contributions(model, ARRAY[1.5, 2])::real[], (SELECT count(*) FROM assay.explain(model, ARRAY[1.5, 2])) FROM m;
SELECT assay.margin(assay.model_from_linear('{a,b}', '{1,10}', 0, 'identity'), ARRAY[0.1, 3]), assay.margin(assay.model_from_linear('{a,b}', '{1,10}', 0, 'identity'), ARRAY[1, 3]::bigint[]);
SELECT assay.predict(model, ARRAY[1.5]) FROM m;
SELECT assay.predict(model, ARRAY[[1, 2]]) FROM m;
SELECT assay.predict(model, '{}'::int[]) FROM m;

-- A model's text is ASCII, so that every database can dump and restore it
CREATE TEMP TABLE foreign_names AS
SELECT assay.model_from_linear('{размер,größe,𝄞,plain}', '{1,2,3,4}', 0, 'identity') AS model;
SELECT model FROM foreign_names;
SELECT octet_length(model::text) = length(model::text) AS ascii, assay.model_digest(model::text::assay.model) = assay.model_digest(model) AS same FROM foreign_names;
SET client_min_messages = warning;
SELECT model::text AS text FROM foreign_names \gset
DROP DATABASE IF EXISTS assay_regress_models;
CREATE DATABASE assay_regress_models ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
SELECT current_database() AS before \gset
\c assay_regress_models
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
CREATE EXTENSION pg_assay;
RESET client_min_messages;
CREATE TABLE models (model assay.model);
INSERT INTO models VALUES (:'text');
SELECT count(*), count(DISTINCT assay.model_digest(model)), count(DISTINCT model::text), bool_and(model::text = :'text') AS as_it_was FROM models;
-- Names that the encoding lacks are shown as in the text, and are found under that name
SELECT f.* FROM models, assay.model_features(model) f LIMIT 4;
SELECT assay.margin(model, '{"gr\u00f6\u00dfe": 1, "plain": 1}'::jsonb) FROM models LIMIT 1;
SELECT assay.margin(model, r) FROM models, (SELECT 1 AS größe, 1 AS plain, 1 AS "\u0440\u0430\u0437\u043c\u0435\u0440", 1 AS "\ud834\udd1e") r LIMIT 1;
SELECT assay.margin(model, r) FROM models, (SELECT 1 AS größe, 1 AS plain) r LIMIT 1;
SELECT c.feature, c.problem FROM models, assay.model_check(model, '{"plain": 1}'::jsonb) c LIMIT 3;
\c :before
DROP DATABASE assay_regress_models;

SET client_min_messages = warning;
DROP SCHEMA test_model_check CASCADE;
