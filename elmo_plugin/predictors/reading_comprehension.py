"""
The predictor of reading comprehension: passage and question in, answer with its place and probability out.
"""

from typing import Any, Dict, List, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict, sanitize
from allennlp.data import Instance
from allennlp.predictors import Predictor

from elmo_plugin.data.shown import as_json
from elmo_plugin.predictors.inputs import checked_text
from elmo_plugin.predictors.json_lines import JsonLinesPredictor

_EXPECTED = 'expected a JSON object like {"passage": "raw text", "question": "raw text"}'


@Predictor.register("elmo_reading_comprehension")
class ReadingComprehensionPredictor(JsonLinesPredictor):
    """
    Reads JSON lines, `{"passage": "Ada Lovelace was born in London.", "question": "Who was born in London?"}`, and
    writes

    ```json
    {"question": …, "answer": "Ada Lovelace", "start": 0, "end": 12, "probability": 0.71}
    ```

    where `passage[start:end]` is the answer. Both may be of any length: a long passage is read in windows, whose scores
    go through one softmax. An `id` is handed on. Where passage or question has no word, the answer is empty and its
    probability 0.

    With `--use-dataset-reader` it reads a file of questions in SQuAD's or CMRC 2018's layout.

    Registered as a `Predictor` with name "elmo_reading_comprehension"; it is the default of the model
    "bidaf_self_attention".

    ```jsonnet
    { "type": "elmo_reading_comprehension" }
    ```
    """

    expected = _EXPECTED

    def predict_batch_json(self, inputs: List[JsonDict]) -> List[JsonDict]:
        instances = [self._instance_or_none(line) for line in inputs]
        answers = iter(self.predict_batch_instance([instance for instance in instances if instance is not None]))
        return [
            _with_id(line, _empty_answer(line) if instance is None else next(answers))
            for line, instance in zip(inputs, instances)
        ]

    def predict_batch_instance(self, instances: List[Instance]) -> List[JsonDict]:
        if not instances:
            return []
        for instance in instances:
            self._dataset_reader.apply_token_indexers(instance)
        outputs = self._model.forward_on_instances(instances)
        return [sanitize(_output(instance, output)) for instance, output in zip(instances, outputs, strict=True)]

    def _instance_or_none(self, line: JsonDict) -> Optional[Instance]:
        """`None` where passage or question has no word."""
        if not isinstance(line, dict) or not {"passage", "question"} <= set(line):
            raise ConfigurationError(f"{_EXPECTED}, found {as_json(line)}.")
        texts = [checked_text(line[key], f"the {key}", _EXPECTED) for key in ("passage", "question")]
        if not all(self._dataset_reader.tokenizer.tokenize(text) for text in texts):
            return None
        return self._json_to_instance(line)

    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        return self._dataset_reader.text_to_instance(json_dict["question"], json_dict["passage"])


def _output(instance: Instance, output: Dict[str, Any]) -> Dict[str, Any]:
    metadata = instance["metadata"]
    place = {key: output[key] for key in ("answer", "start", "end", "probability")}
    return {"id": metadata["id"], "question": metadata["question"], **place}


def _with_id(line: JsonDict, answer: JsonDict) -> JsonDict:
    """With the line's own `id`, or without one."""
    without = {key: value for key, value in answer.items() if key != "id"}
    return {"id": line["id"], **without} if "id" in line else without


def _empty_answer(line: JsonDict) -> JsonDict:
    return {"question": line["question"], "answer": "", "start": 0, "end": 0, "probability": 0.0}
