"""Which processes that tests start measure what they run, at half the speed: those that find a certain variable."""

import os
from collections.abc import Mapping

MEASURES = "COVERAGE_PROCESS_CONFIG"


def unmeasured(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give the variables of a process that does not: it is killed before it tells, or does what others do."""
    return {name: value for name, value in environment.items() if name != MEASURES}
