"""The one error that engines raise."""


class ModelError(Exception):
    """An engine could not load or answer. The text says what was wrong and what to do."""
