# Between the moment when snapshots see a revision and the one when it is told
# to all, a message is decided by what its statement sees: a commit that has
# thousands of files to remove in between makes that long.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('told');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\nmax_prepared_transactions = 5\nmax_locks_per_transaction = 1000\nmax_connections = 20\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE SEQUENCE ids;
	CREATE TABLE message (id bigint PRIMARY KEY, x int, seen int);
	CREATE VIEW signals AS SELECT id, x FROM message;
	SELECT assay.create_policy('told', 'signals', '{id}');
	SELECT assay.create_detector('told', 'large', 'x > 1', weight => 1, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('told');
	CREATE VIEW seen AS SELECT max(revision) AS revision FROM assay.revision WHERE policy = 'told';
});
append_to_file($node->basedir . '/insert.sql', q{INSERT INTO message SELECT nextval('ids'), 2, revision FROM seen;
});
my $connection = $node->connstr('postgres');
my $late = q{SELECT count(*) FROM message m JOIN told_decision d USING (id) WHERE d.revision < m.seen};

foreach my $end ('COMMIT PREPARED', 'ROLLBACK PREPARED')
{
	$node->safe_psql('postgres', q{SELECT format('CREATE TABLE many_%s (i int)', i) FROM generate_series(1, 4000) i \gexec});
	my $inserts = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-t', 1000000, '-f', $node->basedir . '/insert.sql', $connection ], '>', \my $out, '2>', \my $err);
	my $n = $node->safe_psql('postgres', 'SELECT count(*) FROM message');
	$node->poll_query_until('postgres', "SELECT count(*) > $n + 20 FROM message") or die;
	# told, but not to be seen yet
	my $revision = $node->safe_psql('postgres', 'SELECT revision FROM seen');
	$node->safe_psql('postgres', q{BEGIN; SELECT assay.alter_policy('told', prior => -2.5);
		DO $$ BEGIN EXECUTE (SELECT 'DROP TABLE ' || string_agg(format('many_%s', i), ', ') FROM generate_series(1, 4000) i); END $$;
		PREPARE TRANSACTION 'change'});
	$n = $node->safe_psql('postgres', 'SELECT count(*) FROM message');
	$node->poll_query_until('postgres', "SELECT count(*) > $n + 20 FROM message") or die;
	is($node->safe_psql('postgres', "SELECT max(revision) FROM told_decision"), $revision, 'what is prepared decides nothing');
	$node->safe_psql('postgres', "$end 'change'");
	$n = $node->safe_psql('postgres', 'SELECT count(*) FROM message');
	$node->poll_query_until('postgres', "SELECT count(*) > $n + 20 FROM message") or die;
	ok($inserts->pumpable, 'messages came all the while');
	$inserts->kill_kill;
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgbench'}) or die;
	is($node->safe_psql('postgres', $late), '0', "$end: none is decided by a revision before that of its snapshot");
	is($node->safe_psql('postgres', "SELECT max(revision) FROM told_decision"), $revision + ($end eq 'COMMIT PREPARED'), 'and the right one decides since');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM assay.undecided('told')}), '0', 'all are decided');
}
$node->stop;
done_testing();
