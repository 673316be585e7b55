"""What people heard in stretches of calls, as training data of ``calmline train``: clips and their table."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import soundfile

from api import notes
from pipeline.channel import Channel
from pipeline.errors import CalmlineError
from pipeline.journal import CallFolder, Header, read_header
from pipeline.timebase import RATE

TABLE = "index.csv"
COLUMNS = ("path", "corpus", "speaker", "emotion", "seconds", "call_id", "channel", "begin_ms", "end_ms", "by")
"""The first five are ``calmline train``'s; the rest say where a clip is from."""
CORPUS = "calmline-labels"
EMOTION = {"calm": "calm", "tense": "tense", "angry": "anger"}
"""A label as ``models.training.corpus`` names it."""
PIECE_MS = 30_000
"""What the trainer hears of one clip (``models.training.audio``); longer stretches are cut into equal pieces."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of one voice and what was heard in it."""

    folder: CallFolder
    line: int
    row: int
    speaker: str
    channel: Channel
    begin_ms: int
    end_ms: int
    label: str
    by: str

    @property
    def path(self) -> str:
        return f"clips/{self.folder.path.name}-{self.line}-{self.begin_ms}.flac"

    def cells(self) -> tuple[object, ...]:
        """As COLUMNS."""
        seconds = f"{(self.end_ms - self.begin_ms) / 1000:.3f}"
        where = (self.folder.path.name, self.channel.value, self.begin_ms, self.end_ms, self.by)
        return (self.path, CORPUS, self.speaker, EMOTION[self.label], seconds, *where)


def files(folders: Iterable[CallFolder]) -> Iterator[tuple[str, bytes]]:
    """Clips (FLAC, 16 kHz, one channel) and, last, their table. What cannot be cut is told in ``left_out.txt``."""
    table, left_out = io.StringIO(), list[str]()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for folder in folders:
        try:
            for cut in cuts(folder):
                yield cut.path, _clip(cut)
                writer.writerow(cut.cells())
        except (CalmlineError, OSError, soundfile.LibsndfileError) as error:
            left_out.append(f"{folder.path.name}: {error}")
    if left_out:
        yield "left_out.txt", "\n".join([*left_out, ""]).encode()
    yield TABLE, table.getvalue().encode()


def cuts(folder: CallFolder) -> Iterator[Cut]:
    """The labelled stretches that stand, in order, none longer than a piece. None without stored audio."""
    if not folder.audio.exists():
        return
    header = read_header(folder.journal)
    for each in notes.standing(notes.lines(folder)):
        note = each.note
        if note.type != "stretch" or note.channel not in header.call.channels or note.label not in EMOTION:
            continue
        row = header.call.channels.index(note.channel)
        for begin, end in _pieces(note.begin_ms or 0, note.end_ms or 0):
            who = _speaker(header, note.channel)
            yield Cut(folder, each.line, row, who, note.channel, begin, end, note.label, note.by)


def _speaker(header: Header, channel: Channel) -> str:
    """An agent is known by the id; who the customer is nobody knows, so each call has its own."""
    named = channel is Channel.AGENT and header.call.agent_id
    return f"agent {header.call.agent_id}" if named else f"{channel.value} {header.call.call_id}"


def _pieces(begin: int, end: int) -> Iterator[tuple[int, int]]:
    count = max(1, -(-(end - begin) // PIECE_MS))
    edges = [begin + (end - begin) * at // count for at in range(count + 1)]
    yield from pairwise(edges)


def _clip(cut: Cut) -> bytes:
    start, stop = cut.begin_ms * RATE // 1000, cut.end_ms * RATE // 1000
    with soundfile.SoundFile(cut.folder.audio) as file:
        if stop > file.frames:
            raise CalmlineError(f"the stretch at {cut.begin_ms} ms ends behind the audio ({file.frames} samples)")
        file.seek(start)
        samples = file.read(stop - start, dtype="int16", always_2d=True)[:, cut.row]
    sink = io.BytesIO()
    soundfile.write(sink, samples, RATE, format="FLAC", subtype="PCM_16")
    return sink.getvalue()


def write(folders: Iterable[CallFolder], target: Path) -> int:
    """Into a folder. Returns the number of clips."""
    count = 0
    for name, data in files(folders):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        count += name.endswith(".flac")
    return count
