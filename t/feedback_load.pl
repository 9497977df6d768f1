# assay_load --feedback: complaints, bounces and forwarded messages label the messages that they are about;
# and what an attacker may send to have somebody's messages labelled, who gets nothing by it.
use strict;
use warnings;
use AssayLoad;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

AssayLoad::start();
my $sql = sub { $node->safe_psql('postgres', @_) };

# ---- messages that were delivered

my $day = 'Tue, 5 Mar 2024';

sub message
{
	my ($id, $from, $to, $time, $more) = @_;
	return "Return-Path: <bounce-$from>\nReceived: from mail.out.example (mail.out.example [203.0.113.9]) by mx.o.example; $day $time +0000\n"
	  . "Date: $day $time +0000\nFrom: $from\nTo: $to\nMessage-ID: <$id>\nSubject: about $id\n" . ($more // '') . "\nhello\n";
}

my %delivered = (
	bad => message('bad@e.example', 'eve@e.example', 'ann@o.example, bob@o.example', '08:00:00'),
	good => message('good@b.example', 'bank@b.example', 'ann@o.example', '08:10:00'),
	# the id of another's message
	copied => message('good@b.example', 'eve@e.example', 'ann@o.example', '09:00:00'),
	own => message('own@o.example', 'ann@o.example', 'kim@k.example', '08:20:00'),
	list => message('list@l.example', 'news@l.example', 'list@l.example', '08:30:00'));
my $inbox = fresh_folder();
write_file("$inbox/$_.eml", $delivered{$_}) foreach keys %delivered;
is(load('--create-table', '-q', $inbox), 0, 'messages are loaded');
$sql->("CREATE EXTENSION pg_assay; SELECT assay.create_policy('inbound', 'message', '{id}'); ALTER TABLE message ALTER source SET NOT NULL; CREATE INDEX ON message (message_id)");

# ---- mail about them

my $passed = "Authentication-Results: mx.o.example; dkim=pass header.d=%s; spf=pass smtp.mailfrom=%s\n";

# From whom, what parts; a mail that a server of ours found to be of the domain, or not
sub about
{
	my ($from, $time, $type, @parts) = @_;
	my ($domain) = $from =~ /@(.*)$/;
	my $auth = $domain =~ s/^!// ? sprintf($passed, 'evil.example', 'evil.example') : sprintf($passed, $domain, $domain);
	$from =~ s/@!/@/;
	return "Received: from x by mx.o.example; $day $time +0000\n${auth}From: $from\nTo: abuse\@o.example\nSubject: report\n"
	  . "MIME-Version: 1.0\nContent-Type: $type; boundary=bOUND\n\n" . join('', map { "--bOUND\n$_\n" } "Content-Type: text/plain\n\nsee there", @parts) . "--bOUND--\n";
}

sub arf
{
	my ($from, $type, $original, $fields) = @_;
	return about($from, '12:00:00', 'multipart/report; report-type=feedback-report',
		"Content-Type: message/feedback-report\n\nFeedback-Type: $type\nUser-Agent: x/1\nVersion: 1\n" . ($fields // ''), $original // ());
}

sub dsn
{
	my ($from, $status, $original, $recipient) = @_;
	$recipient //= 'kim@k.example';
	return about($from, '12:00:00', 'multipart/report; report-type=delivery-status',
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.k.example\nArrival-Date: $day 08:20:05 +0000\n\n"
		  . "Final-Recipient: rfc822; $recipient\nAction: failed\nStatus: $status\nDiagnostic-Code: smtp; 550 no", $original // ());
}

sub attached { return map { "Content-Type: message/rfc822\n\n$_" } @_ }
sub headers { my ($head) = split /\n\n/, $_[0]; return "Content-Type: text/rfc822-headers\n\n$head\n" }

# Run it on mails; gives exit code, what it said, and the labels
my @who = ('--feedback=inbound', '--authserv-id=mx.o.example', '--reporter=fbl@fbl.example', '--reporter=o.example', '--reporter=postmaster@k.example');

sub feedback
{
	my ($args, @mails) = @_;
	my $dir = fresh_folder();
	my $n = 0;
	write_file(sprintf('%s/%03d.eml', $dir, $n++), $_) foreach @mails;
	my ($code, $err) = load(@$args, $dir);
	my $labels = $sql->(q{SELECT coalesce(string_agg(concat_ws(' ', split_part(m.source, '.', 1), l.malicious, l.source, l.confidence, l.author, l.category), ', '
		ORDER BY m.source, l.labelled_at), '') FROM inbound_label l JOIN message m USING (id)});
	$sql->('DELETE FROM inbound_label');
	return ($labels, $err, $code);
}

sub labels_are
{
	my ($mails, $labels, $said, $name, @args) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @got = feedback([ @who, @args ], ref $mails ? @$mails : $mails);
	is($got[0], $labels, $name) or diag($got[1]);
	like($got[1], $said, "$name: told");
	is($got[2], 0, "$name: exit code");
	return;
}

# ---- what they say

my ($bad, $good, $own) = @delivered{qw(bad good own)};
labels_are(arf('fbl@fbl.example', 'abuse', attached($bad), "Original-Rcpt-To: <ann\@o.example>\n"),
	'bad t complaint 0.8 fbl@fbl.example spam', qr/1 mails read in .*, 1 labels written$/m, 'a complaint');
labels_are(arf('fbl@fbl.example', 'fraud', headers($bad)), 'bad t complaint 0.8 fbl@fbl.example phishing', qr/1 labels/, 'one with headers only');
labels_are(arf('fbl@fbl.example', 'virus', attached($bad)), 'bad t complaint 0.8 fbl@fbl.example malware', qr/1 labels/, 'a virus');
labels_are(arf('fbl@fbl.example', 'not-spam', attached($good)), 'good f complaint 0.8 fbl@fbl.example', qr/1 labels/, 'not spam; of two messages with its id, its sender\'s');
labels_are(arf('fbl@fbl.example', $_, attached($bad)), '', qr/0 labels written, 1 no verdict/, "$_ is no verdict") foreach 'other', 'opt-out', 'auth-failure', '';
labels_are(arf('fbl@fbl.example', 'abuse', attached($bad =~ s/\n/\r\n/gr), "Original-Rcpt-To: ann\@o.example\n") =~ s/(?<!\r)\n/\r\n/gr,
	'bad t complaint 0.8 fbl@fbl.example spam', qr/1 labels/, 'with CR LF');
# redacted: by recipient, time, and who sent it
my $redacted = headers("From: redacted\nSubject: redacted\n");
labels_are(arf('fbl@fbl.example', 'abuse', $redacted =~ s/From: redacted\n//r, "Original-Rcpt-To: <ANN\@o.example>\nOriginal-Mail-From: <bounce-eve\@e.example>\nArrival-Date: $day 08:01:00 +0000\n"),
	'bad t complaint 0.8 fbl@fbl.example spam', qr/1 labels/, 'a redacted one, by envelope sender');
labels_are(arf('fbl@fbl.example', 'abuse', undef, "Original-Rcpt-To: ann\@o.example\nSource-IP: 203.0.113.9\nArrival-Date: $day 08:01:00 +0000\n"),
	'bad t complaint 0.8 fbl@fbl.example spam', qr/1 labels/, 'by address');
labels_are(arf('fbl@fbl.example', 'abuse', undef, "Original-Rcpt-To: ann\@o.example\nSource-IP: 203.0.113.9\nArrival-Date: $day 08:05:00 +0000\n"),
	'', qr/1 ambiguous/, 'by address, of two');
labels_are(dsn('postmaster@k.example', '5.7.1', attached($own)), 'own t bounce 0.3 postmaster@k.example', qr/1 labels/, 'a bounce: refused as bad');
labels_are(dsn('postmaster@k.example', '5.1.1', attached($own)), '', qr/1 no verdict/, 'nobody there is no verdict');
labels_are(dsn('postmaster@k.example', '4.7.1', headers($own)), '', qr/1 no verdict/, 'nor is later');
labels_are(dsn('postmaster@k.example', '5.7.26', headers($own)), 'own t bounce 0.3 postmaster@k.example', qr/1 labels/, 'a bounce with headers');
labels_are(about('bob@o.example', '12:00:00', 'multipart/mixed', attached($bad)), 'bad t user report 0.7 bob@o.example', qr/1 labels/, 'a forwarded message');
labels_are([ map { about($_, '12:00:00', 'multipart/mixed', attached($bad)) } 'bob@o.example', 'ann@o.example', 'bob@o.example' ],
	'bad t user report 0.7 bob@o.example, bad t user report 0.7 ann@o.example', qr/2 labels written, 1 known/, 'by two people');
labels_are(about('ann@o.example', '12:00:00', 'multipart/mixed', attached($bad, $good)),
	'bad t user report 0.7 ann@o.example, good t user report 0.7 ann@o.example', qr/2 labels/, 'two at once');
labels_are(about('ann@o.example', '12:00:00', 'multipart/mixed', attached($bad)), 'bad t user report 0.25 ann@o.example', qr/1 labels/, 'less sure', '--confidence=user report=0.25');
labels_are("From: ann\@o.example\n\nthis is spam:\n> x\n", '', qr/1 no report/, 'a mail without any');
labels_are(about('ann@o.example', '07:00:00', 'multipart/mixed', attached($bad)), '', qr/1 unknown/, 'before the message came');
labels_are(about('ann@o.example', '12:00:00', 'multipart/mixed', attached($bad =~ s/bad@/none@/r)), '', qr/1 unknown/, 'of no message here');
my ($many) = feedback([ @who, '--batch-size=2' ], map { about('ann@o.example', '12:00:0' . $_, 'multipart/mixed', attached($bad, $good)) } 1 .. 3);
is($many, 'bad t user report 0.7 ann@o.example, good t user report 0.7 ann@o.example', 'in several batches');
$sql->(q{INSERT INTO inbound_label (id, malicious, source) SELECT id, false, 'analyst' FROM message WHERE source = 'bad.eml'});
my $author = $sql->('SELECT session_user');
labels_are(about('ann@o.example', '12:00:00', 'multipart/mixed', attached($bad)), "bad t user report 0.7 ann\@o.example, bad f analyst 1 $author", qr/1 labels/, 'an analyst said so later');
$sql->(q{INSERT INTO inbound_label (id, malicious, source, labelled_at) SELECT id, false, 'analyst', '2024-03-05 09:00+00' FROM message WHERE source = 'bad.eml'});
labels_are(about('ann@o.example', '12:00:00', 'multipart/mixed', attached($bad)), "bad f analyst 1 $author", qr/1 surer/, 'an analyst said so before');

# ---- attacks: none of these labels anything

labels_are(arf('fbl@!fbl.example', 'abuse', attached($good)), '', qr/1 not authenticated/, 'a forged complaint about somebody\'s message');
labels_are(arf('fbl@!fbl.example', 'abuse', attached($good)) =~ s/^(From: )/Authentication-Results: fbl.example; dkim=pass header.d=fbl.example\n$1/mr,
	'', qr/1 not authenticated/, 'with results of a server of its own');
labels_are(arf('fbl@!fbl.example', 'abuse', attached($good)) =~ s/^(From: )/Authentication-Results: mx.o.example; dkim=fail (dkim=pass header.d=fbl.example) header.d=fbl.example\n$1/mr,
	'', qr/1 not authenticated/, 'with a comment that looks like one');
labels_are(arf('eve@evil.example', 'abuse', attached($good)), '', qr/1 other reporter/, 'a true one of somebody who is not asked');
labels_are(arf('eve@notfbl.example', 'abuse', attached($good)), '', qr/1 other reporter/, 'of a domain that ends alike');
labels_are(arf('fbl@fbl.example.evil.example', 'abuse', attached($good)), '', qr/1 other reporter/, 'of one that begins alike');
labels_are(arf('eve@evil.example', 'abuse', attached($good)) =~ s/^From: /From: fbl\@fbl.example\nFrom: /mr, '', qr/1 (other reporter|not authenticated)/, 'with two senders');
labels_are(arf('eve@evil.example', 'abuse', attached($good)) =~ s/^From: eve\@evil.example/From: fbl\@fbl.example, eve\@evil.example/mr, '', qr/1 (other reporter|not authenticated)/, 'with two addresses');
labels_are(arf('eve@evil.example', 'abuse', attached($good)) =~ s/^From: eve/From: "fbl\@fbl.example" <eve/mr =~ s/(<eve\@evil.example)/$1>/r, '', qr/1 other reporter/, 'with a name that is an address');
labels_are(arf('fbl@fbl.example', 'abuse', attached($good), "Original-Rcpt-To: eve\@evil.example\n"), '', qr/1 other recipient/, 'of a message that its recipient did not get');
labels_are(dsn('postmaster@!k.example', '5.7.1', attached($own)), '', qr/1 not authenticated/, 'a forged bounce');
labels_are(dsn('postmaster@k.example', '5.7.1', attached($own), 'eve@evil.example'), '', qr/1 other recipient/, 'a bounce from where it was not sent');
labels_are(arf('fbl@fbl.example', 'abuse', undef, "Original-Rcpt-To: \xFF\nSource-IP: \xFF203.0.113.9\xC3\nOriginal-Mail-From: \xE2\x82\nArrival-Date: \xFF\n"), '', qr/1 unknown/, 'bytes that are no text');
# anybody of a domain can write what looks like a machine's report
labels_are(arf('bob@o.example', 'abuse', attached($good)), '', qr/1 other recipient/, 'a complaint of an employee about what another got');
labels_are(arf('bob@o.example', 'not-spam', attached($good), "Original-Rcpt-To: ann\@o.example\n"), '', qr/1 other recipient/, 'one that names who got it');
labels_are(dsn('bob@o.example', '5.7.1', attached($good), 'ann@o.example'), '', qr/1 other recipient/, 'a bounce of an employee');
labels_are(arf('bob@o.example', 'abuse', attached($bad)), 'bad t complaint 0.8 bob@o.example spam', qr/1 labels/, 'about what he got himself');
labels_are(arf('bob@o.example', 'abuse', attached($good)), 'good t complaint 0.8 bob@o.example spam', qr/1 labels/, 'about what another got, if his address is named', '--reporter=bob@o.example');
labels_are(arf('bob@o.example', 'abuse', attached($good)), 'good t complaint 0.8 bob@o.example spam', qr/1 labels/, 'about what another got, if anybody may', '--any-recipient');
labels_are(dsn('root@k.example', '5.7.1', attached($own)), '', qr/1 other reporter/, 'a bounce by another address of the domain');
labels_are(about('bob@o.example', '12:00:00', 'multipart/mixed', attached($good)), '', qr/1 other recipient/, 'somebody reports what another got');
labels_are(about('bob@o.example', '12:00:00', 'multipart/mixed', attached($good)), 'good t user report 0.7 bob@o.example', qr/1 labels/, 'unless that is allowed', '--any-recipient');
labels_are(about('ann@o.example', '12:00:00', 'multipart/mixed', attached($delivered{copied})), 'copied t user report 0.7 ann@o.example', qr/1 labels/, 'a message with the id of another is itself reported');
labels_are(about('ann@o.example', '12:00:00', 'multipart/mixed', attached($delivered{copied} =~ s/eve\@e/eve\@f/gr)), '', qr/1 other sender/, 'or nothing, where it is not here');
# a report inside of what is forwarded is the attacker's own
my $inner = arf('fbl@fbl.example', 'abuse', attached($good));
labels_are(about('ann@o.example', '12:00:00', 'multipart/mixed', attached("Message-ID: <bad\@e.example>\n" . $inner =~ s/^From: .*/From: eve\@e.example/mr)),
	'bad t user report 0.7 ann@o.example', qr/1 labels/, 'a complaint in a reported message says nothing');
labels_are(arf('fbl@!fbl.example', 'abuse', attached($good)), 'good t complaint 0.8 fbl@fbl.example spam', qr/1 labels/, 'told that senders were looked at before', '--trust-from');

# ---- junk

my @junk = (arf('fbl@fbl.example', 'abuse', undef, "Original-Rcpt-To: " . 'x' x 2_000_000 . "\n"),
	arf('fbl@fbl.example', 'abuse', undef, "Original-Rcpt-To: <>\n" x 10_000), arf('fbl@fbl.example', "\0\xFF", "\0\xFF"),
	arf('fbl@fbl.example', 'abuse', attached("\0\xFF\n\n")), arf('fbl@fbl.example', 'abuse', "Content-Type: message/rfc822\n\nMessage-ID: <\\u0000\"{}>\n"),
	dsn('postmaster@k.example', '5.7.1', undef, "\xFF\";}"), dsn('postmaster@k.example', '', ''), about('ann@o.example', '12:00:00', 'multipart/mixed', attached('')),
	about('ann@o.example', '12:00:00', 'multipart/mixed', (attached($bad)) x 1200), "\n", '');
my ($none, $said, $code) = feedback([ @who, '-vv' ], @junk);
is($none, 'bad t user report 0.7 ann@o.example', 'junk is no report');
is($code, 0, 'and no error') or diag($said);
like($said, qr/^assay_load: 000.eml: unknown$/m, 'each mail is told');

# ---- how it is called, and what goes wrong

foreach ([ [ '--feedback=inbound', '--authserv-id=x' ], qr/needs a --reporter/ ], [ [ '--feedback=inbound', '--reporter=x' ], qr/needs an --authserv-id/ ],
	[ [ @who, '--create-table' ], qr/loads no messages/ ], [ [ @who, '--confidence=bounce=0' ], qr/--confidence must be/ ], [ [ @who, '--confidence=x=0.5' ], qr/--confidence must be/ ],
	[ [ @who, '--feedback=nobody' ], qr/policy "nobody" does not exist/ ], [ [ @who, '--table=none' ], qr/relation "none" does not exist/ ])
{
	my ($labels, $err, $exit) = feedback($_->[0], about('ann@o.example', '12:00:00', 'multipart/mixed', attached($bad)));
	is($exit, 1, 'refused') or diag($err);
	like($err, $_->[1], 'and told why');
}
my ($dry, $told) = feedback([ @who, '-n' ], arf('fbl@fbl.example', 'abuse', attached($bad)), 'x');
is($dry, '', 'a dry run writes nothing');
like($told, qr/2 mails read in .*, 1 reports, 1 no report/, 'and tells what there is');
# a report that the table does not take is named, the others are written
$sql->(q{ALTER TABLE inbound_label ADD CHECK (category <> 'malware')});
my ($others, $why, $exit) = feedback([@who], arf('fbl@fbl.example', 'fraud', attached($bad)), arf('fbl@fbl.example', 'virus', attached($good)), about('ann@o.example', '12:00:00', 'multipart/mixed', attached($good)));
is($others, 'bad t complaint 0.8 fbl@fbl.example phishing, good t user report 0.7 ann@o.example', 'others are written');
like($why, qr/no label for "001.eml": .*check constraint/, 'one is named');
is($exit, 2, 'and it shows in the exit code');

done_testing();
