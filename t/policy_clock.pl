# The server's clock is set while sessions decide.  What was put off for a minute
# (a detector that failed too often, a policy that could not be had, a fault that
# was told) comes back after a minute, though the clock went back by a day.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use AssayServer;
use Test::More;

plan skip_all => 'the server has no clock of its own' unless $ENV{ASSAY_CLOCK};
my $file = PostgreSQL::Test::Utils::tempdir . '/seconds';

sub set_clocks
{
	my ($day, $steady) = @_;
	open(my $out, '>', "$file.new") or die $!;
	print $out "$day $steady\n";
	close($out);
	rename("$file.new", $file) or die $!;
}

set_clocks(0, 0);
my $node = PostgreSQL::Test::Cluster->new('clock');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off");
{
	local %ENV = %ENV;
	set_clock($file);
	$node->start;
}
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE addends (n int);
	CREATE FUNCTION public.adds(int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN $1 + (SELECT max(n) FROM public.addends); END $$;
	CREATE TABLE message (id int PRIMARY KEY);
	CREATE VIEW signals AS SELECT id FROM message;
	SELECT assay.create_policy('p', 'signals', '{id}', prior => -1);
	SELECT assay.create_detector('p', 'd', 'public.adds(id) > 0', weight => 3, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
	CREATE TABLE other (id int PRIMARY KEY);
	CREATE VIEW other_signals AS SELECT id FROM other;
	SELECT assay.create_policy('o', 'other_signals', '{id}', prior => -1);
	CREATE TRIGGER decide AFTER INSERT ON other REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('o');
	INSERT INTO addends VALUES (1)});

my $session = $node->background_psql('postgres', on_error_stop => 0);
sub value { return $node->safe_psql('postgres', $_[0]) }

$session->query('INSERT INTO message SELECT generate_series(1, 10)');
is(value('SELECT count(*) FROM p_decision WHERE degraded'), '0', 'all is well');

# A day ahead the detector fails, and is left out ...
set_clocks(86400, 0);
is($session->query(q{SELECT now() - (SELECT max(decided_at) FROM p_decision) > interval '23 hours'}), 't', 'the clock is a day ahead');
value('ALTER TABLE addends RENAME TO gone');
$session->query("INSERT INTO message SELECT generate_series($_ * 50, $_ * 50 + 49)") foreach 1 .. 6;
is(value(q{SELECT count(*) FROM assay.fault WHERE suspended}), '1', 'a detector is suspended');
value('DROP VIEW other_signals');
$session->query('INSERT INTO other VALUES (1)');
is(value(q{SELECT count(*) FROM assay.fault WHERE policy = 'o'}), '1', 'and a view is gone');

# ... and the clock is set right.
set_clocks(0, 0);
value('ALTER TABLE gone RENAME TO addends');
$session->query('INSERT INTO message VALUES (501)');
is(value('SELECT degraded FROM p_decision WHERE id = 501'), 't', 'within a minute it is left out');
set_clocks(61, 61);
$session->query('INSERT INTO message VALUES (502)');
is(value('SELECT degraded FROM p_decision WHERE id = 502'), 'f', 'after it, asked again');
$session->query('INSERT INTO other VALUES (2)');
is(value(q{SELECT count(*) FROM assay.fault WHERE policy = 'o'}), '2', 'and what lasts is told again');

# A key comes again, after the clock was set back, while its decision can't be replaced: that one is about another message.
set_clocks(86400, 61);
$session->query('INSERT INTO message VALUES (601)');
set_clocks(61, 61);
value('DELETE FROM message WHERE id = 601');
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK p_decision IN SHARE MODE');
$session->query(q{SET assay.message_budget = '100ms'});
$session->query('INSERT INTO message VALUES (601)');
$holder->query_safe('COMMIT');
$holder->quit;
is(value(q{SELECT string_agg(key::text, ' ') FROM assay.undecided('p')}), '{601}', 'it is undecided');
set_clocks(86401, 62);
value(q{CALL assay.backfill('p', at => NULL, undecided_only => true)});
is(value(q{SELECT count(*) FROM assay.undecided('p')}), '0', 'until the clock has come to it again');

# Counts by hour: decisions of a clock that was set back are counted, at once and where it goes on past its former time.
my $all = q{SELECT sum(hits) = (SELECT count(*) FROM (SELECT DISTINCT id, date_trunc('hour', decided_at) FROM p_decision) d) FROM assay.decision_days WHERE policy = 'p' AND kind = 'verdict'};
value(q{SELECT assay.refresh_rollup('p')});
set_clocks(2 * 86400, 62);
$session->query('INSERT INTO message VALUES (701)');
# twice, so that what the last one looks at is no more than its ten minutes
value(q{SELECT assay.refresh_rollup('p')}) for 1 .. 2;
set_clocks(86402, 62);
$session->query('INSERT INTO message VALUES (702)');
value(q{SELECT assay.refresh_rollup('p')});
is(value($all), 't', 'the rollup has all, with the clock set back');
set_clocks(86402 + 3600, 62);
value(q{SELECT assay.refresh_rollup('p')});
set_clocks(86402 + 1800, 62);
$session->query('INSERT INTO message VALUES (703)');
set_clocks(86402 + 3700, 62);
value(q{SELECT assay.refresh_rollup('p')});
is(value($all), 't', 'also where it has come to its former time again');

$session->quit;
$node->stop;
done_testing();
