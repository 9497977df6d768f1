-- LightGBM's files of three releases: the library's own outputs, bit for bit
\set ECHO none
\i sql/fixtures/tables.sql
\i sql/fixtures/lightgbm-2.2.3.sql
\i sql/fixtures/lightgbm-3.3.5.sql
\i sql/fixtures/lightgbm-4.7.0.sql
\set ECHO all

CREATE TEMP TABLE imported AS
SELECT name, version, convert_from(document, 'UTF8') AS document,
       assay.model_from_lightgbm(convert_from(document, 'UTF8')) AS model
FROM fixture;
ANALYZE imported;

-- Nothing is compared with nothing. LightGBM's raw score and SHAP values of a
-- forest are sums over its trees, its prediction is made of the mean; a margin is the mean.
CREATE TEMP TABLE compared AS
SELECT g.name, g.version, g.row_no, model, g.features::float8[] AS features,
       (SELECT array_agg(v / rounds ORDER BY i) FROM unnest(g.margin::float8[]) WITH ORDINALITY AS m (v, i)) AS margin,
       g.prediction::float8[] AS prediction, g.leaf::integer[] AS leaf,
       (SELECT array_agg(v / rounds ORDER BY i) FROM unnest(g.contributions::float8[]) WITH ORDINALITY AS m (v, i))
           AS contributions
FROM golden g JOIN imported m USING (name, version),
    LATERAL (SELECT CASE WHEN g.name LIKE 'forest%' THEN (assay.model_info(model)).iterations ELSE 1 END) AS r (rounds)
WHERE g.features IS NOT NULL;
SELECT version, count(DISTINCT name) AS models, count(*) AS rows, count(contributions) AS explained
FROM compared GROUP BY version ORDER BY version COLLATE "C";

-- Rows that differ. Text of floats is the shortest exact one, so that -0 and 0 differ too.
SELECT name, version, row_no, margin, assay.margin_vector(model, features)
FROM compared WHERE assay.margin_vector(model, features)::text <> margin::text;
SELECT name, version, row_no, prediction, assay.predict_vector(model, features)
FROM compared WHERE assay.predict_vector(model, features)::text <> prediction::text;
SELECT name, version, row_no, leaf, assay.predict_leaf(model, features)
FROM compared WHERE assay.predict_leaf(model, features) <> leaf;

-- Contributions within 1e-5 of pred_contrib; linear leaves have none
SELECT name, version, row_no, i, ours, theirs
FROM compared, LATERAL unnest(assay.contributions(model, features), contributions) WITH ORDINALITY AS c (ours, theirs, i)
WHERE contributions IS NOT NULL AND (abs(ours - theirs) <= 1e-5 * greatest(1, abs(theirs))) IS NOT TRUE;
SELECT name FROM compared WHERE contributions IS NULL GROUP BY name ORDER BY name COLLATE "C";

-- A data frame's categories: by name, over jsonb; unknown ones are missing
SELECT name, row_no, record, margin, assay.margin(model, record)
FROM golden JOIN imported USING (name, version)
WHERE record IS NOT NULL AND assay.margin(model, record) <> (margin::float8[])[1];
SELECT count(*) FROM golden WHERE record IS NOT NULL;

-- Text and binary form are exact
SELECT name, version FROM imported WHERE assay.model_digest(model::text::assay.model) <> assay.model_digest(model);

-- What a file says
SELECT name, (assay.model_info(model)).* FROM imported
WHERE version = '4.7.0' AND name IN ('binary_sigmoid', 'multiclassova', 'regression_sqrt', 'forest', 'linear', 'categorical', 'custom')
ORDER BY name COLLATE "C" \gx
SELECT * FROM assay.model_features((SELECT model FROM imported WHERE name = 'text_categories'));

-- Line ends of Windows, and no line end at the end
SELECT assay.model_digest(assay.model_from_lightgbm(replace(document, E'\n', E'\r\n'))) = assay.model_digest(model) AS crlf,
       assay.model_digest(assay.model_from_lightgbm(rtrim(document, E'\n'))) = assay.model_digest(model) AS no_end
FROM imported WHERE name = 'text_categories';

-- Every way to be wrong ends in an error. $1 is edited into a document that is right.
CREATE FUNCTION pg_temp.attempt(document text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	RETURN 'imported: ' || (assay.model_info(assay.model_from_lightgbm(document))).trees || ' trees';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || SQLERRM || coalesce(' HINT: ' || nullif(hint, ''), '');
END $$;

CREATE TEMP TABLE right_one AS SELECT $model$tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=binary sigmoid:1
feature_names=size kind
feature_infos=[0:9.5] 0:1:2:40
tree_sizes=1 1

Tree=0
num_leaves=3
num_cat=1
split_feature=0 1
threshold=4.5 0
decision_type=10 1
left_child=1 -1
right_child=-2 -3
leaf_value=0.5 -0.25 0.125
leaf_count=10 20 30
internal_count=60 40
cat_boundaries=0 2
cat_threshold=5 256
is_linear=0
shrinkage=1


Tree=1
num_leaves=1
num_cat=0
leaf_value=0.25


end of trees

pandas_categorical:null
$model$ AS document;
SELECT assay.margin(m, '{1,0}'::float8[]) AS in_set, assay.margin(m, '{1,40}'::float8[]) AS in_second_word,
       assay.margin(m, '{1,1}'::float8[]) AS outside, assay.margin(m, '{5,0}'::float8[]) AS above
FROM right_one, assay.model_from_lightgbm(document) AS m;

SELECT what, pg_temp.attempt(replace(document, old, new)) AS result
FROM right_one, (VALUES
	(1, 'as it is', 'x', 'x'),
	(2, 'other first line', E'tree\n', E'bush\n'),
	(3, 'no version', E'version=v4\n', ''),
	(4, 'later version', 'v4', 'v5'),
	(5, 'unknown objective', 'binary sigmoid:1', 'binary_focal gamma:2'),
	(6, 'no sigmoid', ' sigmoid:1', ''),
	(7, 'negative sigmoid', 'sigmoid:1', 'sigmoid:-1'),
	(8, 'sigmoid that is no number', 'sigmoid:1', 'sigmoid:nan'),
	(9, 'other number of classes', 'binary sigmoid:1', 'multiclass num_class:3'),
	(10, 'no trees a round', 'num_tree_per_iteration=1', 'num_tree_per_iteration=0'),
	(11, 'incomplete round', E'num_tree_per_iteration=1\n', E'num_tree_per_iteration=3\n'),
	(12, 'too many outputs', 'num_tree_per_iteration=1', 'num_tree_per_iteration=4097'),
	(13, 'count beyond int64', 'max_feature_idx=1', 'max_feature_idx=99999999999999999999'),
	(14, 'too many features', 'max_feature_idx=1', 'max_feature_idx=65535'),
	(15, 'a name too few', 'size kind', 'size'),
	(16, 'a name too many', 'size kind', 'size kind colour'),
	(17, 'the same name twice', 'size kind', 'kind kind'),
	(18, 'no names', E'feature_names=size kind\n', ''),
	(19, 'huge number of leaves', 'num_leaves=3', 'num_leaves=2097152'),
	(20, 'more leaves than allowed', 'num_leaves=3', 'num_leaves=2097153'),
	(21, 'no leaves', 'num_leaves=3', 'num_leaves=0'),
	(22, 'leaves that are no number', 'num_leaves=3', 'num_leaves=three'),
	(23, 'a leaf too few', '0.5 -0.25 0.125', '0.5 -0.25'),
	(24, 'a leaf too many', '0.5 -0.25 0.125', '0.5 -0.25 0.125 1'),
	(25, 'a leaf that is NaN', '0.5 -0.25', 'nan -0.25'),
	(26, 'a leaf that is infinite', '0.5 -0.25', 'inf -0.25'),
	(27, 'a leaf out of range', '0.5 -0.25', '1e999 -0.25'),
	(28, 'a leaf in hexadecimal', '0.5 -0.25', '0x1p3 -0.25'),
	(29, 'a leaf of a hundred digits', '0.5 -0.25', repeat('1', 100) || ' -0.25'),
	(30, 'a threshold that is NaN', '4.5 0', 'nan 0'),
	(31, 'an infinite threshold', '4.5 0', 'inf 0'),
	(32, 'a feature that does not exist', 'split_feature=0 1', 'split_feature=0 2'),
	(33, 'a negative feature', 'split_feature=0 1', 'split_feature=0 -1'),
	(34, 'a cycle', 'left_child=1 -1', 'left_child=1 0'),
	(35, 'two parents', 'left_child=1 -1', 'left_child=1 -3'),
	(36, 'a child that does not exist', 'left_child=1 -1', 'left_child=1 -9'),
	(37, 'a leaf that nothing leads to', 'left_child=1 -1', 'left_child=-1 -1'),
	(38, 'a child out of int32', 'left_child=1 -1', 'left_child=1 -4294967297'),
	(39, 'missing type 3', 'decision_type=10 1', 'decision_type=14 1'),
	(40, 'negative decision type', 'decision_type=10 1', 'decision_type=-2 1'),
	(41, 'no decision type', E'decision_type=10 1\n', ''),
	(42, 'a set that does not exist', '4.5 0', '4.5 1'),
	(43, 'a set between two', '4.5 0', '4.5 0.5'),
	(44, 'a negative set', '4.5 0', '4.5 -1'),
	(45, 'a set used twice', 'decision_type=10 1', 'decision_type=1 1'),
	(46, 'boundaries that fall', 'cat_boundaries=0 2', 'cat_boundaries=2 0'),
	(47, 'boundaries beyond the words', 'cat_boundaries=0 2', 'cat_boundaries=0 3'),
	(48, 'a category above the limit', 'cat_boundaries=0 2', 'cat_boundaries=0 32769'),
	(49, 'a huge boundary', 'cat_boundaries=0 2', 'cat_boundaries=0 2147483647'),
	(50, 'a word of 33 bits', 'cat_threshold=5 256', 'cat_threshold=5 4294967296'),
	(51, 'an empty set', 'cat_threshold=5 256', 'cat_threshold=0 0'),
	(52, 'no sets', E'cat_boundaries=0 2\ncat_threshold=5 256\n', ''),
	(53, 'many sets', 'num_cat=1', 'num_cat=2097152'),
	(54, 'a negative count', 'leaf_count=10', 'leaf_count=-10'),
	(55, 'no counts', E'leaf_count=10 20 30\ninternal_count=60 40\n', ''),
	(56, 'linear without functions', 'is_linear=0', 'is_linear=1'),
	(57, 'a linear term on a feature that does not exist', 'is_linear=0',
		E'is_linear=1\nleaf_const=1 2 3\nnum_features=1 0 0\nleaf_features=2\nleaf_coeff=1'),
	(58, 'more linear terms than coefficients', 'is_linear=0',
		E'is_linear=1\nleaf_const=1 2 3\nnum_features=2 0 0\nleaf_features=0 1\nleaf_coeff=1'),
	(59, 'huge counts of linear terms', 'is_linear=0',
		E'is_linear=1\nleaf_const=1 2 3\nnum_features=65535 65535 65535\nleaf_features=0\nleaf_coeff=1'),
	(60, 'a linear coefficient that is infinite', 'is_linear=0',
		E'is_linear=1\nleaf_const=1 2 3\nnum_features=1 0 0\nleaf_features=0\nleaf_coeff=inf'),
	(61, 'right linear leaves', 'is_linear=0',
		E'is_linear=1\nleaf_const=1 2 3\nnum_features=1 0 0\nleaf_features=0\nleaf_coeff=2'),
	(62, 'a line without =', 'shrinkage=1', 'shrinkage'),
	(63, 'trees without a line between', E'shrinkage=1\n\n', 'shrinkage=1'),
	(64, 'something between trees', E'\n\nTree=1', E'\nhello\n\nTree=1'),
	(65, 'another number of sizes', 'tree_sizes=1 1', 'tree_sizes=1 1 1'),
	(66, 'no sizes', E'tree_sizes=1 1\n', ''),
	(67, 'no end of trees', 'end of trees', 'feature importances:'),
	(68, 'neither end nor heading', E'end of trees\n', ''),
	(69, 'pandas that is no JSON', ':null', ':[["a"'),
	(70, 'pandas that is no list', ':null', ':{"a": 1}'),
	(71, 'pandas that is no list of lists', ':null', ':["a"]'),
	(72, 'pandas for another number of columns', ':null', ':[["a"], ["b"]]'),
	(73, 'pandas with a category that is a list', ':null', ':[[["a"]' || repeat(',0', 40) || ']]'),
	(74, 'pandas with the same category twice', ':null', ':[["a"' || repeat(',"a"', 40) || ']]'),
	(75, 'pandas that is deeply nested', ':null', ':' || repeat('[', 1000)),
	(76, 'pandas with numbers and booleans', ':null', ':[[0.1, 2, true, "b"' || (SELECT string_agg(',' || 100 + i, '') FROM generate_series(1, 37) i) || ']]')
) AS v (i, what, old, new)
ORDER BY i;
-- A document cut anywhere is refused; after the end of the trees it is the whole model
SELECT count(*) FILTER (WHERE result !~ '^(22023|0A000) ' AND result <> 'imported: 2 trees') AS odd,
       max(n) FILTER (WHERE result !~ '^imported') - position('end of trees' IN document) AS last_refused,
       min(n) FILTER (WHERE result ~ '^imported') - position('end of trees' IN document) AS first_imported
FROM right_one, generate_series(0, length(document)) AS n, pg_temp.attempt(left(document, n)) AS result
GROUP BY document;

-- Limits, at n and at n + 1: depth of a tree, features, length of a name
CREATE FUNCTION pg_temp.chain(splits int) RETURNS text LANGUAGE sql AS $$
SELECT format(E'tree\nversion=v4\nnum_tree_per_iteration=1\nmax_feature_idx=0\nfeature_names=x\nfeature_infos=[0:1]\n\nTree=0\n'
	'num_leaves=%s\nnum_cat=0\nsplit_feature=%s\nthreshold=%s\ndecision_type=%s\nleft_child=%s\nright_child=%s\nleaf_value=%s\n\nend of trees\n',
	splits + 1, string_agg('0', ' '), string_agg((-i)::text, ' ' ORDER BY i), string_agg('2', ' '),
	string_agg(CASE WHEN i < splits THEN i ELSE -splits - 1 END::text, ' ' ORDER BY i), string_agg((-i)::text, ' ' ORDER BY i),
	string_agg(i::text, ' ' ORDER BY i) || ' 0')
FROM generate_series(1, splits) AS i $$;
SELECT n, pg_temp.attempt(pg_temp.chain(n)) FROM (VALUES (1), (512), (513)) AS v (n);
SELECT assay.predict_leaf(assay.model_from_lightgbm(pg_temp.chain(512)), ARRAY[x]::float8[])
FROM unnest('{1,0,-1,-2,-511.5,-512}'::float8[]) AS x;
CREATE FUNCTION pg_temp.wide(features int, name text) RETURNS text LANGUAGE sql AS $$
SELECT format(E'tree\nversion=v4\nnum_tree_per_iteration=1\nmax_feature_idx=%s\nfeature_names=%s\nfeature_infos=%s\n\nTree=0\n'
	'num_leaves=1\nnum_cat=0\nleaf_value=1\n\nend of trees\n', features - 1, string_agg(name || i, ' '), string_agg('none', ' '))
FROM generate_series(1, features) AS i $$;
SELECT n, pg_temp.attempt(pg_temp.wide(n, 'f')) FROM (VALUES (65535), (65536)) AS v (n);
SELECT n, pg_temp.attempt(pg_temp.wide(1, repeat('n', n - 1))) FROM (VALUES (1023), (1024)) AS v (n);

-- NULL in, NULL out; nothing at all
SELECT assay.model_from_lightgbm(NULL) IS NULL;
SELECT pg_temp.attempt(''), pg_temp.attempt('tree'), pg_temp.attempt('{"learner": {}}');
