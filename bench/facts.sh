#!/bin/bash
# Measure the functions of docs/facts.md beside what one would write in SQL, in a private cluster; prints markdown.
#
#   bench/facts.sh              messages made by bench/facts.sql
#   bench/facts.sh MAIL...      what assay_load reads: mbox, Maildir, .eml, JSON Lines
#
# Figures are processor time (user + system) of one backend less that of reading the column, medians of five.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/common.sh
tools/cluster start bench_facts fsync=off shared_buffers=512MB max_wal_size=4GB >/dev/null
trap 'tools/cluster stop bench_facts' EXIT
eval "$(tools/cluster env bench_facts)"
export PGOPTIONS='-c client_min_messages=warning -c jit=off -c max_parallel_workers_per_gather=0'
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

sql -c 'DROP EXTENSION IF EXISTS pg_assay CASCADE; CREATE EXTENSION pg_assay; DROP SCHEMA IF EXISTS facts_bench CASCADE; CREATE SCHEMA facts_bench'
export PGOPTIONS="$PGOPTIONS -c search_path=facts_bench,public"
if [ $# -gt 0 ]; then
	for mail; do
		format=()
		case $mail in *.jsonl | *.jsonl.gz) format=(--format=jsonl) ;; esac
		src/bin/assay_load -q --create-table -t message "${format[@]}" "$mail" || [ $? = 2 ]
	done
else
	sql -f bench/facts.sql
fi
sql -f - <<'SQL'
-- inline and not compressed, so that no reading of a toast table is measured
CREATE TABLE body (b text, short text);
ALTER TABLE body ALTER b SET STORAGE PLAIN;
INSERT INTO body SELECT left(body_text, 1900), left(body_text, 8) FROM message WHERE length(body_text) >= 500 AND octet_length(left(body_text, 1900)) < 7000 LIMIT 5000;
-- of headers and links only what is read
CREATE TABLE header (auth jsonb, received jsonb);
ALTER TABLE header ALTER auth SET STORAGE PLAIN, ALTER received SET STORAGE PLAIN;
INSERT INTO header SELECT jsonb_build_object('authentication-results', headers->'authentication-results', 'from', headers->'from'),
	jsonb_build_object('received', headers->'received')
FROM message WHERE jsonb_array_length(headers->'authentication-results') > 0 AND length((headers->'received')::text) < 6000 LIMIT 5000;
CREATE TABLE link (urls text[], hrefs text[], texts text[], sender text);
ALTER TABLE link ALTER urls SET STORAGE PLAIN, ALTER hrefs SET STORAGE PLAIN, ALTER texts SET STORAGE PLAIN;
INSERT INTO link SELECT urls[1:30], link_hrefs[1:50], link_texts[1:50], from_domain FROM message
WHERE cardinality(urls) > 0 AND length(concat(urls[1:30], link_hrefs[1:50], link_texts[1:50])) < 7000 LIMIT 5000;
VACUUM ANALYZE body, header, link;
CREATE FUNCTION host_of(url text) RETURNS text LANGUAGE sql IMMUTABLE RETURN lower(split_part(regexp_replace(url, '^\w+://', ''), '/', 1));
SQL
n=$(sql -c 'SELECT count(*) FROM body') bytes=$(sql -c 'SELECT coalesce(avg(octet_length(b)), 0)::int FROM body')
[ "$n" -ge 500 ] && [ "$(sql -c 'SELECT count(DISTINCT b) FROM body')" -ge $((n / 2)) ] || fail "too few texts, or too many alike: $n"
echo "$n texts of $bytes bytes, of which $(sql -c 'SELECT round(100.0 * sum((t).non_ascii) / sum((t).characters), 1) FROM (SELECT assay.text_facts(b) t FROM body OFFSET 0) x') % not ASCII;"
echo "$(sql -c 'SELECT count(*) || $$ messages with Authentication-Results, $$ || coalesce(round(avg(jsonb_array_length(received->$$received$$)), 1), 0) || $$ Received headers each$$ FROM header');"
echo "$(sql -c 'SELECT count(*) || $$ with $$ || round(avg(cardinality(urls)), 1) || $$ URLs and $$ || round(avg(coalesce(cardinality(hrefs), 0)), 1) || $$ links each$$ FROM link')."
echo

# Microseconds of a row: of the expression, less those of the column alone
us() {
	local table=$1 column=$2 expression=$3 rows i
	rows=$(sql -c "SELECT count(*) FROM $table")
	for i in 1 2 3 4 5; do
		local with without
		with=$(printf '%s;\n-- measure\n%s;\n' "SELECT count($expression) FROM $table" "SELECT count($expression) FROM $table" | cpu)
		without=$(printf '%s;\n-- measure\n%s;\n' "SELECT count($column) FROM $table" "SELECT count($column) FROM $table" | cpu)
		calc '%.3f\n' "($with - $without) / $rows"
	done | median
}
compare() {
	local name=$1 table=$2 column=$3 ours=$4 theirs=$5 a b
	[ "$(sql -c "SELECT count(*) FROM $table")" -gt 0 ] || return 0
	a=$(us "$table" "$column" "$ours")
	b=$(us "$table" "$column" "$theirs")
	printf '| %s | %s | %s | %s |\n' "$name" "$(calc %.2f "$a")" "$(calc %.2f "$b")" "$(calc %.1f "$b / $a")"
}
echo '| function | µs a message | in SQL | times |'
echo '| --- | --- | --- | --- |'
compare 'text_facts, 10 of its facts in SQL' body b 'assay.text_facts(b)' "ROW(length(b), regexp_count(b, '\\w+'), regexp_count(b, '[A-Z]'), regexp_count(b, '\\d'),
	regexp_count(b, '[[:punct:]]'), regexp_count(b, '\\s'), length(b) - length(replace(b, '!', '')), length(b) - length(replace(b, E'\\n', '')),
	(length(b) - length(replace(b, E'\\n>', ''))) / 2, octet_length(b) - length(b))"
compare 'auth_facts, 4 in SQL' header auth "assay.auth_facts(auth, '{*.example,*.test,\"\",*.com,*.org,*.ch}')" "(SELECT ROW((regexp_match(a, 'spf=(\\w+)'))[1], (regexp_match(a, 'dkim=(\\w+)'))[1],
	(regexp_match(a, 'dmarc=(\\w+)'))[1], (regexp_match(a, 'header\\.from=([^\\s;]+)'))[1]) FROM (SELECT auth->>'authentication-results' AS a OFFSET 0) x)"
compare 'received_facts, 3 of the top header in SQL' header received "assay.received_facts(received, '{2603:1000::/24,192.0.2.0/24}')" "(SELECT ROW((regexp_match(r, '\\[([0-9a-f.:]+)\\]'))[1], (regexp_match(r, '^from (\\S+)'))[1],
	(regexp_match(r, '\\(([^\\s\\[]+) \\['))[1]) FROM (SELECT received->'received'->>0 AS r OFFSET 0) x)"
compare 'url_facts, 5 in SQL' link urls 'assay.url_facts(urls, hrefs, texts, sender)' "(SELECT ROW(count(DISTINCT host), count(DISTINCT assay.registrable_domain(host)), max(length(url)),
	count(*) FILTER (WHERE host ~ '^[\\d.:]+\$'), (SELECT count(*) FROM unnest(hrefs, texts) a (href, label) WHERE label ~* '^(https?://|www\\.)' AND
	assay.registrable_domain(host_of(label)) <> assay.registrable_domain(host_of(href)))) FROM (SELECT url, host_of(url) AS host FROM unnest(urls) url OFFSET 0) u)"
echo
echo "text_facts: $(calc %.2f "1000 * $(us body b 'assay.text_facts(b)') / $bytes") ns a byte, of which to make the row: $(calc %.2f "$(us body short 'assay.text_facts(short)')") µs a text."
