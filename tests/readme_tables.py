"""Writes the settings as they are into README's table: `.venv/bin/python -m tests.readme_tables`."""

import re
from pathlib import Path

from tests import settings_table

README = Path(__file__).resolve().parent.parent / "README.md"
ROW = re.compile(r"\| `(?:network|training|scaling)\.|\| `NETLET_")


def main() -> None:
    """Replace the rows of the table."""
    lines = README.read_text(encoding="utf-8").split("\n")
    places = [place for place, line in enumerate(lines) if ROW.match(line)]
    lines[places[0] : places[-1] + 1] = settings_table.rows()
    README.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
