# What the README tells to type is typed, and gives what it shows: each sh and
# sql block from the introduction to the FAQ, in order. An output block below
# must be part of what came out, but for times, rates and row counts.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use Test::More;

my $top = $ENV{ASSAY_TOP} // '.';
chdir $top or die "$top: $!";

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\n");
$node->start;
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PATH} = "$top/src/bin:$ENV{PATH}";
delete $ENV{PGDATABASE};

open my $file, '<', 'README.md' or die "README.md: $!";
my $readme = do { local $/; <$file> };
close $file;

sub normal
{
	my ($text) = @_;
	$text =~ s/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00/TIME/g;
	$text =~ s/ in [\d.]+ s \(\d+\/s\)/ in TIME/g;
	$text =~ s/^\(\d+ rows?\)\n//mg;
	# columns are as wide as their widest value, of which a time may be one
	$text =~ s/-{2,}/-/g;
	$text =~ s/ {2,}/ /g;
	$text =~ s/ +$//mg;
	return $text;
}

sub run_block
{
	my ($command, $input) = @_;
	my $name = $node->basedir . '/block';

	open my $block, '>', $name or die "$name: $!";
	print $block $input;
	close $block;
	return scalar `$command <'$name' 2>&1`;
}

$node->safe_psql('postgres', 'CREATE DATABASE introduction');
my %section = ('' => 'introduction', 'Getting Started' => 'mail', 'Tasks' => 'mail', 'FAQ and troubleshooting' => 'mail');
my ($heading, $output, $shown, $run) = ('', '', 0, 0);
while ($readme =~ /^## ([^\n]*)$|^```(\w*)\n(.*?)^```$/msg)
{
	my ($title, $language, $text) = ($1, $2, $3);

	if (defined $title)
	{
		$heading = $title;
		next;
	}
	my $database = $section{$heading} // next;
	if ($language eq 'sh')
	{
		# the cluster is ours here
		$text =~ s/^.*tools\/cluster.*\n//mg;
		$output = run_block('bash -e', $text);
		is($?, 0, "$heading: shell, block " . ++$run) or diag($text, $output);
	}
	elsif ($language eq 'sql')
	{
		$output = run_block("psql -X -q -P pager=off $database", $text);
		$run++;
		# an error must be one that is shown
		my $rest = substr $readme, pos $readme;
		ok($output !~ /^ERROR/m || $rest =~ /\A\s*```\nERROR/, "$heading: SQL, block $run") or diag($text, $output);
	}
	else
	{
		$shown++;
		ok(index(normal($output), normal($text)) >= 0, "$heading: output of block $run") or diag("shown:\n$text", "came:\n$output");
	}
}
cmp_ok($run, '>', 20, 'the README has commands');
cmp_ok($shown, '>', 10, 'and shows what they give');

# The reference names functions that there are, and each setting with its default
my ($reference) = $readme =~ /^### Functions\n(.*?)^### /ms;
my %named = map { $_ => 1 } map { /`(\w+)`/g } grep { /^\|/ } split /\n/, $reference;
my %there = map { $_ => 1 } split /\n/, $node->safe_psql('mail', q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'assay'::regnamespace});
cmp_ok(scalar keys %named, '>', 110, 'the reference names functions');
is(join(' ', grep { !$there{$_} } sort keys %named), '', 'that are there');
my %shown = $readme =~ /^\| `(assay\.\w+)` \| (-?\w+) \|/mg;
my %default = map { split /\|/ } split /\n/, $node->safe_psql('mail', q{LOAD 'pg_assay'; SELECT name, replace(current_setting(name), '1min', '60s') FROM pg_settings WHERE name LIKE 'assay.%'});
$default{'assay.stat_max'} //= 5000;    # where the library is preloaded only
is_deeply(\%shown, \%default, 'each setting, and its default');

$node->stop;
done_testing();
