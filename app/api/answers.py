"""Answers: what the parts return, as what the schemas promise."""

from collections.abc import Sequence

from fastapi import Response
from pydantic import BaseModel

from app.api.schemas import (
    Column,
    HistoryAnswer,
    JobDetail,
    LayerAnswer,
    ModelDetail,
    ModelSummary,
    ModelVersions,
    Predictions,
    ScalerAnswer,
    WeightsAnswer,
)
from app.engine.arrays import Features
from app.engine.preprocessing import Scaler
from app.errors import Fault, InvalidRequest, TooManyAnswers
from app.jobs.jobs import Job
from app.store.store import Listed, Stored


def as_json(
    answer: BaseModel, status: int = 200, location: str | None = None, *, without_nulls: bool = False
) -> Response:
    """Write an answer as JSON, in one pass."""
    headers = {} if location is None else {"location": location}
    return Response(answer.model_dump_json(exclude_none=without_nulls), status, headers, "application/json")


def one_or_all(names: Sequence[str]) -> str | list[str]:
    """Give the name alone where there is only one."""
    return names[0] if len(names) == 1 else list(names)


def predictions(stored: Stored, X: Features, *, proba: bool, most: int) -> Predictions:
    """Answer rows; raise TooManyAnswers for more than so many numbers, InvalidRequest where there are no classes."""
    model = stored.model
    count = len(X) * max(1, len(model.labels), len(model.targets))
    if count > most:
        raise TooManyAnswers(count, most)
    if proba and not model.labels:
        message = "Only classes have probabilities, and this model answers with numbers. Leave proba out."
        raise InvalidRequest(message, [Fault("false, or nothing", got="true", field="proba")])
    scores = model.scores(X)
    probabilities = None
    if proba:
        labels = [str(label).lower() if isinstance(label, bool) else str(label) for label in model.labels]
        probabilities = [dict(zip(labels, row, strict=True)) for row in scores.tolist()]
    return Predictions(
        model=stored.name,
        version=stored.version,
        predictions=model.answers(scores),
        in_range=model.in_range(X).tolist(),
        probabilities=probabilities,
    )


def detail(stored: Stored) -> ModelDetail:
    """Describe one version."""
    model = stored.model
    ranges = zip(model.columns, model.lowest.tolist(), model.highest.tolist(), strict=True)
    return ModelDetail(
        model=stored.name,
        version=stored.version,
        reference=f"{stored.name}/{stored.version}",
        task=str(model.recipe.task),
        columns=[Column(name=name, lowest=lowest, highest=highest) for name, lowest, highest in ranges],
        target=one_or_all(model.targets),
        labels=list(model.labels) or None,
        network=model.recipe.network,
        training=model.recipe.training,
        scaling=model.recipe.scaling,
        report=model.report,
        tags=model.tags,
        description=model.description,
        created=stored.created,
        sha256=stored.sha256,
        bytes=stored.bytes,
    )


def with_versions(stored: Stored, versions: list[int]) -> ModelVersions:
    """Describe a model by the version its bare name means."""
    return ModelVersions(**dict(detail(stored)), versions=versions)


def summary(listed: Listed) -> ModelSummary:
    """Describe a model in a line."""
    newest = listed.newest
    return ModelSummary(
        model=listed.name,
        versions=list(listed.versions),
        task=None if newest is None else newest.recipe.task,
        columns=None if newest is None else list(newest.columns),
        target=None if newest is None else one_or_all(newest.targets),
        damage=listed.damage,
    )


def history(stored: Stored, most_points: int) -> HistoryAnswer:
    """Give the curves, evenly thinned to so many points; the first and the last epoch are always among them."""
    loss, validation_loss = stored.model.history.loss, stored.model.history.validation_loss
    count = min(len(loss), most_points)
    chosen = [round(step * (len(loss) - 1) / max(1, count - 1)) for step in range(count)]
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
    network = model.network
    layers = zip(
        network.layers(model.parameters), (*[network.hidden] * (len(network.sizes) - 2), network.output), strict=True
    )
    return WeightsAnswer(
        model=stored.name,
        version=stored.version,
        features=_scaler(model.features),
        layers=[
            LayerAnswer(activation=name, W=layer.W.tolist(), b=None if layer.b is None else layer.b.tolist())
            for layer, name in layers
        ],
        target=None if model.target is None else _scaler(model.target),
    )


def _scaler(scaler: Scaler) -> ScalerAnswer:
    return ScalerAnswer(center=scaler.center.tolist(), scale=scaler.scale.tolist())


def job_detail(job: Job) -> JobDetail:
    """Describe a job."""
    progress = job.latest_progress()
    return JobDetail(
        job=job.id,
        status=job.status,
        model=job.name,
        version=job.version,
        epoch=progress.epoch if progress else None,
        epochs=progress.epochs if progress else None,
        loss=progress.loss if progress else None,
        validation_loss=progress.validation_loss if progress else None,
        error=str(job.error) if job.error else None,
        created=job.created,
        ended=job.ended,
    )
