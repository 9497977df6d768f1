# The figures of a page of assay.report_html(), and the same counted by plain
# SQL over the stored rows: of a policy whose key is "id", without forced
# verdicts, label_order and label_maturity.
package ReportFigures;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(page_figures plain_figures compare_figures chromium dom_of decode);

sub decode
{
	my ($t) = @_;
	my %named = (lt => '<', gt => '>', amp => '&', quot => '"', middot => "\x{b7}", ndash => '-', nbsp => ' ');
	$t =~ s/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/defined $1 ? chr($1) : defined $2 ? chr(hex $2) : $named{$3} \/\/ "&$3;"/ge;
	# as a browser writes it
	$t =~ s/\xe2\x80\x93/-/g;
	return $t;
}

# "table|row|column" => figure as it stands in data-v
sub page_figures
{
	my ($page) = @_;
	my %figures;

	while ($page =~ /<table id="([a-z0-9-]+)"[^>]*>(.*?)<\/table>/gs)
	{
		my ($table, $rows) = ($1, $2);
		my $n = 0;
		foreach my $row ($rows =~ /<tr[^>]*>.*?<\/tr>/gs)
		{
			my @cells = $row =~ /(<t[dh][^>]*>.*?<\/t[dh]>)/gs;
			my ($name) = $row =~ /<tr data-name="([^"]*)"/;
			next if $row =~ /<th scope="col"/;
			$n++;
			# what identifies a row: its name and the cells that are no figures
			my @texts = map { /^<td(?: class="\w*")?>(.*)<\/td>$/s ? decode($1 =~ s/<[^>]*>//gr) : () } @cells;
			my ($head) = map { /^<th[^>]*>(.*)<\/th>$/s ? decode($1 =~ s/<[^>]*>//gr) : () } @cells;
			my $key = $table eq 'detector-table' ? join('/', decode($name), @texts[0 .. 2]) :
			  $table =~ /^(?:verdict-table|review-table|latest-table)$/ ? decode($name) :
			  $table =~ /^(?:days|hours)-table$/ ? "$head $texts[0]" :
			  $table =~ /^ledger-/ ? (defined $name ? decode($name) : 'total') :
			  $table eq 'fault-table' ? "$head $texts[0]" :
			  $table eq 'thresholds' ? $head : $n;
			foreach my $cell (@cells)
			{
				my ($v) = $cell =~ /data-v="([^"]*)"/;
				if (my ($c) = $cell =~ /data-c="([^"]*)"/) { $figures{"$table|$key|$c"} = $v; }
				elsif ($cell =~ /data-lower="([^"]*)" data-upper="([^"]*)"/) { $figures{"$table|$key|lower"} = $1; $figures{"$table|$key|upper"} = $2; }
			}
		}
	}
	# the matrix has no class of its own for figures
	if ($page =~ /<table class="matrix" id="overlap-table">(.*?)<\/table>/s)
	{
		my @rows = $1 =~ /<tr>(.*?)<\/tr>/gs;
		my @names = map { decode(s/<[^>]*>//gr) } (shift @rows) =~ /<th scope="col">(.*?)<\/th>/gs;
		shift @names;
		foreach my $row (@rows)
		{
			my ($name) = map { decode(s/<[^>]*>//gr) } $row =~ /<th scope="row">(.*?)<\/th>/s;
			my @cells = $row =~ /<td[^>]*>/g;
			($figures{"overlap-table|$name|hits"}) = shift(@cells) =~ /data-v="(\d+)"/;
			for my $i (0 .. $#cells)
			{
				next if $cells[$i] =~ /aria-label="itself"/;
				$figures{"overlap-table|$name+$names[$i]|both"} = $1 if $cells[$i] =~ /data-v="(\d+)"/;
				$figures{"overlap-table|$name+$names[$i]|jaccard"} = $1 if $cells[$i] =~ /data-jaccard="([^"]*)"/;
			}
		}
	}
	$figures{"tile|$1|v"} = $2 while $page =~ /<div data-c="(\w+)" data-v="([^"]*)">/g;
	return \%figures;
}

# The same from the policy's tables, by nothing of the extension but ledger() and margin()
sub plain_figures
{
	my ($sql, $policy) = @_;
	my $out = $sql->(qq{
	SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET jit = off;
	CREATE TEMP TABLE d AS SELECT DISTINCT ON (d.id) d.id, d.revision, d.verdict, d.score, d.decided_at, d.attribution, assay.margin(d.attribution) AS margin FROM ${policy}_decision d ORDER BY d.id, d.revision DESC;
	CREATE TEMP TABLE l AS SELECT DISTINCT ON (id) id, malicious FROM ${policy}_label ORDER BY id, labelled_at DESC;
	CREATE TEMP TABLE j AS SELECT d.*, l.malicious FROM d LEFT JOIN l USING (id);
	CREATE TEMP TABLE e AS SELECT j.id, j.revision, j.malicious, j.margin, j.decided_at, x.* FROM j, assay.ledger(j.attribution) x;
	CREATE TEMP TABLE v AS SELECT DISTINCT ON (u.name) u.name, u.at, dense_rank() OVER (ORDER BY u.at) - 1 AS level FROM (SELECT r.revision, r.default_verdict AS name, -1::float8 AS at FROM assay.revision r WHERE r.policy = '$policy'
		UNION ALL SELECT r.revision, t.key, t.value::float8 FROM assay.revision r, jsonb_each_text(r.thresholds) t WHERE r.policy = '$policy') u WHERE u.revision = (SELECT max(revision) FROM assay.revision WHERE policy = '$policy');
	CREATE FUNCTION pg_temp.level(margin float8) RETURNS bigint LANGUAGE sql AS 'SELECT max(level) FROM v WHERE at <= 1 / (1 + exp(-margin))';
	CREATE FUNCTION pg_temp.wilson(k float8, n float8, sign int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
		'SELECT CASE WHEN n > 0 THEN least(greatest((k / n + 3.8414588206941254 / (2 * n) + sign * 1.959963984540054 * sqrt(k / n * (1 - k / n) / n + 3.8414588206941254 / (4 * n * n))) / (1 + 3.8414588206941254 / n), 0), 1) END';
	CREATE FUNCTION pg_temp.out(row_ text, VARIADIC kv text[]) RETURNS SETOF text LANGUAGE sql AS
		'SELECT row_ || ''|'' || kv[i] || ''|'' || coalesce(kv[i + 1], '''') FROM generate_series(1, cardinality(kv), 2) i';

	-- verdicts
	WITH c AS (SELECT v.name, v.level, count(j.id) AS hits, count(j.malicious) AS labelled, count(*) FILTER (WHERE j.malicious = (v.level > 0)) AS tp,
			(SELECT count(*) FROM j k JOIN v w ON w.name = k.verdict WHERE CASE WHEN v.level = 0 THEN NOT k.malicious AND w.level = 0 ELSE k.malicious AND w.level >= v.level END) AS found,
			(SELECT count(*) FROM j k WHERE k.malicious = (v.level > 0)) AS all_of_them
		FROM v LEFT JOIN j ON j.verdict = v.name GROUP BY v.name, v.level)
	SELECT pg_temp.out('verdict-table|' || name, 'hits', hits::text, 'labelled', labelled::text, 'tp', tp::text, 'fp', (labelled - tp)::text, 'precision', (tp::float8 / nullif(labelled, 0))::text,
		'lower', pg_temp.wilson(tp, labelled, -1)::text, 'upper', pg_temp.wilson(tp, labelled, 1)::text, 'recall', (found::float8 / nullif(all_of_them, 0))::text, 'fnr', (1 - found::float8 / nullif(all_of_them, 0))::text) FROM c;
	-- tiles
	WITH c AS (SELECT v.name, v.level, count(j.malicious) AS labelled, count(*) FILTER (WHERE j.malicious) AS tp FROM v LEFT JOIN j ON j.verdict = v.name GROUP BY 1, 2 ORDER BY level DESC LIMIT 1),
	r AS (SELECT malicious, score, rank() OVER (ORDER BY score) + (count(*) OVER (PARTITION BY score) - 1) / 2.0 AS rank FROM j WHERE malicious IS NOT NULL),
	n AS (SELECT count(*) FILTER (WHERE malicious) AS pos, count(*) FILTER (WHERE NOT malicious) AS neg FROM j),
	t AS (SELECT score, sum(count(*) FILTER (WHERE malicious)) OVER (ORDER BY score DESC) AS tp, sum(count(*)) OVER (ORDER BY score DESC) AS n, count(*) FILTER (WHERE malicious) AS gain FROM j WHERE malicious IS NOT NULL GROUP BY score)
	SELECT unnest(ARRAY['tile|decisions|v|' || (SELECT count(*) FROM j), 'tile|labelled|v|' || (SELECT count(malicious) FROM j),
		'tile|precision|v|' || (SELECT coalesce((tp::float8 / nullif(labelled, 0))::text, '') FROM c), 'tile|recall|v|' || (SELECT coalesce((tp::float8 / nullif((SELECT pos FROM n), 0))::text, '') FROM c),
		'tile|roc_auc|v|' || (SELECT ((sum(rank) FILTER (WHERE malicious) - n.pos * (n.pos + 1) / 2.0) / (n.pos * n.neg))::text FROM r, n GROUP BY n.pos, n.neg),
		'tile|average_precision|v|' || (SELECT (sum(gain * tp::float8 / n) / (SELECT pos FROM n))::text FROM t),
		'tile|log_loss|v|' || (SELECT avg(-ln(greatest(least(CASE WHEN malicious THEN score::float8 ELSE 1 - score::float8 END, 1 - 2::float8 ^ -52), 2::float8 ^ -52)))::text FROM j WHERE malicious IS NOT NULL),
		'tile|brier|v|' || (SELECT avg((score::float8 - malicious::int) ^ 2)::text FROM j WHERE malicious IS NOT NULL)]);
	-- thresholds, calibration
	WITH c AS (SELECT v.name, v.at, count(*) FILTER (WHERE j.malicious) AS tp, count(*) FILTER (WHERE NOT j.malicious) AS fp FROM v LEFT JOIN j ON j.score::float8 >= v.at WHERE v.at >= 0 GROUP BY 1, 2)
	SELECT pg_temp.out('thresholds|' || name, 'threshold', at::text, 'tp', tp::text, 'fp', fp::text, 'precision', (tp::float8 / nullif(tp + fp, 0))::text, 'lower', pg_temp.wilson(tp, tp + fp, -1)::text,
		'upper', pg_temp.wilson(tp, tp + fp, 1)::text, 'recall', (tp::float8 / (SELECT count(*) FROM j WHERE malicious))::text) FROM c;
	WITH c AS (SELECT greatest(ceil(score::float8 * 10), 1) AS bin, count(*) AS n, avg(score::float8) AS mean, count(*) FILTER (WHERE malicious) AS k FROM j WHERE malicious IS NOT NULL GROUP BY 1)
	SELECT pg_temp.out('calibration-table|' || row_number() OVER (ORDER BY bin), 'from', ((bin - 1) / 10)::text, 'to', (bin / 10)::text, 'messages', n::text, 'mean_score', mean::text, 'positive_rate', (k::float8 / n)::text,
		'lower', pg_temp.wilson(k, n, -1)::text, 'upper', pg_temp.wilson(k, n, 1)::text) FROM c;
	-- the curve: points of scores that there are, that end each 25th of recall
	WITH t AS (SELECT score::float8 AS score, sum(count(*) FILTER (WHERE malicious)) OVER w AS tp, sum(count(*) FILTER (WHERE NOT malicious)) OVER w AS fp FROM j WHERE malicious IS NOT NULL GROUP BY 1 WINDOW w AS (ORDER BY score::float8 DESC)),
	r AS (SELECT t.*, tp / (SELECT count(*) FROM j WHERE malicious)::float8 AS recall FROM t),
	p AS (SELECT * FROM r WHERE NOT EXISTS (SELECT FROM r n WHERE n.score < r.score AND ceil(n.recall * 25) = ceil(r.recall * 25)))
	SELECT pg_temp.out('curve|' || row_number() OVER (ORDER BY score DESC), 'threshold', score::text, 'tp', tp::text, 'fp', fp::text, 'precision', (tp::float8 / (tp + fp)::float8)::text, 'lower', pg_temp.wilson(tp, tp + fp, -1)::text,
		'upper', pg_temp.wilson(tp, tp + fp, 1)::text, 'recall', recall::text) FROM p;
	-- days and hours
	SELECT pg_temp.out(format('days-table|%s %s', to_char(date_trunc('day', decided_at), 'YYYY-MM-DD HH24:MI'), verdict), 'hits', count(*)::text) FROM d
		WHERE decided_at >= (SELECT date_trunc('day', max(decided_at)) - interval '91 days' FROM d) GROUP BY date_trunc('day', decided_at), verdict;
	SELECT pg_temp.out(format('hours-table|%s %s', to_char(date_trunc('hour', decided_at), 'YYYY-MM-DD HH24:MI'), verdict), 'hits', count(*)::text) FROM d
		WHERE decided_at >= (SELECT date_trunc('hour', max(decided_at)) - interval '95 hours' FROM d) GROUP BY date_trunc('hour', decided_at), verdict;
	-- detectors and exclusions. What counts moved the margin; in shadow it would; what an exclusion muted would but for it.
	CREATE TEMP TABLE h AS SELECT e.id, e.malicious, e.kind, e.detector AS name, CASE WHEN e.kind = 'exclusion' THEN NULL WHEN e.shadow THEN 'shadow' ELSE 'live' END AS mode, e.hit, e.counted, e.fault,
			CASE WHEN e.kind = 'exclusion' THEN 'safe' WHEN (e.contribution > 0) = e.hit THEN 'malicious' ELSE 'safe' END AS claim,
			CASE WHEN e.kind = 'exclusion' THEN pg_temp.level(e.margin) WHEN e.shadow THEN pg_temp.level(e.margin + e.contribution) ELSE pg_temp.level(e.margin) END AS with_,
			CASE WHEN e.kind = 'exclusion' THEN pg_temp.level(e.margin + coalesce((SELECT sum(m.contribution) FROM e m WHERE m.id = e.id AND m.revision = e.revision AND m.muted_by = e.detector AND NOT m.shadow), 0))
				WHEN e.shadow THEN pg_temp.level(e.margin) WHEN e.counted THEN pg_temp.level(e.margin - e.contribution) ELSE pg_temp.level(e.margin) END AS without_
		FROM e WHERE e.kind IN ('rule', 'model', 'exclusion') AND e.fault IS NULL;
	-- in which revisions a detector stood in a mode
	CREATE TEMP TABLE stood AS SELECT s.detector AS name, s.mode, s.from_revision, s.until_revision FROM assay.detector s WHERE s.policy = '$policy'
		UNION ALL SELECT x.exclusion, NULL, x.from_revision, x.until_revision FROM assay.exclusion x WHERE x.policy = '$policy';
	CREATE TEMP TABLE k AS SELECT kind, name, mode, claim, count(*) FILTER (WHERE hit) AS hits, count(malicious) FILTER (WHERE hit) AS labelled, count(*) FILTER (WHERE hit AND malicious = (claim = 'malicious')) AS tp,
			count(*) FILTER (WHERE with_ <> without_) AS sole, count(*) FILTER (WHERE with_ <> without_ AND malicious = (with_ > without_)) AS sole_right, count(*) FILTER (WHERE with_ <> without_ AND malicious <> (with_ > without_)) AS sole_wrong,
			count(*) FILTER (WHERE hit AND EXISTS (SELECT FROM h o WHERE o.id = h.id AND o.name <> h.name AND o.kind IN ('rule', 'model') AND o.hit AND o.counted AND o.claim = h.claim)) AS overlap
		FROM h GROUP BY 1, 2, 3, 4;
	SELECT pg_temp.out(format('detector-table|%s/%s/%s/%s', k.name, k.kind, coalesce(k.mode, '-'), k.claim), 'hits', hits::text, 'labelled', labelled::text, 'tp', tp::text, 'fp', (labelled - tp)::text, 'precision', (tp::float8 / nullif(labelled, 0))::text,
		'lower', pg_temp.wilson(tp, labelled, -1)::text, 'upper', pg_temp.wilson(tp, labelled, 1)::text,
		'recall', (tp::float8 / nullif((SELECT count(*) FROM j, stood s WHERE j.malicious = (k.claim = 'malicious') AND s.name = k.name AND s.mode IS NOT DISTINCT FROM k.mode
			AND j.revision >= s.from_revision AND (s.until_revision IS NULL OR j.revision < s.until_revision)), 0))::text,
		'sole', sole::text, 'sole_right', sole_right::text, 'sole_wrong', sole_wrong::text, 'overlap', overlap::text) FROM k;
	-- pairs, of the sixteen with most hits
	CREATE TEMP TABLE p AS SELECT DISTINCT id, CASE WHEN mode = 'shadow' THEN 'shadow:' ELSE '' END || name AS name FROM h WHERE hit AND kind IN ('rule', 'model');
	CREATE TEMP TABLE q AS SELECT a.name AS a, b.name AS b, count(*) AS both FROM p a JOIN p b USING (id) WHERE a.name <> b.name GROUP BY 1, 2;
	CREATE TEMP TABLE m AS SELECT p.name, count(*) AS hits, row_number() OVER (ORDER BY count(*) DESC, p.name COLLATE "C") AS n FROM p WHERE EXISTS (SELECT FROM q WHERE q.a = p.name) GROUP BY 1;
	SELECT pg_temp.out('overlap-table|' || name, 'hits', hits::text) FROM m WHERE n <= 16;
	SELECT pg_temp.out('overlap-table|' || a.name || '+' || b.name, 'both', coalesce(q.both, 0)::text, 'jaccard', (coalesce(q.both, 0)::float8 / (a.hits + b.hits - coalesce(q.both, 0)))::text)
		FROM m a JOIN m b ON a.name <> b.name LEFT JOIN q ON q.a = a.name AND q.b = b.name WHERE a.n <= 16 AND b.n <= 16;
	-- faults
	SELECT pg_temp.out(format('fault-table|%s %s', detector, sqlstate), 'faults', count(*)::text) FROM assay.fault WHERE policy = '$policy' GROUP BY detector, sqlstate, message;
	-- the latest with the worst verdict, and their ledgers
	CREATE TEMP TABLE n AS SELECT row_number() OVER (ORDER BY decided_at DESC, id DESC) AS n, d.* FROM d WHERE verdict = (SELECT name FROM v ORDER BY level DESC LIMIT 1) ORDER BY decided_at DESC, id DESC LIMIT 20;
	SELECT pg_temp.out('latest-table|' || id, 'score', (score::float8)::text, 'margin', margin::text) FROM n;
	WITH o AS (SELECT n.n, x.*, row_number() OVER w AS step, sum(x.contribution) OVER w AS margin FROM n, assay.ledger(n.attribution) x WHERE x.counted
			WINDOW w AS (PARTITION BY n.n ORDER BY x.kind <> 'prior', x.kind = 'exclusion', abs(x.contribution) DESC, x.entry))
	SELECT pg_temp.out(format('ledger-%s|%s', n, detector), 'contribution', contribution::text, 'margin', margin::text) FROM o WHERE step <= 13
	UNION ALL SELECT pg_temp.out(format('ledger-%s|%s more', n, count(*)), 'contribution', sum(contribution)::text, 'margin', (array_agg(margin ORDER BY step DESC))[1]::text) FROM o WHERE step > 13 GROUP BY n;
	SELECT pg_temp.out('ledger-' || n || '|total', 'total', margin::text) FROM n;
	});
	my %figures;
	foreach my $line (split /\n/, $out)
	{
		$figures{"$1|$2"} = $3 if $line =~ /^(.+)\|(\w+)\|([^|]*)$/;
	}
	return \%figures;
}

# What differs, of figures that either has: of the tables that are given
sub compare_figures
{
	my ($page, $plain, $tables) = @_;
	my @differ;
	my %all = map { $_ => 1 } grep { /^$tables\|/ } keys %$page, keys %$plain;

	foreach my $key (sort keys %all)
	{
		my ($a, $b) = ($page->{$key}, $plain->{$key});
		next if defined $a && defined $b && ($a eq $b || ($a ne '' && $b ne '' && abs($a - $b) <= 1e-9 * (1 + abs($b))));
		push @differ, sprintf('%s: page %s, plain SQL %s', $key, $a // 'nothing', $b // 'nothing');
	}
	return (scalar(keys %all), @differ);
}

# The browser, or nothing
sub chromium
{
	foreach my $name (qw(chromium chromium-browser google-chrome))
	{
		foreach my $dir (split /:/, $ENV{PATH}) { return "$dir/$name" if -x "$dir/$name"; }
	}
	return;
}

# A page as the browser has it after its scripts ran; more arguments, as for a screenshot
sub dom_of
{
	my ($file, $home, @more) = @_;
	my ($out, $err);
	local $ENV{HOME} = $home;

	@more = ('--dump-dom') if !@more;
	IPC::Run::run([ chromium(), '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', '--no-first-run',
		"--user-data-dir=$home/profile", @more, "file://$file" ], '>', \$out, '2>', \$err, IPC::Run::timeout(120));
	return $out;
}

1;
