"""Answers: what the parts return, as what the schemas promise."""

from collections.abc import Iterator, Sequence

from fastapi import Response
from pydantic import BaseModel

from app.api.job_answers import thinned
from app.api.schemas import (
    Column,
    DatasetDetail,
    DatasetSummary,
    HistoryAnswer,
    InputAnswer,
    LayerAnswer,
    MemberAnswer,
    ModelDetail,
    ModelSummary,
    ScalerAnswer,
    WeightsAnswer,
)
from app.engine.arrays import Array
from app.engine.network import Layer
from app.models.model import Model
from app.models.preprocessing import PAIR
from app.store.dataset_document import Dataset
from app.store.store import Listed, Stored
from app.tables.columns import sources_of

MOST_LEVELS = 100  # of a category, where a column is described


def as_json(
    answer: BaseModel, status: int = 200, location: str | None = None, *, without_nulls: bool = False
) -> Response:
    """Write an answer as JSON, in one pass."""
    headers = {} if location is None else {"location": location}
    return Response(answer.model_dump_json(exclude_none=without_nulls), status, headers, "application/json")


def one_or_all(names: Sequence[str]) -> str | list[str]:
    """Give the name alone where there is only one."""
    return names[0] if len(names) == 1 else list(names)


def detail(stored: Stored) -> ModelDetail:
    """Describe one version."""
    model = stored.model
    return ModelDetail(
        model=stored.name,
        version=stored.version,
        reference=f"{stored.name}/{stored.version}",
        task=str(model.recipe.task),
        columns=columns_of(model),
        target=one_or_all(model.targets),
        labels=list(model.labels) or None,
        network=model.recipe.network,
        training=model.recipe.training,
        scaling=model.recipe.scaling,
        report=model.report,
        tags=model.tags,
        description=model.description,
        dataset=model.dataset,
        continued_from=model.continued_from,
        created=stored.created,
        sha256=stored.sha256,
        bytes=stored.bytes,
    )


def summary(listed: Listed) -> ModelSummary:
    """Describe a model in a line."""
    meant = listed.meant
    return ModelSummary(
        model=listed.name,
        versions=list(listed.versions),
        task=None if meant is None else meant.recipe.task,
        columns=None if meant is None else [source.name for source in meant.sources],
        target=None if meant is None else one_or_all(meant.targets),
        tags=None if meant is None else meant.tags,
        damage=listed.damage,
    )


def history(stored: Stored, most_points: int) -> HistoryAnswer:
    """Give the curves, evenly thinned to so many points; the first and the last epoch are always among them."""
    loss, validation_loss = stored.model.history.loss, stored.model.history.validation_loss
    chosen = thinned(len(loss), most_points)
    return HistoryAnswer(
        model=stored.name,
        version=stored.version,
        epochs=[index + 1 for index in chosen],
        loss=loss[chosen].tolist(),
        validation_loss=validation_loss[chosen].tolist() if len(validation_loss) else None,
    )


def weights(stored: Stored) -> WeightsAnswer:
    """Give every number that an answer is computed from."""
    model = stored.model
    return WeightsAnswer(
        model=stored.name,
        version=stored.version,
        inputs=list(inputs_of(model)),
        members=members_of(model, len(model.parameters)),
        target=scaler_of(model),
        temperature=model.temperature,
    )


def members_of(model: Model, most: int) -> list[MemberAnswer]:
    """Give the weights of so many of a model's networks at most."""
    network = model.network
    activations = (*[network.hidden] * (len(network.sizes) - 2), network.output)
    layers, tables = network.layers(model.parameters), network.tables(model.parameters)
    return [
        MemberAnswer(
            layers=[_layer(layer, name, member) for layer, name in zip(layers, activations, strict=True)],
            embeddings=[table[member].tolist() for table in tables] or None,
        )
        for member in range(min(most, len(model.parameters)))
    ]


def scaler_of(model: Model) -> ScalerAnswer | None:
    """Tell how a target is scaled; None for classes."""
    target = model.target
    return None if target is None else ScalerAnswer(center=target.center.tolist(), scale=target.scale.tolist())


def _layer(layer: Layer, activation: str, member: int) -> LayerAnswer:
    b: Array | None = None if layer.b is None else layer.b[member, 0]
    return LayerAnswer(activation=activation, W=layer.W[member].tolist(), b=None if b is None else b.tolist())


def columns_of(model: Model) -> list[Column]:
    """Describe what a model takes."""
    levels = {column.name: list(column.levels) for column in model.columns}
    return [
        Column(
            name=source.name,
            kind=source.kind,
            lowest=source.lowest,
            highest=source.highest,
            levels=levels.get(source.name, [])[:MOST_LEVELS] or None,
            level_count=source.levels or None,
            frequent=list(source.frequent) or None,
            missing=source.columns[0] in model.missing,
            missing_share=source.missing,
            example=source.example,
        )
        for source in sources_of(model)
    ]


def inputs_of(model: Model) -> Iterator[InputAnswer]:
    """Tell how each input is made, in the order in which the encoder makes them."""
    encoder, columns = model.encoder, model.columns
    center, scale, fill = (row.tolist() for row in (encoder.scaler.center, encoder.scaler.scale, encoder.fill))
    for index in encoder.numbers:
        yield InputAnswer(
            column=columns[index].name,
            made="scaled",
            center=center[index],
            scale=scale[index],
            clip=encoder.clip,
            fill=fill[index] if encoder.missing[index] else None,
        )
    for index, begins, width in zip(*(list(part) for part in encoder.bins), strict=True):
        filled = fill[index] if encoder.missing[index] else None
        yield InputAnswer(column=columns[index].name, made="bin", begins=float(begins), width=float(width), fill=filled)
    for column, missing in zip(columns, encoder.missing, strict=True):
        if missing:
            yield InputAnswer(column=column.name, made="missing")
    for index, levels in encoder.categories:
        if levels == PAIR:
            yield InputAnswer(column=columns[index].name, made="pair", levels=list(columns[index].levels))
        else:
            for level in columns[index].levels:
                yield InputAnswer(column=columns[index].name, made="level", level=level)
    for index, _ in encoder.coded:
        yield InputAnswer(column=columns[index].name, made="embedded", levels=list(columns[index].levels))


def dataset_detail(dataset: Dataset, models: list[str]) -> DatasetDetail:
    """Describe a dataset."""
    known = dataset.document
    return DatasetDetail(
        dataset=dataset.id,
        rows=known.rows,
        bytes=known.bytes,
        columns=list(known.columns),
        created=known.created,
        models=models,
    )


def dataset_summary(dataset: Dataset) -> DatasetSummary:
    """Describe a dataset in a line."""
    known = dataset.document
    names = [column.name for column in known.columns]
    return DatasetSummary(dataset=dataset.id, rows=known.rows, bytes=known.bytes, columns=names, created=known.created)
