"""Our own rules find what they are about, and nothing else."""

import json
import subprocess
from pathlib import Path

from tests.check import RULES
from tests.deploy.linting import ROOT, documents

BROKEN = {  # a line in which a rule is broken, and the module that it would stand in
    "data-is-never-code": {
        "import pickle; pickle.loads(data)": "store/store",
        "from pickle import load as read; read(file)": "store/store",
        "import marshal; marshal.loads(data)": "store/store",
        "import joblib; joblib.load(file)": "engine/model",
        "import numpy as np; np.load(file)": "tables/npy",
        "import yaml; yaml.load(text, Loader)": "tables/tables",
        "eval(text)": "engine/model",
        "exec(text)": "export/running",
        "compile(text, name, mode)": "export/running",
    },
    "no-shell-reads-our-words": {
        "import subprocess; subprocess.run(words, shell=True)": "export/running",
        "from subprocess import Popen; Popen(words, shell=True, cwd=folder)": "workers",
        "import os; os.system(words)": "workers",
    },
    "the-service-calls-nobody": {
        "import httpx; httpx.get(url)": "api/uploads",
        "from httpx import AsyncClient; AsyncClient(timeout=5)": "jobs/jobs",
        "from urllib.request import urlopen; urlopen(url)": "tables/tables",
        "import socket; socket.create_connection(address)": "store/store",
        "from pyarrow.fs import FileSystem; FileSystem.from_uri(url)": "tables/parquet",
    },
    "a-request-names-no-file": {
        "open(name)": "api/uploads",
        "from pathlib import Path; Path(name)": "protocols/v2",
        "import os.path; os.path.join(folder, name)": "api/named",
        "from fastapi.responses import FileResponse; FileResponse(name)": "api/pictures",
    },
    "archives-stay-packed": {
        "import tarfile; tarfile.open(file).extractall(folder)": "store/store",
        "import shutil; shutil.unpack_archive(file)": "store/store",
    },
    "temporary-files-are-taken-as-they-are-named": {
        "import tempfile; tempfile.mktemp()": "api/spooling",
        "from tempfile import NamedTemporaryFile; NamedTemporaryFile(delete=False)": "api/spooling",
    },
    "secrets-are-compared-in-constant-time": {
        "if token == given: pass": "access/keyring",
        "if given != self.secret: pass": "access/keyring",
        "found = request.api_key == key.digest": "access/keyring",
    },
    "statements-are-not-made-of-text": {
        "from sqlalchemy import text; text(f'select {name}')": "store/catalogue",
        "from sqlalchemy import text; text('select ' + name)": "store/catalogue",
        "from sqlalchemy import text; text('select %s' % name)": "store/catalogue",
        "connection.exec_driver_sql(f'select {name}')": "store/databases",
    },
    "logs-hold-no-rows": {
        "log.info('answered %s', rows)": "api/lane",
        "log.warning('%s was not read: %s', name, request.body)": "api/bodies",
        "import logging; logging.getLogger('netlet').debug('%s', table)": "jobs/work",
    },
    "the-service-prints-nothing": {"print(text)": "api/lane"},
}
KEPT = {  # lines that are like those, but keep all rules
    "import os; os.read(descriptor, 1)": "store/store",
    "import subprocess; subprocess.run([program, name])": "export/running",
    "import httpx; httpx.AsyncClient(transport=transport)": "web/plain",
    "import httpx; httpx.Client(base_url=url)": "client/service",
    "requests.of(route)": "api/lane",
    "from pathlib import Path; open(Path(name))": "store/files",
    "share = size / total": "api/inside",
    "from tempfile import TemporaryFile; TemporaryFile()": "api/spooling",
    "import hmac; hmac.compare_digest(token, given)": "access/keyring",
    "if keys.number == number: pass": "access/keyring",
    "from sqlalchemy import text; text(f'select 1 from {VERSIONS}')": "store/migrating",
    "from sqlalchemy import text; text('select :name')": "store/catalogue",
    "log.info('answered %d rows', len(rows))": "api/lane",
    "console.print(text)": "commands/screen",
}


def test_each_rule_is_broken_where_it_says_and_nowhere_else(tmp_path: Path) -> None:
    """Semgrep finds every line that breaks a rule, by that rule alone, and none that keeps them all."""
    expected: dict[str, set[str]] = {}
    lines = [(line, module, {rule}) for rule, broken in BROKEN.items() for line, module in broken.items()]
    for number, (line, module, rules) in enumerate([*lines, *((line, module, set()) for line, module in KEPT.items())]):
        file = tmp_path / "app" / f"{module}_{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(line + "\n", encoding="utf-8")
        expected[str(file.relative_to(tmp_path))] = rules

    tool, *arguments = RULES

    run = subprocess.run(
        [tool, *arguments, "--json", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    told = json.loads(run.stdout)
    found: dict[str, set[str]] = {file: set() for file in expected}
    for finding in told["results"]:
        found[finding["path"]].add(finding["check_id"].rpartition(".")[2])
    assert told["errors"] == []
    assert found == expected


def test_every_rule_has_a_line_that_breaks_it_and_says_what_to_do() -> None:
    """None is there that nobody has seen at work."""
    rules = documents((ROOT / "tests" / "rules.yaml").read_text(encoding="utf-8"))[0]["rules"]

    assert [rule["id"] for rule in rules] == list(BROKEN)
    assert all(rule["severity"] == "ERROR" and rule["message"].endswith(".") for rule in rules)
