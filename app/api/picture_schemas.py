"""What may be asked of a picture in its address."""

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel, ConfigDict, Field

from app.pictures.picture import USUAL_LEVEL, Asked

WIDTH = 960
Name = Annotated[str, MaxLen(1000)]


class PictureQuery(BaseModel):
    """Which of several a picture shows, and how wide it is; each picture takes only some of it."""

    model_config = ConfigDict(extra="forbid")

    width: Annotated[int, Ge(200), Le(2400)] = Field(WIDTH, description="Pixels from left to right.")
    member: Annotated[int, Ge(1)] | None = Field(None, description="Of the diagram: which network, counted from 1.")
    column: Name | None = Field(None, description="Of the response: the column that it runs over; else the first.")
    x: Name | None = Field(None, description="Of the surface: the column from left to right; else the first.")
    y: Name | None = Field(None, description="Of the surface: the column from bottom to top.")
    answer: Name | None = Field(None, description="The target, or for classes the label, where there are several.")
    level: Annotated[float, Gt(0), Lt(1)] | None = Field(
        None, description=f"Of the response: how often truth is within its interval; {USUAL_LEVEL} if not given."
    )

    def asked(self) -> Asked:
        """Give what is asked of the model."""
        return Asked(**self.model_dump(exclude={"width"}))
