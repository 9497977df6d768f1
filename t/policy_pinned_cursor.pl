# A policy's code that leaves a pinned cursor behind, as a function in PL/Perl does that
# forgets to close one: the session that inserted commits all the same.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = $ENV{ASSAY_TOP} // '.';
my $library = ($ENV{TESTDATADIR} // PostgreSQL::Test::Utils::tempdir()) . '/pinned_cursor.so';
my ($headers) = run_command([ 'pg_config', '--includedir-server' ]);
is(`cc -shared -fPIC -I$headers -o $library $top/t/pinned_cursor.c 2>&1`, '', 'a function that leaves one');

my $node = PostgreSQL::Test::Cluster->new('pinned');
$node->init;
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION pg_assay;
	CREATE FUNCTION leave_pinned() RETURNS boolean AS '$library' LANGUAGE C;
	CREATE TABLE message (id int PRIMARY KEY);
	CREATE VIEW signals AS SELECT id, leave_pinned() AS left FROM message;
	SELECT assay.create_policy('p', 'signals', '{id}');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p')});

my ($rc, $out, $err) = $node->psql('postgres', 'SELECT leave_pinned()');
like($err, qr/cannot commit while a portal is pinned/, 'whose own code it is can not commit');
is($node->safe_psql('postgres', 'INSERT INTO message VALUES (1); INSERT INTO message VALUES (2), (3); SELECT name FROM pg_cursors'), '', 'who inserts can');
is($node->safe_psql('postgres', 'SELECT id, degraded FROM p_decision ORDER BY id'), "1|f\n2|f\n3|f", 'and the messages are decided');

# A cursor of the session's that is pinned stays as it is.
($rc, $out, $err) = $node->psql('postgres', q{
	BEGIN;
	SELECT leave_pinned();
	INSERT INTO message VALUES (4);
	SELECT count(*) FROM pg_cursors;
	ROLLBACK});
is("$rc $out", "0 t\n1", q{one that the session's own code left is left to it});
$node->stop;
done_testing();
