"""The event loop and the resolver beside it: one thing that goes wrong stops nothing else."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from meshc_runtime import resolve
from meshc_runtime.loop import Loop
from meshc_runtime.resolve import Resolver


def test_a_call_from_a_thread_that_raises_does_not_stop_the_loop(capsys: pytest.CaptureFixture[str]) -> None:
    loop = Loop()

    def wrong() -> None:
        raise ValueError("a bug")

    loop.call_from_thread(wrong)
    loop.call_from_thread(loop.stop)
    loop.run()
    loop.close()
    assert "ValueError: a bug" in capsys.readouterr().err


def test_names_that_come_together_are_asked_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[str] = Counter()
    go_on = threading.Event()

    def lookup(host: str) -> list[str]:
        go_on.wait(20)
        asked[host] += 1
        return ["127.0.0.1"]

    monkeypatch.setattr(resolve, "lookup", lookup)
    answered: Counter[str] = Counter()
    complete = threading.Event()
    resolver = Resolver(lambda call: call())
    names = [f"name-{number}" for number in range(20)]

    def note(name: str) -> None:
        answered[name] += 1
        if len(answered) == len(names):
            complete.set()

    for name in names:
        resolver.watch(name, lambda _, name=name: note(name))  # type: ignore[misc]
    go_on.set()
    assert complete.wait(20)
    resolver.stop()
    assert resolver._thread is not None
    resolver._thread.join(20)
    assert not resolver._thread.is_alive()
    assert max(asked.values()) <= 3
