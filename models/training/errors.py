"""What a user can put right: a table of clips, an option."""


class TrainingError(Exception):
    """One line: what was wrong with a corpus or a request, and what to do."""
