"""The types attribution and model as values of Python."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

_MEMBERS = ("detector", "kind", "contribution", "hit", "shadow", "suspended", "muted_by", "forced", "fault", "signals")


@dataclass(frozen=True)
class Entry:
    """One piece of evidence in a ledger, in log-odds."""

    detector: str
    kind: str
    contribution: float = 0.0
    hit: bool = False
    shadow: bool = False
    suspended: bool = False
    muted_by: str | None = None
    forced: str | None = None
    fault: str | None = None
    signals: list[list[Any]] = field(default_factory=list)
    """[name, value], of a model [feature, value, contribution]"""

    @property
    def counted(self) -> bool:
        """Is its contribution part of the margin?"""
        return (not self.shadow and not self.suspended and self.muted_by is None and self.fault is None
                and self.kind in ("rule", "model"))


@dataclass(frozen=True)
class Attribution:
    """The ledger of a decision: prior and what counted, added in order, give the margin exactly."""

    revision: int
    prior: float
    margin: float
    entries: list[Entry] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """the whole of it, as the server wrote it"""

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Attribution:
        """From what attribution::jsonb says."""
        entries = [Entry(**{k: v for k, v in entry.items() if k in _MEMBERS})
                   for entry in document.get("entries", ())]
        return cls(document["revision"], document["prior"], document["margin"], entries, document)

    @classmethod
    def from_text(cls, text: str | bytes) -> Attribution:
        """From the type's text form."""
        return cls.from_document(json.loads(text))

    def to_text(self) -> str:
        """The text form, which the server reads back as the same value."""
        return json.dumps(self.document)

    @property
    def degraded(self) -> bool:
        """Was some of the evidence not to be had?"""
        return bool(self.document.get("degraded", False))

    @property
    def states(self) -> list[list[Any]]:
        """[kind, name, state] of each list, phrase set and text model that was looked into."""
        return list(self.document.get("states", ()))

    @property
    def hits(self) -> list[str]:
        """Names of the detectors that hit and counted."""
        return [entry.detector for entry in self.entries if entry.hit and entry.counted]


@dataclass(frozen=True)
class Model:
    """A model of the server in its text form, which is JSON."""

    text: str = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """The text form, parsed."""
        return json.loads(self.text)  # type: ignore[no-any-return]

    @property
    def features(self) -> list[str]:
        """Names of its features, in order; empty strings where it has none."""
        return [feature.get("name", "") for feature in self.document["features"]]
