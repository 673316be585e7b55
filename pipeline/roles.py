"""Who is the agent, from what each channel said: signs of a role, what they weigh, and how sure they make us.

The weights are common sense, not counts from a corpus: natural-log odds that the one who says it has that role, so 1
is "three to one", 2 "seven to one", 3 "twenty to one". A sign counts once a channel however often it is said, and the
sum is bounded, for signs of one call are not independent of each other. A confidence is therefore an order of
magnitude, fit for asking a person to look, and for nothing else.

Phrases are matched in plain text (``pipeline.text``) and leave out the small words that a weak recogniser drops.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.channel import Channel
from pipeline.text import plain


@dataclass(frozen=True)
class Sign:
    """weight: nats. phrases: regular expressions over plain text, whole words; the first one that matches is told."""

    party: Channel
    weight: float
    why: str
    phrases: tuple[str, ...]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(r"\b(?:" + "|".join(self.phrases) + r")\b")


THINGS = (
    "order|bill|invoice|account|contract|payment|card|subscription|policy|claim|booking|reservation|appointment"
    "|delivery|package|parcel|refund|phone|internet|connection|line|router|meter|car|vehicle|bank statement"
)
"""What customers own and agents look after."""

_IDENTIFIES = "(?:number|name|address|email|postcode|zip|date of birth)"
_DOES = "check|look|pull|bring|find|see|get|open|take a look"
_WISHES = "order|return|cancel|make|schedule|book|buy|know|change|speak|talk|complain|report"

SIGNS = (
    Sign(
        Channel.AGENT,
        3.0,
        "thanks for the call: only the called party does",
        (r"(?:thank you|thanks|you) (?:so much )?for calling(?! (?:me|us|back))",),
    ),
    Sign(
        Channel.AGENT,
        3.0,
        "offers help: the house's own opening",
        (
            r"how (?:can|may|could|might) (?:i |we )?(?:help|assist|be of)",
            r"(?:can|may) i (?:help|assist) you",
            r"what can i (?:do for|help) you",
        ),
    ),
    Sign(
        Channel.AGENT,
        2.5,
        "asks for what identifies a customer",
        (
            rf"(?:can|could|may) i (?:please |just )?(?:have|get|take) (?:your|the|a) (?:\w+ ){{0,3}}{_IDENTIFIES}",
            rf"what(?:'s| is) your (?:\w+ ){{0,2}}{_IDENTIFIES}",
            r"(?:can|could|would) you (?:please )?(?:give|tell|spell|confirm|verify) (?:me |for me )?(?:your|the) "
            rf"(?:\w+ ){{0,2}}{_IDENTIFIES}",
            r"your (?:account|order|customer|reference|policy|booking|phone) number (?:please|again)",
        ),
    ),
    Sign(
        Channel.AGENT,
        2.5,
        "closes by asking for more",
        (r"is there anything else", r"anything else (?:that )?(?:i|we) can", r"anything else (?:today|for you)"),
    ),
    Sign(
        Channel.AGENT,
        2.5,
        "puts on hold: only one side can",
        (
            r"(?:put|place) you on (?:a )?(?:brief |short )?hold",
            r"(?:can|could|would) you hold (?:for|please|the line)",
        ),
    ),
    Sign(
        Channel.AGENT,
        2.0,
        "looks something up",
        (rf"let me (?:just |quickly )?(?:{_DOES})", rf"i(?:'ll| will) (?:just )?(?:{_DOES}) (?:\w+ ){{0,4}}for you"),
    ),
    Sign(
        Channel.AGENT,
        1.5,
        "names a house with the own name",
        (
            r"my name is \w+ (?:with|from|at)",
            r"(?:this is|you(?:'re| are)) (?:speaking (?:to|with) )?\w+ speaking",
            r"you(?:'re| are) speaking (?:to|with)",
        ),
    ),
    Sign(
        Channel.AGENT,
        1.0,
        "speaks of the other one's things; customers do too, of the agent's colleagues",
        (rf"your (?:\w+ )?(?:{THINGS})",),
    ),
    Sign(
        Channel.AGENT,
        1.0,
        "sorry for what happened to somebody else",
        (r"sorry (?:to hear|for the|about the|for any)", r"(?:i|we) (?:do )?apologi[sz]e (?:for|about)"),
    ),
    Sign(
        Channel.AGENT,
        1.0,
        "speaks for the house",
        (
            r"our (?:\w+ )?(?:policy|system|records|store|shop|office|team|technicians?|department|manager|supervisor)",
            r"the system (?:shows|says)",
        ),
    ),
    Sign(
        Channel.AGENT,
        1.0,
        "offers to do or asks what to do",
        (
            r"i(?:'ll| will| can| could) (?:also )?(?:send|email|transfer|connect|book|schedule|offer|refund)"
            r" (?:you|the|that|it)",
            r"would you (?:also )?like (?:me|to|a|the|it|us)",
        ),
    ),
    Sign(
        Channel.CUSTOMER,
        1.5,
        "bought something here",
        (r"(?:bought|ordered|purchased|got) (?:\w+ ){0,5}from you",),
    ),
    Sign(
        Channel.CUSTOMER,
        2.5,
        "says why they call; not 'about your', which is an agent who calls out",
        (r"calling (?:about|because|regarding|to)(?! your)", r"i(?:'m| am) calling in"),
    ),
    Sign(
        Channel.CUSTOMER,
        2.0,
        "has a problem or a question",
        (r"i(?:'ve| have)?(?: have| got| had)? an? (?:\w+ )?(?:problem|issue|question|complaint)",),
    ),
    Sign(
        Channel.CUSTOMER,
        2.0,
        "asks for somebody above",
        (r"(?:speak|talk) (?:to|with) (?:your|a|the) (?:supervisor|manager|boss)",),
    ),
    Sign(
        Channel.CUSTOMER,
        1.5,
        "speaks of the own things; agents hardly have any in a call",
        (rf"my (?:\w+ )?(?:{THINGS}|money)",),
    ),
    Sign(
        Channel.CUSTOMER,
        1.5,
        "was done something by the house",
        (r"you(?: guys| people)? (?:charged|sent|billed|told|promised|took|owe) (?:me|my|the)",),
    ),
    Sign(
        Channel.CUSTOMER,
        1.0,
        "wishes something; agents wish too, but to help, to ask or to apologise",
        (
            rf"i(?:'d| would) like to (?:{_WISHES})",
            rf"i (?:only |just )?(?:want|wanted|need) (?:to (?:{_WISHES})|a refund|my|some|somebody|someone)",
            r"i was (?:just )?wondering",
        ),
    ),
    Sign(
        Channel.CUSTOMER,
        1.0,
        "asks about the house",
        (r"do you (?:guys )?(?:have|carry|sell|offer|accept|take|do)", r"are you (?:guys )?open", r"what time do you"),
    ),
)

BOUND = 5.0
"""Nats beyond which no evidence makes us surer (0.993): the signs are neither independent nor calibrated."""


@dataclass(frozen=True, slots=True)
class Found:
    """A sign in what a channel said. phrase: the words that matched. weight: nats for the channel being the agent."""

    sign: Sign
    phrase: str

    @property
    def weight(self) -> float:
        return self.sign.weight if self.sign.party is Channel.AGENT else -self.sign.weight


def signs(text: str) -> list[Found]:
    """Every sign in what one party said, once each."""
    said = plain(text)
    return [Found(sign, match.group().strip()) for sign in SIGNS if (match := sign.pattern.search(said))]


@dataclass(slots=True)
class Evidence:
    """What one channel has said so far: each sign once, as it was first said."""

    found: list[Found] = field(default_factory=list)

    def hear(self, text: str) -> list[Found]:
        """Returns the signs that are new."""
        known = {each.sign for each in self.found}
        new = [each for each in signs(text) if each.sign not in known]
        self.found += new
        return new

    @property
    def weight(self) -> float:
        """Nats for this channel being the agent."""
        return sum(each.weight for each in self.found)


def confidence(nats: float) -> float:
    """Odds to probability, 0-1."""
    return 1.0 / (1.0 + math.exp(-max(-BOUND, min(BOUND, nats))))


def propose(lines: Iterable[tuple[Channel, str]]) -> tuple[Channel, float]:
    """Which of two channels is the agent, and how sure that is, 0.5-1; AGENT and 0.5 where nothing tells.

    lines: who said it, as now labelled, and what; an unknown speaker's are passed over. No label is thought likelier
    than the other.
    """
    heard = {Channel.AGENT: Evidence(), Channel.CUSTOMER: Evidence()}
    for channel, text in lines:
        if channel in heard:
            heard[channel].hear(text)
    nats = heard[Channel.AGENT].weight - heard[Channel.CUSTOMER].weight
    return (Channel.AGENT if nats >= 0 else Channel.CUSTOMER), confidence(abs(nats))
