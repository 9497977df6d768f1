# What logical decoding sees of decisions whose keys come again: never that one
# was deleted, or came twice.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('direct_write');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\nwal_level = logical");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id int PRIMARY KEY, n int);
	CREATE VIEW signals AS SELECT id, n FROM message;
	SELECT assay.create_policy('p', 'signals', '{id}', prior => 0);
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
	SELECT pg_create_logical_replication_slot('s', 'test_decoding');
	INSERT INTO message VALUES (1, 1), (2, 2);
	DELETE FROM message;
	INSERT INTO message VALUES (1, 1), (2, 2), (3, 3);
	DELETE FROM message WHERE id = 2;
	INSERT INTO message VALUES (2, 2);
});
is($node->safe_psql('postgres', q{SELECT string_agg(split_part(data, ' ', 3) || substring(data FROM ' id\[integer\]:\d'), ', ' ORDER BY i)
	FROM (SELECT row_number() OVER () AS i, data FROM pg_logical_slot_get_changes('s', NULL, NULL) WHERE data LIKE 'table public.p\_decision:%') c}),
	'INSERT: id[integer]:1, INSERT: id[integer]:2, UPDATE: id[integer]:1, UPDATE: id[integer]:2, INSERT: id[integer]:3, UPDATE: id[integer]:2', 'as it is');
$node->stop;
done_testing();
