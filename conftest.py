"""What is collected only where the extra that it is about is installed."""

from importlib.util import find_spec

ABOUT = {
    "sklearn": ["neurograph/estimator_base.py", "neurograph/estimators.py", "docs/sklearn.md"],
    "matplotlib": ["docs/pictures.md", "docs/tour.md"],
    "nir": ["neurograph/io/nir.py", "neurograph/io/nir_writer.py", "docs/nir.md"],
}
collect_ignore = [path for extra, paths in ABOUT.items() if not find_spec(extra) for path in paths]
