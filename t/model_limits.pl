# Limits of models that take megabytes to reach, each at n and at n + 1, and
# work on such models that can be cancelled.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('limits');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\njit = off");
$node->start;
$node->safe_psql(
	'postgres', q{
CREATE EXTENSION pg_assay;

-- A file of LightGBM with n full trees of 256 leaves, which are 511 nodes, and m trees that are one leaf
CREATE FUNCTION forest(n int, m int) RETURNS text LANGUAGE sql AS $$
    WITH tree AS (
        SELECT concat_ws(E'\n', 'num_leaves=256', 'num_cat=0', 'split_feature=' || repeat('0 ', 255),
            'threshold=' || (SELECT string_agg(i::text, ' ') FROM generate_series(1, 255) i), 'decision_type=' || repeat('2 ', 255),
            'left_child=' || (SELECT string_agg((CASE WHEN i < 127 THEN 2 * i + 1 ELSE 253 - 2 * i END)::text, ' ' ORDER BY i) FROM generate_series(0, 254) i),
            'right_child=' || (SELECT string_agg((CASE WHEN i < 127 THEN 2 * i + 2 ELSE 252 - 2 * i END)::text, ' ' ORDER BY i) FROM generate_series(0, 254) i),
            'leaf_value=' || repeat('1 ', 256), 'leaf_count=' || repeat('1 ', 256), 'internal_count=' || repeat('2 ', 255), E'shrinkage=1\n\n\n') AS full_tree,
            E'num_leaves=1\nnum_cat=0\nleaf_value=1\nleaf_count=1\nshrinkage=1\n\n\n' AS leaf)
    SELECT E'tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\nobjective=regression\nfeature_names=f\nfeature_infos=none\n\n' ||
        (SELECT string_agg(format(E'Tree=%s\n%s', i, CASE WHEN i < n THEN full_tree ELSE leaf END), '' ORDER BY i) FROM generate_series(0, n + m - 1) i) ||
        E'end of trees\n'
    FROM tree
$$;

-- The text form of a model with n splits on these categories
CREATE FUNCTION sets(n int, codes text) RETURNS text LANGUAGE sql AS $$
    SELECT '{"pg_assay_model":1,"format":"lightgbm","library":"","objective":"","link":"identity","link_parameters":[0,0],"single":false,"start":[0],"bias":[0],"scale":1,"divisor":1,"iterations":1,"best_iteration":-1,"features":[{"kind":"category"}],"trees":[' ||
        rtrim(repeat(format('{"output":0,"nodes":[[0,1,0,"in",[%s],"left"],[1,1,2],[2,1,3]]},', codes), n), ',') || ']}'
$$;
});

# Runs a query; returns its result, or the SQLSTATE and message of its error
sub try
{
	my ($sql) = @_;
	my ($out, $err);

	$node->psql('postgres', "\\set VERBOSITY verbose\n$sql",
		stdout => \$out, stderr => \$err);
	return $err =~ /ERROR:  (.*)/ ? $1 : $out;
}

# Nodes, in a model that can be evaluated, explained, dumped and restored
$node->safe_psql('postgres',
	'CREATE TABLE model AS SELECT assay.model_from_lightgbm(forest(4104, 8)) AS model');
is(try('SELECT nodes, trees, assay.margin(model, ARRAY[5]::real[]) FROM model, assay.model_info(model)'),
	'2097152|4112|4112', 'nodes: 2097152');
is(try('SELECT assay.model_from_lightgbm(forest(4104, 9))'),
	'54000: model has more than 2097152 nodes', 'nodes: 2097153');
is(try('SELECT assay.model_digest(model::text::assay.model) = assay.model_digest(model) FROM model'),
	't', 'its text form reads back');

# What is prepared for explanations is given back when it is cancelled
my $explain = 'SELECT round(c[1] + c[2]) FROM model, assay.contributions(model, ARRAY[5]::real[]) c;';
my $cached = 'SELECT bytes < 2 * model_bytes, explains FROM assay.model_cache;';
$node->psql(
	'postgres', qq{
SET assay.model_cache_size = '1GB';
SELECT assay.margin(model, ARRAY[5]::real[]) FROM model;
BEGIN;
SET LOCAL statement_timeout = 1;
$explain
ROLLBACK;
$cached
$explain
SELECT explains FROM assay.model_cache;
}, on_error_stop => 0, stdout => \my $out, stderr => \my $err);
like($err, qr/canceling statement due to statement timeout/, 'an explanation is cancelled');
is($out, "4112\nt|f\n4112\nt", 'it leaves nothing, and works without a timeout');

# Bytes of a value: each split's set takes 128 kB
is(try('SELECT bytes BETWEEN 268435456 - 131400 AND 268435456 FROM assay.model_info(sets(2044, \'1048575\')::assay.model)'),
	't', 'value: almost 256 MB');
is(try('SELECT sets(2045, \'1048575\')::assay.model'),
	'54000: model exceeds the limit of 268435456 bytes', 'value: more than 256 MB');

# Bytes of a document
is(try("SELECT assay.model_from_catboost(repeat(' ', 268435454) || '{}')"),
	'22023: document is not a CatBoost model', 'document: 256 MB');
for my $call ("model_from_catboost(repeat(' ', 268435457))",
	"model_from_lightgbm(repeat(' ', 268435457))",
	"model_from_xgboost(convert_to('{' || repeat(' ', 268435456), 'UTF8'))")
{
	is(try("SELECT assay.$call"),
		'54000: model document of 268435457 bytes exceeds the limit of 268435456 bytes',
		substr($call, 0, 20) . ': a byte more');
}

$node->stop;
done_testing();
