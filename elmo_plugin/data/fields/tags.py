"""
The field of a sentence's tags.
"""

from typing import Dict, List, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.data.fields import SequenceLabelField, TextField

from elmo_plugin.data.dataset_readers.columns import TaggedSentence
from elmo_plugin.data.tag_schemes import tags_of_its_type


class TagsField(SequenceLabelField):
    """
    A `SequenceLabelField` of namespace "labels" that says where a tag stands which the vocabulary does not have; the
    base class raises a bare `KeyError`. With a tag, the vocabulary gets all others of its type: that no span of three
    words is among those trained on must not keep one from being found.

    # Parameters

    labels : the tags.
    sequence_field : the words.
    scheme : of the tags.
    source : the sentence as it stands in its file; `None` for tags from elsewhere.
    """

    __slots__ = ["scheme", "source"]

    def __init__(
        self, labels: List[str], sequence_field: TextField, scheme: str, source: Optional[TaggedSentence] = None
    ) -> None:
        super().__init__(labels, sequence_field)
        self.scheme = scheme
        self.source = source

    def count_vocab_items(self, counter: Dict[str, Dict[str, int]]) -> None:
        for label in self.labels:
            for tag in tags_of_its_type(label, self.scheme):
                counter[self._label_namespace][tag] += 1

    def index(self, vocab: Vocabulary) -> None:
        known = vocab.get_token_to_index_vocabulary(self._label_namespace)
        for index, label in enumerate(self.labels):
            if label not in known:
                place = f"word {index + 1}" if self.source is None else self.source.place(index)
                raise ConfigurationError(
                    f"{place}: the tag {label!r} is not one of the {len(known)} that the model knows, which come from "
                    "the files its vocabulary was made of. Correct the tag, leave its sentence out, or train anew with "
                    f'"vocabulary": {{"tokens_to_add": {{"{self._label_namespace}": ["{label}"]}}}}.'
                )
        super().index(vocab)
