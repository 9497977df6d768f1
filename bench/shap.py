#!/usr/bin/env python3
"""Exact SHAP values: assay.contributions through SQL beside the libraries' own.

    python3 bench/shap.py [--rows 20000] [--repeats 5]

wants numpy, xgboost and lightgbm, and starts a private cluster (tools/cluster).
Prints markdown tables.  A figure is the median of the repeats, in microseconds
a row, on one core: the library's calls and the SQL alternate in one run.
XGBoost is given its best case, one call for a batch of rows (--library-rows);
LightGBM is called row by row by its C API's fast path, from C.  Every value
that is timed is compared as well.
"""
import argparse
import statistics
import time

import lightgbm as lgb
import numpy as np
import xgboost as xgb

from libraries import FEATURES, Database, LightGBMFast, data


def largest_difference(database, name, expected):
    """Of the SQL's values for the first rows from the library's."""
    lines = database.sql(f"SELECT assay.contributions(m.model, r.x) FROM model m, probe r WHERE m.name = '{name}' "
                         f"AND r.id <= {len(expected)} ORDER BY r.id")
    found = np.array([[float(v) for v in line.strip("{}").split(",")] for line in lines])
    return np.abs(found - expected).max()


def measure(database, name, rows, repeats, library_seconds, library_rows):
    """Alternates the library and the SQL; returns both in microseconds a row."""
    query = (f"SELECT count(assay.contributions(m.model, r.x)) FROM model m, probe r "
             f"WHERE m.name = '{name}' AND r.id <= {rows}")
    ours, theirs = [], []
    for _ in range(repeats):
        theirs.append(library_seconds() / library_rows * 1e6)
        ours.append(database.seconds(query) / rows * 1e6)
    return statistics.median(ours), statistics.median(theirs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--library-rows", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    x, y = data(options.rows)
    some = x[:options.library_rows]
    wide = some.astype(np.float64)

    database = Database("bench_shap", x)
    print(f"Exact SHAP values, {FEATURES} features, one core, microseconds a row (medians of {options.repeats}); "
          f"xgboost {xgb.__version__}, lightgbm {lgb.__version__}\n")
    print("| model | trees | size | library | pg_assay, SQL | ratio | largest difference |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |")

    def report(kind, trees, size, name, expected, library_seconds):
        difference = largest_difference(database, name, expected)
        ours, theirs = measure(database, name, options.rows, options.repeats, library_seconds, len(some))
        print(f"| {kind} | {trees} | {size} | {theirs:.1f} | {ours:.1f} | {ours / theirs:.3f} | {difference:.1e} |",
              flush=True)
        # XGBoost's are sums of float32
        if not difference < 1e-3:
            raise SystemExit(f"{name}: contributions differ from the library's")

    def report_xgboost(booster, depth, trees):
        booster.set_param({"nthread": 1})
        name = f"xgboost_{depth}_{trees}"
        database.load(name, "model_from_xgboost", bytes(booster.save_raw("ubj")))

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
        database.load(name, "model_from_lightgbm", booster.model_to_string().encode())
        fast = LightGBMFast(booster, some, LightGBMFast.CONTRIBUTIONS)
        report("LightGBM", trees, f"{leaves} leaves", name, booster.predict(wide, pred_contrib=True),
               fast.seconds)

    database.stop()


if __name__ == "__main__":
    main()
