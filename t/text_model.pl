# Text models: bytes that are broken, sums in random order and in parallel, a
# dump and restore, and two who learn at once.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('text_model');
$node->init(no_data_checksums => 1);    # a byte of a page is changed below, and a checksum (on in 18) would tell first
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\nmax_parallel_workers_per_gather = 2\n");
$node->start;
srand(20241128);

$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE FUNCTION words(i int, n int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
		SELECT string_agg(CASE WHEN j % 3 = 0 THEN 'w' || (hashint4(i * 1000 + j) & 1023) ELSE md5((i * 1000 + j)::text) END, ' ') FROM generate_series(1, n) j $$;
	CREATE TABLE message (id int PRIMARY KEY, at timestamptz, body text);
	INSERT INTO message SELECT i, timestamptz '2024-01-01' + i * interval '20 minutes', words(i, 40) FROM generate_series(1, 6000) i;
	CREATE TABLE label (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
	INSERT INTO label SELECT id, id % 4 = 0, at FROM message;
	CREATE VIEW labelled AS SELECT m.*, malicious FROM message m JOIN label USING (id);
	ALTER TABLE message SET (parallel_workers = 2);
	ALTER TABLE label SET (parallel_workers = 2);
	VACUUM ANALYZE;
});

# ---- sums ------------------------------------------------------------------

for my $what ('malicious, body', q{malicious, body, (id % 7)::real / 3, at, '11 days'})
{
	my $sum = "assay.text_model_agg($what)";
	is( $node->safe_psql(
			'postgres', qq{
		SET max_parallel_workers_per_gather = 0;
		CREATE TEMP TABLE whole AS SELECT $sum AS m FROM labelled;
		SELECT (SELECT assay.text_model_agg($what ORDER BY hashint4(id)) FROM labelled) OPERATOR(assay.=) m,
			(SELECT assay.text_model_agg(p ORDER BY hashint4(g)) FROM (SELECT hashint4(id) % 13 AS g, $sum AS p FROM labelled GROUP BY 1) x) OPERATOR(assay.=) m,
			(SELECT $sum FROM labelled WHERE id % 2 = 0) OPERATOR(assay.+) (SELECT $sum FROM labelled WHERE id % 2 = 1) OPERATOR(assay.=) m,
			m OPERATOR(assay.-) (SELECT $sum FROM labelled WHERE id % 3 = 1) OPERATOR(assay.=) (SELECT $sum FROM labelled WHERE id % 3 <> 1),
			m::text::assay.text_model OPERATOR(assay.=) m
		FROM whole;}),
		't|t|t|t|t',
		"no order or grouping shows in a sum of $what");
	my $parallel = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET enable_sort = off;";
	like($node->safe_psql('postgres', "$parallel EXPLAIN SELECT $sum FROM labelled"), qr/Partial Aggregate/, 'planned in parallel');
	is( $node->safe_psql('postgres', "$parallel SELECT $sum FROM labelled"),
		$node->safe_psql('postgres', "SET max_parallel_workers_per_gather = 0; SELECT $sum FROM labelled"),
		'workers come to the same');
}

# ---- bytes that are broken -------------------------------------------------

# Binary values with some bytes changed, cut or added: taken or refused, but
# whatever is taken can be written, read, added, scored and published.
my $hex = $node->safe_psql('postgres', q{SELECT encode(assay_internal.text_model_send(assay.text_model_agg(malicious, body)), 'hex') FROM labelled WHERE id <= 20});
my $file = $node->basedir . '/broken.copy';
my ($taken, $refused) = (0, 0);
$node->safe_psql('postgres', 'CREATE TABLE broken (m assay.text_model)');
for my $try (1 .. 200)
{
	my $bytes = pack('H*', $hex);
	for (1 .. 1 + int(rand(3)))
	{
		my $at = int(rand(4)) ? int(rand(length($bytes))) : int(rand(60));
		substr($bytes, $at, 1) = chr(int(rand(256)));
	}
	$bytes = substr($bytes, 0, int(rand(length($bytes)))) if rand() < 0.1;
	$bytes .= chr(int(rand(256))) if rand() < 0.1;
	open(my $out, '>:raw', $file) or die;
	print $out "PGCOPY\n\377\r\n\0", pack('NN', 0, 0), pack('n', 1), pack('N', length($bytes)), $bytes, pack('n', 0xffff);
	close($out);
	my ($rc) = $node->psql('postgres', "COPY broken FROM '$file' (FORMAT binary)");
	$rc == 0 ? $taken++ : $refused++;
}
cmp_ok($taken, '>', 0, "of 200 broken values some still hold ($taken)");
cmp_ok($refused, '>', 0, "and some are refused ($refused)");
is( $node->safe_psql(
		'postgres', q{
	CREATE FUNCTION use(m assay.text_model) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM assay.text_score(m, 'w1 w2 w3'), assay.text_model_info(m);
		IF m::text::assay.text_model OPERATOR(assay.<>) m THEN RETURN 'differs'; END IF;
		IF (m OPERATOR(assay.+) m) OPERATOR(assay.-) m OPERATOR(assay.<>) m AND (assay.text_model_info(m)).slope IS NULL THEN RETURN 'sum differs'; END IF;
		PERFORM assay.text_model_publish(m), assay.text_model_agg(m);
		RETURN 'fine';
	EXCEPTION WHEN wrong_object_type OR numeric_value_out_of_range THEN
		RETURN 'fine';
	END $$;
	SELECT use(m), count(*) > 0 FROM broken GROUP BY 1}),
	'fine|t',
	'what is taken can be used');
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server stands');

# Stored bytes are changed behind the server's back: refused, as the digest is another's.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE stored (m assay.text_model);
	ALTER TABLE stored ALTER m SET STORAGE plain;
	INSERT INTO stored SELECT assay.text_model_agg(malicious, body) FROM labelled WHERE id <= 10;
	CHECKPOINT});
my $path = $node->data_dir . '/' . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('stored')});
my $score = q{SELECT assay.text_margin(m, 'w1') FROM stored};
is(($node->psql('postgres', $score))[0], 0, 'a stored value scores');
$node->stop;
open(my $page, '+<:raw', $path) or die;
my $content = do { local $/; <$page> };
my $from = unpack('v', substr($content, 24, 2)) & 0x7fff;    # of the first tuple
substr($content, $from + 24 + 80 + 100, 1) ^= "\x01";        # a byte of its tokens
seek($page, 0, 0);
print $page $content;
close($page);
$node->start;
my ($rc, $out, $err) = $node->psql('postgres', $score);
isnt($rc, 0, 'a value that was changed on disk is refused');
like($err, qr/text model value is corrupt/, '... as corrupt');
# What reads a dump makes a new digest: it must not get there.
($rc, $out, $err) = $node->psql('postgres', 'COPY stored TO STDOUT');
like($err, qr/text model value is corrupt/, 'nor is it dumped');
$node->safe_psql('postgres', 'DROP TABLE stored');

# ---- learning ----------------------------------------------------------------

# Two at once: one waits for the other, and nothing is counted twice.
$node->safe_psql(
	'postgres', q{
	SELECT assay.create_text_model('words', 'message', 'body', 'label', at => 'at', half_life => '30 days', max_bytes => 65536);
	SELECT assay.create_text_model('dropped', 'message', 'body', 'label');});
my ($out1, $out2) = ('', '');
my $first = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{SELECT assay.learn('words')} ], '>', \$out1);
my $second = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{SELECT assay.learn('words')} ], '>', \$out2);
$first->finish;
$second->finish;
is($out1 + $out2, 6000, 'two who learn at once count each message once');
my $right = q{SELECT (SELECT total FROM words_version ORDER BY day DESC LIMIT 1) OPERATOR(assay.=)
	(SELECT assay.text_model_agg(malicious, body, 1, at, '30 days') FROM labelled)};
is($node->safe_psql('postgres', $right), 't', 'and the total is the sum');

# ---- dump and restore ----------------------------------------------------------

# What anybody registers for tables that no dump has: those of a session, which
# lasts as long as the dump, and a table's toast.
my $rows = q{
	SELECT assay_internal.text_model_row(r, ROW(r::text, r, t, r, r, 'x', '{a}', NULL, r, '0', NULL, 1024, NULL, NULL, NULL)::assay.text_model_registry),
		assay_internal.baseline_row(r, ROW(r, r, '{a}', 'b', t, '{a}', '{}', true, '', 'a', t, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '1 day')::assay.baseline) FROM named;
};
$node->safe_psql('postgres', q{CREATE ROLE poisoner; GRANT CREATE ON SCHEMA public TO poisoner});
$node->safe_psql('postgres', qq{
	SET ROLE poisoner;
	CREATE TABLE toasted (a text);
	CREATE TEMP TABLE named AS SELECT c.oid::regclass AS r, c.reltoastrelid::regclass AS t FROM pg_class c WHERE c.relname = 'toasted'; $rows});
my ($said, $answer) = ("SET ROLE poisoner; CREATE TEMP TABLE passing (a text);
	CREATE TEMP TABLE named AS SELECT 'passing'::regclass AS r, 'passing'::regclass AS t; " . ($rows =~ s/,\s*assay_internal\.baseline_row.*(?= FROM named)//sr) . " SELECT 'ready';\n", '');
my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$said, '>', \$answer);
$session->pump until $answer =~ /ready/;
$node->safe_psql('postgres', 'DROP TABLE dropped_version, dropped_counted; DROP VIEW dropped_content');
is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM assay.text_model_registry), (SELECT count(*) FROM assay.baseline)}), '4|1', 'they are registered');

my $states = q{SELECT day, delta, total, published, slope, intercept, changes FROM words_version ORDER BY day};
my $before = $node->safe_psql('postgres', $states);
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-F', 'directory', '-f', $dump, 'postgres' ], 'dumped');
$session->finish;
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-d', 'restored', $dump ], 'restored');
ok($node->safe_psql('restored', $states) eq $before, 'the same versions');
is($node->safe_psql('restored', q{SELECT name, key, at, half_life FROM assay.text_models}), 'words|{id}|at|30 days', 'the same registry');
is($node->safe_psql('restored', q{SELECT string_agg(name, ',') FROM assay.text_model_registry}),
	'words', 'without rows that name what is gone, whose number may be that of another, or what is not dumped');
is($node->safe_psql('restored', q{SELECT count(*) FROM assay.baseline}), '0', 'so with baselines');
$node->safe_psql('restored', q{DELETE FROM label WHERE id <= 100});
is($node->safe_psql('restored', q{SELECT assay.learn('words')}), '100', 'it goes on learning');
is($node->safe_psql('restored', $right), 't', 'and the total is the sum');

# ---- the page of documentation ---------------------------------------------------

my $documentation = slurp_file("$ENV{ASSAY_TOP}/docs/text_model.md");
my @blocks = $documentation =~ /^```sql\n(.*?)^```$/msg;
$node->safe_psql('postgres', 'CREATE DATABASE docs');
$node->safe_psql(
	'docs', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id bigint PRIMARY KEY, received_at timestamptz, subject text, body_text text, headers jsonb, urls text[]);
	INSERT INTO message SELECT i, timestamptz '2024-03-01' + i * interval '1 hour', CASE WHEN i % 3 = 0 THEN 'Cheap pills' ELSE 'Notes' END,
		CASE WHEN i % 3 = 0 THEN 'click now ' ELSE 'see you ' END || i % 9, '{"x-mailer": ["The Bat!"]}', ARRAY['http://example.com/' || i] FROM generate_series(1, 200) i;
	CREATE TABLE inbound_label (id bigint, malicious boolean NOT NULL, source text NOT NULL, labelled_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, labelled_at));
	INSERT INTO inbound_label SELECT id, id % 3 = 0, CASE WHEN id % 10 = 0 THEN 'user-report-7' ELSE 'analyst' END, received_at + interval '1 hour' FROM message;
});
cmp_ok(scalar(@blocks), '>=', 5, 'the page has examples');
my @results = map { $node->safe_psql('docs', $_) } @blocks;
my %score = $results[0] =~ /^(\d+)\|(\S+)$/mg;
ok((!grep { ($_ % 3 == 0) != ($score{$_} > 0) } keys %score) && keys %score == 200, 'the first example tells the two kinds apart');
like($results[1], qr/^mail_version\n200\n/, 'the second learns');
like($results[2], qr/^\d+\|-?[\d.]+$/m, 'the third scores as it was');
like($results[3], qr/^\d+\|0\.\d+\|\[\[".*click/m, 'the fourth is a detector, with tokens in the ledger');
is($node->safe_psql('docs', q{SELECT count(*) FILTER (WHERE (s.text_margin > 0) <> (m.id % 3 = 0)), count(s.text_margin) > 150
	FROM mail_signals s JOIN message m USING (id)}), '0|t', 'the fifth is a signal');
is($node->safe_psql('docs', q{SELECT count(*) FILTER (WHERE abs(assay.margin((assay.score('by_words', s, at => s.received_at)).attribution) + 1 - coalesce(s.text_margin, 0)) > 1e-6)
	FROM mail_signals s}), '0', '... which the detector of weight 1 adds');
is($results[5], '20', 'the sixth takes out a batch');
like($results[-1], qr/^subject: Cheap\|[\d.]+$/m, 'the last explains');

$node->stop;
done_testing();
