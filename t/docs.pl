# The pages as a whole: the reference is what the catalogue says, SQL of every page is run by some test, links
# lead to pages and headings that are there, and lines of prose are short.
use strict;
use warnings;
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = $ENV{ASSAY_TOP};
my $node = PostgreSQL::Test::Cluster->new('docs');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\n");
$node->start;
@ENV{qw(PGHOST PGPORT)} = ($node->host, $node->port);

# ---- the reference

my $made = PostgreSQL::Test::Utils::tempdir() . '/reference';
is(system("$top/tools/reference '$made'"), 0, 'tools/reference runs');
my @pages = map { basename($_) } glob "$top/docs/reference/*.md";
cmp_ok(scalar @pages, '>=', 6, 'there are pages');
foreach my $page (@pages)
{
	ok(slurp_file("$top/docs/reference/$page") eq slurp_file("$made/$page"), "docs/reference/$page is what tools/reference makes (make reference)")
	  or diag(scalar `diff '$top/docs/reference/$page' '$made/$page' | head -20`);
}
# all that users call is in it
$node->safe_psql('postgres', 'CREATE EXTENSION pg_assay');
my $all = join '', map { slurp_file("$made/$_") } @pages;
my @missing = grep { $all !~ /^### (?:Type |View |Table )?\Q$_\E$/m } split /\n/, $node->safe_psql('postgres', q{
	SELECT DISTINCT p.proname FROM pg_proc p WHERE p.pronamespace = 'assay'::regnamespace
	UNION SELECT relname FROM pg_class WHERE relnamespace = 'assay'::regnamespace AND relkind IN ('v', 'r')});
is("@missing", '', 'nothing is missing');

# ---- SQL of the pages that no other test runs, and which those are

my $run = join '', map { slurp_file($_) } glob "$top/t/*.pl";
my @lists = $run =~ /foreach my \$page \(([^)]*)\)/g;
my %own = map { $_ => 1 } qw(attribution assay_load);
foreach my $file (glob "$top/docs/*.md")
{
	my $page = basename($file, '.md');
	my @blocks = slurp_file($file) =~ /^```sql\n(.*?)^```$/msg;
	next if !@blocks;
	ok($own{$page} || $run =~ m{docs/$page\.md} || grep({ /'$page'/ } @lists), "a test runs the SQL of docs/$page.md");
	next if !$own{$page};
	IPC::Run::run([ 'assay_load', '-q', '-d', $node->connstr('postgres'), '--create-table', '/dev/null' ]) if $page eq 'assay_load';
	foreach my $block (@blocks)
	{
		my ($rc, $out, $err) = $node->psql('postgres', $block);
		is($err, '', "$page: runs");
		is($out, $1, "$page: shows the result") if $block =~ /;\n--  (.*)\n\z/;
	}
}

# ---- links

sub anchors
{
	my ($text) = @_;
	$text =~ s/^```.*?^```$//msg;
	my %anchor;
	foreach my $heading ($text =~ /^#+ (.*)$/mg)
	{
		my $a = lc $heading =~ s/\[([^\]]*)\]\([^)]*\)/$1/gr;
		$a =~ s/[^\w\- ]//g;
		$anchor{ $a =~ tr/ /-/r } = 1;
	}
	return \%anchor;
}
my $broken = '';
foreach my $file ("$top/README.md", glob("$top/docs/*.md"), glob "$top/docs/reference/*.md")
{
	my $text = slurp_file($file) =~ s/^```.*?^```$//msgr;
	foreach my $link ($text =~ /\]\(([^)\s]+)\)/g)
	{
		next if $link =~ /^[a-z]+:/;
		my ($to, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
		my $target = $to eq '' ? $file : dirname($file) . "/$to";
		if (!-e $target) { $broken .= "$file: $link\n" }
		elsif (defined $anchor && $target =~ /\.md$/ && !anchors(slurp_file($target))->{$anchor}) { $broken .= "$file: $link (no such heading)\n" }
	}
}
is($broken, '', 'links lead somewhere');

# ---- lines: prose has 120 characters at most; tables and blocks, whose lines can't be cut, may have more

my $long = '';
foreach my $file (glob "$top/*.md $top/docs/*.md $top/{contrib/*,demo,python,upgrade}/README.md")
{
	my ($block, $number) = (0, 0);
	foreach my $line (split /\n/, slurp_file($file))
	{
		$number++;
		$block = !$block if $line =~ /^```/;
		utf8::decode($line);
		$long .= "$file:$number\n" if !$block && $line !~ /^\|/ && length $line > 120;
	}
}
is($long, '', 'no line of prose is too long');
$node->stop;
done_testing();
