"""The command line: ``artem-vr [COMMAND] [OPTIONS]``.

Nothing heavy is imported here, nor by the modules of `artem_vr.commands` before they run: the
help answers at once. Whatever a user can mend ends as one line on standard error and exit
status 2; Ctrl-C ends with 130.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib
import io
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn, Protocol

from artem_vr import __version__, settings
from artem_vr.errors import ArtemError, EngineError, is_lack_of_memory
from artem_vr.installing import pip_install

COMMANDS = {
    "run": "paint a source, in the headset and in the mirror window (the default)",
    "stylize": "paint pictures, folders and videos into files",
    "styles": "list the styles, add or remove your own, draw a sheet of all",
    "train": "train a network",
    "evaluate": "measure how good a network's paintings are",
    "bench": "measure how fast the networks are on this machine",
    "doctor": "say what this machine has, what is missing and what to do",
}

NO_LIBRARY = (126, 127, 1114)
"""Windows' errors where a library, or one that it needs, is missing or does not start."""

EXAMPLES = """\
examples:
  artem-vr                                      the best source that is there
  artem-vr --source screen --style great_wave   the desktop, in one style
  artem-vr --source film.mp4 --layout sbs       a stereo film
  artem-vr stylize photo.jpg -o painted.png

"artem-vr COMMAND --help" shows the options of a command; "artem-vr run --help" those of the default."""


class Command(Protocol):
    """What a module of `artem_vr.commands` offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def _remedy(message: str) -> str:
    """What may have been meant where argparse says ``message``; empty where nobody knows."""
    if wrong := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
        known = [word.strip("' ") for word in wrong[2].split(",")]
        near = difflib.get_close_matches(wrong[1], known, n=1)
        return f'Did you mean "{near[0]}"?' if near else ""
    file = message.removeprefix("unrecognized arguments: ")
    if file == message or not os.path.isfile(file):
        return ""
    remedy = _for_a_file(file)
    return f"{remedy[0].upper()}{remedy[1:]}."


def _for_a_file(name: str) -> str:
    """What can be done with a file that is there, after a semicolon."""
    typed = subprocess.list2cmdline([name]) if os.name == "nt" else shlex.quote(name)
    return f"to paint a file: artem-vr stylize {typed} -o OUTPUT; to watch it: artem-vr --source {typed}"


class Parser(argparse.ArgumentParser):
    """Answers a wrong argument with one line; does not guess at shortened options."""

    def __init__(self, *arguments: object, **options: object) -> None:
        options.setdefault("allow_abbrev", False)
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.command = ""
        """Which one was typed: argparse has the parser of all commands say which arguments nobody knows."""

    def error(self, message: str) -> NoReturn:
        one_line = " ".join(message.split())
        prog = f"{self.prog} {self.command}".strip()
        self.exit(2, f"{prog}: {one_line}. {_remedy(message) or f'{prog} --help shows the options.'}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with ``argv`` (default: the process's own); the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, "run")
    name = words[0]
    if name not in COMMANDS and not name.startswith("-"):
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        remedy = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(COMMANDS)}."
        if os.path.isfile(name):
            remedy = _for_a_file(name)
        return _say(f'there is no command "{name}"; {remedy}', 2)
    try:
        arguments = build_parser(name).parse_args(words)
        status = int(_command(name).run(arguments))
        sys.stdout.flush()  # a closed pipe shows here, not at the interpreter's end
        return status
    except SystemExit as end:  # argparse has said what it has to say
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # "artem-vr styles | head": nobody listens any more
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ArtemError as error:
        not_typed = getattr(arguments, "not_typed", []) if isinstance(error, EngineError) else []
        unsaid = settings.unsaid_for(not_typed, error.remedy)
        return _say(" ".join([str(error), *(f"Or {remedy}." for remedy in unsaid)]), 2)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("artem_vr", "xnor"):
            return _say(f"this installation has no {error.name}. Install artem-vr again.", 2)
        return _say(f"the library {error.name} is missing. Install it: {pip_install()}.", 2)
    except ImportError as error:
        return _say(f"a library does not start here ({error}). artem-vr doctor says what is missing.", 2)
    except MemoryError:
        return _say("memory does not suffice. Choose a smaller picture or a smaller --scale.", 2)
    except OSError as error:
        if getattr(error, "winerror", None) in NO_LIBRARY:
            return _say(f"a library does not start here ({error}). artem-vr doctor says what is missing.", 2)
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"{where}{error.strerror or error}. Check the path, the rights and the free space.", 2)
    except Exception as error:  # torch has one word for everything, and OpenCV another
        if not is_lack_of_memory(error):
            raise
        return _say("memory does not suffice. Choose a smaller --size, --crop or --batch-size, or close programs.", 2)


def entry() -> NoReturn:
    """The process: `main`, then its end.

    A thread that was given up (a camera that does not answer, a network in preparation) may still be inside a
    library. Python's own way out would pull it down there, and the library then aborts the process; so it ends here.
    """
    _open_streams()
    _write_any_name()
    status = main()
    if threading.active_count() > 1:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    sys.exit(status)


def _open_streams() -> None:
    """Where there are no streams (pythonw; closed by whoever started us) nobody hears what is said: that is no error.

    In their order: each takes its own closed place, into which a library's messages would go, whatever file is there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (as long as the process)


def _write_any_name() -> None:
    """What an encoding does not have appears with backslashes: names of files need not be text, nor of its letters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what is put in their place need not be one
            stream.reconfigure(errors="backslashreplace")


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands; the options of ``command`` only, so that no other is imported."""
    parser = Parser(
        prog="artem-vr",
        description="Your room, your desktop or a film as a painting, in stereo, in a SteamVR headset or a window.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"artem-vr {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, summary in COMMANDS.items():
        described = summary[0].upper() + summary[1:] + "."
        subparser = commands.add_parser(name, help=summary, description=described)
        if name == command:
            parser.command = name
            _command(name).add_arguments(subparser)
    return parser


def _command(name: str) -> Command:
    return importlib.import_module(f"artem_vr.commands.{name}")


def _say(line: str, status: int) -> int:
    print("artem-vr: " + " ".join(line.split()), file=sys.stderr)
    return status


if __name__ == "__main__":
    entry()
