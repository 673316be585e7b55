"""Learning the scorers from labelled clips, and measuring them: ``calmline train`` and ``calmline evaluate``.

corpus (which clips) → lines (what a telephone does to them) → measure, through the cache → table (numbers a clip) →
folds, baseline, fit → metrics → report. The live call uses none of this; both hear through ``models.voice`` and
``models.affect``.
"""
