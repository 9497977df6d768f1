"""Trained models into the database, by the text form of the library that trained them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection, sql

from ._sql import call, execute, identifier
from .adapt import register
from .types import Model


@dataclass(frozen=True)
class LoadedModel:
    """What load_model() did."""

    name: str
    digest: str
    features: list[str]
    revision: int | None = None
    """of the policy, where it became a detector"""


def _library(model: Any) -> str:
    """The first part of the module that the model's class, or a base of it, comes from."""
    for kind in type(model).__mro__:
        root = kind.__module__.partition(".")[0]
        if root in ("xgboost", "lightgbm", "catboost", "sklearn"):
            return root
    raise TypeError(f"{type(model).__name__} is no model of XGBoost, LightGBM, CatBoost or scikit-learn"
                    + ("; a file is read by its library first" if isinstance(model, (str, bytes, os.PathLike)) else ""))


def _saved(model: Any, suffix: str, **options: Any) -> bytes:
    """What the model's own save_model() writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        model.save_model(str(path), **options)
        return path.read_bytes()


def _from_xgboost(model: Any, iterations: int | None) -> tuple[str, list[Any]]:
    return "assay.model_from_xgboost(%s, %s)", [_saved(model, ".ubj"), iterations]


def _from_lightgbm(model: Any, categories: Sequence[str] | None) -> tuple[str, list[Any]]:
    booster = getattr(model, "booster_", model)
    if categories is None:
        return "assay.model_from_lightgbm(%s)", [booster.model_to_string()]
    return "assay.model_from_lightgbm(%s, %s::text[])", [booster.model_to_string(), list(categories)]


def _from_catboost(model: Any, pool: Any) -> tuple[str, list[Any]]:
    options = {"format": "json"} if pool is None else {"format": "json", "pool": pool}
    return "assay.model_from_catboost(%s)", [_saved(model, ".json", **options).decode()]


def _call_for(model: Any, features: Sequence[str] | None, threshold: float | None, iterations: int | None,
              categories: Sequence[str] | None, pool: Any) -> tuple[str, list[Any], bool]:
    """The SQL that makes the model, its arguments, and whether the features' names are still to be given."""
    if isinstance(model, Model):
        return "%s::assay.model", [model.text], features is not None
    library = _library(model)
    if threshold is not None and library != "sklearn":
        raise ValueError("threshold is for scikit-learn's forests and trees, whose margin is no log-odds")
    if library == "xgboost":
        return *_from_xgboost(model, iterations), features is not None
    if library == "lightgbm":
        return *_from_lightgbm(model, categories), features is not None
    if library == "catboost":
        return *_from_catboost(model, pool), features is not None
    from .sklearn import model_text

    return "%s::assay.model", [model_text(model, features, threshold)], False


def model_value(conn: Connection[Any], model: Any, *, features: Sequence[str] | None = None,
                threshold: float | None = None, iterations: int | None = None,
                categories: Sequence[str] | None = None, pool: Any = None) -> Model:
    """A trained model as the server imports it, without storing it.

    model is a booster or estimator of XGBoost, LightGBM or CatBoost, a forest, tree, histogram
    gradient boosting or linear model of scikit-learn, a Pipeline that ends in one, or a Model.
    features renames its features, in order.  threshold is taken from the margin of a forest or
    tree of scikit-learn, so that as a detector it hits from there on.  iterations is for XGBoost,
    categories (names of pandas columns) for LightGBM, pool (the training data) for CatBoost.
    """
    register(conn)
    expression, arguments, rename = _call_for(model, features, threshold, iterations, categories, pool)
    if rename:
        expression = f"assay.model_with_names({expression}, %s::text[])"
        arguments.append(list(features or ()))
    row = execute(conn, sql.SQL("SELECT " + expression), arguments).fetchone()
    assert row is not None
    value: Model = row[0]
    if not all(value.features):
        raise ValueError("the model has no names for its features: say features=[...], in order")
    return value


def load_model(conn: Connection[Any], name: str, model: Any, *, policy: str | None = None, table: str = "model",
               mode: str | None = None, weight: float | None = None, description: str | None = None,
               features: Sequence[str] | None = None, threshold: float | None = None, iterations: int | None = None,
               categories: Sequence[str] | None = None, pool: Any = None) -> LoadedModel:
    """Put a model into the database, as detector name of a policy or into a table (name, model).

    A detector that is new comes in shadow mode, unless mode says otherwise; of one that stands
    only what is given changes.  In a table, which is made where there is none, the row of that
    name is replaced.  The rest is as for model_value().
    """
    value = model_value(conn, model, features=features, threshold=threshold, iterations=iterations,
                        categories=categories, pool=pool)
    row = execute(conn, sql.SQL("SELECT assay.model_digest(%s)"), (value,)).fetchone()
    assert row is not None
    digest = str(row[0])
    if policy is None:
        if mode is not None or weight is not None or description is not None:
            raise ValueError("mode, weight and description belong to a detector: say policy, too")
        _store(conn, table, name, value)
        return LoadedModel(name, digest, value.features)
    stands = execute(conn, sql.SQL("SELECT EXISTS (SELECT FROM assay.detectors WHERE policy = %s AND detector = %s)"),
                     (policy, name)).fetchone()
    revision = call(conn, "alter_detector" if stands and stands[0] else "create_detector", policy=policy,
                    detector=name, model=value, mode=mode, description=description,
                    weight=None if weight is None else float(weight)).fetchone()
    assert revision is not None
    return LoadedModel(name, digest, value.features, revision[0])


def _store(conn: Connection[Any], table: str, name: str, value: Model) -> None:
    parts = table.split(".")
    place = identifier(*parts)
    # as assay_load --create-table does: a stranger who was first has triggers on it
    there = execute(conn, sql.SQL(
        "SELECT o.rolname, o.rolsuper OR n.nspowner = o.oid OR b.datdba = o.oid OR r.oid = o.oid OR"
        " (NOT r.rolsuper AND pg_catalog.pg_has_role(o.oid, 'USAGE'))"
        " FROM pg_catalog.pg_class t JOIN pg_catalog.pg_roles o ON o.oid = t.relowner"
        " JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace"
        " JOIN pg_catalog.pg_database b ON b.datname = pg_catalog.current_database()"
        " JOIN pg_catalog.pg_roles r ON r.rolname = CURRENT_USER"
        " WHERE t.oid = pg_catalog.to_regclass(%s)::pg_catalog.oid"),
        (sql.Identifier(*parts).as_string(conn),)).fetchone()
    if there and not there[1]:
        raise PermissionError(f"table {table!r} belongs to role {there[0]!r},"
                              " whose triggers would run with your rights")
    if not there:
        execute(conn, sql.SQL("CREATE TABLE {} (name text PRIMARY KEY, model assay.model NOT NULL)").format(place))
    execute(conn, sql.SQL("INSERT INTO {} (name, model) VALUES (%s, %s)"
                          " ON CONFLICT (name) DO UPDATE SET model = excluded.model").format(place), (name, value))
