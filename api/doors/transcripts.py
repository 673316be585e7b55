"""What was said in a call, as AudioHook sends it back to the agent's desktop."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from api.doors.audiohook_messages import iso
from pipeline.timebase import seconds


class Offsets:
    """Samples of a call to seconds of the streamed audio, which leaves out what was never streamed."""

    def __init__(self) -> None:
        self._lost: list[tuple[int, int]] = []

    def lost(self, at: int, count: int) -> None:
        """count samples at 16 kHz were put into the call behind ``at``."""
        self._lost.append((at, count))

    def of(self, sample: int) -> float:
        before = sum(min(count, max(0, sample - at)) for at, count in self._lost)
        return seconds(sample - before)


def entity(event: Mapping[str, Any], call_id: str, channels: Mapping[str, int], offsets: Offsets) -> dict[str, Any]:
    """A ``words`` event (as pages get it) as an entity. channels: agent, customer to the channel's number."""
    words = event["words"]
    sure = sum(word["probability"] for word in words) / len(words) if words else 0.0
    display = {"type": "display", "transcript": event["text"], "tokens": [_token(word, offsets) for word in words]}
    return {
        "type": "transcript",
        "data": {
            "id": str(uuid5(NAMESPACE_URL, f"{call_id}.{event['utterance']}")),
            "channelId": channels[event["channel"]],
            "isFinal": True,
            **_when(event["span"], offsets),
            "alternatives": [{"confidence": round(sure, 3), "interpretations": [display]}],
        },
    }


def without_tokens(found: dict[str, Any]) -> dict[str, Any]:
    """The same, shorter."""
    plain: dict[str, Any] = json.loads(json.dumps(found))
    plain["data"]["alternatives"][0]["interpretations"][0]["tokens"] = []
    return plain


def _token(word: Mapping[str, Any], offsets: Offsets) -> dict[str, Any]:
    when = _when(word["span"], offsets)
    return {"type": "word", "value": word["text"], "confidence": round(word["probability"], 3), **when}


def _when(span: Mapping[str, int], offsets: Offsets) -> dict[str, str]:
    begin, end = offsets.of(span["start"]), offsets.of(span["end"])
    return {"offset": iso(begin), "duration": iso(end - begin)}
