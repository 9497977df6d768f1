# assay_load: facts of a message as columns, the same as the server's functions find.
use strict;
use warnings;
use AssayLoad;
use Test::More;

AssayLoad::start();
$node->safe_psql('postgres', 'CREATE EXTENSION pg_assay');

my $mail = <<'END';
Return-Path: <bounce@mailer.example>
Received: from edge.example.org (edge.example.org [192.0.2.1]) by box.example.org with ESMTPS; Tue, 5 Mar 2024 08:00:02 +0000
Authentication-Results: MX.example.org; spf=pass smtp.mailfrom=bounce@mailer.example;
	dkim=pass header.d=news.bank.example; dmarc=fail (p=REJECT) header.from=bank.example
Authentication-Results: mx.bank.example; spf=pass smtp.mailfrom=bank.example; arc=pass
Authentication-Results: spf=softfail smtp.mailfrom=bank.example; compauth=fail reason=001
Received: from mail.bank.example (dsl-9.isp.example [203.0.113.9]) by edge.example.org with ESMTP; Tue, 5 Mar 2024 08:00:01 +0000
From: "PayPal.com Support" <news@bank.example>
Reply-To: x@gmail.com
To: ann@example.org, bob@sub.bank.example, news@bank.example
Message-ID: <1@mail.bank.example>
Date: Tue, 5 Mar 2024 08:00:00 +0000
Subject: URGENT: your account!
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<p>Dear customer, PAY <a href="https://r.example/?to=https%3A%2F%2Fevil.example.com%2F&amp;m=ann%40example.org">www.bank.example.com</a>
<a href="http://3325256711/pay">now</a></p>
END

# ---- columns, and the type of the same names ---------------------------------

my $row = load_one($mail, '--authserv-id=mx.example.org', '--trusted=192.0.2.0/24');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM pg_attribute t WHERE t.attrelid = 'assay.message_facts'::regclass AND NOT EXISTS
		(SELECT FROM pg_attribute c WHERE c.attrelid = 'message'::regclass AND c.attname = t.attname AND c.atttypid = t.atttypid)}),
	0, 'every fact is a column of a new table, of the same type');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM pg_attribute t JOIN pg_attribute c ON c.attrelid = 'message'::regclass AND c.attname = t.attname
	WHERE t.attrelid = 'assay.message_facts'::regclass
		AND col_description(t.attrelid, t.attnum) IS DISTINCT FROM col_description(c.attrelid, c.attnum)}),
	0, 'with the same comment');

# name and value of some: "auth_spf pass"
sub facts_are
{
	my ($have, @expected) = @_;
	my $name = pop @expected;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @off;
	foreach (@expected)
	{
		my ($column, $want) = split / /, $_, 2;
		my $value = $have->{$column};
		$value = ref $value eq 'ARRAY' ? "@$value" : ref $value ? ($value ? 't' : 'f') : $value // '-';
		push @off, "$column is $value, not $want" if $value ne $want;
	}
	return ok(!@off, $name) || diag(join "\n", @off);
}

facts_are($row, 'auth_server mx.example.org', 'auth_spf pass', 'auth_spf_domain mailer.example', 'auth_spf_aligned f', 'auth_dkim pass',
	'auth_dkim_domains news.bank.example', 'auth_dkim_aligned t', 'auth_dmarc fail', 'auth_dmarc_policy reject', 'auth_compauth -',
	'auth_headers 1', 'auth_untrusted_headers 2', 'authentication by the trusted server alone');
facts_are($row, 'relay_ip 203.0.113.9', 'relay_name dsl-9.isp.example', 'relay_helo mail.bank.example', 'relay_by edge.example.org',
	'relay_aligned f', 'relay_encrypted f', 'relay_hop 2', 'relay_hops 2', 'the first host from outside');
facts_are($row, 'from_org bank.example', 'from_name_domain paypal.com', 'from_name_mismatch t', 'reply_to_org gmail.com',
	'reply_to_aligned f', 'return_path_org mailer.example', 'return_path_is_from f', 'message_id_aligned t', 'recipient_count 3',
	'recipients_aligned 2', 'from_is_recipient t', 'how addresses relate');
facts_are($row, 'body_words 8', 'body_uppercase_words 1', 'subject_exclamations 1', 'subject_uppercase_words 1', 'from_name_words 3',
	'body_scripts Latin', 'texts');
facts_are($row, 'url_count 3', 'url_hosts r.example 198.51.100.7 www.bank.example.com', 'url_recipient 1', 'url_redirects 1',
	'url_redirect_domains example.com', 'url_ip 1', 'link_count 2', 'link_mismatches 1', 'links');
same_facts('{mx.example.org}', '{192.0.2.0/24}');

$row = load_one($mail, '--authserv-id=', '--authserv-id=MX.BANK.example');
facts_are($row, 'auth_server MX.BANK.example', 'auth_headers 2', 'auth_compauth fail', 'auth_compauth_reason 001', 'auth_arc pass',
	'auth_spf softfail', 'auth_conflict t', 'several ids, one of them empty');
$row = load_one($mail);
facts_are($row, 'auth_server -', 'auth_spf -', 'auth_headers 0', 'auth_untrusted_headers 3', 'no server is trusted without being named');

# ---- tables that have some, or others ----------------------------------------

my $file = write_file(fresh_folder() . '/one.eml', $mail);
$node->safe_psql('postgres', 'CREATE TABLE partial (subject text, url_count bigint, body_entropy double precision, auth_spf varchar(9), relay_name text)');
is(load('-q', '-t', 'partial', '--authserv-id=mx.example.org', $file), 0, 'a table with some facts');
my ($some) = rows('SELECT * FROM partial');
facts_are($some, 'url_count 3', 'auth_spf pass', 'relay_name dsl-9.isp.example', 'of wider types, too');
cmp_ok(abs($some->{body_entropy} - $row->{body_entropy}), '<', 1e-6, 'a real in a double precision');
$node->safe_psql('postgres', 'CREATE TABLE none (subject text, relay_ip inet)');
is(load('-q', '-t', 'none', $file), 0, 'a table without');
is($node->safe_psql('postgres', 'SELECT relay_ip FROM none'), '203.0.113.9', 'the relay is found there, too');
$node->safe_psql('postgres', 'CREATE TABLE wrong (url_count text)');
my ($code, $err) = load('-q', '-t', 'wrong', $file);
is($code, 1, 'a column of another type');
like($err, qr/column "url_count" of table public\.wrong has type text, but integer is needed/, 'is named');

# ---- limits ------------------------------------------------------------------

($code, $err) = load('-q', (map { "--authserv-id=h$_.example" } 1 .. 100), '-t', 'none', $file);
is($code, 0, 'a hundred servers');
($code, $err) = load('-q', (map { "--authserv-id=h$_.example" } 1 .. 101), '-t', 'none', $file);
is($code, 1, 'and one more');
like($err, qr/at most/, 'are too many');

# a message with as much of everything as fits: all of it is read
my $links = join '', map { qq{<a href="https://h$_.example/?u=https://x$_.example">h$_.example</a>\n} } 1 .. 10001;
$row = load_one("From: a\@b.example\nTo: " . join(', ', map { "r$_\@b.example" } 1 .. 5000) . "\nContent-Type: text/html\n\n$links");
facts_are($row, 'url_count 10000', 'url_host_count 10000', 'recipient_count 5000', 'recipients_aligned 5000', 'link_count 10000',
	'url_redirects 10000', 'a message of many links and recipients');
has_defects($row, qw(no_date no_received guessed_time truncated_list), 'it is cut where it was before');
same_facts();

done_testing();
