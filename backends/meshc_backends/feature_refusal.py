"""What the chosen targets do not carry of a program: found before anything is emitted, and told with a way out."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_backends.artifact import Loss, Reservation
from meshc_backends.registry import BACKENDS, Target
from meshc_compiler.ir.feature import Asked, Feature, features
from meshc_compiler.ir.mesh import Mesh
from meshc_lang.codes.targets import OBJECTIVE_WITHOUT_RULES, TARGET_LACKS_FEATURE
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import SourceText


def refusals(mesh: Mesh, chosen: Iterable[Target]) -> tuple[tuple[Diagnostic, ...], tuple[Reservation, ...]]:
    """Return an error, and an entry for the manifest, for each place that asks what a chosen target does not carry."""
    asked = tuple(features(mesh))
    diagnostics: list[Diagnostic] = []
    reservations: list[Reservation] = []
    for target in chosen:
        lacking = _lacking(target)
        for one in asked:
            if one.feature in lacking:
                diagnostics.append(_finding(target, one))
                reservations.append(
                    Reservation(
                        target=target.name,
                        loss=Loss.REFUSED,
                        subject=one.what,
                        reason=f"the target does not carry {one.feature}",
                    )
                )
    return tuple(diagnostics), tuple(reservations)


def unwatched(mesh: Mesh, chosen: Iterable[Target]) -> tuple[Diagnostic, ...]:
    """Return a note for each objective of which no target of a build with sidecars makes anything."""
    backends = [target.load() for target in chosen]
    if not any(Feature.TIMEOUT in backend.carries for backend in backends):
        return ()  # no sidecars, so nothing that could be watched
    if any(Feature.OBJECTIVE in backend.carries for backend in backends):
        return ()
    return tuple(
        Diagnostic(
            code=OBJECTIVE_WITHOUT_RULES,
            message=f"nothing of this build watches over {asked.what}",
            primary=asked.origin or SourceText("slo", "").span(0, 0),
            help="build the target `prometheus` too: it makes recording rules and alerts of it",
            subject=f"slo {asked.what}",
        )
        for asked in features(mesh)
        if asked.feature is Feature.OBJECTIVE
    )


def carriers(feature: Feature) -> tuple[str, ...]:
    """Return the targets that carry a feature, in the order in which they are built."""
    return tuple(target.name for target in BACKENDS if feature in target.load().carries)


def _lacking(target: Target) -> frozenset[Feature]:
    backend = target.load()
    return frozenset(Feature) - backend.carries - backend.leaves


def _finding(target: Target, asked: Asked) -> Diagnostic:
    others = carriers(asked.feature)
    if others:
        names = " and ".join(f"`{name}`" for name in others)
        verb = "carries" if len(others) == 1 else "carry"
        help_line = f"{names} {verb} it: leave `{target.name}` out of `--target`, or take it out of the program"
    else:
        help_line = "no target carries it: take it out of the program"
    return Diagnostic(
        code=TARGET_LACKS_FEATURE,
        message=f"the target `{target.name}` does not carry {asked.feature}, for which {asked.what} asks",
        primary=asked.origin or SourceText(target.name, "").span(0, 0),
        help=help_line,
        subject=f"{target.name} {asked.feature.name} {asked.what}",
    )
