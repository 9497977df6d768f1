# assay_load: what attachments are by their bytes, what is in archives, QR codes,
# and what HTML asks for.
use strict;
use warnings;
use Archive::Tar;
use AssayLoad;
use Digest::SHA qw(sha256_hex);
use Encode qw(encode);
use IO::Compress::Gzip qw(gzip);
use IO::Compress::Zip qw(zip $ZipError);
use MIME::Base64;
use Test::More;

AssayLoad::start();
my $features = `assay_load --version`;

# A message with these attachments: [name, type, bytes] …
sub with_attachments
{
	my $parts = join '', map {
		my ($name, $type, $bytes) = @$_;
		my $file = defined $name ? qq{; name="$name"} : '';
		"--bOUND\nContent-Type: $type$file\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n" . encode_base64($bytes)
	} @_;
	return "From: a\@b.example\nDate: Tue, 5 Mar 2024 08:00:00 +0000\nContent-Type: multipart/mixed; boundary=bOUND\n\n"
	  . "--bOUND\n\nhello\n$parts--bOUND--\n";
}

# A zip archive of names and contents
sub zip_of
{
	my ($zip, $first) = ('', 1);
	my $z;
	while (my ($name, $content) = splice @_, 0, 2)
	{
		if ($first) { $z = IO::Compress::Zip->new(\$zip, Name => $name) or die $ZipError }
		else { $z->newStream(Name => $name) }
		$first = 0;
		$z->print($content);
	}
	$z->close;
	return $zip;
}

# The same with the bit set that says that a password is needed
sub locked
{
	my ($zip) = @_;
	$zip =~ s/(PK\x03\x04..)(.)/$1 . chr(ord($2) | 1)/gse;
	$zip =~ s/(PK\x01\x02....)(.)/$1 . chr(ord($2) | 1)/gse;
	return $zip;
}

sub tar_of
{
	my $tar = Archive::Tar->new;
	while (my ($name, $content) = splice @_, 0, 2) { $tar->add_data($name, $content) }
	my $file = fresh_folder() . '/x.tar';
	$tar->write($file);
	open my $fh, '<:raw', $file or die;
	local $/;
	return scalar <$fh>;
}

sub gz { my ($in) = @_; my $out; gzip \$in => \$out; return $out }

my $exe = 'MZ' . "\0" x 58 . pack('V', 128) . "\0" x 64 . "PE\0\0" . pack('v', 0x14c) . "\0" x 200;
my $ole = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" . "\0" x 600;
my $png = decode_base64('iVBORw0KGgoAAAANSUhEUgAAAGMAAABjAQAAAACnQIM4AAABE0lEQVR42tWUMU7DQBBF/8SRnAbblEgGW+IEdO625DoJonYMB8C5TjpHQjLHsGWktLtbxZKT'
	. 'TwkV4xKmW+nrz5vRnxXiu/oFftbfejmRjfTVQRaaUjjJKUVIq3Y45FePxwRSzWCRfT6T2uPGqsolYLrneAToNU/KUprUj5L8rgRJWjNtSbJT9rnqq/E+lvxV87wYOgIYXjRP/yHbFaLw'
	. '1qqcLesmc+2gcIKXoovCbh3Sad2lDYYmuN5jp2ZpdX4b08j0OudpsGZgE6ic1iBuggpZrSlJujZzzJzqCZQhNm2mz87JP6S7AtGMzMf1OwV+3v2V5nw3J/NjlozHJ1VpOoSfHmmpbd4C'
	. '6yJw7aDMLv/kB/sCB+eO9AS7kQYAAAAASUVORK5CYII=');

# ---- by its bytes ------------------------------------------------------------

my $row = load_one(with_attachments(
	[ 'a.txt', 'text/plain', "some text\n" ], [ undef, 'application/octet-stream', '' ], [ 'Photo.PNG', 'image/png', $png ]));
is($row->{attachment_count}, 3, 'attachments are counted');
is($row->{attachment_bytes}, 10 + length $png, 'and their bytes');
is_deeply($row->{attachment_names}, [ 'a.txt', '', 'Photo.PNG' ], 'names');
is_deeply($row->{attachment_types}, [ 'text/plain', 'application/octet-stream', 'image/png' ], 'declared types');
is_deeply($row->{attachment_sha256}, [ map { sha256_hex($_) } "some text\n", '', $png ], 'hashes');
is_deeply($row->{attachment_suffixes}, [ 'txt', 'png' ], 'suffixes');
is($row->{attachment_detected}[2], 'image/png', 'a detected type');
is($row->{attachment_text}, "some text\n", 'attached text');
is_deeply($row->{attachments}[2],
	{ name => 'Photo.PNG', type => 'image/png', size => length $png, sha256 => sha256_hex($png), detected => 'image/png' },
	'the same as JSON');

SKIP:
{
	skip 'built without libmagic', 2 if $features !~ /\+types/;
	# name, type, bytes, is it disguised?
	my @runs = (
		[ 'invoice.pdf', 'application/pdf', $exe, 1 ], [ 'setup.exe', 'application/octet-stream', $exe, 0 ],
		[ 'x', 'application/octet-stream', $exe, 0 ], [ undef, 'image/png', $exe, 1 ], [ 'a.exe. ', 'image/png', $exe, 0 ],
		[ 'a.pdf', 'application/pdf', "<!DOCTYPE html><html><body>x</body></html>", 1 ],
		[ 'a.html', 'text/html', "<!DOCTYPE html><html><body>x</body></html>", 0 ],
		[ 'a.html', 'application/pdf', "<!DOCTYPE html><html><body>x</body></html>", 0 ],
		[ 'a.pdf', 'application/pdf', '%PDF-1.4', 0 ], [ 'a.png', 'image/png', $png, 0 ]);
	$row = load_one(with_attachments(@runs));
	is(join(' ', map { $_->{disguised} ? 1 : 0 } @{ $row->{attachments} }), join(' ', map { $_->[3] } @runs), 'what runs and is named as something else')
	  or diag(explain($row->{attachments}));
	is($row->{attachment_type_mismatches}, 3, 'is counted');
}

# ---- locked, and with macros -------------------------------------------------

my @documents = (
	[ 'old.doc', $ole, 0, 0 ], [ 'locked.docx', $ole . encode('UTF-16LE', 'EncryptedPackage'), 1, 0 ],
	[ 'old.xls', $ole . encode('UTF-16LE', '_VBA_PROJECT'), 0, 1 ],
	[ 'a.pdf', "%PDF-1.4\ntrailer << /Size 1 >>", 0, 0 ], [ 'b.pdf', "%PDF-1.4\ntrailer << /Encrypt 1 0 R >>", 1, 0 ]);
$row = load_one(with_attachments(map { [ $_->[0], 'application/octet-stream', $_->[1] ] } @documents));
is(join(' ', map { ($_->{encrypted} ? 1 : 0) . ($_->{macros} ? 1 : 0) } @{ $row->{attachments} }), join(' ', map { "$_->[2]$_->[3]" } @documents),
	'documents with passwords and macros');
is("$row->{attachment_encrypted} $row->{attachment_macros} $row->{attachment_archives}", '2 1 0', 'are counted');

SKIP:
{
	skip 'built without libarchive', 25 if $features !~ /\+archives/;
	my $zip = zip_of('Rechnung.pdf.exe' => $exe, 'dir/readme.TXT' => 'x');
	$row = load_one(with_attachments([ 'a.zip', 'application/zip', $zip ]));
	is_deeply($row->{attachment_entries}, [ 'Rechnung.pdf.exe', 'dir/readme.TXT' ], 'what is in an archive');
	is_deeply($row->{attachment_suffixes}, [ 'zip', 'exe', 'txt' ], 'suffixes of entries');
	is("$row->{attachment_archives} $row->{attachment_encrypted}", '1 0', 'an archive');
	is_deeply($row->{attachments}[0]{entries}, $row->{attachment_entries}, 'in JSON, too');

	$row = load_one(with_attachments([ 'a.zip', 'application/zip', locked($zip) ]));
	is("$row->{attachment_archives} $row->{attachment_encrypted}", '1 1', 'a locked archive');
	is_deeply($row->{attachment_entries}, [ 'Rechnung.pdf.exe', 'dir/readme.TXT' ], 'shows its names all the same');

	# each is looked into in a process of its own: a message may have a hundred, or a few MB of it would take many seconds
	foreach my $n (100, 101)
	{
		$row = load_one(with_attachments(map { [ "$_.zip", 'application/zip', zip_of("e$_" => 'x') ] } 1 .. $n));
		is(scalar(@{ $row->{attachment_names} }) . ' ' . @{ $row->{attachment_entries} } . ' ' . scalar(grep { $_ eq 'truncated_list' } @{ $row->{defects} }),
			"$n 100 " . ($n > 100 ? 1 : 0), "$n archives");
	}
	$row = load_one(with_attachments((map { [ "$_.txt", 'text/plain', 'x' ] } 1 .. 1000), [ 'a.zip', 'application/zip', zip_of(e => 'x') ]));
	is("$row->{attachment_count} @{ $row->{attachment_entries} } " . join(' ', grep { /list/ } @{ $row->{defects} }), '1000  truncated_list', 'what is not listed is not looked into');

	foreach my $case ([ 'tar', tar_of(a => 'x', b => 'y') ], [ 'tar.gz', gz(tar_of(a => 'x', b => 'y')) ],
		[ 'zip in tar.gz', gz(tar_of(a => 'x', 'b.zip' => zip_of(b => 'z'))), 'a b.zip b' ])
	{
		my ($what, $bytes, $expected) = @$case;
		$row = load_one(with_attachments([ 'x.dat', 'application/octet-stream', $bytes ]));
		is("@{ $row->{attachment_entries} }", $expected // 'a b', $what);
	}
	$row = load_one(with_attachments([ 'x.docm', 'application/zip',
		zip_of('[Content_Types].xml' => '<x/>', 'word/document.xml' => '<x/>', 'word/vbaProject.bin' => 'x') ]));
	is("$row->{attachment_archives} $row->{attachment_macros} @{ $row->{attachment_entries} }", '0 1 ', 'a document that is an archive');

	# depth: three archives within each other, and a fourth that stays closed
	my $deep = zip_of('end' => 'x');
	$deep = zip_of("$_.zip" => $deep) foreach reverse 1 .. 3;
	$row = load_one(with_attachments([ 'x.zip', 'application/zip', $deep ]));
	is("@{ $row->{attachment_entries} }", '1.zip 2.zip 3.zip', 'archives in archives, three deep');

	# as many entries as are kept, and one more
	foreach my $n (1000, 1001)
	{
		$row = load_one(with_attachments([ 'x.tar', 'application/x-tar', tar_of(map { ("f$_" => '') } 1 .. $n) ]));
		is(scalar @{ $row->{attachment_entries} }, 1000, "$n entries");
		is((grep { $_ eq 'truncated_list' } @{ $row->{defects} }) + 0, $n == 1000 ? 0 : 1, 'what is left out is told');
	}
	# a bomb: a gigabyte of zeroes in a tar in gzip, of which 64 MB are unpacked
	my $bomb = '';
	my $z = IO::Compress::Gzip->new(\$bomb);
	my $header = tar_of('big' => '');
	substr($header, 124, 12) = sprintf '%011o ', 1024 * 1024 * 1024;
	substr($header, 148, 8) = ' ' x 8;
	substr($header, 148, 8) = sprintf "%06o\0 ", unpack '%32C*', substr $header, 0, 512;
	$z->print(substr $header, 0, 512);
	$z->print("\0" x 1048576) foreach 1 .. 1024;
	$z->close;
	$row = load_one(with_attachments([ 'x.tgz', 'application/gzip', $bomb ]));
	is("@{ $row->{attachment_entries} }", 'big', 'a bomb is not unpacked');
	# another: gzip in gzip, whose header has a file name of 800 MB that libarchive keeps in memory
	$z = IO::Compress::Gzip->new(\$bomb, -Level => 1);
	$z->print("\x1F\x8B\x08\x08", "\0" x 6);
	$z->print('A' x 8388608) foreach 1 .. 100;
	$z->close;
	$row = load_one(with_attachments([ 'x.gz', 'application/gzip', gz($bomb) ], [ 'y.zip', 'application/zip', $zip ]));
	is("@{ $row->{attachment_entries} }", 'Rechnung.pdf.exe dir/readme.TXT', 'others are looked into all the same');
	SKIP:
	{
		my $usage = "\0" x 512;
		skip 'the memory of children is not known here', 1 if !eval { require 'syscall.ph'; syscall(&SYS_getrusage(), -1, $usage) == 0 } || $^O ne 'linux';
		my $most = unpack 'x32 q', $usage;
		cmp_ok($most, '<', 600 * 1024, 'which takes no more memory than it may');
	}
	# broken ones
	foreach my $cut (5, 30, length($zip) / 2, length($zip) - 5)
	{
		$row = load_one(with_attachments([ 'x.zip', 'application/zip', substr $zip, 0, $cut ]));
		is($row->{attachment_archives}, 1, "the first $cut bytes of an archive");
	}
}

# ---- text, HTML, calendars ---------------------------------------------------

$row = load_one(with_attachments(
	[ 'a.html', 'text/html', '<p>Sign in</p><form action="https://f.example/"><input type=password></form><script>x</script><p style="display:none">h</p>' ],
	[ 'b.ics', 'text/calendar', "BEGIN:VEVENT\r\nDESCRIPTION:see https://m.ex\r\n ample/join\r\nEND:VEVENT\r\n" ], [ 'c.csv', 'text/csv', "1,2\n" ]));
is($row->{attachment_text}, "Sign in\nBEGIN:VEVENT\nDESCRIPTION:see https://m.example/join\nEND:VEVENT\n1,2\n", 'text of attachments');
is_deeply($row->{urls}, [ 'https://f.example/', 'https://m.example/join' ], 'and their links');
is("$row->{html_forms} $row->{html_password_inputs} $row->{html_scripts}", '1 1 1', 'what a page asks for');
is($row->{body_text} =~ s/\s+$//r, 'hello', 'the body is the body');
is($row->{hidden_text}, undef, 'hidden text of an attachment is not the body\'s');

# files within text, as Outlook shows them
my $uu = 'begin 644 setup.exe' . "\n" . pack('u', "MZ" . join '', map { chr($_ % 256) } 1 .. 300) . "`\nend\n";
$row = load_one("From: a\@b.example\n\nhello\n\n${uu}begin 100 days of work\nwith prose\nbegin 600 a b.txt\n" . pack('u', 'text') . "bye\nbegin 644 none");
is_deeply([ map { "$_->{name} $_->{size} $_->{type}" } @{ $row->{attachments} } ],
	[ 'setup.exe 302 application/octet-stream', 'a b.txt 4 application/octet-stream' ], 'uuencoded files are attachments');
is_deeply($row->{attachment_suffixes}, [ 'exe', 'txt' ], 'and have their suffixes');
is($row->{attachments}[1]{sha256}, '982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1', 'and their bytes');
(my $crlf = $uu) =~ s/\n/\r\n/g;
$row = load_one("From: a\@b.example\nContent-Transfer-Encoding: base64\n\n" . encode_base64($crlf));
is($row->{attachments}[0]{size}, 302, 'also in Base64, with CRLF');
$row = load_one("From: a\@b.example\n\nWe\nbegin 644 or so\nand go on\n" . "begin 644 a\n" x 1000);
is_deeply($row->{attachments}, [], 'prose is none');

# HTML body, is it a picture only?
my @bodies = (
	'<img src=cid:x>' => 1, '<img srcset="https://x.example/i 2x">' => 1, '<a href="https://x.example/"><img src=cid:x alt="a long text that stands for the picture in it"></a>' => 1,
	'<img src=cid:x width=1 height=1>' => 0, '<p>Hello</p>' => 0, '<img src=cid:x>' . 'x' x 39 => 1, '<img src=cid:x>' . 'x' x 40 => 0,
	'<div style="display:none">' . 'x' x 99 . '</div><img src=cid:x>' => 1, '<div style="display:none"><img src=cid:x></div>' => 0);
while (my ($html, $expected) = splice @bodies, 0, 2)
{
	$row = load_one("From: a\@b.example\nContent-Type: text/html\n\n$html");
	is($row->{image_only} ? 1 : 0, $expected, "image only: $html");
}

# ---- QR codes ----------------------------------------------------------------

SKIP:
{
	skip 'built without zbar', 6 if $features !~ /\+qr/;
	$row = load_one(with_attachments([ 'a.png', 'image/png', $png ]));
	is_deeply($row->{qr_texts}, [], 'QR codes are read');
	$row = load_one(with_attachments([ 'a.png', 'image/png', $png ]), '--qr');
	is_deeply($row->{qr_texts}, ['https://qr.example/x'], 'with --qr');
	is_deeply($row->{urls}, ['https://qr.example/x'], 'and lead somewhere');
	$row = load_one(with_attachments(map { [ 'a.png', 'image/png', substr $png, 0, $_ ] } 10, 40, 200), '--qr');
	is($row->{attachment_count}, 3, 'broken pictures');
}

# ---- winmail.dat -------------------------------------------------------------

# Attributes of a TNEF stream: [level, tag, bytes] …
sub tnef_of
{
	return pack('Vv', 0x223E9F78, 1) . join '', map { pack('CVV', $_->[0], $_->[1], length $_->[2]) . $_->[2] . pack('v', unpack('%16C*', $_->[2])) } @_;
}

my @tnef = ([ 1, 0x00089006, pack('V', 0x10000) ], [ 1, 0x00018004, "Subject\0" ], [ 2, 0x00069002, "\0" x 14 ],
	[ 2, 0x00018010, "invoice.pdf.exe\0" ], [ 2, 0x0006800f, "MZ" ], [ 2, 0x00018010, "r\xE9sum\xE9.docm\0" ]);
my $winmail = tnef_of(@tnef);
$row = load_one(with_attachments([ 'winmail.dat', 'application/ms-tnef', $winmail ]));
is_deeply($row->{attachment_entries}, [ 'invoice.pdf.exe', "r\x{FFFD}sum\x{FFFD}.docm" ], 'names in winmail.dat') or diag(explain($row->{attachment_entries}));
is_deeply([ sort @{ $row->{attachment_suffixes} } ], [ 'dat', 'docm', 'exe' ], 'their suffixes');
is($row->{attachment_archives}, 1, 'it counts as an archive');
$row = load_one(with_attachments([ 'notes', 'application/octet-stream', $winmail ]));
is(scalar @{ $row->{attachment_entries} }, 2, 'it is known by its bytes');
# long names, as MAPI properties beside others: a number, a named one, several in one
my $props = pack('V', 4) . pack('vvV', 3, 0x0E08, 7) . pack('vva16VVV', 0x0B, 0x8001, 'G' x 16, 0, 5, 1)
  . pack('vvVVVVV', 0x101F, 0x3001, 2, 1, 0x61, 3, 0x620062) . pack('vvVV', 0x1F, 0x3707, 1, 24) . encode('UTF-16LE', "long n\x{E4}.exe\0");
$row = load_one(with_attachments([ 'winmail.dat', 'application/ms-tnef', tnef_of([ 2, 0x00018010, "LONG~1.TXT\0" ], [ 2, 0x00069005, $props ]) ]));
is_deeply($row->{attachment_entries}, [ 'LONG~1.TXT', "long n\x{E4}.exe" ], 'long names, too') or diag(explain($row->{attachment_entries}));
# cut off anywhere, and with lengths that lie
my $folder = fresh_folder();
write_file("$folder/$_.eml", with_attachments([ 'winmail.dat', 'application/ms-tnef', substr $winmail, 0, $_ ])) foreach 0 .. length($winmail) - 1;
write_file("$folder/long$_.eml", with_attachments([ 'winmail.dat', 'application/ms-tnef', tnef_of() . pack('CVV', 2, 0x00018010, $_) . 'a.exe' ]))
  foreach 0, 5, 6, 0x7FFFFFFF, 0xFFFFFFFF;
is(load('--table=cut', '--create-table', $folder), 0, 'what is cut off is loaded');
is((rows("SELECT count(*) FROM cut WHERE 'invoice.pdf.exe' = ANY (attachment_entries)"))[0]{count}, length($winmail) - index($winmail, 'MZ') + 1 + 8 + 2,
	'with the names that are there');

done_testing();
