# postgres_fdw partitions: messages, decisions and labels of two servers are read
# through a third, by reports, replay and aggregates that are computed where the
# messages are; policies and triggers are on the far side.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

sub server
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\nwal_retrieve_retry_interval = 100ms");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_assay');
	return $node;
}

my $message = q{tenant_id int NOT NULL, id bigint NOT NULL, received_at timestamptz NOT NULL, from_addr text, subject text};
my $decision = q{tenant_id int NOT NULL, id bigint NOT NULL, revision int NOT NULL, decided_at timestamptz NOT NULL DEFAULT now(), verdict text NOT NULL, score real NOT NULL,
	attribution assay.attribution NOT NULL, degraded boolean NOT NULL DEFAULT false, signals assay.logged_signals};
my $view = q{CREATE VIEW signals AS SELECT tenant_id, id, received_at, from_addr, subject, subject LIKE '%wire%' AS wire FROM message};
my $policy = q{SELECT assay.create_policy('p', 'signals', '{tenant_id,id}', prior => -2);
	SELECT assay.create_detector('p', 'wire', 'wire', weight => 5, mode => 'live'), assay.create_detector('p', 'stranger', $$from_addr LIKE '%stranger%'$$, weight => 1.5, mode => 'live')};
my $trigger = q{CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p')};
my $rows = q{INSERT INTO message SELECT g % 10, g, timestamptz '2026-01-01' + g * interval '1 minute', CASE WHEN g % 3 = 0 THEN 'a@stranger.example' ELSE 's' || g % 7 END, CASE WHEN g % 5 = 0 THEN 'a wire' ELSE 'x' END FROM generate_series(1, 2000) g};
my $label = q{INSERT INTO p_label (tenant_id, id, malicious, source, labelled_at) SELECT tenant_id, id, id % 5 = 0, 'test', '2026-02-01' FROM message WHERE id % 2 = 0};

my $plain = server('plain');
$plain->safe_psql('postgres', "CREATE TABLE message ($message, PRIMARY KEY (tenant_id, id)); $view; $policy; $trigger");
$plain->safe_psql('postgres', "$rows; $label");

# The far side has messages, policy and trigger, each on its own; what is in front follows the policy, too.
my @far = map { server("far_$_") } 0, 1;
my $front = server('front');
$_->safe_psql('postgres', "CREATE TABLE message ($message, PRIMARY KEY (tenant_id, id)); $view;") foreach @far;
$far[0]->safe_psql('postgres', "$policy; SELECT assay.publish_policies(); SELECT pg_create_logical_replication_slot(s, 'pgoutput') FROM unnest('{far_1,front}'::text[]) s");
my $publisher = $far[0]->connstr('postgres') =~ s/'/''/gr;
$far[1]->safe_psql('postgres', "CALL assay.follow_policies('$publisher', 'far_1')");
$_->safe_psql('postgres', $trigger) foreach @far;

# The tables of messages, decisions and labels there, as partitions of tables of the same names here
$front->safe_psql('postgres', "CREATE EXTENSION postgres_fdw; CREATE TABLE message ($message) PARTITION BY HASH (tenant_id); $view;
	CREATE TABLE p_decision ($decision) PARTITION BY HASH (tenant_id);
	CREATE TABLE p_label (tenant_id int NOT NULL, id bigint NOT NULL, malicious boolean NOT NULL, source text NOT NULL, labelled_at timestamptz NOT NULL DEFAULT now()) PARTITION BY HASH (tenant_id);
	CREATE VIEW p_verdict AS SELECT d.* FROM p_decision d WHERE NOT EXISTS (SELECT FROM p_decision n WHERE n.tenant_id = d.tenant_id AND n.id = d.id AND n.revision > d.revision);
	CREATE VIEW p_label_latest AS SELECT DISTINCT ON (tenant_id, id) tenant_id, id, malicious, source, labelled_at FROM p_label ORDER BY tenant_id, id, labelled_at DESC;
	CREATE VIEW p_policy AS SELECT 'p'::text AS policy");
foreach my $n (0, 1)
{
	$front->safe_psql('postgres', sprintf(q{CREATE SERVER far_%1$d FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%2$s', port '%3$d', dbname 'postgres', extensions 'pg_assay', async_capable 'true', fetch_size '1000');
		CREATE USER MAPPING FOR CURRENT_USER SERVER far_%1$d}, $n, $far[$n]->host, $far[$n]->port));
	$front->safe_psql('postgres', sprintf(q{CREATE FOREIGN TABLE %1$s_%2$d PARTITION OF %1$s FOR VALUES WITH (MODULUS 2, REMAINDER %2$d) SERVER far_%2$d OPTIONS (table_name '%1$s')}, $_, $n)) foreach 'message', 'p_decision', 'p_label';
}
$front->safe_psql('postgres', "CALL assay.follow_policies('$publisher', 'front')");
is($front->safe_psql('postgres', 'SELECT name, in_force, waits_for FROM assay.followed'), 'p|t|', 'the policy is in force in front');

# ---- written on the far side, each tenant where it is ---------------------------

foreach my $n (0, 1)
{
	my $mine = $front->safe_psql('postgres', sprintf(q{SELECT string_agg(t::text, ',') FROM generate_series(0, 9) t WHERE satisfies_hash_partition('message'::regclass, 2, %d, t)}, $n));
	$far[$n]->safe_psql('postgres', "$rows WHERE g % 10 IN ($mine); $label");
}

# ---- read in front: as on one server ----------------------------------------------

sub same
{
	my ($sql, $name) = @_;
	my $wanted = $plain->safe_psql('postgres', $sql);
	isnt($wanted, '', "$name: there is something");
	is($front->safe_psql('postgres', "SET enable_partitionwise_aggregate = on; $sql"), $wanted, $name);
}
same('SELECT tenant_id, id, revision, verdict, score, attribution, degraded FROM p_decision ORDER BY 1, 2', 'decisions');
same(q{SELECT key, verdict, score, attribution FROM assay.replay('p') ORDER BY 1}, 'replay');
same(q{SELECT key, verdict FROM assay.replay('p', since => '2026-01-01 10:00+00', revision => 2) ORDER BY 1}, 'replay of a revision, in a time');
same(q{SELECT change, messages FROM assay.compare('p', 2, 3)}, 'compare');
same(q{SELECT * FROM assay.precision_report('p') ORDER BY kind, name}, 'precision_report');
same(q{SELECT step, evidence, contribution, score FROM assay.explain_decision('p', 5, 15) WHERE step < 4}, 'explain_decision');
same('SELECT tenant_id, id, verdict FROM p_verdict ORDER BY 1, 2', 'the view of verdicts');
same(q{SELECT tenant_id, assay.events(assay.activity_agg(received_at)) FROM message GROUP BY 1 ORDER BY 1}, 'an aggregate');
my $plan = $front->safe_psql('postgres', q{SET enable_partitionwise_aggregate = on; EXPLAIN (VERBOSE, COSTS OFF) SELECT tenant_id, assay.activity_agg(received_at) FROM message GROUP BY 1});
is(() = $plan =~ /Remote SQL: SELECT tenant_id, assay\.activity_agg\(received_at\) FROM public\.message GROUP BY/g, 2, 'is computed on both servers');

# ---- what is missing is seen and mended from in front --------------------------------

$far[1]->safe_psql('postgres', 'DELETE FROM p_decision WHERE id % 3 = 0');
my $missing = $far[1]->safe_psql('postgres', 'SELECT count(*) FROM message WHERE id % 3 = 0');
cmp_ok($missing, '>', 10, 'decisions are gone');
is($front->safe_psql('postgres', 'SELECT count(*) FROM message m WHERE NOT EXISTS (SELECT FROM p_decision d WHERE d.tenant_id = m.tenant_id AND d.id = m.id)'), $missing, 'messages without a decision are seen');
$far[1]->safe_psql('postgres', q{CALL assay.backfill('p')});
same('SELECT tenant_id, id, revision, verdict, score, attribution, degraded FROM p_decision ORDER BY 1, 2', 'a backfill where they are heals it');

# ---- a message through the front is decided on its server -----------------------------------

$_->safe_psql('postgres', q{INSERT INTO message VALUES (1, 5000, '2026-03-01', 'x', 'a wire'), (2, 5000, '2026-03-01', 'x', 'y'), (3, 5000, '2026-03-01', 'x', 'y')}) foreach $front, $plain;
same('SELECT tenant_id, verdict FROM p_decision WHERE id = 5000 ORDER BY 1', 'the trigger of the far side decides');

# ---- an owner's foreign server has not the keys by which whoever inserts has logged in -----------

SKIP:
{
	skip 'there is no SCRAM pass-through before PostgreSQL 18', 4 if $plain->pg_version < 18;
	$plain->safe_psql('postgres', q{SET password_encryption = 'scram-sha-256'; CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'secret'; CREATE ROLE thief LOGIN;
		CREATE EXTENSION postgres_fdw; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO thief; CREATE SCHEMA thief AUTHORIZATION thief});
	my $hba = $plain->data_dir . '/pg_hba.conf';
	my $lines = slurp_file($hba);
	unlink $hba;
	append_to_file($hba, "local all boss scram-sha-256\n$lines");
	$plain->reload;
	$plain->safe_psql('postgres', sprintf(q{CREATE SERVER back FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%d', dbname 'postgres', use_scram_passthrough 'true');
		CREATE USER MAPPING FOR thief SERVER back OPTIONS (user 'boss');
		CREATE FOREIGN TABLE thief.authid (rolname name, rolpassword text) SERVER back OPTIONS (schema_name 'pg_catalog', table_name 'pg_authid');
		CREATE TABLE thief.message (id int PRIMARY KEY);
		CREATE VIEW thief.signals AS SELECT id, (SELECT rolpassword FROM thief.authid WHERE rolname = 'boss') AS stolen FROM thief.message;
		SELECT assay.create_policy('thief', 'thief.signals', '{id}'), assay.create_detector('thief', 'd', 'stolen IS NOT NULL', weight => 9, mode => 'live');
		CREATE TRIGGER decide AFTER INSERT ON thief.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('thief')},
		$plain->host, $plain->port), extra_params => [ '-U', 'thief' ]);
	local $ENV{PGPASSWORD} = 'secret';
	my $boss = sub { my ($rc, $out) = $plain->psql('postgres', $_[0], extra_params => [ '-U', 'boss' ], on_error_stop => 0); return $out };
	my $reads = q{SELECT left(rolpassword, 5) FROM thief.authid WHERE rolname = 'boss'};
	is($boss->("CREATE USER MAPPING FOR boss SERVER back OPTIONS (user 'boss'); $reads"), 'SCRAM', 'the session has them');
	is($boss->("INSERT INTO thief.message VALUES (1); $reads"), 'SCRAM', 'has them again afterwards');
	is($boss->("BEGIN; SAVEPOINT s; INSERT INTO thief.message VALUES (2), (2); ROLLBACK TO s; $reads; COMMIT; SELECT 1 / count(*) FROM assay.replay('thief', revision => -1); $reads"), "SCRAM\nSCRAM", 'after errors, too');
	is($plain->safe_psql('postgres', q{SELECT v.verdict, v.degraded, (SELECT count(*) FROM assay.fault f WHERE f.policy = 'thief' AND f.message ~ 'password') FROM thief.thief_verdict v}), 'safe|t|1', 'the owner has not');
}

$_->stop foreach $front, @far[ 1, 0 ], $plain;
done_testing();
