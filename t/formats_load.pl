# assay_load: mbox, Maildir, folders, JSON Lines, gzip, standard input.
use strict;
use warnings;
use utf8;
use Compress::Zlib qw(memGzip);
use AssayLoad;
use IPC::Run;
use POSIX ();
use File::Path qw(make_path);
use JSON::PP;
use Test::More;

AssayLoad::start();

sub message
{
	my ($subject, $body) = @_;
	return "From: a\@b.example\nReceived: x; Thu, 22 Aug 2002 12:36:23 +0000\n"
	  . "Date: Thu, 22 Aug 2002 12:36:23 +0000\nSubject: $subject\n\n$body";
}

# Load into a new table; returns its rows in order
my $tables = 0;

sub table_of
{
	my ($expected, @args) = @_;
	my $opt = ref $args[0] ? shift @args : {};
	my $table = 'f' . $tables++;
	my ($code, $err) = load($opt, '--create-table', '-t', $table, @args);
	is($code, $expected, "exit code of @args") or diag($err);
	my @rows = rows("SELECT * FROM $table ORDER BY id");
	return ($err, @rows);
}

sub sources { return join ' ', map { $_->{source} } @_ }
sub subjects { return join ' ', map { $_->{subject} // '-' } @_ }
my $from_line = "From someone\@example.com Thu Aug 22 12:36:23 2002\n";

# ---- mbox --------------------------------------------------------------------

my $dir = fresh_folder();
my $mbox = $from_line . message('one', ">From quoted\n>>From twice\nFrom here on, prose\n\nFrom here too\nNote: no separator\n\n")
  . $from_line . message('two', "last line\n")
  # no empty line, but a header follows
  . $from_line . message('three', "x\n\n") . "From - Sat Jan  3 01:05:34 1996\n" . message('four', '')
  . "\n" . "From a\@b.example Thu Aug 22 12:36 EDT 2002\n" . message('five', "y\n\n");
my $file = write_file("$dir/inbox.mbox", $mbox);
my ($err, @rows) = table_of(0, $file);
is(sources(@rows), join(' ', map { "inbox.mbox#$_" } 1 .. 5), 'mbox: ordinals');
is(subjects(@rows), 'one two three four five', 'mbox: separators');
is($rows[0]{body_text}, "From quoted\n>From twice\nFrom here on, prose\n\nFrom here too\nNote: no separator\n",
	'mbox: quoting is undone, prose is no separator');
is($rows[1]{size_bytes}, length(message('two', "last line\n")), 'mbox: the size of the message');
is($rows[4]{size_bytes}, length(message('five', "y\n")), 'mbox: the size without the last empty line');
is(join(' ', map { $_->{mailbox} } @rows), 'inbox inbox inbox inbox inbox', 'mbox: mailbox');
ok(!grep({ @{ $_->{defects} } } @rows), 'mbox: no defects');
like($err, qr/^assay_load: 5 messages loaded in [\d.]+ s \(\d+\/s\)$/m, 'count and rate');

(my $crlf = $mbox) =~ s/\n/\r\n/g;
($err, @rows) = table_of(0, write_file("$dir/crlf.mbox", $crlf));
is(subjects(@rows), 'one two three four five', 'mbox: CRLF');
is($rows[0]{body_text}, "From quoted\n>From twice\nFrom here on, prose\n\nFrom here too\nNote: no separator\n",
	'mbox: CRLF in the body');

($err, @rows) = table_of(0, write_file("$dir/dateless", "From x\n" . message('one', "a\n\n") . "From y\n" . message('two', "From z\nb\n")));
is(subjects(@rows), 'one two', 'mbox: separators without a date');

# a header with a blank before its colon is no separator
foreach my $name ('first.eml', 'first.mbox', 'first')
{
	($err, @rows) = table_of(0, write_file("$dir/$name", "From : a\@b.example\nSubject: one\n\nb\n"));
	is(join('|', map { "$_->{from_addr} $_->{subject}" } @rows), 'a@b.example one', "From : in $name");
}

# Content-Length may lie
(my $lying = $mbox) =~ s/^Subject: (one|two)$/Subject: $1\nContent-Length: 100000/mg;
($err, @rows) = table_of(0, write_file("$dir/lying.mbox", $lying));
is(subjects(@rows), 'one two three four five', 'mbox: Content-Length is not believed');

($err, @rows) = table_of(0, '--format=mbox', write_file("$dir/no_from", message('one', "a\n\n") . $from_line . message('two', '')));
is(subjects(@rows), 'one two', 'mbox without a From_ line');
has_defects($rows[0], 'no_from_line', 'it is noted');
has_defects($rows[1], 'no defect on the next');

($err, @rows) = table_of(0, '--format=mbox', write_file("$dir/from_line_date", $from_line . "Subject: s\n\nb\n"));
is($rows[0]{received_at}, '2002-08-22T12:36:23+00:00', 'mbox: the time of the separator as a last resort');
has_defects($rows[0], qw(no_from no_date no_received guessed_time), 'it is noted');

my $many = join '', map { $from_line . message("m$_", "body $_\n\n") } 1 .. 1500;
($err, @rows) = table_of(0, write_file("$dir/many.mbox.gz", memGzip($many)));
is(scalar @rows, 1500, 'mbox.gz: all messages');
is($rows[1499]{subject}, 'm1500', 'mbox.gz: in order');
is($rows[0]{mailbox}, 'many', 'mbox.gz: mailbox');
is(scalar(grep { $_->{body_text} ne "body " . substr($_->{subject}, 1) . "\n" } @rows), 0, 'mbox.gz: bodies');

($err, @rows) = table_of(0, { stdin => $mbox }, '-');
is(sources(@rows), '-#1 -#2 -#3 -#4 -#5', 'standard input');
($err, @rows) = table_of(0, { stdin => message('one', '') }, '--mailbox=box', '-');
is("@{[sources(@rows)]} $rows[0]{mailbox}", '- box', 'standard input: one message, --mailbox');

# ---- folders -----------------------------------------------------------------

$dir = fresh_folder();
write_file("$dir/b/2.txt", $from_line . message('b2', $from_line . "Subject: quoted\n\n"));
write_file("$dir/b/1.eml", message('b1', ''));
write_file("$dir/b/1.json", '{"subject": "metadata"}');
write_file("$dir/b/c/no-suffix", message('c', ''));
write_file("$dir/a.eml.gz", memGzip(message('a', '')));
write_file("$dir/README", "Note: read this\nFrom here on\n");
write_file("$dir/prose", "From here on it is prose,\nand more prose\n");
write_file("$dir/image.png", "\x89PNG\r\n\x1a\n\0\0\0");
write_file("$dir/empty", '');
write_file("$dir/empty.eml", '');
write_file("$dir/junk.eml", "\0\1\2junk");
write_file("$dir/z", $from_line . message('z1', "\n") . $from_line . message('z2', ''));
write_file("$dir/.hidden.eml", message('hidden', ''));
symlink '..', "$dir/b/loop";
($err, @rows) = table_of(0, $dir);
is(sources(@rows), 'a.eml.gz b/1.eml b/2.txt b/c/no-suffix empty.eml junk.eml z#1 z#2', 'folder: what is mail');
is(subjects(@rows), 'a b1 b2 c - - z1 z2', 'folder: subjects');
is(join(' ', map { $_->{mailbox} // '-' } @rows), '- b b b/c - - - -', 'folder: mailbox');
like($err, qr/, 5 files skipped$/m, 'folder: skipped files are counted');
has_defects($rows[4], qw(empty no_headers no_from no_date no_received guessed_time), 'empty file');
is($rows[5]{body_text}, "\1\2junk", 'binary junk is kept, but NUL');
($err, @rows) = table_of(0, '-vv', $dir);
like($err, qr/skipping "[^"]*README"/, '-vv names the skipped files');

($err, @rows) = table_of(0, '--format=eml', $dir);
is(scalar(grep { $_->{source} eq 'z' } @rows), 1, '--format=eml: an mbox is one message');
ok(scalar(grep { $_->{source} eq 'README' } @rows), '--format=eml: everything is a message');

# ---- Maildir -----------------------------------------------------------------

$dir = fresh_folder();
make_path("$dir/box/$_", "$dir/box/.Sent/$_") for qw(cur new tmp);
write_file("$dir/box/cur/1:2,S", message('seen', ''));
write_file("$dir/box/new/2", message('new', ''));
write_file("$dir/box/tmp/3", message('tmp', ''));
write_file("$dir/box/dovecot.index", 'Subject: no mail');
write_file("$dir/box/.Sent/cur/4:2,", message('sent', ''));
($err, @rows) = table_of(0, "$dir/box");
is(sources(@rows), '1 2 .Sent/4', 'Maildir: sources, which do not change as messages are read');
is(subjects(@rows), 'seen new sent', 'Maildir: messages');
is($rows[2]{mailbox}, 'Sent', 'Maildir: subfolder');
($err, @rows) = table_of(0, $dir);
is($rows[0]{source}, 'box/1', 'a Maildir in a folder');

# A program that reads mail works on it meanwhile: what moves from new to cur, and what is
# marked, is there once.  The loader waits for the table with its first message until that is done.
{
	my $box = fresh_folder() . '/live';
	write_file("$box/$_", "From: a\@b.example\nSubject: " . substr($_, 4, 1) . "\n\nx\n") foreach 'cur/0', 'cur/1:2,S', 'cur/3', 'new/2', 'new/4';
	my @load = ('assay_load', '-d', $node->connstr('postgres'), '-w', '-t', 'live', '--create-table', '--batch-size=1', $box);
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS live');
	IPC::Run::run(\@load, '>', \my $ignored, '2>', \my $first);
	my $session = $node->background_psql('postgres');
	$session->query_safe('TRUNCATE live');
	$session->query_safe('BEGIN; LOCK TABLE live IN SHARE MODE');
	my ($in, $out, $said) = ('', '', '');
	my $run = IPC::Run::start(\@load, \$in, \$out, \$said, IPC::Run::timeout(180));
	$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'live'::regclass AND NOT granted}) or die 'it does not wait';
	rename "$box/new/2", "$box/cur/2:2,S" or die $!;
	rename "$box/cur/3", "$box/cur/3:2,R" or die $!;
	$session->query_safe('COMMIT');
	$session->quit;
	$run->finish;
	is($run->result(0), 0, 'a Maildir that changes is read') or diag($said);
	is($node->safe_psql('postgres', q{SELECT string_agg(source || '=' || subject, ' ' ORDER BY source) FROM live}), '0=0 1=1 2=2 3=3 4=4', 'each message once');
}

# What is no file is neither waited for nor read for ever
{
	my $box = fresh_folder() . '/odd';
	write_file("$box/$_", "From: a\@b.example\nSubject: here\n\nx\n") foreach 'cur/1', 'new/2';
	POSIX::mkfifo("$box/cur/0", oct 600) or die "mkfifo: $!";
	symlink '/dev/zero', "$box/new/3" or die $!;
	my $run = IPC::Run::start([ 'assay_load', '-n', '-vv', $box ], '>', \my $out, '2>', \my $said, IPC::Run::timeout(180));
	$run->finish;
	is($run->result(0), 0, 'a Maildir with a FIFO and a device is read');
	like($said, qr/skipping .*cur\/0": it is no file.*2 messages/s, 'without these');
	like($said, qr/skipping .*new\/3": it is no file/, 'each is told');
}

# ... also where it took the place of a file that had been looked at: the FIFO looks like one here
{
	my $folder = fresh_folder() . '/swapped';
	my $library = $node->basedir . '/swapped.so';
	write_file($library =~ s/so$/c/r, q{
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
int stat(const char *path, struct stat *st)
{
	int (*next) (const char *, struct stat *) = dlsym(RTLD_NEXT, "stat");
	int result = next(path, st);

	if (result == 0 && strstr(path, "fifo") != NULL)
		st->st_mode = S_IFREG | 0600;
	return result;
}
});
	is(system('cc', '-shared', '-fPIC', '-o', $library, $library =~ s/so$/c/r, '-ldl'), 0, 'a stat() that lies');
	write_file("$folder/$_/cur/1.eml", "From: a\@b.example\nSubject: here\n\nx\n") foreach 'box', 'plain';
	mkdir "$folder/box/new";
	POSIX::mkfifo("$folder/$_/cur/fifo.eml", oct 600) or die "mkfifo: $!" foreach 'box', 'plain';
	foreach my $path ("$folder/box", "$folder/plain/cur")
	{
		local $ENV{LD_PRELOAD} = $library;
		my $run = IPC::Run::start([ 'assay_load', '-n', '-vv', $path ], '>', \my $out, '2>', \my $said, IPC::Run::timeout(180));
		$run->finish;
		is($run->result(0), 0, "$path is read");
		like($said, qr/skipping .*fifo.eml": it is no file.*\b1 messages read/s, 'without a FIFO that came between');
	}
}

# A stream that is closed is not the next file that is opened
foreach my $closed ('<&-', '>&-', '<&- >&- 2>&-')
{
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS closed');
	IPC::Run::run([ 'sh', '-c', "assay_load -d '" . $node->connstr('postgres') . "' -w -q -t closed --create-table - $closed" ], '<', \"Subject: x\n\ny\n", '>', \my $ignored, '2>', \$err);
	is(($? >> 8) . ' ' . $node->safe_psql('postgres', q{SELECT count(*) || coalesce(string_agg(subject, ' '), '') FROM closed}), $closed =~ /</ ? '2 0' : '0 1x', "closed: $closed");
}

($err, @rows) = table_of(2, '--format=maildir', fresh_folder());
like($err, qr/is no Maildir/, '--format=maildir checks');

# ---- JSON Lines --------------------------------------------------------------

$dir = fresh_folder();
my $json = JSON::PP->new->utf8->canonical;
my @lines = (
	$json->encode({
		corpus => 'c', key => 'k', label => undef, mailbox => 'm', message_id => 'i@x', seq => 1,
		date => '2002-08-22T12:36:23Z', received_at => '2002-08-22T14:36:25.5+02:00',
		from_addr => 'A@B.example', from_name => 'Ä', reply_to => 'R@b.example', return_path => 'p@b.example',
		to => [ 'T@x', 'u@x' ], cc => ['t@X'], subject => 's', in_reply_to => '<z@x>',
		references => [ 'y@x', '<z@x>' ], list_id => '<L.example>', auth => ['Received-SPF: pass'],
		dkim_d => ['b.example'], relay_ip => '192.0.2.1', body_text => "b\n", hidden_text => 'h', body_bytes => 2,
		has_html => JSON::PP::true, urls => ['http://u.example/'],
		links => [ { url => 'http://u.example/', text => 't' } ],
		attachments => [ { name => 'n', type => 'a/b', size => 3 } ] }),
	'',
	'{"from_addr": "a@b.example", "date": "Thu, 22 Aug 2002 12:36:23 +0000", "relay_ip": "nonsense", "to": 3, '
	  . '"subject": "nul \u0000 lone \ud800 x", "urls": [1], "has_html": "no", "links": [1, {"text": null}]}',
	'{"broken": ',
	'[1, 2]',
	'{"received_at": 1030019783, "headers": {"Subject": "s", "X": ["1", "2"]}}',
	'{"received_at": "2044-01-01T00:00:00Z", "date": "0001-01-01", "from_addr": null}',
	"{\"subject\": \"bad \xFF byte\"}",
	('[' x 100000),
	'{"last": 1}');
$file = write_file("$dir/mail.jsonl", join("\n", @lines));
utime 1049522828, 1049522828, $file;
($err, @rows) = table_of(0, $file);
is(sources(@rows), join(' ', map { "mail.jsonl#$_" } 1, 3 .. 10), 'JSON Lines: sources');
my %first = %{ $rows[0] };
my %expected = (
	source => 'mail.jsonl#1', mailbox => 'm', message_id => 'i@x',
	received_at => '2002-08-22T12:36:25.5+00:00', sent_at => '2002-08-22T12:36:23+00:00',
	from_addr => 'a@b.example', from_name => 'Ä', from_domain => 'b.example', reply_to => 'r@b.example',
	return_path => 'p@b.example', recipients => [ 't@x', 'u@x' ], subject => 's', body_text => "b\n",
	has_html => JSON::PP::true, urls => ['http://u.example/'], link_texts => ['t'],
	link_hrefs => ['http://u.example/'], attachments => [ { name => 'n', type => 'a/b', size => 3 } ],
	in_reply_to => 'z@x', reference_ids => [ 'y@x', 'z@x' ], list_id => 'l.example',
	auth_results => ['Received-SPF: pass'], dkim_domains => ['b.example'], relay_ip => '192.0.2.1',
	headers => undef, size_bytes => 2, defects => [], hidden_text => 'h', hidden_share => 1 / 3);
# what else there is are facts (t/facts_load.pl)
is_deeply({ map { $_ => $first{$_} } keys %expected }, \%expected, 'JSON Lines: every field') or diag(explain(\%first));
has_defects($rows[1], qw(no_received nul_byte bad_field), 'JSON Lines: wrong types');
is($rows[1]{subject}, "nul  lone \x{FFFD} x", 'JSON Lines: NUL and a lone surrogate');
is($rows[1]{sent_at}, '2002-08-22T12:36:23+00:00', 'JSON Lines: a date in the style of mail');
has_defects($rows[2], qw(no_from no_date no_received guessed_time bad_json), 'JSON Lines: broken line');
is($rows[2]{body_text}, '{"broken":', 'JSON Lines: a broken line is kept');
is($rows[2]{received_at}, '2003-04-05T06:07:08+00:00', 'JSON Lines: time of the file');
has_defects($rows[3], qw(no_from no_date no_received guessed_time bad_json), 'JSON Lines: no object');
is($rows[4]{received_at}, '2002-08-22T12:36:23+00:00', 'JSON Lines: seconds since 1970');
is_deeply($rows[4]{headers}, { subject => ['s'], x => [ '1', '2' ] }, 'JSON Lines: headers');
has_defects($rows[5], qw(no_from absurd_date no_received bad_received guessed_time), 'JSON Lines: absurd times');
is($rows[6]{subject}, "bad \x{FFFD} byte", 'JSON Lines: bad bytes');
has_defects($rows[7], qw(no_from no_date no_received guessed_time bad_json), 'JSON Lines: deep nesting');
# An array is no such file, nor an object over several lines: what to do is said.
($err, @rows) = table_of(0, write_file("$dir/array.json", qq(\n[ {"subject": "one"}, {"subject": "two"} ]\n)));
is(sources(@rows), 'array.json#2', 'JSON in an array: a line');
has_defects($rows[0], qw(no_from no_date no_received guessed_time bad_json), 'JSON in an array: no objects');
like($err, qr/hint: .*jq -c/, 'JSON in an array: a hint');
($err) = table_of(0, write_file("$dir/text.json", "[1] is\na text\n"));
unlike($err, qr/hint/, 'no hint for a text');

# What was loaded can be written by row_to_json and loaded again, as it was.
my $whole = write_file("$dir/whole.eml",
	"Received: from x ([192.0.2.1]) by y; Thu, 22 Aug 2002 12:36:23 +0000\nFrom: \"\xC3\x84 B\" <a\@b.example>\n"
	  . "To: c\@d.example\nSubject: =?utf-8?Q?=C3=BC?=\nMessage-ID: <i\@x>\nReferences: <r\@x> <s\@x>\n"
	  . "In-Reply-To: <s\@x>\nReturn-Path: <>\nList-Id: <l.x>\nAuthentication-Results: y; spf=pass\n"
	  . "DKIM-Signature: d=b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
	  . "Content-Type: text/html\n\n<a href='http://h.example/'>t</a> \xFF\n--b\nContent-Type: a/b; name=n\n\nx\n--b--\n");
is(load('--create-table', '-t', 'trip1', $whole), 0, 'a message is loaded');
my $lines = $node->safe_psql('postgres', 'SELECT row_to_json(m) FROM trip1 m');
is(load('--create-table', '-t', 'trip2', write_file("$dir/trip.jsonl", "$lines\n")), 0, 'and loaded again as JSON');
is($node->safe_psql('postgres',
		q{SELECT to_jsonb(a) - 'source' - 'id' = to_jsonb(b) - 'source' - 'id' FROM trip1 a, trip2 b}),
	't', 'a round trip through JSON changes nothing')
  or diag(explain([ rows('SELECT * FROM trip1 UNION ALL SELECT * FROM trip2') ]));

# ---- gzip --------------------------------------------------------------------

my $gz = memGzip(join '', map { "{\"subject\": \"s$_\", \"from_addr\": \"a\@b.example\", \"body_text\": \"" . rand() . "\"}\n" } 1 .. 4000);
($err, @rows) = table_of(2, write_file("$dir/cut.jsonl.gz", substr($gz, 0, length($gz) / 2)));
cmp_ok(scalar @rows, '>', 1000, 'truncated gzip: what is there is loaded');
like($err, qr/"[^"]*cut.jsonl.gz"/, 'truncated gzip: it is reported');
like($err, qr/1 files not read to the end/, 'truncated gzip: and counted');
ok((grep { $_ eq 'truncated_message' } @{ $rows[-1]{defects} }), 'truncated gzip: the last line is marked');
is(scalar(grep { grep { $_ eq 'truncated_message' } @{ $_->{defects} } } @rows), 1, 'and no other');
substr(my $broken = $gz, length($gz) / 2, 100) = 'x' x 100;
($err, @rows) = table_of(2, write_file("$dir/broken.jsonl.gz", $broken));
cmp_ok(scalar @rows, '>', 100, 'broken gzip: what is there is loaded');
($err, @rows) = table_of(2, write_file("$dir/cut.eml.gz", substr(memGzip(message('s', join('', map { rand() . "\n" } 1 .. 5000))), 0, 20000)));
is(scalar @rows, 1, 'truncated message: loaded');
is($rows[0]{subject}, 's', 'truncated message: headers');
ok((grep { $_ eq 'truncated_message' } @{ $rows[0]{defects} }), 'truncated message: marked');
($err, @rows) = table_of(0, '--format=jsonl', write_file("$dir/members.gz", memGzip("{\"subject\": \"a\"}\n") . memGzip("{\"subject\": \"b\"}\n")));
is(subjects(@rows), 'a b', 'gzip of several members');

done_testing();
