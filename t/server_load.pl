# assay_load: the table, the server's objections, options and exit codes.
use strict;
use warnings;
use AssayLoad;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

program_help_ok('assay_load');
program_version_ok('assay_load');
program_options_handling_ok('assay_load');

AssayLoad::start();

my $dir = fresh_folder();
sub message
{
	my ($subject) = @_;
	return "From: a\@b.example\nReceived: x; Thu, 22 Aug 2002 12:36:23 +0000\n"
	  . "Date: Thu, 22 Aug 2002 12:36:23 +0000\nSubject: $subject\n\nbody\n";
}
write_file(sprintf("$dir/%03d.eml", $_), message("s$_")) for 1 .. 250;

sub value { return $node->safe_psql('postgres', shift) }

# ---- usage -------------------------------------------------------------------

my ($code, $err, $out) = load();
is($code, 1, 'no path: exit code 1');
like($err, qr/no path was given\n.*--help/, 'no path: a hint');
($code, $err) = load('--format=csv', $dir);
is($code, 1, 'unknown format');
like($err, qr/unknown format "csv"; it is one of auto, mbox/, 'unknown format: which there are');
foreach my $bad ('0', '-1', 'x', '', '1x', '99999999999999999999')
{
	($code, $err) = load("--batch-size=$bad", $dir);
	is($code, 1, "--batch-size=$bad is refused");
	like($err, qr/--batch-size must be a number from 1 to 1000000/, 'with the limits');
}
($code, $err) = load("$dir/no-such-file");
is($code, 1, 'no such file: exit code 1');
like($err, qr/could not read ".*no-such-file": No such file/, 'no such file: a message');
($code, $err) = load({ db => 'nowhere' }, $dir);
is($code, 1, 'no such database: exit code 1');
like($err, qr/database "nowhere" does not exist/, 'no such database: a message');
{
	my ($o, $e) = ('', '');
	IPC::Run::run([ 'assay_load', '-h', $node->host, '-p', '1', '-d', 'postgres', $dir ], '>', \$o, '2>', \$e);
	is($? >> 8, 75, 'no server: exit code 75, so that a mail server tries again');
	like($e, qr/^assay_load: error: connection to server/, 'no server: a message');
}

# ---- the table ---------------------------------------------------------------

($code, $err) = load($dir);
is($code, 1, 'no table: exit code 1');
like($err, qr/hint: --create-table.*\n.*relation "message" does not exist/, 'no table: a hint');
is(load('-n', $dir), 0, '--dry-run needs no table');
is(load('--create-table', $dir), 0, '--create-table');
is(load('--create-table', $dir), 0, '--create-table again');
is(value('SELECT count(*), count(DISTINCT id) FROM message'), '500|500', 'all messages twice');

# who may create in the schema may have taken the name first
value(q{CREATE ROLE planter; CREATE ROLE feeder LOGIN; CREATE SCHEMA shared; GRANT ALL ON SCHEMA shared TO planter, feeder; SET ROLE planter;
	CREATE TABLE shared.mail (subject text);
	CREATE FUNCTION shared.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted runs as %', current_user; END $$;
	CREATE TRIGGER planted BEFORE INSERT ON shared.mail FOR EACH ROW EXECUTE FUNCTION shared.planted()});
foreach my $who ('postgres', 'feeder')
{
	($code, $err) = load('-U', $who, '--create-table', '-t', 'shared.mail', $dir);
	is($code, 1, "somebody else's table, by $who");
	like($err, qr/hint: .*without --create-table.*\n.*table shared.mail belongs to role "planter"/, 'is not written');
}
value('DROP TRIGGER planted ON shared.mail; GRANT INSERT, SELECT ON shared.mail TO feeder');
is(load('-U', 'feeder', '-t', 'shared.mail', $dir), 0, 'but without --create-table');
value('GRANT planter TO feeder');
is(load('-U', 'feeder', '--create-table', '-t', 'shared.mail', $dir), 0, 'who may act as the owner trusts it');
value('REVOKE planter FROM feeder; ALTER SCHEMA shared OWNER TO planter');
is(load('--create-table', '-t', 'shared.mail', $dir), 0, "the schema's owner is trusted");
value('DROP SCHEMA shared CASCADE; DROP ROLE planter, feeder');

value('CREATE SCHEMA "My S"');
is(load('--create-table', '-t', '"My S"."T;x"', $dir), 0, 'quoted names');
is(value('SELECT count(*) FROM "My S"."T;x"'), '250', 'quoted names: loaded');
($code, $err) = load('--create-table', '-t', 'a b; DROP TABLE message', $dir);
is($code, 1, 'a name is no SQL');
like($err, qr/string is not a valid identifier/, 'a name is no SQL: message');

value(q{CREATE DOMAIN words AS text; CREATE TABLE part (n serial PRIMARY KEY, subject varchar(100) NOT NULL,
	from_addr words, headers json, recipients varchar(50)[], other int DEFAULT 7,
	from_domain text GENERATED ALWAYS AS ('x' || subject) STORED, "Subject" int)});
is(load('-t', 'part', $dir), 0, 'a table of some columns and other types');
is(value(q{SELECT count(*), min(from_addr), min(headers->'subject'->>0), min(other), min(from_domain), count("Subject") FROM part}),
	'250|a@b.example|s1|7|xs1|0', 'they are filled');
value('CREATE TABLE bad_type (subject text, received_at timestamp)');
($code, $err) = load('-t', 'bad_type', $dir);
is($code, 1, 'a wrong type: exit code 1');
like($err, qr/column "received_at" of table public.bad_type has type timestamp without time zone, but timestamp with time zone is needed/,
	'a wrong type: message');
value('CREATE TABLE nothing (a int)');
($code, $err) = load('-t', 'nothing', $dir);
is($code, 1, 'no column: exit code 1');
like($err, qr/none of the columns/, 'no column: message');
value('CREATE VIEW v AS SELECT subject FROM message');
($code, $err) = load('-t', 'v', $dir);
is($code, 1, 'a view: exit code 1');
like($err, qr/cannot copy to view/, 'a view: message');
value('CREATE TABLE p (subject text, received_at timestamptz) PARTITION BY RANGE (received_at);
	CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (\'2002-01-01\') TO (\'2003-01-01\')');
is(load('-t', 'p', $dir), 0, 'a partitioned table');

$node->safe_psql('postgres', q{CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'});
($code, $err) = load({ db => 'ascii' }, '--create-table', $dir);
is($code, 1, 'not UTF8: exit code 1');
like($err, qr/encoding SQL_ASCII, but mail needs UTF8/, 'not UTF8: message');

value('CREATE ROLE nobody LOGIN');
{
	my ($o, $e) = ('', '');
	IPC::Run::run([ 'assay_load', '-d', $node->connstr('postgres'), '-U', 'nobody', $dir ], '>', \$o, '2>', \$e);
	is($? >> 8, 1, 'no privilege: exit code 1');
	like($e, qr/permission denied for table message/, 'no privilege: message');
	is(() = $e =~ /permission denied/g, 1, 'no privilege: said once');
}

# ---- what the server refuses -------------------------------------------------

value('TRUNCATE message; ALTER TABLE message ADD CONSTRAINT no_13 CHECK (subject NOT LIKE \'%13\')');
foreach my $size (1, 7, 100, 1000)
{
	value('TRUNCATE message');
	($code, $err) = load("--batch-size=$size", $dir);
	is($code, 2, "refused rows: exit code 2 (batches of $size)");
	is(value('SELECT count(*) FROM message'), '247', 'the others are loaded');
	is(join(' ', sort $err =~ /^assay_load: error: "(\d+).eml" was not loaded: new row .* violates check constraint "no_13"/mg),
		'013 113 213', 'each is named');
	unlike($err, qr/Failing row/, 'and no mail gets into the log');
	like($err, qr/247 messages loaded .*, 3 not loaded$/m, 'and counted');
	is(value('SELECT count(*) FROM message a JOIN message b ON a.id < b.id AND a.source > b.source'), '0', 'in order');
}
value('ALTER TABLE message DROP CONSTRAINT no_13');

# an error at commit, not at the row
value('TRUNCATE message; CREATE UNIQUE INDEX ON message (subject);
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN IF new.subject IN (\'s5\', \'s250\') THEN RAISE \'not %\', new.subject; END IF; RETURN new; END$$;
	CREATE CONSTRAINT TRIGGER c AFTER INSERT ON message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()');
write_file("$dir/twice.eml", message('s17'));
($code, $err) = load($dir);
is($code, 2, 'deferred trigger: exit code 2');
is(value('SELECT count(*) FROM message'), '248', 'deferred trigger: the others are loaded');
is(join(' ', sort $err =~ /^assay_load: error: "(\w+).eml" was not loaded: (?:not|duplicate)/mg), '005 250 twice',
	'deferred trigger: each is named');
value('DROP TRIGGER c ON message; DROP INDEX message_subject_idx');

# a batch is one transaction
value('TRUNCATE message; CREATE TABLE tx (n bigint);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN INSERT INTO tx SELECT count(*) FROM new_rows; RETURN NULL; END$$;
	CREATE TRIGGER t AFTER INSERT ON message REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note()');
is(load('--batch-size=100', $dir), 0, 'statement trigger');
is(value("SELECT string_agg(n::text, ' ' ORDER BY ctid) FROM tx"), '100 100 51', 'a batch is one statement');
value('DROP TRIGGER t ON message');

# a serialization failure passes
value('TRUNCATE message; CREATE SEQUENCE tries;
	CREATE FUNCTION sometimes() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN IF nextval(\'tries\') <= 2 THEN RAISE SQLSTATE \'40001\'; END IF; RETURN NULL; END$$;
	CREATE TRIGGER t AFTER INSERT ON message FOR EACH STATEMENT EXECUTE FUNCTION sometimes()');
is(load($dir), 0, 'serialization failure: tried again');
is(value('SELECT count(*) FROM message'), '251', 'serialization failure: all loaded once');
value('DROP TRIGGER t ON message');

# the server goes away
value('TRUNCATE message; CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN IF new.subject = \'s150\' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN new; END$$;
	CREATE TRIGGER t BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION die()');
($code, $err) = load('--batch-size=100', $dir);
is($code, 75, 'connection lost: exit code 75');
like($err, qr/stopped at "101.eml"; 100 messages are loaded\n.*terminating connection/, 'connection lost: how far it came');
is(value('SELECT count(*) FROM message'), '100', 'connection lost: which is so');
value('DROP TRIGGER t ON message');

# ---- options -----------------------------------------------------------------

value('TRUNCATE message');
($code, $err, $out) = load('-q', $dir);
is("$code$err$out", '0', '--quiet says nothing');
($code, $err) = load('-n', '-v', $dir, "$dir/001.eml");
is($code, 0, '--dry-run');
like($err, qr/^assay_load: 252 messages read in/m, '--dry-run counts');
is(value('SELECT count(*) FROM message'), '251', '--dry-run loads nothing');
unlike($err, qr/\r/, 'no progress where stderr is no terminal');
($code, $err) = load('-n', '--progress', $dir);
like($err, qr/\r\[[#-]{30}\] +\d+ %  \d+ messages, \d+\/s/, '--progress shows a bar');
value('TRUNCATE message');
is(load('--mailbox=box', '--max-body=3', $dir), 0, '--mailbox, --max-body');
is(value('SELECT DISTINCT mailbox, body_text, defects FROM message'), 'box|bod|{truncated_body}', 'they are heeded');
value('TRUNCATE message');
is(load('--max-message=1k', write_file("$dir/long.eml", message('long') . 'x' x 5000)), 0, '--max-message');
is(value(q{SELECT size_bytes - length(body_text) > 1000, length(body_text) < 1024, defects FROM message}),
	't|t|{truncated_message}', 'it is heeded; size_bytes is true');

chmod 0, write_file("$dir/secret.eml", message('x'));
SKIP:
{
	skip 'every file can be read', 2 if -r "$dir/secret.eml";
	($code, $err) = load('-n', $dir);
	is($code, 2, 'a file that cannot be read: exit code 2');
	like($err, qr/could not open ".*secret.eml": Permission denied\n.*252 messages/, 'the others are read');
}

# What a sender or a file's name says does not steer the terminal.
my $steers = "\e]0;x\a\e[31m\xc2\x9b31m";
value('TRUNCATE message; CREATE UNIQUE INDEX once ON message (message_id)');
my $sent = fresh_folder();
write_file("$sent/$_$steers.eml", "Message-ID: <m$steers\@b.example>\n" . message('m')) for 1, 2;
(undef, $err) = load('-v', '-v', $sent);
like($err, qr/was not loaded: duplicate key.*\(message_id\)=\(m\?/, 'a message that came twice is told');
like($err, qr/1\?\]0;x/, 'and by its file');
unlike($err, qr/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|[\x{80}-\x{9f}]/, 'without what steers a terminal');
value('DROP INDEX once');

# Ctrl-C: what was sent is committed, and it says so
value('TRUNCATE message');
my $one = "From a Thu Aug 22 12:36:23 2002\n" . message('m') . "\n";
my $mbox = write_file(fresh_folder() . '/big.mbox', $one x 200000);
my ($in, $o, $e) = ('', '', '');
my $run = IPC::Run::start([ 'assay_load', '-d', $node->connstr('postgres'), '--batch-size=100', $mbox ],
	\$in, \$o, \$e, IPC::Run::timeout(120));
$node->poll_query_until('postgres', 'SELECT count(*) > 1000 FROM message');
$run->signal('INT');
$run->finish;
is($run->result(0), 1, 'interrupted: exit code 1');
like($e, qr/error: interrupted/, 'interrupted: message');
my ($said) = $e =~ /(\d+) messages loaded/;
is(value('SELECT count(*) FROM message'), $said, 'interrupted: the count is true');

done_testing();
