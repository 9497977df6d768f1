-- CatBoost's JSON files: the library's own outputs
\set ECHO none
\i sql/fixtures/tables.sql
\i sql/fixtures/catboost-1.2.10.sql
\set ECHO all

CREATE TEMP TABLE imported AS
SELECT name, version, convert_from(document, 'UTF8') AS document,
       assay.model_from_catboost(convert_from(document, 'UTF8')) AS model
FROM fixture WHERE name NOT IN ('ctr', 'one_hot_nameless');
ANALYZE imported;

-- Nothing is compared with nothing
CREATE TEMP TABLE compared AS
SELECT g.name, g.row_no, model, g.features::real[] AS features, g.margin::float8[] AS margin,
       g.prediction::float8[] AS prediction, g.leaf::integer[] AS leaf, g.contributions::float8[] AS contributions
FROM golden g JOIN imported m USING (name, version)
WHERE g.features IS NOT NULL;
SELECT count(DISTINCT name) AS models, count(*) AS rows, count(contributions) AS explained FROM compared;

-- Rows that differ. Text of floats is the shortest exact one, so that -0 and 0 differ too.
SELECT name, row_no, margin, assay.margin_vector(model, features)
FROM compared WHERE assay.margin_vector(model, features)::text <> margin::text;
SELECT name, row_no, leaf, assay.predict_leaf(model, features)
FROM compared WHERE assay.predict_leaf(model, features) <> leaf;
-- Rows in float64 end in the same leaves as CatBoost's, which rounds them to float32
SELECT name, row_no, margin, assay.margin_vector(model, features::float8[])
FROM compared WHERE assay.margin_vector(model, features::float8[])::text <> margin::text;
-- A probability is exact; softmax and exp are within two units in the last
-- place, because CatBoost has an exp of its own for them.
SELECT name, row_no, i, ours, theirs
FROM compared, LATERAL unnest(assay.predict_vector(model, features), prediction) WITH ORDINALITY AS p (ours, theirs, i)
WHERE abs(ours - theirs) > CASE WHEN (assay.model_info(model)).link IN ('softmax', 'exp') THEN 5e-16 * theirs ELSE 0 END;

-- Contributions within 1e-5; CatBoost has none for a scale other than 1, and
-- only those of the first output for RMSEWithUncertainty
SELECT name, row_no, i, ours, theirs
FROM compared, LATERAL unnest(assay.contributions(model, features), contributions) WITH ORDINALITY AS c (ours, theirs, i)
WHERE contributions IS NOT NULL AND (abs(ours - theirs) <= 1e-5 * greatest(1, abs(theirs))) IS NOT TRUE
    AND NOT (name = 'rmsewithuncertainty' AND i > 6);
SELECT name FROM compared WHERE contributions IS NULL GROUP BY name ORDER BY name COLLATE "C";

-- float64 values beside a border are rounded to float32 first
SELECT x::float8, x::real <= border::real AS library_goes_left,
       (assay.predict_leaf(model, array_fill(x::float8, '{5}')))[1] = (assay.predict_leaf(model, array_fill(-1e38::float8, '{5}')))[1]
           AS we_go_left
FROM imported,
    LATERAL (SELECT (document::jsonb #>> '{oblivious_trees,0,splits,0,border}')::numeric) AS b (border),
    LATERAL (VALUES (border), (border + 1e-10), (border - 1e-10), (border + 1.4e-8), (border + 1.6e-8), (border + 1e-7)) AS v (x)
WHERE name = 'quantile' ORDER BY x;

-- One-hot features: by name, over jsonb; an unseen category is none of the known
SELECT name, row_no, record, margin, assay.margin(model, record)
FROM golden JOIN imported USING (name, version)
WHERE record IS NOT NULL AND assay.margin(model, record) <> (margin::float8[])[1];
SELECT name, row_no, leaf, assay.predict_leaf(model, record)
FROM golden JOIN imported USING (name, version)
WHERE record IS NOT NULL AND assay.predict_leaf(model, record) <> leaf::integer[];
SELECT count(*) FROM golden WHERE record IS NOT NULL;
SELECT assay.model_from_catboost(convert_from(document, 'UTF8')) FROM fixture WHERE name = 'one_hot_nameless';
-- Statistics of the target are refused, and the feature is named
SELECT assay.model_from_catboost(convert_from(document, 'UTF8')) FROM fixture WHERE name = 'ctr';

-- Text form is exact
SELECT name FROM imported WHERE assay.model_digest(model::text::assay.model) <> assay.model_digest(model);

-- What a file says
SELECT name, (assay.model_info(model)).* FROM imported
WHERE name IN ('logloss', 'multiclass', 'scale_and_bias', 'lossguide_multi', 'one_hot')
ORDER BY name COLLATE "C" \gx
SELECT * FROM assay.model_features((SELECT model FROM imported WHERE name = 'one_hot'));

-- Every way to be wrong ends in an error: one value of a right document at a time
CREATE FUNCTION pg_temp.attempt(document text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	RETURN 'imported: ' || (assay.model_info(assay.model_from_catboost(document))).trees || ' trees';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || SQLERRM || coalesce(' HINT: ' || nullif(hint, ''), '');
END $$;

CREATE TEMP TABLE right_one AS SELECT '{
	"model_info": {"catboost_version_info": "Branch: tags/v1.2.10", "params": {"loss_function": {"type": "Logloss"}}},
	"features_info": {
		"cat_features_hash": [{"hash": 7, "value": "red"}, {"hash": 4294967295, "value": "blue"}],
		"categorical_features": [{"feature_id": "colour", "feature_index": 0, "flat_feature_index": 1, "values": [7, -1]}],
		"float_features": [{"feature_id": "size", "feature_index": 0, "flat_feature_index": 0, "borders": [0.5],
		                    "nan_value_treatment": "AsTrue"}]},
	"oblivious_trees": [{"leaf_values": [1, 2, 3, 4], "leaf_weights": [10, 20, 30, 40], "splits": [
		{"border": 0.5, "float_feature_index": 0, "split_index": 0, "split_type": "FloatFeature"},
		{"cat_feature_index": 0, "split_index": 2, "split_type": "OneHotFeature", "value": -1}]}],
	"scale_and_bias": [2, [100]]}'::jsonb AS document;
SELECT assay.margin(m, '{"size": 0.5, "colour": "red"}'::jsonb) AS small_red,
       assay.margin(m, '{"size": 0.6, "colour": "red"}'::jsonb) AS big_red,
       assay.margin(m, '{"size": 0.6, "colour": "blue"}'::jsonb) AS big_blue,
       assay.margin(m, '{"size": null, "colour": "blue"}'::jsonb) AS missing_blue,
       assay.margin(m, '{"size": 0.5, "colour": null}'::jsonb) AS small_missing,
       assay.margin(m, '{"size": 0.5, "colour": "green"}'::jsonb) AS small_unseen
FROM right_one, assay.model_from_catboost(document::text) AS m;
-- 0.5 + 2^-25 is rounded to 0.5, the border; what is above it is not
SELECT x, assay.margin(m, jsonb_build_object('size', x, 'colour', 'red'))
FROM right_one, assay.model_from_catboost(document::text) AS m,
    unnest(ARRAY[0.5, 0.5 + 2 ^ -25, 0.5 + 2 ^ -25 + 2 ^ -52]::float8[]) AS x;
SELECT assay.contributions(m, '{"size": 0.6, "colour": "blue"}'::jsonb)
FROM right_one, assay.model_from_catboost(document::text) AS m;

-- (a number out of range is refused by json-c since 0.18, by us before)
SELECT what, left(pg_temp.attempt(CASE WHEN value IS NULL THEN document #- path::text[]
                                       ELSE jsonb_set(document, path::text[], value::jsonb) END::text),
                  CASE WHEN value ~ 'e' AND what ~ 'out of range' THEN 5 ELSE 1000 END) AS result
FROM right_one, (VALUES
	(1, 'as it is', '{scale_and_bias,0}', '2'),
	(2, 'unknown loss', '{model_info,params,loss_function,type}', '"PythonUserDefinedPerObject"'),
	(3, 'loss that is no text', '{model_info,params,loss_function,type}', '5'),
	(4, 'no information', '{model_info}', NULL),
	(5, 'no features', '{features_info}', NULL),
	(6, 'features that are a list', '{features_info}', '[]'),
	(7, 'no list of features', '{features_info}', '{}'),
	(8, 'two features at one place', '{features_info,float_features,0,flat_feature_index}', '1'),
	(9, 'a feature beyond the last', '{features_info,float_features,0,flat_feature_index}', '2'),
	(10, 'a negative feature', '{features_info,float_features,0,feature_index}', '-1'),
	(11, 'a feature that is no object', '{features_info,float_features,0}', '3'),
	(12, 'no name', '{features_info,float_features,0,feature_id}', NULL),
	(13, 'an empty name', '{features_info,float_features,0,feature_id}', '""'),
	(14, 'a name that is a number', '{features_info,float_features,0,feature_id}', '3'),
	(15, 'the same name twice', '{features_info,float_features,0,feature_id}', '"colour"'),
	(16, 'unknown treatment of NaN', '{features_info,float_features,0,nan_value_treatment}', '"AsZero"'),
	(17, 'a text feature', '{features_info,text_features}', '[{"feature_id": "subject"}]'),
	(18, 'an embedding feature', '{features_info,embedding_features}', '[{"feature_id": "vector"}]'),
	(19, 'a hash without a name', '{features_info,cat_features_hash,1}', NULL),
	(20, 'no names of hashes', '{features_info,cat_features_hash}', NULL),
	(21, 'a hash out of range', '{features_info,cat_features_hash,0,hash}', '4294967296'),
	(22, 'a hash that is no number', '{features_info,cat_features_hash,0,hash}', '"red"'),
	(23, 'a name of a hash that is no text', '{features_info,cat_features_hash,0,value}', '[]'),
	(24, 'two hashes of one name', '{features_info,cat_features_hash,0,value}', '"blue"'),
	(25, 'a category of no hash', '{features_info,categorical_features,0,values,0}', 'null'),
	(26, 'no trees', '{oblivious_trees}', NULL),
	(27, 'trees that are an object', '{oblivious_trees}', '{}'),
	(28, 'no tree', '{oblivious_trees}', '[]'),
	(29, 'both kinds of trees', '{trees}', '[]'),
	(30, 'a tree that is no object', '{oblivious_trees,0}', '7'),
	(31, 'a leaf too few', '{oblivious_trees,0,leaf_values,3}', NULL),
	(32, 'a leaf that is no number', '{oblivious_trees,0,leaf_values,3}', '{}'),
	(33, 'a leaf out of range', '{oblivious_trees,0,leaf_values,3}', '1e999'),
	(34, 'a weight too few', '{oblivious_trees,0,leaf_weights,3}', NULL),
	(35, 'a weight that is negative', '{oblivious_trees,0,leaf_weights,3}', '-1'),
	(36, 'no weights', '{oblivious_trees,0,leaf_weights}', NULL),
	(37, 'unknown split', '{oblivious_trees,0,splits,0,split_type}', '"Estimated"'),
	(38, 'no kind of split', '{oblivious_trees,0,splits,0,split_type}', NULL),
	(39, 'a split on a feature that does not exist', '{oblivious_trees,0,splits,0,float_feature_index}', '1'),
	(40, 'a split on half a feature', '{oblivious_trees,0,splits,0,float_feature_index}', '0.5'),
	(41, 'no border', '{oblivious_trees,0,splits,0,border}', NULL),
	(42, 'a border out of range', '{oblivious_trees,0,splits,0,border}', '1e39'),
	(43, 'a category that is not listed', '{oblivious_trees,0,splits,1,value}', '5'),
	(44, 'a category of a feature that does not exist', '{oblivious_trees,0,splits,1,cat_feature_index}', '1'),
	(45, 'a statistic that nothing defines', '{oblivious_trees,0,splits,1,split_type}', '"OnlineCtr"'),
	(46, 'a scale that is no number', '{scale_and_bias,0}', '"two"'),
	(47, 'a scale out of range', '{scale_and_bias,0}', '1e999'),
	(48, 'biases of other outputs', '{scale_and_bias,1}', '[1, 2]'),
	(49, 'a bias without a list', '{scale_and_bias,1}', '5'),
	(50, 'no biases', '{scale_and_bias,1}', '[]'),
	(51, 'no scale', '{scale_and_bias}', NULL)
) AS v (i, what, path, value)
ORDER BY i;

-- Nested trees
CREATE TEMP TABLE nested AS SELECT document - 'oblivious_trees' || '{"trees": [
	{"split": {"border": 0.5, "float_feature_index": 0, "split_type": "FloatFeature"},
	 "left": {"value": [1, 2], "weight": 3}, "right": {"value": [4, 5], "weight": 6}}], "scale_and_bias": [1, [0, 0]]}' AS document
FROM right_one;
SELECT what, pg_temp.attempt(CASE WHEN value IS NULL THEN document #- path::text[]
                                  ELSE jsonb_set(document, path::text[], value::jsonb) END::text) AS result
FROM nested, (VALUES
	(1, 'as it is', '{trees,0,left,weight}', '3'),
	(2, 'no left', '{trees,0,left}', NULL),
	(3, 'a right that is no object', '{trees,0,right}', '[]'),
	(4, 'a value too few', '{trees,0,right,value}', '[1]'),
	(5, 'a value instead of two', '{trees,0,right,value}', '1'),
	(6, 'a value that is no number', '{trees,0,right,value,1}', '"one"'),
	(7, 'no weight', '{trees,0,right,weight}', NULL),
	(8, 'a weight that is no number', '{trees,0,right,weight}', '[]'),
	(9, 'an empty split', '{trees,0,split}', '{}'),
	(10, 'one bias that is zero for two outputs', '{scale_and_bias,1}', '[0]'),
	(11, 'one bias for two outputs', '{scale_and_bias,1}', '[1]'),
	(12, 'a bias without a list for two outputs', '{scale_and_bias,1}', '1')
) AS v (i, what, path, value)
ORDER BY i;
-- As deep as a document may be, and deeper
CREATE FUNCTION pg_temp.deep(splits int) RETURNS text LANGUAGE sql AS $$
SELECT format('{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0}]}, "trees": [%s{"value": 0}%s]}',
	string_agg(format('{"split": {"split_type": "FloatFeature", "float_feature_index": 0, "border": %s}, "right": {"value": %s}, "left": ', -i, i), ''
	           ORDER BY i), repeat('}', splits))
FROM generate_series(1, splits) AS i $$;
SELECT n, pg_temp.attempt(pg_temp.deep(n)) FROM (VALUES (1), (60), (61), (62), (100000)) AS v (n) ORDER BY n;
SELECT assay.margin(assay.model_from_catboost(pg_temp.deep(60)), ARRAY[x]::real[]) FROM unnest('{0,-1,-1.5,-59.5,-60}'::real[]) AS x;

-- Oblivious trees of 16 splits and of 17
CREATE FUNCTION pg_temp.bushy(splits int) RETURNS text LANGUAGE sql AS $$
SELECT format('{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0}]}, "oblivious_trees": [{"splits": [%s], "leaf_values": [%s]}]}',
	string_agg(format('{"split_type": "FloatFeature", "float_feature_index": 0, "border": %s}', i), ',' ORDER BY i),
	(SELECT string_agg(k::text, ',' ORDER BY k) FROM generate_series(0, (1 << splits) - 1) AS k))
FROM generate_series(1, splits) AS i $$;
SELECT n, pg_temp.attempt(pg_temp.bushy(n)) FROM (VALUES (1), (16), (17)) AS v (n);
SELECT assay.margin(assay.model_from_catboost(pg_temp.bushy(16)), ARRAY[x]::real[]) FROM unnest('{0,1.5,8.5,100}'::real[]) AS x;

-- A document cut anywhere is refused
SELECT count(*) FILTER (WHERE pg_temp.attempt(left(document::text, n)) !~ '^22023 model document is not JSON') AS odd, count(*) > 500 AS tried
FROM right_one, generate_series(0, length(document::text) - 1) AS n;
SELECT pg_temp.attempt(''), pg_temp.attempt('null'), pg_temp.attempt('[]'), pg_temp.attempt('{"oblivious_trees": []}'),
       assay.model_from_catboost(NULL) IS NULL \gx
