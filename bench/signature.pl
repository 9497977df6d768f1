#!/usr/bin/perl
# Exact Jaccard similarity of sets on standard input, one a line ("ID ELEMENT …"), for
# all pairs that have at least the argument: "EARLIER LATER SIMILARITY".
use strict;
use warnings;

my $least = shift // die "usage: signature.pl LEAST\n";
my (@id, @size, @with);
while (<STDIN>)
{
	my ($id, @set) = split;
	my @shared = (0) x @id;

	for my $element (@set)
	{
		$shared[$_]++ for @{ $with[$element] };
		push @{ $with[$element] }, scalar @id;
	}
	for my $other (grep { $shared[$_] } 0 .. $#shared)
	{
		my $j = $shared[$other] / (@set + $size[$other] - $shared[$other]);

		printf "%s %s %.6f\n", $id[$other], $id, $j if $j >= $least;
	}
	push @id, $id;
	push @size, scalar @set;
}
