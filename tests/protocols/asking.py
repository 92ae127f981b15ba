"""How tests ask in the Open Inference Protocol V2."""

from typing import Any


def tensor(name: str, datatype: str, shape: list[int], data: Any, **parameters: Any) -> dict[str, Any]:
    made = {"name": name, "datatype": datatype, "shape": shape, "data": data}
    return made | {"parameters": parameters} if parameters else made
