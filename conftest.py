"""What is collected only where the extra that it is about is installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("sklearn") else ["neurograph/estimators.py", "docs/sklearn.md"]
if not find_spec("matplotlib"):
    collect_ignore.append("docs/pictures.md")
