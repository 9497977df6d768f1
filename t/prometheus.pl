# The queries of contrib/prometheus run, as a role that may read the policies,
# and give the columns that are named there, and rows.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('prometheus');
$node->init;
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_assay;
CREATE ROLE exporter LOGIN;
CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sender text, x int, at timestamptz NOT NULL DEFAULT now());
CREATE VIEW signals AS SELECT * FROM message;
SELECT assay.create_policy('inbound', 'signals', '{id}');
SELECT assay.create_detector('inbound', 'spam', 'x > 3', weight => 8, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound');
INSERT INTO message (sender, x) SELECT 's' || i % 3, i FROM generate_series(1, 10) i;
SELECT assay.create_baseline('by_sender', 'message', '{sender}', 'at');
SELECT assay.refresh_rollup('inbound');
SELECT assay.grant_access('inbound', 'exporter', 'reader');
SQL
$node->safe_psql('postgres', 'CALL assay.maintain()');

# A query of double-quoted YAML, with the columns that go with it
sub check_query
{
	my ($what, $query, $role, @columns) = @_;

	$query =~ s/\\"/"/g;
	my ($rc, $out, $err) = $node->psql('postgres', "SET ROLE $role; SELECT count(*) FROM ($query) q; SELECT count(" . join('), count(', map { "q.\"$_\"" } @columns) . ") FROM ($query) q");
	is($rc, 0, "$what runs as $role") or diag($err);
	return $out;
}

my $queries = 0;
my $file = slurp_file("$ENV{ASSAY_TOP}/contrib/prometheus/postgres_exporter.yaml");
while ($file =~ /^(\w+):\n  query: "((?:[^"\\]|\\.)*)"\n  metrics:\n((?:    - .*\n)+)/mg)
{
	my ($name, $query, $metrics) = ($1, $2, $3);
	my @columns = $metrics =~ /^    - (\w+): \{usage: (?:LABEL|GAUGE), description: "[^"]+"\}$/mg;

	is(scalar @columns, scalar(my @lines = split /\n/, $metrics), "$name: columns are read");
	check_query("$name", $query, 'exporter', @columns);
	unlike(check_query("$name", $query, 'postgres', @columns), qr/^0\b/, "$name has rows");
	$queries++;
}
is($queries, scalar(my @all = $file =~ /query: /g), 'all queries of postgres_exporter were tried');
$file = slurp_file("$ENV{ASSAY_TOP}/contrib/prometheus/sql_exporter.collector.yaml");
my $collected = 0;
while ($file =~ /metric_name: (\w+)\n    type: gauge\n    help: "[^"]+"\n    key_labels: \[([^\]]+)\]\n    values: \[(\w+)\]\n    query: "((?:[^"\\]|\\.)*)"$/mg)
{
	check_query($1, $4, 'exporter', split(/, /, $2), $3);
	$collected++;
}
is($collected, scalar(@all = $file =~ /query: /g), 'all queries of sql_exporter were tried');
cmp_ok($queries + $collected, '>', 10, 'there are queries');
$node->stop;
done_testing();
