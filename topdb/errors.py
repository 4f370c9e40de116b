"""The one exception that stands for a user's mistake."""


class UserError(Exception):
    """Something that the user can mend: a wrong key, a missing folder, a broken file.

    Its message is one sentence that names the thing, says what is wrong with it and what to do.
    The command line prints the message alone, without a traceback, and exits with status 2.
    """
