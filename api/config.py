"""Where settings come from: ``calmline.toml``, then environment variables ``CALMLINE_*`` over it.

    [speech]                        CALMLINE_SPEECH__ONSET=0.6
    onset = 0.6
    [server]                        CALMLINE_SERVER__PORT=9000
    port = 9000

The machine's part (``pipeline.settings``) goes into every journal; the server's part holds secrets and never does.
"""

import os
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from api.doors.settings import Doors
from pipeline import settings as machine
from pipeline.errors import BadInput
from pipeline.settings import Section, Settings

_PREFIX = "CALMLINE_"

EventKind = Literal["call.started", "alert.raised", "alert.acknowledged", "alert.cleared", "call.ended"]
"""What other programs can be told."""

FILE = "calmline.toml"
"""Read from the current folder when no other file is named."""


class Server(Section):
    """Where the server listens and who may talk to it."""

    host: str = "127.0.0.1"
    """Address to bind; anything but a loopback address needs credentials."""
    port: int = Field(default=8765, ge=0, le=65535)
    """TCP port; 0 takes a free one."""
    hosts: tuple[str, ...] = ()
    """Further names under which the server is reached: checked against Host and Origin."""
    tls_cert: str = ""
    """Certificate chain (PEM); with tls_key the server speaks https and wss."""
    tls_key: str = ""
    """Private key (PEM)."""
    supervisor_tokens: dict[str, SecretStr] = {}
    """Supervisor's name to bearer token: sees every call."""
    agent_tokens: dict[str, SecretStr] = {}
    """Agent's id to bearer token: sees that agent's calls only."""
    door_tokens: dict[str, SecretStr] = {}
    """Sender's name to bearer token: may bring calls in, sees none."""
    page_queue_kb: int = Field(default=512, ge=16, le=65536)
    """Kilobytes that may wait for one page; a slower one is closed with 1013 and resumes by number."""
    upload_mb: int = Field(default=500, ge=1, le=100_000)
    """Megabytes one uploaded recording may have."""
    model_cache: str = ""
    """Folder of pulled models; empty means the user's own cache folder."""
    mask_profanity: bool = True
    """Whether views, pages and reports show "f***". Journals, exports, ``--json`` and ``/events`` always have all."""


class Limits(Section):
    """What the doors take. Whatever is over it is refused with one line, and counted in calmline_refused_total."""

    calls: int = Field(default=0, ge=0, le=10_000)
    """Live calls at once; 0: ten a core and 24 at most, which is what the machine carries with words. A call too many
    would make all of them late."""
    frame_kb: int = Field(default=1024, ge=16, le=16_384)
    """Kilobytes (1024 bytes) of one message: 5 s of two channels at 48 kHz; all of it is held in memory."""
    messages_per_s: int = Field(default=1000, ge=50, le=100_000)
    """Messages a second of one connection, over two seconds: 20 times what 20 ms packets of one stream need. Each costs
    the server the same, however small."""
    idle_s: float = Field(default=60.0, ge=5.0, le=3600.0)
    """Seconds without any message after which a connection counts as dead: phone systems send audio or pings always."""
    resume_s: float = Field(default=30.0, ge=0.0, le=300.0)
    """Seconds for which a call waits for its sender when the connection broke, 0 for none: a phone system reconnects in
    a few; the agent's page says that the line is lost meanwhile."""
    longest_s: float = Field(default=14_400.0, ge=60.0, le=86_400.0)
    """Seconds of one call, by its audio or by the clock: four hours is no call, but a line left open."""


class Webhooks(Section):
    """Events sent to another program over HTTP: what happens in calls, as it happens (docs/events.md)."""

    url: str = ""
    """Where events are posted: http:// or https://. Empty: nowhere."""
    secret: SecretStr = SecretStr("")
    """What events are signed with; `calmline webhooks secret` makes one. Needed with `url`."""
    types: tuple[EventKind, ...] = ("alert.raised", "alert.acknowledged", "alert.cleared", "call.ended")
    """What is told; `call.started` too, where it is wanted."""
    source: str = "/calmline"
    """URI reference that names this server in its events, also in those for panels: the receiver may hear several."""
    timeout_s: float = Field(default=10.0, ge=0.5, le=120.0)
    """Seconds an answer may take; a receiver should answer first and work then."""
    first_wait_s: float = Field(default=1.0, ge=0.1, le=60.0)
    """Seconds before the second attempt; doubled each time, and shortened by up to a half by chance."""
    longest_wait_s: float = Field(default=60.0, ge=1.0, le=3600.0)
    """Longest wait in seconds between two attempts: as late as that a receiver hears after it is back."""
    give_up_h: float = Field(default=24.0, ge=0.0, le=168.0)
    """Hours after which an event goes to the dead letters: a day and a night, for somebody to mend the receiver."""
    waiting: int = Field(default=10_000, ge=1, le=1_000_000)
    """Events that may wait to be delivered; the next one goes to the dead letters. About 1 kB each, on disk and in
    memory."""
    dead_mb: float = Field(default=50.0, ge=0.01, le=10_000.0)
    """Megabytes of dead letters that are kept; what comes when they are full is lost (the journals have it)."""


class Config(BaseSettings):
    """The whole tree, as a file or the environment spells it. ``policy`` may be a preset's name."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=_PREFIX, env_nested_delimiter="__")

    speech: machine.Speech = machine.Speech()
    leak: machine.Leak = machine.Leak()
    sounds: machine.Sounds = machine.Sounds()
    turns: machine.Turns = machine.Turns()
    words: machine.Words = machine.Words()
    voice: machine.Voice = machine.Voice()
    scores: machine.Scores = machine.Scores()
    cues: machine.Cues = machine.Cues()
    alerts: machine.Alerts = machine.Alerts()
    storage: machine.Storage = machine.Storage()
    measures: machine.Measures = machine.Measures()
    policy: machine.Policy | str = machine.Policy()
    server: Server = Server()
    limits: Limits = Limits()
    webhooks: Webhooks = Webhooks()
    doors: Doors = Doors()

    @property
    def settings(self) -> Settings:
        """The machine's part, which journals carry. Raises BadInput for an unknown policy."""
        parts = {name: getattr(self, name) for name in Settings.model_fields}
        return Settings(**parts | {"policy": policy_named(self.policy)})

    @property
    def calls_folder(self) -> Path:
        """Where calls are stored."""
        return Path(self.storage.folder).expanduser() if self.storage.folder else user_data_path("calmline") / "calls"

    @property
    def model_cache(self) -> Path:
        """Where pulled models lie."""
        cache = self.server.model_cache
        return Path(cache).expanduser() if cache else user_cache_path("calmline") / "models"


def policy_named(policy: machine.Policy | str) -> machine.Policy:
    """A preset by its name, or the policy itself. Raises BadInput."""
    if isinstance(policy, machine.Policy):
        return policy
    try:
        return machine.POLICIES[policy]
    except KeyError:
        known = ", ".join(machine.POLICIES)
        raise BadInput(f"unknown policy {policy!r}: use one of {known}, or a [policy] table") from None


def load(file: Path | None = None, **overrides: object) -> Config:
    """Defaults, then the file, then the environment, then ``overrides`` (section name to value).

    file: None reads calmline.toml of the current folder if there is one. Raises BadInput naming the key at fault.
    """
    if file is not None and not file.is_file():
        raise BadInput(f"no settings file {file}")
    _check_names()
    path = file or Path(FILE)

    class Sources(Config):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            chosen = InitSettingsSource(settings_cls, init_kwargs=overrides)
            return (chosen, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path))

    try:
        config = Sources()
        policy_named(config.policy)  # an unknown one is found here, not at the first call
        return config
    except ValidationError as error:
        raise BadInput(_explain(error)) from None
    except ValueError as error:  # no TOML, or JSON in a variable that cannot be read
        raise BadInput(f"cannot read the settings ({path} or CALMLINE_*): {error}") from None


def _check_names() -> None:
    """Raises BadInput for a variable that names no section: it would be passed over in silence."""
    for name in sorted(os.environ):
        if name.upper().startswith(_PREFIX) and name[len(_PREFIX) :].lower().split("__")[0] not in Config.model_fields:
            known = ", ".join(key.upper() for key in Config.model_fields)
            raise BadInput(f"unknown variable {name}: {_PREFIX}SECTION__KEY has one of the sections {known}")


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    what = "unknown settings key" if first["type"] == "extra_forbidden" else "bad setting"
    return f"{what} {key}: {first['msg']} (calmline schema settings lists all keys)"
