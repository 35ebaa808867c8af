"""Label selectors: which labels they ask for (Kubernetes `LabelSelector`)."""

from __future__ import annotations

from collections.abc import Mapping

from meshc_lang.record import dataclass

IN, NOT_IN, EXISTS, DOES_NOT_EXIST = "In", "NotIn", "Exists", "DoesNotExist"
OPERATORS = (IN, NOT_IN, EXISTS, DOES_NOT_EXIST)
"""The operators of `LabelSelectorRequirement`."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One demand on the label `key`; `values` go with `In` and `NotIn` alone."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds_of(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet it; a label that is missing meets `NotIn`."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class Selector:
    """Demands that must all be met; without any it selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Tell whether something with these labels is selected."""
        return all(requirement.holds_of(labels) for requirement in self.requirements)

    def pinned(self) -> Requirement | None:
        """Return the demand that leaves the fewest labels: what an index of labels is asked for first."""
        known = [one for one in self.requirements if one.operator == IN]
        return min(known, key=lambda one: len(one.values), default=None)


ALL = Selector()
"""The selector `{}`."""
