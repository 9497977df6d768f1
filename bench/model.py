#!/usr/bin/env python3
"""Predictions: assay.predict through SQL beside the libraries' own calls.

    python3 bench/model.py [--rows 20000] [--repeats 5]

wants numpy, xgboost and lightgbm, and starts a private cluster (tools/cluster).
Prints markdown tables.  A figure is the median of the repeats, in microseconds
a row, on one core; the library's calls and the SQL alternate in one run.
XGBoost is given its best case, one inplace_predict for all rows, and two calls
a row: from Python, and from PL/Python, when the server has plpython3u (Debian:
postgresql-plpython3-15).  LightGBM is called row by row by its C API's fast
path, from C.  Every value is compared.
"""
import argparse
import statistics
import sys
import time

import lightgbm as lgb
import numpy as np
import xgboost as xgb

from libraries import FEATURES, Database, LightGBMFast, data

COLUMNS = 200

# XGBoost as PL/Python is used: the model is kept between the calls
PL_PYTHON = """
CREATE EXTENSION IF NOT EXISTS plpython3u;
CREATE TABLE IF NOT EXISTS document (name text PRIMARY KEY, content bytea);
CREATE OR REPLACE FUNCTION python_predict(name text, features real[]) RETURNS double precision LANGUAGE plpython3u AS $$
    if name not in GD:
        import sys
        sys.path[:0] = {path}
        import numpy
        import xgboost
        GD["numpy"] = numpy
        content = plpy.execute("SELECT content FROM document WHERE name = " + plpy.quote_literal(name))[0]["content"]
        GD[name] = xgboost.Booster({{"nthread": 1}}, model_file=bytearray(content))
    numpy = GD["numpy"]
    return float(GD[name].inplace_predict(numpy.array([features], dtype=numpy.float32))[0])
$$;
INSERT INTO document VALUES ('{name}', decode('{document}', 'hex'));
"""


def query(name, function, table, rows):
    return f"SELECT count(assay.{function}(m.model, r)) FROM model m, {table} WHERE m.name = '{name}' AND id <= {rows}"


def differing(database, name, expected, single):
    lines = database.sql(f"SELECT assay.predict(m.model, r.x){'::real' if single else ''} FROM model m, probe r "
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
    wide = x.astype(np.float64)

    database = Database("bench_model", x)
    database.sql("CREATE TABLE signals AS SELECT id" +
                 "".join(f", x[{i + 1}] AS f{i}" if i < FEATURES else f", {i}::real AS other{i}"
                         for i in sorted(range(COLUMNS - 1), key=lambda i: i * 37 % 199)) +
                 " FROM probe; VACUUM ANALYZE signals;")
    python = bool(database.sql("SELECT 1 FROM pg_available_extensions WHERE name = 'plpython3u'"))

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
                mine.append(database.seconds(form))
        return [statistics.median(t) / options.rows * 1e6 for t in [theirs] + times]

    print(f"Predictions of {options.rows} stored rows, {FEATURES} features, one core, microseconds a row (medians of "
          f"{options.repeats}); xgboost {xgb.__version__}, lightgbm {lgb.__version__}\n")
    print(f"| model | trees | size | library | predict(model, real[]) | ratio | of a record of {COLUMNS} columns | to the array | rows that differ |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")

    def report(kind, trees, size, name, expected, library_seconds, single, record):
        figures = measure(name, library_seconds, record)
        line = f"| {kind} | {trees} | {size} | {figures[0]:.2f} | {figures[1]:.2f} | {figures[1] / figures[0]:.2f} | "
        line += f"{figures[2]:.2f} | {figures[2] / figures[1]:.2f} | " if record else "| | "
        differ = differing(database, name, expected, single)
        print(line + f"{differ} |", flush=True)
        if differ:
            raise SystemExit(f"{name}: predictions differ from the library's")

    def timed(call):
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    def report_python(name, trees, depth, document):
        """PL/Python and ours alternate, over the same rows."""
        database.sql(PL_PYTHON.format(path=[p for p in sys.path if "-packages" in p], name=name, document=document.hex()))
        rows = min(options.rows, 1000)
        differ = database.sql(f"SELECT count(*) FROM model m, probe WHERE m.name = '{name}' AND id <= {rows} "
                              f"AND python_predict('{name}', x) IS DISTINCT FROM assay.predict(m.model, x)")[0]
        times = [[database.seconds(form) / rows * 1e6 for form in
                  (f"SELECT count(python_predict('{name}', x)) FROM probe WHERE id <= {rows}",
                   query(name, "predict", "LATERAL (SELECT id, x AS r FROM probe) s", rows))]
                 for _ in range(options.repeats)]
        theirs, ours = (statistics.median(t) for t in zip(*times))
        print(f"| XGBoost, a call a row from PL/Python | {trees} | depth {depth} | {theirs:.2f} | {ours:.2f} | "
              f"{ours / theirs:.4f} (1 : {theirs / ours:.0f}) | | | {differ} |", flush=True)
        if differ != "0":
            raise SystemExit(f"{name}: predictions differ from PL/Python's")

    # The cost grows with the trees and with their depth
    for depth, parts in ((6, (500, 62, 125, 250)), (4, (100,)), (2, (100,)), (8, (100,)), (10, (100,))):
        booster = xgb.train({"objective": "binary:logistic", "max_depth": depth, "eta": 0.05, "nthread": 2,
                             "min_child_weight": 0, "lambda": 0.01, "max_bin": 64}, xgb.DMatrix(x[some], y[some]), parts[0])
        for trees in parts:
            part = booster if trees == parts[0] else booster[:trees]
            name = f"xgboost_{depth}_{trees}"
            document = bytes(part.save_raw("ubj"))
            database.load(name, "model_from_xgboost", document)
            part.set_param({"nthread": 1})
            report("XGBoost", trees, f"depth {depth}", name, part.inplace_predict(x),
                   lambda: timed(lambda: part.inplace_predict(x)), True, depth == 6 and trees == 500)
            if depth == 6 and trees == 500:
                single = timed(lambda: [part.inplace_predict(x[i:i + 1]) for i in range(500)]) / 500 * 1e6
                print(f"| XGBoost, a call a row from Python | {trees} | depth {depth} | {single:.2f} | | | | | |", flush=True)
                if python:
                    report_python(name, trees, depth, document)
    for leaves, trees in ((31, 100), (31, 500), (64, 500)):
        booster = lgb.train({"objective": "binary", "num_leaves": leaves, "learning_rate": 0.05, "num_threads": 2,
                             "min_data_in_leaf": 5, "verbose": -1}, lgb.Dataset(x[some], y[some]), trees)
        name = f"lightgbm_{leaves}_{trees}"
        database.load(name, "model_from_lightgbm", booster.model_to_string().encode())
        fast = LightGBMFast(booster, wide, LightGBMFast.NORMAL)
        report("LightGBM, single-row fast path", trees, f"{leaves} leaves", name, booster.predict(wide),
               fast.seconds, False, False)

    database.stop()


if __name__ == "__main__":
    main()
