# Plans with parallel workers, where bodies are stored out of line and the heap
# that the planner sees is small: what the documentation says to write, and what
# replay() and backfill() do by themselves.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('parallel');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\njit = off\nmax_parallel_workers_per_gather = 2\nmax_parallel_workers = 4\nmax_worker_processes = 8");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id bigint PRIMARY KEY, received_at timestamptz, sender text, body text);
	ALTER TABLE message ALTER body SET STORAGE EXTERNAL;
	INSERT INTO message SELECT i, timestamptz '2024-01-01' + i * interval '1 minute', 's' || i % 50, repeat('text ', 500) || CASE WHEN i % 10 = 0 THEN 'wire transfer' ELSE '' END
		FROM generate_series(1, 4000) i;
	CREATE TABLE known AS SELECT assay.phrases('{money}', '{wire transfer}') AS words;
	SELECT assay.create_baseline('sender_baseline', 'message', '{sender}', 'received_at', incremental => false);
	SELECT assay.refresh_baseline('sender_baseline');
	CREATE VIEW signals AS SELECT m.id, m.received_at, m.sender, assay.phrase_hits((SELECT words FROM known), m.body) AS phrases,
			coalesce(assay.events(b.history), 0) AS sender_events
		FROM message m LEFT JOIN LATERAL assay.as_of(NULL::sender_baseline, m.received_at, m.sender) b ON true;
	SELECT assay.create_policy('p', 'signals', '{id}');
	SELECT assay.create_detector('p', 'money', 'phrases && ''{money}''', weight => 6, mode => 'live');
	SELECT assay.create_detector('p', 'new', 'sender_events = 0', weight => 1, mode => 'live');
	VACUUM ANALYZE;
});
cmp_ok($node->safe_psql('postgres', q{SELECT pg_relation_size('message') / 8192}), '<', 1024, 'the heap is small');

sub plan_of { return $node->safe_psql('postgres', "$_[0] EXPLAIN (COSTS off) $_[1]"); }
my $scored = q{SELECT d.id, (d.x).verdict, (d.x).score FROM (SELECT s.id, assay.score('p', s) AS x FROM signals s OFFSET 0) d};
unlike(plan_of('', $scored), qr/Workers Planned/, 'a small heap has no workers by itself');
my $told = 'BEGIN; SET LOCAL client_min_messages = error; ALTER TABLE message SET (parallel_workers = 2);';
for my $statement ($scored, "CREATE TABLE scored AS $scored", "CREATE MATERIALIZED VIEW scored AS $scored", "SELECT count((assay.score('p', s)).score) FROM signals s",
	"SELECT d.id, h.verdict FROM ($scored) d, LATERAL (SELECT upper(d.verdict) AS verdict) h")
{
	like(plan_of($told, $statement), qr/Workers Planned: 2\n.*Parallel Seq Scan on message/s, "told of workers: $statement");
}
like(plan_of('SET min_parallel_table_scan_size = 0;', $scored), qr/Workers Planned: \d/, 'or by a setting of the session');
# an index under it, a few messages: no workers for those
unlike(plan_of($told, "$scored WHERE d.id = 5"), qr/Gather Merge/, 'one message');

# What they run: the plans that auto_explain writes, which is for the server's log alone
sub plans
{
	my ($sql) = @_;
	my $from = -s $node->logfile;
	my ($ret, $out) = $node->psql('postgres', "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; $sql");
	is($ret, 0, "runs: $sql");
	return ($out, slurp_file($node->logfile, $from));
}
my ($out, $log) = plans("SELECT count(*) FILTER (WHERE verdict <> 'safe'), count(*) FROM assay.replay('p');");
like($log, qr/Workers Planned: \d.*Parallel Seq Scan on message/s, 'replay() goes parallel');
is($out, '400|4000', 'and finds what there is');
($out, $log) = plans("SET max_parallel_workers_per_gather = 0; SELECT count(*) FROM assay.replay('p');");
like($log, qr/Seq Scan on message/, 'which is in the log');
unlike($log, qr/Workers Planned/, 'but not where the session has no workers');
($out, $log) = plans("CALL assay.backfill('p', batch => 4000);");
like($log, qr/Workers Planned: \d/, 'backfill() reads in parallel');
is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE verdict <> 'safe') FROM p_decision}), '4000|400', 'and decides all');
is($node->safe_psql('postgres', 'SHOW min_parallel_table_scan_size'), '8MB', 'the setting is as it was');
$node->stop;
done_testing();
