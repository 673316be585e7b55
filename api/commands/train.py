"""``train``: a set of weights for the scores from labelled clips."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from api.commands.clips import Heard, failures, measured
from api.commands.console import err, note, out
from api.config import Config
from models.affect import ABOUT, OUTPUTS, AffectModel, write
from models.training import corpus
from models.training.corpus import Clip
from models.training.fit import fit
from models.training.recipe import Recipe
from pipeline.errors import BadInput


@dataclass(frozen=True, slots=True)
class Wanted:
    """lines: None takes the recipe's. force: whether an older set is written over. calm: tables of calm speech."""

    tables: list[Path]
    target: Path
    lines: tuple[str, ...] | None = None
    force: bool = False
    calm: tuple[Path, ...] = ()


def run(config: Config, wanted: Wanted, how: Heard) -> int:
    """Raises BadInput for tables and options, EngineFault for models."""
    if (wanted.target / ABOUT).exists() and not wanted.force:
        raise BadInput(f"{wanted.target} holds a set of weights already; --force overwrites it")
    recipe = replace(Recipe(), lines=wanted.lines) if wanted.lines else Recipe()
    with failures():
        clips = corpus.read(wanted.tables)
        corpus.check_enough(clips, {"anger"})
        clips += corpus.calm(wanted.calm)
        tables = measured(config, clips, recipe.lines, how)
        with err.status("learning…"):
            found = fit([tables[line] for line in recipe.lines], recipe, how.seed)
        about = _about(wanted.target.resolve().name, clips, recipe, config, how)
        write(wanted.target, found.arrays, about | {"calibration": found.held_out})
        model = AffectModel.load(wanted.target)
    left_out = len(clips) - min(len(table) for table in tables.values())
    if left_out:
        note(f"{left_out} clips have under half a second of speech on some line and were left out of it")
    out.print(f"{model.identity.name} is in {wanted.target}; scores.model = that path uses it", soft_wrap=True)
    for name, told in found.held_out.items():
        figures = f"AUC {told['auc']:.3f}, calibration error {told['ece']:.3f}"
        out.print(f"{name}  {figures} on clips held out while learning", soft_wrap=True)
    out.print("calmline evaluate --scorer train says more: it trains again without whom it tests", soft_wrap=True)
    return 0


def _about(name: str, clips: list[Clip], recipe: Recipe, config: Config, how: Heard) -> dict[str, Any]:
    """What ``model.json`` tells of the training. No path: a set travels."""
    corpora = {clip.corpus for clip in clips}
    return {
        "name": name,
        "version": f"{date.today():%Y-%m-%d}",
        "encoder": config.settings.words.model,
        "outputs": list(OUTPUTS),
        "recipe": {field: getattr(recipe, field) for field in recipe.__dataclass_fields__},
        "seed": how.seed,
        "trained_on": {
            each: {
                "clips": sum(clip.corpus == each for clip in clips),
                "speakers": len({clip.who for clip in clips if clip.corpus == each}),
                "anger": sum(clip.corpus == each and clip.emotion == "anger" for clip in clips),
            }
            for each in sorted(corpora)
        },
    }
