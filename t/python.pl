# The tests of the package pg-assay (python/), notebooks of docs/ included, by
# pytest. Its packages come by pip into build/python; without them: skipped. So
# in chroots (ASSAY_PYTHON=no), into which they would have to be fetched again.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use Test::More;

my $top = $ENV{ASSAY_TOP} // '.';
my $venv = $ENV{ASSAY_PYTHON} || PostgreSQL::Test::Utils::tempdir() . '/python';

plan skip_all => 'ASSAY_PYTHON=no' if $venv eq 'no';
chomp(my $why = `'$top/tools/python' '$venv'`);
plan skip_all => "no packages: $why" if $?;

my $node = PostgreSQL::Test::Cluster->new('python');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\n");
$node->start;
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
delete $ENV{PGDATABASE};

# Python, Jupyter and matplotlib write beside the cluster, not into the tree.
$ENV{HOME} = $node->basedir;
$ENV{PYTHONDONTWRITEBYTECODE} = 1;
$ENV{PYTHONPATH} = "$top/python/src";
$ENV{OMP_NUM_THREADS} = 1;

# not from the top folder, whose pg_assay.so Python would take for the module
chdir "$top/python" or die "$top/python: $!";
my $out = `'$venv/bin/pytest' -rs 2>&1`;
is($?, 0, 'pytest') or diag($out);
my ($passed) = $out =~ /(\d+) passed/;
cmp_ok($passed // 0, '>', 25, 'it ran its tests');
note($out);

$node->stop;
done_testing();
