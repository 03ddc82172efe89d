"""Harness of atheris: python -m tests.fuzz.fuzz_nir [folder of a corpus] [options of libFuzzer]."""

import sys
import warnings


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["neurograph"]):
        from tests.fuzz.nir_mutants import nir_seeds, try_nir

    def test_one_input(raw: bytes) -> None:
        try_nir(raw)

    warnings.simplefilter("ignore")
    for seed in nir_seeds():
        test_one_input(seed)
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
