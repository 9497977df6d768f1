# What a session wrote itself and undid decides nothing, also where the snapshot
# after looks like the one that saw it: another under way holds its xmin, and
# one that has ended its xmax.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('undone');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\ntimezone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE noise (i int);
	CREATE TABLE message (id int PRIMARY KEY, received_at timestamptz, body text);
	CREATE TABLE label (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
	INSERT INTO message SELECT i, '2024-01-01', CASE WHEN i % 2 = 0 THEN 'wire money now' ELSE 'lunch at noon' END FROM generate_series(1, 200) i;
	INSERT INTO label SELECT i, i % 2 = 0, '2024-01-02' FROM generate_series(1, 200) i;
	INSERT INTO message VALUES (1001, '2024-03-01', 'wire money now');
	SELECT assay.create_text_model('words', source => 'message', content => 'body', labels => 'label', at => 'received_at');
	SELECT assay.learn('words');
	CREATE TABLE learned AS SELECT * FROM words_version;
	DELETE FROM words_version;
	CREATE VIEW signals AS SELECT id, received_at, body FROM message;
	SELECT assay.create_policy('by_detector', 'signals', '{id}');
	SELECT assay.create_detector('by_detector', 'model', text_model => 'words', text => 'body', weight => 1, mode => 'live');
	SELECT assay.create_policy('by_condition', 'signals', '{id}');
	SELECT assay.create_detector('by_condition', 'model', 'coalesce(assay.text_score(assay.text_model_at(''words''), body) > 0, false)', weight => 9, mode => 'live');
	SELECT assay.create_list('here');
	SELECT assay.create_policy('by_list', 'signals', '{id}');
	SELECT assay.create_detector('by_list', 'listed', 'assay.in_list(''here'', body)', weight => 9, mode => 'live');
});

# A change in one statement, so that both transactions have as many commands.
my %change = (
	by_detector => 'INSERT INTO words_version SELECT * FROM learned',
	by_condition => 'INSERT INTO words_version SELECT * FROM learned',
	by_list => q{INSERT INTO assay.list (set, value) VALUES ('here', 'wire money now')},
);
my $session = $node->background_psql('postgres');
foreach my $policy (sort keys %change)
{
	my $score = "SELECT x.score FROM signals s, assay.score('$policy', s) x WHERE s.id = 1001";
	my $before = $session->query_safe($score);
	my $another = sub { $node->safe_psql('postgres', 'INSERT INTO noise VALUES (1)'); };

	$session->query_safe("BEGIN; INSERT INTO noise VALUES (2); SAVEPOINT a; $change{$policy};");
	$another->();
	isnt($session->query_safe($score), $before, "$policy: changed in a subtransaction");
	$session->query_safe('ROLLBACK TO a');
	is($session->query_safe($score), $before, 'undone with it');
	$session->query_safe('ROLLBACK');

	my $older = $node->background_psql('postgres');
	$older->query_safe('BEGIN; INSERT INTO noise VALUES (3)');
	$session->query_safe("BEGIN; $change{$policy}");
	$another->();
	isnt($session->query_safe($score), $before, "$policy: changed in a transaction");
	$session->query_safe('ROLLBACK');
	$session->query_safe('BEGIN; INSERT INTO noise VALUES (4)');
	is($session->query_safe($score), $before, 'undone with it');
	$session->query_safe('ROLLBACK');
	$older->query_safe('ROLLBACK');
	$older->quit;
}
$session->quit;
$node->stop;
done_testing();
