# text_facts.c, compiled without a server: blocks and pieces of texts against
# characters one by one; and the other facts of any bytes.
use strict;
use warnings FATAL => 'all';

use AssayProgram;
use Test::More;

run_program('facts', [ map { "text/$_.c" } qw(auth_facts received_facts url_facts unicode) ], ['icu-uc'], '-lm');

done_testing();
