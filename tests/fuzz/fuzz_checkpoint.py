"""Harness of atheris: python -m tests.fuzz.fuzz_checkpoint [folder of a corpus] [options of libFuzzer]."""

import sys
import warnings


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["neurograph"]):
        from tests.fuzz.mutants import checkpoint_seeds, signed, try_checkpoint

    def test_one_input(raw: bytes) -> None:
        try_checkpoint(signed(raw))

    warnings.simplefilter("ignore")
    for seed in checkpoint_seeds():
        test_one_input(seed)
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
