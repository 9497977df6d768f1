# assay_stream --stdin: each message once, whatever is killed, and what can't be loaded is kept.
use strict;
use warnings;
use AssayLoad;
use IO::Select;
use IO::Socket::INET;
use IPC::Run;
use MIME::Base64;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

program_help_ok('assay_stream');
program_version_ok('assay_stream');
program_options_handling_ok('assay_stream');
foreach my $program (qw(assay_stream assay_load))
{
	foreach my $option (qw(--help --version))
	{
		IPC::Run::run([ 'sh', '-c', "$program $option >/dev/full" ], '>', \my $nothing, '2>', \my $said);
		is($? >> 8, 74, "$program $option that can't be written: exit code 74");
		like($said, qr/^$program: error: could not write to standard output: /, 'with a reason');
	}
}

AssayLoad::start();
sub value { return $node->safe_psql('postgres', shift) }
my $dir = fresh_folder();

# Run it with this input: exit code, stdout and stderr
sub stream
{
	my ($in, @args) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'assay_stream', '-d', $node->connstr('postgres'), '-w', @args ],
		'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(180));
	return ($? & 127 ? "signal " . ($? & 127) : $? >> 8, $out, $err);
}

# Start it on a file, or what is open, and return its process
sub start_on
{
	my ($file, $log, @args) = @_;
	my $pid = fork() // die "fork: $!";
	return $pid if $pid;
	open STDIN, ref $file ? '<&' : '<', $file or POSIX::_exit(99);
	open STDOUT, '>', "$log.out" or POSIX::_exit(99);
	open STDERR, '>', "$log.err" or POSIX::_exit(99);
	exec 'assay_stream', '-d', $node->connstr('postgres'), '-w', @args or POSIX::_exit(99);
}

sub json { return join '', map { qq({"subject":"s$_","from_addr":"a\@b.example","tenant_id":$_}\n) } @_ }
sub acks { return join '', map { "ok $_\n" } @_ }
sub frame { my ($bytes, @words) = @_; return join(' ', length $bytes, @words) . "\n$bytes" }
sub empty { value('TRUNCATE message, assay_offset, assay_dead_letter') }

# ---- usage -------------------------------------------------------------------

my ($code, $out, $err) = stream('', '-q');
is($code, 1, 'no source: exit code 1');
like($err, qr/none of --stdin, --topic, --lmtp was given\n.*--help/, 'no source: a hint');
foreach my $bad (
	[ qr/unknown framing "csv"; it is one of frames, lines/, '--stdin=csv' ],
	[ qr/unknown payload "xml"; it is one of/, '--stdin=lines', '--payload=xml' ],
	[ qr/--first must be a number from 0/, '--stdin=lines', '--first=-1' ],
	[ qr/--offsets goes with --stdin=frames/, '--stdin=lines', '--offsets' ],
	[ qr/--first with --stdin=lines/, '--stdin=frames', '--first=3' ],
	[ qr/-X must be NAME=VALUE/, '--stdin=lines', '-X', 'a' ],
	[ qr/--metrics must be \[ADDRESS:\]PORT/, '--stdin=lines', '--metrics=x:9999' ],
	[ qr/--metrics must be a number from 1 to 65535/, '--stdin=lines', '--metrics=65536' ],
	[ qr/too many arguments/, '--stdin=lines', 'x' ])
{
	my ($message, @args) = @$bad;
	($code, $out, $err) = stream('', @args);
	is($code, 1, "@args is refused");
	like($err, $message, 'with a reason');
}
($code, $out, $err) = stream('', '--stdin=lines');
is($code, 1, 'no table: exit code 1');
like($err, qr/hint: --create-table.*\n.*relation "message" does not exist/, 'no table: a hint');
value('CREATE TABLE plain (subject text)');
($code, $out, $err) = stream('', '--stdin=lines', '-t', 'plain');
like($err, qr/hint: --create-table.*\n.*relation public.assay_offset does not exist/, 'no tables of its own: a hint');

# who may create in the schema may take these names first
value(q{CREATE ROLE planter; GRANT ALL ON SCHEMA public TO planter; SET ROLE planter;
	CREATE TABLE assay_offset (grp text, topic text, part int, next bigint NOT NULL, at timestamptz DEFAULT now(), moved_by text, PRIMARY KEY (grp, topic, part));
	CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted runs as %', current_user; END $$;
	CREATE TRIGGER planted BEFORE INSERT ON assay_offset FOR EACH ROW EXECUTE FUNCTION planted()});
foreach my $how ([ '--create-table' ], [ '-t', 'plain' ])
{
	value('CREATE TABLE IF NOT EXISTS assay_dead_letter (); CREATE TABLE IF NOT EXISTS assay_stream ()') if $how->[0] eq '-t';
	($code, $out, $err) = stream(json(1), '--stdin=lines', @$how);
	is($code, 1, "somebody else's table, @$how");
	like($err, qr/hint: give it to the owner.*\n.*table public.assay_offset belongs to role "planter"/, 'is not written');
}
value('DROP OWNED BY planter; DROP ROLE planter; DROP TABLE IF EXISTS message, assay_dead_letter, assay_stream');

# ---- lines and frames ----------------------------------------------------------

($code, $out, $err) = stream(json(1 .. 25), '--stdin=lines', '--create-table', '--batch-size=10');
is($code, 0, 'lines') or diag($err);
is($out, "next 0\n" . acks(0 .. 24), 'each is acknowledged');
like($err, qr/25 messages loaded/, 'and counted');
is(value("SELECT string_agg(subject, ' ' ORDER BY id), min(source), max(from_addr) FROM message"),
	join(' ', map { "s$_" } 1 .. 25) . '|stdin/0#0|a@b.example', 'they are there, in order');
is(value('SELECT grp, topic, part, next FROM assay_offset'), 'assay|stdin|0|25', 'the fence moved');
is(value('SELECT count(DISTINCT xmin::text) FROM message'), '3', 'a batch is a transaction');
is(value('SELECT state, loaded, dead, lag IS NULL FROM assay_stream'), 'stopped|25|0|t', 'the status table');
($code, $out) = stream(json(26), '--stdin=lines');
is($out, "next 25\nok 25\n", 'the next run goes on');

value('ALTER TABLE message ADD tenant_id int, ADD region text');
my $mail = "From: x\@y.example\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\nnul \0 and body\r\n";
empty();
($code, $out, $err) = stream(
	frame($mail, 'tenant_id=7', 'region=a%20b%3D') . frame($mail) . frame(json(3), 'tenant_id=9') . frame(json(4)) . frame(''),
	'--stdin=frames', '--column=tenant_id', '--column=region');
is($code, 0, 'frames') or diag($err);
is($out, "next 0\n" . acks(0 .. 4), 'each is acknowledged');
is(value(q{SELECT string_agg(coalesce(subject, '-') || coalesce(tenant_id::text, '-') || coalesce(region, '-') , ' ' ORDER BY id) FROM message}),
	'grüße7a b= grüße-- s39- s44- ---', 'headers fill columns, before fields of JSON');
is(value('SELECT size_bytes FROM message ORDER BY id LIMIT 1'), length($mail), 'bytes are counted');

# fields that fill no column
value('ALTER TABLE message ADD more jsonb, ADD plain json, ADD n8 bigint, ADD n2 smallint, ADD short varchar(3)');
empty();
my @rest = (
	'{"subject":"a","tenant_id":4,"score":1.50,"nested":{"x":[1,"\\u0000\\n\\ud83d\\ude00",null,true]},"":{}}',
	'{"subject":"b"}', '{"subject":"c","nan":NaN,"big":1e999,"many":123456789012345678901234567890,"bad":"' . "\xff" . '"}',
	'{"internetMessageId":"<i@x>","subject":"d","categories":["Red"],"body":{"contentType":"text","content":"hi"}}',
	'{"raw":"' . encode_base64($mail, '') . '","labelIds":["INBOX"],"threadId":"t1","internalDate":"1700000000000"}',
	'{"receivedAt":"2026-01-01T00:00:00Z","from":[{"email":"f@x.example"}],"keywords":{"$seen":true},"subject":"f"}', $mail);
($code, $out, $err) = stream(join('', map { frame($_) } @rest), '--stdin=frames', '--rest=more', '--column=tenant_id');
is($code, 0, '--rest') or diag($err);
is(value('SELECT string_agg(coalesce(more::text, \'-\'), E\'\n\' ORDER BY id) FROM message'), join("\n",
	qq({"": {}, "score": 1.50, "nested": {"x": [1, "\xf0\x9f\x98\x80", null, true]}}) =~ s/"\xf0/"\\n\xf0/r,
	'-', qq({"bad": "\xef\xbf\xbd", "big": null, "nan": null, "many": null}), '{"categories": ["Red"]}',
	'{"labelIds": ["INBOX"], "threadId": "t1"}', '{"keywords": {"$seen": true}}', '-'), 'what fills no column is kept');
stream($rest[0] . "\n", '--stdin=lines', '--rest=plain');
is(value('SELECT plain->>\'tenant_id\' FROM message WHERE plain IS NOT NULL'), '4', 'in json, too');
foreach my $bad ([ 'nothing', qr/has no column "nothing" of type jsonb/ ], [ 'region', qr/has no column "region" of type jsonb/ ],
	[ 'headers', qr/--rest can't fill "headers"/ ], [ '', qr/--rest must be the name of a column/ ],
	[ 'more', qr/--rest and --column both name "more"/, '--column=more' ])
{
	($code, $out, $err) = stream('', '--stdin=lines', "--rest=$bad->[0]", @$bad[ 2 .. $#$bad ]);
	is($code, 1, "--rest=$bad->[0] is refused");
	like($err, $bad->[1], 'with a reason');
}
empty();
# integers and text need no server, others do; what is none is a defect
my @numbers = ('9223372036854775807', '-9223372036854775808', '9223372036854775808', '" 7 "', '"0x1g"', '1.5', '""', 'true', '12');
stream(join('', map { qq({"subject":"s","n8":$_,"tenant_id":$_,"n2":$_,"short":$_}\n) } @numbers), '--stdin=lines', map { "--column=$_" } qw(n8 tenant_id n2 short));
is(value('SELECT string_agg(concat_ws(\'/\', coalesce(n8::text, \'-\'), coalesce(tenant_id::text, \'-\'), coalesce(n2::text, \'-\'), coalesce(short, \'-\'), \'bad_field\' = ANY (defects)), \' \' ORDER BY id) FROM message'),
	'9223372036854775807/-/-/922/t -9223372036854775808/-/-/-92/t -/-/-/922/t 7/7/7/ 7 /f -/-/-/0x1/t -/-/-/1.5/t -/-/-//t -/-/-/tru/t 12/12/12/12/f',
	'values of columns of any type');

empty();
(my $url = encode_base64($mail, '')) =~ tr{+/=}{-_}d;
($code, $out, $err) = stream(frame(encode_base64($mail)) . frame($url) . frame('no base64!') . frame('QQ=Q'),
	'--stdin=frames', '--payload=base64');
is($code, 0, 'base64') or diag($err);
is(value('SELECT count(*) FROM message WHERE subject = \'grüße\' AND size_bytes = ' . length $mail), '2', 'of both kinds');
is(value('SELECT count(*) FROM assay_dead_letter WHERE error = \'the message is no base64\' AND sqlstate IS NULL'), '2', 'and none');
like($out, qr/^dead 2 the message is no base64\ndead 3 /m, 'which is told');

empty();
($code, $out, $err) = stream(frame('x' x 3000, 5) . frame($mail, 9, 'a=b') . frame($mail, 12), '--stdin=frames', '--offsets', '--max-message=1k');
is($out, "next 0\n" . acks(5, 9, 12), 'frames with offsets, which may have gaps') or diag($err);
is(value('SELECT size_bytes, length(body_text) <= 1024, \'truncated_message\' = ANY (defects) FROM message ORDER BY id LIMIT 1'),
	'3000|t|t', 'one is cut');
($code, $out, $err) = stream(frame($mail, 9) . frame($mail, 12) . frame($mail, 13), '--stdin=frames', '--offsets');
is($out, "next 13\n" . acks(9, 12, 13), 'what was committed is acknowledged again');
like($err, qr/1 messages loaded .*, 2 were there already/, 'and not loaded again');
is(value('SELECT count(*), max(source) FROM message'), '4|stdin/0#9', 'so it is');

# Input that makes no sense ends it, with what came before
foreach my $bad ("x\n", "-1\n", "5 7\n12345", "5 a=%zz\n12345", "5 =b\n12345", '3', "10\n123", 'y' x 70000, "99999999999999999999\n")
{
	empty();
	($code, $out, $err) = stream(frame($mail) . $bad, '--stdin=frames');
	is($code, 1, 'a frame that is none: exit code 1');
	is($out, "next 0\nok 0\n", 'what came before is loaded');
	like($err, qr/error: .* at offset [12]/, 'a message');
}
# a line before a frame has 65,536 bytes at most
foreach my $n (65536, 65537)
{
	empty();
	($code, $out, $err) = stream(length($mail) . ' a=' . 'y' x ($n - length(length $mail) - 3) . "\n$mail", '--stdin=frames');
	is($code, $n > 65536 ? 1 : 0, "a line of $n bytes before a frame");
	is($out, $n > 65536 ? "next 0\n" : "next 0\nok 0\n", $n > 65536 ? 'is too long' : 'is taken');
}
# a line that is a message is cut at --max-message, be it a byte too long or more than is read at once
foreach my $n (1024, 1025, 1024 + 700_000)
{
	foreach my $end ("\n", "\r\n")
	{
		empty();
		($code, $out, $err) = stream('x' x $n . $end . json(1), '--stdin=lines', '--max-message=1k', '--payload=mail');
		is("$code $out", "0 next 0\nok 0\nok 1\n", "a line of $n bytes") or diag($err);
		is(value(q{SELECT size_bytes, length(body_text), 'truncated_message' = ANY (defects) FROM message ORDER BY id LIMIT 1}),
			"$n|1024|" . ($n > 1024 ? 't' : 'f'), $n > 1024 ? 'is cut' : 'is whole');
	}
}
empty();
($code, $out, $err) = stream(frame($mail, 5) . frame($mail, 5), '--stdin=frames', '--offsets');
is("$code $out", "1 next 0\nok 5\n", 'offsets must rise');
empty();
($code, $out, $err) = stream(json(1) . '{"subject":', '--stdin=lines');
is("$code $out", "1 next 0\nok 0\n", 'a line without an end is not loaded');
($code, $out, $err) = stream(json(1), '--stdin=lines', '--first=2');
like($err, qr/--first=2 would leave out messages: offset 1 is expected/, '--first leaves nothing out');

# Anything at all may come as a message: it is a row, or a dead letter
srand($ENV{ASSAY_SEED} // 15);
my @pieces = ('{', '}', '[', ']', '"', ':', ',', '\\', '\\u', "\0", "\xff\xfe", "\n", "\r\n\r\n", 'null', '1e999', '"raw":"', '"from":[{"email":', '"body":{"content":',
	'"headers":{"a":[', "From: <a\@b>\n", "Content-Type: multipart/mixed; boundary=x\n\n--x\n", '=?utf-8?q?', 'QUFB', '=', '-', '_', '"subject":');
foreach my $payload ('auto', 'mail', 'base64', 'json')
{
	empty();
	my @junk = map { join '', map { rand() < 0.9 ? $pieces[ rand @pieces ] : chr rand 256 } 1 .. rand 60 } 1 .. 300;
	($code, $out, $err) = stream(join('', map { frame($_) } @junk), '--stdin=frames', "--payload=$payload", '--rest=more', '--column=tenant_id');
	is($code, 0, "junk ($payload)") or diag($err);
	is(value('SELECT (SELECT count(*) FROM message) + count(*) FROM assay_dead_letter'), '300', 'each is a row or a dead letter');
}

# ---- what can't be loaded ------------------------------------------------------

value(q{ALTER TABLE message ADD CONSTRAINT no_3 CHECK (subject NOT LIKE '%3')});
foreach my $size (1, 7, 1000)
{
	empty();
	($code, $out, $err) = stream(json(1 .. 30), '--stdin=lines', "--batch-size=$size");
	is($code, 0, "refused messages (batches of $size)") or diag($err);
	is(value('SELECT count(*) FROM message'), '27', 'the others are loaded');
	is(join(' ', $out =~ /^dead (\d+) new row .* violates check constraint "no_3"$/mg), '2 12 22', 'each is told');
	is(() = $out =~ /^ok/mg, 27, 'the others are acknowledged');
	is(value(q{SELECT string_agg(message_offset || convert_from(payload, 'UTF8') || sqlstate || size_bytes, '' ORDER BY message_offset) FROM assay_dead_letter}),
		join('', map { my $j = json($_); chomp $j; ($_ - 1) . $j . '23514' . length $j } 3, 13, 23), 'and kept');
	is(value('SELECT next FROM assay_offset'), '30', 'the fence is behind them');
	is(value('SELECT count(*) FROM message a JOIN message b ON a.id < b.id AND a.tenant_id > b.tenant_id'), '0', 'in order');
}
empty();
($code, $out, $err) = stream(frame("{\"subject\":\"x3\"}\0\xff", 'a=b%22'), '--stdin=frames');
is(value('SELECT encode(payload, \'escape\'), headers FROM assay_dead_letter'), '{"subject":"x3"}\000\377|{"a": "b\""}', 'any bytes, with headers');
is(value('SELECT error FROM assay_dead_letter'), 'the message holds more than one object of JSON', 'two objects are not one');

empty();
($code, $out, $err) = stream(json(1, map { 3 } 1 .. 10), '--stdin=lines', '--max-dead=4', '--batch-size=3');
is($code, 1, '--max-dead: exit code 1');
like($err, qr/hint: --max-dead .*\n.*stopped at "stdin\/0#5", since the server refused the 4 messages before it, too: new row/, 'with a reason');
is($out =~ s/ new row.*//mgr, "next 0\nok 0\ndead 1\ndead 2\ndead 3\ndead 4\n", 'what was done is acknowledged');
is(value('SELECT next FROM assay_offset'), '5', 'and the rest is not lost');
($code) = stream(json((map { 3 } 1 .. 4), 1, (map { 3 } 1 .. 4)), '--stdin=lines', '--max-dead=4');
is($code, 0, 'as many are allowed, and again after one that is good');
value('ALTER TABLE message DROP CONSTRAINT no_3');

# refused at COMMIT, not before
value(q{CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN IF new.subject = 's5' THEN PERFORM 1/0; END IF; RETURN new; END$$;
	CREATE CONSTRAINT TRIGGER c AFTER INSERT ON message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()});
empty();
($code, $out, $err) = stream(json(1 .. 9), '--stdin=lines');
is($code, 0, 'a deferred trigger');
is($out, join('', "next 0\n", acks(0 .. 3), "dead 4 division by zero\n", acks(5 .. 8)), 'finds its message, too');
is(value('SELECT count(*), min(fenced) FROM message, assay_stream'), '8|0', 'the others are loaded');
value('DROP TRIGGER c ON message');

# what passes by itself
value(q{CREATE SEQUENCE tries; CREATE FUNCTION sometimes() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN IF nextval('tries') <= 3 THEN RAISE SQLSTATE '40001'; END IF; RETURN NULL; END$$;
	CREATE TRIGGER t AFTER INSERT ON message FOR EACH STATEMENT EXECUTE FUNCTION sometimes()});
empty();
($code, $out, $err) = stream(json(1 .. 9), '--stdin=lines');
is($out, "next 0\n" . acks(0 .. 8), 'serialization failures are tried again');
is(value('SELECT count(*), count(DISTINCT subject) FROM message'), '9|9', 'and loaded once');
value('DROP TRIGGER t ON message');

# what takes too long is tried again; what does so each time is to blame
value(q{CREATE SEQUENCE slow; CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN IF new.subject = 's5' AND nextval('slow') <= 6 OR new.subject = 's7' THEN PERFORM pg_sleep(10); END IF; RETURN new; END$$;
	CREATE TRIGGER t BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION slowly()});
empty();
{
	local $ENV{PGOPTIONS} = '-c statement_timeout=1s';
	($code, $out, $err) = stream(json(1 .. 9), '--stdin=lines');
}
is($code, 0, 'statement_timeout') or diag($err);
is($out, join('', "next 0\n", acks(0 .. 5), "dead 6 canceling statement due to statement timeout\n", acks(7 .. 8)), 'finds what takes too long each time');
is(value('SELECT count(*), count(DISTINCT subject), (SELECT count(*) FROM assay_dead_letter) FROM message'), '8|8|1', 'and nothing else');
value('DROP TRIGGER t ON message');

value('CREATE ROLE reader LOGIN; GRANT SELECT, INSERT, UPDATE ON assay_offset, assay_stream TO reader; GRANT SELECT ON message TO reader');
empty();
($code, $out, $err) = stream(json(1), '--stdin=lines', '-U', 'reader');
is($code, 1, 'no privilege: exit code 1');
like($err, qr/permission denied for table message/, 'no privilege: a message');

# ---- kills, restarts, zombies ---------------------------------------------------

srand($ENV{ASSAY_SEED} // 15);
my $many = 8000;
my $file = write_file("$dir/many.jsonl", json(1 .. $many));

# Is each message there once, and does the fence stand behind them?
sub each_once
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value('SELECT count(*), count(DISTINCT subject), (SELECT next FROM assay_offset) FROM message'), "$many|$many|$many", $name);
}

# Start it on as many lines of the file as the limit says, which may grow: it doesn't come to the end before
my %feeder;
sub limit
{
	my ($log, $lines) = @_;
	unlink "$log.new";
	rename write_file("$log.new", $lines), "$log.limit" or die "$log.limit: $!";
	return;
}
sub start_fed
{
	my ($log, @args) = @_;
	pipe(my $from, my $to) or die "pipe: $!";
	my $feeder = fork() // die "fork: $!";
	if (!$feeder)
	{
		# what dies here must not end the test's server
		eval {
			close $from;
			open my $lines, '<', $file or die;
			$to->autoflush(1);
			for (my $n = 0; $n < $many;)
			{
				for (my $limit = slurp_file("$log.limit"); $n < $limit; $n++) { print $to scalar <$lines> or die }
				sleep(0.002);
			}
		};
		POSIX::_exit(0);
	}
	close $to;
	my $pid = start_on($from, $log, @args);
	$feeder{$pid} = $feeder;
	return $pid;
}
sub end_fed
{
	my ($pid, $signal) = @_;
	kill $signal, $pid if $signal;
	waitpid($pid, 0);
	my $status = $?;
	kill 'KILL', $feeder{$pid};
	waitpid(delete $feeder{$pid}, 0);
	return $status;
}

empty();
my $kills = 0;

# Wait until the output has grown by so many bytes; false where the process came to its end before, or does not go on
sub grown
{
	my ($pid, $out, $bytes) = @_;
	my $from = -s $out // 0;
	my $until = time() + 180;
	while ((-s $out // 0) < $from + $bytes)
	{
		return 0 if time() > $until || waitpid($pid, POSIX::WNOHANG()) != 0;
		sleep(0.001);
	}
	return 1;
}
my $pid;
for (1 .. 10)
{
	unlink "$dir/kill.out";
	my $next = value('SELECT coalesce(max(next), 0) FROM assay_offset');
	limit("$dir/kill", $next + 700);
	$pid = start_fed("$dir/kill", '--stdin=lines', '--first=0', '--batch-size=40');
	# it says "ok" for each message that is there already, then goes on
	grown($pid, "$dir/kill.out", 8 * $next) or die 'it does not go on: ' . slurp_file("$dir/kill.err");
	sleep(rand(0.03));
	$kills++ if end_fed($pid, 'KILL') == 9;
}
is($kills, 10, 'it was killed');
$pid = start_on($file, "$dir/kill", '--stdin=lines', '--first=0', '--batch-size=40');
waitpid($pid, 0);
is($?, 0, "$kills kills: it comes to the end");
each_once("$kills kills: 0 lost, 0 doubled");
is(slurp_file("$dir/kill.out") =~ s/^next \d+\n//r, acks(0 .. $many - 1), 'all are acknowledged');

# the server goes away while it works, twice, and comes back
empty();
limit("$dir/restart", 3000);
$pid = start_fed("$dir/restart", '--stdin=lines', '--first=0', '--batch-size=20');
foreach ([ 'immediate', 100, 6000 ], [ 'fast', 3000, $many ])
{
	my ($mode, $come, $limit) = @$_;
	$node->poll_query_until('postgres', "SELECT coalesce(max(next), 0) > $come FROM assay_offset") or die 'it does not go on';
	$node->stop($mode);
	# some come meanwhile
	limit("$dir/restart", $limit);
	sleep(0.3);
	$node->start;
}
is(end_fed($pid), 0, 'server restarts: it comes to the end') or diag(slurp_file("$dir/restart.err"));
each_once('server restarts: 0 lost, 0 doubled');
is(slurp_file("$dir/restart.out"), "next 0\n" . acks(0 .. $many - 1), 'server restarts: each is acknowledged once');
like(slurp_file("$dir/restart.err"), qr/can't load for now: /, 'server restarts: told');

# one stops, another takes over, the first goes on
empty();
my $zombies = 0;
limit("$dir/zombie", 0);
my $zombie = start_fed("$dir/zombie", '--stdin=lines', '--first=0', '--batch-size=25', '--instance=zombie');
for my $n (1 .. 10)
{
	# each gets more than what the other has come to at the most
	limit("$dir/zombie", 700 * $n);
	grown($zombie, "$dir/zombie.out", 200) or die 'the zombie does not go on: ' . slurp_file("$dir/zombie.err");
	sleep(rand(0.01));
	kill 'STOP', $zombie;
	limit("$dir/heir", 700 * $n + 350);
	unlink "$dir/heir.out";
	my $next = value('SELECT coalesce(max(next), 0) FROM assay_offset');
	my $heir = start_fed("$dir/heir", '--stdin=lines', '--first=0', '--batch-size=30', '--instance=heir');
	$zombies++ if grown($heir, "$dir/heir.out", 8 * $next + 400) && end_fed($heir, 'KILL') == 9;
	kill 'CONT', $zombie;
}
limit("$dir/zombie", $many);
end_fed($zombie);
is($zombies, 10, 'there were zombies');
each_once("$zombies zombies: 0 lost, 0 doubled");
like(slurp_file("$dir/zombie.out"), qr/^ok @{[ $many - 1 ]}$/m, 'the zombie came to the end');
cmp_ok(value('SELECT fenced FROM assay_stream WHERE instance = \'zombie\''), '>', 0, 'and was fenced');

# where numbers are its own, another instance must not be taken for it
empty();
my ($in, $o, $e) = ('', '', '');
my $run = IPC::Run::start([ 'assay_stream', '-d', $node->connstr('postgres'), '--stdin=lines' ], \$in, \$o, \$e, IPC::Run::timeout(600));
$in .= json(1 .. 3);
$run->pump until $o =~ /ok 2/;
stream(json(4 .. 5), '--stdin=lines');
$in .= json(6 .. 7);
$run->finish;
is($run->result(0), 1, 'two that number for themselves: the first ends');
like($e, qr/another instance works on group "assay", topic "stdin", part 0: it moved from 3 to 5/, 'with a reason');
is($o, "next 0\n" . acks(0 .. 2), 'and acknowledges only its own');
is(value("SELECT string_agg(subject, ' ' ORDER BY id) FROM message"), 's1 s2 s3 s4 s5', 'nothing else is there');

# SIGTERM finishes what was taken; metrics tell meanwhile
empty();
my $port = free_port();
($in, $o, $e) = ('', '', '');
$run = IPC::Run::start([ 'assay_stream', '-d', $node->connstr('postgres'), '--stdin=lines', '--linger=20', "--metrics=$port" ],
	\$in, \$o, \$e, IPC::Run::timeout(600));
$in .= json(1 .. 3);
$run->pump until $o =~ /ok 2/;

sub get
{
	my ($path) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) or return "$!";
	print $socket "GET $path HTTP/1.1\r\nHost: x\r\n\r\n";
	return join '', <$socket>;
}
for (1 .. 100)
{
	last if get('/metrics') =~ /^assay_stream_messages_total 3$/m;
	$run->pump_nb;
	sleep(0.1);
}
like(get('/metrics'), qr/^HTTP\/1.1 200 OK\r\n.*^# TYPE assay_stream_messages_total counter\nassay_stream_messages_total 3\n.*^assay_stream_server_up 1$/ms, 'metrics');
unlike(get('/metrics'), qr/stream_lag/, 'none that is not known');
# who connects and says nothing keeps nobody waiting
my @silent = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) } 1 .. 40;
my $asker = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
print $asker "GET /healthz HTTP/1.1\r\n\r\n";
ok(IO::Select->new($asker)->can_read(30), 'not behind 40 others that are silent');
like(join('', <$asker>), qr/^HTTP\/1.1 200 OK/, 'healthy');
close $_ foreach @silent;
# 32 may be silent at once: one more takes the place of the first; who takes longer to look than they may be silent looks again
my $closed = '';
for (1 .. 20)
{
	my $since = time();
	my @asking = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) } 1 .. 33;
	IO::Select->new($asking[0])->can_read(30);
	my @ended = IO::Select->new(@asking)->can_read(0);
	$closed = scalar(@ended) . (@ended && $ended[0] == $asking[0] ? ', the first' : '');
	last if time() - $since < 1.5;
}
is($closed, '1, the first', 'of 33 that are silent');
like(get('/healthz'), qr/^HTTP\/1.1 200 OK\r\n.*\r\n\r\nok\n$/s, 'it is well');
like(get('/etc/passwd'), qr/^HTTP\/1.1 404 /, 'and nothing else');
($code, undef, $err) = stream('', '--stdin=lines', "--metrics=$port");
like($err, qr/could not listen on $port for --metrics: Address already in use/, 'a port that is taken');
$in .= json(4 .. 5) . '{"half';
$run->pump until $o =~ /ok 4/;
$run->signal('TERM');
$run->finish;
is($run->result(0), 0, 'SIGTERM: exit code 0') or diag($e);
is($o, "next 0\n" . acks(0 .. 4), 'SIGTERM: all is acknowledged');
is(value('SELECT count(*), (SELECT next FROM assay_offset) FROM message'), '5|5', 'SIGTERM: and there');
is(value("SELECT state FROM assay_stream WHERE loaded = 5"), 'stopped', 'SIGTERM: which the table says');

# SIGTERM while the server is away: nothing is lost, since nothing is acknowledged
empty();
($in, $o, $e) = ('', '', '');
$run = IPC::Run::start([ 'assay_stream', '-d', $node->connstr('postgres'), '--stdin=lines' ], \$in, \$o, \$e, IPC::Run::timeout(600));
$run->pump until $o =~ /next 0/;
$node->stop('fast');
$in .= json(1 .. 2);
$run->pump until $e =~ /server is away/;
$run->signal('TERM');
$run->finish;
is($run->result(0), 75, 'SIGTERM without a server: exit code 75');
like($e, qr/stopped before 2 messages that had come could be committed/, 'with a reason');
is($o, "next 0\n", 'and nothing acknowledged');
$node->start;

# a stream that is closed is not the connection to the server
foreach my $closed ([ '<&-', 'reading' ], [ '>&-', 'writing' ], [ '<&- >&- 2>&-', 'both' ])
{
	IPC::Run::run([ 'sh', '-c', "assay_stream -d '" . $node->connstr('postgres') . "' -w -q --no-progress --stdin=lines --topic=closed $closed->[0]" ],
		'<', \"{\"subject\": \"closed\"}\n", '>', \my $ignored, '2>', \my $said, IPC::Run::timeout(60));
	is($? >> 8, 1, "standard streams that are closed: $closed->[1]");
}

done_testing();
