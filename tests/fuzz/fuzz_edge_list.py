"""Harness of atheris: python -m tests.fuzz.fuzz_edge_list [folder of a corpus] [options of libFuzzer]."""

import sys
import warnings


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["neurograph"]):
        from tests.fuzz.mutants import edge_list_seeds, try_edge_list

    def test_one_input(raw: bytes) -> None:
        try_edge_list(raw)

    warnings.simplefilter("ignore")
    for seed in edge_list_seeds():
        test_one_input(seed)
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
