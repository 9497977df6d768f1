# Lists with other backends: what each statement sees, authors who take turns,
# a standby, logical replication, parallel restore; and many random changes
# against a table.
use strict;
use warnings FATAL => 'all';

use List::Util qw(min);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "max_connections = 30\nmax_prepared_transactions = 5\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	SELECT assay.create_list('l', '{public}');
	SELECT assay.create_phrase_set('p', '{public}');
	INSERT INTO assay.list (set, value) VALUES ('l', 'first');
	INSERT INTO assay.phrase (set, name, pattern) VALUES ('p', 'first', 'alpha');
});

# A reader that stays; each query is a statement of its own.
my $reader = $node->background_psql('postgres', on_error_stop => 0);
my $old = $node->background_psql('postgres', on_error_stop => 0);
my $author = $node->background_psql('postgres', on_error_stop => 0);
my $other = $node->background_psql('postgres', on_error_stop => 0);

sub in_list
{
	my ($session, @values) = @_;
	return join '', map { $session->query_safe("SELECT assay.in_list('l', '$_')") } @values;
}

sub add { my ($session, @values) = @_; $session->query_safe("INSERT INTO assay.list (set, value) VALUES " . join ', ', map { "('l', '$_')" } @values); }

is(in_list($reader, 'first', 'second'), 'tf', 'before');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
is(in_list($old, 'first', 'second'), 'tf', 'an older snapshot, before');
$reader->query_safe('BEGIN');
is(in_list($reader, 'second'), 'f', 'in a transaction');
add($author, 'second');
is(in_list($reader, 'first', 'second'), 'tt', 'the next statement of an open transaction sees it');
$reader->query_safe('COMMIT');
is(in_list($old, 'first', 'second'), 'tf', 'an older snapshot does not');
is($old->query_safe(q{SELECT assay.list_state('l')}), '1', 'nor the state');
$old->query_safe('COMMIT');
is(in_list($old, 'first', 'second'), 'tt', 'the next transaction does');
is($reader->query_safe(q{SELECT loads FROM assay.list_cache() WHERE set = 'l'}), '0', 'small lists have no base');

# Statements that follow a look-up do without reading anything, also after
# transactions of others; after news of any set they read one row.
sub probes { return $reader->query_safe(q{SELECT probes FROM assay.list_cache() WHERE set = 'l'}); }
$node->safe_psql('postgres', 'CREATE TABLE noise (i int)');
in_list($reader, 'first');
my $probes = probes();
foreach (1 .. 5)
{
	$node->safe_psql('postgres', 'INSERT INTO noise VALUES (1)');
	in_list($reader, 'first');
}
is(probes(), $probes, 'nothing is read while nothing is new');
add($author, 'news');
in_list($reader, 'first', 'news');
is(probes(), $probes + 1, 'one row is read after news');

# a cursor with an older snapshot beside newer statements
$reader->query_safe(q{BEGIN; DECLARE c CURSOR FOR SELECT assay.in_list('l', 'third') FROM generate_series(1, 3)});
is($reader->query_safe('FETCH c'), 'f', 'cursor');
add($author, 'third');
is(in_list($reader, 'third'), 't', 'a newer statement');
is($reader->query_safe('FETCH c'), 'f', 'the cursor goes on with what it saw');
is(in_list($reader, 'third'), 't', 'and the newer statement too');
$reader->query_safe('COMMIT');

# not committed; rolled back; a state that comes again with other contents
$author->query_safe('BEGIN');
add($author, 'fourth');
is(in_list($author, 'fourth'), 't', 'own change');
is(in_list($reader, 'fourth'), 'f', 'not committed');
my $state = $author->query_safe(q{SELECT assay.list_state('l')});
$author->query_safe('ROLLBACK');
is(in_list($author, 'fourth'), 'f', 'rolled back');
add($other, 'fifth');
is($author->query_safe(q{SELECT assay.list_state('l')}), $state, 'the same state again');
is(in_list($author, 'fourth', 'fifth'), 'ft', 'is another');
is(in_list($reader, 'fourth', 'fifth'), 'ft', 'for all');

# DELETE, TRUNCATE, two-phase commit
$author->query_safe(q{DELETE FROM assay.list WHERE value = 'fifth'});
is(in_list($reader, 'fifth'), 'f', 'deleted');
$author->query_safe('BEGIN');
add($author, 'sixth');
$author->query_safe(q{PREPARE TRANSACTION 'x'});
is(in_list($author, 'sixth') . in_list($reader, 'sixth'), 'ff', 'prepared');
$author->query_safe(q{COMMIT PREPARED 'x'});
is(in_list($author, 'sixth') . in_list($reader, 'sixth'), 'tt', 'committed');

# Authors wait for each other and lose nothing.
$author->query_safe('BEGIN');
add($author, 'a1');
$other->query_until(qr/begun/, "\\echo begun\nINSERT INTO assay.list (set, value) VALUES ('l', 'b1');\n");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted}) or die;
add($author, 'a2');
$author->query_safe('COMMIT');
is($other->query_safe('SELECT 1'), '1', 'the other goes on');
is(in_list($reader, 'a1', 'a2', 'b1'), 'ttt', 'nothing is lost');
$author->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
add($other, 'c1');
$author->query(q{INSERT INTO assay.list (set, value) VALUES ('l', 'a3')});
like($author->{stderr}, qr/could not serialize access/, 'a serialization failure');
$author->{stderr} = '';
$author->query_safe('ROLLBACK');

# a list of the same name that is another, with a greater state
$author->query_safe(q{SELECT assay.create_list('again', '{public}')});
$author->query_safe(q{INSERT INTO assay.list (set, value) VALUES ('again', 'old')});
is($reader->query_safe(q{SELECT assay.in_list('again', 'old')}), 't', 'the one');
$author->query_safe(q{SELECT assay.drop_set('again')});
$author->query_safe(q{SELECT assay.create_list('again', '{public}')});
$author->query_safe(q{INSERT INTO assay.list (set, value) VALUES ('again', 'new')}) foreach 1 .. 3;
is($reader->query_safe(q{SELECT assay.in_list('again', 'old'), assay.in_list('again', 'new'), assay.list_state('again')}), 'f|t|3', 'the other');

# phrase sets likewise
sub hits { my ($session, $content) = @_; return $session->query_safe("SELECT assay.phrase_hits('p', '$content')"); }
is(hits($reader, 'alpha beta'), '{first}', 'phrases');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$author->query_safe(q{INSERT INTO assay.phrase (set, name, pattern) VALUES ('p', 'second', 'beta')});
is(hits($reader, 'alpha beta'), '{first,second}', 'a new phrase');
is(hits($old, 'alpha beta'), '{first}', 'not for an older snapshot');
$old->query_safe('COMMIT');
is(hits($old, 'alpha beta'), '{first,second}', 'then it is');

# Many random changes by two authors, several in a transaction, with rollbacks,
# beside a table that takes the same ones; readers agree with it in each
# snapshot, and as of each state.
$node->safe_psql('postgres', q{
	SELECT assay.create_list('r', '{public}');
	CREATE TABLE model (value text PRIMARY KEY);
	CREATE TABLE past (state bigint, value text);
	CREATE PROCEDURE change(seed int) LANGUAGE plpgsql AS $$
	DECLARE
		low int;
	BEGIN
		PERFORM setseed(seed / 1000.0);
		FOR i IN 1 .. 60 LOOP
			PERFORM FROM assay.named_set s WHERE s.set = 'r' FOR NO KEY UPDATE;
			FOR k IN 1 .. 1 + (random() * 2)::int LOOP
				low := random() * 3000;
				IF random() < 0.6 THEN
					INSERT INTO assay.list (set, value) SELECT 'r', 'v' || v FROM generate_series(low, low + (random() ^ 4 * 900)::int) v;
					INSERT INTO model SELECT 'v' || v FROM generate_series(low, low) v ON CONFLICT DO NOTHING;
					INSERT INTO model SELECT l.value FROM assay.list l WHERE l.set = 'r' ON CONFLICT DO NOTHING;
				ELSE
					DELETE FROM assay.list l WHERE l.set = 'r' AND substr(l.value, 2)::int BETWEEN low AND low + 300;
					DELETE FROM model m WHERE substr(m.value, 2)::int BETWEEN low AND low + 300;
				END IF;
			END LOOP;
			IF random() < 0.2 THEN
				ROLLBACK;
			ELSE
				INSERT INTO past SELECT s.state, m.value FROM assay.named_set s, model m WHERE s.set = 'r' AND i % 10 = 0;
				COMMIT;
			END IF;
		END LOOP;
	END $$;
});
my $wrong = q{SELECT count(*) FROM generate_series(-10, 4000) v LEFT JOIN model m ON m.value = 'v' || v WHERE assay.in_list('r', 'v' || v) <> (m.value IS NOT NULL)};
# the same, but tells what differs, and what the view and the cache say
my $differences = q{WITH looked AS MATERIALIZED (SELECT 'v' || v AS value, assay.in_list('r', 'v' || v) AS found, m.value IS NOT NULL AS stands
		FROM generate_series(-10, 4000) v LEFT JOIN model m ON m.value = 'v' || v)
	SELECT count(*) || format(' in state %s; cache: %s; ', (SELECT s.state FROM assay.named_set s WHERE s.set = 'r'), (SELECT c FROM assay.list_cache() c WHERE c.set = 'r'))
		|| string_agg(format('%s: found %s, in the table %s, in the view %s', l.value, l.found, l.stands,
			EXISTS (SELECT FROM assay.list e WHERE e.set = 'r' AND e.value = l.value)), ', ' ORDER BY l.value)
	FROM looked l WHERE l.found <> l.stands};
my @authors = map { IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c', "CALL change($_)" ], '>', \my $out, '2>', \my $err) } 1, 2;
my ($looks, @bad) = (0);
while (grep { $_->pumpable } @authors)
{
	my $differs = $reader->query_safe($differences);
	push @bad, substr($differs, 0, 500) if $differs ne '';
	$looks++;
	foreach (@authors) { $_->pump_nb if $_->pumpable; }
	last if $looks > 2000;
}
ok($_->finish, 'an author came to the end') foreach @authors;
cmp_ok($looks, '>', 3, 'looked between changes');
is(join("\n", scalar(@bad) . ' looks', @bad[0 .. min(2, $#bad)]), '0 looks', 'readers agree with the table all along');
is($node->safe_psql('postgres', $wrong), '0', 'a new backend too');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM assay.list_base WHERE set = 'r'}), '==', 1, 'it was merged');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT s.state) > 5, count(*) FROM (SELECT DISTINCT state FROM past) s CROSS JOIN generate_series(0, 3999, 7) v
	LEFT JOIN past t ON t.state = s.state AND t.value = 'v' || v WHERE assay.in_list('r', 'v' || v, state => s.state) <> (t.value IS NOT NULL)}), 'f|0', 'as of each state');
cmp_ok($node->safe_psql('postgres', q{SELECT count(DISTINCT state) FROM past}), '>', 5, 'of some');

# Snapshots see a transaction before what it invalidates is told: also then an
# answer is that of its snapshot.  Small changes, one after another, and
# statements that compare.
{
	$node->safe_psql('postgres', q{SELECT assay.create_list('quick', '{public}'); CREATE TABLE differs (session int)});
	my $base = $node->basedir;
	append_to_file("$base/write.sql", q{INSERT INTO assay.list (set, value) VALUES ('quick', 'v' || :client_id);
DELETE FROM assay.list WHERE set = 'quick' AND value = 'v' || :client_id;
});
	append_to_file("$base/compare.sql", q{INSERT INTO differs
SELECT :client_id WHERE assay.list_state('quick') <> (SELECT state FROM assay.named_set WHERE set = 'quick');
});
	my $connection = $node->connstr('postgres');
	my $writers = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-t', 1000000, '-f', "$base/write.sql", $connection ], '>', \my $out, '2>', \my $err);
	my $state = q{SELECT state > 20 FROM assay.named_set WHERE set = 'quick'};
	$node->poll_query_until('postgres', $state) or die;
	$node->command_ok([ 'pgbench', '-n', '-c', 4, '-t', 20000, '-f', "$base/compare.sql", $connection ], 'statements beside small changes');
	ok($writers->pumpable, 'which went on all the while');
	$writers->kill_kill;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM differs'), '0', 'each sees the state of its snapshot');
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgbench'}) or die;
	$node->safe_psql('postgres', q{DROP TABLE differs; SELECT assay.drop_set('quick')});
}

# a standby
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
my $there = $standby->background_psql('postgres');
is(in_list($there, 'first', 'seventh'), 'tf', 'standby');
is(hits($there, 'alpha beta'), '{first,second}', 'standby: phrases');
add($author, 'seventh');
$node->wait_for_catchup($standby);
is(in_list($there, 'first', 'seventh'), 'tt', 'standby: a change');
is($there->query_safe($wrong), '0', 'standby: all');
$there->quit;
$standby->stop;

# logical replication of the tables: first copies in any order, then changes
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->start;
$subscriber->safe_psql('postgres', q{CREATE EXTENSION pg_assay});
my $far = $subscriber->background_psql('postgres', on_error_stop => 0);
$far->query(q{SELECT assay.in_list('l', 'first')});
$node->safe_psql('postgres', q{CREATE PUBLICATION sets FOR TABLE assay.named_set, assay.list_entry, assay.list_base, assay.phrase_entry, assay.phrase_base});
$subscriber->safe_psql('postgres', 'CREATE SUBSCRIPTION sets CONNECTION $$' . $node->connstr('postgres') . '$$ PUBLICATION sets');
foreach (1 .. 200)
{
	$far->query(q{SELECT assay.in_list('l', 'first'), assay.phrase_hits('p', 'alpha')});
	last if $subscriber->safe_psql('postgres', q{SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel}) eq 't';
}
$subscriber->wait_for_subscription_sync($node, 'sets');
$far->{stderr} = '';
is(in_list($far, 'first', 'eighth'), 'tf', 'subscriber: in a session that looked while it came');
is(hits($far, 'alpha beta'), '{first,second}', 'subscriber: phrases');
add($author, 'eighth');
$author->query_safe(q{DELETE FROM assay.list WHERE value = 'first'});
$author->query_safe(q{DELETE FROM assay.phrase WHERE name = 'first'});
$node->wait_for_catchup('sets');
is(in_list($far, 'first', 'eighth'), 'ft', 'subscriber: changes reach the session');
is(hits($far, 'alpha beta'), '{second}', 'subscriber: phrases');
is($far->query_safe(q{SELECT assay.list_state('l')}), $author->query_safe(q{SELECT assay.list_state('l')}), 'subscriber: the same state');

# what was removed and is let go, before sessions have seen it go: they can't catch up by rows
add($author, 'ninth');
$node->wait_for_catchup('sets');
is(in_list($reader, 'ninth') . in_list($far, 'ninth'), 'tt', 'both sessions have loaded it');
$author->query_safe(q{SELECT assay.set_list_retention('l', '1 day')});
$author->query_safe(q{BEGIN; DELETE FROM assay.list WHERE value = 'ninth'; SET LOCAL session_replication_role = replica;
	UPDATE assay.list_entry SET removed_at = now() - interval '2 days', added_at = now() - interval '3 days' WHERE value = 'ninth' AND removed_state IS NOT NULL;});
is($author->query_safe(q{SELECT assay_internal.prune_list('l')}), '1', 'it is let go');
$author->query_safe('COMMIT');
$node->wait_for_catchup('sets');
is($node->safe_psql('postgres', q{SELECT count(*) FROM assay.list_entry WHERE value = 'ninth'}), '0', 'no row is left of it');
is(in_list($reader, 'ninth', 'eighth') . in_list($far, 'ninth', 'eighth'), 'ftft', 'and neither session has it any more');
isnt($subscriber->psql('postgres', q{SELECT assay.in_list('l', 'ninth', at => '2001-01-01')}), 0, 'the subscriber, too, says that it does not know older history');

$far->quit;
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION sets');
$subscriber->stop;

# dump and restore: in parallel; data alone; into a session that looks
$reader->quit; $old->quit; $author->quit; $other->quit;
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'dump');
my $show = q{SELECT string_agg(x, ',' ORDER BY x) FROM (SELECT row_to_json(e)::text AS x FROM assay.list_entry e WHERE set = 'l' UNION ALL SELECT row_to_json(s)::text FROM assay.named_set s UNION ALL SELECT row_to_json(p)::text FROM assay.phrase_entry p) x};
foreach my $jobs (1, 4)
{
	$node->safe_psql('postgres', "CREATE DATABASE restored$jobs");
	$node->command_ok([ 'pg_restore', '-j', $jobs, '-d', $node->connstr("restored$jobs"), $dump ], "restore with $jobs jobs");
	is($node->safe_psql("restored$jobs", $show), $node->safe_psql('postgres', $show), 'the same rows');
	is($node->safe_psql("restored$jobs", $wrong), '0', 'the same answers');
	is($node->safe_psql("restored$jobs", q{SELECT assay.phrase_hits('p', 'alpha beta')}), '{second}', 'the same phrases');
	is($node->safe_psql("restored$jobs", q{INSERT INTO assay.list (set, value) VALUES ('l', 'new'); SELECT assay.in_list('l', 'new')}), 't', 'and it goes on');
}
$node->safe_psql('postgres', q{CREATE DATABASE data_only});
$node->safe_psql('data_only', q{CREATE EXTENSION pg_assay; CREATE TABLE model (value text PRIMARY KEY); CREATE TABLE past (state bigint, value text); CREATE TABLE noise (i int)});
$node->command_ok([ 'pg_restore', '--data-only', '-j', 2, '-d', $node->connstr('data_only'), $dump ], 'restore of data alone');
is($node->safe_psql('data_only', $wrong), '0', 'the same answers');

# without indexes, where rows come in any order: a value that came, went and came
{
	local $ENV{PGOPTIONS} = '-c ignore_system_indexes=on';
	$node->safe_psql('data_only', $_)
	  foreach (q{INSERT INTO assay.list (set, value) VALUES ('l', 'turn')}, q{DELETE FROM assay.list WHERE value = 'turn'}) x 3;
	$node->safe_psql('data_only', q{INSERT INTO assay.list (set, value) VALUES ('l', 'turn')});
	is($node->safe_psql('data_only', q{SELECT assay.in_list('l', 'turn')}), 't', 'without indexes: a value that came again');
	is($node->safe_psql('data_only', $wrong), '0', 'without indexes: the same answers');
}

# other encodings: what is compared is UTF-8, what comes back is the server's
foreach my $encoding ('LATIN1', 'SQL_ASCII')
{
	$node->safe_psql('postgres', "CREATE DATABASE other_\L$encoding\E ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	is( $node->safe_psql("other_\L$encoding\E", q{
		SET client_encoding = 'UTF8';
		CREATE EXTENSION pg_assay;
		SELECT FROM assay.create_list('e');
		INSERT INTO assay.list (set, value, kind) VALUES ('e', 'ÉCOLE', 'exact'), ('e', 'bücher.de', 'domain'), ('e', 'Straße', 'prefix');
		SELECT assay.list_match('e', v) FROM unnest('{école,ecole,www.BÜCHER.de,straße 1}'::text[]) v;
		SELECT FROM assay.create_phrase_set('p');
		INSERT INTO assay.phrase (set, name, pattern) VALUES ('p', 'é', 'ÉCOLE');
		SELECT names, spans FROM assay.phrase_summary('p', 'x école')}),
		$encoding eq 'LATIN1' ? "\xE9cole\n\nxn--bcher-kva.de\nstra\xDFe\n{\xE9}|{{3,7}}" =~ s/([\x80-\xFF])/my $c = $1; utf8::encode($c); $c/ger :
		  "\xC3\xA9cole\n\nxn--bcher-kva.de\nstra\xC3\x9Fe\n{\xC3\xA9}|{{3,8}}", $encoding);
}
is($node->safe_psql('other_sql_ascii', q{SELECT count(*) FILTER (WHERE assay.in_list('e', convert_from(decode(lpad(to_hex(i), 4, '0'), 'hex'), 'SQL_ASCII'))) FROM generate_series(257, 65535) i WHERE i % 256 > 0}), '0', 'any bytes');

$node->stop;
done_testing();
