# A session that outlives the extension: what it keeps of one that was dropped
# is nothing to the next, however often that happens.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('node');
$node->init;
$node->start;
my $session = $node->background_psql('postgres', on_error_stop => 1);

my $world = q{
	SET client_min_messages = error;
	CREATE EXTENSION pg_assay;
	SET search_path = public, assay;
	CREATE TABLE message (id int PRIMARY KEY, n int, sender text, body text);
	CREATE VIEW signals AS SELECT id, n, n::float8 AS x, sender, body FROM message;
	SELECT create_list('senders'), create_phrase_set('words');
	INSERT INTO list (set, value) VALUES ('senders', 'sender LIFE');
	INSERT INTO phrase (set, name, pattern) VALUES ('words', 'LIFE', 'word LIFE');
	SELECT create_policy('p', 'signals', '{id}', prior => -1, log_signals => true);
	SELECT create_detector('p', 'sender', $$in_list('senders', sender)$$, weight => 1, mode => 'live');
	SELECT create_detector('p', 'word', $$phrase_hits('words', body) <> '{}'$$, weight => 1 / 8.0 + LIFE, mode => 'live');
	SELECT create_detector('p', 'model', model => model_from_linear('{x}', '{LIFE}', -0.25, 'logistic'), mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new
		FOR EACH STATEMENT EXECUTE FUNCTION decide('p')};

sub insert
{
	my ($life, $from) = @_;
	return qq{INSERT INTO message SELECT $from + i, i, 'sender ' || life, 'a word ' || life
		FROM generate_series(1, 8) i, LATERAL (SELECT $life - i % 2 AS life) l};
}

# Each time the session decides as a new one does, also by what changes later.
foreach my $life (1 .. 4)
{
	$node->safe_psql('postgres', $world =~ s/LIFE/$life/gr);
	$session->query_safe(insert($life, 0));
	$node->safe_psql('postgres', insert($life, 100));
	# rows that a superuser puts there, as a restored dump's, are told of by their table alone
	$node->safe_psql('postgres', qq{
		INSERT INTO assay.list_entry SELECT set, kind, tenant, 'late', 'late', added_state, NULL, added_at, NULL, NULL, author FROM assay.list_entry;
		INSERT INTO assay.phrase (set, name, pattern) VALUES ('words', 'late', 'late')});
	my $late = q{INSERT INTO message VALUES (FROM + 9, 0, 'late', ''), (FROM + 10, 0, '', 'it is late'), (FROM + 11, 0, 'late', 'late')};
	$session->query_safe($late =~ s/FROM/0/gr);
	$node->safe_psql('postgres', $late =~ s/FROM/100/gr);
	is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE a.score = b.score AND a.attribution::text = b.attribution::text
			AND a.signals IS NOT NULL AND NOT a.degraded), count(DISTINCT a.score) > 4 FROM p_decision a JOIN p_decision b ON b.id = a.id + 100}),
		'11|11|t', "decided alike: $life");
	is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM assay.fault), (SELECT count(*) FROM assay.undecided('p'))}), '0|0', "nothing failed: $life");
	$node->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION pg_assay CASCADE');
	# what that leaves holds decisions: a policy of the name is refused, and says by what, once
	if ($life == 1)
	{
		my $again = q{SET client_min_messages = error; CREATE EXTENSION IF NOT EXISTS pg_assay; SELECT assay.create_policy('p', 'signals', '{id}')};
		my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$again");
		my @left = split /\n/, $node->safe_psql('postgres', q{SELECT relname FROM pg_class WHERE relname LIKE 'p\\_%' AND relkind IN ('r', 'v') ORDER BY 1});
		cmp_ok(scalar @left, '>=', 3, "what is left: @left");
		like($err, qr/ERROR:  42P07: policy "p" cannot have its tables: there are public.p_decision, public.p_label/, 'a policy of that name is refused');
		like($err, qr/\b$_\b/, "by $_") foreach @left;
		like($err, qr/HINT:  Take another name or schema, or rename them/, 'with a hint');
		is($node->safe_psql('postgres', 'SELECT count(*) FROM p_decision'), '22', 'the decisions stay');
		is($node->safe_psql('postgres', q{SET client_min_messages = error; CREATE SCHEMA elsewhere; SELECT assay.create_policy('p', 'signals', '{id}', schema => 'elsewhere')}), '1', 'elsewhere it is taken');
		$node->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION pg_assay CASCADE; DROP SCHEMA elsewhere CASCADE');
	}
	$node->safe_psql('postgres', 'SET client_min_messages = error; DROP TABLE message, p_decision, p_label CASCADE');
	$node->safe_psql('postgres', 'DROP VIEW IF EXISTS p_policy');
}

# An extension that was rolled back in the session itself is gone, and the next one works.
is($session->query_safe(q{BEGIN; CREATE EXTENSION pg_assay; SELECT assay.create_list('undone') IS NULL; INSERT INTO assay.list (set, value) VALUES ('undone', 'a');
	SELECT assay.in_list('undone', 'a'); ROLLBACK; CREATE EXTENSION pg_assay; SELECT count(*) FROM assay.named_set;
	SELECT assay.create_list('undone') IS NULL; SELECT assay.in_list('undone', 'a')}) =~ s/\s+/ /gr, 't t 0 t f', 'rolled back, and made again');
$session->quit;
done_testing();
