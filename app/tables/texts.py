"""Texts: how the cells of a file are read as numbers, true and false, or dates; one rule each, whatever the format."""

from datetime import date
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from app.tables.arrow import pa, pc

Arrow: TypeAlias = Any
"""An array of pyarrow, which has no types."""
Mask: TypeAlias = npt.NDArray[np.bool_]

MISSING = ("", "NA", "N/A", "NaN", "nan", "null")
"""Texts that stand for no value; spaces around a text are never a part of it."""
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
DAY = r"(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
ZONE = r"(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])"
DATE = f"^{DAY}([T ]{TIME}{ZONE}?)?$"
MOMENT = "timestamp[us]"  # as pyarrow writes the type of moments
FIRST, LAST = -62_135_596_800 * 10**6, 253_402_300_800 * 10**6 - 1  # microseconds of the years 1 and 9999 from 1970
WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Read(NamedTuple):
    """What texts say: a value each (NaN or null where none can be read), and which of them can be read."""

    values: Any
    readable: Mask


def clean(texts: Arrow) -> Arrow:
    """Take away the spaces around each text, and make null what stands for no value."""
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.is_in(trimmed, value_set=pa.array(MISSING)), pa.scalar(None, trimmed.type), trimmed)


def numbers(texts: Arrow) -> Read:
    """Read texts such as 7, -3.5 and 1e3, each as the nearest float64; one beyond them is infinite."""
    fits = pc.match_substring_regex(texts, NUMBER)
    plain = pc.if_else(fits, pc.utf8_ltrim(texts, "+"), pa.scalar(None, texts.type))
    return Read(as_numpy(plain.cast(pa.float64())), mask(fits))


def booleans(texts: Arrow) -> Read:
    """Read true and false, as they are spelled in JSON, Python and spreadsheets, as 1.0 and 0.0."""
    places = pc.index_in(texts, value_set=pa.array(list(WORDS)))
    told = np.array([*map(float, WORDS.values()), np.nan])
    return Read(told[as_numpy(pc.fill_null(places, len(WORDS))).astype(np.intp)], mask(pc.is_valid(places)))


def dates(texts: Arrow) -> Read:
    """Read ISO 8601 dates, with or without a time; a time zone is turned into UTC, which must be in years 1 to 9999."""
    fits = pc.match_substring_regex(texts, DATE)
    none = pa.scalar(None, texts.type)
    found = pc.if_else(fits, texts, none)
    try:
        moments = _moments(found)
    except pa.ArrowInvalid:  # a day that no calendar has, somewhere
        coded = found.dictionary_encode()
        exist = pa.array([_exists(text) for text in coded.dictionary.to_pylist()], pa.bool_()).take(coded.indices)
        moments = _moments(pc.if_else(pc.fill_null(exist, False), found, none))  # noqa: FBT003 - of what is no text
    return Read(moments, mask(pc.is_valid(moments)))


def lengths(texts: Arrow) -> Arrow:
    """Count the bytes of each text."""
    if not pa.types.is_string_view(texts.type):
        return pc.binary_length(texts)
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    return pa.chunked_array([_lengths_of_views(chunk) for chunk in chunks], pa.int32())


def plain(number: float) -> str:
    """Write a number as a text; a whole one without a point."""
    return str(int(number)) if number.is_integer() else repr(number)


def mask(truth: Arrow) -> Mask:
    """Give an array of true and false to NumPy, null as false."""
    return np.asarray(pc.fill_null(truth, False).to_numpy(zero_copy_only=False), dtype=np.bool_)  # noqa: FBT003 - what null becomes


def as_numpy(array: Arrow) -> npt.NDArray[np.float64]:
    """Give an array of numbers to NumPy, null as NaN."""
    return np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _lengths_of_views(texts: Arrow) -> Arrow:
    """Read the lengths where they stand: each text is 16 bytes, of which these are the first four."""
    if not len(texts):
        return pa.array([], pa.int32())
    end = texts.offset + len(texts)
    found = np.frombuffer(texts.buffers()[1], np.int32, count=4 * end)[4 * texts.offset :: 4]
    return pc.if_else(pc.is_valid(texts), pa.array(found), pa.scalar(None, pa.int32()))


def _moments(texts: Arrow) -> Arrow:
    """Turn dates into moments; those with a zone, which pyarrow takes apart from the others, by their UTC."""
    zoned = pc.match_substring_regex(texts, f"{TIME}{ZONE}$")
    none = pa.scalar(None, texts.type)
    here = pc.if_else(zoned, none, texts).cast(MOMENT)
    there = pc.if_else(zoned, texts, none).cast(pa.timestamp("us", "UTC")).cast(MOMENT)
    known = pc.and_(pc.greater_equal(there, pa.scalar(FIRST, MOMENT)), pc.less_equal(there, pa.scalar(LAST, MOMENT)))
    return pc.coalesce(here, pc.if_else(known, there, pa.scalar(None, MOMENT)))


def _exists(text: str) -> bool:
    """Tell whether a calendar has the day that a date begins with."""
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True
