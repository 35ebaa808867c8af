"""The bytecode of our modules in one file: finding and opening 150 of them one by one is a seventh of a short check.

The pack lies where Python keeps bytecode, is made of that bytecode, and is believed no further: each module is taken
from it only while its source has the time and the size that it had then. What is damaged or old is as if it were not
there, and a run that had to go without is followed by one that need not.
"""

from __future__ import annotations

import atexit
import binascii
import marshal
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import TypeAlias

__all__ = ["ModulePack", "use_pack"]

_HEAD = b"meshc modules 1\n"
_HERE = os.path.dirname(__file__)
_OURS = ("meshc.", "meshc_lang.", "meshc_compiler.", "meshc_backends.")
_PYC_HEAD = 16
"""The head of Python's bytecode files: magic number, flags, time and size of the source (PEP 552)."""


Entry: TypeAlias = tuple[str, int, int, bool, int, int, int]
"""A module of the pack: its source, the time (ns) and the size that it had, whether it is a package; then the place of
its code, how long that is, and its checksum."""


def use_pack() -> None:
    """Find modules in the pack from now on, and bring it up to date when the process ends."""
    if sys.pycache_prefix is not None:
        return
    pack = ModulePack(os.path.join(_HERE, "__pycache__", f"meshc.{sys.implementation.cache_tag}.pack"))
    sys.meta_path.insert(0, pack)
    if not sys.dont_write_bytecode:
        atexit.register(pack.renew)


class ModulePack:
    """Finds modules in one file. What stands at the top of the path is left to Python, which knows which is meant."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._entries, self._file = _open(path)
        self._done = set(sys.modules)  # what was imported already, and what is taken from here

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module, as every finder of `sys.meta_path` is asked to."""
        del target
        entry = self._entries.get(name)
        if entry is None or path is None or not _is_of(entry, path):
            return None
        code = self._code(entry)
        if code is None:
            return None
        self._done.add(name)
        source, package = entry[0], entry[3]
        spec = ModuleSpec(name, _PackedLoader(name, source, code), origin=source, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [os.path.dirname(source)]
        return spec

    def _code(self, entry: Entry) -> bytes | None:
        *_, start, size, checksum = entry
        try:
            code = os.pread(self._file, size, start)
        except OSError:
            return None
        return code if binascii.crc32(code) == checksum else None

    def renew(self) -> None:
        """Write the pack anew if a module was imported that was not in it, with what else is still good of it."""
        packed: dict[str, tuple[Entry, bytes]] = {}
        for name, module in sys.modules.copy().items():
            if name.startswith(_OURS) and name not in self._done and (made := _of_bytecode(module)) is not None:
                packed[name] = made
        if not packed:
            return
        for name, entry in self._entries.items():
            if name not in packed and _is_of(entry, ()):
                code = self._code(entry)
                if code is not None:
                    packed[name] = (entry, code)
        _write(self._path, packed)


class _PackedLoader(SourceFileLoader):
    """Loads a module whose code is at hand; its source, its resources and its name are those of the file."""

    def __init__(self, name: str, path: str, code: bytes) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType | None:
        del fullname
        code: CodeType = marshal.loads(self._code)  # noqa: S302 -- whole, and from where bytecode is kept
        return code


def _is_of(entry: Entry, path: Sequence[str]) -> bool:
    """Tell whether the source of a module is as it was, and in one of the folders in which it is looked for."""
    source, modified, size, package, *_ = entry
    folder = os.path.dirname(source)
    if path and (os.path.dirname(folder) if package else folder) not in path:
        return False
    try:
        now = os.stat(source)
    except OSError:
        return False
    return now.st_mtime_ns == modified and now.st_size == size


def _of_bytecode(module: ModuleType) -> tuple[Entry, bytes] | None:
    """Return what the pack is to hold of a module: what Python wrote of it."""
    spec = module.__spec__
    if spec is None or spec.origin is None or spec.cached is None:
        return None
    try:
        now = os.stat(spec.origin)
        with open(spec.cached, "rb") as file:
            content = file.read()
    except OSError:
        return None
    written = int(now.st_mtime) & 0xFFFFFFFF, now.st_size & 0xFFFFFFFF
    if content[4:_PYC_HEAD] != b"".join(number.to_bytes(4, "little") for number in (0, *written)):
        return None
    code = content[_PYC_HEAD:]
    package = spec.submodule_search_locations is not None
    return (spec.origin, now.st_mtime_ns, now.st_size, package, 0, len(code), binascii.crc32(code)), code


def _open(path: str) -> tuple[dict[str, Entry], int]:
    """Return the table of a pack and its file, which stays open; nothing where there is none that is whole."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        head = os.read(file, len(_HEAD) + 12)
        start, size, checksum = (int.from_bytes(head[place:][:4], "little") for place in (-12, -8, -4))
        table = os.pread(file, size, start)
    except OSError:
        return {}, -1
    if not head.startswith(_HEAD) or binascii.crc32(table) != checksum:
        return {}, -1
    return marshal.loads(table), file  # noqa: S302 -- whole, and from where bytecode is kept


def _write(path: str, packed: dict[str, tuple[Entry, bytes]]) -> None:
    """Write a pack whole or not at all: another process may be reading it."""
    entries: dict[str, Entry] = {}
    at = len(_HEAD) + 12
    for name, (entry, code) in packed.items():
        entries[name] = (*entry[:4], at, len(code), entry[6])
        at += len(code)
    table = marshal.dumps(entries)
    head = _HEAD + b"".join(number.to_bytes(4, "little") for number in (at, len(table), binascii.crc32(table)))
    unfinished = f"{path}.{os.getpid()}"
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(head + b"".join(code for _, code in packed.values()) + table)
        os.replace(unfinished, path)
    except OSError:
        return
