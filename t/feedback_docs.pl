# The page docs/feedback.md: its SQL runs as it is written, and gives what comments below statements show; and so
# does its call of assay_load, over mail as an abuse mailbox has it.
use strict;
use warnings;
use AssayLoad;
use PostgreSQL::Test::Utils;
use Test::More;

AssayLoad::start();
my $page = slurp_file("$ENV{ASSAY_TOP}/docs/feedback.md");
$node->safe_psql('postgres', 'CREATE DATABASE mail');
$node->safe_psql('mail', 'CREATE EXTENSION pg_assay');
my $shown = 0;

foreach my $block ($page =~ /^```sql\n(.*?)^```$/msg)
{
	while ($block =~ /(.*?;)\n((?:--  ?[^\n]*\n)*)/gs)
	{
		my ($statement, $comment) = ($1, $2);
		my @shows = map { s/^-- *//r =~ s/ *\| */|/gr } split /\n/, $comment;
		my ($rc, $out, $err) = $node->psql('mail', $statement);

		unlike($err, qr{ERROR}, 'runs') or diag($statement);
		# the first line has the names of columns
		next if @shows < 2;
		is($out, join("\n", @shows[1 .. $#shows]), "shows $shows[1]") or diag($statement);
		$shown++;
	}
}
cmp_ok($shown, '>', 6, 'results are shown');
is($node->safe_psql('mail', q{SELECT string_agg(concat_ws(' ', from_addr, assay.attacks(labels), assay.safe(labels)), ', ' ORDER BY from_addr) FROM
	(SELECT DISTINCT ON (from_addr) * FROM sender WHERE assay.labels(labels) > 0 ORDER BY from_addr, day DESC) s}),
	'ceo@evil.example 0 1, sales@shop.example 0 1, win@evil.example 1 0', 'a baseline of what is sure');

# the abuse mailbox: one that counts, one forged, one of a message that another got
my $home = fresh_folder();
my $auth = "Received: from x by mx.o.example; Wed, 6 Mar 2024 08:00:00 +0000\nAuthentication-Results: mx.o.example; dkim=pass header.d=";
my $about = "To: abuse\@o.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nlook\n--b\nContent-Type: message/rfc822\n\n"
  . "From: parcel\@evil.example\nMessage-ID: <parcel\@evil.example>\n\nx\n--b--\n";
$node->safe_psql('mail', q{INSERT INTO message (id, message_id, received_at, from_addr, recipients)
	VALUES (5, 'parcel@evil.example', '2024-03-05 16:00+00', 'parcel@evil.example', '{kim@o.example}')});
write_file("$home/mail/abuse/cur/1", "${auth}o.example\nFrom: kim\@o.example\n$about");
write_file("$home/mail/abuse/cur/2", "${auth}evil.example\nFrom: kim\@o.example\n$about");
write_file("$home/mail/abuse/cur/3", "${auth}o.example\nFrom: bob\@o.example\n$about");
$ENV{HOME} = $home;
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
my ($command) = $page =~ /^(assay_load -d mail --feedback.*)$/m;
my ($told) = $page =~ /^assay_load: (\d+ mails read) in/m;
my $said = `$command 2>&1`;
is($?, 0, 'the command runs') or diag($said);
is($said =~ s/in [0-9.]+ s/in 0.0 s/r, ($page =~ /^(assay_load: 3 mails.*)$/m)[0] . "\n", 'and tells what the page says');
is($node->safe_psql('mail', q{SELECT author FROM inbound_label WHERE source = 'user report' AND id = 5}), 'kim@o.example', 'one label');
done_testing();
