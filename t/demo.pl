# The demo's SQL files on made-up mail: what the signals say, that none knows
# the future or its own label, and that the policy decides each message.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use Test::More;

use ReportFigures;

my $node = PostgreSQL::Test::Cluster->new('demo');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\njit = off\n");
$node->start;

# The files name each other relative to their folder.
chdir "$ENV{ASSAY_TOP}/demo" or die "demo: $!";

sub sql { return $node->safe_psql('postgres', shift); }
sub file { foreach my $f (@_) { sql("\\i $f"); } return; }

sql('CREATE EXTENSION pg_assay');
file('schema.sql', 'lists.sql');

# 40 days of mail of 25 senders to 4 recipients; every fifth answers an earlier
# message; senders 20 and above are malicious. Deterministic, to the second.
sql(q{
	CREATE TABLE made AS
	SELECT i AS id, timestamptz '2024-03-01 00:00:07Z' + i * interval '2 hours 24 minutes' AS received_at,
	       (i * 7 + i / 3) % 25 AS sender, (i * 11) % 4 AS recipient
	FROM generate_series(1, 399) i;
	CREATE FUNCTION arrive(low int, high int) RETURNS void LANGUAGE sql AS $$
		INSERT INTO message (id, message_id, received_at, sent_at, from_addr, from_name, from_domain, return_path, recipients, mailbox,
			subject, body_text, has_html, urls, link_texts, link_hrefs, in_reply_to, reference_ids, list_id, headers, size_bytes)
		SELECT id, format('m%s@host%s.example.net', id, sender), received_at, received_at - interval '1 minute',
			format('user%s@site%s.example.com', sender, sender % 10), 'Some Body', format('site%s.example.com', sender % 10),
			format('user%s@site%s.example.com', sender, sender % 10), ARRAY[format('reader%s@example.org', recipient)],
			-- the folder that a corpus keeps it in is its label; no signal may see that
			CASE WHEN sender >= 20 THEN 'spam' ELSE 'ham' END,
			CASE WHEN sender >= 20 THEN 'MAKE MONEY NOW!!!' ELSE 'Re: the kernel' END,
			CASE WHEN sender >= 20 THEN 'Click here to order now, 100% guaranteed, to be removed reply'
			     ELSE E'somebody wrote:\n> it fails\n> again\nI think the driver does not compile' END,
			false, CASE WHEN sender >= 20 THEN ARRAY['http://10.1.2.3/x'] END, '{}', '{}',
			CASE WHEN id % 5 = 0 THEN (SELECT format('m%s@host%s.example.net', e.id, e.sender) FROM made e WHERE e.id = made.id - 4) END,
			'{}', NULL, jsonb_build_object('received', ARRAY['from a by b; now'], 'to', ARRAY['reader']), 900
		FROM made WHERE id BETWEEN low AND high ORDER BY id
	$$;
	SELECT arrive(1, 239);
	INSERT INTO inbound_label SELECT id, sender >= 20, 'test', received_at + interval '12 hours' FROM made WHERE id < 240;
});
file(qw(phrases.sql baselines.sql text_model.sql signals.sql policy.sql));

# ---- what is there ----------------------------------------------------------

my $columns = q{FROM pg_attribute WHERE attrelid = 'message_signals'::regclass AND attnum > 1};
cmp_ok(sql("SELECT count(*) $columns"), '>=', 40, 'at least 40 signals');
is(sql("SELECT string_agg(attname, ' ') $columns AND col_description(attrelid, attnum) !~ '^(message|sender|recipient|pair): .'"),
	'', 'the comment of each begins with its level');
is(sql("SELECT string_agg(attname, ' ') $columns AND col_description(attrelid, attnum) IS NULL"), '', 'each has a comment');
is(sql("SELECT count(DISTINCT split_part(col_description(attrelid, attnum), ':', 1)) $columns"), 4, 'of four levels');
cmp_ok(sql("SELECT count(*) FROM assay.detectors WHERE kind = 'rule'"), '>=', 30, 'at least 30 rules');
is(sql("SELECT count(*) FROM assay.detectors WHERE kind = 'model' AND mode = 'live'"), 2, 'GBDT and text model');
is(sql("SELECT count(*) FROM inbound_decision"), 0, 'history is not decided');

# ---- the rest arrives -------------------------------------------------------

# Each batch with its signals as they were then. A day begins with each tenth
# message, so no batch is of two: its second day would miss what came on the first.
sql(q{CREATE TABLE seen AS SELECT * FROM message_signals WHERE false});
for (my $low = 240; $low < 400; $low += 5)
{
	my $high = $low + 4;
	sql("SELECT assay.refresh_baseline(baseline) FROM assay.baseline_info");
	sql("SELECT arrive($low, $high)");
	sql("INSERT INTO seen SELECT * FROM message_signals WHERE id BETWEEN $low AND $high");
}
is(sql('SELECT count(*), count(DISTINCT id), min(id), max(id) FROM inbound_decision'), '160|160|240|399', 'one decision each');
is(sql('SELECT count(*) FROM assay.fault'), 0, 'no fault');
is(sql(q{SELECT count(*) FROM inbound_decision d WHERE abs(assay.margin(d.attribution) -
	(SELECT sum(contribution) FILTER (WHERE counted) FROM assay.ledger(d.attribution))) > 1e-5}), 0, 'ledgers sum to their margin');
is(sql(q{SELECT count(*) FROM inbound_decision d JOIN made USING (id)
	WHERE (d.verdict = 'malicious') <> (sender >= 20)}), 0, 'verdicts are as plain as the mail');

# ---- nothing knows the future -----------------------------------------------

# Later mail of the same senders, and labels of all, those of the streamed
# messages wrong, change nothing in what is said of earlier messages.
sql(q{
	INSERT INTO made SELECT 399 + i, timestamptz '2024-04-20 00:00Z' + i * interval '1 hour', i % 25, i % 4 FROM generate_series(1, 100) i;
	SELECT arrive(400, 499);
	INSERT INTO inbound_label SELECT id, sender < 20, 'late', '2024-05-01' FROM made WHERE id >= 240;
	SELECT assay.refresh_baseline(baseline) FROM assay.baseline_info;
	SELECT assay.learn('mail');
});
is(sql(q{SELECT count(*) FILTER (WHERE l.contribution < 0) > 100 AND count(*) FILTER (WHERE l.contribution > 0) > 20
	FROM message_signals m, assay.score('inbound', m, at => m.received_at) x, assay.ledger(x.attribution) l WHERE l.detector = 'text'}), 't', 'the text model says something');
is(sql(q{SELECT string_agg(DISTINCT s.kind || ' ' || s.name, ', ') FROM inbound_decision d, assay.states(d.attribution) s}),
	'list brand, list brand_domain, list free_mail, list people, list shared_domain, phrases masked, phrases traits, phrases wording, text_model mail', 'ledgers name the states of what was looked into');
is(sql('SELECT count(*) FROM (SELECT * FROM seen EXCEPT SELECT * FROM message_signals) x'), 0,
	'signals are the same after later mail and labels');
is(sql(q{SELECT count(*) FROM inbound_decision d JOIN message_signals m USING (id)
	WHERE id < 400 AND abs(assay.margin((assay.score('inbound', m)).attribution) - assay.margin(d.attribution)) > 1e-9}), 0,
	'so are decisions');

# Baselines against counting: messages of earlier days, labels known on earlier days
is(sql(q{
	WITH m AS (SELECT *, (received_at AT TIME ZONE 'UTC')::date AS day, sender % 10 AS domain FROM made),
	l AS (SELECT DISTINCT ON (id) m.*, (labelled_at AT TIME ZONE 'UTC')::date AS known, malicious FROM m JOIN inbound_label USING (id) ORDER BY id, labelled_at DESC)
	SELECT count(*) FROM m JOIN message_signals s USING (id)
	WHERE (s.sender_events, s.recipient_events, s.pair_events, s.sender_labels, s.domain_labels, s.domain_events)
	  IS DISTINCT FROM (
		(SELECT count(*) FROM m e WHERE e.sender = m.sender AND e.day < m.day),
		(SELECT count(*) FROM m e WHERE e.recipient = m.recipient AND e.day < m.day),
		(SELECT count(*) FROM m e WHERE e.sender = m.sender AND e.recipient = m.recipient AND e.day < m.day),
		(SELECT count(*) FROM l WHERE l.sender = m.sender AND l.known < m.day),
		(SELECT count(*) FROM l WHERE l.known < m.day),
		(SELECT count(*) FROM m e WHERE e.day < m.day))
	OR abs(s.sender_attack_rate - ((SELECT count(*) FROM l WHERE l.sender = m.sender AND l.known < m.day AND malicious) + 0.6)
		/ ((SELECT count(*) FROM l WHERE l.sender = m.sender AND l.known < m.day) + 2)) > 1e-12
	OR s.sender_last_hour <> (SELECT count(*) FROM m e WHERE e.sender = m.sender AND e.received_at < m.received_at
		AND e.received_at >= m.received_at - interval '1 hour')
	OR s.thread_known <> (m.id % 5 = 0)}), 0, 'history signals equal a count of what was known');

# ---- the page that the demo writes ------------------------------------------

my $page = sql(q{SELECT assay.report_html('inbound', columns => '{from_name,from_addr,subject}', messages => 'message')});
unlike($page, qr/class="failed"/, 'all parts of the page are made');
my $figures = page_figures($page);
delete @$figures{ grep { m{^detector-table\|[^|]*/tag/} } keys %$figures };
# a detector without a hit is counted by nobody
delete @$figures{ grep { m{^(detector-table\|.*)\|} && ($figures->{"$1|hits"} // '') eq '0' && ($figures->{"$1|sole"} // '') eq '0' } keys %$figures };
my $plain = plain_figures(\&sql, 'inbound');
delete @$plain{ grep { m{^(detector-table\|.*)\|} && $plain->{"$1|hits"} eq '0' && $plain->{"$1|sole"} eq '0' } keys %$plain };
my ($compared, @differ) = compare_figures($figures, $plain,
	'(?:tile|verdict-table|detector-table|thresholds|curve|calibration-table|days-table|hours-table|overlap-table|fault-table|latest-table|ledger-\d+)');
cmp_ok($compared, '>', 500, "$compared figures of the page");
is(join("\n", @differ), '', 'they are those of plain SQL');

# ---- single signals ---------------------------------------------------------

sub signals
{
	my ($which, %field) = @_;
	my $names = join ', ', 'received_at', keys %field;
	my $values = join ', ', "'2024-06-01'", values %field;
	my $row = sql("BEGIN; ALTER TABLE message DISABLE TRIGGER decide;
		INSERT INTO message (id, $names) VALUES (9000, $values); SELECT concat_ws(' ', $which) FROM message_signals WHERE id = 9000; ROLLBACK");
	return $row;
}
is(signals('count(*) OVER ()'), '1', 'a message with nothing but a time has signals');
is(signals('url_numeric_host, url_obfuscated, url_port', urls => q{ARRAY['http://1.2.3.4:81/', 'http://a@b.c/']}), 't t t', 'hidden hosts');
is(signals('url_numeric_host, url_obfuscated, url_port, url_hosts', urls => q{ARRAY['http://example.com/?a=%20@:8', 'https://example.com']}),
	'f f f 1', 'plain links');
is(signals('mailer_outlook, outlook_forged', headers => q{'{"x-mailer": ["Microsoft Outlook Express"]}'}), 't t', 'not Outlook');
is(signals('mailer_desktop, mailer_missing', subject => q{E'x\nmailer: mutt'}), 'f t', 'a subject cannot pose as a header');
is(signals('link_mismatches', link_texts => q{'{https://bank.example.com/,www.shop.example.org,here}'},
	link_hrefs => q{'{http://evil.example.net/,http://shop.example.org/,http://evil.example.net/}'}), '1', 'links that lie');
is(signals('claims_name, from_brand, lookalike_domain', from_name => q{'PayPaI Support'}, from_domain => q{'paypa1.com'}), 't f t', 'names that lie');
is(signals('claims_name, from_brand, lookalike_domain', from_name => q{'PayPal'}, from_domain => q{'mail.paypal.com'}), 't t f', 'a name by right');
is(signals('invisible_words, mixed_script_words', body_text => q{E'pay\\u200bpal pаypal'}), '1 1', 'letters that lie');
is(signals('url_hidden_hosts, url_of_brand', urls => q{ARRAY['http://paypal.com@evil.test/', 'https://www.ebay.com/']}), '1 t', 'hosts that lie');
is(signals('dmarc_failed, authenticated', from_domain => q{'a.example'}, headers => q{'{"authentication-results": ["mx.example.org; dmarc=fail header.from=a.example"]}'}), 't f', 'not authenticated');
is(sql(q{BEGIN; ALTER TABLE message DISABLE TRIGGER decide;
	INSERT INTO message (id, received_at, from_addr, body_text) SELECT 9000 + i, '2024-06-01 10:00Z'::timestamptz + i * interval '1 hour', format('u%s@x%s.example', i, i % 3),
		format('Dear Mr Smith%s, your parcel %s waits for you, please pay the fee at http://x%s.example/pay within a day', i, i, i) FROM generate_series(0, 30) i;
	SELECT string_agg(concat_ws(' ', id, alike, alike_senders), ', ' ORDER BY id) FROM message_signals WHERE id IN (9000, 9003, 9030); ROLLBACK}),
	'9000 0 0, 9003 3 3, 9030 23 23', 'messages alike in the day before');
is(signals('fake_reply, threaded', subject => q{'Re: you'}), 't f', 'a reply to nothing');
is(signals('money_phrases, pitch_themes', body_text => q{E'Make\n money  fast: double your cash'}), '3 1', 'phrases');
is(signals('list_mail, opt_out_phrases', list_id => q{'<l.example>'}, body_text => q{E'hello\n_____________________\nto unsubscribe'}),
	't 0', 'what a list appends is not the sender\'s');
is(signals('recipient_events > 0, pair_events > 0', mailbox => q{'ham'}, from_addr => q{'user1@site1.example.com'},
	recipients => q{'{reader1@example.org}'}), 't t', 'a recipient is an address');
is(signals('recipient_events, pair_events', mailbox => q{'ham'}, from_addr => q{'user1@site1.example.com'}), '0 0', '... and not a folder');
is(signals('list_mail, opt_out_phrases', body_text => q{E'hello\n_____________________\nto unsubscribe'}), 'f 1', 'without a list it is');

$node->stop;
done_testing();
