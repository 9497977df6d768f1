# The page of assay.report_html(): its figures against plain SQL over the stored
# rows, as a browser shows them; markup of others does nothing in it; it works in
# light and dark, with a mouse and without; it stays below a megabyte.
#
# With Chromium on the path (Debian: chromium) the page is opened in it, and
# screenshots are left beside the test's data, under build/.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use ReportFigures;

my $node = PostgreSQL::Test::Cluster->new('page');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\njit = off\n");
$node->start;
my $shots = $ENV{TESTDIR} // $node->basedir;
my $browser = chromium();

sub sql { return $node->safe_psql('postgres', shift); }
sub page_file
{
	my ($name, $page) = @_;
	my $file = $node->basedir . "/$name.html";
	open(my $f, '>', $file) or die "$file: $!";
	print $f $page;
	close $f;
	return $file;
}

sql(q{
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id bigint PRIMARY KEY, received_at timestamptz NOT NULL, from_name text, from_domain text, subject text, links int, n int);
	CREATE VIEW signals AS SELECT *, n % 10 AS digit FROM message;
	SELECT assay.create_policy('inbound', 'signals', '{id}', prior => -3, thresholds => '{"suspicious": 0.5, "malicious": 0.9}');
});

# ---- a policy without anything ----------------------------------------------

my $page = sql("SELECT assay.report_html('inbound')");
like($page, qr/^<!DOCTYPE html>.*<\/html>$/s, 'a page without a decision');
unlike($page, qr/class="failed"/, 'all parts are made');
like($page, qr/There is no decision of that time/, 'it says so');
is($node->psql('postgres', "SELECT assay.report_html('none')"), 3, 'no such policy');
is($node->psql('postgres', "SELECT assay.report_html('inbound', NULL)"), 3, 'no null time');
is($node->psql('postgres', "SELECT assay.report_html('inbound', '2024-01-01', '2023-01-01')"), 3, 'no time that ends before it begins');
is(sql("SELECT count(assay.report_html('inbound', '2023-01-01', '2023-01-01', NULL))"), 1, 'a time of nothing, no columns');

# ---- figures ----------------------------------------------------------------

sql(q{
	SELECT assay.create_detector('inbound', 'money', 'subject ~ ''money''', weight => 3.5, mode => 'live', description => 'asks for money', tags => '{text}');
	SELECT assay.create_detector('inbound', 'links', 'links > 5', weight => 2.25, mode => 'live');
	SELECT assay.create_detector('inbound', 'known', 'from_domain = ''d1.example''', weight => -2, mode => 'live');
	SELECT assay.create_detector('inbound', 'linear', model => assay.model_from_linear('{links,digit}', '{0.1,0.3}', -1.5, 'logistic'), mode => 'live');
	SELECT assay.create_detector('inbound', 'odd', 'digit % 2 = 1', weight => 2);
	SELECT assay.create_detector('inbound', 'divides', '10 / (n - 77) > 4', weight => 1.5, mode => 'live');
	SELECT assay.exclude('inbound', 'partner', 'from_domain = ''d2.example'' AND digit < 5', mutes => '{money}', reason => 'test');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound');
	INSERT INTO message SELECT i, timestamptz '2024-05-01 00:00Z' + i * interval '31 min', 'Somebody ' || i, 'd' || i % 7 || '.example',
		CASE WHEN i % 9 IN (0, 4) THEN 'send money' ELSE 'lunch' END, (i * 13) % 11, i % 100 FROM generate_series(1, 2000) i;
	SELECT assay.alter_detector('inbound', 'links', weight => 2.5);
	SELECT assay.promote('inbound', 'odd');
	INSERT INTO message SELECT i, timestamptz '2024-06-15 00:00Z' + i * interval '1 min', 'Somebody ' || i, 'd' || i % 7 || '.example',
		CASE WHEN i % 9 IN (0, 4) THEN 'send money' ELSE 'lunch' END, (i * 13) % 11, i % 100 FROM generate_series(2001, 2500) i;
	UPDATE inbound_decision d SET decided_at = received_at FROM message m WHERE m.id = d.id;
	-- some are decided again
	INSERT INTO message SELECT i, timestamptz '2024-06-17 00:00Z', 'again', 'd3.example', 'send money', 9, 18 FROM generate_series(3001, 3010) i;
	INSERT INTO inbound_label (id, malicious, source) SELECT id, n % 9 IN (0, 4) AND links > 2 OR n % 37 = 0, 'test' FROM message WHERE id % 3 > 0;
	INSERT INTO inbound_label (id, malicious, source, labelled_at) SELECT id, NOT malicious, 'older', labelled_at - interval '1 day' FROM inbound_label WHERE id % 5 = 0;
	SELECT assay.review_sample('inbound', 300, 'score');
	SELECT assay.label_review('inbound', r.review, m.subject = 'send money' AND m.links > 2) FROM assay.take_review('inbound', 200) r JOIN message m ON m.id = r.key[1]::bigint;
});
$page = sql("SELECT assay.report_html('inbound', columns => '{from_name,subject}')");
unlike($page, qr/class="failed"/, 'all parts are made');
my $file = page_file('page', $page);
my $plain = plain_figures(\&sql, 'inbound');
my $tables = '(?:tile|verdict-table|detector-table|thresholds|curve|calibration-table|days-table|hours-table|overlap-table|fault-table|latest-table|ledger-\d+)';
# tags have a row by their own name
my %figures = %{ page_figures($page) };
my %tags = map { $_ => delete $figures{$_} } grep { m{^detector-table\|[^|]*/tag/} } keys %figures;
my ($compared, @differ) = compare_figures(\%figures, $plain, $tables);
cmp_ok($compared, '>', 700, "$compared figures of the page");
is(join("\n", @differ), '', 'they are those of plain SQL');
is($tags{'detector-table|text/tag/live/malicious|hits'}, sql(q{SELECT count(*) FROM inbound_decision d WHERE assay.hits(attribution) @> '{money}' AND
	NOT EXISTS (SELECT FROM inbound_decision n WHERE n.id = d.id AND n.revision > d.revision)}), 'hits by tag');
# the test can tell: one hit more
$figures{'verdict-table|malicious|hits'}++;
is(scalar(@{ [ compare_figures(\%figures, $plain, $tables) ] }), 2, 'a wrong figure is seen');

# all mail: prevalence is the sum over strata
my $prevalence = sql(q{WITH s AS (SELECT stratum, min(population) AS population, count(*) FILTER (WHERE outcome = 'labelled') AS n,
		count(*) FILTER (WHERE outcome = 'labelled' AND (SELECT malicious FROM inbound_label l WHERE l.id = r.id ORDER BY labelled_at DESC LIMIT 1)) AS k FROM inbound_review r GROUP BY 1)
	SELECT CASE WHEN bool_and(n > 0) THEN sum(population * k::float8 / n) / sum(population) END FROM s});
cmp_ok(abs($figures{'review-table|prevalence |estimate'} - $prevalence), '<', 1e-9, 'prevalence by the review');

# a time: nothing of outside
$page = sql("SELECT assay.report_html('inbound', '2024-05-10', '2024-05-20')");
is(page_figures($page)->{'tile|decisions|v'}, sql(q{SELECT count(*) FROM inbound_decision WHERE decided_at >= '2024-05-10' AND decided_at < '2024-05-20'}), 'decisions of a time');

# by the rollup the same, where nothing was decided twice in different hours
sql("SELECT assay.refresh_rollup('inbound')");
$page = sql("SELECT assay.report_html('inbound')");
like($page, qr/From the counts by hour/, 'rollup');
(undef, @differ) = compare_figures(page_figures($page), $plain, '(?:days-table|hours-table)');
is(join("\n", @differ), '', 'the same figures');

# ---- whose ------------------------------------------------------------------

sql(q{CREATE ROLE reader; CREATE ROLE stranger; SELECT assay.grant_access('inbound', 'reader', 'reader')});
$page = sql("SET ROLE reader; SELECT assay.report_html('inbound')");
is(page_figures($page)->{'tile|decisions|v'}, 2510, 'a reader reads');
like(sql("SET ROLE reader; SELECT assay.report_html('inbound', columns => '{subject}')"), qr/This part could not be made: permission denied/, '... not what the view says');
is($node->psql('postgres', "SET ROLE stranger; SELECT assay.report_html('inbound')"), 3, 'a stranger does not');
sql(q{ALTER TABLE inbound_decision ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON inbound_decision TO reader USING (id <= 100)});
is(page_figures(sql("SET ROLE reader; SELECT assay.report_html('inbound')"))->{'tile|decisions|v'}, 100, '... as much as row-level security lets him');
unlike(sql("SET ROLE reader; SELECT assay.report_html('inbound')"), qr/From the counts by hour/, '... nor counts of all');
sql(q{ALTER TABLE inbound_decision DISABLE ROW LEVEL SECURITY});
# what hangs on the tables of another runs in his name, not the superuser's
sql(q{
	CREATE ROLE owner; GRANT CREATE ON SCHEMA public TO owner;
	SET ROLE owner;
	CREATE TABLE his (id int PRIMARY KEY, received_at timestamptz DEFAULT now(), x int);
	CREATE VIEW his_signals AS SELECT id, received_at, x FROM his;
	SELECT assay.create_policy('his', 'his_signals', '{id}', prior => 5);
	CREATE TABLE asked (who text);
	CREATE FUNCTION spy(x int) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_user || ' ' || x; END $$;
	CREATE VIEW looks AS SELECT id, spy(x) AS x FROM his;
	INSERT INTO his VALUES (1, now(), 7);
	INSERT INTO his_decision (id, revision, verdict, score, attribution) SELECT 1, 1, verdict, score, attribution FROM his_signals s, assay.score('his', s);
	RESET ROLE;
});
like(sql("SELECT assay.report_html('his', columns => '{x}', messages => 'looks')"), qr/<dd><bdi>owner 7<\/bdi>/, 'a view of the owner runs as the owner');
like(sql("SELECT assay.report_html('his', columns => '{subject}', messages => 'message')"), qr/could not be made: relation public\.message does not belong to the owner/, 'no other relation');
like(sql("SELECT assay.report_html('his', columns => '{none}')"), qr/could not be made: .*has no column/, 'no such column');
like(sql("SELECT assay.report_html('his', columns => '{x}', messages => 1)"), qr/could not be made: relation with OID 1 does not exist/, 'no such relation');

# ---- markup of others -------------------------------------------------------

# Each would leave a mark on the document if it ran.
my $mark = 'document.documentElement.dataset.ran=1';
my @payloads = (
	"<script>$mark</script>", "</title><script>$mark</script>", "</style><script>$mark</script>", "</script><script>$mark</script>", "\"><script>$mark</script>",
	"'><script>$mark</script>", "--><script>$mark</script>", "]]><script>$mark</script>", "</textarea><script>$mark</script>", "</svg><script>$mark</script>",
	"</bdi></th></tr></table><script>$mark</script>", "<img src=x onerror=$mark>", "<img src=x onerror=\"$mark\">", "\"><img src=x onerror=$mark>", "'><img src=x onerror=$mark>",
	"<svg onload=$mark>", "<svg/onload=$mark>", "<svg><script>$mark</script></svg>", "<svg><animate onbegin=$mark attributeName=x dur=1s>", "<body onload=$mark>",
	"<input autofocus onfocus=$mark>", "<details open ontoggle=$mark>", "<video><source onerror=$mark></video>", "<audio src=x onerror=$mark>", "<iframe srcdoc='<script>parent.$mark</script>'></iframe>",
	"<iframe src=javascript:parent.$mark></iframe>", "<object data=javascript:$mark>", "<embed src=javascript:$mark>", "<a href=javascript:$mark autofocus>x</a>", "<math><mtext><img src=x onerror=$mark></mtext></math>",
	"\" autofocus onfocus=\"$mark\" x=\"", "' autofocus onfocus='$mark' x='", "\" onmouseover=\"$mark", "\" style=\"animation-name:x\" onanimationstart=\"$mark", "` onerror=`$mark",
	"<style>\@import 'x';</style><img src=x onerror=$mark>", "<link rel=stylesheet href=x onerror=$mark>", "<meta http-equiv=refresh content='0;url=javascript:$mark'>", "<base href=//x.invalid/>", "<form action=javascript:$mark><input type=submit autofocus>",
	"&lt;script&gt;$mark&lt;/script&gt;", "&#60;img src=x onerror=$mark&#62;", "<scr\x01ipt>$mark</script>", "<ScRiPt>$mark</sCrIpT>", "<script\n>$mark</script\n>",
	"<script src=data:text/javascript,$mark></script>", "<noscript><p title='</noscript><img src=x onerror=$mark>'>", "<!--<img src=--><img src=x onerror=$mark>//", "%3Cscript%3E$mark%3C/script%3E", "\x{e2}\x{80}\x{ae}<xmp><script>$mark</script>\\",
);
is(scalar @payloads, 50, 'fifty payloads');
my $quoted = join ",\n", map { my $i = $_; "($i, " . ('$p$' . $payloads[$i] . '$p$') . ')' } 0 .. $#payloads;
sql(qq{
	CREATE TABLE payload (n int, p text); INSERT INTO payload VALUES $quoted;
	CREATE TABLE mail (id text PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now(), subject text, sender text);
	CREATE VIEW mail_signals AS SELECT id, received_at, subject, sender, length(subject) AS n FROM mail;
	SELECT assay.create_policy('<b onclick=x>"''&', 'mail_signals', '{id}', prior => 4, default_verdict => (SELECT 'd' || p FROM payload WHERE n = 0),
		thresholds => (SELECT jsonb_object_agg('v' || p, 0.1 + n * 0.01) FROM payload WHERE n < 5));
	SELECT assay.create_detector('<b onclick=x>"''&', p, 'subject IS NOT NULL AND sender IS NOT NULL', weight => 0.5 + n * 0.001, mode => CASE WHEN n % 7 = 0 THEN 'shadow' ELSE 'live' END, description => 'i' || p, tags => ARRAY['t' || p])
		FROM payload ORDER BY n;
	SELECT assay.create_detector('<b onclick=x>"''&', 'fails' || p, '1 / (n - n) > 0', mode => 'live') FROM payload WHERE n < 3;
	SELECT assay.exclude('<b onclick=x>"''&', 'x' || p, 'n > 0', mutes => ARRAY[p], reason => p) FROM payload WHERE n = 1;
	CREATE TRIGGER decide AFTER INSERT ON mail REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('<b onclick=x>"''&');
	INSERT INTO mail (id, subject, sender) SELECT 'k' || p, 's' || p, p FROM payload;
	INSERT INTO "<b onclick=x>""'&_label" (id, malicious, source) SELECT id, true, subject FROM mail;
	SELECT assay.alter_policy('<b onclick=x>"''&', on_error => 'degrade');
});
$page = sql(q{SELECT assay.report_html('<b onclick=x>"''&', columns => '{subject,sender}')});
unlike($page, qr/class="failed"/, 'all parts are made');
cmp_ok(length($page), '<', 1_000_000, 'below a megabyte');

# no tag nor attribute but ours; the style and the script are ours to the letter
my $rest = $page;
my ($style, $script) = map { sql("SELECT assay_internal.html_$_()") } qw(style script);
$rest =~ s/<style>\Q$style\E<\/style>// or fail('style');
$rest =~ s/<script>\Q$script\E<\/script>// or fail('script');
my %attributes;
my %tags_seen;
my $text = $rest =~ s/<(\/?)(!DOCTYPE html|[a-z0-9]+)((?: [a-z0-9:-]+(?:="[^"<>]*")?)*)\/?>/
	$tags_seen{$2}++; $attributes{$_}++ for ($3 =~ m{ ([a-z0-9:-]+)(?:="[^"]*")?}gi); ''/gier;
is(join(' ', $text =~ /(.{0,20}[<>"'].{0,20})/g), '', 'nothing of markup is left in text');
is(join(' ', grep { !/^(?:!DOCTYPE html|html|head|meta|title|style|body|header|h[123]|p|time|bdi|nav|ul|li|a|main|section|dl|div|dt|dd|small|table|caption|thead|tbody|tr|th|td|svg|path|rect|circle|text|desc|figure|figcaption|details|summary|label|input|output|article|button|code|span|footer)$/i } sort keys %tags_seen),
	'', 'no tag of others');
is(join(' ', grep { !/^(?:lang|charset|name|content|http-equiv|class|href|id|data-\w+|aria-\w+|role|tabindex|scope|type|autocomplete|datetime|style|title|viewBox|d|x|y|dx|dy|cx|cy|r|rx|width|height|transform|text-anchor|preserveAspectRatio)$/ } sort keys %attributes),
	'', 'no attribute of others');
is(sql(q{SELECT count(*) FROM payload, (SELECT assay.report_html('<b onclick=x>"''&') AS page) x WHERE position(assay_internal.html(left(p, 60)) IN page) > 0}), 50, 'all are there, as text');
my $hostile = page_file('hostile', $page);
# the page's own policy would keep scripts from running: the escaping has to do it alone, too
my $bare = page_file('bare', $page =~ s/<meta http-equiv="Content-Security-Policy"[^>]*>//r);
my $open = page_file('open', '<!DOCTYPE html><html><body>' . join('', map { "<div>$_</div>" } grep { !/base href|http-equiv|<!--|<xmp|noscript|textarea/ } @payloads) . '</body></html>');

# ---- size -------------------------------------------------------------------

sql(q{
	CREATE TABLE large (id bigint PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now(), n int);
	CREATE VIEW large_signals AS SELECT id, received_at, n FROM large;
	SELECT assay.create_policy('large', 'large_signals', '{id}', prior => 1, thresholds => (SELECT jsonb_object_agg(repeat('"', 190) || i, i / 100.0) FROM generate_series(1, 40) i));
	SELECT assay.policy_import(jsonb_set(assay.policy_export('large'), '{detectors}', (SELECT jsonb_agg(jsonb_build_object('name', repeat('''&', 95) || i, 'condition', format('n > %s', -i), 'weight', 0.01, 'mode', 'live',
		'description', repeat('<', 300))) FROM generate_series(1, 300) i)), dry_run => false);
	CREATE TRIGGER decide AFTER INSERT ON large REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('large');
	INSERT INTO large SELECT i, now(), i FROM generate_series(1, 400) i;
	UPDATE large_decision SET decided_at = timestamptz '2024-01-01Z' + id * interval '1 hour';
	INSERT INTO large_label (id, malicious, source) SELECT i, i % 2 = 0, 'test' FROM generate_series(1, 400) i;
});
$page = sql("SELECT assay.report_html('large')");
cmp_ok(length($page), '<', 1_000_000, 'much of everything: ' . length($page) . ' bytes');
cmp_ok(length($page), '>', 100_000, '... though it shows something');
like($page, qr/Only 150 of 300 rows are shown/, 'it says what it leaves out');

# ---- in the browser ---------------------------------------------------------

SKIP:
{
	skip 'no chromium', 1 if !$browser;
	my $home = $node->basedir . '/browser';
	mkdir $home;

	my $dom = dom_of($file, $home);
	if ($dom !~ /<\/html>/)
	{
		skip 'chromium does not start here', 1;
	}
	my %in_browser = %{ page_figures($dom) };
	delete @in_browser{ grep { m{^detector-table\|[^|]*/tag/} } keys %in_browser };
	($compared, @differ) = compare_figures(\%in_browser, $plain, $tables);
	cmp_ok($compared, '>', 700, "$compared figures in the browser");
	is(join("\n", @differ), '', 'they are those of plain SQL');
	like($dom, qr/<output data-count="detector-table">9 of 9<\/output>/, 'the page\'s own script runs');

	unlike(dom_of($_, $home), qr/<html[^>]* data-ran/, 'no script of others runs') foreach $hostile, $bare;
	like(dom_of($open, $home), qr/<html[^>]* data-ran/, '... which would, not escaped');

	# sort by precision, worst and best first; filter; what the keyboard reaches
	my $tries = slurp_file($file) =~ s/<meta http-equiv="Content-Security-Policy"[^>]*>//r;
	$tries .= q{<script>
		const t = document.getElementById("detector-table"), say = (k, v) => document.documentElement.setAttribute("data-" + k, v);
		const names = () => [...t.tBodies[0].rows].filter(r => !r.hidden).map(r => r.dataset.name).join(" ");
		const heads = [...t.tHead.rows[0].cells], at = heads.findIndex(h => h.textContent === "precision");
		const values = () => [...t.tBodies[0].rows].map(r => r.cells[at].dataset.v).join(" ");
		heads[at].firstElementChild.click(); say("down", values()); say("sorted", heads[at].getAttribute("aria-sort"));
		heads[at].firstElementChild.click(); say("up", values());
		heads[0].firstElementChild.click(); say("names", names());
		const f = document.querySelector("input[data-filter=detector-table]"); f.value = "SHADOW"; f.dispatchEvent(new Event("input")); say("found", names());
		say("named", [...document.querySelectorAll("svg")].every(s => s.getAttribute("aria-hidden") || s.querySelector("title")));
		say("heads", [...document.querySelectorAll("table")].every(x => x.caption && x.tHead.querySelector("th[scope=col]")));
		say("ids", new Set([...document.querySelectorAll("[id]")].map(e => e.id)).size === document.querySelectorAll("[id]").length);
		say("links", [...document.querySelectorAll("a")].every(a => document.querySelector(a.getAttribute("href"))));
		say("keys", [...document.querySelectorAll("button,input,a,summary,.scroll")].every(e => e.tabIndex === 0));
		say("wide", document.documentElement.scrollWidth <= innerWidth);
		const lum = c => { const [r, g, b] = c.match(/[\d.]+/g).map(Number).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
		const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\)$|transparent|rgba/.test(c)) return c; } return "rgb(255, 255, 255)"; };
		let least = 99, who = "";
		for (const e of document.querySelectorAll("p,td,th,a,dt,dd,h1,h2,h3,caption,summary,small,li,label,footer,.warning,.error")) {
			const s = getComputedStyle(e), a = lum(s.color), b = lum(back(e)), c = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
			if (c < least) { least = c; who = e.tagName; }
		}
		say("contrast", least.toFixed(2) + " " + who);
	</script>};
	$tries = page_file('tries', $tries);
	foreach my $mode ([ 'light', '--window-size=1280,900' ], [ 'dark', '--window-size=1280,900', '--blink-settings=preferredColorScheme=0' ], [ 'phone', '--window-size=500,900' ])
	{
		my ($name, @flags) = @$mode;
		my ($html) = dom_of($tries, $home, '--dump-dom', @flags) =~ /<html([^>]*)>/;
		my %said = $html =~ /data-(\w+)="([^"]*)"/g;
		my @down = split / /, $said{down};
		is("@down", join(' ', sort { $b <=> $a } @down), "$name: sorted by precision, the best first");
		is($said{up}, join(' ', reverse sort { $b <=> $a } @down), "$name: ... and the worst");
		is($said{sorted}, 'descending', "$name: ... and says so");
		is($said{names}, join(' ', sort split / /, $said{names}), "$name: sorted by name");
		is($said{found}, 'odd', "$name: filtered");
		is($said{$_}, 'true', "$name: $_") foreach qw(named heads ids links keys wide);
		my ($contrast) = $said{contrast} =~ /^([\d.]+)/;
		cmp_ok($contrast, '>=', 4.5, "$name: contrast $said{contrast}");
	}
	dom_of($file, $home, "--screenshot=$shots/report-desktop.png", '--window-size=1280,4000');
	dom_of($file, $home, "--screenshot=$shots/report-phone.png", '--window-size=500,4000');
	dom_of($file, $home, "--screenshot=$shots/report-dark.png", '--window-size=1280,4000', '--blink-settings=preferredColorScheme=0');
	foreach my $shot (qw(desktop phone dark))
	{
		cmp_ok(-s "$shots/report-$shot.png" // 0, '>', 20_000, "screenshot: $shot");
	}
}

$node->stop;
done_testing();
