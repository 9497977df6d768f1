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
          b"Content-Transfer-Encoding: base64\n", b"Content-Type: message/rfc822\n\n", b"charset=", b"\xe2\x80\x8b", b"\xe2\x80\x8d"]


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
        if run.returncode != 0:
            bad += 1
            shutil.move(folder, f"crash-{seed}-{rounds}")
            print(run.stderr.decode("utf-8", "replace")[:3000])
        else:
            shutil.rmtree(folder)
    print(f"{tried} messages, {bad} rounds failed")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
