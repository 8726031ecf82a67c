"""The one kind of error that is shown to the user as it stands.

Whoever raises a :class:`UserError` writes a complete sentence that says what happened, on which
file or device, and what to do next. Commands print it as one line and exit with status 2; pages
show it as a notice. Any other exception is a defect and keeps its traceback.
"""


class UserError(Exception):
    """Something the user can mend; its text says how."""
