# Random signals views: decisions are the same, to the last bit of ledgers and
# logged signals, whether the signals come from the new rows or are read again.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{ASSAY_SEED} // 1 + int rand 1e9;
srand $seed;
note "ASSAY_SEED=$seed";
my $shapes = $ENV{ASSAY_SHAPES} // 40;

my $node = PostgreSQL::Test::Cluster->new('new_rows');
$node->init;
$node->append_conf('postgresql.conf', 'shared_preload_libraries = pg_assay');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE tenant (tenant int PRIMARY KEY, label text);
	INSERT INTO tenant SELECT i, 'label ' || i FROM generate_series(0, 4) i;
	CREATE FUNCTION cut(x text, n int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN substr(x, 1, n); END';
	CREATE TABLE given AS SELECT i AS id, i % 5 AS tenant, nullif(i % 7, 3) AS n, repeat(md5(i::text), i % 9 * 40) AS body,
		(i / 3.0)::numeric(10,3) AS amount, ARRAY['a', (i % 3)::text] AS tags, timestamptz '2026-01-01' + i * interval '1 hour' AS at
	FROM generate_series(1, 200) i;
});

sub pick { return $_[int rand @_] }

# Columns of m, or expressions over it
my @expressions = ('m.body', 'm.tags', 'm.amount', 'm.at', 'length(m.body)', 'm.n * 2', 'm.amount > 20', "m.tags[2] || 'x'", 'cut(m.body, m.tenant)',
	"coalesce(m.n, -1)::text", "CASE WHEN m.n IS NULL THEN 'none' ELSE 'some' END", "extract(hour FROM m.at AT TIME ZONE 'UTC')", 'lower(m.body) COLLATE "C"',
	'(SELECT count(*) FROM message o WHERE o.tenant = m.tenant AND o.id < m.id)', '(SELECT max(label) FROM tenant x WHERE x.tenant = m.tenant)',
	"ROW(m.n, m.tenant)::text", 'm.n IN (1, 2, 5)', 'm.tags && ARRAY[m.n::text]', "'it''s' || m.id", 'm.fixed', 'm.named',
	'(m.n, m.tenant) < (3, 2)', 'greatest(m.n, m.tenant)', "jsonb_build_object('n', m.n, 'a', m.amount)");
my @odd = ('m::text', 'pg_typeof(m)', 'm.ctid::text', 'pg_column_size(m.body)', 'count(*) OVER ()', 'm.tableoid::regclass::text');
my @sources = ('message m', '(SELECT * FROM message) m', 'inner_view m', '(SELECT id, n, tenant, body, amount, tags, at, fixed, named FROM message WHERE n IS NOT NULL) m',
	'ONLY message m', 'message m(key, n, tenant)', 'w m');
my @joins = ('CROSS JOIN (SELECT 7 AS seven) s', 'LEFT JOIN tenant t ON t.tenant = m.tenant AND t.tenant > 2', 'JOIN tenant t ON t.tenant = m.n',
	'RIGHT JOIN tenant t ON t.tenant = m.tenant', 'FULL JOIN tenant t ON t.tenant = m.tenant', 'LEFT JOIN LATERAL (SELECT o.n AS before FROM message o WHERE o.id < m.id ORDER BY o.id DESC LIMIT 1) h ON true',
	', LATERAL (SELECT m.n + 1 AS more) l', "JOIN LATERAL unnest(m.tags) u(tag) ON u.tag = 'a'");
my @columns = ('id int', 'n int', 'tenant int', 'body text', 'amount numeric(10,3)', 'tags text[]', 'at timestamptz', "fixed char(7) DEFAULT 'abc'", "named varchar(9) DEFAULT 'x''y'", 'dropped int', 'another text');

sub view
{
	my ($odd) = @_;
	my $source = pick(@sources);
	my $key = $source =~ /\(key/ ? 'm.key AS id' : 'm.id';
	my %n;
	my @e = grep { !$n{$_}++ } map { pick(@expressions) } 1 .. 1 + rand 6;
	# system columns are a table's only
	push @e, pick(grep { $source =~ /^message/ || !/ctid|tableoid/ } @odd) if $odd;
	map { s/m\.id\b/m.key/g } @e if $source =~ /\(key/;
	my @j = map { pick(@joins) } 1 .. rand 2;
	map { s/m\.id\b/m.key/g } @j if $source =~ /\(key/;
	my $i = 0;
	my $sql = "SELECT $key, m.n, " . join(', ', map { $i++; "$_ AS \"s $i\"" } @e) . " FROM $source @j";
	$sql .= pick('', '', ' WHERE m.n IS DISTINCT FROM 2', ' WHERE EXISTS (SELECT FROM tenant x WHERE x.tenant = m.tenant)');
	$sql .= ' ORDER BY m.n' if rand() < 0.1;
	$sql = "WITH w AS (SELECT * FROM message)" . $sql if $source eq 'w m';
	return $sql;
}

my ($from_rows, $differ) = (0, 0);
for my $shape (1 .. $shapes)
{
	# the columns in some order, one of them dropped later
	my @c = $shape % 3 ? @columns : sort { rand() <=> 0.5 } @columns;
	my $odd = rand() < 0.15;
	my $view = $shape % 3 ? view($odd) : do { my $v; do { $v = view($odd) } while $v =~ /\(key/; $v };
	my $setup = 'CREATE TABLE message (' . join(', ', @c) . ', PRIMARY KEY (id)); ALTER TABLE message DROP COLUMN dropped;' .
		"CREATE VIEW inner_view AS SELECT * FROM message; CREATE VIEW signals AS $view;" . q{
		SELECT assay.create_policy('p', 'signals', '{id}', prior => 0, log_signals => true);
		SELECT assay.create_detector('p', 'n', 'n > 3', weight => 1, mode => 'live');
		SELECT assay.create_detector('p', 'some', '"s 1" IS NOT NULL AND 10 / (n - 1) > 0', weight => 0.5, mode => 'live');
		CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');};
	my @batches;
	for (my $i = 1; $i <= 100;)
	{
		my $size = pick(1, 1, 2, 3 + int rand 40);
		push @batches, 'INSERT INTO message (id, tenant, n, body, amount, tags, at) SELECT id, tenant, n, body, amount, tags, at FROM given WHERE id BETWEEN ' . "$i AND " . ($i + $size - 1);
		$i += $size;
	}
	my @answers;
	for my $way ('on', 'off')
	{
		my ($ret, $out, $err) = $node->psql('postgres', "SET client_min_messages = warning; $setup SET assay.new_rows = $way;" . join(';', @batches) .
			q{; SELECT '*' || coalesce(assay.reads_again('p', 'message'), 'new rows');
			SELECT '=' || (to_jsonb(d) - 'decided_at')::text FROM p_decision d ORDER BY id;});
		BAIL_OUT("$view: $err") if $err =~ /ERROR/;
		$from_rows++ if $way eq 'on' && $out =~ /^\*new rows$/m;
		push @answers, join "\n", $out =~ /^(=.*)$/mg;
		$node->safe_psql('postgres', q{SET client_min_messages = error; DROP TRIGGER decide ON message; SELECT assay.drop_policy('p', true); DROP TABLE message CASCADE;});
	}
	my $n = () = $answers[0] =~ /^=/mg;
	next if $answers[0] eq $answers[1] && $n >= 100;
	$differ++;
	my @a = split /\n/, $answers[0];
	my @b = split /\n/, $answers[1];
	diag "$view: $n decisions, the first that differ:";
	for my $i (0 .. $#a)
	{
		next if $a[$i] eq ($b[$i] // '');
		diag substr($a[$i], 0, 500) . "\n" . substr($b[$i] // '', 0, 500);
		last;
	}
}
is($differ, 0, 'the same both ways');
cmp_ok($from_rows, '>', $shapes / 3, "from the new rows: $from_rows of $shapes views");
# Virtual columns are no part of a new row.
SKIP:
{
	skip 'no virtual columns', 1 if $node->safe_psql('postgres', 'SHOW server_version_num') < 180000;
	$node->safe_psql('postgres', q{
		CREATE TABLE message (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) VIRTUAL);
		CREATE VIEW signals AS SELECT id, n, twice FROM message;
		SELECT assay.create_policy('p', 'signals', '{id}', prior => 0, log_signals => true);
		CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
		INSERT INTO message VALUES (1, 1), (2, 2);
		INSERT INTO message VALUES (3, 3)});
	is($node->safe_psql('postgres', q{SELECT assay.reads_again('p', 'message'), string_agg(assay.signal(signals, 'twice'), ',' ORDER BY id) FROM p_decision}),
		'the message table has virtual columns|2,4,6', 'virtual columns');
}
$node->stop;
done_testing();
