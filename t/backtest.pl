# backtest(): in parallel and serially the same, equal to its definition in SQL, and told of on the way
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('backtest');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off\nmax_parallel_workers_per_gather = 2\nmin_parallel_table_scan_size = 0\nparallel_setup_cost = 0\nparallel_tuple_cost = 0\n");
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id bigint PRIMARY KEY, x int, y int, body text);
	CREATE VIEW signals AS SELECT id, x, y, body, x + y AS total FROM message;
	SELECT assay.create_policy('p', 'signals', '{id}', prior => -1, log_signals => true);
	SELECT count(assay.create_detector('p', 'd' || i, 'total % ' || i || ' = 0', weight => i / 4.0 - 1, mode => CASE i % 4 WHEN 0 THEN 'shadow' ELSE 'live' END)) FROM generate_series(2, 12) i;
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
	INSERT INTO message SELECT i, hashint4(i) % 1000, hashint4(-i) % 100, repeat('body ', i % 60) FROM generate_series(1, 20000) i;
	INSERT INTO p_label SELECT id, hashint8(id) % 5 = 0, 'test', '2026-01-01' FROM message WHERE id % 3 = 0;
	ANALYZE;
});

my $columns = 'messages, from_log, faults, hits, labelled, tp, fp, flips, flips_right, flips_wrong, overlap, changes';
for my $call ("'x % 7 = 0 AND total > 10', weight => 1.25", "'length(body) > 200', weight => -2", "'100 / x > 3', weight => 2",
	"model => assay.model_from_linear('{x,y}', '{0.002,-0.01}', 0.1), weight => 0.7")
{
	for my $signals (qw(logged view auto))
	{
		my $parallel = $node->safe_psql('postgres', "SELECT $columns FROM assay.backtest('p', $call, at => NULL, signals => '$signals')");
		my $serial = $node->safe_psql('postgres', "SET max_parallel_workers_per_gather = 0; SELECT $columns FROM assay.backtest('p', $call, at => NULL, signals => '$signals')");
		is($parallel, $serial, "$call, $signals: in parallel as serially");
		my ($messages, $from_log) = split /\|/, $serial;
		is("$messages $from_log", $signals eq 'view' ? '20000 0' : '20000 20000', "$call, $signals: all messages");
	}
}
# by definition, over the ledgers that are stored
is($node->safe_psql('postgres', q{
	WITH r AS (
		SELECT s.x % 7 = 0 AND s.total > 10 AS hit, d.verdict, assay.margin(d.attribution) AS margin, l.malicious, assay.hits(d.attribution) AS hits
		FROM signals s JOIN p_decision d USING (id) LEFT JOIN p_label l USING (id)
	), c AS (
		SELECT r.*, CASE WHEN s.after >= 0.9 THEN 'malicious' WHEN s.after >= 0.5 THEN 'suspicious' ELSE 'safe' END AS verdict_after
		FROM r, LATERAL (SELECT 1 / (1 + exp(-(r.margin + 1.25))) AS after) s WHERE r.hit
	)
	SELECT count(*), count(malicious), count(*) FILTER (WHERE malicious), count(*) FILTER (WHERE verdict <> verdict_after),
		(SELECT jsonb_object_agg(h, n) FROM (SELECT h, count(*) AS n FROM c, unnest(hits) h GROUP BY h) o) FROM c}),
	$node->safe_psql('postgres', q{
	SELECT hits, labelled, tp, flips, (SELECT jsonb_object_agg(CASE o->>'mode' WHEN 'shadow' THEN 'shadow:' ELSE '' END || (o->>'detector'), o->'both') FROM jsonb_array_elements(overlap) o)
	FROM assay.backtest('p', 'x % 7 = 0 AND total > 10', weight => 1.25, at => NULL)}), 'as defined');
# workers take part
like($node->safe_psql('postgres', q{EXPLAIN SELECT assay_internal.condition_hit_logged('p', 'x = 1', signals, false) FROM p_decision}), qr/Gather/, 'a condition runs in workers');

# it tells how far it is: a condition that takes its time, without workers, of which it does not know
$node->safe_psql('postgres', q{
	CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_sleep(0.03); RETURN true; END $$;
	CREATE TABLE few (id int PRIMARY KEY) WITH (parallel_workers = 0);
	INSERT INTO few SELECT generate_series(1, 192);
	SELECT assay.create_policy('few', 'few', '{id}')});
my ($rc, $out, $err) = $node->psql('postgres', q{SELECT hits FROM assay.backtest('few', 'public.slow(id)', at => NULL)});
is($out, '192', 'a slow condition');
like($err, qr/NOTICE:  backtest: at least \d+ messages/, 'progress is told');

$node->stop;
done_testing();
