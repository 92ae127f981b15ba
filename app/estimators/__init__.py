"""netlet with scikit-learn's interface: `NetletRegressor` and `NetletClassifier`, which learn here or in a service."""

from app.estimators.networks import NetletClassifier, NetletRegressor

__all__ = ["NetletClassifier", "NetletRegressor"]
