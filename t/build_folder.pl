# A build in another folder than the sources' is refused with what to do instead;
# one by "make -C" is not. Other users of the machine have no way into what is built
# and run: not by a folder that they made first, a socket, or a home folder of everybody's.
use strict;
use warnings FATAL => 'all';
use Cwd;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = Cwd::realpath($ENV{ASSAY_TOP});
my $elsewhere = PostgreSQL::Test::Utils::tempdir();
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};

chdir $elsewhere or die $!;
command_fails_like([ 'make', '-n', '-f', "$top/Makefile", "VPATH=$top" ], qr/pg_assay can only be built in its own folder: make -C \Q$top\E/, 'elsewhere');
command_like([ 'make', '-n', '-C', $top, 'indent' ], qr/pg_bsd_indent/, 'from elsewhere');
chdir $top or die $!;
command_like([ 'make', '-n', 'indent' ], qr/pg_bsd_indent/, 'in its folder');

sub own_folder { return [ 'bash', '-c', '. tools/common.sh; own_folder "$1"', 'bash', $_[0] ]; }
my $folder = "$elsewhere/folder";
command_ok(own_folder($folder), 'a folder is made');
command_ok(own_folder($folder), 'and is there');
symlink($folder, "$elsewhere/link") or die $!;
command_fails_like(own_folder("$elsewhere/link"), qr/link belongs to another user/, 'what another may have linked is refused');
SKIP:
{
	skip 'root owns all there is', 1 if $> == 0;
	command_fails_like(own_folder('/usr'), qr/usr belongs to another user/, 'so is what is another\'s');
}
is((stat $ENV{HOME})[2] & 022, 0, 'nobody else writes into the home folder');
SKIP:
{
	my @sockets = glob(($ENV{TESTDATADIR} =~ s,/test/tap/tmp_check$,,r) . '/cluster/*/test/.s.PGSQL.5432');
	skip 'no cluster of a test', 1 unless @sockets;
	is((stat $sockets[0])[2] & 077, 0, 'nobody else connects to a private cluster');
}

done_testing();
