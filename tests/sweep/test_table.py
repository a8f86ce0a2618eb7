"""Tables of sweeps: what they stand for, and bad ones in one line that says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from c3d_export.core.errors import MissingInputError, TableError
from c3d_export.sweep.table import read_table
from c3d_export.sweep.tasks import Task, tasks_of

GOOD = """\
on = "local:2"
retries = 2
backoff = 0.5

[axes]
game = ["a", "b"]
size = ["xsmall", "small"]
rate = [0.01, 3]

[values]
steps = 40

[[step]]
run = "c3d-export train --model {size} --game {game} --learning-rate {rate} --steps {steps}"

[[step]]
run = "finetune --model {size} --game {game}"

[[exclude]]
game = "b"
size = ["small"]

[[include]]
game = "c"
size = "median"
rate = 0.5

[[override]]
when = { size = "small" }
set = { steps = 60 }
add = { finetune = "--minutes 2" }

[env]
OMP_NUM_THREADS = 2

[slurm]
partition = "gpu"
gpus = 1
options = { account = "codecs" }
"""


def _tasks(tmp_path: Path, text: str) -> list[Task]:
    path = tmp_path / "table.toml"
    path.write_text(text)
    return tasks_of(read_table(path))


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "table.toml"
    path.write_text(GOOD)
    table = read_table(path)
    assert (table.on, table.retries, table.backoff) == ("local:2", 2, 0.5)
    assert table.env == {"OMP_NUM_THREADS": "2"}
    assert (table.slurm.partition, table.slurm.gpus, table.slurm.minutes) == ("gpu", 1, 1440)
    assert table.slurm.options == {"account": "codecs"}
    tasks = {task.name: task for task in tasks_of(table)}
    assert list(tasks) == [
        "a-xsmall-0.01",
        "a-xsmall-3",
        "a-small-0.01",
        "a-small-3",
        "b-xsmall-0.01",
        "b-xsmall-3",
        "c-median-0.5",
    ]
    first, second = tasks["a-small-3"].lines
    assert " ".join(first.words) == ("train --model small --game a --learning-rate 3 --steps 60")
    assert (second.step, second.words[-2:]) == ("finetune", ("--minutes", "2"))
    assert tasks["c-median-0.5"].lines[0].words[-1] == "40"


def test_a_value_may_be_no_option_at_all_or_have_blanks(tmp_path: Path) -> None:
    text = """
[axes]
base = ["", "--mse-base"]
folder = ["my frames"]
[[step]]
run = "data inspect {folder} {base} -o {task}"
"""
    plain, based = _tasks(tmp_path, text)
    assert plain.lines[0].words == ("data", "inspect", "my frames", "-o", "my_frames")
    assert based.lines[0].words[3:] == ("--mse-base", "-o", "mse-base-my_frames")


def _changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("on = [", 0, "is no TOML"),
        ("\0", 0, "is no TOML"),
        ("", 0, "axes: has no axis"),
        (_changed("retries = 2", "retires = 2"), 2, "retires: unknown key; known here: on, re"),
        (_changed("retries = 2", "retries = -1"), 2, "retries: must be a whole number"),
        (_changed("retries = 2", "retries = true"), 2, "retries: must be a whole number"),
        (_changed("backoff = 0.5", "backoff = nan"), 3, "backoff: must be a number from 0 on"),
        (_changed('on = "local:2"', "on = 2"), 1, "on: must be text"),
        (_changed('["a", "b"]', "[]"), 6, "axes game: must be a list with at least one"),
        (_changed('["a", "b"]', '"a"'), 6, "axes game: must be a list"),
        (_changed('["a", "b"]', '["a", true]'), 6, "axes game: True is neither"),
        (_changed('["a", "b"]', '["a", ["b"]]'), 6, "is neither text nor number"),
        (_changed('["a", "b"]', '["a", "b", "a"]'), 6, "axes game: has 'a' twice"),
        (_changed('game = ["a"', 'task = ["a"'), 6, "{task} is the name of each task"),
        (_changed('game = ["a"', '"a b" = ["a"'), 6, "a name is of letters"),
        (_changed('["a", "b"]', '["b", "a b", "a_b"]'), 5, "would both be called a_b-xsmall-0.01"),
        (_changed("steps = 40", "stepps = 40"), 30, "steps is none of the values: stepps"),
        (_changed("steps = 40", "size = 4\nsteps = 40"), 11, "values size: is an axis already"),
        (_changed("--steps {steps}", "--steps {stepps}"), 14, "nothing fills {stepps}"),
        (_changed("--steps {steps}", ""), 11, "values steps: is in no step"),
        (_changed("{size} --game {game}\"\n\n[[ex", "'{size} --game {game}\"\n\n[[ex"), 17,
         "No closing quotation"),
        (_changed('run = "c3d', 'walk = "c3d'), 14, "step 1 walk: unknown key"),
        (_changed('run = "finetune --model {size} --game {game}"', 'name = "x"'), 16,
         "step 2: has no run"),
        (_changed('run = "finetune', 'run = "train'), 16, "train is a step already"),
        (_changed('game = "b"\nsize', 'game = "d"\nsize'), 20,
         "no cell has 'd' as game; there are a, b"),
        (_changed('game = "b"\nsize', 'gane = "b"\nsize'), 20, "exclude 1 gane: unknown key"),
        (_changed('rate = 0.5', ""), 23, "include 1: has no rate"),
        (_changed('game = "c"\nsize = "median"\nrate = 0.5',
                  'game = "a"\nsize = "small"\nrate = 3'), 23, "a-small-3 is there already"),
        (_changed("{ size = \"small\" }", "{ size = \"smal\" }"), 29, "no cell has 'smal'"),
        (_changed("{ size = \"small\" }", "{}"), 29, "override 1 when: must name values"),
        (_changed("set = { steps", "set = { rate"), 30, "rate is none of the values: steps"),
        (_changed("add = { finetune", "add = { prune"), 31, "prune is none of the steps"),
        (_changed("OMP_NUM_THREADS = 2", "OMP_NUM_THREADS = []"), 34, "neither text nor number"),
        (_changed("OMP_NUM_THREADS = 2", '"A=B" = 2'), 34, "is no variable of an environment"),
        (_changed("OMP_NUM_THREADS = 2", 'A = "a\\u0000"'), 34, "is no variable"),
        ("[axes]\na = [1]\n", 0, "there is no [[step]]; write one"),
        (_changed("gpus = 1", "gpu = 1"), 38, "slurm gpu: unknown key; known here: partition"),
        (_changed("gpus = 1", "gpus = '1'"), 38, "slurm gpus: must be a whole number"),
        (_changed("{ account = \"codecs\" }", "3"), 39, "slurm options: must be a table"),
        (GOOD + "[step]\n", 0, "is no TOML"),
        ("axes = 3", 1, "axes: must be a table; write [axes]"),
        ("step = 3\naxes.a = [1]", 1, "step: must be a list of tables; write [[step]]"),
    ],
)  # fmt: skip
def test_bad_tables(tmp_path: Path, text: str, line: int, told: str) -> None:
    with pytest.raises(TableError) as caught:
        _tasks(tmp_path, text)
    message = str(caught.value)
    assert told in message
    assert "table.toml" in message
    if line:
        assert f"line {line}: " in message


def test_nothing_is_left(tmp_path: Path) -> None:
    text = '[axes]\na = [1]\n[[step]]\nrun = "doctor {a}"\n[[exclude]]\na = 1\n'
    with pytest.raises(TableError, match="leaves no cell"):
        _tasks(tmp_path, text)


def test_too_many_tasks(tmp_path: Path) -> None:
    numbers = list(range(50))
    text = f'[axes]\na = {numbers}\nb = {numbers}\n[[step]]\nrun = "doctor {{a}} {{b}}"\n'
    with pytest.raises(TableError, match="more than 2000 tasks"):
        _tasks(tmp_path, text)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="cannot read"):
        read_table(tmp_path / "none.toml")
    with pytest.raises(MissingInputError, match="cannot read"):
        read_table(tmp_path)
