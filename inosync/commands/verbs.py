"""Commands as words: ``inosync wait 60`` is ``inosync --wait 60``, and what a slip was meant to be.

Turns arguments into options. Does nothing itself, and loads nothing that a start would pay for.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Sequence

#: What a verb is called where it is not called like its option.
_WORDS = {"new": "init"}


def verbs(modes: Collection[str]) -> dict[str, str]:
    """Return each verb with the option that it stands for; `modes` are names of options."""
    options = [mode.replace("_", "-") for mode in (*modes, "help")]
    return {_WORDS.get(option, option): f"--{option}" for option in options}


def read(
    arguments: Sequence[str], parser: argparse.ArgumentParser, modes: Collection[str]
) -> argparse.Namespace:
    """Return what is asked for. End with a usage error when that is not clear."""
    try:
        written = drawn_near(spelled_out(arguments, parser, modes), parser, modes)
    except ValueError as error:
        parser.error(str(error))
    options, unknown = parser.parse_known_args(written)
    if unknown:
        parser.error(misspelt(unknown, parser))
    paths = options.paths
    if not paths or options.new:
        return options
    meant = no_verb(paths[0], modes)
    if len(paths) == 1 or options.file:
        parser.error(
            "give either -c FILE, or SRC and at least one DEST"
            f" (there is {'-c and ' if options.file else 'only '}{' '.join(paths)}){meant}"
        )
    if meant:
        parser.error(f"{paths[0]}: no such directory, and no command{meant}")
    return options


def spelled_out(
    arguments: Sequence[str], parser: argparse.ArgumentParser, modes: Collection[str]
) -> list[str]:
    """Return the arguments with a verb in them as the option that it stands for.

    The first word may be a verb. Where a directory here is called like it and more words follow
    than it takes, they are SRC and DEST. Raise ValueError when it may be either, or lacks a word.
    """
    words = _words(arguments, parser)
    known = verbs(modes)
    if not words or arguments[words[0]] not in known:
        return list(arguments)
    verb, *rest = (arguments[at] for at in words)
    option = known[verb]
    action = _options(parser)[option]
    if not rest and action.nargs is None:
        raise ValueError(f"it lacks {action.metavar}: inosync {verb} {action.metavar}")
    taken = _taken(action, rest)
    if rest and os.path.isdir(verb):
        if not taken and option != "--new":  # which takes any
            return list(arguments)
        raise ValueError(
            f"{verb} is a command, and a directory here: write ./{verb} for the directory, "
            f"or {option} for the command"
        )
    result = list(arguments)
    result[words[0]] = f"{option}={rest[0]}" if taken else option
    if taken:
        del result[words[1]]
    return result


def drawn_near(
    arguments: Sequence[str], parser: argparse.ArgumentParser, modes: Collection[str]
) -> list[str]:
    """Return the arguments with the only word in them as the value of a command that has none yet.

    So what a command is asked for may stand behind its other options, too.
    """
    result = list(arguments)
    words = _words(arguments, parser)
    for option in set(verbs(modes).values()) & set(result):
        at = result.index(option)
        if len(words) == 1 and words[0] > at and _options(parser)[option].nargs in (None, "?"):
            result[at] = f"{option}={result.pop(words[0])}"
    return result


def misspelt(unknown: Sequence[str], parser: argparse.ArgumentParser) -> str:
    """Return what to say of arguments that the parser does not know."""
    name = next((each for each in unknown if each.startswith("-")), unknown[0])
    bare = name.partition("=")[0]
    shown = f"unrecognized arguments: {' '.join(unknown)}"
    long = [option for option in _options(parser) if option.startswith("--")]
    return f"{shown}{_meant(bare, long) if bare.startswith('--') else ''}"


def no_verb(word: str, modes: Collection[str]) -> str:
    """Return what a first word was meant to be that names no directory, "" when nobody knows."""
    if "/" in word or os.path.exists(word):
        return ""
    known = verbs(modes)
    return "; one command at a time" if word in known else _meant(word, list(known))


def _meant(name: str, known: Collection[str]) -> str:
    from inosync.config.faults import nearest

    by_word = {each.lstrip("-"): each for each in known}
    near = [by_word[word] for word in nearest(name.lstrip("-"), by_word, likeness=0.6)]
    return f"; did you mean {' or '.join(near[:3])}?" if near else ""


def _words(arguments: Sequence[str], parser: argparse.ArgumentParser) -> list[int]:
    """Return where the words are that are neither options nor values of such."""
    found = []
    skip = False
    for at, argument in enumerate(arguments):
        if argument == "--":
            break  # what follows is SRC and DEST, whatever it is called
        if skip:
            skip = False
            if not argument.startswith("-"):
                continue
        if argument.startswith("-"):
            skip = _wants_more(argument, parser)
        else:
            found.append(at)
    return found


def _wants_more(argument: str, parser: argparse.ArgumentParser) -> bool:
    """Return whether the next argument is a value of this option."""
    if argument.startswith("--"):
        if "=" in argument:
            return False
        return any(
            action.nargs in (None, "?")
            for name, action in _options(parser).items()
            if name == argument or (name.startswith(argument) and argument not in _options(parser))
        )
    for at, letter in enumerate(argument[1:], 2):
        action = _options(parser).get(f"-{letter}")
        if action is not None and action.nargs is None:
            return at == len(argument)
    return False


def _taken(action: argparse.Action, rest: Sequence[str]) -> bool:
    """Return whether the verb takes the next word: a number where it need not have one."""
    if not rest:
        return False
    return action.nargs is None or (action.nargs == "?" and rest[0][:1].isdigit())


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return parser._option_string_actions
