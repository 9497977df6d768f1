# Messages that arrive by logical replication: decided by the worker that applies
# them, whatever fails, in its first copy, in transactions that are streamed (from
# 16 on by workers of their own), prepared, or partly rolled back.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $pub = PostgreSQL::Test::Cluster->new('apply_pub');
$pub->init(allows_streaming => 'logical');
$pub->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nlogical_decoding_work_mem = '64kB'\nmax_prepared_transactions = 10");
$pub->start;
my $sub = PostgreSQL::Test::Cluster->new('apply_sub');
$sub->init(allows_streaming => 'logical');
$sub->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nmax_prepared_transactions = 10\nwal_retrieve_retry_interval = '200ms'");
$sub->start;

my $tables = q{
	CREATE ROLE mail;
	GRANT ALL ON SCHEMA public TO mail;
	SET ROLE mail;
	CREATE TABLE message (id int PRIMARY KEY, txt text);
	CREATE TABLE parts (day int, id int, txt text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
	CREATE TABLE parts_2 (id int NOT NULL, txt text, day int NOT NULL);
	ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (20);
	RESET ROLE;
};
$pub->safe_psql('postgres', "$tables
	INSERT INTO message SELECT i, 'first ' || i FROM generate_series(1, 300) i;
	INSERT INTO parts SELECT i % 20, i, 'first ' || i FROM generate_series(1, 300) i;
	CREATE PUBLICATION mail FOR TABLE message, parts");
$sub->safe_psql('postgres', "CREATE EXTENSION pg_assay; $tables
	SET ROLE mail;
	CREATE TABLE addends (n int);
	INSERT INTO addends VALUES (1);
	CREATE FUNCTION adds(int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN \$1 + (SELECT max(n) FROM public.addends); END';
	CREATE VIEW signals AS SELECT id, txt, length(txt) AS n FROM message;
	CREATE VIEW parts_signals AS SELECT day, id, txt FROM parts;
	SELECT assay.create_policy('p', 'signals', '{id}', prior => -1, log_signals => true);
	SELECT assay.create_detector('p', 'd', 'public.adds(id) % 3 = 0', weight => 3, mode => 'live');
	SELECT assay.create_policy('q', 'parts_signals', '{day,id}', prior => -1);
	SELECT assay.create_detector('q', 'd', 'day % 2 = 0', weight => 3, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message FOR EACH ROW EXECUTE FUNCTION assay.decide('p');
	CREATE TRIGGER decide AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION assay.decide('q');
	ALTER TABLE message ENABLE ALWAYS TRIGGER decide;
	ALTER TABLE parts ENABLE REPLICA TRIGGER decide");
my $streaming = $sub->safe_psql('postgres', 'SHOW server_version_num') >= 160000 ? 'parallel' : 'on';
my $from = $pub->connstr . ' dbname=postgres';
$sub->safe_psql('postgres', "CREATE SUBSCRIPTION mail CONNECTION '$from' PUBLICATION mail WITH (streaming = $streaming, two_phase = true, disable_on_error = true)");
$sub->wait_for_subscription_sync($pub, 'mail');

sub value { return $sub->safe_psql('postgres', $_[0]) }

# Stored, undecided, wrong, of p and of q
sub state_of
{
	$pub->wait_for_catchup('mail');
	return value(q{
		SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM assay.undecided('p')),
		(SELECT count(*) FROM signals s LEFT JOIN p_verdict v USING (id), assay.score('p', s) x WHERE (v.verdict, v.score, v.degraded) IS DISTINCT FROM (x.verdict, x.score, false)),
		(SELECT count(*) FROM parts), (SELECT count(*) FROM assay.undecided('q')),
		(SELECT count(*) FROM parts_signals s LEFT JOIN q_verdict v USING (day, id), assay.score('q', s) x WHERE (v.verdict, v.score, v.degraded) IS DISTINCT FROM (x.verdict, x.score, false))});
}

is(state_of(), '300|0|0|300|0|0', 'the first copy');

sub check { return value("SELECT detail, hint FROM assay.check('p') WHERE \"check\" = 'trigger'") }
value('ALTER TABLE message DISABLE TRIGGER decide');
is(check(), 'trigger decide on public.message is disabled: messages stay undecided|ALTER TABLE public.message ENABLE ALWAYS TRIGGER decide;',
	'what enables it for messages that come so');
value('ALTER TABLE message ENABLE TRIGGER decide');
like(check(), qr/^public.message is filled by replication, which fires row triggers that are enabled always only\|/, 'enabled for others only');
value('ALTER TABLE message ENABLE ALWAYS TRIGGER decide');
is(check(), '', 'enabled for both');
$pub->safe_psql('postgres', q{
	BEGIN;
	INSERT INTO message SELECT i, repeat('large ' || i, 50) FROM generate_series(1001, 3000) i;
	SAVEPOINT a;
	INSERT INTO message SELECT i, repeat('gone ' || i, 50) FROM generate_series(3001, 5000) i;
	ROLLBACK TO a;
	INSERT INTO parts SELECT i % 20, i, repeat('large ' || i, 50) FROM generate_series(1001, 3000) i;
	SAVEPOINT b;
	INSERT INTO message SELECT i, repeat('kept ' || i, 50) FROM generate_series(5001, 6000) i;
	COMMIT});
is(state_of(), '3300|0|0|2300|0|0', "streaming = $streaming, a part of it rolled back");
$pub->safe_psql('postgres', q{DELETE FROM message WHERE id <= 300; INSERT INTO message SELECT i, 'again ' || i FROM generate_series(1, 300) i});
is(state_of(), '3300|0|0|2300|0|0', 'keys that come again');

# prepared, and committed after a restart
$pub->safe_psql('postgres', q{BEGIN; INSERT INTO message SELECT i, repeat('prepared ' || i, 50) FROM generate_series(6001, 8000) i; PREPARE TRANSACTION 'large';
	BEGIN; INSERT INTO message VALUES (8001, 'small'); PREPARE TRANSACTION 'small'});
$pub->wait_for_catchup('mail');
is(value('SELECT count(*) FROM pg_prepared_xacts'), '2', 'prepared');
$sub->stop('immediate');
$sub->start;
$pub->safe_psql('postgres', q{COMMIT PREPARED 'small'});
$pub->safe_psql('postgres', q{COMMIT PREPARED 'large'});
is(state_of(), '5301|0|0|2300|0|0', 'and committed after a crash');

# what fails
value('ALTER TABLE addends RENAME TO gone');
$pub->safe_psql('postgres', q{INSERT INTO message SELECT i, 'fails ' || i FROM generate_series(9001, 9300) i});
$pub->wait_for_catchup('mail');
is(value(q{SELECT count(*) FILTER (WHERE degraded), count(*) FROM p_verdict WHERE id > 9000}), '300|300', 'a detector fails');
value('ALTER TABLE gone RENAME TO addends');
value('REVOKE ALL ON SCHEMA public FROM mail; ALTER TABLE p_decision RENAME COLUMN verdict TO word');
$pub->safe_psql('postgres', q{INSERT INTO message SELECT i, 'fails ' || i FROM generate_series(9301, 9400) i});
$pub->wait_for_catchup('mail');
value('GRANT ALL ON SCHEMA public TO mail; ALTER TABLE p_decision RENAME COLUMN word TO verdict');
is(value(q{SELECT count(*) FROM assay.undecided('p')}), '100', 'the decision table is not what it was');
is(value(q{SELECT subenabled FROM pg_subscription}), 't', 'the subscription goes on');
value(q{SELECT assay.alter_policy('p')});
value(q{CALL assay.backfill('p', at => NULL)});
is(state_of(), '5701|0|0|2300|0|0', 'backfill()');

# A transaction that has sent a notification could not be prepared: nobody is told of these decisions
value(q{SELECT assay.alter_policy('p', notify => '{safe,suspicious,malicious}')});
$pub->safe_psql('postgres', q{BEGIN; INSERT INTO message VALUES (9501, 'told'); PREPARE TRANSACTION 'told'});
$sub->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_prepared_xacts}) or die 'not prepared';
is(value(q{SELECT subenabled FROM pg_subscription}), 't', 'the subscription goes on');
$pub->safe_psql('postgres', q{COMMIT PREPARED 'told'});
is(state_of(), '5702|0|0|2300|0|0', 'a prepared transaction whose decision is told of');
$sub->stop;
$pub->stop;
done_testing();
