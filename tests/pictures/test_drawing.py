"""Drawing: every picture becomes an SVG and a PNG that say in words what is on them."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from app.errors import NoPicture
from app.models.model import Model
from app.pictures.kinds import PICTURES, AnyPicture, drawn
from app.pictures.picture import Asked
from app.pictures.surface import surface
from tests.pictures.conftest import HOSTILE, KINDS, go_on

SVG = "{http://www.w3.org/2000/svg}"
Models = dict[str, Model]


def pictures_of(model: Model) -> Iterator[AnyPicture]:
    """Give those that the model has."""
    for kind in PICTURES.values():
        try:
            yield kind.make(model, Asked(), go_on)
        except NoPicture as error:
            assert str(error)  # noqa: PT017 - what is tested is what comes of the others


@pytest.mark.parametrize("name", KINDS)
def test_every_picture_of_every_kind_of_model_can_be_drawn(name: str, models: Models) -> None:
    """As XML with a title, a description and no other size than was asked for; at least four of each model."""
    pictures = [*pictures_of(models[name])]

    assert len(pictures) >= 4
    for picture in pictures:
        root = ET.fromstring(drawn(picture, "svg", 640))  # noqa: S314 - it is our own
        assert (root.tag, root.get("width"), root.get("role")) == (f"{SVG}svg", "640", "img")
        title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert title is not None
        assert description is not None
        assert title.text
        assert description.text


@pytest.mark.parametrize(
    ("name", "picture", "asked"),
    [
        ("mixed", "response", Asked(column="three")),
        ("shops", "response", Asked(column="shop")),
        ("classes", "response", Asked(answer="c")),
        ("mixed", "surface", Asked(x="three", y="pair")),
        ("mixed", "surface", Asked(x="nine", y="number")),
        ("mixed", "surface", Asked(x="number", y="nine")),
        ("shops", "surface", Asked(x="shop", y="price")),
        ("flags", "calibration", Asked(answer="down")),
    ],
)
def test_what_is_asked_for_is_drawn(name: str, picture: str, asked: Asked, models: Models) -> None:
    """Levels by their names, which stand in the picture as text."""
    made = PICTURES[picture].make(models[name], asked, go_on)

    root = ET.fromstring(drawn(made, "svg", 640))  # noqa: S314 - it is our own
    texts = {element.text for element in root.iter(f"{SVG}text")}
    levels = {"three": "x", "shop": "shop 4", "nine": "l4", "down": "probability of down"}
    assert {level for key, level in levels.items() if key in vars(asked).values()} <= texts


def test_labels_and_layers_beyond_what_can_be_told_apart_are_drawn_together(models: Models) -> None:
    """And what hardly differs is drawn, too."""
    made, other = (surface(models[name], Asked(), go_on) for name in ("classes", "two"))
    shape = len(made.y.values), len(made.x.values)
    stripes = np.resize(np.repeat(np.arange(12.0), 6), shape).T.tolist()
    many = replace(made, labels=[f"l{place}" for place in range(12)], z=stripes)
    flat = replace(other, z=np.ones((len(other.y.values), len(other.x.values))).tolist())
    long = replace(models["exam"], history=replace(models["exam"].history, loss=np.geomspace(1, 1e-8, 30)))

    assert "other labels" in drawn(many, "svg", 640).decode()
    assert drawn(flat, "svg", 640)
    assert "1e-06" in drawn(PICTURES["learning-curve"].make(long, Asked(), go_on), "svg", 640).decode()


def test_a_png_is_as_wide_as_asked_and_says_what_it_shows(models: Models) -> None:
    """It begins as PNGs do; its description is the picture in words."""
    picture = PICTURES["response"].make(models["wave"], Asked(), go_on)

    data = drawn(picture, "png", 500)

    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(data[16:20]) == 500
    assert picture.alt.encode() in data


@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_picture_has_the_same_bytes(form: str, models: Models) -> None:
    """Nothing in it depends on when it was drawn, or on what was drawn before."""
    picture = PICTURES["surface"].make(models["classes"], Asked(), go_on)

    first = drawn(picture, form, 400)
    drawn(PICTURES["diagram"].make(models["exam"], Asked(), go_on), form, 400)

    assert drawn(picture, form, 400) == first


def test_names_are_text_and_never_markup(models: Models) -> None:
    """What would run, be a formula or hide the rest is shown as it is, or as what cannot be shown."""
    for picture in pictures_of(models["hostile"]):
        svg = drawn(picture, "svg", 640).decode()
        root = ET.fromstring(svg)  # noqa: S314 - that it can be read is the claim
        assert not [element for element in root.iter() if element.tag.lower().endswith(("script", "b"))]
        assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in svg
        drawn(picture, "png", 300)

    texts = [element.text for element in ET.fromstring(drawn(_response(models), "svg", 640)).iter(f"{SVG}text")]  # noqa: S314 - our own
    assert HOSTILE[0] in texts


def _response(models: Models) -> AnyPicture:
    return PICTURES["response"].make(models["hostile"], Asked(), go_on)


def test_numbers_too_large_to_be_drawn_are_no_fault_of_the_service(models: Models) -> None:
    """They are refused, with what else there is; those that are small, or all alike, are drawn."""
    encoder = models["wave"].encoder
    row = np.array([1e150, 1.0])
    far = replace(models["wave"], encoder=replace(encoder, highest=row))
    with pytest.raises(NoPicture, match=r"too large to be drawn.*\.json"):
        drawn(PICTURES["response"].make(far, Asked(), go_on), "svg", 640)

    for lowest, highest in ((1e-300, 3e-300), (1.0, 1.0), (0.0, 0.0), (1e15, 1e15 + 1)):
        narrow = replace(encoder, lowest=np.full(2, lowest), highest=np.full(2, highest))
        odd = replace(models["wave"], encoder=narrow)
        for name in ("response", "surface"):
            assert drawn(PICTURES[name].make(odd, Asked(), go_on), "svg", 640)


def test_without_the_library_the_error_says_how_to_have_it() -> None:
    """And all but the drawing works."""
    program = """
import sys
sys.modules["matplotlib"] = None
from app.models.learning import learn
from app.errors import PicturesNotInstalled
from app.pictures.kinds import PICTURES, drawn
from app.pictures.picture import Asked
from app.pictures.surface import surface
from tests.models.tables import EXAM, recipe
picture = PICTURES["diagram"].make(learn(EXAM, recipe(epochs=1)), Asked(), lambda: None)
try:
    drawn(picture, "svg", 640)
except PicturesNotInstalled as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "pip install 'netlet[pictures]'" in run.stdout
