"""What the server predicts is what the library predicts, to the last bit where that is promised."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import NAMES, ROWS, dataset, served

import pg_assay
from pg_assay.sklearn import UnsupportedModel, _left_of

PROBABILITY = 1e-14     # relative, where the library has an exp() of its own


def around_float32(x: np.ndarray) -> np.ndarray:
    """Each value, and its neighbours: halfway between two float32, and the float64 beside that."""
    f = x.astype(np.float32)
    half = (f.astype(float) + np.nextafter(f, np.float32(np.inf)).astype(float)) / 2
    return np.vstack([x, f.astype(float), half, np.nextafter(half, -np.inf), np.nextafter(half, np.inf)])


def test_xgboost(conn):
    xgboost = pytest.importorskip("xgboost")
    x, y = dataset()
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 4, "nthread": 1},
                            xgboost.DMatrix(x, y, feature_names=NAMES), 20)
    value = pg_assay.model_value(conn, booster)
    assert value.features == NAMES
    wanted = booster.predict(xgboost.DMatrix(x, feature_names=NAMES))
    assert np.array_equal(served(conn, value, x).astype(np.float32), wanted)
    assert not np.array_equal(served(conn, value, x[::-1]).astype(np.float32), wanted)


def test_xgboost_estimator(conn):
    xgboost = pytest.importorskip("xgboost")
    x, y = dataset(2)
    model = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2, n_jobs=1)
    model.fit(x[:200], y[:200], eval_set=[(x[200:], y[200:])], verbose=False)
    assert model.best_iteration < 59
    with pytest.raises(ValueError, match="no names"):
        pg_assay.model_value(conn, model)
    value = pg_assay.model_value(conn, model, features=NAMES)
    assert np.array_equal(served(conn, value, x).astype(np.float32), model.predict_proba(x)[:, 1])


def test_lightgbm(conn):
    lightgbm = pytest.importorskip("lightgbm")
    x, y = dataset(3)
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1},
                             lightgbm.Dataset(x, y, feature_name=NAMES), 20)
    value = pg_assay.model_value(conn, booster)
    assert value.features == NAMES
    assert np.array_equal(served(conn, value, x), booster.predict(x))
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(x, y)
    assert np.array_equal(served(conn, pg_assay.model_value(conn, model), x, "margin"),
                          model.predict_proba(x, raw_score=True))


def test_catboost(conn):
    catboost = pytest.importorskip("catboost", reason="catboost is not installed")
    x, y = dataset(4)
    model = catboost.CatBoostClassifier(iterations=20, verbose=False, thread_count=1, allow_writing_files=False)
    model.fit(x, y)
    value = pg_assay.model_value(conn, model, features=NAMES)
    assert np.array_equal(served(conn, value, x, "margin"), model.predict(x, prediction_type="RawFormulaVal"))
    assert np.array_equal(served(conn, value, x), model.predict_proba(x)[:, 1])


@pytest.mark.parametrize("kind", ["RandomForestClassifier", "ExtraTreesClassifier"])
@pytest.mark.parametrize("missing", [False, True])
def test_forest(conn, kind, missing):
    ensemble = pytest.importorskip("sklearn.ensemble")
    x, y = dataset(5, missing)
    model = getattr(ensemble, kind)(n_estimators=15, random_state=1, n_jobs=1).fit(x, y)
    rows = around_float32(x)
    value = pg_assay.model_value(conn, model, features=NAMES)
    assert np.array_equal(served(conn, value, rows), model.predict_proba(rows)[:, 1])
    # as a detector it hits from the threshold on
    value = pg_assay.model_value(conn, model, features=NAMES, threshold=0.5)
    assert np.array_equal(served(conn, value, rows, "margin"), model.predict_proba(rows)[:, 1] - 0.5)


def test_forest_at_its_thresholds(conn):
    ensemble = pytest.importorskip("sklearn.ensemble")
    x, y = dataset(6, False)
    model = ensemble.RandomForestClassifier(n_estimators=3, random_state=1).fit(x, y)
    edges = []
    for tree in model.estimators_:
        for feature, threshold in zip(tree.tree_.feature, tree.tree_.threshold):
            for value in (threshold, _left_of(threshold), np.nextafter(_left_of(threshold), np.inf)):
                if feature >= 0:
                    edges.append(np.where(np.arange(3) == feature, value, x[len(edges) % ROWS]))
    rows = np.array(edges)
    value = pg_assay.model_value(conn, model, features=NAMES)
    assert np.array_equal(served(conn, value, rows), model.predict_proba(rows)[:, 1])


def test_forest_of_classes_and_numbers(conn):
    ensemble = pytest.importorskip("sklearn.ensemble")
    tree = pytest.importorskip("sklearn.tree")
    x, y = dataset(7, False)
    classes = y + (x[:, 2] > 0.5)
    model = ensemble.RandomForestClassifier(n_estimators=7, random_state=1, n_jobs=1).fit(x, classes)
    value = pg_assay.model_value(conn, model, features=NAMES)
    assert np.array_equal(served(conn, value, x, "predict_vector"), model.predict_proba(x))
    for model in (ensemble.RandomForestRegressor(n_estimators=7, random_state=1, n_jobs=1),
                  tree.DecisionTreeRegressor(max_depth=4)):
        model.fit(x, x[:, 1] * 3 + y)
        assert np.array_equal(served(conn, pg_assay.model_value(conn, model, features=NAMES), x), model.predict(x))


def test_forest_is_explained(conn):
    ensemble = pytest.importorskip("sklearn.ensemble")
    x, y = dataset(8, False)
    model = ensemble.RandomForestClassifier(n_estimators=5, max_depth=3, random_state=1).fit(x, y)
    value = pg_assay.model_value(conn, model, features=NAMES)
    parts = served(conn, value, x, "contributions")
    assert np.allclose(parts.sum(axis=1), model.predict_proba(x)[:, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("missing", [False, True])
def test_histogram_gradient_boosting(conn, missing):
    ensemble = pytest.importorskip("sklearn.ensemble")
    x, y = dataset(9, missing)
    model = ensemble.HistGradientBoostingClassifier(max_iter=15, random_state=1).fit(x, y)
    value = pg_assay.model_value(conn, model, features=NAMES)
    assert np.array_equal(served(conn, value, x, "margin"), model.decision_function(x))
    assert np.allclose(served(conn, value, x), model.predict_proba(x)[:, 1], rtol=PROBABILITY, atol=0)


def test_linear(conn):
    linear = pytest.importorskip("sklearn.linear_model")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    pipeline = pytest.importorskip("sklearn.pipeline")
    selection = pytest.importorskip("sklearn.feature_selection")
    x, y = dataset(10, False)
    classes = y + (x[:, 2] > 0.5)
    for before in ([], [preprocessing.StandardScaler()], [preprocessing.MinMaxScaler()],
                   [selection.SelectKBest(k=2), preprocessing.StandardScaler(), preprocessing.MaxAbsScaler()]):
        model = pipeline.make_pipeline(*before, linear.LogisticRegression(max_iter=1000)).fit(x, y)
        value = pg_assay.model_value(conn, model, features=NAMES)
        assert np.allclose(served(conn, value, x), model.predict_proba(x)[:, 1], rtol=1e-10, atol=1e-15)
        model = pipeline.make_pipeline(*before, linear.LogisticRegression(max_iter=1000)).fit(x, classes)
        value = pg_assay.model_value(conn, model, features=NAMES)
        assert np.allclose(served(conn, value, x, "predict_vector"), model.predict_proba(x), rtol=1e-10, atol=1e-15)
    model = linear.Ridge().fit(x, x[:, 1] + y)
    value = pg_assay.model_value(conn, model, features=NAMES)
    assert np.allclose(served(conn, value, x), model.predict(x), rtol=1e-12, atol=1e-12)


def test_linear_of_earlier_releases(conn):
    """Up to 1.7 an argument says how classes are told apart; later releases have one way."""
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = dataset(14, False)
    model = linear.LogisticRegression(max_iter=1000).fit(x, y + (x[:, 2] > 0.5))
    for several, solver, link in (("deprecated", "lbfgs", "softmax"), ("deprecated", "liblinear", "logistic_normalised"),
                                  ("ovr", "lbfgs", "logistic_normalised"), ("multinomial", "lbfgs", "softmax")):
        model.multi_class, model.solver = several, solver
        assert pg_assay.model_value(conn, model, features=NAMES).document["link"] == link
    model = linear.LogisticRegression().fit(x, y)
    model.multi_class = "multinomial"
    with pytest.raises(UnsupportedModel, match="doubles the margin"):
        pg_assay.model_value(conn, model, features=NAMES)


def test_refused(conn):
    sklearn = pytest.importorskip("sklearn")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    assert sklearn
    x, y = dataset(11, False)
    with pytest.raises(UnsupportedModel, match="SVC"):
        pg_assay.model_value(conn, SVC().fit(x, y), features=NAMES)
    with pytest.raises(UnsupportedModel, match="SimpleImputer"):
        pg_assay.model_value(conn, make_pipeline(SimpleImputer(), LogisticRegression()).fit(x, y), features=NAMES)
    with pytest.raises(UnsupportedModel, match="scaling"):
        pg_assay.model_value(conn, make_pipeline(StandardScaler(), RandomForestClassifier(2)).fit(x, y),
                             features=NAMES)
    with pytest.raises(ValueError, match="3 features, and 2 names"):
        pg_assay.model_value(conn, LogisticRegression().fit(x, y), features=NAMES[:2])
    with pytest.raises(TypeError, match="no model"):
        pg_assay.model_value(conn, object())
    with pytest.raises(TypeError, match="read by its library"):
        pg_assay.model_value(conn, "model.json")


def test_no_table_of_a_stranger(conn):
    """Who may create in the schema and was first would have triggers on it, run by whoever loads."""
    pg_assay.register(conn)
    model = conn.execute("SELECT assay.model_from_linear('{a}', '{1}')").fetchone()[0]
    conn.execute("CREATE ROLE assay_test_stranger; GRANT CREATE ON SCHEMA public TO assay_test_stranger;"
                 "SET LOCAL ROLE assay_test_stranger;"
                 "CREATE TABLE model (name text PRIMARY KEY, model assay.model NOT NULL);"
                 "GRANT ALL ON model TO PUBLIC; RESET ROLE")
    with pytest.raises(PermissionError, match="belongs to role 'assay_test_stranger'"):
        pg_assay.load_model(conn, "linear", model)
    conn.execute("SET LOCAL ROLE assay_test_stranger")
    assert pg_assay.load_model(conn, "linear", model).features == ["a"]
    conn.execute("RESET ROLE; ALTER TABLE model OWNER TO CURRENT_USER")
    assert pg_assay.load_model(conn, "linear", model).features == ["a"]


def test_load_into_table_and_policy(inbound):
    sklearn = pytest.importorskip("sklearn.ensemble")
    x, y = dataset(12, False)
    model = sklearn.RandomForestClassifier(n_estimators=3, random_state=1).fit(x, y)
    loaded = pg_assay.load_model(inbound, "forest", model, features=NAMES)
    again = pg_assay.load_model(inbound, "forest", pg_assay.model_value(inbound, model, features=NAMES))
    assert (loaded.digest, loaded.features, loaded.revision) == (again.digest, NAMES, None)
    stored = inbound.execute("SELECT name, assay.model_digest(model) FROM model").fetchall()
    assert stored == [("forest", loaded.digest)]

    with pytest.raises(ValueError, match="say policy"):
        pg_assay.load_model(inbound, "forest", model, features=NAMES, weight=3)
    first = pg_assay.load_model(inbound, "forest", model, policy="inbound", features=NAMES, threshold=0.5, weight=8)
    second = pg_assay.load_model(inbound, "forest", model, policy="inbound", features=NAMES, threshold=0.9)
    assert second.revision == first.revision + 1 and second.digest != first.digest
    row = inbound.execute("SELECT mode, weight, kind FROM assay.detectors WHERE detector = 'forest'").fetchone()
    assert row == ("shadow", 8, "model")
    assert pg_assay.promote(inbound, "inbound", "forest", revision=second.revision) == second.revision + 1
