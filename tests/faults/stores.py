"""Stores as they may be found: with very many models, some of them damaged, and what crashes have left."""

import os
import shutil
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from sqlalchemy import insert, select

from app.store.catalogue import Catalogue, Unit
from app.store.schema import models, versions
from app.store.store import ModelStore

BATCH = 10_000
FILE = "1.safetensors"


def multiplied(root: Path, count: int) -> None:
    """Give the one model of a store, `m0`, so many names: a training of each would take hours."""
    with closing(ModelStore(root, Catalogue(root))) as store:
        store.open()
        (row,) = store.catalogue.read(select(versions))
        facts = row._asdict()
        for start in range(1, count, BATCH):
            names = [f"m{number}" for number in range(start, min(count, start + BATCH))]
            for name in names:
                (root / name).mkdir()
                if name == names[0]:  # a file cannot have a hundred thousand names everywhere
                    shutil.copy(root / "m0" / FILE, root / name)
                else:
                    os.link(root / names[0] / FILE, root / name / FILE)

            def listed(unit: Unit, names: list[str] = names) -> None:
                unit.execute(insert(models), [{"name": name, "highest": 1} for name in names])
                unit.execute(insert(versions), [facts | {"name": name} for name in names])

            store.catalogue.write(listed).result()


def damage(root: Path, numbers: Iterable[int]) -> list[str]:
    """Damage the files of some models, each in another way; give their names."""
    names = [f"m{number}" for number in numbers]
    for place, name in enumerate(names):
        path = root / name / FILE
        data = bytearray(path.read_bytes())
        path.unlink()  # which is no other model's from then on
        data[-1] ^= 1
        found = [bytes(data), bytes(data[: len(data) // 2]), b"", None][place % 4]
        if found is not None:
            path.write_bytes(found)
    return names


def leave_behind(root: Path) -> list[Path]:
    """Leave what writers leave that die: files aside, of trainings, and of datasets; give those that are to go."""
    left = [root / ".incoming" / f"{number:016x}" for number in range(30)]
    left += [root / ".jobs" / f"{number:016x}-1.note" for number in range(30)]
    left += [root / ".datasets" / ".incoming" / f"{number:016x}" for number in range(30)]
    for path in left:
        path.write_bytes(b"half of something")
    return left
