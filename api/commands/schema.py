"""``schema``: what the JSON means, as JSON schema."""

import json
from typing import Any, Literal

from api.config import Config
from pipeline import view
from pipeline.journal import EVENT

Subject = Literal["view", "events", "settings"]


def run(subject: Subject) -> int:
    print(json.dumps(_schema(subject), indent=2))
    return 0


def _schema(subject: Subject) -> dict[str, Any]:
    match subject:
        case "view":
            return view.schema()
        case "events":
            return EVENT.json_schema(mode="serialization")
        case "settings":
            return Config.model_json_schema()
