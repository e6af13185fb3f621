from __future__ import annotations

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from base_stage_fakes import fake_model

from tunesmith import base_folder
from tunesmith.errors import from_os_error
from tunesmith.stages.base import cached
from tunesmith.stages.context import Context

ROOT = Path(__file__).parents[3]
WORKER = """
import os, sys, time
from pathlib import Path
from tunesmith.stages.base import cached
from tunesmith.stages.context import Context
folder, log, end = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
def fill(staging, scratch):
    with log.open("a") as file:
        file.write("filled\\n")
    (staging / "config.json").write_text("{}")
    if end == "die":
        os._exit(9)
    time.sleep(0.5)
    return {"source": "test"}
cached.make(folder, fill, Context("base", folder, folder, folder))
"""


def worker(folder, log, end="whole"):
    return subprocess.Popen([sys.executable, "-c", WORKER, str(folder), str(log), end], cwd=ROOT)


@pytest.fixture
def context(tmp_path):
    return Context("base", tmp_path, tmp_path, tmp_path)


def fill(staging, scratch):
    fake_model(staging)
    return {"source": "test"}


def leftovers(folder):
    return sorted(path.name for path in folder.parent.iterdir() if path.name.endswith(".tmp"))


def test_two_processes_at_once_both_succeed_and_one_does_the_work(tmp_path):
    folder, log = tmp_path / "bases" / "tiny-0", tmp_path / "log"
    workers = [worker(folder, log), worker(folder, log)]
    assert [process.wait(30) for process in workers] == [0, 0]
    assert log.read_text() == "filled\n"
    base_folder.verify(folder, full=True)


def test_a_killed_process_leaves_nothing_that_looks_like_a_base(tmp_path, context):
    folder, log = tmp_path / "bases" / "tiny-0", tmp_path / "log"
    assert worker(folder, log, "die").wait(30) == 9
    assert not folder.exists()
    assert len(leftovers(folder)) == 1
    cached.make(folder, fill, context)
    base_folder.verify(folder, full=True)
    assert leftovers(folder) == []


def test_a_failed_fill_leaves_nothing(tmp_path, context):
    def fail(staging, scratch):
        (staging / "half").write_text("x")
        raise OSError(28, "No space left on device")

    folder = tmp_path / "bases" / "tiny-0"
    with pytest.raises(OSError, match="No space"):
        cached.make(folder, fail, context)
    assert not folder.exists()
    assert leftovers(folder) == []


def test_a_whole_folder_is_not_made_again_unless_asked(tmp_path, context):
    folder = tmp_path / "bases" / "tiny-0"
    cached.make(folder, fill, context)
    (folder / "mark").write_text("old")
    cached.make(folder, fill, context)
    assert (folder / "mark").exists()
    cached.make(folder, fill, context, replace=True)
    assert not (folder / "mark").exists()
    assert leftovers(folder) == []


def test_a_failed_replacement_keeps_the_old_folder(tmp_path, context):
    def fail(staging, scratch):
        raise OSError(28, "No space left on device")

    folder = tmp_path / "bases" / "tiny-0"
    cached.make(folder, fill, context)
    with pytest.raises(OSError, match="No space"):
        cached.make(folder, fail, context, replace=True)
    base_folder.verify(folder, full=True)


def test_a_disk_with_too_little_room_is_told_before_anything_is_fetched(tmp_path, context, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1_000_000))
    folder = tmp_path / "bases" / "tiny-0"
    with pytest.raises(OSError, match="No space") as caught:
        cached.make(folder, fill, context, megabytes=2)
    assert from_os_error(caught.value).code == "disk_full"
    assert not folder.exists()


def test_a_hub_id_has_a_folder_name_without_slashes(tmp_path):
    folder = cached.folder_of(tmp_path, "owner/name@refs/pr/1", "0123456789abcdef")
    assert folder == tmp_path / "bases" / "owner--name-0123456789ab"
    folder.mkdir(parents=True)
    (tmp_path / "bases" / "owner--name-other-0123456789ab").mkdir()
    assert cached.copies_of(tmp_path, "owner/name") == [folder]
