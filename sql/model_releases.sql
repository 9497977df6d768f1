-- XGBoost's files of releases that write something in another way, as predict takes them by default
\set ECHO none
\i sql/fixtures/tables.sql
\i sql/fixtures/xgboost-1.5.2.sql
\i sql/fixtures/xgboost-3.3.0.sql
\i sql/fixtures/xgboost-3.4.1.sql
\set ECHO all

CREATE TEMP TABLE imported AS
SELECT name, version, format, document, assay.model_from_xgboost(document) AS model FROM fixture;
ANALYZE imported;
SELECT version, count(*) FILTER (WHERE format = 'json') AS json, count(*) FILTER (WHERE format = 'ubj') AS ubj
FROM imported GROUP BY version ORDER BY version COLLATE "C";

CREATE TEMP TABLE compared AS
SELECT g.name, g.version, m.format, g.row_no, model, g.features::real[] AS features, g.record,
       g.margin::real[] AS margin, g.prediction::real[] AS prediction, g.leaf::integer[] AS leaf, g.contributions::real[]
FROM golden g JOIN imported m ON m.version = g.version AND regexp_replace(m.name, '_ubj$', '') = g.name;
SELECT count(*) > 600 AS enough, count(*) FILTER (WHERE record IS NOT NULL) AS records, count(*) FILTER (WHERE record IS NULL AND leaf IS NOT NULL) > 300 AS leaves,
       count(*) FILTER (WHERE record IS NULL AND contributions IS NOT NULL AND (assay.model_info(model)).explainable) > 300 AS explained FROM compared;

-- Rows that differ. DART's weights, several expectiles and quantiles that cross; forests of the scikit-learn interface.
SELECT name, version, format, row_no, margin, got FROM compared,
    LATERAL (SELECT CASE WHEN record IS NULL THEN assay.margin_vector(model, features) ELSE assay.margin_vector(model, record) END::real[]) AS v (got)
WHERE got::text IS DISTINCT FROM margin::text;
SELECT name, version, format, row_no, prediction, got FROM compared,
    LATERAL (SELECT CASE WHEN record IS NULL THEN assay.predict_vector(model, features) ELSE assay.predict_vector(model, record) END::real[]) AS v (got)
WHERE got::text IS DISTINCT FROM prediction::text;
SELECT name, version, format, row_no FROM compared
WHERE record IS NULL AND leaf IS NOT NULL AND assay.predict_leaf(model, features) IS DISTINCT FROM leaf;
SELECT name, version, format, row_no, i, ours, theirs
FROM compared, LATERAL unnest(assay.contributions(model, features), contributions) WITH ORDINALITY AS c (ours, theirs, i)
WHERE record IS NULL AND contributions IS NOT NULL AND (assay.model_info(model)).explainable
    AND (abs(ours - theirs) <= 1e-5 * greatest(1, abs(theirs))) IS NOT TRUE;

-- Nothing is compared that would be alike without: weights that are not 1, outputs that would cross
SELECT version, format, (assay.model_info(model)).link,
       count(*) FILTER (WHERE margin::text <> prediction::text) > 0 AS transformed,
       count(*) FILTER (WHERE margin[1] > margin[2] OR margin[2] > margin[3]) > 0 AS margins_cross,
       count(*) FILTER (WHERE prediction[1] > prediction[2] OR prediction[2] > prediction[3]) > 0 AS predictions_cross
FROM compared WHERE name IN ('expectiles', 'quantiles_crossing') GROUP BY 1, 2, 3 ORDER BY version COLLATE "C", 2, 3;
SELECT version, count(*) FROM imported,
    LATERAL jsonb_array_elements_text(coalesce(convert_from(document, 'UTF8')::jsonb #> '{learner,gradient_booster,weight_drop}',
                                               convert_from(document, 'UTF8')::jsonb #> '{learner,gradient_booster,model,weight_drop}')) AS w
WHERE name = 'dart' AND w::real < 1 GROUP BY 1 ORDER BY version COLLATE "C";
SELECT name, (assay.model_info(model)).trees, (assay.model_info(model)).iterations, (assay.model_info(model)).best_iteration
FROM imported WHERE version = '1.5.2' ORDER BY name COLLATE "C";
SELECT * FROM assay.model_features((SELECT model FROM imported WHERE name = 'words' AND version = '3.4.1'));
-- The new links have a text form as well
SELECT name, version FROM imported WHERE assay.model_digest(model::text::assay.model) <> assay.model_digest(model);

-- Weights are refused when there are more than trees, or they are no numbers; trees without one count whole
CREATE FUNCTION pg_temp.edited(file text, path text[], value jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	document jsonb := (SELECT convert_from(f.document, 'UTF8')::jsonb FROM fixture f WHERE f.name = file AND f.version = '3.4.1');
	hint text;
	margin float8[];
BEGIN
	margin := assay.margin_vector(assay.model_from_xgboost(convert_to(jsonb_set(document, path, value)::text, 'UTF8')), '{0.5,0,0,0,0}'::real[]);
	RETURN CASE WHEN margin = assay.margin_vector(assay.model_from_xgboost(convert_to(document::text, 'UTF8')), '{0.5,0,0,0,0}'::real[])
		THEN 'the same' ELSE 'another margin' END;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || SQLERRM || coalesce(' HINT: ' || nullif(hint, ''), '');
END $$;
\pset format unaligned
SELECT value, pg_temp.edited('dart', '{learner,gradient_booster,model,weight_drop}', value)
FROM unnest('{"[]", "[0.5]", "[1,1,1,1,1]", "[1,1,1,1,1,1]", "[\"x\"]", "{}", "7"}'::jsonb[]) AS value;

-- What is not known may mean anything: each object that is read says so
SELECT path, pg_temp.edited('dart', path, '1')
FROM (VALUES ('{new}'::text[]), ('{learner,new}'), ('{learner,objective,new}'), ('{learner,objective,reg_loss_param,new}'),
    ('{learner,learner_model_param,new}'), ('{learner,gradient_booster,new}'), ('{learner,gradient_booster,model,new}'),
    ('{learner,gradient_booster,model,gbtree_model_param,new}'), ('{learner,gradient_booster,model,cats,new}'),
    ('{learner,gradient_booster,model,trees,0,new}'), ('{learner,gradient_booster,model,trees,0,tree_param,new}'),
    ('{learner,attributes,new}')) AS v (path);
SELECT pg_temp.edited('words', '{learner,gradient_booster,model,cats,enc,2,new}', '1');
-- Misspelt, but known: by 1.6
SELECT pg_temp.edited('dart', '{learner,objective}', '{"name": "reg:pseudohubererror", "pseduo_huber_param": {"huber_slope": "1"}}');
-- As many outputs as quantiles
SELECT pg_temp.edited('expectiles', '{learner,objective,expectile_loss_param,expectile_alpha}', '[0.1, 0.9]');
SELECT pg_temp.edited('quantiles_crossing', '{learner,objective,quantile_loss_param,quantile_alpha}', '"[0.1, 0.2, 0.3]"');
SELECT pg_temp.edited('expectiles', '{learner,objective,expectile_loss_param}', '7');
-- A release that was not tested is read with a NOTICE
SELECT pg_temp.edited('dart', '{version}', '[3, 4, 9]');
SELECT pg_temp.edited('dart', '{version}', '[3, 5, 0]');
SELECT pg_temp.edited('dart', '{version}', '[4, 0, 0]');
-- Quantiles of a file by an earlier release are not sorted
SELECT (assay.model_info(assay.model_from_xgboost(convert_to(jsonb_set(convert_from(document, 'UTF8')::jsonb, '{version}', '[3, 3, 0]')::text, 'UTF8')))).link
FROM fixture WHERE name = 'quantiles_crossing' AND version = '3.4.1';
-- Nor are its names right when they are not ASCII, be they as long as it says
SELECT assay.model_from_xgboost(convert_to(jsonb_set(convert_from(document, 'UTF8')::jsonb, '{version}', '[3, 3, 0]')::text, 'UTF8')) IS NULL
FROM fixture WHERE name = 'words' AND version = '3.4.1';

-- A Booster's file with a best iteration: all are used, and it is said
SELECT assay.model_from_xgboost(convert_to(jsonb_set(convert_from(document, 'UTF8')::jsonb, '{learner,attributes}', '{"best_iteration": "1"}')::text, 'UTF8')) IS NULL
FROM fixture WHERE name = 'dart' AND version = '3.4.1';
SELECT assay.model_from_xgboost(convert_to(jsonb_set(convert_from(document, 'UTF8')::jsonb, '{learner,attributes}', '{"best_iteration": "1"}')::text, 'UTF8'), 0) IS NULL
FROM fixture WHERE name = 'dart' AND version = '3.4.1';
-- The size of a forest is not known: one tree an iteration, which is said where it matters
SELECT (assay.model_info(assay.model_from_xgboost(convert_to(jsonb_set(convert_from(document, 'UTF8')::jsonb, '{learner,attributes}', '{}')::text, 'UTF8'), n))).trees
FROM fixture, (VALUES (NULL), (2)) AS v (n) WHERE name = 'sklearn_forest' AND version = '1.5.2';
