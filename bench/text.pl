#!/usr/bin/perl
# SpamAssassin's Bayes over messages on standard input, one line each: "learn|score
# ham|spam|- FILE". Prints "FILE PROBABILITY" for those scored. Nothing else of
# SpamAssassin runs. Argument: an empty folder for its database.
use strict;
use warnings;
use Mail::SpamAssassin;
use Mail::SpamAssassin::PerMsgStatus;

my $dir = shift or die "usage: text.pl DIR\n";
my $sa = Mail::SpamAssassin->new(
	{   config_text => "loadplugin Mail::SpamAssassin::Plugin::Bayes\nutil_rb_tld com net org edu gov info biz uk de fr\nuse_bayes 1\nuse_bayes_rules 1\nbayes_auto_learn 0\n"
		  . "bayes_path $dir/bayes\nbayes_expiry_max_db_size 10000000\nbayes_auto_expire 0\nbayes_min_ham_num 1\nbayes_min_spam_num 1\n"
		  . "body BAYES_ANY eval:check_bayes('0.00', '1.00')\n",
		local_tests_only => 1, dont_copy_prefs => 1, userprefs_filename => '/dev/null' });
$sa->init(0);
$sa->init_learner({ force_expire => 0, learn_to_journal => 0, caller_will_untie => 1, wait_for_lock => 1 });
my ($bayes) = grep { ref($_) eq 'Mail::SpamAssassin::Plugin::Bayes' } @{ $sa->{plugins}->{plugins} };
while (<STDIN>)
{
	chomp;
	my ($what, $label, $file) = split(/ /, $_, 3);
	open(my $in, '<', $file) or die "$file: $!\n";
	my @lines = <$in>;
	close($in);
	my $mail = $sa->parse(\@lines, 1);
	if ($what eq 'learn')
	{
		$sa->learn($mail, undef, $label eq 'spam' ? 1 : 0, 0);
	}
	else
	{
		my $status = Mail::SpamAssassin::PerMsgStatus->new($sa, $mail);
		my $p = $bayes->scan($status, $mail);
		print "$file ", defined $p ? $p : 0.5, "\n";
		$status->finish;
	}
	$mail->finish;
}
$sa->rebuild_learner_caches;
$sa->finish_learner;
