"""
`allennlp` with this plugin loaded, from any folder: `python -m elmo_plugin`, and the console script
`allennlp-elmo`.

AllenNLP looks for plugins in a file of the working directory or of the home, nowhere else, and the
option `--include-package` comes too late for subcommands.  Here the plugin is loaded before
AllenNLP reads the command line, because this module is part of it.
"""

import os
import sys
from pathlib import Path
from typing import List

from elmo_plugin.quiet import DEBUG_VARIABLE

MISSING = """\
{program}: the Python module '{module}' is not installed here, and the commands need AllenNLP with all \
that it imports. A plain `pip install allennlp` no longer works; in the checkout of elmo_plugin run
    {python} -m pip install --no-deps -r requirements.txt -e ."""

# The exit status that shells give a program which Ctrl-C ended, or the signal that ends programs.
INTERRUPTED, TERMINATED = 130, 143
GO_ON = " The same command with --recover goes on from the last checkpoint, if one was written."


def program_name() -> str:
    """The command as the user typed it, for the help texts."""
    name = Path(sys.argv[0]).name
    return "python -m elmo_plugin" if name == "__main__.py" else name


def name_plugin(arguments: List[str]) -> List[str]:
    """
    The command line with the plugin named in it.

    The processes that a distributed training spawns start from nothing, and load what
    `--include-package` tells them to.
    """
    from allennlp.commands import Subcommand

    if not arguments or arguments[0] not in Subcommand.list_available():
        return arguments
    if not Subcommand.by_name(arguments[0]).requires_plugins:
        return arguments
    return [arguments[0], "--include-package", "elmo_plugin", *arguments[1:]]


def main() -> None:
    """
    Runs AllenNLP's command line, with its logging and its way to end on a SIGTERM. What is wrong with the user's input
    ends it with a message and no traceback, and so do Ctrl-C and SIGTERM.
    """
    try:
        import allennlp.__main__  # noqa: F401  sets the logging up
        from allennlp.commands import main as run_command_line
        from allennlp.common.util import SigTermReceived, install_sigterm_handler
        from elmo_plugin.user_errors import EXPLAINED, explanation
    except ModuleNotFoundError as error:
        program = program_name()
        sys.exit(MISSING.format(program=program, module=error.name, python=sys.executable))
    install_sigterm_handler()
    sys.argv[1:] = name_plugin(sys.argv[1:])
    try:
        run_command_line(prog=program_name())
    except EXPLAINED as error:
        message = explanation(error)
        if message is None or os.environ.get(DEBUG_VARIABLE):
            raise
        hint = f"({DEBUG_VARIABLE}=1 in front of the command shows where in the code.)"
        sys.exit(f"{program_name()}: error: {message}\n{hint}")
    except (KeyboardInterrupt, SigTermReceived) as stop:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        print(f"\n{program_name()}: stopped.{GO_ON if sys.argv[1:2] == ['train'] else ''}", file=sys.stderr)
        sys.exit(INTERRUPTED if isinstance(stop, KeyboardInterrupt) else TERMINATED)


if __name__ == "__main__":
    main()
