# What tests share whose server is killed and comes back by itself, or has a clock of its own.
package AssayServer;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

our @EXPORT = qw(recovered set_clock at_nine);

# What is started from now on has a clock that is off by so many seconds, or by as many as a file says.
sub set_clock
{
	my ($seconds) = @_;
	@ENV{qw(LD_PRELOAD SET_CLOCK)} = ($ENV{ASSAY_CLOCK}, $seconds) if $ENV{ASSAY_CLOCK};
	return;
}

# Servers that start from now on do so at five past nine (UTC): no day ends while they run.
sub at_nine
{
	set_clock(32700 - time() % 86400);
	return;
}

# Wait until the server has recovered, which the postmaster may not have begun yet:
# recovery empties an unlogged table, which held a row. The query is no input of
# psql, which ends before it reads any while there is no connection to be had.
sub recovered
{
	my ($node, $unlogged) = @_;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my ($out, $err) = ('', '');
		IPC::Run::run([ 'psql', '-XAt', '-d', $node->connstr('postgres'), '-c', "SELECT count(*) FROM $unlogged" ], '>', \$out, '2>', \$err);
		return 1 if $out eq "0\n";
		usleep(100_000);
	}
	return 0;
}

1;
