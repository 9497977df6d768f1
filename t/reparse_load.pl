# assay_load: kept messages are read again, and fields of JSON fill columns of one's own.
use strict;
use warnings;
use AssayLoad;
use JSON::PP;
use Test::More;

AssayLoad::start();

# ---- --reparse ---------------------------------------------------------------

my $dir = fresh_folder();
my @mail = (
	"Received: from x ([203.0.113.9]) by y.example; Tue, 5 Mar 2024 08:00:00 +0000\nFrom: a\@b.example\nSubject: one\n"
	  . "Content-Type: text/html\n\n<a href=\"https://l.example/\">x</a> two words",
	"From: a\@b.example\nSubject: guessed\n\nno time\n",
	"From: a\@b.example\nDate: Tue, 5 Mar 2024 08:00:00 +0000\nSubject: nul\0\xFF\n\nx\0y\n",
	"garbage\n");
utime 1e9, 1e9, write_file("$dir/$_.eml", $mail[$_]) foreach 0 .. $#mail;
write_file("$dir/5.mbox", "From: a\@b.example\nSubject: no line\n\nx\n\nFrom x\@y Tue Mar  5 08:00:00 2024\nFrom: c\@d.example\n\ny\n");
is(load('-q', '--create-table', '--keep=html,raw', '--max-message=1024', $dir), 0, 'messages are kept');
is(load('-q', '--keep=html,raw', '--max-message=1024', write_file("$dir/long.eml", "Subject: long\n\n" . 'x' x 2000)), 0, 'and a part of one');
$node->safe_psql('postgres', 'CREATE TABLE before AS SELECT * FROM message');

# all that comes from the message is lost, and comes back
my @columns = map { $_->{attname} } rows(q{SELECT attname FROM pg_attribute WHERE attrelid = 'message'::regclass AND attnum > 0
	AND attname NOT IN ('id', 'source', 'mailbox', 'raw', 'received_at', 'size_bytes', 'defects') ORDER BY attnum});
cmp_ok(scalar @columns, '>', 180, 'there are many columns');
$node->safe_psql('postgres', 'UPDATE message SET ' . join(', ', map { "$_ = NULL" } @columns));
my ($code, $err) = load('--reparse');
is($code, 0, '--reparse') or diag($err);
like($err, qr/7 messages read again/, 'tells how many');
is($node->safe_psql('postgres', 'SELECT count(*) FROM (TABLE message EXCEPT TABLE before) x'), 0, 'every row is as it was')
  or diag($node->safe_psql('postgres', 'SELECT key, value FROM (TABLE message EXCEPT TABLE before) m, json_each_text(row_to_json(m)) WHERE value IS NOT NULL'));

# only what was kept, and by any key
$node->safe_psql('postgres', q{
	CREATE TABLE keyed (tenant_id uuid, message_no numeric, raw bytea, subject text, url_count int, note text, PRIMARY KEY (message_no, tenant_id));
	INSERT INTO keyed SELECT '5b0f8f2e-0000-4000-8000-000000000001', id + 0.5, raw, 'old', 99, 'mine' FROM message;
	INSERT INTO keyed VALUES ('5b0f8f2e-0000-4000-8000-000000000001', 0, NULL, 'not kept', 99)});
is(load('-q', '--reparse', '-t', 'keyed', '--batch-size=2'), 0, 'a key of two columns, batches of two');
is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws(':', subject, url_count, note), ' ' ORDER BY message_no, subject) FROM keyed}),
	$node->safe_psql('postgres', q{SELECT 'not kept:99 ' || string_agg(concat_ws(':', subject, url_count, 'mine'), ' ' ORDER BY id) FROM message}),
	'columns of others and rows that were not kept stay');
# a key that comes from the message is left alone
$node->safe_psql('postgres', q{CREATE TABLE by_source AS SELECT source, subject, raw FROM message; ALTER TABLE by_source ADD PRIMARY KEY (source);
	UPDATE by_source SET subject = 'x'});
is(load('-q', '--reparse', '-t', 'by_source'), 0, 'a key that assay_load fills');
is($node->safe_psql('postgres', 'SELECT count(*) FROM by_source b JOIN message m USING (source) WHERE b.subject IS NOT DISTINCT FROM m.subject'), 7, 'keeps its rows');

# a row that is refused is named, the others are written
$node->safe_psql('postgres', q{UPDATE keyed SET subject = 'z'; ALTER TABLE keyed ADD CHECK (subject <> 'guessed')});
($code, $err) = load('--reparse', '-t', 'keyed');
is($code, 2, 'a row is refused');
like($err, qr/was not loaded: .*violates check constraint.*6 messages read again.*1 not loaded/s, 'and told');
is($node->safe_psql('postgres', q{SELECT count(*) FROM keyed WHERE subject = 'z'}), 2, 'the others are written');

$node->safe_psql('postgres', 'CREATE TABLE no_raw (id int PRIMARY KEY, subject text); CREATE TABLE no_key (raw bytea, subject text)');
foreach ([ [ '-t', 'no_raw' ], qr/has no column "raw"/ ], [ [ '-t', 'no_key' ], qr/has no primary key/ ], [ [ $dir ], qr/no path/ ],
	[ ['--create-table'], qr/none of/ ], [ ['--unwrap'], qr/none of/ ], [ ['--column=a=b'], qr/none of/ ], [ ['--rest=a'], qr/none of/ ], [ ['-n'], qr/none of/ ])
{
	($code, $err) = load('--reparse', @{ $_->[0] });
	is($code, 1, "--reparse @{ $_->[0] }");
	like($err, $_->[1], 'is refused with a reason');
}

# ---- --column=NAME -----------------------------------------------------------

my $json = JSON::PP->new->utf8->canonical;
my $file = write_file("$dir/own.jsonl", join '', map { $json->encode($_) . "\n" }
	{ subject => 'a', tenant_id => 1, tags => [ 'x', 'y' ], at => '2024-03-05', other => 5 },
	{ subject => 'b', tenant_id => '2', tags => undef, at => 'never' },
	{ subject => 'c' }, { raw => 'U3ViamVjdDogZAoKeAo=', tenant_id => 1 });
$node->safe_psql('postgres', q{CREATE DOMAIN positive AS int CHECK (VALUE > 0);
	CREATE TABLE own (subject text, tenant_id positive, tags jsonb, at date, other int DEFAULT 7, defects text[])});
is(load('-q', '-t', 'own', '--column=tenant_id', '--column=tags', '--column=at', $file), 0, '--column=NAME');
is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws('|', subject, tenant_id, tags, at, other), ' ' ORDER BY subject) FROM own}),
	'a|1|["x", "y"]|2024-03-05|7 b|2|7 c|7 d|1|7', 'fields fill columns of any type; others keep their defaults');
is($node->safe_psql('postgres', q{SELECT string_agg(subject, ' ') FROM own WHERE 'bad_field' = ANY (defects)}), 'b', 'what is no value of its type is a defect');
is(load('-q', '-t', 'own', '--column=tenant_id', '--column=other=3', write_file("$dir/x.eml", "Subject: mail\n\nx\n")), 0, 'mail has no fields');
is($node->safe_psql('postgres', q{SELECT concat_ws('|', tenant_id, other) FROM own WHERE subject = 'mail'}), '3', 'and gets NULL');
# more values than are kept
$file = write_file("$dir/many.jsonl", join '', map { "{\"subject\": \"many\", \"tenant_id\": $_}\n" } 1 .. 10050, 1 .. 10);
is(load('-q', '-t', 'own', '--column=tenant_id', $file), 0, 'more values than are kept');
is($node->safe_psql('postgres', q{SELECT count(*) || ' ' || sum(tenant_id) FROM own WHERE subject = 'many'}),
	'10060 ' . (10050 * 10051 / 2 + 55), 'are all there');

# ---- a search_path with a schema in which others may create --------------------

# an operator or function of just the types that the program has would be called in the place of PostgreSQL's
$node->safe_psql('postgres', q{CREATE SCHEMA planted;
	DO $$
	DECLARE
		types text[] := '{oid,regclass,regtype,name,text,varchar,int2,int4,int8,float8,bool,timestamptz}';
		a text; b text; o text; f name;
	BEGIN
		FOREACH a IN ARRAY types LOOP FOREACH b IN ARRAY types LOOP
			EXECUTE format('CREATE FUNCTION planted.trap(%s, %s) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION $m$planted$m$; END $f$', a, b);
			FOREACH o IN ARRAY '{=,<,>,-,*,/,||}'::text[] LOOP
				CONTINUE WHEN to_regoperator(format('pg_catalog.%s(%s,%s)', o, a, b)) IS NOT NULL;
				EXECUTE format('CREATE OPERATOR planted.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = planted.trap)', o, a, b);
			END LOOP;
		END LOOP; END LOOP;
		FOR f, a IN SELECT DISTINCT proname, CASE proargtypes[0] WHEN 'text'::regtype THEN 'name' ELSE 'text[]' END FROM pg_proc
			WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND pronargs = 1 AND proargtypes[0] IN ('text'::regtype, 'anyarray'::regtype) LOOP
			CONTINUE WHEN to_regprocedure(format('pg_catalog.%I(%s)', f, a)) IS NOT NULL;
			EXECUTE format('CREATE FUNCTION planted.%I(%s) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION $m$planted$m$; END $f$', f, a);
		END LOOP;
	END $$;
	CREATE TABLE by_name (name varchar PRIMARY KEY, raw bytea, subject text, received_at timestamptz);
	INSERT INTO by_name VALUES ('x', convert_to(E'Subject: one\n\nx', 'UTF8'), 'old', now())});
{
	local $ENV{PGOPTIONS} = '-c search_path=public,planted';
	isnt($node->psql('postgres', q{SELECT quote_ident(attname) FROM pg_attribute LIMIT 1}), 0, 'what was planted is found by who does not name a schema');
	$file = write_file("$dir/planted.jsonl", $json->encode({ subject => 'a', tag => 'x', other => 1 }) . "\n");
	($code, $err) = load('-q', '-t', 'with_planted', '--create-table', write_file("$dir/planted.eml", "Subject: a\n\nx\n"));
	is($code, 0, '--create-table runs nothing that was planted') or diag($err);
	$node->safe_psql('postgres', 'ALTER TABLE public.with_planted ADD COLUMN tag varchar, ADD COLUMN rest jsonb');
	($code, $err) = load('-q', '-t', 'with_planted', '--column=tag', '--rest=rest', $file);
	is($code, 0, 'nor does --column, nor --rest') or diag($err);
	($code, $err) = load('-q', '-t', 'by_name', '--reparse');
	is($code, 0, 'nor --reparse by a key that has no operator of its own') or diag($err);
}
is($node->safe_psql('postgres', 'SELECT subject FROM by_name'), 'one', 'which fills the row');

done_testing();
