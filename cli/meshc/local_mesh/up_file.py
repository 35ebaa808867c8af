"""`up.toml`: where parts of the mesh on this machine are, for those who do not want stand-ins and chosen ports."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from meshc_backends.finding import finding, reason_of
from meshc_lang.codes.targets import UP_FILE
from meshc_lang.diagnostic import Diagnostic

UP_FILE_NAME = "up.toml"

Port = Annotated[int, Field(ge=1, le=65535)]
Place = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+:[0-9]{1,5}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InstanceEntry(_Part):
    """One workload, or one version of it: the port its calls go out by, and what runs in place of a stand-in.

    `command` is started with its port in `PORT` and the sidecar's address in `MESHC_OUTBOUND`; `address` is that of
    something that runs already.
    """

    outbound: Port | None = None
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    address: Place | None = None

    @model_validator(mode="after")
    def _runs_one_thing(self) -> InstanceEntry:
        if self.command is not None and self.address is not None:
            raise ValueError("give a command or an address, not both")
        return self


class WorkloadEntry(InstanceEntry):
    """A workload; entries of its versions stand below it."""

    version: dict[str, InstanceEntry] = Field(default_factory=dict)


class ExternalEntry(_Part):
    """A host outside the mesh, and where it is reached on this machine."""

    address: Place


class UpFile(_Part):
    """The whole file: `[workload.web]`, `[workload.api.version.v2]`, `[external."api.stripe.com"]`.

    `roots` is a file of root certificates (PEM) by which externals are verified in place of this machine's own.
    """

    roots: str | None = None
    workload: dict[str, WorkloadEntry] = Field(default_factory=dict)
    external: dict[str, ExternalEntry] = Field(default_factory=dict)

    @property
    def ports(self) -> frozenset[int]:
        """The ports that the file gives away: nothing else may get them."""
        entries = [entry for whole in self.workload.values() for entry in (whole, *whole.version.values())]
        return frozenset(entry.outbound for entry in entries if entry.outbound is not None)

    def entry(self, workload: str, version: str | None) -> InstanceEntry:
        """Return what the file says about a workload or one version of it."""
        whole = self.workload.get(workload, WorkloadEntry())
        if version is None:
            return whole
        return whole.version.get(version, InstanceEntry(command=whole.command, address=whole.address))


def read_up_file(path: Path, workloads: dict[str, tuple[str, ...]]) -> tuple[UpFile, tuple[Diagnostic, ...]]:
    """Read the file; `workloads` are the names it may use, each with its versions. No file says nothing."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        file = UpFile.model_validate(document)
    except FileNotFoundError:
        return UpFile(), ()
    except OSError as error:
        return UpFile(), (finding(UP_FILE, path, f"`{path}` cannot be read: {reason_of(error)}"),)
    except UnicodeDecodeError:
        return UpFile(), (finding(UP_FILE, path, f"`{path}` is not UTF-8"),)
    except tomllib.TOMLDecodeError as error:
        return UpFile(), (finding(UP_FILE, path, f"`{path}` is not TOML: {error}"),)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = str(first["msg"]).removeprefix("Value error, ")
        return UpFile(), (finding(UP_FILE, path, f"`{place}`: {reason}"),)
    problems = [
        finding(UP_FILE, path, f"`workload.{name}` is no workload of the mesh")
        for name in file.workload
        if name not in workloads
    ]
    problems += [
        finding(UP_FILE, path, f"`workload.{name}.version.{version}` is no version of `{name}`")
        for name, entry in file.workload.items()
        for version in entry.version
        if version not in workloads.get(name, (version,))
    ]
    return file, tuple(problems)
