"""The command line behind `make`: each file in `commands/` is one command."""

from __future__ import annotations

import argparse
import errno
import http.client
import os
import pkgutil
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from . import commands
from .setup import paths, python_env
from .setup.engine import EngineError
from .setup.steps import Problem, no_space

_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def _commands() -> dict[str, ModuleType]:
    names = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    return {name: import_module(f"{commands.__name__}.{name}") for name in names}


def _parser(known: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m toolchain", description=__doc__)
    sub = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in known.items():
        text = (module.__doc__ or "").splitlines()[0]
        made = sub.add_parser(name, help=text, description=text)
        made.add_argument("--stack", default=os.environ.get("STACK") or "local")
        if hasattr(module, "arguments"):
            module.arguments(made)
    return parser


def _in_words(error: OSError | http.client.HTTPException) -> str:
    """What the system refused, and the likely way out."""
    if isinstance(error, ConnectionError):
        return "The Docker engine does not answer (any more). See: docker info. Then run it again."
    if isinstance(error, TimeoutError):
        return "The Docker engine answers late: what is it at? (docker info) Then run it again."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The system refused: {no_space(str(error))}"
    if isinstance(error, OSError) and error.errno in _READ_ONLY:
        place = error.filename or "the Docker engine"
        if paths.is_in_home(str(place)):
            return (
                f"Not permitted: {place}. Tools and the hub's state are kept in the home folder "
                f"({Path.home()}), which has to be writable: mend it, or name another folder for "
                "all commands: export HOME=/a/folder/of/yours"
            )
        return f"Not permitted: {place}. Run it as the user who set this up, or as root."
    return f"The system refused: {error}"


def _failed(text: str) -> int:
    print(f"\n✗ {text}", file=sys.stderr)
    if python_env.forget_half_written():
        print(
            "  A full disk had left Python's files half written. They are removed.", file=sys.stderr
        )
    return 1


def main() -> int:
    """0 when it worked; otherwise one clear message on standard error."""
    try:
        known = _commands()
        parser = _parser(known)
        given, rest = parser.parse_known_args()
        if rest:
            if given.command != "test":  # pytest has options of its own
                parser.error(f"unknown arguments: {' '.join(rest)}")
            given.arguments += rest
        os.chdir(paths.ROOT)
        known[given.command].run(given)
    except Problem as problem:
        return _failed(str(problem))
    except EngineError as error:
        return _failed(f"The Docker engine refused: {error}. Run the same again.")
    except BrokenPipeError:  # `make up | head`
        sys.stdout = None  # nothing more can be printed
        return 1
    except (OSError, http.client.HTTPException) as error:
        return _failed(_in_words(error))
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Nothing is lost; the same command goes on from here.", file=sys.stderr
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
