"""Logged signals with labels and weights: what a model is trained from."""

from __future__ import annotations

import warnings
from typing import Any, Literal

from psycopg import Connection, sql

from ._sql import Policy, Time, columns, execute, find_policy, identifier
from .frames import Kind, frame_of

_OURS = ("malicious", "weight", "drawn", "confidence", "source", "category",
         "labelled_at", "revision", "decided_at", "verdict", "score")


def signal_names(conn: Connection[Any], policy: str) -> list[str]:
    """The columns of a policy's signals view that are not its key."""
    return find_policy(conn, policy).signal_names


def _logs_signals(conn: Connection[Any], place: Policy) -> bool:
    row = execute(conn, sql.SQL("SELECT log_signals FROM assay.revision WHERE policy = %s AND revision = %s"),
                  (place.name, place.revision)).fetchone()
    return bool(row and row[0])


def _rounds(conn: Connection[Any], policy: str, round: int | None, since: Time, until: Time) -> list[int]:
    """Rounds of review whose weights hold together: the newest, and older ones of other times."""
    query = sql.SQL("SELECT round FROM assay.review_rounds(%s)"
                    " WHERE since >= coalesce(%s::timestamptz, '-infinity')"
                    " AND until <= coalesce(%s::timestamptz, 'infinity') ORDER BY round DESC")
    rounds = [row[0] for row in execute(conn, query, (policy, since, until))]
    if round is not None:
        if round not in rounds:
            raise LookupError(f"policy {policy!r} has no round {round} of review within that time")
        return [round]
    overlaps = {(row[0], row[1]) for row in execute(conn, sql.SQL(
        "SELECT a.round, b.round FROM assay.review_rounds(%s) a JOIN assay.review_rounds(%s) b"
        " ON a.since < b.until AND b.since < a.until"), (policy, policy))}
    chosen: list[int] = []
    for one in rounds:
        if all((one, other) not in overlaps for other in chosen):
            chosen.append(one)
    return chosen


def _query(place: Policy, reviewed: bool, labelled: bool, drawn_only: bool, names: dict[str, str]) -> sql.Composed:
    """One row a message: its key, its logged signals, its label and its weight."""
    # A stratum's messages stand for all of it, in equal parts, as far as they are labelled and here.
    review = sql.SQL(" LEFT JOIN (SELECT * FROM {} WHERE outcome = 'labelled' AND round = ANY (%(rounds)s)) v ON {}"
                     ).format(place.table("review"), place.same_key("d", "v")) if reviewed else sql.SQL("")
    share = sql.SQL("CASE WHEN v.population IS NOT NULL AND l.malicious IS NOT NULL THEN v.population::float8"
                    " / (pg_catalog.count(l.malicious) OVER (PARTITION BY v.round, v.stratum))::float8 ELSE 1 END"
                    if reviewed else "1::float8")
    drawn = sql.SQL("v.population IS NOT NULL" if reviewed else "false")
    wanted = [sql.SQL("l.malicious IS NOT NULL")] if labelled else []
    wanted += [drawn] if drawn_only else []
    ours = {
        "malicious": sql.SQL("l.malicious"),
        "weight": sql.SQL("({}) * l.confidence::numeric::float8").format(share),
        "drawn": drawn,
        **{name: identifier("l", name) for name in ("confidence", "source", "category", "labelled_at")},
        **{name: identifier("d", name) for name in ("revision", "decided_at", "verdict", "score")},
    }
    return sql.SQL(
        "SELECT {key}, {signals}, {ours} FROM (SELECT DISTINCT ON ({key}) d.*,"
        " assay.signals_as(NULL::{view}, d.signals) AS row FROM {decision} d WHERE d.signals IS NOT NULL"
        " AND d.decided_at >= coalesce(%(since)s::timestamptz, '-infinity')"
        " AND d.decided_at < coalesce(%(until)s::timestamptz, 'infinity')"
        " ORDER BY {key}, d.revision DESC OFFSET 0) d"
        " LEFT JOIN {label} l ON {on_label}{review}{where} ORDER BY {key}").format(
            key=columns(place.key, "d"), decision=place.table("decision"), label=place.table("label_latest"),
            view=place.signals, on_label=place.same_key("d", "l"), review=review,
            signals=sql.SQL(", ").join(sql.SQL("(d.row).{}").format(identifier(n)) for n in place.signal_names),
            ours=sql.SQL(", ").join(sql.SQL("{} AS {}").format(v, identifier(names[k])) for k, v in ours.items()),
            where=sql.SQL(" WHERE ") + sql.SQL(" AND ").join(wanted) if wanted else sql.SQL(""))


def training_frame(conn: Connection[Any], policy: str, since: Time = None, until: Time = None, *,
                   labelled: bool = True, sample: Literal["all", "review"] = "all",
                   round: int | None = None, frame: Kind | None = None) -> Any:
    """Signals as they were logged with decisions made from since up to until, with labels and weights.

    A message comes once, by its latest logged decision of that time.  The weight of one that was
    drawn for review is how many messages it stands for, of any other 1; both times the label's
    confidence.  sample="review" gives only those drawn, whose weighted sums are of all messages.
    Where a signal has the name of one of the columns of label and decision, that one ends in "_".
    """
    if sample not in ("all", "review"):
        raise ValueError(f'sample is "all" or "review", not {sample!r}')
    place = find_policy(conn, policy)
    rounds = _rounds(conn, policy, round, since, until) if place.has(conn, "review") else []
    if not rounds and (sample == "review" or round is not None):
        raise LookupError(f"no messages of policy {policy!r} were drawn for review in that time")
    taken = set(place.key) | set(place.signal_names)
    names = {}
    for name in _OURS:
        names[name] = name
        while names[name] in taken:
            names[name] += "_"
    query = _query(place, bool(rounds), labelled, sample == "review", names)
    cursor = execute(conn, query, {"since": since, "until": until, "rounds": rounds})
    if cursor.rowcount == 0 and not _logs_signals(conn, place):
        warnings.warn(f"policy {policy!r} logs no signals: SELECT assay.alter_policy('{policy}', log_signals => true);"
                      " what is decided from then on can be trained from", stacklevel=2)
    return frame_of(cursor, frame)
