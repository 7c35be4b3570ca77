"""Stopping in order: no new click is taken, live calls stay at the PBX for the next process, streams end at once."""

from config.errors import Fault


class Draining(Fault):
    """This process is being stopped and takes no new calls; another one, or this one restarted, does."""

    code = "draining"
    status = 503
    title = "The service is being restarted"


class Drain:
    """Whether the process has been told to stop."""

    def __init__(self) -> None:
        self.begun = False

    def begin(self) -> None:
        """Take nothing new from now on."""
        self.begun = True

    def refuse_if_begun(self) -> None:
        """Raises Draining."""
        if self.begun:
            raise Draining("the service is being restarted; try again in a few seconds", retry_after=5)
