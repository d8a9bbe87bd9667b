"""What is still to be looked up in a tree of watches."""

from __future__ import annotations

from inosync.watch.agenda import Agenda, Task


def test_plans_for_one_directory_are_one_task() -> None:
    agenda = Agenda()
    agenda.plan(1, b"a", fresh=True)
    agenda.plan(1, b"b", deep=True)
    assert agenda.tasks == {1: Task({b"a", b"b"}, fresh=True, deep=True)}


def test_a_directory_that_was_planned_does_not_become_fresh() -> None:
    agenda = Agenda()
    agenda.plan(1, b"a")
    agenda.plan(1, b"b", fresh=True)
    assert not agenda.tasks[1].fresh


def test_what_is_kept_for_later_is_no_longer_fresh() -> None:
    agenda = Agenda()
    agenda.postpone(1, Task({b"a"}, fresh=True))
    assert not agenda.tasks
    agenda.resume()
    assert agenda.tasks == {1: Task({b"a"})}
    assert not agenda.later


def test_what_is_left_of_a_task_is_taken_again() -> None:
    agenda = Agenda()
    agenda.plan(1, b"a", b"b")
    wd, task = agenda.tasks.popitem()
    task.names.discard(b"a")
    agenda.put_back(wd, task)
    assert agenda.tasks == {1: Task({b"b"})}
