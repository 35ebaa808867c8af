"""Texts that strain a parser, of any length: each shape repeats what has no end, or opens what is never closed."""

from __future__ import annotations

from collections.abc import Callable

SHAPES: dict[str, Callable[[int], str]] = {
    "braces that open": lambda n: "{" * n,
    "braces that close": lambda n: "}" * n,
    "parentheses that open": lambda n: "group g = " + "(" * n,
    "blocks that open": lambda n: "mesh x {\n" * n,
    "blocks in blocks": lambda n: "mesh x " + "{ a " * n + "}" * n,
    "statements that are not closed": lambda n: "service a {\n" * n,
    "braces that do not match": lambda n: "service a { [ }\n" * n,
    "templates in templates": lambda n: "template t() {\n" * n + "}\n" * n,
    "words": lambda n: "allow " + "a " * n,
    "a long name": lambda n: "service " + "a" * n + " {}",
    "a name of dashes": lambda n: "service a" + "-" * n + " {}",
    "a keyword and dashes": lambda n: "allow" + "-" * n + "x",
    "quotes": lambda n: '"' * n,
    "quotes on lines": lambda n: '"a\n' * n,
    "backslashes": lambda n: 'mesh x { a: "' + "\\" * n,
    "escapes that are none": lambda n: 'mesh x { a: "' + "\\q" * n + '" }',
    "line breaks": lambda n: "\n" * n,
    "semicolons": lambda n: ";" * n,
    "carriage returns": lambda n: "\r" * n,
    "continued lines": lambda n: "allow a \\\n" * n,
    "comments": lambda n: "# c\n" * n,
    "doc comments": lambda n: "## c\n" * n,
    "doc comments of statements": lambda n: "## c\nservice a {}\n" * n,
    "one comment and statements": lambda n: "# c\n" + "service a {}\n" * n,
    "comments behind statements": lambda n: "service a {} # c\n" * n,
    "suppressions": lambda n: '# meshc: allow MSH101 "x"\n' * n,
    "words that begin no statement": lambda n: "alow a -> b\n" * n,
    "entries that are none": lambda n: "mesh x {\n" + "  a b\n" * n + "}\n",
    "one entry that is none among many": lambda n: "mesh x {\n" + "  a: 1\n" * n + " b c\n}\n",
    "grants that are none": lambda n: "allow a -> b {\n" + "  GET GET /x\n" * n + "}\n",
    "cases that are none": lambda n: 'test "a" {\n' + "  a -> b GET /x is denid\n" * n + "}\n",
    "letters of all kinds": lambda n: "".join(chr(0x4E00 + number % 20_000) for number in range(n)),
    "NUL": lambda n: "\x00" * n,
    "slashes": lambda n: "allow a -> b : " + "/" * n,
    "a long path": lambda n: "allow a -> b : /" + "a/" * n,
    "a path of stars": lambda n: "allow a -> b : " + "/*" * n,
    "a path of braces": lambda n: "allow a -> b : /" + "{a}" * n + "{",
    "a path of parentheses": lambda n: "allow a -> b : /" + "(" * n,
    "a long number": lambda n: "limit a -> b " + "9" * n,
    "a number of dots": lambda n: "limit a -> b 1" + ".1" * n,
    "a list": lambda n: "mesh x { a: [" + "b," * n + "] }",
    "a list that is not closed": lambda n: "mesh x { a: [" + "b," * n,
    "a group of bars": lambda n: "group g = a" + " | a" * n,
    "not": lambda n: "allow a -> b : /x if " + "not " * n,
    "and": lambda n: "allow a -> b : /x if " + 'header "x" present and ' * n + 'header "x" present',
    "or": lambda n: "allow a -> b : /x if " + 'header "x" present or ' * n + 'header "x" present',
    "commas": lambda n: "allow a -> b : " + "/x, " * n,
    "arrows": lambda n: "allow " + "-> " * n,
    "an rpc of dots": lambda n: "allow a -> b : rpc " + "a." * n,
    "an rpc of bars": lambda n: "allow a -> b : rpc a/" + "b|" * n,
    "dots": lambda n: "overlay o { set " + "a." * n + "b: 1 }",
    "dots behind what is there": lambda n: "service a {}\noverlay o { set a.labels." + "a." * n + "b: 1 }",
    "an attribute of dots": lambda n: "assert every edge has edge." + "a." * n + "b present",
    "a verdict of dots": lambda n: 'test "a" { a -> b GET /x is retry.' + "a." * n + "b 1 }",
    "headers": lambda n: 'test "a" { a -> b GET /x {' + 'x: "1",' * n + "} is denied }",
    "cases": lambda n: 'test "a" {\n' + "  a -> b GET /x is denied\n" * n + "}\n",
    "blanks": lambda n: " " * n + "x",
    "blanks behind a statement": lambda n: "service a {}" + " " * n + "x",
    "byte order marks": lambda n: "\ufeff" * n,
    "services of one name": lambda n: "service a {}\n" * n,
    "names that nobody declared": lambda n: "".join(f"allow w{number} -> x{number} : /y\n" for number in range(n)),
    "names that are nearly declared": lambda n: (
        "".join(f"service web{number} {{}}\n" for number in range(n))
        + "".join(f"allow wbe{number} -> web{number} : /y\n" for number in range(n))
    ),
    "imports": lambda n: "".join(f'import "x{number}.mesh"\n' for number in range(n)),
    "uses of nothing": lambda n: "use t()\n" * n,
    "templates that use each other": lambda n: "".join(
        f"template t{number}() {{ use t{number + 1}() }}\n" for number in range(n)
    ),
    "values that name each other": lambda n: "".join(f"let a{number} = a{number + 1}\n" for number in range(n)),
    "groups of groups": lambda n: (
        "group g0 = [web]\n" + "".join(f"group g{number + 1} = g{number} | g{number}\n" for number in range(n))
    ),
    "overlays": lambda n: "".join(f"overlay o{number} {{ set a.b: 1 }}\n" for number in range(n)),
}
"""Shapes by name: from a number of repetitions to a text."""
