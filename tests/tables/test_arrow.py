"""pyarrow, which is imported with the first table that needs it."""

import subprocess
import sys

PROGRAM = """
import sys
from threading import Barrier, Thread
from app.tables import arrow

started, failed = Barrier(4), []

def use(module, name):
    started.wait()
    try:
        getattr(module, name)
    except ImportError as error:
        failed.append(error)

uses = [(arrow.ipc, "open_file"), (arrow.csv, "open_csv"), (arrow.parquet, "ParquetFile"), (arrow.pa, "array")]
threads = [Thread(target=use, args=each) for each in uses]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(failed)
"""


def test_several_threads_may_need_it_first() -> None:
    """Each gets it whole, whichever part it asks for."""
    for _ in range(3):
        run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == "[]"
