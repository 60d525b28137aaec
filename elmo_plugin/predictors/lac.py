"""
The predictor of Chinese lexical analysis: lines of raw text in, words with classes and their places out.
"""

from itertools import islice
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict
from allennlp.data import DatasetReader, Instance
from allennlp.models import Model
from allennlp.predictors import Predictor

from elmo_plugin.data.characters import Character, characters_of, sentences_of
from elmo_plugin.data.dataset_readers.lac import LacReader
from elmo_plugin.data.shown import as_json
from elmo_plugin.data.tag_schemes import tags_to_spans
from elmo_plugin.predictors.inputs import checked_text
from elmo_plugin.predictors.json_lines import JsonLinesPredictor, parsed

_EXPECTED = 'Expected a line of text, or in Python {"text": "raw text"}'


class Sentence(NamedTuple):
    """A sentence of the text number `text`."""

    text: int
    characters: List[Character]


@Predictor.register("elmo_lac")
class LacPredictor(JsonLinesPredictor):
    """
    Reads lines of raw text and writes for each

    ```json
    {"text": "林晓月在青石镇。", "words": [{"text": "林晓月", "class": "PER", "start": 0, "end": 3}, …]}
    ```

    where `text[start:end]` is the word; what lies between words is white space, and white space is never in a word.
    Texts may be of any length: they are tagged by sentences (`sentences_of`), and their words joined again.

    Registered as a `Predictor` with name "elmo_lac".

    ```jsonnet
    { "type": "elmo_lac", "batch_size": 64 }
    ```

    # Parameters

    model : `Model`, required
        A model `elmo_tagger`.
    dataset_reader : `DatasetReader`, required
        The reader `elmo_lac` that it was trained with.
    frozen : `bool`, optional (default = `True`)
    batch_size : `int`, optional (default = `32`)
        How many sentences of the texts are tagged at once.
    json_lines : `bool`, optional (default = `False`)
        Whether lines hold JSON, `{"text": …}`, for texts with line ends in them.
    """

    expected = 'Expected a JSON object like {"text": "raw text"}'

    def __init__(
        self,
        model: Model,
        dataset_reader: DatasetReader,
        frozen: bool = True,
        batch_size: int = 32,
        json_lines: bool = False,
    ) -> None:
        super().__init__(model, dataset_reader, frozen)
        if not isinstance(dataset_reader, LacReader):
            raise ConfigurationError(
                f"The predictor elmo_lac needs the reader elmo_lac, but the archive has a "
                f"{type(dataset_reader).__name__}. Leave --predictor out, or train with "
                f"training_configs/lac_with_elmo.jsonnet."
            )
        if batch_size < 1:
            raise ConfigurationError(f"batch_size of the predictor elmo_lac must be 1 or more, but it is {batch_size}.")
        self._batch_size = batch_size
        self._json_lines = json_lines

    def load_line(self, line: str) -> JsonDict:
        if not self._json_lines:
            return {"text": line.rstrip("\r\n")}
        return parsed(line, self.expected, " For lines of plain text leave json_lines out.")

    def predict_batch_json(self, inputs: List[JsonDict]) -> List[JsonDict]:
        texts = [_text_of(one) for one in inputs]
        outputs: List[JsonDict] = [{"text": text, "words": []} for text in texts]
        sentences = (
            Sentence(number, sentence)
            for number, text in enumerate(texts)
            for sentence in sentences_of(characters_of(text), self._dataset_reader.max_characters)
        )
        while batch := list(islice(sentences, self._batch_size)):
            instances = [self._instance(sentence.characters) for sentence in batch]
            for sentence, tags in zip(batch, self._tags(instances), strict=True):
                outputs[sentence.text]["words"].extend(self._words(texts[sentence.text], sentence.characters, tags))
        return outputs

    def predict_batch_instance(self, instances: List[Instance]) -> List[JsonDict]:
        """Sentences of a file: their words, and where they stand in the file."""
        outputs = []
        for instance, tags in zip(instances, self._tags(instances), strict=True):
            metadata = instance["metadata"]
            text = "".join(metadata["words"])
            place = {key: metadata[key] for key in ("file", "line") if key in metadata.metadata}
            outputs.append({"text": text, "words": list(self._words(text, characters_of(text), tags)), **place})
        return outputs

    def _instance(self, characters: List[Character]) -> Instance:
        return self._dataset_reader.text_to_instance([character.text for character in characters])

    def _tags(self, instances: List[Instance]) -> List[List[str]]:
        for instance in instances:
            self._dataset_reader.apply_token_indexers(instance)
        return [output["tags"] for output in self._model.forward_on_instances(instances)]

    def _words(self, text: str, characters: List[Character], tags: List[str]) -> Iterator[Dict[str, Any]]:
        for span in tags_to_spans(tags, self._model.tag_scheme):
            for start, end in _runs(characters[span.start : span.end]):
                yield {"text": text[start:end], "class": span.type, "start": start, "end": end}


def _runs(characters: List[Character]) -> Iterator[Tuple[int, int]]:
    """Where the parts of a word begin and end that white space divides it into; one where it has none."""
    start = end = characters[0].start
    for character in characters:
        if character.start > end:
            yield start, end
            start = character.start
        end = character.start + 1
    yield start, end


def _text_of(inputs: JsonDict) -> str:
    if not isinstance(inputs, dict) or "text" not in inputs:
        raise ConfigurationError(f"{_EXPECTED}, found {as_json(inputs)}.")
    return checked_text(inputs["text"], "the text", _EXPECTED)
