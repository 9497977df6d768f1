# assay_stream --lmtp: a mail server hands mail over; what is answered 250 is stored, whatever else happens.
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
sub value { return $node->safe_psql('postgres', shift) }
my $dir = fresh_folder();
my $port = free_port();
my @args = ("--lmtp=$port", '--topic=lmtp', '-w', '--no-progress', '--column=rcpt_to', '--column=mail_from', '--keep=raw', '--max-message=256k');

sub start
{
	my ($log, @more) = @_;
	my $pid = fork() // die "fork: $!";
	if (!$pid)
	{
		open STDIN, '<', '/dev/null' or POSIX::_exit(99);
		open STDOUT, '>', "$dir/$log.out" or POSIX::_exit(99);
		open STDERR, '>>', "$dir/$log.err" or POSIX::_exit(99);
		exec 'assay_stream', '-d', $node->connstr('postgres'), @args, @more or POSIX::_exit(99);
	}
	for (1 .. 3600)
	{
		return $pid if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
		last if waitpid($pid, POSIX::WNOHANG()) != 0;
		sleep(0.05);
	}
	die 'it does not listen: ' . slurp_file("$dir/$log.err");
}
sub stop { my ($pid) = @_; kill 'TERM', $pid; waitpid($pid, 0); return $? }

# ---- a client -----------------------------------------------------------------

sub connect_to
{
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 20) or return;
	$socket->autoflush(1);
	return { socket => $socket, in => '' };
}

# The next whole answer (its last line), 'closed' or 'nothing'
sub answer
{
	my ($c, $wait) = @_;
	my $until = time() + ($wait // 180);
	while (1)
	{
		while ($c->{in} =~ s/^(.*?)\r\n//) { return $1 if $1 !~ /^\d\d\d-/ }
		my $left = $until - time();
		return 'nothing' if $left <= 0 || !IO::Select->new($c->{socket})->can_read($left);
		my $n = sysread $c->{socket}, $c->{in}, 65536, length $c->{in};
		return 'closed' if !$n;
	}
}
sub code { return substr answer(@_), 0, 3 }
sub say_to { my ($c, $bytes) = @_; local $SIG{PIPE} = 'IGNORE'; syswrite $c->{socket}, $bytes; return }
sub ask { my ($c, $line) = @_; say_to($c, "$line\r\n"); return answer($c) }

# A client that has said its name
sub greet
{
	my $c = connect_to() or return;
	answer($c);
	ask($c, 'LHLO client.example');
	return $c;
}

# Deliver it: the answers, or that to what went wrong before
sub deliver
{
	my ($c, $mail, @recipients) = @_;
	@recipients = ('r@corp.example') if !@recipients;
	foreach my $line ('MAIL FROM:<s@else.example>', map { "RCPT TO:<$_>" } @recipients)
	{
		my $got = ask($c, $line);
		return $got if $got !~ /^2/;
	}
	my $got = ask($c, 'DATA');
	return $got if $got !~ /^354/;
	(my $stuffed = $mail) =~ s/^\./../;
	$stuffed =~ s/\r\n\./\r\n../g;
	say_to($c, "$stuffed\r\n.\r\n");
	return map { answer($c) } @recipients;
}
sub mail { my ($subject, $body) = @_; return "From: a\@b.example\r\nSubject: $subject\r\n\r\n" . ($body // 'text') }
sub empty { return value('TRUNCATE message, assay_dead_letter') }

# ---- as it should be -----------------------------------------------------------

my ($out, $err);
IPC::Run::run([ 'assay_stream', '-d', $node->connstr('postgres'), '--stdin=lines', '-q', '--create-table', '--keep=raw' ], '<', \'', '>', \$out);
value('ALTER TABLE message ADD rcpt_to text, ADD mail_from text');
foreach my $bad ([ qr/--lmtp must be a number from 1 to 65535/, '--lmtp=0' ], [ qr/--lmtp must be \[ADDRESS:\]PORT/, '--lmtp=here:25' ],
	[ qr/--stdin and --lmtp do not go together/, '--lmtp=2525', '--stdin=lines' ],
	# numbers: what is told second was reached, so that the first is right
	(map { [ qr/--patience must be a number from 1 to 3600/, '--lmtp=2525', "--patience=$_" ] } 0, 3601),
	(map { [ qr/--linger must be a number from 0 to 60000/, '--lmtp=2525', "--linger=$_" ] } -1, 60001),
	(map { [ qr/do not go together/, '--lmtp=2525', '--stdin=lines', $_ ] } '--patience=1', '--patience=3600', '--linger=0', '--linger=60000'))
{
	my ($message, @wrong) = @$bad;
	IPC::Run::run([ 'assay_stream', '-d', $node->connstr('postgres'), '-w', @wrong ], '<', \'', '>', \$out, '2>', \$err);
	is($? >> 8, 1, "@wrong is refused");
	like($err, $message, 'with a reason');
}
my $pid = start('plain');

my $c = connect_to();
like(answer($c), qr/^220 \S+ LMTP/, 'the greeting');
say_to($c, "LHLO client.example\r\n");
is(answer($c), '250 ENHANCEDSTATUSCODES', 'LHLO');
my @answers = deliver($c, mail('one', "a\r\n.b\r\n..c\r\n.\r\nd"), 'r@corp.example', '"q> x"@corp.example');
is_deeply(\@answers, [ ('250 2.0.0 stored as lmtp/0#0') x 2 ], 'an answer for each recipient');
is(value(q{SELECT subject, return_path, mail_from, rcpt_to, source FROM message}), 'one|s@else.example|s@else.example|r@corp.example, "q> x"@corp.example|lmtp/0#0', 'it is there, once');
is(value(q{SELECT convert_from(raw, 'UTF8') FROM message}), "Return-Path: <s\@else.example>\r\n" . mail('one', "a\r\n.b\r\n..c\r\n.\r\nd\r\n"), 'dots are right');
like((deliver($c, ''))[0], qr/^250/, 'an empty message');
is(ask($c, 'QUIT'), '221 2.0.0 bye', 'QUIT');
is(answer($c), 'closed', 'and closed');

# in one piece, and the next message with it; then a byte at a time
empty();
my $session = join '', map { "$_\r\n" } 'LHLO x', 'mail from:<>', 'RCPT TO:<a@x>', 'RCPT TO:<no address', 'rcpt to:<@route.example:b@x>', 'Data';
$c = connect_to();
answer($c);
say_to($c, $session);
is(join(' ', map { code($c) } 1 .. 6), '250 250 250 501 250 354', 'pipelined commands');
say_to($c, mail('p1') . "\r\n.\r\nMAIL FROM:<z\@x> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<c\@x>\r\nDATA\r\n");
is(join(' ', map { code($c) } 1 .. 5), '250 250 250 250 354', 'and the next behind the message');
say_to($c, "Subject: p2\r\n\r\n.\r\nQUIT\r\n");
is(join(' ', map { code($c) } 1 .. 3), '250 221 clo', 'and QUIT');
is(value('SELECT string_agg(concat_ws(\'/\', subject, mail_from, rcpt_to), \' \' ORDER BY id) FROM message'), 'p1//a@x, b@x p2/z@x/c@x', 'both are there');
$c = connect_to();
answer($c);
my @slow;
foreach my $part ([ $session, 6 ], [ mail('slow', "..\r\n...\r\n") . "\r\n.\r\n", 2 ])
{
	foreach my $byte (split //, $part->[0]) { say_to($c, $byte); sleep(0.001) }
	push @slow, map { code($c) } 1 .. $part->[1];
}
is("@slow", '250 250 250 501 250 354 250 250', 'byte by byte');
is(value("SELECT size_bytes FROM message WHERE subject = 'slow'"), length "Return-Path: <>\r\n" . mail('slow', ".\r\n..\r\n\r\n"), 'it is whole');

# ---- what it refuses ------------------------------------------------------------

my $long = 'x' x 1000;
my $line = 0;
foreach my $case (
	[ 'MAIL FROM:<a@x>' => 503 ], [ 'LHLO' => 501 ], [ 'HELO x' => 500 ], [ 'EHLO x' => 500 ], [ 'RCPT TO:<a@x>' => 503 ], [ 'DATA' => 503 ],
	[ 'LHLO x' => 250 ], [ 'LHLO y' => 250 ], [ 'NOOP' => 250 ], [ 'VRFY a' => 252 ], [ 'BURL x LAST' => 500 ], [ 'MAIL a@x' => 501 ],
	[ 'MAIL FROM:a@x' => 501 ], [ 'MAIL FROM:<a@x' => 501 ], [ 'MAIL FROM:<a@x>b' => 501 ], [ 'MAIL FROM:<a b@x>' => 501 ], [ "MAIL FROM:<a\tb\@x>" => 501 ],
	[ 'MAIL FROM:<a@x> SIZE=262145' => 552 ], [ 'MAIL FROM:<a@x> SIZE=x' => 501 ], [ 'MAIL FROM:<a@x> SIZE=99999999999999999999' => 501 ])
{
	$c = greet() if $line++ % 10 == 6;
	$c = connect_to(), answer($c) if $line == 1;
	like(ask($c, $case->[0]), qr/^$case->[1]/, $case->[0]);
}
$c = greet();
foreach my $case (
	[ 'MAIL FROM:<a@x> BODY=BINARYMIME' => 501 ], [ 'MAIL FROM:<a@x> RET=FULL' => 555 ], [ "MAIL FROM:<\xc3\xa4\@x>" => 553 ],
	[ "MAIL FROM:<\xe4\@x>" => 501 ], [ 'MAIL FROM:<' . substr($long, 1) . '@x>' => 501 ], [ 'MAIL FROM:<' . substr($long, 2) . '@x> SIZE=262144' => 250 ], [ 'MAIL FROM:<b@x>' => 503 ],
	[ 'DATA' => 503 ], [ 'RCPT TO:<>' => 501 ], [ 'RCPT TO:<a@x> NOTIFY=NEVER' => 555 ], [ "RCPT TO:<\xc3\xa4\@x>" => 553 ], [ 'RCPT TO:<Postmaster>' => 250 ], [ 'DATA x' => 501 ],
	[ 'RSET' => 250 ], [ 'RCPT TO:<a@x>' => 503 ], [ "MAIL FROM:<\xc3\xa4\@x> SMTPUTF8" => 250 ], [ "RCPT TO:<\xc3\xb6\@x>" => 250 ], [ 'RSET' => 250 ])
{
	like(ask($c, $case->[0]), qr/^$case->[1]/, $case->[0]);
}
my $said = '';
for (1 .. 30) { $said = ask($c, 'WHAT'); last if $said !~ /^500/ }
like($said, qr/^421/, 'too many errors end it');
$c = greet();
is(join(' ', map { substr ask($c, 'WHAT'), 0, 3 } 1 .. 20), join(' ', (500) x 20), 'twenty errors');
like(ask($c, 'NOOP'), qr/^250/, 'do not');
is(join(' ', substr(ask($c, 'WHAT'), 0, 3), map { code($c) } 1 .. 2), '500 421 clo', 'one more does');

# without a message a place is not kept: a hundred commands, and recipients that are taken don't count
foreach my $idle ([ 'NOOP' ], [ 'RSET' ], [ 'MAIL FROM:<a@x>', 'RCPT TO:<b@x>', 'RSET' ], [ 'LHLO again' ])
{
	$c = greet();
	my ($n, @answers) = (0);
	while ($n < 400)
	{
		push @answers, substr ask($c, $idle->[$n++ % @$idle]), 0, 3;
		last if $answers[-1] !~ /^250/ || $c->{in} =~ /^421/;
	}
	my $most = @$idle == 3 ? 150 : 100;
	is("$n $answers[-1] " . join(' ', map { code($c) } 1 .. 2), "$most 250 421 clo", "idle: @$idle");
}
$c = greet();
ask($c, 'NOOP') for 1 .. 90;
like((deliver($c, mail('not idle'), map { "r$_\@x" } 1 .. 200))[0], qr/^250/, 'a message with many recipients behind ninety of them');
like(join(' ', map { substr ask($c, 'NOOP'), 0, 3 } 1 .. 100), qr/^250(?: 250){99}$/, 'and a hundred more');

# a line has 4,096 bytes with its end
foreach my $n (4096, 4097)
{
	$c = greet();
	say_to($c, 'NOOP ' . 'x' x ($n - 7) . "\r\n");
	is(code($c) . ' ' . code($c, $n > 4096 ? 30 : 0.1), $n > 4096 ? '500 clo' : '250 not', "a line of $n bytes");
}

$c = greet();
ask($c, 'MAIL FROM:<a@x>');
is(join(' ', map { substr ask($c, "RCPT TO:<r$_\@x>"), 0, 3 } 1 .. 1001), join(' ', (250) x 1000, 452), 'a thousand recipients');
ask($c, 'DATA');
say_to($c, mail('many') . "\r\n.\r\n");
is(join(' ', map { code($c) } 1 .. 1000), join(' ', (250) x 1000), 'have an answer each');

foreach my $case (
	[ "NOOP\nNOOP\r\n" => 'a bare LF' ], [ "NO\rOP\r\n" => 'a bare CR' ], [ "NO\0OP\r\n" => 'a NUL' ], [ "\n" => 'an LF alone' ],
	[ 'N' x 5000 => 'a line without an end' ], [ "GET / HTTP/1.1\r\nLHLO x\r\n" => 'HTTP' ], [ "POST /x HTTP/1.1\r\n" => 'more of it' ], [ "\x16\x03\x01\r\n" => 'TLS' ])
{
	$c = greet();
	say_to($c, $case->[0]);
	is(code($c) . ' ' . code($c), '500 clo', "$case->[1] ends it");
}
$c = greet();
ask($c, 'MAIL FROM:<a@x>');
say_to($c, "DATA\r\nMAIL FROM:<evil\@x>\r\n");
is(code($c) . ' ' . code($c), '503 clo', 'text behind a DATA that is refused is no command');

# Only CRLF . CRLF ends a message: what others take for an end hides nothing
empty();
my $hidden = "MAIL FROM:<evil\@x>\r\nRCPT TO:<r\@x>\r\nDATA\r\nSubject: smuggled\r\n\r\nx";
my @ends = ("\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n\n.\r\n", "\r\n.\0\r\n", "\r\n..\r\n", "\r\r\n.\r\r\n");
foreach my $n (0 .. $#ends)
{
	(my $shown = $ends[$n]) =~ s/([\r\n\0])/sprintf '\\x%02x', ord $1/ge;
	$c = greet();
	ask($c, $_) foreach 'MAIL FROM:<s@x>', 'RCPT TO:<r@x>', 'DATA';
	say_to($c, mail("outer$n") . "$ends[$n]$hidden\r\n.\r\n");
	is(code($c) . ' ' . code($c, 0.1), '250 not', "$shown ends nothing");
	(my $unstuffed = $ends[$n]) =~ s/\r\n\./\r\n/;
	is(value("SELECT count(*) FROM message WHERE subject = 'outer$n' AND raw = decode('" . unpack('H*', "Return-Path: <s\@x>\r\n" . mail("outer$n") . "$unstuffed$hidden\r\n") . "', 'hex')"), '1', 'and is kept as it was');
}
is(value('SELECT count(*), count(*) FILTER (WHERE subject = \'smuggled\') FROM message'), scalar(@ends) . '|0', 'nothing was smuggled');

# the end of the last line is part of a message
$c = greet();
my $room = 262144 - length(mail('edge', '')) - 2;
is(substr((deliver($c, mail('edge', 'x' x $room)))[0], 0, 3), 250, 'a message of --max-message');
is(substr((deliver($c, mail('over', 'x' x ($room + 1))))[0], 0, 3), 552, 'of one byte more');
is(value('SELECT string_agg(subject, \' \') FROM message WHERE subject IN (\'edge\', \'over\')'), 'edge', 'so it is');
is(substr((deliver($c, mail('big', 'x' x 262200)))[0], 0, 3), 552, 'a message that is too large');
is(join(' ', map { substr $_, 0, 3 } deliver($c, mail('fits', 'x' x 262000), 'a@x', 'b@x')), '250 250', 'the next one is not');
is(value('SELECT string_agg(subject, \' \') FROM message WHERE subject IN (\'big\', \'fits\')'), 'fits', 'so it is');

# what the database refuses, among what it doesn't
value(q{ALTER TABLE message ADD CONSTRAINT no_bad CHECK (subject NOT LIKE 'bad%')});
my @clients = map { greet() } 1 .. 12;
foreach my $n (0 .. 11)
{
	say_to($clients[$n], "MAIL FROM:<s\@x>\r\nRCPT TO:<a\@x>\r\nDATA\r\n");
	code($clients[$n]) for 1 .. 3;
}
say_to($clients[$_], mail($_ % 4 == 1 ? "bad$_" : "good$_") . "\r\n.\r\n") foreach 0 .. 11;
is(join(' ', map { code($_) } @clients), '250 554 250 250 250 554 250 250 250 554 250 250', 'each client has the answer to its own');
is(value(q{SELECT count(*), (SELECT count(*) FROM message WHERE subject LIKE 'good%') FROM assay_dead_letter WHERE headers->>'rcpt_to' = 'a@x'}), '3|9', 'dead letters');
value('ALTER TABLE message DROP CONSTRAINT no_bad');

# ---- limits, and a server that is slow or away -----------------------------------

# those that were there before are gone when it has seen to them, which a new one tells
undef $c;
@clients = ();
greet() for 1 .. 2;
@clients = map { my $new = connect_to(); [ $new, code($new) ] } 1 .. 200;
is(scalar(grep { $_->[1] eq '220' } @clients), 200, 'two hundred connections');
my $one_more = connect_to();
is(code($one_more) . ' ' . code($one_more), '421 clo', 'one more is put off');
undef $one_more;
pop @clients;
for (1 .. 200)
{
	$one_more = connect_to();
	last if code($one_more) eq '220';
	sleep(0.05);
}
like(ask($one_more, 'NOOP'), qr/^250/, 'until one of them has gone');
undef $one_more;
@clients = ();
sleep(0.2);
is(stop($pid), 0, 'it is well') or diag(slurp_file("$dir/plain.err"));

empty();
my $metrics = free_port();
$pid = start('patient', '--patience=5', "--metrics=$metrics");
my $lock = $node->background_psql('postgres');
$lock->query_safe('BEGIN; LOCK message IN SHARE MODE');
$c = greet();
my $before = time();
like((deliver($c, mail('late')))[0], qr/^451 4\.3\.0/, 'a table that is locked: 451');
ok(greet(), 'others are greeted meanwhile');
$lock->query_safe('COMMIT');
$lock->quit;
like((deliver($c, mail('again')))[0], qr/^250/, 'and taken again');
is(value('SELECT string_agg(subject, \' \') FROM message'), 'again', 'what was put off was not stored');
# who hangs up takes the message back, if it is not on its way
$node->stop('immediate');
ok(greet(), 'no server: clients are greeted');
like((deliver($c, mail('away')))[0], qr/^451/, 'no server: 451');
for (1 .. 60)
{
	last if ($said = ask($c, 'MAIL FROM:<a@x>')) !~ /^250/;
	ask($c, 'RSET');
	sleep(0.25);
}
like($said, qr/^451 4\.3\.0 the database is away/, 'and before the message, when it lasts');
$node->start;
for (1 .. 900) { last if ask($c, 'MAIL FROM:<a@x>') =~ /^250/; sleep(0.2) }
ask($c, 'RSET');
like((deliver($c, mail('back')))[0], qr/^250/, 'the server is back');
is(value('SELECT string_agg(subject, \' \' ORDER BY id) FROM message'), 'again back', 'what was put off was not stored');
my $shown = '';
for (1 .. 40)
{
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $metrics) or next;
	print $socket "GET /metrics HTTP/1.1\r\n\r\n";
	$shown = join '', <$socket>;
	last if $shown =~ /^assay_stream_messages_total 2$/m;
	sleep(0.25);
}
like($shown, qr/^assay_stream_clients [1-9]\d*\n.*^assay_stream_put_off_total 2$/ms, 'metrics: who was put off');
is(stop($pid), 0, 'it is well');

# a lock that is waited for longer than a statement may take ends nothing
{
	local $ENV{PGOPTIONS} = '-c statement_timeout=200ms';
	$pid = start('timeout', '--patience=60');
}
$lock = $node->background_psql('postgres');
$lock->query_safe('BEGIN; LOCK message IN ACCESS EXCLUSIVE MODE');
$c = greet();
ask($c, $_) foreach 'MAIL FROM:<s@x>', 'RCPT TO:<r@x>', 'DATA';
say_to($c, mail('in the end') . "\r\n.\r\n");
for (1 .. 3600) { last if slurp_file("$dir/timeout.err") =~ /canceling statement/; sleep(0.05) }
like(slurp_file("$dir/timeout.err"), qr/can't load for now: canceling statement due to statement timeout/, 'a lock and a timeout: told');
$lock->query_safe('COMMIT');
$lock->quit;
like(answer($c, 60), qr/^250/, 'and loaded when the lock is gone');
is(value("SELECT count(*) FROM message WHERE subject = 'in the end'"), 1, 'so it is, once');

# what envelopes hold counts, too: they may be far larger than the messages
$lock = $node->background_psql('postgres');
$lock->query_safe('BEGIN; LOCK message IN ACCESS EXCLUSIVE MODE');
is(stop($pid) >> 8, 0, 'it is well');
$pid = start('flood', '--patience=1');
@clients = map { greet() } 1 .. 150;
my $recipients = join '', map { 'RCPT TO:<' . 'x' x 990 . sprintf('%03d', $_) . "\@x>\r\n" } 0 .. 999;
my $full = 0;
for my $round (1 .. 5)
{
	say_to($_, "MAIL FROM:<s\@x>\r\n$recipients") foreach @clients;
	foreach my $client (@clients) { $full += code($client) eq '452' for 0 .. 1000 }
	last if $full;
	say_to($_, "DATA\r\n") foreach @clients;
	code($_) foreach @clients;
	say_to($_, mail('flood') . "\r\n.\r\n") foreach @clients;
	foreach my $client (@clients) { code($client) for 1 .. 1000 }
}
cmp_ok($full, '>', 0, 'recipients without end: 452');
$lock->query_safe('COMMIT');
$lock->quit;
@clients = ();
for (1 .. 900) { last if ($said = (deliver(greet(), mail('after the flood')))[0]) =~ /^250/; sleep(0.2) }
like($said, qr/^250/, 'and then it goes on');
is(value("SELECT count(*) FROM message WHERE subject = 'flood'"), 0, 'what was put off was not stored');
is(stop($pid), 0, 'it is well');

# ---- kills ------------------------------------------------------------------------

# Clients in processes of their own send until all is answered 250, again and again; not
# more than a quarter before the next kill, or there would be nothing to kill on some machines
empty();
my ($senders, $each) = (8, 250);
my @children;
$pid = start('kill');
foreach my $s (1 .. $senders)
{
	my $child = fork() // die "fork: $!";
	if ($child) { push @children, $child; next }
	my $connection;
	my $deadline = time() + 600;
	for my $n (1 .. $each)
	{
		while (time() < $deadline)
		{
			if ($n > $each / 4 * (1 + (-s "$dir/kills" // 0))) { sleep(0.01); next }
			$connection //= greet();
			if (!$connection) { sleep(0.05); next }
			my ($got) = deliver($connection, mail("m$s-$n"));
			last if $got =~ /^250/;
			undef $connection if $got !~ /^4/ || $got =~ /^421/;
			sleep(0.02);
		}
	}
	POSIX::_exit(time() < $deadline ? 0 : 1);
}
my $kills = 0;
# by what has come, so that a fast machine is killed as often as a slow one
while ($kills < 8 && (my $come = value('SELECT count(DISTINCT subject) FROM message')) < $senders * $each)
{
	if ($come < $kills * $senders * $each / 10) { sleep(0.01); next }
	sleep(rand(0.05));
	if ($kills % 4 == 3) { is(stop($pid), 0, 'SIGTERM: exit code 0') }
	else { kill 'KILL', $pid; waitpid($pid, 0) }
	$kills++;
	append_to_file("$dir/kills", '.');
	$pid = start('kill');
}
my $failed = 0;
foreach my $child (@children) { waitpid($child, 0); $failed ||= $? }
is($failed, 0, "$kills kills: all senders are done");
cmp_ok($kills, '>=', 3, 'it was killed');
my ($rows, $distinct) = split /\|/, value('SELECT count(*), count(DISTINCT subject) FROM message');
is($distinct, $senders * $each, 'nothing is lost');
cmp_ok($rows - $distinct, '<=', $senders * $kills, 'doubled is at most what a kill left without an answer');

# somebody else moves the fence, in the name of this instance: nothing is answered 250 that is not there
like((deliver(greet(), mail('before the fence')))[0], qr/^250/, 'the fence is its own');
value('UPDATE assay_offset SET next = next + 10');
unlike(join(' ', deliver(greet(), mail('behind the fence'))), qr/^250/, 'a fence that was moved: no 250');
is(stop($pid) >> 8, 1, 'it ends by itself');
like(slurp_file("$dir/kill.err"), qr/another instance works on group .*: it moved from \d+ to \d+$/m, 'with a reason');
unlink "$dir/kill.err";
$pid = start('kill');
like((deliver(greet(), mail('behind the fence')))[0], qr/^250/, 'started again, it goes on from there');
is(value("SELECT count(*) FROM message WHERE subject = 'behind the fence'"), 1, 'the message is there');

# ---- junk -------------------------------------------------------------------------

srand($ENV{ASSAY_SEED} // 15);
my @pieces = ("\r\n", "\n", "\r", '.', "\r\n.\r\n", 'LHLO x', 'MAIL FROM:<a@x>', 'RCPT TO:<b@x>', 'DATA', 'RSET', 'QUIT', 'NOOP', '<', '>', '"', '\\', ' ', "\0", "\xff", ':', 'SIZE=', '99999999999', 'BODY=8BITMIME', 'x' x 5000, '@');
for my $n (1 .. 400)
{
	$c = $n % 2 ? connect_to() : greet();
	say_to($c, join '', map { rand() < 0.8 ? $pieces[ rand @pieces ] : join '', map { chr rand 256 } 1 .. 1 + rand 20 } 1 .. 1 + rand 40) for 1 .. 3;
	# some wait for what is said, some hang up
	code($c, 0.01) if $n % 3 == 0;
}
is(substr((deliver(greet(), mail('after junk')))[0], 0, 3), 250, 'junk: it lives on');

# what nobody waits for any more is not loaded, and SIGTERM answers who is there
$c = greet();
kill 'TERM', $pid;
like(answer($c), qr/^421 4\.3\.2/, 'SIGTERM: told');
waitpid($pid, 0);
is($?, 0, 'SIGTERM: exit code 0') or diag(slurp_file("$dir/kill.err"));
unlike(slurp_file("$dir/kill.err"), qr/error/i, 'nothing went wrong');
done_testing();
