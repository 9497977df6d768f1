# The SQL of docs/scale.md runs as it is written, on the servers that its blocks
# name, and gives what a comment below a statement shows; decisions come out as it says.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use AssayCitus;

my $page = slurp_file("$ENV{ASSAY_TOP}/docs/scale.md");
my @blocks = $page =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @blocks, '>', 4, 'there are examples');

my $schema = q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id bigint PRIMARY KEY, subject text);
	CREATE VIEW message_signals AS SELECT id, subject FROM message;};
my $trigger = q{CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound')};
my %node;
foreach my $name ('publisher', 'subscriber')
{
	$node{$name} = PostgreSQL::Test::Cluster->new($name);
	$node{$name}->init(allows_streaming => 'logical');
	$node{$name}->start;
	$node{$name}->safe_psql('postgres', $schema);
}
my ($from, $to) = @node{ 'publisher', 'subscriber' };
$from->safe_psql('postgres', q{SELECT assay.create_policy('inbound', 'message_signals', '{id}'); SELECT assay.create_detector('inbound', 'money', $$subject LIKE '%money%'$$, weight => 9, mode => 'live')});
$from->safe_psql('postgres', $trigger);
my $connection = $from->connstr('postgres') =~ s/'/''/gr;

# the tables that the examples of Citus are about
sub coordinator
{
	my ($c, @workers) = citus_cluster();
	$c->safe_psql('postgres', q{SET client_min_messages = error;
		CREATE TABLE message (tenant_id int, id bigint, subject text, from_addr text, PRIMARY KEY (tenant_id, id));
		CREATE TABLE brand (name text PRIMARY KEY, home text NOT NULL);
		CREATE VIEW message_signals AS SELECT m.tenant_id, m.id, m.subject, b.home FROM message m LEFT JOIN brand b ON b.name = m.subject;
		SELECT assay.create_policy('inbound', 'message_signals', '{tenant_id,id}'); SELECT assay.create_detector('inbound', 'money', $$subject LIKE '%money%'$$, weight => 9, mode => 'live')});
	$c->safe_psql('postgres', $trigger);
	$c->safe_psql('postgres', q{INSERT INTO message VALUES (1, 1, 'money')});
	return ($c, @workers);
}

my $shown = 0;
my @citus;
foreach my $block (@blocks)
{
	if ($block =~ /\A-- coordinator\n/)
	{
		next if !citus_is_here();
		@citus = coordinator() if !@citus;
		$node{coordinator} = $citus[0];
	}
	my ($where) = $block =~ s/\A-- (publisher|subscriber|coordinator)\n//r ? $block =~ /\A-- (\w+)/ : ();
	ok(defined $where, 'a block says where it runs') or next;
	$block =~ s/\A--.*\n//;
	$block =~ s/'host=mail-1 dbname=mail'/'$connection'/;
	while ($block =~ /(.*?;)\n((?:--  ?[^\n]*\n)*)/gs)
	{
		my ($statement, $comment) = ($1, $2);
		my @shows = map { s/^-- *//r =~ s/ *\| */|/gr } split /\n/, $comment;
		my ($rc, $out, $err) = $node{$where}->psql('postgres', $statement);

		unlike($err, qr/ERROR|WARNING/, "$where: runs") or diag("$statement: $err");
		next if !@shows;
		# the first line has the names of columns
		is($out, join("\n", @shows[ 1 .. $#shows ]), "$where: shows the result");
		$shown++;
	}
	if ($block =~ /CALL assay\.follow_policies/)
	{
		$to->safe_psql('postgres', $trigger);
		$to->safe_psql('postgres', q{INSERT INTO message VALUES (1, 'money')});
		is($to->safe_psql('postgres', 'SELECT verdict FROM inbound_decision'), 'malicious', 'the subscriber decides');
	}
}
is($shown, @citus ? 3 : 2, 'results are shown');

# decisions out, by the statement that the page has
my ($options) = $page =~ /^pg_recvlogical .* --slot lake --start (.*) -f -$/m;
ok(defined $options, 'the page has the command');
$from->safe_psql('postgres', q{INSERT INTO message VALUES (2, 'money'), (3, 'none')});
my $end = $from->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
my ($stdout, $stderr) = run_command([ 'pg_recvlogical', '-d', $from->connstr('postgres'), '--slot', 'lake', '--start', '--no-loop', '--endpos', $end, split(/ /, $options), '-f', '-' ]);
like($stdout, qr/inbound_decision.*malicious.*safe/s, 'decisions come out of the slot');
unlike($stdout, qr/attribution/, 'without the ledger');
$_->stop foreach @citus, $to, $from;
done_testing();
