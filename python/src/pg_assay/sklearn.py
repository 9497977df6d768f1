"""scikit-learn's models in the text form of assay.model.

Forests and trees of scikit-learn compare float32 with float64 thresholds.  The text form's
features are float64, so each threshold becomes the largest number that rounds to a float32
on the left side: every row takes the same way, and sums are taken in the same order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_TREES = ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor")
_FORESTS = ("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor")
_HISTOGRAMS = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
_CLASSIFYING = ("LogisticRegression", "LogisticRegressionCV")
_LINEAR = ("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV")


class UnsupportedModel(TypeError):
    """A model, or a step of a pipeline, that has no equal in the text form."""


def model_text(model: Any, features: Sequence[str] | None = None, threshold: float | None = None) -> str:
    """The text form of a fitted estimator or pipeline."""
    steps, estimator = _steps(model)
    names = _names(model, estimator, features, steps)
    scales, chosen = _preprocessing(steps, len(names))
    kind = type(estimator).__name__
    if kind in _CLASSIFYING + _LINEAR:
        if threshold is not None:
            raise ValueError("threshold is for forests and trees, whose margin is no log-odds")
        document = _linear(estimator, scales, chosen, len(names))
    elif kind in _TREES + _FORESTS + _HISTOGRAMS:
        if scales is not None:
            raise UnsupportedModel("scaling before trees can't be written exactly; trees don't need it: leave it out")
        document = _histogram(estimator, chosen) if kind in _HISTOGRAMS else _forest(estimator, chosen, threshold)
        if kind in _HISTOGRAMS and threshold is not None:
            raise ValueError("threshold is for forests and trees, whose margin is no log-odds")
    else:
        raise UnsupportedModel(f"{kind} of scikit-learn can't be loaded")
    return json.dumps(_frame(estimator, names) | document)


def _steps(model: Any) -> tuple[list[Any], Any]:
    """What comes before the estimator, and the estimator."""
    if hasattr(model, "steps"):
        before = [step for _, step in model.steps[:-1] if step is not None and step != "passthrough"]
        return before, model.steps[-1][1]
    return [], model


def _names(model: Any, estimator: Any, features: Sequence[str] | None, steps: list[Any]) -> list[str]:
    count = int((steps[0] if steps else estimator).n_features_in_)
    names = features if features is not None else getattr(model, "feature_names_in_", None)
    if names is None:
        raise ValueError("the model has no names for its features: say features=[...], in order")
    if len(names) != count:
        raise ValueError(f"the model has {count} features, and {len(names)} names were given")
    return [str(name) for name in names]


def _preprocessing(steps: list[Any], count: int) -> tuple[Any, Any]:
    """Of the features that are left: (factor, offset) where something scales them; and which these are."""
    chosen = np.arange(count)
    factor, offset = np.ones(count), np.zeros(count)
    scaled = False
    for step in steps:
        kind = type(step).__name__
        if kind == "StandardScaler":
            mean = step.mean_ if step.with_mean else np.zeros(len(chosen))
            scale = step.scale_ if step.with_std else np.ones(len(chosen))
            factor, offset, scaled = factor / scale, (offset - mean) / scale, True
        elif kind == "MinMaxScaler" and not step.clip:
            factor, offset, scaled = factor * step.scale_, offset * step.scale_ + step.min_, True
        elif kind == "MaxAbsScaler" and not getattr(step, "clip", False):
            factor, offset, scaled = factor / step.scale_, offset / step.scale_, True
        elif hasattr(step, "get_support"):
            mask = step.get_support()
            chosen, factor, offset = chosen[mask], factor[mask], offset[mask]
        else:
            raise UnsupportedModel(f"{kind} before the estimator can't be loaded: make signals of what it computes")
    return ((factor, offset) if scaled else None), chosen


def _frame(estimator: Any, names: list[str]) -> dict[str, Any]:
    import sklearn

    return {
        "pg_assay_model": 1, "format": "scikit-learn", "library": sklearn.__version__,
        "objective": type(estimator).__name__, "link": "identity", "link_parameters": [1, 0], "single": False,
        "start": [0], "bias": [0], "scale": 1, "divisor": 1, "iterations": 0, "best_iteration": -1,
        "features": [{"name": name, "kind": "numeric"} for name in names],
    }


def _linear(estimator: Any, scales: Any, chosen: Any, count: int) -> dict[str, Any]:
    weights = np.atleast_2d(np.asarray(estimator.coef_, dtype=float))
    intercept = np.broadcast_to(np.atleast_1d(np.asarray(estimator.intercept_, dtype=float)), weights.shape[:1]).copy()
    if scales is not None:
        factor, offset = scales
        intercept = intercept + weights @ offset
        weights = weights * factor
    all_weights = np.zeros((len(weights), count))
    all_weights[:, chosen] = weights
    link = "identity"
    if type(estimator).__name__ in _CLASSIFYING:
        link = "logistic" if len(weights) == 1 else "softmax"
        # up to 1.7, by its predict_proba()
        several = getattr(estimator, "multi_class", None)
        if len(weights) > 1 and several is not None and (
                several == "ovr" or several != "multinomial" and estimator.solver == "liblinear"):
            link = "logistic_normalised"
        if len(weights) == 1 and several == "multinomial":
            raise UnsupportedModel("multi_class='multinomial' of two classes doubles the margin: leave it out")
    return {"link": link, "start": intercept.tolist(), "bias": [0.0] * len(weights), "weights": all_weights.tolist()}


def _left_of(threshold: float) -> float:
    """The largest float64 that as a float32 is no more than the threshold."""
    below = np.float32(threshold)
    if float(below) > threshold:
        below = np.nextafter(below, np.float32(-np.inf))
    above = np.nextafter(below, np.float32(np.inf))
    if not (np.isfinite(below) and np.isfinite(above)):
        return threshold
    middle = (float(below) + float(above)) / 2
    # Halfway a number rounds to the neighbour whose last bit is 0.
    return middle if below.view(np.uint32) % 2 == 0 else math.nextafter(middle, -math.inf)


def _forest(estimator: Any, chosen: Any, threshold: float | None) -> dict[str, Any]:
    trees = list(getattr(estimator, "estimators_", [estimator]))
    if getattr(estimator, "n_outputs_", 1) != 1:
        raise UnsupportedModel("a forest of several outputs can't be loaded")
    classes = getattr(estimator, "classes_", None)
    outputs = 1 if classes is None or len(classes) == 2 else len(classes)
    if classes is not None and len(classes) < 2:
        raise UnsupportedModel("the forest knows only one class")
    if threshold is not None and outputs != 1:
        raise ValueError("threshold is for a forest of two classes or a regression")
    written = [_tree(tree.tree_, chosen, classes is not None, outputs) for tree in trees]
    return {"divisor": len(trees), "iterations": len(trees), "start": [0] * outputs,
            "bias": [-(threshold or 0.0) or 0.0] * outputs, "trees": written}


def _values(tree: Any, classes: bool) -> Any:
    """The value of each node, as predict_proba() or predict() takes it."""
    values = tree.value[:, 0, :]
    if classes and not np.allclose(values.sum(axis=1), 1):
        # before 1.3 the leaves held counts, which predict_proba() divided
        values = values / values.sum(axis=1, keepdims=True)
    return values


def _tree(tree: Any, chosen: Any, classes: bool, outputs: int) -> dict[str, Any]:
    values = _values(tree, classes)
    missing_left = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count, dtype=np.uint8))
    nodes: list[list[Any]] = []
    waiting = [0]
    while waiting:
        node = waiting.pop()
        head = [node, float(tree.weighted_n_node_samples[node])]
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left < 0:
            value = values[node].tolist() if outputs > 1 else float(values[node][-1])
            nodes.append([*head, value])
        else:
            nodes.append([*head, int(chosen[tree.feature[node]]), "<=", _left_of(float(tree.threshold[node])),
                          "left" if missing_left[node] else "right"])
            waiting += [right, left]
    return {"nodes": nodes} if outputs > 1 else {"output": 0, "nodes": nodes}


def _histogram(estimator: Any, chosen: Any) -> dict[str, Any]:
    if getattr(estimator, "is_categorical_", None) is not None and np.any(estimator.is_categorical_):
        raise UnsupportedModel("categorical features of histogram gradient boosting can't be loaded")
    baseline = np.asarray(estimator._baseline_prediction, dtype=float).ravel()
    trees = []
    for iteration in estimator._predictors:
        for output, predictor in enumerate(iteration):
            trees.append({"output": output, "nodes": _histogram_tree(predictor.nodes, chosen)})
    link = {"HalfBinomialLoss": "logistic", "HalfMultinomialLoss": "softmax", "HalfPoissonLoss": "exp",
            "HalfGammaLoss": "exp"}.get(type(estimator._loss).__name__, "identity")
    return {"link": link, "start": baseline.tolist(), "bias": [0.0] * len(baseline),
            "iterations": len(estimator._predictors), "trees": trees}


def _histogram_tree(table: Any, chosen: Any) -> list[list[Any]]:
    nodes: list[list[Any]] = []
    waiting = [0]
    while waiting:
        number = waiting.pop()
        node = table[number]
        head = [number, float(node["count"])]
        if node["is_leaf"]:
            nodes.append([*head, float(node["value"])])
            continue
        # Only what is missing goes by the default; +inf as a threshold splits it off.
        bound = float(node["num_threshold"])
        nodes.append([*head, int(chosen[node["feature_idx"]]), "<=", "Infinity" if math.isinf(bound) else bound,
                      "left" if node["missing_go_to_left"] else "right"])
        waiting += [int(node["right"]), int(node["left"])]
    return nodes
