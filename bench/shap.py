#!/usr/bin/env python3
"""Exact SHAP values: assay.contributions through SQL beside the libraries' own.

    python3 bench/shap.py [--rows 20000] [--repeats 5]

wants numpy, xgboost and lightgbm, and starts a private cluster (tools/cluster).
Prints markdown tables.  A figure is the median of the repeats, in microseconds
a row, on one core: the library's calls and the SQL alternate in one run.
XGBoost is given its best case, one call for a batch of rows (--library-rows);
LightGBM is called row by row by its C API's fast path, which saves what Python
would add.  Every value that is timed is compared as well.
"""
import argparse
import ctypes
import os
import statistics
import subprocess
import sys
import time

import lightgbm as lgb
import numpy as np
import xgboost as xgb

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
FEATURES = 120


def cluster(*arguments, **options):
    return subprocess.run([os.path.join(TOP, "tools/cluster"), *arguments], check=True, **options)


def sql(text):
    """Runs statements; returns the lines of their results."""
    done = cluster("psql", "bench", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", "bench_shap", input=text, text=True,
                   stdout=subprocess.PIPE)
    return done.stdout.splitlines()


def sql_seconds(query, repeats):
    """Times of a query; the first run, which fills the caches, doesn't count."""
    lines = sql("SET jit = off; SET max_parallel_workers_per_gather = 0;\n\\timing on\n" + (query + ";\n") * (repeats + 1))
    times = [float(line.split()[1]) / 1000 for line in lines if line.startswith("Time:")]
    return times[-repeats:]


def data(rows, seed=1):
    """Rows with gaps and a label that depends on a few features."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    x[rng.random(x.shape) < 0.05] = np.nan
    filled = np.nan_to_num(x)
    signal = (filled[:, :20] @ rng.normal(size=20) + 2 * np.sin(3 * filled[:, 20]) + filled[:, 21] * filled[:, 22])
    return x, (signal + rng.normal(size=rows) > 0).astype(int)


class LightGBMFast:
    """LGBM_BoosterPredictForMatSingleRowFast, for SHAP values, without Python in between."""

    def __init__(self, booster):
        self.library = lgb.basic._LIB
        self.handle = booster._handle
        self.config = ctypes.c_void_p()
        self.out = (ctypes.c_double * (FEATURES + 1))()
        self.length = ctypes.c_int64()
        contributions, float64 = 3, 1
        self.call(self.library.LGBM_BoosterPredictForMatSingleRowFastInit(
            self.handle, ctypes.c_int(contributions), ctypes.c_int(0), ctypes.c_int(-1), ctypes.c_int(float64),
            ctypes.c_int32(FEATURES), ctypes.c_char_p(b"num_threads=1"), ctypes.byref(self.config)))

    @staticmethod
    def call(status):
        if status != 0:
            sys.exit("LightGBM refuses the call")

    def seconds(self, rows):
        call, config, out = self.library.LGBM_BoosterPredictForMatSingleRowFast, self.config, self.out
        length = ctypes.byref(self.length)
        pointers = [row.ctypes.data_as(ctypes.c_void_p) for row in rows]
        start = time.perf_counter()
        for pointer in pointers:
            status = call(config, pointer, length, out)
        stop = time.perf_counter()
        self.call(status)
        return stop - start


def load(name, builder, document):
    """Makes a model in the server from a file's content."""
    content = f"decode('{document.hex()}', 'hex')"
    if builder == "model_from_lightgbm":
        content = f"convert_from({content}, 'UTF8')"
    sql(f"INSERT INTO model SELECT '{name}', assay.{builder}({content})")


def largest_difference(name, expected):
    """Of the SQL's values for the first rows from the library's."""
    lines = sql(f"SELECT assay.contributions(m.model, r.x) FROM model m, probe r WHERE m.name = '{name}' "
                f"AND r.id <= {len(expected)} ORDER BY r.id")
    found = np.array([[float(v) for v in line.strip("{}").split(",")] for line in lines])
    return np.abs(found - expected).max()


def measure(name, rows, repeats, library_seconds, library_rows):
    """Alternates the library and the SQL; returns both in microseconds a row."""
    query = (f"SELECT count(assay.contributions(m.model, r.x)) FROM model m, probe r "
             f"WHERE m.name = '{name}' AND r.id <= {rows}")
    ours, theirs = [], []
    for _ in range(repeats):
        theirs.append(library_seconds() / library_rows * 1e6)
        ours += [s / rows * 1e6 for s in sql_seconds(query, 1)]
    return statistics.median(ours), statistics.median(theirs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--library-rows", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    x, y = data(options.rows)
    some = x[:options.library_rows]
    wide = np.ascontiguousarray(some, dtype=np.float64)

    cluster("start", "bench", "shared_buffers=256MB")
    cluster("psql", "bench", "-qc", "DROP DATABASE IF EXISTS bench_shap")
    cluster("psql", "bench", "-qc", "CREATE DATABASE bench_shap")
    sql("CREATE EXTENSION pg_assay; CREATE TABLE model (name text, model assay.model);"
        "CREATE TABLE probe (id int, x real[]);\nCOPY probe FROM stdin;\n" +
        "\n".join(f"{i + 1}\t{{{','.join(str(v) for v in row)}}}" for i, row in enumerate(x)) + "\n\\.\nANALYZE probe;")

    print(f"Exact SHAP values, {FEATURES} features, one core, microseconds a row (medians of {options.repeats}); "
          f"xgboost {xgb.__version__}, lightgbm {lgb.__version__}\n")
    print("| model | trees | size | library | pg_assay, SQL | ratio | largest difference |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |")

    def report(kind, trees, size, name, expected, library_seconds):
        difference = largest_difference(name, expected)
        ours, theirs = measure(name, options.rows, options.repeats, library_seconds, len(some))
        print(f"| {kind} | {trees} | {size} | {theirs:.1f} | {ours:.1f} | {ours / theirs:.3f} | {difference:.1e} |",
              flush=True)

    def report_xgboost(booster, depth, trees):
        booster.set_param({"nthread": 1})
        name = f"xgboost_{depth}_{trees}"
        load(name, "model_from_xgboost", bytes(booster.save_raw("ubj")))

        def seconds():
            matrix = xgb.DMatrix(some, nthread=1)
            start = time.perf_counter()
            booster.predict(matrix, pred_contribs=True)
            return time.perf_counter() - start

        report("XGBoost", trees, f"depth {depth}", name, booster.predict(xgb.DMatrix(some), pred_contribs=True), seconds)

    # The cost grows with the trees and with what they hold
    for depth, trees, parts in ((6, 500, (100, 250)), (2, 100, ()), (4, 100, ()), (8, 100, ()), (12, 100, ())):
        booster = xgb.train({"objective": "binary:logistic", "max_depth": depth, "eta": 0.1, "nthread": 2},
                            xgb.DMatrix(x, y), trees)
        for part in parts:
            report_xgboost(booster[:part], depth, part)
        report_xgboost(booster, depth, trees)

    for leaves, trees in ((31, 100), (64, 500)):
        booster = lgb.train({"objective": "binary", "num_leaves": leaves, "learning_rate": 0.1, "num_threads": 2,
                             "verbose": -1}, lgb.Dataset(x, y), trees)
        name = f"lightgbm_{leaves}_{trees}"
        load(name, "model_from_lightgbm", booster.model_to_string().encode())
        fast = LightGBMFast(booster)
        report("LightGBM", trees, f"{leaves} leaves", name, booster.predict(wide, pred_contrib=True),
               lambda: fast.seconds(wide))

    cluster("stop", "bench")


if __name__ == "__main__":
    main()
