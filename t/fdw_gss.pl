# An owner's foreign server has not what the client of whoever inserts has delegated
# by GSSAPI, from PostgreSQL 16 on. With a KDC of its own (package krb5-kdc).
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PATH} .= ':/usr/sbin:/sbin';
plan skip_all => 'there is no KDC here' if system('command -v krb5kdc kdb5_util kadmin.local kinit >/dev/null') != 0;

my $node = PostgreSQL::Test::Cluster->new('gss');
my $dir = PostgreSQL::Test::Utils::tempdir;
my $kdc = PostgreSQL::Test::Cluster::get_free_port();
my $realm = 'ASSAY.EXAMPLE';

append_to_file("$dir/krb5.conf", <<"END");
[libdefaults]
	default_realm = $realm
	dns_lookup_realm = false
	dns_lookup_kdc = false
	dns_canonicalize_hostname = false
	rdns = false
	forwardable = true
[realms]
	$realm = {
		kdc = 127.0.0.1:$kdc
	}
END
append_to_file("$dir/kdc.conf", <<"END");
[kdcdefaults]
	kdc_listen = 127.0.0.1:$kdc
	kdc_tcp_listen = 127.0.0.1:$kdc
[realms]
	$realm = {
		database_name = $dir/principal
		key_stash_file = $dir/stash
	}
END
$ENV{KRB5_CONFIG} = "$dir/krb5.conf";
$ENV{KRB5_KDC_PROFILE} = "$dir/kdc.conf";
$ENV{KRB5CCNAME} = "$dir/tickets";
system_or_bail('kdb5_util', 'create', '-s', '-P', 'secret');
system_or_bail('kadmin.local', '-q', $_) foreach 'addprinc -pw secret boss', 'addprinc -randkey postgres/localhost', "ktadd -k $dir/keytab postgres/localhost";
system_or_bail('krb5kdc', '-P', "$dir/pid");
END { kill TERM => slurp_file("$dir/pid") + 0 if $dir && -e "$dir/pid" }
run_log([ 'kinit', '-f', 'boss' ], '<', \'secret') or BAIL_OUT('no ticket');

$node->init;
plan skip_all => 'nothing can be delegated before PostgreSQL 16' if $node->pg_version < 16;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\nlisten_addresses = '127.0.0.1'\nkrb_server_keyfile = '$dir/keytab'\ngss_accept_delegation = on");
my $hba = $node->data_dir . '/pg_hba.conf';
my $lines = slurp_file($hba);
unlink $hba;
append_to_file($hba, "host all boss 127.0.0.1/32 gss include_realm=0\n$lines");
{
	local $ENV{KRB5CCNAME};
	$node->start;
}
$node->safe_psql('postgres', q{SET password_encryption = 'scram-sha-256'; CREATE EXTENSION pg_assay; CREATE EXTENSION postgres_fdw;
	CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'secret'; CREATE ROLE thief LOGIN; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO thief; CREATE SCHEMA thief AUTHORIZATION thief});
$node->safe_psql('postgres', sprintf(q{CREATE SERVER back FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'localhost', hostaddr '127.0.0.1', port '%d', dbname 'postgres', gssdelegation 'true', gssencmode 'disable');
	CREATE USER MAPPING FOR thief SERVER back OPTIONS (user 'boss');
	CREATE FOREIGN TABLE thief.authid (rolname name, rolpassword text) SERVER back OPTIONS (schema_name 'pg_catalog', table_name 'pg_authid');
	CREATE TABLE thief.message (id int PRIMARY KEY);
	CREATE VIEW thief.signals AS SELECT id, (SELECT rolpassword FROM thief.authid WHERE rolname = 'boss') AS stolen FROM thief.message;
	SELECT assay.create_policy('thief', 'thief.signals', '{id}'), assay.create_detector('thief', 'd', 'stolen IS NOT NULL', weight => 9, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON thief.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('thief')}, $node->port),
	extra_params => [ '-U', 'thief' ]);

# connected as boss with tickets delegated, through a transport that GSSAPI encrypts and one that it does not
my $reads = q{SELECT left(rolpassword, 5) FROM thief.authid WHERE rolname = 'boss'};
my $id = 0;
foreach my $encryption ('disable', 'require')
{
	my $connstr = sprintf('host=localhost hostaddr=127.0.0.1 port=%d dbname=postgres user=boss gssdelegation=1 gssencmode=%s', $node->port, $encryption);
	my $boss = sub {
		my ($rc, $out, $err) = $node->psql('postgres', $_[0], connstr => $connstr, on_error_stop => 0);
		diag($err) if $err ne '' && $out eq '';
		return $out;
	};
	is($boss->('SELECT gss_authenticated, encrypted, credentials_delegated FROM pg_stat_gssapi WHERE pid = pg_backend_pid()'),
		$encryption eq 'disable' ? 't|f|t' : 't|t|t', "encryption $encryption: the client has delegated");
	is($boss->("CREATE USER MAPPING IF NOT EXISTS FOR boss SERVER back OPTIONS (user 'boss'); $reads"), 'SCRAM', 'the session has it');
	$id++;
	is($boss->("INSERT INTO thief.message VALUES ($id); $reads"), 'SCRAM', 'has it again afterwards');
	is($boss->("BEGIN; SAVEPOINT s; INSERT INTO thief.message VALUES (-2), (-2); ROLLBACK TO s; $reads; COMMIT; SELECT 1 / count(*) FROM assay.replay('thief', revision => -1); $reads"),
		"SCRAM\nSCRAM", 'after errors, too');
	is($node->safe_psql('postgres', "SELECT verdict, degraded FROM thief.thief_verdict WHERE id = $id"), 'safe|t', 'the owner has not');
}
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT message, ' ') FROM assay.fault WHERE policy = 'thief'}), 'could not connect to server "back"', 'is told so');
$node->stop;
done_testing();
