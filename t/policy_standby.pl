# A streaming standby answers everything that reads, as the primary does; what
# writes says that it can't; and it decides once it is promoted.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use AssayWorld;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'");
$primary->start;
$primary->safe_psql('postgres', world_sql());
$primary->backup('backup');

my @standbys;
foreach my $preload ('', 'pg_assay')
{
	my $standby = PostgreSQL::Test::Cluster->new('standby' . ($preload ? '_preloaded' : ''));
	$standby->init_from_backup($primary, 'backup', has_streaming => 1);
	$standby->append_conf('postgresql.conf', "shared_preload_libraries = '$preload'\nmax_parallel_workers_per_gather = 2\nparallel_setup_cost = 0\nmin_parallel_table_scan_size = 0");
	$standby->start;
	push @standbys, $standby;
}

sub same
{
	my ($what) = @_;
	foreach my $standby (@standbys)
	{
		$primary->wait_for_catchup($standby);
		foreach my $q (world_queries())
		{
			my ($rc, $out, $err) = $standby->psql('postgres', $q->[1]);
			is($err, '', $standby->name . ": $q->[0] has nothing to complain of");
			ok($out eq $primary->safe_psql('postgres', $q->[1]) && length $out, $standby->name . ": $q->[0] $what");
		}
	}
}
cmp_ok($primary->safe_psql('postgres', 'SELECT count(*) FROM assay.fault'), '>', 0, 'there are faults');
same('says the same');

# A detector that fails costs itself there too, and nothing is written.
my ($standby, $preloaded) = @standbys;
my ($rc, $out, $err) = $standby->psql('postgres', q{SET assay.fault_limit = 2; SELECT count(*), count(*) FILTER (WHERE assay.degraded(x.attribution)) > 30 AS degraded FROM "the mail".signals s, assay.score('world', s) x});
is($out, '410|t', 'scored all');
is($err, '', 'data suspend no detector');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM "the mail".signals s, assay.score('world', s) x; SELECT policy, valid, live, shadow FROM assay.policy_cache}), "410\nworld|t|3|1", 'what is cached');

# counters, where they are kept
$preloaded->safe_psql('postgres', q{SELECT count(*) FROM "the mail".signals s, assay.score('world', s) x});
is($preloaded->safe_psql('postgres', q{SELECT count(*) FROM assay.stat_policy WHERE policy = 'world'}), '0', 'score() is no traffic');

# what writes can't
foreach my $sql (q{SELECT assay.alter_policy('world')}, q{CALL assay.backfill('world')}, q{SELECT assay.refresh_baseline('"the mail".sender_table')}, world_insert(1))
{
	($rc, $out, $err) = $standby->psql('postgres', $sql);
	like($err, qr/(cannot execute .* in a read-only transaction|cannot .* during recovery)/, 'not on a standby: ' . substr($sql, 0, 40));
}
is($standby->safe_psql('postgres', 'SELECT count(*) FROM assay.fault'), $primary->safe_psql('postgres', 'SELECT count(*) FROM assay.fault'), 'no fault was written');

# changes arrive
$primary->safe_psql('postgres', q{SET ROLE mail; SELECT assay.alter_detector('world', 'money', weight => 0.75); SELECT assay.refresh_baseline('"the mail".sender_table'); SELECT assay.refresh_baseline('"the mail".sender_view');} . world_insert(30));
same('follows');

# promoted, it decides as the primary would have
# (a sequence may skip numbers when its server is promoted)
my $q = q{SELECT m.received_at, d.verdict, d.score, d.attribution FROM "the mail".world_decision d JOIN "the mail".message m USING (id) ORDER BY 1, m.id, d.revision};
$standby->promote;
$standby->safe_psql('postgres', world_insert(20));
$primary->safe_psql('postgres', world_insert(20));
ok($standby->safe_psql('postgres', $q) eq $primary->safe_psql('postgres', $q), 'promoted, it decides');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM "the mail".world_verdict'), '60', 'each message');
done_testing();
