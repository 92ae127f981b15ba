"""Memory of the C library, as a service wants it that makes and frees large blocks with every request."""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of <malloc.h>
LARGEST_BLOCK = 32 * 2**20  # the most that glibc takes for the second
MOST_KEPT = 64 * 2**20
ARENAS = 2
"""Each keeps what was freed in it; by default there are eight for each processor, though one thread runs at a time."""


def keep_freed_blocks() -> None:
    """Give freed blocks to the next request rather than to the system, which would have to clear them again.

    Only glibc knows such limits; other libraries go without. pyarrow's own pool keeps blocks for each of many threads:
    it takes those of the C library, too, unless its variable says otherwise.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)
        mallopt(M_TRIM_THRESHOLD, MOST_KEPT)
        mallopt(M_ARENA_MAX, ARENAS)
