# Compiling expressions is bounded in time and memory, and can be cancelled.
# ASSAY_PATTERNS: how many random patterns; ASSAY_SEED: which.
use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nmax_parallel_workers_per_gather = 2\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_assay; CREATE ROLE plain LOGIN');

# The SQLSTATE of a statement, 00000 where it does not fail
sub state_of
{
	my ($settings, $sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$settings;\n$sql", on_error_stop => 0);
	return $err =~ /ERROR:\s+(\w{5})/ ? $1 : $err eq '' ? '00000' : $err;
}

sub phrases
{
	my ($pattern) = @_;
	return "SELECT assay.phrases('{r}', ARRAY[\$p\$$pattern\$p\$], 'regex') IS NULL";
}

my $slow = '((\pL|\pN){1,300}[\pP\s]){1,100}';
my $short = q(SET assay.phrase_compile_timeout = '300ms');

is(state_of($short, phrases($slow)), '54000', 'what takes longer than its limit is refused');
is(state_of(q(SET statement_timeout = '300ms'), phrases($slow)), '57014', 'and can be cancelled before');
is(state_of(q(SET assay.phrase_compile_memory = '16MB'), phrases('(\pL{1,20}\s?){1,10}')), '54000', 'memory is bounded');
my $said = '';
$node->psql('postgres', "$short;\n" . phrases($slow), on_error_stop => 0, stderr => \$said);
like($said, qr/invalid pattern of phrase "r".*compiling takes more than 300 ms/s, 'the phrase at fault is named');
is(state_of(q(SELECT assay.domain_of('a@b.c'); SET ROLE plain), q(SET assay.phrase_compile_memory = '100GB')), '42501', 'memory is not anybody\'s to give');

# a large set of literals, too
is( state_of(
		q(SET assay.phrase_compile_timeout = '50ms'),
		q(SELECT assay.phrases(array_agg('n' || i), array_agg(md5(i::text) || repeat(md5((i * 3)::text), 4))) IS NULL FROM generate_series(1, 20000) i)),
	'54000', 'many literals are bounded as well');
$node->psql('postgres', q(SET assay.phrase_compile_memory = '64MB';
	SELECT assay.phrases(array_agg('n' || i), array_agg(md5(i::text) || repeat(md5((i * 3)::text), 4))) IS NULL FROM generate_series(1, 20000) i), on_error_stop => 0, stderr => \$said);
like($said, qr/could not compile phrases\nDETAIL:  compiling takes more than 64 MB of memory/, 'also in memory');

# terminated: the backend goes at once, and leaves no child
my $output = '';
my $psql = IPC::Run::start(
	[ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', "SET application_name = 'compiles'", '-c', phrases($slow) ],
	'<', \undef, '>', \$output, '2>', \$output);
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'compiles' ");
my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'compiles'");
SKIP:
{
	skip 'no /proc', 3 unless -e "/proc/$pid/task/$pid/children";
	my $child = '';
	for (1 .. 3600)
	{
		$child = slurp_file("/proc/$pid/task/$pid/children");
		last if $child =~ /\d/;
		select(undef, undef, undef, 0.05);
	}
	like($child, qr/\d/, 'a child compiles');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 180000)");
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid"), '0', 'the backend is gone');
	my $gone = 0;
	for (1 .. 3600)
	{
		$gone = !-e '/proc/' . ($child =~ /(\d+)/)[0];
		last if $gone;
		select(undef, undef, undef, 0.05);
	}
	ok($gone, 'and its child');
}
$psql->finish;

# in a parallel worker
$node->safe_psql('postgres', q(
	CREATE TABLE pattern AS SELECT 'wire\s+transfer' || i AS p FROM generate_series(1, 8) i;
	ALTER TABLE pattern SET (parallel_workers = 2);
	SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; ));
is( $node->safe_psql('postgres', q(
	SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;
	SELECT sum(cardinality(assay.phrase_hits(assay.phrases(ARRAY[p], ARRAY[p], 'regex'), 'wire transfer3 and wire  transfer5'))) FROM pattern)),
	'2', 'parallel workers compile');

# random nasty patterns: each ends within its limit, one way or another
my $seed = $ENV{ASSAY_SEED} // int(rand(2**31));
my $count = $ENV{ASSAY_PATTERNS} // 60;
note("ASSAY_SEED=$seed");
srand($seed);

sub pick { return $_[ int(rand(@_)) ] }

sub nasty
{
	my ($depth) = @_;
	my $out = '';
	for (0 .. int(rand(3)))
	{
		my $atom = $depth > 0 && rand() < 0.5
		  ? '(' . nasty($depth - 1) . (rand() < 0.4 ? '|' . nasty($depth - 1) : '') . ')'
		  : pick('a', 'é', '\pL', '\pN', '[\pL\pN]', '\w', '.', '[^a]', '\s', '\PL', 'wire', '\b', '[а-я]', '\p{Han}');
		my $n = pick(2, 5, 20, 100, 300, 1000, 30000);
		my $m = $n + pick(0, 1, 50, 1000);
		$out .= $atom . pick('', '', '?', '*', '+', "{$n}", "{1,$n}", "{$n,$m}", "{$n,}", '{0,3}');
	}
	return $out;
}

my $settings = q(SET assay.phrase_compile_timeout = '200ms'; SET assay.phrase_compile_memory = '256MB'; SET statement_timeout = '60s');
my $sql = join("\n", map { phrases(nasty(1 + int(rand(4)))) . ';' } 1 .. $count);
my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$settings;\n$sql", on_error_stop => 0);
my %states;
$states{$_}++ for $err =~ /ERROR:\s+(\w{5})/g;
note("$_: $states{$_}") for sort keys %states;
is(join(' ', grep { !/^(54000|2201B)$/ } keys %states), '', 'random patterns are compiled or refused within the limits');
is(() = $out =~ /^f$/mg, $count - grep({ 1 } $err =~ /ERROR:/g), 'each had its answer');

$node->stop;
done_testing();
