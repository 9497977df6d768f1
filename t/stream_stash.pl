# stream_stash.c, compiled without a server: what Kafka hands over while the server is away counts once.
use strict;
use warnings FATAL => 'all';

use AssayProgram;
use Test::More;

plan skip_all => 'there is no librdkafka' if system('pkg-config --exists rdkafka') != 0;
run_program('stream_stash', [], [qw(glib-2.0 rdkafka libpq)], '-Wno-unused-parameter');

done_testing();
