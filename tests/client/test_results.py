"""What the client knows of answers and requests is what the service's document says of them."""

from dataclasses import fields
from typing import Any

import pytest
from pydantic import BaseModel

from app import client
from app.api import alias_schemas, job_schemas, predict_schemas, schemas
from app.client.predictions import Asked
from app.client.results import Told
from app.client.trainings import Training
from app.models.model import Report


@pytest.mark.parametrize(
    ("result", "answers"),
    [
        (client.Model, [alias_schemas.ModelVersions, alias_schemas.OneVersion]),
        (client.Column, [schemas.Column]),
        (client.Report, [Report]),
        (client.ListedModel, [schemas.ModelSummary]),
        (client.Alias, [alias_schemas.AliasAnswer]),
        (client.Move, [alias_schemas.MoveAnswer]),
        (client.Kept, [alias_schemas.RuleAnswer]),
        (client.Job, [job_schemas.JobDetail]),
        (client.Progress, [job_schemas.ProgressEvent]),
        (client.Search, [job_schemas.SearchDetail]),
        (client.Dataset, [schemas.DatasetDetail]),
        (client.ListedDataset, [schemas.DatasetSummary]),
        (client.Predictions, [predict_schemas.Predictions]),
    ],
)
def test_each_result_has_the_fields_of_its_answer(result: type[Told], answers: list[Any]) -> None:
    """All of them by name, and none beside, but for the whole that each keeps."""
    known = {field.name for field in fields(result)}

    assert known == {"raw"}.union(*map(_names, answers))


def _names(answer: Any) -> set[str]:
    return set(answer.model_fields) if issubclass(answer, BaseModel) else {field.name for field in fields(answer)}


def test_all_that_a_training_takes_can_be_said() -> None:
    """Also how a CSV is written, and how the job is run; only the waiting is the client's own."""
    own = {"rows", "target", "wait", "cancel_on_disconnect"}
    taken = {*schemas.TrainRequest.model_fields, *job_schemas.Asked.model_fields, "delimiter", "decimal", "encoding"}

    assert {*Training.__annotations__} == taken - own


def test_all_that_a_prediction_takes_can_be_said() -> None:
    """Beside the model and the rows."""
    assert {*Asked.__annotations__} == {*predict_schemas.PredictRequest.model_fields} - {"model", "rows", "X"}
