-- limits of a model, each at n and at n + 1
CREATE SCHEMA test_model_limits;
SET search_path = test_model_limits;
\pset format unaligned
CREATE FUNCTION try(model text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE m assay.model := model;
BEGIN
    RETURN (SELECT format('%s features, %s outputs, %s trees, depth %s', features, outputs, trees, depth) FROM assay.model_info(m));
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE FUNCTION document(start text, bias text, features text, trees text) RETURNS text LANGUAGE sql AS $$
    SELECT format('{"pg_assay_model":1,"format":"lightgbm","library":"","objective":"","link":"identity","link_parameters":[0,0],"single":false,"start":[%s],"bias":[%s],"scale":1,"divisor":1,"iterations":1,"best_iteration":-1,"features":[%s],"trees":[%s]}',
        start, bias, features, trees)
$$;
CREATE FUNCTION try2(document text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN try(document);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
-- n times a text, with commas
CREATE FUNCTION times(what text, n int) RETURNS text LANGUAGE sql AS $$SELECT rtrim(repeat(what || ',', n), ',')$$;

SELECT n, try2(document('0', '0', times('{"kind":"numeric"}', n), '{"output":0,"nodes":[[0,1,2]]}')) FROM unnest(ARRAY[65535, 65536]) n;
SELECT n, try2(document(times('0', n), times('0', n), '{"kind":"numeric"}', '{"output":0,"nodes":[[0,1,2]]}')) FROM unnest(ARRAY[4096, 4097]) n;
SELECT n, try2(document('0', '0', '{"kind":"numeric"}', times('{"output":0,"nodes":[[0,1,2]]}', n))) FROM unnest(ARRAY[100000, 100001]) n;
-- A chain of n splits
CREATE FUNCTION chain(n int, left_first boolean) RETURNS text LANGUAGE sql AS $$
    SELECT document('0', '0', '{"kind":"numeric"}', '{"output":0,"nodes":[' || CASE WHEN left_first
        THEN (SELECT string_agg(format('[%s,1,0,"<",%s,"left"]', i, -i), ',' ORDER BY i) FROM generate_series(0, n - 1) i) || ',' ||
             (SELECT string_agg(format('[%s,1,%s]', i, i), ',' ORDER BY i) FROM generate_series(n, 2 * n) i)
        ELSE (SELECT string_agg(format('[%s,1,0,"<",%s,"left"],[%s,1,%s]', 2 * i, i, 2 * i + 1, i), ',' ORDER BY i) FROM generate_series(0, n - 1) i) || format(',[%s,1,%s]', 2 * n, n) END || ']}')
$$;
SELECT n, l, try2(chain(n, l)) FROM unnest(ARRAY[512, 513]) n, unnest(ARRAY[true, false]) l;
SELECT assay.margin(chain(512, false)::assay.model, ARRAY[x]::float8[]) AS chained, assay.margin(chain(512, true)::assay.model, ARRAY[-x]::float8[]) AS left_chained
FROM unnest(ARRAY[-1, 0, 100.5, 510, 511, 512]) x;
SELECT round(c[1] + c[2]) FROM assay.contributions(chain(512, false)::assay.model, ARRAY[300.5]::float8[]) c;
-- Names of n bytes
SELECT n, length(name) FROM unnest(ARRAY[1, 1023]) n, assay.model_features(assay.model_from_linear(ARRAY[repeat('x', n)], '{1}'));
SELECT assay.model_from_linear(ARRAY[repeat('x', 1024)], '{1}');
SELECT assay.model_with_names(assay.model_from_linear('{a}', '{1}'), ARRAY[repeat('x', 1024)]);
-- Codes up to 1048575
SELECT n, try2(document('0', '0', '{"kind":"category"}', format('{"output":0,"nodes":[[0,1,0,"in",[%s],"left"],[1,1,2],[2,1,3]]}', n))) FROM unnest(ARRAY[1048575, 1048576]) n;
SELECT x, assay.margin(document('0', '0', '{"kind":"category"}', '{"output":0,"nodes":[[0,1,0,"in",[1048575],"left"],[1,1,2],[2,1,3]]}')::assay.model, ARRAY[x]::float8[])
FROM unnest(ARRAY[1048574, 1048575, 1048575.9, 1048576, 4294967296 + 1048575, 1e300, -1, -1048575, 'Infinity', '-Infinity']::float8[]) x;
-- A document of as many values as may be, which is no JSON, and one that is; marks within a string don't count
SELECT assay.model_from_xgboost(convert_to('{"learner":[' || repeat(',', 19999998), 'UTF8'));
SELECT assay.model_from_xgboost(convert_to('{"learner":[' || repeat(',', 19999999), 'UTF8'));
SELECT assay.model_from_xgboost(convert_to('{"learner":"' || repeat(',', 19999999) || '\""}', 'UTF8'));
SELECT assay.model_from_xgboost(convert_to('{"learner":[' || repeat('0,', 19999999) || '0]}', 'UTF8'));
SELECT assay.model_from_xgboost(decode('7b6907' || encode('learner', 'hex') || '5b2455236c01312d00', 'hex') || decode(repeat('00', 20000000), 'hex')); -- { i 7 "learner" [ $ U # l 20000000 0 0 …
SELECT assay.model_from_xgboost(convert_to('{"learner":' || repeat('[', n) || repeat(']', n) || '}', 'UTF8')) FROM unnest(ARRAY[63]) n;
SELECT assay.model_from_xgboost(convert_to('{"learner":' || repeat('[', n) || repeat(']', n) || '}', 'UTF8')) FROM unnest(ARRAY[64]) n;
-- Values in a model: 20 trees take 712, and their sets 19 * 2^20 + 2385 * 32 + n
CREATE FUNCTION sets(n int) RETURNS text LANGUAGE sql AS $$
    SELECT E'tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\nobjective=regression\nfeature_names=f\nfeature_infos=none\n\n' ||
        (SELECT string_agg(format(E'Tree=%s\nnum_leaves=2\nnum_cat=1\nsplit_feature=0\nthreshold=0\ndecision_type=1\nleft_child=-1\nright_child=-2\nleaf_value=1 2\nleaf_count=1 1\ninternal_count=2\ncat_boundaries=0 %s\ncat_threshold=%s\nshrinkage=1\n\n\n',
            i, CASE WHEN i < 19 THEN 32768 ELSE 2386 END, CASE WHEN i < 19 THEN repeat('4294967295 ', 32768) ELSE repeat('4294967295 ', 2385) || (1::bigint << n) - 1 END), '' ORDER BY i)
         FROM generate_series(0, 19) i) || E'end of trees\n'
$$;
SELECT nodes, assay.margin(model, '{1048575}'::real[]), assay.margin(model, ARRAY[2385 * 32 + 23]::real[]), assay.margin(model, ARRAY[2385 * 32 + 24]::real[])
FROM assay.model_from_lightgbm(sets(24)) model, assay.model_info(model);
SELECT assay.model_from_lightgbm(sets(25));

SET client_min_messages = warning;
DROP SCHEMA test_model_limits CASCADE;
