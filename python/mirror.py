#!/usr/bin/env python3
"""Writes the mirror of the public headers for ctypes, trm/_c.py: every constant, structure, callback
and function that include/trm*.h declare.

    python3 python/mirror.py [FILE]     # the build writes it into the package; without a FILE into the
                                        # sources, python/trm/_c.py, to work there
    python3 python/mirror.py --check    # has a C compiler ($CC, else cc) say whether every constant,
                                        # size and offset is as the mirror has it
    python3 python/mirror.py --probe    # prints the C program that is compiled for that

It is made, not kept, so that a header that changes cannot leave it behind. The headers are read as
the text that they are: they have one style, and what is not understood is an error, never passed
over. Needs nothing but Python's standard library, 3.9 or newer.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IN_SOURCES = ROOT / "python" / "trm" / "_c.py"

# Types by their names in C. Enumerations are ints; pointers are in pointer_type().
SCALARS = {
    "bool": "c_bool", "char": "c_char", "int": "c_int", "float": "c_float", "double": "c_double",
    "size_t": "c_size_t", "int8_t": "c_int8", "uint8_t": "c_uint8", "int32_t": "c_int32",
    "uint32_t": "c_uint32", "int64_t": "c_int64", "uint64_t": "c_uint64",
}
# What an attribute of a structure is in Python, for the type checkers.
PYTHON_TYPES = {
    "c_bool": "bool", "c_char": "bytes", "c_float": "float", "c_double": "float",
    "c_void_p": "Optional[int]", "c_char_p": "Optional[bytes]",
}


class Declarations:
    """What the headers declare, in the order in which they do."""

    def __init__(self) -> None:
        self.constants: dict[str, int] = {}
        self.enums: set[str] = set()
        self.opaque: set[str] = set()
        self.structures: dict[str, list[tuple[str, str]]] = {}  # name: [(member, type)]
        self.callbacks: dict[str, tuple[str, list[str]]] = {}  # name: (result, arguments)
        self.functions: dict[str, tuple[str, list[str]]] = {}
        self.order: list[str] = []  # structures and callbacks, each after what it is made of


# --- reading ---


def plain(text: str) -> str:
    """A header without comments and preprocessor lines; of those, constants and the list of status
    codes stay."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    codes = re.findall(r"^\s*X\((TRM_\w+),", text, flags=re.M)
    text = re.sub(r"(?m)^#(?:.*\\\n)*.*$", "", text)
    text = text.replace("TRM_STATUS_MAP(TRM_STATUS_ENUM)", ", ".join(codes))
    return text.replace('extern "C" {', "")


def statements(text: str) -> list[str]:
    """The declarations of a header: what ends in a semicolon outside of braces."""
    found, depth, start = [], 0, 0
    for at, c in enumerate(text):
        depth += (c == "{") - (c == "}")
        if c == ";" and depth <= 0:
            found.append(" ".join(text[start:at].split()))
            start, depth = at + 1, 0
    return found


def split_commas(text: str) -> list[str]:
    """At commas outside of parentheses."""
    parts, depth = [""], 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts if part.strip()]


class Reader:
    def __init__(self) -> None:
        self.d = Declarations()

    def header(self, path: Path) -> None:
        for define, value in re.findall(r"(?m)^#define (TRM_\w+) (-?[0-9][0-9e.]*)\b",
                                        path.read_text()):
            if re.fullmatch("-?[0-9]+", value):
                self.d.constants[define] = int(value)
        for statement in statements(plain(path.read_text())):
            self.statement(statement, path)

    def statement(self, s: str, path: Path) -> None:
        enum = re.fullmatch(r"(?:typedef )?enum (\w+ )?{(.*)}( \w+)?", s)
        struct = re.fullmatch(r"typedef struct \w+ {(.*)} (\w+)", s)
        opaque = re.fullmatch(r"typedef struct (\w+) (\w+)", s)
        callback = re.fullmatch(r"typedef ([\w ]+?[ *]+)(\w+)\((.*)\)", s)
        function = re.fullmatch(r"TRM_API ([\w ]+?[ *]+)(\w+)\((.*)\)", s)
        if enum:
            self.enumeration(enum.group(2), (enum.group(3) or "").strip())
        elif struct:
            self.structure(struct.group(2), struct.group(1))
        elif opaque:
            self.d.opaque.add(opaque.group(2))
        elif callback:
            self.d.callbacks[callback.group(2)] = self.prototype(callback.group(1), callback.group(3))
            self.d.order.append(callback.group(2))
        elif function:
            self.d.functions[function.group(2)] = self.prototype(function.group(1), function.group(3))
        elif s.replace("}", "").strip():
            raise SystemExit(f"mirror: {path}: not understood: {s}")

    def enumeration(self, body: str, name: str) -> None:
        value = -1
        for item in split_commas(body):
            constant, _, said = (part.strip() for part in item.partition("="))
            said = str(self.d.constants.get(said, said))
            if said and not re.fullmatch(r"[\s0-9<+*()-]+", said):
                raise SystemExit(f"mirror: not understood: {item}")
            value = int(eval(said)) if said else value + 1  # digits and signs, as was just seen
            self.d.constants[constant] = value
        if name:
            self.d.enums.add(name)

    def prototype(self, result: str, arguments: str) -> tuple[str, list[str]]:
        types = []
        for argument in split_commas(arguments):
            if argument == "void":
                continue
            inline = re.fullmatch(r"(.+?)\(?\*?(\w+)\)?\((.+)\)", argument)
            if inline:  # a function as an argument
                types.append(self.function_type(inline.group(1), inline.group(3)))
            else:
                types.append(self.type_of(re.sub(r"\w+(\[[^]]*\])?$", r"\1", argument)))
        return self.type_of(result), types

    def function_type(self, result: str, arguments: str) -> str:
        kind, types = self.prototype(result, arguments)
        return f"CFUNCTYPE({', '.join([kind, *types])})"

    def structure(self, name: str, body: str) -> None:
        members: list[tuple[str, str]] = []
        for inner_name, inner, member, array in re.findall(
                r"struct (\w+) {([^}]*)} (\w+)(\[\w+\])?;", body):
            self.structure(inner_name, inner)
            body = body.replace(f"struct {inner_name} {{{inner}}} ", f"{inner_name} ")
        for declaration in statements(body):
            function = re.fullmatch(r"(.+?)\(\*(\w+)\)\((.+)\)", declaration)
            if function:
                members.append((function.group(2),
                                self.function_type(function.group(1), function.group(3))))
                continue
            first, *others = split_commas(declaration)
            base = re.match(r"((?:const )?\w+) ", first)
            if not base:
                raise SystemExit(f"mirror: {name}: not understood: {declaration}")
            for item in [first[base.end():], *others]:
                declarator = re.fullmatch(r"((?:\*|\bconst\b| )*)(\w+)((?:\[\w+\])*)", item)
                if not declarator:
                    raise SystemExit(f"mirror: {name}: not understood: {declaration}")
                kind = self.type_of(f"{base.group(1)} {declarator.group(1)}")
                for size in re.findall(r"\[(\w+)\]", declarator.group(3)):
                    kind = f"{kind} * {self.d.constants.get(size, size)}"
                members.append((declarator.group(2), kind))
        self.d.structures[name] = members
        self.d.order.append(name)

    def type_of(self, text: str) -> str:
        """A type of C as an expression of ctypes. Arrays that are arguments are pointers."""
        pointers = text.count("*") + text.count("[")
        words = [w for w in re.sub(r"\[[^]]*\]|\*", " ", text).split() if w not in ("const", "struct")]
        if len(words) != 1:
            raise SystemExit(f"mirror: not understood: {text}")
        name = words[0]
        if pointers:
            return self.pointer_type(name, pointers, "const" in text.split("*")[0])
        if name == "void":
            return "None"
        if name in self.d.enums:
            return "c_int"
        return SCALARS.get(name, name)

    def pointer_type(self, name: str, depth: int, const: bool) -> str:
        """Texts and structures have types of their own, so that ctypes refuses another; arrays,
        objects and places for results are addresses."""
        if depth == 1 and name == "char" and const:
            return "c_char_p"
        if depth == 1 and name in self.d.structures:
            return f"POINTER({name})"
        if depth == 1 and name in self.d.callbacks:
            return name
        if name not in SCALARS and name != "void" and name not in self.d.opaque | self.d.enums | set(
                self.d.structures):
            raise SystemExit(f"mirror: unknown type {name}")
        return "c_void_p"


def read() -> Declarations:
    """All headers, each after those that it includes."""
    reader, done = Reader(), set()

    def visit(path: Path) -> None:
        if path in done:
            return
        done.add(path)
        for name in re.findall(r'(?m)^#include "(trm/\w+\.h)"', path.read_text()):
            visit(ROOT / "include" / name)
        reader.header(path)

    visit(ROOT / "include" / "trm.h")
    missed = set((ROOT / "include" / "trm").glob("*.h")) - done
    if missed:
        raise SystemExit(f"mirror: trm.h does not include {sorted(p.name for p in missed)}")
    return reader.d


# --- writing ---


def python_type(kind: str) -> str:
    if kind.startswith(("POINTER", "CFUNCTYPE")) or kind in ("trm_progress_fn",) or " * " in kind:
        return "bytes" if kind.startswith("c_char *") else "Any"
    return PYTHON_TYPES.get(kind, "int" if kind.startswith("c_") else kind)


def write(d: Declarations) -> str:
    out = ['"""The public headers of trm for ctypes. Made by python/mirror.py."""',
           "",
           "# fmt: off",
           "from __future__ import annotations",
           "",
           "from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_float,",
           "                    c_int, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p)",
           "from typing import Any, Dict, List, Optional, Tuple",
           ""]
    out += [f"{name} = {value}" for name, value in d.constants.items()]
    for name in d.order:
        out.append("")
        if name in d.callbacks:
            result, arguments = d.callbacks[name]
            out.append(f"{name} = CFUNCTYPE({', '.join([result, *arguments])})")
            continue
        out += ["", f"class {name}(Structure):"]
        callbacks = set(d.callbacks)
        out += [f"    {member}: {'Any' if kind in callbacks else python_type(kind)}"
                for member, kind in d.structures[name]]
        out.append("    _fields_ = [")
        out += [f"        ({member!r}, {kind}),".replace("'", '"') for member, kind in d.structures[name]]
        out.append("    ]")
    out += ["", "", "# Result and arguments of every function.",
            "FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {"]
    out += [f'    "{name}": ({result}, [{", ".join(arguments)}]),'
            for name, (result, arguments) in d.functions.items()]
    return "\n".join([*out, "}", ""])


# --- checking ---


def probe(text: str) -> str:
    """A C program that compiles where the headers give all constants, sizes and offsets of the
    mirror, as ctypes lays it out."""
    mirror: dict[str, object] = {"__name__": "_c"}
    exec(compile(text, "_c.py", "exec"), mirror)
    lines = ["#include <stddef.h>", "#include <trm.h>"]

    def expect(what: str, value: int) -> None:
        lines.append(f'_Static_assert({what} == {value}, "_c.py: {what} is not {value}");')

    for name, value in mirror.items():
        if name.startswith("TRM_") and isinstance(value, int):
            expect(name, value)
        if not (isinstance(value, type) and issubclass(value, ctypes.Structure) and name[:4] == "trm_"):
            continue
        kind = name if name not in ("trm_survey_size",) else f"struct {name}"
        expect(f"sizeof({kind})", ctypes.sizeof(value))
        for field in value._fields_:
            place = getattr(value, field[0])
            expect(f"offsetof({kind}, {field[0]})", place.offset)
            expect(f"sizeof((({kind} *)0)->{field[0]})", place.size)
    return "\n".join([*lines, "int main(void) { return 0; }", ""])


def compiles(program: str) -> str:
    """What the compiler says against it; nothing where it compiles."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.c"
        source.write_text(program)
        command = [*os.environ.get("CC", "cc").split(), "-std=c11", "-fsyntax-only",
                   f"-I{ROOT / 'include'}", str(source)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.stdout if done.returncode else ""


def main(arguments: list[str]) -> int:
    text = write(read())
    if arguments == ["--probe"]:
        print(probe(text), end="")
    elif arguments == ["--check"]:
        wrong = compiles(probe(text))
        print(wrong, end="", file=sys.stderr)
        return 1 if wrong else 0
    elif len(arguments) > 1 or arguments and arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    else:
        (Path(arguments[0]) if arguments else IN_SOURCES).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
