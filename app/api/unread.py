"""What has arrived on a connection, and nobody has read yet: who closes it then loses a request."""

import asyncio
import fcntl
import termios

NOTHING = bytes(4)


def is_unread(transport: asyncio.Transport) -> bool:
    """Tell whether there is any; on a busy machine timers may go off before what came long ago is read."""
    file = transport.get_extra_info("socket").fileno()
    return file >= 0 and fcntl.ioctl(file, termios.FIONREAD, NOTHING) != NOTHING  # below 0 it is closed
