"""The command ``calmline``: what can be typed. What it does is in ``api.commands``, imported when it is asked for.

Exit codes: 0 done, 1 a difference or a failed check, 2 bad input or usage, 3 engine fault, 4 storage, 130 Ctrl-C.
Results go to stdout; progress, notices and the one line that says what went wrong go to stderr.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.errors import BadInput, CalmlineError, StorageFault

if TYPE_CHECKING:
    from rich.status import Status
    from typer.exceptions import TyperException

    from api.commands.clips import Heard
    from api.config import Config

INTERRUPTED = 130
FLAG = ""
"""The type of an option that takes no value: none to show."""

app = typer.Typer(
    name="calmline",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(no_args_is_help=True, help="List, pull and verify speech recognition models.")
app.add_typer(models_app, name="models")
cues_app = typer.Typer(no_args_is_help=True, help="Check what is listened for, and measure it on labelled utterances.")
app.add_typer(cues_app, name="cues")
webhooks_app = typer.Typer(no_args_is_help=True, help="Try webhooks, and send again what could not be delivered.")
app.add_typer(webhooks_app, name="webhooks")

Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="JSON instead of text.")]
PolicyName = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="NAME",
        show_default="eu-workplace",
        help="standard, eu-workplace (no agent tension) or measures-only.",
    ),
]
Side = Literal["left", "right"]
Port = Annotated[
    int | None,
    typer.Option("--port", metavar="PORT", min=0, max=65535, show_default="8765", help="TCP port; 0 takes a free one."),
]
AgentChannel = Annotated[Side, typer.Option("--agent-channel", help="The agent's side of a stereo recording.")]
AgentId = Annotated[str, typer.Option("--agent-id", metavar="ID", help="Whose call it is.")]
CallId = Annotated[str, typer.Option("--call-id", metavar="ID", help="Name of the call; a new one when left out.")]
Notice = Annotated[
    str, typer.Option("--notice-given", metavar="TEXT", help="How the customer was told; some policies wait for it.")
]
TellApart = Annotated[
    bool, typer.Option("--tell-apart", metavar=FLAG, help="Tell the voices of a mono file apart (extra: mono).")
]
Queue = Annotated[str, typer.Option("--queue", metavar="NAME", help="The queue that the call came through.")]
Team = Annotated[str, typer.Option("--team", metavar="NAME", help="The agent's team.")]
Way = Annotated[
    Literal["inbound", "outbound"] | None,
    typer.Option("--direction", show_default="not said", help="Who called whom."),
]
Fields = Annotated[
    list[str] | None, typer.Option("--field", metavar="NAME=TEXT", help="A further field; again for more.")
]
Names = Annotated[
    str,
    typer.Option("--name", metavar="PATTERN", help="What names in a folder say, as {date}_{agent_id}_{side}."),
]
Sides = Annotated[str, typer.Option("--sides", metavar="A,C", help="How {side} is written for agent and customer.")]


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; what a user can cause never ends in a traceback."""
    from typer.exceptions import Abort, TyperException

    try:
        return int(app(args=list(arguments), prog_name="calmline", standalone_mode=False) or 0)
    except CalmlineError as error:
        return _failed(str(error), error.exit_code)
    except TyperException as error:
        return _misused(error)
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except BrokenPipeError:
        sys.stdout = None  # whoever read has gone: nothing is left to flush
        return 0
    except OSError as error:  # a folder that is none, a file that may not be read
        return _failed(f"{error.filename or 'the disk'}: {error.strerror or error}", StorageFault.exit_code)


def _misused(error: "TyperException") -> int:
    message, context = error.format_message(), getattr(error, "ctx", None)
    if not message:  # the help was shown instead
        return 2
    return _failed(f"{message.rstrip('.')}; see {context.command_path if context else 'calmline'} --help", 2)


def _failed(message: str, code: int) -> int:
    from api.commands.console import trouble

    trouble(message)
    return code


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"calmline {version('calmline')}")
        raise typer.Exit


@app.callback()
def calmline(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings instead of ./calmline.toml.")
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", metavar=FLAG, callback=_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Hears both sides of a phone call and says, as it happens, when the agent should do something about it.

    Try: [bold]calmline demo[/bold]
    """
    context.obj = config


def _configured(
    context: typer.Context,
    *,
    policy: str | None = None,
    folder: Path | None = None,
    server: Mapping[str, object] | None = None,
) -> "Config":
    from api.commands.context import configured

    return configured(context.obj, policy=policy, folder=folder, server=server)


def _loading() -> "Status":
    """To be seen, in a terminal, while the imports are done: they are a good part of the wait."""
    from api.commands.console import err

    return err.status("loading…")


@app.command(epilog="Example: calmline demo --speed 4")
def demo(
    context: typer.Context,
    call: Annotated[
        str,
        typer.Option(
            "--call",
            metavar="NAME",
            help="billing_dispute, calm_order, impatient_agent, insulted_agent or leaving_customer.",
        ),
    ] = "billing_dispute",
    once: Annotated[
        bool, typer.Option("--once", metavar=FLAG, help="Exit after the call instead of serving on.")
    ] = False,
    speed: Annotated[float, typer.Option("--speed", metavar="X", min=0.1, max=100.0, help="Times real time.")] = 1.0,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="PORT",
            min=0,
            max=65535,
            show_default="8765, or a free one",
            help="Port of the overlay page.",
        ),
    ] = None,
    folder: Annotated[Path | None, typer.Option("--folder", metavar="DIR", help="Where the call is kept.")] = None,
) -> int:
    """Play a sample call in real time.

    A server with its overlay page is up meanwhile.
    Words and alerts are printed as they come, and a summary at the end.
    The policy is [bold]standard[/bold], so every measure is shown.
    """
    config, file = _configured(context, policy="standard", folder=folder, server={"port": port}), _sample(call)
    from api.commands.console import note

    note("loading the models…")
    from api.commands import demo

    return demo.run(config, file=file, speed=speed, once=once)


def _sample(call: str) -> Path:
    import sample_audio

    try:
        return sample_audio.path(call)
    except KeyError as error:
        raise BadInput(str(error.args[0])) from None


@app.command(epilog="Example: calmline analyze call.wav --json | jq '.alerts[].advice'")
def analyze(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="WAV, FLAC, Ogg, MP3; chats: jsonl, csv; or folders.")
    ],
    pair: Annotated[
        bool, typer.Option("--pair", metavar=FLAG, help="Two mono files are one call, the agent's first.")
    ] = False,
    agent_channel: AgentChannel = "left",
    tell_apart: TellApart = False,
    agent_voice: Annotated[
        int | None,
        typer.Option(
            "--agent-voice",
            metavar="1|2",
            min=1,
            max=2,
            show_default="not certain",
            help="Of a mono file: 1 if the agent speaks first, else 2.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", metavar=FLAG, help="The view as JSON, one line a call.")] = False,
    no_store: Annotated[bool, typer.Option("--no-store", metavar=FLAG, help="Keep nothing on disk.")] = False,
    policy: PolicyName = None,
    name: Names = "",
    sides: Sides = "agent,customer",
    call_id: CallId = "",
    agent_id: AgentId = "",
    notice_given: Notice = "",
    queue: Queue = "",
    team: Team = "",
    direction: Way = None,
    fields: Fields = None,
) -> int:
    """Report on recordings.

    Who spoke how, what was said, and which alerts there would have been.
    Each file is one call; a bad one is reported, the others are still done.
    Of a folder, every recording that is not done yet, in a line each.
    """
    config = _configured(context, policy=policy)
    with _loading():
        from api.commands import analyze, folder
        from api.commands.about import about

    metadata = about(
        agent_id=agent_id,
        notice_given=notice_given,
        queue=queue,
        team=team,
        direction=direction or "",
        fields=fields or (),
    )
    wanted = analyze.Wanted(pair, agent_channel, json, not no_store, call_id, metadata, tell_apart, agent_voice)
    if not any(file.is_dir() for file in files):
        if name:
            raise BadInput("--name says what the names in a folder mean; for a file give --agent-id, --queue and so on")
        return analyze.run(config, files, wanted)
    if pair or call_id or not all(file.is_dir() for file in files):
        raise BadInput("a folder is given without files, --pair and --call-id; --name says what names mean")
    return folder.run(config, files, folder.Wanted(wanted, folder.naming(name, sides, metadata)))


@app.command(epilog="Example: calmline watch /recordings --name '{date}_{agent_id}_{side}'")
def watch(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the phone system puts its recordings.")],
    name: Names = "",
    sides: Sides = "agent,customer",
    agent_channel: AgentChannel = "left",
    tell_apart: TellApart = False,
    json: Annotated[bool, typer.Option("--json", metavar=FLAG, help="The view as JSON, one line a call.")] = False,
    poll: Annotated[
        bool, typer.Option("--poll", metavar=FLAG, help="For folders on a network that tell of no changes.")
    ] = False,
    policy: PolicyName = None,
    agent_id: AgentId = "",
    notice_given: Notice = "",
    queue: Queue = "",
    team: Team = "",
    direction: Way = None,
    fields: Fields = None,
) -> int:
    """Analyse recordings as they come into a folder.

    Each once it is whole, and once only, whatever happens meanwhile.
    Ctrl-C ends it; the next run does what is left.
    """
    config = _configured(context, policy=policy)
    with _loading():
        from api.commands import folder, watch
        from api.commands.about import about
        from api.commands.analyze import Wanted

    metadata = about(
        agent_id=agent_id,
        notice_given=notice_given,
        queue=queue,
        team=team,
        direction=direction or "",
        fields=fields or (),
    )
    wanted = Wanted(agent_channel=agent_channel, json=json, about=metadata, tell_apart=tell_apart)
    return watch.run(config, directory, folder.Wanted(wanted, folder.naming(name, sides, metadata), poll))


@app.command(epilog="Example: calmline serve --policy standard --port 9000")
def serve(
    context: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            show_default="127.0.0.1",
            help="Address to bind; others than this machine's need tokens.",
        ),
    ] = None,
    port: Port = None,
    tls_cert: Annotated[str | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[str | None, typer.Option("--tls-key", metavar="FILE", help="Its private key, PEM.")] = None,
    policy: PolicyName = None,
) -> int:
    """Take calls in and serve the pages.

    The models are loaded before the port opens.
    SIGTERM or Ctrl-C ends the calls in progress with their last words.
    """
    server = {"host": host, "port": port, "tls_cert": tls_cert, "tls_key": tls_key}
    config = _configured(context, policy=policy, server=server)
    with _loading():
        from api.commands import serve

    return serve.run(config)


@app.command(epilog="Example: calmline listen --device 'USB headset' --loopback Monitor")
def listen(
    context: typer.Context,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME|INDEX", help="Stereo input, or the agent's microphone.")
    ] = None,
    loopback: Annotated[
        str | None, typer.Option("--loopback", metavar="NAME|INDEX", help="A second input, with the customer.")
    ] = None,
    agent_channel: AgentChannel = "left",
    call_id: CallId = "",
    agent_id: AgentId = "me",
    notice_given: Notice = "",
    queue: Queue = "",
    team: Team = "",
    direction: Way = None,
    fields: Fields = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="S", min=0.1, help="End the call after so long.")
    ] = None,
    page: Annotated[bool, typer.Option("--page/--no-page", metavar=FLAG, help="Serve the overlay page.")] = True,
    port: Port = None,
    policy: PolicyName = None,
) -> int:
    """Follow a call on this machine's own sound devices.

    Ctrl-C ends the call with its last words and a summary.
    """
    config = _configured(context, policy=policy, server={"port": port})
    with _loading():
        from api.commands.about import about
        from api.commands.listen import Wanted, run

    metadata = about(
        agent_id=agent_id,
        notice_given=notice_given,
        queue=queue,
        team=team,
        direction=direction or "",
        fields=fields or (),
    )
    return run(config, Wanted(device, loopback, agent_channel, call_id, metadata, seconds, page))


@app.command(epilog="Example: calmline replay demo-20250101-120000-a1b2c3 --verify")
def replay(
    context: typer.Context,
    call: Annotated[str, typer.Argument(metavar="CALL", help="Id of a stored call, or the path of its folder.")],
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", metavar=FLAG, help="Step the stored audio again and compare every event; 1 at a difference."
        ),
    ] = False,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", metavar="FILE", help="TOML of other settings, to try with --diff."),
    ] = None,
    diff: Annotated[
        bool,
        typer.Option("--diff", metavar=FLAG, help="Which alerts they add, drop or move; CALL: also a folder of calls."),
    ] = False,
    json: Json = False,
) -> int:
    """Show a stored call, prove its journal, or try other settings on it.

    With [bold]--verify[/bold] a fresh session hears the stored audio again.
    Exit code 1 at the first event that differs.
    With [bold]--settings FILE --diff[/bold] it is stepped with its own settings and with those.
    """
    config = _configured(context)
    if diff or settings is not None:
        if settings is None or not diff or verify:
            raise BadInput("--settings FILE and --diff go together, without --verify")
        from api.commands import diff as diffing

        return diffing.run(config, call, settings, as_json=json)
    from api.commands import replay

    return (replay.prove if verify else replay.show)(config, call, as_json=json)


@app.command(epilog="Example: calmline swap demo-20250101-120000-a1b2c3")
def swap(
    context: typer.Context,
    call: Annotated[str, typer.Argument(metavar="CALL", help="Id of a stored call.")],
    json: Annotated[bool, typer.Option("--json", metavar=FLAG, help="The new view as JSON.")] = False,
) -> int:
    """Exchange agent and customer.

    For a call whose sides were named the wrong way round: everything is derived
    afresh from its audio. What held before is kept beside it.
    """
    config = _configured(context)
    with _loading():
        from api.commands import swap

    return swap.run(config, call, as_json=json)


@app.command(epilog="Example: calmline export demo-20250101-120000-a1b2c3 --format csv -o call.csv")
def export(
    context: typer.Context,
    call: Annotated[str, typer.Argument(metavar="CALL", help="Id of a stored call, or the path of its folder.")],
    format: Annotated[
        Literal["contact-lens", "csv", "parquet"],
        typer.Option("--format", "-f", metavar="FORMAT", help="contact-lens (JSON), csv or parquet."),
    ] = "contact-lens",
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            metavar="NAME",
            show_default="what happened",
            help="Of a csv: one table (turns, overlaps, scores…), or all.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", show_default="stdout, or CALL.parquet", help="Where to."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", metavar=FLAG, help="Overwrite a file that exists.")] = False,
) -> int:
    """Write a stored call for other programs.

    As the JSON of Contact Lens, as a table for a spreadsheet, or everything as Parquet.
    What the columns and fields mean is in docs/api.md.
    """
    config = _configured(context)
    from api.commands import export
    from api.export import Wanted

    return export.run(config, call, Wanted(format, table), output, force=force)


@app.command(epilog="Example: calmline report demo-20250101-120000-a1b2c3 --format html --out call.html")
def report(
    context: typer.Context,
    call: Annotated[str, typer.Argument(metavar="CALL", help="Id of a stored call, or the path of its folder.")],
    format: Annotated[
        Literal["json", "md", "html"],
        typer.Option("--format", "-f", metavar="FORMAT", help="md (Markdown), html (one file) or json."),
    ] = "md",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", show_default="stdout", help="Where to.")
    ] = None,
    mine: Annotated[
        bool, typer.Option("--mine", metavar=FLAG, help="You are the agent: with what is for you alone.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", metavar=FLAG, help="Overwrite a file that exists.")] = False,
) -> int:
    """Report on a call that is over, on a page.

    The moments that mattered, what helped, practices seen and missing, and measures
    beside the agent's own earlier calls. Every sentence names the events it rests on.
    """
    config = _configured(context)
    from api.commands import review

    return review.run(config, call, format, out, own=mine, force=force)


@app.command(epilog="Example: calmline plot demo-20250101-120000-a1b2c3 -o call.png")
def plot(
    context: typer.Context,
    call: Annotated[str, typer.Argument(metavar="CALL", help="Id of a stored call, or the path of its folder.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", show_default="CALL.png", help="A .png, .svg or .pdf."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", metavar=FLAG, help="Overwrite a file that exists.")] = False,
) -> int:
    """Draw a stored call.

    Who spoke when, overlaps, silences, scores and advice on one axis of time.
    """
    config = _configured(context)
    with _loading():
        from api.commands import plot

    return plot.run(config, call, output, force=force)


@app.command("score-turns", epilog="Example: calmline score-turns call.flac call.truth.json")
def score_turns(
    context: typer.Context,
    audio: Annotated[Path, typer.Argument(metavar="AUDIO", help="A two-channel recording.")],
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH.json", help="Who spoke when, as in sample_audio/*.truth.json.")
    ],
    agent_channel: Annotated[
        Side | None,
        typer.Option("--agent-channel", show_default="as TRUTH says", help="The agent's side of the recording."),
    ] = None,
    no_words: Annotated[
        bool, typer.Option("--no-words", metavar=FLAG, help="By sound alone; words revise some judgements.")
    ] = False,
    json: Json = False,
    policy: PolicyName = None,
) -> int:
    """Score turn-taking against known truth.

    Overlaps and interruptions found, missed and invented; who is blamed;
    how far bounds and talk time are off; how late each was told.
    """
    config = _configured(context, policy=policy)
    with _loading():
        from api.commands.score_turns import Wanted, run

    return run(config, audio, truth, Wanted(agent_channel, json, not no_words))


Corpora = Annotated[
    list[Path],
    typer.Option("--corpus", metavar="FILE.csv", help="Labelled clips: columns path, corpus, speaker, emotion."),
]
CalmTables = Annotated[
    list[Path] | None,
    typer.Option(
        "--calm", metavar="FILE.csv", help="Calm speech to learn from too: path, corpus, speaker; again for more."
    ),
]
FeatureCache = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", show_default="the user's own", help="Where what was measured is kept."),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of everything that is drawn by chance.")]
Noises = Annotated[
    list[Path] | None,
    typer.Option("--noise", metavar="FILE", show_default="pink", help="Noise for the line noise15; again for more."),
]
Musics = Annotated[
    list[Path] | None, typer.Option("--music", metavar="FILE", help="Music for the line music15; again for more.")
]


def _heard(
    config: "Config", cache: Path | None, seed: int, noise: list[Path] | None, music: list[Path] | None
) -> "Heard":
    from api.commands.clips import Heard

    return Heard(cache or config.model_cache.parent / "training", seed, noise or (), music or ())


@app.command(epilog="Example: calmline train --corpus calls/clips.csv --out ours")
def train(
    context: typer.Context,
    tables: Corpora,
    target: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the new set of weights.")],
    calm: CalmTables = None,
    lines: Annotated[
        list[str] | None,
        typer.Option("--line", metavar="NAME", show_default="the recipe's", help="A line to learn on; again for more."),
    ] = None,
    cache: FeatureCache = None,
    noise: Noises = None,
    music: Musics = None,
    seed: Seed = 0,
    force: Annotated[bool, typer.Option("--force", metavar=FLAG, help="Overwrite an older set.")] = False,
) -> int:
    """Learn anger and tension from labelled clips.

    The clips are sent through simulated telephone lines first.
    A run that was stopped goes on where it was.
    """
    config = _configured(context)
    with _loading():
        from api.commands.train import Wanted, run

    wanted = Wanted(tables, target, tuple(lines) if lines else None, force, tuple(calm or ()))
    return run(config, wanted, _heard(config, cache, seed, noise, music))


@app.command(epilog="Example: calmline evaluate --corpus clips.csv --scorer formula --line mulaw --line opus")
def evaluate(
    context: typer.Context,
    tables: Corpora,
    calm: CalmTables = None,
    scorer: Annotated[
        str,
        typer.Option(
            "--scorer", metavar="NAME", help="formula or a folder as it is; acted or train: trained in each fold."
        ),
    ] = "acted",
    protocol: Annotated[
        Literal["loco", "speaker"], typer.Option("--protocol", help="What is left out: a corpus, or speakers.")
    ] = "loco",
    baseline: Annotated[
        Literal["blind", "none"], typer.Option("--baseline", help="Against the speaker's own earlier clips, or not.")
    ] = "blind",
    lines: Annotated[
        list[str] | None,
        typer.Option(
            "--line",
            metavar="NAME",
            show_default="mulaw",
            help="mulaw, band, gsm, opus, noise15, room, music15, up12, down12, varied, clean; the first one counts.",
        ),
    ] = None,
    output: Annotated[
        Literal["anger", "arousal", "tension"], typer.Option("--output", help="Which score is judged.")
    ] = "anger",
    positive: Annotated[
        str | None,
        typer.Option("--positive", metavar="EMOTION", show_default="the score's own", help="What should score high."),
    ] = None,
    against: Annotated[
        Literal["all", "calm"] | None,
        typer.Option("--against", show_default="the score's own", help="All others; or neutral, calm and sad."),
    ] = None,
    learn_on: Annotated[
        list[str] | None,
        typer.Option(
            "--learn-on", metavar="NAME", show_default="the recipe's", help="A line to train on; again for more."
        ),
    ] = None,
    bound: Annotated[
        float, typer.Option("--bound", metavar="X", min=0.0, max=1.0, help="Value for precision and recall.")
    ] = 0.4,
    curve: Annotated[
        bool, typer.Option("--curve", metavar=FLAG, help="Also with fewer speakers: a learning curve.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write a report with pictures here.")
    ] = None,
    cache: FeatureCache = None,
    noise: Noises = None,
    music: Musics = None,
    seed: Seed = 0,
    json: Json = False,
) -> int:
    """Judge the scores on labelled clips.

    How well strangers' anger is told from all else, with intervals over speakers.
    """
    config = _configured(context)
    with _loading():
        from api.commands.evaluate import Wanted, run
        from models.training.evaluation import Question

    lines = lines or ["mulaw"]
    question = Question(output, lines[0], protocol, baseline, seed)
    taught, still = tuple(learn_on) if learn_on else None, tuple(calm or ())
    wanted = Wanted(
        tables, scorer, question, tuple(lines), positive, against, bound, curve, json, report, taught, still
    )
    return run(config, wanted, _heard(config, cache, seed, noise, music))


@app.command(epilog="Example: calmline splice --calm call.wav --angry clips.csv --at 30 --out angry.wav")
def splice(
    call: Annotated[
        Path, typer.Option("--calm", metavar="CALL", help="A two-channel recording in which nobody is upset.")
    ],
    angry: Annotated[
        Path, typer.Option("--angry", metavar="CLIPS.csv", help="Clips: columns path, corpus, speaker, emotion.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.wav", help="The call with the clips in it.")],
    at: Annotated[float, typer.Option("--at", metavar="S", min=0.0, help="Second at which the first clip begins.")],
    speaker: Annotated[
        str, typer.Option("--speaker", metavar="NAME", show_default="the only one", help="Whose clips.")
    ] = "",
    emotion: Annotated[str, typer.Option("--emotion", metavar="NAME", help="Which clips.")] = "anger",
    gap: Annotated[
        float, typer.Option("--gap", metavar="S", min=0.0, max=60.0, help="Seconds between two clips.")
    ] = 0.4,
    agent_channel: AgentChannel = "left",
    json: Json = False,
    force: Annotated[bool, typer.Option("--force", metavar=FLAG, help="Overwrite files that exist.")] = False,
) -> int:
    """Put angry clips into a calm call.

    Into the customer's channel, at the customer's own loudness and over the same line,
    in place of what was said there. Where each clip lies is written to FILE.truth.json.
    """
    with _loading():
        from api.commands.splice import Wanted, run

    return run(call, angry, out, Wanted(at, emotion, speaker, agent_channel, gap, json), force=force)


@app.command(epilog="Example: calmline calls --limit 5")
def calls(
    context: typer.Context,
    json: Json = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many.")] = 20,
) -> int:
    """List the stored calls, newest first."""
    config = _configured(context)
    from api.commands import calls

    return calls.run(config, limit=limit, as_json=json)


@app.command(epilog="Example: calmline reindex")
def reindex(context: typer.Context) -> int:
    """Build the list of calls anew from their folders.

    Nothing can be lost by it. Better not while a server is running.
    """
    config = _configured(context)
    from api.commands import stored

    return stored.reindex(config)


@app.command(epilog="Example: calmline labels ours && calmline train --corpus ours/index.csv --out weights")
def labels(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new one, for the clips and index.csv.")],
) -> int:
    """Write the stretches that people labelled in calls as a corpus for `train`."""
    config = _configured(context)
    from api.commands import labels

    return labels.run(config, target)


@app.command(epilog="Example: calmline delete demo-20250101-120000-a1b2c3 --yes")
def delete(
    context: typer.Context,
    calls: Annotated[list[str], typer.Argument(metavar="CALL...", help="Ids of stored calls.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar=FLAG, help="Do not ask.")] = False,
) -> int:
    """Delete calls for good.

    Audio, journal, notes, and their rows in the list.
    """
    config = _configured(context)
    from api.commands import stored

    return stored.delete(config, calls, yes=yes)


@app.command(epilog="Example: calmline devices")
def devices(json: Json = False) -> int:
    """List the sound inputs of this machine."""
    from api.commands import devices

    return devices.run(as_json=json)


@cues_app.command("check", epilog="Example: calmline cues check our_words.toml")
def cues_check(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="TOML files beside those of the settings.")
    ] = None,
    json: Json = False,
) -> int:
    """Read every file of cues and try each cue on its own examples.

    Exit code 1 when an example is not found, or a counter-example is.
    """
    config = _configured(context)
    from api.commands import cues

    return cues.check(config, files or (), as_json=json)


@cues_app.command("test", epilog="Example: calmline cues test labelled.jsonl --json")
def cues_test(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="LABELLED.jsonl", help="A line each: role, text, labels, and hard: true.")
    ],
    part: Annotated[
        str, typer.Option("--part", metavar="NAME", show_default="all", help="Only lines with this part.")
    ] = "",
    texts: Annotated[
        list[Path] | None,
        typer.Option("--texts", metavar="FILE", help="JSON lines of id and text: what a recogniser made of the lines."),
    ] = None,
    json: Json = False,
) -> int:
    """Find cues in labelled utterances.

    Precision, recall and F1 of each cue, their mean, and how often a hard negative misleads.
    """
    config = _configured(context)
    from api.commands import cues

    return cues.test(config, file, cues.Wanted(json, part, tuple(texts or ())))


@cues_app.command("train", epilog="Example: calmline cues train tests/cues/*.tune.jsonl ours.jsonl --out ours.npz")
def cues_train(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="LABELLED.jsonl...", help="A line each: role, text, labels, and hard: true.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.npz", help="Where the weights go; replaced if it is there.")
    ],
) -> int:
    """Learn cues from labelled utterances.

    Some dozens of lines a cue, and as many that only sound like it. Name the file as the setting cues.weights.
    """
    config = _configured(context)
    from api.commands import cues

    return cues.train(config, files, out)


@models_app.command("list", epilog="Example: calmline models list")
def models_list(context: typer.Context) -> int:
    """List the models that are here, and those that can be pulled."""
    config = _configured(context)
    from api.commands import models

    return models.show(config)


@models_app.command("pull", epilog="Example: calmline models pull small.en")
def models_pull(context: typer.Context, name: Annotated[str, typer.Argument(help="As `models list` shows it.")]) -> int:
    """Download a model and remember the SHA-256 of each of its files."""
    config = _configured(context)
    from api.commands import models

    return models.pull(config, name)


@models_app.command("verify", epilog="Example: calmline models verify small.en")
def models_verify(
    context: typer.Context, names: Annotated[list[str] | None, typer.Argument(help="All of them when left out.")] = None
) -> int:
    """Compare every file of the models that are here with its SHA-256.

    Exit code 3 when one is damaged.
    """
    config = _configured(context)
    from api.commands import models

    return models.verify(config, names or [])


@webhooks_app.command("secret", epilog="Example: calmline webhooks secret")
def webhooks_secret() -> int:
    """Make a secret to sign events with: for webhooks.secret, and for the receiver."""
    from api.outgoing.signature import new_secret

    print(new_secret())
    return 0


@webhooks_app.command("test", epilog="Example: calmline webhooks test")
def webhooks_test(context: typer.Context) -> int:
    """Send one event that means nothing.

    Says what the receiver answered. Exit code 1 when it did not take it.
    """
    config = _configured(context)
    from api.commands import webhooks

    return webhooks.test(config)


@webhooks_app.command("dead", epilog="Example: calmline webhooks dead --json | jq .why")
def webhooks_dead(context: typer.Context, json: Json = False) -> int:
    """List the events that were given up."""
    config = _configured(context)
    from api.commands import webhooks

    return webhooks.dead(config, as_json=json)


@webhooks_app.command("retry", epilog="Example: calmline webhooks retry")
def webhooks_retry(context: typer.Context) -> int:
    """Send the events that were given up once more, oldest first.

    What is not taken is kept. Exit code 1 when there is any such.
    """
    config = _configured(context)
    from api.commands import webhooks

    return webhooks.retry(config)


@app.command(epilog="Example: calmline schema events > events.schema.json")
def schema(
    subject: Annotated[
        Literal["view", "events", "settings"], typer.Argument(metavar="view|events|settings", help="Of what.")
    ],
) -> int:
    """Print a JSON schema.

    Of a view (what analyze --json prints), of the events in a journal,
    or of the settings in calmline.toml.
    """
    from api.commands import schema

    return schema.run(subject)


@app.command(epilog="Example: calmline doctor")
def doctor(context: typer.Context, json: Json = False) -> int:
    """Check whether this machine is ready.

    Says what to do where it is not. Exit code 1 when a check failed; a warning is no failure.
    """
    config = _configured(context)
    from api.commands import doctor

    return doctor.run(config, as_json=json)


if __name__ == "__main__":
    main()
