"""Scores: customer anger and agent tension as a sum of named parts, each with its evidence.

    value = min(1, sum of weight x ramp(measure))        coverage = sum of available weights / sum of all weights

A ramp is 0 under its first bound, 1 over its second. Nothing is renormalised: what is not known adds nothing, and
coverage says that it was not known. The measures are the field's: hot anger raises level, F0 and the share of high
frequencies (Scherer 2003; Juslin and Laukka 2003), all against the speaker's own baseline. Weights and bounds are
ours, set by hand on the sample calls; no real anger was at hand. A first, transparent formula, no trained model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp

from pipeline.channel import MONO, Channel
from pipeline.events import Cue, OverlapRevised, Pace, Prosody, Score, ScoreKind, SpeechEnded
from pipeline.session import Tick
from pipeline.settings import Scores
from pipeline.timebase import Span, samples, seconds


@dataclass(frozen=True, slots=True)
class Part:
    """weight: of the score. low, high: bounds of the ramp, in the measure's unit."""

    weight: float
    low: float
    high: float

    def of(self, measure: float) -> float:
        return self.weight * min(1.0, max(0.0, (measure - self.low) / (self.high - self.low)))


FORMULAS: dict[ScoreKind, dict[str, Part]] = {
    "anger": {
        "level": Part(0.30, 2.0, 8.0),  # dB over own baseline
        "pitch": Part(0.30, 1.5, 6.0),  # semitones over own baseline
        "timbre": Part(0.10, 2.0, 8.0),  # dB of alpha ratio over own baseline
        "pace": Part(0.10, 1.10, 1.40),  # talk speed over own baseline
        "interruptions": Part(0.15, 0.0, 2.0),  # by the customer, faded
        "words": Part(0.30, 0.0, 2.0),  # cues, faded
    },
    "tension": {
        "level": Part(0.25, 2.0, 8.0),
        "pitch": Part(0.20, 1.5, 6.0),
        "timbre": Part(0.10, 2.0, 8.0),
        "pace": Part(0.20, 1.10, 1.40),
        "interruptions": Part(0.25, 0.0, 2.0),  # by the agent
        "words": Part(0.25, 0.0, 2.0),
    },
}

CUES: dict[ScoreKind, dict[str, float]] = {
    "anger": {
        "complaint": 0.5,
        "repeat_contact": 0.5,
        "not_heard": 1.0,
        "urgency": 0.5,
        "threat": 1.5,
        "supervisor_request": 1.0,
        "insult": 2.0,
        "relief": -1.0,
    },
    "tension": {"defensive": 1.0, "blame": 1.0, "refusal": 0.5, "empathy": -0.5},
}
"""How much a cue counts; two full cues make the part whole. A negative one calms."""

OF: dict[Channel, ScoreKind] = {Channel.CUSTOMER: "anger", Channel.AGENT: "tension"}
ACOUSTIC = ("level", "pitch", "timbre")


class ScoresNode:
    """Emits a Score for each scored channel every ``hop_s`` in which its evidence has changed."""

    def __init__(self, scored: Sequence[Channel], settings: Scores) -> None:
        self._hop = samples(settings.hop_s)
        self._least = settings.min_coverage
        self._due = self._hop
        self._people = {channel: _Person(OF[channel], settings) for channel in scored}

    def step(self, tick: Tick) -> None:
        if tick.new_agent and Channel.AGENT in self._people:
            self._people[Channel.AGENT].forget()
        for entry in tick.events:
            self._take(entry.n, entry.item)
        if tick.end >= self._due:
            self._due += self._hop
            if tick.channels == MONO:
                return
            for channel, person in self._people.items():
                self._score(tick, channel, person)

    def _take(self, number: int, event: object) -> None:
        match event:
            case Prosody() | Pace() | Cue() | SpeechEnded():
                person = self._people.get(event.channel)
            case OverlapRevised() if event.interrupter is not None:
                person = self._people.get(event.interrupter)
            case _:
                return
        if person is not None:
            person.take(number, event)

    def _score(self, tick: Tick, channel: Channel, person: "_Person") -> None:
        parts, coverage = person.parts(tick.end)
        value = round(min(1.0, max(0.0, sum(parts.values()))), 3)
        if coverage < self._least or not person.moved(value, coverage):
            return
        tick.emit(
            Score(
                span=Span(max(0, tick.end - self._hop), tick.end),
                at=tick.end,
                kind=person.kind,
                channel=channel,
                value=value,
                coverage=coverage,
                parts=parts,
                evidence=tuple(sorted(person.evidence.values())),
            )
        )


@dataclass(slots=True)
class _Fading:
    """A quantity that decays by e in ``fade`` samples since ``at``."""

    fade: int
    value: float = 0.0
    at: int = 0

    def add(self, amount: float, at: int) -> None:
        self.value, self.at = max(0.0, self.now(at) + amount), at

    def now(self, at: int) -> float:
        return self.value * self.faded(self.at, at)

    def faded(self, since: int, at: int) -> float:
        """What is left at ``at`` of 1 at ``since``."""
        return exp(-max(0, at - since) / self.fade)


@dataclass(slots=True)
class _Person:
    """What is known of one speaker's state. evidence: part to the number of the latest event behind it."""

    kind: ScoreKind
    settings: Scores
    voice: dict[str, float] = field(default_factory=dict)
    heard: int = 0
    pace: float | None = None
    words_known: bool = False
    interruptions: _Fading = field(init=False)
    cues: _Fading = field(init=False)
    counted: dict[int, int] = field(default_factory=dict)
    evidence: dict[str, int] = field(default_factory=dict)
    told: tuple[float, float] = (-1.0, -1.0)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Another person speaks now."""
        fade = samples(self.settings.fade_s)
        self.interruptions, self.cues = _Fading(fade), _Fading(fade)
        self.voice.clear()
        self.evidence.clear()
        self.pace = None

    def take(self, number: int, event: object) -> None:
        match event:
            case Prosody():
                self._voice(number, event)
            case Pace():
                self.words_known = True
                if event.relative is not None:
                    self.pace = event.relative
                    self.evidence["pace"] = number
            case Cue() if event.name in CUES[self.kind]:
                self.cues.add(CUES[self.kind][event.name], event.at)
                self.evidence["words"] = number
            case OverlapRevised():
                self._interrupted(number, event)

    def _interrupted(self, number: int, event: OverlapRevised) -> None:
        """Count an interruption once, and take it back when it is judged to be something else."""
        if event.kind == "interruption" and event.of not in self.counted:
            self.counted[event.of] = event.at
            self.interruptions.add(1.0, event.at)
            self.evidence["interruptions"] = number
        elif event.kind != "interruption" and (since := self.counted.pop(event.of, None)) is not None:
            self.interruptions.add(-self.interruptions.faded(since, event.at), event.at)

    def _voice(self, number: int, event: Prosody) -> None:
        """Average each measure over the last ``attack_s`` of own speech."""
        keep = exp(-event.span.seconds / self.settings.attack_s)
        measures = {"level": event.level_move, "pitch": event.f0_move, "timbre": event.alpha_move}
        for name, measure in measures.items():
            if measure is not None:
                before = self.voice.get(name, 0.0)
                self.voice[name] = keep * before + (1 - keep) * measure
                self.evidence[name] = number
        self.heard = event.span.end

    def parts(self, now: int) -> tuple[dict[str, float], float]:
        """Each known part's share of the score, and the coverage."""
        formula = FORMULAS[self.kind]
        rest = exp(-seconds(max(0, now - self.heard)) / self.settings.fade_s)
        known = {name: formula[name].of(self.voice[name]) * rest for name in ACOUSTIC if name in self.voice}
        if self.pace is not None:
            known["pace"] = formula["pace"].of(self.pace) * rest
        if self.words_known:
            known["words"] = formula["words"].of(self.cues.now(now))
        known["interruptions"] = formula["interruptions"].of(self.interruptions.now(now))
        coverage = sum(formula[name].weight for name in known) / sum(part.weight for part in formula.values())
        return {name: round(value, 3) for name, value in known.items()}, round(coverage, 2)

    def moved(self, value: float, coverage: float) -> bool:
        """Whether this differs from what was last told."""
        if abs(value - self.told[0]) < 0.01 and coverage == self.told[1]:
            return False
        self.told = (value, coverage)
        return True
