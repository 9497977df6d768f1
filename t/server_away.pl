# The server is away, full, or gone in the middle: assay_load and assay_stream say
# whether trying again helps, and what was acknowledged stays.
use strict;
use warnings;
use AssayLoad;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use IPC::Run;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

AssayLoad::start();
sub value { return $node->safe_psql('postgres', shift) }
my $message = write_file(fresh_folder() . '/one.eml', "From: a\@b.example\nSubject: s\n\nhello\n");
is(load('--create-table', '-q', $message), 0, 'a message');

# ---- the connection is cut after so many bytes of one side --------------------

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $socket = $node->host . '/.s.PGSQL.' . $node->port;
sub serve
{
	my ($listener, $of_server, $left) = @_;
	my $client = $listener->accept;
	my $server = IO::Socket::UNIX->new(Peer => $socket) or POSIX::_exit(1);
	my $both = IO::Select->new($client, $server);
	while (1)
	{
		for my $from ($both->can_read)
		{
			my $n = sysread($from, my $bytes, 8192) or POSIX::_exit(0);
			if (($from == $server) == $of_server)
			{
				$bytes = substr $bytes, 0, $left;
				$left -= $n;
			}
			syswrite $from == $server ? $client : $server, $bytes;
			POSIX::_exit(0) if $left <= 0;
		}
	}
}
my ($stored, $again, $wrong) = (0, 0, '');
# two of three are of the server's bytes; the last come after all is done
for my $at (map { 200 * $_ } 1 .. 66)
{
	my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1) or die $!;
	# to find out why it failed another connection is made
	my @proxies = map { my $pid = fork() // die; serve($listener, $at % 600 != 0, $at) if !$pid; $pid } 1 .. 2;
	close $listener;
	value('TRUNCATE message');
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'assay_load', '-q', '-w', '-d', "host=127.0.0.1 port=$port dbname=postgres user=" . value('SELECT current_user'), $message ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	my $code = $? >> 8;
	kill 'KILL', @proxies;
	waitpid $_, 0 for @proxies;
	my $rows = value('SELECT count(*) FROM message');
	$stored++ if $code == 0 && $rows == 1;
	# a COMMIT of which nothing was heard may have been one
	$again++ if $code == 75;
	$wrong .= "$at: $code, $rows rows: $err" if ($code != 0 && $code != 75) || ($code == 0 && $rows != 1);
}
is($wrong, '', 'cut off: 75, or it is there');
cmp_ok($again, '>', 20, 'many were cut off');
cmp_ok($stored, '>', 5, 'some were not');

# a server that accepts and says nothing
{
	my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1) or die $!;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'assay_load', '-q', '-w', '-d', "host=127.0.0.1 port=$port dbname=postgres connect_timeout=2", $message ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	is($? >> 8, 75, 'the connection string says how long a silent server is waited for');
	like($err, qr/timeout expired/, 'a silent server: message');
	delete local $ENV{PGCONNECT_TIMEOUT};
	IPC::Run::run([ 'assay_load', '-q', '-w', '-d', "host=127.0.0.1 port=$port dbname=postgres", $message ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(90));
	is($? >> 8, 75, 'and else it is half a minute');
}

# ---- no room for another connection -------------------------------------------

value(q{SET password_encryption = 'scram-sha-256'; CREATE ROLE feeder LOGIN PASSWORD 'x' CONNECTION LIMIT 1;
	GRANT ALL ON ALL TABLES IN SCHEMA public TO feeder; GRANT CREATE ON SCHEMA public TO feeder});
my $hba = slurp_file($node->data_dir . '/pg_hba.conf');
write_file($node->data_dir . '/pg_hba.conf', "local all feeder scram-sha-256\n$hba");
$node->reload;
$ENV{PGPASSWORD} = 'x';
my $as_feeder = $node->connstr('postgres') . ' user=feeder';
sub run_load
{
	my ($in, $out, $err) = ('', '', '');
	IPC::Run::run([ 'assay_load', '-q', '-w', @_ > 1 ? shift : (), '-d', @_, $message ], '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	return ($? >> 8, $err);
}
my ($in, $out, $err) = ('', '', '');
my $other = IPC::Run::start([ 'psql', '-XqAt', $as_feeder ], '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
$in = "SELECT 'here';\n";
$other->pump until $out =~ /here/;
my ($code, $said) = run_load($as_feeder);
is($code, 75, 'too many connections: trying again helps');
like($said, qr/too many connections for role "feeder"/, 'too many connections: message');

# assay_stream waits for its place, from its start on
my ($feed, $told, $errors) = ("{\"subject\":\"waits\"}\n", '', '');
my $stream = IPC::Run::start([ 'assay_stream', '-w', '--no-progress', '--create-table', '--stdin=lines', '-d', $as_feeder ],
	'<', \$feed, '>', \$told, '2>', \$errors, IPC::Run::timeout(120));
$stream->pump until $errors =~ /the server is away/;
$in = "\\q\n";
$other->finish;
$stream->pump until $told =~ /ok 0/;
ok($stream->finish, 'assay_stream waited');
is(value(q{SELECT count(*) FROM message WHERE subject = 'waits'}), '1', 'and stored it');

($code, $said) = do { local $ENV{PGPASSWORD} = 'y'; run_load($as_feeder) };
is($code, 1, 'a wrong password stays wrong');
is((run_load($node->connstr('nowhere')))[0], 1, 'so does a database that is not there');
is((run_load($node->connstr('postgres') . ' user=nobody'))[0], 1, 'and a role');
value('REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; GRANT CONNECT ON DATABASE postgres TO CURRENT_USER');
is((run_load($as_feeder))[0], 1, 'and a right');
value('GRANT CONNECT ON DATABASE postgres TO PUBLIC; ALTER ROLE feeder CONNECTION LIMIT -1');

# ---- what was acknowledged stays ------------------------------------------------

my $dir = fresh_folder();
my $lmtp = PostgreSQL::Test::Cluster::get_free_port();
value(q{ALTER ROLE feeder SET synchronous_commit = off});
my $pid = fork() // die "fork: $!";
if (!$pid)
{
	open STDIN, '<', '/dev/null' or POSIX::_exit(99);
	open STDERR, '>', "$dir/err" or POSIX::_exit(99);
	exec 'assay_stream', '-d', $as_feeder, "--lmtp=$lmtp", '--topic=lmtp', '-w', '--no-progress' or POSIX::_exit(99);
}
sub send_one
{
	my ($subject) = @_;
	my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $lmtp, Timeout => 20) or return '';
	my $answer = '';
	for my $line ('', 'LHLO me', 'MAIL FROM:<a@b.example>', 'RCPT TO:<c@d.example>', 'DATA', "Subject: $subject\r\n\r\nhi\r\n.")
	{
		print $c "$line\r\n" if $line ne '';
		do { $answer = <$c> // '' } while $answer =~ /^\d\d\d-/;
	}
	return $answer;
}
# Until it is there, or the server is back
sub store
{
	my ($subject) = @_;
	for (1 .. 200)
	{
		return 1 if send_one($subject) =~ /^250/;
		sleep(0.1);
	}
	return 0;
}
ok(store('kept'), 'a message by LMTP');
is(value(q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'feeder'}), '1', 'one session');
# a crash in the moment after the answer: with a commit that is not waited for
# some of these would be gone
my $lost = 0;
for my $round (1 .. 3)
{
	ok(store("round $round.$_"), "stored $round.$_") for 1 .. 4;
	$node->stop('immediate');
	$node->start;
	$lost++ for grep { value("SELECT count(*) FROM message WHERE subject = 'round $round.$_'") == 0 } 1 .. 4;
}
is($lost, 0, 'what was answered 250 is there after a crash');

# a standby that took over may lack some all the same
value('UPDATE assay_offset SET next = next - 5 WHERE topic = \'lmtp\'');
$node->stop('immediate');
$node->start;
ok(store('after'), 'it goes on where the fence was moved back');
is(value(q{SELECT count(*) FROM message WHERE subject = 'after'}), '1', 'and stores');
kill 'TERM', $pid;
waitpid $pid, 0;
is($?, 0, 'it ended by itself') or diag(slurp_file("$dir/err"));
like(slurp_file("$dir/err"), qr/warning: 5 messages that were acknowledged are no longer there/, 'it says what is missing');

# ---- several make the table ------------------------------------------------------

my $failed = '';
for my $round (1 .. 3)
{
	value('DROP TABLE IF EXISTS message, assay_offset, assay_dead_letter, assay_stream');
	my @runs = map {
		my $e = '';
		my @command = $_ % 2 ? ('assay_stream', "--instance=i$_", "--topic=t$_", '--stdin=lines') : ('assay_load', '-q', $message);
		{ err => \$e, run => IPC::Run::start([ @command, '-w', '--create-table', '-d', $as_feeder ], '<', \undef, '>', \my $o, '2>', \$e, IPC::Run::timeout(60)) }
	} 1 .. 6;
	for (@runs)
	{
		$failed .= ${ $_->{err} } if !$_->{run}->finish;
	}
	is(value('SELECT count(*) FROM message'), '3', "round $round: all messages");
}
is($failed, '', 'tables made by several at once');

# a type in the table's place is none that another has made
value('DROP TABLE message; CREATE DOMAIN message AS text');
($code, $said) = run_load('--create-table', $as_feeder);
is($code, 1, 'a type of the same name');
like($said, qr/could not create table message: .*type "message" already exists/s, 'a type of the same name: message');

$node->stop;
done_testing();
