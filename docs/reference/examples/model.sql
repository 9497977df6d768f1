-- Errors and an example of each function of the module model.
--
-- tools/reference puts them into the page, t/reference_docs.pl runs them, over fixture.sql, in the order
-- model, text, baseline, policy, report, onboard; a psql that reads them starts at the top of the clone.
--
--   --= name            what follows is of this function; --= view NAME, --= type NAME: of that, and it has no errors
--   --! condition: when an error of its own by the name of its SQLSTATE, or "none of its own"
--   --? SELECT ...      a call that raises the error above it; not on the page; --?reader SELECT ... as that role
--   --+ SELECT ...      what the example needs; not on the page
--   SELECT ...;         the example, and below it the rows that it gives
--   --  value | value
--   --- SELECT ...      an example that the test leaves out, since it takes a second server

--= model_from_linear
--+ CREATE TEMP TABLE nameless AS SELECT '{"pg_assay_model": 1, "format": "xgboost", "library": "", "objective": "", "link": "identity", "link_parameters": [0, 0], "single": true, "start": [0], "bias": [0], "scale": 1, "divisor": 1, "iterations": 1, "best_iteration": -1, "features": [{"kind": "numeric"}], "trees": [{"output": 0, "nodes": [[0, null, 0, "<", 1.5, "left"], [1, null, 1], [2, null, 2]]}]}'::assay.model AS model;
--! array_subscript_error: the features and weights are not as many, or an array has not one dimension
--? SELECT assay.model_from_linear('{a,b}', '{1}')
--! null_value_not_allowed: an array holds a NULL
--? SELECT assay.model_from_linear('{a,NULL}', '{1,2}')
--! invalid_parameter_value: the link is unknown, a name comes twice, or a number is not finite
--? SELECT assay.model_from_linear('{a}', '{1}', 0, 'softmax')
--! program_limit_exceeded: there are more features than a model may have, or a name is too long
--? SELECT assay.model_from_linear(array_agg('f' || i), array_agg(1.0::float8)) FROM generate_series(1, 200000) i
CREATE TEMP TABLE model AS
SELECT assay.model_from_linear('{urls,asks_for_money}', '{0.5,2}', -3) AS linear;
SELECT assay.margin(linear, '{2,1}'::float8[]) FROM model;
--  0

--= model_from_xgboost
--! invalid_parameter_value: the bytes are no model file of XGBoost, or iterations is negative
--? SELECT assay.model_from_xgboost('{}')
--! feature_not_supported: the model has something that cannot be evaluated exactly, such as another booster
--! program_limit_exceeded: it has more trees, nodes or bytes than a model may have
\set file `base64 -w0 sql/fixtures/xgboost-3.4.1/binary_names.json`
SELECT i.library, i.objective, i.features, i.trees
FROM assay.model_info(assay.model_from_xgboost(decode(:'file', 'base64'))) i;
--  3.4.1 | binary:logistic | 5 | 4

--= model_from_lightgbm
--! invalid_parameter_value: the text is no model file of LightGBM, or the names of columns do not fit it
--? SELECT assay.model_from_lightgbm('tree')
--! feature_not_supported: the model has something that cannot be evaluated exactly
--! program_limit_exceeded: it has more trees, nodes or bytes than a model may have
\set file `cat sql/fixtures/lightgbm-3.3.5/binary.txt`
SELECT i.format, i.objective, i.features, i.trees FROM assay.model_info(assay.model_from_lightgbm(:'file')) i;
--  lightgbm | binary sigmoid:1 | 5 | 2

--= model_from_catboost
--! invalid_parameter_value: the text is no JSON file of CatBoost
--? SELECT assay.model_from_catboost('{}')
--! feature_not_supported: the model has something that cannot be evaluated exactly, such as text features
--! program_limit_exceeded: it has more trees, nodes or bytes than a model may have
\set file `cat sql/fixtures/catboost-1.2.10/multiclass.json`
CREATE TEMP TABLE classes AS SELECT assay.model_from_catboost(:'file') AS model;
SELECT i.format, i.objective, i.link, i.outputs FROM classes, assay.model_info(model) i;
--  catboost | MultiClass | softmax | 4

--= model_with_names
--! array_subscript_error: there are not as many names as features, or the array has not one dimension
--? SELECT assay.model_with_names(assay.model_from_linear('{a,b}', '{1,2}'), '{x}')
--! null_value_not_allowed: a name is NULL
--? SELECT assay.model_with_names(assay.model_from_linear('{a}', '{1}'), '{NULL}')
--! invalid_parameter_value: a name is empty or too long, or comes twice
--? SELECT assay.model_with_names(assay.model_from_linear('{a}', '{1}'), '{""}')
--! program_limit_exceeded: the model becomes larger than a model may be
SELECT f.position, f.name FROM model, assay.model_features(assay.model_with_names(linear, '{links,money}')) f;
--  1 | links
--  2 | money

--= model_calibrated
--! numeric_value_out_of_range: slope is zero or not finite, intercept is not finite, or margins would overflow
--? SELECT assay.model_calibrated(assay.model_from_linear('{a}', '{1}'), 0, 0)
--! feature_not_supported: the model has several outputs
--? SELECT assay.model_calibrated(model, 2, 1) FROM classes
SELECT assay.margin(linear, '{2,1}'::float8[]) AS before,
       assay.margin(assay.model_calibrated(linear, 2, 1), '{2,1}'::float8[]) AS after
FROM model;
--  0 | 1

--= predict
--! array_subscript_error: the array has another number of elements than the model has features
--? SELECT assay.predict(assay.model_from_linear('{a,b}', '{1,2}'), '{1}'::float8[])
--! undefined_column: the row lacks a column that the model needs
--? SELECT assay.predict(assay.model_from_linear('{a,b}', '{1,2}'), r) FROM (SELECT 1 AS a) r
--! datatype_mismatch: a column or value cannot be that feature, as text for a number
--? SELECT assay.predict(assay.model_from_linear('{a}', '{1}'), '{"a": "much"}'::jsonb)
--! object_not_in_prerequisite_state: the model has no names to find columns or keys by
--? SELECT assay.predict(model, '{"a": 1}'::jsonb) FROM nameless
--! invalid_parameter_value: the jsonb is no object
--? SELECT assay.predict(assay.model_from_linear('{a}', '{1}'), '[1]'::jsonb)
--! wrong_object_type: the model has several outputs: see predict_vector()
--? SELECT assay.predict(model, array_fill(1.0::float8, ARRAY[(assay.model_info(model)).features])) FROM classes
SELECT round(assay.predict(linear, '{"urls": 2, "asks_for_money": 1}'::jsonb)::numeric, 3) FROM model;
--  0.500

--= margin
--! array_subscript_error, undefined_column, datatype_mismatch: the features do not fit, as of predict()
--? SELECT assay.margin(assay.model_from_linear('{a,b}', '{1,2}'), '{1}'::float8[])
--! object_not_in_prerequisite_state: the model has no names to find columns or keys by
--? SELECT assay.margin(model, '{"a": 1}'::jsonb) FROM nameless
--! invalid_parameter_value: the jsonb is no object
--? SELECT assay.margin(assay.model_from_linear('{a}', '{1}'), '[1]'::jsonb)
--! wrong_object_type: the model has several outputs: see margin_vector()
--? SELECT assay.margin(model, array_fill(1.0::float8, ARRAY[(assay.model_info(model)).features])) FROM classes
SELECT s.id, assay.margin(linear, s) FROM model, message_signals s WHERE s.id IN (4, 5) ORDER BY s.id;
--  4 | -1
--  5 | 1.5

--= predict_vector
--! array_subscript_error, undefined_column, datatype_mismatch: the features do not fit, as of predict()
--? SELECT assay.predict_vector(assay.model_from_linear('{a,b}', '{1,2}'), '{1}'::float8[])
--! object_not_in_prerequisite_state: the model has no names to find columns or keys by
--! invalid_parameter_value: the jsonb is no object
SELECT cardinality(assay.predict_vector(model, array_fill(1.0::float8, ARRAY[i.features]))) AS outputs
FROM classes, assay.model_info(model) i;
--  4

--= margin_vector
--! array_subscript_error, undefined_column, datatype_mismatch: the features do not fit, as of predict()
--? SELECT assay.margin_vector(assay.model_from_linear('{a,b}', '{1,2}'), '{1}'::float8[])
--! object_not_in_prerequisite_state: the model has no names to find columns or keys by
--! invalid_parameter_value: the jsonb is no object
SELECT assay.margin_vector(linear, '{2,1}'::float8[]) FROM model;
--  {0}

--= predict_leaf
--! array_subscript_error, undefined_column, datatype_mismatch: the features do not fit, as of predict()
--? SELECT assay.predict_leaf(assay.model_from_linear('{a,b}', '{1,2}'), '{1}'::float8[])
--! object_not_in_prerequisite_state: the model has no names to find columns or keys by
--! invalid_parameter_value: the jsonb is no object
SELECT cardinality(assay.predict_leaf(model, array_fill(1.0::float8, ARRAY[i.features]))) = i.trees AS one_a_tree
FROM classes, assay.model_info(model) i;
--  t

--= contributions
--! array_subscript_error, undefined_column, datatype_mismatch: the features do not fit, as of predict()
--? SELECT assay.contributions(assay.model_from_linear('{a,b}', '{1,2}'), '{1}'::float8[])
--! object_not_in_prerequisite_state: the model has no names to find columns or keys by
--! invalid_parameter_value: the jsonb is no object
--! feature_not_supported: predictions of this model cannot be explained, as of trees without covers
--? SELECT assay.contributions(model, '{1}'::float8[]) FROM nameless
SELECT assay.contributions(linear, '{2,1}'::float8[]) FROM model;
--  {1,2,-3}

--= explain
--! array_subscript_error, undefined_column, datatype_mismatch: the features do not fit, as of predict()
--? SELECT assay.explain(assay.model_from_linear('{a,b}', '{1,2}'), '{1}'::float8[])
--! invalid_parameter_value: top is negative, there is no such output, or the jsonb is no object
--? SELECT assay.explain(assay.model_from_linear('{a}', '{1}'), '{1}'::float8[], top => -1)
--! object_not_in_prerequisite_state: the model has no names to find columns or keys by
--! feature_not_supported: predictions of this model cannot be explained, as of trees without covers
--? SELECT assay.explain(model, '{1}'::float8[]) FROM nameless
SELECT e.feature, e.value, e.contribution FROM model, assay.explain(linear, '{2,1}'::float8[], top => 2) e;
--  asks_for_money | 1 | 2
--  urls | 2 | 1

--= model_check
--! object_not_in_prerequisite_state: the model has no names to find columns or keys by
--? SELECT assay.model_check(model, '{}'::jsonb) FROM nameless
--! invalid_parameter_value: the jsonb is no object
--? SELECT assay.model_check(assay.model_from_linear('{a}', '{1}'), '[]'::jsonb)
SELECT c.* FROM model, assay.model_check(linear, '{"urls": 2, "asks_for_mony": 1}'::jsonb) c;
--  asks_for_money | absent | 
--  asks_for_mony | unknown key | perhaps "asks_for_money" is meant

--= model_digest
--! data_corrupted: the stored value is damaged
SELECT assay.model_digest(linear) = assay.model_digest(linear::text::assay.model) AS same FROM model;
--  t

--= model_features
--! none of its own
SELECT f.position, f.name, f.kind FROM model, assay.model_features(linear) f;
--  1 | urls | numeric
--  2 | asks_for_money | numeric

--= model_info
--! none of its own
SELECT i.format, i.link, i.features, i.outputs, i.explainable FROM model, assay.model_info(linear) i;
--  linear | logistic | 2 | 1 | t

--= type model
SELECT left(linear::text, 21) AS text_form FROM model;
--  {"pg_assay_model":1,"

--= view model_cache
SELECT count(*) > 0 AS some, sum(pins) AS in_use FROM assay.model_cache;
--  t | 0
