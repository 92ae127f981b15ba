"""Pages: what a worker has counted outlives it, and is never read half written."""

import os

from app.telemetry.metrics import Figure
from app.telemetry.pages import HALF, HEAD, Pages, new_pages

COUNTED = Figure("netlet_requests_total", ("/livez", "GET", "200"), [7])
LOADED = Figure("netlet_loaded_models", (), [3])


def test_whoever_comes_next_counts_on() -> None:
    """Counters stay; what was true of the process that is gone does not."""
    file = new_pages()
    first = Pages(file)
    first.write([COUNTED, LOADED])
    first.close()

    second = Pages(file)

    assert (first.taken_over, second.own) == ([], first.own)
    assert second.taken_over == [COUNTED]
    os.close(file)


def test_of_a_page_that_is_half_written_the_last_whole_one_is_read() -> None:
    """Whatever of the newest is missing or wrong, what was told before it counts."""
    file = new_pages()
    pages = Pages(file)
    for count in (5, 6):
        pages.write([COUNTED._replace(numbers=[count])])
    newest = pages.written % 2 * HALF
    assert Pages(file).taken_over == [COUNTED._replace(numbers=[6])]

    os.pwrite(file, b"!", newest + HEAD.size + 3)
    assert Pages(file).taken_over == [COUNTED._replace(numbers=[5])]

    later = Pages(file)
    later.write([COUNTED])
    assert Pages(file).taken_over == [COUNTED]
    os.close(file)
