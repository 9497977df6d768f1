# assay_load: what mail services export, files of other kinds, columns of the
# user's own, attached messages, trusted relays, and errors that pass.
use strict;
use warnings;
use AssayLoad;
use Compress::Zlib;
use Encode qw(encode);
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

AssayLoad::start();
my $json = JSON::PP->new->utf8->canonical;

# Load files into a new table; its rows, in the order of their sources
my $tables = 0;

sub loaded
{
	my ($expected, @args) = @_;
	my $table = 't' . ++$tables;
	my ($code, $err) = load('--create-table', '-t', $table, @args);
	is($code, $expected, "exit code $expected") or diag($err);
	return ($err, rows("SELECT * FROM $table ORDER BY id"));
}

my $mail = "From: a\@b.example\nDate: Tue, 5 Mar 2024 08:00:00 +0000\nSubject: s\n\nb\n";

# ---- JSON Lines ----------------------------------------------------------------

# the last line ends without a line end, where a read ends
my $dir = fresh_folder();
foreach my $size (262_143, 262_144, 262_145, 524_288)
{
	my $line = '{"subject":"s","body_text":"' . 'x' x ($size - 30) . '"}';
	is(length($line), $size, "a line of $size bytes");
	my ($err, @rows) = loaded(0, write_file("$dir/$size.jsonl", $line));
	is(scalar @rows, 1, 'is loaded without its line end');
}
my ($err, @rows) = loaded(0, write_file("$dir/two.jsonl", qq({"subject":"a"} {"subject":"b"},{"subject":"c"}\n{"subject":"d"}\n)));
is(join(' ', map { "$_->{source}=$_->{subject}" } @rows), 'two.jsonl#1=a two.jsonl#1.2=b two.jsonl#1.3=c two.jsonl#2=d',
	'several objects on a line are several messages');
($err, @rows) = loaded(0, write_file("$dir/odd.jsonl",
	qq({"subject":["\xff"],"link_texts":[1],"link_hrefs":[{"a":2}],"headers":{"x":[3]}}\n)));
is($rows[0]{subject}, "[\"\x{FFFD}\"]", 'an invalid byte in a list');
is_deeply([ @{ $rows[0] }{qw(link_texts link_hrefs headers)} ], [ ['1'], ['{"a":2}'], { x => ['3'] } ],
	'what is no string is written out');
($err, @rows) = loaded(0, write_file("$dir/none.jsonl", qq({"colour":"red"}\n)));
has_defects($rows[0], qw(no_from no_date no_received guessed_time bad_json), 'an object that is no message');

# ---- services ------------------------------------------------------------------

($err, @rows) = loaded(0, write_file("$dir/graph.jsonl", $json->encode({
	id => 'x', internetMessageId => '<i@g.example>', subject => 's',
	from => { emailAddress => { name => 'Ann', address => 'Ann@G.example' } },
	toRecipients => [ { emailAddress => { address => 'b@g.example' } } ],
	ccRecipients => [ { emailAddress => { address => 'C@g.example' } } ],
	replyTo => [ { emailAddress => { address => 'r@g.example' } } ],
	receivedDateTime => '2024-03-05T08:00:00Z', sentDateTime => '2024-03-05T07:59:58Z',
	body => { contentType => 'html', content => '<p>Pay <a href="http://e.example/">now</a></p>' },
	internetMessageHeaders => [ { name => 'X-A', value => '1' },
		{ name => 'Authentication-Results', value => 'g.example; spf=pass' } ] })));
my %graph = %{ $rows[0] };
is_deeply([ @graph{qw(message_id subject from_addr from_name reply_to recipients received_at body_text urls auth_results defects)} ],
	[ 'i@g.example', 's', 'ann@g.example', 'Ann', 'r@g.example', [ 'b@g.example', 'c@g.example' ], '2024-03-05T08:00:00+00:00',
		'Pay now', ['http://e.example/'], ['Authentication-Results: g.example; spf=pass'], [] ],
	'Microsoft Graph') or diag(explain(\%graph));
is_deeply($graph{headers}, { 'x-a' => ['1'], 'authentication-results' => ['g.example; spf=pass'] }, 'and its headers');

my $raw = encode_base64($mail, '') =~ tr{+/=}{-_}dr;
($err, @rows) = loaded(0, write_file("$dir/gmail.jsonl", $json->encode({ id => '1', raw => $raw, internalDate => '1709625600000' })));
is_deeply([ @{ $rows[0] }{qw(from_addr subject body_text sent_at)} ],
	[ 'a@b.example', 's', "b\n", '2024-03-05T08:00:00+00:00' ], 'Gmail, raw');
# internalDate counts where the message has no time, and only if it is one
my $undated = encode_base64("Subject: s\n\nb\n", '');
($err, @rows) = loaded(0, write_file("$dir/gmail_times.jsonl", join "\n",
	map { $json->encode({ id => '1', raw => $undated, internalDate => $_ }) } '1709625600000', '9223000000000000', '-9223372036854775', '9223372036854775807'));
is(join(' ', map { $_->{received_at} lt '2100' && $_->{received_at} gt '1971' ? substr($_->{received_at}, 0, 4) <=> 2024 : $_->{received_at} } @rows),
	'0 1 1 1', 'Gmail, the time');

($err, @rows) = loaded(0, write_file("$dir/jmap.jsonl", $json->encode({
	id => 'x', messageId => ['i@j.example'], subject => 's', from => [ { name => 'Ann', email => 'a@j.example' } ],
	to => [ { email => 'b@j.example' } ], receivedAt => '2024-03-05T08:00:00Z', sentAt => '2024-03-05T07:00:00Z', size => 99,
	textBody => [ { partId => '1', type => 'text/plain' } ], htmlBody => [ { partId => '2', type => 'text/html' } ],
	bodyValues => { 1 => { value => 'plain' }, 2 => { value => '<b>rich</b>' } } })));
is_deeply([ @{ $rows[0] }{qw(message_id from_addr from_name recipients body_text has_html size_bytes defects)} ],
	[ 'i@j.example', 'a@j.example', 'Ann', ['b@j.example'], 'rich', JSON::PP::true, 99, [] ], 'JMAP') or diag(explain($rows[0]));

# ---- files ---------------------------------------------------------------------

$dir = fresh_folder();
($err, @rows) = loaded(0, write_file("$dir/a.eml", "\xFF\xFE" . encode('UTF-16LE', $mail)),
	write_file("$dir/b.eml", "\xFE\xFF" . encode('UTF-16BE', $mail)), write_file("$dir/c.eml", encode('UTF-16LE', $mail)),
	write_file("$dir/d.eml", $mail =~ tr/\n/\r/r), write_file("$dir/e.emlx", length($mail) . "\n$mail<?xml version=\"1.0\"?>\n"));
is(join(' ', map { "$_->{from_addr}:$_->{subject}:" . $_->{body_text} =~ s/\n/./gr } @rows),
	join(' ', ('a@b.example:s:b.') x 5), 'UTF-16, carriage returns, .emlx');
($err, @rows) = loaded(2, write_file("$dir/a.zst", "\x28\xB5\x2F\xFDxxxxxxxxx"), write_file("$dir/a.bz2", 'BZh91AY&SYxxxxxx'));
is(scalar @rows, 0, 'files that can\'t be unpacked are no messages');
like($err, qr/a.zst": it is compressed by zstd.*a.bz2": it is compressed by bzip2/s, 'and are named');
my $gz = Compress::Zlib::memGzip($mail x 2000 . join '', map { chr(33 + $_ % 90) } map { $_ * $_ } 1 .. 50_000);
($err, @rows) = loaded(2, write_file("$dir/cut.eml.gz", substr($gz, 0, length($gz) - 30)));
like($err, qr/cut.eml.gz" is truncated/, 'a compressed file that stops is told');
like("@{ $rows[0]{defects} }", qr/truncated_message/, 'and noted');
# a message's flags change when it is read, its source does not
my $box = fresh_folder();
write_file("$box/cur/1.x:2,", $mail);
write_file("$box/new/2.x", $mail);
($err, @rows) = loaded(0, $box);
rename "$box/cur/1.x:2,", "$box/cur/1.x:2,RS";
rename "$box/new/2.x", "$box/cur/2.x:2,S";
my ($err2, @rows2) = loaded(0, $box);
is_deeply([ map { $_->{source} } @rows2 ], [ map { $_->{source} } @rows ], 'Maildir: sources stay when flags change');

# ---- options -------------------------------------------------------------------

$dir = fresh_folder();
my $file = write_file("$dir/m.eml", "From: a\@b.example\nSubject: outer\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n"
	  . "--b\nContent-Type: message/rfc822\n\nFrom: c\@d.example\nSubject: inner\n\ny http://e.example/\n--b--\n");
($err, @rows) = loaded(0, $file);
is(scalar @rows, 1, 'an attached message is part of its message');
is_deeply($rows[0]{urls}, ['http://e.example/'], 'and so are its links');
($err, @rows) = loaded(0, '--unwrap', $file);
is(join(' ', map { "$_->{source}:$_->{subject}:$_->{from_addr}" } @rows),
	'm.eml:outer:a@b.example m.eml/1:inner:c@d.example', '--unwrap: it is one of its own, too');
is($rows[1]{body_text} =~ s/\s+$//r, 'y http://e.example/', '--unwrap: its text');

$node->safe_psql('postgres', q{CREATE TABLE own (subject text, tenant_id int NOT NULL, "Tag" text[], at date, label jsonb)});
is(load('-t', 'own', '--column=tenant_id=42', '--column=Tag={a,b}', '--column=at=2024-03-05', '--column=label={"k":1}', $file), 0,
	'--column: loaded');
is_deeply([ rows('SELECT * FROM own') ],
	[ { subject => 'outer', tenant_id => 42, Tag => [ 'a', 'b' ], at => '2024-03-05', label => { k => 1 } } ], '--column: values');
foreach ([ 'tenant_id=x', qr/could not use the value of --column=tenant_id.*invalid input syntax/s ],
	[ 'nothing=1', qr/has no column "nothing" that can be filled/ ], [ 'subject=x', qr/can't fill "subject"/ ],
	[ '=x', qr/must be NAME=VALUE/ ], [ 'x', qr/has no column "x"/ ])
{
	my ($code, $said) = load('-t', 'own', "--column=$_->[0]", $file);
	is($code, 1, "--column=$_->[0] is refused");
	like($said, $_->[1], 'with a reason');
	($code, $said) = load('--create-table', '-t', 'refused', "--column=$_->[0]", $file);
	is($code, 1, "--create-table with --column=$_->[0] is refused");
	is($node->safe_psql('postgres', q{SELECT to_regclass('refused') IS NULL}), 't', 'and leaves no table behind');
}

# fields that fill no column
$node->safe_psql('postgres', 'CREATE TABLE rest (subject text, more jsonb)');
is(load('-t', 'rest', '--rest=more', write_file("$dir/rest.jsonl", qq({"subject":"a","tenant_id":4}\n{"subject":"b"}\n))), 0, '--rest: loaded');
is_deeply([ map { $_->{more} } rows('SELECT * FROM rest ORDER BY subject') ], [ { tenant_id => 4 }, undef ], '--rest: values');

# the source is kept, and can be read again
my $html = "From: a\@b.example\nSubject: h\nContent-Type: text/html; charset=utf-8\n\n<p>gr\xC3\xBCn</p>\n";
my $kept = write_file("$dir/kept.eml", $html);
($err, @rows) = loaded(0, '--keep=html,raw', $kept);
is($rows[0]{html}, "<p>gr\x{FC}n</p>\n", '--keep=html');
is($rows[0]{raw}, '\\x' . unpack('H*', $html), '--keep=raw');
my $again = $node->safe_psql('postgres', "SELECT json_build_object('source', source, 'mailbox', mailbox, 'raw', encode(raw, 'base64')) FROM t$tables");
($err, @rows2) = loaded(0, write_file("$dir/again.jsonl", "$again\n"));
is_deeply([ @{ $rows2[0] }{qw(source subject body_text size_bytes)} ], [ @{ $rows[0] }{qw(source subject body_text size_bytes)} ],
	'what was kept is read again');
is(load('-t', 'own', '--keep=raw', '--column=tenant_id=1', $kept), 1, '--keep needs its column');
is(load('-t', 'own', '--keep=rare', $kept), 1, '--keep: html or raw');

# relays: what the receiving server saw, beyond the own ones
my $hops = "Received: from in.acme.example ([198.51.100.7]) by box.acme.example; Tue, 5 Mar 2024 08:00:02 +0000\n"
  . "Received: from gw.partner.test ([203.0.113.5]) by in.acme.example; Tue, 5 Mar 2024 08:00:01 +0000\n"
  . "Received: from [192.0.2.1] (unknown [203.0.113.66]) by gw.partner.test; Tue, 5 Mar 2024 08:00:00 +0000\n$mail";
$file = write_file("$dir/hops.eml", $hops);
foreach ([ '203.0.113.5' ], [ '203.0.113.66', '203.0.113.5' ], [ '203.0.113.66', '203.0.113.0/27' ],
	[ '203.0.113.66', 'partner.test' ], [ '203.0.113.66', 'gw.partner.test' ], [ '203.0.113.5', 'artner.test' ],
	[ '203.0.113.5', '2001:db8::/32' ], [ '198.51.100.7', '203.0.113.0/24' ])
{
	my ($ip, @trusted) = @$_;
	($err, @rows) = loaded(0, (map { "--trusted=$_" } @trusted), $file);
	is($rows[0]{relay_ip}, $ip, 'relay_ip, trusted: ' . ($trusted[0] // 'none'));
}
foreach ('192.0.2.0/33', '192.0.2.0/', 'x/8', '')
{
	is(load('-n', "--trusted=$_", $file), 1, "--trusted=$_ is refused");
}

# ---- a lock on the table passes ------------------------------------------------

$node->safe_psql('postgres', q{CREATE TABLE locked (subject text)});
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; LOCK TABLE locked');
{
	local $ENV{PGOPTIONS} = '-c lock_timeout=50ms';
	my ($code, $said) = load('-t', 'locked', $file);
	is($code, 75, 'a lock that does not pass: exit code 75') or diag($said);
	like($said, qr/lock timeout/, 'with its reason');
}
$session->query_safe('COMMIT');
$session->quit;

done_testing();
