# A decision table that is as create_policy() made it refuses nothing, but its
# disk may be full, or its index damaged: messages are stored all the same,
# undecided, by sessions that begin then, and by those that have seen it once.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('damaged');
$node->init;
# Few buffers, so that pages are read again
$node->append_conf('postgresql.conf', "shared_buffers = '128kB'\nautovacuum = off\nfsync = off");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id int PRIMARY KEY);
	CREATE VIEW signals AS SELECT id FROM message;
	SELECT assay.create_policy('p', 'signals', '{id}', prior => -1);
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p')});

my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('INSERT INTO message VALUES (1); INSERT INTO message VALUES (2)');
$node->safe_psql('postgres', 'CHECKPOINT');

# All pages of the index but the first become what no page is.
my $path = $node->data_dir . '/' . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('p_decision_pkey')});
my $size = -s $path;
cmp_ok($size, '>', 8192, 'an index');
open my $file, '+<:raw', $path or die "$path: $!";
seek $file, 8192, 0;
print $file "\xa5" x ($size - 8192);
close $file;

sub stored { return $node->safe_psql('postgres', "SELECT count(*) FROM message WHERE id = $_[0]") }

# Sooner or later the session reads it: one statement is lost, and no other.
my ($id, $lost) = (100, 0);
until ($lost || $id == 300)
{
	$id++;
	$node->safe_psql('postgres', 'SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM pg_attribute WHERE attrelid > 0; SELECT count(*) FROM pg_proc WHERE oid > 0');
	$session->query("INSERT INTO message VALUES ($id)");
	$lost = !stored($id);
}
is($lost, 1, 'a page that cannot be read fails a statement');
foreach (401 .. 403)
{
	$session->query("INSERT INTO message VALUES ($_)");
	is(stored($_), 1, 'what comes behind it is stored');
}
$session->quit;

# Who comes new knows nothing of it.
foreach (['INSERT INTO message VALUES (501)', 501], ['INSERT INTO message VALUES (502), (503)', 503], ["COPY message FROM STDIN;\n504\n505\n\\.\n", 505])
{
	my ($rc, $out, $err) = $node->psql('postgres', $_->[0]);
	is($rc, 0, 'it is stored');
	like($err, qr/stays? without a decision.*the decision cannot be written: /s, 'and told of');
	is(stored($_->[1]), 1, 'at once');
}
is($node->safe_psql('postgres', q{SELECT count(DISTINCT sqlstate), bool_and(sqlstate LIKE 'XX%') FROM assay.fault WHERE policy = 'p'}), '1|t', 'faults');

# What is there of a key that comes again is about another message.
foreach ('INSERT INTO message VALUES (1)', "COPY message FROM STDIN;\n2\n503\n\\.\n")
{
	my ($rc, $out, $err) = $node->psql('postgres', 'DELETE FROM message WHERE id ' . (/VALUES/ ? '= 1' : 'IN (2, 503)') . "; $_");
	is($rc, 0, 'a key that comes again is stored');
}

# Mended
$node->safe_psql('postgres', 'REINDEX TABLE p_decision');
is($node->safe_psql('postgres', q{SELECT string_agg(key[1], ',' ORDER BY key[1]) FILTER (WHERE reason ~ 'before it') FROM assay.undecided('p')}), '1,2', 'found');
$node->safe_psql('postgres', 'INSERT INTO message VALUES (601)');
is($node->safe_psql('postgres', 'SELECT count(*) FROM p_decision WHERE id = 601'), '1', 'decided again');
$node->safe_psql('postgres', q{CALL assay.backfill('p', at => NULL)});
is($node->safe_psql('postgres', q{SELECT count(*) FROM assay.undecided('p')}), '0', 'and the others');
is($node->safe_psql('postgres', q{SELECT assay_internal.drop_reused_keys('p', 'infinity') > 0; SELECT count(*) FROM assay_internal.reused_key}), "t\n0", 'and nothing is left to tell');

# Decisions of a large statement are kept in a file until they are written: it goes, whatever the statement came to ...
$node->safe_psql('postgres', q{
	CREATE TABLE large (id int PRIMARY KEY);
	CREATE VIEW large_signals AS SELECT id, repeat(md5(id::text), 5) AS t FROM large;
	SELECT assay.create_policy('l', 'large_signals', '{id}', log_signals => true);
	SELECT assay.create_detector('l', 'd', 't ~ $$a$$', mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON large REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('l')});
my ($rc, $out, $err) = $node->psql('postgres', q{SET work_mem = '1MB'; INSERT INTO large SELECT generate_series(1, 5000)});
is("$rc|$err", '0|', 'a large statement');
$node->safe_psql('postgres', q{SELECT assay.create_detector('l', 'fails', 'id <> 9999 OR 1 / (id - 9999) = 0', mode => 'live')});
($rc, $out, $err) = $node->psql('postgres', q{SET work_mem = '1MB'; INSERT INTO large SELECT generate_series(5001, 10000)});
is($rc, 0, 'one that is decided a second time, message by message');
unlike($err, qr/leak/, 'of which nothing is left');
is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE degraded) FROM l_decision}), '10000|1', 'all are decided');
# ... and where it may not grow, messages are stored all the same
$node->safe_psql('postgres', 'DELETE FROM large WHERE id = 10000');
($rc, $out, $err) = $node->psql('postgres', q{SET work_mem = '1MB'; SET temp_file_limit = '64kB'; INSERT INTO large SELECT generate_series(10000, 14999)});
is($rc, 0, 'no room for decisions');
like($err, qr/WARNING:  policy "l": 5000 messages stay without a decision\n.*temporary file size exceeds "?temp_file_limit/, 'tells');
unlike($err, qr/leak/, 'and leaves nothing');
is($node->safe_psql('postgres', q{SELECT count(*), min(key[1]::int) FILTER (WHERE reason ~ 'before it') FROM assay.undecided('l')}), '5000|10000', 'a key that comes again is among them');
is($node->safe_psql('postgres', q{SELECT string_agg(key::text, ',') FROM assay_internal.reused_key}), '{10000}', 'which alone is kept');
$node->safe_psql('postgres', q{CALL assay.backfill('l', at => NULL, undecided_only => true)});
is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM large), (SELECT count(*) FROM l_verdict), (SELECT count(*) FROM assay.undecided('l'))}), '14999|14999|0', 'decided later');
# Decisions that replace what is there are put into another file before that is done: where that may not grow, a session that is
# sure of the table stores its messages all the same.
$node->safe_psql('postgres', q{
	CREATE TABLE again (id int PRIMARY KEY);
	CREATE VIEW again_signals AS SELECT id FROM again;
	SELECT assay.create_policy('a', 'again_signals', '{id}');
	CREATE TRIGGER decide AFTER INSERT ON again REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('a');
	INSERT INTO again SELECT generate_series(1, 3000)});
my ($failed, $found) = (0, '');
for (my $limit = 100; $limit <= 700; $limit += 40)
{
	($rc, $out, $err) = $node->psql('postgres', qq{
		DELETE FROM again;
		INSERT INTO again SELECT 5000 + i FROM generate_series(1, 2) i;
		INSERT INTO again SELECT 5002 + i FROM generate_series(1, 2) i;
		SET work_mem = '64kB';
		SET temp_file_limit = '${limit}kB';
		INSERT INTO again SELECT generate_series(1, 3000);
		RESET temp_file_limit;
		SELECT count(*) FROM assay.undecided('a')});
	$failed ||= $rc;
	$found .= " $out" if $out eq '0' || $out eq '3000';
}
is($failed, 0, 'no statement fails, however much room there is');
like($found, qr/^( 3000)*( 0)+$/, 'and its messages are decided, or found');
# replay has nothing to fall back to
($rc, $out, $err) = $node->psql('postgres', q{SET work_mem = '1MB'; SET temp_file_limit = '64kB'; SELECT count(*) FROM assay.replay('l', at => NULL)});
like($err, qr/temporary file size exceeds "?temp_file_limit/, 'nor for a replay');
is($node->safe_psql('postgres', q{SET work_mem = '1MB'; SELECT count(*) FROM assay.replay('l', at => NULL)}), '14999', 'with room');

# A message is read by itself where one can't be read. That the decisions' file may not grow then is no fault of the message
# at hand: its query has a file, too, and behind it there would be room again.
$node->append_conf('postgresql.conf', "shared_buffers = '16MB'\nwork_mem = '64kB'\nmax_parallel_workers_per_gather = 0");
$node->restart;
$node->safe_psql('postgres', 'CREATE DATABASE small');
$node->safe_psql('small', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id int PRIMARY KEY);
	INSERT INTO message SELECT generate_series(1, 700);
	ANALYZE message;
	CREATE VIEW signals AS SELECT id, 1 / (id - 7) AS odd, (SELECT count(*) FROM generate_series(1 + id * 0, 15000)) AS n FROM message;
	SELECT assay.create_policy('p', 'signals', '{id}');
	SELECT assay.create_detector('p', 'd', 'n > 5 AND odd = 0', mode => 'live')});
for my $limit (210, 240)
{
	for my $call (q{CALL assay.backfill('p', batch => 700, at => NULL)}, q{SELECT sum(length(attribution::text)) FROM assay.replay('p', at => NULL)})
	{
		($rc, $out, $err) = $node->psql('small', "SET temp_file_limit = '${limit}kB'; $call");
		like($err, qr/ERROR:  temporary file size exceeds "?temp_file_limit"?/, "no room for decisions read one by one, $limit kB");
	}
}
# An error of the same class that a message's signals raise is that message's, though decisions lie in a file.
$node->safe_psql('small', q{
	CREATE FUNCTION public.lacks(id int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN IF id = 650 THEN RAISE 'no room' USING ERRCODE = '53200'; END IF; RETURN id; END $$;
	CREATE OR REPLACE VIEW signals AS SELECT id, 1 AS odd, public.lacks(id)::bigint AS n FROM message});
$node->safe_psql('small', q{CALL assay.backfill('p', batch => 700, at => NULL)});
is($node->safe_psql('small', q{SELECT count(*), string_agg(id::text, ',') FILTER (WHERE degraded) FROM p_decision}), '700|650', 'a message that takes too much is decided without signals');

# An index of one partition whose expression can't be evaluated any more: the partition can't be looked at.
$node->safe_psql('small', q{
	CREATE TABLE received (at timestamptz NOT NULL DEFAULT now(), id int, PRIMARY KEY (at, id));
	CREATE VIEW received_signals AS SELECT at, id FROM received;
	SELECT assay.create_policy('parts', 'received_signals', '{at,id}', partition => 'month');
	CREATE TRIGGER decide AFTER INSERT ON received REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('parts');
	CREATE TABLE public.setting AS SELECT 1::real AS n;
	CREATE FUNCTION public.setting() RETURNS real IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT n FROM public.setting); END';
	INSERT INTO received (id) VALUES (1);
	DO $$ BEGIN EXECUTE format('CREATE INDEX of_setting ON %s ((score * public.setting()))', (SELECT tableoid::regclass FROM parts_decision)); END $$;
	ALTER TABLE public.setting RENAME TO elsewhere});
($rc, $out, $err) = $node->psql('small', 'INSERT INTO received (id) VALUES (2); INSERT INTO received (id) SELECT generate_series(3, 20); INSERT INTO received (id) VALUES (21)');
is($rc, 0, 'a partition that cannot be looked at fails no INSERT');
like($err, qr/WARNING:  policy "parts": 18 messages stay without a decision\n.*relation "public.setting" does not exist/, 'tells');
$node->safe_psql('small', q{ALTER TABLE public.elsewhere RENAME TO setting; CALL assay.backfill('parts', at => NULL)});
is($node->safe_psql('small', q{SELECT count(*), (SELECT count(*) FROM assay.undecided('parts')) FROM parts_decision}), '21|0', 'decided later');
$node->stop;

# A backend without memory may lose a statement by an error as any other: its session is in no transaction then.
# (The limit is one of addresses, of which sanitizers take all that there are.)
SKIP:
{
	skip 'a server of tools/sanitize', 1 if $ENV{ASSAY_SERVER} || system('prlimit --version >/dev/null 2>&1') != 0;
	$node = PostgreSQL::Test::Cluster->new('short');
	$node->init;
	$node->append_conf('postgresql.conf', "fsync = off\njit = off\nshared_preload_libraries = 'pg_assay'");
	$node->start;
	$node->safe_psql('postgres', q{
		CREATE EXTENSION pg_assay;
		CREATE TABLE message (id int, at timestamptz, body text, PRIMARY KEY (id, at));
		CREATE VIEW signals AS SELECT id, at, body, assay.phrase_hits(assay.phrases('{wire}', '{wire transfer}'), body) AS hits FROM message;
		SELECT assay.create_policy('p', 'signals', '{id,at}', prior => -1, log_signals => true, partition => 'month');
		SELECT assay.create_detector('p', 'd' || i, format('%s / (id - 3) > %s OR hits && ''{wire}''', i, i % 7), weight => 1, mode => 'live') FROM generate_series(1, 30) i;
		CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p')});
	my ($without, @left) = (0);
	for (my $more = 500000; $more <= 5000000; $more += 150000)
	{
		# $more bytes beyond what a session has that has done nothing
		my (undef, $shown, $told) = $node->psql('postgres', qq{
			SELECT pg_backend_pid() AS pid \\gset
			\\setenv PID :pid
			\\! prlimit --pid \$PID --as=\$((\$(awk '/VmSize/ {print \$2 * 1024}' /proc/\$PID/status) + $more)):unlimited
			INSERT INTO message SELECT i, now(), 'a wire transfer ' || i FROM generate_series(1, 200) i;
			\\! prlimit --pid \$PID --as=unlimited:unlimited
			SELECT 'in no transaction' WHERE now() = statement_timestamp()}, on_error_stop => 0);
		$without++ if $told =~ /out of memory/;
		push @left, $more if $shown !~ /in no transaction/;
	}
	note("$without INSERTs had not enough memory");
	is("@left", '', 'no session is left in a transaction');
	$node->stop;
}
done_testing();
