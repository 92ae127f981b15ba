"""Learn a network of 30-64-64-1 with scikit-learn, and write it where peers look for it: `python network.py FOLDER`."""

import json
import sys
from pathlib import Path
from typing import Any

COLUMNS, UNITS = 30, (64, 64)


def learnt() -> Any:
    """Learn some rows, not well: what is answered does not matter here."""
    import numpy as np
    from sklearn.neural_network import MLPRegressor

    X = np.random.default_rng(0).standard_normal((400, COLUMNS))
    return MLPRegressor(hidden_layer_sizes=UNITS, max_iter=20, random_state=0).fit(X, X[:, :5].sum(axis=1))


def main() -> None:
    """Write it as joblib does, as MLServer wants it, and as MLflow does where that is installed."""
    import joblib

    folder, model = Path(sys.argv[1]), learnt()
    joblib.dump(model, folder / "model.joblib")
    settings = {"name": "mid", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "model.joblib"}}
    (folder / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    try:
        import mlflow.sklearn
    except ImportError:
        return
    mlflow.sklearn.save_model(model, folder / "mlflow", serialization_format="cloudpickle")


if __name__ == "__main__":
    main()
