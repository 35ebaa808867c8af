"""The targets, in the order in which they are built; each is imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import cast

from meshc_backends.backend import Backend
from meshc_backends.read_back import WholeReader
from meshc_backends.workshop import Reader
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A target's word, where its backend is, and what else a build with it must hold.

    `needs` are targets that must be there; of `needs_one_of` one must be, the first if none was asked for. `reader`
    names what proves the file of each workload (`module:function`), where there is such a thing, and `whole_reader`
    what proves the files all together.
    """

    name: str
    module: str
    attribute: str
    needs: tuple[str, ...] = ()
    needs_one_of: tuple[str, ...] = ()
    reader: str = ""
    whole_reader: str = ""

    def load(self) -> Backend:
        """Import the backend."""
        return cast(Backend, getattr(importlib.import_module(self.module), self.attribute))

    def load_reader(self) -> Reader | None:
        """Import what reads this target's files back."""
        return cast(Reader | None, _named(self.reader))

    def load_whole_reader(self) -> WholeReader | None:
        """Import what reads this target's files back all together."""
        return cast(WholeReader | None, _named(self.whole_reader))


def _named(what: str) -> object:
    module, _, name = what.partition(":")
    return getattr(importlib.import_module(module), name) if module else None


BACKENDS = (
    Target("certs", "meshc_backends.certificates", "CERTS"),
    Target(
        "envoy",
        "meshc_backends.envoy.backend",
        "ENVOY",
        reader="meshc_backends.readback.envoy.proof:differences",
    ),
    Target(
        "sidecar",
        "meshc_backends.sidecar",
        "SIDECAR",
        reader="meshc_backends.readback.sidecar.proof:differences",
    ),
    Target(
        "kubernetes",
        "meshc_backends.kubernetes",
        "KUBERNETES",
        needs=("certs",),
        needs_one_of=("envoy", "sidecar"),
        whole_reader="meshc_backends.readback.network_policy.target:prove_policies",
    ),
    Target("prometheus", "meshc_backends.prometheus", "PROMETHEUS", needs_one_of=("envoy", "sidecar")),
)
"""Every target. A backend sees what those before it have made."""

TARGETS = tuple(target.name for target in BACKENDS)
"""The words that `--target` takes."""


def plan(asked: Iterable[str]) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """Return the targets to build, in order, and the names of those that were added because others need them.

    Raises:
        KeyError: a name is none of `TARGETS`; callers check that first.
    """
    by_name = {target.name: target for target in BACKENDS}
    named = {by_name[name].name for name in asked}
    added: set[str] = set()
    for target in BACKENDS:
        if target.name in named:
            added.update(name for name in target.needs if name not in named)
            if target.needs_one_of and not named & set(target.needs_one_of):
                added.add(target.needs_one_of[0])
    chosen = tuple(target for target in BACKENDS if target.name in named | added)
    return chosen, tuple(target.name for target in chosen if target.name in added)
