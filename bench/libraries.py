"""What bench/model.py and bench/shap.py share: a private cluster, and the libraries."""
import os
import subprocess
import tempfile

import lightgbm as lgb
import numpy as np

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
FEATURES = 120

# LightGBM's single-row fast path as a C program calls it
CALLER = r"""
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* caller LIBRARY MODEL ROWS(float64, binary) NCOL NROW TYPE OUTPUTS: seconds */
int main(int argc, char **argv)
{
	void *library = dlopen(argv[1], RTLD_NOW);
	int (*load)(const char *, int *, void **) = dlsym(library, "LGBM_BoosterCreateFromModelfile");
	int (*init)(void *, int, int, int, int, int32_t, const char *, void **) =
		dlsym(library, "LGBM_BoosterPredictForMatSingleRowFastInit");
	int (*predict)(void *, const void *, int64_t *, double *) =
		dlsym(library, "LGBM_BoosterPredictForMatSingleRowFast");
	int ncol = atoi(argv[4]), nrow = atoi(argv[5]), iterations;
	double *rows = malloc(sizeof(double) * ncol * nrow), *out = malloc(sizeof(double) * atoi(argv[7]));
	void *booster, *config;
	int64_t length;
	struct timespec a, b;
	FILE *file = fopen(argv[3], "rb");

	if (fread(rows, sizeof(double) * ncol, nrow, file) != nrow || load(argv[2], &iterations, &booster) ||
		init(booster, atoi(argv[6]), 0, -1, 1, ncol, "num_threads=1", &config))
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < nrow; i++)
		if (predict(config, rows + (size_t) i * ncol, &length, out))
			return 1;
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.9f\n", (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9);
	return 0;
}
"""


def cluster(*arguments, **options):
    return subprocess.run([os.path.join(TOP, "tools/cluster"), *arguments], check=True, **options)


class Database:
    """A new database with the extension, a table of models and one of rows."""

    def __init__(self, name, rows):
        self.name = name
        cluster("start", "bench", "shared_buffers=256MB")
        cluster("psql", "bench", "-qc", f"DROP DATABASE IF EXISTS {name}")
        cluster("psql", "bench", "-qc", f"CREATE DATABASE {name}")
        self.sql("CREATE EXTENSION pg_assay; CREATE TABLE model (name text, model assay.model);"
                 "CREATE TABLE probe (id int, x real[]);\nCOPY probe FROM stdin;\n" +
                 "\n".join(f"{i + 1}\t{{{','.join(str(v) for v in row)}}}" for i, row in enumerate(rows)) +
                 "\n\\.\nVACUUM ANALYZE probe;")

    def sql(self, text):
        """Runs statements; returns the lines of their results."""
        done = cluster("psql", "bench", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", self.name, input=text, text=True,
                       stdout=subprocess.PIPE)
        return done.stdout.splitlines()

    def seconds(self, query):
        """Time of a query's second run; the first fills the caches."""
        lines = self.sql("SET jit = off; SET max_parallel_workers_per_gather = 0;\n\\timing on\n" + (query + ";\n") * 2)
        return [float(line.split()[1]) / 1000 for line in lines if line.startswith("Time:")][-1]

    def load(self, name, builder, document):
        """Makes a model of a file's content, with names for its features."""
        content = f"decode('{document.hex()}', 'hex')"
        if builder == "model_from_lightgbm":
            content = f"convert_from({content}, 'UTF8')"
        names = "{" + ",".join(f"f{i}" for i in range(FEATURES)) + "}"
        self.sql(f"INSERT INTO model SELECT '{name}', assay.model_with_names(assay.{builder}({content}), '{names}')")

    def stop(self):
        cluster("stop", "bench")


def data(rows, seed=1):
    """Rows with gaps and a label that depends on a few features."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    x[rng.random(x.shape) < 0.05] = np.nan
    filled = np.nan_to_num(x)
    signal = (filled[:, :20] @ rng.normal(size=20) + 2 * np.sin(3 * filled[:, 20]) + filled[:, 21] * filled[:, 22])
    return x, (signal + rng.normal(size=rows) > 0).astype(int)


class LightGBMFast:
    """LGBM_BoosterPredictForMatSingleRowFast, row by row."""
    NORMAL, CONTRIBUTIONS = 0, 3

    def __init__(self, booster, rows, kind):
        self.folder = tempfile.TemporaryDirectory()
        program, model, values = (os.path.join(self.folder.name, n) for n in ("caller", "model", "rows"))
        subprocess.run(["cc", "-O2", "-x", "c", "-o", program, "-", "-ldl"], input=CALLER, text=True, check=True)
        booster.save_model(model)
        np.ascontiguousarray(rows, dtype=np.float64).tofile(values)
        library = os.path.join(os.path.dirname(lgb.__file__), "lib", "lib_lightgbm.so")
        outputs = FEATURES + 1 if kind == self.CONTRIBUTIONS else 1
        self.command = [program, library, model, values] + [str(n) for n in (FEATURES, len(rows), kind, outputs)]

    def seconds(self):
        return float(subprocess.run(self.command, check=True, stdout=subprocess.PIPE, text=True).stdout)
