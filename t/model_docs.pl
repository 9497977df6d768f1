# The SQL of docs/models.md runs as it is written there.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $page = slurp_file("$ENV{ASSAY_TOP}/docs/models.md");
my @blocks = $page =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @blocks, '>=', 2, 'the examples are there');

my $node = PostgreSQL::Test::Cluster->new('model_docs');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id bigint PRIMARY KEY);
	INSERT INTO message VALUES (4711), (4712);
	CREATE VIEW message_signals AS
	SELECT id, 30.5 AS age, 1 AS amount, NULL::real AS ratio, 2 AS kind, id % 10 AS noise FROM message;
});

# The page's path is that of a fixture
my $path = "$ENV{ASSAY_TOP}/sql/fixtures/xgboost-3.4.1/binary_names.json";
my $here = PostgreSQL::Test::Utils::tempdir() . '/gbdt.json';
append_to_file($here, slurp_file($path));
chmod 0644, $here;
my ($out, $err);
for my $block (@blocks)
{
	$block =~ s{/srv/models/gbdt\.json}{$here};
	is($node->psql('postgres', $block, stdout => \$out, stderr => \$err, on_error_stop => 1), 0, 'block runs') || diag("$block\n$err");
	is($err, '', 'without a notice');
	cmp_ok(length $out, '>', 0, 'and has results');
}
like($out, qr/^links\|absent\|$/m, 'what is misspelt is told');
like($out, qr/^linsk\|unknown key\|perhaps "links" is meant$/m, 'and what is meant');

done_testing();
