"""Six letters of 4 by 6 pixels, one picture each, as readers of the tutorial tried to tell apart."""

import numpy as np
import numpy.typing as npt

from app.models.table import TrainingRows
from tests.models.tables import columns

PICTURES = {
    "A": "0110 1001 1001 1111 1001 1001",
    "B": "1110 1001 1110 1001 1001 1110",
    "C": "0111 1000 1000 1000 1000 0111",
    "D": "1110 1001 1001 1001 1001 1110",
    "E": "1111 1000 1110 1000 1000 1111",
    "F": "1111 1000 1110 1000 1000 1000",
}
UNKNOWN = "0110 1001 1001 1001 1001 0110"  # an O
ALMOST_E = "1111 1000 1110 1000 1000 0111"


def pixels(picture: str) -> npt.NDArray[np.float64]:
    """Read a picture, row by row."""
    return np.array([float(pixel) for pixel in picture.replace(" ", "")])


NAMES = tuple(f"pixel_{number}" for number in range(24))
LETTERS = TrainingRows(columns(*NAMES), ("letter",), np.stack([*map(pixels, PICTURES.values())]), tuple(PICTURES))
