# onboard() is killed at each of its steps, and goes on when it is called again;
# three statements from a table of messages to a live policy with a report, for a
# tenant that comes later none; the SQL of docs/onboarding.md runs as written.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use AssayServer;

my $node = PostgreSQL::Test::Cluster->new('onboard');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\nrestart_after_crash = on\n");
$node->start;
my $sql = sub { return $node->safe_psql('postgres', $_[0]); };

$sql->(q{
	CREATE EXTENSION pg_assay_email CASCADE;
	CREATE UNLOGGED TABLE crash (a int);
	CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id text, received_at timestamptz NOT NULL, from_addr text, from_name text,
		from_domain text, recipients text[], subject text, body_text text, malicious boolean);
	CREATE FUNCTION fill(tenant text, n int) RETURNS void LANGUAGE sql AS $$
		INSERT INTO message (tenant_id, received_at, from_addr, from_name, from_domain, recipients, subject, body_text, malicious)
		SELECT tenant, timestamptz '2024-03-01' + i * interval '20 minutes', CASE WHEN i % 25 = 0 THEN 'service@pay-alerts.top' ELSE 'u' || i % 20 || '@partner.example' END,
			CASE WHEN i % 25 = 0 THEN 'PayPal' ELSE 'User ' || i % 20 END, CASE WHEN i % 25 = 0 THEN 'pay-alerts.top' ELSE 'partner.example' END, ARRAY['ann@corp.example'],
			CASE WHEN i % 25 = 0 THEN 'Your account has been limited' ELSE 'Meeting ' || i % 30 END,
			CASE WHEN i % 25 = 0 THEN 'Dear customer, please verify your account within 24 hours. Click here' ELSE 'Shall we talk about it on day ' || i % 7 END, i % 25 = 0
		FROM generate_series(1, n) i $$;
	SELECT fill('acme', 1500);});
my $call = q{CALL assay.onboard('inbound', 'message', labels => 'message', tenant => 'tenant_id', go_live => 'auto', batch => 200)};

# wait until so many steps are done, or it has ended
sub steps_done
{
	return $sql->(q{SELECT count(*) FROM assay.onboarding WHERE state IN ('done', 'skipped')});
}

# killed within each step, and the server with it: where a step would be noted as
# done, or, as histories are decided, once the step before is done; at a gate, since
# it would come to its end meanwhile where this test waits for a slow machine
my $total = 14;
my $kills = 0;
my @seen;
for my $n (0 .. $total - 1)
{
	next if steps_done() > $n;
	my ($out, $err) = ('', '');
	$sql->('INSERT INTO crash VALUES (1)');
	my $history = $sql->("SELECT count(*) FROM assay_internal.onboarding_step WHERE n = $n + 1 AND step ~ 'history'");
	my $gate = $node->background_psql('postgres', on_error_stop => 0);
	# the first call has no steps yet; one that decides history is noted as begun, so that the gate is behind it
	$gate->query_safe($n == 0 ? 'BEGIN; LOCK TABLE message' : "BEGIN; SELECT FROM assay_internal.onboarding_step WHERE n = $n + 1 + $history FOR UPDATE");
	my $run = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', $call ], '>', \$out, '2>', \$err);
	if (!$history)
	{
		# it waits for the gate, not for a moment for something else
		$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity a JOIN pg_stat_activity g ON g.pid = ANY (pg_blocking_pids(a.pid))
				WHERE a.query LIKE 'CALL assay.onboard%' AND a.backend_type = 'client backend' AND g.state = 'idle in transaction'})
			or die "it does not come to the end of step $n: $out $err";
	}
	else { $node->poll_query_until('postgres', "SELECT count(*) >= $n FROM assay.onboarding WHERE state IN ('done', 'skipped')") or die "step $n does not end: $out $err" }
	my $pid = $sql->(q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL assay.onboard%' AND backend_type = 'client backend'});
	$kills += kill 'KILL', $pid;
	$run->finish;
	recovered($node, 'crash') or die 'it does not recover';
	eval { $gate->quit };
	my $done = steps_done();
	cmp_ok($done, '>=', $n, "after $n steps: what was done stays done ($done)");
	is($sql->(q{SELECT count(*) FROM assay.onboarding WHERE state = 'running'}), '0', 'nothing seems to run');
	is($sql->(q{SELECT count(*) FROM inbound_verdict WHERE verdict <> 'safe'}), '0', 'nothing has an effect') if $sql->(q{SELECT to_regclass('inbound_verdict') IS NOT NULL}) eq 't' && $done < $total;
}
cmp_ok($kills, '>', 8, "it was killed $kills times");
is($node->psql('postgres', $call), 0, 'it goes on to the end');
is($sql->(q{SELECT string_agg(step || ' ' || state, ', ' ORDER BY n) FROM assay.onboarding WHERE state NOT IN ('done', 'skipped')}), '', 'all is done');
is($sql->(q{SELECT count(*), count(DISTINCT m.id), count(*) FILTER (WHERE v.score > 0.5) FROM message m JOIN inbound_verdict v USING (id)}), '1500|1500|60', 'each message is decided');
is($sql->(q{SELECT count(*), count(DISTINCT id) FROM inbound_label}), '1500|1500', 'each label is there once');
is($sql->(q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'message'::regclass AND tgname = 'inbound_decide'}), '1', 'there is one trigger');
is($sql->(q{SELECT count(*) FROM assay.tenant_status WHERE state = 'live'}), '1', 'the tenant is live');
is($sql->(q{SELECT max(assay.events(history)) FROM inbound_sender WHERE sender = 'service@pay-alerts.top'}), '60', 'histories count each message once');

# every number of the report is what its query gives
foreach my $row (split /\n/, $node->safe_psql('postgres', q{SELECT value || '|' || replace(query, E'\n', ' ') FROM assay.onboarding_report WHERE query IS NOT NULL AND value IS NOT NULL}))
{
	my ($value, $query) = split /\|/, $row, 2;
	cmp_ok(abs($sql->($query) - $value), '<=', 1e-9 * (1 + abs $value), "recomputed: $value");
}

# as one that was never killed
$sql->(q{CREATE TABLE scores AS SELECT id, score, verdict FROM inbound_verdict; CREATE TABLE report AS SELECT part, name, value FROM assay.onboarding_report; SELECT assay.offboard('inbound')});
is($sql->(q{SELECT count(*) FROM pg_class WHERE relname LIKE 'inbound%'}), '0', 'nothing is left of it');
is($node->psql('postgres', $call), 0, 'and once more, in one go');
is($sql->(q{SELECT count(*) FROM scores s FULL JOIN inbound_verdict v USING (id) WHERE (s.score, s.verdict) IS DISTINCT FROM (v.score, v.verdict)}), '0', 'decisions are the same');
is($sql->(q{SELECT count(*) FROM report r FULL JOIN assay.onboarding_report s USING (part, name) WHERE r.value IS DISTINCT FROM s.value}), '0', 'the report is, too');

# two at once
$sql->(q{SELECT assay.offboard('inbound')});
my @both = map { my ($out, $err); IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', $call ], '>', \$out, '2>', \$err) } 1, 2;
ok($_->finish, 'both come to the end') for @both;
is($sql->(q{SELECT count(*) FROM scores s FULL JOIN inbound_verdict v USING (id) WHERE (s.score, s.verdict) IS DISTINCT FROM (v.score, v.verdict)}), '0', 'decisions are the same');

# a second tenant: no statement but maintain()
$sql->(q{SELECT fill('globex', 2000)});
is($sql->(q{SELECT count(*) FILTER (WHERE v.score > 0.5), count(*) FILTER (WHERE v.verdict <> 'safe') FROM inbound_verdict v JOIN message m USING (id) WHERE m.tenant_id = 'globex'}), '80|0', 'it learns');
$node->psql('postgres', 'CALL assay.maintain()');
is($sql->(q{SELECT state FROM assay.tenant_status WHERE tenant = 'globex'}), 'live', 'and is live by its checks');
$sql->(q{SELECT fill('globex', 25)});
is($sql->(q{SELECT count(*) FROM inbound_verdict v JOIN message m USING (id) WHERE m.tenant_id = 'globex' AND v.verdict <> 'safe'}), '1', 'with effect');

# dumped and restored: it is known what was onboarded
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'dumped');
$sql->('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restored');
is($node->safe_psql('restored', q{SELECT count(*) FROM assay.onboarding WHERE state IN ('done', 'skipped')}), $total, 'its steps are there');
is($node->safe_psql('restored', q{SELECT string_agg(tenant, ' ' ORDER BY tenant) FROM assay.tenant_status WHERE state = 'live'}), 'acme globex', 'and its tenants');
is($node->psql('restored', q{SELECT assay.offboard('inbound')}), 0, 'it can be undone there');

# the page
my $page = slurp_file("$ENV{ASSAY_TOP}/docs/onboarding.md");
my @blocks = $page =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @blocks, '>=', 4, 'there are examples');
$sql->('CREATE DATABASE page');
my $script = $node->basedir . '/page.sql';
append_to_file($script, join("\n", @blocks));
my ($out, $err) = ('', '');
ok(IPC::Run::run([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('page'), '-f', $script ], '>', \$out, '2>', \$err), 'no error') or diag($err);
note($out);
my @shown = $page =~ /^--  ([^\n]*)$/mg;
(my $squeezed = $out) =~ s/ *\| */|/g;
foreach my $line (map { s/ *\| */|/gr } @shown)
{
	like($squeezed, qr/^ *\Q$line\E *$/m, "shown: $line");
}
$node->stop;
done_testing();
