#!/usr/bin/env python3
"""Mutate mail, and let an assay_load with sanitizers read it.

    fuzz/mutate_mail.py PROGRAM SEED SECONDS FILE...

FILEs are messages or mboxes of one's own.  Each round joins mutated messages
to a folder and runs PROGRAM --dry-run over it; a round that ends otherwise
than with 0 is kept in crash-SEED-ROUND and told.
"""
import mailbox
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

TOKENS = [b"\0", b"\r", b"\n", b'"', b"(", b")", b"<", b">", b"=?", b"?=", b";", b":", b",", b"--b", b"--", b"\xff", b"@",
          b"<!--", b"-->", b"<a href=", b"<table>", b"</td>", b"<svg>", b"<style>", b"{", b"}", b"style=\"", b"&#x", b"&",
          b"url(", b"<!--[if mso]>", b"filename*0*=", b"utf-8''%", b"Content-Type: multipart/mixed; boundary=", b"=\n",
          b"Content-Transfer-Encoding: base64\n", b"Content-Type: message/rfc822\n\n", b"charset=", b"\xe2\x80\x8b", b"\xe2\x80\x8d",
          b"=?utf-8?Q?=00?=", b"=?utf-7?B?+AAA?=", b"=?x?B?", b"filename*1*=%", b"filename*0=\"", b"*99999999999=", b"begin 644 a.exe\n",
          b"\nend\n", b"From ", b"\n>From ", b"\r\n.\r\n", b"Received: from a ([1.2.3.4]) by b; ", b"Date: 99999999999 +9999",
          b"Content-Type: message/partial; id=a; number=1; total=2\n", b"Content-Type: application/ms-tnef\n\n\x78\x9f\x3e\x22",
          b"Content-Transfer-Encoding: x-uuencode\n", b"multipart/related", b"multipart/report; report-type=feedback-report",
          b"Content-Type: message/delivery-status\n\n", b"<base href=", b"<meta http-equiv=refresh content=", b"srcset=", b"<![CDATA[",
          b"]]>", b"<template>", b"<math><mi>", b"<noscript>", b"<plaintext>", b"<select><option>", b"<frameset>", b"http://[::ffff:1.2.3.4]/",
          b"http://0x7f.1/", b"http://xn--/", b"//\\", b"%00", b"&NewLine;", b"&Tab;", b"j\tavascript:", b"data:text/html;base64,", b"@import url(",
          b"calc(", b"rgba(", b"display:none", b"font-size:0", b"!important", b"/*", b"*/", b"\xe2\x80\xae", b"\xf0\x9d\x90\x80", b"\xcc\x81",
          b"\x1f\x8b\x08\x00", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\xfd7zXZ\0",
          b"ustar", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"%PDF-", b"/Encrypt", b"MSCF", b"ISc("]


def mutate(rng, data, others):
    data = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(data) + 1)
        n = rng.randint(1, 60)
        what = rng.randrange(7)
        if what == 0:
            data[at:at + 1] = bytes([rng.randrange(256)])
        elif what == 1:
            del data[at:at + n]
        elif what == 2:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            data[at:at] = other[start:start + rng.randint(1, 3000)]
        elif what == 3:
            data[at:at] = rng.choice(TOKENS) * rng.choice([1, 1, 1, 2, 5, 300])
        elif what == 4:
            del data[at + 2000:]
        elif what == 5 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        else:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start:start + n]
    return bytes(data)


def main():
    program, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    rng = random.Random(seed)
    messages = []
    for path in sys.argv[4:]:
        raw = open(path, "rb").read()
        if raw.startswith(b"From "):
            messages += [m.as_bytes() for m in mailbox.mbox(path)]
        elif raw:
            messages.append(raw)
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    options = ["--unwrap", "--authserv-id=mx.example.org", "--authserv-id="] + (["--qr"] if "+qr" in version else [])
    small = [m for m in messages if len(m) < 60000]
    end = time.time() + seconds
    rounds = tried = bad = 0
    while time.time() < end:
        folder = tempfile.mkdtemp()
        for i in range(100):
            with open(f"{folder}/{i:03}.eml", "wb") as f:
                f.write(mutate(rng, rng.choice(small), small))
        run = subprocess.run([program, "-n", "-q", *options, "--format=eml", folder], capture_output=True, timeout=300,
                             env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        rounds += 1
        tried += 100
        # 2: a message that begins as a compressed file does
        if run.returncode not in (0, 2):
            bad += 1
            shutil.move(folder, f"crash-{seed}-{rounds}")
            print(run.stderr.decode("utf-8", "replace")[:3000])
        else:
            shutil.rmtree(folder)
    print(f"{tried} messages, {bad} rounds failed")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
