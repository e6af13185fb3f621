"""A disk that refuses a save leaves the older checkpoints whole, nothing half-written, and words that help."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from tests.unit.training.checkpoints import Two, make_run, steps_in, train_until
from tests.unit.training.kill_in_save import at_step, same
from tunesmith import artifact
from tunesmith.errors import TunesmithError
from tunesmith.training import checkpoint


class Refusing:
    """Makes the ``at``-th call of a function fail as the operating system does."""

    def __init__(self, function: Callable[..., object], at: int, number: int) -> None:
        self.function, self.left, self.number, self.failed = function, at, number, False

    def __call__(self, *arguments: object, **named: object) -> object:
        self.left -= 1
        if self.left < 0 and not self.failed:
            self.failed = True
            raise OSError(self.number, os.strerror(self.number))
        return self.function(*arguments, **named)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("place", ["os.fsync", "os.open", "os.rename", "os.replace", "os.mkdir", "io.open"])
def test_a_save_that_fails_anywhere_leaves_the_older_ones_whole_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, number: int
) -> None:
    module, name = {"os": os, "io": __import__("io")}[place[:2]], place[3:]
    seen = 0
    for at in count():
        folder = tmp_path / str(at)
        for step in (1, 2):
            checkpoint.save(folder, at_step(step))
        refusing = Refusing(getattr(module, name), at, number)
        with monkeypatch.context() as patch:
            patch.setattr(module, name, refusing)
            with suppress(OSError):
                checkpoint.save(folder, at_step(3))
            if not refusing.failed:
                break
        seen += 1
        assert not list(folder.glob(".writing-*"))
        found, passed_over = checkpoint.newest(folder)
        assert found is not None
        assert same(found, at_step(found.state["step"]))
        assert passed_over == []
        assert found.state["step"] == 3 or steps_in(folder) == [1, 2]
        checkpoint.save(folder, at_step(3))  # the next run, with the disk mended
        assert steps_in(folder) == [2, 3]
        assert all(checkpoint.is_whole(directory) for directory in folder.iterdir())
    assert seen >= 1


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (errno.ENOSPC, "disk_full", ["the disk is full", "bytes and", "are free", "free at least", "on another disk"]),
        (errno.EDQUOT, "disk_full", ["the disk quota is used up"]),
        (errno.EFBIG, "disk_full", ["a limit on the size of files is in the way (`ulimit -f`)"]),
        (errno.EIO, "disk_failed", ["a checkpoint could not be written (Input/output error)", "see to the disk"]),
        (errno.EROFS, "not_writable", ["Read-only file system", "make the folder writable"]),
    ],
)
def test_what_the_disk_refuses_is_told_with_the_size_and_where_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str, words: list[str]
) -> None:
    run = make_run(tmp_path)
    train_until(run, 2)
    found, _ = checkpoint.newest(tmp_path)
    assert found is not None
    monkeypatch.setattr("shutil.disk_usage", lambda place: shutil._ntuple_diskusage(10**9, 10**9, 12_345))
    monkeypatch.setattr(artifact.os, "fsync", Refusing(os.fsync, 0, number))
    with pytest.raises(TunesmithError) as caught:
        run.save()
    assert caught.value.code == code
    assert caught.value.where == str(tmp_path)
    assert [word for word in [*words[:-1], "the checkpoint of step 2 is whole"] if word not in str(caught.value)] == []
    assert "`tunesmith run` goes on from step 2" in caught.value.fix
    if number == errno.ENOSPC:
        [told] = re.findall(r"takes about ([\d,]+) bytes and 12,345 are free", caught.value.what)
        assert int(told.replace(",", "")) == pytest.approx(checkpoint.size_of(found), rel=0.01)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_checkpoint_that_the_disk_does_not_give_is_never_given_up_for_a_start_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """It may be whole, once the disk reads again; only damage that is certain costs the training."""
    for step in (1, 2):
        checkpoint.save(tmp_path, at_step(step))
    read = checkpoint.sha256_of
    failing = {2}

    def sha256_of(path: Path) -> str:
        if int(path.parent.name[5:]) in failing:
            raise OSError(number, os.strerror(number), str(path))
        return read(path)

    monkeypatch.setattr(checkpoint, "sha256_of", sha256_of)
    found, passed_over = checkpoint.newest(tmp_path)
    assert found is not None
    assert same(found, at_step(1))
    assert [path.name for path in passed_over] == ["step-00000002"]
    failing.add(1)
    with pytest.raises(TunesmithError) as caught:
        list(make_run(tmp_path))
    assert caught.value.code == "checkpoint_not_read"
    assert caught.value.where == str(tmp_path / "step-00000002")
    assert os.strerror(number) in caught.value.what
    assert "`tunesmith run --from-scratch`" in caught.value.fix
    failing.clear()
    found, passed_over = checkpoint.newest(tmp_path)
    assert found is not None
    assert same(found, at_step(2))
    assert passed_over == []


def test_the_size_that_is_told_is_about_that_of_the_files(two: Two) -> None:
    written = sum(path.stat().st_size for path in (two.folder / two.newest).iterdir())
    assert 0.95 * written < checkpoint.size_of(two.newer) <= written
