"""Stored calls written by hand, event by event, for whatever is made of a call once it is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline import events as ev
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.journal import CallFolder, Header, Journal
from pipeline.past import Past
from pipeline.reducer import Reducer
from pipeline.session import CallInfo, Entry
from pipeline.settings import POLICIES, Settings
from pipeline.timebase import RATE, Span, samples

AGENT, CUSTOMER = Channel.AGENT, Channel.CUSTOMER


class Story:
    """Writes a call event by event; each method returns the number of its event."""

    def __init__(
        self, call_id: str = "c", *, started: str = "2026-01-02T12:00:00+00:00", agent_id: str = "ada", **info: Any
    ) -> None:
        self.agent_id = agent_id
        self.info = CallInfo(call_id=call_id, channels=TWO_CHANNEL, agent_id=self.agent_id, **info)
        self.started = started
        self.entries: list[Entry] = []
        self._last: Channel | None = None
        self.add(
            ev.CallStarted,
            0,
            call_id=call_id,
            channels=TWO_CHANNEL,
            agent_id=self.agent_id,
            notice_given="",
            source="test",
            policy="standard",
            unavailable=info.get("unavailable", {}),
            attribution=info.get("attribution", "channels"),
        )

    def add(self, event: type[Any], begin: float, end: float | None = None, /, **rest: Any) -> int:
        span = Span(samples(begin), samples(begin if end is None else end))
        n = len(self.entries) + 1
        self.entries.append(Entry(n, span.end, event(span=span, at=span.end, **rest)))
        return n

    def say(self, channel: Channel, begin: float, text: str, *cues: str, wait: float = 0.5) -> int:
        """A turn of 2 s with its words and its cues, each over the whole text. Returns the number of the first cue."""
        fto = None if self._last is None else samples(wait)
        self.add(ev.Turn, begin, begin + 2, channel=channel, talk=2 * RATE, fto=fto)
        self._last = channel
        of = self.add(ev.Words, begin, begin + 2, channel=channel, utterance=1, text=text, words=(), late=False)
        phrase = text.lower().strip(".?!")
        for name in cues:
            self.add(ev.Cue, begin, begin + 2, channel=channel, name=name, phrase=phrase, of=of)
        return of + 1 if cues else of

    def score(self, at: float, value: float, kind: Any = "anger") -> int:
        channel = CUSTOMER if kind == "anger" else AGENT
        return self.add(ev.Score, at, kind=kind, channel=channel, value=value, coverage=1.0, parts={}, evidence=())

    def alert(self, at: float, kind: str, practice: int, *evidence: int, reason: str = "why") -> int:
        return self._alert(at, kind, practice, "raised", reason, evidence, None)

    def clear(self, at: float, of: int, reason: str) -> int:
        raised = self.entries[of - 1].item
        assert isinstance(raised, ev.Alert)
        return self._alert(at, raised.kind, raised.practice, "cleared", reason, raised.evidence, of)

    def _alert(self, at: float, kind: str, practice: int, state: Any, reason: str, evidence: Any, of: Any) -> int:
        told = {"kind": kind, "practice": practice, "state": state, "reason": reason, "evidence": evidence, "of": of}
        return self.add(ev.Alert, at, severity="coach", advice="Do it", detail="So.", **told)

    def interrupt(self, begin: float, end: float, by: Channel, *, cut: bool = False) -> int:
        of = self.add(ev.Overlap, begin, end, kind="overlap", interrupter=by)
        self.add(ev.OverlapRevised, begin, end, of=of, kind="interruption", interrupter=by, cut=cut, because="ended")
        return of

    def past(self, end: float | None = 60.0) -> Past:
        """end: None for a call without an end."""
        entries, reducer = self.whole(end), Reducer()
        for entry in entries:
            reducer.apply(entry)
        return Past(self.header, reducer.view, entries)

    @property
    def header(self) -> Header:
        return Header(self.info, Settings(policy=POLICIES["standard"]), started=self.started)

    def whole(self, end: float | None) -> list[Entry]:
        if end is None:
            return list(self.entries)
        span = Span(0, samples(end))
        ended = ev.CallEnded(span=span, at=span.end, reason="test")
        return [*self.entries, Entry(len(self.entries) + 1, span.end, ended)]

    def store(self, calls: Path, end: float | None = 60.0) -> CallFolder:
        """As a call of the archive in this folder, without audio."""
        folder = CallFolder(calls / self.info.call_id)
        folder.path.mkdir(parents=True)
        journal = Journal(folder.journal, self.header)
        journal.write(self.whole(end))
        journal.close()
        return folder


def dispute(call_id: str = "c", **info: Any) -> Story:
    """Anger that rises, an interruption, an apology, a fall."""
    story = Story(call_id, **info)
    story.say(AGENT, 1, "Hello.")
    story.score(4, 0.1)
    story.say(CUSTOMER, 5, "That is ridiculous.", "complaint")
    story.interrupt(6, 7.4, AGENT, cut=True)
    story.score(8, 0.8)
    story.score(9, 0.3, "tension")
    story.say(AGENT, 10, "I am sorry about that.", "apology")
    story.score(14, 0.5)
    story.say(CUSTOMER, 15, "All right.")
    story.score(18, 0.2)
    raised = story.alert(9, "customer_anger", 4, 6)
    story.clear(18, raised, "over")
    return story
