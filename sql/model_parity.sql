-- What holds for a model of every library: all forms of a row and of a model
-- agree, contributions add up to the margin, predictions are of the margin.
\set ECHO none
\i sql/fixtures/tables.sql
\i sql/fixtures/xgboost-1.0.2.sql
\i sql/fixtures/xgboost-1.7.6.sql
\i sql/fixtures/xgboost-2.1.4.sql
\i sql/fixtures/xgboost-3.2.0.sql
\i sql/fixtures/lightgbm-2.2.3.sql
\i sql/fixtures/lightgbm-3.3.5.sql
\i sql/fixtures/lightgbm-4.7.0.sql
\i sql/fixtures/catboost-1.2.10.sql
\set ECHO all

CREATE TEMP TABLE imported AS
SELECT library, version, name, format,
       CASE library WHEN 'xgboost' THEN assay.model_from_xgboost(document)
                    WHEN 'lightgbm' THEN assay.model_from_lightgbm(convert_from(document, 'UTF8'))
                    ELSE assay.model_from_catboost(convert_from(document, 'UTF8')) END AS model
FROM fixture WHERE name NOT IN ('ctr', 'one_hot_nameless');
ALTER TABLE imported ADD PRIMARY KEY (library, version, name, format);
ANALYZE imported;
SELECT library, count(*) FROM imported GROUP BY library ORDER BY library COLLATE "C";

-- The same booster as JSON and as UBJSON is the same model
SELECT u.version, u.name FROM imported u
    JOIN imported j ON j.library = 'xgboost' AND j.format = 'json' AND j.version = u.version AND j.name || '_ubj' = u.name
WHERE u.format = 'ubj' AND assay.model_digest(u.model) <> assay.model_digest(j.model);
SELECT count(*) > 20 AS compared FROM imported WHERE format = 'ubj';

CREATE TEMP TABLE compared AS
SELECT g.library, g.version, g.name, g.row_no, model, g.features::float8[] AS double,
       i.link, i."precision", i.features, i.outputs, i.explainable
FROM golden g JOIN imported m USING (library, version, name), assay.model_info(model) AS i
WHERE g.features IS NOT NULL AND g.iterations IS NULL;

-- A row as array and by name; NaN is absent there, and infinity has no JSON
CREATE TEMP TABLE named AS
SELECT library, version, name, format, CASE WHEN n.names IS NULL THEN assay.model_with_names(model, generated) ELSE model END AS named,
       coalesce(names, generated) AS names
FROM imported, LATERAL (
	SELECT CASE WHEN count(f.name) > 0 THEN array_agg(f.name ORDER BY f.position) END AS names,
	       array_agg('feature ' || f.position ORDER BY f.position) AS generated
	FROM assay.model_features(model) AS f) AS n;
CREATE TEMP TABLE by_name AS
SELECT library, version, name, row_no, model, named, double,
       (SELECT coalesce(jsonb_object_agg(n, v) FILTER (WHERE v <> 'NaN'), '{}') FROM unnest(names, double) AS u (n, v)) AS object
FROM compared JOIN named USING (library, version, name) WHERE NOT double && '{Infinity,-Infinity}';
SELECT library, version, name, row_no FROM by_name
WHERE assay.margin_vector(model, double) <> assay.margin_vector(named, object)
   OR assay.predict_leaf(model, double) <> assay.predict_leaf(named, object);
SELECT library, count(*) > 350 AS enough FROM by_name GROUP BY library ORDER BY library COLLATE "C";

-- A NULL is a missing value, as NaN is
SELECT library, version, name, row_no FROM compared
WHERE assay.margin_vector(model, array_replace(double, 'NaN', NULL))::text <> assay.margin_vector(model, double)::text
   OR assay.predict_leaf(model, array_replace(double, 'NaN', NULL)) <> assay.predict_leaf(model, double);

-- One output is the vector's first
SELECT library, version, name, row_no FROM compared
WHERE outputs = 1 AND (ARRAY[assay.margin(model, double)]::text <> assay.margin_vector(model, double)::text
                       OR ARRAY[assay.predict(model, double)]::text <> assay.predict_vector(model, double)::text);

-- Contributions add up to the margin, in the library's precision
SELECT library, version, name, row_no, k, sum, margin
FROM compared, LATERAL (
	SELECT (i - 1) / (features + 1) + 1 AS k, sum(c)
	FROM unnest(assay.contributions(model, double)) WITH ORDINALITY AS u (c, i) GROUP BY 1) AS s,
	LATERAL (SELECT (assay.margin_vector(model, double))[k]) AS m (margin)
WHERE explainable AND abs(margin) < 1e30
    AND (abs(sum - margin) <= CASE precision WHEN 'real' THEN 1e-5 ELSE 1e-12 END * greatest(1, abs(margin))) IS NOT TRUE;

-- Predictions are a function of the margin
SELECT library, version, name, row_no, link, margin, prediction
FROM compared, LATERAL (SELECT assay.margin(model, double), assay.predict(model, double)) AS p (margin, prediction)
WHERE outputs = 1 AND name NOT LIKE '%sigmoid%' AND abs(margin) < 50 AND (abs(prediction - CASE link
	WHEN 'identity' THEN margin WHEN 'logistic' THEN 1 / (1 + exp(-margin)) WHEN 'exp' THEN exp(margin)
	WHEN 'hinge' THEN (margin > 0)::int WHEN 'signed_square' THEN sign(margin) * margin ^ 2
	WHEN 'log1p_exp' THEN ln(1 + exp(margin)) END) <= 1e-6 * greatest(1, abs(prediction))) IS NOT TRUE;
SELECT name, row_no FROM compared
WHERE link = 'softmax' AND abs((SELECT sum(p) FROM unnest(assay.predict_vector(model, double)) AS p) - 1) > 1e-6;
SELECT link, count(DISTINCT name) FROM compared GROUP BY link ORDER BY link COLLATE "C";

-- Through text every model comes back as it was, and no two are the same
SELECT library, version, name FROM imported WHERE model::text::assay.model::text <> model::text;
SELECT count(DISTINCT assay.model_digest(model)) > 200 AS many FROM imported;
