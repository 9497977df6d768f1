#!/bin/bash
# How long suggest_detector() and suggest_exclusion() take over many logged
# decisions, beside a scan that reads the same signals, in a private cluster.
# Times are of the clock, medians.
#
#   bench/suggest.sh [DECISIONS [ROUNDS]]
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
n=${1:-1000000} rounds=${2:-3}
cd "$top"
tools/cluster drop bench_suggest
tools/cluster start bench_suggest fsync=off shared_buffers=2GB max_wal_size=8GB checkpoint_timeout=1h timezone=UTC maintenance_work_mem=256MB >/dev/null
trap 'tools/cluster drop bench_suggest' EXIT
eval "$(tools/cluster env bench_suggest)"
export PGOPTIONS='-c client_min_messages=warning'
psql -Xq -v n="$n" <<-'SQL' >/dev/null
	CREATE EXTENSION pg_assay;
	CREATE TABLE message (id bigint PRIMARY KEY, at timestamptz, from_domain text, subject text, list_id text, urls text[], url_count int, age float8,
		is_reply boolean, asks_for_money boolean, country text, size int);
	CREATE VIEW signals AS SELECT * FROM message;
	SELECT assay.create_policy('inbound', 'signals', '{id}', log_signals => true);
	SELECT assay.create_detector('inbound', 'money', 'asks_for_money', weight => 4.5, mode => 'live');
	SELECT assay.create_detector('inbound', 'links', 'url_count > 14', weight => 2, mode => 'live');
	CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound');
	SELECT setseed(0.5);
	INSERT INTO message
	SELECT i, now() - i * interval '2 seconds', 'd' || (random() ^ 3 * 20000)::int || '.example', 'subject number ' || (random() * 300)::int, CASE WHEN random() < 0.3 THEN 'list' || (random() * 500)::int END,
		array(SELECT 'u' || (random() * 5000)::int + i % 2 FROM generate_series(1, 3)), (random() * 15)::int, random() * 1000,
		random() < 0.4, random() < 0.05, (ARRAY['de', 'fr', 'us', 'cn', 'br'])[1 + (random() * 4)::int], (random() * 100000)::int
	FROM generate_series(1, :n) i;
	-- an attack of 40: from young domains, with many links and one subject
	UPDATE message SET subject = 'your parcel', country = 'cn', url_count = 9 WHERE id % (:n / 40) = 0;
	DELETE FROM inbound_decision WHERE id % (:n / 40) = 0;
	CALL assay.backfill('inbound', at => 'at');
	INSERT INTO inbound_label (id, malicious, source) SELECT id, asks_for_money, 'test' FROM message WHERE id % 50 = 1;
	VACUUM ANALYZE;
SQL
missed="(SELECT array_agg(id::text) FROM message WHERE subject = 'your parcel')"
clock() { for _ in $(seq "$rounds"); do timed -c "$1" -c "$1"; done | median; }
scan=$(clock "SELECT count(assay.signal(signals, 'subject')) FROM inbound_decision")
detector=$(clock "SELECT count(*) FROM assay.suggest_detector('inbound', $missed)")
exclusion=$(clock "SELECT count(*) FROM assay.suggest_exclusion('inbound', (SELECT id FROM inbound_decision WHERE verdict <> 'safe' ORDER BY id LIMIT 1))")
[ "$(psql -XAt -c "SELECT caught >= 30 AND caught > hits / 2 FROM assay.suggest_detector('inbound', $missed, n => 1)")" = t ] || fail 'the attack is not found'
psql -XAt -c "SELECT condition, caught, hits FROM assay.suggest_detector('inbound', $missed, n => 1)"
printf '\n| of %s logged decisions | ms | of the scan |\n| --- | ---: | ---: |\n' "$n"
printf '| scan, one signal by assay.signal() | %.0f | |\n' "$scan"
printf '| suggest_detector(), 40 missed messages | %.0f | %.1f |\n' "$detector" "$(awk "BEGIN { print $detector / $scan }")"
printf '| suggest_exclusion() | %.0f | %.1f |\n' "$exclusion" "$(awk "BEGIN { print $exclusion / $scan }")"
