# A test that is a C program: compiled with sources of the library and no server,
# under sanitizers where the compiler has them, and run.
package AssayProgram;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Test::More;

our @EXPORT = qw(run_program);

# t/NAME.c with these sources of src/, and libraries that pkg-config knows
sub run_program
{
	my ($name, $sources, $libraries, @more) = @_;
	my $top = $ENV{ASSAY_TOP} // '.';
	my $program = ($ENV{TESTDATADIR} // '/tmp') . "/$name";
	my $flags = `pkg-config --cflags --libs @$libraries`;
	chomp $flags;
	my $compile = join ' ', "cc -g -O1 -Wall -Wextra -Wno-sign-compare -I$top/include -o $program $top/t/$name.c",
	  (map { "$top/src/$_" } @$sources), $flags, @more;
	my $sanitize = '-fsanitize=address,undefined -fno-sanitize-recover=undefined';
	my $sanitized = system("$compile $sanitize >/dev/null 2>&1") == 0;

	is(`$compile 2>&1`, '', 'compiles without warnings') if !$sanitized;
	note($sanitized ? 'with sanitizers' : 'without sanitizers');
	my $said = `ASAN_OPTIONS=detect_leaks=0 $program 2>&1`;
	is($?, 0, 'nothing differs') or diag($said);
	note($said);
	return;
}

1;
