"""MLflow: the story of each training run. No other room of the package knows MLflow.

A run's own files are the truth; the tracker is told about them, and its absence never stops a
run. MLFLOW_TRACKING_URI points to a server; without it an SQLite file beside the results serves.
"""

from topdb.tracking.finished import track_finished
from topdb.tracking.live import LiveRun, live_run
from topdb.tracking.tags import run_tags

__all__ = ["LiveRun", "live_run", "run_tags", "track_finished"]
