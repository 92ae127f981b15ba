"""pyarrow, loaded with the first table that needs it: a service that is asked for JSON goes without.

It takes half of the time and memory that a server begins with otherwise.
"""

from typing import Any

from app.later import Later

pa: Any = Later("pyarrow")
pc: Any = Later("pyarrow.compute")
csv: Any = Later("pyarrow.csv")
ipc: Any = Later("pyarrow.ipc")
parquet: Any = Later("pyarrow.parquet")
