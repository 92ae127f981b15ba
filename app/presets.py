"""Presets: settings that a name stands for, as they would be sent; what is sent beside the name wins."""

PRESETS: dict[str, dict[str, dict[str, object]]] = {
    # The 60-line tutorial network, setting by setting.
    "tutorial": {
        "network": {
            "hidden": [3],
            "activation": "sigmoid",
            "output_activation": "sigmoid",
            "bias": False,
            "initializer": "normal",
        },
        "training": {
            "loss": "quadratic",
            "optimizer": "gradient_descent",
            "learning_rate": 1.0,
            "schedule": "constant",
            "epochs": 1000,
            "batch_size": 10_000_000,
            "validation": 0.0,
            "tolerance": 0.0,
            "keep_best": False,
            "precision": "float64",
            "generator": "mt19937",
        },
        "scaling": {"features": "maximum", "target": "maximum", "target_maximum": 100.0},
    }
}
