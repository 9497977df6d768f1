# assay_stream --lmtp: clients that leave it no descriptors, and messages that must not be read as commands.
use strict;
use warnings;
use AssayLoad;
use IO::Select;
use IO::Socket::INET;
use IPC::Run;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

AssayLoad::start();
my $dir = fresh_folder();
my $port = free_port();
my $out;
IPC::Run::run([ 'assay_stream', '-d', $node->connstr('postgres'), '--stdin=lines', '-q', '--create-table' ], '<', \'', '>', \$out);
my $pid = fork() // die "fork: $!";
if (!$pid)
{
	open STDIN, '<', '/dev/null' or POSIX::_exit(99);
	open STDOUT, '>', "$dir/out" or POSIX::_exit(99);
	open STDERR, '>', "$dir/err" or POSIX::_exit(99);
	exec 'sh', '-c', 'ulimit -n 40; exec assay_stream "$@"', 'sh', '-d', $node->connstr('postgres'), "--lmtp=$port", '--topic=lmtp', '-w', '--no-progress'
	  or POSIX::_exit(99);
}
sub connect_to { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 20) }

# What it says within some seconds
sub heard
{
	my ($socket, $wait) = @_;
	my $bytes = '';
	IO::Select->new($socket)->can_read($wait) and sysread $socket, $bytes, 65536;
	return $bytes;
}

# All that it says until it closes
sub heard_all
{
	my ($socket) = @_;
	my $all = '';
	while ((my $bytes = heard($socket, 10)) ne '') { $all .= $bytes }
	return $all;
}

# Processor time of the program, in seconds
sub cpu
{
	my @fields = split ' ', slurp_file("/proc/$pid/stat") =~ s/.*\) //rs;
	return ($fields[11] + $fields[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}
my $first;
for (1 .. 3600) { last if $first = connect_to(); sleep(0.05) }
like(heard($first, 20), qr/^220 /, 'it listens');

# a relay that sends BDAT though it was not offered: what follows is a message, not commands
my $message = "MAIL FROM:<forged\@x.example>\r\nRCPT TO:<b\@x.example>\r\nDATA\r\n";
syswrite $first, "LHLO x\r\n";
heard($first, 20);
syswrite $first, 'BDAT ' . length($message) . " LAST\r\n$message";
my $all = heard_all($first);
like($all, qr/^50\d /, 'BDAT is refused');
unlike($all, qr/^[23]\d\d /m, 'and what follows is not taken for commands');
close $first;

# more clients than descriptors: it waits, and takes them as others go
my @clients = map { connect_to() } 1 .. 45;
is(scalar(grep { defined } @clients), 45, 'clients have connected');
like(heard($clients[0], 20), qr/^220 /, 'the first is greeted');
sleep(0.5);
my ($cpu, $clock) = (cpu(), time());
sleep(3);
cmp_ok((cpu() - $cpu) / (time() - $clock), '<', 0.4, 'it does not spin while it can take no more');
is(heard($clients[44], 0), '', 'the last waits');
close $_ foreach @clients[0 .. 20];
like(heard($clients[44], 20), qr/^220 /, 'and is greeted when others are gone');
kill 'TERM', $pid;
close $_ foreach @clients[21 .. 44];
waitpid($pid, 0);
is($?, 0, 'it ends as it should');
done_testing();
