"""What most commands need first: the settings, the engines, a name for a new call."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from api import config as configuration
from api.commands.console import err, note
from api.config import Config
from pipeline import graph
from pipeline.graph import Engines


def configured(
    file: Path | None,
    *,
    policy: str | None = None,
    folder: Path | None = None,
    server: Mapping[str, object] | None = None,
) -> Config:
    """The settings, with what the command line says over them; None says nothing. Raises BadInput."""
    overrides: dict[str, object] = {}
    if policy is not None:
        overrides["policy"] = policy
    if folder is not None:
        overrides["storage"] = {"folder": str(folder)}
    if server is not None:
        overrides["server"] = {key: value for key, value in server.items() if value is not None}
    return configuration.load(file, **overrides)


def say_policy(config: Config) -> None:
    """Nobody chose a policy: say what that means and how to choose."""
    if "policy" not in config.model_fields_set:
        name = config.settings.policy.name
        note(
            f"no policy chosen, so {name} holds: agent tension is withheld; "
            'to have it: --policy standard, or policy = "standard" in calmline.toml'
        )


def load_engines(config: Config) -> Engines:
    """Raises EngineFault."""
    with err.status("loading the models…"):
        engines = graph.load(config.settings, config.model_cache)
    say_scorer(config, engines)
    return engines


def say_scorer(config: Config, engines: Engines) -> None:
    """Nobody chose a set of weights: say what the one in use may be used for, and how to choose."""
    if engines.affect is not None and "model" not in config.scores.model_fields_set:
        note(f"voices are judged by the set {config.scores.model}{_TERMS.get(config.scores.model, '')}")


_TERMS = {
    "acted": ': trained on acted speech, not for commercial use; the other one is scores.model = "formula"',
    "formula": ', made by hand; the trained one, not for commercial use, is scores.model = "acted"',
}


def new_id(prefix: str) -> str:
    """A call id that says where the call came from, and when."""
    return f"{prefix}-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
