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

	# What fails to be compiled, for the owner or for the session, leaves what the other has as it was.
	$node->safe_psql('postgres', <<'SQL');
CREATE SCHEMA extra;
CREATE TYPE extra.thing AS (b text);
GRANT USAGE ON SCHEMA extra TO ingest;
SET ROLE owner;
CREATE TABLE own.mail (id int PRIMARY KEY, body text);
GRANT SELECT, INSERT ON own.mail TO ingest;
-- It inserts, too, by which it may be at work where the policy calls it.
SET check_function_bodies = off;
CREATE FUNCTION own.plain(v text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t thing;
BEGIN
	IF v LIKE 'insert %' THEN
		INSERT INTO own.mail VALUES (substr(v, 8)::int, 'hello');
	END IF;
	t := ROW(v);
	RETURN t.b;
END $$;
CREATE FUNCTION own.inserts(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO own.mail VALUES (i, 'hello'); RETURN i; END $$;
CREATE FUNCTION own.fails() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN RETURN own.plain('x'); EXCEPTION WHEN undefined_object THEN RETURN 'failed'; END $$;
CREATE VIEW own.told AS SELECT id, own.plain(body) AS body FROM own.mail;
SELECT assay.create_policy('plain', 'own.told', '{id}', prior => 0);
SELECT assay.alter_policy('plain', search_path => 'pg_catalog, own');
SELECT assay.create_detector('plain', 'hello', 'body = ''hello''', weight => 3, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON own.mail REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('plain');
SQL
	my $calls = q{SELECT own.plain('a'), own.inserts(i), own.fails(), own.plain('b'), own.plain('insert ' || i + 1), own.plain('c')
		FROM generate_series(%d, %d, 2) AS i};
	# Where calls were made ready before the library came, PL/pgSQL warns of what it compiles twice.
	my $session = 'SET ROLE ingest; SET search_path = public, extra; ' . ($preload ? '' : 'SET client_min_messages = error; ');
	my ($rc, $out, $err) = $node->psql('postgres', $session . sprintf($calls, 1, 4));
	is("$rc $out$err", "0 a|1|failed|b|insert 2|c\na|3|failed|b|insert 4|c", 'the session goes on where it fails for the owner');
	is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE degraded) FROM own.plain_decision'), '4|4', 'of which messages are undecided');
	$node->safe_psql('postgres', 'SET ROLE owner; CREATE TYPE own.thing AS (b text)');
	($rc, $out, $err) = $node->psql('postgres', $session . sprintf($calls, 5, 8));
	is("$rc $out$err", "0 a|5|failed|b|insert 6|c\na|7|failed|b|insert 8|c", 'and where it fails for the session');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM own.plain_decision WHERE verdict = 'malicious' AND NOT degraded}), '4', 'with its messages decided');
	$node->stop;
}

done_testing();
