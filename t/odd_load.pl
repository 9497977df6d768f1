# assay_load: hundreds of odd messages, as a reader's program shows them. The
# table is in odd_mail.txt. What is in a body is tried in all transfer
# encodings, without a charset, beside another part, and in an attached message.
use strict;
use warnings;
use AssayLoad;
use Encode qw(encode decode);
use File::Basename;
use MIME::Base64;
use MIME::QuotedPrint;
use PostgreSQL::Test::Utils;
use Test::More;

AssayLoad::start();

# Escapes of the table to bytes
sub bytes_of
{
	my ($s) = @_;
	my %simple = (n => "\n", t => "\t", r => "\r", '\\' => '\\');
	$s = encode('UTF-8', $s);
	$s =~ s/\\(?:([ntr\\])|x([0-9A-F]{2})|u\{([0-9A-F]+)\})/
		defined $1 ? $simple{$1} : defined $2 ? chr hex $2 : encode('UTF-8', chr hex $3)/gex;
	return $s;
}

my @table;
foreach (split /\n/, decode('UTF-8', slurp_file(dirname(__FILE__) . '/odd_mail.txt')))
{
	next if /^#/ || /^\s*$/;
	my ($kind, $input, @expected) = split / \|\| /;
	push @table, { kind => $kind, name => $_, input => bytes_of($input),
		expected => { map { /^(\w) (.*)$/s ? ($1 => $2) : die "bad line: $_" } @expected } };
}
cmp_ok(scalar @table, '>=', 300, 'the table has at least 300 messages');

my $top = "Received: from x by y; Tue, 5 Mar 2024 08:00:00 +0000\nDate: Tue, 5 Mar 2024 08:00:00 +0000\n";
my $from = "From: s\@s.example\n";

# The ways to send the text of a body: name to message
sub variants
{
	my ($type, $body) = @_;
	my $base64 = encode_base64($body);
	my $qp = encode_qp($body, "\n");
	my $part = "Content-Type: $type; charset=utf-8\n\n$body";
	my $head = "$top${from}MIME-Version: 1.0\n";
	return (
		plain => "${head}$part",
		nocharset => "${head}Content-Type: $type\n\n$body",
		base64 => "${head}Content-Type: $type; charset=utf-8\nContent-Transfer-Encoding: base64\n\n$base64",
		qp => "${head}Content-Type: $type; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n$qp",
		mixed => "${head}Content-Type: multipart/mixed; boundary=bOUND\n\n--bOUND\n$part\n--bOUND\n"
		  . "Content-Type: image/gif; name=x.gif\n\nx\n--bOUND--\n",
		attached => "${head}Content-Type: multipart/mixed; boundary=bOUND\n\n--bOUND\nContent-Type: message/rfc822\n\n"
		  . "From: i\@i.example\nContent-Type: $type; charset=utf-8\nContent-Transfer-Encoding: base64\n\n$base64\n--bOUND--\n");
}

sub messages
{
	my ($t) = @_;
	my ($kind, $in) = @$t{qw(kind input)};
	return variants('text/html', $in) if $kind eq 'H';
	return variants('text/plain', $in) if $kind eq 'P';
	return (plain => "${top}From: $in\n\nx\n") if $kind eq 'F';
	return (plain => "$top$from$in\n\nx\n") if $kind eq 'R';
	return (plain => "Received: from x by y; $in\n$from\nx\n") if $kind eq 'D';
	return (plain => "$top${from}Subject: $in\n\nx\n") if $kind eq 'S';
	return (plain => "$top${from}Content-Type: multipart/mixed; boundary=bOUND\n\n--bOUND\n\nx\n--bOUND\n$in\n\nx\n--bOUND--\n",
		bare => "$top${from}$in\n\nx\n") if $kind eq 'A';
	return (plain => $in =~ /\r/ ? $in : "$top$from$in") if $kind eq 'M';
	die "unknown kind $kind";
}

my $dir = fresh_folder();
for my $i (0 .. $#table)
{
	my %m = messages($table[$i]);
	write_file(sprintf("$dir/%04d-%s.eml", $i, $_), $m{$_}) foreach keys %m;
}
is(load('--create-table', '--format=eml', $dir), 0, 'all are loaded');

my %rows = map { $_->{source} => $_ } rows('SELECT * FROM message');

# Each once more as a message that somebody forwards, which is a message of its own; one without a newline can't be in another
my $forwarded = fresh_folder();
for my $i (0 .. $#table)
{
	my %m = messages($table[$i]);
	foreach my $variant (grep { $_ ne 'attached' && $m{$_} !~ /\r/ } keys %m)
	{
		write_file(sprintf("$forwarded/%04d-%s.eml", $i, $variant), "${top}From: f\@f.example\nSubject: fwd\nMIME-Version: 1.0\n"
			  . "Content-Type: multipart/mixed; boundary=\"=_outer\"\n\n--=_outer\n\nsee\n--=_outer\nContent-Type: message/rfc822\n\n$m{$variant}\n--=_outer--\n");
	}
}
is(load('--create-table', '--table=unwrapped', '--format=eml', '--unwrap', $forwarded), 0, 'all are loaded as forwarded messages');
$rows{ $_->{source} } = $_ foreach rows("SELECT * FROM unwrapped WHERE source LIKE '%/1'");

# What the columns hold for one letter of the table
my %column = (
	t => sub { $_[0]{body_text} =~ s/\s+$//r },
	h => sub { $_[0]{hidden_text} // '-' },
	u => sub { join ' ', @{ $_[0]{urls} } },
	l => sub { join '|', @{ $_[0]{link_texts} } },
	k => sub { join '|', @{ $_[0]{link_hrefs} } },
	a => sub { $_[0]{from_addr} // '-' },
	n => sub { $_[0]{from_name} // '-' },
	o => sub { $_[0]{from_domain} // '-' },
	r => sub { join '|', @{ $_[0]{recipients} } },
	d => sub { $_[0]{received_at} =~ s/\+00:00$//r },
	s => sub { $_[0]{subject} // '-' },
	f => sub { join '|', map { $_->{name} // '' } @{ $_[0]{attachments} } },
	x => sub { join ' ', @{ $_[0]{defects} } });

my $wrong = 0;
for my $i (0 .. $#table)
{
	my $t = $table[$i];
	my %m = messages($t);
	foreach my $variant (sort keys(%m), map { "$_.eml/1" } grep { $_ ne 'attached' && $m{$_} !~ /\r/ } keys %m)
	{
		my $row = $rows{ sprintf('%04d-%s', $i, $variant) . ($variant =~ m{/} ? '' : '.eml') };
		my @off;
		foreach my $letter (sort keys %{ $t->{expected} })
		{
			my $want = decode('UTF-8', bytes_of($t->{expected}{$letter}));
			my $have = $column{$letter}->($row);
			$want = '' if $want eq '-' && $have ne '-';
			# the text of an attached message is not this one's, its links are
			next if $variant eq 'attached' && $letter =~ /[th]/;
			push @off, "$letter is '$have', not '$want'" unless $letter eq 'x' ? $have =~ /\Q$want\E/ : $have eq $want;
		}
		my $bytes = join ' ', @{ $row->{defects} };
		ok(!@off, "$variant: " . encode('UTF-8', $t->{name})) or diag(encode('UTF-8', join("; ", @off) . " ($bytes)"));
	}
}

# The server's functions find the same facts in the columns that the loader found in the message.
$node->safe_psql('postgres', 'CREATE EXTENSION pg_assay');
same_facts();

done_testing();
