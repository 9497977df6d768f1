#!/bin/bash
# Which of Vectorscan's scans finds what a plain matcher finds? Two markdown
# tables: literals and expressions. Usage: match_modes.sh [TEXTS]
set -euo pipefail
cd "$(dirname "$0")/.."
texts=${1:-10000000}
program=$(mktemp)
trap 'rm -f "$program"' EXIT
cc -O2 -Iinclude -o "$program" bench/match_modes.c src/text/match.c src/text/match_scan.c src/text/match_words.c src/text/normalise.c src/text/unicode.c \
	$(pkg-config --cflags --libs libhs icu-uc)
"$program" literals "$texts"
echo
"$program" expressions "$((texts / 10))"
