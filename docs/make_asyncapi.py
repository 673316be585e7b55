"""Writes docs/asyncapi.yaml from the doors' own messages. A test holds the page against them.

uv run python docs/make_asyncapi.py
"""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from api.doors import chat, pcm_messages
from api.routes.status import installed

PAGE = Path(__file__).with_name("asyncapi.yaml")

AUDIO = {
    "name": "audio",
    "contentType": "application/octet-stream",
    "summary": "Interleaved 16-bit little-endian samples; whole samples, as many as you like.",
    "payload": {"type": "string", "format": "binary"},
}
PCM_SENT = [
    pcm_messages.Start,
    pcm_messages.Resume,
    pcm_messages.Position,
    pcm_messages.Marked,
    pcm_messages.Stop,
]
PCM_SAID = [pcm_messages.Started, pcm_messages.Resumed, pcm_messages.Ended, pcm_messages.Failed]
CHAT_SENT = [chat.Start, chat.Line, pcm_messages.Marked, pcm_messages.Stop]
CHAT_SAID = [chat.Started, pcm_messages.Ended, pcm_messages.Failed]
FOREIGN = {
    "twilio": "Twilio Media Streams, as Twilio documents them: https://www.twilio.com/docs/voice/media-streams",
    "audiohook": "Genesys AudioHook v2, as Genesys documents it: https://developer.genesys.cloud/devapps/audiohook",
}


def document() -> dict[str, Any]:
    """The whole document, as AsyncAPI 3.0 has it."""
    channels = {
        "pcm": _channel("/doors/pcm", "Live audio of a call.", "pcm", PCM_SENT, PCM_SAID, audio=True),
        "chat": _channel("/doors/chat", "A written conversation, line by line.", "chat", CHAT_SENT, CHAT_SAID),
    }
    foreign = {name: {"address": f"/doors/{name}", "description": what} for name, what in FOREIGN.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "calmline doors",
            "version": installed().split("+")[0],
            "description": "WebSockets by which live calls come in. Text frames are JSON; see docs/doors.md.",
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:8765", "protocol": "ws", "security": [{"$ref": _SECURITY}]}},
        "channels": channels | foreign,
        "operations": _operations("pcm", PCM_SENT, PCM_SAID, audio=True) | _operations("chat", CHAT_SENT, CHAT_SAID),
        "components": {
            "messages": _messages("pcm", [*PCM_SENT, *PCM_SAID])
            | _messages("chat", [*CHAT_SENT, *CHAT_SAID])
            | {"pcm_audio": AUDIO},
            "schemas": _shared([*PCM_SENT, *PCM_SAID, *CHAT_SENT, *CHAT_SAID]),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


_SECURITY = "#/components/securitySchemes/bearer"

Models = list[type[BaseModel]]


def _name(model: type[BaseModel]) -> str:
    """As its ``type`` says."""
    kind = model.model_fields["type"]
    return str(kind.default) if not kind.is_required() else str(kind.annotation.__args__[0])  # type: ignore[union-attr]


def _messages(door: str, models: Models) -> dict[str, Any]:
    return {
        f"{door}_{_name(model)}": {
            "name": _name(model),
            "summary": " ".join((model.__doc__ or "").split()),
            "payload": {key: part for key, part in _schema(model).items() if key != "$defs"},
        }
        for model in models
    }


def _shared(models: Models) -> dict[str, Any]:
    """What several messages are made of: a payload is no document of its own, so references lead here."""
    return {name: part for model in models for name, part in _schema(model).get("$defs", {}).items()}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(ref_template="#/components/schemas/{model}")


def _names(door: str, models: Models, *, audio: bool) -> list[str]:
    return [*(f"{door}_{_name(model)}" for model in models), *(["pcm_audio"] if audio else [])]


def _channel(address: str, what: str, door: str, sent: Models, said: Models, *, audio: bool = False) -> dict[str, Any]:
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in _names(door, [*sent, *said], audio=audio)}
    return {"address": address, "description": what, "messages": messages}


def _operations(door: str, sent: Models, said: Models, *, audio: bool = False) -> dict[str, Any]:
    """From the server's side, as AsyncAPI 3 wants it: what it receives, and what it sends."""

    def one(action: str, names: list[str]) -> dict[str, Any]:
        messages = [{"$ref": f"#/channels/{door}/messages/{name}"} for name in names]
        return {"action": action, "channel": {"$ref": f"#/channels/{door}"}, "messages": messages}

    return {
        f"{door}_receive": one("receive", _names(door, sent, audio=audio)),
        f"{door}_send": one("send", _names(door, said, audio=False)),
    }


def page() -> str:
    head = "# Made by docs/make_asyncapi.py from the code; do not edit.\n"
    return head + yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
