# A build in another folder than the sources' is refused with what to do instead;
# one by "make -C" is not.
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

done_testing();
