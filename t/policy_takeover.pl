# A server that has had messages with their decisions from another takes over:
# the numbers of outbox, faults and queue go on, and each message is decided.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($old, $new) = map { PostgreSQL::Test::Cluster->new($_) } ('old', 'new');
foreach my $node ($old, $new)
{
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', 'fsync = off');
	$node->start;
	$node->safe_psql('postgres', q{
		CREATE EXTENSION pg_assay;
		CREATE TABLE message (id int PRIMARY KEY, n int);
		CREATE VIEW signals AS SELECT id, n FROM message;
		SELECT assay.create_policy('p', 'signals', '{id}', prior => -1);
		SELECT assay.create_detector('p', 'd', '10 / n > 1', weight => 9, mode => 'live');
		SELECT assay.create_outbox('p');
		CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p')});
}
$old->safe_psql('postgres', q{INSERT INTO message VALUES (0, 1); SELECT assay.review_sample('p', 1)});
$new->safe_psql('postgres', q{INSERT INTO message VALUES (0, 1); SELECT assay.review_sample('p', 1)});
$old->safe_psql('postgres', 'CREATE PUBLICATION mail FOR TABLE message, p_decision, p_label, p_change, p_review, assay_internal.fault, assay_internal.backfill_run');
my $connection = $old->connstr . ' dbname=postgres';
$new->safe_psql('postgres', "CREATE SUBSCRIPTION mail CONNECTION '$connection' PUBLICATION mail WITH (copy_data = false)");

$old->safe_psql('postgres', q{SET assay.fault_limit = 1000; INSERT INTO message SELECT i, i % 3 FROM generate_series(1, 100) i; SELECT assay.review_sample('p', 20); CALL assay.backfill('p', at => NULL)});
$old->wait_for_catchup('mail');
my $numbers = q{SELECT (SELECT max(change) FROM p_change), (SELECT max(review) FROM p_review), (SELECT max(fault) FROM assay.fault), (SELECT max(run) FROM assay_internal.backfill_run)};
is($new->safe_psql('postgres', $numbers), $old->safe_psql('postgres', $numbers), 'all has come');
like($new->safe_psql('postgres', $numbers), qr/^[1-9]\d+\|[1-9]\d+\|[1-9]\d*\|1$/, '... and numbers with it');
is($new->safe_psql('postgres', q{SELECT count(*) FROM assay.check('p') WHERE "check" IN ('trigger', 'undecided')}), '0', 'no trigger is asked for, as decisions come with their messages');

$new->safe_psql('postgres', 'DROP SUBSCRIPTION mail');
my (undef, undef, $told) = $new->psql('postgres', q{SET assay.fault_limit = 1000; INSERT INTO message SELECT i, i % 3 FROM generate_series(101, 200) i; SELECT assay.review_sample('p', 20); CALL assay.backfill('p', at => NULL)});
unlike($told, qr/WARNING|ERROR/, 'nothing is wrong when it takes over');
is($new->safe_psql('postgres', q{SELECT (SELECT count(*) FROM p_decision WHERE id > 100), (SELECT count(*) FROM assay.undecided('p')), (SELECT count(*) FROM p_change WHERE id > 100)}), '100|0|67', 'each message is decided, and told');
is($new->safe_psql('postgres', q{SELECT count(*) FROM assay.fault WHERE sqlstate LIKE '23%'}), '0', 'no number was given twice');
$new->stop;
$old->stop;
done_testing();
