# Everything that PostgreSQL has, tried rather than thought of.
# First, whatever an owner's code may call, set or say leaves a session as it was: every
# function that is not immutable and that PUBLIC may call, every setting that anybody may
# change, every kind of statement; but what is listed here.
# Then, whatever whoever inserts may set, messages are decided, all the same.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('sweep');
$node->init;
# What a slow machine takes longer for is not what is asked.
$node->append_conf('postgresql.conf', "fsync = off\nassay.message_budget = '100s'\nassay.statement_budget = '1000s'");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_assay;
	CREATE ROLE own; CREATE ROLE ingest;
	CREATE SCHEMA own AUTHORIZATION own; GRANT USAGE ON SCHEMA own TO ingest;
	CREATE SCHEMA sess;
	SET ROLE own;
	CREATE TABLE own.message (id int PRIMARY KEY, does text);
	CREATE FUNCTION own.does(sql text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE sql; RETURN 'done'; END $$;
	CREATE VIEW own.signals AS SELECT id, own.does(does) AS done FROM own.message;
	CREATE SEQUENCE own.seq;
	SELECT assay.create_policy('own', 'own.signals', '{id}', prior => 0);
	CREATE TRIGGER decide AFTER INSERT ON own.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('own');
	RESET ROLE;
	CREATE SEQUENCE sess.seq;
	SELECT lo_create(4711)});
my $dblink = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name IN ('dblink', 'postgres_fdw')}) == 2;
$node->safe_psql('postgres', 'CREATE EXTENSION dblink SCHEMA own; CREATE EXTENSION postgres_fdw SCHEMA own; GRANT USAGE ON SCHEMA own TO PUBLIC') if $dblink;

# What the session holds, a row each
my $temporary = join ' UNION ALL ', map { "SELECT oid FROM pg_$_->[0] WHERE $_->[1]namespace = pg_my_temp_schema()" }
	(['class', 'rel'], ['type', 'typ'], ['proc', 'pro'], ['operator', 'opr'], ['collation', 'coll'], ['conversion', 'con'], ['ts_config', 'cfg'],
	 ['ts_dict', 'dict'], ['statistic_ext', 'stx'], ['opclass', 'opc'], ['opfamily', 'opf']);
$node->safe_psql('postgres', qq{
	CREATE FUNCTION sess.state() RETURNS SETOF text LANGUAGE plpgsql AS \$\$ BEGIN RETURN QUERY
		SELECT concat_ws(' ', 'setting', name, setting, source, reset_val) FROM pg_settings
		UNION ALL SELECT concat_ws(' ', 'custom setting', n, quote_nullable(current_setting(n, true))) FROM unnest('{own.x,sess.x}'::text[]) n
		UNION ALL SELECT concat_ws(' ', 'cursor', name, is_holdable, statement) FROM pg_cursors WHERE name !~ '^<'
		UNION ALL SELECT concat_ws(' ', 'prepared', name, statement) FROM pg_prepared_statements
		UNION ALL SELECT concat_ws(' ', 'lock', locktype, classid, objid, objsubid, mode) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('advisory', 'userlock', 'page', 'extend')
		UNION ALL SELECT concat_ws(' ', 'listens', c) FROM pg_listening_channels() c
		UNION ALL SELECT concat_ws(' ', 'temporary', o.oid) FROM ($temporary) o
		UNION ALL SELECT concat_ws(' ', 'user', current_user, session_user, current_setting('role'), pg_my_temp_schema())
		UNION ALL SELECT concat_ws(' ', 'snapshot', n) FROM pg_ls_dir('pg_snapshots') n
		UNION ALL SELECT concat_ws(' ', 'slot', slot_name) FROM pg_replication_slots
		UNION ALL SELECT concat_ws(' ', 'origin', pg_replication_origin_session_is_setup())
		UNION ALL SELECT concat_ws(' ', 'large object', lo_tell(0));
	END \$\$;
	CREATE TABLE sess.todo (n int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stmt text, degraded boolean, found text);
	CREATE PROCEDURE sess.sweep() LANGUAGE plpgsql AS \$\$
	DECLARE
		todo record; before text[]; after text[]; drawn float8; drawn_after float8; was bigint; bad boolean; fd int;
	BEGIN
		FOR todo IN SELECT * FROM sess.todo ORDER BY n LOOP
			IF todo.n % 50 = 1 THEN
				COMMIT;
				PERFORM lo_open(4711, 393216);
				before := NULL;
				fd := 0;
			END IF;
			before := coalesce(before, ARRAY(SELECT sess.state()));
			was := nextval('sess.seq');
			PERFORM setseed(0.5);
			drawn := random();
			PERFORM setseed(0.5);
			INSERT INTO own.message VALUES (todo.n, todo.stmt);
			drawn_after := random();
			SELECT d.degraded INTO bad FROM own.own_decision d WHERE d.id = todo.n;
			after := ARRAY(SELECT sess.state());
			fd := fd + 1;
			IF lo_open(4711, 262144) <> fd THEN after := array_append(after, 'descriptor'); END IF;
			IF lastval() <> was THEN after := array_append(after, 'lastval'); END IF;
			IF drawn <> drawn_after THEN after := array_append(after, 'random'); END IF;
			UPDATE sess.todo t SET degraded = bad, found = (SELECT string_agg(x, ', ' ORDER BY x) FROM (SELECT unnest(after) EXCEPT ALL SELECT unnest(before)) a(x)) WHERE t.n = todo.n;
			IF before <> after THEN before := NULL; fd := lo_open(4711, 262144); END IF;
		END LOOP;
	END \$\$});

# What is called with something of each type
my %value = (
	int2 => '1', int4 => '1', int8 => '1', oid => '4711', float4 => '0.5', float8 => '0.5', numeric => '1', bool => 'true', text => "'x'", name => "'x'", bpchar => "'x'",
	'"char"' => "'r'", cstring => "'x'::cstring", bytea => "'x'", date => 'current_date', time => "'10:00'", timetz => "'10:00+0'", timestamp => 'localtimestamp',
	timestamptz => 'now()', interval => "'1 microsecond'", json => "'{}'", jsonb => "'{}'", xml => "'<a/>'", inet => "'1.1.1.1'", xid => "'1'", xid8 => "'1'", tid => "'(0,1)'",
	pg_lsn => "'0/1'", txid_snapshot => "'1:1:'", pg_snapshot => "'1:1:'", tsvector => "'a'", tsquery => "'a'", refcursor => "'sess_cursor'", regclass => "'own.seq'",
	regtype => "'int4'", regnamespace => "'own'", regrole => "'own'", regprocedure => "'own.does(text)'", regconfig => "'english'", regdictionary => "'english_stem'",
	'text[]' => "'{x}'", 'int4[]' => "'{1}'", 'oid[]' => "'{1}'", anyelement => '1', anyarray => "'{1}'::int[]", '"any"' => '1', record => 'ROW(1)');
my $values = join ', ', map { "('$_', \$v\$$value{$_}\$v\$)" } sort keys %value;
# what the session holds is named where a function reaches for it, and so is what would take time
my @calls = (
	('SELECT 1') x 3, 'SELECT pg_export_snapshot()', 'SELECT lo_close(0)', 'SELECT loread(0, 1)', "SELECT lowrite(0, 'x')", 'SELECT lo_lseek(0, 1, 0)', 'SELECT lo_lseek64(0, 1, 0)',
	'SELECT lo_truncate(0, 0)', 'SELECT lo_truncate64(0, 0)', 'SELECT lo_open(lo_create(0), 393216)', 'SELECT pg_advisory_unlock(3)', 'SELECT pg_advisory_unlock(1, 2)',
	'SELECT pg_advisory_unlock_shared(3)', 'SELECT pg_advisory_unlock_all()', "SELECT set_config('role', 'own', false)", "SELECT cursor_to_xml('sess_cursor', 1, false, false, '')",
	'SELECT pg_cancel_backend(pg_backend_pid())', 'SELECT pg_terminate_backend(pg_backend_pid())', "SELECT nextval('own.seq')", "SELECT setval('own.seq', 5)", "SELECT pg_notify('sess_channel', '')");
my $made = 0;
my @statements = (
	'RESET ALL', 'RESET ROLE', 'RESET SESSION AUTHORIZATION', 'SET ROLE own', 'SET SESSION AUTHORIZATION own', 'SET own.x = 1', 'SET LOCAL sess.x = 1', 'SET seed = 0.3',
	'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', 'SET TRANSACTION READ ONLY', 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', "SET TRANSACTION SNAPSHOT '0'",
	'SET CONSTRAINTS ALL IMMEDIATE', 'DISCARD PLANS', 'DISCARD SEQUENCES', 'DISCARD TEMP', 'DISCARD ALL', 'LISTEN x', 'UNLISTEN *', 'UNLISTEN sess_channel', 'NOTIFY x',
	'PREPARE x AS SELECT 1', 'DEALLOCATE ALL', 'DEALLOCATE sess_statement', 'EXECUTE sess_statement', 'DECLARE x CURSOR FOR SELECT 1', 'DECLARE x CURSOR WITH HOLD FOR SELECT 1',
	'FETCH sess_cursor', 'MOVE sess_cursor', 'CLOSE sess_cursor', 'CLOSE ALL', "LOAD 'auto_explain'", 'CHECKPOINT', 'BEGIN', 'SAVEPOINT s', 'RELEASE s', 'COMMIT', 'ROLLBACK',
	"PREPARE TRANSACTION 'x'", 'LOCK TABLE own.message', 'TABLE pg_temp.sess_temp', 'DROP TABLE pg_temp.sess_temp', 'ANALYZE own.message', 'VACUUM own.message',
	'REINDEX SCHEMA own', "COPY (SELECT 1) TO '/dev/null'", 'EXPLAIN ANALYZE SELECT 1', "DO 'BEGIN END'", 'REASSIGN OWNED BY own TO own', 'ALTER SYSTEM SET work_mem = 64',
	'ALTER ROLE own SET search_path = x', "COMMENT ON TABLE own.message IS 'x'", 'CREATE TABLE own.made (i int)', 'SELECT 1 INTO TEMP z',
	(map { "CREATE TEMP $_" } 'TABLE z (a int)', 'VIEW z AS SELECT 1', 'SEQUENCE z'),
	(map { my $i = $made++; "CREATE " . s/pg_temp\.z/pg_temp.z$i/r } 'TYPE pg_temp.z AS (a int)', "TYPE pg_temp.z AS ENUM ('a')", 'TYPE pg_temp.z AS RANGE (SUBTYPE = int)', 'DOMAIN pg_temp.z AS int', 'COLLATION pg_temp.z FROM "C"',
		'TEXT SEARCH CONFIGURATION pg_temp.z (COPY = english)', 'TEXT SEARCH DICTIONARY pg_temp.z (TEMPLATE = simple)', 'STATISTICS pg_temp.z ON id, does FROM own.message',
		q{CONVERSION pg_temp.z FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1}, 'FUNCTION pg_temp.z() RETURNS int LANGUAGE sql RETURN 1', q{PROCEDURE pg_temp.z() LANGUAGE sql AS 'SELECT 1'},
		'OPERATOR pg_temp.+ (FUNCTION = int4pl, LEFTARG = int, RIGHTARG = int)', 'AGGREGATE pg_temp.z(int) (SFUNC = int4pl, STYPE = int)'));
my $quoted = join ', ', map { "(\$s\$$_\$s\$)" } @calls;
my $quoted_statements = join ', ', map { "(\$s\$$_\$s\$)" } @statements;
$node->safe_psql('postgres', qq{
	CREATE TABLE sess.value AS SELECT t::regtype AS type, v FROM (VALUES $values) x(t, v);
	INSERT INTO sess.todo (stmt) VALUES $quoted;
	INSERT INTO sess.todo (stmt)
	SELECT format('\%s \%s(\%s)', CASE prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END, p.oid::regproc, args)
	FROM pg_proc p, LATERAL (SELECT string_agg(v.v, ', ' ORDER BY n), bool_and(v.v IS NOT NULL) IS NOT FALSE
		FROM unnest(proargtypes) WITH ORDINALITY t(t, n) LEFT JOIN sess.value v ON v.type = t.t) x(args, known)
	WHERE provolatile <> 'i' AND prokind IN ('f', 'p') AND known AND has_function_privilege('own', p.oid, 'EXECUTE') AND pronamespace IN ('pg_catalog'::regnamespace, 'own'::regnamespace)
		AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype, 'language_handler'::regtype, 'fdw_handler'::regtype)
		AND p.proname NOT IN ('pg_sleep', 'does')
	ORDER BY p.oid::regprocedure::text COLLATE "C";
	INSERT INTO sess.todo (stmt) SELECT format('SELECT set_config(\%L, \%L, \%L)', name, v, local)
	FROM pg_settings, unnest('{true,false}'::text[]) local, LATERAL (SELECT CASE
		WHEN vartype = 'bool' THEN CASE setting WHEN 'on' THEN 'off' ELSE 'on' END
		WHEN vartype = 'enum' THEN (SELECT e FROM unnest(enumvals) e WHERE e <> setting LIMIT 1)
		WHEN vartype IN ('integer', 'real') THEN CASE setting WHEN min_val THEN max_val ELSE min_val END
		ELSE coalesce('{"client_encoding": "LATIN1", "TimeZone": "Asia/Tokyo", "DateStyle": "German", "temp_tablespaces": "", "default_text_search_config": "pg_catalog.german"}'::json ->> name, 'C') END) x(v)
	WHERE context = 'user' ORDER BY name COLLATE "C", local;
	INSERT INTO sess.todo (stmt) VALUES $quoted_statements});
if ($dblink)
{
	my $sql = join ', ', map { "(\$s\$SELECT own.$_\$s\$)" } q{dblink_exec('conn', 'CREATE TABLE own.far (i int)')}, q{dblink_exec('CREATE TABLE own.far (i int)')}, q{dblink_disconnect('conn')},
		'dblink_disconnect()', q{dblink_connect('theirs', 'dbname=postgres')}, q{dblink_connect('dbname=postgres')}, q{dblink_send_query('conn', 'SELECT 1')}, q{dblink_cancel_query('conn')}, q{dblink_open('conn', 'x', 'SELECT 1')},
		q{dblink_error_message('conn')}, 'dblink_get_connections()', 'postgres_fdw_disconnect_all()';
	$node->safe_psql('postgres', "INSERT INTO sess.todo (stmt) VALUES $sql");
}

my $connection = "format('host=%s port=%s dbname=postgres user=%s', '" . $node->host . "', '" . $node->port . "', current_user)";
my ($rc, $out, $err) = $node->psql('postgres', q{
	SET client_min_messages = error;
	DO 'BEGIN PERFORM assay.domain_of(''a@b''); END';
	SET assay.fault_limit = 1000000;
	SELECT pg_advisory_lock(1, 2), pg_advisory_lock(3);
	LISTEN sess_channel;
	PREPARE sess_statement AS SELECT 1;
	DECLARE sess_cursor CURSOR WITH HOLD FOR SELECT generate_series(1, 10);
	CREATE TEMP TABLE sess_temp (a int);
	} . ($dblink ? "DO 'BEGIN PERFORM own.postgres_fdw_get_connections(); END'; SELECT own.dblink_connect('conn', $connection), own.dblink_connect($connection);" : '') . q{
	CALL sess.sweep();} . ($dblink ? q{SELECT 'named ' || u FROM own.dblink('conn', 'SELECT current_user') u(u name); SELECT 'unnamed ' || u FROM own.dblink('SELECT current_user') u(u name)} : ''));
is($rc, 0, 'everything was tried') or diag $err;
like($out, qr/^named postgres\nunnamed postgres$/m, 'its connections are still there') if $dblink;
is($node->safe_psql('postgres', 'SELECT count(*) FROM sess.todo WHERE degraded IS NULL'), '0', 'and each message is decided');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM sess.todo WHERE NOT degraded'), '>', 500, 'much of it is allowed');
# What leaves something, as docs/security.md says: locks for a transaction, numbers of sequences and chance, and a setting of no library, which PostgreSQL leaves empty
my $known = qr/^(?:SELECT\ (?:pg_catalog\.)?(?:pg_(?:try_)?advisory_xact_lock(?:_shared)?|nextval|random|random_normal)\(
	|SET\ (?:own\.x|LOCAL\ sess\.x)\ )/x;
my @left = split /\n/, $node->safe_psql('postgres', q{SELECT stmt || ': ' || found FROM sess.todo WHERE found <> '' ORDER BY n});
is_deeply([ grep { $_ !~ $known } @left ], [], 'nothing else is left in the session');
cmp_ok(scalar(grep { $_ =~ $known } @left), '>', 8, 'what is left is seen');
my @refused = split /\n/, $node->safe_psql('postgres', q{SELECT stmt FROM sess.todo WHERE degraded});
foreach my $must ('pg_export_snapshot', 'lo_open', 'pg_advisory_unlock_all', 'COLLATION pg_temp', 'FUNCTION pg_temp', 'DOMAIN pg_temp', 'AS ENUM', 'SET seed', 'DISCARD SEQUENCES', $dblink ? ('dblink_exec', 'dblink_disconnect', 'postgres_fdw_disconnect_all') : ())
{
	ok(scalar(grep { index($_, $must) >= 0 } @refused), "$must is refused");
}
# Code of the owner's may connect itself where the session has no connection of a name: by a superuser's function, as no password is asked for.
if ($dblink)
{
	is($node->safe_psql('postgres', qq{
		CREATE FUNCTION own.connects() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS \$\$ BEGIN RETURN u FROM own.dblink($connection, 'SELECT 1') u(u int); END \$\$;
		INSERT INTO own.message VALUES (200001, 'SELECT own.connects()');
		SELECT own.dblink_connect($connection) AS unnamed \\gset
		INSERT INTO own.message VALUES (200002, 'SELECT own.connects()');
		SELECT own.dblink_connect('conn', $connection) AS named \\gset
		INSERT INTO own.message VALUES (200003, 'SELECT own.connects()');
		SELECT string_agg(degraded::text, ' ' ORDER BY id) FROM own.own_decision WHERE id > 200000}),
		'false false true', 'the owner connects by dblink, while the session has no connection of a name');
}
# what the session makes of its own, indexes of temporary tables among it, is not refused
is(($node->psql('postgres', q{
	INSERT INTO own.message VALUES (100001, 'SELECT 1');
	CREATE TEMP TABLE pk (a int PRIMARY KEY, b int UNIQUE, CHECK (a > 0), EXCLUDE USING btree (b WITH =));
	ALTER TABLE pk ADD c int UNIQUE;
	CREATE TEMP TABLE fk (a int REFERENCES pk);
	CREATE TEMP TABLE parted (a int PRIMARY KEY) PARTITION BY RANGE (a);
	CREATE TEMP TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10);
	REINDEX TABLE pk; CLUSTER pk USING pk_pkey;
	CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql RETURN 1;
	CREATE DOMAIN pg_temp.d AS int CHECK (value > 0);
	CREATE TYPE pg_temp.e AS ENUM ('a');
	CREATE MATERIALIZED VIEW sess.kept AS SELECT 1 AS a; CREATE UNIQUE INDEX ON sess.kept (a); REFRESH MATERIALIZED VIEW CONCURRENTLY sess.kept}))[0], 0, 'what is made by whoever has the session is made');

# Who inserts, with every setting that he may change set to whatever it may be
$node->safe_psql('postgres', q{
	SET client_min_messages = warning;
	CREATE TABLE own.known (name text PRIMARY KEY, since timestamptz NOT NULL);
	INSERT INTO own.known SELECT 'name' || i, timestamptz '2026-01-01 00:00+00' + i * interval '7 hours' FROM generate_series(1, 300) i;
	ALTER TABLE own.known OWNER TO own;
	ALTER TABLE own.known ENABLE ROW LEVEL SECURITY;
	ANALYZE own.known;
	SET ROLE own;
	CREATE TABLE own.mail (id int PRIMARY KEY, name text, at timestamptz, f float8, raw bytea, gap interval, body text);
	GRANT INSERT ON own.mail TO ingest;
	CREATE VIEW own.mail_signals AS
	SELECT m.id, m.at::text AS written, m.at::date::text AS day, extract(hour FROM m.at) AS hour, m.f * 3 AS f, m.raw, m.gap, m.body,
		m.f::text || m.raw::text || m.gap::text AS texts, to_char(m.at, 'DD TMMon HH24') AS shown, to_char(m.f * 1234567, '9G999G999D99') AS number,
		to_tsvector(m.body) @@ to_tsquery('running') AS runs, '{a,NULL}'::text[] AS nulls, m.body ~* 'TIME' AS says,
		(SELECT string_agg(w, ',' ORDER BY w) FROM regexp_split_to_table(m.body, ' ') w) AS words,
		jsonb_build_object('at', m.at, 'f', m.f) AS json, k.since,
		(SELECT count(*) FROM own.known a JOIN own.known b ON b.since = a.since WHERE a.since < m.at) AS earlier,
		(SELECT string_agg(name, ',' ORDER BY since DESC) FROM (SELECT * FROM own.known a WHERE a.since < m.at ORDER BY since DESC LIMIT 3) l) AS latest
	FROM own.mail m LEFT JOIN LATERAL (SELECT * FROM own.known k WHERE k.name = m.name ORDER BY since DESC LIMIT 1) k ON true;
	SELECT assay.create_policy('mail', 'own.mail_signals', '{id}', prior => 0, log_signals => true);
	SELECT assay.create_detector('mail', 'd' || n, c, weight => n, mode => 'live') FROM (VALUES
		(1, 'runs AND says'), (2, 'hour = 23'), (4, 'texts LIKE ''0.1%'''), (8, 'day = ''2026-02-01'''), (16, 'body <> ''secret word'''),
		(32, 'earlier > 10 AND since IS NOT NULL'), (64, 'f > ''0.2''::float8 AND (f = NULL) IS NULL'), (128, 'written::timestamptz > ''2026-02-01 23:00''')) d(n, c);
	CREATE TRIGGER decide AFTER INSERT ON own.mail REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('mail')});
# What ends the statement of the session itself is at its longest; what forbids it is left out.
my @settings = split /\n/, $node->safe_psql('postgres', q{
	DO 'BEGIN PERFORM assay.domain_of(''a@b''); END';
	SELECT format('SET %s = %L;', name, v) FROM pg_settings, LATERAL (
		SELECT unnest('{on,off}'::text[]) AS v WHERE vartype = 'bool'
		UNION ALL SELECT unnest(enumvals) WHERE vartype = 'enum'
		UNION ALL SELECT unnest(CASE WHEN name = 'lock_timeout' THEN ARRAY['1'] WHEN name IN ('statement_timeout', 'transaction_timeout') THEN ARRAY[max_val] ELSE ARRAY[min_val, max_val] END)
		WHERE vartype IN ('integer', 'real')
		UNION ALL SELECT json_array_elements_text(coalesce('{"client_encoding": ["LATIN1", "SQL_ASCII"], "TimeZone": ["Asia/Tokyo", "America/New_York"],
			"DateStyle": ["German", "SQL, DMY"], "role": ["none", "ingest"], "session_authorization": ["default"], "default_text_search_config": ["german", "nowhere"],
			"search_path": ["", "own, pg_catalog", "nowhere"], "timezone_abbreviations": ["India", "Australia"], "default_table_access_method": ["heap"]}'::json -> name,
			'["", "x", "C"]'))
		WHERE vartype = 'string') x
	WHERE context = 'user' AND name NOT IN ('default_transaction_read_only', 'transaction_read_only') ORDER BY name COLLATE "C", v});
my $script = '';
my $n = 0;
foreach my $setting ('', @settings)
{
	$script .= sprintf "SET ROLE ingest; SET client_min_messages = debug5; %s\nINSERT INTO own.mail VALUES (%d, 'name20', '2026-02-01 23:30+00', 0.1, decode('41', 'hex'), make_interval(days => 1, hours => 2), 'running out of time'); RESET ALL;\n",
		$setting, ++$n;
}
($rc, $out, $err) = $node->psql('postgres', $script, on_error_stop => 0);
my @failed = grep { /ERROR:/ && !/invalid value for parameter|parameter "[a-z_]+" cannot be|SET TRANSACTION .* must|permission denied to set (?:role|parameter)|tablespace "[^"]*" does not exist/ } split /\n/, $err;
is_deeply(\@failed, [], "whatever is set (@{[ scalar @settings ]}), an INSERT succeeds");
unlike($err, qr/secret|own\.known|mail_signals|mail_decision|assay_internal/, 'who inserts is told nothing of the policy');
is($node->safe_psql('postgres', 'SELECT count(*) FROM own.mail'), $n, 'every message is there');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT attribution::text), count(DISTINCT signals::jsonb - 'id'), bool_or(degraded) FROM own.mail_decision}), "$n|1|1|f", 'and decided the same');
is($node->safe_psql('postgres', q{SELECT assay.margin(attribution) FROM own.mail_decision WHERE id = 1}), '255', '... by all detectors');
$node->stop;
done_testing();
