# assay_load: what becomes of the parts of a well-formed message.
use strict;
use warnings;
use utf8;
use Encode qw(encode decode);
use MIME::Base64;
use AssayLoad;
use Test::More;

AssayLoad::start();

# ---- every column of one message --------------------------------------------

my $whole = <<'M';
Return-Path: <Bounce@Lists.Example.ORG>
Received: from mx.example.org (mx.example.org [10.0.0.7])
	by mail.internal (Postfix) with ESMTP id 1; Thu, 22 Aug 2002 12:36:23 -0400
Received: from out.example.com (out.example.com [IPv6:2001:db8:0::25] [198.51.100.25])
	by mx.example.org with ESMTP id 2; Thu, 22 Aug 2002 12:30:00 -0400
Authentication-Results: mx.example.org; spf=pass
Received-SPF: pass (mx.example.org)
DKIM-Signature: v=1; a=rsa-sha256; d=Example.COM; s=x;
	bh=abc; d2=no
DKIM-Signature: v=1; d=lists.example.org; s=y
DKIM-Signature: v=1; d=example.com; s=z
From: "Doe, Jane" <Jane.Doe@Example.COM>
Reply-To: Other <Other@Example.net>, second@example.net
To: A <a@example.org>, Friends: b@example.org, "C D" <C@Example.org>;
Cc: a@example.org, d@example.org
Bcc: e@example.org
Subject: A subject
	that is folded
Date: Thu, 22 Aug 2002 18:29:00 +0200
Message-ID: <one@example.com>
In-Reply-To: <zero@example.com>
References: <r1@example.com> <r2@example.com>
	<zero@example.com>
List-Id: A list <News.Lists.Example.org>
MIME-Version: 1.0
X-Twice: 1
x-twice: 2
Content-Type: multipart/mixed; boundary="bb"

--bb
Content-Type: multipart/alternative; boundary=aa

--aa
Content-Type: text/plain; charset=utf-8

plain form http://plain.example/
--aa
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>html form <a href=3D"http://link.example/x?a=3D1&amp;b=3D2">the <b>link</b></a></p>
--aa--
--bb
Content-Type: application/PDF; name="caf=?utf-8?Q?=C3=A9?= bill.pdf"
Content-Disposition: attachment; filename*=utf-8''r%C3%A9sum%C3%A9.pdf
Content-Transfer-Encoding: base64

AAECAwQFBgcICQ==
--bb
Content-Type: text/plain; name=note.txt

second text
--bb--
M

my $row = load_one($whole);
my %expected = (
	source => 'one.eml',
	mailbox => undef,
	message_id => 'one@example.com',
	received_at => '2002-08-22T16:36:23+00:00',
	sent_at => '2002-08-22T16:29:00+00:00',
	from_addr => 'jane.doe@example.com',
	from_name => 'Doe, Jane',
	from_domain => 'example.com',
	reply_to => 'other@example.net',
	return_path => 'bounce@lists.example.org',
	recipients =>
	  [ map { "$_\@example.org" } qw(a b c d e) ],
	subject => 'A subject that is folded',
	body_text => "html form the link\nsecond text",
	has_html => JSON::PP::true,
	urls => [ 'http://plain.example/', 'http://link.example/x?a=1&b=2' ],
	link_texts => ['the link'],
	link_hrefs => ['http://link.example/x?a=1&b=2'],
	attachments => [
		{ name => 'résumé.pdf', type => 'application/pdf', size => 10 },
		{ name => 'note.txt', type => 'text/plain', size => 11 } ],
	in_reply_to => 'zero@example.com',
	reference_ids => [ 'r1@example.com', 'r2@example.com', 'zero@example.com' ],
	list_id => 'news.lists.example.org',
	auth_results =>
	  [ 'Authentication-Results: mx.example.org; spf=pass', 'Received-SPF: pass (mx.example.org)' ],
	dkim_domains => [ 'example.com', 'lists.example.org' ],
	relay_ip => '2001:db8::25',
	size_bytes => length($whole),
	defects => []);
# what their bytes are is t/attachments_load.pl's
delete @$_{qw(sha256 detected)} foreach @{ $row->{attachments} };
foreach my $column (sort keys %expected)
{
	is_deeply($row->{$column}, $expected{$column}, "column $column")
	  or diag(explain($row->{$column}));
}
is_deeply($row->{headers}{'x-twice'}, [ '1', '2' ], 'headers: values in order under one name');
is(scalar @{ $row->{headers}{'dkim-signature'} }, 3, 'headers: every value is kept');
is($row->{headers}{subject}[0], 'A subject that is folded', 'headers: unfolded');
is(scalar keys %{ $row->{headers} }, 19, 'headers: each name once');

my $undescribed = (rows(q{SELECT count(*) AS n FROM pg_attribute
	WHERE attrelid = 'message'::regclass AND attnum > 0
	AND col_description(attrelid, attnum) IS NULL}))[0]{n};
is($undescribed, 0, '--create-table writes a comment on each column');

# ---- charsets ---------------------------------------------------------------

my @charsets = (
	# charset, bytes, text, defects
	[ 'utf-8', encode('UTF-8', 'grün €'), 'grün €' ],
	[ 'iso-8859-1', "gr\xFCn \x80", 'grün €' ],
	[ 'us-ascii', encode('UTF-8', 'grün'), 'grün' ],
	[ 'us-ascii', "gr\xFCn", 'grün', 'no_charset' ],
	[ '', "gr\xFCn", 'grün', 'no_charset' ],
	[ 'windows-1251', encode('cp1251', 'привет'), 'привет' ],
	[ 'koi8-r', encode('koi8-r', 'привет'), 'привет' ],
	[ 'gb2312', encode('gbk', '你好'), '你好' ],
	[ 'big5', encode('big5', '你好'), '你好' ],
	[ 'shift_jis', encode('cp932', '日本'), '日本' ],
	[ 'iso-2022-jp', encode('iso-2022-jp', '日本 x'), '日本 x' ],
	[ 'ks_c_5601-1987', encode('cp949', '한국'), '한국' ],
	[ 'utf-16', encode('UTF-16', 'grün'), 'grün' ],
	[ 'no-such-charset', "gr\xFCn", 'grün', 'no_charset unknown_charset' ],
	[ 'no-such-charset', encode('UTF-8', 'grün'), 'grün', 'unknown_charset' ],
	[ 'utf-8', "a\xFFb\xC3", "a\x{FFFD}b\x{FFFD}", 'bad_charset' ],
	[ 'utf-8', "a\xC0\xAFb", "a\x{FFFD}b", 'bad_charset' ],              # overlong
	[ 'utf-8', "a\xED\xA0\x80b", "a\x{FFFD}b", 'bad_charset' ],          # surrogate
	[ 'utf-8', "a\xF4\x90\x80\x80b", "a\x{FFFD}b", 'bad_charset' ],      # above U+10FFFF
	[ 'gb2312', "a\xFF", "a\x{FFFD}", 'bad_charset' ],
	[ 'utf-8', "a\0b", 'ab', 'nul_byte' ],
	[ '../../etc/passwd', "\xFC", 'ü', 'no_charset unknown_charset' ],
	[ 'utf-8//TRANSLIT', "\xFC", 'ü', 'no_charset unknown_charset' ]);
my $dir = fresh_folder();
for my $i (0 .. $#charsets)
{
	my ($charset, $bytes) = @{ $charsets[$i] };
	write_file(sprintf("$dir/%02d.eml", $i),
		"From: a\@b.example\nReceived: x; Thu, 22 Aug 2002 12:36:23 +0000\n"
		  . "Date: Thu, 22 Aug 2002 12:36:23 +0000\n"
		  . ($charset ne '' ? "Content-Type: text/plain; charset=\"$charset\"\n" : '')
		  . "\n$bytes");
}
is(load('--create-table', '-t', 'charsets', $dir), 0, 'charsets: loaded');
my @rows = rows('SELECT body_text, defects FROM charsets ORDER BY source');
is(scalar @rows, scalar @charsets, 'charsets: every message');
for my $i (0 .. $#charsets)
{
	my ($charset, $bytes, $text, $defects) = @{ $charsets[$i] };
	is($rows[$i]{body_text}, $text, "charset '$charset' is decoded ($i)");
	is("@{ $rows[$i]{defects} }", $defects // '', "charset '$charset' defects ($i)");
}

# ---- headers ----------------------------------------------------------------

my @subjects = (
	# raw, text
	[ 'plain', 'plain' ],
	[ '=?utf-8?B?' . encode_base64(encode('UTF-8', 'grün'), '') . '?=', 'grün' ],
	[ '=?iso-8859-1?Q?gr=FCn_x?= y', 'grün x y' ],
	# blanks between words are no text, blanks beside them are
	[ 'a =?utf-8?Q?b?= =?utf-8?Q?c?= d =?utf-8?Q?e?=', 'a bc d e' ],
	# a padded word before another: GMime loses the second
	[ '=?utf-8?B?YWI=?= =?utf-8?B?Y2Q=?=', 'abcd' ],
	# a character that is split between words
	[ '=?utf-8?Q?gr=C3?= =?utf-8?Q?=BCn?=', 'grün' ],
	[ '=?utf-8?Q?a?= =?iso-8859-1?Q?=FC?=', 'aü' ],
	[ '=?utf-8*de?Q?=C3=BC?=', 'ü' ],
	[ '=?utf-8?Q?with blank?=', 'with blank' ],
	[ '=?utf-8?X?no?=', '=?utf-8?X?no?=' ],
	[ '=?utf-8?Q?open', '=?utf-8?Q?open' ],
	[ '=?utf-8?Q?two=0Alines=00?=', 'two lines' ],
	[ '=?utf-8?Q?=41=3D?=', 'A=' ],
	[ '=?utf-8?Q?=FF?=', "\x{FFFD}" ],
	[ "raw gr\xFCn", 'raw grün' ],
	[ encode('UTF-8', 'raw grün'), 'raw grün' ],
	[ "tab\there", "tab\there" ],
	[ '', '' ]);
$dir = fresh_folder();
for my $i (0 .. $#subjects)
{
	write_file(sprintf("$dir/%02d.eml", $i), "Date: x\nSubject: $subjects[$i][0]\n\nb");
}
is(load('--create-table', '-t', 'subjects', $dir), 0, 'subjects: loaded');
@rows = rows('SELECT subject FROM subjects ORDER BY source');
is($rows[$_]{subject}, $subjects[$_][1], "subject $_ is decoded") for 0 .. $#subjects;

my @froms = (
	# raw, address, name, domain, defects
	[ 'a@B.example', 'a@b.example', undef, 'b.example' ],
	[ '=?utf-8?B?SsO8cmdlbg==?= <j@b.example>', 'j@b.example', 'Jürgen', 'b.example' ],
	[ '=?utf-8?Q?Doe,_Jane?= <j@b.example>', 'j@b.example', 'Doe, Jane', 'b.example' ],
	[ '"=?utf-8?B?YWI=?= =?utf-8?B?Y2Q=?=" <j@b.example>', 'j@b.example', 'abcd', 'b.example' ],
	[ 'service@bank.example <x@evil.example>', 'x@evil.example', 'service@bank.example', 'evil.example' ],
	[ 'a@b.example, c@d.example', 'a@b.example', undef, 'b.example', 'multiple_from' ],
	[ 'j@b.example (Jane)', 'j@b.example', 'Jane', 'b.example' ],
	[ 'local', 'local', 'local', undef, 'bad_from' ],
	[ '"" <>', undef, undef, undef, 'bad_from' ],
	[ 'no address here', undef, 'no address here', undef, 'bad_from' ],
	[ '', undef, undef, undef, 'no_from' ]);
$dir = fresh_folder();
for my $i (0 .. $#froms)
{
	write_file(sprintf("$dir/%02d.eml", $i),
		"Received: x; Thu, 22 Aug 2002 12:36:23 +0000\n"
		  . "Date: Thu, 22 Aug 2002 12:36:23 +0000\nFrom: $froms[$i][0]\n\nb");
}
is(load('--create-table', '-t', 'froms', $dir), 0, 'senders: loaded');
@rows = rows('SELECT from_addr, from_name, from_domain, defects FROM froms ORDER BY source');
for my $i (0 .. $#froms)
{
	my ($raw, $addr, $name, $domain, $defects) = @{ $froms[$i] };
	is_deeply(
		[ @{ $rows[$i] }{qw(from_addr from_name from_domain)}, "@{ $rows[$i]{defects} }" ],
		[ $addr, $name, $domain, $defects // '' ],
		"From: $raw") or diag(explain($rows[$i]));
}

# ---- time and relay ----------------------------------------------------------

my $date = 'Date: Thu, 22 Aug 2002 10:00:00 +0000';
my @times = (
	# headers, received_at, sent_at, defects
	[ "Received: by x; Thu, 22 Aug 2002 12:00:00 +0200\n$date", '2002-08-22T10:00:00', '2002-08-22T10:00:00', '' ],
	[ "Received: by x; Fri, 23 Aug 2002 12:00:00 -0000 (UTC)\nReceived: by y; Thu, 1 Aug 2002 12:00:00 +0000\n$date",
		'2002-08-23T12:00:00', '2002-08-22T10:00:00', '' ],
	[ "Received: by x\nReceived: by y; Thu, 1 Aug 2002 12:00:00 +0000\n$date",
		'2002-08-01T12:00:00', '2002-08-22T10:00:00', 'bad_received' ],
	[ "Received: by x; Thu, 1 Aug 2069 12:00:00 +0000\n$date", '2002-08-22T10:00:00', '2002-08-22T10:00:00',
		'no_received bad_received' ],
	[ $date, '2002-08-22T10:00:00', '2002-08-22T10:00:00', 'no_received' ],
	[ 'Date: never', '2003-04-05T06:07:08', undef, 'bad_date no_received guessed_time' ],
	[ 'X: y', '2003-04-05T06:07:08', undef, 'no_date no_received guessed_time' ],
	[ 'Date: Thu, 22 Aug 2069 10:00:00 +0000', '2003-04-05T06:07:08', '2069-08-22T10:00:00',
		'absurd_date no_received guessed_time' ],
	[ 'Date: Thu, 01 Jan 1970 00:00:00 +0000', '2003-04-05T06:07:08', '1970-01-01T00:00:00',
		'absurd_date no_received guessed_time' ],
	[ 'Date: Thu, 22 Aug 299999 10:00:00 +0000', '2003-04-05T06:07:08', undef,
		'bad_date no_received guessed_time' ],
	[ 'Date: Thu, 99 Aug 2002 99:99:99 +9999', '2003-04-05T06:07:08', undef,
		'bad_date no_received guessed_time' ],
	[ "Received: by x; Sat, 31 Dec 2005 23:59:60 +0000\nDate: 2002-08-22T12:00:00+02:00",
		'2005-12-31T23:59:59', '2002-08-22T10:00:00', '' ],
	[ "Received: by x; Thu, 22 Aug 2002 12:00:00 +0000\nDate: Thu, 22 Aug 2044 10:00:00 +0000",
		'2002-08-22T12:00:00', '2044-08-22T10:00:00', 'absurd_date' ]);
$dir = fresh_folder();
for my $i (0 .. $#times)
{
	my $file = write_file(sprintf("$dir/%02d.eml", $i), "From: a\@b.example\n$times[$i][0]\n\nb");
	# 2003-04-05 06:07:08 UTC
	utime 1049522828, 1049522828, $file;
}
is(load('--create-table', '-t', 'times', $dir), 0, 'times: loaded');
@rows = rows('SELECT received_at, sent_at, defects FROM times ORDER BY source');
for my $i (0 .. $#times)
{
	my ($headers, $received, $sent, $defects) = @{ $times[$i] };
	is($rows[$i]{received_at}, "$received+00:00", "received_at $i");
	is($rows[$i]{sent_at}, defined $sent ? "$sent+00:00" : undef, "sent_at $i");
	is("@{ $rows[$i]{defects} }", $defects, "defects of times $i");
}

my @relays = (
	[ [ 'from a (b [192.0.2.1]) by c' ], '192.0.2.1' ],
	[ [ 'from a ([127.0.0.1]) by c', 'from a (b [10.1.2.3]) by c', 'from a ([203.0.113.9]:25) by d' ], '203.0.113.9' ],
	[ [ 'from a [203.0.113.5] by localhost with POP3 (fetchmail-5.9.0)', 'from x ([198.51.100.1]) by y' ], '198.51.100.1' ],
	[ [ 'by x with local' ], undef ],
	[ [ 'from 1.2.3.4.5.example (HELO x) by y' ], undef ],
	[ [ 'from a (b [999.1.1.1]) by c' ], undef ],
	[ [ 'from a ([IPv6:2001:db8::1]) by c' ], '2001:db8::1' ],
	[ [ 'from a ([fe80::1]) by c' ], undef ],
	# what the sender chose counts for nothing: an address, or one of our names
	[ [ 'from [198.51.100.1] (x [10.0.0.1]) by y' ], undef ],
	[ [ 'from in.acme.example (evil.test [203.0.113.9]) by mx.acme.example', 'from a.test (a.test [198.51.100.1]) by in.acme.example' ], '203.0.113.9' ],
	# Exchange Online's servers have names in two domains
	[ [ 'from a.prod.outlook.com (2603:10b6:1::1) by b.prod.outlook.com with HTTPS', 'from c.eop.outlook.com (2603:10b6:2::1) by a.outlook.office365.com',
		'from out.a.test (203.0.113.9) by c.protection.outlook.com (10.0.0.1)' ], '203.0.113.9' ]);
$dir = fresh_folder();
write_file(sprintf("$dir/%02d.eml", $_),
	join('', map { "Received: $_; Thu, 22 Aug 2002 12:00:00 +0000\n" } @{ $relays[$_][0] }) . "\nb")
  for 0 .. $#relays;
is(load('--create-table', '-t', 'relays', $dir), 0, 'relays: loaded');
@rows = rows('SELECT relay_ip FROM relays ORDER BY source');
is($rows[$_]{relay_ip}, $relays[$_][1], "relay_ip $_") for 0 .. $#relays;

# ---- HTML --------------------------------------------------------------------

my @html = (
	# HTML, text, [text, href] of links, further URLs
	[ '<html><head><title>t</title><style>s{}</style></head><body>a<script>x()</script>b</body></html>', 'ab', [] ],
	[ "<p>one</p><p>two<br>three</p><div>four</div>five", "one\n\ntwo\nthree\n\nfour\nfive", [] ],
	[ '<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>', "a b\nc", [] ],
	[ '<ul><li>a<li>b</ul>', "a\nb", [] ],
	[ "a  \n\t b&nbsp;&nbsp;c", 'a b c', [] ],
	[ "<pre>a\n  b</pre>", "a\n  b", [] ],
	[ '&lt;&amp;&eacute;&#8364;&#x41;', '<&é€A', [] ],
	[ '1 < 2 &amp; 3 > 2 & 4', '1 < 2 & 3 > 2 & 4', [] ],
	[ '<a href=" HTTP://x.example/&#10;a ">t <i>u</i></a>', 't u', [ [ 't u', 'HTTP://x.example/a' ] ] ],
	[ '<a href=mailto:a@b.example>m</a>', 'm', [ [ 'm', 'mailto:a@b.example' ] ] ],
	[ '<a href="http://x.example/"><img src="http://i.example/p.gif" alt="Pay now"></a>', 'Pay now',
		[ [ 'Pay now', 'http://x.example/' ] ], 'http://i.example/p.gif' ],
	[ '<a href=http://x.example/>one<a href=http://y.example/>two</a>', 'onetwo',
		[ [ 'one', 'http://x.example/' ], [ 'two', 'http://y.example/' ] ] ],
	[ '<a name=x>no link</a>', 'no link', [] ],
	[ '<base href="http://base.example/d/"><a href="e?f">t</a>', 't', [ [ 't', 'http://base.example/d/e?f' ] ],
		'http://base.example/d/' ],
	[ '<a href="http://evil.example/">http://bank.example/</a>', 'http://bank.example/',
		[ [ 'http://bank.example/', 'http://evil.example/' ] ], 'http://bank.example/' ],
	[ '<form action="http://f.example/"><iframe src="//g.example/"></iframe></form>', '', [],
		'http://f.example/', 'http://g.example/' ],
	[ 'a<!-- hidden <b> -->b<!--[if mso]>c<![endif]-->d', 'abd', [] ],
	[ 'a<!-- never closed>b', "a\nb", [] ],
	[ '<b>never <i>closed', 'never closed', [] ],
	[ '</td></b>stray', 'stray', [] ],
	[ '<p>a<o:p></o:p></p>', 'a', [] ]);
$dir = fresh_folder();
write_file(sprintf("$dir/%02d.eml", $_),
	"Content-Type: text/html; charset=utf-8\n\n" . encode('UTF-8', $html[$_][0]))
  for 0 .. $#html;
is(load('--create-table', '-t', 'html', $dir), 0, 'HTML: loaded');
@rows = rows('SELECT body_text, link_texts, link_hrefs, urls, has_html, defects FROM html ORDER BY source');
for my $i (0 .. $#html)
{
	my ($source, $text, $links, @urls) = @{ $html[$i] };
	my %row = %{ $rows[$i] };
	is($row{body_text}, $text, "text of $source");
	is_deeply([ map { [ $row{link_texts}[$_], $row{link_hrefs}[$_] ] } 0 .. $#{ $row{link_hrefs} } ],
		$links, "links of $source") or diag(explain(\%row));
	my @http = grep { /^http/i } map { $_->[1] } @$links;
	is_deeply([ sort @{ $row{urls} } ], [ sort(@http, @urls) ], "URLs of $source");
	ok($row{has_html}, "has_html of $source");
}

# URLs in plain text
$row = load_one("X: y\n\n"
	  . "see http://a.example/b. (http://c.example/d(e)) <HTTPS://F.example> www.g.example, xwww.h.example "
	  . "\"ftp://i.example/\" http:// http://a.example/b news://x.example http://ü.example/ö!\n");
is_deeply($row->{urls},
	[ 'http://a.example/b', 'http://c.example/d(e)', 'HTTPS://F.example', 'www.g.example', 'ftp://i.example/',
		'http://ü.example/ö' ],
	'URLs in plain text') or diag(explain($row->{urls}));

# ---- MIME --------------------------------------------------------------------

sub mime { return "From: a\@b.example\nMIME-Version: 1.0\n" . join("\n", @_) . "\n" }
my @mime = (
	# message, body_text, attachments as name:type:size
	[ mime('Content-Type: text/plain', 'Content-Transfer-Encoding: base64', '', encode_base64("a\r\nb\r\n")), "a\nb\n", '' ],
	[ mime('Content-Type: text/plain', 'Content-Transfer-Encoding: quoted-printable', '', "a=\nb=3Dc"), "ab=c\n", '' ],
	[ mime('Content-Type: text/plain', 'Content-Transfer-Encoding: x-uuencode', '', 'begin 644 x', pack('u', 'hello') . '`', 'end'), 'hello', '' ],
	[ mime('Content-Type: text/enriched', '', '<bold>strong</bold> word'), 'strong word', '' ],
	[ mime('Content-Type: text', '', 'x'), "x\n", '' ],
	[ mime('Content-Type: text/rtf', '', 'x'), "x\n", '' ],
	[ mime('Content-Type: application/zip; name=a.zip', '', 'x'), '', 'a.zip:application/zip:2' ],
	[ mime('Content-Type: text/plain; name=a.txt', 'Content-Disposition: attachment', '', 'x'), '', 'a.txt:text/plain:2' ],
	# of alternatives, the last that has text
	[ mime('Content-Type: multipart/alternative; boundary=b', '', '--b', 'Content-Type: text/plain', '', 'plain', '--b',
			'Content-Type: text/html', '', '<img src=x>', '--b--'), 'plain', '' ],
	[ mime('Content-Type: multipart/alternative; boundary=b', '', '--b', 'Content-Type: text/plain', '', 'plain', '--b',
			'Content-Type: text/calendar', '', 'BEGIN', '--b--'), 'plain', ':text/calendar:5' ],
	# an attached message is listed, not read
	[ mime('Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'see', '--b', 'Content-Type: message/rfc822', '',
			'Subject: =?utf-8?Q?inner_=C3=BC?=', '', 'inner text', '--b--'), 'see', 'inner ü:message/rfc822:45' ],
	[ mime('Content-Type: message/rfc822', '', 'Subject: inner', '', 'inner text'), "inner text\n", '' ],
	[ mime('Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'one', '--b', 'Content-Type: image/gif',
			'Content-Disposition: inline; filename="=?utf-8?B?YWI=?= =?utf-8?B?Y2Q=?=.gif"', '', 'x', '--b--'),
		'one', 'abcd.gif:image/gif:1' ]);
$dir = fresh_folder();
write_file(sprintf("$dir/%02d.eml", $_), $mime[$_][0]) for 0 .. $#mime;
is(load('--create-table', '-t', 'mime', $dir), 0, 'MIME: loaded');
@rows = rows('SELECT body_text, attachments FROM mime ORDER BY source');
for my $i (0 .. $#mime)
{
	is($rows[$i]{body_text}, $mime[$i][1], "MIME body $i");
	is(join(' ', map { ($_->{name} // '') . ":$_->{type}:$_->{size}" } @{ $rows[$i]{attachments} }),
		$mime[$i][2], "MIME attachments $i");
}

done_testing();
