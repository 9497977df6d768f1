# Conditions that share what they ask (assay.shared_atoms) decide as each by
# itself does: random policies and rows, a million pairs of a condition and a
# row, and among them conditions that raise errors, which must be the same ones.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('atoms');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\njit = off\nassay.fault_limit = 1000000");
$node->start;
# Rows of few values, so that conditions are true now and then; some are null,
# and some bodies are stored compressed.
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE DOMAIN short AS text CHECK (length(value) < 100);
	CREATE TABLE message (id int PRIMARY KEY, i int, k smallint, n bigint, f float8, g float4, s text, v varchar, body text, b bool, c bool,
		p text[], at timestamptz, d date, z int, w short);
	CREATE FUNCTION pick(id int, what text, n int) RETURNS int LANGUAGE sql IMMUTABLE
		AS $$ SELECT abs(hashtext(id || what)::bigint)::bigint % n $$;
	INSERT INTO message SELECT id, CASE WHEN pick(id, 'i0', 9) > 0 THEN pick(id, 'i', 8) - 2 END, pick(id, 'k', 5),
		CASE WHEN pick(id, 'n0', 9) > 0 THEN (pick(id, 'n', 6) - 2) * 3000000000 END,
		('{NaN,-0,0,1,-1.5,Infinity,-Infinity,2.5,NULL}'::float8[])[1 + pick(id, 'f', 9)], ('{0.1,NaN,-2,7,NULL}'::float4[])[1 + pick(id, 'g', 5)],
		('{a,ab,abc,Abcd,"",xabcx,"İstanbul abc",NULL,user1@x,"K"}'::text[])[1 + pick(id, 's', 10)], ('{a,b,Bob,NULL,wire}'::text[])[1 + pick(id, 'v', 5)],
		CASE WHEN pick(id, 'body0', 9) > 0 THEN repeat('lorem ipsum ', 300) || ('{wire transfer,Gift Card,nothing,ABC}'::text[])[1 + pick(id, 'body', 4)] END,
		('{t,f,NULL}'::bool[])[1 + pick(id, 'b', 3)], ('{t,f,f,f,NULL}'::bool[])[1 + pick(id, 'c', 5)],
		CASE pick(id, 'p', 8) WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN '{a,NULL}' WHEN 3 THEN '{{a,b},{c,d}}' WHEN 4 THEN '{theme1,theme2}'
			WHEN 5 THEN '{b}' WHEN 6 THEN '{NULL}' ELSE ARRAY['theme1', repeat('long', 50), 'c'] END::text[],
		CASE pick(id, 'at', 5) WHEN 0 THEN NULL WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' ELSE timestamptz '2024-01-01' + pick(id, 'at2', 4) * interval '1 day' END,
		date '2024-01-01' + pick(id, 'd', 4), CASE WHEN pick(id, 'z0', 12) > 0 THEN pick(id, 'z', 4) END, ('{a,b,NULL}'::text[])[1 + pick(id, 'w', 3)]
	FROM generate_series(1, 400) id;
	CREATE VIEW signals AS SELECT * FROM message;
	-- what a policy makes of each row, with and without
	CREATE FUNCTION decided(policy text, shared text) RETURNS TABLE (id int, verdict text, score float4, attribution text) LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM set_config('assay.shared_atoms', shared, false);
		RETURN QUERY SELECT m.id, x.verdict, x.score, x.attribution::text FROM signals m, assay.score(policy, m) x;
	END $$;
	-- the same where an error is the caller's: its text is what is compared
	CREATE FUNCTION raised(policy text, shared text) RETURNS TABLE (id int, result text) LANGUAGE plpgsql AS $$
	DECLARE
		r signals;
	BEGIN
		PERFORM set_config('assay.shared_atoms', shared, false);
		FOR r IN SELECT * FROM signals LOOP
			id := r.id;
			BEGIN
				SELECT x.attribution::text INTO result FROM assay.score(policy, r) x;
			EXCEPTION WHEN OTHERS THEN
				result := SQLSTATE || ' ' || SQLERRM;
			END;
			RETURN NEXT;
		END LOOP;
	END $$;
});

# a generator of its own: the same conditions on each machine
my $seed;
sub rnd
{
	my ($n) = @_;
	$seed = ($seed * 1103515245 + 12345) % 2147483648;
	return int($seed / 65536) % $n;
}
sub pick { return $_[ rnd(scalar @_) ]; }

my @compare = ('=', '<>', '<', '<=', '>', '>=');

# What never raises an error
sub total
{
	my ($guards) = @_;
	my $small = rnd(8) - 2;
	my @kinds = (
		sub { "i " . pick(@compare) . " $small" },
		sub { "$small " . pick(@compare) . ' k' },
		sub { 'n ' . pick(@compare) . ' ' . pick('0', '3000000000', '-6000000000', '9223372036854775807') },
		sub { 'f ' . pick(@compare) . ' ' . pick("'NaN'", "'Infinity'", '0', "'-0'", '1', "'-Infinity'", '2.5') },
		sub { 'g ' . pick(@compare) . ' ' . pick("0.1::float4", "0.1::float8", "'NaN'", '7') },
		sub { 'i BETWEEN ' . (rnd(4) - 2) . ' AND ' . rnd(6) },
		sub { "i IN ($small, 3, 5)" },
		sub { "k NOT IN ($small, 3)" },
		sub { "i IN ($small, NULL)" },
		sub { 's = ' . pick("'a'", "'abc'", "''", "'none'") },
		sub { 's IN (' . pick("'a', 'ab'", "'xabcx', ''", "'a', NULL") . ')' },
		sub { 's <> ' . pick("'a'", "'abc'") },
		sub { 'v ' . pick('=', '<>') . ' ' . pick("'a'", "'Bob'") },
		sub { 'v IN (' . pick("'a', 'wire'", "'b', 'c', 'd'") . ')' },
		sub { 'lower(s) = ' . pick("'abc'", "'abcd'", "'k'") },
		sub { 'lower(v) ' . pick("= 'bob'", "IN ('bob', 'a')", "LIKE 'wi%'") },
		sub { 'length(s) ' . pick(@compare) . ' ' . rnd(5) },
		sub { 's ' . pick('LIKE', 'ILIKE', 'NOT LIKE') . ' ' . pick("'%abc%'", "'a%'", "'%BCD'", q{'user%@x'}, "'_b%'") },
		sub { 'lower(s) LIKE ' . pick("'%abc%'", q{'user1@%'}, "'%istanbul%'", "'k%'") },
		sub { 'body ' . pick('ILIKE', 'LIKE') . ' ' . pick("'%wire transfer%'", "'%gift card%'", "'%abc%'") },
		sub { 'length(body) > ' . pick('3000', '3610', '3612') },
		sub { pick('b', 'NOT b', 'c', 'NOT c', 'b IS TRUE', 'b IS NOT TRUE', 'c IS FALSE', 'b IS UNKNOWN', 'b = c') },
		sub { pick('i', 's', 'p', 'at', 'b') . pick(' IS NULL', ' IS NOT NULL') },
		sub { 'p && ' . pick("'{a}'::text[]", "'{b,c}'::text[]", "'{theme1,x}'::text[]", "'{NULL,a}'::text[]", "'{}'::text[]") },
		sub { pick("'a'", "'theme2'", "'none'") . ' = ANY (p)' },
		sub { 'p @> ' . pick("'{a}'::text[]", "'{a,b}'::text[]", "'{}'::text[]", "'{NULL}'::text[]") },
		sub { "'{a,theme1}'::text[] && p" },
		sub { 'at ' . pick(@compare) . ' ' . pick("timestamptz '2024-01-02'", "timestamptz 'infinity'") },
		sub { 'd ' . pick(@compare) . " date '2024-01-0" . (1 + rnd(4)) . "'" },
		sub { 'coalesce(' . pick('b', 'c') . ', ' . pick('true', 'false') . ')' },
		sub { '(' . join(' + ', map { '(' . total($guards) . ')::int' } 1 .. 3) . ') ' . pick('>=', '=', '>', '<') . ' ' . rnd(4) },
		sub { 'w = ' . pick("'a'", "'b'") },
		sub { 'pg_column_size(body) > 1000' },
		sub { 'CASE WHEN b THEN i = 1 ELSE k = 2 END' },
		sub { 'i IS DISTINCT FROM ' . rnd(3) },
		sub { $guards ? pick('', 'NOT ') . 'guard' . rnd($guards) : 'true' },
	);
	return $kinds[ rnd(scalar @kinds) ]->();
}

# What does, on some rows
sub partial
{
	return pick('10 / z > 3', '10 / z >= 3', 'i + 2147483645 > 0', 's::int > 3', 'k::int / (i - 1) = 0', "body ~ 'wire'", "s ~* 'ab.*d'",
		'10 / nullif(z, 2) < 4', '(1 / z > 0)::int + (b)::int > 1', "substr(s, i) = 'a'");
}

sub condition
{
	my ($depth, $errors, $guards) = @_;
	my $kind = $depth > 0 ? rnd(10) : 9;
	return '(' . join($kind < 5 ? ' AND ' : ' OR ', map { condition($depth - 1, $errors, $guards) } 1 .. 2 + rnd(3)) . ')' if $kind < 7;
	return 'NOT ' . condition($depth - 1, $errors, $guards) if $kind == 7;
	return $errors && rnd($errors) == 0 ? partial() : total($guards);
}

sub policy
{
	my ($number, $detectors, $errors) = @_;
	my $sql = "SELECT assay.create_policy('p$number', 'signals', '{id}', prior => 0, on_error => '" . ($errors ? 'raise' : 'degrade') . "');\n";
	$sql .= "SELECT assay.create_guard('p$number', 'guard$_', \$c\$" . condition(1, 0, 0) . "\$c\$);\n" for 0 .. 2;
	for my $i (1 .. $detectors)
	{
		my $more = rnd(20) == 0 ? ', rollout => 0.5' : '';
		$sql .= "SELECT assay.create_detector('p$number', 'd$i', \$c\$" . condition(2, $errors, 3) . "\$c\$, weight => " . ($i % 7 - 3) . ", mode => 'live'$more);\n";
	}
	$sql .= "SELECT assay.exclude('p$number', 'x$_', \$c\$" . condition(2, $errors, 3) . "\$c\$, mutes => '{d$_}', reason => 'test');\n" for 1 .. 3;
	return $sql;
}

# 8 policies of 320 conditions that raise no error
for my $number (1 .. 8)
{
	$seed = 1000 + $number;
	$node->safe_psql('postgres', policy($number, 320, 0));
	is($node->safe_psql('postgres', qq{
		CREATE TEMP TABLE plain AS SELECT * FROM decided('p$number', 'off');
		-- three times, since the choice of what is looked up first changes with what was seen
		CREATE TEMP TABLE shared AS SELECT * FROM decided('p$number', 'on');
		INSERT INTO shared SELECT * FROM decided('p$number', 'on');
		INSERT INTO shared SELECT * FROM decided('p$number', 'on');
		SELECT count(*), count(DISTINCT p.attribution) > 300, count(*) FILTER (WHERE p.attribution IS DISTINCT FROM s.attribution
			OR p.verdict <> s.verdict OR p.score <> s.score), count(*) FILTER (WHERE p.attribution LIKE '%error%' OR p.attribution LIKE '%degraded": true%')
		FROM plain p JOIN shared s USING (id)
	}), '1200|t|0|0', "policy $number");
}

# 40 of 12 conditions, of which some raise errors: the same on the same rows
my ($errors, $results) = (0, 0);
for my $number (101 .. 140)
{
	$seed = $number;
	$node->safe_psql('postgres', policy($number, 12, 20 + $number % 40));
	my ($different, $raised, $fine) = split /\|/, $node->safe_psql('postgres', qq{
		CREATE TEMP TABLE plain AS SELECT * FROM raised('p$number', 'off');
		CREATE TEMP TABLE shared AS SELECT * FROM raised('p$number', 'on');
		SELECT count(*) FILTER (WHERE p.result IS DISTINCT FROM s.result), count(*) FILTER (WHERE p.result ~ '^[0-9A-Z]{5} '),
			count(*) FILTER (WHERE p.result !~ '^[0-9A-Z]{5} ') FROM plain p JOIN shared s USING (id)
	});
	is($different, 0, "policy $number: errors and results");
	$errors += $raised;
	$results += $fine;
}
cmp_ok($errors, '>', 1000, 'errors were raised');
cmp_ok($results, '>', 1000, 'and not on all rows');
note("$errors errors, $results results");
$node->stop;
done_testing();
