# html_shrink.c, compiled without a server: documents thrown together give the same, shrunk or not.
use strict;
use warnings FATAL => 'all';

use AssayProgram;
use Test::More;

run_program('html_shrink',
	[ (map { "bin/$_.c" } qw(css facts html_arena html_links html_plain html_reference html_shown html_shrink html_tags html_tree message report sheet style text urls)),
		(map { "text/$_.c" } qw(auth_facts message_facts organization received_facts text_facts unicode url_facts url_summary)) ],
	[qw(gmime-3.0 gumbo libpsl icu-uc)], '-lm', '-Wno-unused-parameter');

done_testing();
