"""Who speaks. A two-channel call has agent and customer; a mono recording has one unknown speaker.

A two-channel call whose channels carry the same sound (dual mono) has an unknown speaker too, for as long as it lasts.
"""

from enum import StrEnum


class Channel(StrEnum):
    AGENT = "agent"
    CUSTOMER = "customer"
    UNKNOWN = "unknown"

    @property
    def other(self) -> "Channel":
        """The other party of a two-channel call."""
        match self:
            case Channel.AGENT:
                return Channel.CUSTOMER
            case Channel.CUSTOMER:
                return Channel.AGENT
            case Channel.UNKNOWN:
                raise ValueError("an unknown speaker has no other party")


TWO_CHANNEL = (Channel.AGENT, Channel.CUSTOMER)
MONO = (Channel.UNKNOWN,)
