"""Running: programs that were written are tried in interpreters of their own, which know nothing else of netlet."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from app.errors import ExportRefused
from app.export.probes import Probes, Ran, Value

SECONDS = 120.0
KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")
IN_PYTHON = """
import json, platform, sys
sys.path.insert(0, sys.argv[1])
import program
rows = json.load(sys.stdin)
shares = [[*row.values()] for row in program.probabilities(rows)] if hasattr(program, "probabilities") else None
print(json.dumps({"by": "Python " + platform.python_version(), "predictions": program.predict(rows), "shares": shares}))
"""
IN_JAVASCRIPT = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const program = await import(pathToFileURL(`${process.argv[1]}/program.mjs`));
const rows = JSON.parse(readFileSync(0, "utf8"));
const named = (row) => program.CLASSES.map((name) => row[String(name)]);
const shares = program.CLASSES ? program.probabilities(rows).map(named) : null;
process.stdout.write(JSON.stringify({ by: `Node ${process.version}`, predictions: program.predict(rows), shares }));
"""


IN_ONNXRUNTIME = """
import json, sys
import numpy as np
from importlib.metadata import version
folder, kind, *outputs = sys.argv[1:]
rows = np.array(json.load(sys.stdin)).astype(kind)
data = open(folder + "/model.onnx", "rb").read()
try:
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    runner = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name, by = runner.get_inputs()[0].name, "onnxruntime " + version("onnxruntime")
except ImportError:
    import onnx.reference
    runner = onnx.reference.ReferenceEvaluator(onnx.load_model_from_string(data))
    name, by = runner.input_names[0], "onnx.reference " + version("onnx")
told = [output.tolist() for output in runner.run(outputs, {name: rows})]
print(json.dumps({"by": by, "predictions": told[1] if len(told) > 1 else None, "shares": told[0]}))
"""


def in_onnxruntime(data: bytes, kind: str, outputs: Sequence[str], rows: list[list[Value]]) -> Ran:
    """Run somebody's graph on rows of one kind of numbers, in a process that it may bring down.

    Raises ExportRefused if it fails.
    """
    command = [sys.executable, "-I", "-c", IN_ONNXRUNTIME]
    return _ran(command, "model.onnx", data, rows, kind, *outputs)


def in_python(data: bytes, probes: Probes) -> Ran:
    """Run a Python program, in this interpreter's twin that looks at no folder or variable of the service."""
    return _ran([sys.executable, "-I", "-c", IN_PYTHON], "program.py", data, probes.rows)


def in_javascript(data: bytes, probes: Probes) -> Ran | None:
    """Run a JavaScript module in Node; None where there is no Node on the service's path."""
    node = which("node")
    command = [str(node), "--input-type=module", "-e", IN_JAVASCRIPT]
    return None if node is None else _ran(command, "program.mjs", data, probes.rows)


def _ran(command: Sequence[str], name: str, data: bytes, rows: list[list[Value]], *more: str) -> Ran:
    """Run a program on rows; raise ExportRefused if it fails."""
    with TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(data)
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {"OPENBLAS_NUM_THREADS": "1"}
        try:
            done = subprocess.run(  # noqa: S603 - the interpreter is ours or the path's, and names no part of the program
                [*command, folder, *more],
                input=json.dumps(rows).encode(),
                capture_output=True,
                cwd=folder,
                env=environment,
                timeout=SECONDS,
                check=True,
            )
            told = json.loads(done.stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            reason = f"the program did not run here ({type(error).__name__})"
            raise ExportRefused(reason) from error
    predictions, shares = told["predictions"], told["shares"]
    return Ran(predictions, scores_of(predictions if shares is None else shares), told["by"])


def scores_of(told: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Take answers as scores (rows, answers), null as NaN; an empty array where they are no such thing."""
    try:
        scores = np.array(told, dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty((0, 0))
    return scores.reshape(len(scores), -1)
