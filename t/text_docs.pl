# The SQL of docs/{lists,phrases,facts,names,signature}.md runs as it is written
# there, and gives what a comment below a statement shows.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('docs');
$node->init;
$node->start;

foreach my $page ('lists', 'phrases', 'facts', 'names', 'signature')
{
	my @blocks = slurp_file("$ENV{ASSAY_TOP}/docs/$page.md") =~ /^```sql\n(.*?)^```$/msg;
	my $shown = 0;

	$node->safe_psql('postgres', "CREATE DATABASE $page");
	$node->safe_psql($page, 'CREATE EXTENSION pg_assay');
	foreach my $block (@blocks)
	{
		while ($block =~ /(.*?;)\n(?:--  ([^\n]*)\n)?/gs)
		{
			my ($statement, $shows) = ($1, $2);
			my ($rc, $out, $err) = $node->psql($page, $statement);

			is($err, '', "$page: runs") or diag($statement);
			next if !defined $shows;
			is($out, $shows =~ s/ \| /|/gr, "$page: shows $shows");
			$shown++;
		}
	}
	cmp_ok($shown, '>', 1, "$page: results are shown");
}
$node->stop;
done_testing();
