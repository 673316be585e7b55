"""Words of an utterance that is still being spoken: shown at once, kept nowhere."""

from dataclasses import dataclass

from pipeline.channel import Channel
from pipeline.session import Utterance


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """start: first sample of the utterance; the next draft and the final of that channel and start replace it.

    stable: text on which two passes agree. rest: what the last pass heard behind it, which may still change.
    at: sample up to which was heard.
    """

    channel: Channel
    start: int
    at: int
    stable: str
    rest: str


class Agreement:
    """Which words of a running utterance will stay: those that two passes in a row agree on, from its beginning on.

    Local agreement of two passes: Liu et al. 2020, "Low-Latency Sequence-to-Sequence Speech Recognition and Translation
    by Partial Hypothesis Selection"; Machacek et al. 2023, "Turning Whisper into Real-Time Transcription System".
    Words are compared without case and punctuation; what is stable never shrinks. One for each call.
    """

    def __init__(self) -> None:
        self._running: dict[Channel, _Running] = {}

    def take(self, utterance: Utterance, text: str) -> Draft | None:
        """What to show after another pass. None where that is what is shown, or a later pass has been heard."""
        at = utterance.span.end
        running = self._of(utterance)
        if running is None or running.over or at <= running.at:
            return None
        running.at = at
        changed = running.hear(text.split())
        return running.draft(utterance.channel) if changed else None

    def end(self, utterance: Utterance) -> Draft | None:
        """Its answer has come: no pass over it counts any more. An empty draft, which takes it off the pages.

        None where nothing of it is shown.
        """
        running = self._of(utterance)
        if running is None or not running.end(utterance.span.end):
            return None
        return running.draft(utterance.channel)

    def _of(self, utterance: Utterance) -> "_Running | None":
        """Its state, None where another one of its channel has begun since."""
        start = utterance.span.start
        running = self._running.get(utterance.channel)
        if running is None or running.start < start:
            running = self._running[utterance.channel] = _Running(start)
        return running if running.start == start else None


class _Running:
    """What is shown of one utterance. at: sample up to which the last pass heard. over: its final has been heard."""

    def __init__(self, start: int) -> None:
        self.start = self.at = start
        self.over = False
        self.stable: list[str] = []
        self.rest: list[str] = []
        self._last: list[str] = []

    def hear(self, words: list[str]) -> bool:
        """Whether that changes what is shown. A pass that contradicts what is stable only tells what comes behind."""
        shown = self.stable, self.rest
        if _agree(self.stable, words) == len(self.stable):
            self.stable = words[: max(len(self.stable), _agree(self._last, words))]
        self.rest = words[len(self.stable) :]
        self._last = words
        return (self.stable, self.rest) != shown

    def end(self, at: int) -> bool:
        """Whether anything was shown."""
        shown = bool(self.stable or self.rest)
        self.over, self.at, self.stable, self.rest = True, at, [], []
        return shown

    def draft(self, channel: Channel) -> Draft:
        return Draft(
            channel=channel, start=self.start, at=self.at, stable=" ".join(self.stable), rest=" ".join(self.rest)
        )


def _agree(one: list[str], other: list[str]) -> int:
    """Words at the beginning of both, but for case and punctuation."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if _bare(a) != _bare(b)), min(len(one), len(other)))


def _bare(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
