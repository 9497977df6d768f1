# A session that comes to the library in the midst of a transaction: what it has had
# PL/pgSQL compile with types of its own, and a cast keeps ready, is not for the owner.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

foreach my $preload ('', 'pg_assay')
{
	my $node = PostgreSQL::Test::Cluster->new('plpgsql' . ($preload ? '_preloaded' : ''));
	$node->init;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$preload'");
	$node->start;
	$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_assay;
CREATE ROLE owner; CREATE ROLE ingest;
CREATE SCHEMA own AUTHORIZATION owner;
GRANT USAGE ON SCHEMA own TO ingest;
SET ROLE owner;
CREATE FUNCTION own.passes(v text) RETURNS boolean LANGUAGE plpgsql AS $$ DECLARE t text; BEGIN t := v; RETURN true; END $$;
CREATE DOMAIN own.words AS text CHECK (own.passes(VALUE));
CREATE FUNCTION own.helper(v text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE t own.words; BEGIN t := v; RETURN t; END $$;
CREATE TABLE own.ran (who name);
CREATE TABLE own.message (id int PRIMARY KEY, body text);
GRANT INSERT ON own.message TO ingest;
CREATE VIEW own.signals AS SELECT id, own.helper(body) AS body FROM own.message;
SELECT assay.create_policy('p', 'own.signals', '{id}', prior => 0);
SELECT assay.create_detector('p', 'hello', 'body = ''hello''', weight => 3, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON own.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
SQL
	$node->safe_psql('postgres', <<'SQL');
SET ROLE ingest;
CREATE FUNCTION pg_temp.evil(v text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF current_user = 'owner' THEN
		INSERT INTO own.ran VALUES (current_user);
	END IF;
	RETURN true;
END $$;
CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.evil(VALUE));
BEGIN;
SELECT own.helper('x');
INSERT INTO own.message VALUES (1, 'hello');
SELECT own.helper('x');
INSERT INTO own.message VALUES (2, 'hello');
COMMIT;
INSERT INTO own.message VALUES (3, 'hello');
SQL
	is($node->safe_psql('postgres', 'SELECT count(*) FROM own.ran'), '0', "no check of the session's runs as the owner");
	is($node->safe_psql('postgres', 'SELECT id, verdict, degraded FROM own.p_decision ORDER BY id'),
		"1|malicious|f\n2|malicious|f\n3|malicious|f", 'and all is decided');
	$node->stop;
}

done_testing();
