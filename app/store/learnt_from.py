"""Which models were trained on a dataset."""

from sqlalchemy import select

from app.store.catalogue import Catalogue
from app.store.schema import versions

MOST_REFERENCES = 1000


def models_of(catalogue: Catalogue, dataset: str) -> list[str]:
    """List the models that were trained on a dataset and are still there, oldest first, the newest 1,000 at most."""
    newest = versions.c.created.desc(), versions.c.name, versions.c.version
    chosen = select(versions).where(versions.c.dataset == dataset).order_by(*newest).limit(MOST_REFERENCES)
    return [f"{row.name}/{row.version}" for row in reversed(catalogue.read(chosen))]
