"""The verbs: one file each, listed here with the line that `meshc --help` prints."""

from __future__ import annotations

from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb's word and one line about it; the module of the same name (`_` for `-`) holds its `command`."""

    name: str
    summary: str
    hidden: bool = False

    @property
    def module(self) -> str:
        """The module's name in this package."""
        return self.name.replace("-", "_")


VERBS = (
    Verb("check", "find every mistake in a program, and prove its asserts"),
    Verb("fmt", "write programs in their canonical form"),
    Verb("test", "run the test blocks"),
    Verb("why", "explain what becomes of a request: rule, route, settings"),
    Verb("who-can", "tell who can call a service, directly or through others"),
    Verb("diff", "tell what a change of the program does to requests"),
    Verb("build", "write configurations and certificates for the targets"),
    Verb("up", "run the whole mesh on this machine, until Ctrl-C"),
    Verb("certs", "look at certificates"),
    Verb("proxy", "run one sidecar from its snapshot"),
    Verb("explain", "print the page of a diagnostic code"),
    Verb("lsp", "serve an editor: the language server"),
    Verb("version", "print the version"),
    Verb("demo", "show a mesh at work", hidden=True),
)
