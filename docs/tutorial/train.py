"""Makes links.txt and margins.csv of docs/tutorial_models.md from its training data, on standard input as CSV:

    psql -XqAt -c "COPY (SELECT * FROM training ORDER BY id) TO STDOUT (FORMAT csv, HEADER)" | python3 train.py
"""
import csv
import sys
from pathlib import Path

import lightgbm
import numpy

names = ["links", "domain_age", "words", "known_sender"]
rows = list(csv.DictReader(sys.stdin))
number = {"t": 1.0, "f": 0.0, "": numpy.nan}
x = numpy.array([[number[v] if v in number else float(v) for v in (row[n] for n in names)] for row in rows])
y = numpy.array([number[row["malicious"]] for row in rows])
parameters = {"objective": "binary", "num_leaves": 5, "learning_rate": 0.3, "min_data_in_leaf": 10,
              "deterministic": True, "num_threads": 1, "seed": 1, "verbosity": -1}
model = lightgbm.train(parameters, lightgbm.Dataset(x, y, feature_name=names), num_boost_round=12)

here = Path(__file__).parent
model.save_model(here / "links.txt")
with open(here / "margins.csv", "w") as out:
    for row, margin in list(zip(rows, model.predict(x, raw_score=True)))[:200]:
        print(row["id"], repr(float(margin)), sep=",", file=out)
