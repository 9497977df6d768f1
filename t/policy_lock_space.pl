# There is no room for another lock in the server: any role can bring that about
# by advisory locks, and so does a dump of thousands of partitions.  Who inserts
# has its message stored as long as there is room for what that takes; a decision
# that can't be written is found by backfill().
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('lock_space');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\nmax_connections = 10");
$node->start;
# More tables than a session has locks outside of the shared table, in 18 too
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (received_at timestamptz DEFAULT now(), id int, PRIMARY KEY (received_at, id));
	CREATE VIEW signals AS SELECT received_at, id FROM message;
	SELECT assay.create_policy('p', 'signals', '{received_at,id}', prior => -1);
	SELECT assay.create_policy('parts', 'signals', '{received_at,id}', prior => -1, partition => 'month');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
	CREATE TRIGGER decide_parts AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('parts');
	DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE TABLE other_%s ()', i); END LOOP; END $$;
	CREATE PROCEDURE hold_others(n int) LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..n LOOP EXECUTE format('SELECT FROM other_%s', i); END LOOP; END $$;
	CREATE PROCEDURE hold_message() LANGUAGE sql SECURITY DEFINER SET session_replication_role = replica AS 'INSERT INTO message (id) VALUES (0)';
	CREATE ROLE ingest LOGIN;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO ingest;
	GRANT INSERT ON message TO ingest;
	CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1..1000000 LOOP PERFORM pg_advisory_lock(i); END LOOP;
	EXCEPTION WHEN out_of_memory THEN NULL;
	END $$});
$node->append_conf('postgresql.conf', 'max_locks_per_transaction = 10');
$node->restart;

sub value { return $node->safe_psql('postgres', $_[0]) }

# As many as do not fit into what each session has for itself
my $own = value(q{SELECT CASE WHEN current_setting('server_version_num')::int >= 180000 THEN 32 ELSE 16 END});
my $filler = $node->background_psql('postgres');
my $next = 1;
foreach my $case ([1, 'postgres'], [20, 'postgres'], [1, 'ingest'])
{
	my ($rows, $role) = @$case;
	my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', $role ]);
	$session->query("INSERT INTO message (id) SELECT generate_series(-$rows, -1)") foreach 1 .. 3;
	# What storing the message takes is had, or left (its index is locked anew by each statement), and nothing else
	$session->query("BEGIN; CALL hold_others($own); CALL hold_message()");
	$filler->query('CALL fill(); SELECT pg_advisory_unlock(1)');
	my ($to, $after) = ($next + $rows - 1, $next + $rows);
	$session->query("INSERT INTO message (id) SELECT generate_series($next, $to)");
	$session->query("INSERT INTO message (id) VALUES ($after)");
	$filler->query('SELECT pg_advisory_unlock_all()');
	$session->query('COMMIT');
	$session->quit;
	is(value("SELECT count(*) FROM message WHERE id BETWEEN $next AND $after"), $rows + 1, "$rows and 1 of $role: stored");
	$next = $after + 1;
}

# Signals that are logged may be too long for a row: what holds them takes locks, too
value(q{
	CREATE TABLE wide (id int PRIMARY KEY, body text);
	CREATE VIEW wide_signals AS SELECT id, CASE WHEN body = 'long' THEN (SELECT string_agg(sha256(i::text::bytea)::text, '') FROM generate_series(1, 200) i) END AS body FROM wide;
	SELECT assay.create_policy('wide', 'wide_signals', '{id}', prior => -1, log_signals => true);
	CREATE TRIGGER decide AFTER INSERT ON wide REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('wide');});
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query("INSERT INTO wide VALUES (-$_, 'short')") foreach 1 .. 4;
$session->query("BEGIN; CALL hold_others($own); INSERT INTO wide VALUES (1, 'short')");
# for the indexes of both tables, which are locked anew
$filler->query('CALL fill(); SELECT pg_advisory_unlock(1), pg_advisory_unlock(2)');
$session->query("INSERT INTO wide VALUES (2, 'long')");
$filler->query('SELECT pg_advisory_unlock_all()');
$session->query('COMMIT');
$session->quit;
is(value('SELECT count(*) FROM wide WHERE id > 0'), 2, 'a message with long signals: stored');
$filler->quit;

# Where changes are decoded, each decision is written under a lock of its own: whichever of all that a decision takes is not to be had
$node->append_conf('postgresql.conf', 'wal_level = logical');
$node->restart;
$filler = $node->background_psql('postgres');
my $lost = '';
foreach my $free (1 .. 8)
{
	my $to = 10 * $free + 4;
	$session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query("INSERT INTO wide VALUES (-$free * 10 - $_, 'short')") foreach 1 .. 3;
	$session->query("BEGIN; CALL hold_others($own); LOCK wide IN ROW EXCLUSIVE MODE; SELECT txid_current()");
	$filler->query("CALL fill(); SELECT count(pg_advisory_unlock(i)) FROM generate_series(1, $free) i");
	$session->query("INSERT INTO wide SELECT i, 'short' FROM generate_series(10 * $free, $to) i");
	$filler->query('SELECT pg_advisory_unlock_all()');
	$session->query('COMMIT');
	$session->quit;
	$lost .= " $free" if value("SELECT count(*) FROM wide WHERE id BETWEEN 10 * $free AND $to") != 5;
}
is($lost, '', 'stored, with room for so many locks');
cmp_ok(value('SELECT count(*) FROM wide_decision WHERE id >= 80'), '>', 0, 'decided in the end');
$filler->quit;
foreach my $policy ('p', 'parts', 'wide')
{
	cmp_ok(value("SELECT count(*) FROM assay.undecided('$policy')"), '>', 0, "$policy: some are undecided");
	value("CALL assay.backfill('$policy', at => NULL)");
	is(value("SELECT count(*) FROM assay.undecided('$policy')"), '0', "$policy: until backfill()");
}
$node->stop;
done_testing();
