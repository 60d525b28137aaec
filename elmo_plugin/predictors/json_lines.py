"""
What the predictors have in common: lines of JSON in and out, in batches only.
"""

import json
from typing import Any, List

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict
from allennlp.data import Instance
from allennlp.predictors import Predictor

from elmo_plugin.data.shown import shortened


class JsonLinesPredictor(Predictor):
    """
    Reads a line of JSON for each input and writes one, in which letters of any language stand as they are. One input is
    a batch of one. A subclass has `expected` and says what comes of a batch.
    """

    expected: str
    """The begin of messages, which tells the form of a whole input."""

    def load_line(self, line: str) -> JsonDict:
        return parsed(line, self.expected)

    def dump_line(self, outputs: JsonDict) -> str:
        return json.dumps(outputs, ensure_ascii=False) + "\n"

    def predict_json(self, inputs: JsonDict) -> JsonDict:
        outputs: List[JsonDict] = self.predict_batch_json([inputs])
        return outputs[0]

    def predict_instance(self, instance: Instance) -> JsonDict:
        outputs: List[JsonDict] = self.predict_batch_instance([instance])
        return outputs[0]


def parsed(line: str, expected: str, advice: str = "") -> Any:
    """
    # Raises

    `ConfigurationError` where the line is no JSON; its message begins with `expected` and ends with `advice`.
    """
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{expected} on each line, found {shortened(line)} ({error}).{advice}") from error
