# A backfill is killed in the middle, its backend and the whole server, and two
# run at once: each message has exactly one decision for the revision.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use AssayServer;

my $node = PostgreSQL::Test::Cluster->new('backfill');
$node->init;
# Another default than the backfill needs
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\nrestart_after_crash = on\ndefault_transaction_isolation = 'serializable'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id bigint PRIMARY KEY, received_at timestamptz, n int);
	CREATE UNLOGGED TABLE crash AS SELECT 'none yet' AS seen;
	INSERT INTO message SELECT i * 7919 % 40009, timestamptz '2024-01-01' + i * interval '1 min', i % 100 FROM generate_series(1, 40000) i;
	-- at these messages a session with the lock of that number can stop a backfill
	CREATE FUNCTION gate(id bigint, n int) RETURNS int LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(id); RETURN n; END $$;
	CREATE VIEW signals AS SELECT id, received_at, CASE WHEN id IN (10000, 25000) THEN gate(id, n) ELSE n END AS n FROM message;
	SELECT assay.create_policy('back', 'signals', '{id}', prior => -1);
	SELECT assay.create_detector('back', 'a', 'n % 3 = 0', weight => 2, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('back');
});

sub backfill
{
	my ($args) = @_;
	return IPC::Run::start(
		[ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c', "CALL assay.backfill('back', batch => 500$args)" ],
		'>', \my $out, '2>', \my $err);
}

# wait until some batches are committed, and not all
sub wait_for_batches
{
	my ($more_than) = @_;
	for (1 .. 3000)
	{
		my $n = $node->safe_psql('postgres', q{SELECT coalesce(sum(batches), 0) FROM assay.backfill_run});
		return $n if $n > $more_than;
		usleep(5_000);
	}
	die 'no batch was done';
}

# those that run; parallel workers show the query of their leader
my $backfills = q{pg_stat_activity WHERE backend_type = 'client backend' AND query LIKE 'CALL assay.backfill%'};

# begin one that stops at a message
sub stopped_at
{
	my ($id) = @_;
	my $gate = $node->background_psql('postgres', on_error_stop => 0);
	$gate->query_safe("SELECT pg_advisory_lock($id)");
	my $run = backfill('');
	$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) or die "it does not come to message $id";
	return ($gate, $run);
}

my $check = sub {
	my ($what) = @_;
	is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT FROM back_decision GROUP BY id, revision HAVING count(*) > 1) t}), '0', "$what: none twice");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM back_decision d LEFT JOIN message m USING (id) WHERE m.id IS NULL}), '0', "$what: none without message");
};

# the backend is terminated
my ($gate, $run) = stopped_at(10000);
is($node->safe_psql('postgres', "SELECT count(pg_terminate_backend(pid)) FROM $backfills"), '1', 'terminated');
$run->finish;
$gate->quit;
my $decided = $node->safe_psql('postgres', 'SELECT count(*) FROM back_decision');
ok($decided > 0 && $decided < 40000, "stopped in the middle ($decided)");
is($node->safe_psql('postgres', q{SELECT string_agg(state || ' ' || decided, ',') FROM assay.backfill_progress}), "interrupted $decided", 'progress says so');
$check->('terminated');

# the backend is killed, and the server with it
($gate, $run) = stopped_at(25000);
my $pid = $node->safe_psql('postgres', "SELECT pid FROM $backfills");
kill 'KILL', $pid;
$run->finish;
ok(recovered($node, 'crash'), 'recovered');
eval { $gate->quit };
my $resumed = $node->safe_psql('postgres', 'SELECT count(*) FROM back_decision');
cmp_ok($resumed, '>', $decided, "went on ($resumed)");
cmp_ok($resumed, '<', 40000, 'and stopped again');
$check->('killed');

# what comes in meanwhile is decided by the trigger
$node->safe_psql('postgres', q{INSERT INTO message SELECT 100000 + i, now(), i FROM generate_series(1, 1000) i});

# two at once finish it, one of them with another batch
my @both = (backfill(''), backfill(", at => 'received_at'"));
$_->finish for @both;
$check->('resumed');
is($node->safe_psql('postgres', q{SELECT count(*), count(d.id), count(*) FILTER (WHERE d.revision = 2) FROM message LEFT JOIN back_decision d USING (id)}),
	'41000|41000|41000', 'every message has one decision of the revision');
is($node->safe_psql('postgres', q{SELECT count(*), min(state), sum(decided) FROM assay.backfill_progress}), '1|finished|40000', 'in one run, as it counted');
is($node->safe_psql('postgres', q{SELECT count(*) FROM signals s JOIN back_decision d USING (id), assay.score('back', s) x
	WHERE (x.verdict, x.score, x.attribution::text) IS DISTINCT FROM (d.verdict, d.score, d.attribution::text)}), '0', 'as score() says');

# several at once, of different ranges, all over again; the policy changes under them
$node->safe_psql('postgres', q{SELECT assay.alter_detector('back', 'a', weight => 3)});
@both = (backfill(''), backfill(", until => '2024-01-15'"), backfill(", since => '2024-01-10'"));
wait_for_batches($node->safe_psql('postgres', q{SELECT sum(batches) FROM assay.backfill_run WHERE revision = 2}));
$node->safe_psql('postgres', q{SELECT assay.alter_detector('back', 'a', weight => 4)});
$_->finish for @both;
$check->('three');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT round(assay.margin(attribution))) FROM back_decision WHERE revision = 3}), '41000|2', 'all stayed with their revision');
is($node->safe_psql('postgres', q{SELECT sum(decided), count(*) FILTER (WHERE state <> 'finished') FROM assay.backfill_progress WHERE revision = 3}), '41000|0', 'and counted each message once');

# while it runs, progress says so; cancelled, it holds no lock
($gate, $run) = stopped_at(25000);
my $halt = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c', 'LOCK TABLE back_decision IN SHARE MODE; SELECT pg_sleep(600)' ], '>', \my $halt_out, '2>', \my $halt_err);
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'back_decision'::regclass AND mode = 'ShareLock' AND granted}) or die 'the table is not locked';
$gate->quit;
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'back_decision'::regclass AND NOT granted}), 'it waits');
is($node->safe_psql('postgres', q{SELECT string_agg(state, ',') FROM assay.backfill_progress WHERE revision = 4 AND state <> 'finished'}), 'running', 'and runs');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LOCK TABLE%'});
$halt->finish;
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM $backfills");
$run->finish;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE classid = 'assay_internal.backfill_run'::regclass}), '0', 'no lock is left');
$node->safe_psql('postgres', q{CALL assay.backfill('back')});
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT id) FROM back_decision WHERE revision = 4}), '41000|41000', 'complete');

# Who writes messages is waited for, though not for ever: it says so, and goes on.
$node->safe_psql('postgres', q{SELECT assay.alter_policy('back')});
my $writer = $node->background_psql('postgres');
$writer->query_safe('BEGIN; INSERT INTO message VALUES (200000, now(), 1)');
my $begun = time;
my ($result, undef, $told) = $node->psql('postgres', q{CALL assay.backfill('back')});
cmp_ok(time - $begun, '>=', 9, 'ten seconds for who writes');
is($result, 0, '... and no longer');
is(scalar(() = $told =~ /1 transaction that writes messages has not ended/g), 1, 'it says so once');
$writer->query_safe('COMMIT');
$writer->quit;
is($node->safe_psql('postgres', q{SELECT count(*), count(d.id) FROM message m LEFT JOIN back_decision d ON d.id = m.id AND d.revision = 5}), '41001|41001', 'and all are decided');

# A decision of two thousand million transactions ago was there when a batch began: its key has come again since.
$node->safe_psql('postgres', 'UPDATE pg_database SET datallowconn = true');
$node->safe_psql('postgres', q{ALTER TABLE message DISABLE TRIGGER decide; DELETE FROM message WHERE id = 200000; INSERT INTO message VALUES (200000, now(), 0);
	ALTER TABLE message ENABLE TRIGGER decide; INSERT INTO assay_internal.reused_key (policy, key, at) VALUES ('back', '{200000}', clock_timestamp())});
foreach my $xid (1_500 * 1_048_576, 3_000 * 1_048_576)
{
	$node->safe_psql($_, 'VACUUM FREEZE') foreach qw(postgres template1 template0);
	$node->stop;
	my $segment = $node->data_dir . sprintf('/pg_xact/%04X', $xid / 1_048_576);
	append_to_file($segment, "\0" x 262_144);
	command_ok([ 'pg_resetwal', '-x', $xid, $node->data_dir ], 'transactions pass');
	$node->start;
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM assay.undecided('back')}), '1', 'undecided');
$node->safe_psql('postgres', q{CALL assay.backfill('back', undecided_only => true)});
is($node->safe_psql('postgres', q{SELECT count(*) FROM assay.undecided('back')}), '0', 'decided');
is($node->safe_psql('postgres', q{SELECT count(*) FROM back_decision d, assay.margin(d.attribution) WHERE id = 200000 AND revision = 5 AND margin > 0}), '1', 'as the later message');
$node->stop;
done_testing();
