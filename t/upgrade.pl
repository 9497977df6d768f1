# From 0.1.0 to here: what 0.1.0 wrote, loaded from a dump that it made itself
# (../upgrade/README.md), is what it was after ALTER EXTENSION UPDATE, and the
# policies go on; and the catalogue is that of a fresh install.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $from = '0.1.0';
my $top = $ENV{ASSAY_TOP};
my ($to) = slurp_file("$top/pg_assay.control") =~ /^default_version *= *'(.*)'/m;

my $node = PostgreSQL::Test::Cluster->new('upgrade');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\n");
$node->start;

# The parts of the checks, or of their answers: name, text, name, text …
sub parts
{
	my ($head, @parts) = split /^-- \? (.*)\n/m, slurp_file("$top/upgrade/$_[0]");
	return @parts;
}

sub mail
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('old', qq{SET ROLE mail; SET search_path = "the mail", public; SET extra_float_digits = 1; $sql});
	return $rc == 0 ? $out : "ERROR: $err";
}

sub version { return $node->safe_psql('old', q{SELECT extversion FROM pg_extension WHERE extname = 'pg_assay'}); }

$node->safe_psql('postgres', 'CREATE ROLE mail LOGIN; CREATE DATABASE empty; CREATE DATABASE old; CREATE DATABASE new');
is($node->psql('empty', qq{CREATE EXTENSION pg_assay VERSION '$from'; SET standard_conforming_strings = off; ALTER EXTENSION pg_assay UPDATE}, on_error_die => 0), 0,
	"the library has each function that $from names");
$node->safe_psql('postgres', 'CREATE DATABASE planted');
$node->safe_psql('planted', "CREATE EXTENSION pg_assay VERSION '$from'; GRANT CREATE ON SCHEMA assay TO mail");
my (undef, undef, $refused) = $node->psql('planted', 'ALTER EXTENSION pg_assay UPDATE');
like($refused, qr/schema "assay" is not the extension's alone: mail may create/, 'no update where others may plant what it finds first');
$node->safe_psql('planted', 'REVOKE CREATE ON SCHEMA assay FROM mail; ALTER EXTENSION pg_assay UPDATE');

# A table that 0.1.0 lost by its name is told of, and can be told.
$node->safe_psql('postgres', 'CREATE DATABASE renamed');
$node->safe_psql('renamed', qq{CREATE EXTENSION pg_assay VERSION '$from'; CREATE TABLE message (id int PRIMARY KEY); CREATE VIEW signals AS SELECT id FROM message;
	SELECT assay.create_policy('p', 'signals', '{id}'); ALTER TABLE p_decision RENAME TO elsewhere;
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p')});
my (undef, undef, $lost) = $node->psql('renamed', 'ALTER EXTENSION pg_assay UPDATE', on_error_die => 1);
like($lost, qr/WARNING: .*decision table of policy "p" is not found: public.p_decision\nHINT: .*UPDATE assay_internal.policy SET decision/, 'a table that is not found is told of');
unlike($lost, qr/ is lost: /, '... and nothing that is not lost');
(undef, undef, $lost) = $node->psql('renamed', q{SELECT assay.upgrade_policy('p')});
like($lost, qr/decision table of policy "p" does not exist\nHINT: .*UPDATE assay_internal.policy SET decision/, '... again by upgrade_policy()');
$node->safe_psql('renamed', q{UPDATE assay_internal.policy SET decision = 'elsewhere' WHERE policy = 'p'; SELECT assay.upgrade_policy('p'); INSERT INTO message VALUES (1)});
is($node->safe_psql('renamed', 'SELECT id, degraded FROM elsewhere'), '1|f', 'and decides when it is told');

# What users hung on tables that are others now goes with them, which is told; their views of what stays, stay.
$node->safe_psql('postgres', 'CREATE DATABASE hung');
$node->safe_psql('hung', qq{CREATE EXTENSION pg_assay VERSION '$from';
	CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER tell AFTER INSERT ON assay.fault FOR EACH ROW EXECUTE FUNCTION tell();
	CREATE RULE twice AS ON INSERT TO assay.guard DO ALSO SELECT 1; CREATE PUBLICATION config FOR TABLE assay.policy, assay.baseline;
	CREATE VIEW ages AS SELECT baseline, source, lag FROM assay.baseline_info});
(undef, undef, $lost) = $node->psql('hung', 'ALTER EXTENSION pg_assay UPDATE', on_error_die => 1);
is(join(', ', $lost =~ /WARNING: *(.* is lost): that table is another now/g),
	'trigger "tell" on assay.fault is lost, rule "twice" on assay.guard is lost, publication "config" on assay.policy is lost', 'what is lost with a table is told');
is($node->safe_psql('hung', q{SELECT count(*) FROM ages}), '0', 'a view over baseline_info stays');

# A call by 0.1.0's SQL of a function that has more arguments now must not look for them.
$node->safe_psql('new', 'CREATE EXTENSION pg_assay');
$node->safe_psql('postgres', 'CREATE DATABASE older');
$node->safe_psql('older', "CREATE EXTENSION pg_assay VERSION '$from'");
my $functions = q{SELECT p.prosrc || ' ' || p.pronargs FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' JOIN pg_language l ON l.oid = p.prolang WHERE l.lanname = 'c'};
my %now = map { $_ => 1 } split /\n/, $node->safe_psql('new', $functions);
my %symbol = map { (split)[0] => 1 } keys %now;
my @fewer = grep { !$now{$_} && $symbol{ (split)[0] } } split /\n/, $node->safe_psql('older', $functions);
cmp_ok(scalar @fewer, '>=', 4, 'functions have other arguments now');
foreach my $function (@fewer)
{
	my ($symbol, $nargs) = split ' ', $function;
	my $call = $node->safe_psql('older', qq{SELECT CASE prokind WHEN 'p' THEN 'CALL ' ELSE 'SELECT ' END || oid::regproc || '(' ||
		(SELECT string_agg(CASE t WHEN 'int4'::regtype THEN '1' WHEN 'bool'::regtype THEN 'true' WHEN 'timestamptz'::regtype THEN 'now()' ELSE quote_literal('x') END, ', ') FROM unnest(proargtypes) t) || ')'
		FROM pg_proc WHERE prosrc = '$symbol' AND pronargs = $nargs});
	my (undef, undef, $error) = $node->psql('older', $call);
	like($error, qr/belongs to an older version of pg_assay than its library\n.*ALTER EXTENSION pg_assay UPDATE/, "$call is refused");
}

# ---- what 0.1.0 wrote -------------------------------------------------------

$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', "$top/upgrade/world-$from.sql", $node->connstr('old') ],
	"$from installs, and takes its dump");
is(version(), $from, "the extension is of $from");

# A dump that it makes is restored as docs/dump_restore.md says, where its rows would find no table of this version's.
{
	local ($ENV{PGHOST}, $ENV{PGPORT}) = ($node->host, $node->port);
	my $folder = PostgreSQL::Test::Utils::tempdir();
	$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/mail.dump", 'old' ], 'dump');
	$node->safe_psql('postgres', 'CREATE DATABASE restored; CREATE DATABASE without');
	my (undef, $error) = run_command([ 'pg_restore', '--exit-on-error', '-d', 'without', "$folder/mail.dump" ]);
	like($error, qr/cannot copy to view "policy"/, "a dump of $from names no version");
	my ($command) = slurp_file("$top/docs/dump_restore.md") =~ /^```sh\n(pg_restore -f - mail\.dump .*?)^```/ms or die;
	$node->command_ok([ 'bash', '-c', "set -eo pipefail; cd '$folder'; $command" ], 'its restore');
	$node->safe_psql('restored', 'ALTER EXTENSION pg_assay UPDATE');
	is($node->safe_psql('restored', 'SELECT string_agg(policy, chr(32) ORDER BY policy), (SELECT count(*) > 5 FROM assay.detector) FROM assay.policies'), 'strict world|t',
		'... has all policies after the update');
}

# Somebody partitioned a decision table by hand, and made its view anew, as was told.
unlike(mail(q{BEGIN; ALTER TABLE strict_decision RENAME TO strict_decision_old;
	CREATE TABLE strict_decision (LIKE strict_decision_old INCLUDING DEFAULTS, PRIMARY KEY (id, revision)) PARTITION BY HASH (id);
	CREATE TABLE strict_decision_0 PARTITION OF strict_decision FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE strict_decision_1 PARTITION OF strict_decision FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	INSERT INTO strict_decision SELECT * FROM strict_decision_old;
	CREATE OR REPLACE VIEW strict_verdict AS SELECT DISTINCT ON (id) * FROM strict_decision ORDER BY id, revision DESC;
	DROP TABLE strict_decision_old; COMMIT}), qr/ERROR/, 'a decision table is partitioned by hand');

# Mail doesn't wait for the administrator.
my $insert = q{INSERT INTO message (received_at, sender, subject, n)
	SELECT timestamptz '2024-03-10 00:00+00' + i * interval '1 hour', 'later', 'a gift card', 4 FROM generate_series(1, 3) i RETURNING id};
unlike(mail($insert), qr/ERROR/, 'messages between the new library and the UPDATE are stored');
mail(q{DELETE FROM world_decision WHERE id > 73; DELETE FROM strict_decision WHERE id > 73; DELETE FROM message WHERE id > 73});

# A session that has the old library in memory can't insert any more.
open my $other, '|-', 'psql', '-X', '-q', '-d', $node->connstr('old') . ' application_name=old_library' or die;
my $others = q{SELECT pid, application_name FROM pg_stat_activity WHERE datname = 'old' AND pid <> pg_backend_pid() AND backend_type = 'client backend'};
# and those of before have ended
$node->poll_query_until('old', "SELECT count(*) = 1 AND bool_and(application_name = 'old_library') FROM ($others) o") or die;
my $pid = $node->safe_psql('old', "SELECT pid FROM ($others) o");
my (undef, undef, $warned) = $node->psql('old', 'ALTER EXTENSION pg_assay UPDATE', on_error_die => 1);
like($warned, qr/WARNING: .*INSERTs of sessions that used pg_assay before its new library was installed fail until these reconnect\n.*: $pid\.\n/,
	'sessions that may have the library of before are told of');
close $other;
is(version(), $to, "updated to $to");

# ---- the data ---------------------------------------------------------------

my @checks = parts("check-$from.sql");
my %answers = parts("check-$from.out");
cmp_ok(scalar @checks, '>=', 2 * 17, 'there are questions');
is(2 * keys %answers, scalar @checks, 'as many answers');
while (my ($name, $sql) = splice(@checks, 0, 2))
{
	my $expected = delete $answers{$name} // '';
	chomp $expected;
	is(mail($sql), $expected, $name);
}
is_deeply([ keys %answers ], [], 'no answer without a question');

# ---- the policies go on -----------------------------------------------------

unlike(mail($insert), qr/ERROR/, 'new messages are stored');
is(mail(q{SELECT count(*) FROM world_decision WHERE id > 73}), 3, 'decided');
is(mail(q{SELECT count(*) FROM strict_decision WHERE id > 73}), 3, 'by both policies');
is(mail(q{SELECT count(*) FROM signals s JOIN world_decision d USING (id), assay.score('world', s) x WHERE id > 73 AND x.attribution::text = d.attribution::text}),
	3, 'as score() does');
unlike(mail(q{SELECT assay.alter_detector('world', 'money', weight => 3); SELECT assay.rollback_policy('world', 8)}), qr/ERROR/, 'policies can be changed');
unlike(mail(q{SELECT assay.refresh_baseline('sender_view'); SELECT assay.refresh_baseline('sender_table')}), qr/ERROR/, 'baselines are refreshed');
is(mail(q{SELECT assay.events(v.history), assay.events(t.history), t.n FROM sender_view v JOIN sender_table t USING (sender, day) WHERE sender = 'later'}),
	'3|3|3', 'and know the new messages');

# ---- what touches the user's own tables is called for -----------------------

my $logged = q{SELECT id, (signals).sender, (signals).n FROM world_decision WHERE id <= 73 ORDER BY id};
my $before = mail($logged);
unlike($before, qr/ERROR/, 'signals as 0.1.0 logged them');
cmp_ok(() = $before =~ /\n/g, '>', 20, '... of many messages');
# Who may read the views, but not their tables, hears that this ends; a view of the owner's own stays.
$node->safe_psql('old', q{CREATE ROLE reader; CREATE ROLE viewer; GRANT USAGE ON SCHEMA "the mail" TO reader, viewer});
is(mail(q{GRANT SELECT ON world_verdict, world_label_latest, world_decision, world_label TO reader; GRANT SELECT ON world_verdict, strict_label_latest TO viewer;
	REVOKE SELECT ON world_decision FROM PUBLIC;
	ALTER TABLE world_decision ENABLE ROW LEVEL SECURITY; ALTER TABLE world_label ENABLE ROW LEVEL SECURITY;
	CREATE POLICY few ON world_decision FOR SELECT TO reader USING (id = 65); CREATE POLICY none ON world_label FOR SELECT TO reader USING (false);
	SELECT severity, detail FROM assay.check('world') WHERE "check" = 'views'}), q{warning|"the mail".world_label_latest was made by an older version: it reads as its owner, past row-level security of "the mail".world_label
warning|"the mail".world_verdict was made by an older version: it reads as its owner, past row-level security of "the mail".world_decision}, 'check() tells of the views');
is(mail(q{SELECT severity, count(*) FROM assay.check('strict') WHERE "check" = 'views' GROUP BY 1}), 'info|2', 'where no rows are guarded, it matters less');
my $seen = q{SELECT (SELECT count(*) FROM world_verdict) > 1, (SELECT count(*) FROM world_label_latest) > 0};
is($node->safe_psql('old', qq{SET ROLE reader; SET search_path = "the mail", public; $seen}), 't|t', 'who reads them sees all');
my (undef, undef, $told) = $node->psql('old', q{SET ROLE mail; SET search_path = "the mail", public; SELECT assay.upgrade_policy('strict')});
like($told, qr/view "the mail".strict_label_latest now reads with the rights of whoever asks: viewer, who may read it, may not read "the mail".strict_label\n.*GRANT SELECT ON "the mail".strict_label TO viewer/, 'who must be given more is told');
unlike(mail(q{SELECT assay.upgrade_policy('world'); SELECT assay.upgrade_policy('strict'); SELECT assay.upgrade_policy('world')}), qr/ERROR/,
	'tables are brought up to date, and again');
is(mail(q{SELECT id, assay.signal(signals, 'sender'), assay.signal(signals, 'n') FROM world_decision WHERE id <= 73 ORDER BY id}), $before,
	'logged signals are what they were');
unlike(mail($insert =~ s/later/latest/r), qr/ERROR/, 'messages are stored');
is(mail(q{SELECT count(*), count(d.signals) FROM world_decision d JOIN message m USING (id) WHERE m.sender = 'latest'}), '3|3', 'decided, their signals logged');
is(mail(q{SELECT count(*) FROM world_verdict d JOIN message m USING (id) WHERE m.sender = 'latest'}), '3', 'as the view shows');
is(mail(q{SELECT count(*), count(DISTINCT d.tableoid) FROM strict_decision d JOIN message m USING (id) WHERE m.sender = 'latest'}), '3|2', 'the partitioned table has them, too');
is(mail(q{SELECT count(*) FROM assay.check('strict') WHERE "check" IN ('decision table', 'partitions', 'key')}), '0', 'and is well');
is(mail(q{SELECT assay.set_retention('strict', decisions => '100 years') > 0; SELECT assay_internal.apply_retention('strict', 1000)}), "t\n0", 'retention goes by rows there');
is(mail(q{SELECT count(*) FROM pg_views WHERE viewname IN ('world_verdict', 'strict_verdict') AND definition LIKE '%DISTINCT%'}), '0', 'which can use indexes');
is(mail(q{SELECT count(*) FROM pg_indexes WHERE indexdef ~ '_decision USING btree \(decided_at\)$'}), '2', 'by time');
is($node->safe_psql('old', q{SET ROLE reader; SET search_path = "the mail", public; SELECT array_agg(DISTINCT id), (SELECT count(*) FROM world_label_latest) FROM world_verdict}),
	'{65}|0', 'row-level security holds for who reads the views');
is(mail(q{SELECT has_table_privilege('viewer', 'world_verdict', 'SELECT'), has_table_privilege('reader', 'world_verdict', 'SELECT')}), 't|t', 'a view that was made anew has the rights of before');
is(mail(q{SELECT count(*) FROM (SELECT * FROM assay.check('world') UNION ALL SELECT * FROM assay.check('strict')) c WHERE "check" = 'views'}), '0', 'and check() has nothing to tell');
is(mail(q{SELECT role, "right" FROM assay.access WHERE policy = 'world' ORDER BY role COLLATE "C"}), "mail|owner\nreader|reader", 'rights can be given');

# ---- the catalogue ----------------------------------------------------------

my $catalogue = slurp_file("$top/upgrade/catalogue.sql");
my %line;
foreach my $db (qw(empty old new))
{
	$line{$db}{$_} = 1 foreach split /\n/, $node->safe_psql($db, $catalogue);
}
cmp_ok(scalar keys %{ $line{new} }, '>', 1000, 'the catalogue says something');
foreach my $db (qw(empty old))
{
	is(join("\n", grep { !$line{new}{$_} } sort keys %{ $line{$db} }), '', "$db: nothing remains that a fresh install does not have");
	is(join("\n", grep { !$line{$db}{$_} } sort keys %{ $line{new} }), '', "$db: nothing is missing that it has");
}

done_testing();
