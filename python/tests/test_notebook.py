"""The notebooks of docs/notebooks run from top to bottom, each in a database of its own."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest
from conftest import make_database

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook(path, monkeypatch):
    pytest.importorskip("lightgbm")
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    name = f"pg_assay_notebook_{os.getpid()}"
    make_database(name)
    monkeypatch.setenv("PGDATABASE", name)
    notebook = nbformat.read(path, 4)
    try:
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    finally:
        with psycopg.connect(dbname="postgres", autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    ran = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert ran and all(cell.execution_count for cell in ran)


def test_there_is_one():
    assert list(FOLDER.glob("*.ipynb"))
