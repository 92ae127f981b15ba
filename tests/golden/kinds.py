"""What a set of golden files holds: models of several kinds, small, and rows to ask them."""

import math
from typing import Any

ANY_COURSE = ("art", "law", "physics", "history", "medicine", "music", None)


def _students() -> list[dict[str, Any]]:
    """Rows of every kind of column, gaps among them; a smooth target of each task."""
    return [
        {
            "hours": None if row % 9 == 4 else row % 7 / 2,
            "course": ANY_COURSE[row * 5 % 7],
            "tutored": row % 3 == 0,
            "enrolled": f"2024-{1 + row % 12:02}-{1 + row * 11 % 28:02}T{row * 7 % 24:02}:30",
            "score": 60 + 10 * math.sin(row) + row % 7,
            "level": ("low", "middle", "high")[row % 7 // 3],
            "passed": row % 2 == 0,
            "honours": row % 5 == 1,
        }
        for row in range(40)
    ]


STUDENTS = _students()
TARGETS = ("score", "level", "passed", "honours")
NEW = [
    {"hours": 1.75, "course": "law", "tutored": True, "enrolled": "2024-03-05T08:15"},
    {"hours": None, "course": None, "tutored": False, "enrolled": "2024-12-31"},
    {"hours": -40, "course": "alchemy", "tutored": False, "enrolled": "1999-01-01T00:00"},
]
X = [[math.sin(3 * row) * 100, math.cos(row * row)] for row in range(36)]
QUESTIONS = [[12.5, -0.25], [-99.0, 0.75], [400.0, 0.0], [0.0, 5.0]]


def _without(*columns: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in columns} for row in STUDENTS]


def _of_students(target: Any, **settings: Any) -> dict[str, Any]:
    named = [target] if isinstance(target, str) else target
    return {"rows": _without(*(set(TARGETS) - set(named))), "target": target, **settings}


SMALL = {"hidden": [6, 4]}
NUMBERS = {"rows": NEW, "interval": 0.8, "applicability": True, "explain": True}
CLASSES = NUMBERS | {"proba": True}

KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tutorial": (
        {
            "preset": "tutorial",
            "rows": [
                {"hours_studied": studied, "hours_slept": slept, "score": score}
                for studied, slept, score in ((2, 9, 92), (1, 5, 86), (3, 6, 89))
            ],
            "target": "score",
        },
        {"rows": [{"hours_studied": 4, "hours_slept": 8}, {"hours_studied": 2, "hours_slept": 9}]},
    ),
    "defaults": (_of_students("score", network=SMALL), NUMBERS),
    "classes": (_of_students("level", network=SMALL), CLASSES | {"abstain": True}),
    "multilabel": (
        _of_students(["passed", "honours"], network=SMALL, training={"members": 3, "epochs": 20}),
        CLASSES,
    ),
    "two-targets": (
        {
            "X": X,
            "y": [[x + 3 * y, x * y] for x, y in X],
            "network": {"hidden": [7, 5], "activation": "tanh"},
            "training": {"optimizer": "lbfgs", "epochs": 40},
        },
        {"X": QUESTIONS, "applicability": True},
    ),
    "members-float32": (
        {
            "X": X,
            "y": [x / 10 + y**3 for x, y in X],
            "network": {"hidden": [9], "activation": "silu"},
            "training": {"members": 4, "precision": "float32", "epochs": 30},
            "scaling": {"bins": 4, "clip": 3.0},
        },
        {"X": QUESTIONS, "interval": 0.7},
    ),
    "embeddings-and-variance": (
        _of_students(
            "score",
            network={"hidden": [6], "activation": "leaky_relu"},
            training={"optimizer": "adam", "loss": "gaussian_nll", "epochs": 25},
            scaling={"one_hot": 2},
        ),
        NUMBERS,
    ),
}
"""By name: what is sent to /train, and what to /predict."""
