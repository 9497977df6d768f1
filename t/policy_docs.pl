# The SQL of docs/policies.md, docs/security.md and docs/dump_restore.md, and after it
# that of the pages that go on from there, runs as it is written.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @blocks = map { /^```sql\n(.*?)^```$/msg } map { slurp_file("$ENV{ASSAY_TOP}/$_") }
  ('docs/policies.md', 'docs/security.md', 'docs/dump_restore.md');
cmp_ok(scalar @blocks, '>', 5, 'there are examples');

my $node = PostgreSQL::Test::Cluster->new('docs');
$node->init;
$node->start;
my $script = $node->basedir . '/page.sql';
append_to_file($script, "CREATE EXTENSION pg_assay;\n" . join("\n", @blocks));
my $out = '';
my $err = '';
my $ok = IPC::Run::run([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $script ], '>', \$out, '2>', \$err);
ok($ok, 'no error') or diag($err);
note($out);
note($err);

# what the page shows of results is so
like($out, qr/^\s+1 \| suspicious \| 0\.818\n\s+2 \| safe       \| 0\.018$/m, 'verdicts');
like($out, qr/^\s+list \| blocked \|\s+1$/m, 'the state of a list');
like($out, qr/\|\s+money\s+\|\s+3 \|/, 'explained');
is($node->safe_psql('postgres', q{SELECT count(*) FROM assay.policies}), '2', 'the document made another policy');
is($node->safe_psql('postgres', q{SELECT count(*) FROM inbound_decision WHERE degraded}), '1', 'one decision was degraded');
is($node->safe_psql('postgres', q{SELECT messages FROM assay.compare('inbound', drafts => true) WHERE change = 'caught now'}), '1', 'compare');

# these measure the policy that policies.md made, and show some results
my $shown = 0;
$node->psql('postgres', 'CREATE ROLE analyst');
foreach my $page ('metrics', 'drift', 'review', 'calibrate', 'report_html', 'measure', 'operations')
{
	foreach my $block (slurp_file("$ENV{ASSAY_TOP}/docs/$page.md") =~ /^```sql\n(.*?)^```$/msg)
	{
		while ($block =~ /(.*?;)\n((?:--  ?[^\n]*\n)*)/gs)
		{
			my ($statement, $comment) = ($1, $2);
			my @shows = map { s/^-- *//r =~ s/ *\| */|/gr } grep { !/^--[-\s+]*$/ } split /\n/, $comment;

			(my $rc, $out, $err) = $node->psql('postgres', $statement);
			unlike($err, qr{ERROR}, "$page: runs") or diag($statement);
			next if !@shows;
			# the first line has the names of columns
			is($out, join("\n", @shows[1 .. $#shows]), "$page: shows the result");
			$shown++;
		}
	}
}
cmp_ok($shown, '>', 2, 'results are shown');
$node->stop;
done_testing();
