#!/bin/bash
# Names and domains that lie: what a question among thousands of protected ones
# costs, beside what one would write with fuzzystrmatch and pg_trgm; and, on
# lists of phishing hosts, what is found.  Prints markdown tables.
#
#   bench/lookalike.sh [DIR]
#
# DIR keeps what npm fetches: eth-phishing-detect, free-email-domains,
# disposable-email-domains.  Without npm and python3, the second part is left out.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/common.sh
dir=${1:-$(mktemp -d)}
tools/cluster start bench_lookalike fsync=off shared_buffers=256MB >/dev/null
trap 'tools/cluster stop bench_lookalike' EXIT
eval "$(tools/cluster env bench_lookalike)"
export PGDATABASE=postgres
psql -XqAt -v ON_ERROR_STOP=1 -f bench/lookalike.sql

command -v npm >/dev/null && command -v python3 >/dev/null || exit 0
mkdir -p "$dir"
for p in eth-phishing-detect free-email-domains disposable-email-domains; do
	[ -d "$dir/$p" ] && continue
	(cd "$dir" && mkdir "$p" && tar -xzf "$(npm pack --silent "$p" 2>/dev/null | tail -n 1)" -C "$p" --strip-components=1)
done
python3 - "$dir" <<'PY'
# Hosts with what they are, by a judge of its own: a blacklisted host is meant to
# imitate one of the fuzzy list when it contains its label, accents and hyphens
# left out, or has a word one edit off (two from eight letters on).
import json, re, sys, unicodedata

top = sys.argv[1]
config = json.load(open(f'{top}/eth-phishing-detect/src/config.json'))
labels = {d.split('.')[-2] for d in config['fuzzylist']}


def edits(a, b):
    above = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
        above = row
    return above[-1]


def shown(host):
    out = []
    for label in host.split('.'):
        if label.startswith('xn--'):
            try:
                label = label[4:].encode().decode('punycode')
            except ValueError:
                pass
        out.append(label)
    text = unicodedata.normalize('NFKD', '.'.join(out))
    return ''.join(c for c in text if not unicodedata.combining(c)).lower()


def imitates(host):
    text = shown(host)
    if any(label in text.replace('-', '') for label in labels):
        return True
    return any(abs(len(word) - len(label)) <= 2 and edits(word, label) <= (2 if len(label) >= 8 else 1)
               for word in re.split('[.-]', text) for label in labels)


# What the package itself protects is no imitation.
protected = set(config['fuzzylist'])
rows = [('imitates', h) for h in set(config['blacklist']) - protected if imitates(h)]
rows += [('exempt', h) for h in set(config['whitelist'])]
for package, name in (('free-email-domains', 'domains.json'), ('disposable-email-domains', 'index.json')):
    rows += [(package, h) for h in set(json.load(open(f'{top}/{package}/{name}')))]
with open(f'{top}/hosts.tsv', 'w') as out:
    for kind, host in sorted(rows):
        out.write(f'{kind}\t{host}\n')
with open(f'{top}/protected.txt', 'w') as out:
    out.write(''.join(d + '\n' for d in config['fuzzylist']))
PY
echo
psql -XqAt -v ON_ERROR_STOP=1 -c 'CREATE TABLE lookalike_bench.host (kind text, host text)' \
	-c 'CREATE TABLE lookalike_bench.protected (domain text)' \
	-c "\copy lookalike_bench.host FROM '$dir/hosts.tsv'" -c "\copy lookalike_bench.protected FROM '$dir/protected.txt'"
psql -XqAt -v ON_ERROR_STOP=1 -f bench/lookalike_hosts.sql
