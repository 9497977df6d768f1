#!/usr/bin/env python3
"""Compare what assay_load makes of HTML mail with what html5lib makes of it.

    bench/mail_diff.py TABLE MBOX [-v]

TABLE was loaded from MBOX by assay_load (the connection comes from PG… in the
environment).  Every message with an HTML part is parsed again by Python's
email and html5lib (pip install html5lib), a parser by the standard that
browsers follow.  For each field the number of messages that differ is told,
with -v each difference.  Not part of CI: it needs real mail.

Text is compared as words: hidden and visible together, since html5lib knows
nothing of style, without white space and characters that leave no mark.
"""
import email
import email.policy
import json
import mailbox
import re
import subprocess
import sys
from collections import Counter

import html5lib

SKIP = {"script", "style", "title", "template", "noframes", "noembed"}
MARKLESS = re.compile("[\u00ad\u034f\u180e\u115f\u1160\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e01ef]")


def rows(table):
    sql = ("SELECT json_build_object('n', split_part(source, '#', 2)::int, 'text', body_text, 'hidden', hidden_text,"
           f" 'hrefs', link_hrefs, 'defects', defects) FROM {table}")
    out = subprocess.run(["psql", "-XAtq", "-c", sql], check=True, capture_output=True).stdout.decode()
    return {r["n"]: r for r in map(json.loads, filter(None, out.split("\n")))}


def html_parts(message):
    """The HTML parts that a reader sees, as text; None where Python can't decode one."""
    for part in message.walk():
        if part.get_content_type() != "text/html" or part.get_content_disposition() == "attachment":
            continue
        try:
            yield part.get_payload(decode=True).decode(part.get_content_charset() or "utf-8")
        except (LookupError, UnicodeDecodeError, AttributeError):
            yield None


def walk(node, words, hrefs):
    """Text and links of a tree, in order."""
    if not isinstance(node.tag, str):
        if node.tail:
            words.append(node.tail)
        return
    tag = node.tag.split("}")[-1]
    if tag not in SKIP:
        if tag in ("a", "area") and node.get("href") is not None:
            hrefs.append(re.sub(r"[\t\r\n]", "", node.get("href").strip("".join(map(chr, range(33))))))
        if tag == "img" and node.get("alt"):
            words.append(node.get("alt"))
        if node.text:
            words.append(node.text)
        for child in node:
            walk(child, words, hrefs)
    if node.tail:
        words.append(node.tail)


def letters(text):
    """Text without white space, its characters sorted: hidden text stands elsewhere."""
    return "".join(sorted(re.sub(r"\s+", "", MARKLESS.sub("", text))))


def fixed(href):
    """Slashes as browsers mend them."""
    return re.sub(r"^(https?:|ftp:)[/\\]*", lambda m: m.group(1).lower() + "//", href, flags=re.I)


def main():
    sys.setrecursionlimit(20000)
    table, path = sys.argv[1:3]
    verbose = "-v" in sys.argv
    ours = rows(table)
    compared = 0
    differ = {"text": 0, "links": 0}
    for n, raw in enumerate(mailbox.mbox(path), 1):
        message = email.message_from_bytes(raw.as_bytes(), policy=email.policy.compat32)
        parts = list(html_parts(message))
        if not parts or None in parts or n not in ours or "truncated_body" in ours[n]["defects"]:
            continue
        plain = any(p.get_content_type() == "text/plain" for p in message.walk())
        words, hrefs = [], []
        for part in parts:
            walk(html5lib.parse(part), words, hrefs)
        compared += 1
        row = ours[n]
        pairs = {
            # conditional comments hold the same links again, for Outlook
            "links": (sorted(set(map(fixed, row["hrefs"]))), sorted(set(map(fixed, hrefs)))),
        }
        theirs = letters("".join(words))
        # where there is plain text, too, the HTML without any gives way to it
        if theirs or not plain:
            pairs["text"] = (letters((row["text"] or "") + (row["hidden"] or "")), theirs)
        for field, (mine, theirs) in pairs.items():
            if mine != theirs:
                differ[field] += 1
                if verbose:
                    only = sorted(set(mine) ^ set(theirs))[:5] if field == "links" else "only ours {!r}, only theirs {!r}".format(*(str(sorted((Counter(a) - Counter(b)).elements()))[:60] for a, b in ((mine, theirs), (theirs, mine))))
                    print(f"#{n}: {field}: {only} {row['defects']}")
    print(f"{compared} messages with HTML compared")
    for field, count in differ.items():
        print(f"{field}: {count} differ ({100 * count / max(compared, 1):.1f} %)")


if __name__ == "__main__":
    main()
