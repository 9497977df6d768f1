# Every function, operator, cast and aggregate of the extension, called with
# NULLs and with good, extreme and corrupt values of its types: the server must
# never go down, and no error may be an internal one.  A stranger, of all roles that
# call, changes nothing of others', and gets to see nothing of it.
#
#   ASSAY_SEED=n      other calls than those of each run: what is new to find is looked for on purpose
#   ASSAY_CALLS=n     so many calls; without, as many as go into a short time
#
# Half of the batches are called where schemas before pg_catalog, in the session's or the
# policy's search_path, have its operators, functions and aggregates with other results:
# what would be read as another type than it is, is read as an address.
#
# SIGTERM ends a long run after the batch at work, with its results.
#
# Under sanitizers: tools/sanitize asan REGRESS= ISOLATION= TAP=t/random_calls.pl
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'time';

use AssayWorld;

use constant BATCH => 2000;    # calls in one database, with one session
use constant SHORT => 60;      # seconds
use constant OTHERS => 6;      # schemas with what is named as pg_catalog's

my $seed = $ENV{ASSAY_SEED} // 1;
my $calls = $ENV{ASSAY_CALLS};
my $top = $ENV{ASSAY_TOP} // '.';
my ($tree) = map { s{.*/}{}r } sort { -s $a <=> -s $b } glob("$top/sql/fixtures/xgboost-3.2.0/*.json");
note("ASSAY_SEED=$seed");
srand($seed);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf(
	'postgresql.conf', qq{
fsync = off
timezone = 'UTC'
log_min_messages = log
temp_file_limit = '64MB'
log_statement = none
log_min_error_statement = panic
restart_after_crash = on
max_parallel_workers_per_gather = 0
});
$node->start;

# ---- what there is to call, and to call it with ------------------------------

# A template database with something of everything
$node->safe_psql('postgres', 'CREATE DATABASE world');
$node->safe_psql('world', world_sql());
my @types = qw(model phrases activity outcome summary attribution scored text_model logged_signals);
for my $type (@types)
{
	# byteasend copies whatever it is given
	$node->safe_psql('world', qq{
		CREATE FUNCTION public.${type}_of(bytea) RETURNS assay.$type LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
		CREATE FUNCTION public.bytes(assay.$type) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
		CREATE TABLE public.copy_$type (v assay.$type);});
}
# It is of fixed length, so bytes become one by its text form.
push @types, 'text_signature';
$node->safe_psql('world', q{
	CREATE FUNCTION public.text_signature_of(bytea) RETURNS assay.text_signature LANGUAGE sql IMMUTABLE STRICT
		AS $$ SELECT ('1:' || length($1) || ':' || rpad(encode($1, 'hex'), 256, '0'))::assay.text_signature $$;
	CREATE FUNCTION public.bytes(s assay.text_signature) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT assay_internal.text_signature_send(s) $$;
	CREATE TABLE public.copy_text_signature (v assay.text_signature);});
$node->safe_psql('world', q{
	CREATE FUNCTION public.spoil(v bytea, at int, b int) RETURNS bytea LANGUAGE sql IMMUTABLE
		AS $$ SELECT CASE WHEN length(v) > 0 THEN set_byte(v, abs(at::bigint)::int % length(v), b & 255) ELSE v END $$;
	CREATE TABLE public.pool (id int PRIMARY KEY, model assay.model, phrases assay.phrases, activity assay.activity, outcome assay.outcome, summary assay.summary, attribution assay.attribution, scored assay.scored,
		text_model assay.text_model, logged_signals assay.logged_signals, text_signature assay.text_signature);
	INSERT INTO public.pool SELECT i,
		CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN assay.model_from_linear('{third,events,counted}', '{0.1,-0.03125,0.01}', 0.3, 'logistic') WHEN 2 THEN assay.model_from_linear('{n}', ARRAY[i], 0, 'identity')
			WHEN 3 THEN assay.model_from_linear((SELECT array_agg('f' || k) FROM generate_series(1, 500) k), (SELECT array_agg(k / 7.0) FROM generate_series(1, 500) k), 0, 'logistic') ELSE (SELECT assay.model_from_xgboost(convert_to(d, 'UTF8')) FROM (VALUES ($tree$} . slurp_file("$top/sql/fixtures/xgboost-3.2.0/$tree") . q{$tree$)) v(d)) END,
		CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN (SELECT words FROM "the mail".known) WHEN 2 THEN assay.phrases('{}', '{}') ELSE assay.phrases('{r,s}', ARRAY['a+b', '\pL+\s'], 'regex') END,
		(SELECT assay.activity_agg(timestamptz '2024-01-01' + k * interval '17 min') FROM generate_series(1, i * 3) k WHERE i % 7 > 0),
		CASE WHEN i % 3 > 0 THEN assay.outcome(i * i, 9223372036854775807 - 1000) END,
		(SELECT assay.summary_agg(k * 1e300 ^ (k % 3 - 1)) FROM generate_series(1, i) k WHERE i % 4 > 0),
		(SELECT attribution FROM "the mail".world_decision OFFSET i LIMIT 1),
		(SELECT assay.scored_agg(k % 10 / 10.0, k % 3 = 0) FROM generate_series(1, i) k WHERE i % 5 > 0),
		CASE i % 5 WHEN 0 THEN NULL WHEN 4 THEN (SELECT assay.text_model_publish(assay.text_model_agg(k % 3 = 0, 'words a' || k || ' b' || k % 5), 4096) FROM generate_series(1, 50) k)
			ELSE (SELECT assay.text_model_agg(k % 3 = 0, 'words a' || k || ' b' || k % 5, 1, timestamptz '2024-01-01' + k * interval '1 h', CASE i % 5 WHEN 2 THEN interval '30 days' END) FROM generate_series(1, i * 5) k) END,
		(SELECT d.signals FROM "the mail".world_decision d OFFSET i LIMIT 1),
		CASE WHEN i % 6 > 0 THEN assay.signature(repeat('words of Mr A ' || i % 4, i % 5)) END
	FROM generate_series(0, 19) i;
	CREATE TABLE public.dropped (a int, b text, c float8);
	INSERT INTO public.dropped VALUES (1, 'b', 2);
	ALTER TABLE public.dropped DROP COLUMN b;
	GRANT ALL ON ALL TABLES IN SCHEMA public TO mail;
	GRANT pg_read_server_files TO mail;
	CREATE ROLE stranger;
	GRANT USAGE ON SCHEMA "the mail" TO stranger;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger;
	SET ROLE mail;
	UPDATE "the mail".message SET subject = 'lunch and S3cretToken' WHERE id % 50 = 0;
	SELECT assay.create_detector('world', 'token', 'sender = ''S3cretToken''', weight => 1, mode => 'live');
	SELECT assay.create_list('tokens'), assay.create_phrase_set('token_phrases');
	INSERT INTO assay.list (set, value, note) VALUES ('tokens', 'S3cretToken', 'S3cretToken');
	INSERT INTO assay.phrase (set, name, pattern) VALUES ('token_phrases', 'token', 'S3cretToken');
	RESET ROLE;
	GRANT CREATE ON DATABASE world TO mail;
	CREATE ROLE reader;
	CREATE ROLE builder;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader, builder;
	GRANT USAGE ON SCHEMA "the mail" TO reader, builder;
	SET ROLE mail;
	SELECT assay.grant_access('world', 'reader', 'reader'), assay.grant_access('world', 'builder', 'builder');
	RESET ROLE;
	ANALYZE;
});

# What pg_catalog has, but with a number where it gives a reference, and the other way round.
# What is true or false stays: else a statement ends before it is run.
$node->safe_psql('world', q{
	DO $$
	DECLARE
		c record;
		schema text;
		gives text;
		does text;
		other text;
	BEGIN
		FOR i IN 0 .. } . (OTHERS - 1) . q{ LOOP
			EXECUTE format('CREATE SCHEMA other_%s; GRANT USAGE ON SCHEMA other_%1$s TO PUBLIC', i);
		END LOOP;
		FOR c IN SELECT p.oid, p.proname, p.prokind, o.oprname, t.typbyval, v.arguments, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r, p.proretset
			FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype
			LEFT JOIN pg_operator o ON o.oprcode = p.oid AND o.oprnamespace = p.pronamespace
			CROSS JOIN LATERAL (SELECT coalesce(string_agg(CASE WHEN p.provariadic <> 0 AND u.i = p.pronargs THEN 'VARIADIC ' ELSE '' END || format_type(u.t, NULL), ', ' ORDER BY u.i), '') AS arguments
				FROM unnest(p.proargtypes) WITH ORDINALITY u(t, i)) v
			WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a') AND t.typname NOT IN ('bool', 'internal', 'trigger', 'event_trigger', 'void', 'cstring')
				AND NOT EXISTS (SELECT FROM unnest(p.proargtypes) u(t) WHERE u.t IN ('internal'::regtype, 'cstring'::regtype))
				AND NOT EXISTS (SELECT FROM pg_aggregate a WHERE a.aggfnoid = p.oid AND a.aggkind <> 'n')
				AND (p.prokind = 'f' OR p.pronargs = 1 AND p.provariadic = 0)
			ORDER BY p.proname COLLATE "C", p.oid, o.oid
		LOOP
			schema := 'other_' || ascii(md5(coalesce(c.oprname, c.proname))) % } . OTHERS . q{;
			gives := CASE WHEN c.typbyval THEN 'text' ELSE 'bigint' END;
			does := CASE WHEN c.typbyval THEN 'pgsql_version' ELSE 'pg_backend_pid' END;
			other := 'of_' || c.oid;
			IF c.prokind = 'a' THEN
				EXECUTE format('CREATE FUNCTION %I.%I(%s, %s) RETURNS %3$s LANGUAGE internal IMMUTABLE AS %5$L', schema, other, gives, c.arguments, does);
				EXECUTE format('CREATE AGGREGATE %I.%I(%s) (SFUNC = %1$I.%4$I, STYPE = %5$s, INITCOND = 8)', schema, c.proname, c.arguments, other, gives);
			ELSE
				EXECUTE format('CREATE OR REPLACE FUNCTION %I.%I(%s) RETURNS %s %s LANGUAGE internal IMMUTABLE AS %L', schema, c.proname, c.arguments,
					CASE WHEN c.proretset THEN 'SETOF' ELSE '' END, gives, does);
				IF c.oprname IS NOT NULL THEN
					EXECUTE format('CREATE OPERATOR %I.%s (FUNCTION = %1$I.%3$I%4$s, RIGHTARG = %5$s)', schema, c.oprname, c.proname,
						CASE WHEN c.l <> '-' THEN ', LEFTARG = ' || c.l ELSE '' END, c.r);
				END IF;
			END IF;
		END LOOP;
	END $$;
});

# name, kind, argument types, how many have defaults, variadic or not
my @routines = map { [ split /\t/, $_, -1 ] } split /\n/, $node->safe_psql('world', q{
	SELECT concat_ws(E'\t', quote_ident(n.nspname) || '.' || quote_ident(p.proname), p.prokind,
		(SELECT coalesce(string_agg(format_type(t, NULL), ',' ORDER BY i), '') FROM unnest(p.proargtypes) WITH ORDINALITY u(t, i)),
		p.pronargdefaults, p.provariadic <> 0)
	FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'pg_assay' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
		AND 'internal'::regtype <> ALL (p.proargtypes::oid[])
	ORDER BY p.oid::regprocedure::text COLLATE "C"});
my @operators = map { [ split /\t/, $_, -1 ] } split /\n/, $node->safe_psql('world', q{
	SELECT concat_ws(E'\t', format('OPERATOR(%I.%s)', n.nspname, o.oprname), coalesce(nullif(format_type(o.oprleft, NULL), '-'), ''), format_type(o.oprright, NULL))
	FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace JOIN pg_depend d ON d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e'
	JOIN pg_extension e ON d.refobjid = e.oid WHERE e.extname = 'pg_assay' ORDER BY o.oid::regoperator::text COLLATE "C"});
my @casts = map { [ split /\t/, $_, -1 ] } split /\n/, $node->safe_psql('world', q{
	SELECT concat_ws(E'\t', format_type(c.castsource, NULL), format_type(c.casttarget, NULL))
	FROM pg_cast c JOIN pg_depend d ON d.classid = 'pg_cast'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	JOIN pg_extension e ON d.refobjid = e.oid WHERE e.extname = 'pg_assay' ORDER BY 1});
note(scalar(@routines) . ' routines, ' . scalar(@operators) . ' operators, ' . scalar(@casts) . ' casts');
ok(@routines > 150 && @operators > 5, 'there is something to call');

# What send functions give, for the binary form
my %sent;
for my $type (@types)
{
	$sent{$type} = [ map { pack('H*', $_) } split /\n/, $node->safe_psql('world',
			"SELECT DISTINCT encode(assay_internal.${type}_send($type), 'hex') FROM public.pool WHERE $type IS NOT NULL ORDER BY 1 LIMIT 8") ];
}

sub pick { return $_[ int(rand(@_)) ] }

# Strings that mean something to one function or another, and some that don't
my @strings = (
	'', 'a', ' ', 'world', 'nowhere', 'tokens', 'token_phrases', 'reader', 'stranger', 'world_decision', 'money', 'linear', 'divides', 'lunch', 'known_sender', 'id', 'n', 'sender', 'received_at', 'malicious', 'suspicious', 'safe',
	'live', 'shadow', 'off', 'literal', 'regex', 'logistic', 'identity', 'n = 5', 'n >', 'hits && \'{money}\'', 'true) OR (true', '1/0 = 1', 'pg_sleep(0.01) IS NULL', 'the mail', 'signals', 'message', 'sender_view',
	'public', 'mail', 'postgres', '"', '\'', '$$', '\\', '%', '%s%n%99$s', '{', '}', '{key}', "\x{e9}\x{444}\x{4e00}\x{1f600}", "\x{202e}\x{ad}", 'a@b.example', '<x@Y.example>', 'a@', '@', 'www.a.co.uk', '1.2.3.4', 'xn--a', '{}', '[]', 'null',
	'{"a": 1}', '{"syntax": "regex", "names": ["a"], "patterns": ["a+"]}', '{"syntax": "literal", "names": ["a"], "patterns": [1]}', '{"attacks": 3, "safe": 40}', '{"attacks": 99999999999999999999, "safe": 0}', '1:0 0.5/1/0', '1:51 0.5/1/0', '1:0 NaN/1/1', '1:',
	'(a', 'a{1,30000}', '(\pL{1,100}){1,100}', '^', '\C', '(?=a)', '[', 'tree', 'Tree=0', "\n\n", '-9223372036854775808', '1e999', 'Infinity', '2024-01-01');

sub quote_sql { my $s = $_[0]; $s =~ s/'/''/g; $s =~ s/\\/\\\\/g; return " E'$s'" }

sub string
{
	my $s = pick(@strings);
	my $how = rand();
	return $s if $how < 0.8;
	return $s . pick(@strings) if $how < 0.9;
	substr($s, int(rand(length $s)), 1) = chr(1 + int(rand(0x2fff))) if length $s;
	return $s;
}

my @times = map { "timestamptz '$_'" } ('2024-01-15 12:00+00', '2024-03-01 00:00+00', 'infinity', '-infinity', '4714-11-24 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', '2000-01-01 00:00+00', '1970-01-01 00:00:00.000001+00');
my @numbers = qw(0 1 -1 0.5 2 7 1e100 1e-100 1e308 -1e308 1e-320 0.99999999999999999 'NaN' 'Infinity' '-Infinity' 12345678.9 1e15);

# Arrays of an element type from literals of elements
sub array
{
	my ($type, @elements) = @_;
	my $how = int(rand(9));
	return "'{}'::${type}[]" if $how == 0;
	return "ARRAY[NULL]::${type}[]" if $how == 1;
	my @some = map { rand() < 0.1 ? 'NULL' : pick(@elements) } 0 .. int(rand(5));
	my $flat = 'ARRAY[' . join(', ', @some) . "]::${type}[]";
	return $flat if $how < 6;
	return "ARRAY[$flat, $flat]::${type}[]" if $how == 6;
	return "array_fill(NULL::$type, ARRAY[0])" if $how == 7;
	# many elements are short ones: what is larger than a server gives is not to be had from it
	my $one = pick(@elements);
	return "array_fill($one\::$type, ARRAY[" . pick(1, 3, $one =~ /repeat/ ? 7 : 5000) . "], ARRAY[" . pick(-2147483648, -5, 0, 2, 2147480000) . '])';
}

my @records = ('ROW()', 'ROW(NULL)', "ROW(1, 'a', NULL)", '(SELECT s FROM "the mail".signals s LIMIT 1)', '(SELECT s FROM "the mail".signals s ORDER BY id DESC LIMIT 1)', 'NULL::"the mail".signals', '(SELECT d FROM public.dropped d)',
	'(SELECT m FROM "the mail".message m LIMIT 1)', '(SELECT r FROM (SELECT 1 AS n, 2.5 AS third, \'x\'::text AS events) r)', '(SELECT p FROM public.pool p WHERE id = 3)', 'ROW(ROW(1, 2), ARRAY[1, 2], NULL::record)', '(SELECT b FROM assay.baseline b LIMIT 1)');
my @relations = ('"the mail".sender_view', '"the mail".sender_table', '"the mail".message', '"the mail".signals', 'pg_class', 'assay.baseline', '"the mail".message_pkey', '"the mail".world_decision', '"the mail".world_label', 'public.pool');

# An expression of a type
sub value
{
	my ($type) = @_;
	return "NULL::$type" if rand() < 0.1 && $type !~ /^(any|anyelement|record|cstring)$/;
	return array($1 =~ s/^character varying$/text/r, map { "($_)" } map { value($1) } 0 .. 3) if $type =~ /^(.*)\[\]$/;
	return pick(qw(true false)) if $type eq 'boolean';
	return pick(0, 1, -1, 2, 7, 100, 32767, -32768) . '::smallint' if $type eq 'smallint';
	return '(' . pick(0, 1, -1, 2, 3, 10, 100, 1000, 65536, 2147483647, -2147483648) . ')::integer' if $type eq 'integer';
	return '(' . pick(0, 1, -1, 2, 5, 1000, '9223372036854775807', '-9223372036854775808', 2147483648) . ')::bigint' if $type eq 'bigint';
	return pick(@numbers) . "::$type" if $type eq 'double precision' || $type eq 'numeric';
	return pick(grep { !/308|320/ } @numbers) . '::real' if $type eq 'real';
	return pick(@times) if $type eq 'timestamp with time zone';
	return "date '" . pick('2024-01-15', 'infinity', '-infinity', '4714-11-24 BC', '5874897-12-31') . "'" if $type eq 'date';
	return "interval '" . pick('1 hour', '1 day', '7 days', '30 days', '0', '-1 hour', '178000000 years', '-178000000 years', '1 month', '24 hours') . "'" if $type eq 'interval';
	return rand() < 0.05 ? 'repeat(' . quote_sql(string()) . ', ' . pick(1000, 30000) . ')' : quote_sql(string()) . '::text' if $type eq 'text' || $type eq 'character varying';
	return quote_sql(string()) . "::$type" if $type eq 'cstring' || $type eq 'name';
	return pick("'\\x'::bytea", "'\\x00'::bytea", 'convert_to(' . quote_sql(string()) . ", 'UTF8')", map { "public.bytes(p.$_)" } @types) =~ s/p\.(\w+)/(SELECT $1 FROM public.pool WHERE id = 3)/r if $type eq 'bytea';
	return quote_sql(pick('null', '{}', '[]', '{"n": 1, "third": 0.5, "events": null}', '{"n": "x"}', '{"n": 1e400}', '{"n": {"a": [1]}}', '[1, 2]', '"a"', '{"malicious": 0.5}', '{"n": {"aggregate": "count(*)", "rollup": "sum"}}', '{"": 1}', '{"format": 1, "policy": "world"}')) . "::$type" if $type eq 'jsonb' || $type eq 'json';
	return pick(@records) if $type eq 'record';
	return (rand() < 0.2 ? pick(0, 1, 4294967295, 16384) . '::oid::regclass' : "'" . pick(@relations) . "'::regclass") if $type eq 'regclass';
	return pick("'postgres'", "'mail'") . "::$type" if $type eq 'regrole';
	return pick('NULL::"the mail".sender_table', 'NULL::"the mail".sender_view', 'NULL::"the mail".message', '(SELECT s FROM "the mail".sender_table s LIMIT 1)', '1', "'a'::text", 'NULL::public.dropped') if $type eq 'anyelement';
	return value(pick('text', 'integer', 'double precision', 'timestamp with time zone', 'text[]', 'assay.activity', 'record', 'boolean')) if $type eq 'any' || $type eq '"any"';
	if ($type =~ /^assay\.(\w+)$/ && grep { $_ eq $1 } @types)
	{
		my $name = $1;
		my $how = rand();
		return "p.$name" if $how < 0.5;
		return "public.${name}_of(public.spoil(public.bytes(p.$name), " . int(rand(400)) . ', ' . int(rand(256)) . '))' if $how < 0.7;
		return "public.${name}_of(substr(public.bytes(p.$name), " . pick(1, 1, 2, 9) . ', ' . int(rand(200)) . '))' if $how < 0.75;
		return "public.${name}_of('\\x" . join('', map { sprintf '%02x', rand() < 0.5 ? pick(0, 1, 2, 255) : int(rand(256)) } 0 .. int(rand(64))) . "')" if $how < 0.8;
		return quote_sql(string()) . "::$type" if $how < 0.9;
		return "p.$name\::text::$type" if $name ne 'model';
		return "p.$name";
	}
	return "jsonb_populate_record(NULL::$type, " . value('jsonb') . ')' if $type =~ /^assay\./ && rand() < 0.5;
	return rand() < 0.3 ? "NULL::$type" : quote_sql(string()) . "::$type";
}

# Rows to call it for: few, and some of them twice
sub from { return ' FROM public.pool p WHERE p.id = ANY (\'{' . join(',', map { int(rand(20)) } 0 .. int(rand(4))) . '}\')' }

sub routine
{
	my ($name, $kind, $types, $defaults, $variadic) = @{ pick(@routines) };
	my @types = split /,/, $types;
	my $n = @types - int(rand(1 + $defaults));
	my @args = map { value($_) } @types[ 0 .. $n - 1 ];
	# what most functions want first is a policy, then one of its parts
	$args[0] = "'world'::text" if $n > 0 && $types[0] eq 'text' && rand() < 0.5;
	$args[1] = pick("'money'", "'linear'", "'lunch'", "'divides'", "'n = 5'") . '::text' if $n > 1 && $types[1] eq 'text' && rand() < 0.4;
	if ($variadic eq 't' && $n == @types)
	{
		my ($element) = $types[-1] =~ /^(.*?)(\[\])?$/;
		if (rand() < 0.3) { $args[-1] = 'VARIADIC ' . ($element =~ /any/ ? array('text', "'a'", "'b'") : $args[-1]); }
		else { pop @args; push @args, map { value($element) } 0 .. int(rand(4)); }
	}
	my $list = join(', ', @args);
	return "CALL $name(" . ($list =~ s/\bp\.(\w+)/NULL::assay.$1/gr) . ')' if $kind eq 'p';
	if ($kind eq 'a')
	{
		my $rows = from() . ' ORDER BY p.id';
		my $of = pick('', '', 'DISTINCT ');
		return "SELECT $name($list) OVER (ORDER BY p.id ROWS BETWEEN " . pick(0, 1, 2, 'UNBOUNDED') . ' PRECEDING AND ' . pick('CURRENT ROW', '1 FOLLOWING') . ")::text FROM public.pool p" if rand() < 0.4;
		return "SELECT $name($of$list)::text FROM (SELECT *" . $rows . ') p';
	}
	return "SELECT * FROM public.pool p, LATERAL $name($list) r" . (from() =~ s/.*WHERE/ WHERE/r) . ' LIMIT 100' if rand() < 0.3;
	return "SELECT ($name($list))::text" . from() . ' LIMIT 100';
}

sub call
{
	my $how = rand();
	if ($how < 0.06)
	{
		my ($operator, $left, $right) = @{ pick(@operators) };
		return 'SELECT (' . ($left eq '' ? '' : '(' . value($left) . ') ') . "$operator (" . value($right) . '))::text' . from();
	}
	if ($how < 0.08 && @casts)
	{
		my ($source, $target) = @{ pick(@casts) };
		return 'SELECT ((' . value($source) . ")::$target)::text" . from();
	}
	if ($how < 0.12)
	{
		my $type = pick(@types);
		return "SELECT (" . value("assay.$type") . ')::text' . from() if rand() < 0.5;
		return "SELECT count(DISTINCT v), max(v::text) FROM (SELECT " . value("assay.$type") . ' AS v' . from() . ') s';
	}
	if ($how < 0.16)
	{
		my $type = pick(@types);
		return "COPY public.copy_$type FROM '" . binary_file($type) . "' (FORMAT binary)";
	}
	return routine();
}

# A file for COPY with one value, whose bytes may be spoilt
my $files = 0;
my $folder = PostgreSQL::Test::Utils::tempdir();

sub binary_file
{
	my ($type) = @_;
	my $bytes = @{ $sent{$type} } ? pick(@{ $sent{$type} }) : '';
	for (1 .. int(rand(4)))
	{
		my $at = int(rand(length($bytes) + 1));
		$bytes = substr($bytes, 0, $at) if rand() < 0.1;
		substr($bytes, $at, 1) = chr(rand() < 0.5 ? pick(0, 1, 127, 128, 255) : int(rand(256))) if $at < length $bytes;
	}
	my $path = $folder . '/value' . $files++ % (2 * BATCH);
	open(my $f, '>:raw', $path) or die "$path: $!";
	print $f "PGCOPY\n\xff\r\n\0", pack('NNnN', 0, 0, 1, length $bytes), $bytes, pack('n', 65535);
	close $f;
	return $path;
}

# ---- calling -------------------------------------------------------------------

# Internal errors that are right, each with its reason
my %allowed = (
	'XX001' => 'data_corrupted is what corrupt values are to raise',);

# What is others' than a stranger's, a line for each table
sub digest
{
	my @queries = split /\n/, $node->safe_psql('run', q{
		SELECT format('SELECT %L, count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM %s t%s', c.oid::regclass, c.oid::regclass,
			CASE WHEN c.relnamespace = '"the mail"'::regnamespace THEN ''
				WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'policy') THEN ' WHERE t.policy = ''world'''
				WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'set') THEN ' WHERE t.set IN (''tokens'', ''token_phrases'')'
				ELSE ' WHERE false' END)
		FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.relnamespace IN ('"the mail"'::regnamespace, 'assay'::regnamespace, 'assay_internal'::regnamespace)
		ORDER BY 1});
	return $node->safe_psql('run', join(';', @queries, q{
		SELECT 'relation', c.oid::regclass, c.relowner::regrole, c.relacl FROM pg_class c
		WHERE c.relnamespace IN ('"the mail"'::regnamespace, 'assay'::regnamespace, 'assay_internal'::regnamespace) ORDER BY c.oid;
		SELECT 'role', r FROM pg_authid r ORDER BY r.oid;
		SELECT 'member', m FROM pg_auth_members m ORDER BY m.roleid, m.member}));
}

sub differing
{
	my %was = map { $_ => 1 } split /\n/, $_[0];
	return grep { !$was{$_} } split /\n/, $_[1];
}

# Lines of a file, which may be a large one, that tell what is hidden
sub leaks
{
	my ($path) = @_;
	my @leaks;
	open(my $f, '<:raw', $path) or die "$path: $!";
	while (my $line = <$f>) { push @leaks, $line if $line =~ /S3cretToken/; }
	close $f;
	return @leaks;
}

my (%states, @internal, @changed, @leaked, $done);
my $memory = 0;
my $started = time;
my $crashed = '';
$done = 0;
my $ended = 0;
$SIG{TERM} = sub { $ended = 1 };
while (!$ended && (defined $calls ? $done < $calls : time - $started < SHORT))
{
	my @batch;
	for (1 .. BATCH)
	{
		my $call = call();
		# most are undone; the others may meet what was done before
		# (by one message to the server, which on one with assertions looks through all its
		# memory after each)
		push @batch, rand() < 0.9 ? "$call \\; ROLLBACK;" : "$call;";
	}
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS run WITH (FORCE)');
	$node->safe_psql('postgres', 'CREATE DATABASE run TEMPLATE world');
	my $role = pick('', 'mail', 'stranger', 'reader', 'builder');
	my $others = join(', ', map { "other_$_" } grep { rand() < 0.4 } 0 .. OTHERS - 1);
	my $path = $others ne '' && rand() < 0.5 ? "$others, pg_catalog, public" : '';
	$node->safe_psql('run', "SET client_min_messages = error; SET ROLE mail; SELECT assay.alter_policy('world', search_path => '$others, pg_catalog, assay, pg_temp')") if $others ne '' && rand() < 0.5;
	my $before = $role eq 'stranger' ? digest() : '';
	my $script = $folder . '/batch.sql';
	open(my $f, '>:utf8', $script) or die "$script: $!";
	print $f "SET statement_timeout = '2s';\nSET client_min_messages = warning;\nSET assay.phrase_compile_timeout = '1s';\n",
	  # as a superuser, as the policy's owner, or as somebody
	  $role eq '' ? '' : "SET ROLE $role;\n", $path eq '' ? '' : "SET search_path = $path;\n", join("\n", @batch), "\n",
	  "RESET ROLE;\nRESET search_path;\nSELECT 'MEMORY ' || sum(total_bytes) FROM pg_backend_memory_contexts;\n";
	close $f;
	my $out = $folder . '/batch.out';
	# unaligned, as each line is filled up to the longest else: one text may give gigabytes
	system(qq{psql -X -A -q -b -v VERBOSITY=verbose -d "} . $node->connstr('run') . qq{" -f "$script" >"$out.shown" 2>"$out"});
	if ($role eq 'stranger' && $? == 0)
	{
		push @changed, map { "batch at $done: $_" } differing($before, digest());
		push @leaked, leaks($_) foreach $out, "$out.shown";
	}
	# what a policy's protection caught, where it was not undone
	push @internal, map { "fault: $_" } grep { $_ ne '' } split /\n/, $node->safe_psql('run',
		q{SELECT sqlstate, message FROM assay.fault WHERE sqlstate LIKE 'XX%' AND sqlstate <> 'XX001'}) if $? == 0;
	if (slurp_file("$out.shown") =~ /^MEMORY (\d+)/m) { $memory = $1 if $1 > $memory; }
	open(my $o, '<:raw', $out) or die "$out: $!";
	my $error = '';
	while (my $line = <$o>)
	{
		if ($line =~ /ERROR:\s+(\w{5}): (.*)/)
		{
			my ($state, $message) = ($1, $2);
			$states{$state}++;
			$error = $state =~ /^XX/ && !$allowed{$state} || $state eq '57014' ? "$state: $message" : '';
		}
		elsif ($error ne '' && $line =~ /^(?:.*: )?STATEMENT:\s+(.*)/)
		{
			my $statement = $1;
			if ($error =~ /^57014/) { note("slow: $statement"); }
			else { push @internal, "$error\n  $statement"; }
			$error = '';
		}
		elsif ($line =~ /WARNING:\s+(.*)/)
		{
			my $message = $1;
			push @internal, $message if $message =~ /^XX000|(?:reference|refcount|file) leak: |resource was not closed|still active|chunk end|: problem in /;
		}
		elsif ($line =~ /server closed the connection|could not connect|connection to server was lost/) { $crashed = $line; }
	}
	close $o;
	$done += BATCH;
	note("$done calls") if $done % (25 * BATCH) == 0;
	last if $crashed ne '';
}

is($crashed, '', 'the server never went down') or diag(join "\n", grep { /terminated by|running:|TRAP|ERROR: AddressSanitizer/ } split /\n/, slurp_file($node->logfile));
is(join("\n", @changed), '', 'a stranger changed nothing of others');
is(join("\n", @leaked), '', 'and saw nothing');
is(join("\n", do { my %seen; grep { !$seen{ (split /\n/)[0] }++ } @internal }), '', 'no internal error');
note(sprintf '%d MB of memory contexts in the session that had most at its end', $memory / 1e6);
note("$done calls, " . (join ', ', map { "$_: $states{$_}" } sort { $states{$b} <=> $states{$a} } keys %states));
cmp_ok($done, '>=', BATCH, 'calls were made');
my $failed = 0;
$failed += $_ foreach values %states;
cmp_ok($done - $failed, '>', $done / 10, 'and not all of them failed');

$node->stop;
done_testing();
