# Another session holds what a message's decision needs: the decision table (an
# index is made on it, it is rewritten), a partition, the faults, or a table that
# the signals view reads.  The message is stored, in less time than the session
# gives a statement, and found by backfill().
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('locked');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE known (id int PRIMARY KEY);
	CREATE FUNCTION impatient(int) RETURNS bigint LANGUAGE sql SET lock_timeout = '10ms' RETURN (SELECT count(*) FROM known WHERE id = $1);
	CREATE TABLE message (id int PRIMARY KEY);
	CREATE VIEW signals AS SELECT id, EXISTS (SELECT FROM known k WHERE k.id = m.id) AS known FROM message m;
	SELECT assay.create_policy('p', 'signals', '{id}', prior => -1);
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
	CREATE TABLE other (id int PRIMARY KEY);
	CREATE VIEW other_signals AS SELECT id, impatient(id) AS n FROM other;
	SELECT assay.create_policy('o', 'other_signals', '{id}', prior => -1);
	CREATE TRIGGER decide AFTER INSERT ON other REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('o')});

my $holder = $node->background_psql('postgres');
my $next = 0;

sub value { return $node->safe_psql('postgres', $_[0]) }

# A statement of a session that has decided before (warm), and one of a new one
sub stored_while_locked
{
	my ($lock, $table, $warm, $values, $n) = @_;
	my $before = value("SELECT count(*) FROM $table");
	$holder->query_safe("BEGIN; $lock");
	my $session = $warm ? $warm : $node->background_psql('postgres', on_error_stop => 0);
	$session->query("SET statement_timeout = '12s'");
	$session->query("INSERT INTO $table $values");
	$holder->query_safe('COMMIT');
	is(value("SELECT count(*) FROM $table"), $before + $n, ($warm ? 'known' : 'new') . " session, $lock: stored");
	$session->quit unless $warm;
}

my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('INSERT INTO message VALUES (-1); INSERT INTO message VALUES (-2); INSERT INTO other VALUES (-1)');
foreach my $lock ('LOCK p_decision IN SHARE MODE', 'LOCK p_decision', 'LOCK known')
{
	foreach my $warm ($session, undef)
	{
		$next++;
		stored_while_locked($lock, 'message', $warm, "VALUES ($next)", 1);
		my $to = $next + 500;
		stored_while_locked($lock, 'message', $warm, "SELECT generate_series($next + 1, $to)", 500);
		$next = $to;
	}
}
# A session without plans waits no longer than the time of a message for who holds what they are made of, and does so once,
# be the session's own timeout not much longer.
foreach my $lock ('LOCK p_decision IN SHARE MODE', 'LOCK p_decision', 'LOCK assay_internal.detector')
{
	$holder->query_safe("BEGIN; $lock");
	my $short = $node->background_psql('postgres', on_error_stop => 0);
	$short->query("SET assay.message_budget = '3s'; SET statement_timeout = '6s'; INSERT INTO message SELECT generate_series($next + 1, $next + 2)");
	$holder->query_safe('COMMIT');
	$short->quit;
	is(value("SELECT count(*) FROM message WHERE id > $next"), '2', "new session of little time, $lock: stored");
	$next += 2;
}
# It waits as long as others: a budget.  A policy that wants errors rather waits.
value(q{CREATE TABLE loud (id int PRIMARY KEY);
	CREATE VIEW loud_signals AS SELECT id FROM loud;
	SELECT assay.create_policy('loud', 'loud_signals', '{id}', prior => -1, on_error => 'raise');
	CREATE TRIGGER decide AFTER INSERT ON loud REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('loud')});
foreach my $wait (['message', 'p', '6s'], ['loud', 'loud', '500ms'])
{
	my ($table, $policy, $budget) = @$wait;
	$next++;
	$holder->query_safe("BEGIN; LOCK ${policy}_decision");
	my $new = $node->background_psql('postgres', on_error_stop => 0);
	$new->query_until(qr/begins/, "\\echo begins\nSET assay.message_budget = '$budget'; INSERT INTO $table VALUES ($next);\n");
	$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0}) or die 'it does not come to wait';
	usleep($table eq 'loud' ? 1_500_000 : 4_000_000);
	$holder->query_safe('COMMIT');
	$new->quit;
	is(value("SELECT count(*) FROM ${policy}_decision WHERE id = $next"), '1', "new session, $table: waits for its decision table");
}
# That one's was waited for in vain says nothing of another policy's.
{
	$next++;
	my $other = $node->background_psql('postgres');
	$holder->query_safe('BEGIN; LOCK p_decision');
	$other->query_safe('BEGIN; LOCK o_decision');
	my $new = $node->background_psql('postgres', on_error_stop => 0);
	$new->query("SET assay.message_budget = '100ms'; INSERT INTO message VALUES ($next)");
	$new->query_until(qr/begins/, "\\echo begins\nSET assay.message_budget = '6s'; INSERT INTO other VALUES (-3);\n");
	usleep(500_000);
	$other->query_safe('COMMIT');
	$holder->query_safe('COMMIT');
	$new->quit;
	$other->quit;
	is(value('SELECT count(*) FROM o_decision WHERE id = -3'), '1', 'of another policy: waits for its own');
}
# A row trigger in a session that has plans, though not what the policy is now: the rows behind one that has waited don't.
value(q{CREATE TABLE row (id int PRIMARY KEY);
	CREATE VIEW row_signals AS SELECT id FROM row;
	CREATE FUNCTION even(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 0';
	SELECT assay.create_policy('row', 'row_signals', '{id}', prior => -1);
	SELECT assay.create_detector('row', 'even', 'public.even(id)', weight => 1, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON row FOR EACH ROW EXECUTE FUNCTION assay.decide('row')});
{
	my $warm = $node->background_psql('postgres', on_error_stop => 0);
	$warm->query('INSERT INTO row VALUES (0)');
	value(q{CREATE OR REPLACE FUNCTION even(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 < 1'});
	stored_while_locked('LOCK assay_internal.detector, assay_internal.policy', 'row', $warm, 'SELECT generate_series(1, 100)', 100);
	# The lock is gone: at once, and not after as long as who waits in vain is impatient.
	$holder->query_safe('BEGIN; LOCK assay_internal.detector');
	$warm->query("INSERT INTO row VALUES (101)");
	$holder->query_safe('COMMIT');
	$warm->query("INSERT INTO row VALUES (102)");
	$warm->quit;
	is(value('SELECT array_agg(id ORDER BY id) FROM row_decision'), '{0,102}', 'what comes behind the lock is decided');
}
# Who holds what the view reads takes all the time of a row's statement: it is decided without its signals, as the policy can be read.
value(q{CREATE TABLE brief (id int PRIMARY KEY);
	CREATE VIEW brief_signals AS SELECT id, EXISTS (SELECT FROM known k WHERE k.id = b.id) AS known FROM brief b;
	SELECT assay.create_policy('brief', 'brief_signals', '{id}', prior => -1);
	CREATE TRIGGER decide AFTER INSERT ON brief FOR EACH ROW EXECUTE FUNCTION assay.decide('brief')});
{
	$holder->query_safe('BEGIN; LOCK known');
	my $brief = $node->background_psql('postgres', on_error_stop => 0);
	$brief->query("SET assay.message_budget = '3s'; SET statement_timeout = '2400ms'; INSERT INTO brief VALUES (1)");
	$holder->query_safe('COMMIT');
	$brief->quit;
	is(value('SELECT degraded FROM brief_decision'), 't', 'no time is left: decided without its signals');
}
# A list that a condition asks, and the ledger then for its state
value(q{CREATE TABLE listed (id int PRIMARY KEY);
	CREATE VIEW listed_signals AS SELECT id FROM listed;
	SELECT assay.create_list('bad');
	SELECT assay.create_policy('listed', 'listed_signals', '{id}', prior => -1);
	SELECT assay.create_detector('listed', 'bad', $$assay.in_list('bad', id::text)$$, weight => 1, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON listed REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('listed')});
{
	$holder->query_safe('BEGIN; LOCK assay.named_set');
	my $new = $node->background_psql('postgres', on_error_stop => 0);
	$new->query("SET assay.message_budget = '4s'; SET statement_timeout = '8s'; INSERT INTO listed VALUES (1)");
	$holder->query_safe('COMMIT');
	$new->quit;
	is(value('SELECT count(*) FROM listed'), '1', 'new session, LOCK assay.named_set: stored before its statement_timeout');
}
cmp_ok(value(q{SELECT count(*) FROM assay.undecided('p')}), '>', 0, 'some are undecided');
like(value(q{SELECT string_agg(DISTINCT message, '|') FROM assay.fault}), qr/the decision cannot be written: canceling statement due to lock timeout/, 'and the fault tells');
$session->query('INSERT INTO message VALUES (1000000)');
is(value('SELECT count(*) FROM p_decision WHERE id = 1000000'), '1', 'the lock is gone: decided');
value(q{CALL assay.backfill('p', at => NULL)});
is(value(q{SELECT count(*) FROM assay.undecided('p')}), '0', 'the others by backfill');

# Keys that come again meanwhile have the decision of the message before.
foreach (['LOCK p_decision IN SHARE MODE', $session, 'VALUES (1)', 1], ['LOCK p_decision IN SHARE MODE', undef, 'VALUES (2)', 1],
	['LOCK p_decision', $session, 'SELECT generate_series(3, 40)', 38], ['LOCK p_decision', undef, 'SELECT generate_series(41, 80)', 40])
{
	my ($lock, $warm, $values, $n) = @$_;
	value("DELETE FROM message WHERE id IN ($values)") if $n == 1;
	value('DELETE FROM message WHERE id ' . ($warm ? 'BETWEEN 3 AND 40' : 'BETWEEN 41 AND 80')) if $n > 1;
	stored_while_locked($lock, 'message', $warm, $values, $n);
}
my $undecided = value(q{SELECT count(*), min(key[1]::int), max(key[1]::int), string_agg(DISTINCT reason, '|') FROM assay.undecided('p')});
is($undecided, '80|1|80|not decided: what decided its key is about a message before it', 'a key that comes again is not decided');
my $before = value('SELECT clock_timestamp()');
value(q{CALL assay.backfill('p', at => NULL, undecided_only => true)});
is(value(q{SELECT count(*) FROM assay.undecided('p')}), '0', 'but by backfill');
is(value("SELECT count(*), max(id) FROM p_decision WHERE decided_at > '$before'"), '80|80', 'which leaves all others alone');

# So has one that comes again while a batch of backfill() has decided the message before it, which is not committed yet.
$node->safe_psql('postgres', q{
	CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
	SET session_replication_role = replica; INSERT INTO message VALUES (5000000), (5000001); RESET session_replication_role;
	CREATE TRIGGER waits AFTER INSERT ON p_decision FOR EACH STATEMENT EXECUTE FUNCTION waits()});
my $filler = $node->background_psql('postgres', on_error_stop => 0);
$holder->query_safe('SELECT pg_advisory_lock(1)');
$filler->query_until(qr/begun/, "\\echo begun\nCALL assay.backfill('p', at => NULL, undecided_only => true);\n");
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
value('DELETE FROM message WHERE id = 5000000; INSERT INTO message VALUES (5000000)');
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$filler->query('SELECT 1');
is(value(q{SELECT string_agg(key::text || reason, '|') FROM assay.undecided('p')}), '{5000000}not decided: what decided its key is about a message before it',
	'a key that comes again beside a backfill is not decided by that');
value(q{CALL assay.backfill('p', at => NULL, undecided_only => true)});
is(value(q{SELECT count(*) FROM assay.undecided('p')}), '0', 'but by the next');
value('DROP TRIGGER waits ON p_decision; DELETE FROM message WHERE id >= 5000000; DELETE FROM p_decision WHERE id >= 5000000');
$filler->quit;

# A timeout of a function's own is no timeout of the statement.
stored_while_locked('LOCK known', 'other', $session, 'VALUES (1)', 1);
is(value('SELECT degraded FROM o_decision WHERE id = 1'), 't', 'decided without its signals');
# Faults that can't be kept are no reason to wait.
$node->safe_psql('postgres', 'CREATE OR REPLACE VIEW other_signals AS SELECT id, (1 / (id - id))::bigint AS n FROM other');
stored_while_locked('LOCK assay_internal.fault', 'other', $session, 'VALUES (2)', 1);
is(value('SELECT degraded FROM o_decision WHERE id = 2'), 't', 'decided without its signals');

# Decisions of messages that are gone are held, of every other key that comes again.
$node->safe_psql('postgres', 'INSERT INTO message SELECT generate_series(3000001, 3006000); DELETE FROM message WHERE id > 3000000');
my $rows = 'SELECT count(*) FROM (SELECT FROM p_decision WHERE id > 3000000 AND id % 2 = 0 FOR UPDATE) s';
stored_while_locked($rows, 'message', undef, 'VALUES (3000002)', 1);
stored_while_locked($rows, 'message', $session, 'VALUES (3000004)', 1);
stored_while_locked($rows, 'message', $session, 'SELECT generate_series(3005601, 3006000)', 400);
like(value(q{SELECT string_agg(DISTINCT message, '|') FROM assay.fault WHERE key = '{3000002}'}), qr/the decision cannot be written: canceling statement due to lock timeout/, 'the fault has the key');
is(value(q{SELECT severity FROM assay.check('p') WHERE "check" = 'faults' AND detail ~ 'the decision cannot be written'}), 'error', 'check() tells');
is(value('SELECT count(*) FROM p_decision d WHERE id BETWEEN 3005601 AND 3006000 AND id % 2 = 1 AND decided_at = (SELECT max(decided_at) FROM p_decision WHERE id < 4000000)'), '200',
	'what nobody holds is decided');
# Of many that nobody can write, some are waited for.
stored_while_locked('LOCK p_decision', 'message', $session, 'SELECT generate_series(3100001, 3105000)', 5000);
is(value('SELECT count(*) FROM p_decision WHERE id > 3100000'), '0', 'they stay undecided');
# Nor does a statement wait longer than its session lets it.
$session->query("SET assay.message_budget = '60s'; SET statement_timeout = '8s'");
$holder->query_safe("BEGIN; $rows");
$session->query('INSERT INTO message VALUES (3000006)');
$session->query('RESET assay.message_budget');
$holder->query_safe('COMMIT');
is(value('SELECT count(*) FROM message WHERE id = 3000006'), '1', 'stored before its statement_timeout');
SKIP: {
	skip 'there is no transaction_timeout', 1 if $node->pg_version < 17;
	# one that has not waited yet, and would for longer
	my $patient = $node->background_psql('postgres', on_error_stop => 0);
	$patient->query("SET assay.message_budget = '60s'; SET transaction_timeout = '8s'");
	$holder->query_safe("BEGIN; $rows");
	$patient->query('INSERT INTO message VALUES (3000008)');
	$holder->query_safe('COMMIT');
	$patient->quit;
	is(value('SELECT count(*) FROM message WHERE id = 3000008'), '1', 'stored before its transaction_timeout');
}
# ... where it is assay.fault that is held: the message is decided, and its fault is not kept.
$node->safe_psql('postgres', q{
	CREATE TABLE faulty (id int PRIMARY KEY);
	CREATE VIEW faulty_signals AS SELECT id FROM faulty;
	SELECT assay.create_policy('faulty', 'faulty_signals', '{id}', prior => -1);
	SELECT assay.create_detector('faulty', 'fails', '1 / (id - 1) > 5', weight => 1, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON faulty REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('faulty');
	INSERT INTO faulty VALUES (0)});
my $hasty = $node->background_psql('postgres', on_error_stop => 0);
$hasty->query("SET assay.message_budget = '60s'; SET statement_timeout = '16s'");
$holder->query_safe('BEGIN; LOCK assay_internal.fault');
$hasty->query('INSERT INTO faulty VALUES (1)');
$holder->query_safe('COMMIT');
$hasty->quit;
is(value('SELECT count(*) FROM faulty JOIN faulty_decision USING (id) WHERE id = 1'), '1', 'stored and decided before its statement_timeout');
# Row triggers are called for each row of a statement.
$node->safe_psql('postgres', q{
	CREATE TABLE by_row (id int PRIMARY KEY);
	CREATE VIEW by_row_signals AS SELECT id FROM by_row;
	SELECT assay.create_policy('r', 'by_row_signals', '{id}', prior => -1);
	CREATE TRIGGER decide AFTER INSERT ON by_row FOR EACH ROW EXECUTE FUNCTION assay.decide('r')});
$session->query('INSERT INTO by_row VALUES (-1)');
$session->query('INSERT INTO by_row VALUES (-2)');
stored_while_locked('LOCK r_decision', 'by_row', $session, 'SELECT generate_series(1, 2000)', 2000);
$session->query('INSERT INTO by_row VALUES (0)');
is(value('SELECT count(*) FROM r_decision WHERE id = 0'), '1', 'the lock is gone: decided');

# Who may lock the configuration (a superuser, pg_maintain) holds sessions that have decided nothing yet.
# (One fault of a policy and SQLSTATE is kept in an interval: not those from above.)
value('DELETE FROM assay_internal.fault');
foreach (['LOCK assay_internal.policy', 'message', 'VALUES (4000001)', 1], ['LOCK assay_internal.policy', 'message', 'SELECT generate_series(4000002, 4000600)', 599],
	['LOCK assay_internal.policy', 'by_row', 'SELECT generate_series(4000001, 4000500)', 500], ['LOCK assay_internal.revision', 'message', 'VALUES (4000601)', 1],
	['LOCK assay_internal.detector', 'message', 'VALUES (4000602)', 1], ['LOCK r_decision', 'by_row', 'SELECT generate_series(4002001, 4002500)', 500])
{
	my ($lock, $table, $values, $n) = @$_;
	stored_while_locked($lock, $table, undef, $values, $n);
}
is(value(q{SELECT count(*) FILTER (WHERE message ~ 'the policy cannot be read: canceling statement due to lock timeout') FROM assay.fault}), '1', 'and the fault tells, where it can be kept');
is(value(q{SELECT (SELECT count(*) FROM assay.undecided('p') WHERE key[1]::int > 4000000) || ' ' || (SELECT count(*) FROM assay.undecided('r') WHERE key[1]::int > 4000000)}), '602 1000', 'undecided');
stored_while_locked('LOCK assay_internal.policy', 'message', $session, 'VALUES (4000603)', 1);
is(value('SELECT count(*) FROM p_decision WHERE id = 4000603'), '1', 'who has decided before goes on');

# One table after the other is held, none of them for too long: it is the message's time that ends.
my @holders = map { $node->background_psql('postgres') } 1 .. 3;
my @tables = qw(policy revision retention);
foreach (0 .. 2) { $holders[$_]->query_safe("BEGIN; LOCK assay_internal.$tables[$_]") }
my $told = $node->background_psql('postgres', on_error_stop => 0);
$told->query("SET assay.message_budget = '6s'");
$told->query_until(qr/begun/, "\\echo begun\nINSERT INTO message VALUES (4000604);\n");
foreach (0 .. 2)
{
	$node->poll_query_until('postgres', qq{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'assay_internal.$tables[$_]'::regclass AND NOT granted}) or die 'it does not come to wait' if $_ == 0;
	usleep(2_500_000) if $_ < 2;
	$told->query('SELECT 1') if $_ == 2;
	$holders[$_]->query_safe('COMMIT');
	$holders[$_]->quit;
}
$told->quit;
is(value('SELECT count(*) FROM message WHERE id = 4000604'), '1', 'stored where the configuration is read for longer than the time of a message');

# Another transaction's decision about the same key is waited for as long.
$node->safe_psql('postgres', q{
	CREATE TABLE loose (id int);
	CREATE VIEW loose_signals AS SELECT DISTINCT id FROM loose;
	SELECT assay.create_policy('l', 'loose_signals', '{id}', prior => -1);
	CREATE TRIGGER decide AFTER INSERT ON loose REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('l')});
$session->query('INSERT INTO loose VALUES (1)');
foreach ([ '60s', 0, 'and replaced then' ], [ '100ms', 1, 'and told of' ])
{
	my ($budget, $faults, $what) = @$_;
	$holder->query_safe('BEGIN; INSERT INTO loose VALUES (2)');
	$session->query("SET statement_timeout = 0; SET assay.message_budget = '$budget'");
	$session->query_until(qr/begun/, "\\echo begun\nINSERT INTO loose VALUES (2);\n");
	# it waits, and for longer than it does by default; or has waited
	$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query ~ '^INSERT INTO loose' AND } . ($faults ? q{state = 'idle'} : 'cardinality(pg_blocking_pids(pid)) > 0')) or die 'it does not come to wait';
	sleep 2 if !$faults;
	$holder->query_safe('COMMIT');
	$session->query('SELECT 1');
	is(value(q{SELECT count(*) FROM assay.fault WHERE policy = 'l'}), $faults, $what);
}

# Four messages have the key, and a decision that is older than the one refused.
is(value(q{SELECT string_agg(key::text, ' ') FROM assay.undecided('l')}), '{2} {2} {2} {2}', 'and undecided');
value(q{CALL assay.backfill('l', at => NULL, undecided_only => true)});
is(value(q{SELECT count(*) FROM assay.undecided('l')}), '0', 'but by backfill');

# Another session's temporary table can't be read: its messages are its own.
$holder->query_safe(q{CREATE TEMP TABLE mine () INHERITS (loose);
	CREATE TRIGGER decide AFTER INSERT ON mine REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('l'); INSERT INTO mine VALUES (3)});
value(q{ALTER TABLE loose DISABLE TRIGGER decide; INSERT INTO loose VALUES (4)});
is(value(q{SELECT string_agg(key::text, ' ') FROM assay.undecided('l')}), '{4}', 'undecided() goes by what can be read');

# Who has rewritten a baseline's table (ALTER TABLE) has left it empty for snapshots from before: a message that waits for it is
# decided by what is in it.
$node->safe_psql('postgres', q{
	CREATE TABLE mail (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), sender text);
	INSERT INTO mail (at, sender) SELECT now() - i * interval '1 day', 's' FROM generate_series(1, 50) i;
	SELECT assay.create_baseline('sender', 'mail', '{sender}', 'at', incremental => true, arrival => 'id');
	CREATE VIEW mail_signals AS SELECT m.id, coalesce(assay.events(a.history), 0) AS closed, coalesce(assay.events(l.history), 0) AS live FROM mail m
		LEFT JOIN LATERAL assay.as_of(NULL::sender, m.at, m.sender) a ON true LEFT JOIN LATERAL assay.live_as_of(NULL::sender, m.at, m.id, m.sender) l ON true;
	SELECT assay.create_policy('m', 'mail_signals', '{id}', prior => 0);
	SELECT assay.create_detector('m', 'closed', 'closed > 40', weight => 1, mode => 'live');
	SELECT assay.create_detector('m', 'live', 'live > 40', weight => 2, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON mail REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('m')});
$session->query("SET assay.message_budget = '60s'; INSERT INTO mail (sender) VALUES ('s'); INSERT INTO mail (sender) VALUES ('s')");
foreach my $sql (q{INSERT INTO mail (sender) VALUES ('s')}, q{INSERT INTO mail (sender) VALUES ('s'), ('s')}, q{SELECT count(*) FROM mail_signals s, assay.score('m', s) x WHERE x.score < 0.95 AND id > 50})
{
	$holder->query_safe('BEGIN; ALTER TABLE sender SET ' . ($sql =~ /,/ ? 'LOGGED' : 'UNLOGGED'));
	$session->query_until(qr/begun/, "\\echo begun\n$sql;\n");
	$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query ~ 'mail' AND cardinality(pg_blocking_pids(pid)) > 0}) or die 'it does not come to wait';
	$holder->query_safe('COMMIT');
	like($session->query('SELECT NULL'), qr/^0?\s*$/, 'scored by what is in a rewritten baseline') if $sql =~ /SELECT/;
	$session->query('SELECT 1');
}
is(value('SELECT count(*), count(*) FILTER (WHERE d.score > 0.95 AND NOT d.degraded) FROM m_verdict d'), '5|5', 'decided by what is in a rewritten baseline');

# Whose catalogue row alone has changed since the snapshot is read by it, as the registry and the messages are: else what was
# refreshed since counts twice.  One that was rewritten and refreshed is read with the registry and the messages of now.
my $histories = q{SELECT a.n, assay.events(l.history) FROM assay.live_as_of(NULL::sender, now(), 1000000000::bigint, 's'::text) l,
	LATERAL (SELECT assay.events(history) AS n FROM assay.as_of(NULL::sender, now(), 's'::text)) a};
foreach my $change ('GRANT SELECT ON sender TO public', 'ALTER TABLE sender SET UNLOGGED', 'ALTER TABLE mail SET UNLOGGED')
{
	$node->safe_psql('postgres', q{INSERT INTO mail (at, sender) SELECT now() - i * interval '1 day 1 minute', 's' FROM generate_series(1, 20) i});
	my ($closed, $all) = split /\|/, value($histories);
	$session->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	$node->safe_psql('postgres', "INSERT INTO mail (at, sender) SELECT now() - i * interval '1 day 2 minutes', 's' FROM generate_series(1, 20) i");
	$node->safe_psql('postgres', "$change; SELECT assay.refresh_baseline('sender')");
	my $seen = $session->query("$histories; COMMIT");
	my ($closed_now, $all_now) = split /\|/, value($histories);
	is($seen, join('|', $change =~ /sender SET/ ? $closed_now : $closed, $change =~ /SET/ ? $all_now : $all), "read by a snapshot that is older: $change");
}

$session->quit;
$holder->quit;
$node->stop;
done_testing();
