# What the tests of assay_load share: a cluster, input made on the spot, and
# the rows that come out.
package AssayLoad;
use strict;
use warnings;
use Exporter 'import';
use File::Basename;
use File::Path qw(make_path);
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw($node free_port load write_file fresh_folder rows load_one has_defects same_facts);
our $node;

my $folders = 0;

sub start
{
	# names of tests hold text of all kinds; the log takes it as UTF-8
	$SIG{__WARN__} = sub { warn @_ unless $_[0] =~ /^Wide character/ };
	$node = PostgreSQL::Test::Cluster->new('main');
	$node->init;
	$node->append_conf('postgresql.conf', "fsync = off\n");
	$node->start;
	return;
}

# A port to listen on that the system gives no client for its end of a connection: such a one
# that finds nobody there may be connected to itself
sub free_port
{
	my ($low, $high) = split ' ', slurp_file('/proc/sys/net/ipv4/ip_local_port_range') if -r '/proc/sys/net/ipv4/ip_local_port_range';
	($low, $high) = (49152, 65535) if !$high;
	my @outside = $low > 20000 ? (10000, $low - 1) : ($high + 1, 65535);
	for (1 .. 1000)
	{
		my $port = $outside[0] + int rand($outside[1] - $outside[0] + 1);
		return $port if PostgreSQL::Test::Cluster::can_bind('127.0.0.1', $port);
	}
	return PostgreSQL::Test::Cluster::get_free_port();
}

# A new empty folder for input
sub fresh_folder
{
	my $dir = PostgreSQL::Test::Utils::tempdir() . '/in' . $folders++;
	make_path($dir);
	return $dir;
}

# Write bytes, as they are, and the folders on the way
sub write_file
{
	my ($path, $bytes) = @_;
	make_path(dirname($path));
	open my $fh, '>:raw', $path or die "$path: $!";
	print $fh $bytes;
	close $fh or die "$path: $!";
	return $path;
}

# Run assay_load: exit code and stderr. A hash first: database, stdin.
sub load
{
	my %opt = ref $_[0] ? %{ shift @_ } : ();
	my @args = @_;
	my ($in, $out, $err) = ($opt{stdin} // '', '', '');
	my @cmd = ('assay_load', '-d', $node->connstr($opt{db} // 'postgres'), '-w', @args);
	my $timer = IPC::Run::timeout(180);
	IPC::Run::run(\@cmd, '<', \$in, '>', \$out, '2>', \$err, $timer);
	my $code = $? & 127 ? "signal " . ($? & 127) : $? >> 8;
	return wantarray ? ($code, $err, $out) : $code;
}

# Rows of a query as hashes; arrays and jsonb come as Perl's
sub rows
{
	my ($sql, $db) = @_;
	my $text = $node->safe_psql($db // 'postgres',
		"SET timezone = 'UTC'; SELECT coalesce(json_agg(q), '[]') FROM ($sql) q");
	return @{ JSON::PP->new->utf8->decode($text) };
}

# Load one message from bytes into the table message, and return its row
my $made = 0;

sub load_one
{
	my ($bytes, @args) = @_;
	my $file = write_file(fresh_folder() . '/one.eml', $bytes);
	$node->safe_psql('postgres', 'TRUNCATE message') if $made;
	my ($code, $err) = load('--create-table', '-q', @args, $file);
	$made = 1;
	is($code, 0, 'one message is loaded') or diag($err);
	my @rows = rows('SELECT * FROM message');
	is(scalar @rows, 1, 'as one row');
	return $rows[0];
}

# Does the row have just these defects?
sub has_defects
{
	my ($row, @expected) = @_;
	my $name = pop @expected;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is("@{ $row->{defects} }", join(' ', @expected), $name);
}

# Are the facts in the table message those that the server finds in its other columns?
sub same_facts
{
	my ($ids, $trusted) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$ids //= '{}';
	$trusted //= '{}';
	my @facts = rows(q{SELECT attname FROM pg_attribute WHERE attrelid = 'assay.message_facts'::regclass ORDER BY attnum});
	my $unlike = join ' UNION ALL ', map {
		"(SELECT '$_' AS fact, (b.m).source, (b.m).$_\::text AS loader, (b.f).$_\::text AS server "
		  . "FROM both_facts b WHERE (b.m).$_ IS DISTINCT FROM (b.f).$_ LIMIT 3)"
	} map { $_->{attname} } @facts;
	$node->safe_psql('postgres', qq{DROP TABLE IF EXISTS both_facts; CREATE TABLE both_facts AS
		SELECT m, assay.message_facts(headers, from_addr, from_name, reply_to, return_path, message_id, recipients,
			subject, body_text, urls, link_hrefs, link_texts, '$ids', '$trusted') AS f FROM message m});
	my @different = rows($unlike);
	cmp_ok(scalar @facts, '>', 140, 'there are facts');
	is(scalar @different, 0, 'the loader and the server find the same facts') or diag(explain(\@different));
	return;
}

1;
