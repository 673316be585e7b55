"""A stored call read whole: its view, and what a view leaves out. For whatever is made of a call once it is over."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.events import Prosody, SpeechEnded
from pipeline.journal import CallFolder, Header, read_entries, read_header
from pipeline.reducer import Reducer
from pipeline.session import Entry
from pipeline.view import View


@dataclass(frozen=True, slots=True)
class Reading:
    """speech, prosody: in the order of the journal. A call that was not finished is told as far as it goes."""

    header: Header
    view: View
    speech: list[SpeechEnded] = field(default_factory=list)
    prosody: list[Prosody] = field(default_factory=list)

    @property
    def call_id(self) -> str:
        return self.header.call.call_id

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Those of the call, and an unknown speaker where both channels carried the same sound for a while."""
        return tuple(self.view.channels) or self.header.call.channels

    @property
    def duration_ms(self) -> int:
        return round(self.view.duration_s * 1000)

    @property
    def finished(self) -> bool:
        return self.view.state == "ended"


def read(folder: CallFolder) -> Reading:
    """Raises BadInput when there is no journal, or naming the line that is damaged."""
    try:
        return gather(read_header(folder.journal), read_entries(folder.journal))
    except LookupError as error:
        raise BadInput(f"{folder.journal}, {error.args[0]}") from None


def gather(header: Header, entries: Iterable[Entry]) -> Reading:
    """From the entries of a whole call. Raises LookupError naming one that refers to an entry that is not there."""
    reducer = Reducer()
    reading = Reading(header, reducer.view)
    for entry in entries:
        try:
            reducer.apply(entry)
        except (KeyError, ValueError) as error:
            raise LookupError(f"line {entry.n} refers to a line that is not there ({error})") from None
        if isinstance(entry.item, SpeechEnded):
            reading.speech.append(entry.item)
        elif isinstance(entry.item, Prosody):
            reading.prosody.append(entry.item)
    return reading
