"""Every check of the project, one after the other; `make test` runs it."""

import subprocess
import sys
from pathlib import Path
from time import monotonic

TOOLS = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parent.parent

TESTS = ["pytest", "--numprocesses", "auto", "--dist", "worksteal"]
ON_POSTGRESQL = [  # what a catalogue is about; `pytest --database postgresql` runs all there
    *("tests/store", "tests/jobs", "tests/serving", "tests/access/test_keys.py"),
    *(f"tests/service/test_{part}.py" for part in ("postgresql", "sharing")),
    "tests/backup/test_databases.py",
    *(
        f"tests/api/test_{part}.py"
        for part in ("models", "aliases", "jobs", "pausing", "continuing", "datasets", "snapshots")
    ),
]

ON_S3 = [  # what files are about, where no test damages those of its folder, which are copies then
    *(f"tests/store/test_{part}.py" for part in ("buckets", "odd_buckets", "aliases", "expiry")),
    *(f"tests/{part}/test_buckets.py" for part in ("jobs", "service", "commands")),
    *("tests/api/test_jobs.py", "tests/api/test_pausing.py"),
]
BY_MANY = [  # that start a Ray cluster and much else, one after the other: two cores have no room for more of these
    *("tests/machines", "tests/cluster/test_borrowing.py", "tests/replicas"),
]

READERS = ROOT / ".venv-checks" / "bin"
RULES = [  # which need no registry of others, and tell nobody that they were looked at
    *(str(READERS / "semgrep"), "scan", "--metrics", "off", "--disable-version-check", "--quiet"),
    *("--config", str(ROOT / "tests" / "rules.yaml")),
]

LEARNS = ("engine", "solvers", "models", "insight")
SHAPED = f"--jaxtyping-packages={','.join(f'app.{part}' for part in LEARNS)},beartype.beartype"
COVERED = ",".join(f"app/{part}/*" for part in LEARNS)

CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "import contracts": ["lint-imports", "--no-logo"],
    "rules": [*RULES, "--error", "app"],
    "unsafe code": [str(READERS / "bandit"), "--quiet", "--recursive", "--configfile", "pyproject.toml", "app"],
    "types of the page": ["python", "-m", "tests.page_types"],
    "tests": ["coverage", "run", "-m", *TESTS, "-rsfE", "--durations=20"],
    "shapes of arrays": [*TESTS, *(f"tests/{part}" for part in LEARNS), SHAPED],
    "tests on PostgreSQL": [*TESTS, "--database", "postgresql", *ON_POSTGRESQL],
    "tests on S3": [*TESTS, "--database", "postgresql", "--files", "s3", *ON_S3],
    "tests of many machines": ["pytest", "--database", "postgresql", "--files", "s3", *BY_MANY],
    "coverage data": ["coverage", "combine", "--quiet"],
    "coverage of what learns": ["coverage", "report", f"--include={COVERED}", "--fail-under=100"],
    "coverage of app": ["coverage", "report", "--fail-under=95"],
}


def main() -> int:
    """Run the checks and stop at the first that fails."""
    for name, (tool, *arguments) in CHECKS.items():
        began = monotonic()
        print(f"== {name}", flush=True)  # noqa: T201 - a runner prints
        code = subprocess.run([str(TOOLS / tool), *arguments], cwd=ROOT, check=False).returncode
        if code:
            print(f"== {name} failed after {monotonic() - began:.0f} s")  # noqa: T201 - a runner prints
            return code
        print(f"== {name}: good, {monotonic() - began:.0f} s", flush=True)  # noqa: T201 - a runner prints
    return 0


if __name__ == "__main__":
    sys.exit(main())
