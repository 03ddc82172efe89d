"""Data sets: connectomes that come as networks, and tasks that come as arrays."""

from neurograph.datasets.connectomes import Connectome
from neurograph.datasets.fly import larva
from neurograph.datasets.samples import DataSet, Samples
from neurograph.datasets.tasks import digits, japanese_vowels, mnist
from neurograph.datasets.worm import celegans, celegans_tables

__all__ = [
    "Connectome",
    "DataSet",
    "Samples",
    "celegans",
    "celegans_tables",
    "digits",
    "japanese_vowels",
    "larva",
    "mnist",
]
