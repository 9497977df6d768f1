#!/bin/bash
# Measure the e-mail pack's policy on mail, in a private cluster; prints markdown.
#
#   bench/email.sh --attack MAIL... --ham MAIL... [--authserv-id ID]... [--trusted NET]... [--history]
#
# MAIL is what assay_load reads: mbox, Maildir, a folder of messages, JSON Lines. Figures are of the policy as
# create_email_policy() makes it, without histories (a cold start) unless --history asks for them: then the
# messages of each corpus are history for those after them, as of the day before, and without labels.
# Each corpus is reported in halves by time of receipt: choose by the first, report the second.
# --misses lists what is wrong; --detectors what each detector hits of either kind.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/common.sh
attack=() ham=() ids=() nets=() history=false misses= detectors= into=
while [ $# -gt 0 ]; do
	case $1 in
	--attack | --ham) into=${1#--} ;;
	--authserv-id) ids+=("$2"); shift ;;
	--trusted) nets+=("$2"); shift ;;
	--history) history=true ;;
	--misses) misses=1 ;;
	--detectors) detectors=1 ;;
	-*) fail "unknown option $1" ;;
	*)
		[ -e "$1" ] || fail "no file $1"
		case $into in attack) attack+=("$1") ;; ham) ham+=("$1") ;; *) fail 'say --attack or --ham before the files' ;; esac
		;;
	esac
	shift
done
[ ${#attack[@]} -gt 0 ] && [ ${#ham[@]} -gt 0 ] || fail 'needs --attack MAIL... and --ham MAIL...'

tools/cluster start bench_email fsync=off shared_buffers=512MB max_wal_size=4GB >/dev/null
trap 'tools/cluster stop bench_email' EXIT
eval "$(tools/cluster env bench_email)"
export PGOPTIONS='-c client_min_messages=warning -c jit=off -c max_parallel_workers_per_gather=0'
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
table() { psql -Xq -v ON_ERROR_STOP=1 -P border=2 -P linestyle=ascii -P footer=off "$@" | awk '/^[+]/ { if (n++ == 1) { gsub(/[+]/, "|"); print } next } NF'; }
array() { local IFS=,; printf '{%s}' "$(for x; do printf '"%s",' "$x"; done | sed 's/,$//')"; }
sql -d postgres -c 'DROP DATABASE IF EXISTS email' -c 'CREATE DATABASE email'
export PGDATABASE=email
sql -c 'CREATE EXTENSION pg_assay_email CASCADE'

# A loader that fills columns of authentication is told whom to believe.
options=()
for x in "${nets[@]}"; do options+=(--trusted="$x"); done
if src/bin/assay_load --help | grep -q -e --authserv-id; then
	for x in "${ids[@]}"; do options+=(--authserv-id="$x"); done
fi
load() {
	local label=$1 mail=$2 format=()
	case $mail in *.jsonl | *.jsonl.gz) format=(--format=jsonl) ;; esac
	src/bin/assay_load -q --create-table -t raw --mailbox="$label $(basename "$mail")" "${options[@]}" "${format[@]}" "$mail" || [ $? = 2 ]
}
for m in "${attack[@]}"; do load attack "$m"; done
for m in "${ham[@]}"; do load ham "$m"; done

# What the loader's typed columns would be, once and stored: the view's cost is without them.
sql -v ids="$(array "${ids[@]}")" -v nets="$(array "${nets[@]}")" <<'SQL'
SELECT 'CREATE TABLE message AS SELECT m.mailbox AS corpus, assay.signature(m.body_text) AS signature, ' || substr(assay.email_facts_query('raw', '{id}', :'ids', :'nets'), 8)
	|| ' ORDER BY m.received_at, m.id' \gexec
DROP TABLE raw;
ALTER TABLE message ADD PRIMARY KEY (id);
VACUUM ANALYZE message;
SQL
sql -v history=$history <<'SQL' >/dev/null
SELECT assay.create_email_policy('mail', 'message', history => :history, campaigns => :history);
VACUUM ANALYZE;
SQL
sql -f demo/email_language.sql
sql <<'SQL'
CREATE TABLE scored AS
SELECT m.id, m.corpus, m.corpus LIKE 'attack%' AS attack, m.subject, m.from_addr, ntile(2) OVER (PARTITION BY m.corpus ORDER BY m.received_at, m.id) AS half,
	x.verdict, assay.counted_hits(x.attribution) AS hits, assay.degraded(x.attribution) AS degraded,
	CASE WHEN m.corpus LIKE 'attack%' THEN language_of(m.subject, m.body_text, m.body_scripts) END AS language
FROM mail_signals s JOIN message m USING (id), assay.score('mail', s) x;
SQL
[ "$(sql -c 'SELECT count(*) FROM scored WHERE degraded')" = 0 ] || fail 'decisions are degraded'

shares="round(100.0 * avg((verdict <> 'safe')::int), 3) AS \"suspicious or malicious %\", round(100.0 * avg((verdict = 'malicious')::int), 3) AS \"malicious %\""
table -c "SELECT corpus, half, count(*) AS messages, $shares FROM scored GROUP BY corpus, half ORDER BY 1, 2"
echo
table -c "SELECT CASE WHEN attack THEN 'all attacks' ELSE 'all legitimate' END AS what, count(*) AS messages, $shares FROM scored GROUP BY attack ORDER BY attack DESC"
echo
table -c "SELECT language, count(*) AS attacks, $shares FROM scored WHERE attack GROUP BY language HAVING count(*) >= 50 ORDER BY 2 DESC"
echo
table -c "SELECT d.category, count(DISTINCT s.id) FILTER (WHERE s.attack) AS attacks, count(DISTINCT s.id) FILTER (WHERE NOT s.attack) AS legitimate
	FROM scored s, unnest(s.hits) h JOIN assay.email_detector d ON d.detector = h WHERE s.verdict <> 'safe' AND d.weight > 0 GROUP BY 1 ORDER BY 2 DESC"
if [ -n "$detectors" ]; then
	echo
	table -c "SELECT d.detector, d.category, d.weight, round(100.0 * count(*) FILTER (WHERE s.attack AND s.half = 1) / (SELECT count(*) FROM scored WHERE attack AND half = 1), 2) AS \"attacks %\",
		round(100.0 * count(*) FILTER (WHERE NOT s.attack AND s.half = 1) / (SELECT count(*) FROM scored WHERE NOT attack AND half = 1), 3) AS \"legitimate %\"
		FROM assay.email_detector d LEFT JOIN scored s ON d.detector = ANY (s.hits) GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1"
fi
if [ -n "$misses" ]; then
	echo
	table -c "SELECT corpus, id, verdict, from_addr, left(subject, 60) AS subject, hits FROM scored WHERE attack = (verdict = 'safe') AND half = 1 ORDER BY 1, 2"
fi

# ---- what it costs: CPU of the server a message, of half attacks, planned before ----

sql <<'SQL' >/dev/null
CREATE TABLE sample AS (SELECT id FROM message WHERE corpus LIKE 'attack%' ORDER BY md5(id::text) LIMIT 2000)
	UNION ALL (SELECT id FROM message WHERE corpus LIKE 'ham%' ORDER BY md5(id::text) LIMIT 2000);
-- cold: a table of these messages alone; warm: all mail is history for what came after it
CREATE TABLE sampled AS SELECT m.* FROM message m JOIN sample USING (id) ORDER BY m.received_at, m.id;
ALTER TABLE sampled ADD PRIMARY KEY (id);
SELECT assay.create_email_policy('cold', 'sampled', history => false, campaigns => false);
SELECT assay.create_email_policy('past', 'message', campaigns => false);
SELECT assay.create_email_policy('warm', 'message');
-- where they arrive, with the policy's trigger and without
CREATE TABLE arriving (LIKE sampled INCLUDING INDEXES);
CREATE TABLE stored (LIKE sampled INCLUDING INDEXES);
SELECT assay.create_email_policy('inbound', 'arriving', history => false, campaigns => false);
CREATE INDEX ON stored USING hash (message_id);
CREATE TRIGGER decide AFTER INSERT ON arriving REFERENCING NEW TABLE AS new_messages FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound');
VACUUM ANALYZE;
SQL
n=$(sql -c 'SELECT count(*) FROM sample')
# of a query that is prepared and has run once
us() {
	local i
	for i in 1 2 3; do printf 'SET plan_cache_mode = force_generic_plan;\nPREPARE q AS %s;\nEXECUTE q;\n-- measure\nEXECUTE q;\n' "$1" | cpu; done | median
}
view() { us "SELECT count(x) FROM (SELECT s AS x FROM $1 s WHERE s.id = ANY (ARRAY(SELECT id FROM sample)) OFFSET 0) y"; }
# of INSERTs of 500 messages each, behind one that has planned what they need
insert() {
	local i j
	for i in 1 2 3; do
		for j in 0 1 2 3 4 5 6 7; do
			[ "$j" != 1 ] || echo '-- measure'
			echo "INSERT INTO $1 SELECT * FROM sampled ORDER BY received_at, id OFFSET $j * 500 LIMIT 500;"
		done | cpu
		sql -c "DELETE FROM $1" -c "$2" -c "VACUUM $1" >&2
	done | median
}
[ "$n" = 4000 ] || fail "needs 2,000 attacks and 2,000 others to measure costs, has $n"
rows=$(view sampled) cold=$(view cold_signals) most=$(view message) past=$(view past_signals) warm=$(view warm_signals)
score=$(us "SELECT count(x) FROM (SELECT assay.score('cold', s) AS x FROM cold_signals s WHERE s.id = ANY (ARRAY(SELECT id FROM sample)) OFFSET 0) y")
stored=$(insert stored 'SELECT') arriving=$(insert arriving 'DELETE FROM inbound_decision')
us_each() { calc '%.0f' "(($1) - ($2)) / $3"; }
echo
echo "CPU a message, half attacks, columns as the loader fills them (load $(cut -d' ' -f1 /proc/loadavg)):"
echo
echo '| what | us |'
echo '| --- | ---: |'
row 'signals view, without histories and campaigns' "$(us_each "$cold" "$rows" "$n")"
row 'histories in it' "$(us_each "$past - $most" "$cold - $rows" "$n")"
row 'campaigns in it' "$(us_each "$warm" "$past" "$n")"
row 'score() of its rows' "$(us_each "$score" "$cold" "$n")"
row 'trigger, without histories: INSERTs of 500, less INSERTs without it' "$(us_each "$arriving" "$stored" 3500)"
