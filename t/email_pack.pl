# pg_assay_email: the SQL of docs/email_pack.md runs as it is written there; its
# sets are left out of dumps and come back with it, users' rows are dumped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $page = slurp_file("$ENV{ASSAY_TOP}/docs/email_pack.md");
my @blocks = $page =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @blocks, '>=', 5, 'there are examples');

my $node = PostgreSQL::Test::Cluster->new('email');
$node->init;
$node->start;
my $script = $node->basedir . '/page.sql';
append_to_file($script, join("\n", @blocks));
my ($out, $err) = ('', '');
ok(IPC::Run::run([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $script ], '>', \$out, '2>', \$err), 'no error') or diag($err);
like($out, qr/^\s+1 \| malicious\n\s+2 \| safe$/m, 'verdicts');
is($node->safe_psql('postgres', q{SELECT count(*) FROM inbound_decision WHERE degraded}), '0', 'no decision is degraded');
is($node->safe_psql('postgres', q{SELECT string_agg(check_, ' ') FROM (SELECT "check" AS check_ FROM assay.check('inbound') WHERE severity = 'error') c}), '', 'nothing is wrong');

# the demo's report
$node->safe_psql('postgres', q{CREATE TABLE arrival AS SELECT id, from_addr = 'service@pay-alerts.top' AS malicious FROM message});
my $report = $node->safe_psql('postgres', "\\cd $ENV{ASSAY_TOP}/demo\n\\i email_language.sql\n\\i email_report.sql");
like($report, qr/^spam\|1\|100.00\|100.00$/m, 'by folder');
$node->safe_psql('postgres', 'DROP TABLE judged, arrival, common_words; DROP FUNCTION language_of');

# dump and restore
my $state = q{SELECT s.set, s.content, s.extension, s.state, (SELECT count(*) FROM assay.list_entry e WHERE e.set = s.set), (SELECT count(*) FROM assay.phrase_entry e WHERE e.set = s.set)
	FROM assay.named_set s ORDER BY s.set};
my $was = $node->safe_psql('postgres', $state);
my $decided = $node->safe_psql('postgres', q{SELECT s.id, x.verdict, x.score FROM inbound_signals s, assay.score('inbound', s) x ORDER BY 1});
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'dumped');
my $text = slurp_file($dump);
unlike($text, qr/mailinator\.com|verify your account\t/, 'what the extension brings is not in the dump');
like($text, qr/inbound\.trusted\t.*payroll\.example/, 'what the user wrote is');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restored');
is($node->safe_psql('restored', $state), $was, 'sets are as they were');
is($node->safe_psql('restored', q{SELECT s.id, x.verdict, x.score FROM inbound_signals s, assay.score('inbound', s) x ORDER BY 1}), $decided, 'decisions too');
is($node->safe_psql('restored', q{SELECT assay.in_list('inbound.trusted', 'x@payroll.example'), assay.in_list('email.free_mail', 'x@gmail.com')}), 't|t', 'lists answer');
# what was written to a set of the pack is lost so: who owns it hears of it
my $changed = q{SELECT kind, object, severity FROM assay.health WHERE "check" = 'changed'};
is($node->safe_psql('restored', $changed), '', 'no set of the pack was changed');
$node->safe_psql('restored', q{DELETE FROM assay.list WHERE set = 'email.free_mail' AND value = 'gmail.com'});
is($node->safe_psql('restored', $changed), 'list|email.free_mail|info', 'one was');
$node->stop;
done_testing();
