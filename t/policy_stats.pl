# Counters of policies and detectors: what is counted, that it arrives, and the
# hint where the library is not preloaded.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('stats');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id int PRIMARY KEY, n int);
	CREATE VIEW signals AS SELECT id, n FROM message;
	SELECT assay.create_policy('counted', 'signals', '{id}', prior => 0);
	SELECT assay.create_detector('counted', 'even', 'n % 2 = 0', weight => 1, mode => 'live');
	SELECT assay.create_detector('counted', 'fails', '1 / (n - 7) > 5', weight => 1, mode => 'live');
	SELECT assay.create_detector('counted', 'shadow', 'true', weight => 1);
	SELECT assay.create_detector('counted', 'draft', 'true', weight => 1, mode => 'draft');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new
		FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('counted');
	INSERT INTO message VALUES (0, 0);
});
my ($ret, $out, $err) = $node->psql('postgres', 'SELECT * FROM assay.stat_detector');
like($err, qr/statistics of pg_assay are not collected\n.*HINT:  Add pg_assay to shared_preload_libraries/s, 'hint');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\nassay.stat_max = 100");
$node->restart;
$node->safe_psql('postgres', 'INSERT INTO message SELECT i, i FROM generate_series(1, 10) i');
# a backend adds its counts, one after the other, when it ends
sub arrived
{
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()}) or die 'there are others';
	return $node->safe_psql('postgres', $_[0]);
}
is(arrived('SELECT count(*) FROM assay.stat_policy WHERE messages = 10'), '1', 'it has come');
is($node->safe_psql('postgres', 'SELECT policy, messages, degraded, faults FROM assay.stat_policy'),
	'counted|10|1|1', 'of the policy');
is($node->safe_psql('postgres', q{SELECT detector, evaluations, hits, faults FROM assay.stat_detector ORDER BY 1}),
	"even|10|5|0\nfails|9|0|1\nshadow|10|10|0", 'of the detectors');
# A session's first message is a sample, and each 64th: of one of three
# detectors by turns, the one that fails now and then among them.
$node->safe_psql('postgres', 'INSERT INTO message SELECT i, 2 FROM generate_series(10001, 10000 + 64 * 3) i; DELETE FROM message WHERE id > 10000; DELETE FROM counted_decision WHERE id > 10000');
is(arrived('SELECT messages FROM assay.stat_policy'), '202', 'more have come');
is($node->safe_psql('postgres', q{SELECT count(mean_us), bool_and(mean_us BETWEEN 0 AND 1e6) FROM assay.stat_detector}),
	'3|t', 'times of samples');
$node->safe_psql('postgres', q{SELECT count(x.score) FROM signals s, assay.score('counted', s) x});
is($node->safe_psql('postgres', 'SELECT messages FROM assay.stat_policy'), '202', 'score() is no traffic');

$node->safe_psql('postgres', 'SELECT assay.stat_reset()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM assay_internal.stat()'), '0', 'reset');
$node->safe_psql('postgres', 'CREATE ROLE stranger');
is($node->safe_psql('postgres', 'SET ROLE stranger; SELECT count(*) FROM assay.stat_detector'), '0', "only one's own");
is($node->safe_psql('postgres', 'SET ROLE stranger; SELECT count(*) FROM assay_internal.stat()'), '0', 'nor otherwise');

# a statement whose decisions could not be written, since the table was renamed meanwhile, counts once
$node->safe_psql('postgres', 'SELECT assay.stat_reset()');
my $writer = $node->background_psql('postgres');
$writer->query_safe("SET assay.message_budget = '600s'");
$writer->query_safe('INSERT INTO message SELECT i, 2 FROM generate_series(20001, 20005) i');
my $renamer = $node->background_psql('postgres');
$renamer->query_safe('BEGIN; ALTER TABLE counted_decision RENAME TO counted_verdicts');
$writer->query_until(qr/begun/, "\\echo begun\nINSERT INTO message SELECT i, 2 FROM generate_series(20011, 20020) i;\n");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted}) or die 'it does not wait';
$renamer->query_safe('COMMIT');
$renamer->quit;
$writer->quit;
is(arrived('SELECT messages FROM assay.stat_policy'), '15', 'each message once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM counted_verdicts WHERE id > 20000'), '15', 'all are decided');
$node->safe_psql('postgres', 'ALTER TABLE counted_verdicts RENAME TO counted_decision; DELETE FROM message WHERE id > 20000; DELETE FROM counted_decision WHERE id > 20000; SELECT assay.stat_reset()');

# a full table counts no more, and harms nothing
$node->safe_psql('postgres', q{
	SELECT count(assay.create_detector('counted', 'd' || i, 'n > ' || i, weight => 0, mode => 'live')) FROM generate_series(1, 110) i;
	INSERT INTO message SELECT i, i FROM generate_series(1001, 1010) i;
});
is(arrived('SELECT messages FROM assay.stat_policy'), '10', 'these, too');
is($node->safe_psql('postgres', 'SELECT count(*) FROM assay_internal.stat()'), '100', 'no more than assay.stat_max entries');
is($node->safe_psql('postgres', 'SELECT count(*) FROM counted_decision WHERE id > 1000'), '10', 'and messages are decided');
# no role takes all: one with fewer entries gets of the others'
$node->safe_psql('postgres', q{
	GRANT CREATE ON SCHEMA public TO stranger;
	SET ROLE stranger;
	CREATE TABLE other_message (id int PRIMARY KEY, n int);
	CREATE VIEW other_signals AS SELECT id, n FROM other_message;
	SELECT assay.create_policy('other', 'other_signals', '{id}');
	SELECT count(assay.create_detector('other', 'o' || i, 'n > ' || i, weight => 0, mode => 'live')) FROM generate_series(1, 20) i;
	CREATE TRIGGER decide AFTER INSERT ON other_message REFERENCING NEW TABLE AS new
		FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('other');
	INSERT INTO other_message SELECT i, i FROM generate_series(1, 10) i;
});
is(arrived(q{SELECT messages FROM assay.stat_policy WHERE policy = 'other'}), '10', 'of another policy');
is($node->safe_psql('postgres', 'SELECT policy, count(*) FROM assay_internal.stat() GROUP BY 1 ORDER BY 1'), "counted|79\nother|21", 'there is room for the smaller');
# the half is the most that one gets so
$node->safe_psql('postgres', q{
	SET ROLE stranger;
	SELECT count(assay.create_detector('other', 'o' || i, 'n > ' || i, weight => 0, mode => 'live')) FROM generate_series(21, 110) i;
	INSERT INTO other_message SELECT i, i FROM generate_series(11, 20) i;
});
is(arrived(q{SELECT messages FROM assay.stat_policy WHERE policy = 'other'}), '20', 'and more of it');
is($node->safe_psql('postgres', 'SELECT policy, count(*) FROM assay_internal.stat() GROUP BY 1 ORDER BY 1'), "counted|50\nother|50", 'and no more than an even share');
$node->safe_psql('postgres', q{INSERT INTO message SELECT i, i FROM generate_series(2001, 2010) i});
is(arrived(q{SELECT messages FROM assay.stat_policy WHERE policy = 'counted'}), '20', 'and of the first');
is($node->safe_psql('postgres', 'SELECT policy, count(*) FROM assay_internal.stat() GROUP BY 1 ORDER BY 1'), "counted|50\nother|50", 'nor is it taken back');
$node->safe_psql('postgres', q{DROP TRIGGER decide ON other_message; SELECT assay.drop_policy('other')});
# a policy that is dropped makes room
$node->safe_psql('postgres', q{DROP TRIGGER decide ON message; SELECT assay.drop_policy('counted')});
is($node->safe_psql('postgres', 'SELECT count(*) FROM assay_internal.stat()'), '0', 'dropped');
$node->stop;
done_testing();
