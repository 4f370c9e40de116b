"""What ends a command before its time: a user's mistake, or a request to stop."""


class UserError(Exception):
    """Something that the user can mend: a wrong key, a missing folder, a broken file.

    Its message is one sentence that names the thing, says what is wrong with it and what to do.
    The command line prints the message alone, without a traceback, and exits with status 2.
    """


class StoppedError(Exception):
    """Somebody asked the process to end by a signal; what it had to save is saved.

    The command line exits with 128 + the signal's number, as shells and schedulers expect: 143
    for SIGTERM, 130 for SIGINT.
    """

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal
