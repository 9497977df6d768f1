-- XGBoost files that are none: each of these changes one thing of a right one
CREATE SCHEMA test_model_xgboost_errors;
SET search_path = test_model_xgboost_errors;
\pset format unaligned
CREATE FUNCTION try(document bytea, iterations int DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
    RETURN 'margin ' || assay.margin(assay.model_from_xgboost(document, iterations), '{1}'::real[]);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || coalesce(' HINT ' || nullif(hint, ''), '');
END $$;
CREATE FUNCTION template() RETURNS text LANGUAGE sql AS $$SELECT '{"learner":{"attributes":{},"feature_names":["f"],"feature_types":["float"],"gradient_booster":{"model":{"gbtree_model_param":{"num_parallel_tree":"1","num_trees":"1"},"tree_info":[0],"trees":[{"base_weights":[0,0,0],"categories":[],"categories_nodes":[],"categories_segments":[],"categories_sizes":[],"default_left":[0,0,0],"id":0,"left_children":[1,-1,-1],"parents":[2147483647,0,0],"right_children":[2,-1,-1],"split_conditions":[5E-1,-1E0,2E0],"split_indices":[0,0,0],"split_type":[0,0,0],"sum_hessian":[4E0,3E0,1E0],"tree_param":{"num_feature":"1","num_nodes":"3","size_leaf_vector":"1"}}]},"name":"gbtree"},"learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"1","num_target":"1"},"objective":{"name":"reg:squarederror"}},"version":[2,1,0]}'$$;
CREATE FUNCTION spoil(what text, by text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF what <> '' AND strpos(template(), what) = 0 THEN RETURN 'the template has no such part'; END IF;
    RETURN try(convert_to(replace(template(), what, by), 'UTF8'));
END $$;
SELECT spoil('', '');
SELECT what, by, spoil(what, by) FROM (VALUES
    -- no such document
    ('{"learner"', '{"other"'), ('{"learner":', '{"learner":[1],"x":'), ('"version":[2,1,0]', '"version":"2.1.0"'), ('"version":[2,1,0]', '"version":[2,1]'),
    ('"version":[2,1,0]', '"version":[2,1,1e99]'), ('[2,1,0]}', '[2,1,0]}}'), ('[2,1,0]}', '[2,1,0]'), ('"reg:squarederror"', '"reg:cubic"'),
    ('"reg:squarederror"', '7'), ('"name":"gbtree"', '"name":"gbforest"'), ('"name":"gbtree"', '"name":null'), ('"name":"gbtree"', '"name":"dart"'), ('"name":"gbtree"', '"name":"gblinear"'),
    -- header
    ('"num_feature":"1","num_t', '"num_feature":"0","num_t'), ('"num_feature":"1","num_t', '"num_feature":"-1","num_t'), ('"num_feature":"1","num_t', '"num_feature":"99999999999","num_t'),
    ('"num_feature":"1","num_t', '"num_feature":"2","num_t'), ('"num_feature":"1","num_t', '"num_feature":"1x","num_t'), ('"num_class":"0"', '"num_class":"1.5"'),
    ('"num_class":"0"', '"num_class":"4097"'), ('"num_class":"0"', '"num_class":"2147483647"'), ('"num_target":"1"', '"num_target":[1]'),
    -- base_score in all its forms
    ('"5E-1"', '5E-1'), ('"5E-1"', '"0.500000"'), ('"5E-1"', '"[5E-1]"'), ('"5E-1"', '[0.5]'), ('"5E-1"', '"[5E-1,5E-1]"'), ('"5E-1"', '"[]"'), ('"5E-1"', '"[5E-1"'),
    ('"5E-1"', '"[5E-1,]"'), ('"5E-1"', '"half"'), ('"5E-1"', '"nan"'), ('"5E-1"', '"NaN"'), ('"5E-1"', '1e39'), ('"5E-1"', '" 0x1p-1"'), ('"base_score":"5E-1",', ''),
    -- features
    ('["f"]', '["f","g"]'), ('["f"]', '[""]'), ('["f"]', '[7]'), ('["f"]', '["\u0000"]'), ('["f"]', '["a\u0000b"]'), ('["float"]', '["float","int"]'), ('["float"]', '[{}]'),
    -- trees
    ('"trees":[', '"trees":7,"x":['), ('"trees":[', '"trees":[null,'), ('"trees":[', '"trees":[{},'), ('"tree_info":[0]', '"tree_info":[1]'), ('"tree_info":[0]', '"tree_info":[0,0]'),
    ('"tree_info":[0]', '"tree_info":[-1]'), ('"left_children":[1,-1,-1]', '"left_children":[]'), ('"left_children":[1,-1,-1]', '"left_children":[1,-1]'),
    ('"right_children":[2,-1,-1]', '"right_children":[2]'), ('"split_indices":[0,0,0]', '"split_indices":{"0":0}'), ('"split_conditions":[5E-1,-1E0,2E0]', '"split_conditions":[5E-1]'),
    ('"default_left":[0,0,0]', '"default_left":[0,0]'), ('"sum_hessian":[4E0,3E0,1E0]', '"sum_hessian":[4E0]'), ('"split_type":[0,0,0]', '"split_type":[0]'),
    -- no tree
    ('[1,-1,-1]', '[0,-1,-1]'), ('[1,-1,-1]', '[2,-1,-1]'), ('[1,-1,-1]', '[3,-1,-1]'), ('[1,-1,-1]', '[-2,-1,-1]'), ('[1,-1,-1]', '[1,0,-1]'), ('[1,-1,-1]', '[-1,-1,-1]'),
    ('[1,-1,-1]', '[1.5,-1,-1]'), ('[1,-1,-1]', '[1,-1,2147483648]'), ('[1,-1,-1]', '[1,-1,9223372036854775807]'), ('[2,-1,-1]', '[2147483647,-1,-1]'), ('[2,-1,-1]', '[-1,-1,-1]'),
    ('"split_indices":[0,0,0]', '"split_indices":[1,0,0]'), ('"split_indices":[0,0,0]', '"split_indices":[2147483647,0,0]'), ('"split_indices":[0,0,0]', '"split_indices":[-1,0,0]'),
    ('"split_conditions":[5E-1', '"split_conditions":["NaN"'), ('"split_conditions":[5E-1', '"split_conditions":[null'), ('-1E0', '1e39'), ('2E0]', '"Infinity"]'), ('"default_left":[0', '"default_left":[2'),
    ('"sum_hessian":[4E0', '"sum_hessian":[-4'), ('"sum_hessian":[4E0', '"sum_hessian":[{}'), ('"sum_hessian":[4E0,3E0,1E0]', '"sum_hessian":[]'),
    -- sets
    ('"split_type":[0', '"split_type":[2'), ('"split_type":[0', '"split_type":[1'), ('"categories_nodes":[]', '"categories_nodes":[0]'), ('"categories_nodes":[],"categories_segments":[],"categories_sizes":[]', '"categories_nodes":[0],"categories_segments":[0],"categories_sizes":[1]'),
    ('"categories":[],"categories_nodes":[],"categories_segments":[],"categories_sizes":[]', '"categories":[1],"categories_nodes":[3],"categories_segments":[0],"categories_sizes":[1]'),
    ('"categories":[],"categories_nodes":[],"categories_segments":[],"categories_sizes":[]', '"categories":[1],"categories_nodes":[0,1],"categories_segments":[0,0],"categories_sizes":[1,1]'),
    ('"categories":[],"categories_nodes":[],"categories_segments":[],"categories_sizes":[],"default_left":[0,0,0],"id":0,"left_children":[1,-1,-1],"parents":[2147483647,0,0],"right_children":[2,-1,-1],"split_conditions":[5E-1,-1E0,2E0],"split_indices":[0,0,0],"split_type":[0,0,0]', '"categories":[1048576],"categories_nodes":[0],"categories_segments":[0],"categories_sizes":[1],"default_left":[0,0,0],"id":0,"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_conditions":[5E-1,-1E0,2E0],"split_indices":[0,0,0],"split_type":[1,0,0]'),
    -- leaves with vectors
    ('"size_leaf_vector":"1"', '"size_leaf_vector":"2"'), ('"size_leaf_vector":"1"', '"size_leaf_vector":"5000"'), ('"size_leaf_vector":"1"', '"size_leaf_vector":"-1"')
) AS v (what, by);

-- A probability near 0 or 1, as each release takes it: from 3.2 on it is held off by 1e-6
SELECT base, release, try(convert_to(replace(replace(replace(template(), '"5E-1","num', format('"[%s]","num', base)), 'reg:squarederror', 'binary:logistic'),
    '[2,1,0]}', release || '}'), 'UTF8')) AS "2 more than the margin of the base score"
FROM (VALUES ('1E-7'), ('9.999999E-1'), ('1E-40'), ('0E0'), ('1E0'), ('1.1E-6'), ('-1E-9'), ('1.0000001E0'), ('nan')) AS b (base), (VALUES ('[3,1,3]'), ('[3,2,0]')) AS r (release);

-- Cut at every byte: never a model, never worse
SELECT count(*), count(*) FILTER (WHERE said LIKE 'margin%' OR said NOT LIKE '22023%') AS other
FROM (SELECT try(substr(convert_to(template(), 'UTF8'), 1, n)) AS said FROM generate_series(0, length(template()) - 1) n) s;

-- Other bytes
SELECT try(''), try('7'), try('{'), try('{}'), try(' {"learner": {}}'), try('binf'), try('\x0000'), try('\x7b2261223a22ff227d');	-- {"a":"\xff"}
SELECT try(convert_to(repeat('{"learner":', 100), 'UTF8')), try(convert_to('{"learner":' || repeat('[', 100), 'UTF8'));
SELECT try(NULL) IS NULL, assay.model_from_xgboost(NULL) IS NULL;
SELECT try(convert_to(template(), 'UTF8'), 1), try(convert_to(template(), 'UTF8'), 2), try(convert_to(template(), 'UTF8'), -1);

-- UBJSON. Each is right up to one thing.
SELECT what, try(bytes) FROM (VALUES
    ('a key and nothing', decode('7b4c0000000000000001 61', 'hex')),                            -- { L 1 'a'
    ('a key longer than the document', decode('7b4cffffffffffffff7f 61', 'hex')),                      -- { L 2^63 - 129 'a'
    ('a negative length', decode('7b4cffffffffffffffff 61', 'hex')),                                   -- { L -1 'a'
    ('a length that is no integer', decode('7b5300', 'hex')),                                            -- { S
    ('an unknown type', decode('7b6901 61 3f', 'hex')),                                              -- { i 1 'a' ?
    ('an array of more elements than bytes', decode('7b6901 61 5b23 6c7fffffff', 'hex')),          -- { i 1 'a' [ # l 2^31 - 1
    ('a typed array of more elements than bytes', decode('7b6901 61 5b2464 23 6c7fffffff', 'hex')),  -- { i 1 'a' [ $ d # l 2^31 - 1
    ('a typed array without a count', decode('7b6901 61 5b2464 00', 'hex')),                       -- { i 1 'a' [ $ d 0
    ('an array of elements without bytes', decode('7b6901 61 5b245a 23 6901', 'hex')),           -- { i 1 'a' [ $ Z # i 1
    ('a float cut short', decode('7b6901 61 640000', 'hex')),                                        -- { i 1 'a' d 0 0
    ('more after its end', decode('7b6901 61 5a7d 00', 'hex')),                                    -- { i 1 'a' Z } 0
    ('no learner', decode('7b6901 61 5a7d', 'hex')),                                                 -- { i 1 'a' Z }
    ('nested', decode('7b6901 61', 'hex') || decode(repeat('5b', 100), 'hex')),                 -- { i 1 'a' [[[[…
    ('no-ops for ever', decode('7b6901 61', 'hex') || decode(repeat('4e', 100), 'hex'))         -- { i 1 'a' NNNN…
) AS v (what, bytes);

SET client_min_messages = warning;
DROP SCHEMA test_model_xgboost_errors CASCADE;
