"""A Kubernetes object on its way to a file, with the part of the program that it comes from."""

from __future__ import annotations

from collections.abc import Mapping

from meshc_backends.yaml_text import YamlValue
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span

MANAGER = "meshc"
"""The value of `app.kubernetes.io/managed-by`."""

Fields = Mapping[str, YamlValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object. `about` says which part of the program it comes from, and `origin` where that is.

    `subject` is the same as a path: the workload's name, then perhaps a version. What is wrong with one part of the
    program is reported once, not for each object that comes from it.
    `fields` is what follows the metadata (`spec`, `data`, …); of a Secret it holds key material, so no repr shows it.
    """

    api_version: str
    kind: str
    name: str
    namespace: str
    mesh: str
    fields: Fields = field(repr=False)
    about: str
    subject: tuple[str, ...]
    origin: Span | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, namespace and name: what makes the object one of its own in a cluster."""
        return (self.kind, self.namespace, self.name)

    def document(self) -> dict[str, YamlValue]:
        """Return the whole object, fields in the order that people are used to."""
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {
                    "app.kubernetes.io/managed-by": MANAGER,
                    "app.kubernetes.io/part-of": self.mesh,
                },
            },
            **self.fields,
        }
