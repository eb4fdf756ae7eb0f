"""Plug-ins: a user's own family, encoder, weighting, engine or export format, from a Python file.

A plug-in is a file (or an importable module) that calls registration functions, such as
`mtl_laws.pipeline.training.encoders.register_encoder`. It is named on the command line
(``mtl-laws --plugin mine.py …``) or by `plug_in` in Python, never in a study or a ``laws.json``:
data files never run code.

Worker processes have registries of their own. Work is therefore sent to them together with the
names of the plug-ins (`with_plugins`), which they load first.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import ParamSpec, TypeVar

from mtl_laws.pipeline.errors import FileError, PipelineError, UserError, nearest
from mtl_laws.simulator.errors import SimulatorError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

ACCEPTED = "a Python file (NAME.py) or an importable module that registers something"

_loaded: list[str] = []


def plug_in(name: str | Path) -> None:
    """Load a plug-in, so that what it registers can be used, also in worker processes.

    Parameters
    ----------
    name : path of a Python file, or name of a module; loading it again does nothing.

    Raises
    ------
    UserError
        if there is no such file or module, its code fails, or a name that it registers is taken.
    """
    text = str(name)
    text = str(Path(text).resolve()) if text.endswith(".py") else text
    if text in _loaded:
        return
    if text.endswith(".py"):
        _run_file(Path(text), str(name))
    else:
        _import(text)
    _loaded.append(text)


def loaded() -> tuple[str, ...]:
    """The plug-ins of this process in the order of loading."""
    return tuple(_loaded)


def with_plugins(
    plugins: Sequence[str],
    work: Callable[Arguments, Result],
    *args: Arguments.args,
    **named: Arguments.kwargs,
) -> Result:
    """The result of `work` in a worker process that first loads the plug-ins of its parent."""
    for name in plugins:
        plug_in(name)
    return work(*args, **named)


def _run_file(path: Path, name: str) -> None:
    """Run the file at `path`; `name` is what the user called it."""
    if not path.is_file():
        raise UserError("plugin", ACCEPTED, name)
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.stem.isidentifier():
        raise UserError("plugin", ACCEPTED, name)
    if path.stem in sys.modules:
        raise UserError("plugin", "a file with another name; a module has this one", name)
    module = module_from_spec(spec)
    sys.modules[path.stem] = module  # so that its objects can be sent to other processes
    try:
        with _mistakes_in(name):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise


@contextmanager
def _mistakes_in(name: str) -> Iterator[None]:
    """Name the plug-in and the line where its own code fails.

    Raises
    ------
    UserError
        instead of an exception of the plug-in, which is its cause.
    """
    try:
        yield
    except (PipelineError, SimulatorError):
        raise
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if Path(frame.filename).stem == Path(name).stem]
        line = error.lineno if isinstance(error, SyntaxError) else own[-1] if own else None
        place = name if line is None else f"{name}, line {line}"
        reason = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
        expected = "a plug-in whose code runs; mtl-laws --debug … shows the traceback"
        raise FileError(place, expected, reason) from error


def _import(name: str) -> None:
    try:
        with _mistakes_in(name):
            import_module(name)
    except FileError as error:
        missing = getattr(error.__cause__, "name", None) or ""
        absent = isinstance(error.__cause__, ModuleNotFoundError) and name.startswith(missing)
        if not (absent and missing):
            raise
        files = [path.name for path in Path.cwd().glob("*.py")]
        raise UserError("plugin", nearest(f"{name}.py", files, ACCEPTED), name) from error
