# A policy, its revisions, decisions and labels survive dump and restore, and
# decide alike afterwards; a standby scores.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE mail;
	CREATE DATABASE source;
	CREATE DATABASE target;
});
$node->safe_psql('source', q{
	CREATE EXTENSION pg_assay;
	GRANT CREATE ON SCHEMA public TO mail;
	SET ROLE mail;
	CREATE TABLE message (id int PRIMARY KEY, n int);
	CREATE VIEW signals AS SELECT id, n, n::float8 AS x FROM message;
	SELECT assay.create_policy('dumped', 'signals', '{id}', prior => -1, log_signals => true);
	SELECT assay.create_detector('dumped', 'a', 'n > 5', weight => 1.25, mode => 'live', tags => '{t}');
	SELECT assay.create_detector('dumped', 'm', model => assay.model_from_linear('{x}', '{0.5}', -0.25, 'logistic'), mode => 'live');
	SELECT assay.alter_detector('dumped', 'a', weight => 2);
	SELECT assay.create_guard('dumped', 'g', 'n = 7');
	SELECT assay.exclude('dumped', 'e', 'g', mutes => '{a}', reason => 'test');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new
		FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('dumped');
	INSERT INTO message SELECT i, i FROM generate_series(1, 10) i;
	INSERT INTO dumped_label (id, malicious, source) VALUES (7, true, 'test');
});
my $dump = $node->basedir . '/source.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('source') ], 'dump');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('target') ], 'restore');

my $state = q{
	SELECT row_to_json(p)::text FROM assay.policy p
	UNION ALL SELECT row_to_json(r)::text FROM assay.revision r
	UNION ALL SELECT row_to_json(d)::text FROM assay.detector d
	UNION ALL SELECT row_to_json(m)::text FROM assay.detector_model m
	UNION ALL SELECT row_to_json(g)::text FROM assay.guard g
	UNION ALL SELECT row_to_json(x)::text FROM assay.exclusion x
	UNION ALL SELECT row_to_json(d)::text FROM dumped_decision d
	UNION ALL SELECT row_to_json(l)::text FROM dumped_label l
	ORDER BY 1};
is($node->safe_psql('target', $state), $node->safe_psql('source', $state), 'the same rows');
for my $db ('source', 'target')
{
	$node->safe_psql($db, 'SET ROLE mail; INSERT INTO message VALUES (11, 7), (12, 9)');
}
my $decisions = q{SELECT id, revision, verdict, score, attribution::text, signals FROM dumped_decision ORDER BY id, revision};
is($node->safe_psql('target', $decisions), $node->safe_psql('source', $decisions), 'the same decisions afterwards');
is($node->safe_psql('source', q{SELECT count(*) FROM signals s JOIN dumped_decision d USING (id), assay.score('dumped', s) x
	WHERE x.attribution::text <> d.attribution::text}), '0', 'a replay is the same');

# a standby scores, and sees a change
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
my $score = q{SELECT s.id, x.verdict, x.score FROM signals s, assay.score('dumped', s) x ORDER BY s.id};
is($standby->safe_psql('source', $score), $node->safe_psql('source', $score), 'the same on a standby');
$node->safe_psql('source', q{SELECT assay.alter_detector('dumped', 'a', weight => 9)});
$node->wait_for_catchup($standby);
is($standby->safe_psql('source', $score), $node->safe_psql('source', $score), 'and after a change');

is($standby->safe_psql('source', q{SELECT count(*) FROM assay.replay('dumped', at => NULL)}), $node->safe_psql('source', q{SELECT count(*) FROM signals}), 'replay on a standby');
is($standby->safe_psql('source', q{SELECT sum(messages) FROM assay.compare('dumped', 1, at => NULL)}), $node->safe_psql('source', q{SELECT count(*) FROM signals}), 'compare on a standby');
is($standby->safe_psql('source', q{SELECT count(*) > 1 FROM assay.policy_diff('dumped', 1)}), 't', 'differences on a standby');

# DROP EXTENSION takes the decisions' columns with it only when told to
isnt($node->psql('target', 'DROP EXTENSION pg_assay'), 0, 'the extension is in use');
# somebody who may make schemas lies in wait for the extension
$node->safe_psql('postgres', 'CREATE DATABASE waited_for; GRANT CREATE ON DATABASE waited_for TO mail');
$node->safe_psql('waited_for', 'SET ROLE mail; CREATE SCHEMA assay');
my ($rc, $out, $err) = $node->psql('waited_for', 'CREATE EXTENSION pg_assay');
like($err, qr/schema "assay" belongs to another role/, "no extension in another's schema");
$node->safe_psql('waited_for', 'ALTER SCHEMA assay OWNER TO CURRENT_USER; CREATE EXTENSION pg_assay');

$standby->stop;
$node->stop;
done_testing();
