#!/bin/bash
# Text models on real mail: the demo's corpus, and any others.
#
#   make demo && bench/text.sh          the demo's split, beside bogofilter and SpamAssassin's Bayes
#   bench/text.sh DIR...                besides, folders DIR/ham and DIR/spam of one message a file: a line
#                                       "Subject: …", then the body; the first 60 % of each by name are trained on
#
# Recall is in % at 0.1, 0.2, 0.5 and 1 % false positives. "frozen": no label after the split. "day": a label
# is known 24 hours after the message, and counts from the next day (UTC) on, as text_model_at() has it.
# Whatever was chosen was chosen by the forward splits in the history, which are printed first.
# Speed is CPU time of one backend (user + system). PEERS says beside what: "bogofilter spamassassin".
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
cd "$top"
cluster=${DEMO_CLUSTER:-demo} peers=" ${PEERS-bogofilter spamassassin} "
tools/cluster env "$cluster" >/dev/null 2>&1 || { echo 'bench/text.sh: run make demo first' >&2; exit 1; }
eval "$(tools/cluster env "$cluster")"
export PGDATABASE=demo PGOPTIONS='-c client_min_messages=warning -c jit=off'
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
work=$(mktemp -d "$build/text.XXXXXX")
trap 'rm -rf "$work"' EXIT
sql -f bench/text.sql >/dev/null

# ---- forward splits: what was looked at ---------------------------------------

echo "### Forward splits in the history (trained on the first 1,400, 1,900 and 2,400 of $(sql -c 'SELECT count(*) FROM message_content WHERE history'); mean on the rest)"
echo
echo '| what | AUC | recall % |'
echo '| --- | --- | --- |'
splits() {
	sql -v what="$1" -v label="$2" <<-'SQL'
		SELECT format('| %s | %s |', :'label', say(ARRAY[avg(f[1]), avg(f[2]), avg(f[3]), avg(f[4]), avg(f[5])]))
		FROM (
			SELECT judge(assay.scored_agg(assay.text_margin(m, content), malicious)) AS f
			FROM unnest('{1400,1900,2400}'::int[]) split, LATERAL (
				SELECT CASE :'what' WHEN 'all' THEN p WHEN 'prune' THEN assay.text_model_prune(p, 2) WHEN '30' THEN d30 WHEN '90' THEN d90 WHEN '365' THEN d365
					ELSE assay.text_model_publish(p, substring(:'what' FROM '^[0-9]{5,}')::int) END AS m
				FROM (SELECT assay.text_model_agg(malicious, content) AS p,
						assay.text_model_agg(malicious, content, 1, received_at, '30 days') AS d30,
						assay.text_model_agg(malicious, content, 1, received_at, '90 days') AS d90,
						assay.text_model_agg(malicious, content, 1, received_at, '365 days') AS d365
					FROM message_content WHERE history AND id <= split) x OFFSET 0) y, message_content
			WHERE history AND id > split GROUP BY split) s
	SQL
}
splits all 'all tokens'
splits 2097152 'published, 2 MB'
splits 1048576 'published, 1 MB (default)'
splits 524288 'published, 512 kB'
splits 262144 'published, 256 kB'
splits prune 'tokens of two messages and more'
splits 30 'all tokens, half-life of 30 days'
splits 90 'all tokens, half-life of 90 days (chosen)'
splits 365 'all tokens, half-life of 365 days'

# ---- the demo's split -----------------------------------------------------------

sql <<-'SQL'
	SELECT assay.drop_text_model(name) FROM assay.text_models WHERE name LIKE 'bench\_%' \g /dev/null
	DROP TABLE IF EXISTS bench_frozen_label, bench_day_label;
	CREATE TABLE bench_day_label (id bigint, malicious boolean, labelled_at timestamptz, PRIMARY KEY (id, labelled_at));
	CREATE TABLE bench_frozen_label (LIKE bench_day_label INCLUDING INDEXES);
	INSERT INTO bench_frozen_label SELECT id, malicious, received_at + '12 hours' FROM message_content WHERE history;
	INSERT INTO bench_day_label SELECT id, malicious, received_at + CASE WHEN history THEN interval '12 hours' ELSE '24 hours' END FROM message_content;
	SELECT assay.create_text_model('bench_frozen', 'message_content', 'content', 'bench_frozen_label', at => 'received_at', half_life => '90 days') \g /dev/null
	SELECT assay.create_text_model('bench_day', 'message_content', 'content', 'bench_day_label', at => 'received_at', half_life => '90 days') \g /dev/null
	SELECT assay.learn('bench_frozen') \g /dev/null
	SELECT assay.learn('bench_day') \g /dev/null
	INSERT INTO judged_text
	SELECT 'text model, frozen', id, malicious, assay.text_score(m, content) FROM assay.text_model_at('bench_frozen') m, message_content WHERE NOT history;
	-- each day's model once
	CREATE TEMP TABLE day_model AS SELECT day, assay.text_model_at('bench_day', day::timestamp AT TIME ZONE 'UTC') AS m
	FROM (SELECT DISTINCT (received_at AT TIME ZONE 'UTC')::date AS day FROM message_content WHERE NOT history) d;
	CREATE TEMP TABLE day_score AS SELECT c.id, malicious, assay.text_score(m, content) AS score, assay.text_margin(m, content) AS margin
	FROM message_content c JOIN day_model ON day = (received_at AT TIME ZONE 'UTC')::date WHERE NOT history ORDER BY c.id;
	INSERT INTO judged_text SELECT 'text model, day', id, malicious, score FROM day_score;
	-- as it decided, with the text model of the history
	INSERT INTO judged_text SELECT 'policy as shipped, frozen', id, c.malicious, assay.margin(v.attribution) FROM message_content c JOIN inbound_verdict v USING (id) WHERE NOT c.history;
	INSERT INTO judged_text
	SELECT 'policy without text model', c.id, c.malicious, assay.margin(v.attribution) - l.contribution
	FROM message_content c JOIN inbound_verdict v USING (id), assay.ledger(v.attribution) l WHERE NOT c.history AND l.detector = 'text';
	-- weight 1, nothing else changed
	INSERT INTO judged_text SELECT 'policy with text model, day', t.id, t.malicious, p.margin + t.margin
	FROM day_score t JOIN judged_text p ON p.id = t.id AND p.method = 'policy without text model';
SQL

# Files of the demo's messages in order: label, history, path
sql -F ' ' -c "SELECT CASE WHEN a.malicious THEN 'spam' ELSE 'ham' END, CASE WHEN a.history THEN 'learn' ELSE 'score' END, m.id, m.source
	FROM message m JOIN arrival a USING (id) ORDER BY m.id" >"$work/demo"

# Train and test bogofilter and SpamAssassin on a list "label what id path" below a folder
peers() {
	local list=$1 folder=$2 suffix=$3
	if [[ $peers = *" bogofilter "* ]] && command -v bogofilter >/dev/null; then
		mkdir "$work/bogo"
		local -A flag=([ham]=-n [spam]=-s)
		for label in ham spam; do
			awk -v l=$label -v f="$folder/" '$1 == l && $2 == "learn" { print f $4 }' "$list" |
				bogofilter -C -d "$work/bogo" "${flag[$label]}" -b
		done
		awk -v f="$folder/" '$2 == "score" { print f $4 }' "$list" | bogofilter -C -d "$work/bogo" -TT -b >"$work/scores" || [ $? -le 2 ]
		judge_scores "$list" "$folder" "bogofilter$suffix"
		rm -rf "$work/bogo"
	fi
	if [[ $peers = *" spamassassin "* ]] && perl -MMail::SpamAssassin -e1 2>/dev/null; then
		mkdir "$work/sa"
		awk -v f="$folder/" '{ print $2, $1, f $4 }' "$list" | perl bench/text.pl "$work/sa" >"$work/scores"
		judge_scores "$list" "$folder" "SpamAssassin Bayes$suffix"
		rm -rf "$work/sa"
	fi
}
# "FILE … PROBABILITY" lines into judged_text
judge_scores() {
	awk -v f="$2/" -v OFS='\t' 'NR == FNR { if ($2 == "score") { id[f $4] = $3; spam[f $4] = ($1 == "spam") ? "t" : "f" } next }
		$1 in id { print m, id[$1], spam[$1], $NF }' m="$3" "$1" "$work/scores" >"$work/copy"
	sql -c "\\copy judged_text FROM '$work/copy'"
}
peers "$work/demo" "$build/corpus" ', frozen'

echo
echo "### The demo: $(sql -c "SELECT count(*) || ' streamed messages, ' || count(*) FILTER (WHERE malicious) || ' malicious' FROM message_content WHERE NOT history")"
echo
echo '| what | AUC | recall % | 95 %: AUC | at 0.1 % | at 0.5 % |'
echo '| --- | --- | --- | --- | --- | --- |'
for method in 'policy without text model' 'policy as shipped, frozen' 'policy with text model, day' 'text model, frozen' 'text model, day' \
	'bogofilter, frozen' 'SpamAssassin Bayes, frozen'; do
	sql -v method="$method" <<<"SELECT report(:'method', 200) WHERE EXISTS (SELECT FROM judged_text WHERE method = :'method')" | sed '/^$/d'
done
echo
sql <<-'SQL'
	SELECT format('Log loss of the text model alone, calibrated on margins held back while it learnt: frozen %s, day %s.',
		(SELECT round(assay.log_loss(1 / (1 + exp(-margin)), malicious)::numeric, 4) FROM judged_text WHERE method = 'text model, frozen'),
		(SELECT round(assay.log_loss(1 / (1 + exp(-margin)), malicious)::numeric, 4) FROM judged_text WHERE method = 'text model, day'));
SQL

# ---- other corpora ------------------------------------------------------------------

for dir; do
	dir=$(cd "$dir" && pwd)
	corpus=${dir##*/}
	mkdir -p "$work/mail"
	n=0
	for label in ham spam; do
		total=$(ls "$dir/$label" | wc -l) i=0
		for f in $(ls "$dir/$label" | LC_ALL=C sort); do
			n=$((n + 1)) i=$((i + 1))
			# a blank line behind the subject, as mail has it
			sed '1a\\' "$dir/$label/$f" | tr -d '\000' >"$work/mail/$label-$n"
			echo "$label $([ $((i * 10)) -le $((total * 6)) ] && echo learn || echo score) $n $label-$n"
		done
	done >"$work/list"
	chmod -R a+rX "$work"
	sql -v mail="$work/mail" -v corpus="$corpus" <<-SQL
		CREATE TEMP TABLE listed (label text, what text, id int, file text);
		\\copy listed FROM '$work/list' (DELIMITER ' ')
		CREATE TEMP TABLE told AS SELECT id, label = 'spam' AS malicious, what = 'learn' AS history,
			jsonb_build_object('subject', substring(split_part(t, E'\\n', 1) FROM 10), 'body', substr(t, position(E'\\n' IN t) + 1)) AS content
		FROM listed, LATERAL (SELECT convert_from(pg_read_binary_file(:'mail' || '/' || file), 'LATIN1') AS t) x;
		INSERT INTO judged_text SELECT 'text model, ' || :'corpus', id, malicious, assay.text_margin(m, content)
		FROM (SELECT assay.text_model_agg(malicious, content) AS m FROM told WHERE history) x, told WHERE NOT history;
	SQL
	peers "$work/list" "$work/mail" ", $corpus"
	rm -rf "$work/mail"
	echo
	echo "### $corpus, subject and body, frozen: $n messages"
	echo
	echo '| what | AUC | recall % | 95 %: AUC | at 0.1 % | at 0.5 % |'
	echo '| --- | --- | --- | --- | --- | --- |'
	for method in 'text model' bogofilter 'SpamAssassin Bayes'; do
		sql -v method="$method, $corpus" <<<"SELECT report(:'method', 200) WHERE EXISTS (SELECT FROM judged_text WHERE method = :'method')" | sed '/^$/d'
	done
done

# ---- speed ------------------------------------------------------------------------------

echo
echo '### Speed, one core, CPU time'
echo
# CPU microseconds of the last statement
took() { sql -c 'SET max_parallel_workers_per_gather = 0' -c 'SET client_min_messages = log' "$@" 2>&1 | awk '/s elapsed/ { us = ($2 + $5) * 1e6 } END { print us }'; }
repeat() { for _ in 1 2 3 4 5; do took "$@"; done | median; }
sql <<-'SQL'
	DROP TABLE IF EXISTS bench_body, bench_model, bench_big;
	CREATE UNLOGGED TABLE bench_body AS SELECT id, malicious, repeat || body AS body FROM (
		SELECT id, malicious, '' AS repeat, left(body_text, 2048 - (octet_length(left(body_text, 2048)) - 2048)) AS body FROM message JOIN arrival USING (id)) x
		WHERE octet_length(body) BETWEEN 1900 AND 2100;
	INSERT INTO bench_body SELECT id + 10000 * k, malicious, body FROM bench_body, generate_series(1, 4) k;
	CREATE TABLE bench_model AS SELECT p, assay.text_model_publish(p) AS m FROM (SELECT assay.text_model_agg(malicious, body_text) AS p FROM message JOIN arrival USING (id)) x;
	CREATE UNLOGGED TABLE bench_big AS SELECT k, assay.text_model_agg(i % 2 = 0, (SELECT string_agg(md5(k::text || i || j), ' ') FROM generate_series(1, 1000) j)) AS m
		FROM generate_series(1, 2) k, generate_series(1, 560) i GROUP BY k;
	VACUUM ANALYZE bench_body, bench_model, bench_big;
SQL
n=$(sql -c 'SELECT count(*) FROM bench_body')
distinct=$(sql -c 'SELECT count(DISTINCT body) FROM bench_body')
[ "$distinct" -gt 500 ] || { echo "only $distinct distinct bodies" >&2; exit 1; }
on='SET log_executor_stats = on'
read=$(repeat -c "$on" -c 'SELECT count(*), sum(length(body)) FROM bench_body')
warm='SELECT assay.text_score(m, body) FROM bench_model, (SELECT body FROM bench_body LIMIT 1) b'
score=$(repeat -c "$warm" -c "$on" -c 'SELECT count(*), sum(assay.text_score(m, body)) FROM bench_model, bench_body')
unpruned=$(repeat -c "${warm/(m/(p}" -c "$on" -c 'SELECT count(*), sum(assay.text_score(p, body)) FROM bench_model, bench_body')
first=$(repeat -c "$on" -c "$warm")
train=$(repeat -c "$on" -c 'SELECT count(*), assay.text_model_info(assay.text_model_agg(malicious, body)) FROM bench_body')
merge=$(repeat -c "$on" -c 'SELECT octet_length((a.m OPERATOR(assay.+) b.m)::text) > 0 FROM bench_big a, bench_big b WHERE a.k = 1 AND b.k = 2')
write=$(repeat -c "$on" -c 'SELECT octet_length((a.m)::text) > 0 FROM bench_big a')
publish=$(repeat -c "$on" -c 'SELECT (assay.text_model_info(assay.text_model_publish(m))).tokens FROM bench_big WHERE k = 1')
row measured value
row --- ---
row "bodies of about 2 KB: $n, $distinct distinct; reading them, microseconds each" "$(calc %.1f "$read / $n")"
row 'text_score(), published model of 1 MB, microseconds a message' "$(calc %.1f "($score - $read) / $n")"
row "the same, unpruned model of $(sql -c 'SELECT tokens FROM bench_model, assay.text_model_info(p)') tokens" "$(calc %.1f "($unpruned - $read) / $n")"
row 'first use of the published model in a backend, milliseconds' "$(calc %.1f "$first / 1000")"
row 'text_model_agg() over messages of 2 KB, messages a second' "$(calc %.0f "$n * 1e6 / ($train - $read)")"
row "sum of two models of $(sql -c 'SELECT tokens FROM bench_big, assay.text_model_info(m) WHERE k = 1') tokens (+), milliseconds" "$(calc %.0f "($merge - $write) / 1000")"
row 'text_model_publish() of one of them to 1 MB, milliseconds' "$(calc %.0f "$publish / 1000")"
sql -c 'DROP TABLE bench_body, bench_model, bench_big'
