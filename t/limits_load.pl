# assay_load: what a message may have of something. At the limit nothing is
# lost or noted, at one more the rest is left out and the defect is noted.
use strict;
use warnings;
use AssayLoad;
use MIME::Base64;
use Test::More;

AssayLoad::start();

my $head = "From: a\@b.example\nReceived: x; Thu, 22 Aug 2002 12:36:23 +0000\n"
  . "Date: Thu, 22 Aug 2002 12:36:23 +0000\nTo: c\@d.example\nMIME-Version: 1.0\n";
my $mixed = "${head}Content-Type: multipart/mixed; boundary=b\n\n";

sub html { return "${head}Content-Type: text/html; charset=utf-8\n\n" . join '', @_ }

sub numbered
{
	my ($n, $format) = @_;
	return join '', map { sprintf $format, $_ } 1 .. $n;
}

# Headers that cost so much: what stands behind the colon, the name, and 64 each
sub headers_of
{
	my ($cost) = @_;
	my $headers = $head;
	$cost -= length($_) - 1 + 64 foreach $head =~ /^.*\n/mg;
	while ($cost > 0)
	{
		my $take = $cost > 600_000 ? 500_000 : $cost;
		# the last header counts when it is read, with its value alone
		my $value = $take - ($take == $cost ? 0 : 64 + 3);
		$headers .= 'X-A:' . 'a' x ($value - 1) . "\n";
		$cost -= $take;
	}
	return "$headers\nbody\n";
}

# Recipients, in headers that are not cut
sub recipients
{
	my ($n) = @_;
	my $headers = $head;
	for (my $i = 1; $i < $n; $i += 50_000)
	{
		my $last = $i + 50_000 > $n ? $n - 1 : $i + 49_999;
		$headers .= 'Cc: ' . join(', ', map { "u$_\@d.example" } $i .. $last) . "\n";
	}
	return "$headers\nbody\n";
}

sub nested
{
	my ($depth) = @_;
	my $m = "${head}Content-Type: multipart/mixed; boundary=b1\n\n";
	$m .= "--b$_\nContent-Type: multipart/mixed; boundary=b" . ($_ + 1) . "\n\n" foreach 1 .. $depth - 1;
	$m .= "--b$depth\nContent-Type: text/plain\n\ndeep\n";
	$m .= "--b$_--\n" foreach reverse 1 .. $depth;
	return $m;
}

# A message in a message in a message, each in base64
sub coded
{
	my ($n) = @_;
	my $m = "Subject: inner\n\nhttp://deep.example/\n";
	$m = "${head}Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" . encode_base64($m) foreach 1 .. $n;
	return $m;
}

# Multiparts as deep as that, the last with its part behind another boundary than it names
sub nested_elsewhere
{
	my ($depth) = @_;
	return nested($depth) =~ s/boundary=b$depth\b/boundary=elsewhere/r;
}

# Multiparts in each other, all of them with their part behind another boundary
sub all_elsewhere
{
	my ($n) = @_;
	return nested($n) =~ s/boundary=b(\d+)/boundary=elsewhere$1/gr;
}

# An URL of so many bytes, each another
sub url
{
	my ($bytes, $i) = @_;
	my $url = 'http://h' . ($i // 0) . '.example/';
	return $url . 'x' x ($bytes - length $url);
}

sub links
{
	my ($n, $bytes) = @_;
	return html(map { '<a href="' . url($bytes, $_) . '"></a>' } 1 .. $n);
}

sub jsonl { return qq({"id":"1","subject":"s","receivedDateTime":"2024-03-05T06:00:00Z","sentDateTime":"2024-03-05T06:00:00Z",)
	. '"from":{"emailAddress":{"address":"a@b.example"}},"toRecipients":['
	. join(',', map { qq({"emailAddress":{"address":"u$_\@d.example"}}) } 1 .. $_[0]) . ']}' . "\n" }

# name, limit, the message of n, the defects of one more, SQL that is the limit
# with either, the defects at the limit (none)
my @cases = (
	[ 'header', 1048576, sub { $head . 'X-A: ' . 'a' x $_[0] . "\n\nbody\n" }, 'truncated_header', q{length(headers->'x-a'->>0)} ],
	[ 'subject', 1048576, sub { $head . 'Subject: ' . 'a' x $_[0] . "\n\nbody\n" }, 'truncated_header', 'length(subject)' ],
	[ 'headers', 16777216, \&headers_of, 'truncated_header', q{16777216} ],
	[ 'recipients', 200_000, \&recipients, 'truncated_list', 'cardinality(recipients)' ],
	[ 'references', 10_000, sub { "${head}References: " . numbered($_[0], '<%d@x> ') . "\n\nbody\n" }, 'truncated_list',
		'cardinality(reference_ids)' ],
	[ 'urls', 10_000, sub { "$head\n" . numbered($_[0], "http://h%d.example/x\n") }, 'truncated_list', 'cardinality(urls)' ],
	[ 'links', 10_000, sub { html(numbered($_[0], '<a href="mailto:h%d">t</a> ')) }, 'truncated_list', 'cardinality(link_hrefs)' ],
	[ 'url_bytes', 8192, sub { "$head\n" . url($_[0]) . "\n" }, 'truncated_list', 'length(urls[1])' ],
	[ 'href_bytes', 8192, sub { links(1, $_[0]) }, 'truncated_list', 'length(link_hrefs[1])' ],
	[ 'list_bytes', 512, sub { links($_[0], 8192) }, 'truncated_list', 'cardinality(link_hrefs)' ],
	[ 'link_text', 1024, sub { html('<a href="http://h.example/">', 'x' x $_[0], '</a>') }, '', 'length(link_texts[1])' ],
	# the multipart is one
	[ 'parts', 10_000, sub { $mixed . "--b\n\nx\n" x ($_[0] - 1) . "--b--\n" }, 'mime_limit', q{length(replace(body_text, E'\n', '')) + 1} ],
	[ 'depth', 100, \&nested, 'mime_limit', q{CASE WHEN body_text = 'deep' THEN 100 WHEN $n > 100 AND body_text = '' THEN 100 END} ],
	# bytes that are read again, as parts of another kind
	[ 'coded_messages', 3, \&coded, 'mime_limit', q{CASE WHEN ('http://deep.example/' = ANY (urls)) = ($n = 3) THEN 3 END} ],
	[ 'all_elsewhere', 3, \&all_elsewhere, 'broken_mime mime_limit', q{CASE WHEN body_text = 'deep' THEN 3 WHEN $n > 3 AND body_text ~ '--b4' THEN 3 END}, 'broken_mime' ],
	[ 'depth_elsewhere', 99, \&nested_elsewhere, 'broken_mime mime_limit', q{CASE WHEN body_text = 'deep' THEN 99 WHEN $n > 99 AND body_text = '' THEN 99 END}, 'broken_mime' ],
	[ 'attachments', 1000, sub { $mixed . "--b\nContent-Type: image/x; name=y\n\nx\n" x $_[0] . "--b--\n" }, 'truncated_list',
		'jsonb_array_length(attachments)' ],
	[ 'boundary_lines', 50_000, sub { "$mixed--b\n\n" . "--x\n" x ($_[0] - 2) . "--b--\n" }, 'broken_mime mime_limit', q{50000} ],
	[ 'boundary_lines_behind_a_comment', 50_000,
		sub { "${head}Content-Type: (x) multipart/mixed; boundary=b\n\n--b\n\n" . "--x\n" x ($_[0] - 2) . "--b--\n" },
		'broken_mime mime_limit', q{50000} ],
	[ 'part_headers', 200_000, sub { "$mixed--b\n" . "X: a\n" x $_[0] . "\nbody\n--b--\n" }, 'broken_mime mime_limit', q{200000} ],
	[ 'parameters', 200, sub { "$mixed--b\nContent-Type: text/plain" . numbered($_[0], '; p%d=a') . "\n\nbody\n--b--\n" }, 'mime_limit',
		q{CASE body_text WHEN 'body' THEN 200 END} ],
	# HTML: what a document may cost
	[ 'html_attributes', 1000, sub { html('<p ', numbered($_[0], 'a%d '), 'style=display:none>x</p>y') =~ s/a1 //r }, 'broken_html',
		q{CASE WHEN $n = 1000 AND hidden_text = 'x' OR $n > 1000 AND body_text = 'x y' THEN 1000 END} ],
	[ 'html_rules', 2000, sub { html('<style>', numbered($_[0], '.x%d{display:none}'), "</style><p class=x$_[0]>x</p>y") }, '',
		q{CASE WHEN $n = 2000 AND hidden_text = 'x' OR $n > 2000 AND hidden_text IS NULL THEN 2000 END} ],
	[ 'html_classes', 16, sub { html('<style>.x{display:none}</style><p class="', 'a ' x ($_[0] - 1), 'x">x</p>y') }, '',
		q{CASE WHEN $n = 16 AND hidden_text = 'x' OR $n > 16 AND hidden_text IS NULL THEN 16 END} ],
	# 64 MB of declarations, 4 KB to each element
	[ 'html_styles', 16384, sub { html('<style>.x{display:none', ' ' x (4096 - 12), '}</style>', '<b class=x>x</b>' x $_[0]) }, 'broken_html',
		'length(hidden_text)' ]);

my $dir = fresh_folder();
foreach my $case (@cases)
{
	my ($name, $limit, $make) = @$case;
	write_file(sprintf('%s/%s_%d.eml', $dir, $name, $_), $make->($_)) foreach $limit, $limit + 1;
}
is(load('--create-table', '-t', 'limits', '--max-body=16M', $dir), 0, 'all are loaded');
foreach my $case (@cases)
{
	my ($name, $limit, undef, $defects, $measure, $at_limit) = @$case;
	foreach my $n ($limit, $limit + 1)
	{
		(my $sql = $measure) =~ s/\$n\b/$n/g;
		my ($row) = rows("SELECT array_to_string(defects, ' ') AS defects, ($sql) AS measure FROM limits WHERE source = '${name}_$n.eml'");
		is($row->{defects}, $n > $limit ? $defects : $at_limit // '', "$name $n: defects");
		is($row->{measure}, $limit, "$name $n: what is kept");
	}
}

# ---- JSON of mail services ----------------------------------------------------

foreach my $n (200_000, 200_001)
{
	my $file = write_file(fresh_folder() . '/graph.jsonl', jsonl($n));
	is(load('--create-table', '-t', "people_$n", $file), 0, "$n recipients of JSON are loaded");
	my ($row) = rows(qq{SELECT cardinality(recipients) AS n, defects && '{truncated_list}' AS noted FROM people_$n});
	is($row->{n}, 200_000, 'as many as a message may have');
	is($row->{noted} ? 1 : 0, $n > 200_000 ? 1 : 0, 'noted where it had more');
}

# ---- --unwrap, --max-body, --max-message --------------------------------------

foreach my $n (1000, 1001)
{
	my $file = write_file(fresh_folder() . '/many.eml',
		$mixed . "--b\nContent-Type: message/rfc822\n\nSubject: inner\n\nx\n" x $n . "--b--\n");
	is(load('--create-table', '-t', "unwrapped_$n", '--unwrap', $file), 0, "$n attached messages are loaded");
	my ($row) = rows(qq{SELECT count(*) FILTER (WHERE subject = 'inner') AS n, bool_or(defects && '{truncated_list}') AS noted FROM unwrapped_$n});
	is($row->{n}, 1000, 'as messages of their own');
	is($row->{noted} ? 1 : 0, $n > 1000 ? 1 : 0, 'noted where it had more');
}

# levels: each message is attached to the one before
foreach my $n (11, 12)
{
	my $mail = "Subject: level $n\nFrom: a\@b.example\n\nx\n";
	$mail = "Subject: level $_\nFrom: a\@b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b$_\n\n--b$_\nContent-Type: message/rfc822\n\n$mail\n--b$_--\n" foreach reverse 0 .. $n - 1;
	is(load('--create-table', '-t', "levels_$n", '--unwrap', write_file(fresh_folder() . '/deep.eml', $mail)), 0, "$n levels of attached messages are loaded");
	my ($row) = rows(qq{SELECT count(*) AS n, string_agg(subject, ',') FILTER (WHERE defects && '{truncated_list}') AS noted FROM levels_$n});
	is($row->{n}, 12, 'eleven of them, and what they are in');
	is($row->{noted} // '', $n > 11 ? 'level 11' : '', 'noted where there was another');
}

my $row = load_one("$head\n" . 'x' x 100, '--max-body=100');
has_defects($row, '', 'a body of --max-body');
is(length $row->{body_text}, 100, 'is whole');
$row = load_one("$head\n" . 'x' x 101, '--max-body=100');
has_defects($row, 'truncated_body', 'a body of more');
is(length $row->{body_text}, 100, 'is cut');

my $room = 2000 - length "$head\n";
has_defects(load_one("$head\n" . 'x' x $room, '--max-message=2000'), '', 'a message of --max-message');
$row = load_one("$head\n" . 'x' x ($room + 1), '--max-message=2000');
has_defects($row, 'truncated_message', 'a message of more');
is($row->{size_bytes} - length $row->{body_text}, 2001 - $room, 'its size is known');

# ---- options that may be repeated ---------------------------------------------

my $file = write_file(fresh_folder() . '/one.eml', "$head\nx\n");
foreach my $option ([ 256, map { "--trusted=10.0.0.$_" } 0 .. 256 ], [ 100, map { "--column=c$_=x" } 0 .. 100 ],
	[ 100, map { "--authserv-id=mx$_.example" } 0 .. 100 ])
{
	my ($limit, @given) = @$option;
	my ($code, $err) = load('-n', @given[ 0 .. $limit - 1 ], $file);
	is($code, 0, "$given[0] … $limit times") or diag($err);
	($code, $err) = load('-n', @given, $file);
	is($code, 1, 'not once more');
	like($err, qr/may be given $limit times at most/, 'which is told');
}

# ---- options that are numbers -------------------------------------------------

foreach my $option ([ 'batch-size', 1, 1_000_000 ], [ 'max-body', 0, 268_435_456 ], [ 'max-message', 1024, 1_073_741_824 ])
{
	my ($name, $least, $most) = @$option;
	foreach my $n ($least, $most)
	{
		my ($code, $err) = load('-n', "--$name=$n", $file);
		is($code, 0, "--$name=$n") or diag($err);
	}
	foreach my $n ($least - 1, $most + 1)
	{
		my ($code, $err) = load('-n', "--$name=$n", $file);
		is($code, 1, "--$name=$n is refused");
		like($err, qr/--$name must be a number from $least to $most, not "$n"/, 'with a reason');
	}
}

# --batch-size is rows in a transaction
foreach my $n (3, 4)
{
	my $mbox = write_file(fresh_folder() . "/batch$n.mbox", "From a\@b.example Thu Aug 22 12:36:23 2002\n$head\nx\n\n" x $n);
	is(load('--create-table', '-t', "batch$n", '--batch-size=3', $mbox), 0, "$n rows, three in a batch");
	my ($row) = rows("SELECT count(*) AS n, count(DISTINCT xmin::text) AS transactions FROM batch$n");
	is("$row->{n} in $row->{transactions}", $n == 3 ? '3 in 1' : '4 in 2', 'a batch is a transaction');
}

# addresses and ids: those that an index would refuse are cut, and no index refuses a message
$node->safe_psql('postgres', 'CREATE INDEX names ON message (from_addr, message_id); CREATE INDEX paths ON message (reply_to, return_path, received_at); CREATE INDEX refers ON message (in_reply_to, list_id)');
srand(1);
sub junk { my ($n) = @_; return join '', map { ('a' .. 'z', 0 .. 9)[ rand 36 ] } 1 .. $n }
foreach my $case ([ 1000 - 16, 0, 'at the limit' ], [ 1001 - 16, 1, 'one more' ], [ 5000, 1, 'much more' ])
{
	my ($n, $cut, $what) = @$case;
	my $name = sub { return junk($n) . '@evil.example.xy' };    # 16 bytes behind the name
	my %has = map { $_ => $name->() } qw(From Reply-To Return-Path Message-ID In-Reply-To To);
	my $row = load_one(join('', map { "$_: <$has{$_}>\n" } sort keys %has) . 'List-Id: <' . junk($n + 16) . ">\nReceived: x; Thu, 22 Aug 2002 12:36:23 +0000\nDate: Thu, 22 Aug 2002 12:36:23 +0000\n\nx\n");
	has_defects($row, $cut ? 'truncated_header' : (), "names $what");
	my %column = (From => 'from_addr', 'Reply-To' => 'reply_to', 'Return-Path' => 'return_path', 'Message-ID' => 'message_id', 'In-Reply-To' => 'in_reply_to');
	is($row->{ $column{$_} }, substr($has{$_}, 0, 984) . '@evil.example.xy', "$_ $what: the domain is left") foreach sort keys %column;
	is($row->{recipients}[0], substr($has{To}, 0, 984) . '@evil.example.xy', "a recipient $what");
	is(length $row->{list_id}, 1000, "List-Id $what");
	is($row->{from_domain}, 'evil.example.xy', "the domain $what");
}
foreach my $case ([ '.' . 'd' x 249 . '.xyz', 'd' x 249 . '.xyz' ], [ 'd' x 300, 'd' x 255 ], [ "\xC3\xA9" x 200, "\xE9" x 127 ])
{
	my $row = load_one("From: <" . junk(50) . '@' . junk(1200) . "$case->[0]>\n\nx\n");
	is($row->{from_domain}, $case->[1], 'of a long domain its end');
	cmp_ok(length $row->{from_addr}, '<=', 1000, 'and so of the address');
}
# a domain of 255 bytes is left as it is, of one more its end from a dot on
foreach my $n (255, 256)
{
	my $rest = '.' . 'd' x 200 . '.xyz';
	my $domain = junk($n - length $rest) . $rest;
	my $row = load_one('From: <' . junk(1100) . "\@$domain>\nReceived: x; Thu, 22 Aug 2002 12:36:23 +0000\nDate: Thu, 22 Aug 2002 12:36:23 +0000\n\nx\n");
	has_defects($row, 'truncated_header', "a domain of $n bytes");
	is($row->{from_domain}, $n == 255 ? $domain : substr($rest, 1), $n == 255 ? 'is left whole' : 'loses its beginning');
	is(length $row->{from_addr}, 1000, 'the address is cut');
}
load_one('{"subject": "x", "message_id": "' . junk(9000) . '", "from_addr": "' . junk(9000) . '@x.example", "to": ["' . junk(9000) . '@x.example"]}', '--format=jsonl');

done_testing();
