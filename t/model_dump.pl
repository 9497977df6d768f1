# pg_dump of a table of models whose names the database's encoding lacks, and
# its restore into databases of that encoding and of UTF8.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('model_dump');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_->[0] ENCODING '$_->[1]' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
  for ([ 'latin1', 'LATIN1' ], [ 'ascii', 'SQL_ASCII' ], [ 'latin1_again', 'LATIN1' ], [ 'utf8', 'UTF8' ]);

# A Russian name, one in Latin-1, one beyond 16 bits
my $text = '{"pg_assay_model":1,"format":"linear","library":"","objective":"","link":"identity","link_parameters":[1,0],'
  . '"single":false,"start":[0],"bias":[0],"scale":1,"divisor":1,"iterations":0,"best_iteration":-1,"features":['
  . '{"name":"\u0440\u0430\u0437","kind":"numeric"},{"name":"gr\u00f6\u00dfe","kind":"numeric"},'
  . '{"name":"\ud834\udd1e","kind":"text","categories":{"\u20ac":0,"plain":1}}],"weights":[[1,2,3]]}';
for my $database (qw(latin1 ascii))
{
	$node->safe_psql($database, "CREATE EXTENSION pg_assay; CREATE TABLE models (model assay.model); INSERT INTO models VALUES ('$text')");
	my $digest = $node->safe_psql($database, 'SELECT assay.model_digest(model) FROM models');
	is($node->safe_psql($database, "SELECT string_agg(name, ' ') FROM models, assay.model_features(model) WHERE name ~ '^.u'"),
		$database eq 'latin1' ? '\u0440\u0430\u0437 \ud834\udd1e' : '', "$database: names are shown");
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$database.sql";
	command_ok([ 'pg_dump', '-f', $file, '-h', $node->host, '-p', $node->port, $database ], "$database: dump");
	for my $to (qw(latin1_again utf8))
	{
		$node->safe_psql($to, 'DROP TABLE IF EXISTS models; DROP EXTENSION IF EXISTS pg_assay CASCADE; DROP SCHEMA IF EXISTS assay CASCADE');
		$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($to), '-f', $file ], "$database: restored into $to");
		is($node->safe_psql($to, 'SELECT assay.model_digest(model) FROM models'), $digest, 'as the same model');
	}
}

done_testing();
