"""What an agent's page is told besides views: words being spoken, whether words are behind, or the line is lost."""

from collections.abc import Iterator, Mapping

from api.hub import draft_message, line_message
from pipeline.channel import Channel
from pipeline.drafts import Draft
from pipeline.live import LiveCall
from pipeline.scheduler import Load

STEP_S = 1.0
"""Seconds by which the wait for words has changed before a page is told again."""


class Told:
    """What one page was told last. ``news`` says what has changed since; a draft goes with its call."""

    def __init__(self) -> None:
        self._call: LiveCall | None = None
        self._drafts: dict[Channel, Draft] = {}
        self._seconds = 0.0
        self._with_drafts = True
        self._lost = False

    @property
    def behind(self) -> bool:
        """Whether the page says that words are behind."""
        return not self._with_drafts

    def news(
        self, live: LiveCall | None, drafts: Mapping[Channel, Draft], load: Load | None, *, lost: bool = False
    ) -> Iterator[bytes]:
        """lost: the call's connection broke, and it waits for its sender."""
        if live is not self._call:
            self._call, self._drafts = live, {}
        for channel, draft in drafts.items():
            before, self._drafts[channel] = self._drafts.get(channel), draft
            if draft != before and (before is not None or _words(draft)):
                yield draft_message(draft)
        if lost is not self._lost:
            self._lost = lost
            yield line_message(lost=lost)
        if load is not None and self._changed(load):
            self._seconds, self._with_drafts = load.behind_s, load.drafts
            drafts_now = b"true" if load.drafts else b"false"
            yield b'{"type":"words_behind","seconds":%.1f,"drafts":%b}' % (load.behind_s, drafts_now)

    def _changed(self, load: Load) -> bool:
        if load.drafts or self._with_drafts:
            return load.drafts is not self._with_drafts
        return abs(load.behind_s - self._seconds) >= STEP_S


def _words(draft: Draft) -> bool:
    return bool(draft.stable or draft.rest)
