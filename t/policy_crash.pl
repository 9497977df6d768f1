# The server is killed at random moments under load: after recovery each
# message has exactly one decision, and no decision is without its message.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, txt text);
	CREATE VIEW signals AS SELECT id, n, txt, length(txt) AS len FROM message;
	SELECT assay.create_policy('crash', 'signals', '{id}', prior => -1);
	SELECT assay.create_detector('crash', 'a', 'len % 3 = 0', weight => 1, mode => 'live');
	SELECT assay.create_detector('crash', 'fails', '1 / (n % 10) > 0', weight => 1, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new
		FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('crash');
});

my $script = $node->basedir . '/insert.sql';
append_to_file($script, q{
\set n random(0, 99)
\set rows random(1, 5)
INSERT INTO message (n, txt) SELECT :n, repeat('x', :n + i) FROM generate_series(1, :rows) i;
});

my $before = 0;
foreach my $round (1 .. 4)
{
	# pgbench ends with an error when the server goes away: that is meant.
	my $load = IPC::Run::start(
		[ 'pgbench', '-n', '-c', '4', '-T', '60', '-f', $script, $node->connstr('postgres') ],
		'>', \my $out, '2>', \my $err);
	$node->poll_query_until('postgres', "SELECT count(*) > $before + 200 FROM message") or die 'nothing is written';
	usleep(int(rand(500_000)));
	$node->stop('immediate') if $round == 4;
	kill 'KILL', $node->{_pid} if $round < 4;
	$load->finish;
	if ($round < 4)
	{
		# the postmaster is dead; until its children are, too, the next one refuses to start
		my $tries = 0;
		do
		{
			usleep(200_000);
			$node->{_pid} = undef;
		} until ($node->start(fail_ok => 1) || ++$tries == 300);
		die 'it does not start again' if $tries == 300;
	}
	else { $node->start }
	my $messages = $node->safe_psql('postgres', 'SELECT count(*) FROM message');
	ok($messages > $before, "round $round: messages were written ($messages)");
	$before = $messages;
	is($node->safe_psql('postgres', q{
		SELECT count(*) FILTER (WHERE d.id IS NULL), count(*) FILTER (WHERE m.id IS NULL)
		FROM message m FULL JOIN crash_decision d USING (id)}), '0|0', "round $round: none without the other");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT FROM crash_decision GROUP BY id HAVING count(*) > 1) t}),
		'0', "round $round: no message has two");
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM crash_decision d, LATERAL (SELECT sum(l.contribution) AS m FROM assay.ledger(d.attribution) l WHERE l.counted) l
		WHERE abs(l.m - assay.margin(d.attribution)) > 1e-9}), '0', "round $round: each ledger adds up");
}
is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM crash_decision WHERE degraded}), 't',
	'some decisions were made without the failing detector');
$node->stop;
done_testing();
