# shap.c, compiled without a server, against the definition of a Shapley value.
use strict;
use warnings FATAL => 'all';

use Test::More;

my $top = $ENV{ASSAY_TOP} // '.';
my $program = ($ENV{TESTDATADIR} // '/tmp') . '/model_shap';

sub pg_config
{
	my $value = `pg_config $_[0]`;
	chomp $value;
	return $value;
}

my $compile = join ' ', pg_config('--cc'), pg_config('--cflags'),
  '-ffp-contract=off -DUSE_ASSERT_CHECKING', "-I$top/include",
  '-I' . pg_config('--includedir-server'), "-o $program",
  "$top/t/model_shap.c",
  map({ "$top/src/model/$_.c" } qw(check import lanes model_error shap shap_blocks tree)),
  '-L' . pg_config('--libdir'), '-L' . pg_config('--pkglibdir'),
  '-lpgport_shlib -lm';
is(`$compile 2>&1`, '', 'compiles without warnings');

my $said = `$program 2>&1`;
is($?, 0, 'no value differs') or diag($said);
note($said);

done_testing();
