# Decisions out: logical decoding of the decision table and of the outbox by pg_recvlogical, and the outbox as its
# consumers read it.  Whatever order transactions commit in, nothing is passed over.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = PostgreSQL::Test::Cluster->new('decoding');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\nwal_level = logical");
$node->start;
my $recvlogical = $node->config_data('--bindir') . '/pg_recvlogical';
plan skip_all => 'there is no pg_recvlogical' if !-x $recvlogical;
sub value { return $node->safe_psql('postgres', shift) }

value(q{CREATE EXTENSION pg_assay;
	CREATE TABLE message (id bigint PRIMARY KEY, body text);
	CREATE VIEW message_signals AS SELECT id, body FROM message;
	SELECT assay.create_policy('inbound', signals => 'message_signals', key => '{id}', prior => -4);
	SELECT assay.create_detector('inbound', 'wire', condition => $$body ILIKE '%wire%'$$, weight => 8, mode => 'live');
	SELECT assay.create_outbox('inbound', consumers => '{quarantine,webhook}');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound');
	CREATE PUBLICATION decisions FOR TABLE inbound_decision (id, revision, decided_at, verdict, score, degraded), inbound_change WITH (publish = 'insert, update');
	SELECT pg_create_logical_replication_slot('lake', 'pgoutput')});

# ---- pgoutput's messages --------------------------------------------------------

# Reads the text of a relation's row
sub tuple
{
	my ($bytes) = @_;
	my @values;
	for (1 .. unpack 'n', substr $$bytes, 0, 2, '')
	{
		my $kind = substr $$bytes, 0, 1, '';
		push @values, $kind eq 't' ? substr($$bytes, 0, unpack('N', substr $$bytes, 0, 4, ''), '') : undef;
	}
	return @values;
}
sub string { my ($bytes) = @_; $$bytes =~ s/\A([^\0]*)\0//s; return $1 }

# What pg_recvlogical wrote: a list of [xid, table, {column => value}], in the order of commits; half a message at the end is none
sub decoded
{
	my ($bytes) = @_;
	my (%tables, @rows, $xid);
	my $whole = $bytes;
	while (length $bytes)
	{
		my $kind = substr $bytes, 0, 1, '';
		if ($kind eq 'B') { $xid = unpack 'N', substr(substr($bytes, 0, 20, ''), 16, 4) }
		elsif ($kind eq 'C') { substr $bytes, 0, 25, '' }
		elsif ($kind eq 'Y') { substr $bytes, 0, 4, ''; string(\$bytes); string(\$bytes) }
		elsif ($kind eq 'R')
		{
			my $oid = unpack 'N', substr $bytes, 0, 4, '';
			string(\$bytes);
			my $table = string(\$bytes);
			substr $bytes, 0, 1, '';
			my @columns = map { substr $bytes, 0, 1, ''; my $c = string(\$bytes); substr $bytes, 0, 8, ''; $c } 1 .. unpack 'n', substr $bytes, 0, 2, '';
			$tables{$oid} = [ $table, @columns ];
		}
		elsif ($kind eq 'I')
		{
			my ($table, @columns) = @{ $tables{ unpack 'N', substr $bytes, 0, 4, '' } };
			substr $bytes, 0, 1, '';
			my %row;
			@row{@columns} = tuple(\$bytes);
			push @rows, [ $xid, $table, \%row ];
		}
		else { die "unexpected message \"$kind\" at " . (length($whole) - length($bytes)) }
		die 'a message has another end' if substr($bytes, 0, 1, '') ne "\n";
	}
	return @rows;
}

my $file = $node->basedir . '/stream';
sub receive
{
	return IPC::Run::start([ $recvlogical, '-d', $node->connstr('postgres'), '--slot', 'lake', '--start', '-o', 'proto_version=1',
		'-o', 'publication_names=decisions', '-f', shift, '-F', '0.1', '-s', '1' ], '>', \my $out, '2>', \my $err, IPC::Run::timeout(120));
}

# All that the slot has, into a file, to its end
sub receive_all
{
	my ($into) = @_;
	my $lsn = value('SELECT pg_current_wal_insert_lsn()');
	value('SELECT pg_logical_emit_message(true, \'end\', \'\')');
	IPC::Run::run([ $recvlogical, '-d', $node->connstr('postgres'), '--slot', 'lake', '--start', '--endpos', $lsn, '-o', 'proto_version=1',
		'-o', 'publication_names=decisions', '-f', $into ], IPC::Run::timeout(120)) or die 'pg_recvlogical failed';
	return;
}

# ---- the order of commits --------------------------------------------------------

value('INSERT INTO message SELECT i, CASE WHEN i % 2 = 0 THEN \'wire\' ELSE \'hi\' END FROM generate_series(1, 4) i');
my ($early, $late) = map { $node->background_psql('postgres') } 1, 2;
$early->query_safe('BEGIN; INSERT INTO message VALUES (11, \'wire\')');
$late->query_safe('INSERT INTO message VALUES (12, \'wire\')');
is(value('SELECT string_agg(key[1], \' \' ORDER BY change) FROM assay.read_changes(\'inbound\', \'quarantine\')'), '2 4',
	'the outbox: nothing comes before what began earlier and is not committed yet');
$early->query_safe('COMMIT');
is(value('SELECT string_agg(key[1], \' \' ORDER BY o) FROM assay.read_changes(\'inbound\', \'quarantine\') WITH ORDINALITY u(change, key, r, v, n, s, at, o)'), '2 4 11 12',
	'the outbox: then by the order in which they began');
$early->query_safe('BEGIN; INSERT INTO message VALUES (13, \'wire\')');
$early->query_safe('ROLLBACK');
receive_all($file);
my @rows = decoded(slurp_file($file));
is(join(' ', map { $_->[2]{id} } grep { $_->[1] eq 'inbound_decision' } @rows), '1 2 3 4 12 11', 'decoding: by the order of commits, and nothing that was rolled back');
is(join(' ', map { "$_->[2]{consumer}:$_->[2]{id}" } grep { $_->[1] eq 'inbound_change' } @rows),
	'quarantine:2 quarantine:4 webhook:2 webhook:4 quarantine:12 webhook:12 quarantine:11 webhook:11', 'of the outbox, too')
	or note(join ' ', map { "$_->[2]{consumer}:$_->[2]{id}" } grep { $_->[1] eq 'inbound_change' } @rows);
is(join(' ', sort keys %{ $rows[0][2] }), 'decided_at degraded id revision score verdict', 'only columns that were published');
is(join(' ', map { $_->[2]{verdict} } @rows[ 0, 1 ]), 'safe malicious', 'with their values');
my %transactions;
push @{ $transactions{ $_->[0] } }, $_->[1] foreach @rows;
is((grep { my %t = map { $_ => 1 } @$_; keys %t != 2 } values %transactions), 0, 'a decision and its change are of one transaction');
$_->quit foreach $early, $late;

# ---- writers that commit in any order, a reader that is killed ----------------------

my $script = $node->basedir . '/write.sql';
append_to_file($script, <<'SQL');
\set id random(1000, 100000000)
\set wait random(0, 3000)
BEGIN;
INSERT INTO message SELECT :id + i, CASE WHEN i % 3 = 0 THEN 'wire' ELSE 'hi' END FROM generate_series(1, 5) i ON CONFLICT DO NOTHING;
\sleep :wait us
COMMIT;
SQL
my $writers = IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-t', '150', '-f', $script, '-d', $node->connstr('postgres') ], '>', \my $out, '2>', \my $err, IPC::Run::timeout(180));
my (%taken, $twice);
my @parts;
my $reads = 0;
sub consume
{
	my $changes = value('SELECT change FROM assay.read_changes(\'inbound\', \'quarantine\', 40)');
	my @changes = split /\n/, $changes;
	$twice += grep { $taken{$_}++ } @changes;
	value('SELECT assay.take_changes(\'inbound\', \'quarantine\', \'{' . join(',', @changes) . '}\')') if @changes;
	return scalar @changes;
}
for my $n (1 .. 6)
{
	push @parts, "$file.$n";
	my $reader = receive($parts[-1]);
	for (1 .. 5) { consume(); sleep(0.05) }
	$reader->kill_kill(grace => 0);
}
$writers->finish;
is($writers->result(0), 0, 'the writers come to their end') or diag($err);
while (consume()) { }
# a change that a policy makes of what is stored comes out like any other
value(q{SELECT assay.alter_detector('inbound', 'wire', weight => 0.1)});
$node->safe_psql('postgres', q{CALL assay.backfill('inbound', at => NULL)});
while (consume()) { }
is(value('SELECT count(*) FROM inbound_change WHERE consumer = \'quarantine\''), '0', 'the outbox is read to its end');
is(scalar keys %taken, value('SELECT count(*) FROM inbound_change'), 'as much as the other consumer has');
is($twice // 0, 0, 'none twice');
is(value('SELECT count(*) FROM inbound_change WHERE old_verdict = \'malicious\' AND verdict = \'safe\''), value('SELECT count(*) FROM message WHERE body = \'wire\''), 'with those of the backfill');

push @parts, "$file.last";
receive_all($parts[-1]);
# the last message of a part may be cut where its reader was killed
my %seen;
foreach my $part (grep { -e } @parts)
{
	my $bytes = slurp_file($part);
	my @got;
	while (length $bytes)
	{
		last if eval { local $SIG{__WARN__} = sub { die @_ }; @got = decoded($bytes); 1 };
		last if $part eq $parts[-1];
		chop $bytes;
	}
	$seen{"$_->[2]{id}/$_->[2]{revision}"}++ foreach grep { $_->[1] eq 'inbound_decision' } @got;
}
$seen{"$_->[2]{id}/$_->[2]{revision}"}++ foreach grep { $_->[1] eq 'inbound_decision' } @rows;
my %stored = map { $_ => 1 } split /\n/, value('SELECT id || \'/\' || revision FROM inbound_decision');
cmp_ok(scalar keys %stored, '>', 1000, 'there were many');
is(scalar(grep { !$seen{$_} } keys %stored), 0, 'decoding: nothing is passed over, though its reader was killed');
is(scalar(grep { !$stored{$_} } keys %seen), 0, 'and nothing comes that is not there');
done_testing();
