"""Make the man pages and the shell completions: ``python scripts/make_man.py``.

The sources of the man pages are ``docs/inosync*.rst``. The commands in them are those of
docs/commands.rst, the settings those of the table in inosync/config/settings.py, so that none can
say something else; the options of the completions are those of the parser. What is made is kept in
git: to install needs no docutils.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import make_settings  # noqa: E402 - beside this file's folder

from inosync import __version__  # noqa: E402 - this checkout's, whatever is installed
from inosync.commands.arguments import MODES, parser  # noqa: E402
from inosync.commands.verbs import verbs as options_of  # noqa: E402

BASH = "examples/completion/bash/inosync"
ZSH = "examples/completion/zsh/_inosync"
FISH = "examples/completion/fish/inosync.fish"

_FILES = ("FILE", "PATH", "DIR")  # what stands for a path in the usage

#: A function of both shells. Where no daemon answers, the config names its nodes when it is asked
#: for one that it does not have.
_NODES = r"""
_inosync_known() {
    local names
    names=$(inosync "$@" --status --json 2> /dev/null | sed -n 's/^ *"node": "\(.*\)",*$/\1/p')
    [[ -n $names ]] || names=$(inosync "$@" --once --dry-run --node '?' 2>&1 |
        sed -n 's/.*there is no node ?; known are //p' | sed 's/, /\n/g')
    [[ -z $names ]] || sort -u <<< "$names"
}
""".lstrip()


def options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return what a person may give, without what is hidden."""
    actions = [action for action in parser._actions if action.option_strings]
    return [action for action in actions if action.help != argparse.SUPPRESS]


def section(name: str, title: str) -> str:
    """Return what stands under a title of a page in docs, with links as plain words."""
    text = (ROOT / "docs" / name).read_text()
    _, found, text = text.partition(f"\n{title}\n{'=' * len(title)}\n\n")
    assert found, f"docs/{name} has no section {title}"
    text = re.split(r"\n[^\n]+\n={3,}\n\n", text)[0].rstrip()
    return re.sub(r"`([^`<]+?)\s+<[^`>]+>`_", r"*\1*", text)


def page(name: str) -> str:
    """Return a man page as roff: `name` is ``inosync.8`` or ``inosync.conf.5``."""
    from docutils.core import publish_string  # noqa: PLC0415 - needed for this alone

    text = (ROOT / f"docs/{name}.rst").read_text()
    text = text.replace(":Manual section:", f":Version: inosync {__version__}\n:Manual section:")
    text = re.sub(r"^\.\. FROM (\S+): (.+)$", lambda at: section(at[1], at[2]), text, flags=re.M)
    text = text.replace(".. SETTINGS", make_settings.reference("-"))
    overrides = {"output_encoding": "unicode", "report_level": 2, "halt_level": 2}
    made = str(publish_string(text, writer="manpage", settings_overrides=overrides))
    return made.replace("\n.SH Name\n", "\n.SH NAME\n")


def verbs() -> list[tuple[str, argparse.Action]]:
    """Return each verb with the option that it stands for."""
    by_name = {name: action for action in parser()._actions for name in action.option_strings}
    return [(word, by_name[option]) for word, option in options_of(MODES).items()]


def bash() -> str:
    """Return the completion for bash."""
    actions = options(parser())
    names = " ".join(name for action in actions for name in action.option_strings)
    words = [word for word, _ in verbs()]
    return f"""\
# bash completion for inosync. Made by scripts/make_man.py.
{_NODES}_inosync() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    local at name first=yes config=()
    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${{COMP_WORDS[at]}} in
            -c | --config) config=(-c "${{COMP_WORDS[++at]}}") ;;
            --node) ((at++)) ;;
            -*) ;;
            *) first= ;;
        esac
    done
    case $before in
        --node)
            while IFS= read -r name; do
                [[ $name != "$word"* ]] || COMPREPLY+=("$name")
            done < <(_inosync_known "${{config[@]}}")
            return ;;
        {_with_choices(actions)}
            return ;;
        {_with_files(actions)})
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "{names}" -- "$word")
    else
        mapfile -t COMPREPLY < <(
            [[ -z $first ]] || compgen -W "{" ".join(words)}" -- "$word"
            compgen -f -- "$word")
    fi
}}
complete -o filenames -F _inosync inosync
"""


def _with_files(actions: list[argparse.Action]) -> str:
    """Return the options that need a path."""
    wanted = [each for each in actions if each.nargs is None and each.metavar in _FILES]
    return " | ".join(name for action in wanted for name in action.option_strings)


def _with_choices(actions: list[argparse.Action]) -> str:
    """Return the case of the option that takes one of a few words."""
    (action,) = (each for each in actions if each.choices is not None)
    words = " ".join(action.choices or ())
    return f"""{" | ".join(action.option_strings)})
            mapfile -t COMPREPLY < <(compgen -W "{words}" -- "$word")"""


def zsh() -> str:
    """Return the completion for zsh."""
    lines = []
    for action in options(parser()):
        text = re.sub(r"([\[\]:\\])", r"\\\1", " ".join(str(action.help).split()))
        value = ""
        if action.nargs != 0:
            what = "_files" if action.metavar in _FILES else ""
            if action.choices is not None:
                what = f"({' '.join(action.choices)})"
            if action.metavar == "NODE":
                what = "_inosync_nodes"
            optional = ":" if action.nargs == "?" else ""
            value = f"{optional}:{action.metavar or action.dest}:{what}"
        for name in action.option_strings:
            quoted = f"{name}[{text}]{value}".replace("'", "'\\''")
            lines.append(f"    '{quoted}' \\\n")
    words = []
    for word, action in verbs():
        text = " ".join(str(action.help).split()).replace("'", "'\\''")
        words.append(f"    '{word}:{text}'\n")
    return f"""\
#compdef inosync
# zsh completion for inosync. Made by scripts/make_man.py.
{_NODES}_inosync_nodes() {{
    local -a config nodes
    local at=${{words[(I)(-c|--config)]}}
    (( at )) && config=(-c ${{(Q)words[at + 1]}})
    nodes=(${{(f)"$(_inosync_known $config)"}})
    compadd -a nodes
}}
_inosync_words() {{
    local -a verbs=(
{"".join(words)}    )
    _describe command verbs
    _files -/
}}
_arguments \\
{"".join(lines)}    '1:command or directory:_inosync_words' \\
    '*:path:_files'
"""


def fish() -> str:
    """Return the completion for fish."""
    lines = []
    for word, action in verbs():
        lines.append(f"complete -c inosync -n __fish_use_subcommand -a {word} -d {_told(action)}\n")
    for action in options(parser()):
        names = " ".join(
            f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
            for name in action.option_strings
        )
        value = ""
        if action.choices is not None:
            value = f" -x -a '{' '.join(action.choices)}'"
        elif action.metavar == "NODE":
            value = " -x -a '(__inosync_nodes)'"
        elif action.metavar in _FILES and action.nargs is None:
            value = " -r -F"
        elif action.nargs is None:
            value = " -x"
        lines.append(f"complete -c inosync {names}{value} -d {_told(action)}\n")
    return f"""\
# fish completion for inosync. Made by scripts/make_man.py.
function __inosync_nodes
    set -l config
    set -l words (commandline -opc)
    for at in (seq (count $words))
        if contains -- $words[$at] -c --config
            set config -c $words[(math $at + 1)]
        end
    end
    set -l names (inosync $config --status --json 2>/dev/null |
        sed -n 's/^ *"node": "\\(.*\\)",*$/\\1/p')
    if test -z "$names"
        set names (inosync $config --once --dry-run --node '?' 2>&1 |
            sed -n 's/.*there is no node ?; known are //p' | sed 's/, /\\n/g')
    end
    printf '%s\\n' $names | sort -u
end
{"".join(lines)}"""


def _told(action: argparse.Action) -> str:
    """Return an option's help, quoted for fish."""
    text = " ".join(str(action.help).split()).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def main() -> None:
    """Write everything."""
    for name in ("inosync.8", "inosync.conf.5"):
        (ROOT / "docs/man" / name).write_text(page(name))
    (ROOT / BASH).write_text(bash())
    (ROOT / ZSH).write_text(zsh())
    (ROOT / FISH).write_text(fish())


if __name__ == "__main__":
    main()
