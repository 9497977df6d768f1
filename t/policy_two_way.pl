# Two servers that take messages and have each other's, with decisions and labels
# (origin = none, from PostgreSQL 16 on): each message is decided once, where it came.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my %node;
foreach my $name ('a', 'b')
{
	my $node = PostgreSQL::Test::Cluster->new("two_way_$name");
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nlogical_decoding_work_mem = '64kB'");
	$node->start;
	if ($node->safe_psql('postgres', 'SHOW server_version_num') < 160000)
	{
		$node->stop;
		plan skip_all => 'origin = none came with PostgreSQL 16';
	}
	$node->safe_psql('postgres', q{
		CREATE EXTENSION pg_assay;
		CREATE TABLE message (id int PRIMARY KEY, txt text);
		CREATE VIEW signals AS SELECT id, txt, length(txt) AS n FROM message;
		SELECT assay.create_policy('p', 'signals', '{id}', prior => -1);
		SELECT assay.create_detector('p', 'd', 'n % 3 = 0', weight => 3, mode => 'live');
		CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
		CREATE PUBLICATION mail FOR TABLE message, p_decision, p_label});
	$node{$name} = $node;
}
foreach (['a', 'b'], ['b', 'a'])
{
	my ($to, $from) = @$_;
	my $connection = $node{$from}->connstr . ' dbname=postgres';
	$node{$to}->safe_psql('postgres', "CREATE SUBSCRIPTION from_$from CONNECTION '$connection' PUBLICATION mail WITH (origin = none, copy_data = false, streaming = parallel)");
}

# Messages, undecided, wrong, and all decisions and labels
sub state_of
{
	$node{a}->wait_for_catchup('from_a');
	$node{b}->wait_for_catchup('from_b');
	return map { $node{$_}->safe_psql('postgres', q{
		SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM assay.undecided('p')),
		(SELECT count(*) FROM signals s LEFT JOIN p_verdict v USING (id), assay.score('p', s) x WHERE (v.verdict, v.score, v.degraded) IS DISTINCT FROM (x.verdict, x.score, false)),
		(SELECT md5(string_agg(d::text, ',' ORDER BY id, revision)) FROM p_decision d), (SELECT count(*) FROM p_label)}) } ('a', 'b');
}

sub same
{
	my ($what, $expected) = @_;
	my ($a, $b) = state_of();
	is($b, $a, "$what: the same on both");
	like($a, qr/^\Q$expected\E\|/, "$what: all decided");
}

foreach my $name ('a', 'b')
{
	my $from = $name eq 'a' ? 1 : 10001;
	$node{$name}->safe_psql('postgres', "BEGIN; INSERT INTO message SELECT i, repeat('x', i % 100) FROM generate_series($from, $from + 1999) i;
		SAVEPOINT s; INSERT INTO message SELECT i, 'gone' FROM generate_series($from + 2000, $from + 2999) i; ROLLBACK TO s;
		INSERT INTO message VALUES ($from + 2000, 'kept'); INSERT INTO p_label (id, malicious, source) SELECT $from + i, true, 'x' FROM generate_series(1, 50) i; COMMIT");
}
same('from both', '4002|0|0');
# keys that come again, where they came and at the other one
$node{a}->safe_psql('postgres', q{DELETE FROM message WHERE id <= 100; INSERT INTO message SELECT i, repeat('y', i % 7) FROM generate_series(1, 50) i; INSERT INTO message VALUES (51, 'y')});
state_of();
$node{b}->safe_psql('postgres', q{INSERT INTO message SELECT i, repeat('z', i % 5) FROM generate_series(52, 100) i; DELETE FROM message WHERE id IN (1, 2, 3); INSERT INTO message SELECT i, 'zzz' FROM generate_series(1, 3) i});
same('keys that come again', '4002|0|0');
# decided anew by another revision, at one of them
$node{$_}->safe_psql('postgres', q{SELECT assay.alter_policy('p', prior => 1)}) foreach 'a', 'b';
$node{b}->safe_psql('postgres', q{CALL assay.backfill('p', at => NULL)});
same('backfill()', '4002|0|0');
is($node{$_}->safe_psql('postgres', 'SELECT sum(apply_error_count) FROM pg_stat_subscription_stats'), '0', "$_ had no error") foreach 'a', 'b';
$_->stop foreach values %node;
done_testing();
