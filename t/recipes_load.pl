# The recipes of docs/mail_recipes.md: each line that calls assay_load runs as it is written there, over
# files as the services and programs make them.
use strict;
use warnings;
use AssayLoad;
use Cwd;
use File::Path qw(make_path);
use IPC::Run;
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

AssayLoad::start();
my $page = slurp_file("$ENV{ASSAY_TOP}/docs/mail_recipes.md");
my $home = fresh_folder();
$ENV{HOME} = $home;
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
my $top = getcwd();
chdir $home or die;
$node->safe_psql('postgres', 'CREATE DATABASE mail');

my $json = JSON::PP->new->utf8->canonical;
my $auth = "Authentication-Results: mx.google.com; spf=pass smtp.mailfrom=b.example\n";
my $message = "${auth}From: a\@b.example\nTo: ann\@example.org\nDate: Tue, 5 Mar 2024 08:00:00 +0000\nSubject: s\n\nhttps://l.example/\n";
my $around = "From: rep\@example.org\nSubject: report\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nSender: a\@b.example\n"
  . "--b\nContent-Type: message/rfc822\n\n$message--b--\n";

# mbsync: SubFolders Verbatim, and its own files beside
write_file("mail/$_", $message) foreach 'INBOX/cur/1700000000.1_1.host,U=1:2,S', 'Sent/cur/1700000000.1_2.host,U=1:2,S', 'INBOX/new/1700000000.1_3.host,U=2';
make_path("mail/$_") foreach qw(INBOX/tmp Sent/new Sent/tmp);
write_file("mail/INBOX/$_", "1\n2\n") foreach '.uidvalidity', '.mbsyncstate';
write_file("Maildir/cur/1", $message);
# Takeout: CR LF, labels, the address of the separator is a number
write_file('Takeout/Mail/All mail Including Spam and Trash.mbox', join '', map {
	"From 179230001\@xxx Tue Mar 05 08:00:00 +0000 2024\r\nX-GM-THRID: 1\r\nX-Gmail-Labels: Inbox,Opened\r\n" . $message =~ s/\n/\r\n/gr . "\r\n" } 1 .. 2);
write_file('gmail.jsonl', $json->encode({ id => '18e', threadId => '18e', labelIds => ['INBOX'], internalDate => '1709625600000',
	raw => encode_base64($message, '') =~ tr{+/}{-_}r }) . "\n");
write_file('graph.jsonl', $json->encode({ '@odata.etag' => 'x', id => 'AAM', internetMessageId => '<1@b.example>', subject => 's',
	from => { emailAddress => { name => 'A', address => 'a@b.example' } }, replyTo => [],
	toRecipients => [ { emailAddress => { address => 'ann@example.org' } } ], receivedDateTime => '2024-03-05T08:00:01Z', sentDateTime => '2024-03-05T08:00:00Z',
	body => { contentType => 'html', content => '<p>x <a href="https://l.example/">y</a></p>' },
	internetMessageHeaders => [ { name => 'Received', value => 'from mail.b.example (203.0.113.9) by X.prod.outlook.com (2603:10a6::1) with SMTP' },
		{ name => 'Authentication-Results', value => 'spf=fail (sender IP is 203.0.113.9) smtp.mailfrom=b.example; dkim=none; dmarc=fail action=quarantine header.from=b.example;compauth=fail reason=000' } ] }) . "\n");
write_file('messages/AAM.eml', $message =~ s/mx.google.com; //r);
write_file('jmap.jsonl', $json->encode({ id => 'M1', messageId => ['1@b.example'], subject => 's', from => [ { name => 'A', email => 'a@b.example' } ],
	to => [ { email => 'ann@example.org' } ], receivedAt => '2024-03-05T08:00:01Z', sentAt => '2024-03-05T08:00:00Z', size => 99,
	htmlBody => [ { partId => '1', type => 'text/html' } ], bodyValues => { 1 => { value => '<a href="https://l.example/">y</a>' } } }) . "\n");
write_file('journal/1.eml', $around);
write_file('message.eml', $message);
write_file('mail/abuse/cur/1:2,', $around);

# what each is to bring: messages, and something of the last one
my %expected = (
	'~/Maildir' => [ 0 ], '~/mail' => [ 4, q{SELECT string_agg(DISTINCT mailbox, ' ') FROM message WHERE source LIKE '%U=%'}, 'INBOX Sent' ],
	Takeout => [ 2, q{SELECT (headers -> 'x-gmail-labels' ->> 0) || ' ' || auth_spf FROM message}, 'Inbox,Opened pass' ],
	'gmail.jsonl' => [ 1, q{SELECT subject || ' ' || auth_spf FROM message}, 's pass' ],
	'graph.jsonl' => [ 1, q{SELECT concat_ws(' ', auth_compauth, auth_dmarc_action, relay_ip, urls, from_name) FROM message}, 'fail quarantine 203.0.113.9 {https://l.example/} A' ],
	'messages/' => [ 1, q{SELECT auth_spf FROM message}, 'pass' ],
	'jmap.jsonl' => [ 1, q{SELECT concat_ws(' ', link_count, recipient_count) FROM message}, '1 1' ],
	'journal/' => [ 2, q{SELECT string_agg(concat_ws(' ', source, subject, tenant_id), ', ' ORDER BY source) FROM message}, '1.eml report 7, 1.eml/1 s 7' ],
	'message.eml' => [ 1, q{SELECT mailbox FROM message}, 'ann@example.org' ],
	'~/mail/abuse' => [ 2, q{SELECT i.subject || ' ' || o.from_addr FROM reported i JOIN reported o ON i.source = o.source || '/1'}, 's rep@example.org' ]);

my @blocks = $page =~ /^```sh\n(.*?)^```$/msg;
my $runs = 0;
foreach my $block (@blocks)
{
	foreach my $line ($block =~ /^(assay_load .*)$/mg)
	{
		my ($what) = grep { $line =~ /\Q$_\E(?:[' ]|$)/ || ($_ eq 'Takeout' && $line =~ /Takeout/) } sort { length $b <=> length $a } keys %expected;
		next if !ok(defined $what, "a recipe that is known here: $line");
		my ($rows, $query, $shows) = @{ delete $expected{$what} };
		my ($out, $err);
		$node->safe_psql('mail', 'DROP TABLE IF EXISTS message, reported');
		load({ db => 'mail' }, '-q', '--create-table', '/dev/null') if $line !~ /-n |reported/;
		$node->safe_psql('mail', 'TRUNCATE message; ALTER TABLE message ADD tenant_id int') if $line !~ /-n |reported/;
		IPC::Run::run([ 'sh', '-c', $line ], '>', \$out, '2>', \$err);
		is($? >> 8, 0, 'runs') or diag($err);
		$runs++;
		next if !$rows;
		my $table = $line =~ /reported/ ? 'reported' : 'message';
		is($node->safe_psql('mail', "SELECT count(*) FROM $table"), $rows, 'all messages are there');
		my ($found) = split /\n/, $node->safe_psql('mail', $query);
		is($found, $shows, 'as they are');
	}
}
is(join(' ', keys %expected), '', 'all of them are on the page');
cmp_ok($runs, '>=', 10, 'there are recipes');

# the SQL of the page
foreach my $sql ($page =~ /^```sql\n(.*?)^```$/msg)
{
	$node->safe_psql('mail', 'DROP TABLE IF EXISTS message, reported');
	my ($code, undef, $err) = $node->psql('mail', $sql);
	is($err, '', 'SQL runs');
}
# a server that isn't there: a mail server is to try again
is(system("PGPORT=1 assay_load -q -d mail --format=eml - <message.eml 2>/dev/null") >> 8, 75, 'what can be tried again is told so');
chdir $top;

done_testing();
