# Servers of a Citus cluster on this machine: a coordinator and two workers, which
# find one another by the folder of their sockets.
package AssayCitus;
use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
our @EXPORT = qw(citus_is_here citus_server citus_cluster);

sub citus_is_here
{
	my ($sharedir) = run_command([ 'pg_config', '--sharedir' ]);
	return -f "$sharedir/extension/citus.control";
}

sub citus_server
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', q{
		shared_preload_libraries = 'citus,pg_assay'
		max_prepared_transactions = 50
		max_connections = 80
		max_worker_processes = 40
		max_wal_senders = 20
		max_replication_slots = 20
		wal_retrieve_retry_interval = 100ms
		citus.enable_statistics_collection = off
		citus.shard_count = 8
		citus.recover_2pc_interval = 1s});
	$node->append_conf('postgresql.conf', sprintf("citus.local_hostname = '%s'", $node->host));
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION citus');
	return $node;
}

# (coordinator, worker, worker), which have the extension
sub citus_cluster
{
	my @nodes = map { citus_server($_) } 'coordinator', 'worker_1', 'worker_2';
	$nodes[0]->safe_psql('postgres', sprintf(q{SELECT citus_set_coordinator_host('%s', %d)}, $nodes[0]->host, $nodes[0]->port));
	$nodes[0]->safe_psql('postgres', sprintf(q{SELECT citus_add_node('%s', %d)}, $_->host, $_->port)) foreach @nodes[ 1, 2 ];
	$nodes[0]->safe_psql('postgres', 'CREATE EXTENSION pg_assay');
	return @nodes;
}

1;
