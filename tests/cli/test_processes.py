"""What the commands make of torchrun: its number of processes, and who of them speaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from c3d_export.cli.main import main
from c3d_export.cli.output import note, print_json


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """torchrun(rank, size, local=rank): as if it had started this process."""

    def start(rank: int, size: int, local: int | None = None) -> None:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
        monkeypatch.setenv("WORLD_SIZE", str(size))
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("LOCAL_RANK", str(rank if local is None else local))

    return start


def _run(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_another_number_than_torchruns_is_refused(
    torchrun: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    torchrun(0, 4)
    assert _run("train", "--processes", "2") == 2
    wanted = "error: torchrun started 4 processes; leave --processes out\n"
    assert capsys.readouterr().err == wanted


def test_an_up_scaler_is_not_shared(
    torchrun: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    torchrun(0, 2)
    assert _run("train", "--task", "sr") == 2
    assert "an up-scaler is trained in one process" in capsys.readouterr().err


def test_what_is_wrong_is_said_once_a_host(
    torchrun: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    torchrun(1, 4)
    assert _run("train", "--processes", "2") == 2
    assert capsys.readouterr().err == ""
    torchrun(2, 4, local=0)
    assert _run("train", "--processes", "2") == 2
    assert capsys.readouterr().err.startswith("process 2: error: torchrun started 4")


def test_the_first_process_alone_speaks(
    torchrun: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    for rank in (0, 1):
        torchrun(rank, 2)
        note("said")
        print_json({})
    held = capsys.readouterr()
    assert (held.err, held.out) == ("said\n", "{}\n")
