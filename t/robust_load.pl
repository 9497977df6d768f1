# assay_load: input that nobody should send. Every message is loaded, what is
# wrong with it is noted, and none costs more than its size justifies.
use strict;
use warnings;
use AssayLoad;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

AssayLoad::start();

my $head = "From: a\@b.example\nReceived: x; Thu, 22 Aug 2002 12:36:23 +0000\n"
  . "Date: Thu, 22 Aug 2002 12:36:23 +0000\nTo: c\@d.example\nMIME-Version: 1.0\n";
my $mixed = "${head}Content-Type: multipart/mixed; boundary=b\n\n";

sub html { return "${head}Content-Type: text/html; charset=utf-8\n\n" . join '', @_ }

sub numbered
{
	my ($n, $format) = @_;
	return join '', map { $format =~ s/%d/$_/gr } 1 .. $n;
}

# A document in frames in one another
sub framed
{
	my ($n, $document) = @_;
	for (1 .. $n)
	{
		$document =~ s/&/&amp;/g;
		$document =~ s/"/&quot;/g;
		$document = qq{<iframe srcdoc="$document"></iframe>};
	}
	return $document;
}

sub nested
{
	my ($depth) = @_;
	return "${head}Content-Type: multipart/mixed; boundary=b1\n\n"
	  . numbered($depth, "--b%d\nContent-Type: multipart/mixed; boundary=bx%d\n\n") =~
	  s/bx(\d+)/'b' . ($1 + 1)/egr . '--b' . ($depth + 1) . "\nContent-Type: text/plain\n\ndeep\n";
}

# What is signed in one piece, without any length said
sub signed
{
	my $content = join '', @_;
	my $oid = "\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07";
	return "${head}Content-Type: application/pkcs7-mime; name=smime.p7m\nContent-Transfer-Encoding: base64\n\n"
	  . encode_base64("\x30\x80$oid\x02\xA0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80$oid\x01\xA0\x80$content");
}

# name, message, defects (a pattern), a condition on the row
my @cases = (
	# headers
	[ 'header_10mb', "${head}X-Big: " . 'a' x 10_000_000 . "\n\nbody\n", qr/^truncated_header$/,
		q{body_text = E'body\n' AND length(headers->'x-big'->>0) = 1048576} ],
	[ 'header_10mb_folded', "${head}X-Big: " . "aaaaaaaa\n " x 1_000_000 . "\n\nbody\n", qr/^truncated_header$/,
		q{body_text = E'body\n'} ],
	[ 'header_total', $head . numbered(400, 'X-%d: ' . 'a' x 100_000 . "\n") . "\nbody\n", qr/^truncated_header$/,
		q{body_text = E'body\n' AND octet_length(headers::text) < 17000000} ],
	[ 'headers_500k', $head . numbered(500_000, "X-%d: a\n") . "\nbody\n", qr/^truncated_header$/,
		q{body_text = E'body\n' AND headers ? 'x-1'} ],
	[ 'received_200k', "Received: x\n" x 200_000 . "$head\nbody\n", qr/bad_received$/, q{body_text = E'body\n'} ],
	[ 'recipients_local', $head . ('To: ' . 'a,' x 500_000 . "<x\@y.example>\n") x 8 . "\nbody\n", qr/^/, q{'x@y.example' = ANY (recipients)} ],
	[ 'recipients_100k', "${head}Cc: " . join(",\n ", map { "\"User $_\" <u$_\@d.example>" } 1 .. 100_000) . "\n\nbody\n",
		qr/^truncated_header$/, q{cardinality(recipients) = 100001 AND recipients[100001] = 'u100000@d.example'} ],
	[ 'to_headers_50k', $head . numbered(50_000, "To: u%d\@d.example\n") . "\nbody\n", qr/^$/,
		q{cardinality(recipients) = 50001} ],
	[ 'references_100k', "${head}References: " . numbered(100_000, '<%d@x> ') . "\n\nbody\n", qr/truncated_list/,
		q{cardinality(reference_ids) = 10000} ],
	[ 'address_parens', "${head}Reply-To: " . '(' x 500_000 . "\n\nbody\n", qr/^$/, q{reply_to IS NULL} ],
	[ 'address_groups', "${head}Cc: " . 'a:' x 300_000 . "\n\nbody\n", qr/^$/, q{cardinality(recipients) = 1} ],
	[ 'address_groups_1m', "${head}Cc: " . 'a:' x 1_000_000 . "\n\nbody\n", qr/^(truncated_header)?$/, q{cardinality(recipients) = 1} ],
	[ 'address_groups_closed', "${head}Cc: " . 'a:;' x 5_000_000 . "\n\nbody\n", qr/^truncated_header$/, q{cardinality(recipients) = 1} ],
	[ 'address_quotes', "${head}Cc: " . '"' x 500_001 . "\n\nbody\n", qr/^$/, q{true} ],
	[ 'address_comments', "${head}From: " . '(a)' x 300_000 . '(' x 300_000 . "\n\nbody\n", qr/./, q{true} ],
	[ 'address_mixed', "${head}Cc: " . '("<,' x 300_000 . "\n\nbody\n", qr/^/, q{true} ],
	[ 'address_brackets', "${head}Cc: " . '<' x 500_000 . "\n\nbody\n", qr/^$/, q{cardinality(recipients) = 1} ],
	[ 'address_angles', "${head}Cc: " . '<a>,' x 250_000 . "\n\nbody\n", qr/^/, q{true} ],
	[ 'address_word_atoms', "${head}Reply-To: =?utf-8?Q?" . 'x' x 4000 . '?= ' . '=!0!=' x 150_000 . " <r\@x.example>\n\nbody\n", qr/^$/,
		q{reply_to = 'r@x.example'} ],
	[ 'subject_words', "${head}Subject: " . '=?utf-8?B?w6Q=?= ' x 100_000 . "\n\nbody\n", qr/^$/,
		q{length(subject) = 100000} ],
	[ 'subject_open_words', "${head}Subject: " . '=?utf-8?q?' x 100_000 . "\n\nbody\n", qr/^$/, q{length(subject) > 100000} ],
	[ 'message_id_brackets', "${head}Message-ID: " . '<' x 500_000 . "\n\nbody\n", qr/^$/, q{true} ],
	[ 'nul_in_header', "${head}Subject: a\0b\n\nbody\n", qr/^nul_byte$/, q{subject = 'ab'} ],
	[ 'nul_only', "\0" x 5000, qr/no_headers.*nul_byte/, q{body_text = ''} ],
	[ 'no_blank_line', "${head}Subject: s\nthe body begins\nhere\n", qr/^broken_headers$/,
		q{subject = 's' AND body_text = E'the body begins\nhere\n'} ],
	[ 'from_line_inside', "Subject: s\nFrom x Thu Aug 22 12:36:23 2002\n$head\nbody\n", qr/^broken_headers$/,
		q{from_addr = 'a@b.example' AND body_text = E'body\n'} ],
	[ 'blank_lines_first', "\n\n\n$head\nbody\n", qr/^$/, q{body_text = E'body\n'} ],
	[ 'only_headers', "Subject: s\nFrom: a\@b.example", qr/no_date/, q{subject = 's' AND body_text = ''} ],
	[ 'cr_only', "Subject: s\rFrom: a\@b.example\r\rbody\r", qr/./, q{true} ],
	# MIME
	[ 'nest_90', nested(90), qr/^broken_mime$/, q{body_text = 'deep' || E'\n'} ],
	[ 'nest_2000', nested(2000), qr/mime_limit/, q{true} ],
	[ 'nest_50000', nested(50_000), qr/mime_limit/, q{true} ],
	[ 'nest_message', "${head}Content-Type: message/rfc822\n\n" x 3000 . "end\n", qr/^/, q{true} ],
	[ 'same_boundary', $mixed . "--b\nContent-Type: multipart/mixed; boundary=b\n\n" x 50_000, qr/mime_limit/, q{true} ],
	[ 'parts_200k', $mixed . "--b\nContent-Type: text/plain\n\nx\n" x 200_000 . "--b--\n", qr/mime_limit/,
		q{length(body_text) > 10000} ],
	[ 'empty_parts_1m', $mixed . "--b\n\n" x 1_000_000, qr/mime_limit/, q{true} ],
	[ 'attachments_5k', $mixed . "--b\nContent-Type: image/x; name=y\n\nx\n" x 5000 . "--b--\n", qr/^truncated_list$/,
		q{jsonb_array_length(attachments) = 1000} ],
	[ 'part_headers_1m', "${mixed}--b\n" . "X: a\n" x 1_000_000 . "\nbody\n--b--\n", qr/mime_limit/, q{true} ],
	[ 'part_parameters', "${mixed}--b\nContent-Type: text/plain; " . numbered(100_000, 'p%d=a; ') . "\n\nbody\n--b--\n",
		qr/^mime_limit$/, q{body_text = 'body'} ],
	[ 'boundary_lines', "${head}Content-Type: multipart/mixed; boundary=b1\n\n"
		  . numbered(1000, "--b%d\nContent-Type: multipart/mixed; boundary=bx%d\n\n") =~ s/bx(\d+)/'b' . ($1 + 1)/egr
		  . "--\n" x 1_000_000, qr/mime_limit/, q{true} ],
	[ 'no_boundary', "${head}Content-Type: multipart/mixed\n\nthe text\n", qr/^broken_mime$/, q{body_text ~ 'the text'} ],
	[ 'boundary_missing', "${mixed}the text\n", qr/^broken_mime$/, q{body_text ~ 'the text'} ],
	[ 'boundary_unclosed', "${mixed}--b\n\nthe text\n", qr/^broken_mime$/, q{body_text ~ 'the text'} ],
	[ 'base64_junk', "${head}Content-Transfer-Encoding: base64\n\n!!!aGVs bG8=\n@@@\n", qr/^/, q{body_text ~ 'hello'} ],
	[ 'qp_open', "${head}Content-Transfer-Encoding: quoted-printable\n\n" . '=' x 500_000, qr/^/, q{true} ],
	[ 'big_50mb', "${mixed}--b\n\nhello\n--b\nContent-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\n"
		  . ('QUJD' x 19 . "\n") x 680_000 . "--b--\n", qr/^$/,
		q{body_text = 'hello' AND (attachments->0->>'size')::int = 38760000 AND size_bytes > 50000000} ],
	[ 'body_50mb', "$head\n" . "lorem ipsum dolor\n" x 2_900_000, qr/^truncated_body$/,
		q{length(body_text) = 1048576 AND size_bytes > 50000000} ],
	[ 'line_50mb', "$head\n" . 'x' x 50_000_000, qr/^truncated_body$/, q{length(body_text) = 1048576} ],
	[ 'random', do { srand 7; join '', map { chr int rand 256 } 1 .. 300_000 }, qr/no_/, q{true} ],
	# HTML
	[ 'html_deep', html('<div>' x 400_000, 'deep text', '</b>' x 200_000), qr/^broken_html$/, q{body_text = 'deep text'} ],
	[ 'html_attributes', html('<a ', numbered(200_000, 'a%d=1 '), 'href=x>t</a>after'), qr/^broken_html$/,
		q{body_text = 'tafter' OR body_text = 't after'} ],
	[ 'html_lt', html('<' x 2_000_000, 'end'), qr/^/, q{true} ],
	[ 'html_amp', html('&' x 1_000_000), qr/^/, q{true} ],
	[ 'html_comments', html('<!--' x 500_000, 'end'), qr/broken_html/, q{true} ],
	[ 'html_end_tags', html('</p>' x 500_000, 'end'), qr/^/, q{body_text ~ 'end'} ],
	[ 'html_quotes', html('<a href="' x 300_000), qr/^/, q{true} ],
	[ 'html_tables', html('<table><tr><td>' x 200_000, 'end'), qr/^/, q{body_text ~ 'end'} ],
	[ 'html_lists', html('<ul><li>x' x 300_000, 'end'), qr/^/, q{body_text ~ 'end'} ],
	[ 'html_links', html(numbered(50_000, '<a href="http://h%d.example/">t%d</a> ')), qr/truncated_list/,
		q{cardinality(link_hrefs) = 10000 AND cardinality(link_texts) = 10000} ],
	[ 'html_long_href', html('<a href="http://x/', 'a' x 3_000_000, '">t</a>'), qr/truncated_list/,
		q{length(link_hrefs[1]) = 8192 AND link_texts = '{t}'} ],
	[ 'html_data_uri', html('<img src="data:image/png;base64,', 'A' x 3_000_000, '">text'), qr/^/, q{body_text = 'text'} ],
	[ 'html_unbalanced', html('<span><div></span>' x 100_000, 'end'), qr/^broken_html$/, q{body_text ~ 'end'} ],
	[ 'html_in_cells', html('<table><tr><td></div>' x 60_000, 'end'), qr/^broken_html$/, q{body_text ~ 'end'} ],
	# formatting that others' ends close is opened again, below what follows
	(map { my ($name, $piece) = @$_; [ "html_back_$name", html($piece x 30_000, 'end'), qr/^broken_html$/, q{body_text ~ 'end'} ] }
			[ 'block', '<li><b></li>x' ], [ 'inline', '<i><b></i>' ], [ 'cell', '<td><b></td>x' ], [ 'link', '<a><b></a>' ]),
	# what is outside of a cell, or a list to choose from, is not closed from within
	(map { my ($name, $from, $to) = @$_; [ "html_back_$name", html(('<li><b></li>x' x 20 . $from . '</b>' x 20 . $to) x 2000, 'end'), qr/^broken_html$/, q{body_text ~ 'end'} ] }
			[ 'outside_cell', '<table><tr><td>', '</td></tr></table>' ], [ 'outside_select', '<select>', '</select>' ]),
	[ 'html_back_few', html('<table>', '<tr><td><p><b>x<i>y</b></i></p><font>z</td></tr>' x 2000, '</table>'), qr/^$/, q{body_text ~ 'z\s*$'} ],
	[ 'html_formats', html(numbered(1000, '<b x%d>'), '<p>x' x 100_000, 'end'), qr/^broken_html$/, q{body_text ~ 'end'} ],
	[ 'html_fonts', html(numbered(3000, '<font x%d>'), '</p>' x 3000, 'end'), qr/^/, q{body_text ~ 'end'} ],
	[ 'html_stripped_links', html('<div>' x 400_000, '<a href="http://x.example/&amp;">t</a><form action=http://f.example>'),
		qr/^broken_html$/, q{link_hrefs = '{http://x.example/&}' AND link_texts = '{t}' AND 'http://f.example' = ANY (urls)} ],
	[ 'html_conditions', html('<!--[if mso]><a href=http://x.example/><![endif]-->' x 50_000), qr/^/, q{cardinality(urls) = 1} ],
	# More is there than is read: the rest may show what the first hides.
	(map {
			my ($name, $at_most, $document) = @$_;
			([ "${name}_most", html($document->($at_most)), qr/^$/, q{body_text = 'seen' AND hidden_text = 'hidden'} ],
			 [ "${name}_more", html($document->($at_most + 1)), qr/^$/, q{body_text ~ '^hidden\n*seen$' AND hidden_text IS NULL} ])
		}
		[ 'html_css_rules', 2000, sub { ('<style>', numbered($_[0], '.x%d{display:none}'), '</style><p class=x1>hidden</p>seen') } ],
		[ 'html_css_block', 4096, sub { ('<style>.x{display:none;', ' ' x ($_[0] - 13), '}</style><p class=x>hidden</p>seen') } ],
		[ 'html_css_nested', 8, sub { ('<style>', '@media all{' x $_[0], '.x{display:none}', '}' x $_[0], '</style><p class=x>hidden</p>seen') } ],
		[ 'html_css_names', 16, sub { ('<style>.x{display:none}</style><p class="x', numbered($_[0] - 1, ' y%d'), '">hidden</p>seen') } ]),
	[ 'html_css_100k', html('<style>', numbered(100_000, '.x%d{display:none}'), '</style><p class=x1>hidden</p>seen'),
		qr/^$/, q{body_text ~ '^hidden\n+seen$' AND hidden_text IS NULL} ],
	(map { [ "html_indent_$_", html('<p style="text-indent:-9999px">', 'x' x $_, '<i>tail</i>'), qr/^$/, $_ > 1000 ? q{body_text = 'tail'} : q{coalesce(body_text, '') = ''} ] } 1000, 1001),
	(map { [ "html_frames_$_", html(framed($_, 'deep')), qr/^/, $_ > 4 ? q{coalesce(body_text, '') !~ 'deep'} : q{body_text ~ 'deep'} ] } 4, 5),
	[ 'html_frame_odd', html('x<iframe srcdoc="', '<span><div></span>' x 100_000, '<b>end</b>&amp;amp;"></iframe>y'), qr/^broken_html$/,
		q{body_text ~ '^x\s+end&\s+y$'} ],
	# a MB, turned so often
	(map { my $n = $_; [ "html_turned_times_$n", html((map { $_ % 2 ? '<bdo dir=ltr>' : '<bdo dir=rtl>' } 0 .. $n - 1), 'ab' x 524_288),
			$n > 16 ? qr/^broken_html$/ : qr/^$/, $n > 16 ? 'true' : q{body_text ~ '^(ab)+$'} ] } 16, 17),
	[ 'html_turned', html('<bdo dir=rtl>b<bdo dir=ltr>c' x 190, 'a' x 100_000), qr/^broken_html$/, q{body_text ~ 'aaa'} ],
	[ 'html_turned_maybe', html('<style>b b{direction:rtl;unicode-bidi:bidi-override}i i{unicode-bidi:normal}</style>', '<b><p>' x 150, 'x' x 100_000),
		qr/^/, q{length(body_text) BETWEEN 100000 AND 300000} ],
	[ 'html_directed', html("\x{E2}\x{80}\x{AE}a\x{E2}\x{80}\x{AD}b" x 200_000), qr/^/, q{length(body_text) = 400000} ],
	(map { [ "html_turned_$_", html("\x{E2}\x{80}\x{AA}" x $_, "\x{E2}\x{80}\x{AE}", 'ba', "\x{E2}\x{80}\x{AC}x"), qr/^$/, $_ < 125 ? q{body_text = 'abx'} : q{body_text = 'bax'} ] } 124, 125),
	(map { [ "html_made_$_", html('<style>b::before{content:"', 'x' x 2000, '"}i b::before{content:"', 'y' x ($_ - 2001), '"}</style><i><b></b></i>'), qr/^$/, 'length(body_text) = 4096' ] } 4096, 4097),
	(map { [ "html_made_times_$_", html('<style>b::before{content:"', 'x' x 2048, '"}</style>', '<b></b>' x $_), $_ > 512 ? qr/^broken_html$/ : qr/^(?!.*broken_html)/,
			'length(body_text) >= 1048000' ] } 512, 513),
	[ 'html_made', html('<style>b::before{content:"', 'x' x 4000, '"}</style>', '<b>' x 20_000), qr/^/, q{body_text ~ 'xxx'} ],
	[ 'html_css_classes', html('<style>', (map { ".$_\{" . 'color:red;' x 400 . '}' } ('a' .. 'p') x 2), '</style>',
			'<b class="a b c d e f g h i j k l m n o p">x</b>' x 20_000), qr/^broken_html$/, q{length(body_text) = 20000} ],
	[ 'html_css_braces', html('<style>', '{' x 1_000_000, '</style>seen'), qr/^$/, q{body_text = 'seen'} ],
	[ 'html_css_open', html('<style>', 'a{b' x 300_000, '</style>seen'), qr/^$/, q{body_text = 'seen'} ],
	[ 'html_styles', html('<p style="', 'display:' x 300_000, '">seen</p>'), qr/^$/, q{body_text = 'seen'} ],
	[ 'html_adoption', html('<a href=x><p>' x 20_000, '</a>' x 20_000, 'end'), qr/^/, q{body_text ~ 'end'} ],
	[ 'names_many', $mixed . "--b\nContent-Disposition: attachment" . '; filename=x' x 190 . "\n\nx\n--b--\n", qr/^$/,
		q{attachments->0->>'name' = 'x'} ],
	[ 'boundaries_reopened', $mixed . "--b\n\nx\n--b--\n" x 40_000, qr/mime_limit/, q{body_text ~ 'x'} ],
	[ 'nest_quotes', $mixed . "--b\nContent-Type: text/plain; x=\"\n\nx\n" x 5_000 . "--b--\n", qr/^/, q{body_text ~ 'x'} ],
	# a string whose length is not said has the next one in it
	[ 'signed_open', signed("\x24\x80", "\x04\x80\0\0" x 200_000), qr/^/, q{true} ],
	[ 'signed_pieces', signed("\x24\x80\x04\x1BContent-Type: text/plain\n\na", "\x24\x80\x04\x01b\0\0" x 200_000), qr/^$/,
		q{rtrim(body_text) = 'a' || repeat('b', 200000)} ],
	[ 'html_nul', html("a\0b<b\0>c</b>"), qr/^nul_byte$/, q{body_text = 'abc'} ],
	[ 'urls_100k', "$head\n" . numbered(50_000, 'http://h%d.example/x '), qr/truncated_list/, q{cardinality(urls) = 10000} ],
	[ 'url_parens', "$head\nhttp://x" . '(' x 300_000 . ')' x 300_000, qr/truncated_list/, q{cardinality(urls) = 1} ],
	[ 'url_www', "$head\n" . 'www.' x 200_000, qr/^/, q{true} ]);

my $dir = fresh_folder();
write_file("$dir/$_->[0].eml", $_->[1]) foreach @cases;
$_->[1] = undef foreach @cases;
my $began = time;
# What a process may take is limited: the worst of these needs some 300 MB.
my $connstr = $node->connstr('postgres');
my ($out, $err) = ('', '');
IPC::Run::run([ 'sh', '-c', 'ulimit -v 1500000; exec assay_load -d "$0" --create-table --no-progress "$1"', $connstr, $dir ],
	'>', \$out, '2>', \$err, IPC::Run::timeout(170));
is($?, 0, 'all of them are loaded') or diag($err);
cmp_ok(time - $began, '<', 90, 'in good time');
is((rows('SELECT count(*) AS n FROM message'))[0]{n}, scalar @cases, 'none is lost, none twice');
foreach my $case (@cases)
{
	my ($name, undef, $defects, $condition) = @$case;
	my ($row) = rows("SELECT array_to_string(defects, ' ') AS defects, ($condition) AS holds FROM message WHERE source = '$name.eml'");
	like($row->{defects}, $defects, "$name: defects");
	ok($row->{holds}, "$name: $condition");
}

# ---- damaged messages, by a generator that always makes the same --------------

my $whole = <<'M' . encode_base64('binary' x 50) . "--b--\n";
Return-Path: <bounce@lists.example.org>
Received: from out.example.com (out.example.com [198.51.100.25])
	by mx.example.org with ESMTP id 2; Thu, 22 Aug 2002 12:30:00 -0400
From: =?utf-8?B?SsO8cmdlbg==?= <j@example.com>
To: A <a@example.org>, Friends: b@example.org, "C D" <C@Example.org>;
Subject: =?iso-8859-1?Q?gr=FCn?= and more
Date: Thu, 22 Aug 2002 18:29:00 +0200
Message-ID: <one@example.com>
References: <r1@example.com> <r2@example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: multipart/alternative; boundary=aa

--aa
Content-Type: text/plain; charset=utf-8

plain form http://plain.example/
--aa
Content-Type: text/html; charset=windows-1252
Content-Transfer-Encoding: quoted-printable

<p>html form <a href=3D"http://link.example/x?a=3D1&amp;b=3D2">the <b>link</b></a> &euro; =80</p>
--aa--
--b
Content-Type: application/octet-stream; name="=?utf-8?B?YWI=?= x"
Content-Disposition: attachment; filename*=utf-8''r%C3%A9
Content-Transfer-Encoding: base64

M
my $state = 42;
sub chance { $state = ($state * 1103515245 + 12345) & 0x7fffffff; return ($state >> 8) % shift }
my $folder = fresh_folder();
my $count = 3000;
for my $i (1 .. $count)
{
	my $m = $whole;
	for (0 .. chance(8))
	{
		my $at = chance(length($m) || 1);
		my $n = chance(20);
		my $what = chance(6);
		if ($what == 0) { substr($m, $at, 1) = chr chance(256) }
		elsif ($what == 1) { substr($m, $at, $n) = '' }
		elsif ($what == 2) { substr($m, $at, 0) = substr($m, chance(length($m) || 1), chance(200)) }
		elsif ($what == 3) { substr($m, $at, 0) = ("\0", "\r", "\n", '"', '(', '<', '=?', '?=', ';', ':', '--b', "\xFF")[ chance(12) ] x (1 + chance(5)) }
		elsif ($what == 4) { $m = substr($m, 0, $at) }
		else { substr($m, $at, 1) = chr(ord(substr($m, $at, 1) || ' ') ^ (1 << chance(8))) }
	}
	write_file(sprintf("$folder/%05d.eml", $i), $m);
}
my ($code, $said) = load('--create-table', '-t', 'fuzz', $folder);
is($code, 0, 'damaged messages are loaded') or diag($said);
my ($fuzz) = rows('SELECT count(*) AS n, count(DISTINCT source) AS s, count(*) FILTER (WHERE received_at IS NULL) AS t FROM fuzz');
is_deeply($fuzz, { n => $count, s => $count, t => 0 }, 'every one of them, once');
cmp_ok((rows(q{SELECT count(*) AS n FROM fuzz WHERE defects <> '{}'}))[0]{n}, '>', $count / 4, 'and defects are noted');

# the same as an mbox and as JSON Lines: whatever comes out, it ends and is counted
my $mbox = join '', map { my $m = slurp_file(sprintf("$folder/%05d.eml", $_)); "From x Thu Aug 22 12:36:23 2002\n$m\n\n" } 1 .. 500;
($code, $said) = load('-t', 'fuzz', '--create-table', '--format=mbox', write_file("$folder/all.mbox", $mbox));
is($code, 0, 'damaged mbox') or diag($said);
cmp_ok((rows(q{SELECT count(*) AS n FROM fuzz WHERE source LIKE 'all.mbox#%'}))[0]{n}, '>=', 500, 'no message is lost');

done_testing();
