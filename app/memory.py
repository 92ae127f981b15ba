"""Memory of the C library, as a service wants it that makes and frees large blocks with every request."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
LARGEST_BLOCK = 32 * 2**20  # the most that glibc takes for the second
MOST_KEPT = 64 * 2**20


def keep_freed_blocks() -> None:
    """Give freed blocks to the next request rather than to the system, which would have to clear them again.

    Only glibc knows such limits; other libraries go without.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)
        mallopt(M_TRIM_THRESHOLD, MOST_KEPT)
