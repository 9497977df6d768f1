# assay.check() tells of decisions that a subscriber does not fetch, and of
# decisions by older revisions.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('subscriber');
$node->init(allows_streaming => 'logical');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id int PRIMARY KEY);
	CREATE VIEW signals AS SELECT id FROM message;
	SELECT assay.create_policy('p', 'signals', '{id}', prior => -1);
	SELECT assay.create_detector('p', 'd', 'id > 0', weight => 1, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
	INSERT INTO message VALUES (1);
	SELECT pg_create_logical_replication_slot('far', 'pgoutput')});

sub told { $node->safe_psql('postgres', q{SELECT severity, "check", regexp_replace(detail, ', .*', '') FROM assay.check('p') WHERE "check" IN ('subscriber', 'revision')}) }

is(told(), '', 'a slot of something else is none of the policy\'s business');
$node->safe_psql('postgres', 'CREATE PUBLICATION decisions FOR TABLE p_decision');
is(told(), 'warning|subscriber|replication slot far is not read', 'a slot that nobody reads');
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('far')});
is(told(), '', 'none');
$node->safe_psql('postgres', q{UPDATE p_decision SET decided_at = now() + interval '1 hour'});
is(told(), '', 'a late decision by the current revision');
$node->safe_psql('postgres', q{SELECT assay.alter_policy('p')});
is(told(), 'warning|revision|decisions by older revisions since revision ' . $node->safe_psql('postgres', q{SELECT max(revision) FROM assay.revision}) . ': 1',
	'a decision by an older revision, an hour after the current one came');
$node->stop;
done_testing();
