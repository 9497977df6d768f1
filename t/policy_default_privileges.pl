# A role that gets rights on whatever the superuser makes (ALTER DEFAULT PRIVILEGES)
# gets none on what CREATE EXTENSION and ALTER EXTENSION UPDATE make.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE app; CREATE ROLE writer; GRANT pg_write_all_data TO writer');

# what PUBLIC has where there are none
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->safe_psql('plain', 'CREATE EXTENSION pg_assay; CREATE EXTENSION pg_assay_email');
my $public = q{
	SELECT c.oid::regclass, x.attname, a.privilege_type
	FROM pg_class c
	CROSS JOIN LATERAL (SELECT NULL::name AS attname, c.relacl AS acl UNION ALL SELECT t.attname, t.attacl FROM pg_attribute t WHERE t.attrelid = c.oid) x
	CROSS JOIN LATERAL aclexplode(x.acl) a
	WHERE c.relnamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace) AND a.grantee = 0 ORDER BY c.oid::regclass::text, x.attname, a.privilege_type};

for my $how ('made', 'updated')
{
	$node->safe_psql('postgres', "CREATE DATABASE $how");
	$node->safe_psql($how, q{CREATE EXTENSION pg_assay VERSION '0.1.0'}) if $how eq 'updated';
	$node->safe_psql($how, q{
		ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO app, PUBLIC;
		ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO app;
		ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO app;
		ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO app;});
	$node->safe_psql($how, $how eq 'made' ? 'CREATE SCHEMA assay; REVOKE ALL ON SCHEMA assay FROM app; CREATE EXTENSION pg_assay' : 'ALTER EXTENSION pg_assay UPDATE');
	$node->safe_psql($how, 'CREATE EXTENSION pg_assay_email');
	is($node->safe_psql($how, q{
		SELECT count(*) FROM (SELECT relacl FROM pg_class WHERE relnamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace)
			UNION ALL SELECT proacl FROM pg_proc WHERE pronamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace)
			UNION ALL SELECT nspacl FROM pg_namespace WHERE oid IN ('assay'::regnamespace, 'assay_internal'::regnamespace)) x(acl), aclexplode(acl) a
		WHERE a.grantee = 'app'::regrole}), 0, "$how: nothing for the role");
	is($node->safe_psql($how, q{
		SELECT string_agg(format('%s %s', c.oid::regclass, a.privilege_type), ', ' ORDER BY c.oid::regclass::text) FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.relnamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace) AND c.relkind IN ('r', 'S') AND a.grantee = 0 AND c.relname NOT LIKE 'email\_%'}),
		'assay.baseline SELECT, assay.text_model_registry SELECT, assay_internal.last_number USAGE', "$how: of tables, what everybody may read");
	$node->safe_psql($how, q{CREATE TABLE message (id int PRIMARY KEY); CREATE VIEW signals AS SELECT id FROM message; SELECT assay.create_policy('p', 'signals', '{id}')});
	$node->safe_psql($how, q{UPDATE assay_internal.policy SET access = NULL; DROP VIEW p_policy; SELECT assay.upgrade_policy('p')}) if $how eq 'updated';
	is($node->safe_psql($how, q{SELECT role, "right" FROM assay.access WHERE "right" <> 'reader'}), $node->safe_psql($how, q{SELECT current_user || '|owner'}), "$how: nobody publishes");
	is($node->safe_psql($how, q{
		SELECT count(*) > 0, bool_and(a.privilege_type = 'SELECT') FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.relnamespace = 'assay'::regnamespace AND c.relkind = 'r' AND a.grantee = 0 AND c.relname LIKE 'email\_%'}), 't|t', "$how: nor of the pack's");
	is($node->safe_psql($how, $public), $node->safe_psql('plain', $public), "$how: PUBLIC has what it has elsewhere: no trigger on a view");
	# a privilege on all tables
	foreach my $table (split /\n/, $node->safe_psql($how, q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'assay'::regnamespace AND relkind = 'r' AND relname LIKE 'email\_%'}))
	{
		my (undef, undef, $refused) = $node->psql($how, "SET ROLE writer; DELETE FROM $table");
		like($refused, qr/permission denied for table/, "$how: $table is not the writer's");
	}
	my ($rc, $out, $err) = $node->psql($how, q{
		SET ROLE app;
		CREATE TEMP TABLE dropped_policy AS SELECT 'p'::text AS policy;
		CREATE TRIGGER x AFTER UPDATE ON dropped_policy FOR EACH ROW EXECUTE FUNCTION assay_internal.delete_row();});
	like($err, qr/permission denied for function assay_internal\.delete_row/, "$how: what deletes as the extension's owner is not his to call");
	# what is given by hand stays, also to whom the role gives what it makes in another schema
	$node->safe_psql($how, q{
		CREATE ROLE reader; GRANT SELECT ON assay.policies TO reader;
		ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader;
		SELECT assay_internal.keep_tables()});
	is($node->safe_psql($how, q{SELECT has_table_privilege('reader', 'assay.policies', 'SELECT') AND EXISTS
		(SELECT FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'assay.policies'::regclass AND a.grantee = 'reader'::regrole)}), 't', "$how: given by hand");
	$node->safe_psql($how, 'DROP OWNED BY reader; DROP ROLE reader');
}

$node->stop;
done_testing();
