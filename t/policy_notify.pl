# Notifications of decisions with chosen verdicts: what they say, that they
# keep to the transaction, and that nothing about them fails an INSERT.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 2\ntimezone = 'Asia/Kolkata'");
$node->start;
my $policy = 'p' x 48 . "\xc3\xbc";
my $channel = "assay_$policy";
$node->safe_psql('postgres', qq{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id text PRIMARY KEY, n int);
	CREATE VIEW signals AS SELECT id, n FROM message;
	SELECT assay.create_policy('$policy', 'signals', '{id}', prior => 0, thresholds => '{"suspicious": 0.6, "bad \\"one\\"": 0.9}', notify => '{"bad \\"one\\""}');
	SELECT assay.create_detector('$policy', 'some', 'n > 0', weight => 1, mode => 'live');
	SELECT assay.create_detector('$policy', 'more', 'n > 1', weight => 4, mode => 'live');
	SELECT assay.create_detector('$policy', 'fails', '1 / (n - 7) > 9', weight => 4, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('$policy')});

# the payloads that a session receives for what it does itself
sub told
{
	my ($sql) = @_;
	my $out = $node->safe_psql('postgres', "LISTEN \"$channel\"; $sql; SELECT pg_notify('$channel', 'end')");
	my @payloads = $out =~ /Asynchronous notification "\Q$channel\E" with payload "(.*)" received from server process/g;
	is(pop @payloads, 'end', 'all were received');
	return join("\n", @payloads);
}

is(told("INSERT INTO message VALUES ('a', 0), ('b', 1), ('c\"\\', 2)"),
	qq({"policy": "$policy", "key": ["c\\"\\\\"], "verdict": "bad \\"one\\"", "score": 0.9933072, "revision": 4, "degraded": false}),
	'of the chosen verdict alone, as JSON');
my $json = told("INSERT INTO message VALUES ('d', 7)");
is($node->safe_psql('postgres', "SELECT '$json'::json->>'degraded', '$json'::json->>'score' = (SELECT score::text FROM \"${policy}_verdict\" WHERE id = 'd')"), 'true|t', 'a degraded decision too');
is(told("BEGIN; INSERT INTO message VALUES ('e', 2); ROLLBACK"), '', 'nothing of what is rolled back');
is(told("BEGIN; SAVEPOINT s; INSERT INTO message VALUES ('f', 2); ROLLBACK TO s; INSERT INTO message VALUES ('g', 2); COMMIT") =~ /"key": \["(.)"\]/g ? $1 : '', 'g', 'nor of a savepoint');
is(join(' ', told("BEGIN; INSERT INTO message VALUES ('A', 2); SAVEPOINT s; SAVEPOINT t; INSERT INTO message VALUES ('B', 2); RELEASE t; INSERT INTO message VALUES ('C', 2); ROLLBACK TO s; SAVEPOINT u; INSERT INTO message VALUES ('D', 2); RELEASE u; COMMIT") =~ /"key": \["(.)"\]/g), 'A D', 'nor of one below it');

# a transaction that would have sent one can be prepared, and sends none
is(told("BEGIN; INSERT INTO message VALUES ('E', 2); PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'"), '', 'nothing of a prepared transaction');
is($node->safe_psql('postgres', "SELECT verdict FROM \"${policy}_verdict\" WHERE id = 'E'"), 'bad "one"', 'whose decision is there');
# A fault that is kept leaves alone what lastval() says of a temporary sequence: one look at that, and nothing can be prepared.
is(($node->psql('postgres', q{
	CREATE TEMP SEQUENCE passing;
	SELECT nextval('passing');
	BEGIN;
	INSERT INTO message VALUES ('F', 7);
	PREPARE TRANSACTION 'y';
	COMMIT PREPARED 'y'}))[0], 0, 'a transaction with a fault can be prepared in a session that has drawn from a temporary sequence');
is($node->safe_psql('postgres', "SELECT degraded FROM \"${policy}_verdict\" WHERE id = 'F'"), 't', '... and the fault it is');

# many in one statement; one that fails sends the others once
is(scalar(() = told("INSERT INTO message SELECT 'm' || i, 2 FROM generate_series(1, 1000) i") =~ /"key"/g), 1000, 'one for each message');
is(scalar(() = told("INSERT INTO message SELECT 'f' || i, 7 - (i <> 50)::int FROM generate_series(1, 100) i") =~ /"key"/g), 100, 'once each, where one fails');

# a decision that its table refuses is not told of, alone, among others, or in a chunk
$node->safe_psql('postgres', "ALTER TABLE \"${policy}_decision\" ADD CONSTRAINT picky CHECK (id !~ '^x')");
is(told("INSERT INTO message VALUES ('x', 2)"), '', 'nothing of a decision that was refused');
is(join(' ', sort(told("INSERT INTO message VALUES ('x1', 2), ('y1', 2), ('x2', 2), ('y2', 2), ('z', 0)") =~ /"key": \["(..?)"\]/g)), 'y1 y2', 'nor among others');
$node->safe_psql('postgres', "ALTER TABLE \"${policy}_decision\" DROP CONSTRAINT picky");

# A key is left out where the payload would be too long: at the last byte.
my $rest = length(told("INSERT INTO message VALUES ('', 2)"));
my $limit = 7999 - $rest;
like(told("INSERT INTO message VALUES (repeat('k', $limit), 2)"), qr/"key": \["k{$limit}"\]/, 'a key that just fits');
like(told("INSERT INTO message VALUES (repeat('k', $limit + 1), 2)"), qr/"key": null, "verdict"/, 'one byte more');

# the setting is part of a revision
is($node->safe_psql('postgres', "SELECT assay.alter_policy('$policy', notify => '{safe,suspicious}')"), '5', 'another revision');
is($node->safe_psql('postgres', "SELECT attribute, old, new FROM assay.policy_diff('$policy', 4)"), 'notify|["bad \"one\""]|["safe", "suspicious"]', 'which differs');
is(join(' ', told("INSERT INTO message VALUES ('h', 0), ('i', 1), ('j', 2)") =~ /"key": \["(.)"\]/g), 'h i', 'verdicts without and with a threshold');
$node->safe_psql('postgres', "SELECT assay.rollback_policy('$policy', 4)");
is(join(' ', told("INSERT INTO message VALUES ('k', 0), ('l', 1), ('m', 2)") =~ /"key": \["(.)"\]/g), 'm', 'and goes back');
is($node->safe_psql('postgres', "SELECT count(*) FROM assay.policy_export('$policy') d, assay.policy_import(d, 'copy', dry_run => false)"), '21', 'an export');
is($node->safe_psql('postgres', "SELECT notify FROM assay.policies WHERE policy = 'copy'"), '{"bad \"one\""}', 'brings it along');
is(told("INSERT INTO message VALUES ('n', 2); SELECT assay.alter_policy('$policy', notify => '{}'); INSERT INTO message VALUES ('o', 2)") =~ /"key": \["(.)"\]/g ? $1 : '', 'n', 'no more');
foreach my $bad ('{unknown}', '{NULL}', '{{safe},{safe}}')
{
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT assay.alter_policy('$policy', notify => '$bad')");
	like($err, qr/notify (names a verdict "unknown"|must be a plain list)/, "not $bad");
}
my ($rc, $out, $err) = $node->psql('postgres', "SELECT assay.alter_policy('$policy', notify => '{suspicious}'); SELECT assay.alter_policy('$policy', thresholds => '{\"bad\": 0.9}')");
like($err, qr/notify names a verdict "suspicious"/, 'a verdict that is told of stays');

# replay, score() and backfill tell nothing
$node->safe_psql('postgres', "SELECT assay.alter_policy('$policy', notify => '{\"bad \\\"one\\\"\"}')");
is(told("SELECT count(*) FROM signals s, assay.score('$policy', s); CALL assay.backfill('$policy', at => NULL)"), '', 'nothing of past messages');

# a message without a key stays without a decision
$node->safe_psql('postgres', 'ALTER TABLE message DROP CONSTRAINT message_pkey; ALTER TABLE message ALTER id DROP NOT NULL');
is(told('INSERT INTO message VALUES (NULL, 2)'), '', 'nothing of a message without a key');
$node->stop;

# Who listens, and stays in a transaction, lets anybody fill the queue: messages come in all the same.
SKIP:
{
	skip 'the queue is 8 GB', 4 if $node->pg_version < 17;
	my $small = PostgreSQL::Test::Cluster->new('small_queue');
	$small->init;
	$small->append_conf('postgresql.conf', 'max_notify_queue_pages = 64');
	$small->start;
	$small->safe_psql('postgres', q{
		CREATE EXTENSION pg_assay;
		CREATE TABLE message (id int PRIMARY KEY);
		CREATE VIEW signals AS SELECT id FROM message;
		SELECT assay.create_policy('p', 'signals', '{id}', prior => 0, notify => '{suspicious}');
		CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
		CREATE ROLE stranger LOGIN});
	my $listener = $small->background_psql('postgres', extra_params => [ '-U', 'stranger' ]);
	$listener->query_safe('LISTEN mine; BEGIN; SELECT 1;');
	my ($rc, $n) = (0, 0);
	($rc) = $small->psql('postgres', "SELECT pg_notify('mine', repeat('x', 7900) || g) FROM generate_series($n, $n + 9) g", extra_params => [ '-U', 'stranger' ])
		while $rc == 0 && ($n += 10) < 1000;
	isnt($rc, 0, 'the queue is full');
	is($small->psql('postgres', 'INSERT INTO message VALUES (1); INSERT INTO message VALUES (2), (3)'), 0, 'messages come in');
	is($small->safe_psql('postgres', "SELECT string_agg(id || ' ' || degraded, ', ' ORDER BY id) FROM p_decision"), '1 false, 2 false, 3 false', 'and are decided');
	is($small->safe_psql('postgres', 'SELECT DISTINCT sqlstate, message FROM assay.fault'), '54000|nobody is told of the decision: the queue of notifications is more than half full', 'a fault tells');
	$listener->quit;
	# it holds the queue until its backend is gone, too
	$small->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'stranger'}) or die 'it does not go';

	# more in one transaction than the queue takes: there was room for each of them
	is($small->psql('postgres', 'BEGIN; INSERT INTO message SELECT generate_series(1001, 5000); INSERT INTO message SELECT generate_series(5001, 9000); COMMIT'), 0, 'messages come in that nobody can be told of');
	is($small->safe_psql('postgres', 'SELECT count(*) FROM p_decision WHERE id > 1000'), 8000, 'and are decided');
	like(slurp_file($small->logfile), qr/nobody is told of 8000 decisions, since the queue/, 'the log tells');
	like($small->safe_psql('postgres', 'LISTEN assay_p; INSERT INTO message SELECT generate_series(10001, 10200)'), qr/(Asynchronous notification.*\n?){200}/, 'the next are told of');
	$small->stop;
}
done_testing();
