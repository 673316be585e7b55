"""Who looks after which live call: decided at once, so that of two supervisors who press together one is told no.

The call's journal records it with its next audio, as it does every command.
"""

from collections.abc import Callable

from pipeline.errors import Conflict
from pipeline.inputs import Command


class Claims:
    """admit: lets a command into a live call; raises Conflict when the call is not live."""

    def __init__(self, admit: Callable[[str, Command], None]) -> None:
        self._admit = admit
        self._by: dict[str, str] = {}

    def by(self, call_id: str) -> str | None:
        """None when nobody looks after it."""
        return self._by.get(call_id)

    def take(self, call_id: str, name: str, *, force: bool = False) -> None:
        """force: from whoever has it. Raises Conflict when somebody else has it, and as ``admit`` does."""
        holder = self.by(call_id)
        if holder not in (None, name) and not force:
            raise Conflict(f"call {call_id} is claimed by {holder}; ?force=true takes it over")
        self._admit(call_id, Command(kind="claim", by=name))
        self._by[call_id] = name

    def release(self, call_id: str, name: str) -> None:
        """Nothing happens where nobody has it. Raises Conflict when somebody else does, and as ``admit`` does."""
        holder = self.by(call_id)
        if holder not in (None, name):
            raise Conflict(f"call {call_id} is claimed by {holder}, who alone can let it go; claim it with ?force=true")
        self._admit(call_id, Command(kind="release", by=name))
        self._by.pop(call_id, None)

    def forget(self, call_id: str) -> None:
        """The call is over."""
        self._by.pop(call_id, None)
