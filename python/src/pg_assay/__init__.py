"""Notebooks and pipelines beside pg_assay, the detection engine inside PostgreSQL.

Every function takes a psycopg connection, and leaves it to you to commit.
"""

from .adapt import register
from .frames import frame_of
from .models import LoadedModel, load_model, model_value
from .plots import explain, pr_curve, pr_points, waterfall
from .policy import (backtest, compare, compare_messages, decision, label, online_report, precision_report, promote,
                     replay, report)
from .training import signal_names, training_frame
from .types import Attribution, Entry, Model

__version__ = "0.2.0"
__all__ = [
    "Attribution", "Entry", "LoadedModel", "Model", "backtest", "compare", "compare_messages", "decision", "explain",
    "frame_of", "label", "load_model", "model_value", "online_report", "pr_curve", "pr_points", "precision_report",
    "promote", "register", "replay", "report", "signal_names", "training_frame", "waterfall",
]
