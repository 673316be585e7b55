"""Scores: customer anger and agent tension, each the sum of named parts, with the evidence behind it.

    nats = bias + voice (pipeline.impression) + cues, turn-taking, pace (pipeline.hints)        value = sigmoid(nats)

Evidence adds up in nats; ``models.affect.explain`` divides the value among the parts so that they sum to it exactly.
What is not known adds nothing and lowers the coverage; it never counts as calm.
"""

from collections.abc import Mapping, Sequence
from math import exp

from models.affect import AffectModel, explain
from pipeline import hints
from pipeline.channel import MONO, Channel
from pipeline.events import Cue, OverlapRevised, Pace, Score, ScoreKind, Words
from pipeline.hints import Hint, Hints
from pipeline.impression import TONE, Impression
from pipeline.session import Manner, Tick
from pipeline.settings import Scores
from pipeline.timebase import Span, samples, seconds

OF: dict[Channel, ScoreKind] = {Channel.CUSTOMER: "anger", Channel.AGENT: "tension"}
COVERAGE = {"voice": 0.5, TONE: 0.2, "words": 0.15, "turns": 0.1, "pace": 0.05}
"""What each kind of evidence is of the whole: about as much as it says."""
DIGITS = 4
"""Of a value and its parts, in the journal."""


class ScoresNode:
    """Emits a Score of a scored channel with each block of its voice, and every ``hop_s`` without one, if its evidence
    has changed; none while the server is strained: a voice that is not listened to is not a calm one.

    model: None where no set of weights is loaded: then there is no score of anybody.
    """

    def __init__(self, scored: Sequence[Channel], settings: Scores, model: AffectModel | None) -> None:
        self._settings = settings
        self._hop = samples(settings.hop_s)
        self._due = dict.fromkeys(scored, self._hop)
        self._people = {} if model is None else {who: _Person(OF[who], settings, model) for who in scored}

    def step(self, tick: Tick) -> None:
        if tick.new_agent and Channel.AGENT in self._people:
            self._people[Channel.AGENT].forget()
        for channel in (tick.doubt | tick.blurred) & self._people.keys():
            self._people[channel].doubted = tick.end
        for channel, manner in tick.manners.items():
            if channel in self._people:
                self._people[channel].hear(manner, tick.end)
        for entry in tick.events:
            self._take(entry.n, entry.item)
        for channel, person in self._people.items():
            if channel in tick.manners or tick.end >= self._due[channel]:
                self._due[channel] = tick.end + self._hop
                self._tell(tick, channel, person)

    def _take(self, number: int, event: object) -> None:
        match event:
            case Words() | Pace() | Cue():
                if event.channel in self._people:
                    self._people[event.channel].take(number, event)
            case OverlapRevised():
                for channel, person in self._people.items():
                    person.overlapped(number, event, own=event.interrupter is channel)

    def _tell(self, tick: Tick, channel: Channel, person: "_Person") -> None:
        if tick.channels == MONO or tick.strained:
            return
        score = person.score(Span(max(0, tick.end - self._hop), tick.end), channel)
        if score.coverage >= self._settings.min_coverage and person.moved(score):
            tick.emit(score)


class _Person:
    """What is known of one speaker's state. doubted: the last sample at which this may have been another's voice."""

    def __init__(self, kind: ScoreKind, settings: Scores, model: AffectModel) -> None:
        self.kind: ScoreKind = kind
        self._settings = settings
        self._model = model
        self._fade = samples(settings.fade_s)
        self._words_known = False
        self._told: Score | None = None
        self.doubted = 0
        self.forget()

    def forget(self) -> None:
        """Another person speaks now."""
        self._voice = Impression(self._model, self.kind, self._settings)
        self._heard: tuple[int, int] | None = None  # number of the last Prosody, and the sample at which it was known
        self._pace: tuple[int, float] | None = None  # number of the last Pace, and talk speed over the usual
        self._hints = {part: Hints(self._fade) for part in ("words", "interruptions", "cut_off")}

    def hear(self, manner: Manner, now: int) -> None:
        if self._heard is not None:
            self._voice.rest(seconds(now - self._heard[1]) - manner.seconds)
        self._voice.hear(manner)
        self._heard = (manner.of, now)

    def take(self, number: int, event: Words | Pace | Cue) -> None:
        match event:
            case Words():
                self._words_known = True
                if event.span.start >= self.doubted:
                    self._voice.read(event.emotion, event.span.seconds)
            case Pace() if event.relative is not None:
                self._pace = (number, event.relative)
            case Cue() if event.name in hints.CUES[self.kind]:
                self._hints["words"].add(Hint(event.name, hints.CUES[self.kind][event.name], number, event.at))

    def overlapped(self, number: int, event: OverlapRevised, *, own: bool) -> None:
        """Count an interruption once, and take it back when it is judged to be something else."""
        part, weights = ("interruptions", hints.INTERRUPTION) if own else ("cut_off", hints.CUT_OFF)
        counted = event.of in self._hints[part].evidence
        if event.kind == "interruption" and event.interrupter is not None and not counted:
            self._hints[part].add(Hint(part, weights[self.kind], event.of, event.at))
        elif event.kind != "interruption":
            self._hints[part].take_back(event.of)

    def score(self, span: Span, channel: Channel) -> Score:
        nats = self._nats(span.end)
        _, parts = explain(self._voice.bias, nats)
        rounded = rounded_parts(parts)
        return Score(
            span=span,
            at=span.end,
            kind=self.kind,
            channel=channel,
            value=round(sum(rounded.values()), DIGITS),
            coverage=self._coverage(),
            parts=rounded,
            evidence=self._evidence(),
            measures=self._measures(),
            arousal=None if self._voice.arousal is None else round(self._voice.arousal, 3),
        )

    def _nats(self, now: int) -> dict[str, float]:
        """Evidence by part. Of a voice that has fallen silent less and less."""
        known = {name: its.nats(now) for name, its in self._hints.items() if its.evidence}
        if self._heard is not None:
            rest = exp(-seconds(now - self._heard[1]) / self._settings.fade_s)
            known |= {part: its * rest for part, its in self._voice.nats().items()}
            known |= {} if self._pace is None else {"pace": hints.pace(self._pace[1]) * rest}
        return known

    def _coverage(self) -> float:
        """Share of the evidence there is; a set without an encoder has no tone to miss."""
        known = {"turns"} | ({"words"} if self._words_known else set()) | ({"pace"} if self._pace else set())
        known |= {"voice"} if self._heard is not None else set()
        known |= {TONE} if self._voice.fused > 0 else set()
        whole = {part for part in COVERAGE if part != TONE or len(self._model.numbers_centre)}
        return round(sum(COVERAGE[part] for part in known) / sum(COVERAGE[part] for part in whole), 2)

    def _evidence(self) -> tuple[int, ...]:
        numbers = [number for its in self._hints.values() for number in its.evidence]
        numbers += [each[0] for each in (self._heard, self._pace) if each is not None]
        return tuple(sorted(numbers))

    def _measures(self) -> dict[str, float]:
        measures = {name: round(move, 1) for name, move in self._voice.measures.items()}
        measures |= {} if self._pace is None else {"pace": round(self._pace[1], 2)}
        return measures | {name: count for its in self._hints.values() for name, count in its.counts.items()}

    def moved(self, score: Score) -> bool:
        """Whether this differs from what was last told."""
        told = self._told
        if told is not None and abs(score.value - told.value) < 0.01 and score.coverage == told.coverage:
            return False
        self._told = score
        return True


def rounded_parts(parts: Mapping[str, float]) -> dict[str, float]:
    """Parts of a score to ``DIGITS``; their sum, which is the value, is not rounded to less than 0."""
    rounded = {name: round(part, DIGITS) for name, part in parts.items()}
    rounded["usual"] -= min(0.0, round(sum(rounded.values()), DIGITS))
    return rounded
