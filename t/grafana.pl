# Every query of the dashboard runs, as a reader of the policy, with Grafana's
# macros and variables put in as Grafana does.
use strict;
use warnings FATAL => 'all';

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use AssayWorld;

my $node = PostgreSQL::Test::Cluster->new('grafana');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\njit = off\n");
$node->start;
$node->safe_psql('postgres', world_sql());
# a name that has to be quoted, and what a dashboard is about: lately
$node->safe_psql('postgres', q{
	CREATE ROLE grafana LOGIN;
	GRANT USAGE ON SCHEMA "the mail" TO grafana;
	SELECT assay.grant_access('world', 'grafana', 'reader');
	SELECT assay.refresh_rollup('world');
});
$node->safe_psql('postgres', q{
	SET ROLE mail; SET search_path = "the mail", public;
	CREATE VIEW named AS SELECT * FROM signals;
	SELECT assay.create_policy('o''brien', 'named', '{id}');
	RESET ROLE;
	SELECT assay.grant_access('o''brien', 'grafana', 'reader')});

my $dashboard = decode_json(slurp_file("$ENV{ASSAY_TOP}/contrib/grafana/pg_assay.json"));
my @panels = @{ $dashboard->{panels} };
cmp_ok(scalar @panels, '>', 10, 'panels');
my %ids = map { $_->{id} => 1 } @panels;
is(scalar keys %ids, scalar @panels, 'each with an id of its own');
for my $i (0 .. $#panels)
{
	my $a = $panels[$i]{gridPos};
	cmp_ok($a->{x} + $a->{w}, '<=', 24, "$panels[$i]{title}: within the page");
	foreach my $other (@panels[ $i + 1 .. $#panels ])
	{
		my $b = $other->{gridPos};
		ok($a->{x} + $a->{w} <= $b->{x} || $b->{x} + $b->{w} <= $a->{x} || $a->{y} + $a->{h} <= $b->{y} || $b->{y} + $b->{h} <= $a->{y},
			"$panels[$i]{title} and $other->{title} lie side by side");
	}
}
my %variables = map { $_->{name} => $_ } @{ $dashboard->{templating}{list} };
is(join(' ', sort keys %variables), 'datasource policy', 'variables');

sub ask
{
	my ($query) = @_;
	my ($out, $err);
	$node->psql('postgres', $query, stdout => \$out, stderr => \$err, on_error_stop => 1,
		extra_params => [ '-U', 'grafana' ]);
	return ($out, $err);
}

# As Grafana's PostgreSQL data source puts them in
sub put_in
{
	my ($sql, $policy) = @_;
	my $quoted = "'" . ($policy =~ s/'/''/gr) . "'";
	$sql =~ s/\$\{policy:sqlstring\}/$quoted/g;
	$sql =~ s/\$__timeFilter\(([\w.]+)\)/$1 BETWEEN '2024-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'/g;
	unlike($sql, qr/\$/, 'nothing else to put in');
	return $sql;
}

my ($out, $err) = ask($variables{policy}{query});
is($err, '', 'policies to choose from');
is($out, "o'brien\nworld", '... those of the reader');
foreach my $panel (@panels)
{
	foreach my $target (@{ $panel->{targets} })
	{
		like($target->{datasource}{uid}, qr/^\$\{datasource\}$/, "$panel->{title}: of the data source that was chosen");
		foreach my $policy ('world', "o'brien")
		{
			my $sql = put_in($target->{rawSql}, $policy);
			($out, $err) = ask($sql);
			is($err, '', "$panel->{title}: runs") or diag($sql);
			cmp_ok(length($out), '>', 0, "$panel->{title}: shows something") if $policy eq 'world' && $panel->{title} !~ /^(?:Alerts|Baselines)$/;
			next if $target->{format} ne 'time_series';
			my ($types) = ask("CREATE TEMP TABLE t AS $sql; SELECT string_agg(attname || ' ' || atttypid::regtype, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0");
			like($types, qr/^time timestamp with time zone, metric text, \w+ (?:bigint|double precision)$/, "$panel->{title}: a series");
		}
	}
}
# what is shown is what there is
my ($decisions) = ask(put_in($panels[0]{targets}[0]{rawSql}, 'world'));
is($decisions, $node->safe_psql('postgres', q{SELECT count(*) FROM "the mail".world_decision WHERE decided_at >= '2024-01-01'}), 'decisions');

$node->stop;
done_testing();
