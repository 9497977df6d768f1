# src/bin/gunzip.c, compiled without a server: files of gzip, sound and not, give what zlib makes of them.
use strict;
use warnings FATAL => 'all';

use AssayProgram;
use Test::More;

run_program('gunzip', ['bin/gunzip.c'], [qw(glib-2.0 zlib)], '-lm');

SKIP:
{
	skip 'no ISA-L here', 1 if system('pkg-config --exists libisal') != 0;
	run_program('gunzip', ['bin/gunzip.c'], [qw(glib-2.0 zlib libisal)], '-DHAVE_ISAL');
}

done_testing();
