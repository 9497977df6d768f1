# A policy, its revisions, decisions and labels survive dump and restore, and
# decide alike afterwards; a standby scores.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE mail;
	CREATE DATABASE source;
	CREATE DATABASE target;
});
$node->safe_psql('source', q{
	CREATE EXTENSION pg_assay;
	GRANT CREATE ON SCHEMA public TO mail;
	SET ROLE mail;
	CREATE TABLE message (id int PRIMARY KEY, n int);
	CREATE VIEW signals AS SELECT id, n, n::float8 AS x FROM message;
	SELECT assay.create_policy('dumped', 'signals', '{id}', prior => -1, log_signals => true);
	SELECT assay.create_detector('dumped', 'a', 'n > 5', weight => 1.25, mode => 'live', tags => '{t}');
	SELECT assay.create_detector('dumped', 'm', model => assay.model_from_linear('{x}', '{0.5}', -0.25, 'logistic'), mode => 'live');
	SELECT assay.alter_detector('dumped', 'a', weight => 2);
	SELECT assay.create_guard('dumped', 'g', 'n = 7');
	SELECT assay.exclude('dumped', 'e', 'g', mutes => '{a}', reason => 'test');
	INSERT INTO dumped_label (id, malicious, source, labelled_at) SELECT i, i % 2 = 0, 'test', '2024-01-01 00:00Z' FROM generate_series(1, 10) i;
	CREATE VIEW learnt AS SELECT id, CASE WHEN id % 2 = 0 THEN 'even' ELSE 'odd' END AS word FROM generate_series(1, 10) id;
	SELECT assay.create_text_model('parity', 'learnt', 'word', 'dumped_label'), assay.learn('parity');
	SELECT assay.create_detector('dumped', 't', text_model => 'parity', text => $$CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END$$, mode => 'live');
	SELECT assay.create_list('listed');
	INSERT INTO assay.list (set, value) VALUES ('listed', '7');
	SELECT assay.create_detector('dumped', 'l', 'in_list(''listed'', n::text)', mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new
		FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('dumped');
	INSERT INTO message SELECT i, i FROM generate_series(1, 10) i;
	INSERT INTO dumped_label (id, malicious, source) VALUES (7, true, 'test');
});
# a key that came again while its decision could not be replaced
$node->safe_psql('source', q{
	ALTER TABLE dumped_decision ADD CHECK (id <> 3) NOT VALID;
	DELETE FROM message WHERE id = 3;
	INSERT INTO message VALUES (3, 3);
	ALTER TABLE dumped_decision DROP CONSTRAINT dumped_decision_id_check});
my $dump = $node->basedir . '/source.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('source') ], 'dump');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('target') ], 'restore');

my $state = q{
	SELECT row_to_json(p)::text FROM assay.policy p
	UNION ALL SELECT row_to_json(r)::text FROM assay.revision r
	UNION ALL SELECT row_to_json(d)::text FROM assay.detector d
	UNION ALL SELECT row_to_json(m)::text FROM assay.detector_model m
	UNION ALL SELECT row_to_json(g)::text FROM assay.guard g
	UNION ALL SELECT row_to_json(x)::text FROM assay.exclusion x
	UNION ALL SELECT row_to_json(d)::text FROM dumped_decision d
	UNION ALL SELECT row_to_json(l)::text FROM dumped_label l
	ORDER BY 1};
is($node->safe_psql('target', $state), $node->safe_psql('source', $state), 'the same rows');
is($node->safe_psql($_, q{SELECT key FROM assay.undecided('dumped')}), '{3}', "$_: the same key is undecided") foreach ('source', 'target');
$node->safe_psql($_, q{DELETE FROM message WHERE id = 3; INSERT INTO message VALUES (3, 3); DELETE FROM assay.fault}) foreach ('source', 'target');
is($node->safe_psql($_, q{SELECT count(*) FROM assay.undecided('dumped')}), '0', "$_: until it is decided") foreach ('source', 'target');
for my $db ('source', 'target')
{
	$node->safe_psql($db, 'SET ROLE mail; INSERT INTO message VALUES (11, 7), (12, 9)');
}
my $decisions = q{SELECT id, revision, verdict, score, attribution::text, signals FROM dumped_decision ORDER BY id, revision};
is($node->safe_psql('target', $decisions), $node->safe_psql('source', $decisions), 'the same decisions afterwards');
is($node->safe_psql('target', q{SELECT string_agg(DISTINCT concat_ws(' ', s.kind, s.name, s.state), ', '), bool_and((l.contribution > 0) = (m.n % 2 = 0))
	FROM dumped_decision d JOIN message m USING (id), assay.ledger(d.attribution) l, assay.states(d.attribution) s WHERE l.detector = 't'}),
	'list listed 1, text_model parity 2024010100000010|t', 'a text model and a list in known states');
# contributions of models are kept from the lowest threshold on, where signals are logged
is($node->safe_psql('source', q{SET assay.explain_from = 0.5; SELECT count(*) FROM signals s JOIN dumped_decision d USING (id), assay.score('dumped', s) x
	WHERE x.attribution::text <> d.attribution::text}), '0', 'a replay is the same');

# pg_restore in any order, several at once; without owners; data alone, into what is there already
my $custom = $node->basedir . '/source.dump';
my $folder = $node->basedir . '/source.dir';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $custom, $node->connstr('source') ], 'dump in the custom format');
$node->command_ok([ 'pg_dump', '-Fd', '-j', '2', '-f', $folder, $node->connstr('source') ], 'dump into a folder, two at once');
foreach my $how ([ 'custom', $custom ], [ 'jobs', '-j', '3', $custom ], [ 'folder', '-j', '4', $folder ], [ 'no_owner', '--no-owner', '-j', '2', $custom ])
{
	my ($name, @args) = @$how;
	$node->safe_psql('postgres', "CREATE DATABASE restored_$name");
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr("restored_$name"), @args ], "restore: $name");
	is($node->safe_psql("restored_$name", $state =~ s/row_to_json\(p\)/(row_to_json(p)::jsonb - 'owner')/r),
		$node->safe_psql('source', $state =~ s/row_to_json\(p\)/(row_to_json(p)::jsonb - 'owner')/r), "the same rows: $name");
	$node->safe_psql("restored_$name", 'INSERT INTO message VALUES (100, 7), (101, 9)');
	is($node->safe_psql("restored_$name", q{SELECT count(*), count(*) FILTER (WHERE degraded) FROM dumped_decision WHERE id >= 100}), '2|0', "it decides: $name");
	is($node->safe_psql("restored_$name", q{SELECT count(*) FROM assay.check('dumped') WHERE severity = 'error'}), '0', "nothing is wrong: $name");
	is($node->safe_psql("restored_$name", q{SELECT count(*) FROM dumped_decision WHERE assay.signal(signals, 'n') IS NULL}), '0', "logged signals are read: $name");
}
is($node->safe_psql('restored_no_owner', q{SELECT owner = current_user FROM assay.policies}), 't', 'without owners it is of who restores');
$node->safe_psql('postgres', 'CREATE DATABASE data_only');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--schema-only', '-d', $node->connstr('data_only'), $custom ], 'schema alone');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', '-d', $node->connstr('data_only'), $custom ], 'data alone');
is($node->safe_psql('data_only', $state), $node->safe_psql('source', $state), 'the same rows: data alone');
# --disable-triggers leaves triggers for replicated rows enabled as others are
my $enabled = q{SELECT string_agg(concat_ws(' ', tgrelid::regclass, tgname, tgenabled), ', ' ORDER BY tgrelid::regclass::text COLLATE "C", tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgname <> 'decide'};
isnt($node->safe_psql('data_only', $enabled), $node->safe_psql('source', $enabled), 'triggers for replicated rows are off');
is($node->safe_psql('data_only', q{SELECT count(*) FROM assay.check('dumped') WHERE detail ~ 'by replication'}), '0', '... which does no harm where no rows come');
$node->safe_psql('data_only', q{CREATE SUBSCRIPTION lists CONNECTION 'dbname=none' PUBLICATION lists WITH (connect = false);
	INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, 'assay.list_entry'::regclass, 'r' FROM pg_subscription WHERE subname = 'lists'});
is($node->safe_psql('data_only', q{SELECT severity, hint FROM assay.check('dumped') WHERE detail ~ 'by replication'}),
	'error|A superuser does SELECT assay_internal.enable_triggers(); sessions from before it have to connect again.', '... and check() tells of where they do');
cmp_ok($node->safe_psql('data_only', 'SELECT assay_internal.enable_triggers()'), '>', 20, 'enabled');
is($node->safe_psql('data_only', $enabled), $node->safe_psql('source', $enabled), '... as before');
is($node->safe_psql('data_only', q{SELECT count(*) FROM assay.check('dumped') WHERE detail ~ 'by replication'}), '0', 'all is well');
# where it fails, the triggers of the table at which it stopped are disabled, which guard who may write it
$node->command_fails([ 'pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', '-n', 'assay_internal', '-t', 'detector', '-d', $node->connstr('data_only'), $custom ],
	'data alone, a second time');
is($node->safe_psql('data_only', q{SELECT severity, detail FROM assay.check('dumped') WHERE detail ~ 'disable-triggers'}),
	"error|triggers that guard the extension's tables are disabled, as a pg_restore --disable-triggers that fails leaves them: 6", 'check() tells');
is($node->safe_psql('data_only', 'SELECT assay_internal.enable_triggers()'), '6', 'enabled');
is($node->safe_psql('data_only', $enabled), $node->safe_psql('source', $enabled), '... as before');
is($node->safe_psql('data_only', q{SELECT count(*) FROM assay.check('dumped') WHERE detail ~ 'disable-triggers'}), '0', 'all is well again');
isnt($node->psql('data_only', q{CREATE ROLE passer_by; SET ROLE passer_by; INSERT INTO assay.detector (policy, detector, from_revision, condition, weight, mode, rollout)
	VALUES ('dumped', 'evil', (SELECT max(revision) FROM assay.revision), 'true', -99, 'live', 1)}), 0, '... and a stranger writes no detector');
# ... and where it fails before there is any policy, health tells who may mend it
$node->safe_psql('postgres', 'CREATE DATABASE no_policy');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--schema-only', '-d', $node->connstr('no_policy'), $custom ], 'the schema alone');
$node->safe_psql('no_policy', 'ALTER TABLE assay.list_entry ADD CONSTRAINT none CHECK (false)');
$node->command_fails([ 'pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', '-d', $node->connstr('no_policy'), $custom ], 'data that stop at a list');
my $unguarded = q{SELECT "check", severity, detail ~ 'guard.* are disabled' FROM assay.health WHERE kind = 'extension'};
is($node->safe_psql('no_policy', $unguarded), 'trigger|error|t', 'health tells');
is($node->safe_psql('no_policy', "SET ROLE mail; $unguarded"), '', '... but not everybody');
cmp_ok($node->safe_psql('no_policy', 'SELECT assay_internal.enable_triggers()'), '>', 0, 'enabled');
is($node->safe_psql('no_policy', $unguarded), '', 'all is well again');
$node->safe_psql('data_only', q{ALTER SUBSCRIPTION lists SET (slot_name = NONE)});
$node->safe_psql('data_only', q{DROP SUBSCRIPTION lists});

# a dump of data alone leaves materialized views without rows: check() and health tell, and maintain() heals
$node->safe_psql('postgres', 'CREATE DATABASE viewed; CREATE DATABASE viewed_data');
$node->safe_psql('viewed', q{CREATE EXTENSION pg_assay;
	CREATE TABLE message (id int PRIMARY KEY, sender text, received_at timestamptz);
	SELECT assay.create_baseline('senders', 'message', '{sender}', 'received_at', incremental => false);
	CREATE VIEW signals AS SELECT m.*, assay.events(b.history) AS seen FROM message m LEFT JOIN senders b USING (sender);
	SELECT assay.create_policy('viewed', 'signals', '{id}'), assay.create_detector('viewed', 'd', 'seen > 0', mode => 'live', weight => 9);
	INSERT INTO message VALUES (1, 'a', now()); SELECT assay.refresh_baseline('senders');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('viewed')});
foreach my $part ([ '--schema-only' ], [ '--data-only', '--disable-triggers' ])
{
	$node->command_ok([ 'pg_dump', @$part, '-f', $dump, $node->connstr('viewed') ], "dump: $part->[0]");
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('viewed_data') ], "restore: $part->[0]");
}
my $empty = q{SELECT severity, detail FROM assay.check('viewed') WHERE "check" = 'baseline' UNION ALL SELECT severity, detail FROM assay.health WHERE kind = 'baseline' AND severity <> 'ok'};
is($node->safe_psql('viewed', $empty), '', 'a baseline with rows is well');
is($node->safe_psql('viewed_data', $empty), "error|baseline public.senders was restored without its rows: who reads it fails, and messages are decided without signals\n"
	. 'error|it was restored without its rows: who reads it fails', 'one without them is an error');
$node->safe_psql('viewed_data', q{INSERT INTO message VALUES (2, 'a', now())});
is($node->safe_psql('viewed_data', 'SELECT degraded FROM viewed_decision WHERE id = 2'), 't', '... while messages are decided without signals');
$node->safe_psql('viewed_data', 'CALL assay.maintain()');
$node->safe_psql('viewed_data', q{INSERT INTO message VALUES (3, 'a', now())});
is($node->safe_psql('viewed_data', 'SELECT degraded, verdict FROM viewed_decision WHERE id = 3'), 'f|malicious', 'maintain() heals it');
is($node->safe_psql('viewed_data', $empty), '', '... and all is well');
# counts by hour and day outlive decisions that retention let go, and are brought up to date as before
$node->safe_psql('postgres', 'CREATE DATABASE counted; CREATE DATABASE counted_again');
$node->safe_psql('counted', q{CREATE EXTENSION pg_assay; CREATE TABLE message (id int PRIMARY KEY); CREATE VIEW signals AS SELECT id FROM message;
	SELECT assay.create_policy('counted', 'signals', '{id}'), assay.create_detector('counted', 'd', 'id > 0', mode => 'live', weight => 9);
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('counted');
	INSERT INTO message SELECT generate_series(1, 3); UPDATE counted_decision SET decided_at = '2024-01-01 10:30+00' WHERE id < 3});
$node->safe_psql('counted', q{SELECT assay.refresh_rollup('counted'); DELETE FROM counted_decision WHERE id < 3});
my $counts = q{SELECT h.* FROM assay.decision_hours h ORDER BY h::text; SELECT d.* FROM assay.decision_days d ORDER BY d::text};
my $counted = $node->safe_psql('counted', $counts);
like($counted, qr/^counted\|2024-01-01 .*\|verdict\|/m, 'counts of decisions that are gone');
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('counted') ], 'dump of counts');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('counted_again') ], 'restore of counts');
is($node->safe_psql('counted_again', $counts), $counted, 'the same counts');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $custom, $node->connstr('counted') ], 'dump of counts in the custom format');
$node->command_checks_all([ 'pg_restore', '--data-only', '--disable-triggers', '-d', $node->connstr('counted_again'), $custom ],
	1, [], [qr/"decision_hour"/, qr/"decision_day"/], 'data alone, a second time and past all errors');
is($node->safe_psql('counted_again', $counts), $counted, '... adds no counts');
$node->safe_psql('counted_again', 'SELECT assay_internal.enable_triggers()');
is($node->safe_psql('counted_again', q{SELECT severity, detail FROM assay.health WHERE kind = 'rollup'}), 'warning|as of the dump that was restored', '... of which health tells');
$node->safe_psql('counted_again', 'CALL assay.maintain()');
is($node->safe_psql('counted_again', $counts), $counted, 'maintain() takes none away');
is($node->safe_psql('counted_again', q{SELECT severity FROM assay.health WHERE kind = 'rollup'}), 'ok', '... and keeps them up to date');
$node->safe_psql($_, q{SELECT assay.set_labels('counted', '{analyst}'), assay.refresh_rollup('counted')}) foreach ('counted', 'counted_again');
is($node->safe_psql($_, $counts), $counted, "$_: nor does another order of labels") foreach ('counted', 'counted_again');
$node->safe_psql('counted_again', q{SELECT assay.refresh_rollup('counted', '2024-01-01')});
is($node->safe_psql('counted_again', q{SELECT count(*) FROM assay.decision_days WHERE day < '2025-01-01'}), '0', 'who asks for a time has it counted');

# where they come by replication, nobody counts beside
$node->safe_psql('counted_again', q{CREATE SUBSCRIPTION counts CONNECTION 'dbname=none' PUBLICATION counts WITH (connect = false);
	INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, 'assay_internal.decision_hour'::regclass, 'r' FROM pg_subscription WHERE subname = 'counts'});
my (undef, undef, $counting) = $node->psql('counted_again', q{SELECT assay.refresh_rollup('counted')});
like($counting, qr/counts by hour and day come by replication\nHINT:  Refresh them at the publisher/, 'counts that come are not made');
$node->safe_psql('counted_again', q{INSERT INTO message VALUES (4); CALL assay.maintain()});
my $of_four = q{SELECT sum(hits) FROM assay.decision_hours WHERE kind = 'verdict'};
is($node->safe_psql('counted_again', $of_four . q{; SELECT count(*) FROM assay.health WHERE kind = 'maintenance' AND severity = 'error'}), "1\n0", 'nor by maintain()');
$node->safe_psql('counted_again', q{ALTER SUBSCRIPTION counts SET (slot_name = NONE)});
$node->safe_psql('counted_again', q{DROP SUBSCRIPTION counts});
$node->safe_psql('counted_again', 'CALL assay.maintain()');
is($node->safe_psql('counted_again', $of_four), '2', '... until they don\'t come any more');

# pg_restore fills them while there are no messages yet; and a table of counts may come without its rows
$node->safe_psql('viewed', q{ALTER TABLE message ADD arrival bigint GENERATED ALWAYS AS IDENTITY;
	SELECT assay.create_baseline('counted', 'message', '{sender}', 'received_at', incremental => true, arrival => 'arrival')});
$node->safe_psql('postgres', 'CREATE DATABASE viewed_parts');
$node->command_ok([ 'pg_dump', '-Fc', '--exclude-table-data', 'counted', '-f', $custom, $node->connstr('viewed') ], 'dump without the rows of a baseline');
$node->command_ok([ 'pg_restore', '--exit-on-error', @$_, '-d', $node->connstr('viewed_parts'), $custom ], "restore: $_->[0]")
	foreach [ '--schema-only' ], [ '--data-only', '--disable-triggers' ];
my $none = 'error|it was restored without its rows: who reads it finds none';
is($node->safe_psql('viewed', $empty), '', 'baselines with rows are well');
is($node->safe_psql('viewed_parts', $empty), "error|baseline public.senders was restored without its rows: messages are decided as if none had come before\n$none\n$none",
	'those without them are errors');
$node->safe_psql('viewed_parts', 'CALL assay.maintain()');
is($node->safe_psql('viewed_parts', q{SELECT object, detail, hint FROM assay.health WHERE kind = 'baseline' AND severity <> 'ok'}),
	q{public.counted|it was restored without its rows: who reads it finds none|SELECT assay.rebuild_baseline('public.counted');}, 'maintain() heals what is made of all messages');
$node->safe_psql('viewed_parts', q{SELECT assay.rebuild_baseline('public.counted')});
is($node->safe_psql('viewed_parts', $empty), '', '... and the hint the other');
is($node->safe_psql('viewed_parts', 'SELECT count(*) FROM senders UNION ALL SELECT count(*) FROM counted'), "1\n1", '... all rows are there');

# a second restore sets the numbers of faults back: what comes then is kept all the same
$node->safe_psql('postgres', 'CREATE DATABASE faulty; CREATE DATABASE faulty_again');
$node->safe_psql('faulty', q{CREATE EXTENSION pg_assay; CREATE TABLE message (id int PRIMARY KEY, n int); CREATE VIEW signals AS SELECT * FROM message;
	SELECT assay.create_policy('faulty', 'signals', '{id}'), assay.create_detector('faulty', 'd', '1 / n > 0', mode => 'live', weight => 9);
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('faulty');
	INSERT INTO message VALUES (1, 0)});
$node->command_ok([ 'pg_dump', '-Fc', '-f', $custom, $node->connstr('faulty') ], 'dump with a fault');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('faulty_again'), $custom ], 'restore with a fault');
$node->safe_psql('faulty_again', 'INSERT INTO message VALUES (2, 0), (3, 0)');
foreach my $more ('INSERT INTO message VALUES (4, 0)', q{TRUNCATE faulty_decision; CALL assay.backfill('faulty', at => NULL)})
{
	$node->command_checks_all([ 'pg_restore', '--data-only', '-d', $node->connstr('faulty_again'), $custom ], 1, [], [qr/"fault_pkey"/], 'data alone, past all errors');
	my $before = $node->safe_psql('faulty_again', 'SELECT max(fault) FROM assay.fault');
	$node->safe_psql('faulty_again', $more);
	is($node->safe_psql('faulty_again', "SELECT fault, sqlstate FROM assay.fault WHERE fault > $before"), $before + 1 . '|22012', "kept: $more");
}
# the file is used below
$node->command_ok([ 'pg_dump', '-Fc', '-f', $custom, $node->connstr('source') ], 'dump in the custom format, again');

# default privileges that stand before the restore give rights on the policy, of which check() tells
$node->safe_psql('postgres', 'CREATE ROLE app; CREATE DATABASE default_privileges');
$node->safe_psql('default_privileges', 'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO app');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('default_privileges'), $custom ], 'restore under default privileges');
my $given = q{SELECT severity, detail, hint FROM assay.check('dumped') WHERE "check" = 'rights'};
is($node->safe_psql('default_privileges', $given),
	q{warning|app has rights on public.dumped_policy as default privileges give them, which a restore may have brought: publisher|REVOKE ALL ON public.dumped_policy FROM app, unless it is meant; assay.grant_access() gives what is.}, 'who has got rights');
$node->safe_psql('default_privileges', q{REVOKE ALL ON public.dumped_policy FROM app; SELECT assay.grant_access('dumped', 'app', 'publisher')});
is($node->safe_psql('default_privileges', $given), '', 'what was given by hand is meant');

# lists without whom they belong to, as after a restore that lacked a role, are nobody's to take
my $listing = $node->basedir . '/without_sets.list';
append_to_file($listing, join("\n", grep { !/TABLE DATA assay named_set / } split /\n/, `pg_restore -l $custom`) . "\n");
$node->safe_psql('postgres', 'CREATE DATABASE without_sets');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-L', $listing, '-d', $node->connstr('without_sets'), $custom ], 'restore without the sets');
my (undef, undef, $taken) = $node->psql('without_sets', q{SET ROLE app; SELECT assay.create_list('listed')});
like($taken, qr/set "listed" cannot be made: there are values of another one of that name/, "another's values are not for who makes a list of that name");
is($node->safe_psql('without_sets', q{SET ROLE app; SELECT assay.create_list('unlisted')}), '', 'other lists can be made');
(undef, undef, $taken) = $node->psql('without_sets', q{GRANT pg_write_all_data TO app; SET ROLE app; UPDATE assay.named_sets SET set = 'listed' WHERE set = 'unlisted'});
like($taken, qr/set "listed" cannot be made: there are values of another one of that name/, 'nor for who renames one');
$node->safe_psql('postgres', 'REVOKE pg_write_all_data FROM app');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--data-only', '-n', 'assay', '-t', 'named_set', '-d', $node->connstr('without_sets'), $custom ], 'the sets are restored later');
is($node->safe_psql('without_sets', q{SET ROLE mail; SELECT assay.in_list('listed', '7')}), 't', 'and have their values');

# a role that is missing takes no set along: what was that role's is nobody's, and told of
$node->safe_psql('postgres', 'CREATE ROLE missing; CREATE ROLE dropped; CREATE DATABASE without_role_made; CREATE DATABASE without_role_inserts');
$node->safe_psql('source', q{SELECT assay.create_list('read', owner => 'mail', readers => '{missing,app,public}'), assay.create_list('owned', owner => 'missing', readers => '{mail,dropped}'),
	assay.create_phrase_set('phrased', owner => 'dropped');
	INSERT INTO assay.list (set, value) VALUES ('read', 'x'), ('owned', 'y');
	SELECT assay.create_detector('dumped', 'o', 'in_list(''owned'', n::text)', mode => 'live');
	INSERT INTO assay_internal.onboarding (policy, role, messages, source, key, at, columns, options, budget, go_live, checks, started_at)
	SELECT r || '''s', r::regrole, 'message', 'message', '{id}', 'at', '{}', '{}', '{}', 'told', '{}', now() FROM unnest('{missing,mail}'::text[]) r});
my $number = $node->safe_psql('postgres', q{SELECT oid FROM pg_roles WHERE rolname = 'dropped'; DROP ROLE dropped});
my $inserts = $node->basedir . '/inserts.sql';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $custom, $node->connstr('source') ], 'dump with roles that will be missing');
$node->command_ok([ 'pg_dump', '--inserts', '-f', $inserts, $node->connstr('source') ], 'the same, as INSERTs');
my $sets = q{SELECT string_agg(concat_ws(' ', set, owner, readers), ', ' ORDER BY set) FROM assay.named_set};
my $entries = q{SELECT string_agg(concat_ws(' ', set, value), ', ' ORDER BY set, value COLLATE "C") FROM assay.list_entry};
my $values = $node->safe_psql('source', $entries);
is($node->safe_psql('source', $sets), "listed mail {}, owned missing {mail,$number}, phrased $number {}, read mail {missing,app,-}", 'sets of all kinds');
$node->safe_psql('postgres', 'ALTER ROLE missing RENAME TO elsewhere');
# the number of the role that was dropped is another's meanwhile, as in another cluster
$node->safe_psql('postgres', qq{CREATE ROLE stranger; SET allow_system_table_mods = on; UPDATE pg_authid SET oid = $number WHERE rolname = 'stranger'});
my ($told, $restoring);
for my $db ('without_role_made', 'without_role_inserts')
{
	PostgreSQL::Test::Utils::run_log($db =~ /inserts/ ? [ 'psql', '-X', '-q', '-f', $inserts, $node->connstr($db) ] : [ 'pg_restore', '--exit-on-error', '-d', $node->connstr($db), $custom ],
		'>', \$told, '2>', \$restoring);
	like($restoring, qr/WARNING:  role "missing" does not exist: what was that role's is nobody's/, 'psql tells of a role that is missing') if $db =~ /inserts/;
	unlike($restoring, qr/ERROR/, "$db: no error");
	is($node->safe_psql($db, $sets), 'listed mail {}, owned 1 {mail,1}, phrased 1 {}, read mail {1,app,-}', "$db: all sets are there, nobody's where it was a role that is not");
	is($node->safe_psql($db, $entries), $values, "$db: ... with all values");
	is($node->safe_psql($db, q{SET ROLE mail; SELECT assay.in_list('owned', 'y'), assay.in_list('read', 'x')}), 't|t', "$db: for who may ask");
	is($node->safe_psql($db, 'SET ROLE stranger; SELECT count(*) FROM assay.named_sets'), '0', "$db: not for who has the number of a role that was dropped");
	$node->safe_psql($db, 'INSERT INTO message VALUES (200, 7)');
	is($node->safe_psql($db, 'SELECT degraded FROM dumped_decision WHERE id = 200'), 'f', "$db: messages are decided by them");
	is($node->safe_psql($db, q{SELECT string_agg(concat_ws(' ', kind, object, detail), E'\n' ORDER BY object) FROM assay.health WHERE "check" = 'roles'}),
		"list owned its owner was dropped, or is missing where it was restored: it is a superuser's to give away; readers that were dropped, or are missing where it was restored: 1\n"
		. "phrase set phrased its owner was dropped, or is missing where it was restored: it is a superuser's to give away\n"
		. 'list read readers that were dropped, or are missing where it was restored: 1', "$db: health tells");
	is($node->safe_psql($db, q{SELECT string_agg(concat_ws(' ', policy, role), ', ' ORDER BY policy) FROM assay_internal.onboarding}), "mail's mail, missing's 1", "$db: nor are onboardings lost");
}
$node->safe_psql('postgres', 'DROP ROLE stranger; ALTER ROLE elsewhere RENAME TO missing');
$node->safe_psql('without_role_made', q{SELECT assay.alter_set('owned', owner => 'missing'), assay.grant_set('owned', 'mail'), assay.grant_set('read', 'missing'), assay.alter_set('phrased', owner => 'mail')});
is($node->safe_psql('without_role_made', $sets), 'listed mail {}, owned missing {mail}, phrased mail {}, read mail {app,-,missing}', 'with the role made, they are given back');
is($node->safe_psql('without_role_made', q{SELECT count(*) FROM assay.health WHERE "check" = 'roles'}), '0', '... and health has nothing to tell');
my (undef, undef, $refused) = $node->psql('without_role_made', q{SET ROLE app; UPDATE assay.named_sets SET owner = 'nosuch'; SELECT assay.create_list('theirs', readers => '{nosuch}')});
like($refused, qr/role "nosuch" does not exist/, 'who makes a set names roles that are there');
$node->safe_psql('source', q{SELECT assay.drop_detector('dumped', 'o'); SELECT assay.drop_set(s) FROM unnest('{read,owned,phrased}'::text[]) s; DELETE FROM assay_internal.onboarding});

# a table or view that a dump leaves out is missed by the policy or text model that names it, and by no other
$node->safe_psql('source', q{SET ROLE mail;
	CREATE VIEW parted_signals AS SELECT * FROM signals; CREATE VIEW read AS SELECT * FROM learnt;
	SELECT assay.create_policy('parted', 'parted_signals', '{id}'), assay.create_text_model('spare', 'read', 'word', 'dumped_label'), assay.learn('spare');
	RESET ROLE;
	INSERT INTO assay_internal.onboarding (policy, role, decision, messages, source, key, at, columns, options, budget, go_live, checks, started_at)
	SELECT p.policy, 'mail', p.decision, 'message', 'message', '{id}', 'at', '{}', '{}', '{}', 'told', '{}', now() FROM assay.policy p});
my @missing = (
	[ 'parted_decision', 'spare_version', 'error decision table', '- parted_label', 'parity' ],
	[ 'parted_label', 'spare_counted', 'error label table', 'parted_decision -', 'parity, spare' ],
	[ 'parted_signals', 'read', 'error signals view', 'parted_decision parted_label', 'parity, spare' ]);
foreach my $how (@missing)
{
	my ($of_policy, $of_model, $check, $tables, $models) = @$how;
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS without_table');
	$node->safe_psql('postgres', 'CREATE DATABASE without_table');
	$node->command_ok([ 'pg_dump', '-T', $of_policy, '-T', $of_model, '-f', $dump, $node->connstr('source') ], "dump without $of_policy");
	PostgreSQL::Test::Utils::run_log([ 'psql', '-X', '-q', '-f', $dump, $node->connstr('without_table') ], '2>', \$restoring);
	like($restoring, qr/WARNING:  relation "public\.$_" does not exist: what names it is kept without it/, "psql tells of $_") for $of_policy, $of_model;
	unlike($restoring, qr/COPY (policy|text_model_registry|onboarding),/, '... by no error');
	is($node->safe_psql('without_table', q{SELECT string_agg(policy || ' ' || decision || ' ' || label, ', ' ORDER BY policy) FROM assay_internal.policy}),
		"dumped dumped_decision dumped_label, parted $tables", '... all policies are there');
	is($node->safe_psql('without_table', q{SELECT string_agg(policy, ', ' ORDER BY policy) FROM assay_internal.own_onboarding}), 'dumped, parted', '... and what was told to onboard()');
	is($node->safe_psql('without_table', q{SELECT string_agg(name, ', ' ORDER BY name) FROM assay.text_models}), $models, '... text models');
	is($node->safe_psql('without_table', q{SELECT string_agg(concat_ws(' ', object, "check", detail), ', ') FROM assay.health WHERE kind = 'text model' AND severity = 'error'}),
		$of_model =~ /version/ ? 'spare tables missing, as where a dump left it out, or dropped: its table of versions' : '', '... and health tells of one that is none');
	is($node->safe_psql('without_table', q{SELECT string_agg(severity || ' ' || "check", ', ') FROM assay.check('parted') WHERE "check" IN ('decision table', 'label table', 'signals view')}),
		$check, '... check() tells of what is missing');
	like($node->safe_psql('without_table', q{SELECT string_agg("check", ', ') FROM assay.health WHERE object = 'parted' AND severity = 'error'}), qr/\Q@{[ $check =~ s,error ,,r ]}/, '... health, too');
	is($node->safe_psql('without_table', q{SELECT count(*) FROM assay.check('dumped') WHERE "check" IN ('decision table', 'signals view', 'condition') AND severity = 'error'}), '0', '... at that policy');
	$node->safe_psql('without_table', 'INSERT INTO message VALUES (300, 7)');
	is($node->safe_psql('without_table', 'SELECT degraded FROM dumped_decision WHERE id = 300'), 'f', '... and the others decide');
	# what lacks something is dumped in its turn
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS without_table_again');
	$node->safe_psql('postgres', 'CREATE DATABASE without_table_again');
	$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('without_table') ], '... and a dump of that');
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('without_table_again') ], '... is restored');
	my $kept = q{SELECT json_agg(p ORDER BY policy) FROM assay_internal.policy p; SELECT string_agg(concat_ws(' ', name, source, labels), ', ' ORDER BY name) FROM assay.text_models};
	is($node->safe_psql('without_table_again', $kept), $node->safe_psql('without_table', $kept), '... and brings the same');
}
# what was missing is told later
$node->safe_psql('postgres', 'DROP DATABASE without_table');
$node->safe_psql('postgres', 'CREATE DATABASE without_table');
$node->command_ok([ 'pg_dump', '-T', 'parted_decision', '-f', $dump, $node->connstr('source') ], 'dump without a decision table');
PostgreSQL::Test::Utils::run_log([ 'psql', '-X', '-q', '-f', $dump, $node->connstr('without_table') ], '2>', \$restoring);
$node->command_ok([ 'pg_dump', '-Fc', '-t', 'parted_decision', '-f', $custom, $node->connstr('source') ], 'dump of it alone');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('without_table'), $custom ], 'restore of it');
$node->safe_psql('without_table', q{UPDATE assay_internal.policy SET decision = 'parted_decision' WHERE policy = 'parted';
	CREATE TRIGGER parted AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('parted');
	INSERT INTO message VALUES (300, 7)});
is($node->safe_psql('without_table', 'SELECT degraded FROM parted_decision WHERE id = 300'), 'f', 'and the policy decides again');
$node->command_ok([ 'pg_dump', '--exclude-table-data=parted_decision', '--exclude-table-data=parity_version', '-f', $dump, $node->connstr('source') ], 'dump without the rows of one');
$node->safe_psql('postgres', 'CREATE DATABASE without_rows');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('without_rows') ], 'restore of that');
is($node->safe_psql('without_rows', q{SELECT string_agg(severity || ' ' || "check", ', ') FROM assay.check('parted') WHERE "check" = 'decision table'}), '', 'lacks nothing');
my $untaught = q{SELECT object, detail, hint FROM assay.health WHERE kind = 'text model' AND severity = 'error'};
is($node->safe_psql('without_rows', $untaught), 'parity|its versions were restored without their rows: detectors that ask it add nothing|'
	. "Restore them; or DELETE FROM public.parity_counted, and SELECT assay.learn('parity'), which learns all anew.", '... but a text model has nothing to say');
is($node->safe_psql('without_rows', q{DELETE FROM parity_counted; SELECT assay.learn('parity')}), '11', '... until it learns all anew');
is($node->safe_psql('without_rows', $untaught), '', '... and is well');
$node->safe_psql('source', q{DELETE FROM assay_internal.onboarding; SELECT assay.drop_policy('parted', true), assay.drop_text_model('spare'); DROP VIEW parted_signals, read});

# logged signals outlive their view, in a dump too
$node->safe_psql('postgres', 'CREATE DATABASE without_view');
$node->safe_psql('target', 'DROP VIEW signals');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $custom, $node->connstr('target') ], 'dump without the view');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', '-d', $node->connstr('without_view'), $custom ], 'restore without the view');
is($node->safe_psql('without_view', q{SELECT assay.signals_to_jsonb(signals) FROM dumped_decision WHERE id = 3}), '{"n": 3, "x": 3, "id": 3}', 'signals of a view that is gone');

# ... and another encoding
$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0; CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0;
	CREATE DATABASE written ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0; CREATE DATABASE written_latin ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0;
	CREATE DATABASE win ENCODING 'WIN1252' LOCALE 'C' TEMPLATE template0});
$node->safe_psql('written', q{CREATE EXTENSION pg_assay; CREATE TYPE mood AS ENUM ('fröhlich');
	CREATE TABLE message (id int PRIMARY KEY, word text, words text[], j jsonb, mood mood, n numeric); CREATE VIEW signals AS SELECT * FROM message;
	SELECT assay.create_policy('written', 'signals', '{id}', log_signals => true), assay.create_detector('written', 'd', $$word = 'café'$$, weight => 9, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('written');
	INSERT INTO message VALUES (1, 'café', '{ä}', '{"ü": "ß"}', 'fröhlich', 1.50);
	CREATE TABLE part (id text PRIMARY KEY, n int); INSERT INTO part SELECT 'ä' || i, i FROM generate_series(1, 40) i; CREATE VIEW parts AS SELECT *, n AS "größe" FROM part;
	SELECT assay.create_policy('parts', 'parts', '{id}'), assay.create_detector('parts', 'Täter', 'n > 0', weight => 9, mode => 'live', rollout => 0.5),
		assay.create_detector('parts', 'm', model => assay.model_from_linear('{größe}', '{1}', 0, 'logistic'), weight => 0.01, mode => 'live');
	SELECT assay.create_list('of'); INSERT INTO assay.list (set, value, tenant) SELECT 'of', 'v' || i, 'Müller' FROM generate_series(1, 3000) i});
my $logged = q{SET client_encoding = 'UTF8'; SELECT assay.signals_to_jsonb(signals) FROM written_decision; SELECT verdict FROM assay.replay('written', at => NULL, signals => 'logged')};
# what is hashed of a text, too: tenants of a list, names and keys of a rollout, the value by which a tenant goes live
my $hashed = q{SET client_encoding = 'UTF8'; SELECT assay.in_list('of', 'V7', NULL, 'Müller'), assay.in_list('of', 'v7', NULL, 'M?ller'), assay_internal.tenant_value('Müller');
	SELECT string_agg(p.n::text, ' ' ORDER BY p.n) FROM parts p, assay.score('parts', p) s WHERE s.score > 0.5;
	SELECT string_agg(DISTINCT l.signals #>> '{0,0}', ' ') FROM parts p, assay.score('parts', p) s, assay.ledger(s.attribution) l WHERE l.detector = 'm'};
my $was = $node->safe_psql('written', $logged);
my $hashed_was = $node->safe_psql('written', $hashed);
like($hashed_was, qr/^t\|f\|md5:e35bc0a78f1c870124dfc1bbbd23721f\n.*\ngröße$/, 'hashes of other letters, and what a model saw');
is($was, qq({"j": {"ü": "ß"}, "n": 1.50, "id": 1, "mood": "fröhlich", "word": "café", "words": ["ä"]}\nmalicious), 'signals with other letters');
foreach my $way ([ 'written', 'latin' ], [ 'written', 'ascii' ], [ 'latin', 'written_latin' ], [ 'latin', 'win' ])
{
	my ($one, $other) = @$way;
	$node->command_ok([ 'pg_dump', '-Fc', '-E', 'UTF8', '-f', $custom, $node->connstr($one) ], "dump: $one");
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr($other), $custom ], "restore: $other");
	is($node->safe_psql($other, $logged), $was, 'the same signals');
	is($node->safe_psql($other, $hashed), $hashed_was, '... and hashes');
}
foreach my $db ('latin', 'ascii')
{
	$node->safe_psql($db, q{INSERT INTO message SELECT 2, word, words, j, mood, n FROM message; DELETE FROM written_decision WHERE id = 1});
	is($node->safe_psql($db, $logged) =~ s/"id": 2/"id": 1/r, $was, "$db: as those that are written there");
}

# What is cut of a long value is cut where UTF-8 has a character, where a database takes any bytes, too: another can read it.
$node->safe_psql('ascii', q{SET client_encoding = 'SQL_ASCII'; INSERT INTO message SELECT 10 + i, repeat('x', i) || repeat('é', 200) FROM generate_series(0, 1) i;
	SELECT assay.alter_detector('written', 'd', $$word > 'x'$$); DELETE FROM written_decision; CALL assay.backfill('written', at => NULL)});
foreach my $encoding ('UTF8', 'LATIN1')
{
	my $other = "of_ascii_$encoding";
	$node->safe_psql('postgres', qq{CREATE DATABASE "$other" ENCODING '$encoding' LOCALE 'C' TEMPLATE template0});
	$node->command_ok([ 'pg_dump', '-Fc', '-E', 'UTF8', '-f', $custom, $node->connstr('ascii') ], "dump: ascii, for $encoding");
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr($other), $custom ], "restore: $other");
	is($node->safe_psql($other, q{SET client_encoding = 'UTF8'; SELECT string_agg(concat_ws(' ', length(l.signals ->> 'word'), length(assay.signal(d.signals, 'word'))), ', ' ORDER BY d.id) FROM written_decision d, assay.ledger(d.attribution) l WHERE d.id > 9 AND l.detector = 'd'}),
		'65 200, 66 201', 'a value that was cut, and the whole');
}

# the owner of the database, who is no superuser, dumps it
$node->safe_psql('postgres', 'CREATE ROLE dbo LOGIN; ALTER DATABASE source OWNER TO dbo; GRANT mail TO dbo');
$node->command_ok([ 'pg_dump', '-U', 'dbo', '-f', $dump, $node->connstr('source') ], "dump as the database's owner");
$node->safe_psql('postgres', 'CREATE DATABASE from_owner');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('from_owner') ], 'restore as a superuser');
is($node->safe_psql('from_owner', $state), $node->safe_psql('source', $state), "the same rows: the database's owner");

# what a role that was dropped had begun to onboard is not brought to whoever has its number elsewhere
$node->safe_psql('postgres', 'CREATE ROLE gone; CREATE DATABASE without_role');
$node->safe_psql('source', q{INSERT INTO assay_internal.onboarding (policy, role, decision, messages, source, key, at, columns, options, budget, go_live, checks, started_at)
	SELECT k.policy, r::regrole, k.decision, 'message', 'message', '{id}', 'at', '{}', '{}', '{}', 'told', '{}', now()
	FROM (VALUES ('dumped', 'gone', (SELECT p.decision FROM assay.policy p WHERE policy = 'dumped')), ('never', 'gone', NULL), ('begun', 'mail', NULL)) k(policy, r, decision);
	DROP ROLE gone});
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('source') ], 'dump with a role that is gone');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('without_role') ], 'restore');
my $onboarders = q{SELECT policy || ' ' || CASE WHEN role::text ~ '^[0-9]' THEN 'a number' ELSE role::text END FROM assay_internal.onboarding ORDER BY 1};
is($node->safe_psql('without_role', $onboarders), "begun mail\ndumped a number", 'what is its policy\'s owner\'s is there, and what is of a role');
$node->safe_psql('without_role', 'CALL assay.maintain()');
is($node->safe_psql('without_role', $onboarders), "begun mail\ndumped mail", 'maintain() gives it to that owner');
$node->safe_psql('source', 'CALL assay.maintain()');
is($node->safe_psql('source', $onboarders), "begun mail\ndumped mail", '... and forgets what is nobody\'s');
$node->safe_psql('source', 'DELETE FROM assay_internal.onboarding');

# a standby scores, and sees a change
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
my $score = q{SELECT s.id, x.verdict, x.score FROM signals s, assay.score('dumped', s) x ORDER BY s.id};
is($standby->safe_psql('source', $score), $node->safe_psql('source', $score), 'the same on a standby');
$node->safe_psql('source', q{SELECT assay.alter_detector('dumped', 'a', weight => 9)});
$node->wait_for_catchup($standby);
is($standby->safe_psql('source', $score), $node->safe_psql('source', $score), 'and after a change');

is($standby->safe_psql('source', q{SELECT count(*) FROM assay.replay('dumped', at => NULL)}), $node->safe_psql('source', q{SELECT count(*) FROM signals}), 'replay on a standby');
is($standby->safe_psql('source', q{SELECT sum(messages) FROM assay.compare('dumped', 1, at => NULL)}), $node->safe_psql('source', q{SELECT count(*) FROM signals}), 'compare on a standby');
is($standby->safe_psql('source', q{SELECT count(*) > 1 FROM assay.policy_diff('dumped', 1)}), 't', 'differences on a standby');

# DROP EXTENSION takes the decisions' columns with it only when told to
isnt($node->psql('source', 'DROP EXTENSION pg_assay'), 0, 'the extension is in use');
# somebody who may make schemas lies in wait for the extension
$node->safe_psql('postgres', 'CREATE DATABASE waited_for; GRANT CREATE ON DATABASE waited_for TO mail');
$node->safe_psql('waited_for', 'SET ROLE mail; CREATE SCHEMA assay');
my ($rc, $out, $err) = $node->psql('waited_for', 'CREATE EXTENSION pg_assay');
like($err, qr/schema "assay" belongs to another role/, "no extension in another's schema");
$node->safe_psql('waited_for', 'ALTER SCHEMA assay OWNER TO CURRENT_USER; CREATE EXTENSION pg_assay');
# ... or has made something in its schema, which views would find first
$node->safe_psql('postgres', 'CREATE DATABASE planted');
$node->safe_psql('planted', 'CREATE SCHEMA assay; GRANT ALL ON SCHEMA assay TO mail');
($rc, $out, $err) = $node->psql('planted', 'CREATE EXTENSION pg_assay');
like($err, qr/schema "assay" is not the extension's alone: mail may create/, 'no extension where others may create');
$node->safe_psql('planted', q{SET ROLE mail;
	CREATE FUNCTION assay.planted(oid, regclass) RETURNS boolean LANGUAGE sql AS 'SELECT true';
	CREATE OPERATOR assay.= (FUNCTION = assay.planted, LEFTARG = oid, RIGHTARG = regclass);
	RESET ROLE; REVOKE CREATE ON SCHEMA assay FROM mail});
($rc, $out, $err) = $node->psql('planted', 'CREATE EXTENSION pg_assay');
like($err, qr/schema "assay" is not the extension's alone: mail has (function planted|operator =)/, 'nor where others have something');
$node->safe_psql('planted', 'DROP OWNED BY mail; CREATE EXTENSION pg_assay');
# the e-mail pack's script looks, too
$node->safe_psql('planted', q{GRANT CREATE ON SCHEMA assay TO mail; SET ROLE mail;
	CREATE FUNCTION assay.planted(name, regclass) RETURNS boolean LANGUAGE sql AS 'SELECT true'});
($rc, $out, $err) = $node->psql('planted', 'CREATE EXTENSION pg_assay_email');
like($err, qr/schema "assay" is not the extension's alone: mail may create/, 'no e-mail pack where others may create');
$node->safe_psql('planted', 'REVOKE CREATE ON SCHEMA assay FROM mail');
($rc, $out, $err) = $node->psql('planted', 'CREATE EXTENSION pg_assay_email');
like($err, qr/schema "assay" is not the extension's alone: mail has function/, 'nor where others have something');
$node->safe_psql('planted', 'DROP OWNED BY mail; CREATE EXTENSION pg_assay_email');

$standby->stop;
$node->stop;
done_testing();
