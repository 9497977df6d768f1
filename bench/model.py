#!/usr/bin/env python3
"""Predictions: assay.predict through SQL beside the libraries' own calls.

    python3 bench/model.py [--rows 20000] [--repeats 5]

wants numpy, xgboost and lightgbm, and starts a private cluster (tools/cluster).
Prints markdown tables.  A figure is the median of the repeats, in microseconds
a row, on one core; the library's calls and the SQL alternate in one run.
XGBoost is given its best case, one inplace_predict for all rows, and its worst,
a call for each row, as PL/Python would make it; LightGBM is called row by row by
its C API's fast path, without Python in between.  Every value is compared.
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
COLUMNS = 200


def cluster(*arguments, **options):
    return subprocess.run([os.path.join(TOP, "tools/cluster"), *arguments], check=True, **options)


def sql(text):
    """Runs statements; returns the lines of their results."""
    done = cluster("psql", "bench", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", "bench_model", input=text, text=True,
                   stdout=subprocess.PIPE)
    return done.stdout.splitlines()


def sql_seconds(query):
    """Time of a query's second run; the first fills the caches."""
    lines = sql("SET jit = off; SET max_parallel_workers_per_gather = 0;\n\\timing on\n" + (query + ";\n") * 2)
    times = [float(line.split()[1]) / 1000 for line in lines if line.startswith("Time:")]
    return times[-1]


def data(rows, seed=1):
    """Rows with gaps and a label that depends on a few features."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    x[rng.random(x.shape) < 0.05] = np.nan
    filled = np.nan_to_num(x)
    signal = (filled[:, :20] @ rng.normal(size=20) + 2 * np.sin(3 * filled[:, 20]) + filled[:, 21] * filled[:, 22])
    return x, (signal + rng.normal(size=rows) > 0).astype(int)


class LightGBMFast:
    """LGBM_BoosterPredictForMatSingleRowFast, for probabilities."""

    def __init__(self, booster):
        self.library = lgb.basic._LIB
        self.handle = booster._handle
        self.config = ctypes.c_void_p()
        self.out = (ctypes.c_double * 1)()
        self.length = ctypes.c_int64()
        normal, float64 = 0, 1
        if self.library.LGBM_BoosterPredictForMatSingleRowFastInit(
                self.handle, ctypes.c_int(normal), ctypes.c_int(0), ctypes.c_int(-1), ctypes.c_int(float64),
                ctypes.c_int32(FEATURES), ctypes.c_char_p(b"num_threads=1"), ctypes.byref(self.config)):
            sys.exit("LightGBM refuses the call")

    def seconds(self, pointers):
        call, config, out = self.library.LGBM_BoosterPredictForMatSingleRowFast, self.config, self.out
        length = ctypes.byref(self.length)
        start = time.perf_counter()
        for pointer in pointers:
            call(config, pointer, length, out)
        return time.perf_counter() - start


def load(name, builder, document):
    """Makes a model in the server from a file's content, and one with names."""
    content = f"decode('{document.hex()}', 'hex')"
    if builder == "model_from_lightgbm":
        content = f"convert_from({content}, 'UTF8')"
    names = "{" + ",".join(f"f{i}" for i in range(FEATURES)) + "}"
    sql(f"INSERT INTO model SELECT '{name}', assay.model_with_names(assay.{builder}({content}), '{names}')")


def query(name, function, table, rows):
    return f"SELECT count(assay.{function}(m.model, r)) FROM model m, {table} WHERE m.name = '{name}' AND id <= {rows}"


def differing(name, expected, single):
    lines = sql(f"SELECT assay.predict(m.model, r.x){'::real' if single else ''} FROM model m, probe r "
                f"WHERE m.name = '{name}' ORDER BY r.id")
    return int((np.array(lines, dtype=expected.dtype) != expected).sum())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--train", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    x, y = data(options.rows)
    some = slice(0, options.train)
    wide = np.ascontiguousarray(x, dtype=np.float64)
    pointers = [row.ctypes.data_as(ctypes.c_void_p) for row in wide]

    cluster("start", "bench", "shared_buffers=256MB")
    cluster("psql", "bench", "-qc", "DROP DATABASE IF EXISTS bench_model")
    cluster("psql", "bench", "-qc", "CREATE DATABASE bench_model")
    sql("CREATE EXTENSION pg_assay; CREATE TABLE model (name text, model assay.model);"
        "CREATE TABLE probe (id int, x real[]);\nCOPY probe FROM stdin;\n" +
        "\n".join(f"{i + 1}\t{{{','.join(str(v) for v in row)}}}" for i, row in enumerate(x)) + "\n\\.\n"
        f"CREATE TABLE signals AS SELECT id" +
        "".join(f", x[{i + 1}] AS f{i}" if i < FEATURES else f", {i}::real AS other{i}"
                for i in sorted(range(COLUMNS - 1), key=lambda i: i * 37 % 199)) +
        " FROM probe; VACUUM ANALYZE probe, signals;")

    def measure(name, library_seconds, record=False):
        """Alternates the library and the SQL; medians in microseconds a row."""
        forms = [query(name, "predict", "LATERAL (SELECT id, x AS r FROM probe) s", options.rows)]
        if record:
            forms.append(query(name, "predict", "signals r", options.rows).replace("AND id", "AND r.id"))
        times = [[] for _ in forms]
        theirs = []
        for _ in range(options.repeats):
            theirs.append(library_seconds())
            for form, mine in zip(forms, times):
                mine.append(sql_seconds(form))
        return [statistics.median(t) / options.rows * 1e6 for t in [theirs] + times]

    print(f"Predictions of {options.rows} stored rows, {FEATURES} features, one core, microseconds a row (medians of "
          f"{options.repeats}); xgboost {xgb.__version__}, lightgbm {lgb.__version__}\n")
    print(f"| model | trees | size | library | predict(model, real[]) | ratio | of a record of {COLUMNS} columns | to the array | rows that differ |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")

    def report(kind, trees, size, name, expected, library_seconds, single, record):
        figures = measure(name, library_seconds, record)
        line = f"| {kind} | {trees} | {size} | {figures[0]:.2f} | {figures[1]:.2f} | {figures[1] / figures[0]:.2f} | "
        line += f"{figures[2]:.2f} | {figures[2] / figures[1]:.2f} | " if record else "| | "
        print(line + f"{differing(name, expected, single)} |", flush=True)

    def timed(call):
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    # The cost grows with the trees and with their depth
    for depth, parts in ((6, (500, 62, 125, 250)), (4, (100,)), (2, (100,)), (8, (100,)), (10, (100,))):
        booster = xgb.train({"objective": "binary:logistic", "max_depth": depth, "eta": 0.05, "nthread": 2,
                             "min_child_weight": 0, "lambda": 0.01, "max_bin": 64}, xgb.DMatrix(x[some], y[some]), parts[0])
        for trees in parts:
            part = booster if trees == parts[0] else booster[:trees]
            name = f"xgboost_{depth}_{trees}"
            load(name, "model_from_xgboost", bytes(part.save_raw("ubj")))
            part.set_param({"nthread": 1})
            report("XGBoost", trees, f"depth {depth}", name, part.inplace_predict(x),
                   lambda: timed(lambda: part.inplace_predict(x)), True, depth == 6 and trees == 500)
            if depth == 6 and trees == 500:
                single = timed(lambda: [part.inplace_predict(x[i:i + 1]) for i in range(500)]) / 500 * 1e6
                print(f"| XGBoost, a call a row | {trees} | depth {depth} | {single:.2f} | | | | | |", flush=True)
    for leaves, trees in ((31, 100), (31, 500), (64, 500)):
        booster = lgb.train({"objective": "binary", "num_leaves": leaves, "learning_rate": 0.05, "num_threads": 2,
                             "min_data_in_leaf": 5, "verbose": -1}, lgb.Dataset(x[some], y[some]), trees)
        name = f"lightgbm_{leaves}_{trees}"
        load(name, "model_from_lightgbm", booster.model_to_string().encode())
        fast = LightGBMFast(booster)
        report("LightGBM, single-row fast path", trees, f"{leaves} leaves", name, booster.predict(wide),
               lambda: fast.seconds(pointers), False, False)

    cluster("stop", "bench")


if __name__ == "__main__":
    main()
