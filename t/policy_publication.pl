# Policies, lists, phrases and text models travel by logical replication: revision
# numbers are the same, running sessions follow, what is missing on the subscriber
# waits without stopping anything, and messages are stored meanwhile.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# what both servers have: relations do not travel
my $schema = q{
	CREATE SCHEMA "the mail" AUTHORIZATION mail;
	SET ROLE mail;
	SET search_path = "the mail";
	CREATE TABLE message (id int PRIMARY KEY, txt text, received_at timestamptz NOT NULL DEFAULT now());
	CREATE VIEW signals AS SELECT id, txt, received_at, length(txt) AS size FROM message;
	CREATE TABLE trained (id int, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
	RESET ROLE;};
my $trigger = q{CREATE TRIGGER decide AFTER INSERT ON "the mail".message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p')};
my $model = q{SET ROLE mail; SELECT assay.create_text_model('words', '"the mail".message', 'txt', '"the mail".trained', key => '{id}', schema => 'the mail')};

sub server
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', 'wal_retrieve_retry_interval = 100ms');
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_assay');
	return $node;
}

my $from = server('publisher');
my $to = server('subscriber');
$from->safe_psql('postgres', "CREATE ROLE mail; CREATE ROLE reader; $schema");
$from->safe_psql('postgres', q{
	SET ROLE mail;
	SELECT assay.create_policy('p', '"the mail".signals', '{id}', prior => -3);
	SELECT assay.create_detector('p', 'money', $$txt LIKE '%money%'$$, weight => 6, mode => 'live');
	SELECT assay.create_detector('p', 'model', model => assay.model_from_linear('{size}', '{0.015625}'), mode => 'live');
	SELECT assay.create_list('bad');
	INSERT INTO assay.list (set, value) VALUES ('bad', 'evil');
	SELECT assay.create_phrase_set('says', readers => '{reader}');
	INSERT INTO assay.phrase (set, name, pattern, weight) VALUES ('says', 'wire', 'wire it', 1);
	SELECT assay.create_detector('p', 'bad', $$assay.in_list('bad', txt)$$, weight => 7, mode => 'live');
	SELECT assay.create_detector('p', 'says', $$cardinality(assay.phrase_hits('says'::text, txt)) > 0$$, weight => 8, mode => 'live')});
$from->safe_psql('postgres', $model);

# ---- rights ------------------------------------------------------------------

my ($rc, $out, $err) = $from->psql('postgres', 'SET ROLE mail; SELECT assay.publish_policies()');
like($err, qr/permission denied for function publish_policies/, 'who may publish');
# who made a publication of that name before would own it
$from->safe_psql('postgres', q{CREATE ROLE squatter; GRANT CREATE ON DATABASE postgres TO squatter; SET ROLE squatter;
	CREATE PUBLICATION assay_text_models WITH (publish = '')});
($rc, $out, $err) = $from->psql('postgres', 'SELECT assay.publish_policies()');
like($err, qr/publication "assay_text_models" belongs to role "squatter"/, 'not by a publication of another role');
is($from->safe_psql('postgres', q{SELECT count(*) FROM pg_publication WHERE pubname = 'assay_policies'}), '0', 'nothing is published then');
$from->safe_psql('postgres', q{DROP PUBLICATION assay_text_models; REVOKE CREATE ON DATABASE postgres FROM squatter; DROP ROLE squatter});
($rc, $out, $err) = $to->psql('postgres', q{SELECT assay.settle_policies()});
like($err, qr/follows no other server/, 'nothing to settle');
($rc, $out, $err) = $to->psql('postgres', q{SELECT assay.unfollow_policies(true)});
like($err, qr/follows no other server/, 'nothing to unfollow, and nothing forgotten');

# ---- the first copy, to a server that has nothing ------------------------------

# a restore with --disable-triggers leaves no names of policies to publish
$from->safe_psql('postgres', q{SELECT assay.publish_policies(); DELETE FROM assay_internal.published_policy});
my $untold = q{SELECT severity, hint FROM assay.check('p') WHERE "check" = 'subscriber'};
is($from->safe_psql('postgres', $untold), 'error|A superuser does SELECT assay.publish_policies();', 'check tells of a policy that followers are not told of');
$from->safe_psql('postgres', 'SELECT assay.publish_policies()');
is($from->safe_psql('postgres', $untold), '', '... until it is published again');
$from->safe_psql('postgres', q{SELECT assay.publish_policies(); SELECT assay.publish_policies();
	SELECT pg_create_logical_replication_slot('one', 'pgoutput')});
is($from->safe_psql('postgres', q{SELECT tablename FROM pg_publication_tables WHERE pubname = 'assay_text_models'}), 'words_version', 'versions of text models');
my $follow = q{CALL assay.follow_policies('} . ($from->connstr('postgres') =~ s/'/''/gr) . q{', 'one')};
$to->safe_psql('postgres', q{SELECT assay.create_list('own')});
($rc, $out, $err) = $to->psql('postgres', $follow);
like($err, qr/has policies, lists or phrases already/, 'not over what is there');
$to->safe_psql('postgres', q{SELECT assay.drop_set('own')});
($rc, $out, $err) = $to->psql('postgres', $follow);
like($err, qr/policy "p" waits for role mail, view "the mail"\.signals, table "the mail"\.p_decision, table "the mail"\.p_label, view "the mail"\.p_policy\n/,
	'what a policy waits for');
like($err, qr/phrases "says" waits for role mail, role reader/, 'what a set waits for');
is($to->safe_psql('postgres', q{SELECT severity, detail ~ 'waits for role mail.*messages stay undecided' FROM assay.check('p')}), 'error|t', 'check says so');
is($to->safe_psql('postgres', 'SELECT enabled, running, copying, errors FROM assay.policy_subscription'), 't|t|0|0', 'the worker runs');
$to->safe_psql('postgres', 'CREATE ROLE nobody');
($rc, $out, $err) = $to->psql('postgres', q{SET ROLE nobody; SELECT count(*) FROM assay.followed; SELECT running FROM assay.policy_subscription; SELECT * FROM assay.check('p')});
is($out, "0\nt", 'who has no part in it sees no policy');
like($err, qr/policy "p" does not exist/, 'nor may check it');
is($to->safe_psql('postgres', 'SELECT count(*) FROM assay.policy'), '0', 'not in force');

# Mail comes before the policy: it is stored.
$to->safe_psql('postgres', "CREATE ROLE mail; $schema $trigger");
my $session = $to->background_psql('postgres', on_error_stop => 0);
$session->query('SET client_min_messages = error');
$session->query(q{INSERT INTO "the mail".message VALUES (1, 'money'), (2, 'no')});
is($to->safe_psql('postgres', 'SELECT count(*) FROM "the mail".message'), '2', 'stored, undecided');
is($to->safe_psql('postgres', q{SELECT kind, name, waits_for FROM assay.settle_policies()}), 'phrases|says|role reader', 'what still waits');
is($to->safe_psql('postgres', q{SELECT assay.in_list('bad', 'evil'), assay.in_list('bad', 'good')}), 't|f', 'the list is here');
$to->safe_psql('postgres', 'CREATE ROLE reader');
is($to->safe_psql('postgres', q{SELECT count(*) FROM assay.settle_policies()}), '0', 'nothing waits');
is($to->safe_psql('postgres', q{SELECT kind, name, owner, in_force FROM assay.followed ORDER BY 1, 2}),
	"list|bad|mail|t\nphrases|says|mail|t\npolicy|p|mail|t", 'in force');
is($to->safe_psql('postgres', q{SELECT relation FROM (SELECT unnest(ARRAY[decision, label, access])::text AS relation FROM assay.policy) u ORDER BY 1}),
	"\"the mail\".p_decision\n\"the mail\".p_label\n\"the mail\".p_policy", 'its tables were made');
is($to->safe_psql('postgres', q{SET ROLE reader; SELECT assay.phrase_hits('says'::text, 'wire it')}), '{wire}', 'a reader reads');
$to->safe_psql('postgres', q{SET ROLE mail; CALL assay.backfill('p')});

# a decision by which a session judges now
my $id = 100;
sub decide
{
	my ($txt) = @_;
	$id++;
	$session->query_safe(qq{INSERT INTO "the mail".message VALUES ($id, '$txt')});
	return $session->query_safe(qq{SELECT revision, verdict FROM "the mail".p_decision WHERE id = $id});
}

# until the session judges so: no time is asserted
sub follows
{
	my ($txt, $expected, $what) = @_;
	my $got = '';
	foreach (1 .. 200)
	{
		last if ($got = decide($txt)) eq $expected;
		select(undef, undef, undef, 0.1);
	}
	is($got, $expected, $what);
}
my $revision = $from->safe_psql('postgres', 'SELECT max(revision) FROM assay.revision');
is($to->safe_psql('postgres', 'SELECT id, revision, verdict FROM "the mail".p_decision ORDER BY id'), "1|$revision|malicious\n2|$revision|safe", 'backfill healed it');
is(decide('money'), "$revision|malicious", 'decided, in the session that wrote before');
is(decide('evil'), "$revision|malicious", 'by a list');
is(decide('do wire it now'), "$revision|malicious", 'by a phrase');
is(decide('x' x 32), "$revision|safe", 'and');
is($session->query_safe(qq{SELECT contribution FROM "the mail".p_decision d, assay.ledger(d.attribution) l WHERE d.id = $id AND l.detector = 'model'}), '0.5', 'by a model');
is($to->safe_psql('postgres', 'SELECT md5(string_agg(model::text, chr(10))) FROM assay.detector_model'),
	$from->safe_psql('postgres', 'SELECT md5(string_agg(model::text, chr(10))) FROM assay.detector_model'), 'models are the same');

# ---- changes reach the running session ------------------------------------------

$from->safe_psql('postgres', q{SET ROLE mail; SELECT assay.alter_detector('p', 'money', weight => 0.1)});
follows('money', ++$revision . '|safe', 'a weight');
$from->safe_psql('postgres', q{SET ROLE mail; SELECT assay.create_guard('p', 'g', $$txt = 'guarded'$$); SELECT assay.exclude('p', 'x', 'g', verdict => 'suspicious', reason => 'r')});
$revision += 2;
follows('guarded', "$revision|suspicious", 'a guard and an exclusion');
is(decide('worse'), "$revision|safe", 'not in the list yet');
$from->safe_psql('postgres', q{SET ROLE mail; INSERT INTO assay.list (set, value) VALUES ('bad', 'worse'); INSERT INTO assay.phrase (set, name, pattern, weight) VALUES ('says', 'bank', 'new bank', 1)});
follows('worse', "$revision|malicious", 'a value of a list');
follows('our new bank', "$revision|malicious", 'a phrase');
$from->safe_psql('postgres', q{SET ROLE mail; DELETE FROM assay.list WHERE value = 'worse'});
follows('worse', "$revision|safe", 'a value that goes');
$from->safe_psql('postgres', q{SET ROLE mail; SELECT assay.revoke_set('says', 'reader')});
$to->poll_query_until('postgres', q{SELECT readers = '{}' FROM assay.named_set WHERE set = 'says'}) or die;
is($to->safe_psql('postgres', q{SELECT state FROM assay.named_set ORDER BY set}), $from->safe_psql('postgres', q{SELECT state FROM assay.named_set ORDER BY set}), 'states of sets are the same');
$from->safe_psql('postgres', q{SET ROLE mail; SELECT assay.set_labels('p', label_order => '{analyst,user}', label_maturity => '1 day')});
$to->poll_query_until('postgres', q{SELECT label_order = '{analyst,user}' FROM assay.label_rules}) or die;
like($to->safe_psql('postgres', q{SELECT pg_get_viewdef('"the mail".p_label_latest')}), qr/analyst/, 'the view of labels follows its rule');
is($to->safe_psql('postgres', 'SELECT md5(string_agg(r::text, chr(10) ORDER BY revision)) FROM assay.revision r'),
	$from->safe_psql('postgres', 'SELECT md5(string_agg(r::text, chr(10) ORDER BY revision)) FROM assay.revision r'), 'revisions are the same, with who made them when');
is($to->safe_psql('postgres', qq{$_ SELECT * FROM assay.check('p') WHERE "check" IN ('following', 'condition', 'undecided')}), '', 'all is well') foreach ('', 'SET ROLE mail;');

# ---- a text model -------------------------------------------------------------

$to->safe_psql('postgres', $model);
$to->safe_psql('postgres', q{CREATE SUBSCRIPTION assay_text_models CONNECTION '} . ($from->connstr('postgres') =~ s/'/''/gr) . q{' PUBLICATION assay_text_models});
$to->wait_for_subscription_sync($from, 'assay_text_models');
my $text = q{SELECT assay.create_detector('p', 'words', text_model => 'words', text => 'txt', mode => 'live')};
$from->safe_psql('postgres', qq{SET ROLE mail; $text});
$revision++;
follows('lottery prize', "$revision|safe", 'a text model that has learned nothing');
$from->safe_psql('postgres', q{
	SET ROLE mail;
	INSERT INTO "the mail".message SELECT i, CASE WHEN i % 2 = 0 THEN 'lottery prize win' ELSE 'meeting notes agenda' END, '2020-01-01' FROM generate_series(10001, 10400) i;
	INSERT INTO "the mail".trained SELECT id, id % 2 = 0, '2020-01-02' FROM "the mail".message;
	SELECT assay.learn('words')});
follows('lottery prize win lottery prize win', "$revision|malicious", 'what it learned reaches the session');
($rc, $out, $err) = $to->psql('postgres', q{SET ROLE mail; INSERT INTO "the mail".trained VALUES (101, true, now() - interval '2 days'); SELECT assay.learn('words')});
like($err, qr/text model "words" comes from another server/, 'it learns there');

# ---- nothing is changed here ------------------------------------------------------

foreach my $sql (q{SELECT assay.alter_policy('p', prior => 0)}, q{SELECT assay.create_policy('q', '"the mail".signals', '{id}', schema => 'the mail')},
	q{BEGIN; DROP TRIGGER decide ON "the mail".message; SELECT assay.drop_policy('p')}, q{SELECT assay.create_list('more')}, q{INSERT INTO assay.list (set, value) VALUES ('bad', 'here')},
	q{INSERT INTO assay.phrase (set, name, pattern) VALUES ('says', 'h', 'here')}, q{SELECT assay.drop_set('bad')}, q{SELECT assay.set_labels('p', '{a}')})
{
	($rc, $out, $err) = $to->psql('postgres', "SET ROLE mail; $sql");
	like($err, qr/follows the policies of another server/, "refused: $sql");
}

# ---- what is missing stops nothing else ---------------------------------------------

$from->safe_psql('postgres', q{
	CREATE ROLE other; GRANT CREATE ON SCHEMA public TO other; SET ROLE other; SET search_path = public;
	CREATE TABLE mine (id int PRIMARY KEY); CREATE VIEW mine_signals AS SELECT id FROM mine;
	SELECT assay.create_policy('q', 'mine_signals', '{id}', schema => 'public');
	SELECT assay.create_list('others')});
$from->safe_psql('postgres', q{SET ROLE mail; SELECT assay.alter_policy('p', prior => -2.5)});
$revision++;
follows('meeting notes', "$revision|safe", 'a policy that waits stops no other');
is($to->safe_psql('postgres', q{SELECT kind, name, in_force, waits_for FROM assay.followed WHERE waits_for IS NOT NULL ORDER BY 1}),
	"list|others|f|role other\npolicy|q|f|role other, view public.mine_signals, table public.q_decision, table public.q_label, view public.q_policy", 'and is told of');
is($to->safe_psql('postgres', q{SELECT errors FROM assay.policy_subscription WHERE subscription = 'assay_policies'}), '0', 'no worker stopped');
# With its relations made by hand, the next revision puts it into force.
$to->safe_psql('postgres', q{CREATE ROLE other; GRANT CREATE ON SCHEMA public TO other; CREATE TABLE mine (id int PRIMARY KEY); CREATE VIEW mine_signals AS SELECT id FROM mine; ALTER VIEW mine_signals OWNER TO other});
$to->safe_psql('postgres', q{CREATE TABLE q_decision (LIKE "the mail".p_decision INCLUDING ALL); CREATE TABLE q_label (LIKE "the mail".p_label INCLUDING ALL); CREATE VIEW q_policy AS SELECT 'q'::text AS policy});
is($to->safe_psql('postgres', q{SELECT waits_for FROM assay.followed WHERE name = 'q'}),
	'table public.q_decision to belong to other, table public.q_label to belong to other, view public.q_policy to belong to other', 'not by another\'s tables');
$to->safe_psql('postgres', "ALTER $_ OWNER TO other") foreach ('TABLE q_decision', 'TABLE q_label', 'VIEW q_policy');
$from->safe_psql('postgres', q{SET ROLE other; SELECT assay.alter_policy('q', prior => -1)});
$to->poll_query_until('postgres', q{SELECT in_force FROM assay.followed WHERE kind = 'policy' AND name = 'q'}) or die;
is($to->safe_psql('postgres', q{SELECT owner FROM assay.policy WHERE policy = 'q'}), 'other', 'late, by itself');

# ---- renamed at the publisher ---------------------------------------------------------

$from->safe_psql('postgres', q{SET ROLE mail; ALTER TABLE "the mail".p_decision RENAME TO "p decided"; SELECT assay.alter_policy('p', prior => -2.4)});
$revision++;
follows('money', "$revision|safe", 'a table renamed there is what it was here');
is($to->safe_psql('postgres', q{SELECT severity, detail FROM assay.check('p') WHERE "check" = 'following'}),
	'warning|it waits for table "the mail"."p decided": what it was before is in force', 'check tells');
$to->safe_psql('postgres', q{ALTER TABLE "the mail".p_decision RENAME TO "p decided"});
is($to->safe_psql('postgres', q{SELECT * FROM assay.settle_policies() s WHERE s.name = 'p'}), '', 'renamed here');
$to->safe_psql('postgres', q{ALTER TABLE "the mail"."p decided" RENAME TO p_decision});

# ---- given to another role at the publisher, and back ----------------------------------

$from->safe_psql('postgres', q{SELECT assay.alter_policy('p', owner => 'other'); SELECT assay.publish_policies()});
$to->poll_query_until('postgres', q{SELECT waits_for ~ 'to belong to other' FROM assay.followed WHERE name = 'p'}) or die;
$revision++;
follows('meeting notes', "$revision|safe", 'decides on as its owner here');
is($to->safe_psql('postgres', q{SELECT owner FROM assay.policy WHERE policy = 'p'}), 'mail', 'who owns it here');
$from->safe_psql('postgres', q{SELECT assay.alter_policy('p', owner => 'mail'); SELECT assay.publish_policies()});
$revision++;
$to->poll_query_until('postgres', q{SELECT owner = 'mail' FROM assay.followed WHERE name = 'p'}) or die;

# ---- restart ----------------------------------------------------------------------------

$session->quit;
$to->restart;
$from->restart;
$session = $to->background_psql('postgres', on_error_stop => 0);
$session->query('SET client_min_messages = error');
$from->safe_psql('postgres', q{SET ROLE mail; SELECT assay.alter_detector('p', 'money', weight => 6)});
$revision++;
follows('money', "$revision|malicious", 'after both were restarted');

# ---- stopped, behind ------------------------------------------------------------------------

$to->safe_psql('postgres', 'ALTER SUBSCRIPTION assay_policies DISABLE');
is($to->safe_psql('postgres', q{SELECT severity, detail FROM assay.check('p') WHERE detail LIKE '%disabled%'}), 'error|subscription assay_policies is disabled: changes do not come', 'disabled');
$from->poll_query_until('postgres', q{SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'one'}) or die;
is($from->safe_psql('postgres', q{SELECT severity, split_part(detail, ',', 1) FROM assay.check('p') WHERE "check" = 'subscriber'}), 'warning|replication slot one is not read', 'the publisher tells, too');
# A row of one's own, which only who owns the extension can write, stops the worker: check tells.
$to->safe_psql('postgres', q{SET session_replication_role = replica; INSERT INTO assay_internal.label_rule VALUES ('q')});
$from->safe_psql('postgres', q{SET ROLE other; SELECT assay.set_labels('q', '{a}')});
$to->safe_psql('postgres', 'ALTER SUBSCRIPTION assay_policies ENABLE');
$to->poll_query_until('postgres', q{SELECT errors > 0 FROM assay.policy_subscription WHERE subscription = 'assay_policies'}) or die;
# whether the worker waits to try again or tries; one that has just begun is in no view of the server's yet
ok($to->poll_query_until('postgres', q{SELECT count(*) = 1 FROM assay.check('p') WHERE detail ~ 'subscription assay_policies (does not run|began again within a minute), after [1-9][0-9]* errors'}), 'stuck');
$to->safe_psql('postgres', q{SET session_replication_role = replica; DELETE FROM assay_internal.label_rule WHERE policy = 'q'});
$from->safe_psql('postgres', q{SET ROLE mail; SELECT assay.alter_policy('p', prior => -2)});
$revision++;
follows('money', "$revision|malicious", 'goes on');

# ---- dropped -----------------------------------------------------------------------------------

$from->safe_psql('postgres', q{SET ROLE other; SELECT assay.drop_policy('q'); SELECT assay.drop_set('others')});
$to->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM assay.policy WHERE policy = 'q')}) or die;
is($to->safe_psql('postgres', q{SELECT (SELECT count(*) FROM assay_internal.revision WHERE policy = 'q'), (SELECT count(*) FROM assay.followed WHERE name IN ('q', 'others')), to_regclass('q_decision')}),
	'0|0|q_decision', 'gone, but for its tables');
$from->safe_psql('postgres', q{SET ROLE mail; ALTER TABLE "the mail"."p decided" RENAME TO p_decision; SELECT assay.drop_policy('p')});
$to->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM assay.policy)}) or die;
$session->query(q{INSERT INTO "the mail".message VALUES (5000, 'money')});
is($to->safe_psql('postgres', 'SELECT count(*) FROM "the mail".message WHERE id = 5000'), '1', 'mail is stored when its policy is dropped');

# ---- no longer ----------------------------------------------------------------------------------

($rc, $out, $err) = $to->psql('postgres', 'SELECT assay.unfollow_policies(forget => true)');
like($err, qr/replication slot "one" is still there/, 'what is left to do');
is($to->safe_psql('postgres', q{SELECT (SELECT count(*) FROM assay.named_set), (SELECT count(*) FROM assay.list_entry), (SELECT count(*) FROM assay_internal.published_set)}), '0|0|0', 'forgotten');
$from->safe_psql('postgres', q{SELECT pg_drop_replication_slot('one'); SELECT pg_create_logical_replication_slot('two', 'pgoutput')});
$follow =~ s/'one'/'two'/;
($rc, $out, $err) = $to->psql('postgres', $follow);
is($err, '', 'again');
$to->safe_psql('postgres', 'SELECT assay.unfollow_policies()');
$to->safe_psql('postgres', q{SET ROLE mail; INSERT INTO assay.list (set, value) VALUES ('bad', 'here')});
is($to->safe_psql('postgres', q{SELECT assay.in_list('bad', 'here'), assay.in_list('bad', 'evil')}), 't|t', 'what came is its own');

# ---- half a policy decides nothing -----------------------------------------------------------------

# A server that has a row of a detector's already gets no others: the first copy does not end.
my $third = server('third');
$third->safe_psql('postgres', "CREATE ROLE mail; CREATE ROLE reader; $schema");
$from->safe_psql('postgres', q{SET ROLE mail; DROP TABLE "the mail".p_decision, "the mail".p_label CASCADE; DROP VIEW "the mail".p_policy; SELECT assay.create_policy('p', '"the mail".signals', '{id}'); SELECT assay.create_detector('p', 'money', $$txt LIKE '%money%'$$, weight => 9, mode => 'live')});
$third->safe_psql('postgres', q{INSERT INTO assay_internal.detector (policy, detector, from_revision, condition, weight, mode, rollout) VALUES ('p', 'money', 2, 'true', 1, 'live', 1)});
$third->safe_psql('postgres', q{CREATE SUBSCRIPTION "my policies" CONNECTION '} . ($from->connstr('postgres') =~ s/'/''/gr) . q{' PUBLICATION assay_policies WITH (slot_name = three)});
$third->poll_query_until('postgres', q{SELECT copying = 1 AND errors > 0 FROM assay.policy_subscription}) or die;
is($third->safe_psql('postgres', 'SELECT name, waits_for FROM assay.settle_policies()'), 'p|the end of the first copy', 'tables are made, and no more');
($rc, $out, $err) = $third->psql('postgres', "$trigger; " . q{INSERT INTO "the mail".message VALUES (1, 'money')});
like($err, qr/1 message stays without a decision/, 'not decided by half a policy');
like($third->safe_psql('postgres', q{SELECT string_agg(detail, '; ') FROM assay.check('p')}), qr/waits for the end of the first copy: messages stay undecided; subscription my policies has still to copy tables: 1, after [1-9]/, 'check tells');
$third->safe_psql('postgres', q{SET session_replication_role = replica; DELETE FROM assay_internal.detector});
$third->poll_query_until('postgres', q{SELECT copying = 0 FROM assay.policy_subscription}) or die;
is($third->safe_psql('postgres', 'SELECT count(*) FROM assay.settle_policies()'), '0', 'settled');
$third->safe_psql('postgres', q{SET ROLE mail; CALL assay.backfill('p')});
is($third->safe_psql('postgres', 'SELECT id, revision, verdict FROM "the mail".p_decision'), '1|2|malicious', 'healed');
$third->safe_psql('postgres', 'DROP SUBSCRIPTION "my policies"');
is($third->safe_psql('postgres', 'SELECT count(*) FROM assay.followed'), '0', 'follows nobody');
$third->stop;

$session->quit;
$to->safe_psql('postgres', 'DROP SUBSCRIPTION assay_text_models');
$to->stop;
$from->stop;
done_testing();
