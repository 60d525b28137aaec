"""
The predictor of the tagger: raw sentences in, tags and entities with their places out.
"""

from typing import Any, Dict, List, Optional, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict, sanitize
from allennlp.data import DatasetReader, Instance, Token
from allennlp.models import Model
from allennlp.predictors import Predictor

from elmo_plugin.data.dataset_readers.tagging import TaggingReader
from elmo_plugin.data.shown import as_json
from elmo_plugin.data.tag_schemes import tags_to_spans
from elmo_plugin.data.tokenizers.blank_spacy import BlankSpacyTokenizer
from elmo_plugin.predictors.inputs import checked_text
from elmo_plugin.predictors.json_lines import JsonLinesPredictor

_EXPECTED = 'expected a JSON object like {"sentence": "raw text"} or {"tokens": ["its", "words"]}'


@Predictor.register("elmo_tagger")
class TaggerPredictor(JsonLinesPredictor):
    """
    Reads JSON lines, `{"sentence": "Ada Lovelace was born in London."}` or `{"tokens": ["Ada", …]}`, and writes

    ```json
    {"sentence": …, "words": […], "tags": […],
     "entities": [{"type": "PER", "text": "Ada Lovelace", "start": 0, "end": 12}, …]}
    ```

    where `sentence[start:end]` is the entity's text. The sentence of given tokens is the tokens with single spaces
    between them. A sentence without words gives empty lists. Sentences of a file (`--use-dataset-reader`) come with
    `file`, `line` and `document`, in the file's order.

    Registered as a `Predictor` with name "elmo_tagger"; it is the default of the model of that name.

    ```jsonnet
    { "type": "elmo_tagger", "language": "en" }
    ```

    # Parameters

    model : `Model`, required
    dataset_reader : `DatasetReader`, required
        A reader `elmo_tagging`, whose tokenizer cuts sentences into words.
    frozen : `bool`, optional (default = `True`)
    language : `str`, optional (default = `None`)
        Cut by spaCy's rules for this language instead; on the command line `--predictor-args '{"language": "de"}'`.
    """

    expected = _EXPECTED

    def __init__(
        self, model: Model, dataset_reader: DatasetReader, frozen: bool = True, language: Optional[str] = None
    ) -> None:
        super().__init__(model, dataset_reader, frozen)
        if not isinstance(dataset_reader, TaggingReader):
            raise ConfigurationError(
                f"The predictor elmo_tagger needs the reader elmo_tagging, but the archive has a "
                f"{type(dataset_reader).__name__}. For one trained with the reader elmo_lac give --predictor elmo_lac."
            )
        self._tokenizer = dataset_reader.tokenizer if language is None else BlankSpacyTokenizer(language)

    def predict_batch_instance(self, instances: List[Instance]) -> List[JsonDict]:
        with_words = [instance for instance in instances if len(instance["tokens"]) > 0]
        for instance in with_words:
            self._dataset_reader.apply_token_indexers(instance)
        outputs = iter(self._model.forward_on_instances(with_words) if with_words else [])
        return [
            sanitize(self._output(instance, next(outputs)["tags"] if len(instance["tokens"]) > 0 else []))
            for instance in instances
        ]

    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        if not isinstance(json_dict, dict) or ("sentence" in json_dict) == ("tokens" in json_dict):
            raise ConfigurationError(f"{_EXPECTED}, found {as_json(json_dict)}.")
        if "sentence" in json_dict:
            sentence = checked_text(json_dict["sentence"], "the sentence", _EXPECTED)
            tokens = self._tokenizer.tokenize(sentence)
        else:
            sentence, tokens = _joined(json_dict["tokens"])
        return self._dataset_reader.text_to_instance(tokens, metadata={"sentence": sentence})

    def _output(self, instance: Instance, tags: List[str]) -> Dict[str, Any]:
        tokens, metadata = instance["tokens"].tokens, instance["metadata"]
        words = metadata["words"]
        # Sentences from a file, which has words only, come without a text of their own.
        sentence, tokens = (metadata["sentence"], tokens) if "sentence" in metadata else _joined(words)
        entities = []
        for span in tags_to_spans(tags, self._model.tag_scheme):
            start, end = tokens[span.start].idx, tokens[span.end - 1].idx_end
            entities.append({"type": span.type, "text": sentence[start:end], "start": start, "end": end})
        place = {key: metadata[key] for key in ("file", "line", "document") if key in metadata.metadata}
        return {"sentence": sentence, "words": words, "tags": tags, "entities": entities, **place}


def _joined(words: Any) -> Tuple[str, List[Token]]:
    """Words with single spaces between them, and the words as tokens that know their places there."""
    if not isinstance(words, list):
        raise ConfigurationError(f"{_EXPECTED}, found tokens that are no list: {as_json(words)}.")
    tokens: List[Token] = []
    start = 0
    for position, word in enumerate(words):
        if not checked_text(word, f"token {position}", _EXPECTED):
            raise ConfigurationError(f"{_EXPECTED}, found an empty word as token {position}. Leave it out.")
        tokens.append(Token(text=word, idx=start, idx_end=start + len(word)))
        start += len(word) + 1
    return " ".join(words), tokens
