"""The bill of materials: valid, whole, and the same for the same locks."""

import json
import subprocess
from pathlib import Path

import pytest

from app import __version__
from tests.supply.locks import ROOT, RUNTIME, page_packages, pins
from tests.supply.sbom import bill

PYTHON = ROOT / ".venv-checks" / "bin" / "python"
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1], encoding="utf-8").read()))
"""


@pytest.mark.timeout(60)
def test_it_lists_all_that_is_locked_with_hashes(tmp_path: Path) -> None:
    """Each Python package that runs and each package in the page; CycloneDX's own schema finds no fault with it."""
    told = bill()

    file = tmp_path / "netlet.cdx.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    judged = subprocess.run([str(PYTHON), "-c", VALIDATE, str(file)], capture_output=True, text=True, check=True)
    assert judged.stdout == "None\n", judged.stdout
    of_page = [package["version"] for package in page_packages().values() if not package.get("dev")]
    listed = [(each["name"], each["version"]) for each in told["components"] if "pypi" in each["purl"]]
    assert sorted(listed) == sorted((pin.name, pin.version) for pin in pins(RUNTIME))
    assert len(told["components"]) == len(listed) + len(of_page)
    assert {"preact", "swagger-ui-dist"} <= {each["name"] for each in told["components"]}
    assert all(each.get("hashes") or each["externalReferences"][0]["hashes"] for each in told["components"])
    assert told["metadata"]["component"]["version"] == __version__
    assert told["dependencies"][0]["dependsOn"] == [each["bom-ref"] for each in told["components"]]
    assert "timestamp" not in told["metadata"]
    assert "serialNumber" not in told
