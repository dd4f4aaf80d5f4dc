"""Compile the parser of plain messages when the package is built, where that can be done.

hatchling runs this as its build hook: an editable build compiles beside the source, a wheel holds
what was compiled. Without Cython, a C compiler or Python's headers the package is built without,
and llhttp reads everything. By hand, to compile anew beside the source:

    .venv/bin/python hatch_build.py
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path("bailee") / "http"
SOURCE = "_plain.pyx"
FLAGS = (
    "-O2", "-fPIC", "-shared", "-Wall", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2",
    "-Wl,-z,relro,-z,now",
)  # fmt: skip


class NotCompiled(Exception):
    """The parser can't be compiled here; the message says what is missing."""


class PlainParserHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's has no default
    """Adds the compiled parser to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, or say why not."""
        root = Path(self.root)
        self.made = Path(tempfile.mkdtemp(prefix="bailee-build-"))
        into = root / "src" / PACKAGE if version == "editable" else self.made
        try:
            compiled = compile_parser(root, into)
        except NotCompiled as reason:
            self.app.display_warning(f"bailee is built without its compiled parser: {reason}")
            return
        if version != "editable":
            build_data["force_include"][str(compiled)] = str(PACKAGE / compiled.name)
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clear up."""
        shutil.rmtree(self.made, ignore_errors=True)


def compile_parser(root: Path, into: Path) -> Path:
    """Compile the parser.

    Args:
        root: The folder of this file.
        into: Where the module is put. What was there stays when this fails.

    Raises:
        NotCompiled: Cython, a compiler or Python's headers are missing, or one of them failed.
    """
    source = root / "src" / PACKAGE / SOURCE
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if not compiler or shutil.which(compiler[0]) is None:
        raise NotCompiled("there is no C compiler (apt install gcc libc6-dev)")
    include = sysconfig.get_path("include")
    if not (Path(include) / "Python.h").exists():
        raise NotCompiled("Python's headers are missing (apt install python3-dev)")
    try:
        from Cython.Compiler import Main as cython
    except ImportError:
        raise NotCompiled("Cython is not installed") from None
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    with tempfile.TemporaryDirectory(prefix="bailee-build-") as made:
        copy, c_file = Path(made) / SOURCE, Path(made) / "_plain.c"
        shutil.copy(source, copy)
        to_c: Callable[..., Any] = cython.compile
        result = to_c(str(copy), output_file=str(c_file), full_module_name="bailee.http._plain")
        if result.num_errors:
            raise NotCompiled("Cython found errors")
        module = Path(made) / f"_plain{sysconfig.get_config_var('EXT_SUFFIX')}"
        defined = f'-DPLAIN_SOURCE="{digest}"'
        command = [*compiler, *FLAGS, defined, f"-I{include}", str(c_file), "-o", str(module)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode:
            raise NotCompiled(f"the C compiler failed: {said.stderr.strip()[-500:]}")
        placed = into / module.name
        new = placed.with_name(f"{placed.name}.new")
        shutil.copyfile(module, new)
        new.replace(placed)
    return placed


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    try:
        sys.stdout.write(f"{compile_parser(here, here / 'src' / PACKAGE)}\n")
    except NotCompiled as reason:
        sys.exit(f"not compiled: {reason}")
