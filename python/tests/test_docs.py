"""The Python of docs/python.md runs as it stands, from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_page(inbound, database, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    pytest.importorskip("sqlalchemy")
    matplotlib.use("Agg")
    inbound.commit()        # the page connects by itself
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert len(blocks) > 5
    names: dict[str, object] = {}
    try:
        for number, block in enumerate(blocks, 1):
            exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)
        assert len(names["train"]) == 300 and names["loaded"].revision
    finally:
        if "conn" in names:
            names["conn"].close()
        if "engine" in names:
            names["engine"].dispose()
        inbound.execute("DROP TRIGGER decide ON message; SELECT assay.drop_policy('inbound', drop_tables => true);"
                        "DROP VIEW message_signals; DROP TABLE message")
        inbound.commit()
