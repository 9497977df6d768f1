# The tutorials run as they are written, each in an empty database of its own, and give what they show: each sh and sql
# block in order; an output block below must be what came, but for times, sizes and the like. Comments in the page tell
# what a reader cannot do in a block: <!-- test: crash --> kills the server and starts it again.
use strict;
use warnings FATAL => 'all';
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = $ENV{ASSAY_TOP};
chdir $top or die "$top: $!";
my $node = PostgreSQL::Test::Cluster->new('tutorial');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nshared_preload_libraries = 'pg_assay'\n");
$node->start;
@ENV{qw(PGHOST PGPORT)} = ($node->host, $node->port);
my $work = PostgreSQL::Test::Utils::tempdir();

sub normal
{
	my ($text) = @_;
	$text =~ s/\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?(\+00)?)?/TIME/g;
	$text =~ s/^\(\d+ rows?\)\n//mg;
	# columns are as wide as their widest value, of which a time may be one
	$text =~ s/-{2,}/-/g;
	$text =~ s/ {2,}/ /g;
	$text =~ s/ +$//mg;
	$text =~ s/\n+\z/\n/;
	return $text;
}

sub run_block
{
	my ($command, $input) = @_;
	my $name = "$work/block";

	unlink $name;
	append_to_file($name, $input);
	return scalar `cd '$top' && $command <'$name' 2>&1`;
}

my %left = map { basename($_, '.md') => 1 } glob 'docs/tutorial_*.md';
foreach my $page ('tutorial_detection', 'tutorial_models', 'tutorial_operations')
{
	my $text = slurp_file("docs/$page.md");
	my ($output, $run, $shown, $last) = ('', 0, 0, '');

	delete $left{$page};
	$node->safe_psql('postgres', "CREATE DATABASE $page");
	$node->safe_psql($page, 'CREATE EXTENSION pg_assay');
	@ENV{qw(PGDATABASE work)} = ($page, $work);
	while ($text =~ /^<!-- test: (\w+) -->$|^```(\w*)\n(.*?)^```$/msg)
	{
		my ($do, $language, $block) = ($1, $2, $3);

		if (defined $do)
		{
			is($do, 'crash', "$page: $do is known");
			$node->stop('immediate');
			$node->start;
		}
		elsif ($language eq 'sh')
		{
			$run++;
			$output = run_block('bash -e', $block);
			is($?, 0, "$page: shell, block $run") or diag($block, $output);
		}
		elsif ($language eq 'sql')
		{
			$run++;
			$last = $block;
			$output = run_block('psql -X -q -P pager=off', $block);
			unlike($output, qr/ERROR|FATAL/, "$page: SQL, block $run") or diag($block, $output);
		}
		elsif ($language eq '')
		{
			$shown++;
			is(normal($output), normal($block), "$page: what block $run gives") or diag($last);
		}
	}
	cmp_ok($run, '>', 10, "$page: there are blocks");
	cmp_ok($shown, '>', 8, "$page: which show what they give");
}
is(join(' ', keys %left), '', 'these are all');
$node->stop;
done_testing();
