# A policy over tables that Citus distributes decides as one server does: INSERT of
# many rows, COPY, row triggers, partitions, roles without rights of their own; what
# can't be right is refused; nothing is lost or left undecided when a shard moves or
# a worker dies under load.
use strict;
use warnings;
use IPC::Run qw(start finish);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use AssayCitus;

plan skip_all => 'Citus is not installed (docs/scale.md tells how to get it)' if !citus_is_here();

my $plain = PostgreSQL::Test::Cluster->new('plain');
$plain->init;
$plain->start;
$plain->safe_psql('postgres', 'CREATE EXTENSION pg_assay');
my ($c, @workers) = citus_cluster();

my $schema = q{
	CREATE ROLE mail LOGIN;
	CREATE ROLE ingest LOGIN;
	CREATE SCHEMA "the mail" AUTHORIZATION mail;
	GRANT USAGE ON SCHEMA "the mail" TO ingest;
	SET ROLE mail;
	SET search_path = "the mail";
	CREATE TABLE message (junk text, tenant_id int NOT NULL, id bigint NOT NULL, received_at timestamptz NOT NULL DEFAULT '2026-01-01',
		from_addr text, gone int, subject text, body text, PRIMARY KEY (tenant_id, id));
	ALTER TABLE message DROP COLUMN junk;
	CREATE TABLE tenant (tenant_id int PRIMARY KEY, strict boolean NOT NULL);
	CREATE TABLE brand (name text PRIMARY KEY, home text NOT NULL);
	CREATE VIEW "with tenant" AS SELECT m.*, t.strict FROM message m LEFT JOIN tenant t USING (tenant_id);
	CREATE VIEW signals AS
		SELECT m.tenant_id, m.id, m.received_at, m.from_addr, m.subject, m.body ILIKE '%wire transfer%' AS asks_for_wire, coalesce(m.strict, false) AS strict,
			EXISTS (SELECT FROM brand b WHERE m.subject LIKE '%' || b.name || '%' AND b.home <> assay.domain_of(m.from_addr)) AS brand_elsewhere,
			(SELECT count(*) FROM message o WHERE o.tenant_id = m.tenant_id AND o.id < m.id) AS earlier
		FROM "with tenant" m;
	SELECT assay.create_policy('p', signals => 'signals', key => '{tenant_id,id}', prior => -4);
	SELECT assay.create_list('bad');
	INSERT INTO assay.list (set, value) VALUES ('bad', 'evil.example');
	SELECT assay.create_detector('p', name, condition => condition, weight => weight, mode => mode) FROM (VALUES
		('wire', 'asks_for_wire', 2.5, 'live'), ('brand', 'brand_elsewhere AND strict', 9.0, 'live'), ('late', 'earlier >= 20', 0.5, 'live'),
		('fails', '10 / (id - 7) > 100', 1.0, 'live'), ('listed', $$assay.in_list('bad', assay.domain_of(from_addr))$$, 5.0, 'live'), ('shadow', 'strict', 1.0, 'shadow')) d(name, condition, weight, mode);
	GRANT INSERT, SELECT ON message TO ingest;
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new_messages FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p')};
my $beside = q{INSERT INTO "the mail".tenant SELECT g, g % 2 = 0 FROM generate_series(1, 20) g; INSERT INTO "the mail".brand VALUES ('Acme', 'acme.example')};
my $rows = q{SELECT g %% 20 + 1 AS tenant_id, %d + g AS id, CASE WHEN g %% 11 = 0 THEN 'x@evil.example' ELSE 'a@x.example' END AS from_addr, CASE WHEN g %% 5 = 0 THEN 'from Acme' ELSE 'hello' END AS subject,
	CASE WHEN g %% 7 = 0 THEN 'please wire transfer' ELSE 'text' END AS body FROM generate_series(1, %d) g};
my $decisions = q{SELECT tenant_id, id, revision, verdict, score, attribution, degraded FROM "the mail".p_decision ORDER BY 1, 2, 3};

sub both
{
	my ($sql, $where, $role) = @_;
	$sql = "SET client_min_messages = error; " . ($role ? "SET ROLE $role; " : '') . $sql;
	$plain->safe_psql('postgres', $sql);
	($where // $c)->safe_psql('postgres', $sql);
}

sub same
{
	my ($sql, $name) = @_;
	my %rows;
	$rows{$_->name} = [ split /\n/, $_->safe_psql('postgres', "SET client_min_messages = error; $sql") ] foreach $plain, $c;
	my ($wanted, $got) = map { $rows{$_->name} } $plain, $c;
	my ($other) = grep { ($wanted->[$_] // '') ne ($got->[$_] // '') } 0 .. (@$wanted > @$got ? $#$wanted : $#$got);
	ok(@$wanted && !defined $other, "$name: as on one server") or diag("row $other: got " . ($got->[$other] // 'none') . ", not " . ($wanted->[$other] // 'none'));
}

both($schema);

# ---- what can't be is said ----------------------------------------------------

my ($rc, $out, $err) = $plain->psql('postgres', q{CALL assay.distribute('p', 'tenant_id')});
like($err, qr/extension "citus" is not installed/, 'without Citus');
($rc, $out, $err) = $c->psql('postgres', q{SET ROLE mail; CALL assay.distribute('p', 'tenant_id')});
like($err, qr/permission denied for procedure distribute/, 'who may distribute');
($rc, $out, $err) = $c->psql('postgres', q{CALL assay.distribute('p', 'subject')});
like($err, qr/column "subject" is not in the key/, 'a column of the key');
($rc, $out, $err) = $c->psql('postgres', q{CALL assay.distribute('p', 'tenant_id')});
like($err, qr/reads "the mail"\.(brand|tenant), which is on this server only\nHINT:  Name it in beside/, 'tables that the view reads beside');
my $distribute = q{CALL assay.distribute('p', 'tenant_id', beside => '{"\"the mail\".tenant"}', copied => '{"\"the mail\".brand"}')};
foreach my $odd (
	[ 'ALTER VIEW "the mail"."with tenant" SET (security_barrier)', qr/"with tenant": a view is a security barrier, and cannot be written out/, 'ALTER VIEW "the mail"."with tenant" RESET (security_barrier)' ],
	[ 'ALTER VIEW "the mail"."with tenant" OWNER TO postgres', qr/"with tenant": a view reads with the rights of another role/, 'ALTER VIEW "the mail"."with tenant" OWNER TO mail' ])
{
	$c->safe_psql('postgres', "SET client_min_messages = error; $odd->[0]");
	($rc, $out, $err) = $c->psql('postgres', $distribute);
	like($err, $odd->[1], "refused: $odd->[0]");
	$c->safe_psql('postgres', "SET client_min_messages = error; $odd->[2]");
}
$c->safe_psql('postgres', q{SET client_min_messages = error; SELECT assay.create_outbox('p')});
($rc, $out, $err) = $c->psql('postgres', q{CALL assay.distribute('p', 'tenant_id')});
like($err, qr/has an outbox, which is on one server/, 'an outbox');
$c->safe_psql('postgres', q{SELECT assay.drop_outbox('p')});

# ---- messages of before come along, with their decisions ------------------------

both($beside);
both(sprintf("INSERT INTO \"the mail\".message (tenant_id, id, from_addr, subject, body) $rows", 0, 200), $c, 'ingest');
$c->safe_psql('postgres', "SET client_min_messages = error; $distribute");
same($decisions, 'decisions of before');
foreach my $worker (@workers)
{
	is($worker->safe_psql('postgres', 'SELECT name, in_force FROM assay.followed ORDER BY 1'), "bad|t\np|t", 'the policy is in force on ' . $worker->name);
}
is($c->safe_psql('postgres', q{SELECT * FROM assay.check('p') WHERE "check" = 'distributed' OR severity = 'error'}), '', 'check() has nothing to say');
$c->safe_psql('postgres', "SET client_min_messages = error; $distribute");
pass('again');
($rc, $out, $err) = $c->psql('postgres', q{SELECT assay.create_outbox('p')});
like($err, qr/is distributed, and an outbox is on one server/, 'no outbox any more');

# ---- statements ----------------------------------------------------------------

both(sprintf("INSERT INTO \"the mail\".message (tenant_id, id, from_addr, subject, body) $rows", 1000, 500), $c, 'ingest');
both(q{INSERT INTO "the mail".message (tenant_id, id, from_addr, subject, body) VALUES (2, 7, 'a@x.example', 'Acme', 'x'), (3, 8, 'a@x.example', 'y', 'wire transfer')}, $workers[0], 'ingest');
both(q{INSERT INTO "the mail".message (tenant_id, id, from_addr, subject) VALUES (4, 7, 'a@x.example', 'Acme')}, $workers[1], 'ingest');
my $file = PostgreSQL::Test::Utils::tempdir() . '/rows';
$plain->safe_psql('postgres', sprintf("COPY ($rows) TO '$file'", 2000, 300));
both("COPY \"the mail\".message (tenant_id, id, from_addr, subject, body) FROM '$file'", $_->[1]) foreach ([ 0, $c ]);
same($decisions, 'INSERT of many rows from any server, COPY');
is($c->safe_psql('postgres', q{SELECT * FROM assay.undecided('p')}), '', 'none is undecided');
is(join('', map { $_->safe_psql('postgres', q{SELECT detector, sqlstate FROM assay_internal.fault GROUP BY 1, 2}) } @workers), 'fails|22012', 'a detector that fails is a fault where it failed');

# ---- a shard reads what is beside it ---------------------------------------------

my $shards = q{SET citus.override_table_visibility = off; SELECT count(*) > 2, bool_and(assay.reads_again('p', c.oid) IS NULL) FROM pg_class c WHERE c.relname ~ '^message_\d+$'};
is($_->safe_psql('postgres', $shards), 't|t', 'signals come from the new rows on ' . $_->name) foreach @workers;

# ---- columns that go, in shards that have other numbers for theirs -------------------

both(sprintf("SET search_path = \"the mail\"; CREATE OR REPLACE VIEW \"with tenant\" AS SELECT m.tenant_id, m.id, m.received_at, m.from_addr, m.gone, m.subject, m.body, t.strict FROM message m LEFT JOIN tenant t USING (tenant_id)"), $c, 'mail');
both(sprintf("INSERT INTO \"the mail\".message (tenant_id, id, from_addr, subject, body) $rows", 3000, 100));
same($decisions, 'the view was written anew');

# ---- partitions; a trigger for each row, and two policies of one table ------------------------

both(q{SET search_path = "the mail";
	CREATE TABLE parted (txt text, tenant_id int NOT NULL, gone int, id bigint NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (tenant_id, id, at)) PARTITION BY RANGE (at);
	CREATE TABLE parted_2026_01 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
	CREATE TABLE parted_2026_02 (LIKE parted INCLUDING DEFAULTS);
	ALTER TABLE parted_2026_02 DROP COLUMN gone;
	ALTER TABLE parted DROP COLUMN gone;
	ALTER TABLE parted ATTACH PARTITION parted_2026_02 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
	CREATE VIEW parted_signals AS SELECT m.tenant_id, m.id, m.at, length(m.txt) AS length, t.strict FROM parted m JOIN tenant t USING (tenant_id);
	SELECT assay.create_policy('by_row', signals => 'parted_signals', key => '{tenant_id,id,at}');
	SELECT assay.create_policy('by_statement', signals => 'parted_signals', key => '{tenant_id,id,at}');
	SELECT assay.create_detector(p, 'long', 'length > 5', weight => 3, mode => 'live'), assay.create_detector(p, 'strict', 'strict', weight => 2, mode => 'live') FROM unnest('{by_row,by_statement}'::text[]) p;
	CREATE TRIGGER by_row AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION assay.decide('by_row');
	CREATE TRIGGER by_statement AFTER INSERT ON parted REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('by_statement')}, $c, 'mail');
$c->safe_psql('postgres', qq{SET client_min_messages = error; CALL assay.distribute('$_', 'tenant_id')}) foreach 'by_row', 'by_statement';
both(q{INSERT INTO "the mail".parted (tenant_id, id, at, txt) SELECT g % 20 + 1, g, timestamptz '2026-01-20' + g * interval '1 hour', repeat('x', g % 11) FROM generate_series(1, 400) g}, $_->[0], 'mail') foreach [$c];
same(qq{SELECT tenant_id, id, at, verdict, score, attribution, degraded FROM "the mail".${_}_decision ORDER BY 1, 2, 3}, "partitions, $_") foreach 'by_row', 'by_statement';

# ---- baselines beside their messages: refreshed on all shards, looked up in both ways --------------

my $events = q{INSERT INTO "the mail".event SELECT g %% 20 + 1, %1$d + g, timestamptz '2026-01-01' + (%1$d + g) * interval '7 hours', 's' || g %% 9 FROM generate_series(1, 500) g};
both(q{SET search_path = "the mail";
	CREATE TABLE event (tenant_id int NOT NULL, id bigint NOT NULL, received_at timestamptz NOT NULL, who text, PRIMARY KEY (tenant_id, id));
	CREATE TABLE known (tenant_id int NOT NULL, id bigint NOT NULL, malicious boolean NOT NULL, labelled_at timestamptz NOT NULL, PRIMARY KEY (tenant_id, id, labelled_at));} . sprintf($events, 0) . q{;
	INSERT INTO known SELECT tenant_id, id, id % 3 = 0, received_at + interval '1 day' FROM event WHERE id % 2 = 0;
	SELECT assay.create_baseline('sender', 'event', '{tenant_id,who}', 'received_at', outcome => 'known', message_key => '{tenant_id,id}', incremental => true,
		extra => '{"n": {"aggregate": "count(*)", "rollup": "sum"}}');
	CREATE VIEW by_probe AS SELECT m.tenant_id, m.id, m.received_at, assay.events(b.history) AS events, assay.attacks(b.labels) AS attacks FROM event m
		LEFT JOIN LATERAL (SELECT b.history, b.labels FROM sender b WHERE b.tenant_id = m.tenant_id AND b.who = m.who AND b.day < (m.received_at AT TIME ZONE 'UTC')::date ORDER BY b.day DESC LIMIT 1) b ON true;
	CREATE VIEW by_as_of AS SELECT m.tenant_id, m.id, m.received_at, assay.events((assay.as_of(NULL::sender, m.received_at, m.tenant_id, m.who)).history) AS events FROM event m;
	SELECT assay.create_policy(p, signals => p::regclass, key => '{tenant_id,id}'), assay.create_detector(p, 'new', 'coalesce(events, 0) < 6', weight => 4.5, mode => 'live') FROM unnest('{by_probe,by_as_of}'::text[]) p;
	SELECT assay.create_detector('by_probe', 'attacks', 'attacks > 1', weight => 3, mode => 'live');
	CREATE TRIGGER by_probe AFTER INSERT ON event REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('by_probe');
	CREATE TRIGGER by_as_of AFTER INSERT ON event REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('by_as_of')}, $c, 'mail');
$c->safe_psql('postgres', qq{SET client_min_messages = error; CALL assay.distribute('$_', 'tenant_id', beside => ARRAY['"the mail".sender', '"the mail".known']::regclass[])}) foreach 'by_probe', 'by_as_of';
both(sprintf($events, 500), $c, 'mail');
both(q{SELECT assay.refresh_baseline('"the mail".sender')}, $c, 'mail');
same('SELECT * FROM "the mail".sender ORDER BY 1, 2, 3', 'a baseline, refreshed');
both(sprintf($events, 1000), $c, 'mail');
same(qq{SELECT tenant_id, id, verdict, score, attribution, degraded FROM "the mail".${_}_decision ORDER BY 1, 2}, "signals from a baseline $_") foreach 'by_probe', 'by_as_of';
same(q{SELECT key, verdict, score FROM assay.replay('by_probe') ORDER BY 1}, 'replay with a baseline');
($rc, $out, $err) = $c->psql('postgres', q{SELECT * FROM assay.replay('by_as_of')});
like($err, qr/as_of\(\) cannot read "sender", whose rows are in shards\nHINT:  Use the SQL that assay\.baseline_probe\(\) gives/, 'as_of() elsewhere than in a trigger');
($rc, $out, $err) = $c->psql('postgres', q{SELECT assay.rebuild_baseline('"the mail".sender', '1', 's1')});
like($err, qr/is distributed.*\nHINT:  A distributed baseline is refreshed as a whole/, 'one key of a baseline');

# ---- a change is in force in sessions that run ----------------------------------------

my @sessions = map { { node => $_, in => '', out => '' } } $c, @workers;
foreach my $s (@sessions)
{
	$s->{timer} = IPC::Run::timeout(120);
	$s->{run} = start([ 'psql', '-XAtq', '-d', $s->{node}->connstr('postgres') ], \$s->{in}, \$s->{out}, $s->{timer});
}
my $next = 100_000;

sub verdicts
{
	my @verdicts;
	foreach my $s (@sessions)
	{
		my $id = $next++;
		my $sql = sprintf(q{INSERT INTO "the mail".message (tenant_id, id, subject) SELECT g, %d, 'news' FROM generate_series(1, 20) g;}, $id);
		$s->{out} = '';
		$s->{in} = "$sql SELECT count(*) FILTER (WHERE verdict = 'malicious') || '.' FROM \"the mail\".p_decision WHERE id = $id;\n";
		$s->{run}->pump until $s->{out} =~ /(\d+)\./;
		push @verdicts, $1;
		$plain->safe_psql('postgres', $sql);
	}
	return "@verdicts";
}
is(verdicts(), '0 0 0', 'sessions run');
both(q{SELECT assay.create_detector('p', 'news', $$subject = 'news'$$, weight => 20, mode => 'live')}, $c, 'mail');
my $now = '';
for (my $i = 0; $i < 100 && $now ne '20 20 20'; $i++)
{
	$now = verdicts();
	select(undef, undef, undef, 0.1) if $now ne '20 20 20';
}
is($now, '20 20 20', 'a change of the policy is in force in them');
foreach my $s (@sessions)
{
	$s->{in} = "\\q\n";
	finish($s->{run});
}
$_->safe_psql('postgres', q{DELETE FROM "the mail".p_decision WHERE id >= 100000; DELETE FROM "the mail".message WHERE id >= 100000}) foreach $c, $plain;

# ---- reports, replay, backfill ------------------------------------------------------------

both(q{INSERT INTO "the mail".p_label (tenant_id, id, malicious, source, labelled_at) SELECT tenant_id, id, (id % 3 = 0), 'test', '2026-02-01' FROM "the mail".message WHERE id % 2 = 0}, $c, 'mail');
same(q{SELECT key, verdict, score, attribution FROM assay.replay('p') ORDER BY 1}, 'replay');
same(q{SELECT key, verdict FROM assay.replay('p', revision => 4, since => '2025-01-01') ORDER BY 1}, 'replay of a revision');
same(q{SELECT change, messages FROM assay.compare('p', 3, 8)}, 'compare');
same(q{SELECT * FROM assay.precision_report('p') ORDER BY kind, name}, 'precision_report');
same(q{SELECT step, evidence, contribution, score FROM assay.explain_decision('p', 2, 1001) WHERE step < 4}, 'explain_decision');
same(q{SELECT v.tenant_id, v.id, x.verdict FROM "the mail".signals v CROSS JOIN LATERAL assay.score('p', v) x ORDER BY 1, 2}, 'score(), as a join');
same(q{SELECT tenant_id, id, verdict FROM "the mail".p_verdict ORDER BY 1, 2}, 'the view of verdicts');
($rc, $out, $err) = $c->psql('postgres', q{SELECT assay.score('p', v) FROM "the mail".signals v});
ok($err =~ /CROSS JOIN LATERAL assay\.score/ || $out =~ /malicious/, 'score() in the select list says how, or is right') or diag($err);
both(q{DELETE FROM "the mail".p_decision WHERE id % 3 = 0});
same(q{SELECT count(*) FROM assay.undecided('p')}, 'undecided');
both(q{CALL assay.backfill('p', batch => 150)});
same($decisions, 'backfill');
is($c->safe_psql('postgres', q{SELECT * FROM assay.undecided('p')}), '', 'and none is left');
foreach my $not (
	[ q{SELECT * FROM assay.replay('p', signals => 'auto')}, qr/replay of logged signals is not supported over distributed tables/ ],
	[ q{SELECT * FROM assay.backtest('p', 'strict')}, qr/a backtest is not supported over distributed tables/ ],
	[ q{SELECT * FROM assay.forget('p', keys => '{{1,1}}')}, qr/forget\(\) is not supported over distributed tables/ ])
{
	($rc, $out, $err) = $c->psql('postgres', $not->[0]);
	like($err, qr/$not->[1].*\nHINT/, "refused: $not->[0]");
}

# ---- a signals view that no shard can have ------------------------------------------------

$c->safe_psql('postgres', q{SET client_min_messages = error; ALTER VIEW "the mail"."with tenant" SET (security_barrier)});
like($c->safe_psql('postgres', q{SELECT detail FROM assay.check('p') WHERE "check" = 'distributed'}), qr/is a security barrier, and cannot be written out/, 'check() tells');
$c->safe_psql('postgres', q{SET client_min_messages = error; INSERT INTO "the mail".message (tenant_id, id, subject) VALUES (1, 50000, 'x')});
is($c->safe_psql('postgres', q{SELECT degraded FROM "the mail".p_decision WHERE id = 50000}), 't', 'its messages are stored, and decided without signals');
$c->safe_psql('postgres', q{SET client_min_messages = error; ALTER VIEW "the mail"."with tenant" RESET (security_barrier)});
$c->safe_psql('postgres', q{SET client_min_messages = error; SELECT assay.alter_policy('p')});
ok($c->poll_query_until('postgres', q{SELECT count(*) = 0 FROM assay_internal.waiting_workers('p')}), 'a new revision is everywhere');
$c->safe_psql('postgres', q{SET client_min_messages = error; CALL assay.backfill('p', degraded_only => true, at => NULL)});
is($c->safe_psql('postgres', q{SELECT degraded FROM "the mail".p_verdict WHERE id = 50000}), 'f', 'backfill heals them');

# ---- under load: a shard moves, a worker dies ---------------------------------------------------

sub load_until
{
	my ($first, $what) = @_;
	my $stop = PostgreSQL::Test::Utils::tempdir() . '/stop';
	my @loads;
	foreach my $n (0 .. 1)
	{
		my $pid = fork();
		if ($pid == 0)
		{
			my $id = $first + $n * 100_000;
			my $acknowledged = 0;
			open(my $log, '>', "$stop.$n");
			while (!-e $stop)
			{
				my $sql = sprintf(q{INSERT INTO "the mail".message (tenant_id, id, subject) SELECT g, %d, 'load' FROM generate_series(1, 20) g ON CONFLICT DO NOTHING}, $id);
				my $done = system('psql', '-XAtq', '-d', $c->connstr('postgres'), '-c', "SET client_min_messages = error; $sql") == 0;
				print $log "$id\n" if $done;
				$id++ if $done;
			}
			close $log;
			require POSIX;
			POSIX::_exit(0);
		}
		push @loads, $pid;
	}
	$what->();
	select(undef, undef, undef, 1);
	append_to_file($stop, '1');
	waitpid($_, 0) foreach @loads;
	my $acknowledged = 0;
	$acknowledged += () = slurp_file("$stop.$_") =~ /\n/g foreach 0 .. 1;
	return $acknowledged * 20;
}
open(my $saved, '>&', \*STDERR);
open(STDERR, '>', '/dev/null');
my $moved = 0;
my $acknowledged = load_until(1_000_000, sub {
	my @shards = split /\n/, $c->safe_psql('postgres', q{SELECT shardid || ',' || nodename || ',' || nodeport FROM citus_shards WHERE table_name = '"the mail".message'::regclass ORDER BY shardid LIMIT 3});
	foreach my $shard (@shards)
	{
		my ($id, $host, $port) = split /,/, $shard;
		my ($to) = grep { $_->port != $port } @workers;
		$moved += $c->psql('postgres', sprintf(q{SELECT citus_move_shard_placement(%d, '%s', %d, '%s', %d, 'force_logical')}, $id, $host, $port, $to->host, $to->port)) == 0;
	}
});
open(STDERR, '>&', $saved);
is($moved, 3, 'shards were moved under load');
my $stored = q{SELECT count(*) FROM "the mail".message WHERE id >= %d};
my $decided = q{SELECT count(DISTINCT (tenant_id, id)) FROM "the mail".p_decision WHERE id >= %d};
cmp_ok($acknowledged, '>', 200, 'messages were acknowledged');
is($c->safe_psql('postgres', sprintf($stored, 1_000_000)), $acknowledged, 'all are stored, and no more');
is($c->safe_psql('postgres', sprintf($decided, 1_000_000)), $acknowledged, 'and decided');
is($c->safe_psql('postgres', q{SELECT count(*) FROM "the mail".p_decision WHERE id >= 1000000 AND degraded}), '0', 'by their signals');

open(STDERR, '>', '/dev/null');
$acknowledged = load_until(2_000_000, sub {
	select(undef, undef, undef, 1);
	$workers[0]->kill9;
	select(undef, undef, undef, 1);
	for (my $i = 0; $i < 30 && !$workers[0]->start(fail_ok => 1); $i++)
	{
		$workers[0]->{_pid} = undef;
		select(undef, undef, undef, 1);
	}
	select(undef, undef, undef, 2);
});
open(STDERR, '>&', $saved);
cmp_ok($acknowledged, '>', 100, 'messages were acknowledged');
ok($_->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_prepared_xacts}), 'no transaction is left prepared on ' . $_->name) foreach @workers;
is($c->safe_psql('postgres', sprintf($stored, 2_000_000)), $acknowledged, 'a worker was killed: all are stored, and no more');
is($c->safe_psql('postgres', sprintf($decided, 2_000_000)), $acknowledged, 'and decided');
is($c->safe_psql('postgres', q{SELECT * FROM assay.undecided('p')}), '', 'none is undecided');

$_->stop foreach $c, @workers, $plain;
done_testing();
