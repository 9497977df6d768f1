-- XGBoost's files of four releases: the library's own outputs, bit for bit
\set ECHO none
\i sql/fixtures/tables.sql
\i sql/fixtures/xgboost-1.0.2.sql
\i sql/fixtures/xgboost-1.7.6.sql
\i sql/fixtures/xgboost-2.1.4.sql
\i sql/fixtures/xgboost-3.2.0.sql
\set ECHO all

-- JSON and UBJSON of the same booster; 0 iterations is all, as Booster.predict
CREATE TEMP TABLE imported AS
SELECT g.name, f.version, f.format, g.iterations,
       assay.model_from_xgboost(f.document, coalesce(g.iterations, 0)) AS model
FROM fixture f
    JOIN (SELECT DISTINCT name, version, iterations FROM golden) g
        ON g.version = f.version AND g.name = regexp_replace(f.name, '_ubj$', '');
ANALYZE imported;

-- Nothing is compared with nothing
SELECT version, count(*) FILTER (WHERE format = 'json') AS json, count(*) FILTER (WHERE format = 'ubj') AS ubj
FROM imported GROUP BY version ORDER BY version COLLATE "C";

CREATE TEMP TABLE compared AS
SELECT g.name, g.version, m.format, g.iterations, g.row_no, model, g.features::real[] AS features,
       g.margin::real[] AS margin, g.prediction::real[] AS prediction, g.leaf::integer[] AS leaf,
       g.contributions::real[]
FROM golden g JOIN imported m
    ON (m.name, m.version) = (g.name, g.version) AND m.iterations IS NOT DISTINCT FROM g.iterations
WHERE g.features IS NOT NULL;
SELECT count(*) > 2000 AS enough FROM compared;

-- Rows that differ. Text of floats is the shortest exact one, so that -0 and 0 differ too.
SELECT name, version, format, row_no, margin, assay.margin_vector(model, features)::real[]
FROM compared WHERE assay.margin_vector(model, features)::real[]::text <> margin::text;
SELECT name, version, format, row_no, prediction, assay.predict_vector(model, features)::real[]
FROM compared WHERE assay.predict_vector(model, features)::real[]::text <> prediction::text;
SELECT name, version, format, row_no, leaf, assay.predict_leaf(model, features)
FROM compared WHERE leaf IS NOT NULL AND assay.predict_leaf(model, features) <> leaf;
-- A row in float64 is rounded first, as the library does
SELECT name, version, format, row_no
FROM compared WHERE assay.margin_vector(model, features::float8[]) <> assay.margin_vector(model, features);

-- Contributions within 1e-5 of pred_contribs, relative where they are large
SELECT name, version, format, row_no, i, ours, theirs
FROM compared, LATERAL unnest(assay.contributions(model, features), contributions) WITH ORDINALITY AS c (ours, theirs, i)
WHERE contributions IS NOT NULL AND (assay.model_info(model)).explainable
    AND (abs(ours - theirs) <= 1e-5 * greatest(1, abs(theirs))) IS NOT TRUE AND theirs NOT IN ('Infinity', '-Infinity');

-- Text categories: by name, over jsonb
SELECT name, version, format, row_no, margin, assay.margin(model, record)
FROM golden JOIN imported USING (name, version)
WHERE record IS NOT NULL AND assay.margin(model, record)::real <> (margin::real[])[1];
SELECT count(*) FROM golden WHERE record IS NOT NULL;

-- Text and binary form are exact
SELECT name, version, format FROM imported WHERE assay.model_digest(model::text::assay.model) <> assay.model_digest(model);

-- What a file says
SELECT name, (assay.model_info(model)).* FROM imported
WHERE version = '3.2.0' AND format = 'json' AND iterations IS NULL AND name IN
    ('binary_names', 'dart', 'gblinear_multi', 'categorical_mixed', 'text_categories', 'vector_leaf', 'best_iteration', 'no_trees')
ORDER BY name COLLATE "C" \gx
SELECT * FROM assay.model_features((SELECT model FROM imported WHERE name = 'text_categories' AND format = 'json'));

-- best_iteration: all rounds of a Booster's file by default, fewer when asked for
SELECT coalesce(iterations, 0) AS asked, (assay.model_info(model)).iterations, (assay.model_info(model)).best_iteration
FROM imported WHERE name = 'best_iteration' AND version = '3.2.0' ORDER BY 1;
SELECT assay.model_from_xgboost(document, 1000) FROM fixture WHERE name = 'best_iteration' AND version = '3.2.0';
SELECT assay.model_from_xgboost(document, -1) FROM fixture WHERE name = 'best_iteration' AND version = '3.2.0';
-- … but those up to the best of a file by the scikit-learn interface, as it predicts itself
SELECT (assay.model_info(assay.model_from_xgboost(convert_to(replace(convert_from(document, 'UTF8'),
    '"attributes":{', '"attributes":{"scikit_learn":"{}",'), 'UTF8')))).iterations
FROM fixture WHERE name = 'best_iteration' AND version = '3.2.0';
