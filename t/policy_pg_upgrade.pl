# pg_upgrade takes everything along: what was decided, the state of baselines,
# and what a revision says, to the last bit; and goes on from there.
#
# From the same major version, or from that of ASSAY_OLD_INSTALL (its --prefix
# or, on Debian, the folder above its bin), with the settings by which its
# servers find the extension in the file ASSAY_OLD_CONFIG.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use AssayWorld;

# From 18 on, pg_upgrade looks for libraries in the server's own folder only.
my $staged = $ENV{TEMP_CONFIG} && slurp_file($ENV{TEMP_CONFIG}) =~ /^extension_control_path/m;
plan skip_all => 'the library is staged elsewhere, where pg_upgrade does not look' if $staged;

my $install = $ENV{ASSAY_OLD_INSTALL};
my $new = PostgreSQL::Test::Cluster->new('new');
my $old;
{
	local $ENV{TEMP_CONFIG} = $ENV{ASSAY_OLD_CONFIG} if $ENV{ASSAY_OLD_CONFIG};
	$old = PostgreSQL::Test::Cluster->new('old', $install ? (install_path => $install) : ());
	$old->init;
}
# From 18 on, initdb makes checksums of pages, which both or none must have.
$new->init(extra => $install && $new->pg_version >= 18 ? ['--no-data-checksums'] : []);
$_->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_assay'\nfsync = off") foreach $old, $new;
$old->start;
$old->safe_psql('postgres', 'CREATE DATABASE mail');
$old->safe_psql('mail', world_sql());
# a backfill that was interrupted, and one that was not
$old->safe_psql('mail', q{CALL assay.backfill('world', until => '2024-01-20')});

# keys that came again without a decision, lists, and rights
$old->safe_psql('mail', q{CREATE ROLE analyst; SET ROLE mail; SET search_path = "the mail", public;
	SELECT assay.grant_access('world', 'analyst', 'reader'); SELECT assay.create_list('blocked', readers => '{public}');
	INSERT INTO assay.list (set, value) VALUES ('blocked', 'gone'), ('blocked', 's1'); DELETE FROM assay.list WHERE value = 'gone';
	DELETE FROM message WHERE id IN (401, 402); ALTER TABLE world_decision ADD CONSTRAINT none CHECK (score < -1) NOT VALID;
	INSERT INTO message (id, received_at, sender, subject, n) VALUES (401, '2024-03-02', 's1', 'x', 1), (402, '2024-03-02', 's1', 'x', 1);
	ALTER TABLE world_decision DROP CONSTRAINT none});
my @asked = ([ 'undecided' => q{SELECT key FROM assay.undecided('world') ORDER BY 1} ],
	[ 'keys that came again' => q{SELECT key, at FROM assay_internal.reused_key ORDER BY 1} ],
	[ 'check' => q{SELECT severity, "check", detail FROM assay.check('world') WHERE "check" NOT IN ('faults', 'traffic') ORDER BY 1, 2, 3} ],
	[ 'access' => q{SELECT * FROM assay.access WHERE policy = 'world' ORDER BY role COLLATE "C"} ],
	[ 'list' => q{SELECT set, value FROM assay.list ORDER BY 2} ],
	[ 'history of a list' => q{SELECT assay.in_list('blocked', 'gone', state => s), assay.in_list('blocked', 's1') FROM generate_series(1, 2) s} ],
	[ 'triggers of tables' => q{SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgrelid::regclass::text COLLATE "C", tgname} ]);
my %asked = map { $_->[0] => $old->safe_psql('mail', $_->[1]) } @asked;
like($asked{undecided}, qr/401.*402/s, 'keys that came again are undecided');
cmp_ok(length $asked{$_}, '>', 0, "$_ says something") foreach sort keys %asked;

my %before = map { $_->[0] => $old->safe_psql('mail', $_->[1]) } world_queries();
cmp_ok(length $before{$_}, '>', 0, "$_ says something") foreach sort keys %before;
$old->stop;

my $bin = $new->config_data('--bindir');
my $old_bin = $old->config_data('--bindir');
my @upgrade = ('pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $old_bin, '-B', $bin,
	'-s', $new->host, '-p', $old->port, '-P', $new->port);
# it writes into the current folder
chdir $PostgreSQL::Test::Utils::tmp_check or die;
command_ok([ @upgrade, '--check' ], 'pg_upgrade --check: the libraries load');
command_ok(\@upgrade, 'pg_upgrade');

$new->start;
foreach my $q (world_queries())
{
	ok($new->safe_psql('mail', $q->[1]) eq $before{ $q->[0] }, "$q->[0] says the same");
}
is($new->safe_psql('mail', $_->[1]), $asked{ $_->[0] }, "$_->[0] says the same") foreach @asked;
is($new->safe_psql('mail', 'SELECT policy, state, decided > 100 FROM assay.backfill_progress'), 'world|finished|t', 'backfills are remembered');

# the trigger decides, and as score() does
$new->safe_psql('mail', world_insert(25));
# contributions of models are kept from the lowest threshold on, where signals are logged
is($new->safe_psql('mail', q{SET assay.explain_from = 0.5; SELECT count(*), count(*) FILTER (WHERE x.attribution::text = d.attribution::text)
	FROM "the mail".signals s JOIN "the mail".world_decision d USING (id), assay.score('world', s) x WHERE s.id > 410}), '25|25', 'new messages are decided');
is($new->safe_psql('mail', q{SELECT messages FROM assay.stat_policy WHERE policy = 'world'}) >= 25, 1, 'and counted');

# baselines go on, the incremental one from where it was
foreach my $baseline (qw(sender_view sender_table))
{
	$new->safe_psql('mail', qq{SET ROLE mail; SELECT assay.refresh_baseline('"the mail".$baseline')});
}
is($new->safe_psql('mail', q{SELECT count(*) FROM (SELECT DISTINCT ON (sender) sender, history FROM "the mail".sender_table ORDER BY sender, day DESC) t
	FULL JOIN (SELECT sender, assay.activity_agg(received_at) AS history FROM "the mail".message GROUP BY 1) m USING (sender)
	WHERE t.history::text IS DISTINCT FROM m.history::text}), '0', 'each key has its whole history');
is($new->safe_psql('mail', q{SELECT count(*) FROM (SELECT sender, day, history::text FROM "the mail".sender_table EXCEPT SELECT sender, day, history::text FROM "the mail".sender_view) d}), '0', 'table and view agree');

# the policy changes and is taken back, with the history of before
is($new->safe_psql('mail', q{SET ROLE mail; SELECT assay.rollback_policy('world', 3)}) - $new->safe_psql('mail', q{SELECT max(revision) FROM assay.revisions}), 0, 'roll back');
is($new->safe_psql('mail', q{SELECT count(*) FROM assay.policy_diff('world', 3)}), '0', 'to what was');
is($new->safe_psql('mail', q{ALTER EXTENSION pg_assay UPDATE; SELECT count(*) > 0 FROM pg_extension WHERE extname = 'pg_assay'}), 't', 'the extension is of the current version');
done_testing();
