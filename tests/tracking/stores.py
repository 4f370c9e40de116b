"""What MLflow's embedded store holds, asked by MLflow's own client."""

STORE = "sqlite:///results/mlflow.db"


def client():
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=STORE)


def stored(experiment: str) -> list:
    """The runs of an experiment that are trainings."""
    found = client().get_experiment_by_name(experiment)
    runs = client().search_runs([found.experiment_id])
    return [run for run in runs if "topdb.role" not in run.data.tags]


def losses(run_id: str) -> list[tuple[int, float]]:
    """The epochs that have arrived of a run."""
    found = client().get_metric_history(run_id, "loss")
    return [(point.step, point.value) for point in found]
