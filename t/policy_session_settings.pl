# What a session must not see or do by settings of its own: a client that has LOG or
# plans shown to it, a session or a subscription's worker for which triggers don't fire.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('session');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', 'log_statement = none');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE ROLE owner; CREATE ROLE ingest; GRANT CREATE ON SCHEMA public TO owner;
	SET ROLE owner;
	CREATE TABLE message (id int PRIMARY KEY, body text);
	GRANT INSERT ON message TO ingest;
	CREATE VIEW signals AS SELECT id, body FROM message;
	SELECT assay.create_policy('p', 'signals', '{id}', prior => -1);
	SELECT assay.create_detector('p', 'secret-detector', $$1 / length(body) > 0 AND body <> 'secret-word'$$, weight => 1, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p')});

# What the client is told: bytes of constants are read as text, too.
sub told
{
	my ($role, $sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "SET ROLE $role; SET client_min_messages = log; $sql");
	is($rc, 0, "$role: $sql");
	$err =~ s/:constvalue \d+ \[ ([^]]*) \]/my $b = $1; ":constvalue " . join '', map { chr($_ & 255) } split ' ', $b/ge;
	return $err;
}

my $shown = 'SET debug_print_parse = on; SET debug_print_rewritten = on; SET debug_print_plan = on;';
my $again = told('ingest', "$shown INSERT INTO message VALUES (2, 'a'), (3, '')");
unlike($again, qr/secret|assay_internal|signals/, 'no query of the policy is shown');
is(() = $again =~ /LOG:  plan:/g, 1, 'but the statement of the session itself');
is($node->safe_psql('postgres', q{SELECT count(*), string_agg(DISTINCT detector, ',') FROM assay.fault}), '1|secret-detector', 'and a detector failed');
# Plans of nested statements are written with LOG, too.
SKIP:
{
	my $explain = q{LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET auto_explain.log_verbose = on;};
	my ($there) = $node->psql('postgres', $explain);
	skip 'this PostgreSQL has no auto_explain', 8 if $there != 0;
	foreach my $case (
		[ 'a row', q{INSERT INTO message VALUES (10, 'a')} ],
		[ 'rows, of which one fails', q{INSERT INTO message VALUES (11, 'a'), (12, '')} ])
	{
		my ($what, $sql) = @$case;
		my $since = -s $node->logfile;
		my ($rc, $out, $err) = $node->psql('postgres', "$explain SET ROLE ingest; SET client_min_messages = debug1; $sql");
		is($rc, 0, "$what, explained");
		unlike($err, qr/secret|assay_internal|signals|p_decision/, 'no plan of the policy is shown');
		is(() = $err =~ /^Query Text: /mg, 1, 'but the one of the statement itself');
		like(slurp_file($node->logfile, $since), qr/^\s*Query Text: .*signals/m, 'the log has all');
	}
}
$node->safe_psql('postgres', 'DROP VIEW signals CASCADE');
is(told('ingest', q{INSERT INTO message VALUES (4, 'a')}), '', 'who inserts is not told what the policy lacks');
like(slurp_file($node->logfile), qr/LOG:  policy "p" decides without the signals: signals view/, 'the log is');

# A privilege on all tables, and no triggers of origin
$node->safe_psql('postgres', q{
	CREATE ROLE writer LOGIN; GRANT pg_write_all_data TO writer; GRANT SET ON PARAMETER session_replication_role TO writer;
	CREATE ROLE stranger; GRANT SET ON PARAMETER session_replication_role TO stranger;
	CREATE TABLE sent (id bigint PRIMARY KEY, sender text NOT NULL, received_at timestamptz NOT NULL);
	SELECT assay.create_baseline('by_sender', source => 'sent', key => '{sender}', at => 'received_at', incremental => true), assay.create_list('names')});
foreach my $case (
	['writer', q{UPDATE assay.baseline SET extra = '{"ran": {"aggregate": "max(pg_temp.evil())", "rollup": "pg_catalog.max"}}'}],
	['writer', q{INSERT INTO assay_internal.detector (policy, detector, from_revision, condition, weight, mode, rollout) VALUES ('p', 'planted', 1, 'true', 9, 'live', 1)}],
	['writer', q{DELETE FROM assay_internal.detector}],
	['writer', q{UPDATE assay.named_set SET owner = 'writer'}],
	['stranger', q{INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout) VALUES ('p', 'planted', 1, 'true', 9, 'live', 1)}])
{
	my ($role, $sql) = @$case;
	my ($rc, $out, $err) = $node->psql('postgres', "SET ROLE $role; SET session_replication_role = replica; $sql");
	like($err, qr/ERROR:  (permission denied|must be|new row)/, "$role: $sql");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
	WHERE c.relnamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace) AND c.relkind = 'r' AND t.tgname IN ('check_right', 'owner_writes') AND t.tgenabled <> 'A'}),
	0, 'what guards tables does it in every session');
is($node->safe_psql('postgres', q{SELECT string_agg(c.oid::regclass::text, ',') FROM pg_class c
	WHERE c.relnamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace) AND c.relkind = 'r'
	AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname IN ('check_right', 'owner_writes', 'owner_applies') AND t.tgtype & 1 = 1 AND t.tgenabled IN ('A', 'R'))}),
	'', 'and each row that a worker applies');

# A subscription that runs as its owner
SKIP:
{
	skip 'subscriptions run as their owner from 16 on', 2 if $node->pg_version < 16;
	# names that come are looked up before any trigger sees the row
	$node->safe_psql('postgres', 'CREATE TABLE planted ()');
	$node->safe_psql('postgres', 'CREATE DATABASE far');
	$node->safe_psql('far', q{
		CREATE EXTENSION pg_assay;
		CREATE TABLE sent (id bigint PRIMARY KEY, sender text NOT NULL, received_at timestamptz NOT NULL);
		CREATE PUBLICATION planted FOR TABLE assay.baseline;
		SELECT pg_create_logical_replication_slot('planted', 'pgoutput')});
	$node->safe_psql('postgres', sprintf(q{
		CREATE SUBSCRIPTION planted CONNECTION '%s dbname=far' PUBLICATION planted
			WITH (create_slot = false, slot_name = planted, copy_data = false, run_as_owner = true, password_required = false, enabled = false);
		GRANT pg_create_subscription TO writer; GRANT CREATE ON DATABASE postgres TO writer;
		ALTER SUBSCRIPTION planted OWNER TO writer; ALTER SUBSCRIPTION planted ENABLE}, $node->connstr =~ s/ ?dbname=\S+//r));
	my $since = -s $node->logfile;
	$node->safe_psql('far', q{SELECT assay.create_baseline('planted', source => 'sent', key => '{sender}', at => 'received_at')});
	ok($node->wait_for_log(qr/ERROR:  permission denied for table "baseline"/, $since), 'its worker is refused');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM assay.baseline}), 1, 'nothing came');
	$node->safe_psql('postgres', q{ALTER SUBSCRIPTION planted DISABLE; ALTER SUBSCRIPTION planted SET (slot_name = NONE); DROP SUBSCRIPTION planted});
}
$node->stop;
done_testing();
