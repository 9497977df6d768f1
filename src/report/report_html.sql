-- ---------------------------------------------------------------------------
-- report: a page to look at; the parts of HTML that it is made of
--
-- Text from outside (names, values of messages, error messages) comes into the
-- page by html() alone, which escapes and cuts it.  All else is written here,
-- in ASCII, so that the page is the same in any server encoding.
-- ---------------------------------------------------------------------------

-- private type and functions

CREATE TYPE assay_internal.precision_row AS (
	kind text, name text, mode text, claim text, hits bigint, labelled bigint, tp bigint, fp bigint,
	"precision" float8, lower float8, upper float8, recall float8, fnr float8,
	sole bigint, sole_right bigint, sole_wrong bigint, overlap bigint, evaluated bigint, segment text
);
COMMENT ON TYPE assay_internal.precision_row IS 'row of precision_report()';

CREATE FUNCTION assay_internal.html(t text, most int DEFAULT 80) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	-- & first; controls can neither be seen nor stand in HTML
	SELECT coalesce(regexp_replace(replace(replace(replace(replace(replace(left(t, most), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&#34;'), '''', '&#39;'),
		'[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]', '&#xfffd;', 'g') || CASE WHEN length(t) > most THEN '&hellip;' ELSE '' END, '')
$$;
COMMENT ON FUNCTION assay_internal.html(text, int) IS 'text as HTML shows it, in an element or between quotes; cut at so many characters; nothing of NULL';

CREATE FUNCTION assay_internal.html_name(t text, most int DEFAULT 80) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	-- text that runs from right to left turns nothing round it
	SELECT '<bdi>' || assay_internal.html(t, most) || '</bdi>'
$$;
COMMENT ON FUNCTION assay_internal.html_name(text, int) IS 'the same, by itself whatever way it runs';

CREATE FUNCTION assay_internal.html_number(v float8, digits int) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(replace(CASE WHEN abs(v) >= 1e15 THEN v::text WHEN digits = 0 THEN trim(to_char(v, '999G999G999G999G990')) ELSE round(v::numeric, digits)::text END, '-', '&minus;'), '&ndash;')
$$;
COMMENT ON FUNCTION assay_internal.html_number(float8, int) IS 'a number to so many digits; a dash for NULL';

CREATE FUNCTION assay_internal.html_figure(name text, v float8, digits int) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<td class="n" data-c="%s" data-v="%s">%s</td>', name, coalesce(v::text, ''), assay_internal.html_number(v, digits))
$$;
COMMENT ON FUNCTION assay_internal.html_figure(text, float8, int) IS 'a cell with a figure: rounded to look at, whole as data-v; the name is ours';

CREATE FUNCTION assay_internal.html_time(t timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(CASE WHEN isfinite(t) THEN format('<time datetime="%s">%s</time>', to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')) END, '&ndash;')
$$;
COMMENT ON FUNCTION assay_internal.html_time(timestamptz) IS 'a time in UTC';

-- A rate with its interval: the figure, and a bar from 0 to 1
CREATE FUNCTION assay_internal.html_rate(name text, v float8, lower float8, upper float8) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.html_figure(name, v, 3)
		|| format('<td class="i" data-lower="%s" data-upper="%s" data-v="%s">', coalesce(lower::text, ''), coalesce(upper::text, ''), coalesce(v::text, ''))
		|| CASE WHEN lower IS NULL OR upper IS NULL THEN '&ndash;' ELSE format(
			'<svg class="rate" viewBox="0 0 100 12" role="img" aria-label="from %1$s to %2$s"><title>from %1$s to %2$s</title><path class="axis" d="M0 6H100"/><rect class="span" x="%3$s" y="3" width="%4$s" height="6" rx="2"/>%5$s</svg>',
			round(lower::numeric, 3), round(upper::numeric, 3), round(100 * lower::numeric, 1), round(greatest(100 * (upper - lower), 1)::numeric, 1),
			CASE WHEN v IS NOT NULL THEN format('<circle class="dot" cx="%s" cy="6" r="3"/>', round((3 + 94 * v)::numeric, 1)) ELSE '' END) END
		|| '</td>'
$$;
COMMENT ON FUNCTION assay_internal.html_rate(text, float8, float8, float8) IS 'two cells: a rate, and its interval drawn';

-- Columns: titles of ours, those that begin with "#" of numbers, in a table with an id of ours
CREATE FUNCTION assay_internal.html_table(id text, caption text, columns text[], rows text, sortable boolean DEFAULT false) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN sortable THEN format('<p class="tools"><label>Filter <input type="search" data-filter="%s" autocomplete="off"></label> <output data-count="%1$s"></output></p>', id) ELSE '' END
		|| format('<div class="scroll" tabindex="0" role="region" aria-label="%s"><table id="%s"%s><caption>%1$s</caption><thead><tr>', caption, id, CASE WHEN sortable THEN ' class="sortable"' ELSE '' END)
		|| (SELECT string_agg(format(CASE WHEN sortable THEN '<th scope="col"%s aria-sort="none"><button type="button">%s</button></th>' ELSE '<th scope="col"%s>%s</th>' END,
			CASE WHEN c.title LIKE '#%' THEN ' class="n"' ELSE '' END, ltrim(c.title, '#')), '' ORDER BY c.n) FROM unnest(columns) WITH ORDINALITY c(title, n))
		|| '</tr></thead><tbody>' || coalesce(rows, '') || '</tbody></table></div>'
$$;
COMMENT ON FUNCTION assay_internal.html_table(text, text, text[], text, boolean) IS 'a table with a caption and heads';

CREATE FUNCTION assay_internal.html_more(what text, shown bigint, of bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN of > shown THEN format('<p class="note">Only %s of %s %s are shown.</p>', shown, of, what) ELSE '' END
$$;
COMMENT ON FUNCTION assay_internal.html_more(text, bigint, bigint) IS 'what the page leaves out';

-- style and script: the only ones of the page, by whose hash its policy allows the script

CREATE FUNCTION assay_internal.html_style() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT $css$
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#566173;--line:#d8dde5;--grid:#e8ebf0;--accent:#1f5fbf;--band:#1f5fbf2b;
--v0:#7fa7c9;--v1:#d9a520;--v2:#e07b2f;--v3:#c2313d;--plus:#c2313d;--minus:#2b7a4b;--heat:194,49,61;--warn:#8a5200;--bad:#a81e2b}
@media (prefers-color-scheme:dark){:root{--bg:#11151c;--card:#1a202a;--ink:#e6eaf1;--soft:#a3aebf;--line:#343d4c;--grid:#29313e;--accent:#7db0ff;--band:#7db0ff30;
--v0:#4f7ea6;--v1:#d9ad3c;--v2:#ec9350;--v3:#f0707a;--plus:#f0707a;--minus:#5fc08a;--heat:240,112,122;--warn:#f0b561;--bad:#ff8f98}}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:var(--card);padding:.5rem 1rem;z-index:9}
header,main,footer{max-width:76rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.75rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .25rem;overflow-wrap:anywhere}h2{font-size:1.2rem;margin:0 0 .75rem}h3{font-size:1rem;margin:0 0 .4rem;overflow-wrap:anywhere}
p{margin:.4rem 0}.note,.meta,caption,footer{color:var(--soft)}.note{font-size:.88rem}.meta{overflow-wrap:anywhere}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
nav{position:sticky;top:0;background:var(--bg);border-bottom:1px solid var(--line);margin:1rem 0;z-index:3}
nav ul{display:flex;gap:.2rem 1rem;overflow-x:auto;list-style:none;margin:0 auto;padding:.55rem 1.25rem;max-width:76rem;white-space:nowrap}
nav a{text-decoration:none;font-size:.92rem}nav a:hover{text-decoration:underline}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.1rem 1.25rem;margin:0 0 1.1rem;scroll-margin-top:3.2rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.2rem,1fr));gap:.75rem;margin:0 0 1.1rem;padding:0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.7rem .9rem;min-width:0}
.tiles dt{color:var(--soft);font-size:.82rem;overflow-wrap:anywhere}.tiles dd{margin:0;font-size:1.4rem;font-weight:650;font-variant-numeric:tabular-nums}
.tiles small{display:block;font-size:.75rem;font-weight:400;color:var(--soft)}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr));gap:1.5rem}
figure{margin:0;min-width:0}section>figure+figure{margin-top:1.2rem}figcaption{font-weight:600;margin-bottom:.3rem}
svg.chart{display:block;width:100%;height:auto;max-height:24rem}
svg text{fill:var(--soft);font-size:11px;font-family:inherit}
.grid{stroke:var(--grid);fill:none}.axis{stroke:var(--line);fill:none}.curve{stroke:var(--accent);fill:none;stroke-width:2}.band{fill:var(--band)}
.whisker{stroke:var(--accent);stroke-width:1.5}.ideal{stroke:var(--soft);stroke-dasharray:4 4;fill:none}.dot{fill:var(--accent)}.span{fill:var(--accent);opacity:.4}.mark{fill:var(--card);stroke:var(--ink);stroke-width:2}
.v0{fill:var(--v0)}.v1{fill:var(--v1)}.v2{fill:var(--v2)}.v3{fill:var(--v3)}
.key{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;padding:0;margin:.3rem 0;font-size:.88rem}.key svg{width:.8em;height:.8em;margin-right:.35em}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;font-size:.86rem;padding:0 0 .3rem}
th,td{padding:.32rem .5rem;text-align:left;border-bottom:1px solid var(--grid);vertical-align:top}thead th{color:var(--soft);font-weight:600;border-color:var(--line);vertical-align:bottom}
tbody th{font-weight:600;overflow-wrap:anywhere;min-width:12rem;max-width:20rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.i{min-width:5rem}svg.rate{width:76px;height:12px;vertical-align:middle}
th button{all:unset;cursor:pointer;display:inline-block}th button:focus-visible{outline:2px solid var(--accent)}th button:hover{color:var(--accent)}
th[aria-sort=ascending] button::after{content:" \2191"}th[aria-sort=descending] button::after{content:" \2193"}
.tools{display:flex;gap:1rem;align-items:center;font-size:.9rem}input{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--soft);border-radius:6px;padding:.25rem .5rem;max-width:60vw}
.matrix{width:auto}.matrix td{text-align:right;font-variant-numeric:tabular-nums;background:rgba(var(--heat),calc(var(--a)*.45));min-width:2.6rem}.matrix thead th{font-size:.82rem}.matrix thead bdi{display:inline-block;writing-mode:vertical-rl;transform:rotate(180deg);max-height:12rem;overflow-wrap:anywhere}
.error,.failed{color:var(--bad);font-weight:600}.warning{color:var(--warn);font-weight:600}
details{margin-top:.6rem}summary{cursor:pointer;color:var(--accent)}
article{border-top:1px solid var(--line);padding:1rem 0 .3rem;scroll-margin-top:3.2rem}article:target{box-shadow:-1.25rem 0 0 -1rem var(--accent)}
article dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.3rem 0;font-size:.9rem}article dt{color:var(--soft)}article dd{margin:0;overflow-wrap:anywhere}
time{white-space:nowrap}svg.fall{width:16rem;height:18px;vertical-align:middle}.plus{fill:var(--plus)}.minus{fill:var(--minus)}.total{fill:var(--soft)}.limit{stroke:var(--ink);stroke-dasharray:2 2;opacity:.55}
.because{overflow-wrap:anywhere;min-width:14rem;color:var(--soft)}
footer{padding-bottom:2.5rem;font-size:.85rem}
@media (max-width:40rem){body{font-size:14px}tbody th{min-width:8.5rem}section{padding:.9rem .8rem}header,main,footer{padding-left:.7rem;padding-right:.7rem}.tiles{grid-template-columns:1fr 1fr}svg.fall{width:9rem}svg text{font-size:13px}}
@media print{nav,.tools{display:none}section{break-inside:avoid}}
$css$
$$;
COMMENT ON FUNCTION assay_internal.html_style() IS 'style of the page';

CREATE FUNCTION assay_internal.html_script() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT $js$
"use strict";
// sort by a column: figures by data-v, empty ones last, all else as text
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, i) => head.firstElementChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") === "descending" || (head.getAttribute("aria-sort") === "none" && !head.classList.contains("n"));
    const key = r => { const c = r.cells[i], v = c.dataset.v; return v === undefined ? c.textContent : v === "" ? null : Number(v); };
    const order = (a, b) => a === null || b === null ? (a === null) - (b === null) : (up ? 1 : -1) * (typeof a === "number" ? a - b : a.localeCompare(b));
    [...body.rows].map(r => [key(r), r]).sort((a, b) => order(a[0], b[0])).forEach(r => body.append(r[1]));
    heads.forEach(h => h.setAttribute("aria-sort", h === head ? (up ? "ascending" : "descending") : "none"));
  }));
}
for (const input of document.querySelectorAll("input[data-filter]")) {
  const rows = [...document.getElementById(input.dataset.filter).tBodies[0].rows], count = document.querySelector("output[data-count=" + input.dataset.filter + "]");
  const show = () => {
    const word = input.value.toLowerCase();
    rows.forEach(r => { r.hidden = !r.textContent.toLowerCase().includes(word); });
    count.textContent = rows.filter(r => !r.hidden).length + " of " + rows.length;
  };
  input.addEventListener("input", show);
  show();
}
$js$
$$;
COMMENT ON FUNCTION assay_internal.html_script() IS 'script of the page: sorts and filters tables';
