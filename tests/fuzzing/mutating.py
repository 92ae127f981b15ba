"""Mutations: changes to some bytes, drawn from a generator of random numbers; the same one draws the same changes."""

from collections.abc import Callable, Sequence
from random import Random

MOST_CHANGES = 4
LONGEST_PIECE = 64
SIZES = (1, 2, 4, 8)
NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**20, 2**30, 2**31 - 1, 2**31, 2**32 - 1, 2**40)
LARGEST = (2**62, 2**63 - 1, 2**63, 2**64 - 1)
WORDS: tuple[bytes, ...] = (b'"', b"[", b"]", b"{", b"}", b",", b":", b"\n", b"\r\n", b"\0", b"null", b"NaN", b"1e999")
WORDS += (b"\xef\xbb\xbf",)
WORDS += (b"-", b"0", b"true", b"\\ud800", b"9" * 400, b"[" * 200, b'"a":' * 3, b"=cmd", b"\xff\xfe", b"\xed\xa0\x80")

Mutation = Callable[[bytearray, Random, Sequence[bytes]], None]
"""Changes some bytes in place; others may be spliced in."""


def mutated(sound: Sequence[bytes], rng: Random) -> bytes:
    """Take one of some sound files, and change it a few times."""
    data = bytearray(rng.choice(sound))
    for _ in range(rng.choice((1, 1, 1, 2, MOST_CHANGES))):
        rng.choice(MUTATIONS if rng.random() < 0.5 else IN_PLACE)(data, rng, sound)
    return bytes(data)


def flip_a_bit(data: bytearray, rng: Random, _sound: Sequence[bytes]) -> None:
    """Flip one."""
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def replace_a_byte(data: bytearray, rng: Random, _sound: Sequence[bytes]) -> None:
    """Replace one with any other."""
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def inflate_a_number(data: bytearray, rng: Random, _sound: Sequence[bytes]) -> None:
    """Write a number over some bytes, as lengths and offsets are written, mostly where such numbers stand."""
    size, end = rng.choice(SIZES), rng.random() < 0.8  # most formats here begin with the lowest byte
    number = rng.choice(NUMBERS + LARGEST) % 2 ** (8 * size)
    place = rng.randrange(max(1, len(data) - size + 1))
    place -= place % size if rng.random() < 0.5 else 0
    data[place : place + size] = number.to_bytes(size, "little" if end else "big")


def inflate_a_varint(data: bytearray, rng: Random, _sound: Sequence[bytes]) -> None:
    """Write a number over a byte, seven bits at a time, as Thrift and Protocol Buffers write theirs."""
    number, written = rng.choice(NUMBERS + LARGEST), bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    place = rng.randrange(len(data) + 1)
    data[place : place + rng.choice((1, len(written)))] = written


def cut_off(data: bytearray, rng: Random, _sound: Sequence[bytes]) -> None:
    """Leave out what follows."""
    del data[rng.randrange(len(data) + 1) :]


def leave_out(data: bytearray, rng: Random, _sound: Sequence[bytes]) -> None:
    """Leave a piece out."""
    begin = rng.randrange(len(data) + 1)
    del data[begin : begin + rng.randint(1, LONGEST_PIECE)]


def repeat(data: bytearray, rng: Random, _sound: Sequence[bytes]) -> None:
    """Say a piece several times."""
    begin = rng.randrange(len(data) + 1)
    piece = data[begin : begin + rng.randint(1, LONGEST_PIECE)]
    data[begin:begin] = piece * rng.randint(1, 20)


def put_in(data: bytearray, rng: Random, _sound: Sequence[bytes]) -> None:
    """Put a word in that means something to some reader, or any bytes."""
    word = rng.choice(WORDS) if rng.random() < 0.7 else rng.randbytes(rng.randint(1, 16))
    place = rng.randrange(len(data) + 1)
    data[place:place] = word


def splice(data: bytearray, rng: Random, sound: Sequence[bytes]) -> None:
    """Go on with the end of another file."""
    other = rng.choice(sound)
    data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other) + 1) :]


def swap(data: bytearray, rng: Random, _sound: Sequence[bytes]) -> None:
    """Exchange two pieces."""
    length = rng.randint(1, LONGEST_PIECE)
    one, other = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    data[one : one + length], data[other : other + length] = data[other : other + length], data[one : one + length]


IN_PLACE: tuple[Mutation, ...] = (flip_a_bit, replace_a_byte, inflate_a_number)
"""Those after which all else is where it was."""
MUTATIONS: tuple[Mutation, ...] = (
    *IN_PLACE,
    inflate_a_varint,
    cut_off,
    leave_out,
    repeat,
    put_in,
    splice,
    swap,
)
