# text_facts.c, compiled without a server: blocks and pieces of texts against
# characters one by one; and the other facts of any bytes.
use strict;
use warnings FATAL => 'all';

use Test::More;

my $top = $ENV{ASSAY_TOP} // '.';
my $program = ($ENV{TESTDATADIR} // '/tmp') . '/facts';

my $flags = `pkg-config --cflags --libs icu-uc`;
chomp $flags;
my $compile = "cc -g -O1 -Wall -Wextra -Wno-sign-compare -I$top/include -o $program "
  . "$top/t/facts.c $top/src/text/auth_facts.c $top/src/text/received_facts.c $top/src/text/url_facts.c $top/src/text/unicode.c $flags -lm";

# Under sanitizers where the compiler has them
my $sanitize = '-fsanitize=address,undefined -fno-sanitize-recover=undefined';
my $sanitized = system("$compile $sanitize >/dev/null 2>&1") == 0;
is(`$compile 2>&1`, '', 'compiles without warnings') if !$sanitized;
note($sanitized ? 'with sanitizers' : 'without sanitizers');

my $said = `ASAN_OPTIONS=detect_leaks=0 $program 2>&1`;
is($?, 0, 'nothing differs') or diag($said);
note($said);

done_testing();
