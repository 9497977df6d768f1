# What tests share whose server is killed and comes back by itself.
package AssayServer;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

our @EXPORT = qw(recovered);

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
