# match.c, compiled without a server, against a slow and obvious matcher.
use strict;
use warnings FATAL => 'all';

use AssayProgram;
use Test::More;

run_program('match', [ map { "text/$_.c" } qw(match match_scan match_words normalise unicode) ], [qw(libhs icu-uc)]);

done_testing();
