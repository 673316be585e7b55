"""What both parties did lately, as the playbook's conditions ask for it."""

from collections import deque
from typing import assert_never

from pipeline.channel import Channel
from pipeline.conditions import LONGEST_S, Condition, Felt, Interrupted, Paced, Said, Yielded
from pipeline.events import Cue, OverlapRevised, Pace, Score, SpeechEnded, SpeechStarted
from pipeline.session import Tick
from pipeline.timebase import samples


class Lately:
    """``see`` each tick that has events, then ask what ``holds``."""

    def __init__(self) -> None:
        self._said: dict[tuple[Channel, str], int] = {}
        self._paces: dict[Channel, Pace] = {}
        self._silent: dict[Channel, int | None] = {}
        self._cut_in: dict[int, OverlapRevised] = {}
        self._scores: deque[Score] = deque()

    def see(self, tick: Tick) -> None:
        for entry in tick.events:
            match entry.item:
                case Cue(channel=channel, name=name, at=at):
                    self._said[channel, name] = at
                case Pace() as pace:
                    self._paces[pace.channel] = pace
                case OverlapRevised() as revised:
                    self._cut_in[revised.of] = revised
                case SpeechStarted(channel=channel):
                    self._silent[channel] = None
                case SpeechEnded(channel=channel, span=span):
                    self._silent[channel] = span.end
                case Score() as score:
                    self._keep(score)
                case _:
                    pass

    def _keep(self, score: Score) -> None:
        self._scores.append(score)
        while score.at - self._scores[0].at > samples(LONGEST_S):
            self._scores.popleft()

    def holds(self, condition: Condition, now: int) -> bool:
        match condition:
            case Said():
                return now - self.last_said(condition) < samples(condition.within_s)
            case Paced():
                pace = self._paces.get(condition.by)
                known = pace is not None and now - pace.at < samples(condition.within_s)
                return known and pace is not None and pace.relative is not None and pace.relative < condition.below
            case Yielded():
                since = self._silent.get(condition.by)
                return since is not None and now - since >= samples(condition.for_s)
            case Interrupted():
                first = now - samples(condition.within_s)
                made = (each for each in self._cut_in.values() if each.kind == "interruption" and each.at > first)
                return any(each.interrupter is condition.by for each in made)
            case Felt():
                first = now - samples(condition.within_s)
                alike = (score for score in self._scores if score.kind == condition.score and score.at > first)
                return any(score.value >= condition.above for score in alike)
            case _:
                assert_never(condition)

    def last_said(self, said: Said) -> int:
        """Sample at which one of the cues was last known; long before the call where it was not."""
        return max(self._said.get((said.by, name), -samples(2 * LONGEST_S)) for name in said.cue)
