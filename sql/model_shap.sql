-- Contributions: SHAP values as the libraries themselves give them, and their
-- sum. Queries return only what differs.
SET extra_float_digits = 0;
\set ECHO none
\i sql/fixtures/tables.sql
\i sql/fixtures/xgboost-1.0.2.sql
\i sql/fixtures/xgboost-1.7.6.sql
\i sql/fixtures/xgboost-2.1.4.sql
\i sql/fixtures/xgboost-3.2.0.sql
\i sql/fixtures/lightgbm-3.3.5.sql
\i sql/fixtures/lightgbm-4.7.0.sql
\i sql/fixtures/catboost-1.2.10.sql
\set ECHO all

CREATE TEMP TABLE loaded AS
SELECT f.library, f.version, f.name, f.iterations,
	   CASE f.library
	   WHEN 'xgboost' THEN assay.model_from_xgboost(f.document, f.iterations)
	   WHEN 'lightgbm' THEN assay.model_from_lightgbm(convert_from(f.document, 'UTF8'))
	   ELSE assay.model_from_catboost(convert_from(f.document, 'UTF8')) END AS model
FROM (SELECT library, version, name, document, i.iterations FROM fixture
	  JOIN (SELECT DISTINCT library, version, name, iterations FROM golden) i USING (library, version, name)
	  ORDER BY library COLLATE "C", version COLLATE "C", name COLLATE "C" OFFSET 0) f;

-- What can't be explained: linear leaves, and XGBoost 2's vector leaves
SELECT library, version, name FROM loaded
WHERE (assay.model_info(model)).explainable =
	(library = 'lightgbm' AND name LIKE 'linear%' AND name <> 'linear_single_leaf'
	 OR library = 'xgboost' AND version LIKE '2.%' AND name LIKE 'vector_leaf%');
SELECT assay.contributions(model, '{0,0,0,0,0}'::float8[]) FROM loaded
WHERE library = 'lightgbm' AND version = '4.7.0' AND name = 'linear';
SELECT assay.contributions(model, '{0,0,0,0,0}'::real[]) FROM loaded
WHERE library = 'xgboost' AND version = '2.1.4' AND name = 'vector_leaf';

-- Several outputs are rows of a matrix; "ours" is flat, as "golden" is.
CREATE TEMP TABLE explained AS
SELECT l.*, g.row_no, g.contributions::float8[] AS golden,
	   (assay.model_info(l.model)).features, (assay.model_info(l.model)).outputs,
	   CASE WHEN g.record IS NOT NULL THEN assay.margin_vector(l.model, g.record)
	   ELSE assay.margin_vector(l.model, g.features::float8[]) END AS margins,
	   ARRAY(SELECT unnest(CASE WHEN g.record IS NOT NULL THEN assay.contributions(l.model, g.record)
	   ELSE assay.contributions(l.model, g.features::float8[]) END)) AS ours
FROM loaded l JOIN golden g ON (g.library, g.version, g.name) = (l.library, l.version, l.name)
	AND g.iterations IS NOT DISTINCT FROM l.iterations
WHERE (assay.model_info(l.model)).explainable;

-- Enough is compared
SELECT library, count(DISTINCT (version, name)) > 30 AS models, count(golden) > 400 AS rows,
	   count(golden) FILTER (WHERE outputs > 1) > 40 AS vectors
FROM explained GROUP BY library ORDER BY library COLLATE "C";

-- For each output the features, then the expected margin. CatBoost itself
-- explains only the first output of RMSEWithUncertainty.
SELECT DISTINCT library, version, name FROM explained
WHERE cardinality(ours) <> outputs * (features + 1)
	OR (cardinality(golden) <> cardinality(ours) AND name <> 'rmsewithuncertainty');

-- As the library says. LightGBM's forests average their trees, its
-- contributions don't: they are that many times too big to add up.
SELECT library, version, name, row_no, place, ours, theirs
FROM (SELECT e.library, e.version, e.name, e.row_no, u.place, u.ours,
			 u.theirs / CASE WHEN e.library = 'lightgbm' AND e.name LIKE 'forest%'
			 THEN (assay.model_info(e.model)).iterations ELSE 1 END AS theirs
	  FROM explained e, unnest(e.ours, e.golden) WITH ORDINALITY u(ours, theirs, place)
	  WHERE e.golden IS NOT NULL AND u.theirs IS NOT NULL) c
WHERE ours IS DISTINCT FROM theirs
	AND NOT abs(ours - theirs) <= 1e-5 * greatest(1, abs(theirs))
ORDER BY library COLLATE "C", version COLLATE "C", name COLLATE "C", row_no, place LIMIT 20;

-- Each output's sum is its margin; of an infinite value times a weight there
-- is none
SELECT library, version, name, row_no, k AS output, sum, margins[k] AS margin
FROM explained, generate_series(1, outputs) k,
	LATERAL (SELECT sum(value) FROM unnest(ours[(k - 1) * (features + 1) + 1 : k * (features + 1)]) u(value)) s
WHERE abs(margins[k]) < 'Infinity'
	AND NOT abs(sum - margins[k]) <= 1e-5 * greatest(1, abs(margins[k]))
ORDER BY library COLLATE "C", version COLLATE "C", name COLLATE "C", row_no, k LIMIT 20;

-- The expected margin is the same for every row
SELECT library, version, name FROM explained, generate_series(1, outputs) k
GROUP BY library, version, name, iterations, k
HAVING count(DISTINCT ours[k * (features + 1)]) <> 1;
