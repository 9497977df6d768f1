# assay_stream from topics of Kafka, which librdkafka's own mock cluster stands for: each message once.
use strict;
use warnings;
use AssayLoad;
use IPC::Run;
use List::Util qw(min);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $version = `assay_stream --version`;
plan skip_all => 'assay_stream is built without librdkafka' if $version !~ /\+kafka/;

my $broker = PostgreSQL::Test::Utils::tempdir() . '/broker';
my $top = $ENV{ASSAY_TOP} // '.';
chomp(my $flags = `pkg-config --cflags --libs rdkafka`);
is(`cc -g -O1 -Wall -Wextra -o $broker $top/t/stream_kafka.c $flags 2>&1`, '', 'the cluster compiles');

AssayLoad::start();
sub value { return $node->safe_psql('postgres', shift) }
my $dir = fresh_folder();
my ($in, $out, $err) = ('', '', '');
my $cluster = IPC::Run::start([$broker], \$in, \$out, \$err, IPC::Run::timeout(1800));
$cluster->pump until $out =~ /^(\S+)\n/;
$out =~ /^(\S+)\n/;
my @args = ('--topic=mail', '-X', "bootstrap.servers=$1", '-X', 'session.timeout.ms=6000', '-X', 'heartbeat.interval.ms=500',
	'--column=tenant_id', '--batch-size=50', '--no-progress');

my $expected = 0;
sub produce
{
	my ($count, $partition) = @_;
	$out = '';
	$in .= "$count $partition\n";
	$cluster->pump until $out =~ /done|failed/;
	like($out, qr/done/, "$count messages are in the topic");
	$expected += $count;
	return;
}

sub start
{
	my ($log, @more) = @_;
	my $pid = fork() // die "fork: $!";
	return $pid if $pid;
	open STDIN, '<', '/dev/null' or POSIX::_exit(99);
	open STDOUT, '>', "$dir/$log.out" or POSIX::_exit(99);
	open STDERR, '>', "$dir/$log.err" or POSIX::_exit(99);
	exec 'assay_stream', '-d', $node->connstr('postgres'), '-w', @args, @more or POSIX::_exit(99);
}
sub stop { my $pid = shift; kill 'TERM', $pid; waitpid($pid, 0); return $? }

sub loaded
{
	my ($least) = @_;
	for (1 .. 1800)
	{
		return 1 if value('SELECT coalesce(sum(next), 0) FROM assay_offset') >= $least;
		sleep(0.1);
	}
	return 0;
}

sub each_once
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value('SELECT count(*), count(DISTINCT subject), (SELECT sum(next) FROM assay_offset) FROM message'),
		"$expected|$expected|$expected", $name);
	return;
}

# ---- as it should be -----------------------------------------------------------

IPC::Run::run([ 'assay_stream', '-d', $node->connstr('postgres'), '--stdin=lines', '-q', '--create-table' ], '<', \'', '>', \my $ignored);
value('ALTER TABLE message ADD tenant_id int; TRUNCATE assay_offset');
produce(2000, -1);
my $pid = start('plain');
ok(loaded($expected), 'they come');
is(stop($pid), 0, 'SIGTERM: exit code 0') or diag(slurp_file("$dir/plain.err"));
each_once('each once');
is(value('SELECT count(*) FROM assay_offset WHERE next = 500'), '4', 'of all partitions');
is(value('SELECT count(*) FROM message WHERE tenant_id IS DISTINCT FROM substr(subject, 2)::int % 7'), '0', 'headers fill columns');
is(value('SELECT count(*) FROM message WHERE received_at > now() - interval \'1 hour\''), $expected, 'the time is the message\'s');
is(value('SELECT lag, state FROM assay_stream WHERE loaded = 2000'), '0|stopped', 'nothing is left');
produce(300, 2);
$pid = start('again');
ok(loaded($expected), 'the next run goes on');
is(stop($pid), 0, 'and stops');
each_once('each once');

# ---- kills, the server away, zombies --------------------------------------------

SKIP:
{
	skip 'kills and zombies take two minutes, most of it waiting for sessions to end; ASSAY_KAFKA=1 runs them', 1 if !$ENV{ASSAY_KAFKA};
	produce(6000, -1);
	my $kills = 0;
	for (1 .. 6)
	{
		my $before = value('SELECT sum(next) FROM assay_offset');
		$pid = start('kill', '--instance=one');
		my $came = loaded(min($before + 100, $expected));
		sleep(rand(0.05));
		kill 'KILL', $pid;
		waitpid($pid, 0);
		$kills++ if $? == 9;
		last if !$came || value('SELECT sum(next) FROM assay_offset') == $expected;
	}
	cmp_ok($kills, '>', 0, 'it was killed');
	$pid = start('kill', '--instance=one');
	ok(loaded($expected), 'all come');
	each_once("$kills kills: 0 lost, 0 doubled");

	produce(4000, -1);
	loaded($expected - 3900);
	$node->stop('immediate');
	sleep(1);
	$node->start;
	ok(loaded($expected), 'a server restart: all come');
	is(stop($pid), 0, 'and it lives on') or diag(slurp_file("$dir/kill.err"));
	each_once('a server restart: 0 lost, 0 doubled');

	# A member is lost while the server is away: the other's group goes on when it is back.  What was handed over
	# meanwhile is of the old assignment, but seldom is anything: this passes without the handling of that, which
	# t/stream_stash.pl proves.
	my @two = map { start("two$_", "--instance=two$_", '--batch-size=7', '-X', 'fetch.message.max.bytes=2000') } 1, 2;
	sleep(8);
	produce(6000, -1);
	loaded($expected - 5800);
	$node->stop('immediate');
	sleep(2);
	kill 'KILL', $two[0];
	waitpid($two[0], 0);
	sleep(9);
	$node->start;
	ok(loaded($expected), 'a member is lost while the server is away: all come');
	is(stop($two[1]), 0, 'and the other lives on') or diag(slurp_file("$dir/two2.err"));
	each_once('a member is lost while the server is away: 0 lost, 0 doubled');

	my $zombie = start('zombie', '--instance=zombie');
	sleep(1);
	produce(4000, -1);
	loaded($expected - 3900);
	kill 'STOP', $zombie;
	my $heir = start('heir', '--instance=heir');
	ok(loaded($expected), 'a zombie: another takes over');
	produce(500, -1);
	kill 'CONT', $zombie;
	ok(loaded($expected), 'both at work: all come');
	is(stop($zombie), 0, 'the zombie lives on') or diag(slurp_file("$dir/zombie.err"));
	is(stop($heir), 0, 'and the heir') or diag(slurp_file("$dir/heir.err"));
	each_once('a zombie: 0 lost, 0 doubled');
}

# ---- offsets -----------------------------------------------------------------------

value('UPDATE assay_offset SET next = next + 1000000 WHERE part = 1');
$pid = start('range');
waitpid($pid, 0);
is($? >> 8, 1, 'an offset that is not there: exit code 1');
like(slurp_file("$dir/range.err"), qr/hint: to go on all the same.*\n.*what comes next is not there/, 'with a reason');
value('UPDATE assay_offset SET next = next - 1000000 WHERE part = 1');

value('UPDATE assay_stream SET state = \'stopped\'');
$pid = start('back');
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM assay_stream WHERE state = 'running'}), 'it is at work');
value('DELETE FROM message WHERE source LIKE \'mail/3#%\'; UPDATE assay_offset SET next = 0 WHERE part = 3');
produce(4, -1);
ok(loaded($expected), 'a fence that was moved back: it goes back');
is(stop($pid), 0, 'and lives on') or diag(slurp_file("$dir/back.err"));
each_once('and loads again what was to be loaded again');

# ---- what has an offset and is no message --------------------------------------------

value('TRUNCATE assay_offset, message');
sub next_offset { return value(q{SELECT next FROM assay_offset WHERE topic = 'tombs'}) }
produce(10, -2);
produce(9, -3);
$pid = start('tombs', '--topic=tombs');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 10 FROM message'), 'messages before tombstones');
ok($node->poll_query_until('postgres', q{SELECT next = 19 FROM assay_offset WHERE topic = 'tombs'}), 'the fence is behind the tombstones');
is(stop($pid), 0, 'it stops') or diag(slurp_file("$dir/tombs.err"));
is(value('SELECT loaded, dead, lag FROM assay_stream ORDER BY at DESC LIMIT 1'), '10|0|0', 'they count nowhere');
is(value('SELECT count(*) FROM message WHERE tenant_id IS DISTINCT FROM 10 + substr(subject, 2)::int % 7'), '0', 'a NUL within a header is left out');
# those that were there go, while it is down
produce(3, -3);
produce(1, -2);
$pid = start('gone', '--topic=tombs');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 11 FROM message'), 'what was passed over may go: it goes on');
is(stop($pid), 0, 'and stops') or diag(slurp_file("$dir/gone.err"));
is(next_offset(), 23, 'behind the last');
# only what is new moves the fence, and not at once
produce(1, -3);
$pid = start('still', '--topic=tombs');
ok($node->poll_query_until('postgres', q{SELECT next = 24 FROM assay_offset WHERE topic = 'tombs'}), 'a tombstone alone');
my $moved = value(q{SELECT xmin FROM assay_offset WHERE topic = 'tombs'});
is(stop($pid), 0, 'and stops');
is(value(q{SELECT xmin FROM assay_offset WHERE topic = 'tombs'}), $moved, 'and nothing more');

$in .= "end\n";
$cluster->finish;
done_testing();
