"""Harness of atheris: python -m tests.fuzz.fuzz_node_link [folder of a corpus] [options of libFuzzer]."""

import sys
import warnings


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["neurograph"]):
        from tests.fuzz.mutants import node_link_seeds, try_node_link

    def test_one_input(raw: bytes) -> None:
        try_node_link(raw)

    warnings.simplefilter("ignore")
    for seed in node_link_seeds():
        test_one_input(seed)
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
