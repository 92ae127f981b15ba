"""Writes settings and metrics as they are into README's tables: `.venv/bin/python -m tests.readme_tables`."""

import re
from pathlib import Path

from tests import metrics_table, settings_table

README = Path(__file__).resolve().parent.parent / "README.md"
TABLES = {
    re.compile(r"\| `(?:network|training|scaling)\.|\| `NETLET_"): settings_table.rows,
    re.compile(r"\| `(?:netlet|process)_"): metrics_table.rows,
}


def main() -> None:
    """Replace the rows of the tables."""
    lines = README.read_text(encoding="utf-8").split("\n")
    for row, rows in TABLES.items():
        places = [place for place, line in enumerate(lines) if row.match(line)]
        lines[places[0] : places[-1] + 1] = rows()
    README.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
