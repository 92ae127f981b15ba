"""Mutants: break one thing of the engine's forward and backward pass at a time, and see a test turn red.

Run it with `.venv/bin/python -m tests.mutants`, or with the names of some files; it works on a copy, prints the
survivors and exits with their number.
"""

import ast
import copy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUBJECTS = (
    *(f"engine/{name}.py" for name in ("backpropagation", "activations", "losses", "network")),
    *(f"solvers/{name}.py" for name in ("levenberg_marquardt", "lbfgs")),
)
TESTS = ("engine", "solvers", "models", "insight")
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Sub,
    ast.USub: ast.UAdd,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
FUNCTIONS = ast.FunctionDef | ast.Lambda
LINES = ast.Assign | ast.AugAssign | ast.Expr | ast.Return


def sites(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Name every place that can be broken, as the position in a walk and the way it is."""
    inside = {id(node) for root in ast.walk(tree) if isinstance(root, FUNCTIONS) for node in ast.walk(root)}
    documentation = {id(node.body[0]) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for position, node in enumerate(ast.walk(tree)):
        if id(node) not in inside:
            continue
        if isinstance(node, LINES) and id(node) not in documentation:
            yield position, "drop"
        if type(node) in SWAPS:
            yield position, "swap"
        if isinstance(node, ast.Constant) and isinstance(node.value, float | int) and not isinstance(node.value, bool):
            yield position, "number"


def mutant(tree: ast.Module, position: int, way: str) -> tuple[ast.Module, str]:
    """Break one place; tell what was there."""
    broken = copy.deepcopy(tree)
    node = list(ast.walk(broken))[position]
    told = f"line {getattr(node, 'lineno', '?')}: {way} {type(node).__name__}"
    if isinstance(node, ast.stmt | ast.expr):
        told = f"line {node.lineno}: {way} {ast.unparse(node)[:70]}"
    if way == "number" and isinstance(node, ast.Constant) and isinstance(node.value, float | int):
        node.value = node.value + 1
        return broken, told
    for parent in ast.walk(broken):
        for name, value in ast.iter_fields(parent):
            if isinstance(value, list) and node in value:
                index = value.index(node)
                value[index] = ast.copy_location(ast.Pass(), node) if way == "drop" else SWAPS[type(node)]()
            elif value is node and way == "swap":
                told = (
                    f"line {getattr(parent, 'lineno', '?')}: swap {type(node).__name__} in {ast.unparse(parent)[:70]}"
                )
                setattr(parent, name, SWAPS[type(node)]())
    return ast.fix_missing_locations(broken), told


def survives(copied: Path) -> bool:
    """Run the tests of what learns on a copy; tell whether all stay green."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "--no-header", "--timeout=60"]
    folders = (copied / "tests" / name for name in TESTS)
    tests = sorted(str(path.relative_to(copied)) for folder in folders for path in folder.glob("test_*.py"))
    first = [path for path in tests if any(word in path for word in ("gradient", "activ", "loss", "network", "shard"))]
    order = [*first, *(path for path in tests if path not in first)]
    return subprocess.run([*command, *order], cwd=copied, capture_output=True, check=False, timeout=900).returncode == 0


def main() -> int:
    """Try every mutant of the subjects named, or of all."""
    survivors = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "netlet"
        shutil.copytree(
            ROOT, copied, ignore=shutil.ignore_patterns(".git", ".venv*", "node_modules", "results", ".*_cache")
        )
        for name in sys.argv[1:] or SUBJECTS:
            path = copied / "app" / name
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text)
            for position, way in list(sites(tree)):
                broken, told = mutant(tree, position, way)
                path.write_text(ast.unparse(broken), encoding="utf-8")
                tried += 1
                if survives(copied):
                    survivors += 1
                    print(f"survived: {name} {told}", flush=True)  # noqa: T201 - a runner prints
            path.write_text(text, encoding="utf-8")
            print(f"{name}: {tried} mutants so far, {survivors} survived", flush=True)  # noqa: T201
    return survivors


if __name__ == "__main__":
    sys.exit(main())
