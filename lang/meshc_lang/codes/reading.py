"""Codes of family 0xx (from 080): programs that cannot be read."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = [
    "EMPTY_PROGRAM",
    "FILE_TOO_LARGE",
    "NOT_UTF8",
    "NO_SUCH_FILE",
    "PATH_ESCAPES",
    "PROGRAM_TOO_DEEP",
    "PROGRAM_TOO_LARGE",
    "UNREADABLE_FILE",
    "Code",
    "Severity",
]

UNREADABLE_FILE = Code(
    id="MSH080",
    name="unreadable-file",
    severity=Severity.ERROR,
    summary="a file of the program cannot be read",
    why=(
        "The operating system refused: permissions, a broken disk, a file that is no regular file. A program is "
        "compiled whole or not at all, since a missing file could hold a `deny`."
    ),
)

NOT_UTF8 = Code(
    id="MSH081",
    name="not-utf8",
    severity=Severity.ERROR,
    summary="a file of the program is not UTF-8 text",
    why=(
        "Programs are UTF-8, everywhere and without guessing: a name read in the wrong encoding would be a different "
        "name. The message gives the line and the first byte that is not UTF-8."
    ),
)

EMPTY_PROGRAM = Code(
    id="MSH082",
    name="no-mesh-files",
    severity=Severity.ERROR,
    summary="there is no `.mesh` file in the directory",
    why=(
        "A program is every `.mesh` file below a directory, or the files named. A directory without one is most "
        "likely the wrong directory, and an empty mesh is never what is meant."
    ),
)

FILE_TOO_LARGE = Code(
    id="MSH083",
    name="file-too-large",
    severity=Severity.ERROR,
    summary="a file of the program is larger than the compiler reads",
    why=(
        "A policy of that size is not written by people; most likely the file is something else. The bound keeps a "
        "mistake from using up the machine's memory. Split the program: its files may be cut anywhere."
    ),
)

NO_SUCH_FILE = Code(
    id="MSH084",
    name="no-such-file",
    severity=Severity.ERROR,
    summary="there is no file or directory of that name",
    why="The path given on the command line does not exist. Paths are relative to the working directory.",
)

PATH_ESCAPES = Code(
    id="MSH085",
    name="path-escapes",
    severity=Severity.ERROR,
    summary="a path leads out of the program's directory, or round in a circle",
    why=(
        "Symbolic links inside a program must stay inside it: otherwise a program would mean different things on "
        "different machines, and could read what it should not. A link that leads back to itself can't be followed."
    ),
)

PROGRAM_TOO_LARGE = Code(
    id="MSH086",
    name="program-too-large",
    severity=Severity.ERROR,
    summary="the files of a program are more, or larger in all, than the compiler reads",
    why=(
        "A program may have 10,000 files and 32 MiB in all, 800,000 lines, and lie among 100,000 other files. "
        "Beyond that the directory is most likely the wrong one. The bounds keep a mistake from using up the machine's "
        "time and memory."
    ),
)

PROGRAM_TOO_DEEP = Code(
    id="MSH087",
    name="program-too-deep",
    severity=Severity.ERROR,
    summary="directories of the program nest deeper than the compiler follows",
    why=(
        "Directories may nest 32 deep. Deeper trees are made by programs, not by people, and most often by mistake: a "
        "copy of a directory into itself. Name the directory in which the program lies."
    ),
)
