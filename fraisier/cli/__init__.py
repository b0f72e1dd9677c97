"""The command line: one file per verb or group of verbs, imported when it is used.

Importing this package imports click and nothing else, so that `fraisier --version` and completion
are fast.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from .. import __version__
from .options import Options

VERBS: Mapping[str, tuple[str, str]] = {
    "list": ("status_verbs", "Targets, where they run, and how they are in one word."),
    "status": ("status_verbs", "What is desired, what runs, and how it does."),
    "plan": ("plan_verb", "What would be done now, and why. Changes nothing."),
    "diff": ("diff_verb", "Commits, configuration and unit files behind a plan."),
    "apply": ("apply_verb", "Plan, ask, do; or carry out a plan that was saved."),
    "deploy": ("work_verbs", "Bring one target to its desired revision now."),
    "rollback": ("work_verbs", "Return to an earlier revision that was proven healthy."),
    "retry": ("work_verbs", "Lift quarantine and back-off, and try again now."),
    "cancel": ("work_verbs", "Stop what is being done to a target before its next step."),
    "suspend": ("standing_verbs", "Let nothing be done to targets, for a while or until resumed."),
    "resume": ("standing_verbs", "End a suspension, and go on at once."),
    "pin": ("standing_verbs", "Keep a target at one revision until it is unpinned."),
    "unpin": ("standing_verbs", "End a pin or a trial."),
    "try": ("standing_verbs", "Run another branch, tag or commit for a while."),
    "approve": ("standing_verbs", "Let a deployment run that waits for approval."),
    "history": ("history_verb", "Deployments, newest first."),
    "stats": ("stats_verb", "How often, how fast and how well is deployed."),
    "watch": ("watch_verb", "A live view of all targets and the steps that run."),
    "logs": ("logs_verb", "The output of a deployment, or of the service itself."),
    "explain": ("explain_verb", "Why a target is as it is, with everything known about it."),
    "validate": ("config_verbs", "Check the configuration and print every problem in it."),
    "schema": ("config_verbs", "Print the JSON Schema of fraises.yaml."),
    "init": ("config_verbs", "Write a commented fraises.yaml to start from."),
    "daemon": ("daemon_verb", "Run the reconciler in the foreground."),
}
"""Every verb: the module that has it, and its one line of help. In the order of `--help`."""


class LazyGroup(click.Group):
    """Knows the verbs by name and help; imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        module = import_module(f".{VERBS[cmd_name][0]}", __package__)
        command: click.Command = getattr(module, cmd_name + "_verb" if cmd_name in {"list", "try"} else cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], VERBS, n=1)
            if close:
                raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without importing the verbs."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", metavar="PATH", help="fraises.yaml, or a folder of YAML files. [env: FRAISIER_CONFIG]")
@click.option("--state", metavar="PATH", help="The store, an SQLite file. [env: FRAISIER_STATE]")
@click.option("--color/--no-color", default=None, help="Colours; by default on a terminal only. [env: NO_COLOR]")
@click.option("-v", "--verbose", count=True, help="Say more.")
@click.version_option(__version__, prog_name="fraisier")
@click.pass_context
def cli(ctx: click.Context, config: str | None, state: str | None, color: bool | None, verbose: int) -> None:
    """GitOps for plain Linux servers.

    fraises.yaml and the heads of git branches say what should run; `fraisier daemon` converges the
    machine to that. `plan` shows beforehand what would be done and why, `status` and `history` what was.

    Exit codes: 0 done or in sync, 1 failed, 2 needs a person (bad configuration, held), 3 a bug of
    Fraisier, 130 interrupted.
    """
    ctx.obj = Options(config, state, color, verbose)


def main(args: list[str] | None = None) -> None:
    """The entry point of `fraisier`. Every error ends here, as words for people and an exit code."""
    try:
        code: Any = cli.main(args=args, standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except KeyboardInterrupt:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as with `| head`
        code = 0
    except Exception as error:  # noqa: BLE001 - the one edge of the process: words for people, a report for us
        from .failures import explain_failure

        code = explain_failure(error)
    gc.freeze()  # else the interpreter looks for cycles in all that it is about to drop: 40 ms of a short command
    sys.exit(code if isinstance(code, int) else 0)
