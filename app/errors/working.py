"""Errors of work: trainings that end early, and a service that has too much to do or is about to end."""

from app.errors.base import NetletError


class Busy(NetletError):
    """As many trainings run and wait as the service lets."""

    def __init__(self, unfinished: int) -> None:
        super().__init__(f"{unfinished} trainings are running or waiting already. Try again in a few seconds.")
        self.unfinished = unfinished


class KeyReused(NetletError):
    """The Idempotency-Key stands for another request."""

    usual = "This Idempotency-Key was sent with another request before. Use a new key for each new request."


class Cancelled(NetletError):
    """Somebody asked for the training to end."""

    usual = "The training was cancelled before it was done, and nothing of it was saved. Send it again to have it done."


class JobOver(NetletError):
    """A job that has ended cannot be paused, resumed or stepped."""

    def __init__(self, state: str) -> None:
        super().__init__(f"The job is over ({state}): there is nothing to pause or to go on with. Train again.")
        self.state = state


class NotPaused(NetletError):
    """Only a job that is paused can be resumed or stepped."""

    usual = "The job is not paused. POST its /pause first, or train with ?paused=true."


class NotVerifiable(NetletError):
    """A version cannot be trained again from what is known of its training."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This version cannot be verified. {reason}")


class LeaseLost(NetletError):
    """A job was taken over by another process, because this one had not been heard of for too long."""

    usual = "The job is run by another process by now. GET it to see how it goes on."


class TrainingTooLong(NetletError):
    """A training ran into the time limit of the service, or of whoever ordered it."""

    usual = (
        "The training took longer than it may, as timeout_seconds or the service says. "
        "Use fewer epochs or a smaller network."
    )


class OrderDamaged(NetletError):
    """What a training was asked for is not there any more as it was once written."""

    usual = "What was to be learnt is damaged on the disk, and is not learnt. Send it again."


class OrderNewer(OrderDamaged):
    """A training was asked for in a way that this netlet does not know."""

    usual = (
        "What was to be learnt was written down by a newer netlet, and is not learnt. Use that one, or send it again."
    )


class OutOfMemory(NetletError):
    """A training needed more memory than its process could have."""

    usual = "The training ran out of memory. Use a smaller network, smaller batches or fewer rows."


class WorkerLost(NetletError):
    """The process that ran a training died before it ended."""

    usual = "The process that ran this training ended before it was done. Nothing was saved; try again."


class ShuttingDown(NetletError):
    """The service is about to end and takes or finishes no more trainings."""

    usual = "The service is shutting down, and nothing was changed. Try again in a while."


class PicturesNotInstalled(NetletError):
    """The library that draws is not there."""

    usual = "This service draws no pictures: pip install 'netlet[pictures]' lets it. As .json each has its data."


class SearchNotInstalled(NetletError):
    """The library that chooses what a search tries is not there."""

    usual = "This service does not search: pip install 'netlet[search]' lets it. Train without search, or with a sweep."


class Unforeseen(NetletError):
    """Something went wrong that netlet does not know of: a fault of its own."""

    usual = "This is a fault of the service; its log has the details."
