# Two commands do everything: `make run` and `make test`; `make bench` measures. All set up .venv from the locked requirements first.
# For a release: `make audit`, `make release` (docs/releasing.md).
PYTHON ?= python3
page = $(wildcard app/web/*.json app/web/*.ts) app/web/index.html app/web/build_page.py $(shell find app/web/src -type f ! -name openapi.d.ts)
pip = .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps

.PHONY: run test bench audit sbom release lock
run: .venv/run.done
	.venv/bin/python -m app.cli demo

test: .venv/test.done
	tests/system_packages.sh
	.venv/bin/python tests/check.py

bench: .venv/run.done # with the peers: .venv/bin/python -m pip install '.[bench]'
	.venv/bin/python -m benchmarks

audit: .venv/run.done .venv-checks/done # what is known against the packages of all locks; fails where not all could be looked up
	.venv/bin/python -m tests.supply.audit

sbom: .venv/run.done .venv-checks/done # the bill of materials, as CycloneDX has it
	.venv/bin/python -m tests.supply.sbom dist/netlet.cdx.json

release: .venv/run.done .venv-checks/done # wheel, source, bill and checksums of the last commit, in dist
	.venv/bin/python -m tests.supply.release

.venv/run.done: requirements.lock requirements-build.lock requirements-node.lock pyproject.toml $(page)
	$(PYTHON) -m venv .venv
	$(pip) --require-hashes -r requirements.lock -r requirements-build.lock
	.venv/bin/python app/web/build_page.py || $(pip) --require-hashes -r requirements-node.lock
	$(pip) --no-build-isolation --editable .
	touch $@

.venv/test.done: requirements-test.lock .venv/run.done .venv-clients/done .venv-clients-mlserver/done .venv-checks/done
	$(pip) --require-hashes -r requirements-test.lock
	touch $@

.venv-%/done: requirements-%.lock # real clients of the protocols, and what checks the project, each kind in an environment of its own
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-$*.lock
	touch $@

lock: # needs uv; writes no index addresses
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml --extra otel --extra pictures --extra postgresql --extra s3 --extra search -o requirements.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group build -c requirements.lock -o requirements-build.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group clients -o requirements-clients.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group clients-mlserver -o requirements-clients-mlserver.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group node -o requirements-node.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group checks -o requirements-checks.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group test -c requirements.lock -o requirements-test.lock
