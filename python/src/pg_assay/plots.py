"""Plots by matplotlib: what made up a score, and precision by recall."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

from ._sql import Time, execute, find_policy, identifier
from .frames import Kind, frame_of
from .policy import Key, decision, key_texts
from .types import Entry


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def explain(conn: Connection[Any], policy: str, key: Key, *, frame: Kind | None = None) -> Any:
    """The latest decision about a message step by step, as explain_decision() tells it."""
    place = find_policy(conn, policy)
    values = key_texts(conn, place, key)
    query = sql.SQL("SELECT * FROM assay.explain_decision(%s, {})").format(
        sql.SQL(", ").join([sql.SQL("%s::text")] * len(values)))
    return frame_of(execute(conn, query, [policy, *values]), frame)


def _bars(steps: Any, entries: dict[str, Entry], features: bool) -> list[tuple[str, float]]:
    """Name and contribution of each bar; of a model its features, and what else there is of it."""
    bars = []
    for step in steps[steps.contribution.notna() & (steps.contribution != 0)].itertuples():
        entry = entries.get(step.evidence)
        if not (features and entry and entry.kind == "model" and entry.signals):
            bars.append((step.evidence, step.contribution))
            continue
        kept = [(f"{entry.detector}: {name} = {value}", part) for name, value, part in entry.signals]
        rest = step.contribution - sum(part for _, part in kept)
        bars += [(f"{entry.detector}: the rest", rest), *kept]
    return bars


def waterfall(conn: Connection[Any], policy: str, key: Key, *, features: bool = True, ax: Any = None) -> Any:
    """How prior and evidence add up to the margin of a message; returns matplotlib's axes.

    A model is shown by its features, as far as the ledger keeps them, unless features is False.
    """
    found = decision(conn, policy, key)
    if found is None:
        raise LookupError(f"policy {policy!r} has made no decision about {key!r}")
    steps = explain(conn, policy, key, frame="pandas")
    entries = {entry.detector: entry for entry in found["attribution"].entries}
    ax = _axes(ax)
    margin = 0.0
    bars = _bars(steps, entries, features)
    for position, (_, contribution) in enumerate(bars):
        ax.barh(position, contribution, left=margin, color="#c0392b" if contribution > 0 else "#2471a3")
        margin += contribution
        ax.annotate(f"{contribution:+.2f}", (margin, position), xytext=(4 if contribution > 0 else -4, 0),
                    textcoords="offset points", va="center", ha="left" if contribution > 0 else "right")
    ax.set_yticks(range(len(bars)), [name for name, _ in bars])
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.axvline(0, color="#999999", linewidth=0.8)
    ax.set_xlabel("margin (log-odds)")
    ax.set_title(f"{found['verdict']}, score {found['score']:.3f}")
    return ax


def pr_points(conn: Connection[Any], policy: str, since: Time = None, until: Time = None, *,
              frame: Kind | None = None) -> Any:
    """threshold, tp, fp, precision, recall, fpr of the latest decisions that have labels."""
    place = find_policy(conn, policy)
    query = sql.SQL(
        "SELECT c.* FROM (SELECT assay.scored_agg(d.score, l.malicious) AS s FROM {} d JOIN {} l ON {}"
        " WHERE d.decided_at >= coalesce(%s::timestamptz, '-infinity')"
        " AND d.decided_at < coalesce(%s::timestamptz, 'infinity')) j, assay.precision_recall_curve(j.s) c").format(
            place.table("verdict"), place.table("label_latest"),
            place.same_key("d", "l"))
    return frame_of(execute(conn, query, (since, until)), frame)


def pr_curve(conn: Connection[Any], policy: str, since: Time = None, until: Time = None, *, ax: Any = None) -> Any:
    """Precision by recall over the policy's labelled decisions, with its thresholds; returns matplotlib's axes."""
    points = pr_points(conn, policy, since, until, frame="pandas")
    ax = _axes(ax)
    ax.step(points.recall, points.precision, where="pre", color="#2471a3")
    marks = thresholds(conn, policy)
    for verdict, threshold in marks.items():
        reached = points[points.threshold >= threshold]
        if len(reached):
            ax.plot(reached.recall.iloc[-1], reached.precision.iloc[-1], "o", label=f"{verdict} ({threshold:g})")
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.05), title=policy)
    if marks:
        ax.legend(loc="lower left")
    return ax


def thresholds(conn: Connection[Any], policy: str) -> dict[str, float]:
    """The policy's thresholds, from the lowest up."""
    row = execute(conn, sql.SQL("SELECT thresholds FROM assay.policies WHERE policy = %s"), (policy,)).fetchone()
    return dict(sorted(row[0].items(), key=lambda item: float(item[1]))) if row else {}
