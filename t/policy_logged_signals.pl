# A shape of logged signals that was prepared and rolled back is written anew
# by the same session; one that was committed is there after a crash.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\nmax_prepared_transactions = 5");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id int PRIMARY KEY, t text[], at timestamptz);
	CREATE VIEW signals AS SELECT * FROM message;
	SELECT assay.create_policy('logged', 'signals', '{id}', log_signals => true);
	CREATE TRIGGER decide AFTER INSERT ON message FOR EACH ROW EXECUTE FUNCTION assay.decide('logged');
});

# One session throughout: it remembers which shapes it wrote.
my $got = $node->safe_psql('postgres', q{
	BEGIN;
	INSERT INTO message VALUES (1, '{a}', '2020-01-01 00:00+00');
	PREPARE TRANSACTION 'one';
	ROLLBACK PREPARED 'one';
	INSERT INTO message VALUES (2, '{b}', '2020-01-01 00:00+00');
	SELECT assay.signals_to_jsonb(signals) FROM logged_decision;
});
my $expected = '{"t": ["b"], "at": "2020-01-01T00:00:00+00:00", "id": 2}';
is($got, $expected, 'after a transaction that was prepared and rolled back');

$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', 'SELECT assay.signals_to_jsonb(signals) FROM logged_decision'), $expected, 'after a crash');

# The client's encoding is the session's: what it can't hold is logged all the same.
$node->safe_psql('postgres', q{
	SET client_encoding = 'LATIN1';
	INSERT INTO message VALUES (3, ARRAY[U&'\20ac', U&'\00e9'], NULL);
});
is($node->safe_psql('postgres', q{SELECT (assay.signals_as(NULL::signals, signals)).t = ARRAY[U&'\20ac', U&'\00e9'] FROM logged_decision WHERE id = 3}),
	't', 'text arrays written by a session of another encoding');

$node->stop;
done_testing();
