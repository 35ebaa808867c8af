"""The program of a bundle, as the build recorded it: read back, and held against the manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from meshc_backends.bundle import read_bundle
from meshc_backends.finding import finding
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.record import UnreadableRecordError, read_record
from meshc_lang.codes.targets import BUNDLE_DAMAGED
from meshc_lang.diagnostic import Diagnostic

RECORD_NAME = "program.json"
"""The record's path in the bundle: the text of the mesh (`dump.record_text`), whose digest the manifest has."""


def read_recorded(directory: Path) -> tuple[Mesh | None, tuple[Diagnostic, ...]]:
    """Return the mesh of which a bundle was made, without asserts and tests; None and a finding where it cannot be had.

    No place of the source is known of it. What was changed after the build is refused: its digest is in the manifest.
    """
    bundle, problems = read_bundle(directory)
    if bundle is None:
        return None, problems
    place = directory / RECORD_NAME
    content = bundle.content(RECORD_NAME)
    if content is None:
        message = f"`{directory}` does not hold the program that it was built from, so nothing can be compared with it"
        help_ = f"build it again with this compiler; it was built by meshc {bundle.manifest.compiler}"
        return None, (finding(BUNDLE_DAMAGED, place, message, help_),)
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != bundle.manifest.program:
        message = "the record of the program was changed after the build"
        return None, (finding(BUNDLE_DAMAGED, place, message, "build it again"),)
    try:
        return read_record(content), ()
    except UnreadableRecordError:
        message = f"the record of the program cannot be read: it was written by meshc {bundle.manifest.compiler}"
        return None, (finding(BUNDLE_DAMAGED, place, message, "build it again with this compiler"),)
