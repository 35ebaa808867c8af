"""A bundle on disk: read with its manifest, compared with it, and swapped for another in one step."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from meshc_backends.artifact import Artifact
from meshc_backends.finding import finding, reason_of
from meshc_backends.manifest import MANIFEST_NAME, PUBLIC_MODE, SECRET_MODE, Manifest
from meshc_lang.codes.targets import BUNDLE_DAMAGED, OUTPUT_IN_THE_WAY, OUTPUT_NOT_A_BUNDLE, OUTPUT_UNWRITABLE
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.record import dataclass

_DIRECTORY_MODE, _SECRET_DIRECTORY_MODE = 0o755, 0o700
_FLUSHERS = 16
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}


@dataclass(frozen=True)
class Bundle:
    """A bundle as it lies on disk."""

    directory: Path
    manifest: Manifest

    def content(self, path: str) -> bytes | None:
        """Return the bytes of a file that the manifest lists; None for any other, or if it cannot be read."""
        if path not in self.digests:
            return None
        try:
            return (self.directory / path).read_bytes()
        except OSError:
            return None

    def holds(self, artifact: Artifact) -> bool:
        """Tell whether a file lies there as it would be written now; one that was edited by hand does not."""
        entry = self.digests.get(artifact.path)
        mode = "0600" if artifact.secret else "0644"
        return entry is not None and entry[1] == mode and self.content(artifact.path) == artifact.content

    @cached_property
    def digests(self) -> dict[str, tuple[str, str]]:
        """Return digest and mode of each file, by path."""
        return {entry.path: (entry.sha256, entry.mode) for entry in self.manifest.files}


def read_bundle(directory: Path) -> tuple[Bundle | None, tuple[Diagnostic, ...]]:
    """Return the bundle in a directory; None and a finding where there is none that can be read."""
    try:
        text = (directory / MANIFEST_NAME).read_bytes()
    except FileNotFoundError:
        return None, (finding(OUTPUT_NOT_A_BUNDLE, directory, f"`{directory}` holds no `{MANIFEST_NAME}`"),)
    except OSError as error:
        return None, (finding(BUNDLE_DAMAGED, directory, f"the manifest cannot be read: {reason_of(error)}"),)
    try:
        return Bundle(directory, Manifest.model_validate_json(text)), ()
    except ValidationError:
        return None, (finding(BUNDLE_DAMAGED, directory, f"`{directory / MANIFEST_NAME}` is no manifest of a bundle"),)


def verify_bundle(bundle: Bundle) -> tuple[Diagnostic, ...]:
    """Compare every file with the manifest: there, unchanged, with its mode, and nothing beside them."""
    found: list[Diagnostic] = []
    for entry in bundle.manifest.files:
        path = bundle.directory / entry.path
        try:
            mode, content = stat.S_IMODE(path.lstat().st_mode), path.read_bytes()
        except OSError as error:
            found.append(finding(BUNDLE_DAMAGED, path, f"a file of the bundle cannot be read: {reason_of(error)}"))
            continue
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            found.append(finding(BUNDLE_DAMAGED, path, "a file of the bundle was changed after the build"))
        if entry.mode == "0600" and mode & 0o077:
            found.append(finding(BUNDLE_DAMAGED, path, f"a secret file is open to others: its mode is {mode:04o}"))
    found += [
        finding(BUNDLE_DAMAGED, bundle.directory / stray, "a file that the manifest does not list lies in the bundle")
        for stray in foreign_files(bundle)
    ]
    return tuple(found)


def foreign_files(bundle: Bundle) -> tuple[str, ...]:
    """Return the paths inside a bundle's directory that its manifest does not list, sorted."""
    known = {entry.path for entry in bundle.manifest.files} | {MANIFEST_NAME}
    there = {
        (Path(folder) / name).relative_to(bundle.directory).as_posix()
        for folder, folders, names in os.walk(bundle.directory)
        for name in (*names, *(name for name in folders if (Path(folder) / name).is_symlink()))
    }
    return tuple(sorted(there - known))


def replaceable(out: Path) -> tuple[Bundle | None, tuple[Diagnostic, ...]]:
    """Return the bundle that a build into `out` replaces (None: nothing is there), or why it must not."""
    try:
        mode = out.lstat().st_mode
    except FileNotFoundError:
        return None, ()
    except OSError as error:
        return None, (finding(OUTPUT_UNWRITABLE, out, f"`{out}` cannot be written: {reason_of(error)}"),)
    if not stat.S_ISDIR(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "a file" if stat.S_ISREG(mode) else "no directory"
        message = f"`{out}` is {what}, so the bundle cannot be put there"
        return None, (finding(OUTPUT_IN_THE_WAY, out, message, "remove it, or name another directory with `--out`"),)
    try:
        if next(out.iterdir(), None) is None:
            return None, ()
    except OSError as error:
        return None, (finding(OUTPUT_UNWRITABLE, out, f"`{out}` cannot be read: {reason_of(error)}"),)
    bundle, problems = read_bundle(out)
    if bundle is None:
        way_out = "name another directory with `--out`, or move what is there"
        message = f"`{out}` is not empty and was not made by `meshc build`: it will not be replaced"
        return None, (finding(OUTPUT_NOT_A_BUNDLE, out, message, way_out),)
    if foreign := foreign_files(bundle):
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        message = f"`{out}` holds `{foreign[0]}`{more}, which no build made and this one would remove"
        return None, (finding(OUTPUT_NOT_A_BUNDLE, out, message, "keep your own files outside the bundle"),)
    return bundle, problems


@contextlib.contextmanager
def building_in(out: Path) -> Iterator[None]:
    """Hold the parent of `out` for one build at a time, and clear away what a build left that was killed.

    Raises:
        OSError: the parent cannot be made or opened.
    """
    parent = out.parent
    missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _clear_leftovers(out)
            yield
        finally:
            os.close(handle)
    finally:
        for folder in () if os.path.lexists(out) else missing:
            with contextlib.suppress(OSError):
                folder.rmdir()


def write_bundle(
    out: Path, artifacts: tuple[Artifact, ...], manifest: Manifest, same: frozenset[str] = frozenset()
) -> None:
    """Write a bundle beside `out` and swap it in, so that at `out` there is the old one or the new one, whole.

    `same` are the paths of files that lie at `out` as they are to be: they are taken over and not written.

    Raises:
        OSError: something could not be written; `out` is as it was.
    """
    new = Path(tempfile.mkdtemp(prefix=_prefix(out), suffix=".new", dir=out.parent))
    try:
        _fill(new, artifacts, manifest, out, same)
        _swap(new, out)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _flush(out.parent)


def renew_bundle(out: Path, manifest: Manifest, changed: Mapping[str, bytes]) -> None:
    """Put a bundle in the place of one that is known to be whole, with other bytes in some of its (public) files.

    Raises:
        OSError: something could not be written; `out` is as it was.
    """
    new = Path(tempfile.mkdtemp(prefix=_prefix(out), suffix=".new", dir=out.parent))
    try:
        names = [entry.path for entry in manifest.files]
        folders = sorted({str(parent) for parent in {Path(os.path.dirname(name)) for name in names} - {Path()}})  # noqa: PTH120
        for folder in folders:
            (new / folder).mkdir(mode=_SECRET_DIRECTORY_MODE, parents=True)
        old_prefix, new_prefix = f"{out}/", f"{new}/"
        for name in names:
            if name not in changed:
                os.link(old_prefix + name, new_prefix + name, follow_symlinks=False)
        for name, content in changed.items():
            _write_file(new / name, content, PUBLIC_MODE)
        _write_file(new / MANIFEST_NAME, manifest.text().encode(), PUBLIC_MODE)
        for folder in ("", *folders):
            (new / folder).chmod(_DIRECTORY_MODE)
        with ThreadPoolExecutor(_FLUSHERS) as flushers:
            for _ in flushers.map(_flush, (new / name for name in (*changed, MANIFEST_NAME, *folders, ""))):
                pass
        _swap(new, out)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _flush(out.parent)


def stamps_of(out: Path) -> dict[str, list[int]]:
    """Return of all that lies in a directory what tells whether it was touched: inode, mode, links, size and times.

    Raises:
        OSError: it cannot be read.
    """
    stamps: dict[str, list[int]] = {}
    todo = [""]
    while todo:
        folder = todo.pop()
        with os.scandir(os.path.join(out, folder)) as found:  # noqa: PTH118 - thousands of files
            for one in found:
                about = one.stat(follow_symlinks=False)
                name = f"{folder}{one.name}"
                if stat.S_ISDIR(about.st_mode):
                    stamps[name] = [about.st_mode]
                    todo.append(f"{name}/")
                else:
                    stamps[name] = [
                        about.st_ino,
                        about.st_mode,
                        about.st_nlink,
                        about.st_size,
                        about.st_mtime_ns,
                        about.st_ctime_ns,
                    ]
    return stamps


def _prefix(out: Path) -> str:
    return f".{out.name}.meshc-"


def _clear_leftovers(out: Path) -> None:
    """Nobody else builds here now, so what bears our prefix is left of a build that was killed."""
    left = sorted(path for path in out.parent.iterdir() if path.name.startswith(_prefix(out)))
    for path in left:
        if path.suffix == ".old" and not os.path.lexists(out):
            path.rename(out)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _fill(new: Path, artifacts: tuple[Artifact, ...], manifest: Manifest, out: Path, same: frozenset[str]) -> None:
    secret_folders = {Path(artifact.path).parent for artifact in artifacts if artifact.secret}
    folders = {parent for artifact in artifacts for parent in Path(artifact.path).parents} - {Path()}
    for folder in sorted(folders):
        (new / folder).mkdir(mode=_SECRET_DIRECTORY_MODE)
    written = []
    for artifact in artifacts:
        if artifact.path in same and not artifact.secret and _take_over(out / artifact.path, new / artifact.path):
            continue
        written.append(artifact.path)
        _write_file(new / artifact.path, artifact.content, SECRET_MODE if artifact.secret else PUBLIC_MODE)
    _write_file(new / MANIFEST_NAME, manifest.text().encode(), PUBLIC_MODE)
    for folder in sorted(folders, reverse=True):
        (new / folder).chmod(_SECRET_DIRECTORY_MODE if folder in secret_folders else _DIRECTORY_MODE)
    new.chmod(_DIRECTORY_MODE)
    names: tuple[str | Path, ...] = (*written, MANIFEST_NAME, *folders, "")
    with ThreadPoolExecutor(_FLUSHERS) as flushers:  # a file system takes many together as fast as one
        for _ in flushers.map(_flush, (new / name for name in names)):
            pass


def _take_over(old: Path, new: Path) -> bool:
    """Give a file that is on the disk already a second name; False where it is not as we write files."""
    try:
        found = old.lstat()
        if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) != PUBLIC_MODE or found.st_nlink != 1:
            return False
        os.link(old, new, follow_symlinks=False)
    except OSError:
        return False
    return True


def _write_file(path: Path, content: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, SECRET_MODE)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)


def _swap(new: Path, out: Path) -> None:
    if not os.path.lexists(out):
        new.rename(out)
    elif _exchange(new, out):
        shutil.rmtree(new, ignore_errors=True)
    else:
        old = new.with_suffix(".old")
        out.rename(old)
        try:
            new.rename(out)
        except BaseException:
            old.rename(out)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _exchange(new: Path, out: Path) -> bool:
    """Swap two directories in one step where the kernel can (renameat2, Linux 3.15); False where it cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(out), _RENAME_EXCHANGE) == 0:
        return True
    failure = ctypes.get_errno()
    if failure in _NO_EXCHANGE:
        return False
    raise OSError(failure, os.strerror(failure), str(out))


def _flush(path: Path) -> None:
    """Wait until a file or directory is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
