-- Columns of data frames that are easily confused: whose the categories are, and under which name a value is looked up
\set ECHO none
\i sql/fixtures/tables.sql
\i sql/fixtures/lightgbm-4.7.0-pandas.sql
\i sql/fixtures/catboost-1.2.10-pandas.sql
\set ECHO all

CREATE TEMP TABLE imported AS
SELECT name, version, library, CASE library
           WHEN 'catboost' THEN assay.model_from_catboost(convert_from(document, 'UTF8'))
           ELSE assay.model_from_lightgbm(convert_from(document, 'UTF8')) END AS model
FROM fixture WHERE name NOT LIKE 'ambiguous%';
-- What the file leaves open, the user can tell
INSERT INTO imported SELECT name, version, library, assay.model_from_lightgbm(convert_from(document, 'UTF8'), '{colour}')
FROM fixture WHERE name LIKE 'ambiguous%';
ANALYZE imported;

SELECT i.library, name, count(*) FROM golden JOIN imported i USING (name, version) GROUP BY i.library, name ORDER BY i.library COLLATE "C", name COLLATE "C";
-- Rows that differ
SELECT name, version, row_no, record, margin, assay.margin(model, record) FROM golden JOIN imported USING (name, version)
WHERE assay.margin(model, record) IS DISTINCT FROM (margin::float8[])[1];
SELECT library, imported.name, f.name AS feature, f.kind, f.categories FROM imported, assay.model_features(model) f
WHERE f.kind <> 'numeric' ORDER BY library COLLATE "C", imported.name COLLATE "C", f.position;

-- Each name counts: another category, another leaf
SELECT i.library, i.name, count(DISTINCT assay.margin(model, jsonb_set(record, ARRAY[f.name], to_jsonb(c::text)))) > 1 AS matters
FROM imported i, assay.model_features(model) f, unnest(f.categories) c, LATERAL (SELECT record FROM golden g WHERE (g.name, g.version) = (i.name, i.version) AND row_no <= 5) r
WHERE f.kind = 'text' AND i.name <> 'constant' GROUP BY i.library, i.name ORDER BY i.library COLLATE "C", i.name COLLATE "C";

-- Ambiguous
\pset format unaligned
SELECT assay.model_from_lightgbm(convert_from(document, 'UTF8')) FROM fixture WHERE name = 'ambiguous';
SELECT assay.model_from_lightgbm(convert_from(document, 'UTF8')) FROM fixture WHERE name = 'ambiguous_order';
-- The other one is taken where it is named, too: only the user knows
SELECT f.name, f.kind, f.categories FROM fixture, assay.model_features(assay.model_from_lightgbm(convert_from(document, 'UTF8'), '{few}')) f WHERE fixture.name = 'ambiguous' ORDER BY f.position;
SELECT assay.model_from_lightgbm(convert_from(document, 'UTF8'), '{few,colour}') FROM fixture WHERE name = 'ambiguous';
SELECT assay.model_from_lightgbm(convert_from(document, 'UTF8'), '{color}') FROM fixture WHERE name = 'ambiguous';
SELECT assay.model_from_lightgbm(convert_from(document, 'UTF8'), '{zip}') FROM fixture WHERE name = 'ordered';
SELECT assay.model_from_lightgbm(convert_from(document, 'UTF8'), '{NULL}') FROM fixture WHERE name = 'ordered';
-- A list that can be no feature's: codes, and a NOTICE
SELECT f.name, f.kind FROM fixture, assay.model_features(assay.model_from_lightgbm(regexp_replace(convert_from(document, 'UTF8'), 'pandas_categorical:.*', 'pandas_categorical:[["one"]]'))) f
WHERE fixture.name = 'ambiguous' ORDER BY f.position;
SELECT assay.model_from_lightgbm(regexp_replace(convert_from(document, 'UTF8'), 'pandas_categorical:.*', 'pandas_categorical:[[],[],[],[]]')) IS NULL
FROM fixture WHERE name = 'ambiguous';

-- Unknown lines and keys
SELECT what, (SELECT assay.model_from_lightgbm(replace(convert_from(document, 'UTF8'), what, what || E'new_key=1\n')) IS NULL) FROM fixture, (VALUES (E'\nversion=v4\n')) AS v (what) WHERE name = 'boolean';
SELECT assay.model_from_lightgbm(replace(convert_from(document, 'UTF8'), E'num_leaves=', E'new_key=1\nnum_leaves=')) IS NULL FROM fixture WHERE name = 'boolean';
SELECT assay.model_from_lightgbm(replace(convert_from(document, 'UTF8'), E'\nversion=v4\n', E'\nversion=v4\nboost_from_average\n')) IS NULL FROM fixture WHERE name = 'boolean';
SELECT assay.model_from_catboost(jsonb_set(convert_from(document, 'UTF8')::jsonb, path, '1')::text) IS NULL
FROM fixture, (VALUES ('{new}'::text[])) AS v (path) WHERE name = 'big' AND library = 'catboost';
SELECT assay.model_from_catboost(jsonb_set(convert_from(document, 'UTF8')::jsonb, path, '1')::text) IS NULL
FROM fixture, (VALUES ('{features_info,new}'::text[])) AS v (path) WHERE name = 'big' AND library = 'catboost';
SELECT assay.model_from_catboost(jsonb_set(convert_from(document, 'UTF8')::jsonb, path, '1')::text) IS NULL
FROM fixture, (VALUES ('{features_info,categorical_features,0,new}'::text[])) AS v (path) WHERE name = 'big' AND library = 'catboost';
SELECT assay.model_from_catboost(jsonb_set(convert_from(document, 'UTF8')::jsonb, path, '1')::text) IS NULL
FROM fixture, (VALUES ('{oblivious_trees,0,splits,0,new}'::text[])) AS v (path) WHERE name = 'big' AND library = 'catboost';
SELECT assay.model_from_catboost(jsonb_set(convert_from(document, 'UTF8')::jsonb, '{model_info,catboost_version_info}', '"Branch: tags/v1.3"')::text) IS NULL
FROM fixture WHERE name = 'big' AND library = 'catboost';

-- Booleans and whole numbers of SQL and JSON, by the name that the library's file has
\pset format aligned
WITH m (library, model) AS (SELECT library, model FROM imported WHERE name = 'boolean')
SELECT library, flag, count(DISTINCT margin) AS margins, count(margin) AS forms FROM m, (VALUES (true), (false)) AS b (flag),
    LATERAL (SELECT assay.margin(model, r) FROM (SELECT 0.25 AS age, flag AS flag, flag AS id) r
        UNION ALL SELECT assay.margin(model, jsonb_build_object('age', 0.25, 'flag', flag, 'id', flag))
        UNION ALL SELECT assay.margin(model, jsonb_build_object('age', 0.25, 'flag', flag::text, 'id', flag::int::text))
        UNION ALL SELECT assay.margin(model, r) FROM (SELECT 0.25 AS age, flag::text AS flag, flag::int AS id) r) AS f (margin)
GROUP BY 1, 2 ORDER BY library COLLATE "C", 2;
WITH m (library, model) AS (SELECT library, model FROM imported WHERE name = 'big')
SELECT library, id, count(DISTINCT margin) AS margins, count(margin) AS forms
FROM m, (VALUES (3000000000000007), (4000000000000007)) AS b (id),
    LATERAL (SELECT assay.margin(model, r) FROM (SELECT 0.25 AS age, id AS id) r
        UNION ALL SELECT assay.margin(model, r) FROM (SELECT 0.25 AS age, id::float8 AS id) r
        UNION ALL SELECT assay.margin(model, r) FROM (SELECT 0.25 AS age, id::numeric AS id) r
        UNION ALL SELECT assay.margin(model, r) FROM (SELECT 0.25 AS age, id::numeric(30,3) AS id) r
        UNION ALL SELECT assay.margin(model, r) FROM (SELECT 0.25 AS age, id::text AS id) r
        UNION ALL SELECT assay.margin(model, jsonb_build_object('age', 0.25, 'id', id))
        UNION ALL SELECT assay.margin(model, jsonb_build_object('age', 0.25, 'id', id::text))) AS f (margin)
GROUP BY 1, 2 ORDER BY library COLLATE "C", 2;
