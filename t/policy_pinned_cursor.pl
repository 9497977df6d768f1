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

# Nor does a policy's code close one by its name, as PL/Perl does that takes any name: a loop went on with what was freed.
$node->safe_psql('postgres', qq{
	CREATE FUNCTION close_cursor(text) RETURNS boolean AS '$library' LANGUAGE C;
	CREATE FUNCTION tries(name text) RETURNS text LANGUAGE plpgsql AS \$\$
	BEGIN RETURN close_cursor(name); EXCEPTION WHEN OTHERS THEN RETURN SQLERRM; END \$\$;
	CREATE TABLE closing (id int PRIMARY KEY, name text);
	CREATE VIEW closes AS SELECT id, tries(name) AS first, tries(name) AS second, close_cursor(name) AS third FROM closing;
	SELECT assay.create_policy('closes', 'closes', '{id}');
	CREATE TRIGGER decide AFTER INSERT ON closing REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('closes')});
is($node->safe_psql('postgres', q{
	BEGIN;
	DECLARE mine CURSOR FOR SELECT generate_series(1, 4);
	FETCH mine;
	INSERT INTO closing VALUES (1, 'mine');
	FETCH mine;
	SAVEPOINT s;
	INSERT INTO closing VALUES (2, 'mine');
	FETCH mine;
	ROLLBACK TO s;
	FETCH mine;
	CLOSE mine;
	INSERT INTO closing VALUES (3, 'mine');
	COMMIT;
	DO $$
	DECLARE i int;
	BEGIN
		FOR i IN SELECT generate_series(11, 80) LOOP
			INSERT INTO closing SELECT i, name FROM pg_cursors ORDER BY creation_time, name LIMIT 1;
		END LOOP;
	END $$;
	SELECT count(*) FROM closing}), "1\n2\n3\n4\n72", q{the session's cursors are read on, and its loop runs to its end});
is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE degraded), min(id) FILTER (WHERE NOT degraded) FROM closes_decision'), '72|71|3', '... as that code is told');
# ... nor one of ours, from which backfill() reads
$node->safe_psql('postgres', q{
	ALTER TABLE closing DISABLE TRIGGER decide;
	INSERT INTO closing SELECT 100 + i, 'pg_assay cursor ' || i % 9 FROM generate_series(1, 90) i});
is($node->safe_psql('postgres', q{CALL assay.backfill('closes', at => NULL, batch => 7, undecided_only => true); CALL assay.backfill('closes', at => NULL, batch => 7); SELECT count(*), min(id) FROM closes_decision WHERE id > 100; SELECT name FROM pg_cursors}),
	'90|101', 'backfill() reads on, too');
$node->stop;
done_testing();
