"""Searches with libFuzzer for inputs that break a property: `python tests/fuzz/fuzz.py [TARGET] [SECONDS]`.

Without a target each is searched for so long in turn. What it finds is kept below `build/fuzz`: `crash-…` of a failure,
`corpus` for the next time. An input worth keeping goes into `tests/fuzz/corpus`, as short as it can be.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WINGS = ("cli", "lang", "compiler", "backends", "runtime", "tests")
SECONDS = 60
LONGEST_INPUT = 4096
MEBIBYTES = 2048
"""The memory that one process may take; an input that needs more is a failure."""
SLOWEST = 25
"""Seconds that one input may take; more is a failure. Coverage makes everything ten times as slow."""


def dictionary(path: Path) -> None:
    """Write down the words and marks of the language, so that inputs hold some."""
    from meshc_lang.tables import grammar_text

    words: set[str] = set()
    for line in grammar_text().splitlines():
        name, _, pattern = line.partition(": ")
        if name.split(".")[0].isupper() and pattern.startswith(('"', "/")):
            word = pattern.strip('"/').partition("(?!")[0]
            if word and (len(word) == 1 or not set("[]()?*+\\") & set(word)):
                words.add(word)
    quoted = ("".join(f"\\x{ord(letter):02x}" for letter in word) for word in sorted(words))
    path.write_text("".join(f'"{word}"\n' for word in quoted))


def search(target: str, seconds: int) -> None:
    """Search with one target in this process, which libFuzzer ends."""
    import atheris

    sys.path[:0] = [str(ROOT / wing) for wing in WINGS]
    with atheris.instrument_imports(include=["meshc_lang", "meshc_compiler", "meshc_runtime"]):
        from support.fuzz_targets import CORPUS, TARGETS
    found = ROOT / "build" / "fuzz" / target
    (found / "corpus").mkdir(parents=True, exist_ok=True)
    dictionary(found / "words.dict")
    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_INPUT}",
        f"-rss_limit_mb={MEBIBYTES}",
        f"-timeout={SLOWEST}",
        f"-artifact_prefix={found}/",
        f"-dict={found / 'words.dict'}",
        "-print_final_stats=1",
        "-verbosity=0",
        str(found / "corpus"),
        str(HERE / "corpus" / CORPUS.get(target, target)),
    ]
    atheris.Setup(arguments, TARGETS[target])
    atheris.Fuzz()


def main() -> int:
    """Search with the target named, or with each in a process of its own."""
    words = sys.argv[1:]
    seconds = int(words.pop()) if words and words[-1].isdecimal() else SECONDS
    if words:
        search(words[0], seconds)
        return 0
    failed = []
    for target in ("program", "compilation", "request", "regex", "tree"):
        print(f"\n== {target}: {seconds} s", flush=True)
        if subprocess.run([sys.executable, __file__, target, str(seconds)], check=False, cwd=ROOT).returncode:
            failed.append(target)
    print(f"\nfailed: {', '.join(failed)}; inputs in build/fuzz" if failed else "\nnothing found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
