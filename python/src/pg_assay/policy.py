"""What a policy would do, did and should have done: replay, compare, backtest, reports, labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, sql
from psycopg.adapt import PyFormat, Transformer

from ._sql import Policy, Time, call, execute, find_policy, identifier
from .adapt import register
from .frames import Kind, frame_of

Key = Any
"""The one value of a message's key, several in their order, or a mapping of columns to values."""


def key_values(policy: Policy, key: Key) -> list[Any]:
    """The values of a key in the order of the policy's key columns."""
    if isinstance(key, Mapping):
        if set(key) != set(policy.key):
            raise ValueError(f"the key of policy {policy.name!r} is {policy.key}")
        return [key[name] for name in policy.key]
    values = list(key) if isinstance(key, (list, tuple)) else [key]
    if len(values) != len(policy.key):
        raise ValueError(f"the key of policy {policy.name!r} is {policy.key}")
    return values


def key_texts(conn: Connection[Any], policy: Policy, key: Key) -> list[str]:
    """The values of a key as the server reads them: str() of bytes or a list is nothing that it reads."""
    values = key_values(policy, key)
    if any(value is None for value in values):
        raise ValueError(f"no message of policy {policy.name!r} has a key with None in it")
    transformer = Transformer(conn)
    texts = []
    for value in values:
        dumped = transformer.get_dumper(value, PyFormat.TEXT).dump(value)
        texts.append(bytes(dumped or b"").decode(conn.info.encoding))
    return texts


def replay(conn: Connection[Any], policy: str, since: Time = None, until: Time = None, *,
           revision: int | None = None, drafts: bool = False, at: str | None = None,
           signals: str | None = None, frame: Kind | None = None) -> Any:
    """Decide past messages again: key, verdict, score, attribution."""
    register(conn)
    return frame_of(call(conn, "replay", policy=policy, since=since, until=until, revision=revision,
                         drafts=drafts, at=at, signals=signals), frame)


def compare(conn: Connection[Any], policy: str, revision_a: int | None = None, revision_b: int | None = None,
            since: Time = None, until: Time = None, *, drafts: bool = False, caught: str | None = None,
            at: str | None = None, examples: int | None = None, signals: str | None = None,
            frame: Kind | None = None) -> Any:
    """What changes between two revisions, or with all drafts live, counted by labels."""
    return frame_of(call(conn, "compare", policy=policy, revision_a=revision_a, revision_b=revision_b, since=since,
                         until=until, drafts=drafts, caught=caught, at=at, examples=examples, signals=signals), frame)


def compare_messages(conn: Connection[Any], policy: str, revision_a: int | None = None,
                     revision_b: int | None = None, since: Time = None, until: Time = None, *,
                     drafts: bool = False, caught: str | None = None, at: str | None = None,
                     signals: str | None = None, frame: Kind | None = None) -> Any:
    """The same, a row each message."""
    return frame_of(call(conn, "compare_messages", policy=policy, revision_a=revision_a, revision_b=revision_b,
                         since=since, until=until, drafts=drafts, caught=caught, at=at, signals=signals), frame)


def backtest(conn: Connection[Any], policy: str, condition: str | None = None, since: Time = None,
             until: Time = None, *, model: Any = None, features: Sequence[str] | None = None,
             weight: float | None = None, force_verdict: str | None = None, at: str | None = None,
             signals: str | None = None, examples: int | None = None,
             confidence: float | None = None) -> dict[str, Any]:
    """What a condition, or a model of any library that load_model() takes, would have done: one row as a dict."""
    register(conn)
    if model is not None:
        from .models import model_value

        model = model_value(conn, model, features=features)
    cursor = call(conn, "backtest", policy=policy, condition=condition, since=since, until=until, model=model,
                  weight=None if weight is None else float(weight), force_verdict=force_verdict, at=at,
                  signals=signals, examples=examples, confidence=confidence)
    row = cursor.fetchone()
    assert row is not None and cursor.description is not None
    return {column.name: value for column, value in zip(cursor.description, row)}


def precision_report(conn: Connection[Any], policy: str, since: Time = None, until: Time = None, *,
                     confidence: float | None = None, mature: timedelta | str | None = None,
                     by: str | None = None, frame: Kind | None = None) -> Any:
    """Verdicts, detectors and exclusions against the labels."""
    return frame_of(call(conn, "precision_report", policy=policy, since=since, until=until, confidence=confidence,
                         mature=mature, by=by), frame)


def online_report(conn: Connection[Any], policy: str, round: int | None = None, since: Time = None,
                  until: Time = None, *, confidence: float | None = None, frame: Kind | None = None) -> Any:
    """Rates of all messages, with intervals, from those drawn for review."""
    return frame_of(call(conn, "online_report", policy=policy, round=round, since=since, until=until,
                         confidence=confidence), frame)


def report(conn: Connection[Any], policy: str, since: Time = None, until: Time = None, *,
           online: bool = False, frame: Kind | None = None) -> Any:
    """precision_report(), or online_report() with online=True."""
    if online:
        return online_report(conn, policy, since=since, until=until, frame=frame)
    return precision_report(conn, policy, since, until, frame=frame)


def label(conn: Connection[Any], policy: str, key: Key, malicious: bool, source: str, *,
          author: str | None = None, confidence: float | None = None, category: str | None = None,
          labelled_at: datetime | str | None = None) -> None:
    """Say of a message what it is: one row of <policy>_label."""
    place = find_policy(conn, policy)
    row: dict[str, Any] = dict(zip(place.key, key_values(place, key)))
    row.update(malicious=malicious, source=source)
    given = {"author": author, "confidence": confidence, "category": category, "labelled_at": labelled_at}
    row.update({name: value for name, value in given.items() if value is not None})
    execute(conn, sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        place.table("label"), sql.SQL(", ").join(map(identifier, row)),
        sql.SQL(", ").join([sql.Placeholder()] * len(row))), list(row.values()))


def promote(conn: Connection[Any], policy: str, detector: str, revision: int | None = None) -> int:
    """Make a detector live; the number of the new revision.  An error where it was changed since revision, if given."""
    row = call(conn, "promote", policy=policy, detector=detector, revision=revision).fetchone()
    assert row is not None
    return int(row[0])


def decision(conn: Connection[Any], policy: str, key: Key) -> dict[str, Any] | None:
    """The latest decision about a message: revision, decided_at, verdict, score, attribution."""
    register(conn)
    place = find_policy(conn, policy)
    cursor = call(conn, "latest_decision", policy=policy, key=key_texts(conn, place, key))
    row = cursor.fetchone()
    assert cursor.description is not None
    if row is None or row[0] is None:
        return None
    return {column.name: value for column, value in zip(cursor.description, row)}
