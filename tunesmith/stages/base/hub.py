"""A base on the Hugging Face hub. Unchecked: no download from the real hub has been run for Tunesmith yet."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from tunesmith.catalog import HubSource, hub_switched_off
from tunesmith.stages.base.files import PATTERNS
from tunesmith.stages.base.unavailable import Unavailable

TIMEOUT = 3.0  # seconds for the one question whether the hub is there


def resolve(source: HubSource) -> str:
    """Ask the hub for the commit that the source's revision names. Raises Unavailable, fast.

    One HEAD request for config.json. The thread bounds it as a whole: a resolver that hangs heeds
    no socket timeout.
    """
    if switch := hub_switched_off():
        raise Unavailable(f"the hub is switched off here ({switch})", f"unset {switch}")
    answer: list[str | Exception] = []

    def ask() -> None:
        try:
            answer.append(_head(source))
        except Exception as error:  # whatever the client raises, the hub is not to be had
            answer.append(error)

    thread = threading.Thread(target=ask, name="hub-head", daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    connect = "connect to huggingface.co (or set HF_ENDPOINT to a mirror)"
    if not answer:
        raise Unavailable(f"the hub did not answer within {TIMEOUT:.0f} s", connect)
    if isinstance(answer[0], Exception):
        status = getattr(getattr(answer[0], "response", None), "status_code", None)
        if isinstance(status, int) and 400 <= status < 500:
            why = f"the hub has no {source.repository} at {source.revision} for you (status {status})"
            raise Unavailable(why, "check the name and revision; for a gated model accept its terms and set HF_TOKEN")
        raise Unavailable(f"the hub cannot be reached ({type(answer[0]).__name__})", connect)
    return answer[0]


def _head(source: HubSource) -> str:
    import huggingface_hub

    url = huggingface_hub.hf_hub_url(source.repository, "config.json", revision=source.revision)
    return huggingface_hub.get_hf_file_metadata(url, timeout=TIMEOUT).commit_hash or source.revision


def download(source: HubSource, folder: Path) -> None:
    """Fetch the model's files at the source's commit into ``folder``. Raises Unavailable when the line breaks."""
    import huggingface_hub
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        huggingface_hub.snapshot_download(
            source.repository, revision=source.revision, local_dir=folder, allow_patterns=list(PATTERNS)
        )
    except OSError as error:
        if error.errno is not None and not isinstance(error, ConnectionError):
            raise  # the disk, not the line
        raise _broken_off(source, error) from error
    except Exception as error:
        raise _broken_off(source, error) from error
    finally:
        if bars:
            enable_progress_bars()
    shutil.rmtree(folder / ".cache", ignore_errors=True)


def _broken_off(source: HubSource, error: Exception) -> Unavailable:
    why = f"the download of {source.repository} broke off ({type(error).__name__}: {str(error)[:200]})"
    return Unavailable(why, "run the same command again")
