# What logical decoding sees of decisions whose keys come again: never that one
# was deleted, or came twice.  And two transactions that decide the same keys the
# other way round: a deadlock costs a decision, never an INSERT.
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
	'INSERT: id[integer]:1, INSERT: id[integer]:2, INSERT: id[integer]:3, UPDATE: id[integer]:1, UPDATE: id[integer]:2, UPDATE: id[integer]:2', 'as it is');

$node->safe_psql('postgres', q{
	CREATE TABLE m2 (id int, n int);
	CREATE VIEW signals2 AS SELECT id, n FROM m2;
	SELECT assay.create_policy('q', 'signals2', '{id}', prior => 0);
	CREATE TRIGGER decide AFTER INSERT ON m2 REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('q');
});
foreach my $rows ('(3, 1)', '(3, 1), (5, 1)')
{
	my ($first, $second) = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 2;
	$first->query(q{SET client_min_messages = error; SET deadlock_timeout = '10ms'; SET assay.message_budget = '100s'; BEGIN; INSERT INTO m2 VALUES (0, 1); INSERT INTO m2 VALUES (1, 1), (2, 1);});
	$second->query(q{SET client_min_messages = error; SET deadlock_timeout = '100s'; SET assay.message_budget = '100s'; BEGIN; INSERT INTO m2 VALUES (3, 1), (4, 1);});
	$second->query_until(qr/waits/, "\\echo waits\nINSERT INTO m2 VALUES (2, 1), (6, 1);\n");
	ok($node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM pg_locks WHERE NOT granted'), 'one waits for the other');
	$first->query("INSERT INTO m2 VALUES $rows; COMMIT;");
	$second->query('ROLLBACK;');
	$_->quit foreach $first, $second;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM m2'), 3 + ($rows =~ tr/(//), "a deadlock refuses no message: $rows");
	is($node->safe_psql('postgres', q{SELECT string_agg(id::text, ' ' ORDER BY id) FROM q_decision}), $rows =~ /5/ ? '0 1 2 5' : '0 1 2', 'and costs one decision');
	is($node->safe_psql('postgres', q{SELECT string_agg(u.key::text, ' ') FROM assay.undecided('q') u}), '{3}', 'that undecided() tells');
	$node->safe_psql('postgres', 'TRUNCATE m2, q_decision');
}
$node->stop;
done_testing();
