"""What is left out while the machine cannot step every call in time. No clock: whoever tells says what time it is.

Felt is how long the calls' audio waits in the lane, whatever keeps it from its core. While that is too long, one thing
more is given up every 0.6 s, in the order of ``Shed``, so that turns and overlaps are told in time to the last;
words wait (none is lost). While it is short again, they come back one by one, and what had to be given up again soon
after it came back waits twice as long the next time: it would flicker.
"""

from enum import IntEnum

LATE_S = 0.15
"""Seconds in the lane from which something must be left out: a talk-over is then told 0.25 s after it happened."""

EASY_S = 0.12
"""Seconds in the lane under which something may come back; a lane with room needs 0.05 to 0.1, its pace included."""

SMOOTH_S = 0.25
"""Seconds over which that is averaged: the end of a call steps two seconds of silence at once, and is no strain."""

STEP_S = 0.6
"""Seconds between two things given up: so long it takes until one shows its effect."""

RECOVERY_S = 5.0
"""Seconds of ease before something comes back."""

LONGEST_S = 60.0
"""Seconds of ease that are asked for at most, however often something had to be given up again."""

IDLE_S = 2.0
"""Seconds without a turn of the lane after which what was felt before counts no more: no call has sent anything."""


class Shed(IntEnum):
    """What is left out, each with all before it.

    RUNNING: drafts of what is being spoken. DRAFTS: those of what may be over, too, so that finals are heard once, and
    later. VOICE: F0, spectrum and the scores of calls, the most that the lane itself can be spared. WORKERS: all but
    one worker of the recogniser, and finals wait. It helps where cores are short; where only the lane is, it costs
    words for nothing (twenty calls: finals 3.9 s behind at the p95, half a core idle), so it comes last.
    """

    NOTHING = 0
    RUNNING = 1
    DRAFTS = 2
    VOICE = 3
    WORKERS = 4


class Strain:
    """late: seconds that audio waits in the lane, averaged. shed: what is left out for it. turns, waited: of the lane,
    and the seconds that its audio waited in them, since the start. spent: seconds by what was left out."""

    def __init__(self) -> None:
        self.late = 0.0
        self.shed = Shed.NOTHING
        self.turns = 0
        self.waited = 0.0
        self.spent = dict.fromkeys(Shed, 0.0)
        self._now = -IDLE_S
        self._changed = self._uneasy = 0.0
        self._patience = dict.fromkeys(Shed, RECOVERY_S)
        self._returned = dict.fromkeys(Shed, -LONGEST_S)

    def feel(self, waited: float, now: float) -> Shed:
        """After a turn of the lane. waited: seconds from the first asking for it until it was over."""
        passed, self._now = now - self._now, now
        self.turns += 1
        self.waited += waited
        if passed >= IDLE_S:
            self.rest(now)
            passed = 0.0
        self.spent[self.shed] += passed
        self.late += (waited - self.late) * min(1.0, passed / SMOOTH_S)
        self._judge(now)
        return self.shed

    def rest(self, now: float) -> None:
        """No call is in progress: nothing is late."""
        self.late, self.shed = 0.0, Shed.NOTHING
        self._changed = self._uneasy = now

    def _judge(self, now: float) -> None:
        if self.late > EASY_S:
            self._uneasy = now
        if self.late > LATE_S and self.shed < max(Shed) and now - self._changed >= STEP_S:
            self._give_up(now)
        elif self.shed and now - max(self._uneasy, self._changed) >= self._patience[self.shed]:
            self._take_back(now)

    def _give_up(self, now: float) -> None:
        self.shed, self._changed = Shed(self.shed + 1), now
        before = self._patience[self.shed]
        again = now - self._returned[self.shed] < 2 * before
        self._patience[self.shed] = min(LONGEST_S, 2 * before) if again else RECOVERY_S

    def _take_back(self, now: float) -> None:
        self._returned[self.shed] = self._changed = now
        self.shed = Shed(self.shed - 1)
