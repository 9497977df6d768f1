# The unit for systemd and the manifest for Kubernetes: they are what these programs take, and the options are ours; the
# service manager hears that assay_stream is up and that it goes on.
use strict;
use warnings;
use AssayLoad;
use IO::Select;
use IO::Socket::UNIX;
use IPC::Run;
use POSIX ();
use PostgreSQL::Test::Utils;
use Socket qw(SOCK_DGRAM);
use Test::More;

my $top = $ENV{ASSAY_TOP};
my $unit = slurp_file("$top/contrib/systemd/assay_stream\@.service");
my $manifest = slurp_file("$top/contrib/kubernetes/assay_stream.yaml");
my ($program) = grep { -x } map { "$_/assay_stream" } split /:/, $ENV{PATH};

# ---- systemd --------------------------------------------------------------------

my ($command) = $unit =~ m{^ExecStart=/usr/bin/assay_stream (.*)$}m;
ok($command, 'the unit starts it');
my ($options) = $unit =~ /^#   OPTIONS=(.*)$/m;
(my $all = $command) =~ s/\$OPTIONS/$options/;
$all =~ s/%i/one/;

SKIP:
{
	chomp(my $analyze = `command -v systemd-analyze`);
	skip 'systemd-analyze is not installed', 2 if !$analyze;
	my $dir = PostgreSQL::Test::Utils::tempdir();
	(my $here = $unit) =~ s{/usr/bin/assay_stream}{$program};
	# the user is made where the unit is installed
	$here =~ s/^User=.*$/User=root/m;
	append_to_file("$dir/assay_stream\@one.service", $here);
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run([ $analyze, 'verify', '--man=no', "$dir/assay_stream\@one.service" ], '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	skip 'systemd-analyze does not run here', 2 if $err =~ /Failed to (?:initialize manager|connect)|Operation not permitted|Failed to setup/;
	ok($ok, 'systemd-analyze verify') or diag($err);
	unlike($err, qr/assay_stream\@/, 'and it has nothing to say of it');
}

# An option that there is not ends it before the argument that is too much does
sub options_known
{
	my ($name, @args) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'assay_stream', @args, 'too-much' ], '<', \'', '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	like($err, qr/too many arguments \(the first is "too-much"\)/, "$name: options that there are");
	return;
}
options_known('the unit', split / /, $all);

# ---- Kubernetes -----------------------------------------------------------------

my ($args) = $manifest =~ /^          args:\n((?:            .*\n)+)/m;
my @args = $args =~ /^            - (.*)$/mg;
cmp_ok(scalar @args, '>', 5, 'the manifest has options');
options_known('the manifest', @args);
SKIP:
{
	my $code = 'import sys, yaml; d = list(yaml.safe_load_all(sys.stdin)); c = d[0]["spec"]["template"]["spec"]; '
		. 'v = {x["name"] for x in c["volumes"]}; m = c["containers"][0]; '
		. 'assert len(d) == 1 and d[0]["spec"]["selector"]["matchLabels"] == d[0]["spec"]["template"]["metadata"]["labels"]; '
		. 'assert {x["name"] for x in m["volumeMounts"]} <= v; p = m["livenessProbe"]["httpGet"]; '
		. 'assert p["port"] in {x["name"] for x in m["ports"]} and p["path"] == "/healthz"; '
		. 'assert "--metrics=0.0.0.0:%d" % m["ports"][0]["containerPort"] in m["args"]; print("\n".join(m["args"]))';
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'sh', '-c', 'command -v python3 >/dev/null && python3 -c "import yaml"' ], '>', \$out, '2>', \$err)
		or skip 'no Python with yaml', 2;
	ok(IPC::Run::run([ 'python3', '-c', $code ], '<', \$manifest, '>', \$out, '2>', \$err), 'it is YAML, and its parts fit') or diag($err);
	is($out, join('', map { "$_\n" } @args), 'with these options');
}

# ---- what the service manager hears -----------------------------------------------

AssayLoad::start();
my $path = PostgreSQL::Test::Utils::tempdir_short() . '/notify';
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "socket: $!";
my ($in, $out, $err) = ('', '', '');
local $ENV{NOTIFY_SOCKET} = $path;
my $run = IPC::Run::start([ 'assay_stream', '-d', $node->connstr('postgres'), '--stdin=lines', '--create-table', '-q' ], \$in, \$out, \$err, IPC::Run::timeout(600));
sub heard
{
	my $message = '';
	IO::Select->new($socket)->can_read(180) and $socket->recv($message, 1000);
	return $message;
}
is(heard(), "READY=1\nWATCHDOG=1", 'it is up');
is(heard(), 'WATCHDOG=1', 'and goes on');
$run->signal('TERM');
my $last = '';
for (1 .. 20) { last if ($last = heard()) ne 'WATCHDOG=1' }
is($last, 'STOPPING=1', 'and ends');
$run->finish;
is($run->result(0), 0, 'SIGTERM: exit code 0') or diag($err);
foreach my $bad ('', 'x', '@', "/no/such/socket", '/' . 'x' x 200)
{
	local $ENV{NOTIFY_SOCKET} = $bad;
	IPC::Run::run([ 'assay_stream', '-d', $node->connstr('postgres'), '--stdin=lines', '-q' ], '<', \'', '>', \$out, '2>', \$err);
	is($?, 0, 'a socket that is none is no matter');
}
done_testing();
