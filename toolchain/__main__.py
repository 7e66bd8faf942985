"""The command line behind `make`."""

from __future__ import annotations

import argparse
import http.client
import os
import sys

from . import (
    backend,
    ci,
    commands,
    graduate,
    link,
    logs,
    paths,
    pin,
    place,
    preview,
    publish,
    roster,
    touched,
    vm,
)
from .engine import EngineError
from .steps import Problem


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m toolchain", description=__doc__)
    sub = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        made = sub.add_parser(name, help=text)
        made.add_argument("--stack", default=os.environ.get("STACK") or "local")
        return made

    command("setup", "set this machine and the stack up, start nothing")
    start = command("up", "make the hub what the stack file says")
    start.add_argument("--accept-empty", default="", metavar="VOLUMES")
    start.add_argument("--take-over", action="store_true", help="a hub of another account, too")
    command("down", "stop everything, keep the data")
    command("purge", "delete everything, the data too").add_argument("--yes", action="store_true")
    look = command("preview", "show what up would change, and whether data would be lost")
    look.add_argument("--diff", action="store_true", help="Pulumi's own text, not the report")
    look.add_argument("--alone", action="store_true", help="without state, secrets, credentials")
    look.add_argument("--approve", default="", metavar="RESOURCES", help="that may be replaced")
    look.add_argument("--description", default="", metavar="FILE", help="of the pull request")
    look.add_argument("--out", default="", metavar="FILE", help="for the report, too")
    command("rebuild", "a new VM from a new image, on the same data")
    command("place", "take the first of site.places that has room")
    shared = command("backend", "keep the state where colleagues and CI reach it")
    shared.add_argument("--url", default="", help="s3://…, gs://…, or another Pulumi backend")
    made = sub.add_parser("ci", help="what the workflows run")
    made.add_argument("what", choices=("preview", "up", "drift", "digests"))
    made.add_argument("--base", default="", help="preview only what changed since then")
    made.add_argument("--stack", default=os.environ.get("STACK") or "local")
    change = command("touched", "stacks that a change is about, as JSON")
    change.add_argument("--base", default="", help="what to compare with: origin/main")
    change.add_argument("--all", action="store_true", help="whatever changed")
    change.add_argument("--deployed", action="store_true", help="only with a state that CI reaches")
    ship = command("publish", "build, scan and push an image")
    ship.add_argument("--image", default="")
    ship.add_argument("--registry", default="", help="ghcr.io/you/hubs")
    ship.add_argument("--scan", action="store_true", help="with trivy, before it is pushed")
    ship.add_argument("--join", default="", metavar="DIGESTS", help="of one image, into one name")
    ship.add_argument("--out", default="", metavar="FILE", help="for the reference")
    fix = command("pin", "take a published image in a stack")
    fix.add_argument("--image", default="")
    fix.add_argument("--reference", default="", help="name@sha256:…")
    give = command("link", "a link that puts a repository into the home of who clicks it")
    give.add_argument("--repo", default="", metavar="ADDRESS")
    give.add_argument("--branch", default="main")
    give.add_argument("--file", default="", help="notebook that is opened")
    command("kept", "what holds data, and how to adopt or delete it")
    command("outputs", "all outputs as one JSON document")
    log = command("logs", "what hub, proxy and guard say")
    log.add_argument("--what", default="", help="hub, proxy, guard or examples")
    log.add_argument("--follow", action="store_true")
    names = command("roster", "names and first passwords")
    for option in ("--add", "--remove", "--reset"):
        names.add_argument(option, default="", metavar="NAMES")
    names.add_argument("--sheet", default="", metavar="FILE", help="a page to print and cut")
    move = sub.add_parser("graduate", help="move a class to another hub: first said, then done")
    move.add_argument("--from", dest="source", default="", metavar="STACK")
    move.add_argument("--to", dest="target", default="", metavar="STACK")
    move.add_argument("--go", action="store_true", help="do it")
    command("env", "lines for eval, so that plain pulumi works")
    command("test", "run tests").add_argument("arguments", nargs="*")
    command("lint", "ruff, mypy and hadolint")
    measure = command("bench", "measure, into docs/benchmarks.md")
    measure.add_argument("--what", default="", help="hub, previews or dask; default: all")
    return parser


def _wishes(given: argparse.Namespace) -> preview.Wishes:
    return preview.Wishes(given.diff, given.alone, given.approve, given.description, given.out)


def _ci(what: str, stack: str, base: str) -> None:
    match what:
        case "preview":
            ci.show_preview(stack, base)
        case "up":
            ci.up(stack)
        case "drift":
            ci.check_drift(stack)
        case "digests":
            ci.propose_digests()


def _publish(given: argparse.Namespace) -> None:
    if given.join:
        publish.join(given.image, given.registry, given.join.split(), given.out)
    else:
        publish.publish(given.image, given.registry, given.out, given.scan)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.command == "graduate":
        graduate.graduate(arguments.source, arguments.target, arguments.go)
        return
    stack = arguments.stack
    match arguments.command:
        case "setup":
            commands.setup(stack)
        case "up":
            commands.up(stack, arguments.accept_empty, arguments.take_over)
        case "down":
            commands.down(stack)
        case "purge":
            commands.purge(stack, arguments.yes)
        case "preview":
            preview.show(stack, _wishes(arguments))
        case "ci":
            _ci(arguments.what, stack, arguments.base)
        case "touched":
            touched.show(arguments.base, arguments.all, arguments.deployed)
        case "publish":
            _publish(arguments)
        case "pin":
            pin.pin(stack, arguments.image, arguments.reference)
        case "rebuild":
            vm.rebuild(stack)
        case "place":
            place.choose(stack)
        case "backend":
            backend.move(stack, arguments.url)
        case "kept":
            commands.kept(stack)
        case "outputs":
            commands.outputs(stack)
        case "logs":
            logs.show(stack, arguments.what, arguments.follow)
        case "roster":
            roster.edit(stack, arguments.add, arguments.remove, arguments.reset, arguments.sheet)
        case "link":
            link.print_link(stack, arguments.repo, arguments.branch, arguments.file)
        case "env":
            commands.env(stack)
        case "test":
            commands.test(arguments.arguments)
        case "lint":
            commands.lint()
        case "bench":
            commands.bench(arguments.what)


def _in_words(error: OSError | http.client.HTTPException) -> str:
    """What the system refused, and the likely way out."""
    if isinstance(error, ConnectionError):
        return "The Docker engine does not answer (any more). See: docker info. Then run it again."
    if isinstance(error, PermissionError):
        place = error.filename or "the Docker engine"
        return f"Not permitted: {place}. Run it as the user who set this up, or as root."
    return f"The system refused: {error}"


def main() -> int:
    """0 when it worked; otherwise one clear message on standard error."""
    try:
        arguments, rest = _parser().parse_known_args()
        if rest:
            if arguments.command != "test":
                _parser().error(f"unknown arguments: {' '.join(rest)}")
            arguments.arguments += rest
        os.chdir(paths.ROOT)
        _run(arguments)
    except Problem as problem:
        print(f"\n✗ {problem}", file=sys.stderr)
        return 1
    except EngineError as error:
        print(f"\n✗ The Docker engine refused: {error}. Run the same again.", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `make up | head`
        sys.stdout = None  # nothing more can be printed
        return 1
    except (OSError, http.client.HTTPException) as error:
        print(f"\n✗ {_in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Nothing is lost; the same command goes on from here.", file=sys.stderr
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
