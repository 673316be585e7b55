"""Every failure that a user can meet. The text is one line: what was wrong, and what to do.

Exit codes of the command: 0 done, 2 bad input or usage, 3 engine fault, 4 storage (disk full, folder not writable).
"""


class CalmlineError(Exception):
    exit_code = 2
    status = 400
    """HTTP status when it reaches the API."""


class BadInput(CalmlineError):
    """A file, a frame, a setting or an identifier that cannot be used."""


class Conflict(CalmlineError):
    """The call exists already, or is not in a state for this."""

    status = 409


class NotFound(CalmlineError):
    status = 404


class EngineFault(CalmlineError):
    """A model is missing, damaged or failed."""

    exit_code = 3
    status = 503


class StorageFault(CalmlineError):
    """The disk is full, the folder cannot be written, or the retention limit is reached."""

    exit_code = 4
    status = 507
