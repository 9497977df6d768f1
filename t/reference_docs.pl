# The examples of the reference (docs/reference/examples) run and give what they show, each function, view and type
# that users see has one, functions say their errors, each error is a condition that there is, and the calls that
# should raise one do.
use strict;
use warnings;
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = $ENV{ASSAY_TOP};
chdir $top or die "$top: $!";
my $node = PostgreSQL::Test::Cluster->new('reference');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_assay');

# ---- what is written: one script with a mark before each piece

my (@pieces, %errors, %example, %condition);
my $script = "\\set VERBOSITY default\nSET client_min_messages = error;\n";

# $kind: setup, example or error; $wanted: the rows, or what may come
sub piece
{
	my ($name, $kind, $sql, $wanted) = @_;

	push @pieces, { name => $name, kind => $kind, sql => $sql, wanted => $wanted };
	$script .= sprintf "\\echo @@ %d\n", $#pieces;
	$script .= $kind eq 'error' ? "\\set VERBOSITY sqlstate\n$sql;\nRESET ROLE;\n\\set VERBOSITY default\n" : $sql;
	return;
}

sub read_examples
{
	my ($file) = @_;
	my ($entry, $condition, $sql) = ('', '', '');

	foreach my $line (split /^/, slurp_file($file))
	{
		if ($line =~ /^--= (.*)/) { ($entry, $condition) = ($1, '') }
		elsif ($entry eq '') { next }
		elsif ($line =~ /^--! none of its own$/) { $errors{$entry} = 'none' }
		elsif ($line =~ /^--! ([a-z_, ]+): \w/)
		{
			$condition = $1;
			$errors{$entry} .= $1;
			$condition{$_} = 1 foreach split /, /, $1;
		}
		elsif ($line =~ /^--\?(\w*) (.*)/) { piece($entry, 'error', ($1 ? "SET ROLE $1;\n" : '') . $2, $condition) }
		elsif ($line =~ /^--\+ (.*)/) { piece($entry, 'setup', "$1\n", undef) }
		elsif ($line =~ /^--- ./) { $example{$entry} = 1 }
		elsif ($line =~ /^--  (.*)/) { $pieces[-1]{wanted} .= "$1\n" }
		elsif ($line =~ /^--/) { fail("$file: what is this? $line") }
		else
		{
			$sql .= $line;
			next if $sql =~ /^\s*$/;
			next if $line !~ /;\s*$/ && $line !~ /^\\/;
			$example{$entry} = 1;
			piece($entry, 'example', $sql =~ s/^\n+//r, '');
			$sql = '';
		}
	}
	is($sql =~ s/\s//gr, '', "$file: ends with a whole statement");
	return;
}

my $examples = 'docs/reference/examples';
piece('fixture', 'setup', slurp_file("$examples/fixture.sql"), undef);
my @modules = qw(model text baseline policy report onboard);
read_examples("$examples/$_.sql") foreach @modules;
is(join(' ', map { basename($_, '.sql') } glob "$examples/*.sql"), join(' ', sort 'fixture', @modules), 'all files are read');

# ---- errors by the names of conditions

$node->safe_psql('postgres', q{CREATE FUNCTION public.state_of(condition text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN EXECUTE format('DO $d$ BEGIN RAISE %s; END $d$', condition);
	EXCEPTION WHEN OTHERS THEN RETURN CASE WHEN SQLERRM = condition THEN SQLSTATE ELSE '' END; END $$});
my %sqlstate = map { split /\|/, $_, 2 } split /\n/, $node->safe_psql('postgres',
	'SELECT c, public.state_of(c) FROM unnest($$' . '{' . join(',', sort keys %condition) . '}' . '$$::text[]) c');
cmp_ok(scalar keys %sqlstate, '>', 30, 'there are conditions');
is(join(' ', grep { $sqlstate{$_} eq '' } sort keys %sqlstate), '', 'and PostgreSQL knows them all');
is($node->safe_psql('postgres', q{SELECT public.state_of('no_such_condition')}), '', 'but no others');

# ---- each function that users call

my @called = split /\n/, $node->safe_psql('postgres', q{
	SELECT DISTINCT p.proname COLLATE "C" FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	WHERE p.pronamespace = 'assay'::regnamespace ORDER BY 1});
cmp_ok(scalar @called, '>', 200, 'there are functions');
is(join(' ', grep { !$errors{$_} } @called), '', 'each says its errors');
is(join(' ', grep { !$example{$_} } @called), '', 'each has an example');
my @others = split /\n/, $node->safe_psql('postgres', q{
	SELECT 'view ' || relname FROM pg_class WHERE relnamespace = 'assay'::regnamespace AND relkind = 'v'
	UNION ALL SELECT 'type ' || t.typname FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
	WHERE t.typnamespace = 'assay'::regnamespace AND t.typelem = 0 AND coalesce(c.relkind, 'c') = 'c'});
cmp_ok(scalar @others, '>', 50, 'there are views and types');
is(join(', ', grep { !$example{$_} } sort @others), '', 'each has an example');
my %there = map { $_ => 1 } @called, @others;
is(join(', ', grep { !$there{$_} } sort keys %example), '', 'and there is no other');

# ---- they run

my $file = $node->basedir . '/examples.sql';
append_to_file($file, $script);
my $out = '';
IPC::Run::run([ 'psql', '-XqAt', '-F', ' | ', '-d', $node->connstr('postgres'), '-f', $file ], '>&', \$out);
my %came = map { /^(\d+)\n(.*)/s ? ($1 => $2) : () } split /^@@ /m, $out;
my ($shown, $raised) = (0, 0);
foreach my $n (0 .. $#pieces)
{
	my $p = $pieces[$n];
	my $got = ($came{$n} // 'nothing') =~ s/^psql:\S+ (?=ERROR|FATAL)//mgr;

	if ($p->{kind} eq 'error')
	{
		my @may = map { $sqlstate{$_} } split /, /, $p->{wanted};
		ok((grep { $got eq "ERROR:  $_\n" } @may), "$p->{name}: raises $p->{wanted}") or diag("$p->{sql}\n$got");
		$raised++;
	}
	elsif ($p->{kind} eq 'setup')
	{
		unlike($got, qr/^(?:ERROR|FATAL)/m, "$p->{name}: what it needs") or diag($p->{sql});
	}
	else
	{
		# a statement without rows, or with one of void, shows nothing
		is($got =~ /^\n*\z/ ? '' : $got, $p->{wanted}, "$p->{name}: example") or diag($p->{sql});
		$shown++ if $p->{wanted} ne '';
	}
}
cmp_ok($shown, '>', 150, 'examples show what they give');
cmp_ok($raised, '>', 300, 'errors are raised');
$node->stop;
done_testing();
